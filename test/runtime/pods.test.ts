import t from 'tap'
import type { PodView } from '../../runtime/pods/types.js'
import { podRecord, podRoom, script, until, untilGone } from '../support/pods.js'

const room = await podRoom()
const { image, world } = room
let pods = room.open()
await pods.adopt(AbortSignal.timeout(10_000))
t.teardown(() => room.close())

const web = 'mkdir -p /www; echo ok >/www/index.html; exec httpd -f -p 80 -h /www'
const http = { kind: 'httpGet', path: '/', port: 80, scheme: 'HTTP', headers: [] } as const
const probe = {
  handler: http,
  initialDelaySeconds: 0,
  periodSeconds: 1,
  timeoutSeconds: 1,
  successThreshold: 1,
  failureThreshold: 3,
}
const now = { reason: 'test', drained: async () => undefined, graceSeconds: 0 }
const state = (view: PodView, index = 0) => view.containers[index]!.state

async function end(uid: string): Promise<void> {
  pods.terminate(uid, now)
  await untilGone(pods, uid)
}

t.test('a pod lives through the death of its runtime, and goes with all that was its', async t => {
  const record = podRecord('web', { containers: [script(image, web, { readinessProbe: probe })] })

  pods.create(record)
  const ready = await until(pods, record.uid, view => view.ready)
  t.match(await fetch(`http://${ready.ip}/`).then(answer => answer.text()), 'ok')
  const [before] = await world.docker.containers.list([`slipway.pod-uid=${record.uid}`])
  // Nothing of the old one is told that it ends: as after SIGKILL, only disk and engine speak.
  await pods.close()
  pods = room.open()
  const views: boolean[] = []
  pods.onChange(() => views.push(pods.list()[0]?.ready ?? false))
  await pods.adopt(AbortSignal.timeout(10_000))

  const adopted = await until(pods, record.uid, view => view.ready)
  t.match(adopted, { ip: ready.ip, readyAt: ready.readyAt, containers: [{ restartCount: 0 }] })
  t.notOk(views.includes(false), 'it was ready all the while')
  const after = await world.docker.containers.list([`slipway.pod-uid=${record.uid}`])
  t.strictSame(
    after.map(each => [each.Id, each.State]),
    [[before!.Id, 'running']],
  )

  await end(record.uid)
  t.strictSame(await world.docker.containers.list([`slipway.pod-uid=${record.uid}`]), [])
  t.strictSame((await world.store.load()).lives, [])
})

t.test('what is ready without a probe: all at once, or once its port accepts', async t => {
  const plain = podRecord('plain', { containers: [script(image, 'sleep 100')] })
  const slow = script(image, `sleep 1; ${web}`, { ports: [{ containerPort: 80, protocol: 'TCP' }] })
  const gated = podRecord('gated', { containers: [slow] }, { gatePorts: [80] })
  const never = podRecord('never', { containers: [script(image, 'sleep 100')] }, { gatePorts: [81] })
  const readyWhileRunning: boolean[] = []
  const unlisten = pods.onChange(uid => {
    const view = pods.list().find(each => each.record.uid === uid)
    if (uid === gated.uid && view !== undefined && state(view).state === 'running') readyWhileRunning.push(view.ready)
  })
  for (const record of [plain, gated, never]) pods.create(record)

  await until(pods, plain.uid, view => view.ready)
  await until(pods, gated.uid, view => view.ready)
  await until(pods, never.uid, view => view.phase === 'Running')
  unlisten()
  t.equal(readyWhileRunning[0], false)
  t.match(
    pods.list().find(view => view.record.uid === never.uid),
    { ready: false, phase: 'Running', containers: [{ everReady: false }] },
  )
  for (const record of [plain, gated, never]) await end(record.uid)
})

