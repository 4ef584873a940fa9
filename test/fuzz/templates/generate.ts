// Templates and data made up from a seed: every statement, odd pipelines, wrong types, and now and then a text that is broken.
import { type Chance, chanceOf } from '../chance.js'

export interface Case {
  readonly name: string
  /** The last one is executed. */
  readonly texts: readonly string[]
  readonly data: unknown
  readonly missing: 'default' | 'zero' | 'error'
}

/** What is known where a piece of template stands. */
interface Around {
  readonly chance: Chance
  readonly variables: readonly string[]
  readonly depth: number
  readonly inLoop: boolean
  /** How often a piece has the type that its place asks for. */
  readonly care: number
  readonly templates: readonly string[]
}

const leaves: readonly unknown[] = [
  null,
  true,
  false,
  '',
  'a',
  'b,c',
  'é😀',
  '<&"\'>\n',
  'x',
  0,
  1,
  -2,
  1.5,
  1234567,
  1e21,
  0.000001,
  { $: 'int', v: 0 },
  { $: 'int', v: 3 },
  { $: 'int', v: -1 },
  { $: 'int64', v: 5 },
  { $: 'uint8', v: 65 },
  { $: 'bytes', v: 'by' },
  { $: 'strings', v: ['p', 'q'] },
  { $: 'strings', v: [] },
  { $: 'map[string]string', v: { a: 'A' } },
  { $: 'printed', v: 'pr' },
  { $: 'pair', v: 'x' },
]

const keys = ['a', 'b', 'c', 'm', 'l', 's', 'n', 'nil', 'o', 'named', 'x']
const strange = ['B', 'é', 'zz', 'Name', 'AsMap', 'Rest']
const fields = [...keys, 'missing', 'Name', 'Count', 'Rest', 'Any', 'Hello', 'Plus', 'Join', 'Same', 'Fail', 'AsMap', 'secret']
const functions = [
  'and or not eq ne lt le gt ge index len call print printf println html js urlquery',
  'text number long float flag table items words any texts both three none noMap list split fails dict',
].flatMap(line => line.split(' '))
const literals = [
  ...['0', '1', '-1', '2', '3', '1.0', '1.5', '-0.5', '1e3', '0x1F', '0b11', '0o17', '017', '1_000', "'a'", "'\\n'", "'é'"],
  ...['"a"', '"b"', '""', '"é"', '"<%s>"', '"%d %v"', '"%q"', '"%5.2f|%-4v|"', '"a\\tb\\x41\\u00e9\\101"', '`raw`', '`a\nb`'],
  ...['true', 'false', 'nil', '9223372036854775807', '9223372036854775808', '1i', '1+2i'],
]
const texts = ['', ' ', '\n', 'text ', '  a\n', '- ', 'é', '}}', '{ ', ' \t\r\n ', '# {{/* note */}}\n', 'x{{- /* n */ -}} y']

function pick<T>(chance: Chance, from: readonly T[]): T {
  return from[Math.floor(chance() * from.length)] as T
}

function times<T>(chance: Chance, most: number, make: () => T): T[] {
  return Array.from({ length: Math.floor(chance() * (most + 1)) }, make)
}

export function makeCase(seed: number): Case {
  const chance = chanceOf(seed)
  const care = chance() < 0.7 ? 0.99 : 0.7
  if (chance() < 0.15) return formatCase(chance)
  const names = ['one', 'two'].slice(0, Math.floor(chance() * 3))
  const around: Around = { chance, variables: ['$'], depth: 0, inLoop: false, care, templates: names }
  // Each calls only those before it: a recursion would end at Go's limit of 100,000, and fill the memory on its way.
  const defines = names.map((name, at) => `{{define "${name}"}}${body({ ...around, templates: names.slice(0, at) })}{{end}}`)
  const main = body(around)
  const all = chance() < 0.5 ? [defines.join(''), main] : [defines.join('\n') + main]
  const broken = chance() < 0.08 ? all.map(text => damaged(chance, text)) : all
  // In a verb that asks for a number Go shows what structs are inside, addresses among it: the two are never together.
  const structs = chance() < 0.6
  const shown = structs ? broken.map(text => text.replace(/%[0-9.-]*[df]/g, '%v')) : broken
  const data = structs ? dataOf(chance, care) : withoutStructs(dataOf(chance, care))
  return { name: 'main', texts: shown, data, missing: pick(chance, ['zero', 'zero', 'default', 'error']) }
}

