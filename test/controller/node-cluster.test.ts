import { randomBytes } from 'node:crypto'
import { test } from 'tap'
import type { Application } from '../../controller/application.js'
import type { NodeClusterOptions } from '../../controller/cluster/node/cluster.js'
import { createNodeCluster, NotReadBackError, OvertakenError } from '../../controller/cluster/node/cluster.js'
import type { Release, ReleaseId, TreeId } from '../../controller/release.js'
import { ensureBuckets, keepBuckets } from '../../controller/store/buckets.js'
import type { DesiredDocument, ReportDocument } from '../../runtime/contract/documents.js'
import { manifestHash } from '../../runtime/contract/hash.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { refOf } from '../../runtime/contract/manifest.js'
import { buckets, documentKey } from '../../runtime/contract/subjects.js'
import { bindBucket } from '../../runtime/nats/bus/values.js'
import type { Link } from '../../runtime/nats/link.js'
import { startLink } from '../../runtime/nats/link.js'
import { application, configMap, ledger, order, startField, until } from '../support/controller.js'
import { natsServers } from '../support/nats.js'

type Field = Awaited<ReturnType<typeof startField>>
const never = new AbortController().signal
const canary = 'canary-4711-do-not-leak'
const secret: Manifest = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'db', namespace: 'shop' },
  stringData: { password: canary },
}

/** A node that obeys at once and reports what it was given; its `disk` outlives the link, as a node's does. */
function startNode(field: Field, disk = new Map<string, DesiredDocument>()) {
  const stop = new AbortController()
  const state = { disk, seen: [] as DesiredDocument[], refused: [] as string[], stop: () => stop.abort(), mute: false }
  const bus = field.nodeBus('n1')
  const link: Link = startLink(
    {
      bus,
      node: 'n1',
      keys: field.n1,
      controller: field.controller.identity,
      obeyed: () => disk,
      relistMs: 1_000,
      leaseMs: 500,
      describe: () => ({
        startedAt: '',
        versions: {},
        capacity: { cpuMillis: 1, memoryBytes: 1, pods: 1 },
        allocated: { cpuMillis: 0, memoryBytes: 0, pods: 0 },
        addresses: [],
        conditions: [],
      }),
      readLogs: async function* (request) {
        if (request.pod === 'none') throw new Error('no such pod')
        for (let line = 0; line < request.tail; line++)
          yield { at: '2026-01-01T00:00:00Z', stream: 'stdout', text: `${request.pod} ${line} ${canary}` }
      },
    },
    {
      document: document => {
        if (state.mute) return
        disk.set(document.application.name, document)
        state.seen.push(document)
        link.report(reportOf(document))
      },
      refused: (_, error) => state.refused.push(error.message),
      interrupted: () => {},
    },
    AbortSignal.any([stop.signal, field.signal]),
  )
  for (const document of disk.values()) link.report(reportOf(document))
  field.ends.push(() => link.running)
  return state
}

function reportOf(document: DesiredDocument): ReportDocument {
  const { contract, node, application, epoch, generation, release, attempt, deleted, objects, preflight } = document
  return {
    contract,
    node,
    application,
    epoch,
    generation,
    release,
    attempt,
    deleted,
    at: '2026-01-01T00:00:00Z',
    pods: [],
    ledgerHash: '',
    objects: objects.map(object => ({ ref: refOf(object), uid: '', hash: manifestHash(object), status: {}, attempt })),
    preflight:
      preflight === null
        ? null
        : {
            release: preflight.release,
            round: preflight.round,
            state: 'passed',
            problems: [],
            warnings: [],
            digests: {},
            progress: '',
          },
  }
}

function startCluster(field: Field, fields: Partial<NodeClusterOptions> = {}) {
  const stop = new AbortController()
  const warnings: string[] = []
  const cluster = createNodeCluster(
    {
      bus: field.bus,
      keys: field.controller,
      identity: node => field.identities.find(identity => identity.node === node) ?? null,
      epoch: () => 100,
      overtaken: () => {},
      releases: () => [],
      warn: message => warnings.push(message),
      now: Date.now,
      relistMs: 1_000,
      ...fields,
    },
    AbortSignal.any([stop.signal, field.signal]),
  )
  field.ends.push(() => cluster.running)
  return { ...cluster, warnings, end: () => stop.abort() }
}

const names = (objects: readonly Manifest[]) => objects.map(object => object.metadata.name).sort()
const ready = (cluster: { observe(app: Application, signal: AbortSignal): Promise<{ silent: unknown }> }, app = application()) =>
  until('the node is heard', async () => (await cluster.observe(app, never)).silent === null)
/** The first write after a start waits for what the node runs; the pass would come again. */
const soon = <T>(act: () => Promise<T>) =>
  until('it is written', async () => ({ result: await act() })).then(({ result }) => result)

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
  await soon(() => cluster.apply(application(), [secret], order({ ledger: ledger({ sticky: { call: canary } }) }), never))
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
  for (const name of ['a', 'b', 'c']) await soon(() => cluster.apply(application(), [configMap(name)], order(), never))
  await cluster.remove(application(), order(), never)
  await until('it is gone', async () => (await cluster.observe(application(), never)).gone)
  await cluster.forget(application(), never)

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
  for (const app of [gone, left]) await cluster.forget(app, never)

  const next = startCluster(field, { epoch: () => 200 })
  await ready(next)
  await until('the node gave both back', () => next.seenEpoch() === 100 && node.disk.size === 2)
  await until('both lie there', async () => {
    const kv = await bindBucket(field.bus.connection(), buckets.reports)
    const entries = await Promise.all(['shop', 'left'].map(name => kv.get(documentKey('n1', name, 'returned'))))
    return entries.every(entry => entry !== null && entry.operation === 'PUT')
  })
  t.same(next.kept(), [])
})

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
