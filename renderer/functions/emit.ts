// Values as text that other programs read: YAML, JSON, TOML, base64, checksums, and the chart's own files.
import { createHash } from 'node:crypto'
import { globMatcher } from '../glob.js'
import { Bytes, type Dict, isDict, isList, sortedKeys, textOf, type Value } from '../value.js'
import { emitYaml } from '../yaml/emit.js'
import { argument, type Call, define, dictArg, type Family, FunctionFault, made, textArg } from './function.js'

export const emit: Family = [
  define('toYaml', 1, (args, call) => made(emitYaml(argument(args, 0)), call)),
  define('toJson', 1, (args, call) => made(toJson(argument(args, 0)), call)),
  define('b64enc', 1, (args, call) => made(bytesArg(args, 0).toString('base64'), call)),
  define('b64dec', 1, args => decoded(textArg(args, 0))),
  define('sha256sum', 1, args => createHash('sha256').update(bytesArg(args, 0)).digest('hex')),
]

/** `files.get "conf/app.ini"`; Helm's spelling `Files.Get` means the same. */
export const files: Family = (
  ['files.get Get', 'files.glob Glob', 'files.lines Lines', 'files.asConfig AsConfig', 'files.asSecrets AsSecrets'] as const
).flatMap(names => {
  const [own = '', helm = ''] = names.split(' ')
  return [own, `Files.${helm}`].map(name =>
    define(name, 1, (args, call) => fileFunctions[own as keyof typeof fileFunctions](args, call)),
  )
})

const fileFunctions = {
  'files.get': (args: readonly Value[], call: Call): Value => fileValue(textArg(args, 0), call) ?? '',
  'files.glob': (args: readonly Value[], call: Call): Value => globbed(textArg(args, 0), call),
  'files.lines': (args: readonly Value[], call: Call): Value =>
    textArg([fileValue(textArg(args, 0), call) ?? ''], 0)
      .replace(/\n$/, '')
      .split('\n'),
  'files.asConfig': (args: readonly Value[], call: Call): Value => asData(args, call, value => textArg([value], 0)),
  'files.asSecrets': (args: readonly Value[], call: Call): Value =>
    asData(args, call, value => bytesArg([value], 0).toString('base64')),
}

/** Text where it is UTF-8, bytes where it is not. */
function fileValue(path: string, call: Call): Value | null {
  const bytes = call.file(path)
  if (bytes === null) return null
  call.meter.text(bytes.length)
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  return text.includes('\ufffd') ? new Bytes(bytes) : text
}

function globbed(pattern: string, call: Call): Dict {
  const matches = matcher(pattern)
  const found = call.filePaths.filter(matches)
  call.meter.items(found.length)
  return new Map(found.map(path => [path, fileValue(path, call)] as const))
}

function matcher(pattern: string): (path: string) => boolean {
  try {
    return globMatcher(pattern)
  } catch (cause) {
    throw new FunctionFault(cause instanceof Error ? cause.message : 'a pattern that cannot be read', { cause })
  }
}

/** A pattern or what files.glob gave -> `name: content` lines for `data:`, by base name. */
function asData(args: readonly Value[], call: Call, content: (value: Value) => string): string {
  const given = argument(args, 0)
  const found = typeof given === 'string' ? globbed(given, call) : dictArg(args, 0)
  const data = new Map([...found].map(([path, value]) => [path.slice(path.lastIndexOf('/') + 1), content(value)] as const))
  return data.size === 0 ? '' : made(emitYaml(data), call)
}

function bytesArg(args: readonly Value[], at: number): Buffer {
  const value = argument(args, at)
  return value instanceof Bytes ? Buffer.from(value.bytes) : Buffer.from(textArg(args, at))
}

function decoded(text: string): string {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text.trim())) throw new FunctionFault('this is not base64')
  return Buffer.from(text, 'base64').toString('utf8')
}

/** Go's `json.Marshal`: keys sorted, `< > &` and the line separators escaped. */
export function toJson(value: Value): string {
  return plainJson(value).replace(/[<>&\u2028\u2029]/g, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function plainJson(value: Value): string {
  if (isList(value)) return `[${value.map(plainJson).join(',')}]`
  if (isDict(value))
    return `{${sortedKeys(value)
      .map(key => `${JSON.stringify(key)}:${plainJson(value.get(key) ?? null)}`)
      .join(',')}}`
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return JSON.stringify(value)
  const text = textOf(value)
  if (text === null) throw new FunctionFault('a binary file cannot be written as JSON; use b64enc')
  return text
}
