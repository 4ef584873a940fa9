// The interpreter over the checked syntax tree: Helm's truth, sorted keys, nothing printed that is not there, every step metered.
import { faultAt, RenderFault } from '../fault.js'
import type { Call } from '../functions/signature.js'
import type { Caller, Loop, Rendering } from '../gotemplate/frame.js'
import type { CallPlace } from '../gotemplate/index.js'
import { sprint } from '../value/format.js'
import { sortedKeys } from '../value/keys.js'
import { withoutValues } from '../value/masked.js'
import { Bytes, CallError, type Dict, int, isDict, isList, isTrue, type ParamType, Struct, type Value } from '../value/value.js'
import { wordOf } from '../value/words.js'
import { workOn } from '../work.js'
import type { Block, CallExpression, Expression, Named, Partial, Path, Program, Spot, Statement, Words } from './ast.js'
import { coerced, plainText, Unfit, wholeNumbers } from './coerce.js'
import { functions, looksInside, printing, Refusal, rooted } from './functions.js'
import { itemOf, namesIn } from './item.js'
import { nearest } from './nearest.js'
import { Output } from './output.js'
import { hidden, parseTemplate, type Template } from './parse.js'

/** What all Handlebars templates of one chart share during a render. */
export interface World {
  readonly rendering: Rendering
  readonly call: Call
  /** The chart's own context: its values, files and cluster. */
  readonly root: Value
  /** A partial of this chart, or of another as `chart/name`. */
  partial(name: string): Template | undefined
  readonly partialNames: () => Iterable<string>
  /** What a template of the other language writes; undefined: there is none of that name. */
  foreign(name: string, context: Value): string | undefined
}

/** One level of `each` or `with`: what `this` is there, and what `@` and block parameters name. */
interface Scope {
  readonly context: Value
  readonly params: Params | null
  readonly data: Data | null
  /** Where `../` goes; null at the top of a template. */
  readonly up: Scope | null
}

interface Params {
  readonly values: Dict
  readonly outer: Params | null
}

/** `@index` and its kin of one `each`; what is not in it is looked up around it, also from inside partials. */
interface Data {
  readonly values: Dict
  readonly outer: Data | null
}

/** What stands between `{{#> name}}` and `{{/name}}`, with the run and the scope it was written in. */
interface PartialBlock {
  readonly run: Run
  readonly program: Program
  readonly scope: Scope
}

/** Evaluates a template with `context` as its `this` and `@root`. Throws `RenderFault` at the place. */
export function evaluate(template: Template, context: Value, world: World): Output {
  return within(world.rendering, template, () =>
    new Run(template, context, world, null).output(template.program, top(context, null)),
  )
}

function top(context: Value, data: Data | null): Scope {
  return { context, params: null, data, up: null }
}

/** How deep templates stand inside one another, in whichever language; and who called whom, for what is kept for a call. */
function within<T>(rendering: Rendering, template: Template, act: () => T): T {
  const { frame: caller, depth } = rendering
  try {
    rendering.meter.depth(++rendering.depth)
    rendering.frame = new Frame(template, caller)
    return act()
  } finally {
    rendering.frame = caller
    rendering.depth = depth
  }
}

/** A template that runs, as the sites of calls see it (gotemplate/site.ts). */
class Frame implements Caller {
  readonly caller: Caller | undefined
  readonly #template: Template
  words: Words = { code: '', label: '', nth: 0 }
  loop: Loop | undefined = undefined
  constructor(template: Template, caller: Caller | undefined) {
    this.#template = template
    this.caller = caller
  }

  place(): CallPlace {
    const { name } = this.#template
    return { file: name, template: name, ...this.words }
  }
}

class Run {
  readonly template: Template
  readonly #root: Value
  readonly #world: World
  /** What `@partial-block` is in this template. */
  readonly #block: PartialBlock | null
  readonly #frame: Frame | undefined
  #out = new Output()
  /** What is being done: a fault without a place gets this one. */
  #spot: Spot = { line: 1, column: 0 }

  constructor(template: Template, root: Value, world: World, block: PartialBlock | null) {
    this.template = template
    this.#root = root
    this.#world = world
    this.#block = block
    const { frame } = world.rendering
    this.#frame = frame instanceof Frame ? frame : undefined
  }

  output(program: Program, scope: Scope): Output {
    const outer = this.#out
    const out = new Output()
    this.#out = out
    try {
      this.#program(program, scope)
      return out
    } catch (cause) {
      throw this.#placed(cause)
    } finally {
      this.#out = outer
    }
  }

