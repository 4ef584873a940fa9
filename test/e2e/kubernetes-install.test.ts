// Slipway installed on a cluster by its own chart, with a real kubelet and the image that `npm run image` builds: ready under its own
// probes in a namespace that enforces "restricted", delivering to another one with the account that the chart made, and losing nothing
// when its pod is evicted, its store is lost, or the chart is upgraded, badly too.
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { freePort } from '../../controller/cli/machine.js'
import { type Client, clientFromContext } from '../../examples/demo/client.js'
import { readYaml } from '../../renderer/index.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { connectDocker } from '../../runtime/docker/client.js'
import { application } from '../support/applications.js'
import { testEngine } from '../support/engine.js'
import { startGitServer } from '../support/git-server.js'
import { applied } from '../support/kubernetes/applied.js'
import { noNode, startNode } from '../support/kubernetes/node.js'
import { natsArchive, natsProgram, nodeArchive } from '../support/kubernetes/parts.js'
import { type Json, noKubernetes, startKubernetes } from '../support/kubernetes/server.js'
import { inContainer, served, serviceAddress } from '../support/kubernetes/ways.js'
import { runProgram, waitUntil } from '../support/machine.js'
import { webhookSecret } from '../support/slipway.js'

const run = promisify(execFile)

const noDocker = (process.env.PATH ?? '').split(delimiter).every(folder => !existsSync(join(folder, 'docker')))
const missing =
  (await noKubernetes()) ||
  (await noNode()) ||
  (noDocker && 'NOTHING IS INSTALLED ON A CLUSTER HERE: the docker command is missing') ||
  (natsProgram() === '' && 'NOTHING IS INSTALLED ON A CLUSTER HERE: nats-server is missing')
if (missing !== false) {
  t.plan(0, missing)
  process.exit(0)
}
t.setTimeout(600_000)

const work = mkdtempSync(join(tmpdir(), 'slipway-e2e-'))
t.teardown(() => rmSync(work, { recursive: true, force: true }))
const tag = `slipway-e2e-${randomBytes(3).toString('hex')}`
const address = serviceAddress(t)
const git = await startGitServer({ root: join(work, 'git'), path: process.env.PATH ?? '' })
t.teardown(() => git.close())
const [cluster] = await Promise.all([startKubernetes(t, { played: false, services: address.services }), built()])
await address.relay(443, Number(new URL(cluster.url).port))
await address.relay(3000, Number(new URL(git.url).port))
const node = await startNode(t, cluster)
for (const name of readdirSync(work).filter(name => name.endsWith('.tar'))) node.take(join(work, name))
node.load({ tag: 'shop:1', entrypoint: ['/bin/sh', '-c'], files: { '/www/index.html': 'open' } })

/** `npm run image`, without compiling again, on a base made of what is here. */
async function built(): Promise<void> {
  const docker = connectDocker(testEngine.host)
  const [base, image] = [`${tag}-base:1`, `${tag}:0.1.0`]
  const env = { ...process.env, DOCKER_HOST: testEngine.host }
  try {
    await docker.images.load(nodeArchive(base))
    await run(process.execPath, ['controller/image.mjs', '--tag', image, '--base', base], { env, maxBuffer: 1 << 24 })
    await run('docker', ['save', '--output', join(work, 'slipway.tar'), image], { env })
  } finally {
    await run('docker', ['rmi', '--force', image, base], { env }).catch(() => {})
    await docker.close()
  }
  writeFileSync(join(work, 'nats.tar'), natsArchive(`${tag}-nats:1`))
}

const contexts = join(work, 'cli.yaml')
const cliPath = join(import.meta.dirname, '../../controller/cli/main.js')
const cli = (...args: readonly string[]) =>
  runProgram(process.execPath, [cliPath, ...args], { PATH: process.env.PATH ?? '', HOME: work, SLIPWAY_CONFIG: contexts })
const port = await freePort()
await served(t, cluster, 'slipway', 'slipway-0', 7433, port)
let client: Client | null = null
const reached = {
  ...{ git, work, cli, node: 'in-cluster' },
  get client() {
    client ??= clientFromContext(contexts)
    return client
  },
}

const shop = await application(reached, 'shop', {
  patienceMs: 120_000,
  repoURL: `http://${address.host}:3000/shop.git`,
  rollout: { bakeTime: '1s', healthTimeout: '30s', restartsAllowed: 1 },
})

const values = {
  image: { repository: tag },
  nats: { image: { repository: `${tag}-nats`, tag: '1' } },
  access: { namespaces: ['shop'] },
  pollInterval: '10m',
  webhooks: { generic: webhookSecret },
  persistence: { size: '1Gi' },
}

