// The steps of a deletion: what is ended, what is let go, and when it may be forgotten.
import t from 'tap'
import type { Observed } from '../../controller/cluster/cluster.js'
import { newLedger } from '../../controller/ledger.js'
import { afterStep, nextStep, type StepInput } from '../../controller/sync.js'
import { ana, application } from './builders.js'

const [older, newer] = [
  { epoch: 1, generation: 1 },
  { epoch: 1, generation: 2 },
]
const nothing = { ordered: null, obeyed: null, gone: false, silent: null, objects: [], pods: [] } as unknown as Observed
const obeyed = { ...nothing, ordered: newer, obeyed: newer }
const behind = { ...nothing, ordered: newer, obeyed: older }
const silent = { since: 1, message: 'node n1 is silent', hears: false }
const deaf = { since: 1, message: 'node n1: its container engine does not answer', hears: true }

function step(asked: { readonly cascade: boolean; readonly told: boolean; readonly changed: boolean }, observed: Observed) {
  const { cascade, told, changed } = asked
  const ledger = {
    ...newLedger(application(), 'node/n1', 'salt'),
    current: { owned: [] } as never,
    deletion: { by: ana, at: 1, cascade, told },
  }
  const decision = { run: 'delete', ledger, changed, frozen: false } as unknown as StepInput['decision']
  return { ledger, taken: nextStep({ app: application(), decision, releases: () => null, observed, now: 1 }) }
}

const end = { cascade: true, told: true, changed: false }
const leave = { cascade: false, told: true, changed: false }

const table: readonly [string, Parameters<typeof step>[0], Observed, string][] = [
  ['asked for just now', { ...end, told: false }, obeyed, 'remove'],
  ['told, and not obeyed yet', end, behind, 'none'],
  ['told, and the order was lost', end, nothing, 'remove'],
  ['its node is silent', end, { ...behind, silent }, 'none'],
  ['everything has ended', end, { ...obeyed, gone: true }, 'forget'],
  ['let go just now', { ...leave, told: false }, obeyed, 'letGo'],
  ['let go while the ledger says more', { ...leave, changed: true }, obeyed, 'letGo'],
  ['let go, and the node does not know yet', leave, behind, 'none'],
  ['let go, and the order was lost', leave, nothing, 'letGo'],
  ['let go, and the node knows', leave, obeyed, 'forget'],
  ['let go, and nobody is there to be told', { ...leave, told: false }, { ...behind, silent }, 'forget'],
  ['let go, and its node fell silent before it knew', leave, { ...behind, silent }, 'forget'],
  ['let go while only its engine is away: the node hears it', { ...leave, told: false }, { ...behind, silent: deaf }, 'letGo'],
  ['let go, its engine away, and the node does not know yet', leave, { ...behind, silent: deaf }, 'none'],
  ['let go, its engine away, and the node knows', leave, { ...obeyed, silent: deaf }, 'forget'],
  ['its engine is away while it is to be ended', end, { ...behind, silent: deaf }, 'none'],
]

for (const [what, asked, observed, kind] of table)
  t.test(what, async t => {
    t.equal(step(asked, observed).taken.kind, kind)
  })

t.test('that a place was told is remembered with the order', async t => {
  for (const cascade of [true, false]) {
    const { ledger, taken } = step({ cascade, told: false, changed: true }, obeyed)
    t.equal(afterStep(ledger, taken, 5).deletion?.told, true)
  }
})
