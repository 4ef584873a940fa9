import t from 'tap'
import { afterLost, whoseLost } from '../../runtime/lost-pods.js'
import type { LostPod } from '../../runtime/pods/types.js'
import { deployment, document, object, toy } from '../support/node.js'

const lost: LostPod = { uid: 'p', name: 'web-4f2a91c003-x8k2p', namespace: 'shop', application: { name: 'shop', uid: 'shop-1' } }
const next = { name: 'next', uid: 'next-1' }

t.test('whose a pod is of which nothing can be read: it is ended only where another would be started in its place', async t => {
  const table = [
    ['nothing is obeyed of its application: left as it is', [], null],
    ['its own', [document([])], 'shop'],
    ['made again under its name', [document([], { application: { name: 'shop', uid: 'other' } })], 'shop'],
    ['told to end', [document([], { deleted: true })], 'shop'],
    ['let go, and nobody has taken it over: it goes on', [document([deployment()], { letGo: true })], null],
    [
      'let go, and taken over',
      [document([deployment()], { letGo: true }), document([deployment()], { application: next })],
      'next',
    ],
    ['another application with a workload of that name', [document([deployment()], { application: next })], 'next'],
    ['of another name', [document([deployment({}, {}, 'we')], { application: next })], null],
    [
      'in another namespace',
      [document([{ ...deployment(), metadata: { name: 'web', namespace: 'b' } }], { application: next })],
      null,
    ],
    ['a ConfigMap is no workload', [document([object('v1', 'ConfigMap', 'web')], { application: next })], null],
    ['one that ends starts nothing', [document([deployment()], { application: next, deleted: true })], null],
  ] as const
  for (const [what, documents, expected] of table) t.equal(whoseLost(lost, documents)?.name ?? null, expected, what)
  const bare = { ...lost, name: 'web' }
  t.equal(whoseLost(bare, [document([deployment()], { application: next })])?.name, 'next', 'a bare Pod has its own name')
})

t.test('nothing of an application is started beside a pod of it of which nothing is known', async t => {
  const node = toy(document([deployment()]), document([deployment({}, {}, 'db')], { application: next }))
  const { create } = node.pass()
  const [known] = node.pods
  const unknown = { ...known!, terminating: true, record: { ...known!.record, workload: null, application: lost.application } }

  t.same(afterLost(create, []), create)
  t.same(afterLost(create, [known!]), create)
  t.same(
    afterLost(create, [unknown]).map(({ application }) => application.name),
    ['next', 'next', 'next'],
  )
})
