// What an application keeps of its renders: decisions about the ledger, and whole renders with a ledger that is kept in between.
import t from 'tap'
import type { Ledger } from '../../controller/ledger.js'
import { newLedger } from '../../controller/ledger.js'
import { rendered } from '../../controller/reconcile.js'
import type { Candidate } from '../../controller/release.js'
import { makeCandidates } from '../../controller/render/candidate.js'
import { RenderPool } from '../../controller/render/pool.js'
import { decide } from '../../controller/rollout.js'
import type { LiveObject } from '../../controller/sticky/lookup.js'
import { meantBy, type StickyView, stickyViews } from '../../controller/sticky/view.js'
import { idleMs, keeping, mostKept, rotated, withRoom, withUses } from '../../controller/sticky.js'
import { type Manifest, refOf } from '../../runtime/contract/manifest.js'
import { repository } from '../support/git-tree.js'
import type { Tree } from '../support/render.js'
import { application, candidate, configMap, release, revision, stickyEntry } from './builders.js'

const pool = new RenderPool()
t.teardown(() => pool.close())
const { signal } = new AbortController()
const app = application()
const empty = newLedger(app, 'node/lab', 'salt')

/** A controller that renders and keeps, without a place. */
function keeper(live: LiveObject[] = []) {
  const maker = makeCandidates(pool, () => 5)
  const state = { ledger: empty, live, maker }
  const of = async (templates: Tree, values: Record<string, unknown> = {}): Promise<Candidate> => {
    const files = Object.fromEntries(
      Object.entries({ 'Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n', ...templates }).map(([path, text]) => [
        `shop/${path}`,
        text,
      ]),
    )
    const source = { ...app.source, chart: { ...app.source.chart, values } }
    const found = await maker.candidateOf(
      {
        application: { ...app, source },
        revision: revision('c1'),
        tree: repository(files, 'shop'),
        ledger: state.ledger,
        live: () => state.live,
      },
      signal,
    )
    state.ledger = remembered(keeping(state.ledger, found), found)
    return found
  }
  return Object.assign(state, { of })
}

/** As a pass would: the release is known by its number and what it used. */
function remembered(ledger: Ledger, found: Candidate): Ledger {
  if (found.kind !== 'release') return ledger
  const known = ledger.releases[found.release.id]
  const number = ledger.nextReleaseNumber
  const fresh = { number, revision: found.revision, digests: {}, firstSeenAt: 1, fresh: 0, lastAttempt: 0 }
  const next =
    known !== undefined
      ? ledger
      : { ...ledger, nextReleaseNumber: number + 1, releases: { ...ledger.releases, [found.release.id]: fresh } }
  return withUses(next, found, 5)
}

/** Applied: the objects are the application's own, and there. */
function owned(ledger: Ledger, found: Candidate): Ledger {
  if (found.kind !== 'release') return ledger
  return {
    ...ledger,
    current: { release: found.release.id, owned: found.release.objects.map(refOf) } as unknown as NonNullable<Ledger['current']>,
  }
}

const objectsOf = (found: Candidate): readonly Manifest[] => {
  if (found.kind === 'rejection') throw new Error(found.rejection.message)
  return found.release.objects
}
const idOf = (found: Candidate) => (found.kind === 'release' ? found.release.id : found.rejection.message)
const dataOf = (found: Candidate, name = 'db') =>
  objectsOf(found).find(object => object.metadata.name === name)?.data as Readonly<Record<string, string>>

const secret = (data: string, name = 'db') => `apiVersion: v1\nkind: Secret\nmetadata: { name: ${name} }\ndata:\n${data}`
const password = '  password: {{ randAlphaNum 16 | b64enc }}\n'
const guarded = `{{- $known := lookup "v1" "Secret" .Release.Namespace "db" -}}
apiVersion: v1
kind: Secret
metadata: { name: db }
data:
  password: {{ if $known }}{{ index $known.data "password" }}{{ else }}{{ randAlphaNum 16 | b64enc }}{{ end }}
`
const there = (object: Manifest, isFree = false): LiveObject => ({ object, isFree })
const liveSecret = (data: Record<string, string>, name = 'db', namespace = 'shop'): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
})

// -- Renders with a ledger --

t.test('two renders of one commit are one release, and a revert is the one before', async t => {
  const one = { 'templates/db.yaml': secret(password) }
  const two = { 'templates/db.yaml': secret(`${password}  more: eA==\n`) }
  const { of, ...kept } = keeper()

  const first = await of(one)
  t.equal(Object.keys(keeping(kept.ledger, first).sticky).length, 1)
  const second = await of(two)
  const back = await of(one)

  t.equal(idOf(back), idOf(first))
  t.not(idOf(second), idOf(first))
  t.equal(dataOf(second).password, dataOf(first).password)
})

