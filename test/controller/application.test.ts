import t from 'tap'
import { type Application, type Declared, parseApplication, readKept } from '../../controller/application.js'
import { durationMs } from '../../controller/fields.js'
import { optionsOf } from '../../controller/release/options.js'
import type { Manifest } from '../../runtime/contract/manifest.js'

const declared: Declared = { uid: 'u1', parent: null, defaultNode: 'lab', readYaml: text => JSON.parse(text) as unknown }

function shopWith(spec: Record<string, unknown> = {}, over: Record<string, unknown> = {}): unknown {
  return {
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'shop' },
    spec: { source: { repoURL: 'http://git.test/shop.git', path: 'deploy' }, ...spec },
    ...over,
  }
}

function parsed(input: unknown): Application {
  const result = parseApplication(input, declared)
  if (result.application === null) throw new Error(result.faults.map(fault => `${fault.pointer}: ${fault.message}`).join('\n'))
  return result.application
}

function faultsOf(input: unknown): readonly string[] {
  return parseApplication(input, declared).faults.map(fault => `${fault.pointer}: ${fault.message}`)
}

t.test('the least that can be declared gets the policy of a delivery tool', async t => {
  const app = parsed(shopWith())

  t.match(app.sync, { automated: true, prune: true, selfHeal: true, allowEmpty: false })
  t.same(app.destination, { place: 'node/lab', kind: 'node', name: 'lab', namespace: 'default' })
  t.equal(app.source.targetRevision, 'HEAD')
  t.match(app.rollout, {
    healthTimeoutMs: 300_000,
    bakeTimeMs: 30_000,
    onFailure: 'RollBack',
    writeBack: 'none',
    restartsAllowed: 2,
  })
  t.equal(app.deletion, 'cascade')
})

t.test("in Argo CD's group Argo CD's defaults hold, and annotations say what spec.rollout would", async t => {
  const app = parsed(
    shopWith(
      {},
      {
        apiVersion: 'argoproj.io/v1alpha1',
        metadata: { name: 'shop', annotations: { 'slipway.dev/bake-time': '5s', 'slipway.dev/on-failure': 'Hold' } },
      },
    ),
  )

  t.match(app.sync, { automated: false, prune: false, selfHeal: false, allowEmpty: false })
  t.equal(app.deletion, 'orphan')
  t.equal(app.rollout.bakeTimeMs, 5000)
  t.equal(app.rollout.onFailure, 'Hold')
  t.equal(parsed(shopWith({ syncPolicy: { automated: {} } }, { apiVersion: 'argoproj.io/v1alpha1' })).sync.automated, true)
})

t.test('valuesObject is taken instead of values, and parameters keep their order', async t => {
  const app = parsed(
    shopWith({
      source: {
        repoURL: '/srv/shop.git',
        helm: {
          values: '{"a":1,"b":1}',
          valuesObject: { b: 2 },
          parameters: [
            { name: 'x', value: 1 },
            { name: 'y', value: 'z', forceString: true },
          ],
        },
      },
    }),
  )

  t.same(app.source.chart.values, { b: 2 }, 'as Argo CD has it')
  t.same(app.source.chart.parameters, [
    { name: 'x', value: '1', forceString: false },
    { name: 'y', value: 'z', forceString: true },
  ])
})

