// Container images without a registry: a docker-archive made from a static busybox, or from the running Node with its libraries.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { architecture, imageArchive, imageParts } from '../../runtime/docker/image-archive.js'
import type { TarEntry } from '../../runtime/docker/tar.js'

export interface ImageFile {
  /** Absolute inside the image. */
  readonly path: string
  readonly content: Uint8Array | string
  /** Default 0o644. */
  readonly mode?: number
}

export interface ImageConfig {
  readonly entrypoint: readonly string[]
  readonly env?: readonly string[]
  readonly workingDir?: string
}

/** A docker-archive for `POST /images/load`. Same input, same image id. */
export function demoImage(tag: string, files: readonly ImageFile[], { entrypoint, env, workingDir }: ImageConfig): Buffer {
  const config = { Entrypoint: entrypoint, Env: env ?? ['PATH=/bin:/usr/bin'], WorkingDir: workingDir ?? '/' }
  return imageArchive(tag, imageParts(entriesOf(files), config, architecture())).archive
}

const busyboxPaths = ['/bin/busybox', '/usr/bin/busybox', '/bin/busybox.static']

/** The path of a busybox that runs in an empty image; null where there is none. */
export function staticBusybox(): string | null {
  return busyboxPaths.find(path => existsSync(path) && isStatic(path)) ?? null
}

/** ELF without a program interpreter (PT_INTERP = 3): needs no libraries. */
function isStatic(path: string): boolean {
  const elf = readFileSync(path)
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46) return false
  const table = Number(elf.readBigUInt64LE(32))
  const size = elf.readUInt16LE(54)
  const count = elf.readUInt16LE(56)
  return !Array.from({ length: count }, (_, i) => elf.readUInt32LE(table + i * size)).includes(3)
}

/** busybox under /bin with the applets that examples and tests use. */
export function busyboxFiles(path: string): readonly ImageFile[] {
  const busybox = readFileSync(path)
  const wrap = (applet: string): ImageFile => ({
    path: `/bin/${applet}`,
    content: `#!/bin/busybox sh\nexec /bin/busybox ${applet} "$@"\n`,
    mode: 0o755,
  })
  const applets = [
    'httpd',
    'sleep',
    'cat',
    'echo',
    'wget',
    'nc',
    'nslookup',
    'env',
    'ls',
    'date',
    'dd',
    'tail',
    'kill',
    'mkdir',
    'true',
    'false',
    'touch',
    'rm',
    'stat',
    'id',
    'hostname',
  ]
  return [
    { path: '/bin/busybox', content: busybox, mode: 0o755 },
    { path: '/bin/sh', content: busybox, mode: 0o755 },
    ...applets.map(wrap),
    { path: '/tmp/.keep', content: '' },
    { path: '/etc/passwd', content: 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' },
  ]
}

/** The running Node binary and the shared libraries that `ldd` names. */
export function nodeFiles(): readonly ImageFile[] {
  const binary = realpathSync(process.execPath)
  const listed = execFileSync('ldd', [binary], { encoding: 'utf8' })
  const libraries = [...listed.matchAll(/(\/\S+) \(0x/g)].map(match => match[1] ?? '').filter(path => path !== '')
  return [
    { path: '/bin/node', content: readFileSync(binary), mode: 0o755 },
    ...libraries.map(path => ({ path, content: readFileSync(realpathSync(path)), mode: 0o755 })),
    { path: '/tmp/.keep', content: '' },
  ]
}

/** With the directories that lead to them. */
function entriesOf(files: readonly ImageFile[]): readonly TarEntry[] {
  const paths = files.map(file => file.path.replace(/^\/+/, ''))
  const directories = paths.flatMap(path => path.split('/').map((_, depth, parts) => parts.slice(0, depth).join('/')))
  const made = [...new Set(directories)].filter(path => path !== '')
  return [
    ...made.map(path => ({
      path: `${path}/`,
      content: Buffer.alloc(0),
      mode: path === 'tmp' ? 0o1777 : 0o755,
      directory: true as const,
    })),
    ...files.map(({ content, mode }, at) => ({ path: paths[at] ?? '', content: Buffer.from(content), mode: mode ?? 0o644 })),
  ]
}
