// Each sign of release.md's table, and the two rules against false verdicts: what a report shows -> what is judged, and when.
import t from 'tap'
import type { Observed } from '../../controller/cluster/cluster.js'
import { assess } from '../../controller/health/assess.js'
import { readyLimit } from '../../controller/health/habit.js'
import type { Ledger, Verdict } from '../../controller/ledger.js'
import type { Release } from '../../controller/release.js'
import { decide } from '../../controller/rollout.js'
import type { ObservedContainer, ObservedObject, ObservedPod } from '../../runtime/contract/documents.js'
import { deployment, release } from './builders.js'
import { World } from './world.js'

const good = release(deployment('web', 'good:1'))
const tried = release(deployment('web', 'never:2'))

/** r1 healthy, r2 applied a second ago and not ready; or r2 alone, as a first release. */
function rollout(isFirst: boolean): { readonly world: World; readonly observed: Observed; readonly ledger: Ledger } {
  const world = new World()
  if (!isFirst) {
    world.push(good)
    world.minutes(2)
  }
  world.push(tried)
  world.seconds(1.3)
  return { world, observed: world.observe(), ledger: world.ledger! }
}

interface Change {
  readonly container?: Partial<ObservedContainer>
  readonly pod?: Partial<ObservedPod>
  readonly workload?: Readonly<Record<string, unknown>>
  readonly control?: Partial<ObservedContainer>
  readonly controlPod?: Partial<ObservedPod>
  readonly more?: Partial<Observed>
}

function changed(observed: Observed, { container, pod, workload, control, controlPod, more }: Change): Observed {
  const newest = Math.max(...observed.pods.map(one => one.attempt))
  const podOf = (one: ObservedPod): ObservedPod => {
    const patch = one.attempt === newest ? container : control
    return {
      ...one,
      ...(one.attempt === newest ? pod : controlPod),
      containers: one.containers.map(each => ({ ...each, ...patch })),
    }
  }
  const objectOf = (one: ObservedObject): ObservedObject => ({ ...one, status: { ...one.status, ...workload } })
  return { ...observed, objects: observed.objects.map(objectOf), pods: observed.pods.map(podOf), ...more }
}

/** Looks at once, and for `seconds` more with the same report, which the place confirms unless it is mute: the verdict, if there is one by then. */
function verdictAfter(seconds: number, change: Change, isFirst = false, isMute = false): Verdict | null {
  return verdictOf([[seconds, change]], isFirst, isMute)
}

/** One report after the other, each confirmed for its seconds. */
function verdictOf(reports: readonly (readonly [number, Change])[], isFirst = false, isMute = false): Verdict | null {
  const { world, observed, ledger } = rollout(isFirst)
  const releases = (id: string): Release | null => world.releases.get(id as never) ?? null
  const look = (change: Change, from: Ledger, now: number) => {
    const seen = changed(observed, change)
    const heard = isMute ? seen : { ...seen, at: now }
    const health = assess({ app: world.app, release: tried, ledger: from, observed: heard, now })
    return decide({ app: world.app, ledger: from, candidate: world.head, releases, observed: heard, health, now })
  }
  let at = world.now
  let from = ledger
  for (const [seconds, change] of reports) {
    let decision = look(change, from, at)
    for (const end = at + seconds * 1000; at < end && decision.verdict === null; ) {
      at = Math.min(at + 5_000, end)
      decision = look(change, decision.ledger, at)
    }
    if (decision.verdict !== null) return decision.verdict
    from = decision.ledger
  }
  return null
}

const ended = { state: 'terminated' as const, reason: 'Error', message: '', exitCode: 1, startedAt: '', finishedAt: '' }
const waiting = (reason: string): ObservedContainer['state'] => ({ state: 'waiting', reason, message: '' })
const backOff = (restartCount: number) => ({ restartCount, state: waiting('CrashLoopBackOff'), last: ended })
const condition = (type: string, status: string, reason: string) => ({ conditions: [{ type, status, reason, message: '' }] })

