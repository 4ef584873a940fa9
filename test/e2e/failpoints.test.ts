// The controller and the runtime are killed at every write of a release, a rollback, a deletion and a letting go, one after the other: each time
// the end is the one that it has undisturbed. A sample, another one each day (its seed is printed); `npm run soak` walks them all.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startLoad } from '../../examples/demo/load.js'
import { application, lines, type TestApplication } from '../support/applications.js'
import { withFailpoints } from '../support/failing.js'
import { freeNodePort, read, waitUntil } from '../support/machine.js'
import { messagesIn } from '../support/nats-look.js'
import { lives, startSlipway } from '../support/slipway.js'
import { deployment, documents, job, loadWebImage, removeImages, service } from '../support/web.js'

const every = process.env.SLIPWAY_FAILPOINTS === 'all' ? 1 : Number(process.env.SLIPWAY_FAILPOINTS_EVERY ?? 16)
const seed = Number(process.env.SLIPWAY_FAILPOINTS_SEED ?? Math.floor(Date.now() / 86_400_000))
/** `deletion:controller.ledger`: only what begins so. */
const only = process.env.SLIPWAY_FAILPOINTS_ONLY ?? ''

t.setTimeout(every === 1 ? 3_600_000 : 500_000)
t.comment(`every ${every}. failpoint, seed ${seed} (SLIPWAY_FAILPOINTS_SEED)`)
const slipway = await startSlipway(t, { config: { pollInterval: '1s' } })
const failpoints = await withFailpoints(slipway)
const { image } = await loadWebImage(slipway)
const nodePort = await freeNodePort()
const rollout = { bakeTime: '200ms', healthTimeout: '30s', restartsAllowed: 1 }
const written = (name: string) => lines(join(slipway.shared, name)).filter(line => line !== '')

/**
 * A chart: workload with configuration and a hook before the sync; each says what ran, once a run. It makes a password once, and a hash
 * anew for each message.
 */
function files(name: string, message: string, more: { behaviour?: string; replicas?: number; nodePort?: number } = {}) {
  const start = `echo "${message} $HOSTNAME" >>/served/starts; echo "${name} $steady ${message} $fresh" >>/served/made; exec /bin/sh /app/server.sh`
  const made = `apiVersion: v1
kind: Secret
metadata: { name: ${name}-made }
data:
  steady: {{ randAlphaNum 12 | b64enc }}
  fresh: {{ bcrypt "${message}" | b64enc }}
`
  const web = deployment({
    image,
    name,
    message,
    behaviour: more.behaviour ?? 'serve',
    replicas: more.replicas ?? 2,
    served: slipway.shared,
    container: {
      command: ['/bin/sh', '-c', start],
      envFrom: [{ configMapRef: { name } }, { secretRef: { name } }, { secretRef: { name: `${name}-made` } }],
    },
  })
  const hook = job(`${name}-hook`, image, `echo ${name} ${message} >>/served/hooks`, { hook: 'PreSync', served: slipway.shared })
  const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { GREETING: message } }
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: { PASSWORD: message } }
  const port = more.nodePort === undefined ? {} : { nodePort: more.nodePort }
  return {
    'Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
    'templates/web.yaml': documents([web, service({ name, ...port }), config, secret, hook]),
    'templates/made.yaml': made,
  }
}

/** What one try came to: everything of it that must not differ, whoever was killed. */
async function ending(app: TestApplication, commit: string, message: string) {
  const history = await app.history()
  const tries = history.filter(attempt => attempt.release?.commit === commit)
  const events = (await slipway.client.events(app.name)).filter(event => event.commit === commit)
  const containers = await slipway.containers(app.name)
  const starts = written('starts').filter(line => line.startsWith(`${message} `))
  const made = written('made')
    .map(line => line.split(' '))
    .filter(([of]) => of === app.name)
  return {
    outcomes: tries.map(attempt => attempt.outcome),
    numbers: new Set(history.map(attempt => attempt.number)).size === history.length ? 'each once' : 'repeated',
    told: events
      .map(event => event.what)
      .filter(what => ['healthy', 'rolled-back', 'failed', 'superseded', 'held'].includes(what)),
    repeated: events.length - new Set(events.map(event => event.id)).size,
    hooks: written('hooks').filter(line => line.endsWith(` ${message}`)),
    pods: new Set(starts).size,
    passwords: new Set(made.map(([, password]) => password)).size,
    hashes: new Set(made.filter(([, , of]) => of === message).map(([, , , hash]) => hash)).size,
    containers: containers.filter(({ container }) => container === 'web').length,
    twice: containers.length - new Set(containers.map(({ pod, container }) => `${pod} ${container}`)).size,
  }
}

