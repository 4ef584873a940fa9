// The YAML that programs and charts write, read line by line: block collections, scalars of one line or folded, literal blocks. It reads what it
// is sure of exactly as the whole reader does (`decode.ts`), several times faster, and gives up on everything else: anchors, tags, merges, flow
// collections over several lines, keys that are no text or there twice, and all that is an error.
import { int, type Value } from '../value/value.js'
import { isSurelyText, resolve } from './resolve.js'

/** What integers become: see `DecodeOptions` in decode.ts. */
export type Integers = 'float' | 'exact' | 'kept'

/** The one document of the text; undefined where the whole reader has to look at it. */
export function readQuickly(text: string, integers: Integers, mostNodes = Number.POSITIVE_INFINITY): Value | undefined {
  return quickly(text, integers, mostNodes, false)
}

/** The same as JSON has it; undefined also where a number cannot be carried exactly. */
export function readPlain(text: string, mostNodes: number): unknown {
  return quickly(text, 'exact', mostNodes, true)
}

function quickly(text: string, integers: Integers, mostNodes: number, isPlain: boolean): Value | undefined {
  if (text.length > mostCharacters || unusualCharacter.test(text)) return undefined
  try {
    return new QuickReader(text, integers, mostNodes, isPlain).document()
  } catch (cause) {
    if (cause !== givenUp) throw cause
    return undefined
  }
}

const mostCharacters = 4_000_000
export const deepestQuick = 60
/** go-yaml looks no further for the colon. */
const longestKey = 1000
/** All but printable characters and line feeds; also what YAML takes for other line breaks, and JavaScript for white space. */
const unusualCharacter =
  /[^\n\x20-\x7e\xa1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e\u2030-\u205e\u2060-\u2fff\u3001-\ud7ff\ue000-\ufefe\uff00-\ufffd]/

const givenUp = Symbol('given up')

function giveUp(): never {
  throw givenUp
}

const [feed, space, dash, colon, hash, single, double, backslash] = [10, 32, 45, 58, 35, 39, 34, 92]

/** What a scalar without quotes must not begin with; `-`, `?` and `:` are looked at on their own. */
const indicators = new Set([...',[]{}#&*!|>\'"%@`'].map(char => char.charCodeAt(0)))
const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  '"': '"',
  '\\': '\\',
  '/': '/',
  ' ': ' ',
  r: '\r',
  '0': '\0',
  e: '\x1b',
  a: '\x07',
  b: '\b',
}

class QuickReader {
  readonly #text: string
  readonly #integers: Integers
  /** Maps are plain objects of JavaScript. */
  readonly #isPlain: boolean
  /** Where the next line begins that was not looked at. */
  #at = 0
  /** Of the line that is looked at: how far it is indented (-1: there is none), and where its content begins. */
  #indent = -1
  #start = 0
  #depth = 0
  #left: number

  constructor(text: string, integers: Integers, mostNodes: number, isPlain: boolean) {
    this.#isPlain = isPlain
    this.#text = text
    this.#left = mostNodes
    this.#integers = integers
  }

  document(): Value {
    if (this.#text.startsWith('---\n')) this.#at = 4
    this.#nextLine()
    if (this.#indent < 0) giveUp()
    const value = this.#block(this.#indent)
    if (this.#indent >= 0) giveUp()
    return value
  }

  /** To the next line that is neither blank nor a comment. */
  #nextLine(): void {
    const text = this.#text
    for (let at = this.#at; at < text.length; ) {
      let start = at
      while (text.charCodeAt(start) === space) start++
      const code = text.charCodeAt(start)
      if (start < text.length && code !== feed && code !== hash) {
        if (start === at && isMarker(text, start)) giveUp()
        this.#indent = start - at
        this.#start = start
        this.#at = at
        return
      }
      at = this.#lineAfter(start)
    }
    this.#indent = -1
    this.#at = text.length
  }

  #lineAfter(at: number): number {
    const end = this.#text.indexOf('\n', at)
    return end < 0 ? this.#text.length : end + 1
  }

  #lineEnd(at: number): number {
    const end = this.#text.indexOf('\n', at)
    return end < 0 ? this.#text.length : end
  }

