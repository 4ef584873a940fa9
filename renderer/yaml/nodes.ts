// Tokens to the nodes of one document, as go-yaml v2's parser composes them: the same grammar, the same words for what does not fit it.
import { mostNesting, Scanner } from './scanner.js'
import { type Token, type TokenType, token, YamlError } from './tokens.js'

export interface ScalarNode {
  readonly kind: 'scalar'
  readonly value: string
  /** Long form: `tag:yaml.org,2002:int`; '' where there is none. */
  readonly tag: string
  /** Written without quotes: what it is follows from its text. */
  readonly implicit: boolean
  readonly at: number
}

export interface SequenceNode {
  readonly kind: 'sequence'
  readonly items: readonly Node[]
  readonly tag: string
  readonly at: number
}

export interface MappingNode {
  readonly kind: 'mapping'
  /** Key, value, key, value ... */
  readonly items: readonly Node[]
  readonly tag: string
  readonly at: number
}

export interface AliasNode {
  readonly kind: 'alias'
  readonly name: string
  readonly target: Node
  readonly at: number
}

export type Node = ScalarNode | SequenceNode | MappingNode | AliasNode

/** The first document, null where there is none. What stands after it is not looked at, as in go-yaml's `Unmarshal`. */
export function parseFirst(text: string): Node | null {
  return new Parser(text, mostNesting).document(true)
}

/** Every document. Throws `YamlError`, also where collections stand inside one another deeper than `deepest`. */
export function parseAll(text: string, deepest = mostNesting): Node[] {
  const parser = new Parser(text, deepest)
  const documents: Node[] = []
  for (let node = parser.document(true); node !== null; node = parser.document(false)) documents.push(node)
  return documents
}

const defaultTags: ReadonlyMap<string, string> = new Map([
  ['!', '!'],
  ['!!', 'tag:yaml.org,2002:'],
])

class Parser {
  readonly #scanner: Scanner
  #tags = new Map<string, string>()
  #anchors = new Map<string, Node>()

  constructor(text: string, deepest: number) {
    this.#scanner = new Scanner(text, deepest)
  }

