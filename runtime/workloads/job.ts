// Plans a Job (pkg/controller/job): pods until enough succeeded or too many failed, each failure waited out longer than the last.
import { contentHash } from '../contract/hash.js'
import type { PodRecord, PodView } from '../pods/types.js'
import { podName } from './deployment.js'
import type { JobSpec, NodeObject } from './objects.js'
import { type Condition, type Ending, earliest, isFinished, type Plan, restarts, rfc3339, setCondition } from './plan.js'
import { newPod, type Surroundings, templateHash } from './template.js'

const firstDelayMs = 10_000
/** MaxJobPodFailureBackOff. */
const longestDelayMs = 600_000

export interface JobMemory {
  /** Hash of the written template: another one is another run. */
  readonly run: string
  readonly startedAt: number
  /** Uids of the pods counted, so that a pod cleared away is not run again. */
  readonly succeeded: readonly string[]
  readonly failed: readonly { readonly uid: string; readonly at: number }[]
  readonly lastSuccessAt: number
  readonly end: { readonly type: 'Complete' | 'Failed'; readonly at: number } | null
  readonly conditions: readonly Condition[]
}

type End = { readonly type: 'Complete' | 'Failed'; readonly reason: string; readonly message: string }

export function planJob(
  job: NodeObject<'Job'>,
  pods: readonly PodView[],
  memory: JobMemory | null,
  around: Surroundings,
): Plan<JobMemory> {
  const { spec, ref } = job
  const { now } = around
  const hash = templateHash(spec.template, ref.namespace, around)
  const run = contentHash(spec.template.raw)
  const own = pods.filter(pod => pod.record.annotations[runAnnotation] === run)
  const counted = count(memory?.run === run ? memory : begin(run, now), own, now)
  const active = own.filter(pod => !isFinished(pod) && !pod.terminating)
  const end = counted.end === null ? judge(spec, counted, active, now) : null
  const next = end === null ? counted : finish(counted, end, now)
  const startAt = startsAt(next)
  const wanted = next.end === null && !spec.suspend ? wantedPods(spec, next, active.length) : 0
  const free = pods.every(pod => pod.record.annotations[runAnnotation] === run)
  const create =
    free && startAt <= now
      ? Array.from({ length: Math.max(0, wanted - active.length) }, () => freshPod(job, hash, run, around))
      : []
  return {
    create,
    terminate: endings(spec, pods, own, active, wanted, next, now),
    status: status(next, own, active, spec),
    memory: next,
    wakeAt: earliest([
      wanted > active.length && startAt > now ? startAt : null,
      timeLimit(spec, next, now),
      expiry(spec, next, now),
    ]),
    templateHash: hash,
  }
}

const runAnnotation = 'slipway.dev/job-run'

function begin(run: string, now: number): JobMemory {
  return { run, startedAt: now, succeeded: [], failed: [], lastSuccessAt: 0, end: null, conditions: [] }
}

function count(memory: JobMemory, own: readonly PodView[], now: number): JobMemory {
  const known = new Set([...memory.succeeded, ...memory.failed.map(pod => pod.uid)])
  const fresh = own.filter(pod => !known.has(pod.record.uid))
  const succeeded = fresh.filter(pod => pod.phase === 'Succeeded')
  const failed = fresh.filter(pod => pod.phase === 'Failed')
  if (succeeded.length + failed.length === 0) return memory
  return {
    ...memory,
    succeeded: [...memory.succeeded, ...succeeded.map(pod => pod.record.uid)],
    failed: [...memory.failed, ...failed.map(pod => ({ uid: pod.record.uid, at: pod.finishedAt ?? now }))],
    lastSuccessAt: Math.max(memory.lastSuccessAt, ...succeeded.map(pod => pod.finishedAt ?? now)),
  }
}

