// Go's layouts: how "2006-01-02" says what a time looks like (time/format.go), and how times are printed by them.
import type { Time } from './time.js'

export const monthNames = 'January February March April May June July August September October November December'.split(' ')
export const dayNames = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ')

/** One piece of a layout: a text that stands for itself, or an element. */
export interface Piece {
  readonly text: string
  readonly element: boolean
}

// In the order of format.go's nextStdChunk where two begin alike.
const element =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|002|0[1-6]|15|1|2006|2|__2|_2(?!006)|3|4|5|PM|pm|-070000|-07:00:00|-0700|-07:00|-07|Z070000|Z07:00:00|Z0700|Z07:00|Z07|[.,](?:0+|9+)(?![0-9])/g

export function piecesOf(layout: string): readonly Piece[] {
  const pieces: Piece[] = []
  let at = 0
  for (const found of layout.matchAll(element)) {
    if (found.index > at) pieces.push({ text: layout.slice(at, found.index), element: false })
    pieces.push({ text: found[0], element: true })
    at = found.index + found[0].length
  }
  if (at < layout.length) pieces.push({ text: layout.slice(at), element: false })
  return pieces
}

export function isFraction(piece: string): boolean {
  return /^[.,][09]/.test(piece)
}

/** `Time.Format`. */
export function formatTime(time: Time, layout: string): string {
  return piecesOf(layout)
    .map(piece => (piece.element ? formatElement(time, piece.text) : piece.text))
    .join('')
}

function formatElement(time: Time, piece: string): string {
  const { year, month, day } = time.date
  switch (piece) {
    case '2006':
      return padYear(year)
    case '06':
      return pad(Math.max(year, 0) % 100)
    case 'January':
      return monthNames[month - 1] as string
    case 'Jan':
      return (monthNames[month - 1] as string).slice(0, 3)
    case '1':
      return String(month)
    case '01':
      return pad(month)
    case 'Monday':
      return dayNames[time.weekday] as string
    case 'Mon':
      return (dayNames[time.weekday] as string).slice(0, 3)
    case '2':
      return String(day)
    case '_2':
      return String(day).padStart(2)
    case '02':
      return pad(day)
    case '__2':
      return String(time.yearDay).padStart(3)
    case '002':
      return String(time.yearDay).padStart(3, '0')
    default:
      return formatClock(time, piece)
  }
}

function formatClock(time: Time, piece: string): string {
  const { hour, minute, second } = time.clock
  switch (piece) {
    case '15':
      return pad(hour)
    case '3':
      return String(hour % 12 || 12)
    case '03':
      return pad(hour % 12 || 12)
    case '4':
      return String(minute)
    case '04':
      return pad(minute)
    case '5':
      return String(second)
    case '05':
      return pad(second)
    case 'PM':
      return hour >= 12 ? 'PM' : 'AM'
    case 'pm':
      return hour >= 12 ? 'pm' : 'am'
    case 'MST':
      return zoneText(time)
    default:
      return isFraction(piece) ? fraction(time.nanosecond, piece) : offsetText(time.zone.offset, piece)
  }
}

function pad(value: number): string {
  return String(value).padStart(2, '0')
}

function padYear(year: number): string {
  return year < 0 ? '-' + String(-year).padStart(4, '0') : String(year).padStart(4, '0')
}

/** `.000` keeps its zeros; `.999` drops them, and itself where nothing is left. */
function fraction(nanosecond: number, piece: string): string {
  const digits = String(nanosecond)
    .padStart(9, '0')
    .slice(0, piece.length - 1)
    .padEnd(piece.length - 1, '0')
  if (piece[1] === '0') return piece.charAt(0) + digits
  const kept = digits.replace(/0+$/, '')
  return kept === '' ? '' : piece.charAt(0) + kept
}

function zoneText(time: Time): string {
  const { name, offset } = time.zone
  return name === '' ? offsetText(offset, '-0700') : name
}

/** `Z07:00` prints UTC as Z. */
function offsetText(offset: number, piece: string): string {
  if (piece.startsWith('Z') && offset === 0) return 'Z'
  const minutes = Math.abs(Math.trunc(offset / 60))
  const colon = piece.includes(':') ? ':' : ''
  const hours = (offset < 0 && minutes > 0 ? '-' : '+') + pad(Math.trunc(minutes / 60))
  if (piece.length === 3) return hours
  const seconds = piece.replaceAll(':', '').length === 7 ? colon + pad(Math.abs(offset) % 60) : ''
  return hours + colon + pad(minutes % 60) + seconds
}
