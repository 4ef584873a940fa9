// Each row of release.md's two tables: a situation, the row that applies, and what comes of it.
import t from 'tap'
import { assess } from '../../controller/health/assess.js'
import { decide } from '../../controller/rollout.js'
import { configMap, deployment, hook, release, wave } from './builders.js'
import { World } from './world.js'

const web = (image: string) => deployment('web', image)
const r1 = release(web('good:1'))
const r2 = release(web('good:2'))
const crash = release(web('crash:2'))

type Change = ConstructorParameters<typeof World>[0]

function settledWorld(change: Change = {}, first = r1): World {
  const world = new World(change)
  world.push(first)
  if (change?.sync !== undefined) world.sync()
  world.minutes(2)
  return world
}

/** The rows named in the passes that `act` leads to. */
function rows(world: World, act: () => void): ReadonlySet<string> {
  const seen = new Set<string>()
  world.onLook = ({ decision }) => {
    seen.add(decision.row.chosen)
    if (decision.row.judged !== null) seen.add(decision.row.judged)
  }
  act()
  return seen
}

t.test('J1: what is known of the place is old', async t => {
  const world = settledWorld()
  world.push(crash)
  world.seconds(1)
  const seen = rows(world, () => {
    world.silence()
    world.minutes(10)
  })
  t.ok(seen.has('J1'))
  t.equal(world.ledger!.attempt?.verdict, null)
})

t.test('J2, T4, J5: a sign is judged, the good one runs again and is healthy', async t => {
  const world = settledWorld()
  const seen = rows(world, () => {
    world.push(crash)
    world.seconds(20)
  })
  t.ok(
    ['T10', 'J2', 'T4', 'J5'].every(row => seen.has(row)),
    [...seen].join(),
  )
  t.equal(world.ledger!.attempt?.outcome, 'RolledBack')
})

t.test('J3 and J4: wave by wave, then healthy, baked, pruned and baked once more', async t => {
  const world = settledWorld({}, release(web('good:1'), configMap('old', 'x')))
  const steps: string[] = []
  world.onLook = ({ step, decision }) => {
    if (step.kind === 'apply') steps.push(`apply ${step.objects.map(object => object.metadata.name)} ${decision.row.chosen}`)
    if (step.kind === 'prune') steps.push(`prune ${step.refs.map(ref => ref.name)} ${decision.row.judged}`)
  }
  const from = world.now
  world.push(
    release(web('good:2'), deployment('api', 'good:2', wave(1)), hook('migrate', 'ok:1'), hook('smoke', 'ok:1', 'PostSync')),
  )
  world.minutes(3)

  t.strictSame(
    steps.map(step => step.split(' ').slice(0, 2).join(' ')),
    ['apply migrate-presync-2', 'apply web', 'apply api', 'apply smoke-postsync-2', 'prune old'],
  )
  t.ok(steps.at(-1)?.endsWith('J4'))
  const attempt = world.ledger!.attempt!
  t.equal(attempt.outcome, 'Healthy')
  t.ok(attempt.times.baked - attempt.times.healthy >= 60_000, 'two bakes')
  t.ok(attempt.times.applied >= from && attempt.times.healthy > attempt.times.applied)
})

t.test('J4: a pod whose container ended bakes from when it was ready again', async t => {
  const world = settledWorld()
  world.push(r2)
  world.seconds(20)
  const { app, ledger } = world
  t.equal(ledger!.attempt?.step.name, 'Baking')
  const now = ledger!.attempt!.clocks.bakeFrom + app.rollout.bakeTimeMs
  const outcome = (readyAgo: number) => {
    const seen = world.observe()
    const pods = seen.pods.map(pod => ({
      ...pod,
      readyAt: new Date(now - readyAgo).toISOString(),
      containers: pod.containers.map(each => ({ ...each, restartCount: 2 })),
    }))
    const observed = { ...seen, at: now, pods }
    const health = assess({ app, release: r2, ledger: ledger!, observed, now })
    const releases = (id: string) => world.releases.get(id as never) ?? null
    return decide({ app, ledger: ledger!, candidate: world.head, releases, observed, health, now }).ledger.attempt?.outcome
  }

  t.equal(outcome(5_000), null)
  t.equal(outcome(app.rollout.bakeTimeMs), 'Healthy')
})

t.test('J3: how long a workload takes is learnt when it is healthy, once each, superseded while it bakes or not', async t => {
  const world = settledWorld()
  for (const image of ['good:2', 'good:3', 'good:4']) {
    world.push(release(web(image)))
    world.seconds(10)
  }
  t.strictSame(
    Object.values(world.ledger!.readyTimes).map(times => times.length),
    [4],
  )
  world.minutes(2)
  t.strictSame(
    Object.values(world.ledger!.readyTimes).map(times => times.length),
    [4],
  )
})

t.test('J6: a good one that never baked and shows a sign is bad, and the one before is next', async t => {
  const world = settledWorld()
  const late = release(web('late:2'))
  world.push(late)
  world.seconds(5)
  t.equal(world.ledger!.attempt?.step.name, 'Baking')
  const seen = rows(world, () => {
    world.push(release(web('crash:3')))
    world.minutes(3)
  })
  t.ok(seen.has('J6'))
  t.ok(world.currentIs(r1))
  t.equal(world.ledger!.marks[late.id]?.kind, 'bad')
})

