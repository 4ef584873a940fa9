// Clocks of an attempt run on observed time only: while the place is silent, the application paused or no controller there, they stand still.
import { type Attempt, isRollingBack, isUnderWay, type Ledger } from '../ledger.js'

/** A pass under way comes at least this often. */
export const lookEveryMs = 15_000
/** Looking is written down this often at most. */
const noteEveryMs = 20_000
/** More than this between two looks was not observed. */
const gapMs = 60_000

function runsClocks(attempt: Attempt): boolean {
  return isUnderWay(attempt) || isRollingBack(attempt) || attempt.clocks.healthyFrom > 0
}

export function ticked(ledger: Ledger, isStopped: boolean, now: number): Ledger {
  const attempt = ledger.attempt
  if (attempt === null || !runsClocks(attempt)) return ledger
  const { clocks } = attempt
  if (isStopped)
    return clocks.stopped ? ledger : { ...ledger, attempt: { ...attempt, clocks: { ...clocks, stopped: true, seenAt: now } } }
  const gap = now - clocks.seenAt
  if (clocks.stopped || gap > gapMs) return { ...ledger, attempt: shifted(attempt, gap, now) }
  return gap < noteEveryMs ? ledger : { ...ledger, attempt: { ...attempt, clocks: { ...clocks, seenAt: now } } }
}

function shifted(attempt: Attempt, gap: number, now: number): Attempt {
  const { clocks, progress } = attempt
  const later = (at: number) => (at === 0 ? 0 : at + gap)
  const trouble = attempt.trouble ?? null
  return {
    ...attempt,
    progress: { ...progress, at: later(progress.at) },
    trouble: trouble && { ...trouble, over: later(trouble.over) },
    clocks: {
      seenAt: now,
      stopped: false,
      stageAt: later(clocks.stageAt),
      bakeFrom: later(clocks.bakeFrom),
      healthyFrom: later(clocks.healthyFrom),
      suspects: Object.fromEntries(Object.entries(clocks.suspects).map(([key, at]) => [key, later(at)])),
    },
  }
}
