import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import packet from 'dns-packet'
import t from 'tap'
import { findProcesses } from '../../runtime/network/detached.js'
import { createHaproxy } from '../../runtime/network/haproxy/process.js'
import { haproxyProgram } from '../../runtime/network/haproxy/program.js'
import { startLoad } from '../support/load.js'
import { endpoint, httpPod, service, state, testPlane } from '../support/network.js'

const signal = AbortSignal.timeout(100_000)

t.test('a killed owner leaves traffic and names as they are, and the next one takes over without a reload', async t => {
  const { plane, owned, stateDir, end } = testPlane()
  t.teardown(end)
  const [old, next] = [await httpPod(), await httpPod()]
  t.teardown(() => next.end())
  const services = [service('web')]
  const owner = await owned(state(services, [endpoint('web', old)]))
  const workers = () => findProcesses([join(stateDir, 'haproxy.cfg')])
  const before = workers()
  const zone = JSON.parse(readFileSync(join(stateDir, 'zone.json'), 'utf8'))
  const load = startLoad(zone.services[0].ip, 80, 4)

  owner.kill('SIGKILL')
  await once(owner, 'exit')
  await until(() => load.ok.length > 50)
  await plane.start(signal)
  t.equal(plane.clusterIP('shop', 'web'), zone.services[0].ip, 'the address is the same')
  await plane.apply(state(services, [endpoint('web', next), endpoint('web', old, { state: 'draining' })]), signal)
  t.same(await plane.drained(old.ip, 30_000, signal), { cut: 0 })
  await old.end()
  await until(() => next.served.length > 50)
  await load.stop()

  t.same(load.failed, [])
  t.same(workers(), before, 'the same processes')
  t.equal(await nameOf(plane.dns('shop').servers[0]!, 'web.shop.svc.cluster.local'), zone.services[0].ip)
})

t.test('HAProxy comes back by itself when it is killed', async t => {
  const { plane, stateDir, end } = testPlane()
  t.teardown(end)
  const pod = await httpPod()
  t.teardown(() => pod.end())
  await plane.start(signal)
  await plane.apply(state([service('web')], [endpoint('web', pod)]), signal)
  const pidOf = (file: string) => Number(readFileSync(join(stateDir, file), 'utf8'))
  const address = plane.clusterIP('shop', 'web')

  const first = pidOf('haproxy.pid')
  process.kill(first, 'SIGKILL')
  await until(() => existsSync(join(stateDir, 'haproxy.pid')) && pidOf('haproxy.pid') !== first)
  // A worker that ends takes its master with it.
  const workers = () => findProcesses([join(stateDir, 'haproxy.cfg')]).filter(pid => pid !== pidOf('haproxy.pid'))
  await until(() => workers().length > 0)
  const master = pidOf('haproxy.pid')
  process.kill(workers()[0]!, 'SIGKILL')
  await until(() => existsSync(join(stateDir, 'haproxy.pid')) && pidOf('haproxy.pid') !== master)

  await until(async () => (await fetch(`http://${address}/`).catch(() => null))?.status === 200)
  t.equal(await nameOf(plane.dns('shop').servers[0]!, 'web.shop.svc.cluster.local'), address)
  t.equal(findProcesses([join(stateDir, 'haproxy.cfg')]).length, 2, 'one master, one worker')
})

t.test('what was begun anew is led to its end, though that failed at first', async t => {
  const said: string[] = []
  const { plane, stateDir, end } = testPlane({ log: message => void said.push(message) })
  t.teardown(end)
  await plane.start(signal)
  await plane.apply(state([service('web')]), signal)
  const [zone, next] = ['zone.json', 'zone.json.new'].map(name => join(stateDir, name)) as [string, string]
  // Nobody can write there: what is steered after HAProxy began stays half.
  rmSync(zone)
  mkdirSync(next)

  process.kill(Number(readFileSync(join(stateDir, 'haproxy.pid'), 'utf8')), 'SIGKILL')
  await until(() => said.includes('data plane not restored yet'))
  rmdirSync(next)

  await until(() => existsSync(zone))
  t.match(readFileSync(zone, 'utf8'), plane.clusterIP('shop', 'web'))
})

t.test('a reload that fails leaves what runs as it was', async t => {
  const { plane, haproxyPath, stateDir, end } = testPlane()
  t.teardown(end)
  const pods = [await httpPod(), await httpPod()]
  t.teardown(() => Promise.all(pods.map(pod => pod.end())))
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as { port: number }
  const services = [service('web', { mode: 'detect' })]
  await plane.start(signal)
  await plane.apply(state(services, [endpoint('web', pods[0]!)]), signal)

  const haproxy = createHaproxy({ runner: haproxyProgram(haproxyPath, join(stateDir, 'haproxy.log')), directory: stateDir })
  const text = readFileSync(join(stateDir, 'haproxy.cfg'), 'utf8')
  await t.rejects(
    haproxy.reload(`${text}\nfrontend no from tcp\n  bind 127.0.0.1:${port}\n`, 'never', signal),
    /HAProxy does not run as configured/,
  )

  const address = `http://${plane.clusterIP('shop', 'web')}/`
  t.equal(await (await fetch(address)).text(), pods[0]!.ip)
  await plane.apply(state([...services, service('next')], [endpoint('web', pods[1]!)]), signal)
  // The first answer still comes over the connection that was open, and says that it ends.
  await until(async () => (await (await fetch(address)).text()) === pods[1]!.ip)
})

