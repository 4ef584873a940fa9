// The life of a release, decided: ledger x candidate x health x now -> what should run, what is tried beside it, a verdict.
// Rows are named as in release.md. Pure: time is an argument, nothing is read or written.
import { isDeepStrictEqual } from 'node:util'
import { type Attempt, isRollingBack, isUnderWay, type Ledger, namedReleases, type Verdict } from './ledger.js'
import { asksIn } from './rollout/asking.js'
import { choose } from './rollout/choose.js'
import { lookEveryMs, ticked } from './rollout/clock.js'
import { judge } from './rollout/judge.js'
import { learned } from './rollout/observe.js'
import type { ChooseRow, DecideInput, JudgeRow, State, Why } from './rollout/state.js'
import { least } from './rollout/verdict.js'
import { withUses } from './sticky.js'
import type { Asks } from './sync/consent.js'
import type { Aim } from './sync.js'

export type { ChooseRow, DecideInput, Gate, JudgeRow, Why } from './rollout/state.js'

export interface Decision extends Aim {
  readonly verdict: Verdict | null
  readonly row: { readonly judged: JudgeRow | null; readonly chosen: ChooseRow }
  readonly why: Why
  /** What is not taken away before a person has said so; null: nothing. */
  readonly asks: Asks | null
  /** Attempts whose outcome was settled or changed in this pass. */
  readonly ended: readonly Attempt[]
  /** When to look again if nothing happens, ms since 1970; null: only something from outside changes anything. */
  readonly wakeAt: number | null
}

export function decide(input: DecideInput): Decision {
  const isStopped = input.observed.silent !== null || input.ledger.pause !== null
  const start: State = { ledger: ticked(learned(input), isStopped, input.now), ended: [] }
  const judged = judge(input, start)
  const chosen = choose(input, judged.state)
  const next = withUses(trimmed(withRecent(chosen.state), input), input.candidate, input.now)
  const ledger = isDeepStrictEqual(next, input.ledger) ? input.ledger : next
  const isSame =
    ledger.current?.release === judged.state.ledger.current?.release &&
    ledger.attempt?.number === judged.state.ledger.attempt?.number
  return {
    run: chosen.run,
    preflight: chosen.preflight,
    ledger,
    // Version 1 says nothing yet: the place hears of it with the first thing that is asked of it.
    changed: ledger !== input.ledger || (ledger.placed !== ledger.version && ledger.version > 1),
    frozen: input.ledger.pause !== null && input.ledger.deletion === null,
    waves: chosen.waves,
    heal: isSame ? judged.heal : [],
    prune: isSame ? judged.prune : { objects: [], hooks: [] },
    verdict: judged.verdict,
    row: { judged: judged.row, chosen: chosen.row },
    why: chosen.why,
    asks: asksIn(input, ledger),
    ended: endedIn(input.ledger, chosen.state),
    wakeAt: wakeAt(input, ledger, [judged.wakeAt, chosen.wakeAt]),
  }
}

/** Those that left the ledger, and those in it, whose outcome is another than before the pass. */
function endedIn(before: Ledger, { ledger, ended }: State): readonly Attempt[] {
  const known = new Map([before.attempt, before.trying].filter(one => one !== null).map(one => [one.number, one.outcome]))
  const all = [...ended, ledger.attempt, ledger.trying].filter(one => one !== null)
  const last = new Map(all.map(one => [one.number, one]))
  return [...last.values()].filter(one => one.outcome !== null && one.outcome !== (known.get(one.number) ?? null))
}

function withRecent({ ledger, ended }: State): Ledger {
  return ended.length === 0 ? ledger : { ...ledger, recent: [...ledger.recent, ...ended].slice(-recentKept) }
}

function wakeAt(input: DecideInput, ledger: Ledger, found: readonly (number | null)[]): number | null {
  const times = found.filter(at => at !== null)
  const isBusy =
    (isUnderWay(ledger.attempt) || isRollingBack(ledger.attempt)) && ledger.pause === null && input.observed.silent === null
  const soonest = least(isBusy ? [...times, input.now + lookEveryMs] : times)
  return soonest === null ? null : Math.max(soonest, input.now)
}

const marksKept = 200
const recentKept = 5

/** Releases that nothing names any more are forgotten; of marks the newest are kept. */
function trimmed(ledger: Ledger, input: DecideInput): Ledger {
  const named = new Set<string>([...namedReleases(ledger), ...Object.keys(ledger.marks)])
  if (input.candidate?.kind === 'release') named.add(input.candidate.release.id)
  const forgotten = Object.keys(ledger.releases).filter(id => !named.has(id))
  if (forgotten.length === 0 && Object.keys(ledger.marks).length <= marksKept) return ledger
  const releases = Object.fromEntries(Object.entries(ledger.releases).filter(([id]) => named.has(id)))
  const marks = Object.fromEntries(
    Object.entries(ledger.marks)
      .toSorted(([, a], [, b]) => b.at - a.at)
      .slice(0, marksKept),
  )
  return { ...ledger, releases, marks }
}
