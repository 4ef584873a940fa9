// What is known of every node, in memory, from what lies in NATS: leases, reports, our own documents. It reads; `cluster.ts` writes.
import type { KeyObject } from 'node:crypto'
import { ChunkError } from '../../../runtime/contract/chunks.js'
import type { DesiredDocument, NodeLease, ReportDocument, Sequence } from '../../../runtime/contract/documents.js'
import { contractVersion, isNewer } from '../../../runtime/contract/documents.js'
import { FrameError, parseDesired, parseReport, parseReturned, verifyDesired } from '../../../runtime/contract/frame.js'
import {
  buckets,
  decodeToken,
  documentKey,
  type KeyKind,
  leaseKey,
  parseDocumentKey,
} from '../../../runtime/contract/subjects.js'
import type { Bus } from '../../../runtime/nats/bus/connect.js'
import { joinValue } from '../../../runtime/nats/bus/values.js'
import type { Level, Listing } from '../../../runtime/nats/bus/watch.js'
import { watchKeys, writingOf } from '../../../runtime/nats/bus/watch.js'

/** A node that has not renewed its lease for this long is silent: four renewals. */
export const silentAfterMs = 40_000

export interface Head {
  readonly document: DesiredDocument
  /** Of the key, for compare-and-set; 0 when the store has lost it. */
  readonly revision: number
  /** The bytes of the key itself: they name the chunks to remove. */
  readonly raw: Uint8Array
  /** Written by us in this epoch; otherwise read back. */
  readonly ours: boolean
  /** What lies in the store is older than `document`: it was set back. */
  readonly behind: boolean
}

export interface Place {
  readonly node: string
  readonly application: string
  head: Head | null
  /** The newest order that changed what should run or be answered: `remember` does not. */
  material: Sequence | null
  report: ReportDocument | null
  reportAt: number
  returned: DesiredDocument | null
  /** The node has said all that it has to say, and nothing of the application is there. */
  empty: boolean
  /** On its way: what a watch tells of it is not news. */
  writing: Sequence | null
  /** Which writing of each key was taken last: a listing tells all of them again, and to open them again is most of what it costs. */
  readonly taken: Map<KeyKind, string>
  /** Writes of one place follow each other. */
  queue: Promise<unknown>
}

export interface KnownNode {
  readonly lease: NodeLease
  /** ms since 1970: when it was last heard. */
  readonly heardAt: number
}

/** Something that lies in NATS and cannot be believed or read: until it can, what is known of it is old. */
export interface Unreadable {
  readonly node: string
  /** '' for what the node says of itself. */
  readonly application: string
  readonly message: string
  readonly since: number
}

export interface PlacesOptions {
  readonly bus: Bus
  readonly signing: KeyObject
  readonly sealing: KeyObject
  readonly relistMs?: number
  now(): number
}

export interface PlacesHandlers {
  /** '' for every application of that node. */
  changed(node: string, application: string): void
  /** The store was wiped: documents that we hold are to be put again. */
  lost(places: readonly Place[]): void
  /** A document or report that cannot be believed or read. */
  refused(message: string): void
}

export interface Places {
  place(node: string, application: string): Place
  all(): readonly Place[]
  nodes(): ReadonlyMap<string, KnownNode>
  unreadable(): readonly Unreadable[]
  /** Creation times of the buckets as last listed; '' before. */
  listed(): { readonly desired: string; readonly reports: string; readonly nodes: string }
  /** What lies there now, read whole. */
  take(level: Level, kv: Listing['kv']): Promise<void>
  forget(place: Place): void
  readonly running: Promise<void>
}

