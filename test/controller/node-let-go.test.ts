// What is let go, or moved away: an order to the node like any other, and nobody takes it back.
import { test } from 'tap'
import type { Release } from '../../controller/release.js'
import { ensureBuckets } from '../../controller/store/buckets.js'
import { buckets, documentKey } from '../../runtime/contract/subjects.js'
import { bindBucket } from '../../runtime/nats/bus/values.js'
import { application, configMap, ledger, order, startField, until } from '../support/controller.js'
import { names, never, ready, soon, startCluster, startNode } from '../support/node-cluster.js'

const lettingGo = { by: { kind: 'user', name: 'ana' } as const, at: 1, cascade: false, told: true }

test('what is let go is an order: the node knows before it is forgotten, and is whose it is again when declared again', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))

  await cluster.letGo(application(), order({ ledger: ledger({ deletion: lettingGo }) }), never)
  await until('it is obeyed', async () => {
    const { ordered, obeyed } = await cluster.observe(application(), never)
    return ordered?.generation === 2 && obeyed?.generation === 2
  })
  t.match(node.disk.get('shop'), { letGo: true, deleted: false, objects: [{ metadata: { name: 'a' } }] })
  await cluster.forget(application(), never)

  const again = application({ uid: 'uid-2' })
  await soon(() => cluster.apply(again, [configMap('b')], order(), never))
  await until('it is obeyed', () => node.disk.get('shop')?.application.uid === 'uid-2')
  t.match(node.disk.get('shop'), { letGo: false })
})

test('what was let go goes on while the next application of its name is only being tried', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))
  await cluster.letGo(application(), order({ ledger: ledger({ deletion: lettingGo }) }), never)
  await until('it is obeyed', () => node.disk.get('shop')?.letGo === true)
  await cluster.forget(application(), never)

  const again = application({ uid: 'uid-2' })
  const release = { id: 'rel-2', objects: [configMap('a')] } as unknown as Release
  await soon(() => cluster.preflight(again, release, 1, order(), never))
  await until('it is asked', () => node.disk.get('shop')?.application.uid === 'uid-2')

  t.same(names(node.disk.get('shop')?.objects ?? []), ['a'])
})

test('let go, forgotten, and asked for again after a crash in between: what runs is not ended', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))
  const letGo = () => cluster.letGo(application(), order({ ledger: ledger({ deletion: lettingGo }) }), never)
  await letGo()
  await until('it is obeyed', () => node.disk.get('shop')?.letGo === true)
  await cluster.forget(application(), never)
  t.same(cluster.kept(), [])

  await soon(letGo)
  await until('it is obeyed', async () => (await cluster.observe(application(), never)).obeyed?.generation === 3)
  t.same(names(node.disk.get('shop')?.objects ?? []), ['a'])
  await cluster.forget(application(), never)
})

test('where nothing lies of it, and its node has said all, nothing is ordered to let it go', async t => {
  const field = await startField(t)
  startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)

  await soon(() => cluster.letGo(application(), order({ ledger: ledger({ deletion: lettingGo }) }), never))

  t.equal((await cluster.observe(application(), never)).gone, true, 'it may be forgotten')
  const kv = await bindBucket(field.bus.connection(), buckets.desired)
  t.equal(await kv.get(documentKey('n1', 'shop', 'head')), null)
})

test('what is let go while its node is silent is found there when it listens again', async t => {
  const field = await startField(t)
  const node = startNode(field)
  let silentFor = 0
  const cluster = startCluster(field, { now: () => Date.now() + silentFor })
  await ready(cluster)
  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))
  await until('it is obeyed', () => node.disk.size === 1)
  node.stop()
  silentFor = 60_000
  await until('it is silent', async () => (await cluster.observe(application(), never)).silent !== null)

  await cluster.forget(application(), never)
  t.same(cluster.kept(), [])
  const back = startNode(field, node.disk)

  await until('it is obeyed', () => back.disk.get('shop')?.letGo === true)
  t.same(names(back.disk.get('shop')?.objects ?? []), ['a'])
})

test('what a silent node was told to end, and is let go instead, goes on there as it is', async t => {
  const field = await startField(t)
  const node = startNode(field)
  let silentFor = 0
  const cluster = startCluster(field, { now: () => Date.now() + silentFor })
  await ready(cluster)
  await soon(() => cluster.apply(application(), [configMap('a'), configMap('b')], order(), never))
  await until('it is obeyed', () => node.disk.size === 1)
  node.stop()
  silentFor = 60_000
  await until('it is silent', async () => (await cluster.observe(application(), never)).silent?.hears === false)
  await cluster.remove(application(), order({ ledger: ledger({ deletion: { ...lettingGo, cascade: true } }) }), never)

  await cluster.forget(application(), never)
  t.same(cluster.kept(), [])
  const back = startNode(field, node.disk)

  await until('it is obeyed', () => back.disk.get('shop')?.letGo === true)
  t.match(back.disk.get('shop'), { deleted: false, application: { uid: 'uid-1' } })
  t.same(names(back.disk.get('shop')?.objects ?? []), ['a', 'b'])
  t.notOk(
    back.seen.some(({ deleted }) => deleted),
    'nothing was ended in between',
  )
})

