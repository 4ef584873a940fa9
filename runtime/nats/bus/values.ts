// Reads and writes values of a bucket, large ones in chunks, and says what went wrong in words of ours.

import type { KV, NatsConnection } from 'nats'
import { NatsError } from 'nats'
import { cut, join, pointerOf } from '../../contract/chunks.js'
import { written } from '../../failpoint.js'
import type { Bus } from './connect.js'
import { BusDownError } from './connect.js'

/** Somebody else wrote the key since we read it: read again, then decide again. */
export class ConflictError extends Error {
  override name = 'ConflictError'
}

/** The bucket is not there (not made yet, or the store was wiped). */
export class BucketMissingError extends Error {
  override name = 'BucketMissingError'
}

export interface Value {
  readonly bytes: Uint8Array
  readonly revision: number
}

const bound = new WeakMap<NatsConnection, Map<string, Promise<KV>>>()

/** A handle that asks for no more rights than a node has: bound, never made; read by direct get. One for each connection. */
export function bindBucket(connection: NatsConnection, bucket: string): Promise<KV> {
  const handles = bound.get(connection) ?? new Map<string, Promise<KV>>()
  bound.set(connection, handles)
  const there = handles.get(bucket)
  if (there !== undefined) return there
  const handle = connection.jetstream({ timeout: 5_000 }).views.kv(bucket, { bindOnly: true, allow_direct: true })
  handles.set(bucket, handle)
  handle.catch(() => handles.delete(bucket))
  return naming(bucket, () => handle)
}

/** When the bucket was made: another answer than before means that its store was wiped. Throws BucketMissingError. */
export async function bucketCreated(connection: NatsConnection, bucket: string): Promise<string> {
  const response = await naming(bucket, () => connection.request(`$JS.API.STREAM.INFO.KV_${bucket}`, '', { timeout: 5_000 }))
  const info = response.json<{
    readonly created?: string
    readonly error?: { readonly description: string; readonly err_code: number }
  }>()
  if (info.created !== undefined) return info.created
  if (info.error?.err_code === streamNotFound) throw new BucketMissingError(`NATS has no bucket ${bucket}`)
  throw new Error(`NATS: bucket ${bucket}: ${info.error?.description ?? 'no answer that we understand'}`)
}

/**
 * Writes chunks first, the head last. `revision`: of the head as it was read (0: there was none), or null to write in any case.
 * Throws ConflictError, BucketMissingError, BusDownError; after a BusDownError the write may have landed: read before writing again.
 */
export async function writeValue(
  kv: KV,
  key: string,
  bytes: Uint8Array,
  options: { readonly revision: number | null; readonly set: string },
): Promise<number> {
  const pieces = cut(bytes, options.set)
  return naming(key, async () => {
    for (const chunk of pieces.chunks) await written('chunk.written', () => kv.put(`${key}.${chunk.name}`, chunk.bytes))
    return options.revision === null ? kv.put(key, pieces.head) : kv.put(key, pieces.head, { previousSeq: options.revision })
  })
}

/** null when there is none. Throws ChunkError while a large one is being replaced. */
export async function readValue(kv: KV, key: string): Promise<Value | null> {
  const entry = await naming(key, () => kv.get(key))
  if (entry === null || entry.operation !== 'PUT') return null
  return { bytes: await joinValue(kv, key, entry.value), revision: entry.revision }
}

/** The whole value of a head that a watch gave. */
export function joinValue(kv: KV, key: string, head: Uint8Array): Promise<Uint8Array> {
  return join(head, async name => {
    const entry = await naming(key, () => kv.get(`${key}.${name}`))
    return entry === null || entry.operation !== 'PUT' ? null : entry.value
  })
}

/** Removes a key and its chunks without leaving markers. For the controller, whose rights allow it. */
export async function eraseValue(connection: NatsConnection, bucket: string, key: string): Promise<void> {
  const manager = await connection.jetstreamManager({ timeout: 5_000 })
  for (const filter of [`$KV.${bucket}.${key}`, `$KV.${bucket}.${key}.>`]) {
    await naming(key, () => manager.streams.purge(`KV_${bucket}`, { filter }))
  }
}

/** Removes chunks of writings other than the one that `head` names. */
export async function eraseOldChunks(
  connection: NatsConnection,
  bucket: string,
  key: string,
  former: Uint8Array,
  set: string,
): Promise<void> {
  const old = pointerOf(former)?.set
  if (old === undefined || old === set) return
  const manager = await connection.jetstreamManager({ timeout: 5_000 })
  await naming(key, () => manager.streams.purge(`KV_${bucket}`, { filter: `$KV.${bucket}.${key}.chunk.${old}.>` }))
}

const streamNotFound = 10059
const wrongLastSequence = 10071

/** Runs `act` on a connected bus; errors of the client come out as ours. */
export async function withBus<T>(bus: Bus, what: string, act: (connection: NatsConnection) => Promise<T>): Promise<T> {
  const connection = bus.connection()
  return naming(what, () => act(connection))
}

async function naming<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw named(what, error)
  }
}

function named(what: string, error: unknown): unknown {
  if (!(error instanceof NatsError)) return error
  const code = error.api_error?.err_code
  if (code === wrongLastSequence) return new ConflictError(`${what}: written by somebody else meanwhile`, { cause: error })
  if (code === streamNotFound || error.code === '503')
    return new BucketMissingError(`${what}: NATS has no bucket for it`, { cause: error })
  if (downCodes.has(error.code)) return new BusDownError(`${what}: NATS does not answer (${error.code})`, { cause: error })
  return error
}

const downCodes = new Set([
  'TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_DRAINING',
  'DISCONNECT',
  'CONNECTION_REFUSED',
  'CONNECTION_TIMEOUT',
])
