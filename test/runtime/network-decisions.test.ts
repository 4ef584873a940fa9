import t from 'tap'
import {
  chooseRange,
  formatIp,
  formatRange,
  overlap,
  parseIp,
  parseRange,
  routedRanges,
} from '../../runtime/network/addresses.js'
import { collide } from '../../runtime/network/conflicts.js'
import { readInfo, readLoads, readProcesses, readSessions, readSlots } from '../../runtime/network/haproxy/answers.js'
import { readListening } from '../../runtime/network/host.js'
import { listenersOf, targetsOf } from '../../runtime/network/listeners.js'
import { count, isCalm, quiet } from '../../runtime/network/names/load.js'
import { inodesOf, localAddress } from '../../runtime/network/names/sockets.js'
import { emptyPool, giveBack, hold, type Pool, take } from '../../runtime/network/pool.js'
import { rangesAround } from '../../runtime/network/ranges.js'
import { EMPTY, layOut, planSteps, type Slot, slotCount, stepped } from '../../runtime/network/slots.js'
import { endpoint, service } from '../support/network.js'

t.test('ranges of addresses', t => {
  t.equal(formatIp(parseIp('10.211.255.9')), '10.211.255.9')
  t.equal(formatRange(parseRange('10.211.3.4/16')), '10.211.0.0/16')
  for (const wrong of ['10.1', '10.1.1.256', 'a.b.c.d', '']) t.throws(() => parseIp(wrong), /not an IPv4 address/)
  t.throws(() => parseRange('10.0.0.0/33'), /not an IPv4 range/)
  const cases: readonly [string, string, boolean][] = [
    ['10.210.0.0/16', '10.211.0.0/16', false],
    ['10.210.0.0/16', '10.210.255.255/32', true],
    ['10.0.0.0/8', '10.210.0.0/16', true],
  ]
  for (const [a, b, expected] of cases) t.equal(overlap(parseRange(a), parseRange(b)), expected, `${a} and ${b}`)
  t.end()
})

t.test('a range that is routed already is passed over', t => {
  const routes = [
    'default via 192.0.2.1 dev eth0',
    '172.17.0.0/16 dev docker0 proto kernel',
    '10.210.0.0/15 dev vpn0',
    'local 10.212.0.1 dev lo table local',
    'broadcast 10.213.255.255 dev eth1 table local',
    'unreachable 10.250.0.0/16 metric 4278198272',
  ]
  const routed = routedRanges(routes.join('\n'))
  const taken = routed.map(({ range }) => range)
  t.same(
    routed.map(({ range, device }) => `${formatRange(range)} ${device}`),
    ['172.17.0.0/16 docker0', '10.210.0.0/15 vpn0', '10.212.0.1/32 lo', '10.213.255.255/32 eth1', '10.250.0.0/16 '],
  )
  t.equal(formatRange(chooseRange(parseRange('10.210.0.0/16'), taken)), '10.214.0.0/16')
  t.equal(formatRange(chooseRange(parseRange('10.64.0.0/16'), taken)), '10.64.0.0/16')
  t.throws(() => chooseRange(parseRange('10.0.0.0/8'), taken), /no free address range/)
  t.end()
})

t.test('pods and Services get ranges that nobody has; what is there already stays', t => {
  const wanted = { pods: parseRange('10.211.0.0/16'), services: parseRange('10.210.0.0/16') }
  const network = (subnet: string, services: string) => ({ subnet, gateway: '', services })
  const table: readonly [string, ReturnType<typeof network> | null, readonly string[], string, string][] = [
    ['nobody is there', null, [], '10.211.0.0/16', '10.210.0.0/16'],
    ['both are taken', null, ['10.210.0.0/16', '10.211.0.0/16'], '10.213.0.0/16', '10.212.0.0/16'],
    ['the pods are', null, ['10.211.128.0/24'], '10.212.0.0/16', '10.210.0.0/16'],
    ['the Services are', null, ['10.210.0.0/20'], '10.211.0.0/16', '10.212.0.0/16'],
    ['its network is there', network('10.240.0.0/16', ''), [], '10.240.0.0/16', '10.210.0.0/16'],
    ['it says what its Services had', network('10.240.0.0/16', '10.239.0.0/16'), [], '10.240.0.0/16', '10.239.0.0/16'],
    [
      'somebody else has that now',
      network('10.240.0.0/16', '10.239.0.0/16'),
      ['10.239.0.0/16'],
      '10.240.0.0/16',
      '10.241.0.0/16',
    ],
  ]
  for (const [what, existing, taken, pods, services] of table) {
    const others = taken.map(range => ({ range: parseRange(range), device: '' }))
    const found = rangesAround(wanted, existing, others)
    t.same([formatRange(found.pods), formatRange(found.services)], [pods, services], what)
  }
  t.end()
})

