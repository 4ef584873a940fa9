// Judging current by its attempt: rows J1 to J10 of release.md, first that applies.

import { manifestHash } from '../../runtime/contract/hash.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { refKey, refOf, refText } from '../../runtime/contract/manifest.js'
import {
  type Attempt,
  type GoodRelease,
  goodRelease,
  isRollingBack,
  isUnderWay,
  type Ledger,
  type Request,
  type Verdict,
} from '../ledger.js'
import { anything, isSelected } from '../release/selective.js'
import { staysForward } from '../release/sent.js'
import type { Release, ReleaseId } from '../release.js'
import type { PlanState } from '../sync/plan.js'
import { leftForward, type Surplus, surplusOf } from '../sync/surplus.js'
import { currentPlan, modeOf } from '../sync.js'
import { markOf } from './again.js'
import { approvedLate, surplusIn } from './asking.js'
import { newProgress } from './attempt.js'
import { withDigests } from './digests.js'
import { lingering, lingeringText } from './lingering.js'
import {
  type DecideInput,
  type Gate,
  type JudgeRow,
  moved,
  type State,
  settled,
  verdictText,
  withAttempt,
  withLedger,
} from './state.js'
import { afterTrouble, isTroubled, judgement, least } from './verdict.js'

export interface Judged {
  readonly state: State
  readonly row: JudgeRow | null
  readonly verdict: Verdict | null
  readonly prune: Surplus
  readonly heal: readonly Manifest[]
  readonly wakeAt: number | null
}

const noSurplus: Surplus = { objects: [], hooks: [] }

/** Everything that a row may look at. */
interface Case {
  readonly input: DecideInput
  readonly state: State
  readonly ledger: Ledger
  readonly attempt: Attempt
  readonly release: Release
  readonly plan: PlanState
  /** Every wave is there and healthy, and the report speaks of the newest order. */
  readonly isDone: boolean
  /** Every wave that was begun is. */
  readonly isWell: boolean
  readonly now: number
}

export function judge(input: DecideInput, state: State): Judged {
  const { ledger } = state
  const { attempt, current } = ledger
  const release = current === null ? null : input.releases(current.release)
  if (attempt === null || release === null) return judged(state, null)
  if (input.observed.silent !== null) return judged(state, 'J1')
  const one = caseOf(input, state, attempt, release)
  if (ledger.pause !== null || ledger.deletion !== null) return isUnderWay(attempt) ? paused(one) : judged(state, null)
  if (isUnderWay(attempt)) return attempt.verdict === null ? underWay(one) : judged(state, null)
  if (isRollingBack(attempt)) return rollingBack(one)
  return over(one)
}

function judged(state: State, row: JudgeRow | null, more: Partial<Judged> = {}): Judged {
  return { state, row, verdict: null, prune: noSurplus, heal: [], wakeAt: null, ...more }
}

function caseOf(input: DecideInput, state: State, attempt: Attempt, release: Release): Case {
  const { ledger } = state
  const plan = currentPlan(ledger, release, input.observed, input.app.health)
  const isDone = input.health.fresh && plan.at === null
  const isHeld =
    plan.at !== null && plan.at > (ledger.current?.applied?.index ?? -1) && plan.missing.length + plan.missingHooks.length > 0
  return {
    input,
    state,
    ledger,
    attempt,
    release,
    plan,
    isDone,
    isWell: isDone || (input.health.fresh && isHeld),
    now: input.now,
  }
}

/** A sign that needs no clock is judged even now. */
function paused({ input, state, ledger, attempt, isWell }: Case): Judged {
  if (attempt.verdict !== null) return judged(state, null)
  const { verdict } = judgement(input, ledger, isWell, false)
  return verdict === null ? judged(state, null) : condemned(input, state, attempt, verdict)
}

// -- J2 to J4 --

