// Go's template language by our own table, for checkouts without the reference tables, and by what comparing with Go found.
import t from 'tap'
import { RenderFault } from '../../renderer/fault.js'
import type { Call, GoFunction } from '../../renderer/functions/signature.js'
import { builtins, ExecError, execute, Namespace, ParseError, parse, Rendering, siteOf } from '../../renderer/gotemplate/index.js'
import { defaultLimits, type Limits, Meter } from '../../renderer/limits.js'
import { println } from '../../renderer/value/format.js'
import { sprintf } from '../../renderer/value/printf.js'
import { byteLength, bytesOf, joined, sliceBytes, textOf, trimSpace } from '../../renderer/value/text.js'
import { type Dict, int, type Value } from '../../renderer/value/value.js'

function given(json: unknown): Value {
  if (Array.isArray(json)) return json.map(given)
  if (json === null || typeof json !== 'object') return json as Value
  return new Map(Object.entries(json).map(([key, item]) => [key, given(item)]))
}

const upper: GoFunction = { name: 'upper', params: ['string'], run: ([text]) => (text as string).toUpperCase() }
const size: GoFunction = { name: 'size', params: ['map'], run: ([dict]) => int((dict as Dict).size) }
const include: GoFunction = {
  name: 'include',
  params: ['string', 'any'],
  run: ([name, context], call) => call.include(name as string, context as Value),
}
const functions = new Map([...builtins, ...[upper, size, include].map(fn => [fn.name, fn] as const)])

interface Options {
  readonly limits?: Partial<Limits>
  readonly missing?: 'default' | 'zero' | 'error'
}

/** As Helm's engine would: the last text is executed; includes run inside one another. */
function render(texts: string | readonly string[], data: unknown = null, options: Options = {}): string {
  const all = typeof texts === 'string' ? [texts] : texts
  const templates = new Namespace()
  const files = all.map((text, at) => parse(at === all.length - 1 ? 'main' : `file${at}`, text, functions))
  for (const file of files) templates.add(file)
  const rendering = new Rendering(new Meter({ ...defaultLimits, ...options.limits }), options.missing ?? 'zero')
  const call = {
    meter: rendering.meter,
    include: (name: string, context: Value) => execute(templates, templates.find(name) ?? fail(name), context, call, rendering),
  } as Call
  const main = templates.find('main') ?? fail('main')
  return execute(templates, main, given(data) ?? undefined, call, rendering)
}

function fail(name: string): never {
  throw new Error(`no template ${name}`)
}

function errorOf(texts: string | readonly string[], data: unknown = null, options: Options = {}): Error {
  try {
    return new Error(`no error, but ${render(texts, data, options)}`)
  } catch (error) {
    return error as Error
  }
}

