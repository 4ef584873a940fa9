// A Kubernetes cluster as a place, on a real API server: what is written, what is left alone, what is seen of it, and what lies there.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { manifestHash } from '../../runtime/contract/hash.js'
import { type Manifest, type ObjectRef, refOf } from '../../runtime/contract/manifest.js'
import { order, until } from '../support/controller.js'
import { type Given, merge, openField, path, preflight, same, seen, web } from '../support/kubernetes/field.js'
import { noKubernetes, startKubernetes } from '../support/kubernetes/server.js'

const missing = await noKubernetes()
if (missing !== false) {
  t.plan(0, missing)
  process.exit(0)
}
t.setTimeout(300_000)
const real = await startKubernetes(t)
const signal = new AbortController().signal
const given = openField(real)

t.test('an object is written once, marked as ours, and not again while it is what it was', async t => {
  const one = await given(t)
  const settings = one.object('ConfigMap', 'settings', { data: { a: '1' } })

  t.match(await one.apply([settings]), [{ result: 'created' }])
  const first = await real.call('GET', path(one, 'configmaps', 'settings'))
  t.match(await one.apply([settings], 2), [{ result: 'unchanged' }])
  const second = await real.call('GET', path(one, 'configmaps', 'settings'))

  t.equal(first.metadata.annotations['argocd.argoproj.io/tracking-id'], `${one.app.name}:/ConfigMap:${one.namespace}/settings`)
  t.equal(second.metadata.resourceVersion, first.metadata.resourceVersion)
  t.match(await seen(one, 'settings'), { hash: manifestHash(settings), attempt: 1 })
})

t.test('a field that a release no longer names goes; what others added stays', async t => {
  const one = await given(t)
  await one.apply([one.object('ConfigMap', 'settings', { data: { a: '1', b: '2' } })])
  await real.call('PATCH', path(one, 'configmaps', 'settings'), { data: { theirs: 'x' } }, merge)

  t.match(await one.apply([one.object('ConfigMap', 'settings', { data: { a: '3' } })], 2), [{ result: 'changed' }])

  t.same((await real.call('GET', path(one, 'configmaps', 'settings'))).data, { a: '3', theirs: 'x' })
})

t.test('drift is a change of what we own: changed, taken out, or the whole object gone; not what others add', async t => {
  const one = await given(t)
  const settings = one.object('ConfigMap', 'settings', { data: { a: '1', b: '2' } })
  const changes: readonly [string, () => Promise<unknown>, boolean][] = [
    ['a value of ours', () => real.call('PATCH', path(one, 'configmaps', 'settings'), { data: { a: 'x' } }, merge), true],
    [
      'a key of ours taken out',
      () => real.call('PATCH', path(one, 'configmaps', 'settings'), { data: { b: null } }, merge),
      true,
    ],
    ['a key added', () => real.call('PATCH', path(one, 'configmaps', 'settings'), { data: { more: 'y' } }, merge), false],
    [
      'a label added',
      () => real.call('PATCH', path(one, 'configmaps', 'settings'), { metadata: { labels: { x: 'y' } } }, merge),
      false,
    ],
    ['gone', () => real.call('DELETE', path(one, 'configmaps', 'settings')), true],
  ]
  for (const [name, change, isDrift] of changes) {
    await one.apply([settings])
    await until('it is as applied', async () => (await seen(one, 'settings'))?.hash === manifestHash(settings))
    const before = await real.call('GET', path(one, 'configmaps', 'settings'))
    await change()
    const version = (await real.find(path(one, 'configmaps', 'settings')))?.metadata.resourceVersion
    t.not(version, before.metadata.resourceVersion)
    if (isDrift) {
      await until(`${name} is seen`, async () => (await seen(one, 'settings'))?.hash !== manifestHash(settings))
      t.pass(name)
    } else {
      await new Promise(resolve => setTimeout(resolve, 300))
      t.equal((await seen(one, 'settings'))?.hash, manifestHash(settings), name)
    }
  }
})

