// The node runtime's process: wires engine, pods, data plane and NATS together, and leaves everything running when it ends.
import { randomInt, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Logger, pino } from 'pino'
import { alone } from './alone.js'
import { ConfigFault, type RuntimeConfig, readConfig, runtimeDir } from './config.js'
import type { DesiredDocument } from './contract/documents.js'
import { contentHash } from './contract/hash.js'
import { decodePublicKey, encodePublicKey, type NodeKeys } from './contract/keys.js'
import type { LogRequest } from './contract/logs.js'
import { deriveKey } from './contract/seal.js'
import { inboxPrefix } from './contract/subjects.js'
import { volumeOfClaim } from './docker/claims.js'
import { connectDocker, type Docker } from './docker/client.js'
import { haproxyContainer } from './docker/haproxy.js'
import { createImages, isProblem } from './docker/images.js'
import { freeBytes } from './docker/room.js'
import { type Endings, highestEpoch, mayBegin } from './endings.js'
import { portTaken, realPath } from './host.js'
import { joinController, readNodeKeys } from './join.js'
import { limitLog } from './log-limit.js'
import { allocatedBy, bootId, capacityOf, engineSockets, machineAddresses, memoryPlace } from './machine.js'
import { openBus, pause } from './nats/bus/connect.js'
import { type Link, startLink } from './nats/link.js'
import { createDataPlane } from './network/dataplane.js'
import { networkEngine } from './network/engine.js'
import { ConfigError } from './pods/config-error.js'
import { createPods, type RuntimePods } from './pods/pods.js'
import { openPodStore } from './pods/store.js'
import type { PodRecord, Pods } from './pods/types.js'
import { type Host, hostPathRefusal, policyProblems } from './policy.js'
import { createPreflights, type PreflightWorld } from './preflight.js'
import { purge } from './purge.js'
import { createReconciler, type Reconciler, sentence } from './reconcile.js'
import { collectAtRest } from './rest.js'
import { conditionsOf, type Standing, watchEngine } from './standing.js'
import { openState } from './state.js'
import { createVolumes, type Volumes } from './volumes/volumes.js'
import { readOnce } from './workloads/node.js'

/** EX_CONFIG: the keeper does not start us again. */
const exitConfig = 78
/** Drains and graces are measured by it: no step of the clock may cut them short. */
const elapsed = () => performance.now()

export async function run(config: RuntimeConfig, keys: NodeKeys, log: Logger, signal: AbortSignal): Promise<void> {
  const docker = connectDocker(config.engine)
  const state = openState(config.stateDir, deriveKey(keys.sealing.privateKey, 'slipway node documents v1'))
  const kept = await state.load()
  const standing: Standing = {
    engine: null,
    engineVersion: '',
    engineTrouble: '',
    engineSince: '',
    refused: new Map(),
    faults: [...config.policyFaults, ...keys.faults, ...kept.broken],
  }
  for (const fault of standing.faults) log.warn({ fault }, 'fault')

  const node = connectNode(config, keys, standing, kept, log, signal)
  const engine = watchEngine(docker, standing, node.link, log, signal)
  try {
    const parts = await startParts(config, keys, docker, standing, node, engine.look, log, signal)
    const reconciler = createReconciler(
      { ...reconcilerWorld(config, keys, parts, standing, log), state, report: node.link.report },
      kept,
    )
    node.follow(reconciler, parts.pods)
    reconciler.wake()
    log.info(
      { node: config.node, engine: config.engine, documents: kept.documents.length, pods: parts.pods.list().length },
      'runtime started',
    )
    await aborted(signal)
    await reconciler.stop()
    await parts.pods.close()
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    await Promise.allSettled([node.close(), engine.running, docker.close()])
  }
}

interface Node {
  readonly link: Link
  /** From now on documents are offered to the loop, those that came before it was there as well. */
  follow(reconciler: Reconciler, pods: Pods): void
  /** null until it follows. */
  reconciler(): Reconciler | null
  /** Once it follows. */
  readonly following: Promise<Reconciler>
  close(): Promise<void>
}

