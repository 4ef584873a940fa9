// What people ask for and are shown, over a real store: requests are kept before they are acknowledged, and nothing secret is shown.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { RefusedError } from '../../controller/api/service.js'
import { Applications, type Entry } from '../../controller/applications.js'
import { filePlan } from '../../controller/backup.js'
import type { Cluster, Observed } from '../../controller/cluster/cluster.js'
import { diffObjects, maskedValue } from '../../controller/diff.js'
import { keyFiles, pendingRestore } from '../../controller/key-files.js'
import { type Ledger, withDeletion } from '../../controller/ledger.js'
import type { Candidate } from '../../controller/release.js'
import { createService, type ServiceOptions } from '../../controller/service.js'
import { openStore } from '../../controller/store/store.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { startField } from '../support/controller.js'
import { ana, candidate, configMap, deployment, release, stickyEntry } from './builders.js'

const now = Date.UTC(2026, 0, 1)

const manifest = (name: string, source: object = {}): Manifest => ({
  apiVersion: 'slipway.dev/v1alpha1',
  kind: 'Application',
  metadata: { name },
  spec: { source: { repoURL: 'https://bob:letmein@git.example/shop', path: '.', ...source }, destination: { namespace: 'shop' } },
})

async function opened(test: Parameters<typeof startField>[0] & { testdir(): string }, more: Partial<ServiceOptions> = {}) {
  const field = await startField(test)
  let ids = 0
  const randomHex = () => `id-${++ids}`
  const store = openStore({ bus: field.bus, key: field.controller.storage, epoch: () => 10, now: () => now })
  await store.load()
  const applications = new Applications({
    store,
    now: () => now,
    randomHex,
    declared: { defaultNode: 'n1', readYaml: () => ({}) },
  })
  const keys = join(test.testdir(), 'keys')
  mkdirSync(keys)
  const woken: string[] = []
  const service = createService({
    applications,
    store,
    cluster: () => ({}) as Cluster,
    nodes: () => [],
    wake: name => woken.push(name),
    look: async entry => entry.pass?.candidate ?? null,
    wakeRepository: () => 0,
    readiness: () => [],
    isRead: () => true,
    diff: (older, newer) => diffObjects(older, newer, 'key'),
    hash: value => maskedValue('', Buffer.from(value), 'key'),
    keyFiles: keyFiles(keys, () => now),
    now: () => now,
    randomHex,
    ...more,
  })
  /** As a pass would leave it. */
  const seen = async (name: string, newest: Candidate, change: (ledger: Ledger) => Ledger = ledger => ledger) => {
    const { app, ledger } = applications.get(name) as Entry
    const releases = newest.kind === 'release' ? [newest.release] : []
    for (const one of releases) await store.putRelease(name, one)
    const next = { ...change(ledger), version: ledger.version + 1 }
    const observed = { silent: null, objects: [], pods: [], at: now }
    const health = { status: 'Healthy', message: '', fresh: true, pods: { ready: 0, wanted: 0 }, objects: [], signs: [] }
    const pass = { app, now, before: ledger, candidate: newest, observed, health, ledger: next, applied: [] }
    await applications.record({
      ...pass,
      decision: { why: { kind: 'none' }, asks: null, row: { judged: null, chosen: 'T10' } },
      step: { kind: 'none' },
    } as never)
  }
  return { store, applications, service, woken, seen, keys }
}

const refused = (asking: () => Promise<unknown>) =>
  asking().then(
    () => 'done',
    (error: RefusedError) => `${error.status} ${error.code}`,
  )

