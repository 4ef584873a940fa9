import type { NatsConnection } from 'nats'
import { test } from 'tap'
import { ensureBuckets } from '../../controller/store/buckets.js'
import type { DesiredDocument } from '../../runtime/contract/documents.js'
import { encodeDesired } from '../../runtime/contract/frame.js'
import { createNatsKey } from '../../runtime/contract/keys.js'
import { buckets, documentKey, inboxPrefix, leaseKey, logRequestSubject } from '../../runtime/contract/subjects.js'
import { openBus } from '../../runtime/nats/bus/connect.js'
import {
  BucketMissingError,
  bindBucket,
  bucketCreated,
  ConflictError,
  eraseValue,
  readValue,
  writeValue,
} from '../../runtime/nats/bus/values.js'
import { watchKeys } from '../../runtime/nats/bus/watch.js'
import { followDesired } from '../../runtime/nats/desired.js'
import { startField, until } from '../support/controller.js'
import { natsServers } from '../support/nats.js'

const desiredKey = (node: string) => documentKey(node, 'shop', 'head')

function document(fields: Partial<DesiredDocument> = {}): DesiredDocument {
  return {
    contract: 1,
    node: 'n1',
    application: { name: 'shop', uid: 'u1' },
    epoch: 1,
    generation: 1,
    attempt: 1,
    release: '',
    commit: '',
    deleted: false,
    letGo: false,
    objects: [],
    digests: {},
    preflight: null,
    ledger: '',
    ...fields,
  }
}

/** Says whether the server let it through. What it refuses ends in a timeout or an error of permissions. */
async function allowed(act: () => Promise<unknown>): Promise<boolean> {
  return act().then(
    () => true,
    () => false,
  )
}

for (const { binary, version } of natsServers()) {
  test(`a node reaches its own keys and nothing else (nats-server ${version})`, async t => {
    const field = await startField(t, { binary })
    const bus = field.nodeBus('n1')
    await until('the node is connected', () => bus.status().connected)
    const node = bus.connection()
    const kv = await bindBucket(field.bus.connection(), buckets.desired)
    for (const name of ['n1', 'n2']) await kv.put(desiredKey(name), `=${name}`)
    const wait = { timeout: 500 }
    const js = node.jetstream(wait)
    const bound = (bucket: string) => js.views.kv(bucket, { bindOnly: true, allow_direct: true })
    const watching = async (filter: string) => {
      const watch = await (await bound(buckets.desired)).watch({ key: filter })
      const first = await Promise.race([
        watch[Symbol.asyncIterator]().next(),
        new Promise(resolve => setTimeout(resolve, 500, null)),
      ])
      watch.stop()
      if (first === null) throw new Error('nothing came')
    }
    const heard = async (subject: string) => {
      let got = 0
      const subscription = node.subscribe(subject, { callback: error => (error === null ? got++ : 0) })
      await node.flush()
      await kv.put(desiredKey('n2'), '=again')
      field.bus.connection().publish(subject.replace('>', 'x').replace('*', 'x'), 'x')
      await field.bus.connection().flush()
      await new Promise(resolve => setTimeout(resolve, 100))
      subscription.unsubscribe()
      if (got === 0) throw new Error('nothing came')
    }
    const landed = async (bucket: string, key: string) => {
      const at = await bindBucket(field.bus.connection(), bucket)
      await (await bound(bucket)).put(key, '=mine').catch(() => {})
      if ((await at.get(key))?.string() !== '=mine') throw new Error('it did not land')
    }
    const other = inboxPrefix('controller')
    const rights: readonly [string, boolean, () => Promise<unknown>][] = [
      ['read its own document', true, async () => (await (await bound(buckets.desired)).get(desiredKey('n1')))!.value],
      ['watch its own documents', true, () => watching('n1.*.head')],
      ['write its own report', true, () => landed(buckets.reports, documentKey('n1', 'shop', 'report'))],
      ['write its own lease', true, () => landed(buckets.nodes, leaseKey('n1'))],
      ['read the document of another', false, async () => (await (await bound(buckets.desired)).get(desiredKey('n2')))!.value],
      [
        'read another by message',
        false,
        () => node.request(`$JS.API.STREAM.MSG.GET.KV_${buckets.desired}`, JSON.stringify({ seq: 2 }), wait),
      ],
      ['watch the documents of another', false, () => watching('n2.*.head')],
      ['watch all documents', false, () => watching('>')],
      ['watch one token wide', false, () => watching('*.shop.head')],
      ['write desired state of its own', false, () => landed(buckets.desired, desiredKey('n1'))],
      ['write desired state of another', false, () => landed(buckets.desired, desiredKey('n2'))],
      ['write the report of another', false, () => landed(buckets.reports, documentKey('n2', 'shop', 'report'))],
      ['write the lease of another', false, () => landed(buckets.nodes, leaseKey('n2'))],
      ['write the controller lease', false, () => landed(buckets.leases, 'controller')],
      ['write the store', false, () => landed(buckets.store, 'x')],
      ['read the store', false, async () => (await bound(buckets.store)).status()],
      ['purge', false, () => node.request(`$JS.API.STREAM.PURGE.KV_${buckets.desired}`, '', wait)],
      ['delete the bucket', false, () => node.request(`$JS.API.STREAM.DELETE.KV_${buckets.desired}`, '', wait)],
      ['list streams', false, () => node.request('$JS.API.STREAM.NAMES', '', wait)],
      ['take over a consumer', false, () => node.request(`$JS.API.CONSUMER.DURABLE.CREATE.KV_${buckets.desired}.x`, '{}', wait)],
      ['subscribe to desired state plainly', false, () => heard(`$KV.${buckets.desired}.>`)],
      ['subscribe to everything', false, () => heard('>')],
      ['subscribe to the inbox of another', false, () => heard(`${other}.>`)],
      ['hear requests to another node', false, () => heard(logRequestSubject('n2'))],
      ['hear requests to itself', true, () => heard(logRequestSubject('n1'))],
    ]
    for (const [what, may, act] of rights) t.equal(await allowed(act), may, `${may ? 'may' : 'may not'} ${what}`)
    t.equal((await kv.get(desiredKey('n1')))?.string(), '=n1')
  })
}

