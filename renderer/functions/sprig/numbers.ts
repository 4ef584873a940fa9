// Sprig's arithmetic (numeric.go, functions.go): int64 by cast's rules, decimal arithmetic for what ends in f.
import { sprint } from '../../value/format.js'
import { type Int, int, type List, typed, type Value } from '../../value/value.js'
import type { Call, GoFunction } from '../signature.js'
import { toFloat64, toInt64 } from './cast.js'
import { add, type Decimal, decimalOf, divide, multiply, subtract, toNumber } from './decimal.js'
import { type Args, boundedText, define, fail, int64, named, rest, text, whole } from './define.js'
import { parseInteger } from './number-text.js'

export const numbers: readonly GoFunction[] = [
  define('atoi', ['string'], args => int(atoi(text(args, 0)))),
  define('int64', ['any'], args => int64(big(args, 0))),
  define('int', ['any'], args => int(big(args, 0))),
  define('float64', ['any'], args => float(args, 0)),
  define('toDecimal', ['any'], args => int64(octal(sprint(args[0] as Value)))),

  define('add', ['...any'], args => int64(args.reduce<bigint>((sum, arg) => sum + toInt64(arg), 0n))),
  define('add1', ['any'], args => int64(big(args, 0) + 1n)),
  define('sub', ['any', 'any'], args => int64(big(args, 0) - big(args, 1))),
  define('mul', ['any', '...any'], args =>
    int64(rest(args, 1).reduce<bigint>((product, arg) => wrap(product * toInt64(arg)), big(args, 0))),
  ),
  define('div', ['any', 'any'], args => int64(big(args, 0) / divisor(args, 1))),
  define('mod', ['any', 'any'], args => int64(big(args, 0) % divisor(args, 1))),
  ...named(['max', 'biggest'], ['any', '...any'], args => int64(args.map(toInt64).reduce(larger))),
  define('min', ['any', '...any'], args => int64(args.map(toInt64).reduce(smaller))),

  define('add1f', ['any'], args => toNumber(add(decimal(args, 0), decimalOf(1)))),
  define('addf', ['...any'], args => exact([0, ...args], add)),
  define('subf', ['any', '...any'], args => exact(args, subtract)),
  define('mulf', ['any', '...any'], (args, call) => {
    call.meter.items(args.length)
    return exact(args, multiply)
  }),
  define('divf', ['any', '...any'], args => exact(args, divide)),
  define('maxf', ['any', '...any'], args => args.map(toFloat64).reduce(largest)),
  define('minf', ['any', '...any'], args => args.map(toFloat64).reduce(smallest)),
  define('floor', ['any'], args => Math.floor(float(args, 0))),
  define('ceil', ['any'], args => Math.ceil(float(args, 0))),
  define('round', ['any', 'int', '...float64'], args =>
    round(float(args, 0), whole(args, 1), (args[2] as number | undefined) ?? 0.5),
  ),

  define('until', ['int'], (args, call) => ints(steps(0, whole(args, 0), whole(args, 0) < 0 ? -1 : 1, call))),
  define('untilStep', ['int', 'int', 'int'], (args, call) => ints(steps(whole(args, 0), whole(args, 1), whole(args, 2), call))),
  define('seq', ['...int'], (args, call) =>
    boundedText(
      sequence(
        args.map((_, at) => whole(args, at)),
        call,
      ).join(' '),
      call,
    ),
  ),
]

function big(args: Args, at: number): bigint {
  return toInt64(args[at] as Value)
}

function float(args: Args, at: number): number {
  return toFloat64(args[at] as Value)
}

function decimal(args: Args, at: number): Decimal {
  return decimalOf(float(args, at))
}

function wrap(value: bigint): bigint {
  return BigInt.asIntN(64, value)
}

function divisor(args: Args, at: number): bigint {
  const value = big(args, at)
  return value === 0n ? fail('runtime error: integer divide by zero') : value
}

/** What has no room is the nearest number that has; what is no number is 0. */
function atoi(given: string): bigint {
  return parseInteger(given, 10).value
}

function octal(given: string): bigint {
  const parsed = parseInteger(given, 8)
  return parsed.error === null ? parsed.value : 0n
}

function exact(args: Args, operation: (a: Decimal, b: Decimal) => Decimal): number {
  const [first = 0, ...others] = args.map(toFloat64)
  return toNumber(others.reduce((result, other) => operation(result, decimalOf(other)), decimalOf(first)))
}

function larger(a: bigint, b: bigint): bigint {
  return a < b ? b : a
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

/** math.Max: an infinity wins over NaN. */
function largest(a: number, b: number): number {
  return a === Infinity || b === Infinity ? Infinity : Math.max(a, b)
}

function smallest(a: number, b: number): number {
  return a === -Infinity || b === -Infinity ? -Infinity : Math.min(a, b)
}

/** numeric.go: the fraction is compared with `roundOn`, so that halves of negative numbers go down. */
function round(value: number, places: number, roundOn: number): number {
  const power = powerOfTen(places)
  const digit = power * value
  // math.Modf of an infinity leaves NaN.
  const fraction = Number.isFinite(digit) ? digit - Math.trunc(digit) : NaN
  return (fraction >= roundOn ? Math.ceil(digit) : Math.floor(digit)) / power
}

/** math.Pow(10, n) as Go computes it on amd64: by squaring a fraction, which is not always the nearest number. */
function powerOfTen(power: number): number {
  let result = 1
  let resultExponent = 0
  let fraction = 0.625
  let exponent = 4
  for (let left = Math.abs(power); left !== 0; left = Math.floor(left / 2)) {
    if (exponent < -4096 || exponent > 4096) {
      resultExponent += exponent
      break
    }
    if (left % 2 === 1) {
      result *= fraction
      resultExponent += exponent
    }
    fraction *= fraction
    exponent *= 2
    if (fraction < 0.5) {
      fraction += fraction
      exponent--
    }
  }
  return power < 0 ? timesTwoTo(1 / result, -resultExponent) : timesTwoTo(result, resultExponent)
}

/** In two steps: 2^exponent alone may have no room. */
function timesTwoTo(value: number, exponent: number): number {
  const half = Math.trunc(exponent / 2)
  return value * 2 ** half * 2 ** (exponent - half)
}

function steps(start: number, stop: number, step: number, call: Call): number[] {
  const up = stop >= start
  if (up ? step <= 0 : step >= 0) return []
  call.meter.items(Math.ceil((stop - start) / step))
  const made: number[] = []
  for (let at = start; up ? at < stop : at > stop; at += step) made.push(at)
  return made
}

function ints(values: readonly number[]): List {
  return typed(
    values.map((value): Int => int(value)),
    '[]int',
  )
}

function sequence(params: readonly number[], call: Call): readonly number[] {
  const [first = 0, second = 0, third = 0] = params
  if (params.length === 1) return inclusive(1, first, first < 1 ? -1 : 1, call)
  if (params.length === 2) return inclusive(first, second, second < first ? -1 : 1, call)
  if (params.length !== 3 || (third < first && second > 0)) return []
  return steps(first, third + (third < first ? -1 : 1), second, call)
}

function inclusive(start: number, end: number, step: number, call: Call): number[] {
  return steps(start, end + step, step, call)
}