/** name, what is reported, no verdict yet after, verdict after (s), sign, kind. */
const table: readonly (readonly [string, Change, number | null, number, string, Verdict['kind']])[] = [
  ['a container that was never ready ends three times', { container: backOff(2) }, null, 0, 'CrashLoop', 'bad'],
  [
    'one that had been ready ends three times',
    { container: { ...backOff(2), everReady: true } },
    null,
    0,
    'CrashAfterReady',
    'bad',
  ],
  [
    'one is ended for its memory twice',
    { container: { ...backOff(1), oomKills: 2, memoryLimit: 2 ** 26 } },
    null,
    0,
    'OOMKilled',
    'bad',
  ],
  ['an image name is none', { container: { state: waiting('InvalidImageName') } }, null, 0, 'InvalidImageName', 'bad'],
  ['the host policy refuses the pod', { pod: { reason: 'HostPolicy' } }, null, 0, 'HostPolicy', 'bad'],
  [
    'a container cannot be configured',
    { container: { state: waiting('CreateContainerConfigError') } },
    9,
    11,
    'CreateContainerConfigError',
    'bad',
  ],
  [
    'the engine cannot make a container',
    { container: { state: waiting('EngineError') } },
    290,
    310,
    'EngineError',
    'surroundings',
  ],
  ['a container cannot be run', { container: { state: waiting('RunContainerError') } }, 9, 11, 'RunContainerError', 'bad'],
  ['pods cannot be created', { workload: condition('ReplicaFailure', 'True', 'FailedCreate') }, 14, 20, 'FailedCreate', 'bad'],
  [
    'the progress deadline is over',
    { workload: condition('Progressing', 'False', 'ProgressDeadlineExceeded') },
    null,
    0,
    'ProgressDeadlineExceeded',
    'bad',
  ],
  [
    'an image cannot be pulled',
    { container: { state: waiting('ImagePullBackOff') } },
    280,
    300,
    'ImagePullFailed',
    'surroundings',
  ],
  ['a pod finds no room', { pod: { reason: 'Unschedulable' } }, 280, 300, 'Unschedulable', 'surroundings'],
  ['a pod can never find room', { pod: { reason: 'NeverFits' } }, null, 0, 'NeverFits', 'surroundings'],
  ['there is no progress', {}, 280, 300, 'HealthTimeout', 'bad'],
  ['the place does not obey', { more: { ordered: { epoch: 9, generation: 9 } } }, 280, 300, 'NotObeyed', 'surroundings'],
]

for (const [name, change, notYet, seconds, sign, kind] of table) {
  t.test(`judged: ${name}`, async t => {
    if (notYet !== null) t.equal(verdictAfter(notYet, change), null, `not yet after ${notYet} s`)
    t.match(verdictAfter(seconds, change), { sign, kind })
  })
}

t.test('at the deadline, what was seen shortly before and explains it is the verdict', async t => {
  const failing = { workload: condition('ReplicaFailure', 'True', 'FailedCreate') }
  const verdict = verdictOf([
    [285, {}],
    [15, failing],
  ])
  t.match(verdict, { sign: 'FailedCreate', kind: 'bad' })
})

t.test('a place of which nothing was heard since is not judged by time, but by what it had said', async t => {
  t.equal(verdictAfter(300, {}, false, true), null)
  t.match(verdictAfter(300, { container: backOff(2) }, false, true), { sign: 'CrashLoop' })
})

/** What says nothing against a release. */
const innocent: readonly (readonly [string, Change])[] = [
  ['a container ended twice', { container: backOff(1) }],
  ['an init container that is done', { container: { init: true, state: { ...ended, exitCode: 0 } } }],
  ['a pod that is being ended', { pod: { terminating: true }, container: backOff(9) }],
  ['a pod of another template', { pod: { templateHash: 'older' }, container: backOff(9) }],
  ['a pod that was started by an earlier attempt', { pod: { attempt: 0 }, container: backOff(9) }],
  ['a report about an older order', { more: { ordered: { epoch: 9, generation: 9 } }, container: backOff(9) }],
  ['a silent place', { more: { silent: { since: 0, message: 'silent', hears: false } }, container: backOff(9) }],
  [
    "a Job's pod that is tried again",
    { pod: { workload: { group: 'batch', kind: 'Job', namespace: 'shop', name: 'j' } }, container: backOff(9) },
  ],
]

