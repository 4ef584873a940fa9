// Asks an API server whether a release could be applied, by a dry run of the whole set: admission, quota, schema and rights answer
// before anything is changed. What cannot be proven beforehand is named.
import type { PreflightAnswer, Problem } from '../../../runtime/contract/documents.js'
import { groupOf, type Manifest, refOf, refText } from '../../../runtime/contract/manifest.js'
import { isHook } from '../../release/hooks.js'
import type { Release } from '../../release.js'
import type { Sent } from './client.js'
import { trackedBy } from './seen.js'
import { applyObject, inParallel, liveObject, unknownKind, type Write } from './write.js'

export interface Question {
  readonly application: string
  readonly release: Release
  readonly round: number
  /** Namespaces that will be made with the release. */
  readonly creates: readonly string[]
  /** What is there under a name of the release. */
  readonly found: (object: Sent) => void
}

const atOnce = 12

export function running({ release, round }: Pick<Question, 'release' | 'round'>, progress: string): PreflightAnswer {
  return { release: release.id, round, state: 'running', problems: [], warnings: [], digests: {}, progress }
}

/** Throws where it could not be found out. */
export async function ask(
  write: Write,
  question: Question,
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<PreflightAnswer> {
  const { release, round } = question
  const comes = coming(question)
  let done = 0
  const answers = await inParallel(release.objects, atOnce, async object => {
    const answer = await tried(write, object, question, comes, signal)
    progress(`dry run of ${++done} of ${release.objects.length} objects`)
    return answer
  })
  const problems = answers.flatMap(one => ('problem' in one ? [one.problem] : []))
  const warnings = answers.flatMap(one => ('warning' in one ? [one.warning] : []))
  return {
    release: release.id,
    round,
    state: problems.length === 0 ? 'passed' : 'refused',
    problems,
    warnings,
    digests: {},
    progress: '',
  }
}

type Answer = { readonly problem: Problem } | { readonly warning: string } | { readonly passed: true }

interface Coming {
  readonly namespaces: ReadonlySet<string>
  /** `group/Kind` */
  readonly kinds: ReadonlySet<string>
}

/** What the release itself brings and other objects of it need. */
function coming({ release, creates }: Question): Coming {
  const named = release.objects.filter(object => object.kind === 'Namespace').map(object => object.metadata.name)
  const kinds = release.objects.filter(object => object.kind === 'CustomResourceDefinition').map(definedBy)
  return { namespaces: new Set([...creates, ...named]), kinds: new Set(kinds) }
}

/** `example.com/Widget` */
export function definedBy({ spec }: Manifest): string {
  const { group, names } = (spec ?? {}) as { group?: string; names?: { kind?: string } }
  return `${group}/${names?.kind}`
}

async function tried(write: Write, object: Manifest, question: Question, comes: Coming, signal: AbortSignal): Promise<Answer> {
  const ref = refOf(object)
  // Under the name that it has in the release: a hook runs under one of its own, and a former run of it is no conflict.
  const meant = isHook(object)
    ? { ...object, metadata: { ...object.metadata, name: `${object.metadata.name.slice(0, 50)}-dry` } }
    : object
  const answer = await applyObject(write, meant, { application: question.application, attempt: 0, dryRun: true }, signal)
  if (answer.kind === 'written')
    return answer.created || isHook(object) ? { passed: true } : claimed(write, object, question, signal)
  const problem = (reason: string, message: string): Answer => ({ problem: { object: ref, reason, message, transient: false } })
  if (answer.kind === 'unknown')
    return comes.kinds.has(`${groupOf(object.apiVersion)}/${object.kind}`)
      ? { warning: `${refText(ref)} is not proven: its definition comes with the same release` }
      : problem('UnknownKind', unknownKind(object))
  if (answer.status === 404 && comes.namespaces.has(ref.namespace))
    return { warning: `${refText(ref)} is not proven: its namespace comes with the same release` }
  return problem(answer.reason, `${refText(ref)}: ${answer.message}`)
}

/** It is there already: whose is it? */
async function claimed(write: Write, object: Manifest, question: Question, signal: AbortSignal): Promise<Answer> {
  const ref = refOf(object)
  const live = await liveObject(write, ref, signal)
  if (live === null) return { passed: true }
  question.found(live)
  const owner = trackedBy(live as Manifest)
  if (owner === '' || owner === question.application) return { passed: true }
  const message = `${refText(ref)} belongs to application ${owner} in this cluster; ${question.application} may not claim it too: remove it from one of the two`
  return { problem: { object: ref, reason: 'SharedObject', message, transient: false } }
}
