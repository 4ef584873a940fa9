// Exact decimal arithmetic, as shopspring/decimal does it for addf, subf, mulf and divf.

import { floatText } from '../../value/float.js'
import { fail } from './define.js'

/** coefficient * 10^exponent */
export interface Decimal {
  readonly coefficient: bigint
  readonly exponent: number
}

/** The fewest digits that read back as the same number. */
export function decimalOf(value: number): Decimal {
  if (!Number.isFinite(value)) fail(`Cannot create a Decimal from ${floatText(value)}`)
  const [mantissa = '0', exponent = '0'] = value.toExponential().split('e')
  const [before = '0', after = ''] = mantissa.split('.')
  return { coefficient: BigInt(before + after), exponent: Number(exponent) - after.length }
}

export function toNumber(value: Decimal): number {
  return Number(`${value.coefficient}e${value.exponent}`)
}

export function add(a: Decimal, b: Decimal): Decimal {
  const exponent = Math.min(a.exponent, b.exponent)
  return { coefficient: scaledTo(a, exponent) + scaledTo(b, exponent), exponent }
}

export function subtract(a: Decimal, b: Decimal): Decimal {
  return add(a, { coefficient: -b.coefficient, exponent: b.exponent })
}

export function multiply(a: Decimal, b: Decimal): Decimal {
  return { coefficient: a.coefficient * b.coefficient, exponent: a.exponent + b.exponent }
}

const places = 16

/** To 16 places, halves away from zero (decimal.go, DivRound). */
export function divide(a: Decimal, b: Decimal): Decimal {
  if (b.coefficient === 0n) fail('decimal division by 0')
  const shift = a.exponent - b.exponent + places
  const over = shift >= 0 ? a.coefficient * 10n ** BigInt(shift) : a.coefficient
  const under = shift >= 0 ? b.coefficient : b.coefficient * 10n ** BigInt(-shift)
  const quotient = over / under
  const left = size(over % under) * 2n
  if (left < size(under)) return { coefficient: quotient, exponent: -places }
  const away = over < 0n === under < 0n ? 1n : -1n
  return { coefficient: quotient + away, exponent: -places }
}

function scaledTo(value: Decimal, exponent: number): bigint {
  return value.coefficient * 10n ** BigInt(value.exponent - exponent)
}

function size(value: bigint): bigint {
  return value < 0n ? -value : value
}
