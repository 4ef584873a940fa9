// The product's one sentence, on the real thing: pushed, released, broken, hauled back, reverted, told; under load all the while.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { ApplicationView } from '../../controller/view.js'
import { get, startLoad } from '../../examples/demo/load.js'
import { application, lines } from '../support/applications.js'
import { until } from '../support/controller.js'
import { freeNodePort } from '../support/machine.js'
import { lives, startSlipway } from '../support/slipway.js'
import { loadWebImage, removeImages } from '../support/web.js'

t.setTimeout(300_000)
const slipway = await startSlipway(t)
const { image } = await loadWebImage(slipway)
const nodePort = await freeNodePort()
const address = `http://127.0.0.1:${nodePort}/`
const shop = await application(slipway, 'shop', { rollout: { bakeTime: '2s' } })
const load = startLoad(address, { clients: 6, rate: 60 })
const served = () => lines(join(slipway.shared, 'ids')).map(line => line.split(' ')[0] ?? '')

/** The example that newcomers push, with a place where served requests are written down. */
function shopFiles(): Record<string, string> {
  const directory = fileURLToPath(new URL('../../../examples/shop', import.meta.url))
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(name => /\.(yaml|hbs)$/.test(name))
  const files = Object.fromEntries(names.map(name => [name, readFileSync(join(directory, name), 'utf8')]))
  const workload = files['templates/web.hbs'] ?? ''
  delete files['application.yaml']
  return {
    ...files,
    'templates/web.hbs': workload
      .replace('          ports:\n', '          volumeMounts: [{ name: served, mountPath: /served }]\n          ports:\n')
      .replace(
        '      containers:\n',
        `      volumes: [{ name: served, hostPath: { path: ${slipway.shared} } }]\n      containers:\n`,
      ),
    'values.yaml': values({}),
  }
}

function values(more: Readonly<Record<string, string>>): string {
  const all = { image, replicas: '2', message: 'welcome', behaviour: 'serve', nodePort: String(nodePort), ...more }
  return Object.entries(all)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('')
}

const change = (more: Readonly<Record<string, string>>, message: string) => shop.push({ 'values.yaml': values(more) }, message)
const events = async () => (await slipway.client.events('shop')).map(event => event.what)
const commits: Record<string, string> = {}

await t.test('the first commit is released and serves behind its Service', async t => {
  const first = await shop.push(shopFiles(), 'Open the shop')
  await shop.declare()

  const view = await shop.settled(first, 'Healthy')

  t.equal(await get(address), 'welcome')
  t.match(view.message, /runs, healthy, 2 of 2 ready/)
  t.equal(view.release?.number, 'r1')
  commits.first = first
  // Nobody listened until now: what the load heard before says nothing.
  ;(load.failures() as string[]).length = 0
})

await t.test('a good change replaces the old one', async t => {
  commits.good = await change({ message: 'bem-vindo' }, 'Greet in Portuguese')
  const view = await shop.settled(commits.good, 'Healthy')

  t.equal(await get(address), 'bem-vindo')
  t.equal(view.release?.commit, commits.good)
  t.match((await shop.history())[0], { outcome: 'Healthy', release: { commit: commits.good, subject: 'Greet in Portuguese' } })
})

await t.test('one that crashes is judged by what it does, and the last good one runs', async t => {
  const before = await lives(slipway, 'shop')
  commits.crash = await change({ message: 'bem-vindo', behaviour: 'crash' }, 'Use the new cache')
  const view = await shop.settled(commits.crash, 'RolledBack')

  t.equal(view.release?.commit, commits.good)
  t.equal(view.health.status, 'Healthy')
  t.same(
    (await lives(slipway, 'shop')).filter(life => before.includes(life)).length >= 1,
    true,
    'a pod of the good one was never touched',
  )
  t.equal(await get(address), 'bem-vindo')
  const [attempt] = await shop.history()
  t.match(attempt, { outcome: 'RolledBack', verdict: { kind: 'bad', container: 'web', exitCode: 1 } })
  t.match(attempt?.verdict?.log.join('\n'), /ENOTFOUND cache/)
})

