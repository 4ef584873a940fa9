// `index`, `slice` and `len` of Go's text/template: on lists, maps and the bytes of texts.
import { byteAt, byteLength, sliceBytes } from '../value/text.js'
import {
  Bytes,
  CallError,
  type Dict,
  goType,
  Int,
  int,
  isDict,
  isList,
  type List,
  Struct,
  typed,
  typeOf,
  type Value,
} from '../value/value.js'
import { zeroOf } from './types.js'

export function lengthOf(value: Value | undefined): Int {
  // Go's own function does not expect a missing value, and says what reflection says.
  if (value === undefined) throw new CallError('reflect: call of reflect.Value.Type on zero Value')
  const length = measured(value)
  if (length !== undefined) return int(length)
  if (value === null || (value instanceof Struct && value.isNil)) throw new CallError('len of nil pointer')
  throw new CallError(`len of type ${pointedTo(value)}`)
}

/** Pointers are looked through before anything is said of them. */
function pointedTo(value: Value): string {
  return value instanceof Struct && value.kind === 'ptr' ? value.type.replace(/^\*/, '') : typeOf(value)
}

function measured(value: Value): number | undefined {
  if (typeof value === 'string') return byteLength(value)
  if (isList(value)) return value.length
  if (isDict(value)) return value.size
  if (value instanceof Bytes) return value.bytes.length
  return value instanceof Struct ? value.length : undefined
}

/** `item[key]`. */
export function indexOf(item: Value, key: Value): Value {
  if (item === null) throw new CallError('index of nil pointer')
  if (isDict(item)) return entryOf(item, key)
  if (isList(item)) return item[position(key, item.length, 'slice')] ?? null
  if (typeof item === 'string') return int(byteAt(item, position(key, byteLength(item), 'string')), 'uint8')
  if (item instanceof Bytes) return int(item.bytes[position(key, item.bytes.length, 'slice')] as number, 'uint8')
  const found = item instanceof Struct ? item.at(key) : undefined
  if (found === undefined) throw new CallError(`can't index item of type ${pointedTo(item)}`)
  return found
}

function entryOf(dict: Dict, key: Value): Value {
  if (key === null) throw new CallError('value is nil; should be of type string')
  if (typeof key !== 'string') throw new CallError(`value has type ${typeOf(key)}; should be string`)
  return dict.get(key) ?? zeroOf(dict[goType])
}

/** Go lets the length itself pass its own check, as it does for `slice`; then reflection complains in its own words. */
function position(key: Value, length: number, kind: 'slice' | 'string'): number {
  const at = numberOf(key)
  if (at < 0n || at > BigInt(length)) throw new CallError(`index out of range: ${BigInt.asIntN(64, at)}`)
  if (at === BigInt(length)) throw new CallError(`reflect: ${kind} index out of range`)
  return Number(at)
}

function numberOf(key: Value): bigint {
  if (key instanceof Int) return BigInt.asIntN(64, key.value)
  if (key === null) throw new CallError('cannot index slice/array with nil')
  throw new CallError(`cannot index slice/array with type ${typeOf(key)}`)
}

/** `item[i:j:k]`; the third index changes nothing that a template could see. */
export function sliceOf(item: Value, indexes: readonly Value[]): Value {
  if (indexes.length > 3) throw new CallError(`too many slice indexes: ${indexes.length}`)
  if (typeof item === 'string' && indexes.length === 3) throw new CallError('cannot 3-index slice a string')
  const length = isList(item) || typeof item === 'string' || item instanceof Bytes ? (measured(item) as number) : undefined
  if (length === undefined) throw new CallError(`can't slice item of type ${pointedTo(item)}`)
  const [from = 0, to = length, most = to] = indexes.map(index => within(index, length))
  if (from > to) throw new CallError(`invalid slice index: ${from} > ${to}`)
  if (to > most) throw new CallError(`invalid slice index: ${to} > ${most}`)
  return cut(item as string | List | Bytes, from, to)
}

function within(index: Value, length: number): number {
  const at = numberOf(index)
  if (at < 0n || at > BigInt(length)) throw new CallError(`index out of range: ${at}`)
  return Number(at)
}

function cut(item: string | List | Bytes, from: number, to: number): Value {
  if (typeof item === 'string') return sliceBytes(item, from, to)
  if (item instanceof Bytes) return new Bytes(item.bytes.subarray(from, to))
  const part: List = item.slice(from, to)
  const type = item[goType]
  return type === undefined ? part : typed(part, type)
}
