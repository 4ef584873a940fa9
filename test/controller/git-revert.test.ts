import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { type RevertOrder, revertAuthor, revertMessage, writeRevert } from '../../controller/git/revert.js'
import { GitStore } from '../../controller/git/store.js'
import type { Credentials } from '../../controller/git/url.js'
import type { CommitSha, TreeId } from '../../controller/release.js'
import {
  type GitServerOptions,
  startGitServer,
  temporaryDirectory,
  type WorkingCopy,
  workingCopy,
} from '../support/git-server.js'

const signal = new AbortController().signal
const path = process.env.PATH ?? ''
const now = Date.parse('2026-03-04T05:06:07Z')

/** A good commit, then a bad one in `web`; what stands beside it changes too. */
async function given(t: Test, options: Partial<GitServerOptions> & { credentials?: Credentials; local?: boolean } = {}) {
  const directory = await temporaryDirectory(t)
  const server = await startGitServer({ root: join(directory, 'served'), path, ...options })
  t.teardown(() => server.close())
  const served = await server.create('shop')
  const admin = options.accounts?.find(({ mayPush }) => mayPush)
  const copy = await workingCopy(
    join(directory, 'copy'),
    admin ? served.replace('://', `://${admin.username}:${admin.password}@`) : served,
  )
  const store = new GitStore({ directory: join(directory, 'state'), path, credentialsOf: () => options.credentials ?? null })
  t.teardown(() => store.close())
  const url = options.local ? join(server.root, 'shop.git') : served
  const good = await pushed(store, url, copy, { 'web/a.yaml': 'good\n', 'web/old.yaml': 'old\n', 'other/b.yaml': '1\n' }, 'Good')
  const bad = await pushed(
    store,
    url,
    copy,
    { 'web/a.yaml': 'bad\n', 'web/old.yaml': null, 'web/new.yaml': 'new\n', 'other/b.yaml': '2\n' },
    'Make it "faster"',
  )
  const order: RevertOrder = {
    repoURL: url,
    targetRevision: 'main',
    path: 'web',
    application: 'shop',
    bad: { ...bad, subject: 'Make it "faster"' },
    good,
    reason: 'web: container web ended 3 times with exit code 1 (CrashLoopBackOff)',
    author: revertAuthor,
    now,
  }
  return { directory, server, url, copy, store, order }
}

async function pushed(store: GitStore, url: string, copy: WorkingCopy, files: Record<string, string | null>, message: string) {
  await copy.push(files, message)
  const { tip } = await store.poll(url, 'main', signal)
  return { commit: tip, tree: (await store.treeAt(url, tip, 'web')).treeId }
}

async function remoteTip(copy: WorkingCopy): Promise<string> {
  await copy.git('fetch', '--quiet', 'origin')
  return copy.git('rev-parse', 'origin/main')
}

for (const local of [false, true]) {
  t.test(`a revert restores the path alone and says why (${local ? 'local path' : 'http'})`, async t => {
    const { copy, store, order } = await given(t, { local })

    const result = await writeRevert(store, order, signal)

    t.match(result, { kind: 'pushed', branch: 'main', commit: await remoteTip(copy) })
    t.equal(await copy.git('rev-parse', 'origin/main^'), order.bad.commit)
    t.equal(await copy.git('rev-parse', 'origin/main:web'), order.good.tree)
    t.equal(
      await copy.git('diff', '--name-status', order.bad.commit, 'origin/main'),
      'M\tweb/a.yaml\nD\tweb/new.yaml\nA\tweb/old.yaml',
    )
    t.equal(await copy.git('diff', order.good.commit, 'origin/main', '--', 'web'), '')
    t.equal(
      await copy.git('log', '-1', '--format=%an <%ae>%n%cn <%ce>%n%aI%n%B', 'origin/main'),
      [
        'Slipway <slipway@localhost>',
        'Slipway <slipway@localhost>',
        '2026-03-04T05:06:07+00:00',
        'Revert "Make it "faster""',
        '',
        `This reverts commit ${order.bad.commit}.`,
        '',
        'web: container web ended 3 times with exit code 1 (CrashLoopBackOff)',
        '',
        'Written by Slipway after a rollback: web is again as it was in',
        `${order.good.commit.slice(0, 12)}.`,
        '',
        'Slipway-Application: shop',
      ].join('\n'),
    )
    t.equal(await copy.git('log', '-1', '--format=%(trailers:key=Slipway-Application,valueonly)', 'origin/main'), 'shop')
    await copy.git('fsck', '--strict')
    const { tip } = await store.poll(order.repoURL, 'main', signal)
    t.equal((await store.treeAt(order.repoURL, tip, 'web')).treeId, order.good.tree, 'the next poll sees what ran before')
  })
}

t.test('a whole repository as path, and HEAD as revision, are reverted as well', async t => {
  const { copy, store, order, url } = await given(t)
  const treeOf = async (commit: CommitSha) => (await store.treeAt(url, commit, '.')).treeId

  const result = await writeRevert(
    store,
    {
      ...order,
      path: '.',
      targetRevision: 'HEAD',
      bad: { ...order.bad, tree: await treeOf(order.bad.commit) },
      good: { ...order.good, tree: await treeOf(order.good.commit) },
    },
    signal,
  )

  t.equal(result.kind, 'pushed')
  await remoteTip(copy)
  t.equal(await copy.git('diff', order.good.commit, 'origin/main'), '')
})

