// A Kubernetes cluster as a `Cluster`: reads come from a cache that watches keep new, writes are server-side apply, the ledger goes
// first, into a Secret with compare-and-set. It decides nothing.
import type { PreflightAnswer } from '../../../runtime/contract/documents.js'
import { manifestHash } from '../../../runtime/contract/hash.js'
import { type Manifest, type ObjectRef, refKey, refOf, refText } from '../../../runtime/contract/manifest.js'
import type { Application } from '../../application.js'
import type { Ledger } from '../../ledger.js'
import { createsNamespace } from '../../release/options.js'
import { keptKinds } from '../../release/sent.js'
import type { Release } from '../../release.js'
import type { Applied, Cluster, Observed, Order } from '../cluster.js'
import type { createPacker, Kept } from '../node/ledger.js'
import { type Cache, createCache, type Entry, type Kind } from './cache.js'
import type { ApiClient } from './client.js'
import { createDiscovery } from './discovery.js'
import { createKeeping, type Found, OvertakenError } from './keeping.js'
import { keepLog, logLines } from './logs.js'
import { observedObject, observedPods } from './look.js'
import { ask, definedBy, running } from './preflight.js'
import { createIdentity, guarded, type KnownClusters } from './identity.js'
import { silenceOf, silentText, startPulse } from './pulse.js'
import { fieldManager, isSame, scaledBy, trackedBy, withoutReplicas } from './seen.js'
import { applyObject, inParallel, liveObject, releaseObject, removeObject, resourceOf, unknownKind, type Write } from './write.js'

export interface KubernetesOptions {
  /** As `destination.name` says it. */
  readonly name: string
  readonly client: ApiClient
  /** UID of the cluster's kube-system, where the operator says which it is; else the first one met is kept to. */
  readonly uid?: string
  readonly known: KnownClusters
  readonly packer: ReturnType<typeof createPacker>
  /** The epoch of the lease that we hold, null when we may not write (any more). */
  epoch(): number | null
  /** A ledger of a higher epoch than ours lies there. */
  overtaken(epoch: number): void
  /** The newest that is known here; null where nothing is. */
  ledger(app: Application): Ledger | null
  /** Releases that are kept with the place beside the ledger. */
  releases(app: Application, ledger: Ledger): readonly Release[]
  /** What of current should be there as it was sent: what a restarted controller compares the cluster with. */
  sent(app: Application): readonly Manifest[]
  warn(message: string): void
  now(): number
  readonly pingMs?: number
  readonly silentMs?: number
}

export interface KubernetesCluster extends Cluster {
  /** What lies there for a store that was lost. */
  kept(signal: AbortSignal): Promise<readonly Found[]>
  /** Why it is not reached; '' where it is. */
  trouble(): string
  close(): Promise<void>
}

/** What is remembered of one application from one call to the next; all of it can be found out again. */
interface Known {
  readonly app: Application
  /** The epoch in which its ledger was read back; 0 = not yet. */
  readEpoch: number
  hasLedger: boolean
  preflight: PreflightAnswer | null
  asking: AbortController | null
  /** Objects of releases that are tried: their kinds are watched. */
  coming: readonly ObjectRef[]
  isEnding: boolean
}

/** By refKey: live is this manifest, as long as what we own of it is what it was then. */
type Proofs = Map<string, { readonly uid: string; readonly owned: string; readonly hash: string }>

const atOnce = 12
const workloads = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'CronJob', 'Pod'])
const establishMs = 10_000

