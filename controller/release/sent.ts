// What of a release goes to a place, and in which form.
import type { Manifest } from '../../runtime/contract/manifest.js'
import type { Release } from '../release.js'
import { annotation, isHook, isRollbackHook, isSkipped } from './hooks.js'

/** A retry's number goes onto the pod templates, so that pods and Jobs are fresh; 0 leaves them as they are. */
export function asSent(object: Manifest, fresh: number): Manifest {
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
