// Asks an API server whether a release could be applied, by a dry run of the whole set: admission, quota, schema and rights answer
// before anything is changed. What cannot be proven beforehand is named.
import type { PreflightAnswer, Problem } from '../../../runtime/contract/documents.js'
import { groupOf, type Manifest, refOf, refText } from '../../../runtime/contract/manifest.js'
import { isHook } from '../../release/hooks.js'
import { optionsOf, type WriteOptions } from '../../release/options.js'
import { keptKinds } from '../../release/sent.js'
import type { Release } from '../../release.js'
import type { Sent } from './client.js'
import { keptText } from './put.js'
import { conflictText, unknownKind } from './refusal.js'
import { type Seen, seenOf } from './seen.js'
import { applyObject, inParallel, liveObject, replaceObject, type Write, type Written } from './write.js'

export interface Question {
  readonly application: string
  readonly release: Release
  readonly round: number
  /** `syncOptions` of the application. */
  readonly options: readonly string[]
  /** Namespaces that will be made with the release. */
  readonly creates: readonly string[]
  /** What is known to be there; null where nothing is known. */
  readonly known: (object: Manifest) => Pick<Seen, 'application' | 'former'> | null
  /** It is there already as the release has it. */
  readonly isLive: (object: Manifest) => boolean
  /** Looked for: what is there under this name of the release, or null. */
  readonly found: (object: Manifest, live: Sent | null) => void
}

const atOnce = 12

export function running({ release, round }: Pick<Question, 'release' | 'round'>, progress: string): PreflightAnswer {
  return { release: release.id, round, state: 'running', problems: [], warnings: [], digests: {}, progress }
}

/** The first that would lie where the controller neither looks nor writes, as its configuration has it; null where none does. */
export function outsideOf(home: string, objects: readonly Manifest[], namespaces: readonly string[]): Problem | null {
  if (namespaces.length === 0) return null
  const isOutside = ({ metadata: { namespace = '' } }: Manifest) => !namespaces.includes(namespace === '' ? home : namespace)
  const object = namespaces.includes(home) ? objects.find(isOutside) : objects[0]
  if (object === undefined) return null
  const ref = { ...refOf(object), namespace: object.metadata.namespace ?? home }
  const told = `${refText(ref)} lies outside of the namespaces that this cluster's configuration names (${namespaces.join(', ')})`
  return {
    object: ref,
    reason: 'OutsideNamespaces',
    message: `${told}: add ${ref.namespace} to its namespaces`,
    transient: false,
  }
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
  const warnings = grouped(
    answers.flatMap((one, at) => ('warnings' in one ? one.warnings.map(text => [release.objects[at]!, text] as const) : [])),
  )
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

/** Warnings without the object's name: many are of one kind. */
type Answer = { readonly problem: Problem } | { readonly warnings: readonly string[] }

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
  // Under the name that it has in the release: a hook runs under one of its own, and a former run of it is no conflict.
  const meant = isHook(object)
    ? { ...object, metadata: { ...object.metadata, name: `${object.metadata.name.slice(0, 50)}-dry` } }
    : object
  const options = optionsOf(question.options, object)
  const { answer, taken } = await dryRun(write, meant, question, options, signal)
  if (answer.kind !== 'written') return refusalOf(object, answer, options, question, comes)
  if (answer.created) question.found(object, null)
  if (answer.created || isHook(object)) return { warnings: taken }
  const there = await claimed(write, object, question, signal)
  return 'problem' in there ? there : { warnings: [...taken, ...there.warnings] }
}

/** What others have is asked for first, so that it can be said whose it was; then it is taken. */
async function dryRun(
  write: Write,
  object: Manifest,
  { application }: Question,
  options: WriteOptions,
  signal: AbortSignal,
): Promise<{ readonly answer: Written; readonly taken: readonly string[] }> {
  const how = { application, attempt: 0, dryRun: true, validate: options.validate }
  const live = options.replace ? await liveObject(write, refOf(object), signal) : null
  if (live !== null) return { answer: await replaceObject(write, object, live, how, signal), taken: [] }
  const answer = await applyObject(write, object, { ...how, force: false }, signal)
  if (answer.kind !== 'conflict') return { answer, taken: [] }
  return { answer: await applyObject(write, object, how, signal), taken: [conflictText(answer.fields)] }
}

function refusalOf(
  object: Manifest,
  answer: Exclude<Written, { kind: 'written' }>,
  options: WriteOptions,
  question: Question,
  comes: Coming,
): Answer {
  const ref = refOf(object)
  const problem = (reason: string, message: string): Answer => ({ problem: { object: ref, reason, message, transient: false } })
  const isDefined = comes.kinds.has(`${groupOf(object.apiVersion)}/${object.kind}`)
  if (answer.kind === 'conflict') return problem('Conflict', `${refText(ref)}: ${conflictText(answer.fields)}`)
  if (answer.kind === 'unknown') {
    if (isDefined) return said('is not proven: its definition comes with the same release')
    if (options.skipDryRunOnMissing) return said('is not proven: its kind is not there yet (SkipDryRunOnMissingResource)')
    return problem('UnknownKind', unknownKind(object))
  }
  if (answer.status === 404 && comes.namespaces.has(ref.namespace))
    return said('is not proven: its namespace comes with the same release')
  if (isDefined && isOfSchema(answer) && changesDefinition(object, question))
    return said(`is not proven: its definition changes with the same release (${answer.message})`)
  if (answer.reason !== 'ImmutableField' || !options.force) return problem(answer.reason, `${refText(ref)}: ${answer.message}`)
  if (keptKinds.has(object.kind)) return problem(answer.reason, keptText(object, `${refText(ref)}: ${answer.message}`))
  return said(`will be deleted and made anew, as its options say (Force=true): ${answer.message}`)
}

function said(warning: string): Answer {
  return { warnings: [warning] }
}

/** `Deployment shop/web, Service shop/web and 7 more: is not proven: ...` */
export function grouped(warnings: readonly (readonly [Manifest, string])[]): readonly string[] {
  const byText = new Map<string, string[]>()
  for (const [object, text] of warnings) byText.set(text, [...(byText.get(text) ?? []), refText(refOf(object))])
  return [...byText].map(([text, names]) => {
    const more = names.length > 3 ? ` and ${names.length - 3} more` : ''
    return `${names.slice(0, 3).join(', ')}${more}: ${text}`
  })
}

function isOfSchema({ reason, status }: Extract<Written, { kind: 'refused' }>): boolean {
  return reason === 'UnknownField' || status === 422 || status === 400
}

function changesDefinition(object: Manifest, { release, isLive }: Question): boolean {
  const id = `${groupOf(object.apiVersion)}/${object.kind}`
  return release.objects.some(one => one.kind === 'CustomResourceDefinition' && definedBy(one) === id && !isLive(one))
}

/** It is there already: whose is it? */
async function claimed(write: Write, object: Manifest, question: Question, signal: AbortSignal): Promise<Answer> {
  const ref = refOf(object)
  const known = question.known(object)
  const live = known === null ? await liveObject(write, ref, signal) : null
  if (known === null) question.found(object, live)
  const { application: owner, former } = known ?? (live === null ? { application: '', former: false } : seenOf(live))
  if (owner === '' || owner === question.application) return former ? said(takeoverText) : { warnings: [] }
  const message = `${refText(ref)} belongs to application ${owner} in this cluster; ${question.application} may not claim it too: remove it from one of the two`
  return { problem: { object: ref, reason: 'SharedObject', message, transient: false } }
}

const takeoverText = 'is taken over from what applied it before: what that named and the release does not name goes'
