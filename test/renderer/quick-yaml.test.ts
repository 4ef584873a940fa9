// The quick reader of YAML against the whole one: where it is sure, it reads the same; of what it must not be sure it says nothing.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { unpack } from '../../renderer/chart/archive.js'
import { readManifests } from '../../renderer/chart/manifests.js'
import { split } from '../../renderer/helm/output.js'
import { defaultLimits } from '../../renderer/limits.js'
import { Int, type Value } from '../../renderer/value/value.js'
import { unmarshalWhole } from '../../renderer/yaml/decode.js'
import { deepestQuick, readPlain, readQuickly } from '../../renderer/yaml/quick.js'
import { conformance, referenceDir } from '../support/reference.js'

function whole(text: string, integers: 'float' | 'exact' | 'kept'): Value | Error {
  try {
    return unmarshalWhole(text, { integers })
  } catch (cause) {
    return cause as Error
  }
}

/** '' where the quick reader gave up, or read the same. */
function difference(text: string): string {
  for (const integers of ['float', 'exact', 'kept'] as const) {
    const quick = readQuickly(text, integers)
    if (quick !== undefined && !isDeepStrictEqual(quick, whole(text, integers))) return `${integers}: ${text.slice(0, 300)}`
  }
  const plain = readPlain(text, Number.POSITIVE_INFINITY)
  if (plain !== undefined && !isDeepStrictEqual(plain, asJson(readQuickly(text, 'exact')))) return `plain: ${text.slice(0, 300)}`
  return ''
}

/** undefined where a number is one that JSON cannot carry exactly. */
function asJson(value: Value | undefined): unknown {
  if (Array.isArray(value)) return value.map(asJson)
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, asJson(item)]))
  return value instanceof Int ? undefined : value
}

/** Pieces from which documents are put together, with what is read easily beside what looks like it. */
const scalars = (
  'a|a b|1|-1|0755|0x1f|1_000|1.5|1e3|.5|1e400|9223372036854775807|18446744073709551616|y|no|~|null|.nan|.inf|2001-01-01|1:30|=|<<|-|- a|? a|: a|a: b|a:|a:b|' +
  'a #b|a#b| # c|#c|"a"|"a" #c|"a" b|"a: b"|"a\\nb"|"\\u00e9"|"\\ud83d"|"\\q"|"a\\\n  b"|"a\n\n   b "|"a|\'a\'|\'it\'\'s\'|\'a\n  b\'|\'a|{}|[]|{ }|[ ] #c|[a, b]|[a,b]|' +
  '["a", \'b\']|[1, true, 0755]|[a: b]|[[a]]|{a: b}|{a: 1, b}|[a, ]|[a|*x|&x a|!!str 1|! a|%a|@a|`a|,a|]a|}a|>\n  a\n  b|>-\n   a|\n   a|\n  a: b|\n  - a|\n- a'
)
  .split(/(?<!\|)\|(?!\n)/)
  .concat(
    '|\n  a\n  b\n',
    '|-\n   a\n\n    b\n\n',
    '|+\n  a\n',
    '|2\n  a',
    '|\n',
    '|\n\n  a',
    '|\n   \n  a',
    '| #c\n  a',
    '|\n  a\n # c',
    'a\n  b',
    'a\n\n\n  b c',
    'a\n  # c',
    'a\n  # c\n  b',
    'a\n  b: c',
    'a\n  b #c\n  d',
    '\u00a0a',
    'é',
    '😀',
    'a\tb',
    '\ta',
    'a\u2028b',
    'a\r',
  )
const shapes: readonly ((x: string, y: string) => string)[] = [
  x => x,
  x => `k: ${x}`,
  x => `k: ${x}\n`,
  (x, y) => `k: ${x}\nl: ${y}\n`,
  (x, y) => `- ${x}\n- ${y}`,
  (x, y) => `k:\n- ${x}\n- ${y}\nl: m`,
  (x, y) => `k:\n  - n: ${x}\n    o: ${y}\n`,
  (x, y) => `k:\n  l: ${x}\n  # c\n  m: ${y}\n# d\n`,
  (x, y) => `- - ${x}\n  - ${y}\n-\n  a`,
  (x, y) => `${x}: ${y}\nb: c`,
  (x, y) => `---\nk: ${x}\n---\nl: ${y}`,
  (x, y) => `a:\n    b: ${x}\n  c: ${y}`,
  (x, y) => `a: ${x}\n\n\n- ${y}`,
  (x, y) => `a: ${x}\na: ${y}`,
]

