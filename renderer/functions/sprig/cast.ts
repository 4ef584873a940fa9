// What spf13/cast 1.7.0 makes of values that should be numbers: never an error, 0 where nothing fits.
import { Int, Struct, type Value } from '../../value/value.js'
import { parseFloatText, parseInteger } from './number-text.js'

const least = -(1n << 63n)

/** `cast.ToInt64` and `cast.ToInt`, which are one on 64 bits. A time.Duration is none of the types it knows. */
export function toInt64(value: Value): bigint {
  if (value instanceof Int) return knownInt(value) ? BigInt.asIntN(64, value.value) : 0n
  if (typeof value === 'number') return truncated(value)
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (typeof value === 'string') return fromText(value)
  return value instanceof NamedInt ? BigInt(value.value) : 0n
}

/** `cast.ToFloat64`. */
export function toFloat64(value: Value): number {
  if (typeof value === 'number') return value
  if (value instanceof Int) return knownInt(value) ? Number(value.value) : 0
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value === 'string') return parseFloatText(value) ?? 0
  return value instanceof NamedInt ? value.value : 0
}

/** time.Month and time.Weekday: the named integers that cast knows. */
export abstract class NamedInt extends Struct {
  readonly kind = 'int'
  abstract readonly value: number
}

function knownInt(value: Int): boolean {
  return value.type !== 'time.Duration' && value.type !== 'uintptr'
}

/** Go's conversion on amd64: towards zero; what has no room is the least number. */
function truncated(value: number): bigint {
  if (!(Math.abs(value) < 2 ** 63)) return least
  return BigInt(Math.trunc(value))
}

function fromText(text: string): bigint {
  const parsed = parseInteger(withoutZeroFraction(text), 0)
  return parsed.error === null ? parsed.value : 0n
}

/** `12.00` -> `12`; `12.` and `12.5` stay, and are no integers. */
function withoutZeroFraction(text: string): string {
  return /\.0+$/.test(text) ? text.replace(/\.0+$/, '') : text
}
