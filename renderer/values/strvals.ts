// The grammars of `--set` and its kin (Helm's `pkg/strvals`), on Go's values: `a.b[2].c=v,x={a,b}`, with `\` before a character that is meant as itself.
import { quotedRune } from '../value/quote.js'
import { type Dict, int, isDict, isList, type List, typeOf, type Value } from '../value/value.js'
import { JsonReader } from './json.js'

/** Helm's words; they name keys, never values. */
export class StrvalsError extends Error {}

const maxIndex = 65_536
const maxNesting = 30

/** What stands behind `=`: typed, as text, of a file (its name is the value), JSON, or the rest of the line as it is. */
export type Reading =
  | { readonly kind: 'typed' | 'string' | 'json' | 'literal' }
  | { readonly kind: 'file'; readonly read: (name: string) => string }

/** Sets what the line says. `into` and what is in it are changed in place. Throws `StrvalsError`. */
export function setInto(into: Dict, line: string, reading: Reading): void {
  const parser = new Parser(line, reading)
  while (parser.key(into, 0) === 'more') {}
}

type Outcome = 'more' | 'end'

class Parser {
  readonly #chars: readonly string[]
  readonly #reading: Reading
  readonly #literal: boolean
  #at = 0

  constructor(line: string, reading: Reading) {
    this.#chars = [...line]
    this.#reading = reading
    this.#literal = reading.kind === 'literal'
  }

  /** The text up to one of these characters, which is consumed; `stop` is '' at the end of the line. */
  #until(stops: string): { readonly text: string; readonly stop: string } {
    let text = ''
    while (this.#at < this.#chars.length) {
      const char = this.#chars[this.#at++] as string
      if (stops.includes(char)) return { text, stop: char }
      if (char !== '\\' || this.#literal) text += char
      else if (this.#at < this.#chars.length) text += this.#chars[this.#at++]
    }
    return { text, stop: '' }
  }

  key(data: Dict, nesting: number): Outcome {
    const { text: key, stop } = this.#until(this.#literal ? '=[.' : '=[,.')
    if (stop === '') {
      if (key === '') return 'end'
      throw new StrvalsError(`key ${JSON.stringify(key)} has no value`)
    }
    if (stop === '[') return this.#indexed(data, key, nesting)
    if (stop === '=') return this.#value(value => set(data, key, value))
    if (stop === ',') {
      set(data, key, '')
      throw new StrvalsError(`key ${JSON.stringify(key)} has no value (cannot end with ,)`)
    }
    return this.#nested(data, key, nesting + 1)
  }

  #indexed(data: Dict, key: string, nesting: number): Outcome {
    const index = this.#index()
    const old = data.get(key)
    const list: List = old === undefined ? [] : asserted(old, isList, '[]interface {}')
    const item = this.#item(list, index, nesting)
    set(data, key, item.list)
    return item.outcome
  }