/** Template, data, output. */
const outputs: readonly (readonly [string, unknown, string])[] = [
  ['a {{- 1 -}} b {{2}}', null, 'a1b 2'],
  ['{{/* note */}}x{{- /* note */ -}} y', null, 'xy'],
  ['{{.a.b}} {{.a.missing}} {{.nil}}', { a: { b: 1 }, nil: null }, '1 <no value> <no value>'],
  [
    '{{range $k, $v := .}}{{$k}}={{$v}},{{end}}',
    { b: 1, a: 'x', é: null, '😀': 2, '\uffff': 3 },
    'a=x,b=1,é=<no value>,\uffff=3,😀=2,',
  ],
  [
    '{{range $i, $e := .}}{{if eq $e "b"}}{{continue}}{{end}}{{if eq $e "d"}}{{break}}{{end}}{{$i}}{{$e}}{{end}}',
    ['a', 'b', 'c', 'd'],
    '0a2c',
  ],
  ['{{range 3}}{{.}}{{else}}none{{end}}{{range 0}}x{{else}}none{{end}}', null, '012none'],
  ['{{range .l}}x{{else}}{{range .m}}{{.}}{{end}}{{end}}', { l: [], m: { z: 1, a: 2 } }, '21'],
  // A break in the else branch ends the inner range; a continue goes on with the outer.
  ['{{range .}}[{{range .x}}{{else}}{{break}}{{end}}]{{end}}', [{}, {}], '[][]'],
  ['{{range .}}[{{range .x}}{{else}}{{continue}}{{end}}]{{end}}', [{}, {}], '[['],
  ['{{with .a}}{{.}}{{else with .b}}b{{.}}{{else}}c{{end}}', { b: 2 }, 'b2'],
  ['{{$x := 1}}{{if true}}{{$x = 2}}{{$x := 3}}{{$x}}{{end}}{{$x}}', null, '32'],
  ['{{and 1 0 (index .l 9)}}{{or 0 "x" (index .l 9)}}', { l: [] }, '0x'],
  ['{{1234567.0}} {{1e21}} {{0.000001}} {{100000.0}} {{-0.0}}', null, '1.234567e+06 1e+21 1e-06 100000 -0'],
  [
    '{{0x1F}} {{0b11}} {{0o17}} {{017}} {{1_000}} {{\'a\'}} {{1i}} {{"\\x41\\u00e9\\101"}} {{`a\\n`}}',
    null,
    '31 3 15 15 1000 97 (0+1i) AéA a\\n',
  ],
  ['{{len "é"}} {{index "é" 0}} {{len (slice "é" 0 1)}} {{print (slice "é" 0 1) (slice "é" 1) | len}}', null, '2 195 1 2'],
  [
    '{{printf "%s %d %v %q %T %5.2f|%-4s|%04d" "a" 3 nil "\\n" 1.0 3.14159 "x" 7}}',
    null,
    'a 3 <nil> "\\n" float64  3.14|x   |0007',
  ],
  ['{{printf "%d %s %d" 1.5 3}}', null, '%!d(float64=1.5) %!s(int=3) %!d(MISSING)'],
  ['{{printf "%s" "a" 1 nil}}', null, 'a%!(EXTRA int=1, <nil>)'],
  ['{{print 1 2 "a" "b" 3 nil}} {{println "x" 1}}', null, '1 2ab3 <nil> x 1\n'],
  ['{{.}}', { a: [1, 'x', null, { b: true }], b: null }, 'map[a:[1 x <nil> map[b:true]] b:<nil>]'],
  [
    '{{html "<a href=\'x\'>&"}} {{js "it\'s <b>"}} {{urlquery "a b&é"}}',
    null,
    "&lt;a href=&#39;x&#39;&gt;&amp; it\\'s \\u003Cb\\u003E a+b%26%C3%A9",
  ],
  [
    '{{define "a"}}A{{.}}{{end}}{{define "b"}}{{template "a" 1}}{{end}}{{template "b"}}{{block "c" 2}}C{{.}}{{end}}',
    null,
    'A1C2',
  ],
  [
    '{{eq 1 2 3 1}} {{eq nil .x}} {{ne "a" "b"}} {{lt 1 2}} {{ge "b" "a"}} {{le 1.5 1.5}}',
    { x: null },
    'true true true true true true',
  ],
  ['{{not (or .a .b | and true)}}', {}, 'true'],
  ['{{("a" | printf "%s%s" "b")}}{{(index . "k").l}}', { k: { l: 'v' } }, 'bav'],
]

t.test('templates write what Go writes', async t => {
  for (const [text, data, output] of outputs) t.equal(render(text, data), output, text)
})

