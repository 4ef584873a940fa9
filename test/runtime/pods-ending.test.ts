import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { containerBody, containerName, labelsOf } from '../../runtime/pods/body.js'
import type { PodView } from '../../runtime/pods/types.js'
import { base64, container, podRecord, podRoom, script, until, untilGone } from '../support/pods.js'

const room = await podRoom()
const { image, world } = room
let pods = room.open()
await pods.adopt(AbortSignal.timeout(10_000))
t.teardown(() => room.close())

const state = (view: PodView, index = 0) => view.containers[index]!.state
const containersOf = (uid: string) => world.docker.containers.list([`slipway.pod-uid=${uid}`])
const endNow = async (uid: string): Promise<void> => {
  pods.terminate(uid, { reason: 'test', drained: async () => undefined, graceSeconds: 0 })
  await untilGone(pods, uid)
}

async function logOf(uid: string, lines: number, name = 'main'): Promise<string[]> {
  const found: string[] = []
  for await (const line of pods.logs(uid, name, { follow: true }, AbortSignal.timeout(20_000))) {
    found.push(line.text)
    if (found.length === lines) break
  }
  return found
}

t.test('a pod is ended in order: not ready, drained, preStop, stop signal, gone', async t => {
  const text = 'trap "echo got-the-signal >>/host/log; exit 0" USR1; echo up >>/host/log; while true; do sleep 0.05; done'
  const record = podRecord('polite', {
    terminationGracePeriodSeconds: 10,
    volumes: [{ name: 'host', source: { kind: 'hostPath', path: join(room.dir, 'polite'), type: 'DirectoryOrCreate' } }],
    containers: [
      script(image, text, {
        volumeMounts: [{ name: 'host', mountPath: '/host', readOnly: false }],
        lifecycle: { preStop: { kind: 'exec', command: ['sh', '-c', 'echo pre-stop >>/host/log'] }, stopSignal: 'SIGUSR1' },
      }),
    ],
  })
  pods.create(record)
  await until(pods, record.uid, view => view.ready)
  const file = join(room.dir, 'polite', 'log')
  while (!readFileSync(file, 'utf8').includes('up')) await new Promise(resolve => setTimeout(resolve, 20))

  let release = (): void => undefined
  const drained = new Promise<void>(resolve => {
    release = resolve
  })
  pods.terminate(record.uid, { reason: 'replaced', drained: () => drained })
  t.match(pods.list()[0], { terminating: true, ready: false, message: 'replaced' }, 'out of traffic at once')
  t.notMatch(readFileSync(file, 'utf8'), /pre-stop/, 'nothing ends while connections are left')
  writeFileSync(file, 'drained\n', { flag: 'a' })
  release()
  await untilGone(pods, record.uid)

  t.equal(readFileSync(file, 'utf8'), 'up\ndrained\npre-stop\ngot-the-signal\n')
  t.strictSame(await containersOf(record.uid), [])
})

t.test('a program that does not listen is killed after its grace', async t => {
  const record = podRecord('deaf', {
    terminationGracePeriodSeconds: 1,
    containers: [script(image, 'trap "" TERM; while true; do sleep 1; done')],
  })
  pods.create(record)
  await until(pods, record.uid, view => view.ready)

  pods.terminate(record.uid, { reason: 'test', drained: async () => undefined })
  await untilGone(pods, record.uid)

  t.strictSame(await containersOf(record.uid), [])
})

t.test('ending that a killed runtime had begun is gone on with', async t => {
  const record = podRecord('halfway', { containers: [script(image, 'sleep 1000')] })
  pods.create(record)
  await until(pods, record.uid, view => view.ready)
  pods.terminate(record.uid, {
    reason: 'test',
    drained: signal => new Promise((_, no) => signal.addEventListener('abort', () => no(signal.reason))),
  })
  await pods.close()
  t.equal((await containersOf(record.uid)).length, 1)

  pods = room.open()
  await pods.adopt(AbortSignal.timeout(10_000))
  await untilGone(pods, record.uid)
  t.strictSame(await containersOf(record.uid), [])
})

t.test('a pod ended before it ever ran leaves nothing', async t => {
  const records = ['a', 'b', 'c'].map(name => podRecord(`brief-${name}`, { containers: [script(image, 'sleep 1000')] }))
  for (const record of records) pods.create(record)
  for (const record of records) pods.terminate(record.uid, { reason: 'test', drained: async () => undefined, graceSeconds: 0 })
  for (const record of records) {
    await untilGone(pods, record.uid)
    t.strictSame(await containersOf(record.uid), [])
  }
})

