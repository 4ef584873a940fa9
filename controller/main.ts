// The controller: builds its world from configuration and keys, and wires the rooms. Nothing is decided here.
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { readYaml } from '../renderer/index.js'
import { contentHash } from '../runtime/contract/hash.js'
import { type NodeIdentity, openControllerKeys } from '../runtime/contract/keys.js'
import { inboxPrefix } from '../runtime/contract/subjects.js'
import { limitLog } from '../runtime/log-limit.js'
import { createLoop } from '../runtime/loop.js'
import { openBus } from '../runtime/nats/bus/connect.js'
import { collectAtRest } from '../runtime/rest.js'
import { createAdopting } from './adopting.js'
import { takeBack } from './adoption.js'
import { createApi } from './api/server.js'
import { openTokens } from './api/tokens.js'
import { trackedRef } from './application/tracked.js'
import type { Declared } from './application.js'
import { Applications } from './applications.js'
import { createArgo } from './argo.js'
import { unpackBackup } from './backup.js'
import { readingKilled } from './charts/errors.js'
import { accessesOf, aliasesOf, openCharts } from './charts/open.js'
import { withChildren } from './cluster/children.js'
import { createNodeCluster } from './cluster/node/cluster.js'
import { leftAt, liveFor, withEnded } from './cluster/node/held.js'
import { byPlace } from './cluster/places.js'
import { configuredClusters, lyingIn, serversKnown } from './clusters.js'
import { type Config, parseConfig } from './config.js'
import { createDeclaring } from './declaring.js'
import { diffObjects, maskedValue } from './diff.js'
import { isUnder } from './fields.js'
import { createFollowing } from './following.js'
import { createGating } from './gating.js'
import { Poller } from './git/poller.js'
import { writeRevert } from './git/revert.js'
import { GitStore } from './git/store.js'
import { credentialsIn } from './git/url.js'
import { adminToken, nodeIdentities } from './joined.js'
import { keyFiles, pendingRestore } from './key-files.js'
import { openKustomize } from './kustomize/tree.js'
import { createLeading, untilDone } from './leading.js'
import { namedReleases } from './ledger.js'
import { createOrigins } from './origins.js'
import { logPass } from './pass-log.js'
import { createProjects, projectsDoor } from './projects.js'
import { readinessOf } from './readiness.js'
import { lookAgainMs, type Pass, reconcile, rendered, type World } from './reconcile.js'
import type { ReleaseId } from './release.js'
import { makeCandidates } from './render/candidate.js'
import { renderMetrics } from './render/metrics.js'
import { RenderPool } from './render/pool.js'
import { createService } from './service.js'
import { createSources } from './sources.js'
import { keepBuckets } from './store/buckets.js'
import { keepLease, type Lease } from './store/lease.js'
import { openStore } from './store/store.js'
import { watchNamespaces } from './watching.js'
import { createWriteBack } from './write-back.js'

