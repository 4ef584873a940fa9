// Calls of functions and methods: arguments checked by signature as Go's reflection checks them, errors worded as Go words them.
import { RenderFault } from '../fault.js'
import type { GoFunction } from '../functions/signature.js'
import { CallError, type Method, type ParamType, typeOf, type Value } from '../value/value.js'
import { workOn } from '../work.js'
import type { Node } from './ast.js'
import { ExecError, ParseError } from './error.js'
import { type Evaluate, type Frame, failure, type Maybe } from './frame.js'
import { fits, nilOf, typeName } from './types.js'

export interface Signature {
  readonly params: readonly ParamType[]
  readonly variadic?: ParamType
}

/** The type of the parameter that takes argument `at`. */
export function paramAt(signature: Signature, at: number): ParamType {
  return signature.params[at] ?? signature.variadic ?? 'any'
}

/** What is wrong with the number of arguments; undefined: nothing. `written`: those in the source, without a piped one. */
export function countError(name: string, signature: Signature, written: number, piped: boolean): string | undefined {
  const count = written + (piped ? 1 : 0)
  const wants = signature.params.length
  if (signature.variadic === undefined)
    return count === wants ? undefined : `wrong number of args for ${name}: want ${wants} got ${count}`
  return count < wants ? `wrong number of args for ${name}: want at least ${wants} got ${written}` : undefined
}

/** The value as this parameter takes it. `node`: where an error is told. */
export function checked(frame: Frame, value: Maybe, type: ParamType, node: Node): Value {
  if (value === undefined) {
    if (type === 'reflect.Value') return value as unknown as Value
    const nil = nilOf(type)
    if (nil === undefined) throw failure(frame, node, `invalid value; expected ${typeName(type)}`)
    return nil
  }
  if (fits(value, type)) return value
  const got = value === null ? 'interface {}' : typeOf(value)
  throw failure(frame, node, `wrong type for value; expected ${typeName(type)}; got ${got}`)
}

/** Runs a function; `node`: the command. */
export function callFunction(frame: Frame, fn: GoFunction, args: readonly Value[], node: Node): Value {
  frame.rendering.meter.step()
  frame.node = node
  for (let at = 0; at < args.length; at++) workOn(args[at])
  try {
    return fn.run(args, frame.call)
  } catch (error) {
    throw callFailure(frame, node, { name: fn.name, args }, error)
  }
}

export function callMethod(frame: Frame, method: Method, name: string, args: readonly Value[], node: Node): Value {
  frame.rendering.meter.step()
  frame.node = node
  try {
    return method.run(args)
  } catch (error) {
    throw callFailure(frame, node, { name, args }, error)
  }
}

interface Called {
  readonly name: string
  readonly args: readonly Value[]
}

function callFailure(frame: Frame, node: Node, { name, args }: Called, error: unknown): unknown {
  if (error instanceof RenderFault || error instanceof RangeError) return error
  if (error instanceof CallError) return failure(frame, node, `error calling ${name}: ${error.message}`, error.cause, args)
  if (error instanceof ExecError || error instanceof ParseError)
    return failure(frame, node, `error calling ${name}: ${error.message}`, error)
  return error
}

/** Arguments one after another, a piped value last. */
export type Gather = (frame: Frame, dot: Maybe) => Value[]

type Checked = (frame: Frame, dot: Maybe) => Value

/** Most calls have few arguments: these write the array in one piece. */
export function gather(args: readonly Evaluate[]): Gather {
  const [first, second, third] = args as readonly Checked[]
  if (first === undefined) return () => []
  if (second === undefined) return (frame, dot) => [first(frame, dot)]
  if (third === undefined) return (frame, dot) => [first(frame, dot), second(frame, dot)]
  if (args.length === 3) return (frame, dot) => [first(frame, dot), second(frame, dot), third(frame, dot)]
  return (frame, dot) => (args as readonly Checked[]).map(arg => arg(frame, dot))
}
