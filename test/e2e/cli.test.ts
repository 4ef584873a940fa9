// The command line on the real thing: exit codes that scripts rely on, and what programs read with -o json.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { application } from '../support/applications.js'
import { lives, startSlipway } from '../support/slipway.js'
import { loadWebImage, removeImages, type WebOptions, web } from '../support/web.js'

t.setTimeout(300_000)
const slipway = await startSlipway(t)
const { image } = await loadWebImage(slipway)
const files = (options: Partial<WebOptions> = {}) => ({ 'web.yaml': web({ image, replicas: 1, ...options }) })
const shop = await application(slipway, 'shop')
const first = await shop.push(files())

/** What a program reads: one document, nothing else on standard output. */
async function json<T>(...args: readonly string[]): Promise<T> {
  const { out } = await slipway.cli(...args, '-o', 'json')
  return JSON.parse(out) as T
}

const code = async (...args: readonly string[]) => (await slipway.cli(...args)).code

await t.test('apply says what it did; wait ends with 0 once the application is healthy', async t => {
  await shop.declare()

  t.equal(await code('wait', 'shop', '--timeout', '60s'), 0)
  t.equal((await shop.view()).release?.commit, first)
})

await t.test('apps, status, history, events, nodes and why tell programs as JSON what they tell people', async t => {
  const apps = await json<{ items: { name: string; state: string }[] }>('apps')
  const status = await json<{ name: string; state: string }>('status', 'shop')
  const history = await json<{ items: { outcome: string }[] }>('history', 'shop')
  const why = await json<{ headline: string }>('why', 'shop')
  const nodes = await json<{ items: { name: string; ready: boolean }[] }>('nodes')

  t.match(apps.items, [{ name: 'shop', state: 'Healthy' }])
  t.match(status, { name: 'shop', state: 'Healthy' })
  t.match(history.items, [{ outcome: 'Healthy' }])
  t.match(why.headline, /shop is healthy/)
  t.match(nodes.items, [{ name: slipway.node, ready: true }])
  for (const verb of ['apps', 'nodes'] as const) t.match((await slipway.cli(verb)).out, verb === 'apps' ? /shop/ : slipway.node)
})

await t.test('diff is 0 where nothing differs, and 1 where something does', async t => {
  t.equal(await code('diff', 'shop'), 0)

  await shop.declare({ syncPolicy: { automated: { enabled: false } } })
  const second = await shop.push(files({ message: 'second' }))
  await shop.settled(second, 'OutOfSync')
  const { code: differs, out } = await slipway.cli('diff', 'shop')

  t.equal(differs, 1)
  t.match(out, /second/)
  t.equal((await shop.view()).release?.commit, first, 'nothing was released by looking')
})

await t.test('sync --wait releases what waits, and ends with 0', async t => {
  t.equal(await code('sync', 'shop', '--wait', '--timeout', '60s'), 0)
  t.equal((await shop.view()).state, 'Healthy')
  t.equal(await code('diff', 'shop'), 0)
})

await t.test('wait and sync --wait end with 1 when it was rolled back, and with 3 when time is over', async t => {
  const bad = await shop.push(files({ behaviour: 'never-ready' }))
  await shop.settled(bad, 'OutOfSync')

  t.equal(await code('sync', 'shop', '--wait', '--timeout', '1s'), 3)
  t.equal(await code('wait', 'shop', '--timeout', '90s'), 1)
  t.match((await slipway.cli('why', 'shop')).out, /rolled back/)
})

await t.test('rollback goes back and waits; logs show what the container says', async t => {
  t.equal(await code('rollback', 'shop', 'r1', '--wait', '--timeout', '60s'), 0)
  t.equal((await shop.view()).release?.commit, first)
  t.match((await slipway.cli('logs', 'shop')).out, /web starts/)
})

await t.test('what does not exist, is written wrongly, or needs a token has its own code', async t => {
  t.equal(await code('status', 'nosuch'), 2)
  t.equal(await code('nosuchverb'), 2)
  t.equal(await code('wait', 'shop', '--timeout', 'soon'), 2)
  t.equal(await code('apps', '--token', 'wrong'), 5)
  t.match((await slipway.cli('status', 'nosuch')).err, /nosuch/)
})

await t.test('what is not allowed, or is not as it is taken to be, is refused with 4, and changes nothing', async t => {
  const [reader, writer] = await Promise.all(
    ['read', 'write'].map(async role => (await slipway.cli('tokens', 'create', role, '--role', role)).out.trim()),
  )
  const before = await shop.view()
  const [old] = await slipway.client.history('shop').then(all => all.slice(-1))

  t.equal(await code('apps', '--token', reader!), 0)
  for (const refused of [
    ['sync', 'shop', '--token', reader!],
    ['rollback', 'shop', 'r1', '--token', reader!],
    ['apply', '-f', `${slipway.work}/shop.json`, '--token', reader!],
    ['tokens', '--token', writer!],
    ['sync', 'shop', '--revision', old!.release!.commit],
  ] as const)
    t.equal(await code(...refused), 4, refused.slice(0, 2).join(' '))
  t.match((await slipway.cli('sync', 'shop', '--token', reader!)).err, /read|may not|allowed/)
  const after = await shop.view()
  t.same([after.requests, after.attempt?.number, after.pinned], [before.requests, before.attempt?.number, before.pinned])
})

await t.test('check says 0 on a machine that has all, and a server that is not there is 2', async t => {
  t.equal(await code('check'), 0)
  t.equal(await code('apps', '--server', 'http://127.0.0.1:9'), 2)
})

await t.test('slipway up again changes nothing that runs', async t => {
  const before = (['nats', 'runtime', 'controller'] as const).map(name => slipway.pid(name))

  const up = await slipway.cli('up')

  t.equal(up.code, 0)
  t.match(up.out, /run already/)
  t.same(
    (['nats', 'runtime', 'controller'] as const).map(name => slipway.pid(name)),
    before,
  )
})

await t.test('a machine that lost keys and store gets both back from a backup, and what runs goes on', async t => {
  const file = join(slipway.work, 'slipway.backup')
  const [before, history] = [await lives(slipway, 'shop'), (await shop.history()).length]
  t.equal(await code('backup', file), 0)
  await slipway.cli('down')
  for (const lost of ['keys', 'nats', 'controller']) rmSync(join(slipway.state, lost), { recursive: true })
  await slipway.cli('up')
  t.same((await json<{ items: unknown[] }>('apps')).items, [], 'nobody knows of it')

  const refused = await slipway.cli('restore', file, '--yes')
  t.match(refused, { err: /other keys/ })
  t.not(refused.code, 0)
  t.match(await slipway.cli('restore', file, '--yes', '--force'), { code: 0, out: /slipway down, then slipway up/ })
  await slipway.cli('down')
  t.equal(await code('up'), 0)

  t.equal(await code('wait', 'shop', '--timeout', '60s'), 0)
  t.match(await json('status', 'shop'), { state: /Healthy|RolledBack|OutOfSync/, release: { commit: first } })
  t.equal((await json<{ items: unknown[] }>('history', 'shop')).items.length, history)
  t.same(await lives(slipway, 'shop'), before)
})

await t.test('slipway down --purge leaves nothing behind', async t => {
  t.same(await slipway.end(), [])
  await removeImages(slipway, '1')
})
