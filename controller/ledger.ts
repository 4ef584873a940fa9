// All that is remembered of one application at one place (release.md). Immutable: a decision returns the next one.
// Times are ms since 1970. Kept by the controller's store and, sealed, with the place.

import type { ObjectRef } from '../runtime/contract/manifest.js'
import type { Selector } from './release/selective.js'
import type { Pins } from './release/sent.js'
import type { CommitSha, ReleaseId, Revision } from './release.js'
import type { Sticky } from './sticky.js'

export interface Ledger {
  /** Counts up with every change: of two copies the higher is the truth. */
  readonly version: number
  /** The version that was last written to the place: what people asked since then still has to go there. */
  readonly placed: number
  readonly application: { readonly name: string; readonly uid: string }
  readonly place: string
  /** Salts release ids. */
  readonly salt: string
  readonly nextAttempt: number
  readonly nextReleaseNumber: number
  /** What is known of each release that is still named anywhere in the ledger. */
  readonly releases: Readonly<Record<ReleaseId, KnownRelease>>
  /** What the place was last told to run. */
  readonly current: Current | null
  /** Releases that became healthy as a whole, oldest first; the last that is neither bad nor marked is the good one. */
  readonly good: readonly GoodRelease[]
  readonly marks: Readonly<Record<ReleaseId, Mark>>
  /** A release of it became healthy here once, whatever became of that. Missing in older ledgers. */
  readonly installed?: boolean
  /** Of one that was only observed: the release of which everything was there, healthy, when it was last compared. */
  readonly seen?: ReleaseId
  /** The attempt that last changed current (a rollback belongs to the attempt that it undoes). */
  readonly attempt: Attempt | null
  /** An attempt that has not begun to change anything: seen, held, or in preflight. */
  readonly trying: Attempt | null
  /** The last attempts that were replaced, oldest first: so that history can be completed after a crash between place and store. */
  readonly recent: readonly Attempt[]
  readonly pin: {
    readonly to: ReleaseId
    readonly left: ReleaseId | null
    readonly candidate: ReleaseId | null
    readonly by: Actor
    readonly at: number
  } | null
  readonly requests: readonly Request[]
  readonly pause: { readonly by: Actor; readonly at: number; readonly reason: string } | null
  readonly deletion: Deletion | null
  /** A person's word that what asks for it may be taken away; counts for what asked before it. Missing where there was none. */
  readonly approval?: { readonly by: Actor; readonly at: number }
  /** Hooks that succeeded since each release was last applied, for the barrier: hook key -> content hash. */
  readonly hooks: readonly HookRecord[]
  /** How long the last ten healthy releases of each workload took to be ready (ms), by refKey. */
  readonly readyTimes: Readonly<Record<string, readonly number[]>>
  /** Preflight asked for: release, round, when to ask again. */
  readonly preflight: PreflightRecord | null
  readonly heal: { readonly failures: number; readonly nextAt: number } | null
  /** Values that random functions minted, by where they were called, and first answers of `lookup`; sealed with the ledger. */
  readonly sticky: Sticky
}

export interface Deletion {
  readonly by: Actor
  readonly at: number
  readonly cascade: boolean
  /** The order to end everything was given. */
  readonly told?: boolean
  /** How often it was asked for again, so that hooks that failed run once more. */
  readonly round?: number
  /** It goes without its hooks. */
  readonly skipHooks?: boolean
}

export interface KnownRelease {
  /** r14: counted per application, in the order they were first seen. */
  readonly number: number
  /** The commit that first gave it, and the newest that did. */
  readonly revision: Revision
  readonly digests: Readonly<Record<string, string>>
  readonly firstSeenAt: number
  /** The attempt of the retry that asked for fresh pods of this release, stamped on its pod templates; 0 = none. */
  readonly fresh: number
  /** The newest attempt under which it was current; 0 = never. "Since it was last applied" is counted from it. */
  readonly lastAttempt: number
  /** Keys of the sticky values that it was rendered with. */
  readonly uses?: readonly string[]
}