/** `slipway render slipway charts/slipway -n slipway --kube-version 1.36 -f values.yaml | kubectl apply -f -` */
async function installed(more: object = {}): Promise<void> {
  const file = join(work, 'values.yaml')
  writeFileSync(file, JSON.stringify({ ...values, ...more }))
  const { code, out, err } = await cli(
    'render',
    'slipway',
    'charts/slipway',
    '-n',
    'slipway',
    '--kube-version',
    '1.36',
    '-f',
    file,
  )
  if (code !== 0) throw new Error(`slipway render ended with ${code}: ${err}`)
  await applied(cluster, readYaml(out, 'rendered').filter(object => object !== null) as Manifest[])
}

const podPath = '/api/v1/namespaces/slipway/pods/slipway-0'
const controller = ['slipway', 'slipway-0', 'controller'] as const
const state = '/var/lib/slipway/state'

/** Another pod than `not`, ready under its own probes; gives its uid. */
async function ready(not = ''): Promise<string> {
  let pod: Json = null
  await waitUntil('slipway-0 is ready', 120_000, async () => {
    pod = await cluster.find(podPath)
    const conditions: readonly Json[] = pod?.status?.conditions ?? []
    const isReady = conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
    return isReady && pod.metadata.uid !== not && pod.metadata.deletionTimestamp === undefined
  }).catch(error => {
    throw new Error(`${(error as Error).message}: ${JSON.stringify(pod?.status)}`)
  })
  return pod.metadata.uid
}

const restricted = { capabilities: { drop: ['ALL'] }, allowPrivilegeEscalation: false }
const serve = 'trap "exit 0" TERM; httpd -f -p 8080 -h /www & wait'

/** A web server, as "restricted" wants it. */
function web(what: string): Readonly<Record<string, string>> {
  const readinessProbe = { httpGet: { port: 8080, path: '/' }, periodSeconds: 1 }
  const container = { name: 'web', image: 'shop:1', args: [what], readinessProbe, securityContext: restricted }
  const securityContext = { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } }
  const template = {
    metadata: { labels: { app: 'web' } },
    spec: { terminationGracePeriodSeconds: 2, securityContext, containers: [container] },
  }
  const spec = { replicas: 1, selector: { matchLabels: { app: 'web' } }, template }
  return { 'web.yaml': JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec }) }
}

async function pods(): Promise<readonly string[]> {
  const { items } = await cluster.call('GET', '/api/v1/namespaces/shop/pods?labelSelector=app%3Dweb')
  return items.filter((pod: Json) => pod.metadata.deletionTimestamp === undefined).map((pod: Json) => pod.metadata.uid)
}

let uid = ''

await t.test('applied into a namespace that enforces "restricted", it is ready under its own probes', async t => {
  for (const name of ['slipway', 'shop']) {
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
    await cluster.call('POST', '/api/v1/namespaces', { metadata: { name, labels } })
  }
  await cluster.call('POST', '/api/v1/persistentvolumes', volume(join(work, 'volume')))

  await installed()
  uid = await ready()

  const pod = await cluster.call('GET', podPath)
  t.same(
    pod.status.containerStatuses.map(({ name, restartCount }: Json) => [name, restartCount]),
    [
      ['controller', 0],
      ['nats', 0],
    ],
  )
})

/** The root directory is given over by fsGroup, as that of any new volume. */
function volume(path: string): object {
  mkdirSync(path, { mode: 0o700 })
  return {
    metadata: { name: 'state' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      local: { path },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['localhost'] }] }],
        },
      },
    },
  }
}

await t.test('its containers are nobody, hold no right, and write to no file of theirs', async t => {
  for (const container of ['controller', 'nats']) {
    const tell = async (line: string) => (await inContainer(cluster, ['slipway', 'slipway-0', container], 'sh', '-c', line)).out
    t.equal((await tell('id -u')).trim(), '65532', container)
    const status = await tell('cat /proc/1/status')
    t.match(status, /^CapEff:\t0+$/m)
    t.match(status, /^NoNewPrivs:\t1$/m)
    t.match(status, /^Seccomp:\t2$/m)
    t.match(await tell('touch /bin/x 2>&1'), /Read-only file system/)
  }
  const account = '/var/run/secrets/kubernetes.io/serviceaccount/token'
  t.equal((await inContainer(cluster, controller, 'ls', account)).code, 0)
  t.not((await inContainer(cluster, ['slipway', 'slipway-0', 'nats'], 'ls', account)).code, 0, 'the token is for one of them')
})

