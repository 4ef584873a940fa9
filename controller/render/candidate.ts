// A revision's tree to a candidate: which files, through the pool, made whole, named by content. What was made of a tree is kept by its id.
import { LRUCache } from 'lru-cache'
import {
  isChart,
  isCore,
  isManifest,
  manifestPaths,
  RenderFault,
  readsFiles,
  type RenderOptions,
  valueFilePath,
} from '../../renderer/index.js'
import { contentHash } from '../../runtime/contract/hash.js'
import type { Application } from '../application.js'
import {
  type Candidate,
  type GitTree,
  imagesOf,
  type Rejection,
  type Release,
  type Revision,
  releaseIdOf,
  type TreeEntry,
} from '../release.js'
import type { Ledger } from '../ledger.js'
import type { Uses } from '../sticky.js'
import { findsSame, type LiveObject } from '../sticky/lookup.js'
import type { RenderPool } from './pool.js'
import { type Around, renderRounds } from './rounds.js'

export interface CandidateRequest {
  readonly application: Application
  readonly revision: Revision
  readonly tree: GitTree
  /** Of the application: its salt, for release ids of two applications never meet, and what it keeps of earlier renders. */
  readonly ledger: Ledger
  /** What is at the place: for `lookup`, and for what is taken over. */
  readonly live: () => readonly LiveObject[]
}

export interface Candidates {
  /** Throws where Git could not be read, or on abort. Everything that is wrong with the files is a rejection. */
  candidateOf(request: CandidateRequest, signal: AbortSignal): Promise<Candidate>
  /** How many candidates were answered from what is kept, and how many were rendered. */
  readonly counts: { readonly kept: number; readonly rendered: number }
}

/** Bytes of all files of one render. */
const mostBytes = 32_000_000
/** How long a render that had to be ended is not tried again: it may take the only child for its whole time, ms. */
const killedMs = 60_000
/** What templates see as `Capabilities` where the place does not say. */
const capabilities = { kubeVersion: 'v1.31.0', apiVersions: [] }

type Outcome = ({ readonly release: Release } | { readonly rejection: Rejection }) & { readonly uses: Uses }

const nothingUsed: Uses = { sticky: {}, lookups: {}, own: [] }

export function makeCandidates(pool: RenderPool, now: () => number = Date.now): Candidates {
  const kept = new LRUCache<string, Outcome>({ max: 500, maxSize: 32_000_000, sizeCalculation: sizeOf })
  const asked = new LRUCache<string, readonly string[]>({ max: 500 })
  const counts = { kept: 0, rendered: 0 }
  return {
    counts,
    async candidateOf(request, signal) {
      const valueFiles = await valueFilesOf(request).catch(faultOf)
      if ('rejection' in valueFiles) return candidate(request, { ...valueFiles, uses: nothingUsed })
      const key = contentHash(
        [
          request.ledger.salt,
          request.tree.contentId ?? request.tree.treeId,
          request.application.source.path,
          shapeOf(request.application),
          valueFiles.found.map(file => file.entry?.oid ?? null),
        ],
        64,
      )
      const known = kept.get(key)
      if (known !== undefined && findsSame(known.uses, request.ledger.sticky, request.live)) {
        counts.kept++
        return candidate(request, known)
      }
      counts.rendered++
      const { name } = request.application
      const around = { ledger: request.ledger, live: request.live, asked: asked.get(name) ?? [], now: now() }
      const outcome = await outcomeOf(request, valueFiles.found, around, pool, signal)
      asked.set(name, Object.keys(outcome.uses.lookups))
      kept.set(key, outcome, 'rejection' in outcome && outcome.rejection.transient ? { ttl: killedMs } : {})
      return candidate(request, outcome)
    },
  }
}

function sizeOf(outcome: Outcome): number {
  return JSON.stringify(outcome).length
}

/** `allowEmpty` is policy, not content: it is asked each time. */
function candidate({ application, revision }: CandidateRequest, outcome: Outcome): Candidate {
  const { uses } = outcome
  if ('rejection' in outcome) return { kind: 'rejection', revision, rejection: outcome.rejection, stale: null, uses }
  if (outcome.release.objects.length > 0 || application.sync.allowEmpty)
    return { kind: 'release', revision, release: outcome.release, stale: null, uses }
  const where = application.source.path === '.' ? 'the repository' : application.source.path
  const message = `${where} renders to no objects; nothing is pruned for that. Allow it with syncPolicy.automated.allowEmpty, or look at path and directory.include`
  return { kind: 'rejection', revision, rejection: rejected('EmptyRender', message), stale: null }
}

function rejected(reason: string, message: string, excerpt = '', transient = false): Rejection {
  return { reason, message, excerpt, transient }
}

function faultOf(cause: unknown): { readonly rejection: Rejection } {
  if (!(cause instanceof RenderFault)) throw cause
  return { rejection: rejected(cause.reason, cause.message, cause.excerpt) }
}

/** Everything declared that shapes what is rendered. */
function shapeOf({ name, source, destination }: Application): unknown {
  return [name, source.directory, source.chart, destination.namespace]
}

interface ValueFile {
  readonly name: string
  readonly entry: { readonly oid: string } | null
}