/** Template, data, error behind `template: main:`. */
const errors: readonly (readonly [string, unknown, string])[] = [
  ['{{unknown 1}}', null, '1: function "unknown" not defined'],
  ['\n{{if .x}}', null, '2: unexpected EOF'],
  ['{{.x', null, '1: unclosed action'],
  ['{{ $x }}', null, '1: undefined variable "$x"'],
  ['{{"a\n"}}', null, '1: unterminated quoted string'],
  ['{{range .}}\n{{end}}{{else}}', null, '2: unexpected {{else}}'],
  ['{{ .a | 1 }}', null, '1: non executable command in pipeline stage 2'],
  ['{{define "a"}}x{{end}}{{define "a"}}y{{end}}', null, '1: template: multiple definition of template "a"'],
  ['\n  {{ .a.b.c }}', { a: {} }, '2:7: executing "main" at <.a.b.c>: nil pointer evaluating interface {}.c'],
  ['é{{ .a.b }}', { a: 'x' }, '1:7: executing "main" at <.a.b>: can\'t evaluate field b in type interface {}'],
  ['{{range .l}}{{.b}}{{end}}', { l: ['x'] }, '1:14: executing "main" at <.b>: can\'t evaluate field b in type interface {}'],
  ['{{with .a}}{{.b}}{{end}}', { a: 1 }, '1:13: executing "main" at <.b>: can\'t evaluate field b in type float64'],
  ['{{upper .a}}', { a: 1 }, '1:8: executing "main" at <.a>: wrong type for value; expected string; got float64'],
  ['{{upper .a}}', {}, '1:8: executing "main" at <.a>: wrong type for value; expected string; got interface {}'],
  ['{{.a | upper}}', {}, '1:7: executing "main" at <upper>: invalid value; expected string'],
  ['{{upper 1}}', null, '1:8: executing "main" at <1>: expected string; found 1'],
  ['{{upper nil}}', null, '1:8: executing "main" at <nil>: cannot assign nil to string'],
  ['{{upper}}', null, '1:2: executing "main" at <upper>: wrong number of args for upper: want 1 got 0'],
  ['{{"a" | upper "b"}}', null, '1:8: executing "main" at <upper>: wrong number of args for upper: want 1 got 2'],
  ['{{size "a"}}', null, '1:7: executing "main" at <"a">: can\'t handle "a" for arg of type map[string]interface {}'],
  ['{{size .m}}', {}, '1:7: executing "main" at <.m>: wrong type for value; expected map[string]interface {}; got interface {}'],
  [
    '{{eq 1 1.0}}',
    null,
    '1:2: executing "main" at <eq 1 1.0>: error calling eq: incompatible types for comparison: int and float64',
  ],
  [
    '{{eq .m .m}}',
    { m: { a: 1 } },
    '1:2: executing "main" at <eq .m .m>: error calling eq: non-comparable type map[a:%!s(float64=1)]: map[string]interface {}',
  ],
  ['{{lt .m 1}}', { m: {} }, '1:2: executing "main" at <lt .m 1>: error calling lt: invalid type for comparison'],
  ['{{index .l 3}}', { l: [] }, '1:2: executing "main" at <index .l 3>: error calling index: index out of range: 3'],
  ['{{index .l 0}}', { l: [] }, '1:2: executing "main" at <index .l 0>: error calling index: reflect: slice index out of range'],
  ['{{len .x}}', {}, '1:2: executing "main" at <len .x>: error calling len: len of nil pointer'],
  ['{{.x | len}}', {}, '1:7: executing "main" at <len>: error calling len: reflect: call of reflect.Value.Type on zero Value'],
  ['{{range "abc"}}{{end}}', null, '1:8: executing "main" at <"abc">: range can\'t iterate over abc'],
  ['{{template "none" .}}', null, '1:11: executing "main" at <{{template "none" .}}>: template "none" not defined'],
  ['{{(or .a .b).c}}', { a: 1 }, '1:6: executing "main" at <.a>: can\'t evaluate field c in type float64'],
  ['{{.a.b 1}}', { a: 'x' }, '1:4: executing "main" at <.a.b>: can\'t evaluate field b in type interface {}'],
  // A variable of a loop holds an item as its list has it; assigned to, or in the else branch, it holds a value of its own.
  [
    '{{range $e := .l}}{{$e = 1}}{{$e.m}}{{end}}',
    { l: ['x'] },
    '1:32: executing "main" at <$e.m>: can\'t evaluate field m in type int',
  ],
  [
    '{{range $e := .l}}{{else}}{{$e.m}}{{end}}',
    { l: [] },
    '1:30: executing "main" at <$e.m>: can\'t evaluate field m in type []interface {}',
  ],
  // Where there is nothing to call, the arguments are not looked at.
  [
    '{{define "t"}}{{upper (.x.y 3)}}{{end}}{{template "t"}}',
    null,
    '1:25: executing "t" at <.x.y>: invalid value; expected string',
  ],
  ['{{.a 1}}', { a: 'x' }, '1:2: executing "main" at <.a>: a is not a method but has arguments'],
]

