// One pod as the runtime keeps it: what was decided when it was made (never changes) and what is seen of it now.
// Planners (workloads/) read PodViews and return PodRecords to make and uids to end; pods/ lives them.
import type { ApplicationId, ObservedContainer } from '../contract/documents.js'
import type { ObjectRef } from '../contract/manifest.js'

/** Decided at creation and kept on disk (encrypted: it holds Secret values), so that a pod outlives its document. Only whose it is may change. */
export interface PodRecord {
  readonly uid: string
  readonly name: string
  readonly namespace: string
  readonly application: ApplicationId
  readonly owner: ObjectRef | null
  readonly workload: ObjectRef | null
  readonly templateHash: string
  readonly release: string
  readonly attempt: number
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly createdAt: string
  /** Kubernetes' PodSpec after parsing and defaulting (workloads/podspec.ts). */
  readonly spec: PodSpec
  /** image reference -> what it meant when this pod was made (`sha256:...`); absent: resolve by reference. */
  readonly digests: Readonly<Record<string, string>>
  /** The ConfigMaps and Secrets that the spec names, as they were when the pod was made: the pod's own snapshot. Values base64. */
  readonly configMaps: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly secrets: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Seconds to be ready before it counts as available. */
  readonly minReadySeconds: number
  /** Behind a Service and without a readiness probe: these TCP ports must accept before it gets traffic. */
  readonly gatePorts: readonly number[]
  /** Target ports by Service (`shop/web`) and service port (`80`), as they were when the pod was made: a pod keeps its release's mapping. */
  readonly portMap: Readonly<Record<string, Readonly<Record<string, number>>>>
}

export interface PodView {
  readonly record: PodRecord
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed'
  readonly ready: boolean
  readonly readyAt: number | null
  readonly terminating: boolean
  readonly ip: string
  readonly reason: string
  readonly message: string
  readonly containers: readonly ObservedContainer[]
  readonly finishedAt: number | null
}

/** A pod of which nothing can be read any more but what its containers carry as labels. They run, or ran, and get no traffic. */
export interface LostPod {
  readonly uid: string
  readonly name: string
  readonly namespace: string
  readonly application: ApplicationId
}

/** The living pods of this node. Every method returns at once; work goes on inside; `onChange` tells. */
export interface Pods {
  list(): readonly PodView[]
  create(record: PodRecord): void
  /** It goes on as it is, as another application's. */
  handOver(uid: string, application: ApplicationId): void
  /** Left as they are until it is known whose they are. */
  lost(): readonly LostPod[]
  /** It becomes a living pod of this application that is being ended, without owner or workload. */
  endLost(uid: string, application: ApplicationId): void
  /** Marks it terminating (not ready at once); calls `drained` and waits for it; then preStop, stop signal, grace, kill, remove. */
  terminate(uid: string, options: TerminateOptions): void
  onChange(listener: (uid: string) => void): () => void
  /** Lines with their time, newest last; `follow` until the signal aborts. */
  logs(uid: string, container: string, options: LogOptions, signal: AbortSignal): AsyncIterable<LogLine>
}

export interface TerminateOptions {
  readonly reason: string
  /** Resolves when no connection is left or the drain limit is over. */
  readonly drained: (signal: AbortSignal) => Promise<void>
  /** Overrides the pod's own grace period. */
  readonly graceSeconds?: number
}

export interface LogOptions {
  readonly tail?: number
  readonly sinceSeconds?: number
  readonly follow?: boolean
  readonly previous?: boolean
}

export interface LogLine {
  readonly at: string
  readonly stream: 'stdout' | 'stderr'
  readonly text: string
}

// -- Kubernetes' PodSpec, the part the runtime runs (core/v1 types.go). Defaults are filled in by the parser. --

export interface PodSpec {
  readonly initContainers: readonly ContainerSpec[]
  readonly containers: readonly ContainerSpec[]
  readonly volumes: readonly VolumeSpec[]
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never'
  readonly terminationGracePeriodSeconds: number
  readonly activeDeadlineSeconds?: number
  readonly hostname?: string
  readonly subdomain?: string
  readonly hostAliases: readonly { readonly ip: string; readonly hostnames: readonly string[] }[]
  readonly dnsPolicy: 'ClusterFirst' | 'Default' | 'None'
  readonly dnsConfig?: {
    readonly nameservers: readonly string[]
    readonly searches: readonly string[]
    readonly options: readonly { readonly name: string; readonly value?: string }[]
  }
  readonly hostNetwork: boolean
  readonly shareProcessNamespace: boolean
  readonly imagePullSecrets: readonly string[]
  readonly securityContext: SecurityContext & {
    readonly fsGroup?: number
    readonly supplementalGroups?: readonly number[]
    readonly sysctls?: readonly { readonly name: string; readonly value: string }[]
  }
  readonly serviceAccountName?: string
  readonly nodeName?: string
}