async function valueFilesOf({ application, tree }: CandidateRequest): Promise<{ readonly found: readonly ValueFile[] }> {
  const found = await Promise.all(
    application.source.chart.valueFiles.map(async name => {
      const entry = await tree.resolve(valueFilePath(application.source.path, name))
      return { name, entry }
    }),
  )
  return { found }
}

function refusal(what: string, kind: TreeEntry['kind']): RenderFault {
  return new RenderFault(
    'RefusedFile',
    `${what} is a ${kind === 'symlink' ? 'symlink' : 'submodule'}; only ordinary files of the commit are read. Replace it with a copy`,
  )
}

async function outcomeOf(
  request: CandidateRequest,
  valueFiles: readonly ValueFile[],
  around: Around,
  pool: RenderPool,
  signal: AbortSignal,
): Promise<Outcome> {
  const { application, tree } = request
  try {
    const reader = new Reader(tree, signal)
    const files = await filesOf(application, await tree.list(), reader)
    const given = await Promise.all(
      valueFiles.map(async ({ name, entry }) => ({ name, bytes: entry === null ? null : await reader.bytes(name, entry.oid) })),
    )
    const job = { files, options: optionsOf(application, given), namespace: application.destination.namespace }
    const result = await renderRounds(job, around, pool, signal)
    if ('killed' in result) return { rejection: killed(result.killed), uses: nothingUsed }
    const { uses } = result
    if (result.completed === undefined) return { rejection: result.rejection, uses }
    return { release: releaseOf(result.completed, request), uses }
  } catch (cause) {
    return { ...faultOf(cause), uses: nothingUsed }
  }
}

function killed(what: string): Rejection {
  const message = `rendering ${what} and was ended; is there a loop without end? Tried again after ${killedMs / 1000} s`
  return rejected('RenderKilled', message, '', true)
}

function releaseOf(
  { objects, origins }: { objects: Release['objects']; origins: Release['origins'] },
  { ledger, tree }: CandidateRequest,
): Release {
  return { id: releaseIdOf(ledger.salt, objects), objects, origins, images: imagesOf(objects), tree: tree.treeId }
}

function optionsOf({ name, source, destination }: Application, valueFiles: RenderOptions['valueFiles']): RenderOptions {
  const { releaseName, ignoreMissingValueFiles, values, parameters } = source.chart
  return {
    directory: source.directory,
    release: {
      name: releaseName === '' ? name : releaseName,
      namespace: destination.namespace === '' ? 'default' : destination.namespace,
    },
    capabilities,
    valueFiles,
    ignoreMissingValueFiles,
    values,
    parameters,
  }
}

/** A chart's other files are read only where a template asks for files. */
async function filesOf(application: Application, entries: readonly TreeEntry[], reader: Reader): Promise<[string, Uint8Array][]> {
  const paths = entries.map(entry => entry.path)
  if (!isChart(paths)) {
    for (const entry of entries)
      if (entry.kind !== 'blob' && couldHold(entry.path, application)) throw refusal(entry.path, entry.kind)
    const wanted = new Set(manifestPaths(paths, application.source.directory))
    return reader.all(entries.filter(entry => wanted.has(entry.path)))
  }
  for (const entry of entries) if (entry.kind !== 'blob') throw refusal(entry.path, entry.kind)
  const core = await reader.all(entries.filter(entry => isCore(entry.path)))
  const others = entries.filter(entry => !isCore(entry.path))
  const asksForFiles = core.some(([path, bytes]) => {
    const text = (): string => Buffer.from(bytes).toString('latin1')
    return path.endsWith('.hbs') ? /files\./i.test(text()) : readsFiles(path, text())
  })
  if (asksForFiles) return [...core, ...(await reader.all(others))]
  return [...core, ...others.map(({ path }): [string, Uint8Array] => [path, new Uint8Array()])]
}

/** A link or submodule that stands where a manifest, or a folder of manifests, would be read. */
function couldHold(path: string, { source }: Application): boolean {
  if (isManifest(path)) return manifestPaths([path], source.directory).length > 0
  return source.directory.recurse && !/(^|\/)\./.test(path) && !/\.[A-Za-z0-9]+$/.test(path)
}

class Reader {
  readonly #tree: GitTree
  readonly #signal: AbortSignal
  #total = 0
  constructor(tree: GitTree, signal: AbortSignal) {
    this.#tree = tree
    this.#signal = signal
  }

  async bytes(path: string, oid: string): Promise<Uint8Array> {
    this.#signal.throwIfAborted()
    const bytes = await this.#tree.read(oid)
    this.#total += bytes.length
    if (this.#total > mostBytes)
      throw new RenderFault('LimitExceeded', `${path}: the files of one application may have ${mostBytes} bytes together`)
    return bytes
  }

  async all(entries: readonly TreeEntry[]): Promise<[string, Uint8Array][]> {
    const read: [string, Uint8Array][] = []
    for (let at = 0; at < entries.length; at += 16)
      read.push(
        ...(await Promise.all(
          entries
            .slice(at, at + 16)
            .map(async ({ path, oid }): Promise<[string, Uint8Array]> => [path, await this.bytes(path, oid)]),
        )),
      )
    return read
  }
}
