import t from 'tap'
import { type Endings, highestEpoch, mayBegin, noEndings, withEnding } from '../../runtime/endings.js'
import { openState } from '../../runtime/state.js'
import { document } from '../support/node.js'

const order = (epoch: number, generation: number) => ({ epoch, generation })

t.test('what may begin where nothing of its application is obeyed', async t => {
  const endings: Endings = { last: { shop: order(5, 3) }, floor: 4 }
  const rows: readonly (readonly [string, Partial<Parameters<typeof document>[1]>, boolean])[] = [
    ['newer than what ended', { epoch: 5, generation: 4 }, true],
    ['of a newer epoch', { epoch: 6, generation: 1 }, true],
    ['older than what ended', { epoch: 5, generation: 2 }, false],
    ['the same order, and nothing says that it is to end', { epoch: 5, generation: 3 }, false],
    ['the tombstone itself: somebody has not heard yet', { epoch: 5, generation: 3, deleted: true }, true],
    ['an older tombstone', { epoch: 5, generation: 2, deleted: true }, false],
    ['one never seen, of an epoch of which endings were dropped', { application: { name: 'new', uid: 'n' }, epoch: 4 }, false],
    ['one never seen, of a newer one', { application: { name: 'new', uid: 'n' }, epoch: 5 }, true],
  ]
  for (const [what, fields, expected] of rows) t.equal(mayBegin(endings, document([], fields)), expected, what)
  t.equal(mayBegin(noEndings, document([])), true)
  t.equal(highestEpoch(endings, []), 5)
  t.equal(highestEpoch(endings, [order(7, 1)]), 7)
  t.equal(highestEpoch(noEndings, []), 0)
})

t.test('endings of former epochs make room, the oldest first; those of the newest stay, for new ones begin in it', async t => {
  let endings = noEndings
  for (const [name, epoch, generation] of [
    ['a', 1, 9],
    ['b', 2, 1],
    ['c', 2, 7],
  ] as const)
    endings = withEnding(endings, name, order(epoch, generation), 3)
  t.same(Object.keys(endings.last), ['a', 'b', 'c'])
  t.equal(endings.floor, 0)

  endings = withEnding(endings, 'd', order(3, 1), 3)
  t.same(Object.keys(endings.last), ['b', 'c', 'd'])
  t.equal(endings.floor, 1)
  for (const name of ['e', 'f', 'g', 'h']) endings = withEnding(endings, name, order(3, 1), 3)

  t.same(Object.keys(endings.last), ['d', 'e', 'f', 'g', 'h'])
  t.equal(endings.floor, 2)
  for (const name of ['a', 'b', 'c'])
    for (const epoch of [1, 2])
      t.equal(
        mayBegin(endings, document([], { application: { name, uid: 'u' }, epoch, generation: 99 })),
        false,
        `${name} ${epoch}`,
      )
})

t.test('more endings than a call has room for arguments are compared like few', async t => {
  const last = Object.fromEntries(Array.from({ length: 200_000 }, (_, at) => [`a${at}`, order(1 + (at % 2), at)]))

  const endings = withEnding({ last, floor: 0 }, 'b', order(2, 1))

  t.equal(highestEpoch(endings, []), 2)
  t.equal(Object.keys(endings.last).length, 100_001)
  t.equal(endings.floor, 1)
})

t.test('a document that was forgotten is gone from the disk, and its last order is there', async t => {
  const directory = t.testdir()
  const state = openState(directory, new Uint8Array(32).fill(7))
  await state.load()
  await state.saveDocument(document([], { deleted: true, epoch: 5, generation: 3 }))

  await state.forget('shop', withEnding(noEndings, 'shop', order(5, 3)))

  const { documents, endings, broken } = await openState(directory, new Uint8Array(32).fill(7)).load()
  t.same(documents, [])
  t.same(broken, [])
  t.same(endings, { last: { shop: order(5, 3) }, floor: 0 })
})