function underWay(one: Case): Judged {
  const { input, ledger, isDone } = one
  const noted = noteProgress(one)
  const { verdict, suspects, nextAt } = judgement(input, { ...ledger, attempt: noted }, one.isWell, true)
  if (verdict !== null) return condemned(input, withAttempt(one.state, noted), noted, verdict)
  const attempt = sameKeys(suspects, noted.clocks.suspects) ? noted : { ...noted, clocks: { ...noted.clocks, suspects } }
  const next = { ...one, attempt, state: withAttempt(one.state, attempt) }
  if (!isDone) return judged(withAttempt(next.state, verifying(next)), 'J3', { wakeAt: nextAt })
  return attempt.step.name === 'Baking' ? baking(next, nextAt) : becameHealthy(next, nextAt)
}

function sameKeys(a: object, b: object): boolean {
  return Object.keys(a).sort().join() === Object.keys(b).sort().join()
}

/** The last wave is applied: verifying it. */
function verifying({ attempt, plan, input, now }: Case): Attempt {
  const isLast = plan.at !== null && plan.at === plan.stages.length - 1 && plan.missing.length + plan.missingHooks.length === 0
  if (attempt.step.name !== 'Syncing' || !isLast || !input.health.fresh) return attempt
  return moved(attempt, { name: 'Verifying' }, 'all is applied; waiting until it is healthy', now)
}

/** A new highest number is progress. While it is healthy, the deadline has not begun. */
function noteProgress({ input, attempt, isDone, ledger, now }: Case): Attempt {
  const { marks } = input.health
  const before = attempt.progress
  const best = {
    updated: Math.max(before.updated, marks.updated),
    ready: Math.max(before.ready, marks.ready),
    available: Math.max(before.available, marks.available),
    jobs: Math.max(before.jobs, marks.jobs),
  }
  const isHigher =
    best.updated > before.updated || best.ready > before.ready || best.available > before.available || best.jobs > before.jobs
  const rests = isDone && now - before.at >= 20_000
  const progress = (isHigher && input.health.fresh) || rests ? { ...before, ...best, at: now } : before
  const suffered = afterTrouble(attempt, input.health, isTroubled(input, ledger), now)
  const readyAfter = input.health.fresh ? readyTimes(suffered, ledger, input, now) : attempt.readyAfter
  const isSame = progress === before && readyAfter === attempt.readyAfter && suffered === attempt
  return isSame ? attempt : { ...suffered, progress, readyAfter }
}

/** Of each workload that this attempt changed: how long it took from its wave's apply; what its surroundings took is no habit. */
function readyTimes(attempt: Attempt, ledger: Ledger, { health, observed }: DecideInput, now: number): Attempt['readyAfter'] {
  const changed = new Set(
    observed.objects
      .filter(object => object.attempt === attempt.number && object.templateHash !== undefined)
      .map(object => refKey(object.ref)),
  )
  const ready = health.objects.filter(
    object => object.there && object.settled && object.status !== null && changed.has(refKey(object.ref)),
  )
  const fresh = ready.map(object => refKey(object.ref)).filter(key => attempt.readyAfter[key] === undefined)
  if (fresh.length === 0 || ledger.current?.applied === null) return attempt.readyAfter
  const from = Math.max(attempt.clocks.stageAt, attempt.trouble?.over ?? 0)
  return { ...attempt.readyAfter, ...Object.fromEntries(fresh.map(key => [key, now - from])) }
}

/** J2. An adopted release changed nothing: that it is unwell is no word against it. */
function condemned(input: DecideInput, state: State, attempt: Attempt, verdict: Verdict): Judged {
  const { now } = input
  const found = attempt.mode === 'adopt' ? { ...verdict, kind: 'surroundings' as const } : verdict
  const next: Attempt = {
    ...attempt,
    verdict: found,
    message: verdictText(found),
    times: { ...attempt.times, judged: now },
    moves: [...attempt.moves, { at: now, step: 'Judged', message: verdictText(found) }],
  }
  const seen = withDigests(state.ledger, input)
  const ledger = attempt.mode === 'adopt' ? seen : marked(input, seen, attempt.release!, found)
  return judged(withLedger(state, { ...ledger, attempt: next }), 'J2', { verdict: found })
}

