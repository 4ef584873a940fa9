// Which changes of a ledger its place need not hear of by themselves: how far an attempt has come is found out again from what runs. Pure.
import { isDeepStrictEqual } from 'node:util'
import type { Attempt, Ledger } from '../../ledger.js'

/** They go with the next write, within seconds: what would be lost with the store until then are lines of history. */
export function isJournalOnly(before: Ledger, after: Ledger): boolean {
  return isDeepStrictEqual(withoutJournal(before), withoutJournal(after))
}

function withoutJournal(ledger: Ledger): unknown {
  const { version: _, placed: __, attempt, ...rest } = ledger
  return { ...rest, attempt: attempt === null ? null : lasting(attempt) }
}

function lasting({ step: _, message: __, moves: ___, readyAfter: ____, clocks, ...rest }: Attempt): unknown {
  return { ...rest, clocks: { ...clocks, seenAt: 0 } }
}
