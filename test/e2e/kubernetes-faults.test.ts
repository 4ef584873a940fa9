// Every fault that a release can meet on a cluster, and how it ends: rolled back or held, with the old pods serving and a word that says
// why. One application a fault, all of them at once, on a real API server with pods that are played.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { ApplicationView, StateWord } from '../../controller/view.js'
import { application, type TestApplication } from '../support/applications.js'
import { type Json, noKubernetes, startKubernetes } from '../support/kubernetes/server.js'
import { startWire } from '../support/kubernetes/wire.js'
import { waitUntil } from '../support/machine.js'
import { startSlipway } from '../support/slipway.js'

const missing = await noKubernetes()
if (missing !== false) {
  t.plan(0, missing)
  process.exit(0)
}
t.setTimeout(600_000)
const cluster = await startKubernetes(t)
const wire = await startWire(t, cluster)
const kubeconfig = join(cluster.directory, 'by-wire')
writeFileSync(
  kubeconfig,
  JSON.stringify({
    clusters: [{ name: 'wire', cluster: { server: wire.url } }],
    users: [{ name: 'admin', user: { token: cluster.token } }],
    contexts: [{ name: 'wire', context: { cluster: 'wire', user: 'admin' } }],
    'current-context': 'wire',
  }),
  { mode: 0o600 },
)
const slipway = await startSlipway(t, { config: { clusters: [{ name: 'test', kubeconfig }] } })
const merge = 'application/merge-patch+json'

interface Web {
  readonly version: string
  readonly play?: string
  /** Of the pod template. */
  readonly pod?: Json
  readonly spec?: Json
  readonly more?: readonly Json[]
}

function web({ version, play = '', pod = {}, spec = {}, more = [] }: Web): Readonly<Record<string, string>> {
  const labels = { app: 'web' }
  const container = { name: 'web', image: `web:${version}`, resources: { limits: { memory: '64Mi' } } }
  const annotations = play === '' ? {} : { 'test.slipway.dev/play': play }
  const template = { metadata: { labels, annotations }, spec: { containers: [container], ...pod } }
  const objects = [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { version } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { replicas: 2, selector: { matchLabels: labels }, template, ...spec },
    },
    ...more,
  ]
  return { 'web.yaml': objects.map(object => JSON.stringify(object)).join('\n---\n') }
}

async function declared(name: string, rollout: Json = {}): Promise<TestApplication> {
  const app = await application(slipway, name, {
    patienceMs: 120_000,
    rollout: { healthTimeout: '15s', ...rollout },
    spec: { destination: { name: 'test', namespace: name }, syncPolicy: { syncOptions: ['CreateNamespace=true'] } },
  })
  const commit = await app.push(web({ version: 'good' }), 'Good')
  await app.declare()
  await app.settled(commit, 'Healthy')
  return app
}

const deploymentOf = (name: string) => cluster.call('GET', `/apis/apps/v1/namespaces/${name}/deployments/web`)
const imageOf = async (name: string) => (await deploymentOf(name)).spec.template.spec.containers[0].image
const podsOf = async (name: string): Promise<readonly string[]> =>
  (await cluster.call('GET', `/api/v1/namespaces/${name}/pods`)).items
    .filter((pod: Json) => pod.metadata.deletionTimestamp === undefined)
    .map((pod: Json) => pod.metadata.name)
const find = (name: string, path: string) => cluster.find(`/api/v1/namespaces/${name}/${path}`)

interface Fault {
  readonly name: string
  readonly bad: Partial<Web>
  readonly ends: StateWord
  readonly says: RegExp
  /** Before the bad commit is pushed. */
  readonly before?: (namespace: string) => Promise<unknown>
  /** Before the fix is. */
  readonly after?: (namespace: string) => Promise<unknown>
}

