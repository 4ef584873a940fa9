// Commits of remote repositories, kept as bare repositories under the state directory: one a URL, fetched when a ref moved,
// read by object id, never checked out, thrown away and cloned anew whenever in doubt. Knows nothing of applications.
import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { LRUCache } from 'lru-cache'
import type { CommitSha, Revision, TreeId } from '../release.js'
import { SourceError } from './errors.js'
import { openConnections } from './http.js'
import { initRepository, Repository, replaceRepository } from './repository.js'
import {
  type FetchWant,
  httpTransport,
  localTransport,
  type RemoteRef,
  type Transport,
  type TransportLimits,
} from './transport.js'
import { entryAt, type GitTree, gitTree, pathNames } from './tree.js'
import { type CredentialsOf, parseRemote, type Remote } from './url.js'

export interface GitStoreOptions {
  /** Holds nothing that cannot be fetched again. */
  readonly directory: string
  readonly credentialsOf: CredentialsOf
  /** Where `git` is looked for (local paths as remotes only). */
  readonly path?: string
  readonly limits?: Partial<TransportLimits>
}

export type RevisionFacts = Pick<Revision, 'commit' | 'subject' | 'author' | 'committedAt'>

export interface Polled {
  readonly tip: CommitSha
  /** The ref that the revision means: `refs/heads/main`, `refs/tags/v1`; for a full hash the hash. */
  readonly ref: string
}

const defaultLimits: TransportLimits = { listDeadlineMs: 15_000, transferDeadlineMs: 300_000, maxBytes: 1 << 30 }
const maxPacks = 50

interface Place {
  readonly remote: Remote
  readonly transport: Transport
  readonly repository: Repository
}

export class GitStore {
  readonly #options: GitStoreOptions
  readonly #limits: TransportLimits
  readonly #repositories = new Map<string, Repository>()
  readonly #copies = new LRUCache<string, Pick<Place, 'remote' | 'repository'>>({ max: 1_000 })
  readonly #connections = openConnections()

  constructor(options: GitStoreOptions) {
    this.#options = options
    this.#limits = { ...defaultLimits, ...options.limits }
  }

  async close(): Promise<void> {
    this.#connections.close()
  }

