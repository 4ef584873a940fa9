// YAML tokens in their order, with the block structure that indentation makes: where go-yaml v2 (a port of libyaml) finds blocks and keys, and what it refuses.
import { isBlankOrEnd, isBreak, isBreakOrEnd } from './characters.js'
import { type Token, TokenReader, type TokenType, token } from './tokens.js'

interface SimpleKey {
  possible: boolean
  /** The queue waits for it. After an empty `{}` or `[]` go-yaml forgets to. */
  awaited: boolean
  required: boolean
  number: number
  at: number
  line: number
  column: number
}

/** Collections inside one another: go-yaml allows 10,000, a manifest has about ten. */
export const mostNesting = 1_000
const longestKey = 1024

export class Scanner extends TokenReader {
  readonly #deepest: number
  readonly #queue: Token[] = []
  #head = 0
  #taken = 0
  #ended = false
  readonly #indents: number[] = []
  #keyAllowed = true
  readonly #keys: SimpleKey[] = [newKey()]
  /** How many entries of `keys` are possible: most tokens need no look at them. */
  #possible = 0

  constructor(text: string, deepest: number) {
    super(text)
    this.#deepest = deepest
  }

  /** The next token, left where it is. */
  peek(): Token {
    while (this.#head === this.#queue.length || this.#waits()) this.#fetch()
    return this.#queue[this.#head] as Token
  }

  skip(): void {
    this.#head++
    this.#taken++
    if (this.#head < 256 || this.#head < this.#queue.length >> 1) return
    this.#queue.splice(0, this.#head)
    this.#head = 0
  }

  /** A KEY token may still have to be put before the head. */
  #waits(): boolean {
    if (this.#possible === 0) return false
    for (const key of this.#keys) if (key.possible && key.awaited && key.number === this.#taken) return this.#isValid(key)
    return false
  }

  #push(type: TokenType, at: number, line: number, value = '', suffix = '', plain = false): void {
    this.#queue.push({ type, at, line, value, suffix, plain })
  }

  #insert(type: TokenType, place: number, key: { readonly at: number; readonly line: number }): void {
    const made: Token = { type, at: key.at, line: key.line, value: '', suffix: '', plain: false }
    // A place that is taken already is the end, as in go-yaml.
    this.#queue.splice(place < 0 ? this.#queue.length : this.#head + place, 0, made)
  }

  /** One token at least. */
  #fetch(): unknown {
    this.#toNextToken()
    const column = this.column
    this.#unroll(column)
    const code = this.code()
    if (code === 0) return this.#fetchEnd()
    if (column === 0) {
      if (code === 0x25) return this.#fetchDirective()
      if (this.isDocumentMark(0x2d)) return this.#fetchDocumentMark(token.documentStart)
      if (this.isDocumentMark(0x2e)) return this.#fetchDocumentMark(token.documentEnd)
    }
    switch (code) {
      case 0x5b:
        return this.#fetchFlowStart(token.flowSequenceStart)
      case 0x7b:
        return this.#fetchFlowStart(token.flowMappingStart)
      case 0x5d:
        return this.#fetchFlowEnd(token.flowSequenceEnd)
      case 0x7d:
        return this.#fetchFlowEnd(token.flowMappingEnd)
      case 0x2c:
        return this.#fetchFlowEntry()
      case 0x2d:
        if (isBlankOrEnd(this.code(1))) return this.#fetchBlockEntry()
        break
      case 0x3f:
        if (this.flow > 0 || isBlankOrEnd(this.code(1))) return this.#fetchKey()
        break
      case 0x3a:
        if (this.flow > 0 || isBlankOrEnd(this.code(1))) return this.#fetchValue()
        break
      case 0x2a:
        return this.#fetchAnchor(token.alias)
      case 0x26:
        return this.#fetchAnchor(token.anchor)
      case 0x21:
        return this.#fetchTag()
      case 0x7c:
      case 0x3e:
        if (this.flow === 0) return this.#fetchBlockScalar(code === 0x7c)
        return this.fault('found character that cannot start any token')
      case 0x27:
      case 0x22:
        return this.#fetchQuoted(code === 0x27)
      case 0x23:
      case 0x25:
      case 0x40:
      case 0x60:
      case 9:
        return this.fault('found character that cannot start any token')
    }
    return this.#fetchPlain()
  }

