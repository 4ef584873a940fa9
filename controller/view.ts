// What people and programs are shown: one shape for REST, CLI and page. Made from facts in one place (`words.ts` makes the
// sentences), never stored. Times are RFC 3339 strings; ''/null where there is none.
import type { FieldDrift } from '../runtime/contract/documents.js'
import type { ObjectRef } from '../runtime/contract/manifest.js'
import type { Evidence, Outcome } from './ledger.js'

export type StateWord =
  | 'Healthy'
  | 'Releasing'
  | 'RollingBack'
  | 'RolledBack'
  | 'Failed'
  | 'Held'
  | 'OutOfSync'
  | 'Degraded'
  | 'Unknown'
  | 'Paused'
  | 'Deleting'

export interface ReleaseView {
  readonly id: string
  /** `r14` */
  readonly number: string
  readonly commit: string
  /** Of each source, in the order of `spec.sources`. */
  readonly revisions: readonly string[]
  readonly subject: string
  readonly author: string
  readonly committedAt: string
}

export interface ApplicationView {
  readonly name: string
  readonly uid: string
  readonly project: string
  /** `node/lab` */
  readonly place: string
  readonly namespace: string
  readonly state: StateWord
  /** The one sentence: what - why - what next. The same in page, terminal and API. */
  readonly message: string
  /** For a table's last column: `wave 1 of 3, api 2 of 3 ready`. */
  readonly short: string
  readonly since: string
  readonly release: ReleaseView | null
  readonly candidate: ReleaseView | null
  readonly good: ReleaseView | null
  /** `chart`: of a chart repository; '' for Git, which has a path. */
  readonly source: { readonly repoURL: string; readonly path: string; readonly chart: string; readonly targetRevision: string }
  readonly attempt: AttemptView | null
  readonly health: { readonly status: string; readonly message: string }
  readonly sync: { readonly status: 'Synced' | 'OutOfSync' | 'Unknown'; readonly message: string }
  readonly stale: { readonly since: string; readonly message: string } | null
  readonly paused: { readonly by: string; readonly at: string; readonly reason: string } | null
  readonly pinned: { readonly to: string; readonly by: string; readonly at: string } | null
  /** Asked for by a person and not yet consumed, oldest first. */
  readonly requests: readonly {
    readonly id: string
    readonly kind: 'sync' | 'rollback' | 'retry'
    readonly by: string
    readonly at: string
  }[]
  readonly why: WhyView
  /** What its newest release waits for: sync windows, other applications. `until`: when that ends by itself. */
  readonly blockedBy: readonly {
    readonly kind: 'window' | 'dependency'
    readonly application: string
    readonly message: string
    readonly until: string
  }[]
  /** What is not taken away before a person has said so (`slipway approve`). Null: nothing waits for that. */
  readonly asks: { readonly act: 'prune' | 'delete'; readonly objects: readonly ObjectRef[]; readonly since: string } | null
  readonly policy: {
    readonly automated: boolean
    readonly selfHeal: boolean
    readonly prune: boolean
    readonly onFailure: string
    readonly healthTimeoutSeconds: number
    readonly bakeTimeSeconds: number
    readonly writeBack: string
  }
  /**
   * What should be looked at though it goes on: parts of the declaration that this version does not take, and, behind `chartSays`, what Helm would
   * say of the chart. One sentence each.
   */
  readonly warnings: readonly string[]
  readonly deleting: boolean
}

/** Before what a chart warns of among `warnings`. */
export const chartSays = 'its chart: '

/** `slipway why`, as data. */
export interface WhyView {
  /** First line: `shop was rolled back 12 s ago. It runs 9be03d7 (r30), healthy, 3 of 3 ready.` */
  readonly headline: string
  /** The newest thing that went wrong, if any. */
  readonly attempt: AttemptView | null
  /** `Likely: no Service "cache" in namespace shop.` or ''. */
  readonly likely: string
  /** What happens next by itself, and what a person can do: sentences and commands. */
  readonly next: readonly string[]
  readonly commands: readonly string[]
}

export interface AttemptView {
  readonly number: number
  readonly release: ReleaseView | null
  readonly cause: string
  readonly by: string
  /** `Syncing`, `Baking`, `Ended`... */
  readonly step: string
  /** `wave 1 of 3` where the step has one; '' otherwise. */
  readonly stepDetail: string
  readonly outcome: Outcome | null
  readonly message: string
  readonly times: {
    readonly pushed: string
    readonly seen: string
    readonly rendered: string
    readonly preflighted: string
    readonly applied: string
    readonly healthy: string
    readonly baked: string
    readonly judged: string
    readonly ended: string
  }
  readonly verdict: VerdictView | null
  readonly moves: readonly { readonly at: string; readonly step: string; readonly message: string }[]
  readonly counts: { readonly objects: number; readonly changed: number; readonly pruned: number }
  /** `r2`, where it was rolled back, or is on the way; '' otherwise. */
  readonly wentBackTo: string
}

export interface VerdictView extends Evidence {
  readonly at: string
}

/** One object of the application, its health, and what it owns (Deployment -> ReplicaSet -> Pod). */
export interface ObjectView {
  readonly ref: ObjectRef
  readonly health: { readonly status: string; readonly message: string }
  /** Synced, OutOfSync (differs or missing), Extra (to be pruned); '' for what is owned by another. */
  readonly sync: string
  readonly wave: number
  readonly hook: string
  readonly origin: string
  /** Where it is not what was applied: fields, and who changed them; Secrets show no values. Empty where it is, or it is not known. */
  readonly drift: readonly FieldDrift[]
  readonly pod: PodView | null
  readonly children: readonly ObjectView[]
}

export interface PodView {
  readonly name: string
  readonly ready: boolean
  readonly phase: string
  readonly ip: string
  readonly release: string
  readonly restarts: number
  readonly containers: readonly {
    readonly name: string
    readonly ready: boolean
    readonly state: string
    readonly reason: string
    readonly restartCount: number
    readonly image: string
  }[]
  readonly createdAt: string
  /** Since when; '' while it is not ready. */
  readonly readyAt: string
}

export interface NodeView {
  readonly name: string
  readonly ready: boolean
  readonly lastSeen: string
  readonly versions: Readonly<Record<string, string>>
  readonly applications: number
  readonly pods: number
  readonly capacity: { readonly cpuMillis: number; readonly memoryBytes: number; readonly pods: number }
  readonly allocated: { readonly cpuMillis: number; readonly memoryBytes: number; readonly pods: number }
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly message: string }[]
}

/** On `slipway.events.<application>.<what>` and in the event stream. */
export interface EventView {
  readonly id: string
  readonly at: string
  readonly application: string
  /** Subject token: `seen`, `held`, `preflight`, `syncing`, `verifying`, `baking`, `healthy`, `rolling-back`, `rolled-back`, `failed`, `superseded`, `degraded`, `recovered`, `drift`, `healed`, `pruned`, `paused`, `resumed`, `requested`, `approved`, `rotated`, `deleting`, `deleted`, `stale`. */
  readonly what: string
  readonly message: string
  readonly attempt: number
  readonly release: string
  readonly commit: string
}

export interface DiffView {
  readonly from: string
  readonly to: string
  readonly objects: readonly {
    readonly ref: ObjectRef
    readonly change: 'added' | 'removed' | 'changed'
    readonly patch: readonly unknown[]
    readonly text: string
  }[]
}
