// The sequences of release.md that must come out right, each in the toy world.
import t from 'tap'
import { configMap, deployment, hook, release, service } from './builders.js'
import { World } from './world.js'

const web = (image: string) => deployment('web', image)
const r1 = release(web('good:1'))
const crash = release(web('crash:2'))
const r3 = release(web('good:3'))

/** A world in which r1 is released, healthy and baked. */
function settledWorld(change: ConstructorParameters<typeof World>[0] = {}, first = r1): World {
  const world = new World(change)
  world.push(first)
  world.minutes(2)
  return world
}

t.test('1. a bad release is rolled back and remembered, a revert is healthy at once, a fix is released', async t => {
  const world = settledWorld()
  t.strictSame(world.outcomes(), ['Healthy'])

  world.push(crash)
  world.seconds(20)
  t.ok(world.currentIs(r1))
  t.strictSame(world.outcomes(), ['Healthy', 'RolledBack'])
  t.equal(world.ledger!.marks[crash.id]?.kind, 'bad')
  t.match(world.ledger!.attempt?.verdict, { sign: 'CrashLoop', exitCode: 1, container: 'web', log: ['Error: boom'] })
  t.strictSame(world.image(), ['good:1'])

  const starts = world.place.starts.length
  world.push(crash)
  world.minutes(30)
  t.equal(world.place.starts.length, starts, 'an unrelated commit starts nothing')
  t.strictSame(world.outcomes(), ['Healthy', 'RolledBack'])

  world.push(r1)
  world.seconds(1)
  t.strictSame(world.outcomes(), ['Healthy', 'RolledBack', 'Healthy'])
  t.equal(world.place.starts.length, starts, 'nothing is restarted')

  world.push(r3)
  world.minutes(2)
  t.strictSame(world.outcomes(), ['Healthy', 'RolledBack', 'Healthy', 'Healthy'])
  t.strictSame(world.image(), ['good:3'])
})

t.test('2. a bad release is judged and rolled back although the next commit does not render', async t => {
  const world = settledWorld()
  world.push(crash)
  world.seconds(1)
  world.push('broken')
  world.seconds(30)

  t.ok(world.currentIs(r1))
  t.strictSame(world.outcomes(), ['Healthy', 'RolledBack', 'Held'])
})

t.test(
  '3. a release under way is superseded by the next one after its preflight; back goes to what had become healthy',
  async t => {
    for (const [seconds, back] of [
      [1, r1],
      [10, r3],
    ] as const) {
      const world = settledWorld()
      world.push(r3)
      world.seconds(seconds === 1 ? 0.6 : seconds)
      t.ok(world.currentIs(r3))
      const bad = release(web('crash:9'))
      world.push(bad)
      world.minutes(3)

      t.ok(world.currentIs(back), `back to what was good after ${seconds} s`)
      t.strictSame(world.outcomes(), ['Healthy', 'Superseded', 'RolledBack'])
      t.equal(world.ledger!.good.find(good => good.release === back.id)?.baked, true, 'it bakes if it never did')
    }
  },
)

t.test('4. a rollback goes on while the next release waits for its image, which then goes forward from there', async t => {
  const world = settledWorld()
  world.push(crash)
  world.seconds(5)
  const late = release(web('missing:3'))
  world.push(late)
  world.minutes(60)
  t.ok(world.currentIs(r1))
  t.strictSame(world.outcomes(), ['Healthy', 'RolledBack', 'Held'])

  world.weather.missingThere = true
  world.minutes(10)
  t.ok(world.currentIs(late))
  t.strictSame(world.outcomes(), ['Healthy', 'RolledBack', 'Healthy'])

  world.push(release(web('crash:4')))
  world.minutes(2)
  t.ok(world.currentIs(late))
  world.push(release(web('oom:5')))
  world.minutes(2)
  t.equal(world.ledger!.attempt?.verdict?.sign, 'OOMKilled')
  t.equal(world.ledger!.attempt?.verdict?.limit, 'memory limit 64Mi')
})

t.test('5. a rollback that does not become healthy has failed; the next release is tried', async t => {
  const onDb = release(deployment('web', 'db:1', { recreate: true }))
  const world = settledWorld({}, onDb)
  world.push(release(deployment('web', 'crash:2', { recreate: true })))
  world.seconds(3)
  world.weather.dbUp = false
  world.minutes(12)
  t.ok(world.currentIs(onDb))
  t.strictSame(world.outcomes(), ['Healthy', 'Failed'])
  t.equal(world.last.health.status, 'Degraded')

  world.push(r3)
  world.minutes(3)
  t.ok(world.currentIs(r3))
  t.strictSame(world.outcomes(), ['Healthy', 'Failed', 'Healthy'])
})

