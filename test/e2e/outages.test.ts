// NATS away in the middle of a release and of a rollback, and two controllers of which one stands still: one outcome, one line of
// history, and what serves goes on.
import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { freePort } from '../../controller/cli/machine.js'
import { type Client, clientOf } from '../../examples/demo/client.js'
import { get, startLoad } from '../../examples/demo/load.js'
import { application } from '../support/applications.js'
import { freeNodePort, read, signalled, waitUntil } from '../support/machine.js'
import { lives, startSlipway } from '../support/slipway.js'
import { loadWebImage, removeImages, type WebOptions, web } from '../support/web.js'

/** `npm run soak`: all chapters, and minutes instead of seconds, longer than every limit that counts while a release is under way. */
const isLong = process.env.SLIPWAY_OUTAGES === 'all'
const awayMs = isLong ? 150_000 : 4_000

t.setTimeout(isLong ? 1_800_000 : 400_000)
const slipway = await startSlipway(t)
const { image } = await loadWebImage(slipway)
const nodePort = await freeNodePort()
const address = `http://127.0.0.1:${nodePort}/`
/** Takes seconds to be ready, so that there is a middle. */
const slowly = { command: ['/bin/sh', '-c', 'sleep 2; exec /bin/sh /app/server.sh'] }
const files = (options: Partial<WebOptions> = {}) => ({ 'web.yaml': web({ image, nodePort, container: slowly, ...options }) })
const shop = await application(slipway, 'shop', { rollout: { restartsAllowed: 1 } })
const first = await shop.push(files())
await shop.declare()
await shop.settled(first, 'Healthy')
const load = startLoad(address, { clients: 4, rate: 40 })

async function stopNats(): Promise<void> {
  const pid = slipway.pid('nats')
  signalled(Number(read(join(slipway.state, 'run', 'nats.keeper.pid'))), 'SIGTERM')
  signalled(pid, 'SIGTERM')
  await waitUntil('NATS has ended', 20_000, () => read(`/proc/${pid}/cmdline`) === '')
}

async function startNats(): Promise<void> {
  const up = await slipway.cli('up')
  if (up.code !== 0) throw new Error(up.err)
}

async function oneLine(t: Test, commit: string, outcome: string, client: Client = slipway.client): Promise<void> {
  const attempts = (await client.history('shop')).filter(attempt => attempt.release?.commit === commit)
  t.same(
    attempts.map(attempt => attempt.outcome),
    [outcome],
    'one line of history',
  )
}

const underWay = (commit: string) =>
  shop.until(
    'under way',
    view => view.attempt?.release?.commit === commit && ['Syncing', 'Verifying'].includes(view.attempt.step),
  )

await t.test('NATS stopped in the middle of a release: what runs goes on, and the release ends as it would have', async t => {
  const commit = await shop.push(files({ message: 'two' }))
  await underWay(commit)
  await stopNats()
  await delay(awayMs)
  const told = await shop.view()
  await startNats()
  await shop.settled(commit, 'Healthy', 120_000)

  t.match(told.attempt?.verdict ?? null, null, 'nothing was judged meanwhile')
  await oneLine(t, commit, 'Healthy')
  t.equal(await get(address), 'two')
})

await t.test('NATS stopped in the middle of a rollback: the good one is back', async t => {
  const bad = await shop.push(files({ behaviour: 'crash', message: 'three', container: {} }))
  await shop.until('judged', view => view.candidate?.commit === bad && view.attempt?.verdict !== null)
  await stopNats()
  await delay(awayMs)
  await startNats()
  await shop.settled(bad, 'RolledBack', 120_000)

  await oneLine(t, bad, 'RolledBack')
  await waitUntil('only the good pods run', 60_000, async () => (await slipway.containers('shop')).length === 2)
})

await t.test('17: NATS stopped and its store wiped in the middle of a release', async t => {
  const commit = await shop.push(files({ message: 'four' }))
  await underWay(commit)
  await stopNats()
  rmSync(join(slipway.state, 'nats', 'store'), { recursive: true, force: true })
  await delay(awayMs)
  await startNats()
  await shop.settled(commit, 'Healthy', 120_000)

  t.equal(await get(address), 'four')
  await oneLine(t, commit, 'Healthy')
  await waitUntil('only these pods run', 60_000, async () => (await slipway.containers('shop')).length === 2)
})

const twoControllers = { skip: !isLong && 'npm run soak' }
await t.test('of two controllers the one that leads stands still in the middle of a release', twoControllers, async t => {
  const second = await another(t)
  const bad = await shop.push(files({ behaviour: 'crash', message: 'five' }))
  await underWay(bad)

  slipway.signal('controller', 'SIGSTOP')
  const stopped = performance.now()
  await second.client.until(
    'shop',
    'rolled back by the other',
    view => view.candidate?.commit === bad && view.state === 'RolledBack',
    120_000,
  )
  await waitUntil('only the good pods run', 60_000, async () => (await slipway.containers('shop')).length === 2)
  const before = await lives(slipway, 'shop')
  await delay(Math.max(0, 20_000 - (performance.now() - stopped)))
  slipway.signal('controller', 'SIGCONT')
  await waitUntil('it knows that it does not lead', 30_000, async () => /lease failed/.test(await readyz(slipway.client)))
  await delay(3_000)

  t.same(await lives(slipway, 'shop'), before, 'it touched nothing')
  await oneLine(t, bad, 'RolledBack', second.client)
  const commit = await shop.push(files({ message: 'six', container: {} }))
  await second.client.until('shop', 'healthy', view => view.candidate?.commit === commit && view.state === 'Healthy', 60_000)
  await second.end()
  await shop.settled(commit, 'Healthy', 60_000)
  for (const [of, outcome] of [
    [bad, 'RolledBack'],
    [commit, 'Healthy'],
  ] as const)
    await oneLine(t, of, outcome)
  const numbers = (await shop.history()).map(attempt => attempt.number)
  t.equal(new Set(numbers).size, numbers.length, 'no number twice')
})

/** Started as the first was, with a port of its own. */
async function another(t: Test) {
  const pid = slipway.pid('controller')
  const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1)
  const lines = readFileSync(`/proc/${pid}/environ`, 'utf8')
    .split('\0')
    .filter(line => line.includes('='))
  const env = Object.fromEntries(lines.map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
  const port = String(await freePort())
  const child = spawn(program, args, { env: { ...env, SLIPWAY_PORT: port, SLIPWAY_KEPT: 'by a test' }, stdio: 'ignore' })
  const gone = new Promise(resolve => child.once('exit', resolve))
  const token = read(join(slipway.state, 'keys', 'admin.token')).trim()
  const client = clientOf(`http://127.0.0.1:${port}`, token)
  const end = async () => {
    child.kill('SIGTERM')
    await gone
  }
  t.teardown(end)
  await waitUntil('it answers', 120_000, () => readyz(client).then(text => text !== ''))
  return { client, end }
}

async function readyz(client: Client): Promise<string> {
  return fetch(`${client.server}/readyz?verbose`, { signal: AbortSignal.timeout(5_000) })
    .then(answer => answer.text())
    .catch(() => '')
}

await t.test('through all of it no request failed', async t => {
  await load.stop()

  t.same(load.failures(), [])
  t.ok(load.answered().length > 500, `${load.answered().length} requests`)
})

await t.test('slipway down --purge leaves nothing behind', async t => {
  t.same(await slipway.end(), [])
  await removeImages(slipway, '1')
})
