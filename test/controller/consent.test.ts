// What is not taken away without a person's word: whose word counts when, for pruning, for going back and for a deletion.
import t from 'tap'
import { withApproval } from '../../controller/ledger.js'
import type { Consent } from '../../controller/release/options.js'
import { consentTo, staysOf } from '../../controller/sync/consent.js'
import { type Manifest, refKey, refOf } from '../../runtime/contract/manifest.js'
import { ana, configMap, deployment, release } from './builders.js'
import { World } from './world.js'

const web = (image: string) => deployment('web', image)
const options = (text: string) => ({ annotations: { 'argocd.argoproj.io/sync-options': text } })
const marked = (name: string, text: string) => configMap(name, 'x', options(text))
const approve = (world: World, at = world.now) => world.ask(ledger => withApproval(ledger, { by: ana, at }))
const annotate = (world: World, time: string) => {
  world.app = { ...world.app, annotations: { 'argocd.argoproj.io/deletion-approved': time } }
  world.ask(ledger => ({ ...ledger, version: ledger.version + 1 }))
}
const asked = (world: World) => {
  const { asks } = world.last.decision
  return asks === null ? '' : `${asks.act} ${asks.objects.map(({ name }) => name).join()}`
}

t.test("an object's own word wins over its application's; who asks before pruning asks before deleting", async t => {
  const rows: readonly (readonly [string, readonly string[], Consent, Consent])[] = [
    ['', [], 'yes', 'yes'],
    ['Prune=false', [], 'no', 'yes'],
    ['Prune=confirm', [], 'confirm', 'confirm'],
    ['Delete=confirm', [], 'yes', 'confirm'],
    ['Delete=false', [], 'yes', 'no'],
    ['Prune=confirm,Delete=false', [], 'confirm', 'no'],
    ['', ['Prune=confirm'], 'confirm', 'confirm'],
    ['', ['Delete=confirm'], 'yes', 'confirm'],
    ['', ['Prune=false', 'Delete=false'], 'no', 'no'],
    ['Prune=true', ['Prune=confirm'], 'yes', 'yes'],
    ['Prune=true', ['Prune=false'], 'yes', 'yes'],
    ['Delete=true', ['Delete=false'], 'yes', 'yes'],
    ['Prune=confirm', ['Prune=false'], 'confirm', 'confirm'],
  ]
  for (const [own, ofAll, prune, deletion] of rows) {
    const object = marked('a', own)
    const all = release(object)
    const now = { ledger: { current: { release: all.id }, good: [] } as never, releases: () => all, options: ofAll }
    // Its release is forgotten: what the ledger kept of it says the same.
    const staying = { [refKey(refOf(object))]: staysOf(object) }
    const later = { ledger: { current: { staying }, good: [] } as never, releases: () => null, options: ofAll }
    for (const input of [now, later])
      t.same([consentTo('prune', refOf(object), input), consentTo('delete', refOf(object), input)], [prune, deletion], own)
  }
  const kept = configMap('a', 'x', { annotations: { 'helm.sh/resource-policy': 'keep' } })
  const facts = { ledger: { current: { release: 'r' }, good: [] } as never, releases: () => release(kept), options: [] }
  t.same([consentTo('prune', refOf(kept), facts), consentTo('delete', refOf(kept), facts)], ['no', 'no'])
})

function pruned(text: string, change: ConstructorParameters<typeof World>[0] = {}): World {
  const world = new World(change)
  world.push(release(web('good:1'), marked('old', text), configMap('plain', 'x')))
  world.minutes(2)
  world.push(release(web('good:1')))
  world.minutes(3)
  return world
}

t.test('Prune=confirm: the release is healthy, the rest is pruned, the object stays until a person says so', async t => {
  const world = pruned('Prune=confirm')

  t.equal(world.ledger!.attempt?.outcome, 'Healthy')
  t.same(world.objectNames(), ['old', 'web'])
  t.equal(asked(world), 'prune old')

  world.minutes(600)
  t.same(world.objectNames(), ['old', 'web'], 'however long that takes')

  approve(world)
  world.seconds(10)
  t.same(world.objectNames(), ['web'])
  t.equal(asked(world), '')
  t.match(world.ledger!.attempt?.moves.at(-1), { step: 'Pruned', message: 'ConfigMap shop/old pruned, as approved by ana' })
})

t.test('a word of before this release is none; the annotation of Argo CD is one', async t => {
  const world = pruned('Prune=confirm')
  const began = world.ledger!.attempt!.moves[0]!.at

  approve(world, began - 1)
  world.seconds(10)
  t.equal(asked(world), 'prune old', 'said of what was asked before')

  annotate(world, new Date(began - 60_000).toISOString())
  world.seconds(10)
  t.equal(asked(world), 'prune old')
  annotate(world, 'yes')
  world.seconds(10)
  t.equal(asked(world), 'prune old', 'no time is no word')

  annotate(world, new Date(began + 1500).toISOString().replace(/\.\d+/, ''))
  world.seconds(10)
  t.same([asked(world), world.objectNames()], ['', ['web']])
})