type Ending = Awaited<ReturnType<typeof ending>> & { readonly [fact: string]: unknown }

/** Old pods end after the outcome is known; the container of one that crashed may start once more before it ends. */
async function settledContainers(name: string, wanted: number): Promise<void> {
  const running = async () => (await slipway.containers(name, true)).filter(({ container }) => container === 'web').length
  await waitUntil(`${name} has ${wanted} containers`, 60_000, async () => (await running()) === wanted)
}

// -- the stories --

const shop = await application(slipway, 'shop', { rollout })
let count = 0

async function release(arm: () => void): Promise<Ending> {
  arm()
  const message = `good-${++count}`
  const commit = await shop.push(files('shop', message, { nodePort }), message)
  await shop.settled(commit, 'Healthy')
  await settledContainers('shop', 2)
  const starts = written('starts').filter(line => line.startsWith(`${message} `)).length
  const { hooks, ...end } = await ending(shop, commit, message)
  return { ...end, hooks: hooks.map(line => line.replace(message, 'it')), starts }
}

async function rollback(arm: () => void): Promise<Ending> {
  arm()
  const message = `bad-${++count}`
  const before = await lives(slipway, 'shop')
  const commit = await shop.push(files('shop', message, { nodePort, behaviour: 'crash' }), message)
  await shop.settled(commit, 'RolledBack')
  await settledContainers('shop', 2)
  const { hooks, ...end } = await ending(shop, commit, message)
  const after = await lives(slipway, 'shop')
  return {
    ...end,
    hooks: hooks.map(line => line.replace(message, 'it')),
    untouched: after.filter(life => before.includes(life)).length,
  }
}

let gone = 0

/** The controller may be killed before it answers: what a person does then is ask again. */
async function removed(name: string, cascade: boolean): Promise<void> {
  const path = `/api/v1/applications/${name}?cascade=${cascade}`
  const deleted = () => slipway.client.call('DELETE', path).catch((error: Error) => error)
  await waitUntil('the deletion is asked for', 20_000, async () => {
    const answer = await deleted()
    return !(answer instanceof Error) || answer.message.includes(': 404 ')
  })
  await waitUntil(`${name} is deleted`, 60_000, async () =>
    slipway.client.applications().then(
      all => !all.some(one => one.name === name),
      () => false,
    ),
  )
}

/** The same for a declaration; the controller that was killed in the story before may not be up again either. */
async function declared(app: TestApplication): Promise<void> {
  let refused = new Error('was never asked')
  const isTold = async () =>
    app.declare().then(
      () => true,
      (error: Error) => {
        refused = error
        if (!/cannot be reached|ask again in a moment/.test(error.message)) throw error
        return false
      },
    )
  await waitUntil(`${app.name} is declared`, 20_000, isTold).catch(error => {
    throw new Error(`${error.message}: ${refused.message}`)
  })
}

async function deletion(arm: () => void): Promise<Ending> {
  const name = `gone-${++gone}`
  const app = await application(slipway, name, { rollout })
  const commit = await app.push(files(name, name, { replicas: 1 }), name)
  await declared(app)
  await app.settled(commit, 'Healthy')
  const end = await ending(app, commit, name)
  arm()
  await removed(name, true)
  const left = async () => ({
    containers: (await slipway.containers(name, true)).length,
    kept: await keysOf(name),
  })
  await waitUntil(`nothing is left of ${name}`, 30_000, async () => {
    const { containers, kept } = await left()
    return containers === 0 && kept.length === 0
  }).catch(() => undefined)
  return {
    ...end,
    hooks: written('hooks')
      .filter(line => line.startsWith(`${name} `))
      .map(line => line.replaceAll(name, 'it')),
    left: await left(),
  }
}

