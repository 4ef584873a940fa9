// Git's protocol version 2, one request a command: `ls-refs`, and `fetch` of one wanted commit at depth 1, what we have named, so that only what is new
// comes, whatever happened to the history (gitprotocol-v2). isomorphic-git's own fetch speaks version 1: it downloads the whole
// list of refs each time, the whole tree with depth and the whole history without, and fails where the remote has no HEAD.
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import git, { type HttpClient } from 'isomorphic-git'
import { written } from '../../runtime/failpoint.js'
import { SourceError } from './errors.js'
import { type PackedObject, wholePack } from './pack.js'
import type { RemoteRef } from './transport.js'

export interface ShallowWant {
  readonly oid: string
  /** A commit that is here with its tree; null to start with. */
  readonly have: string | null
}

/** Throws SourceError, and what `http` throws. Afterwards the commit and its tree lie in `gitdir`, as a shallow commit. */
export async function fetchShallow(
  gitdir: string,
  url: string,
  want: ShallowWant,
  http: HttpClient,
  shown: string,
): Promise<void> {
  const body = await command(url, requestOf(want, await shallowCommits(gitdir)), http)
  const temporary = join(gitdir, 'objects/pack', `tmp_${want.oid}`)
  try {
    const { shallow, trailer } = await receive(body, temporary, shown)
    await markShallow(gitdir, shallow)
    if (trailer !== null) await indexPack(gitdir, temporary, trailer)
  } finally {
    await rm(temporary, { force: true })
  }
}

/** Refs whose full name begins with `prefix`, in one request: version 2's `ls-refs`. */
export async function listRefs(url: string, prefix: string, http: HttpClient, shown: string): Promise<readonly RemoteRef[]> {
  const lines = ['peel', 'symrefs', ...(prefix === '' ? [] : [`ref-prefix ${prefix}`])]
  const refs: RemoteRef[] = []
  for await (const line of packets(await command(url, commandOf('ls-refs', lines), http))) {
    const text = line.toString('utf8').trim()
    if (text.startsWith('ERR ')) throw remoteError(text.slice(4), shown)
    const [oid = '', ref = '', ...attributes] = text.split(' ')
    const attribute = (name: string) => attributes.find(each => each.startsWith(`${name}:`))?.slice(name.length + 1) ?? null
    if (/^[0-9a-f]{40}$/.test(oid) && ref.startsWith(prefix))
      refs.push({ ref, oid, peeled: attribute('peeled'), target: attribute('symref-target') })
  }
  return refs
}

async function command(url: string, body: Buffer, http: HttpClient): Promise<AsyncIterable<Uint8Array>> {
  const answer = await http.request({
    url: `${url}/git-upload-pack`,
    method: 'POST',
    headers: {
      'content-type': 'application/x-git-upload-pack-request',
      accept: 'application/x-git-upload-pack-result',
      'git-protocol': 'version=2',
    },
    body: oneChunk(body),
  })
  if (answer.statusCode === 200 && answer.body !== undefined) return answer.body
  throw Object.assign(new Error('refused'), { code: 'HttpError', data: { statusCode: answer.statusCode } })
}

function commandOf(name: string, lines: readonly string[]): Buffer {
  const head = packet(`command=${name}\n`) + packet('agent=slipway\n') + packet('object-format=sha1\n')
  return Buffer.from(`${head}0001${lines.map(line => packet(`${line}\n`)).join('')}0000`)
}

/** Only a thin pack leaves out what the commit that we have holds, where its history is not known (git's --objects-edge-aggressive). */
function requestOf(want: ShallowWant, shallow: ReadonlySet<string>): Buffer {
  const lines = ['thin-pack', 'ofs-delta', 'no-progress', 'deepen 1', `want ${want.oid}`]
  if (want.have !== null && shallow.has(want.have)) lines.push(`shallow ${want.have}`)
  if (want.have !== null) lines.push(`have ${want.have}`)
  return commandOf('fetch', [...lines, 'done'])
}

function packet(text: string): string {
  return (Buffer.byteLength(text) + 4).toString(16).padStart(4, '0') + text
}

async function* oneChunk(chunk: Buffer): AsyncIterableIterator<Uint8Array> {
  yield chunk
}

interface Received {
  readonly shallow: readonly string[]
  /** The pack's own SHA-1, checked; null for a pack of no objects. */
  readonly trailer: string | null
}

