// What a node says, but what cannot be trusted for what it runs now: an engine that does not answer, words of another version.
import { test } from 'tap'
import { buckets, documentKey, leaseKey } from '../../runtime/contract/subjects.js'
import { bindBucket, writeValue } from '../../runtime/nats/bus/values.js'
import { application, configMap, order, startField, until } from '../support/controller.js'
import { never, ready, reportOf, soon, startCluster, startNode } from '../support/node-cluster.js'

test('while its engine does not answer, as little is known of a node as of a silent one', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  const woken: string[] = []
  await ready(cluster)
  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))
  cluster.onChange(name => woken.push(name))
  t.equal(cluster.trouble(), '')

  node.say([{ type: 'EngineUnreachable', status: 'True', message: 'connect ENOENT', since: '2026-01-01T00:00:00Z' }])
  const { silent } = await until('it is told', async () => {
    const observed = await cluster.observe(application(), never)
    return observed.silent === null ? null : observed
  })

  t.same(silent, {
    since: Date.parse('2026-01-01'),
    message: 'node n1: its container engine does not answer (connect ENOENT)',
    hears: true,
  })
  t.match(cluster.trouble(), /its container engine does not answer/)
  t.ok(woken.includes('shop'), 'its applications are looked at')
  node.say([])
  await ready(cluster)
  t.equal(cluster.trouble(), '')
})

test('a document that a node refuses is told with its application alone', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)

  node.say([
    { type: 'DocumentRefused', application: 'shop', status: 'True', message: 'contract version 9; upgrade the older side' },
  ])
  const { silent } = await until('it is told', async () => {
    const observed = await cluster.observe(application(), never)
    return observed.silent === null ? null : observed
  })

  t.equal(silent?.hears, false)
  t.match(silent?.message, /node n1: it does not obey what is wanted of shop \(contract version 9; upgrade the older side\)/)
  t.equal((await cluster.observe(application({ name: 'other' }), never)).silent, null)
})

test('a report and a lease of a version that nobody here knows are told, until they can be read', async t => {
  const field = await startField(t)
  const node = startNode(field)
  const cluster = startCluster(field)
  await ready(cluster)
  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))
  const document = await until('it is obeyed', () => node.disk.get('shop'))
  await until('it is reported', async () => (await cluster.observe(application(), never)).obeyed !== null)
  const silent = async () => (await cluster.observe(application(), never)).silent
  const reports = await bindBucket(field.bus.connection(), buckets.reports)
  const nodes = await bindBucket(field.bus.connection(), buckets.nodes)

  const foreign = Buffer.from('{"contract":9}\nwhatever')
  await writeValue(reports, documentKey('n1', 'shop', 'report'), foreign, { revision: null, set: 'a' })
  const said = await until('it is told', silent)
  t.match(said.message, /report of n1\/shop: written by contract version 9, this side speaks 1; upgrade the older side/)
  t.match(cluster.trouble(), /contract version 9/)
  t.equal(cluster.warnings.length, 1, 'logged once')
  node.report({ ...reportOf(document), attempt: 7 })
  await until('it can be read', async () => (await silent()) === null)

  node.stop()
  await nodes.put(leaseKey('n1'), JSON.stringify({ contract: 9, node: 'n1' }))
  t.match(
    (await until('it is told', silent)).message,
    /node n1 speaks contract version 9, this controller 1; upgrade the older side/,
  )
  await nodes.delete(leaseKey('n1'))
  await until('it is gone', () => cluster.trouble() === '')
})

test('garbage under one key keeps nobody from hearing of the others', async t => {
  const field = await startField(t)
  const cluster = startCluster(field)
  const reports = await bindBucket(field.bus.connection(), buckets.reports)
  const desired = await bindBucket(field.bus.connection(), buckets.desired)
  for (const garbage of ['garbage', '#{"set":"a","count":2,"hash":"x"}', '#{"set":"a","count":1000000000,"hash":"x"}']) {
    await reports.put(documentKey('n1', 'bad', 'report'), garbage)
    await desired.put(documentKey('n1', 'worse', 'head'), garbage)
    await until('it is told', () => cluster.trouble().includes('n1/bad') && cluster.trouble().includes('n1/worse'))
  }
  const node = startNode(field)
  await ready(cluster)

  await soon(() => cluster.apply(application(), [configMap('a')], order(), never))

  await until('the others are heard', async () => (await cluster.observe(application(), never)).objects.length === 1)
  t.equal(node.refused.length, 1)
  t.equal((await cluster.observe(application(), never)).silent, null)
})
