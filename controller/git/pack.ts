// Packs made whole: a thin pack holds deltas against objects that lie elsewhere. Kept as they come, two packs may each hold the
// base of the other's delta (a revert does that), and reading goes round for ever; so the bases are put in, as git's own
// `index-pack --fix-thin` does (gitformat-pack).
import { createHash } from 'node:crypto'
import { deflateSync, inflateSync, type Zlib } from 'node:zlib'

export interface PackedObject {
  readonly type: 'commit' | 'tree' | 'blob' | 'tag'
  readonly content: Uint8Array
}

export interface WholePack {
  readonly bytes: Buffer
  /** Its SHA-1, which names it. */
  readonly trailer: string
}

const ofsDelta = 6
const refDelta = 7
const typeNumbers = { commit: 1, tree: 2, blob: 3, tag: 4 } as const
const trailerBytes = 20

/** Appends each base that a delta names by its hash; null where there is none: the pack is whole already. */
export async function wholePack(pack: Buffer, baseOf: (oid: string) => Promise<PackedObject>): Promise<WholePack | null> {
  const bases = externalBases(pack)
  if (bases.length === 0) return null
  const added = await Promise.all(bases.map(async oid => entryOf(await baseOf(oid))))
  const head = Buffer.from(pack.subarray(0, 12))
  head.writeUInt32BE(pack.readUInt32BE(8) + added.length, 8)
  const body = Buffer.concat([head, pack.subarray(12, pack.length - trailerBytes), ...added])
  const hash = createHash('sha1').update(body).digest()
  return { bytes: Buffer.concat([body, hash]), trailer: hash.toString('hex') }
}

/** A delta names its base by hash only where the base is not in the pack: inside, servers name it by offset. */
function externalBases(pack: Buffer): readonly string[] {
  const bases = new Set<string>()
  let at = 12
  for (let left = pack.readUInt32BE(8); left > 0; left--) {
    const type = ((pack[at] ?? 0) >> 4) & 7
    at = afterVarint(pack, at)
    if (type === ofsDelta) at = afterVarint(pack, at)
    if (type === refDelta) {
      bases.add(pack.toString('hex', at, at + 20))
      at += 20
    }
    at += deflatedLength(pack.subarray(at, pack.length - trailerBytes))
  }
  return [...bases]
}

/** Numbers of either kind go on while the highest bit is set. */
function afterVarint(pack: Buffer, at: number): number {
  let end = at
  while ((pack[end] ?? 0) & 0x80) end++
  return end + 1
}

/** How many bytes the stream that begins here has. */
function deflatedLength(bytes: Buffer): number {
  const { engine } = inflateSync(bytes, { info: true }) as unknown as { readonly engine: Zlib }
  return engine.bytesWritten
}

/** Type and size (4 bits, then 7 at a time, lowest first), then the deflated content. */
function entryOf({ type, content }: PackedObject): Buffer {
  const head: number[] = []
  let size = content.length >> 4
  head.push((typeNumbers[type] << 4) | (content.length & 15) | (size > 0 ? 0x80 : 0))
  for (; size > 0; size >>= 7) head.push((size & 0x7f) | (size > 0x7f ? 0x80 : 0))
  return Buffer.concat([Buffer.from(head), deflateSync(content)])
}
