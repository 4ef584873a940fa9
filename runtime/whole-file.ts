// Replaces a file at once: whatever ends in between, there is the old content or the new one.
import { closeSync, fsync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
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
