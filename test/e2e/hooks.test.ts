// Hooks run once in each attempt, the barrier of sequence 14, configuration that rolls pods, pruning after health.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { application, lines } from '../support/applications.js'
import { waitUntil } from '../support/machine.js'
import { lives, startSlipway } from '../support/slipway.js'
import { deployment, documents, job, loadWebImage, removeImages, service, type WebOptions, web } from '../support/web.js'

t.setTimeout(300_000)
const slipway = await startSlipway(t)
const { image } = await loadWebImage(slipway)
const files = (options: Partial<WebOptions> = {}) => ({ 'web.yaml': web({ image, replicas: 1, ...options }) })
const hook = (name: string, phase: string, command: string) => job(name, image, command, { hook: phase, served: slipway.shared })
const noted = () => lines(join(slipway.shared, 'hooks'))
const note = (text: string) => `echo ${text} >>/served/hooks`

await t.test('PreSync and PostSync hooks run once in each attempt, in their order; SyncFail runs when it failed', async t => {
  const app = await application(slipway, 'hooks')
  const hooks = (mark: string) =>
    documents([
      hook('before', 'PreSync', note(`${mark}-pre`)),
      hook('after', 'PostSync', note(`${mark}-post`)),
      hook('failed', 'SyncFail', note(`${mark}-fail`)),
    ])
  const one = await app.push({ ...files({ message: 'one' }), 'hooks.yaml': hooks('one') })
  await app.declare()
  await app.settled(one, 'Healthy')
  const two = await app.push({ ...files({ message: 'two' }), 'hooks.yaml': hooks('two') })
  await app.settled(two, 'Healthy')
  const good = noted()
  const three = await app.push({
    'hooks.yaml': documents([hook('before', 'PreSync', 'exit 4'), hook('failed', 'SyncFail', note('three-fail'))]),
  })
  const view = await app.settled(three, 'RolledBack')

  await waitUntil('the SyncFail hook ran', 30_000, () => noted().length > 4)
  t.same(good, ['one-pre', 'one-post', 'two-pre', 'two-post'])
  t.same(noted().slice(4), ['three-fail'])
  t.match((await app.history())[0]?.verdict?.message, /before/)
  t.equal(view.release?.commit, two)
})

await t.test('14: after a changed migration, pods of the good release that still serve are kept', async t => {
  const app = await application(slipway, 'kept')
  const one = await app.push({ ...files(), 'migrate.yaml': documents([hook('migrate', 'PreSync', 'echo schema 1')]) })
  await app.declare()
  await app.settled(one, 'Healthy')
  const before = await lives(slipway, 'kept')
  const two = await app.push({
    ...files({ behaviour: 'crash' }),
    'migrate.yaml': documents([hook('migrate', 'PreSync', 'echo schema 2')]),
  })
  const view = await app.settled(two, 'RolledBack')

  t.equal(view.release?.commit, one)
  t.same(await lives(slipway, 'kept'), before)
})

await t.test('14: the same with Recreate fails and waits for a word: old code is not started on new data', async t => {
  const app = await application(slipway, 'barred')
  const recreate = { deployment: { strategy: { type: 'Recreate' } } }
  const one = await app.push({ ...files(recreate), 'migrate.yaml': documents([hook('migrate', 'PreSync', 'echo schema 1')]) })
  await app.declare()
  await app.settled(one, 'Healthy')
  const two = await app.push({
    ...files({ ...recreate, behaviour: 'crash' }),
    'migrate.yaml': documents([hook('migrate', 'PreSync', 'echo schema 2')]),
  })
  const failed = await app.settled(two, 'Failed')
  await slipway.client.call('POST', '/api/v1/applications/barred/rollback', { to: 'r1' })
  const back = await app.until('back', view => view.release?.commit === one && view.health.status === 'Healthy')

  t.equal(failed.release?.commit, two)
  t.match(failed.message + failed.why.next.join(' ') + (failed.attempt?.message ?? ''), /migrate|hook|data/i)
  t.equal(back.release?.commit, one)
})

await t.test('14: an unchanged migration is no barrier', async t => {
  const app = await application(slipway, 'unbarred')
  const migrate = { 'migrate.yaml': documents([hook('migrate', 'PreSync', 'echo schema 1')]) }
  const recreate = { deployment: { strategy: { type: 'Recreate' } } }
  const one = await app.push({ ...files(recreate), ...migrate })
  await app.declare()
  await app.settled(one, 'Healthy')
  const two = await app.push({ ...files({ ...recreate, behaviour: 'crash' }), ...migrate })
  const view = await app.settled(two, 'RolledBack')

  t.equal(view.release?.commit, one)
})

await t.test(
  'a changed ConfigMap rolls the pods that read it; what is gone from Git is pruned, but only after health',
  async t => {
    const app = await application(slipway, 'config')
    const config = (text: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings' },
      data: { MESSAGE: text },
    })
    const reading = { container: { env: [], envFrom: [{ configMapRef: { name: 'settings' } }] } }
    const content = (text: string, options: Partial<WebOptions> = {}) =>
      documents([config(text), deployment({ image, replicas: 1, ...reading, ...options }), service({})])
    const one = await app.push({ 'web.yaml': content('one'), 'extra.yaml': documents([service({ name: 'extra' }, 'web')]) })
    await app.declare()
    await app.settled(one, 'Healthy')
    const [before] = await app.pods()
    const names = async () => (await slipway.client.tree('config')).map(object => object.ref.name)

    const two = await app.push({ 'web.yaml': content('two') })
    await app.settled(two, 'Healthy')
    // One that ends is listed until its connections have.
    await waitUntil('the pod is another one', 60_000, async () => !(await app.pods()).includes(before ?? ''))
    const kept = await names()
    const bad = await app.push({
      'web.yaml': content('three', { behaviour: 'crash', container: { command: ['/bin/false'] } }),
      'extra.yaml': null,
    })
    await app.settled(bad, 'RolledBack')
    const stillThere = await names()
    const three = await app.push({ 'web.yaml': content('two') })
    await app.settled(three, 'Healthy')

    t.ok(before)
    t.ok(kept.includes('extra'))
    t.ok(stillThere.includes('extra'), 'a bad release prunes nothing')
    t.notOk((await names()).includes('extra'), 'a good one does')
  },
)

await t.test(
  'a PreDelete hook that failed holds a deletion, asked for again it runs once more; then all ends, and PostDelete runs',
  async t => {
    const app = await application(slipway, 'leaving')
    const backup = 'test -e /served/full && echo backup >>/served/hooks'
    const hooks = [hook('backup', 'PreDelete', backup), hook('farewell', 'PostDelete', note('farewell'))]
    const one = await app.push({ ...files(), 'hooks.yaml': documents(hooks) })
    await app.declare()
    await app.settled(one, 'Healthy')
    const before = noted().length
    const away = ['delete', 'leaving', '--cascade', '--yes']

    await slipway.cli(...away)
    await app.until('it is held', seen => /PreDelete hook Job .*backup-predelete-\d+ failed/.test(seen.message))
    const serving = (await app.pods()).length
    writeFileSync(join(slipway.shared, 'full'), '')
    await slipway.cli(...away)
    await waitUntil('it is gone', 60_000, async () => (await slipway.client.application('leaving')) === null)

    t.ok(serving > 0, 'what runs was not touched')
    t.same(noted().slice(before), ['backup', 'farewell'])
    t.same(await lives(slipway, 'leaving'), [])
  },
)

await t.test('slipway down --purge leaves nothing behind', async t => {
  t.same(await slipway.end(), [])
  await removeImages(slipway, '1')
})
