// Does a newer commit concern an application at all? Of a repository with many of them, most commits concern one: the others get no pass.

import type { Application } from './application.js'
import type { Ledger } from './ledger.js'
import type { Pass } from './reconcile.js'
import type { Candidate } from './release.js'
import { keeping } from './sticky.js'

export interface Seen {
  readonly app: Application
  readonly ledger: Ledger
  readonly pass: Pick<Pass, 'app' | 'candidate'> | null
  readonly failure: unknown
}

/**
 * It renders to what runs already, and that is settled; nobody asked for anything, and nothing new is to be kept: a pass would find
 * nothing to do. `candidate`: of the newer commit; null where it takes a render to know it.
 */
export function isUnmoved({ app, ledger, pass, failure }: Seen, candidate: Candidate | null): boolean {
  if (pass === null || pass.app !== app || failure !== null || candidate?.kind !== 'release') return false
  const before = pass.candidate
  const isSame = before?.kind === 'release' && before.release.id === candidate.release.id
  const isQuiet = ledger.requests.length === 0 && ledger.deletion === null && ledger.trying === null
  const isSettled = ledger.current?.release === candidate.release.id && ledger.attempt?.outcome != null
  const isRead = before?.stale === null && candidate.stale === null
  return isSame && isQuiet && isSettled && isRead && keeping(ledger, candidate) === ledger
}
