// Whether what was judged is tried again by itself, and when: the surroundings by release.md's minutes, or as `syncPolicy.retry` says;
// with that, syncs that failed too (a hook, a refused write): not what crashed once it ran.
import type { Mark, Verdict } from '../ledger.js'
import { type RetryPolicy, retryAfter } from '../sync/retry.js'

const surroundingsMinutes = [1, 5, 15, 60]
const syncSigns: ReadonlySet<string> = new Set(['HookFailed', 'HookTimeout', 'ApplyRefused'])

/** After the last try it counts as bad. */
export function markOf(before: Mark | undefined, verdict: Verdict, retry: RetryPolicy | null, now: number): Mark {
  const tries = (before?.kind === 'surroundings' ? before.tries : 0) + 1
  const wait = waitMs(verdict, retry, tries)
  if (wait === null) return { kind: 'bad', at: now, verdict, tries, dueAt: 0 }
  return { kind: 'surroundings', at: now, verdict, tries, dueAt: now + wait }
}

/** ms; null: not by itself. */
function waitMs({ kind, sign }: Verdict, retry: RetryPolicy | null, tries: number): number | null {
  if (kind === 'bad' && (retry === null || !syncSigns.has(sign))) return null
  if (retry !== null) return retryAfter(retry, tries - 1)
  const minutes = surroundingsMinutes[tries - 1]
  return minutes === undefined ? null : minutes * 60_000
}
