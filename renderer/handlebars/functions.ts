// What Handlebars templates can call: the functions of both languages (functions/go.ts), and those whose Handlebars form is another.
import { goFunctions } from '../functions/go.js'
import { CallError, type GoFunction } from '../functions/signature.js'
import { deepCopy } from '../functions/sprig/copy.js'
import { builtins } from '../gotemplate/index.js'
import { lengthOf } from '../gotemplate/indexing.js'
import { deepEqual } from '../value/compare.js'
import { bytesOf, compareText } from '../value/text.js'
import { Bytes, goMethods, Int, int, isDict, isList, isTrue, type ParamType, Struct, type Value } from '../value/value.js'
import { wordOf } from '../value/words.js'
import { toYaml } from '../yaml/encode.js'
import { plainText, wholeNumbers } from './coerce.js'
import { itemOf } from './item.js'

/** Names that are known and not there, with what to do instead. */
export const refused: ReadonlyMap<string, string> = new Map([
  ...each('set unset', 'changes a map in place; in Handlebars build a new one with merge, omit or dict'),
  ...each('env expandenv getHostByName', 'would reach out of the chart, so it is not there'),
  ...each('now ago', 'tells the time, and the same commit must render the same, so it is not there'),
  ...each('call', 'is not there: a function is called by writing its name'),
])

function each(names: string, why: string): (readonly [string, string])[] {
  return names.split(' ').map(name => [name, why] as const)
}

function own(
  name: string,
  params: readonly (ParamType | `...${ParamType}`)[],
  run: (args: readonly Value[]) => Value,
): GoFunction {
  const last = params.at(-1)
  if (last === undefined || !last.startsWith('...')) return { name, params: params as readonly ParamType[], run }
  return { name, params: params.slice(0, -1) as readonly ParamType[], variadic: last.slice(3) as ParamType, run }
}

function arg(args: readonly Value[], at: number): Value {
  return args[at] ?? null
}

/** Numbers are one kind, whatever Go would make of them; lists and maps are equal where what is in them is. */
function isSame(a: Value, b: Value): boolean {
  const [x, y] = [numberOf(a), numberOf(b)]
  // biome-ignore lint/suspicious/noDoubleEquals: 3n and 3 are the same number
  if (x !== null && y !== null) return x == y
  return deepEqual(wholeNumbers(a), wholeNumbers(b))
}

function numberOf(value: Value): number | bigint | null {
  if (value instanceof Int) return value.value
  return typeof value === 'number' ? value : null
}

/** Below 0: `a` comes first. */
function order(args: readonly Value[]): number {
  const [a, b] = [arg(args, 0), arg(args, 1)]
  const [x, y] = [numberOf(a), numberOf(b)]
  if (x !== null && y !== null) return x < y ? -1 : x > y ? 1 : 0
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  throw new CallError(`cannot order a ${wordOf(a)} and a ${wordOf(b)}; both must be numbers or both text`)
}

const comparing: readonly GoFunction[] = [
  // The evaluator stops at the operand that decides.
  own('and', ['any', '...any'], args => args.at(-1) ?? null),
  own('or', ['any', '...any'], args => args.at(-1) ?? null),
  own('not', ['any'], args => !isTrue(arg(args, 0))),
  own('eq', ['any', 'any', '...any'], args => args.slice(1).some(other => isSame(arg(args, 0), other))),
  own('ne', ['any', 'any'], args => !isSame(arg(args, 0), arg(args, 1))),
  own('lt', ['any', 'any'], args => order(args) < 0),
  own('le', ['any', 'any'], args => order(args) <= 0),
  own('gt', ['any', 'any'], args => order(args) > 0),
  own('ge', ['any', 'any'], args => order(args) >= 0),
]

/** `lookup map key`, as Handlebars has it; `index list 0 "key"`. What is not there is null. */
function itemIn(value: Value, key: Value): Value {
  if (value === null || isDict(value) || isList(value) || value instanceof Struct)
    return itemOf(value, plainText(key) ?? '') ?? null
  throw new CallError(`cannot take an item of a ${wordOf(value)}`)
}

const reading: readonly GoFunction[] = [
  own('index', ['any', 'any', '...any'], args => args.slice(1).reduce(itemIn, arg(args, 0))),
  {
    name: 'lookup',
    params: ['any', 'any'],
    variadic: 'any',
    run: (args, call) => {
      if (args.length === 2) return itemIn(arg(args, 0), arg(args, 1))
      if (args.length !== 4) throw new CallError('wants a map and a key, or apiVersion, kind, namespace and name')
      const [apiVersion = '', kind = '', namespace = '', name = ''] = args.map(each => plainText(each) ?? '')
      return call.lookup(apiVersion, kind, namespace, name)
    },
  },
  own('len', ['any'], args => (arg(args, 0) === null ? int(0) : lengthOf(arg(args, 0)))),
]

const refusing: readonly GoFunction[] = [
  own('required', ['string', 'any'], args => {
    const value = arg(args, 1)
    if (value === null || value === '') throw new Refusal(String(args[0]))
    return value
  }),
  own('fail', ['string'], args => {
    throw new Refusal(String(args[0]))
  }),
]

/** What a chart's author says with `fail` and `required`: it stands alone. */
export class Refusal extends CallError {}

/** Of the chart's files and its cluster, which are found in the chart's own context `root`. */
type Rooted = (args: readonly Value[], root: Value) => Value

