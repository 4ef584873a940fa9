// Facts -> the word, the column's clause and the sentence that people read.
import t from 'tap'
import { eventsBetween } from '../../controller/events.js'
import { type Attempt, type Ledger, newLedger, type Verdict } from '../../controller/ledger.js'
import { attemptView } from '../../controller/records.js'
import type { Candidate, ReleaseId } from '../../controller/release.js'
import { applicationView, type Facts } from '../../controller/views.js'
import { ana, application, revision } from './builders.js'

const now = 1_000_000
const r1 = 'rel-1' as ReleaseId
const r2 = 'rel-2' as ReleaseId
const known = (number: number, commit: string) =>
  ({ number, revision: revision(commit), digests: {}, fresh: 0, lastAttempt: number }) as unknown as Ledger['releases'][ReleaseId]
const times = { pushed: 0, seen: 0, rendered: 0, preflighted: 0, applied: 0, healthy: 0, baked: 0, judged: 0, ended: 0 }
const verdict = {
  kind: 'bad',
  message: 'container web exited 1 three times, never ready',
  object: { group: 'apps', kind: 'Deployment', namespace: 'shop', name: 'web' },
  log: ['Error: getaddrinfo ENOTFOUND cache'],
  limit: 'restartsAllowed 2',
  at: now - 12_000,
} as unknown as Verdict

function attempt(change: Partial<Attempt> = {}): Attempt {
  return {
    number: 1,
    release: r1,
    releaseNumber: 1,
    revision: revision('9be03d7'),
    cause: 'commit',
    mode: 'sync',
    by: ana,
    step: { name: 'Ended' },
    outcome: 'Healthy',
    message: 'healthy',
    times: { ...times, ended: now - 60_000 },
    verdict: null,
    from: null,
    rollback: null,
    moves: [{ at: now - 8000, step: 'Seen', message: '' }],
    counts: { objects: 1, changed: 1, pruned: 0 },
    ...change,
  } as unknown as Attempt
}

function ledger(change: Partial<Ledger> = {}): Ledger {
  return {
    ...newLedger({ name: 'shop', uid: 'uid-1' }, 'node/lab', 'salt'),
    releases: { [r1]: known(1, '9be03d7'), [r2]: known(2, '4f2a91c') },
    current: { release: r1, since: 0, fresh: 0, owned: [], createdBy: {}, applied: null, hookRuns: [], pruning: [], refused: [] },
    good: [{ release: r1, healthyAt: 1, baked: true, templates: {} }],
    attempt: attempt(),
    ...change,
  }
}

const newest = (id: ReleaseId, commit: string) =>
  ({ kind: 'release', revision: revision(commit, now - 3000), release: { id }, stale: null }) as unknown as Candidate
const broken = {
  kind: 'rejection',
  revision: revision('77aa012'),
  rejection: {
    reason: 'TemplateError',
    message: 'templates/job.hbs:7:14: undefined value schedule',
    excerpt: ' 7 | x\n   | ^',
    transient: false,
  },
  stale: null,
} as unknown as Candidate
const unread = {
  kind: 'rejection',
  revision: null,
  rejection: { reason: 'Unreachable', message: 'http://git/shop cannot be reached', excerpt: '', transient: true },
  stale: { since: now - 9000, message: 'http://git/shop cannot be reached' },
} as unknown as Candidate

function facts(change: Partial<Facts> = {}): Facts {
  return {
    app: application(),
    ledger: ledger(),
    candidate: newest(r1, '9be03d7'),
    silent: null,
    health: { status: 'Healthy', message: '' },
    ready: '3 of 3 ready',
    awaited: '',
    ill: null,
    compared: null,
    drift: '',
    waiting: '',
    gates: [],
    asks: null,
    unheeded: [],
    services: () => [{ namespace: 'shop', name: 'cache-redis' }],
    now,
    ...change,
  }
}

const second = newest(r2, '4f2a91c')
const marks = { [r2]: { kind: 'bad' as const, at: now - 12_000, verdict, tries: 1, dueAt: 0 } }
const judged = {
  number: 2,
  release: r2,
  revision: revision('4f2a91c'),
  verdict,
  times: { ...times, applied: now - 18_000, judged: now - 12_000, ended: now - 12_000 },
}
const running = '9be03d7 (r1) runs, healthy, 3 of 3 ready.'
const syncing = { name: 'Syncing', phase: 'Sync', wave: 0, index: 1, of: 3 } as const
const onR2 = { ...ledger().current!, release: r2 }