export interface Current {
  readonly release: ReleaseId
  readonly since: number
  /** Set by a retry: stamped on pod templates so that pods and Jobs are fresh. 0 = never retried. */
  readonly fresh: number
  /** Gone back to on a cluster: images whose tag has moved since run by what it was. Missing where none has. */
  readonly pins?: Pins
  /** Objects that this application applied and has not pruned, over all releases. */
  readonly owned: readonly ObjectRef[]
  /** The attempt that created each owned object, by refKey; 0 = it was there before us. */
  readonly createdBy: Readonly<Record<string, number>>
  /** Owned objects that are to stay, as they were last sent, by refKey: the release that said so may be forgotten. Missing in older ledgers. */
  readonly staying?: Readonly<Record<string, readonly Stay[]>>
  /** Phase and wave last applied, and its place in the plan. */
  readonly applied: { readonly phase: Phase; readonly wave: number; readonly index: number; readonly of: number } | null
  /** Hooks begun in the attempt that is current's. */
  readonly hookRuns: readonly HookRun[]
  /** Told to be removed and not yet seen gone. */
  readonly pruning: readonly ObjectRef[]
  /** Objects of the last apply that the place refused (4xx but 409 and 429). */
  readonly refused: readonly { readonly ref: ObjectRef; readonly message: string }[]
}

/** What an object's author takes it out of: pruning (`Prune=false`), going back (`slipway.dev/keep-forward`); and what else it says of that. */
export type Stay = 'prune' | 'rollback' | 'Prune=true' | 'Prune=confirm' | 'Delete=true' | 'Delete=false' | 'Delete=confirm'

/** One hook begun once in one attempt, under a name made from both. */
export interface HookRun {
  /** Phase and ref of the hook as the release has it. */
  readonly key: string
  /** The object as it runs: its name carries the attempt. */
  readonly ref: ObjectRef
  readonly attempt: number
  readonly phase: Phase
  readonly wave: number
  readonly hash: string
  readonly reversible: boolean
  readonly interruptible: boolean
  readonly policies: readonly string[]
  readonly startedAt: number
  readonly outcome: 'running' | 'succeeded' | 'failed'
}

/** `Test`: Helm's test hooks, when they are asked for, after all else is healthy. */
export type Phase = 'PreSync' | 'Sync' | 'PostSync' | 'Test' | 'SyncFail' | 'PreDelete' | 'PostDelete'

export interface GoodRelease {
  readonly release: ReleaseId
  readonly healthyAt: number
  readonly baked: boolean
  /** Template hash of each of its workloads when it was healthy, by refKey: tells its pods from those of others. */
  readonly templates: Readonly<Record<string, string>>
}

export interface Mark {
  readonly kind: 'bad' | 'surroundings'
  readonly at: number
  readonly verdict: Verdict
  /** Surroundings: how often it was tried, and when it is tried again. */
  readonly tries: number
  readonly dueAt: number
}

export interface HookRecord {
  /** phase and ref: which hook. */
  readonly key: string
  readonly release: ReleaseId
  readonly hash: string
  readonly attempt: number
  readonly succeededAt: number
  readonly reversible: boolean
}

export interface PreflightRecord {
  readonly release: ReleaseId
  readonly round: number
  readonly askedAt: number
  readonly answeredAt: number
  /** `spent`: passed, and an attempt began with it; asked anew (a higher round) before the next. */
  readonly state: 'asked' | 'passed' | 'refused' | 'spent'
  readonly message: string
  readonly retryAt: number
  readonly failures: number
}

export interface Actor {
  readonly kind: 'git' | 'user' | 'slipway'
  readonly name: string
}

export type Request =
  | {
      readonly id: string
      readonly kind: 'sync'
      readonly by: Actor
      readonly at: number
      readonly commit: CommitSha | null
      readonly release: ReleaseId | null
      readonly prune: boolean | null
      /** A retry of the candidate: its pods and Jobs are fresh. */
      readonly fresh?: boolean
      /** Helm's test hooks run after health. */
      readonly tests?: boolean
      /** Of these objects only: `release` is `base` with them as the newest commit has them. No hooks. */
      readonly selectors?: readonly Selector[]
      readonly base?: ReleaseId | null
    }
  | {
      readonly id: string
      readonly kind: 'rollback'
      readonly by: Actor
      readonly at: number
      readonly release: ReleaseId
      readonly message: string
    }
  | { readonly id: string; readonly kind: 'retry'; readonly by: Actor; readonly at: number; readonly release: ReleaseId | null }

export type Outcome = 'Healthy' | 'RolledBack' | 'Failed' | 'Held' | 'Superseded'

export type Step =
  | { readonly name: 'Seen' | 'Rendering' | 'Preflight' | 'Verifying' | 'Baking' | 'RollingBack' | 'Ended' }
  | { readonly name: 'Syncing'; readonly phase: Phase; readonly wave: number; readonly index: number; readonly of: number }

