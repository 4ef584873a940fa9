// All that is remembered of one application at one place (release.md). Immutable: a decision returns the next one.
// Times are ms since 1970. Kept by the controller's store and, sealed, with the place.
import type { CommitSha, ReleaseId, Revision } from './release.js'
import type { ObjectRef } from '../runtime/contract/manifest.js'

export interface Ledger {
  /** Counts up with every change: of two copies the higher is the truth. */
  readonly version: number
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
  /** The attempt that last changed current (a rollback belongs to the attempt that it undoes). */
  readonly attempt: Attempt | null
  /** An attempt that has not begun to change anything: seen, held, or in preflight. */
  readonly trying: Attempt | null
  readonly pin: {
    readonly to: ReleaseId
    readonly left: ReleaseId | null
    readonly candidate: ReleaseId | null
    readonly by: Actor
    readonly at: number
  } | null
  readonly requests: readonly Request[]
  readonly pause: { readonly by: Actor; readonly at: number; readonly reason: string } | null
  readonly deletion: { readonly by: Actor; readonly at: number; readonly cascade: boolean } | null
  /** Hooks that succeeded since each release was last applied, for the barrier: hook key -> content hash. */
  readonly hooks: readonly HookRecord[]
  /** How long the last ten healthy releases of each workload took to be ready (ms), by refKey. */
  readonly readyTimes: Readonly<Record<string, readonly number[]>>
  /** Preflight asked for: release, round, when to ask again. */
  readonly preflight: PreflightRecord | null
  readonly heal: { readonly failures: number; readonly nextAt: number } | null
  /** Values that random functions minted, by call site; sealed with the ledger. */
  readonly sticky: Readonly<Record<string, string>>
}

export interface KnownRelease {
  /** r14: counted per application, in the order they were first seen. */
  readonly number: number
  /** The commit that first gave it, and the newest that did. */
  readonly revision: Revision
  readonly digests: Readonly<Record<string, string>>
  readonly firstSeenAt: number
}

export interface Current {
  readonly release: ReleaseId
  readonly since: number
  /** Set by a retry: stamped on pod templates so that pods and Jobs are fresh. 0 = never retried. */
  readonly fresh: number
  /** Objects that this application applied and has not pruned, over all releases. */
  readonly owned: readonly ObjectRef[]
  /** Phase and wave last applied. */
  readonly applied: { readonly phase: Phase; readonly wave: number } | null
}

export type Phase = 'PreSync' | 'Sync' | 'PostSync' | 'SyncFail' | 'PreDelete' | 'PostDelete'

export interface GoodRelease {
  readonly release: ReleaseId
  readonly healthyAt: number
  readonly baked: boolean
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
  readonly state: 'asked' | 'passed' | 'refused'
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
  readonly by: Actor
  readonly step: Step
  readonly outcome: Outcome | null
  /** One sentence for the outcome or the step. */
  readonly message: string
  readonly times: AttemptTimes
  readonly verdict: Verdict | null
  /** What current was before; where a rollback of this one goes unless a newer good one came. */
  readonly from: ReleaseId | null
  /** Set when rolling back: to which release, and since when without progress. */
  readonly rollback: {
    readonly to: ReleaseId
    readonly since: number
    readonly progressAt: number
    readonly healthyAt: number
  } | null
  readonly progress: ProgressMark
  readonly moves: readonly { readonly at: number; readonly step: string; readonly message: string }[]
  readonly counts: { readonly objects: number; readonly changed: number; readonly pruned: number }
}

/** The highest marks seen: a new highest number is progress (release.md, "no progress for healthTimeout"). */
export interface ProgressMark {
  readonly at: number
  readonly updated: number
  readonly ready: number
  readonly available: number
  readonly jobs: number
  readonly waves: number
  /** Observed time only: ms during which the place was known, for deadlines. */
  readonly observedMs: number
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

export interface Verdict {
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
  readonly at: number
}
