// From an application to its candidate: the tip that the poll knows, its tree, its render; and what speaks against it among the
// other applications. Git and renderer come in as arguments; a pass never waits for the network.
import { type Manifest, refKey, refOf, refText } from '../runtime/contract/manifest.js'
import { trackedRef } from './application/tracked.js'
import {
  type Application,
  type Declared,
  isApplication,
  type KustomizeOptions,
  parseApplication,
  type Source,
} from './application.js'
import { faultsText } from './fields.js'
import { type At, type IdAt, leadsToTheSame, type Trace, type Tracing, type TreeAt, traced, tracesAt } from './footprint.js'
import type { Ledger } from './ledger.js'
import type { Candidate, CommitSha, GitTree, Rejection, Release, Revision, Stale } from './release.js'
import { applicationFor, ledgerFor, lending, together } from './several.js'
import { findsSame, type Look } from './sticky/lookup.js'
import type { Sticky } from './sticky.js'

/** What is known of one (repository, ref), as controller/git has it. Times are ms since 1970; 0 for never. */
export interface Tip {
  readonly tip: CommitSha | null
  readonly seenAt: number
  readonly pushedAt: number
  readonly staleSince: number
  readonly error: { readonly reason: string; readonly message: string; readonly transient: boolean } | null
}

export interface SourcesOptions {
  readonly tip: (url: string, ref: string) => Tip | null
  readonly revisionOf: (
    url: string,
    commit: CommitSha,
  ) => Promise<Pick<Revision, 'commit' | 'subject' | 'author' | 'committedAt'>>
  /** Throws an error with a `reason` where the path cannot be read. */
  readonly treeAt: TreeAt
  /** Of what is at the path of a commit, without reading it; null where nothing is. */
  readonly idAt: IdAt
  /**
   * The tree with the charts that it depends on, and what the application keeps of them. Throws an error with a `reason` where one of
   * them is not at hand.
   */
  readonly withCharts: (asked: AskedCharts, signal: AbortSignal) => Promise<{ readonly tree: GitTree; readonly kept: Sticky }>
  /** What kustomize makes of a folder; null where it is none for it. Throws an error with a `reason`. */
  readonly withKustomize: (asked: AskedKustomize, signal: AbortSignal) => Promise<GitTree | null>
  readonly candidateOf: (
    request: {
      readonly application: Application
      readonly revision: Revision
      readonly tree: GitTree
      readonly ledger: Ledger
      readonly live: Look
    },
    signal: AbortSignal,
  ) => Promise<Candidate>
  /** The same where nothing has to be rendered for it; else null. */
  readonly keptOf: (request: Parameters<SourcesOptions['candidateOf']>[0]) => Promise<Candidate | null>
  /** The application that runs this object at the place, if it is another. */
  readonly ownerOf: (place: string, key: string, except: string) => string | null
  readonly declared: Declared
  /** What its projects speak against, of the application and of what it renders to. */
  readonly notPermitted: (app: Application, release: Release | null) => Rejection | null
  /** What they speak against a child; '' where they do not. */
  readonly childNotPermitted: (parent: Application, child: Application) => string
  /** What is at the application's place, others' objects among it. */
  readonly live: (app: Application, ...wanted: Parameters<Look>) => ReturnType<Look>
  /** This very manifest is declared: accepted once, it is not refused now. */
  readonly isDeclared: (child: Manifest) => boolean
}

export interface AskedCharts {
  readonly tree: GitTree
  /** From the repository's root. */
  readonly path: string
  /** Another folder of the same commit; null where there is none. */
  readonly treeAt: (path: string) => Promise<GitTree | null>
  /** The ledger's. */
  readonly sticky: Sticky
  /** The application to wake when a chart has come. */
  readonly owner: string
  /** Credentials of chart repositories also go to other hosts that their indexes name. */
  readonly passes?: boolean
}

export interface AskedKustomize extends Pick<AskedCharts, 'tree' | 'path' | 'treeAt'> {
  readonly options: KustomizeOptions | null
  /** What Argo CD has in a build's environment. */
  readonly env: Readonly<Record<string, string>>
}

/** A source with the newest commit that is known of it. */
interface Tipped {
  readonly source: Source
  readonly tip: Tip & { readonly tip: CommitSha }
}

interface Known {
  readonly app: Application
  /** Of each source. */
  readonly tips: readonly At[]
  readonly salt: string
  readonly candidate: Candidate
  /** What of Git went into it; null where that is not known by name. */
  readonly traces: readonly Trace[] | null
}

