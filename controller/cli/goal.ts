// When is waiting over, and how did it end? Pure.
import type { ApplicationView } from '../view.js'

export interface Goal {
  /** A request that must have been obeyed first; '' = none. */
  readonly request: string
  /** A commit (or its beginning) that must be the newest seen; '' = whatever is. */
  readonly commit: string
  /** Of some objects only: the rest goes on being another than Git's. */
  readonly part?: boolean
}

export interface End {
  readonly ok: boolean
  readonly message: string
}

/** A request that nothing comes of for so long is taken as answered: there was nothing to do, or nothing may be done. */
export const quietMs = 15_000

/** What does not render stays so until a commit comes: the sync that saw it has its answer. */
const heldQuietMs = 2_000

/** null: go on waiting. `quietForMs`: since anything about the application changed. */
export function endOf(view: ApplicationView, goal: Goal, quietForMs: number): End | null {
  if (view.deleting) return { ok: false, message: `${view.name} is being deleted.` }
  if (view.state === 'Paused') return { ok: false, message: view.message }
  const pending = view.requests.some(request => request.id === goal.request)
  // It begins by itself, once what it waits for is there.
  if (pending && view.state === 'OutOfSync' && view.blockedBy.length > 0) return null
  const isUnrendered = view.state === 'Held' && view.sync.status === 'Unknown'
  if (pending && quietForMs < (isUnrendered ? heldQuietMs : quietMs)) return null
  if (goal.commit !== '' && !seen(view, goal.commit)) return null
  const isPart = goal.part === true && !pending && view.attempt?.outcome === 'Healthy' && view.state === 'OutOfSync'
  if (view.state === 'Healthy' || isPart || isWherePinned(view)) return { ok: true, message: view.message }
  if (view.state === 'OutOfSync' && !view.policy.automated)
    return pending || goal.request === '' ? { ok: false, message: view.message } : null
  return ['RolledBack', 'Failed', 'Held', 'Degraded'].includes(view.state) ? { ok: false, message: view.message } : null
}

/** A rollback by hand that ended well: it runs what a person asked for, and waits there for another change. */
function isWherePinned({ state, pinned, health, release }: ApplicationView): boolean {
  return (
    (state === 'OutOfSync' || state === 'RolledBack') &&
    pinned !== null &&
    release?.number === pinned.to &&
    health.status === 'Healthy'
  )
}

function seen(view: ApplicationView, commit: string): boolean {
  return [view.candidate, view.attempt?.release, view.release].some(
    release => release !== null && release !== undefined && isNamed(release.commit, commit),
  )
}

/** By its beginning; of a chart by its whole version: 1.2.10 is not meant by 1.2.1. */
function isNamed(commit: string, named: string): boolean {
  return commit.includes('@') && !named.includes('@') ? commit.startsWith(`${named}@`) : commit.startsWith(named)
}
