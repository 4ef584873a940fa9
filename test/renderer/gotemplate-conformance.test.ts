// Go's own suites of text/template, as data: its tokens, its trees, what it writes and how it fails.
import t from 'tap'
import type { Call, GoFunction } from '../../renderer/functions/signature.js'
import { isBlank, nodeText } from '../../renderer/gotemplate/ast.js'
import { builtins, execute, Namespace, parse, Rendering } from '../../renderer/gotemplate/index.js'
import { Lexer } from '../../renderer/gotemplate/lexer.js'
import { readNumber } from '../../renderer/gotemplate/literal.js'
import { parseTrees } from '../../renderer/gotemplate/parser.js'
import { defaultLimits, Meter } from '../../renderer/limits.js'
import { println, sprint } from '../../renderer/value/format.js'
import { quoted } from '../../renderer/value/quote.js'
import { byteLength } from '../../renderer/value/text.js'
import { CallError, type Int, int, type ParamType, Struct, typed, typeOf, type Value } from '../../renderer/value/value.js'
import { conformance } from '../support/reference.js'
import { goValue, type Typed } from '../support/typed-values.js'

interface LexCase {
  readonly name: string
  readonly input: string
  readonly delims?: readonly [string, string]
  readonly items: readonly (readonly [string, string, number?, number?])[]
}

interface ParseCase {
  readonly name: string
  readonly source: string
  readonly input: string
  readonly templateName?: string
  readonly funcs?: readonly string[]
  readonly keepComments?: boolean
  readonly ok: boolean
  readonly error?: string
  readonly result?: string
  readonly empty?: boolean
  readonly templates?: Readonly<Record<string, string>>
  readonly number?: string
  readonly int64?: number | string
  readonly uint64?: number | string
  readonly float64?: number
  readonly complex128?: readonly [number, number]
}

interface ExecCase {
  readonly name: string
  readonly template: string
  readonly templateName?: string
  readonly definitions?: readonly string[]
  readonly definitionsAfter?: readonly string[]
  readonly delims?: readonly [string, string]
  readonly option?: string
  readonly execute?: string
  readonly data: Typed
  readonly output?: string
  readonly error?: string
  readonly errorContains?: string
}

const pointers = 'a pointer to a number or a text is what it points to: Helm hands out none'

/** Cases that run and must fail, each for its reason. */
const pins: Readonly<Record<string, string>> = {
  bug11: pointers,
  'eq .Ptr .NilPtr': pointers,
  'eq .Ptr 1': pointers,
  'eq .Ptr .NegOne': pointers,
  'max exec depth': 'our limit is lower than 100,000, and its error names the place',
}

t.test('texts are cut into the tokens that Go cuts them into', async t => {
  const cases = conformance<LexCase>('gotemplate/lex.json')
  if (cases === null) return t.pass('SKIPPED: ../shared/conformance is not here')
  t.equal(cases.length, 53)
  for (const one of cases) t.strictSame(tokensOf(one), one.items, one.name)
})

function tokensOf(one: LexCase): unknown[] {
  const lexer = new Lexer(one.input, { comments: true, ...(one.delims === undefined ? {} : { delimiters: one.delims }) })
  const placed = one.items.some(item => item.length > 2)
  const tokens: unknown[] = []
  for (;;) {
    const { type, text, at, line } = lexer.next()
    const shown = [type, type === 'EOF' ? '' : text]
    tokens.push(placed ? [...shown, byteLength(one.input.slice(0, at)), line] : shown)
    if (type === 'EOF' || type === 'error') return tokens
  }
}

t.test('texts are parsed to the trees that Go parses them to', async t => {
  const cases = conformance<ParseCase>('gotemplate/parse.json')
  if (cases === null) return t.pass('SKIPPED: ../shared/conformance is not here')
  t.equal(cases.length, 211)
  for (const one of cases) t.match(one.number === undefined ? parsedOf(one) : numberOf(one.number), wantedOf(one), one.name)
})

/** What the case says of the result, and nothing else. */
function wantedOf(one: ParseCase): object {
  const { ok, error, result, empty, templates, int64, uint64, float64, complex128, number } = one
  if (number !== undefined) return ok ? { ok, int64, uint64, float64, complex128 } : { ok, error }
  const wanted = { ok, ...(error === undefined ? {} : { error }), ...(result === undefined ? {} : { result }) }
  return { ...wanted, ...(empty === undefined ? {} : { empty }), ...(templates === undefined ? {} : { templates }) }
}

function parsedOf(one: ParseCase): object {
  const name = one.source.includes('multi_test') ? 'root' : (one.templateName ?? one.name)
  const functions = new Set(one.funcs ?? ['printf', 'contains'])
  try {
    const trees = parseTrees({ name, text: one.input }, { functions, parentheses: 3, comments: one.keepComments === true })
    const main = trees.get(name)
    const templates = Object.fromEntries([...trees].filter(([key]) => key !== name).map(([key, list]) => [key, plainText(list)]))
    return main === undefined ? {} : { ok: true, result: nodeText(main), empty: isBlank(main), templates }
  } catch (error) {
    return { ok: false, error: (error as Error).message }
  }
}

