// One commit rendered: immutable, known by the hash of its content. And the candidate: a release, or why there is none.
import { contentHash } from '../runtime/contract/hash.js'
import { type Manifest, refKey, refOf } from '../runtime/contract/manifest.js'
import type { Uses } from './sticky.js'

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
  /** What was newest of each source, in their order; missing where there is one only. */
  readonly sources?: readonly CommitSha[]
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
  /** CamelCase: `TemplateError`, `InvalidManifest`, `MissingValueFile`, `InvalidYaml`, `InvalidValues`,
   * `InvalidChart`, `RefusedFile`, `LimitExceeded`, `NotYet`, `RenderKilled`, `EmptyRender`, `SharedObject`, `PathNotFound`, `RevisionNotFound`, `RepositoryUnreachable`, `Unauthenticated`. */
  readonly reason: string
  /** `templates/web.hbs:12:9: undefined value image.tga (did you mean image.tag?)`. */
  readonly message: string
  /** The excerpt with a caret, where there is one; '' otherwise. */
  readonly excerpt: string
  /** Caused by the network: looked at again by itself with back-off, even if no input changes. */
  readonly transient: boolean
}

/** `uses`: what the render took from beside Git; nothing where it is not said. */
export type Candidate =
  | {
      readonly kind: 'release'
      readonly revision: Revision
      readonly release: Release
      readonly stale: Stale | null
      readonly uses?: Uses
      /** What its charts say beside what they render to, one sentence each. */
      readonly warnings?: readonly string[]
    }
  | {
      readonly kind: 'rejection'
      readonly revision: Revision | null
      readonly rejection: Rejection
      readonly stale: Stale | null
      readonly uses?: Uses
    }

/** Git could not be asked since then; the candidate is the last one known. */
export interface Stale {
  readonly since: number
  readonly message: string
}

/** One entry of a Git tree; `path` as the asker names it. Symlinks and submodules are listed so that they can be refused by name. */
export interface TreeEntry {
  readonly path: string
  /** The blob's object id (of a submodule: its commit). */
  readonly oid: string
  readonly kind: 'blob' | 'symlink' | 'submodule'
}

/**
 * An application's path at one commit, read by object id; `controller/git` implements it. Nothing is checked out.
 * Everything under a tree id is immutable, so what was made of one may be kept by that id.
 */
export interface GitTree {
  /** Tree id of the application's path. */
  readonly treeId: TreeId
  /** Where charts from elsewhere stand beside what is in Git: names all of it, as the tree id names what is in Git. */
  readonly contentId?: string
  /** Everything below the application's path, recursively; paths relative to it. */
  list(): Promise<readonly TreeEntry[]>
  /** Every file of the commit, paths from the repository's root; not there where nobody can look. */
  everything?(): Promise<readonly TreeEntry[]>
  /** The bytes of a blob. Throws where it is missing or larger than the reader's limit. */
  read(oid: string): Promise<Uint8Array>
  /**
   * One file by its normalised path from the repository's root (`values/prod.yaml`); null where there is none. Throws an error
   * with a `reason` for a symlink or a submodule.
   */
  resolve(pathFromRepoRoot: string): Promise<{ readonly oid: string } | null>
}

/** The same content gives the same id, whatever its order; two applications' ids never meet, because their salts differ. */
export function releaseIdOf(salt: string, objects: readonly Manifest[]): ReleaseId {
  const sorted = objects.map(object => [refKey(refOf(object)), object] as const).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return `rel-${contentHash([salt, sorted])}` as ReleaseId
}

/** Image references of every pod that the objects describe, init and sidecar containers included; sorted, each once. */
export function imagesOf(objects: readonly Manifest[]): string[] {
  return [...new Set(objects.flatMap(object => containersOf(podSpecOf(object))))].sort()
}

const podKinds = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'ReplicationController', 'Job'])

/** The pod spec that an object carries; undefined where it carries none. */
export function podSpecOf(object: Manifest): unknown {
  if (object.kind === 'Pod') return object.spec
  if (object.kind === 'PodTemplate') return fieldAt(object, ['template', 'spec'])
  if (object.kind === 'CronJob') return fieldAt(object, ['spec', 'jobTemplate', 'spec', 'template', 'spec'])
  return podKinds.has(object.kind) ? fieldAt(object, ['spec', 'template', 'spec']) : undefined
}

function containersOf(podSpec: unknown): string[] {
  return ['initContainers', 'containers'].flatMap(field => {
    const containers = fieldAt(podSpec, [field])
    const images = Array.isArray(containers) ? containers.map(container => fieldAt(container, ['image'])) : []
    return images.filter(image => typeof image === 'string' && image !== '') as string[]
  })
}

function fieldAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[key] : undefined),
    value,
  )
}
