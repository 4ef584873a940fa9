import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ensureBuckets } from '../../controller/store/buckets.js'
import { buckets } from '../../runtime/contract/subjects.js'
import { startField } from '../support/controller.js'

const value = new Uint8Array(2_000).fill(65)

t.test('what is replaced in a bucket does not stay beside what is there: its blocks are small', async t => {
  const { bus, server } = await startField(t)
  const kv = await bus.connection().jetstream().views.kv(buckets.desired, { bindOnly: true })
  for (const name of ['a', 'b', 'c']) await kv.put(`n1.${name}.head`, value)

  for (let count = 0; count < 150; count++) await kv.put('n1.a.head', value)

  const blocks = readdirSync(server.directory, { recursive: true, encoding: 'utf8' }).filter(path => path.endsWith('.blk'))
  const sizes = blocks.map(path => statSync(join(server.directory, path)).size)
  t.ok(Math.max(...sizes) < 40_000, `${sizes}`)
  t.ok(sizes.reduce((sum, size) => sum + size) < 100_000, 'blocks in which nothing is left are gone')
})

t.test('a bucket takes any amount, also where who made it was killed before it said so', async t => {
  const { bus } = await startField(t)
  const manager = await bus.connection().jetstreamManager()
  const limits = async () => (await manager.streams.info(`KV_${buckets.store}`)).config.max_bytes
  t.equal(await limits(), -1)
  await manager.streams.update(`KV_${buckets.store}`, { max_bytes: 100_000 })

  t.same(await ensureBuckets(bus.connection()), [])

  t.equal(await limits(), -1)
  const kv = await bus.connection().jetstream().views.kv(buckets.store, { bindOnly: true })
  for (let count = 0; count < 100; count++) await kv.put(`application.${count}`, value)
  t.equal((await manager.streams.info(`KV_${buckets.store}`)).state.messages, 100)
})
