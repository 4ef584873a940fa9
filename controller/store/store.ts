// What the controller remembers: read from memory, resolved as written once NATS has it. One controller writes, by its lease.
import type { NodeIdentity } from '../../runtime/contract/keys.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { buckets, encodeToken, eventStream, eventSubject } from '../../runtime/contract/subjects.js'
import type { Bus } from '../../runtime/nats/bus/connect.js'
import { bucketCreated, withBus } from '../../runtime/nats/bus/values.js'
import type { Actor, Attempt, Ledger } from '../ledger.js'
import type { Release, ReleaseId } from '../release.js'
import type { EventView } from '../view.js'
import { auditStream } from './buckets.js'
import { openCabinet } from './cabinet.js'
import { openJournal } from './streams.js'

export interface StoredApplication {
  readonly name: string
  readonly uid: string
  /** As declared. */
  readonly manifest: Manifest
  /** The application whose manifests declare it; null where a person did. */
  readonly parent: string | null
  /** Counts the changes of the declaration. */
  readonly generation: number
  /** ms since 1970. */
  readonly createdAt: number
  readonly by: Actor
  /** Of one that a node gave back: when it had last moved there, ms since 1970. A node that knows of a later move knows better. */
  readonly knownUntil?: number
}

export interface StoredProject {
  readonly name: string
  /** As declared. */
  readonly manifest: Manifest
  /** The application whose manifests declare it; null where a person did. */
  readonly parent: string | null
  readonly by: Actor
  /** ms since 1970. */
  readonly at: number
}

/** What an application that was let go left running at its place: whoever names these objects takes them over, with what is in them. */
export interface LeftBehind {
  readonly application: { readonly name: string; readonly uid: string }
  readonly place: string
  readonly objects: readonly Manifest[]
  /** ms since 1970: it was ended, and these are but what its data can be read with. Absent: it was let go, and they run on. */
  readonly endedAt?: number
}

export interface StoredToken {
  readonly id: string
  readonly name: string
  /** SHA-256 of the token, hex: the token itself is shown once and kept nowhere. */
  readonly hash: string
  readonly role: string
  readonly createdAt: number
  /** ms since 1970; 0 = never. */
  readonly expiresAt: number
}

export interface AuditLine {
  readonly id: string
  readonly at: string
  readonly by: Actor
  /** `sync`, `rollback`, `token.create`... */
  readonly action: string
  readonly application: string
  readonly message: string
}

export interface Archive {
  readonly format: 'slipway-store'
  readonly version: 1
  readonly at: string
  /** Values by key, in clear: seal it (`packArchive`), or keep it as what it is. */
  readonly entries: Readonly<Record<string, unknown>>
  readonly events: readonly EventView[]
  readonly audit: readonly AuditLine[]
}

export interface Store {
  /** Reads everything back; a store that was wiped meanwhile is filled again. Returns what could not be read; that stays where it is. */
  load(): Promise<readonly string[]>
  applications(): readonly StoredApplication[]
  application(name: string): StoredApplication | null
  putApplication(application: StoredApplication): Promise<void>
  /** With its ledgers, releases and history. */
  removeApplication(name: string): Promise<void>
  /** Removes what a removal that was cut short left behind. */
  sweep(): Promise<void>
  ledger(application: string, place: string): Ledger | null
  ledgers(application: string): readonly Ledger[]
  /** A ledger of a lower version than the one that is there is refused. */
  putLedger(ledger: Ledger): Promise<void>
  removeLedger(application: string, place: string): Promise<void>
  release(application: string, id: ReleaseId): Release | null
  releases(application: string): readonly ReleaseId[]
  /** Immutable: putting one that is there does nothing. */
  putRelease(application: string, release: Release): Promise<void>
  removeRelease(application: string, id: ReleaseId): Promise<void>
  /** Newest first. */
  history(application: string): readonly Attempt[]
  /** Written over as long as it goes on; known by its number. */
  putAttempt(application: string, attempt: Attempt): Promise<void>
  /** Newest first; null: of all applications. */
  events(application: string | null, limit: number): readonly EventView[]
  /** False: it was told before. */
  event(event: EventView): Promise<boolean>
  onEvent(listener: (event: EventView) => void): () => void
  left(place: string): readonly LeftBehind[]
  /** Without objects there is nothing left: it is forgotten. */
  putLeft(left: LeftBehind): Promise<void>
  projects(): readonly StoredProject[]
  putProject(project: StoredProject): Promise<void>
  removeProject(name: string): Promise<void>
  tokens(): readonly StoredToken[]
  putToken(token: StoredToken): Promise<void>
  removeToken(id: string): Promise<void>
  nodes(): readonly NodeIdentity[]
  putNode(node: NodeIdentity): Promise<void>
  removeNode(node: string): Promise<void>
  audit(line: AuditLine): Promise<void>
  /** Newest first. */
  auditLines(limit: number): readonly AuditLine[]
  exportAll(): Archive
  /** Puts every value of the archive; what is there beside it stays. Returns how many. */
  importAll(archive: unknown): Promise<number>
  /** Puts everything again if the store of NATS was wiped since it was last looked at. Returns whether it was. */
  mend(): Promise<boolean>
  seenEpoch(): number
  /** When NATS made the store, ms since 1970; 0 before it was read. */
  madeAt(): number
}

