// One render in as many rounds as it takes: a chart that asks what is there is answered and rendered again; what it would mint is looked
// for among what was kept under another name, and among what it takes over. Nothing is kept here: what came of it says what is to be.
import type { Kept, Minted, RenderOptions, Touched } from '../../renderer/index.js'
import { groupOf, refKey, refOf } from '../../runtime/contract/manifest.js'
import type { Ledger } from '../ledger.js'
import type { Rejection } from '../release.js'
import { answerTo, firstAnswers, foreignAnswers, type LiveObject, type Look, parseQuestion } from '../sticky/lookup.js'
import { seedsFrom } from '../sticky/seed.js'
import { mostKept, renamed, type Sticky, type StickyEntry, type Uses, withRoom } from '../sticky.js'
import { type Completed, completeObjects } from './objects.js'
import type { RenderJob, RenderPool } from './pool.js'

/** What a render takes from beside Git. */
export interface Around {
  readonly ledger: Ledger
  /** Objects at the place: what charts may look up, and what may be taken over. */
  readonly live: Look
  /** What the render before asked, most likely asked again: saves a round. */
  readonly asked: readonly string[]
  readonly now: number
}

export interface Job {
  readonly files: RenderJob['files']
  readonly options: RenderOptions
  /** Of the destination. */
  readonly namespace: string
}

export type Settled = (
  | { readonly completed: Completed; readonly warnings: readonly string[]; readonly rejection?: undefined }
  | { readonly rejection: Rejection; readonly completed?: undefined }
) & { readonly uses: Uses }

/** A chart asks for names that it made of answers: so deep it may. */
const mostRounds = 12

interface Round {
  readonly questions: readonly string[]
  /** Given to the render beside what the ledger keeps: what earlier rounds minted, found again or took over. */
  readonly given: Sticky
  /** By refKey: what the application runs, and what the round before gave. */
  readonly own: ReadonlySet<string>
}

/** Throws where it was aborted. `killed`: nothing was found out. */
export async function renderRounds(
  job: Job,
  around: Around,
  pool: Pick<RenderPool, 'run'>,
  signal: AbortSignal,
): Promise<Settled | { readonly killed: string }> {
  const { ledger } = around
  const own = new Set([...ownedBy(ledger), ...presumed(ledger)])
  const look = once(around.live)
  let round: Round = { questions: [...new Set([...around.asked, ...answered(ledger)])], given: {}, own }
  for (let count = 1; count <= mostRounds; count++) {
    const answers = await answersIn(round, ledger, look)
    const { files, options } = job
    const result = await pool.run({ files, options, kept: keptFor(ledger, round.given, answers) }, signal)
    if ('killed' in result) return result
    const completed =
      result.error === undefined
        ? completeObjects(result.objects, job.namespace)
        : ({ ...result.error, transient: false } satisfies Rejection)
    const next = roundAfter(round, result.touched, completed, around)
    // Whatever came of wrong answers, an error too, says nothing.
    if (areSame(await answersIn(next, ledger, look), answers)) {
      const found = 'reason' in completed ? {} : await foundAgain(next, result.touched, completed, around, look)
      const warnings = result.error === undefined ? result.warnings : []
      if (Object.keys(found).length === 0) return settled(next, result.touched, completed, around, look, warnings)
      round = { ...next, given: { ...next.given, ...found } }
    } else round = next
  }
  return { rejection: endless, uses: { sticky: {}, lookups: {}, own: [] } }
}

async function answersIn({ questions, own }: Round, { sticky }: Ledger, look: Look): Promise<Kept['answers']> {
  if (questions.length === 0) return {}
  const live = await look({ questions, refs: [] })
  return Object.fromEntries(questions.map(text => [text, answerTo(text, { own, live, sticky })]))
}

/** What the next round would begin with. A render without objects tells nothing of which are its own. */
function roundAfter(round: Round, touched: Touched, completed: Completed | Rejection, { ledger, now }: Around): Round {
  const given = { ...round.given, ...entriesOf(touched, round.given, now) }
  const objects = 'reason' in completed ? [] : completed.objects
  const own = objects.length === 0 ? round.own : new Set([...ownedBy(ledger), ...objects.map(object => refKey(refOf(object)))])
  return { questions: touched.asked, given, own }
}

async function settled(
  { given, own, questions }: Round,
  touched: Touched,
  completed: Completed | Rejection,
  { ledger, now }: Around,
  look: Look,
  warnings: readonly string[],
): Promise<Settled> {
  const facts = { own, sticky: ledger.sticky, live: questions.length === 0 ? [] : await look({ questions, refs: [] }) }
  const looked = { lookups: foreignAnswers(questions, facts), own: questions.length === 0 ? [] : [...own] }
  const sticky = { ...pick({ ...ledger.sticky, ...given }, touched.used), ...firstAnswers(questions, facts, now) }
  const isTooMuch = withRoom(ledger.sticky, sticky) === null
  if (!('reason' in completed) && !isTooMuch) return { completed, warnings, uses: { ...looked, sticky } }
  // Of a render that gave nothing, nothing new is kept.
  const known = pick(
    sticky,
    Object.keys(sticky).filter(key => ledger.sticky[key] !== undefined),
  )
  return { rejection: 'reason' in completed ? completed : tooMuch, uses: { ...looked, sticky: known } }
}

