// From what the cache holds of an application to what the engine is told: its objects with their health's facts, and its pods. Pure.
import type { ObservedObject, ObservedPod } from '../../../runtime/contract/documents.js'
import type { Entry } from './cache.js'
import { observedPod } from './pods.js'

/** Of a workload whose newest generation its controller has not seen yet: no pod is of this template. */
export const unobserved = 'unobserved'

export type OwnedBy = (uid: string) => readonly Entry[]

/** `hash`: of the manifest that the object is known to be, '' where it is another. */
export function observedObject(entry: Entry, hash: string, ownedBy: OwnedBy): ObservedObject {
  const templateHash = templateOf(entry, ownedBy)
  return {
    ref: entry.ref,
    uid: entry.uid,
    hash,
    status: entry.status,
    attempt: entry.applied?.attempt ?? 0,
    live: entry.live,
    ...(templateHash === undefined ? {} : { templateHash }),
  }
}

/** The label that pods of the newest template carry; undefined where the kind has no templates. */
export function templateOf(entry: Entry, ownedBy: OwnedBy): string | undefined {
  const { group, kind } = entry.ref
  if (group !== 'apps' || !['Deployment', 'StatefulSet', 'DaemonSet'].includes(kind)) return undefined
  const seen = entry.status.observedGeneration
  if (typeof seen !== 'number' || seen < Number(entry.live.metadata.generation ?? 0)) return unobserved
  if (kind === 'StatefulSet') return String(entry.status.updateRevision ?? unobserved)
  const owned = ownedBy(entry.uid)
  return (kind === 'Deployment' ? setOf(entry, owned) : revisionOf(owned)) ?? unobserved
}

/** The ReplicaSet of the Deployment's own revision. */
function setOf(entry: Entry, owned: readonly Entry[]): string | undefined {
  const annotation = 'deployment.kubernetes.io/revision'
  const revision = entry.live.metadata.annotations?.[annotation]
  const sets = owned.filter(one => one.ref.kind === 'ReplicaSet' && revision !== undefined)
  return sets.find(one => one.live.metadata.annotations?.[annotation] === revision)?.live.metadata.labels?.['pod-template-hash']
}

function revisionOf(owned: readonly Entry[]): string | undefined {
  const revisions = owned.filter(one => one.ref.kind === 'ControllerRevision')
  const newest = revisions.sort((a, b) => Number(b.live.revision ?? 0) - Number(a.live.revision ?? 0))[0]
  return newest?.live.metadata.labels?.['controller-revision-hash']
}

/** The pods of these objects, with what stands between. */
export function observedPods(objects: readonly Entry[], ownedBy: OwnedBy): readonly ObservedPod[] {
  return objects.flatMap(object => {
    const attempt = object.applied?.attempt ?? 0
    if (object.pod !== null) return [observedPod(object.pod, null, null, attempt)]
    const owned = ownedBy(object.uid)
    const direct = owned.flatMap(one => (one.pod === null ? [] : [observedPod(one.pod, object.ref, object.ref, attempt)]))
    const between = owned.filter(one => one.pod === null)
    const beneath = between.flatMap(set =>
      ownedBy(set.uid).flatMap(one => (one.pod === null ? [] : [observedPod(one.pod, set.ref, object.ref, attempt)])),
    )
    return [...direct, ...beneath]
  })
}
