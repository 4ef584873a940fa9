import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { NodeCondition, ReportDocument } from '../../runtime/contract/documents.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { createHaproxy } from '../../runtime/network/haproxy/process.js'
import { haproxyProgram } from '../../runtime/network/haproxy/program.js'
import { inTurn } from '../../runtime/reconcile.js'
import { until } from '../support/controller.js'
import { deployment, object } from '../support/node.js'
import { startGets, startRuntimeField } from '../support/runtime.js'

t.test('calls that come while one runs share one more', async t => {
  const begun: (() => void)[] = []
  const turn = inTurn(() => new Promise<void>(resolve => begun.push(resolve)))
  const first = turn()
  const second = turn()
  t.equal(turn(), second)
  t.equal(begun.length, 1)

  begun[0]!()
  await first
  await until('the second begins', () => begun.length === 2)
  t.equal(turn() === second, false)
  begun[1]!()
  await second
  await until('the third begins', () => begun.length === 3)
  begun[2]!()
})

t.test('a runtime without credentials does not start', async t => {
  const main = fileURLToPath(new URL('../../runtime/main.js', import.meta.url))

  const ended = spawnSync(process.execPath, [main], {
    env: { ...process.env, SLIPWAY_RUNTIME_DIR: mkdtempSync(join(tmpdir(), 'slipway-none-')) },
    encoding: 'utf8',
  })

  t.equal(ended.status, 78)
  t.match(ended.stderr, /^slipway runtime: .*node\.json is missing: this node has not joined a controller/)
})

