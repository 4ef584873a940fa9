// Sealed values by key, in memory, written through to one bucket of NATS. Knows nothing of what the values mean.
import type { KV } from 'nats'
import { compress, decompress } from '../../runtime/contract/frame.js'
import { openWith, sealWith } from '../../runtime/contract/seal.js'
import { buckets } from '../../runtime/contract/subjects.js'
import { written } from '../../runtime/failpoint.js'
import type { Bus } from '../../runtime/nats/bus/connect.js'
import { BusDownError } from '../../runtime/nats/bus/connect.js'
import {
  BucketMissingError,
  bindBucket,
  bucketCreated,
  ConflictError,
  eraseValue,
  joinValue,
  readValue,
  withBus,
  writeValue,
} from '../../runtime/nats/bus/values.js'

export interface CabinetOptions {
  readonly bus: Bus
  /** 32 bytes: who does not have it can neither read nor make a value. */
  readonly key: Uint8Array
  /** The epoch that we write in; null when we may not write. */
  epoch(): number | null
}

/** The value is another controller's, of a higher epoch, or the lease is not ours. Trying again cannot help. */
export class NotTheWriterError extends Error {
  override name = 'NotTheWriterError'
}

export interface Cabinet {
  /**
   * Reads everything. Returns what could not be read (kept as it is, never written over by load). `wiped`: the bucket was made anew
   * since; as long as nobody wrote to it, what is in memory is all there is, and is put again.
   */
  load(wiped: boolean): Promise<readonly string[]>
  get(key: string): unknown
  /** Keys of a kind, or of one thing's of that kind: `release.`, `release.shop.`; '' gives all. */
  keys(prefix: string): readonly string[]
  /** Keys of what lies there and could not be read at the last `load`. */
  unreadable(): readonly string[]
  /** Resolves once it lies in NATS; memory changes then, not before. Throws BusDownError, NotTheWriterError. */
  put(key: string, value: unknown): Promise<void>
  remove(key: string): Promise<void>
  /** After the store was wiped: puts everything again that memory holds. Returns how many. */
  putAllAgain(): Promise<number>
  /** Highest epoch that a value was written in. */
  seenEpoch(): number
}

interface Entry {
  readonly value: unknown
  readonly revision: number
}

interface Envelope {
  readonly epoch: number
  readonly value: unknown
}