/** The link is there before the engine is, so that the node can say what it waits for. */
function connectNode(
  config: RuntimeConfig,
  keys: NodeKeys,
  standing: Standing,
  kept: { readonly documents: readonly DesiredDocument[]; readonly endings: Endings },
  log: Logger,
  signal: AbortSignal,
): Node {
  const bus = openBus({
    servers: config.servers,
    name: `slipway runtime ${config.node}`,
    seed: keys.nats.seed,
    inbox: inboxPrefix(config),
    ...(config.tls ? { tls: config.tls } : {}),
  })
  const early: DesiredDocument[] = []
  const documents = new Map(kept.documents.map(document => [document.application.name, document]))
  let followed: { readonly reconciler: Reconciler; readonly pods: Pods } | null = null
  let isFollowed: (reconciler: Reconciler) => void = () => {}
  const following = new Promise<Reconciler>(resolve => {
    isFollowed = resolve
  })
  const startedAt = new Date().toISOString()
  const link = startLink(
    {
      bus,
      node: config.node,
      keys,
      controller: config.controller,
      obeyed: () => followed?.reconciler.obeyed() ?? documents,
      mayBegin: document => followed?.reconciler.mayBegin(document) ?? mayBegin(kept.endings, document),
      describe: () => ({
        startedAt,
        epoch: followed?.reconciler.epoch() ?? highestEpoch(kept.endings, documents.values()),
        versions: { node: process.versions.node, engine: standing.engineVersion },
        capacity: capacityOf(standing.engine),
        allocated: allocatedBy(followed?.pods.list() ?? []),
        addresses: machineAddresses(),
        conditions: conditionsOf(standing, followed?.reconciler.trouble() ?? 'the runtime is starting'),
      }),
      readLogs: (request, ending) => readLogs(followed?.pods ?? null, request, ending),
    },
    {
      document: document => (followed === null ? void early.push(document) : followed.reconciler.offer(document)),
      refused(application, error) {
        log.error({ application, error: sentence(error) }, 'document refused')
        standing.refused.set(application, { message: sentence(error), since: new Date().toISOString() })
        link.leaseNow()
      },
      understood(application) {
        if (standing.refused.delete(application)) link.leaseNow()
      },
      ended: application => followed?.reconciler.ended(application),
      interrupted: error => log.warn({ error: sentence(error) }, 'link to NATS interrupted'),
    },
    signal,
  )
  return {
    link,
    reconciler: () => followed?.reconciler ?? null,
    following,
    follow(reconciler, pods) {
      followed = { reconciler, pods }
      isFollowed(reconciler)
      for (const document of early.splice(0)) reconciler.offer(document)
      link.leaseNow()
    },
    async close() {
      await link.running
      await bus.close()
    },
  }
}

async function* readLogs(pods: Pods | null, request: LogRequest, signal: AbortSignal) {
  const pod = pods?.list().find(({ record }) => record.name === request.pod && record.application.name === request.application)
  if (pods === null || pod === undefined)
    throw new Error(`no pod ${request.pod} of application ${request.application} on this node`)
  const { tail, follow, previous } = request
  yield* pods.logs(pod.record.uid, request.container, { tail, follow, previous }, signal)
}

interface Parts {
  readonly pods: RuntimePods
  readonly dataPlane: ReturnType<typeof createDataPlane>
  readonly images: ReturnType<typeof createImages>
  readonly host: Host
}

async function startParts(
  config: RuntimeConfig,
  keys: NodeKeys,
  docker: Docker,
  standing: Standing,
  node: Node,
  engineLost: () => void,
  log: Logger,
  signal: AbortSignal,
): Promise<Parts> {
  const host: Host = { realPath, engineSockets: engineSockets(config.engine, realPath) }
  const { maxImageSize, imageDirectory } = config.policy
  const images = createImages(docker, async () => ({ allowed: maxImageSize, free: await freeBytes(docker, imageDirectory) }))
  const dataPlane = dataPlaneOf(config, docker, (message, facts) => log.info(facts, message))
  await untilItStarts('data plane', () => dataPlane.start(signal), log, signal)
  const pods = createPods({
    docker,
    images,
    volumes: guarded(createVolumes(volumePlaces(config, keys, docker, log)), config, host),
    store: openPodStore(join(config.stateDir, 'pods'), Buffer.from(deriveKey(keys.sealing.privateKey, 'slipway node pods v1'))),
    node: instanceOf(config, keys),
    network: dataPlane.podNetwork,
    addresses: dataPlane,
    dns: dataPlane.dns,
    machine: {
      hostIP: machineAddresses()[0] ?? '127.0.0.1',
      cpuMillis: capacityOf(standing.engine).cpuMillis,
      memoryBytes: capacityOf(standing.engine).memoryBytes,
    },
    bootId: bootId(),
    lookUp: (record, kind, name) => lookUp(node.reconciler(), record, kind, name),
    // Pods that a former runtime was ending are adopted before there is a loop to take them out of traffic: they wait for it.
    drained: async (record, ending) => (await within(node.following, ending)).drain(record, ending),
    engineLost,
    now: Date.now,
    elapsed,
    log,
  })
  await pods.adopt(signal)
  return { pods, dataPlane, images, host }
}

