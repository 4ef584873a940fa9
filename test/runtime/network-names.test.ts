import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import packet from 'dns-packet'
import t from 'tap'
import { createResponder } from '../../runtime/network/names/responder.js'
import { bindUdp } from '../../runtime/network/names/sockets.js'
import { reply, type Zone } from '../../runtime/network/names/zone.js'
import { loadBusybox, testDocker } from '../support/images.js'
import { endpoint, httpPod, service, state, testPlane } from '../support/network.js'

const zone: Zone = {
  version: 1,
  domain: 'cluster.local',
  services: [
    { namespace: 'shop', name: 'web', ip: '10.210.0.16', externalName: null, ports: [{ name: 'http', port: 80 }], hosts: [] },
    {
      namespace: 'shop',
      name: 'db',
      ip: null,
      externalName: null,
      ports: [{ name: 'sql', port: 5432 }],
      hosts: [
        { ip: '10.211.0.2', hostname: 'db-0', ports: { sql: 5433 } },
        { ip: '10.211.0.3', hostname: '', ports: { sql: 5432 } },
      ],
    },
    { namespace: 'shop', name: 'mail', ip: null, externalName: 'mx.example.org', ports: [], hosts: [] },
  ],
}

t.test('a name under the cluster domain means what Kubernetes gives it', async t => {
  const cases: readonly [string, string, string][] = [
    ['A', 'web.shop.svc.cluster.local', '10.210.0.16'],
    ['A', 'WEB.Shop.svc.cluster.local', '10.210.0.16'],
    ['AAAA', 'web.shop.svc.cluster.local', 'NOERROR'],
    ['A', 'db.shop.svc.cluster.local', '10.211.0.2 10.211.0.3'],
    ['A', 'db-0.db.shop.svc.cluster.local', '10.211.0.2'],
    ['A', '10-211-0-3.db.shop.svc.cluster.local', '10.211.0.3'],
    ['A', 'mail.shop.svc.cluster.local', 'mx.example.org'],
    ['SRV', '_http._tcp.web.shop.svc.cluster.local', 'web.shop.svc.cluster.local:80'],
    [
      'SRV',
      '_sql._tcp.db.shop.svc.cluster.local',
      'db-0.db.shop.svc.cluster.local:5433 10-211-0-3.db.shop.svc.cluster.local:5432',
    ],
    ['SRV', '_sql._udp.db.shop.svc.cluster.local', 'NXDOMAIN'],
    ['A', '_tcp.web.shop.svc.cluster.local', 'NOERROR'],
    ['A', 'shop.svc.cluster.local', 'NOERROR'],
    ['A', 'other.shop.svc.cluster.local', 'NXDOMAIN'],
    ['A', 'db-1.db.shop.svc.cluster.local', 'NXDOMAIN'],
    ['A', 'web.other.svc.cluster.local', 'NXDOMAIN'],
    ['A', 'example.org.cluster.local', 'NXDOMAIN'],
    ['PTR', '16.0.210.10.in-addr.arpa', 'web.shop.svc.cluster.local'],
    ['PTR', '1.1.1.1.in-addr.arpa', 'forward'],
    ['A', 'example.org', 'forward'],
  ]
  for (const [type, name, expected] of cases) {
    const found = reply(zone, { type: type as packet.RecordType, name }, 0)
    const said = found === 'forward' ? found : (found.answers ?? []).map(textOf).join(' ') || found.rcode
    t.equal(said, expected, `${type} ${name}`)
    if (found !== 'forward' && (found.answers ?? []).length === 0) t.equal(found.authorities?.[0]?.type, 'SOA')
  }
})

t.test('headless addresses take turns in coming first', async t => {
  const first = (turn: number) => {
    const found = reply(zone, { type: 'A', name: 'db.shop.svc.cluster.local' }, turn)
    return found === 'forward' ? '' : textOf(found.answers![0]!)
  }
  t.same([0, 1, 2].map(first), ['10.211.0.2', '10.211.0.3', '10.211.0.2'])
})

t.test('other names are asked of the resolvers of the machine, one after the other', async t => {
  const ip = (last: number) => `127.88.${process.pid % 250}.${last}`
  const upstream = createSocket('udp4')
  upstream.on('message', (query, from) => {
    const { id = 0, questions = [] } = packet.decode(query)
    const answers = [{ type: 'A' as const, name: questions[0]!.name, data: '192.0.2.7' }]
    upstream.send(packet.encode({ type: 'response', id, questions, answers }), from.port, from.address)
  })
  await new Promise<void>(resolve => upstream.bind(53, ip(1), resolve))
  t.teardown(() => upstream.close())
  let resolvers = [ip(9), ip(1)]
  const limits = { connections: 1, forwarded: 1 }
  const responder = createResponder({ zone: () => zone, resolvers: () => resolvers, limits })
  responder.serveUdp(await bindUdp(ip(2), 53))
  t.teardown(() => responder.close())

  t.same((await overUdp(ip(2), 'example.org')).answers!.map(textOf), ['192.0.2.7'], 'the first one is not there')
  const alias = await overUdp(ip(2), 'mail.shop.svc.cluster.local')
  t.same(alias.answers!.map(textOf), ['mx.example.org', '192.0.2.7'], 'an alias comes with what it stands for')
  resolvers = []
  const failed = (await overUdp(ip(2), 'example.org')) as unknown as { rcode: string }
  t.equal(failed.rcode, 'SERVFAIL')
})

