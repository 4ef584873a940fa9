// Writes ustar archives: the smallest that an engine takes for images and files.

export interface TarEntry {
  readonly path: string
  readonly content: Buffer
  readonly mode?: number
  /** A symbolic link to this, instead of a file. */
  readonly link?: string
  /** A directory, its path ending in `/`, instead of a file. */
  readonly directory?: true
}

/** Files, links and directories, paths up to 100 bytes; times are zero, so the same content gives the same bytes. */
export function makeTar(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap(entry => [header(entry), entry.content, Buffer.alloc((512 - (entry.content.length % 512)) % 512)])
  return Buffer.concat([...parts, Buffer.alloc(1024)])
}

function header(entry: TarEntry): Buffer {
  const block = Buffer.alloc(512)
  if (Buffer.byteLength(entry.path) > 100) throw new Error(`tar: path longer than 100 bytes: ${entry.path}`)
  block.write(entry.path, 0)
  block.write(octal(entry.mode ?? 0o644, 8), 100)
  block.write(octal(0, 8), 108)
  block.write(octal(0, 8), 116)
  block.write(octal(entry.content.length, 12), 124)
  block.write(octal(0, 12), 136)
  block.write('        ', 148)
  block.write(entry.directory ? '5' : entry.link === undefined ? '0' : '2', 156)
  block.write(entry.link ?? '', 157, 100)
  block.write('ustar\x0000', 257)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\0`
}

/** The content of the first regular file of an archive; null where there is none. */
export function firstFile(tar: Buffer): Buffer | null {
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 136), 8) || 0
    if (tar[at + 156] === 0x30 || tar[at + 156] === 0) return tar.subarray(at + 512, at + 512 + size)
    at += 512 + Math.ceil(size / 512) * 512
  }
  return null
}