export interface StoreOptions {
  readonly bus: Bus
  /** `ControllerKeys.storage`. */
  readonly key: Uint8Array
  /** `Lease.epoch`. */
  epoch(): number | null
  now(): number
}

type Keys = readonly string[]

/** What belongs to an application: its ledgers last. */
const belonging = ['attempt', 'release', 'ledger'] as const

/** Attempts that are kept of one application. */
export const historyLimit = 200
const eventLimit = 5_000
const auditLimit = 2_000

export function openStore(options: StoreOptions): Store {
  const cabinet = openCabinet(options)
  const eventJournal = openJournal<EventView>(
    options.bus,
    eventStream,
    eventLimit,
    value => shaped(value, ['id', 'application', 'what']) as EventView | null,
  )
  const auditJournal = openJournal<AuditLine>(
    options.bus,
    auditStream,
    auditLimit,
    value => shaped(value, ['id', 'action']) as AuditLine | null,
  )
  const histories = new Map<string, Map<number, Attempt>>()
  let created = ''

  const look = () => withBus(options.bus, buckets.store, connection => bucketCreated(connection, buckets.store))
  const valuesOf = <T>(prefix: string) => cabinet.keys(prefix).map(key => cabinet.get(key) as T)
  const one = <T>(key: string) => (cabinet.get(key) as T | undefined) ?? null
  const historyOf = (application: string): Map<number, Attempt> => {
    const there = histories.get(application)
    if (there !== undefined) return there
    const read = new Map(valuesOf<Attempt>(keyOf('attempt', application, '')).map(attempt => [attempt.number, attempt]))
    histories.set(application, read)
    return read
  }
  const putAttempt = async (application: string, attempt: Attempt) => {
    await cabinet.put(keyOf('attempt', application, String(attempt.number)), attempt)
    const history = historyOf(application).set(attempt.number, attempt)
    const over = [...history.keys()].sort((a, b) => b - a).slice(historyLimit)
    for (const number of over) {
      await cabinet.remove(keyOf('attempt', application, String(number)))
      history.delete(number)
    }
  }
  const publish = (event: EventView) => eventJournal.append(event, eventSubject(event.application, event.what))
  const publishAudit = (line: AuditLine) => auditJournal.append(line, `slipway.audit.${encodeToken(line.action)}`)
  return {
    load: async () => {
      const now = await look()
      histories.clear()
      const problems = await cabinet.load(created !== '' && now !== created)
      created = now
      await eventJournal.load()
      await auditJournal.load()
      return problems
    },
    applications: () => valuesOf(keyOf('application', '')),
    application: name => one(keyOf('application', name)),
    putApplication: application => cabinet.put(keyOf('application', application.name), application),
    removeApplication: async name => {
      // The ledger last: it says that the application is to be deleted. Without it, an application that is still there would be a new one.
      const [attempts, releases, ledgers] = belonging.map(kind => cabinet.keys(keyOf(kind, name, ''))) as [Keys, Keys, Keys]
      for (const key of [...attempts, ...releases, keyOf('application', name), ...ledgers])
        if (cabinet.get(key) !== undefined) await cabinet.remove(key)
      histories.delete(name)
    },
    sweep: async () => {
      const there = new Set(valuesOf<StoredApplication>(keyOf('application', '')).map(({ name }) => encodeToken(name)))
      // One that cannot be read may be read another time: what belongs to it waits for that.
      for (const key of cabinet.unreadable()) if (key.startsWith(keyOf('application', ''))) there.add(key.split('.')[1] ?? '')
      const keys = belonging.flatMap(kind => cabinet.keys(keyOf(kind, '')))
      for (const key of keys) if (!there.has(key.split('.')[1] ?? '')) await cabinet.remove(key)
    },
    ledger: (application, place) => one(keyOf('ledger', application, place)),
    ledgers: application => valuesOf(keyOf('ledger', application, '')),
    putLedger: async ledger => {
      const key = keyOf('ledger', ledger.application.name, ledger.place)
      const before = one<Ledger>(key)
      if (before !== null && before.application.uid === ledger.application.uid && before.version > ledger.version) {
        throw new Error(
          `${ledger.application.name}: ledger version ${ledger.version} is older than ${before.version}, which is stored; nothing was written`,
        )
      }
      await cabinet.put(key, ledger)
    },
    removeLedger: (application, place) => cabinet.remove(keyOf('ledger', application, place)),
    release: (application, id) => one(keyOf('release', application, id)),
    releases: application => valuesOf<Release>(keyOf('release', application, '')).map(release => release.id),
    putRelease: async (application, release) => {
      const key = keyOf('release', application, release.id)
      if (cabinet.get(key) === undefined) await cabinet.put(key, release)
    },
    removeRelease: (application, id) => cabinet.remove(keyOf('release', application, id)),
    history: application => [...historyOf(application).values()].sort((a, b) => b.number - a.number),
    putAttempt,
    events: (application, limit) =>
      eventJournal.newest(limit, event => application === null || event.application === application),
    event: async event => !eventJournal.has(event.id) && publish(event),
    onEvent: eventJournal.onLine,
    left: place => valuesOf(keyOf('left', place, '')),
    putLeft: async left => {
      const key = keyOf('left', left.place, left.application.uid)
      if (left.objects.length > 0) await cabinet.put(key, left)
      else if (cabinet.get(key) !== undefined) await cabinet.remove(key)
    },
    projects: () => valuesOf(keyOf('project', '')),
    putProject: project => cabinet.put(keyOf('project', project.name), project),
    removeProject: name => cabinet.remove(keyOf('project', name)),
    tokens: () => valuesOf(keyOf('token', '')),
    putToken: token => cabinet.put(keyOf('token', token.id), token),
    removeToken: id => cabinet.remove(keyOf('token', id)),
    nodes: () => valuesOf(keyOf('node', '')),
    putNode: node => cabinet.put(keyOf('node', node.node), node),
    removeNode: node => cabinet.remove(keyOf('node', node)),
    audit: async line => void (await publishAudit(line)),
    auditLines: limit => auditJournal.newest(limit),
    exportAll: () => ({
      format: 'slipway-store',
      version: 1,
      at: new Date(options.now()).toISOString(),
      entries: Object.fromEntries(cabinet.keys('').map(key => [key, cabinet.get(key)])),
      events: eventJournal.all(),
      audit: auditJournal.all(),
    }),
    importAll: async given => {
      const archive = parseArchive(given)
      // Sealed with keys that a person has replaced: never to be read again, and in the way of what is put back.
      for (const key of cabinet.unreadable()) if (archive.entries[key] !== undefined) await cabinet.remove(key)
      for (const [key, value] of Object.entries(archive.entries)) await cabinet.put(key, value)
      for (const event of archive.events) await publish(event)
      for (const line of archive.audit) await publishAudit(line)
      histories.clear()
      return Object.keys(archive.entries).length
    },
    mend: async () => {
      const now = await look()
      if (created === '' || now === created) return false
      await cabinet.putAllAgain()
      created = now
      return true
    },
    seenEpoch: cabinet.seenEpoch,
    madeAt: () => (created === '' ? 0 : Date.parse(created)),
  }
}