t.test('the first word on a deletion counts; letting go is the way out of one that its place has not heard of', async t => {
  type Place = Observed['silent']
  const away: Place = { since: 1, message: 'node n1 has been silent for 90 s', hears: false }
  const deaf: Place = { since: 1, message: 'node n1: its container engine does not answer', hears: true }
  const own = 'what it runs is left'
  const rest = 'what node/n1 has not ended before it hears of that is left'
  const table: readonly [string, [cascade: boolean, told: boolean] | null, Place, boolean, boolean | string, string][] = [
    ['ended', null, null, true, true, 'with what it runs'],
    ['let go', null, null, false, false, own],
    ['ended, said twice', [true, true], null, true, true, 'with what it runs'],
    ['ended, and let go before its place was told', [true, false], null, false, false, rest],
    ['ended, and let go while its place is away', [true, true], away, false, false, rest],
    ['ended, its place was told, then let go', [true, true], null, false, '409 ending', ''],
    ['ended, its engine away, but its place was told', [true, true], deaf, false, '409 ending', ''],
    ['let go, said twice', [false, true], null, false, false, own],
    ['let go, then ended', [false, true], null, true, '409 lettingGo', ''],
  ]
  let silent: Place = null
  const { applications, service, woken, store } = await opened(t, {
    cluster: () => ({ observe: async () => ({ silent }) }) as unknown as Cluster,
  })
  for (const [index, [what, before, place, cascade, after, said]] of table.entries()) {
    const name = `shop-${index}`
    silent = place
    await applications.declare(manifest(name), ana, null, false)
    if (before !== null)
      await applications.act(name, ledger => withDeletion(ledger, { by: ana, at: 1, cascade: before[0], told: before[1] }))

    const answer = await service.remove(name, ana, { cascade }).catch((error: RefusedError) => error)

    const { deletion } = applications.get(name)!.ledger
    t.equal(answer instanceof Error ? `${answer.status} ${answer.code}` : deletion?.cascade, after, what)
    if (said !== '') t.match(answer.message, said, what)
    if (before?.[0] === true && after === false) {
      t.equal(deletion?.told, undefined, 'the place is to be told anew')
      t.ok(woken.includes(name))
      t.equal(store.ledger(name, 'node/n1')?.deletion?.cascade, false, 'kept before it is acknowledged')
    }
  }
})

t.test('nothing is promised of an application that is being deleted', async t => {
  const { applications, service } = await opened(t)
  await applications.declare(manifest('shop'), ana, null, false)
  await applications.act('shop', ledger => withDeletion(ledger, { by: ana, at: 1, cascade: true }))
  const acts = {
    pause: () => service.pause('shop', ana, 'stocktaking'),
    resume: () => service.resume('shop', ana),
    sync: () => service.sync('shop', ana, { revision: null, prune: null }),
    retry: () => service.retry('shop', ana, { release: '' }),
  }

  for (const [what, act] of Object.entries(acts)) t.equal(await refused(act), '409 deleting', what)
  t.match(applications.get('shop')?.ledger, { pause: null, requests: [] })
})

t.test('what children ran is not said to be left where they are being ended', async t => {
  const { applications, service } = await opened(t, {
    cluster: () => ({ observe: async () => ({ silent: null }) }) as unknown as Cluster,
  })
  await applications.declare(manifest('fleet'), ana, null, false)
  await applications.declare(manifest('kid'), ana, 'fleet', false)
  await applications.act('fleet', ledger => withDeletion(ledger, { by: ana, at: 1, cascade: true }))
  await service.remove('kid', ana, { cascade: true })

  const { message } = await service.remove('fleet', ana, { cascade: false })

  t.match(message, /but for what kid ran \(being ended\), is left/)
})

const helm = (password: string) => ({ helm: { valuesObject: { database: { password, name: password }, greeting: 'welcome' } } })
const secret = (password: string): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'db', namespace: 'shop' },
  stringData: { password },
})

