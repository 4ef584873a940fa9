// One pass at a time per key: wakes are coalesced, failures back off, and this is the only place that tries again.

export interface Looped {
  /** When to look again by itself, ms since 1970; null = only when woken. */
  readonly wakeAt: number | null
}

export interface LoopOptions<Key extends string> {
  readonly pass: (key: Key, signal: AbortSignal) => Promise<Looped>
  readonly now: () => number
  readonly onFailure: (key: Key, error: unknown, failures: number, retryInMs: number) => void
  /** Passes at the same time, over all keys. */
  readonly concurrency?: number
  /** First and longest wait after a failure, ms; doubled in between. */
  readonly backoffMs?: { readonly first: number; readonly longest: number }
}

export interface Loop<Key extends string> {
  /** Look at this key soon; as often as one likes. */
  wake(key: Key): void
  forget(key: Key): void
  /** Starts nothing new, aborts what runs with the reason, resolves when all passes have ended. */
  stop(reason: string): Promise<void>
}

interface Slot {
  state: 'idle' | 'queued' | 'running'
  again: boolean
  failures: number
  timer: NodeJS.Timeout | null
}

/** INVARIANTS: a key has at most one pass; a wake during a pass leads to one more pass; no wake is lost. */
export function createLoop<Key extends string>(options: LoopOptions<Key>): Loop<Key> {
  const { pass, now, onFailure, concurrency = 8, backoffMs = { first: 500, longest: 30_000 } } = options
  const slots = new Map<Key, Slot>()
  const queue: Key[] = []
  const running = new Set<Promise<void>>()
  const ending = new AbortController()

  function wake(key: Key): void {
    if (ending.signal.aborted) return
    const slot = slotOf(key)
    if (slot.state === 'running') slot.again = true
    if (slot.state !== 'idle') return
    clear(slot)
    slot.state = 'queued'
    queue.push(key)
    pump()
  }

  function pump(): void {
    while (running.size < concurrency && !ending.signal.aborted) {
      const key = queue.shift()
      if (key === undefined) return
      const work: Promise<void> = run(key, slotOf(key)).finally(() => {
        running.delete(work)
        pump()
      })
      running.add(work)
    }
  }

  async function run(key: Key, slot: Slot): Promise<void> {
    slot.state = 'running'
    slot.again = false
    let wait: number | null
    try {
      const { wakeAt } = await pass(key, ending.signal)
      slot.failures = 0
      wait = wakeAt === null ? null : Math.max(0, wakeAt - now())
    } catch (error) {
      wait = failed(key, slot, error)
    }
    slot.state = 'idle'
    if (slot.again) wake(key)
    else if (wait !== null) later(key, slot, wait)
  }

  function failed(key: Key, slot: Slot, error: unknown): number | null {
    if (ending.signal.aborted) return null
    slot.failures += 1
    // A wake that came during a failing pass waits with it: what failed a moment ago fails again.
    slot.again = false
    const wait = Math.min(backoffMs.longest, backoffMs.first * 2 ** (slot.failures - 1))
    onFailure(key, error, slot.failures, wait)
    return wait
  }

  /** Node's timers overflow past 2^31 ms and then fire at once. */
  function later(key: Key, slot: Slot, waitMs: number): void {
    clear(slot)
    slot.timer = setTimeout(() => wake(key), Math.min(waitMs, 2 ** 31 - 1))
  }

  function clear(slot: Slot): void {
    if (slot.timer !== null) clearTimeout(slot.timer)
    slot.timer = null
  }

  function slotOf(key: Key): Slot {
    const slot = slots.get(key) ?? { state: 'idle', again: false, failures: 0, timer: null }
    slots.set(key, slot)
    return slot
  }

  return {
    wake,
    forget(key) {
      const slot = slots.get(key)
      if (slot !== undefined) clear(slot)
      if (slot?.state === 'idle') slots.delete(key)
    },
    async stop(reason) {
      ending.abort(new Error(reason))
      for (const slot of slots.values()) clear(slot)
      await Promise.allSettled(running)
    },
  }
}
