// Every declared application with its ledger and what the last pass saw of it: in memory, written through to the store.
// The one writer of status: what a pass found and did is recorded here, and nowhere else.
import { contentHash } from '../runtime/contract/hash.js'
import type { Manifest, ObjectRef } from '../runtime/contract/manifest.js'
import { refKey, refOf } from '../runtime/contract/manifest.js'
import { type Application, type Declared, parseApplication, readKept } from './application.js'
import { driftEvents, driftText } from './drift.js'
import { eventsBetween, illnessEvent } from './events.js'
import { type Fault, faultsText } from './fields.js'
import { awaitedOf, type Ill, illAfter } from './illness.js'
import { leavesBehind, tooOld } from './leaving.js'
import { type Actor, type Attempt, isUnderWay, type Ledger, lastMove, movedTo, namedReleases, newLedger } from './ledger.js'
import { differing } from './observing.js'
import { Owners } from './owners.js'
import type { Pass, Prepared } from './reconcile.js'
import type { Candidate, Release, ReleaseId } from './release.js'
import { abandoned } from './rollout/attempt.js'
import type { Store, StoredApplication } from './store/store.js'
import { refuseWaitingInCircle, TakenError } from './taken.js'
import type { ApplicationView, EventView } from './view.js'
import { applicationView, type Facts } from './views.js'
import { waitsOf } from './waiting.js'

export interface Entry {
  readonly stored: StoredApplication
  readonly app: Application
  readonly ledger: Ledger
  readonly pass: Pass | null
  /** The last pass could not be made: what stood in the way, since when (ms since 1970). */
  readonly failure: { readonly since: number; readonly message: string } | null
  /** Settled and not well: since when (ms since 1970), and what shows it. */
  readonly ill: Ill | null
}

export interface ApplicationsOptions {
  readonly store: Store
  readonly now: () => number
  /** 16 random hex digits and more. */
  readonly randomHex: (bytes: number) => string
  readonly declared: Omit<Declared, 'uid' | 'parent'>
}

export type Change =
  | { readonly type: 'application'; readonly name: string; readonly view?: ApplicationView }
  | { readonly type: 'removed'; readonly name: string }
  | { readonly type: 'noted'; readonly name: string } // A newer commit, which changes nothing for it.
  | { readonly type: 'event'; readonly event: EventView }

export class InvalidApplicationError extends Error {
  override name = 'InvalidApplicationError'
  readonly faults: readonly Fault[]
  constructor(faults: readonly Fault[]) {
    super(faultsText(faults))
    this.faults = faults
  }
}

const nothing: readonly ObjectRef[] = []

/** INVARIANTS: passes and acts on one application happen one after the other; memory never runs behind what a place was told. */
export class Applications {
  readonly #options: ApplicationsOptions
  readonly #entries = new Map<string, Entry>()
  /** By their parent: each pass asks, and going through a thousand for it takes as long as the pass. */
  readonly #children = new Map<string, Set<string>>()
  readonly #turns = new Map<string, Promise<unknown>>()
  /** Parent -> the child whose turn its own waits for. */
  readonly #awaits = new Map<string, string>()
  readonly #owners = new Owners()
  readonly #listeners = new Set<(change: Change) => void>()
  readonly #shown = new Map<string, string>()

  constructor(options: ApplicationsOptions) {
    this.#options = options
  }

