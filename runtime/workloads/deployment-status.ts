// A Deployment's status with Kubernetes' fields, and the clock of its progress (pkg/controller/deployment/progress.go).
import type { PodView } from '../pods/types.js'
import type { SetMemory } from './deployment.js'
import type { NodeObject } from './objects.js'
import { type Condition, isAlive, isAvailable, isFinished, rfc3339, setCondition } from './plan.js'
import type { Bounds } from './rolling.js'

/** What progress is measured by. */
export interface Counts {
  readonly updated: number
  readonly old: number
  readonly ready: number
  readonly available: number
}

export interface Told {
  readonly status: Readonly<Record<string, unknown>>
  readonly memory: { readonly conditions: readonly Condition[]; readonly counts: Counts }
  /** When the progress deadline is over; null while no clock runs. */
  readonly deadlineAt: number | null
}

export function deploymentStatus(
  deployment: NodeObject<'Deployment'>,
  pods: readonly PodView[],
  sets: readonly SetMemory[],
  hash: string,
  conditions: readonly Condition[],
  before: Counts,
  generation: number,
  bounds: Bounds,
  now: number,
): Told {
  const { spec } = deployment
  const alive = pods.filter(isAlive)
  const counts = count(alive, hash, spec.minReadySeconds, now)
  const progressed = progress(deployment, conditions, counts, before, hash, now)
  const told = availability(progressed, counts.available >= spec.replicas - bounds.unavailable, now)
  const status = {
    observedGeneration: generation,
    replicas: alive.length,
    updatedReplicas: counts.updated,
    readyReplicas: counts.ready,
    availableReplicas: counts.available,
    unavailableReplicas: Math.max(0, Math.max(spec.replicas, alive.length) - counts.available),
    terminatingReplicas: pods.filter(pod => pod.terminating && !isFinished(pod)).length,
    conditions: told,
    replicaSets: sets.map(set => setStatus(deployment, set, alive, now)),
  }
  return { status, memory: { conditions: told, counts }, deadlineAt: deadline(told, spec.progressDeadlineSeconds, now) }
}

function count(alive: readonly PodView[], hash: string, minReadySeconds: number, now: number): Counts {
  const updated = alive.filter(pod => pod.record.templateHash === hash).length
  return {
    updated,
    old: alive.length - updated,
    ready: alive.filter(pod => pod.ready).length,
    available: alive.filter(pod => isAvailable(pod, minReadySeconds, now)).length,
  }
}

function setStatus(deployment: NodeObject<'Deployment'>, set: SetMemory, alive: readonly PodView[], now: number) {
  const own = alive.filter(pod => pod.record.templateHash === set.hash)
  return {
    name: `${deployment.ref.name}-${set.hash}`,
    revision: set.revision,
    templateHash: set.hash,
    createdAt: rfc3339(set.createdAt),
    desired: set.size,
    replicas: own.length,
    readyReplicas: own.filter(pod => pod.ready).length,
    availableReplicas: own.filter(pod => isAvailable(pod, deployment.spec.minReadySeconds, now)).length,
  }
}

function availability(conditions: readonly Condition[], available: boolean, now: number): readonly Condition[] {
  return setCondition(
    conditions,
    available
      ? { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', message: 'Deployment has minimum availability.' }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        },
    now,
  )
}

const paused = { type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' } as const
const resumed = { type: 'Progressing', status: 'Unknown', reason: 'DeploymentResumed', message: 'Deployment is resumed' } as const

function progress(
  deployment: NodeObject<'Deployment'>,
  conditions: readonly Condition[],
  counts: Counts,
  before: Counts,
  hash: string,
  now: number,
): readonly Condition[] {
  const { spec, ref } = deployment
  if (spec.paused) return setCondition(conditions, paused, now)
  const current = conditions.find(condition => condition.type === 'Progressing')
  if (current?.reason === 'DeploymentPaused') return setCondition(conditions, resumed, now)
  const name = `ReplicaSet "${ref.name}-${hash}"`
  if (counts.updated === spec.replicas && counts.available === spec.replicas && counts.old === 0) {
    const message = `${name} has successfully progressed.`
    return setCondition(conditions, { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable', message }, now)
  }
  const complete = current?.reason === 'NewReplicaSetAvailable' && counts.old === 0
  if (complete) return conditions
  if (isProgress(counts, before)) return touch(conditions, `${name} is progressing.`, now)
  if (isLate(current, spec.progressDeadlineSeconds, now)) {
    const message = `${name} has timed out progressing.`
    return setCondition(conditions, { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message }, now)
  }
  return conditions
}

function isProgress(now: Counts, before: Counts): boolean {
  return now.updated > before.updated || now.old < before.old || now.ready > before.ready || now.available > before.available
}

/** Progress restarts the clock though the sentence is the same. */
function touch(conditions: readonly Condition[], message: string, now: number): readonly Condition[] {
  const current = conditions.find(condition => condition.type === 'Progressing')
  const lastTransitionTime = current?.status === 'True' ? current.lastTransitionTime : rfc3339(now)
  const moved = {
    type: 'Progressing',
    status: 'True',
    reason: 'ReplicaSetUpdated',
    message,
    lastUpdateTime: rfc3339(now),
    lastTransitionTime,
  } as const
  return [...conditions.filter(condition => condition !== current), moved]
}

function isLate(current: Condition | undefined, deadlineSeconds: number, now: number): boolean {
  if (current === undefined || current.reason === 'NewReplicaSetAvailable') return false
  return current.reason === 'ProgressDeadlineExceeded' || Date.parse(current.lastUpdateTime) + deadlineSeconds * 1000 <= now
}

function deadline(conditions: readonly Condition[], deadlineSeconds: number, now: number): number | null {
  const current = conditions.find(condition => condition.type === 'Progressing')
  if (
    current === undefined ||
    ['NewReplicaSetAvailable', 'ProgressDeadlineExceeded', 'DeploymentPaused'].includes(current.reason)
  )
    return null
  const at = Date.parse(current.lastUpdateTime) + deadlineSeconds * 1000
  return at > now ? at : null
}
