// Nodes as a `Cluster`: each write is the next generation of one document, put with compare-and-set; each read is from memory.

import type { KeyObject } from 'node:crypto'
import { cut } from '../../../runtime/contract/chunks.js'
import type { DesiredDocument, NodeCondition, NodeLease, Sequence } from '../../../runtime/contract/documents.js'
import { isNewer } from '../../../runtime/contract/documents.js'
import { encodeDesired } from '../../../runtime/contract/frame.js'
import type { ControllerKeys, NodeIdentity } from '../../../runtime/contract/keys.js'
import { decodePublicKey } from '../../../runtime/contract/keys.js'
import { buckets, documentKey } from '../../../runtime/contract/subjects.js'
import { written } from '../../../runtime/failpoint.js'
import type { Bus } from '../../../runtime/nats/bus/connect.js'
import { bindBucket, ConflictError, eraseOldChunks, eraseValue, withBus, writeValue } from '../../../runtime/nats/bus/values.js'
import type { Application } from '../../application.js'
import { type Ledger, lastMove } from '../../ledger.js'
import type { Release } from '../../release.js'
import type { Applied, Cluster, Observed, Order, Silence } from '../cluster.js'
import type { Content } from './document.js'
import {
  documentOf,
  emptyContent,
  left,
  newest,
  nextSequence,
  withDeletion,
  withObjects,
  withoutObjects,
  withPreflight,
} from './document.js'
import { type Held, heldAt } from './held.js'
import type { Kept } from './ledger.js'
import { createPacker } from './ledger.js'
import { followLogs } from './logs.js'
import type { KnownNode, Place, Places, Unreadable } from './places.js'
import { agedBy, isSilent, watchPlaces } from './places.js'

export interface NodeClusterOptions {
  readonly bus: Bus
  readonly keys: ControllerKeys
  /** A node that has joined; null for any other. */
  identity(node: string): NodeIdentity | null
  /** The epoch of the lease that we hold, null when we may not write (any more). */
  epoch(): number | null
  /** A document of a higher epoch than ours lies there: the lease is another's, or is to be taken anew with a higher epoch. */
  overtaken(epoch: number): void
  /** Releases that are kept with the place beside the ledger: the good ones, and current. */
  releases(app: Application, ledger: Ledger): readonly Release[]
  /** For the log: something that is refused or went wrong by itself. */
  warn(message: string): void
  now(): number
  readonly relistMs?: number
}

export interface NodeState {
  readonly lease: NodeLease
  readonly heardAt: number
  readonly silent: boolean
}

export interface NodeCluster extends Cluster {
  nodes(): readonly NodeState[]
  /** Why what is known of nodes is not whole or not new, and what to do; '' when it is. Silent nodes have their own word. */
  trouble(): string
  /** Everything was listed at least once: `kept` and `seenEpoch` are whole. */
  ready(): boolean
  /** Highest epoch that any document or report names; a lease's epoch must be higher. */
  seenEpoch(): number
  /**
   * What lies with the nodes for a store that was lost: ledger, declaration and releases of each application, newest orders first.
   * Only of orders of an epoch before this one, ms since 1970.
   */
  kept(epoch?: number): readonly (Kept & { readonly node: string; readonly epoch: number })[]
  /** Objects that lie with a node by the newest order of each application, with the status that it reports. */
  held(node: string): readonly Held[]
  /** Its own place answers to it, and former ones to nobody: what lies there is never taken back, and others may take it over. */
  answer(app: Application, formerNodes: readonly string[]): Promise<void>
  readonly running: Promise<void>
}

/** What the place runs is not known yet; nothing was written. Trying again helps once the node has spoken. */
export class NotReadBackError extends Error {
  override name = 'NotReadBackError'
}

/** Another controller has taken over. Trying again cannot help. */
export class OvertakenError extends Error {
  override name = 'OvertakenError'
}