test('there is no connection without a key, nor with a foreign one', async t => {
  const { server, ends } = await startField(t)
  t.throws(() => openBus({ servers: [server.url], name: 'n1', seed: '', inbox: 'x' }), { message: /no NATS credentials/ })

  const foreign = openBus({ servers: [server.url], name: 'n1', seed: createNatsKey().seed, inbox: inboxPrefix({ node: 'n1' }) })
  ends.push(() => foreign.close())
  const { message } = await until('it is refused', () =>
    /Authorization/i.test(foreign.status().message) ? foreign.status() : null,
  )

  t.match(message, server.url)
  t.throws(() => foreign.connection(), { name: 'BusDownError' })
})

test('a value is written over only by who has read it', async t => {
  const field = await startField(t)
  const connection = field.bus.connection()
  const kv = await bindBucket(connection, buckets.store)

  const first = await writeValue(kv, 'key', Buffer.from('one'), { revision: 0, set: 'a' })
  await t.rejects(writeValue(kv, 'key', Buffer.from('two'), { revision: 0, set: 'a' }), ConflictError)
  await writeValue(kv, 'key', Buffer.from('two'), { revision: first, set: 'b' })
  await t.rejects(writeValue(kv, 'key', Buffer.from('three'), { revision: first, set: 'a' }), ConflictError)

  t.equal(Buffer.from((await readValue(kv, 'key'))!.bytes).toString(), 'two')
  await eraseValue(connection, buckets.store, 'key')
  t.equal(await readValue(kv, 'key'), null)
  await t.rejects(bucketCreated(connection, 'no-such'), BucketMissingError)
  await (await connection.jetstreamManager()).streams.delete(`KV_${buckets.store}`)
  await t.rejects(writeValue(kv, 'key', Buffer.from('x'), { revision: null, set: 'a' }), BucketMissingError)
})

