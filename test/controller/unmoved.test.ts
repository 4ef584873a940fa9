// Which applications a new commit concerns: told by what it renders to, what runs, and whether anybody waits.
import t from 'tap'
import type { Ledger, Request } from '../../controller/ledger.js'
import { newLedger } from '../../controller/ledger.js'
import type { Candidate } from '../../controller/release.js'
import { isUnmoved, type Seen } from '../../controller/unmoved.js'
import { application, candidate, configMap, rejection, release, stickyEntry } from './builders.js'

const app = application()
const [runs, other] = [release(configMap('web', 'a')), release(configMap('web', 'b'))]
const before = candidate(runs, 'c1')

const settled = {
  ...newLedger(app, 'node/lab', 'salt'),
  current: { release: runs.id },
  attempt: { number: 1, release: runs.id, outcome: 'Healthy' },
} as unknown as Ledger

function seen(change: Partial<Ledger> = {}, more: Partial<Seen> = {}): Seen {
  return { app, ledger: { ...settled, ...change }, pass: { app, candidate: before }, failure: null, ...more }
}

const newer = candidate(runs, 'c2')
const request = { kind: 'sync', release: null, commit: null } as unknown as Request
const stale = { since: 5, message: 'not reached' }
const uses = { sticky: { k: stickyEntry('"x"') }, lookups: {}, own: [] }

const table: readonly (readonly [what: string, seen: Seen, candidate: Candidate | null, unmoved: boolean])[] = [
  ['the same release of a newer commit', seen(), newer, true],
  ['it takes a render to know it', seen(), null, false],
  ['another release', seen(), candidate(other, 'c2'), false],
  ['a rejection', seen(), rejection('c2'), false],
  ['it was rejected before', seen({}, { pass: { app, candidate: rejection('c1') } }), newer, false],
  ['there was no pass yet', seen({}, { pass: null }), newer, false],
  ['the last pass failed', seen({}, { failure: { since: 1, message: 'm' } }), newer, false],
  ['the declaration is another since', seen({}, { pass: { app: { ...app }, candidate: before } }), newer, false],
  ['another release runs', seen({ current: { release: other.id } as never }), newer, false],
  ['nothing runs', seen({ current: null }), newer, false],
  ['its release is under way', seen({ attempt: { ...settled.attempt, outcome: null } as never }), newer, false],
  ['something is tried beside it', seen({ trying: settled.attempt }), newer, false],
  ['somebody asked for something', seen({ requests: [request] }), newer, false],
  ['it is being deleted', seen({ deletion: {} as never }), newer, false],
  ['Git could not be read before', seen({}, { pass: { app, candidate: { ...before, stale } } }), newer, false],
  ['Git cannot be read now', seen(), { ...newer, stale }, false],
  ['it would keep something new', seen(), { ...newer, uses }, false],
  ['what it keeps is kept', seen({ sticky: uses.sticky }), { ...newer, uses }, true],
]

t.test('a commit wakes those that it concerns', async t => {
  for (const [what, one, found, unmoved] of table) t.equal(isUnmoved(one, found), unmoved, what)
})
