// Plans a bare Pod: one pod under its own name, replaced (old one gone first) when what it is made of changes.
import { contentHash } from '../contract/hash.js'
import type { PodView } from '../pods/types.js'
import type { NodeObject } from './objects.js'
import { isFinished, type Plan } from './plan.js'
import { newPod, type Surroundings, templateHash } from './template.js'

/** The end of a pod that ran to its end: it is not run again because its container was cleared away. */
export interface PodMemory {
  /** Hash of the template alone: a finished pod is not run again because a Secret changed. */
  readonly finished: string
  readonly status: Readonly<Record<string, unknown>>
}

export function planPod(
  pod: NodeObject<'Pod'>,
  pods: readonly PodView[],
  memory: PodMemory | null,
  around: Surroundings,
): Plan<PodMemory | null> {
  const { ref, template } = pod
  const written = contentHash(template.raw)
  const hash = templateHash(template, ref.namespace, around)
  const current = pods.find(candidate => !candidate.terminating && isCurrent(candidate, hash, written, memory))
  const done =
    current !== undefined && isFinished(current)
      ? { finished: written, status: podStatus(current) }
      : memory?.finished === written
        ? memory
        : null
  const stale = pods.filter(candidate => candidate !== current && !candidate.terminating)
  const wanted = current === undefined && pods.length === 0 && done === null
  const identity = { name: ref.name, owner: null, workload: ref, templateHash: hash, minReadySeconds: 0 }
  return {
    create: wanted ? [newPod(identity, around.newId().uid, template, around)] : [],
    terminate: stale.map(({ record }) => ({ uid: record.uid, reason: 'replaced: the pod has changed' })),
    status: current === undefined ? (done?.status ?? { phase: 'Pending' }) : podStatus(current),
    memory: done,
    wakeAt: null,
    templateHash: hash,
  }
}

function isCurrent(pod: PodView, hash: string, written: string, memory: PodMemory | null): boolean {
  return pod.record.templateHash === hash || (isFinished(pod) && memory?.finished === written)
}

function podStatus(pod: PodView): Readonly<Record<string, unknown>> {
  const condition = (type: string, holds: boolean) => ({ type, status: holds ? 'True' : 'False' })
  return {
    phase: pod.phase,
    podIP: pod.ip,
    reason: pod.reason,
    message: pod.message,
    startTime: pod.record.createdAt,
    conditions: [condition('Ready', pod.ready), condition('ContainersReady', pod.ready)],
  }
}
