// What is pruned and does not go: only what somebody else's finalizer keeps is said.
import t from 'tap'
import { newLedger } from '../../controller/ledger.js'
import { lingering, lingeringText } from '../../controller/rollout/lingering.js'
import type { ObservedObject } from '../../runtime/contract/documents.js'
import type { ObjectRef } from '../../runtime/contract/manifest.js'

const ref = (name: string): ObjectRef => ({ group: '', kind: 'ConfigMap', namespace: 'shop', name })
const seen = (name: string, metadata: object): ObservedObject =>
  ({ ref: ref(name), uid: name, hash: '', status: {}, attempt: 0, live: { metadata: { name, ...metadata } } }) as never
const ending = { deletionTimestamp: '2026-01-01T00:00:00Z' }

/** What the place shows, all of it pruned but `kept` -> what is said of it. */
const table: readonly (readonly [string, readonly ObservedObject[], string])[] = [
  ['nothing is there', [], ''],
  ['it goes by itself', [seen('a', ending)], ''],
  ['the garbage collector is at it', [seen('a', { ...ending, finalizers: ['foregroundDeletion'] })], ''],
  ['it is not being deleted', [seen('a', { finalizers: ['x.dev/hold'] })], ''],
  ['it is not ours to wait for', [seen('kept', { ...ending, finalizers: ['x.dev/hold'] })], ''],
  [
    'one is kept, by two',
    [seen('a', { ...ending, finalizers: ['foregroundDeletion', 'x.dev/hold', 'y.dev/hold'] })],
    'waiting for ConfigMap shop/a to go: finalizer x.dev/hold (and y.dev/hold) keeps it; whoever set it must take it away',
  ],
  [
    'several are kept',
    [seen('a', { ...ending, finalizers: ['x.dev/hold'] }), seen('b', { ...ending, finalizers: ['x.dev/hold'] })],
    'waiting for ConfigMap shop/a and 1 more to go: finalizer x.dev/hold keeps it; whoever set it must take it away',
  ],
]

for (const [name, objects, text] of table)
  t.test(name, async t => {
    const ledger = newLedger({ name: 'shop', uid: 'u' }, 'cluster/test', 'salt')
    const current = { pruning: [ref('a'), ref('b')] }

    t.equal(lingeringText(lingering({ ...ledger, current } as never, { objects })), text)
  })
