// Asks Go's text/template and ours the same, and says where they differ.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { RenderFault } from '../../../renderer/fault.js'
import type { Call, GoFunction } from '../../../renderer/functions/signature.js'
import { builtins, ExecError, execute, Namespace, ParseError, parse, Rendering } from '../../../renderer/gotemplate/index.js'
import { defaultLimits, Meter } from '../../../renderer/limits.js'
import { print, sprint } from '../../../renderer/value/format.js'
import {
  Bytes,
  CallError,
  type Dict,
  goMethods,
  Int,
  type IntType,
  int,
  isNil,
  type List,
  type Method,
  nilDict,
  type ParamType,
  Struct,
  typed,
  type Value,
} from '../../../renderer/value/value.js'
import type { Case } from './generate.js'

export interface Answer {
  readonly out?: string
  readonly err?: string
}

/** Answers in the order of the cases. `program`: the compiled Go program. */
export async function askGo(program: string, cases: readonly Case[]): Promise<readonly Answer[]> {
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] })
  const answers: Answer[] = []
  const read = (async () => {
    for await (const line of createInterface({ input: child.stdout })) answers.push(JSON.parse(line) as Answer)
  })()
  for (const each of cases)
    if (!child.stdin.write(JSON.stringify(each) + '\n')) await new Promise(resolve => child.stdin.once('drain', resolve))
  child.stdin.end()
  await read
  return answers
}

export function askOurs(one: Case): Answer {
  try {
    const templates = new Namespace()
    one.texts.forEach((text, at) => {
      const last = at === one.texts.length - 1
      templates.add(parse(last ? one.name : `${one.name}-${at}`, text, functions))
    })
    const main = templates.find(one.name)
    if (main === undefined) return { err: 'no main' }
    const rendering = new Rendering(new Meter({ ...defaultLimits, steps: 200_000 }), one.missing)
    const dot = goValue(one.data) ?? undefined
    return { out: clean(execute(templates, main, dot, { meter: rendering.meter } as Call, rendering)) }
  } catch (error) {
    if (error instanceof ParseError || error instanceof ExecError) return { err: clean(error.message) }
    if (error instanceof RenderFault) return { err: `limit: ${error.message}` }
    return { err: `defect: ${(error as Error).stack}` }
  }
}

/** What a type with a String method is inside, and what a map's type was before a function took it: neither is modelled. */
const inside = /main\.(Printed|Thing|Named)(=|%3D)/

/** undefined: they agree. A limit is ours alone; an address means nothing. */
export function difference(go: Answer, ours: Answer): string | undefined {
  if (
    ours.err?.startsWith('limit: ') ||
    go.err === 'too long' ||
    inside.test(JSON.stringify(ours)) ||
    go.err?.includes("range can't iterate over {thing") ||
    /0x[0-9a-f]{9,}/.test(`${go.out}${go.err}`)
  )
    return undefined
  if ((go.out ?? '') === (ours.out ?? '') && (go.err ?? '') === (ours.err ?? '')) return undefined
  const [theirs, own] = [JSON.stringify(go), JSON.stringify(ours)]
  const at = Math.max(0, theirs.split('').findIndex((unit, index) => unit !== own[index]) - 100)
  return `go:   ${theirs.slice(at, at + 400)}\nours: ${own.slice(at, at + 400)}`
}

/** As Go's encoder of JSON writes what is not UTF-8. */
function clean(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd')
}

/** As main.go reads it. */
export function goValue(json: unknown): Value {
  if (json === null || typeof json === 'boolean' || typeof json === 'string' || typeof json === 'number') return json
  if (Array.isArray(json)) return json.map(goValue)
  const object = json as { readonly [key: string]: unknown }
  if (typeof object.$ !== 'string') return tableOf(object)
  return ofTag(object.$, object.v)
}

function tableOf(object: object): Dict {
  return new Map(Object.entries(object).map(([key, item]) => [key, goValue(item)]))
}

function ofTag(tag: string, value: unknown): Value {
  switch (tag) {
    case 'bytes':
      return new Bytes(Buffer.from(value as string))
    case 'strings':
      return typed([...(value as string[])], '[]string')
    case 'map[string]string':
      return typed(new Map(Object.entries(value as Record<string, string>)), tag)
    case 'named':
      return named(tableOf(value as object))
    case 'pair':
      return new Pair(goValue(value))
    case 'printed':
      return new Printed(value as string)
    case 'thing':
      return new Thing(tableOf(value as object))
    default:
      return int(value as number, tag as IntType)
  }
}

