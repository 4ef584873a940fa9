// What a kubelet's reports say of a pod, one after the other: each case is a series of container statuses and what is known at its end.
import t from 'tap'
import { bytesOf, type Memories, seenPod } from '../../controller/cluster/kubernetes/pods.js'

type Status = Readonly<Record<string, unknown>>

const end = (exitCode: number, reason = 'Error', at = '2026-01-01T00:00:10Z') => ({
  terminated: { exitCode, reason, startedAt: '2026-01-01T00:00:09Z', finishedAt: at },
})
const runs = { running: { startedAt: '2026-01-01T00:00:00Z' } }
const waits = (reason: string) => ({ waiting: { reason, message: 'because' } })

function pod(container: Status, more: Status = {}): Status {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-1', namespace: 'shop', uid: 'u1', labels: { 'pod-template-hash': 'abc' } },
    spec: { containers: [{ name: 'web', image: 'web:1', resources: { limits: { memory: '64Mi' } } }] },
    status: {
      phase: 'Running',
      conditions: [
        { type: 'Ready', status: container.ready === true ? 'True' : 'False', lastTransitionTime: '2026-01-01T00:00:20Z' },
      ],
      containerStatuses: [{ name: 'web', restartCount: 0, ready: false, ...container }],
      ...more,
    },
  }
}

function after(reports: readonly Status[]) {
  let memories: Memories = {}
  let last = seenPod(reports[0]!, memories, {})
  for (const report of reports) {
    last = seenPod(report, memories, {})
    memories = last.memories
  }
  return { pod: last.pod, container: last.pod.containers[0]! }
}

t.test('an end for memory is counted once, however often and in whichever place it is reported', async t => {
  const oom = end(137, 'OOMKilled')
  const cases: readonly [string, readonly Status[], number][] = [
    ['never', [pod({ state: runs, ready: true })], 0],
    ['as the state', [pod({ state: oom })], 1],
    ['as the state, twice told', [pod({ state: oom }), pod({ state: oom })], 1],
    ['as the state, then waiting', [pod({ state: oom }), pod({ state: waits('CrashLoopBackOff'), lastState: oom })], 1],
    [
      'waiting, then started again',
      [pod({ state: waits('CrashLoopBackOff'), lastState: oom }), pod({ state: runs, lastState: oom, restartCount: 1 })],
      1,
    ],
    [
      'a second end in the same second',
      [
        pod({ state: oom }),
        pod({ state: runs, lastState: oom, restartCount: 1 }),
        pod({ state: oom, lastState: oom, restartCount: 1 }),
      ],
      2,
    ],
    ['two at once, where the first was missed', [pod({ state: oom, lastState: oom, restartCount: 1 })], 2],
    ['another reason', [pod({ state: end(1) }), pod({ state: oom, lastState: end(1), restartCount: 1 })], 1],
  ]
  for (const [name, reports, count] of cases) t.equal(after(reports).container.oomKills, count, name)
})

t.test('what was ready once is remembered, and when it was in trouble', async t => {
  const cases: readonly [string, readonly Status[], boolean, string][] = [
    ['never ready', [pod({ state: runs })], false, ''],
    ['ended, never ready', [pod({ state: end(1) })], false, ''],
    ['ready', [pod({ state: runs, ready: true })], true, ''],
    ['ready, then ended', [pod({ state: runs, ready: true }), pod({ state: end(1) })], true, '2026-01-01T00:00:10Z'],
    ['ready, then not', [pod({ state: runs, ready: true }), pod({ state: runs })], true, '2026-01-01T00:00:20Z'],
    [
      'ready again after an end',
      [
        pod({ state: runs, ready: true }),
        pod({ state: end(1) }),
        pod({ state: runs, lastState: end(1), restartCount: 1, ready: true }),
      ],
      true,
      '2026-01-01T00:00:10Z',
    ],
  ]
  for (const [name, reports, ready, troubledAt] of cases) {
    const { container } = after(reports)
    t.same([container.everReady, container.troubledAt], [ready, troubledAt], name)
  }
})

t.test('states, reasons and limits are read as Kubernetes writes them', async t => {
  const { pod: seen, container } = after([
    pod(
      { state: waits('CreateContainerConfigError') },
      {
        phase: 'Pending',
        conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes are available' }],
      },
    ),
  ])

  t.same(container.state, { state: 'waiting', reason: 'CreateContainerConfigError', message: 'because' })
  t.equal(container.memoryLimit, 64 * 2 ** 20)
  t.same([seen.phase, seen.reason, seen.message], ['Pending', 'Unschedulable', '0/1 nodes are available'])
  t.equal(seen.templateHash, 'abc')
})

t.test('quantities', async t => {
  const cases: readonly [unknown, number][] = [
    ['64Mi', 67_108_864],
    ['1Gi', 1_073_741_824],
    ['1.5Gi', 1_610_612_736],
    ['500M', 500_000_000],
    ['1000', 1000],
    ['2k', 2000],
    ['16Ki', 16_384],
    [undefined, 0],
    ['a lot', 0],
  ]
  for (const [quantity, bytes] of cases) t.equal(bytesOf(quantity), bytes, String(quantity))
})
