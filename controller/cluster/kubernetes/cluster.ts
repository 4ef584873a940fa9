// A Kubernetes cluster as a `Cluster`: reads come from a cache that watches keep new, writes are server-side apply, the ledger goes
// first, into a Secret with compare-and-set. It decides nothing.
import { setMaxListeners } from 'node:events'
import type { PreflightAnswer } from '../../../runtime/contract/documents.js'
import { manifestHash } from '../../../runtime/contract/hash.js'
import { type Manifest, type ObjectRef, refKey, refOf } from '../../../runtime/contract/manifest.js'
import type { Application } from '../../application.js'
import { isRollingBack, isUnderWay, type Ledger } from '../../ledger.js'
import { createsNamespace, optionsOf } from '../../release/options.js'
import { keptKinds, ordinaryObjects } from '../../release/sent.js'
import type { Release } from '../../release.js'
import { isApproved } from '../../sync/consent.js'
import type { Applied, Cluster, Observed, Order } from '../cluster.js'
import type { createPacker, Kept } from '../node/ledger.js'
import { createApplying } from './apply.js'
import { createCache, type Entry } from './cache.js'
import type { ApiClient, Sent } from './client.js'
import { createDiscovery } from './discovery.js'
import { createIdentity, guarded, type KnownClusters } from './identity.js'
import { ruleFaults } from './ignored.js'
import { isJournalOnly } from './journal.js'
import { createJq } from './jq.js'
import { createKeeping, type Found, OvertakenError } from './keeping.js'
import { kindsOf } from './kinds.js'
import { type Known, newlyKnown } from './known.js'
import { createLogKeeper, logLines } from './logs.js'
import { observedObject, observedPods } from './look.js'
import { createLookUp, type LookUp } from './lookup.js'
import { fieldManager } from './managed.js'
import { ask, outsideOf, running } from './preflight.js'
import { createProving } from './prove.js'
import { silenceOf, silentText, startPulse } from './pulse.js'
import { createScales } from './scale.js'
import { endPod, mayUnstick, stuckPods } from './unstick.js'
import { inParallel, type Removal, releaseObject, removeObject, type Write } from './write.js'

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
  /** How long a change that says nothing lasting waits for another write of its ledger, ms. */
  readonly journalMs?: number
  /** How long a watch may say nothing, ms: while nothing is tried, and while a release is, whose clocks run. */
  readonly silentMs?: { readonly calm: number; readonly tried: number }
  /** As `ClusterSource` has it. */
  readonly namespaces?: readonly string[]
  /** A kind that no application named for so long is not watched any more. */
  readonly idleMs?: number
}

export interface KubernetesCluster extends Cluster {
  readonly client: ApiClient
  /** What lies there for a store that was lost. */
  kept(signal: AbortSignal): Promise<readonly Found[]>
  /** For charts: what they look up, and what is there under their names. Throws where it could not be found out. */
  lookUp: LookUp
  /** Why it is not reached; '' where it is. */
  trouble(): string
  close(): Promise<void>
}

const atOnce = 12
/** Bookmarks come once a minute; a release that is tried could be judged for want of news before that. */
const usualSilentMs = { calm: 90_000, tried: 15_000 }

