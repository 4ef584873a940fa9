import { randomBytes } from 'node:crypto'
import { test } from 'tap'
import { ensureBuckets, keepBuckets } from '../../controller/store/buckets.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { refOf } from '../../runtime/contract/manifest.js'
import { buckets, documentKey } from '../../runtime/contract/subjects.js'
import { bindBucket } from '../../runtime/nats/bus/values.js'
import { application, configMap, ledger, order, startField, until } from '../support/controller.js'

import { canary, names, never, ready, soon, startCluster, startNode } from '../support/node-cluster.js'

/** Three orders, then a deletion that the node has carried out and the controller has forgotten. */
async function madeAndDeleted(cluster: ReturnType<typeof startCluster>): Promise<void> {
  for (const name of ['a', 'b', 'c']) await soon(() => cluster.apply(application(), [configMap(name)], order(), never))
  await cluster.remove(application(), order(), never)
  await until('it is gone', async () => (await cluster.observe(application(), never)).gone)
  await cluster.forget(application(), never)
}

test('a document of several megabytes arrives whole, in chunks, and leaves none behind', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  const big = (name: string) => configMap(name, { noise: randomBytes(900_000).toString('base64') })

  await soon(() => cluster.apply(application(), [big('a'), big('b')], order(), never))
  await cluster.apply(application(), [big('c')], order(), never)
  await cluster.apply(application(), [big('a')], order(), never)

  await until('it is obeyed', () => node.disk.get('shop')?.generation === 3)
  t.same(names(node.disk.get('shop')?.objects ?? []), ['a', 'b', 'c'])
  await cluster.prune(
    application(),
    ['a', 'b', 'c'].map(name => refOf(configMap(name))),
    order(),
    never,
  )
  await until('it is obeyed', () => node.disk.get('shop')?.generation === 4)
  const manager = await field.bus.connection().jetstreamManager()
  const { state } = await manager.streams.info(`KV_${buckets.desired}`, { subjects_filter: '>' })
  t.same(Object.keys(state.subjects ?? {}), [`$KV.${buckets.desired}.n1.shop.head`])
})

test('logs come from the node, line by line, sealed, and an error is the node own words', async t => {
  const field = await startField(t)
  startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  const wish = { tail: 2000, follow: false, previous: false }

  const lines: string[] = []
  for await (const line of cluster.logs(application(), 'web', 'main', wish, never)) lines.push(line.text)

  t.equal(lines.length, 2000)
  t.equal(lines[1999], `web 1999 ${canary}`)
  await t.rejects(
    async () => {
      for await (const _ of cluster.logs(application(), 'none', 'main', wish, never));
    },
    { message: /logs of none\/main on node n1: no such pod/ },
  )
})

test('while NATS is down a write throws at once and reads go on', async t => {
  const field = await startField(t)
  startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))
  await until('it is reported', async () => (await cluster.observe(application(), never)).objects.length === 1)

  await field.server.kill()
  await until('it is noticed', () => !field.bus.status().connected)

  await t.rejects(cluster.apply(application(), [configMap('b')], order(), never), { name: 'BusDownError' })
  t.equal((await cluster.observe(application(), never)).objects.length, 1)
  await field.server.start()
  await soon(() => cluster.apply(application(), [configMap('b')], order(), never))
  await until('it is reported', async () => (await cluster.observe(application(), never)).objects.length === 2)
})

test('a write that got no answer is found again, whether it landed or not', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))

  field.server.freeze()
  await t.rejects(cluster.apply(application(), [configMap('b')], order(), never), { name: 'BusDownError' })
  field.server.thaw()
  await soon(() => cluster.apply(application(), [configMap('c')], order(), never))
  await soon(() => cluster.apply(application(), [configMap('b')], order(), never))

  await until('all of it is obeyed', () => node.disk.get('shop')?.objects.length === 3)
  t.same(names(node.disk.get('shop')?.objects ?? []), ['a', 'b', 'c'])
  t.same(node.refused, [])
})

test('a store that was set back to an old backup is brought forward again', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  const kv = await bindBucket(field.bus.connection(), buckets.desired)
  const key = documentKey('n1', 'shop', 'head')
  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))
  const backup = (await kv.get(key))!.value
  await cluster.apply(application(), [configMap('b')], order(), never)
  await until('it is obeyed', () => node.disk.get('shop')?.objects.length === 2)

  await kv.put(key, backup)
  await until('the node refuses it', () => node.refused.some(message => message.includes('is older than')))
  await until('the newest lies there again', async () => !Buffer.from((await kv.get(key))!.value).equals(Buffer.from(backup)))

  await cluster.apply(application(), [configMap('c')], order(), never)
  await until('all of it is obeyed', () => node.disk.get('shop')?.objects.length === 3)
  t.same(names(node.disk.get('shop')?.objects ?? []), ['a', 'b', 'c'])
})

test('a stop and a start of the node says nothing that undoes anything', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))
  await until('it is obeyed', () => node.disk.size === 1)
  node.stop()

  await cluster.apply(application(), [configMap('b')], order(), never)
  const again = startNode(field, node.disk)

  await until('it obeys the newest', () => again.disk.get('shop')?.objects.length === 2)
  t.equal(again.seen.length, 1)
  const observed = await until('it is reported', async () => {
    const now = await cluster.observe(application(), never)
    return now.objects.length === 2 ? now : null
  })
  t.same(observed.obeyed, observed.ordered)
})

