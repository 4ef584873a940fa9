// Waiting without losing what happens meanwhile.

/** setTimeout's longest is about 24 days; looking once a day too often does no harm. */
const longestMs = 24 * 3_600_000

export interface Bell {
  ring(): void
  /** Resolves at the next ring from now on; ask for it before looking at what the rings tell of. */
  next(): Promise<void>
}

export function makeBell(): Bell {
  let ring: () => void = () => undefined
  return {
    ring: () => ring(),
    next: () =>
      new Promise(resolve => {
        ring = resolve
      }),
  }
}

/** Until it rings, the time is over (null: never), or the signal aborts. */
export function rest(ms: number | null, heard: Promise<void> | null, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms === null ? longestMs : Math.min(Math.max(ms, 0), longestMs))
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
    void heard?.then(done)
  })
}
