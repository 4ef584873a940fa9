// What was healthy and is not, and when it is well again: in a crash loop there are moments in which all is ready.
import t from 'tap'
import { type Ill, illAfter } from '../../controller/illness.js'
import { newLedger } from '../../controller/ledger.js'
import { application } from './builders.js'

const start = Date.UTC(2026, 0, 1)
const at = (seconds: number) => start + seconds * 1000
const when = (seconds: number) => new Date(at(seconds)).toISOString()

interface Look {
  readonly now: number
  /** null: it is not ready. */
  readonly readyAt: number | null
  readonly troubledAt?: number
  readonly silent?: boolean
  readonly outcome?: string | null
}

function pass({ readyAt, troubledAt = 0, silent = false, outcome = 'Healthy' }: Look, bakeTimeMs: number) {
  const container = {
    name: 'web',
    ready: readyAt !== null,
    restartCount: 4,
    state: readyAt === null ? { state: 'waiting', reason: 'CrashLoopBackOff', message: '' } : { state: 'running', startedAt: '' },
    last: null,
    lastLog: ['Error: no'],
    troubledAt: when(troubledAt),
  }
  const isReady = readyAt !== null
  const pod = {
    name: 'web-1',
    ready: isReady,
    readyAt: isReady ? when(readyAt) : '',
    terminating: false,
    containers: [container],
  }
  return {
    app: application({ rollout: { bakeTimeMs } }),
    ledger: { ...newLedger({ name: 'shop', uid: 'u' }, 'node/n1', 's'), attempt: { outcome, step: { name: 'Ended' } } },
    observed: {
      objects: [],
      pods: [{ ...pod, workload: null, owner: null }],
      silent: silent ? { since: 0, message: 'x' } : null,
    },
    health: { signs: [], pods: { ready: isReady ? 1 : 0, wanted: 1 }, message: '' },
    decision: { row: { judged: isReady || silent || outcome === null ? null : 'J8', chosen: 'T8' } },
  } as unknown as Parameters<typeof illAfter>[1]
}

function states(looks: readonly Look[], bakeTimeMs = 30_000): readonly (number | null)[] {
  let ill: Ill | null = null
  return looks.map(look => {
    ill = illAfter(ill, pass(look, bakeTimeMs), at(look.now))
    return ill === null ? null : (ill.since - start) / 1000
  })
}

const table: readonly [string, readonly Look[], readonly (number | null)[]][] = [
  ['healthy all the time', [{ now: 0, readyAt: 0 }], [null]],
  [
    'a crash loop with ready moments is one illness',
    [
      { now: 10, readyAt: null, troubledAt: 8 },
      { now: 20, readyAt: 18, troubledAt: 8 },
      { now: 25, readyAt: null, troubledAt: 24 },
      { now: 60, readyAt: 58, troubledAt: 24 },
    ],
    [8, 8, 8, 8],
  ],
  [
    'ready through a bake time, it is well',
    [
      { now: 10, readyAt: null, troubledAt: 8 },
      { now: 49, readyAt: 20, troubledAt: 8 },
      { now: 50, readyAt: 20, troubledAt: 8 },
    ],
    [8, 8, null],
  ],
  [
    'silence says nothing',
    [
      { now: 10, readyAt: null, troubledAt: 8 },
      { now: 300, readyAt: null, troubledAt: 8, silent: true },
    ],
    [8, 8],
  ],
  [
    'while something is under way nothing is settled',
    [
      { now: 10, readyAt: null, troubledAt: 8 },
      { now: 20, readyAt: 18, troubledAt: 8, outcome: null },
    ],
    [8, null],
  ],
  [
    'pods that came since were never ill',
    [
      { now: 10, readyAt: null, troubledAt: 8 },
      { now: 20, readyAt: 19, troubledAt: 0 },
    ],
    [8, null],
  ],
]

for (const [what, looks, since] of table)
  t.test(what, async t => {
    t.same(states(looks), since)
  })

t.test('a shorter bake time is no proof, and the sentence says what is waited for', async t => {
  const first = illAfter(null, pass({ now: 10, readyAt: null, troubledAt: 8 }, 1000), at(10))
  const second = illAfter(first, pass({ now: 20, readyAt: 18, troubledAt: 8 }, 1000), at(20))

  t.match(second, {
    until: at(28),
    message: 'container web of pod web-1 is ready again, 4 restarts; it counts as well once that lasts 10 s',
    log: ['Error: no'],
  })
  t.equal(illAfter(second, pass({ now: 28, readyAt: 18, troubledAt: 8 }, 1000), at(28)), null)
})

t.test('while its place is silent there is no moment at which it would count as well', async t => {
  const ill = illAfter(null, pass({ now: 10, readyAt: null, troubledAt: 8 }, 30_000), at(10))
  const recovering = illAfter(ill, pass({ now: 20, readyAt: 18, troubledAt: 8 }, 30_000), at(20))

  t.equal(recovering?.until, at(48))
  t.equal(illAfter(recovering, pass({ now: 60, readyAt: 18, troubledAt: 8, silent: true }, 30_000), at(60))?.until, 0)
})