  #program(program: Program, scope: Scope): void {
    for (const statement of program.body) this.#statement(statement, scope)
  }

  #statement(statement: Statement, scope: Scope): void {
    this.#spot = statement.spot
    this.#world.rendering.meter.step()
    if (statement.type === 'content') this.#write(statement.text, statement.spot, true)
    else if (statement.type === 'print') this.#write(this.#printed(statement.call, scope), statement.spot, false)
    else if (statement.type === 'partial') this.#partial(statement, scope)
    else this.#section(statement, scope)
  }

  #write(text: string, spot: Spot, fixed: boolean): void {
    this.#world.rendering.meter.wrote(text.length)
    this.#out.write(text, spot.line, fixed)
  }

  #printed(expression: Expression, scope: Scope): string {
    const value = this.#value(expression, scope)
    if (typeof value === 'string') return value
    const { spot } = expression
    if (value === undefined)
      throw this.#fault(
        `undefined value ${expression.type === 'path' ? expression.text : ''}${this.#meant(expression, scope)}`,
        spot,
      )
    const text = value instanceof Struct ? structText(value) : plainText(value)
    if (text !== null) return text
    const how = value instanceof Bytes ? 'b64enc' : 'toYaml or toJson'
    const what = expression.type === 'path' ? expression.text : expression.type === 'call' ? expression.name : 'this'
    throw this.#fault(`${what} is a ${wordOf(value)}; print it with ${how}`, spot)
  }

  #section(block: Block, scope: Scope): void {
    const subject = this.#value(block.subject, scope) ?? null
    const holds = isTrue(subject) !== (block.name === 'unless')
    if (!holds) this.#program(block.inverse, scope)
    else if (block.name === 'each') this.#each(block, subject, scope)
    else if (block.name === 'with') this.#program(block.program, inner(scope, subject, bound(block.program, [subject])))
    else this.#program(block.program, scope)
  }

  #each(block: Block, subject: Value, scope: Scope): void {
    const entries = this.#entries(subject, block.subject.spot)
    const loop: Loop = { key: undefined, item: undefined, of: subject, outer: this.#frame?.loop }
    if (this.#frame !== undefined) this.#frame.loop = loop
    for (const [at, [key, item]] of entries.entries()) {
      this.#world.rendering.meter.step()
      loop.key = key
      loop.item = item
      const values: Dict = new Map<string, Value>([
        ['key', key],
        ['index', int(at)],
        ['first', at === 0],
        ['last', at === entries.length - 1],
      ])
      const level = inner(scope, item, bound(block.program, [item, key]))
      this.#program(block.program, { ...level, data: { values, outer: scope.data } })
    }
    if (this.#frame !== undefined) this.#frame.loop = loop.outer
  }

  #entries(subject: Value, spot: Spot): (readonly [Value, Value])[] {
    if (isList(subject)) return subject.map((item, at) => [int(at), item] as const)
    if (isDict(subject)) return sortedKeys(subject).map(key => [key, subject.get(key) ?? null] as const)
    const items = subject instanceof Struct ? subject.items() : undefined
    if (items !== undefined) return [...items]
    throw this.#fault(`each wants a list or a map, got ${wordOf(subject)}`, spot)
  }

  #partial(partial: Partial, scope: Scope): void {
    const name = typeof partial.name === 'string' ? partial.name : (plainText(this.#value(partial.name, scope) ?? null) ?? '')
    const context = this.#partialContext(partial, scope)
    this.#spot = partial.spot
    if (this.#frame !== undefined) this.#frame.words = partial.words
    const text = this.#partialText(name, partial, context, scope)
    this.#write(partial.indent === '' ? text : this.#indented(text, partial.indent), partial.spot, false)
  }

  /** Every line but an empty last one, as the package does it. */
  #indented(text: string, indent: string): string {
    const lines = text.split('\n')
    this.#world.rendering.meter.text(text.length + lines.length * indent.length)
    return lines.map((line, at) => (line === '' && at === lines.length - 1 ? line : indent + line)).join('\n')
  }

  #partialContext(partial: Partial, scope: Scope): Value {
    const context = partial.context === null ? scope.context : (this.#value(partial.context, scope) ?? null)
    const given = this.#hash(partial.named, scope)
    return given.size === 0 ? context : new Map([...(isDict(context) ? context : new Map<string, Value>()), ...given])
  }

  #partialText(name: string, partial: Partial, context: Value, scope: Scope): string {
    if (name === '@partial-block') return this.#blockText(context, scope, partial.spot)
    const block = partial.block === null ? null : { run: this, program: partial.block, scope }
    const template = this.#world.partial(name)
    if (template !== undefined) return this.#inside(template, context, this.#root, scope.data, block)
    const foreign = this.#world.foreign(name, context)
    // A `define` seldom ends its last line: the line of the call does.
    if (foreign !== undefined) return partial.ownLine && foreign !== '' && !foreign.endsWith('\n') ? `${foreign}\n` : foreign
    // What stands in the block is what is written where there is no such partial.
    if (block !== null) return this.output(block.program, context === scope.context ? scope : inner(scope, context, null)).text()
    throw this.#unknownPartial(name, partial.spot)
  }

  /** In the scope it was written in, with the context of the place that asks for it. */
  #blockText(context: Value, scope: Scope, spot: Spot): string {
    if (this.#block === null)
      throw this.#fault('@partial-block: this partial was called without a block ({{#> name}}...{{/name}})', spot)
    const { run, program, scope: written } = this.#block
    const level = context === written.context ? written : inner(written, context, null)
    const { meter } = this.#world.rendering
    meter.depth(++this.#world.rendering.depth)
    const text = run.output(program, { ...level, data: scope.data }).text()
    this.#world.rendering.depth--
    return text
  }

  #unknownPartial(name: string, spot: Spot): RenderFault {
    const near = nearest(name, this.#world.partialNames())
    const hint = near === null ? `; a partial is a file templates/_${name}.hbs` : ` (did you mean ${near}?)`
    return this.#fault(`unknown partial ${name}${hint}`, spot)
  }

  #inside(template: Template, context: Value, root: Value, data: Data | null, block: PartialBlock | null): string {
    const { rendering } = this.#world
    return within(rendering, template, () =>
      new Run(template, root, this.#world, block).output(template.program, top(context, data)).text(),
    )
  }

  /** undefined: a path that leads nowhere. A function never gives undefined. */
  #value(expression: Expression, scope: Scope): Value | undefined {
    this.#world.rendering.meter.step()
    if (expression.type === 'literal') return expression.value
    return expression.type === 'path' ? this.#lookup(expression, scope) : this.#call(expression, scope)
  }

  #call(call: CallExpression, scope: Scope): Value {
    const args: Value[] = []
    for (const arg of call.args) {
      const value = this.#value(arg, scope) ?? null
      args.push(value)
      if ((call.name === 'and' && !isTrue(value)) || (call.name === 'or' && isTrue(value))) return value
    }
    for (const [key, value] of this.#hash(call.named, scope)) args.push(key, value)
    this.#spot = call.spot
    if (this.#frame !== undefined) this.#frame.words = call.words
    try {
      return this.#called(call, args, scope)
    } catch (cause) {
      throw this.#callFault(call, args, cause)
    }
  }

  #called(call: CallExpression, args: readonly Value[], scope: Scope): Value {
    const { name } = call
    if (name === 'include')
      return this.#include(
        String(coerced(args[0] ?? null, 'string')),
        args.length < 2 ? scope.context : (args[1] ?? null),
        call.spot,
      )
    if (name === 'tpl') return this.#tpl(String(coerced(args[0] ?? null, 'string')), args[1] ?? null, call.spot)
    const fn = functions.get(name)
    if (fn === undefined) throw this.#fault(`unknown function ${name}`, call.spot)
    const taken = args.map((value, at) => argument(name, value, fn.params[at] ?? fn.variadic ?? 'any', at))
    taken.forEach(workOn)
    return rooted.get(name)?.run(taken, this.#world.root) ?? fn.run(taken, this.#world.call)
  }

  #include(name: string, context: Value, spot: Spot): string {
    const template = this.#world.partial(name)
    if (template !== undefined) return this.#inside(template, context, this.#root, null, null)
    const foreign = this.#world.foreign(name, context)
    if (foreign === undefined) throw this.#unknownPartial(name, spot)
    return foreign
  }

  #tpl(text: string, context: Value, spot: Spot): string {
    if (!text.includes('{{')) return text
    this.#world.rendering.meter.parsed()
    return this.#inside(parseTemplate(text, `${this.template.file}:${spot.line} (tpl)`, 'hbstpl'), context, context, null, null)
  }

  #hash(named: Named, scope: Scope): Dict {
    return new Map(named.map(pair => [pair.key, this.#value(pair.value, scope) ?? null] as const))
  }

  #lookup(path: Path, scope: Scope): Value | undefined {
    const start = this.#start(path, scope)
    let value = start?.value
    for (let at = start?.used ?? 0; at < path.parts.length && value !== undefined; at++)
      value = itemOf(value, path.parts[at] ?? '')
    return value
  }

  #start(path: Path, scope: Scope): { readonly value: Value | undefined; readonly used: number } | undefined {
    const [first = ''] = path.parts
    if (path.data) return { value: first === 'root' ? this.#root : dataOf(scope.data, first, path.up), used: 1 }
    if (!path.scoped && path.up === 0)
      for (let level = scope.params; level !== null; level = level.outer)
        if (level.values.has(first)) return { value: level.values.get(first), used: 1 }
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
      if (next === undefined || next === null) return this.#hint(expression, at, value, part)
      value = next
    }
    return ''
  }

  #hint(path: Path, at: number, value: Value | undefined, part: string): string {
    const near = nearest(part, namesIn(value))
    if (near !== null && near !== part)
      return ` (did you mean ${path.text.slice(0, path.text.length - path.parts.slice(at).join('.').length)}${[near, ...path.parts.slice(at + 1)].join('.')}?)`
    if (at === 0 && !path.data && itemOf(this.#root, part) !== undefined)
      return ` (inside each, with and partials, write @root.${path.text.replace(/^(\.\.\/)+/, '')})`
    return at > 0 && at < path.parts.length - 1 ? ` (there is no ${path.parts.slice(0, at + 1).join('.')})` : ''
  }

  /** What a function refused, with its name and place; what its author said with `fail`, alone. */
  #callFault(call: CallExpression, args: readonly Value[], cause: unknown): unknown {
    if (cause instanceof Refusal) return this.#fault(cause.message, call.spot)
    if (cause instanceof Unfit) return this.#fault(`${call.name} ${cause.message}`, call.spot)
    if (!(cause instanceof CallError)) return cause
    const absent = call.args.filter((arg, at) => arg.type === 'path' && args[at] === null).map(arg => (arg as Path).text)
    const hint = absent.length === 0 ? '' : ` (${absent.join(', ')} ${absent.length === 1 ? 'has' : 'have'} no value)`
    return this.#fault(`${call.name}: ${withoutValues(cause.message, args, this.template.source)}${hint}`, call.spot)
  }

  /** Gives a fault that has no place yet the place of what was being done. */
  #placed(cause: unknown): unknown {
    if (cause instanceof RangeError) return this.#fault('this goes too deep, or is longer than can be held', this.#spot)
    if (!(cause instanceof RenderFault) || cause.reason !== 'LimitExceeded' || cause.excerpt !== '') return cause
    const { source, file } = this.template
    return faultAt('LimitExceeded', { file, ...this.#spot }, cause.message, source, hidden(source, file))
  }

  #fault(what: string, spot: Spot): RenderFault {
    const { source, file } = this.template
    return faultAt('TemplateError', { file, ...spot }, what, source, hidden(source, file))
  }
}