/** What was judged is good no more, even if its mark is lifted, until it becomes healthy again; a pin to it ends. */
function marked({ app, now }: DecideInput, ledger: Ledger, release: ReleaseId, verdict: Verdict): Ledger {
  return {
    ...ledger,
    marks: { ...ledger.marks, [release]: markOf(ledger.marks[release], verdict, app.sync.retry, now) },
    good: ledger.good.filter(good => good.release !== release),
    pin: ledger.pin?.to === release ? null : ledger.pin,
  }
}

/** After the last wave: the good one from now on. */
function becameHealthy(one: Case, nextAt: number | null): Judged {
  const { input, attempt, now } = one
  const healthy = { ...attempt, times: { ...attempt.times, healthy: attempt.times.healthy || now } }
  const readyTimes = timesWith(one.ledger, attempt)
  const ledger = withGood({ ...one.ledger, attempt: healthy, readyTimes }, one.release.id, false, input)
  const state = withLedger(one.state, ledger)
  if (attempt.mode === 'adopt') return ended(one, withAttempt(state, healthy), 'J3')
  const bakeMs = input.app.rollout.bakeTimeMs
  const baking = moved(
    {
      ...healthy,
      clocks: { ...healthy.clocks, bakeFrom: now },
      progress: { ...healthy.progress, at: now, waves: healthy.progress.waves + 1 },
    },
    { name: 'Baking' },
    `healthy; baking for ${Math.round(bakeMs / 1000)} s`,
    now,
  )
  return judged(withAttempt(state, baking), 'J3', { wakeAt: least([now + bakeMs, ...(nextAt === null ? [] : [nextAt])]) })
}

/** Kept newest last. Becoming healthy lifts a mark of the surroundings. */
function withGood(former: Ledger, release: ReleaseId, isBaked: boolean, input: DecideInput): Ledger {
  const ledger = withDigests(former, input)
  const before = ledger.good.find(good => good.release === release)
  const entry: GoodRelease = {
    release,
    healthyAt: input.now,
    baked: isBaked || (before?.baked ?? false),
    templates: { ...before?.templates, ...input.health.templates },
  }
  const { [release]: _lifted, ...marks } = ledger.marks
  const others = ledger.good.filter(good => good.release !== release)
  const limit = Math.max(input.app.revisionHistoryLimit, 1) + 1
  return { ...ledger, installed: true, marks, good: [...others, entry].slice(-limit) }
}

/** J4: bake, prune, bake if pruned. What ended has to last as long as what did not: in a crash loop there are moments in which all is ready. */
function baking(one: Case, nextAt: number | null): Judged {
  const { input, attempt, state, now } = one
  const doneAt = Math.max(attempt.clocks.bakeFrom, input.health.readyAgainAt) + input.app.rollout.bakeTimeMs
  if (now < doneAt) return judged(state, 'J3', { wakeAt: least([doneAt, ...(nextAt === null ? [] : [nextAt])]) })
  if ((one.ledger.current?.pruning.length ?? 0) > 0) return pruning(one, doneAt, nextAt)
  const prune = surplusFor(one)
  if (prune.objects.length === 0) return ended(one, state, 'J4', prune)
  const again = moved(
    { ...attempt, clocks: { ...attempt.clocks, bakeFrom: now } },
    { name: 'Baking' },
    `${prune.objects.length} pruned; baking once more`,
    now,
  )
  return judged(withAttempt(state, again), 'J4', { prune, wakeAt: now + input.app.rollout.bakeTimeMs })
}

