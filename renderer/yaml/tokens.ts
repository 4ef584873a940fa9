// The texts of single YAML tokens, wherever the cursor stands: anchors, tags, directives and the three kinds of scalars, read exactly as go-yaml v2 reads them.
import { hasBadBytes } from '../value/text.js'
import { hexOf, isBlank, isBlankOrEnd, isBreak, isBreakOrEnd, isDigit, isWord } from './characters.js'

/** `yaml: line N: ...` as go-yaml words it. */
export class YamlError extends Error {
  /** The line that go-yaml names (it is off by one for some faults); 0: it names none. */
  readonly line: number
  /** Offset of what is wrong; -1 where it is not known. */
  readonly at: number
  /** For people who look at the place: without the line, and without any value of the file. */
  readonly told: string
  constructor(problem: string, line = 0, at = -1, told = problem) {
    super(`yaml: ${line > 0 ? `line ${line}: ` : ''}${problem}`)
    this.name = 'YamlError'
    this.line = line
    this.at = at
    this.told = told
  }
}

export const token = {
  streamEnd: 0,
  versionDirective: 1,
  tagDirective: 2,
  documentStart: 3,
  documentEnd: 4,
  blockSequenceStart: 5,
  blockMappingStart: 6,
  blockEnd: 7,
  flowSequenceStart: 8,
  flowSequenceEnd: 9,
  flowMappingStart: 10,
  flowMappingEnd: 11,
  blockEntry: 12,
  flowEntry: 13,
  key: 14,
  value: 15,
  alias: 16,
  anchor: 17,
  tag: 18,
  scalar: 19,
} as const

export type TokenType = (typeof token)[keyof typeof token]

export interface Token {
  readonly type: TokenType
  /** Offset of its first character. */
  readonly at: number
  /** From 0. */
  readonly line: number
  readonly value: string
  /** The suffix of a tag, the prefix of a tag directive. */
  readonly suffix: string
  /** Of a scalar: without quotes and block indicators. */
  readonly plain: boolean
}

const refused = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]/
const loneSurrogate = /\p{Surrogate}/u

/** A cursor over a text, and what can be read where it stands. It knows nothing of what tokens mean together. */
export class TokenReader {
  protected readonly text: string
  protected at = 0
  protected line = 0
  /** Offset of column 0. */
  protected lineStart = 0
  /** How many brackets are open. */
  protected flow = 0
  /** The column of the block that the cursor is in; -1: outside of all. */
  protected indent = -1
  protected atNewLine = false

  constructor(text: string) {
    this.text = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
    if (refused.test(this.text)) throw new YamlError('control characters are not allowed', 0, this.text.search(refused))
    if (hasBadBytes(this.text)) throw new YamlError(badBytes(this.text), 0, this.text.search(loneSurrogate))
  }

  protected code(offset = 0): number {
    const at = this.at + offset
    return at < this.text.length ? this.text.charCodeAt(at) : 0
  }

  protected get column(): number {
    return this.at - this.lineStart
  }

  protected fault(problem: string, line = this.line): never {
    throw new YamlError(problem, line === 0 ? 0 : line + 1, this.at)
  }

  protected isDocumentMark(code: number): boolean {
    return this.code() === code && this.code(1) === code && this.code(2) === code && isBlankOrEnd(this.code(3))
  }

  protected isAnyDocumentMark(): boolean {
    return this.column === 0 && (this.isDocumentMark(0x2d) || this.isDocumentMark(0x2e))
  }

  protected anchorName(): string {
    const start = ++this.at
    while (isWord(this.code())) this.at++
    const next = this.code()
    if (this.at === start || !(isBlankOrEnd(next) || '?:,]}%@`'.includes(String.fromCharCode(next))))
      this.fault('did not find expected alphabetic or numeric character')
    return this.text.slice(start, this.at)
  }

  /** Handle and suffix; a tag in its long form has no handle. */
  protected tag(): readonly [handle: string, suffix: string] {
    const found = this.code(1) === 0x3c ? this.#longTag() : this.#shortTag()
    if (!isBlankOrEnd(this.code())) this.fault('did not find expected whitespace or line break')
    return found
  }

