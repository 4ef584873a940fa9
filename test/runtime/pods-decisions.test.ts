import t from 'tap'
import { rootProblem } from '../../runtime/pods/body.js'
import { backOffMs, crashesAfter, nextStep, type PodStep } from '../../runtime/pods/decide.js'
import { expand } from '../../runtime/pods/environment.js'
import { afterEnd, afterReady, afterRun, afterUnhealthy, join, withContainer, withReadiness } from '../../runtime/pods/happen.js'
import { afterBoot, type ContainerLife, newLife, type PodLife } from '../../runtime/pods/life.js'
import { maskOf } from '../../runtime/pods/mask.js'
import type { PodRecord, PodSpec } from '../../runtime/pods/types.js'
import { viewOf } from '../../runtime/pods/view.js'
import { checkPath } from '../../runtime/volumes/files.js'
import { container, podRecord } from '../support/pods.js'

const start = Date.parse('2026-01-01T00:00:00Z')
const app = container('web:1', { name: 'app' })
const init = container('web:1', { name: 'init' })
const side = container('web:1', { name: 'side', restartPolicy: 'Always' })

const running: Partial<ContainerLife> = { id: 'x', run: 0, phase: 'running', startedAt: start, hook: 'done', started: true }
const ended = (exitCode: number, crashes = 1): Partial<ContainerLife> => ({
  id: 'x',
  run: crashes - 1,
  phase: 'ended',
  crashes,
  hook: 'done',
  end: { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', message: '', startedAt: start, finishedAt: start + 1000 },
})

function life(
  spec: Partial<PodSpec>,
  states: Readonly<Record<string, Partial<ContainerLife>>>,
  over: Partial<PodLife> = {},
): PodLife {
  const record = podRecord('p', { containers: [app], ...spec }, { createdAt: '2026-01-01T00:00:00Z' })
  const fresh = { ...newLife(record, 'boot'), initialized: (spec.initContainers ?? []).length === 0, ...over }
  return Object.entries(states).reduce((all, [name, each]) => withContainer(all, name, each), fresh)
}

function short(step: PodStep): string {
  if (step.do === 'rest') return step.until === null ? 'rest' : `rest until +${step.until - start}`
  return 'container' in step ? `${step.do} ${step.container.name}` : step.do
}

t.test('what is done next', async t => {
  const shared = { sandbox: { id: 's', run: 0 } }
  const cases: readonly [string, PodLife, number, string][] = [
    ['a new pod starts its container', life({}, {}), 0, 'run app'],
    ['one that runs is left', life({}, { app: running }), 0, 'rest'],
    ['the first restart is at once', life({}, { app: ended(1) }), 1000, 'run app'],
    ['the second a second later', life({}, { app: ended(1, 2) }), 1000, 'rest until +2000'],
    ['and then it is due', life({}, { app: ended(1, 2) }), 2000, 'run app'],
    ['an end in peace is a restart too', life({}, { app: ended(0) }), 1000, 'run app'],
    ['not with OnFailure', life({ restartPolicy: 'OnFailure' }, { app: ended(0) }), 1000, 'finish'],
    ['with Never a failure is the end', life({ restartPolicy: 'Never' }, { app: ended(1) }), 1000, 'finish'],
    ['what is finished rests', life({ restartPolicy: 'Never' }, { app: ended(1) }, { finishedAt: start }), 1000, 'rest'],
    ['init first', life({ initContainers: [init] }, {}), 0, 'run init'],
    ['and alone', life({ initContainers: [init] }, { init: running }), 0, 'rest'],
    ['until it succeeded', life({ initContainers: [init] }, { init: ended(0) }), 1000, 'initialized'],
    ['a failed one again', life({ initContainers: [init] }, { init: ended(1) }), 1000, 'run init'],
    [
      'with Never it is the end of all',
      life({ initContainers: [init], restartPolicy: 'Never' }, { init: ended(1) }),
      1000,
      'finish',
    ],
    ['several need something that holds their network', life({ containers: [app, { ...app, name: 'b' }] }, {}), 0, 'sandbox'],
    [
      'a sidecar must have started',
      life({ initContainers: [side] }, { side: { ...running, started: false } }, shared),
      0,
      'rest',
    ],
    ['then the rest', life({ initContainers: [side] }, { side: running }, shared), 0, 'initialized'],
    [
      'a sidecar that ended comes back',
      life({ initContainers: [side] }, { side: ended(0), app: running }, { ...shared, initialized: true }),
      1000,
      'run side',
    ],
    [
      'not when all else is over: it is ended',
      life(
        { initContainers: [side], restartPolicy: 'Never' },
        { side: running, app: ended(0) },
        { ...shared, initialized: true },
      ),
      1000,
      'stop side',
    ],
    [
      'an unhealthy one is stopped',
      life({}, { app: { ...running, unhealthy: { message: 'm', graceSeconds: null, begun: false } } }),
      0,
      'stop app',
    ],
    ['once', life({}, { app: { ...running, unhealthy: { message: 'm', graceSeconds: null, begun: true } } }), 0, 'rest'],
    ['postStart comes before the next container', life({}, { app: { ...running, hook: 'pending' } }), 0, 'postStart app'],
    [
      'what waits for configuration is tried when it is due',
      life({}, { app: { waiting: { reason: 'x', message: '', retryAt: start + 500, tries: 1 } } }),
      0,
      'rest until +500',
    ],
    [
      'and at once, where the clock was set back by so much that nothing else explains the wait',
      life({}, { app: { waiting: { reason: 'x', message: '', retryAt: start + 3_600_000, tries: 1 } } }),
      0,
      'run app',
    ],
    ['a deadline is waited for', life({ activeDeadlineSeconds: 5 }, { app: running }), 0, 'rest until +5000'],
    ['and kept', life({ activeDeadlineSeconds: 5 }, { app: running }), 5000, 'fail'],
    [
      'what failed as a whole is stopped',
      life({}, { app: running }, { failed: { reason: 'DeadlineExceeded', message: '' } }),
      0,
      'stop app',
    ],
  ]
  for (const [name, given, atMs, expected] of cases) t.equal(short(nextStep(given, start + atMs)), expected, name)
})

t.test('back-off doubles from one second to a minute, and is forgiven after ten minutes', async t => {
  t.strictSame(
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 50].map(backOffMs),
    [0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000],
  )
  t.equal(crashesAfter(7, 599_999), 8)
  t.equal(crashesAfter(7, 600_000), 1)
})