export function createKubernetesCluster(options: KubernetesOptions): KubernetesCluster {
  const { name, now, warn } = options
  const ending = new AbortController()
  const identity = createIdentity(
    { client: options.client, name, expected: options.uid ?? '', known: options.known, warn },
    ending.signal,
  )
  options.client.onConnect(identity.doubt)
  const client = guarded(options.client, identity)
  const discovery = createDiscovery(client, now)
  const write: Write = { client, discovery }
  const keeping = createKeeping(client, name, options.packer)
  const listeners = new Set<(application: string) => void>()
  const known = new Map<string, Known>()
  const proofs: Proofs = new Map()
  /** Found to be another than it should, at this version. */
  const drifted = new Map<string, string>()
  const tell = (application: string) => {
    if (known.has(application)) for (const listener of listeners) listener(application)
  }
  const cache = createCache(
    {
      client,
      discovery,
      now,
      changed: tell,
      ended: (pod, container) => void keepLog(client, cache, pod, container, ending.signal),
      ...(options.silentMs === undefined ? {} : { silentMs: options.silentMs }),
    },
    ending.signal,
  )
  const pulse = startPulse(
    { ...options, client, hello: identity.ask },
    () => known.size > 0,
    () => [...known.keys()].forEach(tell),
    ending.signal,
  )

  function knownOf(app: Application): Known {
    const before = known.get(app.name)
    if (before?.app.uid === app.uid) return before
    const fresh = { app, readEpoch: 0, hasLedger: false, preflight: null, asking: null, coming: [], isEnding: false }
    known.set(app.name, fresh)
    return fresh
  }

  function refsOf(app: Application, one: Known): readonly ObjectRef[] {
    const owned = options.ledger(app)?.current?.owned ?? []
    return [...owned, ...options.sent(app).map(refOf), ...one.coming].filter(ref => !isApplicationRef(ref))
  }

  /** Reads the ledger that lies there, once an epoch. */
  async function readBack(app: Application, one: Known, signal: AbortSignal): Promise<Ledger | null> {
    const epoch = options.epoch()
    if (epoch === null || one.readEpoch === epoch) return null
    const found = await keeping.read(app, app.destination.namespace, signal)
    if (found !== null && found.epoch > epoch) {
      options.overtaken(found.epoch)
      throw new OvertakenError(`${app.name}: its ledger in cluster ${name} is of epoch ${found.epoch}, ours is ${epoch}`)
    }
    one.hasLedger = found !== null
    one.readEpoch = epoch
    return found?.kept.ledger.application.uid === app.uid ? found.kept.ledger : null
  }

  /** Writes the ledger on top of what was read or written last. False: its namespace is not there. */
  async function remember(app: Application, { ledger }: Order, signal: AbortSignal): Promise<boolean> {
    const one = knownOf(app)
    const epoch = options.epoch()
    if (epoch === null) throw new OvertakenError(`${app.name}: this controller does not hold the lease; nothing is written`)
    await readBack(app, one, signal)
    const kept: Kept = { ledger, declaration: app.manifest, releases: options.releases(app, ledger) }
    try {
      const isWritten = await keeping.write(app, epoch, kept, signal)
      one.hasLedger ||= isWritten
      return isWritten
    } catch (error) {
      if (error instanceof OvertakenError) one.readEpoch = 0
      throw error
    }
  }

  /** Before anything is written of these: what was there is known, and what is answered is kept. */
  async function watching(refs: readonly ObjectRef[], signal: AbortSignal): Promise<boolean> {
    cache.name(refs)
    return cache.watch(kindsOf(refs), AbortSignal.any([signal, AbortSignal.timeout(listMs)]))
  }

  /** Each object whose proof is gone is compared by a dry run, once a version: is it still what was applied? */
  async function prove(app: Application, signal: AbortSignal): Promise<void> {
    const sent = options.sent(app)
    const scaled = scaledBy(sent)
    const open = sent.flatMap(object => {
      const entry = cache.get(refKey(refOf(object)))
      return entry === undefined || isForeign(entry, app) || isSettled(entry, object) ? [] : [{ object, entry }]
    })
    await inParallel(open, atOnce, async ({ object, entry }) => {
      const attempt = entry.applied?.attempt ?? 0
      const answer = await applyObject(
        write,
        object,
        { application: app.name, attempt, dryRun: true, ...sentAs(object, scaled, entry) },
        signal,
      )
      const live = answer.kind === 'written' ? await liveObject(write, entry.ref, signal) : null
      if (answer.kind === 'written' && live !== null && isSame(live, answer.object))
        proofs.set(entry.key, { uid: entry.uid, owned: entry.owned, hash: manifestHash(object) })
      else drifted.set(entry.key, entry.version)
    })
  }

  function isSettled(entry: Entry, object: Manifest): boolean {
    return hashOf(entry) === manifestHash(object) || drifted.get(entry.key) === entry.version
  }

  function hashOf(entry: Entry): string {
    const proof = proofs.get(entry.key)
    return proof !== undefined && proof.uid === entry.uid && proof.owned === entry.owned ? proof.hash : ''
  }

  async function observe(app: Application, signal: AbortSignal): Promise<Observed> {
    const one = knownOf(app)
    const refs = refsOf(app, one)
    const kinds = kindsOf(refs)
    let ledger: Ledger | null = null
    let silent = pulse.silence()
    if (silent === null) {
      try {
        await identity.certain()
        const isWhole = await watching(refs, signal)
        ledger = await readBack(app, one, signal)
        await prove(app, signal)
        silent = silenceOf(name, cache.trouble(kinds), isWhole, now())
      } catch (error) {
        if (error instanceof OvertakenError || signal.aborted) throw error
        silent = { since: now(), message: silentText(name, error as Error), hears: false }
      }
    }
    const entries = entriesOf(app, refs)
    const left = entries.filter(entry => entry.application === app.name && !staysBehind(entry.ref))
    const isThere = one.hasLedger || entries.some(entry => entry.application === app.name)
    const sequence = isThere ? { epoch: options.epoch() ?? 0, generation: 1 } : null
    const isEnding = one.isEnding || options.ledger(app)?.deletion?.told === true
    return {
      at: pulse.heardAt(),
      silent,
      ordered: sequence,
      obeyed: sequence,
      attempt: 0,
      release: '',
      preflight: one.preflight,
      objects: entries.map(entry => observedObject(entry, hashOf(entry), cache.ownedBy)),
      pods: observedPods(entries, cache.ownedBy),
      gone: isEnding && silent === null && left.length === 0 && options.ledger(app)?.deletion?.cascade !== false,
      ledger,
    }
  }

  /** What it tracks, and what is there under a name of its release and is nobody else's. */
  function entriesOf(app: Application, refs: readonly ObjectRef[]): readonly Entry[] {
    const named = refs.flatMap(ref => cache.get(refKey(ref)) ?? []).filter(entry => !isForeign(entry, app))
    return [...new Map([...cache.of(app.name), ...named].map(entry => [entry.key, entry])).values()]
  }

  async function applyOne(
    app: Application,
    object: Manifest,
    order: Order,
    scaled: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<Applied> {
    const ref = refOf(object)
    const before = cache.get(refKey(ref))
    if (before !== undefined && !before.deleting && hashOf(before) === manifestHash(object) && before.application === app.name)
      return { ref, result: 'unchanged', message: '' }
    const owner =
      before === undefined ? trackedBy(((await liveObject(write, ref, signal)) as Manifest | null) ?? object) : before.application
    if (owner !== '' && owner !== app.name)
      return { ref, result: 'refused', message: `it belongs to application ${owner} in this cluster` }
    const how = { application: app.name, attempt: order.attempt, dryRun: false, ...sentAs(object, scaled, before) }
    const answer = await applyObject(write, object, how, signal)
    if (answer.kind === 'unknown') return { ref, result: 'refused', message: unknownKind(object) }
    if (answer.kind === 'refused') {
      // The namespace will be gone, and may be made anew: no word against the release.
      if (answer.reason === 'NamespaceTerminating') throw new Error(`${refText(ref)}: ${answer.message}`)
      return { ref, result: 'refused', message: answer.message }
    }
    cache.put(answer.object)
    const entry = cache.get(refKey(ref))
    if (entry !== undefined) proofs.set(entry.key, { uid: entry.uid, owned: entry.owned, hash: manifestHash(object) })
    drifted.delete(refKey(ref))
    const isSameVersion = before?.version === (answer.object.metadata as { resourceVersion?: string }).resourceVersion
    return { ref, result: answer.created ? 'created' : isSameVersion ? 'unchanged' : 'changed', message: '' }
  }

  async function applyAll(
    app: Application,
    objects: readonly Manifest[],
    order: Order,
    signal: AbortSignal,
  ): Promise<readonly Applied[]> {
    const applied: Applied[] = []
    const scaled = scaledBy([...options.sent(app), ...objects])
    for (const group of byKind(objects)) {
      for (const object of group) await untilKnown(object, objects, signal)
      applied.push(...(await inParallel(group, atOnce, object => applyOne(app, object, order, scaled, signal))))
      if (group[0]?.kind === 'CustomResourceDefinition') discovery.invalidate()
    }
    return applied
  }

  /** A definition of the same wave is served a moment after it was applied. */
  async function untilKnown(object: Manifest, objects: readonly Manifest[], signal: AbortSignal): Promise<void> {
    const id = `${refOf(object).group}/${object.kind}`
    if (!objects.some(one => one.kind === 'CustomResourceDefinition' && definedBy(one) === id)) return
    for (const deadline = now() + establishMs; now() < deadline; ) {
      if ((await resourceOf(discovery, object, signal)) !== null) return
      discovery.invalidate()
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }

  async function makeNamespace(app: Application, signal: AbortSignal): Promise<void> {
    const { namespace } = app.destination
    const { labels, annotations } = app.sync.namespaceMetadata
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels, annotations } }
    const call = { body, query: { fieldManager, force: 'true' }, contentType: 'application/apply-patch+yaml' }
    await client.call('PATCH', `/api/v1/namespaces/${encodeURIComponent(namespace)}`, call, signal)
  }

  function begin(app: Application, release: Release, round: number): void {
    const one = knownOf(app)
    one.asking?.abort()
    const asking = new AbortController()
    one.asking = asking
    const stop = AbortSignal.any([asking.signal, ending.signal])
    const question = {
      application: app.name,
      release,
      round,
      creates: createsNamespace(app.sync.options) ? [app.destination.namespace] : [],
      found: (object: Parameters<Cache['put']>[0]) => cache.put(object),
    }
    const answer = (given: PreflightAnswer) => {
      if (stop.aborted) return
      one.preflight = given
      tell(app.name)
    }
    one.preflight = running(question, 'dry run')
    one.coming = release.objects.map(refOf)
    cache.name(one.coming)
    ask(write, question, () => {}, stop).then(answer, (error: Error) => {
      if (stop.aborted) return
      const problem = {
        object: one.coming[0]!,
        reason: 'Unreachable',
        message: `cluster ${name}: ${error.message}`,
        transient: true,
      }
      answer({ ...running(question, ''), state: 'refused', problems: [problem] })
    })
  }

  return {
    observe,
    async preflight(app, release, round, order, signal) {
      await remember(app, order, signal)
      begin(app, release, round)
    },
    async apply(app, objects, order, signal) {
      let isKept = await remember(app, order, signal)
      if (!isKept && createsNamespace(app.sync.options)) {
        await makeNamespace(app, signal)
        isKept = await remember(app, order, signal)
      }
      knownOf(app).coming = objects.map(refOf)
      await watching(knownOf(app).coming, signal)
      const applied = await applyAll(app, objects, order, signal)
      if (!isKept) await remember(app, order, signal)
      return applied
    },
    async prune(app, refs, order, signal) {
      await remember(app, order, signal)
      return inParallel(refs, atOnce, async (ref): Promise<Applied> => {
        const isGoing = await removeObject(write, ref, app.name, signal)
        proofs.delete(refKey(ref))
        drifted.delete(refKey(ref))
        return { ref, result: isGoing ? 'pruned' : 'unchanged', message: '' }
      })
    },
    async remember(app, order, signal) {
      await remember(app, order, signal)
    },
    async remove(app, order, signal) {
      const one = knownOf(app)
      one.asking?.abort()
      one.isEnding = true
      await remember(app, order, signal)
      await watching(refsOf(app, one), signal)
      const refs = entriesOf(app, []).map(entry => entry.ref)
      await inParallel(
        refs.filter(ref => !staysBehind(ref)),
        atOnce,
        ref => removeObject(write, ref, app.name, signal),
      )
    },
    async letGo(app, order, signal) {
      await remember(app, order, signal)
      await watching(refsOf(app, knownOf(app)), signal)
      const tracked = entriesOf(app, []).filter(entry => entry.application === app.name)
      await inParallel(tracked, atOnce, entry => releaseObject(write, entry.ref, signal))
    },
    async forget(app, signal) {
      const one = known.get(app.name)
      one?.asking?.abort()
      await keeping.erase(app, signal)
      known.delete(app.name)
    },
    logs: (app, pod, container, wish, signal) => {
      const found = observedPods(entriesOf(app, refsOf(app, knownOf(app))), cache.ownedBy).find(one => one.name === pod)
      if (found === undefined) throw new Error(`${app.name} has no pod ${pod} in cluster ${name}`)
      return logLines(client, found.namespace, pod, container, wish, signal)
    },
    onChange: listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async kept(signal) {
      await identity.certain()
      return keeping.all(signal)
    },
    trouble: () => pulse.silence()?.message ?? '',
    async close() {
      ending.abort(new Error('closed'))
      await cache.running
      await client.close()
    },
  }
}

