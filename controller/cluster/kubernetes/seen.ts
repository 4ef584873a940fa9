// What is kept of an object that an API server shows: whose it is, what of it is ours, its status, and the little of its spec that
// health asks for. Pure.
import { createHash } from 'node:crypto'
import { groupOf, type Manifest, type ObjectRef, refKey, refOf } from '../../../runtime/contract/manifest.js'
import { keepAnnotation, optionsAnnotation } from '../../release/options.js'
import type { Sent } from './client.js'
import { mark } from './compare.js'
import { type FieldSet, isFormer, isScaled, managedOf, ourFields } from './managed.js'

export const trackingAnnotation = 'argocd.argoproj.io/tracking-id'
/** `<attempt> <manifest hash>` of the write that last changed it. */
export const appliedAnnotation = mark
/** Of an object: a manager whose fields become ours too. */
export const migrationAnnotation = 'argocd.argoproj.io/client-side-apply-migration-manager'

export interface Seen {
  readonly ref: ObjectRef
  readonly key: string
  readonly uid: string
  readonly version: string
  /** The application that its tracking id names; '' for none. */
  readonly application: string
  readonly applied: { readonly attempt: number; readonly hash: string } | null
  /** Changes whenever one of the fields that we apply is changed by anybody else; '' where we own none. */
  readonly owned: string
  /** `spec.replicas` is among them. */
  readonly ownsReplicas: boolean
  /** An autoscaler, of this release or not, has set `spec.replicas` once; whether it still does: `scale.ts`. */
  readonly scaled: boolean
  /** Argo CD, Helm or kubectl wrote it whole, and has its fields still. */
  readonly former: boolean
  readonly deleting: boolean
  readonly owner: { readonly uid: string; readonly kind: string; readonly name: string; readonly group: string } | null
  /** What health reads: metadata, and the spec's fields that its rules ask for. */
  readonly live: Manifest
  readonly status: Readonly<Record<string, unknown>>
}

/** Fields of `spec` that some health rule reads; templates and data are not kept. */
const specFields = ['replicas', 'paused', 'updateStrategy', 'strategy', 'type', 'suspend', 'restartPolicy']
const annotations = [
  'deployment.kubernetes.io/revision',
  'autoscaling.alpha.kubernetes.io/conditions',
  optionsAnnotation,
  keepAnnotation,
]
const labels = ['pod-template-hash', 'controller-revision-hash']

export function seenOf(object: Sent): Seen {
  const { metadata } = object as Manifest
  const ref = refOf(object as Manifest)
  const managed = managedOf(object)
  const ours = ourFields(managed)
  const owner = (metadata.ownerReferences as readonly OwnerReference[] | undefined)?.find(one => one.controller === true)
  return {
    ref,
    key: refKey(ref),
    uid: metadata.uid ?? '',
    version: String(metadata.resourceVersion ?? ''),
    application: trackedBy(object as Manifest),
    applied: appliedOf(metadata.annotations?.[appliedAnnotation]),
    owned: ours === undefined ? '' : hashOf(ours),
    ownsReplicas: ours?.['f:spec']?.['f:replicas'] !== undefined,
    scaled: isScaled(managed),
    former: managed.some(one => isFormer(one, metadata.annotations?.[migrationAnnotation])),
    deleting: metadata.deletionTimestamp !== undefined,
    owner:
      owner === undefined
        ? null
        : { uid: owner.uid, kind: owner.kind, name: owner.name, group: owner.apiVersion.split('/').at(-2) ?? '' },
    live: liveOf(object as Manifest),
    status: (object.status ?? {}) as Seen['status'],
  }
}

/** A server always gives a set of fields in the same order; another order would only be looked at once more. */
function hashOf(fields: FieldSet): string {
  return createHash('sha1').update(JSON.stringify(fields)).digest('base64')
}

interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
}

function liveOf({ apiVersion, kind, metadata, spec, revision }: Manifest): Manifest {
  const { name, namespace, generation, creationTimestamp, deletionTimestamp, finalizers } = metadata
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(generation === undefined ? {} : { generation }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp, finalizers }),
      labels: picked(metadata.labels, labels),
      annotations: picked(metadata.annotations, annotations),
    },
    spec: picked(spec, specFields),
    ...(typeof revision === 'number' ? { revision } : {}),
  }
}