t.test('replicas are left to an autoscaler: what it sets is no drift, and the next release keeps it', async t => {
  const one = await given(t)
  const scaler = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web', namespace: one.namespace },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, minReplicas: 1, maxReplicas: 9 },
  }
  const path = `/apis/apps/v1/namespaces/${one.namespace}/deployments/web`
  await one.apply([web(one)])
  await real.call('PATCH', `${path}/scale`, { spec: { replicas: 4 } }, merge)
  await until('that is drift, where nobody scales', async () => (await seen(one, 'web'))?.hash === '')
  await one.apply([web(one)])
  t.equal((await real.call('GET', path)).spec.replicas, 1)

  await one.apply([web(one), scaler], 2)
  await real.call('PATCH', `${path}/scale`, { spec: { replicas: 4 } }, merge)
  await until(
    'it is seen',
    async () => (await seen(one, 'web'))?.live?.spec !== undefined && (await seen(one, 'web'))?.status.replicas === 4,
  )
  t.equal((await seen(one, 'web'))?.hash, manifestHash(web(one)))
  await one.apply([web(one, { image: 'web:2' })], 3)

  t.equal((await real.call('GET', path)).spec.replicas, 4)
})

t.test('a restarted controller knows what is as it was applied, and what was changed while it was away', async t => {
  const one = await given(t)
  const [a, b] = [one.object('ConfigMap', 'a', { data: { x: '1' } }), one.object('ConfigMap', 'b', { data: { x: '1' } })]
  await one.apply([a, b, web(one)], 7)
  await real.call('PATCH', path(one, 'configmaps', 'b'), { data: { x: 'changed' } }, merge)
  const versions = async () => [
    (await real.call('GET', path(one, 'configmaps', 'a'))).metadata.resourceVersion,
    (await real.call('GET', path(one, 'configmaps', 'b'))).metadata.resourceVersion,
  ]
  const before = await versions()

  const next = await one.restarted()

  t.match(await seen(next, 'a'), { hash: manifestHash(a), attempt: 7 })
  t.match(await seen(next, 'b'), { hash: '', attempt: 7 })
  t.match(await seen(next, 'web'), { hash: manifestHash(web(one)) })
  t.same(await versions(), before, 'nothing was written to find that out')
})

t.test('a deletion whose controller ended before it had told all of it is told again by the next', async t => {
  for (const cascade of [true, false]) {
    const one = await given(t)
    await one.apply([one.object('ConfigMap', 'a'), one.object('ConfigMap', 'b')])
    one.ledger = { ...one.ledger, deletion: { by: { name: 'ana', via: 'api' } as never, at: 1, cascade, told: true } }
    const next = await one.restarted()
    const ordered = async () => (await next.cluster.observe(next.app, signal)).ordered

    t.equal(await ordered(), null, 'nothing of it is known to be told')
    await (cascade ? next.cluster.remove : next.cluster.letGo)(next.app, order({ ledger: next.ledger }), signal)
    const left = () => real.find(path(one, 'configmaps', 'a'))
    if (cascade) await until('it is gone', async () => (await left()) === null)
    else t.equal((await left()).metadata.annotations?.['argocd.argoproj.io/tracking-id'], undefined)
    t.not(await ordered(), null)
  }
})

t.test(
  'what the server writes in other words, or adds, is no drift: nothing of a whole application is written twice',
  async t => {
    const one = await given(t)
    const objects = spelled(one)
    const applied = await one.apply(objects)
    t.same([...new Set(applied.map(({ result, message }) => `${result}${message}`))], ['created'])
    const versions = () =>
      Promise.all(
        objects.map(async object => [
          object.kind,
          (await real.call('GET', pathOf(refOf(object)))).metadata.managedFields
            .filter((entry: { manager: string }) => entry.manager === 'slipway')
            .map((entry: { time: string }) => entry.time),
        ]),
      )
    await until('controllers have written what they write', async () =>
      (await one.cluster.observe(one.app, signal)).pods.some(pod => pod.ready),
    )
    const before = await versions()

    const next = await one.restarted()
    const seen = await next.cluster.observe(next.app, signal)
    const again = await next.apply(objects, 2)

    for (const object of objects)
      t.equal(
        seen.objects.find(({ ref }) => same(ref, refOf(object)))?.hash,
        manifestHash(object),
        `${object.kind} is as it was applied`,
      )
    t.same([...new Set(again.map(({ result }) => result))], ['unchanged'])
    t.same(await versions(), before)
  },
)

