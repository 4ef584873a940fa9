import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { findProcesses } from '../../runtime/network/detached.js'
import { createNames } from '../../runtime/network/names/names.js'
import { ask, keepAsking } from '../support/ask.js'
import { until } from '../support/controller.js'
import { endpoint, httpPod, service, state, testPlane } from '../support/network.js'

const name = 'web.shop.svc.cluster.local'

function processes(stateDir: string) {
  const all = findProcesses([join(stateDir, 'zone.json'), '/names/main.'])
  const isShell = (pid: number) => /hold\.sh/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
  return { shells: all.filter(isShell), answering: all.filter(pid => !isShell(pid)) }
}

async function serving() {
  const { plane, owned, again, stateDir, end } = testPlane()
  t.teardown(end)
  const pod = await httpPod()
  t.teardown(() => pod.end())
  const wanted = state([service('web')], [endpoint('web', pod)])
  const owner = await owned(wanted)
  t.teardown(() => owner.kill('SIGKILL'))
  await until('the shells are there', () => processes(stateDir).shells.length === 2)
  const { services } = JSON.parse(readFileSync(join(stateDir, 'zone.json'), 'utf8'))
  const address: string = services[0].ip
  // The first of a range is the network's own; names has a fixed one near it.
  const server = address.replace(/\.\d+$/, '.10')
  return { plane, again, owner, wanted, stateDir, address, server }
}

t.test('no question is left without an answer when the owner is killed, and when the next one takes over', async t => {
  const signal = AbortSignal.timeout(100_000)
  const { plane, owner, wanted, stateDir, address, server } = await serving()
  t.same(processes(stateDir).answering, [], 'while the owner lives no other process answers')
  const asking = (['udp', 'tcp'] as const).map(over => keepAsking(server, name, address, over))
  t.teardown(() => Promise.all(asking.map(each => each.stop())))
  const more = () => {
    const before = asking.map(({ answered }) => answered)
    return until('questions are answered', () => asking.every(({ answered }, index) => answered > before[index]! + 100))
  }
  await more()

  owner.kill('SIGKILL')
  await once(owner, 'exit')
  await more()
  t.equal(processes(stateDir).answering.length, 1, 'one that the shell has begun answers')

  await plane.start(signal)
  await more()
  await until('and leaves', () => processes(stateDir).answering.length === 0)
  await more()
  t.equal(processes(stateDir).shells.length, 2, 'the shells of the next owner alone are left')

  await Promise.all(asking.map(each => each.stop()))
  for (const { failed, answered } of asking) t.same(failed, [], `of ${answered}`)
  await plane.apply(wanted, signal)
})

t.test('an owner that hangs is answered for, and answers again by itself', async t => {
  const { owner, stateDir, address, server } = await serving()

  owner.kill('SIGSTOP')
  await until('somebody else answers', () => ask(server, name, 'udp', 1).then(found => found?.join() === address))
  t.equal(processes(stateDir).answering.length, 1)

  owner.kill('SIGCONT')
  await until('it leaves', () => processes(stateDir).answering.length === 0)
  t.same(await ask(server, name), [address])
  await until('the shells are there again', () => processes(stateDir).shells.length === 2)
})

t.test('what keeps the sockets is begun again when it is killed', async t => {
  const { owner, stateDir, address, server } = await serving()
  const { shells } = processes(stateDir)

  for (const pid of shells) process.kill(pid, 'SIGKILL')
  await until('others are there', () => {
    const now = processes(stateDir).shells
    return now.length === 2 && !now.some(pid => shells.includes(pid))
  })
  owner.kill('SIGKILL')
  await once(owner, 'exit')

  t.same(await ask(server, name), [address])
})

t.test('where somebody else has the port it is said, and traffic is steered without names', async t => {
  const { plane, again, stateDir, end } = testPlane()
  t.teardown(end)
  const first = new AbortController()
  await plane.start(first.signal)
  const server = plane.dns('shop').servers[0]!
  first.abort()
  await until('another process answers', () => processes(stateDir).answering.length === 1)
  const { shells, answering } = processes(stateDir)
  for (const pid of [...shells, ...answering]) process.kill(pid, 'SIGKILL')
  const foreign = createServer()
  await until('its port is free', async () => {
    foreign.listen(53, server)
    return once(foreign, 'listening').then(() => true)
  })

  const signal = AbortSignal.timeout(60_000)
  const next = again()
  const pod = await httpPod()
  t.teardown(() => pod.end())
  const message = `names cannot be answered on ${server}:53: another process listens there; end it`
  await t.rejects(next.start(signal), { message })
  await t.rejects(next.apply(state([service('web')], [endpoint('web', pod)]), signal), { name: 'ListenerConflict', message })
  t.equal((await fetch(`http://${next.clusterIP('shop', 'web')}/`)).status, 200)

  foreign.close()
  await next.apply(state([service('web')], [endpoint('web', pod)]), signal)
  t.same(await ask(server, name), [next.clusterIP('shop', 'web')])
})

t.test('much that is asked is answered by a process of its own for as long as that lasts', async t => {
  const directory = t.testdir({
    'zone.json': JSON.stringify({
      version: 1,
      domain: 'cluster.local',
      services: [{ namespace: 'shop', name: 'web', ip: '10.210.0.16', externalName: null, ports: [], hosts: [] }],
    }),
  })
  const server = `127.89.${process.pid % 250}.10`
  const said: string[] = []
  const ending = new AbortController()
  const names = createNames(
    {
      directory,
      program: process.execPath,
      address: server,
      log: message => said.push(message),
      limits: { questions: 100, last: 10, calmPercent: 1, calmMs: 1_500 },
    },
    ending.signal,
  )
  t.teardown(() => names.end())
  await names.start(ending.signal)
  t.same(await ask(server, name), ['10.210.0.16'])
  await until('nobody else answers', () => processes(directory).answering.length === 0)

  const flood = keepAsking(server, name, '10.210.0.16', 'udp', 16, 2)
  t.teardown(() => flood.stop())
  await until('it is given away', () => processes(directory).answering.length === 1)
  const before = flood.answered
  await until('all are answered', () => flood.answered > before + 1_000)
  t.ok(names.answers())
  await flood.stop()
  t.same(flood.failed, [])

  await until('it is taken back', () => processes(directory).answering.length === 0)
  t.same(await ask(server, name), ['10.210.0.16'])
  t.same(said, ['names answered by a process of their own: much is asked', 'names answered by the runtime again'])

  ending.abort()
  await until('another process answers', () => processes(directory).answering.length === 1)
  t.same(await ask(server, name), ['10.210.0.16'])
})
