// What of a release goes to a place, and in which form.
import type { Manifest } from '../../runtime/contract/manifest.js'
import { imagesOf, type Release } from '../release.js'
import { annotation, isHook, isRollbackHook, isSkipped } from './hooks.js'

/** What current's release is sent with beside its own content. */
export interface Stamp {
  /** A retry's number goes onto the pod templates, so that pods and Jobs are fresh; 0 leaves them as they are. */
  readonly fresh: number
  /** Images that run by the digest that their tag had once. */
  readonly pins?: Pins
}

/** What stands in place of an image: `web:1` -> `registry.example.com/web@sha256:...`. */
export type Pins = Readonly<Record<string, string>>

export function asSent(object: Manifest, { fresh, pins = {} }: Stamp): Manifest {
  return pinned(freshened(object, fresh), pins)
}

function pinned(object: Manifest, pins: Pins): Manifest {
  const names = imagesOf([object]).filter(image => pins[image] !== undefined)
  return names.length === 0 ? object : (withImages(object, pins) as Manifest)
}

/** `image` of containers, wherever in the object pods are described. */
function withImages(value: unknown, pins: Pins): unknown {
  if (Array.isArray(value)) return value.map(one => withImages(one, pins))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const isList = (key === 'containers' || key === 'initContainers') && Array.isArray(inner)
      return [key, isList ? inner.map(one => withImage(one, pins)) : withImages(inner, pins)]
    }),
  )
}

function withImage(container: unknown, pins: Pins): unknown {
  const { image } = (container ?? {}) as { readonly image?: unknown }
  const pin = typeof image === 'string' ? pins[image] : undefined
  return pin === undefined ? container : { ...(container as object), image: pin }
}

function freshened(object: Manifest, fresh: number): Manifest {
  if (fresh === 0) return object
  const spec = object.spec as Record<string, unknown> | undefined
  const template = spec?.template as Record<string, unknown> | undefined
  if (template?.spec === undefined) return object
  const metadata = (template.metadata ?? {}) as Record<string, unknown>
  const annotations = { ...((metadata.annotations ?? {}) as object), 'slipway.dev/attempt': String(fresh) }
  return { ...object, spec: { ...spec, template: { ...template, metadata: { ...metadata, annotations } } } }
}

/** Everything of a release that is applied and stays. */
export function ordinaryObjects(release: Release): readonly Manifest[] {
  return release.objects.filter(object => !isHook(object) && !isRollbackHook(object) && !isSkipped(object))
}

/** Claims hold data, definitions and namespaces hold other people's objects: a rollback leaves them as they are. */
export function staysForward(object: Manifest): boolean {
  return keptKinds.has(object.kind) || annotation(object, 'slipway.dev/keep-forward') === 'true'
}

export const keptKinds: ReadonlySet<string> = new Set(['PersistentVolumeClaim', 'Namespace', 'CustomResourceDefinition'])
