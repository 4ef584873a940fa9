// The charts of this repository on the real product: each becomes healthy on a node, and what one of them generates outlives its commits.
import t from 'tap'
import { filesIn, type Name } from '../charts/charts.js'
import { application } from '../support/applications.js'
import { startSlipway } from '../support/slipway.js'
import { loadWebImage, removeImages } from '../support/web.js'

t.setTimeout(300_000)
const slipway = await startSlipway(t)
const { image } = await loadWebImage(slipway)
const [repository = '', tag = ''] = image.split(/:(?=[^:]*$)/)

/** As someone copies a chart into a repository, with values of their own. */
async function started(name: Name, values: object) {
  const app = await application(slipway, name, { source: { helm: { valueFiles: ['prod.yaml'] } }, patienceMs: 120_000 })
  const files = Object.fromEntries(filesIn(name).map(file => [file.name, Buffer.from(file.bytes).toString('utf8')]))
  const prod = (more: object): string =>
    JSON.stringify({ image: { repository, tag }, terminationGracePeriodSeconds: 1, ...values, ...more })
  const commit = await app.push({ ...files, 'prod.yaml': prod({}) })
  await app.declare()
  await app.settled(commit, 'Healthy')
  const change = async (more: object) => app.settled(await app.push({ 'prod.yaml': prod(more) }), 'Healthy')
  return { app, change }
}

const ready = { readiness: { kind: 'http', path: '/ready', periodSeconds: 1 }, liveness: null, startup: null }

await t.test(
  'a web service with settings, files, a volume and a generated secret, which a new commit does not change',
  async t => {
    const values = {
      replicas: 1,
      probes: ready,
      files: { 'a.ini': 'a = 1\n' },
      generated: { KEY: 16 },
      persistence: { enabled: true, size: '1Mi' },
    }
    const { change } = await started('web', { ...values, config: { MESSAGE: 'one' } })
    const before = await settings()
    await change({ config: { MESSAGE: 'two' } })
    const after = await settings()

    t.match(before.KEY, /^[A-Za-z0-9]{16}$/)
    t.same([before.MESSAGE, after.MESSAGE], ['one', 'two'])
    t.equal(after.KEY, before.KEY)
  },
)

async function settings(): Promise<Readonly<Record<string, string>>> {
  const [container] = await slipway.containers('web')
  const inspected = await slipway.docker.containers.inspect(container?.id ?? '')
  const { Env: env = [] } = inspected.Config as { readonly Env?: readonly string[] }
  return Object.fromEntries(env.map(entry => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]))
}

await t.test('a worker, a stateful service in its form for a node, and work that is done once', async () => {
  await started('worker', { command: ['/bin/sh', '-c', 'sleep 3600'] })
  await started('stateful', { workload: 'Deployment', port: 8080, probes: ready, persistence: { size: '1Mi' } })
  await started('cron', { schedule: '', command: ['/bin/sh', '-c', 'echo done'] })
})

await t.test('slipway down --purge leaves nothing behind', async t => {
  t.same(await slipway.end(), [])
  await removeImages(slipway, '1')
})
