// Declared applications over a real store: who may declare what, what is written, and who owns an object.
import t from 'tap'
import { Applications, type Change } from '../../controller/applications.js'
import { type Ledger, newLedger, resumed, withDeletion, withPause } from '../../controller/ledger.js'
import type { Pass } from '../../controller/reconcile.js'
import { openStore } from '../../controller/store/store.js'
import type { TakenError } from '../../controller/taken.js'
import { refOf } from '../../runtime/contract/manifest.js'
import { startField } from '../support/controller.js'
import { ana, configMap, release } from './builders.js'

const manifest = (name: string, change: object = {}) => ({
  apiVersion: 'slipway.dev/v1alpha1',
  kind: 'Application',
  metadata: { name },
  spec: { source: { repoURL: 'http://git/shop', path: '.' }, destination: { namespace: 'shop' }, ...change },
})

async function opened(test: Parameters<typeof startField>[0]) {
  const field = await startField(test)
  let ids = 0
  const open = async () => {
    const store = openStore({ bus: field.bus, key: field.controller.storage, epoch: () => 10, now: () => 1000 })
    await store.load()
    const declared = { defaultNode: 'n1', readYaml: () => ({}) }
    const applications = new Applications({ store, now: () => 1000, randomHex: () => `id-${++ids}`, declared })
    applications.load()
    const told: Change[] = []
    applications.onChange(change => told.push(change))
    return { store, applications, told }
  }
  return { ...(await open()), open }
}

t.test('what is declared is there after a start, with its ledger', async t => {
  const { applications, open } = await opened(t)
  const declared = await applications.declare(manifest('shop'), ana, null, false)
  t.equal(await applications.act('shop', ledger => withPause(ledger, { by: ana, at: 5, reason: 'stocktaking' })), true)

  const again = (await open()).applications

  t.equal(declared.result, 'created')
  t.match(again.get('shop'), { app: { uid: declared.app.uid }, ledger: { pause: { reason: 'stocktaking' } } })
})

t.test('the same declaration again changes nothing, and is not told', async t => {
  const { applications, told } = await opened(t)
  await applications.declare(manifest('shop'), ana, null, false)
  const before = told.length

  t.equal((await applications.declare(manifest('shop'), ana, null, false)).result, 'unchanged')
  t.equal(await applications.act('shop', ledger => ledger), false)
  t.equal(told.length, before)
  t.equal((await applications.declare(manifest('shop', { project: 'x' }), ana, null, false)).result, 'changed')
})

/** A pass that found nothing to say. */
const quiet = {
  observed: { silent: null, objects: [], pods: [] },
  health: { status: 'Healthy', message: '', objects: [], pods: { ready: 0, wanted: 0 } },
  decision: { why: { kind: 'current' }, asks: null, row: { judged: null, chosen: 'T8' } },
  candidate: null,
}

/** As an earlier Slipway took it, with all that it remembered of it. */
async function kept({ store }: Pick<Awaited<ReturnType<typeof opened>>, 'store'>, spec: object, parent: string | null = null) {
  const uid = 'uid-of-then'
  const given = manifest('shop', spec)
  await store.putApplication({ name: 'shop', uid, manifest: given, parent, generation: 7, createdAt: 5, by: ana })
  const ledger = newLedger({ name: 'shop', uid }, 'node/lab', 'salt of then')
  const remembered = { pin: { to: 'rel-1', by: ana, at: 5 }, marks: { 'rel-2': { kind: 'bad' } }, nextAttempt: 9 }
  await store.putLedger({ ...ledger, ...remembered } as unknown as Ledger)
  return given
}

