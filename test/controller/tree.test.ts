import t from 'tap'
import type { Observed } from '../../controller/cluster/cluster.js'
import type { HookRun } from '../../controller/ledger.js'
import { objectTree } from '../../controller/tree.js'

const job = (name: string) => ({ group: 'batch', kind: 'Job', namespace: 'shop', name })
const seen = (...names: readonly string[]) =>
  ({ objects: names.map(name => ({ ref: job(name) })), pods: [] }) as unknown as Observed
const run = (name: string, outcome: HookRun['outcome']) => ({ ref: job(name), phase: 'PreSync', wave: -1, outcome }) as HookRun

t.test(
  'a hook that ran under the name of its attempt is a hook, with its own health, not something no longer in Git',
  async t => {
    for (const [outcome, status] of [
      ['running', 'Progressing'],
      ['succeeded', 'Healthy'],
      ['failed', 'Degraded'],
    ] as const) {
      const [shown] = objectTree(null, seen('migrate-presync-2'), null, [run('migrate-presync-2', outcome)])

      t.match(shown, { hook: 'PreSync', wave: -1, sync: '', health: { status, message: outcome } })
    }
  },
)

t.test('what no release and no hook of the attempt names is extra', async t => {
  const [shown] = objectTree(null, seen('left-over'), null, [run('migrate-presync-2', 'succeeded')])

  t.match(shown, { sync: 'Extra', hook: '', health: { status: 'Unknown' } })
})