t.test('J7: drift is healed with back-off, and only reported where self-heal is off', async t => {
  for (const selfHeal of [true, false]) {
    const world = settledWorld({ sync: { selfHeal } }, release(web('good:1'), configMap('extra', 'x')))
    const seen = rows(world, () => {
      world.document = {
        ...world.document!,
        generation: world.document!.generation + 1,
        objects: world.document!.objects.slice(1),
      }
      world.minutes(1)
    })
    t.ok(seen.has('J7'))
    t.equal(world.objectNames().length, selfHeal ? 2 : 1)
  }
})

t.test('J8: what was healthy and is not now is degraded, not rolled back', async t => {
  const world = settledWorld()
  world.push(release(web('db:2')))
  world.minutes(2)
  const seen = rows(world, () => {
    world.weather.dbUp = false
    world.minutes(30)
    world.push('broken')
    world.minutes(1)
  })
  t.ok(seen.has('J8'))
  t.equal(world.ledger!.attempt?.outcome, 'Healthy')
  t.strictSame(world.image(), ['db:2'])
})

t.test('J9: a failed one whose waves turn healthy goes on with the next wave', async t => {
  const world = new World()
  world.push(release(web('heals:1'), deployment('api', 'good:1', wave(1))))
  world.minutes(10)
  t.strictSame(world.outcomes(), ['Failed'])
  t.strictSame(world.objectNames(), ['web'])
  const seen = rows(world, () => {
    world.weather.healed = true
    world.minutes(3)
  })
  t.ok(seen.has('J9'))
  t.strictSame(world.outcomes(), ['Healthy'])
  t.strictSame(world.objectNames(), ['api', 'web'])
})

t.test('T2 before T3: while paused a request waits, and nothing is touched', async t => {
  const world = settledWorld()
  world.push(r2)
  world.minutes(2)
  world.pause()
  world.rollback(r1)
  world.minutes(10)
  t.ok(world.currentIs(r2))
  t.equal(world.ledger!.requests.length, 1)
  world.resume()
  world.minutes(1)
  t.ok(world.currentIs(r1))
  t.strictSame(world.ledger!.requests, [])
})

t.test('T3: of several requests the newest counts; a retry of the candidate goes through preflight again', async t => {
  const world = settledWorld()
  world.push(crash)
  world.minutes(2)
  const round = world.ledger!.preflight!.round
  world.retry()
  world.seconds(2)
  t.ok(world.currentIs(crash))
  t.equal(world.ledger!.preflight?.round, round + 1)
  t.match(world.ledger!.attempt, { cause: 'retry', by: { name: 'ana' } })
  world.minutes(2)
  t.strictSame(world.outcomes(), ['Healthy', 'RolledBack', 'RolledBack'])
  t.equal(world.ledger!.marks[crash.id]?.kind, 'bad')
})

t.test('T4: told to hold, a judged release stays; a revert in Git is released all the same', async t => {
  const world = settledWorld({ rollout: { onFailure: 'Hold' } })
  world.push(crash)
  world.minutes(1)
  t.ok(world.currentIs(crash))
  t.match(world.last.decision.why, { kind: 'failed', because: 'hold' })
  world.push(r1)
  world.minutes(2)
  t.ok(world.currentIs(r1))
  t.strictSame(world.outcomes(), ['Healthy', 'Failed', 'Healthy'])
})

t.test('T7: surroundings are tried again after 1, 5, 15 and 60 min, then they count as bad', async t => {
  const world = settledWorld({}, release(deployment('web', 'db:1', { replicas: 2 })))
  const dues: number[] = []
  world.onLook = ({ before, after }) => {
    for (const [id, mark] of Object.entries(after.marks)) {
      if (mark.at !== before.marks[id as never]?.at) dues.push(Math.round((mark.dueAt - mark.at) / 60_000))
    }
  }
  const next = release(deployment('web', 'never:2', { replicas: 2 }))
  world.push(next)
  for (let minute = 0; minute < 200; minute += 1) {
    const tried = world.ledger!.attempt
    const isUp = tried?.release === next.id && tried.outcome === null && tried.verdict === null
    world.weather.dbUp = !isUp || world.now - tried.times.applied < 2000
    world.seconds(60)
  }
  t.strictSame(dues.slice(0, 4), [1, 5, 15, 60])
  t.equal(world.ledger!.marks[next.id]?.kind, 'bad')
  t.equal(world.ledger!.marks[next.id]?.tries, 5)
})

t.test('T9: not automated, a candidate waits for a person', async t => {
  const world = settledWorld({ sync: { automated: false } })
  world.push(r2)
  world.minutes(2)
  t.ok(world.currentIs(r1))
  t.match(world.last.decision.why, { kind: 'waiting', for: 'sync' })
  world.sync()
  world.minutes(2)
  t.ok(world.currentIs(r2))
  t.match(world.ledger!.attempt, { cause: 'sync', outcome: 'Healthy' })
  t.strictSame(world.ledger!.requests, [])
})

t.test(
  'T10: what is under way begins no next wave while a newer release is in preflight; a hook that runs may finish',
  async t => {
    const world = settledWorld()
    world.push(release(web('good:2'), hook('migrate', 'long:1')))
    world.seconds(2)
    world.push(release(web('good:3')))
    world.seconds(5)
    t.match(world.last.decision.why, { kind: 'hookFirst' })
    t.strictSame(world.image(), ['good:1'], 'the migration runs, its release is not begun')
    world.minutes(3)
    t.strictSame(world.image(), ['good:3'])
    t.strictSame(world.outcomes(), ['Healthy', 'Superseded', 'Healthy'])
  },
)