t.test('values of a child that reach only its Secrets are shown nowhere: not in its parent, not in a diff', async t => {
  const { applications, service, seen } = await opened(t)
  const child = manifest('kid', helm('swordfish'))
  await applications.declare(manifest('fleet'), ana, null, false)
  const first = release(child, configMap('fleet', 'a'))
  await seen('fleet', candidate(first, 'c1'), ledger => ({ ...ledger, current: { release: first.id, owned: [] } as never }))
  const shown = async () => JSON.stringify(await service.manifests('fleet', ''))

  t.notMatch(await shown(), /swordfish|welcome|letmein/, 'nothing is known of it yet')
  await applications.declare(child, ana, 'fleet', false)
  await seen('kid', candidate(release(secret('swordfish'), configMap('web', 'welcome')), 'c1'))
  t.notMatch(await shown(), /swordfish|letmein/)
  t.match(await shown(), /welcome/, 'what is seen elsewhere is no secret')

  await seen('fleet', candidate(release(manifest('kid', helm('opensesame')), configMap('fleet', 'a')), 'c2'))
  t.notMatch(await shown(), /opensesame/, 'of other values nothing is known')
  const { objects } = await service.diff('fleet', 'live', '')
  t.equal(objects.length, 1, 'that it changed is told')
  t.notMatch(JSON.stringify(objects), /swordfish|opensesame|letmein/)
})

t.test('what ran before says nothing of values that are declared now', async t => {
  const { applications, service, seen } = await opened(t)
  await applications.declare(manifest('shop', helm('swordfish')), ana, null, false)
  await seen('shop', candidate(release(secret('swordfish'), configMap('web', 'welcome')), 'c1'))
  t.match(JSON.stringify(service.declaration('shop')), /welcome/)

  await applications.declare(manifest('shop', helm('opensesame')), ana, null, false)

  t.notMatch(JSON.stringify(service.declaration('shop')), /opensesame|swordfish/)
})

t.test('the copy that kubectl keeps of a declaration is not shown with it', async t => {
  const { applications, service } = await opened(t)
  const declared = manifest('shop', helm('swordfish'))
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(declared), team: 'web' }

  await applications.declare({ ...declared, metadata: { ...declared.metadata, annotations } }, ana, null, false)

  t.same(service.declaration('shop')?.metadata.annotations, { team: 'web' })
  t.notMatch(JSON.stringify(service.declaration('shop')), /swordfish|letmein/)
})

const known = (number: number, commit: string) => ({
  number,
  revision: { commit: commit.padEnd(40, '0'), subject: '', author: '', committedAt: '', seenAt: 0, pushedAt: 0 },
  digests: {},
  firstSeenAt: 0,
  fresh: 0,
  lastAttempt: number,
})

t.test('a release is named by number, id, attempt or commit; the one before is meant where none is named', async t => {
  const { applications, service, seen, store } = await opened(t)
  await applications.declare(manifest('shop'), ana, null, false)
  const [one, two] = [release(deployment('web', 'good:1')), release(deployment('web', 'good:2'))]
  await store.putRelease('shop', one)
  const good = [one, two].map(({ id }) => ({ release: id, healthyAt: 1, baked: true, templates: {} }))
  const releases = { [one.id]: known(1, 'aaaaaaa1'), [two.id]: known(2, 'bbbbbbb2') } as never
  await seen('shop', candidate(two, 'bbbbbbb2'), ledger => ({
    ...ledger,
    releases,
    good,
    current: { release: two.id, owned: [] } as never,
  }))
  const table: readonly [string, string][] = [
    ['', one.id],
    ['r1', one.id],
    [one.id, one.id],
    ['aaaaaaa', one.id],
    ['r2', two.id],
    ['r7', '404 noSuchRelease'],
    ['aaaaaa', '404 noSuchRelease'],
    ['#9', '404 noSuchRelease'],
  ]
  for (const [named, expected] of table) {
    const said = await refused(() => service.rollback('shop', ana, { to: named, message: '' }))
    const request = applications.get('shop')!.ledger.requests.at(-1)
    t.equal(said === 'done' ? request?.release : said, expected, JSON.stringify(named))
  }
})

