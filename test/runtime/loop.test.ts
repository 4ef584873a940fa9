import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { createLoop } from '../../runtime/loop.js'

function recorder(behave: (count: number) => Promise<{ wakeAt: number | null }>) {
  const starts: string[] = []
  const failures: number[] = []
  let together = 0
  let most = 0
  const loop = createLoop<string>({
    now: Date.now,
    backoffMs: { first: 5, longest: 20 },
    onFailure: (_key, _error, count) => void failures.push(count),
    pass: async key => {
      starts.push(key)
      most = Math.max(most, ++together)
      await delay(5)
      together -= 1
      return behave(starts.length)
    },
  })
  return { loop, starts, failures, most: () => most }
}

t.test('wakes during a pass lead to exactly one more pass, never two at once', async t => {
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  const { loop, starts, most } = recorder(async count => {
    if (count === 1) await held
    return { wakeAt: null }
  })

  for (let i = 0; i < 10; i++) loop.wake('shop')
  while (starts.length === 0) await delay(1)
  for (let i = 0; i < 10; i++) loop.wake('shop')
  release()
  while (starts.length < 2) await delay(1)
  await delay(60)
  await loop.stop('end of test')

  t.same(starts, ['shop', 'shop'])
  t.equal(most(), 1)
})

t.test('a failing pass is tried again with growing waits, and a success forgets them', async t => {
  const { loop, starts, failures } = recorder(async count => {
    if (count <= 3) throw new Error('down')
    return { wakeAt: null }
  })

  loop.wake('shop')
  while (starts.length < 4) await delay(5)
  await delay(40)
  await loop.stop('end of test')

  t.same(failures, [1, 2, 3])
  t.equal(starts.length, 4)
})

t.test('a pass that names a time is looked at again then, without a wake', async t => {
  const { loop, starts } = recorder(async count => ({ wakeAt: count === 1 ? Date.now() + 10 : null }))

  loop.wake('shop')
  while (starts.length < 2) await delay(5)
  await loop.stop('end of test')

  t.same(starts, ['shop', 'shop'])
})

t.test('after stop nothing begins', async t => {
  const { loop, starts } = recorder(async () => ({ wakeAt: null }))

  await loop.stop('end of test')
  loop.wake('shop')
  await delay(20)

  t.same(starts, [])
})
