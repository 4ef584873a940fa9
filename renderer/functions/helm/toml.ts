// Writes TOML byte for byte as BurntSushi/toml 1.6.0 does (encode.go): plain keys first, then tables, each sorted and indented by its depth.
import { durationText } from '../../value/duration.js'
import { floatText } from '../../value/float.js'
import { sortedKeys } from '../../value/keys.js'
import { joined } from '../../value/text.js'
import { Bytes, Int, isDict, isList, isNil, type List, Struct, type Value } from '../../value/value.js'
import { work, written } from '../../work.js'
import { fail } from '../sprig/define.js'
import { formatTime } from '../sprig/layout.js'
import { Time } from '../sprig/time.js'
import { Version } from '../sprig/version.js'

/** What the encoder returns as an error; Helm's toToml gives its text for the document. */
export class TomlError extends Error {}

const deepest = 1_000

/** Throws TomlError; nil alone is a panic there, a CallError here. */
export function encodeToml(value: Value): string {
  if (value === null) fail('reflect: call of reflect.Value.Type on zero Value')
  const out: string[] = []
  write(out, [], value)
  return joined(out.join(''))
}

type Entry = readonly [string, Value]

/** A map's entries by key, a struct's in their order; undefined: the value is no table. */
function entriesOf(value: Value): readonly Entry[] | undefined {
  if (isDict(value)) return sortedKeys(value).map(key => [key, value.get(key) as Value])
  if (value instanceof Struct && !(value instanceof Time || value instanceof Version)) return value.fields()
  return undefined
}

function write(out: string[], key: readonly string[], value: Value): void {
  work()
  if (key.length > deepest) throw new TomlError(`toml: tables more than ${deepest} deep inside one another`)
  const entries = entriesOf(value)
  if (isTableList(value)) writeTableList(out, key, value as List)
  else if (entries === undefined) writeEntry(out, key, value)
  else if (!isNil(value)) writeTable(out, key, entries)
}

function writeTable(out: string[], key: readonly string[], entries: readonly Entry[]): void {
  if (key.length === 1) newline(out)
  if (key.length > 0) out.push(indent(key), `[${key.map(quotedKey).join('.')}]`, '\n')
  writeEntries(out, key, entries)
}

function newline(out: string[]): void {
  if (out.length > 0) out.push('\n')
}

function indent(key: readonly string[]): string {
  return '  '.repeat(key.length - 1)
}

function writeEntry(out: string[], key: readonly string[], value: Value): void {
  const last = key.at(-1)
  if (last === undefined) out.push(element(value))
  else out.push(indent(key), quotedKey(last), ' = ', element(value), '\n')
}

function writeTableList(out: string[], key: readonly string[], list: List): void {
  if (key.length === 0) throw new TomlError('toml: top-level values must be Go maps or structs')
  for (const item of list) {
    newline(out)
    out.push(indent(key), `[[${key.map(quotedKey).join('.')}]]`, '\n')
    writeEntries(out, key, entriesOf(item) ?? [])
  }
}

function writeEntries(out: string[], key: readonly string[], entries: readonly Entry[]): void {
  // Some twenty characters each.
  written(out.length * 20)
  for (const [name, value] of inOrder(entries)) if (!isNil(value)) write(out, [...key, name], value)
}

/** Tables, and lists of tables, come after all else. */
function inOrder(entries: readonly Entry[]): readonly Entry[] {
  const tables = entries.map(([, value]) => isTable(value))
  return [...entries.filter((_, at) => tables[at] === false), ...entries.filter((_, at) => tables[at] === true)]
}

function isTable(value: Value): boolean {
  if (isNil(value)) return false
  return entriesOf(value) !== undefined || isTableList(value)
}

/** A list of tables alone. Looks into every list, since a nil in one is an error wherever it stands. */
function isTableList(value: Value): boolean {
  if (!isList(value) || value.length === 0) return false
  let all = true
  for (const item of value) {
    if (isNil(item)) throw new TomlError('toml: cannot encode array with nil element')
    isTableList(item)
    all = all && entriesOf(item) !== undefined
  }
  return all
}

/** What fromToml read without an offset is written without one. */
const timeLayouts: Readonly<Record<string, string>> = {
  'datetime-local': '2006-01-02T15:04:05.999999999',
  'date-local': '2006-01-02',
  'time-local': '15:04:05.999999999',
}

function element(value: Value): string {
  work()
  if (typeof value === 'string') return quotedText(value)
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return number(value)
  if (value instanceof Int) return value.type === 'time.Duration' ? quotedText(durationText(value.value)) : String(value.value)
  if (value instanceof Bytes) return `[${Array.from(value.bytes).join(', ')}]`
  if (value instanceof Time) return formatTime(value, timeLayouts[value.location.place] ?? '2006-01-02T15:04:05.999999999Z07:00')
  if (value instanceof Version) return quotedText(value.print())
  if (isList(value)) return `[${value.map(element).join(', ')}]`
  const entries = entriesOf(value)
  if (entries === undefined) throw new TomlError('unexpected type')
  return inlineTable(inOrder(entries))
}

/** The comma of an entry stands even where only nils follow it. */
function inlineTable(entries: readonly Entry[]): string {
  const plain = entries.filter(([, value]) => !isTable(value)).length
  const parts = entries.map(([name, value], at) => {
    if (isNil(value)) return ''
    const last = at === entries.length - 1 || (at === plain - 1 && plain === entries.length)
    return `${quotedKey(name)} = ${element(value)}${last ? '' : ', '}`
  })
  return `{${parts.join('')}}`
}

function number(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  const text = floatText(value)
  return /[.e]/.test(text) ? text : text + '.0'
}

function quotedKey(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : quotedText(key)
}

const named: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\f': '\\f',
  '\r': '\\r',
}

function quotedText(text: string): string {
  return `"${text.replace(/["\\\x00-\x1f\x7f]/g, char => named[char] ?? '\\u' + char.charCodeAt(0).toString(16).padStart(4, '0'))}"`
}
