// What Argo CD's `helm` and `directory` say of a source -> what is rendered.
import t from 'tap'
import type { ChartOptions, Source } from '../../controller/application.js'
import { newLedger } from '../../controller/ledger.js'
import type { CommitSha } from '../../controller/release.js'
import { makeCandidates } from '../../controller/render/candidate.js'
import { RenderPool } from '../../controller/render/pool.js'
import { repository } from '../support/git-tree.js'
import type { Tree } from '../support/render.js'
import { application, plainChart, revision, sourceOf } from './builders.js'

const pool = new RenderPool()
t.teardown(() => pool.close())

/** The objects by kind and name, or the reason and message why there are none. */
async function rendered(files: Tree, source: Partial<Source>): Promise<Readonly<Record<string, unknown>> | string> {
  const app = application()
  const one = { ...app, source: sourceOf({ path: 'apps/shop', ...source }) }
  const candidate = await makeCandidates(pool).candidateOf(
    {
      application: one,
      revision: revision('c1' as CommitSha),
      tree: repository(files),
      ledger: newLedger(app, 'node/lab', 'salt'),
      live: () => [],
    },
    AbortSignal.timeout(30_000),
  )
  if (candidate.kind === 'rejection') return `${candidate.rejection.reason}: ${candidate.rejection.message}`
  return Object.fromEntries(
    candidate.release.objects.map(object => [`${object.kind}/${object.metadata.name}`, object.data ?? object.metadata]),
  )
}

