// What an attempt under way waits for, in the words that status, why and the page show: who is not ready, and what keeps it from that.
import t from 'tap'
import { awaitedOf } from '../../controller/illness.js'
import { newLedger } from '../../controller/ledger.js'

const web = { group: 'apps', kind: 'Deployment', namespace: 'shop', name: 'web' }
const ended = { state: 'terminated', reason: 'Error', message: '', exitCode: 3, startedAt: '', finishedAt: '' }

interface Container {
  readonly state: object
  readonly restartCount?: number
  readonly last?: object | null
  readonly ready?: boolean
}

function awaited(containers: readonly Container[], pod: object = {}): string {
  const full = containers.map(one => ({ name: 'web', ready: false, started: false, restartCount: 0, last: null, ...one }))
  const ready = full.every(one => one.ready)
  const common = { namespace: 'shop', owner: web, workload: web, release: 'r', attempt: 1, terminating: false, phase: 'Pending' }
  const attempt = { number: 1, outcome: null, verdict: null, release: 'r', step: { name: 'Verifying' } }
  const ledger = { ...newLedger({ name: 'shop', uid: 'u' }, 'cluster/prod', 's'), attempt }
  const one = { ...common, name: 'web-1', templateHash: 'h', ready, reason: '', message: '', containers: full, ...pod }
  const observed = { pods: [one], objects: [{ ref: web, templateHash: 'h' }] }
  const health = { fresh: true, objects: [{ ref: web, there: true, settled: false }] }
  return awaitedOf({ ledger, observed, health } as unknown as Parameters<typeof awaitedOf>[0], null)
}

const waiting = (reason: string, message = '') => ({ state: 'waiting', reason, message })
const running = { state: 'running', startedAt: '' }

const table: readonly [string, string, string][] = [
  ['only starting', awaited([{ state: waiting('ContainerCreating') }]), 'web 0 of 1 ready'],
  ['running, not ready yet', awaited([{ state: running }]), 'web 0 of 1 ready'],
  ['ready', awaited([{ state: running, ready: true }]), 'web 1 of 1 ready'],
  [
    'in a crash loop',
    awaited([{ state: waiting('CrashLoopBackOff', 'back-off 10s restarting'), restartCount: 1, last: ended }]),
    'web 0 of 1 ready: container web waits (CrashLoopBackOff), exited 3, 1 restart',
  ],
  [
    'running again after a crash',
    awaited([{ state: running, restartCount: 1, last: ended }]),
    'web 0 of 1 ready: container web is not ready, exited 3, 1 restart',
  ],
  [
    'no image',
    awaited([{ state: waiting('ImagePullBackOff', 'Back-off pulling image "web:2": not found\nmore') }]),
    'web 0 of 1 ready: container web waits (ImagePullBackOff): Back-off pulling image "web:2": not found',
  ],
  [
    'a very long word',
    awaited([{ state: waiting('ErrImagePull', 'x'.repeat(300)) }]),
    `web 0 of 1 ready: container web waits (ErrImagePull): ${'x'.repeat(200)}...`,
  ],
  [
    'no node for it',
    awaited([], { ready: false, reason: 'Unschedulable', message: '0/1 nodes are available: 1 Insufficient cpu.' }),
    'web 0 of 1 ready: pod web-1 Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.',
  ],
  [
    'the one that ended most often is named',
    awaited([
      { state: running, restartCount: 1, last: ended },
      { state: waiting('CrashLoopBackOff'), restartCount: 2, last: { ...ended, exitCode: 9 } },
    ]),
    'web 0 of 1 ready: container web waits (CrashLoopBackOff), exited 9, 2 restarts',
  ],
]

for (const [what, is, expected] of table)
  t.test(what, async t => {
    t.equal(is, expected)
  })