t.test('5b. it turns healthy by itself: rolled back after all', async t => {
  const onDb = release(deployment('web', 'db:1', { recreate: true }))
  const world = settledWorld({}, onDb)
  world.push(release(deployment('web', 'crash:2', { recreate: true })))
  world.seconds(3)
  world.weather.dbUp = false
  world.minutes(12)
  world.weather.dbUp = true
  world.minutes(5)
  t.strictSame(world.outcomes(), ['Healthy', 'RolledBack'])
})

t.test(
  '6. a first release that fails is left, and is healthy when it recovers by itself; the next one is released over it',
  async t => {
    const world = new World()
    const heals = release(web('heals:1'))
    world.push(heals)
    world.minutes(10)
    t.strictSame(world.outcomes(), ['Failed'])
    t.ok(world.currentIs(heals))

    world.weather.healed = true
    world.minutes(2)
    t.strictSame(world.outcomes(), ['Healthy'])
    t.strictSame(world.ledger!.marks, {})

    const other = new World()
    other.push(crash)
    other.minutes(10)
    other.push(r3)
    other.minutes(2)
    t.strictSame(other.outcomes(), ['Failed', 'Healthy'])
  },
)

t.test('7. of fifty pushes in a minute the last one ends healthy and nothing is left over', async t => {
  const world = settledWorld()
  for (let push = 0; push < 50; push += 1) {
    world.push(release(web(`good:${push + 10}`), configMap(`extra-${push}`, 'x')))
    world.seconds(1.2)
  }
  world.minutes(3)

  t.strictSame(world.image(), ['good:59'])
  t.strictSame(world.objectNames(), ['extra-49', 'web'])
  const outcomes = world.outcomes()
  t.equal(outcomes.at(-1), 'Healthy')
  t.equal(
    outcomes.slice(1, -1).every(outcome => outcome === 'Superseded'),
    true,
  )
  t.equal(world.ledger!.trying, null)
})

t.test('8. a silent node is not judged; what it reports afterwards is', async t => {
  const world = settledWorld()
  world.push(crash)
  world.seconds(1)
  world.silence()
  world.minutes(20)
  t.strictSame(world.outcomes(), ['Healthy'], 'no verdict')
  t.equal(world.last.health.status, 'Unknown')
  world.hear()
  world.seconds(30)
  t.strictSame(world.outcomes(), ['Healthy', 'RolledBack'])

  const other = settledWorld()
  other.silence()
  other.push(r3)
  other.minutes(20)
  other.hear()
  other.minutes(2)
  t.strictSame(other.outcomes(), ['Healthy', 'Healthy'], 'having obeyed nothing, it obeys the newest')
})

t.test('10. a registry that is busy holds a release; during the rollout the surroundings are blamed', async t => {
  const world = settledWorld()
  world.weather.registryBusy = true
  world.push(r3)
  world.minutes(8)
  t.strictSame(world.outcomes(), ['Healthy', 'Held'])
  t.ok(world.currentIs(r1))
  world.weather.registryBusy = false
  world.minutes(8)
  t.strictSame(world.outcomes(), ['Healthy', 'Healthy'])
})

t.test(
  '11. while the database is down nothing is judged at once; at the health timeout the surroundings are blamed and it is tried again',
  async t => {
    const first = release(deployment('web', 'db:1', { replicas: 2 }))
    const world = settledWorld({}, first)
    world.push(release(deployment('web', 'db:2', { replicas: 2 })))
    world.seconds(0.5)
    world.weather.dbUp = false
    world.minutes(4)
    t.strictSame(world.outcomes(), ['Healthy'], 'no verdict yet')
    world.minutes(1.3)
    t.equal(world.ledger!.attempt?.verdict?.kind, 'surroundings')
    world.weather.dbUp = true
    world.minutes(4)
    t.strictSame(world.outcomes().slice(0, 3), ['Healthy', 'RolledBack', 'Healthy'])
    t.strictSame(world.image(), ['db:2', 'db:2'])
  },
)

t.test('11b. the database is back before the health timeout: what ended meanwhile says nothing, and it is released', async t => {
  const first = release(deployment('web', 'db:1', { replicas: 2 }))
  const world = settledWorld({}, first)
  world.push(release(deployment('web', 'db:2', { replicas: 2 })))
  world.seconds(0.5)
  world.weather.dbUp = false
  world.minutes(2)
  world.weather.dbUp = true
  world.minutes(3)

  t.strictSame(world.outcomes(), ['Healthy', 'Healthy'])
})

