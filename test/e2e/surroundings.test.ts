// What is not the release's doing (sequences 5, 10, 11 and 12 of release.md): a rollback that finds no health, a registry that is busy,
// a database that is down, a person who pauses a rollback. Beside each other on one Slipway, each an application of its own.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { application, lines } from '../support/applications.js'
import { busyboxParts } from '../support/archive.js'
import { startImageServer } from '../support/image-server.js'
import { waitUntil } from '../support/machine.js'
import { lives, startSlipway } from '../support/slipway.js'
import { documents, job, loadWebImage, removeImages, type WebOptions, web, webImage } from '../support/web.js'

t.setTimeout(300_000)
const patienceMs = 120_000
t.jobs = 4
const registry = await startImageServer()
t.teardown(() => registry.close())
const slipway = await startSlipway(t)
const { image } = await loadWebImage(slipway)
const files = (options: Partial<WebOptions> = {}) => ({ 'web.yaml': web({ image, replicas: 1, ...options }) })
const at = (name: string) => join(slipway.shared, name)
const exists = (name: string) => `[ -e /served/${name} ]`

/** A command for the image: something first, then its server. */
const after = (script: string) => ({ command: ['/bin/sh', '-c', `${script}\nexec /bin/sh /app/server.sh`] })
const crashWithout = (name: string) => after(`${exists(name)} || { echo "no connection to ${name}"; exit 1; }`)
const recreate = { strategy: { type: 'Recreate' } }

const sequences: Promise<unknown>[] = []
const beside = (name: string, sequence: (t: Test) => Promise<void>) => {
  sequences.push(t.test(name, { buffered: true }, sequence))
}

// the longest first
beside('10: busy in mid-rollout, it is rolled back, tried again later and released, and never bad', async t => {
  const app = await application(slipway, 'ten-b', { patienceMs, rollout: { healthTimeout: '20s' } })
  const good = await app.push(files())
  await app.declare()
  await app.settled(good, 'Healthy')
  const before = await lives(slipway, 'ten-b')

  const tagged = registry.put('ten-b/web:2', busyboxParts(webImage('', `${slipway.node} b`)))
  const hook = job('slow', image, `until ${exists('ten-b')}; do sleep 0.1; done`, { hook: 'PreSync', served: slipway.shared })
  const next = await app.push({ ...files({ image: tagged, message: 'two' }), 'hook.yaml': documents([hook]) })
  await app.until('its hook runs', view => view.attempt?.release?.commit === next && view.attempt.times.applied !== '')
  await slipway.docker.images.remove((await slipway.docker.images.inspect(tagged)).Id)
  registry.faults.status = 429
  writeFileSync(at('ten-b'), '')
  const back = await app.settled(next, 'RolledBack')
  const during = await lives(slipway, 'ten-b')
  registry.faults.status = 0
  const view = await app.settled(next, 'Healthy', 120_000)
  const history = await app.history()

  t.equal(back.release?.commit, good)
  t.equal(back.attempt?.verdict?.kind, 'surroundings')
  t.match(back.message, /toomanyrequests/)
  t.notMatch(back.message, /is bad/)
  t.same(during, before, 'what ran before was not touched')
  t.equal(view.release?.commit, next)
  t.same(
    history.map(attempt => [attempt.outcome, attempt.cause]),
    [
      ['Healthy', 'surroundings'],
      ['RolledBack', 'commit'],
      ['Healthy', 'commit'],
    ],
  )
  await slipway.docker.images.remove(tagged)
})

