// Who may begin anything: only who holds the lease, and has read the store since.
import t from 'tap'
import { createLeading } from '../../controller/leading.js'
import { until } from '../support/controller.js'

/** Reads end when they are let: each by its epoch. */
function opened(test: { teardown(end: () => unknown): void }) {
  const ending = new AbortController()
  test.teardown(() => ending.abort())
  const state = { epoch: null as number | null, began: [] as number[], reads: 0, failures: 0 }
  const reads = new Map<number, { readonly done: () => void; readonly fail: (error: Error) => void }>()
  const leading = createLeading(
    {
      epoch: () => state.epoch,
      read: gained => {
        state.reads += 1
        return new Promise((done, fail) => reads.set(gained, { done, fail }))
      },
      began: epoch => state.began.push(epoch),
      failed: () => {
        state.failures += 1
      },
    },
    ending.signal,
  )
  const gain = (epoch: number) => {
    state.epoch = epoch
    leading.gained(epoch)
  }
  const ofEpoch = (epoch: number) => until(`a read for ${epoch}`, () => reads.get(epoch))
  return { state, leading, gain, ofEpoch, reads }
}

t.test('nothing begins before what was stored is read; what is known then can be asked', async t => {
  const { state, leading, gain, ofEpoch } = opened(t)
  gain(5)
  t.same([leading.isLeading(), leading.hasRead()], [false, false])

  const first = await ofEpoch(5)
  first.done()
  await until('it begins', () => leading.isLeading())

  t.same([leading.hasRead(), state.began], [true, [5]])
})

t.test('a lease that was lost and gained again is read for anew: another may have written in between', async t => {
  const { state, leading, gain, ofEpoch } = opened(t)
  gain(5)
  ;(await ofEpoch(5)).done()
  await until('it begins', () => leading.isLeading())

  state.epoch = null
  t.same([leading.isLeading(), leading.hasRead()], [false, true], 'what was known may be asked while another leads')
  gain(9)
  t.same([leading.isLeading(), leading.hasRead()], [false, false])
  ;(await ofEpoch(9)).done()
  await until('it begins', () => leading.isLeading())
  t.same(state.began, [5, 9])
})

t.test('a read that ends after its lease was lost lets nothing begin', async t => {
  const { state, leading, gain, ofEpoch } = opened(t)
  gain(5)
  const slow = await ofEpoch(5)
  state.epoch = null
  gain(9)

  slow.done()
  const second = await ofEpoch(9)
  t.equal(leading.isLeading(), false)
  second.done()
  await until('it begins', () => leading.isLeading())
  t.same(state.began, [9])
})

t.test('a read that fails is tried again, but not for a lease that is gone', async t => {
  const { state, leading, gain, ofEpoch, reads } = opened(t)
  gain(5)
  const failing = await ofEpoch(5)
  reads.clear()
  failing.fail(new Error('NATS does not answer'))
  ;(await ofEpoch(5)).fail(new Error('NATS does not answer'))
  await until('it failed twice', () => state.failures === 2)
  gain(9)
  ;(await ofEpoch(9)).done()
  await until('it begins', () => leading.isLeading())

  t.same([state.began, state.reads], [[9], 3])
})