/** One try at making a release current; numbered; one line of history. */
export interface Attempt {
  readonly number: number
  /** null while rendering gave none (Held). */
  readonly release: ReleaseId | null
  readonly releaseNumber: number
  readonly revision: Revision | null
  readonly cause: 'commit' | 'sync' | 'rollback' | 'retry' | 'surroundings'
  /** How its release is made current: as a sync; of some objects only (no hooks); as going back is (T3); or it runs already (T8: no hooks, no bake). */
  readonly mode: 'sync' | 'partial' | 'rollback' | 'adopt'
  /** A sync request may overrule the policy. */
  readonly prune: boolean | null
  /** Nothing of it became healthy here yet: Helm's install hooks run, not those of an upgrade. Missing in older ledgers: both. */
  readonly installs?: boolean
  /** Helm's test hooks run after health and count. */
  readonly tests?: boolean
  readonly by: Actor
  readonly step: Step
  readonly outcome: Outcome | null
  /** One sentence for the outcome or the step. */
  readonly message: string
  readonly times: AttemptTimes
  readonly verdict: Verdict | null
  /** What current was before; where a rollback of this one goes unless a newer good one came. */
  readonly from: ReleaseId | null
  /** Set when rolling back: to which release, since when. */
  readonly rollback: { readonly to: ReleaseId; readonly since: number } | null
  /** When going back: what attempts after this one created is removed. */
  readonly createdAfter: number
  readonly progress: ProgressMark
  readonly clocks: Clocks
  /** How often its containers had ended (by pod's uid and name) while pods of the good release suffered too: those ends say nothing later either. */
  readonly forgiven: Readonly<Record<string, number>>
  /** Of pods of the good release that suffered meanwhile; null (or missing, in older ledgers): none did. */
  readonly trouble?: Trouble | null
  /** ms from its wave's apply to being ready, of each workload that this attempt changed, by refKey. */
  readonly readyAfter: Readonly<Record<string, number>>
  readonly moves: readonly { readonly at: number; readonly step: string; readonly message: string }[]
  readonly counts: { readonly objects: number; readonly changed: number; readonly pruned: number }
}

export interface Trouble {
  /** When they were well again, ms since 1970; 0 = they are not yet. */
  readonly over: number
  /** Keys of signs that came while they suffered and cannot go by themselves (a Job that failed): that explains them. */
  readonly explained: readonly string[]
}

/** The highest marks seen: a new highest number is progress (release.md, "no progress for healthTimeout"). */
export interface ProgressMark {
  readonly at: number
  readonly updated: number
  readonly ready: number
  readonly available: number
  readonly jobs: number
  readonly waves: number
}

/** Clocks of an attempt, ms since 1970, 0 = not running. Time in which the place was not observed (silent, paused, no controller) is added to all. */
export interface Clocks {
  /** The place was last looked at; moved on every 20 s only, so that looking costs no write. */
  readonly seenAt: number
  /** Nothing is counted since seenAt. */
  readonly stopped: boolean
  /** The newest wave was applied. */
  readonly stageAt: number
  readonly bakeFrom: number
  /** Healthy without a break since (J9, J10, and the bake of a good release that never baked). */
  readonly healthyFrom: number
  /** Signs that are given some seconds, by key: seen since. */
  readonly suspects: Readonly<Record<string, number>>
}

/** ms since 1970; 0 = not yet. */
export interface AttemptTimes {
  readonly pushed: number
  readonly seen: number
  readonly rendered: number
  readonly preflighted: number
  readonly applied: number
  readonly healthy: number
  readonly baked: number
  readonly judged: number
  readonly ended: number
}

/** What speaks against a release: the same for a sign that is seen, a verdict that is kept and one that is shown. */
export interface Evidence {
  readonly kind: 'bad' | 'surroundings'
  /** CamelCase sign: `CrashLoop`, `OOMKilled`, `NeverReady`, `ProgressDeadlineExceeded`, `HookFailed`, `ImagePullFailed`... */
  readonly sign: string
  /** `container web exited 1 three times, never ready`. */
  readonly message: string
  readonly object: ObjectRef | null
  readonly pod: string
  readonly container: string
  readonly reason: string
  readonly exitCode: number | null
  readonly restarts: number
  /** The last 20 log lines, secrets masked. */
  readonly log: readonly string[]
  /** `restartsAllowed 2`, `memory limit 64Mi`, `health timeout 5 min`. */
  readonly limit: string
}

export interface Verdict extends Evidence {
  readonly at: number
}

