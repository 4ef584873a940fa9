import { randomBytes } from 'node:crypto'
import { test } from 'tap'
import { packBackup, unpackBackup } from '../../controller/backup.js'
import type { Attempt } from '../../controller/ledger.js'
import type { Release, ReleaseId, TreeId } from '../../controller/release.js'
import { keepBuckets } from '../../controller/store/buckets.js'
import type { LeaseOptions } from '../../controller/store/lease.js'
import { keepLease } from '../../controller/store/lease.js'
import type { StoredApplication } from '../../controller/store/store.js'
import { openStore } from '../../controller/store/store.js'
import type { EventView } from '../../controller/view.js'
import { buckets } from '../../runtime/contract/subjects.js'
import { bindBucket } from '../../runtime/nats/bus/values.js'
import { ledger, startField, until } from '../support/controller.js'
import { natsServers } from '../support/nats.js'
import { stickyEntry } from './builders.js'

type Field = Awaited<ReturnType<typeof startField>>
const canary = 'canary-0815-do-not-leak'
const by = { kind: 'user', name: 'ada' } as const

const open = (field: Field, epoch: () => number | null = () => 10, bus = field.bus) =>
  openStore({ bus, key: field.controller.storage, epoch, now: Date.now })

function stored(name: string, uid = 'uid-1'): StoredApplication {
  return {
    name,
    uid,
    manifest: { apiVersion: 'slipway.dev/v1alpha1', kind: 'Application', metadata: { name }, secret: canary },
    parent: null,
    generation: 1,
    createdAt: 1,
    by,
  }
}

function attempt(number: number, message = ''): Attempt {
  const none = { pushed: 0, seen: 0, rendered: 0, preflighted: 0, applied: 0, healthy: 0, baked: 0, judged: 0, ended: 0 }
  return { number, by, step: { name: 'Seen' }, outcome: null, message, times: none, moves: [] } as unknown as Attempt
}

function release(id: string, noise = ''): Release {
  const object = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, stringData: { password: canary, noise } }
  return { id: id as ReleaseId, objects: [object], origins: {}, images: [], tree: 't' as TreeId }
}

function event(id: string, application = 'shop'): EventView {
  return {
    id,
    at: '2026-01-01T00:00:00Z',
    application,
    what: 'healthy',
    message: `message ${id}`,
    attempt: 1,
    release: '',
    commit: '',
  }
}

async function fill(store: ReturnType<typeof openStore>) {
  await store.putApplication(stored('shop.eu'))
  await store.putApplication(stored('shop'))
  await store.putLedger(ledger({ version: 2, sticky: { call: stickyEntry(canary) } }))
  await store.putRelease('shop', release('rel-1'))
  await store.putRelease('shop', release('rel-2', randomBytes(1_500_000).toString('hex')))
  for (const number of [1, 2, 3]) await store.putAttempt('shop', attempt(number))
  await store.putAttempt('shop', attempt(2, 'went on'))
  await store.putToken({ id: 't1', name: 'ci', hash: 'ab', role: 'admin', createdAt: 1, expiresAt: 0 })
  await store.putNode({ node: 'n1', sealing: 's', nats: 'U' })
  for (const id of ['e1', 'e2', 'e2']) await store.event(event(id))
  await store.event(event('e3', 'shop.eu'))
  await store.audit({ id: 'a1', at: '', by, action: 'sync', application: 'shop', message: 'sync of shop' })
}

function contents(store: ReturnType<typeof openStore>) {
  return {
    applications: [...store.applications()].sort((a, b) => a.name.localeCompare(b.name)),
    ledger: store.ledger('shop', 'node/n1'),
    releases: [...store.releases('shop')].sort(),
    release: store.release('shop', 'rel-2' as ReleaseId),
    history: store.history('shop'),
    tokens: store.tokens(),
    nodes: store.nodes(),
    events: store.events(null, 10),
    audit: store.auditLines(10),
  }
}

for (const { binary, version } of natsServers()) {
  test(`a store reads back what was written, and shows nothing of it to others (nats-server ${version})`, async t => {
    const field = await startField(t, { binary })
    const store = open(field)
    await store.load()
    t.same(store.applications(), [])

    await fill(store)
    await field.server.restart()
    const again = open(field)
    t.same(await until('it is read', () => again.load()), [])

    t.same(contents(again), contents(store))
    t.same(
      again.history('shop').map(one => [one.number, one.message]),
      [
        [3, ''],
        [2, 'went on'],
        [1, ''],
      ],
    )
    t.same(
      again.events(null, 10).map(one => one.id),
      ['e3', 'e2', 'e1'],
    )
    t.same(
      again.events('shop', 1).map(one => one.id),
      ['e2'],
    )
    t.equal(again.seenEpoch(), 10)
    const manager = await field.bus.connection().jetstreamManager()
    const { state } = await manager.streams.info(`KV_${buckets.store}`)
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const message = await manager.streams.getMessage(`KV_${buckets.store}`, { seq }).catch(() => null)
      if (message !== null && Buffer.from(message.data).includes('canary')) t.fail(`${message.subject} shows a secret`)
    }
  })
}

