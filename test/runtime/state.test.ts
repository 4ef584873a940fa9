import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openState } from '../../runtime/state.js'
import { document, object } from '../support/node.js'

const key = new Uint8Array(32).fill(7)
const secret = object('v1', 'Secret', 'db', { stringData: { password: 'correct horse' } })

t.test('what was obeyed is there again after a start, tombstones included', async t => {
  const directory = t.testdir()
  const state = openState(directory, key)
  const memory = {
    shop: { '/Secret/shop/db': { uid: 'u', hash: 'h', generation: 1, attempt: 1, release: 'r', templateHash: '' } },
  }
  await state.load()
  const gone = document([], { application: { name: 'old/../app', uid: 'o' }, deleted: true, generation: 9 })

  await state.saveDocument(document([secret]))
  await state.saveDocument(document([secret], { generation: 2 }))
  await state.saveDocument(gone)
  await state.saveMemory(memory)

  const loaded = await openState(directory, key).load()
  t.same(loaded.documents.map(({ application, generation, deleted }) => [application.name, generation, deleted]).sort(), [
    ['old/../app', 9, true],
    ['shop', 2, false],
  ])
  t.same(
    loaded.documents.find(found => !found.deleted),
    document([secret], { generation: 2 }),
  )
  t.same(loaded.memory, memory)
  t.same(loaded.broken, [])
})

t.test('no Secret lies readable on the disk', async t => {
  const directory = t.testdir()
  const state = openState(directory, key)
  await state.load()
  await state.saveDocument(document([secret]))

  const file = readFileSync(join(directory, 'documents', 'shop.doc'))

  t.notOk(file.includes('correct horse'))
  t.notOk(file.includes('password'))
})

t.test('a file that does not open is kept aside and named, the others load', async t => {
  const directory = t.testdir()
  const state = openState(directory, key)
  await state.load()
  await state.saveDocument(document([secret]))
  await state.saveDocument(document([], { application: { name: 'other', uid: 'o' } }))
  writeFileSync(join(directory, 'documents', 'shop.doc'), 'torn')

  const loaded = await openState(directory, key).load()

  t.same(
    loaded.documents.map(found => found.application.name),
    ['other'],
  )
  t.match(loaded.broken, [/shop\.doc/])
  t.same(readdirSync(join(directory, 'documents')).sort(), ['other.doc', 'shop.doc.broken'])
})

t.test('what cannot be written says so, and leaves what was there', async t => {
  const directory = t.testdir({ documents: 'not a directory' })

  await t.rejects(openState(directory, key).saveDocument(document([])), /nothing new is obeyed until it can be written/)
})