export interface Sources {
  candidate(app: Application, ledger: Ledger, signal: AbortSignal): Promise<Candidate | null>
  /** The same where it is known without a render; null where it is not. */
  kept(app: Application, ledger: Ledger, signal: AbortSignal): Promise<Candidate | null>
  /** The newest commits hold something else than what it was last rendered from, or it is not known that they do not. */
  isMoved(app: Application): Promise<boolean>
  forget(name: string): void
  /** Applications whose newest render asked what is at its place. */
  lookingUp(): Iterable<string>
}

export function createSources(options: SourcesOptions): Sources {
  const known = new Map<string, Known>()
  const looking = new Set<string>()

  /** Of a declaration as it was, with tips as they were or with the same in them as far as it was read. */
  async function isSame(before: Known, app: Application, tips: readonly At[]): Promise<boolean> {
    if (before.app !== app) return false
    if (areSame(tips, before.tips) || before.candidate.kind !== 'release') return areSame(tips, before.tips)
    return leadsToTheSame(before.traces, before.tips, tips, options.idAt)
  }

  /** The same content and declaration give the same candidate: nothing is read again. A render that may go otherwise next time is. */
  async function rendered(
    app: Application,
    tipped: readonly Tipped[],
    ledger: Ledger,
    make: Make,
    signal: AbortSignal,
  ): Promise<Candidate | null> {
    const before = known.get(app.name)
    const { salt } = ledger
    const live: Look = wanted => options.live(app, wanted)
    const tips = tipped.map(({ source, tip }) => ({ url: source.repoURL, commit: tip.tip }))
    if (
      before !== undefined &&
      before.salt === salt &&
      !isTransient(before.candidate) &&
      (await isSame(before, app, tips)) &&
      (before.candidate.uses === undefined || (await findsSame(before.candidate.uses, ledger.sticky, live).catch(asBefore)))
    )
      return newest(before, tips, tipped)
    const tracing = traced(options.treeAt)
    const candidate = await read(app, tipped, ledger, live, make, tracing, signal)
    if (candidate === null) return null
    known.set(app.name, { app, tips, salt, candidate, traces: tracing.traces() })
    if (Object.keys(candidate.uses?.lookups ?? {}).length > 0) looking.add(app.name)
    else looking.delete(app.name)
    return candidate
  }

  /** What is known, as that of these commits. */
  async function newest(before: Known, tips: readonly At[], tipped: readonly Tipped[]): Promise<Candidate> {
    const { app, candidate } = before
    if (candidate.kind !== 'release' || areSame(tips, before.tips)) return candidate
    const newer = { ...candidate, revision: await revisionOf(app, tipped) }
    known.set(app.name, { ...before, tips, candidate: newer, traces: tracesAt(before.traces, before.tips, tips) })
    return newer
  }

  async function read(
    app: Application,
    tipped: readonly Tipped[],
    ledger: Ledger,
    live: Look,
    make: Make,
    tracing: Tracing,
    signal: AbortSignal,
  ): Promise<Candidate | null> {
    const revision = await revisionOf(app, tipped)
    try {
      const candidate = await made(app, tipped, revision, ledger, live, make, tracing, signal)
      if (candidate === null) return null
      const fault = candidate.kind === 'release' ? childFault(app, candidate.release, options) : null
      return fault === null ? candidate : { ...held(candidate, fault), revision }
    } catch (error) {
      const rejection = rejectionOf(error)
      if (rejection === null) throw error
      if (isCopyDamaged(rejection)) return null
      return { kind: 'rejection', revision, rejection, stale: null }
    }
  }

  /** The commit of what is rendered first; as new as the newest of all. */
  async function revisionOf({ source }: Application, tipped: readonly Tipped[]): Promise<Revision> {
    const { tip } = (tipped.find(one => one.source === source) ?? tipped[0])!.tip
    const seenAt = Math.max(...tipped.map(one => one.tip.seenAt))
    const pushedAt = Math.max(...tipped.map(one => one.tip.pushedAt))
    const each = tipped.length === 1 ? {} : { sources: tipped.map(one => one.tip.tip) }
    return { ...(await options.revisionOf(source.repoURL, tip)), seenAt, pushedAt, ...each }
  }

  async function made(
    app: Application,
    tipped: readonly Tipped[],
    revision: Revision,
    ledger: Ledger,
    live: Look,
    make: Make,
    tracing: Tracing,
    signal: AbortSignal,
  ): Promise<Candidate | null> {
    const refs = new Map(
      tipped.flatMap(({ source, tip }) =>
        source.ref === '' ? [] : [[source.ref, () => tracing.filesAt(source.repoURL, tip.tip, '.')] as const],
      ),
    )
    const candidates: Candidate[] = []
    for (const [at, { source, tip }] of tipped.filter(one => one.source.renders).entries()) {
      const own = ledgerFor(ledger, at)
      const application = applicationFor(app, source)
      const { tree, kept } = await treeOf(application, tip.tip, own, tracing, signal)
      const lent = refs.size === 0 ? tree : lending(tree, refs)
      const one = await make({ application, revision, tree: lent, ledger: own, live }, signal)
      if (one === null) return null
      candidates.push(Object.keys(kept).length === 0 ? one : alsoUsing(one, kept))
    }
    return app.sources.length === 1 ? (candidates[0] ?? null) : together(app, ledger.salt, candidates)
  }

  /** With the charts that it depends on, or as kustomize builds it. */
  async function treeOf(
    { name, project, destination, source }: Application,
    commit: CommitSha,
    { sticky }: Ledger,
    tracing: Tracing,
    signal: AbortSignal,
  ) {
    const { repoURL, path, targetRevision, chartName, kind } = source
    const treeAt = (folder: string) => tracing.treeAt(repoURL, commit, folder)
    const other = (folder: string) => treeAt(folder).catch(absent)
    const tree = await treeAt(path)
    if (chartName === '' && (kind === '' || kind === 'kustomize')) {
      const env = {
        ARGOCD_APP_NAME: name,
        ARGOCD_APP_NAMESPACE: destination.namespace,
        ARGOCD_APP_PROJECT_NAME: project,
        ARGOCD_APP_REVISION: commit,
        ARGOCD_APP_REVISION_SHORT: commit.slice(0, 7),
        ARGOCD_APP_SOURCE_PATH: path,
        ARGOCD_APP_SOURCE_REPO_URL: repoURL,
        ARGOCD_APP_SOURCE_TARGET_REVISION: targetRevision,
      }
      // What it adds may name the commit.
      if (source.kustomize !== null) tracing.blur()
      const built = await options.withKustomize({ tree, path, treeAt: other, options: source.kustomize, env }, signal)
      if (built !== null) return { tree: built, kept: {} }
    }
    const passes = source.chart.passCredentials
    return options.withCharts({ tree, path, treeAt: other, sticky, owner: name, passes }, signal)
  }

  return {
    forget(name) {
      known.delete(name)
      looking.delete(name)
    },
    lookingUp: () => looking,
    async isMoved(app) {
      const before = known.get(app.name)
      const tips = app.sources.flatMap(source => {
        const tip = options.tip(source.repoURL, trackedRef(source))?.tip ?? null
        return tip === null ? [] : [{ url: source.repoURL, commit: tip }]
      })
      return before === undefined || !(await isSame(before, app, tips))
    },
    candidate: (app, ledger, signal) => candidateBy(options.candidateOf, app, ledger, signal),
    kept: (app, ledger, signal) => candidateBy(options.keptOf, app, ledger, signal),
  }

  async function candidateBy(make: Make, app: Application, ledger: Ledger, signal: AbortSignal): Promise<Candidate | null> {
    const unknown = undeclared(app) ?? options.notPermitted(app, null)
    if (unknown !== null) return { kind: 'rejection', revision: null, rejection: unknown, stale: null }
    const tips = app.sources.map(source => ({ source, tip: options.tip(source.repoURL, trackedRef(source)) }))
    const failed = tips.find(({ tip }) => tip !== null && tip.tip === null && tip.error !== null)?.tip
    const staleTip = tips.find(({ tip }) => tip !== null && tip.staleSince !== 0 && tip.error !== null)?.tip
    const stale: Stale | null = staleTip == null ? null : { since: staleTip.staleSince, message: staleTip.error?.message ?? '' }
    if (failed != null && isCopyDamaged(failed.error!)) return null
    if (failed != null) return { kind: 'rejection', revision: null, rejection: neverRead(failed.error!), stale }
    const tipped = tips.filter((one): one is Tipped => one.tip !== null && one.tip.tip !== null)
    if (tipped.length < tips.length) return null
    const candidate = await rendered(app, tipped, ledger, make, signal)
    if (candidate === null) return null
    if (candidate.kind !== 'release') return stale === null ? candidate : { ...candidate, stale }
    const refused = options.notPermitted(app, candidate.release) ?? sharedObject(app, candidate.release, options.ownerOf)
    if (refused !== null) return { ...held(candidate, refused), stale }
    return stale === null ? candidate : { ...candidate, stale }
  }
}

