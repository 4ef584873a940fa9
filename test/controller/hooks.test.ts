// Which hooks run when: Argo CD's in their phases, Helm's with Helm's meaning, tests when asked, those of a deletion around it; and what
// becomes of work that goes on for a release that was left.
import t from 'tap'
import { eventsBetween } from '../../controller/events.js'
import { newLedger } from '../../controller/ledger.js'
import { type Occasion, phasesOn } from '../../controller/release/hooks.js'
import { occasionOf } from '../../controller/rollout/occasion.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { configMap, deployment, hook, job, release, wave } from './builders.js'
import { World } from './world.js'

const web = (image: string) => deployment('web', image)
const helm = (name: string, words: string, image = 'ok:1', more: Readonly<Record<string, string>> = {}) =>
  job(name, image, { annotations: { 'helm.sh/hook': words, ...more } })

/** `apply migrate-presync-1`, `prune old`, as they come. */
function steps(world: World): readonly string[] {
  const seen: string[] = []
  world.onLook = ({ step }) => {
    if (step.kind === 'apply') seen.push(`apply ${step.objects.map(object => object.metadata.name).join('+')}`)
    else if (step.kind === 'prune') seen.push(`prune ${step.refs.map(ref => ref.name).join('+')}`)
    else if (step.kind === 'remove' || step.kind === 'forget') seen.push(step.kind)
  }
  return seen
}

t.test('the phases of a hook on each occasion', async t => {
  const argo = 'argocd.argoproj.io/hook'
  type Row = readonly [Readonly<Record<string, string>>, Partial<Record<Occasion, readonly string[]>>]
  const table: readonly Row[] = [
    [{ 'helm.sh/hook': 'pre-install' }, { install: ['PreSync'], any: ['PreSync'] }],
    [{ 'helm.sh/hook': 'post-upgrade' }, { upgrade: ['PostSync'], any: ['PostSync'] }],
    [
      { 'helm.sh/hook': 'pre-install,pre-upgrade,pre-rollback' },
      { install: ['PreSync'], upgrade: ['PreSync'], rollback: ['PreSync'], any: ['PreSync'] },
    ],
    [{ 'helm.sh/hook': 'post-rollback' }, { rollback: ['PostSync'] }],
    [
      { 'helm.sh/hook': 'post-install, pre-delete' },
      { install: ['PostSync'], delete: ['PreDelete'], any: ['PostSync', 'PreDelete'] },
    ],
    [{ 'helm.sh/hook': 'post-delete' }, { delete: ['PostDelete'], any: ['PostDelete'] }],
    [{ 'helm.sh/hook': 'test' }, { install: ['Test'], upgrade: ['Test'] }],
    [{ 'helm.sh/hook': 'test-success' }, { install: ['Test'], upgrade: ['Test'] }],
    [{ 'helm.sh/hook': 'unheard-of' }, {}],
    [
      { [argo]: 'PreSync,PostDelete' },
      { install: ['PreSync'], upgrade: ['PreSync'], delete: ['PostDelete'], any: ['PreSync', 'PostDelete'] },
    ],
    [
      { [argo]: 'PostSync', 'helm.sh/hook': 'pre-install' },
      { install: ['PostSync'], upgrade: ['PostSync'], any: ['PostSync'] },
    ],
    [
      { [argo]: 'PreSync', 'slipway.dev/on-rollback': 'true' },
      { rollback: ['PreSync'], any: ['PreSync'] },
    ],
    [{ [argo]: 'Skip' }, {}],
  ]
  for (const [annotations, expected] of table)
    for (const occasion of ['install', 'upgrade', 'rollback', 'delete', 'any'] as const)
      t.same(
        phasesOn(job('x', 'ok:1', { annotations }), occasion),
        expected[occasion] ?? [],
        `${JSON.stringify(annotations)} ${occasion}`,
      )
})

t.test('an install runs install hooks until one release was healthy; from then on upgrades run', async t => {
  const hooks = [helm('first', 'pre-install'), helm('later', 'pre-upgrade'), helm('each', 'post-install,post-upgrade')]
  const world = new World()
  const seen = steps(world)
  world.push(release(web('crash:1'), ...hooks))
  world.minutes(10)
  t.equal(world.ledger!.attempt?.outcome, 'Failed')
  world.push(release(web('good:2'), ...hooks))
  world.minutes(2)
  world.push(release(web('good:3'), ...hooks))
  world.minutes(2)

  const begun = seen.filter(step => /apply (first|later|each)/.test(step))
  t.same(begun, [
    'apply first-presync-1',
    'apply first-presync-2',
    'apply each-postsync-2',
    'apply later-presync-3',
    'apply each-postsync-3',
  ])
})

