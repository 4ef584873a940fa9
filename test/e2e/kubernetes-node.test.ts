// The main stories on a cluster with real containers: a real kubelet starts, probes, restarts and ends them, and what it reports is what is
// judged.
import t from 'tap'
import { application } from '../support/applications.js'
import { noNode, startNode } from '../support/kubernetes/node.js'
import { type Json, noKubernetes, startKubernetes } from '../support/kubernetes/server.js'
import { startSlipway } from '../support/slipway.js'

const missing = (await noKubernetes()) || (await noNode())
if (missing !== false) {
  t.plan(0, missing)
  process.exit(0)
}
t.setTimeout(600_000)
const cluster = await startKubernetes(t, { played: false })
const node = await startNode(t, cluster)
node.load({ tag: 'shop:1', entrypoint: ['/bin/sh', '-c'], files: { '/www/index.html': 'open' } })
const slipway = await startSlipway(t, { config: { clusters: [{ name: 'test', kubeconfig: cluster.kubeconfig }] } })
const shop = await application(slipway, 'shop', {
  patienceMs: 120_000,
  rollout: { bakeTime: '2s', healthTimeout: '25s' },
  spec: { destination: { name: 'test', namespace: 'shop' }, syncPolicy: { syncOptions: ['CreateNamespace=true'] } },
})

const serve = 'trap "exit 0" TERM; httpd -f -p 8080 -h /www & wait'
const readinessProbe = { httpGet: { port: 8080, path: '/' }, periodSeconds: 1 }

/** `what`: the shell's line; `more` is of its container. */
function web(what: string, more: Json = {}, others: readonly Json[] = []): Readonly<Record<string, string>> {
  const labels = { app: 'web' }
  const container = { name: 'web', image: 'shop:1', args: [what], readinessProbe, ...more }
  const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 2, containers: [container] } }
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', annotations: { 'argocd.argoproj.io/sync-wave': '1' } },
    spec: { replicas: 1, selector: { matchLabels: labels }, template },
  }
  const settings = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { what } }
  return { 'web.yaml': [settings, deployment, ...others].map(object => JSON.stringify(object)).join('\n---\n') }
}

/** Pods that run and are not told to end, with how often their containers ended. */
async function pods(): Promise<readonly string[]> {
  const { items } = await cluster.call('GET', '/api/v1/namespaces/shop/pods')
  return items
    .filter((pod: Json) => pod.metadata.deletionTimestamp === undefined && pod.metadata.labels?.app === 'web')
    .map((pod: Json) => `${pod.metadata.name} ${pod.status.containerStatuses?.[0]?.restartCount}`)
}

let good: readonly string[] = []

await t.test('a release is healthy once its container answers', async t => {
  const commit = await shop.push(web(serve), 'Open the shop')
  await shop.declare()

  const view = await shop.settled(commit, 'Healthy')

  t.match(view.message, /1 of 1 ready/)
  good = await pods()
  t.equal(good.length, 1)
})

const bad: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
  ['a crash loop', web('echo "no database"; exit 3'), /container web exited 3 three times, never ready/],
  ['never ready', web('sleep 600'), /not ready|no progress/],
  [
    'out of memory',
    web('tail /dev/zero', { resources: { limits: { memory: '24Mi' } } }),
    /ended for its memory twice \(memory limit 24Mi\)/,
  ],
  [
    'a Secret that is not there',
    web(serve, { envFrom: [{ secretRef: { name: 'none' } }] }),
    /CreateContainerConfigError.*"none" not found/,
  ],
  ['an image that is not there', web(serve, { image: '127.0.0.1:1/none:1' }), /ImagePullBackOff|ErrImagePull/],
  ['no image name at all', web(serve, { image: 'UPPER CASE' }), /InvalidImageName/],
  ['a program that is not there', web(serve, { command: ['/bin/none'] }), /RunContainerError|no such file|exited|StartError/],
]

for (const [what, files, says] of bad)
  await t.test(`${what}: rolled back, and the good container served through it`, async t => {
    const commit = await shop.push(files, what)

    const view = await shop.settled(commit, 'RolledBack')

    t.match(view.attempt?.verdict?.message ?? '', says)
    if (what === 'a crash loop') t.same(view.attempt?.verdict?.log, ['no database'], 'its last words are part of the verdict')
    t.same(await pods(), good)
  })

await t.test('a revert is healthy at once; an upgrade replaces the container', async t => {
  const reverted = await shop.push(web(serve), 'Revert all that')
  await shop.settled(reverted, 'Healthy')
  t.same(await pods(), good)

  const commit = await shop.push(web(`echo new; ${serve}`), 'Renew the shop')
  await shop.settled(commit, 'Healthy')
  t.not((await pods()).join(), good.join())
  const { out } = await slipway.cli('logs', 'shop')
  t.match(out, /new/)
})

await t.test('a hook that fails tells its last words; one that ends well is followed by the release', async t => {
  const hook = (line: string) => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'migrate', annotations: { 'argocd.argoproj.io/hook': 'PreSync' } },
    spec: {
      backoffLimit: 0,
      template: { spec: { restartPolicy: 'Never', containers: [{ name: 'migrate', image: 'shop:1', args: [line] }] } },
    },
  })
  const before = await pods()

  const wrong = await shop.push(web(`echo third; ${serve}`, {}, [hook('echo "no such table"; exit 1')]), 'Migrate wrongly')
  const view = await shop.settled(wrong, 'RolledBack')
  t.match(view.attempt?.verdict?.message ?? '', /PreSync hook Job shop\/migrate-presync-\d+ failed/)
  t.same(await pods(), before)

  const right = await shop.push(web(`echo third; ${serve}`, {}, [hook('echo done')]), 'Migrate rightly')
  await shop.settled(right, 'Healthy')
  t.not((await pods()).join(), before.join())
})