await t.test('why tells it on one screen: what happened, the evidence, a likely cause, and what to do', async t => {
  const { out, code } = await slipway.cli('why', 'shop')

  t.equal(code, 0)
  t.match(out, /shop was rolled back/)
  t.match(out, new RegExp(`${commits.crash?.slice(0, 7)}\\s+"Use the new cache"`))
  t.match(out, /exited 1|exit code 1/)
  t.match(out, /Error: getaddrinfo ENOTFOUND cache/)
  t.match(out, /[Nn]o Service "cache" in namespace shop/)
  t.match(out, /slipway retry shop/)
})

await t.test('one that never gets ready is rolled back as well', async t => {
  const bad = await change({ message: 'bem-vindo', behaviour: 'never-ready' }, 'Wait for the moon')
  const view = await shop.settled(bad, 'RolledBack', 90_000)

  t.equal(view.release?.commit, commits.good)
  t.equal(await get(address), 'bem-vindo')
  t.match((await shop.history())[0]?.verdict?.message, /container web is not ready/)
})

await t.test('git revert is healthy at once, and nothing is restarted', async t => {
  // What was rolled back ends beside what is judged.
  const before = await until('the two that serve are left', async () => {
    const living = await lives(slipway, 'shop')
    return living.length === 2 && living
  })
  await shop.copy.git('revert', '--no-edit', 'HEAD~1..HEAD')
  const half = await shop.publish()
  await shop.settled(half, 'RolledBack')
  await shop.copy.git('revert', '--no-edit', 'HEAD~2')
  const reverted = await shop.publish()
  const view = await shop.settled(reverted, 'Healthy')

  t.equal(view.release?.number, 'r2')
  t.same(await lives(slipway, 'shop'), before)
})

await t.test('a commit that touches nothing of the application does nothing', async t => {
  const before = await lives(slipway, 'shop')
  const attempts = (await shop.history()).length
  const unrelated = await shop.push({ 'README.md': 'Read me.\n' }, 'Write it down')
  const view = await shop.settled(unrelated, 'Healthy')

  t.equal(view.release?.number, 'r2')
  t.equal((await shop.history()).length, attempts)
  t.same(await lives(slipway, 'shop'), before)
})

await t.test('a fix is released', async t => {
  const fix = await change({ message: 'benvenuto' }, 'Greet in Italian')
  const view: ApplicationView = await shop.settled(fix, 'Healthy')

  t.equal(view.release?.commit, fix)
  t.equal(await get(address), 'benvenuto')
})

await t.test('history and events tell every attempt with its outcome', async t => {
  const told = (await shop.history()).map(attempt => `${attempt.release?.subject}: ${attempt.outcome}`)

  t.equal(told.filter(line => line === 'Use the new cache: RolledBack').length, 1)
  t.equal(told.filter(line => line === 'Wait for the moon: RolledBack').length, 1)
  t.equal(told[0], 'Greet in Italian: Healthy')
  t.equal(told.at(-1), 'Open the shop: Healthy')
  t.notOk(told.some(line => /null|undefined/.test(line)))
  for (const what of ['healthy', 'rolling-back', 'rolled-back']) t.ok((await events()).includes(what), what)
})

await t.test('through all of it no request failed and none was served twice', async t => {
  await load.stop()
  const ids = served()
  const answered = load.answered()

  t.same(load.failures(), [])
  t.ok(answered.length > 500, `${answered.length} requests`)
  t.equal(new Set(ids).size, ids.length, 'no id was served twice')
  t.same(
    answered.filter(id => !ids.includes(id)),
    [],
    'every answered request was served',
  )
})

await t.test('slipway down --purge leaves nothing behind', async t => {
  await removeImages(slipway, '1')
  t.same(await slipway.end(), [])
})
