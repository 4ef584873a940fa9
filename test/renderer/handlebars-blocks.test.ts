// Handlebars beyond single values: partials that take blocks, data inside of them, and the two languages calling each other.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { render, StickyBook } from '../../renderer/index.js'
import { filesOf, options, printed, renderTree, type Tree } from '../support/render.js'

const values = { name: 'web', items: [{ name: 'a' }, { name: 'b' }], ports: { http: 80, admin: 9000 }, big: 1234567, half: 0.5 }

t.test('partials take blocks', async t => {
  const more = {
    'templates/_box.hbs': '[{{> @partial-block}}]',
    'templates/_twice.hbs': '{{> @partial-block}}+{{> @partial-block}}',
    'templates/_framed.hbs': 'begin\n  {{> @partial-block}}\nend\n',
    'templates/_outer.hbs': '<{{#> box}}({{> @partial-block}}){{/box}}>',
    'templates/_with.hbs': '{{#with Values.ports}}{{> @partial-block}}{{/with}}',
    'templates/_item.hbs': '{{@index}}:{{@key}}:{{name}} ',
  }
  const table: readonly (readonly [string, string])[] = [
    ['{{#> box}}{{Values.name}}{{/box}}', '[web]'],
    ['{{#> twice}}x{{/twice}}', 'x+x'],
    ['{{#> framed}}\na: 1\nb: 2\n{{/framed}}\n', 'begin\n  a: 1\n  b: 2\nend\n'],
    ['{{#> outer}}in{{/outer}}', '<[(in)]>'],
    ['{{#each Values.items as |item|}}{{#> box}}{{item.name}}{{@index}}{{/box}}{{/each}}', '[a0][b1]'],
    ['{{#> with}}{{http}}|{{../Values.name}}{{/with}}', '80|web'],
    ['{{#> nowhere}}instead{{/nowhere}}', 'instead'],
    ['{{#> box Values.ports}}{{admin}}{{/box}}', '[9000]'],
    ['{{#> box extra="e"}}{{extra}}{{/box}}', '[e]'],
    ['{{#each Values.items}}{{> item}}{{/each}}', '0:0:a 1:1:b '],
    ['{{#each Values.ports}}{{> item (dict "name" @key)}}{{/each}}', '0:admin:admin 1:http:http '],
  ]
  for (const [template, expected] of table) t.equal(printed(template, values, more), expected, template)
})

t.test('numbers are one kind, however they came', async t => {
  const table: readonly (readonly [string, string])[] = [
    ['{{Values.big}} {{quote Values.big}} {{printf "%d" Values.big}} {{toString Values.half}}', '1234567 "1234567" 1234567 0.5'],
    [
      '{{eq Values.ports.http 80}} {{eq Values.half 0.5}} {{lt Values.half 1}} {{ge Values.big 1234567.0}}',
      'true true true true',
    ],
    ['{{has 80 (values Values.ports)}} {{join "," (values Values.ports)}}', 'true 9000,80'],
    ['{{toJson (uniq (list 80 Values.ports.http (int 80)))}}', '[80]'],
    ['{{trunc 3 Values.big}} {{add Values.big 1}} {{repeat Values.items.[9] "x"}}|', 'error'],
    ['{{b64enc Values.big}} {{ternary "a" "b" Values.items}}', 'MTIzNDU2Nw== a'],
    ['{{len Values.items}} {{len Values.absent}} {{index Values.items 1 "name"}} {{lookup Values.ports "http"}}', '2 0 b 80'],
  ]
  for (const [template, expected] of table)
    if (expected === 'error') t.match(printed(template, values), 'repeat wants a whole number as argument 1, got null')
    else t.equal(printed(template, values), expected, template)
})

t.test('what a function is given, it never changes', async t => {
  const probe = '{{#with (merge (dict) Values.a (dict "x" (dict "new" 1)))}}{{toJson this}}{{/with}} {{toJson Values.a}}'

  t.equal(printed(probe, { a: { x: { old: 1 } } }), '{"x":{"new":1,"old":1}} {"x":{"old":1}}')
  t.equal(printed('{{toJson (sortAlpha Values.l)}} {{toJson Values.l}}', { l: ['b', 'a'] }), '["a","b"] ["b","a"]')
})

