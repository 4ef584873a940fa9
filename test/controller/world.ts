// The toy world of the sequences and the random walk: Git, a controller that can be killed at any write, a store that can be wiped,
// and a toy node, all on one virtual clock. Passes are the product's own: observe, assess, decide, step, place, store.
import { isDeepStrictEqual } from 'node:util'
import type { Application } from '../../controller/application.js'
import type { Observed } from '../../controller/cluster/cluster.js'
import { assess, type Health } from '../../controller/health/assess.js'
import {
  type Attempt,
  type Ledger,
  namedReleases,
  newerLedger,
  newLedger,
  resumed,
  settledAttempts,
  withDeletion,
  withPause,
  withRequest,
} from '../../controller/ledger.js'
import type { Candidate, CommitSha, Release, ReleaseId } from '../../controller/release.js'
import { type Decision, decide, type Gate } from '../../controller/rollout.js'
import { afterStep, nextStep, type SyncStep } from '../../controller/sync.js'
import { type Manifest, type ObjectRef, refKey, refOf } from '../../runtime/contract/manifest.js'
import { ana, application, candidate, rejection } from './builders.js'
import { type Document, Place, type Weather } from './place.js'

export type Crash = 'beforePlace' | 'afterPlace'

export interface Look {
  readonly now: number
  readonly decision: Decision
  readonly step: SyncStep
  readonly before: Ledger
  readonly after: Ledger
  readonly health: Health
}

export class World {
  now = Date.UTC(2026, 0, 1)
  app: Application
  head: Candidate | null = null
  readonly weather: Weather = { dbUp: true, healed: false, missingThere: false, registryBusy: false, tag: 'd1' }
  place = new Place(this.weather)
  /** What NATS holds. */
  document: Document | null = null
  stored: Ledger | null
  releases = new Map<ReleaseId, Release>()
  /** The controller's memory; null while it is dead. */
  ledger: Ledger | null
  epoch = 1
  crashNext: Crash | null = null
  /** The store is lost right after this pass. */
  wipeSoon = false
  readonly history = new Map<number, Attempt[]>()
  readonly looks: Look[] = []
  onLook: (look: Look) => void = () => {}
  forgotten = false
  /** What its releases wait for. */
  gates: readonly Gate[] = []
  private wakeAt: number | null = 0
  private lastReport: unknown = null
  private requests = 0
  private commits = 0
  private frozenReport: Observed | null = null

  constructor(change: Parameters<typeof application>[0] = {}) {
    this.app = application(change)
    this.ledger = newLedger(this.app, 'node/lab', 'salt')
    this.stored = this.ledger
  }

  // -- what people and the world do --

  push(content: Release | 'broken'): void {
    const commit = `commit${++this.commits}`
    this.head = content === 'broken' ? rejection(commit, `broken in ${commit}`, this.now) : candidate(content, commit, this.now)
    if (content !== 'broken') this.releases.set(content.id, content)
    this.wakeAt = this.now
  }

  /** As a person does: stored, then looked at. */
  ask(by: (ledger: Ledger) => Ledger): void {
    this.revive()
    this.ledger = by(this.ledger!)
    this.stored = this.ledger
    this.wakeAt = this.now
  }

  private asked() {
    this.requests += 1
    return { id: `q${this.requests}`, by: ana, at: this.now }
  }

  rollback(to: Release): void {
    this.ask(ledger => withRequest(ledger, { ...this.asked(), kind: 'rollback', release: to.id, message: '' }))
  }

  retry(of: Release | null = null): void {
    this.ask(ledger => withRequest(ledger, { ...this.asked(), kind: 'retry', release: of?.id ?? null }))
  }

  sync(more: { readonly tests?: boolean } = {}): void {
    const commit = this.head?.revision?.commit ?? (null as CommitSha | null)
    this.ask(ledger => withRequest(ledger, { ...this.asked(), kind: 'sync', commit, release: null, prune: null, ...more }))
  }

