// What a cluster is spared: writes of a ledger that say nothing lasting, asking for ledgers that are not there, and hearing twice of a write.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { createCache } from '../../controller/cluster/kubernetes/cache.js'
import { createClient } from '../../controller/cluster/kubernetes/client.js'
import { createDiscovery } from '../../controller/cluster/kubernetes/discovery.js'
import { isJournalOnly } from '../../controller/cluster/kubernetes/journal.js'
import { createKeeping, OvertakenError } from '../../controller/cluster/kubernetes/keeping.js'
import { createPacker } from '../../controller/cluster/node/ledger.js'
import type { Attempt, Ledger } from '../../controller/ledger.js'
import { application, ledger, until } from '../support/controller.js'
import { release } from './builders.js'
import { World } from './world.js'

/** One whose release is under way. */
function underWay(): Ledger & { readonly attempt: Attempt } {
  const world = new World()
  world.push(release({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web', namespace: 'shop' } }))
  world.seconds(3)
  const { attempt } = world.ledger!
  if (attempt === null) throw new Error('nothing is under way')
  return { ...world.ledger!, attempt }
}

const before = underWay()
const attempt = (fields: Partial<Attempt>): Ledger => ({ ...before, attempt: { ...before.attempt, ...fields } })

const changes: readonly (readonly [string, Ledger, boolean])[] = [
  ['nothing but its version', { ...before, version: 99, placed: 99 }, true],
  ['a step of the attempt', attempt({ step: { name: 'Verifying' }, message: 'waiting' }), true],
  ['a line of the attempt', attempt({ moves: [{ at: 1, step: 'Verifying', message: 'waiting' }] }), true],
  ['how long a workload took', attempt({ readyAfter: { web: 5 } }), true],
  ['when it was last looked at', attempt({ clocks: { ...before.attempt.clocks, seenAt: 7 } }), true],
  ['the begin of the bake', attempt({ clocks: { ...before.attempt.clocks, bakeFrom: 7 } }), false],
  ['progress', attempt({ progress: { ...before.attempt.progress, waves: 7 } }), false],
  ['an outcome', attempt({ outcome: 'Failed' }), false],
  ['a rollback', attempt({ rollback: { to: before.current!.release, since: 1 } }), false],
  ['an attempt that ended', { ...before, attempt: null }, false],
  ['a pause', { ...before, pause: { by: { kind: 'user', name: 'ana' }, at: 1, reason: '' } } as Ledger, false],
  ['what runs', { ...before, current: null }, false],
]

for (const [what, after, expected] of changes)
  t.test(`${what} is ${expected ? 'no' : 'a'} reason to write a ledger to its cluster`, async t => {
    t.equal(isJournalOnly(before, after), expected)
  })

t.test('an application that nothing is known of yet is not written to its place', async t => {
  const world = new World()
  world.seconds(30)

  t.equal(world.document, null)
})

type Answer = (request: IncomingMessage, url: URL, response: ServerResponse) => unknown

async function served(t: Test, answer: Answer) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://server')
    asked.push(`${request.method} ${url.pathname}`)
    const body = answer(request, url, response)
    if (body === undefined) return
    const status = (body as { code?: number } | null)?.code ?? 200
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const access = { server: `http://127.0.0.1:${port}`, tls: {}, headers: async () => ({ authorization: 'Bearer t' }) }
  const client = await createClient({ access, now: Date.now })
  t.teardown(async () => {
    await client.close()
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return { client, asked }
}

t.test(
  'once all ledgers were listed, one that was not among them is not asked for; a write finds out who was faster',
  async t => {
    let isTaken = false
    const { client, asked } = await served(t, request => {
      if (request.method === 'POST' && isTaken) return { code: 409, reason: 'AlreadyExists', message: 'there already' }
      if (request.method === 'POST') return { metadata: { resourceVersion: '7' } }
      return request.url?.includes('labelSelector') ? { items: [] } : { code: 404, reason: 'NotFound', message: 'none' }
    })
    const keeping = createKeeping(client, 'test', createPacker(new Uint8Array(32)))
    const kept = { ledger: ledger(), declaration: application().manifest, releases: [] }
    const { signal } = new AbortController()
    const reads = () => asked.filter(one => one === 'GET /api/v1/namespaces/shop/secrets/slipway-ledger-shop').length

    await keeping.all(signal)
    t.equal(await keeping.read(application(), 'shop', signal), null)
    t.equal(reads(), 0)
    isTaken = true
    await t.rejects(keeping.write(application(), 1, kept, signal), OvertakenError)
    t.equal(await keeping.read(application(), 'shop', signal), null)
    t.equal(reads(), 1, 'it is looked for again')
    isTaken = false
    t.equal(await keeping.write(application(), 1, kept, signal), true)

    await keeping.all(signal)
    keeping.forgetAll()
    t.equal(await keeping.read({ name: 'other' }, 'shop', signal), null)
    t.ok(asked.includes('GET /api/v1/namespaces/shop/secrets/slipway-ledger-other'), 'others may have written since')
  },
)

t.test('what a write answered wakes nobody again when the watch says it', async t => {
  const object = (version: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'web',
      namespace: 'shop',
      uid: 'u1',
      resourceVersion: version,
      annotations: { 'argocd.argoproj.io/tracking-id': 'shop:/ConfigMap:shop/web' },
    },
  })
  let watch: ServerResponse | null = null
  const { client } = await served(t, (_, url, response) => {
    const resource = {
      resource: 'configmaps',
      responseKind: { group: '', version: 'v1', kind: 'ConfigMap' },
      scope: 'Namespaced',
    }
    const versions = [{ version: 'v1', resources: [{ ...resource, verbs: ['list', 'watch'] }] }]
    if (url.pathname === '/api') return { items: [{ metadata: { name: '' }, versions }] }
    if (url.pathname === '/apis') return { items: [] }
    if (!url.searchParams.has('watch'))
      return { kind: 'ConfigMapList', apiVersion: 'v1', items: [], metadata: { resourceVersion: '1' } }
    watch = response
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
    return undefined
  })
  const told: string[] = []
  const ending = new AbortController()
  const discovery = createDiscovery(client, Date.now)
  const changed = (name: string) => void told.push(name)
  const cache = createCache({ client, discovery, now: Date.now, changed, ended: () => {} }, ending.signal)
  t.teardown(() => ending.abort())
  await cache.watch([{ group: '', kind: 'ConfigMap' }], () => ending.signal)
  const saying = await until('it is watched', () => watch)

  cache.put(object('5'))
  t.same(told, ['shop'])
  saying.write(
    `${JSON.stringify({ type: 'ADDED', object: object('5') })}\n${JSON.stringify({ type: 'MODIFIED', object: object('6') })}\n`,
  )
  await until('the watch is heard', () => cache.of('shop')[0]?.version === '6')

  t.same(told, ['shop', 'shop', 'shop'], 'of the second version before and after, of the first not again')
})