/** What goes is waited for. What a finalizer keeps is no fault of the release: it is said, and after the health timeout not waited for. */
function pruning(one: Case, doneAt: number, nextAt: number | null): Judged {
  const { input, attempt, state, now } = one
  const left = lingering(one.ledger, input.observed)
  const text = lingeringText(left)
  if (text === '' || left.length < (one.ledger.current?.pruning.length ?? 0)) return judged(state, 'J4', { wakeAt: nextAt })
  const givenUpAt = doneAt + input.app.rollout.healthTimeoutMs
  if (now >= givenUpAt) return ended(one, state, 'J4', noSurplus, `healthy; still ${text}`)
  const waits = attempt.moves.at(-1)?.message === text ? attempt : moved(attempt, { name: 'Baking' }, text, now)
  return judged(withAttempt(state, waits), 'J4', { wakeAt: least([givenUpAt, ...(nextAt === null ? [] : [nextAt])]) })
}

function ended(one: Case, state: State, row: JudgeRow, prune: Surplus = noSurplus, message = 'healthy'): Judged {
  const { input, now } = one
  const attempt = state.ledger.attempt!
  const isBaked = attempt.mode !== 'adopt'
  const ledger = withGood(state.ledger, one.release.id, isBaked, input)
  const last = settled(
    { ...attempt, verdict: null, times: { ...attempt.times, baked: isBaked ? now : 0 } },
    'Healthy',
    message,
    now,
  )
  return judged(withLedger(state, { ...ledger, attempt: last, readyTimes: timesWith(ledger, attempt) }), row, { prune })
}

/** Counted once, when it first becomes healthy: one that is superseded while it bakes took as long as it took. */
function timesWith(ledger: Ledger, attempt: Attempt): Ledger['readyTimes'] {
  if (attempt.times.healthy > 0) return ledger.readyTimes
  const news = Object.entries(attempt.readyAfter).map(([key, ms]) => [key, [...(ledger.readyTimes[key] ?? []), ms].slice(-10)])
  return { ...ledger.readyTimes, ...Object.fromEntries(news) }
}

function surplusFor({ input, ledger, attempt, release, plan }: Case): Surplus {
  return surplusOf({ ...surplusIn(input, ledger, release), prune: attempt.prune ?? input.app.sync.prune, stages: plan.stages })
}

// -- J5, J6 --

function rollingBack(one: Case): Judged {
  const { input, ledger, now, isDone } = one
  const attempt = noteProgress(one)
  const state = withAttempt(one.state, attempt)
  const good = ledger.good.find(entry => entry.release === one.release.id)
  const spoiled = good?.baked === false ? judgement(input, { ...ledger, attempt }, true, true).verdict : null
  if (spoiled !== null) return spoil(input, state, one.release.id, spoiled)
  if (isDone) return backAgain({ ...one, attempt, state }, good?.baked === false)
  const timeoutAt = attempt.progress.at + input.app.rollout.healthTimeoutMs
  if (now < timeoutAt) return judged(state, null, { wakeAt: timeoutAt })
  const message = `the rollback made no progress for ${Math.round(input.app.rollout.healthTimeoutMs / 1000)} s: ${input.health.message}`
  return judged(withAttempt(state, settled(attempt, 'Failed', message, now)), 'J6')
}

/** A good one that never baked and shows a sign was none: the one before is next. */
function spoil(input: DecideInput, state: State, release: ReleaseId, verdict: Verdict): Judged {
  return judged(withLedger(state, marked(input, state.ledger, release, { ...verdict, kind: 'bad' })), 'J6', { verdict })
}

