import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { NotReadBackError, OvertakenError } from '../../controller/cluster/node/cluster.js'
import type { Release, ReleaseId, TreeId } from '../../controller/release.js'
import { ensureBuckets, keepBuckets } from '../../controller/store/buckets.js'
import { refOf } from '../../runtime/contract/manifest.js'
import { buckets } from '../../runtime/contract/subjects.js'
import { application, configMap, ledger, order, startField, until } from '../support/controller.js'
import { natsServers } from '../support/nats.js'
import { canary, names, never, ready, secret, soon, startCluster, startNode } from '../support/node-cluster.js'
import { stickyEntry } from './builders.js'

for (const { binary, version } of natsServers()) {
  test(`a wave is the next document, and is obeyed and reported (nats-server ${version})`, async t => {
    const field = await startField(t, { binary })
    const node = startNode(field)
    const cluster = startCluster(field)
    const woken: string[] = []
    cluster.onChange(name => woken.push(name))
    await ready(cluster)

    const first = await soon(() =>
      cluster.apply(application(), [configMap('a'), secret], order({ digests: { 'web:1': 'sha256:1' } }), never),
    )
    await cluster.apply(application(), [configMap('b')], order({ attempt: 2, release: 'rel-2' as ReleaseId }), never)
    const again = await cluster.apply(application(), [configMap('a'), configMap('b', { x: '1' })], order(), never)
    const pruned = await cluster.prune(application(), [refOf(configMap('a')), refOf(configMap('z'))], order(), never)

    t.same(
      first.map(one => one.result),
      ['created', 'created'],
    )
    t.same(
      again.map(one => one.result),
      ['unchanged', 'changed'],
    )
    t.same(
      pruned.map(one => one.result),
      ['pruned', 'unchanged'],
    )
    const observed = await until('it is obeyed', async () => {
      const now = await cluster.observe(application(), never)
      return now.obeyed?.generation === now.ordered?.generation && now.objects.length === 2 ? now : null
    })
    t.same(observed.ordered, { epoch: 100, generation: 4 })
    t.same(names(node.disk.get('shop')?.objects ?? []), ['b', 'db'])
    t.ok(woken.includes('shop'))
    t.same(cluster.warnings, [])
  })
}

test('a preflight leaves what runs alone, a ledger alone is no new order, and a deletion is a document', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  const release: Release = { id: 'rel-2' as ReleaseId, objects: [configMap('new')], origins: {}, images: [], tree: 't' as TreeId }
  await ready(cluster)

  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))
  await cluster.preflight(application(), release, 3, order(), never)
  const answered = await until('it is answered', async () => {
    const now = await cluster.observe(application(), never)
    return now.preflight?.release === 'rel-2' ? now : null
  })
  t.equal(answered.preflight?.round, 3)
  t.same(names(node.disk.get('shop')?.objects ?? []), ['a'])

  node.mute = true
  await cluster.remember(application(), order({ ledger: ledger({ version: 7 }) }), never)
  const remembered = await cluster.observe(application(), never)
  t.same(remembered.obeyed, remembered.ordered, 'a report of before still counts')
  t.equal(cluster.kept()[0]?.ledger.version, 7)
  node.mute = false

  await cluster.remove(application(), order(), never)
  await until('it is gone', async () => (await cluster.observe(application(), never)).gone)
  t.equal(node.disk.get('shop')?.deleted, true)
})

test('nothing that is secret can be read in NATS, and the other node sees nothing', async t => {
  const field = await startField(t)
  startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)

  const release: Release = { id: 'rel-2' as ReleaseId, objects: [secret], origins: {}, images: [], tree: 't' as TreeId }
  await soon(() =>
    cluster.apply(application(), [secret], order({ ledger: ledger({ sticky: { call: stickyEntry(canary) } }) }), never),
  )
  await cluster.preflight(application(), release, 1, order(), never)
  await until('it is reported', async () => (await cluster.observe(application(), never)).objects.length === 1)

  const manager = await field.bus.connection().jetstreamManager()
  const forms = [
    canary,
    Buffer.from(canary).toString('base64').slice(0, 24),
    Buffer.from(`x${canary}`).toString('base64').slice(4, 24),
  ]
  let searched = 0
  for (const bucket of Object.values(buckets)) {
    const { state } = await manager.streams.info(`KV_${bucket}`)
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const message = await manager.streams.getMessage(`KV_${bucket}`, { seq }).catch(() => null)
      if (message === null) continue
      searched++
      t.notOk(
        forms.some(form => Buffer.from(message.data).includes(form)),
        `nothing of it in ${message.subject}`,
      )
    }
  }
  t.ok(searched >= 3)
})