t.test(
  'a container that ends again and again is started later and later, and its last words are kept without its secrets',
  async t => {
    const password = 'correct-horse-battery'
    const talk = 'echo hello; echo "password $PASSWORD"; echo "and $(printf %s "$PASSWORD" | base64)" >&2; exit 3'
    const env = [{ name: 'PASSWORD', valueFrom: { kind: 'secret', name: 'db', key: 'password', optional: false } as const }]
    const secrets = { db: { password: Buffer.from(password).toString('base64') } }
    const record = podRecord(
      'crash',
      { containers: [script(image, talk, { env, terminationMessagePolicy: 'FallbackToLogsOnError' })] },
      { secrets },
    )

    pods.create(record)
    const once = await until(pods, record.uid, view => view.containers[0]!.restartCount === 1)
    t.match(once.phase, 'Running')
    const looping = await until(
      pods,
      record.uid,
      view => view.containers[0]!.restartCount >= 2 && state(view).state === 'waiting',
    )

    t.match(state(looping), { reason: 'CrashLoopBackOff' })
    const { last, lastLog, everReady, troubledAt } = looping.containers[0]!
    t.match(last, { exitCode: 3, reason: 'Error', message: /hello/ })
    t.strictSame([...lastLog].sort(), ['and ***', 'hello', 'password ***'])
    t.notMatch(JSON.stringify(looping.containers), password)
    t.equal(everReady, true, 'without a probe running is ready')
    t.not(troubledAt, '')
    t.equal(
      (await world.docker.containers.list([`slipway.pod-uid=${record.uid}`])).length,
      2,
      'the newest run and the one before',
    )
    const lines = []
    for await (const line of pods.logs(record.uid, 'main', { previous: true, tail: 1 }, AbortSignal.timeout(5000)))
      lines.push(line.text)
    t.equal(lines.length, 1)

    const restarts = looping.containers[0]!.restartCount
    await pods.close()
    pods = room.open()
    await pods.adopt(AbortSignal.timeout(10_000))
    const adopted = await until(pods, record.uid, () => true)
    t.ok(adopted.containers[0]!.restartCount >= restarts, 'restarts are not forgotten')
    await end(record.uid)
  },
)

t.test('a pod that runs to its end succeeds or fails, by its policy', async t => {
  const good = podRecord('good', { restartPolicy: 'Never', containers: [script(image, 'echo done >/dev/termination-log')] })
  const bad = podRecord('bad', { restartPolicy: 'Never', containers: [script(image, 'exit 4')] })
  const retried = podRecord('retried', {
    restartPolicy: 'OnFailure',
    volumes: [{ name: 'work', source: { kind: 'emptyDir', medium: '' } }],
    containers: [
      script(image, 'test -e /work/x || { touch /work/x; exit 1; }', {
        volumeMounts: [{ name: 'work', mountPath: '/work', readOnly: false }],
      }),
    ],
  })
  const late = podRecord('late', { restartPolicy: 'Never', activeDeadlineSeconds: 1, containers: [script(image, 'sleep 100')] })
  for (const record of [good, bad, retried, late]) pods.create(record)

  t.match(state(await until(pods, good.uid, view => view.phase === 'Succeeded' && view.finishedAt !== null)), {
    reason: 'Completed',
    exitCode: 0,
    message: 'done\n',
  })
  t.match(state(await until(pods, bad.uid, view => view.phase === 'Failed')), { reason: 'Error', exitCode: 4 })
  t.match(await until(pods, retried.uid, view => view.phase === 'Succeeded'), {
    containers: [{ restartCount: 1, troubledAt: /./ }],
  })
  t.match(await until(pods, late.uid, view => view.phase === 'Failed' && view.finishedAt !== null), {
    reason: 'DeadlineExceeded',
  })
  for (const record of [good, bad, retried, late]) await end(record.uid)
})

t.test('init containers run one after the other before the rest', async t => {
  const mounts = { volumeMounts: [{ name: 'work', mountPath: '/work', readOnly: false }] }
  const record = podRecord('init', {
    volumes: [{ name: 'work', source: { kind: 'emptyDir', medium: '' } }],
    initContainers: [
      script(image, 'test ! -e /work/tried && touch /work/tried && exit 1; echo one >/work/log', { name: 'first', ...mounts }),
      script(image, 'echo two >>/work/log', { name: 'second', ...mounts }),
    ],
    containers: [script(image, 'cat /work/log; sleep 100', mounts)],
  })

  pods.create(record)
  t.match(await until(pods, record.uid, () => true), { phase: 'Pending' })
  const ready = await until(pods, record.uid, view => view.ready)
  const lines: string[] = []
  const reading = AbortSignal.timeout(20_000)
  for await (const line of pods.logs(record.uid, 'main', { follow: true }, reading)) {
    lines.push(line.text)
    if (lines.length === 2) break
  }
  t.strictSame(lines, ['one', 'two'])
  t.match(
    ready.containers.map(each => [each.name, each.restartCount, each.ready]),
    [
      ['first', 1, true],
      ['second', 0, true],
      ['main', 0, true],
    ],
  )
  await end(record.uid)
})

