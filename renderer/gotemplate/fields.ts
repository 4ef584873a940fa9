// Compiles `.a.b`, `$x.a.b` and `(pipeline).a.b`, with the arguments that the last of them takes where it is a method.
import { type Dict, goMethods, isDict, type Method, type ParamType, Struct, type Value } from '../value/value.js'
import { fieldOf, methodOf } from './access.js'
import type { Node } from './ast.js'
import { callMethod, checked, countError, paramAt } from './call.js'
import { type Evaluate, type Frame, failure, type Maybe } from './frame.js'
import type { Where } from './last.js'

/** An argument whose type is known only when the method is. */
export type Argument = (type: ParamType) => Evaluate

export interface FieldCall {
  readonly fields: readonly string[]
  /** Where errors are told. */
  readonly at: Where
  /** The method's call, for its own errors. */
  readonly node: Node
  readonly args: readonly Argument[]
  readonly piped: boolean
  /** Where a wrong piped value is told. */
  readonly last: Where
  /** The slot of the collection that the first value was taken from. */
  readonly holder: number | undefined
}

/** One field without arguments. */
function step(frame: Frame, receiver: Maybe, name: string, at: Where, holder: Maybe): Maybe {
  if (receiver instanceof Map) {
    const found = (receiver as Dict).get(name)
    if (found !== undefined && (receiver as Dict)[goMethods] === undefined) return found
  }
  const method = methodOf(receiver, name)
  if (method === undefined) return fieldOf(frame, receiver, name, at(frame), holder)
  const wrong = countError(name, method, 0, false)
  if (wrong !== undefined) throw failure(frame, at(frame), wrong)
  return callMethod(frame, method, name, [], at(frame))
}

/** Fields after one another, none with arguments. */
export function compileFields(base: Evaluate, fields: readonly string[], at: Where, holder: number | undefined): Evaluate {
  const held = (frame: Frame) => (holder === undefined ? undefined : frame.slots[holder])
  const [first, second] = fields as [string, string]
  if (fields.length === 1) return (frame, dot) => step(frame, base(frame, dot), first, at, held(frame))
  if (fields.length === 2)
    return (frame, dot) => {
      const receiver = base(frame, dot)
      return step(frame, step(frame, receiver, first, at, held(frame)), second, at, receiver)
    }
  return (frame, dot) => {
    let holding = held(frame)
    let value = base(frame, dot)
    for (const name of fields) {
      const found = step(frame, value, name, at, holding)
      holding = value
      value = found
    }
    return value
  }
}

/** Fields whose last one is given arguments: it must be a method. */
export function compileMethod(base: Evaluate, call: FieldCall): (frame: Frame, dot: Maybe, piped: Maybe) => Maybe {
  const { fields, at, holder } = call
  const leading = fields.slice(0, -1)
  const name = fields.at(-1) as string
  return (frame, dot, piped) => {
    let holding = holder === undefined ? undefined : frame.slots[holder]
    let receiver = base(frame, dot)
    for (const field of leading) {
      const found = step(frame, receiver, field, at, holding)
      holding = receiver
      receiver = found
    }
    const method = methodOf(receiver, name)
    if (method === undefined) {
      // Where there is nothing the arguments are not looked at.
      frame.last = at(frame)
      return notMethod(frame, receiver, name, frame.last, holding)
    }
    const wrong = countError(name, method, call.args.length, call.piped)
    if (wrong !== undefined) throw failure(frame, at(frame), wrong)
    const args = argumentsOf(frame, dot, piped, call, method)
    frame.last = call.last(frame)
    return callMethod(frame, method, name, args, call.node)
  }
}

function argumentsOf(frame: Frame, dot: Maybe, piped: Maybe, call: FieldCall, method: Method): Value[] {
  const args = call.args.map((argument, at) => argument(paramAt(method, at))(frame, dot) as Value)
  if (call.piped) args.push(checked(frame, piped, paramAt(method, args.length), call.last(frame)))
  return args
}

function notMethod(frame: Frame, receiver: Maybe, name: string, node: Node, holder: Maybe): Maybe {
  if (isDict(receiver) || (receiver instanceof Struct && receiver.kind === 'map'))
    throw failure(frame, node, `${name} is not a method but has arguments`)
  const field = fieldOf(frame, receiver, name, node, holder)
  if (receiver === undefined) return field
  throw failure(frame, node, `${name} has arguments but cannot be invoked as function`)
}
