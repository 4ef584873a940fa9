// Charts on disk, by what is in them, for all applications and processes of this machine: written whole or not at all, bounded, never trusted.
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'

export interface Found {
  readonly version: string
  readonly sha256: string
}

export interface ChartStore {
  /** null where it is not there, or is not what its name says. */
  content(sha256: string): Promise<Buffer | null>
  /** Its name. */
  keep(bytes: Uint8Array): Promise<string>
  /** What was found for a question once: `[repository, name, version]`. */
  found(question: readonly string[]): Promise<Found | null>
  remember(question: readonly string[], found: Found): Promise<void>
}

export interface StoreOptions {
  readonly directory: string
  /** Bytes of contents together; what was not used longest goes first. */
  readonly maxBytes?: number
  readonly maxAnswers?: number
  readonly now: () => number
}

const defaultMaxBytes = 1_000_000_000
const defaultMaxAnswers = 10_000
/** A file half written for so long belongs to a process that is gone, ms. */
const abandonedMs = 3_600_000

export function openChartStore(options: StoreOptions): ChartStore {
  const { directory, now, maxBytes = defaultMaxBytes, maxAnswers = defaultMaxAnswers } = options
  const [contents, answers] = [join(directory, 'content'), join(directory, 'found')]
  const answerFile = (question: readonly string[]): string => join(answers, sha256Of(JSON.stringify(question)))
  return {
    async content(sha256) {
      if (!/^[0-9a-f]{64}$/.test(sha256)) return null
      const file = join(contents, sha256)
      const bytes = await readFile(file).catch(missing)
      if (bytes === null) return null
      if (sha256Of(bytes) !== sha256) {
        await rm(file, { force: true })
        return null
      }
      await touch(file, now())
      return bytes
    },
    async keep(bytes) {
      const sha256 = sha256Of(bytes)
      await write(contents, sha256, bytes)
      await touch(join(contents, sha256), now())
      await shrink(contents, { bytes: maxBytes, files: maxAnswers }, sha256, now())
      return sha256
    },
    async found(question) {
      const text = await readFile(answerFile(question), 'utf8').catch(missing)
      const read = text === null ? null : foundIn(text)
      if (read !== null) await touch(answerFile(question), now())
      return read
    },
    async remember(question, found) {
      const name = sha256Of(JSON.stringify(question))
      await write(answers, name, Buffer.from(JSON.stringify({ question, ...found })))
      await touch(join(answers, name), now())
      await shrink(answers, { bytes: Number.POSITIVE_INFINITY, files: maxAnswers }, name, now())
    },
  }
}

function sha256Of(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function missing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null
  throw error
}

function foundIn(text: string): Found | null {
  try {
    const { version, sha256 } = JSON.parse(text) as Record<string, unknown>
    return typeof version === 'string' && typeof sha256 === 'string' ? { version, sha256 } : null
  } catch {
    return null
  }
}

/** When it was last used: what goes first goes by it. Another process may have removed it meanwhile. */
async function touch(file: string, now: number): Promise<void> {
  await utimes(file, now / 1000, now / 1000).catch(missing)
}

/** Beside it and renamed: another process sees it whole or not at all. */
async function write(directory: string, name: string, bytes: Uint8Array): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const partial = join(directory, `.${name}.${randomBytes(6).toString('hex')}`)
  try {
    const file = await open(partial, 'wx', 0o600)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(partial, join(directory, name))
  } catch (cause) {
    await rm(partial, { force: true })
    throw cause
  }
}

async function shrink(
  directory: string,
  most: { readonly bytes: number; readonly files: number },
  kept: string,
  now: number,
): Promise<void> {
  const names = await readdir(directory)
  const known = await Promise.all(names.map(async name => ({ name, at: await stat(join(directory, name)).catch(missing) })))
  const files = known.flatMap(({ name, at }) => (at === null ? [] : [{ name, size: at.size, usedAt: at.mtimeMs }]))
  for (const { name, usedAt } of files)
    if (name.startsWith('.') && now - usedAt > abandonedMs) await rm(join(directory, name), { force: true })
  const oldest = files.filter(({ name }) => !name.startsWith('.')).sort((a, b) => a.usedAt - b.usedAt)
  let [bytes, count] = [oldest.reduce((sum, { size }) => sum + size, 0), oldest.length]
  for (const { name, size } of oldest) {
    if (bytes <= most.bytes && count <= most.files) return
    if (name === kept) continue
    await rm(join(directory, name), { force: true })
    bytes -= size
    count--
  }
}
