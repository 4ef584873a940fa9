// What counts as a difference on a real API server, who made it, and what is not compared.
import t from 'tap'
import type { IgnoreRule } from '../../controller/application.js'
import { createJq } from '../../controller/cluster/kubernetes/jq.js'
import { manifestHash } from '../../runtime/contract/hash.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { application, until } from '../support/controller.js'
import { type Given, merge, openField, path, seen, web } from '../support/kubernetes/field.js'
import { noKubernetes, startKubernetes } from '../support/kubernetes/server.js'
import { startWebhook } from '../support/kubernetes/webhook.js'

const missing = await noKubernetes()
if (missing !== false) {
  t.plan(0, missing)
  process.exit(0)
}
t.setTimeout(300_000)
const real = await startKubernetes(t)
const given = openField(real)

const deployments = ({ namespace }: Given) => `/apis/apps/v1/namespaces/${namespace}/deployments`

function rule(more: Partial<IgnoreRule>): IgnoreRule {
  return {
    group: '',
    kind: '*',
    name: '',
    namespace: '',
    jsonPointers: [],
    jqPathExpressions: [],
    managedFieldsManagers: [],
    ...more,
  }
}

/** Of what was seen last of an object that is not what was applied. */
async function drift(one: Given, name: string) {
  return until('drift', async () => {
    const found = await seen(one, name)
    return found?.hash === '' && (found.drift?.length ?? 0) > 0 ? found.drift : null
  })
}

t.test('drift names each field, what it is and was to be, who changed it and when', async t => {
  const one = await given(t)
  const labels = { team: 'a', tier: 'web' }
  const object = { ...web(one), metadata: { ...web(one).metadata, labels } }
  await one.apply([object])
  const change = { metadata: { labels: { team: null } }, spec: { replicas: 3 } }
  await real.call('PATCH', `${deployments(one)}/web?fieldManager=kubectl-edit`, change, merge)
  const containers = { spec: { template: { spec: { containers: [{ name: 'web', image: 'web:9' }] } } } }
  await real.call('PATCH', `${deployments(one)}/web?fieldManager=ci`, containers, 'application/strategic-merge-patch+json')

  const fields = await until('all are seen', async () => {
    const found = await drift(one, 'web')
    return found.length === 3 ? found : null
  })

  t.match(fields, [
    { path: 'metadata.labels.team', live: '', want: '"a"', manager: '', at: '' },
    { path: 'spec.replicas', live: '3', want: '1', manager: 'kubectl-edit', at: /^20..-..-..T..:..:..Z$/ },
    { path: 'spec.template.spec.containers[name=web].image', live: '"web:9"', want: '"web:1"', manager: 'ci' },
  ])
  await one.apply([object], 2)
  t.match(await seen(one, 'web'), { hash: manifestHash(object), drift: [] })
})

t.test('of a Secret only that it changed, and by whom', async t => {
  const one = await given(t)
  await one.apply([one.object('Secret', 'keys', { stringData: { a: 'sesame' } })])
  await real.call('PATCH', `${path(one, 'secrets', 'keys')}?fieldManager=ci`, { stringData: { a: 'open' } }, merge)

  const fields = await drift(one, 'keys')

  t.match(fields, [{ path: 'data.a', live: '(hidden)', want: '(hidden)', manager: 'ci' }])
})

