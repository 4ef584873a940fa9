import t from 'tap'
import { RenderFault } from '../../renderer/fault.js'
import { defaultLimits } from '../../renderer/limits.js'
import { Int, isDict, isList, type Value } from '../../renderer/value/value.js'
import { marshal, toYaml } from '../../renderer/yaml/encode.js'
import { loadYaml } from '../../renderer/yaml/load.js'
import { readYaml } from '../../renderer/yaml/read.js'

function plain(value: Value): unknown {
  if (value instanceof Int) return value.value
  if (isList(value)) return value.map(plain)
  return isDict(value) ? Object.fromEntries([...value].map(([key, item]) => [key, plain(item)])) : value
}

function read(text: string, mode: 'manifest' | 'values' = 'manifest'): unknown[] {
  return loadYaml(text, { file: 'a.yaml', limits: defaultLimits, mode }).map(document => plain(document.value))
}

function fault(text: string, limits = defaultLimits): string {
  try {
    loadYaml(text, { file: 'a.yaml', limits, mode: 'manifest' })
  } catch (cause) {
    if (cause instanceof RenderFault) return cause.excerpt === '' ? cause.message : `${cause.message}\n${cause.excerpt}`
    throw cause
  }
  return 'no fault'
}

t.test('scalars are read as Go reads them', async t => {
  const table: readonly (readonly [string, unknown])[] = [
    ['yes', true],
    ['No', false],
    ['ON', true],
    ['off', false],
    ['y', true],
    ['N', false],
    ['yEs', 'yEs'],
    ['~', null],
    ['', null],
    ['Null', null],
    ['0644', 420],
    ['0o644', 420],
    ['0o8', '0o8'],
    ['08', 8],
    ['1_000', 1000],
    ['0x1F', 31],
    ['-0x1', -1],
    ['0b101', 5],
    ['+12', 12],
    ['1e3', 1000],
    ['.5', 0.5],
    ['1.', 1],
    ['1e400', '1e400'],
    ['22:22', '22:22'],
    ['1.2.3', '1.2.3'],
    ['2026-01-01', '2026-01-01'],
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', 9007199254740993n],
    ['-9223372036854775808', -9223372036854775808n],
    ['18446744073709551616', 18446744073709552000],
    ['"yes"', 'yes'],
    ["'0644'", '0644'],
    ['!!str 12', '12'],
    ['!!int "12"', 12],
    ['!foo bar', 'bar'],
    ['!!binary aGk=', 'hi'],
    ['<<', '<<'],
  ]
  for (const [text, expected] of table) t.same(read(`a: ${text}`), [{ a: expected }], text)
})

t.test('keys become strings as kubectl makes them', async t => {
  t.same(read('10: a\nyes: b\n1.2: c\n"on": d'), [{ '10': 'a', true: 'b', '1.2': 'c', on: 'd' }])
})

t.test('aliases are copies and merge keys are merged, the first of a list winning', async t => {
  t.same(read('base: &b {a: 1, b: 2}\nuse:\n  <<: *b\n  b: 3'), [{ base: { a: 1, b: 2 }, use: { a: 1, b: 3 } }])
  t.same(read('- &a {a: 1}\n- &b {a: 2, b: 2}\n- <<: [*a, *b]'), [[{ a: 1 }, { a: 2, b: 2 }, { a: 1, b: 2 }]])
})

t.test('a file may hold several documents, empty ones among them', async t => {
  t.same(read('# nothing\n---\na: 1\n---\n---\nb: 2\n...\n'), [{ a: 1 }, null, { b: 2 }])
  t.same(read('\ufeffa: 1'), [{ a: 1 }])
  t.same(read(''), [])
})

t.test('a document knows where its parts stand', async t => {
  const [, second] = loadYaml('a: 1\n---\nspec:\n  ports:\n    - port: 80\n      bogus: 1\n', {
    file: 'a.yaml',
    limits: defaultLimits,
    mode: 'manifest',
  })

  t.same(second?.place, { file: 'a.yaml', line: 3, column: 1 })
  t.same(second?.locate(['spec', 'ports', 0, 'bogus']), { file: 'a.yaml', line: 6, column: 7 })
  t.same(second?.locate(['spec', 'absent', 'deeper']), { file: 'a.yaml', line: 3, column: 1 })
})