function picked<T>(from: unknown, names: readonly string[]): Readonly<Record<string, T>> {
  const fields = (typeof from === 'object' && from !== null ? from : {}) as Record<string, T>
  return Object.fromEntries(names.flatMap(name => (fields[name] === undefined ? [] : [[name, fields[name]]])))
}

/**
 * `shop:apps/Deployment:shop/web`, where it names the very object it stands on: a copied annotation says nothing (Argo CD's rule, which
 * writes its destination's namespace for objects that have none).
 */
export function trackedBy(object: Manifest): string {
  const id = object.metadata.annotations?.[trackingAnnotation] ?? ''
  const [, application = '', namespace = ''] = /^([^:]+):[^:]*:([^/]*)\//.exec(id) ?? []
  const ref = refOf(object)
  const named = ref.namespace === '' ? { ...ref, namespace } : ref
  return application !== '' && id === trackingId(application, named) ? application : ''
}

export function trackingId(application: string, { group, kind, namespace, name }: ObjectRef): string {
  return `${application}:${group}/${kind}:${namespace}/${name}`
}

function appliedOf(text: string | undefined): Seen['applied'] {
  const [, attempt, hash] = /^(\d+) ([0-9a-f]+)$/.exec(text ?? '') ?? []
  return hash === undefined ? null : { attempt: Number(attempt), hash }
}

/** Workloads whose replicas an autoscaler among these objects sets, by refKey: a HorizontalPodAutoscaler, or KEDA's ScaledObject. */
export function scaledBy(objects: readonly Manifest[]): ReadonlySet<string> {
  return new Set(
    objects.flatMap(({ apiVersion: version, kind, metadata, spec }) => {
      const target = (spec as { scaleTargetRef?: { apiVersion?: string; kind?: string; name?: string } } | undefined)
        ?.scaleTargetRef
      const isKeda = kind === 'ScaledObject' && groupOf(version) === 'keda.sh'
      if ((kind !== 'HorizontalPodAutoscaler' && !isKeda) || target === undefined) return []
      const { apiVersion = isKeda ? 'apps/v1' : '', kind: scaled = isKeda ? 'Deployment' : '', name = '' } = target
      return [refKey({ group: groupOf(apiVersion), kind: scaled, namespace: metadata.namespace ?? '', name })]
    }),
  )
}

/** What an autoscaler sets is left to it; where it is ours still, it is given as it is, since leaving it out would set it to 1. */
export function withoutReplicas(object: Manifest, live: Pick<Seen, 'ownsReplicas' | 'live'> | undefined): Manifest {
  const { replicas: _, ...spec } = (object.spec ?? {}) as Readonly<Record<string, unknown>>
  const now = (live?.live.spec as { replicas?: unknown } | undefined)?.replicas
  return { ...object, spec: live?.ownsReplicas === true && now !== undefined ? { ...spec, replicas: now } : spec }
}

/**
 * As it goes over the wire: marked as ours, and Secrets as the server keeps them, so that a field taken out of `stringData` goes.
 * `hash`: of the manifest as the release has it. `namespaced`: whether its kind is; a render cannot know it of every custom kind.
 */
export function outgoing(object: Manifest, application: string, attempt: number, hash: string, namespaced = true): Manifest {
  const { namespace: _space, ...bare } = object.metadata
  const metadata: Manifest['metadata'] = namespaced ? object.metadata : bare
  const marks = {
    [trackingAnnotation]: trackingId(application, { ...refOf(object), namespace: metadata.namespace ?? '' }),
    [appliedAnnotation]: `${attempt} ${hash}`,
  }
  const { status: _, ...rest } = asData(object)
  return {
    ...rest,
    metadata: { ...metadata, annotations: { ...metadata.annotations, ...marks } },
  } as Manifest
}

function asData(object: Manifest): Manifest {
  if (object.kind !== 'Secret' || object.apiVersion !== 'v1' || object.stringData === undefined) return object
  const { stringData, ...rest } = object
  const coded = Object.entries((stringData ?? {}) as Record<string, unknown>).map(([name, value]) => [
    name,
    Buffer.from(String(value)).toString('base64'),
  ])
  return { ...rest, data: { ...(object.data as object | undefined), ...Object.fromEntries(coded) } }
}
