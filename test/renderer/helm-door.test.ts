// Helm charts as the controller renders them: objects with their origins, and faults with their place.
import t from 'tap'
import { renderTree, type Tree } from '../support/render.js'

const chart: Tree = {
  'Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.2.3\nappVersion: 1.10\n',
  'values.yaml': 'replicas: 2\nimage: {repository: web, tag: ""}\nredis: {port: 6379}\n',
  'templates/_helpers.tpl':
    '{{- define "shop.image" -}}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{- end -}}',
  'templates/web.yaml':
    '# the web\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}-web\nspec:\n  replicas: {{ .Values.replicas }}\n  image: {{ include "shop.image" . }}\n---\napiVersion: v1\nkind: Service\nmetadata:\n  name: web\n',
  'templates/hook.yaml':
    'apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations:\n    helm.sh/hook: pre-install\n',
  'templates/NOTES.txt': 'Thank you for installing {{ .Chart.Name }}.',
  'charts/redis/Chart.yaml': 'apiVersion: v2\nname: redis\nversion: 0.1.0\n',
  'charts/redis/values.yaml': 'port: 1\nname: cache\n',
  'charts/redis/templates/service.yaml':
    'apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Values.name }}\nspec:\n  port: {{ .Values.port }}\n',
  'crds/thing.yaml':
    'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: things.example.com\n',
}

t.test('a Helm chart becomes objects in Helm’s order, with the line of their kind', async t => {
  const { objects, error } = renderTree(chart, { values: { replicas: 3 } })

  t.equal(error, undefined)
  t.same(
    objects?.map(({ manifest, file, line }) => `${manifest.kind}/${manifest.metadata.name} ${file}:${line}`),
    [
      'CustomResourceDefinition/things.example.com crds/thing.yaml:1',
      'Service/cache charts/redis/templates/service.yaml:2',
      'Service/web templates/web.yaml:11',
      'Deployment/shop-web templates/web.yaml:3',
      'Job/migrate templates/hook.yaml:2',
    ],
  )
  t.same(objects?.find(({ manifest }) => manifest.kind === 'Deployment')?.manifest.spec, { replicas: 3, image: 'web:1.1' })
  t.same(objects?.find(({ manifest }) => manifest.metadata.name === 'cache')?.manifest.spec, { port: 6379 })
})

t.test('a subchart under an alias is told by the line in the template that it stands for', async t => {
  const { objects } = renderTree({
    ...chart,
    'Chart.yaml': `${chart['Chart.yaml']}dependencies: [{name: redis, version: 0.1.0, alias: session}]\n`,
    'charts/redis/templates/service.yaml': '# one\n\napiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Chart.Name }}\n',
  })

  t.match(
    objects?.find(({ manifest }) => manifest.metadata.name === 'session'),
    { file: 'charts/session/templates/service.yaml', line: 4 },
  )
})