t.test('numbers are kept for their key and recycled in the order in which they came back', t => {
  const given: number[] = []
  const step = (pool: Pool, key: string) => {
    const taken = take(pool, key)
    given.push(taken?.number ?? -1)
    return taken?.pool ?? pool
  }
  let pool = ['a', 'b', 'c', 'a'].reduce(step, emptyPool(3))
  pool = giveBack(giveBack(pool, 'b'), 'a')
  pool = ['b', 'd', 'e'].reduce(step, pool)
  t.same(given, [0, 1, 2, 0, 1, 0, -1], 'b gets its own again, d what a gave back, e nothing')
  t.equal(take(emptyPool(3), 'x', number => number === 0)?.number, 1, 'around what is in use')
  const held = hold(emptyPool(9), 'x', 4)
  t.equal(take(held, 'y')?.number, 5)
  t.end()
})

t.test('slots', t => {
  const at = (last: number, open = true): Slot => ({ ip: `10.0.0.${last}`, port: 80, open })
  const two = layOut([at(1), at(2)], 4)
  const none: ReadonlySet<number> = new Set()
  const cases: readonly [string, readonly Slot[], readonly Slot[], ReadonlySet<number>, readonly Slot[] | null][] = [
    ['nothing changes', two, [at(2), at(1)], none, two],
    ['a new one takes an empty slot', two, [at(1), at(2), at(3)], none, [at(1), at(2), at(3), EMPTY]],
    ['a draining one is closed', two, [at(1), at(2, false)], none, [at(1), at(2, false), EMPTY, EMPTY]],
    ['one that is gone is closed and keeps its address', two, [at(1)], none, [at(1), at(2, false), EMPTY, EMPTY]],
    ['a draining one without a slot needs none', two, [at(1), at(2), at(9, false)], none, two],
    ['one that comes back is opened', [at(1, false), EMPTY], [at(1)], none, [at(1), EMPTY]],
    ['left slots are used again', [at(1, false), at(2)], [at(2), at(3)], none, [at(3), at(2)]],
    ['but not while they are busy', [at(1, false), at(2)], [at(2), at(3)], new Set([0]), null],
    ['too many', two, [at(1), at(2), at(3), at(4), at(5)], none, null],
  ]
  for (const [name, slots, wanted, busy, expected] of cases) {
    const steps = planSteps(slots, wanted, busy)
    t.same(steps === null ? null : stepped(slots, steps), expected, name)
  }
  const steps = planSteps(two, [at(3)], none)
  t.same(
    steps?.map(step => step.to.open),
    [true, false, false],
    'what opens comes first',
  )
  t.same([slotCount(1, 0), slotCount(8, 0), slotCount(9, 16), slotCount(17, 16)], [16, 16, 16, 32])
  t.end()
})

t.test('listeners of Services', t => {
  const given = { clusterIP: () => '10.210.0.16', nodePort: () => 30_001 }
  const services = [
    service('b', {}, { type: 'LoadBalancer' }),
    service('a', {}, { type: 'NodePort' }),
    service('c'),
    service('headless', {}, { headless: true }),
    service('mail', {}, { externalName: 'mx.example.org' }),
  ]
  const bound = listenersOf(services, given).map(({ name, binds }) => [name, ...binds.map(({ ip, port }) => `${ip}:${port}`)])
  t.same(bound, [
    ['shop.a.80', '10.210.0.16:80', '0.0.0.0:30001'],
    ['shop.b.80', '10.210.0.16:80', '0.0.0.0:80', '0.0.0.0:30001'],
    ['shop.c.80', '10.210.0.16:80'],
  ])
  t.throws(() => listenersOf([service('a\n  bind :22')], given), /no DNS label/)
  const pod = { ip: '10.0.0.1', port: 8080 }
  t.same(targetsOf([endpoint('a', pod), endpoint('a', pod, { podUid: 'again' })]).get('shop.a.80')?.length, 1)
  t.end()
})

