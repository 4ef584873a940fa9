import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { state, type TestPlane, testPlane } from '../support/network.js'

/** Whoever watches over a bridge makes it again: all end before any of it is taken away. */
const ending = new AbortController()
const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(100_000)])
const planes: TestPlane[] = []
t.teardown(async () => {
  ending.abort()
  for (const { end } of planes) await end()
})
const ip = (...args: string[]) =>
  execFileSync('ip', args, { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` }, encoding: 'utf8' })

/** Of this file alone: the same for all of its instances. */
const wanted = { podRange: '10.225.0.0/22', serviceRange: '10.224.0.0/22' }
const block = (address: string) => address.split('.').slice(0, 2).join('.') + Math.floor(Number(address.split('.')[2]) / 4)

function begun(): TestPlane {
  const one = testPlane(wanted)
  planes.push(one)
  return one
}

t.test('instances that begin at once, wanting the same, each get ranges of their own', async t => {
  const three = [begun(), begun(), begun()]

  await Promise.all(three.map(({ plane }) => plane.start(signal)))

  for (const { plane } of three) await plane.apply(state([]), signal)
  const names = three.map(({ plane }) => block(plane.dns('shop').servers[0]!))
  const pods = three.map(({ plane }) => block(plane.podAddress('one')))
  t.equal(new Set([...names, ...pods]).size, 6, `${names} ${pods}`)
})

t.test('ranges of an instance that is down are left to it', async t => {
  const [first, second] = [begun(), begun()]
  await first.plane.start(signal)
  const address = first.plane.clusterIP('shop', 'web')
  // As after a boot: the engine has its networks, nobody made the bridges of Services again.
  ip('link', 'del', first.serviceBridge)
  await second.plane.start(signal)

  const again = first.again()
  await again.start(signal)

  t.equal(again.clusterIP('shop', 'web'), address)
  t.not(block(second.plane.dns('shop').servers[0]!), block(again.dns('shop').servers[0]!))
})

t.test('a book that was lost is begun again with the ranges that the network says', async t => {
  const { plane, again, stateDir } = begun()
  await plane.start(signal)
  const given = [plane.podAddress('one'), plane.dns('shop').servers[0]]
  for (const name of ['addresses.json', 'addresses.json.copy']) rmSync(join(stateDir, name))

  const next = again()
  await next.start(signal)

  t.same([next.podAddress('one'), next.dns('shop').servers[0]], given)
})

t.test('who has the range of Services by now is named, with what to do', async t => {
  const { plane, again, serviceBridge } = begun()
  await plane.start(signal)
  plane.clusterIP('shop', 'web')
  const route = ip('-4', '-o', 'route', 'show', 'table', 'local')
    .split('\n')
    .find(line => line.includes(serviceBridge))
  const range = route!.split(' ')[1]!
  ip('route', 'replace', 'local', range, 'dev', 'lo', 'table', 'local')
  t.teardown(() => ip('route', 'del', 'local', range, 'dev', 'lo', 'table', 'local'))

  await t.rejects(again().start(signal), { message: /Services' range of this instance, is on lo now: end what has it/ })
})