t.test('phase and state as Kubernetes has them', async t => {
  const cases: readonly [string, PodLife, number, string, object][] = [
    ['new', life({}, {}), 0, 'Pending', { state: 'waiting', reason: 'ContainerCreating' }],
    [
      'behind an init container',
      life({ initContainers: [init] }, { init: running }),
      0,
      'Pending',
      { state: 'waiting', reason: 'PodInitializing' },
    ],
    ['running', life({}, { app: running }), 0, 'Running', { state: 'running' }],
    ['in a crash loop', life({}, { app: ended(1, 3) }), 1500, 'Running', { state: 'waiting', reason: 'CrashLoopBackOff' }],
    [
      'done',
      life({ restartPolicy: 'Never' }, { app: ended(0) }),
      1500,
      'Succeeded',
      { state: 'terminated', reason: 'Completed', exitCode: 0 },
    ],
    [
      'failed',
      life({ restartPolicy: 'Never' }, { app: ended(2) }),
      1500,
      'Failed',
      { state: 'terminated', reason: 'Error', exitCode: 2 },
    ],
    [
      'done before the machine was started again',
      afterBoot(life({ restartPolicy: 'Never' }, { app: ended(0) }), 'another boot'),
      1500,
      'Succeeded',
      { state: 'terminated' },
    ],
    ['done at last', life({ restartPolicy: 'OnFailure' }, { app: ended(0, 3) }), 1500, 'Succeeded', { state: 'terminated' }],
    [
      'failed by its deadline',
      life({}, { app: running }, { failed: { reason: 'DeadlineExceeded', message: 'm' } }),
      0,
      'Failed',
      { state: 'running' },
    ],
  ]
  for (const [name, given, atMs, phase, state] of cases) {
    const view = viewOf(given, '10.0.0.9', start + atMs)
    t.equal(view.phase, phase, name)
    t.match(view.containers.at(-1)?.state, state, name)
  }
})

t.test('trouble is what nobody asked for, after a pod was first ready', async t => {
  const fresh = life({}, { app: running })
  const ready = withReadiness(afterReady(fresh, 'app', true, start), start)
  const end = {
    end: { exitCode: 1, reason: 'Error', message: '', startedAt: start, finishedAt: start + 5 },
    lastLog: ['x'],
    oom: false,
  }
  const trouble = (given: PodLife) => given.containers.app?.troubledAt ?? null
  const told = { ...ready, terminating: { since: start, reason: '', graceSeconds: 1, stoppingSince: null } }

  t.equal(ready.readyAt, start)
  t.equal(trouble(afterEnd(fresh, app, end, start + 5)), null, 'it never was ready')
  t.equal(trouble(afterEnd(ready, app, end, start + 5)), start + 5)
  t.equal(trouble(afterReady(ready, 'app', false, start + 6)), start + 6)
  t.equal(trouble(afterEnd(told, app, end, start + 5)), null, 'it was told to')
})

t.test('a container that fails its liveness probe is not ready any more before it is ended', async t => {
  const ready = withReadiness(afterReady(life({}, { app: running }), 'app', true, start), start)
  const ill = withReadiness(afterUnhealthy(ready, 'app', 'liveness probe failed', 3, start + 5), start + 5)

  t.equal(viewOf(ill, '10.0.0.1', start + 5).ready, false)
  t.match(ill.containers.app, { phase: 'running', unhealthy: { begun: false, graceSeconds: 3 }, troubledAt: start + 5 })
})

