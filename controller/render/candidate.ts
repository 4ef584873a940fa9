// A revision's tree to a candidate: which files, through the pool, made whole, named by content. What was made of a tree is kept by its id.
import { LRUCache } from 'lru-cache'
import { type FileQuestion, isMeant, RenderFault, type RenderOptions } from '../../renderer/index.js'
import { contentHash } from '../../runtime/contract/hash.js'
import type { Application } from '../application.js'
import type { Ledger } from '../ledger.js'
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
import { findsSame, type Look } from '../sticky/lookup.js'
import type { Uses } from '../sticky.js'
import { InputReader, type Inputs } from './inputs.js'
import { killedMs, type Outcome, Outcomes } from './outcomes.js'
import type { Killed, RenderJob, RenderPool } from './pool.js'
import { type Around, renderRounds, type Settled } from './rounds.js'
import { type ValueFiles, valueFilesOf } from './value-files.js'

export interface CandidateRequest {
  readonly application: Application
  readonly revision: Revision
  readonly tree: GitTree
  /** Of the application: its salt, for release ids of two applications never meet, and what it keeps of earlier renders. */
  readonly ledger: Ledger
  /** What is at the place: for `lookup`, and for what is taken over. */
  readonly live: Look
}

export interface Candidates {
  /** Throws where Git could not be read, or on abort. Everything that is wrong with the files is a rejection. */
  candidateOf(request: CandidateRequest, signal: AbortSignal): Promise<Candidate>
  /** The same where tree and declaration are as they were; null where more has to be looked at. */
  keptOf(request: CandidateRequest): Promise<Candidate | null>
  /**
   * How candidates came about, so often each. `kept`: the tree and the declaration were the same. `same`: the tree was another, but nothing
   * that the last render of these templates and values had read. `rendered`: in a child.
   */
  readonly counts: Readonly<Record<Cause, number>>
  /** An application that is gone. */
  forget(application: string): void
}

export type Cause = 'kept' | 'same' | 'rendered'

/** What templates see as `Capabilities` where the place does not say. */
const capabilities = { kubeVersion: 'v1.31.0', apiVersions: [] }

const nothingUsed: Uses = { sticky: {}, lookups: {}, own: [] }

export function makeCandidates(pool: RenderPool, now: () => number = Date.now): Candidates {
  const reader = new InputReader()
  const outcomes = new Outcomes()
  const counts = { kept: 0, same: 0, rendered: 0 }
  /** By content of the templates and values: what they asked of other files when they were last rendered. */
  const asked = new LRUCache<string, readonly FileQuestion[]>({
    maxSize: 20_000,
    sizeCalculation: questions => 1 + questions.length,
  })
  /** By application: what its last render looked up. */
  const lookedUp = new LRUCache<string, readonly string[]>({
    maxSize: 20_000,
    sizeCalculation: questions => 1 + questions.length,
  })
  return {
    counts,
    forget: name => outcomes.forget(name),
    async keptOf(request) {
      const { application, tree } = request
      const valueFiles = await valueFilesOf(application.source, tree).catch(faultOf)
      if ('rejection' in valueFiles) return null
      const kept = outcomes.ofTree(application.name, treeKey(shapeOf(request, valueFiles), tree))
      if (kept === undefined || !(await findsSame(kept.uses, request.ledger.sticky, request.live))) return null
      counts.kept++
      return candidate(request, kept)
    },
    async candidateOf(request, signal) {
      const { application, tree } = request
      const found = (cause: Cause, outcome: Outcome): Candidate => {
        counts[cause]++
        return candidate(request, outcome)
      }
      const valueFiles = await valueFilesOf(application.source, tree).catch(faultOf)
      if ('rejection' in valueFiles) return candidate(request, { ...valueFiles, uses: nothingUsed })
      const { name } = application
      const isSame = ({ uses }: Outcome) => findsSame(uses, request.ledger.sticky, request.live)
      const shape = shapeOf(request, valueFiles)
      const byTree = treeKey(shape, tree)
      const kept = outcomes.ofTree(name, byTree)
      if (kept !== undefined && (await isSame(kept))) return found('kept', kept)
      const inputs = await reader.inputsOf(application, tree, signal).catch(faultOf)
      if ('rejection' in inputs) return found('rendered', outcomes.put(name, byTree, byTree, { ...inputs, uses: nothingUsed }))
      const content = contentHash([shape, inputs.core.map(idOf)], 64)
      const questions = asked.get(content)
      const same = questions === undefined ? undefined : outcomes.get(name, withAnswers(content, questions, inputs))
      if (questions !== undefined && same !== undefined && (await isSame(same)))
        return found('same', outcomes.put(name, byTree, withAnswers(content, questions, inputs), same))
      const around = { ledger: request.ledger, live: request.live, asked: lookedUp.get(name) ?? [], now: now() }
      const made = await outcomeOf(request, inputs, valueFiles, around, pool, signal)
      lookedUp.set(name, Object.keys(made.outcome.uses.lookups))
      asked.set(content, made.asked)
      return found('rendered', outcomes.put(name, byTree, withAnswers(content, made.asked, inputs), made.outcome))
    },
  }
}

