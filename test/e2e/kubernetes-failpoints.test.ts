// The controller is killed at every write of a release, a rollback and a deletion on a cluster, one after the other: each time the end is
// the one that it has undisturbed. A sample, another one each day (its seed is printed); `npm run soak` walks them all.
import t from 'tap'
import { application, type TestApplication } from '../support/applications.js'
import { withFailpoints } from '../support/failing.js'
import { type Json, noKubernetes, startKubernetes } from '../support/kubernetes/server.js'
import { waitUntil } from '../support/machine.js'
import { startSlipway } from '../support/slipway.js'

const missing = await noKubernetes()
if (missing !== false) {
  t.plan(0, missing)
  process.exit(0)
}
const every = process.env.SLIPWAY_FAILPOINTS === 'all' ? 1 : Number(process.env.SLIPWAY_FAILPOINTS_EVERY ?? 24)
const seed = Number(process.env.SLIPWAY_FAILPOINTS_SEED ?? Math.floor(Date.now() / 86_400_000))
/** `rollback:controller.cluster`: only what begins so. */
const only = process.env.SLIPWAY_FAILPOINTS_ONLY ?? ''

t.setTimeout(every === 1 ? 3_600_000 : 600_000)
t.comment(`every ${every}. failpoint, seed ${seed} (SLIPWAY_FAILPOINTS_SEED)`)
const cluster = await startKubernetes(t)
const config = { pollInterval: '1s', clusters: [{ name: 'test', kubeconfig: cluster.kubeconfig }] }
const slipway = await startSlipway(t, { config })
const failpoints = await withFailpoints(slipway)

/** Two waves, a hook before the sync, and an object that only this message has. */
function files(message: string, play = ''): Readonly<Record<string, string>> {
  const labels = { app: 'web' }
  const containers = [{ name: 'web', image: `web:${message}` }]
  const template = { metadata: { labels, annotations: { 'test.slipway.dev/play': play } }, spec: { containers } }
  const wave = { 'argocd.argoproj.io/sync-wave': '1' }
  const hook = { 'argocd.argoproj.io/hook': 'PreSync' }
  const job = { metadata: { labels: { message } }, spec: { restartPolicy: 'Never', containers } }
  const objects = [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { message } },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `only-in-${message}` }, data: {} },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', annotations: wave },
      spec: { replicas: 2, selector: { matchLabels: labels }, template },
    },
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'migrate', labels: { message }, annotations: hook },
      spec: { backoffLimit: 0, template: job },
    },
  ]
  return { 'all.yaml': objects.map(object => JSON.stringify(object)).join('\n---\n') }
}

const items = async (namespace: string, path: string): Promise<readonly Json[]> => {
  const [root, plural] = path.includes('/')
    ? [`/apis/${path.slice(0, path.lastIndexOf('/'))}`, path.split('/').at(-1)]
    : ['/api/v1', path]
  return (await cluster.call('GET', `${root}/namespaces/${namespace}/${plural}`)).items
}
const names = (all: readonly Json[]) => all.map(one => one.metadata.name as string).sort()

/** What one try came to: everything of it that must not differ, whoever was killed. */
async function ending(app: TestApplication, commit: string, message: string) {
  const history = await app.history()
  const tries = history.filter(attempt => attempt.release?.commit === commit)
  const events = (await slipway.client.events(app.name)).filter(event => event.commit === commit)
  const jobs = (await items(app.name, 'batch/v1/jobs')).filter(job => job.metadata.labels?.message === message)
  const sets = (await items(app.name, 'apps/v1/replicasets')).filter(
    set => set.spec.template.spec.containers[0].image === `web:${message}`,
  )
  return {
    outcomes: tries.map(attempt => attempt.outcome),
    numbers: new Set(history.map(attempt => attempt.number)).size === history.length ? 'each once' : 'repeated',
    told: events
      .map(event => event.what)
      .filter(what => ['healthy', 'rolled-back', 'failed', 'superseded', 'held'].includes(what)),
    repeated: events.length - new Set(events.map(event => event.id)).size,
    hooks: jobs.map(job => job.status.succeeded),
    templates: sets.length,
    objects: names(await items(app.name, 'configmaps')).map(name => name.replace(message, 'it')),
    pods: (await items(app.name, 'pods')).filter(pod => pod.metadata.labels.app === 'web').length,
    ledgers: names(await items(app.name, 'secrets')),
  }
}

