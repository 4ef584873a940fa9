// An application that moved while its former node was silent, and a store that was lost then: it is where it moved to, whoever is heard first.
import { test } from 'tap'
import { takeBack } from '../../controller/adoption.js'
import { Applications } from '../../controller/applications.js'
import { type Ledger, newLedger } from '../../controller/ledger.js'
import { ensureBuckets } from '../../controller/store/buckets.js'
import { openStore } from '../../controller/store/store.js'
import type { DesiredDocument } from '../../runtime/contract/documents.js'
import { application, configMap, order, startField, until } from '../support/controller.js'
import { type Field, names, never, ready, soon, startCluster, startNode } from '../support/node-cluster.js'

const at = (node: 'n1' | 'n2') => {
  const manifest = {
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'shop' },
    spec: { source: { repoURL: 'http://git/shop', path: '.' }, destination: { name: node, namespace: 'shop' } },
  }
  return application({ destination: { place: `node/${node}`, kind: 'node', name: node, namespace: 'shop' }, manifest })
}

const ledgerAt = (node: 'n1' | 'n2', movedAt: number, nextAttempt: number): Ledger => {
  const times = {
    pushed: 0,
    seen: movedAt,
    rendered: 0,
    preflighted: 0,
    applied: 0,
    healthy: 0,
    baked: 0,
    judged: 0,
    ended: movedAt,
  }
  const attempt = { number: nextAttempt - 1, outcome: 'Healthy', step: { name: 'Ended' }, times, moves: [], release: null }
  return { ...newLedger({ name: 'shop', uid: 'uid-1' }, `node/${node}`, 'salt'), attempt, nextAttempt } as unknown as Ledger
}

/** shop ran on n1, which fell silent; then it was moved to n2, and all that NATS and the controller knew was lost. */
async function lostAfterMove(field: Field): Promise<Readonly<Record<'n1' | 'n2', Map<string, DesiredDocument>>>> {
  const [one, two] = [startNode(field), startNode(field, undefined, 'n2')]
  const former = startCluster(field)
  await ready(former, at('n1'))
  await ready(former, at('n2'))
  await soon(() => former.apply(at('n1'), [configMap('a')], order({ ledger: ledgerAt('n1', 1000, 3) }), never))
  await until('it is obeyed', () => one.disk.size === 1)
  one.stop()
  await soon(() => former.apply(at('n2'), [configMap('b')], order({ ledger: ledgerAt('n2', 2000, 6) }), never))
  await until('it is obeyed', () => two.disk.size === 1)
  two.stop()
  former.end()
  await former.running
  await field.server.wipe()
  await until('the controller is connected again', () => field.bus.status().connected)
  await ensureBuckets(field.bus.connection())
  return { n1: one.disk, n2: two.disk }
}

/** A controller that knows nothing, taking back whatever it hears of. */
async function startAgain(field: Field) {
  const store = openStore({ bus: field.bus, key: field.controller.storage, epoch: () => 200, now: () => 5000 })
  await until('the store is read', async () => (await store.load()) !== null)
  const cluster = startCluster(field, { epoch: () => 200 })
  const declared = { defaultNode: 'n1', readYaml: () => ({}) }
  const applications = new Applications({ store, now: () => 5000, randomHex: () => 'id', declared })
  const look = () =>
    takeBack({
      store,
      kept: () => cluster.kept(store.madeAt()),
      entries: () => applications.all(),
      take: (stored, kept) => applications.take(stored, kept),
      declare: async () => undefined,
      leave: (app, node) => cluster.answer(app, [node]),
      now: () => 5000,
    })
  const shop = () => applications.get('shop')
  const comesTo = (node: string) =>
    until(`it is on ${node}`, async () => (await look()) !== null && shop()?.app.destination.place === `node/${node}`)
  return { applications, cluster, store, look, shop, comesTo }
}

test('where it moved to is heard first: what comes back of its former node answers to nobody', async t => {
  const field = await startField(t)
  const disks = await lostAfterMove(field)
  const { look, shop, comesTo } = await startAgain(field)
  startNode(field, disks.n2, 'n2')
  await comesTo('n2')

  const back = startNode(field, disks.n1)
  await until('the former node knows', async () => (await look()) !== null && back.disk.get('shop')?.letGo === true)

  t.same(names(back.disk.get('shop')?.objects ?? []), ['a'], 'what runs there goes on')
  t.match(shop(), { app: { destination: { place: 'node/n2' } }, ledger: { nextAttempt: 6 } })
  t.equal(disks.n2.get('shop')?.letGo, false)
})

test('its former node is heard first: it is there only until where it moved to is heard', async t => {
  const field = await startField(t)
  const disks = await lostAfterMove(field)
  const { applications, look, shop, comesTo, store } = await startAgain(field)
  const back = startNode(field, disks.n1)
  await comesTo('n1')
  await applications.act('shop', ledger => ({ ...ledger, version: ledger.version + 1, nextAttempt: 9 }))

  const newer = startNode(field, disks.n2, 'n2')
  await comesTo('n2')
  await until('the former node knows', async () => (await look()) !== null && back.disk.get('shop')?.letGo === true)

  t.match(shop(), { ledger: { place: 'node/n2', nextAttempt: 9, salt: 'salt' }, stored: { uid: 'uid-1', generation: 2 } })
  t.equal(newer.disk.get('shop')?.letGo, false)
  t.match(store.application('shop'), { manifest: { spec: { destination: { name: 'n2' } } } })
})

test('where a person said since that it is counts more than what any node knows', async t => {
  const field = await startField(t)
  const disks = await lostAfterMove(field)
  const { applications, look, shop, comesTo } = await startAgain(field)
  startNode(field, disks.n1)
  await comesTo('n1')
  const manifest = { ...shop()!.stored.manifest, spec: { ...(shop()!.stored.manifest.spec as object), project: 'mine' } }
  await applications.declare(manifest, { kind: 'user', name: 'ana' }, null, false)

  const newer = startNode(field, disks.n2, 'n2')
  await until('the other node knows', async () => (await look()) !== null && newer.disk.get('shop')?.letGo === true)

  t.equal(shop()?.app.destination.place, 'node/n1')
})
