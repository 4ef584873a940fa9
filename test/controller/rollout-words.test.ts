import t from 'tap'
import type { Attempt } from '../../controller/ledger.js'
import { problemsText } from '../../controller/rollout/observe.js'
import { overtaken } from '../../controller/rollout/state.js'
import type { Problem } from '../../runtime/contract/documents.js'

t.test('what a node found is said with file and object, each once', async t => {
  const web = { group: 'apps', kind: 'Deployment', namespace: 'shop', name: 'web' }
  const problem = (message: string, object = web): Problem => ({ object, reason: 'HostPolicy', message, transient: false })
  const origins = { 'apps/Deployment/shop/web': 'web.yaml:1' }

  t.equal(problemsText([problem('spec.a: no')], {}), 'Deployment shop/web: spec.a: no')
  t.equal(
    problemsText(
      [problem('spec.a: no'), problem('spec.b: no'), problem('c', { ...web, name: 'db' }), problem('spec.a: no')],
      origins,
    ),
    'web.yaml:1: Deployment shop/web: spec.a: no; spec.b: no; Deployment shop/db: c; web.yaml:1: Deployment shop/web: spec.a: no',
  )
  t.equal(
    problemsText([problem('Deployment shop/web: a pod requests 9Gi'), problem('Deployment shop/web: b')], origins),
    'web.yaml:1: Deployment shop/web: a pod requests 9Gi; Deployment shop/web: b',
  )
})

t.test('the history goes on saying why an attempt was held that a newer one overtook', async t => {
  const attempt = (fields: object) =>
    ({ outcome: null, message: '', step: { name: 'Seen' }, moves: [], times: { judged: 0 }, ...fields }) as unknown as Attempt
  const told = (fields: object) => {
    const { outcome, message } = overtaken(attempt(fields), 'a newer one came', 7)
    return [outcome, message]
  }

  t.same(told({}), ['Superseded', 'a newer one came'])
  t.same(told({ outcome: 'Held', message: 'web.yaml:3: no' }), [
    'Superseded',
    'a newer one came; until then held: web.yaml:3: no',
  ])
  t.same(told({ times: { judged: 5 } }), ['Failed', 'a newer one came'])
  t.same(told({ outcome: 'Healthy', message: 'healthy' }), ['Healthy', 'healthy'])
})