t.test('the option of an application asks for all but what says otherwise; paused, nothing goes', async t => {
  const world = pruned('Prune=true', { sync: { options: ['Prune=confirm'] } })
  t.same([asked(world), world.objectNames()], ['prune plain', ['plain', 'web']])

  world.pause()
  approve(world)
  world.minutes(5)
  t.same(world.objectNames(), ['plain', 'web'])
  world.resume()
  world.seconds(10)
  t.same(world.objectNames(), ['web'])
})

t.test('nothing is asked where nothing would be pruned', async t => {
  const world = new World({ sync: { prune: false } })
  world.push(release(web('good:1'), marked('old', 'Prune=confirm')))
  world.minutes(2)
  world.push(release(web('good:1')))
  world.minutes(3)
  t.same([asked(world), world.objectNames()], ['', ['old', 'web']])
})

t.test('going back, what the failed release made and marked stays until a person says so', async t => {
  const world = new World()
  world.push(release(web('good:1')))
  world.minutes(2)
  world.push(release(web('crash:2'), marked('made', 'Prune=confirm'), configMap('plain', 'x')))
  world.minutes(3)

  t.equal(world.ledger!.attempt?.outcome, 'RolledBack')
  t.same([asked(world), world.objectNames()], ['prune made', ['made', 'web']])
  approve(world)
  world.seconds(10)
  t.same(world.objectNames(), ['web'])
})

t.test('what is kept by its author is not taken away because it stands in the way either', async t => {
  const service = (name: string, text: string) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'shop', ...options(text) },
    spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] },
  })
  for (const [text, left] of [
    ['', ['b', 'web']],
    ['Prune=confirm', ['a', 'b', 'web']],
    ['Prune=false', ['a', 'b', 'web']],
  ] as const) {
    const world = new World()
    world.push(release(web('good:1'), service('a', text)))
    world.minutes(2)
    world.push(release(web('good:1'), service('b', '')))
    world.minutes(3)
    t.same(world.objectNames(), left, text)
  }
})

function deleted(...objects: readonly Manifest[]): World {
  const world = new World()
  world.push(release(...objects))
  world.minutes(2)
  world.delete()
  return world
}

t.test('Delete=confirm holds the whole deletion, before anything is touched', async t => {
  for (const text of ['Delete=confirm', 'Prune=confirm']) {
    const world = deleted(
      web('good:1'),
      marked('data', text),
      configMap('last', 'x', { annotations: { 'argocd.argoproj.io/sync-wave': '5' } }),
    )
    world.minutes(600)

    t.same(world.objectNames(), ['data', 'last', 'web'], text)
    t.equal(asked(world), 'delete data')
    t.equal(world.ledger!.deletion?.told, undefined)

    approve(world)
    world.minutes(1)
    t.ok(world.forgotten)
    t.same(world.objectNames(), [])
  }
})

t.test('a word for an earlier pruning is none for the deletion; the annotation counts from when it was asked', async t => {
  const world = new World()
  world.push(release(web('good:1'), marked('data', 'Delete=confirm')))
  world.minutes(2)
  approve(world)
  world.seconds(10)
  world.delete()
  world.minutes(5)
  t.equal(asked(world), 'delete data')
  annotate(world, new Date(world.now).toISOString())
  world.minutes(1)
  t.ok(world.forgotten)
})

t.test('killed at each write between, the end of a confirmed deletion is the same', async t => {
  for (let write = 0; write < 4; write += 1)
    for (const crash of ['beforePlace', 'afterPlace'] as const) {
      const world = deleted(web('good:1'), marked('data', 'Delete=confirm'))
      world.minutes(1)
      let count = 0
      world.onLook = () => {
        count += 1
        if (count === write + 1) world.crashNext = crash
      }
      approve(world)
      world.minutes(2)
      t.ok(world.forgotten, `${crash} ${write}`)
    }
})

t.test('Delete=false on a node: the rest ends, wave by wave, and what stays is let go', async t => {
  const world = deleted(web('good:1'), marked('kept', 'Delete=false'), marked('gone', ''))
  const seen: string[] = []
  world.onLook = ({ step }) => {
    if (step.kind !== 'none') seen.push(step.kind)
  }
  world.minutes(2)

  t.same(
    seen.filter(kind => kind !== 'remember'),
    ['prune', 'letGo', 'forget'],
  )
  t.same(world.objectNames(), ['kept'])
  t.same(
    world.ledger!.current?.owned.map(({ name }) => name),
    ['kept'],
    'and that is what is left to be taken over',
  )
})