  #longTag(): readonly [handle: string, suffix: string] {
    this.at += 2
    const suffix = this.#tagUri('')
    if (this.code() !== 0x3e) this.fault("did not find the expected '>'")
    this.at++
    return ['', suffix]
  }

  #shortTag(): readonly [handle: string, suffix: string] {
    const handle = this.#tagHandle(false)
    if (handle.length > 1 && handle.endsWith('!')) return [handle, this.#tagUri('')]
    const suffix = this.#tagUri(handle)
    return suffix === '' ? ['', '!'] : ['!', suffix]
  }

  #tagHandle(directive: boolean): string {
    const start = this.at
    if (this.code() !== 0x21) this.fault("did not find expected '!'")
    this.at++
    while (isWord(this.code())) this.at++
    if (this.code() === 0x21) this.at++
    else if (directive && this.at > start + 1) this.fault("did not find expected '!'")
    return this.text.slice(start, this.at)
  }

  #tagUri(head: string): string {
    const bytes: number[] = []
    const start = this.at
    for (let code = this.code(); code !== 0; code = this.code()) {
      if (code === 0x25) bytes.push(...this.#uriEscape())
      else if (isWord(code) || ";/?:@&=+$,.!~*'()[]".includes(String.fromCharCode(code))) {
        bytes.push(code)
        this.at++
      } else break
    }
    if (this.at === start && head === '') this.fault('did not find expected tag URI')
    return head.slice(1) + Buffer.from(bytes).toString('utf8')
  }

  #uriEscape(): number[] {
    const octets: number[] = []
    let width = 1
    while (octets.length < width) {
      const [high, low] = [hexOf(this.code(1)), hexOf(this.code(2))]
      if (this.code() !== 0x25 || high < 0 || low < 0) this.fault('did not find URI escaped octet')
      const octet = high * 16 + low
      if (octets.length === 0) {
        width = octet < 0x80 ? 1 : (octet & 0xe0) === 0xc0 ? 2 : (octet & 0xf0) === 0xe0 ? 3 : (octet & 0xf8) === 0xf0 ? 4 : 0
        if (width === 0) this.fault('found an incorrect leading UTF-8 octet')
      } else if ((octet & 0xc0) !== 0x80) this.fault('found an incorrect trailing UTF-8 octet')
      octets.push(octet)
      this.at += 3
    }
    return octets
  }

  /** Goes over a line break; returns it as YAML reads it. */
  protected newLine(): string {
    const code = this.code()
    this.at += code === 13 && this.code(1) === 10 ? 2 : 1
    this.line++
    this.lineStart = this.at
    return code === 0x2028 ? '\u2028' : code === 0x2029 ? '\u2029' : '\n'
  }

  #skipBlanks(): void {
    while (isBlank(this.code())) this.at++
  }

  /** `YAML` or `TAG`. */
  protected directiveName(): string {
    const start = ++this.at
    while (isWord(this.code())) this.at++
    const name = this.text.slice(start, this.at)
    if (name === '') this.fault('could not find expected directive name')
    if (!isBlankOrEnd(this.code())) this.fault('found unexpected non-alphabetical character')
    if (name !== 'YAML' && name !== 'TAG') this.fault('found unknown directive name')
    return name
  }

  /** Of a TAG directive. */
  protected tagPrefix(): readonly [handle: string, prefix: string] {
    this.#skipBlanks()
    const handle = this.#tagHandle(true)
    if (!isBlank(this.code())) this.fault('did not find expected whitespace')
    this.#skipBlanks()
    const prefix = this.#tagUri('')
    if (!isBlankOrEnd(this.code())) this.fault('did not find expected whitespace or line break')
    return [handle, prefix]
  }

  /** Of a YAML directive: `1.1`. */
  protected version(): string {
    this.#skipBlanks()
    const major = this.#versionNumber()
    if (this.code() !== 0x2e) this.fault("did not find expected digit or '.' character")
    this.at++
    return `${major}.${this.#versionNumber()}`
  }

  #versionNumber(): number {
    const start = this.at
    while (isDigit(this.code())) if (++this.at - start > 2) this.fault('found extremely long version number')
    if (this.at === start) this.fault('did not find expected version number')
    return Number(this.text.slice(start, this.at))
  }

  /** Blanks and a comment; anything else is a fault. */
  protected skipToLineEnd(): void {
    this.#skipBlanks()
    if (this.code() === 0x23) while (!isBreakOrEnd(this.code())) this.at++
    if (!isBreakOrEnd(this.code())) this.fault('did not find expected comment or line break')
    if (isBreak(this.code())) this.newLine()
  }

  /** From its `|` or `>` to the line behind it. */
  protected blockScalar(literal: boolean): string {
    this.at++
    const header = this.#blockHeader()
    this.skipToLineEnd()
    let indent = header.increment > 0 ? Math.max(this.indent, 0) + header.increment : 0
    let trailing = ''
    ;({ indent, breaks: trailing } = this.#blockBreaks(indent))
    let value = ''
    let leading = ''
    let leadingBlank = false
    while (this.column === indent && this.code() !== 0) {
      const blank = isBlank(this.code())
      if (!literal && !leadingBlank && !blank && leading === '\n') value += trailing === '' ? ' ' : trailing
      else value += leading + trailing
      leadingBlank = blank
      const from = this.at
      this.#toLineEnd()
      value += this.text.slice(from, this.at)
      leading = isBreak(this.code()) ? this.newLine() : ''
      ;({ indent, breaks: trailing } = this.#blockBreaks(indent))
    }
    if (header.chomp !== '-') value += leading
    return header.chomp === '+' ? value + trailing : value
  }

  #toLineEnd(): void {
    const text = this.text
    let at = this.at
    while (at < text.length && !isBreakOrEnd(text.charCodeAt(at))) at++
    this.at = at
  }

  #blockHeader(): { readonly chomp: string; readonly increment: number } {
    let chomp = this.#chomp()
    let increment = 0
    if (isDigit(this.code())) {
      if (this.code() === 48) this.fault('found an indentation indicator equal to 0')
      increment = this.code() - 48
      this.at++
      if (chomp === '') chomp = this.#chomp()
    }
    return { chomp, increment }
  }

  #chomp(): string {
    const code = this.code()
    if (code !== 0x2b && code !== 0x2d) return ''
    this.at++
    return code === 0x2b ? '+' : '-'
  }

  /** Empty lines, and where the content's column is not known yet: the column of the first line that has one. */
  #blockBreaks(indent: number): { readonly indent: number; readonly breaks: string } {
    let breaks = ''
    let widest = 0
    for (;;) {
      while ((indent === 0 || this.column < indent) && this.code() === 32) this.at++
      if (this.column > widest) widest = this.column
      if ((indent === 0 || this.column < indent) && this.code() === 9)
        this.fault('found a tab character where an indentation space is expected')
      if (!isBreak(this.code())) break
      breaks += this.newLine()
    }
    return { indent: indent === 0 ? Math.max(widest, this.indent + 1, 1) : indent, breaks }
  }

  /** From its opening quote to behind the closing one. */
  protected quotedScalar(single: boolean): string {
    this.at++
    const quote = single ? 0x27 : 0x22
    let value = ''
    for (;;) {
      if (this.isAnyDocumentMark()) this.fault('found unexpected document indicator')
      if (this.code() === 0) this.fault('found unexpected end of stream')
      const run = this.#quotedRun(single)
      value += run.text
      if (this.code() === quote) break
      value += this.#quotedBreaks(run.escapedBreak)
    }
    this.at++
    return value
  }

  /** Up to a blank, a break or the closing quote. */
  #quotedRun(single: boolean): { readonly text: string; readonly escapedBreak: boolean } {
    let text = ''
    let from = this.at
    for (let code = this.code(); !isBlankOrEnd(code); code = this.code()) {
      if (single ? code === 0x27 && this.code(1) !== 0x27 : code === 0x22) break
      if (single ? code === 0x27 : code === 0x5c) {
        text += this.text.slice(from, this.at)
        if (single) {
          text += "'"
          this.at += 2
        } else if (isBreak(this.code(1))) {
          this.at++
          this.newLine()
          return { text, escapedBreak: true }
        } else text += this.#escape()
        from = this.at
      } else this.at++
    }
    return { text: text + this.text.slice(from, this.at), escapedBreak: false }
  }

  #escape(): string {
    const letter = String.fromCharCode(this.code(1))
    const digits = letter === 'x' ? 2 : letter === 'u' ? 4 : letter === 'U' ? 8 : 0
    if (digits === 0) {
      const plain = escapes.get(letter)
      if (plain === undefined) this.fault('found unknown escape character')
      this.at += 2
      return plain
    }
    this.at += 2
    let value = 0
    for (let digit = 0; digit < digits; digit++) {
      const hex = hexOf(this.code(digit))
      if (hex < 0) this.fault('did not find expected hexdecimal number')
      value = value * 16 + hex
    }
    if ((value >= 0xd800 && value <= 0xdfff) || value > 0x10ffff) this.fault('found invalid Unicode character escape code')
    this.at += digits
    return String.fromCodePoint(value)
  }

  #quotedBreaks(escapedBreak: boolean): string {
    const from = this.at
    let broken = escapedBreak
    let leading = ''
    let trailing = ''
    for (let code = this.code(); isBlank(code) || isBreak(code); code = this.code()) {
      if (isBlank(code)) this.at++
      else if (!broken) {
        leading = this.newLine()
        broken = true
      } else trailing += this.newLine()
    }
    if (!broken) return this.text.slice(from, this.at)
    return leading === '\n' ? (trailing === '' ? ' ' : trailing) : leading + trailing
  }

  /** Leaves in `atNewLine` whether it ended behind a line break. */
  protected plainScalar(): string {
    let value = ''
    let between = ''
    let broken = false
    for (;;) {
      if (this.isAnyDocumentMark() || this.code() === 0x23) break
      const from = this.at
      this.#plainRun()
      if (this.at > from) {
        value += between + this.text.slice(from, this.at)
        between = ''
        broken = false
      }
      const code = this.code()
      if (!(isBlank(code) || isBreak(code))) break
      ;({ between, broken } = this.#plainBreaks())
      if (this.flow === 0 && this.column < this.indent + 1) break
    }
    this.atNewLine = broken
    return value
  }

  /** Up to a blank, `: `, or what ends a plain scalar inside brackets. */
  #plainRun(): void {
    const text = this.text
    const inFlow = this.flow > 0
    let at = this.at
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code > 0x3f && code < 0x5b) continue
      if (isBlankOrEnd(code)) break
      if (code === 0x3a && isBlankOrEnd(at + 1 < text.length ? text.charCodeAt(at + 1) : 0)) break
      if (inFlow && isFlowEnd(code)) break
    }
    this.at = at
  }

  #plainBreaks(): { readonly between: string; readonly broken: boolean } {
    const from = this.at
    let broken = false
    let leading = ''
    let trailing = ''
    for (let code = this.code(); isBlank(code) || isBreak(code); code = this.code()) {
      if (isBlank(code)) {
        if (broken && code === 9 && this.column < this.indent + 1) this.fault('found a tab character that violates indentation')
        this.at++
      } else if (!broken) {
        leading = this.newLine()
        broken = true
      } else trailing += this.newLine()
    }
    if (!broken) return { between: this.text.slice(from, this.at), broken }
    return { between: leading === '\n' ? (trailing === '' ? ' ' : trailing) : leading + trailing, broken }
  }
}

