// The smallest images for tests: the machine's static busybox and a few files, as an archive that an engine loads.
import { existsSync, readFileSync } from 'node:fs'
import { architecture, type ImageParts, imageArchive, imageParts } from '../../runtime/docker/image-archive.js'

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

/** A docker-archive with `/bin/busybox` and its commands. The same wish gives the same image id. */
export function busyboxArchive(image: TestImage): { readonly id: string; readonly archive: Buffer } {
  return imageArchive(image.tag, busyboxParts(image))
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
  const config = {
    Env: ['PATH=/bin'],
    Entrypoint: image.entrypoint ?? null,
    Cmd: image.command ?? null,
    User: image.user ?? '',
    ...(image.stopSignal === undefined ? {} : { StopSignal: image.stopSignal }),
  }
  const program = { path: 'bin/busybox', content: readFileSync(busybox), mode: 0o755 }
  return imageParts([program, ...links, ...files], config, architecture())
}
