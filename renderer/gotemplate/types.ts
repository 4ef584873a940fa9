// Go's types where templates meet them: which values a parameter takes, and what is zero (text/template exec.go `validateType`).
import {
  Bytes,
  type Dict,
  goType,
  Int,
  int,
  isDict,
  isList,
  type List,
  nilDict,
  nilList,
  type ParamType,
  Struct,
  type Value,
} from '../value/value.js'

const names: Readonly<Record<string, string>> = {
  any: 'interface {}',
  map: 'map[string]interface {}',
  maps: '[]map[string]interface {}',
  list: '[]interface {}',
  strings: '[]string',
  bytes: '[]uint8',
}

/** As Go prints the type of a parameter. */
export function typeName(type: ParamType): string {
  return names[type] ?? type
}

/** Whether reflection would assign the value to a parameter of this type. */
export function fits(value: Value, type: ParamType): boolean {
  switch (type) {
    case 'any':
    case 'reflect.Value':
      return true
    case 'string':
      return typeof value === 'string'
    case 'bool':
      return typeof value === 'boolean'
    case 'float64':
      return typeof value === 'number'
    case 'map':
      return isDict(value) && isPlain(value, 'map[')
    case 'list':
      return isList(value) && isPlain(value, '[')
    case 'strings':
    case 'maps':
      return isList(value) && value[goType] === names[type]
    case 'bytes':
      return value instanceof Bytes
    default:
      if (value instanceof Int) return value.type === type
      return value instanceof Struct && (value.type === type || value.type === '*' + type)
  }
}

/** Of `interface {}`s: without a type of its own, or one with a name (`chartutil.Values`), which is assignable. */
function isPlain(value: Dict | List, unnamed: string): boolean {
  const type = value[goType]
  return type === undefined || !type.startsWith(unnamed)
}

/** What nil is as a parameter of this type; undefined where nil cannot be assigned. */
export function nilOf(type: ParamType): Value | undefined {
  switch (type) {
    case 'any':
      return null
    case 'map':
      return nilDict()
    case 'list':
      return nilList()
    case 'strings':
    case 'maps':
      return nilList(names[type])
    case 'bytes':
      return new Bytes(new Uint8Array())
    default:
      return type.startsWith('*') ? null : undefined
  }
}

/** What named maps hold that are not of interfaces: Helm's `.Files`. */
const namedElements: Readonly<Record<string, string>> = { 'engine.files': '[]uint8' }

/** The type of what a map or list of this type holds. */
export function elementOf(type: string | undefined): string {
  if (type === undefined) return 'interface {}'
  return /^(?:map\[\w+\]|\[\])(.+)$/.exec(type)?.[1] ?? namedElements[type] ?? 'interface {}'
}

/** The zero of what a map or list of this type holds: what is read where nothing is. */
export function zeroOf(type: string | undefined): Value {
  const element = elementOf(type)
  if (element === 'string') return ''
  if (element === 'bool') return false
  if (element === 'float64') return 0
  if (element === 'int' || element === 'int64') return int(0, element)
  if (element === '[]uint8') return new Bytes(new Uint8Array())
  return element.startsWith('[]') ? nilList(element) : null
}
