// The sync engine on a real API server, by what people declare and ask: applications that wait for each other, Helm's hooks, hooks of a
// deletion, some objects only, objects that two claim, and what stays when a release is gone back from.
import t from 'tap'
import type { ApplicationView } from '../../controller/view.js'
import { application } from '../support/applications.js'
import { noKubernetes, startKubernetes } from '../support/kubernetes/server.js'
import { waitUntil } from '../support/machine.js'
import { startSlipway } from '../support/slipway.js'

const missing = await noKubernetes()
if (missing !== false) {
  t.plan(0, missing)
  process.exit(0)
}
t.setTimeout(300_000)
const cluster = await startKubernetes(t)
const slipway = await startSlipway(t, { config: { clusters: [{ name: 'test', kubeconfig: cluster.kubeconfig }] } })

const options = { syncOptions: ['CreateNamespace=true'] }
const declared = (name: string, spec: Readonly<Record<string, unknown>> = {}) =>
  application(slipway, name, {
    spec: { destination: { name: 'test', namespace: 'engine' }, syncPolicy: options, ...spec },
    patienceMs: 90_000,
  })

type Notes = Readonly<Record<string, string>>
const metadata = (name: string, annotations: Notes) => ({ name, annotations })

function deployment(name: string, version: string, play = '', annotations: Notes = {}): string {
  const labels = { app: name }
  const template = {
    metadata: { labels, annotations: play === '' ? {} : { 'test.slipway.dev/play': play } },
    spec: { containers: [{ name, image: `engine/${name}:${version}` }] },
  }
  const spec = { replicas: 1, selector: { matchLabels: labels }, template }
  return JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: metadata(name, annotations), spec })
}

function config(name: string, value: string, annotations: Notes = {}): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata(name, annotations), data: { value } })
}

function job(name: string, annotations: Notes, play = 'ready'): string {
  const template = {
    metadata: { annotations: { 'test.slipway.dev/play': play } },
    spec: { restartPolicy: 'Never', containers: [{ name, image: `engine/${name}:1` }] },
  }
  return JSON.stringify({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: metadata(name, annotations),
    spec: { backoffLimit: 0, template },
  })
}

const files = (...objects: readonly string[]) => ({ 'all.yaml': objects.join('\n---\n') })
const find = (kind: string, name: string) =>
  cluster.find(
    `${kind === 'deployments' ? '/apis/apps/v1' : kind === 'jobs' ? '/apis/batch/v1' : '/api/v1'}/namespaces/engine/${kind}/${name}`,
  )
const imageOf = async (name: string) => (await find('deployments', name))?.spec.template.spec.containers[0].image
const jobs = async (prefix: string) => {
  const { items } = await cluster.call('GET', '/apis/batch/v1/namespaces/engine/jobs')
  return (items as { metadata: { name: string } }[]).map(one => one.metadata.name).filter(name => name.startsWith(prefix))
}
const movesOf = (view: ApplicationView) => view.attempt?.moves.map(({ message }) => message).join('; ') ?? ''

const db = await declared('db')

await t.test('an application waits for the one that it depends on, says so, and goes on by itself', async t => {
  const api = await declared('api', { dependsOn: ['db'] })
  const first = await api.push(files(deployment('api', '1')))
  await api.declare()
  const waiting = await api.until('it waits', seen => seen.blockedBy.length > 0)
  const { out: why } = await slipway.cli('why', 'api')

  t.match(waiting.blockedBy, [{ kind: 'dependency', application: 'db', message: 'db, which is not declared' }])
  t.match(waiting.message, /waiting for db, which is not declared/i)
  t.match(why, /db, which is not declared/)
  t.equal(await find('deployments', 'api'), null)

  await db.push(files(deployment('db', '1', 'never')))
  await db.declare({ rollout: { bakeTime: '1s', healthTimeout: '60s' } })
  await api.until('it names what it waits for', seen =>
    /db, which is being released|db, whose newest/.test(seen.blockedBy[0]?.message ?? ''),
  )
  await db.push(files(deployment('db', '2')))
  await api.settled(first, 'Healthy')
  t.equal(await imageOf('db'), 'engine/db:2', 'the other came first')
})

