// A packed chart (`.tgz`) to its files: our own tar reader, with the path checks and sizes of Helm's `loader/archive.go`.
import { gunzipSync } from 'node:zlib'
import { ChartError } from './metadata.js'

export interface ChartFile {
  /** Relative to the chart's folder, '/' between. */
  readonly name: string
  readonly bytes: Uint8Array
}

/** Bytes unpacked, of a chart and of one file. */
export const largestChart = 100 * 1024 * 1024
export const largestFile = 5 * 1024 * 1024

/** The files in the archive's order, without the folder at its top. Throws `ChartError`. */
export function unpack(archive: Uint8Array): ChartFile[] {
  const files: ChartFile[] = []
  let total = 0
  for (const entry of entries(unzipped(archive))) {
    const name = relative(entry.name)
    if (entry.bytes.length > largestFile)
      throw new ChartError(
        `decompressed chart file ${JSON.stringify(entry.name)} is larger than the maximum file size ${largestFile}`,
      )
    total += entry.bytes.length
    if (total >= largestChart) throw new ChartError(`decompressed chart is larger than the maximum file size ${largestChart}`)
    files.push({ name, bytes: withoutMark(entry.bytes) })
  }
  if (files.length === 0) throw new ChartError('no files in chart archive')
  return files
}

export function withoutMark(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes
}

function unzipped(archive: Uint8Array): Uint8Array {
  if (archive.length < 10) throw new ChartError(archive.length === 0 ? 'EOF' : 'unexpected EOF')
  if (archive[0] !== 0x1f || archive[1] !== 0x8b) throw new ChartError('gzip: invalid header')
  try {
    return gunzipSync(archive, { maxOutputLength: largestChart + 1024 * 1024 })
  } catch (cause) {
    if (cause instanceof RangeError)
      throw new ChartError(`decompressed chart is larger than the maximum file size ${largestChart}`)
    if ((cause as NodeJS.ErrnoException).code === 'Z_BUF_ERROR') throw new ChartError('unexpected EOF')
    throw new ChartError('gzip: the archive is damaged')
  }
}

/** Without the first folder. */
function relative(full: string): string {
  const delimiter = full.includes('\\') ? '\\' : '/'
  const [first = '', ...rest] = full.split(delimiter)
  const joined = rest.join('/')
  if (joined.startsWith('/')) throw new ChartError('chart illegally contains absolute paths')
  const name = cleaned(joined)
  if (name === '.') throw new ChartError(`chart illegally contains content outside the base directory: ${JSON.stringify(full)}`)
  if (name.startsWith('..')) throw new ChartError('chart illegally references parent directory')
  if (/^[a-zA-Z]:\//.test(name)) throw new ChartError('chart contains illegally named files')
  if (first === 'Chart.yaml') throw new ChartError('chart yaml not in base directory')
  return name
}

/** Go's `path.Clean` of a relative path. */
function cleaned(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop()
    else parts.push(part)
  }
  return parts.length === 0 ? '.' : parts.join('/')
}

interface Entry {
  readonly name: string
  readonly bytes: Uint8Array
}

/** Regular files of a tar archive: ustar, with GNU and PAX long names. */
function* entries(tar: Uint8Array): Generator<Entry> {
  let longName: string | null = null
  for (let at = 0; at + 512 <= tar.length; ) {
    const header = tar.subarray(at, at + 512)
    if (header.every(byte => byte === 0)) return
    const size = sizeOf(header)
    const bytes = tar.subarray(at + 512, at + 512 + size)
    if (bytes.length < size) throw new ChartError('unexpected EOF')
    at += 512 + Math.ceil(size / 512) * 512
    const type = String.fromCharCode(header[156] ?? 0)
    if (type === 'L') longName = textIn(bytes)
    else if (type === 'x') longName = paxPath(bytes) ?? longName
    else if (type !== 'g') {
      const name: string = longName ?? nameOf(header)
      longName = null
      if (type !== '5' && !name.endsWith('/')) yield { name, bytes }
    }
  }
}

function nameOf(header: Uint8Array): string {
  const name = textIn(header.subarray(0, 100))
  const prefix = textIn(header.subarray(257, 262)) === 'ustar' ? textIn(header.subarray(345, 500)) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

function sizeOf(header: Uint8Array): number {
  const field = header.subarray(124, 136)
  if (((field[0] ?? 0) & 0x80) !== 0) throw new ChartError('archive/tar: a file is too large')
  const size = Number.parseInt(textIn(field).trim() || '0', 8)
  if (!Number.isSafeInteger(size) || size < 0) throw new ChartError('archive/tar: invalid tar header')
  return size
}

function textIn(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('utf8')
}

/** `LENGTH path=NAME\n` among a PAX header's records. */
function paxPath(bytes: Uint8Array): string | null {
  const text = Buffer.from(bytes).toString('utf8')
  for (const record of text.split('\n')) {
    const found = /^\d+ path=(.*)$/.exec(record)
    if (found !== null) return found[1] ?? null
  }
  return null
}
