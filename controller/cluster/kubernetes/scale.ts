// Does an autoscaler of the cluster set the replicas of a workload? Asked only of those whose replicas one has set before: when it is
// gone, the release's number counts again.
import type { Manifest } from '../../../runtime/contract/manifest.js'
import { refKey } from '../../../runtime/contract/manifest.js'
import { ApiError, type Sent } from './client.js'
import { listPath } from './discovery.js'
import { type Seen, scaledBy } from './seen.js'
import type { Write } from './write.js'

export type Scales = (seen: Pick<Seen, 'ref' | 'scaled'>, signal: AbortSignal) => Promise<boolean>

/** A namespace is not listed more often, ms. */
const freshMs = 10_000

export function createScales({ client, discovery }: Write, now: () => number): Scales {
  const known = new Map<string, { readonly at: number; readonly targets: Promise<ReadonlySet<string> | null> }>()

  /** null: it may not be asked. */
  async function listed(namespace: string, signal: AbortSignal): Promise<ReadonlySet<string> | null> {
    const resource = await discovery.preferred('autoscaling', 'HorizontalPodAutoscaler', signal)
    if (resource === null) return new Set()
    try {
      const { items = [] } = (await client.call('GET', listPath(resource, namespace), {}, signal)) as { items?: readonly Sent[] }
      return scaledBy(
        items.map(one => ({ ...one, apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' }) as unknown as Manifest),
      )
    } catch (error) {
      if (error instanceof ApiError && error.status === 403) return null
      throw error
    }
  }

  return async ({ ref, scaled }, signal) => {
    if (!scaled) return false
    const before = known.get(ref.namespace)
    const isFresh = before !== undefined && now() - before.at < freshMs
    const targets = isFresh ? before.targets : listed(ref.namespace, signal)
    if (!isFresh) {
      known.set(ref.namespace, { at: now(), targets })
      targets.catch(() => known.delete(ref.namespace))
    }
    const found = await targets
    return found === null || found.has(refKey(ref))
  }
}
