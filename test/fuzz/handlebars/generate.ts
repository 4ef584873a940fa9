// Handlebars templates whose meaning is the same here and in the handlebars package: blocks, scopes, data, partials, white space.
// Left out is what differs on purpose: the truth of `{}`, the order of keys, missing values, helpers beyond the built-in ones, and literals
// that are printed (there `{{12}}` looks for a key of that name), and `../` out of a block whose `this` is the one above it.
import { type Chance, chanceOf } from '../chance.js'

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** Keys in order, none of them a number: both sides go through maps the same way then. */
export const values: { readonly [key: string]: Json } = {
  blank: '',
  deep: {
    inner: {
      list: [
        { id: 'p', tags: ['x', 'y'] },
        { id: 'q', tags: [] },
      ],
      name: 'in',
    },
    name: 'deep',
  },
  flag: true,
  html: `<a href="x">'&\`=</a>`,
  lines: 'one\ntwo',
  list: ['b', 'a', 'c'],
  map: { alpha: 1, beta: 'two', gamma: true },
  n: 42,
  name: 'web',
  none: null,
  off: false,
  pair: ['only', 7],
  real: 1.5,
}

export const partials: Readonly<Record<string, string>> = {
  line: 'line: {{this.name}}\n',
  lines: 'first\n  second {{@root.name}}\n{{#if extra}}\nextra {{extra}}\n{{/if}}\n',
  inline: '{{~@root.name~}}',
  wrap: '<\n{{> @partial-block}}\n>\n',
  tight: '[{{> @partial-block}}]',
  at: '({{#if @key}}{{@key}}{{/if}})',
}

interface Scope {
  /** What `this` is, and what is above. */
  readonly contexts: readonly Json[]
  /** All that `this` may be, here and above: the package counts no level where it stays the same. */
  readonly seen: readonly Json[]
  /** Block parameters that hold something to print. */
  readonly params: readonly string[]
  readonly inEach: number
  readonly depth: number
}

interface Reachable {
  readonly path: string
  readonly value: Json
}

export function makeTemplate(seed: number): string {
  return new Generator(chanceOf(seed)).program({ contexts: [values], seen: [values], params: [], inEach: 0, depth: 0 })
}

class Generator {
  readonly #chance: Chance
  #names = 0
  constructor(chance: Chance) {
    this.#chance = chance
  }

  program(scope: Scope): string {
    const parts = Array.from({ length: 1 + this.#below(4) }, () => this.#part(scope))
    // The package adds two numbers that stand beside each other, where nothing stands before them.
    return `.${parts.join('')}`
  }

  #below(count: number): number {
    return Math.floor(this.#chance() * count)
  }

  #one<T>(items: readonly T[]): T {
    return items[this.#below(items.length)] as T
  }

  #part(scope: Scope): string {
    const kind = this.#below(scope.depth > 3 ? 4 : 10)
    if (kind < 2) return this.#text()
    if (kind < 4) return this.#print(scope)
    if (kind === 4) return this.#one(['{{! a comment }}', '{{!-- {{x}} --}}', '\n{{! alone }}\n', '\\{{name}}', '{{~! tight ~}}'])
    if (kind < 7) return this.#block(scope)
    return kind === 7 ? this.#withBlock(scope) : this.#partial(scope)
  }

  #text(): string {
    return this.#one(['a', ' b ', '\n', 'x: y\n', '  ', '\n\n', '- ', '\t', 'é', '\n  key: ', '"q"'])
  }

  /** `{{`, with a tilde now and then. */
  #tag(inside: string, open = '{{'): string {
    const [left, right] = [this.#below(8) === 0 ? '~' : '', this.#below(8) === 0 ? '~' : '']
    return `${open}${left}${inside}${right}}}`
  }