beside('5: a rollback that does not become healthy has failed, and the next release is tried', async t => {
  const app = await application(slipway, 'five', { patienceMs, rollout: { healthTimeout: '20s' } })
  writeFileSync(at('five'), '')
  const good = await app.push(files({ served: slipway.shared, container: crashWithout('five'), deployment: recreate }))
  await app.declare()
  await app.settled(good, 'Healthy')
  rmSync(at('five'))

  const bad = await app.push(files({ behaviour: 'crash', deployment: recreate }))
  const back = await app.until('rolling back', view => view.state === 'RollingBack' && view.candidate?.commit === bad)
  // Between two crashes its pods are only starting.
  const failed = await app.until('failed, and ill', view => view.state === 'Failed' && view.health.status === 'Degraded')
  const next = await app.push(files({ message: 'next', deployment: recreate }))
  const view = await app.settled(next, 'Healthy')

  t.equal(back.release?.commit, good)
  t.equal(failed.health.status, 'Degraded')
  t.equal(failed.release?.commit, good, 'nothing older is tried by itself')
  t.match(failed.message, /The rollback to r1 did not become healthy/)
  t.equal(view.release?.commit, next)
  t.same(
    (await app.history()).map(attempt => attempt.outcome),
    ['Healthy', 'Failed', 'Healthy'],
  )
})

beside('5: a rollback that failed and turns healthy by itself is one', async t => {
  const app = await application(slipway, 'five-b', { patienceMs, rollout: { healthTimeout: '20s' } })
  writeFileSync(at('five-b'), '')
  const good = await app.push(files({ served: slipway.shared, container: crashWithout('five-b'), deployment: recreate }))
  await app.declare()
  await app.settled(good, 'Healthy')
  rmSync(at('five-b'))

  const bad = await app.push(files({ behaviour: 'crash', deployment: recreate }))
  await app.settled(bad, 'Failed')
  writeFileSync(at('five-b'), '')
  const view = await app.settled(bad, 'RolledBack')

  t.equal(view.release?.commit, good)
  t.match(view.why.next.join(' '), /not tried again until its content changes/)
  t.equal((await app.history()).length, 2)
})

beside('10: while the registry is busy a release is held, then released by itself', async t => {
  const busy = await startImageServer()
  t.teardown(() => busy.close())
  const app = await application(slipway, 'ten', { patienceMs })
  const good = await app.push(files())
  await app.declare()
  await app.settled(good, 'Healthy')
  const before = await lives(slipway, 'ten')

  busy.faults.status = 429
  const tagged = busy.put('ten/web:2', busyboxParts(webImage('', slipway.node)))
  const waiting = await app.push(files({ image: tagged, message: 'two', container: { imagePullPolicy: 'Always' } }))
  const held = await app.settled(waiting, 'Held')
  const during = await lives(slipway, 'ten')
  const asked = busy.requests.length
  await waitUntil('asked again by itself', patienceMs, () => busy.requests.length > asked)
  busy.faults.status = 0
  const view = await app.settled(waiting, 'Healthy')

  t.match(held.message, /ten\/web:2: toomanyrequests/)
  t.match(held.message, /[Nn]othing that runs was touched/)
  t.equal(held.release?.commit, good)
  t.same(during, before)
  t.equal(view.release?.commit, waiting)
  t.same(
    (await app.history()).map(attempt => [attempt.outcome, attempt.verdict]),
    [
      ['Healthy', null],
      ['Healthy', null],
    ],
    'one line of history, no verdict',
  )
  await slipway.docker.images.remove(tagged)
})

/** A single pod that writes to the host would be released stop-first. */
const twice = { replicas: 2, served: slipway.shared }
/** Serves only while the database is there, and turns unready without it. */
const probing = (name: string) => ({
  readinessProbe: {
    exec: { command: ['/bin/sh', '-c', `${exists(name)} && [ -e /www/ready ]`] },
    periodSeconds: 1,
    timeoutSeconds: 20,
    failureThreshold: 1,
  },
})

/** It waits for a word before it serves, and ends as soon as the database is gone. */
const ending = (name: string, word: string) =>
  after(`echo ${word} >>/served/${name}-starts
${exists(name)} || { echo "no connection to ${name}"; exit 1; }
until ${exists(word)} || ! ${exists(name)}; do sleep 0.1; done
${exists(name)} || { echo "lost connection to ${name}"; exit 1; }`)
const started = (name: string, word: string) => lines(at(`${name}-starts`)).filter(line => line === word).length