type Make = (request: Parameters<SourcesOptions['candidateOf']>[0], signal: AbortSignal) => Promise<Candidate | null>

function alsoUsing(candidate: Candidate, kept: Sticky): Candidate {
  const { uses } = candidate
  return { ...candidate, uses: { lookups: {}, own: [], ...uses, sticky: { ...uses?.sticky, ...kept } } }
}

/** It rendered: what it was made with is kept all the same, so that it is the same release once nothing is in its way. */
function held({ revision, uses }: Candidate, rejection: Rejection): Candidate {
  return { kind: 'rejection', revision, rejection, stale: null, ...(uses === undefined ? {} : { uses }) }
}

/** Field by field: an Error's message is not among those that a spread copies. */
function neverRead({ reason, message, transient }: NonNullable<Tip['error']>): Rejection {
  return { reason, message, excerpt: '', transient }
}

function areSame(tips: readonly At[], before: readonly At[]): boolean {
  return tips.length === before.length && tips.every((at, index) => at.commit === before[index]?.commit)
}

function isTransient(candidate: Candidate): boolean {
  return candidate.kind === 'rejection' && candidate.rejection.transient
}

/** What of a release is asked at every commit, found once for as long as its objects are kept. */
interface Asked {
  readonly keys: readonly string[]
  readonly children: readonly Manifest[]
}

