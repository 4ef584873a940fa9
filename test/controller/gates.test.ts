// What a release waits for before it begins: other applications and windows; and what a person's word changes.
import t from 'tap'
import type { Entry } from '../../controller/applications.js'
import { createGating } from '../../controller/gating.js'
import type { Health } from '../../controller/health/assess.js'
import { type Attempt, newLedger } from '../../controller/ledger.js'
import type { CommitSha } from '../../controller/release.js'
import { dependencyCycle, dependencyGates, type Standing } from '../../controller/rollout/gates.js'
import type { Gate } from '../../controller/rollout.js'
import { waitsOf } from '../../controller/waiting.js'
import { application } from '../support/controller.js'
import { candidate, configMap, deployment, rejection, release } from './builders.js'
import { World } from './world.js'

const r1 = release(deployment('db', 'good:1'))
const r2 = release(deployment('db', 'good:2'))
const well = { status: 'Healthy', message: '', fresh: true } as Health

/** `db` as it stands after its first release became healthy. */
function db(change: Partial<Standing> & { readonly attempt?: Partial<Attempt> } = {}): Standing {
  const world = new World()
  world.push(r1)
  world.minutes(2)
  const ledger = world.ledger!
  return {
    ledger: { ...ledger, attempt: { ...ledger.attempt!, ...change.attempt } },
    candidate: candidate(r1, 'c1'),
    health: well,
    tip: null,
    isObserved: false,
    ...change,
  }
}

t.test('an application is waited for until its newest is its healthy current', async t => {
  const pausedLedger = db().ledger
  const rows: readonly (readonly [string, Standing | null, RegExp | null])[] = [
    ['it is', db(), null],
    ['it is, and suspended', db({ health: { ...well, status: 'Suspended' } }), null],
    ['nobody declared it', null, /^db, which is not declared$/],
    [
      'it goes',
      db({ ledger: { ...pausedLedger, deletion: { by: { kind: 'user', name: 'a' }, at: 1, cascade: true } } }),
      /deleted/,
    ],
    ['nobody looked', db({ candidate: null }), /not looked at yet/],
    ['it does not render', db({ candidate: rejection('c2') }), /held: templates\/web.hbs:1:1: broken/],
    ['the push that moved both is not rendered there', db({ tip: 'c2' as CommitSha }), /commit c2 is not rendered yet/],
    ['the push that moved both is', db({ tip: 'c1' as CommitSha }), null],
    ['nothing of it runs', db({ ledger: newLedger({ name: 'db', uid: 'u' }, 'node/lab', 's') }), /does not run yet/],
    ['its newest is another', db({ candidate: candidate(r2, 'c2') }), /newest release does not run yet/],
    ['it bakes', db({ attempt: { outcome: null, message: 'healthy; baking for 30 s' } }), /being released: healthy; baking/],
    ['it is only observed, and well', db({ isObserved: true, candidate: candidate(r2, 'c2') }), null],
    [
      'it is only observed, and not',
      db({ isObserved: true, health: { ...well, status: 'Degraded', message: 'x' } }),
      /not healthy: x/,
    ],
    ['it failed', db({ attempt: { outcome: 'Failed', message: 'db: crashed' } }), /which failed: db: crashed/],
    ['it is unwell now', db({ health: { ...well, status: 'Degraded', message: 'db: 0 of 1 ready' } }), /not healthy: db: 0 of 1/],
    ['what is said of it is old', db({ health: { ...well, fresh: false } }), /not healthy/],
  ]
  for (const [name, standing, expected] of rows) {
    const [gate] = dependencyGates(['db'], () => standing)
    if (expected === null) t.equal(gate, undefined, name)
    else t.match(gate, { kind: 'dependency', application: 'db', message: expected, passesAsked: false }, name)
  }
})

t.test('a judged release of the other is named with its cause', async t => {
  const world = new World()
  world.push(r1)
  world.minutes(2)
  const crash = release(deployment('db', 'crash:2'))
  world.push(crash)
  world.minutes(2)

  const [gate] = dependencyGates(['db'], () => ({ ...db({ candidate: candidate(crash, 'c2') }), ledger: world.ledger! }))

  t.match(gate?.message, /whose newest release was judged: .*exited 1/)
})

t.test('applications that wait for each other are found, and named', async t => {
  const of = (name: string) => ({ a: ['b'], b: ['c', 'd'], c: [], d: ['b', 'e'], e: [] })[name] ?? []

  t.same(dependencyCycle('e', ['a'], of), ['e', 'a', 'b', 'd', 'e'])
  t.equal(dependencyCycle('x', ['a'], of), null)
  t.same(dependencyCycle('x', ['x'], of), ['x', 'x'])
})

const gate = (change: Partial<Gate>): Gate => ({
  kind: 'window',
  application: '',
  message: 'the next window',
  until: 0,
  passesAsked: false,
  ...change,
})