export function watchPlaces(options: PlacesOptions, handlers: PlacesHandlers, signal: AbortSignal): Places {
  const places = new Map<string, Place>()
  const nodes = new Map<string, KnownNode>()
  const listed = { desired: '', reports: '', nodes: '' }
  /** By key. */
  const unreadable = new Map<string, Unreadable>()
  const refuse = (key: string, node: string, application: string, message: string) => {
    const before = unreadable.get(key)
    if (before?.message === message) return
    unreadable.set(key, { node, application, message, since: before?.since ?? options.now() })
    handlers.refused(message)
    handlers.changed(node, application)
  }
  /** What was taken away is not unreadable any more. True if there was such a thing. */
  const onlyThose = (levels: readonly Level[], isOfThem: (key: string) => boolean): boolean => {
    const there = new Set(levels.filter(level => !level.deleted).map(level => level.key))
    const gone = [...unreadable.keys()].filter(key => isOfThem(key) && !there.has(key))
    for (const key of gone) unreadable.delete(key)
    return gone.length > 0
  }
  const kindOf = (key: string) => parseDocumentKey(key)?.kind
  const place = (node: string, application: string): Place => {
    const key = `${node}/${application}`
    const there = places.get(key)
    if (there !== undefined) return there
    const made: Place = {
      node,
      application,
      head: null,
      material: null,
      report: null,
      reportAt: 0,
      returned: null,
      empty: false,
      writing: null,
      taken: new Map(),
      queue: Promise.resolve(),
    }
    places.set(key, made)
    return made
  }
  const take = async (level: Level, kv: Listing['kv']) => {
    const where = parseDocumentKey(level.key)
    if (level.deleted) unreadable.delete(level.key)
    if (where === null || level.deleted) return
    const target = place(where.node, where.application)
    target.empty = false
    try {
      if (where.kind === 'head') takeHead(target, await joinValue(kv, level.key, level.value), level, options)
      if (where.kind === 'report') takeReport(target, await joinValue(kv, level.key, level.value), level, options)
      if (where.kind === 'returned')
        target.returned = parseReturned(await joinValue(kv, level.key, level.value), options.sealing, where)
      target.taken.set(where.kind, writingOf(level))
      if (unreadable.delete(level.key)) handlers.changed(where.node, where.application)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      target.taken.delete(where.kind)
      refuse(level.key, where.node, where.application, unreadableText(where, error))
    }
    if (where.kind !== 'head') handlers.changed(where.node, where.application)
  }
  /** Another store numbers from the start. */
  const forgetRevisions = () => {
    for (const target of places.values()) {
      target.taken.clear()
      if (target.head !== null) target.head = lostHead(target.head)
    }
  }
  const isTaken = (level: Level) => {
    const where = parseDocumentKey(level.key)
    if (where === null || level.deleted) return false
    return places.get(`${where.node}/${where.application}`)?.taken.get(where.kind) === writingOf(level)
  }
  const takeAll = async ({ kv, levels }: Listing) => {
    for (const level of levels) if (!isTaken(level)) await take(level, kv)
  }
  const takeLease = (level: Level) => {
    const lease = level.deleted ? null : readLease(level)
    if (lease === null) return
    const wasUnreadable = unreadable.delete(level.key)
    const before = nodes.get(lease.node)
    const wasSilent = before === undefined || isSilent(before, options.now())
    nodes.set(lease.node, { lease, heardAt: Math.max(before?.heardAt ?? 0, Math.min(options.now(), level.writtenAt)) })
    if (wasSilent || wasUnreadable || tellsMore(before.lease, lease)) handlers.changed(lease.node, '')
  }
  const readLease = (level: Level): NodeLease | null => {
    try {
      return parseLease(level)
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      refuse(level.key, decodeToken(level.key.split('.')[0] ?? ''), '', error.message)
      return null
    }
  }
  const relist = options.relistMs === undefined ? {} : { relistMs: options.relistMs }
  const watchDesired = watchKeys(
    options.bus,
    { bucket: buckets.desired, filter: '*.*.head', ...relist },
    {
      listed: async listing => {
        const isOther = listed.desired !== listing.created
        if (listed.desired !== '' && isOther) forgetRevisions()
        const isReadable = onlyThose(listing.levels, key => kindOf(key) === 'head')
        await takeAll(listing)
        listed.desired = listing.created
        if (isOther || isReadable) handlers.changed('', '')
        const there = new Set(listing.levels.filter(level => !level.deleted).map(level => level.key))
        const isMissing = ({ node, application }: Place) => !there.has(documentKey(node, application, 'head'))
        const ours = [...places.values()].filter(({ head, writing }) => head?.ours && writing === null)
        for (const target of ours.filter(isMissing)) target.head = lostHead(target.head!)
        const lost = ours.filter(({ head }) => head?.behind)
        if (lost.length > 0) handlers.lost(lost)
      },
      changed: take,
    },
    signal,
  )
  const watchReports = watchKeys(
    options.bus,
    { bucket: buckets.reports, filter: '>', ...relist },
    {
      listed: async listing => {
        const isOther = listed.reports !== listing.created
        if (isOther) for (const target of places.values()) for (const kind of said) target.taken.delete(kind)
        const isReadable = onlyThose(listing.levels, key => said.some(kind => kind === kindOf(key)))
        await takeAll(listing)
        listed.reports = listing.created
        if (isOther || isReadable) handlers.changed('', '')
      },
      changed: take,
    },
    signal,
  )
  const watchNodes = watchKeys(
    options.bus,
    { bucket: buckets.nodes, filter: '>', ...relist },
    {
      listed: listing => {
        const isOther = listed.nodes !== listing.created
        const isReadable = onlyThose(listing.levels, key => kindOf(key) === undefined)
        listing.levels.forEach(takeLease)
        listed.nodes = listing.created
        if (isOther || isReadable) handlers.changed('', '')
      },
      changed: takeLease,
    },
    signal,
  )
  return {
    place,
    all: () => [...places.values()],
    nodes: () => nodes,
    unreadable: () => [...unreadable.values()],
    listed: () => listed,
    take,
    forget: ({ node, application }) => places.delete(`${node}/${application}`),
    running: Promise.all([watchDesired, watchReports, watchNodes]).then(() => {}),
  }
}

