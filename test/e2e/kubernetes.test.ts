// The product's sentence on a Kubernetes cluster: pushed, released, broken, hauled back, reverted; a real API server, its controllers and
// its scheduler, pods that are played.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { application } from '../support/applications.js'
import { noKubernetes, startKubernetes } from '../support/kubernetes/server.js'
import { waitUntil } from '../support/machine.js'
import { startSlipway } from '../support/slipway.js'

const missing = await noKubernetes()
if (missing !== false) {
  t.plan(0, missing)
  process.exit(0)
}
t.setTimeout(300_000)
const cluster = await startKubernetes(t)
const slipway = await startSlipway(t, { config: { clusters: [{ name: 'test', kubeconfig: cluster.kubeconfig }] } })
const shop = await application(slipway, 'shop', {
  spec: { destination: { name: 'test', namespace: 'shop' }, syncPolicy: { syncOptions: ['CreateNamespace=true'] } },
})

/** `play`: what its pods do. */
function shopFiles(version: string, play = '', more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, string>> {
  const labels = { app: 'web' }
  const container = { name: 'web', image: `shop/web:${version}`, ports: [{ containerPort: 8080 }] }
  const template = {
    metadata: { labels, annotations: play === '' ? {} : { 'test.slipway.dev/play': play } },
    spec: { containers: [container] },
  }
  const objects = [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { version } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { replicas: 2, selector: { matchLabels: labels }, template, ...more },
    },
  ]
  return { 'shop.yaml': objects.map(object => JSON.stringify(object)).join('\n---\n') }
}

const deployment = '/apis/apps/v1/namespaces/shop/deployments/web'
const imageNow = async () => (await cluster.call('GET', deployment)).spec.template.spec.containers[0].image
const commits: Record<string, string> = {}

await t.test('the first commit is released, in a namespace that is made for it', async t => {
  commits.first = await shop.push(shopFiles('1'), 'Open the shop')
  await shop.declare()

  const view = await shop.settled(commits.first, 'Healthy')

  t.match(view.message, /runs, healthy, 2 of 2 ready/)
  t.equal(view.place, 'cluster/test')
  const live = await cluster.call('GET', deployment)
  t.equal(live.metadata.annotations['argocd.argoproj.io/tracking-id'], 'shop:apps/Deployment:shop/web')
  t.equal(live.status.readyReplicas, 2)
  t.equal((await shop.pods()).length, 2)
})

await t.test('a commit that crashes is judged by its pods and rolled back, and is not tried again', async t => {
  const pods = await shop.pods()
  commits.bad = await shop.push(shopFiles('2', 'crash'), 'Break the shop')

  const view = await shop.settled(commits.bad, 'RolledBack')

  t.match(view.message, /container web exited 1 three times, never ready/)
  t.equal(await imageNow(), 'shop/web:1')
  t.same(await shop.pods(), pods, 'the pods of the good release served through it')
  await shop.push({ 'README.md': 'nothing of the shop' }, 'Say something')
  await shop.until('it stays rolled back', seen => seen.state === 'RolledBack' && seen.candidate?.commit !== commits.bad)
})

await t.test('a revert in Git is healthy at once, and nothing is restarted', async t => {
  const pods = await shop.pods()
  const commit = await shop.push(shopFiles('1'), 'Revert "Break the shop"')

  await shop.settled(commit, 'Healthy')

  t.same(await shop.pods(), pods)
})

await t.test('pods that never get ready are rolled back at the health timeout', async t => {
  await shop.declare({ rollout: { bakeTime: '1s', healthTimeout: '6s' } })
  const commit = await shop.push(shopFiles('3', 'never'), 'Hang the shop')

  const view = await shop.settled(commit, 'RolledBack')

  t.match(view.attempt?.verdict?.message ?? '', /not|never|no progress/)
  t.equal(await imageNow(), 'shop/web:1')
})

