// Go's time.Time, as `now`, `toDate` and `dateModify` give it to templates: a moment, and the zone it is read in.
import { type Int, int, type Method, type ParamType, Struct, type Value } from '../../value/value.js'
import { NamedInt } from './cast.js'
import { dayNames, formatTime, monthNames } from './layout.js'
import { utc, type Zone } from './zone.js'

export interface CivilDate {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  readonly day: number
}

const daySeconds = 86_400

/** Days since 1970 of a date; months and days beyond their range carry over. Years begin in March here: a leap day is then the last. */
export function daysOf({ year, month, day }: CivilDate): number {
  const months = year * 12 + month - 3
  const marchYear = Math.floor(months / 12)
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400)
  return marchYear * 365 + leapDays + Math.floor((153 * (months - marchYear * 12) + 2) / 5) + day - 1 - 719_468
}

/** JavaScript's Date ends in the year 275760; a number of seconds may be any. */
function dateOf(days: number): CivilDate {
  const sinceEra = days + 719_468
  const era = Math.floor(sinceEra / 146_097)
  const ofEra = sinceEra - era * 146_097
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1_460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  )
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const marchMonth = Math.floor((5 * ofYear + 2) / 153)
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: ofYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
  }
}

export class Time extends Struct {
  readonly type = 'time.Time'
  readonly kind = 'struct'
  /** Since 1970 in UTC. */
  readonly seconds: number
  readonly nanosecond: number
  readonly location: Zone
  constructor(seconds: number, nanosecond = 0, location: Zone = utc) {
    super()
    this.seconds = seconds
    this.nanosecond = nanosecond
    this.location = location
  }

