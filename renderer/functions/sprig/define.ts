// How the functions of this folder are written down: their Go signature, and their arguments by type.
import { type Dict, type Int, int, type List, type ParamType, type Value } from '../../value/value.js'
import { type Call, CallError, type GoFunction } from '../signature.js'

export type Args = readonly Value[]
type Run = (args: Args, call: Call) => Value

/** `define('trunc', ['int', 'string'], run)`; a last parameter `...any` is the variadic one. */
export function define(name: string, params: readonly (ParamType | `...${ParamType}`)[], run: Run): GoFunction {
  const last = params.at(-1)
  if (last === undefined || !last.startsWith('...')) return { name, params: params as readonly ParamType[], run }
  return { name, params: params.slice(0, -1) as readonly ParamType[], variadic: last.slice(3) as ParamType, run }
}

/** The same function under several names. */
export function named(
  names: readonly string[],
  params: readonly (ParamType | `...${ParamType}`)[],
  run: Run,
): readonly GoFunction[] {
  return names.map(name => define(name, params, run))
}

/** Sprig's pairs: `first` panics where `mustFirst` returns an error; a template sees the same text for both. */
export function withMust(name: string, params: readonly (ParamType | `...${ParamType}`)[], run: Run): readonly GoFunction[] {
  return named([name, mustName(name)], params, run)
}

export function mustName(name: string): string {
  return `must${name.slice(0, 1).toUpperCase()}${name.slice(1)}`
}

/** A string parameter. */
export function text(args: Args, at: number): string {
  return args[at] as string
}

/** An int parameter; beyond 2^53 only its size matters, and every use is bounded. */
export function whole(args: Args, at: number): number {
  return Number((args[at] as Int).value)
}

/** A `map[string]interface {}` parameter: nil is a map without entries. */
export function dict(args: Args, at: number): Dict {
  return (args[at] ?? new Map()) as Dict
}

/** The arguments of a variadic parameter that starts at `from`, as the slice that Go's function sees. */
export function rest(args: Args, from: number): List {
  return args.slice(from)
}

export function int64(value: bigint): Int {
  return int(BigInt.asIntN(64, value), 'int64')
}

export function fail(message: string): never {
  throw new CallError(message)
}

/** What Go's runtime says where `value.(TYPE)` does not hold. */
export function failAssertion(found: string, wanted: string): never {
  return fail(
    found === '<nil>'
      ? `interface conversion: interface {} is nil, not ${wanted}`
      : `interface conversion: interface {} is ${found}, not ${wanted}`,
  )
}

/** reflect.TypeOf(nil).Kind(): Sprig's functions on lists end so where they are given nil. */
export function failNil(): never {
  return fail('runtime error: invalid memory address or nil pointer dereference')
}

/** A list whose size the meter allows. */
export function bounded(list: List, call: Call): List {
  call.meter.items(list.length)
  return list
}

/** A text whose size the meter allows. */
export function boundedText(made: string, call: Call): string {
  call.meter.text(made.length)
  return made
}