await t.test('signed in with the token that its container tells', async t => {
  const token = (await inContainer(cluster, controller, 'cat', `${state}/keys/admin.token`)).out.trim()
  const login = await cli('login', `http://127.0.0.1:${port}`, '--token', token)
  t.equal(login.code, 0, login.err)
  t.match(login.out, /may admin/)
})

let good: readonly string[] = []

await t.test('an application goes to the namespace that the chart let it', async t => {
  const commit = await shop.push(web(serve), 'Open the shop')
  await shop.declare()
  const view = await shop.settled(commit, 'Healthy')
  t.match(view.message, /1 of 1 ready/)
  good = await pods()
  t.equal(good.length, 1)
})

await t.test('evicted in the middle of a bad release, as a drain does, it hauls it back when it is there again', async t => {
  const commit = await shop.push(web('echo "no database"; exit 3'), 'Lose the database')
  await shop.until('the bad release under way', view => view.attempt?.release?.commit === commit, 60_000)

  await cluster.call('POST', `${podPath}/eviction`, {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name: 'slipway-0' },
  })
  uid = await ready(uid)

  const view = await shop.settled(commit, 'RolledBack')
  t.match(view.attempt?.verdict?.message ?? '', /container web exited 3/)
  t.same(view.attempt?.verdict?.log, ['no database'])
  t.same(await pods(), good, 'the good pod served through it')
  const tries = (await shop.history()).filter(attempt => attempt.release?.commit === commit)
  t.same(
    tries.map(attempt => attempt.outcome),
    ['RolledBack'],
  )
})

await t.test('an upgrade of the chart restarts it alone; one that cannot start is undone by the next', async t => {
  const before = await shop.view()
  await installed({ image: { repository: '127.0.0.1:1/none' } })
  await waitUntil('the new pod cannot be started', 60_000, async () => {
    const pod = await cluster.find(podPath)
    return pod?.metadata.uid !== uid && pod?.status?.phase === 'Pending'
  })
  await installed({ logLevel: 'debug' })
  uid = await ready(uid)

  const after = await shop.until('the same', view => view.state === 'RolledBack')
  t.equal(after.message, before.message)
  t.same(await pods(), good)
})

await t.test(
  'the store of its NATS lost: the ledgers that lie in the cluster say what is bad, and a fix goes on from there',
  async t => {
    const scaled = (replicas: number) =>
      cluster.call(
        'PATCH',
        '/apis/apps/v1/namespaces/slipway/statefulsets/slipway',
        { spec: { replicas } },
        'application/merge-patch+json',
      )
    await scaled(0)
    await waitUntil('it is gone', 60_000, async () => (await cluster.find(podPath)) === null)
    rmSync(join(work, 'volume/state/nats/store'), { recursive: true })
    await scaled(1)
    uid = await ready()

    await shop.until('known to be bad again', view => view.state === 'RolledBack')
    t.same(await pods(), good)
    const commit = await shop.push(web(`echo fixed; ${serve}`), 'Find the database')
    await shop.settled(commit, 'Healthy')
    t.match((await cli('logs', 'shop')).out, /fixed/)
  },
)

await t.test('a repository that is away does not take the page away: its pod stays in its Service', async t => {
  git.faults.down = true
  t.teardown(() => {
    git.faults.down = false
  })
  await shop.webhook()
  const answer = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status
  await waitUntil('it has found the repository away', 60_000, async () => (await answer('/readyz')) === 503)

  const pod = await cluster.call('GET', podPath)
  const { readinessProbe } = pod.spec.containers.find(({ name }: Json) => name === 'controller')
  t.equal(await answer(readinessProbe.httpGet.path), 200)
})

await t.test('what it may not: another namespace is refused before anything is written', async t => {
  const shut = await application(reached, 'shut', {
    of: shop,
    repoURL: shop.repoURL,
    patienceMs: 60_000,
    spec: { destination: { name: 'in-cluster', namespace: 'kube-system' } },
  })
  await shut.declare()
  const view = await shut.until('held', seen => seen.state === 'Held')
  t.match(view.message, /kube-system.*outside of the namespaces/)
})

await t.test('its memory stays far below its limits', async t => {
  for (const [container, limit] of [
    ['controller', 768],
    ['nats', 256],
  ] as const) {
    const line = 'grep -h VmRSS /proc/[0-9]*/status'
    const { out } = await inContainer(cluster, ['slipway', 'slipway-0', container], 'sh', '-c', line)
    const megabytes = [...out.matchAll(/(\d+) kB/g)].reduce((sum, [, kilobytes]) => sum + Number(kilobytes) / 1024, 0)
    t.comment(`${container}: ${Math.round(megabytes)} MB of ${limit}`)
    t.ok(megabytes > 0 && megabytes < limit / 2)
  }
})