t.test('what was accepted once is not lost for what is refused today, and keeps all when it is corrected', async t => {
  const { store, open } = await opened(t)
  await kept({ store }, { rollout: { bakeTime: 'soon' }, destination: { name: 'lab', namespace: 'shop' } }, 'fleet')
  const { applications } = await open()

  const entry = applications.get('shop')
  t.match(entry, { app: { uid: 'uid-of-then', parent: 'fleet', destination: { place: 'node/lab' } } })
  t.match(entry?.ledger, { salt: 'salt of then', nextAttempt: 9, pin: { to: 'rel-1' } })
  t.match(entry?.app.faults, [{ pointer: 'spec.rollout.bakeTime', message: /want a duration/, holds: false }])
  t.match(applications.view('shop')?.warnings, [/spec\.rollout\.bakeTime: want a duration.*apply it corrected/])
  t.match(applications.load(), [/^application shop: spec\.rollout\.bakeTime: /])

  const corrected = manifest('shop', { destination: { name: 'lab', namespace: 'shop' } })
  t.equal((await applications.declare(corrected, ana, null, false)).result, 'changed')
  const after = (await open()).applications.get('shop')
  t.match(after?.stored, { uid: 'uid-of-then', createdAt: 5, generation: 8, parent: 'fleet' })
  t.match(after?.ledger, { salt: 'salt of then', nextAttempt: 9, pin: { to: 'rel-1' }, marks: { 'rel-2': { kind: 'bad' } } })
  t.same([after?.app.faults, applications.view('shop')?.warnings], [[], []])
})

t.test('declared again as it is, nothing is refused; with another fault it is, and stays', async t => {
  const { store, open } = await opened(t)
  const given = await kept({ store }, { rollout: { bakeTime: 'soon' } })
  const { applications } = await open()

  t.equal((await applications.declare(given, ana, null, false)).result, 'unchanged')
  await t.rejects(applications.declare(manifest('shop', { rollout: { bakeTime: 'soon' }, project: 'x' }), ana, null, false), {
    name: 'InvalidApplicationError',
  })
  t.equal(applications.get('shop')?.app.uid, 'uid-of-then')
})

t.test('one that was declared without a node stays where it runs, though there is no default any more', async t => {
  const { store } = await opened(t)
  await kept({ store }, {})
  const declared = { defaultNode: '', readYaml: () => ({}) }
  const applications = new Applications({ store, now: () => 1000, randomHex: () => 'id', declared })
  applications.load()

  t.match(applications.get('shop'), { app: { destination: { place: 'node/lab', name: 'lab' } }, ledger: { nextAttempt: 9 } })
  t.match(applications.get('shop')?.app.faults, [{ pointer: 'spec.destination.name', holds: false }])
})

t.test('a dry run writes nothing', async t => {
  const { applications, store } = await opened(t)

  t.equal((await applications.declare(manifest('shop'), ana, null, true)).result, 'created')
  t.same([applications.names(), store.applications()], [[], []])
})

t.test('every fault of a declaration is named', async t => {
  const { applications } = await opened(t)

  const error: unknown = await applications
    .declare(manifest('shop', { sorce: 1, project: 5 }), ana, null, false)
    .catch((error: unknown) => error)

  t.match(error, { faults: [{ pointer: /project|sorce/ }, { pointer: /project|sorce/ }] })
})

t.test('one that is being deleted cannot be changed, so that nothing is lost with it', async t => {
  const { applications } = await opened(t)
  await applications.declare(manifest('shop'), ana, null, false)
  await applications.act('shop', ledger => withDeletion(ledger, { by: ana, at: 5, cascade: true } as never))

  await t.rejects(applications.declare(manifest('shop', { project: 'x' }), ana, null, false), {
    name: 'TakenError',
    passes: true,
    message: /is being deleted/,
  })
})

t.test('applications that declare each other do not wait for each other for ever: one is refused', async t => {
  const { applications } = await opened(t)
  for (const name of ['a', 'b', 'c']) await applications.declare(manifest(name), ana, null, false)
  const declaring = (parent: string, child: string) =>
    applications.inTurn(parent, () =>
      applications.declare(manifest(child, { project: parent }), ana, parent, false).then(
        ({ result }) => result,
        (error: TakenError) => `${error.name} ${error.passes}`,
      ),
    )

  t.same(await Promise.all([declaring('a', 'b'), declaring('b', 'c'), declaring('c', 'a')]), [
    'changed',
    'changed',
    'TakenError true',
  ])
  t.equal(await declaring('c', 'a'), 'TakenError false', 'and for good once the others stand')
  t.equal(await declaring('a', 'b'), 'unchanged')
})

