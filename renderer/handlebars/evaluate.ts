// The interpreter over the checked syntax tree: Helm's truth, sorted keys, nothing printed that is not there, every step metered.
import { faultAt, RenderFault } from '../fault.js'
import { type Call, FunctionFault } from '../functions/function.js'
import { functions } from '../functions/table.js'
import type { Meter } from '../limits.js'
import { Bytes, type Dict, isDict, isList, isTrue, kindOf, sortedKeys, textOf, type Value } from '../value.js'
import type { Expression, Named, Path, Program, Spot, Statement } from './ast.js'
import { Output } from './output.js'
import { hidden, nearest, parseTemplate, type Template } from './parse.js'

/** What all templates of one render share. */
export interface World {
  readonly meter: Meter
  /** By the name that `{{> name}}` and `include` use. */
  readonly partials: ReadonlyMap<string, Template>
  readonly file: (path: string) => Uint8Array | null
  readonly filePaths: readonly string[]
}

/** One level of `each` or `with`: what `this` is there, and what `@` and block parameters name. */
interface Scope {
  readonly context: Value
  readonly params: Dict
  readonly data: Dict
  /** Where block parameters and `@` of an enclosing level are looked up. */
  readonly outer: Scope | null
  /** Where `../` goes; null at the top of a template. */
  readonly up: Scope | null
}

const none: Dict = new Map()

/** Evaluates a template with `root` as its context. Throws `RenderFault` at the place. */
export function evaluate(template: Template, root: Dict, world: World): Output {
  const scope: Scope = { context: root, params: none, data: none, outer: null, up: null }
  return new Run(template, root, world, 0).output(scope)
}

class Run {
  readonly #template: Template
  readonly #root: Value
  readonly #world: World
  readonly #depth: number
  readonly #out = new Output()

  constructor(template: Template, root: Value, world: World, depth: number) {
    this.#template = template
    this.#root = root
    this.#world = world
    this.#depth = depth
  }

  output(scope: Scope): Output {
    this.#program(this.#template.program, scope)
    return this.#out
  }

