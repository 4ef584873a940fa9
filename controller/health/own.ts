// Whose pod is it? Only pods of this attempt are judged; the good release's are the control group; ending ones are nobody's.
import type { ObservedObject, ObservedPod } from '../../runtime/contract/documents.js'
import { type ObjectRef, refKey } from '../../runtime/contract/manifest.js'
import type { Observed } from '../cluster/cluster.js'
import { type GoodRelease, goodRelease, isRollingBack, isUnderWay, type Ledger } from '../ledger.js'

export interface Pods {
  /** Of the newest template of a workload of current. While an attempt is under way: only what it changed and started. */
  readonly own: readonly ObservedPod[]
  /** Of the good release, still serving beside the own ones. */
  readonly control: readonly ObservedPod[]
}

export function podsOf(ledger: Ledger, observed: Observed): Pods {
  const objects = new Map(observed.objects.map(object => [refKey(object.ref), object]))
  const living = observed.pods.filter(pod => !pod.terminating && workloadOf(pod)?.kind !== 'CronJob')
  const isOwn = (pod: ObservedPod) => isNewest(pod, objects) && belongs(pod, ledger)
  return {
    own: living.filter(isOwn),
    control: isUnderWay(ledger.attempt) ? living.filter(pod => !isOwn(pod) && serves(pod)) : [],
  }
}

/** A Job's pod stays when it has ended, not ready and with the failures of long ago: it says nothing of what surrounds it now. */
function serves(pod: ObservedPod): boolean {
  return workloadOf(pod)?.kind !== 'Job' && pod.phase !== 'Succeeded' && pod.phase !== 'Failed'
}

export function workloadOf(pod: ObservedPod): ObjectRef | null {
  return pod.workload ?? pod.owner
}

/** A bare Pod has no template: it is its own newest. */
export function isNewest(pod: ObservedPod, objects: ReadonlyMap<string, ObservedObject>): boolean {
  const workload = workloadOf(pod)
  if (workload === null) return true
  const object = objects.get(refKey(workload))
  return object !== undefined && (object.templateHash ?? pod.templateHash) === pod.templateHash
}

/** While an attempt is under way, a pod that ran before it, or of a template that the good release had, is not its doing. */
function belongs(pod: ObservedPod, ledger: Ledger): boolean {
  const attempt = ledger.attempt
  if (attempt === null || isRollingBack(attempt) || !isUnderWay(attempt)) return true
  if (pod.attempt !== attempt.number) return false
  const good = goodRelease(ledger, ledger.current?.release ?? null)
  return good === null || !hasTemplateOf(pod, good)
}

export function hasTemplateOf(pod: ObservedPod, good: GoodRelease): boolean {
  const workload = workloadOf(pod)
  return workload !== null && pod.templateHash !== '' && good.templates[refKey(workload)] === pod.templateHash
}