t.test('which sockets keep a listener from its port', t => {
  const text = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0',
    '   1: 0100007F:1F91 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4243 1 0 100 0 0 10 0',
    '   2: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7 1 0',
    '   3: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 8 1 0',
  ]
  const [loopback, everywhere, six] = readListening(text.join('\n'))
  t.same(
    [loopback, everywhere],
    [
      { ip: '127.0.0.1', port: 8080, inode: '4242' },
      { ip: '*', port: 80, inode: '7' },
    ],
  )
  const cases: readonly [string, number, typeof loopback, boolean][] = [
    ['10.210.0.16', 8080, loopback, false],
    ['0.0.0.0', 8080, loopback, true],
    ['10.210.0.16', 80, everywhere, true],
    ['10.210.0.16', 81, everywhere, false],
    ['0.0.0.0', 81, six, false],
  ]
  for (const [ip, port, socket, expected] of cases) t.equal(collide({ ip, port }, socket!), expected, `${ip}:${port}`)
  t.end()
})

t.test("HAProxy's answers", t => {
  const processes = `#<PID>          <type>          <reloads>       <uptime>        <version>
11186           master          1 [failed: 0]   0d00h00m30s     2.6.12
# workers
11856           worker          0               0d00h00m00s     2.6.12
# old workers
11190           worker          1               0d00h00m30s     2.6.12
# programs
`
  t.same(readProcesses(processes), { master: 11186, workers: [11856], old: [11190], failedReloads: 0 })
  t.same(readInfo('Pid: 7\nCurrConns: 4\nMaxSslConns: 0\ndescription: abc\n'), { pid: 7, shape: 'abc', clients: 4 })
  const slots = `1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state and so on
3 b1 1 s1 127.9.0.2 2 4 1 1 30 1 0 2 0 0 0 0 - 9000 - 0 0 - - 0
3 b1 2 s2 127.9.0.3 0 5 1 1 30 1 0 0 8 0 0 0 - 9001 - 0 0 - - 0
3 b1 3 s3 127.9.0.4 0 8 1 1 30 1 0 0 8 0 0 0 - 9002 - 0 0 - - 0
`
  t.same(readSlots(slots).get('b1'), [
    { ip: '127.9.0.2', port: 9000, open: true },
    { ip: '127.9.0.3', port: 9001, open: false },
    { ip: '127.9.0.4', port: 9002, open: false },
  ])
  const loads = '# pxname,svname,qcur,scur,type,addr,\nb1,s1,1,2,2,127.9.0.2:9000,\nb1,BACKEND,0,2,1,,\n'
  t.same(readLoads(loads), [{ backend: 'b1', server: 's1', ip: '127.9.0.2', sessions: 3 }])
  const sessions = `0x5649: proto=tcpv4 src=127.0.0.1:5 fe=f2 be=b2 srv=s1 ts=00
0x5650: proto=sockpair src=unix:2 fe=GLOBAL be=<NONE> srv=<none> ts=00
0x5651: proto=tcpv4 src=127.0.0.1:6 fe=f2 be=<NONE> srv=<none> ts=00
`
  t.same(readSessions(sessions), [
    { id: '0x5649', backend: 'b2', server: 's1' },
    { id: '0x5651', backend: '<NONE>', server: '<none>' },
  ])
  t.end()
})

t.test('of one second so many questions are answered, and with one of them the sockets are given away', t => {
  const limits = { questions: 3, last: 2, calmPercent: 2, calmMs: 1_000 }
  const times = [0, 10, 20, 30, 40, 50, 999, 1_000, 1_001]
  let second = quiet
  const said = times.map(now => {
    const counted = count(second, now, limits)
    second = counted.second
    return `${counted.answer ? 'answered' : 'not'}${counted.give ? ', given' : ''}`
  })
  t.same(said, ['answered', 'answered', 'answered, given', 'answered', 'answered', 'not', 'not', 'answered', 'answered'])
  const calm = (workedMs: number) => isCalm({ at: 5_000, workedMs: 100 }, { at: 15_000, workedMs }, limits)
  t.same([100, 300, 301].map(calm), [true, true, false], 'two percent of ten seconds are 200 ms')
  t.end()
})

t.test('sockets of an address that nobody is connected to are found in what the kernel lists', t => {
  const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  417: 0A00D20A:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 0
  418: 0A00D20A:0035 0100007F:A000 01 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 0
  419: 0A00D20A:0036 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4713 2 0000000000000000 0
  420: 0A00D20A:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4714 2 0000000000000000 0
`
  t.equal(localAddress('10.210.0.10', 53), '0A00D20A:0035')
  t.same(inodesOf(text, localAddress('10.210.0.10', 53)), ['4711', '4714'])
  t.end()
})
