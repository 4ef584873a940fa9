// A StatefulSet changes one pod after the other and waits for each to be ready: on its way back it waits for ever for the broken pod of
// what it leaves (kubernetes/kubernetes#67250). Such pods are ended, so that they are made anew from the good template.
import { isRollingBack, type Ledger } from '../../ledger.js'
import type { Entry } from './cache.js'
import { type ApiClient, ApiError } from './client.js'
import type { OwnedBy } from './look.js'
import type { SeenPod } from './pods.js'

/** Going back, and nobody said to wait. */
export function mayUnstick(ledger: Ledger | null): boolean {
  return ledger !== null && isRollingBack(ledger.attempt) && ledger.pause === null
}

/** Of another template than the newest that its controller has seen, and not ready. */
export function stuckPods(entries: readonly Entry[], ownedBy: OwnedBy): readonly SeenPod[] {
  return entries.filter(isSeenWhole).flatMap(({ uid, status }) =>
    ownedBy(uid).flatMap(({ pod }) => {
      const isStuck = pod !== null && !pod.ready && !pod.terminating && pod.templateHash !== String(status.updateRevision)
      return isStuck ? [pod] : []
    }),
  )
}

function isSeenWhole({ ref, status, live }: Entry): boolean {
  const strategy = (live.spec as { readonly updateStrategy?: { readonly type?: string } } | undefined)?.updateStrategy?.type
  if (ref.group !== 'apps' || ref.kind !== 'StatefulSet' || strategy === 'OnDelete') return false
  return Number(status.observedGeneration ?? -1) >= Number(live.metadata.generation ?? 0)
}

/** Only the very pod that was looked at. */
export async function endPod(client: ApiClient, { namespace, name, uid }: SeenPod, signal: AbortSignal): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } }
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`
  await client.call('DELETE', path, { body }, signal).catch(error => {
    if (!(error instanceof ApiError && (error.status === 404 || error.status === 409))) throw error
  })
}
