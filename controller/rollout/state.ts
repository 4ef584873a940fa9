// What passes between the parts of a decision: the input, and the ledger as far as it has been decided.
import type { Application } from '../application.js'
import type { Observed } from '../cluster/cluster.js'
import type { Health } from '../health/assess.js'
import type { Attempt, Ledger, Mark, Outcome, Step, Verdict } from '../ledger.js'
import type { Candidate, Release, ReleaseId } from '../release.js'

export interface DecideInput {
  readonly app: Application
  readonly ledger: Ledger
  /** null: not rendered yet. */
  readonly candidate: Candidate | null
  /** A release by its id; null where its objects are not known any more. */
  readonly releases: (id: ReleaseId) => Release | null
  readonly observed: Observed
  /** Of what current's release runs. */
  readonly health: Health
  /** What outside the ledger a release waits for: a sync window, other applications. */
  readonly gates?: readonly Gate[]
  readonly now: number
}

export interface Gate {
  readonly kind: 'window' | 'dependency'
  /** The one that is waited for; '' for a window. */
  readonly application: string
  readonly message: string
  /** When it opens by itself, ms since 1970; 0 where that is not known. */
  readonly until: number
  /** A sync that a person asked for passes all the same. */
  readonly passesAsked: boolean
}

/** The ledger so far, and attempts that left it or were settled. */
export interface State {
  readonly ledger: Ledger
  readonly ended: readonly Attempt[]
}

export type JudgeRow = 'J1' | 'J2' | 'J3' | 'J4' | 'J5' | 'J6' | 'J7' | 'J8' | 'J9' | 'J10'
export type ChooseRow = 'T1' | 'T2' | 'T3' | 'T4' | 'T5' | 'T6' | 'T7' | 'T8' | 'T9' | 'T10'

/** Why what runs runs: facts for words. */
export type Why =
  /** `message`: what is done before everything ends; `isStuck`: a hook failed, and a person has to say what then; `asks`: whether at all. */
  | { readonly kind: 'deleting'; readonly message: string; readonly isStuck: boolean; readonly asks: boolean }
  | { readonly kind: 'paused'; readonly would: Why }
  /** A person's rollback or retry begins. */
  | { readonly kind: 'asked'; readonly request: 'rollback' | 'retry'; readonly release: ReleaseId }
  | { readonly kind: 'goingBack'; readonly to: ReleaseId; readonly beside: Why | null }
  | { readonly kind: 'wentBack'; readonly to: ReleaseId; readonly beside: Why | null }
  | {
      readonly kind: 'failed'
      readonly because: 'nothingGood' | 'hold' | 'barrier' | 'rollbackFailed'
      readonly hook: string
      readonly beside: Why | null
    }
  | { readonly kind: 'pinned'; readonly to: ReleaseId }
  | { readonly kind: 'held'; readonly by: 'rendering' | 'preflight'; readonly message: string; readonly retryAt: number }
  | { readonly kind: 'heldBack'; readonly release: ReleaseId; readonly mark: Mark }
  /** `windows`: those that hold back what would heal it by itself. */
  | { readonly kind: 'current'; readonly windows?: readonly Gate[] }
  | { readonly kind: 'rendering' }
  | {
      readonly kind: 'waiting'
      readonly for: 'sync' | 'window' | 'dependency'
      readonly message: string
      readonly until: number
      /** All that it waits for beside a person. */
      readonly gates: readonly Gate[]
    }
  | { readonly kind: 'preflight'; readonly release: ReleaseId }
  /** Passed, but a hook of what is under way may finish first. */
  | { readonly kind: 'hookFirst'; readonly release: ReleaseId; readonly hook: string }
  | { readonly kind: 'released'; readonly release: ReleaseId }

export function withAttempt(state: State, attempt: Attempt): State {
  return { ...state, ledger: { ...state.ledger, attempt } }
}

export function withLedger(state: State, ledger: Ledger): State {
  return { ...state, ledger }
}

/** One move of an attempt: the step, one sentence, the time. */
export function moved(attempt: Attempt, step: Step, message: string, now: number): Attempt {
  if (attempt.step.name === step.name && attempt.message === message) return attempt
  return { ...attempt, step, message, moves: [...attempt.moves, { at: now, step: step.name, message }] }
}

export function settled(attempt: Attempt, outcome: Outcome, message: string, now: number): Attempt {
  const last = moved(attempt, { name: 'Ended' }, message, now)
  return { ...last, outcome, times: { ...last.times, ended: now } }
}

/**
 * What is overtaken: once judged (going back, or going on after its waves recovered), it has failed; over, it stays what it is. Why it was
 * held its line of history goes on saying.
 */
export function overtaken(attempt: Attempt, message: string, now: number): Attempt {
  if (attempt.outcome !== null && attempt.outcome !== 'Held') return attempt
  const isHeld = attempt.outcome === 'Held' && attempt.message !== ''
  const told = isHeld ? `${message}; until then held: ${attempt.message}` : message
  return settled(attempt, attempt.times.judged === 0 ? 'Superseded' : 'Failed', told, now)
}

export function verdictText(verdict: Verdict): string {
  return verdict.object === null ? verdict.message : `${verdict.object.kind} ${verdict.object.name}: ${verdict.message}`
}