t.test('a subchart’s values are chartutil.Values for itself, a plain map for its parent, and the same for both', async t => {
  const probe = (name: string, data: string): string =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: ${data}\n`
  const { objects, error } = renderTree({
    ...chart,
    'templates/probe.yaml': probe(
      'above',
      '{type: {{ typeOf .Values.redis | quote }}, own: {{ typeOf .Values }}, added: {{ .Values.redis.added | quote }}, keys: {{ keys .Values.redis | sortAlpha | join " " | quote }}}',
    ),
    'charts/redis/templates/service.yaml': `{{- $_ := set .Values "added" "below" }}${probe(
      'below',
      '{type: {{ typeOf .Values | quote }}, copy: {{ typeOf (deepCopy .Values) | quote }}, map: {{ typeOf .Values.AsMap | quote }}, json: {{ toJson .Values | quote }}}',
    )}`,
  })

  t.equal(error, undefined)
  const data = (name: string) => objects?.find(({ manifest }) => manifest.metadata.name === name)?.manifest.data
  t.same(data('above'), {
    type: 'map[string]interface {}',
    own: 'chartutil.Values',
    added: 'below',
    keys: 'added global name port',
  })
  t.match(data('below'), {
    type: 'chartutil.Values',
    copy: 'chartutil.Values',
    map: 'map[string]interface {}',
    json: '{"added":"below","global":{},"name":"cache","port":6379}',
  })
})

t.test('value files and parameters go the way of helm’s flags', async t => {
  const valueFiles = [{ name: 'prod.yaml', bytes: new TextEncoder().encode('image: {tag: v1}\nreplicas: 4\n') }]
  const parameters = [
    { name: 'image.repository', value: 'registry/web', forceString: false },
    { name: 'image.tag', value: '7', forceString: true },
  ]

  const { objects } = renderTree(chart, { valueFiles, parameters })

  const spec = objects?.find(({ manifest }) => manifest.kind === 'Deployment')?.manifest.spec
  t.same(spec, { replicas: 4, image: 'registry/web:7' })
})

t.test('Handlebars templates beside Helm’s see the same values', async t => {
  const mixed = {
    ...chart,
    'templates/config.hbs':
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: config }\ndata: { port: "{{Values.redis.port}}", release: {{Release.Name}} }\n',
  }

  const { objects, error } = renderTree(mixed)

  t.equal(error, undefined)
  t.same(objects?.find(({ manifest }) => manifest.kind === 'ConfigMap')?.manifest.data, { port: '6379', release: 'shop' })
})

t.test('what is wrong is told with its place', async t => {
  const table: readonly (readonly [Tree, string, string])[] = [
    [
      { 'templates/web.yaml': 'a: {{ .Values.nothing.there }}\n' },
      'TemplateError',
      'templates/web.yaml:1:14: nil pointer evaluating interface {}.there',
    ],
    [{ 'templates/web.yaml': '\n{{ fail "no password" }}\n' }, 'TemplateError', 'templates/web.yaml:2:4: no password'],
    [{ 'templates/web.yaml': '{{ required "a name!" .Values.name }}' }, 'TemplateError', 'templates/web.yaml:1:4: a name!'],
    [{ 'templates/web.yaml': '{{ if }}' }, 'TemplateError', 'templates/web.yaml:1: missing value for if'],
    [{ 'templates/web.yaml': '{{ nosuch 1 }}' }, 'TemplateError', 'templates/web.yaml:1: function "nosuch" not defined'],
    [
      { 'templates/web.yaml': 'a: b: c\n' },
      'InvalidYaml',
      'templates/web.yaml: error converting YAML to JSON: yaml: mapping values are not allowed in this context',
    ],
    [
      { 'values.schema.json': '{"properties":{"replicas":{"type":"string"}}}' },
      'InvalidValues',
      "values don't meet the specifications of the schema(s) in the following chart(s):\nshop:\n- at '/replicas': got number, want string\n",
    ],
    [
      { 'values.yaml': 'redis: canary\n' },
      'InvalidValues',
      'type mismatch on redis: what values give for subchart redis must be a map, and is a string; look at redis in the values',
    ],
    [
      { 'Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\nkubeVersion: ">=1.99"\n' },
      'InvalidChart',
      'chart requires kubeVersion: >=1.99 which is incompatible with Kubernetes v1.31.0',
    ],
    [
      { 'Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies: [{name: db, version: 1.0.0}]\n' },
      'InvalidChart',
      'An error occurred while checking for chart dependencies. You may need to run `helm dependency build` to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: db',
    ],
    [
      { 'templates/web.yaml': 'kind: Pod\nmetadata: {name: x}\n' },
      'InvalidManifest',
      'templates/web.yaml:1: apiVersion is missing',
    ],
  ]
  for (const [files, reason, message] of table) {
    const { error } = renderTree({ ...chart, ...files })
    t.same([error?.reason, error?.message], [reason, message])
  }
})

t.test('a template that never ends costs its steps and no more', async t => {
  const { error } = renderTree({
    ...chart,
    'templates/web.yaml': '{{ define "x" }}{{ include "x" . }}{{ end }}{{ include "x" . }}',
  })

  t.equal(error?.reason, 'LimitExceeded')
})

t.test('what is wrong with a value is told without the value, which may be a secret', async t => {
  const secrets = { s: 'canary-4711', bad: '[canary-4712', t: 'a{{ canary4713', long: 'canary-4714 '.repeat(3) }
  const templates = [
    '{{ semver .Values.s }}',
    '{{ mustToDate "2006-01-02" .Values.s }}',
    '{{ mustRegexFind .Values.bad "x" }}',
    '{{ range .Values.s }}{{ end }}',
    '{{ mustFromJson .Values.s }}',
    '{{ tpl .Values.t . }}',
    '{{ include "x" .Values.s }}{{ define "x" }}{{ semver . }}{{ end }}',
    '{{ index .Values .Values.s "x" }}',
    '{{ .Values.s.deeper }}',
    '{{ eq .Values.s 1 }}',
    '{{ template "nope" .Values.s }}',
    '{{ buildCustomCert .Values.s .Values.s }}',
    '{{ atoi .Values.s | fail }}',
    '{{ slice .Values.long 1 99 }}',
  ]
  for (const template of templates) {
    const { error } = renderTree({ ...chart, 'templates/web.yaml': template }, { values: secrets })
    t.equal(error?.reason, 'TemplateError', template)
    t.notMatch(`${error?.message} ${error?.excerpt}`, 'canary', template)
  }
  const schema = '{"properties":{"s":{"type":"string","pattern":"^x"},"bad":{"format":"email"}}}'
  const { error } = renderTree({ ...chart, 'values.schema.json': schema }, { values: secrets })
  t.match(error?.message, /at '\/s': '…' does not match pattern '\^x'/)
  t.notMatch(error?.message, 'canary')
})

t.test('a rendered file that is no YAML is shown where it stops being one, with the document', async t => {
  const rows: readonly (readonly [Tree, string])[] = [
    [
      { 'templates/web.yaml': 'kind: A\n---\nkind: B\nname: {{ .Release.Name }}\n at: {{ .Values.replicas }}\n' },
      'what templates/web.yaml rendered (document 2):\n  1 | kind: B\n  2 | name: shop\n  3 |  at: 2\n    |    ^',
    ],
    [{ 'templates/web.yaml': '{{ "a: b: c" }}\n' }, 'what templates/web.yaml rendered:\n  1 | a: b: c\n    |     ^'],
    [
      { 'templates/web.yaml': 'a word of {{ .Values.image.repository }}\n' },
      'what templates/web.yaml rendered:\n  1 | a word of web',
    ],
    [
      { 'charts/redis/templates/service.yaml': 'kind: Secret\nport: "{{ .Values.port }}\nname: canary\n' },
      'what charts/redis/templates/service.yaml rendered:\n  1 | kind: ******\n  2 | port: *****\n  3 | name: ******',
    ],
  ]
  for (const [files, excerpt] of rows) {
    const { error } = renderTree({ ...chart, ...files })
    t.equal(error?.reason, 'InvalidYaml')
    t.match(error?.message, /^(?:templates\/web|charts\/redis\/templates\/service)\.yaml: /)
    t.ok(error?.excerpt.startsWith(excerpt), error?.excerpt ?? 'no excerpt')
    t.notMatch(error?.excerpt, 'canary')
  }
})

t.test('a fault in a text of tpl is told where tpl was called, with the text', async t => {
  const table: readonly (readonly [string, Tree, string, string])[] = [
    [
      'kind: A\nname: {{ tpl .Values.text . }}\n',
      {},
      'templates/web.yaml:2:10: in the text that tpl was given, 2:13: nil pointer evaluating interface {}.there',
      `  1 | kind: A
  2 | name: {{ tpl .Values.text . }}
    |          ^
the text:
  1 | **
  2 |   {{ .Values.no.there }}
    |             ^`,
    ],
    [
      '{{ include "b" . }}',
      { 'templates/_b.tpl': '{{ define "b" }}\n{{ tpl .Values.twice . }}{{ end }}' },
      'templates/_b.tpl:2:4: in the text that tpl was given, 1:4: a port is wanted',
      `  1 | {{ define "b" }}
  2 | {{ tpl .Values.twice . }}{{ end }}
    |    ^
the text:
  1 | {{ required "a port is wanted" .Values.nothing }}
    |    ^`,
    ],
    [
      '{{ tpl .Values.bad . }}',
      {},
      'templates/web.yaml:1:4: error calling tpl: cannot parse template "…": template: gotpl:1: function "…" not defined',
      '  1 | {{ tpl .Values.bad . }}\n    |    ^',
    ],
  ]
  const values = {
    text: 'hm\n  {{ .Values.no.there }}',
    twice: '{{ tpl "{{ tpl .Values.port . }}" . }}',
    port: '{{ required "a port is wanted" .Values.nothing }}',
    bad: 'canary {{ canary }}',
  }
  for (const [template, files, message, excerpt] of table) {
    const { error } = renderTree({ ...chart, 'templates/web.yaml': template, ...files }, { values })
    t.same([error?.reason, error?.message, error?.excerpt], ['TemplateError', message, excerpt])
  }
})

t.test('what Helm warns of comes with the objects, without values', async t => {
  const rows: readonly (readonly [Tree, object, readonly string[]])[] = [
    [{}, {}, []],
    [{}, { image: 'x' }, []],
    [
      { 'values.yaml': 'deep: {image: {tag: canary}}\n' },
      { deep: { image: 'x' } },
      ['warning: cannot overwrite table with non table for shop.deep.image'],
    ],
    [
      { 'values.yaml': 'deep: {tag: canary}\n' },
      { deep: { tag: { a: 1 } } },
      ['warning: destination for shop.deep.tag is a table. Ignoring non-table value'],
    ],
    [{}, { replicas: { a: 1 } }, ['warning: skipped value for shop.replicas: Not a table.']],
    [
      { 'templates/hook.yaml': 'apiVersion: v1\nkind: Pod\nmetadata: {name: x, annotations: {helm.sh/hook: at-noon}}\n' },
      {},
      ['info: skipping unknown hook: "at-noon"'],
    ],
    [{ 'Chart.yaml': `${chart['Chart.yaml']}deprecated: true\n` }, {}, ['WARNING: This chart is deprecated']],
  ]
  const plain = { 'templates/web.yaml': 'apiVersion: v1\nkind: A\nmetadata: {name: a}\n' }
  for (const [files, values, warnings] of rows) {
    const rendered = renderTree({ ...chart, ...plain, ...files }, { values: values as Record<string, unknown> })
    t.equal(rendered.error, undefined)
    t.same(rendered.error === undefined ? rendered.warnings : [], warnings)
  }
  const many = Array.from({ length: 50 }, (_, at) => [`k${at}`, 1] as const)
  const more = renderTree(
    { ...chart, ...plain, 'values.yaml': many.map(([key]) => `${key}: 1\n`).join('') },
    {
      values: Object.fromEntries(many.map(([key]) => [key, { a: 1 }])),
    },
  )
  t.match(more.error === undefined && more.warnings.slice(19), [/Not a table/, 'and 30 more'])
})