type Ending = Readonly<Record<string, unknown>>

let count = 0

async function opened(name: string): Promise<TestApplication> {
  const app = await application(slipway, name, {
    rollout: { bakeTime: '200ms', healthTimeout: '30s', restartsAllowed: 1 },
    spec: { destination: { name: 'test', namespace: name }, syncPolicy: { syncOptions: ['CreateNamespace=true'] } },
  })
  const commit = await app.push(files(`first-${name}`), 'first')
  await app.declare()
  await app.settled(commit, 'Healthy')
  return app
}

const shop = await opened('shop')
let runs = 'first-shop'

/** Pods that were told to end are gone, and so is what was pruned. */
const atRest = () =>
  waitUntil('two pods are left', 60_000, async () => {
    const pods = await items('shop', 'pods')
    return pods.filter(pod => pod.metadata.labels.app === 'web').length === 2
  })

async function release(arm: () => void): Promise<Ending> {
  arm()
  const message = `good-${++count}`
  const commit = await shop.push(files(message), message)
  await shop.settled(commit, 'Healthy')
  await atRest()
  runs = message
  return ending(shop, commit, message)
}

async function rollback(arm: () => void): Promise<Ending> {
  arm()
  const message = `bad-${++count}`
  const pods = names(await items('shop', 'pods'))
  const commit = await shop.push(files(message, 'crash'), message)
  await shop.settled(commit, 'RolledBack')
  await atRest()
  const live = await cluster.call('GET', '/apis/apps/v1/namespaces/shop/deployments/web')
  const { objects, ...end } = await ending(shop, commit, message)
  return {
    ...end,
    objects: (objects as readonly string[]).map(name => name.replace(runs, 'before')),
    isBack: live.spec.template.spec.containers[0].image === `web:${runs}`,
    untouched: names(await items('shop', 'pods')).filter(name => pods.includes(name)).length,
  }
}

/** The controller may be killed before it answers: what a person does then is ask again. */
async function deletion(arm: () => void): Promise<Ending> {
  const name = `gone-${++count}`
  await opened(name)
  arm()
  await waitUntil('the deletion is asked for', 20_000, async () => {
    const answer = await slipway.client.call('DELETE', `/api/v1/applications/${name}?cascade=true`).catch((error: Error) => error)
    return !(answer instanceof Error) || answer.message.includes(': 404 ')
  })
  await waitUntil(`${name} is deleted`, 60_000, () =>
    slipway.client.applications().then(
      all => !all.some(one => one.name === name),
      () => false,
    ),
  )
  const kinds = ['configmaps', 'secrets', 'apps/v1/deployments', 'batch/v1/jobs']
  const left = async () => (await Promise.all(kinds.map(kind => items(name, kind)))).flat()
  await waitUntil('nothing is left', 30_000, async () => names(await left()).join() === 'kube-root-ca.crt').catch(() => {})
  return { left: names(await left()) }
}

const mostTries = 3

for (const [name, tell] of Object.entries({ release, rollback, deletion })) {
  if (!`${name}:`.startsWith(only.slice(0, name.length + 1))) continue
  await t.test(`a ${name} on a cluster has the same end, at whatever write the controller is killed`, async t => {
    // What only the very first release had is pruned once: a point that no later one passes.
    if (name === 'release') await tell(() => {})
    const undisturbed = await tell(failpoints.forget)
    const points = [...new Set(failpoints.passed())].filter(point => point.startsWith('controller.')).sort()
    const walked = points.filter(
      (point, index) => `${name}:${point}`.startsWith(only) && (only !== '' || (index + seed) % every === 0),
    )
    t.comment(`${points.length} failpoints, ${walked.length} walked; undisturbed: ${JSON.stringify(undisturbed)}`)
    t.ok(points.some(point => point.startsWith('controller.cluster.')))

    for (const point of walked) {
      let isKilled = false
      // Some writes are made only where others came together in time: then the story is told once more.
      for (let tries = 0; !isKilled && tries < mostTries; tries++) {
        const began = Date.now()
        const end = await tell(() => failpoints.arm(point)).catch((error: Error) => error.message)
        isKilled = failpoints.killed()
        failpoints.disarm()
        t.same(end, undisturbed, `${point}: the same end (${Date.now() - began} ms)`)
      }
      t.ok(isKilled, `${point}: it was killed`)
    }
  })
}
