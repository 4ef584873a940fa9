// What goes wrong between a controller and a cluster, on a real API server: watches cut or silent, versions too old, too many requests,
// another cluster behind the address, an authority that is not ours. What is known afterwards is what there is.
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { accessTo } from '../../controller/cluster/kubernetes/access.js'
import { createClient } from '../../controller/cluster/kubernetes/client.js'
import { createKubernetesCluster } from '../../controller/cluster/kubernetes/cluster.js'
import { createPacker } from '../../controller/cluster/node/ledger.js'
import { type Ledger, newLedger } from '../../controller/ledger.js'
import { type Manifest, refOf } from '../../runtime/contract/manifest.js'
import { application, order, until } from '../support/controller.js'
import { noKubernetes, startKubernetes } from '../support/kubernetes/server.js'
import { startWire } from '../support/kubernetes/wire.js'

const missing = await noKubernetes()
if (missing !== false) {
  t.plan(0, missing)
  process.exit(0)
}
t.setTimeout(300_000)
const real = await startKubernetes(t)
const signal = new AbortController().signal
const storage = randomBytes(32)
const tokenFile = join(real.directory, 'token')
writeFileSync(tokenFile, real.token)

let count = 0

/** An application in a namespace of its own, on the other side of a wire. */
async function given(
  t: Test,
  more: {
    readonly silentMs?: { readonly calm: number; readonly tried: number }
    readonly attempt?: object
    readonly idleMs?: number
    readonly uids?: Record<string, string>
  } = {},
) {
  const namespace = `shop-${++count}`
  await real.namespace(namespace)
  const wire = await startWire(t, real)
  const app = application({
    name: namespace,
    destination: { place: 'cluster/test', kind: 'cluster', name: 'test', namespace },
  })
  const fresh = newLedger({ name: app.name, uid: app.uid }, 'cluster/test', 'salt')
  const ledger = more.attempt === undefined ? fresh : ({ ...fresh, attempt: more.attempt } as Ledger)
  const access = await accessTo({ name: 'test', kind: 'token', server: wire.url, caFile: '', tokenFile })
  const current: Manifest[] = []
  const uids = more.uids ?? {}
  const told: string[] = []
  const cluster = createKubernetesCluster({
    name: 'test',
    client: await createClient({ access, now: Date.now }),
    known: { uid: name => uids[name] ?? '', learn: (name, uid) => void Object.assign(uids, { [name]: uid }) },
    packer: createPacker(storage),
    epoch: () => 100,
    overtaken: () => {},
    ledger: () => ledger,
    releases: () => [],
    sent: () => current,
    warn: message => told.push(message),
    now: Date.now,
    pingMs: 200,
    ...(more.silentMs === undefined ? {} : { silentMs: more.silentMs }),
    ...(more.idleMs === undefined ? {} : { idleMs: more.idleMs }),
  })
  t.teardown(() => cluster.close())
  const settings = (name: string, data: Readonly<Record<string, string>>): Manifest =>
    ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data }) as Manifest
  return {
    cluster,
    wire,
    uids,
    current,
    told,
    settings,
    path: (name: string) => `/api/v1/namespaces/${namespace}/configmaps/${name}`,
    async apply(...objects: readonly Manifest[]) {
      current.push(...objects)
      return cluster.apply(app, objects, { ...order({ attempt: 1 }), ledger }, signal)
    },
    prune: (...objects: readonly Manifest[]) => cluster.prune(app, objects.map(refOf), { ...order({}), ledger }, signal),
    observe: () => cluster.observe(app, signal),
    async hashOf(name: string) {
      const { objects } = await cluster.observe(app, signal)
      return objects.find(({ ref }) => ref.name === name)?.hash ?? null
    },
  }
}

const change = (path: string, value: string) => real.call('PATCH', path, { data: { a: value } }, 'application/merge-patch+json')

t.test('a watch that is cut goes on, and nothing that happened meanwhile is missed', async t => {
  const { wire, settings, apply, hashOf, path } = await given(t)
  await apply(settings('cut', { a: '1' }))
  t.not(await hashOf('cut'), '')

  wire.cut()
  await change(path('cut'), 'by hand')

  await until('the change is seen', async () => (await hashOf('cut')) === '')
})

t.test('a watch that says nothing is begun anew, and what it kept to itself is seen', async t => {
  const { wire, settings, apply, hashOf, path } = await given(t, { silentMs: { calm: 1_500, tried: 90_000 } })
  await apply(settings('silent', { a: '1' }))
  t.not(await hashOf('silent'), '')

  t.ok(wire.silence() > 0, 'watches were open')
  await change(path('silent'), 'by hand')

  await until('the change is seen', async () => (await hashOf('silent')) === '')
})

t.test('while a release is tried, less silence is put up with: it is not judged for want of news', async t => {
  const attempt = { number: 1, outcome: null, verdict: null, step: { name: 'Verifying' } }
  const { wire, settings, apply, hashOf, path } = await given(t, { silentMs: { calm: 600_000, tried: 1_500 }, attempt })
  await apply(settings('tried', { a: '1' }))
  t.not(await hashOf('tried'), '')

  t.ok(wire.silence() > 0, 'watches were open')
  await change(path('tried'), 'by hand')

  await until('the change is seen', async () => (await hashOf('tried')) === '')
})

