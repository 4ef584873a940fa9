// Whether each part of the controller is well, and why not.
import type { Bus } from '../runtime/nats/bus/connect.js'
import type { Service } from './api/service.js'
import type { FollowedRef } from './git/poller.js'

export interface Parts {
  readonly bus: Pick<Bus, 'status'>
  /** null: another controller has the lease. */
  readonly epoch: number | null
  /** Why nodes are not listed; '' where they are. */
  readonly nodes: string
  /** The same of clusters; null where there are none. */
  readonly clusters: string | null
  readonly refs: readonly Pick<FollowedRef, 'staleSince' | 'error'>[]
}

export function readinessOf({ bus, epoch, nodes, clusters, refs }: Parts): ReturnType<Service['readiness']> {
  const lease = epoch === null ? 'another controller holds it, or NATS does not answer' : ''
  const git = refs.flatMap(({ error }) => error?.message ?? []).join('; ')
  return [
    { part: 'nats', ok: bus.status().connected, message: bus.status().message },
    { part: 'lease', ok: epoch !== null, message: lease },
    { part: 'nodes', ok: nodes === '', message: nodes },
    ...(clusters === null ? [] : [{ part: 'clusters', ok: clusters === '', message: clusters }]),
    { part: 'git', ok: refs.every(({ staleSince }) => staleSince === 0), message: git },
  ]
}