t.test('a moved application counts on in its one history, stays paused, and keeps what it may go back to', async t => {
  const { applications, store, open } = await opened(t)
  const at = (name: string) => manifest('shop', { destination: { name, namespace: 'shop' } })
  const { app } = await applications.declare(at('n1'), ana, null, false)
  await store.putRelease('shop', { id: 'rel-1', objects: [] } as never)
  const sticky = { minted: { name: 'randAlphaNum', value: '"x"' }, seen: { name: 'lookup', value: 'null' } }
  const good = [{ release: 'rel-1', healthyAt: 1, baked: true, templates: {} }]
  const trying = { number: 4, outcome: null, step: { name: 'Preflight' }, moves: [], times: { judged: 0 }, verdict: null }
  const grown = { trying, nextAttempt: 5, nextReleaseNumber: 3, sticky, good, requests: [{ id: 'q1', kind: 'sync' }] }
  await applications.act(
    'shop',
    ledger => ({ ...withPause(ledger, { by: ana, at: 5, reason: '' }), ...grown }) as unknown as Ledger,
  )

  await applications.declare(at('n2'), ana, null, false)
  const moved = applications.get('shop')!
  await applications.record({ app: moved.app, ledger: moved.ledger, step: { kind: 'none' }, ...quiet } as unknown as Pass)
  t.match(moved.ledger, { place: 'node/n2', nextAttempt: 5, nextReleaseNumber: 3, pause: { by: ana }, good: [], requests: [] })
  t.same(Object.keys(moved.ledger.sticky), ['minted'])
  t.match(applications.history('shop'), [{ number: 4, outcome: 'Superseded', message: 'moved to node/n2' }])
  t.match(store.ledger('shop', 'node/n1'), { trying: null })
  t.match((await open()).applications.get('shop')?.ledger, { place: 'node/n2', nextAttempt: 5, pause: { by: ana } })

  await applications.act('shop', ledger => ({ ...resumed(ledger), nextAttempt: 8 }))
  await applications.declare(at('n1'), ana, null, false)
  const back = applications.get('shop')!.ledger
  t.match(back, { place: 'node/n1', nextAttempt: 8, pause: null, good, requests: [] })
  t.ok(applications.release(app, 'rel-1' as never), 'what it may go back to there')
})

t.test("another parent's child is not taken while that parent is there", async t => {
  const { applications } = await opened(t)
  await applications.declare(manifest('shop'), ana, 'fleet', false)
  t.equal((await applications.declare(manifest('shop'), ana, 'squadron', false)).result, 'changed', 'there is no fleet any more')
  await applications.declare(manifest('fleet'), ana, null, false)
  await applications.declare(manifest('shop'), ana, 'fleet', false)

  await t.rejects(applications.declare(manifest('shop', { project: 'x' }), ana, 'armada', false), {
    name: 'TakenError',
    passes: false,
    message: /declared by fleet; armada may not/,
  })
})

t.test('children are known by their parent, after a start too, and by none once they are gone', async t => {
  const { applications, open } = await opened(t)
  for (const [name, parent] of [
    ['one', 'all'],
    ['two', 'all'],
    ['three', 'others'],
    ['free', null],
  ] as const)
    await applications.declare(manifest(name), ana, parent, false)
  const names = (from: Applications, parent: string) => from.childrenOf(parent).map(({ app }) => app.name)
  t.same(names(applications, 'all'), ['one', 'two'])
  t.same(names((await open()).applications, 'all'), ['one', 'two'])
  t.same(names(applications, 'free'), [])

  // Its parent is not there: another may have it.
  await applications.declare(manifest('two'), ana, 'others', false)
  const gone = applications.get('one')!
  await applications.record({ ...quiet, app: gone.app, ledger: gone.ledger, step: { kind: 'forget' } } as unknown as Pass)

  t.same(names(applications, 'all'), [])
  t.same(names(applications, 'others'), ['three', 'two'])
})

