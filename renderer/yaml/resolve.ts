// What a scalar without quotes is, as go-yaml v2 (`resolve.go`) has it: YAML 1.1's words, no sexagesimals, timestamps that stay text.

export type Resolved =
  | { readonly tag: 'null'; readonly value: null }
  | { readonly tag: 'bool'; readonly value: boolean }
  | { readonly tag: 'int'; readonly value: bigint }
  | { readonly tag: 'float'; readonly value: number }
  | { readonly tag: 'str' | 'timestamp' | 'merge'; readonly value: string }

const words = new Map<string, Resolved>()
for (const word of ['', '~', 'null', 'Null', 'NULL']) words.set(word, { tag: 'null', value: null })
for (const [value, list] of [
  [true, 'y Y yes Yes YES on On ON true True TRUE'],
  [false, 'n N no No NO off Off OFF false False FALSE'],
] as const)
  for (const word of list.split(' ')) words.set(word, { tag: 'bool', value })
for (const [value, list] of [
  [Number.NaN, '.nan .NaN .NAN'],
  [Number.POSITIVE_INFINITY, '.inf .Inf .INF +.inf +.Inf +.INF'],
  [Number.NEGATIVE_INFINITY, '-.inf -.Inf -.INF'],
] as const)
  for (const word of list.split(' ')) words.set(word, { tag: 'float', value })

/** What the first character lets a scalar be. `<` and all others: nothing but text. */
const hints = new Map<number, 'word' | 'number' | 'point'>()
for (const char of 'yYnNtTfFoO~') hints.set(char.charCodeAt(0), 'word')
for (const char of '+-0123456789') hints.set(char.charCodeAt(0), 'number')
hints.set(0x2e, 'point')
const hintTable = Array.from({ length: 128 }, (_, code) => hints.get(code))

const nothing: Resolved = { tag: 'null', value: null }
const intForm = /^([-+]?)(?:(0[xX][0-9a-fA-F]+)|(0[bB][01]+)|0([oO]?[0-7]+)|(0|[1-9][0-9]*))$/
const floatForm = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/
/** Go's ParseFloat takes `_` between digits. */
const pointForm = /^\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?$/
const largestInt64 = 2n ** 63n - 1n
const largestUint64 = 2n ** 64n - 1n

/** True where the text cannot be anything but text: most scalars of a chart. */
export function isSurelyText(text: string): boolean {
  return text !== '' && hintTable[text.charCodeAt(0)] === undefined
}

/** `0644` -> 420, `on` -> true, `1_000` -> 1000, `22:22` and `2001-01-01` -> text, `08` -> 8. */
export function resolve(text: string): Resolved {
  if (text === '') return nothing
  const hint = hintTable[text.charCodeAt(0)]
  if (hint === undefined) return { tag: 'str', value: text }
  const word = words.get(text)
  if (word !== undefined) return word
  if (hint === 'number') return resolveNumber(text)
  if (hint === 'point' && pointForm.test(text)) {
    const value = Number(text.replaceAll('_', ''))
    if (Number.isFinite(value)) return { tag: 'float', value }
  }
  return { tag: 'str', value: text }
}

function resolveNumber(text: string): Resolved {
  if (isTimestamp(text)) return { tag: 'timestamp', value: text }
  const plain = text.replaceAll('_', '')
  const whole = parseInt0(plain)
  if (whole !== null) return { tag: 'int', value: whole }
  if (floatForm.test(plain)) {
    const value = Number(plain)
    if (Number.isFinite(value)) return { tag: 'float', value }
  }
  return { tag: 'str', value: text }
}

/** Go's `ParseInt(s, 0, 64)`, then `ParseUint`; null where it is no integer or does not fit 64 bits. */
function parseInt0(text: string): bigint | null {
  const parts = intForm.exec(text)
  if (parts === null) return null
  const [, sign = '', hex, binary, octal, decimal] = parts
  const digits = hex ?? binary ?? (octal === undefined ? decimal : `0o${octal.replace(/^[oO]/, '')}`) ?? '0'
  const magnitude = BigInt(digits.toLowerCase())
  const most = sign === '-' ? largestInt64 + 1n : sign === '+' ? largestInt64 : largestUint64
  if (magnitude > most) return null
  return sign === '-' ? -magnitude : magnitude
}

const timeForm = /^\d{4}-(\d{1,2})-(\d{1,2})(?:([Tt]| +)(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d+)?(Z|[-+]\d\d:\d\d)?)?$/

/** The four layouts of `parseTimestamp`, dates that do not exist left out as time.Parse does. */
export function isTimestamp(text: string): boolean {
  if (text.charCodeAt(4) !== 0x2d) return false
  const parts = timeForm.exec(text)
  if (parts === null) return false
  const [, month = '', day = '', separator = '', hour = '0', minute = '0', second = '0', zone = ''] = parts
  if (separator !== '' && (separator.toLowerCase() === 't') !== (zone !== '')) return false
  const inMonth = new Date(Date.UTC(2000, 0, 1))
  inMonth.setUTCFullYear(Number(text.slice(0, 4)), Number(month), 0)
  const [zoneHour = '0', zoneMinute = '0'] = zone.slice(1).split(':')
  return (
    Number(month) >= 1 &&
    Number(month) <= 12 &&
    Number(day) >= 1 &&
    Number(day) <= inMonth.getUTCDate() &&
    Number(hour) < 24 &&
    Number(minute) < 60 &&
    Number(second) < 60 &&
    Number(zoneHour) <= 24 &&
    Number(zoneMinute) < 60
  )
}