  /** From the store, all of them: what would be refused of one today is named, and it goes on as it was accepted. */
  load(): readonly string[] {
    const { store } = this.#options
    for (const known of [this.#entries, this.#children, this.#owners, this.#shown]) known.clear()
    return store.applications().flatMap(stored => {
      const app = this.#read(stored)
      this.#set(stored.name, { stored, app, ledger: this.#ledgerOf(app), pass: null, failure: null, ill: null })
      return app.faults.length === 0 ? [] : [`application ${stored.name}: ${faultsText(app.faults)}`]
    })
  }

  /** What a node kept of one that the store lost, or of its last move; the rest that is known stays as it is. */
  async take(
    stored: StoredApplication,
    { ledger, releases }: { readonly ledger: Ledger; readonly releases: readonly Release[] },
  ) {
    await this.#inTurn(stored.name, async () => {
      const { store } = this.#options
      const before = this.#entries.get(stored.name)
      for (const release of releases) await store.putRelease(stored.name, release)
      const { pause, requests } = ledger
      if (before === undefined) await store.putLedger(ledger)
      else await store.putLedger({ ...(await this.#move(before.ledger, ledger)), pause, requests })
      await store.putApplication(stored)
      const app = this.#read(stored)
      this.#set(stored.name, { stored, app, ledger: this.#ledgerOf(app), pass: null, failure: null, ill: null })
      this.#tell({ type: 'application', name: stored.name })
      if (before !== undefined) await this.#leave(before.ledger, app.destination.place)
    })
  }

  names(): readonly string[] {
    return [...this.#entries.keys()]
  }

  get(name: string): Entry | null {
    return this.#entries.get(name) ?? null
  }

  all(): readonly Entry[] {
    return [...this.#entries.values()]
  }

  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Those that an application declares. */
  childrenOf(parent: string): readonly Entry[] {
    return [...(this.#children.get(parent) ?? [])].flatMap(name => this.#entries.get(name) ?? [])
  }

  /** Which application runs this object at the place, if it is another. */
  ownerOf(place: string, key: string, except: string): string | null {
    return this.#owners.ownerOf(place, key, except)
  }

  /** Creates or replaces the declaration. Throws InvalidApplicationError with every fault. */
  async declare(
    manifest: unknown,
    by: Actor,
    parent: string | null,
    dryRun: boolean,
  ): Promise<{ readonly app: Application; readonly result: 'created' | 'changed' | 'unchanged' }> {
    const name = nameIn(manifest)
    if (parent !== null) this.#refuseCycle(name, parent)
    return this.#awaited(parent, name, async () => {
      const { store, now, randomHex } = this.#options
      const before = this.#entries.get(name)
      const uid = before?.stored.uid ?? randomHex(8)
      const keptParent = parent ?? before?.stored.parent ?? null
      if (before !== undefined) refuseTaken(before, parent, before.app.parent !== null && this.#entries.has(before.app.parent))
      // What is declared already was accepted once, and is not refused now: nothing would change.
      if (before?.stored.parent === keptParent && contentHash(before.stored.manifest) === contentHash(manifest))
        return { app: before.app, result: 'unchanged' }
      const parsed = this.#parse(manifest, uid, keptParent)
      if (parsed.application === null) throw new InvalidApplicationError(parsed.faults)
      refuseWaitingInCircle(parsed.application, other => this.#entries.get(other)?.app.dependsOn ?? [])
      const result = before === undefined ? 'created' : 'changed'
      if (dryRun) return { app: parsed.application, result }
      const stored: StoredApplication = {
        name,
        uid,
        manifest: manifest as Manifest,
        parent: keptParent,
        generation: (before?.stored.generation ?? 0) + 1,
        createdAt: before?.stored.createdAt ?? now(),
        by,
      }
      const isMoved = before !== undefined && before.app.destination.place !== parsed.application.destination.place
      const there = this.#ledgerOf(parsed.application)
      const ledger = isMoved ? await this.#move(before.ledger, there) : there
      await store.putApplication(stored)
      const kept = before === undefined || isMoved ? { ledger, pass: null, failure: null, ill: null } : before
      this.#set(name, { ...kept, stored, app: parsed.application })
      this.#tell({ type: 'application', name })
      if (isMoved) await this.#leave(before.ledger, ledger.place)
      return { app: parsed.application, result }
    })
  }

  /** Changes the ledger as a person asked, and keeps releases that it names from now on; resolves once it is stored: whether it differs. Null: there is no such application. */
  async act(
    name: string,
    change: (ledger: Ledger, entry: Entry) => Ledger,
    releases: readonly Release[] = [],
  ): Promise<boolean | null> {
    return this.#inTurn(name, async () => {
      const entry = this.#entries.get(name)
      if (entry === undefined) return null
      const ledger = change(entry.ledger, entry)
      if (ledger === entry.ledger) return false
      for (const release of releases) await this.#options.store.putRelease(name, release)
      await this.#options.store.putLedger(ledger)
      this.#set(name, { ...entry, ledger })
      this.#tell({ type: 'application', name })
      return true
    })
  }

  /** A pass's turn; null where the application is gone by now. */
  async inTurn<T>(name: string, pass: (entry: Entry) => Promise<T>): Promise<T | null> {
    return this.#inTurn(name, async () => {
      const entry = this.#entries.get(name)
      return entry === undefined ? null : pass(entry)
    })
  }

  /**
   * What the ledger names must be kept before anything else says so. History and events come before the ledger too: ended in
   * between, they are told again with the same numbers and ids, which is once; after it, nobody would tell them any more.
   */
  async prepare({ app, before, candidate, decision, ledger, now }: Prepared): Promise<void> {
    const { store } = this.#options
    const isNamed = candidate?.kind === 'release' && ledger.releases[candidate.release.id] !== undefined
    // Beside each other: none needs another, and a push waits for all of them.
    await Promise.all([
      isNamed ? store.putRelease(app.name, candidate.release) : undefined,
      ...decision.ended.map(attempt => store.putAttempt(app.name, attempt)),
      ...eventsBetween(before, ledger, decision.ended, now).map(event => this.tellEvent(event)),
    ])
  }

  /** Within the turn of its application. */
  async keep(ledger: Ledger): Promise<void> {
    await this.#options.store.putLedger(ledger)
    const entry = this.#entries.get(ledger.application.name)
    if (entry !== undefined) this.#set(ledger.application.name, { ...entry, ledger })
  }

  async record(pass: Pass): Promise<void> {
    const { store } = this.#options
    const { app, ledger, step } = pass
    const entry = this.#entries.get(app.name)
    if (entry === undefined) return
    if (step.kind === 'forget') return this.#forget(entry, ledger)
    const ill = illAfter(entry.ill, pass, this.#options.now())
    this.#set(app.name, { ...entry, ledger, pass, failure: null, ill })
    if (store.ledger(app.name, app.destination.place)?.version !== ledger.version && ledger.version > 1)
      await store.putLedger(ledger)
    await this.#dropReleases(app.name, ledger)
    await this.#takeOver(app.destination.place, ledger)
    this.#tellIfChanged(app.name)
    if ((ill === null) !== (entry.ill === null)) await this.tellEvent(illnessEvent(pass, ill, entry.ill?.since ?? 0))
    for (const event of driftEvents(entry.pass, pass)) await this.tellEvent(event)
  }

  /** A newer commit that changes nothing for it (unmoved.ts): shown, without a pass. */
  noted(name: string, candidate: Candidate): void {
    const entry = this.#entries.get(name)
    if (entry === undefined || entry.pass === null) return
    this.#set(name, { ...entry, pass: { ...entry.pass, candidate } })
    if (entry.pass.candidate?.revision?.commit !== candidate.revision?.commit) this.#tell({ type: 'noted', name })
  }

  failed(name: string, message: string): void {
    const entry = this.#entries.get(name)
    if (entry === undefined) return
    this.#set(name, { ...entry, failure: { since: entry.failure?.since ?? this.#options.now(), message } })
    this.#tellIfChanged(name)
  }

  async tellEvent(event: EventView): Promise<void> {
    if (await this.#options.store.event(event)) this.#tell({ type: 'event', event })
  }

  release(app: Application, id: ReleaseId): Release | null {
    return this.#options.store.release(app.name, id)
  }

  /** Newest first; what is under way stands first. */
  history(name: string): readonly Attempt[] {
    const ledger = this.#entries.get(name)?.ledger
    const live = [ledger?.trying, ledger?.attempt].filter(attempt => attempt != null)
    const numbers = new Set(live.map(attempt => attempt.number))
    return [...live, ...this.#options.store.history(name).filter(attempt => !numbers.has(attempt.number))].sort(
      (a, b) => b.number - a.number,
    )
  }

  view(name: string): ApplicationView | null {
    const entry = this.#entries.get(name)
    return entry === undefined ? null : applicationView(this.#facts(entry))
  }

  #facts({ app, ledger, pass, failure, ill }: Entry): Facts {
    const health = pass?.health
    const silent = pass?.observed.silent ?? null
    return {
      app,
      ledger,
      candidate: pass?.candidate ?? null,
      silent: silent ?? (failure === null ? null : { since: failure.since, message: failure.message, hears: true }),
      health:
        ill !== null && health?.status === 'Healthy'
          ? { status: 'Degraded', message: ill.message }
          : { status: health?.status ?? 'Unknown', message: health?.message ?? 'not looked at yet' },
      ready: health === undefined || health.pods.wanted === 0 ? '' : `${health.pods.ready} of ${health.pods.wanted} ready`,
      awaited: pass === null ? '' : awaitedOf({ ...pass, ledger }, ledger.current && this.release(app, ledger.current.release)),
      ill,
      compared:
        app.mode !== 'observe' || pass?.candidate?.kind !== 'release' || health === undefined
          ? null
          : { of: health.objects.length, differs: differing(health) },
      drift: pass === null ? '' : driftText({ ...pass, ledger }),
      ...waitsOf(pass, ledger, this.#options.now()),
      services: () =>
        this.all().flatMap(entry =>
          (entry.pass?.observed.objects ?? []).map(object => object.ref).filter(ref => ref.kind === 'Service'),
        ),
      now: this.#options.now(),
    }
  }

  async #forget({ app }: Entry, ledger: Ledger): Promise<void> {
    const { name } = app
    const { place } = app.destination
    const { store } = this.#options
    const release = ledger.current === null ? null : this.release(app, ledger.current.release)
    await store.putLeft(leavesBehind(ledger, release, this.#options.now()))
    for (const old of tooOld(store.left(place))) await store.putLeft({ ...old, objects: [] })
    await store.removeApplication(name)
    this.#owners.forget(place, name)
    this.#belong(name, null)
    this.#entries.delete(name)
    this.#shown.delete(name)
    this.#tell({ type: 'removed', name })
  }

  /** What is an application's own by now was left by nobody. */
  async #takeOver(place: string, { current }: Ledger): Promise<void> {
    const { store } = this.#options
    const left = store.left(place)
    if (left.length === 0 || current === null) return
    const owned = new Set(current.owned.map(refKey))
    for (const one of left) {
      const objects = one.objects.filter(object => !owned.has(refKey(refOf(object))))
      if (objects.length < one.objects.length) await store.putLeft({ ...one, objects })
    }
  }

  /** Releases that nothing names any more, at no place where it ever was. */
  async #dropReleases(name: string, ledger: Ledger): Promise<void> {
    const { store } = this.#options
    const unnamedIn = (one: Ledger, ids: readonly ReleaseId[]) => {
      const named = namedReleases(one)
      return ids.filter(id => !named.has(id) && one.releases[id] === undefined)
    }
    const left = unnamedIn(ledger, store.releases(name))
    if (left.length === 0) return
    const elsewhere = store.ledgers(name).filter(({ place }) => place !== ledger.place)
    for (const id of elsewhere.reduce<readonly ReleaseId[]>((ids, one) => unnamedIn(one, ids), left))
      await store.removeRelease(name, id)
  }

  #belong(name: string, parent: string | null): void {
    const before = this.#entries.get(name)?.app.parent ?? null
    if (before !== null && before !== parent) this.#children.get(before)?.delete(name)
    if (parent !== null) this.#children.set(parent, (this.#children.get(parent) ?? new Set<string>()).add(name))
  }

  #set(name: string, entry: Entry): void {
    this.#belong(name, entry.app.parent)
    this.#entries.set(name, entry)
    const { place } = entry.app.destination
    const coming = comingIn(entry.ledger)
    this.#owners.own(place, name, entry.ledger.current?.owned ?? nothing)
    this.#owners.claim(
      place,
      name,
      coming ?? '',
      () => (coming && this.release(entry.app, coming)?.objects.map(refOf)) || nothing,
    )
  }

  #ledgerOf(app: Application): Ledger {
    const stored = this.#options.store.ledger(app.name, app.destination.place)
    if (stored !== null && stored.application.uid === app.uid) return stored
    return newLedger({ name: app.name, uid: app.uid }, app.destination.place, this.#options.randomHex(16))
  }

  /** Written before the declaration is: an application that is there already would count from one again. */
  async #move(from: Ledger, there: Ledger): Promise<Ledger> {
    const { store } = this.#options
    const ledger = movedTo(there, from, store.ledgers(from.application.name))
    await store.putLedger(ledger)
    return ledger
  }

  /** What was under way at the place that is left is overtaken, now that it is. */
  async #leave(from: Ledger, place: string): Promise<void> {
    const { store, now } = this.#options
    const { ledger: left, ended } = abandoned({ ledger: from, ended: [] }, `moved to ${place}`, now())
    if (left === from) return
    await Promise.all([
      ...ended.map(attempt => store.putAttempt(from.application.name, attempt)),
      ...eventsBetween(from, left, ended).map(event => this.tellEvent(event)),
    ])
    await store.putLedger({ ...left, version: left.version + 1 })
  }

