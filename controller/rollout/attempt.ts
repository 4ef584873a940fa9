// Attempts as they come and go: numbered, tried, begun with the first apply, gone back from.
import { shortRevision } from '../application/tracked.js'
import type { Actor, Attempt, Clocks, Current, Ledger, ProgressMark } from '../ledger.js'
import type { Pins } from '../release/sent.js'
import type { Release, ReleaseId, Revision } from '../release.js'
import { movedSince, movedText } from './digests.js'
import { moved, overtaken, type State, withLedger } from './state.js'

export interface Trial {
  readonly release: ReleaseId | null
  readonly revision: Revision | null
  readonly cause: Attempt['cause']
  readonly mode: Attempt['mode']
  readonly by: Actor
  readonly prune: boolean | null
}

export function newProgress(now: number): ProgressMark {
  return { at: now, updated: 0, ready: 0, available: 0, jobs: 0, waves: 0 }
}

export function newClocks(now: number): Clocks {
  return { seenAt: now, stopped: false, stageAt: now, bakeFrom: 0, healthyFrom: 0, suspects: {} }
}

/** The attempt for this trial: the one being tried if it is the same, else a new one that supersedes it. */
export function tried(state: State, trial: Trial, now: number): { readonly state: State; readonly attempt: Attempt } {
  const { trying } = state.ledger
  if (trying !== null && isSameTrial(trying, trial)) {
    const attempt =
      trying.release === trial.release
        ? trying
        : { ...trying, release: trial.release, releaseNumber: numberOf(state.ledger, trial.release) }
    return { state: withLedger(state, { ...state.ledger, trying: attempt }), attempt }
  }
  const cleared = droppedTrying(state, 'a newer one came', now)
  const attempt = newAttempt(cleared.ledger, trial, now)
  return { state: withLedger(cleared, { ...cleared.ledger, trying: attempt, nextAttempt: attempt.number + 1 }), attempt }
}

function isSameTrial(trying: Attempt, trial: Trial): boolean {
  if (trying.mode !== trial.mode) return false
  if (trying.release !== null && trial.release !== null) return trying.release === trial.release
  return (trying.revision?.commit ?? null) === (trial.revision?.commit ?? null)
}

function numberOf(ledger: Ledger, release: ReleaseId | null): number {
  return release === null ? 0 : (ledger.releases[release]?.number ?? 0)
}

function newAttempt(ledger: Ledger, trial: Trial, now: number): Attempt {
  const seen = trial.revision?.seenAt ?? now
  return {
    number: ledger.nextAttempt,
    release: trial.release,
    releaseNumber: numberOf(ledger, trial.release),
    revision: trial.revision,
    cause: trial.cause,
    mode: trial.mode,
    prune: trial.prune,
    by: trial.by,
    step: { name: 'Seen' },
    outcome: null,
    message: '',
    times: {
      pushed: trial.revision?.pushedAt ?? 0,
      seen,
      rendered: trial.release === null ? 0 : now,
      preflighted: 0,
      applied: 0,
      healthy: 0,
      baked: 0,
      judged: 0,
      ended: 0,
    },
    verdict: null,
    from: null,
    rollback: null,
    createdAfter: 0,
    progress: newProgress(now),
    clocks: newClocks(now),
    forgiven: {},
    trouble: null,
    readyAfter: {},
    moves: [{ at: now, step: 'Seen', message: seenText(trial) }],
    counts: { objects: 0, changed: 0, pruned: 0 },
  }
}

/** `4f2a91c "Use the new cache" by Ana Lima`. */
function seenText({ revision, cause }: Trial): string {
  return revision === null ? cause : `${shortRevision(revision.commit)} "${revision.subject}" by ${revision.author}`
}

/** What was tried and is not wanted any more. */
export function droppedTrying(state: State, message: string, now: number): State {
  const { trying } = state.ledger
  if (trying === null) return state
  return { ledger: { ...state.ledger, trying: null }, ended: [...state.ended, overtaken(trying, message, now)] }
}