t.test('11c. a crash loop beside a moment of trouble is judged once that is over, long before the health timeout', async t => {
  const world = settledWorld({}, release(deployment('web', 'db:1')))
  world.push(release(deployment('web', 'crash:2')))
  world.seconds(0.7)
  world.weather.dbUp = false
  world.seconds(2)
  world.weather.dbUp = true
  world.minutes(1.5)

  t.strictSame(world.outcomes(), ['Healthy', 'RolledBack'])
  t.match(world.history.get(2)?.at(-1)?.verdict, { sign: 'CrashLoop', kind: 'bad' })
})

t.test('11d. with a habit of fast releases: what the outage took is not held against a release', async t => {
  const world = settledWorld({}, release(deployment('web', 'db:1')))
  for (let push = 2; push <= 5; push += 1) {
    world.push(release(deployment('web', `db:${push}`)))
    world.minutes(2)
  }
  const outage = () => {
    world.seconds(0.5)
    world.weather.dbUp = false
    world.minutes(1)
    world.weather.dbUp = true
  }
  world.push(release(deployment('web', 'never:6')))
  outage()
  world.seconds(35)
  t.equal(world.ledger!.attempt?.verdict, null, 'it is given its time from when all was well again')
  world.seconds(15)
  t.match(world.ledger!.attempt?.verdict, { sign: 'NeverReady', kind: 'bad' }, 'and no longer than that')

  world.push(release(deployment('web', 'heals:7')))
  outage()
  world.seconds(30)
  world.weather.healed = true
  world.minutes(2)
  t.equal(world.outcomes().at(-1), 'Healthy')
  t.ok(
    Object.values(world.ledger!.readyTimes).every(times => times.every(ms => ms < 30_000)),
    'what the outage took is no habit',
  )
})

t.test(
  '12. a rollback by hand pins until other content comes; a pause stops a rollback where it is; a retry is fresh',
  async t => {
    const world = settledWorld()
    world.push(r3)
    world.minutes(2)
    world.rollback(r1)
    world.minutes(2)
    t.ok(world.currentIs(r1))
    t.equal(world.last.decision.row.chosen, 'T5')
    world.push(r3)
    world.minutes(2)
    t.ok(world.currentIs(r1), 'an unrelated commit changes nothing')
    world.push('broken')
    world.minutes(2)
    t.ok(world.currentIs(r1))
    const r4 = release(web('good:4'))
    world.push(r4)
    world.minutes(2)
    t.ok(world.currentIs(r4))
    t.equal(world.ledger!.pin, null)
    t.strictSame(world.outcomes(), ['Healthy', 'Healthy', 'Healthy', 'Healthy'])

    const paused = settledWorld()
    paused.push(crash)
    paused.seconds(1)
    paused.pause()
    paused.minutes(10)
    t.ok(paused.currentIs(crash))
    t.equal(paused.ledger!.attempt?.verdict?.sign, 'CrashLoop', 'a sign that needs no clock is judged')
    t.match(paused.last.decision.why, { kind: 'paused', would: { kind: 'goingBack' } })
    paused.resume()
    paused.minutes(1)
    t.strictSame(paused.outcomes(), ['Healthy', 'RolledBack'])

    const failed = new World()
    failed.push(crash)
    failed.minutes(10)
    const starts = failed.place.starts.length
    failed.retry()
    failed.seconds(1)
    t.equal(failed.place.starts.length, starts + 1, 'fresh pods')
    t.equal(failed.ledger!.attempt?.number, 2)
    t.equal(failed.ledger!.attempt?.outcome, null)
  },
)

t.test('13. an application deleted in mid-rollout is superseded and ended', async t => {
  const world = settledWorld()
  world.push(crash)
  world.seconds(1)
  world.delete()
  world.seconds(5)
  t.strictSame(world.outcomes(), ['Healthy', 'Superseded'])
  t.strictSame(world.objectNames(), [])
  t.ok(world.forgotten)
})

t.test('14. after a changed migration the old code is not started again, unless its pods still serve', async t => {
  const world = settledWorld()
  world.push(release(web('crash:2'), hook('migrate', 'ok:2')))
  world.minutes(2)
  t.strictSame(world.outcomes(), ['Healthy', 'RolledBack'], 'the old pods still serve')

  const recreate = (image: string) => deployment('web', image, { recreate: true })
  const barred = settledWorld({}, release(recreate('good:1')))
  barred.push(release(recreate('crash:2'), hook('migrate', 'ok:2')))
  barred.minutes(10)
  t.strictSame(barred.outcomes(), ['Healthy', 'Failed'])
  t.match(barred.last.decision.why, { kind: 'failed', because: 'barrier' })
  barred.rollback(release(recreate('good:1')))
  barred.minutes(2)
  t.strictSame(barred.image(), ['good:1'], "a person's word passes")

  const unchanged = settledWorld({}, release(recreate('good:1'), hook('migrate', 'ok:1')))
  unchanged.push(release(recreate('crash:2'), hook('migrate', 'ok:1')))
  unchanged.minutes(2)
  t.strictSame(unchanged.outcomes(), ['Healthy', 'RolledBack'], 'an unchanged job is no barrier')
})

