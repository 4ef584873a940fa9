// Which values are equal, which comes first: text/template's `eq` and `lt` with their error texts, reflect.DeepEqual, and the order of keys.
import { work } from '../work.js'
import { formatted } from './format.js'
import { compareText } from './text.js'
import { Bytes, CallError, type Dict, Int, isDict, isList, isNil, kindOf, Struct, typeOf, type Value } from './value.js'

type BasicKind = 'bool' | 'complex' | 'int' | 'uint' | 'float' | 'string'

function basicKind(value: Value): BasicKind | undefined {
  if (typeof value === 'string') return 'string'
  if (typeof value === 'number') return 'float'
  if (typeof value === 'boolean') return 'bool'
  if (value instanceof Int) return value.type.startsWith('uint') ? 'uint' : 'int'
  if (!(value instanceof Struct)) return undefined
  return value.kind === 'complex128' ? 'complex' : undefined
}

/** text/template `eq a b`. Throws CallError where the two cannot be compared. */
export function equal(a: Value, b: Value): boolean {
  const first = basicKind(a)
  const second = basicKind(b)
  if (first === 'int' || first === 'uint') {
    if (second === 'int' || second === 'uint') return (a as Int).value === (b as Int).value
  }
  if (first !== second) {
    if (a === null || b === null) return false
    throw incompatible(a, b)
  }
  if (first === 'complex') return (a as Struct).print() === (b as Struct).print()
  return first === undefined ? sameReference(a, b) : a === b
}

/** Neither is a number, a text or a bool: only nil and pointers can be compared. */
function sameReference(a: Value, b: Value): boolean {
  if (a === null || b === null) return isNil(a) && isNil(b)
  if (kindOf(a) !== kindOf(b))
    throw new CallError(`non-comparable types ${formatted('%s', a)}: ${typeOf(a)}, ${typeOf(b)}: ${formatted('%v', b)}`)
  if (isNil(a) || isNil(b)) return isNil(a) && isNil(b)
  if (isDict(b) || isList(b) || b instanceof Bytes || (b instanceof Struct && ['map', 'slice', 'func'].includes(b.kind)))
    throw new CallError(`non-comparable type ${formatted('%s', b)}: ${typeOf(b)}`)
  return a instanceof Struct ? a.isEqual(b) : a === b
}

function incompatible(a: Value, b: Value): CallError {
  return new CallError(`incompatible types for comparison: ${typeOf(a)} and ${typeOf(b)}`)
}

/** text/template `lt a b`. Throws CallError where the two have no order. */
export function less(a: Value, b: Value): boolean {
  const first = basicKind(a)
  const second = basicKind(b)
  if (first === undefined || second === undefined) throw new CallError('invalid type for comparison')
  if (a instanceof Int && b instanceof Int) return a.value < b.value
  if (first !== second) throw incompatible(a, b)
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b) < 0
  if (typeof a === 'number' && typeof b === 'number') return a < b
  throw new CallError('invalid type for comparison')
}

/** reflect.DeepEqual: the same Go types all the way down. */
export function deepEqual(a: Value, b: Value): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  work(2)
  if (typeOf(a) !== typeOf(b) || isNil(a) !== isNil(b)) return false
  if (a instanceof Int) return b instanceof Int && a.value === b.value
  if (a instanceof Bytes) return b instanceof Bytes && Buffer.compare(a.bytes, b.bytes) === 0
  if (isList(a)) return isList(b) && a.length === b.length && a.every((item, at) => deepEqual(item, b[at] as Value))
  if (isDict(a)) return isDict(b) && a.size === b.size && [...a].every(([key, item]) => sameEntry(b, key, item))
  const fields = a.fields()
  const others = b instanceof Struct ? b.fields() : undefined
  if (fields === undefined || others === undefined) return b instanceof Struct && a.print() === b.print()
  return fields.length === others.length && fields.every(([, item], at) => deepEqual(item, others[at]?.[1] as Value))
}

function sameEntry(dict: Dict, key: string, item: Value): boolean {
  const other = dict.get(key)
  return other !== undefined && deepEqual(item, other)
}
