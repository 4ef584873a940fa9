// The smallest images for tests: the machine's static busybox and a few files, as an archive that an engine loads.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { makeTar } from '../../runtime/docker/tar.js'

const applets = [
  'sh',
  'sleep',
  'httpd',
  'nc',
  'cat',
  'echo',
  'tail',
  'dd',
  'wget',
  'ls',
  'stat',
  'id',
  'touch',
  'test',
  'true',
  'false',
  'kill',
  'env',
  'mkdir',
  'hostname',
  'printf',
  'date',
  'base64',
  'seq',
  'head',
]

export interface TestImage {
  readonly tag: string
  readonly entrypoint?: readonly string[]
  readonly command?: readonly string[]
  readonly user?: string
  readonly stopSignal?: string
  /** Absolute path -> content. */
  readonly files?: Readonly<Record<string, string>>
}

/** One layer (an uncompressed tar) and the configuration that names it. */
export interface ImageParts {
  readonly config: Buffer
  readonly layer: Buffer
}

/** A docker-archive with `/bin/busybox` and its commands. The same wish gives the same image id. */
export function busyboxArchive(image: TestImage): { readonly id: string; readonly archive: Buffer } {
  const { config, layer } = busyboxParts(image)
  const hash = sha256(config)
  const manifest = [{ Config: `${hash}.json`, RepoTags: [image.tag], Layers: ['layer.tar'] }]
  const archive = makeTar([
    { path: `${hash}.json`, content: config },
    { path: 'layer.tar', content: layer },
    { path: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) },
  ])
  return { id: `sha256:${hash}`, archive }
}

export function busyboxParts(image: TestImage): ImageParts {
  const busybox = ['/bin/busybox', '/usr/bin/busybox'].find(path => existsSync(path))
  if (busybox === undefined) throw new Error('no busybox on this machine: install busybox-static')
  const files = Object.entries(image.files ?? {}).map(([path, content]) => ({
    path: path.slice(1),
    content: Buffer.from(content),
    mode: 0o755,
  }))
  const links = applets.map(name => ({ path: `bin/${name}`, content: Buffer.alloc(0), link: 'busybox', mode: 0o777 }))
  const layer = makeTar([{ path: 'bin/busybox', content: readFileSync(busybox), mode: 0o755 }, ...links, ...files])
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: {
        Env: ['PATH=/bin'],
        Entrypoint: image.entrypoint ?? null,
        Cmd: image.command ?? null,
        User: image.user ?? '',
        ...(image.stopSignal === undefined ? {} : { StopSignal: image.stopSignal }),
      },
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    }),
  )
  return { config, layer }
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}
