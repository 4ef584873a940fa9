// What the API asks of the controller: reads come from memory, requests are persisted before they are acknowledged.
// `api/` is written against this; `controller/service.ts` implements it over the store.
import type { Manifest } from '../../runtime/contract/manifest.js'
import type { Actor } from '../ledger.js'
import type { StickyView } from '../sticky/view.js'
import type { ApplicationView, AttemptView, DiffView, EventView, NodeView, ObjectView } from '../view.js'

export interface Service {
  applications(): readonly ApplicationView[]
  application(name: string): ApplicationView | null
  /** The declaration as it was given, with our metadata (uid, generation). */
  declaration(name: string): Manifest | null
  /** Creates or replaces; throws InvalidInput with pointers. */
  declare(
    manifest: unknown,
    by: Actor,
    options: { readonly dryRun: boolean },
  ): Promise<{ readonly view: ApplicationView | null; readonly created: boolean; readonly changed: boolean }>
  /** Asked again, hooks of the deletion that failed run once more. `message`: what becomes of what runs, one sentence. */
  remove(
    name: string,
    by: Actor,
    options: { readonly cascade: boolean; readonly skipHooks?: boolean },
  ): Promise<{ readonly message: string }>
  sync(
    name: string,
    by: Actor,
    options: {
      readonly revision: string | null
      readonly prune: boolean | null
      /** `group:kind:name`, of these objects only; none: all of it. */
      readonly resources?: readonly string[]
      /** Helm's test hooks run after health. */
      readonly tests?: boolean
    },
  ): Promise<{ readonly request: string }>
  /** `to`: a release id, `r14`, an attempt number, a commit prefix, or '' for the previous good one. */
  rollback(
    name: string,
    by: Actor,
    options: { readonly to: string; readonly message: string },
  ): Promise<{ readonly request: string }>
  retry(name: string, by: Actor, options: { readonly release: string }): Promise<{ readonly request: string }>
  /** What its renders made and keep; nothing of the values. */
  sticky(name: string): readonly StickyView[]
  /** Makes these anew, and releases that; `keys`: as `meantBy` reads them. Throws RefusedError. */
  rotate(
    name: string,
    by: Actor,
    options: { readonly keys: readonly string[]; readonly all: boolean },
  ): Promise<{ readonly request: string; readonly rotated: readonly string[] }>
  /** What waits for a person's word (`asks`) may be taken away. `message`: what that is. Throws RefusedError where nothing waits. */
  approve(name: string, by: Actor): Promise<{ readonly message: string }>
  pause(name: string, by: Actor, reason: string): Promise<void>
  resume(name: string, by: Actor): Promise<void>
  /** Newest first. */
  history(name: string): Promise<readonly AttemptView[]>
  /** Rendered objects of a release ('' = candidate, `live` = what was last applied), Secret values masked. */
  manifests(name: string, release: string): Promise<readonly Manifest[]>
  tree(name: string): readonly ObjectView[]
  diff(name: string, from: string, to: string): Promise<DiffView>
  events(name: string | null, limit: number): Promise<readonly EventView[]>
  logs(
    name: string,
    options: {
      readonly pod: string
      readonly container: string
      readonly tail: number
      readonly follow: boolean
      readonly previous: boolean
    },
    signal: AbortSignal,
  ): AsyncIterable<{ readonly at: string; readonly pod: string; readonly container: string; readonly text: string }>
  nodes(): readonly NodeView[]
  /** Looks at a repository now; unknown ones are ignored in silence. Returns how many applications were woken. */
  wakeRepository(repoURL: string, ref: string | null): number
  /** Every change of an application's view, and every event; for SSE. */
  subscribe(listener: (change: StreamChange) => void): () => void
  /** Everything that NATS and the state directory hold, as one archive; sealed with the keys it contains apart. */
  backup(): AsyncIterable<Uint8Array>
  /** Takes such an archive back; throws RefusedError when it is none, or holds other keys and `force` does not say so. Returns what it did. */
  restore(archive: Uint8Array, options: { readonly force: boolean }): Promise<{ readonly message: string }>
  /** Each part and whether it is well: git, nats, store, lease, nodes. */
  readiness(): readonly { readonly part: string; readonly ok: boolean; readonly message: string }[]
}

export type StreamChange =
  | { readonly type: 'application'; readonly view: ApplicationView }
  /** Its newest commit is another, and nothing else. `view`: null once it is gone. */
  | { readonly type: 'noted'; readonly name: string; readonly view: () => ApplicationView | null }
  | { readonly type: 'removed'; readonly name: string }
  | { readonly type: 'event'; readonly event: EventView }
  | { readonly type: 'node'; readonly view: NodeView }

/** What a caller did wrong; becomes 4xx problem+json. */
export class RefusedError extends Error {
  override name = 'RefusedError'
  readonly status: 400 | 401 | 403 | 404 | 409 | 412 | 422 | 428 | 429 | 503
  readonly code: string
  readonly errors: readonly { readonly pointer: string; readonly message: string }[]
  constructor(status: RefusedError['status'], code: string, message: string, errors: RefusedError['errors'] = []) {
    super(message)
    this.status = status
    this.code = code
    this.errors = errors
  }
}
