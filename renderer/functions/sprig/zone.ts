// Time zones as Go's time.Location: an offset and a name for every moment. Places come from Intl's database; Local is UTC.
import { zoneNameOf } from './zone-names.js'

export interface Zone {
  /** As `time.LoadLocation` was asked for it. */
  readonly place: string
  /** `seconds` since 1970 -> seconds east of UTC, and what the time is called; '' where it has no name. */
  at(seconds: number): { readonly offset: number; readonly name: string }
}

export const utc: Zone = { place: 'UTC', at: () => ({ offset: 0, name: 'UTC' }) }

export function fixedZone(name: string, offset: number): Zone {
  return { place: name, at: () => ({ offset, name }) }
}

const loaded = new Map<string, Zone>()

/** What is no place is UTC, as Sprig falls back to it. */
export function loadZone(place: string): Zone {
  if (place === '' || place === 'UTC' || place === 'Local') return utc
  const found = loaded.get(place) ?? zoneOf(place)
  if (loaded.size > 700) loaded.clear()
  loaded.set(place, found)
  return found
}

function zoneOf(place: string): Zone {
  // Go looks for a file: with the same case, and no offset such as +01:00.
  if (!/^[A-Z][A-Za-z0-9_+-]*(\/[A-Z][A-Za-z0-9_+-]*)*$/.test(place)) return utc
  try {
    const clock = new Intl.DateTimeFormat('en-US', { ...fields, timeZone: place })
    return { place, at: seconds => momentIn(place, clock, seconds) }
  } catch {
    return utc
  }
}

const fields = {
  hourCycle: 'h23',
  era: 'short',
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
} as const

function momentIn(place: string, clock: Intl.DateTimeFormat, seconds: number): { offset: number; name: string } {
  const offset = offsetAt(clock, seconds)
  const year = new Date(seconds * 1000).getUTCFullYear()
  const [winter, summer] = [0, 6].map(month => offsetAt(clock, Date.UTC(year, month, 15) / 1000)) as [number, number]
  const name = zoneNameOf(place, offset > Math.min(winter, summer))
  return { offset, name: name ?? offsetName(offset) }
}

function offsetAt(clock: Intl.DateTimeFormat, seconds: number): number {
  const at = Math.floor(seconds)
  const part: Partial<Record<Intl.DateTimeFormatPartTypes, string>> = {}
  for (const { type, value } of clock.formatToParts(at * 1000)) part[type] = value
  const year = part.era === 'BC' ? 1 - Number(part.year) : Number(part.year)
  const local = new Date(0)
  local.setUTCFullYear(year, Number(part.month) - 1, Number(part.day))
  local.setUTCHours(Number(part.hour), Number(part.minute), Number(part.second))
  return local.getTime() / 1000 - at
}

/** `+0530`, `-03`: what tzdata calls times without letters. */
function offsetName(offset: number): string {
  const minutes = Math.abs(Math.trunc(offset / 60))
  const [hours, rest] = [Math.trunc(minutes / 60), minutes % 60].map(part => String(part).padStart(2, '0')) as [string, string]
  return `${offset < 0 ? '-' : '+'}${hours}${rest === '00' ? '' : rest}`
}
