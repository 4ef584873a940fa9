// When a schedule in cron's five fields begins, on the clock of a time zone (github.com/robfig/cron's standard form, which sync windows use).
// Pure: the moment is an argument, times are ms since 1970.

export interface Schedule {
  readonly minutes: ReadonlySet<number>
  readonly hours: ReadonlySet<number>
  readonly days: ReadonlySet<number>
  readonly months: ReadonlySet<number>
  readonly weekdays: ReadonlySet<number>
  /** Days of the month and of the week are both restricted: one of the two is enough. */
  readonly eitherDay: boolean
}

const named: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}
const monthNames = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const dayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

/** `30 22 * * mon-fri`, every quarter of an hour as cron writes it, `@daily`; null where it is none. */
export function parseSchedule(text: string): Schedule | null {
  const fields = (named[text.trim().toLowerCase()] ?? text).trim().split(/\s+/)
  const [minute, hour, day, month, weekday] = fields as [string, string, string, string, string]
  if (fields.length !== 5) return null
  const minutes = parseField(minute, 0, 59)
  const hours = parseField(hour, 0, 23)
  const days = parseField(day, 1, 31)
  const months = parseField(month, 1, 12, monthNames)
  const weekdays = parseField(weekday, 0, 7, dayNames)
  if (minutes === null || hours === null || days === null || months === null || weekdays === null) return null
  if (weekdays.has(7)) weekdays.add(0)
  return { minutes, hours, days, months, weekdays, eitherDay: isRestricted(day) && isRestricted(weekday) }
}

function isRestricted(field: string): boolean {
  return !/^[*?]/.test(field)
}

function parseField(text: string, least: number, most: number, names: readonly string[] = []): Set<number> | null {
  const values = new Set<number>()
  for (const part of text.toLowerCase().split(',')) {
    const [, range = '', step] = /^([^/]+)(?:\/(\d+))?$/.exec(part) ?? []
    const bounds = boundsOf(range, least, most, names, step !== undefined)
    const by = step === undefined ? 1 : Number(step)
    if (bounds === null || by < 1) return null
    for (let value = bounds[0]; value <= bounds[1]; value += by) values.add(value)
  }
  return values
}

/** `*`, `5`, `1-5`, `mon-fri`; with a step, one number counts to the end. */
function boundsOf(
  range: string,
  least: number,
  most: number,
  names: readonly string[],
  hasStep: boolean,
): readonly [number, number] | null {
  if (range === '*' || range === '?') return [least, most === 7 ? 6 : most]
  const ends = range.split('-').map(end => numberIn(end, least, most, names))
  const [from, to = hasStep ? most : from] = ends
  if (ends.length > 2 || from == null || to == null || from > to) return null
  return [from, to]
}

function numberIn(text: string, least: number, most: number, names: readonly string[]): number | null {
  const named = names.indexOf(text)
  const value = named >= 0 ? named + (names === monthNames ? 1 : 0) : /^\d+$/.test(text) ? Number(text) : -1
  return value >= least && value <= most ? value : null
}

const dayMs = 86_400_000
/** A 29 February comes again within eight years, whatever the century. */
const daysLooked = 8 * 366 + 1

/** The last start at or before `now`; null where there is none within eight years. */
export function lastStart(schedule: Schedule, timeZone: string, now: number): number | null {
  for (let back = -1; back < daysLooked; back += 1) {
    const start = startsOn(schedule, timeZone, now - back * dayMs).findLast(at => at <= now)
    if (start !== undefined) return start
  }
  return null
}

/** The first start after `now`; null where there is none within eight years. */
export function nextStart(schedule: Schedule, timeZone: string, now: number): number | null {
  for (let ahead = -1; ahead < daysLooked; ahead += 1) {
    const start = startsOn(schedule, timeZone, now + ahead * dayMs).find(at => at > now)
    if (start !== undefined) return start
  }
  return null
}

/** All starts on the day on which `at` lies there, in order. */
function startsOn(schedule: Schedule, timeZone: string, at: number): readonly number[] {
  const local = new Date(at + offsetAt(timeZone, at))
  const midnight = Date.UTC(local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate())
  if (!isOn(schedule, new Date(midnight))) return []
  const starts = [...schedule.hours].flatMap(hour =>
    [...schedule.minutes].map(minute => instantOf(midnight + (hour * 60 + minute) * 60_000, timeZone)),
  )
  return starts.filter(start => start !== null).toSorted((a, b) => a - b)
}

function isOn({ days, weekdays, months, eitherDay }: Schedule, day: Date): boolean {
  if (!months.has(day.getUTCMonth() + 1)) return false
  const [inMonth, inWeek] = [days.has(day.getUTCDate()), weekdays.has(day.getUTCDay())]
  return eitherDay ? inMonth || inWeek : inMonth && inWeek
}

/** The moment at which clocks there show this; null where they skip it in spring. Of two in autumn the first. */
function instantOf(shown: number, timeZone: string): number | null {
  const found = [dayMs, -dayMs]
    .map(aside => shown - offsetAt(timeZone, shown - aside))
    .filter(at => at + offsetAt(timeZone, at) === shown)
  return found.length === 0 ? null : Math.min(...found)
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** ms that clocks there are ahead of UTC. */
function offsetAt(timeZone: string, at: number): number {
  if (timeZone === 'UTC') return 0
  const format = formats.get(timeZone) ?? formatOf(timeZone)
  formats.set(timeZone, format)
  const part = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]))
  const shown = Date.UTC(part.year ?? 0, (part.month ?? 1) - 1, part.day, part.hour, part.minute, part.second)
  return shown - Math.floor(at / 1000) * 1000
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
}

/** A name of the time zone database that this machine knows. */
export function isTimeZone(name: string): boolean {
  try {
    formatOf(name)
    return true
  } catch {
    return false
  }
}
