// The functions that Go's text/template has by itself (funcs.go is the rule).
import type { GoFunction } from '../functions/signature.js'
import { equal, less } from '../value/compare.js'
import { print, println } from '../value/format.js'
import { sprintf } from '../value/printf.js'
import { CallError, isTrue, type ParamType, Struct, typeOf, type Value } from '../value/value.js'
import { htmlText, jsText, queryText } from './escape.js'
import { indexOf, lengthOf, sliceOf } from './indexing.js'
import { fits, nilOf, typeName } from './types.js'

function builtin(name: string, params: readonly ParamType[], run: GoFunction['run'], variadic?: ParamType): GoFunction {
  return variadic === undefined ? { name, params, run } : { name, params, variadic, run }
}

function first(args: readonly Value[]): Value {
  return args[0] ?? null
}

function second(args: readonly Value[]): Value {
  return args[1] ?? null
}

/** The compiler evaluates their operands one by one; they are never run. */
export const andFunction = builtin('and', ['any'], args => args.at(-1) ?? null, 'any')
export const orFunction = builtin('or', ['any'], args => args.at(-1) ?? null, 'any')

export const callName = 'call'

/** `call`, which says in its errors what it was asked to call. */
export function callFunctionByName(callee: string): GoFunction {
  return builtin(callName, ['any'], args => callValue(callee, first(args), args.slice(1)), 'any')
}

function callValue(callee: string, fn: Value, args: readonly Value[]): Value {
  if (fn === null) throw new CallError('call of nil')
  const method = fn instanceof Struct && fn.kind === 'func' ? fn.method(callName) : undefined
  if (method === undefined) throw new CallError(`non-function ${callee} of type ${typeOf(fn)}`)
  const { params, variadic } = method
  if (variadic === undefined ? args.length !== params.length : args.length < params.length)
    throw new CallError(
      `wrong number of args for ${callee}: got ${args.length} want ${variadic === undefined ? '' : 'at least '}${params.length}`,
    )
  return method.run(args.map((arg, at) => preparedArg(arg, at, params[at] ?? variadic ?? 'any')))
}

function preparedArg(arg: Value, at: number, type: ParamType): Value {
  const nil = arg === null ? nilOf(type) : arg
  if (nil === undefined) throw new CallError(`arg ${at}: value is nil; should be of type ${typeName(type)}`)
  if (!fits(nil, type)) throw new CallError(`arg ${at}: value has type ${typeOf(nil)}; should be ${typeName(type)}`)
  return nil
}

function isEqualToAny(value: Value, others: readonly Value[]): boolean {
  if (others.length === 0) throw new CallError('missing argument for comparison')
  return others.some(other => equal(value, other))
}

function lessOrEqual(a: Value, b: Value): boolean {
  return less(a, b) || equal(a, b)
}

export const builtins: ReadonlyMap<string, GoFunction> = new Map(
  [
    andFunction,
    orFunction,
    callFunctionByName(''),
    builtin('not', ['any'], args => !isTrue(first(args))),
    builtin('eq', ['any'], args => isEqualToAny(first(args), args.slice(1)), 'any'),
    builtin('ne', ['any', 'any'], args => !equal(first(args), second(args))),
    builtin('lt', ['any', 'any'], args => less(first(args), second(args))),
    builtin('le', ['any', 'any'], args => lessOrEqual(first(args), second(args))),
    builtin('gt', ['any', 'any'], args => !lessOrEqual(first(args), second(args))),
    builtin('ge', ['any', 'any'], args => !less(first(args), second(args))),
    builtin('index', ['any'], args => args.slice(1).reduce(indexOf, item(args, 'index')), 'any'),
    builtin('slice', ['any'], args => sliceOf(item(args, 'slice'), args.slice(1)), 'any'),
    builtin('len', ['reflect.Value'], args => lengthOf(args[0])),
    builtin('print', [], (args, call) => made(print(args), call), 'any'),
    builtin('printf', ['string'], (args, call) => made(sprintf(first(args) as string, args.slice(1)), call), 'any'),
    builtin('println', [], (args, call) => made(println(args), call), 'any'),
    builtin('html', [], (args, call) => made(htmlText(args), call), 'any'),
    builtin('js', [], (args, call) => made(jsText(args), call), 'any'),
    builtin('urlquery', [], (args, call) => made(queryText(args), call), 'any'),
  ].map(fn => [fn.name, fn]),
)

function item(args: readonly Value[], name: string): Value {
  const value = first(args)
  if (value === null) throw new CallError(`${name} of untyped nil`)
  return value
}

/** A short format can ask for much (`printf "%1000000d"`), and a text put to itself in a loop grows fast. */
function made(text: string, call: { readonly meter: { text(length: number): void } }): string {
  call.meter.text(text.length)
  return text
}
