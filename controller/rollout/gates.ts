// What outside the ledger a release waits for before it may begin (T9): sync windows, and applications that this one depends on.
// Pure: others are given as they stand.
import { shortRevision } from '../application/tracked.js'
import type { Health } from '../health/assess.js'
import { isUnderWay, type Ledger } from '../ledger.js'
import type { Candidate, CommitSha } from '../release.js'
import { passage, type SyncWindow } from '../sync/windows.js'
import type { Gate } from './state.js'

/** An application that another depends on; `null` where none of that name is declared. */
export interface Standing {
  readonly ledger: Ledger
  /** As its last pass saw it; null: it was not looked at yet. */
  readonly candidate: Candidate | null
  readonly health: Health | null
  /** The newest commit that is known of its ref: its candidate may not be of that one yet. Null where that is not known. */
  readonly tip: CommitSha | null
  /** It is only observed: nothing of it is ever released here, so what counts is whether it is well. */
  readonly isObserved: boolean
}

/** Both ways: by itself, and asked for by a person. */
export function windowGate(windows: readonly SyncWindow[], now: number): Gate | null {
  const byItself = passage(windows, false, now)
  if (byItself.allowed) return null
  const { message, until } = byItself
  return { kind: 'window', application: '', message, until, passesAsked: passage(windows, true, now).allowed }
}

/** One for each that is not where it should be, in the order in which they are named. */
export function dependencyGates(names: readonly string[], standing: (name: string) => Standing | null): readonly Gate[] {
  return names.flatMap(application => {
    const missing = missingOf(standing(application))
    const message = `${application}, ${missing}`
    return missing === '' ? [] : [{ kind: 'dependency' as const, application, message, until: 0, passesAsked: false }]
  })
}

const wellStates: ReadonlySet<string> = new Set(['Healthy', 'Suspended'])

/** Why its newest is not its healthy current, as a clause; '' where it is. First that applies. */
function missingOf(one: Standing | null): string {
  if (one === null) return 'which is not declared'
  const { ledger, candidate, health, tip } = one
  if (ledger.deletion !== null) return 'which is being deleted'
  if (candidate === null) return 'which is not looked at yet'
  if (candidate.kind === 'rejection') return `which is held: ${candidate.rejection.message}`
  if (tip !== null && tip !== candidate.revision.commit) return `whose commit ${shortRevision(tip)} is not rendered yet`
  const unwell =
    health === null || (health.fresh && wellStates.has(health.status)) ? '' : `which is not healthy: ${health.message}`
  if (one.isObserved) return unwell
  const { attempt, current } = ledger
  if (candidate.release.id !== current?.release) return behindText(ledger, candidate.release.id)
  if (attempt?.outcome === 'Failed') return `which failed: ${attempt.message}`
  if (attempt?.outcome !== 'Healthy') return `which is being released: ${attempt?.message ?? ''}`
  return unwell
}

function behindText(ledger: Ledger, release: keyof Ledger['marks']): string {
  const mark = ledger.marks[release]
  if (mark !== undefined) return `whose newest release was judged: ${mark.verdict.message}`
  if (isUnderWay(ledger.attempt) || ledger.trying !== null) return 'whose newest release is on its way'
  return 'whose newest release does not run yet'
}

/** The way from an application over what it depends on back to itself, as names; null where there is none. */
export function dependencyCycle(
  name: string,
  dependsOn: readonly string[],
  of: (name: string) => readonly string[],
): readonly string[] | null {
  const seen = new Set<string>()
  const walk = (at: string, path: readonly string[]): readonly string[] | null => {
    if (at === name) return [...path, at]
    if (seen.has(at)) return null
    seen.add(at)
    for (const next of of(at)) {
      const found = walk(next, [...path, at])
      if (found !== null) return found
    }
    return null
  }
  for (const next of dependsOn) {
    const found = walk(next, [name])
    if (found !== null) return found
  }
  return null
}