/** All rounds see the same: each thing is asked for once. */
function once(live: Look): Look {
  const seen = new Map<string, LiveObject>()
  const asked = new Set<string>()
  return async ({ questions, refs }) => {
    const fresh = {
      questions: questions.filter(text => !asked.has(text)),
      refs: refs.filter(ref => !asked.has(refKey(ref))),
    }
    for (const key of [...fresh.questions, ...fresh.refs.map(refKey)]) asked.add(key)
    if (fresh.questions.length + fresh.refs.length > 0)
      for (const one of await live(fresh)) {
        const key = refKey(refOf(one.object))
        if (!seen.has(key)) seen.set(key, one)
      }
    return [...seen.values()]
  }
}

/** To a question that was not answered yet the render was told that nothing is there. */
function areSame(answers: Kept['answers'], given: Kept['answers']): boolean {
  return Object.entries(answers).every(([text, answer]) => JSON.stringify(answer) === JSON.stringify(given[text] ?? null))
}

const tooMuch: Rejection = {
  reason: 'LimitExceeded',
  message: `passwords, keys and certificates that the chart makes, and objects that it looked up, are more than the ${mostKept} characters that are kept for an application: give it some of them as values`,
  excerpt: '',
  transient: false,
}

const endless: Rejection = {
  reason: 'LimitExceeded',
  message: `what lookup finds leads to other questions each time, more than ${mostRounds} times: look up fixed names`,
  excerpt: '',
  transient: false,
}

function ownedBy({ current }: Ledger): readonly string[] {
  return current?.owned.map(refKey) ?? []
}

/** What a first answer is kept for was its own at the last render; whether it still is, this one tells. */
function presumed(ledger: Ledger): readonly string[] {
  return answered(ledger).flatMap(text => {
    const [apiVersion, kind, namespace, name] = parseQuestion(text)
    const ref = (space: string) => refKey({ group: groupOf(apiVersion), kind, namespace: space, name })
    return name === '' ? [] : [ref(namespace), ref('')]
  })
}

/** Questions that the ledger answers. */
function answered({ sticky }: Ledger): readonly string[] {
  return Object.values(sticky).flatMap(({ name, label }) => (name === 'lookup' ? [label] : []))
}

function keptFor({ salt, sticky }: Ledger, given: Sticky, answers: Kept['answers']): Kept {
  const values = Object.entries({ ...sticky, ...given }).filter(([, { name }]) => name !== 'lookup')
  return { salt, values: Object.fromEntries(values.map(([key, { value }]) => [key, value])), answers }
}

/** What this round minted. */
function entriesOf({ minted }: Touched, given: Sticky, now: number): Sticky {
  const entry = (made: Minted): StickyEntry => ({ ...made, at: now, from: 'minted', idleSince: 0 })
  return Object.fromEntries(
    Object.entries(minted).flatMap(([key, made]) => (given[key] === undefined ? [[key, entry(made)] as const] : [])),
  )
}

function pick(sticky: Sticky, keys: readonly string[]): Sticky {
  return Object.fromEntries(keys.flatMap(key => (sticky[key] === undefined ? [] : [[key, sticky[key]] as const])))
}

/** Entries in the place of those that were minted: from another template's name, or from what is there and nobody's. */
async function foundAgain(
  { given }: Round,
  touched: Touched,
  { objects }: Completed,
  { ledger }: Around,
  look: Look,
): Promise<Sticky> {
  const used = pick({ ...ledger.sticky, ...given }, touched.used)
  const minted = Object.fromEntries(
    Object.entries(used).filter(([key, { from }]) => from === 'minted' && ledger.sticky[key] === undefined),
  )
  if (Object.keys(minted).length === 0) return {}
  const again = renamed(ledger, minted, new Set(touched.used))
  if (Object.keys(again).length > 0) return again
  const owned = new Set(ownedBy(ledger))
  const refs = objects.map(refOf).filter(ref => !owned.has(refKey(ref)))
  const names = new Set(refs.map(refKey))
  const free = (await look({ questions: [], refs })).flatMap(({ object, isFree }) => {
    const key = refKey(refOf(object))
    return isFree && names.has(key) ? [object] : []
  })
  return free.length === 0 ? {} : seedsFrom({ minted, rendered: objects, live: free, known: { ...ledger.sticky, ...used } })
}