function plainText(list: Parameters<typeof isBlank>[0]): string {
  return list.nodes.map(node => (node.kind === 'text' ? node.text : nodeText(node))).join('')
}

function numberOf(source: string): object {
  try {
    const type = source.startsWith("'") ? 'charconst' : /^.[^i]*[+-].*i$/.test(source) ? 'complex' : 'number'
    const { int, uint, float, complex } = readNumber(source, type)
    return { ok: true, int64: exact(int), uint64: exact(uint), float64: float, complex128: complex }
  } catch (error) {
    return { ok: false, error: (error as Error).message }
  }
}

function exact(value: bigint | undefined): number | string | undefined {
  return value === undefined ? undefined : value > 2n ** 53n ? String(value) : Number(value)
}

t.test('templates write what Go writes and fail as Go fails', async t => {
  const cases = conformance<ExecCase>('gotemplate/exec.json')
  if (cases === null) return t.pass('SKIPPED: ../shared/conformance is not here')
  t.equal(cases.length, 464)
  const named = (conformance('gotemplate/values.json') ?? {}) as unknown as { readonly [name: string]: Typed }
  for (const one of cases) {
    const pin = pins[one.name]
    const problem = execProblem(one, named)
    if (pin === undefined) t.equal(problem, '', one.name)
    else t.not(problem, '', `${one.name} (pinned: ${pin})`)
  }
})

/** '' where all is as it should be. */
function execProblem(one: ExecCase, named: { readonly [name: string]: Typed }): string {
  const got = executed(one, named)
  if (one.error !== undefined) return got.error === one.error ? '' : `wants the error ${one.error}, got ${JSON.stringify(got)}`
  if (one.errorContains !== undefined)
    return got.error?.includes(one.errorContains) ? '' : `wants an error with ${one.errorContains}, got ${JSON.stringify(got)}`
  return got.output === one.output ? '' : `wants ${JSON.stringify(one.output)}, got ${JSON.stringify(got)}`
}

interface Outcome {
  readonly output?: string
  readonly error?: string
}

function executed(one: ExecCase, named: { readonly [name: string]: Typed }): Outcome {
  const name = one.templateName ?? one.name
  const templates = new Namespace()
  const functions = new Map([...builtins, ...testFunctions])
  try {
    for (const text of one.definitions ?? []) templates.add(parse('definitions', text, functions))
    const main = parse(name, one.template, functions, one.delims)
    templates.add(main)
    for (const text of one.definitionsAfter ?? []) templates.add(parse('definitions', text, functions))
    const template = one.execute === undefined ? main.main : templates.find(one.execute)
    if (template === undefined) return { error: `no template ${one.execute}` }
    const missing = (one.option?.replace('missingkey=', '') ?? 'default') as 'default' | 'zero' | 'error'
    const rendering = new Rendering(new Meter(defaultLimits), missing)
    return {
      output: execute(templates, template, goValue(one.data, named) ?? undefined, { meter: rendering.meter } as Call, rendering),
    }
  } catch (error) {
    return { error: (error as Error).message }
  }
}

/** What the suite's own functions do, by their table's description. */
const testFunctions: ReadonlyMap<string, GoFunction> = new Map(
  [
    fn('add', [], args => int(args.reduce((sum: bigint, arg) => sum + (arg as Int).value, 0n)), 'int'),
    fn('count', ['int'], ([n]) => new Sequence(Number((n as Int).value))),
    fn('dddArg', ['int'], args => println(args), 'string'),
    fn('die', [], () => panic('die')),
    fn('doPanic', [], () => panic('custom panic string')),
    fn('echo', ['any'], ([arg]) => arg ?? null),
    fn('makemap', [], args => typed(new Map(pairs(args)), 'map[string]string'), 'string'),
    fn('mapOfThree', [], () => typed(new Map([['three', int(3)]]), 'map[string]int')),
    fn('oneArg', ['string'], ([text]) => `oneArg=${text as string}`),
    fn('returnInt', [], () => int(7)),
    fn('twoArgs', ['string', 'string'], ([a, b]) => `twoArgs=${a as string}${b as string}`),
    fn('typeOf', ['any'], ([arg]) => typeOf(arg as Value)),
    fn('valueString', ['string'], ([text]) => text as string),
    fn('zeroArgs', [], () => 'zeroArgs'),
  ].map(one => [one.name, one]),
)

function fn(name: string, params: readonly ParamType[], run: GoFunction['run'], variadic?: ParamType): GoFunction {
  return variadic === undefined ? { name, params, run } : { name, params, variadic, run }
}

function panic(message: string): never {
  throw new CallError(message)
}

function pairs(args: readonly Value[]): [string, Value][] {
  return args.flatMap((key, at): [string, Value][] => (at % 2 === 0 ? [[sprint(key), args[at + 1] ?? null]] : []))
}

/** A channel that gives "a", "b" and so on. */
class Sequence extends Struct {
  readonly type = 'chan string'
  readonly kind = 'chan'
  readonly #count: number
  constructor(count: number) {
    super()
    this.#count = count
  }
  override items(): [Value, Value][] {
    return Array.from({ length: this.#count }, (_, at) => [int(at), String.fromCharCode(97 + at)])
  }
  print(): string {
    return quoted('chan')
  }
}
