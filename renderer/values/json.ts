// JSON as Go's encoding/json decodes it into `interface {}`: one value from the start of a text, every number a float64.
import type { Dict, List, Value } from '../value/value.js'

export class JsonError extends Error {}

/** Go has 10,000: more than a stack has room for. */
const deepest = 2_000

/** The one value of a text. Throws `JsonError`, worded as Go does. */
export function readJson(text: string): Value {
  const quick = readQuickly(text)
  if (quick !== undefined) return quick
  const reader = new JsonReader(text)
  const value = reader.value()
  if (!reader.atEnd) throw new JsonError('invalid character after top-level value')
  return value
}

/** As JavaScript reads it, several times faster; undefined where that could differ, or where anything has to be said of it. */
function readQuickly(text: string): Value | undefined {
  if (/\p{Surrogate}|\\u[dD][89a-fA-F]/u.test(text)) return undefined
  try {
    return goValue(JSON.parse(text), 0)
  } catch {
    return undefined
  }
}

/** Throws where it is too deep, or a number too large. */
function goValue(parsed: unknown, depth: number): Value {
  if (typeof parsed === 'number' && !Number.isFinite(parsed)) throw new RangeError('not a number of Go')
  if (typeof parsed !== 'object' || parsed === null) return parsed as Value
  if (depth >= deepest) throw new RangeError('too deep')
  if (Array.isArray(parsed)) return parsed.map(item => goValue(item, depth + 1))
  const dict: Dict = new Map()
  for (const key of Object.keys(parsed)) dict.set(key, goValue((parsed as Record<string, unknown>)[key], depth + 1))
  return dict
}

/** Reads one value; `taken` is the text it stood in, with the blanks before it. */
export class JsonReader {
  readonly #text: string
  #at = 0
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  get taken(): string {
    return this.#text.slice(0, this.#at)
  }

  /** Whether nothing but blanks is left. */
  get atEnd(): boolean {
    this.#blanks()
    return this.#at >= this.#text.length
  }

  /** Throws `JsonError`, worded as Go does. */
  value(): Value {
    this.#blanks()
    const char = this.#text[this.#at]
    if (char === undefined) throw new JsonError(this.#at === 0 ? 'EOF' : 'unexpected EOF')
    if (char === '{') return this.#nested(() => this.#object())
    if (char === '[') return this.#nested(() => this.#array())
    if (char === '"') return this.#string()
    if (char === '-' || (char >= '0' && char <= '9')) return this.#number()
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const)
      if (char === word[0]) return this.#word(word, value)
    throw this.#unexpected('looking for beginning of value')
  }

  #unexpected(where: string): JsonError {
    const char = this.#text[this.#at]
    if (char === undefined) return new JsonError('unexpected EOF')
    const shown = char === "'" ? `'\\''` : char === '"' ? `'"'` : `'${JSON.stringify(char).slice(1, -1)}'`
    return new JsonError(`invalid character ${shown} ${where}`)
  }

  #blanks(): void {
    while (' \t\r\n'.includes(this.#text[this.#at] ?? 'x')) this.#at++
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > deepest) throw new JsonError('exceeded max depth')
    this.#at++
    const value = read()
    this.#depth--
    return value
  }

  #object(): Dict {
    const dict: Dict = new Map()
    this.#blanks()
    if (this.#text[this.#at] === '}') {
      this.#at++
      return dict
    }
    for (;;) {
      this.#blanks()
      if (this.#text[this.#at] !== '"') throw this.#unexpected('looking for beginning of object key string')
      const key = this.#string()
      this.#blanks()
      if (this.#text[this.#at] !== ':') throw this.#unexpected('after object key')
      this.#at++
      dict.set(key, this.value())
      if (this.#closes('}', 'after object key:value pair')) return dict
    }
  }

  #array(): List {
    const list: List = []
    this.#blanks()
    if (this.#text[this.#at] === ']') {
      this.#at++
      return list
    }
    for (;;) {
      list.push(this.value())
      if (this.#closes(']', 'after array element')) return list
    }
  }

  #closes(end: string, where: string): boolean {
    this.#blanks()
    const char = this.#text[this.#at]
    if (char !== end && char !== ',') throw this.#unexpected(where)
    this.#at++
    return char === end
  }

  #word<T extends Value>(word: string, value: T): T {
    for (let at = 1; at < word.length; at++) {
      this.#at++
      if (this.#text[this.#at] !== word[at]) throw this.#unexpected(`in literal ${word} (expecting '${word[at]}')`)
    }
    this.#at++
    return value
  }

  #number(): number {
    const form = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y
    form.lastIndex = this.#at
    const text = form.exec(this.#text)?.[0]
    if (text === undefined) throw this.#unexpected('in numeric literal')
    const value = Number(text)
    if (!Number.isFinite(value)) throw new JsonError(`json: cannot unmarshal number ${text} into Go value of type float64`)
    this.#at += text.length
    return value
  }

  #string(): string {
    const form = /"(?:[^"\\\0-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
    form.lastIndex = this.#at
    const text = form.exec(this.#text)?.[0]
    if (text === undefined) throw this.#badString()
    this.#at += text.length
    return (JSON.parse(text) as string).replace(/\p{Surrogate}/gu, '\ufffd')
  }

  #badString(): JsonError {
    const form = /"(?:[^"\\\0-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y
    form.lastIndex = this.#at
    this.#at += form.exec(this.#text)?.[0].length ?? 0
    if (this.#text[this.#at] !== '\\') return this.#unexpected('in string literal')
    this.#at++
    return this.#unexpected('in string escape code')
  }
}