/** What is tried and what is under way is overtaken; what is over stays what it is. */
export function abandoned(state: State, message: string, now: number): State {
  const cleared = droppedTrying(state, message, now)
  const { attempt } = cleared.ledger
  const last = attempt === null ? null : overtaken(attempt, message, now)
  if (attempt === null || last === null || last === attempt) return cleared
  return { ledger: { ...cleared.ledger, attempt: last }, ended: [...cleared.ended, last] }
}

/** The first apply of an attempt: current is its release from now on, and what was under way is superseded. */
export function begun(state: State, attempt: Attempt, release: Release, now: number, fresh: boolean): State {
  const ledger = state.ledger
  const known = ledger.releases[release.id]!
  const by = attempt.revision === null ? `attempt ${attempt.number}` : shortRevision(attempt.revision.commit)
  const pins = pinsOf(ledger, attempt, release.id)
  const text = movedText(pins)
  const prior = ledger.attempt === null ? [] : [overtaken(ledger.attempt, `superseded by ${by}`, now)]
  const next: Attempt = {
    ...attempt,
    outcome: null,
    step: { name: 'Verifying' },
    message: text,
    moves: text === '' ? attempt.moves : [...attempt.moves, { at: now, step: 'Verifying', message: text }],
    from: ledger.current?.release ?? null,
    createdAfter: known.lastAttempt,
    times: { ...attempt.times, applied: now },
    progress: newProgress(now),
    clocks: newClocks(now),
    forgiven: {},
    trouble: null,
    counts: { objects: release.objects.length, changed: 0, pruned: 0 },
  }
  const freshened = { ...known, fresh: fresh ? attempt.number : known.fresh, lastAttempt: attempt.number }
  const preflight = ledger.preflight?.release === release.id ? { ...ledger.preflight, state: 'spent' as const } : ledger.preflight
  const cleared =
    ledger.trying?.number === attempt.number
      ? withLedger(state, { ...ledger, trying: null })
      : droppedTrying(state, `superseded by ${by}`, now)
  return {
    ended: [...cleared.ended, ...prior],
    ledger: {
      ...cleared.ledger,
      attempt: next,
      preflight,
      heal: null,
      releases: { ...ledger.releases, [release.id]: freshened },
      current: currentOf(ledger.current, release.id, freshened.fresh, pins, now),
    },
  }
}

/** A sync means what a tag means now; going back, what it meant then; what runs already, or is not what was asked for, goes on as it does. */
function pinsOf(ledger: Ledger, { mode }: Attempt, release: ReleaseId): Pins {
  const isSame = mode === 'adopt' && ledger.current?.release === release
  if (isSame || mode === 'partial') return ledger.current?.pins ?? {}
  return mode === 'rollback' ? movedSince(ledger, release) : {}
}

function currentOf(before: Current | null, release: ReleaseId, fresh: number, pins: Pins, now: number): Current {
  return {
    release,
    since: before?.release === release ? before.since : now,
    fresh,
    ...(Object.keys(pins).length === 0 ? {} : { pins }),
    owned: before?.owned ?? [],
    createdBy: before?.createdBy ?? {},
    staying: before?.staying ?? {},
    applied: null,
    hookRuns: before?.hookRuns ?? [],
    pruning: before?.pruning ?? [],
    refused: [],
  }
}

/** Going back belongs to the attempt that it undoes. */
export function turnedBack(state: State, to: ReleaseId, message: string, now: number): State {
  const ledger = state.ledger
  const known = ledger.releases[to]!
  const attempt = ledger.attempt!
  const pins = movedSince(ledger, to)
  const said = [message, movedText(pins)].filter(text => text !== '').join('; ')
  return withLedger(state, {
    ...ledger,
    heal: null,
    releases: { ...ledger.releases, [to]: { ...known, lastAttempt: attempt.number } },
    current: currentOf(ledger.current, to, known.fresh, pins, now),
    attempt: {
      ...moved({ ...attempt, outcome: null }, { name: 'RollingBack' }, said, now),
      rollback: { to, since: now },
      createdAfter: known.lastAttempt,
      progress: newProgress(now),
      clocks: newClocks(now),
      forgiven: {},
      trouble: null,
    },
  })
}
