// How a text is read as a time by Go's layout (time/format.go, parse), with the words of its errors.
import { binary, fromBinary } from './bytes.js'
import { timeQuoted } from './duration.js'
import { dayNames, isFraction, monthNames, type Piece, piecesOf } from './layout.js'
import { daysOf, fromLocal, Time } from './time.js'
import { fixedZone, utc, type Zone } from './zone.js'

export type TimeRead = Time | { readonly error: string }

/** What has been read so far; -1: not yet. */
interface Found {
  year: number
  month: number
  day: number
  yearDay: number
  hour: number
  minute: number
  second: number
  nanosecond: number
  half: '' | 'AM' | 'PM'
  zone: Zone | undefined
  offset: number | undefined
  zoneName: string
}

class Bad extends Error {}
class OutOfRange extends Error {}

/** `time.ParseInLocation(layout, text, time.Local)`, Local being UTC. */
export function readTime(layout: string, text: string): TimeRead {
  const pieces = piecesOf(binary(layout))
  const found: Found = {
    year: 0,
    month: -1,
    day: -1,
    yearDay: -1,
    hour: 0,
    minute: 0,
    second: 0,
    nanosecond: 0,
    half: '',
    zone: undefined,
    offset: undefined,
    zoneName: '',
  }
  let rest = binary(text)
  const about = timeQuoted(text)
  for (const [at, piece] of pieces.entries()) {
    try {
      rest = piece.element ? readElement(piece.text, rest, found, pieces[at + 1]) : skip(rest, piece.text)
    } catch (error) {
      if (error instanceof OutOfRange) return { error: `parsing time ${about}: ${error.message} out of range` }
      if (!(error instanceof Bad)) throw error
      const left = piece.element ? rest : error.message
      const wanted = timeQuoted(fromBinary(piece.text))
      return {
        error: `parsing time ${about} as ${timeQuoted(layout)}: cannot parse ${timeQuoted(fromBinary(left))} as ${wanted}`,
      }
    }
  }
  if (rest !== '') return { error: `parsing time ${about}: extra text: ${timeQuoted(fromBinary(rest))}` }
  const fault = settle(found)
  return fault === undefined ? momentOf(found) : { error: `parsing time ${about}: ${fault}` }
}

/** Spaces of the layout are any number of spaces. */
function skip(value: string, prefix: string): string {
  let rest = value
  for (let left = prefix; left !== ''; ) {
    if (left.startsWith(' ')) {
      if (rest !== '' && !rest.startsWith(' ')) throw new Bad(rest)
      left = left.replace(/^ +/, '')
      rest = rest.replace(/^ +/, '')
    } else if (rest === '' || rest[0] !== left[0]) throw new Bad(rest)
    else {
      left = left.slice(1)
      rest = rest.slice(1)
    }
  }
  return rest
}

function readElement(piece: string, value: string, found: Found, next: Piece | undefined): string {
  switch (piece) {
    case '2006':
      return take(value, /^[0-9]{4}/, year => (found.year = Number(year)))
    case '06':
      return take(value, /^(?:[0-9]{2}|[+-][0-9])/, year => (found.year = Number(year) + (Number(year) >= 69 ? 1900 : 2000)))
    case 'January':
      return name(value, monthNames, month => (found.month = month + 1))
    case 'Jan':
      return name(value, monthNames.map(short), month => (found.month = month + 1))
    case '1':
    case '01':
      return number(value, piece, month => (found.month = within(month, 1, 12, 'month')))
    case 'Monday':
      return name(value, dayNames, () => undefined)
    case 'Mon':
      return name(value, dayNames.map(short), () => undefined)
    case '2':
    case '_2':
    case '02':
      return number(piece === '_2' ? value.replace(/^ /, '') : value, piece, day => (found.day = day))
    case '__2':
      return take(value.replace(/^ {1,2}/, ''), /^[0-9]{1,3}/, day => (found.yearDay = Number(day)))
    case '002':
      return take(value, /^[0-9]{3}/, day => (found.yearDay = Number(day)))
    default:
      return readClock(piece, value, found, next)
  }
}

function readClock(piece: string, value: string, found: Found, next: Piece | undefined): string {
  switch (piece) {
    case '15':
      return number(value, '1', hour => (found.hour = within(hour, 0, 23, 'hour')))
    case '3':
    case '03':
      return number(value, piece, hour => (found.hour = within(hour, 0, 12, 'hour')))
    case '4':
    case '04':
      return number(value, piece, minute => (found.minute = within(minute, 0, 59, 'minute')))
    case '5':
    case '05':
      return unaskedFraction(
        number(value, piece, second => (found.second = within(second, 0, 59, 'second'))),
        found,
        next,
      )
    case 'PM':
      return take(value, /^[AP]M/, half => (found.half = half as 'AM' | 'PM'))
    case 'pm':
      return take(value, /^[ap]m/, half => (found.half = half.toUpperCase() as 'AM' | 'PM'))
    case 'MST':
      return readZoneName(value, found)
    default:
      return isFraction(piece) ? readFraction(piece, value, found) : readOffset(piece, value, found)
  }
}

function short(text: string): string {
  return text.slice(0, 3)
}

function take(value: string, form: RegExp, use: (text: string) => void): string {
  const text = form.exec(value)?.[0]
  if (text === undefined) throw new Bad(value)
  use(text)
  return value.slice(text.length)
}

/** One or two digits; two where the layout has a zero in front. */
function number(value: string, piece: string, use: (value: number) => void): string {
  return take(value, piece.length === 2 && piece.startsWith('0') ? /^[0-9]{2}/ : /^[0-9]{1,2}/, digits => use(Number(digits)))
}