  /**
   * The commit that `revision` (a branch, a tag, a full hash, 'HEAD') means now; it is in the store afterwards, with its tree.
   * Throws SourceError; what was known before stays.
   */
  async poll(url: string, revision: string, signal: AbortSignal): Promise<Polled> {
    const place = this.#place(url)
    const hash = /^[0-9a-f]{40}$/.test(revision) ? revision : null
    if (hash !== null) return this.#pollHash(place, hash, signal)
    const found = await findRef(place, revision, signal)
    const meant = found.peeled ?? found.oid
    if ((await isWhole(place.repository, found.ref)) === meant) return { tip: meant as CommitSha, ref: found.ref }
    const tip = await place.repository.exclusively(() => this.#bringUp(place, found, signal))
    return { tip: tip as CommitSha, ref: found.ref }
  }

  /** Makes sure that a commit is here whole, by whatever means the server allows. */
  async ensure(url: string, commit: CommitSha, signal: AbortSignal): Promise<void> {
    await this.#pollHash(this.#place(url), commit, signal)
  }

  async revisionOf(url: string, commit: CommitSha): Promise<RevisionFacts> {
    const { subject, author, committedAt } = await this.#copy(url).repository.commit(commit)
    return { commit, subject, author, committedAt }
  }

  /** Of what is at `path` in a commit that a poll gave, folder or file; null where nothing is. */
  async idAt(url: string, commit: CommitSha, path: string): Promise<string | null> {
    const { repository } = this.#copy(url)
    return (await entryAt(repository, (await repository.commit(commit)).tree, pathNames(path)))?.oid ?? null
  }

  /** The files under `path` ('' and '.' are the root) in a commit that a poll gave. Throws `PathNotFound`, `SuspiciousName`. */
  async treeAt(url: string, commit: CommitSha, path: string): Promise<GitTree> {
    const { repository, remote } = this.#copy(url)
    const names = pathNames(path)
    const root = (await repository.commit(commit)).tree
    const entry = await entryAt(repository, root, names)
    const where = `${remote.shown} at ${commit.slice(0, 7)}`
    if (entry === null)
      throw new SourceError('PathNotFound', `path ${names.join('/')} is not in ${where}: check spec.source.path`)
    if (entry.kind !== 'tree')
      throw new SourceError(
        'PathNotFound',
        `path ${names.join('/')} in ${where} is a ${entry.kind}, not a folder: check spec.source.path`,
      )
    return gitTree(repository, root, entry.oid as TreeId, where)
  }

  /** For writing to a repository (revert.ts): its copy and the way to its remote. */
  placeOf(url: string): Place {
    return this.#place(url)
  }

  #place(url: string): Place {
    const remote = parseRemote(url, this.#options.credentialsOf)
    const path = this.#options.path ?? '/usr/local/bin:/usr/bin:/bin'
    const transport =
      remote.kind === 'http' ? httpTransport(remote, this.#connections, this.#limits) : localTransport(remote, path, this.#limits)
    return { remote, transport, repository: this.#repository(remote) }
  }

  /** For those who only read, a thousand times for one commit. */
  #copy(url: string): Pick<Place, 'remote' | 'repository'> {
    const known = this.#copies.get(url)
    if (known !== undefined) return known
    const { remote, repository } = this.#place(url)
    const copy = { remote, repository }
    this.#copies.set(url, copy)
    return copy
  }

  #repository(remote: Remote): Repository {
    const name = createHash('sha256').update(remote.url).digest('hex').slice(0, 24)
    const known = this.#repositories.get(name)
    if (known !== undefined) return known
    const repository = new Repository(join(this.#options.directory, `${name}.git`), remote.shown)
    this.#repositories.set(name, repository)
    return repository
  }

  async #pollHash(place: Place, hash: string, signal: AbortSignal): Promise<Polled> {
    const { repository } = place
    const ref = `refs/slipway/commits/${hash}`
    if (!repository.damaged && (await isWhole(repository, ref)) === hash) return { tip: hash as CommitSha, ref: hash }
    await repository.exclusively(async () => {
      await this.#open(place, signal)
      await fetchHash(place, hash, signal)
      await settle(repository, ref, hash)
    })
    return { tip: hash as CommitSha, ref: hash }
  }

  /** In its turn: fetches `ref` and moves our own ref once the commit and its tree are known to be here. */
  async #bringUp(place: Place, found: RemoteRef, signal: AbortSignal): Promise<string> {
    const { repository } = place
    const { ref } = found
    const meant = found.peeled ?? found.oid
    if ((await isWhole(repository, ref)) === meant) return meant
    await this.#open(place, signal)
    const haveRef = (await repository.ref(ref)) === null ? null : ref
    return settle(repository, ref, await fetchRef(place, { what: ref, oid: found.oid, haveRef }, signal))
  }

  /** A usable copy: made where there is none, made anew where it is damaged or has too many packs. */
  async #open(place: Place, signal: AbortSignal): Promise<void> {
    const { repository, remote } = place
    if ((await repository.ref('HEAD')) === null && (await repository.followed()).length === 0)
      await initRepository(repository.gitdir, remote.url)
    if (repository.damaged || (await repository.packs()) > maxPacks) await this.#cloneAnew(place, signal)
  }

  /** Clones what is followed into a directory beside, then renames: a clone that fails leaves the old one in place. */
  async #cloneAnew(place: Place, signal: AbortSignal): Promise<void> {
    const { repository, remote } = place
    const fresh = new Repository(`${repository.gitdir}.new`, repository.shown)
    try {
      await initRepository(fresh.gitdir, remote.url)
      for (const ref of await repository.followed()) await followAnew({ ...place, repository: fresh }, ref, signal)
      await replaceRepository(fresh.gitdir, repository.gitdir)
      repository.forget()
      repository.damaged = false
    } finally {
      await rm(fresh.gitdir, { recursive: true, force: true })
    }
  }
}

/** The newest of one ref; one that is gone from the remote is not followed any longer. */
async function followAnew(place: Place, ref: string, signal: AbortSignal): Promise<void> {
  try {
    const hash = /^refs\/slipway\/commits\/([0-9a-f]{40})$/.exec(ref)?.[1]
    if (hash !== undefined) {
      await fetchHash(place, hash, signal)
      await settle(place.repository, ref, hash)
      return
    }
    const found = (await place.transport.refs(ref, signal)).find(each => each.ref === ref)
    if (found !== undefined)
      await settle(place.repository, ref, await fetchRef(place, { what: ref, oid: found.oid, haveRef: null }, signal))
  } catch (error) {
    if (!(error instanceof SourceError) || error.transient || error.reason === 'Unauthenticated') throw error
  }
}

