// A pass over an application that is only observed (`slipway.dev/mode: observe`): rendered, compared with what is there, judged; nothing
// is written at its place. And what is said of it. No step, no attempt: only what the store keeps of a render.
import { type Manifest, refKey, refOf, refText } from '../runtime/contract/manifest.js'
import { isProject } from './application/project.js'
import { type Application, isApplication } from './application.js'
import type { Observed } from './cluster/cluster.js'
import { assess, type Health } from './health/assess.js'
import type { Ledger } from './ledger.js'
import type { Pass } from './reconcile.js'
import { ordinaryObjects } from './release/sent.js'
import type { Candidate, Release } from './release.js'
import type { StateWord } from './view.js'
import { prose, shortCommit } from './words.js'

export interface Observing {
  readonly app: Application
  readonly before: Ledger
  readonly candidate: Candidate | null
  readonly observed: Observed
  readonly now: number
}

/** What it is compared with. Applications of its own are compared by themselves. */
export function comparedWith(candidate: Candidate | null): Release | null {
  if (candidate?.kind !== 'release') return null
  const { release } = candidate
  return { ...release, objects: release.objects.filter(object => !isApplication(object) && !isProject(object)) }
}

export function observedPass({ app, before, candidate, observed, now }: Observing): Pass {
  const release = comparedWith(candidate)
  const health = assess({ app, release, ledger: asThoughRun(before, release, now), observed, now })
  const ledger = seen(before, release, health)
  const decision: Pass['decision'] = {
    run: 'leave',
    preflight: null,
    ledger,
    changed: false,
    frozen: true,
    waves: false,
    heal: [],
    prune: { objects: [], hooks: [] },
    verdict: null,
    row: { judged: null, chosen: 'T2' },
    why: { kind: candidate === null ? 'rendering' : 'current' },
    asks: null,
    ended: [],
    wakeAt: null,
  }
  const isGone = before.deletion !== null
  return {
    app,
    now,
    before,
    candidate,
    observed,
    health,
    decision,
    step: { kind: isGone ? 'forget' : 'none' },
    ledger: isGone ? { ...ledger, deletion: { ...before.deletion, cascade: false } } : ledger,
    gates: [],
    applied: [],
  } as Pass
}

/** Health is asked of what current names: here of what Git says. */
function asThoughRun(ledger: Ledger, release: Release | null, now: number): Ledger {
  if (release === null) return { ...ledger, current: null, attempt: null }
  const owned = ordinaryObjects(release).map(refOf)
  const createdBy = Object.fromEntries(owned.map(ref => [refKey(ref), 0]))
  return {
    ...ledger,
    attempt: null,
    current: {
      release: release.id,
      since: now,
      fresh: 0,
      owned,
      createdBy,
      applied: null,
      hookRuns: [],
      pruning: [],
      refused: [],
    },
  }
}

/** All of it was there, and healthy: taken over now, nothing would have to be done, and no hook run again. */
function seen(ledger: Ledger, release: Release | null, health: Health): Ledger {
  const isThere = release !== null && health.status === 'Healthy' && health.fresh && health.objects.every(({ there }) => there)
  if (!isThere || ledger.seen === release.id) return ledger
  return { ...ledger, version: ledger.version + 1, seen: release.id }
}

/** Objects that are not as Git says. */
export function differing(health: Pick<Health, 'objects' | 'fresh'>): readonly string[] {
  return health.objects.filter(({ there }) => !there).map(({ ref }) => refText(ref))
}

// -- What is said of it --

export interface ObservedFacts {
  readonly candidate: Candidate | null
  readonly silent: { readonly message: string } | null
  readonly health: { readonly status: string; readonly message: string }
  readonly ready: string
  /** Of how many objects which differ; null before anything was compared. */
  readonly compared: { readonly of: number; readonly differs: readonly string[] } | null
}

export function observedState({ candidate, silent, health, compared }: ObservedFacts): StateWord {
  if (silent !== null) return 'Unknown'
  if (candidate?.kind === 'rejection') return 'Held'
  if (candidate === null || compared === null || compared.differs.length > 0) return 'OutOfSync'
  return health.status === 'Healthy' ? 'Healthy' : health.status === 'Unknown' ? 'Unknown' : 'Degraded'
}

/** One clause: what the comparison found. */
export function observedShort({ candidate, silent, health, ready, compared }: ObservedFacts): string {
  if (silent !== null) return silent.message
  if (candidate?.kind === 'rejection') return candidate.rejection.message
  if (candidate === null || compared === null) return 'Git is being read'
  const { of, differs } = compared
  if (differs.length > 0) {
    const shown = differs.slice(0, 3).join(', ')
    return `${differs.length} of ${of} objects ${differs.length === 1 ? 'differs' : 'differ'} from Git: ${shown}${differs.length > 3 ? ', ...' : ''}`
  }
  return [
    `all ${of} objects are as ${shortCommit(candidate.revision.commit)} says`,
    health.status === 'Healthy' ? ready : health.message,
  ]
    .filter(part => part !== '')
    .join(', ')
}

export function observedMessage(facts: ObservedFacts, app: Pick<Application, 'name'>): string {
  return prose(observedShort(facts), 'observed only: nothing is written', `take it over: slipway import --take-over ${app.name}`)
}

/** Of a declaration: the same, no longer only observed. */
export function takenOver(manifest: Manifest): Manifest {
  const { annotations = {}, ...metadata } = manifest.metadata
  const { 'slipway.dev/mode': _, 'argocd.argoproj.io/skip-reconcile': __, ...kept } = annotations as Record<string, string>
  return { ...manifest, metadata: { ...metadata, ...(Object.keys(kept).length === 0 ? {} : { annotations: kept }) } }
}