t.test('containers of one pod share an address; a sidecar is there before and after', async t => {
  const record = podRecord('pair', {
    restartPolicy: 'Never',
    initContainers: [
      script(image, web, { name: 'side', restartPolicy: 'Always', startupProbe: { ...probe, failureThreshold: 30 } }),
    ],
    containers: [
      script(image, 'hostname; wget -qO- http://127.0.0.1/; sleep 100', { name: 'one' }),
      script(image, 'exit 0', { name: 'two' }),
    ],
  })

  pods.create(record)
  const running = await until(
    pods,
    record.uid,
    view => view.containers[1]!.state.state === 'running' && view.containers[2]!.state.state === 'terminated',
  )
  t.equal(await fetch(`http://${running.ip}/`).then(answer => answer.text()), 'ok\n')
  const lines: string[] = []
  for await (const line of pods.logs(record.uid, 'one', { follow: true }, AbortSignal.timeout(10_000))) {
    lines.push(line.text)
    if (lines.length === 2) break
  }
  t.strictSame(lines, ['pair', 'ok'])
  t.equal((await world.docker.containers.list([`slipway.pod-uid=${record.uid}`])).length, 4)
  await end(record.uid)
})

t.test('a container killed for its memory says so, and how often', async t => {
  const limits = { requests: {}, limits: { memoryBytes: 16 * 1024 ** 2 } }
  const record = podRecord('hungry', { containers: [script(image, 'exec tail /dev/zero', { resources: limits })] })

  pods.create(record)
  const twice = await until(pods, record.uid, view => view.containers[0]!.oomKills >= 2)

  t.match(twice.containers[0], { memoryLimit: 16 * 1024 ** 2, last: { reason: 'OOMKilled', exitCode: 137 } })
  await end(record.uid)
})

t.test('a container that stops answering is started again; readiness comes and goes', async t => {
  const flag = { kind: 'exec', command: ['test', '!', '-e', '/tmp/sick'] } as const
  const alive = { ...probe, handler: { kind: 'exec', command: ['test', '-e', '/tmp/alive'] } as const, failureThreshold: 1 }
  const record = podRecord('sick', {
    containers: [
      script(
        image,
        'mkdir -p /tmp; touch /tmp/alive; sleep 3; touch /tmp/sick; sleep 3; exec /bin/busybox sh -c "rm=1; sleep 1000"',
        { readinessProbe: { ...probe, handler: flag, failureThreshold: 1 }, livenessProbe: alive },
      ),
    ],
  })
  const dead = podRecord('dead', {
    containers: [script(image, 'sleep 1000', { livenessProbe: { ...alive, terminationGracePeriodSeconds: 1 } })],
  })

  pods.create(record)
  pods.create(dead)
  await until(pods, record.uid, view => view.ready)
  const lost = await until(pods, record.uid, view => !view.ready)
  t.match(lost.containers[0], { ready: false, everReady: true, troubledAt: /./, restartCount: 0 })
  const again = await until(pods, dead.uid, view => view.containers[0]!.restartCount === 1)
  t.match(again.containers[0]!.last, { exitCode: 137, message: /liveness probe failed/ })
  await end(record.uid)
  await end(dead.uid)
})

t.test('what is missing or wrong in its configuration is named, and it starts once that is there', async t => {
  const env = [{ name: 'TOKEN', valueFrom: { kind: 'secret', name: 'late', key: 'token', optional: false } as const }]
  const record = podRecord('waits', { containers: [script(image, 'sleep 100', { env })] })
  const root = podRecord('root', { containers: [script(image, 'sleep 100', { securityContext: { runAsNonRoot: true } })] })
  const user = podRecord('user', {
    containers: [script(image, 'sleep 100', { securityContext: { runAsNonRoot: true, runAsUser: 1000 } })],
  })
  const missing = podRecord('missing', { containers: [script('127.0.0.1:9/none:1', 'sleep 100')] })
  const nothing = podRecord('nothing', { containers: [script(image, '', { command: ['/bin/no-such-program'] })] })
  for (const each of [record, root, user, missing, nothing]) pods.create(each)

  const waiting = (reason: string) => (view: PodView) =>
    state(view).state === 'waiting' && (state(view) as { reason: string }).reason === reason
  t.match(state(await until(pods, record.uid, waiting('CreateContainerConfigError'))), { message: /Secret "late" not found/ })
  t.match(state(await until(pods, root.uid, waiting('CreateContainerConfigError'))), { message: /will run as root/ })
  t.match(await until(pods, missing.uid, waiting('ErrImagePull')), { phase: 'Pending' })
  t.match(state(await until(pods, nothing.uid, waiting('RunContainerError'))), { message: /no-such-program/ })
  await until(pods, user.uid, view => view.ready)
  room.found['secret/late'] = { token: 'eHl6enk=' }
  await until(pods, record.uid, view => view.ready)
  for (const each of [record, root, user, missing, nothing]) await end(each.uid)
})
