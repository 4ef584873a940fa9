// Cuts the text of a template into tokens, trim markers and comments taken care of (Go's text/template/parse/lex.go is the rule).
import { isPrint, quoted, runeText } from '../value/quote.js'
import { isKeyword, type Token, type TokenType } from './token.js'

export interface LexerOptions {
  /** `{{` and `}}` unless said. */
  readonly delimiters?: readonly [string, string]
  readonly comments?: boolean
  /** Words that are no keywords because functions have these names. */
  readonly functions?: { has(name: string): boolean }
}

const wordChar = /[\p{L}\p{Nd}_]/u
const wordRun = /[\p{L}\p{Nd}_]*/uy
const decimalDigits = '0123456789_'
const hexDigits = '0123456789abcdefABCDEF_'

/** Reads on demand; after an error or the end it gives no further tokens. */
export class Lexer {
  readonly #left: string
  readonly #right: string
  readonly #options: LexerOptions
  #input: string
  /** Where the token that is being read began. */
  #start = 0
  #at = 0
  #startLine = 1
  #inAction = false
  #parens = 0
  constructor(input: string, options: LexerOptions = {}) {
    this.#input = input
    this.#options = options
    this.#left = options.delimiters?.[0] || '{{'
    this.#right = options.delimiters?.[1] || '}}'
  }

  next(): Token {
    return this.#inAction ? this.#action() : this.#text()
  }

