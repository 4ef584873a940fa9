// Lists of applications: filter, order, and one page by cursor. Pure.
import type { ApplicationView, StateWord } from '../view.js'
import { RefusedError } from './service.js'

export interface ListQuery {
  /** Empty: all. */
  readonly states: readonly string[]
  /** Parts of words, all of which must occur in name, place, project, commit or sentence. */
  readonly search: string
  readonly sort: 'name' | 'attention'
  readonly limit: number
  /** A cursor that an earlier page gave; '' = from the start. */
  readonly continue: string
}

export interface Page {
  readonly items: readonly ApplicationView[]
  readonly total: number
  readonly continue: string
  /** By state, of all that the search finds, whatever the states asked for. */
  readonly counts: Readonly<Partial<Record<StateWord, number>>>
}

/** What needs a person comes first; then what moves; then the rest. */
const attention: Readonly<Record<StateWord, number>> = {
  Failed: 0,
  RolledBack: 1,
  Held: 2,
  Degraded: 3,
  Unknown: 4,
  RollingBack: 5,
  Releasing: 6,
  Deleting: 7,
  OutOfSync: 8,
  Paused: 9,
  Healthy: 10,
}

export function pageOf(all: readonly ApplicationView[], query: ListQuery): Page {
  const found = all.filter(view => matches(view, query.search))
  const listed = found.filter(view => query.states.length === 0 || query.states.includes(view.state))
  const ordered = listed
    .map(view => ({ view, key: keyOf(view, query.sort) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  const after = cursorKey(query)
  const rest = ordered.filter(({ key }) => after === '' || key > after)
  const page = rest.slice(0, query.limit)
  const last = page.at(-1)
  const more = rest.length > page.length && last !== undefined
  return {
    items: page.map(({ view }) => view),
    total: listed.length,
    continue: more ? Buffer.from(JSON.stringify([query.sort, last.key])).toString('base64url') : '',
    counts: countsOf(found),
  }
}

function matches(view: ApplicationView, search: string): boolean {
  const words = search
    .toLowerCase()
    .split(/\s+/)
    .filter(word => word !== '')
  if (words.length === 0) return true
  const commits = [view.release, view.candidate].map(
    release => `${release?.commit ?? ''} ${release?.subject ?? ''} ${release?.author ?? ''}`,
  )
  const haystack = [
    view.name,
    view.place,
    view.project,
    view.namespace,
    view.state,
    view.message,
    view.source.repoURL,
    ...commits,
  ]
    .join('\n')
    .toLowerCase()
  return words.every(word => haystack.includes(word))
}

/** Sorts as text: rank, then newest first (an inverted time), then name. */
function keyOf(view: ApplicationView, sort: ListQuery['sort']): string {
  if (sort === 'name') return view.name
  const age = 9e15 - (Date.parse(view.since) || 0)
  return `${String(attention[view.state]).padStart(2, '0')} ${String(age).padStart(16, '0')} ${view.name}`
}

function cursorKey(query: ListQuery): string {
  if (query.continue === '') return ''
  try {
    const [sort, key] = JSON.parse(Buffer.from(query.continue, 'base64url').toString()) as [unknown, unknown]
    if (sort === query.sort && typeof key === 'string') return key
  } catch {
    // told below
  }
  throw new RefusedError(400, 'invalidCursor', '`continue` is not a cursor of this list; leave it out to begin again.', [
    { pointer: '/querystring/continue', message: 'is not a cursor of this list and order' },
  ])
}

function countsOf(views: readonly ApplicationView[]): Page['counts'] {
  const counts: Partial<Record<StateWord, number>> = {}
  for (const { state } of views) counts[state] = (counts[state] ?? 0) + 1
  return counts
}