export interface SecurityContext {
  readonly runAsUser?: number
  readonly runAsGroup?: number
  readonly runAsNonRoot?: boolean
  readonly readOnlyRootFilesystem?: boolean
  readonly allowPrivilegeEscalation?: boolean
  readonly privileged?: boolean
  readonly capabilities?: { readonly add: readonly string[]; readonly drop: readonly string[] }
}

export interface ContainerSpec {
  readonly name: string
  readonly image: string
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never'
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly workingDir?: string
  readonly ports: readonly ContainerPort[]
  readonly env: readonly EnvVar[]
  readonly envFrom: readonly EnvFrom[]
  readonly resources: { readonly requests: Resources; readonly limits: Resources }
  readonly volumeMounts: readonly VolumeMount[]
  readonly livenessProbe?: ProbeSpec
  readonly readinessProbe?: ProbeSpec
  readonly startupProbe?: ProbeSpec
  readonly lifecycle: { readonly postStart?: HandlerSpec; readonly preStop?: HandlerSpec; readonly stopSignal?: string }
  readonly securityContext: SecurityContext
  readonly stdin: boolean
  readonly tty: boolean
  readonly terminationMessagePath: string
  readonly terminationMessagePolicy: 'File' | 'FallbackToLogsOnError'
  /** Init containers only: 'Always' makes it a sidecar. */
  readonly restartPolicy?: 'Always'
}

export interface Resources {
  readonly cpuMillis?: number
  readonly memoryBytes?: number
}

export interface ContainerPort {
  readonly name?: string
  readonly containerPort: number
  readonly protocol: 'TCP' | 'UDP' | 'SCTP'
  readonly hostPort?: number
  readonly hostIP?: string
}

export interface EnvVar {
  readonly name: string
  readonly value?: string
  readonly valueFrom?:
    | { readonly kind: 'configMap'; readonly name: string; readonly key: string; readonly optional: boolean }
    | { readonly kind: 'secret'; readonly name: string; readonly key: string; readonly optional: boolean }
    | { readonly kind: 'field'; readonly path: string }
    | { readonly kind: 'resource'; readonly container?: string; readonly resource: string; readonly divisor: string }
}

export interface EnvFrom {
  readonly kind: 'configMap' | 'secret'
  readonly name: string
  readonly prefix: string
  readonly optional: boolean
}

export interface VolumeMount {
  readonly name: string
  readonly mountPath: string
  readonly subPath?: string
  readonly readOnly: boolean
}

export interface VolumeSpec {
  readonly name: string
  readonly source:
    | { readonly kind: 'emptyDir'; readonly medium: '' | 'Memory'; readonly sizeLimitBytes?: number }
    | {
        readonly kind: 'configMap'
        readonly name: string
        readonly items?: readonly KeyToPath[]
        readonly defaultMode: number
        readonly optional: boolean
      }
    | {
        readonly kind: 'secret'
        readonly name: string
        readonly items?: readonly KeyToPath[]
        readonly defaultMode: number
        readonly optional: boolean
      }
    | {
        readonly kind: 'downwardAPI'
        readonly items: readonly {
          readonly path: string
          readonly fieldPath?: string
          readonly resource?: string
          readonly container?: string
        }[]
        readonly defaultMode: number
      }
    | { readonly kind: 'projected'; readonly sources: readonly unknown[]; readonly defaultMode: number }
    | { readonly kind: 'hostPath'; readonly path: string; readonly type: string }
    | { readonly kind: 'persistentVolumeClaim'; readonly claimName: string; readonly readOnly: boolean }
}

export interface KeyToPath {
  readonly key: string
  readonly path: string
  readonly mode?: number
}

/** Port names are resolved to numbers by the parser. */
export type HandlerSpec =
  | {
      readonly kind: 'httpGet'
      readonly path: string
      readonly port: number
      readonly host?: string
      readonly scheme: 'HTTP' | 'HTTPS'
      readonly headers: readonly { readonly name: string; readonly value: string }[]
    }
  | { readonly kind: 'tcpSocket'; readonly port: number; readonly host?: string }
  | { readonly kind: 'grpc'; readonly port: number; readonly service: string }
  | { readonly kind: 'exec'; readonly command: readonly string[] }
  | { readonly kind: 'sleep'; readonly seconds: number }

export interface ProbeSpec {
  readonly handler: HandlerSpec
  readonly initialDelaySeconds: number
  readonly periodSeconds: number
  readonly timeoutSeconds: number
  readonly successThreshold: number
  readonly failureThreshold: number
  readonly terminationGracePeriodSeconds?: number
}
