// What was written down as told or asked, by a controller that ended before it did so: the next one does it.
import t from 'tap'
import type { Observed } from '../../controller/cluster/cluster.js'
import { newLedger } from '../../controller/ledger.js'
import { afterStep, nextStep, type StepInput } from '../../controller/sync.js'
import type { ObjectRef } from '../../runtime/contract/manifest.js'
import { ana, application } from './builders.js'

const ref = (name: string): ObjectRef => ({ group: '', kind: 'ConfigMap', namespace: 'shop', name })
const [settings, other] = [ref('settings'), ref('other')]
const there = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: 'shop' } }
const going = { ...there, metadata: { ...there.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }

interface Asked {
  readonly pruning?: readonly ObjectRef[]
  readonly objects: readonly object[]
  readonly silent?: object | null
  readonly frozen?: boolean
  readonly deletion?: { readonly told: boolean }
}

function step({ pruning = [settings], objects, silent = null, frozen = false, deletion }: Asked) {
  const ledger = {
    ...newLedger(application(), 'cluster/prod', 'salt'),
    current: { pruning, owned: [], hookRuns: [], createdBy: {} } as never,
    deletion: deletion === undefined ? null : { by: ana, at: 1, cascade: true, ...deletion },
  }
  const prune = { objects: [], hooks: [] }
  const run = deletion === undefined ? 'leave' : 'delete'
  const decision = { run, ledger, changed: false, frozen, prune, heal: [], preflight: null } as unknown as StepInput['decision']
  const observed = { ordered: null, obeyed: null, gone: false, silent, objects, pods: [] } as unknown as Observed
  return { ledger, taken: nextStep({ app: application(), decision, releases: () => null, observed, now: 1 }) }
}

const again = { kind: 'prune', refs: [settings], why: 'again' }
const table: readonly [string, Asked, object][] = [
  ['there, not going, and this controller told nobody', { objects: [{ ref: settings, live: there, isTold: false }] }, again],
  ['this controller told it: only not seen yet', { objects: [{ ref: settings, live: there, isTold: true }] }, { kind: 'none' }],
  ['it is going', { objects: [{ ref: settings, live: going, isTold: false }] }, { kind: 'none' }],
  ['it is gone', { objects: [] }, { kind: 'none' }],
  ['on a node, where its document says so', { objects: [{ ref: settings }] }, { kind: 'none' }],
  [
    'it is none of those that go',
    { pruning: [other], objects: [{ ref: settings, live: there, isTold: false }] },
    { kind: 'none' },
  ],
  [
    'the cluster is away',
    { objects: [{ ref: settings, live: there, isTold: false }], silent: { since: 1, message: '', hears: false } },
    { kind: 'none' },
  ],
  ['paused', { objects: [{ ref: settings, live: there, isTold: false }], frozen: true }, { kind: 'none' }],
  ['a deletion, in its waves', { objects: [{ ref: settings, live: there, isTold: false }], deletion: { told: false } }, again],
]

for (const [what, asked, expected] of table)
  t.test(what, async t => {
    t.match(step(asked).taken, expected)
  })

t.test('telling it again is no other line of history', async t => {
  const { ledger, taken } = step({ objects: [{ ref: settings, live: there, isTold: false }] })
  const after = afterStep(ledger, taken, 5)
  t.same(after.current, ledger.current)
  t.equal(after.version, ledger.version + 1)
})

t.test(
  'a preflight that ended with its controller is begun anew: of a cluster at once, of a node when it has had its time',
  async t => {
    const preflight = { release: 'rel-1', round: 1 }
    const record = { ...preflight, askedAt: 1_000, answeredAt: 0, state: 'asked', message: '', retryAt: 0, failures: 0 }
    const steps = (kind: 'node' | 'cluster', now: number, answer: object | null) => {
      const base = application()
      const app = { ...base, destination: { ...base.destination, kind } }
      const ledger = { ...newLedger(app, 'place', 'salt'), preflight: record }
      const prune = { objects: [], hooks: [] }
      const decision = { run: 'leave', ledger, changed: false, frozen: false, prune, heal: [], preflight }
      const observed = { ordered: null, obeyed: null, gone: false, silent: null, objects: [], pods: [], preflight: answer }
      const input = { app, decision, releases: () => null, observed, now } as unknown as StepInput
      return nextStep(input).kind
    }

    t.equal(steps('cluster', 1_001, null), 'preflight')
    t.equal(steps('cluster', 1_001, { ...preflight, round: 0 }), 'preflight')
    t.equal(steps('cluster', 1_001, preflight), 'none', 'this controller is asking')
    t.equal(steps('node', 1_001, null), 'none')
    t.equal(steps('node', 31_000, null), 'preflight')
  },
)

t.test('what a deletion ends is no line of the release that ran', async t => {
  const { ledger } = step({ objects: [], deletion: { told: false } })
  const attempt = { number: 1, outcome: 'Healthy', moves: [], counts: { pruned: 0 }, step: { name: 'Ended' } } as never
  const pruned = (deletion: typeof ledger.deletion) =>
    afterStep({ ...ledger, attempt, deletion }, { kind: 'prune', refs: [other], why: 'surplus' }, 5).attempt?.moves

  t.same(pruned(ledger.deletion), [])
  t.match(pruned(null), [{ step: 'Pruned' }])
})