  /** Offset and name at this moment. */
  get zone(): { readonly offset: number; readonly name: string } {
    return this.location.at(this.seconds)
  }
  get #local(): number {
    return this.seconds + this.zone.offset
  }
  get date(): CivilDate {
    return dateOf(Math.floor(this.#local / daySeconds))
  }
  get clock(): { readonly hour: number; readonly minute: number; readonly second: number } {
    const second = this.#local - Math.floor(this.#local / daySeconds) * daySeconds
    return { hour: Math.trunc(second / 3600), minute: Math.trunc(second / 60) % 60, second: second % 60 }
  }
  get weekday(): number {
    return (((Math.floor(this.#local / daySeconds) + 4) % 7) + 7) % 7
  }
  get yearDay(): number {
    return Math.floor(this.#local / daySeconds) - daysOf({ year: this.date.year, month: 1, day: 1 }) + 1
  }
  get nanoseconds(): bigint {
    return BigInt(this.seconds) * 1_000_000_000n + BigInt(this.nanosecond)
  }

  in(location: Zone): Time {
    return new Time(this.seconds, this.nanosecond, location)
  }

  plus(nanoseconds: bigint): Time {
    return timeOf(this.nanoseconds + nanoseconds, this.location)
  }

  /** `Time.AddDate`: October 31 and a month is December 1. */
  plusDate(years: number, months: number, days: number): Time {
    const { year, month, day } = this.date
    const { hour, minute, second } = this.clock
    const local = daysOf({ year: year + years, month: month + months, day: day + days }) * daySeconds
    return fromLocal(local + hour * 3600 + minute * 60 + second, this.nanosecond, this.location)
  }

  print(): string {
    return formatTime(this, '2006-01-02 15:04:05.999999999 -0700 MST')
  }

  /** undefined for years that RFC 3339 cannot say. */
  override json(): Value | undefined {
    const { year } = this.date
    return year < 0 || year > 9999 ? undefined : formatTime(this, '2006-01-02T15:04:05.999999999Z07:00')
  }

  override method(name: string): Method | undefined {
    return partMethod(this, name) ?? changeMethod(this, name)
  }
}

/** Nanoseconds since 1970. */
export function timeOf(nanoseconds: bigint, location: Zone = utc): Time {
  const second = 1_000_000_000n
  const rest = ((nanoseconds % second) + second) % second
  return new Time(Number((nanoseconds - rest) / second), Number(rest), location)
}

/** `time.Date` for seconds as the clock of the zone shows them. */
export function fromLocal(local: number, nanosecond: number, location: Zone): Time {
  const first = location.at(local).offset
  const offset = location.at(local - first).offset
  return new Time(local - offset, nanosecond, location)
}

/** `time.Time{}`: the first second of year 1. */
export const zeroTime = new Time(-62_135_596_800)

class Month extends NamedInt {
  readonly type = 'time.Month'
  readonly value: number
  constructor(value: number) {
    super()
    this.value = value
  }
  print(): string {
    return monthNames[this.value - 1] as string
  }
  override json(): Value {
    return int(this.value)
  }
}

class Weekday extends NamedInt {
  readonly type = 'time.Weekday'
  readonly value: number
  constructor(value: number) {
    super()
    this.value = value
  }
  override get isTrue(): boolean {
    return this.value !== 0
  }
  print(): string {
    return dayNames[this.value] as string
  }
  override json(): Value {
    return int(this.value)
  }
}

function method(params: readonly ParamType[], run: (args: readonly Value[]) => Value): Method {
  return { params, run }
}

function partMethod(time: Time, name: string): Method | undefined {
  const part = parts[name]
  return part === undefined ? undefined : method([], () => part(time))
}

const parts: Readonly<Record<string, (time: Time) => Value>> = {
  __proto__: null as never,
  Year: time => int(time.date.year),
  Month: time => new Month(time.date.month),
  Day: time => int(time.date.day),
  YearDay: time => int(time.yearDay),
  Weekday: time => new Weekday(time.weekday),
  Hour: time => int(time.clock.hour),
  Minute: time => int(time.clock.minute),
  Second: time => int(time.clock.second),
  Nanosecond: time => int(time.nanosecond),
  Unix: time => int(time.seconds, 'int64'),
  UnixMilli: time => int(time.nanoseconds / 1_000_000n, 'int64'),
  UnixMicro: time => int(time.nanoseconds / 1_000n, 'int64'),
  UnixNano: time => int(BigInt.asIntN(64, time.nanoseconds), 'int64'),
  UTC: time => time.in(utc),
  Local: time => time.in(utc),
  IsZero: time => time.seconds === zeroTime.seconds && time.nanosecond === 0,
  String: time => time.print(),
}

function changeMethod(time: Time, name: string): Method | undefined {
  const nanoseconds = (value: Value | undefined): bigint => (value as Int).value
  const other = (value: Value | undefined): bigint => (value as Time).nanoseconds
  switch (name) {
    case 'Format':
      return method(['string'], ([layout]) => formatTime(time, layout as string))
    case 'Add':
      return method(['time.Duration'], ([by]) => time.plus(nanoseconds(by)))
    case 'Truncate':
      return method(['time.Duration'], ([to]) => time.plus(-sinceMultiple(time, nanoseconds(to))))
    case 'Round':
      return method(['time.Duration'], ([to]) => time.plus(toMultiple(time, nanoseconds(to))))
    case 'AddDate':
      return method(['int', 'int', 'int'], args =>
        time.plusDate(...(args.map(arg => Number(nanoseconds(arg))) as [number, number, number])),
      )
    case 'Sub':
      return method(['time.Time'], ([from]) => int(clamped(time.nanoseconds - other(from)), 'time.Duration'))
    case 'Before':
      return method(['time.Time'], ([than]) => time.nanoseconds < other(than))
    case 'After':
      return method(['time.Time'], ([than]) => time.nanoseconds > other(than))
    case 'Equal':
      return method(['time.Time'], ([to]) => time.nanoseconds === other(to))
    case 'Compare':
      return method(['time.Time'], ([to]) => int(time.nanoseconds < other(to) ? -1 : time.nanoseconds > other(to) ? 1 : 0))
    default:
      return undefined
  }
}

/** Nanoseconds since the last multiple of a duration, counted from the year 1. */
function sinceMultiple(time: Time, of: bigint): bigint {
  if (of <= 0n) return 0n
  const rest = (time.nanoseconds - zeroTime.nanoseconds) % of
  return rest < 0n ? rest + of : rest
}

/** To the nearest multiple, halves up. */
function toMultiple(time: Time, of: bigint): bigint {
  const rest = sinceMultiple(time, of)
  return rest * 2n < of || rest === 0n ? -rest : of - rest
}

/** What has no room in a time.Duration is the longest or the shortest. */
export function clamped(nanoseconds: bigint): bigint {
  const most = (1n << 63n) - 1n
  return nanoseconds > most ? most : nanoseconds < -most - 1n ? -most - 1n : nanoseconds
}
