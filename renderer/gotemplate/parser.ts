// Makes the tree of a template from its tokens, and refuses what Go refuses, in the same words (Go's text/template/parse/parse.go is the rule).
import { quoted } from '../value/quote.js'
import type * as ast from './ast.js'
import { isBlank, nodeText } from './ast.js'
import { ParseError } from './error.js'
import { Lexer } from './lexer.js'
import { LiteralError, readNumber, unquoted } from './literal.js'
import { type Token, type TokenType, tokenText } from './token.js'

export interface ParserOptions {
  /** Every name that may be called. */
  readonly functions: { has(name: string): boolean }
  readonly delimiters?: readonly [string, string]
  /** Keeps comments in the tree. */
  readonly comments?: boolean
  /** Parentheses inside one another; 10,000 in Go. */
  readonly parentheses?: number
}

/** The trees of a text by name: its own, and one for each `define` and `block`. */
export type Trees = ReadonlyMap<string, ast.ListNode>

/** Deeper than anyone writes, and within JavaScript's stack. Go has no limit on control structures. */
const deepest = { parentheses: 500, controls: 1000 }

/** Throws ParseError. */
export function parseTrees(source: ast.Source, options: ParserOptions): Trees {
  const trees = new Map<string, ast.ListNode>()
  const lexer = new Lexer(source.text, {
    functions: options.functions,
    ...(options.delimiters === undefined ? {} : { delimiters: options.delimiters }),
    ...(options.comments === undefined ? {} : { comments: options.comments }),
  })
  new Parser({ source, options, lexer, trees }).parseFile()
  return trees
}

/** What the parsers of one text share. */
interface Shared {
  readonly source: ast.Source
  readonly options: ParserOptions
  readonly lexer: Lexer
  readonly trees: Map<string, ast.ListNode>
}

interface EndNode {
  readonly kind: 'end' | 'else'
  readonly at: number
}

/** One template: the text itself, a `define` or a `block`. */
class Parser {
  readonly #shared: Shared
  #variables: string[] = ['$']
  /** Tokens that were read ahead, the next one last. */
  readonly #ahead: Token[] = []
  /** Of the token read last: where errors are told. */
  #line = 1
  /** Where the action began that is being parsed; 0: none. */
  #actionLine = 0
  #loops = 0
  #controls = 0
  #parentheses = 0
  constructor(shared: Shared) {
    this.#shared = shared
  }

  parseFile(): void {
    const at = this.#peek().at
    const nodes: ast.StatementNode[] = []
    while (this.#peek().type !== 'EOF') {
      if (this.#isDefinition()) this.#inner().#definition()
      else {
        const node = this.#statement()
        if (isEnd(node)) throw this.#error(`unexpected {{${node.kind}}}`)
        nodes.push(node)
      }
    }
    this.#define(this.#shared.source.name, { kind: 'list', at, nodes })
  }

  /** Takes `{{define`, where it stands. */
  #isDefinition(): boolean {
    if (this.#peek().type !== 'left delim') return false
    const delimiter = this.#next()
    const word = this.#nextWord()
    if (word.type === 'define') return true
    this.#back(word, delimiter)
    return false
  }

  #inner(): Parser {
    return new Parser(this.#shared)
  }

  #definition(): void {
    const context = 'define clause'
    const word = this.#nextWord()
    if (word.type !== 'string' && word.type !== 'raw string') throw this.#unexpected(word, context)
    const name = this.#unquoted(word)
    this.#expect('right delim', context)
    const { list, end } = this.#list()
    if (end.kind !== 'end') throw this.#error(`unexpected {{${end.kind}}} in ${context}`)
    this.#define(name, list)
  }