const plurals: Readonly<Record<string, string>> = {
  Ingress: 'networking.k8s.io/v1/ingresses',
  NetworkPolicy: 'networking.k8s.io/v1/networkpolicies',
  Deployment: 'apps/v1/deployments',
  StatefulSet: 'apps/v1/statefulsets',
  DaemonSet: 'apps/v1/daemonsets',
  CronJob: 'batch/v1/cronjobs',
  HorizontalPodAutoscaler: 'autoscaling/v2/horizontalpodautoscalers',
  PodDisruptionBudget: 'policy/v1/poddisruptionbudgets',
  Role: 'rbac.authorization.k8s.io/v1/roles',
  RoleBinding: 'rbac.authorization.k8s.io/v1/rolebindings',
}

function pathOf({ kind, namespace, name }: ObjectRef): string {
  const core = `/api/v1/namespaces/${namespace}/${kind.toLowerCase()}s/${name}`
  const [group, version, plural] = plurals[kind]?.split('/') ?? []
  return group === undefined ? core : `/apis/${group}/${version}/namespaces/${namespace}/${plural}/${name}`
}

/** Quantities in other units, numbers as people write them, empty lists and nulls, ports without a protocol, stringData. */
function spelled(one: Given): readonly Manifest[] {
  const labels = { app: 'web' }
  const container = {
    name: 'web',
    image: 'web:1',
    env: [{ name: 'A', value: '' }, { name: 'B' }],
    ports: [{ containerPort: 8080 }, { containerPort: 8080, protocol: 'UDP' }],
    resources: { requests: { cpu: '1000m', memory: '1024Mi' }, limits: { cpu: 2, memory: '2048Mi' } },
    volumeMounts: null,
  }
  const template = { metadata: { labels, creationTimestamp: null }, spec: { containers: [container], initContainers: [] } }
  const selector = { matchLabels: labels }
  const of = (apiVersion: string, kind: string, more: object) =>
    ({
      apiVersion,
      kind,
      metadata: { name: 'web', namespace: one.namespace, creationTimestamp: null, annotations: {} },
      ...more,
    }) as Manifest
  const job = { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'job', image: 'job:1' }] } } } }
  const backend = { service: { name: 'web', port: { number: 80 } } }
  return [
    of('v1', 'ServiceAccount', {}),
    of('v1', 'Secret', { stringData: { a: 'x' }, data: { b: 'eA==' } }),
    of('v1', 'ConfigMap', { data: { a: 'x', empty: '' }, binaryData: {} }),
    of('v1', 'Service', {
      spec: {
        selector: labels,
        ports: [{ port: 80 }, { name: 'other', port: 81, targetPort: 'x' }].slice(0, 1),
        type: 'ClusterIP',
      },
    }),
    of('apps/v1', 'Deployment', { spec: { replicas: 1, selector, template, strategy: {} }, status: {} }),
    of('apps/v1', 'StatefulSet', {
      spec: {
        serviceName: 'web',
        selector,
        template,
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1024Mi' } } },
          },
        ],
      },
    }),
    of('apps/v1', 'DaemonSet', { spec: { selector, template, updateStrategy: { type: 'RollingUpdate' } } }),
    of('batch/v1', 'CronJob', { spec: { schedule: '0 0 1 1 *', suspend: true, jobTemplate: job } }),
    of('policy/v1', 'PodDisruptionBudget', { spec: { minAvailable: '50%', selector } }),
    of('networking.k8s.io/v1', 'NetworkPolicy', {
      spec: { podSelector: {}, policyTypes: ['Ingress'], ingress: [{ ports: [{ port: 80 }] }] },
    }),
    of('networking.k8s.io/v1', 'Ingress', {
      spec: { rules: [{ host: 'a.example', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }] },
    }),
    of('rbac.authorization.k8s.io/v1', 'Role', { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] }),
    of('rbac.authorization.k8s.io/v1', 'RoleBinding', {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'web' },
      subjects: [{ kind: 'ServiceAccount', name: 'web' }],
    }),
  ]
}

