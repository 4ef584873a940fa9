// Numbers: whole ones stay whole. `add`, `sub`, `mul`, `div` are of int64, as in Sprig.
import type { Value } from '../value.js'
import { readFloat, readInt } from '../yaml/scalar.js'
import { argument, define, type Family, FunctionFault } from './function.js'

const many = [1, Number.POSITIVE_INFINITY] as const

export const numbers: Family = [
  define('int', 1, args => whole(argument(args, 0))),
  define('int64', 1, args => whole(argument(args, 0))),
  define('float64', 1, args => float(argument(args, 0))),
  define('add', many, args => fit(args.map(big).reduce((a, b) => fitted(a + b), 0n))),
  define('sub', 2, args => fit(big(argument(args, 0)) - big(argument(args, 1)))),
  define('mul', many, args => fit(args.map(big).reduce((a, b) => fitted(a * b), 1n))),
  define('div', 2, args => fit(big(argument(args, 0)) / divisor(argument(args, 1)))),
  define('mod', 2, args => fit(big(argument(args, 0)) % divisor(argument(args, 1)))),
  define('max', many, args => fit(args.map(big).sort(ascending).at(-1) ?? 0n)),
  define('min', many, args => fit(args.map(big).sort(ascending)[0] ?? 0n)),
]

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function whole(value: Value): Value {
  return fit(big(value))
}

/** spf13/cast: true is 1, text is read by Go's integer rules, what cannot be read is 0. */
function big(value: Value): bigint {
  if (typeof value === 'bigint') return value
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (typeof value === 'number') return Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n
  return typeof value === 'string' ? BigInt(readInt(value) ?? 0) : 0n
}

function float(value: Value): number {
  if (typeof value === 'string') return readFloat(value) ?? 0
  return typeof value === 'number' ? value : Number(big(value))
}

function divisor(value: Value): bigint {
  const number = big(value)
  if (number === 0n) throw new FunctionFault('cannot divide by zero')
  return number
}

function fitted(number: bigint): bigint {
  return BigInt.asIntN(64, number)
}

function fit(number: bigint): number | bigint {
  const wrapped = fitted(number)
  return Number.isSafeInteger(Number(wrapped)) ? Number(wrapped) : wrapped
}