beside('11: while the database is down a rollout is judged by nobody; once it is back it goes on', async t => {
  const app = await application(slipway, 'eleven', { patienceMs, rollout: { healthTimeout: '60s' } })
  const db = (options: Partial<WebOptions>) => files({ ...twice, probes: probing('eleven'), ...options })
  writeFileSync(at('eleven'), '')
  const good = await app.push(db({ message: 'one' }))
  await app.declare()
  await app.settled(good, 'Healthy')

  const next = await app.push(db({ message: 'two', container: ending('eleven', 'two') }))
  await waitUntil('the new release runs', patienceMs, () => started('eleven', 'two') === 1)
  rmSync(at('eleven'))
  await waitUntil('it ended often enough to be judged', patienceMs, () => started('eleven', 'two') >= 5)
  const during = await app.view()
  writeFileSync(at('two'), '')
  writeFileSync(at('eleven'), '')
  const view = await app.settled(next, 'Healthy')

  t.equal(during.state, 'Releasing')
  t.equal(during.attempt?.release?.commit, next)
  t.equal(during.attempt?.verdict, null)
  t.equal(view.release?.commit, next)
  t.same(
    (await app.history()).map(attempt => attempt.outcome),
    ['Healthy', 'Healthy'],
  )
})

beside('11: down for the health timeout, the surroundings are blamed, and it is to be tried again by itself', async t => {
  const app = await application(slipway, 'eleven-b', { patienceMs, rollout: { healthTimeout: '20s' } })
  const db = (options: Partial<WebOptions>) => files({ ...twice, probes: probing('eleven-b'), ...options })
  writeFileSync(at('eleven-b'), '')
  const good = await app.push(db({ message: 'one' }))
  await app.declare()
  await app.settled(good, 'Healthy')
  const before = await lives(slipway, 'eleven-b')

  const next = await app.push(db({ message: 'two', container: ending('eleven-b', 'two-b') }))
  await waitUntil('the new release runs', patienceMs, () => started('eleven-b', 'two-b') === 1)
  rmSync(at('eleven-b'))
  const judged = await app.until('judged', view => view.attempt?.verdict != null)
  const during = await lives(slipway, 'eleven-b')
  writeFileSync(at('two-b'), '')
  writeFileSync(at('eleven-b'), '')
  const back = await app.settled(next, 'RolledBack')

  t.equal(judged.attempt?.verdict?.kind, 'surroundings')
  t.ok(started('eleven-b', 'two-b') > 3, 'it had ended often enough to be judged at once')
  t.ok(
    before.every(life => during.includes(life)),
    'what ran before was not touched',
  )
  t.equal(back.release?.commit, good)
  t.notMatch(back.message, /is bad/)
  t.match(back.message, /tried again in \d+ s/)
})

beside('11: with the database down nothing that was healthy is rolled back, and a release that comes is not blamed', async t => {
  const app = await application(slipway, 'eleven-c', { patienceMs, rollout: { healthTimeout: '60s' } })
  const db = (options: Partial<WebOptions>) => files({ ...twice, probes: probing('eleven-c'), ...options })
  writeFileSync(at('eleven-c'), '')
  await app.push(db({ message: 'one' }))
  await app.declare()
  await app.until('healthy', view => view.state === 'Healthy')
  const good = await app.push(db({ message: 'two' }))
  await app.settled(good, 'Healthy')
  const before = await lives(slipway, 'eleven-c')

  rmSync(at('eleven-c'))
  const ill = await app.until('degraded', view => view.state === 'Degraded')
  const next = await app.push(db({ message: 'three', container: ending('eleven-c', 'three') }))
  await waitUntil('it ended often enough to be judged', patienceMs, () => started('eleven-c', 'three') >= 5)
  const during = await app.view()
  const running = await lives(slipway, 'eleven-c')
  writeFileSync(at('three'), '')
  writeFileSync(at('eleven-c'), '')
  const view = await app.settled(next, 'Healthy')

  t.equal(ill.release?.commit, good)
  t.equal(during.attempt?.verdict, null)
  t.ok(
    before.every(life => running.includes(life)),
    'what ran before was not touched',
  )
  t.equal(view.release?.commit, next)
})

