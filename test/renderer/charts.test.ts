import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import t from 'tap'
import { globMatcher } from '../../renderer/glob.js'
import { valueFilePath } from '../../renderer/index.js'
import { type Dict, Int, isDict, isList, type Value } from '../../renderer/value/value.js'
import { givenValues, type ValueInputs } from '../../renderer/values/given.js'
import { setInto } from '../../renderer/values/strvals.js'
import { renderTree, type Tree } from '../support/render.js'

function plain(value: Value): unknown {
  if (value instanceof Int) return Number.isSafeInteger(Number(value.value)) ? Number(value.value) : value.value
  if (isList(value)) return value.map(plain)
  return isDict(value) ? Object.fromEntries([...value].map(([key, item]) => [key, plain(item)])) : value
}

function treeAt(folder: string): Tree {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  return Object.fromEntries(
    files.map(entry => {
      const path = join(entry.parentPath ?? entry.path, entry.name)
      return [relative(folder, path), readFileSync(path, 'utf8')]
    }),
  )
}

const configMap = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n'

t.test('--set reads what Helm reads', async t => {
  const table: readonly (readonly [string, unknown, object?])[] = [
    ['a=1', { a: 1 }],
    ['a=1,b=x', { a: 1, b: 'x' }],
    ['a=', { a: '' }],
    ['a=true,b=null,c=007,d=1.5,e=-3', { a: true, b: null, c: '007', d: '1.5', e: -3 }],
    ['a=9007199254740993', { a: 9007199254740993n }],
    ['a.b.c=x', { a: { b: { c: 'x' } } }],
    ['a.b[1].c=v', { a: { b: [null, { c: 'v' }] } }],
    ['a[0][1]=x', { a: [[null, 'x']] }],
    ['x={a,b},y={}', { x: ['a', 'b'], y: [''] }],
    ['x={1,true}', { x: [1, true] }],
    ['a\\.b=c\\,d', { 'a.b': 'c,d' }],
    ['a=b\\\\c', { a: 'b\\c' }],
    ['a.b=2', { a: { b: 2, c: 3 } }, { a: { b: 1, c: 3 } }],
    ['a[1]=x', { a: [1, 'x', 3] }, { a: [1, 2, 3] }],
  ]
  for (const [text, expected, base] of table) t.same(set(text, base), expected, text)
  t.same(set('a=1,b=true', {}, 'string'), { a: '1', b: 'true' })
  t.same(parameter('1,2'), { a: '1,2' }, 'a comma is meant as itself')
  t.same(parameter('{1,2}'), { a: [1, 2] }, 'but in a list')
})

function set(line: string, base: object = {}, kind: 'typed' | 'string' = 'typed'): unknown {
  const values = given({ values: base as Readonly<Record<string, unknown>> })
  setInto(values, line, { kind })
  return plain(values)
}

function parameter(value: string): unknown {
  return plain(given({ parameters: [{ name: 'a', value, forceString: false }] }))
}

function given(inputs: Partial<ValueInputs>): Dict {
  return givenValues({ valueFiles: [], ignoreMissingValueFiles: false, values: {}, parameters: [], ...inputs })
}

t.test('--set faults name the key and never the value', async t => {
  const table: readonly (readonly [string, string])[] = [
    ['a', 'key "a" has no value'],
    ['a.b', 'key "b" has no value'],
    ['a[x]=canary', 'error parsing index: strconv.Atoi: parsing "x": invalid syntax'],
    ['a[65537]=canary', 'index of 65537 is greater than maximum supported index of 65536'],
    ['a={canary', "list must terminate with '}'"],
    [`${'a.'.repeat(40)}a=canary`, 'value name nested level is greater than maximum supported nested level of 30'],
  ]
  for (const [text, expected] of table) t.throws(() => setInto(new Map(), text, { kind: 'typed' }), { message: expected }, text)
})

t.test('values are laid over one another, low to high', async t => {
  const tree = {
    'Chart.yaml': 'name: t',
    'values.yaml': 'a: {x: 1, u: 2, z: 3}\nlist: [1, 2]',
    'templates/a.hbs': `${configMap}data: {{toJson Values}}\n`,
  }
  const given = {
    valueFiles: [
      { name: 'one.yaml', bytes: Buffer.from('a: {u: 20, z: null}\nlist: [9]') },
      { name: 'two.yaml', bytes: Buffer.from('a: {u: 21}') },
    ],
    values: { a: { w: 'inline', x: 10 } },
    parameters: [
      { name: 'a.x', value: '11', forceString: false },
      { name: 'a.v', value: '12', forceString: true },
    ],
  }

  t.same(renderTree(tree, given).objects?.[0]?.manifest.data, { a: { x: 11, u: 21, w: 'inline', v: '12' }, list: [9] })
})

