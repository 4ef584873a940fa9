// Follows keys of a bucket as levels: lists them all, then each change, and lists afresh on a timer, after a reconnect and whenever a
// watch ends. A watch of NATS may go silent or end (a restarted server, a wiped store), so nothing here relies on one.
import type { KV, KvEntry } from 'nats'
import type { Bus } from './connect.js'
import { pause } from './connect.js'
import { BucketMissingError, bindBucket, bucketCreated } from './values.js'

export interface Level {
  readonly key: string
  /** The head as it lies there; `joinValue` makes it whole. Empty when `deleted`. */
  readonly value: Uint8Array
  readonly revision: number
  /** By the server's clock, ms since 1970. */
  readonly writtenAt: number
  readonly deleted: boolean
}

/** All keys there are at this moment. A key that was there before and is missing now was lost or removed: which, nobody says. */
export interface Listing {
  readonly kv: KV
  /** When the bucket was made; another value than in the listing before: the store was wiped. */
  readonly created: string
  readonly levels: readonly Level[]
}

export interface WatchHandlers {
  /** Awaited before changes go on. What it throws starts the watch again. */
  listed(listing: Listing): void | Promise<void>
  changed(level: Level, kv: KV): void | Promise<void>
  /** Between two watches: why. Called once for each failure, not for the timer's re-listing. */
  interrupted?(error: Error): void
}

export interface WatchOptions {
  readonly bucket: string
  /** `n1.*.head`, `>`. */
  readonly filter: string
  /** Default 45 s, spread by a quarter. */
  readonly relistMs?: number
}

const listTimeoutMs = 15_000
const firstRetryMs = 100
const lastRetryMs = 5_000

/** Runs until `signal` aborts; resolves then. Never throws for anything that NATS does. */
export async function watchKeys(bus: Bus, options: WatchOptions, handlers: WatchHandlers, signal: AbortSignal): Promise<void> {
  for (let failures = 0; !signal.aborted; ) {
    try {
      await watchOnce(bus, options, handlers, signal)
      failures = 0
    } catch (error) {
      if (signal.aborted) return
      if (failures === 0 || !(error instanceof BucketMissingError)) handlers.interrupted?.(error as Error)
      await pauseUntilStatus(bus, Math.min(lastRetryMs, firstRetryMs * 2 ** failures++) * (0.5 + Math.random()), signal)
    }
  }
}

/** One listing and what follows it, until it is time for the next. Throws when the watch breaks. */
async function watchOnce(bus: Bus, options: WatchOptions, handlers: WatchHandlers, signal: AbortSignal): Promise<void> {
  const connection = bus.connection()
  const created = await bucketCreated(connection, options.bucket)
  const kv = await bindBucket(connection, options.bucket)
  const collected: Level[] = []
  const list = { done: null as Promise<void> | null }
  // Called within the iteration, after the last entry that was there before; at once when there is none.
  const initializedFn = () => {
    list.done = (async () => handlers.listed({ kv, created, levels: collected }))()
    list.done.catch(() => {})
  }
  const entries = await kv.watch({ key: options.filter, initializedFn })
  const fail = (error: Error) => entries.stop(error)
  let over = false
  const end = () => {
    over = true
    entries.stop()
  }
  const slow = setTimeout(() => list.done === null && fail(new Error(`${options.bucket}: no full list in time`)), listTimeoutMs)
  const timer = setTimeout(end, (options.relistMs ?? 45_000) * (0.875 + Math.random() / 4))
  const stopStatus = bus.onStatus(end)
  signal.addEventListener('abort', end)
  try {
    if (signal.aborted) return
    await list.done
    for await (const entry of entries) {
      if (list.done === null) collected.push(levelOf(entry))
      else await list.done.then(() => handlers.changed(levelOf(entry), kv))
      if (over) break
    }
    await list.done
    if (!over) throw new Error(`${options.bucket}: the watch ended`)
  } finally {
    clearTimeout(slow)
    clearTimeout(timer)
    stopStatus()
    signal.removeEventListener('abort', end)
    entries.stop()
  }
}

/** Which writing of its key it is. Numbers come again in a store that was set back, at another time. */
export function writingOf({ revision, writtenAt }: Level): string {
  return `${revision} ${writtenAt}`
}

function levelOf(entry: KvEntry): Level {
  const deleted = entry.operation !== 'PUT'
  return { key: entry.key, value: entry.value, revision: entry.revision, writtenAt: entry.created.getTime(), deleted }
}

/** Waits; a changed connection ends the wait early. */
async function pauseUntilStatus(bus: Bus, ms: number, signal: AbortSignal): Promise<void> {
  const wake = new AbortController()
  const end = () => wake.abort()
  const stop = bus.onStatus(status => status.connected && end())
  signal.addEventListener('abort', end)
  await pause(ms, wake.signal)
  stop()
  signal.removeEventListener('abort', end)
}