t.test('what is kept is read as far as it can be; what says what is released, or where, holds', async t => {
  const source = { repoURL: 'http://git.test/shop.git', path: 'deploy' }
  const table: readonly (readonly [string, unknown, string | null, readonly string[], readonly string[], string])[] = [
    ['nothing is refused', shopWith(), null, [], [], 'node/lab'],
    ['what is not understood', shopWith({ dependsOn: [1], deletion: 'x' }), null, ['dependsOn[0]', 'deletion'], [], 'node/lab'],
    ['both kinds of sources', shopWith({ sources: [source] }), null, [], ['source'], 'node/lab'],
    ['a source of another kind', shopWith({ source: { ...source, plugin: {} } }), null, [], ['source.plugin'], 'node/lab'],
    ['a cluster', shopWith({ destination: { server: 'https://k8s' } }), null, [], ['destination.server'], 'node/lab'],
    ['a node name that is none', shopWith({ destination: { name: 'L B' } }), null, [], ['destination.name'], 'node/L B'],
    ['the same, and it runs', shopWith({ destination: { name: 'L B' } }), 'node/lb', ['destination.name'], [], 'node/lb'],
    ['a cluster that is known no more', shopWith({ destination: { name: 'eu' } }), 'cluster/eu', [], [], 'cluster/eu'],
    ['it moved by its declaration', shopWith({ destination: { name: 'new' } }), 'node/lb', [], [], 'node/new'],
  ]
  for (const [what, input, place, heard, holding, destination] of table) {
    const app = readKept(input, declared, { name: 'shop', place })
    const pointers = (holds: boolean) => app.faults.filter(one => one.holds === holds).map(one => one.pointer)
    t.same(
      [pointers(false), pointers(true)],
      [heard, holding].map(all => all.map(each => `spec.${each}`)),
      what,
    )
    t.equal(app.destination.place, destination, what)
  }
  const nothing = readKept(null, declared, { name: 'shop', place: null })
  t.equal(nothing.name, 'shop')
  t.ok(nothing.faults.some(({ holds }) => holds))
})

t.test('every fault is named at once, with its path and what was wanted', async t => {
  const cases: readonly [unknown, readonly string[]][] = [
    [
      shopWith({ rollout: { bakeTime: 'soon', onFailure: 'Panic', bakeTme: '3s' } }),
      [
        'spec.rollout.bakeTme: unknown field (did you mean bakeTime?)',
        'spec.rollout.bakeTime: want a duration such as 30s or 5m, got "soon"',
        'spec.rollout.onFailure: want RollBack or Hold, got "Panic"',
      ],
    ],
    [
      shopWith({ source: { path: '../etc' } }),
      [
        'spec.source.repoURL: is missing; give the http(s) URL or the absolute path of a Git repository',
        'spec.source.path: must lie inside the repository',
      ],
    ],
    [
      shopWith({ destination: { server: 'https://kubernetes.default.svc' } }),
      [
        `spec.destination.server: "https://kubernetes.default.svc" is no cluster that Slipway knows; the controller's configuration names none under clusters`,
      ],
    ],
    [
      shopWith({}, { metadata: { name: 'Shop_1' } }),
      [`metadata.name: want lower-case letters, digits, '-' and '.', at most 63 (RFC 1123), got "Shop_1"`],
    ],
    [
      shopWith({ syncPolicy: { automated: { prune: 'yes' } } }),
      ['spec.syncPolicy.automated.prune: want true or false, got "yes"'],
    ],
    [
      shopWith({ dependsOn: ['db', { name: '' }, 'shop'] }),
      ['spec.dependsOn[1]: want the name of an application', 'spec.dependsOn[2]: is shop itself'],
    ],
    [
      shopWith({ syncPolicy: { syncOptions: ['CreateNamespace=true', 'PrunePropagationPolicy=soon'] } }),
      [
        'spec.syncPolicy.syncOptions[1]: "PrunePropagationPolicy=soon": want PrunePropagationPolicy=foreground or PrunePropagationPolicy=background or PrunePropagationPolicy=orphan',
      ],
    ],
    [
      shopWith({ ignoreDifferences: [{ jsonPointers: ['spec/replicas'], jsonPointer: '/x' }] }),
      [
        'spec.ignoreDifferences[0].jsonPointer: unknown field (did you mean jsonPointers?)',
        'spec.ignoreDifferences[0].kind: is missing; give the kind that the rule is for, or "*"',
        'spec.ignoreDifferences[0].jsonPointers[0]: want a JSON pointer such as /spec/replicas (~1 for / in a name, ~0 for ~), got "spec/replicas"',
      ],
    ],
    [
      shopWith({}, { operation: { sync: {} } }),
      ['operation: is not taken from a declaration; ask for it: slipway sync, slipway rollback'],
    ],
    [
      shopWith({}, { metadata: { name: 'shop', annotations: { 'slipway.dev/mode': 'watch' } } }),
      ['metadata.annotations.slipway.dev/mode: want observe or release, got "watch"'],
    ],
    [
      shopWith({ source: { directory: { jsonnet: { libs: ['x'] } } } }),
      ['spec.source.directory.jsonnet: is not supported; render it in CI and commit what comes out, or use a chart'],
    ],
    ['text', ['apiVersion: want slipway.dev/v1alpha1 or argoproj.io/v1alpha1, got ""']],
  ]

  for (const [input, expected] of cases)
    for (const line of expected) t.ok(faultsOf(input).includes(line), `${line}\n(got ${faultsOf(input).join('; ')})`)
})

