// Helm's toToml and fromToml (pkg/engine/funcs.go): what goes wrong is told in the value. Reading is smol-toml's; so are its words.
import { parse, TomlError as ReadError, TomlDate, type TomlValue } from 'smol-toml'
import { type Dict, int, typed, type Value } from '../../value/value.js'
import type { GoFunction } from '../signature.js'
import { boundedText, define, text } from '../sprig/define.js'
import { Time } from '../sprig/time.js'
import { fixedZone, utc } from '../sprig/zone.js'
import { encodeToml, TomlError } from './toml.js'

export const toml: readonly GoFunction[] = [
  define('toToml', ['any'], (args, call) => boundedText(toToml(args[0] as Value), call)),
  define('fromToml', ['string'], args => fromToml(text(args, 0))),
]

function toToml(value: Value): string {
  try {
    return encodeToml(value)
  } catch (error) {
    if (error instanceof TomlError) return error.message
    throw error
  }
}

function fromToml(given: string): Dict {
  try {
    // Only headers make lists of tables, to Go another type than lists that hold tables.
    const hasTableLists = /^[ \t]*\[\[/m.test(given)
    return goValue(parse(given, { integersAsBigInt: true, maxDepth: 500 }), hasTableLists) as Dict
  } catch (error) {
    if (error instanceof ReadError) return new Map([['Error', errorText(error, given)]])
    throw error
  }
}

/** BurntSushi's words where a key stands alone, the mistake that is made; else smol-toml's, at the same line. */
function errorText(error: ReadError, given: string): string {
  const line = given.split('\n')[error.line - 1] ?? ''
  const alone = /^[ \t]*[A-Za-z0-9_-]+[ \t]*$/.test(line) && error.line === given.split('\n').length
  const what = alone ? "unexpected EOF; expected key separator '='" : (error.message.split('\n')[0] as string)
  return `toml: line ${error.line}: ${what.replace(/^Invalid TOML document: /, '')}`
}

function goValue(read: TomlValue, hasTableLists: boolean): Value {
  if (typeof read === 'string' || typeof read === 'boolean' || typeof read === 'number') return read
  if (typeof read === 'bigint') return int(read, 'int64')
  if (read instanceof TomlDate) return timeOf(read)
  if (Array.isArray(read)) {
    const list = read.map(item => goValue(item, hasTableLists))
    const tables = hasTableLists && list.length > 0 && list.every(item => item instanceof Map)
    return tables ? typed(list, '[]map[string]interface {}') : list
  }
  return new Map(Object.entries(read).map(([key, item]) => [key, goValue(item, hasTableLists)]))
}

/** What has no offset is called by what it is; a time alone is of the year 0. */
function timeOf(date: TomlDate): Time {
  const written = date.toISOString()
  const nanoseconds = Number((/\.(\d+)/.exec(written)?.[1] ?? '').slice(0, 9).padEnd(9, '0'))
  if (date.isDate()) return new Time(seconds(written + 'T00:00:00Z'), 0, fixedZone('date-local', 0))
  if (date.isTime()) return new Time(seconds(`0000-01-01T${written.slice(0, 8)}Z`), nanoseconds, fixedZone('time-local', 0))
  if (date.isLocal()) return new Time(seconds(written.slice(0, 19) + 'Z'), nanoseconds, fixedZone('datetime-local', 0))
  const offset = /([+-])(\d\d):(\d\d)$/.exec(written)
  const east = offset === null ? 0 : (Number(offset[2]) * 60 + Number(offset[3])) * 60 * (offset[1] === '-' ? -1 : 1)
  return new Time(Math.floor(date.getTime() / 1000), nanoseconds, east === 0 ? utc : fixedZone('', east))
}

function seconds(iso: string): number {
  return Date.parse(iso) / 1000
}
