// Numbers compared and divided exactly, as fractions of whole numbers.
import { Int, type Value } from '../value/value.js'

export interface Fraction {
  readonly above: bigint
  readonly below: bigint
}

export function isNumber(value: Value | undefined): value is number | Int {
  return typeof value === 'number' || value instanceof Int
}

export function fractionOf(value: number | Int): Fraction {
  if (value instanceof Int) return { above: value.value, below: 1n }
  if (Number.isSafeInteger(value)) return { above: BigInt(value), below: 1n }
  const [mantissa = '0', exponent = '0'] = value.toExponential().split('e')
  const [whole = '0', decimals = ''] = mantissa.split('.')
  const power = Number(exponent) - decimals.length
  const digits = BigInt(whole + decimals)
  return power >= 0 ? { above: digits * 10n ** BigInt(power), below: 1n } : { above: digits, below: 10n ** BigInt(-power) }
}

export function compare(a: number | Int, b: number | Int): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  const [x, y] = [fractionOf(a), fractionOf(b)]
  const [left, right] = [x.above * y.below, y.above * x.below]
  return left < right ? -1 : left > right ? 1 : 0
}

export function isMultiple(value: number | Int, of: number | Int): boolean {
  const [x, y] = [fractionOf(value), fractionOf(of)]
  return y.above !== 0n && (x.above * y.below) % (x.below * y.above) === 0n
}

export function isInteger(value: number | Int): boolean {
  return value instanceof Int || Number.isInteger(value)
}

export function plainNumber(value: number | Int): number {
  return value instanceof Int ? Number(value.value) : value
}
