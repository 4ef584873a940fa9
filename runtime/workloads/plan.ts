// What every planner gives back, and what all of them say about pods: alive, available, and which goes first.
import type { PodRecord, PodView } from '../pods/types.js'

export interface Ending {
  readonly uid: string
  /** For people: `replaced by web-4f2a91c003`, `scaled down to 2`. */
  readonly reason: string
}

/** One planner's answer; `memory` is what it wants to be handed next time. */
export interface Plan<Memory> {
  readonly create: readonly PodRecord[]
  readonly terminate: readonly Ending[]
  readonly status: Readonly<Record<string, unknown>>
  readonly memory: Memory
  /** ms since 1970: look again then though nothing happened; null: no need. */
  readonly wakeAt: number | null
  readonly templateHash: string
}

export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
  readonly lastUpdateTime: string
  readonly lastTransitionTime: string
}

export function rfc3339(ms: number): string {
  return new Date(ms).toISOString()
}

/** Replaces the condition of its type; the transition time is kept while the status is the same. */
export function setCondition(
  conditions: readonly Condition[],
  next: Omit<Condition, 'lastUpdateTime' | 'lastTransitionTime'>,
  now: number,
): readonly Condition[] {
  const before = conditions.find(condition => condition.type === next.type)
  const same = before?.status === next.status && before.reason === next.reason && before.message === next.message
  if (same) return conditions
  const changed = {
    ...next,
    lastUpdateTime: rfc3339(now),
    lastTransitionTime: before?.status === next.status ? before.lastTransitionTime : rfc3339(now),
  }
  return [...conditions.filter(condition => condition.type !== next.type), changed]
}

export function isFinished(pod: PodView): boolean {
  return pod.phase === 'Succeeded' || pod.phase === 'Failed'
}

/** Counts towards a workload's replicas: Kubernetes' "active". */
export function isAlive(pod: PodView): boolean {
  return !pod.terminating && !isFinished(pod)
}

/** When the pod is or will be available: ready for minReadySeconds; null while it is not ready. */
export function availableAt(pod: PodView, minReadySeconds: number): number | null {
  if (!pod.ready || pod.terminating || isFinished(pod)) return null
  return (pod.readyAt ?? 0) + minReadySeconds * 1000
}

/** Ready since a time to come: the clock was set back since. It is not waited for a second time. */
export function isAvailable(pod: PodView, minReadySeconds: number, now: number): boolean {
  const at = availableAt(pod, minReadySeconds)
  return at !== null && (at <= now || at > now + minReadySeconds * 1000)
}

/** The next moment a ready pod becomes available by waiting alone. */
export function nextAvailable(pods: readonly PodView[], minReadySeconds: number, now: number): number | null {
  return earliest(pods.map(pod => availableAt(pod, minReadySeconds)).map(at => (at !== null && at > now ? at : null)))
}

export function earliest(times: readonly (number | null)[]): number | null {
  return times.reduce((first, time) => (time === null || (first !== null && first <= time) ? first : time), null)
}

const phaseRank = { Pending: 0, Running: 1, Succeeded: 2, Failed: 2 } as const

/**
 * Who is ended first (pkg/controller ActivePodsWithRanks): without an address, pending, not ready, cheaper by
 * `controller.kubernetes.io/pod-deletion-cost`, ready for a shorter time, more restarts, newer.
 */
export function victimsFirst(a: PodView, b: PodView): number {
  return (
    Number(a.ip !== '') - Number(b.ip !== '') ||
    phaseRank[a.phase] - phaseRank[b.phase] ||
    Number(a.ready) - Number(b.ready) ||
    deletionCost(a) - deletionCost(b) ||
    (b.readyAt ?? 0) - (a.readyAt ?? 0) ||
    restarts(b) - restarts(a) ||
    order(b.record.createdAt, a.record.createdAt) ||
    order(a.record.name, b.record.name)
  )
}

/** As letters follow each other in Unicode; a language's own order would load its tables, 3 MB. */
function order(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

function deletionCost(pod: PodView): number {
  return Number.parseInt(pod.record.annotations['controller.kubernetes.io/pod-deletion-cost'] ?? '0', 10) || 0
}

export function restarts(pod: PodView): number {
  return pod.containers.reduce((sum, container) => sum + container.restartCount, 0)
}