export function createNodeCluster(options: NodeClusterOptions, signal: AbortSignal): NodeCluster {
  const { bus, keys, now } = options
  const listeners = new Set<(application: string) => void>()
  const packer = createPacker(keys.storage)
  const open = createOpener(packer, options.warn)
  /**
   * The newest order of all that was forgotten. What begins, begins after it: nodes obey no order of before an ending, and do not
   * remember whose each of them was for ever.
   */
  let ended: Sequence | null = null
  const nodeKeys = new Map<string, KeyObject>()
  const nodeKey = (encoded: string): KeyObject => {
    const key = nodeKeys.get(encoded) ?? decodePublicKey('x25519', encoded)
    nodeKeys.set(encoded, key)
    return key
  }
  const tell = (node: string, application: string) => {
    const touched = application === '' ? places.all().filter(place => node === '' || place.node === node) : [{ application }]
    for (const name of new Set(touched.map(place => place.application))) for (const listener of listeners) listener(name)
  }
  const lost = (gone: readonly Place[]) => {
    for (const place of gone)
      enqueue(place, () => putAgain(place)).catch(error => options.warn(`${place.application}: ${error.message}`))
  }
  const places: Places = watchPlaces(
    {
      bus,
      now,
      signing: keys.signing.publicKey,
      sealing: keys.sealing.privateKey,
      ...(options.relistMs ? { relistMs: options.relistMs } : {}),
    },
    { changed: (node, application) => tell(node, application), lost, refused: options.warn },
    signal,
  )
  const isListed = () => Object.values(places.listed()).every(created => created !== '')
  const stopSilence = watchSilence(places, now, node => tell(node, ''))
  signal.addEventListener('abort', stopSilence)

  const put = async (place: Place, document: DesiredDocument, revision: number, material: boolean, what: string) => {
    const node = options.identity(place.node)
    if (node === null)
      throw new NotReadBackError(`node ${place.node} has not joined this controller; join it with: slipway runtime join`)
    const leased = places.nodes().get(place.node)?.lease.sealKey ?? node.sealing
    if (leased !== node.sealing) {
      throw new NotReadBackError(
        `node ${place.node} has another key than it joined with; let it in again with: slipway runtime rejoin`,
      )
    }
    const frame = encodeDesired(document, keys.signing.privateKey, [nodeKey(node.sealing), keys.sealing.publicKey])
    const key = documentKey(place.node, place.application, 'head')
    const set = `${document.epoch.toString(36)}${document.generation % 2 === 0 ? 'a' : 'b'}`
    const former = place.head?.raw
    place.writing = document
    try {
      const kv = await withBus(bus, key, connection => bindBucket(connection, buckets.desired))
      const next = await written(`controller.place.${what}`, () => writeValue(kv, key, frame, { revision, set }))
      place.head = { document, revision: next, raw: cut(frame, set).head, ours: true, behind: false }
    } finally {
      place.writing = null
    }
    if (material || place.material === null) place.material = { epoch: document.epoch, generation: document.generation }
    // Only tidying: what is left over is removed with the next one.
    if (former !== undefined)
      await withBus(bus, key, connection => eraseOldChunks(connection, buckets.desired, key, former, set)).catch(() => {})
  }
  const putAgain = async (place: Place) => {
    if (!place.head?.behind || options.epoch() === null) return
    await put(place, place.head.document, place.head.revision, false, 'again')
  }
  const reread = async (place: Place) => {
    const key = documentKey(place.node, place.application, 'head')
    await withBus(bus, key, async connection => {
      const kv = await bindBucket(connection, buckets.desired)
      const entry = await kv.get(key)
      if (entry === null || entry.operation !== 'PUT') {
        if (place.head !== null) place.head = { ...place.head, revision: 0, behind: true }
        return
      }
      await places.take({ key, value: entry.value, revision: entry.revision, writtenAt: 0, deleted: false }, kv)
    })
  }
  /** Makes the next document with `edit` and puts it. A conflict is read and tried again on top of what lies there. */
  const change = (
    app: Application,
    order: Order,
    what: 'preflight' | 'apply' | 'prune' | 'remember' | 'remove' | 'letGo',
    edit: (former: Content) => Content,
  ): Promise<void> => {
    const place = places.place(app.destination.name, app.name)
    return enqueue(place, async () => {
      for (let tries = 1; ; tries++) {
        const epoch = options.epoch()
        if (epoch === null) throw new OvertakenError(`${app.name}: this controller does not hold the lease; nothing is written`)
        const former = readBack(place, app, places, now())
        if (former !== null && former.epoch > epoch) {
          options.overtaken(former.epoch)
          throw new OvertakenError(`${app.name}: node ${place.node} has an order of epoch ${former.epoch}, ours is ${epoch}`)
        }
        // An order that names nothing would end what a node still runs: one that knows of nothing needs none.
        place.empty = former === null && what === 'letGo'
        if (place.empty) return
        const kept = { ledger: order.ledger, declaration: app.manifest, releases: options.releases(app, order.ledger) }
        const letGo = order.ledger.deletion?.cascade === false
        const content = { ...edit(former ?? emptyContent), letGo, ledger: packer.pack(place.node, kept) }
        const floor = former ?? newestOf([place.report, ended], epoch)
        try {
          return await put(
            place,
            documentOf(place.node, app, nextSequence(floor, epoch), content),
            place.head?.revision ?? 0,
            what !== 'remember',
            what,
          )
        } catch (error) {
          if (!(error instanceof ConflictError) || tries === 3) throw error
          await reread(place)
        }
      }
    })
  }
  /**
   * Writes only whose it is, on top of what lies there. False: nothing that runs lies there, it cannot be written now, or the node had
   * a newer order than the one that is left here (a store set back): that one would be obeyed.
   */
  const mark = (place: Place, letGo: boolean): Promise<boolean> =>
    enqueue(place, async () => {
      const epoch = options.epoch()
      const former = newest(place.head?.document ?? null, place.returned)
      if (epoch === null || former === null || former.epoch > epoch) return false
      const { deleted, ...content } = left(former)
      if (deleted || (former.deleted && !letGo)) return false
      if (!former.deleted && former.letGo === letGo) return true
      const isOld = place.report !== null && !place.head?.ours && isNewer(place.report, former)
      if (isOld) return false
      const next = { ...former, ...content, ...nextSequence(former, epoch), deleted, letGo }
      try {
        await put(place, next, place.head?.revision ?? 0, true, 'letGo')
        return true
      } catch (error) {
        if (!(error instanceof NotReadBackError)) throw error
        return false
      }
    })
  const observe = async (app: Application): Promise<Observed> => {
    const place = places.place(app.destination.name, app.name)
    const { desired, reports, nodes } = places.listed()
    if (desired === '' || reports === '' || nodes === '')
      throw new NotReadBackError(`node ${place.node}: ${bus.status().message || 'its reports are being read'}`)
    return observed(
      place,
      app,
      places.nodes().get(place.node) ?? null,
      places.unreadable(),
      options,
      document => open(document)?.ledger ?? null,
    )
  }
  return {
    observe,
    preflight: (app, release, round, order) =>
      change(app, order, 'preflight', former => withPreflight(former, release, round, order)),
    apply: async (app, objects, order) => {
      let applied: readonly Applied[] = []
      await change(app, order, 'apply', former => {
        const next = withObjects(former, objects, order)
        applied = next.applied
        return next.content
      })
      return applied
    },
    prune: async (app, refs, order) => {
      let applied: readonly Applied[] = []
      await change(app, order, 'prune', former => {
        const next = withoutObjects(former, refs, order)
        applied = next.applied
        return next.content
      })
      return applied
    },
    remember: (app, order) => change(app, order, 'remember', former => former),
    remove: (app, order) => change(app, order, 'remove', former => withDeletion(former, order)),
    letGo: (app, order) => change(app, order, 'letGo', former => left(former)),
    logs: (app, pod, container, wish, stop) =>
      followLogs({ bus, keys, node: app.destination.name, application: app.name, ...wish, pod, container }, stop),
    onChange: listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    nodes: () => [...places.nodes().values()].map(node => ({ ...node, silent: isSilent(node, now()) })),
    trouble: () => (isListed() ? troubles(places).join('; ') : 'their reports are being read'),
    ready: isListed,
    seenEpoch: () =>
      Math.max(
        0,
        ...places.all().flatMap(({ head, report, returned }) => [head?.document, report, returned].map(one => one?.epoch ?? 0)),
        ...[...places.nodes().values()].map(({ lease }) => lease.epoch ?? 0),
      ),
    kept: (epoch = Infinity) =>
      places
        .all()
        .flatMap(({ node, head, returned }) => {
          const document = newest(head?.document ?? null, returned)
          const isAsked = document !== null && !document.deleted && !document.letGo && document.epoch < epoch
          const kept = isAsked ? open(document) : null
          // Let go on purpose: the node goes on with it, nobody else does.
          return kept === null || kept.ledger.deletion?.cascade === false ? [] : [{ ...kept, node, epoch: document!.epoch }]
        })
        .sort((a, b) => b.epoch - a.epoch || lastMove(b.ledger) - lastMove(a.ledger)),
    held: node => places.all().flatMap(place => (place.node === node ? heldAt(place) : [])),
    forget: async app => {
      const [node, application] = [app.destination.name, app.name]
      // The order that lets it go stays there: who has not obeyed it yet finds it, and so does who takes over what goes on.
      if (!hasEnded(places.place(node, application)) && (await mark(places.place(node, application), true))) return
      const place = places.place(node, application)
      ended = newestOf([ended, place.head?.document ?? null, place.report])
      await withBus(bus, application, async connection => {
        await written('controller.place.forgotten', () =>
          eraseValue(connection, buckets.desired, documentKey(node, application, 'head')),
        )
        for (const kind of ['report', 'returned'] as const)
          await written(`controller.${kind}.forgotten`, () =>
            eraseValue(connection, buckets.reports, documentKey(node, application, kind)),
          )
      })
      places.forget(place)
    },
    async answer(app, former) {
      if (app.destination.kind === 'node') {
        const own = places.place(app.destination.name, app.name)
        const lies = newest(own.head?.document ?? null, own.returned)
        if (lies?.letGo && lies.application.uid === app.uid) await mark(own, false)
      }
      for (const node of former) await mark(places.place(node, app.name), true)
    },
    running: places.running,
  }
}

