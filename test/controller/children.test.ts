// An application of applications: children go to the controller, everything else to the place.
import t from 'tap'
import { withChildren } from '../../controller/cluster/children.js'
import type { Applied, Cluster } from '../../controller/cluster/cluster.js'
import { type Manifest, refOf } from '../../runtime/contract/manifest.js'
import { application, configMap } from './builders.js'

const app = application()
const { signal } = new AbortController()
const child = { apiVersion: 'slipway.dev/v1alpha1', kind: 'Application', metadata: { name: 'kid' } } as Manifest
const order = {} as Parameters<Cluster['apply']>[2]

function place(answer: () => Promise<Pick<Applied, 'result' | 'message'>> = async () => ({ result: 'created', message: '' })) {
  const done: string[] = []
  const names = (refs: readonly { readonly name: string }[]) => refs.map(ref => ref.name).join()
  const cluster = withChildren(
    {
      observe: async () => ({ objects: [] }),
      apply: async (_app: unknown, objects: readonly Manifest[]) => {
        done.push(`place applies ${names(objects.map(refOf))}`)
        return []
      },
      prune: async (_app: unknown, refs: readonly { readonly name: string }[]) => {
        done.push(`place prunes ${names(refs)}`)
        return []
      },
      remove: async () => void done.push('place removes'),
    } as unknown as Cluster,
    { declaredBy: () => [child], declare: answer, withdraw: async ref => void done.push(`withdraws ${ref.name}`) },
  )
  return { cluster, done }
}

t.test('a child is declared, the rest goes to the place', async t => {
  const { cluster, done } = place()

  const applied = await cluster.apply(app, [child, configMap('web', 'a')], order, signal)

  t.same(done, ['place applies web'])
  t.match(applied, [{ ref: { name: 'kid' }, result: 'created' }])
})

t.test('a child that is refused is a finding; one that cannot be declared now is not', async t => {
  const refused = place(async () => ({ result: 'refused', message: 'spec.source is missing' }))
  t.match(await refused.cluster.apply(app, [child], order, signal), [{ result: 'refused', message: 'spec.source is missing' }])

  const away = place(() => Promise.reject(new Error('NATS does not answer')))
  await t.rejects(away.cluster.apply(app, [child], order, signal), { message: 'NATS does not answer' })
})

t.test('a declared child is there for its parent, and withdrawn with it', async t => {
  const { cluster, done } = place()

  t.match((await cluster.observe(app, signal)).objects, [{ ref: { name: 'kid' } }])
  await cluster.prune(app, [refOf(child), refOf(configMap('web', 'a'))], order, signal)
  await cluster.remove(app, order, signal)

  t.same(done, ['place prunes web', 'withdraws kid', 'withdraws kid', 'place removes'])
})