async function fetchRef({ transport, repository }: Place, want: FetchWant, signal: AbortSignal): Promise<string> {
  try {
    return await repository.peel(await transport.fetch(repository.gitdir, want, signal))
  } catch (error) {
    if ((error as SourceError).reason === 'ObjectMissing') repository.damaged = true
    throw error
  }
}

/** By its hash where the server allows it, else with the whole history of everything that is followed or HEAD. */
async function fetchHash(place: Place, hash: string, signal: AbortSignal): Promise<void> {
  const { transport, repository, remote } = place
  if (await fetchDirectly(place, hash, signal)) return
  const refs = (await transport.refs('refs/heads/', signal)).concat(await transport.refs('refs/tags/', signal))
  for (const { ref } of refs) {
    await transport.fetchHistory(repository.gitdir, ref, signal)
    if (await repository.has(hash)) return
  }
  throw new SourceError('RevisionNotFound', `${hash} is not in ${remote.shown}: check spec.source.targetRevision`)
}

async function fetchDirectly({ transport, repository }: Place, hash: string, signal: AbortSignal): Promise<boolean> {
  try {
    await transport.fetch(repository.gitdir, { what: hash, oid: hash, haveRef: null }, signal)
    return await repository.has(hash)
  } catch (error) {
    if (!(error instanceof SourceError) || error.reason === 'Unauthenticated' || error.reason === 'RepositoryNotFound')
      throw error
    return false
  }
}

/** What our ref points at, if the commit and its root tree can be read; else null. */
async function isWhole(repository: Repository, ref: string): Promise<string | null> {
  if (repository.damaged) return null
  const oid = await repository.ref(ref)
  if (oid === null) return null
  return verify(repository, oid).then(
    () => oid,
    () => {
      repository.damaged = true
      return null
    },
  )
}

async function verify(repository: Repository, oid: string): Promise<void> {
  await repository.tree((await repository.commit(oid)).tree)
}

/** Moves the ref only after the commit and its tree were read: a server may announce what it does not send. */
async function settle(repository: Repository, ref: string, oid: string): Promise<string> {
  await verify(repository, oid)
  await repository.setRef(ref, oid)
  return oid
}

async function findRef(place: Place, revision: string, signal: AbortSignal): Promise<RemoteRef> {
  const { transport, remote } = place
  if (/[\u0000-\u0020\u007f~^:?*[\\]|\.\.|^-/.test(revision)) {
    throw new SourceError(
      'InvalidSource',
      `${JSON.stringify(revision)} is no revision: name a branch, a tag, a full commit hash or HEAD`,
    )
  }
  if (revision === 'HEAD' || revision === '') return findHead(place, signal)
  const names = revision.startsWith('refs/') ? [revision] : [`refs/heads/${revision}`, `refs/tags/${revision}`]
  for (const name of names) {
    const found = (await transport.refs(name, signal)).find(({ ref }) => ref === name)
    if (found !== undefined) return found
  }
  throw new SourceError('RevisionNotFound', await missing(revision, remote.shown, transport, signal))
}

async function findHead({ transport, remote }: Place, signal: AbortSignal): Promise<RemoteRef> {
  const head = (await transport.refs('HEAD', signal)).find(({ ref }) => ref === 'HEAD')
  if (head === undefined) throw new SourceError('RevisionNotFound', await missing('HEAD', remote.shown, transport, signal))
  return { ...head, ref: head.target ?? 'HEAD' }
}

async function missing(revision: string, shown: string, transport: Transport, signal: AbortSignal): Promise<string> {
  const branches = (await transport.refs('refs/heads/', signal)).map(({ ref }) => ref.slice('refs/heads/'.length))
  if (branches.length === 0) return `${shown} is empty: push a first commit`
  if (/^[0-9a-f]{7,39}$/.test(revision))
    return `${shown} has no branch or tag "${revision}": a commit is named by all 40 digits of its hash`
  const some = branches.slice(0, 5).join(', ') + (branches.length > 5 ? ', ...' : '')
  return `${shown} has no branch or tag "${revision}" (it has ${some}): push it, or change spec.source.targetRevision`
}