t.test('a release that was healthy once is an install that was done, whatever became of it', async t => {
  const r1 = release(web('good:1'))
  const world = new World()
  world.push(r1)
  world.minutes(2)
  const { app } = world
  const observed = world.observe()
  const installs = (change: object) => occasionOf({ app, observed }, { ...world.ledger!, ...change }, r1).installs

  t.equal(installs({ good: [] }), false, 'judged since')
  t.equal(installs({ good: [], installed: undefined }), true, 'of an older ledger, and nothing good')
  t.equal(installs({ installed: undefined }), false, 'of an older ledger, and something good')
  t.equal(occasionOf({ app, observed }, newLedger(app, 'node/lab', 's'), r1).installs, false, 'its objects are there')
  t.equal(occasionOf({ app, observed: { ...observed, objects: [] } }, newLedger(app, 'node/lab', 's'), r1).installs, true)
})

t.test('what ran before it is upgraded, not installed', async t => {
  const world = new World()
  const seen = steps(world)
  const first = release(web('good:1'), helm('first', 'pre-install'), helm('later', 'pre-upgrade'))
  world.push(first)
  const observe = world.observe.bind(world)
  const there = { ref: { group: 'apps', kind: 'Deployment', namespace: 'shop', name: 'web' }, hash: '', status: {}, attempt: 0 }
  world.observe = () => {
    const seenNow = observe()
    return seenNow.objects.length === 0 ? { ...seenNow, objects: [there as never] } : seenNow
  }
  world.minutes(2)

  t.same(
    seen.filter(step => /first|later/.test(step)),
    ['apply later-presync-1'],
  )
})

t.test('tests run after all else is healthy, when asked, and a failed one condemns', async t => {
  const tested = (image: string, test: string) => release(web(image), helm('smoke', 'test', test), helm('after', 'post-upgrade'))
  const silent = new World()
  const unasked = steps(silent)
  silent.push(tested('good:1', 'fail:1'))
  silent.minutes(2)
  t.notOk(unasked.some(step => step.includes('smoke')))
  t.equal(silent.ledger!.attempt?.outcome, 'Healthy')

  const world = new World({ rollout: { tests: 'Run' } })
  const seen = steps(world)
  world.push(tested('good:1', 'ok:1'))
  world.minutes(2)
  world.push(tested('good:2', 'fail:1'))
  world.minutes(2)
  t.same(
    seen.filter(step => !step.startsWith('prune')),
    ['apply web', 'apply smoke-test-1', 'apply web', 'apply after-postsync-2', 'apply smoke-test-2', 'apply web'],
  )
  t.equal(world.ledger!.attempt?.outcome, 'RolledBack')
  t.match(world.ledger!.attempt?.verdict, { sign: 'HookFailed', message: /Test hook Job shop\/smoke-test-2 failed/ })

  const asked = new World({ sync: { automated: false } })
  const once = steps(asked)
  asked.push(tested('good:1', 'ok:1'))
  asked.sync({ tests: true })
  asked.minutes(2)
  t.ok(once.includes('apply smoke-test-1'), 'a person asked for them')
})

t.test("Helm's hooks of one weight run one after the other, by name; Argo CD's together", async t => {
  const world = new World()
  const seen = steps(world)
  world.push(
    release(
      web('good:1'),
      helm('b', 'pre-install'),
      helm('a', 'pre-install'),
      hook('c', 'ok:1', 'PostSync'),
      hook('d', 'ok:1', 'PostSync'),
      helm('f', 'pre-delete'),
      helm('e', 'pre-delete'),
    ),
  )
  world.minutes(2)
  t.same(seen, ['apply a-presync-1', 'apply b-presync-1', 'apply web', 'apply c-postsync-1+d-postsync-1'])
  t.equal(world.ledger!.attempt?.outcome, 'Healthy')
  world.delete()
  world.minutes(1)
  t.same(seen.slice(4), ['apply e-predelete-2', 'apply f-predelete-2', 'remove', 'forget'])
})

