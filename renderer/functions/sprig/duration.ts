// Go's time.ParseDuration.
import { byteLength } from '../../value/text.js'
import { binary } from './bytes.js'

/** Nanoseconds, or what ParseDuration's error says. */
export type ParsedDuration = bigint | { readonly error: string }

const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  '\u00b5s': 1_000n,
  '\u03bcs': 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
}
const limit = 1n << 63n

/** `1h15m30.5s`, `-1.5h`, `0`. */
export function parseDuration(text: string): ParsedDuration {
  const negative = text.startsWith('-')
  let rest = /^[+-]/.test(text) ? text.slice(1) : text
  const invalid = { error: `time: invalid duration ${timeQuoted(text)}` }
  if (rest === '0') return 0n
  if (rest === '') return invalid
  let sum = 0n
  while (rest !== '') {
    const found = /^([0-9]*)(?:\.([0-9]*))?([^.0-9]*)/.exec(rest)
    const [all = '', whole = '', fraction = '', unit = ''] = found ?? []
    if (whole + fraction === '' || BigInt(whole || '0') > limit) return invalid
    if (unit === '') return { error: `time: missing unit in duration ${timeQuoted(text)}` }
    const size = Object.hasOwn(units, unit) ? units[unit] : undefined
    if (size === undefined) return { error: `time: unknown unit ${timeQuoted(unit)} in duration ${timeQuoted(text)}` }
    const value = BigInt(whole || '0') * size + fractionOf(fraction, size)
    sum += value
    if (value > limit || sum > limit) return invalid
    rest = rest.slice(all.length)
  }
  if (negative) return -sum
  return sum === limit ? invalid : sum
}

/** In float64, as Go has it; digits that have no room do not count. */
function fractionOf(digits: string, unit: bigint): bigint {
  let value = 0n
  let scale = 1
  for (const digit of digits) {
    if (value > (limit - 1n) / 10n || value * 10n + BigInt(digit) > limit) break
    value = value * 10n + BigInt(digit)
    scale *= 10
  }
  return BigInt(Math.trunc(Number(value) * (Number(unit) / scale)))
}

/** How package time quotes what it complains of: every byte that is not printable ASCII as \xNN. */
export function timeQuoted(text: string): string {
  const shown = /^[ -~]*$/.test(text) && byteLength(text) === text.length ? text : binary(text)
  return `"${shown.replace(/["\\]|[^ -\x7f]/gs, char => (char === '"' || char === '\\' ? '\\' + char : '\\x' + hex(char)))}"`
}

function hex(char: string): string {
  return char.charCodeAt(0).toString(16).padStart(2, '0')
}
