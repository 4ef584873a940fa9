// Arguments as the shared functions take them. Handlebars has no types, so what has one meaning is turned into what a parameter wants;
// a value's whole numbers are integers here (Helm's are floats: `quote 1234567` there gives "1.234567e+06").
import { fits } from '../gotemplate/types.js'
import { isAscii, textOf } from '../value/text.js'
import {
  Bytes,
  type Dict,
  goType,
  Int,
  int,
  isDict,
  isList,
  isTrue,
  type List,
  type ParamType,
  type Value,
} from '../value/value.js'
import { wordOf } from '../value/words.js'
import { numberText } from '../yaml/encode.js'

/** Throws `Unfit` where the value cannot be meant. */
export function coerced(value: Value, type: ParamType): Value {
  switch (type) {
    case 'any':
    case 'reflect.Value':
      return wholeNumber(value)
    case 'string':
      return textFor(value)
    case 'bool':
      return isTrue(value)
    case 'float64':
      return floatFor(value)
    case 'int':
    case 'int64':
    case 'uint32':
      return integerFor(value, type)
    case 'map':
      if (value === null) return new Map()
      return isDict(value) ? value : unfit('a map', value)
    case 'list':
      if (value === null) return []
      return isList(value) ? value : unfit('a list', value)
    case 'bytes':
      return value instanceof Bytes ? value : unfit('bytes', value)
    default:
      return value === null || fits(value, type) ? value : unfit(type, value)
  }
}

export class Unfit extends Error {}

function unfit(what: string, got: Value): never {
  throw new Unfit(`wants ${what}`, { cause: wordOf(got) })
}

/** A number without a fraction becomes an integer, which Go's functions print and compare as one. */
function wholeNumber(value: Value): Value {
  return typeof value === 'number' && Number.isSafeInteger(value) ? int(value, 'int64') : value
}

/** The same for everything in a list or map, which is copied: for functions that print or compare what is inside. */
export function wholeNumbers(value: Value): Value {
  if (value instanceof Int && value.type !== 'time.Duration') return int(value.value, 'int64')
  if (isList(value)) return marked<List>(value, value.map(wholeNumbers))
  if (!isDict(value)) return wholeNumber(value)
  return marked<Dict>(value, new Map([...value].map(([key, item]) => [key, wholeNumbers(item)] as const)))
}

function marked<T extends Dict | List>(from: T, made: T): T {
  if (from[goType] !== undefined) made[goType] = from[goType]
  return made
}

/** A scalar as it would be printed. Lists and maps have no text. */
export function plainText(value: Value): string | null {
  if (typeof value === 'string') return value
  if (value === null) return ''
  if (typeof value === 'number') return numberText(value)
  if (typeof value === 'boolean') return String(value)
  return value instanceof Int ? String(value.value) : null
}

function textFor(value: Value): string {
  const text = value instanceof Bytes ? textOf(value.bytes) : plainText(value)
  return text ?? unfit('text', value)
}

function floatFor(value: Value): number {
  if (typeof value === 'number') return value
  if (value instanceof Int) return Number(value.value)
  return unfit('a number', value)
}

function integerFor(value: Value, type: 'int' | 'int64' | 'uint32'): Int {
  if (value instanceof Int) return int(value.value, type)
  const number = typeof value === 'string' && isAscii(value) && /^[-+]?\d+$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) ? int(number, type) : unfit('a whole number', value)
}
