// `.a.b`: fields, methods and keys, as Go's reflection finds them (text/template exec.go `evalField`).
import { quoted } from '../value/quote.js'
import {
  type Dict,
  goMethods,
  goType,
  isDict,
  isList,
  type List,
  type Method,
  Struct,
  typeOf,
  type Value,
} from '../value/value.js'
import type { Node } from './ast.js'
import { type Frame, failure, type Maybe } from './frame.js'
import { elementOf, zeroOf } from './types.js'

/** The type that reflection sees from outside: of what a map or list of interfaces holds, only that it is one. */
export function seenType(value: Value, holder: Maybe): string {
  if (holder === undefined || holder === null) return typeOf(value)
  return isDict(holder) || isList(holder) ? elementType(holder, value) : typeOf(value)
}

function elementType(holder: Dict | List, value: Value): string {
  const type = elementOf(holder[goType])
  return type === 'interface {}' ? type : typeOf(value)
}

/** The method that a value has under this name. */
export function methodOf(receiver: Maybe, name: string): Method | undefined {
  if (receiver instanceof Struct) return receiver.method(name)
  return isDict(receiver) || isList(receiver) ? receiver[goMethods]?.(name) : undefined
}

/** What `.name` of this value is, methods aside. `holder`: the map or list that it was taken from, for messages. */
export function fieldOf(frame: Frame, receiver: Maybe, name: string, node: Node, holder: Maybe): Maybe {
  if (receiver === undefined) {
    if (frame.rendering.missingKey === 'error') throw failure(frame, node, `nil data; no entry for key ${quoted(name)}`)
    return undefined
  }
  if (receiver === null) throw failure(frame, node, `nil pointer evaluating interface {}.${name}`)
  if (isDict(receiver)) {
    const entry = receiver.get(name)
    return entry === undefined ? missing(frame, receiver, name, node) : entry
  }
  if (receiver instanceof Struct && receiver.isNil)
    throw failure(frame, node, `nil pointer evaluating ${seenType(receiver, holder)}.${name}`)
  const found = receiver instanceof Struct ? structField(receiver, name) : undefined
  if (found !== undefined) return found
  throw failure(frame, node, `can't evaluate field ${name} in type ${seenType(receiver, holder)}`)
}

function structField(receiver: Struct, name: string): Maybe {
  const field = receiver.field(name)
  return field === undefined && receiver.kind === 'map' ? receiver.at(name) : field
}

function missing(frame: Frame, dict: Dict, name: string, node: Node): Maybe {
  const mode = frame.rendering.missingKey
  if (mode === 'error') throw noEntry(frame, name, node)
  return mode === 'zero' ? zeroOf(dict[goType]) : undefined
}

function noEntry(frame: Frame, name: string, node: Node): Error {
  return failure(frame, node, `map has no entry for key ${quoted(name)}`)
}
