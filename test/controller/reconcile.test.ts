import { test } from 'tap'
import { lookAgainMs, type Pass } from '../../controller/reconcile.js'

type Looked = Parameters<typeof lookAgainMs>[0]

test('what rests is looked at rarely, what waits for others often', t => {
  const release = { kind: 'release', stale: null } as NonNullable<Pass['candidate']>
  const rejection = { kind: 'rejection', stale: null } as NonNullable<Pass['candidate']>
  const stale = { kind: 'release', stale: { since: 1, message: 'unreachable' } } as NonNullable<Pass['candidate']>
  const looksUp = { ...release, uses: { lookups: { 'v1/Secret/shop/db': null } } } as unknown as NonNullable<Pass['candidate']>
  const cases: readonly [string, Partial<Looked['decision']>, Partial<Looked>, 'rarely' | 'often'][] = [
    ['its candidate runs and is well', {}, {}, 'rarely'],
    ['it is unhealthy', { row: { judged: 'J8', chosen: 'T8' } }, {}, 'often'],
    ['its node is silent', { row: { judged: 'J1', chosen: 'T8' } }, {}, 'often'],
    [
      'its render was refused, perhaps for an object of another',
      { row: { judged: null, chosen: 'T6' } },
      { candidate: rejection },
      'often',
    ],
    ['it waits for a dependency or a window', { row: { judged: null, chosen: 'T9' } }, {}, 'often'],
    ['it is paused', { row: { judged: null, chosen: 'T2' } }, {}, 'often'],
    ['a time of its own is set', { wakeAt: 1 }, {}, 'often'],
    ['something is being done', {}, { step: { kind: 'remember' } }, 'often'],
    ['Git cannot be asked', {}, { candidate: stale }, 'often'],
    ['its chart looks something up', {}, { candidate: looksUp }, 'often'],
    ['nothing is known of its repository yet', {}, { candidate: null }, 'often'],
  ]
  for (const [name, decision, more, expected] of cases) {
    const row: Looked['decision']['row'] = { judged: null, chosen: 'T8' }
    const looked = { decision: { row, wakeAt: null, ...decision }, step: { kind: 'none' }, candidate: release, ...more } as Looked
    t.equal(lookAgainMs(looked) > 60_000 ? 'rarely' : 'often', expected, name)
  }
  t.end()
})
