// What an engine that cannot, or takes its time, means for a pod: nothing that speaks against the pod.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { isOwnFault, kindOf } from '../../runtime/docker/errors.js'
import { testEngine } from '../support/engine.js'
import { type Answer, engineProxy } from '../support/engine-proxy.js'
import { read, waitUntil } from '../support/machine.js'
import { podRecord, podRoom, script, until, untilGone } from '../support/pods.js'

const runc = 'failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process'

t.test('whose fault it is that a container does not start', async t => {
  const rows: readonly (readonly [string, number, string, 'container' | 'engine'])[] = [
    ['a missing program', 400, `${runc}: exec: "nope": executable file not found in $PATH: unknown`, 'container'],
    [
      'a missing program, by its path',
      400,
      `${runc}: exec: "/no/x": stat /no/x: no such file or directory: unknown`,
      'container',
    ],
    ['a program that may not be run', 400, `${runc}: exec: "/data": permission denied: unknown`, 'container'],
    ['a program of another machine', 500, `${runc}: exec: "/app": exec format error: unknown`, 'container'],
    ['an unknown user', 500, 'unable to find user nobody: no matching entries in passwd file', 'container'],
    ['an unknown group', 500, 'unable to find group web: no matching entries in group file', 'container'],
    [
      'a directory over a file',
      400,
      `${runc}: error mounting "/tmp" to rootfs at "/app": not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)?`,
      'container',
    ],
    [
      'a working directory that is not one',
      500,
      `${runc}: error during container init: chdir to cwd ("/x") set in config.json failed: not a directory: unknown`,
      'container',
    ],
    [
      'an unknown sysctl',
      400,
      `${runc}: error during container init: open /proc/sys/net/x: no such file or directory`,
      'container',
    ],
    [
      'a missing program, on Podman',
      500,
      'crun: executable file `nope` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found',
      'container',
    ],
    ['an unknown user, on Podman', 500, 'unable to find user nobody: no matching entries in passwd file', 'container'],
    ['a full disk', 500, `${runc}: error during container init: mkdir /var/lib/x: no space left on device`, 'engine'],
    [
      'containerd is away',
      500,
      'connection error: desc = "transport: Error while dialing dial unix containerd.sock": unavailable',
      'engine',
    ],
    ['its shim ended', 500, 'ttrpc: closed: unknown', 'engine'],
    ['it takes too long', 500, 'failed to create task for container: context deadline exceeded', 'engine'],
    [
      'a host port that is taken',
      500,
      'driver failed programming external connectivity on endpoint web: Bind for 0.0.0.0:80 failed: port is already allocated',
      'engine',
    ],
    ['an address that is taken', 500, 'Address already in use', 'engine'],
    ['a bridge that is gone', 500, 'adding interface veth1 to bridge slipway0 failed: could not find bridge slipway0', 'engine'],
    ['a network that is gone', 404, 'network slipway not found', 'engine'],
    ['somebody removes it just now', 409, 'container is marked for removal and cannot be started', 'engine'],
    ['too many at once', 429, 'too many requests', 'engine'],
    ['it refuses', 400, 'invalid hostname', 'container'],
  ]
  for (const [what, status, said, whose] of rows)
    t.equal(isOwnFault({ kind: kindOf(status, said), status, said }), whose === 'container', what)
  t.equal(isOwnFault({ kind: 'unreachable', status: 0, said: 'permission denied' }), false, 'nobody knows')
})