await t.test('applications that would wait for each other are refused, by name', async t => {
  await t.rejects(db.declare({ dependsOn: ['api'] }), /db depends on api depends on db: none of them could ever be released/)
})

await t.test("Helm's hooks: install once, upgrade from then on, tests when asked, and their failure counts", async t => {
  const hooks = (test = 'ready') => [
    job('first', { 'helm.sh/hook': 'pre-install' }),
    job('later', { 'helm.sh/hook': 'pre-upgrade' }),
    job('smoke', { 'helm.sh/hook': 'test' }, test),
  ]
  const chart = await declared('chart', { syncPolicy: { ...options, automated: { enabled: false } } })
  const one = await chart.push(files(deployment('chart', '1'), ...hooks()))
  await chart.declare()
  await chart.settled(one, 'OutOfSync')
  t.equal((await slipway.cli('sync', 'chart', '--wait')).code, 0)
  const installed = movesOf(await chart.view())

  const two = await chart.push(files(deployment('chart', '2'), ...hooks('fail')))
  await chart.settled(two, 'OutOfSync')
  const { code, out, err } = await slipway.cli('sync', 'chart', '--test', '--wait')
  const view = await chart.view()

  t.match(installed, /Job first-presync-1/)
  t.notMatch(installed, /later|smoke/)
  t.match(movesOf(view), /Job later-presync-2.*Test: Job smoke-test-2/)
  t.notMatch(movesOf(view), /first/)
  t.equal(code, 1, `${out}${err}`)
  t.match(view.attempt?.verdict?.message, /Test hook Job engine\/smoke-test-2 failed/)
  t.equal(await imageOf('chart'), 'engine/chart:1')
})

await t.test('a hook that goes by itself the moment it has ended is seen to have ended', async t => {
  const object = JSON.parse(job('quick', { 'argocd.argoproj.io/hook': 'PreSync' }))
  object.spec.ttlSecondsAfterFinished = 0
  const quick = await declared('quick')
  const commit = await quick.push(files(config('quick', '1'), JSON.stringify(object)))
  await quick.declare()
  await quick.settled(commit, 'Healthy')
  await waitUntil('its Job is gone', 60_000, async () => (await jobs('quick')).length === 0)
  t.ok(await find('configmaps', 'quick'))
})

await t.test('some objects only: those are released, and the rest waits', async t => {
  const part = await declared('part', { syncPolicy: { ...options, automated: { enabled: false } } })
  const one = await part.push(files(deployment('part', '1'), config('part-a', '1'), config('part-b', '1')))
  await part.declare()
  await part.settled(one, 'OutOfSync')
  await slipway.cli('sync', 'part', '--wait')
  const two = await part.push(files(deployment('part', '2'), config('part-a', '2'), config('part-b', '2')))
  await part.settled(two, 'OutOfSync')

  const synced = await slipway.cli('sync', 'part', '--resource', ':ConfigMap:part-a', '--wait')
  const wrong = await slipway.cli('sync', 'part', '--resource', 'apps:Deployment:nope')

  t.equal(synced.code, 0, synced.err)
  t.equal((await find('configmaps', 'part-a'))?.data.value, '2')
  t.equal((await find('configmaps', 'part-b'))?.data.value, '1')
  t.equal(await imageOf('part'), 'engine/part:1')
  t.equal((await part.view()).state, 'OutOfSync')
  t.equal(wrong.code !== 0, true)
  t.match(wrong.err, /part has no apps:Deployment:nope; there are .*Deployment engine\/part/)
})