test('an application that is removed takes its ledgers, releases and history along, and no other', async t => {
  const field = await startField(t)
  const store = open(field)
  await store.load()
  await fill(store)
  await store.putAttempt('shop.eu', attempt(1))

  await store.removeApplication('shop')

  const again = open(field)
  await again.load()
  t.same(
    again.applications().map(one => one.name),
    ['shop.eu'],
  )
  t.same([again.ledgers('shop'), again.releases('shop'), again.history('shop')], [[], [], []])
  t.equal(again.history('shop.eu').length, 1)
})

test('of an application that cannot be read nothing is swept away', async t => {
  const field = await startField(t)
  const store = open(field)
  await store.load()
  await fill(store)
  const before = [store.ledgers('shop'), store.releases('shop'), store.history('shop')]
  const kv = await bindBucket(field.bus.connection(), buckets.store)
  await kv.put('application.shop', 'garbage')

  const again = open(field)
  const problems = await again.load()
  await again.sweep()

  t.equal(problems.length, 1)
  t.same([again.ledgers('shop'), again.releases('shop'), again.history('shop')], before)
  t.ok(before.every(all => all.length > 0))
})

test('history is bounded, and a ledger never goes back', async t => {
  const field = await startField(t)
  const store = open(field)
  await store.load()
  for (let number = 1; number <= 203; number++) await store.putAttempt('shop', attempt(number))
  await store.putLedger(ledger({ version: 5 }))

  t.equal(store.history('shop').length, 200)
  t.equal(store.history('shop').at(-1)?.number, 4)
  await t.rejects(store.putLedger(ledger({ version: 4 })), { message: /version 4 is older than 5/ })
  await store.putLedger(ledger({ version: 1, application: { name: 'shop', uid: 'uid-2' } }))
  const again = open(field)
  await again.load()
  t.equal(again.history('shop').length, 200)
  t.equal(again.ledger('shop', 'node/n1')?.application.uid, 'uid-2')
})

test('a controller of a lower epoch, or without the lease, cannot write', async t => {
  const field = await startField(t)
  const [stale, fresh] = [open(field, () => 10), open(field, () => 11)]
  await stale.load()
  await fresh.load()
  await stale.putLedger(ledger({ version: 1 }))
  await fresh.putLedger(ledger({ version: 2 }))

  await t.rejects(stale.putLedger(ledger({ version: 3 })), { name: 'NotTheWriterError', message: /epoch 11, ours is 10/ })
  t.equal(stale.ledger('shop', 'node/n1')?.version, 1, 'memory says what was written')
  await t.rejects(open(field, () => null).putLedger(ledger()), { name: 'NotTheWriterError' })
  const again = open(field)
  await again.load()
  t.equal(again.ledger('shop', 'node/n1')?.version, 2)
})

test('while NATS is down writes throw and reads go on; a wiped store is filled again', async t => {
  const field = await startField(t)
  const store = open(field)
  await store.load()
  await fill(store)
  await field.server.kill()
  await until('it is noticed', () => !field.bus.status().connected)

  await t.rejects(store.putApplication(stored('late')), { name: 'BusDownError' })
  await t.rejects(store.event(event('late')), { name: 'BusDownError' })
  t.equal(store.application('late'), null)
  t.equal(store.application('shop')?.uid, 'uid-1')

  void keepBuckets(field.bus, () => {}, field.signal, 500)
  await field.server.wipe()
  t.equal(await until('it is mended', () => store.mend()), true)
  t.equal(await store.mend(), false)
  await store.putApplication(stored('late'))
  const again = open(field)
  t.same(await again.load(), [])
  t.same(contents(again).ledger, contents(store).ledger)
  t.same(contents(again).release, contents(store).release)
  t.same(
    again
      .applications()
      .map(one => one.name)
      .sort(),
    ['late', 'shop', 'shop.eu'],
  )
})

test('a store that was wiped while the lease was lost too is filled again by who reads it back with the lease', async t => {
  const field = await startField(t)
  const store = open(field)
  await store.load()
  await fill(store)
  await field.server.kill()
  await until('it is noticed', () => !field.bus.status().connected)
  void keepBuckets(field.bus, () => {}, field.signal, 500)
  await field.server.wipe()

  t.same(await until('it is read back', () => store.load()), [])

  t.equal(store.application('shop')?.uid, 'uid-1')
  const again = open(field)
  t.same(await again.load(), [])
  t.same(contents(again).ledger, contents(store).ledger)
  t.same(contents(again).history, contents(store).history)
  for (const name of ['shop', 'shop.eu']) await again.removeApplication(name)
  for (const token of again.tokens()) await again.removeToken(token.id)
  for (const { node } of again.nodes()) await again.removeNode(node)
  t.same(await store.load(), [])
  t.same(store.applications(), [], 'what another removed from a store that was not wiped stays removed')
})

