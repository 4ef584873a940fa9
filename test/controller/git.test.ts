import { execFileSync } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t from 'tap'
import { GitStore } from '../../controller/git/store.js'
import type { Credentials } from '../../controller/git/url.js'
import type { CommitSha } from '../../controller/release.js'
import { runGit, startGitServer } from '../support/git-server.js'
import { failure, given, path, signal, text } from '../support/git-store.js'

t.test('a branch is followed from commit to commit, and read without a checkout', async t => {
  const { url, copy, store } = await given(t)
  const first = await copy.push(
    { 'web/a.yaml': 'a: 1\n', 'web/deep/b.yaml': 'b: 1\n', 'values.yaml': 'v: 1\n' },
    'First things\n\nbody',
  )

  const one = await store.poll(url, 'main', signal)
  const tree = await store.treeAt(url, one.tip, 'web')
  const files = await tree.list()
  const revision = await store.revisionOf(url, one.tip)
  const outside = await tree.resolve('values.yaml')

  t.same(one, { tip: first, ref: 'refs/heads/main' })
  t.same(
    files.map(({ path, kind }) => [path, kind]),
    [
      ['a.yaml', 'blob'],
      ['deep/b.yaml', 'blob'],
    ],
  )
  t.equal(text(await tree.read(files[0]!.oid)), 'a: 1\n')
  t.equal(text(await tree.read(outside!.oid)), 'v: 1\n')
  t.equal(await tree.resolve('nothing.yaml'), null)
  t.equal(await tree.resolve('web'), null)
  t.match(revision, { commit: first, subject: 'First things', author: 'Ann Author', committedAt: /^20\d\d-.*Z$/ })

  const second = await copy.push({ 'web/a.yaml': 'a: 2\n' })
  const two = await store.poll(url, 'main', signal)
  const later = await store.treeAt(url, two.tip, 'web')

  t.equal(two.tip, second)
  t.not(later.treeId, tree.treeId)
  t.equal(text(await later.read((await later.list())[0]!.oid)), 'a: 2\n')
})

t.test('a commit that touches nothing of the path keeps its tree id', async t => {
  const { url, copy, store } = await given(t)
  await copy.push({ 'web/a.yaml': 'a: 1\n' })
  const before = await store.poll(url, 'main', signal)
  await copy.push({ 'README.md': 'hello\n' })

  const after = await store.poll(url, 'main', signal)

  t.not(after.tip, before.tip)
  t.equal((await store.treeAt(url, after.tip, 'web')).treeId, (await store.treeAt(url, before.tip, './web/')).treeId)
})

t.test('a poll of a tip that did not move asks for refs only', async t => {
  const { url, copy, store, server } = await given(t)
  await copy.push({ a: '1' })
  await store.poll(url, 'main', signal)
  server.requests.length = 0

  await store.poll(url, 'main', signal)

  t.same(server.requests, ['POST /shop.git/git-upload-pack'])
})

t.test('a restarted controller fetches nothing that it has', async t => {
  const { url, copy, store, newStore, server } = await given(t)
  const tip = await copy.push({ a: '1' })
  await store.poll(url, 'main', signal)
  server.requests.length = 0

  const again = await newStore().poll(url, 'main', signal)

  t.equal(again.tip, tip)
  t.equal(server.requests.length, 1)
})

t.test('later fetches bring the new objects only', async t => {
  const { url, copy, store, state } = await given(t)
  const noise = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [`noise/${i}`, Array.from({ length: 500 }, () => Math.random()).join('\n')]),
  )
  await copy.push(noise)
  await store.poll(url, 'main', signal)
  await copy.push({ a: '1' })

  await store.poll(url, 'main', signal)

  const [name] = await readdir(state)
  const folder = join(state, name!, 'objects/pack')
  const sizes = await Promise.all(
    (await readdir(folder)).filter(pack => pack.endsWith('.pack')).map(async pack => (await readFile(join(folder, pack))).length),
  )
  sizes.sort((a, b) => a - b)
  t.equal(sizes.length, 2)
  t.ok(sizes[0]! < 5_000 && sizes[1]! > 100_000, `sizes ${sizes}`)
})

