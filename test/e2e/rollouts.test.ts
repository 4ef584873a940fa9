// Rollouts under load, counted: the Deployment that every tutorial has, and twenty releases with a bad one among them.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { get, type Load, startLoad } from '../../examples/demo/load.js'
import { application, lines } from '../support/applications.js'
import { freeNodePort } from '../support/machine.js'
import { startSlipway } from '../support/slipway.js'
import { loadWebImage, removeImages, web } from '../support/web.js'

t.setTimeout(300_000)
const slipway = await startSlipway(t)
const { image } = await loadWebImage(slipway)

/** What pods wrote down of the requests they served, against what the clients know. */
function compare(t: Test, load: Load, directory: string, atLeast: number): void {
  const ids = lines(join(directory, 'ids')).map(line => line.split(' ')[0] ?? '')
  const served = new Set(ids)

  t.same(load.failures(), [], 'no request failed')
  t.ok(load.answered().length >= atLeast, `${load.answered().length} requests`)
  t.equal(served.size, ids.length, 'no request was served twice')
  t.same(
    load.answered().filter(id => !served.has(id)),
    [],
    'every request that was answered was served',
  )
}

await t.test('the Deployment that every tutorial has is rolled under load without a failed request', async t => {
  const served = join(slipway.shared, 'tutorial')
  mkdirSync(served)
  const nodePort = await freeNodePort()
  const tutorial = (message: string) =>
    web({
      image,
      message,
      nodePort,
      served,
      replicas: 3,
      probes: { livenessProbe: { httpGet: { path: '/health', port: 8080 } } },
      container: { resources: { limits: { memory: '256Mi', cpu: '500m' } } },
    })
  const hello = await application(slipway, 'tutorial')
  const first = await hello.push({ 'hello.yaml': tutorial('one') })
  await hello.declare()
  await hello.settled(first, 'Healthy')
  const address = `http://127.0.0.1:${nodePort}/`
  const load = startLoad(address, { clients: 8, rate: 100 })

  for (const message of ['two', 'three']) {
    const commit = await hello.push({ 'hello.yaml': tutorial(message) })
    await hello.settled(commit, 'Healthy')
    t.equal(await get(address), message)
  }

  await load.stop()
  compare(t, load, served, 200)
})

await t.test('twenty releases with a bad one among them fail no request and serve none twice', async t => {
  const served = join(slipway.shared, 'twenty')
  mkdirSync(served)
  const nodePort = await freeNodePort()
  const release = (message: string, behaviour = 'serve') => web({ image, message, behaviour, nodePort, served })
  const shop = await application(slipway, 'twenty', { rollout: { bakeTime: '100ms' } })
  const first = await shop.push({ 'web.yaml': release('release 0') })
  await shop.declare()
  await shop.settled(first, 'Healthy')
  const address = `http://127.0.0.1:${nodePort}/`
  const load = startLoad(address, { clients: 8, rate: 80 })

  for (let count = 1; count <= 20; count++) {
    const isBad = count === 10
    const commit = await shop.push({ 'web.yaml': release(`release ${count}`, isBad ? 'crash' : 'serve') })
    await shop.settled(commit, isBad ? 'RolledBack' : 'Healthy')
    t.equal(await get(address), `release ${isBad ? count - 1 : count}`)
  }

  await load.stop()
  compare(t, load, served, 500)
  const outcomes = (await shop.history()).map(attempt => attempt.outcome)
  t.equal(outcomes.filter(outcome => outcome === 'Healthy').length, 20)
  t.equal(outcomes.filter(outcome => outcome === 'RolledBack').length, 1)
})

await t.test('slipway down --purge leaves nothing behind', async t => {
  await removeImages(slipway, '1')
  t.same(await slipway.end(), [])
})
