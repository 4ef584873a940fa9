import { join } from 'node:path'
import t from 'tap'
import { GitStore } from '../../controller/git/store.js'
import { startGitServer, temporaryDirectory, workingCopy } from '../support/git-server.js'

t.test('content that comes and goes and comes back, as reverts do, is read after every commit', async t => {
  const directory = await temporaryDirectory(t)
  const path = process.env.PATH ?? ''
  const server = await startGitServer({ root: join(directory, 'served'), path })
  t.teardown(() => server.close())
  const url = await server.create('shop')
  const copy = await workingCopy(join(directory, 'copy'), url)
  const line = (name: string) => Array.from({ length: 40 }, (_, at) => `${name} line ${at}\n`).join('')
  const content = (mark: string) => `${line('one')}${mark}\n${line('two')}`
  const newStore = () => {
    const store = new GitStore({ directory: join(directory, 'state'), path, credentialsOf: () => null })
    t.teardown(() => store.close())
    return store
  }
  const signal = AbortSignal.timeout(60_000)
  await copy.push({ 'a.yaml': content('start'), 'b.yaml': 'b: 1\n', 'c/d.yaml': 'd: 1\n' })
  await newStore().poll(url, 'main', signal)

  for (let count = 0; count < 16; count++) {
    const mark = `mark ${count % 2}`
    const pushed = await copy.push({ 'a.yaml': content(mark) })
    const store = newStore()
    const { tip } = await store.poll(url, 'main', signal)
    const tree = await store.treeAt(url, tip, '.')
    const [file] = await tree.list()
    const bytes = await tree.read(file?.oid ?? '')

    t.equal(tip, pushed)
    t.equal(Buffer.from(bytes).toString(), content(mark))
  }
})
