// What a template function is, in whichever language it is called; and how it reads its arguments.
import type { Meter } from '../limits.js'
import { Bytes, type Dict, isDict, isList, kindOf, type List, type Value } from '../value.js'

/** What a function may use of the render that calls it. Nothing else is in reach: no clock, no network, no disk. */
export interface Call {
  readonly meter: Meter
  /** Another template's output, with `context` as its root. */
  include(name: string, context: Value): string
  /** A text evaluated as a template. */
  evaluate(text: string, context: Value): string
  /** The chart's own files, templates and values apart; null where there is none. */
  file(path: string): Uint8Array | null
  readonly filePaths: readonly string[]
}

export interface TemplateFunction {
  readonly name: string
  /** How many arguments it takes. */
  readonly least: number
  readonly most: number
  readonly run: (args: readonly Value[], call: Call, named: Dict) => Value
}

/** The message of a function that refuses; the evaluator adds the place. It never carries a value, which might be secret. */
export class FunctionFault extends Error {}

export type Family = readonly TemplateFunction[]

export function define(name: string, count: number | readonly [number, number], run: TemplateFunction['run']): TemplateFunction {
  const [least, most] = typeof count === 'number' ? [count, count] : count
  return { name, least, most, run }
}

export function argument(args: readonly Value[], at: number): Value {
  return args[at] ?? null
}

export function textArg(args: readonly Value[], at: number): string {
  const value = argument(args, at)
  if (value === null) return ''
  if (isDict(value) || isList(value) || value instanceof Bytes) throw wants('text', at, value)
  return String(value)
}

export function dictArg(args: readonly Value[], at: number): Dict {
  const value = argument(args, at)
  if (value === null) return new Map()
  if (!isDict(value)) throw wants('a map', at, value)
  return value
}

export function listArg(args: readonly Value[], at: number): List {
  const value = argument(args, at)
  if (value === null) return []
  if (!isList(value)) throw wants('a list', at, value)
  return value
}

/** A whole number, bounded so that it can count characters or items. */
export function countArg(args: readonly Value[], at: number): number {
  const value = Number(argument(args, at))
  if (!Number.isSafeInteger(value)) throw wants('a whole number', at, argument(args, at))
  return value
}

export function wants(what: string, at: number, got: Value): FunctionFault {
  return new FunctionFault(`wants ${what} as argument ${at + 1}, got ${kindOf(got)}`)
}

/** A text that a function made, within the limit. */
export function made(text: string, call: Call): string {
  call.meter.text(text.length)
  return text
}
