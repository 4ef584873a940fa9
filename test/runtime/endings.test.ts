import t from 'tap'
import {
  type Endings,
  endingsLost,
  highestEpoch,
  mayBegin,
  noEndings,
  readEndings,
  withEnding,
  withUnread,
} from '../../runtime/endings.js'
import { openState } from '../../runtime/state.js'
import { document } from '../support/node.js'

const other = { name: 'new', uid: 'n' }
const order = (epoch: number, generation: number) => ({ epoch, generation })

t.test('what may begin where nothing of its application is obeyed', async t => {
  const endings: Endings = { last: { shop: order(5, 3) }, floor: order(5, 2) }
  const rows: readonly (readonly [string, Partial<Parameters<typeof document>[1]>, boolean])[] = [
    ['newer than what ended', { epoch: 5, generation: 4 }, true],
    ['of a newer epoch', { epoch: 6, generation: 1 }, true],
    ['older than what ended', { epoch: 5, generation: 2 }, false],
    ['the same order, and nothing says that it is to end', { epoch: 5, generation: 3 }, false],
    ['the tombstone itself: somebody has not heard yet', { epoch: 5, generation: 3, deleted: true }, true],
    ['an older tombstone', { epoch: 5, generation: 2, deleted: true }, false],
    ['one never seen, of an epoch before an ending that was dropped', { application: other, epoch: 4, generation: 9 }, false],
    ['one never seen, not after an ending that was dropped', { application: other, epoch: 5, generation: 2 }, false],
    ['one never seen, after it', { application: other, epoch: 5, generation: 3 }, true],
    ['one never seen, of a newer epoch', { application: other, epoch: 6, generation: 1 }, true],
  ]
  for (const [what, fields, expected] of rows) t.equal(mayBegin(endings, document([], fields)), expected, what)
  t.equal(mayBegin(noEndings, document([])), true)
  t.equal(highestEpoch(endings, []), 5)
  t.equal(highestEpoch(endings, [order(7, 1)]), 7)
  t.equal(highestEpoch(noEndings, []), 0)
})

t.test('endings do not grow without bound, not even in one epoch, and nothing that ended is obeyed again', async t => {
  const most = 50
  let [endings, begun] = [noEndings, order(1, 0)]
  const ended: { readonly name: string; readonly last: { readonly epoch: number; readonly generation: number } }[] = []
  for (let count = 0; count < 1_000; count++) {
    if (count === 300) begun = order(2, 0)
    // As the controller has it: what begins, begins after all that has ended; each lives for a while, some longer than others.
    const name = `a${count}`
    const first = order(begun.epoch, begun.generation + 1)
    t.ok(mayBegin(endings, document([], { application: { name, uid: 'u' }, ...first })), `${name} may begin`)
    const last = order(first.epoch, first.generation + (count % 7))
    endings = withEnding(endings, name, last, most)
    begun = order(last.epoch, Math.max(begun.generation, last.generation))
    ended.push({ name, last })
    t.ok(Object.keys(endings.last).length <= most)
  }
  for (const { name, last } of ended)
    t.equal(mayBegin(endings, document([], { application: { name, uid: 'u' }, ...last })), false, name)
})

t.test('an ending that is older than those which were dropped takes nothing back', async t => {
  const endings = { last: { a: order(5, 8), b: order(5, 9) }, floor: order(5, 7) }

  const next = withEnding(endings, 'late', order(4, 1), 2)

  t.same(next, endings)
})

t.test('more endings than a call has room for arguments are compared like few', async t => {
  const last = Object.fromEntries(Array.from({ length: 200_000 }, (_, at) => [`a${at}`, order(1 + (at % 2), at)]))

  const endings = withEnding({ last, floor: order(0, 0) }, 'b', order(2, 1))

  t.equal(highestEpoch(endings, []), 2)
  t.equal(Object.keys(endings.last).length, 5_000)
  t.same(endings.floor, order(2, 189_999))
})

t.test('what lay on the disk: of now, of a former version, and what is none', async t => {
  const last = { shop: order(5, 3) }
  t.same(readEndings({ last, floor: order(4, 2) }), { last, floor: order(4, 2) })
  t.same(readEndings({ last, floor: 0 }), { last, floor: order(0, 0) })
  t.same(readEndings({ last, floor: 4 }), { last, floor: order(4, Number.MAX_SAFE_INTEGER) })
  for (const none of [null, 7, [], {}, { last }, { last: null, floor: 1 }, { last: { a: 1 }, floor: 1 }, { last, floor: {} }])
    t.throws(() => readEndings(none), /no endings/)
})

t.test('where endings are lost nothing of former epochs begins, and all of this one does', async t => {
  const endings = endingsLost([order(5, 9), order(3, 1)])
  t.equal(mayBegin(endings, document([], { application: other, epoch: 4, generation: 99 })), false)
  t.equal(mayBegin(endings, document([], { application: other, epoch: 5, generation: 1 })), true)
  t.same(endingsLost([]), noEndings)
})

t.test('what was obeyed here and cannot be read has not ended: it may begin again', async t => {
  const endings = withUnread({ last: { gone: order(5, 9) }, floor: order(5, 7) }, ['shop', 'gone'])
  t.equal(mayBegin(endings, document([], { epoch: 5, generation: 1 })), true)
  t.equal(mayBegin(endings, document([], { application: { name: 'gone', uid: 'g' }, epoch: 5, generation: 1 })), false)
  t.equal(mayBegin(endings, document([], { application: other, epoch: 5, generation: 1 })), false)
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
  t.same(endings, { last: { shop: order(5, 3) }, floor: order(0, 0) })
})
