// A node runtime as its own process beside a real nats-server and engine, and the controller's side of its documents as a test speaks it.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureBuckets } from '../../controller/store/buckets.js'
import type { DesiredDocument, NodeLease, ReportDocument } from '../../runtime/contract/documents.js'
import { encodeDesired, parseReport } from '../../runtime/contract/frame.js'
import { contentHash } from '../../runtime/contract/hash.js'
import { decodePublicKey, type NodeIdentity, openControllerKeys } from '../../runtime/contract/keys.js'
import { buckets, documentKey, inboxPrefix, leaseKey } from '../../runtime/contract/subjects.js'
import { connectDocker } from '../../runtime/docker/client.js'
import { openBus } from '../../runtime/nats/bus/connect.js'
import { bindBucket, eraseValue, readValue, writeValue } from '../../runtime/nats/bus/values.js'
import { createDataPlane } from '../../runtime/network/dataplane.js'
import { networkEngine } from '../../runtime/network/engine.js'
import { until } from './controller.js'
import { loadBusybox, testDocker } from './images.js'
import { startNats } from './nats.js'

const main = fileURLToPath(new URL('../../runtime/main.js', import.meta.url))

/** `engine`: as in DOCKER_HOST; the one that tests share unless said. */
export async function startRuntimeField(engine?: string) {
  const mark = randomBytes(3).toString('hex')
  const node = `node-${mark}`
  const stateDir = mkdtempSync(join(tmpdir(), 'slipway-run-'))
  const docker = engine === undefined ? testDocker() : connectDocker(engine)
  const image = `slipway-worktest-${mark}/busybox:1`
  await loadBusybox(docker, { tag: image })
  const controller = await openControllerKeys(join(stateDir, 'controller'))
  const names = {
    network: `slipway-work-${mark}`,
    podBridge: `swp${mark}`,
    serviceBridge: `sws${mark}`,
    podRange: '10.223.0.0/20',
    serviceRange: '10.222.0.0/20',
  }
  const runtimeDir = join(stateDir, 'r')
  const env = {
    ...process.env,
    SLIPWAY_RUNTIME_DIR: runtimeDir,
    SLIPWAY_POD_NETWORK: names.network,
    SLIPWAY_POD_BRIDGE: names.podBridge,
    SLIPWAY_SERVICE_BRIDGE: names.serviceBridge,
    SLIPWAY_POD_RANGE: names.podRange,
    SLIPWAY_SERVICE_RANGE: names.serviceRange,
    DOCKER_HOST: docker.host,
  }
  const said = JSON.stringify({ node, servers: ['nats://127.0.0.1:1'], controller: controller.identity })
  const identity = JSON.parse(
    execFileSync(process.execPath, [main, 'join'], { env, input: said, encoding: 'utf8' }),
  ) as NodeIdentity
  const server = await startNats({ controller: controller.nats.public, nodes: [identity] })
  const bus = openBus({ servers: [server.url], name: 'controller', seed: controller.nats.seed, inbox: inboxPrefix('controller') })
  await until('the controller is connected', () => bus.status().connected)
  await ensureBuckets(bus.connection())
  let child: ChildProcess | null = null
  let log = ''
  let generation = 0

  const field = {
    node,
    image,
    docker,
    server,
    runtimeDir,
    log: () => log,
    start() {
      const started = spawn(process.execPath, [main], {
        env: { ...env, SLIPWAY_NATS_URL: server.url },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      for (const stream of [started.stdout, started.stderr]) stream.on('data', text => (log += String(text)))
      child = started
    },
    async end(signal: NodeJS.Signals): Promise<number | null> {
      const ending = child
      child = null
      if (ending === null) return null
      const gone = new Promise<number | null>(resolve => ending.once('exit', resolve))
      ending.kill(signal)
      return gone
    },
    async write(more: Partial<DesiredDocument> & Pick<DesiredDocument, 'objects'>): Promise<DesiredDocument> {
      generation += 1
      const document: DesiredDocument = {
        contract: 1,
        node,
        application: { name: 'shop', uid: 'shop-1' },
        epoch: 1,
        generation,
        attempt: generation,
        release: `r${generation}`,
        commit: `c${generation}`,
        deleted: false,
        letGo: false,
        digests: {},
        preflight: null,
        ledger: 'ledger',
        ...more,
      }
      const kv = await bindBucket(bus.connection(), buckets.desired)
      const bytes = encodeDesired(document, controller.signing.privateKey, [decodePublicKey('x25519', identity.sealing)])
      await writeValue(kv, documentKey(node, 'shop', 'head'), bytes, { revision: null, set: String(generation % 2) })
      return document
    },
    async report(): Promise<ReportDocument | null> {
      const value = await readValue(await bindBucket(bus.connection(), buckets.reports), documentKey(node, 'shop', 'report'))
      return value === null ? null : parseReport(value.bytes, controller.sealing.privateKey, { node, application: 'shop' })
    },
    /** The first report that says so. */
    async told(what: string, holds: (report: ReportDocument) => boolean, seconds = 30): Promise<ReportDocument> {
      let last: ReportDocument | null = null
      return until(
        what,
        async () => {
          last = await field.report()
          return last !== null && holds(last) ? last : null
        },
        seconds,
      ).catch(error => {
        throw new Error(`${(error as Error).message}\nlast report: ${JSON.stringify(last, null, 1)}\nlog: ${log.slice(-4000)}`)
      })
    },
    /** As the controller does when all has ended. */
    async forget() {
      await eraseValue(bus.connection(), buckets.desired, documentKey(node, 'shop', 'head'))
      for (const kind of ['report', 'returned'] as const)
        await eraseValue(bus.connection(), buckets.reports, documentKey(node, 'shop', kind))
    },
    async lease(): Promise<NodeLease | null> {
      const entry = await (await bindBucket(bus.connection(), buckets.nodes)).get(leaseKey(node))
      return entry === null ? null : entry.json<NodeLease>()
    },
    containers: () => docker.containers.list([`slipway.node=${node}.${contentHash(identity.sealing, 8)}`]),
    async close() {
      await field.end('SIGKILL')
      for (const each of await field.containers()) await docker.containers.remove(each.Id).catch(unlessBusy)
      const plane = createDataPlane({
        ...names,
        stateDir: join(runtimeDir, 'network'),
        docker: networkEngine(docker.networks),
        now: Date.now,
        haproxyPath: 'haproxy',
        log: () => {},
      })
      await plane.start(AbortSignal.timeout(20_000)).catch(() => {})
      await plane.purge()
      await bus.close()
      await server.stop()
      await docker.images.remove(image).catch(() => {})
      await docker.close()
      rmSync(stateDir, { recursive: true, force: true })
    },
  }
  return field
}

/** An engine that was killed leaves mounts that it cannot remove later; its directory goes with the test. */
function unlessBusy(error: Error): void {
  if (!error.message.includes('device or resource busy')) throw error
}

/** Steady GETs; every answer but 200 is a failure. */
export function startGets(host: string, clients = 4) {
  const failed: string[] = []
  const bodies: string[] = []
  let running = true
  const once = () =>
    new Promise<string>((resolve, reject) => {
      const sent = request({ host, port: 80, agent: false, timeout: 10_000 }, response => {
        let body = ''
        response.setEncoding('utf8').on('data', chunk => (body += chunk))
        response.on('end', () =>
          response.statusCode === 200 ? resolve(body.trim()) : reject(new Error(`status ${response.statusCode}`)),
        )
      })
      sent.on('error', reject)
      sent.on('timeout', () => sent.destroy(new Error('timeout')))
      sent.end()
    })
  const loop = async () => {
    while (running) {
      await once().then(
        body => bodies.push(body),
        error => failed.push(String(error.message)),
      )
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }
  const all = Array.from({ length: clients }, loop)
  return {
    failed,
    bodies,
    async stop() {
      running = false
      await Promise.all(all)
    },
  }
}