await t.test('a window that is closed holds a release back; a person passes it where it says so', async t => {
  const frozen = { kind: 'deny', schedule: '* * * * *', duration: '1h', description: 'freeze', manualSync: true }
  const ice = await declared('ice', { syncWindows: [frozen] })
  const commit = await ice.push(files(config('ice', '1')))
  await ice.declare()
  const waiting = await ice.until('it waits', seen => seen.blockedBy.length > 0)
  const before = await find('configmaps', 'ice')
  const synced = await slipway.cli('sync', 'ice', '--wait')

  t.match(waiting.message, /waiting for the end of the window that denies syncs.*freeze.*slipway sync ice/i)
  t.equal(before, null)
  t.equal(synced.code, 0, synced.err)
  t.equal((await ice.settled(commit, 'Healthy')).blockedBy.length, 0)
})

await t.test('an object that another application has is refused, and both are named', async t => {
  const thief = await declared('thief')
  const commit = await thief.push(files(config('thief', '1'), config('part-a', 'mine')))
  await thief.declare()

  const view = await thief.settled(commit, 'Held')

  t.match(view.message, /ConfigMap engine\/part-a belongs to application part; thief may not claim it too/)
  t.equal((await find('configmaps', 'part-a'))?.data.value, '2')
  t.equal(await find('configmaps', 'thief'), null, 'nothing of it was applied')
})

await t.test('a release that failed leaves no Job at work, and what is to stay is left, and named', async t => {
  const forward = { 'slipway.dev/keep-forward': 'true' }
  const shop = await declared('shop')
  const good = await shop.push(files(deployment('shop', '1'), config('schema', '1', forward)))
  await shop.declare()
  await shop.settled(good, 'Healthy')

  const bad = await shop.push(
    files(
      deployment('shop', '2', 'crash'),
      config('schema', '2', forward),
      config('extra', '1'),
      job('import', {}, 'ready 600000'),
    ),
  )
  const view = await shop.settled(bad, 'RolledBack')

  t.match(movesOf(view), /stopped before going on: Job import/)
  t.same(await jobs('import'), [])
  t.equal((await find('configmaps', 'schema'))?.data.value, '2')
  t.equal(await find('configmaps', 'extra'), null)
  t.match(view.attempt?.message, /left as the newer release has them: ConfigMap engine\/schema/)
  t.equal(await imageOf('shop'), 'engine/shop:1')
})

await t.test('a tag was pushed anew between two releases: going back runs what ran, and says so', async t => {
  const tagged = (pushed: string) => {
    const object = JSON.parse(deployment('tag', 'stable'))
    object.spec.template.metadata.annotations = { 'test.slipway.dev/pushed': pushed }
    return JSON.stringify(object)
  }
  const tag = await declared('tag')
  const one = await tag.push(files(tagged('1')))
  await tag.declare()
  await tag.settled(one, 'Healthy')
  t.equal(await imageOf('tag'), 'engine/tag:stable')

  const bad = await tag.push(files(tagged('2'), deployment('tag-bad', '1', 'crash')))
  const view = await tag.settled(bad, 'RolledBack')
  const pinned = await imageOf('tag')
  t.match(pinned, /^engine\/tag@sha256:[0-9a-f]{64}$/)
  t.match(
    movesOf(view),
    /rolling back to r1; engine\/tag:stable has moved since: it runs as engine\/tag@sha256:[0-9a-f]{12}, as then/,
  )

  const pods = await tag.pods()
  await tag.settled(await tag.push(files(tagged('1'))), 'Healthy')
  t.same([await imageOf('tag'), await tag.pods()], [pinned, pods], 'reverted in Git, nothing is touched')
  await tag.settled(await tag.push(files(tagged('3'))), 'Healthy')
  t.equal(await imageOf('tag'), 'engine/tag:stable', 'a new release means what the tag means')
})