await t.test(
  'NATS is wiped while the controller restarts: all is taken back from the cluster, and the bad one stays bad',
  async t => {
    const bad = (await shop.view()).candidate?.commit ?? ''
    const pods = await shop.pods()

    slipway.signal('nats', 'SIGSTOP')
    rmSync(join(slipway.state, 'nats', 'store'), { recursive: true, force: true })
    await slipway.crash('nats', 'controller')
    await waitUntil('the controller knows the application', 60_000, async () => {
      return (await slipway.client.application('shop').catch(() => null)) !== null
    })
    const view = await shop.settled(bad, 'RolledBack', 90_000)

    t.same(await shop.pods(), pods)
    t.match(view.why.next.join(' '), /not tried again until its content changes/)
  },
)

await t.test('what an admission would refuse is held, and nothing is touched', async t => {
  const before = await cluster.call('GET', deployment)
  const commit = await shop.push(shopFiles('4', '', { replicas: -1 }), 'Want less than nothing')

  const view = await shop.settled(commit, 'Held')

  t.match(view.message, /must be greater than or equal to 0/)
  t.equal((await cluster.call('GET', deployment)).metadata.resourceVersion, before.metadata.resourceVersion)
})

await t.test('an image name that can never be is judged at once', async t => {
  const commit = await shop.push(shopFiles('4', 'name'), 'Name no image')

  const view = await shop.settled(commit, 'RolledBack')

  t.match(view.attempt?.verdict?.message ?? '', /InvalidImageName/)
  t.equal(await imageNow(), 'shop/web:1')
})

await t.test('the controller is killed while a bad release rolls out: the same end', async t => {
  const commit = await shop.push(shopFiles('4b', 'never'), 'Hang the shop again')
  await shop.until('it rolls out', seen => seen.candidate?.commit === commit && seen.attempt?.step === 'Verifying')

  await slipway.kill('controller')
  const view = await shop.settled(commit, 'RolledBack', 90_000)

  t.equal(view.attempt?.outcome, 'RolledBack')
  t.equal(await imageNow(), 'shop/web:1')
  t.equal((await shop.history()).filter(one => one.release?.commit === commit).length, 1)
})

await t.test('the API server is away while a release rolls out: no verdict meanwhile, and then it goes on', async t => {
  await shop.declare({ rollout: { bakeTime: '1s', healthTimeout: '90s' } })
  const commit = await shop.push(shopFiles('4c', 'ready 3000'), 'Take a while')
  await shop.until('it rolls out', seen => seen.candidate?.commit === commit && seen.attempt?.step === 'Verifying')

  await cluster.killApi()
  await shop.until('nothing is known of it', seen => seen.state === 'Unknown')
  await cluster.startApi()

  await shop.settled(commit, 'Healthy', 90_000)
  t.equal(await imageNow(), 'shop/web:4c')
})

await t.test('a fix is released over all of it', async t => {
  const commit = await shop.push(shopFiles('5'), 'Fix the shop')

  await shop.settled(commit, 'Healthy')

  t.equal(await imageNow(), 'shop/web:5')
})

await t.test('what somebody changes by hand is healed, and it is told who changed what', async t => {
  await cluster.call(
    'PATCH',
    `${deployment}?fieldManager=kubectl-edit`,
    { spec: { replicas: 5 } },
    'application/merge-patch+json',
  )

  await shop.until('it is healthy', seen => seen.state === 'Healthy')
  const healed = async () => (await cluster.call('GET', deployment)).spec.replicas === 2
  for (const deadline = Date.now() + 60_000; !(await healed()) && Date.now() < deadline; )
    await new Promise(resolve => setTimeout(resolve, 100))

  t.ok(await healed())
  const events = () => slipway.client.events('shop')
  await waitUntil('it is told', 60_000, async () => (await events()).some(({ what }) => what === 'healed'))
  const told = (await events()).find(({ what }) => what === 'drift')
  t.match(told?.message, /Deployment shop\/web: spec.replicas is 5, not 2 \(kubectl-edit, 20/)
})

/** A Job that runs before the release. */
function hook(name: string, play: string): string {
  const annotations = { 'argocd.argoproj.io/hook': 'PreSync', 'argocd.argoproj.io/hook-delete-policy': 'HookSucceeded' }
  const containers = [{ name: 'migrate', image: 'shop/migrate:1' }]
  const template = {
    metadata: { annotations: { 'test.slipway.dev/play': play } },
    spec: { restartPolicy: 'Never', containers },
  }
  return JSON.stringify({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, annotations },
    spec: { backoffLimit: 0, template },
  })
}