  #program(program: Program, scope: Scope): void {
    for (const statement of program.body) this.#at(statement.spot, () => this.#statement(statement, scope))
  }

  #statement(statement: Statement, scope: Scope): void {
    this.#world.meter.step()
    if (statement.type === 'content') this.#write(statement.text, statement.spot, true)
    else if (statement.type === 'print') this.#write(this.#printed(statement.call, scope), statement.spot, false)
    else if (statement.type === 'partial') this.#partial(statement, scope)
    else this.#block(statement, scope)
  }

  #write(text: string, spot: Spot, fixed: boolean): void {
    this.#world.meter.wrote(text.length)
    this.#out.write(text, spot.line, fixed)
  }

  #printed(expression: Expression, scope: Scope): string {
    const value = this.#value(expression, scope)
    if (value === undefined)
      throw this.#fault(
        `undefined value ${expression.type === 'path' ? expression.text : ''}${this.#meant(expression, scope)}`,
        expression.spot,
      )
    const text = textOf(value)
    if (text !== null) return text
    const how = value instanceof Bytes ? 'b64enc' : 'toYaml or toJson'
    throw this.#fault(
      `${expression.type === 'path' ? expression.text : expression.type === 'call' ? expression.name : 'this'} is a ${kindOf(value)}; print it with ${how}`,
      expression.spot,
    )
  }

  #block(block: Extract<Statement, { type: 'block' }>, scope: Scope): void {
    const subject = this.#value(block.subject, scope) ?? null
    const holds = isTrue(subject) !== (block.name === 'unless')
    if (!holds) this.#program(block.inverse, scope)
    else if (block.name === 'each') this.#each(block, subject, scope)
    else if (block.name === 'with') this.#with(block.program, subject, scope)
    else this.#program(block.program, scope)
  }

  #with(program: Program, subject: Value, scope: Scope): void {
    this.#program(program, {
      context: subject,
      params: bound(program.blockParams, [subject]),
      data: none,
      outer: scope,
      up: scope,
    })
  }

  #each(block: Extract<Statement, { type: 'block' }>, subject: Value, scope: Scope): void {
    const entries = this.#entries(subject, block.subject.spot)
    for (const [at, [key, item]] of entries.entries()) {
      const data: Dict = new Map<string, Value>([
        ['key', key],
        ['index', at],
        ['first', at === 0],
        ['last', at === entries.length - 1],
      ])
      this.#world.meter.step()
      this.#program(block.program, {
        context: item,
        params: bound(block.program.blockParams, [item, key]),
        data,
        outer: scope,
        up: scope,
      })
    }
  }

  #entries(subject: Value, spot: Spot): (readonly [Value, Value])[] {
    if (isList(subject)) return subject.map((item, at) => [at, item] as const)
    if (isDict(subject)) return sortedKeys(subject).map(key => [key, subject.get(key) ?? null] as const)
    throw this.#fault(`each wants a list or a map, got ${kindOf(subject)}`, spot)
  }

  #partial(partial: Extract<Statement, { type: 'partial' }>, scope: Scope): void {
    const name = typeof partial.name === 'string' ? partial.name : (textOf(this.#value(partial.name, scope) ?? null) ?? '')
    const template = this.#named(name, partial.spot)
    const context = partial.context === null ? scope.context : (this.#value(partial.context, scope) ?? null)
    const given = this.#hash(partial.named, scope)
    const inner = given.size === 0 ? context : new Map([...(isDict(context) ? context : none), ...given])
    const text = this.#inside(template, inner, this.#root).text()
    this.#write(partial.indent === '' ? text : indentedLines(text, partial.indent), partial.spot, false)
  }

  #named(name: string, spot: Spot): Template {
    const template = this.#world.partials.get(name)
    if (template !== undefined) return template
    const near = nearest(name, this.#world.partials.keys())
    const hint = near === null ? `; a partial is a file templates/_${name}.hbs` : ` (did you mean ${near}?)`
    throw this.#fault(`unknown partial ${name}${hint}`, spot)
  }

  #inside(template: Template, context: Value, root: Value): Output {
    this.#world.meter.depth(this.#depth + 1)
    return new Run(template, root, this.#world, this.#depth + 1).output({
      context,
      params: none,
      data: none,
      outer: null,
      up: null,
    })
  }

  /** undefined: a path that leads nowhere. A function never gives undefined. */
  #value(expression: Expression, scope: Scope): Value | undefined {
    this.#world.meter.step()
    if (expression.type === 'literal') return expression.value
    return expression.type === 'path' ? this.#lookup(expression, scope) : this.#call(expression, scope)
  }

  #call(call: Extract<Expression, { type: 'call' }>, scope: Scope): Value {
    const entry = functions.get(call.name)
    if (entry === undefined) throw this.#fault(`unknown function ${call.name}`, call.spot)
    const args: Value[] = []
    for (const arg of call.args) {
      args.push(this.#value(arg, scope) ?? null)
      if (decided(call.name, args.at(-1) ?? null)) break
    }
    const named = this.#hash(call.named, scope)
    return this.#at(call.spot, () => entry.run(args, this.#callOf(call.name, call.spot), named), call.name)
  }

  #hash(named: Named, scope: Scope): Dict {
    return named.length === 0 ? none : new Map(named.map(pair => [pair.key, this.#value(pair.value, scope) ?? null] as const))
  }

  #callOf(name: string, spot: Spot): Call {
    const { meter, file, filePaths } = this.#world
    return {
      meter,
      file,
      filePaths,
      include: (partial, context) => this.#inside(this.#named(partial, spot), context, this.#root).text(),
      evaluate: (text, context) => this.#evaluated(text, context, `${this.#template.file}:${spot.line} (${name})`),
    }
  }

  #evaluated(text: string, context: Value, file: string): string {
    if (!text.includes('{{')) return text
    this.#world.meter.parsed()
    return this.#inside(parseTemplate(text, file), context, context).text()
  }

  #lookup(path: Path, scope: Scope): Value | undefined {
    const start = this.#start(path, scope)
    if (start === undefined) return undefined
    let value: Value | undefined = start.value
    for (const part of path.parts.slice(start.used)) value = itemOf(value, part)
    return value
  }

  #start(path: Path, scope: Scope): { readonly value: Value | undefined; readonly used: number } | undefined {
    const [first = ''] = path.parts
    if (path.data) return { value: first === 'root' ? this.#root : dataOf(scope, first, path.up), used: 1 }
    if (!path.scoped && path.up === 0)
      for (let level: Scope | null = scope; level !== null; level = level.outer)
        if (level.params.has(first)) return { value: level.params.get(first), used: 1 }
    let level: Scope | null = scope
    for (let up = 0; up < path.up; up++) level = level?.up ?? null
    return level === null ? undefined : { value: level.context, used: 0 }
  }

  /** ` (did you mean image.tag?)`, with the path as the writer began it. */
  #meant(expression: Expression, scope: Scope): string {
    if (expression.type !== 'path') return ''
    const start = this.#start(expression, scope)
    let value: Value | undefined = start?.value
    for (let at = start?.used ?? 0; at < expression.parts.length; at++) {
      const part = expression.parts[at] ?? ''
      const next = itemOf(value, part)
      if (next !== undefined && next !== null) {
        value = next
        continue
      }
      return this.#hint(expression, at, value, part)
    }
    return ''
  }

  #hint(path: Path, at: number, value: Value | undefined, part: string): string {
    const near = isDict(value) ? nearest(part, value.keys()) : null
    if (near !== null && near !== part)
      return ` (did you mean ${path.text.slice(0, path.text.length - path.parts.slice(at).join('.').length)}${[near, ...path.parts.slice(at + 1)].join('.')}?)`
    if (at === 0 && !path.data && itemOf(this.#root, part) !== undefined)
      return ` (inside each, with and partials, write @root.${path.text.replace(/^(\.\.\/)+/, '')})`
    return at > 0 && at < path.parts.length - 1 ? ` (there is no ${path.parts.slice(0, at + 1).join('.')})` : ''
  }

  /** Gives a fault that has no place yet the place of what was being done. */
  #at<T>(spot: Spot, act: () => T, name = ''): T {
    try {
      return act()
    } catch (cause) {
      if (cause instanceof FunctionFault)
        throw this.#fault(name === 'fail' || name === 'required' ? cause.message : `${name} ${cause.message}`, spot)
      if (cause instanceof RenderFault && cause.reason === 'LimitExceeded' && cause.excerpt === '')
        throw faultAt(
          'LimitExceeded',
          { file: this.#template.file, ...spot },
          cause.message,
          this.#template.source,
          hidden(this.#template.source),
        )
      if (cause instanceof RangeError) throw this.#fault('this goes too deep', spot)
      throw cause
    }
  }

  #fault(what: string, spot: Spot): RenderFault {
    return faultAt(
      'TemplateError',
      { file: this.#template.file, ...spot },
      what,
      this.#template.source,
      hidden(this.#template.source),
    )
  }
}

function decided(name: string, last: Value): boolean {
  return (name === 'and' && !isTrue(last)) || (name === 'or' && isTrue(last))
}

function bound(names: readonly string[], values: readonly Value[]): Dict {
  return names.length === 0 ? none : new Map(names.map((name, at) => [name, values[at] ?? null] as const))
}

/** `@index` of the nearest each; `@../index` of the one around it. */
function dataOf(scope: Scope, name: string, up: number): Value | undefined {
  let skip = up
  for (let level: Scope | null = scope; level !== null; level = level.outer) {
    if (!level.data.has(name)) continue
    if (skip-- === 0) return level.data.get(name)
  }
  return undefined
}

/** Never an object's own property: only what a map holds, or an item of a list by its number. */
function itemOf(value: Value | undefined, key: string): Value | undefined {
  if (isDict(value)) return value.get(key)
  if (isList(value) && /^\d+$/.test(key)) return value[Number(key)]
  return undefined
}

function indentedLines(text: string, indent: string): string {
  const lines = text.split('\n')
  return lines.map((line, at) => (line === '' && at === lines.length - 1 ? line : indent + line)).join('\n')
}
