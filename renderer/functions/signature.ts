// What a function of Go's template language is: its Go signature, which the evaluator checks as reflection would, and what it does.
import type { Meter } from '../limits.js'
import type { ParamType, Value } from '../value/value.js'

export { CallError } from '../value/value.js'

/** What a function may use of the render that calls it. Nothing else is in reach: no clock, no network, no disk, no environment. */
export interface Call {
  readonly meter: Meter
  /** Helm's `include`: another template's output, with `context` as its dot. */
  include(name: string, context: Value): string
  /** Helm's `tpl`: a text evaluated as a template that sees all others. */
  tpl(text: string, context: Value): string
  /** Helm's `lookup`: what is there; an empty map where nothing is, or where nothing may be asked. */
  lookup(apiVersion: string, kind: string, namespace: string, name: string): Value
  /**
   * What random functions, keys, certificates and `now` gave the first time (release.md, architecture.md: "sticky"). `mint` is
   * called where nothing is kept yet; `key` tells calls of one place apart by their arguments, never by their number in a loop.
   */
  sticky(name: string, key: readonly Value[], mint: (chance: Chance) => Value): Value
}

/** Randomness and time, as arguments. */
export interface Chance {
  random(bytes: number): Uint8Array
  /** Milliseconds since 1970. */
  readonly now: number
}

export interface GoFunction {
  readonly name: string
  readonly params: readonly ParamType[]
  /** Every further argument is of this type. */
  readonly variadic?: ParamType
  /** Arguments are checked already. Throws `CallError` where Go's function returns an error or panics. */
  readonly run: (args: readonly Value[], call: Call) => Value
}