t.test('differences that are ignored are no drift; others beside them are', async t => {
  const image = '.spec.template.spec.containers[] | select(.name == "web") | .image'
  const cases: readonly [string, Partial<IgnoreRule>, boolean][] = [
    [
      'a pointer',
      { group: 'apps', kind: 'Deployment', jsonPointers: ['/spec/replicas', '/spec/template/spec/containers/0/image'] },
      true,
    ],
    ['jq', { group: 'apps', kind: 'Deployment', jqPathExpressions: ['.spec.replicas', image] }, true],
    ['a manager', { group: '*', kind: '*', managedFieldsManagers: ['ci'] }, true],
    ['a pointer for another kind', { group: 'apps', kind: 'StatefulSet', jsonPointers: ['/spec'] }, false],
    ['a pointer for another name', { group: 'apps', kind: 'Deployment', name: 'other', jsonPointers: ['/spec'] }, false],
    ['one of the two', { group: 'apps', kind: 'Dep*', jsonPointers: ['/spec/replicas'] }, false],
    [
      'what fits nothing',
      { group: 'apps', kind: 'Deployment', jqPathExpressions: ['.data.list[].x', '.spec.replicas', image] },
      true,
    ],
    ['a wrong expression', { group: 'apps', kind: 'Deployment', jqPathExpressions: ['.spec.replicas', '.spec['] }, false],
  ]
  for (const [name, more, isIgnored] of cases) {
    const one = await given(t, { ignoreDifferences: [rule(more)] })
    await one.apply([web(one)])
    await until('ready', async () => (await one.cluster.observe(one.app, new AbortController().signal)).pods[0]?.ready)
    const change = { spec: { replicas: 2, template: { spec: { containers: [{ name: 'web', image: 'web:9' }] } } } }
    await real.call('PATCH', `${deployments(one)}/web?fieldManager=ci`, change, 'application/strategic-merge-patch+json')
    const { resourceVersion } = (await real.call('GET', `${deployments(one)}/web`)).metadata
    t.ok(resourceVersion)
    await until(
      'it is seen',
      async () => (await seen(one, 'web'))?.live?.metadata.generation === 2 || (await seen(one, 'web'))?.hash === '',
    )
    const found = await until('it is compared', async () => {
      const now = await seen(one, 'web')
      return (now?.drift?.length ?? 0) > 0 || now?.hash !== '' ? now : null
    })
    t.equal(found.hash === manifestHash(web(one)), isIgnored, `${name}: ${JSON.stringify(found.drift)}`)
    if (name === 'a wrong expression')
      t.match(found.drift, [{ path: '', want: /ignoreDifferences.*jq expression "\.spec\[".*syntax error/ }])
    const { faults } = await one.cluster.observe(one.app, new AbortController().signal)
    const told = /^spec\.ignoreDifferences\[0\]\.jqPathExpressions\[1\]: jq expression "\.spec\[".*syntax error/
    t.match(faults, name === 'a wrong expression' ? [told] : [], name)
    t.equal(faults?.length, name === 'a wrong expression' ? 1 : 0)
  }
})

t.test('with RespectIgnoreDifferences ignored fields are not written either', async t => {
  const options = ['RespectIgnoreDifferences=true']
  const ignoreDifferences = [
    rule({ group: 'apps', kind: 'Deployment', jqPathExpressions: ['.spec.replicas'] }),
    rule({ kind: 'ConfigMap', jsonPointers: ['/data/a'] }),
  ]
  const one = await given(t, { ignoreDifferences, sync: { ...application().sync, options } })
  const settings = one.object('ConfigMap', 'settings', { data: { a: '1', b: '1' } })
  await one.apply([web(one), settings])
  await real.call('PATCH', `${deployments(one)}/web?fieldManager=ci`, { spec: { replicas: 4 } }, merge)
  await until('it is seen', async () => (await seen(one, 'web'))?.live?.metadata.generation === 2)

  const changed = one.object('ConfigMap', 'settings', { data: { a: '2', b: '2' } })
  await one.apply([web(one, { image: 'web:2' }), changed], 2)

  t.equal((await real.call('GET', `${deployments(one)}/web`)).spec.replicas, 4, "another's stays")
  t.same((await real.call('GET', path(one, 'configmaps', 'settings'))).data, { a: '1', b: '2' }, 'ours stays as it is')
  t.equal((await seen(one, 'settings'))?.hash, manifestHash(changed))
})

t.test('what an admission webhook writes is no drift, though it writes another thing each time', async t => {
  const one = await given(t)
  const hook = await startWebhook(t, real, one.namespace)
  const objects: readonly Manifest[] = [web(one), one.object('ConfigMap', 'settings', { data: { a: '1' } })]
  await one.apply(objects)
  const live = await real.call('GET', path(one, 'configmaps', 'settings'))
  t.match(live.metadata.annotations['example.com/stamp'], /^\d+$/)
  const before = hook.count()

  const next = await one.restarted()
  for (const object of objects) t.equal((await seen(next, object.metadata.name))?.hash, manifestHash(object), object.kind)

  t.ok(hook.count() > before, 'it was asked again')
  t.equal((await real.call('GET', path(one, 'configmaps', 'settings'))).metadata.resourceVersion, live.metadata.resourceVersion)
})

