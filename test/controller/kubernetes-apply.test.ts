// How objects are written to a real API server: taken over from who wrote them before, and as their sync options ask.
import t from 'tap'
import type { Application } from '../../controller/application.js'
import { grouped } from '../../controller/cluster/kubernetes/preflight.js'
import { scaledBy } from '../../controller/cluster/kubernetes/seen.js'
import type { Attempt } from '../../controller/ledger.js'
import { manifestHash } from '../../runtime/contract/hash.js'
import { type Manifest, refOf } from '../../runtime/contract/manifest.js'
import { application, order, until } from '../support/controller.js'
import { type Given, merge, openField, path, preflight, seen, web } from '../support/kubernetes/field.js'
import { noKubernetes, startKubernetes } from '../support/kubernetes/server.js'

const missing = await noKubernetes()
if (missing !== false) {
  t.plan(0, missing)
  process.exit(0)
}
t.setTimeout(300_000)
const real = await startKubernetes(t)
const given = openField(real)
const signal = new AbortController().signal

const deployments = ({ namespace }: Given) => `/apis/apps/v1/namespaces/${namespace}/deployments`
const byApply = 'application/apply-patch+yaml'

interface Managed {
  readonly manager: string
  readonly operation: string
}

async function managers(at: string): Promise<readonly string[]> {
  const live = await real.call('GET', at)
  return (live.metadata.managedFields as Managed[]).map(one => `${one.manager} ${one.operation}`)
}

function withOptions(options: readonly string[]): Partial<Application> {
  return { sync: { ...application().sync, options } }
}

function annotated(object: Manifest, options: string): Manifest {
  const annotations = { 'argocd.argoproj.io/sync-options': options }
  return { ...object, metadata: { ...object.metadata, annotations } }
}

t.test('taken over from who applied it before, a field that Git does not name goes; pods stay', async t => {
  const writers: readonly [string, (one: Given, object: Manifest) => Promise<unknown>][] = [
    [
      'kubectl, client-side',
      (one, object) => real.call('POST', `${deployments(one)}?fieldManager=kubectl-client-side-apply`, lastApplied(object)),
    ],
    ['helm', (one, object) => real.call('POST', `${deployments(one)}?fieldManager=helm`, object)],
    ['Argo CD, client-side', (one, object) => real.call('POST', `${deployments(one)}?fieldManager=argocd-controller`, object)],
    [
      'Argo CD, server-side',
      (one, object) => real.call('PATCH', `${deployments(one)}/web?fieldManager=argocd-controller`, object, byApply),
    ],
  ]
  for (const [name, write] of writers) {
    const one = await given(t)
    const theirs = web(one, {
      env: [
        { name: 'OLD', value: '1' },
        { name: 'KEPT', value: '1' },
      ],
    })
    const labels = { 'app.kubernetes.io/instance': 'shop', theirs: 'x' }
    await write(one, { ...theirs, metadata: { ...theirs.metadata, labels } })
    await real.call('PATCH', `${deployments(one)}/web?fieldManager=someone`, { metadata: { labels: { handmade: 'y' } } }, merge)
    const ours = web(one, { env: [{ name: 'KEPT', value: '1' }] })

    const answer = await preflight(one, [ours])
    t.equal(answer.state, 'passed', name)
    t.match(answer.warnings.at(-1), /^Deployment .*web: is taken over from what applied it before/, name)
    await one.apply([ours])

    const live = await real.call('GET', `${deployments(one)}/web`)
    t.same(live.spec.template.spec.containers[0].env, [{ name: 'KEPT', value: '1' }], `${name}: the variable is gone`)
    t.same(live.metadata.labels, { handmade: 'y' }, `${name}: what a person added stays`)
    t.notOk(live.metadata.annotations['kubectl.kubernetes.io/last-applied-configuration'], name)
    t.equal(live.metadata.generation, 2, `${name}: changed once`)
    t.same(
      (await managers(`${deployments(one)}/web`)).filter(one => /argo|kubectl|helm/.test(one)),
      [],
      name,
    )
    t.equal((await seen(one, 'web'))?.hash, manifestHash(ours), name)
  }
})

function lastApplied(object: Manifest): Manifest {
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(object) }
  return { ...object, metadata: { ...object.metadata, annotations } }
}