  #print(scope: Scope): string {
    const path = this.#scalar(scope)
    const choice = this.#below(8)
    if (choice === 0) return `{{{${path}}}}`
    if (choice === 2) return this.#tag(this.#one(['lookup @root "name"', 'lookup @root.list 1', 'lookup @root.map "beta"']))
    return this.#tag(path)
  }

  #scalar(scope: Scope): string {
    const found = this.#reachable(scope).filter(({ value }) => typeof value !== 'object' || value === null)
    const names = [...found.map(({ path }) => path), ...scope.params]
    if (scope.inEach > 0) names.push('@index', '@first', '@last', '@key')
    if (scope.inEach > 1) names.push('@../index', '@../key')
    return this.#one(names)
  }

  /** Paths that lead somewhere, from this, from above and from the root. */
  #reachable(scope: Scope): Reachable[] {
    const found: Reachable[] = under('@root', values)
    for (const [up, context] of scope.contexts.entries()) {
      const prefix = '../'.repeat(up)
      if (typeof context !== 'object' || context === null)
        found.push({ path: up === 0 ? this.#one(['this', '.']) : `${prefix}this`, value: context })
      else if (isArray(context)) found.push(...context.map((value, at) => ({ path: `${prefix}this.[${at}]`, value })))
      else found.push(...under(`${prefix}this`, context).map(({ path, value }) => ({ path: this.#shorter(path, up), value })))
    }
    return found
  }

  /** `this.name` and `../this.name` are `name` and `../name` too. */
  #shorter(path: string, up: number): string {
    return this.#below(2) === 0 || path === `${'../'.repeat(up)}this` ? path : path.replace('this.', '')
  }

  #block(scope: Scope): string {
    const subject = this.#one(this.#reachable(scope).filter(({ value }) => value !== 0))
    const inner = { ...scope, depth: scope.depth + 1 }
    const body = this.program(inner)
    const otherwise = this.#below(2) === 0 ? '' : this.#otherwise(inner)
    const own = this.#below(3) === 0 ? '\n' : ''
    const name = this.#one(['if', 'unless'])
    if (this.#below(6) === 0) return `${this.#tag(`^if ${subject.path}`)}${own}${body}${own}{{/if}}`
    return `${own}${this.#tag(`#${name} ${subject.path}`)}${own}${body}${otherwise}${own}${this.#tag(`/${name}`)}${own}`
  }

  #otherwise(scope: Scope): string {
    const chained =
      this.#below(3) === 0 ? `${this.#tag(`else if ${this.#one(this.#reachable(scope)).path}`)}${this.program(scope)}` : ''
    return `${chained}${this.#tag(this.#one(['else', '^']))}${this.program(scope)}`
  }

  /** `each` and `with`, whose inside has another context. */
  #withBlock(scope: Scope): string {
    const isEach = this.#below(2) === 0
    const all = this.#reachable(scope)
    const objects = all.filter(({ value }) => typeof value === 'object' && value !== null)
    const wanted = isEach || this.#below(3) > 0 ? objects : all.filter(({ value }) => value !== null && value !== '')
    const others = wanted.filter(({ value }) => !contextsOf(value, isEach).some(context => scope.seen.includes(context)))
    if (others.length === 0) return this.#text()
    const subject = this.#one(others)
    const context = isEach ? itemOf(subject.value) : subject.value
    const named = this.#below(3) === 0
    const [value, key] = [`v${this.#names++}`, `k${this.#names}`]
    const as = named ? ` as |${isEach ? `${value} ${key}` : value}|` : ''
    const params = named ? [...scope.params, ...(isEach ? [key] : []), ...(isScalar(context) ? [value] : [])] : scope.params
    const inner: Scope = {
      contexts: [context, ...scope.contexts],
      seen: [...scope.seen, ...contextsOf(subject.value, isEach)],
      params,
      inEach: scope.inEach + (isEach ? 1 : 0),
      depth: scope.depth + 1,
    }
    const own = this.#below(2) === 0 ? '\n' : ''
    const word = isEach ? 'each' : 'with'
    const otherwise = this.#below(3) === 0 ? `{{else}}${this.program({ ...scope, depth: scope.depth + 1 })}` : ''
    return `${this.#tag(`#${word} ${subject.path}${as}`)}${own}${this.program(inner)}${otherwise}${own}{{/${word}}}${own}`
  }

  #partial(scope: Scope): string {
    const context = this.#one(['', '', ' @root', ' @root.deep'])
    const hash = this.#one(['', '', ' extra="e"', ' extra=@root.n'])
    const indent = this.#one(['', '  ', '\n  ', '\n', '\n\t'])
    const end = this.#one(['', '\n'])
    const name = this.#one(['line @root', 'line @root.deep', 'lines', 'inline', 'at'])
    if (this.#below(3) > 0) return `${indent}${this.#tag(`> ${name}${name.includes(' ') ? '' : context}${hash}`)}${end}`
    const wrap = this.#one(['wrap', 'tight', 'nowhere'])
    // Inside of it `@../` goes one level less far in the package.
    const body = this.program({ ...scope, inEach: Math.min(scope.inEach, 1), depth: scope.depth + 1 })
    return `${indent}{{#> ${wrap}}}${end}${body}${end}{{/${wrap}}}${end}`
  }
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

function isScalar(value: Json): boolean {
  return typeof value !== 'object' || value === null
}

/** All paths below a map, maps among them. */
function under(path: string, value: Json): Reachable[] {
  if (typeof value !== 'object' || value === null || isArray(value)) return [{ path, value }]
  return Object.entries(value).flatMap(([key, item]) =>
    isScalar(item) || isArray(item)
      ? [{ path: `${path}.${key}`, value: item }]
      : [{ path: `${path}.${key}`, value: item }, ...under(`${path}.${key}`, item)],
  )
}

/** What `this` becomes, one after another. */
function contextsOf(value: Json, isEach: boolean): readonly Json[] {
  if (!isEach || typeof value !== 'object' || value === null) return [value]
  return isArray(value) ? value : Object.values(value)
}

/** What each item of a list or map has in common: all that may be asked of it. */
function itemOf(value: Json): Json {
  if (typeof value !== 'object' || value === null) return null
  const items = isArray(value) ? value : Object.values(value)
  const [first] = items
  return first !== undefined && items.every(item => typeof item === typeof first && isScalar(item) === isScalar(first))
    ? first
    : []
}
