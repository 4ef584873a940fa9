// Which sign is judged, when, and as what: release.md, "When is a release judged?" with its two rules against false verdicts.
import { isDeepStrictEqual } from 'node:util'
import type { ObservedPod } from '../../runtime/contract/documents.js'
import { type ObjectRef, refKey } from '../../runtime/contract/manifest.js'
import { heardUntil, minutes } from '../health/assess.js'
import { workloadOf } from '../health/own.js'
import { countsEnds, type Sign } from '../health/signs.js'
import { type Attempt, goodRelease, type Ledger, type Trouble, type Verdict } from '../ledger.js'
import { hookHashes } from '../sync/plan.js'
import type { DecideInput } from './state.js'

export interface Judgement {
  readonly verdict: Verdict | null
  /** Signs that are given some seconds: seen since. */
  readonly suspects: Readonly<Record<string, number>>
  /** When the next sign is due by time alone; null where none is. */
  readonly nextAt: number | null
}

interface Due {
  readonly sign: Sign
  readonly kind: 'bad' | 'surroundings'
  readonly at: number
}

/** `isHealthy`: every wave so far is; then no deadline runs. `clocksRun` false: only signs that need no clock are judged. */
export function judgement(input: DecideInput, ledger: Ledger, isHealthy: boolean, clocksRun: boolean): Judgement {
  const attempt = ledger.attempt!
  const { health, now } = input
  const suspects = suspectsOf(health.signs, attempt, now)
  const timeoutAt = attempt.progress.at + input.app.rollout.healthTimeoutMs
  // At the deadline it is judged in any case: what there is that explains it is not waited for longer.
  const latest = isHealthy ? Infinity : timeoutAt
  const dues = health.signs
    .map(sign => dueOf(sign, input, ledger, suspects, timeoutAt))
    .map(due => ({ ...due, at: Math.min(due.at, latest) }))
  if (!isHealthy) dues.push({ sign: stuckSign(input, attempt), kind: stuckKind(input, ledger), at: timeoutAt })
  const heard = heardUntil(input.observed, now)
  const reached = dues.filter(due => (clocksRun ? due.at <= heard : due.at === 0))
  const worst = reached.toSorted((a, b) => weight(a) - weight(b))[0]
  const verdict = worst === undefined ? null : verdictOf(worst, now)
  const waiting = dues.map(due => due.at).filter(at => at > now)
  return { verdict, suspects, nextAt: clocksRun ? least([...waiting, ...health.deadlines]) : null }
}

/** A sign that explains is better than the deadline alone; among signs the bad one counts. */
function weight(due: Due): number {
  return (due.sign.sign === 'HealthTimeout' || due.sign.sign === 'NotObeyed' ? 2 : 0) + (due.kind === 'bad' ? 0 : 1)
}

function suspectsOf(signs: readonly Sign[], attempt: Attempt, now: number): Readonly<Record<string, number>> {
  const timed = signs.filter(sign => typeof sign.afterMs === 'number' && sign.afterMs > 0)
  return Object.fromEntries(timed.map(sign => [sign.key, attempt.clocks.suspects[sign.key] ?? now]))
}

/** Due at 0: needs no clock. */
function dueOf(
  sign: Sign,
  input: DecideInput,
  ledger: Ledger,
  suspects: Readonly<Record<string, number>>,
  timeoutAt: number,
): Due {
  const trouble = ledger.attempt?.trouble ?? null
  const since = Math.max(suspects[sign.key] ?? 0, trouble?.over ?? 0)
  const own = sign.afterMs === 'timeout' ? timeoutAt : sign.afterMs === 0 ? 0 : since + sign.afterMs
  if (sign.hopeless === 'always') return { sign, kind: sign.kind, at: own }
  const isExplained = isTroubled(input, ledger) || trouble?.explained.includes(sign.key) === true
  if (isExplained) return { sign, kind: 'surroundings', at: timeoutAt }
  const isFirst = goodRelease(ledger, ledger.current?.release ?? null) === null
  return { sign, kind: sign.kind, at: isFirst && sign.hopeless === 'no' ? timeoutAt : own }
}