test('after a restart nothing is written before what runs was read back, and then nothing of it is lost', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const former = startCluster(field)
  await ready(former)
  await soon(() => former.apply(application(), [configMap('a')], order({ ledger: ledger({ version: 5 }) }), never))
  await until('it runs', () => node.disk.has('shop'))
  former.end()

  const cluster = startCluster(field, { epoch: () => 200 })
  await t.rejects(cluster.apply(application(), [configMap('b')], order(), never), NotReadBackError)
  await ready(cluster)
  t.equal((await cluster.observe(application(), never)).ledger?.version, 5)
  await soon(() => cluster.apply(application(), [configMap('b')], order(), never))

  t.equal(cluster.seenEpoch(), 200)
  const document = await until('it is obeyed', () => (node.disk.get('shop')?.epoch === 200 ? node.disk.get('shop') : null))
  t.same(names(document.objects), ['a', 'b'])
})

test('a node that is silent is told so, and is not written to before it has spoken', async t => {
  const field = await startField(t)
  const cluster = startCluster(field)
  await until('everything was listed', () => cluster.ready())

  const observed = await cluster.observe(application(), never)
  t.match(observed.silent?.message ?? '', /n1 has not been heard of/)
  await t.rejects(cluster.apply(application(), [configMap('a')], order(), never), { message: /node n1 has said nothing/ })
  const stranger = application({ destination: { place: 'node/n9', kind: 'node', name: 'n9', namespace: '' } })
  await t.rejects(cluster.apply(stranger, [], order(), never), NotReadBackError)
})

test('a wiped store is filled again from memory, and nothing that runs is touched', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  void keepBuckets(field.bus, () => {}, field.signal, 500)
  await ready(cluster)
  await soon(() => cluster.apply(application(), [configMap('a'), configMap('b')], order(), never))
  await until('it runs', () => node.seen.length === 1)

  await field.server.wipe()
  const applied = await soon(() => cluster.apply(application(), [configMap('c')], order(), never))

  t.equal(applied[0]?.result, 'created')
  await until('the new one is obeyed', () => node.disk.get('shop')?.objects.length === 3)
  t.same(names(node.disk.get('shop')?.objects ?? []), ['a', 'b', 'c'])
  t.notOk(
    node.seen.some(document => document.objects.length < 2 || document.deleted),
    'the node never saw less',
  )
  t.same(node.refused, [])
})

test('a listing that tells nothing new wakes nobody, that of another store wakes all', async t => {
  const field = await startField(t)
  startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))
  await until('it is reported', async () => (await cluster.observe(application(), never)).obeyed !== null)
  const woken: string[] = []
  cluster.onChange(name => woken.push(name))

  // Some listings: there is one a second.
  await delay(4_000)
  t.same(woken, [])

  const connection = field.bus.connection()
  const manager = await connection.jetstreamManager()
  for (const bucket of [buckets.desired, buckets.reports, buckets.nodes]) await manager.streams.delete(`KV_${bucket}`)
  await ensureBuckets(connection)
  await until('it is looked at', () => woken.includes('shop'))
})

test('a controller that starts with a wiped store gets ledger, declaration, releases and documents back from the node', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const release: Release = { id: 'rel-1' as ReleaseId, objects: [secret], origins: {}, images: [], tree: 't' as TreeId }
  const former = startCluster(field, { releases: () => [release] })
  await ready(former)
  await soon(() => former.apply(application(), [configMap('a'), secret], order({ ledger: ledger({ version: 9 }) }), never))
  await until('it runs', () => node.seen.length === 1)
  former.end()

  await field.server.wipe()
  await until('the controller is connected again', () => field.bus.status().connected)
  await ensureBuckets(field.bus.connection())
  const cluster = startCluster(field, { epoch: () => 300 })
  const kept = await until('it is given back', () => cluster.kept()[0])

  t.equal(kept.ledger.version, 9)
  t.same(kept.releases, [release])
  t.equal(kept.declaration.kind, 'Application')
  t.equal((await cluster.observe(application(), never)).ledger?.version, 9)
  await soon(() => cluster.apply(application(), [configMap('b')], order(), never))
  await until('the new one is obeyed', () => node.disk.get('shop')?.epoch === 300)
  t.same(names(node.disk.get('shop')?.objects ?? []), ['a', 'b', 'db'])
})

test('of two controllers the one of the lower epoch is refused', async t => {
  const field = await startField(t)
  const node = startNode(field)
  let overtakenBy = 0
  const stale = startCluster(field, { overtaken: epoch => (overtakenBy = epoch) })
  await ready(stale)
  await soon(() => stale.apply(application(), [configMap('a')], order(), never))
  const fresh = startCluster(field, { bus: field.controllerBus(), epoch: () => 101 })
  await ready(fresh)
  await soon(() => fresh.apply(application(), [configMap('fresh')], order(), never))

  await t.rejects(stale.apply(application(), [configMap('stale')], order(), never), OvertakenError)

  t.equal(overtakenBy, 101)
  await until('the newer is obeyed', () => node.disk.get('shop')?.epoch === 101)
  t.same(names(node.disk.get('shop')?.objects ?? []), ['a', 'fresh'])
  const unleased = startCluster(field, { epoch: () => null })
  await t.rejects(unleased.apply(application(), [], order(), never), { message: /does not hold the lease/ })
})