const old = { group: '', kind: 'ConfigMap', namespace: 'shop', name: 'old' }
const gate = { kind: 'window', application: '', message: 'the next window', until: 0, passesAsked: true } as const

const deletion = (cascade: boolean) => ({ by: ana, at: now, cascade })

const table: readonly (readonly [string, Partial<Facts>, string, string, string])[] = [
  ['it runs what Git says', {}, 'Healthy', '3 of 3 ready', running],
  [
    'what is no longer in Git waits for a word',
    { asks: { act: 'prune', objects: [old], since: 1 } },
    'OutOfSync',
    'waiting for a word: is ConfigMap shop/old, no longer in Git, to be deleted?',
    `Waiting for a word: is ConfigMap shop/old, no longer in Git, to be deleted? ${running} If so: slipway approve shop`,
  ],
  [
    'it is not as it was applied, and a window holds back what would heal it',
    { drift: 'Deployment shop/web is not there', gates: [gate] },
    'OutOfSync',
    'Deployment shop/web is not there',
    `Deployment shop/web is not there. ${running} It is not healed before the next window. Release it: slipway sync shop`,
  ],
  [
    'what is not to be compared cannot be read',
    { unheeded: ['spec.ignoreDifferences[0].jqPathExpressions[0]: jq expression ".[": syntax error'] },
    'Healthy',
    '3 of 3 ready',
    `${running} spec.ignoreDifferences[0].jqPathExpressions[0]: jq expression ".[": syntax error; nothing that differs is healed until that is corrected.`,
  ],
  [
    'a wave is under way: what it waits for, and what serves',
    {
      candidate: second,
      awaited: 'api 2 of 3 ready',
      ledger: ledger({
        current: onR2,
        attempt: attempt({ number: 2, release: r2, revision: revision('4f2a91c'), from: r1, outcome: null, step: syncing }),
      }),
    },
    'Releasing',
    'wave 1 of 3, api 2 of 3 ready',
    '4f2a91c: wave 1 of 3, api 2 of 3 ready. 9be03d7 (r1) serves until it is ready.',
  ],
  [
    'the newest is bad, the good one runs',
    {
      candidate: second,
      ledger: ledger({ marks, attempt: attempt({ ...judged, outcome: 'RolledBack', message: 'went back to r1' }) }),
    },
    'RolledBack',
    `4f2a91c is bad: ${verdict.message}`,
    `4f2a91c is bad: ${verdict.message}. ${running} It is not tried again until its content changes. Push a fix, or: slipway retry shop`,
  ],
  [
    'its surroundings failed: it is tried again by itself',
    {
      candidate: second,
      ledger: ledger({
        marks: {
          [r2]: { ...marks[r2]!, kind: 'surroundings', verdict: { ...verdict, kind: 'surroundings' }, dueAt: now + 48_000 },
        },
        attempt: attempt({ ...judged, outcome: 'RolledBack' }),
      }),
    },
    'RolledBack',
    `4f2a91c could not be released: ${verdict.message}`,
    `4f2a91c could not be released: ${verdict.message}. ${running} Its surroundings failed, so it is tried again in 48 s. Push a fix, or: slipway retry shop`,
  ],
  [
    'the first release is bad: there is nothing to go back to',
    {
      candidate: second,
      health: { status: 'Progressing', message: '' },
      ready: '0 of 1 ready',
      ledger: ledger({ marks, good: [], current: onR2, attempt: attempt({ ...judged, outcome: 'Failed' }) }),
    },
    'Failed',
    `4f2a91c is bad: ${verdict.message}`,
    `4f2a91c is bad: ${verdict.message}. 4f2a91c (r2) runs, progressing, 0 of 1 ready. There is no good release to go back to. Push a fix, or: slipway retry shop`,
  ],
  [
    'going back did not help: that is said, not that there was nothing to go back to',
    {
      candidate: second,
      health: { status: 'Degraded', message: '' },
      ready: '0 of 1 ready',
      ledger: ledger({ marks, attempt: attempt({ ...judged, outcome: 'Failed', rollback: { to: r1, since: now - 10_000 } }) }),
    },
    'Failed',
    `4f2a91c is bad: ${verdict.message}`,
    `4f2a91c is bad: ${verdict.message}. 9be03d7 (r1) runs, degraded, 0 of 1 ready. The rollback to r1 did not become healthy, and nothing older is tried by itself. Push a fix, or: slipway retry shop`,
  ],
  [
    'a template is broken: the file stays as it is written',
    { candidate: broken },
    'Held',
    'templates/job.hbs:7:14: undefined value schedule',
    `templates/job.hbs:7:14: undefined value schedule. ${running} Nothing that runs was touched.`,
  ],
  [
    'Git was never read: said once, and nothing runs that could have been touched',
    { candidate: unread, ledger: ledger({ current: null, attempt: null, good: [] }) },
    'Held',
    'http://git/shop cannot be reached',
    'http://git/shop cannot be reached. Nothing runs yet.',
  ],
  [
    'it waits for a person',
    { candidate: second, waiting: 'waiting for you' },
    'OutOfSync',
    'waiting for you',
    `Waiting for you. ${running} Release it: slipway sync shop`,
  ],
  [
    'it is pinned: a sync would not lift that',
    {
      candidate: second,
      waiting: 'pinned to r1 by ana',
      ledger: ledger({ pin: { to: r1, by: ana, at: 1, from: r2, candidate: r2 } as unknown as Ledger['pin'] }),
    },
    'OutOfSync',
    'pinned to r1 by ana',
    `Pinned to r1 by ana. ${running} Release it: slipway retry shop r2`,
  ],
  [
    'it was healthy and is not now, though nothing was released',
    {
      ill: { since: now - 5000, message: '1 of 3 ready: container web of pod web-1 is not ready', log: [] },
      health: { status: 'Progressing', message: '' },
      ready: '1 of 3 ready',
    },
    'Degraded',
    '1 of 3 ready: container web of pod web-1 is not ready',
    '1 of 3 ready: container web of pod web-1 is not ready. 9be03d7 (r1) runs, progressing, 1 of 3 ready. It was healthy and is not rolled back: the cause is most likely elsewhere. See more: slipway logs shop',
  ],
  [
    'what was gone back to is ill too: that counts more than why it was gone back to',
    {
      candidate: second,
      ill: { since: now, message: 'web 0 of 1 ready', log: [] },
      ledger: ledger({ marks, attempt: attempt({ ...judged, outcome: 'RolledBack' }) }),
    },
    'Degraded',
    'web 0 of 1 ready',
    `web 0 of 1 ready. ${running} It was healthy and is not rolled back: the cause is most likely elsewhere. See more: slipway logs shop`.replace(
      /^w/,
      'W',
    ),
  ],
  [
    'the node is silent: no green',
    { silent: { since: now - 50_000, message: 'node lab has been silent for 50 s', hears: false } },
    'Unknown',
    'node lab has been silent for 50 s',
    'Node lab has been silent for 50 s. Nothing is judged until it is heard of again. What ran there goes on.',
  ],
  [
    'a person paused it',
    {
      candidate: second,
      waiting: 'waiting for you',
      ledger: ledger({ pause: { by: ana, at: now - 60_000, reason: 'stocktaking' } }),
    },
    'Paused',
    'by ana',
    `Paused by ana, 60 s ago. Stocktaking. ${running} Without the pause: waiting for you. Go on: slipway resume shop`,
  ],
  [
    'a deletion counts more than anything',
    { ledger: ledger({ deletion: deletion(true), pause: { by: ana, at: now, reason: '' } }) },
    'Deleting',
    'ending what runs',
    `Ending what runs. ${running}`,
  ],
  [
    'a deletion waits for a node: there is a way out',
    {
      silent: { since: 1, message: 'node n1 has been silent for 90 s', hears: false },
      ledger: ledger({ deletion: deletion(true) }),
    },
    'Deleting',
    'ending what runs',
    `Ending what runs. ${running} Node n1 has been silent for 90 s. It ends there once it is heard of. Let it go as it is: slipway delete shop --cascade=false`,
  ],
  [
    'a deletion waits for an engine, and its node has heard of it: there is no way back',
    {
      silent: { since: 1, message: 'node n1: its container engine does not answer', hears: true },
      ledger: ledger({ deletion: { ...deletion(true), told: true } }),
    },
    'Deleting',
    'ending what runs',
    `Ending what runs. ${running} Node n1: its container engine does not answer. It ends there once it can.`,
  ],
  [
    'what runs is let go, and its node has not taken that in yet',
    {
      silent: { since: 1, message: 'node n1: its container engine does not answer', hears: true },
      ledger: ledger({ deletion: deletion(false) }),
    },
    'Deleting',
    'letting go of what runs',
    `Letting go of what runs. ${running} Node n1: its container engine does not answer. It is let go once its place has taken that in.`,
  ],
  [
    'what runs is let go',
    { ledger: ledger({ deletion: deletion(false) }) },
    'Deleting',
    'letting go of what runs',
    `Letting go of what runs. ${running}`,
  ],
  [
    'nothing runs, and its node never joined',
    {
      silent: { since: 1, message: 'no node named lba ever joined: join it', hears: false },
      ledger: ledger({ current: null, attempt: null }),
    },
    'Unknown',
    'no node named lba ever joined: join it',
    'No node named lba ever joined: join it. Nothing is released before.',
  ],
]

