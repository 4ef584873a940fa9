// Why the newest candidate does not run, in words. Pure.
import type { Ledger } from './ledger.js'
import { numberOf } from './records.js'
import type { Decision, Gate, Why } from './rollout.js'
import type { Asks } from './sync/consent.js'
import { ago, span } from './words.js'

export function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000
}

export interface Waits {
  /** Why the candidate waits, in one clause: `held back: judged bad 12 s ago`, `waiting for you`; '' where it does not. */
  readonly waiting: string
  /** What it waits for beside a person: windows, other applications. */
  readonly gates: readonly Gate[]
  /** What a person has to say a word about before it is taken away. */
  readonly asks: Asks | null
  /** What its declaration says and its place cannot heed. */
  readonly unheeded: readonly string[]
}

type Looked = {
  readonly decision: Pick<Decision, 'why' | 'asks' | 'row'>
  readonly observed: { readonly faults?: readonly string[] }
}

/** `pass`: the last one; null before the first. */
export function waitsOf(pass: Looked | null, ledger: Ledger, now: number): Waits {
  if (pass === null) return { waiting: '', gates: [], asks: null, unheeded: [] }
  const { why, asks, row } = pass.decision
  const healing = why.kind === 'current' && row.judged === 'J7' ? (why.windows ?? []) : []
  const gates = [...gatesOf(why), ...healing]
  return { waiting: waitingClause(why, ledger, now), gates, asks, unheeded: pass.observed.faults ?? [] }
}

export function gatesOf(why: Why): readonly Gate[] {
  if (why.kind === 'paused') return gatesOf(why.would)
  return why.kind === 'waiting' ? why.gates : []
}

/** Why the candidate does not run, in one clause; '' where it does or nothing stands in its way. */
export function waitingClause(why: Why, ledger: Ledger, now: number): string {
  switch (why.kind) {
    case 'paused':
      return waitingClause(why.would, ledger, now)
    case 'pinned':
      return `pinned to ${numberOf(ledger, why.to)} by ${ledger.pin?.by.name ?? 'a person'}`
    case 'held':
      return why.message
    case 'heldBack':
      return `held back: judged ${why.mark.kind === 'bad' ? 'bad' : 'by its surroundings'} ${ago(now - why.mark.at)}, because ${why.mark.verdict.message}`
    case 'waiting':
      return why.for === 'sync'
        ? 'waiting for you'
        : `waiting for ${why.message}${why.until === 0 ? '' : `, in ${span(wholeSeconds(why.until - now))}`}`
    case 'deleting': {
      if (why.asks) return `${why.message} If so: slipway approve ${ledger.application.name}`
      const again = `slipway delete ${ledger.application.name} --cascade`
      return why.isStuck ? `${why.message}; run it once more: ${again}, or go on without: ${again} --skip-hooks` : why.message
    }
    case 'hookFirst':
      return `waiting for ${why.hook} to finish`
    case 'failed':
      return why.because === 'barrier' ? `${why.hook} has run: going back needs a person's word` : ''
    default:
      return ''
  }
}