/** What a node writes. */
const said: readonly KeyKind[] = ['report', 'returned']

export function isSilent(node: KnownNode, now: number): boolean {
  return now - node.heardAt > silentAfterMs
}

function lostHead(head: Head): Head {
  return { ...head, revision: 0, raw: Buffer.from('='), behind: true }
}

function takeHead(place: Place, bytes: Uint8Array, level: Level, options: PlacesOptions): void {
  const { head, writing } = place
  if (head !== null && head.revision >= level.revision) return
  // The header says whose order it is: most are our own, and need not be opened.
  const order = verifyDesired(bytes, options.signing)
  const isHere = order.node === place.node && order.application.name === place.application
  if (isHere && writing !== null && isSame(order, writing)) return
  if (isHere && head?.ours && !isNewer(order, head.document)) {
    // Ours, or older than ours in a store that was set back: only where it lies is news.
    place.head = { ...head, revision: level.revision, raw: level.value, behind: !isSame(order, head.document) }
    return
  }
  const document = parseDesired(bytes, options.signing, options.sealing, place)
  place.head = { document, revision: level.revision, raw: level.value, ours: false, behind: false }
  place.material = { epoch: document.epoch, generation: document.generation }
}

function isSame(a: Sequence, b: Sequence): boolean {
  return a.epoch === b.epoch && a.generation === b.generation
}

/** Heard of when it was written: a listing tells of old reports again, and a node that says nothing new is silent all the same. */
function takeReport(place: Place, bytes: Uint8Array, level: Level, options: PlacesOptions): void {
  place.report = parseReport(bytes, options.sealing, place)
  place.reportAt = Math.max(place.reportAt, Math.min(options.now(), level.writtenAt))
}

/** A chunk that is missing may come: with its head, which is looked at again, or with the next listing. The others do not wait for it. */
function isUnreadable(error: unknown): error is Error {
  return error instanceof FrameError || error instanceof ChunkError
}

function unreadableText({ node, application, kind }: { node: string; application: string; kind: KeyKind }, error: Error): string {
  return error instanceof ChunkError ? `${kind} of ${node}/${application}: ${error.message}` : error.message
}

/** null for what is no lease. Throws FrameError for one that another version wrote. */
function parseLease(level: Level): NodeLease | null {
  const value = jsonOf(level.value)
  if (typeof value?.node !== 'string' || level.key !== leaseKey(value.node)) return null
  const { contract } = value
  if (typeof contract !== 'number' || Math.abs(contract - contractVersion) > 1) {
    const said = `node ${value.node} speaks contract version ${contract ?? 'unknown'}, this controller ${contractVersion}`
    throw new FrameError(`${said}; upgrade the older side`)
  }
  return typeof value.sealKey === 'string' && typeof value.told?.desired === 'string' ? (value as NodeLease) : null
}

function jsonOf(bytes: Uint8Array): Partial<NodeLease> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    return value !== null && typeof value === 'object' ? value : null
  } catch {
    return null
  }
}

/** News to every application of the node. That something is on its way again lets nobody go on, and is none. */
function tellsMore(before: NodeLease, now: NodeLease): boolean {
  const buckets = ['desired', 'reports'] as const
  const isTold = buckets.some(bucket => now.told[bucket] !== '' && now.told[bucket] !== before.told[bucket])
  return isTold || JSON.stringify(agedBy(before.conditions ?? [])) !== JSON.stringify(agedBy(now.conditions ?? []))
}

/** Conditions because of which what is known of pods is old. */
export function agedBy(conditions: NodeLease['conditions']): NodeLease['conditions'] {
  return conditions.filter(({ type, status }) => status === 'True' && agingTypes.has(type))
}

const agingTypes = new Set(['EngineUnreachable', 'DocumentRefused'])