/** Nothing but `printf`, `print` and `println`, with verbs, flags, widths and indexes as they come. */
function formatCase(chance: Chance): Case {
  const values = [
    '.t',
    '.e',
    '.u',
    '.b',
    '.f',
    '.z',
    '.i',
    '.j',
    '.y',
    '.n',
    '.l',
    '.m',
    '.s',
    ...literals.filter(literal => literal !== 'nil'),
  ]
  const of = () => times(chance, 3, () => pick(chance, values)).join(' ')
  const format = () => times(chance, 3, () => pick(chance, ['', 'a ', 'é', '%%', '%']) + directive(chance)).join('')
  const text = times(
    chance,
    3,
    () => `{{printf ${JSON.stringify(format())} ${of()}}}|{{print ${of()}}}|{{println ${of()}}}`,
  ).join('\n')
  const number = pick(chance, [0, 1, -1, 0.5, 2.5, -2.5, 1e21, 1e-7, 123456.789, 5e-324, 1.7976931348623157e308, 99.995, 1 / 3])
  const data = {
    t: pick(chance, ['', 'abc', 'é😀', '"q`\n', '\u200b\u{1f6d8}x']),
    e: '',
    u: 'ü',
    b: true,
    f: number,
    z: 0,
    i: { $: 'int', v: pick(chance, [0, 5, -42, 65, 128512, 55296, 99999999]) },
    j: { $: 'int64', v: 7 },
    y: { $: 'uint8', v: 200 },
    n: null,
    l: ['a', null, number, { $: 'int', v: 3 }],
    m: { a: number, b: null, c: [true] },
    s: { $: 'bytes', v: 'hi' },
  }
  return { name: 'main', texts: [text], data, missing: 'zero' }
}

function directive(chance: Chance): string {
  const some = (odds: number, from: readonly string[]) => (chance() < odds ? pick(chance, from) : '')
  const flags = some(0.4, ['-', '+', '#', ' ', '0', '-0', '+0', '# ', '#+', '-+#', '0#'])
  const index = some(0.1, ['[1]', '[2]', '[9]', '[x]', '[', ']', '[0]', '[]'])
  const width = some(0.4, ['1', '5', '10', '*', '20', '3', '2000000'])
  const precision = some(0.3, ['.', '.0', '.1', '.2', '.5', '.*', '.20', '.3'])
  return `%${flags}${index}${width}${precision}${some(0.05, ['[1]', '[2]'])}${pick(chance, Array.from('vvvvssdddqxXoObcUeEfFgGtTTzé%!'))}`
}

function dataOf(chance: Chance, care: number): unknown {
  if (care > 0.9) return steady(chance, 3)
  if (chance() < 0.05) return pick(chance, leaves)
  const data = table(chance, 3)
  return chance() < 0.1 ? { $: 'named', v: data } : data
}

function table(chance: Chance, depth: number): Record<string, unknown> {
  const names = [...keys.filter(() => chance() < 0.7), ...(chance() < 0.2 ? [pick(chance, strange)] : [])]
  return Object.fromEntries(names.map(name => [name, valueFor(chance, name, depth)]))
}

function withoutStructs(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutStructs)
  if (value === null || typeof value !== 'object') return value
  const { $: tag, v } = value as { readonly $?: string; readonly v?: unknown }
  if (tag === 'thing' || tag === 'printed' || tag === 'pair') return withoutStructs(v)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutStructs(item)]))
}

/** Each key with the type that careful templates expect of it. */
function steady(chance: Chance, depth: number): Record<string, unknown> {
  const inner = (): unknown => (depth > 0 ? steady(chance, depth - 1) : {})
  const named = { $: 'named', v: inner() }
  const made: Record<string, unknown> = {
    a: pick(chance, ['', 'a', 'b,c', 'é😀', '<&"\'>\n', 'x']),
    s: pick(chance, ['p', 'q', '%s', '<no value>']),
    n: pick(chance, [0, 1, -2, 1.5, 1234567, 1e21, 0.000001, 3, 100000, 1e6, 123456789.125]),
    b: { $: 'int', v: pick(chance, [0, 1, 2, 3, -1, 70]) },
    c: chance() < 0.5,
    m: inner(),
    x: chance() < 0.5 ? {} : inner(),
    l: times(chance, 3, () => (chance() < 0.5 ? pick(chance, leaves) : inner())),
    named,
    nil: null,
  }
  return depth > 1 ? { ...made, o: { $: 'thing', v: inner() } } : made
}

