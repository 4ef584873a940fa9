// What `lookup` of a chart finds: others' objects as they are now, the application's own as they were when it first asked. Pure.
import { contentHash } from '../../runtime/contract/hash.js'
import { groupOf, type Manifest, type ObjectRef, refKey, refOf } from '../../runtime/contract/manifest.js'
import { answerKey, type Sticky, type StickyEntry, type Uses } from '../sticky.js'

/** apiVersion, kind, namespace ('' = all), name ('' = every one). */
export type Question = readonly [apiVersion: string, kind: string, namespace: string, name: string]

/** An object at the place. */
export interface LiveObject {
  readonly object: Manifest
  /** It runs on, and nobody answers for it: whoever names it takes it over. */
  readonly isFree: boolean
}

/** What a render would see of its place: the answers to these, and what is there under these names. */
export interface Wanted {
  readonly questions: readonly string[]
  readonly refs: readonly ObjectRef[]
}

/** At least what is wanted; a place that has all of it in memory may give more. Throws where it could not be found out. */
export type Look = (wanted: Wanted) => readonly LiveObject[] | Promise<readonly LiveObject[]>

export function parseQuestion(text: string): Question {
  return JSON.parse(text) as Question
}

function asks([apiVersion, kind, namespace, name]: Question, object: Manifest): boolean {
  const ref = refOf(object)
  if (ref.kind !== kind || ref.group !== groupOf(apiVersion)) return false
  if (name === '') return namespace === '' || ref.namespace === '' || ref.namespace === namespace
  return ref.name === name && (ref.namespace === '' || ref.namespace === namespace)
}

export interface Asking {
  /** Objects that the application runs, and those that the render gave: by refKey. */
  readonly own: ReadonlySet<string>
  readonly live: readonly LiveObject[]
  readonly sticky: Sticky
}

/** null: nothing is there. Of a question without a name all objects, by namespace and name. */
export function answerTo(text: string, asking: Asking): unknown {
  const question = parseQuestion(text)
  const first = firstAnswer(text, question, asking)
  if (question[3] !== '') return first === undefined ? (found(question, asking)[0] ?? null) : first
  const own = (first ?? ownOf(question, asking)) as readonly Manifest[]
  return [...othersOf(question, asking), ...own].sort(byRef)
}

function byRef(a: Manifest, b: Manifest): number {
  return refKey(refOf(a)) < refKey(refOf(b)) ? -1 : 1
}

/** As long as what is asked for is the application's own. */
function firstAnswer(text: string, question: Question, asking: Asking): unknown {
  const entry = asking.sticky[answerKey(text)]
  if (entry === undefined || (question[3] !== '' && !isOwn(question, asking))) return undefined
  return JSON.parse(entry.value)
}

/** An object is known by its name before it is there. */
function isOwn([apiVersion, kind, namespace, name]: Question, { own }: Asking): boolean {
  const ref = (space: string): ObjectRef => ({ group: groupOf(apiVersion), kind, namespace: space, name })
  return own.has(refKey(ref(namespace))) || own.has(refKey(ref('')))
}

function othersOf(question: Question, asking: Asking): readonly Manifest[] {
  return found(question, asking).filter(object => !asking.own.has(refKey(refOf(object))))
}

function ownOf(question: Question, asking: Asking): readonly Manifest[] {
  return found(question, asking).filter(object => asking.own.has(refKey(refOf(object))))
}

function found(question: Question, { live }: Asking): readonly Manifest[] {
  const all = live.map(({ object }) => object).filter(object => asks(question, object))
  return all.sort(byRef)
}

/** What is to be kept of the answers to these questions. */
export function firstAnswers(questions: readonly string[], asking: Asking, now: number): Sticky {
  const made = questions.flatMap((text): [string, StickyEntry][] => {
    const key = answerKey(text)
    const question = parseQuestion(text)
    const known = asking.sticky[key]
    if (question[3] !== '' && !isOwn(question, asking)) return []
    if (known !== undefined) return [[key, known]]
    const answer = question[3] === '' ? ownOf(question, asking) : answerTo(text, asking)
    return [[key, entryOf(text, JSON.stringify(answer), now)]]
  })
  return Object.fromEntries(made)
}

function entryOf(question: string, value: string, at: number): StickyEntry {
  return { value, name: 'lookup', file: '', label: question, loose: '', at, from: 'live', idleSince: 0 }
}

/** Hash of what each question finds of others: when it changes, so may the render. */
export function foreignAnswers(questions: readonly string[], asking: Asking): Readonly<Record<string, string>> {
  const foreign = questions.filter(text => {
    const question = parseQuestion(text)
    return question[3] === '' || !isOwn(question, asking)
  })
  return Object.fromEntries(foreign.map(text => [text, contentHash(othersOf(parseQuestion(text), asking))]))
}

/** Would a render now find what that one found? `live` is asked only where it looked something up. */
export async function findsSame({ sticky, lookups, own }: Uses, kept: Sticky, live: Look): Promise<boolean> {
  if (!Object.entries(sticky).every(([key, entry]) => kept[key]?.value === entry.value)) return false
  const questions = Object.keys(lookups)
  if (questions.length === 0) return true
  const seen = await live({ questions, refs: [] })
  const now = foreignAnswers(questions, { own: new Set(own), live: seen, sticky: {} })
  return questions.every(question => now[question] === lookups[question])
}