  #block(indent: number): Value {
    if (++this.#depth > deepestQuick) giveUp()
    const value = this.#isItem(this.#start) ? this.#sequence(indent) : this.#mapping(indent)
    this.#depth--
    return value
  }

  #isItem(at: number): boolean {
    if (this.#text.charCodeAt(at) !== dash) return false
    const after = this.#text.charCodeAt(at + 1)
    return after === space || after === feed || at + 1 === this.#text.length
  }

  #sequence(indent: number): Value[] {
    const items: Value[] = []
    while (this.#indent === indent && this.#isItem(this.#start)) items.push(this.#item(indent))
    if (this.#indent > indent) giveUp()
    return items
  }

  #item(indent: number): Value {
    if (--this.#left < 0) giveUp()
    let at = this.#start + 1
    while (this.#text.charCodeAt(at) === space) at++
    if (this.#isEnd(at)) return this.#below(indent, indent + 1)
    const column = indent + (at - this.#start)
    if (this.#isItem(at) || this.#keyEnd(at) >= 0) {
      this.#indent = column
      this.#start = at
      return this.#block(column)
    }
    return this.#value(at, indent)
  }

  #mapping(indent: number): Value {
    const made = this.#isPlain ? this.#record(indent) : this.#map(indent)
    if (this.#indent > indent) giveUp()
    return made
  }

  #map(indent: number): Map<string, Value> {
    const map = new Map<string, Value>()
    while (this.#indent === indent && !this.#isItem(this.#start)) {
      const end = this.#entryEnd()
      const key = this.#key(this.#start, end)
      if (map.has(key)) giveUp()
      map.set(key, this.#entryValue(end, indent))
    }
    return map
  }

  #record(indent: number): Value {
    const record: Record<string, Value> = {}
    while (this.#indent === indent && !this.#isItem(this.#start)) {
      const end = this.#entryEnd()
      const key = this.#key(this.#start, end)
      if (key === '__proto__' || Object.hasOwn(record, key)) giveUp()
      record[key] = this.#entryValue(end, indent)
    }
    return record as unknown as Value
  }

  #entryEnd(): number {
    this.#left -= 2
    const end = this.#keyEnd(this.#start)
    return end < 0 || this.#left < 0 ? giveUp() : end
  }

  #entryValue(end: number, indent: number): Value {
    let at = end + 1
    while (this.#text.charCodeAt(at) === space) at++
    return this.#isEnd(at) ? this.#below(indent, indent) : this.#value(at, indent)
  }

  /** The end of the line, or a comment. */
  #isEnd(at: number): boolean {
    const code = this.#text.charCodeAt(at)
    return at >= this.#text.length || code === feed || (code === hash && this.#text.charCodeAt(at - 1) === space)
  }

  /** What stands on the lines below a key or dash: deeper (a collection, or a scalar), or a list beside its key (`items`: its least indentation). */
  #below(indent: number, items: number): Value {
    this.#at = this.#lineAfter(this.#start)
    this.#nextLine()
    if (this.#indent > indent) {
      const isBlock = this.#isItem(this.#start) || this.#keyEnd(this.#start) >= 0
      return isBlock ? this.#block(this.#indent) : this.#value(this.#start, indent)
    }
    return this.#indent === items && this.#isItem(this.#start) ? this.#block(this.#indent) : null
  }

  /** Where the colon of a key stands that begins here; -1: none does. */
  #keyEnd(start: number): number {
    const text = this.#text
    const first = text.charCodeAt(start)
    if (first === double || first === single) {
      const end = this.#closing(start, first)
      if (end < 0 || end > this.#lineEnd(start)) return -1
      return text.charCodeAt(end + 1) === colon && this.#isAfterColon(end + 1) ? end + 1 : -1
    }
    for (let at = start; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === feed) return -1
      if (code === colon && this.#isAfterColon(at)) return at
      if (code === hash && text.charCodeAt(at - 1) === space) return -1
    }
    return -1
  }

