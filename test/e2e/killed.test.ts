// Processes killed in the middle of releases and rollbacks, NATS wiped (sequences 9 and 17 of release.md): a hook runs once,
// nothing is started twice, and the end is the same.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { get } from '../../examples/demo/load.js'
import { lines } from '../support/applications.js'
import { waitUntil } from '../support/machine.js'
import { servedShop } from '../support/served.js'
import { lives, type ProcessName } from '../support/slipway.js'
import { documents, job, removeImages } from '../support/web.js'

t.setTimeout(300_000)
const { slipway, image, address, files, shop, load, goesOn } = await servedShop(t)

await t.test('9: killed at moments of a release, a hook runs once, and one attempt ends as it would have', async t => {
  const before = (await shop.history()).length
  const kills: readonly (readonly [ProcessName, number])[] = [
    ['controller', 0],
    ['runtime', 60],
    ['controller', 180],
    ['runtime', 400],
  ]
  for (const [count, [name, afterMs]] of kills.entries()) {
    const mark = `killed-${count}`
    const hook = job('migrate', image, `echo ${mark} >>/served/hooks`, { hook: 'PreSync', served: slipway.shared })
    const commit = await shop.push({ ...files({ message: mark }), 'hook.yaml': documents([hook]) })
    await new Promise(resolve => setTimeout(resolve, afterMs))
    await slipway.crash(name)
    await shop.settled(commit, 'Healthy', 90_000)

    t.equal(await get(address), mark)
    t.equal(lines(join(slipway.shared, 'hooks')).filter(line => line === mark).length, 1, 'the hook ran once')
  }

  const history = await shop.history()
  t.equal(history.length, before + kills.length, 'one line of history each')
  t.ok(history.slice(0, kills.length).every(attempt => attempt.outcome === 'Healthy'))
  t.equal((await slipway.containers('shop')).length, 2, 'nothing runs twice')
})

await t.test('9: killed while it rolls back, the good release is back all the same', async t => {
  for (const name of ['controller', 'runtime'] as const) {
    const bad = await shop.push(files({ behaviour: 'crash', message: name }))
    await shop.until('rolling back or done', view => view.candidate?.commit === bad && view.attempt?.verdict !== null)
    await slipway.crash(name)
    const view = await shop.settled(bad, 'RolledBack', 90_000)

    t.not(view.release?.commit, bad)
    t.equal((await shop.history()).filter(attempt => attempt.release?.commit === bad).length, 1)
  }
  await waitUntil('only the good pods run', 30_000, async () => (await slipway.containers('shop')).length === 2)
})

await t.test(
  '17: NATS wiped while the controller restarts: the ledger is read back from the node, and the bad one stays bad',
  async t => {
    const bad = (await shop.view()).candidate?.commit ?? ''
    const before = await lives(slipway, 'shop')

    slipway.signal('nats', 'SIGSTOP')
    rmSync(join(slipway.state, 'nats', 'store'), { recursive: true, force: true })
    await slipway.crash('nats', 'controller')
    await waitUntil('the controller knows the application', 60_000, async () => {
      return (await slipway.client.application('shop').catch(() => null)) !== null
    })
    const view = await shop.settled(bad, 'RolledBack', 90_000)

    t.same(await lives(slipway, 'shop'), before)
    t.match(view.why.next.join(' '), /not tried again until its content changes/)
    await goesOn(t, 'after the wipe', before)
  },
)

await t.test('through all of it no request failed', async t => {
  await load.stop()

  t.same(load.failures(), [])
  t.ok(load.answered().length > 500, `${load.answered().length} requests`)
})

await t.test('slipway down --purge leaves nothing behind', async t => {
  t.same(await slipway.end(), [])
  await removeImages(slipway, '1')
})