for (const [name, change] of innocent) {
  t.test(`not judged: ${name}`, async t => {
    t.equal(verdictAfter(60, change), null)
  })
}

t.test(
  'while pods of the good release suffer too, nothing is judged before the health timeout, and then the surroundings are',
  async t => {
    const change = { container: backOff(5), control: { troubledAt: new Date(Date.UTC(2030, 0, 1)).toISOString() } }

    t.equal(verdictAfter(280, change), null)
    t.match(verdictAfter(300, change), { sign: 'CrashLoop', kind: 'surroundings' })
    t.match(
      verdictAfter(0, { ...change, container: { state: waiting('InvalidImageName') } }),
      { kind: 'bad' },
      'a name is wrong in any weather',
    )
  },
)

t.test(
  'pods of the good release that were not well before it was applied, and are not yet, are the surroundings too',
  async t => {
    const before = new Date(Date.UTC(2020, 0, 1)).toISOString()
    const ill = { container: backOff(5), control: { troubledAt: before, ready: false } }

    t.equal(verdictAfter(280, ill), null)
    t.match(verdictAfter(300, ill), { sign: 'CrashLoop', kind: 'surroundings' })
    t.match(verdictAfter(0, { ...ill, control: { troubledAt: before, ready: true } }), { sign: 'CrashLoop', kind: 'bad' })
  },
)

/** The good release's pods were not ready for `seconds`, and came back: what is reported until that is over, and then. */
const outage = (seconds: number, meanwhile: Change, after: Change): readonly (readonly [number, Change])[] => {
  const at = (second: number) => new Date(Date.UTC(2026, 0, 1) + 121_300 + second * 1000).toISOString()
  return [
    [seconds, { ...meanwhile, control: { troubledAt: at(1), ready: false } }],
    [12, { ...meanwhile, control: { troubledAt: at(1), ready: true }, controlPod: { readyAt: at(seconds) } }],
    [400, { ...after, control: { troubledAt: at(1), ready: true }, controlPod: { readyAt: at(seconds) } }],
  ]
}

/** name, how long it lasted (s), what is reported meanwhile, and then: when it is judged (s since the apply), sign, kind. */
const moments: readonly (readonly [string, number, Change, Change, number, string, Verdict['kind']])[] = [
  ['it ends thrice more after it', 5, { container: backOff(2) }, { container: backOff(5) }, 15, 'CrashLoop', 'bad'],
  ['its ends of then are not counted', 5, { container: backOff(2) }, { container: backOff(4) }, 300, 'HealthTimeout', 'bad'],
  [
    'it was ended for its memory then, and not since',
    5,
    { container: { ...backOff(1), oomKills: 2 } },
    { container: { ...backOff(1), oomKills: 2 } },
    300,
    'HealthTimeout',
    'bad',
  ],
  [
    'a container could not be configured, and cannot be now',
    5,
    { container: { state: waiting('CreateContainerConfigError') } },
    { container: { state: waiting('CreateContainerConfigError') } },
    25,
    'CreateContainerConfigError',
    'bad',
  ],
  [
    'its progress deadline ran out meanwhile',
    60,
    { workload: condition('Progressing', 'False', 'ProgressDeadlineExceeded') },
    { workload: condition('Progressing', 'False', 'ProgressDeadlineExceeded') },
    300,
    'ProgressDeadlineExceeded',
    'surroundings',
  ],
  [
    'its progress deadline ran out later',
    5,
    {},
    { workload: condition('Progressing', 'False', 'ProgressDeadlineExceeded') },
    15,
    'ProgressDeadlineExceeded',
    'bad',
  ],
  ['it is not ready for the whole timeout', 5, {}, {}, 300, 'HealthTimeout', 'bad'],
  ['it had no time to get ready since', 280, {}, {}, 300, 'HealthTimeout', 'surroundings'],
]

for (const [name, seconds, meanwhile, after, judgedAfter, sign, kind] of moments)
  t.test(`pods of the good release suffered for ${seconds} s: ${name}`, async t => {
    const { world } = rollout(false)
    const verdict = verdictOf(outage(seconds, meanwhile, after))

    t.match(verdict, { sign, kind })
    const took = ((verdict?.at ?? 0) - world.now) / 1000
    t.ok(Math.abs(took - judgedAfter) <= 5, `after ${took} s`)
  })