/** Of this epoch, or of any; null where there is none. */
function newestOf(orders: readonly (Sequence | null)[], epoch?: number): Sequence | null {
  const fitting = orders.filter(order => order !== null && (epoch === undefined || order.epoch === epoch))
  return sequenceOf(fitting.reduce((newest, order) => (newest === null || isNewer(order!, newest) ? order : newest), null))
}

function enqueue<T>(place: Place, act: () => Promise<T>): Promise<T> {
  const next = place.queue.then(act, act)
  place.queue = next.catch(() => {})
  return next
}

/**
 * The document that the place was last given, or null when it certainly has none. In a new epoch that is known once our document was
 * read and no report speaks of a newer one, or the node has said that all it has to say lies in the buckets of now.
 */
function readBack(place: Place, app: Application, places: Places, now: number): DesiredDocument | null {
  if (place.head?.ours) return ofUid(place.head.document, app)
  const listed = places.listed()
  if (listed.desired === '' || listed.reports === '')
    throw new NotReadBackError(`node ${place.node}: what it runs is being read back`)
  const base = newest(place.head?.document ?? null, place.returned)
  if (base !== null && (place.report === null || !isNewer(place.report, base))) return ofUid(base, app)
  const node = places.nodes().get(place.node)
  if (node === undefined) throw new NotReadBackError(unknownNode(place.node, places))
  if (isSilent(node, now))
    throw new NotReadBackError(`node ${place.node} is silent; nothing is written before it has said what it runs`)
  const told = node.lease.told.desired === listed.desired && node.lease.told.reports === listed.reports
  if (!told) throw new NotReadBackError(`node ${place.node} has not said yet what it runs`)
  if (base === null && place.report !== null && !place.report.deleted)
    throw new NotReadBackError(`node ${place.node} runs ${app.name}, but has not given its document back yet`)
  return base === null ? null : ofUid(base, app)
}