function backAgain(one: Case, mustBake: boolean): Judged {
  const { input, attempt, state, now } = one
  const from = attempt.clocks.healthyFrom || now
  const rested: Attempt =
    attempt.clocks.healthyFrom > 0 ? attempt : { ...attempt, clocks: { ...attempt.clocks, healthyFrom: now } }
  const next = withAttempt(state, rested)
  const prune = surplusFor(one)
  if (prune.objects.length > 0) return judged(next, 'J5', { prune })
  const isGone = (one.ledger.current?.pruning.length ?? 0) === 0
  const bakedAt = mustBake ? from + input.app.rollout.bakeTimeMs : now
  const givenUpAt = from + input.app.rollout.healthTimeoutMs
  const text = lingeringText(lingering(one.ledger, input.observed))
  if (now < bakedAt || (!isGone && (text === '' || now < givenUpAt)))
    return judged(next, 'J5', { wakeAt: now < bakedAt ? bakedAt : givenUpAt })
  const good = one.ledger.good.map(entry =>
    entry.release === one.release.id ? { ...entry, baked: entry.baked || mustBake } : entry,
  )
  const went = `went back to r${one.ledger.releases[one.release.id]?.number ?? 0}`
  const last = settled(
    rested,
    'RolledBack',
    [went, isGone ? '' : `still ${text}`, leftText(one)].filter(text => text !== '').join('; '),
    now,
  )
  return judged(withLedger(next, { ...next.ledger, good, attempt: last }), 'J5', { prune })
}

/** Objects that do not go back, by name: data, definitions, what is marked so. */
function leftText({ input, ledger, release, plan }: Case): string {
  const live = new Map(input.observed.objects.map(object => [refKey(object.ref), object.hash]))
  const left = leftForward({ ...surplusIn(input, ledger, release), mode: 'rollback', prune: false, stages: plan.stages }, live)
  if (left.length === 0) return ''
  const named = left.slice(0, 3).map(refText).join(', ')
  return `left as the newer release has them: ${named}${left.length > 3 ? ` and ${left.length - 3} more` : ''}`
}

// -- J7 to J10 --

function over(one: Case): Judged {
  const { attempt, ledger, state, now } = one
  if (attempt.outcome === 'Failed') {
    const recovered = recovery(one)
    if (recovered !== null) return recovered
  }
  const drift = driftOf(one)
  if (drift.length > 0) return drifted(one, drift)
  const late = approvedLate(one.input, ledger)
  if (late.length > 0) return judged(state, null, { prune: { objects: late, hooks: [] } })
  const calm = ledger.heal !== null && now >= ledger.heal.nextAt + 300_000 ? withLedger(state, { ...ledger, heal: null }) : state
  const isIll = one.input.health.fresh && one.input.health.objects.some(object => !object.settled)
  return judged(calm, isIll && attempt.outcome !== 'Failed' ? 'J8' : null)
}

/** What was applied of current and is not there as it was sent. */
function driftOf({ input, ledger, attempt, plan }: Case): readonly Manifest[] {
  if (!input.health.fresh) return []
  const reached = attempt.outcome === 'Failed' ? (ledger.current?.applied?.index ?? -1) : plan.stages.length - 1
  const live = new Map(input.observed.objects.map(object => [refKey(object.ref), object.hash]))
  const isBack = modeOf(ledger) === 'rollback'
  return plan.stages.slice(0, reached + 1).flatMap(stage =>
    stage.objects.filter(object => {
      const hash = live.get(refKey(refOf(object)))
      return hash === undefined || (hash !== manifestHash(object) && !(isBack && staysForward(object)))
    }),
  )
}

function drifted({ input, ledger, state, now }: Case, drift: readonly Manifest[]): Judged {
  const asked = ledger.requests.filter(request => request.kind === 'sync' && request.release === ledger.current?.release)
  const closed = healGate(input)
  // What is to be left alone may be what differs: where that is not known, nothing is written by itself.
  const mayHeal = input.app.sync.selfHeal && (input.observed.faults ?? []).length === 0
  const heals = mayHeal && closed === null
  const isAskedFor = asked.length > 0 && (closed === null || closed.passesAsked)
  if (!heals && !isAskedFor)
    return judged(state, 'J7', mayHeal && closed !== null && closed.until > 0 ? { wakeAt: closed.until } : {})
  const heal = heals ? drift : drift.filter(object => isAsked(object, asked))
  const nextAt = ledger.heal?.nextAt ?? 0
  return judged(state, 'J7', nextAt <= now || isAskedFor ? { heal } : { wakeAt: nextAt })
}