t.test('a preflight proves the whole set and changes nothing', async t => {
  const one = await given(t)
  const objects = [one.object('ConfigMap', 'settings', { data: { a: '1' } }), web(one)]

  t.match(await preflight(one, objects), { state: 'passed', problems: [], warnings: [] })
  t.equal(await real.find(path(one, 'configmaps', 'settings')), null)
})

t.test('a preflight names every refusal: schema, quota, unknown kinds, immutable fields', async t => {
  const one = await given(t)
  await real.call('POST', `/api/v1/namespaces/${one.namespace}/resourcequotas`, {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'few' },
    spec: { hard: { 'count/services': '0' } },
  })
  await until(
    'the quota is counted',
    async () => (await real.call('GET', path(one, 'resourcequotas', 'few'))).status?.hard?.['count/services'] === '0',
  )
  await one.apply([web(one)])
  const service = one.object('Service', 'web', { spec: { ports: [{ port: 80 }] } })
  const moved = web(one)
  const spec = { ...(moved.spec as object), selector: { matchLabels: { app: 'other' } } }
  const template = { ...(moved.spec as { template: object }).template, metadata: { labels: { app: 'other' } } }
  const cases: readonly [Manifest, string, RegExp][] = [
    [one.object('ConfigMap', 'settings', { dta: {} }), 'UnknownField', /no field dta in this version/],
    [service, 'QuotaExceeded', /exceeded quota/],
    [
      { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w', namespace: one.namespace } },
      'UnknownKind',
      /no Widget of example.com\/v1/,
    ],
    [{ ...moved, spec: { ...spec, template } }, 'ImmutableField', /immutable.*another name/],
  ]
  for (const [object, reason, message] of cases) {
    const answer = await preflight(one, [object])
    t.equal(answer.state, 'refused', reason)
    t.match(answer.problems[0]?.reason, new RegExp(`^(${reason})`))
    t.match(answer.problems[0]?.message, message)
  }
})

t.test('what comes with the same release is not proven, and said so', async t => {
  const one = await given(t, {}, { made: false })
  const objects: readonly Manifest[] = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: one.namespace } },
    one.object('ConfigMap', 'settings', { data: {} }),
    definition('gadgets', 'Gadget'),
    { apiVersion: 'example.com/v1', kind: 'Gadget', metadata: { name: 'g', namespace: one.namespace } },
  ]

  const answer = await preflight(one, objects)
  const applied = await one.apply(objects)

  t.equal(answer.state, 'passed')
  t.match(answer.warnings, [/settings: is not proven: its namespace/, /g: is not proven: its definition/])
  t.same(
    applied.map(({ result }) => result),
    ['created', 'created', 'created', 'created'],
  )
  t.ok(await real.find(path(one, 'secrets', `slipway-ledger-${one.app.name}`)), 'the ledger lies there once its namespace does')
})