t.test('whatever a killed runtime left in the engine, nothing is started twice', async t => {
  const created = podRecord('created', { containers: [script(image, 'sleep 1000')] })
  const started = podRecord('started', { containers: [script(image, 'sleep 1000')] })
  const nothing = podRecord('nothing', { containers: [script(image, 'sleep 1000')] })
  const ended = podRecord('ended', { containers: [script(image, 'sleep 1000')] })
  await pods.close()
  const { newLife } = await import('../../runtime/pods/life.js')
  for (const record of [created, started, nothing, ended]) await world.store.save(newLife(record, world.bootId))
  const ids: string[] = []
  for (const record of [created, started, ended]) {
    const attachment = {
      network: world.network,
      ip: world.addresses.podAddress(record.uid),
      dns: { servers: [], search: [], options: [] },
      sandbox: '',
      sharesHostname: true,
    }
    const parts = { node: world.node, run: 0, imageId: room.imageId, env: new Map(), mounts: [], attachment }
    const { Id } = await world.docker.containers.create(
      containerName(record, 'main', 0),
      containerBody(record, record.spec.containers[0]!, parts),
    )
    ids.push(Id)
    if (record !== created) await world.docker.containers.start(Id)
    if (record === ended) await world.docker.containers.kill(Id, 'SIGKILL')
  }

  pods = room.open()
  await pods.adopt(AbortSignal.timeout(10_000))
  for (const record of [created, started, nothing, ended]) await until(pods, record.uid, view => view.ready)

  t.strictSame(
    (await containersOf(created.uid)).map(each => each.Id),
    [ids[0]],
  )
  t.strictSame(
    (await containersOf(started.uid)).map(each => each.Id),
    [ids[1]],
  )
  t.match(
    pods.list().find(view => view.record.uid === ended.uid),
    { containers: [{ restartCount: 1, last: { exitCode: 137 } }] },
  )
  for (const record of [created, started, nothing, ended]) await endNow(record.uid)
})

