// An application whose manifests are Applications; and rollbacks written to Git.
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { application } from '../support/applications.js'
import { waitUntil } from '../support/machine.js'
import { lives, startSlipway } from '../support/slipway.js'
import { documents, loadWebImage, removeImages, type WebOptions, web } from '../support/web.js'

t.setTimeout(300_000)
const slipway = await startSlipway(t, {
  // told by webhook: a commit that nobody tells of is not seen for a while
  config: { pollInterval: '60s' },
  accounts: [
    { username: 'ann', password: 'may-push', mayPush: true },
    { username: 'bob', password: 'may-read', mayPush: false },
  ],
})
const as = (url: string, account: string) => url.replace('://', `://${account}@`)
const { image } = await loadWebImage(slipway)
const files = (options: Partial<WebOptions> = {}) => ({ 'web.yaml': web({ image, replicas: 1, ...options }) })

/** The working copy pushes as Ann, whoever Slipway reads as. */
async function given(name: string, account: string, rollout: Readonly<Record<string, unknown>> = {}) {
  const url = await slipway.git.create(name)
  const app = await application(slipway, name, { rollout, repoURL: as(url, account), pushURL: as(url, 'ann:may-push') })
  return app
}

const revertEvents = async (name: string) =>
  (await slipway.client.events(name)).filter(event => event.what === 'revert-commit').map(event => event.message)

await t.test('an application of applications declares, changes and withdraws its children', async t => {
  const child = await given('child', 'ann:may-push')
  await child.push(files())
  const parent = await given('parent', 'ann:may-push')
  const declaration = (bakeTime: string) => ({
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'child' },
    spec: {
      source: { repoURL: child.repoURL, path: '.', targetRevision: 'main' },
      destination: { name: slipway.node, namespace: 'child' },
      rollout: { bakeTime, healthTimeout: '20s' },
    },
  })
  const one = await parent.push({ 'child.yaml': documents([declaration('1s')]) })
  await parent.declare()
  await parent.settled(one, 'Healthy')
  const born = await child.until('healthy', view => view.state === 'Healthy')
  const two = await parent.push({ 'child.yaml': documents([declaration('2s')]) })
  await parent.settled(two, 'Healthy')
  const changed = await child.until('changed', view => view.policy.bakeTimeSeconds === 2)
  const three = await parent.push({
    'child.yaml': null,
    'README.md': 'Empty on purpose.\n',
    'config.yaml': documents([{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'left' } }]),
  })
  await parent.settled(three, 'Healthy')
  await waitUntil('the child is gone', 60_000, async () => (await slipway.client.application('child')) === null)

  t.equal(born.policy.bakeTimeSeconds, 1)
  t.equal(changed.uid, born.uid)
  t.same(await slipway.containers('child', true), [])
})

await t.test("NATS wiped: a child is its parent's again, though that heals nothing by itself", async t => {
  const child = await given('lost-child', 'ann:may-push')
  const first = await child.push(files())
  const url = await slipway.git.create('lost-parent')
  const parent = await application(slipway, 'lost-parent', {
    repoURL: as(url, 'ann:may-push'),
    pushURL: as(url, 'ann:may-push'),
    spec: { syncPolicy: { automated: { selfHeal: false } } },
  })
  const declaration = {
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'lost-child' },
    spec: {
      source: { repoURL: child.repoURL, path: '.', targetRevision: 'main' },
      destination: { name: slipway.node, namespace: 'lost-child' },
      rollout: { bakeTime: '1s', healthTimeout: '20s' },
    },
  }
  const one = await parent.push({ 'child.yaml': documents([declaration]) })
  await parent.declare()
  await parent.settled(one, 'Healthy')
  await child.settled(first, 'Healthy')
  const running = await lives(slipway, 'lost-child')

  slipway.signal('nats', 'SIGSTOP')
  rmSync(join(slipway.state, 'nats', 'store'), { recursive: true, force: true })
  await slipway.crash('nats', 'controller')
  const known = async (name: string) => (await slipway.client.application(name).catch(() => null)) !== null
  await waitUntil('both are known again', 60_000, async () => (await known('lost-child')) && (await known('lost-parent')))
  await child.settled(first, 'Healthy')
  const view = await parent.settled(one, 'Healthy')
  const declared = (await slipway.client.call('GET', '/api/v1/applications/lost-child/declaration')) as unknown

  t.equal(view.sync.status, 'Synced')
  t.match(JSON.stringify(declared), /"slipway.dev\/declared-by":"lost-parent"/)
  t.same(await lives(slipway, 'lost-child'), running)
})