const asked = new WeakMap<Release['objects'], Asked>()

function askedOf(release: Release): Asked {
  const known = asked.get(release.objects)
  if (known !== undefined) return known
  const keys = release.objects.flatMap(object => (object.kind === 'Namespace' ? [] : [refKey(refOf(object))]))
  const found = { keys, children: release.objects.filter(isApplication) }
  asked.set(release.objects, found)
  return found
}

/** Two applications that claim one object: refused, both named (the one that runs it keeps it). */
function sharedObject(app: Application, release: Release, ownerOf: SourcesOptions['ownerOf']): Rejection | null {
  for (const key of askedOf(release).keys) {
    const owner = ownerOf(app.destination.place, key, app.name)
    if (owner === null) continue
    const object = release.objects.find(one => refKey(refOf(one)) === key) as Manifest
    const where = release.origins[key] ?? ''
    const message = `${where === '' ? '' : `${where}: `}${refText(refOf(object))} belongs to application ${owner}; ${app.name} may not claim it too: remove it from one of the two`
    return { reason: 'SharedObject', message, excerpt: '', transient: false }
  }
  return null
}

/** What it says of what is released, or where, cannot be taken as it was meant: nothing new is, and what runs goes on. */
function undeclared({ faults }: Application): Rejection | null {
  const holding = faults.filter(({ holds }) => holds)
  if (holding.length === 0) return null
  const message = `the declaration is not valid any more: ${faultsText(holding)}; apply it corrected`
  return { reason: 'InvalidDeclaration', message, excerpt: '', transient: false }
}

/** A broken Application among the objects holds its parent, as any other broken object does. */
function childFault(
  app: Application,
  release: Release,
  { declared, isDeclared, childNotPermitted }: Pick<SourcesOptions, 'declared' | 'isDeclared' | 'childNotPermitted'>,
): Rejection | null {
  for (const object of askedOf(release).children) {
    const { application: child, faults } = parseApplication(object, declared)
    const where = release.origins[refKey(refOf(object))] ?? `Application ${object.metadata.name}`
    const [first] = isDeclared(object) ? [] : faults
    const message =
      first !== undefined ? `${first.pointer}: ${first.message}` : child === null ? '' : childNotPermitted(app, child)
    if (message !== '')
      return {
        reason: first === undefined ? 'NotPermitted' : 'InvalidManifest',
        message: `${where}: ${message}`,
        excerpt: '',
        transient: false,
      }
    if (object.metadata.name === app.name)
      return {
        reason: 'InvalidManifest',
        message: `${where}: application ${app.name} declares itself`,
        excerpt: '',
        transient: false,
      }
  }
  return null
}

/** A place that does not answer changes nothing of what was rendered. */
function asBefore(): true {
  return true
}

function absent(error: { readonly reason?: unknown }): null {
  if (error.reason === 'PathNotFound') return null
  throw error
}

/** What our copy lacks says nothing of the commit: it is read once it was fetched again. */
function isCopyDamaged({ reason, transient }: Pick<Rejection, 'reason' | 'transient'>): boolean {
  return reason === 'ObjectMissing' && transient
}

/** Errors that are findings about the source carry a reason; others are failures to find out. */
function rejectionOf(error: unknown): Rejection | null {
  const { reason, message, transient } = error as { reason?: unknown; message: string; transient?: unknown }
  return typeof reason === 'string' ? { reason, message, excerpt: '', transient: transient === true } : null
}