t.test('value files stay inside the repository', async t => {
  t.equal(valueFilePath('apps/shop', 'values/prod.yaml'), 'apps/shop/values/prod.yaml')
  t.equal(valueFilePath('apps/shop', '../../env/./prod.yaml'), 'env/prod.yaml')
  t.equal(valueFilePath('apps/shop', '/env/prod.yaml'), 'env/prod.yaml')
  t.equal(valueFilePath('.', 'values.yaml'), 'values.yaml')
  const refused = [
    '',
    '../../../etc/passwd',
    '/../x',
    '../..',
    'https://example.com/v.yaml',
    'file:///etc/passwd',
    'a\\..\\b',
    'a\0b',
    '%2e%2e/x',
    '..%2fx',
    '․․/x',
    '．．/x',
    'a／b',
    '../../.git/config',
    'secrets://x',
  ]
  for (const name of refused)
    t.throws(() => valueFilePath('apps/shop', name), { name: 'RenderFault', message: /^value file / }, JSON.stringify(name))
})

t.test('a missing value file is told by name, or passed over where that is allowed', async t => {
  const tree = { 'Chart.yaml': 'name: t', 'templates/a.hbs': configMap }
  const valueFiles = [{ name: 'values/prod.yaml', bytes: null }]

  t.same(renderTree(tree, { valueFiles }).error, {
    reason: 'MissingValueFile',
    message: 'value file values/prod.yaml is not in this commit; add it, or set ignoreMissingValueFiles',
    excerpt: '',
  })
  t.equal(renderTree(tree, { valueFiles, ignoreMissingValueFiles: true }).objects?.length, 1)
})

t.test('a plain directory gives the objects of its manifests', async t => {
  const tree = {
    'a.yaml': configMap,
    'b.yml':
      '---\n# only a comment\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: s}}\n- {apiVersion: v1, kind: Service, metadata: {name: w}}\n',
    'c.json': '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}',
    'README.md': '{{ not: yaml',
    'sub/d.yaml': configMap,
    '.github/workflow.yaml': 'on: push',
  }
  const found = (directory: { recurse: boolean; include: string; exclude: string }): unknown =>
    renderTree(tree, { directory }).objects?.map(object => `${object.file}:${object.line} ${object.manifest.kind}`)

  t.same(found({ recurse: false, include: '', exclude: '' }), [
    'a.yaml:1 ConfigMap',
    'b.yml:7 Secret',
    'b.yml:8 Service',
    'c.json:1 Namespace',
  ])
  t.same(found({ recurse: true, include: '{a,sub/*}.yaml', exclude: '' }), ['a.yaml:1 ConfigMap', 'sub/d.yaml:1 ConfigMap'])
  t.same(found({ recurse: true, include: '', exclude: '*.{yml,json}' }), ['a.yaml:1 ConfigMap', 'sub/d.yaml:1 ConfigMap'])
})

t.test('what is no object is told with its place', async t => {
  const table: readonly (readonly [string, string])[] = [
    ['a: 1\n', 'a.yaml:1:1: apiVersion is missing\n  1 | a: 1\n    | ^'],
    ['- 1\n', 'a.yaml:1:1: a Kubernetes object is wanted, this is a list\n  1 | - 1\n    | ^'],
    ['apiVersion: v1\nmetadata: {name: a}\n', 'a.yaml:1:1: kind is missing\n  1 | apiVersion: v1\n    | ^'],
    ['apiVersion: v1\nkind: Pod\n', 'a.yaml:1:1: Pod has no metadata\n  1 | apiVersion: v1\n    | ^'],
    [
      'apiVersion: v1\nkind: Pod\nmetadata:\n  name: 12\n',
      'a.yaml:4:3: metadata.name must be text, is a number; put it in quotes\n  2 | kind: Pod\n  3 | metadata:\n  4 |   name: 12\n    |   ^',
    ],
    [
      'apiVersion: v1\nkind: Job\nmetadata:\n  generateName: a-\n',
      'a.yaml:3:1: Job has generateName, but what is kept in Git needs a fixed metadata.name\n  1 | apiVersion: v1\n  2 | kind: Job\n  3 | metadata:\n    | ^',
    ],
    [
      'apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels:\n    v: 1.0\n',
      'a.yaml:6:5: metadata.labels.v must be text, is a number; put it in quotes\n  4 |   name: a\n  5 |   labels:\n  6 |     v: 1.0\n    |     ^',
    ],
    [
      `${configMap}x:\n  - big: 9007199254740993\n`,
      'a.yaml:5:5: x[0].big is a number beyond 2^53, which cannot be carried exactly; put it in quotes\n  3 | metadata: { name: a }\n  4 | x:\n  5 |   - big: 9007199254740993\n    |     ^',
    ],
  ]
  for (const [text, expected] of table) {
    const { error } = renderTree({ 'a.yaml': text })
    t.equal(`${error?.message}\n${error?.excerpt}`, expected)
  }
  t.match(renderTree({ 'a.yaml': new Uint8Array([0x61, 0xff, 0xfe]) }).error, { message: 'a.yaml: is not UTF-8 text' })
})

