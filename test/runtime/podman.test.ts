// What the runtime asks of an engine, asked of Podman's compatible API: whatever differs from Docker there is met here.
import { randomBytes, randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { connectDocker } from '../../runtime/docker/client.js'
import { followEvents } from '../../runtime/docker/events.js'
import { runCommand } from '../../runtime/docker/exec.js'
import { networkEngine } from '../../runtime/network/engine.js'
import { servicesLabel } from '../../runtime/network/types.js'
import { busyboxArchive } from '../support/archive.js'
import { startPodman } from '../support/podman.js'
import { podRecord, podRoom, script, until } from '../support/pods.js'

const podman = await startPodman()

if (typeof podman === 'string') t.pass('the runtime on Podman', { skip: podman })
else {
  const docker = connectDocker(podman.host)
  const signal = AbortSignal.timeout(100_000)
  const image = 'slipway-podmantest/busybox:1'
  t.teardown(async () => {
    await docker.close()
    await podman.end()
  })
  await docker.images.load(busyboxArchive({ tag: image }).archive, signal)

  t.test('a container from creation to removal, in the words that Docker has for it', async t => {
    const seen: string[] = []
    const ending = new AbortController()
    const body = {
      Image: image,
      Cmd: ['sh', '-c', 'printf one; sleep 1; echo two; echo err >&2; sleep 60'],
      Labels: { 'slipway.test': 'podman' },
    }
    let following: Promise<void> | undefined
    await new Promise<void>(resolve => {
      const onEvent = ({ Action }: { readonly Action: string }) => void (Action === 'cleanup' || seen.push(Action))
      const onLost = (error: unknown) => t.fail(String(error))
      following = followEvents(docker, ['slipway.test=podman'], { onConnect: resolve, onEvent, onLost }, ending.signal)
    })

    const { Id } = await docker.containers.create('slipway-podmantest', body, signal)
    t.match(await errorOf(docker.containers.create('slipway-podmantest', body, signal)), { kind: 'conflict' })
    await docker.containers.start(Id, signal)
    await docker.containers.start(Id, signal)
    const ran = await runCommand(docker, Id, ['sh', '-c', 'echo hello; exit 7'], 1000, signal)
    t.strictSame(ran, { exitCode: 7, output: 'hello\n' })
    const lines: string[] = []
    for await (const { stream, text } of docker.containers.logs(Id, { follow: true }, signal)) {
      lines.push(`${stream} ${text}`)
      if (lines.length === 2) break
    }
    t.strictSame(lines.sort(), ['stderr err', 'stdout onetwo'])
    t.equal(await docker.containers.kill(Id, 'SIGKILL', signal), true)
    t.match(await docker.containers.wait(Id, signal), { StatusCode: 137 })
    t.equal(await docker.containers.kill(Id, 'SIGKILL', signal), false)
    await docker.containers.remove(Id, signal)
    await docker.containers.remove(Id, signal)

    t.match(await errorOf(docker.containers.inspect(Id, signal)), { kind: 'notFound' })
    while (!seen.includes('destroy')) await delay(20)
    ending.abort()
    await following
    t.strictSame(seen, ['start', 'die', 'destroy'])
  })

  t.test('a container has the address and the names that it was given', async t => {
    const networks = networkEngine(docker.networks)
    const at = (third: number, name = 'slipway-podmantest') => ({
      name,
      subnet: `10.231.${third}.0/24`,
      gateway: `10.231.${third}.1`,
      ipRange: `10.231.${third}.128/25`,
      bridge: `slpt${randomBytes(4).toString('hex')}`,
      labels: { [servicesLabel]: '10.230.0.0/16' },
    })
    let third = randomInt(256)
    while (!(await networks.createNetwork(at(third)))) third = randomInt(256)
    const network = at(third)
    t.match(await networks.network(network.name), { subnet: network.subnet, gateway: network.gateway, services: '10.230.0.0/16' })
    t.equal(await networks.createNetwork(at(third, 'slipway-podmantest-other')), false, 'its range is taken')
    const ranges = await networks.ranges()
    for (const range of [network.subnet, '10.230.0.0/16']) t.ok(ranges.includes(range), range)

    const body = {
      Image: image,
      Cmd: ['sh', '-c', 'cat /etc/resolv.conf; sleep 60'],
      HostConfig: { NetworkMode: network.name, Dns: ['10.231.43.16'], DnsSearch: ['shop.svc.cluster.local'] },
      NetworkingConfig: { EndpointsConfig: { [network.name]: { IPAMConfig: { IPv4Address: `10.231.${third}.7` } } } },
    }
    const { Id } = await docker.containers.create('slipway-podmantest-names', body, signal)
    await docker.containers.start(Id, signal)
    const lines: string[] = []
    for await (const { text } of docker.containers.logs(Id, { follow: true }, signal)) {
      lines.push(text)
      if (lines.length === 2) break
    }
    const { Networks } = (await docker.containers.inspect(Id, signal)).NetworkSettings
    await docker.containers.remove(Id, signal)
    await networks.removeNetwork(network.name)

    t.strictSame(lines.sort(), ['nameserver 10.231.43.16', 'search shop.svc.cluster.local'], "not the bridge's own resolver")
    t.equal(Networks?.[network.name]?.IPAddress, `10.231.${third}.7`)
    t.equal(await networks.network(network.name), null)
  })

  t.test(
    'a pod whose container ends is started again at the same address; containers of one pod share name and address',
    async t => {
      const room = await podRoom(podman.host)
      const pods = room.open()
      await pods.adopt(signal)
      try {
        const record = podRecord('again', { containers: [script(room.image, 'sleep 1; exit 3')] })
        const web = 'hostname >index.html; exec httpd -f -p 80'
        const containers = [
          script(room.image, 'cd /tmp 2>/dev/null || mkdir /tmp && cd /tmp; sleep 1000', { name: 'one' }),
          script(room.image, `mkdir -p /www; cd /www; ${web}`, { name: 'two' }),
        ]
        const pair = podRecord('pair', { containers })
        pods.create(record)
        pods.create(pair)

        const ended = await until(
          pods,
          record.uid,
          view => view.containers[0]!.restartCount >= 1 && view.containers[0]!.last !== null,
        )
        t.match(ended.containers[0], { last: { reason: 'Error', exitCode: 3 } })
        const running = await until(pods, pair.uid, view => view.ready)
        const answer = async (): Promise<string> => {
          for (let tries = 0; ; tries++) {
            const text = await fetch(`http://${running.ip}/`).then(
              response => response.text(),
              error => (tries > 100 ? String(error) : ''),
            )
            if (text !== '') return text
            await delay(100)
          }
        }
        t.equal(await answer(), 'pair\n')
      } finally {
        await room.close()
      }
    },
  )
}

function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => null,
    error => error,
  )
}