  #isAfterColon(at: number): boolean {
    const after = this.#text.charCodeAt(at + 1)
    return after === space || after === feed || at + 1 >= this.#text.length
  }

  #key(start: number, end: number): string {
    if (end - start > longestKey) giveUp()
    const first = this.#text.charCodeAt(start)
    if (first === double || first === single) {
      const value = this.#quoted(start, end - 1)
      return value
    }
    const key = this.#text.slice(start, end).trimEnd()
    this.#checkPlain(start)
    if (key === '<<' || (!isSurelyText(key) && resolve(key).tag !== 'str')) giveUp()
    return key
  }

  #checkPlain(at: number): void {
    const first = this.#text.charCodeAt(at)
    if (indicators.has(first)) giveUp()
    const after = this.#text.charCodeAt(at + 1)
    if ((first === dash || first === 63 || first === colon) && (after === space || after === feed || Number.isNaN(after)))
      giveUp()
  }

  /** A value that begins on the line of its key or dash; `indent`: of the collection that it is in. */
  #value(at: number, indent: number): Value {
    const first = this.#text.charCodeAt(at)
    if (first === double || first === single) return this.#quotedValue(at, first, indent)
    if (first === 124) return this.#literal(at, indent)
    if (first === 91 || first === 123) return this.#flow(at)
    return this.#plain(at, indent)
  }

  /** After a value: the rest of its line says nothing more. */
  #endLine(at: number): void {
    let end = at
    while (this.#text.charCodeAt(end) === space) end++
    if (!this.#isEnd(end)) giveUp()
    this.#at = this.#lineAfter(end)
    this.#nextLine()
  }

  #plain(at: number, indent: number): Value {
    this.#checkPlain(at)
    const end = this.#lineEnd(at)
    const line = this.#text.slice(at, end)
    const comment = line.indexOf(' #')
    const first = (comment < 0 ? line : line.slice(0, comment)).trimEnd()
    if (first.endsWith(':') || first.includes(': ')) giveUp()
    this.#at = end + 1
    const whole = this.#continued(first, indent, comment >= 0)
    return whole === first ? this.#resolved(first) : whole
  }

  /** A scalar without quotes goes on over lines that are deeper than the collection it is in. */
  #continued(first: string, indent: number, isCommented: boolean): string {
    let whole = first
    let isEnded = isCommented
    const text = this.#text
    for (let blanks = 0; this.#at < text.length; ) {
      let start = this.#at
      while (text.charCodeAt(start) === space) start++
      if (start >= text.length || text.charCodeAt(start) === feed) {
        blanks++
        this.#at = start + 1
        continue
      }
      if (start - this.#at <= indent) break
      const end = this.#lineEnd(start)
      const content = text.slice(start, end).trimEnd()
      if (content.startsWith('#')) {
        isEnded = true
        this.#at = end + 1
        continue
      }
      if (isEnded || content.includes(' #') || content.includes(': ') || content.endsWith(':')) giveUp()
      whole += blanks === 0 ? ` ${content}` : '\n'.repeat(blanks) + content
      blanks = 0
      this.#at = end + 1
    }
    this.#nextLine()
    return whole
  }

  #resolved(text: string): Value {
    if (isSurelyText(text)) return text
    const found = resolve(text)
    if (found.tag === 'int') {
      const value = Number(found.value)
      if (this.#integers === 'kept' || (this.#integers === 'exact' && !Number.isSafeInteger(value)))
        return this.#isPlain ? giveUp() : int(found.value, 'int64')
      return value
    }
    if (found.tag === 'float' && !Number.isFinite(found.value)) giveUp()
    if (found.tag === 'merge') giveUp()
    return found.value
  }

  /** Where the quote closes that opens here; -1 where none does. */
  #closing(start: number, quote: number): number {
    const text = this.#text
    for (let at = start + 1; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === backslash && quote === double) at++
      else if (code === quote) {
        if (quote === double || text.charCodeAt(at + 1) !== single) return at
        at++
      }
    }
    return -1
  }

  #quotedValue(start: number, quote: number, indent: number): string {
    const end = this.#closing(start, quote)
    if (end < 0) giveUp()
    const value = this.#lineEnd(start) < end ? this.#foldedQuoted(start, end, indent) : this.#quoted(start, end)
    this.#endLine(end + 1)
    return value
  }

  #quoted(start: number, end: number): string {
    const inner = this.#text.slice(start + 1, end)
    if (this.#text.charCodeAt(start) === single) return inner.includes("'") ? inner.replaceAll("''", "'") : inner
    return inner.includes('\\') ? unescaped(inner) : inner
  }

  /** Over several lines: a break is a blank, each further one a line. */
  #foldedQuoted(start: number, end: number, indent: number): string {
    const lines = this.#text.slice(start + 1, end).split('\n')
    const quote = this.#text.charCodeAt(start)
    let whole = ''
    let blanks = 0
    for (const [at, line] of lines.entries()) {
      const isLast = at === lines.length - 1
      const content = at === 0 ? line.trimEnd() : isLast ? line.trimStart() : line.trim()
      if (at > 0 && content !== '' && line.length - line.trimStart().length <= indent) giveUp()
      if (content.endsWith('\\') && !isLast) giveUp()
      if (at > 0 && content === '' && !isLast) {
        blanks++
        continue
      }
      if (at > 0) whole += blanks === 0 ? ' ' : '\n'.repeat(blanks)
      blanks = 0
      whole += quote === single ? content.replaceAll("''", "'") : unescaped(content)
    }
    return whole
  }

  /** `|` and `|-` */
  #literal(at: number, indent: number): string {
    const strips = this.#text.charCodeAt(at + 1) === dash
    let end = at + (strips ? 2 : 1)
    while (this.#text.charCodeAt(end) === space) end++
    if (end < this.#text.length && this.#text.charCodeAt(end) !== feed) giveUp()
    this.#at = end + 1
    const { lines, isBroken } = this.#literalLines(indent)
    this.#nextLine()
    let last = lines.length
    while (last > 0 && lines[last - 1] === '') last--
    if (last === 0) return ''
    const text = lines.slice(0, last).join('\n')
    return strips || (!isBroken && last === lines.length) ? text : `${text}\n`
  }

  /** `isBroken`: the last line has its line feed. */
  #literalLines(indent: number): { readonly lines: readonly string[]; readonly isBroken: boolean } {
    const text = this.#text
    const lines: string[] = []
    let own = -1
    let isBroken = true
    while (this.#at < text.length) {
      const end = this.#lineEnd(this.#at)
      let start = this.#at
      while (text.charCodeAt(start) === space) start++
      const depth = start - this.#at
      if (start < end) {
        if (own < 0) {
          own = depth
          if (own <= indent) return { lines: lines.every(line => line === '') ? [] : giveUp(), isBroken }
          if (lines.some(line => line.length > own)) giveUp()
          lines.fill('')
        }
        if (depth < own) break
      }
      lines.push(own < 0 ? text.slice(this.#at, end) : start < end || depth > own ? text.slice(this.#at + own, end) : '')
      isBroken = end < text.length
      this.#at = end + 1
    }
    if (own < 0) giveUp()
    return { lines, isBroken }
  }

  /** On one line: `{}`, `[]`, and lists of simple scalars. */
  #flow(at: number): Value {
    const end = this.#lineEnd(at)
    const line = this.#text.slice(at, end)
    const empty = /^(?:\{ *\}|\[ *\])/.exec(line)
    if (empty !== null) {
      this.#endLine(at + empty[0].length)
      return line.startsWith('[') ? [] : this.#isPlain ? ({} as unknown as Value) : new Map()
    }
    const list = simpleList.exec(line)
    if (list === null) giveUp()
    this.#endLine(at + list[0].length)
    return [...list[0].slice(1, -1).matchAll(simpleItem)].map(([item]) =>
      /^["']/.test(item) ? item.slice(1, -1) : this.#resolved(item),
    )
  }
}

/** Words, numbers, and quoted texts without escapes. */
const item = `(?:"[^"\\\\\\n]*"|'[^'\\n]*'|[A-Za-z0-9_./][A-Za-z0-9_./-]*)`
const simpleList = new RegExp(`^\\[ *${item}(?: *, *${item})* *\\]`)
const simpleItem = new RegExp(item, 'g')

/** `---`, `...` and `%` at the beginning of a line. */
function isMarker(text: string, at: number): boolean {
  return text.startsWith('---', at) || text.startsWith('...', at) || text.charCodeAt(at) === 37
}

function unescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.)|$)/g, (_all, four?: string, two?: string, one?: string) => {
    const code = four ?? two
    if (code !== undefined) {
      const value = Number.parseInt(code, 16)
      if (value >= 0xd800 && value <= 0xdfff) giveUp()
      return String.fromCharCode(value)
    }
    return escapes[one ?? ''] ?? giveUp()
  })
}
