// What a user declares: Argo CD's Application with `spec.rollout` beside it. Shapes; `parseApplication` is below them.
import type { Manifest } from '../runtime/contract/manifest.js'

export interface Application {
  readonly name: string
  /** Made when it is created; a deleted and re-created application has a new one. */
  readonly uid: string
  readonly project: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly source: Source
  readonly destination: Destination
  readonly sync: SyncPolicy
  readonly rollout: RolloutPolicy
  readonly revisionHistoryLimit: number
  /** What deleting the declaration does to what runs. */
  readonly deletion: 'cascade' | 'orphan'
  /** The application whose manifests declare this one; null where a person did. */
  readonly parent: string | null
  /** As it was declared, for `get` and for keeping. */
  readonly manifest: Manifest
}

export interface Source {
  readonly repoURL: string
  readonly path: string
  /** A branch, a tag, or a full commit hash; 'HEAD' is the remote's default branch. */
  readonly targetRevision: string
  readonly directory: { readonly recurse: boolean; readonly include: string; readonly exclude: string }
  /** For charts (Handlebars or Helm): named `helm` in the declaration, as Argo CD has it. */
  readonly chart: ChartOptions
}

export interface ChartOptions {
  readonly releaseName: string
  readonly valueFiles: readonly string[]
  readonly ignoreMissingValueFiles: boolean
  readonly values: Readonly<Record<string, unknown>>
  readonly parameters: readonly { readonly name: string; readonly value: string; readonly forceString: boolean }[]
}

export interface Destination {
  /** `node/lab` or `cluster/prod-eu`: the place's key everywhere. */
  readonly place: string
  readonly kind: 'node' | 'cluster'
  readonly name: string
  readonly namespace: string
}

export interface SyncPolicy {
  readonly automated: boolean
  readonly prune: boolean
  readonly selfHeal: boolean
  readonly allowEmpty: boolean
}

export interface RolloutPolicy {
  readonly healthTimeoutMs: number
  readonly bakeTimeMs: number
  readonly onFailure: 'RollBack' | 'Hold'
  readonly writeBack: 'none' | 'revertCommit'
  readonly restartsAllowed: number
  readonly afterHooks: 'Hold' | 'RollBack'
}

export const rolloutDefaults: RolloutPolicy = {
  healthTimeoutMs: 5 * 60_000,
  bakeTimeMs: 30_000,
  onFailure: 'RollBack',
  writeBack: 'none',
  restartsAllowed: 2,
  afterHooks: 'Hold',
}