t.test('an object belongs to the application whose ledger has it, until it has it no more', async t => {
  const { applications } = await opened(t)
  const ref = { group: '', kind: 'Service', namespace: 'shop', name: 'web' }
  await applications.declare(manifest('shop'), ana, null, false)
  const own = (owned: readonly object[]) =>
    applications.act('shop', ledger => ({
      ...ledger,
      version: ledger.version + 1,
      current: { release: 'rel-1', owned } as never,
    }))

  await own([ref])
  const { refKey } = await import('../../runtime/contract/manifest.js')
  t.equal(applications.ownerOf('node/n1', refKey(ref), 'other'), 'shop')
  t.equal(applications.ownerOf('node/n1', refKey(ref), 'shop'), null)
  t.equal(applications.ownerOf('node/n2', refKey(ref), 'other'), null)

  await own([])
  t.equal(applications.ownerOf('node/n1', refKey(ref), 'other'), null)
})

t.test('acts on one application happen one after the other', async t => {
  const { applications } = await opened(t)
  await applications.declare(manifest('shop'), ana, null, false)

  await Promise.all(
    Array.from({ length: 20 }, () => applications.act('shop', ledger => ({ ...ledger, version: ledger.version + 1 }))),
  )

  t.equal(applications.get('shop')?.ledger.version, 21)
})

t.test('an act that could not be stored is not remembered either', async t => {
  const field = await startField(t)
  const store = openStore({ bus: field.bus, key: field.controller.storage, epoch: () => 10, now: () => 1000 })
  await store.load()
  const applications = new Applications({
    store,
    now: () => 1000,
    randomHex: () => 'id',
    declared: { defaultNode: 'n1', readYaml: () => ({}) },
  })
  await applications.declare(manifest('shop'), ana, null, false)
  await field.server.kill()

  await t.rejects(applications.act('shop', ledger => withPause(ledger, { by: ana, at: 5, reason: '' })))

  t.equal(applications.get('shop')?.ledger.pause, null)
})

t.test('what an application that was let go leaves is known, also after a start, until another one has it', async t => {
  const { applications, store, open } = await opened(t)
  const ran = release(configMap('web', 'a'), configMap('db', 'b'), configMap('gone', 'c'))
  const owned = ran.objects.slice(0, 2).map(refOf)
  const pass = async (name: string, kind: string, change: object) => {
    const { app, ledger } = (await applications.declare(manifest(name), ana, null, false)) && applications.get(name)!
    await store.putRelease(name, ran)
    const next = { ...ledger, version: ledger.version + 1, ...change } as Ledger
    const health = { status: 'Healthy', message: '', fresh: true, pods: { ready: 0, wanted: 0 }, objects: [], signs: [] }
    const decision = { why: { kind: 'none' }, asks: null, row: { judged: null, chosen: 'T10' } }
    const observed = { silent: null, objects: [], pods: [], at: 1 }
    const seen = { app, now: 1, before: ledger, candidate: null, ledger: next, applied: [], step: { kind } }
    await applications.record({ ...seen, health, decision, observed } as never)
  }
  const current = (refs: unknown) => ({ current: { release: ran.id, owned: refs, refused: [] } })
  const names = (from = store) => from.left('node/n1').map(({ objects }) => objects.map(({ metadata }) => metadata.name))
  const asked = (cascade: boolean) => ({ ...current(owned), deletion: { by: ana, at: 5, cascade } })

  await pass('ended', 'forget', asked(true))
  t.same(names(), [], 'what ends leaves nothing')
  await pass('shop', 'forget', asked(false))
  t.same(names(), [['web', 'db']])
  t.same(names((await open()).store), [['web', 'db']])
  await store.importAll(JSON.parse(JSON.stringify(store.exportAll())))
  t.same(store.left('node/other'), [])
  await pass('next', 'none', current(owned.slice(0, 1)))
  t.same(names(), [['db']])
  await pass('next', 'none', current(owned))
  t.same(names(), [])
})