t.test('another process with the same ledger makes the same; without it, or another application, another', async t => {
  const files = { 'templates/db.yaml': secret(password) }
  const here = keeper()
  const first = await here.of(files)
  const elsewhere = keeper()
  elsewhere.ledger = JSON.parse(JSON.stringify(here.ledger)) as Ledger
  const other = keeper()

  t.equal(idOf(await elsewhere.of(files)), idOf(first))
  t.not(dataOf(await other.of(files)).password, dataOf(first).password)
})

t.test('a render that fails keeps nothing, whatever it minted before', async t => {
  const kept = keeper()
  const broken = await kept.of({ 'templates/db.yaml': `${secret(password)}  b: {{ fail "no" }}\n` })
  const twice = await kept.of({ 'templates/a.yaml': secret(password), 'templates/b.yaml': secret(password) })

  t.equal(broken.kind, 'rejection')
  t.match(twice, { rejection: { message: /twice/ } })
  t.same(kept.ledger.sticky, {})
})

t.test('an error says nothing of what was minted or kept', async t => {
  const kept = keeper()
  const first = await kept.of({ 'templates/db.yaml': secret(password) })
  const broken = `  password: {{ $pw := randAlphaNum 16 }}{{ fail (printf "%s or %s is wrong" $pw (b64enc $pw)) }}\n`
  const minted = await kept.of({ 'templates/db.yaml': secret(broken) })
  const known = await kept.of({
    'templates/db.yaml': secret('  password: {{ randAlphaNum 16 | b64enc | fail }}\n'),
  })

  t.match(minted, { rejection: { message: /: \(secret\) or \(secret\) is wrong$/ } })
  t.match(known, { rejection: { message: /: \(secret\)$/ } })
  t.notOk(JSON.stringify([minted, known]).includes(dataOf(first).password ?? ''))
})

t.test('what an application keeps is bounded: more is refused, and what runs keeps what it has', async t => {
  const kept = keeper()
  await kept.of({ 'templates/db.yaml': secret(password) })
  const before = kept.ledger
  const found = await kept.of({ 'templates/db.yaml': secret(`${password}  big: {{ randAlphaNum ${mostKept} | b64enc }}\n`) })

  t.match(found, {
    kind: 'rejection',
    rejection: { reason: 'LimitExceeded', message: /^passwords, keys and certificates .* are more than the 256000 characters/ },
  })
  t.equal(kept.ledger.sticky, before.sticky)
})

t.test('a template that is renamed keeps its values, one that is copied or comes later does not', async t => {
  const kept = keeper()
  const first = await kept.of({ 'templates/a.yaml': secret(password) })
  const renamed = await kept.of({ 'templates/b.yaml': secret(password) })
  const copied = await kept.of({ 'templates/b.yaml': secret(password), 'templates/c.yaml': secret(password, 'copy') })
  await kept.of({ 'templates/z.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: z }\n' })
  const later = await kept.of({ 'templates/later.yaml': secret(password) })

  t.equal(idOf(renamed), idOf(first))
  t.equal(dataOf(copied).password, dataOf(first).password)
  t.not(dataOf(copied, 'copy').password, dataOf(first).password)
  t.not(dataOf(later).password, dataOf(first).password)
  t.equal(idOf(await kept.of({ 'templates/a.yaml': secret(password) })), idOf(first), 'and the old name still finds it')
})

t.test('rotating changes what is named, under every name that it had, and nothing else', async t => {
  const files = { 'templates/db.yaml': secret(`${password}  other: {{ uuidv4 | b64enc }}\n`) }
  const kept = keeper()
  await kept.of({ 'templates/old.yaml': files['templates/db.yaml'] })
  const before = await kept.of(files)
  const [key = ''] = Object.keys(before.uses?.sticky ?? {}).filter(one => one.startsWith('randAlphaNum'))
  kept.ledger = rotated(kept.ledger, [key])
  const after = await kept.of(files)

  t.not(dataOf(after).password, dataOf(before).password)
  t.equal(dataOf(after).other, dataOf(before).other)
  t.equal(
    idOf(await kept.of({ 'templates/old.yaml': files['templates/db.yaml'] })) === idOf(before),
    false,
    'the old one is gone for good',
  )
})

// -- lookup --