t.test('taken over as it is, its pods go on', async t => {
  const one = await given(t)
  await real.call('POST', `${deployments(one)}?fieldManager=kubectl-client-side-apply`, lastApplied(web(one)))
  const pods = `/api/v1/namespaces/${one.namespace}/pods`
  const before = await until('a pod', async () => (await real.call('GET', pods)).items[0])

  await one.apply([web(one)])
  await until('ours', async () => (await seen(one, 'web'))?.hash === manifestHash(web(one)))

  t.same(
    (await real.call('GET', pods)).items.map((pod: Manifest) => pod.metadata.uid),
    [before.metadata.uid],
  )
})

t.test('with ClientSideApplyMigration=false the fields of others stay theirs', async t => {
  const one = await given(t, withOptions(['ClientSideApplyMigration=false']))
  const settings = one.object('ConfigMap', 'settings', { data: { old: '1' } })
  await real.call('POST', `/api/v1/namespaces/${one.namespace}/configmaps?fieldManager=helm`, settings)

  await one.apply([one.object('ConfigMap', 'settings', { data: { new: '1' } })])

  t.same((await real.call('GET', path(one, 'configmaps', 'settings'))).data, { old: '1', new: '1' })
})

t.test('what others set and the release declares is taken, and the preflight says whose it was', async t => {
  const one = await given(t)
  await one.apply([web(one)])
  await real.call('PATCH', `${deployments(one)}/web?fieldManager=kubectl-edit`, { spec: { replicas: 3 } }, merge)

  const answer = await preflight(one, [web(one, { image: 'web:2' })])
  await one.apply([web(one, { image: 'web:2' })], 2)

  t.match(answer, {
    state: 'passed',
    warnings: [/Deployment .*web: \.spec\.replicas was set by kubectl-edit; the release's values/],
  })
  t.equal((await real.call('GET', `${deployments(one)}/web`)).spec.replicas, 1)
})

t.test('replicas are left to an autoscaler that is not of the release', async t => {
  const one = await given(t)
  const scale = (replicas: number) =>
    real.call('PATCH', `${deployments(one)}/web/scale?fieldManager=kube-controller-manager`, { spec: { replicas } }, merge)
  const scalers = `/apis/autoscaling/v2/namespaces/${one.namespace}/horizontalpodautoscalers`
  await real.call('POST', scalers, {
    metadata: { name: 'web' },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, minReplicas: 1, maxReplicas: 9 },
  })
  await one.apply([web(one)])
  await scale(4)
  const scaled = await until('it is seen', async () => {
    const found = await seen(one, 'web')
    return found?.status.replicas === 4 ? found : null
  })
  t.equal(scaled.hash, manifestHash(web(one)), 'no drift')
  await one.apply([web(one, { image: 'web:2' })], 2)
  t.equal((await real.call('GET', `${deployments(one)}/web`)).spec.replicas, 4)

  await real.call('DELETE', `${scalers}/web`)
  const drift = await until("without it the release's number counts again", async () => (await seen(one, 'web'))?.drift?.[0])
  t.match(drift, { path: 'spec.replicas', live: '4', want: '1', manager: 'kube-controller-manager' })
})

