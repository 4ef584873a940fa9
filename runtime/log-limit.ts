// Keeps what a process writes to its standard output, where that is a file, from filling the disk: whoever started it went away.
import { copyFileSync, fstatSync, ftruncateSync, readlinkSync } from 'node:fs'

const limitBytes = 20 * 1024 * 1024
const lookEveryMs = 10 * 60_000

export function limitLog(): void {
  setInterval(() => turnOver(1, limitBytes), lookEveryMs).unref()
}

/**
 * Over `limit` bytes what was written goes to `<path>.1`, in place of what was there, and the file begins anew; true if so. It must have
 * been opened for appending: else what comes next would stand where it would have stood. What cannot be done is left for the next look.
 */
export function turnOver(file: number, limit: number): boolean {
  try {
    const found = fstatSync(file)
    if (!found.isFile() || found.size <= limit) return false
    const path = readlinkSync(`/proc/self/fd/${file}`)
    copyFileSync(path, `${path}.1`)
    ftruncateSync(file, 0)
    return true
  } catch {
    return false
  }
}