t.test('after a restart of the machine all of it is made again with the same addresses', async t => {
  const { plane, again, serviceBridge, stateDir, end } = testPlane()
  t.teardown(end)
  const pod = await httpPod()
  t.teardown(() => pod.end())
  const before = new AbortController()
  const wanted = state([service('web')], [endpoint('web', pod)])
  await plane.start(before.signal)
  await plane.apply(wanted, signal)
  const address = plane.clusterIP('shop', 'web')

  before.abort()
  for (const pid of findProcesses([stateDir])) process.kill(pid, 'SIGKILL')
  execFileSync('ip', ['link', 'del', serviceBridge])
  const restarted = again()
  await restarted.start(signal)
  await restarted.apply(wanted, signal)

  t.equal((await fetch(`http://${address}/`)).status, 200)
  t.equal(await nameOf(restarted.dns('shop').servers[0]!, 'web.shop.svc.cluster.local'), address)
})

t.test('addresses and node ports are kept over restarts and recycled late', async t => {
  const { plane, again, end } = testPlane()
  t.teardown(end)
  await plane.start(signal)
  const services = [service('web', {}, { type: 'NodePort' })]
  await plane.apply(state(services), signal)
  const given = [plane.podAddress('a'), plane.podAddress('b'), plane.clusterIP('shop', 'web'), plane.nodePort('shop', 'web', 80)]
  plane.releaseAddress('a')

  const restarted = again()
  await restarted.start(signal)
  await restarted.apply(state(services), signal)

  t.match(given[3], /^3[0-2]\d{3}$/)
  t.not(restarted.podAddress('c'), given[0], 'what was just given back is not given to the next')
  const same = ['a', 'b'].map(uid => restarted.podAddress(uid))
  t.same([...same, restarted.clusterIP('shop', 'web'), restarted.nodePort('shop', 'web', 80)], given)
})

t.test('a node port answers on every address of the machine, and one that is taken is named', async t => {
  const { plane, end } = testPlane()
  t.teardown(end)
  const pod = await httpPod()
  t.teardown(() => pod.end())
  const taken = createServer()
  taken.listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as { port: number }
  await plane.start(signal)
  const web = service('web', {}, { type: 'NodePort' })
  const clash = service('clash', { nodePort: port }, { type: 'NodePort' })
  await plane.apply(state([web], [endpoint('web', pod)]), signal)
  const nodePort = plane.nodePort('shop', 'web', 80)!

  t.equal((await fetch(`http://127.0.0.1:${nodePort}/`)).status, 200)
  t.same(await plane.conflicts([web]), [], 'our own listener is no conflict')
  const message = `shop/clash: port ${port} is in use by another process that listens on 127.0.0.1; end it or choose another port`
  t.same(await plane.conflicts([clash]), [{ service: 'shop/clash', message }])
  const twice = service('twice', { nodePort }, { type: 'NodePort' })
  t.match(await plane.conflicts([twice]), [{ service: 'shop/twice', message: /already Service shop\/web's/ }])

  await t.rejects(plane.apply(state([web, clash], [endpoint('web', pod)]), signal), { message })
  t.equal((await fetch(`http://127.0.0.1:${nodePort}/`)).status, 200, 'the others are as they should be')
  await new Promise(resolve => taken.close(resolve))
  await plane.apply(state([web, clash], [endpoint('web', pod), endpoint('clash', pod)]), signal)
  t.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200, 'and once the port is free it is taken')
})

t.test('a LoadBalancer listens on its own port of the machine beside the Service address', async t => {
  const { plane, end } = testPlane()
  t.teardown(end)
  const pod = await httpPod()
  t.teardown(() => pod.end())
  await plane.start(signal)
  const port = await freePort()

  await plane.apply(
    state([service('web', { port }, { type: 'LoadBalancer' })], [endpoint('web', pod, { servicePort: port })]),
    signal,
  )

  for (const host of ['127.0.0.1', plane.clusterIP('shop', 'web')]) t.equal((await fetch(`http://${host}:${port}/`)).status, 200)
})

t.test('after a purge nothing is left', async t => {
  const { plane, stateDir, end } = testPlane()
  t.teardown(end)
  await plane.start(signal)
  await plane.apply(state([service('web')]), signal)
  const address = plane.clusterIP('shop', 'web')

  await plane.purge()

  await until(() => findProcesses([stateDir]).length === 0)
  t.equal(existsSync(stateDir), false)
  t.notMatch(execFileSync('ip', ['route', 'show', 'table', 'all'], { encoding: 'utf8' }), new RegExp(address.replace(/\d+$/, '')))
})

async function nameOf(server: string, name: string): Promise<string> {
  const socket = createSocket('udp4')
  socket.send(packet.encode({ type: 'query', id: 7, questions: [{ type: 'A', name }] }), 53, server)
  const [answer] = await once(socket, 'message')
  socket.close()
  return packet
    .decode(answer)
    .answers!.map(each => String((each as { data?: unknown }).data))
    .join()
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '0.0.0.0')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}

async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  const limit = Date.now() + 20_000
  while (!(await done())) {
    if (Date.now() > limit) throw new Error(`not within 20 s: ${done}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}
