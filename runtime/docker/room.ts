// How much an image may bring when it is pulled: what the host policy allows, and what the engine's disk has free. Registries say the
// size of each layer before it comes, so a pull that is too much is ended before it has filled anything.
import { statfs } from 'node:fs/promises'
import type { Docker } from './client.js'
import type { EngineInfo, PullProgress } from './shapes.js'

/** In bytes; null: no limit, or not known. */
export interface Room {
  readonly allowed: number | null
  readonly free: number | null
}

/** Of the file system that the engine keeps images on; not known where that is not a directory of this machine. `named`: as below. */
export async function freeBytes(docker: Docker, named: string | null): Promise<number | null> {
  const directory = imageDirectory(docker.host, await docker.info(), named)
  if (directory === null) return null
  return statfs(directory).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => null,
  )
}

/**
 * Where the engine at `host` (as in DOCKER_HOST) keeps images; null: it does not say, or it is another machine's. `named`: what the host
 * policy says. With containerd's image store (the default of new installations from Docker 29 on) they lie in containerd's own directory.
 */
export function imageDirectory(
  host: string,
  { DockerRootDir = '', DriverStatus }: EngineInfo,
  named: string | null,
): string | null {
  if (named !== null) return named
  const isContainerds = DriverStatus?.some(([, value = '']) => value.startsWith('io.containerd.snapshotter')) ?? false
  return host.startsWith('unix:') && !isContainerds && DockerRootDir !== '' ? DockerRootDir : null
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
