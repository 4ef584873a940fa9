// A sync of some objects, and what is tried again by itself.
import t from 'tap'
import { withRelease, withRequest } from '../../controller/ledger.js'
import { isSelected, parseSelector, selectedRelease } from '../../controller/release/selective.js'
import type { Release } from '../../controller/release.js'
import { markOf } from '../../controller/rollout/again.js'
import { retryAfter } from '../../controller/sync/retry.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { ana, configMap, deployment, hook, release } from './builders.js'
import { World } from './world.js'

const web = (image: string) => deployment('web', image)

t.test('which objects are meant', async t => {
  const object = web('good:1')
  const table: readonly (readonly [string, boolean | null])[] = [
    ['apps:Deployment:web', true],
    ['apps:Deployment:shop/web', true],
    ['apps:Deployment:other/web', false],
    ['*:*:*', true],
    ['apps:Deploy*:w*', true],
    [':Deployment:web', false],
    ['apps:Deployment:we', false],
    ['apps:Deployment:w.b', false],
    ['Deployment:web', null],
    ['apps::web', null],
    ['', null],
  ]
  for (const [text, expected] of table) {
    const selector = parseSelector(text)
    t.equal(selector === null ? null : isSelected(object, [selector]), expected, text)
  }
})

t.test('the release that it makes: what runs, with these objects as the newest commit has them', async t => {
  const current = release(web('good:1'), configMap('a', '1'), configMap('gone', '1'), hook('migrate', 'ok:1'))
  const newest = release(web('good:2'), configMap('a', '2'), configMap('b', '2'), hook('migrate', 'ok:2'))
  const made = (prune: boolean, ...texts: readonly string[]) => {
    const selectors = texts.map(text => parseSelector(text)!)
    const { release: found, selected } = selectedRelease(current, newest, { selectors, prune, salt: 's' })
    const images = (object: Manifest) => JSON.stringify(object.data ?? object.spec).match(/good:\d|ok:\d|(?<=value":")\d/)?.[0]
    const objects = found.objects.map(object => `${object.metadata.name} ${images(object)}`)
    return { objects: objects.toSorted(), selected: selected.map(object => object.metadata.name) }
  }

  t.same(made(false, ':ConfigMap:*'), { objects: ['a 2', 'b 2', 'gone 1', 'migrate ok:1', 'web good:1'], selected: ['a', 'b'] })
  t.same(made(true, ':ConfigMap:*').objects, ['a 2', 'b 2', 'migrate ok:1', 'web good:1'])
  t.same(made(false, 'apps:Deployment:web').objects, ['a 1', 'gone 1', 'migrate ok:1', 'web good:2'])
  t.same(made(false, 'batch:Job:migrate').selected, [], 'a hook is none of them')
})

/** Asks as the service does. */
function syncPart(world: World, current: Release, newest: Release, texts: readonly string[], prune = false): Release {
  const selectors = texts.map(text => parseSelector(text)!)
  const { release: part } = selectedRelease(current, newest, { selectors, prune, salt: world.ledger!.salt })
  world.releases.set(part.id, part)
  const revision = world.head!.revision!
  const request = { id: 'part', kind: 'sync' as const, by: ana, at: world.now, commit: null, release: part.id, prune, selectors }
  world.ask(ledger =>
    withRequest(withRelease(ledger, part.id, revision, world.now), { ...request, base: ledger.current!.release }),
  )
  return part
}

const manual = { sync: { automated: false, selfHeal: false } }

t.test('some objects are released without hooks and prune, judged as any, and the rest waits', async t => {
  const r1 = release(web('good:1'), configMap('a', '1'), configMap('gone', '1'), hook('migrate', 'ok:1'))
  const r2 = release(web('good:2'), configMap('a', '2'), hook('migrate', 'ok:2'))
  const world = new World(manual)
  world.push(r1)
  world.sync()
  world.minutes(2)
  world.push(r2)
  world.seconds(5)

  const steps: string[] = []
  world.onLook = ({ step }) => {
    if (step.kind === 'apply') steps.push(...step.objects.map(object => object.metadata.name))
  }
  const part = syncPart(world, r1, r2, [':ConfigMap:a'])
  world.minutes(2)

  t.ok(world.currentIs(part))
  t.match(world.ledger!.attempt, { outcome: 'Healthy', mode: 'partial', by: ana })
  t.same(world.image(), ['good:1'])
  t.same(steps, ['a'], 'no hook ran')
  t.ok(world.objectNames().includes('gone'), 'nothing was pruned')
  t.match(world.last.decision.why, { kind: 'waiting', for: 'sync' })
  t.equal(world.ledger!.requests.length, 0)
  world.sync()
  world.minutes(2)
  t.ok(world.currentIs(r2))
})