export function newLedger(application: { readonly name: string; readonly uid: string }, place: string, salt: string): Ledger {
  return {
    version: 1,
    placed: 0,
    application: { name: application.name, uid: application.uid },
    place,
    salt,
    nextAttempt: 1,
    nextReleaseNumber: 1,
    releases: {},
    current: null,
    good: [],
    marks: {},
    attempt: null,
    trying: null,
    recent: [],
    pin: null,
    requests: [],
    pause: null,
    deletion: null,
    hooks: [],
    readyTimes: {},
    preflight: null,
    heal: null,
    sticky: {},
  }
}

/** Of two copies the one with the higher version is the truth; another application's (a re-created one's) is none. */
export function newerLedger(own: Ledger | null, found: Ledger | null): Ledger | null {
  if (own === null || found === null) return own ?? found
  return found.application.uid === own.application.uid && found.place === own.place && found.version > own.version ? found : own
}

/**
 * The ledger of the place that an application moves to. What is the application's own goes with it: its one history counts on, what it
 * keeps of its renders stays, and a pause lasts. What was asked of the place when it was there before is of then.
 */
export function movedTo(there: Ledger, from: Ledger, everywhere: readonly Ledger[]): Ledger {
  const all = [there, from, ...everywhere]
  const kept = Object.fromEntries(Object.entries(from.sticky).filter(([, { name }]) => name !== 'lookup'))
  return {
    ...there,
    version: there.version + 1,
    nextAttempt: Math.max(...all.map(one => one.nextAttempt)),
    nextReleaseNumber: Math.max(...all.map(one => one.nextReleaseNumber)),
    sticky: { ...kept, ...there.sticky },
    pause: from.pause,
    requests: [],
  }
}

export function withRequest(ledger: Ledger, request: Request): Ledger {
  return { ...ledger, version: ledger.version + 1, requests: [...ledger.requests, request] }
}

/** A release that nothing has rendered as a whole is known by the commit it was made with. */
export function withRelease(ledger: Ledger, id: ReleaseId, revision: Revision | null, now: number): Ledger {
  if (ledger.releases[id] !== undefined || revision === null) return ledger
  const known = { number: ledger.nextReleaseNumber, revision, digests: {}, firstSeenAt: now, fresh: 0, lastAttempt: 0 }
  return { ...ledger, nextReleaseNumber: ledger.nextReleaseNumber + 1, releases: { ...ledger.releases, [id]: known } }
}

export function withPause(ledger: Ledger, pause: NonNullable<Ledger['pause']>): Ledger {
  return { ...ledger, version: ledger.version + 1, pause }
}

export function resumed(ledger: Ledger): Ledger {
  return { ...ledger, version: ledger.version + 1, pause: null }
}

export function withApproval(ledger: Ledger, approval: NonNullable<Ledger['approval']>): Ledger {
  return { ...ledger, version: ledger.version + 1, approval }
}

export function withDeletion(ledger: Ledger, deletion: NonNullable<Ledger['deletion']>): Ledger {
  return { ...ledger, version: ledger.version + 1, deletion }
}

/** When its newest attempt last moved on, ms since 1970: of two places of one application the newer one is where it belongs. */
export function lastMove({ attempt }: Ledger): number {
  return attempt === null ? 0 : Math.max(...Object.values(attempt.times))
}

/** Attempts with an outcome that the ledger still knows: after a start, history is completed from them (by number). */
export function settledAttempts(ledger: Ledger): readonly Attempt[] {
  return [...ledger.recent, ledger.attempt, ledger.trying].filter(
    one => one !== null && one.outcome !== null,
  ) as readonly Attempt[]
}

/** The releases that rollbacks, drift and history may still need: their objects are kept. */
export function namedReleases(ledger: Ledger): ReadonlySet<ReleaseId> {
  const named = [
    ledger.current?.release,
    ledger.attempt?.release,
    ledger.attempt?.from,
    ledger.trying?.release,
    ledger.pin?.to,
    ...ledger.good.map(good => good.release),
    ...ledger.requests.map(request => request.release),
  ]
  return new Set(named.filter(id => id !== null && id !== undefined))
}

/** The newest release to become healthy that is neither bad nor under a surroundings mark, other than `except`. */
export function goodRelease(ledger: Ledger, except: ReleaseId | null = null): GoodRelease | null {
  return ledger.good.findLast(good => good.release !== except && ledger.marks[good.release] === undefined) ?? null
}

export function isUnderWay(attempt: Attempt | null): boolean {
  if (attempt === null || attempt.outcome !== null) return false
  return attempt.step.name === 'Syncing' || attempt.step.name === 'Verifying' || attempt.step.name === 'Baking'
}

export function isRollingBack(attempt: Attempt | null): boolean {
  return attempt !== null && attempt.outcome === null && attempt.step.name === 'RollingBack'
}