  #define(name: string, list: ast.ListNode): void {
    const { trees } = this.#shared
    const known = trees.get(name)
    if (known === undefined || isBlank(known)) trees.set(name, list)
    else if (!isBlank(list)) throw this.#error(`template: multiple definition of template ${quoted(name)}`)
  }

  /** Statements up to `{{end}}` or `{{else}}`. */
  #list(): { readonly list: ast.ListNode; readonly end: EndNode } {
    const at = this.#peekWord().at
    const nodes: ast.StatementNode[] = []
    while (this.#peekWord().type !== 'EOF') {
      const node = this.#statement()
      if (isEnd(node)) return { list: { kind: 'list', at, nodes }, end: node }
      nodes.push(node)
    }
    throw this.#error('unexpected EOF')
  }

  #statement(): ast.StatementNode | EndNode {
    const token = this.#nextWord()
    if (token.type === 'text' || token.type === 'comment') return { kind: token.type, at: token.at, text: token.text }
    if (token.type !== 'left delim') throw this.#unexpected(token, 'input')
    this.#actionLine = token.line
    const node = this.#action()
    this.#actionLine = 0
    return node
  }

  #action(): ast.StatementNode | EndNode {
    const word = this.#nextWord()
    switch (word.type) {
      case 'block':
        return this.#block()
      case 'break':
      case 'continue':
        return this.#jump(word.type, word.at)
      case 'else':
        return this.#else()
      case 'end':
        return { kind: 'end', at: this.#expect('right delim', 'end').at }
      case 'if':
      case 'range':
      case 'with':
        return this.#control(word.type)
      case 'template':
        return this.#template()
      default:
        this.#back(word)
        return { kind: 'action', at: word.at, pipe: this.#pipeline('command', 'right delim') }
    }
  }

  #jump(kind: 'break' | 'continue', at: number): ast.JumpNode {
    const word = this.#nextWord()
    if (word.type !== 'right delim') throw this.#unexpected(word, `{{${kind}}}`)
    if (this.#loops === 0) throw this.#error(`{{${kind}}} outside {{range}}`)
    return { kind, at }
  }

  /** What follows as `if` or `with` is left for the control that this belongs to. */
  #else(): EndNode {
    const word = this.#peekWord()
    if (word.type === 'if' || word.type === 'with') return { kind: 'else', at: word.at }
    return { kind: 'else', at: this.#expect('right delim', 'else').at }
  }

  #control(kind: 'if' | 'range' | 'with'): ast.ControlNode {
    const known = this.#variables.length
    if (++this.#controls > deepest.controls) throw this.#error('max nesting depth exceeded')
    const pipe = this.#pipeline(kind, 'right delim')
    if (kind === 'range') this.#loops++
    const { list, end } = this.#list()
    if (kind === 'range') this.#loops--
    const otherwise = end.kind === 'else' ? this.#otherwise(kind, end) : undefined
    this.#controls--
    this.#variables.length = known
    return { kind, at: pipe.at, pipe, list, otherwise }
  }

  /** `{{else if}}` is `{{else}}{{if}}` that shares its end. */
  #otherwise(kind: 'if' | 'range' | 'with', end: EndNode): ast.ListNode {
    if (kind !== 'range' && this.#peek().type === kind) {
      this.#next()
      return { kind: 'list', at: end.at, nodes: [this.#control(kind)] }
    }
    const { list, end: last } = this.#list()
    if (last.kind !== 'end') throw this.#error(`expected end; found {{${last.kind}}}`)
    return list
  }

  #block(): ast.TemplateNode {
    const context = 'block clause'
    const word = this.#nextWord()
    const name = this.#templateName(word, context)
    const pipe = this.#pipeline(context, 'right delim')
    const inner = this.#inner()
    const { list, end } = inner.#list()
    if (end.kind !== 'end') throw this.#error(`unexpected {{${end.kind}}} in ${context}`)
    inner.#define(name, list)
    return { kind: 'template', at: word.at, name, pipe }
  }

  #template(): ast.TemplateNode {
    const context = 'template clause'
    const word = this.#nextWord()
    const name = this.#templateName(word, context)
    const next = this.#nextWord()
    if (next.type === 'right delim') return { kind: 'template', at: word.at, name, pipe: undefined }
    this.#back(next)
    return { kind: 'template', at: word.at, name, pipe: this.#pipeline(context, 'right delim') }
  }

  #templateName(token: Token, context: string): string {
    if (token.type !== 'string' && token.type !== 'raw string') throw this.#unexpected(token, context)
    return this.#unquoted(token)
  }

  #pipeline(context: string, end: TokenType): ast.PipeNode {
    const at = this.#peekWord().at
    const { declares, assigns } = this.#declarations(context)
    const commands: ast.CommandNode[] = []
    for (;;) {
      const word = this.#nextWord()
      if (word.type === end) break
      if (!operandStarts.has(word.type)) throw this.#unexpected(word, context)
      this.#back(word)
      commands.push(this.#command())
    }
    this.#checkPipeline(commands, context)
    return { kind: 'pipe', at, declares, assigns, commands }
  }

  /** `$x :=`, `$x =`, and in a range `$i, $x :=`. */
  #declarations(context: string): Pick<ast.PipeNode, 'declares' | 'assigns'> {
    const declares: ast.VariableNode[] = []
    while (this.#peekWord().type === 'variable') {
      const variable = this.#nextWord()
      const after = this.#peek()
      const word = this.#peekWord()
      const comma = word.type === 'char' && word.text === ','
      if (word.type !== '=' && word.type !== ':=' && !comma) {
        // `$x foo`: the space was passed over to see what follows.
        if (after.type === 'space') this.#back(after)
        this.#back(variable)
        break
      }
      this.#nextWord()
      declares.push({ kind: 'variable', at: variable.at, name: variable.text, fields: [] })
      this.#variables.push(variable.text)
      if (!comma) return { declares, assigns: word.type === '=' }
      this.#checkComma(context, declares.length)
    }
    return { declares, assigns: false }
  }

  #checkComma(context: string, count: number): void {
    if (context !== 'range' || count > 1) throw this.#error(`too many declarations in ${context}`)
    const next = this.#peekWord().type
    if (next !== 'variable' && next !== 'right delim' && next !== ')') throw this.#error('range can only initialize variables')
  }

  #checkPipeline(commands: readonly ast.CommandNode[], context: string): void {
    if (commands.length === 0) throw this.#error(`missing value for ${context}`)
    const fixed = commands.findIndex((command, at) => at > 0 && isFixed(command.args[0] as ast.OperandNode))
    if (fixed > 0) throw this.#error(`non executable command in pipeline stage ${fixed + 1}`)
  }

  #command(): ast.CommandNode {
    const at = this.#peekWord().at
    const args: ast.OperandNode[] = []
    for (;;) {
      this.#skipSpace()
      const operand = this.#operand()
      if (operand !== undefined) args.push(operand)
      const token = this.#next()
      if (token.type === 'space') continue
      if (token.type === 'right delim' || token.type === ')') this.#back(token)
      else if (token.type !== 'pipe') throw this.#unexpected(token, 'operand')
      break
    }
    if (args.length === 0) throw this.#error('empty command')
    return { kind: 'command', at, args }
  }

  /** A term and the fields behind it. */
  #operand(): ast.OperandNode | undefined {
    const term = this.#term()
    const first = this.#peek()
    if (term === undefined || first.type !== 'field') return term
    const fields: string[] = []
    while (this.#peek().type === 'field') fields.push(this.#next().text.slice(1))
    // Go counts the place of `.a.b` from its second field on.
    if (term.kind === 'field' || term.kind === 'variable') return { ...term, at: first.at, fields: [...term.fields, ...fields] }
    if (isFixed(term)) throw this.#error(`unexpected . after term ${quoted(nodeText(term))}`)
    return { kind: 'chain', at: first.at, of: term, fields }
  }

  #term(): ast.OperandNode | undefined {
    const token = this.#nextWord()
    const { at, text } = token
    switch (token.type) {
      case 'identifier':
        if (!this.#shared.options.functions.has(text)) throw this.#error(`function ${quoted(text)} not defined`)
        return { kind: 'identifier', at, name: text }
      case '.':
        return { kind: 'dot', at }
      case 'nil':
        return { kind: 'nil', at }
      case 'variable':
        if (!this.#variables.includes(text)) throw this.#error(`undefined variable ${quoted(text)}`)
        return { kind: 'variable', at, name: text, fields: [] }
      case 'field':
        return { kind: 'field', at, fields: [text.slice(1)] }
      case 'bool':
        return { kind: 'bool', at, value: text === 'true' }
      case 'charconst':
      case 'complex':
      case 'number':
        return { kind: 'number', at, source: text, ...this.#read(() => readNumber(text, token.type)) }
      case '(':
        return this.#parenthesized()
      case 'string':
      case 'raw string':
        return { kind: 'string', at, source: text, value: this.#unquoted(token) }
      default:
        this.#back(token)
        return undefined
    }
  }

  #parenthesized(): ast.PipeNode {
    const most = this.#shared.options.parentheses ?? deepest.parentheses
    if (++this.#parentheses > most) throw this.#error('max expression depth exceeded')
    const pipe = this.#pipeline('parenthesized pipeline', ')')
    this.#parentheses--
    return pipe
  }

  #unquoted(token: Token): string {
    return this.#read(() => unquoted(token.text))
  }

  #read<T>(reader: () => T): T {
    try {
      return reader()
    } catch (error) {
      throw error instanceof LiteralError ? this.#error(error.message) : error
    }
  }

  #next(): Token {
    return this.#ahead.pop() ?? this.#lex()
  }

  #lex(): Token {
    const token = this.#shared.lexer.next()
    this.#line = token.line
    return token
  }

  #peek(): Token {
    const token = this.#next()
    this.#ahead.push(token)
    return token
  }

  #nextWord(): Token {
    for (;;) {
      const token = this.#next()
      if (token.type !== 'space') return token
    }
  }

  #peekWord(): Token {
    const token = this.#nextWord()
    this.#ahead.push(token)
    return token
  }

  #skipSpace(): void {
    this.#peekWord()
  }

  /** Puts back tokens, the one that comes first again last. */
  #back(...tokens: readonly Token[]): void {
    this.#ahead.push(...tokens)
  }

  #expect(type: TokenType, context: string): Token {
    const token = this.#nextWord()
    if (token.type !== type) throw this.#unexpected(token, context)
    return token
  }

  #unexpected(token: Token, context: string): ParseError {
    if (token.type !== 'error') return this.#error(`unexpected ${tokenText(token)} in ${context}`)
    if (this.#actionLine === 0 || this.#actionLine === token.line) return this.#error(token.text)
    const place = `started at ${this.#shared.source.name}:${this.#actionLine}`
    return this.#error(`${token.text}${token.text.endsWith(' action') ? '' : ' in action'} ${place}`)
  }

  #error(what: string): ParseError {
    return new ParseError(this.#shared.source, this.#line, what)
  }
}

function isEnd(node: ast.StatementNode | EndNode): node is EndNode {
  return node.kind === 'end' || node.kind === 'else'
}

/** A literal or the dot: it takes no arguments and has no fields. */
function isFixed(node: ast.OperandNode): boolean {
  return node.kind === 'bool' || node.kind === 'dot' || node.kind === 'nil' || node.kind === 'number' || node.kind === 'string'
}

const operandStarts: ReadonlySet<TokenType> = new Set<TokenType>([
  'bool',
  'charconst',
  'complex',
  '.',
  'field',
  'identifier',
  'number',
  'nil',
  'raw string',
  'string',
  'variable',
  '(',
])
