// Container images without a registry: a docker-archive made from a static busybox, or from the running Node with its libraries.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, realpathSync } from 'node:fs'

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

/** A docker-archive (manifest.json, config, one layer) for `POST /images/load`. Same input, same image id. */
export function imageArchive(tag: string, files: readonly ImageFile[], config: ImageConfig): Buffer {
  const layer = tar(files.map(file => ({ ...file, path: file.path.replace(/^\/+/, '') })))
  const image = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Entrypoint: config.entrypoint, Env: config.env ?? ['PATH=/bin:/usr/bin'], WorkingDir: config.workingDir ?? '/' },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
  })
  const name = sha256(Buffer.from(image))
  const manifest = JSON.stringify([{ Config: `${name}.json`, RepoTags: [tag], Layers: ['layer.tar'] }])
  return tar([
    { path: 'manifest.json', content: manifest },
    { path: `${name}.json`, content: image },
    { path: 'layer.tar', content: layer },
  ])
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

/** POSIX ustar; directories are made on the way. */
export function tar(files: readonly ImageFile[]): Buffer {
  const blocks: Buffer[] = []
  const made = new Set<string>()
  for (const file of files) {
    const parts = file.path.split('/')
    for (let depth = 1; depth < parts.length; depth++) {
      const dir = `${parts.slice(0, depth).join('/')}/`
      if (made.has(dir)) continue
      made.add(dir)
      blocks.push(header(dir, 0, dir === 'tmp/' ? 0o1777 : 0o755, '5'))
    }
    const content = typeof file.content === 'string' ? Buffer.from(file.content) : Buffer.from(file.content)
    blocks.push(
      header(file.path, content.length, file.mode ?? 0o644, '0'),
      content,
      Buffer.alloc((512 - (content.length % 512)) % 512),
    )
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

function header(path: string, size: number, mode: number, type: '0' | '5'): Buffer {
  const block = Buffer.alloc(512)
  if (Buffer.byteLength(path) > 99) throw new Error(`${path}: longer than the 99 bytes of a ustar name`)
  block.write(path, 0)
  block.write(`${mode.toString(8).padStart(7, '0')}\0`, 100)
  block.write('0000000\0', 108)
  block.write('0000000\0', 116)
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  block.write('00000000000\0', 136)
  block.write('        ', 148)
  block.write(type, 156)
  block.write('ustar\0', 257)
  block.write('00', 263)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