await t.test('what asks for a word stays, and says so, until a person gives it: pruned, and deleted', async t => {
  const asks = { 'argocd.argoproj.io/sync-options': 'Prune=confirm' }
  const word = await declared('word')
  const one = await word.push(files(config('word', '1'), config('word-old', '1', asks), config('word-plain', '1')))
  await word.declare()
  await word.settled(one, 'Healthy')
  t.match((await slipway.cli('approve', 'word', '--yes')).err, /Nothing of word waits for a word/)

  await word.push(files(config('word', '2', { 'argocd.argoproj.io/sync-options': 'Delete=confirm' })))
  const held = await word.until('it asks', seen => seen.asks !== null)
  const { out: why } = await slipway.cli('why', 'word')
  t.match([held.state, held.attempt?.outcome, held.asks?.act], ['OutOfSync', 'Healthy', 'prune'])
  t.match(held.message, /is ConfigMap engine\/word-old, no longer in Git, to be deleted\?.* If so: slipway approve word/)
  t.match(why, /slipway approve word/)
  t.ok(await find('configmaps', 'word-old'))
  t.equal(await find('configmaps', 'word-plain'), null)

  const { code, out } = await slipway.cli('approve', 'word', '--yes')
  t.match([code, out], [0, /pruning of ConfigMap engine\/word-old approved/])
  await word.until('it is as Git has it', seen => seen.state === 'Healthy')
  t.equal(await find('configmaps', 'word-old'), null)
  t.match((await slipway.cli('events', 'word')).out, /pruned, as approved by /)

  await slipway.cli('delete', 'word', '--cascade', '--yes')
  const ending = await word.until('it asks again', seen => seen.asks?.act === 'delete')
  t.match(ending.message, /is ConfigMap engine\/word to be deleted\? If so: slipway approve word/)
  t.ok(await find('configmaps', 'word'), 'nothing was touched')
  t.equal((await slipway.cli('approve', 'word', '--yes')).code, 0)
  await waitUntil('it is gone', 60_000, async () => (await slipway.client.application('word')) === null)
  t.equal(await find('configmaps', 'word'), null)
})

await t.test(
  'a PreDelete hook that fails holds the deletion; then it goes wave by wave, and the PostDelete hook runs',
  async t => {
    const gone = await declared('gone')
    const hooks = (play: string) => [
      job('backup', { 'argocd.argoproj.io/hook': 'PreDelete' }, play),
      job('farewell', { 'helm.sh/hook': 'post-delete' }),
    ]
    const content = [deployment('gone', '1'), config('gone-last', '1', { 'argocd.argoproj.io/sync-wave': '3' })]
    const one = await gone.push(files(...content, ...hooks('fail')))
    await gone.declare()
    await gone.settled(one, 'Healthy')

    await slipway.cli('delete', 'gone', '--cascade', '--yes')
    const stuck = await gone.until('it is held', seen => /backup.* failed/.test(seen.message))
    const serving = await imageOf('gone')
    t.match(stuck.message, /PreDelete hook Job engine\/backup-predelete-\d+ failed.*--skip-hooks/)
    t.equal(serving, 'engine/gone:1', 'nothing that runs was touched')

    await slipway.cli('delete', 'gone', '--cascade', '--skip-hooks', '--yes')
    await waitUntil('it is gone', 60_000, async () => (await slipway.client.application('gone')) === null)
    t.equal(await find('deployments', 'gone'), null)
    t.equal(await find('configmaps', 'gone-last'), null)
    t.same(await jobs('backup'), [])

    const kind = await declared('kind', {})
    const two = await kind.push(
      files(deployment('kind', '1'), config('kind-last', '1', { 'argocd.argoproj.io/sync-wave': '3' }), ...hooks('ready')),
    )
    await kind.declare()
    await kind.settled(two, 'Healthy')
    await slipway.cli('delete', 'kind', '--cascade', '--yes')
    await waitUntil('it is gone', 60_000, async () => (await slipway.client.application('kind')) === null)
    const { items } = await cluster.call('GET', '/api/v1/namespaces/engine/events')
    const ended = (items as { reason: string; involvedObject: { name: string } }[]).filter(({ reason }) => reason === 'Completed')
    const names = ended.map(({ involvedObject }) => involvedObject.name).filter(name => /-(pre|post)delete-2$/.test(name))
    t.same(names.toSorted(), ['backup-predelete-2', 'farewell-postdelete-2'], 'each ran once, to its end')
    t.equal(await find('deployments', 'kind'), null)
    t.same([...(await jobs('backup')), ...(await jobs('farewell'))], [])
  },
)