t.test('templates fail as Go fails, in its words', async t => {
  for (const [text, data, error] of errors) t.equal(errorOf(text, data).message, `template: main:${error}`, text)
})

t.test('an error carries its place, and the error of the template that was included', async t => {
  const error = errorOf(['{{define "inner"}}\n{{ .a.b }}{{end}}', 'x\n {{ include "inner" . }}'], { a: 1 })

  t.ok(error instanceof ExecError)
  t.match(error, { place: { file: 'main', line: 2, column: 5 }, origin: { place: { file: 'file0', line: 2, column: 6 } } })
  t.equal(
    error.message,
    'template: main:2:4: executing "main" at <include "inner" .>: error calling include: ' +
      'template: file0:2:5: executing "inner" at <.a.b>: can\'t evaluate field b in type interface {}',
  )
})

t.test('a parse error carries its line', async t => {
  t.match(errorOf('a\n\n{{ if }}'), { place: { file: 'main', line: 3, column: 0 }, what: 'missing value for if' })
  t.ok(errorOf('{{ if }}') instanceof ParseError)
})

t.test('the last definition of a name wins, but a blank one replaces nothing', async t => {
  const one = '{{define "a"}}first{{end}}'

  t.equal(render([one, '{{define "a"}}second{{end}}', '{{template "a"}}']), 'second')
  t.equal(render([one, '{{define "a"}} {{/* nothing */}}\n{{end}}', '{{template "a"}}']), 'first')
})

t.test('an overlay hides what it names and leaves the rest as it was', async t => {
  const base = new Namespace()
  base.add(parse('base', '{{define "a"}}base{{end}}{{define "b"}}b{{end}}', functions))
  const overlay = new Namespace(base)
  overlay.add(parse('own', '{{define "a"}}own{{end}}', functions))

  t.equal(overlay.find('a')?.source.name, 'own')
  t.equal(overlay.find('b')?.source.name, 'base')
  t.equal(base.find('a')?.source.name, 'base')
})

t.test('a missing key is nothing, the zero of its map, or an error', async t => {
  t.equal(render('{{.x}}', {}, { missing: 'default' }), '<no value>')
  t.equal(render('{{.x}}', {}, { missing: 'zero' }), '<no value>')
  t.match(errorOf('{{.x}}', {}, { missing: 'error' }).message, /map has no entry for key "x"/)
})

/** Template and what its error says; every one of them would go on for ever, or nearly. */
const hostile: readonly (readonly [string, RegExp])[] = [
  ['{{range 1000000000}}{{end}}', /^main:1:9: more than 2000000 steps/],
  ['{{define "a"}}{{template "a"}}{{end}}{{template "a"}}', /^main:1:26: more than 100 templates inside one another/],
  ['{{define "a"}}{{include "a" .}}{{end}}{{include "a" .}}', /^main:1:17: more than 100 templates inside one another/],
  [
    '{{define "a"}}{{range 1000}}{{range 1000}}0123456789012345678901234567890{{end}}{{end}}{{end}}{{template "a"}}',
    /characters of output/,
  ],
  ['{{printf "%999999d%999999d%999999d%999999d%999999d" 1 1 1 1 1}}', /a text of more than/],
  ['{{$x := "ab"}}{{range 60}}{{$x = print $x $x}}{{end}}', /^main:1:\d+: a text of more than 4000000 characters/],
  ['{{$x := "<"}}{{range 60}}{{$x = html $x $x}}{{end}}', /a text of more than 4000000 characters/],
  [`{{printf "${'%999999[1]d'.repeat(200)}" 1}}`, /a text of more than 32000000 characters is formatted/],
  [`{{${'('.repeat(9000)}1${')'.repeat(9000)}}}`, /max expression depth exceeded/],
  ['{{if 1}}'.repeat(9000) + '{{end}}'.repeat(9000), /max nesting depth exceeded/],
]

