// What a person would call a value, for messages of ours; Go's own names (`kindOf`, `typeOf`) stand where Helm's messages are copied.
import { Bytes, Int, isDict, isList, Struct, type Value } from './value.js'

export function wordOf(value: Value): string {
  if (value === null) return 'null'
  if (isList(value)) return 'list'
  if (isDict(value)) return 'map'
  if (value instanceof Bytes) return 'binary file'
  if (value instanceof Struct) return value.type
  return value instanceof Int ? 'number' : typeof value
}