/** A closed sync window holds back what heals by itself, too (argo-cd appcontroller.go, `CanSync` before `autoSync`). */
function healGate({ gates = [] }: DecideInput): Gate | null {
  return gates.find(({ kind }) => kind === 'window') ?? null
}

/** A sync of all of it, or of this object. */
function isAsked(object: Manifest, asked: readonly Request[]): boolean {
  return asked.some(request => request.kind === 'sync' && isSelected(object, request.selectors ?? [anything]))
}

/** J9 and J10: failed, but what runs is healthy through a bake time. */
function recovery(one: Case): Judged | null {
  const { input, attempt, state, now } = one
  const isHealthy = hasRecovered(one)
  const { clocks } = attempt
  if (!isHealthy)
    return clocks.healthyFrom === 0
      ? null
      : judged(withAttempt(state, { ...attempt, clocks: { ...clocks, healthyFrom: 0 } }), null)
  if (clocks.healthyFrom === 0) {
    const begun = { ...attempt, clocks: { ...clocks, healthyFrom: now, seenAt: now, stopped: false } }
    return judged(withAttempt(state, begun), null, { wakeAt: now + input.app.rollout.bakeTimeMs })
  }
  const doneAt = clocks.healthyFrom + input.app.rollout.bakeTimeMs
  if (now < doneAt) return judged(state, null, { wakeAt: doneAt })
  return attempt.release === one.release.id ? healthyAfterAll(one) : backAfterAll(one)
}

/** The whole of it, or, of its own release, at least the waves that were applied. */
function hasRecovered({ attempt, ledger, release, isDone, isWell }: Case): boolean {
  if (isDone) return true
  return attempt.release === release.id && isWell && (ledger.current?.applied ?? null) !== null
}

function healthyAfterAll(one: Case): Judged {
  const { attempt, ledger, now } = one
  const { [one.release.id]: _lifted, ...marks } = ledger.marks
  const lifted = {
    ...attempt,
    verdict: null,
    outcome: null,
    times: { ...attempt.times, ended: 0 },
    clocks: { ...attempt.clocks, healthyFrom: 0, stageAt: now },
  }
  if (!one.isDone) {
    const onward = moved(
      { ...lifted, progress: newProgress(now) },
      { name: 'Verifying' },
      'its waves turned healthy by themselves; going on',
      now,
    )
    return judged(withLedger(one.state, { ...ledger, marks, attempt: onward }), 'J9')
  }
  const healthy = { ...lifted, times: { ...lifted.times, healthy: now } }
  const state = withLedger(one.state, { ...ledger, marks, attempt: healthy })
  const prune = surplusFor({ ...one, ledger: state.ledger, attempt: healthy })
  if (prune.objects.length === 0) return ended({ ...one, ledger: state.ledger, attempt: healthy }, state, 'J9', prune)
  const again = moved(
    { ...healthy, clocks: { ...healthy.clocks, bakeFrom: now }, progress: newProgress(now) },
    { name: 'Baking' },
    `${prune.objects.length} pruned; baking once more`,
    now,
  )
  return judged(withLedger(state, { ...withGood(state.ledger, one.release.id, false, one.input), attempt: again }), 'J9', {
    prune,
  })
}

function backAfterAll(one: Case): Judged {
  const last = settled(
    { ...one.attempt, clocks: { ...one.attempt.clocks, healthyFrom: 0 } },
    'RolledBack',
    'the release gone back to turned healthy by itself',
    one.now,
  )
  const prune = surplusFor(one)
  const good = one.ledger.good.map(entry => (entry.release === one.release.id ? { ...entry, baked: true } : entry))
  return judged(withLedger(one.state, { ...one.ledger, good, attempt: last }), 'J10', { prune })
}

/** The good release to go back to from here: not the one that was judged, and its objects are still known. */
export function goodToRun(ledger: Ledger, input: DecideInput): GoodRelease | null {
  const good = goodRelease(ledger)
  return good !== null && input.releases(good.release) !== null ? good : null
}