/** What the key promises, mostly. */
function valueFor(chance: Chance, name: string, depth: number): unknown {
  if (depth <= 0 || chance() < 0.2) return pick(chance, leaves)
  if (name === 'l') return times(chance, 3, () => (chance() < 0.5 ? pick(chance, leaves) : table(chance, depth - 1)))
  if (name === 'm' || name === 'x') return table(chance, depth - 1)
  if (name === 'o') return { $: 'thing', v: table(chance, depth - 1) }
  if (name === 'named') return { $: 'named', v: table(chance, depth - 1) }
  return name === 'nil' ? null : pick(chance, leaves)
}

/** Statements; variables that one declares are known to those behind it. */
function body(around: Around, most = 4): string {
  let known = around
  let made = ''
  for (let count = Math.floor(around.chance() * most) + 1; count > 0; count--) {
    const declared: string[] = []
    made += pick(around.chance, texts) + statement(known, declared)
    known = { ...known, variables: [...known.variables, ...declared] }
  }
  return made + pick(around.chance, texts)
}

function statement(around: Around, declared: string[]): string {
  const { chance } = around
  const roll = chance()
  if (around.depth < 3 && roll < 0.12) return control(around, 'if')
  if (around.depth < 3 && roll < 0.22) return control(around, 'with')
  if (around.depth < 3 && roll < 0.36) return control(around, 'range')
  if (roll < 0.44) return declaration(around, declared)
  if (roll < 0.5) return templateCall(around)
  if (around.inLoop && roll < 0.54) return tag(chance, pick(chance, ['break', 'continue']))
  return tag(chance, pipeline(around))
}

function tag(chance: Chance, inside: string): string {
  const left = chance() < 0.2 ? '{{- ' : '{{'
  const right = chance() < 0.2 ? ' -}}' : '}}'
  return left + (chance() < 0.2 ? ' ' : '') + inside + (chance() < 0.2 ? ' ' : '') + right
}

function declaration(around: Around, declared: string[]): string {
  const name = pick(around.chance, ['$x', '$y', '$z'])
  const assigns = around.variables.includes(name) && around.chance() < 0.5
  const made = tag(around.chance, `${name} ${assigns ? '=' : ':='} ${pipeline(around)}`)
  if (!assigns) declared.push(name)
  return made
}

function templateCall(around: Around): string {
  const { chance } = around
  const name = chance() < 0.95 ? pick(chance, around.templates) : 'nowhere'
  if (chance() < 0.15)
    return `{{block "in${around.depth}" ${pipeline(around)}}}${body({ ...around, depth: 3, inLoop: false, variables: ['$'] }, 2)}{{end}}`
  if (name === undefined) return tag(chance, pipeline(around))
  return tag(chance, `template "${name}"${chance() < 0.8 ? ' ' + pipeline(around) : ''}`)
}

function control(around: Around, kind: 'if' | 'with' | 'range'): string {
  const { chance } = around
  const declared: string[] = []
  const inner = () => ({
    ...around,
    depth: around.depth + 1,
    inLoop: around.inLoop || kind === 'range',
    variables: [...around.variables, ...declared],
  })
  const head = tag(
    chance,
    `${kind} ${declares(chance, kind, declared)}${kind === 'range' ? collection(around) : pipeline(around)}`,
  )
  const first = body(inner(), 3)
  const roll = chance()
  const more = roll < 0.15 && kind !== 'range' ? tag(chance, `else ${kind} ${pipeline(inner())}`) + body(inner(), 2) : ''
  const otherwise = roll < 0.4 ? tag(chance, 'else') + body({ ...inner(), inLoop: around.inLoop }, 2) : ''
  return head + first + more + otherwise + tag(chance, 'end')
}

function declares(chance: Chance, kind: string, declared: string[]): string {
  const roll = chance()
  if (roll > (kind === 'range' ? 0.7 : 0.2)) return ''
  declared.push(...(kind === 'range' && roll < 0.45 ? ['$i', '$e'] : [pick(chance, ['$e', '$x'])]))
  return declared.join(', ') + ' := '
}

function collection(around: Around): string {
  const { chance } = around
  const roll = chance()
  if (roll < 0.7) return pick(chance, ['.l', '.m', '$.l', '$.m', '.named', '.m.l', '.x', '$.o.Rest', '$', '$.m.m', '$.m.x'])
  if (roll < 0.9)
    return pick(chance, ['3', 'list 1 "a" nil', 'split "a,b"', 'dict "k" 1 "j" .', '.o.Rest', 'noMap', '.nil', '.b', 'list'])
  return pipeline(around)
}