const mixed: Tree = {
  'Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
  'values.yaml': 'name: web\nchanged: {}\nport: 8080\n',
  'templates/_helpers.tpl':
    '{{ define "shop.labels" }}app: {{ .Release.Name }}{{ end }}{{ define "shop.calls" }}{{ include "greeting" . }}{{ end }}',
  'templates/_greeting.hbs': 'hello {{Values.name}} of {{@root.Release.Name}}',
  'templates/_port.hbs': '{{quote port}}',
  'templates/a.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: go }\ndata:\n  said: {{ include "greeting" . }}\n  port: {{ include "port" .Values }}\n',
  'templates/b.hbs':
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hbs\n  labels:\n    {{> shop.labels}}\ndata:\n  said: {{include "shop.calls" this}}\n  kind: {{kindOf Values.port}}\n',
}

t.test('templates of both languages call each other', async t => {
  const { objects, error } = renderTree(mixed)

  t.equal(error, undefined)
  const found = new Map(objects?.map(({ manifest }) => [manifest.metadata.name, manifest]))
  t.same(found.get('go')?.data, { said: 'hello web of shop', port: '8080' })
  t.same(found.get('hbs')?.metadata.labels, { app: 'shop' })
  t.same(found.get('hbs')?.data, { said: 'hello web of shop', kind: 'int64' })
})

t.test('a fault on the other side is told where it is', async t => {
  const rows: readonly (readonly [Tree, string])[] = [
    [
      { 'templates/_greeting.hbs': '{{Values.nmae}}' },
      'templates/_greeting.hbs:1:3: undefined value Values.nmae (did you mean Values.name?)',
    ],
    [
      { 'templates/_helpers.tpl': '{{ define "shop.labels" }}\n{{ .Values.name.first }}{{ end }}', 'templates/a.yaml': '' },
      "templates/_helpers.tpl:2:11: can't evaluate field first in type interface {}",
    ],
    [
      { 'templates/b.hbs': '{{include "shop.lables" this}}' },
      'templates/b.hbs:1:3: unknown partial shop.lables; a partial is a file templates/_shop.lables.hbs',
    ],
    [
      {
        'templates/_helpers.tpl': '{{ define "shop.labels" }}{{ include "loop" . }}{{ end }}',
        'templates/_loop.hbs': '{{> shop.labels}}',
      },
      'templates inside one another',
    ],
  ]
  for (const [files, message] of rows)
    t.match(renderTree({ ...mixed, ...files }, { limits: { depth: 100 } }).error?.message, message)
})

t.test('both languages see what the other’s templates of the same chart see, subcharts with it', async t => {
  const tree = {
    ...mixed,
    'values.yaml': 'name: web\nport: 8080\ncache: { size: 5 }\nglobal: { region: eu }\n',
    'charts/cache/Chart.yaml': 'apiVersion: v2\nname: cache\nversion: 1.0.0\n',
    'charts/cache/values.yaml': 'size: 1\nunit: Gi\n',
    'charts/cache/values.schema.json': '{"properties":{"size":{"maximum":9}}}',
    'charts/cache/templates/_unit.hbs': '{{Values.unit}}',
    'charts/cache/templates/_greeting.hbs': 'cache greets',
    'charts/cache/templates/c.hbs':
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: cache }\ndata:\n  size: {{Values.size}}{{> unit}}\n  region: {{Values.global.region}}\n  said: {{> greeting}}\n  parent: {{> shop/port port=7}}\n',
  }

  const { objects, error } = renderTree(tree)

  t.equal(error, undefined)
  const cache = objects?.find(({ manifest }) => manifest.metadata.name === 'cache')
  t.same(cache?.manifest.data, { size: '5Gi', region: 'eu', said: 'cache greets', parent: '7' })
  t.match(cache, { file: 'charts/cache/templates/c.hbs', line: 1 })
  t.match(renderTree(tree, { values: { cache: { size: 10 } } }).error?.message, /cache:\n- at '\/size': maximum/)
})