  document(first: boolean): Node | null {
    if (!first) while (this.#is(token.documentEnd)) this.#scanner.skip()
    if (this.#is(token.streamEnd)) return null
    const explicit = !first || this.#is(token.documentStart, token.versionDirective, token.tagDirective)
    this.#directives()
    if (explicit) {
      const start = this.#scanner.peek()
      if (start.type !== token.documentStart) this.#fault('did not find expected <document start>', start)
      this.#scanner.skip()
    }
    this.#anchors = new Map()
    const ends = this.#is(token.versionDirective, token.tagDirective, token.documentStart, token.documentEnd, token.streamEnd)
    const node = explicit && ends ? empty(this.#scanner.peek().at) : this.#node(true, false)
    this.#closeDocument()
    return node
  }

  /** go-yaml looks at the token after the document before it takes it. */
  #closeDocument(): void {
    if (this.#is(token.documentEnd)) this.#scanner.skip()
    this.#tags = new Map()
  }

  #directives(): void {
    let versions = 0
    for (let next = this.#scanner.peek(); ; next = this.#scanner.peek()) {
      if (next.type === token.versionDirective) {
        if (versions++ > 0) this.#fault('found duplicate %YAML directive', next)
        if (next.value !== '1.1') this.#fault('found incompatible YAML document', next)
      } else if (next.type === token.tagDirective) {
        if (this.#tags.has(next.value)) this.#fault('found duplicate %TAG directive', next)
        this.#tags.set(next.value, next.suffix)
      } else break
      this.#scanner.skip()
    }
    for (const [handle, prefix] of defaultTags) if (!this.#tags.has(handle)) this.#tags.set(handle, prefix)
  }

  #is(...types: readonly TokenType[]): boolean {
    return types.includes(this.#scanner.peek().type)
  }

  #next(): Token {
    const next = this.#scanner.peek()
    this.#scanner.skip()
    return next
  }

  /** The parser's faults name the line before, as go-yaml does (it counts from 0). */
  #fault(problem: string, at: Token, context?: Token): never {
    throw new YamlError(problem, at.line !== 0 ? at.line : (context?.line ?? 0), at.at)
  }

  #node(block: boolean, indentless: boolean): Node {
    const first = this.#scanner.peek()
    if (first.type === token.scalar) {
      this.#scanner.skip()
      return { kind: 'scalar', value: first.value, tag: '', implicit: first.plain, at: first.at }
    }
    if (first.type === token.alias) return this.#alias(this.#next())
    let anchor: string | null = null
    let tag = ''
    if (first.type === token.anchor) {
      anchor = this.#next().value
      if (this.#is(token.tag)) tag = this.#tag(this.#next(), first)
    } else if (first.type === token.tag) {
      tag = this.#tag(this.#next(), first)
      if (this.#is(token.anchor)) anchor = this.#next().value
    }
    return this.#content({ first, anchor, tag, block, indentless })
  }

  #alias(named: Token): Node {
    const target = this.#anchors.get(named.value)
    if (target === undefined)
      throw new YamlError(
        `unknown anchor '${named.value}' referenced`,
        0,
        named.at,
        `no anchor ${named.value} stands before this`,
      )
    return { kind: 'alias', name: named.value, target, at: named.at }
  }

  #tag(written: Token, first: Token): string {
    if (written.value === '') return written.suffix
    const prefix = this.#tags.get(written.value)
    if (prefix === undefined) this.#fault('found undefined tag handle', written, first)
    return prefix + written.suffix
  }

  #content(start: {
    readonly first: Token
    readonly anchor: string | null
    readonly tag: string
    readonly block: boolean
    readonly indentless: boolean
  }): Node {
    const { first, anchor, tag, block } = start
    const next = this.#scanner.peek()
    if (next.type === token.scalar) {
      this.#scanner.skip()
      const implicit = (tag === '' && next.plain) || tag === '!'
      return this.#anchored(anchor, { kind: 'scalar', value: next.value, tag, implicit, at: next.at })
    }
    const at = first.at
    const isSequence =
      next.type === token.flowSequenceStart ||
      (block && next.type === token.blockSequenceStart) ||
      (start.indentless && next.type === token.blockEntry)
    if (isSequence) {
      const items: Node[] = []
      const node = this.#anchored(anchor, { kind: 'sequence', items, tag, at })
      if (next.type === token.blockEntry) this.#indentlessSequence(items)
      else if (next.type === token.blockSequenceStart) this.#blockSequence(items)
      else this.#flowSequence(items)
      return node
    }
    if (next.type === token.flowMappingStart || (block && next.type === token.blockMappingStart)) {
      const items: Node[] = []
      const node = this.#anchored(anchor, { kind: 'mapping', items, tag, at })
      if (next.type === token.blockMappingStart) this.#blockMapping(items)
      else this.#flowMapping(items)
      return node
    }
    if (anchor !== null || tag !== '') return this.#anchored(anchor, { kind: 'scalar', value: '', tag, implicit: tag === '', at })
    return this.#fault('did not find expected node content', next, first)
  }

  #anchored<N extends Node>(anchor: string | null, node: N): N {
    if (anchor !== null) this.#anchors.set(anchor, node)
    return node
  }

  #blockSequence(items: Node[]): void {
    const start = this.#next()
    while (this.#is(token.blockEntry)) {
      const entry = this.#next()
      items.push(this.#is(token.blockEntry, token.blockEnd) ? empty(entry.at) : this.#node(true, false))
    }
    const end = this.#scanner.peek()
    if (end.type !== token.blockEnd) this.#fault("did not find expected '-' indicator", end, start)
    this.#scanner.skip()
  }

  #indentlessSequence(items: Node[]): void {
    while (this.#is(token.blockEntry)) {
      const entry = this.#next()
      const none = this.#is(token.blockEntry, token.key, token.value, token.blockEnd)
      items.push(none ? empty(entry.at) : this.#node(true, false))
    }
  }

  #blockMapping(items: Node[]): void {
    const start = this.#next()
    for (;;) {
      const next = this.#scanner.peek()
      if (next.type === token.blockEnd) break
      if (next.type !== token.key) {
        // A value without a key has an empty one only after a `?`; libyaml takes nothing else here.
        this.#fault('did not find expected key', next, start)
      }
      this.#scanner.skip()
      items.push(this.#blockPart(next))
      const value = this.#scanner.peek()
      if (value.type !== token.value) {
        items.push(empty(value.at))
        continue
      }
      this.#scanner.skip()
      items.push(this.#blockPart(value))
    }
    this.#scanner.skip()
  }

  #blockPart(indicator: Token): Node {
    const type = this.#scanner.peek().type
    if (type === token.key || type === token.value || type === token.blockEnd) return empty(indicator.at)
    return this.#node(true, true)
  }

  #flowSequence(items: Node[]): void {
    const start = this.#next()
    for (let first = true; !this.#is(token.flowSequenceEnd); first = false) {
      if (!first) this.#flowEntry(start, "did not find expected ',' or ']'")
      if (this.#is(token.key)) items.push(this.#flowPair(this.#next()))
      else if (!this.#is(token.flowSequenceEnd)) items.push(this.#node(false, false))
      else break
    }
    this.#scanner.skip()
  }

  #flowEntry(start: Token, problem: string): void {
    const comma = this.#scanner.peek()
    if (comma.type !== token.flowEntry) this.#fault(problem, comma, start)
    this.#scanner.skip()
  }

  /** `[a: b]` is `[{a: b}]`. */
  #flowPair(key: Token): Node {
    const items: Node[] = []
    if (this.#is(token.value, token.flowEntry, token.flowSequenceEnd)) items.push(empty(this.#next().at))
    else items.push(this.#node(false, false))
    if (this.#is(token.value)) {
      this.#scanner.skip()
      if (!this.#is(token.flowEntry, token.flowSequenceEnd)) items.push(this.#node(false, false))
    }
    if (items.length === 1) items.push(empty(this.#scanner.peek().at))
    return { kind: 'mapping', items, tag: '', at: key.at }
  }

  #flowMapping(items: Node[]): void {
    const start = this.#next()
    for (let first = true; !this.#is(token.flowMappingEnd); first = false) {
      if (!first) this.#flowEntry(start, "did not find expected ',' or '}'")
      if (this.#is(token.key)) {
        this.#scanner.skip()
        items.push(this.#flowPart(), this.#flowValue())
      } else if (!this.#is(token.flowMappingEnd)) {
        items.push(this.#node(false, false))
        items.push(empty(this.#scanner.peek().at))
      } else break
    }
    this.#scanner.skip()
  }

  #flowPart(): Node {
    const next = this.#scanner.peek()
    if (next.type === token.value || next.type === token.flowEntry || next.type === token.flowMappingEnd) return empty(next.at)
    return this.#node(false, false)
  }

  #flowValue(): Node {
    if (!this.#is(token.value)) return empty(this.#scanner.peek().at)
    this.#scanner.skip()
    return this.#is(token.flowEntry, token.flowMappingEnd) ? empty(this.#scanner.peek().at) : this.#node(false, false)
  }
}

function empty(at: number): ScalarNode {
  return { kind: 'scalar', value: '', tag: '', implicit: true, at }
}
