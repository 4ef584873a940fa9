// Handlebars text to the checked syntax tree. The package's parser does the syntax; its compiler, which makes code, is never loaded.
import base from 'handlebars/dist/cjs/handlebars/compiler/base.js'
import { faultAt, holdsSecrets, RenderFault } from '../fault.js'
import { keyBefore } from '../gotemplate/site.js'
import { int, type Value } from '../value/value.js'
import type { Block, CallExpression, Expression, Named, Partial, Path, Program, Spot, Statement, Words } from './ast.js'
import { arity, names, refused } from './functions.js'
import { nearest } from './nearest.js'

export interface Template {
  /** For people: `templates/web.hbs`. */
  readonly file: string
  /** Its path with the chart's name before it, by which what is kept for its calls is found again. */
  readonly name: string
  readonly source: string
  readonly program: Program
}

type Node = Readonly<Record<string, unknown>>

/** Throws `RenderFault` at the place: a syntax error, a construct that charts do not have, a name that is no function. */
export function parseTemplate(source: string, file: string, name: string): Template {
  refuseDepth(source, file)
  return { file, name, source, program: new Reader(source, file).program(parsed(source, file)) }
}

const maxTemplate = 1_000_000
const maxDepth = 100

/** Before the parser, whose time grows with the square of the depth. */
function refuseDepth(source: string, file: string): void {
  const refuse = (what: string): RenderFault => new RenderFault('LimitExceeded', `${file}: ${what} (the limit)`)
  if (source.length > maxTemplate) throw refuse(`a template of more than ${maxTemplate} characters`)
  let blocks = 0
  for (let at = source.indexOf('{{'); at >= 0; at = source.indexOf('{{', at + 2)) {
    const close = source.indexOf('}}', at)
    const tag = source.slice(at + 2, close < 0 ? source.length : close).replace(/^~/, '')
    if (/^[#^](?!\s*~?$)/.test(tag)) blocks++
    else if (tag.startsWith('/')) blocks--
    if (blocks > maxDepth) throw refuse(`more than ${maxDepth} blocks inside one another`)
    if (bracketDepth(tag) > maxDepth) throw refuse(`more than ${maxDepth} brackets inside one another`)
    if (close < 0) return
  }
}

function bracketDepth(tag: string): number {
  let depth = 0
  let deepest = 0
  for (const char of tag) {
    if (char === '(') deepest = Math.max(deepest, ++depth)
    else if (char === ')') depth--
  }
  return deepest
}

class SyntaxFault extends Error {
  readonly spot: Spot
  constructor(message: string, spot: Spot) {
    super(message)
    this.spot = spot
  }
}

base.parser.parseError = (message, hash) => {
  const { first_line: line, first_column: column } = base.parser.lexer.yylloc
  const spot =
    hash.token === null || hash.token === undefined
      ? { line: base.parser.lexer.yylineno + 1, column: 0 }
      : { line, column: column + 1 }
  throw new SyntaxFault(told(hash.token ?? null, hash.expected ?? [], message), spot)
}

const tokens: Readonly<Record<string, string>> = {
  EOF: 'the end of the file',
  CLOSE: '}}',
  SEP: "'.' or '/'",
  OPEN_ENDBLOCK: 'the end of a block that was not opened',
  INVERSE: '{{else}} outside a block',
  INVALID: 'a character that means nothing here',
  EQUALS: "'='",
  OPEN: '{{',
  NUMBER: 'number (an item of a list is written list.[0])',
}

function told(token: string | null, expected: readonly string[], message: string): string {
  if (token === null) return message.split('\n')[0] ?? message
  const unclosed = token === 'EOF' && expected.some(name => name.includes('OPEN_ENDBLOCK'))
  if (unclosed) return 'a block is not closed: {{/if}}, {{/each}} or the like is missing'
  if (token === 'SEP') return "unexpected '.' or '/': write {{Values.x}}, not {{.Values.x}}"
  return `unexpected ${tokens[token] ?? token.toLowerCase().replaceAll('_', ' ')}`
}

function parsed(source: string, file: string): Node {
  if (typeof source !== 'string') throw new TypeError('templates are text')
  try {
    return object(base.parse(source))
  } catch (cause) {
    throw syntaxFault(cause, source, file)
  }
}

function syntaxFault(cause: unknown, source: string, file: string): unknown {
  if (!(cause instanceof Error)) return cause
  if (cause instanceof RangeError)
    return faultAt(
      'TemplateError',
      { file, line: 1, column: 0 },
      'blocks or brackets are nested too deeply',
      source,
      hidden(source, file),
    )
  if (cause instanceof SyntaxFault)
    return faultAt('TemplateError', { file, ...cause.spot }, cause.message, source, hidden(source, file))
  const { lineNumber, column } = cause as { lineNumber?: number; column?: number }
  const place = { file, line: lineNumber ?? 1, column: column === undefined ? 0 : column + 1 }
  return faultAt('TemplateError', place, cause.message.replace(/ - \d+:\d+$/, ''), source, hidden(source, file))
}

/** A text given to `tpl` comes from values: only its tags are shown. */
export function hidden(source: string, file: string): 'texts' | 'nothing' {
  return holdsSecrets(source) || file.endsWith('(tpl)') ? 'texts' : 'nothing'
}

function object(node: unknown): Node {
  return typeof node === 'object' && node !== null ? (node as Node) : {}
}

function nodes(list: unknown): Node[] {
  return Array.isArray(list) ? list.map(object) : []
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

const blocks = ['if', 'unless', 'with', 'each'] as const

class Reader {
  readonly #source: string
  readonly #file: string
  /** Of lines, by number from 0. */
  #starts: readonly number[] | null = null
  readonly #counts = new Map<string, number>()
  constructor(source: string, file: string) {
    this.#source = source
    this.#file = file
  }

  program(node: Node): Program {
    const params = Array.isArray(node.blockParams) ? node.blockParams.map(text) : []
    const body = nodes(node.body)
    return {
      body: body.flatMap((statement, at) => this.#statement(statement, isOwnLine(statement, body[at + 1]))),
      blockParams: params,
    }
  }

  #statement(node: Node, ownLine: boolean): Statement[] {
    const spot = spotOf(node)
    switch (node.type) {
      case 'ContentStatement':
        return [{ type: 'content', text: text(node.value), spot: contentSpot(node) }]
      case 'CommentStatement':
        return []
      case 'MustacheStatement':
        return [{ type: 'print', call: this.#call(node, true), spot: spotOf(object(node.path)) }]
      case 'BlockStatement':
        return [this.#block(node, spot)]
      case 'PartialStatement':
      case 'PartialBlockStatement':
        return [this.#partial(node, spot, ownLine)]
      case 'Decorator':
      case 'DecoratorBlock':
        throw this.#fault('decorators ({{* ...}}) are not supported; write a partial file _name.hbs', spot)
      default:
        throw this.#fault(`${text(node.type) || 'this'} is not supported`, spot)
    }
  }

  #block(node: Node, spot: Spot): Block {
    const written = text(object(node.path).original)
    const name = blocks.find(block => block === written)
    if (name === undefined) throw this.#fault(`unknown block ${written}; there are if, unless, with and each`, spot)
    const params = nodes(node.params)
    const subject = params[0]
    if (subject === undefined || params.length > 1)
      throw this.#fault(
        `{{#${name}}} wants one value, got ${params.length}${params.length > 1 ? '; put a call into (brackets)' : ''}`,
        spot,
      )
    if (nodes(object(node.hash).pairs).length > 0) throw this.#fault(`{{#${name}}} takes no named values`, spot)
    const empty: Program = { body: [], blockParams: [] }
    return {
      type: 'block',
      name,
      subject: this.#expression(subject),
      program: node.program ? this.program(object(node.program)) : empty,
      inverse: node.inverse ? this.program(object(node.inverse)) : empty,
      spot,
    }
  }

  #partial(node: Node, spot: Spot, ownLine: boolean): Partial {
    const params = nodes(node.params)
    if (params.length > 1) throw this.#fault('a partial takes one context, then name=value pairs', spot)
    const name = object(node.name)
    return {
      type: 'partial',
      name: name.type === 'SubExpression' ? this.#expression(name) : String(name.original ?? ''),
      context: params[0] === undefined ? null : this.#expression(params[0]),
      named: this.#named(node),
      indent: text(node.indent),
      ownLine,
      block: node.type === 'PartialBlockStatement' ? this.program(object(node.program)) : null,
      words: this.#words(node, `> ${[name, ...params].map(each => this.#written(each)).join(' ')}`),
      spot,
    }
  }

  #named(node: Node): Named {
    return nodes(object(node.hash).pairs).map(pair => ({ key: text(pair.key), value: this.#expression(object(pair.value)) }))
  }

  #expression(node: Node): Expression {
    const spot = spotOf(node)
    switch (node.type) {
      case 'PathExpression':
        return this.#path(node)
      case 'SubExpression':
        return this.#call(node, false)
      case 'StringLiteral':
        return { type: 'literal', value: text(node.value), spot }
      case 'NumberLiteral':
        return { type: 'literal', value: this.#number(node), spot }
      case 'BooleanLiteral':
        return { type: 'literal', value: node.value === true, spot }
      case 'NullLiteral':
      case 'UndefinedLiteral':
        return { type: 'literal', value: null, spot }
      default:
        throw this.#fault(`${text(node.type) || 'this'} is not supported here`, spot)
    }
  }

  /** From the text, because the parser has already rounded it. Whole numbers are Go's integers, as in Helm's language. */
  #number(node: Node): Value {
    const value = Number(node.value)
    const written = this.#written(node)
    if (!Number.isInteger(value) || !/^-?\d+$/.test(written)) return value
    return int(BigInt(written))
  }

  /** A node's own text. */
  #written(node: Node): string {
    const { start, end } = object(node.loc) as { readonly start: unknown; readonly end: unknown }
    return this.#source.slice(this.#offset(object(start)), this.#offset(object(end))).replace(/\s+/g, ' ')
  }

  #offset(position: Node): number {
    this.#starts ??= startsOf(this.#source)
    return (this.#starts[Number(position.line) - 1] ?? 0) + Number(position.column)
  }

  #words(node: Node, code: string): Words {
    const at = this.#offset(object(object(node.loc).start))
    const label = keyBefore(this.#source.slice(this.#source.lastIndexOf('\n', at - 1) + 1, at))
    const words = `${label}: ${code}`
    const nth = this.#counts.get(words) ?? 0
    this.#counts.set(words, nth + 1)
    return { code, label, nth }
  }

  /** `{{x}}` alone is a value, unless a function has that name; `{{x y}}` and `(x)` call. */
  #call(node: Node, canPrint: boolean): Expression {
    const head = object(node.path)
    if (head.type !== 'PathExpression') return this.#expression(head)
    const path = this.#path(head)
    const params = nodes(node.params)
    const callable = !path.scoped && !path.data && path.up === 0
    const name = path.parts.join('.')
    const why = callable ? refused.get(name) : undefined
    if (why !== undefined) throw this.#fault(`${name} ${why}`, path.spot)
    const words = this.#words(node, [head, ...params].map(each => this.#written(each)).join(' '))
    const args = params.map(param => this.#expression(param))
    const named = this.#named(node)
    if (callable && arity(name) !== undefined) return this.#checked({ type: 'call', name, args, named, words, spot: path.spot })
    if (canPrint && args.length === 0 && named.length === 0) return path
    throw this.#fault(`unknown function ${path.text}${suggestion(path.text)}`, path.spot)
  }

  #checked(call: CallExpression): Expression {
    const { least, most } = arity(call.name) ?? { least: 0, most: 0 }
    const count = call.args.length
    if (call.named.length > 0 && call.name !== 'dict')
      throw this.#fault(`${call.name} takes no named values; only dict and partials do`, call.spot)
    if (count >= least && count <= most) return call
    const wanted =
      least === most ? String(least) : most === Number.POSITIVE_INFINITY ? `at least ${least}` : `${least} to ${most}`
    const meant = count === 0 && !call.name.includes('.') ? `; a value of that name is written this.${call.name}` : ''
    throw this.#fault(`${call.name} wants ${wanted} argument${wanted === '1' ? '' : 's'}, got ${count}${meant}`, call.spot)
  }

  #path(node: Node): Path {
    const written = text(node.original)
    return {
      type: 'path',
      text: written,
      data: node.data === true,
      up: Number(node.depth),
      parts: Array.isArray(node.parts) ? node.parts.map(text) : [],
      scoped: /^(this\b|\.\/)/.test(written),
      spot: spotOf(node),
    }
  }

  #fault(what: string, spot: Spot): RenderFault {
    return faultAt('TemplateError', { file: this.#file, ...spot }, what, this.#source, hidden(this.#source, this.#file))
  }
}

function spotOf(node: Node): Spot {
  const start = object(object(node.loc).start)
  return { line: Number(start.line ?? 1), column: Number(start.column ?? 0) + 1 }
}

/** The text may have lost leading lines to whitespace control: its first line is counted from what is left. */
function contentSpot(node: Node): Spot {
  const spot = spotOf(node)
  const original = text(node.original)
  const value = text(node.value)
  const cut = original.indexOf(value)
  const skipped = cut > 0 ? original.slice(0, cut).split('\n').length - 1 : 0
  return { line: spot.line + skipped, column: skipped === 0 ? spot.column : 1 }
}

/** Has it a line to itself, whose end the parser has taken away? */
function isOwnLine(node: Node, next: Node | undefined): boolean {
  const stripped = next?.rightStripped === true && /^[ \t]*\r?\n/.test(text(next.original))
  return stripped && object(node.strip).close !== true && object(node.closeStrip).close !== true
}

function startsOf(source: string): number[] {
  const starts = [0]
  for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

function suggestion(name: string): string {
  const near = nearest(name, names())
  return near === null ? '' : ` (did you mean ${near}?)`
}