test('a ledger that another key sealed is told once, and stands in the way of nothing', async t => {
  const field = await startField(t)
  startNode(field)
  const former = startCluster(field, { keys: { ...field.controller, storage: randomBytes(32) } })
  await ready(former)
  await soon(() => former.apply(application(), [configMap('a')], order(), never))
  former.end()

  const cluster = startCluster(field, { epoch: () => 200 })
  await ready(cluster)

  t.equal((await cluster.observe(application(), never)).ledger, null)
  t.same(cluster.kept(), [])
  t.equal(cluster.warnings.length, 1)
  t.match(cluster.warnings[0], /ledger of shop on node n1: .*cannot be opened/)
  await soon(() => cluster.apply(application(), [configMap('b')], order({ ledger: ledger({ version: 3 }) }), never))
  t.equal(cluster.kept()[0]?.ledger.version, 3)
})

test('an object keeps the digests of the order that sent it, until it is sent again', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  const pod = (name: string): Manifest => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop' },
    spec: { containers: [{ name: 'web', image: 'web:latest' }] },
  })
  const [first, moved] = ['sha256:1', 'sha256:2'].map(digest =>
    order({ digests: { 'web:latest': digest, 'other:1': 'sha256:9' } }),
  )

  await soon(() => cluster.apply(application(), [pod('a'), pod('b')], first!, never))
  await cluster.apply(application(), [pod('a')], moved!, never)
  await until('it is obeyed', () => node.disk.get('shop')?.generation === 2)
  const digests = node.disk.get('shop')?.digests
  await cluster.prune(application(), [refOf(pod('a'))], moved!, never)
  await until('it is pruned', () => node.disk.get('shop')?.generation === 3)

  t.same(digests, { '/Pod/shop/a': { 'web:latest': 'sha256:2' }, '/Pod/shop/b': { 'web:latest': 'sha256:1' } })
  t.same(node.disk.get('shop')?.digests, { '/Pod/shop/b': { 'web:latest': 'sha256:1' } })
})

test('an application that is made again under the name of a deleted one is obeyed at once', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  await madeAndDeleted(cluster)

  const again = application({ uid: 'uid-2' })
  await soon(() => cluster.apply(again, [configMap('new')], order(), never))

  await until('it is obeyed', () => node.disk.get('shop')?.application.uid === 'uid-2')
  t.same(names(node.disk.get('shop')?.objects ?? []), ['new'])
})

test('what was deleted, or let go, is not taken back from a node that still knows it', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  const [gone, left] = [application(), application({ name: 'left' })]
  const deletion = (cascade: boolean) => ({ by: { kind: 'user', name: 'ana' } as const, at: 1, cascade, told: true })
  for (const app of [gone, left]) await soon(() => cluster.apply(app, [configMap(app.name)], order(), never))
  await cluster.remove(gone, order({ ledger: ledger({ deletion: deletion(true) }) }), never)
  await cluster.letGo(
    left,
    order({ ledger: { ...ledger({ deletion: deletion(false) }), application: { name: 'left', uid: 'uid-1' } } }),
    never,
  )
  await until('the node knows', () => node.disk.get('shop')?.deleted === true && node.disk.get('left')?.letGo === true)
  await until('it is gone', async () => (await cluster.observe(gone, never)).gone)
  for (const app of [gone, left]) await cluster.forget(app, never)
  // Else it could be the one that puts back what the store lost, before the node has looked.
  cluster.end()
  await cluster.running

  await field.server.wipe()
  await until('the controller is connected again', () => field.bus.status().connected)
  await ensureBuckets(field.bus.connection())
  const next = startCluster(field, { epoch: () => 200 })
  await until('the node is heard', async () => (await next.observe(left, never)).silent === null)
  const held = await until('the node gave back what it runs', () => (next.held('n1').length > 0 ? next.held('n1') : null))
  t.same(
    held.map(({ application, letGo }) => [application.name, letGo]),
    [['left', true]],
  )
  t.same(next.kept(), [])
})

test('what begins, begins after all that has ended: a node need not remember each ending for ever', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  await madeAndDeleted(cluster)

  const other = application({ name: 'other', uid: 'uid-2' })
  await soon(() => cluster.apply(other, [configMap('new')], order(), never))

  await until('it is obeyed', () => node.disk.has('other'))
  t.equal(node.disk.get('shop')?.generation, 4)
  t.equal(node.disk.get('other')?.generation, 5)
})

test('of what was deleted and forgotten a node says nothing more, whenever it starts and whatever is listed', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))
  await cluster.remove(application(), order(), never)
  await until('it is gone', async () => (await cluster.observe(application(), never)).gone)
  await cluster.forget(application(), never)
  const said = async () => {
    const kv = await bindBucket(field.bus.connection(), buckets.reports)
    const kinds = ['report', 'returned'] as const
    return (await Promise.all(kinds.map(kind => kv.get(documentKey('n1', 'shop', kind))))).filter(entry => entry !== null)
  }

  await until('the node is told', () => node.ended.includes('shop'))
  t.same(await said(), [])
  node.stop()
  const again = startNode(field, node.disk)
  await until('the node is told again', () => again.ended.includes('shop'))
  await field.server.restart()
  await until('and after a restart of NATS', () => again.ended.length > 2)
  t.same(await said(), [])
})

test('a store that was lost while something ended hears all the same that it ended', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  const stop = new AbortController()
  void keepBuckets(field.bus, () => {}, AbortSignal.any([stop.signal, field.signal]))
  await ready(cluster)
  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))
  await cluster.remove(application(), order(), never)
  await until('it is gone', async () => (await cluster.observe(application(), never)).gone)

  await field.server.wipe()
  const listed = node.ended.length
  await until('the tombstone lies there again, and its end is told', async () => {
    const kv = await bindBucket(field.bus.connection(), buckets.reports)
    return (await kv.get(documentKey('n1', 'shop', 'report'))) !== null
  })

  t.ok(node.ended.length >= listed)
  t.equal((await cluster.observe(application(), never)).gone, true)
  stop.abort()
})
