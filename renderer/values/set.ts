// The `--set` grammar (Helm's `pkg/strvals`): `a.b[2].c=v,x={a,b}`, with `\` before a character that is meant as itself.
import { type Dict, isDict, isList, type Value } from '../value.js'

const maxIndex = 65_536
const maxNesting = 30

/** Throws a plain Error that names the key, never the value. */
export class SetError extends Error {}

/** Values changed by one `--set` text. `asText`: every value stays a string (`--set-string`). */
export function applySet(values: Dict, text: string, asText = false): Dict {
  const reader = new Reader([...text])
  let result: Dict = values
  while (!reader.done) result = readKey(result, reader, asText, 0, '')
  return result
}

/** One of Argo CD's parameters: a comma in its value is meant as itself, except inside `{...}`. */
export function applyParameter(values: Dict, name: string, value: string, asText: boolean): Dict {
  const list = value.startsWith('{') && value.endsWith('}')
  return applySet(values, `${name}=${list ? value : value.replace(/(?<!\\),/g, '\\,')}`, asText)
}

class Reader {
  readonly #chars: readonly string[]
  #at = 0
  constructor(chars: readonly string[]) {
    this.#chars = chars
  }

  get done(): boolean {
    return this.#at >= this.#chars.length
  }

  peek(): string {
    return this.#chars[this.#at] ?? ''
  }

  skip(): void {
    this.#at++
  }

  /** The text up to one of these, and that one ('' at the end), which is consumed. */
  until(stops: string): { readonly text: string; readonly stop: string } {
    let text = ''
    while (!this.done) {
      const char = this.#chars[this.#at++] ?? ''
      if (char === '\\' && !this.done) text += this.#chars[this.#at++] ?? ''
      else if (stops.includes(char)) return { text, stop: char }
      else text += char
    }
    return { text, stop: '' }
  }
}

function readKey(into: Dict, reader: Reader, asText: boolean, depth: number, above: string): Dict {
  const { text: key, stop } = reader.until('.[,=')
  const name = above + key
  if (stop === '' || stop === ',') {
    if (key === '' && stop === '') return into
    throw new SetError(`key ${JSON.stringify(name)} has no value`)
  }
  if (key === '') throw new SetError(`a key is missing before ${JSON.stringify(stop)}`)
  const old = into.get(key)
  if (stop === '=') return new Map(into).set(key, readValue(reader, asText))
  if (stop === '[') return new Map(into).set(key, readItem(listOr(old, name), reader, asText, depth, name))
  return new Map(into).set(key, readInner(old, reader, asText, depth, name))
}

function readInner(old: Value | undefined, reader: Reader, asText: boolean, depth: number, name: string): Dict {
  if (depth >= maxNesting) throw new SetError(`more than ${maxNesting} names inside one another`)
  if (old !== undefined && old !== null && !isDict(old)) throw new SetError(`${name} is no map`)
  const inner = readKey(isDict(old) ? old : new Map(), reader, asText, depth + 1, `${name}.`)
  if (inner.size === 0) throw new SetError(`key map ${JSON.stringify(name)} has no value`)
  return inner
}

function listOr(old: Value | undefined, name: string): readonly Value[] {
  if (old === undefined || old === null) return []
  if (!isList(old)) throw new SetError(`${name} is no list`)
  return old
}

function readItem(list: readonly Value[], reader: Reader, asText: boolean, depth: number, name: string): Value {
  if (depth >= maxNesting) throw new SetError(`more than ${maxNesting} names inside one another`)
  const { text, stop } = reader.until(']')
  if (stop === '' || !/^\+?\d+$/.test(text)) throw new SetError(`${name}[${text}: an index in brackets is wanted`)
  const index = Number(text)
  if (index > maxIndex) throw new SetError(`${name}[${index}]: the largest index is ${maxIndex}`)
  const inner = `${name}[${index}]`
  const next = reader.peek()
  if (next !== '' && !'.[=,'.includes(next)) throw new SetError(`unexpected text after ${inner}`)
  if (next === '') return list
  if (next === ',') throw new SetError(`key ${JSON.stringify(inner)} has no value`)
  reader.skip()
  const old = list[index]
  if (next === '=') return placed(list, index, readValue(reader, asText))
  if (next === '[') return placed(list, index, readItem(listOr(old, inner), reader, asText, depth + 1, inner))
  return placed(list, index, readInner(old, reader, asText, depth, inner))
}

function placed(list: readonly Value[], index: number, value: Value): Value {
  const copy = [...list]
  while (copy.length < index) copy.push(null)
  copy[index] = value
  return copy
}

function readValue(reader: Reader, asText: boolean): Value {
  if (reader.peek() !== '{') return typed(reader.until(',').text, asText)
  reader.skip()
  return readList(reader, asText)
}

function readList(reader: Reader, asText: boolean): Value {
  const items: Value[] = []
  for (;;) {
    const { text, stop } = reader.until(',}')
    if (stop === '') throw new SetError('a list wants its closing }')
    if (stop === '}') {
      if (text !== '' || items.length > 0) items.push(typed(text, asText))
      if (reader.peek() === ',') reader.skip()
      return items
    }
    items.push(typed(text, asText))
  }
}

function typed(text: string, asText: boolean): Value {
  if (asText) return text
  const lower = text.toLowerCase()
  if (lower === 'true' || lower === 'false') return lower === 'true'
  if (lower === 'null') return null
  if (!/^(0|[-+]?[1-9]\d*)$/.test(text)) return text
  const whole = BigInt(text.replace(/^\+/, ''))
  if (whole >= 2n ** 63n || whole < -(2n ** 63n)) return text
  return Number.isSafeInteger(Number(whole)) ? Number(whole) : whole
}