function inner(scope: Scope, context: Value, values: Dict | null): Scope {
  const params = values === null ? scope.params : { values, outer: scope.params }
  return { context, params, data: scope.data, up: scope }
}

function bound(program: Program, values: readonly Value[]): Dict | null {
  const { blockParams } = program
  return blockParams.length === 0 ? null : new Map(blockParams.map((name, at) => [name, values[at] ?? null] as const))
}

/** As this function's parameter takes it. Throws `Unfit` with the whole sentence. */
function argument(name: string, value: Value, type: ParamType, at: number): Value {
  const refuse = (what: string): never => {
    throw new Unfit(`${what} as argument ${at + 1}, got ${wordOf(value)}`)
  }
  if (printing.has(name) && (isDict(value) || isList(value) || value instanceof Bytes)) return refuse('wants text')
  if (name === 'join' && isDict(value)) return refuse('wants a list')
  try {
    return looksInside(name) ? coerced(wholeNumbers(value), type) : coerced(value, type)
  } catch (cause) {
    if (!(cause instanceof Unfit)) throw cause
    return refuse(cause.message)
  }
}

/** `@index` of the nearest each; `@../index` of the one around it. */
function dataOf(data: Data | null, name: string, up: number): Value | undefined {
  let level = data
  for (let skip = up; skip > 0; skip--) level = level?.outer ?? null
  for (; level !== null; level = level.outer) if (level.values.has(name)) return level.values.get(name)
  return undefined
}

/** What has a text of its own in Go: a version, a time. */
function structText(value: Struct): string | null {
  return value.shown ?? (value.fields() === undefined && value.items() === undefined ? sprint(value) : null)
}
