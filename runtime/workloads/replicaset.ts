// Plans a ReplicaSet that stands by itself: so many pods of its template, existing ones left as they are when the template changes.
import type { PodView } from '../pods/types.js'
import { podName } from './deployment.js'
import type { NodeObject } from './objects.js'
import { isAlive, isAvailable, isFinished, nextAvailable, type Plan, victimsFirst } from './plan.js'
import { newPod, type Surroundings, templateHash } from './template.js'

export function planReplicaSet(
  set: NodeObject<'ReplicaSet'>,
  pods: readonly PodView[],
  generation: number,
  around: Surroundings,
): Plan<null> {
  const { ref, spec } = set
  const hash = templateHash(spec.template, ref.namespace, around)
  const alive = pods.filter(isAlive)
  const create = Array.from({ length: Math.max(0, spec.replicas - alive.length) }, () => {
    const { uid, suffix } = around.newId()
    const identity = {
      name: podName(ref.name, suffix),
      owner: ref,
      workload: ref,
      templateHash: hash,
      minReadySeconds: spec.minReadySeconds,
    }
    return newPod(identity, uid, spec.template, around)
  })
  const victims = [...alive].sort(victimsFirst).slice(0, Math.max(0, alive.length - spec.replicas))
  const ended = pods.filter(pod => isFinished(pod) && !pod.terminating)
  const terminate = [
    ...victims.map(pod => ({ uid: pod.record.uid, reason: `scaled down to ${spec.replicas}` })),
    ...ended.map(pod => ({ uid: pod.record.uid, reason: `ended as ${pod.phase}` })),
  ]
  const status = {
    observedGeneration: generation,
    replicas: alive.length,
    fullyLabeledReplicas: alive.length,
    readyReplicas: alive.filter(pod => pod.ready).length,
    availableReplicas: alive.filter(pod => isAvailable(pod, spec.minReadySeconds, around.now)).length,
  }
  return {
    create,
    terminate,
    status,
    memory: null,
    wakeAt: nextAvailable(pods, spec.minReadySeconds, around.now),
    templateHash: hash,
  }
}