t.test('a sync of anything but the newest is refused with what the newest is', async t => {
  const { applications, service, seen } = await opened(t)
  await applications.declare(manifest('shop'), ana, null, false)
  const sync = (revision: string | null) => service.sync('shop', ana, { revision, prune: null })
  await t.rejects(sync('aaaaaaa'), { status: 409, code: 'notNewest', message: /cannot be read now/ })
  await seen('shop', candidate(release(configMap('web', 'a')), 'bbbbbbb2'))

  await t.rejects(sync('aaaaaaa'), { message: /the newest commit of HEAD is bbbbbbb; use rollback/ })
  await sync('bbbbbbb')
  await sync(null)

  t.same(
    applications.get('shop')!.ledger.requests.map(({ kind }) => kind),
    ['sync', 'sync'],
  )
})

t.test('what people ask for is told, audited and wakes; what changes nothing does not', async t => {
  const { applications, service, woken, store } = await opened(t)
  await applications.declare(manifest('shop'), ana, null, false)
  const acts: readonly [string, () => Promise<unknown>, number][] = [
    ['pause', () => service.pause('shop', ana, 'stocktaking'), 1],
    ['pause again', () => service.pause('shop', ana, 'stocktaking'), 0],
    ['resume', () => service.resume('shop', ana), 1],
    ['resume again', () => service.resume('shop', ana), 0],
    ['retry', () => service.retry('shop', ana, { release: '' }), 1],
    ['delete', () => service.remove('shop', ana, { cascade: true }), 1],
  ]
  for (const [what, act, told] of acts) {
    const before = [store.events('shop', 100).length, store.auditLines(100).length, woken.length]
    await act()
    const after = [store.events('shop', 100).length, store.auditLines(100).length, woken.length]
    t.same(
      after.map((count, index) => count - before[index]!),
      [told, told, told],
      what,
    )
  }
  t.equal(await refused(() => service.pause('nobody', ana, '')), '404 notFound')
})

t.test('before the store was read nobody is told that there is nothing', async t => {
  const { service } = await opened(t, { isRead: () => false })

  t.throws(() => service.applications(), { status: 503, code: 'starting' })
  t.equal(await refused(() => service.pause('shop', ana, '')), '503 starting')
})

t.test('what a backup does to key files: puts back what is missing, leaves what is another', async t => {
  const table: readonly [string, object, object, object][] = [
    ['the same', { 'controller/signing.pem': 'A' }, { 'controller/signing.pem': 'A' }, {}],
    ['missing', { 'tokens.json': 'T' }, {}, { missing: ['tokens.json'] }],
    [
      'other keys',
      { 'controller/signing.pem': 'A' },
      { 'controller/signing.pem': 'B' },
      { otherKeys: ['controller/signing.pem'] },
    ],
    ['other tokens', { 'tokens.json': 'A' }, { 'tokens.json': 'B' }, { otherTokens: ['tokens.json'] }],
    ['more here', {}, { 'tokens.json': 'B' }, {}],
  ]
  for (const [what, kept, here, plan] of table)
    t.same(filePlan(kept as never, here as never), { missing: [], otherKeys: [], otherTokens: [], ...plan }, what)
})

t.test('a backup comes back with its keys; others are replaced by a word only, and kept', async t => {
  const { applications, service, store, keys } = await opened(t)
  const put = (name: string, text: string) => writeFileSync(join(keys, name), text)
  const lies = (name: string) => readFileSync(join(keys, name), 'utf8')
  mkdirSync(join(keys, 'controller'))
  put('controller/signing.pem', 'mine')
  put('tokens.json', 'old')
  await applications.declare(manifest('shop'), ana, null, false)
  const parts: Uint8Array[] = []
  for await (const part of service.backup()) parts.push(part)
  const archive = Buffer.concat(parts)
  await store.removeApplication('shop')
  applications.load()

  put('tokens.json', 'new')
  const same = await service.restore(archive, { force: false })
  t.match(same.message, /1 applications\. The keys are the same\. tokens\.json kept as they are here/)
  t.same([applications.names(), lies('tokens.json')], [['shop'], 'new'])

  put('controller/signing.pem', 'fresh')
  await store.removeApplication('shop')
  applications.load()
  await t.rejects(service.restore(archive, { force: false }), {
    status: 409,
    code: 'otherKeys',
    message: /signing\.pem.*--force/,
  })
  t.same([applications.names(), lies('controller/signing.pem'), pendingRestore(keys)], [[], 'fresh', null])

  const forced = await service.restore(archive, { force: true })
  t.match(forced.message, /slipway down, then slipway up/)
  t.same([lies('controller/signing.pem'), lies('tokens.json')], ['mine', 'old'])
  t.equal(readFileSync(`${keys}-replaced-2026-01-01T000000.000Z/controller/signing.pem`, 'utf8'), 'fresh')
  t.same(Buffer.from(pendingRestore(keys)?.archive ?? []), archive, 'what it stores waits for these keys')
  t.notOk(Object.keys(keyFiles(keys, () => now).read()).includes('restore.pending'), 'and is no part of the next backup')

  await t.rejects(service.restore(Buffer.from('tar'), { force: true }), { status: 422, code: 'notABackup' })
})

