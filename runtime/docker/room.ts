// How much an image may bring when it is pulled: what the host policy allows, and what the engine's disk has free. Registries say the
// size of each layer before it comes, so a pull that is too much is ended before it has filled anything.
import { statfs } from 'node:fs/promises'
import type { Docker } from './client.js'
import type { PullProgress } from './shapes.js'

/** In bytes; null: no limit, or not known. */
export interface Room {
  readonly allowed: number | null
  readonly free: number | null
}

/** Of the file system that the engine keeps images on; not known where that is not a directory of this machine. */
export async function freeBytes(docker: Docker): Promise<number | null> {
  const { DockerRootDir } = await docker.info()
  if (DockerRootDir === undefined || DockerRootDir === '') return null
  return statfs(DockerRootDir).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => null,
  )
}

/** The sentence about `bytes` that are too many; null where there is room. */
export function excessOf(bytes: number, { allowed, free }: Room): string | null {
  if (allowed !== null && bytes > allowed)
    return `is at least ${sizeText(bytes)} to pull, and the host policy allows ${sizeText(allowed)} (maxImageSize): make it smaller, or allow more`
  if (free !== null && bytes > free)
    return `is at least ${sizeText(bytes)} to pull, and the node has ${sizeText(free)} of disk free: make it smaller, or free some`
  return null
}

/** Takes the lines of a pull; gives the bytes known so far. Layers that are here already are not pulled, and not counted. */
export function pullMeter(): (line: PullProgress) => number {
  const sizes = new Map<string, number>()
  return ({ id, status, progressDetail }) => {
    const total = progressDetail?.total ?? 0
    if (id !== undefined && status === 'Downloading' && total > 0) sizes.set(id, total)
    return [...sizes.values()].reduce((sum, size) => sum + size, 0)
  }
}

/** 1610612736 -> `1.5 GiB`. */
function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1)
  const value = bytes / 1024 ** power
  return `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} ${units[power]}`
}
