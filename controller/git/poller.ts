// When each (repository, ref) is asked: one poll for all applications that follow it, on a timer, woken by a webhook, slower
// while it fails. Tells new tips; keeps the last known one, with how old that knowledge is. Knows nothing of applications.
import type { CommitSha } from '../release.js'
import { SourceError } from './errors.js'
import type { Polled } from './store.js'
import { repositoryKey } from './url.js'

export interface PollerOptions {
  /** Throws a `PollError` where it says what is wrong. */
  readonly poll: (url: string, ref: string, signal: AbortSignal) => Promise<Pick<Polled, 'tip'>>
  /** ms since 1970. */
  readonly now: () => number
  /** [0, 1): spreads polls so that repositories of one server are not all asked at once. */
  readonly random: () => number
  readonly intervalMs?: number
  readonly maxBackoffMs?: number
  /** The tip became another, or was found for the first time. */
  readonly onTip: (state: FollowedRef) => void
  /** A poll failed after one that did not, or succeeded again. */
  readonly onStale?: (state: FollowedRef) => void
}

/** As `SourceError` has it; those who ask chart repositories have one of their own. */
export interface PollError {
  readonly reason: string
  readonly message: string
  readonly transient: boolean
}

/** What is known of one (repository, ref). Times are ms since 1970; 0 for never. */
export interface FollowedRef {
  readonly url: string
  readonly ref: string
  readonly tip: CommitSha | null
  /** When this tip was first seen. */
  readonly seenAt: number
  /** When a webhook announced it; 0 where the timer found it. */
  readonly pushedAt: number
  readonly lastPollAt: number
  readonly lastSuccessAt: number
  /** The repository could not be asked since then; 0 while it can. */
  readonly staleSince: number
  readonly error: PollError | null
}

interface Entry {
  state: FollowedRef
  followers: number
  failures: number
  timer: NodeJS.Timeout | null
  running: AbortController | null
  again: boolean
  announcedAt: number
  waiting: (() => void)[]
}

const defaultIntervalMs = 10_000
const defaultMaxBackoffMs = 300_000

export class Poller {
  readonly #options: PollerOptions
  readonly #entries = new Map<string, Entry>()

  constructor(options: PollerOptions) {
    this.#options = options
  }

  /** Follows a ref until the function given back is called; followers of one ref share its polls. The first poll is at once. */
  follow(url: string, ref: string): () => void {
    const key = `${url}\n${ref}`
    const entry = this.#entries.get(key) ?? this.#begin(key, url, ref)
    entry.followers++
    let following = true
    return () => {
      if (!following) return
      following = false
      if (--entry.followers === 0) this.#end(key, entry)
    }
  }

  state(url: string, ref: string): FollowedRef | null {
    return this.#entries.get(`${url}\n${ref}`)?.state ?? null
  }