t.test('tags (light and annotated), HEAD, full names and full hashes are revisions too', async t => {
  const { url, copy, store, server } = await given(t)
  const first = await copy.push({ a: '1' })
  await copy.git('tag', 'light')
  await copy.git('tag', '-a', 'v1.0', '-m', 'one')
  await copy.git('tag', '-a', 'v1.0-again', '-m', 'a tag of a tag', 'v1.0')
  await copy.push({ a: '2' })
  const third = await copy.push({ a: '3' })
  await copy.git('push', '--quiet', '--tags', 'origin')

  for (const revision of ['light', 'v1.0', 'v1.0-again', 'refs/tags/v1.0', first]) {
    const { tip } = await store.poll(url, revision, signal)
    const tree = await store.treeAt(url, tip, '')
    t.equal(tip, first, revision)
    t.equal(text(await tree.read((await tree.list())[0]!.oid)), '1', revision)
  }
  t.same(await store.poll(url, 'HEAD', signal), { tip: third, ref: 'refs/heads/main' })
  t.equal((await store.poll(url, 'refs/heads/main', signal)).tip, third)

  server.requests.length = 0
  await store.poll(url, first, signal)
  t.same(server.requests, [], 'a hash that is here needs no server')
})

t.test('a hash that no ref points at any more is found in the history', async t => {
  const { url, copy, store } = await given(t)
  await copy.push({ a: '0' })
  const middle = await copy.push({ a: '1' })
  await copy.push({ a: '2' })

  const { tip } = await store.poll(url, middle, signal)

  const tree = await store.treeAt(url, tip, '')
  t.equal(text(await tree.read((await tree.list())[0]!.oid)), '1')
})

t.test('rewritten history, and an older commit as tip, is just another tip', async t => {
  const { url, copy, store, state } = await given(t)
  const first = await copy.push({ a: '1' })
  await copy.push({ a: '2' })
  await store.poll(url, 'main', signal)
  await copy.git('commit', '--quiet', '--amend', '-m', 'rewritten')
  await copy.git('push', '--quiet', '--force', 'origin', 'main')
  const rewritten = await copy.git('rev-parse', 'HEAD')

  t.equal((await store.poll(url, 'main', signal)).tip, rewritten)

  await copy.git('reset', '--quiet', '--hard', first)
  await copy.git('push', '--quiet', '--force', 'origin', 'main')

  const { tip } = await store.poll(url, 'main', signal)
  t.equal(tip, first)
  t.equal((await (await store.treeAt(url, tip, '')).list()).length, 1)
  t.equal((await readdir(state)).length, 1, 'nothing is left beside')
})

t.test('each way to fail has its own reason and says what to do', async t => {
  const { url, copy, store, server, directory } = await given(t)
  const empty = await server.create('empty')
  await copy.push({ 'web/a.yaml': 'a: 1', file: 'x' })
  await copy.git('push', '--quiet', 'origin', 'main:doomed')
  await store.poll(url, 'doomed', signal)
  await copy.git('push', '--quiet', '--delete', 'origin', 'doomed')
  const { tip } = await store.poll(url, 'main', signal)
  const cases: [string, () => Promise<unknown>, string, RegExp, boolean][] = [
    [
      'deleted branch',
      () => store.poll(url, 'doomed', signal),
      'RevisionNotFound',
      /no branch or tag "doomed" \(it has main\)/,
      false,
    ],
    ['short hash', () => store.poll(url, tip.slice(0, 8), signal), 'RevisionNotFound', /all 40 digits/, false],
    ['unknown hash', () => store.poll(url, 'f'.repeat(40), signal), 'RevisionNotFound', /is not in/, false],
    ['no revision', () => store.poll(url, '--upload-pack=x', signal), 'InvalidSource', /is no revision/, false],
    ['empty repository', () => store.poll(empty, 'main', signal), 'RevisionNotFound', /is empty: push a first commit/, false],
    [
      'empty repository, HEAD',
      () => store.poll(empty, 'HEAD', signal),
      'RevisionNotFound',
      /is empty: push a first commit/,
      false,
    ],
    [
      'no such repository',
      () => store.poll(`${server.url}/none.git`, 'main', signal),
      'RepositoryNotFound',
      /check spec.source.repoURL/,
      false,
    ],
    [
      'nobody there',
      () => store.poll('http://127.0.0.1:1/x.git', 'main', signal),
      'RepositoryUnreachable',
      /connection was refused/,
      true,
    ],
    ['path missing', () => store.treeAt(url, tip, 'wep'), 'PathNotFound', /wep is not in .* check spec.source.path/, false],
    ['path is a file', () => store.treeAt(url, tip, 'file'), 'PathNotFound', /is a blob, not a folder/, false],
    ['path escapes', () => store.treeAt(url, tip, 'web/../..'), 'SuspiciousName', /leads elsewhere/, false],
    ['ssh', () => store.poll('git@example.com:a/b.git', 'main', signal), 'InvalidSource', /ssh address/, false],
    ['a helper', () => store.poll('ext::sh -c id', 'main', signal), 'InvalidSource', /no repository address/, false],
    ['relative path', () => store.poll('some/where', 'main', signal), 'InvalidSource', /absolute path/, false],
    [
      'local path missing',
      () => store.poll(join(directory, 'nowhere'), 'main', signal),
      'RepositoryNotFound',
      /is no Git repository/,
      false,
    ],
  ]
  for (const [name, work, reason, message, transient] of cases) {
    const error = await failure(work())
    t.match({ reason: error.reason, message: error.message, transient: error.transient }, { reason, message, transient }, name)
  }
})