  #isValid(key: SimpleKey): boolean {
    if (!key.possible) return false
    if (key.line >= this.line && key.at + longestKey >= this.at) return true
    if (key.required) this.fault("could not find expected ':'")
    key.possible = false
    this.#possible--
    return false
  }

  #saveKey(): void {
    if (!this.#keyAllowed) return
    const column = this.column
    const required = this.flow === 0 && this.indent === column
    this.#removeKey()
    const key = this.#keys[this.#keys.length - 1] as SimpleKey
    key.possible = true
    key.awaited = true
    key.required = required
    key.number = this.#taken + this.#queue.length - this.#head
    key.at = this.at
    key.line = this.line
    key.column = column
    this.#possible++
  }

  #removeKey(): void {
    const key = this.#keys[this.#keys.length - 1] as SimpleKey
    if (!key.possible) return
    if (key.required) this.fault("could not find expected ':'")
    key.possible = false
    this.#possible--
  }

  #roll(column: number, number: number, type: TokenType, mark: { readonly at: number; readonly line: number }): void {
    if (this.flow > 0 || this.indent >= column) return
    this.#indents.push(this.indent)
    this.indent = column
    if (this.#indents.length > this.#deepest) this.fault(`exceeded max depth of ${this.#deepest}`)
    this.#insert(type, number < 0 ? this.#queue.length - this.#head : number - this.#taken, mark)
  }

  #unroll(column: number): void {
    if (this.flow > 0) return
    while (this.indent > column) {
      this.#push(token.blockEnd, this.at, this.line)
      this.indent = this.#indents.pop() as number
    }
  }

  #fetchEnd(): void {
    if (this.column !== 0) {
      this.lineStart = this.at
      this.line++
    }
    this.#unroll(-1)
    this.#removeKey()
    this.#keyAllowed = false
    this.#push(token.streamEnd, this.at, this.line)
    this.#ended = true
  }

  get ended(): boolean {
    return this.#ended
  }

  #fetchDocumentMark(type: TokenType): void {
    this.#unroll(-1)
    this.#removeKey()
    this.#keyAllowed = false
    this.#push(type, this.at, this.line)
    this.at += 3
  }

  #fetchFlowStart(type: TokenType): void {
    this.#saveKey()
    this.#keys.push({ ...newKey(), number: this.#taken + this.#queue.length - this.#head })
    if (++this.flow > this.#deepest) this.fault(`exceeded max depth of ${this.#deepest}`)
    this.#keyAllowed = true
    this.#push(type, this.at++, this.line)
  }

  #fetchFlowEnd(type: TokenType): void {
    this.#removeKey()
    if (this.flow > 0) {
      this.flow--
      const inner = this.#keys.pop()
      for (const key of this.#keys) if (key.number === inner?.number) key.awaited = false
    }
    this.#keyAllowed = false
    this.#push(type, this.at++, this.line)
  }

  #fetchFlowEntry(): void {
    this.#removeKey()
    this.#keyAllowed = true
    this.#push(token.flowEntry, this.at++, this.line)
  }

  #fetchBlockEntry(): void {
    if (this.flow === 0) {
      if (!this.#keyAllowed) this.fault('block sequence entries are not allowed in this context')
      this.#roll(this.column, -1, token.blockSequenceStart, { at: this.at, line: this.line })
    }
    this.#removeKey()
    this.#keyAllowed = true
    this.#push(token.blockEntry, this.at++, this.line)
  }

  #fetchKey(): void {
    if (this.flow === 0) {
      if (!this.#keyAllowed) this.fault('mapping keys are not allowed in this context')
      this.#roll(this.column, -1, token.blockMappingStart, { at: this.at, line: this.line })
    }
    this.#removeKey()
    this.#keyAllowed = this.flow === 0
    this.#push(token.key, this.at++, this.line)
  }

  #fetchValue(): void {
    const key = this.#keys[this.#keys.length - 1] as SimpleKey
    if (this.#isValid(key)) {
      this.#insert(token.key, key.number - this.#taken, key)
      this.#roll(key.column, key.number, token.blockMappingStart, key)
      key.possible = false
      this.#possible--
      this.#keyAllowed = false
    } else {
      if (this.flow === 0) {
        if (!this.#keyAllowed) this.fault('mapping values are not allowed in this context')
        this.#roll(this.column, -1, token.blockMappingStart, { at: this.at, line: this.line })
      }
      this.#keyAllowed = this.flow === 0
    }
    this.#push(token.value, this.at++, this.line)
  }

  #fetchAnchor(type: TokenType): void {
    this.#saveKey()
    this.#keyAllowed = false
    const { at, line } = this
    this.#push(type, at, line, this.anchorName())
  }

  #fetchTag(): void {
    this.#saveKey()
    this.#keyAllowed = false
    const { at, line } = this
    const [handle, suffix] = this.tag()
    this.#push(token.tag, at, line, handle, suffix)
  }

  #toNextToken(): void {
    const text = this.text
    for (;;) {
      if (this.at === this.lineStart && this.code() === 0xfeff) this.at++
      let code = this.code()
      while (code === 32 || (code === 9 && (this.flow > 0 || !this.#keyAllowed))) {
        this.at++
        code = this.code()
      }
      if (code === 0x23)
        while (!isBreakOrEnd(code)) {
          this.at++
          code = this.at < text.length ? text.charCodeAt(this.at) : 0
        }
      if (!isBreak(code)) return
      this.newLine()
      if (this.flow === 0) this.#keyAllowed = true
    }
  }

  #fetchDirective(): void {
    this.#unroll(-1)
    this.#removeKey()
    this.#keyAllowed = false
    const { at, line } = this
    if (this.directiveName() === 'YAML') this.#push(token.versionDirective, at, line, this.version())
    else {
      const [handle, prefix] = this.tagPrefix()
      this.#push(token.tagDirective, at, line, handle, prefix)
    }
    this.skipToLineEnd()
  }

  #fetchBlockScalar(literal: boolean): void {
    this.#removeKey()
    this.#keyAllowed = true
    const { at, line } = this
    this.#push(token.scalar, at, line, this.blockScalar(literal))
  }

  #fetchQuoted(single: boolean): void {
    this.#saveKey()
    this.#keyAllowed = false
    const { at, line } = this
    this.#push(token.scalar, at, line, this.quotedScalar(single))
  }

  #fetchPlain(): void {
    this.#saveKey()
    this.#keyAllowed = false
    const { at, line } = this
    const value = this.plainScalar()
    if (this.atNewLine) this.#keyAllowed = true
    this.#push(token.scalar, at, line, value, '', true)
  }
}

function newKey(): SimpleKey {
  return { possible: false, awaited: false, required: false, number: 0, at: 0, line: 0, column: 0 }
}