export function openCabinet(options: CabinetOptions): Cabinet {
  const entries = new Map<string, Entry>()
  const unreadable = new Set<string>()
  /** By each beginning of theirs that ends in a point: every pass asks for some keys, and there are ten thousand of a thousand applications. */
  const groups = new Map<string, Set<string>>()
  const queues = new Map<string, Promise<unknown>>()
  let seen = 0
  let writings = 0

  const setEntry = (key: string, entry: Entry) => {
    if (!entries.has(key))
      for (const group of groupsOf(key)) {
        const keys = groups.get(group) ?? new Set<string>()
        groups.set(group, keys.add(key))
      }
    entries.set(key, entry)
  }
  const dropEntry = (key: string) => {
    entries.delete(key)
    for (const group of groupsOf(key)) {
      groups.get(group)?.delete(key)
      if (groups.get(group)?.size === 0) groups.delete(group)
    }
  }
  const inTurn = <T>(key: string, act: () => Promise<T>): Promise<T> => {
    const next = (queues.get(key) ?? Promise.resolve()).then(act, act)
    const settled = next.catch(() => {}).finally(() => queues.get(key) === settled && queues.delete(key))
    queues.set(key, settled)
    return next
  }
  const open = (key: string, bytes: Uint8Array): Envelope => {
    const envelope = decompress(openWith(options.key, bytes, context(key)), `stored ${key}`) as Envelope
    seen = Math.max(seen, envelope.epoch)
    return envelope
  }
  const mayWrite = (key: string): number => {
    const epoch = options.epoch()
    if (epoch === null) throw new NotTheWriterError(`${key}: this controller does not hold the lease; nothing was written`)
    return epoch
  }
  /** The revision to write over; throws when it is another's, newer than we are. */
  const revisionThere = async (kv: KV, key: string, epoch: number): Promise<number> => {
    const there = await readValue(kv, key)
    if (there === null) return 0
    const theirs = open(key, there.bytes).epoch
    if (theirs > epoch) throw new NotTheWriterError(`${key}: written by a controller of epoch ${theirs}, ours is ${epoch}`)
    return there.revision
  }
  const write = async (key: string, value: unknown) => {
    const epoch = mayWrite(key)
    const bytes = sealWith(options.key, compress({ epoch, value } satisfies Envelope), context(key))
    const kv = await withBus(options.bus, key, connection => bindBucket(connection, buckets.store))
    const put = (revision: number) =>
      writeValue(kv, key, bytes, { revision, set: `${epoch.toString(36)}${writings++ % 2 === 0 ? 'a' : 'b'}` })
    const putOver = () =>
      put(entries.get(key)?.revision ?? 0).catch(async error => {
        if (!(error instanceof ConflictError)) throw error
        return put(await revisionThere(kv, key, epoch))
      })
    const revision = await written(`controller.${kindOf(key)}.stored`, putOver)
    seen = Math.max(seen, epoch)
    setEntry(key, { value, revision })
  }
  const putAllAgain = async () => {
    for (const [key, { value }] of [...entries]) await inTurn(key, () => write(key, value))
    return entries.size
  }
  return {
    load: async wiped => {
      const problems: string[] = []
      const kv = await withBus(options.bus, 'store', connection => bindBucket(connection, buckets.store))
      const heads = await listHeads(options.bus, kv)
      if (wiped && heads.length === 0 && options.epoch() !== null) {
        await putAllAgain()
        return problems
      }
      entries.clear()
      groups.clear()
      unreadable.clear()
      for (const head of heads) {
        try {
          const envelope = open(head.key, await joinValue(kv, head.key, head.value))
          setEntry(head.key, { value: envelope.value, revision: head.revision })
        } catch (error) {
          if (error instanceof BusDownError || error instanceof BucketMissingError) throw error
          unreadable.add(head.key)
          problems.push((error as Error).message)
        }
      }
      return problems
    },
    get: key => entries.get(key)?.value,
    keys: prefix => [...(prefix === '' ? entries.keys() : (groups.get(prefix) ?? []))],
    unreadable: () => [...unreadable],
    put: (key, value) => inTurn(key, () => write(key, value)),
    remove: key =>
      inTurn(key, async () => {
        mayWrite(key)
        await written(`controller.${kindOf(key)}.removed`, () =>
          withBus(options.bus, key, connection => eraseValue(connection, buckets.store, key)),
        )
        dropEntry(key)
        unreadable.delete(key)
      }),
    putAllAgain,
    seenEpoch: () => seen,
  }
}

interface HeadEntry {
  readonly key: string
  readonly value: Uint8Array
  readonly revision: number
}

const listTimeoutMs = 30_000

/** Every key but chunks. Throws BusDownError when the list does not end in time. */
async function listHeads(bus: Bus, kv: KV): Promise<readonly HeadEntry[]> {
  await withBus(bus, 'store', connection => bucketCreated(connection, buckets.store))
  const heads: HeadEntry[] = []
  const state = { whole: false, stop: () => {} }
  // Called within the iteration, after the last entry; before `watch` returns when there is none.
  const initializedFn = () => {
    state.whole = true
    state.stop()
  }
  const entries = await kv.watch({ key: '>', initializedFn })
  state.stop = () => entries.stop()
  if (state.whole) entries.stop()
  const slow = setTimeout(() => entries.stop(), listTimeoutMs)
  for await (const entry of entries) {
    if (entry.operation === 'PUT' && !entry.key.includes('.chunk.'))
      heads.push({ key: entry.key, value: entry.value, revision: entry.revision })
  }
  clearTimeout(slow)
  if (!state.whole) throw new BusDownError(`store: NATS gave no full list within ${listTimeoutMs / 1000} s`)
  return heads
}

/** `ledger.shop.node_2flab` -> `ledger.`, `ledger.shop.`. */
function groupsOf(key: string): readonly string[] {
  return [...key.matchAll(/\./g)].map(({ index }) => key.slice(0, index + 1))
}

/** `ledger.shop.node_2flab` -> `ledger`. */
function kindOf(key: string): string {
  return key.split('.', 1)[0] ?? key
}

function context(key: string): string {
  return `store ${key}`
}
