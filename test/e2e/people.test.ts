// What people ask for, on the real thing (sequences 12, 13 and 16 of release.md): roll back, pause, resume, retry, delete, move a port.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { get } from '../../examples/demo/load.js'
import { application } from '../support/applications.js'
import { freeNodePort, waitUntil } from '../support/machine.js'
import { lives, startSlipway } from '../support/slipway.js'
import { deployment, documents, loadWebImage, removeImages, service, type WebOptions, web } from '../support/web.js'

t.setTimeout(300_000)
const slipway = await startSlipway(t)
const { image } = await loadWebImage(slipway)
const files = (options: Partial<WebOptions> = {}) => ({ 'web.yaml': web({ image, replicas: 1, ...options }) })
const act = (name: string, what: string, body: object = {}) =>
  slipway.client.call('POST', `/api/v1/applications/${name}/${what}`, body)

await t.test(
  '12: rolled back by hand it stays there, an unrelated commit changes nothing, new content lifts the pin',
  async t => {
    const app = await application(slipway, 'pinned')
    const one = await app.push(files({ message: 'one' }))
    await app.declare()
    await app.settled(one, 'Healthy')
    const two = await app.push(files({ message: 'two' }))
    await app.settled(two, 'Healthy')

    await act('pinned', 'rollback', { to: 'r1', message: 'two is too loud' })
    const back = await app.until(
      'back at r1 and ended',
      view => view.release?.commit === one && view.pinned !== null && view.attempt?.outcome === 'Healthy',
    )
    const before = await lives(slipway, 'pinned')
    const unrelated = await app.push({ 'README.md': 'Read me.\n' })
    const still = await app.until('unrelated seen', view => view.candidate?.commit === unrelated)
    const after = await lives(slipway, 'pinned')
    const three = await app.push(files({ message: 'three' }))
    const view = await app.settled(three, 'Healthy')

    t.equal(back.pinned?.to, 'r1')
    t.equal(still.pinned?.to, 'r1')
    t.equal(still.release?.commit, one)
    t.same(after, before)
    t.equal(view.pinned, null)
    t.equal(view.release?.commit, three)
    t.ok((await app.history()).some(attempt => attempt.cause === 'rollback'))
  },
)

await t.test('12: paused, nothing is touched; resumed, it goes on', async t => {
  const app = await application(slipway, 'paused')
  const one = await app.push(files({ message: 'one' }))
  await app.declare()
  await app.settled(one, 'Healthy')

  await act('paused', 'pause', { reason: 'tea' })
  const before = await lives(slipway, 'paused')
  const two = await app.push(files({ message: 'two' }))
  const paused = await app.until('two is seen', view => view.candidate?.commit === two)
  const during = await lives(slipway, 'paused')
  await act('paused', 'resume')
  const view = await app.settled(two, 'Healthy')

  t.equal(paused.state, 'Paused')
  t.match(paused.message, /[Tt]ea/)
  t.same(during, before)
  t.equal(view.release?.commit, two)
})

await t.test('12: a retry of what failed starts fresh pods, whose old restarts are forgotten', async t => {
  const app = await application(slipway, 'retried', { rollout: { healthTimeout: '4s' } })
  const untold = documents([deployment({ image, replicas: 1, behaviour: 'until-told', served: slipway.shared })])
  const first = await app.push({ 'web.yaml': untold })
  await app.declare()
  await app.settled(first, 'Failed')
  const [old] = await app.pods()

  await slipway.client.call('POST', '/api/v1/applications/retried/retry', {})
  const again = await app.until('a second attempt', view => (view.attempt?.number ?? 0) >= 2 && view.state === 'Failed')
  const pods = await app.pods()

  t.equal(again.attempt?.cause, 'retry')
  t.notOk(pods.includes(old ?? ''), 'the pod is another one')
  t.ok((again.attempt?.verdict?.restarts ?? 99) <= 4)
})

await t.test('13: deleted in mid-rollout, what ran is gone, data stay; created again under its name it is a new one', async t => {
  const app = await application(slipway, 'deleted', { rollout: { healthTimeout: '60s' } })
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
  }
  const claims = async () =>
    (await slipway.docker.volumes.list(['slipway.node'])).filter(volume =>
      volume.Labels?.['slipway.node']?.startsWith(`${slipway.node}.`),
    )
  const mounting = {
    container: { volumeMounts: [{ name: 'data', mountPath: '/data' }] },
    pod: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] },
  }
  const one = await app.push({ ...files({ message: 'one', ...mounting }), 'data.yaml': documents([claim]) })
  await app.declare()
  const before = await app.settled(one, 'Healthy')
  const two = await app.push(files({ message: 'two', behaviour: 'never-ready', ...mounting }))
  await app.until('under way', view => view.attempt?.release?.commit === two && view.attempt.times.applied !== '')

  await slipway.client.call('DELETE', '/api/v1/applications/deleted?cascade=true')
  await waitUntil('the application is gone', 60_000, async () => (await slipway.client.application('deleted')) === null)
  const left = await slipway.containers('deleted', true)
  const volumes = await claims()
  const three = await app.push(files({ message: 'three' }))
  await app.declare()
  const again = await app.settled(three, 'Healthy')

  t.same(left, [])
  t.equal(volumes.length, 1, 'the claim and its data')
  t.not(again.uid, before.uid)
  t.equal(again.release?.number, 'r1')
  t.equal((await app.history()).length, 1)
})