const escapes = new Map(
  Object.entries({
    '0': '\0',
    a: '\x07',
    b: '\b',
    t: '\t',
    '\t': '\t',
    n: '\n',
    v: '\v',
    f: '\f',
    r: '\r',
    e: '\x1b',
    ' ': ' ',
    '"': '"',
    "'": "'",
    '\\': '\\',
    N: '\x85',
    _: '\xa0',
    L: '\u2028',
    P: '\u2029',
  }),
)

/** `,`, `?`, `[`, `]`, `{`, `}` */
function isFlowEnd(code: number): boolean {
  return code === 0x2c || code === 0x3f || code === 0x5b || code === 0x5d || code === 0x7b || code === 0x7d
}

/** Bytes that are not UTF-8 stand as lone surrogates in a text (value/text.ts). */
function badBytes(text: string): string {
  const at = loneSurrogate.exec(text)?.index ?? 0
  const byte = text.charCodeAt(at) & 0xff
  const width = (byte & 0xe0) === 0xc0 ? 2 : (byte & 0xf0) === 0xe0 ? 3 : (byte & 0xf8) === 0xf0 ? 4 : 0
  if (width === 0) return 'invalid leading UTF-8 octet'
  if (at + width > text.length) return 'incomplete UTF-8 octet sequence'
  const trailing = Array.from(text.slice(at + 1, at + width), unit => unit.charCodeAt(0) - 0xdc00)
  if (trailing.some(octet => (octet & 0xc0) !== 0x80 || octet > 0xff)) return 'invalid trailing UTF-8 octet'
  const value = trailing.reduce((sum, octet) => sum * 64 + (octet & 0x3f), byte & (0x7f >> width))
  return value < [0, 0, 0x80, 0x800, 0x10000][width]! ? 'invalid length of a UTF-8 sequence' : 'invalid Unicode character'
}