await t.test(
  'a hook runs before the release, waves follow each other, and what a commit drops goes once it is healthy',
  async t => {
    const later = { 'argocd.argoproj.io/sync-wave': '1' }
    const extra = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'later', annotations: later }, data: {} }
    const first = await shop.push({
      ...shopFiles('6'),
      'hook.yaml': hook('migrate', 'ready'),
      'extra.yaml': JSON.stringify(extra),
    })
    await shop.settled(first, 'Healthy')
    const made = await cluster.call('GET', '/api/v1/namespaces/shop/configmaps/later')
    const rolled = await cluster.call('GET', deployment)
    const moves = (await shop.view()).attempt?.moves.map(({ message }) => message).join('; ') ?? ''

    const second = await shop.push({ 'hook.yaml': null, 'extra.yaml': null }, 'Drop both')
    await shop.settled(second, 'Healthy')

    t.match(moves, /PreSync: Job migrate-presync-\d+.*wave 3 of 3/)
    const ready = rolled.status.conditions.find((one: { type: string }) => one.type === 'Available')
    t.ok(made.metadata.creationTimestamp >= ready.lastUpdateTime, 'the second wave came after the first was available')
    t.equal(await cluster.find('/api/v1/namespaces/shop/configmaps/later'), null)
    t.same((await cluster.call('GET', '/apis/batch/v1/namespaces/shop/jobs')).items, [])
  },
)

await t.test('a hook that fails: nothing of the release is applied', async t => {
  const commit = await shop.push({ ...shopFiles('7'), 'hook.yaml': hook('migrate', 'fail') }, 'Migrate wrongly')

  const view = await shop.settled(commit, 'RolledBack')

  t.match(view.attempt?.verdict?.message ?? '', /PreSync hook Job shop\/migrate-presync-\d+ failed/)
  t.equal(await imageNow(), 'shop/web:6')
})

await t.test('a chart keeps the passwords that are there when it takes them over, and sees what others have', async t => {
  const painter = await application(slipway, 'painter', { spec: { destination: { name: 'test', namespace: 'shop' } } })
  const secrets = '/api/v1/namespaces/shop/secrets'
  await cluster.call('POST', `${secrets}?fieldManager=helm`, {
    metadata: { name: 'db', labels: { 'app.kubernetes.io/managed-by': 'Helm' } },
    data: { password: Buffer.from('open sesame').toString('base64') },
  })
  const commit = await painter.push({
    'Chart.yaml': 'apiVersion: v2\nname: painter\nversion: 1.0.0\n',
    'templates/db.yaml': [
      'apiVersion: v1',
      'kind: Secret',
      'metadata: { name: db }',
      'data: { password: {{ randAlphaNum 16 | b64enc }}, other: {{ randAlphaNum 16 | b64enc }} }',
    ].join('\n'),
    'templates/paint.yaml': [
      'apiVersion: v1',
      'kind: ConfigMap',
      'metadata: { name: paint }',
      'data: { version: {{ (lookup "v1" "ConfigMap" "shop" "settings").data.version | quote }} }',
    ].join('\n'),
  })
  await painter.declare()
  await painter.settled(commit, 'Healthy')

  const { data } = await cluster.call('GET', `${secrets}/db`)
  t.equal(Buffer.from(data.password, 'base64').toString(), 'open sesame')
  t.equal(Buffer.from(data.other, 'base64').length, 16, 'what was not there is made')
  t.equal((await cluster.call('GET', '/api/v1/namespaces/shop/configmaps/paint')).data.version, '6')
  await painter.push({ 'README.md': 'Paints.\n' })
  t.equal((await cluster.call('GET', `${secrets}/db`)).data.other, data.other)
})

await t.test('deleted, it takes along what it made', async t => {
  const { code, err } = await slipway.cli('delete', 'shop', '--cascade', '--yes')
  t.equal(code, 0, err)

  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await new Promise(resolve => setTimeout(resolve, 200)))
    if ((await slipway.client.application('shop')) === null) break

  t.equal(await slipway.client.application('shop'), null)
  t.equal(await cluster.find(deployment), null)
  t.equal(await cluster.find('/api/v1/namespaces/shop/secrets/slipway-ledger-shop'), null)
})
