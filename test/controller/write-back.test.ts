// When is a rollback written to Git? release.md, "Writing a rollback to Git".
import t from 'tap'
import { type Ledger, newLedger } from '../../controller/ledger.js'
import type { Candidate } from '../../controller/release.js'
import { revertDue } from '../../controller/write-back.js'
import { application, candidate, configMap, rejection, release, revision } from './builders.js'

const good = release(configMap('web', 'good'))
const bad = release(configMap('web', 'bad'))
const app = application({ rollout: { writeBack: 'revertCommit' } })
const releases = (id: string) => [good, bad].find(one => one.id === id) ?? null

function ledger(change: object = {}): Ledger {
  return {
    ...newLedger(app, 'node/lab', 'salt'),
    releases: { [good.id]: { number: 1, revision: revision('c1') } },
    current: { release: good.id },
    attempt: { outcome: 'RolledBack', release: bad.id, verdict: { kind: 'bad', message: 'web exited 1' }, ...change },
  } as unknown as Ledger
}

const newest: Candidate = candidate(bad, 'c2')

t.test('what was judged bad and is still the newest is due, with its reason', async t => {
  t.match(revertDue({ app, candidate: newest, ledger: ledger() }, releases), {
    path: 'shop',
    bad: { commit: 'c2', tree: bad.tree },
    good: { commit: 'c1', tree: good.tree },
    reason: 'web exited 1',
  })
})

for (const [name, change] of [
  ['the user did not allow it', { app: application() }],
  ['a fix came meanwhile', { candidate: candidate(release(configMap('web', 'fix')), 'c3') }],
  ['the newest does not render', { candidate: rejection('c3') }],
  ['nothing is known of Git', { candidate: null }],
  ['it is not back yet', { ledger: ledger({ outcome: null }) }],
  ['it failed and stays', { ledger: ledger({ outcome: 'Failed' }) }],
  ['its surroundings failed it', { ledger: ledger({ verdict: { kind: 'surroundings', message: 'x' } }) }],
] as const)
  t.test(`nothing is due where ${name}`, async t => {
    t.equal(revertDue({ app, candidate: newest, ledger: ledger(), ...change }, releases), null)
  })

t.test('nothing is due where the path is the same: the cause lay elsewhere', async t => {
  const same = (id: string) => (id === good.id ? { ...good, tree: bad.tree } : releases(id))

  t.equal(revertDue({ app, candidate: newest, ledger: ledger() }, same), null)
})