test('what another key sealed is named, and left where it is', async t => {
  const field = await startField(t)
  const store = open(field)
  await store.load()
  await store.putApplication(stored('shop'))
  const foreign = openStore({ bus: field.bus, key: randomBytes(32), epoch: () => 10, now: Date.now })

  const problems = await foreign.load()

  t.match(problems, [/store application.shop: cannot be opened/])
  await store.load()
  t.equal(store.application('shop')?.name, 'shop')
})

test('a backup whose keys were put in place comes back over what was sealed with those of before', async t => {
  const field = await startField(t)
  const before = openStore({ bus: field.bus, key: randomBytes(32), epoch: () => 10, now: Date.now })
  await before.load()
  await before.putApplication(stored('shop'))
  await before.putApplication(stored('other'))
  const archive = { format: 'slipway-store', version: 1, at: '', entries: { 'application.shop': stored('shop') } }

  const restored = open(field, () => 11)
  t.equal((await restored.load()).length, 2)
  t.equal(await restored.importAll(archive), 1)

  const again = open(field, () => 11)
  t.match(await again.load(), [/store application.other: cannot be opened/], 'what the backup does not name stays as it is')
  t.equal(again.application('shop')?.name, 'shop')
})

test('a backup holds everything, and comes back in an empty store', async t => {
  const field = await startField(t)
  const store = open(field)
  await store.load()
  await fill(store)
  const parts: Uint8Array[] = []
  for await (const part of packBackup({ store: store.exportAll(), files: { 'tokens.json': 'e30=' } })) parts.push(part)
  await field.server.wipe()
  void keepBuckets(field.bus, () => {}, field.signal, 500)
  const empty = open(field)
  await until('it is empty', async () => (await empty.load()).length === 0)

  await t.rejects(unpackBackup(Buffer.from('tar')), { message: /no backup that `slipway backup` wrote/ })
  await t.rejects(empty.importAll({ format: 'other', at: '' }), { message: /not an archive of a Slipway store/ })
  const kept = await unpackBackup(Buffer.concat(parts))
  await empty.importAll(kept.store)

  const again = open(field)
  await again.load()
  const sorted = (store: Parameters<typeof contents>[0]) => ({
    ...contents(store),
    events: contents(store)
      .events.map(one => one.id)
      .sort(),
  })
  t.same(sorted(again), sorted(store))
  t.same(kept.files, { 'tokens.json': 'e30=' })
})

function startLease(field: Field, pid: number, fields: Partial<LeaseOptions> = {}) {
  const stop = new AbortController()
  const moves: string[] = []
  const lease = keepLease(
    {
      bus: field.bus,
      seenEpoch: () => 0,
      now: () => 1_000,
      gained: epoch => moves.push(`gained ${epoch}`),
      lost: reason => moves.push(`lost: ${reason}`),
      self: { machine: 'here', pid },
      ...fields,
    },
    AbortSignal.any([stop.signal, field.signal]),
  )
  field.ends.push(() => lease.running)
  return { lease, moves, end: () => stop.abort() }
}

test('one controller has the lease; the next takes it over in a higher epoch', async t => {
  const field = await startField(t)
  const first = startLease(field, process.pid, { seenEpoch: () => 5_000 })
  await until('the first has it', () => first.lease.epoch())
  t.equal(first.lease.epoch(), 5_001, 'higher than the clock and than anything seen')
  const second = startLease(field, 1, { self: { machine: 'elsewhere', pid: 1 } })
  await until('the second knows the holder', () => second.lease.holder())
  t.equal(second.lease.epoch(), null)

  first.end()
  await first.lease.running
  await until('the second has it, long before the lease would have ended by itself', () => second.lease.epoch(), 8)
  t.same([first.lease.epoch(), first.moves], [null, ['gained 5001']])
})

test('a dead process of this machine is not waited for; a living one elsewhere is', async t => {
  const field = await startField(t)
  const deadPid = 2 ** 22 + 1
  const former = startLease(field, deadPid)
  await until('it has the lease', () => former.lease.epoch())

  const restarted = startLease(field, process.pid)
  await until('the restarted one has it', () => restarted.lease.epoch(), 10)

  t.equal(restarted.lease.epoch(), 1_001)
  await until('the former has lost it', () => former.moves.length === 2, 30)
  t.match(former.moves[1], /another controller has the lease \(here, process \d+\)/)
  former.end()
})

test('a lease that cannot be renewed ends by itself, and is gained again in a higher epoch', async t => {
  const field = await startField(t)
  const { lease, moves } = startLease(field, process.pid)
  const epoch = await until('it is gained', () => lease.epoch())

  await field.server.kill()
  await until('it is over', () => lease.epoch() === null)
  await until('it was told', () => moves.some(move => move.startsWith('lost')))
  await field.server.start()
  const next = await until('it is gained again', () => lease.epoch())

  t.ok(next > epoch)
  lease.raise(next + 50)
  t.equal(lease.epoch(), null)
  t.ok((await until('a higher one', () => lease.epoch())) > next + 50)
})
