// Old code on new data: where none of the good release's pods is left, and a hook that it did not have has succeeded since it was last
// applied, going back needs a person's word.
import { refKey, refOf } from '../../runtime/contract/manifest.js'
import { hasTemplateOf, workloadOf } from '../health/own.js'
import type { GoodRelease, HookRecord, Ledger } from '../ledger.js'
import { ordinaryObjects } from '../release/sent.js'
import { hookHashes } from '../sync/plan.js'
import type { DecideInput } from './state.js'

const workloadKinds = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Pod'])

/** The hook that stands between, as key; null where none does. */
export function barrier(input: DecideInput, ledger: Ledger, good: GoodRelease): HookRecord | null {
  if (input.app.rollout.afterHooks === 'RollBack') return null
  const hook = changedHook(input, ledger, good)
  return hook !== null && wouldStartOldCode(input, good) ? hook : null
}

function changedHook(input: DecideInput, ledger: Ledger, good: GoodRelease): HookRecord | null {
  const release = input.releases(good.release)
  const known = hookHashes(release)
  const since = ledger.releases[good.release]?.lastAttempt ?? 0
  const isChanged = (hook: HookRecord) =>
    hook.attempt > since && !hook.reversible && !known.has(hook.hash) && /^(PreSync|Sync)\//.test(hook.key)
  return ledger.hooks.findLast(isChanged) ?? null
}

/** Some workload of the good release has no pod of it left that serves. */
function wouldStartOldCode(input: DecideInput, good: GoodRelease): boolean {
  const release = input.releases(good.release)
  if (release === null) return true
  return ordinaryObjects(release).some(object => {
    const spec = (object.spec ?? {}) as { replicas?: unknown }
    if (!workloadKinds.has(object.kind) || spec.replicas === 0) return false
    const key = refKey(refOf(object))
    return !input.observed.pods.some(pod => pod.ready && !pod.terminating && serves(pod, key, good))
  })
}

function serves(pod: DecideInput['observed']['pods'][number], key: string, good: GoodRelease): boolean {
  const workload = workloadOf(pod) ?? { group: '', kind: 'Pod', namespace: pod.namespace, name: pod.name }
  if (refKey(workload) !== key) return false
  return pod.templateHash === '' ? pod.release === good.release : hasTemplateOf(pod, good)
}