  pause(): void {
    this.ask(ledger => withPause(ledger, { by: ana, at: this.now, reason: 'lunch' }))
  }

  resume(): void {
    this.ask(resumed)
  }

  delete(): void {
    this.ask(ledger => withDeletion(ledger, { by: ana, at: this.now, cascade: true }))
  }

  silence(): void {
    if (this.place.silentSince !== 0) return
    this.frozenReport = this.observe()
    this.place.silentSince = this.now
    this.wakeAt = this.now
  }

  hear(): void {
    this.place.silentSince = 0
    this.wakeAt = this.now
  }

  /** NATS loses everything; what lies with the node stays. */
  wipe(): void {
    this.kill()
    this.history.clear()
    this.document = null
    this.stored = null
    this.releases = new Map(this.place.obeyed?.kept.map(one => [one.id, one]))
    if (this.head?.kind === 'release') this.releases.set(this.head.release.id, this.head.release)
  }

  kill(): void {
    this.ledger = null
  }

  /** Start-up is the recovery path: the newer of what the store and the place hold. */
  private revive(): void {
    if (this.ledger !== null) return
    this.epoch += 1
    const placed = this.document?.ledger ?? this.place.obeyed?.ledger ?? null
    this.ledger = newerLedger(this.stored, placed) ?? newLedger(this.app, 'node/lab', 'salt')
    for (const one of this.document?.kept ?? this.place.obeyed?.kept ?? []) this.releases.set(one.id, one)
    this.stored = this.ledger
    this.record(settledAttempts(this.ledger))
  }

  /** By number: what is there already with that outcome is not written again. */
  private record(attempts: readonly Attempt[]): void {
    for (const one of attempts) {
      const known = this.history.get(one.number) ?? []
      if (known.at(-1)?.outcome !== one.outcome) this.history.set(one.number, [...known, one])
    }
  }

  // -- time --

  /** Runs until `ms` later, from event to event. */
  run(ms: number): void {
    const end = this.now + ms
    this.turn()
    while (this.now < end) {
      const next = Math.min(
        this.place.nextEvent(this.now),
        this.wakeAt === null ? Number.POSITIVE_INFINITY : Math.max(this.wakeAt, this.now + 1),
        end,
      )
      this.now = Math.max(next, this.now + 1)
      this.turn()
    }
  }

  seconds(count: number): void {
    this.run(count * 1000)
  }

  minutes(count: number): void {
    this.run(count * 60_000)
  }

  private turn(): void {
    this.place.update(this.document, this.now)
    const report = this.place.silentSince === 0 ? this.place.report(this.now) : null
    const isNews = !isDeepStrictEqual(report, this.lastReport)
    this.lastReport = report
    if (this.forgotten || !(isNews || this.ledger === null || (this.wakeAt !== null && this.wakeAt <= this.now))) return
    for (let passes = 0; passes < 60; passes += 1) {
      if (!this.pass()) return
      this.place.update(this.document, this.now)
    }
    throw new Error(
      `no rest: ${JSON.stringify(this.looks.slice(-3).map(look => [look.step.kind, look.decision.row, look.decision.why]))}`,
    )
  }

  observe(): Observed {
    const { obeyed, silentSince } = this.place
    const ordered = this.document === null ? null : { epoch: this.document.epoch, generation: this.document.generation }
    if (silentSince !== 0 && this.frozenReport !== null) {
      return { ...this.frozenReport, ordered, silent: { since: silentSince, message: 'node lab is silent', hears: false } }
    }
    const report = this.place.report(this.now)
    return {
      at: this.now,
      silent: null,
      ordered,
      obeyed: obeyed === null ? null : { epoch: obeyed.epoch, generation: obeyed.generation },
      attempt: obeyed?.attempt ?? 0,
      release: obeyed?.release ?? '',
      preflight: report.preflight,
      objects: report.objects,
      pods: report.pods,
      gone: obeyed?.deleted === true && report.objects.length === 0,
      ledger: null,
    } as Observed
  }