t.test('T9: gates hold a release back until the last of them is open; a rollback never waits for them', async t => {
  const world = new World()
  world.push(r1)
  world.minutes(2)
  world.gates = [gate({ until: world.now + 600_000 }), gate({ until: world.now + 60_000, message: 'an hour' })]
  world.push(r2)
  world.seconds(30)

  t.equal(world.last.decision.row.chosen, 'T9')
  t.match(world.last.decision.why, { kind: 'waiting', for: 'window', message: 'the next window; and for an hour' })
  t.equal(world.last.decision.wakeAt, world.gates[0]!.until, 'the last that opens')
  t.ok(world.currentIs(r1))
  world.gates = []
  world.minutes(20)
  t.ok(world.currentIs(r2))

  world.gates = [gate({})]
  world.rollback(r1)
  world.minutes(2)
  t.ok(world.currentIs(r1))
})

t.test('T9: what a person asks for passes a window that says so, and no other gate', async t => {
  const rows: readonly (readonly [readonly Gate[], boolean])[] = [
    [[gate({ passesAsked: true })], true],
    [[gate({})], false],
    [[gate({ passesAsked: true }), gate({ kind: 'dependency', application: 'db' })], false],
  ]
  for (const [gates, passes] of rows) {
    const world = new World({ sync: { automated: false } })
    world.gates = gates
    world.push(r1)
    world.seconds(10)
    t.match(world.last.decision.why, { kind: 'waiting', for: 'sync' })
    world.sync()
    world.minutes(2)
    t.equal(world.currentIs(r1), passes, JSON.stringify(gates))
  }
})

t.test('T9: a window that a person may pass holds back what comes by itself', async t => {
  const world = new World()
  world.gates = [gate({ passesAsked: true })]
  world.push(r1)
  world.minutes(2)
  t.match(world.last.decision.why, { kind: 'waiting', for: 'window' })
  t.equal(world.ledger!.current, null)
  world.sync()
  world.minutes(2)
  t.ok(world.currentIs(r1))
})

t.test(
  'J7: a closed window holds back what heals by itself, says so, and opens it again; a person passes where it says so',
  async t => {
    const take = (world: World) => {
      const { objects, generation } = world.document!
      world.document = { ...world.document!, generation: generation + 1, objects: objects.slice(1) }
    }
    for (const passesAsked of [false, true]) {
      const world = new World()
      world.push(release(deployment('web', 'good:1'), configMap('extra', 'x')))
      world.minutes(2)
      const until = world.now + 600_000
      world.gates = [gate({ until, passesAsked })]
      take(world)
      world.minutes(2)

      t.equal(world.objectNames().length, 1)
      t.equal(world.last.decision.row.judged, 'J7')
      t.equal(world.last.decision.wakeAt, until)
      const { waiting, gates } = waitsOf({ ...world.last, observed: {} }, world.ledger!, world.now)
      t.same([waiting, gates], ['', world.gates])

      world.sync()
      world.minutes(1)
      t.equal(world.objectNames().length, passesAsked ? 2 : 1, 'asked for')
      world.gates = []
      world.minutes(20)
      t.equal(world.objectNames().length, 2)
    }
  },
)

t.test('J7: nothing is healed by itself while what is to be left alone cannot be read', async t => {
  const world = new World()
  world.push(release(deployment('web', 'good:1'), configMap('extra', 'x')))
  world.minutes(2)
  const observe = world.observe.bind(world)
  world.observe = () => ({
    ...observe(),
    faults: ['spec.ignoreDifferences[0].jqPathExpressions[0]: jq expression ".[": syntax error'],
  })
  world.document = { ...world.document!, generation: world.document!.generation + 1, objects: world.document!.objects.slice(1) }
  world.minutes(5)
  t.equal(world.objectNames().length, 1)
  world.observe = observe
  world.push(world.releases.values().next().value!)
  world.minutes(5)
  t.equal(world.objectNames().length, 2)
})

t.test('whom a change of an application lets go on follows what the others say now', async t => {
  const entries = new Map<string, Entry>()
  const declare = (name: string, dependsOn: readonly string[]) =>
    void entries.set(name, { app: application({ name, dependsOn }) } as unknown as Entry)
  const applications = { get: (name: string) => entries.get(name) ?? null, all: () => [...entries.values()] }
  declare('db', [])
  declare('web', ['db', 'cache'])
  const gating = createGating({ applications, projectWindows: () => [] })

  t.same(gating.dependentsOf('db'), ['web'], 'declared before anybody asked')
  declare('jobs', ['db'])
  gating.dependentsOf('jobs')
  t.same(gating.dependentsOf('db'), ['web', 'jobs'])
  declare('web', ['cache'])
  gating.dependentsOf('web')
  t.same(gating.dependentsOf('db'), ['jobs'])
  t.same(gating.dependentsOf('cache'), ['web'])
  entries.delete('jobs')
  gating.dependentsOf('jobs')
  t.same(gating.dependentsOf('db'), [])
})