const act = (name: string, what: string) => slipway.client.call('POST', `/api/v1/applications/${name}/${what}`, {})

beside('12: paused in the middle of a rollback it stays where it is, however long; resumed, it goes on', async t => {
  const app = await application(slipway, 'twelve', { patienceMs, rollout: { healthTimeout: '15s' } })
  writeFileSync(at('twelve'), '')
  const waiting = after(`until ${exists('twelve')}; do sleep 0.1; done`)
  const good = await app.push(files({ served: slipway.shared, container: waiting, deployment: recreate }))
  await app.declare()
  await app.settled(good, 'Healthy')
  rmSync(at('twelve'))

  const bad = await app.push(files({ behaviour: 'crash', deployment: recreate }))
  await app.until('rolling back', view => view.state === 'RollingBack' && view.candidate?.commit === bad)
  await act('twelve', 'pause')
  await waitUntil(
    'only its pods are left, and run',
    60_000,
    async () => (await slipway.containers('twelve', true)).map(({ state }) => state).join() === 'running',
  )
  const before = await lives(slipway, 'twelve')
  await delay(17_000) // longer than the health timeout, after which a rollback that runs has failed
  const stuck = await app.view()
  await act('twelve', 'resume')
  const resumed = await app.until('resumed', view => view.state !== 'Paused')
  await act('twelve', 'pause')
  writeFileSync(at('twelve'), '')
  await app.until('the good pods are ready', view => view.health.status === 'Healthy')
  const paused = await app.view()
  const during = await lives(slipway, 'twelve')
  await act('twelve', 'resume')
  const view = await app.settled(bad, 'RolledBack')

  t.equal(resumed.state, 'RollingBack', 'the time of the pause does not count')
  for (const seen of [stuck, paused]) t.match(seen, { state: 'Paused', attempt: { outcome: null, step: 'RollingBack' } })
  t.same(during, before)
  t.equal(view.release?.commit, good)
  t.same(
    (await app.history()).map(attempt => attempt.outcome),
    ['RolledBack', 'Healthy'],
  )
})

beside(
  '12: paused before the verdict, what needs no clock is judged, and nothing is rolled back until it is resumed',
  async t => {
    const app = await application(slipway, 'twelve-b', { patienceMs, rollout: { healthTimeout: '60s' } })
    const good = await app.push(files())
    await app.declare()
    await app.settled(good, 'Healthy')
    const before = await lives(slipway, 'twelve-b')

    const bad = await app.push(files({ behaviour: 'crash' }))
    await app.until('under way', view => view.attempt?.release?.commit === bad && view.attempt.times.applied !== '')
    await act('twelve-b', 'pause')
    const judged = await app.until('judged', view => view.attempt?.verdict != null)
    await delay(3000) // a rollback that runs is over by then
    const paused = await app.view()
    const during = await lives(slipway, 'twelve-b')
    await act('twelve-b', 'resume')
    const view = await app.settled(bad, 'RolledBack')

    t.equal(judged.attempt?.verdict?.sign, 'CrashLoop')
    t.match(paused, { state: 'Paused', release: { commit: bad }, attempt: { outcome: null } })
    t.ok(before.every(life => during.includes(life)))
    t.equal(view.release?.commit, good)
    t.same(await lives(slipway, 'twelve-b'), before)
  },
)

await Promise.all(sequences)

await t.test('slipway down --purge leaves nothing behind', async t => {
  t.same(await slipway.end(), [])
  await removeImages(slipway, '1')
})