t.test('one node, from its first document to its deletion', async t => {
  const field = await startRuntimeField()
  t.teardown(() => {
    if (process.env.SLIPWAY_TEST_LOG) console.error(field.log())
    return field.close()
  })
  const web = (version: string, crash = false): Manifest =>
    deployment({ replicas: 2 }, { terminationGracePeriodSeconds: 1 }, 'web', {
      image: field.image,
      command: [
        'sh',
        '-c',
        crash ? 'echo no database; exit 3' : `mkdir -p /www; echo ${version} >/www/index.html; exec httpd -f -p 8080 -h /www`,
      ],
    })
  const service = object('v1', 'Service', 'web', {
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
  })
  const status = (report: ReportDocument) =>
    (report.objects.find(each => each.ref.kind === 'Deployment')?.status ?? {}) as Record<string, number>
  const done = (generation: number) => (report: ReportDocument) =>
    report.generation === generation &&
    status(report).updatedReplicas === 2 &&
    status(report).availableReplicas === 2 &&
    report.pods.length === 2
  const uids = (report: ReportDocument) => report.pods.map(pod => pod.uid).sort()
  let address = ''
  let good: ReportDocument
  field.start()

  await t.test('a document is obeyed and reported', async t => {
    const lease = await until('the lease', () => field.lease())
    t.equal(lease.node, field.node)
    const { generation } = await field.write({ objects: [service, web('one')] })
    const report = await field.told('two pods serve', done(generation))

    address = String(report.objects[0]!.status.clusterIP)
    t.match(report, { release: 'r1', attempt: 1, deleted: false, pods: [{ ready: true }, { ready: true }] })
    t.equal(await fetch(`http://${address}/`).then(answer => answer.text()), 'one\n')
  })

  await t.test('a preflight is answered beside what runs', async t => {
    const objects = [web('two'), object('apps/v1', 'StatefulSet', 'db')]
    const { generation } = await field.write({
      attempt: 1,
      release: 'r1',
      objects: [service, web('one')],
      preflight: { release: 'r2', round: 1, objects, digests: {} },
    })
    const report = await field.told(
      'the answer',
      told => told.generation === generation && told.preflight !== null && told.preflight.state !== 'running',
    )

    t.match(report.preflight, { state: 'refused', problems: [{ reason: 'UnsupportedKind' }] })
    t.equal(report.preflight!.problems.length, 1)
    t.match(report.preflight!.digests[field.image], /^sha256:/)
  })

  await t.test('a rollout fails no request, though the runtime is killed in the middle', async t => {
    const load = startGets(address)
    const { generation } = await field.write({ objects: [service, web('two')] })
    await until('a third container', async () => (await field.containers()).length > 2)
    await field.end('SIGKILL')
    field.start()

    good = await field.told('the new pods serve', done(generation))
    await load.stop()

    t.same(load.failed, [])
    t.ok(load.bodies.includes('one') && load.bodies.at(-1) === 'two')
    t.equal((await field.containers()).filter(each => each.State === 'running').length, 2)
  })

  await t.test('a crashing release leaves the old pods serving, and going back keeps them', async t => {
    const load = startGets(address)
    const bad = await field.write({ objects: [service, web('three', true)] })
    const crashed = await field.told(
      'three ends',
      report =>
        report.generation === bad.generation && report.pods.some(pod => pod.containers.some(each => each.restartCount >= 2)),
    )
    const failing = crashed.pods.find(pod => pod.release === bad.release)!
    t.match(failing, {
      ready: false,
      attempt: bad.attempt,
      containers: [{ everReady: false, last: { exitCode: 3 }, lastLog: ['no database'] }],
    })
    const back = await field.write({ objects: [service, web('two')] })
    const report = await field.told('back', done(back.generation))
    await load.stop()

    t.same(uids(report), uids(good))
    t.same(load.failed, [])
  })

  await t.test('a node port that somebody else has stops no rollout', async t => {
    const foreign = createServer().listen(0, '0.0.0.0')
    await once(foreign, 'listening')
    const { port } = foreign.address() as { port: number }
    const taken = object('v1', 'Service', 'taken', {
      spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http', nodePort: port }] },
    })
    const { generation } = await field.write({ objects: [service, web('four'), taken] })
    await field.told('four serves', done(generation))
    const lease = await until('the node says what is wrong', async () => {
      const lease = await field.lease()
      return lease?.conditions.some(condition => condition.message.includes(String(port))) ? lease : null
    })
    foreign.close()

    t.match(lease.conditions, [{ type: 'NotReconciling', status: 'True' }])
    const back = await field.write({ objects: [service, web('two')] })
    await field.told('two again', done(back.generation))
  })

  await t.test('a disk that takes no document changes nothing that runs, and stops no steering', async () => {
    const { slots } = createHaproxy({ runner: haproxyProgram('haproxy', ''), directory: join(field.runtimeDir, 'network') })
    const open = async () => ((await slots()).get('shop.web.80') ?? []).filter(slot => slot.open).length
    const inTheWay = join(field.runtimeDir, 'documents', 'shop.doc.new')
    await until('both are in rotation', async () => (await open()) === 2)
    mkdirSync(inTheWay)
    const { generation } = await field.write({ objects: [service, web('five')] })
    await until('it cannot be written', () => /nothing new is obeyed until it can be written/.test(field.log()))
    const victim = (await field.containers())[0]!.Labels!['slipway.pod-uid']

    await until('a pod that crashes is taken out of rotation', async () => {
      const own = (await field.containers()).find(each => each.Labels?.['slipway.pod-uid'] === victim && each.State === 'running')
      if (own !== undefined) await field.docker.containers.kill(own.Id, 'SIGKILL').catch(() => {})
      return (await open()) === 1
    })
    await until('it comes back', async () => (await open()) === 2)
    rmdirSync(inTheWay)
    await field.told('five serves', done(generation), 180)
    const back = await field.write({ objects: [service, web('two')] })
    await field.told('two again', done(back.generation))
  })

  await t.test('without NATS the node starts from its disk and heals', async t => {
    await field.end('SIGTERM')
    await field.server.kill()
    const [victim] = await field.containers()
    await field.docker.containers.remove(victim!.Id)
    field.start()

    await until('two containers', async () => (await field.containers()).filter(each => each.State === 'running').length === 2)
    await field.server.start()
    await field.told('two pods', report => report.pods.length === 2 && report.pods.every(pod => pod.ready))
    t.equal(await fetch(`http://${address}/`).then(answer => answer.text()), 'two\n')
  })

  await t.test('an older document is not obeyed', async t => {
    await field.write({ objects: [], epoch: 0 })
    await until('it is refused', () => /document refused/.test(field.log()))
    t.equal((await field.containers()).filter(each => each.State === 'running').length, 2)
  })

  await t.test('a document of a version that the node does not know changes nothing, and the node says what to do', async t => {
    const isRefused = (condition: NodeCondition) => condition.type === 'DocumentRefused' && /contract/.test(condition.message)
    const refused = async () => (await field.lease())?.conditions.find(isRefused)
    await field.write({ objects: [], contract: 9 })
    const condition = await until('the node says so', refused)

    t.match(condition, { status: 'True', application: 'shop', since: /^20/ })
    t.match(condition.message, /written by contract version 9, this side speaks 1; upgrade the older side/)
    t.equal((await field.containers()).filter(each => each.State === 'running').length, 2)
    const { generation } = await field.write({ objects: [service, web('two')] })
    await field.told('the next one is obeyed', done(generation))
    await until('nothing is refused any more', async () => (await refused()) === undefined)
  })

  await t.test('a tombstone ends everything, and is kept', async t => {
    const { generation } = await field.write({ objects: [], deleted: true, release: '' })
    await field.told('deleted', report => report.generation === generation && report.deleted)

    t.same(await field.containers(), [])
    t.ok(existsSync(join(field.runtimeDir, 'documents', 'shop.doc')))
  })

  await t.test('once the controller has forgotten it only its last order is kept, and no older one is obeyed', async t => {
    const file = join(field.runtimeDir, 'documents', 'shop.doc')
    await field.forget()
    await field.server.restart()
    await until('it is forgotten here too', () => !existsSync(file))
    await field.end('SIGTERM')
    field.start()

    await until('the controller is connected again', () => field.write({ objects: [service, web('two')], epoch: 0 }))
    await until('it is refused', () => /is older than what ended here/.test(field.log()))
    t.equal(await field.report(), null, 'nobody is told of what nobody asks about')
    t.same(await field.containers(), [])
    const { generation } = await field.write({ objects: [service, web('six')] })
    await field.told('it is made again', done(generation))
  })
})

