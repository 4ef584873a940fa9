// What `lookup` of a chart finds: others' objects as they are, its own as they were; and what one application may see of a node.
import t from 'tap'
import { heldAt, leftAt, liveFor } from '../../controller/cluster/node/held.js'
import { answerTo, findsSame, firstAnswers, foreignAnswers, type LiveObject } from '../../controller/sticky/lookup.js'
import type { Sticky } from '../../controller/sticky.js'
import { type Manifest, refKey, refOf } from '../../runtime/contract/manifest.js'
import { application, configMap, deployment } from './builders.js'

const secret = (name: string, namespace = 'shop'): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
})
const cluster: Manifest = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }
const there = (...objects: readonly Manifest[]): LiveObject[] => objects.map(object => ({ object, isFree: false }))
const keysOf = (...objects: readonly Manifest[]) => new Set(objects.map(object => refKey(refOf(object))))
const text = (...question: readonly [string, string, string, string]) => JSON.stringify(question)
const none: Sticky = {}

const web = deployment('web', 'web:1')
const live = there(secret('db'), secret('db', 'other'), secret('api'), configMap('db', 'x'), cluster, web)
const named = (answer: unknown) =>
  Array.isArray(answer)
    ? answer.map(({ metadata }: Manifest) => `${metadata.namespace}/${metadata.name}`)
    : (answer as Manifest | null)?.metadata.name

t.test('a question finds what kubectl would find', async t => {
  const table: readonly (readonly [readonly [string, string, string, string], unknown])[] = [
    [['v1', 'Secret', 'shop', 'db'], 'db'],
    [['v1', 'Secret', 'shop', 'none'], undefined],
    [['v1', 'Secret', '', 'db'], undefined],
    [['apps/v1', 'Secret', 'shop', 'db'], undefined],
    [['apps/v1beta1', 'Deployment', 'shop', 'web'], 'web'],
    [['v1', 'Namespace', '', 'shop'], 'shop'],
    [['v1', 'Namespace', 'shop', 'shop'], 'shop'],
    [
      ['v1', 'Secret', 'shop', ''],
      ['shop/api', 'shop/db'],
    ],
    [
      ['v1', 'Secret', '', ''],
      ['other/db', 'shop/api', 'shop/db'],
    ],
    [['v1', 'Pod', '', ''], []],
  ]

  for (const [question, answer] of table)
    t.same(named(answerTo(text(...question), { own: new Set(), live, sticky: none })), answer, question.join(' '))
})

t.test("of the application's own objects the first answer stays, of others' the newest counts", async t => {
  const own = keysOf(secret('db'), secret('api'))
  const one = text('v1', 'Secret', 'shop', 'db')
  const all = text('v1', 'Secret', '', '')
  const asked = [one, all, text('v1', 'Secret', 'other', 'db')]

  const first = firstAnswers(asked, { own, live: there(secret('db', 'other')), sticky: none }, 5)
  const later = { own, live, sticky: first }

  t.same(
    Object.values(first).map(({ label, value, at }) => [label, value, at]),
    [
      [one, 'null', 5],
      [all, '[]', 5],
    ],
    "what is others' is not kept",
  )
  t.equal(answerTo(one, later), null, 'it was not there')
  t.same(named(answerTo(all, later)), ['other/db'])
  t.same(firstAnswers(asked, later, 9), first, 'and stays so')
  t.equal(named(answerTo(one, { ...later, own: new Set<string>() })), 'db', "no longer its own: as others'")
})

t.test("others' objects are inputs, its own are none", async t => {
  const question = text('v1', 'Secret', 'shop', '')
  const uses = (own: ReadonlySet<string>) => ({
    sticky: none,
    own: [...own],
    lookups: foreignAnswers([question], { own, live, sticky: none }),
  })
  const without = live.filter(({ object }) => object.metadata.name !== 'api')
  const same = (own: ReadonlySet<string>, now: readonly LiveObject[]) => findsSame(uses(own), none, () => now)

  t.ok(await same(new Set(), live))
  t.notOk(await same(new Set(), without))
  t.ok(await same(keysOf(secret('api')), without))
  t.ok(
    await same(
      new Set(),
      live.filter(({ object }) => object.kind !== 'Deployment'),
    ),
    'what was not asked for may change',
  )
  const nobody = () => {
    throw new Error('nobody looks')
  }
  t.ok(await findsSame({ sticky: none, lookups: {}, own: [] }, none, nobody))
})

t.test("an application sees what lies with its node, others' Secrets only in its own namespace", async t => {
  const app = application()
  const [own, former, other] = [app, { ...app, uid: 'uid-0' }, { ...app, name: 'blog', uid: 'uid-2' }]
  const document = (of: typeof app, letGo: boolean, deleted: boolean, ...objects: readonly Manifest[]) =>
    heldAt({
      head: { document: { application: of, letGo, deleted, objects, epoch: 1, generation: 1 } } as never,
      returned: null,
      report: { objects: [{ ref: refOf(web), status: { readyReplicas: 1 } }] } as never,
    })
  const seen = liveFor(app, [
    ...leftAt([{ application: other, objects: [secret('left'), secret('named'), secret('taken')] }]),
    ...document(own, false, false, secret('named'), { ...secret('own'), data: { a: 'eA==' }, stringData: { b: 'x' } }),
    ...document(former, false, false, secret('former')),
    ...document(other, false, false, secret('taken'), secret('theirs'), secret('hidden', 'blog'), configMap('shown', ''), web),
    ...document(other, true, false, secret('free')),
    ...document(other, false, true, secret('ended')),
  ])

  t.same(seen.map(({ object, isFree }) => `${object.metadata.name}${isFree ? ' free' : ''}`).sort(), [
    'former free',
    'free free',
    'left free',
    'named free',
    'own',
    'shown',
    'taken',
    'theirs',
    'web',
  ])
  const stored = seen.find(({ object }) => object.metadata.name === 'own')?.object
  t.same(stored, { ...secret('own'), data: { a: 'eA==', b: 'eA==' } }, 'as a cluster gives it back')
  t.match(seen.find(({ object }) => object.kind === 'Deployment')?.object, { status: { readyReplicas: 1 } })
})