t.test('a chart looks up what others have, and sees what it would take over', async t => {
  const one = await given(t)
  const other = await given(t)
  const settings = (of: Given, more: object = {}) => of.object('ConfigMap', 'settings', { data: {}, ...more })
  await one.apply([settings(one)])
  await other.apply([settings(other, { data: { colour: 'red' } })])
  await real.call('POST', `/api/v1/namespaces/${one.namespace}/secrets`, { metadata: { name: 'db' }, data: { password: 'eA==' } })
  await real.call('POST', `/api/v1/namespaces/${other.namespace}/secrets`, { metadata: { name: 'theirs' }, data: { a: 'eA==' } })
  const look = async (...questions: readonly (readonly string[])[]) => {
    const live = await one.cluster.lookUp(
      one.app,
      { questions: questions.map(one => JSON.stringify(one)), refs: [] },
      new AbortController().signal,
    )
    return live.map(
      ({ object, isFree }) => `${object.kind} ${object.metadata.namespace}/${object.metadata.name} ${isFree ? 'free' : 'taken'}`,
    )
  }
  const [ours, theirs] = [one.namespace, other.namespace]

  t.same(await look(['v1', 'ConfigMap', theirs, 'settings']), [`ConfigMap ${theirs}/settings taken`])
  t.same(await look(['v1', 'ConfigMap', ours, 'settings']), [`ConfigMap ${ours}/settings free`], 'of its own name')
  t.same(await look(['v1', 'Secret', ours, 'db']), [`Secret ${ours}/db free`])
  t.same(await look(['v1', 'Secret', theirs, 'theirs']), [], "others' Secrets only in its own namespace")
  t.same(
    await look(
      ['v1', 'ConfigMap', ours, 'nothing'],
      ['example.com/v1', 'Nothing', ours, 'x'],
      ['v1', 'ConfigMap', '', 'settings'],
    ),
    [],
  )
  t.ok((await look(['v1', 'ConfigMap', '', ''])).includes(`ConfigMap ${theirs}/settings taken`), 'all of a kind, everywhere')
  const refs = [
    { group: '', kind: 'Secret', namespace: ours, name: 'db' },
    { group: 'apps', kind: 'Deployment', namespace: ours, name: 'none' },
  ]
  const named = await one.cluster.lookUp(one.app, { questions: [], refs }, new AbortController().signal)
  t.match(named, [{ isFree: true, object: { kind: 'Secret', data: { password: 'eA==' } } }])
  t.equal(named.length, 1)
})

t.test('an expression of jq that never ends is ended, and the next is answered', async t => {
  const jq = createJq({ limitMs: 300 })
  t.teardown(() => jq.close())

  await t.rejects(jq.paths('def f: f; f', {}), /took longer than 300 ms/)
  t.same(await jq.paths('.a[] | select(.n > 1)', { a: [{ n: 1 }, { n: 2 }] }), [['a', 1]])
  t.same(await jq.paths('.a[].b', {}), [], 'what does not fit names nothing')
  await t.rejects(jq.paths('.a + 1', { a: 1 }), /[Ii]nvalid path expression/)
  t.match(
    await Promise.all(['.a[].b', '.a | bogus', '.a['].map(one => jq.fault(one))),
    ['', /bogus\/0 is not defined/, /syntax error/],
    'whether it can be read is told without an object',
  )
  await t.rejects(jq.paths('.a | bogus', {}), /jq expression "\.a \| bogus": .*bogus\/0 is not defined/)
  t.same(await jq.paths('.metadata.annotations["x/y"], .status', { metadata: { annotations: { 'x/y': '1' } } }), [
    ['metadata', 'annotations', 'x/y'],
    ['status'],
  ])
})