function definition(plural: string, kind: string): Manifest {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.example.com` },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural, kind },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  }
}

t.test('an object of another application is refused, both named; one of nobody is taken over', async t => {
  const one = await given(t)
  const other = await given(t, { name: `other-${one.namespace}` }, { namespace: one.namespace })
  const settings = one.object('ConfigMap', 'settings', { data: { a: '1' } })
  await other.apply([settings])
  await real.call('POST', `/api/v1/namespaces/${one.namespace}/configmaps`, { metadata: { name: 'free' }, data: { theirs: 'x' } })

  const answer = await preflight(one, [settings])
  const [refused, taken] = await one.apply([settings, one.object('ConfigMap', 'free', { data: { ours: 'y' } })])

  t.match(answer, { state: 'refused', problems: [{ reason: 'SharedObject', message: /belongs to application other-/ }] })
  t.match(refused, { result: 'refused', message: /belongs to application other-/ })
  t.match(taken, { result: 'changed' })
  t.same((await real.call('GET', path(one, 'configmaps', 'free'))).data, { theirs: 'x', ours: 'y' })
})

t.test('pruning takes what we track, and nothing else', async t => {
  const one = await given(t)
  await one.apply([one.object('ConfigMap', 'ours', { data: {} })])
  await real.call('POST', `/api/v1/namespaces/${one.namespace}/configmaps`, { metadata: { name: 'theirs' } })
  const refs = ['ours', 'theirs', 'never-there'].map(name => refOf(one.object('ConfigMap', name)))

  const pruned = await one.cluster.prune(one.app, refs, { ...order(), ledger: one.ledger }, signal)

  t.same(
    pruned.map(({ result }) => result),
    ['pruned', 'unchanged', 'unchanged'],
  )
  await until('it is gone', async () => (await real.find(path(one, 'configmaps', 'ours'))) === null)
  t.ok(await real.find(path(one, 'configmaps', 'theirs')))
})

t.test('values of stringData that a release no longer has go from the Secret', async t => {
  const one = await given(t)
  await one.apply([one.object('Secret', 'keys', { stringData: { a: '1', b: '2' } })])

  await one.apply([one.object('Secret', 'keys', { stringData: { a: '1' } })], 2)

  t.same((await real.call('GET', path(one, 'secrets', 'keys'))).data, { a: Buffer.from('1').toString('base64') })
})

t.test('pods of the newest template are told from those before, and what they do is seen', async t => {
  const one = await given(t)
  await one.apply([web(one)], 1)
  const first = await until('ready', async () => (await one.cluster.observe(one.app, signal)).pods.find(pod => pod.ready))
  await one.apply([web(one, { image: 'web:2' }, 'crash')], 2)

  const crashed = await until('it ended three times', async () =>
    (await one.cluster.observe(one.app, signal)).pods.find(pod =>
      pod.containers.some(one => one.restartCount === 2 && one.last !== null),
    ),
  )
  const observed = await one.cluster.observe(one.app, signal)
  const workload = observed.objects.find(object => object.ref.kind === 'Deployment')

  t.equal(first.workload?.name, 'web')
  t.equal(workload?.templateHash, crashed.templateHash)
  t.not(first.templateHash, crashed.templateHash)
  t.equal(crashed.attempt, 2)
  t.ok(
    observed.pods.some(pod => pod.uid === first.uid && pod.ready),
    'the former pod serves on',
  )
})

t.test('a pod that fits nowhere says so', async t => {
  const one = await given(t)
  await one.apply([web(one, { resources: { requests: { cpu: '1000' } } })])

  const pod = await until('unschedulable', async () =>
    (await one.cluster.observe(one.app, signal)).pods.find(pod => pod.reason === 'Unschedulable'),
  )

  t.match(pod.message, /Insufficient cpu/)
})

t.test('the ledger lies in the cluster, sealed, and is read back by the next controller', async t => {
  const one = await given(t)
  one.ledger = { ...one.ledger, version: 5, salt: 'a secret of the application' }
  await one.apply([one.object('ConfigMap', 'settings', { data: {} })])
  const secret = await real.call('GET', path(one, 'secrets', `slipway-ledger-${one.app.name}`))

  const next = await one.restarted()
  const observed = await next.cluster.observe(next.app, signal)

  t.same(observed.ledger, one.ledger)
  t.equal((await next.cluster.observe(next.app, signal)).ledger, null, 'it is asked for once')
  t.notOk(Buffer.from(secret.data.kept, 'base64').includes('a secret of the application'))
  t.ok((await next.cluster.kept(signal)).some(({ kept }) => kept.ledger.application.name === one.app.name))
})

t.test('a ledger too large for one Secret lies in several, and none is left over', async t => {
  const one = await given(t)
  const large = randomBytes(1_500_000).toString('base64')
  one.ledger = { ...one.ledger, version: 5, salt: large }
  await one.apply([one.object('ConfigMap', 'settings', { data: {} })])
  const next = await one.restarted()
  const observed = await next.cluster.observe(next.app, signal)
  t.equal(observed.ledger?.salt, large)
  const secrets = async () =>
    (await real.call('GET', `/api/v1/namespaces/${one.namespace}/secrets`)).items.map((item: Manifest) => item.metadata.name)
  t.ok((await secrets()).length > 2)

  next.ledger = { ...one.ledger, version: 6, salt: 'small' }
  await next.cluster.remember(next.app, { ...order(), ledger: next.ledger }, signal)

  t.same(await secrets(), [`slipway-ledger-${one.app.name}`])
})

t.test('of two controllers the one that was overtaken writes nothing', async t => {
  const one = await given(t)
  const settings = one.object('ConfigMap', 'settings', { data: { a: '1' } })
  await one.apply([settings])
  const next = await one.restarted()
  await next.apply([one.object('ConfigMap', 'settings', { data: { a: '2' } })])

  await t.rejects(one.apply([one.object('ConfigMap', 'settings', { data: { a: '3' } })]), /was changed by somebody else/)
  await t.rejects(one.apply([one.object('ConfigMap', 'settings', { data: { a: '3' } })]), /is of epoch 101, ours is 100/)
  one.epoch = null
  await t.rejects(one.apply([settings]), /does not hold the lease/)

  t.same((await real.call('GET', path(one, 'configmaps', 'settings'))).data, { a: '2' })
})

t.test("let go, it goes on, is nobody's, and another may take it over without a restart", async t => {
  const one = await given(t)
  await one.apply([web(one)])
  const pod = await until('ready', async () => (await one.cluster.observe(one.app, signal)).pods.find(pod => pod.ready))

  await one.cluster.letGo(one.app, { ...order(), ledger: one.ledger }, signal)
  await one.cluster.forget(one.app, signal)
  const other = await given(t, { name: `other-${one.namespace}` }, { namespace: one.namespace })
  await other.apply([web(one)])

  t.equal((await seen(other, 'web'))?.hash, manifestHash(web(one)))
  const after = await until('it is seen', async () => (await other.cluster.observe(other.app, signal)).pods[0])
  t.equal(after.uid, pod.uid)
  t.equal(await real.find(path(one, 'secrets', `slipway-ledger-${one.app.name}`)), null)
})

t.test('removed, everything tracked goes, and data stays', async t => {
  const one = await given(t)
  const claim = one.object('PersistentVolumeClaim', 'data', {
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  })
  await one.apply([claim, one.object('ConfigMap', 'settings', { data: {} }), web(one)])
  one.ledger = {
    ...one.ledger,
    version: 9,
    deletion: { by: { kind: 'user', name: 'ana' }, at: 1, cascade: true, told: true } as never,
  }

  await one.cluster.remove(one.app, { ...order(), ledger: one.ledger }, signal)

  await until('all is gone', async () => (await one.cluster.observe(one.app, signal)).gone)
  t.equal(await real.find(path(one, 'configmaps', 'settings')), null)
  t.equal(await real.find(`/apis/apps/v1/namespaces/${one.namespace}/deployments/web`), null)
  t.ok(await real.find(path(one, 'persistentvolumeclaims', 'data')))
})

t.test('a cluster that is away is silent, and is heard again, with all that is there', async t => {
  const one = await given(t)
  const settings = one.object('ConfigMap', 'settings', { data: {} })
  await one.apply([settings])
  t.equal((await one.cluster.observe(one.app, signal)).silent, null)

  await real.killApi()
  const silent = await until('silent', async () => (await one.cluster.observe(one.app, signal)).silent)
  await real.startApi()
  await until('heard', async () => (await one.cluster.observe(one.app, signal)).silent === null)

  t.match(silent.message, /cannot be reached/)
  t.equal((await seen(one, 'settings'))?.hash, manifestHash(settings))
})