t.test('the names of a running data plane', async t => {
  const signal = AbortSignal.timeout(100_000)
  const { plane, end } = testPlane()
  const docker = testDocker()
  t.teardown(async () => {
    await end()
    await docker.close()
  })
  await plane.start(signal)
  const pod = await httpPod()
  t.teardown(() => pod.end())
  const many = Array.from({ length: 60 }, (_, index) => endpoint('many', { ip: `10.9.0.${index}`, port: 1 }))
  const services = [service('web'), service('many', {}, { headless: true })]
  await plane.apply(state(services, [endpoint('web', pod), ...many]), signal)
  const server = plane.dns('shop').servers[0]!

  t.test('are answered over UDP and over TCP', async t => {
    const name = 'web.shop.svc.cluster.local'
    const expected = plane.clusterIP('shop', 'web')
    t.equal((await overUdp(server, name)).answers!.map(textOf).join(), expected)
    t.equal((await overTcp(server, name)).answers!.map(textOf).join(), expected)
  })

  t.test('that do not fit into a datagram are cut there and whole over TCP', async t => {
    const name = 'many.shop.svc.cluster.local'
    const cut = await overUdp(server, name)
    t.equal(cut.flag_tc, true)
    t.ok(cut.answers!.length > 0)
    t.equal((await overTcp(server, name)).answers!.length, 60)
  })

  t.test('change with the next apply', async t => {
    await plane.apply(state(services, [endpoint('web', pod), many[0]!]), signal)
    t.equal((await overUdp(server, 'many.shop.svc.cluster.local')).answers!.length, 1)
  })

  t.test('and Services are reached by them from inside a container with an address that was given out', async t => {
    const image = `slipway-net-${process.pid}/web:1`
    await loadBusybox(docker, { tag: image })
    const uid = `pod-${process.pid}`
    const ip = plane.podAddress(uid)
    const { servers, search, options } = plane.dns('shop')
    const { Id } = await docker.containers.create(`slipway-net-${process.pid}`, {
      Image: image,
      Cmd: ['sh', '-c', 'echo "$(hostname -i) $(wget -qO- http://web/) $(wget -qO- http://web.shop.svc.cluster.local:80/)"'],
      HostConfig: { NetworkMode: plane.podNetwork, Dns: servers, DnsSearch: search, DnsOptions: options },
      NetworkingConfig: { EndpointsConfig: { [plane.podNetwork]: { IPAMConfig: { IPv4Address: ip } } } },
    })
    t.teardown(async () => {
      await docker.containers.remove(Id)
      await docker.images.remove(image)
    })
    await docker.containers.start(Id)
    t.equal((await logOf(Id)).trim(), `${ip} ${pod.ip} ${pod.ip}`)
  })

  t.test('and a container of the pod network serves behind its Service', async t => {
    const image = `slipway-net-pod-${process.pid}/web:1`
    await loadBusybox(docker, { tag: image, files: { '/www/index.html': 'from a container' } })
    const ip = plane.podAddress('served')
    const { Id } = await docker.containers.create(`slipway-net-pod-${process.pid}`, {
      Image: image,
      Cmd: ['httpd', '-f', '-p', '8080', '-h', '/www'],
      HostConfig: { NetworkMode: plane.podNetwork },
      NetworkingConfig: { EndpointsConfig: { [plane.podNetwork]: { IPAMConfig: { IPv4Address: ip } } } },
    })
    t.teardown(async () => {
      await docker.containers.remove(Id)
      await docker.images.remove(image)
    })
    await docker.containers.start(Id)
    await plane.apply(state(services, [endpoint('web', { ip, port: 8080 })]), signal)
    const answer = await fetch(`http://${plane.clusterIP('shop', 'web')}/`)
    t.equal(await answer.text(), 'from a container')
  })

  async function logOf(id: string): Promise<string> {
    await docker.containers.wait(id, signal)
    let text = ''
    for await (const line of docker.containers.logs(id, {}, signal)) text += `${line.text}\n`
    return text
  }
})

function textOf(answer: packet.Answer): string {
  if (answer.type === 'SRV') return `${answer.data.target}:${answer.data.port}`
  return String((answer as { data?: unknown }).data)
}

function question(name: string): Buffer {
  return packet.encode({ type: 'query', id: 7, flags: packet.RECURSION_DESIRED, questions: [{ type: 'A', name }] })
}

async function overUdp(server: string, name: string): Promise<packet.DecodedPacket> {
  const socket = createSocket('udp4')
  socket.send(question(name), 53, server)
  const [answer] = await once(socket, 'message')
  socket.close()
  return packet.decode(answer)
}

async function overTcp(server: string, name: string): Promise<packet.DecodedPacket> {
  const socket = connect(53, server)
  const asked = question(name)
  socket.write(Buffer.from([0, asked.length]))
  socket.write(asked)
  let heard = Buffer.alloc(0)
  for await (const chunk of socket) {
    heard = Buffer.concat([heard, chunk])
    if (heard.length >= 2 && heard.length >= 2 + heard.readUInt16BE(0)) break
  }
  return packet.decode(heard.subarray(2))
}