t.test('rotation forgets what is named, says who asked and what for, and releases it', async t => {
  const { service, applications, store, seen, woken } = await opened(t)
  await service.declare(manifest('shop'), ana, { dryRun: false })
  const found = { ...release(secret('swordfish')) }
  const sticky = {
    'randAlphaNum-aaaa11110000000000000000': stickyEntry('swordfish'),
    'uuidv4-bbbb22220000000000000000': stickyEntry('0000-1111', { name: 'uuidv4', label: 'id', loose: 'm' }),
  }
  await seen('shop', candidate(found, 'c1'), ledger => ({ ...ledger, sticky }))
  woken.length = 0
  const keys = () => Object.keys((applications.get('shop') as Entry).ledger.sticky)

  t.match(service.sticky('shop'), [
    { label: 'id' },
    { key: 'randAlphaNum-aaaa11110000000000000000', places: [/^Secret .*password$/] },
  ])
  t.match(await refused(() => service.rotate('shop', ana, { keys: [], all: false })), '400 noSuchValue')
  t.match(await refused(() => service.rotate('shop', ana, { keys: ['nothing'], all: false })), '404 noSuchValue')
  t.same(keys().length, 2)

  const answer = await service.rotate('shop', ana, { keys: ['password'], all: false })
  const { ledger } = applications.get('shop') as Entry
  const [event] = await service.events('shop', 1)

  t.same(answer.rotated, ['randAlphaNum-aaaa11110000000000000000'])
  t.same(keys(), ['uuidv4-bbbb22220000000000000000'])
  t.match(ledger.requests, [{ kind: 'sync', by: ana, release: null, commit: null }])
  t.same(store.ledger('shop', 'node/n1'), ledger, 'kept before it is acknowledged')
  t.match(event, { what: 'rotated', message: /^rotation asked for: aaaa1111 \(Secret .*password\)$/ })
  t.match(store.auditLines(1), [{ by: ana, action: 'rotated', application: 'shop' }])
  t.same(woken, ['shop'])
  t.notMatch(JSON.stringify([event, answer, service.sticky('shop'), store.auditLines(1)]), /swordfish|0000-1111/)
})

t.test('nothing is rotated that would release what is not to run', async t => {
  const { service, applications, seen } = await opened(t)
  await service.declare(manifest('shop'), ana, { dryRun: false })
  const newest = release(secret('swordfish'))
  const sticky = { 'randAlphaNum-aaaa11110000000000000000': stickyEntry('swordfish') }
  await seen(
    'shop',
    candidate(newest, 'c1'),
    ledger =>
      ({
        ...ledger,
        sticky,
        marks: { [newest.id]: { kind: 'bad', at: now, verdict: { log: [], object: null, message: 'bad', at: now } } },
      }) as never,
  )
  const rotate = () => refused(() => service.rotate('shop', ana, { keys: [], all: true }))

  t.equal(await rotate(), '409 heldBack')
  await applications.act(
    'shop',
    ledger => ({ ...ledger, marks: {}, pin: { to: newest.id, left: null, candidate: null, by: ana, at: now } }) as never,
  )
  t.equal(await rotate(), '409 pinned')
})
