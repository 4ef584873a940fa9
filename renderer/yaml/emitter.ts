// Scalars and indicators as go-yaml v2's emitter (`emitterc.go`) lays them out: which style a text gets, and where its lines break.
import { written } from '../work.js'
import { isBlank, isBlankOrEnd, isBreak, isPrintable } from './characters.js'

export interface EmitterStyle {
  /** Lines are folded at the first single space beyond this column. */
  readonly width: number
  /** Whether a tab may stand in a plain or a single-quoted text: yaml.v3 has it in double quotes. */
  readonly plainTabs: boolean
}

/** As go-yaml v2 writes. */
const second: EmitterStyle = { width: 80, plainTabs: true }

/** No character of it needs a thought: the common case of keys, names, images, paths. */
const simple = /^(?!\.\.\.)[A-Za-z0-9_./$(][A-Za-z0-9_./$()+=@-]*$/

type Style = 'plain' | 'single' | 'double' | 'literal'

export class Emitter {
  readonly #parts: string[] = []
  #size = 0
  #column = 0
  /** The last thing written was white space. */
  #whitespace = true
  /** Nothing but indentation and `- ` stands on this line yet. */
  #indention = true
  readonly #style: EmitterStyle
  constructor(style: EmitterStyle = second) {
    this.#style = style
  }

  text(): string {
    return this.#parts.join('')
  }

  get indented(): boolean {
    return this.#indention
  }

  end(): void {
    if (this.#column > 0) this.#break()
  }

  #put(text: string): void {
    this.#parts.push(text)
    this.#size += text.length
    this.#column += text.length
  }

  #break(): void {
    this.#parts.push('\n')
    this.#column = 0
  }

  toIndent(indent: number): void {
    written(this.#size)
    if (!this.#indention || this.#column > indent || (this.#column === indent && !this.#whitespace)) this.#break()
    if (this.#column < indent) this.#put(spaces(indent - this.#column))
    this.#whitespace = true
    this.#indention = true
  }

  /** `keepsIndention`: what follows may start on this line, as after `- `. */
  indicator(text: string, needsSpace: boolean, keepsIndention = false): void {
    this.#put(needsSpace && !this.#whitespace ? ` ${text}` : text)
    this.#whitespace = false
    this.#indention = this.#indention && keepsIndention
  }

  /** Something that is plain and short: a number, `true`, `null`. */
  word(text: string): void {
    this.#put(this.#whitespace ? text : ` ${text}`)
    this.#whitespace = false
    this.#indention = false
  }

  /** `canBePlain`: unquoted it would be read as a text. `indent`: of its further lines. `key`: on one line. */
  scalar(text: string, canBePlain: boolean, indent: number, key: boolean): void {
    const style = canBePlain && simple.test(text) ? 'word' : styleOf(text, canBePlain, key, this.#style)
    if (style === 'word') this.word(text)
    else if (style === 'plain') this.#flowing(text, indent, !key, '')
    else if (style === 'single') this.#flowing(text, indent, !key, "'")
    else if (style === 'double') this.#double(text, indent, !key)
    else this.#literal(text, indent)
  }

  #flowing(text: string, indent: number, mayBreak: boolean, quote: string): void {
    if (!this.#whitespace) this.#put(' ')
    if (quote !== '') this.#put(quote)
    if (/[\n\r\x85\u2028\u2029]/.test(text)) this.#brokenFlow(text, indent, mayBreak, quote)
    else if (mayBreak && this.#column + text.length > this.#style.width) this.#folded(text, indent, quote)
    else this.#put(quote === '' ? text : text.replaceAll("'", "''"))
    if (quote !== '') this.#put(quote)
    this.#whitespace = false
    this.#indention = false
  }

  #folded(text: string, indent: number, quote: string): void {
    let from = 0
    let afterSpace = false
    const flush = (end: number): void =>
      this.#put(quote === '' ? text.slice(from, end) : text.slice(from, end).replaceAll("'", "''"))
    for (let at = 0; at < text.length; at++) {
      const space = text.charCodeAt(at) === 32
      if (space && !afterSpace && text.charCodeAt(at + 1) !== 32 && (quote === '' || (at > 0 && at < text.length - 1))) {
        flush(at)
        from = at
        if (this.#column > this.#style.width) {
          this.toIndent(indent)
          from = at + 1
        }
      }
      afterSpace = space
      if (!space) this.#indention = false
    }
    flush(text.length)
  }

  /** Only LS and PS come here without a line feed, and only in single quotes. */
  #brokenFlow(text: string, indent: number, mayBreak: boolean, quote: string): void {
    let afterBreak = false
    let afterSpace = false
    for (let at = 0; at < text.length; at++) {
      const char = text[at] as string
      if (char === ' ') {
        const folds = mayBreak && !afterSpace && at > 0 && at < text.length - 1 && text[at + 1] !== ' '
        if (folds && this.#column > this.#style.width) this.toIndent(indent)
        else this.#put(char)
        afterSpace = true
        continue
      }
      if (isBreak(char.charCodeAt(0))) {
        if (!afterBreak && char === '\n') this.#break()
        this.#parts.push(char)
        this.#column = 0
        this.#indention = true
        afterBreak = true
        continue
      }
      if (afterBreak) this.toIndent(indent)
      this.#put(char === "'" && quote === "'" ? "''" : char)
      this.#indention = false
      afterBreak = false
      afterSpace = false
    }
  }

  #double(text: string, indent: number, mayBreak: boolean): void {
    this.#put(this.#whitespace ? '"' : ' "')
    this.#indention = false
    const startsWithMark = text.charCodeAt(0) === 0xfeff
    const characters = [...text]
    let afterSpace = false
    for (let at = 0; at < characters.length; at++) {
      const char = characters[at] as string
      const code = char.codePointAt(0) as number
      if (startsWithMark || !isPrintable(code) || isBreak(code) || code === 0x22 || code === 0x5c) {
        this.#put(escaped(code))
        afterSpace = false
      } else if (code === 32) {
        const inside = at > 0 && at < characters.length - 1
        if (mayBreak && !afterSpace && this.#column > this.#style.width && inside) {
          this.toIndent(indent)
          if (characters[at + 1] === ' ') this.#put('\\')
        } else this.#put(char)
        afterSpace = true
      } else {
        this.#put(char)
        afterSpace = false
      }
    }
    this.#put('"')
    this.#whitespace = false
    this.#indention = false
  }

  #literal(text: string, indent: number): void {
    this.#put(this.#whitespace ? '|' : ' |')
    const first = text.charCodeAt(0)
    if (first === 32 || isBreak(first)) this.#put('2')
    this.#put(chomping(text))
    this.#break()
    this.#indention = true
    this.#whitespace = true
    const margin = spaces(indent)
    for (const line of text.match(/[^\n\r\x85\u2028\u2029]*(?:[\n\r\x85\u2028\u2029]|$)/g) ?? []) {
      if (line === '') continue
      const ends = isBreak(line.charCodeAt(line.length - 1))
      this.#put(ends && line.length === 1 ? line : margin + line)
      if (ends) this.#column = 0
      this.#indention = ends
    }
    this.#whitespace = this.#column === 0
  }
}

function chomping(text: string): string {
  const last = text.length - 1
  if (!isBreak(text.charCodeAt(last))) return '-'
  return last === 0 || isBreak(text.charCodeAt(last - 1)) ? '+' : ''
}

const shortEscapes = new Map([
  [0, '\\0'],
  [7, '\\a'],
  [8, '\\b'],
  [9, '\\t'],
  [10, '\\n'],
  [11, '\\v'],
  [12, '\\f'],
  [13, '\\r'],
  [0x1b, '\\e'],
  [0x22, '\\"'],
  [0x5c, '\\\\'],
  [0x85, '\\N'],
  [0xa0, '\\_'],
  [0x2028, '\\L'],
  [0x2029, '\\P'],
])

function escaped(code: number): string {
  const short = shortEscapes.get(code)
  if (short !== undefined) return short
  const hex = code.toString(16).toUpperCase()
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`
}

/** go-yaml's `analyze_scalar` and `select_scalar_style`. `key`: in a place where only one line fits. */
function styleOf(text: string, canBePlain: boolean, key: boolean, { plainTabs }: EmitterStyle): Style {
  if (text === '') return canBePlain ? 'single' : 'double'
  const found = analyze(text)
  if (text.includes('\n')) return key || !found.block ? 'double' : 'literal'
  if (!canBePlain || (key && found.broken) || (!plainTabs && text.includes('\t'))) return 'double'
  if (found.plain) return 'plain'
  return found.single ? 'single' : 'double'
}

interface Analysis {
  readonly plain: boolean
  readonly single: boolean
  readonly block: boolean
  readonly broken: boolean
}

const indicators = new Set('#,[]{}&*!|>\'"%@`')

function analyze(text: string): Analysis {
  let indicated = text.startsWith('---') || text.startsWith('...') || indicators.has(text[0] ?? '')
  let special = false
  let broken = false
  let breakSpace = false
  let spaceBreak = false
  let previous: 'space' | 'break' | 'other' = 'other'
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x3a || code === 0x23 || (at === 0 && (code === 0x3f || code === 0x2d)))
      indicated ||= isIndicatedAt(text, at, code)
    if (!isPrintable(code)) special = true
    if (code === 32) {
      if (previous === 'break') breakSpace = true
      previous = 'space'
    } else if (isBreak(code)) {
      broken = true
      if (previous === 'space') spaceBreak = true
      previous = 'break'
    } else previous = 'other'
  }
  const [first, last] = [text.charCodeAt(0), text.charCodeAt(text.length - 1)]
  const edged = first === 32 || last === 32 || isBreak(first) || isBreak(last)
  return {
    plain: !(edged || breakSpace || spaceBreak || special || broken || indicated),
    single: !(breakSpace || spaceBreak || special),
    block: !(last === 32 || spaceBreak || special),
    broken,
  }
}

/** `: ` and ` #` anywhere, `? ` and `- ` at the start. */
function isIndicatedAt(text: string, at: number, code: number): boolean {
  const followed = at + 1 >= text.length || isBlank(text.charCodeAt(at + 1))
  return code === 0x23 ? at > 0 && isBlankOrEnd(text.charCodeAt(at - 1)) : followed
}

const margins = Array.from({ length: 64 }, (_, length) => ' '.repeat(length))

function spaces(count: number): string {
  return margins[count] ?? ' '.repeat(count)
}