function named(dict: Dict): Dict {
  dict[goMethods] = name => (name === 'AsMap' ? method([], () => new Map(dict)) : undefined)
  return typed(dict, 'main.Named')
}

class Printed extends Struct {
  readonly type = 'main.Printed'
  readonly kind = 'struct'
  readonly #text: string
  constructor(text: string) {
    super()
    this.#text = text
  }
  override isEqual(other: Value): boolean {
    return other instanceof Printed && other.#text === this.#text
  }
  print(): string {
    return this.#text
  }
}

class Pair extends Struct {
  readonly type = 'main.Pair'
  readonly kind = 'struct'
  readonly #a: Value
  constructor(a: Value) {
    super()
    this.#a = a
  }
  override field(name: string): Value | undefined {
    return new Map(this.fields()).get(name)
  }
  override fields(): [string, Value][] {
    return [
      ['A', this.#a],
      ['B', int(2)],
    ]
  }
  override isEqual(other: Value): boolean {
    return other instanceof Pair && other.#a === this.#a
  }
  print(): string {
    return sprint(this)
  }
}

class Thing extends Struct {
  readonly type = '*main.Thing'
  readonly kind = 'ptr'
  readonly #fields: Dict
  readonly #methods: ReadonlyMap<string, Method>
  constructor(rest: Dict) {
    super()
    this.#fields = new Map<string, Value>([
      ['Name', 'thing'],
      ['Count', int(3)],
      ['Rest', rest],
      ['Any', rest.get('any') ?? null],
    ])
    this.#methods = new Map([
      ['Hello', method([], () => 'hello thing')],
      ['Plus', method(['int'], ([n]) => int(3n + (n as Int).value))],
      ['Join', method(['string'], ([by, ...of]) => of.join(by as string), 'string')],
      ['Same', method(['any'], ([value]) => value ?? null)],
      ['Fail', method([], () => fail('failed as asked'))],
    ])
  }
  override field(name: string): Value | undefined {
    return this.#fields.get(name)
  }
  override method(name: string): Method | undefined {
    return this.#methods.get(name)
  }
  print(): string {
    return 'a thing'
  }
}

function method(params: readonly ParamType[], run: Method['run'], variadic?: ParamType): Method {
  return variadic === undefined ? { params, run } : { params, variadic, run }
}

function fail(message: string): never {
  throw new CallError(message)
}

function fn(name: string, params: readonly ParamType[], run: GoFunction['run'], variadic?: ParamType): GoFunction {
  return variadic === undefined ? { name, params, run } : { name, params, variadic, run }
}

function twice(value: Value, type: IntType): Int {
  return new Int(type, BigInt.asIntN(64, (value as Int).value * 2n))
}

function dictOf(args: readonly Value[]): Dict {
  const pairs = args.flatMap((key, at): [string, Value][] =>
    at % 2 === 0 && at + 1 < args.length ? [[sprint(key), args[at + 1] as Value]] : [],
  )
  return new Map(pairs)
}

/** As main.go has them. */
export const functions: ReadonlyMap<string, GoFunction> = new Map(
  [
    ...builtins.values(),
    fn('text', ['string'], ([s]) => `<${s as string}>`),
    fn('number', ['int'], ([n]) => twice(n as Value, 'int')),
    fn('long', ['int64'], ([n]) => twice(n as Value, 'int64')),
    fn('float', ['float64'], ([f]) => (f as number) / 2),
    fn('flag', ['bool'], ([b]) => !(b as boolean)),
    fn('table', ['map'], ([m]) => int((m as Dict).size)),
    fn('items', ['list'], ([l]) => int((l as List).length)),
    fn('words', ['strings'], ([l]) => (l as string[]).join('+')),
    fn('any', ['any'], ([v]) => v ?? null),
    fn('texts', [], args => args.join('|'), 'string'),
    fn('both', ['string'], ([s, ...rest]) => (s as string) + print(rest), 'any'),
    fn('three', ['any', 'string', 'int'], args => print(args)),
    fn('none', [], () => null),
    fn('noMap', [], () => nilDict()),
    fn('list', [], args => [...args], 'any'),
    fn('split', ['string'], ([s]) => typed((s as string).split(','), '[]string')),
    fn('fails', ['string'], ([s]) => fail(`fails: ${s as string}`)),
    fn('panics', [], () => fail('panicked')),
    fn('dict', [], dictOf, 'any'),
    fn('set', ['map', 'string', 'string'], ([m, k, v]) =>
      isNil(m as Value) ? fail('assignment to entry in nil map') : (m as Dict).set(k as string, v as Value),
    ),
  ].map(one => [one.name, one]),
)
