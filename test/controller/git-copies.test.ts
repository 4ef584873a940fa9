// Remotes of other kinds, and copies of the controller's own that were damaged, deleted or grew old.
import { execFileSync } from 'node:child_process'
import { readdir, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { CommitSha } from '../../controller/release.js'
import { failure, given, signal, text } from '../support/git-store.js'

t.test('a local path works as a remote, bare or not, by path or file URL', async t => {
  const { copy, store, server } = await given(t)
  const first = await copy.push({ 'a b.yaml': '1' })
  await copy.git('tag', '-a', 'v1', '-m', 'one')
  for (const url of [copy.directory, `file://${copy.directory}`, join(server.root, 'shop.git')]) {
    t.equal((await store.poll(url, 'main', signal)).tip, first, url)
  }
  t.equal((await store.poll(copy.directory, 'v1', signal)).tip, first)
  t.equal((await store.poll(copy.directory, first, signal)).tip, first)

  const second = await copy.commit({ 'a b.yaml': '2' })
  const { tip, ref } = await store.poll(copy.directory, 'HEAD', signal)
  const tree = await store.treeAt(copy.directory, tip, '.')

  t.same([tip, ref], [second, 'refs/heads/main'])
  t.equal(text(await tree.read((await tree.list())[0]!.oid)), '2')
})

t.test('a damaged copy is thrown away and cloned anew', async t => {
  const { url, copy, newStore, state } = await given(t)
  const tip = (await copy.push({ 'web/a.yaml': 'a: 1\n' })) as CommitSha
  await newStore().poll(url, 'main', signal)
  const [name] = await readdir(state)
  const folder = join(state, name!, 'objects/pack')
  const pack = (await readdir(folder)).find(file => file.endsWith('.pack'))!
  await truncate(join(folder, pack), 40)

  const store = newStore()
  const again = await store.poll(url, 'main', signal)

  t.equal(again.tip, tip)
  t.equal((await (await store.treeAt(url, tip, 'web')).list()).length, 1)
})

t.test('a deleted copy, or one without its configuration, is made again', async t => {
  const { url, copy, store, state } = await given(t)
  const tip = (await copy.push({ a: '1' })) as CommitSha
  await store.poll(url, 'main', signal)
  const [name] = await readdir(state)
  execFileSync('rm', ['-rf', join(state, name!)])
  t.equal((await store.poll(url, 'main', signal)).tip, tip)
  execFileSync('rm', [join(state, name!, 'config')])
  const next = await copy.push({ a: '2' })

  await store.poll(url, 'main', signal).catch(() => {})
  const { tip: found } = await store.poll(url, 'main', signal)

  t.equal(found, next)
  t.equal((await (await store.treeAt(url, found, '')).list()).length, 1)
})

t.test('more than fifty packs are cloned anew, all followed refs with them', async t => {
  const { url, copy, store, state } = await given(t)
  await copy.push({ a: '0' })
  await copy.git('push', '--quiet', 'origin', 'main:other')
  const other = await store.poll(url, 'other', signal)
  for (let i = 1; i <= 54; i++) {
    await copy.push({ a: String(i) })
    await store.poll(url, 'main', signal)
  }

  const [name] = await readdir(state)
  const packs = (await readdir(join(state, name!, 'objects/pack'))).filter(file => file.endsWith('.pack'))
  t.ok(packs.length < 20, `${packs.length} packs`)
  t.equal((await (await store.treeAt(url, other.tip, '')).list()).length, 1)
  t.equal(execFileSync('git', ['-C', join(state, name!), 'fsck', '--no-dangling'], { encoding: 'utf8' }), '')
})

t.test('a server of the old protocol is followed as well: branches, tags, hashes, rewritten history', async t => {
  const { url, copy, store, server } = await given(t)
  server.faults.old = true
  const first = await copy.push({ a: '1', 'web/b': '1' })
  await copy.git('tag', '-a', 'v1', '-m', 'one')
  await copy.git('push', '--quiet', 'origin', 'v1')
  t.equal((await store.poll(url, 'main', signal)).tip, first)
  const second = await copy.push({ a: '2' })
  t.equal((await store.poll(url, 'HEAD', signal)).tip, second)
  await copy.git('commit', '--quiet', '--amend', '-m', 'rewritten')
  await copy.git('push', '--quiet', '--force', 'origin', 'main')

  const { tip } = await store.poll(url, 'main', signal)

  t.equal(tip, await copy.git('rev-parse', 'HEAD'))
  t.equal((await (await store.treeAt(url, tip, '')).list()).length, 2)
  t.equal((await store.poll(url, 'v1', signal)).tip, first)
  t.equal((await store.poll(url, first, signal)).tip, first)
  t.match(await failure(store.poll(url, 'f'.repeat(40), signal)), { reason: 'RevisionNotFound' })
})

t.test('many polls of many refs at once disturb each other in nothing', async t => {
  const { url, copy, store, newStore } = await given(t)
  const tips: Record<string, string> = {}
  for (let i = 0; i < 6; i++) {
    await copy.git('checkout', '--quiet', '--orphan', `b${i}`)
    tips[`b${i}`] = await copy.push({ a: String(i) })
  }

  const polled = await Promise.all(
    Object.keys(tips).flatMap(branch => [store.poll(url, branch, signal), store.poll(url, branch, signal)]),
  )

  t.same(
    polled.map(({ tip }) => tip),
    Object.values(tips).flatMap(tip => [tip, tip]),
  )
  for (const tip of Object.values(tips)) t.equal((await (await newStore().treeAt(url, tip as CommitSha, '')).list()).length, 1)
})
