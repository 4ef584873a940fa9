// Charts for passes, which never wait for a network that is slow or gone: what takes longer goes on beside them, failures are tried again with
// back-off, and who asked is woken when there is an answer.
import type { Need } from '../../renderer/index.js'
import type { GetChart, PackedChart } from './charts.js'
import { chartText } from './charts.js'
import { needKey } from './complete.js'
import { ChartSourceError } from './errors.js'
import type { Found } from './store.js'

export interface FetchingOptions {
  readonly get: GetChart
  readonly now: () => number
  readonly random: () => number
  /** How long a pass waits for an answer, ms. */
  readonly patienceMs?: number
  /** Somebody asked and got no answer; now there is one, or it is time to ask again. */
  readonly wake: (owner: string) => void
}

export interface Fetching {
  /** As `GetChart`, but soon: throws `ChartSourceError` `ChartPending` while it goes on. `owner`: who is woken. */
  get(need: Need, pin: Found | null, owner: string): Promise<PackedChart>
  stop(): void
}

interface Entry {
  readonly owners: Set<string>
  running: Promise<PackedChart> | null
  /** What came of it, for those who ask again: a range would be looked up anew. */
  found: (Found & { readonly at: number }) | null
  failures: number
  error: ChartSourceError | null
  retryAt: number
  timer: NodeJS.Timeout | null
}

const defaultPatienceMs = 2_000
const firstWaitMs = 1_000
const longestWaitMs = 300_000
/** How long an answer holds for the others who ask the same. */
const freshMs = 60_000
const mostEntries = 1_000
/** Fetches at the same time: 300 applications may ask at once. */
const mostAtOnce = 8

export function createFetching(options: FetchingOptions): Fetching {
  const { now, random, wake, patienceMs = defaultPatienceMs } = options
  const entries = new Map<string, Entry>()
  const ending = new AbortController()
  const waiting: (() => void)[] = []
  let atOnce = 0

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (atOnce >= mostAtOnce) await new Promise<void>(resolve => waiting.push(resolve))
    else atOnce++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) atOnce--
      else next()
    }
  }

  function wakeOwners(entry: Entry): void {
    for (const owner of entry.owners) wake(owner)
  }

  function begin(entry: Entry, need: Need, pin: Found | null): Promise<PackedChart> {
    if (entry.timer !== null) clearTimeout(entry.timer)
    entry.timer = null
    const running = inTurn(() => options.get(need, pin, ending.signal)).then(
      got => succeeded(entry, got),
      (cause: unknown) => {
        throw failed(entry, need, cause)
      },
    )
    entry.running = running
    return running
  }

  function succeeded(entry: Entry, got: PackedChart): PackedChart {
    Object.assign(entry, { running: null, error: null, failures: 0 })
    entry.found = { version: got.version, sha256: got.sha256, at: now() }
    wakeOwners(entry)
    entry.owners.clear()
    return got
  }

  function entryOf(key: string): Entry {
    const known = entries.get(key)
    if (known !== undefined) return known
    for (const [other, { running }] of entries) if (entries.size >= mostEntries && running === null) entries.delete(other)
    const entry: Entry = { owners: new Set(), running: null, found: null, failures: 0, error: null, retryAt: 0, timer: null }
    entries.set(key, entry)
    return entry
  }

  function failed(entry: Entry, need: Need, cause: unknown): unknown {
    entry.running = null
    if (ending.signal.aborted) return cause
    const error = promising(
      cause instanceof ChartSourceError
        ? cause
        : new ChartSourceError('ChartUnreachable', `${chartText(need)}: ${(cause as Error).message}`, true),
    )
    entry.error = error
    const plain = Math.min(firstWaitMs * 2 ** entry.failures++, longestWaitMs)
    const waitMs = Math.max(error.waitMs, plain * (0.9 + 0.2 * random()))
    entry.retryAt = now() + waitMs
    entry.timer = setTimeout(() => wakeOwners(entry), waitMs).unref()
    wakeOwners(entry)
    return error
  }

  return {
    async get(need, pin, owner) {
      const entry = entryOf(`${needKey(need)} ${pin?.sha256 ?? ''}`)
      try {
        if (entry.error !== null && entry.running === null && now() < entry.retryAt) throw entry.error
        const known = entry.found !== null && now() < entry.found.at + freshMs ? entry.found : null
        const got = await soon(entry.running ?? begin(entry, need, pin ?? known), patienceMs)
        if (got === null) throw entry.error ?? pending(need)
        return got
      } catch (cause) {
        entry.owners.add(owner)
        throw cause
      }
    },
    stop() {
      ending.abort(new Error('the controller ends'))
      for (const { timer } of entries.values()) if (timer !== null) clearTimeout(timer)
      entries.clear()
    },
  }
}

function promising({ reason, message, transient, waitMs }: ChartSourceError): ChartSourceError {
  return new ChartSourceError(reason, transient ? `${message}; tried again by itself` : message, transient, waitMs)
}

function pending(need: Need): ChartSourceError {
  return new ChartSourceError('ChartPending', `${chartText(need)}: is being fetched`, true)
}

/** null: not yet. */
function soon<T>(running: Promise<T>, ms: number): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const clock = setTimeout(() => resolve(null), ms)
    running.then(resolve, reject).finally(() => clearTimeout(clock))
  })
}
