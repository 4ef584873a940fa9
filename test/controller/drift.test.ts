import t from 'tap'
import { driftEvents, driftText } from '../../controller/drift.js'
import type { Pass } from '../../controller/reconcile.js'
import type { FieldDrift } from '../../runtime/contract/documents.js'

const ref = (name: string) => ({ group: 'apps', kind: 'Deployment', namespace: 'shop', name })
const field = (more: Partial<FieldDrift> = {}): FieldDrift => ({
  path: 'spec.replicas',
  live: '3',
  want: '1',
  manager: 'kubectl-edit',
  at: '2026-11-21T12:00:00Z',
  ...more,
})

/** A pass that rests: objects by name -> their drift, null where one is not there, undefined where it is as it was applied. */
function pass(objects: Readonly<Record<string, readonly FieldDrift[] | null | undefined>>, more: object = {}): Pass {
  const names = Object.keys(objects)
  return {
    app: { uid: 'u1', name: 'shop' },
    now: 1_000,
    health: { fresh: true, objects: names.map(name => ({ ref: ref(name), there: objects[name] === undefined })) },
    observed: { objects: names.filter(name => objects[name] !== null).map(name => ({ ref: ref(name), drift: objects[name] })) },
    ledger: { attempt: { number: 4, outcome: 'Healthy' }, current: null },
    ...more,
  } as unknown as Pass
}

t.test('what is not as it was applied is told in a sentence, with who changed it', t => {
  const cases: readonly [string, Pass, string][] = [
    ['nothing', pass({ web: undefined }), ''],
    ['a value', pass({ web: [field()] }), 'Deployment shop/web: spec.replicas is 3, not 1 (kubectl-edit, 2026-11-21T12:00:00Z)'],
    ['taken out', pass({ web: [field({ live: '', manager: '', at: '' })] }), 'Deployment shop/web: spec.replicas was taken out'],
    [
      'put in',
      pass({ web: [field({ want: '' })] }),
      'Deployment shop/web: spec.replicas is 3, and should not be there (kubectl-edit, 2026-11-21T12:00:00Z)',
    ],
    [
      'of a Secret',
      pass({ web: [field({ path: 'data.a', live: '(hidden)', want: '(hidden)', at: '' })] }),
      'Deployment shop/web: data.a is another (kubectl-edit)',
    ],
    ['the whole object', pass({ web: null }), 'Deployment shop/web is not there'],
    ['not comparable', pass({ web: [field({ path: '', want: 'denied by policy' })] }), 'Deployment shop/web: denied by policy'],
    ['of a place that names no fields', pass({ web: [] }), 'live differs from what was applied'],
    [
      'many',
      pass({ a: null, b: null, c: null, d: null, e: null }),
      'Deployment shop/a is not there; Deployment shop/b is not there; Deployment shop/c is not there; and 2 more',
    ],
    ['while a release is under way', pass({ web: null }, { ledger: { attempt: { number: 4, outcome: null } } }), ''],
    ['on an old report', pass({ web: null }, { health: { fresh: false, objects: [] } }), ''],
  ]
  for (const [name, given, expected] of cases) t.equal(driftText(given), expected, name)
  t.end()
})

t.test('drift is told when it begins, changes and is over, and not again while it stays', t => {
  const [calm, one, other] = [pass({ web: undefined }), pass({ web: [field()] }), pass({ web: [field({ live: '5' })] })]
  const told = (before: Pass | null, after: Pass) => driftEvents(before, after).map(({ what, message }) => `${what}: ${message}`)

  t.same(told(null, calm), [])
  t.match(told(calm, one), [/^drift: Deployment shop\/web: spec.replicas is 3/])
  t.same(told(one, one), [])
  t.match(told(one, other), [/^drift: .*is 5/])
  t.match(told(other, calm), [/^healed: As it was applied again: Deployment shop\/web: spec.replicas is 5/])
  t.end()
})

t.test('what a deletion takes away is no drift', t => {
  const ending = pass({ web: null })
  const deletion = { by: { name: 'ana' }, at: 1, cascade: true, told: false }
  const events = driftEvents(pass({ web: undefined }), { ...ending, ledger: { ...ending.ledger, deletion } } as Pass)
  t.same(events, [])
  t.equal(driftEvents(pass({ web: undefined }), ending).length, 1)
  t.end()
})