function within(value: number, least: number, most: number, what: string): number {
  if (value < least || value > most) throw new OutOfRange(what)
  return value
}

function name(value: string, names: readonly string[], use: (at: number) => void): string {
  const at = names.findIndex(each => value.slice(0, each.length).toLowerCase() === each.toLowerCase())
  if (at < 0) throw new Bad(value)
  use(at)
  return value.slice((names[at] as string).length)
}

/** Seconds may have a fraction that the layout does not ask for. */
function unaskedFraction(value: string, found: Found, next: Piece | undefined): string {
  const digits = /^[.,][0-9]+/.exec(value)?.[0]
  if (digits === undefined || (next?.element === true && isFraction(next.text))) return value
  found.nanosecond = nanosecondsOf(digits)
  return value.slice(digits.length)
}

/** `.000` asks for as many digits, `.999` takes any number and none. */
function readFraction(piece: string, value: string, found: Found): string {
  if (piece[1] === '9' && !/^[.,][0-9]/.test(value)) return value
  const form = piece[1] === '9' ? /^[.,][0-9]+/ : new RegExp(`^[.,][0-9]{${piece.length - 1}}`)
  return take(value, form, digits => (found.nanosecond = nanosecondsOf(digits)))
}

function nanosecondsOf(fraction: string): number {
  return Number(fraction.slice(1, 10).padEnd(9, '0'))
}

const offsetForms: Readonly<Record<number, RegExp>> = {
  3: /^.(..)/s,
  5: /^.(..)(..)/s,
  6: /^.(..):(..)/s,
  7: /^.(..)(..)(..)/s,
  9: /^.(..):(..):(..)/s,
}

function readOffset(piece: string, value: string, found: Found): string {
  if (piece.startsWith('Z') && value.startsWith('Z')) {
    found.zone = utc
    return value.slice(1)
  }
  const parts = (offsetForms[piece.length] as RegExp).exec(value)
  if (parts === null) throw new Bad(value)
  const fields = parts.slice(1)
  const [hour = 0, minute = 0, second = 0] = fields.map(digits => (/^[0-9]{2}$/.test(digits) ? Number(digits) : NaN))
  within(hour || 0, 0, 24, 'time zone offset hour')
  within(minute || 0, 0, 60, 'time zone offset minute')
  within(second || 0, 0, 60, 'time zone offset second')
  const offset = hour * 3600 + minute * 60 + second
  if (Number.isNaN(offset) || !/^[+-]/.test(value)) throw new Bad(value)
  found.offset = value.startsWith('-') ? -offset : offset
  return value.slice(parts[0].length)
}

/** What looks like a zone's name (format.go, parseTimeZone). */
function readZoneName(value: string, found: Found): string {
  if (value.startsWith('UTC')) {
    found.zone = utc
    return value.slice(3)
  }
  const form = /^(?:ChST|MeST|GMT(?:[+-](?:[01]?[0-9]|2[0-3])(?![0-9]))?|[+-](?:[01]?[0-9]|2[0-3])(?![0-9]))/
  if (form.test(value) && value.length >= 3) return take(value, form, text => (found.zoneName = text))
  const letters = /^[A-Z]{1,6}/.exec(value)?.[0] ?? ''
  const isName =
    letters.length === 3 ||
    (letters.length === 4 && (letters.endsWith('T') || letters === 'WITA')) ||
    (letters.length === 5 && letters.endsWith('T'))
  if (!isName) throw new Bad(value)
  found.zoneName = letters
  return value.slice(letters.length)
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}

/** Makes day and month of a day of the year, and checks that there is such a day. undefined: there is. */
function settle(found: Found): string | undefined {
  if (found.half === 'PM' && found.hour < 12) found.hour += 12
  else if (found.half === 'AM' && found.hour === 12) found.hour = 0
  if (found.yearDay >= 0) {
    const fault = settleYearDay(found)
    if (fault !== undefined) return fault
  }
  if (found.month < 0) found.month = 1
  if (found.day < 0) found.day = 1
  const days = found.month === 2 ? (isLeap(found.year) ? 29 : 28) : [4, 6, 9, 11].includes(found.month) ? 30 : 31
  return found.day < 1 || found.day > days ? 'day out of range' : undefined
}

function settleYearDay(found: Found): string | undefined {
  const last = isLeap(found.year) ? 366 : 365
  if (found.yearDay < 1 || found.yearDay > last) return 'day-of-year out of range'
  const date = new Date(Date.UTC(isLeap(found.year) ? 2000 : 2001, 0, found.yearDay))
  const [month, day] = [date.getUTCMonth() + 1, date.getUTCDate()]
  if (found.month >= 0 && found.month !== month) return 'day-of-year does not match month'
  found.month = month
  if (found.day >= 0 && found.day !== day) return 'day-of-year does not match day'
  found.day = day
  return undefined
}

function momentOf(found: Found): Time {
  const days = daysOf({ year: found.year, month: found.month, day: found.day })
  const local = days * 86_400 + found.hour * 3600 + found.minute * 60 + found.second
  if (found.zone !== undefined) return fromLocal(local, found.nanosecond, found.zone)
  if (found.offset !== undefined) {
    const isLocal = found.offset === 0 && (found.zoneName === '' || found.zoneName === 'UTC')
    return new Time(local - found.offset, found.nanosecond, isLocal ? utc : fixedZone(found.zoneName, found.offset))
  }
  if (found.zoneName === '') return new Time(local, found.nanosecond)
  // A name alone says no offset, but for GMT+3, which is believed to be one without being counted.
  const hours = /^GMT([+-][0-9]+)$/.exec(found.zoneName)?.[1]
  return new Time(local, found.nanosecond, fixedZone(found.zoneName, Number(hours ?? 0) * 3600))
}