t.test('a version that is too old is listed again: what went meanwhile is gone', async t => {
  const { wire, settings, apply, observe, path } = await given(t)
  await apply(settings('stays', { a: '1' }), settings('goes', { a: '1' }))
  const expired = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version: 1 (2)' }
  const lists = () => wire.asked.filter(line => /^GET \/api\/v1\/configmaps\?limit/.test(line)).length
  const before = lists()

  wire.answering((_, asked) => (asked.includes('watch=1') ? { status: 410, body: expired } : null))
  wire.cut()
  await real.call('DELETE', path('goes'))
  await until('it is listed again', () => lists() > before)
  wire.answering(null)

  const names = async () => (await observe()).objects.map(({ ref }) => ref.name)
  await until('only what is there is known', async () => (await names()).join() === 'stays')
})

t.test('too many requests: the server is given the time it asks for, and everything is applied', async t => {
  const { wire, settings, apply } = await given(t)
  const objects = Array.from({ length: 20 }, (_, index) => settings(`many-${index}`, { a: '1' }))
  let refused = 0
  wire.answering(method =>
    method === 'PATCH' && refused++ < 30
      ? { status: 429, headers: { 'retry-after': '1' }, body: { message: 'slow down' } }
      : null,
  )
  const began = Date.now()

  const applied = await apply(...objects)

  t.same([...new Set(applied.map(({ result }) => result))], ['created'])
  t.ok(Date.now() - began >= 1_000, 'it waited for as long as it was told to')
})

t.test('a kind that no application names any more is not watched any more, and is again once one does', async t => {
  const { wire, settings, apply, observe, hashOf, current } = await given(t, { idleMs: 1_500 })
  const secret = { ...settings('secret', {}), kind: 'Secret', type: 'Opaque' } as Manifest
  const watched = (plural: string) => wire.watching().some(path => path.endsWith(`/${plural}`))
  await apply(secret)
  await apply(settings('stays', { a: '1' }))
  await until('both are watched', () => watched('secrets') && watched('configmaps'))

  current.splice(0, 1)
  await until('secrets are not', async () => (await observe()).silent === null && !watched('secrets'))
  t.ok(watched('configmaps'))
  t.not(await hashOf('stays'), '')

  current.push(secret)
  await until('they are again', async () => (await hashOf('secret')) !== null && watched('secrets'))
  t.not(await hashOf('secret'), '', 'and what is there is as it was applied')
})

t.test('a definition that is taken away and comes back: its objects are refused by name, then applied', async t => {
  const { apply, settings } = await given(t)
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  const names = { plural: 'widgets', kind: 'Widget' }
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  const version = { name: 'v1', served: true, storage: true, schema }
  const name = 'widgets.faults.example'
  const spec = { group: 'faults.example', names, scope: 'Namespaced', versions: [version] }
  const define = () => real.call('POST', definitions, { metadata: { name }, spec })
  const widget = (of: string) =>
    ({ ...settings(of, {}), apiVersion: 'faults.example/v1', kind: 'Widget', data: undefined }) as Manifest
  const results = async (of: string) => (await apply(widget(of)))[0]
  await define()
  await until('the kind is served', async () => (await results('first'))?.result !== 'refused')

  await real.call('DELETE', `${definitions}/${name}`)
  await until('it is gone', async () => (await real.find(`${definitions}/${name}`)) === null)
  await until('it is said', async () => /this cluster has no Widget/.test((await results('second'))?.message ?? ''))

  await define()
  await until('it is applied', async () => (await results('third'))?.result === 'created')
})

t.test('another cluster behind the same address is not written to, nor read as if it were ours', async t => {
  const { wire, settings, apply, prune, observe, uids, path } = await given(t)
  const there = settings('there', { a: '1' })
  await apply(there)
  const { uid } = (await real.call('GET', '/api/v1/namespaces/kube-system')).metadata
  t.same(uids, { test: uid })

  // As far as a client can tell: the same objects, but the namespace is not the one that it was.
  const other = { status: 200, body: { metadata: { name: 'kube-system', uid: 'another' } } }
  wire.answering((_, asked) => (asked === '/api/v1/namespaces/kube-system' ? other : null))
  wire.lead(real)

  await until('it is noticed', async () => (await observe()).silent !== null)
  const { silent } = await observe()
  t.match(silent?.message, /cluster test is another cluster: its kube-system has UID another, before it was/)
  t.match(silent?.message, /say uid: another there/)
  await t.rejects(apply(settings('new', { a: '1' })), /is another cluster/)
  await t.rejects(prune(there), /is another cluster/)
  t.ok(await real.find(path('there')), 'nothing was deleted')
  t.equal(await real.find(path('new')), null, 'nothing was written')

  wire.answering(null)
  await until('it is itself again', async () => (await observe()).silent === null)
  t.equal((await apply(settings('new', { a: '1' })))[0]?.result, 'created')
})

t.test('a controller that was started anew knows which cluster it met under that name', async t => {
  const { apply, settings, observe, path } = await given(t, { uids: { test: 'the one of yesterday' } })

  t.match((await observe()).silent?.message, /before it was the one of yesterday/)
  await t.rejects(apply(settings('never', { a: '1' })), /is another cluster/)
  t.equal(await real.find(path('never')), null)
})

t.test('where kube-system may not be read, that is said once, and the cluster is used', async t => {
  const { wire, apply, settings, told, observe } = await given(t)
  const forbidden = {
    status: 403,
    body: { kind: 'Status', reason: 'Forbidden', message: 'namespaces "kube-system" is forbidden' },
  }
  wire.answering((_, asked) => (asked === '/api/v1/namespaces/kube-system' ? forbidden : null))

  t.equal((await apply(settings('plain', { a: '1' })))[0]?.result, 'created')
  const asked = () => wire.asked.filter(line => line.endsWith('/kube-system')).length
  const before = asked()
  await until('it is asked again', () => asked() > before + 1)
  t.equal((await observe()).silent, null)
  t.equal(told.length, 1)
  t.match(told[0], /kube-system may not be read/)
})
