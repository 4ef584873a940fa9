// What runs of current, and how it does: per object, per pod, with the signs that speak against it. Pure; judging is rollout's.

import { isNewer } from '../../runtime/contract/documents.js'
import { manifestHash } from '../../runtime/contract/hash.js'
import { type Manifest, type ObjectRef, refKey, refOf, refText } from '../../runtime/contract/manifest.js'
import type { Application } from '../application.js'
import type { Observed } from '../cluster/cluster.js'
import { isUnderWay, type Ledger } from '../ledger.js'
import { asSent, ordinaryObjects } from '../release/sent.js'
import type { Release } from '../release.js'
import { readyLimit } from './habit.js'
import { podsOf } from './own.js'
import { healthIn, isSettled } from './rules.js'
import { endsKey, endsOf, hookSign, objectSigns, podSigns, refusedSign, type Sign } from './signs.js'
import { conditionsOf, find, type HealthStatus, intAt, isWorse, textAt } from './status.js'
import type { KindRules } from './written.js'

export interface ObjectHealth {
  readonly ref: ObjectRef
  /** null: its kind has no health. */
  readonly status: HealthStatus | null
  readonly message: string
  /** Live is what was sent. */
  readonly there: boolean
  readonly settled: boolean
}

export interface Health {
  /** Of current as a whole; `Unknown` while the place is silent, `Missing` where nothing was applied yet. */
  readonly status: HealthStatus
  readonly message: string
  readonly objects: readonly ObjectHealth[]
  /** The report speaks of the newest order. */
  readonly fresh: boolean
  /** `2 of 3`. */
  readonly pods: { readonly ready: number; readonly wanted: number }
  readonly signs: readonly Sign[]
  /** When a sign that is not there yet would come by time alone (ms since 1970). */
  readonly deadlines: readonly number[]
  /** Pods of the good release that were ready ended or lost readiness by themselves, and are not well again. */
  readonly troubled: { readonly pod: string; readonly at: number } | null
  /** How often containers of its own pods ended, by pod's uid and name; those that never did are left out. */
  readonly ends: Readonly<Record<string, number>>
  /** When the last of its own pods whose containers ended became ready again (ms since 1970); 0 = none ended. */
  readonly readyAgainAt: number
  readonly marks: { readonly updated: number; readonly ready: number; readonly available: number; readonly jobs: number }
  /** Template hash of each workload, by refKey. */
  readonly templates: Readonly<Record<string, string>>
}

export interface AssessInput {
  readonly app: Application
  /** The release that current names. */
  readonly release: Release | null
  readonly ledger: Ledger
  readonly observed: Observed
  readonly now: number
}

export function assess(input: AssessInput): Health {
  const { release, ledger, observed } = input
  const fresh = isFresh(observed)
  const sent = release === null ? [] : ordinaryObjects(release).map(object => asSent(object, ledger.current ?? { fresh: 0 }))
  const objects = sent.map(object => healthOf(object, observed, input.app.health))
  const { own, control } = podsOf(ledger, observed)
  const late = lateSigns(input, sent, objects)
  const { troubled, overAt } = troubleIn(control, input.now)
  const forgiven = troubled === null ? (ledger.attempt?.forgiven ?? {}) : {}
  return {
    ...overall(observed, ledger, objects, fresh),
    objects,
    fresh,
    pods: { ready: own.filter(pod => pod.ready).length, wanted: sent.reduce((sum, object) => sum + wantedPods(object), 0) },
    signs: fresh && observed.silent === null ? [...signsOf(input, sent, objects, forgiven), ...late.signs] : [],
    deadlines: overAt === null ? late.deadlines : [...late.deadlines, overAt],
    troubled,
    ends: endsIn(own),
    readyAgainAt: readyAgain(own),
    marks: marksOf(own, observed, sent),
    templates: Object.fromEntries(
      observed.objects.flatMap(object => (object.templateHash === undefined ? [] : [[refKey(object.ref), object.templateHash]])),
    ),
  }
}

/** A report about an older order says nothing about the newest. */
export function isFresh(observed: Observed): boolean {
  if (observed.ordered === null) return true
  return observed.obeyed !== null && !isNewer(observed.ordered, observed.obeyed)
}