for (const [name, change, state, short, message] of table)
  t.test(name, async t => {
    const view = applicationView(facts(change))

    t.same([view.state, view.short, view.message], [state, short, message])
  })

t.test('why begins with the answer and ends with what can be done', async t => {
  const { why } = applicationView(
    facts({
      candidate: second,
      ledger: ledger({ marks, attempt: attempt({ ...judged, outcome: 'RolledBack', message: 'went back to r1' }) }),
    }),
  )

  t.equal(why.headline, `shop was rolled back, 12 s ago. ${running}`)
  t.equal(why.attempt?.message, 'judged bad after 6 s; went back to r1')
  t.equal(why.likely, 'no Service "cache" in namespace shop. There is "cache-redis" (shop).')
  t.same(why.commands, ['slipway retry shop', 'slipway diff shop r1 r2'])
})

t.test('why shows the place of a template error with its caret', async t => {
  const { why } = applicationView(facts({ candidate: broken }))

  t.equal(why.next[0], ' 7 | x\n   | ^')
})

t.test('other services are looked at only where a log asks for one', async t => {
  const services = () => t.fail('not asked for') as never

  t.equal(applicationView(facts({ services })).why.likely, '')
})

t.test('a password in an address is not shown', async t => {
  const app = application()
  const view = applicationView(facts({ app: { ...app, source: { ...app.source, repoURL: 'https://bob:canary@git/shop' } } }))

  t.notMatch(JSON.stringify(view), /canary/)
})