function unknownNode(name: string, places: Places): string {
  const known = [...places.nodes().keys()].sort().join(', ')
  const there = known === '' ? 'no node has' : `${known} ${places.nodes().size === 1 ? 'has' : 'have'}`
  return `node ${name} has said nothing since this controller started, ${there}: start its runtime, or change spec.destination.name`
}

/** What a former application of this name left running is taken over; what it was deleting is not. */
function ofUid(document: DesiredDocument, app: Application): DesiredDocument {
  if (document.application.uid === app.uid) return document
  return { ...document, preflight: null, ...(document.deleted ? { objects: [], digests: {} } : {}) }
}

function observed(
  place: Place,
  app: Application,
  node: KnownNode | null,
  unreadable: readonly Unreadable[],
  options: NodeClusterOptions,
  ledgerIn: (document: DesiredDocument) => Ledger | null,
): Observed {
  const report = place.report?.application.uid === app.uid ? place.report : null
  const covers = report !== null && place.material !== null && !isNewer(place.material, report)
  const base = place.head?.ours ? null : newest(place.head?.document ?? null, place.returned)
  return {
    at: Math.max(node?.heardAt ?? 0, place.reportAt),
    silent: silence(place.node, node, options) ?? aged(place, node, unreadable),
    ordered: place.material,
    obeyed: covers ? place.material : sequenceOf(report),
    attempt: report?.attempt ?? 0,
    release: report?.release ?? '',
    preflight: report?.preflight ?? null,
    objects: report?.objects ?? [],
    pods: report?.pods ?? [],
    gone: place.empty || (covers && report.deleted && (place.head?.document.deleted ?? true)),
    ledger: base !== null && base.application.uid === app.uid ? ledgerIn(base) : null,
  }
}