  /**
   * A parent declares within its own turn, and waits for its child's: those that declare each other would wait for ever. Throws TakenError.
   */
  #refuseCycle(child: string, parent: string): void {
    const above = new Set<string>()
    for (let at: string | null | undefined = parent; at != null && !above.has(at); at = this.#entries.get(at)?.app.parent)
      above.add(at)
    if (above.has(child))
      throw new TakenError(
        `application ${child} declares ${parent}, directly or through others: ${parent} may not declare it.`,
        false,
      )
    for (let at = this.#awaits.get(child); at !== undefined; at = this.#awaits.get(at))
      if (at === parent) throw new TakenError(`applications ${child} and ${parent} declare each other.`, true)
  }

  /** In the turn of `name`, for which the turn of `by` waits. */
  async #awaited<T>(by: string | null, name: string, act: () => Promise<T>): Promise<T> {
    if (by !== null) this.#awaits.set(by, name)
    try {
      return await this.#inTurn(name, act)
    } finally {
      if (by !== null) this.#awaits.delete(by)
    }
  }

  #read({ name, uid, manifest, parent }: StoredApplication): Application {
    const ledgers = this.#options.store.ledgers(name).filter(({ application }) => application.uid === uid)
    const [newest] = ledgers.toSorted((a, b) => lastMove(b) - lastMove(a))
    return readKept(manifest, { ...this.#options.declared, uid, parent }, { name, place: newest?.place ?? null })
  }

  #parse(manifest: unknown, uid: string, parent: string | null) {
    return parseApplication(manifest, { ...this.#options.declared, uid, parent })
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change)
  }

  /** Times pass by themselves: a view that differs in nothing else is not told again. */
  #tellIfChanged(name: string): void {
    const view = this.view(name)
    if (view === null) return
    const { state, short, attempt, release, candidate, health, stale, paused, pinned, requests } = view
    const shown = JSON.stringify([
      state,
      short,
      attempt?.number,
      attempt?.step,
      attempt?.message,
      release?.id,
      candidate?.commit,
      health,
      stale?.message,
      paused,
      pinned,
      requests,
    ])
    if (this.#shown.get(name) === shown) return
    this.#shown.set(name, shown)
    this.#tell({ type: 'application', name, view })
  }

  async #inTurn<T>(name: string, act: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(name) ?? Promise.resolve()).then(act, act)
    const settled = turn.catch(() => undefined)
    this.#turns.set(name, settled)
    void settled.then(() => {
      if (this.#turns.get(name) === settled) this.#turns.delete(name)
    })
    return turn
  }
}

/** One that is being deleted, or that another application declares, is nobody else's to change. */
function refuseTaken({ app, ledger }: Entry, parent: string | null, hasParent: boolean): void {
  if (ledger.deletion !== null)
    throw new TakenError(`${app.name} is being deleted; apply it again once \`slipway apps\` does not show it any more.`, true)
  if (parent !== null && hasParent && app.parent !== parent)
    throw new TakenError(
      `application ${app.name} is declared by ${app.parent}; ${parent} may not declare it too: remove it from one of the two.`,
      false,
    )
}

/** The release that is tried, or on its way: what it names is meant for it before it is there. */
function comingIn({ trying, attempt, current }: Ledger): ReleaseId | null {
  return trying?.release ?? (isUnderWay(attempt) ? (current?.release ?? null) : null)
}

function nameIn(manifest: unknown): string {
  const name = (manifest as { metadata?: { name?: unknown } } | null)?.metadata?.name
  return typeof name === 'string' ? name : ''
}
