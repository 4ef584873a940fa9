// Images made on the spot, without a registry: one layer, its configuration, and the archive that an engine loads.
import { createHash } from 'node:crypto'
import { makeTar, type TarEntry } from './tar.js'

/** The image's configuration as engines have it: `Entrypoint`, `Cmd`, `Env`, `User`, `WorkingDir`... */
export type ImageConfig = Readonly<Record<string, unknown>>

/** One layer (an uncompressed tar) and the configuration that names it. */
export interface ImageParts {
  readonly config: Buffer
  readonly layer: Buffer
}

/** `architecture` as engines name it: `amd64`, `arm64`. */
export function imageParts(entries: readonly TarEntry[], config: ImageConfig, architecture: string): ImageParts {
  const layer = makeTar(entries)
  const rootfs = { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] }
  return { config: Buffer.from(JSON.stringify({ architecture, os: 'linux', config, rootfs })), layer }
}

/** A docker-archive (`POST /images/load`) and the id that the engine will give it: the same parts, the same id. */
export function imageArchive(tag: string, { config, layer }: ImageParts): { readonly id: string; readonly archive: Buffer } {
  const hash = sha256(config)
  const manifest = [{ Config: `${hash}.json`, RepoTags: [tag], Layers: ['layer.tar'] }]
  const archive = makeTar([
    { path: `${hash}.json`, content: config },
    { path: 'layer.tar', content: layer },
    { path: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) },
  ])
  return { id: `sha256:${hash}`, archive }
}

/** Of this machine. */
export function architecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}