/** What the expression does not hold of is denied in this namespace, by the API server itself; it takes a while to know of it. */
async function deny(namespace: string, resource: string, apiGroups: readonly string[], expression: string, probe: Json) {
  const name = `${namespace}-${resource}`
  const rules = [{ apiGroups, apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: [resource] }]
  const group = '/apis/admissionregistration.k8s.io/v1'
  await cluster.call('POST', `${group}/validatingadmissionpolicies`, {
    metadata: { name },
    spec: {
      matchConstraints: { resourceRules: rules },
      validations: [{ expression, message: 'the house says no' }],
      failurePolicy: 'Fail',
    },
  })
  await cluster.call('POST', `${group}/validatingadmissionpolicybindings`, {
    metadata: { name },
    spec: {
      policyName: name,
      validationActions: ['Deny'],
      matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } },
    },
  })
  const path = apiGroups[0] === '' ? '/api/v1' : `/apis/${apiGroups[0]}/v1`
  await waitUntil(`${name} denies`, 30_000, () =>
    cluster.call('POST', `${path}/namespaces/${namespace}/${resource}?dryRun=All`, probe).then(
      () => false,
      (error: Error) => error.message.includes('the house says no'),
    ),
  )
}

const badPod = { containers: [{ name: 'web', image: 'web:bad' }] }
const badDeployment = {
  selector: { matchLabels: { app: 'x' } },
  template: { metadata: { labels: { app: 'x' } }, spec: badPod },
}

const quota = (namespace: string, hard: Json) =>
  cluster.call('POST', `/api/v1/namespaces/${namespace}/resourcequotas`, { metadata: { name: 'small' }, spec: { hard } })

const faults: readonly Fault[] = [
  { name: 'crash-loop', bad: { play: 'crash' }, ends: 'RolledBack', says: /container web exited 1 three times, never ready/ },
  { name: 'bad-image', bad: { play: 'pull' }, ends: 'RolledBack', says: /ImagePullBackOff/ },
  { name: 'bad-name', bad: { play: 'name' }, ends: 'RolledBack', says: /InvalidImageName/ },
  { name: 'never-ready', bad: { play: 'never' }, ends: 'RolledBack', says: /not ready|no progress/ },
  { name: 'out-of-memory', bad: { play: 'oom' }, ends: 'RolledBack', says: /ended for its memory twice \(memory limit 64Mi\)/ },
  {
    name: 'bad-config',
    bad: { play: 'config' },
    ends: 'RolledBack',
    says: /CreateContainerConfigError, secret "missing" not found/,
  },
  {
    name: 'no-node',
    bad: { pod: { nodeSelector: { 'no.such': 'node' } } },
    ends: 'RolledBack',
    says: /Unschedulable|didn't match/,
  },
  {
    name: 'denied',
    before: name =>
      deny(name, 'deployments', ['apps'], "!object.spec.template.spec.containers.exists(c, c.image == 'web:bad')", {
        metadata: { name: 'probe' },
        spec: badDeployment,
      }),
    bad: {},
    ends: 'Held',
    says: /the house says no/,
  },
  {
    name: 'pods-denied',
    before: name =>
      deny(name, 'pods', [''], "!object.spec.containers.exists(c, c.image == 'web:bad')", {
        metadata: { name: 'probe' },
        spec: badPod,
      }),
    bad: {},
    ends: 'RolledBack',
    says: /pods cannot be created.*the house says no/,
  },
  {
    name: 'quota',
    before: name => quota(name, { 'count/services': '0' }),
    bad: {
      more: [{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec: { ports: [{ port: 80 }] } }],
    },
    ends: 'Held',
    says: /exceeded quota: small/,
  },
  {
    name: 'pod-quota',
    before: name => quota(name, { pods: '2' }),
    after: name => cluster.call('DELETE', `/api/v1/namespaces/${name}/resourcequotas/small`),
    bad: {},
    ends: 'RolledBack',
    says: /pods cannot be created.*exceeded quota: small/,
  },
  {
    name: 'immutable',
    bad: { spec: { selector: { matchLabels: { app: 'other' } } } },
    ends: 'Held',
    says: /immutable|selector/,
  },
]

await t.test('every bad release ends as it should, and the old pods serve through it', async t => {
  t.jobs = 8
  t.test('an object that keeps a finalizer is said to stay, and is not forced out', { buffered: true }, stuckFinalizer)
  t.test('a namespace that is being ended is waited for, made anew, and all runs again', { buffered: true }, endingNamespace)
  t.test('a StatefulSet is not held up by the broken pod of what it leaves', { buffered: true }, stuckStatefulSet)
  for (const fault of faults)
    t.test(fault.name, { buffered: true }, async t => {
      const app = await declared(fault.name)
      await endsWell(t, app, fault)
    })
})