/** `keyOf('ledger', 'shop.eu', 'node/lab')` -> `ledger.shop_2eeu.node_2flab`; a last '' gives the prefix of all of them. */
function keyOf(...parts: readonly string[]): string {
  return parts.map((part, index) => (index === parts.length - 1 && part === '' ? '' : encodeToken(part))).join('.')
}

const keyForm = /^(application|ledger|release|attempt|left|project|token|node)(\.[\w-]+){1,2}$/

/** Throws when it is not an archive of ours. */
export function parseArchive(value: unknown): Archive {
  const archive = shaped(value, ['format', 'at']) as unknown as Archive | null
  if (archive?.format !== 'slipway-store') throw new Error('backup: not an archive of a Slipway store')
  if (archive.version !== 1)
    throw new Error(`backup: archive version ${archive.version}, this Slipway reads version 1; use the Slipway that made it`)
  const foreign = Object.keys(archive.entries ?? {}).find(key => !keyForm.test(key))
  if (foreign !== undefined) throw new Error(`backup: key ${JSON.stringify(foreign)} is none of ours`)
  return { ...archive, entries: archive.entries ?? {}, events: archive.events ?? [], audit: archive.audit ?? [] }
}

/** The value when it is an object that has these text fields; null otherwise. */
function shaped(value: unknown, fields: readonly string[]): Readonly<Record<string, unknown>> | null {
  if (value === null || typeof value !== 'object') return null
  const record = value as Readonly<Record<string, unknown>>
  return fields.every(field => typeof record[field] === 'string') ? record : null
}