t.test('what would never end is a clear error at its place', async t => {
  for (const [text, error] of hostile) t.match(errorOf(text, null, { limits: { depth: 100 } }).message, error, text.slice(0, 60))
})

t.test('a recursion that is deeper than the stack is a clear error too', async t => {
  const error = errorOf('{{define "a"}}{{include "a" .}}{{end}}{{include "a" .}}', null, { limits: { depth: 1_000_000 } })

  t.ok(error instanceof RenderFault)
  t.match(error.message, /^main:1:17: templates inside one another, too deep/)
})

t.test('a map that holds itself, or others doubled and doubled again, is a clear error when it is printed', async t => {
  const self: Dict = new Map()
  self.set('self', self)
  const doubled = Array.from({ length: 40 }).reduce<Value>(
    inner =>
      new Map([
        ['a', inner],
        ['b', inner],
      ]),
    'x',
  )
  const print: GoFunction = { name: 'doubled', params: [], run: () => doubled }
  const own: GoFunction = { name: 'self', params: [], run: () => self }
  const all = new Map([...functions, ['doubled', print] as const, ['self', own] as const])

  for (const text of ['{{self}}', '{{doubled}}', '{{printf "%v" doubled}}']) {
    const file = parse('main', text, all)
    const rendering = new Rendering(new Meter(defaultLimits))
    const run = () => execute(new Namespace(), file.main, undefined, { meter: rendering.meter } as Call, rendering)
    t.throws(run, { reason: 'LimitExceeded', message: /^main:1:\d+: / }, text)
  }
})

/** Where each `here` stood: the last call's words and number, and the keys of the loops. */
function sitesOf(text: string, data: unknown): string[] {
  const seen: string[] = []
  const rendering = new Rendering(new Meter(defaultLimits))
  const run = () => {
    const { calls, keys } = siteOf(rendering)
    const last = calls.at(-1)
    const loops = keys.map(([by, name, nth]) => `${by} ${name}${nth === undefined ? '' : `~${nth}`}`)
    seen.push([`${last?.template}/${last?.code}#${last?.nth}`, last?.label, calls.length, ...loops].join(' '))
    return ''
  }
  const here: GoFunction = { name: 'here', params: [], variadic: 'any', run }
  const file = parse('main', text, new Map([...builtins, ['here', here]]))
  const templates = new Namespace()
  templates.add(file)
  execute(templates, file.main, given(data), { meter: rendering.meter } as Call, rendering)
  return seen
}

t.test('a call knows where it stands: the templates around it and the keys of its loops', async t => {
  const text = '{{define "a"}}{{range .}}{{here}}{{end}}{{end}}{{range $k, $v := .}}{{template "a" $v}}{{end}}'

  t.strictSame(sitesOf(text, { x: ['p', 'q'], y: { z: 1 } }), [
    'a/here#0  2 key x name p~0',
    'a/here#0  2 key x name q~0',
    'a/here#0  2 key y key z',
  ])
})

t.test('a round of a loop is known by what its item is called, so that a new item moves no other', async t => {
  const table: readonly (readonly [unknown, readonly string[]])[] = [
    [
      ['b', 'a', 'b'],
      ['name b~0', 'name a~0', 'name b~1'],
    ],
    [
      [{ name: 'x' }, { id: 7, size: 1 }, { size: 1 }, null],
      ['name x~0', 'name 7~0', 'number 2', 'number 3'],
    ],
    [{ k: 1 }, ['key k']],
  ]
  for (const [list, keys] of table)
    t.strictSame(
      sitesOf('{{range .}}{{here}}{{end}}', list).map(site => site.slice('main/here#0  1 '.length)),
      keys,
    )
  t.strictSame(sitesOf('{{range 2}}{{here}}{{end}}', null), ['main/here#0  1 number 0', 'main/here#0  1 number 1'])
})