/** Sections `shallow-info` and `packfile`; the pack's bytes go to `file` as they come. */
async function receive(body: AsyncIterable<Uint8Array>, file: string, shown: string): Promise<Received> {
  const shallow: string[] = []
  const pack = await packWriter(file)
  let section = ''
  try {
    for await (const line of packets(body)) {
      if (section === 'packfile') await takeSideBand(line, pack, shown)
      else {
        const text = line.toString('utf8').trim()
        if (text.startsWith('ERR ')) throw remoteError(text.slice(4), shown)
        if (text === 'packfile' || text === 'shallow-info') section = text
        else if (text.startsWith('shallow ')) shallow.push(text.slice('shallow '.length))
      }
    }
    return { shallow, trailer: await pack.finish(shown) }
  } finally {
    await pack.close()
  }
}

async function takeSideBand(line: Buffer, pack: PackWriter, shown: string): Promise<void> {
  if (line[0] === 1) await pack.write(line.subarray(1))
  if (line[0] === 3) throw remoteError(line.toString('utf8', 1), shown)
}

function remoteError(said: string, shown: string): SourceError {
  if (/not our ref|unadvertised object/i.test(said)) {
    return new SourceError('RevisionNotFound', `${shown} does not have this commit (any more): check spec.source.targetRevision`)
  }
  return new SourceError('RepositoryUnreachable', `${shown} could not make a pack; it is asked again by itself`, true)
}

/** The payloads of packet lines; flush, delimiter and end packets are skipped. Holds at most one packet (64 KB) and a chunk. */
async function* packets(body: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of body) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    for (let length = lengthOf(rest); length > 0 && rest.length >= length; length = lengthOf(rest)) {
      if (length > 4) yield rest.subarray(4, length)
      rest = rest.subarray(length)
    }
  }
  if (rest.length > 0) throw cutShort()
}

/** Of the packet that begins here, its own 4 digits included; 0 where they are not all there yet. */
function lengthOf(bytes: Buffer): number {
  if (bytes.length < 4) return 0
  const length = Number.parseInt(bytes.toString('latin1', 0, 4), 16)
  if (Number.isNaN(length)) throw cutShort()
  return Math.max(4, length)
}

function cutShort(): Error {
  return Object.assign(new Error('the answer is cut short'), { code: 'UND_ERR_SOCKET' })
}

type PackWriter = Awaited<ReturnType<typeof packWriter>>

async function packWriter(file: string) {
  const handle = await open(file, 'w')
  const hash = createHash('sha1')
  let tail: Buffer = Buffer.alloc(0)
  let head: Buffer = Buffer.alloc(0)
  return {
    /** The last 20 bytes are the hash of all before them, so they are kept back. */
    async write(bytes: Buffer): Promise<void> {
      await handle.write(bytes)
      if (head.length < 12) head = Buffer.concat([head, bytes]).subarray(0, 12)
      const all = Buffer.concat([tail, bytes])
      const body = all.subarray(0, Math.max(0, all.length - 20))
      hash.update(body)
      tail = Buffer.from(all.subarray(body.length))
    },
    async finish(shown: string): Promise<string | null> {
      if (head.length < 12 || head.toString('latin1', 0, 4) !== 'PACK') throw cutShort()
      if (hash.digest('hex') !== tail.toString('hex')) {
        throw new SourceError(
          'RepositoryUnreachable',
          `${shown} sent a pack that is cut short or damaged; it is asked again by itself`,
          true,
        )
      }
      return head.readUInt32BE(8) === 0 ? null : tail.toString('hex')
    },
    close: () => handle.close(),
  }
}

/** The index is written last: a pack without one does not count. Never thin: see pack.ts. */
async function indexPack(gitdir: string, temporary: string, trailer: string): Promise<void> {
  const whole = await wholePack(await readFile(temporary), oid => packedObject(gitdir, oid))
  if (whole !== null) await writeFile(temporary, whole.bytes)
  const filepath = `objects/pack/pack-${whole?.trailer ?? trailer}.pack`
  await written('controller.git.pack', () => rename(temporary, join(gitdir, filepath)))
  await written('controller.git.index', () => git.indexPack({ fs, dir: gitdir, gitdir, filepath }))
}

async function packedObject(gitdir: string, oid: string): Promise<PackedObject> {
  const { type, object } = await git.readObject({ fs, gitdir, oid, format: 'content' })
  return { type: type as PackedObject['type'], content: object as Uint8Array }
}

async function shallowCommits(gitdir: string): Promise<ReadonlySet<string>> {
  const text = await readFile(join(gitdir, 'shallow'), 'utf8').catch(() => '')
  return new Set(text.split('\n').filter(line => line !== ''))
}

async function markShallow(gitdir: string, commits: readonly string[]): Promise<void> {
  const all = [...new Set([...(await shallowCommits(gitdir)), ...commits])]
  const temporary = join(gitdir, 'shallow.new')
  await writeFile(temporary, all.map(commit => `${commit}\n`).join(''))
  await written('controller.git.shallow', () => rename(temporary, join(gitdir, 'shallow')))
}