await t.test('renamed: what the old name is let go of, the new one takes over as it runs', async t => {
  const nodePort = await freeNodePort()
  const app = await application(slipway, 'former')
  const one = await app.push({
    'web.yaml': documents([deployment({ image, replicas: 2, message: 'one' }), service({ name: 'web', nodePort }, 'web')]),
  })
  await app.declare()
  await app.settled(one, 'Healthy')
  const before = await lives(slipway, 'former')

  const renamed = await application(slipway, 'latter', {
    of: app,
    spec: { destination: { name: slipway.node, namespace: 'former' } },
  })
  await renamed.declare()
  const held = await renamed.until('held', view => view.state === 'Held')
  await slipway.client.call('DELETE', '/api/v1/applications/former?cascade=false')
  await waitUntil('the application is gone', 60_000, async () => (await slipway.client.application('former')) === null)
  const view = await renamed.settled(one, 'Healthy')

  t.match(held.message, /belongs to application former/i)
  t.equal(view.release?.number, 'r1')
  t.same(await lives(slipway, 'former'), before, 'the same containers')
  t.equal((await renamed.pods()).length, 2)
  t.equal(await get(`http://127.0.0.1:${nodePort}/`), 'one')

  await slipway.client.call('DELETE', '/api/v1/applications/latter?cascade=true')
  await waitUntil('the application is gone', 60_000, async () => (await slipway.client.application('latter')) === null)
  t.same(await slipway.containers('former', true), [], 'and ends with it')
})

await t.test('a deletion that waits for a silent node is turned into letting go, and what runs there goes on', async t => {
  const app = await application(slipway, 'stuck')
  const one = await app.push(files({ message: 'one' }))
  await app.declare()
  await app.settled(one, 'Healthy')
  const before = await lives(slipway, 'stuck')
  const keeper = Number(readFileSync(join(slipway.state, 'run', 'runtime.keeper.pid'), 'utf8'))
  process.kill(keeper, 'SIGKILL')
  slipway.signal('runtime', 'SIGKILL')
  await app.until('its node is silent', view => view.state === 'Unknown', 90_000)

  await slipway.cli('delete', 'stuck', '--cascade', '--yes')
  await app.until('it waits', view => view.state === 'Deleting')
  const why = await slipway.cli('why', 'stuck')
  await slipway.cli('delete', 'stuck', '--cascade=false', '--yes')
  await waitUntil('the application is gone', 60_000, async () => (await slipway.client.application('stuck')) === null)
  await slipway.cli('up')
  await waitUntil('the node is back', 60_000, async () => {
    const { items } = (await slipway.client.call('GET', '/api/v1/nodes')) as { readonly items: readonly { ready: boolean }[] }
    return items.some(({ ready }) => ready)
  })

  t.match(why.out, /slipway delete stuck --cascade=false/)
  t.same(await lives(slipway, 'stuck'), before)
  await app.declare()
  await app.settled(one, 'Healthy')
  t.same(await lives(slipway, 'stuck'), before, 'and is taken over as it runs')
})

await t.test(
  '16: a node port that moves to another Service is announced as stop-first and released; a bad one goes back',
  async t => {
    const nodePort = await freeNodePort()
    const app = await application(slipway, 'moved')
    const behind = (name: string, options: Partial<WebOptions> = {}) => ({
      'web.yaml': documents([deployment({ image, replicas: 1, ...options }), service({ name, nodePort }, 'web')]),
    })
    const one = await app.push(behind('first'))
    await app.declare()
    await app.settled(one, 'Healthy')
    const bad = await app.push(behind('second', { behaviour: 'crash' }))
    const back = await app.settled(bad, 'RolledBack')
    const names = (await slipway.client.tree('moved')).filter(object => object.ref.kind === 'Service').map(({ ref }) => ref.name)
    const served = await get(`http://127.0.0.1:${nodePort}/`)
    const two = await app.push(behind('second', { message: 'moved' }))
    await app.settled(two, 'Healthy')

    t.equal(back.release?.commit, one)
    t.same(names, ['first'])
    t.equal(served, 'welcome')
    t.equal(await get(`http://127.0.0.1:${nodePort}/`), 'moved')
  },
)

await t.test('slipway down --purge leaves nothing behind', async t => {
  t.same(await slipway.end(), [])
  await removeImages(slipway, '1')
})