t.test('a server that is down or slow changes nothing, and is used again when it is back', async t => {
  const { url, copy, store, server, state } = await given(t)
  const tip = (await copy.push({ a: '1' })) as CommitSha
  await store.poll(url, 'main', signal)

  server.faults.down = true
  t.match(await failure(store.poll(url, 'main', signal)), { reason: 'RepositoryUnreachable', transient: true })
  server.faults.down = false
  server.faults.status = 503
  t.match((await failure(store.poll(url, 'main', signal))).message, /answered 503/)
  server.faults.status = 429
  t.match((await failure(store.poll(url, 'main', signal))).message, /slow down/)
  server.faults.status = 0
  server.faults.delayMs = 60_000
  const hasty = new GitStore({ directory: state, path, credentialsOf: () => null, limits: { listDeadlineMs: 100 } })
  t.teardown(() => hasty.close())
  t.match((await failure(hasty.poll(url, 'main', signal))).message, /did not answer in time/)
  t.equal((await (await store.treeAt(url, tip, '')).list()).length, 1)

  server.faults.delayMs = 0
  const next = await copy.push({ a: '2' })
  t.equal((await store.poll(url, 'main', signal)).tip, next)
})

t.test('an abort ends a poll with its own reason', async t => {
  const { url, copy, store, server } = await given(t)
  await copy.push({ a: '1' })
  server.faults.delayMs = 60_000
  const abort = new AbortController()

  const polled = store.poll(url, 'main', abort.signal)
  setTimeout(() => abort.abort(new Error('enough')), 50)

  await t.rejects(polled, { message: 'enough' })
})

t.test('more bytes than allowed are refused', async t => {
  const { url, copy, state } = await given(t)
  await copy.push({ big: Array.from({ length: 20_000 }, () => Math.random()).join('') })
  const small = new GitStore({ directory: state, path, credentialsOf: () => null, limits: { maxBytes: 10_000 } })
  t.teardown(() => small.close())

  t.match(await failure(small.poll(url, 'main', signal)), { reason: 'RepositoryTooLarge' })
})

const canary = 'c4nary-p4ssw0rd'
const accounts = [
  { username: 'x-access-token', password: canary, mayPush: true },
  { username: 'reader', password: `${canary}/@:2`, mayPush: false },
]

t.test('credentials work as token, as user and password, and in the URL; wrong ones are told apart', async t => {
  const { url, copy, newStore, state } = await given(t, { accounts })
  const tip = await copy.push({ a: '1' })
  const storeWith = (credentials: Credentials | null) => {
    const store = new GitStore({ directory: state, path, credentialsOf: () => credentials })
    t.teardown(() => store.close())
    return store
  }

  t.equal((await storeWith({ kind: 'token', token: canary }).poll(url, 'main', signal)).tip, tip)
  t.equal((await storeWith({ kind: 'basic', username: 'reader', password: `${canary}/@:2` }).poll(url, 'main', signal)).tip, tip)
  const inUrl = url.replace('://', `://reader:${encodeURIComponent(`${canary}/@:2`)}@`)
  t.equal((await newStore().poll(inUrl, 'main', signal)).tip, tip)
  for (const wrong of [null, { kind: 'token', token: `${canary}-old` } as const]) {
    t.match(await failure(storeWith(wrong).poll(url, 'main', signal)), {
      reason: 'Unauthenticated',
      transient: false,
      message: /401/,
    })
  }
})

t.test('a redirect to another host is not followed with credentials, one on the same host is', async t => {
  const { url, copy, store, server } = await given(t, { accounts, credentials: { kind: 'token', token: canary } })
  const thief = await startGitServer({ root: server.root, path })
  t.teardown(() => thief.close())
  await copy.push({ a: '1' })

  server.faults.redirectTo = thief.url
  const error = await failure(store.poll(url, 'main', signal))

  t.match(error, { reason: 'RedirectRefused', message: /credentials are not sent to another server/ })
  t.same(thief.requests, [])
})