  /** Text up to the next action. Comments are skipped on the way. */
  #text(): Token {
    for (;;) {
      const open = this.#input.indexOf(this.#left, this.#at)
      if (open < 0) {
        this.#at = this.#input.length
        return this.#token(this.#at > this.#start ? 'text' : 'EOF')
      }
      const text = this.#textBefore(open)
      if (text !== undefined) return text
      const token = this.#leftDelimiter()
      if (token !== undefined) return token
    }
  }

  /** The text between here and the delimiter, trimmed where the delimiter asks for it; undefined: nothing is left of it. */
  #textBefore(open: number): Token | undefined {
    if (open === this.#at) return undefined
    const trims = this.#isLeftTrim(open + this.#left.length)
    const text = this.#input.slice(this.#start, open)
    const kept = trims ? withoutSpaceAtEnd(text) : text
    this.#at = this.#start + kept.length
    const token = kept === '' ? undefined : this.#token('text')
    this.#at = open
    this.#ignore()
    return token
  }

  #leftDelimiter(): Token | undefined {
    const after = this.#at + this.#left.length
    const marker = this.#isLeftTrim(after) ? 2 : 0
    if (this.#input.startsWith('/*', after + marker)) {
      this.#at = after + marker
      this.#ignore()
      return this.#comment()
    }
    this.#at = after
    const token = this.#token('left delim')
    this.#at += marker
    this.#ignore()
    this.#inAction = true
    this.#parens = 0
    return token
  }

  #comment(): Token | undefined {
    const close = this.#input.indexOf('*/', this.#at + 2)
    if (close < 0) return this.#error('unclosed comment')
    this.#at = close + 2
    const end = this.#rightDelimiterAt(this.#at)
    if (end === undefined) return this.#error('comment ends before closing delimiter')
    const token = this.#token('comment')
    this.#skipRightDelimiter(end)
    return this.#options.comments === true ? token : undefined
  }

  #rightDelimiter(end: 'plain' | 'trims'): Token {
    if (end === 'trims') {
      this.#at += 2
      this.#ignore()
    }
    this.#at += this.#right.length
    const token = this.#token('right delim')
    if (end === 'trims') this.#skipSpace()
    this.#inAction = false
    return token
  }

  #skipRightDelimiter(end: 'plain' | 'trims'): void {
    this.#at += this.#right.length + (end === 'trims' ? 2 : 0)
    this.#ignore()
    if (end === 'trims') this.#skipSpace()
  }

  #skipSpace(): void {
    this.#takeSpace()
    this.#ignore()
  }

  #action(): Token {
    const end = this.#rightDelimiterAt(this.#at)
    if (end !== undefined) return this.#parens === 0 ? this.#rightDelimiter(end) : this.#error('unclosed left paren')
    const char = this.#peek()
    if (char === '') return this.#error('unclosed action')
    if (isOrdinary(char.charCodeAt(0))) return this.#space()
    this.#at += char.length
    switch (char) {
      case '=':
        return this.#token('=')
      case ':':
        return this.#take('=') ? this.#token(':=') : this.#missingEquals()
      case '|':
        return this.#token('pipe')
      case '"':
        return this.#quoted('"', 'string', 'unterminated quoted string')
      case "'":
        return this.#quoted("'", 'charconst', 'unterminated character constant')
      case '`':
        return this.#rawString()
      case '$':
        return this.#name('variable', 'variable')
      case '(':
        this.#parens++
        return this.#token('(')
      case ')':
        return --this.#parens < 0 ? this.#error('unexpected right paren') : this.#token(')')
      default:
        return this.#other(char)
    }
  }

  #other(char: string): Token {
    const code = char.charCodeAt(0)
    if (char === '.' && this.#at < this.#input.length && !isDigit(this.#input.charCodeAt(this.#at)))
      return this.#name('field', '.')
    if (char === '-' || char === '+' || char === '.' || isDigit(code)) return this.#number(this.#at - char.length)
    if (code < 128 ? isLatinWord(code) : wordChar.test(char)) return this.#word()
    if (char >= ' ' && char < '\x7f') return this.#token('char')
    return this.#error(`unrecognized character in action: ${unicodeText(char)}`)
  }

  #missingEquals(): Token {
    return this.#error('expected :=')
  }

  /** A run of spaces; its last one may already belong to a delimiter that trims. */
  #space(): Token {
    this.#takeSpace()
    const last = this.#at - 1
    if (this.#isRightTrim(last) && this.#input.startsWith(this.#right, last + 2)) {
      this.#at = last
      if (last === this.#start) return this.#rightDelimiter('trims')
    }
    return this.#token('space')
  }

  #word(): Token {
    this.#takeWord()
    if (!this.#atTerminator()) return this.#badCharacter()
    const word = this.#input.slice(this.#start, this.#at)
    if (word === 'true' || word === 'false') return this.#token('bool')
    const free = (word === 'break' || word === 'continue') && this.#options.functions?.has(word) === true
    return this.#token(isKeyword(word) && !free ? word : 'identifier')
  }

  /** `.Name` or `$name`; `alone`: what it is without a name. */
  #name(type: 'field' | 'variable', alone: '.' | 'variable'): Token {
    if (this.#atTerminator()) return this.#token(alone)
    this.#takeWord()
    return this.#atTerminator() ? this.#token(type) : this.#badCharacter()
  }

  #badCharacter(): Token {
    return this.#error(`bad character ${unicodeText(this.#peek())}`)
  }

  #atTerminator(): boolean {
    const char = this.#peek()
    return char === '' || ' \t\r\n.,|:)('.includes(char) || this.#input.startsWith(this.#right, this.#at)
  }

  /** A string or a character between quotes, on one line; what it says is the parser's matter. */
  #quoted(quote: string, type: 'string' | 'charconst', unclosed: string): Token {
    for (;;) {
      const char = this.#peek()
      this.#at += char.length
      const escaped = char === '\\' ? this.#peek() : char
      if (escaped === '' || escaped === '\n') return this.#error(unclosed)
      if (char === '\\') this.#at += escaped.length
      else if (char === quote) return this.#token(type)
    }
  }

  #rawString(): Token {
    const close = this.#input.indexOf('`', this.#at)
    if (close < 0) return this.#error('unterminated raw quoted string')
    this.#at = close + 1
    return this.#token('raw string')
  }

  /** Accepts more than numbers; the parser reads them strictly. */
  #number(from: number): Token {
    this.#at = from
    if (!this.#scanNumber()) return this.#badNumber()
    if (!'+-'.includes(this.#peek() || ' ')) return this.#token('number')
    if (!this.#scanNumber() || this.#input[this.#at - 1] !== 'i') return this.#badNumber()
    return this.#token('complex')
  }

  #badNumber(): Token {
    return this.#error(`bad number syntax: ${quoted(this.#input.slice(this.#start, this.#at))}`)
  }

  /** false: a letter or a digit follows, which is taken too. */
  #scanNumber(): boolean {
    this.#take('+-')
    let digits = decimalDigits
    if (this.#take('0')) {
      if (this.#take('xX')) digits = hexDigits
      else if (this.#take('oO')) digits = '01234567_'
      else if (this.#take('bB')) digits = '01_'
    }
    this.#takeAll(digits)
    if (this.#take('.')) this.#takeAll(digits)
    const exponent = digits === decimalDigits ? 'eE' : digits === hexDigits ? 'pP' : ''
    if (exponent !== '' && this.#take(exponent)) {
      this.#take('+-')
      this.#takeAll(decimalDigits)
    }
    this.#take('i')
    const next = this.#peek()
    if (!wordChar.test(next)) return true
    this.#at += next.length
    return false
  }

  #take(chars: string): boolean {
    const char = this.#input[this.#at]
    if (char === undefined || !chars.includes(char)) return false
    this.#at++
    return true
  }

  #takeAll(chars: string): void {
    while (this.#take(chars));
  }

  /** The next character, '' at the end. */
  #peek(): string {
    const unit = this.#input.charCodeAt(this.#at)
    if (unit < 0xd800) return this.#input[this.#at] as string
    const code = this.#input.codePointAt(this.#at)
    return code === undefined ? '' : String.fromCodePoint(code)
  }

  #takeSpace(): void {
    while (isOrdinary(this.#input.charCodeAt(this.#at))) this.#at++
  }

  /** Letters, digits and `_`: nearly always Latin ones. */
  #takeWord(): void {
    while (isLatinWord(this.#input.charCodeAt(this.#at))) this.#at++
    if (!(this.#input.charCodeAt(this.#at) > 127)) return
    wordRun.lastIndex = this.#at
    wordRun.test(this.#input)
    this.#at = wordRun.lastIndex
  }

  #isLeftTrim(at: number): boolean {
    return this.#input.charCodeAt(at) === dash && isOrdinary(this.#input.charCodeAt(at + 1))
  }

  #isRightTrim(at: number): boolean {
    return this.#input.charCodeAt(at + 1) === dash && isOrdinary(this.#input.charCodeAt(at))
  }

  #rightDelimiterAt(at: number): 'plain' | 'trims' | undefined {
    if (this.#isRightTrim(at) && this.#input.startsWith(this.#right, at + 2)) return 'trims'
    return this.#input.startsWith(this.#right, at) ? 'plain' : undefined
  }

  #token(type: TokenType): Token {
    const token = { type, text: this.#input.slice(this.#start, this.#at), at: this.#start, line: this.#startLine }
    this.#ignore()
    return token
  }

  /** What lies behind is no token's. */
  #ignore(): void {
    this.#startLine += linesIn(this.#input, this.#start, this.#at)
    this.#start = this.#at
  }

  /** Nothing can be read behind an error. */
  #error(message: string): Token {
    const token: Token = { type: 'error', text: message, at: this.#start, line: this.#startLine }
    this.#input = ''
    this.#start = 0
    this.#at = 0
    return token
  }
}

/** A search runs on to the next line, which may be far behind a short token. */
function linesIn(text: string, start: number, end: number): number {
  let lines = 0
  if (end - start < 40) {
    for (let at = start; at < end; at++) if (text.charCodeAt(at) === 10) lines++
    return lines
  }
  for (let at = text.indexOf('\n', start); at >= 0 && at < end; at = text.indexOf('\n', at + 1)) lines++
  return lines
}

function withoutSpaceAtEnd(text: string): string {
  let end = text.length
  while (end > 0 && isOrdinary(text.charCodeAt(end - 1))) end--
  return text.slice(0, end)
}

const [dash, underscore] = [45, 95]

/** Blank, tab, line feed, carriage return. */
function isOrdinary(code: number): boolean {
  return code === 32 || code === 10 || code === 9 || code === 13
}

function isLatinWord(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || isDigit(code) || code === underscore
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

/** `%#U`: U+0040 '@'; at the end of the input Go shows its end mark, U+FFFFFFFFFFFFFFFF. */
function unicodeText(char: string): string {
  const code = char.codePointAt(0)
  if (code === undefined) return 'U+FFFFFFFFFFFFFFFF'
  const rune = code >= 0xd800 && code <= 0xdfff ? 0xfffd : code
  const shown = runeText(rune)
  return `U+${rune.toString(16).toUpperCase().padStart(4, '0')}${isPrint(shown) ? ` '${shown}'` : ''}`
}