  #nested(data: Dict, key: string, nesting: number): Outcome {
    if (nesting > maxNesting)
      throw new StrvalsError(`value name nested level is greater than maximum supported nested level of ${maxNesting}`)
    const old = data.get(key)
    const inner: Dict = old === undefined ? new Map() : asserted(old, isDict, 'map[string]interface {}')
    const outcome = this.key(inner, nesting)
    if (outcome === 'more' && inner.size === 0) throw new StrvalsError(`key map ${JSON.stringify(key)} has no value`)
    if (inner.size !== 0) set(data, key, inner)
    return outcome
  }

  #index(): number {
    const { text, stop } = this.#until(']')
    if (stop === '') throw new StrvalsError('error parsing index: EOF')
    if (/^[+-]?\d+$/.test(text)) return Number(text)
    throw new StrvalsError(`error parsing index: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`)
  }

  #item(list: List, index: number, nesting: number): { readonly list: List; readonly outcome: Outcome } {
    if (index < 0) throw new StrvalsError(`negative ${index} index not allowed`)
    const { text, stop } = this.#until('[.=')
    if (text !== '') throw new StrvalsError(`unexpected data at end of array index: ${runes(text)}`)
    if (stop === '') return { list, outcome: 'end' }
    if (stop === '=') {
      let filled = list
      this.#value(value => {
        filled = setIndex(list, index, value)
      })
      return { list: filled, outcome: 'more' }
    }
    if (stop === '[') {
      const next = this.#index()
      const old = list[index] ?? null
      const inner = this.#item(old === null ? [] : asserted(old, isList, '[]interface {}'), next, nesting)
      return { list: inner.outcome === 'end' ? list : setIndex(list, index, inner.list), outcome: inner.outcome }
    }
    const old = list[index]
    const inner: Dict = isDict(old) ? old : new Map()
    if (list.length > index) list[index] = inner
    const outcome = this.key(inner, nesting)
    return { list: outcome === 'end' ? list : setIndex(list, index, inner), outcome }
  }

  #value(put: (value: Value) => void): Outcome {
    if (this.#reading.kind === 'json') return this.#json(put)
    if (this.#literal) {
      put(this.#until('').text)
      return 'more'
    }
    if (this.#at >= this.#chars.length) {
      put('')
      return 'end'
    }
    if (this.#chars[this.#at] === '{') put(this.#list())
    else put(this.#read(this.#until(',').text))
    return 'more'
  }

  #list(): List {
    this.#at++
    const list: List = []
    for (;;) {
      const { text, stop } = this.#until(',}')
      if (stop === '') throw new StrvalsError("list must terminate with '}'")
      list.push(this.#read(text))
      if (stop === '}') break
    }
    if (this.#chars[this.#at] === ',') this.#at++
    return list
  }

  #read(text: string): Value {
    if (this.#reading.kind === 'file') return this.#reading.read(text)
    return this.#reading.kind === 'typed' ? typedValue(text) : text
  }

  #json(put: (value: Value) => void): Outcome {
    if (this.#isEmpty()) {
      put(null)
      return 'more'
    }
    const reader = new JsonReader(this.#chars.slice(this.#at).join(''))
    const value = reader.value()
    put(value)
    this.#at += [...reader.taken].length
    this.#isEmpty()
    return 'more'
  }

  /** Takes blanks and a comma; false where something else comes. */
  #isEmpty(): boolean {
    for (; this.#at < this.#chars.length; this.#at++) {
      const char = this.#chars[this.#at] as string
      if (char === ',') {
        this.#at++
        return true
      }
      if (!/[\t\n\v\f\r \x85\xa0]|\p{Z}/u.test(char)) return false
    }
    return true
  }
}

/** `%q` of a []rune. */
function runes(text: string): string {
  return `[${[...text].map(char => quotedRune(char.codePointAt(0) as number)).join(' ')}]`
}

function set(data: Dict, key: string, value: Value): void {
  if (key !== '') data.set(key, value)
}

function setIndex(list: List, index: number, value: Value): List {
  if (index > maxIndex) throw new StrvalsError(`index of ${index} is greater than maximum supported index of ${maxIndex}`)
  while (list.length <= index) list.push(null)
  list[index] = value
  return list
}

/** Where Go's type assertion panics. */
function asserted<T extends Value>(value: Value, is: (value: Value) => value is T, type: string): T {
  if (is(value)) return value
  const got = value === null ? 'nil' : typeOf(value)
  throw new StrvalsError(`unable to parse key: interface conversion: interface {} is ${got}, not ${type}`)
}

function typedValue(text: string): Value {
  const lower = text.toLowerCase()
  if (lower === 'true' || lower === 'false') return lower === 'true'
  if (lower === 'null') return null
  if (text === '0') return int(0, 'int64')
  if (!/^[-+]?\d+$/.test(text) || text.startsWith('0')) return text
  const whole = BigInt(text.replace(/^\+/, ''))
  return whole === BigInt.asIntN(64, whole) ? int(whole, 'int64') : text
}