t.test('objects that do not get well are rolled back, and the same is not asked for by itself again', async t => {
  const r1 = release(web('good:1'), configMap('a', '1'))
  const r2 = release(web('crash:2'), configMap('a', '2'))
  const world = new World(manual)
  world.push(r1)
  world.sync()
  world.minutes(2)
  world.push(r2)
  world.seconds(5)
  syncPart(world, r1, r2, ['apps:Deployment:web'])
  world.minutes(3)

  t.ok(world.currentIs(r1))
  t.equal(world.ledger!.attempt?.outcome, 'RolledBack')
  t.equal(world.ledger!.marks[r2.id], undefined, 'the newest commit as a whole was not tried')
})

t.test('with prune, what is selected and gone from Git goes', async t => {
  const r1 = release(web('good:1'), configMap('a', '1'), configMap('gone', '1'))
  const r2 = release(web('good:2'), configMap('a', '2'))
  const world = new World(manual)
  world.push(r1)
  world.sync()
  world.minutes(2)
  world.push(r2)
  world.seconds(5)
  syncPart(world, r1, r2, [':ConfigMap:gone'], true)
  world.minutes(3)

  t.same(world.objectNames(), ['a', 'web'])
  t.same(world.image(), ['good:1'])
})

t.test('what was asked of another state than runs now lapses', async t => {
  const r1 = release(web('good:1'))
  const r2 = release(web('good:2'))
  const world = new World(manual)
  world.push(r1)
  world.sync()
  world.minutes(2)
  world.push(r2)
  world.seconds(5)
  const other = release(web('good:9'))
  world.releases.set(other.id, other)
  syncPart(world, r1, r2, ['apps:Deployment:web'])
  world.ask(ledger => ({ ...ledger, requests: ledger.requests.map(one => ({ ...one, base: other.id }) as never) }))
  world.minutes(1)

  t.ok(world.currentIs(r1))
  t.equal(world.ledger!.requests.length, 0)
})

t.test('back-off as Argo CD has it, with an end', async t => {
  const policy = { limit: 3, durationMs: 2_000, factor: 3, maxDurationMs: 10_000 }
  t.same(
    [0, 1, 2, 3].map(retries => retryAfter(policy, retries)),
    [2_000, 6_000, 10_000, null],
  )
  t.equal(retryAfter({ ...policy, limit: -1 }, 100), 10_000)
  t.equal(retryAfter({ ...policy, limit: 0 }, 0), null)
})

t.test('what is tried again by itself, and when', async t => {
  const retry = { limit: 2, durationMs: 2_000, factor: 3, maxDurationMs: 60_000 }
  const mark = (kind: 'bad' | 'surroundings', sign: string, policy: typeof retry | null, tries = 0) => {
    const verdict = { kind, sign } as never
    const before = tries === 0 ? undefined : ({ kind: 'surroundings', tries } as never)
    const made = markOf(before, verdict, policy, 1000)
    return [made.kind, made.dueAt === 0 ? 0 : made.dueAt - 1000]
  }
  t.same(mark('surroundings', 'ImagePullFailed', null), ['surroundings', 60_000])
  t.same(mark('surroundings', 'ImagePullFailed', null, 3), ['surroundings', 3_600_000])
  t.same(mark('surroundings', 'ImagePullFailed', null, 4), ['bad', 0])
  t.same(mark('surroundings', 'ImagePullFailed', retry), ['surroundings', 2_000])
  t.same(mark('surroundings', 'ImagePullFailed', retry, 1), ['surroundings', 6_000])
  t.same(mark('surroundings', 'ImagePullFailed', retry, 2), ['bad', 0])
  t.same(mark('bad', 'HookFailed', null), ['bad', 0])
  t.same(mark('bad', 'HookFailed', retry), ['surroundings', 2_000])
  t.same(mark('bad', 'ApplyRefused', retry, 1), ['surroundings', 6_000])
  t.same(mark('bad', 'CrashLoop', retry), ['bad', 0])
})

t.test('a failed hook is retried with back-off, up to the limit; a newer commit does not wait for it', async t => {
  const retry = { limit: 2, durationMs: 20_000, factor: 2, maxDurationMs: 60_000 }
  const world = new World({ sync: { retry } })
  world.push(release(web('good:1')))
  world.minutes(2)
  world.push(release(web('good:2'), hook('migrate', 'fail:1')))
  world.minutes(10)
  t.same(world.outcomes(), ['Healthy', 'RolledBack', 'RolledBack', 'RolledBack'], 'tried, and twice more')
  t.same(
    Object.values(world.ledger!.marks).map(mark => mark.kind),
    ['bad'],
  )

  const slow = new World({ sync: { retry: { ...retry, durationMs: 600_000, maxDurationMs: 600_000 } } })
  slow.push(release(web('good:1')))
  slow.minutes(2)
  slow.push(release(web('good:2'), hook('migrate', 'fail:1')))
  slow.minutes(1)
  const fixed = release(web('good:3'))
  slow.push(fixed)
  slow.minutes(2)
  t.ok(slow.currentIs(fixed))
})
