// What controller and node say to each other: contract version 1. Shapes only; `frame.ts` seals, signs and parses them,
// `subjects.ts` says where they lie. Both sides import this; it imports nothing but the shape of a manifest.
import type { Manifest, ObjectRef } from './manifest.js'

export const contractVersion = 1

export interface ApplicationId {
  readonly name: string
  /** Made when the application is created: one deleted and created again under its name is another. */
  readonly uid: string
}

/** What a document's order is compared by: higher epoch, or the same epoch and higher generation, is newer. */
export interface Sequence {
  readonly epoch: number
  readonly generation: number
}

export function isNewer(a: Sequence, b: Sequence): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.generation > b.generation)
}

/** All that should run of one application on one node. One key, so a node sees a state whole or not at all. */
export interface DesiredDocument extends Sequence {
  readonly contract: number
  readonly node: string
  readonly application: ApplicationId
  /** The attempt and release that `objects` belong to; release is '' where nothing was released yet (a preflight alone). */
  readonly attempt: number
  readonly release: string
  readonly commit: string
  /** Absence is never deletion: this is. The node ends everything of the application, then reports no objects. */
  readonly deleted: boolean
  /**
   * Nobody answers for it any more: the application was deleted without what it runs, or its destination is another now. The node goes
   * on with it until another application names its objects: that one takes them over with their pods.
   */
  readonly letGo: boolean
  readonly objects: readonly Manifest[]
  /**
   * What each image reference meant when the object's release was tried, by refKey of the object: `web:1` -> `sha256:...` (an image id
   * or a repo digest). By object, for one tag may mean two images while the waves of a release go over those of another.
   */
  readonly digests: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly preflight: Preflight | null
  /** The controller's ledger of the application, sealed to the controller: opaque here, kept and given back. */
  readonly ledger: string
}

/** Asks: could these objects run here? Pull images, check ports, volumes, policy, kinds and fields. Touches nothing that runs. */
export interface Preflight {
  readonly release: string
  readonly objects: readonly Manifest[]
  /** Digests to use where the release was tried before; other images are resolved anew. */
  readonly digests: Readonly<Record<string, string>>
  /** Counts up when the same question is asked again (the registry may answer now). */
  readonly round: number
}

/** Something that stands in a release's way, named. */
export interface Problem {
  readonly object: ObjectRef
  /** CamelCase, Kubernetes' word where there is one: `ErrImagePull`, `HostPolicy`, `PortInUse`, `UnsupportedField`, `Unschedulable`. */
  readonly reason: string
  /** The fact and what to do, one sentence. */
  readonly message: string
  /** Trying again later may help (a registry that is down) or not (a refused field). */
  readonly transient: boolean
}

export interface PreflightAnswer {
  readonly release: string
  readonly round: number
  readonly state: 'running' | 'passed' | 'refused'
  readonly problems: readonly Problem[]
  /** Said, but not in the way: `stop-first, because ...`. */
  readonly warnings: readonly string[]
  readonly digests: Readonly<Record<string, string>>
  /** While running: what is being done, for people: `pulling web:2, 3 of 4 images present`. */
  readonly progress: string
}

/** What a node knows of one application. Written only when something changed. `epoch`/`generation` are those it obeys. */
export interface ReportDocument extends Sequence {
  readonly contract: number
  readonly node: string
  readonly application: ApplicationId
  readonly release: string
  readonly attempt: number
  /** RFC 3339, the node's clock. */
  readonly at: string
  readonly deleted: boolean
  readonly preflight: PreflightAnswer | null
  readonly objects: readonly ObservedObject[]
  readonly pods: readonly ObservedPod[]
  /** Hash of the ledger the node holds; the ledger itself lies under its own key. '' for none. */
  readonly ledgerHash: string
}

/** One object as it is on the node: its identity, what was asked of it, and its status with Kubernetes' fields. */
export interface ObservedObject {
  readonly ref: ObjectRef
  readonly uid: string
  /** Hash of the manifest as obeyed (`manifestHash`); lets the controller see drift and what has arrived. */
  readonly hash: string
  /** `status` as Kubernetes has it for the kind: Deployment readyReplicas, updatedReplicas, conditions...; Job succeeded, failed... */
  readonly status: Readonly<Record<string, unknown>>
  /** Of a workload: the template hash of its newest revision; its pods carry the same. */
  readonly templateHash?: string
  /** The attempt that last changed it. */
  readonly attempt: number
  /** On a cluster: the object as it is there, as far as health asks (generation, deletion, replicas), for others may change it too. */
  readonly live?: Manifest
  /** On a cluster: told to go by the controller that looks at it. */
  readonly isTold?: boolean
  /** On a cluster: where it is not what was applied, and who changed it; empty or missing where it is, or where it is not known. */
  readonly drift?: readonly FieldDrift[]
}