async function stuckStatefulSet(t: Test): Promise<void> {
  const path = '/apis/apps/v1/namespaces/ordered/statefulsets/data'
  const set = (version: string, play: string) => {
    const labels = { app: 'data' }
    const annotations = { 'test.slipway.dev/play': play }
    const template = { metadata: { labels, annotations }, spec: { containers: [{ name: 'data', image: `data:${version}` }] } }
    const spec = { replicas: 2, serviceName: 'data', selector: { matchLabels: labels }, template }
    return JSON.stringify({ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'data' }, spec })
  }
  const app = await declared('ordered')
  const good = await app.push({ 'set.yaml': set('1', 'ready') }, 'Keep data')
  await app.settled(good, 'Healthy')
  const first = await cluster.call('GET', '/api/v1/namespaces/ordered/pods/data-0')

  const bad = await app.push({ 'set.yaml': set('2', 'never') }, 'Keep nothing')
  await app.settled(bad, 'RolledBack')

  const { status, spec } = await cluster.call('GET', path)
  t.equal(spec.template.spec.containers[0].image, 'data:1')
  t.match(status, { readyReplicas: 2, currentRevision: status.updateRevision })
  const same = await cluster.call('GET', '/api/v1/namespaces/ordered/pods/data-0')
  t.equal(same.metadata.uid, first.metadata.uid, 'the pod that was not changed yet went on')
}

async function stuckFinalizer(t: Test): Promise<void> {
  const held = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'held', finalizers: ['example.com/hold'] }, data: {} }
  const app = await declared('finalizer')
  const first = await app.push(web({ version: 'with', more: [held] }), 'Hold something')
  await app.settled(first, 'Healthy')

  const second = await app.push(web({ version: 'without' }), 'Drop it')
  const view = await app.until('it is said', ({ candidate, message }) => candidate?.commit === second && /held/.test(message))

  t.match(view.message, /waiting for ConfigMap finalizer\/held to go: finalizer example\.com\/hold keeps it/)
  const live = await find('finalizer', 'configmaps/held')
  t.same(live?.metadata.finalizers, ['example.com/hold'])
  t.ok(live?.metadata.deletionTimestamp)
  const { attempt } = await app.settled(second, 'Healthy')
  t.match(attempt?.moves.at(-1)?.message, /healthy; still waiting for ConfigMap/, 'no fault of the release')
  await cluster.call('PATCH', '/api/v1/namespaces/finalizer/configmaps/held', { metadata: { finalizers: null } }, merge)
  t.equal(await find('finalizer', 'configmaps/held'), null)
}

async function endingNamespace(t: Test): Promise<void> {
  const held = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'foreign', finalizers: ['example.com/hold'] }, data: {} }
  const app = await declared('ending')
  await cluster.call('POST', '/api/v1/namespaces/ending/configmaps', held)

  await cluster.call('DELETE', '/api/v1/namespaces/ending')
  const view = await app.until('it is said', ({ message }) => /being (terminated|ended)/.test(message))
  t.not(view.state, 'Healthy')
  t.equal(view.state, 'Unknown')
  await cluster.call('PATCH', '/api/v1/namespaces/ending/configmaps/foreign', { metadata: { finalizers: null } }, merge)

  await waitUntil('it runs again', 90_000, async () => {
    const found = await cluster.find('/apis/apps/v1/namespaces/ending/deployments/web')
    return found?.status?.readyReplicas === 2
  })
  await app.until('it is healthy', ({ state }) => state === 'Healthy')
}

