// One pass over one application, top to bottom: observe, assess, decide, one step, record. The product's sentence.

import type { Application } from './application.js'
import type { Applied, Cluster, Observed, Order } from './cluster/cluster.js'
import { assess, type Health } from './health/assess.js'
import { type Ledger, newerLedger } from './ledger.js'
import { comparedWith, observedPass } from './observing.js'
import type { Candidate, Release, ReleaseId } from './release.js'
import { type Decision, decide, type Gate } from './rollout.js'
import { keeping } from './sticky.js'
import { afterApplied, afterStep, nextStep, type SyncStep } from './sync.js'

export interface World {
  readonly now: () => number
  /** The last one recorded; a new one for an application that has none. */
  readonly ledger: (app: Application) => Ledger
  /** What the newest revision renders to; null while nothing is known of it yet. */
  readonly candidate: (app: Application, ledger: Ledger, signal: AbortSignal) => Promise<Candidate | null>
  /** A ledger with values that a render made: stored, before anything is made of them. */
  readonly keep: (ledger: Ledger, signal: AbortSignal) => Promise<void>
  /** What outside its ledger a release of it waits for. */
  readonly gates?: (app: Application, candidate: Candidate | null, now: number) => readonly Gate[]
  readonly cluster: (app: Application) => Cluster
  readonly release: (app: Application, id: ReleaseId) => Release | null
  /** Before the step: releases that the ledger names, attempts that ended. */
  readonly prepare: (pass: Prepared, signal: AbortSignal) => Promise<void>
  /** After the step: ledger, events, view. The one writer of status. */
  readonly record: (pass: Pass, signal: AbortSignal) => Promise<void>
}

export interface Prepared {
  readonly app: Application
  readonly now: number
  readonly before: Ledger
  readonly candidate: Candidate | null
  readonly observed: Observed
  readonly health: Health
  readonly decision: Decision
  readonly step: SyncStep
  /** As it is written with the step. */
  readonly ledger: Ledger
}

export interface Pass extends Prepared {
  readonly applied: readonly Applied[]
}

export async function reconcile(app: Application, world: World, signal: AbortSignal): Promise<Pass> {
  if (app.mode === 'observe') return look(app, world, signal)
  const now = world.now()
  const cluster = world.cluster(app)
  const observed = await cluster.observe(app, signal)
  const { candidate, ledger: before } = await rendered(app, observed, world, signal)
  const releases = releasesOf(app, candidate, world)
  const health = assess({ app, release: before.current && releases(before.current.release), ledger: before, observed, now })
  const gates = world.gates?.(app, candidate, now) ?? []
  const decision = decide({ app, ledger: before, candidate, releases, observed, health, gates, now })
  const step = nextStep({ app, decision, releases, observed, now })
  const ledger = afterStep(decision.ledger, step, now)
  const prepared = { app, now, before, candidate, observed, health, decision, step, ledger }
  await world.prepare(prepared, signal)
  const applied = await take(step, app, cluster, orderOf(ledger), releases, signal)
  const pass = { ...prepared, applied, ledger: afterApplied(ledger, applied) }
  await world.record(pass, signal)
  return pass
}

/** Of one that is only observed: everything but a decision and a step. */
async function look(app: Application, world: World, signal: AbortSignal): Promise<Pass> {
  const cluster = world.cluster(app)
  const { candidate, ledger: before } = await rendered(app, { ledger: null }, world, signal)
  const observed = await cluster.observe(app, signal, comparedWith(candidate))
  const pass = observedPass({ app, before, candidate, observed, now: world.now() })
  if (pass.step.kind === 'forget') await cluster.forget(app, signal)
  await world.record(pass, signal)
  return pass
}

/**
 * The candidate, and the ledger that keeps what its render minted: the newer of ours and the place's. A process that ends in between has
 * told nobody: the next one makes others, and nothing ran with these.
 */
export async function rendered(
  app: Application,
  observed: Pick<Observed, 'ledger'>,
  world: Pick<World, 'ledger' | 'candidate' | 'keep'>,
  signal: AbortSignal,
): Promise<{ readonly candidate: Candidate | null; readonly ledger: Ledger }> {
  const known = newerLedger(world.ledger(app), observed.ledger) ?? world.ledger(app)
  const candidate = await world.candidate(app, known, signal)
  const ledger = keeping(known, candidate)
  if (ledger !== known) await world.keep(ledger, signal)
  return { candidate, ledger }
}

const restingMs = 600_000
const waitingMs = 45_000

/**
 * ms after which a pass is due although nothing woke it. One that rests (its candidate runs and is well) needs none; one that waits
 * may wait for another application, which lets go of an object or is healthy without a word to it; and what a chart looked up may be
 * another by now.
 */
export function lookAgainMs({ decision, step, candidate }: Pick<Pass, 'decision' | 'step' | 'candidate'>): number {
  const { judged, chosen } = decision.row
  const isRun = judged === null && chosen === 'T8' && step.kind === 'none' && decision.wakeAt === null
  const rests = isRun && candidate?.stale === null && Object.keys(candidate.uses?.lookups ?? {}).length === 0
  return rests ? restingMs : waitingMs
}

/** Kept releases, and the candidate's own before it is kept. */
function releasesOf(app: Application, candidate: Candidate | null, world: World): (id: ReleaseId) => Release | null {
  return id => (candidate?.kind === 'release' && candidate.release.id === id ? candidate.release : world.release(app, id))
}

/** What the write carries: the attempt and release that current belongs to, its digests, and the ledger of the same moment. */
function orderOf(ledger: Ledger): Order {
  const { current, attempt } = ledger
  const known = current === null ? undefined : ledger.releases[current.release]
  return {
    attempt: attempt?.number ?? 0,
    release: current?.release ?? null,
    commit: known?.revision.commit ?? '',
    digests: known?.digests ?? {},
    ledger,
    fresh: current?.fresh ?? 0,
  }
}

async function take(
  step: SyncStep,
  app: Application,
  cluster: Cluster,
  order: Order,
  releases: (id: ReleaseId) => Release | null,
  signal: AbortSignal,
): Promise<readonly Applied[]> {
  switch (step.kind) {
    case 'none':
      return []
    // Before the store forgets it: ended in between, the store still knows what is to be forgotten.
    case 'forget':
      await cluster.forget(app, signal)
      return []
    case 'remember':
      await cluster.remember(app, order, signal)
      return []
    case 'preflight': {
      const release = releases(step.release)
      if (release === null) throw new Error(`${app.name}: release ${step.release} is to be tried and is not kept`)
      await cluster.preflight(app, release, step.round, { ...order, digests: step.digests }, signal)
      return []
    }
    case 'apply':
      return cluster.apply(app, step.objects, order, signal)
    case 'prune':
      return cluster.prune(app, step.refs, order, signal)
    case 'remove':
      await cluster.remove(app, order, signal)
      return []
    case 'letGo':
      await cluster.letGo(app, order, signal)
      return []
    default:
      return step satisfies never
  }
}
