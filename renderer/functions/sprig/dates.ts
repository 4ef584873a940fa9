// Sprig's functions on dates (date.go). What is neither a time nor a number of seconds means now; the local zone is UTC.
import { durationText } from '../../value/duration.js'
import { Int, type Value } from '../../value/value.js'
import type { Call, GoFunction } from '../signature.js'
import { type Args, define, fail, named, text } from './define.js'
import { parseDuration } from './duration.js'
import { formatTime } from './layout.js'
import { parseInteger } from './number-text.js'
import { clamped, Time, timeOf, zeroTime } from './time.js'
import { readTime } from './time-read.js'
import { loadZone } from './zone.js'

const htmlLayout = '2006-01-02'
const second = 1_000_000_000n
const earliest = -9_223_372_028_741_760_000n

export const dates: readonly GoFunction[] = [
  define('now', [], (_, call) => now('now', [], call)),
  define('date', ['string', 'any'], (args, call) => dateIn(text(args, 0), args[1] as Value, 'UTC', 'date', args, call)),
  ...named(['dateInZone', 'date_in_zone'], ['string', 'any', 'string'], (args, call) =>
    dateIn(text(args, 0), args[1] as Value, text(args, 2), 'dateInZone', args, call),
  ),
  define('htmlDate', ['any'], (args, call) => dateIn(htmlLayout, args[0] as Value, 'UTC', 'htmlDate', args, call)),
  define('htmlDateInZone', ['any', 'string'], (args, call) =>
    dateIn(htmlLayout, args[0] as Value, text(args, 1), 'htmlDateInZone', args, call),
  ),
  ...named(['dateModify', 'date_modify'], ['string', 'time.Time'], args => modified(args, () => args[1] as Time)),
  ...named(['mustDateModify', 'must_date_modify'], ['string', 'time.Time'], args => modified(args, fail)),
  define('toDate', ['string', 'string'], args => read(args, () => zeroTime)),
  define('mustToDate', ['string', 'string'], args => read(args, fail)),
  define('unixEpoch', ['time.Time'], args => String((args[0] as Time).seconds)),
  define('ago', ['any'], (args, call) => durationText(rounded(since(args[0] as Value, 'ago', args, call)))),
  define('duration', ['any'], args => durationText(BigInt.asIntN(64, secondsOf(args[0] as Value) * second))),
  define('durationRound', ['any'], (args, call) => roughly(durationOf(args[0] as Value, args, call))),
]

/** Kept as nanoseconds since 1970. */
function now(name: string, key: Args, call: Call): Time {
  const kept = call.sticky(name, key, chance => new Int('int64', BigInt(Math.trunc(chance.now)) * 1_000_000n))
  return timeOf((kept as Int).value)
}

/** A moment given as a time, or as seconds since 1970. */
function given(value: Value, types: readonly string[]): Time | undefined {
  if (value instanceof Time) return value
  if (!(value instanceof Int && types.includes(value.type))) return undefined
  // What lies before Go's year 0 of all counts comes out at its other end.
  return timeOf((value.value < earliest ? value.value + (1n << 64n) : value.value) * second)
}

function dateIn(layout: string, value: Value, zone: string, name: string, key: Args, call: Call): string {
  const time = given(value, ['int64', 'int', 'int32']) ?? now(name, key, call)
  return formatTime(time.in(loadZone(zone)), layout)
}

function modified(args: Args, otherwise: (error: string) => Value): Value {
  const by = parseDuration(text(args, 0))
  return typeof by === 'bigint' ? (args[1] as Time).plus(by) : otherwise(by.error)
}

function read(args: Args, otherwise: (error: string) => Value): Value {
  const time = readTime(text(args, 0), text(args, 1))
  return time instanceof Time ? time : otherwise(time.error)
}

/** Nanoseconds. */
function since(value: Value, name: string, key: Args, call: Call): bigint {
  const present = now(name, key, call)
  const from = given(value, ['int64', 'int']) ?? present
  return clamped(present.nanoseconds - from.nanoseconds)
}

/** To seconds, halves away from zero. */
function rounded(nanoseconds: bigint): bigint {
  const half = nanoseconds < 0n ? -second / 2n : second / 2n
  return clamped(((nanoseconds + half) / second) * second)
}

/** A text, or an int64: an int is none of the two, and 0. */
function secondsOf(value: Value): bigint {
  if (typeof value === 'string') return parseInteger(value, 10).value
  return value instanceof Int && value.type === 'int64' ? value.value : 0n
}

function durationOf(value: Value, key: Args, call: Call): bigint {
  if (value instanceof Time) return since(value, 'durationRound', key, call)
  if (value instanceof Int) return value.type === 'int64' ? value.value : 0n
  const parsed = typeof value === 'string' ? parseDuration(value) : 0n
  return typeof parsed === 'bigint' ? parsed : 0n
}

const sizes: readonly (readonly [string, bigint])[] = [
  ['y', 365n * 86_400n],
  ['mo', 30n * 86_400n],
  ['d', 86_400n],
  ['h', 3_600n],
  ['m', 60n],
  ['s', 1n],
]

/** The largest unit that it is longer than, without its sign: `2h`. */
function roughly(nanoseconds: bigint): string {
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds
  const unit = sizes.find(([, seconds]) => size > seconds * second)
  return unit === undefined ? '0s' : `${size / (unit[1] * second)}${unit[0]}`
}