t.test('what the engine refuses is told apart from what it tried and could not do', async t => {
  const reason = (kind: 'refused' | 'failed') =>
    afterRun(life({}, {}), app, { kind, message: 'no space left on device' }, start).containers.app?.waiting?.reason

  t.equal(reason('refused'), 'CreateContainerError')
  t.equal(reason('failed'), 'EngineError')
})

t.test('pulls are tried after 10 s, doubling to 5 min', async t => {
  const problem = { reason: 'ErrImagePull', cause: 'notFound', message: 'pulling web:1: not found', transient: true } as const
  let now = life({}, {})
  const seen: unknown[] = []
  for (let tries = 0; tries < 7; tries++) {
    now = afterRun(now, app, { kind: 'image', problem }, start)
    const { reason, retryAt } = now.containers.app!.waiting!
    seen.push(`${reason} ${(retryAt - start) / 1000}`)
  }
  t.strictSame(seen, ['ErrImagePull 10', ...[20, 40, 80, 160, 300, 300].map(seconds => `ImagePullBackOff ${seconds}`)])
})

t.test('what the engine has is joined with what was known', async t => {
  const listed = (run: number, state: string, name = 'app') => ({
    Id: `id-${name}-${run}`,
    Names: [],
    State: state,
    Created: start / 1000,
    ImageID: 'sha256:1',
    Labels: { 'slipway.container': name, 'slipway.restart': String(run) },
  })
  const known = life({}, { app: { ...running, id: 'id-app-0' } })

  t.match(join(known, [listed(0, 'running')], start), {
    life: { containers: { app: { run: 0, id: 'id-app-0' } } },
    look: ['id-app-0'],
  })
  t.match(join(known, [listed(0, 'exited'), listed(1, 'running')], start).life.containers.app, {
    run: 1,
    id: 'id-app-1',
    phase: 'running',
  })
  t.match(
    join(life({}, {}), [listed(3, 'created')], start).life.containers.app,
    { run: 2, phase: 'none' },
    'made, not started: the same run is tried again',
  )
  t.match(join(known, [], start).look, ['id-app-0'], 'gone: looked for')
  const serving = life({}, { app: { ...running, id: 'id-app-0', ready: true } })
  for (const [state, ready] of [
    [['running'], true],
    [['exited'], false],
    [[], false],
  ] as const) {
    const found = join(
      serving,
      state.map(each => listed(0, each)),
      start,
    )
    t.equal(viewOf(found.life, '10.0.0.2', start).ready, ready, `ready, and the engine says: ${state}`)
  }
  t.match(join(known, [listed(0, 'running', 'POD')], start).life.sandbox, { id: 'id-POD-0', run: 0 })
})

t.test('after a boot init containers run once more', async t => {
  const before = life({ initContainers: [init] }, { init: ended(0), app: running }, { initialized: true })
  t.equal(afterBoot(before, 'boot'), before)
  t.match(afterBoot(before, 'next'), {
    initialized: false,
    containers: { init: { phase: 'none', run: 0 }, app: { phase: 'running' } },
  })
})

t.test('variables are expanded as Kubernetes does', async t => {
  const env = new Map([
    ['A', 'x'],
    ['EMPTY', ''],
  ])
  const cases = [
    ['$(A)', 'x'],
    ['$(A)$(A)', 'xx'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$x'],
    ['$(NONE)', '$(NONE)'],
    ['[$(EMPTY)]', '[]'],
    ['$A $', '$A $'],
    ['$(A', '$(A'],
    ['price$$', 'price$'],
  ] as const
  for (const [text, expected] of cases) t.equal(expand(text, env), expected, text)
})

t.test('secret values are taken out of text, plain and base64', async t => {
  const value = 'hunter22-long'
  const record: PodRecord = podRecord(
    'p',
    { containers: [app] },
    { secrets: { s: { a: Buffer.from(`${value}\n`).toString('base64'), b: Buffer.from('short').toString('base64') } } },
  )
  const mask = maskOf(record)
  t.equal(mask(`user:${value}@db`), 'user:***@db')
  t.equal(mask(`it is ${Buffer.from(value).toString('base64')}`), 'it is ***')
  t.equal(mask('short stays'), 'short stays')
})

t.test('who may not run as root', async t => {
  const record = podRecord('p', { containers: [app] })
  const asks = (over: object, user: string) =>
    rootProblem(record, { ...app, securityContext: { runAsNonRoot: true, ...over } }, user)
  t.match(asks({}, ''), /will run as root/)
  t.match(asks({}, 'root'), /will run as root/)
  t.match(asks({}, 'node'), /non-numeric user \(node\)/)
  t.match(asks({ runAsUser: 0 }, '1000'), /runAsUser is 0/)
  t.equal(asks({}, '1000:1000'), null)
  t.equal(asks({ runAsUser: 5 }, ''), null)
  t.equal(rootProblem(record, app, ''), null)
})

t.test('no path leads out of a volume', async t => {
  for (const path of ['../x', '/etc/passwd', 'a/../../b', '', 'a//b', './x', 'a\0b'])
    t.throws(() => checkPath(path), { name: 'ConfigError' }, path)
  t.doesNotThrow(() => checkPath('a/b.c/..d'))
})