t.test('a call keeps its place when the file changes around it', async t => {
  const before = '{{ here 1 }}{{ here 2 | print }}{{ here 1 }}'
  const after = 'more\n{{ print "x" }}{{ here 1 }} {{ if true }}{{ here 2 | print }}{{ end }}\n{{ here 1 }}'
  const sites = ['main/here 1#0  1', 'main/here 2#0  1', 'main/here 1#1  1']

  t.strictSame(sitesOf(before, null), sites)
  t.strictSame(sitesOf(after, null), sites)
})

t.test('calls in the same words are told apart by the key or variable of their line, before their number', async t => {
  const before = 'a: {{ here 1 }}\n"b.c": "{{ here 1 | print }}"\n{{- $x := here 1 }}'
  const after = `z: {{ here 1 }}\n- y: {{ here 1 }}\n{{ $w := here 1 }}\n${before}`
  const sites = ['main/here 1#0 a 1', 'main/here 1#0 b.c 1', 'main/here 1#0 $x 1']

  t.strictSame(sitesOf(before, null), sites)
  t.strictSame(sitesOf(after, null).slice(3), sites)
})

/** Format, values, text. */
const formats: readonly (readonly [string, readonly Value[], string])[] = [
  [
    '%x %X %#x %#o %b %c %U %#U %q',
    [int(255), 'hi', int(10), int(8), int(5), int(0x1f600), int(0xe9), int(0xd800), int(0x41)],
    "ff 6869 0xa 010 101 😀 U+00E9 U+D800 'A'",
  ],
  [
    '%e %g %G %.3g %.0f %.0f %6.2f %+d % d',
    [1234.5, 1e-7, 1e21, 1234.5, 2.5, 3.5, 3.146, int(3), int(4)],
    '1.234500e+03 1e-07 1E+21 1.23e+03 2 4   3.15 +3  4',
  ],
  [
    '%#v',
    [new Map<string, Value>([['a', [1, null, 'x']]])],
    'map[string]interface {}{"a":[]interface {}{1, interface {}(nil), "x"}}',
  ],
  ['%[2]s %[1]s %[3]d', ['a', 'b'], 'b a %!d(BADINDEX)'],
  ['%*d|%-*d|%.*f', [int(5), int(1), int(4), int(2), int(1), 2.55], '    1|2   |2.5'],
]

t.test('printf formats as package fmt does', async t => {
  for (const [format, values, text] of formats) t.equal(sprintf(format, values), text, format)
  t.equal(println([1e6, null, true]), '1e+06 <nil> true\n')
})

t.test('space is trimmed as Go trims it, a long run in the middle no slower', async t => {
  t.equal(trimSpace('\u0085\u00a0 \n\ufeff x\u2003y \t\u3000'), '\ufeff x\u2003y')
  t.equal(trimSpace(' \n'), '')
  t.equal(trimSpace(`a${' '.repeat(2_000_000)}b\n`).length, 2_000_002)
})

t.test('a byte that is no UTF-8 stays that byte', async t => {
  const bytes = Uint8Array.of(0x61, 0xff, 0xc3, 0xa9, 0xed, 0xa0, 0x80)
  const text = textOf(bytes)

  t.strictSame([...bytesOf(text)], [...bytes])
  t.equal(byteLength(text), 7)
  t.equal(joined(sliceBytes('é', 0, 1) + sliceBytes('é', 1)), 'é')
  t.equal(sprintf('%q %x', [text, text]), '"a\\xffé\\xed\\xa0\\x80" 61ffc3a9eda080')
})