function dataPlaneOf(config: RuntimeConfig, docker: Docker, log: Parameters<typeof createDataPlane>[0]['log']) {
  const stateDir = join(config.stateDir, 'network')
  return createDataPlane({
    ...config.network,
    stateDir,
    docker: networkEngine(docker.networks),
    now: elapsed,
    haproxyPath: config.haproxy,
    haproxyContainer: haproxyContainer(docker, stateDir, `slipway-haproxy-${contentHash(stateDir, 12)}`),
    log,
  })
}

function volumePlaces(config: RuntimeConfig, keys: NodeKeys, docker: Docker, log: Logger): Parameters<typeof createVolumes>[0] {
  const memory = memoryPlace(process.env, process.getuid?.() === 0)
  if (memory === null) log.warn({}, 'no tmpfs found: Secrets mounted as files lie on the disk of this machine')
  return {
    diskDir: join(config.stateDir, 'volumes'),
    memoryDir:
      memory === null ? join(config.stateDir, 'memory-volumes') : join(memory, `slipway-${contentHash(config.stateDir)}`),
    claim: (namespace, claim, labels, signal) =>
      volumeOfClaim(docker, namespace, claim, { ...labels, 'slipway.node': instanceOf(config, keys) }, signal),
  }
}

/** The host policy once more, right before a path of the host is mounted: a link may have been put there since. */
function guarded(volumes: Volumes, config: RuntimeConfig, host: Host): Volumes {
  return {
    ...volumes,
    prepare: async (record, around, signal) => {
      for (const { name, source } of record.spec.volumes) {
        if (source.kind !== 'hostPath') continue
        const writable = [...record.spec.containers, ...record.spec.initContainers].some(({ volumeMounts }) =>
          volumeMounts.some(mount => mount.name === name && !mount.readOnly),
        )
        const refusal = hostPathRefusal(source.path, source.type, writable, config.policy, host)
        if (refusal !== null) throw new ConfigError(refusal)
      }
      return volumes.prepare(record, around, signal)
    },
  }
}

function lookUp(
  reconciler: Reconciler | null,
  record: PodRecord,
  kind: 'configMap' | 'secret',
  name: string,
): Readonly<Record<string, string>> | null {
  const wanted = kind === 'configMap' ? 'ConfigMap' : 'Secret'
  for (const document of reconciler?.obeyed().values() ?? []) {
    for (const manifest of document.deleted ? [] : document.objects) {
      if (manifest.kind !== wanted || manifest.metadata.name !== name || manifest.metadata.namespace !== record.namespace)
        continue
      const { object } = readOnce(manifest)
      if (object?.kind === 'ConfigMap' || object?.kind === 'Secret') return object.data
    }
  }
  return null
}

type ReconcilerWorld = Parameters<typeof createReconciler>[0]

function reconcilerWorld(
  config: RuntimeConfig,
  keys: NodeKeys,
  parts: Parts,
  standing: Standing,
  log: Logger,
): Omit<ReconcilerWorld, 'state' | 'report'> {
  const { pods, dataPlane, images, host } = parts
  const refusals: ReconcilerWorld['refusals'] = object => policyProblems(object, config.policy, host)
  const ensureImage: PreflightWorld['ensureImage'] = async (ref, policy, configs, pinned, signal) => {
    const answer = await images.ensureImage(ref, policy, configs, signal, { pinned })
    return isProblem(answer) ? answer : { digest: answer.digest }
  }
  return {
    pods,
    dataPlane,
    refusals,
    now: Date.now,
    elapsed,
    newId: () => ({ uid: randomUUID(), suffix: suffix() }),
    salt: Buffer.from(deriveKey(keys.sealing.privateKey, 'slipway template hash v1')).toString('hex'),
    addresses: machineAddresses,
    log: (message, facts) => log.info(facts, message),
    preflights: (documents, memory, onChange, signal) =>
      createPreflights(
        {
          node: config.node,
          documents,
          memory,
          refusals,
          ensureImage,
          conflicts: services => dataPlane.conflicts(services),
          portTaken,
          heldPorts: () => heldPorts(pods),
          capacity: () => capacityOf(standing.engine),
        },
        onChange,
        signal,
      ),
  }
}