t.test('a rollback runs Helm rollback hooks of the release gone back to', async t => {
  const hooks = [helm('undo', 'pre-rollback'), helm('both', 'pre-upgrade,post-rollback')]
  const world = new World()
  world.push(release(web('good:1'), ...hooks))
  world.minutes(2)
  const seen = steps(world)
  world.push(release(web('crash:2'), ...hooks))
  world.minutes(2)

  t.equal(world.ledger!.attempt?.outcome, 'RolledBack')
  t.same(
    seen.filter(step => step.startsWith('apply')),
    ['apply both-presync-2', 'apply web', 'apply undo-presync-2', 'apply web', 'apply both-postsync-2'],
  )
})

t.test('a failed hook says nothing of the release gone back to, although that has never baked', async t => {
  const world = new World()
  const r1 = release(web('good:1'))
  world.push(r1)
  world.seconds(10)
  t.equal(world.ledger!.attempt?.step.name, 'Baking')
  world.push(release(web('good:2'), hook('migrate', 'fail:1')))
  world.minutes(3)

  t.ok(world.currentIs(r1))
  t.equal(world.ledger!.marks[r1.id], undefined)
  t.equal(world.ledger!.attempt?.outcome, 'RolledBack')
})

t.test('going back, hooks and Jobs of the failed release are stopped first; what stays is said', async t => {
  const world = new World()
  const kept = { annotations: { 'slipway.dev/keep-forward': 'true' } }
  world.push(release(web('good:1'), configMap('schema', '1', kept)))
  world.minutes(2)
  const seen = steps(world)
  world.push(
    release(
      web('crash:2'),
      configMap('schema', '2', kept),
      configMap('notes', '1', kept),
      job('import', 'long:1'),
      hook('warm', 'long:1', 'Sync'),
    ),
  )
  world.minutes(3)

  const stopped = seen.findIndex(step => step.startsWith('prune') && step.includes('import') && step.includes('warm-sync-2'))
  t.ok(stopped >= 0, seen.join(', '))
  t.ok(seen.lastIndexOf('apply web') > stopped, 'before the good release comes back')
  const { attempt } = world.ledger!
  t.equal(attempt?.outcome, 'RolledBack')
  t.match(
    attempt?.message,
    /^went back to r1; left as the newer release has them: ConfigMap shop\/notes, ConfigMap shop\/schema$/,
  )
  t.ok(attempt?.moves.some(move => /^stopped before going on: .*Job import/.test(move.message)))
})

t.test('a hook that goes on for a superseded attempt is stopped before the next begins', async t => {
  const world = new World()
  world.push(release(web('good:1')))
  world.minutes(2)
  const seen = steps(world)
  world.push(release(web('good:2'), hook('slow', 'long:1', 'PreSync', { 'slipway.dev/interruptible': 'true' })))
  world.seconds(5)
  world.push(release(web('good:3')))
  world.minutes(2)

  t.same(seen.slice(0, 3), ['apply slow-presync-2', 'prune slow-presync-2', 'apply web'])
  t.equal(world.ledger!.attempt?.outcome, 'Healthy')
})

t.test(
  'a hook that is to go by itself once it has ended goes when its release is healthy: how it ended is seen first',
  async t => {
    const migrate = hook('migrate', 'ok:1')
    const quick = { ...migrate, spec: { ...(migrate.spec as object), ttlSecondsAfterFinished: 0 } }
    const world = new World()
    world.push(release(web('good:1'), quick))
    world.seconds(10)
    const sent = world.document?.objects.find(({ kind }) => kind === 'Job')
    t.equal(sent?.metadata.name, 'migrate-presync-1')
    t.notMatch(JSON.stringify(sent), /ttlSecondsAfterFinished/)
    world.minutes(2)
    t.equal(world.ledger!.attempt?.outcome, 'Healthy')
    t.same(world.objectNames(), ['web'])
  },
)

// -- deletion --

function deleted(...objects: readonly Manifest[]): { readonly world: World; readonly seen: readonly string[] } {
  const world = new World({ rollout: { healthTimeoutMs: 20_000 } })
  world.push(release(...objects))
  world.minutes(2)
  const seen = steps(world)
  world.delete()
  return { world, seen }
}

t.test('a deletion without hooks and waves ends all at once', async t => {
  const { world, seen } = deleted(web('good:1'), configMap('settings', 'x'))
  world.seconds(20)

  t.same(seen, ['remove', 'forget'])
})

t.test('a deletion of several waves ends the highest first, hooks or none', async t => {
  const { world, seen } = deleted(web('good:1'), configMap('first', 'x', wave(-1)), configMap('last', 'x', wave(5)))
  world.seconds(20)

  t.same(seen, ['prune last', 'prune web', 'remove', 'forget'])
})

