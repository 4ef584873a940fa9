// What is to be done next for one pod: the kubelet's computePodActions (pkg/kubelet/kuberuntime) as one pure function.
import { allContainers, type ContainerLife, isSidecar, needsSandbox, type PodLife, stateOf } from './life.js'
import type { ContainerSpec, PodRecord } from './types.js'

export type PodStep =
  | { readonly do: 'sandbox' }
  | { readonly do: 'run'; readonly container: ContainerSpec }
  | { readonly do: 'postStart'; readonly container: ContainerSpec }
  | { readonly do: 'stop'; readonly container: ContainerSpec }
  | { readonly do: 'initialized' }
  | { readonly do: 'fail'; readonly reason: string; readonly message: string }
  | { readonly do: 'finish' }
  /** Nothing until something changes, or until then (ms since the epoch). */
  | { readonly do: 'rest'; readonly until: number | null }

const longestBackOffMs = 60_000
const forgivenAfterMs = 10 * 60_000
/** An image that cannot be pulled waits the longest: see happen.ts. */
const longestWaitMs = 300_000

/** First restart at once, then 1 s doubling to 60 s. */
export function backOffMs(crashes: number): number {
  return crashes <= 1 ? 0 : Math.min(1000 * 2 ** (crashes - 2), longestBackOffMs)
}

/** A run of ten minutes and more forgives what was before. */
export function crashesAfter(crashes: number, ranMs: number): number {
  return ranMs >= forgivenAfterMs ? 1 : crashes + 1
}

/** When a container that does not run may be started: at once (0), or then. */
export function dueAt(container: ContainerLife): number {
  if (container.waiting !== null) return container.waiting.retryAt
  return container.phase === 'ended' && container.end !== null ? container.end.finishedAt + backOffMs(container.crashes) : 0
}

/** Would it be started again, now that it ended? */
export function restarts(record: PodRecord, spec: ContainerSpec, container: ContainerLife): boolean {
  if (container.end === null) return true
  if (isSidecar(spec)) return true
  const init = record.spec.initContainers.some(each => each.name === spec.name)
  // An init container that succeeded is done, whatever the policy.
  if (init && container.end.exitCode === 0) return false
  const policy = record.spec.restartPolicy
  return policy === 'Always' || (policy === 'OnFailure' && container.end.exitCode !== 0)
}

export function nextStep(life: PodLife, now: number): PodStep {
  const deadline = deadlineOf(life)
  if (life.failed === null && deadline !== null && now >= deadline && !isOver(life)) {
    return {
      do: 'fail',
      reason: 'DeadlineExceeded',
      message: `Pod was active on the node longer than ${life.record.spec.activeDeadlineSeconds} s`,
    }
  }
  if (isOver(life)) return endRest(life)
  if (needsSandbox(life.record) && life.sandbox.id === '') return { do: 'sandbox' }
  const step = life.initialized ? keepSidecars(life, now) : nextInit(life, now)
  if (step !== null && step.do !== 'rest') return step
  if (!life.initialized) return withDeadline(step ?? { do: 'initialized' }, deadline)
  return withDeadline(nextApp(life, now, step === null ? null : step.until), deadline)
}

/** Everything that was to run to its end has, or the pod has failed as a whole. */
export function isOver(life: PodLife): boolean {
  if (life.failed !== null) return true
  const { record } = life
  const failedInit = record.spec.initContainers.some(spec => {
    const each = stateOf(life, spec.name)
    return each.phase === 'ended' && each.end !== null && each.end.exitCode !== 0 && !restarts(record, spec, each)
  })
  if (failedInit) return true
  return record.spec.containers.every(spec => {
    const each = stateOf(life, spec.name)
    return each.phase === 'ended' && !restarts(record, spec, each)
  })
}

function endRest(life: PodLife): PodStep {
  const running = allContainers(life.record).find(spec => stateOf(life, spec.name).phase === 'running')
  if (running !== undefined) return { do: 'stop', container: running }
  return life.finishedAt === null || life.sandbox.id !== '' ? { do: 'finish' } : { do: 'rest', until: null }
}

/** Null: all init containers are through. */
function nextInit(life: PodLife, now: number): PodStep | null {
  for (const spec of life.record.spec.initContainers) {
    const each = stateOf(life, spec.name)
    if (each.phase === 'running') {
      const step = whileRunning(spec, each)
      if (step !== null) return step
      if (isSidecar(spec) && each.started) continue
      return { do: 'rest', until: null }
    }
    if (each.phase === 'ended' && !restarts(life.record, spec, each)) continue
    return runWhenDue(spec, each, now)
  }
  return null
}

function keepSidecars(life: PodLife, now: number): PodStep | null {
  return firstOf(life, life.record.spec.initContainers.filter(isSidecar), now)
}

function nextApp(life: PodLife, now: number, until: number | null): PodStep {
  const step = firstOf(life, life.record.spec.containers, now)
  if (step === null) return { do: 'rest', until }
  return step.do === 'rest' ? { do: 'rest', until: earlier(step.until, until) } : step
}

/** The first thing to do among containers that run beside each other; else when to look again; null: all is well. */
function firstOf(life: PodLife, specs: readonly ContainerSpec[], now: number): PodStep | null {
  const rests: (number | null)[] = []
  for (const spec of specs) {
    const each = stateOf(life, spec.name)
    const step =
      each.phase === 'running' ? whileRunning(spec, each) : restarts(life.record, spec, each) ? runWhenDue(spec, each, now) : null
    if (step === null) continue
    if (step.do !== 'rest') return step
    rests.push(step.until)
  }
  return rests.length === 0 ? null : { do: 'rest', until: rests.reduce(earlier, null) }
}

function whileRunning(spec: ContainerSpec, each: ContainerLife): PodStep | null {
  if (each.unhealthy !== null) return each.unhealthy.begun ? null : { do: 'stop', container: spec }
  return each.hook === 'pending' ? { do: 'postStart', container: spec } : null
}

function runWhenDue(spec: ContainerSpec, each: ContainerLife, now: number): PodStep {
  const due = dueAt(each)
  // Nothing waits longer than the longest there is: the clock was set back.
  return due <= now || due > now + longestWaitMs ? { do: 'run', container: spec } : { do: 'rest', until: due }
}

function deadlineOf(life: PodLife): number | null {
  const seconds = life.record.spec.activeDeadlineSeconds
  return seconds === undefined ? null : Date.parse(life.record.createdAt) + seconds * 1000
}

function withDeadline(step: PodStep, deadline: number | null): PodStep {
  return step.do === 'rest' ? { do: 'rest', until: earlier(step.until, deadline) } : step
}

function earlier(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.min(a, b)
}