function judge(spec: JobSpec, memory: JobMemory, active: readonly PodView[], now: number): End | null {
  if (memory.failed.length > spec.backoffLimit || restartedTooOften(spec, active)) {
    return { type: 'Failed', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' }
  }
  if (spec.activeDeadlineSeconds !== null && !spec.suspend && memory.startedAt + spec.activeDeadlineSeconds * 1000 <= now) {
    return { type: 'Failed', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' }
  }
  const enough =
    spec.completions === null ? memory.succeeded.length > 0 && active.length === 0 : memory.succeeded.length >= spec.completions
  return enough ? { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' } : null
}

/** OnFailure restarts within the pod; those count against the limit too (pastBackoffLimitOnFailure). */
function restartedTooOften(spec: JobSpec, active: readonly PodView[]): boolean {
  if (spec.template.spec.restartPolicy !== 'OnFailure') return false
  const count = active.reduce((sum, pod) => sum + restarts(pod), 0)
  return spec.backoffLimit === 0 ? count > 0 : count >= spec.backoffLimit
}

function finish(memory: JobMemory, end: End, now: number): JobMemory {
  const condition = { type: end.type, status: 'True', reason: end.reason, message: end.message } as const
  return { ...memory, end: { type: end.type, at: now }, conditions: setCondition(memory.conditions, condition, now) }
}

function wantedPods(spec: JobSpec, memory: JobMemory, active: number): number {
  if (spec.completions === null) return memory.succeeded.length > 0 ? Math.min(active, spec.parallelism) : spec.parallelism
  return Math.min(spec.parallelism, spec.completions - memory.succeeded.length)
}

/** 10 s after the last failure, doubling with each one since the last success. */
function startsAt(memory: JobMemory): number {
  const recent = memory.failed.filter(pod => pod.at > memory.lastSuccessAt)
  if (recent.length === 0) return 0
  const last = recent.reduce((newest, pod) => Math.max(newest, pod.at), 0)
  return last + Math.min(longestDelayMs, firstDelayMs * 2 ** (recent.length - 1))
}

function freshPod(job: NodeObject<'Job'>, hash: string, run: string, around: Surroundings): PodRecord {
  const { ref, spec } = job
  const { uid, suffix } = around.newId()
  const labels = { 'batch.kubernetes.io/job-name': ref.name, 'job-name': ref.name }
  const identity = { name: podName(ref.name, suffix), owner: ref, workload: ref, templateHash: hash, minReadySeconds: 0, labels }
  const record = newPod(identity, uid, spec.template, around)
  return { ...record, annotations: { ...record.annotations, [runAnnotation]: run } }
}

/** Pods of a former run go, and all that are active once the Job is over or suspended; finished ones stay for their logs until expiry. */
function endings(
  spec: JobSpec,
  pods: readonly PodView[],
  own: readonly PodView[],
  active: readonly PodView[],
  wanted: number,
  memory: JobMemory,
  now: number,
): readonly Ending[] {
  const former = pods.filter(pod => !own.includes(pod) && !pod.terminating)
  const over = active.slice(wanted)
  const expired = isExpired(spec, memory, now) ? own.filter(pod => isFinished(pod) && !pod.terminating) : []
  const because =
    memory.end === null
      ? spec.suspend
        ? 'the Job is suspended'
        : 'the Job needs fewer pods'
      : `the Job is over: ${memory.end.type}`
  return [
    ...former.map(pod => ({ uid: pod.record.uid, reason: 'replaced: the Job has changed' })),
    ...over.map(pod => ({ uid: pod.record.uid, reason: because })),
    ...expired.map(pod => ({ uid: pod.record.uid, reason: 'ttlSecondsAfterFinished is over' })),
  ]
}

function status(
  memory: JobMemory,
  own: readonly PodView[],
  active: readonly PodView[],
  spec: JobSpec,
): Readonly<Record<string, unknown>> {
  const suspended = { type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' }
  return {
    active: active.length,
    ready: active.filter(pod => pod.ready).length,
    succeeded: memory.succeeded.length,
    failed: memory.failed.length,
    terminating: own.filter(pod => pod.terminating).length,
    startTime: rfc3339(memory.startedAt),
    ...(memory.end?.type === 'Complete' ? { completionTime: rfc3339(memory.end.at) } : {}),
    conditions: spec.suspend && memory.end === null ? [...memory.conditions, suspended] : memory.conditions,
  }
}

function timeLimit(spec: JobSpec, memory: JobMemory, now: number): number | null {
  if (memory.end !== null || spec.activeDeadlineSeconds === null || spec.suspend) return null
  return Math.max(now, memory.startedAt + spec.activeDeadlineSeconds * 1000)
}

function expiresAt(spec: JobSpec, memory: JobMemory): number | null {
  return memory.end === null || spec.ttlSecondsAfterFinished === null ? null : memory.end.at + spec.ttlSecondsAfterFinished * 1000
}

function isExpired(spec: JobSpec, memory: JobMemory, now: number): boolean {
  const at = expiresAt(spec, memory)
  return at !== null && at <= now
}

function expiry(spec: JobSpec, memory: JobMemory, now: number): number | null {
  const at = expiresAt(spec, memory)
  return at !== null && at > now ? at : null
}