t.test('a password that is guarded by a lookup stays what it was, though its Secret is there by now', async t => {
  const kept = keeper()
  const files = { 'templates/db.yaml': guarded }
  const first = await kept.of(files)
  kept.ledger = owned(kept.ledger, first)
  kept.live = objectsOf(first).map(object => there(object))
  const second = await kept.of({ ...files, 'templates/more.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: more }\n' })
  const drifted = liveSecret({ password: 'by hand' })
  kept.live = [there(drifted)]
  const third = await kept.of(files)

  t.equal(dataOf(second).password, dataOf(first).password)
  t.equal(idOf(third), idOf(first), 'what somebody changed there is drift, and no input')
})

t.test("a takeover finds the password of the Secret that is there, and it stays when that is the application's own", async t => {
  const kept = keeper([there(liveSecret({ password: 'of old' }), true)])
  const files = { 'templates/db.yaml': guarded }
  const first = await kept.of(files)
  kept.ledger = owned(kept.ledger, first)
  kept.live = []
  const second = await kept.of(files)

  t.equal(Buffer.from(dataOf(first).password ?? '', 'base64').toString(), 'of old')
  t.equal(idOf(second), idOf(first))
  const [key = ''] = Object.keys(kept.ledger.sticky).filter(one => one.startsWith('lookup'))
  kept.live = objectsOf(first).map(object => there(object))
  kept.ledger = rotated(kept.ledger, [key])
  t.not(dataOf(await kept.of(files)).password, dataOf(first).password, 'rotated: what is there is what is to be replaced')
})

t.test("others' objects are looked up as they are: what they become renders again, and nothing else does", async t => {
  const kept = keeper()
  const text = `apiVersion: v1
kind: ConfigMap
metadata: { name: web }
data:
  host: {{ (lookup "v1" "ConfigMap" "shop" "shared").data.host | default "none" }}
  all: "{{ range (lookup "v1" "ConfigMap" "shop" "").items }}{{ .metadata.name }} {{ end }}"
`
  const files = { 'templates/web.yaml': text }
  const host = (found: Candidate) => dataOf(found, 'web')
  const shared = (value: string) => there({ ...configMap('shared', ''), data: { host: value } })
  t.match((await kept.of(files)) as unknown, { rejection: { message: /nil pointer evaluating interface/ } })
  kept.live = [shared('a')]
  const first = await kept.of(files)
  kept.ledger = owned(kept.ledger, first)
  const own = objectsOf(first).map(object => there(object))
  kept.live = [shared('a'), ...own]
  const { rendered } = kept.maker.counts
  const same = await kept.of(files)
  t.equal(kept.maker.counts.rendered, rendered, 'its own objects are no news')
  kept.live = [shared('b'), there(configMap('later', 'x')), ...own]
  const changed = await kept.of(files)

  t.strictSame(host(first), { host: 'a', all: 'shared ' })
  t.equal(idOf(same), idOf(first))
  t.strictSame(host(changed), { host: 'b', all: 'later shared ' })
})

t.test('a chart that makes what is not there goes on making it, and one that finds it elsewhere leaves it', async t => {
  const files = {
    'templates/a.yaml': `{{ if not (lookup "v1" "Secret" "shop" "db") }}\n${secret('  a: eA==\n')}{{ end }}`,
    'templates/b.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: b }\n',
  }
  const maker = keeper()
  const first = await maker.of(files)
  maker.ledger = owned(maker.ledger, first)
  maker.live = objectsOf(first).map(object => there(object))
  const finder = keeper([there(liveSecret({}))])

  t.equal(objectsOf(first).length, 2)
  t.equal(idOf(await maker.of(files)), idOf(first))
  t.equal(objectsOf(await finder.of(files)).length, 1)
  finder.live = []
  t.equal(objectsOf(await finder.of(files)).length, 2, 'gone there, it is made here')
})

t.test('questions that follow from answers are answered, as deep as is sane', async t => {
  const link = (name: string, next: string) => there({ ...configMap(name, ''), data: { next } })
  const text = `{{- define "follow" }}{{ $found := lookup "v1" "ConfigMap" "shop" . }}{{ if $found }}{{ include "follow" $found.data.next }}{{ else }}{{ . }}{{ end }}{{ end -}}
apiVersion: v1
kind: ConfigMap
metadata: { name: web }
data: { end: {{ include "follow" "l0" }} }
`
  const chain = (length: number) => Array.from({ length }, (_, at) => link(`l${at}`, `l${at + 1}`))

  t.same(dataOf(await keeper(chain(5)).of({ 'templates/web.yaml': text }), 'web'), { end: 'l5' })
  t.match(await keeper(chain(30)).of({ 'templates/web.yaml': text }), {
    rejection: { message: /lookup finds leads to other questions/ },
  })
})