function healthOf(object: Manifest, observed: Observed, kinds: KindRules): ObjectHealth {
  const ref = refOf(object)
  const live = observed.objects.find(one => refKey(one.ref) === refKey(ref))
  const health = healthIn(object, live, kinds)
  return {
    ref,
    status: health?.status ?? null,
    message: health?.message ?? '',
    there: live?.hash === manifestHash(object),
    settled: isSettled(health),
  }
}

function overall(
  observed: Observed,
  ledger: Ledger,
  objects: readonly ObjectHealth[],
  fresh: boolean,
): Pick<Health, 'status' | 'message'> {
  if (observed.silent !== null) return { status: 'Unknown', message: observed.silent.message }
  if (ledger.current === null) return { status: 'Missing', message: 'nothing was applied yet' }
  if (!fresh) return { status: 'Progressing', message: 'the newest order has not been obeyed yet' }
  let worst: ObjectHealth | null = null
  for (const object of objects) {
    if (object.status !== null && isWorse(object.status, worst?.status ?? 'Healthy')) worst = object
  }
  if (worst === null) return { status: 'Healthy', message: '' }
  // Judged, and nothing is under way any more that could make it well: it is not on its way (J6).
  const isOver = worst.status === 'Progressing' && ledger.attempt?.outcome === 'Failed'
  return { status: isOver ? 'Degraded' : worst.status!, message: `${refText(worst.ref)}: ${worst.message}` }
}

/** A place speaks at least every ten seconds: what it would have said after that is not known, and no deadline runs on it. */
const unheardMs = 12_000

/** The moment up to which deadlines have run, ms since 1970. */
export function heardUntil(observed: Pick<Observed, 'at'>, now: number): number {
  return Math.min(now, observed.at + unheardMs)
}

function signsOf(
  { app, ledger, observed, now }: AssessInput,
  sent: readonly Manifest[],
  objects: readonly ObjectHealth[],
  forgiven: Readonly<Record<string, number>>,
): readonly Sign[] {
  const live = new Map(observed.objects.map(object => [refKey(object.ref), object]))
  const { own } = podsOf(ledger, observed)
  const timeout = app.rollout.healthTimeoutMs
  const changed = (ref: ObjectRef) => !isUnderWay(ledger.attempt) || live.get(refKey(ref))?.attempt === ledger.attempt?.number
  const there = sent.filter((object, index) => objects[index]!.there && changed(refOf(object)))
  // Once it is gone back from, hooks of the release that was left say nothing of the one that runs.
  const since = ledger.attempt?.rollback?.since ?? 0
  const hooks = (ledger.current?.hookRuns ?? []).filter(
    run => run.attempt === ledger.attempt?.number && run.phase !== 'SyncFail' && run.startedAt >= since,
  )
  return [
    ...(ledger.current?.refused ?? []).map(refusedSign),
    ...hooks.flatMap(
      run =>
        hookSign(
          run,
          observed,
          run.outcome === 'running' && heardUntil(observed, now) - run.startedAt >= timeout,
          minutes(timeout),
        ) ?? [],
    ),
    ...there.flatMap(object => objectSigns(object, live.get(refKey(refOf(object)))!.status, observed.pods)),
    ...own.flatMap(pod => podSigns(pod, app.rollout.restartsAllowed, forgiven)),
  ]
}

/** Not ready although its last releases took far less. Counted from its wave's apply, or from when its surroundings were well again. */
function lateSigns({ ledger, observed, now }: AssessInput, sent: readonly Manifest[], objects: readonly ObjectHealth[]) {
  const from = Math.max(ledger.attempt?.clocks.stageAt ?? 0, ledger.attempt?.trouble?.over ?? 0)
  const signs: Sign[] = []
  const deadlines: number[] = []
  if (!isUnderWay(ledger.attempt) || ledger.attempt?.mode === 'adopt' || from === 0) return { signs, deadlines }
  for (const [index, object] of sent.entries()) {
    const limit = readyLimit(object, ledger.readyTimes)
    const health = objects[index]!
    if (limit === null || health.settled || !health.there) continue
    if (heardUntil(observed, now) - from >= limit) signs.push(slowSign(health, limit))
    else if (from + limit > now) deadlines.push(from + limit)
  }
  return { signs, deadlines }
}

