// The engine is killed, restarted and stopped under a runtime that goes on: what serves is not touched, what died comes back, once.
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { ReportDocument } from '../../runtime/contract/documents.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { until } from '../support/controller.js'
import { deployment, object } from '../support/node.js'
import { startOwnEngine } from '../support/own-engine.js'
import { ownMachine } from '../support/own-machine.js'
import { startGets, startRuntimeField } from '../support/runtime.js'

/** `npm run soak`: every signal, and a hang past the limit of every single call (120 s for a start) instead of most. */
const isLong = process.env.SLIPWAY_OUTAGES === 'all'
const hangMs = isLong ? 130_000 : 25_000

t.setTimeout(600_000)

async function served(t: Test, liveRestore: boolean) {
  const engine = await startOwnEngine(t, { liveRestore })
  const field = await startRuntimeField(engine.host)
  t.teardown(() => {
    if (process.env.SLIPWAY_TEST_LOG) console.error(field.log())
    return field.close()
  })
  const web = (version: string): Manifest =>
    deployment({ replicas: 2 }, { terminationGracePeriodSeconds: 1 }, 'web', {
      image: field.image,
      command: ['sh', '-c', `mkdir -p /www; echo ${version} >/www/index.html; exec httpd -f -p 8080 -h /www`],
    })
  const service = object('v1', 'Service', 'web', {
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
  })
  const done = (generation: number) => (report: ReportDocument) =>
    report.generation === generation &&
    report.pods.length === 2 &&
    report.pods.every(pod => pod.ready && pod.release === `r${generation}`)
  field.start()
  const { generation } = await field.write({ objects: [service, web('one')] })
  const report = await field.told('two pods serve', done(generation))
  const address = String(report.objects[0]!.status.clusterIP)
  const running = async () =>
    (await field.containers())
      .filter(each => each.State === 'running')
      .map(each => `${each.Names[0]} ${each.Id}`)
      .sort()
  const condition = (type: string, is: boolean) =>
    until(`${type} is ${is ? '' : 'not '}said`, async () => {
      const lease = await field.lease()
      return lease !== null && lease.conditions.some(each => each.type === type) === is
    })
  return { engine, field, web, service, done, report, address, running, condition }
}

const restarts = (report: ReportDocument) => report.pods.flatMap(pod => pod.containers.map(each => each.restartCount))
const uids = (report: ReportDocument) => report.pods.map(pod => pod.uid).sort()

await ownMachine(t, import.meta.url, async () => {
  await t.test(
    'with live-restore: the engine killed, or hanging, touches nothing, drops no request, and starts nothing twice',
    async t => {
      const { engine, field, web, service, done, address, running, condition } = await served(t, true)
      const before = await running()
      const load = startGets(address)

      for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
        await engine.end(signal)
        await condition('EngineUnreachable', true)
        await engine.start()
        await condition('EngineUnreachable', false)
      }
      t.same(await running(), before)
      t.same(restarts((await field.report())!), [0, 0])
      engine.signal('SIGSTOP')
      const hangs = performance.now()
      const { generation } = await field.write({ objects: [service, web('two')] })
      await condition('EngineUnreachable', true)
      await delay(hangMs - (performance.now() - hangs))
      engine.signal('SIGCONT')
      await condition('EngineUnreachable', false)
      await field.told('two serves', done(generation), 180)
      await load.stop()

      t.same(load.failed, [])
      t.equal((await running()).length, 2)
      t.equal((await field.containers()).length, 2, 'nothing was made twice')
    },
  )

  await t.test('without live-restore: every container dies with the engine, and comes back in its pod, once', async t => {
    const { engine, field, report, address, running, condition } = await served(t, false)
    const signals = isLong ? (['SIGTERM', 'SIGKILL'] as const) : (['SIGTERM'] as const)
    for (const [count, signal] of signals.entries()) {
      await engine.end(signal)
      await condition('EngineUnreachable', true)
      await engine.start()
      const back = await field.told(
        'both serve again',
        now => now.pods.every(pod => pod.ready) && restarts(now).every(each => each > count),
        60,
      )
      await condition('EngineUnreachable', false)

      t.same(uids(back), uids(report), 'the same pods')
      t.same(restarts(back), [count + 1, count + 1], 'each started once more')
      t.equal((await running()).length, 2)
      t.equal(await fetch(`http://${address}/`).then(answer => answer.text()), 'one\n')
    }
  })
})
