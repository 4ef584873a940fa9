// One commit rendered: immutable, known by the hash of its content. And the candidate: a release, or why there is none.
import type { Manifest } from '../runtime/contract/manifest.js'

export type CommitSha = string & { readonly __brand: 'CommitSha' }
export type TreeId = string & { readonly __brand: 'TreeId' }
/** `rel-` and 16 hex digits of the salted content hash. */
export type ReleaseId = string & { readonly __brand: 'ReleaseId' }

export interface Revision {
  readonly commit: CommitSha
  readonly subject: string
  readonly author: string
  /** RFC 3339; committer time, the nearest thing to "pushed" that Git keeps. */
  readonly committedAt: string
  /** When this controller first saw it as the tip, ms since 1970. */
  readonly seenAt: number
  /** When a webhook announced it, ms since 1970; 0 where the poll found it. */
  readonly pushedAt: number
}

export interface Release {
  readonly id: ReleaseId
  /** What is applied, namespaces filled in, in no particular order (sync.ts orders). Hooks are among them. */
  readonly objects: readonly Manifest[]
  /** Where each object came from, by refKey: `templates/web.hbs:3`. Not part of the id. */
  readonly origins: Readonly<Record<string, string>>
  /** Image references that its pods name. */
  readonly images: readonly string[]
  /** Tree id of the application's path; not part of the id. For writing a rollback to Git. */
  readonly tree: TreeId
}

/** Why there is no release: the thing, the fact, where, and what to do. */
export interface Rejection {
  /** CamelCase: `TemplateError`, `InvalidManifest`, `MissingValueFile`, `EmptyRender`, `SharedObject`, `PathNotFound`, `RevisionNotFound`, `RepositoryUnreachable`, `Unauthenticated`. */
  readonly reason: string
  /** `templates/web.hbs:12:9: undefined value image.tga (did you mean image.tag?)`. */
  readonly message: string
  /** The excerpt with a caret, where there is one; '' otherwise. */
  readonly excerpt: string
  /** Caused by the network: looked at again by itself with back-off, even if no input changes. */
  readonly transient: boolean
}

export type Candidate =
  | { readonly kind: 'release'; readonly revision: Revision; readonly release: Release; readonly stale: Stale | null }
  | {
      readonly kind: 'rejection'
      readonly revision: Revision | null
      readonly rejection: Rejection
      readonly stale: Stale | null
    }

/** Git could not be asked since then; the candidate is the last one known. */
export interface Stale {
  readonly since: number
  readonly message: string
}