t.test('bounds in the schema of a CustomResourceDefinition are float64, as Kubernetes has them', async t => {
  const bounds = 'properties: { port: { type: integer, minimum: -9223372036854775808, maximum: 9223372036854775807 } }'
  const { objects, error } = renderTree({
    'a.yaml': `apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: { name: a }\nspec: { versions: [{ schema: { openAPIV3Schema: { ${bounds} } } }] }\n`,
  })

  t.equal(error, undefined)
  t.match(objects?.[0]?.manifest.spec, {
    versions: [{ schema: { openAPIV3Schema: { properties: { port: { minimum: -(2 ** 63), maximum: 2 ** 63 } } } } }],
  })
})

t.test('what a chart cannot have is told by name', async t => {
  const table: readonly (readonly [Tree, string])[] = [
    [{ 'Chart.yaml': 'name: t', 'templates/web.yaml': 'a' }, 'validation: chart.metadata.version is required'],
    [
      { 'Chart.yaml': 'name: t\ndependencies: [{name: x, version: 1.0.0}]', 'templates/a.hbs': '' },
      'An error occurred while checking for chart dependencies. You may need to run `helm dependency build` to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: x',
    ],
    [{ 'Chart.yaml': 'version: 1' }, 'validation: chart.metadata.name is required'],
    [
      { 'Chart.yaml': 'name: t', 'templates/_a.hbs': '', 'templates/x/_a.hbs': '' },
      'templates/x/_a.hbs: partial a is also templates/_a.hbs; rename one',
    ],
    [
      { 'Chart.yaml': 'name: t', 'values.yaml': '[]' },
      'cannot load values.yaml: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}',
    ],
  ]
  for (const [tree, expected] of table) t.equal(renderTree(tree).error?.message, expected)
})

t.test('a values file that cannot be read shows no value', async t => {
  const { error } = renderTree({ 'Chart.yaml': 'name: t', 'values.yaml': 'password: canary-4711\nother: [canary-4712\n' })

  t.match(error?.message, /^values\.yaml:\d+:\d+: /)
  t.match(error?.excerpt, 'password: ***')
  t.notMatch(error?.excerpt, 'canary')
})

t.test('templates read the chart’s own files and nothing else', async t => {
  const tree = {
    'Chart.yaml': 'name: t',
    'values.yaml': 'x: 1',
    'conf/a.ini': 'one\ntwo\n',
    'conf/b.bin': new Uint8Array([0xff, 0x00]),
    'templates/a.hbs': `${configMap}data:\n  get: {{quote (files.get "conf/a.ini")}}\n  none: {{quote (files.get "values.yaml")}}\n  out: {{quote (Files.Get "../x")}}\n  {{nindent 2 (files.asConfig "conf/*.ini")}}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  {{nindent 2 (files.asSecrets (files.glob "conf/*"))}}\n`,
  }

  const { objects, error } = renderTree(tree)
  const [secret, config] = objects ?? []
  t.equal(error, undefined)
  t.same(config?.manifest.data, { get: 'one\ntwo\n', none: '', out: '', 'a.ini': 'one\ntwo\n' })
  t.same(secret?.manifest.data, { 'a.ini': 'b25lCnR3bwo=', 'b.bin': '/wA=' })
})

t.test('globs match as people expect, in bounded time', async t => {
  const table: readonly (readonly [string, string, boolean])[] = [
    ['*.yaml', 'a.yaml', true],
    ['*.yaml', 'b/a.yaml', false],
    ['**/*.yaml', 'b/c/a.yaml', true],
    ['**/*.yaml', 'a.yaml', true],
    ['a?.y', 'ab.y', true],
    ['[a-c].y', 'b.y', true],
    ['[!a-c].y', 'b.y', false],
    ['{a,b}/*.{yml,yaml}', 'b/x.yml', true],
    ['\\*.y', '*.y', true],
    ['\\*.y', 'a.y', false],
    ['***************************b', `${'a'.repeat(200)}`, false],
  ]
  for (const [pattern, path, expected] of table) t.equal(globMatcher(pattern)(path), expected, `${pattern} ${path}`)
  t.throws(() => globMatcher('{a,b}'.repeat(20)), { message: 'a pattern with more than 1000 alternatives' })
})

t.test('examples/shop renders, quietly inside or on a port of the node', async t => {
  const { objects, error } = renderTree(treeAt('examples/shop'), { values: { nodePort: 30080, behaviour: 'crash' } })
  const inside = renderTree(treeAt('examples/shop')).objects

  t.equal(error, undefined)
  t.same(
    objects?.map(object => `${object.manifest.kind} ${object.manifest.metadata.name}`),
    ['ConfigMap shop', 'Service shop', 'Deployment shop'],
  )
  t.match(objects?.[0]?.manifest.data, { MESSAGE: 'welcome', BEHAVIOUR: 'crash' })
  t.match(objects?.[1]?.manifest.spec, { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] })
  t.match(inside?.[1]?.manifest.spec, { type: 'ClusterIP', ports: [{ port: 80, nodePort: undefined }] })
  t.notSame(objects?.[2], inside?.[2], 'a changed setting changes the pods')
})