t.test('unrelated commits that came meanwhile are kept', async t => {
  const { copy, store, order } = await given(t)
  await copy.push({ 'other/b.yaml': '3\n' })

  const result = await writeRevert(store, order, signal)

  t.equal(result.kind, 'pushed')
  await remoteTip(copy)
  t.equal(await copy.git('show', 'origin/main:other/b.yaml'), '3')
  t.equal(await copy.git('show', 'origin/main:web/a.yaml'), 'good')
})

t.test('a fix that came meanwhile is never undone', async t => {
  const { copy, store, order } = await given(t)
  const fix = await copy.push({ 'web/a.yaml': 'fixed\n' })

  const result = await writeRevert(store, order, signal)

  t.match(result, { kind: 'dropped', why: /changed meanwhile/ })
  t.equal(await remoteTip(copy), fix)
})

t.test('what is no longer to be done is dropped, with the reason', async t => {
  const { copy, store, order } = await given(t)
  await copy.git('tag', 'v1')
  await copy.git('push', '--quiet', 'origin', 'v1')

  t.match(await writeRevert(store, { ...order, good: { ...order.good, tree: order.bad.tree } }, signal), {
    kind: 'dropped',
    why: /lies elsewhere/,
  })
  t.match(await writeRevert(store, { ...order, targetRevision: 'v1' }, signal), { kind: 'dropped', why: /not a branch/ })
  t.match(await writeRevert(store, { ...order, targetRevision: order.bad.commit }, signal), {
    kind: 'dropped',
    why: /not a branch/,
  })
  await copy.git('revert', '--no-edit', order.bad.commit)
  await copy.git('push', '--quiet', 'origin', 'main')
  t.match(await writeRevert(store, order, signal), { kind: 'dropped', why: /put back meanwhile/ })
})

for (const request of ['GET /shop.git/info/refs?service=git-receive-pack', 'POST /shop.git/git-receive-pack']) {
  t.test(`someone else pushing just before ${request} makes it look again`, async t => {
    const { copy, store, order, url, server } = await given(t)
    let isFirst = true
    server.faults.before = async asked => {
      if (asked !== request || !isFirst) return
      isFirst = false
      await copy.push({ 'other/b.yaml': 'raced\n' })
    }

    const result = await writeRevert(store, order, signal)

    t.match(result, { kind: 'pushed', commit: await remoteTip(copy) })
    t.equal(isFirst, false)
    t.equal(await copy.git('show', 'origin/main:other/b.yaml'), 'raced')
    t.equal(await copy.git('show', 'origin/main:web/a.yaml'), 'good')
    t.same(
      await readdir(join(store.placeOf(url).repository.gitdir, 'refs/slipway/reverts')).catch(() => []),
      [],
      'no ref of ours is left',
    )
  })
}

const canary = 'c4nary-p4ssw0rd'
const accounts = [
  { username: 'admin', password: 'x', mayPush: true },
  { username: 'reader', password: canary, mayPush: false },
]

t.test('no permission to push is an answer that names no credential and changes nothing', async t => {
  const { copy, store, order } = await given(t, {
    accounts,
    credentials: { kind: 'basic', username: 'reader', password: canary },
  })

  const result = await writeRevert(store, order, signal)

  t.match(result, { kind: 'refused', message: /refuses these credentials \(403\)/, transient: false })
  t.notOk(inspect(result).includes(canary))
  t.equal(await remoteTip(copy), order.bad.commit)
})

t.test('a branch that its server protects, and a server that is down, are answers too', async t => {
  const { copy, store, order, server } = await given(t)
  await copy.git('-C', join(server.root, 'shop.git'), 'config', 'receive.denyUpdates', 'refs/heads/main')
  const hook = join(server.root, 'shop.git/hooks/pre-receive')
  await writeFile(hook, '#!/bin/sh\necho protected branch >&2\nexit 1\n', { mode: 0o755 })

  t.match(await writeRevert(store, order, signal), {
    kind: 'refused',
    message: /refuses the push \(.*hook declined/,
    transient: false,
  })
  server.faults.down = true
  t.match(await writeRevert(store, order, signal), { kind: 'refused', message: /cannot be reached/, transient: true })
  server.faults.down = false
  t.equal(await remoteTip(copy), order.bad.commit)
})

t.test('a good tree that our copy lost is fetched again', async t => {
  const { copy, store, order, directory } = await given(t)
  const fresh = new GitStore({ directory: join(directory, 'fresh'), path, credentialsOf: () => null })
  t.teardown(() => fresh.close())

  const result = await writeRevert(fresh, order, signal)

  t.equal(result.kind, 'pushed')
  await remoteTip(copy)
  t.equal(await copy.git('rev-parse', 'origin/main:web'), order.good.tree)
  t.equal((await store.poll(order.repoURL, 'main', signal)).tip, await copy.git('rev-parse', 'origin/main'))
})

t.test('a reason cannot pass for a trailer or another line of the message', t => {
  const commit = 'a'.repeat(40) as CommitSha
  const tree = 'b'.repeat(40) as TreeId

  const message = revertMessage({
    bad: { commit, subject: 'One\nTwo', tree },
    good: { commit, tree },
    reason: 'it ended\n\nSlipway-Application: other\u001b[2J',
    application: 'shop',
    path: '',
  })

  t.match(message, /^Revert "One Two"\n\nThis reverts commit a{40}\.\n\nit ended Slipway-Application: other \[2J\n\n/)
  t.match(message, /the whole repository/)
  t.match(message, /\n\nSlipway-Application: shop\n$/)
  t.end()
})
