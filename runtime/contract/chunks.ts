// Values over the limit of one message: cut into chunks under the key's own prefix, and a head that names them. The head is written
// last, so a reader sees a value whole or not at all. Pure: who writes and reads passes the store in.
import { createHash } from 'node:crypto'

/** NATS refuses messages over 1 MB by default; half of it leaves room for headers and does not hold up others. */
export const chunkBytes = 512 * 1024

export interface Pieces {
  readonly head: Uint8Array
  /** Written before the head, under `<key's prefix>.<name>`. */
  readonly chunks: readonly { readonly name: string; readonly bytes: Uint8Array }[]
}

export interface ChunkPointer {
  readonly set: string
  readonly count: number
  readonly hash: string
}

/** A chunk is missing or of another writing: the head that belongs to it comes, or has come; look again. */
export class ChunkError extends Error {
  override name = 'ChunkError'
}

/** `set` tells two writings apart: a writer uses two in turn, so that readers of the last one can finish. A token without dots. */
export function cut(bytes: Uint8Array, set: string, limit = chunkBytes): Pieces {
  if (bytes.length < limit) return { head: Buffer.concat([Buffer.from('='), bytes]), chunks: [] }
  const count = Math.ceil(bytes.length / limit)
  const chunks = Array.from({ length: count }, (_, index) => ({
    name: chunkName(set, index),
    bytes: bytes.subarray(index * limit, (index + 1) * limit),
  }))
  const pointer: ChunkPointer = { set, count, hash: hashOf(bytes) }
  return { head: Buffer.from(`#${JSON.stringify(pointer)}`), chunks }
}

export function chunkName(set: string, index: number): string {
  return `chunk.${set}.${index}`
}

/** Which chunks a head names; null when the value lies in the head itself. */
export function pointerOf(head: Uint8Array): ChunkPointer | null {
  if (head[0] === 61) return null
  const { set, count, hash } = parse(head.subarray(1))
  if (typeof set === 'string' && /^[\w-]+$/.test(set) && isCount(count) && typeof hash === 'string') {
    return { set, count: Number(count), hash }
  }
  throw new ChunkError('neither a value nor a list of chunks')
}

/** No document is larger than that: who names more means no good. */
const mostChunks = 1_024

function isCount(count: unknown): boolean {
  return Number.isInteger(count) && Number(count) > 0 && Number(count) <= mostChunks
}

/** Throws ChunkError when a chunk is missing or is not of this writing. */
export async function join(head: Uint8Array, read: (name: string) => Promise<Uint8Array | null>): Promise<Uint8Array> {
  const pointer = pointerOf(head)
  if (pointer === null) return head.subarray(1)
  const names = Array.from({ length: pointer.count }, (_, index) => chunkName(pointer.set, index))
  const chunks = await Promise.all(names.map(read))
  const missing = chunks.indexOf(null)
  if (missing >= 0) throw new ChunkError(`chunk ${missing + 1} of ${pointer.count} is missing`)
  const bytes = Buffer.concat(chunks as Uint8Array[])
  if (hashOf(bytes) !== pointer.hash) throw new ChunkError(`${pointer.count} chunks do not belong to their head`)
  return bytes
}

function parse(bytes: Uint8Array): { readonly [field: string]: unknown } {
  try {
    return (JSON.parse(Buffer.from(bytes).toString('utf8')) as { readonly [field: string]: unknown } | null) ?? {}
  } catch (cause) {
    throw new ChunkError('neither a value nor a list of chunks', { cause })
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
