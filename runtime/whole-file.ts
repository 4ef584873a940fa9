// Replaces a file at once: whatever ends in between, there is the old content or the new one.
import { closeSync, fsync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const flushed = promisify(fsync)

/**
 * The content is on the disk before the name is: else a power cut may leave the new name without it (XFS, ext4 with delayed allocation
 * and `noauto_da_alloc`). `durable`: the name survives a power cut as well, once resolved. Only the disk is waited for: the other calls
 * take less time than a turn through the thread pool, which on a busy machine takes milliseconds, and a pod waits for three such files.
 * Two writers of one path take turns.
 */
export async function replaceFile(path: string, content: Uint8Array, durable: boolean): Promise<void> {
  const beside = `${path}${suffix}`
  try {
    await throughFile(beside, 'w', async file => {
      writeFileSync(file, content)
      await flushed(file)
    })
    renameSync(beside, path)
    if (durable) await throughFile(dirname(path), 'r', flushed)
  } catch (error) {
    rmSync(beside, { force: true })
    throw error
  }
}

/**
 * The same content once more, for the day when the file cannot be read: not flushed, for the file is. Whole, or not there at all: where it
 * cannot be written (a full disk) one of before goes, since it says something else, and nobody waits for it.
 */
export function copyBeside(path: string, content: Uint8Array): void {
  const beside = `${copyOf(path)}${suffix}`
  try {
    writeFileSync(beside, content, { mode: 0o600 })
    renameSync(beside, copyOf(path))
  } catch {
    removeQuietly(copyOf(path))
    removeQuietly(beside)
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // It is in nobody's way until it is written again.
  }
}

export function copyOf(path: string): string {
  return `${path}.copy`
}

/** A value that was read, what was found on the way ('' where nothing was wrong), and whether nothing was there at all. */
export interface Read<T> {
  readonly value: T | null
  readonly fault: string
}

/**
 * The file, else its copy, which takes its place. `open` throws for what is not whole. Value null: nothing was there, or (`fault`)
 * nothing of it can be read. `aside`: a file that cannot be read is kept as `.broken`; else it stays where it is.
 */
export function readKept<T>(path: string, aside: boolean, open: (content: Buffer) => T): Read<T> {
  const [own, copy] = [tryRead(path, open), tryRead(copyOf(path), open)]
  if (own.content === null && copy.content === null) return { value: null, fault: '' }
  if (own.value !== null) {
    if (copy.value === null) copyBeside(path, own.content!)
    return { value: own.value, fault: '' }
  }
  if (own.content !== null && aside) renameSync(path, `${path}.broken`)
  const kept = aside ? `; kept as ${path}.broken` : ''
  const said = own.content === null ? `${path} is missing` : `${path}: ${own.problem}${kept}`
  if (copy.value === null) return { value: null, fault: said }
  writeFileSync(`${path}${suffix}`, copy.content!, { mode: 0o600, flush: true } as never)
  renameSync(`${path}${suffix}`, path)
  return { value: copy.value, fault: `${said}; its copy is used` }
}

function tryRead<T>(
  path: string,
  open: (content: Buffer) => T,
): { readonly value: T | null; readonly content: Buffer | null; readonly problem: string } {
  let content: Buffer
  try {
    content = readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { value: null, content: null, problem: '' }
    throw new Error(`reading ${path}`, { cause: error })
  }
  try {
    return { value: open(content), content, problem: '' }
  } catch (error) {
    return { value: null, content, problem: content.length === 0 ? 'it is empty' : (error as Error).message }
  }
}

/** The copy first: a file alone is whole, a copy alone would be taken for it. */
export async function removeKept(path: string): Promise<void> {
  await rm(copyOf(path), { force: true })
  await rm(path, { force: true })
}

/** What a process that was killed had written beside a file of this directory: nobody else would ever take it away. */
export async function dropUnfinished(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter(name => name.endsWith(suffix))
  // One that cannot be removed is in nobody's way until its file is written again, and that says why it cannot be.
  await Promise.all(names.map(name => rm(join(directory, name), { force: true }).catch(() => {})))
}

const suffix = '.new'

async function throughFile(path: string, flags: 'w' | 'r', act: (file: number) => Promise<void>): Promise<void> {
  const file = openSync(path, flags, 0o600)
  try {
    await act(file)
  } finally {
    closeSync(file)
  }
}