t.test('no credential is in any file of the state directory or in any error', async t => {
  const { url, copy, newStore, state, server } = await given(t, { accounts })
  await copy.push({ a: '1' })
  const secret = url.replace('://', `://x-access-token:${canary}@`)
  const store = newStore()
  await store.poll(secret, 'main', signal)
  await copy.push({ a: '2' })
  await store.poll(secret, 'main', signal)

  const said: string[] = []
  const collect = async (work: Promise<unknown>) => said.push(inspect(await failure(work), { depth: 10, showHidden: true }))
  await collect(store.poll(secret, 'nowhere', signal))
  await collect(store.poll(secret.replace('shop', 'none'), 'main', signal))
  await collect(store.poll(`${secret}?token=${canary}`, 'main', signal))
  await collect(store.poll(`ftp://u:${canary}@host/x`, 'main', signal))
  await collect(store.poll(`ssh://u:${canary}@host/x`, 'main', signal))
  await collect(store.poll(url.replace('://', `://x-access-token:${canary}-old@`), 'main', signal))
  for (const status of [403, 404, 500]) {
    server.faults.status = status
    await collect(store.poll(secret, 'main', signal))
  }
  server.faults.status = 0
  server.faults.down = true
  await collect(store.poll(secret, 'main', signal))

  const basic = Buffer.from(`x-access-token:${canary}`).toString('base64')
  for (const text of [...said, ...(await filesUnder(state))]) {
    t.notOk(
      text.includes(canary) ||
        text.includes(basic.slice(0, 30)) ||
        text.includes(Buffer.from(canary).toString('base64').slice(0, 16)),
      text.slice(0, 200),
    )
  }
})

async function filesUnder(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile())
  return Promise.all(files.map(entry => readFile(join(entry.parentPath, entry.name), 'latin1')))
}

t.test('suspicious names are refused by name, and only where they are looked at', async t => {
  const { url, copy, store } = await given(t)
  const blob = await runGit(copy.directory, ['hash-object', '-w', '--stdin'], 'evil')
  const names = [
    '..',
    '.git',
    '.GIT',
    'git~1',
    '.g\u200cit',
    '.git ',
    'a\\b',
    'a\nb',
    '\u001b[2J',
    'x'.repeat(300),
    '．．',
    '%2e%2e',
  ]
  for (const name of names) {
    const evil = await runGit(copy.directory, ['mktree', '-z', '--missing'], `100644 blob ${blob}\t${name}\0`)
    const root = await runGit(copy.directory, ['mktree'], `040000 tree ${evil}\tevil\n100644 blob ${blob}\tgood\n`)
    const commit = await runGit(copy.directory, ['commit-tree', root, '-m', 'evil'])
    await copy.git('push', '--quiet', '--force', 'origin', `${commit}:refs/heads/evil`)
    const { tip } = await store.poll(url, 'evil', signal)

    const tree = await store.treeAt(url, tip, 'evil')
    const error = await failure(tree.list())

    t.match(error, { reason: 'SuspiciousName', message: /rename it/ }, JSON.stringify(name))
    t.notOk(/[\u0000-\u001f]/.test(error.message), 'the message is safe to print')
    t.ok(await tree.resolve('good'))
  }
})

t.test('value files are resolved inside the repository only', async t => {
  const { url, copy, store } = await given(t)
  await copy.commit({ 'web/a.yaml': 'a: 1', 'shared/values.yaml': 'v: 1' })
  execFileSync('ln', ['-s', '/etc/passwd', join(copy.directory, 'shared/passwd')])
  execFileSync('ln', ['-s', '../shared', join(copy.directory, 'web/link')])
  await copy.git('add', '--all')
  await copy.git('update-index', '--add', '--cacheinfo', `160000,${await copy.git('rev-parse', 'HEAD')},web/module`)
  await copy.git('commit', '--quiet', '-m', 'links')
  await copy.git('push', '--quiet', 'origin', 'main')
  const { tip } = await store.poll(url, 'main', signal)
  const tree = await store.treeAt(url, tip, 'web')

  t.same(
    (await tree.list()).map(({ path, kind }) => [path, kind]),
    [
      ['a.yaml', 'blob'],
      ['link', 'symlink'],
      ['module', 'submodule'],
    ],
  )
  t.ok(await tree.resolve('shared/values.yaml'))
  for (const name of [
    '../x',
    '/etc/passwd',
    'web/../../x',
    'shared\\values.yaml',
    'a\0b',
    '',
    './web/a.yaml',
    'shared/passwd',
    'web/link/values.yaml',
    'web/module/x',
    'web/%2e%2e/x',
    'file:///etc/passwd',
  ]) {
    t.match(await failure(tree.resolve(name)), { reason: 'SuspiciousName' }, JSON.stringify(name))
  }
})