t.test('15. going back runs the image that ran then, although its tag has moved', async t => {
  const world = settledWorld({}, release(deployment('web', 'good:1', { recreate: true })))
  world.weather.tag = 'd2'
  world.push(release(deployment('web', 'crash:2', { recreate: true })))
  world.minutes(2)
  t.strictSame(world.outcomes(), ['Healthy', 'RolledBack'])
  t.strictSame(world.place.digestsRunning(), ['good:1@d1'])
})

t.test('16. a node port that moves to another Service is taken stop-first, and back again', async t => {
  const world = settledWorld({}, release(web('good:1'), service('old', 30_080)))
  world.push(release(web('good:2'), service('new', 30_080)))
  world.minutes(2)
  t.strictSame(world.objectNames(), ['new', 'web'])
  t.ok(
    world.history
      .get(2)
      ?.at(-1)
      ?.moves.some(move => move.message.startsWith('stop-first')),
  )

  world.push(release(web('crash:3'), service('newer', 30_080)))
  world.minutes(2)
  t.strictSame(world.outcomes(), ['Healthy', 'Healthy', 'RolledBack'])
  t.strictSame(world.objectNames(), ['new', 'web'])
})

/** 9 and 17: the same stories with the controller killed at each write, and with the store wiped in the middle. */
const stories: Readonly<Record<string, (world: World) => void>> = {
  'bad and back': world => {
    world.push(crash)
    world.minutes(3)
  },
  'with hooks and waves': world => {
    world.push(release(web('good:5'), hook('migrate', 'ok:5'), hook('smoke', 'ok:5', 'PostSync'), configMap('extra', 'x')))
    world.minutes(3)
    world.push(release(web('crash:6'), hook('migrate', 'ok:6')))
    world.minutes(3)
  },
  superseded: world => {
    world.push(r3)
    world.seconds(1.5)
    world.push(release(web('good:7')))
    world.minutes(3)
  },
}

for (const [name, story] of Object.entries(stories)) {
  t.test(`9. the controller killed at every write of "${name}" comes to the same end`, async t => {
    const calm = settledWorld()
    let writes = 0
    calm.onLook = look => {
      if (look.step.kind !== 'none') writes += 1
    }
    story(calm)
    for (const crashAt of ['beforePlace', 'afterPlace'] as const) {
      for (let write = 0; write < writes; write += 1) {
        const world = settledWorld()
        let seen = 0
        world.onLook = look => {
          if (look.step.kind !== 'none' && ++seen === write) world.crashNext = crashAt
        }
        if (write === 0) world.crashNext = crashAt
        story(world)
        world.minutes(5)
        t.strictSame(world.image(), calm.image(), `${crashAt} ${write}`)
        t.strictSame(world.objectNames(), calm.objectNames())
        t.strictSame(
          [...world.history.values()].map(all => all.length).every(count => count <= 2),
          true,
        )
        t.strictSame(world.outcomes(), calm.outcomes(), `${crashAt} ${write}: one line of history each`)
      }
    }
  })

  t.test(`17. the store wiped in the middle of "${name}": the ledger is read back from the place`, async t => {
    const calm = settledWorld()
    story(calm)
    for (let at = 0; at < 30; at += 1) {
      const world = settledWorld()
      let left = at
      world.onLook = look => {
        if (look.step.kind !== 'none' && left-- === 0) world.wipeSoon = true
      }
      story(world)
      world.minutes(5)
      t.strictSame(world.image(), calm.image(), `wiped after write ${at}`)
      t.equal(world.ledger!.attempt?.outcome, calm.ledger!.attempt?.outcome)
    }
  })
}

t.test(
  'what is not to be pruned, or not to be taken back, stays, however long ago the release that had it was forgotten',
  async t => {
    const never = { annotations: { 'argocd.argoproj.io/sync-options': 'Prune=false' } }
    const world = settledWorld({}, release(web('good:1'), configMap('ours', 'x', never), configMap('other', 'x')))
    for (let push = 2; push < 16; push += 1) {
      world.push(release(web(`good:${push}`)))
      world.minutes(2)
    }
    t.strictSame(world.objectNames(), ['ours', 'web'])

    const forward = { annotations: { 'slipway.dev/keep-forward': 'true' } }
    world.push(release(web('slow:16'), configMap('schema', 'x', forward), configMap('extra', 'x')))
    world.seconds(3)
    world.push(release(web('crash:17')))
    world.minutes(2)
    t.match(world.ledger!.attempt, { outcome: 'RolledBack' })
    t.strictSame(world.objectNames(), ['ours', 'schema', 'web'])
  },
)
