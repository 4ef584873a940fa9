// A chart's folder to a packed chart, as `helm package` has it: what `.helmignore` leaves out is not in it. The same files give the same bytes.
import { gzipSync } from 'node:zlib'
import { textOf } from '../value/text.js'
import type { ChartFile } from './archive.js'
import { ignoreRules, withoutIgnored } from './ignore.js'
import { ChartError } from './metadata.js'

/** Throws `ChartError` where `.helmignore` cannot be read. */
export function pack(folder: string, files: readonly ChartFile[]): Uint8Array {
  const rules = files.find(({ name }) => name === '.helmignore')
  const left = new Set(
    withoutIgnored(
      files.map(({ name }) => name),
      ignoreRules(rules === undefined ? '' : textOf(rules.bytes)),
    ),
  )
  const entries = files.filter(({ name }) => left.has(name)).flatMap(({ name, bytes }) => entry(`${folder}/${name}`, bytes))
  return gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]), { level: 1 })
}

function entry(name: string, bytes: Uint8Array): Buffer[] {
  const long = Buffer.byteLength(name) > 100 ? paxEntry(name) : []
  return [...long, header(name, bytes.length, '0'), padded(bytes)]
}

/** A PAX record: its length counts itself. */
function paxEntry(name: string): Buffer[] {
  if (name.includes('\n')) throw new ChartError(`${JSON.stringify(name)}: a file of a chart must not have a line end in its name`)
  const rest = Buffer.byteLength(` path=${name}\n`)
  let length = rest + String(rest).length
  if (rest + String(length).length !== length) length++
  const record = Buffer.from(`${length} path=${name}\n`)
  return [header('PaxHeaders/name', record.length, 'x'), padded(record)]
}

function header(name: string, size: number, type: string): Buffer {
  const block = Buffer.alloc(512)
  block.write(name, 0, 100)
  for (const [at, octal] of [
    [100, '0000644'],
    [108, '0000000'],
    [116, '0000000'],
    [124, size.toString(8).padStart(11, '0')],
    [136, '00000000000'],
  ] as const)
    block.write(octal, at)
  block.write('        ', 148)
  block.write(type, 156)
  block.write('ustar\x0000', 257)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])
}