  states(): readonly FollowedRef[] {
    return [...this.#entries.values()].map(({ state }) => state)
  }

  /**
   * Polls now. `url` in any form (ssh, https, with or without .git); `ref` as a webhook names it (`refs/heads/main`), or null
   * for all refs. Gives how many (repository, ref) were woken.
   */
  wake(url: string, ref: string | null = null): number {
    const key = repositoryKey(url)
    const woken = [...this.#entries.values()].filter(({ state }) => repositoryKey(state.url) === key && isMeant(ref, state.ref))
    for (const entry of woken) {
      entry.announcedAt = this.#options.now()
      this.#run(entry)
    }
    return woken.length
  }

  /** Polls now and gives what is known after that poll; null where nobody follows it. */
  async look(url: string, ref: string): Promise<FollowedRef | null> {
    const entry = this.#entries.get(`${url}\n${ref}`)
    if (entry === undefined) return null
    await new Promise<void>(resolve => {
      entry.waiting.push(resolve)
      this.#run(entry)
    })
    return entry.state
  }

  stop(): void {
    for (const [key, entry] of this.#entries) this.#end(key, entry)
  }

  #begin(key: string, url: string, ref: string): Entry {
    const state: FollowedRef = {
      url,
      ref,
      tip: null,
      seenAt: 0,
      pushedAt: 0,
      lastPollAt: 0,
      lastSuccessAt: 0,
      staleSince: 0,
      error: null,
    }
    const entry: Entry = {
      state,
      followers: 0,
      failures: 0,
      timer: null,
      running: null,
      again: false,
      announcedAt: 0,
      waiting: [],
    }
    this.#entries.set(key, entry)
    this.#run(entry)
    return entry
  }

  #end(key: string, entry: Entry): void {
    this.#entries.delete(key)
    if (entry.timer !== null) clearTimeout(entry.timer)
    entry.running?.abort(new Error('nobody follows this ref any longer'))
    for (const resolve of entry.waiting.splice(0)) resolve()
  }

  /** One poll at a time for each entry; asked meanwhile, it polls once more afterwards, however often it was asked. */
  #run(entry: Entry): void {
    if (entry.running !== null) {
      entry.again = true
      return
    }
    if (entry.timer !== null) clearTimeout(entry.timer)
    const running = new AbortController()
    entry.running = running
    entry.again = false
    void this.#poll(entry, running.signal).finally(() => {
      entry.running = null
      if (running.signal.aborted) return
      if (entry.again) this.#run(entry)
      else this.#schedule(entry)
    })
  }

  async #poll(entry: Entry, signal: AbortSignal): Promise<void> {
    const waiting = entry.waiting.splice(0)
    const announcedAt = entry.announcedAt
    entry.announcedAt = 0
    try {
      const { tip } = await this.#options.poll(entry.state.url, entry.state.ref, signal)
      if (!signal.aborted) this.#succeeded(entry, tip, announcedAt)
    } catch (error) {
      if (!signal.aborted) this.#failed(entry, error, announcedAt)
    } finally {
      for (const resolve of waiting) resolve()
    }
  }

  #succeeded(entry: Entry, tip: CommitSha, announcedAt: number): void {
    const now = this.#options.now()
    const before = entry.state
    entry.failures = 0
    entry.state = { ...before, lastPollAt: now, lastSuccessAt: now, staleSince: 0, error: null }
    if (before.tip !== tip) {
      entry.state = { ...entry.state, tip, seenAt: now, pushedAt: announcedAt }
      this.#options.onTip(entry.state)
    } else if (before.error !== null) this.#options.onStale?.(entry.state)
  }

  #failed(entry: Entry, error: unknown, announcedAt: number): void {
    const now = this.#options.now()
    const before = entry.state
    const known = saysReason(error)
      ? error
      : new SourceError('RepositoryUnreachable', `the poll failed: ${(error as Error).name}`, true)
    entry.failures++
    entry.announcedAt = entry.announcedAt || announcedAt
    entry.state = { ...before, lastPollAt: now, staleSince: before.staleSince || now, error: known }
    if (before.error?.message !== known.message) this.#options.onStale?.(entry.state)
  }

  /** The interval +-10 %; while it fails doubled each time: 10, 20, 40 ... 300 s. */
  #schedule(entry: Entry): void {
    const { intervalMs = defaultIntervalMs, maxBackoffMs = defaultMaxBackoffMs, random } = this.#options
    const plain = Math.min(intervalMs * 2 ** Math.max(0, entry.failures - 1), Math.max(intervalMs, maxBackoffMs))
    entry.timer = setTimeout(() => this.#run(entry), plain * (0.9 + 0.2 * random())).unref()
  }
}

function saysReason(error: unknown): error is PollError {
  const { reason, message, transient } = (error ?? {}) as Partial<Record<keyof PollError, unknown>>
  return typeof reason === 'string' && typeof message === 'string' && typeof transient === 'boolean'
}

/** `HEAD` and hashes are meant by any push; a name by itself and by its full forms. */
function isMeant(pushed: string | null, followed: string): boolean {
  if (pushed === null || followed === 'HEAD' || followed === '') return true
  const short = (name: string) => name.replace(/^refs\/(heads|tags)\//, '')
  return short(pushed) === short(followed)
}
