// Who answers for names: the runtime while little is asked, a process of its own while much is. Pure.

export interface LoadLimits {
  /** Questions within one second from which on a process of its own answers. */
  readonly questions: number
  /** What is still answered after that, until the sockets are given: what was read already. */
  readonly last: number
  /** Of one core: while that process takes less, little is asked. */
  readonly calmPercent: number
  /** From one look at it to the next, ms. */
  readonly calmMs: number
}

/** A question costs the runtime 0.1 to 0.2 ms: all of these at once, in parts of a few ms, are 60. */
export const loadLimits: LoadLimits = { questions: 300, last: 64, calmPercent: 2, calmMs: 60_000 }

/** Questions within a second that began with the first of them. */
export interface Second {
  readonly began: number
  readonly questions: number
}

export const quiet: Second = { began: Number.NEGATIVE_INFINITY, questions: 0 }

/** `now`: ms. `give` is true once a second: with the question that is too many. */
export function count(
  second: Second,
  now: number,
  limits: LoadLimits,
): { readonly second: Second; readonly answer: boolean; readonly give: boolean } {
  const next = now - second.began < 1_000 ? { ...second, questions: second.questions + 1 } : { began: now, questions: 1 }
  return {
    second: next,
    answer: next.questions <= limits.questions + limits.last,
    give: next.questions === limits.questions,
  }
}

/** What the process that answers has worked so far (ms of processor time), and when that was looked at. */
export interface Worked {
  readonly at: number
  readonly workedMs: number
}

/** Little was asked between two looks: the runtime can answer again. */
export function isCalm(since: Worked, now: Worked, limits: LoadLimits): boolean {
  return (now.workedMs - since.workedMs) * 100 <= (now.at - since.at) * limits.calmPercent
}
