// Git out of reach or changed under our feet: what runs goes on, how old the knowledge is is told, and the next commit just works.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { application } from '../support/applications.js'
import { startGitServer, workingCopy } from '../support/git-server.js'
import { lives, startSlipway } from '../support/slipway.js'
import { loadWebImage, removeImages, web } from '../support/web.js'

t.setTimeout(300_000)
const directory = mkdtempSync(join(tmpdir(), 'slipway-e2e-git-'))
const accounts = [{ username: 'ann', password: 'right-password', mayPush: true }]
const closed = await startGitServer({ root: join(directory, 'git'), path: process.env.PATH ?? '', accounts })
t.teardown(async () => {
  await closed.close()
  rmSync(directory, { recursive: true, force: true })
})
const slipway = await startSlipway(t, { config: { pollInterval: '1s' } })
const { image } = await loadWebImage(slipway)
const files = (message: string) => ({ 'web.yaml': web({ image, message, replicas: 1 }) })

await t.test(
  'while the repository is down the release runs and its age is told; a commit made meanwhile is released',
  async t => {
    const app = await application(slipway, 'down')
    const first = await app.push(files('one'))
    await app.declare()
    await app.settled(first, 'Healthy')
    const before = await lives(slipway, 'down')

    slipway.git.faults.down = true
    await app.webhook()
    const stale = await app.until('stale', view => view.stale !== null)
    const during = await lives(slipway, 'down')
    slipway.git.faults.down = false
    const second = await app.push(files('two'))
    const view = await app.settled(second, 'Healthy')

    t.equal(stale.state, 'Healthy')
    t.match(stale.message, /Git has not been read/)
    t.same(during, before)
    t.equal(view.stale, null)
  },
)

await t.test('a server that answers with an error is a stale mark, not a release', async t => {
  const app = await application(slipway, 'fault')
  const first = await app.push(files('one'))
  await app.declare()
  await app.settled(first, 'Healthy')

  slipway.git.faults.status = 503
  await app.webhook()
  const stale = await app.until('stale', view => view.stale !== null)
  slipway.git.faults.status = 0
  await app.webhook()
  await app.until('read again', view => view.stale === null)

  t.equal(stale.state, 'Healthy')
  t.equal(stale.release?.commit, first)
})

await t.test('wrong credentials are told without being shown, and right ones release', async t => {
  const url = await closed.create('vault')
  const withPassword = (password: string) => url.replace('://', `://ann:${password}@`)
  const copy = await workingCopy(join(directory, 'copy'), withPassword('right-password'))
  const first = await copy.push(files('vault'))
  const app = await application(slipway, 'vault', { repoURL: withPassword('wrong-password') })
  await app.declare()
  const held = await app.until('held', view => view.state === 'Held')
  await app.declare({ source: { repoURL: withPassword('right-password'), path: '.', targetRevision: 'main' } })
  await app.settled(first, 'Healthy')

  t.match(held.message, /credentials|password|sign|authenti/i)
  t.notMatch(JSON.stringify(held), /wrong-password/)
})

await t.test('a deleted branch stops nothing, and one of its name goes on', async t => {
  const app = await application(slipway, 'branch', { source: { targetRevision: 'feature' } })
  await app.copy.push({ 'README.md': 'Read me.\n' })
  await app.copy.git('checkout', '--quiet', '-b', 'feature')
  const first = await app.push(files('one'))
  await app.declare()
  await app.settled(first, 'Healthy')
  const before = await lives(slipway, 'branch')

  await app.copy.git('push', '--quiet', 'origin', '--delete', 'feature')
  await app.webhook()
  const stale = await app.until('stale', view => view.stale !== null)
  const during = await lives(slipway, 'branch')
  const second = await app.push(files('two'))
  await app.settled(second, 'Healthy')

  t.match(stale.stale?.message, /feature/)
  t.equal(stale.release?.commit, first)
  t.same(during, before)
})

await t.test('after a force-push what the branch says now is released', async t => {
  const app = await application(slipway, 'force')
  const first = await app.push(files('one'))
  await app.declare()
  await app.settled(first, 'Healthy')
  await app.settled(await app.push(files('two')), 'Healthy')

  await app.copy.git('reset', '--quiet', '--hard', 'HEAD~1')
  writeFileSync(join(app.copy.directory, 'web.yaml'), files('three')['web.yaml'])
  await app.copy.git('commit', '--quiet', '--amend', '-am', 'Another history')
  const forced = await app.publish('--force')
  const view = await app.settled(forced, 'Healthy')

  t.equal(view.release?.commit, forced)
})

await t.test('slipway down --purge leaves nothing behind', async t => {
  t.same(await slipway.end(), [])
  await removeImages(slipway, '1')
})
