// Reads JSON as Go's encoding/json does: numbers are float64, the last of equal keys wins, and errors are worded as there.

import type { Dict, List, Value } from '../../value/value.js'
import { binary, fromBinary } from '../sprig/bytes.js'
import { quotedByte } from './json.js'

/** Go gives up at 10000; here at what no honest text reaches. */
const deepest = 1_000

export type JsonRead =
  | { readonly value: Value; readonly error: undefined }
  /** The text cannot be read: nothing came of it. Or a number has no room: it is nil in what was read. */
  | { readonly value: Value | undefined; readonly error: string }

export function readJson(text: string): JsonRead {
  const reader = new Reader(binary(text))
  try {
    const value = reader.document()
    return reader.tooLarge === undefined ? { value, error: undefined } : { value, error: reader.tooLarge }
  } catch (error) {
    if (error instanceof SyntaxError) return { value: undefined, error: error.message }
    throw error
  }
}

/** What `json.Unmarshal` says of a value that is to become another type. */
export function kindOfJson(value: Value): 'object' | 'array' | 'string' | 'number' | 'bool' {
  if (value instanceof Map) return 'object'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value === 'number' ? 'number' : 'string'
}

const simple: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

/** `at` is on the next character; every method ends behind what it read. */
class Reader {
  readonly #text: string
  #at = 0
  #depth = 0
  tooLarge: string | undefined
  constructor(text: string) {
    this.#text = text
  }

  document(): Value {
    const value = this.#value()
    this.#space()
    if (this.#at < this.#text.length) this.#unexpected('after top-level value')
    return value
  }

  #value(): Value {
    this.#space()
    const char = this.#text[this.#at]
    if (char === '{') return this.#nested(() => this.#object())
    if (char === '[') return this.#nested(() => this.#array())
    if (char === '"') return this.#string()
    if (char === 't') return this.#word('true', true)
    if (char === 'f') return this.#word('false', false)
    if (char === 'n') return this.#word('null', null)
    if (char === '-' || (char !== undefined && char >= '0' && char <= '9')) return this.#number()
    return this.#unexpected('looking for beginning of value')
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > deepest) throw new SyntaxError('exceeded max depth')
    const value = read()
    this.#depth--
    return value
  }

  #object(): Dict {
    const made: Dict = new Map()
    this.#at++
    this.#space()
    if (this.#take('}')) return made
    while (true) {
      this.#space()
      if (this.#text[this.#at] !== '"') this.#unexpected('looking for beginning of object key string')
      const key = this.#string()
      this.#space()
      if (!this.#take(':')) this.#unexpected('after object key')
      made.set(key, this.#value())
      this.#space()
      if (this.#take('}')) return made
      if (!this.#take(',')) this.#unexpected('after object key:value pair')
    }
  }

  #array(): List {
    const made: List = []
    this.#at++
    this.#space()
    if (this.#take(']')) return made
    while (true) {
      made.push(this.#value())
      this.#space()
      if (this.#take(']')) return made
      if (!this.#take(',')) this.#unexpected('after array element')
    }
  }

  #string(): string {
    const parts: string[] = []
    this.#at++
    let from = this.#at
    while (true) {
      const char = this.#text[this.#at]
      if (char === '"') break
      if (char === undefined || char < ' ') this.#unexpected('in string literal')
      this.#at++
      if (char !== '\\') continue
      parts.push(utf8(this.#text.slice(from, this.#at - 1)), this.#escape())
      from = this.#at
    }
    parts.push(utf8(this.#text.slice(from, this.#at)))
    this.#at++
    return parts.join('')
  }

  #escape(): string {
    const char = this.#text[this.#at]
    const plain = char === undefined ? undefined : simple[char]
    if (plain === undefined && char !== 'u') this.#unexpected('in string escape code')
    this.#at++
    if (plain !== undefined) return plain
    const first = this.#hex()
    if (first < 0xd800 || first > 0xdfff) return String.fromCharCode(first)
    const pair = /^\\u(d[c-f][0-9a-f]{2})/i.exec(this.#text.slice(this.#at, this.#at + 6))
    if (first > 0xdbff || pair === null) return '\ufffd'
    this.#at += 6
    return String.fromCharCode(first, Number.parseInt(pair[1] as string, 16))
  }

  #hex(): number {
    const start = this.#at
    for (; this.#at < start + 4; this.#at++)
      if (!/[0-9a-fA-F]/.test(this.#text[this.#at] ?? '')) this.#unexpected('in \\u hexadecimal character escape')
    return Number.parseInt(this.#text.slice(start, this.#at), 16)
  }

  #number(): Value {
    const start = this.#at
    this.#take('-')
    if (!this.#take('0')) this.#digits('in numeric literal')
    if (this.#take('.')) this.#digits('after decimal point in numeric literal')
    if (this.#take('e') || this.#take('E')) {
      if (!this.#take('+')) this.#take('-')
      this.#digits('in exponent of numeric literal')
    }
    const written = this.#text.slice(start, this.#at)
    const value = Number(written)
    if (Number.isFinite(value)) return value
    this.tooLarge ??= `json: cannot unmarshal number ${written} into Go value of type float64`
    return null
  }

  #digits(where: string): void {
    const start = this.#at
    while (/[0-9]/.test(this.#text[this.#at] ?? '')) this.#at++
    if (this.#at === start) this.#unexpected(where)
  }

  #word(word: string, value: Value): Value {
    for (const char of word) if (!this.#take(char)) this.#unexpected(`in literal ${word} (expecting '${char}')`)
    return value
  }

  #take(char: string): boolean {
    const found = this.#text[this.#at] === char
    if (found) this.#at++
    return found
  }

  #space(): void {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? '')) this.#at++
  }

  #unexpected(where: string): never {
    // Go lets a space follow the end: where that is allowed, the text was too short, else the space is at fault.
    const char = this.#text[this.#at] ?? (/literal|escape/.test(where) && where !== 'in string literal' ? ' ' : undefined)
    throw new SyntaxError(char === undefined ? 'unexpected end of JSON input' : `invalid character ${quotedByte(char)} ${where}`)
  }
}

function utf8(bytes: string): string {
  return fromBinary(bytes).replace(/\p{Surrogate}/gu, '\ufffd')
}