function treeKey(shape: unknown, { contentId, treeId }: GitTree): string {
  return contentHash([shape, contentId ?? treeId], 64)
}

function idOf({ path, oid }: TreeEntry): readonly [string, string] {
  return [path, oid]
}

/** What a render depends on: templates and values, and of other files those that they asked for. */
function withAnswers(content: string, questions: readonly FileQuestion[], { others }: Inputs): string {
  const meant = others.filter(({ path }) => questions.some(question => isMeant(question, path)))
  return contentHash([content, meant.map(idOf)], 64)
}

/** `allowEmpty` is policy, not content: it is asked each time. */
function candidate({ application, revision, tree }: CandidateRequest, outcome: Outcome): Candidate {
  const { uses } = outcome
  if ('rejection' in outcome) return { kind: 'rejection', revision, rejection: outcome.rejection, stale: null, uses }
  const { release, warnings } = outcome
  if (release.objects.length > 0 || application.sync.allowEmpty) {
    const own = release.tree === tree.treeId ? release : { ...release, tree: tree.treeId }
    return { kind: 'release', revision, release: own, stale: null, uses, warnings }
  }
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

/** Everything beside the tree that shapes what is rendered. */
function shapeOf({ application, ledger }: CandidateRequest, { values: files, parameters }: ValueFiles): unknown {
  const { name, source, destination } = application
  const values = [files, parameters].map(all => all.map(file => [file.name, file.entry?.oid ?? null]))
  return [ledger.salt, name, source.path, source.directory, source.chart, destination.namespace, capabilities, values]
}

interface Made {
  readonly outcome: Outcome
  /** Of files beside the templates. */
  readonly asked: readonly FileQuestion[]
}

async function outcomeOf(
  request: CandidateRequest,
  { files }: Inputs,
  valueFiles: ValueFiles,
  around: Around,
  pool: RenderPool,
  signal: AbortSignal,
): Promise<Made> {
  const { application, tree } = request
  try {
    const [given, parameters] = await Promise.all(
      [valueFiles.values, valueFiles.parameters].map(all =>
        Promise.all(all.map(async ({ name, entry }) => ({ name, bytes: entry === null ? null : await tree.read(entry.oid) }))),
      ),
    )
    const options = optionsOf(application, given ?? [], parameters ?? [])
    const job = { files, options, namespace: application.destination.namespace }
    let asked: readonly FileQuestion[] = []
    const listening = {
      run: async (one: RenderJob, until: AbortSignal) => {
        const result = await pool.run(one, until)
        if (!('killed' in result)) asked = result.asked
        return result
      },
    }
    const result = await renderRounds(job, around, listening, signal)
    return { outcome: outcomeIn(result, request), asked }
  } catch (cause) {
    return { outcome: { ...faultOf(cause), uses: nothingUsed }, asked: [] }
  }
}

function outcomeIn(result: Settled | Killed, request: CandidateRequest): Outcome {
  if ('killed' in result) return { rejection: killed(result.killed), uses: nothingUsed }
  const { uses } = result
  if (result.completed === undefined) return { rejection: result.rejection, uses }
  return { release: releaseOf(result.completed, request), warnings: result.warnings, uses }
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

function optionsOf(
  { name, source, destination }: Application,
  valueFiles: RenderOptions['valueFiles'],
  files: RenderOptions['valueFiles'],
): RenderOptions {
  const { chart } = source
  const { releaseName, ignoreMissingValueFiles, values, parameters } = chart
  return {
    directory: source.directory,
    release: {
      name: releaseName === '' ? name : releaseName,
      namespace: chart.namespace || destination.namespace || 'default',
    },
    capabilities: { ...capabilities, kubeVersion: chart.kubeVersion || capabilities.kubeVersion },
    addedApiVersions: chart.apiVersions,
    valueFiles,
    ignoreMissingValueFiles,
    values,
    parameters,
    fileParameters: chart.fileParameters.map(({ name: parameter, path }, at) => ({
      name: parameter,
      path,
      bytes: files[at]?.bytes ?? null,
    })),
    skipCrds: chart.skipCrds,
    skipTests: chart.skipTests,
    skipSchema: chart.skipSchemaValidation,
    profile: chart.profile,
  }
}
