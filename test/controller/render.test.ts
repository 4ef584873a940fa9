import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'
import type { Application } from '../../controller/application.js'
import { rolloutDefaults } from '../../controller/application.js'
import { newLedger } from '../../controller/ledger.js'
import type { Candidate, CommitSha, Rejection, Release, Revision } from '../../controller/release.js'
import { imagesOf, releaseIdOf } from '../../controller/release.js'
import { makeCandidates } from '../../controller/render/candidate.js'
import { completeObjects } from '../../controller/render/objects.js'
import { RenderPool } from '../../controller/render/pool.js'
import { repository } from '../support/git-tree.js'
import type { Tree } from '../support/render.js'
import { options } from '../support/render.js'
import { plainChart, plainSync, sourceOf } from './builders.js'

const pool = new RenderPool()
t.teardown(() => pool.close())
const never = new AbortController().signal
const kept = { salt: 's', values: {}, answers: {} }

const revision: Revision = {
  commit: 'c0ffee'.padEnd(40, '0') as CommitSha,
  subject: 's',
  author: 'a',
  committedAt: '2026-01-01T00:00:00Z',
  seenAt: 1,
  pushedAt: 0,
}

const configMap = (name: string, text = 'x'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: { text: ${text} }\n`

function application(
  changes: { readonly [P in 'source' | 'destination' | 'sync']?: Partial<Application[P]> } & { readonly name?: string } = {},
): Application {
  const source = sourceOf({ repoURL: 'r', path: 'apps/shop', chart: plainChart, ...changes.source })
  return {
    name: changes.name ?? 'shop',
    uid: 'u',
    project: 'default',
    labels: {},
    annotations: {},
    sources: [source],
    source,
    destination: { place: 'node/lab', kind: 'node', name: 'lab', namespace: 'store', ...changes.destination },
    sync: { ...plainSync, ...changes.sync },
    mode: 'release',
    info: [],
    ignoreDifferences: [],
    rollout: rolloutDefaults,
    health: {},
    dependsOn: [],
    revisionHistoryLimit: 10,
    deletion: 'orphan',
    parent: null,
    manifest: { apiVersion: 'slipway.dev/v1alpha1', kind: 'Application', metadata: { name: 'shop' } },
    faults: [],
  }
}

function releaseIn(candidate: Candidate): Release {
  if (candidate.kind === 'rejection') throw new Error(candidate.rejection.message)
  return candidate.release
}

function rejectionIn(candidate: Candidate): Rejection {
  if (candidate.kind === 'release') throw new Error('a release')
  return candidate.rejection
}

function candidates(): (files: Tree, app?: Application, salt?: string) => Promise<Candidate> {
  const maker = makeCandidates(pool)
  return (files, app = application(), salt = 'salt') =>
    maker.candidateOf(
      { application: app, revision, tree: repository(files), ledger: newLedger(app, 'node/lab', salt), live: () => [] },
      never,
    )
}

const chart = {
  'apps/shop/Chart.yaml': 'name: shop\n',
  'apps/shop/values.yaml': 'text: one\nimage: shop:1\n',
  'apps/shop/templates/all.hbs': `{{> map}}
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec: { template: { spec: { initContainers: [{ name: i, image: init:1 }], containers: [{ name: c, image: {{quote Values.image}} }] } } }
`,
  'apps/shop/templates/_map.hbs':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: {{Release.Name}} }\ndata: { text: {{quote Values.text}}, ns: {{Release.Namespace}} }\n',
}

t.test('a chart becomes a release: namespaces filled in, images and origins named', async t => {
  const release = releaseIn(await candidates()(chart))

  t.match(release.id, /^rel-[0-9a-f]{16}$/)
  t.same(release.objects[0], {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'shop', namespace: 'store' },
    data: { text: 'one', ns: 'store' },
  })
  t.same(release.images, ['init:1', 'shop:1'])
  t.same(release.origins, { '/ConfigMap/store/shop': 'templates/all.hbs:1', 'apps/Deployment/store/web': 'templates/all.hbs:3' })
})

t.test('a Helm chart becomes a release, with its subcharts and the files that its templates ask for', async t => {
  const helm = {
    'apps/shop/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\nappVersion: "7"\n',
    'apps/shop/values.yaml': 'image: shop\ncache: {size: 2}\n',
    'apps/shop/conf/a.ini': 'color = blue\n',
    'apps/shop/templates/web.yaml':
      'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: {{ .Release.Name }}}\nspec: {template: {spec: {containers: [{name: c, image: "{{ .Values.image }}:{{ .Chart.AppVersion }}"}]}}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata: {{ (.Files.Glob "conf/*").AsConfig | fromYaml | toJson }}\n',
    'apps/shop/charts/cache/Chart.yaml': 'apiVersion: v2\nname: cache\nversion: 0.1.0\n',
    'apps/shop/charts/cache/templates/map.yaml':
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cache}\ndata: {size: {{ .Values.size | quote }}}\n',
  }

  const make = candidates()
  const release = releaseIn(await make(helm))

  t.same(
    release.objects.map(({ kind, metadata, data }) => [kind, metadata.name, metadata.namespace, data]),
    [
      ['ConfigMap', 'cache', 'store', { size: '2' }],
      ['ConfigMap', 'conf', 'store', { 'a.ini': 'color = blue' }],
      ['Deployment', 'shop', 'store', undefined],
    ],
  )
  t.same(release.images, ['shop:7'])
  t.same(release.origins['/ConfigMap/store/cache'], 'charts/cache/templates/map.yaml:2')
  const failed = { ...helm, 'apps/shop/templates/bad.yaml': '\n  {{ .Values.image.tag }}\n' }
  t.match(rejectionIn(await make(failed)), {
    reason: 'TemplateError',
    message: /^templates\/bad\.yaml:2:13: can't evaluate field tag in type interface \{\}/,
  })
})

t.test('the same content gives the same release, whatever else the commit changed', async t => {
  const make = candidates()
  const first = releaseIn(await make(chart))

  t.equal(releaseIn(await make({ ...chart, 'README.md': 'unrelated' })).id, first.id)
  t.equal(releaseIn(await make({ ...chart, 'apps/shop/README.md': 'in the chart, not in what it renders' })).id, first.id)
  t.equal(releaseIn(await make({ ...chart, 'apps/shop/values.yaml': '# a comment\nimage: shop:1\ntext: one\n' })).id, first.id)
  t.not(releaseIn(await make({ ...chart, 'apps/shop/values.yaml': 'text: two\nimage: shop:1\n' })).id, first.id)
  t.not(releaseIn(await make(chart, application(), 'another salt')).id, first.id)
  t.not(releaseIn(await make(chart, application({ destination: { namespace: 'other' } }))).id, first.id)
})

t.test('an unrelated commit is answered without reading or rendering', async t => {
  const maker = makeCandidates(pool)
  const ask = (files: Tree, app = application()): Promise<Candidate> => {
    const tree = repository(files)
    return maker
      .candidateOf({ application: app, revision, tree, ledger: newLedger(app, 'node/lab', 's'), live: () => [] }, never)
      .then(candidate => {
        if (files['README.md'] !== undefined) t.same(tree.reads, [])
        return candidate
      })
  }

  await ask(chart)
  await ask({ ...chart, 'README.md': 'unrelated' })
  t.match(maker.counts, { kept: 1, rendered: 1 })
  await ask(chart, application({ source: { chart: { ...application().source.chart, values: { text: 'two' } } } }))
  t.match(maker.counts, { kept: 1, rendered: 2 })
})

t.test('the order of objects and keys is no content', async t => {
  const a = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { x: '1', y: '2' } }
  const b = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'b' } }

  t.equal(
    releaseIdOf('s', [a, b]),
    releaseIdOf('s', [b, { data: { y: '2', x: '1' }, metadata: { name: 'a' }, kind: 'ConfigMap', apiVersion: 'v1' }]),
  )
  t.not(releaseIdOf('s', [a, b]), releaseIdOf('s', [a]))
})

t.test('images are found in every kind of pod, and nowhere else', async t => {
  const pod = (image: string): object => ({ containers: [{ name: 'c', image }] })
  const object = (kind: string, spec: object): never => ({ apiVersion: 'v1', kind, metadata: { name: 'a' }, spec }) as never

  t.same(
    imagesOf([
      object('Pod', pod('p')),
      object('CronJob', { jobTemplate: { spec: { template: { spec: pod('c') } } } }),
      object('Job', { template: { spec: pod('j') } }),
      object('StatefulSet', { template: { spec: pod('p') } }),
      object('Rollout', { template: { spec: pod('no') } }),
    ]),
    ['c', 'j', 'p'],
  )
})

t.test('value files outside the path are read, and a change of one is a change', async t => {
  const make = candidates()
  const app = application({ source: { chart: { ...application().source.chart, valueFiles: ['../../env/prod.yaml'] } } })
  const first = releaseIn(await make({ ...chart, 'env/prod.yaml': 'text: prod' }, app))

  t.match(first.objects[0], { data: { text: 'prod' } })
  t.not(releaseIn(await make({ ...chart, 'env/prod.yaml': 'text: prod2' }, app)).id, first.id)
  t.match(rejectionIn(await make(chart, app)), { reason: 'MissingValueFile', transient: false })
  const lenient = application({ source: { chart: { ...app.source.chart, ignoreMissingValueFiles: true } } })
  t.match(releaseIn(await make(chart, lenient)).objects[0], { data: { text: 'one' } })
})

t.test('traversal, symlinks and submodules are refused by name, and what they lead to is never shown', async t => {
  const make = candidates()
  const withFile = (name: string): Application =>
    application({ source: { chart: { ...application().source.chart, valueFiles: [name] } } })
  const table: readonly (readonly [Tree, Application, string])[] = [
    [chart, withFile('../../../canary.yaml'), 'value file "../../../canary.yaml": leads out of the repository'],
    [
      { ...chart, 'apps/shop/link.yaml': '-> ../../canary' },
      application(),
      'link.yaml is a symlink; only ordinary files of the commit are read. Replace it with a copy',
    ],
    [
      { ...chart, 'apps/shop/templates/_x.hbs': '-> /etc/canary' },
      application(),
      'templates/_x.hbs is a symlink; only ordinary files of the commit are read. Replace it with a copy',
    ],
    [
      { ...chart, 'apps/shop/vendor': '@abc' },
      application(),
      'vendor is a submodule; only ordinary files of the commit are read. Replace it with a copy',
    ],
    [
      { 'apps/shop/a.yaml': '-> ../canary.yaml' },
      application(),
      'a.yaml is a symlink; only ordinary files of the commit are read. Replace it with a copy',
    ],
    [
      { 'apps/shop/a.yaml': configMap('a'), 'apps/shop/sub': '-> ../canary' },
      application({ source: { directory: { recurse: true, include: '', exclude: '' } } }),
      'sub is a symlink; only ordinary files of the commit are read. Replace it with a copy',
    ],
  ]
  for (const [files, app, message] of table)
    t.match(rejectionIn(await make(files, app)), { reason: 'RefusedFile', message, excerpt: '', transient: false })
  await t.rejects(make({ ...chart, 'env.yaml': '-> /etc/canary' }, withFile('/env.yaml')), { message: 'env.yaml is a symlink' })
  t.equal(
    releaseIn(await make({ 'apps/shop/a.yaml': configMap('a'), 'apps/shop/sub': '-> x', 'apps/shop/README.md': '-> y' })).objects
      .length,
    1,
  )
})

t.test('an empty render is a rejection unless that is allowed', async t => {
  const make = candidates()
  const empty = { 'apps/shop/notes.txt': 'nothing' }

  t.match(rejectionIn(await make(empty)), {
    reason: 'EmptyRender',
    message: /^apps\/shop renders to no objects; nothing is pruned for that/,
  })
  t.same(releaseIn(await make(empty, application({ sync: { allowEmpty: true } }))).objects, [])
})

t.test('objects are completed: scope, names, twice the same', async t => {
  const object = (kind: string, name: string, more: object = {}, apiVersion = 'v1'): never =>
    ({ manifest: { apiVersion, kind, metadata: { name, ...more } }, file: 'a.yaml', line: 3 }) as never
  const crd = {
    manifest: {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'x.y' },
      spec: { scope: 'Cluster', group: 'y', names: { kind: 'X' } },
    },
    file: 'c.yaml',
    line: 1,
  }
  const completed = completeObjects(
    [
      object('Service', 'web'),
      object('Service', 'web', { namespace: 'other' }),
      object('Namespace', 'n', { namespace: 'wrong' }),
      object('ClusterRole', 'a:b', {}, 'rbac.authorization.k8s.io/v1'),
      crd,
      object('X', 'x', {}, 'y/v1'),
    ],
    'store',
  )

  t.same(Object.keys('origins' in completed ? completed.origins : {}), [
    '/Service/store/web',
    '/Service/other/web',
    '/Namespace//n',
    'rbac.authorization.k8s.io/ClusterRole//a:b',
    'apiextensions.k8s.io/CustomResourceDefinition//x.y',
    'y/X//x',
  ])
  const message = (...objects: never[]): unknown => completeObjects(objects, 'store')
  t.match(message(object('Service', 'web'), object('Service', 'web', { namespace: 'store' })), {
    message: 'a.yaml:3: Service store/web is there twice; also at a.yaml:3',
  })
  t.match(message(object('Service', '1web')), {
    message: /^a\.yaml:3: Service: metadata\.name "1web" wants lower-case letters.*RFC 1035/,
  })
  t.match(message(object('ConfigMap', 'Web')), { message: /RFC 1123 subdomain/ })
  t.match(message(object('ConfigMap', 'a'.repeat(254))), { message: /at most 253/ })
  t.match(message(object('Namespace', 'a.b')), { message: /RFC 1123 label/ })
  t.match(message(object('ConfigMap', 'a', { namespace: 'A' })), { message: /namespace "A" wants/ })
})

t.test('an endless template is ended, and the next render is none the worse', async t => {
  const slow = new RenderPool({ timeoutMs: 1500 })
  t.teardown(() => slow.close())
  const maker = makeCandidates(slow)
  const ask = (files: Tree): Promise<Candidate> =>
    maker.candidateOf(
      {
        application: application(),
        revision,
        tree: repository(files),
        ledger: newLedger(application(), 'node/lab', 's'),
        live: () => [],
      },
      never,
    )
  const endless = { ...chart, 'apps/shop/templates/x.hbs': '{{#each (until 90000)}}{{len (until 90000)}}{{/each}}' }

  t.match(rejectionIn(await ask(endless)), {
    reason: 'RenderKilled',
    message: 'rendering took longer than 1.5 s and was ended; is there a loop without end? Tried again after 60 s',
    transient: true,
  })
  t.equal(releaseIn(await ask(chart)).objects.length, 2)
})

t.test('a child that takes too much memory is ended', async t => {
  const small = new RenderPool({ residentMB: 20 })
  t.teardown(() => small.close())

  const result = await small.run(
    {
      files: [
        ['Chart.yaml', Buffer.from('name: t')],
        ['templates/a.hbs', Buffer.from('{{#each (until 90000)}}{{len (until 1000)}}{{/each}}')],
      ],
      options,
      kept,
    },
    never,
  )

  t.match(result, existsSync('/proc/self/statm') ? { killed: 'took more than 20 MB of memory' } : {})
})

t.test('a child that is killed costs one render', async t => {
  const own = new RenderPool()
  t.teardown(() => own.close())
  const files = [['a.yaml', Buffer.from(configMap('a'))] as const]
  await own.run({ files, options, kept }, never)
  const [before] = own.pids

  process.kill(before ?? 0, 'SIGKILL')
  await own.run({ files, options, kept }, never)
  const again = await own.run({ files, options, kept }, never)

  t.match(again, { objects: [{ file: 'a.yaml' }] })
  t.not(own.pids[0], before)
})

t.test('an abort ends the work on it and nothing else', async t => {
  const controller = new AbortController()
  const endless = {
    files: [
      ['Chart.yaml', Buffer.from('name: t')],
      ['templates/a.hbs', Buffer.from('{{#each (until 90000)}}{{len (until 90000)}}{{/each}}')],
    ] as const,
    options,
    kept,
  }
  const aborted = pool.run(endless, controller.signal)
  const queued = pool.run({ files: [['a.yaml', Buffer.from(configMap('a'))]], options, kept }, never)

  controller.abort(new Error('superseded'))

  await t.rejects(aborted, { message: 'superseded' })
  t.match(await queued, { objects: [{ file: 'a.yaml' }] })
})

t.test('children may read the program and nothing else, where nothing is preloaded into them', async t => {
  const { pool, index } = {
    pool: new URL('../../controller/render/pool.js', import.meta.url).href,
    index: new URL('../../renderer/index.js', import.meta.url).href,
  }
  const script = `
    const { RenderPool } = await import(${JSON.stringify(pool)})
    const { defaultLimits } = await import(${JSON.stringify(index)})
    const pool = new RenderPool()
    const result = await pool.run(${JSON.stringify({ files: [], options, kept })}, new AbortController().signal)
    console.log(JSON.stringify([pool.confined, result, defaultLimits.depth]))
    pool.close()`

  const { stdout } = await promisify(execFile)('env', [
    '-u',
    'NODE_OPTIONS',
    process.execPath,
    '--input-type=module',
    '-e',
    script,
  ])

  t.match(JSON.parse(stdout), [true, { objects: [] }, 1500])
})