t.test('what is taken over keeps its passwords and certificates, without a lookup', async t => {
  const files = {
    'templates/db.yaml': `{{- $ca := genCA "ca" 30 }}
{{- $web := genSignedCert "web" nil (list "web") 30 $ca }}
${secret(`${password}  url: {{ printf "postgres://shop:%s@db" (randAlphaNum 20) | b64enc }}
  ca.crt: {{ $ca.Cert | b64enc }}
  ca.key: {{ $ca.Key | b64enc }}
  tls.crt: {{ $web.Cert | b64enc }}
  tls.key: {{ $web.Key | b64enc }}
  new: {{ randAlphaNum 9 | b64enc }}
`)}`,
  }
  const former = dataOf(await keeper().of(files))
  const { new: _new, ...data } = former
  const old = there({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db', namespace: 'shop' }, data }, true)
  const kept = keeper([old])
  const taken = await kept.of(files)
  const foreign = await keeper([{ ...old, isFree: false }]).of(files)

  t.strictSame({ ...dataOf(taken), new: '' }, { ...data, new: '' })
  t.not(dataOf(taken).new, former.new)
  t.same([...new Set(Object.values(kept.ledger.sticky).map(entry => `${entry.name} ${entry.from}`))].sort(), [
    'genCA live',
    'genSignedCert live',
    'randAlphaNum live',
    'randAlphaNum minted',
  ])
  t.not(dataOf(foreign).password, former.password, "another's living Secret is not taken over")
})

// -- The ledger --

t.test('values stay as long as a known release uses them, and for thirty days more', async t => {
  const uses = (...keys: string[]) => ({
    lookups: {},
    own: [],
    sticky: Object.fromEntries(keys.map(key => [key, stickyEntry(key)])),
  })
  const one = { ...candidate(release(configMap('web', '1'))), uses: uses('a', 'b') }
  const two = { ...candidate(release(configMap('web', '2'))), uses: uses('b', 'c') }
  let ledger = remembered(keeping(empty, one), one)
  ledger = remembered(keeping(ledger, two), two)
  const idle = (of: Ledger) => Object.entries(of.sticky).map(([key, { idleSince }]) => `${key} ${idleSince}`)
  t.same(idle(ledger), ['a 0', 'b 0', 'c 0'])
  t.equal(keeping(ledger, two), ledger, 'nothing new, nothing written')

  const [first = ''] = Object.keys(ledger.releases)
  const { [first as never]: _gone, ...releases } = ledger.releases
  const marked = withUses({ ...ledger, releases }, two, 100)
  t.same(idle(marked), ['a 100', 'b 0', 'c 0'])
  t.same(idle(withUses(marked, one, 200)), ['a 0', 'b 0', 'c 0'], 'used again')
  t.same(idle(withUses(marked, two, 100 + idleMs)), ['a 100', 'b 0', 'c 0'])
  t.same(idle(withUses(marked, two, 101 + idleMs)), ['b 0', 'c 0'])
  t.same(idle(withUses(marked, null, 101 + idleMs)), ['a 100', 'b 0', 'c 0'], 'without a release nothing is forgotten')
})

t.test('a pass remembers which values a release uses', async t => {
  const found = { ...candidate(release(configMap('web', '1'))), uses: { lookups: {}, own: [], sticky: { a: stickyEntry('a') } } }
  const observed = {
    at: 1,
    silent: null,
    ordered: null,
    obeyed: null,
    attempt: 0,
    release: '',
    preflight: null,
    objects: [],
    pods: [],
    gone: false,
    ledger: null,
  }
  const { ledger } = decide({
    app,
    ledger: keeping(empty, found),
    candidate: found,
    releases: () => (found.kind === 'release' ? found.release : null),
    observed,
    health: { fresh: true } as never,
    now: 1,
  })

  t.same(
    Object.values(ledger.releases).map(known => known.uses),
    [['a']],
  )
})

t.test('what a render made is stored before anybody is told of it; where that cannot be, there is no candidate', async t => {
  const found = { ...candidate(release(configMap('web', '1'))), uses: { lookups: {}, own: [], sticky: { a: stickyEntry('a') } } }
  const places = { ...empty, version: 7, salt: 'of the place' }
  const told: string[] = []
  const world = {
    ledger: () => empty,
    candidate: async (_app: unknown, ledger: Ledger) => {
      told.push(`rendered with ${ledger.salt}`)
      return found
    },
    keep: async ({ version, sticky }: Ledger) => void told.push(`kept ${version}: ${Object.keys(sticky).join()}`),
  }

  const { ledger } = await rendered(app, { ledger: places }, world, signal)
  t.same(told, ['rendered with of the place', 'kept 8: a'], 'on top of the newer of the two ledgers')
  told.length = 0
  t.equal((await rendered(app, { ledger }, world, signal)).ledger, ledger)
  t.same(told, ['rendered with of the place'], 'nothing new, nothing written')
  const away = { ...world, keep: () => Promise.reject(new Error('NATS is away')) }
  await t.rejects(rendered(app, { ledger: null }, away, signal), { message: 'NATS is away' })
})

t.test('room is made by what has been unused for longest', async t => {
  const big = 'x'.repeat(mostKept / 2)
  const sticky = {
    old: stickyEntry(big, { idleSince: 1 }),
    older: stickyEntry('y', { idleSince: 2 }),
    used: stickyEntry('z'),
  }

  t.same(Object.keys(withRoom(sticky, { big: stickyEntry(big) }) ?? {}), ['older', 'used', 'big'])
  t.equal(withRoom(sticky, { big: stickyEntry(big + big) }), null)
})

t.test('people see where a value stands and how long a certificate holds, never the value', async t => {
  const kept = keeper()
  const found = await kept.of({
    'templates/db.yaml': `{{- $own := genSelfSignedCert "web" nil nil 30 }}\n${secret(`${password}  tls.crt: {{ $own.Cert | b64enc }}\n`)}`,
  })
  const views = stickyViews(kept.ledger, objectsOf(found))

  t.match(views, [
    {
      function: 'genSelfSignedCert',
      file: 'templates/db.yaml',
      label: '$own',
      places: ['Secret shop/db data.tls.crt'],
      expires: /^20\d\d-/,
    },
    {
      function: 'randAlphaNum',
      label: 'password',
      places: ['Secret shop/db data.password'],
      expires: '',
      used: true,
      from: 'minted',
    },
  ])
  const told = JSON.stringify(views)
  for (const text of Object.values(dataOf(found))) {
    t.notOk(told.includes(text))
    t.notOk(told.includes(Buffer.from(text, 'base64').toString().slice(0, 12)))
  }
})

t.test('what is to be rotated is named by key, object, field, template, or a label that only one has', async t => {
  const one = (key: string, more: Partial<StickyView>): StickyView => ({
    id: key.slice(key.indexOf('-') + 1).slice(0, 8),
    ...{ key, function: 'f', file: 'templates/db.yaml', label: '', at: '', from: 'minted', expires: '', places: [], used: true },
    ...more,
  })
  const views = [
    one('randAlphaNum-3f9a1c2b0d', { label: 'password', places: ['Secret shop/db data.password'] }),
    one('genCA-77aa012e44', { label: '$ca', places: ['Secret shop/db data.ca.crt', 'ConfigMap shop/ca data.ca.crt'] }),
    one('uuidv4-c0ffee1234', { label: 'id', file: 'templates/id.yaml' }),
    one('uuidv4-c0ffee9999', { label: 'id', file: 'templates/id2.yaml' }),
  ]
  const meant = (name: string) => meantBy(name, views).map(({ key }) => key.slice(0, key.indexOf('-')))
  const table: readonly (readonly [string, readonly string[]])[] = [
    ['randAlphaNum-3f9a1c2b0d', ['randAlphaNum']],
    ['3f9a', ['randAlphaNum']],
    ['c0ffee', ['uuidv4', 'uuidv4']],
    ['Secret/db', ['randAlphaNum', 'genCA']],
    ['Secret/shop/db', ['randAlphaNum', 'genCA']],
    ['Secret/db:password', ['randAlphaNum']],
    ['ConfigMap/ca:ca.crt', ['genCA']],
    ['templates/id.yaml', ['uuidv4']],
    ['password', ['randAlphaNum']],
  ]

  for (const [name, keys] of table) t.same(meant(name), keys, name)
  t.throws(() => meant('id'), /id may be any of c0ffee12, c0ffee99/)
  for (const name of ['Secret/other', 'Secret/db:pass', '3f9', 'user'])
    t.throws(() => meant(name), {
      message: `${name} names nothing that is kept; there are 3f9a1c2b, 77aa012e, c0ffee12, c0ffee99`,
    })
})