for (const { binary, version } of natsServers()) {
  test(`a watch goes on after a restart, a wipe and a deleted bucket (nats-server ${version})`, async t => {
    const field = await startField(t, { binary })
    const seen = new Map<string, string>()
    const created = new Set<string>()
    const put = async (connection: NatsConnection, text: string) =>
      (await bindBucket(connection, buckets.desired)).put(desiredKey('n1'), text)
    const running = watchKeys(
      field.nodeBus('n1'),
      { bucket: buckets.desired, filter: 'n1.*.head', relistMs: 2_000 },
      {
        listed: listing => {
          created.add(listing.created)
          for (const level of listing.levels) seen.set(level.key, Buffer.from(level.value).toString())
        },
        changed: level => void seen.set(level.key, Buffer.from(level.value).toString()),
      },
      field.signal,
    )
    field.ends.push(() => running)
    const arrives = (text: string) => until(`${text} is seen`, () => [...seen.values()].includes(text))
    const again = () =>
      until('the controller writes again', async () => {
        await ensureBuckets(field.bus.connection())
        return true
      })
    await put(field.bus.connection(), 'first')
    await arrives('first')

    await field.server.restart()
    await again()
    await put(field.bus.connection(), 'restarted')
    await arrives('restarted')

    await field.server.wipe()
    await again()
    await put(field.bus.connection(), 'wiped')
    await arrives('wiped')

    await (await field.bus.connection().jetstreamManager()).streams.delete(`KV_${buckets.desired}`)
    await again()
    await put(field.bus.connection(), 'made anew')
    await arrives('made anew')
    t.ok(created.size >= 3, 'each making of the bucket was told')
  })
}

test('a node gives out newer documents only, and says what it refuses', async t => {
  const field = await startField(t)
  const obeyed = new Map<string, DesiredDocument>()
  const given: DesiredDocument[] = []
  const refused: string[] = []
  const lists: (readonly string[])[] = []
  const following = followDesired(
    {
      bus: field.nodeBus('n1'),
      node: 'n1',
      controller: field.controller.signing.publicKey,
      sealing: field.n1.sealing.privateKey,
      obeyed: () => obeyed,
      relistMs: 300,
    },
    {
      document: one => {
        given.push(one)
        obeyed.set(one.application.name, one)
      },
      understood: () => {},
      refused: (_, error) => refused.push(error.message),
      listed: (_, lost) => lists.push(lost),
      interrupted: () => {},
    },
    field.signal,
  )
  field.ends.push(() => following)
  const kv = await bindBucket(field.bus.connection(), buckets.desired)
  const frame = (fields: Partial<DesiredDocument>, to = field.n1) =>
    encodeDesired(document(fields), field.controller.signing.privateKey, [to.sealing.publicKey])
  const put = (bytes: Uint8Array, application = 'shop') =>
    writeValue(kv, documentKey('n1', application, 'head'), bytes, { revision: null, set: 'a' })

  await put(frame({ epoch: 5, generation: 2 }))
  await until('it is given out', () => given.length === 1)
  await put(frame({ epoch: 4, generation: 9 }))
  await until('the older is refused', () => refused.some(message => message.includes('order 4/9 is older than 5/2')))
  await until('it is known to be lost', () => lists.some(lost => lost.includes('shop')))
  await put(frame({ epoch: 5, generation: 3 }, field.n2))
  await until('the foreign seal is refused', () => refused.some(message => message.includes('cannot be opened')))
  await put(Buffer.from('garbage'))
  await until('garbage is refused', () => refused.some(message => message.includes('cut short')))
  await put(frame({ epoch: 5, generation: 9 }), 'other')
  await until('a moved one is refused', () => refused.some(message => message.includes('found under the key of n1/other')))
  await put(frame({ epoch: 5, generation: 3 }))
  await until('the newer is given out', () => given.length === 2)

  const said = refused.length
  const listings = lists.length
  await until('it was listed again', () => lists.length > listings + 1)
  t.equal(refused.length, said, 'each refusal is said once')
  await field.server.wipe()
  await until('the controller makes the buckets again', async () => {
    await ensureBuckets(field.bus.connection())
    return true
  })
  lists.length = 0
  await until('what is obeyed is known to be lost', () => lists.some(lost => lost.includes('shop')))
  t.equal(given.length, 2, 'and a missing key is no order')
})