const version = (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version

/** EX_CONFIG: starting again cannot help; the keeper stops. */
const exitConfig = 78

export async function main(env: Readonly<Record<string, string | undefined>>): Promise<void> {
  const config = configOf(env)
  const log = pino({
    level: config.logLevel,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: ['req.headers.authorization', 'req.headers.cookie'],
  })
  const controller = await startController(config, log)
  collectAtRest()
  limitLog()
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.once(name, () => {
      setTimeout(() => process.exit(0), 10_000).unref()
      void controller.stop(name).then(() => process.exit(0))
    })
}

function configOf(env: Readonly<Record<string, string | undefined>>): Config {
  const isRoot = process.getuid?.() === 0
  const home = parseConfig(undefined, env, isRoot).config.stateDir
  const file = env.SLIPWAY_CONTROLLER_CONFIG ?? join(home, 'config.yaml')
  const { config, faults } = parseConfig(
    existsSync(file) ? readYaml(readFileSync(file, 'utf8'), file)[0] : undefined,
    env,
    isRoot,
  )
  if (faults.length === 0) return config
  console.error(faults.map(fault => `${file}: ${fault.pointer}: ${fault.message}`).join('\n'))
  process.exit(exitConfig)
}

export async function startController(
  config: Config,
  log: pino.Logger,
): Promise<{ readonly url: string; readonly stop: (reason: string) => Promise<void> }> {
  const now = Date.now
  const randomHex = (bytes: number) => randomBytes(bytes).toString('hex')
  const ending = new AbortController()
  const { signal } = ending
  const keyDir = join(config.stateDir, 'keys')
  const waiting = pendingRestore(keyDir)
  if (waiting !== null) keyFiles(keyDir, now).put((await unpackBackup(waiting.archive)).files)
  const keys = await openControllerKeys(join(keyDir, 'controller'))
  const broken = (fault: string) => log.warn({ fault }, 'a file was broken')
  keys.faults.forEach(broken)
  const bus = openBus({
    servers: [config.natsURL === '' ? 'nats://127.0.0.1:4222' : config.natsURL],
    name: 'slipway controller',
    seed: keys.nats.seed,
    inbox: inboxPrefix('controller'),
  })
  const identities = nodeIdentities(join(config.stateDir, 'nodes'), broken)

  let lease: Lease | null = null
  const epoch = () => lease?.epoch() ?? null
  const store = openStore({ bus, key: keys.storage, epoch, now })
  const clusters = configuredClusters({
    sources: config.clusters,
    knownFile: join(config.stateDir, 'controller', 'clusters.json'),
    keys,
    applications: () => applications,
    epoch,
    overtaken: seen => lease?.raise(seen),
    warn: message => log.warn({ message }, 'cluster'),
    now,
  })
  const declared: Declared = {
    uid: '',
    parent: null,
    defaultNode: config.node,
    health: config.health,
    readYaml: text => readYaml(text, 'values')[0] ?? {}, // Argo CD has `helm.values` as a string of YAML: one document.
    get clusters() {
      return clusters.known()
    },
  }
  const applications: Applications = new Applications({ store, now, randomHex, declared })
  const identity = (node: string): NodeIdentity | null =>
    identities.get(node) ?? store.nodes().find(known => known.node === node) ?? null
  const cluster = createNodeCluster(
    {
      bus,
      keys,
      identity,
      epoch,
      overtaken: seen => lease?.raise(seen),
      releases: (app, ledger) => [...namedReleases(ledger)].flatMap(id => applications.release(app, id) ?? []),
      warn: message => log.warn({ message }, 'node'),
      now,
    },
    signal,
  )
  const projects = createProjects({
    store,
    file: join(config.stateDir, 'controller', 'projects.json'),
    ...{ broken, now },
    clusters: () => clusters.known(),
    applications: () => applications.all().map(({ app }) => app),
    application: name => applications.get(name)?.app ?? null,
    changed: name => follow(name),
  })
  const declaring = createDeclaring({
    ...{ applications, projects },
    follow: name => follow(name),
    remove: (name, by, asked) => service.remove(name, by, asked),
  })
  const places = withChildren(byPlace(cluster, clusters), declaring)

  // -- Git and renderer --
  const accesses = accessesOf(config.repositories)
  const git = new GitStore({
    directory: join(config.stateDir, 'controller', 'git'),
    credentialsOf: credentialsIn(accesses),
    ...(process.env.PATH === undefined ? {} : { path: process.env.PATH }),
  })
  const poller = new Poller({
    poll: (url, ref, abort) => origins.poll(url, ref, abort),
    now,
    random: Math.random,
    intervalMs: config.pollIntervalMs,
    onTip: state => void lookAtFollowers(state.url, state.ref),
    onStale: state => wakeFollowers(state.url, state.ref),
  })
  const pool = new RenderPool()
  pool.warm()
  const renders = makeCandidates(pool)
  const charts = openCharts({
    directory: join(config.stateDir, 'controller', 'charts'),
    accesses,
    aliases: aliasesOf(config.repositories),
    logins: config.registryLogins,
    read: async (question, abort) => {
      const answer = await pool.ask(question, abort)
      if ('killed' in answer) throw readingKilled(answer.killed)
      return answer
    },
    now,
    random: Math.random,
    wake: name => loop.wake(name),
    warn: message => log.warn({ message }, 'charts'),
  })
  const origins = createOrigins({ git, charts: charts.published })
  const kustomize = openKustomize({ directory: join(config.stateDir, 'controller', 'kustomize'), path: process.env.PATH ?? '' })
  const sources = createSources({
    tip: (url, ref) => poller.state(url, ref),
    ...{ revisionOf: origins.revisionOf, treeAt: origins.treeAt, idAt: origins.idAt },
    withCharts: (asked, abort) => charts.treeOf(asked, abort),
    withKustomize: (asked, abort) => kustomize.treeOf(asked, abort),
    candidateOf: (request, abort) => renders.candidateOf(request, abort),
    keptOf: request => renders.keptOf(request),
    ownerOf: (place, key, except) => applications.ownerOf(place, key, except),
    live: (app, wanted) => {
      const { kind, name, place } = app.destination
      if (kind === 'cluster') return withEnded(clusters.lookUp(app, wanted, signal), app, store.left(place))
      return liveFor(app, [...leftAt(store.left(place)), ...cluster.held(name)])
    },
    declared,
    notPermitted: projects.faultOf,
    childNotPermitted: projects.childFault,
    isDeclared: child => {
      const declared = applications.get(child.metadata.name)?.stored.manifest
      return declared !== undefined && contentHash(declared) === contentHash(child)
    },
  })

  // -- Passes --
  const { follow, wakeFollowers, lookAtFollowers } = createFollowing({
    applications,
    sources,
    follow: (url, ref) => poller.follow(url, ref),
    wake: name => loop.wake(name),
    forget: name => loop.forget(name),
    signal,
  })

  const gating = createGating({ applications, projectWindows: projects.windows })
  const world: World = {
    now,
    ledger: app => applications.get(app.name)?.ledger ?? notDeclared(app.name),
    candidate: (app, ledger, abort) => sources.candidate(app, ledger, abort),
    keep: ledger => applications.keep(ledger),
    gates: gating.gates,
    cluster: () => places,
    release: (app, id) => applications.release(app, id),
    prepare: prepared => applications.prepare(prepared),
    record: pass => applications.record(pass),
  }
  const writeBack = createWriteBack({
    write: (order, abort) => writeRevert(git, order, abort),
    author: config.commitAuthor,
    now,
    sharesPath: ({ name, source: { repoURL, path } }) =>
      applications.all().some(({ app }) => app.name !== name && app.source.repoURL === repoURL && app.source.path === path),
    tell: event => applications.tellEvent(event),
    written: (url, ref) => void poller.wake(url, ref),
    releases: (app, id) => applications.release(app, id as ReleaseId),
  })
  const loop = createLoop<string>({
    now,
    concurrency: 16, // A pass waits most of its time, for NATS or an API server.
    async pass(name, abort) {
      if (!leading.isLeading() || !cluster.ready()) return { wakeAt: now() + 500 }
      const pass = await applications.inTurn(name, entry => reconcile(entry.app, world, abort))
      if (pass === null) return { wakeAt: null }
      logPass(log, pass)
      if (pass.step.kind === 'forget') forgotten(pass)
      else {
        writeBack(pass, abort)
        if (pass.ledger.deletion === null && pass.app.mode === 'release') await cluster.answer(pass.app, formerNodes(pass))
      }
      const wellAt = applications.get(name)?.ill?.until || Number.POSITIVE_INFINITY
      const againAt = now() + lookAgainMs(pass) * (0.9 + 0.2 * Math.random())
      return { wakeAt: pass.step.kind !== 'none' ? now() : Math.min(pass.decision.wakeAt ?? againAt, wellAt, againAt) }
    },
    onFailure(name, error, failures, retryInMs) {
      applications.failed(name, (error as Error).message)
      log.warn({ application: name, failures, retryInMs, error: (error as Error).message }, 'pass failed')
    },
  })
  function formerNodes({ app }: Pass): readonly string[] {
    const places = store.ledgers(app.name).map(ledger => ledger.place)
    return places.flatMap(place => (place !== app.destination.place && place.startsWith('node/') ? [place.slice(5)] : []))
  }
  function forgotten({ app }: Pass): void {
    follow(app.name)
    sources.forget(app.name)
    renders.forget(app.name)
    if (app.parent !== null) loop.wake(app.parent)
    // What it had, others may have now.
    for (const other of applications.all()) if (other.app.destination.place === app.destination.place) loop.wake(other.app.name)
  }
  const wakeAll = () => {
    for (const name of applications.names()) follow(name)
  }
  clusters.onChange(name => loop.wake(name))
  applications.onChange(change => {
    if (change.type !== 'event') for (const name of gating.dependentsOf(change.name)) loop.wake(name)
  })
  cluster.onChange(name => {
    loop.wake(name)
    // What charts of others looked up may be another now.
    for (const other of sources.lookingUp()) if (other !== name) loop.wake(other)
  })
  bus.onStatus(status => {
    log.info({ connected: status.connected, message: status.message, server: status.server }, 'nats')
    if (status.connected) wakeAll()
  })

  // -- The store: read back when the lease is gained; put again when NATS lost it --
  async function readBack(): Promise<void> {
    await serversKnown(clusters)
    const problems = await store.load()
    await restorePending()
    await projects.restore()
    for (const problem of [...problems, ...applications.load()]) log.warn({ problem }, 'store')
    await store.sweep()
    await adopting.now()
  }
  const leading = createLeading(
    {
      epoch,
      read: readBack,
      began: gained => {
        log.info({ epoch: gained, applications: applications.names().length }, 'leading')
        wakeAll()
        adopting.fromClusters()
      },
      failed: error => log.warn({ error: error.message }, 'reading back'),
    },
    signal,
  )
  /** A backup with other keys was taken back: now that they are in use, so is what it stores. */
  async function restorePending(): Promise<void> {
    const waiting = pendingRestore(keyDir)
    if (waiting === null) return
    const count = await store.importAll((await unpackBackup(waiting.archive)).store)
    waiting.done()
    log.warn({ entries: count }, 'a backup was taken back with its keys')
  }
  const adopting = createAdopting(
    {
      isLeading: () => leading.isLeading(),
      isReady: () => epoch() !== null && cluster.ready(),
      onNodes: () => cluster.kept(store.madeAt()),
      clusters: config.clusters.map(({ name }) => name),
      inCluster: name => lyingIn(clusters, name, signal),
      take: async kept =>
        await takeBack({
          store,
          kept: () => kept,
          entries: () => applications.all(),
          take: (stored, found) => applications.take(stored, found),
          leave: async (app, node) => (node === '' ? undefined : cluster.answer(app, [node])),
          declare: (manifest, by, parent) => applications.declare(manifest, by, parent, false),
          now,
        }),
      taken(name) {
        log.warn({ application: name }, 'taken back from its place: the store had lost it')
        follow(name)
      },
      failed: error => log.warn({ error: error.message }, 'taking back'),
    },
    signal,
  )
  const buckets = keepBuckets(
    bus,
    made => {
      log.info({ made }, 'nats store made')
      store.mend().then(
        mended => mended && log.warn('NATS had lost its store: everything was put again'),
        error => log.warn({ error: (error as Error).message }, 'mend'),
      )
    },
    signal,
  )
  cluster.onChange(adopting.soon)
  const leased = (async () => {
    await untilDone(
      async () => void (await store.load()),
      signal,
      error => log.debug({ error: error.message }, 'waiting for the store'),
    )
    await untilDone(
      async () => (cluster.ready() ? undefined : Promise.reject(new Error('nodes are not listed yet'))),
      signal,
      () => undefined,
    )
    if (signal.aborted) return
    lease = keepLease(
      {
        bus,
        seenEpoch: () => Math.max(cluster.seenEpoch(), store.seenEpoch()),
        now,
        gained: leading.gained,
        lost: reason => log.warn({ reason }, 'the lease is lost: nothing new begins'),
      },
      signal,
    )
  })()

  // -- REST --
  // Equal values look equal within one run of the controller; nobody can try guesses against it.
  const diffKey = randomHex(32)
  const service = createService({
    applications,
    store,
    cluster: () => places,
    nodes: () => cluster.nodes(),
    wake: name => follow(name),
    wakeRepository: (url, ref) => {
      const woken = poller.wake(url, ref)
      if (woken > 0) pool.warm()
      return woken
    },
    async look({ app }) {
      await Promise.all(app.sources.map(source => poller.look(source.repoURL, trackedRef(source))))
      const found = await applications.inTurn(app.name, async entry =>
        rendered(entry.app, await places.observe(entry.app, signal), world, signal),
      )
      return found?.candidate ?? null
    },
    readiness: () =>
      readinessOf({
        bus,
        epoch: epoch(),
        nodes: cluster.trouble(),
        clusters: config.clusters.length === 0 ? null : clusters.trouble(),
        refs: poller.states(),
      }),
    diff: (older, newer) => diffObjects(older, newer, diffKey),
    hash: value => maskedValue('', Buffer.from(value), diffKey),
    keyFiles: keyFiles(keyDir, now),
    isRead: leading.hasRead,
    now,
    randomHex,
  })
  watchNamespaces(
    config.watchApplications,
    {
      ...{ applications, projects, service, follow, now },
      client: name => clusters.client(name),
      lookAt: (url, ref) => poller.look(url, ref),
      isLeading: () => leading.isLeading() && leading.hasRead(),
      warn: message => log.warn({ message }, 'applications of a cluster'),
    },
    signal,
  )
  const tokens = await openTokens(join(keyDir, 'tokens.json'), { now }, broken)
  const api = await createApi({
    service,
    argo: createArgo({
      ...{ applications, projects, declared },
      hasAccess: url => config.repositories.some(access => isUnder(url, access.url)),
      client: name => clusters.client(name),
      declare: (manifest, by) => service.declare(manifest, by, { dryRun: false }),
      remove: service.remove,
    }),
    projects: projectsDoor(projects, line => store.audit({ ...line, id: randomHex(8), at: new Date(now()).toISOString() })),
    tokens,
    clock: { now },
    version,
    webhookSecrets: config.webhookSecrets,
    uiDir: fileURLToPath(new URL('../ui', import.meta.url)),
    log,
    publicURL: config.publicURL,
    registries: [renderMetrics(renders.counts)],
  })
  const url = await api.listen({ host: config.listen.host, port: config.listen.port })
  await adminToken(join(keyDir, 'admin.token'), tokens)
  log.info({ url, node: config.node, version }, 'listening')

  return {
    url,
    async stop(reason) {
      log.info({ reason }, 'stopping')
      await loop.stop(reason)
      ending.abort(new Error(reason))
      poller.stop()
      charts.stop()
      await api.close()
      pool.close()
      await Promise.allSettled([buckets, leased, cluster.running, lease?.running, git.close(), clusters.close()])
      await bus.close()
    },
  }
}

function notDeclared(name: string): never {
  throw new Error(`application ${name} is not declared`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) void main(process.env)