  /** One pass; true if it did something and should look again. */
  private pass(): boolean {
    this.revive()
    const before = this.ledger!
    const observed = this.observe()
    const lookup = (id: ReleaseId) => this.releases.get(id) ?? null
    const current = before.current === null ? null : lookup(before.current.release)
    const { app, now } = this
    const health = assess({ app, release: current, ledger: before, observed, now })
    const decision = decide({
      app,
      ledger: before,
      candidate: this.head,
      releases: lookup,
      observed,
      health,
      gates: this.gates,
      now,
    })
    const step = nextStep({ app, decision, releases: lookup, observed, now })
    const after = afterStep(decision.ledger, step, now)
    const crash = step.kind === 'none' ? null : this.crashNext
    if (crash === 'beforePlace') return this.crashed()
    this.write(step, after)
    if (crash === 'afterPlace') return this.crashed()
    this.ledger = after
    if (step.kind !== 'none') this.stored = after
    this.wakeAt = decision.wakeAt
    this.record(decision.ended)
    const look: Look = { now, decision, step, before, after, health }
    this.looks.push(look)
    if (this.looks.length > 400) this.looks.splice(0, 200)
    this.onLook(look)
    if (this.wipeSoon) {
      this.wipeSoon = false
      this.wipe()
      return true
    }
    return step.kind !== 'none' && step.kind !== 'forget'
  }

  private crashed(): boolean {
    this.crashNext = null
    this.kill()
    this.now += 1
    return true
  }

  private write(step: SyncStep, ledger: Ledger): void {
    if (step.kind === 'none') return
    if (step.kind === 'forget') {
      this.forgotten = true
      return
    }
    const base = this.document?.objects ?? this.place.obeyed?.objects ?? []
    const preflight = this.document?.preflight ?? null
    this.document = {
      epoch: this.epoch,
      generation: (this.document?.epoch === this.epoch ? this.document.generation : 0) + 1,
      attempt: ledger.attempt?.number ?? 0,
      release: ledger.current?.release ?? '',
      deleted: step.kind === 'remove',
      objects: step.kind === 'apply' ? upserted(base, step.objects) : step.kind === 'prune' ? without(base, step.refs) : base,
      digests: ledger.current === null ? {} : (ledger.releases[ledger.current.release]?.digests ?? {}),
      preflight:
        step.kind === 'preflight'
          ? { release: step.release, round: step.round, objects: this.releases.get(step.release)!.objects }
          : preflight,
      ledger,
      kept: [...namedReleases(ledger)].flatMap(id => this.releases.get(id) ?? []),
    }
  }

  // -- what a test asks --

  /** The newest outcome of every attempt, in order. */
  outcomes(): readonly string[] {
    return [...this.history.entries()].sort(([a], [b]) => a - b).map(([, attempts]) => attempts.at(-1)!.outcome!)
  }

  currentIs(release: Release): boolean {
    return this.ledger?.current?.release === release.id
  }

  get last(): Look {
    return this.looks.at(-1)!
  }

  image(name = 'web'): readonly string[] {
    return this.place
      .report(this.now)
      .pods.filter(pod => pod.workload?.name === name)
      .map(pod => pod.containers[0]!.image)
  }

  objectNames(): readonly string[] {
    return this.place
      .report(this.now)
      .objects.map(object => object.ref.name)
      .sort()
  }
}

function upserted(base: readonly Manifest[], objects: readonly Manifest[]): readonly Manifest[] {
  return [...without(base, objects.map(refOf)), ...objects]
}

function without(base: readonly Manifest[], refs: readonly ObjectRef[]): readonly Manifest[] {
  const gone = new Set(refs.map(refKey))
  return base.filter(object => !gone.has(refKey(refOf(object))))
}