function sentAs(object: Manifest, scaled: ReadonlySet<string>, live: Entry | undefined): { readonly as?: Manifest } {
  return scaled.has(refKey(refOf(object))) ? { as: withoutReplicas(object, live) } : {}
}

function isApplicationRef({ kind, group }: ObjectRef): boolean {
  return kind === 'Application' && (group === 'slipway.dev' || group === 'argoproj.io')
}

function isForeign({ application }: Entry, app: Application): boolean {
  return application !== '' && application !== app.name
}

/** Data and other people's objects outlive the application. */
function staysBehind(ref: ObjectRef): boolean {
  return keptKinds.has(ref.kind)
}

/** Their kinds, and those that stand between a workload and its pods. */
function kindsOf(refs: readonly ObjectRef[]): readonly Kind[] {
  const kinds = new Map(refs.map(({ group, kind }) => [`${group}/${kind}`, { group, kind }]))
  const beneath: Kind[] = refs.some(ref => workloads.has(ref.kind))
    ? [
        { group: '', kind: 'Pod' },
        { group: 'apps', kind: 'ReplicaSet' },
        ...(refs.some(ref => ref.kind === 'DaemonSet') ? [{ group: 'apps', kind: 'ControllerRevision' }] : []),
        ...(refs.some(ref => ref.kind === 'CronJob') ? [{ group: 'batch', kind: 'Job' }] : []),
      ]
    : []
  for (const kind of beneath) kinds.set(`${kind.group}/${kind.kind}`, kind)
  return [...kinds.values()]
}

/** Neighbours of one kind together, in the order given: a kind is there before the next begins. */
function byKind(objects: readonly Manifest[]): readonly (readonly Manifest[])[] {
  const groups: Manifest[][] = []
  for (const object of objects) {
    const last = groups.at(-1)
    if (last?.[0]?.kind === object.kind && last[0].apiVersion === object.apiVersion) last.push(object)
    else groups.push([object])
  }
  return groups
}

/** How long a pass waits for the first list of a kind, ms. */
const listMs = 5_000