t.test('a failure says its verdict once', async t => {
  const told = {
    ...judged,
    outcome: 'Failed' as const,
    message: `Deployment web: ${verdict.message}; there is no good release to go back to`,
  }

  t.equal(attemptView(ledger(), attempt(told)).message, 'judged bad after 6 s; there is no good release to go back to')
})

t.test('each move is told as an event once', async t => {
  const moves = [
    { at: 1, step: 'Seen', message: '9be03d7 "x" by ana' },
    { at: 2, step: 'Rendering', message: 'templates/a.hbs:1:1: broken' },
  ]
  const before = ledger({ attempt: attempt({ moves: moves.slice(0, 1) }) })
  const after = ledger({ attempt: attempt({ moves }) })

  t.same(
    eventsBetween(before, after, []).map(({ what, message }) => [what, message]),
    [['rendering', 'templates/a.hbs:1:1: broken']],
  )
  t.same(eventsBetween(after, after, []), [])
  t.equal(eventsBetween(null, after, [])[0]?.id, eventsBetween(null, before, [])[0]?.id)
})

t.test('what the newest chart warns of is shown, and is no part of what is said of the application', t => {
  const shown = facts({ candidate: { ...newest(r1, '9be03d7'), warnings: ['warning: skipped value'] } as unknown as Candidate })
  const { warnings, message, why, state } = applicationView(shown)
  t.same([state, warnings], ['Healthy', ['its chart: warning: skipped value']])
  t.notMatch(`${message} ${why.headline} ${why.next.join(' ')}`, 'skipped value')
  t.end()
})