t.test('what a chart mints is found again by where its call stands, whatever moves around it', async t => {
  const secret = (before: string, rows: string): Tree => ({
    'Chart.yaml': 'name: t',
    'values.yaml': rows,
    'templates/_password.hbs': '{{randAlphaNum 12}}',
    'templates/s.hbs': `${before}apiVersion: v1\nkind: Secret\nmetadata: { name: s }\nstringData:\n  one: {{randAlphaNum 8}}\n  two: {{randAlphaNum 8}}\n  three: {{> password}}\n  {{#each Values.users}}\n  {{name}}: {{randAlphaNum 8}}\n  {{/each}}\n`,
  })
  let fill = 0
  const run = (tree: Tree, kept: Readonly<Record<string, string>>) => {
    const book = new StickyBook(
      { salt: 's', values: kept, answers: {} },
      { random: count => new Uint8Array(count).fill(++fill), now: 0 },
    )
    const { objects, error } = render(filesOf(tree), options, book)
    t.equal(error, undefined)
    return { data: objects?.[0]?.manifest.stringData as Record<string, string>, minted: book.touched().minted }
  }

  const first = run(secret('', 'users: [{ name: ann }, { name: bob }]'), {})
  const kept = Object.fromEntries(Object.entries(first.minted).map(([key, { value }]) => [key, value]))
  const again = run(secret('', 'users: [{ name: ann }, { name: bob }]'), kept)
  const moved = run(secret('# moved\n', 'users: [{ name: zoe }, { name: ann }, { name: bob }]'), kept)

  t.equal(new Set(Object.values(first.data)).size, 5, 'each call its own')
  t.same(again.data, first.data)
  t.same(again.minted, {})
  t.match(moved.data, first.data, 'a line above and a user in front change none')
  t.equal(Object.keys(moved.minted).length, 1)
  t.same(
    Object.values(first.minted)
      .map(({ label, file }) => `${file} ${label}`)
      .sort(),
    ['templates/s.hbs ', 'templates/s.hbs ', 'templates/s.hbs one', 'templates/s.hbs three', 'templates/s.hbs two'],
  )
})

t.test('a value with the name of a function is told how to be written', async t => {
  t.match(
    printed('{{#with (dict "title" "x")}}{{title}}{{/with}}'),
    'title wants 1 argument, got 0; a value of that name is written this.title',
  )
  t.equal(printed('{{#with (dict "title" "x")}}{{this.title}}{{/with}}'), 'x')
})

t.test('the example of the README is the same in both languages', async t => {
  const readme = readFileSync('README.md', 'utf8')
  const block = /^# templates\/web\.yaml \(Helm\).*?^```/ms.exec(readme)?.[0] ?? ''
  const rows = block.split('\n').slice(1, -1)
  const sides = rows.map(row => [row.slice(0, 64).trimEnd(), row.slice(66)] as const)
  const head = (name: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\n`
  const tree = {
    'Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
    'values.yaml': 'image: {name: a, tag: b}\nlabels: {z: 1, a: x}\nports: {http: 80, admin: 0}\ntls: true\nkind: web\n',
    'templates/_l.tpl': '{{ define "shop.labels" }}more: 1\nless: 0{{ end }}',
    'templates/_labels.hbs': 'more: 1\nless: 0\n',
    'templates/a.yaml': `${head('go')}${sides
      .map(([helm]) => `${helm}\n`)
      .join('')
      .replace('| indent 4', '| indent 0')}`,
    'templates/b.hbs': `${head('hbs')}${sides
      .map(([, own]) => `${own}\n`)
      .join('')
      .replace('    {{>', '{{>')}`,
  }
  const { objects, error } = renderTree(tree)

  t.equal(error, undefined)
  t.ok(rows.length > 8)
  const [go, hbs] = ['go', 'hbs'].map(name => objects?.find(({ manifest }) => manifest.metadata.name === name)?.manifest)
  t.match(go, { image: 'a:b', labels: { a: 'x', z: 1 }, http: 80, admin: 80, more: 1 })
  t.same({ ...go, metadata: null }, { ...hbs, metadata: null })
})