t.test("what KEDA's ScaledObject scales is known from its spec, with its defaults", t => {
  const scaled = (scaleTargetRef: object) =>
    scaledBy([
      {
        apiVersion: 'keda.sh/v1alpha1',
        kind: 'ScaledObject',
        metadata: { name: 's', namespace: 'shop' },
        spec: { scaleTargetRef },
      },
    ])

  t.same([...scaled({ name: 'web' })], ['apps/Deployment/shop/web'])
  t.same([...scaled({ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db' })], ['apps/StatefulSet/shop/db'])
  t.end()
})

t.test('an immutable field is explained; with Force=true the object is made anew, and the preflight says so', async t => {
  const one = await given(t)
  const moved = (object: Manifest): Manifest => {
    const spec = object.spec as { template: { spec: object } }
    const labels = { app: 'other' }
    return {
      ...object,
      spec: { ...spec, selector: { matchLabels: labels }, template: { ...spec.template, metadata: { labels } } },
    } as Manifest
  }
  await one.apply([web(one)])
  const before = await real.call('GET', `${deployments(one)}/web`)

  const [refused] = await one.apply([moved(web(one))])
  t.match(refused, { result: 'refused', message: /spec.selector.*immutable.*another name.*Force=true/s })

  const forced = moved(annotated(web(one), 'Force=true'))
  t.match(await preflight(one, [forced]), { state: 'passed', warnings: [/will be deleted and made anew.*immutable/] })
  const [made] = await one.apply([forced], 2)

  t.match(made, { result: 'created' })
  const after = await real.call('GET', `${deployments(one)}/web`)
  t.not(after.metadata.uid, before.metadata.uid)
  t.same(after.spec.selector.matchLabels, { app: 'other' })
})

t.test('what holds data is not made anew by Force=true', async t => {
  const one = await given(t, withOptions(['Force=true']))
  const claim = (storage: string) =>
    one.object('PersistentVolumeClaim', 'data', {
      spec: { accessModes: ['ReadWriteOnce'], storageClassName: storage, resources: { requests: { storage: '1Gi' } } },
    })
  await one.apply([claim('a')])
  const before = await real.call('GET', path(one, 'persistentvolumeclaims', 'data'))

  t.match(await preflight(one, [claim('b')]), {
    state: 'refused',
    problems: [{ reason: 'ImmutableField', message: /delete it by hand/ }],
  })
  t.match(await one.apply([claim('b')], 2), [{ result: 'refused', message: /delete it by hand/ }])

  t.equal((await real.call('GET', path(one, 'persistentvolumeclaims', 'data'))).metadata.uid, before.metadata.uid)
})

t.test('with Replace=true what the release does not name goes, whoever set it', async t => {
  const one = await given(t)
  const settings = (data: object) => annotated(one.object('ConfigMap', 'settings', { data }), 'Replace=true')
  await one.apply([settings({ a: '1', b: '2' })])
  await real.call('PATCH', path(one, 'configmaps', 'settings'), { data: { theirs: 'x' } }, merge)

  t.match(await preflight(one, [settings({ a: '3' })]), { state: 'passed', warnings: [] })
  t.match(await one.apply([settings({ a: '3' })], 2), [{ result: 'changed' }])

  t.same((await real.call('GET', path(one, 'configmaps', 'settings'))).data, { a: '3' })
  t.equal((await seen(one, 'settings'))?.hash, manifestHash(settings({ a: '3' })))
  const next = await one.restarted()
  t.equal((await seen(next, 'settings'))?.hash, manifestHash(settings({ a: '3' })), 'the next controller sees no drift')
})

t.test('with Validate=false fields that the kind does not have are left out', async t => {
  const one = await given(t)
  const odd = web(one, { imagee: 'x', lifecycle: { preStopp: {} } })
  const lax = annotated({ ...odd, spec: { ...(odd.spec as object), replica: 3 } }, 'Validate=false')

  t.match(await preflight(one, [odd]), { state: 'refused', problems: [{ reason: 'UnknownField' }] })
  t.match(await preflight(one, [lax]), { state: 'passed' })
  t.match(await one.apply([lax]), [{ result: 'created' }])

  t.equal((await seen(one, 'web'))?.hash, manifestHash(lax))
})

t.test("what says Delete=false of itself, or is kept by Helm, outlives its application and is nobody's", async t => {
  for (const [annotations, app, stays] of [
    [{ 'argocd.argoproj.io/sync-options': 'Delete=false' }, {}, true],
    [{ 'helm.sh/resource-policy': 'keep' }, {}, true],
    [{ 'argocd.argoproj.io/sync-options': 'Delete=confirm' }, {}, true],
    [
      { 'argocd.argoproj.io/sync-options': 'Delete=confirm' },
      { annotations: { 'argocd.argoproj.io/deletion-approved': '2026-11-21T12:00:00Z' } },
      false,
    ],
    [{}, withOptions(['Delete=false']), true],
  ] as const) {
    const one = await given(t, app)
    const settings = one.object('ConfigMap', 'settings', { data: {} })
    await one.apply([
      { ...settings, metadata: { ...settings.metadata, annotations } },
      one.object('ConfigMap', 'other', { data: {} }),
    ])
    one.ledger = {
      ...one.ledger,
      version: 9,
      deletion: { by: { kind: 'user', name: 'ana' }, at: 1, cascade: true, told: true } as never,
    }

    await one.cluster.remove(one.app, { ...order(), ledger: one.ledger }, signal)
    await until('all is gone', async () => (await one.cluster.observe(one.app, signal)).gone)

    const live = await real.find(path(one, 'configmaps', 'settings'))
    t.equal(live !== null, stays, JSON.stringify([annotations, app]))
    if (live !== null) t.notOk(live.metadata.annotations?.['argocd.argoproj.io/tracking-id'])
  }
})

t.test('what is pruned goes as PrunePropagationPolicy says', async t => {
  for (const [options, orphans] of [
    [[], false],
    [['PrunePropagationPolicy=orphan'], true],
    [['PrunePropagationPolicy=background'], false],
  ] as const) {
    const one = await given(t, withOptions(options))
    await one.apply([web(one)])
    const sets = `/apis/apps/v1/namespaces/${one.namespace}/replicasets`
    await until('a replica set', async () => (await real.call('GET', sets)).items[0])

    await one.cluster.prune(one.app, [refOf(web(one))], { ...order(), ledger: one.ledger }, signal)
    await until('gone', async () => (await real.find(`${deployments(one)}/web`)) === null)

    if (orphans) t.equal((await real.call('GET', sets)).items.length, 1, options.join())
    else await until('its replica set goes too', async () => (await real.call('GET', sets)).items.length === 0)
  }
  t.pass()
})

t.test('a definition, what it defines, and what is defined before its definition is there', async t => {
  const one = await given(t)
  const plural = `tools${one.namespace.replace(/\W/g, '')}`
  const kind = `Tool${one.namespace.replace(/\W/g, '')}`
  const definition = (scope: string, properties: object): Manifest => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.example.com` },
    spec: {
      group: 'example.com',
      scope,
      names: { plural, kind },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } } },
        },
      ],
    },
  })
  // A render does not know that a kind has no namespaces where its definition is elsewhere.
  const tool = (spec: object): Manifest => ({
    apiVersion: 'example.com/v1',
    kind,
    metadata: { name: `t-${one.namespace}`, namespace: one.namespace },
    spec,
  })
  const small = definition('Cluster', { size: { type: 'string' } })
  const skip = annotated(tool({ size: 'a' }), 'SkipDryRunOnMissingResource=true')

  t.match(await preflight(one, [tool({ size: 'a' })]), { state: 'refused', problems: [{ reason: 'UnknownKind' }] })
  t.match(await preflight(one, [skip]), { state: 'passed', warnings: [/its kind is not there yet/] })
  t.match(await one.apply([small, tool({ size: 'a' })]), [{ result: 'created' }, { result: 'created' }])
  t.equal((await seen(one, `t-${one.namespace}`))?.ref.namespace, one.namespace, 'seen under the name that the release has')
  t.equal((await seen(one, `t-${one.namespace}`))?.hash, manifestHash(tool({ size: 'a' })))

  const large = definition('Cluster', { size: { type: 'string' }, colour: { type: 'string' } })
  const coloured = tool({ size: 'a', colour: 'red' })
  t.match(await preflight(one, [coloured]), { state: 'refused', problems: [{ reason: 'UnknownField' }] })
  t.match(await preflight(one, [large, coloured]), {
    state: 'passed',
    warnings: [/its definition changes with the same release/],
  })
  t.match(await one.apply([large, coloured], 2), [{ result: 'changed' }, { result: 'changed' }])

  const bare = { ...refOf(coloured), namespace: '' }
  await one.cluster.prune(one.app, [bare], { ...order(), ledger: one.ledger }, signal)
  t.ok(await real.find(`/apis/example.com/v1/${plural}/t-${one.namespace}`), 'the same under its other name is not pruned')
})

t.test('what is defined in one wave is there for the next', async t => {
  const one = await given(t)
  const kind = `Early${one.namespace.replace(/\W/g, '')}`
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  const versions = [{ name: 'v1', served: true, storage: true, schema }]
  const names = { plural: `${kind.toLowerCase()}s`, kind }
  const definition: Manifest = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${names.plural}.example.com` },
    spec: { group: 'example.com', scope: 'Namespaced', names, versions },
  }
  const object = { apiVersion: 'example.com/v1', kind, metadata: { name: 'a', namespace: one.namespace } }
  await one.cluster.observe(one.app, signal)

  t.match(await one.apply([definition]), [{ result: 'created' }])
  t.match(await one.apply([object]), [{ result: 'created' }])
})

t.test('a namespace is labelled as its application says, and again when it says another thing', async t => {
  const labelled = (tier: string): Partial<Application> => {
    const namespaceMetadata = { labels: { tier }, annotations: { 'example.com/by': 'us' } }
    return { sync: { ...application().sync, options: ['CreateNamespace=true'], namespaceMetadata } }
  }
  const one = await given(t, labelled('web'), { made: false })
  const settings = one.object('ConfigMap', 'settings', { data: {} })
  await one.apply([settings])
  const at = `/api/v1/namespaces/${one.namespace}`
  t.match((await real.call('GET', at)).metadata, { labels: { tier: 'web' }, annotations: { 'example.com/by': 'us' } })

  await one.cluster.apply({ ...one.app, ...labelled('db') }, [settings], { ...order(), ledger: one.ledger }, signal)
  t.match((await real.call('GET', at)).metadata.labels, { tier: 'db' })
  const declared = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: one.namespace, labels: { of: 'release' } } }
  await one.apply([declared])
  t.match(
    (await real.call('GET', at)).metadata.labels,
    { tier: 'web', of: 'release' },
    "the release's own say takes nothing away",
  )
})

