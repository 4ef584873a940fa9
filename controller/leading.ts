// Who may begin anything: the controller that holds the lease and has read the store since it gained it. What it remembers from an
// earlier lease is of then: another controller may have written since.

export interface LeadingOptions {
  /** The epoch of the lease that we hold; null when we hold none. */
  epoch(): number | null
  /** Reads everything back. Tried again until it succeeds or the lease is another's. */
  read(gained: number): Promise<void>
  /** Everything may begin. */
  began(epoch: number): void
  failed(error: Error): void
}

export interface Leading {
  /** The lease was gained in this epoch. */
  gained(epoch: number): void
  isLeading(): boolean
  /** What there is, is known: as we lead, or as it was when we last did. */
  hasRead(): boolean
}

export function createLeading(options: LeadingOptions, signal: AbortSignal): Leading {
  let readIn: number | null = null
  let reading: Promise<void> = Promise.resolve()
  const read = async (gained: number) => {
    if (options.epoch() !== gained) return
    await options.read(gained)
    if (options.epoch() !== gained) return
    readIn = gained
    options.began(gained)
  }
  const isLeading = () => readIn !== null && readIn === options.epoch()
  return {
    gained(epoch) {
      // One after the other: an older one that is still under way ends at its next try.
      reading = reading.then(() => untilDone(() => read(epoch), signal, options.failed))
    },
    isLeading,
    hasRead: () => isLeading() || (readIn !== null && options.epoch() === null),
  }
}

/** Tries until it is done: NATS may go away in between. */
export async function untilDone(act: () => Promise<void>, signal: AbortSignal, failed: (error: Error) => void): Promise<void> {
  for (let wait = 50; !signal.aborted; wait = Math.min(wait * 1.5, 5000)) {
    try {
      return await act()
    } catch (error) {
      failed(error as Error)
      await new Promise(resolve => setTimeout(resolve, wait))
    }
  }
}
