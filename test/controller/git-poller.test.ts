import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type FollowedRef, Poller, type PollerOptions } from '../../controller/git/poller.js'
import { GitStore } from '../../controller/git/store.js'
import { maskUrl, repositoryKey } from '../../controller/git/url.js'
import { startGitServer, temporaryDirectory, workingCopy } from '../support/git-server.js'

const path = process.env.PATH ?? ''

async function given(t: Test, options: Partial<PollerOptions> = {}) {
  const directory = await temporaryDirectory(t)
  const server = await startGitServer({ root: join(directory, 'served'), path })
  const store = new GitStore({ directory: join(directory, 'state'), path, credentialsOf: () => null })
  const url = await server.create('shop')
  const copy = await workingCopy(join(directory, 'copy'), url)
  const tips: FollowedRef[] = []
  const stale: FollowedRef[] = []
  let polls = 0
  const poller = new Poller({
    poll: (...args) => {
      polls++
      return store.poll(...args)
    },
    now: Date.now,
    random: () => 0.5,
    intervalMs: 3_600_000,
    onTip: state => tips.push(state),
    onStale: state => stale.push(state),
    ...options,
  })
  t.teardown(async () => {
    poller.stop()
    await store.close()
    await server.close()
  })
  return { server, url, copy, poller, tips, stale, polls: () => polls }
}

async function until(fact: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000 && !fact(); i++) await sleep(20)
}

t.test('followers of one ref share its polls, and a webhook in any form wakes it', async t => {
  const { url, copy, poller, tips, polls } = await given(t)
  const first = await copy.push({ a: '1' })
  const ends = [poller.follow(url, 'main'), poller.follow(url, 'main'), poller.follow(url, 'main')]
  await until(() => tips.length === 1)

  t.equal(polls(), 1)
  t.match(tips[0], { tip: first, pushedAt: 0, error: null, staleSince: 0 })

  const second = await copy.push({ a: '2' })
  const woken = poller.wake(url.replace('http://', 'ssh://git@').replace(/\.git$/, ''), 'refs/heads/main')
  await until(() => tips.length === 2)

  t.equal(woken, 1)
  t.equal(tips[1]?.tip, second)
  t.ok(tips[1]!.pushedAt > 0 && tips[1]!.seenAt >= tips[1]!.pushedAt)
  t.equal(poller.wake(url, 'refs/heads/other'), 0)
  t.equal(poller.wake('https://elsewhere/shop.git'), 0)
  ends[0]!()
  t.ok(poller.state(url, 'main'))
  ends[1]!()
  ends[2]!()
  t.equal(poller.state(url, 'main'), null)
})

t.test('fifty quick pushes end at the newest with few polls', async t => {
  const { url, copy, poller, tips, polls } = await given(t)
  await copy.push({ a: '0' })
  poller.follow(url, 'main')
  await until(() => tips.length === 1)
  let last = ''
  for (let i = 1; i <= 50; i++) {
    last = await copy.commit({ a: String(i) })
    if (i % 10 === 0) await copy.git('push', '--quiet', 'origin', 'main')
    poller.wake(url)
    poller.wake(url)
  }

  await until(() => poller.state(url, 'main')?.tip === last)

  t.equal(poller.state(url, 'main')?.tip, last)
  t.ok(polls() < 100, `${polls()} polls for 100 wakes`)
})

t.test('the timer finds a push by itself', async t => {
  const { url, copy, poller, tips } = await given(t, { intervalMs: 30 })
  await copy.push({ a: '1' })
  poller.follow(url, 'HEAD')
  await until(() => tips.length === 1)
  const second = await copy.push({ a: '2' })

  await until(() => tips.length === 2)

  t.match(tips[1], { tip: second, pushedAt: 0 })
})

t.test('while a repository is down the last tip stays, with since when and why; then it goes on', async t => {
  const { url, copy, poller, server, stale, tips } = await given(t, { intervalMs: 20, maxBackoffMs: 50 })
  const first = await copy.push({ a: '1' })
  poller.follow(url, 'main')
  await until(() => tips.length === 1)

  server.faults.down = true
  await until(() => stale.length === 1)
  await sleep(200)

  t.match(poller.state(url, 'main'), { tip: first, error: { reason: 'RepositoryUnreachable', message: /cannot be reached/ } })
  t.ok(stale[0]!.staleSince > 0)
  t.equal(poller.state(url, 'main')?.staleSince, stale[0]?.staleSince)
  t.equal(stale.length, 1, 'said once')

  server.faults.down = false
  await until(() => stale.length === 2)
  t.match(poller.state(url, 'main'), { tip: first, error: null, staleSince: 0 })
})

t.test('a look gives what is known after a poll of its own', async t => {
  const { url, copy, poller, tips } = await given(t)
  await copy.push({ a: '1' })
  poller.follow(url, 'main')
  await until(() => tips.length === 1)
  const second = await copy.push({ a: '2' })

  t.equal((await poller.look(url, 'main'))?.tip, second)
  t.equal(await poller.look(url, 'nobody'), null)
})

t.test('all forms of an address have one key', t => {
  const forms = [
    'https://github.com/Team/app.git',
    'https://github.com/Team/app',
    'https://bob:pw@github.com/Team/app.git/',
    'http://github.com:8080/team/app',
    'ssh://git@github.com:22/Team/app.git',
    'git@github.com:Team/app.git',
    'git@github.com:/Team/app',
  ]
  for (const form of forms) t.equal(repositoryKey(form), 'github.com/team/app', form)
  t.equal(repositoryKey('/srv/git/app.git'), repositoryKey('file:///srv/git/app'))
  t.not(repositoryKey('https://github.com/team/other'), repositoryKey(forms[0]!))
  t.end()
})

t.test('a printed address holds no password', t => {
  const cases = [
    ['https://bob:s3@host/x.git', 'https://***@host/x.git'],
    ['https://s3cret@host/x', 'https://***@host/x'],
    ['https://a:b@c@host/x', 'https://***@host/x'],
    ['https://host/x?token=s3&b=2#f', 'https://host/x?token=***&b=***#f'],
    ['ssh://git:s3@host/x', 'ssh://***@host/x'],
    ['/srv/git/app', '/srv/git/app'],
    ['https://host/a\u001b[2J', 'https://host/a?[2J'],
  ]
  for (const [url, masked] of cases) t.equal(maskUrl(url!), masked)
  t.end()
})