const configMap = (name: string, text: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: { text: ${text} }\n`
const chart: Tree = {
  'apps/shop/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
  'apps/shop/values.yaml': 'text: own\nfile: none\n',
  'apps/shop/templates/a.yaml': configMap('a', '{{ .Values.text | quote }}'),
  'apps/shop/values-eu.yaml': 'text: eu\n',
  'apps/shop/env/a.yaml': 'text: a\n',
  'apps/shop/env/deep/b.yaml': 'text: b\n',
  'env/c.yaml': 'text: c\n',
  'env/motd.txt': 'line, {with} commas',
}

t.test('values come in the order that Argo CD gives them, by name and by glob', async t => {
  const cases: readonly (readonly [string, Partial<ChartOptions>, string])[] = [
    ['the last file wins', { valueFiles: ['values-eu.yaml', '/env/c.yaml'] }, 'c'],
    ['a glob stands for its files, in their order', { valueFiles: ['env/**/*.yaml'] }, 'b'],
    ['one star stays in its folder', { valueFiles: ['env/*.yaml'] }, 'a'],
    ['from the root of the repository', { valueFiles: ['values-eu.yaml', '/env/*.yaml'] }, 'c'],
    ['what is named itself stands where it is named', { valueFiles: ['env/deep/b.yaml', 'env/**/*.yaml'] }, 'a'],
    ['valuesObject over files', { valueFiles: ['values-eu.yaml'], values: { text: 'object' } }, 'object'],
    [
      'parameters over all',
      { values: { text: 'object' }, parameters: [{ name: 'text', value: 'parameter', forceString: false }] },
      'parameter',
    ],
    ['the text of a file', { fileParameters: [{ name: 'text', path: '/env/motd.txt' }] }, 'line, {with} commas'],
    ['a missing file, where that is allowed', { valueFiles: ['none.yaml', 'none/*.yaml'], ignoreMissingValueFiles: true }, 'own'],
  ]
  for (const [what, options, text] of cases) {
    const found = await rendered(chart, { chart: { ...plainChart, ...options } })
    t.same(found, { 'ConfigMap/a': { text } }, what)
  }
})

t.test('what is not there, or leads elsewhere, is refused by name', async t => {
  const cases: readonly (readonly [Partial<ChartOptions>, RegExp])[] = [
    [{ valueFiles: ['none.yaml'] }, /MissingValueFile: value file none\.yaml is not in this commit/],
    [{ valueFiles: ['none/*.yaml'] }, /MissingValueFile: value file none\/\*\.yaml is not in this commit/],
    [{ valueFiles: ['https://host/values.yaml'] }, /RefusedFile: .*only files of the repository can be read, no URLs/],
    [{ valueFiles: ['../../../x.yaml'] }, /RefusedFile: .*leads out of the repository/],
    [
      { fileParameters: [{ name: 'text', path: 'none.txt' }] },
      /MissingValueFile: file parameter text: none\.txt is not in this commit/,
    ],
    [{ valueFiles: ['$values/*.yaml'] }, /RefusedFile: .*a glob over the files of another source/],
  ]
  for (const [options, message] of cases) t.match(await rendered(chart, { chart: { ...plainChart, ...options } }), message)
})

t.test('what templates see, and what is left out of a chart', async t => {
  const files: Tree = {
    ...chart,
    'apps/shop/values.schema.json': '{"type":"object","properties":{"text":{"const":"own"}}}',
    'apps/shop/crds/c.yaml':
      'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: { name: c.x.io }\nspec: { scope: Cluster, group: x.io, names: { kind: C } }\n',
    'apps/shop/templates/a.yaml': `apiVersion: v1
kind: ConfigMap
metadata: { name: a }
data: { at: "{{ .Release.Name }} {{ .Release.Namespace }} {{ .Capabilities.KubeVersion.Version }} {{ .Capabilities.APIVersions.Has "x.io/v9" }} {{ .Capabilities.APIVersions.Has "v1" }}" }
`,
    'apps/shop/templates/test.yaml':
      'apiVersion: v1\nkind: Pod\nmetadata: { name: probe, annotations: { helm.sh/hook: test } }\n',
  }
  const own = await rendered(files, { chart: plainChart })
  t.match(own, {
    'ConfigMap/a': { at: 'shop shop v1.31.0 false true' },
    'CustomResourceDefinition/c.x.io': {},
    'Pod/probe': {},
  })
  const told = await rendered(files, {
    chart: {
      ...plainChart,
      releaseName: 'web',
      namespace: 'elsewhere',
      kubeVersion: 'v1.34.0',
      apiVersions: ['x.io/v9'],
      skipCrds: true,
      skipTests: true,
      values: { text: 'other' },
      skipSchemaValidation: true,
    },
  })
  t.same(told, { 'ConfigMap/a': { at: 'web elsewhere v1.34.0 true true' } })
  t.match(await rendered(files, { chart: { ...plainChart, values: { text: 'other' } } }), /InvalidValues: values don't meet/)
})

t.test('a directory: include and exclude mean whole paths, and Jsonnet is refused by name', async t => {
  const files: Tree = {
    'apps/shop/a.yaml': configMap('a', 'x'),
    'apps/shop/deep/b.yaml': configMap('b', 'x'),
    'apps/shop/deep/c.json': '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"text":"x"}}',
  }
  const directory = { recurse: true, include: '', exclude: '' }
  const names = async (change: Partial<Source['directory']>, more: Tree = {}) => {
    const found = await rendered({ ...files, ...more }, { directory: { ...directory, ...change } })
    return typeof found === 'string' ? found : Object.keys(found).join(' ')
  }
  t.equal(await names({ recurse: false }), 'ConfigMap/a')
  t.equal(await names({ include: '*.yaml' }), 'ConfigMap/a ConfigMap/b', 'a star means folders too, as in Argo CD')
  t.equal(await names({ exclude: '{deep/c.json,a.*}' }), 'ConfigMap/b')
  t.match(await names({}, { 'apps/shop/deep/d.jsonnet': '{}' }), /RefusedFile: deep\/d\.jsonnet is Jsonnet/)
  t.equal(await names({ recurse: false }, { 'apps/shop/deep/d.jsonnet': '{}' }), 'ConfigMap/a')
  t.equal(await names({ exclude: '{*.jsonnet,deep/*}' }, { 'apps/shop/d.jsonnet': '{}' }), 'ConfigMap/a')
})

t.test('a hook may have generateName: its name is its own, and the same for the same content', async t => {
  const job = (command: string, annotation = 'argocd.argoproj.io/hook: PreSync') =>
    `apiVersion: batch/v1\nkind: Job\nmetadata:\n  generateName: migrate-\n  annotations: { ${annotation} }\nspec: { template: { spec: { containers: [{ name: a, image: b, command: [${command}] }] } } }\n`
  const names = async (text: string) => {
    const found = await rendered({ 'apps/shop/a.yaml': text }, {})
    return typeof found === 'string' ? found : Object.keys(found)
  }
  const two = await names(`${job('up')}---\n${job('down', 'helm.sh/hook: pre-install')}`)
  t.match(two, [/^Job\/migrate-[0-9a-f]{6}$/, /^Job\/migrate-[0-9a-f]{6}$/])
  t.not(two[0], two[1])
  t.same(await names(job('up')), [two[0]])
  t.match(await names(job('up', 'a: b')), /generateName, but what is kept in Git needs a fixed metadata\.name/)
})