export function createKubernetesCluster(options: KubernetesOptions): KubernetesCluster {
  const { name, now, warn, silentMs = usualSilentMs, journalMs = 5_000 } = options
  const ending = new AbortController()
  // One watch a kind listens to it.
  setMaxListeners(0, ending.signal)
  const identity = createIdentity(
    { client: options.client, name, expected: options.uid ?? '', known: options.known, warn },
    ending.signal,
  )
  options.client.onConnect(identity.doubt)
  const client = guarded(options.client, identity)
  const discovery = createDiscovery(client, now)
  const write: Write = { client, discovery }
  const keeping = createKeeping(client, name, options.packer, options.namespaces)
  const listeners = new Set<(application: string) => void>()
  const known = new Map<string, Known>()
  /** Keys that a preflight has looked for: what of them is not in the cache is not there. */
  const lookedFor = new Set<string>()
  /** The epoch in which all ledgers were listed. */
  let listedEpoch: number | null = null
  const jq = createJq()
  const keyOf = (object: Manifest) => refKey(discovery.placed(refOf(object)))
  const tell = (application: string) => {
    if (known.has(application)) for (const listener of listeners) listener(application)
  }
  const cache = createCache(
    {
      client,
      discovery,
      now,
      changed: tell,
      ended: (pod, container) => lastWords.keep(pod, container),
      silentMs: () => (isTrying() ? silentMs.tried : silentMs.calm),
      ...(options.namespaces === undefined ? {} : { namespaces: options.namespaces }),
      ...(options.idleMs === undefined ? {} : { idleMs: options.idleMs }),
    },
    ending.signal,
  )
  const lastWords = createLogKeeper(client, () => cache, ending.signal)
  const told = new Set<string>() // keys of what this process told to go: an earlier one may not have come to it
  const pulse = startPulse(
    { ...options, client, hello: identity.ask, beaten: cache.sweep },
    () => known.size > 0,
    () => {
      cache.hasten()
      for (const application of known.keys()) tell(application)
    },
    ending.signal,
  )

  const lookUp = createLookUp(write, now)
  const scales = createScales(write, now)
  const proving = createProving({ write, cache, keyOf, jq: jq.paths, scales })
  const applyAll = createApplying({
    write,
    cache,
    discovery,
    proving,
    jq: jq.paths,
    scales,
    keyOf,
    isLookedFor: key => lookedFor.has(key),
    now,
  })

  function isTrying(): boolean {
    return [...known.values()].some(({ app }) => {
      const attempt = options.ledger(app)?.attempt ?? null
      return isUnderWay(attempt) || isRollingBack(attempt)
    })
  }

  function knownOf(app: Application): Known {
    const before = known.get(app.name)
    if (before?.app.uid === app.uid) return before
    const fresh = newlyKnown(app)
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
    if (listedEpoch !== epoch) keeping.forgetAll()
    one.written = null
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
  async function remember(app: Application, { ledger }: Pick<Order, 'ledger'>, signal: AbortSignal): Promise<boolean> {
    const one = knownOf(app)
    const epoch = options.epoch()
    if (epoch === null) throw new OvertakenError(`${app.name}: this controller does not hold the lease; nothing is written`)
    // Held for lying elsewhere: the store alone remembers that.
    if (options.namespaces?.includes(app.destination.namespace) === false) return false
    await readBack(app, one, signal)
    const kept: Kept = { ledger, declaration: app.manifest, releases: options.releases(app, ledger) }
    try {
      const isWritten = await keeping.write(app, epoch, kept, signal)
      one.hasLedger ||= isWritten
      one.written = isWritten ? ledger : null
      one.owedAt = 0
      return isWritten
    } catch (error) {
      one.written = null
      if (error instanceof OvertakenError) one.readEpoch = 0
      throw error
    }
  }

  /** Lines of its journal that no other write took along: with NATS alone they are for so long, and no longer. */
  async function writeOwed(app: Application, one: Known, signal: AbortSignal): Promise<void> {
    const ledger = options.ledger(app)
    if (one.owedAt === 0 || now() - one.owedAt < journalMs || options.epoch() === null || ledger === null) return
    await remember(app, { ledger }, signal)
  }

  /** Before anything is written of these: what was there is known, and what is answered is kept. */
  async function watching(refs: readonly ObjectRef[], signal: AbortSignal): Promise<boolean> {
    cache.name(refs.map(discovery.placed))
    return cache.watch(kindsOf(refs), () => AbortSignal.any([signal, AbortSignal.timeout(listMs)]))
  }

  async function observe(app: Application, signal: AbortSignal, against: Release | null = null): Promise<Observed> {
    const one = knownOf(app)
    const sent = against === null ? options.sent(app) : ordinaryObjects(against)
    const refs = [...refsOf(app, one), ...(against === null ? [] : sent.map(refOf))]
    const kinds = kindsOf(refs)
    let ledger: Ledger | null = null
    let silent = pulse.silence()
    if (silent === null) {
      try {
        await identity.certain()
        const isWhole = await watching(refs, signal)
        ledger = await readBack(app, one, signal)
        await proving.prove(app, sent, signal)
        await writeOwed(app, one, signal)
        silent = silenceOf(name, cache.trouble(kinds), isWhole, now())
      } catch (error) {
        if (error instanceof OvertakenError || signal.aborted) throw error
        silent = { since: now(), message: silentText(name, error as Error), hears: false }
      }
    }
    if (silent === null) await lastWords.settled(() => observedPods(entriesOf(app, refs), cache.ownedBy).map(pod => pod.uid))
    const entries = entriesOf(app, refs)
    if (silent === null && options.epoch() !== null && mayUnstick(options.ledger(app))) await unstick(app, entries, signal)
    const left = entries.filter(entry => entry.application === app.name && !staysBehind(entry, app, options.ledger(app)))
    const isThere = one.hasLedger || entries.some(entry => entry.application === app.name)
    const sequence = isThere ? { epoch: options.epoch() ?? 0, generation: 1 } : null
    const isTold = options.ledger(app)?.deletion?.told === true
    return {
      at: pulse.heardAt(),
      silent,
      ordered: isTold && !one.hasEnded ? null : sequence,
      obeyed: sequence,
      attempt: 0,
      release: '',
      preflight: one.preflight,
      objects: observedOf(entries, refs),
      pods: observedPods(entries, cache.ownedBy),
      faults: await ruleFaults(app.ignoreDifferences, jq.fault),
      gone: (isTold || one.hasEnded) && silent === null && left.length === 0 && options.ledger(app)?.deletion?.cascade !== false,
      ledger,
    }
  }

  async function unstick(app: Application, entries: readonly Entry[], signal: AbortSignal): Promise<void> {
    for (const pod of stuckPods(entries, cache.ownedBy))
      await endPod(client, pod, signal).catch((error: Error) => {
        warn(`${app.name}: pod ${pod.name} holds up its StatefulSet on the way back and cannot be ended: ${error.message}`)
      })
  }

  /** What it tracks, and what is there under a name of its release and is nobody else's. */
  function entriesOf(app: Application, refs: readonly ObjectRef[]): readonly Entry[] {
    const named = refs.flatMap(ref => cache.get(refKey(discovery.placed(ref))) ?? []).filter(entry => !isForeign(entry, app))
    return [...new Map([...cache.of(app.name), ...named].map(entry => [entry.key, entry])).values()]
  }

  /** Under the names that the release has for them, though their kind may have no namespaces. */
  function observedOf(entries: readonly Entry[], refs: readonly ObjectRef[]): Observed['objects'] {
    const named = new Map(refs.map(ref => [refKey(discovery.placed(ref)), ref]))
    return entries.map(entry => ({
      ...observedObject(entry, proving.hashOf(entry), cache.ownedBy),
      ref: named.get(entry.key) ?? entry.ref,
      isTold: told.has(entry.key),
      drift: proving.driftOf(entry),
    }))
  }

  /** With a manager of its own: what a release says of the same namespace is not taken from it. */
  async function makeNamespace(app: Application, signal: AbortSignal): Promise<void> {
    const { namespace } = app.destination
    const { labels, annotations } = app.sync.namespaceMetadata
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels, annotations } }
    const query = { fieldManager: `${fieldManager}-namespace`, force: 'true' }
    const call = { body, query, contentType: 'application/apply-patch+yaml' }
    await client.call('PATCH', `/api/v1/namespaces/${encodeURIComponent(namespace)}`, call, signal)
  }

  /** Made where it is not there; labelled as its application says, once each time that it says another thing. */
  async function namespaceAsDeclared(app: Application, isThere: boolean, signal: AbortSignal): Promise<void> {
    const { labels, annotations } = app.sync.namespaceMetadata
    const isPlain = Object.keys(labels).length + Object.keys(annotations).length === 0
    const one = knownOf(app)
    const wanted = JSON.stringify([labels, annotations])
    if (!createsNamespace(app.sync.options) || (isThere && (isPlain || one.labelled === wanted))) return
    await makeNamespace(app, signal)
    one.labelled = wanted
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
      options: app.sync.options,
      creates: createsNamespace(app.sync.options) ? [app.destination.namespace] : [],
      known: (object: Manifest) => cache.get(keyOf(object)) ?? null,
      isLive: (object: Manifest) => {
        const entry = cache.get(keyOf(object))
        return entry !== undefined && proving.hashOf(entry) === manifestHash(object)
      },
      found: (object: Manifest, live: Sent | null) => {
        if (live !== null) cache.put(live)
        const key = keyOf(object)
        if (live === null || cache.get(key) !== undefined) lookedFor.add(key)
      },
    }
    const answer = (given: PreflightAnswer) => {
      if (stop.aborted) return
      one.preflight = given
      tell(app.name)
    }
    one.preflight = running(question, 'dry run')
    one.coming = release.objects.map(refOf)
    const asked = watching(one.coming, stop).then(() => ask(write, question, () => {}, stop))
    asked.then(answer, (error: Error) => {
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
    client,
    observe,
    async preflight(app, release, round, order, signal) {
      const outside = outsideOf(app.destination.namespace, release.objects, options.namespaces ?? [])
      if (outside !== null) {
        knownOf(app).preflight = { ...running({ release, round }, ''), state: 'refused', problems: [outside] }
        return tell(app.name)
      }
      await remember(app, order, signal)
      begin(app, release, round)
    },
    async apply(app, objects, order, signal) {
      let isKept = await remember(app, order, signal)
      await namespaceAsDeclared(app, isKept, signal)
      if (!isKept && createsNamespace(app.sync.options)) isKept = await remember(app, order, signal)
      knownOf(app).coming = objects.map(refOf)
      for (const object of objects) told.delete(keyOf(object))
      await watching(knownOf(app).coming, signal)
      const applied = await applyAll(app, [...options.sent(app), ...objects], objects, order, signal)
      if (!isKept) await remember(app, order, signal)
      return applied
    },
    async prune(app, refs, order, signal) {
      await remember(app, order, signal)
      // The same object under two names, with a namespace and without: what the release has of it stays.
      const sent = options.sent(app)
      const [wanted, names] = [new Set(sent.map(keyOf)), new Set(sent.map(object => refKey(refOf(object))))]
      return inParallel(refs, atOnce, async (ref): Promise<Applied> => {
        const key = refKey(discovery.placed(ref))
        if (wanted.has(key) && !names.has(refKey(ref))) return { ref, result: 'unchanged', message: '' }
        const isGoing = await removeObject(write, ref, removalOf(app), signal)
        proving.forget(key)
        told.add(key)
        return { ref, result: isGoing ? 'pruned' : 'unchanged', message: '' }
      })
    },
    async remember(app, order, signal) {
      const one = knownOf(app)
      if (one.written !== null && one.readEpoch === options.epoch() && isJournalOnly(one.written, order.ledger)) {
        one.owedAt ||= now()
        return
      }
      await remember(app, order, signal)
    },
    async remove(app, order, signal) {
      const one = knownOf(app)
      one.asking?.abort()
      await remember(app, order, signal)
      await watching(refsOf(app, one), signal)
      const tracked = entriesOf(app, []).filter(entry => entry.application === app.name)
      await inParallel(tracked, atOnce, entry =>
        keptOnPurpose(entry, app, order.ledger)
          ? releaseObject(write, entry.ref, signal)
          : staysBehind(entry, app, order.ledger)
            ? Promise.resolve()
            : removeObject(write, entry.ref, removalOf(app), signal).then(() => {}),
      )
      one.hasEnded = true
    },
    async letGo(app, order, signal) {
      await remember(app, order, signal)
      // It goes back to where it came from: what marks its objects is Argo CD's own, in the same words.
      if (app.annotations['slipway.dev/imported-from'] === undefined) {
        await watching(refsOf(app, knownOf(app)), signal)
        const tracked = entriesOf(app, []).filter(entry => entry.application === app.name)
        await inParallel(tracked, atOnce, entry => releaseObject(write, entry.ref, signal))
      }
      knownOf(app).hasEnded = true
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
      const epoch = options.epoch()
      const found = await keeping.all(signal)
      listedEpoch = epoch
      return found
    },
    lookUp,
    trouble: () => pulse.silence()?.message ?? '',
    async close() {
      ending.abort(new Error('closed'))
      await Promise.all([cache.running, jq.close()])
      await client.close()
    },
  }
}

function isApplicationRef({ kind, group }: ObjectRef): boolean {
  return (kind === 'Application' || kind === 'AppProject') && (group === 'slipway.dev' || group === 'argoproj.io')
}

function isForeign({ application }: Entry, app: Application): boolean {
  return application !== '' && application !== app.name
}

function removalOf(app: Application): Removal {
  return { application: app.name, options: live => optionsOf(app.sync.options, live) }
}

/** Data, other people's objects, and what says so of itself, outlive the application. */
function staysBehind(entry: Entry, app: Application, ledger: Ledger | null): boolean {
  return keptKinds.has(entry.ref.kind) || keptOnPurpose(entry, app, ledger)
}

/** `Delete=false`, or `Delete=confirm` that nobody confirmed (of what it owns a deletion asks first): it goes on, and is nobody's. */
function keptOnPurpose({ live }: Entry, app: Application, ledger: Ledger | null): boolean {
  const consent = optionsOf(app.sync.options, live).delete
  return consent === 'no' || (consent === 'confirm' && !isApproved(app, ledger ?? {}, ledger?.deletion?.at ?? 0))
}

/** How long a pass waits for the first list of a kind, ms. */
const listMs = 5_000