/** One field of a live object that is not what was applied. */
export interface FieldDrift {
  /** `spec.template.spec.containers[name=web].image`; '' for the object as a whole. */
  readonly path: string
  /** JSON, cut short; '' for nothing; `(hidden)` in Secrets. */
  readonly live: string
  readonly want: string
  /** Who wrote it, as the server knows it: `kubectl-edit`; '' where it does not (what was taken out is nobody's). */
  readonly manager: string
  /** RFC 3339; '' where it is not known. */
  readonly at: string
}

export type ContainerState =
  | { readonly state: 'waiting'; readonly reason: string; readonly message: string }
  | { readonly state: 'running'; readonly startedAt: string }
  | {
      readonly state: 'terminated'
      readonly reason: string
      readonly message: string
      readonly exitCode: number
      readonly signal?: number
      readonly startedAt: string
      readonly finishedAt: string
    }

export interface ObservedContainer {
  readonly name: string
  readonly init: boolean
  readonly image: string
  /** What runs: `sha256:...`. */
  readonly imageId: string
  readonly ready: boolean
  /** It has been ready at least once in this pod's life. */
  readonly everReady: boolean
  readonly started: boolean
  readonly restartCount: number
  readonly state: ContainerState
  /** The end before the present state, if it ended before. */
  readonly last: Extract<ContainerState, { state: 'terminated' }> | null
  /** How often it was ended by the kernel for its memory limit. */
  readonly oomKills: number
  /** The last 20 lines of its newest end, secrets masked; empty while it never ended. */
  readonly lastLog: readonly string[]
  /** For the verdict: the memory limit in bytes; 0 for none. */
  readonly memoryLimit: number
  /** Ended or lost readiness without being told to since the pod was first ready: RFC 3339 of the newest; '' for never. */
  readonly troubledAt: string
}

export interface ObservedPod {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  readonly owner: ObjectRef | null
  /** The workload above a ReplicaSet (Deployment), or the owner itself. */
  readonly workload: ObjectRef | null
  readonly templateHash: string
  readonly release: string
  readonly attempt: number
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed'
  readonly ready: boolean
  /** Ready for minReadySeconds. */
  readonly available: boolean
  readonly terminating: boolean
  readonly ip: string
  readonly createdAt: string
  readonly readyAt: string
  /** A reason of the pod as a whole: `Unschedulable`, `HostPolicy`; '' for none. */
  readonly reason: string
  readonly message: string
  readonly containers: readonly ObservedContainer[]
}

export interface NodeCondition {
  /** `EngineUnreachable`: what is known of all pods is old. `DocumentRefused`: of one application. `NotReconciling`, `Fault`. */
  readonly type: string
  readonly status: 'True' | 'False'
  readonly message: string
  /** RFC 3339; missing where it is not known. */
  readonly since?: string
  /** Where it is about one. */
  readonly application?: string
}

/** Liveness and size of a node; its key's lease is what tells a silent node. */
export interface NodeLease {
  readonly contract: number
  readonly node: string
  readonly at: string
  readonly startedAt: string
  /** Base64 X25519 public key that documents for this node are sealed to. */
  readonly sealKey: string
  readonly versions: Readonly<Record<string, string>>
  readonly capacity: { readonly cpuMillis: number; readonly memoryBytes: number; readonly pods: number }
  readonly allocated: { readonly cpuMillis: number; readonly memoryBytes: number; readonly pods: number }
  readonly addresses: readonly string[]
  /** What the node wants people to know: an engine that does not answer, a full disk. Empty when all is well. */
  readonly conditions: readonly NodeCondition[]
  /** The highest epoch of any order that it ever obeyed, those of what ended included: an order of a lower one is refused. */
  readonly epoch?: number
  /**
   * The buckets (by creation time) in which the controller finds all this node has to say: the desired one was listed and what it
   * lacked given back, reports lie in the other. '' while not yet. Until both are those of now, nothing new is written to the node.
   */
  readonly told: { readonly desired: string; readonly reports: string }
}