/** It has said that all of it ended. Whether it is heard now says nothing of that. */
function hasEnded({ report, material }: Place): boolean {
  return report?.deleted === true && (material === null || !isNewer(material, report))
}

function sequenceOf(sequence: Sequence | null): Sequence | null {
  return sequence === null ? null : { epoch: sequence.epoch, generation: sequence.generation }
}

/** Its lease is gone: what it heard is not known. */
function silence(name: string, node: KnownNode | null, options: NodeClusterOptions): Silence | null {
  if (node !== null && !isSilent(node, options.now())) return null
  const { connected, since, message } = options.bus.status()
  if (!connected) return { since: node?.heardAt ?? since, message, hears: false }
  if (node === null && options.identity(name) === null)
    return {
      since,
      message: `no node named ${name} ever joined: join it with slipway runtime join, or change spec.destination.name`,
      hears: false,
    }
  if (node === null)
    return {
      since,
      message: `node ${name} has not been heard of since this controller started; is its runtime running?`,
      hears: false,
    }
  return {
    since: node.heardAt,
    message: `node ${name} has been silent for ${Math.round((options.now() - node.heardAt) / 1000)} s`,
    hears: false,
  }
}

/**
 * It speaks, but what it says of the application is old, or not understood: as little is known as of a silent one. It hears what it is
 * told all the same, unless that is not understood either.
 */
function aged({ node: name, application }: Place, node: KnownNode | null, unreadable: readonly Unreadable[]): Silence | null {
  const found = unreadable.find(one => one.node === name && ['', application].includes(one.application))
  if (found !== undefined) return { since: found.since, message: found.message, hears: false }
  const conditions = agedBy(node?.lease.conditions ?? []).filter(one => [undefined, application].includes(one.application))
  const condition = conditions.find(({ type }) => type === 'DocumentRefused') ?? conditions[0]
  if (condition === undefined) return null
  const since = Date.parse(condition.since ?? '') || (node?.heardAt ?? 0)
  return { since, message: agedText(name, condition), hears: condition.type !== 'DocumentRefused' }
}

function troubles(places: Places): readonly string[] {
  const said = [...places.nodes().values()].flatMap(({ lease }) =>
    agedBy(lease.conditions).map(condition => agedText(lease.node, condition)),
  )
  return [...places.unreadable().map(({ message }) => message), ...said]
}

function agedText(node: string, { type, application, message }: NodeCondition): string {
  const what =
    type === 'EngineUnreachable' ? 'its container engine does not answer' : `it does not obey what is wanted of ${application}`
  return `node ${node}: ${what} (${message})`
}

/** Opens what is kept in a document, once for each; null for nothing, or for what cannot be opened, which is told. */
function createOpener(
  packer: ReturnType<typeof createPacker>,
  warn: (message: string) => void,
): (document: DesiredDocument) => Kept | null {
  const opened = new WeakMap<DesiredDocument, Kept | null>()
  const open = ({ node, application, ledger }: DesiredDocument): Kept | null => {
    try {
      return packer.unpack(node, application.name, ledger)
    } catch (error) {
      warn(`ledger of ${application.name} on node ${node}: ${(error as Error).message}`)
      return null
    }
  }
  return document => {
    if (!opened.has(document)) opened.set(document, open(document))
    return opened.get(document) ?? null
  }
}

/** Wakes when a node falls silent; that it speaks again its lease tells. */
function watchSilence(places: Places, now: () => number, fell: (node: string) => void): () => void {
  const silent = new Set<string>()
  const look = () => {
    for (const [name, node] of places.nodes()) {
      if (!isSilent(node, now())) silent.delete(name)
      else if (!silent.has(name)) {
        silent.add(name)
        fell(name)
      }
    }
  }
  const timer = setInterval(look, 2_000)
  timer.unref()
  return () => clearInterval(timer)
}