t.test('a pod that has ended, or of a Job, says nothing of the surroundings, whatever it once suffered', async t => {
  const before = new Date(Date.UTC(2020, 0, 1)).toISOString()
  const change = { container: backOff(5), control: { troubledAt: before, ready: false } }
  const job = { group: 'batch', kind: 'Job', namespace: 'shop', name: 'migrate' }

  for (const controlPod of [{ phase: 'Succeeded' as const }, { phase: 'Failed' as const }, { workload: job }])
    t.match(verdictAfter(0, { ...change, controlPod }), { sign: 'CrashLoop', kind: 'bad' }, JSON.stringify(controlPod))
})

t.test('how often its pods ended in a time of trouble is not held against it once the troubled pods are gone', async t => {
  const trouble = { container: backOff(5), control: { troubledAt: new Date(Date.UTC(2030, 0, 1)).toISOString() } }
  const later = (more: number) => ({ container: { ...backOff(5 + more), everReady: true } })
  const verdictWith = (more: number) =>
    verdictOf([
      [20, trouble],
      [30, later(more)],
    ])

  t.equal(verdictWith(0), null)
  t.equal(verdictWith(2), null)
  t.match(verdictWith(3), { sign: 'CrashAfterReady', kind: 'bad' })
})

t.test('a first release has patience, but not with what is hopeless', async t => {
  t.equal(verdictAfter(280, { container: backOff(5) }, true), null)
  t.match(verdictAfter(300, { container: backOff(5) }, true), { sign: 'CrashLoop', kind: 'bad' })
  t.match(verdictAfter(0, { container: { state: waiting('InvalidImageName') } }, true), { sign: 'InvalidImageName' })
  t.match(verdictAfter(0, { pod: { reason: 'NeverFits' } }, true), { sign: 'NeverFits' })
})

t.test('a verdict carries its evidence', async t => {
  const lines = Array.from({ length: 30 }, (_, line) => `line ${line}`)
  const verdict = verdictAfter(0, { container: { ...backOff(2), lastLog: lines } })

  t.match(verdict, {
    container: 'web',
    exitCode: 1,
    restarts: 2,
    limit: 'restartsAllowed 2',
    object: { kind: 'Deployment', name: 'web' },
  })
  t.equal(verdict?.message, 'container web exited 1 three times, never ready')
  t.strictSame(verdict?.log, lines.slice(-20))
})

t.test(
  'a workload gets five times its slowest release, at least 30 s, at least what its probes allow, once it has a habit',
  async t => {
    const probes = { startupProbe: { periodSeconds: 10, failureThreshold: 30 }, readinessProbe: { initialDelaySeconds: 5 } }
    const slow = structuredClone(deployment('web', 'good:1')) as unknown as {
      spec: { template: { spec: { containers: object[] } } }
    }
    Object.assign(slow.spec.template.spec.containers[0]!, probes)
    const key = 'apps/Deployment/shop/web'
    const cases = [
      [deployment('web', 'x'), [1000, 2000], null],
      [deployment('web', 'x'), [1000, 2000, 1500], 30_000],
      [deployment('web', 'x'), [1000, 20_000, 1500], 100_000],
      [slow as never, [1000, 2000, 1500], 305_000],
    ] as const

    for (const [object, times, limit] of cases) t.equal(readyLimit(object, { [key]: times }), limit)
  },
)

t.test('never ready after a habit of fast releases is judged after 30 s, long before the timeout', async t => {
  const world = new World()
  for (let push = 1; push <= 4; push += 1) {
    world.push(release(deployment('web', `good:${push}`)))
    world.minutes(2)
  }
  world.push(release(deployment('web', 'never:9')))
  world.seconds(29)
  t.equal(world.ledger!.attempt?.verdict, null)
  world.seconds(4)
  t.match(world.ledger!.attempt, { outcome: 'RolledBack', verdict: { sign: 'NeverReady', kind: 'bad' } })
})