t.test('what only says how Argo CD writes to a cluster is taken as it is', async t => {
  const syncPolicy = { syncOptions: ['CreateNamespace=true', 'ServerSideApply=true', 'PruneLast=true'], retry: { limit: 5 } }
  const annotations = { 'slipway.dev/bake-time': '3s', 'slipway.dev/declared-by': 'fleet', 'example.com/x': 'y' }

  const app = parsed(shopWith({ syncPolicy, ignoreDifferences: [] }, { metadata: { name: 'shop', annotations } }))

  t.equal(app.rollout.bakeTimeMs, 3000)
})

t.test("an object's own option wins over its application's", t => {
  const object = (annotations: object) =>
    ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', annotations } }) as Manifest
  const own = (text: string) => object({ 'argocd.argoproj.io/sync-options': text })
  const cases: readonly [readonly string[], Manifest, object][] = [
    [
      [],
      object({}),
      { replace: false, force: false, validate: true, prune: 'yes', delete: 'yes', propagation: 'Foreground', migrate: true },
    ],
    [['Replace=true'], object({}), { replace: true }],
    [['Replace=true'], own('Replace=false'), { replace: false }],
    [[], own(' Force=true , Prune=confirm,Delete=false'), { force: true, prune: 'confirm', delete: 'no' }],
    [['Delete=confirm'], object({}), { delete: 'confirm' }],
    [[], object({ 'helm.sh/resource-policy': 'keep' }), { prune: 'no', delete: 'no' }],
    [['PrunePropagationPolicy=background'], own('PrunePropagationPolicy=orphan'), { propagation: 'Orphan' }],
    [['Validate=false', 'SkipDryRunOnMissingResource=true'], object({}), { validate: false, skipDryRunOnMissing: true }],
    [['RespectIgnoreDifferences=true', 'ClientSideApplyMigration=false'], object({}), { respectIgnored: true, migrate: false }],
  ]
  for (const [application, one, expected] of cases) t.match(optionsOf(application, one), expected, JSON.stringify(expected))
  t.end()
})

t.test('durations are read as Go writes them', async t => {
  for (const [text, ms] of [
    ['30s', 30_000],
    ['1h30m', 5_400_000],
    ['500ms', 500],
    ['5min', 300_000],
    [2, 2000],
    ['0.5s', 500],
    ['s', null],
    ['-1s', null],
    ['', null],
  ] as const)
    t.equal(durationMs(text), ms, String(text))
})

t.test('what it depends on, as names, as Flux has it, and as an annotation; how it is tried again', async t => {
  const annotated = { metadata: { name: 'shop', annotations: { 'slipway.dev/depends-on': 'cache, db' } } }
  t.same(parsed(shopWith({ dependsOn: ['db', { name: 'queue' }] }, annotated)).dependsOn, ['db', 'queue', 'cache'])
  t.equal(parsed(shopWith()).sync.retry, null)
  const retry = { limit: -1, backoff: { duration: '2s', factor: 3, maxDuration: '1m' } }
  t.same(parsed(shopWith({ syncPolicy: { retry } })).sync.retry, {
    limit: -1,
    durationMs: 2_000,
    factor: 3,
    maxDurationMs: 60_000,
  })
})

t.test('one that is to be observed only, or that Argo CD is told to skip, is written nothing for', async t => {
  const modeOf = (annotations: Record<string, string>) => parsed(shopWith({}, { metadata: { name: 'shop', annotations } })).mode
  t.equal(modeOf({}), 'release')
  t.equal(modeOf({ 'slipway.dev/mode': 'observe' }), 'observe')
  t.equal(modeOf({ 'argocd.argoproj.io/skip-reconcile': 'true' }), 'observe')
  t.equal(modeOf({ 'argocd.argoproj.io/skip-reconcile': 'false' }), 'release')
  t.equal(
    modeOf({ 'argocd.argoproj.io/skip-reconcile': 'true', 'slipway.dev/mode': 'release' }),
    'release',
    'ours, and not theirs',
  )
})
