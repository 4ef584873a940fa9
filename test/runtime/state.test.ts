import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { mayBegin, noEndings, withEnding } from '../../runtime/endings.js'
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

/** What may have become of a file while nobody looked. */
const damages: Readonly<Record<string, (path: string) => void>> = {
  empty: path => writeFileSync(path, ''),
  'cut short': path => writeFileSync(path, readFileSync(path).subarray(0, -9)),
  garbage: path => writeFileSync(path, 'garbage'),
  gone: path => rmSync(path),
}
const files = ['documents/shop.doc', 'documents/other.doc', 'memory', 'endings']

/** A state with all of its files. */
async function filled(directory: string) {
  const state = openState(directory, key)
  await state.load()
  await state.saveDocument(document([secret]))
  await state.saveDocument(document([], { application: { name: 'other', uid: 'o' }, epoch: 5, generation: 2 }))
  await state.saveMemory(remembered)
  await state.forget('gone', withEnding(noEndings, 'gone', { epoch: 5, generation: 9 }))
  return state
}
const remembered = {
  shop: { '/Secret/shop/db': { uid: 'u', hash: 'h', generation: 1, attempt: 1, release: 'r', templateHash: '' } },
}

t.test('whichever file is broken, or its copy: nothing is lost, and it is said', async t => {
  for (const file of files)
    for (const [damage, spoil] of Object.entries(damages)) {
      const directory = t.testdir()
      await filled(directory)
      const whole = await openState(directory, key).load()

      spoil(join(directory, file))
      const { broken, ...loaded } = await openState(directory, key).load()
      const again = await openState(directory, key).load()
      spoil(join(directory, `${file}.copy`))
      const without = await openState(directory, key).load()

      t.same({ ...loaded, broken: [] }, whole, `${file} ${damage}`)
      t.match(broken, [new RegExp(`${file}(: | is missing).*its copy is used$`)], `${file} ${damage}`)
      t.same(again, whole, `${file} ${damage}: mended`)
      t.same(without, whole, `${file} ${damage}: the copy alone is nobody's loss`)
      t.equal(existsSync(join(directory, `${file}.broken`)), damage !== 'gone', 'what cannot be read is kept aside')
    }
})

t.test('a file and its copy broken: what is done without it is said, and the others load', async t => {
  const other = { name: 'new', uid: 'n' }
  for (const file of files) {
    const directory = t.testdir()
    await filled(directory)
    for (const path of [file, `${file}.copy`]) writeFileSync(join(directory, path), 'garbage')

    const { documents, memory, endings, broken } = await openState(directory, key).load()

    t.match(broken, [new RegExp(`${file}: .*kept as .*broken; `)], file)
    const names = ['other', 'shop'].filter(name => file !== `documents/${name}.doc`)
    t.same(documents.map(found => found.application.name).sort(), names, file)
    t.same(memory, file === 'memory' ? {} : remembered, file)
    if (!file.startsWith('documents')) continue
    // It had not ended: whatever its controller says of it begins again, though that is older than what ended since.
    const floor = { ...endings, floor: { epoch: 9, generation: 9 } }
    const [lost = ''] = ['shop', 'other'].filter(name => !names.includes(name))
    t.equal(mayBegin(floor, document([], { application: { name: lost, uid: 'u' }, epoch: 5, generation: 1 })), true)
    t.equal(mayBegin(floor, document([], { application: other, epoch: 5, generation: 1 })), false)
  }
})

t.test('endings that cannot be read: nothing of former epochs begins, and what is new does', async t => {
  const directory = t.testdir()
  await filled(directory)
  for (const path of ['endings', 'endings.copy']) writeFileSync(join(directory, path), 'garbage')

  const { endings } = await openState(directory, key).load()

  const other = (epoch: number) => document([], { application: { name: 'new', uid: 'n' }, epoch, generation: 1 })
  t.equal(mayBegin(endings, other(4)), false)
  t.equal(mayBegin(endings, other(5)), true)
})

t.test('what was forgotten is gone with its copy', async t => {
  const directory = t.testdir()
  const state = await filled(directory)

  await state.forget('shop', withEnding(noEndings, 'shop', { epoch: 1, generation: 1 }))

  t.same(readdirSync(join(directory, 'documents')).sort(), ['other.doc', 'other.doc.copy'])
})

t.test('what cannot be written says so, and leaves what was there', async t => {
  const directory = t.testdir({ documents: 'not a directory' })

  await t.rejects(openState(directory, key).saveDocument(document([])), /nothing new is obeyed until it can be written/)
})