t.test('a request that a pod is ended over is served to its end, though the runtime is killed meanwhile', async t => {
  const field = await startRuntimeField()
  t.teardown(() => {
    if (process.env.SLIPWAY_TEST_LOG) console.error(field.log())
    return field.close()
  })
  const slow = 'sleep 12; printf "Content-Type: text/plain\\r\\n\\r\\nlate"'
  const web = (version: string): Manifest =>
    deployment({ replicas: 1 }, { terminationGracePeriodSeconds: 1 }, 'web', {
      image: field.image,
      env: [{ name: 'SLOW', value: slow }],
      command: [
        'sh',
        '-c',
        `mkdir -p /www/cgi-bin; echo ${version} >/www/index.html; (echo '#!/bin/sh'; echo "$SLOW") >/www/cgi-bin/slow; chmod +x /www/cgi-bin/slow; exec httpd -f -p 8080 -h /www`,
      ],
    })
  const service = object('v1', 'Service', 'web', {
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
  })
  field.start()
  await field.write({ objects: [service, web('one')] })
  const report = await field.told('it serves', told => told.pods.some(pod => pod.ready))
  const address = String(report.objects[0]!.status.clusterIP)
  t.equal(await fetch(`http://${address}/`).then(answer => answer.text()), 'one\n')

  const answer = fetch(`http://${address}/cgi-bin/slow`).then(answer => answer.text(), String)
  await field.write({ objects: [service, web('two')] })
  await field.told('the old pod is being ended', told => told.pods.some(pod => pod.terminating))
  await field.end('SIGKILL')
  field.start()

  t.equal(await answer, 'late')
  await field.told('only the new one is left', told => told.pods.length === 1 && told.pods[0]!.ready)
})
