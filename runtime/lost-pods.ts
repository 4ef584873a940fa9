// Pods of which nothing can be read any more: which application ends them, and what has to wait for that. Pure.
import type { ApplicationId, DesiredDocument } from './contract/documents.js'
import type { LostPod, PodRecord, PodView } from './pods/types.js'
import { readOnce, templateOf } from './workloads/node.js'

/**
 * The application that would start another in its place: its own, or one whose workload it is by its name, for what was let go may have
 * been taken over. null: nobody that is known here; it is left as it is until somebody is.
 */
export function whoseLost(lost: LostPod, documents: readonly DesiredDocument[]): ApplicationId | null {
  const own = documents.find(({ application, letGo }) => application.name === lost.application.name && !letGo)
  if (own !== undefined) return own.application
  const living = documents.filter(({ deleted, letGo }) => !deleted && !letGo)
  return living.find(document => namesWorkloadOf(document, lost))?.application ?? null
}

/** `web-4f2a91c003-x8k2p` is of `web`. */
function namesWorkloadOf({ objects }: DesiredDocument, lost: LostPod): boolean {
  return objects.some(manifest => {
    const { object } = readOnce(manifest)
    const { name, namespace } = object?.ref ?? { name: '', namespace: '' }
    const isWorkload = object !== null && templateOf(object) !== null && namespace === lost.namespace
    return isWorkload && (lost.name === name || lost.name.startsWith(`${name}-`))
  })
}

/** Those that may be started now: of an application of which a lost pod is being ended, none. */
export function afterLost(create: readonly PodRecord[], pods: readonly PodView[]): readonly PodRecord[] {
  const ending = new Set(pods.flatMap(({ record }) => (record.workload === null ? [record.application.name] : [])))
  return ending.size === 0 ? create : create.filter(({ application }) => !ending.has(application.name))
}