/** What a place asks for. */
type Kind = 'any' | 'text' | 'int' | 'float' | 'bool' | 'map' | 'list' | 'words'

/** Parameters and result of each function; `*` more of the last. */
const signatures: Readonly<Record<string, readonly [readonly Kind[], Kind, '*'?]>> = {
  and: [['any'], 'any', '*'],
  or: [['any'], 'any', '*'],
  not: [['any'], 'bool'],
  eq: [['text', 'text'], 'bool', '*'],
  ne: [['int', 'int'], 'bool'],
  lt: [['int', 'int'], 'bool'],
  le: [['float', 'float'], 'bool'],
  gt: [['text', 'text'], 'bool'],
  ge: [['float', 'float'], 'bool'],
  index: [['map', 'text'], 'any'],
  len: [['text'], 'int'],
  print: [['any'], 'text', '*'],
  printf: [['text', 'any'], 'text', '*'],
  println: [['any'], 'text', '*'],
  html: [['any'], 'text', '*'],
  js: [['any'], 'text', '*'],
  urlquery: [['any'], 'text'],
  text: [['text'], 'text'],
  number: [['int'], 'int'],
  float: [['float'], 'float'],
  flag: [['bool'], 'bool'],
  table: [['map'], 'int'],
  items: [['list'], 'int'],
  words: [['words'], 'text'],
  any: [['any'], 'any'],
  texts: [['text'], 'text', '*'],
  both: [['text', 'any'], 'text', '*'],
  three: [['any', 'text', 'int'], 'text'],
  none: [[], 'any'],
  noMap: [[], 'map'],
  list: [['any'], 'list', '*'],
  split: [['text'], 'words'],
  dict: [['text', 'any'], 'map'],
  // A map put into itself would overflow Go's stack when it is printed.
  set: [['map', 'text', 'text'], 'map'],
}

const byResult = (kind: Kind): readonly string[] =>
  Object.keys(signatures).filter(name => kind === 'any' || signatures[name]?.[1] === kind)

const paths: Readonly<Record<Kind, readonly string[]>> = {
  any: [
    '.a',
    '.n',
    '.b',
    '.m',
    '.l',
    '.missing',
    '.nil',
    '.m.a',
    '.m.m',
    '.',
    '$',
    '$.a',
    '$.m.l',
    '$.o',
    '.named',
    '.named.AsMap',
  ],
  text: ['$.a', '$.s', '$.m.a', '$.m.m.s', '$.named.a', '$.o.Name', '$.o.Rest.a', '(.a)', '.a', '$.m.named.s'],
  int: ['$.b', '$.m.b', '$.o.Count', '($.o.Plus 3)', '(len $.a)', '.b', '(index (list 1 2 3) 1)', '(len (slice $.a 0 0))'],
  float: ['$.n', '$.m.n', '$.named.n', '.n'],
  bool: ['$.c', '$.m.c', '(not .)', '(eq 1 1)'],
  map: ['$.m', '$.x', '$.named', '$.o.Rest', '$.m.m', '(dict "k" .)', 'noMap', '$'],
  list: ['$.l', '$.m.l', '(list 1 . nil)', 'list'],
  words: ['(split $.a)', '(split "p,q")'],
}

