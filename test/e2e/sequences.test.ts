// Sequences that must come out right (release.md), on the real thing: 2, 3, 4, 6, 7 and the moved tag of 15.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { application } from '../support/applications.js'
import { lives, startSlipway } from '../support/slipway.js'
import { deployment, documents, loadWebImage, removeImages, type WebOptions, web } from '../support/web.js'

t.setTimeout(300_000)
const slipway = await startSlipway(t)
const { image, id } = await loadWebImage(slipway)
const files = (options: Partial<WebOptions> = {}) => ({ 'web.yaml': web({ image, replicas: 1, ...options }) })
/** Longer than the rest of the test unless something is wrong: what waits for it is judged by hand. */
const patient = { healthTimeout: '60s' }

await t.test('2: a bad release is judged and rolled back although a broken template came meanwhile', async t => {
  const app = await application(slipway, 'two')
  const good = await app.push(files())
  await app.declare()
  await app.settled(good, 'Healthy')

  const bad = await app.push(files({ behaviour: 'crash' }))
  await app.until('under way', view => view.attempt?.release?.commit === bad && view.attempt.times.applied !== '')
  const broken = await app.push({ 'web.yaml': 'kind: [\n' })
  const view = await app.until(
    'held, on the good release',
    seen => seen.state === 'Held' && seen.candidate?.commit === broken && seen.release?.commit === good,
  )

  const outcomes = (await app.history()).map(attempt => [attempt.release?.commit, attempt.outcome])
  t.ok(outcomes.some(([commit, outcome]) => commit === bad && outcome === 'RolledBack'))
  t.match(view.message, /web\.yaml:\d+:\d+/)
})

await t.test('3: a newer commit supersedes at once; when that one is bad, the last that was healthy runs', async t => {
  const app = await application(slipway, 'three', { rollout: patient })
  const one = await app.push(files({ message: 'one' }))
  await app.declare()
  await app.settled(one, 'Healthy')

  const two = await app.push(files({ message: 'two', behaviour: 'never-ready' }))
  await app.until('under way', view => view.attempt?.release?.commit === two && view.attempt.times.applied !== '')
  const three = await app.push(files({ message: 'three', behaviour: 'crash' }))
  const view = await app.settled(three, 'RolledBack')

  t.equal(view.release?.commit, one)
  const ends = Object.fromEntries((await app.history()).map(attempt => [attempt.release?.commit, attempt.outcome]))
  t.equal(ends[two], 'Superseded')
  t.equal(ends[three], 'RolledBack')
})

await t.test('4: the good release serves while the image of the next is not there; it goes forward once it is', async t => {
  const app = await application(slipway, 'four')
  const later = `slipway-e2e/${slipway.node}:later`
  const good = await app.push(files({ message: 'good' }))
  await app.declare()
  await app.settled(good, 'Healthy')
  const bad = await app.push(files({ behaviour: 'crash' }))
  await app.settled(bad, 'RolledBack')
  const before = await lives(slipway, 'four')

  const early = await app.push(files({ image: later, message: 'later' }))
  const held = await app.settled(early, 'Held')
  const during = await lives(slipway, 'four')
  await loadWebImage(slipway, 'later', 'another image')
  const view = await app.settled(early, 'Healthy')

  t.match(held.message, /:later/)
  t.same(during, before)
  t.equal(held.release?.commit, good)
  t.equal(view.release?.commit, early)
})

await t.test('6: a first release that fails is left, recovers by itself, and the next releases over it', async t => {
  const app = await application(slipway, 'six', { rollout: { healthTimeout: '4s' } })
  const untold = deployment({ image, replicas: 1, behaviour: 'until-told', served: slipway.shared })
  const first = await app.push({ 'web.yaml': documents([untold]) })
  await app.declare()
  const failed = await app.settled(first, 'Failed')
  writeFileSync(join(slipway.shared, 'go'), '')
  const recovered = await app.settled(first, 'Healthy')
  const second = await app.push(files({ message: 'next' }))
  const view = await app.settled(second, 'Healthy')

  t.match(failed.message, /bad/)
  t.equal(recovered.release?.commit, first)
  t.equal((await app.history()).find(attempt => attempt.number === 1)?.outcome, 'Healthy')
  t.equal(view.release?.commit, second)
})

await t.test('7: of fifty quick pushes the last one ends healthy and nothing is left over', async t => {
  const app = await application(slipway, 'seven')
  const first = await app.push(files({ message: '0' }))
  await app.declare()
  await app.settled(first, 'Healthy')

  let last = first
  for (let count = 1; count <= 50; count++) last = await app.push(files({ message: String(count) }))
  const view = await app.settled(last, 'Healthy')

  t.equal(view.release?.commit, last)
  const open = (await app.history()).filter(attempt => attempt.outcome === null || attempt.outcome === 'Held')
  t.same(open, [])
  t.ok((await app.history()).every(attempt => ['Healthy', 'Superseded'].includes(attempt.outcome ?? '')))
  t.equal((await slipway.containers('seven')).length, 1)
})

await t.test('15: going back runs the image that ran, although its tag means another by now', async t => {
  const app = await application(slipway, 'fifteen')
  const moving = await loadWebImage(slipway, 'moving')
  const good = await app.push(files({ image: moving.image }))
  await app.declare()
  await app.settled(good, 'Healthy')
  const moved = await loadWebImage(slipway, 'moving', 'moved')

  const bad = await app.push(files({ image: moving.image, message: 'two', behaviour: 'crash' }))
  await app.settled(bad, 'RolledBack')
  const scaled = (await slipway.containers('fifteen')).map(container => container.image)

  t.equal(moving.id, id)
  t.not(moved.id, id)
  t.same(scaled, [id])
})

await t.test('slipway down --purge leaves nothing behind', async t => {
  t.same(await slipway.end(), [])
  await removeImages(slipway, '1', 'later', 'moving')
})
