// What pods, Jobs and conditions of this attempt show that speaks against its release: release.md, "When is a release judged?".
// A sign says how long it is given; whether and as what it is judged is rollout's.
import type { ContainerState, ObservedContainer, ObservedPod } from '../../runtime/contract/documents.js'
import { type Manifest, type ObjectRef, refKey, refOf, refText } from '../../runtime/contract/manifest.js'
import type { Observed } from '../cluster/cluster.js'
import type { Evidence, HookRun } from '../ledger.js'
import { workloadOf } from './own.js'
import { conditionsOf, find } from './status.js'

export interface Sign extends Evidence {
  /** Which sign of what, to know it again in the next pass. */
  readonly key: string
  /** ms for which it must have been seen; `timeout`: judged when the health timeout is over. */
  readonly afterMs: number | 'timeout'
  /** `always`: no surroundings explain it; `job`: they may, but a first release needs no patience; `no`: both rules hold it back. */
  readonly hopeless: 'always' | 'job' | 'no'
}

const configReasons = new Set(['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError'])
const pullReasons = new Set(['ErrImagePull', 'ImagePullBackOff', 'ErrImageNeverPull', 'RegistryUnavailable', 'ImageInspectError'])
const refusalReasons = new Set(['HostPolicy', 'Forbidden', 'AdmissionRefused', 'Invalid'])
const neverReasons = new Set(['NeverFits', 'OutOfCapacity'])
const waitReasons = new Set(['Unschedulable', 'EngineError', 'EngineUnavailable', 'TooManyRequests'])

const blank = { object: null, pod: '', container: '', reason: '', exitCode: null, restarts: 0, log: [], limit: '' }

/** `forgiven`: ends of containers that are not counted, by `endsKey`. */
export function podSigns(
  pod: ObservedPod,
  restartsAllowed: number,
  forgiven: Readonly<Record<string, number>> = {},
): readonly Sign[] {
  const found = podReason(pod)
  // a Job judges its own pods: it may try again by itself
  const isJobs = workloadOf(pod)?.kind === 'Job'
  const signs = pod.containers.flatMap(
    one => containerSign(pod, one, restartsAllowed, forgiven[endsKey(pod, one)] ?? 0, isJobs) ?? [],
  )
  return found === null ? signs : [found, ...signs]
}

function podReason(pod: ObservedPod): Sign | null {
  const at = {
    ...blank,
    key: `${pod.reason}/${pod.uid}`,
    sign: pod.reason,
    object: workloadOf(pod),
    pod: pod.name,
    reason: pod.reason,
  }
  const message = `pod ${pod.name}: ${pod.message || pod.reason}`
  if (refusalReasons.has(pod.reason)) return { ...at, kind: 'bad', afterMs: 0, hopeless: 'always', message }
  if (neverReasons.has(pod.reason)) return { ...at, kind: 'surroundings', afterMs: 0, hopeless: 'always', message }
  if (waitReasons.has(pod.reason)) return { ...at, kind: 'surroundings', afterMs: 'timeout', hopeless: 'no', message }
  return null
}

function containerSign(
  pod: ObservedPod,
  container: ObservedContainer,
  allowed: number,
  forgiven: number,
  isJobs: boolean,
): Sign | null {
  const waits = waitingSign(pod, container)
  if (waits !== null || isJobs) return waits
  return memorySign(pod, container, forgiven) ?? endsSign(pod, container, allowed, forgiven)
}

function waitingSign(pod: ObservedPod, container: ObservedContainer): Sign | null {
  if (container.state.state !== 'waiting') return null
  const { reason, message: detail } = container.state
  const at = { ...evidence(pod, container, reason), key: `${reason}/${pod.uid}/${container.name}`, reason }
  const message = `container ${container.name}: ${reason}${detail === '' ? '' : `, ${detail}`}`
  if (reason === 'InvalidImageName') return { ...at, kind: 'bad', afterMs: 0, hopeless: 'always', message }
  if (configReasons.has(reason)) return { ...at, kind: 'bad', afterMs: 10_000, hopeless: 'no', message }
  if (pullReasons.has(reason)) {
    return { ...at, sign: 'ImagePullFailed', kind: 'surroundings', afterMs: 'timeout', hopeless: 'no', message }
  }
  if (waitReasons.has(reason)) return { ...at, sign: reason, kind: 'surroundings', afterMs: 'timeout', hopeless: 'no', message }
  return null
}

function memorySign(pod: ObservedPod, container: ObservedContainer, forgiven: number): Sign | null {
  if (Math.min(container.oomKills, endsOf(container) - forgiven) < 2) return null
  const at = evidence(pod, container, 'OOMKilled')
  const limit = container.memoryLimit > 0 ? `memory limit ${memoryText(container.memoryLimit)}` : 'no memory limit'
  const message = `container ${container.name} was ended for its memory ${times(container.oomKills)} (${limit})`
  return { ...at, kind: 'bad', afterMs: 0, hopeless: 'no', message, reason: 'OOMKilled', limit }
}

function endsSign(pod: ObservedPod, container: ObservedContainer, allowed: number, forgiven: number): Sign | null {
  const ends = endsOf(container) - forgiven
  if (ends <= allowed) return null
  const last = lastEnd(container)
  const how =
    last === null ? 'ended' : last.signal === undefined ? `exited ${last.exitCode}` : `was ended by signal ${last.signal}`
  const message = `container ${container.name} ${how} ${times(ends)}, ${container.everReady ? 'although it had been ready' : 'never ready'}`
  const at = evidence(pod, container, container.everReady ? 'CrashAfterReady' : 'CrashLoop')
  return { ...at, kind: 'bad', afterMs: 0, hopeless: 'no', message, limit: `restartsAllowed ${allowed}` }
}

