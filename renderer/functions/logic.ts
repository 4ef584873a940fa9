// Truth, comparison and defaults.
import { isDict, isEqual, isList, isTrue, kindOf, type Value } from '../value.js'
import { argument, define, type Family, FunctionFault, textArg } from './function.js'

const many = [1, Number.POSITIVE_INFINITY] as const

/** `and` and `or` give an operand, as in text/template; the evaluators stop at the one that decides. */
export const logic: Family = [
  define('and', many, args => args.find(value => !isTrue(value)) ?? argument(args, args.length - 1)),
  define('or', many, args => args.find(isTrue) ?? argument(args, args.length - 1)),
  define('not', 1, args => !isTrue(argument(args, 0))),
  define('eq', [2, Number.POSITIVE_INFINITY], args => args.slice(1).some(other => isEqual(argument(args, 0), other))),
  define('ne', 2, args => !isEqual(argument(args, 0), argument(args, 1))),
  define('lt', 2, args => compare(args) < 0),
  define('le', 2, args => compare(args) <= 0),
  define('gt', 2, args => compare(args) > 0),
  define('ge', 2, args => compare(args) >= 0),
  define('default', 2, args => (isTrue(argument(args, 1)) ? argument(args, 1) : argument(args, 0))),
  define('coalesce', many, args => args.find(isTrue) ?? null),
  define('empty', 1, args => !isTrue(argument(args, 0))),
  define('ternary', 3, args => (isTrue(argument(args, 2)) ? argument(args, 0) : argument(args, 1))),
  define('required', 2, args => required(textArg(args, 0), argument(args, 1))),
  define('fail', 1, args => {
    throw new FunctionFault(textArg(args, 0))
  }),
  define('kindIs', 2, args => textArg(args, 0) === kindOf(argument(args, 1))),
  define('kindOf', 1, args => kindOf(argument(args, 0))),
  define('index', [2, Number.POSITIVE_INFINITY], args => args.slice(1).reduce(indexed, argument(args, 0))),
]

function required(message: string, value: Value): Value {
  if (value === null || value === '') throw new FunctionFault(message)
  return value
}

function compare(args: readonly Value[]): number {
  const [a = null, b = null] = args
  const numbers = isNumber(a) && isNumber(b)
  if (!numbers && !(typeof a === 'string' && typeof b === 'string'))
    throw new FunctionFault(`cannot order a ${kindOf(a)} and a ${kindOf(b)}; both must be numbers or both text`)
  return a < b ? -1 : a > b ? 1 : 0
}

function isNumber(value: Value): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

function indexed(value: Value, key: Value): Value {
  if (isDict(value)) return value.get(String(key)) ?? null
  if (isList(value)) return value[Number(key)] ?? null
  if (value === null) return null
  throw new FunctionFault(`cannot take an item of a ${kindOf(value)}`)
}
