import { once } from 'node:events'
import { Agent, get, request } from 'node:http'
import { connect } from 'node:net'
import t from 'tap'
import type { Endpoint, ServicePort, ServiceSpec } from '../../runtime/network/types.js'
import { startLoad } from '../support/load.js'
import { endpoint, httpPod, type Pod, service, state, tcpPod, testPlane } from '../support/network.js'

const signal = AbortSignal.timeout(110_000)
const { plane, end } = testPlane()
t.before(() => plane.start(signal))
t.teardown(end)

const LIMIT_MS = 30_000

/** What a rollout does to one pod: the new one in, the old one drained, out, ended. Gives how many connections were cut. */
async function replace(services: readonly ServiceSpec[], old: Pod, next: Pod, others: readonly Endpoint[] = []): Promise<number> {
  const fresh = endpoint('web', next)
  await plane.apply(state(services, [...others, fresh, endpoint('web', old, { state: 'draining' })]), signal)
  const { cut } = await plane.drained(old.ip, LIMIT_MS, signal)
  await plane.apply(state(services, [...others, fresh]), signal)
  await old.end()
  return cut
}

function fetchFrom(host: string, path = '/', agent: Agent | false = false): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    get({ host, port: 80, path, agent }, response => {
      let body = ''
      response.on('data', chunk => {
        body += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    }).on('error', reject)
  })
}

async function openStream(host: string): Promise<import('node:net').Socket> {
  const socket = connect(80, host)
  socket.setEncoding('utf8').on('error', () => {})
  await once(socket, 'connect')
  return socket
}

const modes: readonly ServicePort['mode'][] = ['http', 'detect']
for (const mode of modes) {
  t.test(`30 switches and 5 reloads under load fail no request and serve none twice (${mode})`, async t => {
    let pod = await httpPod()
    let cuts = 0
    const served = [pod.served]
    let services = [service('web', { mode })]
    await plane.apply(state(services, [endpoint('web', pod)]), signal)
    const load = startLoad(plane.clusterIP('shop', 'web'), 80)

    for (let count = 0; count < 30; count++) {
      const next = await httpPod()
      served.push(next.served)
      if (count % 6 === 5) services = [...services, service(`more-${count}`)]
      cuts += await replace(services, pod, next)
      pod = next
    }
    await load.stop()
    await pod.end()

    t.same(load.failed, [])
    t.equal(cuts, 0)
    t.ok(load.ok.length > 100, `${load.ok.length} requests`)
    const all = served.flat()
    t.equal(new Set(all).size, all.length, 'each request was served once')
  })
}

t.test('a drain waits for a long request', async t => {
  const [old, next] = [await httpPod(), await httpPod()]
  t.teardown(() => next.end())
  const services = [service('web')]
  await plane.apply(state(services, [endpoint('web', old)]), signal)

  const answer = fetchFrom(plane.clusterIP('shop', 'web'), '/slow?1500')
  await until(() => old.served.length === 1)
  const cut = await replace(services, old, next)

  t.equal(cut, 0)
  t.same(await answer, { status: 200, body: old.ip })
})

t.test('a drain waits for a WebSocket and for a TCP stream', async t => {
  const [web, db] = [await httpPod(), await tcpPod('')]
  t.teardown(() => Promise.all([web.end(), db.end()]))
  const services = [service('web'), service('db', { mode: 'tcp' })]
  await plane.apply(state(services, [endpoint('web', web), endpoint('db', db)]), signal)
  const socket = await openWebSocket(plane.clusterIP('shop', 'web'))
  const stream = await openStream(plane.clusterIP('shop', 'db'))
  stream.write('1')
  await once(stream, 'data')

  const closed = (pod: Pod, name: string) => endpoint(name, pod, { state: 'draining' })
  await plane.apply(state(services, [closed(web, 'web'), closed(db, 'db')]), signal)
  const order: string[] = []
  const drains = [web, db].map(pod =>
    plane.drained(pod.ip, LIMIT_MS, signal).then(({ cut }) => order.push(`drained, ${cut} cut`)),
  )
  for (const open of [socket, stream]) {
    await new Promise(resolve => setTimeout(resolve, 300))
    const echo = once(open, 'data')
    open.write('still here')
    t.equal(String((await echo)[0]), 'still here')
    order.push('closed')
    open.end()
    await until(() => order.at(-1)?.startsWith('drained') === true)
  }
  await Promise.all(drains)

  t.same(order, ['closed', 'drained, 0 cut', 'closed', 'drained, 0 cut'])
})