t.test('what it is sure of is read as the whole reader reads it', async t => {
  const table = shapes.flatMap(shape => scalars.flatMap(x => scalars.map(y => shape(x, y))))
  t.equal(table.map(difference).find(found => found !== '') ?? '', '')
  const sure = table.filter(text => readQuickly(text, 'float') !== undefined).length
  t.ok(sure > table.length / 20, `${sure} of ${table.length}`)
})

t.test('the tables of go-yaml are read the same, or not at all', async t => {
  const table = conformance<{ readonly yaml: unknown }>('goyaml/decode.json') ?? []
  t.same(
    table.map(({ yaml }) => (typeof yaml === 'string' ? difference(yaml) : '')).filter(found => found !== ''),
    [],
  )
})

t.test('it gives up on what is deep or large', async t => {
  const deep = (count: number) => Array.from({ length: count }, (_, at) => `${' '.repeat(at)}a:\n`).join('')

  t.not(readQuickly(deep(deepestQuick), 'float'), undefined)
  t.equal(readQuickly(deep(deepestQuick + 2), 'float'), undefined)
  t.not(readQuickly('a: 1\nb: 2\n', 'float', 4), undefined)
  t.equal(readQuickly('a: 1\nb: 2\n', 'float', 3), undefined)
})

t.test('objects of plain files are the same, with the same lines and the same faults', async t => {
  const head = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n`
  const texts = [
    head('a'),
    `---\n${head('a')}---\n${head('b')}`,
    `# c\n\n---\n# d\n${head('a')}---\n\n# only this\n---\n${head('b')}data: {}\n`,
    `${head('a')}data:\n  big: 9007199254740993\n`,
    `${head('a')}  labels:\n    v: 1.0\n`,
    `apiVersion: v1\nkind: ConfigMapList\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: a\n`,
    'kind: Pod\nmetadata:\n  name: x\n',
    `${head('a')}data:\n  a: b\n  a: c\n`,
    'just text\n',
    '',
  ]
  for (const text of texts) {
    const read = (nesting: number) => {
      try {
        return readManifests({ file: 'a.yaml', text, limits: { ...defaultLimits, nesting } })
      } catch (cause) {
        return `${(cause as Error).message}\n${(cause as { excerpt?: string }).excerpt}`
      }
    }
    t.same(read(defaultLimits.nesting), read(deepestQuick - 1), text)
  }
})

const corpus = referenceDir('corpus')
t.test('documents and values of known charts', { skip: corpus === null && 'the chart corpus is not here' }, async t => {
  const golden = ['argo-cd-10.1.1--default', 'kube-prometheus-stack-88.5.3--default', 'redis-23.1.1--default']
  const documents = golden.flatMap(name =>
    split(gunzipSync(readFileSync(join(corpus ?? '', `golden/${name}.yaml.gz`))).toString(), '3'),
  )
  const charts = ['kube-prometheus-stack-88.5.3', 'redis-23.1.1', 'grafana-12.11.1', 'traefik-41.3.0']
  const files = charts
    .flatMap(name => unpack(readFileSync(join(corpus ?? '', `charts/${name}.tgz`))))
    .filter(({ name }) => /\.ya?ml$/.test(name) && !name.includes('templates/'))
    .map(({ bytes }) => Buffer.from(bytes).toString())
  const all = [...documents, ...files]

  t.same(
    all.map(difference).filter(found => found !== ''),
    [],
  )
  t.ok(
    all.filter(text => readQuickly(text, 'exact') !== undefined).length > all.length * 0.8,
    'and nearly all of them are read quickly',
  )
})