function slowSign(health: ObjectHealth, limitMs: number): Sign {
  const limit = `${Math.round(limitMs / 1000)} s, 5 x its slowest release`
  return {
    key: `NeverReady/${refKey(health.ref)}`,
    sign: 'NeverReady',
    kind: 'bad',
    afterMs: 0,
    hopeless: 'no',
    message: `${refText(health.ref)} is not ready after ${Math.round(limitMs / 1000)} s: ${health.message}`,
    object: health.ref,
    pod: '',
    container: '',
    reason: 'NeverReady',
    exitCode: null,
    restarts: 0,
    log: [],
    limit,
  }
}

/** A readiness probe looks every ten seconds: who has been ready for so long is well again. */
const wellAfterMs = 10_000

/** `overAt`: when it will be over if nothing happens, ms since 1970; null while one is not ready, or none suffers. */
function troubleIn(
  control: ReturnType<typeof podsOf>['control'],
  now: number,
): { readonly troubled: Health['troubled']; readonly overAt: number | null } {
  const troubles = control.flatMap(pod =>
    pod.containers.map(container => {
      const at = timeOf(container.troubledAt)
      return { pod: pod.name, at, overAt: container.ready ? Math.max(at, timeOf(pod.readyAt)) + wellAfterMs : Infinity }
    }),
  )
  const found = troubles.filter(one => one.at > 0 && one.overAt > now).toSorted((a, b) => b.overAt - a.overAt || b.at - a.at)[0]
  if (found === undefined) return { troubled: null, overAt: null }
  return { troubled: { pod: found.pod, at: found.at }, overAt: found.overAt === Infinity ? null : found.overAt }
}

/** RFC 3339 -> ms since 1970; 0 for none. */
function timeOf(text: string): number {
  return Date.parse(text) || 0
}

function endsIn(own: ReturnType<typeof podsOf>['own']): Health['ends'] {
  const all = own.flatMap(pod => pod.containers.map(container => [endsKey(pod, container), endsOf(container)] as const))
  return Object.fromEntries(all.filter(([, ends]) => ends > 0))
}

function readyAgain(own: ReturnType<typeof podsOf>['own']): number {
  const ended = own.filter(pod => pod.readyAt !== '' && pod.containers.some(container => endsOf(container) > 0))
  return Math.max(0, ...ended.map(pod => Date.parse(pod.readyAt)))
}

function marksOf(own: ReturnType<typeof podsOf>['own'], observed: Observed, sent: readonly Manifest[]): Health['marks'] {
  const jobs = observed.objects.filter(object => object.ref.kind === 'Job')
  const steps = jobs.map(
    job => intAt(job.status, 'succeeded') + (textAt(job.status, 'startTime') === '' ? 0 : 1) + (isComplete(job.status) ? 1 : 0),
  )
  const workloads = observed.objects.filter(object => sent.some(one => refKey(refOf(one)) === refKey(object.ref)))
  const sum = (field: string) => workloads.reduce((total, object) => total + intAt(object.status, field), 0)
  return {
    updated: observed.pods.length > 0 ? own.length : sum('updatedReplicas'),
    ready: own.filter(pod => pod.ready).length,
    available: own.filter(pod => pod.available).length,
    jobs: steps.reduce((total, step) => total + step, 0),
  }
}

function isComplete(status: Readonly<Record<string, unknown>>): boolean {
  return find(conditionsOf(status), 'Complete')?.status === 'True'
}

function wantedPods(object: Manifest): number {
  if (!['Deployment', 'StatefulSet', 'ReplicaSet', 'Pod'].includes(object.kind)) return 0
  const replicas = (object.spec as { replicas?: unknown } | undefined)?.replicas
  return typeof replicas === 'number' ? replicas : 1
}

/** 300000 -> `5 min`, 45000 -> `45 s`. */
export function minutes(ms: number): string {
  return ms >= 60_000 && ms % 60_000 === 0 ? `${ms / 60_000} min` : `${Math.round(ms / 1000)} s`
}