t.test('faults name file, line and column, with a caret', async t => {
  t.equal(
    fault('a: 1\nb:\n  c: [1, 2\n  d: 3\n'),
    "a.yaml:4:4: did not find expected ',' or ']'\n  2 | b:\n  3 |   c: [1, 2\n  4 |   d: 3\n    |    ^",
  )
  t.equal(
    fault('a: 1\nb: 2\na: 3\n'),
    'a.yaml:3:1: key a is there twice (first in line 1)\n  1 | a: 1\n  2 | b: 2\n  3 | a: 3\n    | ^',
  )
  t.equal(fault('a: *nope'), 'a.yaml:1:4: no anchor nope stands before this\n  1 | a: *nope\n    |    ^')
  t.equal(fault('a: .inf'), 'a.yaml:1:4: .inf cannot be written as JSON\n  1 | a: .inf\n    |    ^')
  t.match(fault('a:\n\tb: 1'), /^a\.yaml:2:\d+: /)
  t.match(fault('a: "\0"'), /^a\.yaml:1:\d+: /)
  t.match(fault('a: &x [*x]'), 'anchor x contains itself')
  t.match(fault('? {a: 1}\n: 2'), 'a list or map cannot be a key')
  t.match(fault('a: !!int x'), 'this is not what its tag !!int says')
})

t.test('in values the last of two equal keys wins, as in Helm', async t => {
  t.same(read('a: 1\na: 2', 'values'), [{ a: 2 }])
})

t.test('an excerpt of a Secret shows its keys and no value', async t => {
  const text = fault('kind: Secret\nstringData:\n  password: canary-4711\n  other: "canary-4712" x\n')

  t.match(text, 'password: ***')
  t.notMatch(text, 'canary')
})

t.test('bombs end at a limit', async t => {
  const laughs = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
  for (let i = 1; i < 10; i++)
    laughs.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    )

  t.match(fault(laughs.join('\n')), /a\.yaml:\d+:\d+: document contains excessive aliasing/)
  t.match(
    fault('a: &a [1, 2]\nb: [*a, *a]', { ...defaultLimits, nodes: 10 }),
    /a\.yaml:1:\d+: more than 10 values with aliases expanded \(the limit\)/,
  )
  t.match(fault(`a: &a 1\nb: [${Array(1001).fill('*a').join(', ')}]`), 'more than 1000 aliases')
  t.match(fault('['.repeat(1000)), /a\.yaml:1:\d+: .*(depth|nesting)/)
  t.match(fault('- '.repeat(100_000)), /a\.yaml:1:\d+: .*(depth|nesting)/)
  t.match(fault('a'.repeat(9_000_000)), 'a.yaml: 9000000 characters of YAML; the limit is 8000000')
})

t.test('200,000 keys in one map are read in no great time', async t => {
  const text = Array.from({ length: 200_000 }, (_, at) => `k${at}: 1`).join('\n')

  t.equal(Object.keys(read(text)[0] as object).length, 200_000)
})

t.test('names of JavaScript are data', async t => {
  t.same(read('constructor: 1\ntoString: 2'), [{ constructor: 1, toString: 2 }])
  t.equal(isDict(loadYaml('__proto__: {x: 1}', { file: 'a', limits: defaultLimits, mode: 'manifest' })[0]?.value), true)
  t.throws(() => readYaml('__proto__: {x: 1}', 'a.yaml'), { message: 'a.yaml: a key cannot be named __proto__' })
  t.equal(({} as { x?: number }).x, undefined)
})

t.test('what is emitted is read back as the same', async t => {
  const texts = [
    'yes',
    '0644',
    '1_000',
    '22:22',
    '1e3',
    '~',
    '',
    ' x',
    'x ',
    '- a',
    'a: b',
    'a #b',
    '#x',
    '&a',
    '*a',
    '!t',
    '|',
    '>',
    '@a',
    '`a',
    '%a',
    '"q"',
    "it's",
    'é',
    '\u0001',
    'a\nb',
    'a\nb\n',
    'a\n\n',
    '\na',
    '  a\nb',
    'a \nb',
    'tab\there',
    '---',
    '2026-01-01',
    '=',
    '<<',
    'null',
    '-',
    '?',
    ': x',
    '{}',
    '[a',
    '😀',
    'a\u2028b',
    'a,b',
  ]
  const value = new Map<string, Value>([
    ['texts', texts],
    ['nested', new Map<string, Value>([['list', [[1, [2]], new Map([['a', [null, true, -1.5]]]), [], new Map()]]])],
    // go-yaml writes `<<` without quotes, and reads it back as a merge where it is a key.
    ...texts.filter(text => text !== '<<').map(text => [text, text] as const),
  ])

  t.same(read(toYaml(value)), [plain(value)])
  for (const [at, text] of texts.entries()) t.same(read(marshal(text)), [text], `text ${at}`)
})

t.test('emitted YAML looks as Helm writes it', async t => {
  const [document] = loadYaml('b: [1, {x: "y", w: [a]}]\na: "on"\nc: "l1\\nl2\\n"\nd: {}\ne: []\nf: null', {
    file: 'a',
    limits: defaultLimits,
    mode: 'values',
  })

  t.equal(toYaml(document?.value ?? null), 'a: "on"\nb:\n- 1\n- w:\n  - a\n  x: "y"\nc: |\n  l1\n  l2\nd: {}\ne: []\nf: null')
})