test('what was told to end where that was not known to have arrived is let go with all that it names', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))
  await until('it is obeyed', () => node.disk.size === 1)
  node.mute = true
  await cluster.remove(application(), order({ ledger: ledger({ deletion: { ...lettingGo, cascade: true } }) }), never)

  await cluster.letGo(application(), order({ ledger: ledger({ deletion: lettingGo }) }), never)
  node.mute = false

  await until('it is obeyed', () => node.disk.get('shop')?.letGo === true)
  t.match(node.disk.get('shop'), { deleted: false, generation: 3 })
  t.same(names(node.disk.get('shop')?.objects ?? []), ['a'])
})

test('a node that speaks, but has not obeyed, is told all the same before what it runs is forgotten', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))
  await until('it is reported', async () => (await cluster.observe(application(), never)).obeyed !== null)
  node.mute = true
  node.say([{ type: 'EngineUnreachable', status: 'True', message: 'connect ENOENT' }])
  const { silent } = await until('it is told', async () => {
    const observed = await cluster.observe(application(), never)
    return observed.silent === null ? null : observed
  })

  await cluster.forget(application(), never)
  node.mute = false

  t.equal(silent?.hears, true)
  await until('it is obeyed', () => node.disk.get('shop')?.letGo === true)
  t.same(names(node.disk.get('shop')?.objects ?? []), ['a'])
})

test('of a place whose store was set back nothing older is ordered again, whoever it answers to', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const former = startCluster(field)
  await ready(former)
  const kv = await bindBucket(field.bus.connection(), buckets.desired)
  const key = documentKey('n1', 'shop', 'head')
  await soon(() => former.apply(application(), [configMap('a')], order(), never))
  const backup = (await kv.get(key))!.value
  await former.apply(application(), [configMap('b')], order(), never)
  await until('it is reported', async () => (await former.observe(application(), never)).obeyed?.generation === 2)
  former.end()
  await former.running
  await kv.put(key, backup)
  const moved = application({ destination: { place: 'node/n2', kind: 'node', name: 'n2', namespace: 'shop' } })

  const cluster = startCluster(field, { epoch: () => 200 })
  await ready(cluster)
  await until('both were read', async () => {
    const { ordered, objects } = await cluster.observe(application(), never)
    return ordered?.generation === 1 && objects.length === 2
  })
  await cluster.answer(moved, ['n1'])

  t.ok(Buffer.from((await kv.get(key))!.value).equals(Buffer.from(backup)), 'nothing was written')
  t.same(names(node.disk.get('shop')?.objects ?? []), ['a', 'b'])
})

test('a place that an application moved away from answers to nobody, and is not where it is taken back from', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))
  await until('it is obeyed', () => node.disk.size === 1)
  const moved = application({ destination: { place: 'node/n2', kind: 'node', name: 'n2', namespace: 'shop' } })

  await cluster.answer(moved, ['n1'])
  await until('it is obeyed', () => node.disk.get('shop')?.letGo === true)
  t.same(names(node.disk.get('shop')?.objects ?? []), ['a'], 'what runs there goes on')
  cluster.end()
  await field.server.wipe()
  await until('the controller is connected again', () => field.bus.status().connected)
  await ensureBuckets(field.bus.connection())
  const next = startCluster(field, { epoch: () => 200 })
  await until('the node gave it back', () => next.seenEpoch() === 100)
  t.same(next.kept(), [], 'n2 is silent: that is waited for')

  await soon(async () => {
    await next.answer(application(), [])
    if (node.disk.get('shop')?.letGo !== false) throw new Error('not yet')
  })
  t.equal(next.kept().length, 1, 'moved back, it is there again')
})

test('a node that never joined is named, with what to do', async t => {
  const field = await startField(t)
  const cluster = startCluster(field)
  await until('everything was listed', () => cluster.ready())
  const stranger = application({ destination: { place: 'node/lba', kind: 'node', name: 'lba', namespace: '' } })

  const { silent } = await cluster.observe(stranger, never)

  t.match(silent?.message, /^no node named lba ever joined: .*spec\.destination\.name$/)
})
