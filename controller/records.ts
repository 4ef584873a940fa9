// Attempts, releases and verdicts of a ledger as they are shown: the records in view.ts, times as RFC 3339. Pure.
import type { Attempt, Ledger, Verdict } from './ledger.js'
import type { Candidate, ReleaseId, Revision } from './release.js'
import { verdictText } from './rollout/state.js'
import { type AttemptView, chartSays, type ReleaseView, type VerdictView } from './view.js'
import { span } from './words.js'

export function attemptView(ledger: Ledger | null, attempt: Attempt): AttemptView {
  const { step, times } = attempt
  return {
    number: attempt.number,
    release: revisionView(attempt) ?? (ledger === null || attempt.release === null ? null : releaseView(ledger, attempt.release)),
    cause: attempt.cause,
    by: attempt.by.name,
    step: step.name,
    stepDetail: step.name === 'Syncing' ? `wave ${step.index} of ${step.of}` : '',
    outcome: attempt.outcome,
    message: attemptMessage(attempt),
    times: {
      pushed: time(times.pushed),
      seen: time(times.seen),
      rendered: time(times.rendered),
      preflighted: time(times.preflighted),
      applied: time(times.applied),
      healthy: time(times.healthy),
      baked: time(times.baked),
      judged: time(times.judged),
      ended: time(times.ended),
    },
    verdict: attempt.verdict === null ? null : verdictView(attempt.verdict),
    moves: attempt.moves.map(move => ({ ...move, at: time(move.at) })),
    counts: attempt.counts,
    wentBackTo: ledger === null || attempt.rollback === null ? '' : numberOf(ledger, attempt.rollback.to),
  }
}

/** `judged bad after 6 s; went back to r2` */
function attemptMessage({ message, verdict, times, outcome }: Attempt): string {
  if (verdict === null || times.judged === 0 || times.applied === 0 || (outcome !== 'RolledBack' && outcome !== 'Failed'))
    return message
  const said = message.startsWith(verdictText(verdict)) ? message.slice(verdictText(verdict).length) : `; ${message}`
  return `judged ${verdict.kind === 'bad' ? 'bad' : 'by its surroundings'} after ${span(times.judged - times.applied)}${said}`
}

/** An attempt names its release by itself too: history outlives the ledger's memory of it. */
function revisionView(attempt: Attempt): ReleaseView | null {
  const { revision } = attempt
  if (revision === null) return null
  const number = attempt.release === null ? '' : `r${attempt.releaseNumber}`
  return { id: attempt.release ?? '', number, ...shownRevision(revision) }
}

export function verdictView(verdict: Verdict): VerdictView {
  return { ...verdict, at: time(verdict.at) }
}

export function releaseView(ledger: Ledger, id: ReleaseId): ReleaseView | null {
  const known = ledger.releases[id]
  if (known === undefined) return null
  return { id, number: `r${known.number}`, ...shownRevision(known.revision) }
}

function shownRevision({ commit, subject, author, committedAt, sources }: Revision): Omit<ReleaseView, 'id' | 'number'> {
  return { commit, revisions: sources ?? [commit], subject, author, committedAt }
}

export function candidateView(ledger: Ledger, candidate: Candidate | null): ReleaseView | null {
  if (candidate?.revision == null) return null
  const id = candidate.kind === 'release' ? candidate.release.id : ''
  const number = candidate.kind === 'release' ? numberOf(ledger, candidate.release.id) : ''
  return { id, number, ...shownRevision(candidate.revision) }
}

/** Nothing of it is in the way of what is released: it is shown, and is no part of any sentence. */
export function chartWarnings(candidate: Candidate | null): readonly string[] {
  return candidate?.kind === 'release' ? (candidate.warnings ?? []).map(words => `${chartSays}${words}`) : []
}

export function numberOf(ledger: Ledger, id: ReleaseId): string {
  const known = ledger.releases[id]
  return known === undefined ? '' : `r${known.number}`
}

export function time(ms: number): string {
  if (ms === 0) return ''
  const known = times.get(ms)
  if (known !== undefined) return known
  const text = new Date(ms).toISOString()
  if (times.size >= mostTimes) times.clear()
  times.set(ms, text)
  return text
}

/** The same few times are shown at each pass of each application: writing them out took a twentieth of the work of a thousand. */
const times = new Map<number, string>()
const mostTimes = 20_000