t.test('warnings of many objects that say the same are one', t => {
  const object = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop' } })
  const warnings = ['a', 'b', 'c', 'd', 'e'].map(name => [object(name), 'is not proven'] as const)

  t.same(grouped([...warnings, [object('f'), 'is another']]), [
    'ConfigMap shop/a, ConfigMap shop/b, ConfigMap shop/c and 2 more: is not proven',
    'ConfigMap shop/f: is another',
  ])
  t.end()
})

t.test('an object over a megabyte is applied, seen and changed', async t => {
  const one = await given(t)
  const kind = `Big${one.namespace.replace(/\W/g, '')}`
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  const definition: Manifest = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.toLowerCase()}s.example.com` },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: `${kind.toLowerCase()}s`, kind },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  }
  const big = (letter: string): Manifest => ({
    apiVersion: 'example.com/v1',
    kind,
    metadata: { name: 'big', namespace: one.namespace },
    data: Object.fromEntries(Array.from({ length: 120 }, (_, at) => [`part${at}`, letter.repeat(10_000)])),
  })

  t.match(await one.apply([definition, big('a')]), [{ result: 'created' }, { result: 'created' }])
  t.match(await one.apply([big('b')], 2), [{ result: 'changed' }])

  const next = await one.restarted()
  t.equal((await seen(next, 'big'))?.hash, manifestHash(big('b')))
})

t.test('a new object that a preflight has looked for takes one request', async t => {
  const one = await given(t)
  const objects = ['a', 'b', 'c'].map(name => one.object('ConfigMap', name, { data: {} }))
  await preflight(one, objects)
  const before = one.requests()

  await one.apply(objects)

  const made = one.requests().slice(before.length)
  t.same(
    made.filter(request => !request.includes('/secrets')),
    objects.map(({ metadata }) => `PATCH ${path(one, 'configmaps', metadata.name)}`),
  )
})

t.test('a change that says nothing lasting is no write of its own, and lies there all the same within seconds', async t => {
  const one = await given(t, {}, { journalMs: 2_000 })
  const attempt = { number: 1, moves: [], clocks: {} } as unknown as Attempt
  one.ledger = { ...one.ledger, version: 5, attempt }
  await one.apply([one.object('ConfigMap', 'settings', { data: {} })])
  const version = async () =>
    (await real.call('GET', path(one, 'secrets', `slipway-ledger-${one.app.name}`))).metadata.resourceVersion
  const before = await version()

  const line = { at: 1, step: 'Verifying', message: 'waiting' }
  one.ledger = { ...one.ledger, version: 6, attempt: { ...attempt, moves: [line] } }
  await one.cluster.remember(one.app, { ...order(), ledger: one.ledger }, signal)
  t.equal(await version(), before, 'not at once')
  await until('a later look has written it', async () => {
    await one.cluster.observe(one.app, signal)
    return (await version()) !== before
  })
  const written = await version()
  await one.cluster.observe(one.app, signal)
  await new Promise(resolve => setTimeout(resolve, 2_500))
  await one.cluster.observe(one.app, signal)
  t.equal(await version(), written, 'once')

  const next = await one.restarted()
  t.same((await next.cluster.observe(next.app, signal)).ledger?.attempt?.moves, [line])
})