/** Made of ends, of which those of a time of trouble are not counted; any other sign stands for itself. */
export function countsEnds({ sign }: Sign): boolean {
  return sign === 'CrashLoop' || sign === 'CrashAfterReady' || sign === 'OOMKilled'
}

export function endsKey(pod: ObservedPod, container: ObservedContainer): string {
  return `${pod.uid}/${container.name}`
}

/** How often it ended: every restart was an end, and one more while it has not been started again. An init container that exited 0 is done. */
export function endsOf(container: ObservedContainer): number {
  const { state, last, restartCount } = container
  if (state.state === 'terminated') return restartCount + (container.init && state.exitCode === 0 ? 0 : 1)
  return restartCount + (state.state === 'waiting' && last !== null ? 1 : 0)
}

function lastEnd(container: ObservedContainer): Extract<ContainerState, { state: 'terminated' }> | null {
  return container.state.state === 'terminated' ? container.state : container.last
}

function evidence(pod: ObservedPod, container: ObservedContainer, sign: string) {
  const last = lastEnd(container)
  return {
    ...blank,
    key: `${sign}/${pod.uid}/${container.name}`,
    sign,
    object: workloadOf(pod),
    pod: pod.name,
    container: container.name,
    reason: last?.reason ?? '',
    exitCode: last?.exitCode ?? null,
    restarts: container.restartCount,
    log: container.lastLog.slice(-20),
  }
}

export function times(count: number): string {
  const word = ['three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'][count - 3] ?? 'more than ten'
  return ['never', 'once', 'twice'][count] ?? `${word} times`
}

/** 67108864 -> `64Mi`. */
export function memoryText(bytes: number): string {
  const units: readonly [string, number][] = [
    ['Gi', 2 ** 30],
    ['Mi', 2 ** 20],
    ['Ki', 2 ** 10],
  ]
  const unit = units.find(([, size]) => bytes >= size && bytes % size === 0)
  return unit === undefined ? `${bytes} bytes` : `${bytes / unit[1]}${unit[0]}`
}

/** A release's own Jobs and the conditions of its workloads. `object` is there as sent, so what is said is about this release. */
export function objectSigns(
  object: Manifest,
  status: Readonly<Record<string, unknown>>,
  pods: readonly ObservedPod[],
): readonly Sign[] {
  const ref = refOf(object)
  const conditions = conditionsOf(status)
  const at = (sign: string) => ({ ...blank, key: `${sign}/${refKey(ref)}`, sign, object: ref, reason: sign })
  const signs: Sign[] = []
  const failed = find(conditions, 'Failed')
  if (object.kind === 'Job' && failed?.status === 'True') {
    const message = `${refText(ref)} failed: ${failed.message || failed.reason}`
    signs.push({
      ...at('JobFailed'),
      ...jobEvidence(ref, pods),
      reason: failed.reason,
      kind: 'bad',
      afterMs: 0,
      hopeless: 'job',
      message,
    })
  }
  const failure = find(conditions, 'ReplicaFailure')
  if (failure?.status === 'True') {
    const message = `${refText(ref)}: pods cannot be created, ${failure.message || failure.reason}`
    signs.push({ ...at('FailedCreate'), reason: failure.reason, kind: 'bad', afterMs: 15_000, hopeless: 'no', message })
  }
  const progress = find(conditions, 'Progressing')
  if (progress?.status === 'False' && progress.reason === 'ProgressDeadlineExceeded') {
    const message = `${refText(ref)} exceeded its progress deadline`
    signs.push({ ...at('ProgressDeadlineExceeded'), kind: 'bad', afterMs: 0, hopeless: 'no', message })
  }
  return signs
}

/** A failed hook of this attempt, or one over its deadline (`healthTimeout`). */
export function hookSign(run: HookRun, observed: Observed, isLate: boolean, limit: string): Sign | null {
  if (run.outcome !== 'failed' && !isLate) return null
  const sign = run.outcome === 'failed' ? 'HookFailed' : 'HookTimeout'
  const what = run.outcome === 'failed' ? 'failed' : `did not end in ${limit}`
  const message = `${run.phase} hook ${refText(run.ref)} ${what}`
  const evidence = {
    ...jobEvidence(run.ref, observed.pods),
    object: run.ref,
    limit: run.outcome === 'failed' ? '' : `hook deadline ${limit}`,
  }
  return {
    ...blank,
    ...evidence,
    key: `${sign}/${refKey(run.ref)}`,
    sign,
    reason: sign,
    kind: 'bad',
    afterMs: 0,
    hopeless: 'job',
    message,
  }
}

function jobEvidence(ref: ObjectRef, pods: readonly ObservedPod[]) {
  const own = pods.filter(pod => refKey(workloadOf(pod) ?? podRef(pod)) === refKey(ref))
  const containers = own.flatMap(pod => pod.containers.map(container => ({ pod, container })))
  const ended = containers.findLast(({ container }) => (lastEnd(container)?.exitCode ?? 0) !== 0) ?? containers.at(-1)
  if (ended === undefined) return { object: ref }
  const { key: _key, sign: _sign, reason: _reason, ...rest } = evidence(ended.pod, ended.container, '')
  return { ...rest, object: ref }
}

function podRef(pod: ObservedPod): ObjectRef {
  return { group: '', kind: 'Pod', namespace: pod.namespace, name: pod.name }
}

export function refusedSign(refused: { readonly ref: ObjectRef; readonly message: string }): Sign {
  const message = `${refText(refused.ref)} was refused: ${refused.message}`
  return {
    ...blank,
    key: `Refused/${refKey(refused.ref)}`,
    sign: 'ApplyRefused',
    kind: 'bad',
    afterMs: 0,
    hopeless: 'always',
    message,
    object: refused.ref,
  }
}