t.test('on the engine', async t => {
  const faults = { starts: [] as Answer[], logs: null as Promise<unknown> | null, logsAsked: 0, keeps: false }
  const proxy = await engineProxy(testEngine.host, async (method, path) => {
    if (method === 'POST' && path.includes('/start')) return faults.starts.shift() ?? null
    if (method === 'DELETE' && path.includes('/containers/') && faults.keeps)
      return { status: 500, message: 'driver "overlay2" failed to remove root filesystem: device or resource busy' }
    if (path.includes('/logs') && faults.logs !== null) {
      faults.logsAsked += 1
      await faults.logs
    }
    return null
  })
  const room = await podRoom(proxy.host)
  const { image } = room
  const clock = room.world as { now: () => number }
  t.teardown(async () => {
    await room.close()
    await proxy.close()
  })
  const pods = room.open()
  await pods.adopt(AbortSignal.timeout(20_000))

  await t.test('an engine that cannot start a container is waited for, and nothing counts as a crash', async t => {
    faults.starts = [1, 2].map(() => ({ status: 500, message: 'ttrpc: closed: unknown' }))
    const record = podRecord('web', { containers: [script(image, 'exec sleep 100')] })

    pods.create(record)
    const waiting = await until(
      pods,
      record.uid,
      view => view.containers[0]!.state.state === 'waiting' && view.containers[0]!.state.reason === 'EngineError',
    )
    const ready = await until(pods, record.uid, view => view.ready)

    t.match(waiting.containers[0], { restartCount: 0, last: null, state: { message: /ttrpc: closed/ } })
    t.match(ready.containers[0], { restartCount: 0, last: null })
    const made = await room.world.docker.containers.list([`slipway.pod-uid=${record.uid}`])
    t.equal(made.length, 1, 'nothing was made twice')
    pods.terminate(record.uid, { reason: 'test', drained: async () => {} })
    await untilGone(pods, record.uid)
  })

  await t.test('a container that ended is not ready any more before its last log lines are read', async t => {
    const record = podRecord('logged', { containers: [script(image, 'echo bye; exec sleep 100')] })
    pods.create(record)
    const { containers } = await until(pods, record.uid, view => view.ready)
    let release = () => {}
    faults.logs = new Promise<void>(resolve => (release = resolve))
    const [own] = await room.world.docker.containers.list([`slipway.pod-uid=${record.uid}`])

    await room.world.docker.containers.kill(own!.Id, 'SIGKILL')
    const out = await until(pods, record.uid, view => !view.ready)
    t.match(out.containers[0], { ready: false, restartCount: 0, state: { state: 'running' } }, 'its end is not known yet')
    await waitUntil('its log is being read', 20_000, () => faults.logsAsked > 0)
    faults.logs = null
    release()
    const again = await until(pods, record.uid, view => view.ready && view.containers[0]!.restartCount === 1)

    t.match(containers[0], { restartCount: 0 })
    t.match(again.containers[0], { last: { exitCode: 137 }, lastLog: ['bye'], troubledAt: /./ })
    pods.terminate(record.uid, { reason: 'test', drained: async () => {} })
    await untilGone(pods, record.uid)
  })

  await t.test('a container that has ended and cannot be removed holds nobody up', async t => {
    const record = podRecord('kept', { containers: [script(image, 'exec sleep 100')] })
    const { containers } = room.world.docker
    const own = () => containers.list([`slipway.pod-uid=${record.uid}`])
    pods.create(record)
    await until(pods, record.uid, view => view.ready)
    faults.keeps = true

    pods.terminate(record.uid, { reason: 'test', drained: async () => {} })
    await untilGone(pods, record.uid)

    t.match(await own(), [{ State: 'exited' }])
    faults.keeps = false
    await containers.remove((await own())[0]!.Id)
  })

  await t.test('a clock that is set forward takes nothing of the time that a pod has to end', async t => {
    const text = 'trap "sleep 3; echo done >/host/log; exit 0" TERM; while true; do sleep 0.05; done'
    const path = join(room.dir, 'clock')
    const record = podRecord('clock', {
      terminationGracePeriodSeconds: 20,
      volumes: [{ name: 'host', source: { kind: 'hostPath', path, type: 'DirectoryOrCreate' } }],
      containers: [
        script(image, text, {
          volumeMounts: [{ name: 'host', mountPath: '/host', readOnly: false }],
          lifecycle: { preStop: { kind: 'exec', command: ['sh', '-c', 'echo stopping >/host/begun; sleep 1'] } },
        }),
      ],
    })
    pods.create(record)
    await until(pods, record.uid, view => view.ready)

    pods.terminate(record.uid, { reason: 'test', drained: async () => {} })
    await waitUntil('preStop runs', 20_000, () => existsSync(join(path, 'begun')))
    clock.now = () => Date.now() + 3_600_000
    await untilGone(pods, record.uid)
    clock.now = Date.now

    t.equal(read(join(path, 'log')), 'done\n')
  })
})