await t.test('a rollback is written to Git as a revert, which deploys as already running', async t => {
  const app = await given('written', 'ann:may-push', { writeBack: 'revertCommit' })
  const good = await app.push(files({ message: 'good' }))
  await app.declare()
  await app.settled(good, 'Healthy')
  const bad = await app.push(files({ message: 'bad', behaviour: 'crash' }), 'Use the new cache')
  const view = await app.until(
    'the revert is the newest and healthy',
    seen => seen.state === 'Healthy' && seen.candidate?.commit !== bad && seen.candidate?.commit !== good,
  )
  const running = await lives(slipway, 'written')
  await app.copy.git('fetch', '--quiet', 'origin')
  const message = await app.copy.git('log', '-1', '--format=%B', 'origin/main')
  const difference = await app.copy.git('diff', good, 'origin/main')

  t.equal(await app.copy.git('rev-parse', 'origin/main'), view.candidate?.commit)
  t.match(message, /^Revert "Use the new cache"/)
  t.match(message, new RegExp(`This reverts commit ${bad}`))
  t.match(message, /exited/)
  t.equal(difference, '', 'the path is as it was')
  t.equal(view.release?.number, 'r1')
  t.same(await lives(slipway, 'written'), running)
})

const tip = async (app: Awaited<ReturnType<typeof given>>) => {
  await app.copy.git('fetch', '--quiet', 'origin')
  return app.copy.git('rev-parse', 'origin/main')
}

await t.test('a fix that came before the rollback, and was not seen yet, is not undone', async t => {
  const app = await given('fixed', 'ann:may-push', { writeBack: 'revertCommit' })
  const good = await app.push(files({ message: 'good' }))
  await app.declare()
  await app.settled(good, 'Healthy')
  const bad = await app.push(files({ message: 'bad', behaviour: 'crash' }))
  await app.until('under way', view => view.attempt?.release?.commit === bad && view.attempt.times.applied !== '')
  const fix = await app.copy.push(files({ message: 'fixed' }))
  await app.settled(bad, 'RolledBack')
  await waitUntil('it is told', 30_000, async () => (await revertEvents('fixed')).length > 0)
  const after = await tip(app)
  await app.webhook()
  const view = await app.settled(fix, 'Healthy')

  t.match((await revertEvents('fixed'))[0], /was not written to Git: the repository was changed meanwhile: a fix is not undone/)
  t.equal(after, fix)
  t.equal(view.release?.commit, fix)
  t.equal(await tip(app), fix)
})

await t.test('a fix that comes while the revert is being pushed is not undone', async t => {
  const app = await given('raced', 'ann:may-push', { writeBack: 'revertCommit' })
  const [pushing, fixed] = ['pushing', 'fixed'].map(name => join(slipway.work, name))
  const hook = `#!/bin/sh
while read -r old new ref; do
  [ "$(git log -1 --format=%cn "$new")" = Slipway ] || continue
  touch ${pushing}
  until [ -e ${fixed} ]; do sleep 0.1; done
done
`
  writeFileSync(join(slipway.git.root, 'raced.git/hooks/pre-receive'), hook, { mode: 0o755 })
  const good = await app.push(files({ message: 'good' }))
  await app.declare()
  await app.settled(good, 'Healthy')
  await app.push(files({ message: 'bad', behaviour: 'crash' }))
  await waitUntil('the revert is being pushed', 60_000, () => existsSync(pushing!))
  const fix = await app.push(files({ message: 'fixed' }))
  writeFileSync(fixed!, '')
  await waitUntil('it is told', 30_000, async () => (await revertEvents('raced')).length > 0)
  const view = await app.settled(fix, 'Healthy')

  t.match((await revertEvents('raced'))[0], /was not written to Git: the repository was changed meanwhile: a fix is not undone/)
  t.equal(await tip(app), fix)
  t.equal(view.release?.commit, fix)
})

await t.test('a push that is refused is told, and changes nothing', async t => {
  const app = await given('refused', 'bob:may-read', { writeBack: 'revertCommit' })
  const good = await app.push(files({ message: 'good' }))
  await app.declare()
  await app.settled(good, 'Healthy')
  const bad = await app.push(files({ message: 'bad', behaviour: 'crash' }))
  const view = await app.settled(bad, 'RolledBack')
  await waitUntil('the refusal is told', 30_000, async () => (await revertEvents('refused')).length > 0)
  await app.copy.git('fetch', '--quiet', 'origin')

  t.equal((await slipway.containers('refused')).length, 1, 'the good release runs all the same')
  t.match((await revertEvents('refused'))[0], /could not be written to Git/)
  t.notMatch((await revertEvents('refused')).join(), /may-read/)
  t.equal(await app.copy.git('rev-parse', 'origin/main'), bad)
  t.equal(view.release?.commit, good)
})

await t.test('slipway down --purge leaves nothing behind', async t => {
  t.same(await slipway.end(), [])
  await removeImages(slipway, '1')
})
