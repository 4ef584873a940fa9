// Processes killed, NATS stopped, a node silent, down and up again, while requests are served: none of it touches what runs.
import { join } from 'node:path'
import t from 'tap'
import { get } from '../../examples/demo/load.js'
import { lines } from '../support/applications.js'
import { waitUntil } from '../support/machine.js'
import { servedShop } from '../support/served.js'
import { lives } from '../support/slipway.js'
import { documents, job, removeImages } from '../support/web.js'

t.setTimeout(300_000)
const { slipway, image, address, files, shop, load, goesOn } = await servedShop(t)

for (const name of ['controller', 'runtime', 'nats'] as const)
  await t.test(`${name} killed: what runs goes on untouched, and the next commit is released`, async t => {
    const before = await lives(slipway, 'shop')

    await slipway.kill(name)

    await goesOn(t, `after ${name}`, before)
  })

await t.test('all three killed at once: what runs goes on untouched, and the next commit is released', async t => {
  const before = await lives(slipway, 'shop')

  await slipway.crash('nats', 'controller', 'runtime')

  await goesOn(t, 'after all', before)
})

await t.test('8: a node silent while verifying is judged by nobody; when it is back it is judged afresh', async t => {
  const bad = await shop.push(files({ behaviour: 'never-ready', message: 'silent' }))
  await shop.until('verifying', view => view.attempt?.release?.commit === bad && view.attempt.step === 'Verifying')

  slipway.signal('runtime', 'SIGSTOP')
  const silent = await shop.until('unknown', view => view.state === 'Unknown')
  slipway.signal('runtime', 'SIGCONT')
  const view = await shop.settled(bad, 'RolledBack', 90_000)

  t.equal(silent.attempt?.verdict, null)
  t.match(silent.message, /nothing is judged/i)
  t.not(view.release?.commit, bad)
})

/** A release that starts slowly, with a hook that takes its time: both leave a line when they begin. */
const slowly = (mark: string) => {
  const says = (what: string) => `echo ${what} ${mark} >>/served/begun`
  const hook = job('migrate', image, `${says('hook')}; sleep 3`, { hook: 'PreSync', served: slipway.shared })
  const command = ['/bin/sh', '-c', `${says('pod')}; sleep 3; exec /bin/sh /app/server.sh`]
  return { ...files({ message: mark, served: slipway.shared, container: { command } }), 'hook.yaml': documents([hook]) }
}
const begun = (line: string) => lines(join(slipway.shared, 'begun')).filter(one => one === line).length

for (const [mark, moment] of [
  ['in its hook', 'hook'],
  ['while pods start', 'pod'],
] as const)
  await t.test(`down in mid-rollout, ${mark}, and up again: it ends as it should, and nothing ran twice`, async t => {
    // What was being ended when everything goes down stays: nobody would end it.
    await waitUntil('nothing else is being ended', 60_000, async () => (await slipway.containers('shop')).length === 2)
    const before = (await shop.history()).length
    const commit = await shop.push(slowly(moment))
    await waitUntil(`begun: ${moment}`, 60_000, () => begun(`${moment} ${moment}`) === 1)

    const down = await slipway.cli('down')
    const served = await get(address)
    await waitUntil('what had begun is over while nobody looks', 20_000, async () => {
      return moment === 'pod' || (await slipway.containers('shop')).length === 2
    })
    const up = await slipway.cli('up')
    const view = await shop.settled(commit, 'Healthy', 90_000)
    await waitUntil('only the new pods run', 30_000, async () => (await slipway.containers('shop')).length === 2)

    t.same([down.code, up.code], [0, 0])
    t.not(served, moment, 'the old release serves meanwhile')
    t.equal(view.release?.commit, commit)
    t.equal(await get(address), moment)
    t.equal(begun(`hook ${moment}`), 1, 'the hook ran once')
    t.equal(begun(`pod ${moment}`), 2, 'each pod was started once')
    t.equal((await shop.history()).length, before + 1, 'one line of history')
  })

await t.test('through all of it no request failed', async t => {
  await load.stop()

  t.same(load.failures(), [])
  t.ok(load.answered().length > 500, `${load.answered().length} requests`)
})

await t.test('down and up again leave every container as it is', async t => {
  await waitUntil('the pods of the bad release are gone', 60_000, async () => (await lives(slipway, 'shop')).length === 2)
  const before = await lives(slipway, 'shop')
  const said = await get(address)

  const down = await slipway.cli('down')
  const during = await lives(slipway, 'shop')
  const served = await get(address)
  const up = await slipway.cli('up')
  const view = await shop.until('healthy', seen => seen.state === 'Healthy')

  t.equal(down.code, 0)
  t.equal(up.code, 0)
  t.same(during, before)
  t.equal(served, said)
  t.same(await lives(slipway, 'shop'), before)
  t.equal(view.state, 'Healthy')
})

await t.test('slipway down --purge leaves nothing behind', async t => {
  t.same(await slipway.end(), [])
  await removeImages(slipway, '1')
})