t.test('at its limit a drain cuts what is left and counts it', async t => {
  const db = await tcpPod('')
  t.teardown(() => db.end())
  const services = [service('db', { mode: 'tcp' })]
  await plane.apply(state(services, [endpoint('db', db)]), signal)
  const streams = [await openStream(plane.clusterIP('shop', 'db')), await openStream(plane.clusterIP('shop', 'db'))]
  // One of them stays with a worker of before the reload.
  await plane.apply(state([...services, service('later')], [endpoint('db', db)]), signal)
  streams.push(await openStream(plane.clusterIP('shop', 'db')))
  const ended = Promise.all(streams.map(stream => once(stream.resume(), 'close')))
  await until(async () => (await echoes(streams[2])) === 'x')

  await plane.apply(state([...services, service('later')], [endpoint('db', db, { state: 'draining' })]), signal)
  const { cut } = await plane.drained(db.ip, 300, signal)

  t.equal(cut, 3)
  await ended
})

t.test('a client that sits idle on the worker of before a reload loses nothing when its pod is stopped', async t => {
  const [old, next] = [await httpPod(), await httpPod()]
  t.teardown(() => next.end())
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  let services = [service('web')]
  await plane.apply(state(services, [endpoint('web', old)]), signal)
  const host = plane.clusterIP('shop', 'web')
  t.equal((await fetchFrom(host, '/', agent)).body, old.ip)

  services = [...services, service('new-listener')]
  await plane.apply(state(services, [endpoint('web', old)]), signal)
  const replaced = replace(services, old, next)
  await new Promise(resolve => setTimeout(resolve, 500))
  const first = await fetchFrom(host, '/', agent)
  await replaced
  const second = await fetchFrom(host, '/', agent)

  t.equal(first.status, 200)
  t.same(second, { status: 200, body: next.ip })
})

t.test('a WebSocket on the worker of before a reload holds its own pod and no other', async t => {
  const [chat, old, next] = [await httpPod(), await httpPod(), await httpPod()]
  t.teardown(() => Promise.all([chat.end(), next.end()]))
  const services = [service('chat', { mode: 'detect' }), service('web')]
  const chats = endpoint('chat', chat)
  await plane.apply(state(services, [chats, endpoint('web', old)]), signal)
  const socket = await openWebSocket(plane.clusterIP('shop', 'chat'))

  await replace([...services, service('another')], old, next, [chats])
  const echo = once(socket, 'data')
  socket.write('still here')
  t.equal(String((await echo)[0]), 'still here')
  await plane.apply(state(services, [endpoint('web', next)]), signal)

  t.same(await plane.drained(chat.ip, 200, signal), { cut: 1 })
})

t.test('a keep-alive client moves at its next request', async t => {
  const [old, next] = [await httpPod(), await httpPod()]
  t.teardown(() => next.end())
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const services = [service('web', { mode: 'detect' })]
  await plane.apply(state(services, [endpoint('web', old)]), signal)
  const host = plane.clusterIP('shop', 'web')
  const before = await fetchFrom(host, '/', agent)

  await replace(services, old, next)
  const after = await fetchFrom(host, '/', agent)

  t.same([before.body, after.body], [old.ip, next.ip])
})

t.test('more pods than slots cost a reload, and nobody notices', async t => {
  const pods = await Promise.all(Array.from({ length: 20 }, () => httpPod()))
  t.teardown(() => Promise.all(pods.map(pod => pod.end())))
  const services = [service('many')]
  await plane.apply(state(services, [endpoint('many', pods[0]!)]), signal)
  const load = startLoad(plane.clusterIP('shop', 'many'), 80, 4)

  await plane.apply(
    state(
      services,
      pods.map(pod => endpoint('many', pod)),
    ),
    signal,
  )
  await until(() => pods.every(pod => pod.served.length > 0))
  await load.stop()

  t.same(load.failed, [])
})

async function openWebSocket(host: string): Promise<import('node:net').Socket> {
  const headers = { connection: 'Upgrade', upgrade: 'echo' }
  const [, socket] = await once(request({ host, port: 80, agent: false, headers }).end(), 'upgrade')
  socket.on('error', () => {})
  return socket
}

async function echoes(stream: import('node:net').Socket | undefined): Promise<string> {
  const heard = once(stream!, 'data')
  stream?.write('x')
  return String((await heard)[0])
}

async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  const limit = Date.now() + 20_000
  while (!(await done())) {
    if (Date.now() > limit) throw new Error(`not within 20 s: ${done}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}