const literalsOf: Readonly<Record<Kind, readonly string[]>> = {
  any: literals.slice(0, -4),
  text: literals.filter(literal => /^["`]/.test(literal)),
  int: ['0', '1', '2', '-1', '0x1F', "'a'", '1_0'],
  float: ['1.5', '-0.5', '1e3', '2.0', '.5'],
  bool: ['true', 'false'],
  map: ['noMap', '(dict "a" 1 "b" 2)'],
  list: ['list', '(list "x" 1.5)'],
  words: ['(split "p,q,r")', '(split "")'],
}

function pipeline(around: Around, depth = 2, kind: Kind = 'any'): string {
  const { chance } = around
  if (chance() > around.care) return wildPipeline(around, depth)
  const steps = chance() < 0.3 ? 1 + Math.floor(chance() * 2) : 0
  const wanted: Kind[] = [kind]
  const calls: string[] = []
  for (let step = 0; step < steps; step++) {
    const name = pick(
      chance,
      byResult(wanted[0] as Kind).filter(known => (signatures[known]?.[0].length ?? 0) > 0),
    )
    calls.unshift(call(around, depth, name, true))
    wanted.unshift(lastKind(name))
  }
  return [command(around, depth, wanted[0] as Kind), ...calls].join(chance() < 0.9 ? ' | ' : '|')
}

function lastKind(name: string): Kind {
  return signatures[name]?.[0].at(-1) ?? 'any'
}

function wildPipeline(around: Around, depth: number): string {
  const { chance } = around
  const first = chance() < 0.5 ? wildCall(around, depth, false) : wildOperand(around, depth)
  const rest = times(chance, chance() < 0.3 ? 2 : 0, () =>
    chance() < 0.9 ? wildCall(around, depth, true) : wildOperand(around, depth),
  )
  return [first, ...rest].join(' | ')
}

function command(around: Around, depth: number, kind: Kind): string {
  const { chance } = around
  if (chance() < 0.5) return operand(around, depth, kind)
  return call(around, depth, pick(chance, byResult(kind)), false)
}

function call(around: Around, depth: number, name: string, piped: boolean): string {
  const { chance } = around
  const [params = [], , more] = signatures[name] ?? []
  const extra = more === '*' ? times(chance, 2, () => lastKind(name)) : []
  const kinds = piped ? [...params, ...extra].slice(0, -1) : [...params, ...extra]
  return [name, ...kinds.map(kind => operand(around, depth - 1, kind))].join(' ')
}

function operand(around: Around, depth: number, kind: Kind): string {
  const { chance } = around
  if (chance() > around.care) return wildOperand(around, depth)
  const roll = chance()
  if (depth > 0 && roll < 0.01) return `(${pick(chance, ['$x', '$d'])} := ${pipeline(around, depth - 1, kind)})`
  if (roll < 0.35) return pick(chance, literalsOf[kind])
  if (depth > 0 && roll < 0.55) return `(${pipeline(around, depth - 1, kind)})`
  if (kind === 'any' && roll < 0.75) return pick(chance, around.variables)
  return pick(chance, paths[kind])
}

function wildCall(around: Around, depth: number, piped: boolean): string {
  const { chance } = around
  const name = chance() < 0.97 ? pick(chance, functions) : pick(chance, ['panics', 'unknown'])
  const count = Math.floor(chance() * 4) - (piped ? 1 : 0)
  return [name, ...Array.from({ length: Math.max(0, count) }, () => wildOperand(around, depth - 1))].join(' ')
}

function wildOperand(around: Around, depth: number): string {
  const { chance } = around
  const roll = chance()
  if (roll < 0.3) return pick(chance, literals)
  if (roll < 0.55) return path(chance, '')
  if (roll < 0.6) return '.'
  if (roll < 0.75) return variable(around)
  if (depth > 0 && roll < 0.95) return `(${wildPipeline(around, depth - 1)})${chance() < 0.3 ? path(chance, '') : ''}`
  return pick(chance, ['none', 'noMap', 'list', 'dict', 'noMap.a', '.o.Hello', '.o.Same', '.named.AsMap', '$.o.Rest.a'])
}

function path(chance: Chance, start: string): string {
  return (
    start +
    [pick(chance, fields), ...times(chance, chance() < 0.4 ? 2 : 0, () => pick(chance, fields))].map(name => '.' + name).join('')
  )
}

function variable(around: Around): string {
  const { chance, variables } = around
  const name = chance() < 0.97 ? pick(chance, variables) : pick(chance, ['$u', '$e'])
  return chance() < 0.5 ? path(chance, name) : name
}

/** A character gone, doubled or put in where it does not belong. */
function damaged(chance: Chance, text: string): string {
  const chars = Array.from(text)
  const at = Math.floor(chance() * chars.length)
  const roll = chance()
  if (roll < 0.4) chars.splice(at, 1)
  else if (roll < 0.5) chars.splice(at, 0, chars[at] ?? '')
  else
    chars.splice(
      at,
      0,
      pick(chance, [
        '{{',
        '}}',
        '(',
        ')',
        '"',
        '`',
        "'",
        '|',
        ',',
        ':=',
        '=',
        '@',
        '.',
        '$',
        '-',
        '\\',
        '{{end}}',
        '{{else}}',
        '/*',
        'é',
        '\n',
        '0',
        '_',
      ]),
    )
  return chars.join('')
}