let left = 0

/** What runs goes on, and is taken over as it runs when it is declared again; then it is ended. */
async function lettingGo(arm: () => void): Promise<Ending> {
  const name = `left-${++left}`
  const app = await application(slipway, name, { rollout })
  const web = deployment({ image, name, message: name, replicas: 1 })
  const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { GREETING: name } }
  const commit = await app.push({ 'web.yaml': documents([web, service({ name }), config]) }, name)
  await declared(app)
  await app.settled(commit, 'Healthy')
  const { uid } = await app.view()
  const before = await lives(slipway, name)
  arm()
  await removed(name, false)
  const kept = (await keysOf(name)).filter(subject => subject.includes('slipway-store'))
  await declared(app)
  await app.settled(commit, 'Healthy')
  const again = await lives(slipway, name)
  const end = await ending(app, commit, name)
  const isAnother = (await app.view()).uid !== uid
  await removed(name, true)
  return { ...end, kept, isAnother, goesOn: again.join() === before.join() }
}

/** What the controller keeps of it. The node's reports are apart: it gives back what it last obeyed when its key is gone. */
async function keysOf(name: string): Promise<readonly string[]> {
  const messages = await messagesIn(slipway.state)
  const subjects = messages.map(({ subject }) => subject).filter(subject => /^\$KV\.slipway-(store|desired)\./.test(subject))
  return [...new Set(subjects.filter(subject => subject.includes(`.${name}.`) || subject.endsWith(`.${name}`)))].sort()
}

/** Pod files and volumes belong to pods that there are. */
function strayFiles(): readonly string[] {
  const runtime = join(slipway.state, 'runtime')
  const pods = readdirSync(join(runtime, 'pods')).map(name => name.replace(/\.pod(\.copy)?(\.new)?$/, ''))
  const volumes = existsSync(join(runtime, 'volumes')) ? readdirSync(join(runtime, 'volumes')) : []
  const addresses = JSON.parse(read(join(runtime, 'network', 'addresses.json'))) as { pods: { held: Record<string, number> } }
  return [...volumes, ...Object.keys(addresses.pods.held)].filter(uid => !pods.includes(uid))
}

// -- the walk --

const mostTries = 4

await shop.push(files('shop', 'good-0', { nodePort }), 'first')
await shop.declare()
await shop.until('healthy', view => view.state === 'Healthy')

const stories: Readonly<Record<string, (arm: () => void) => Promise<Ending>>> = {
  release,
  rollback,
  deletion,
  'letting go': lettingGo,
}

for (const [name, tell] of Object.entries(stories)) {
  if (!`${name}:`.startsWith(only.slice(0, name.length + 1))) continue
  await t.test(`a ${name} has the same end, whoever is killed at whatever write`, async t => {
    const undisturbed = await tell(failpoints.forget)
    const points = [...new Set(failpoints.passed())].sort()
    const walked = points.filter(
      (point, index) => `${name}:${point}`.startsWith(only) && (only !== '' || (index + seed) % every === 0),
    )
    t.comment(`${points.length} failpoints, ${walked.length} walked; undisturbed: ${JSON.stringify(undisturbed)}`)
    t.ok(points.some(point => point.startsWith('controller.')) && points.some(point => point.startsWith('runtime.')))

    for (const point of walked) {
      let isKilled = false
      // Some writes are made only where others came together in time: then the story is told once more.
      for (let tries = 0; !isKilled && tries < mostTries; tries++) {
        const load = startLoad(`http://127.0.0.1:${nodePort}/`, { clients: 2, rate: 20 })
        const began = Date.now()
        const end = await tell(() => failpoints.arm(point)).catch((error: Error) => error.message)
        isKilled = failpoints.killed()
        failpoints.disarm()
        await load.stop()
        t.same(end, undisturbed, `${point}: the same end (${Date.now() - began} ms)`)
        t.same(load.failures(), [], `${point}: served all the while`)
      }
      t.ok(isKilled, `${point}: somebody was killed`)
    }
    t.same(strayFiles(), [], 'no file or address of a pod that is gone')
  })
}

await removeImages(slipway, '1')
