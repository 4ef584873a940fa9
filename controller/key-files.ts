// The controller's key and token files: read for a backup, put back from one. What is replaced is kept beside, never lost.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Backup } from './backup.js'

export interface KeyFiles {
  /** By name, base64. */
  read(): Backup['files']
  /** Puts these; gives where what they replaced lies now, '' where they replaced nothing. */
  put(files: Backup['files']): string
  /** For the next start, which goes on with these keys: the whole backup. */
  leave(archive: Uint8Array): void
}

const pending = 'restore.pending'

export function keyFiles(directory: string, now: () => number): KeyFiles {
  return {
    read: () => filesUnder(directory),
    put: files => put(directory, files, `${directory}-replaced-${new Date(now()).toISOString().replaceAll(':', '')}`),
    leave: archive => writeWhole(join(directory, pending), archive),
  }
}

/** A backup that waits for its keys to be in use; null where there is none. */
export function pendingRestore(directory: string): { readonly archive: Uint8Array; readonly done: () => void } | null {
  const file = join(directory, pending)
  return existsSync(file) ? { archive: readFileSync(file), done: () => rmSync(file, { force: true }) } : null
}

function filesUnder(directory: string): Backup['files'] {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  const named = files.map(entry => [join(entry.parentPath, entry.name).slice(directory.length + 1), entry] as const)
  return Object.fromEntries(
    named
      .filter(([name]) => !name.startsWith(pending) && !name.endsWith('.copy'))
      .map(([name, entry]) => [name, readFileSync(join(entry.parentPath, entry.name)).toString('base64')]),
  )
}

function put(directory: string, files: Backup['files'], aside: string): string {
  const here = filesUnder(directory)
  const replaced = Object.keys(files).filter(name => here[name] !== undefined && here[name] !== files[name])
  for (const name of replaced) writeWhole(join(aside, name), Buffer.from(here[name] ?? '', 'base64'))
  for (const [name, content] of Object.entries(files))
    if (here[name] !== content) writeWhole(join(directory, name), Buffer.from(content, 'base64'))
  return replaced.length === 0 ? '' : aside
}

function writeWhole(path: string, content: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(`${path}.new`, content, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