/** The good release's pods suffer too. Not so after a hook of this release that the good one did not have: then it did it. */
export function isTroubled(input: DecideInput, ledger: Ledger): boolean {
  return input.health.troubled !== null && !changedHookRan(input, ledger)
}

function changedHookRan(input: DecideInput, ledger: Ledger): boolean {
  const good = goodRelease(ledger, ledger.current?.release ?? null)
  const release = good === null ? null : input.releases(good.release)
  const known = hookHashes(release)
  return ledger.hooks.some(record => record.attempt === ledger.attempt?.number && !known.has(record.hash))
}

/** Crash back-off goes up to a minute (release.md), then a probe looks: until then it could not know that its surroundings are well. */
const recoversInMs = 70_000

function stuckKind(input: DecideInput, ledger: Ledger): 'bad' | 'surroundings' {
  const over = ledger.attempt?.trouble?.over ?? 0
  const isExplained = isTroubled(input, ledger) || (over > 0 && input.now - over < recoversInMs)
  return isExplained || !input.health.fresh ? 'surroundings' : 'bad'
}

/**
 * The attempt with what it suffered: ends of its containers are forgiven as long as pods of the good release suffer too; what came then
 * and cannot go by itself stays explained until it is gone.
 */
export function afterTrouble(attempt: Attempt, health: DecideInput['health'], isTroubled: boolean, now: number): Attempt {
  const before = attempt.trouble ?? null
  const isEnding = !isTroubled && before?.over === 0
  if (!health.fresh || (before === null && !isTroubled)) return attempt
  const lasting = health.signs.filter(sign => sign.afterMs === 0 && !countsEnds(sign)).map(sign => sign.key)
  const explained = isTroubled || isEnding ? lasting : lasting.filter(key => before?.explained.includes(key))
  const trouble: Trouble = { over: isTroubled ? 0 : isEnding ? now : (before?.over ?? 0), explained }
  const forgiven = isTroubled || isEnding ? health.ends : attempt.forgiven
  const isSame = isDeepStrictEqual(trouble, before) && isDeepStrictEqual(forgiven, attempt.forgiven)
  return isSame ? attempt : { ...attempt, trouble, forgiven }
}

/** No progress for the health timeout: the least healthy object says what is missing. */
function stuckSign(input: DecideInput, attempt: Attempt): Sign {
  const limit = minutes(input.app.rollout.healthTimeoutMs)
  const stuck = input.health.objects.find(object => !object.settled || !object.there) ?? null
  const unready = input.observed.pods.filter(
    one => !one.ready && !one.terminating && one.phase !== 'Succeeded' && one.attempt === attempt.number,
  )
  const pod = unready.find(one => stuck !== null && isOf(one, stuck.ref)) ?? unready[0]
  const log = pod?.containers.find(container => !container.ready)
  const what = input.health.fresh ? (stuck?.message ?? '') : 'the newest order has not been obeyed'
  return {
    key: 'HealthTimeout',
    sign: input.health.fresh ? 'HealthTimeout' : 'NotObeyed',
    kind: 'bad',
    afterMs: 'timeout',
    hopeless: 'no',
    message: [`no progress for ${limit}`, what, log === undefined ? '' : `container ${log.name} is not ready`]
      .filter(part => part !== '')
      .join(': '),
    object: stuck?.ref ?? null,
    pod: pod?.name ?? '',
    container: log?.name ?? '',
    reason: input.health.fresh ? 'HealthTimeout' : 'NotObeyed',
    exitCode: null,
    restarts: log?.restartCount ?? 0,
    log: log?.lastLog.slice(-20) ?? [],
    limit: `health timeout ${limit}`,
  }
}

function isOf(pod: ObservedPod, ref: ObjectRef): boolean {
  const workload = workloadOf(pod)
  return workload !== null && refKey(workload) === refKey(ref)
}

function verdictOf({ sign, kind }: Due, now: number): Verdict {
  const { key: _key, afterMs: _after, hopeless: _hopeless, ...facts } = sign
  return { ...facts, kind, at: now }
}

export function least(times: readonly number[]): number | null {
  return times.length === 0 ? null : Math.min(...times)
}