function heldPorts(pods: Pods): readonly { readonly port: number; readonly application: string }[] {
  return pods
    .list()
    .flatMap(({ record }) =>
      [...record.spec.containers, ...record.spec.initContainers].flatMap(({ ports }) =>
        ports.flatMap(({ hostPort }) =>
          hostPort === undefined ? [] : [{ port: hostPort, application: record.application.name }],
        ),
      ),
    )
}

/** Kubernetes' alphabet for names: no vowels, so no words; nothing that looks like another. */
function suffix(): string {
  const alphabet = 'bcdfghjklmnpqrstvwxz2456789'
  return Array.from({ length: 5 }, () => alphabet[randomInt(alphabet.length)]).join('')
}

/** Waits for what is outside (an engine that starts later than we do), saying why once for each reason. */
async function untilItStarts(what: string, start: () => Promise<void>, log: Logger, signal: AbortSignal): Promise<void> {
  let said = ''
  for (let retryMs = 250; ; retryMs = Math.min(retryMs * 2, 5_000)) {
    try {
      return await start()
    } catch (error) {
      if (signal.aborted) throw error
      const reason = sentence(error)
      if (reason !== said) log.warn({ error: reason, retryMs }, `waiting for the ${what}`)
      said = reason
      await pause(retryMs, signal)
    }
  }
}

/** Rejects with the signal's reason where that is first. */
function within<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return Promise.race([work, aborted(signal).then(() => Promise.reject(signal.reason))])
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })))
}

/** What containers and volumes of this node carry as a label: two instances of one name on one engine never take each other's. */
function instanceOf(config: RuntimeConfig, keys: NodeKeys): string {
  return `${config.node}.${contentHash(encodePublicKey(keys.sealing.publicKey), 8)}`
}

async function purgeNode(config: RuntimeConfig, keys: NodeKeys, volumes: boolean): Promise<readonly string[]> {
  const docker = connectDocker(config.engine)
  const { diskDir, memoryDir } = volumePlaces(config, keys, docker, pino({ level: 'silent' }))
  try {
    return await purge(
      {
        docker,
        dataPlane: dataPlaneOf(config, docker, () => {}),
        instance: instanceOf(config, keys),
        directories: [diskDir, memoryDir],
      },
      volumes,
      AbortSignal.timeout(120_000),
    )
  } finally {
    await docker.close()
  }
}

/**
 * `node main.js` runs the node; `join` reads what the controller says from standard input and prints who the node is;
 * `purge [--volumes]` takes away all that the node runs.
 */
export async function main(args: readonly string[], env: Readonly<Record<string, string | undefined>>): Promise<number> {
  const isRoot = process.getuid?.() === 0
  try {
    if (args[0] === 'join') {
      const { identity, faults } = await joinController(runtimeDir(env, isRoot), JSON.parse(await text(process.stdin)))
      for (const fault of faults) process.stderr.write(`${fault}\n`)
      process.stdout.write(`${JSON.stringify(identity)}\n`)
      return 0
    }
    const config = await readConfig(env, isRoot)
    checkUsable(config)
    if (args[0] === 'purge') {
      const lines = await purgeNode(config, await readNodeKeys(config.stateDir), args.includes('--volumes'))
      process.stdout.write(lines.map(line => `${line}\n`).join(''))
      return 0
    }
    const ending = new AbortController()
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => ending.abort(new Error(`ended by ${name}`)))
    const log = pino({ level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime })
    // Two on one state directory would start everything twice.
    const waiting = () => log.warn({ stateDir: config.stateDir }, 'another runtime has this state directory; waiting for its end')
    await alone(`runtime ${realPath(config.stateDir)}`, waiting, ending.signal)
    collectAtRest()
    limitLog()
    await run(config, await readNodeKeys(config.stateDir), log, ending.signal)
    log.info({}, 'runtime ended; containers and connections are left as they are')
    return 0
  } catch (error) {
    process.stderr.write(`slipway runtime: ${sentence(error)}\n`)
    return error instanceof ConfigFault ? exitConfig : 1
  }
}

function checkUsable(config: RuntimeConfig): void {
  decodePublicKey('ed25519', config.controller.signing)
  decodePublicKey('x25519', config.controller.sealing)
  if (config.servers.length === 0)
    throw new ConfigFault(`no NATS server is named: set SLIPWAY_NATS_URL, or servers in ${config.stateDir}/node.json`)
}

if (process.argv[1] !== undefined && import.meta.url === `file://${realPath(process.argv[1])}`) {
  void main(process.argv.slice(2), process.env).then(code => {
    process.exitCode = code
  })
}
