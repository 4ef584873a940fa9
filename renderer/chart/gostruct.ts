// YAML into Go structs as sigs.k8s.io/yaml and encoding/json decode it: names in any case, numbers and booleans as texts where a text is wanted, Go's errors.
import { Int, isDict, isList, type Value } from '../value/value.js'
import { cannotUnmarshal } from '../yaml/decode.js'
import { formatG32 } from '../yaml/number.js'

/** The type of a field; `name` as `%T` prints it. */
export type GoType =
  | { readonly kind: 'string' | 'bool' | 'any' | 'time' }
  | { readonly kind: 'list'; readonly name: string; readonly of: GoType }
  | { readonly kind: 'map'; readonly name: string; readonly of: GoType }
  | { readonly kind: 'struct'; readonly name: string; readonly fields: Readonly<Record<string, GoType>> }

/** What a struct holds: only the fields that were written and are not null. */
export type Fields = ReadonlyMap<string, Decoded>
export type Decoded = string | boolean | null | Value | readonly Decoded[] | Fields

/**
 * `value`: decoded with integers kept. `short`: the struct's name in messages (`Metadata`). Throws `DecodeError`:
 * `json: cannot unmarshal array into Go struct field Metadata.name of type string`.
 */
export function decodeStruct(value: Value, type: GoType & { readonly kind: 'struct' }): Fields {
  if (value === null) return new Map()
  return structOf(value, type, { root: type.name.slice(type.name.indexOf('.') + 1), path: '' }) as Fields
}

interface Where {
  readonly root: string
  readonly path: string
}

function decode(value: Value, type: GoType, where: Where): Decoded {
  if (value === null) return null
  switch (type.kind) {
    case 'any':
      return value
    case 'time':
      return null
    case 'string':
      return textOf(value) ?? refuse(value, 'string', where)
    case 'bool':
      return typeof value === 'boolean' ? value : refuse(value, 'bool', where)
    case 'list':
      return isList(value) ? value.map(item => decode(item, type.of, where)) : refuse(value, type.name, where)
    case 'map':
      if (!isDict(value)) return refuse(value, type.name, where)
      return new Map([...value].map(([key, item]) => [key, decode(item, type.of, where)] as const))
    case 'struct':
      return structOf(value, type, where)
  }
}

function structOf(value: Value, type: GoType & { readonly kind: 'struct' }, where: Where): Decoded {
  if (!isDict(value)) return refuse(value, type.name, where)
  const fields = new Map<string, Decoded>()
  const names = new Map(Object.keys(type.fields).map(name => [name.toLowerCase(), name] as const))
  for (const key of [...value.keys()].sort()) {
    const name = names.get(key.toLowerCase())
    const item = value.get(key) ?? null
    if (name === undefined || item === null) continue
    const path = where.path === '' ? name : `${where.path}.${name}`
    fields.set(name, decode(item, type.fields[name] as GoType, { root: where.root, path }))
  }
  return fields
}

function refuse(value: Value, type: string, where: Where): never {
  throw cannotUnmarshal(
    value,
    where.path === '' ? `Go value of type ${type}` : `Go struct field ${where.root}.${where.path} of type ${type}`,
  )
}

/** sigs.k8s.io/yaml makes texts of numbers and booleans where the struct has a text; null: it is something else. */
function textOf(value: Value): string | null {
  if (typeof value === 'string') return value
  if (value instanceof Int) return String(value.value)
  if (typeof value === 'number') return formatG32(value)
  return typeof value === 'boolean' ? String(value) : null
}

export const text: GoType = { kind: 'string' }
export const flag: GoType = { kind: 'bool' }
export const texts: GoType = { kind: 'list', name: '[]string', of: text }
export const textMap: GoType = { kind: 'map', name: 'map[string]string', of: text }
