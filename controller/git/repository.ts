// One bare repository on our disk, the copy of one remote: refs, objects, and a bounded memory of what was read. Does not know
// the remote; a transport fills it. Everything in it can be fetched again.
import * as fs from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import git from 'isomorphic-git'
import { LRUCache } from 'lru-cache'
import { SourceError } from './errors.js'
import { type Objects, parseTree, type TreeEntry } from './tree.js'

// Bounded by size, not by number: a cache with a `max` takes room for so many at once, 400 kB a repository.
const blobMemoryBytes = 32 << 20
const treeMemoryEntries = 200_000
const maxBlobBytes = 16 << 20
/** Packs are held by the library's cache while it lives: it is let go when nothing was read for this long. */
const packMemoryMs = 3_000

export interface CommitFacts {
  readonly tree: string
  readonly subject: string
  readonly author: string
  /** RFC 3339. */
  readonly committedAt: string
  readonly parents: readonly string[]
}

export class Repository implements Objects {
  readonly gitdir: string
  readonly shown: string
  /** Something in it could not be read although it should be there: thrown away at the next poll. */
  damaged = false
  #cache: object = {}
  #letGo: NodeJS.Timeout | null = null
  #queue: Promise<unknown> = Promise.resolve()
  readonly #blobs = new LRUCache<string, Uint8Array>({ maxSize: blobMemoryBytes, sizeCalculation: blob => blob.byteLength + 64 })
  readonly #trees = new LRUCache<string, readonly TreeEntry[]>({
    maxSize: treeMemoryEntries,
    sizeCalculation: tree => tree.length + 1,
  })
  readonly #commits = new LRUCache<string, CommitFacts>({ maxSize: 500, sizeCalculation: () => 1 })

  constructor(gitdir: string, shown: string) {
    this.gitdir = gitdir
    this.shown = shown
  }

  /** One writer at a time: isomorphic-git's own locks do not hold. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work, work)
    this.#queue = turn.catch(() => {})
    return turn
  }

  /** Asked at each poll: one that lies in a file of its own is read at once, in a tenth of the time. */
  async ref(name: string): Promise<string | null> {
    const loose = looseRef(this.gitdir, name)
    return loose !== null ? loose : git.resolveRef({ fs, gitdir: this.gitdir, ref: name }).catch(() => null)
  }

  async setRef(name: string, oid: string): Promise<void> {
    await git.writeRef({ fs, gitdir: this.gitdir, ref: name, value: oid, force: true })
  }

  async deleteRef(name: string): Promise<void> {
    await git.deleteRef({ fs, gitdir: this.gitdir, ref: name })
  }

  /** Full names of the branches, tags and hashes that are followed here. */
  async followed(): Promise<readonly string[]> {
    const [heads, tags, hashes] = await Promise.all(
      ['refs/heads', 'refs/tags', 'refs/slipway/commits'].map(async folder => {
        const names = await git.listRefs({ fs, gitdir: this.gitdir, filepath: folder }).catch(() => [])
        return names.map(name => `${folder}/${name}`)
      }),
    )
    return [...(heads ?? []), ...(tags ?? []), ...(hashes ?? [])]
  }

  async packs(): Promise<number> {
    const names = await readdir(join(this.gitdir, 'objects/pack')).catch(() => [])
    return names.filter(name => name.endsWith('.pack')).length
  }

  async has(oid: string): Promise<boolean> {
    return this.commit(oid).then(
      () => true,
      () => false,
    )
  }

  async tree(oid: string): Promise<readonly TreeEntry[]> {
    const known = this.#trees.get(oid)
    if (known !== undefined) return known
    const entries = parseTree(await this.#object(oid, 'tree'))
    this.#trees.set(oid, entries)
    return entries
  }

  async blob(oid: string): Promise<Uint8Array> {
    const known = this.#blobs.get(oid)
    if (known !== undefined) return known
    const blob = await this.#object(oid, 'blob')
    if (blob.byteLength > maxBlobBytes) {
      throw new SourceError(
        'RepositoryTooLarge',
        `a file of ${Math.round(blob.byteLength / 1_048_576)} MB in ${this.shown} is too large to render (limit 16 MB)`,
      )
    }
    this.#blobs.set(oid, blob)
    return blob
  }

  async commit(oid: string): Promise<CommitFacts> {
    const known = this.#commits.get(oid)
    if (known !== undefined) return known
    const facts = parseCommit(await this.#object(oid, 'commit'))
    this.#commits.set(oid, facts)
    return facts
  }

  /** From a tag to the commit that it means in the end. */
  async peel(oid: string): Promise<string> {
    for (let hops = 0, at = oid; hops < 8; hops++) {
      const { type, object } = await this.#read(at, false)
      if (type === 'commit') return at
      const next = type === 'tag' ? /^object ([0-9a-f]{40})/.exec(Buffer.from(object).toString('latin1', 0, 64))?.[1] : undefined
      if (next === undefined) break
      at = next
    }
    throw new SourceError(
      'RevisionNotFound',
      `the revision in ${this.shown} does not lead to a commit: name a branch, a tag of a commit, or a commit`,
    )
  }

  /** Whether a tree and all below it are here. Looks only; says nothing of damage. */
  async holds(oid: string): Promise<boolean> {
    const found = await git.readObject({ fs, gitdir: this.gitdir, oid, format: 'content', cache: this.#cache }).catch(() => null)
    if (found === null || found.type !== 'tree') return found !== null
    const below = parseTree(found.object as Uint8Array).filter(({ kind }) => kind !== 'submodule')
    for (const entry of below) if (!(await this.holds(entry.oid))) return false
    return true
  }

  /** After what lies on disk was replaced. */
  forget(): void {
    this.#cache = {}
    this.#blobs.clear()
    this.#trees.clear()
    this.#commits.clear()
  }

  async #object(oid: string, type: 'blob' | 'tree' | 'commit'): Promise<Uint8Array> {
    const read = await this.#read(oid, type !== 'commit')
    if (read.type !== type) throw new SourceError('ObjectMissing', `${oid} in ${this.shown} is a ${read.type}, not a ${type}`)
    return read.object
  }

  /** `promised`: something here names it, so that its absence is damage. */
  async #read(oid: string, promised: boolean): Promise<{ type: string; object: Uint8Array }> {
    this.#hold()
    try {
      const read = await git.readObject({ fs, gitdir: this.gitdir, oid, format: 'content', cache: this.#cache })
      return { type: read.type, object: read.object as Uint8Array }
    } catch (error) {
      if (promised || (error as { code?: string }).code !== 'NotFoundError') this.damaged = true
      throw new SourceError(
        'ObjectMissing',
        `${oid.slice(0, 7)} of ${this.shown} is not in our copy of it; it is fetched again by itself`,
        true,
      )
    }
  }

  #hold(): void {
    if (this.#letGo !== null) this.#letGo.refresh()
    else {
      this.#letGo = setTimeout(() => {
        this.#cache = {}
        this.#letGo = null
      }, packMemoryMs).unref()
    }
  }
}

function looseRef(gitdir: string, name: string): string | null {
  if (!name.startsWith('refs/') || name.includes('..')) return null
  try {
    return /^[0-9a-f]{40}$/.exec(fs.readFileSync(join(gitdir, name), 'latin1').trim())?.[0] ?? null
  } catch {
    return null
  }
}

/** An empty bare repository at `gitdir`; what lay there before is gone. */
export async function initRepository(gitdir: string, url: string): Promise<void> {
  await rm(gitdir, { recursive: true, force: true })
  await mkdir(dirname(gitdir), { recursive: true, mode: 0o700 })
  await git.init({ fs, gitdir, bare: true, defaultBranch: 'main' })
  await git.addRemote({ fs, gitdir, remote: 'origin', url })
}

/** Puts the repository at `fresh` in the place of the one at `gitdir`. */
export async function replaceRepository(fresh: string, gitdir: string): Promise<void> {
  const old = `${gitdir}.old`
  await rm(old, { recursive: true, force: true })
  await rename(gitdir, old).catch(() => {})
  await rename(fresh, gitdir)
  await rm(old, { recursive: true, force: true })
}

/** A raw commit: headers, a blank line, the message. Read by hand, so that a signed or strange one is no trouble. */
function parseCommit(content: Uint8Array): CommitFacts {
  const text = Buffer.from(content).toString('utf8')
  const blank = text.indexOf('\n\n')
  const head = blank < 0 ? text : text.slice(0, blank)
  const message = blank < 0 ? '' : text.slice(blank + 2)
  const [, , seconds = '0'] = /^committer (.*) (\d+) [+-]\d+$/m.exec(head) ?? []
  return {
    tree: /^tree ([0-9a-f]{40})/.exec(head)?.[1] ?? '',
    subject: plain((message.trimStart().split('\n')[0] ?? '').trim(), 200),
    author: plain(/^author (.*?) *<[^>]*> \d+ [+-]\d+$/m.exec(head)?.[1] ?? '', 100),
    committedAt: new Date(Number(seconds) * 1000).toISOString(),
    parents: [...head.matchAll(/^parent ([0-9a-f]{40})$/gm)].map(match => match[1] ?? ''),
  }
}

/** One line without what a terminal would act on. */
function plain(text: string, length: number): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, ' ').slice(0, length)
}
