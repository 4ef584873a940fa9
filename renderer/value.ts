// The values that templates see, whichever language they are written in: what YAML can say, held so that no name from Git reaches a JavaScript object.

/** Bytes that are not text: a binary file of the chart. */
export class Bytes {
  readonly bytes: Uint8Array
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

export type Value = null | boolean | number | bigint | string | Bytes | readonly Value[] | ReadonlyMap<string, Value>
export type Dict = ReadonlyMap<string, Value>
export type List = readonly Value[]

export function isDict(value: Value | undefined): value is Dict {
  return value instanceof Map
}

export function isList(value: Value | undefined): value is List {
  return Array.isArray(value)
}

/** For messages: what a person would call it. */
export function kindOf(value: Value): string {
  if (value === null) return 'null'
  if (isList(value)) return 'list'
  if (isDict(value)) return 'map'
  if (value instanceof Bytes) return 'binary file'
  if (typeof value === 'bigint') return 'number'
  return typeof value
}

/** Helm's truth (text/template `IsTrue`): false, 0, null, '' and what is empty are false. */
export function isTrue(value: Value | undefined): boolean {
  if (value === undefined || value === null) return false
  if (isList(value)) return value.length > 0
  if (isDict(value)) return value.size > 0
  if (value instanceof Bytes) return value.bytes.length > 0
  return Boolean(value)
}

/** Keys in the order of their UTF-8 bytes, as Go ranges over a map. */
export function sortedKeys(dict: Dict): string[] {
  return [...dict.keys()].sort(compareText)
}

/** By code point, which is the order of UTF-8 bytes (UTF-16 order differs above U+FFFF). */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return surrogatesLast(x) - surrogatesLast(y)
  }
  return a.length - b.length
}

function surrogatesLast(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}

export function isEqual(a: Value, b: Value): boolean {
  if (isList(a)) return isList(b) && a.length === b.length && a.every((item, at) => isEqual(item, b[at] ?? null))
  if (isDict(a))
    return isDict(b) && a.size === b.size && [...a].every(([key, item]) => b.has(key) && isEqual(item, b.get(key) ?? null))
  // biome-ignore lint/suspicious/noDoubleEquals: 3n and 3 are the same number
  if (typeof a === 'bigint' || typeof b === 'bigint') return typeof a !== 'string' && typeof b !== 'string' && a == b
  return a === b
}

/** Plain JSON to a value; what is not JSON (a function, a symbol) becomes null. */
export function fromJson(json: unknown): Value {
  if (json === null || typeof json === 'boolean' || typeof json === 'number' || typeof json === 'string') return json
  if (typeof json === 'bigint') return json
  if (Array.isArray(json)) return json.map(fromJson)
  if (typeof json !== 'object') return null
  return new Map(Object.entries(json).map(([key, item]) => [key, fromJson(item)]))
}

/** A value as text inside a template; null is the empty string. Lists, maps and bytes have no text. */
export function textOf(value: Value): string | null {
  if (value === null) return ''
  if (typeof value === 'object') return null
  return String(value)
}
