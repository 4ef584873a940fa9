// The one interface that both destinations implement: a node (NATS) and a Kubernetes cluster. It moves things; it decides nothing.
import type { ObservedObject, ObservedPod, PreflightAnswer, Sequence } from '../../runtime/contract/documents.js'
import type { Manifest, ObjectRef } from '../../runtime/contract/manifest.js'
import type { Application } from '../application.js'
import type { Ledger } from '../ledger.js'
import type { Release, ReleaseId } from '../release.js'

export interface Observed {
  /** When the place last told us anything, ms since 1970. */
  readonly at: number
  /** What is known of what runs there is old: its lease is gone, its engine does not answer, or its words are not understood. */
  readonly silent: Silence | null
  /** The newest order we gave, and the newest that it obeys. Until they are equal, reports speak of something older. */
  readonly ordered: Sequence | null
  readonly obeyed: Sequence | null
  /** The attempt and release that the report speaks of. */
  readonly attempt: number
  readonly release: string
  readonly preflight: PreflightAnswer | null
  readonly objects: readonly ObservedObject[]
  readonly pods: readonly ObservedPod[]
  /** The place has ended everything, as a deletion asked, or has nothing of it. */
  readonly gone: boolean
  /** What its declaration says of comparing and cannot be heeded, each with its place in it. Missing where nothing is compared by such rules. */
  readonly faults?: readonly string[]
  /** The ledger that lies with the place, where the store asked for it (a new epoch, a wiped store). */
  readonly ledger: Ledger | null
}

export interface Silence {
  readonly since: number
  readonly message: string
  /** Silence has two meanings. True: only its engine is away, the place itself hears every order. False: nobody knows what it heard. */
  readonly hears: boolean
}

/** What every write carries. The ledger goes with it, so that place and ledger are of one moment. */
export interface Order {
  readonly attempt: number
  readonly release: ReleaseId | null
  readonly commit: string
  readonly digests: Readonly<Record<string, string>>
  readonly ledger: Ledger
  /** Pod templates are stamped with it after a retry (`slipway.dev/attempt`), so that pods are fresh; 0 = none. */
  readonly fresh: number
}

export interface Applied {
  readonly ref: ObjectRef
  readonly result: 'created' | 'changed' | 'unchanged' | 'pruned' | 'refused'
  readonly message: string
}

export interface Cluster {
  /** `against`: what its objects are compared with, where that is not what was sent last. */
  observe(app: Application, signal: AbortSignal, against?: Release | null): Promise<Observed>
  /** Asks whether the release could run; the answer is observed later. Touches nothing that runs. */
  preflight(app: Application, release: Release, round: number, order: Order, signal: AbortSignal): Promise<void>
  /** Adds or replaces these objects; what else is there stays. */
  apply(app: Application, objects: readonly Manifest[], order: Order, signal: AbortSignal): Promise<readonly Applied[]>
  prune(app: Application, objects: readonly ObjectRef[], order: Order, signal: AbortSignal): Promise<readonly Applied[]>
  /** The ledger alone, when nothing else is written. */
  remember(app: Application, order: Order, signal: AbortSignal): Promise<void>
  /** Ends everything of the application there. */
  remove(app: Application, order: Order, signal: AbortSignal): Promise<void>
  /** Nobody answers for what runs there any more; it goes on, and who names its objects takes them over. */
  letGo(app: Application, order: Order, signal: AbortSignal): Promise<void>
  /** Nothing of it is said there any more: it has ended, or is let go. Doing it again is fine. */
  forget(app: Application, signal: AbortSignal): Promise<void>
  logs(
    app: Application,
    pod: string,
    container: string,
    options: { readonly tail: number; readonly follow: boolean; readonly previous: boolean },
    signal: AbortSignal,
  ): AsyncIterable<{ readonly at: string; readonly stream: string; readonly text: string }>
  /** Wakes, carries nothing: something changed for this application. */
  onChange(listener: (application: string) => void): () => void
}