async function endsWell(t: Test, app: TestApplication, { name, bad, ends, says, before, after }: Fault): Promise<void> {
  const pods = await podsOf(name)
  await before?.(name)
  const version = await deploymentOf(name)

  const commit = await app.push(web({ version: 'bad', ...bad }), 'Bad')
  const view = await app.settled(commit, ends)

  t.match(saidOf(view), says)
  t.equal(await imageOf(name), 'web:good')
  const left = await podsOf(name)
  t.same(
    pods.filter(pod => !left.includes(pod)),
    [],
    'the pods of the good release served through it',
  )
  if (ends === 'Held') t.equal((await deploymentOf(name)).metadata.resourceVersion, version.metadata.resourceVersion, 'untouched')
  await after?.(name)
  const fixed = await app.push(web({ version: 'fixed' }), 'Fixed')
  await app.settled(fixed, 'Healthy')
}

function saidOf(view: ApplicationView): string {
  return [view.message, view.attempt?.verdict?.message ?? '', ...view.why.next].join('; ')
}
const passing = { version: 'next', play: 'ready 2000' }

await t.test('the way to the server is disturbed while a release rolls out: it goes on, once', async t => {
  const disturbances: Readonly<Record<string, () => Promise<unknown>>> = {
    'watches are cut': async () => wire.cut(),
    'versions are too old': async () => {
      const gone = { status: 410, body: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' } }
      wire.answering((_, path) => (path.includes('watch=1') ? gone : null))
      wire.cut()
      await pause(1_500)
    },
    'too many requests': async () => {
      const full = { status: 429, headers: { 'retry-after': '1' }, body: { message: 'slow down' } }
      wire.answering(() => full)
      await pause(2_500)
    },
    'the server answers 500': async () => {
      wire.answering(() => ({ status: 500, body: { message: 'etcdserver: request timed out' } }))
      await pause(2_500)
    },
    'the server is killed': async () => {
      await cluster.killApi()
      await cluster.startApi()
    },
  }
  const app = await declared('disturbed', { healthTimeout: '60s' })
  for (const [what, disturb] of Object.entries(disturbances)) {
    const version = what.replaceAll(' ', '-')
    const many = Array.from({ length: 30 }, (_, index) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `many-${index}` },
      data: { version },
    }))
    const commit = await app.push(web({ ...passing, version, more: many }), what)
    await app.until(
      'it is under way',
      ({ candidate, attempt }) => candidate?.commit === commit && /Preflight|Syncing|Verifying/.test(attempt?.step ?? ''),
    )

    await disturb()
    wire.answering(null)

    await app.settled(commit, 'Healthy')
    t.equal(await imageOf('disturbed'), `web:${version}`, what)
    const tries = (await app.history()).filter(({ release }) => release?.commit === commit)
    t.same(
      tries.map(({ outcome }) => outcome),
      ['Healthy'],
      `${what}: one line of history`,
    )
  }
})

await t.test('a bad release is rolled back although its pods end while the server is away', async t => {
  const app = await declared('away', { healthTimeout: '60s', bakeTime: '20s' })
  const commit = await app.push(web({ version: 'bad', play: 'crash-later 4000' }), 'Crash later')
  await app.until('it bakes', ({ candidate, attempt }) => candidate?.commit === commit && attempt?.step === 'Baking')

  await cluster.killApi()
  await app.until('nothing is known of it', ({ state }) => state === 'Unknown')
  await cluster.startApi()

  await app.settled(commit, 'RolledBack')
  t.equal(await imageOf('away'), 'web:good')
})

await t.test(
  'a cluster that is away when the controller leads, with a store that was lost, is taken back from later',
  async t => {
    const before = await imageOf('away')
    wire.answering(() => ({ status: 503, body: { message: 'away' } }))
    slipway.signal('nats', 'SIGSTOP')
    rmSync(join(slipway.state, 'nats', 'store'), { recursive: true, force: true })
    await slipway.crash('nats', 'controller')
    await waitUntil('the controller answers', 60_000, () =>
      slipway.client.applications().then(
        () => true,
        () => false,
      ),
    )
    await waitUntil('it looked at the cluster in vain', 60_000, () => /taking back/.test(slipway.log('controller')))
    t.equal(await slipway.client.application('away'), null, 'nothing is known of it yet')

    wire.answering(null)

    await waitUntil('it is taken back', 60_000, async () => (await slipway.client.application('away')) !== null)
    await slipway.client.until('away', 'it is as it was', ({ state }) => state === 'RolledBack', 60_000)
    t.equal(await imageOf('away'), before)
  },
)

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