t.test('PreDelete hooks by wave, the objects from the highest wave down, PostDelete hooks, the end', async t => {
  const delWave = { 'argocd.argoproj.io/sync-wave': '2' }
  const { world, seen } = deleted(
    web('good:1'),
    configMap('first', 'x', wave(-1)),
    configMap('last', 'x', wave(5)),
    hook('drain', 'ok:1', 'PreDelete'),
    hook('backup', 'ok:1', 'PreDelete', delWave),
    helm('clean', 'post-delete'),
  )
  world.minutes(3)

  t.same(seen, [
    'apply drain-predelete-2',
    'apply backup-predelete-2',
    'prune last',
    'prune web',
    'prune first',
    'apply clean-postdelete-2',
    'remove',
    'forget',
  ])
})

t.test('what a deletion does is told, each once', async t => {
  const { world } = deleted(web('good:1'), configMap('last', 'x', wave(5)), hook('backup', 'ok:1', 'PreDelete'))
  const told = new Map<string, string>()
  world.onLook = ({ before, after, decision, now }) => {
    for (const { id, what, message } of eventsBetween(before, after, decision.ended, now))
      if (what === 'deleting') told.set(id, message)
  }
  world.minutes(2)

  t.same(
    [...told.values()],
    [
      'PreDelete hook Job shop/backup-predelete-2 runs',
      'PreDelete hook Job shop/backup-predelete-2 has ended',
      'Ending ConfigMap shop/last',
    ],
  )
})

t.test('a failed PreDelete hook holds the deletion until a person has it run again, or leaves it out', async t => {
  const { world, seen } = deleted(web('good:1'), hook('backup', 'fail:1', 'PreDelete'))
  world.minutes(1)

  t.same(seen, ['apply backup-predelete-2'])
  t.match(world.last.decision.why, {
    kind: 'deleting',
    isStuck: true,
    message: 'PreDelete hook Job shop/backup-predelete-2 failed',
  })
  t.same(world.image(), ['good:1'], 'what runs was not touched')
  world.ask(ledger => ({ ...ledger, deletion: { ...ledger.deletion!, round: 1 } }))
  world.minutes(1)
  t.same(seen.slice(1), ['apply backup-predelete-3'])
  world.ask(ledger => ({ ...ledger, deletion: { ...ledger.deletion!, skipHooks: true } }))
  world.minutes(1)
  t.same(seen.slice(2), ['remove', 'forget'])
})

t.test('a PreDelete hook that never ends holds it too, from its deadline on', async t => {
  const { world } = deleted(web('good:1'), hook('backup', 'long:1', 'PreDelete'))
  world.seconds(10)
  t.match(world.last.decision.why, { isStuck: false, message: 'PreDelete: Job shop/backup-predelete-2' })
  world.seconds(15)
  t.match(world.last.decision.why, { isStuck: true, message: /backup-predelete-2 did not end in 20 s/ })
})

t.test('deleted in mid-rollout, its hook is stopped before those of the deletion begin', async t => {
  const world = new World()
  world.push(release(web('good:1')))
  world.minutes(2)
  const seen = steps(world)
  world.push(release(web('good:1'), hook('slow', 'long:1'), hook('backup', 'ok:1', 'PreDelete')))
  world.seconds(5)
  world.delete()
  world.minutes(1)

  t.same(seen, ['apply slow-presync-2', 'prune slow-presync-2', 'apply backup-predelete-3', 'remove', 'forget'])
})

t.test('the controller is killed at each write of a deletion: each hook runs once, and the end is the same', async t => {
  for (let write = 0; write < 6; write += 1)
    for (const crash of ['beforePlace', 'afterPlace'] as const) {
      const { world } = deleted(
        web('good:1'),
        configMap('last', 'x', wave(5)),
        hook('backup', 'ok:1', 'PreDelete'),
        hook('clean', 'ok:1', 'PostDelete'),
      )
      let count = 0
      world.onLook = () => {
        count += 1
        if (count === write * 2 + 1) world.crashNext = crash
      }
      world.minutes(3)
      t.ok(world.forgotten, `${crash} ${write}`)
      const begun = world.looks.flatMap(({ step }) =>
        step.kind === 'apply' ? step.hooks.map(one => one.object.metadata.name) : [],
      )
      t.same(new Set(begun).size, 2, `${crash} ${write}: under one name each`)
    }
})