t.test('a runtime killed at any moment of a start: another comes to the same end', async t => {
  const child = fileURLToPath(new URL('../support/pods-child.js', import.meta.url))
  for (const afterMs of [5, 40, 80, 130, 200, 300]) {
    const record = podRecord(`killed-${afterMs}`, { containers: [script(image, 'sleep 1000')] })
    const { dir, memoryDir, key, found } = room
    const given = { mark: world.node, dir, memoryDir, key, found, ip: world.addresses.podAddress(record.uid), record }
    await pods.close()
    const runtime = spawn(process.execPath, [child, JSON.stringify(given)], { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise(resolve => runtime.stdout.once('data', resolve))
    await new Promise(resolve => setTimeout(resolve, afterMs))
    runtime.kill('SIGKILL')
    await new Promise(resolve => runtime.once('exit', resolve))

    pods = room.open()
    await pods.adopt(AbortSignal.timeout(10_000))
    pods.create(record)
    const ready = await until(pods, record.uid, view => view.ready)
    t.equal(ready.containers[0]!.restartCount, 0, `killed after ${afterMs} ms: started once`)
    t.strictSame(
      (await containersOf(record.uid)).map(each => each.State),
      ['running'],
    )
    await endNow(record.uid)
  }
})

t.test('what is ours and no pod’s is removed; what may be another’s is not', async t => {
  const record = podRecord('stray', { containers: [container(image)] })
  const labels = labelsOf(world.node, record, 'main', 0)
  const command = { Image: image, Cmd: ['sleep', '1000'] }
  const { docker } = world
  const stray = (await docker.containers.create(containerName(record, 'main', 0), { ...command, Labels: labels })).Id
  const renamed = (await docker.containers.create(`someone-elses-${process.pid}`, { ...command, Labels: labels })).Id
  const otherNode = { ...labels, 'slipway.node': `${world.node}-other` }
  const other = (await docker.containers.create(containerName(record, 'main', 1), { ...command, Labels: otherNode })).Id
  await pods.close()

  pods = room.open()
  await pods.adopt(AbortSignal.timeout(10_000))

  const left = (await docker.containers.list(['slipway.pod-uid'])).map(each => each.Id)
  t.notOk(left.includes(stray))
  t.ok(left.includes(renamed))
  t.ok(left.includes(other))
  for (const id of [renamed, other]) await docker.containers.remove(id)
})

t.test('a pod whose file is broken goes on as it was, by its copy: nothing is started again', async t => {
  const spoilt = [
    (path: string) => writeFileSync(path, ''),
    (path: string) => writeFileSync(path, readFileSync(path).subarray(0, 40)),
    (path: string) => writeFileSync(path, 'garbage'),
  ]
  const done = podRecord('done', { restartPolicy: 'Never', containers: [script(image, 'echo migrated; exit 3')] })
  const runs = podRecord('runs', {
    initContainers: [script(image, 'echo init', { name: 'init' })],
    containers: [script(image, 'sleep 1000')],
  })
  for (const record of [done, runs]) pods.create(record)
  await until(pods, done.uid, view => view.phase === 'Failed')
  await until(pods, runs.uid, view => view.ready)
  const before = [await containersOf(done.uid), await containersOf(runs.uid)].flat().map(({ Id, State }) => [Id, State])
  for (const spoil of spoilt) {
    await pods.close()
    for (const { uid } of [done, runs]) spoil(join(room.dir, 'pods', `${uid}.pod`))

    pods = room.open()
    await pods.adopt(AbortSignal.timeout(10_000))

    await until(pods, done.uid, view => view.phase === 'Failed' && state(view).state === 'terminated')
    t.match(await until(pods, runs.uid, view => view.ready), { record: { ...runs }, containers: [{ restartCount: 0 }] })
    const after = [await containersOf(done.uid), await containersOf(runs.uid)].flat().map(({ Id, State }) => [Id, State])
    t.same(after, before)
  }
  for (const { uid } of [done, runs]) await endNow(uid)
})

t.test('a pod of which nothing can be read keeps its containers until it is known whose it is, then it is ended', async t => {
  const record = podRecord('locked', { containers: [script(image, 'trap "exit 0" TERM; sleep 1000 & wait')] })
  pods.create(record)
  await until(pods, record.uid, view => view.ready)
  await pods.close()
  const files = [`${record.uid}.pod`, `${record.uid}.pod.copy`].map(name => join(room.dir, 'pods', name))
  for (const file of files) writeFileSync(file, 'written with another key')

  pods = room.open()
  await pods.adopt(AbortSignal.timeout(10_000))

  const lost = { uid: record.uid, name: record.name, namespace: record.namespace, application: record.application }
  t.same(pods.lost(), [lost])
  t.notOk(pods.list().some(view => view.record.uid === record.uid))
  t.same(
    (await containersOf(record.uid)).map(({ State }) => State),
    ['running'],
  )
  pods.endLost(record.uid, { name: 'next', uid: 'n' })
  t.same(pods.lost(), [])
  t.match(
    pods.list().find(view => view.record.uid === record.uid),
    { terminating: true, ready: false, record: { application: { name: 'next' }, workload: null } },
  )
  await untilGone(pods, record.uid)
  t.same(await containersOf(record.uid), [])
  t.notOk(files.some(file => existsSync(file)))
})

t.test('a pod file that cannot be read and has no containers is taken away', async t => {
  const file = join(room.dir, 'pods', '00000000-0000-4000-8000-000000000000.pod')
  writeFileSync(file, 'garbage')
  await pods.close()

  pods = room.open()
  await pods.adopt(AbortSignal.timeout(10_000))

  t.same(pods.lost(), [])
  t.notOk(existsSync(file))
})

t.test('a container that somebody removed, or stopped, is there again', async t => {
  const record = podRecord('robbed', { containers: [script(image, 'sleep 1000')] })
  pods.create(record)
  const { containers } = await until(pods, record.uid, view => view.ready)
  t.equal(containers.length, 1)
  const [first] = await containersOf(record.uid)

  await world.docker.containers.remove(first!.Id)
  t.match(await until(pods, record.uid, view => view.ready && view.containers[0]!.restartCount === 1), {
    ip: /./,
    containers: [{ troubledAt: /./ }],
  })
  const second = (await containersOf(record.uid)).find(each => each.State === 'running')
  await world.docker.containers.stop(second!.Id, 0)
  t.match(await until(pods, record.uid, view => view.ready && view.containers[0]!.restartCount === 2), { phase: 'Running' })
  await endNow(record.uid)
})

t.test('a pod of several whose network is gone gets another at its address', async t => {
  const record = podRecord('netless', {
    containers: [script(image, 'sleep 1000', { name: 'one' }), script(image, 'sleep 1000', { name: 'two' })],
  })
  pods.create(record)
  await until(pods, record.uid, view => view.ready)
  const sandbox = (await containersOf(record.uid)).find(each => each.Labels?.['slipway.container'] === 'POD')

  await world.docker.containers.kill(sandbox!.Id, 'SIGKILL')
  await until(pods, record.uid, view => view.ready && view.containers.every(each => each.restartCount === 1))

  const network = await world.docker.networks.inspect(world.network)
  t.ok(
    Object.values(network.Containers ?? {}).some(each =>
      each.IPv4Address.startsWith(`${world.addresses.podAddress(record.uid)}/`),
    ),
  )
  await endNow(record.uid)
})

t.test('postStart is done before the next container begins; one that fails ends its container', async t => {
  const slow = { postStart: { kind: 'exec', command: ['sh', '-c', 'sleep 1; echo hooked >/work/hooked'] } } as const
  const mounts = { volumeMounts: [{ name: 'work', mountPath: '/work', readOnly: false }] }
  const record = podRecord('hooked', {
    volumes: [{ name: 'work', source: { kind: 'emptyDir', medium: 'Memory' } }],
    containers: [
      script(image, 'sleep 1000', { name: 'one', lifecycle: slow, ...mounts }),
      script(image, 'cat /work/hooked; sleep 1000', { name: 'two', ...mounts }),
    ],
  })
  const failing = podRecord('failing', {
    containers: [script(image, 'sleep 1000', { lifecycle: { postStart: { kind: 'exec', command: ['false'] } } })],
  })
  pods.create(record)
  pods.create(failing)

  await until(pods, record.uid, view => view.ready)
  t.strictSame(await logOf(record.uid, 1, 'two'), ['hooked'])
  const failed = await until(pods, failing.uid, view => view.containers[0]!.restartCount === 1)
  t.match(failed.containers[0], { everReady: false, last: { message: /postStart hook failed/ } })
  await endNow(record.uid)
  await endNow(failing.uid)
})

t.test('configuration, secrets and what a pod knows of itself, as environment and as files', async t => {
  const data = {
    configMaps: { conf: base64({ COLOUR: 'blue', 'app.ini': 'x=1' }) },
    secrets: { db: base64({ password: 'correct-horse' }) },
  }
  const lines = [
    'echo $COLOUR $P_COLOUR $URL $POD $POD_IP $LABEL $CPU "$0"',
    'cat /conf/nested/app.ini; echo',
    '[ "$(cat /secret/password)" = correct-horse ] && echo as given',
    // What a log would show of it is masked.
    'cat /secret/password; echo',
    'stat -c %a /secret/password',
    'cat /info/name; echo',
    'cat /all/password /all/uid >/dev/null && echo all',
    'cat /one.ini; echo',
    'touch /conf/new 2>/dev/null || echo read-only',
    'sleep 1000',
  ]
  const record = podRecord(
    'config',
    {
      volumes: [
        {
          name: 'conf',
          source: {
            kind: 'configMap',
            name: 'conf',
            items: [{ key: 'app.ini', path: 'nested/app.ini' }],
            defaultMode: 0o644,
            optional: false,
          },
        },
        { name: 'secret', source: { kind: 'secret', name: 'db', defaultMode: 0o400, optional: false } },
        { name: 'none', source: { kind: 'secret', name: 'absent', defaultMode: 0o400, optional: true } },
        {
          name: 'info',
          source: { kind: 'downwardAPI', items: [{ path: 'name', fieldPath: 'metadata.name' }], defaultMode: 0o644 },
        },
        {
          name: 'all',
          source: {
            kind: 'projected',
            sources: [
              { secret: { name: 'db' } },
              { downwardAPI: { items: [{ path: 'uid', fieldRef: { fieldPath: 'metadata.uid' } }] } },
            ],
            defaultMode: 0o644,
          },
        },
      ],
      containers: [
        script(image, lines.join('; '), {
          args: ['$(POD)/$$(POD)/$(NONE)'],
          envFrom: [
            { kind: 'configMap', name: 'conf', prefix: '', optional: false },
            { kind: 'configMap', name: 'conf', prefix: 'P_', optional: false },
            { kind: 'secret', name: 'absent', prefix: '', optional: true },
          ],
          env: [
            { name: 'POD', valueFrom: { kind: 'field', path: 'metadata.name' } },
            { name: 'POD_IP', valueFrom: { kind: 'field', path: 'status.podIP' } },
            { name: 'LABEL', valueFrom: { kind: 'field', path: "metadata.labels['app']" } },
            { name: 'CPU', valueFrom: { kind: 'resource', resource: 'limits.cpu', divisor: '1m' } },
            { name: 'URL', value: 'http://$(POD):$(NONE)' },
          ],
          resources: { requests: {}, limits: { cpuMillis: 250 } },
          volumeMounts: [
            { name: 'conf', mountPath: '/conf', readOnly: false },
            { name: 'secret', mountPath: '/secret', readOnly: true },
            { name: 'none', mountPath: '/none', readOnly: true },
            { name: 'info', mountPath: '/info', readOnly: true },
            { name: 'all', mountPath: '/all', readOnly: true },
            { name: 'conf', mountPath: '/one.ini', subPath: 'nested/app.ini', readOnly: true },
          ],
        }),
      ],
    },
    data,
  )
  pods.create(record)
  await until(pods, record.uid, view => view.ready)
  const ip = world.addresses.podAddress(record.uid)

  const expected = [
    `blue blue http://config:$(NONE) config ${ip} config 250 config/$(POD)/$(NONE)`,
    'x=1',
    'as given',
    '***',
    '400',
    'config',
    'all',
    'x=1',
    'read-only',
  ]
  t.strictSame(await logOf(record.uid, expected.length), expected)
  await endNow(record.uid)
})

t.test('identity: user, groups, read-only root, names', async t => {
  const record = podRecord('who', {
    hostAliases: [{ ip: '10.9.9.9', hostnames: ['db.local'] }],
    securityContext: { fsGroup: 3000, runAsUser: 1000 },
    volumes: [{ name: 'work', source: { kind: 'emptyDir', medium: '' } }],
    containers: [
      script(
        image,
        'id -u; id -G; touch /x 2>/dev/null || echo read-only; touch /work/x && stat -c %g /work/x; cat /etc/resolv.conf /etc/hosts; sleep 1000',
        {
          securityContext: {
            runAsGroup: 2000,
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { add: [], drop: ['ALL'] },
          },
          volumeMounts: [{ name: 'work', mountPath: '/work', readOnly: false }],
        },
      ),
    ],
  })
  pods.create(record)
  await until(pods, record.uid, view => view.ready)

  const lines = await logOf(record.uid, 14)
  t.strictSame(lines.slice(0, 4), ['1000', '2000 3000', 'read-only', '3000'])
  t.match(lines.join('\n'), /search shop\.svc\.cluster\.local/)
  t.match(lines.join('\n'), /10\.9\.9\.9\s+db\.local/)
  await endNow(record.uid)
})

t.test('claims keep their data; a link in a volume leads nowhere', async t => {
  const volumes = [
    { name: 'data', source: { kind: 'persistentVolumeClaim', claimName: `data-${process.pid}`, readOnly: false } },
  ] as const
  const at = (text: string, subPath?: string) =>
    script(image, text, {
      volumeMounts: [{ name: 'data', mountPath: '/data', readOnly: false, ...(subPath === undefined ? {} : { subPath }) }],
    })
  const over = { application: { name: world.node, uid: 'a1' } }
  const first = podRecord(
    'first',
    {
      volumes,
      restartPolicy: 'Never',
      containers: [at('mkdir /data/in; echo kept >/data/in/file; ln -s /etc /data/out', undefined)],
    },
    over,
  )
  const second = podRecord('second', { volumes, containers: [at('cat /data/file; sleep 1000', 'in')] }, over)
  const thief = podRecord('thief', { volumes, containers: [at('ls /data; sleep 1000', 'out')] }, over)

  const linking = {
    ...first,
    spec: { ...first.spec, containers: [at('mkdir /data/in; echo kept >/data/in/file; /bin/busybox ln -s /etc /data/out')] },
  }
  pods.create(linking)
  await until(pods, first.uid, view => view.phase === 'Succeeded')
  await endNow(first.uid)
  pods.create(second)
  pods.create(thief)
  await until(pods, second.uid, view => view.ready)
  t.strictSame(await logOf(second.uid, 1), ['kept'])
  const refused = await until(
    pods,
    thief.uid,
    view => state(view).state === 'waiting' && (state(view) as { reason: string }).reason !== 'ContainerCreating',
  )
  t.match(state(refused), { reason: 'CreateContainerConfigError', message: /leads out of its volume/ })
  await endNow(second.uid)
  await endNow(thief.uid)
})

t.test('pods on disk show nothing of their secrets', async t => {
  const secrets = { db: base64({ password: 'canary-9d2f81' }) }
  const record = podRecord('sealed', { containers: [script(image, 'sleep 1000')] }, { secrets })
  pods.create(record)
  await until(pods, record.uid, view => view.ready)

  const content = readFileSync(join(room.dir, 'pods', `${record.uid}.pod`), 'latin1')
  t.notMatch(content, /canary-9d2f81/)
  t.notOk(content.includes(Buffer.from('canary-9d2f81').toString('base64')))
  t.match((await world.store.load()).lives.find(life => life.record.uid === record.uid)?.record.secrets, secrets)
  await endNow(record.uid)
})