function method(of: Value | undefined, name: string, args: readonly Value[]): Value {
  const methods = isDict(of) || isList(of) ? of[goMethods] : undefined
  return (methods?.(name) ?? missing(name)).run(args)
}

function missing(name: string): never {
  throw new CallError(`there is no ${name} here`)
}

function filesOf(root: Value): Value | undefined {
  return isDict(root) ? root.get('Files') : undefined
}

/** A pattern, or what `files.glob` gave, as the texts of files by base name. */
function globbed(given: Value, root: Value): Value {
  if (typeof given !== 'string') return given
  return method(filesOf(root), 'Glob', [given])
}

/** Texts by path, so that they can be gone through and printed; a byte that is not UTF-8 stays what it is. */
function textsByPath(pattern: Value, root: Value): Value {
  const found = globbed(pattern, root)
  if (!isDict(found)) return found
  const all = filesOf(root)
  return new Map([...found.keys()].map(path => [path, method(all, 'Get', [path])] as const))
}

function byBaseName(given: Value, root: Value, kind: 'config' | 'secrets'): Value {
  const found = typeof given === 'string' ? textsByPath(given, root) : given
  if (!isDict(found)) throw new CallError(`wants a pattern or what files.glob gave, got ${wordOf(found)}`)
  if (found.size === 0) return ''
  const text = (value: Value): Value =>
    kind === 'config'
      ? value
      : Buffer.from(value instanceof Bytes ? value.bytes : bytesOf(plainText(value) ?? '')).toString('base64')
  return toYaml(new Map([...found].map(([path, value]) => [path.slice(path.lastIndexOf('/') + 1), text(value)] as const)))
}

/** `files.get "conf/app.ini"`; Helm's spelling `Files.Get` means the same. */
export const rooted: ReadonlyMap<string, { readonly fn: GoFunction; readonly run: Rooted }> = new Map(
  (
    [
      ['files.get Files.Get', 'string', (args, root) => method(filesOf(root), 'Get', args)],
      ['files.glob Files.Glob', 'string', (args, root) => textsByPath(arg(args, 0), root)],
      ['files.lines Files.Lines', 'string', (args, root) => method(filesOf(root), 'Lines', args)],
      ['files.asConfig Files.AsConfig', 'any', (args, root) => byBaseName(arg(args, 0), root, 'config')],
      ['files.asSecrets Files.AsSecrets', 'any', (args, root) => byBaseName(arg(args, 0), root, 'secrets')],
      ['capabilities.has Capabilities.APIVersions.Has', 'string', (args, root) => hasVersion(args, root)],
    ] as readonly (readonly [string, ParamType, Rooted])[]
  ).flatMap(([names, type, run]) =>
    names.split(' ').map(name => [name, { fn: { name, params: [type], run: () => null }, run }] as const),
  ),
)

function hasVersion(args: readonly Value[], root: Value): Value {
  const capabilities = isDict(root) ? root.get('Capabilities') : undefined
  const versions = capabilities instanceof Struct ? capabilities.field('APIVersions') : undefined
  return method(versions, 'Has', args)
}

/** Those that change what they are given in Go: here they are given copies. */
const changing = 'merge mustMerge mergeOverwrite mustMergeOverwrite'.split(' ')

function pure(fn: GoFunction): GoFunction {
  return {
    ...fn,
    run: (args, call) =>
      fn.run(
        args.map(value => (value === null ? null : deepCopy(value))),
        call,
      ),
  }
}

/** Those that print or compare what is inside of lists and maps: numbers in there are made integers first. */
const looking = new Set(
  [
    'has mustHas without mustWithout uniq mustUniq deepEqual join sortAlpha toString toStrings quote squote cat print println printf',
    'toToml toYamlPretty mustToToml',
  ].flatMap(line => line.split(' ')),
)

export function looksInside(name: string): boolean {
  return looking.has(name)
}

/** Those that print their arguments: of a list or map they would print Go's notation, which no manifest wants. */
export const printing: ReadonlySet<string> = new Set('quote squote cat toString'.split(' '))

/** Evaluated by the evaluator itself. */
const structural: ReadonlyMap<string, { readonly least: number; readonly most: number }> = new Map([
  ['include', { least: 1, most: 2 }],
  ['tpl', { least: 2, most: 2 }],
])

/** Everything but `include` and `tpl`, by name. */
export const functions: ReadonlyMap<string, GoFunction> = new Map<string, GoFunction>([
  ...[...goFunctions].filter(([name]) => !refused.has(name)),
  ...['print', 'printf', 'println', 'urlquery'].flatMap(name => {
    const fn = builtins.get(name)
    return fn === undefined ? [] : [[name, fn] as const]
  }),
  ...changing.flatMap(name => {
    const fn = goFunctions.get(name)
    return fn === undefined ? [] : [[name, pure(fn)] as const]
  }),
  ...[...comparing, ...reading, ...refusing].map(fn => [fn.name, fn] as const),
  ...[...rooted].map(([name, { fn }]) => [name, fn] as const),
])

/** How many arguments a name takes; undefined: there is no such function. */
export function arity(name: string): { readonly least: number; readonly most: number } | undefined {
  const fn = functions.get(name)
  if (fn === undefined) return structural.get(name)
  return { least: fn.params.length, most: fn.variadic === undefined ? fn.params.length : Number.POSITIVE_INFINITY }
}

/** For suggestions. */
export function* names(): Iterable<string> {
  yield* functions.keys()
  yield* structural.keys()
}
