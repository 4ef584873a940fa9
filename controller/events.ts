// What happened, as events that others subscribe to (`slipway.events.<application>.<what>`): made from two ledgers. Pure.
import { refKey, refText } from '../runtime/contract/manifest.js'
import type { Attempt, Ledger } from './ledger.js'
import type { Pass } from './reconcile.js'
import { time } from './records.js'
import type { EventView } from './view.js'
import { capital } from './words.js'

const eventNames: Readonly<Record<string, string>> = {
  Seen: 'seen',
  Rendering: 'rendering',
  Held: 'held',
  Preflight: 'preflight',
  Syncing: 'syncing',
  Verifying: 'verifying',
  Baking: 'baking',
  Healthy: 'healthy',
  RollingBack: 'rolling-back',
  RolledBack: 'rolled-back',
  Failed: 'failed',
  Superseded: 'superseded',
}

/** What happened between two ledgers, as events; ids are made from what they tell, so that telling twice is telling once. */
export function eventsBetween(before: Ledger | null, after: Ledger, ended: readonly Attempt[], now = 0): readonly EventView[] {
  const uid = after.application.uid
  const known = new Set(
    [before?.attempt, before?.trying].flatMap(attempt => (attempt == null ? [] : movesOf(uid, attempt).map(({ id }) => id))),
  )
  const attempts = new Map(
    [...ended, after.trying, after.attempt].filter(attempt => attempt !== null).map(attempt => [attempt.number, attempt]),
  )
  const moves = [...attempts.values()].flatMap(attempt =>
    movesOf(uid, attempt)
      .filter(({ id }) => !known.has(id))
      .map(({ id, move }) => ({
        id,
        at: time(move.at),
        application: after.application.name,
        what: eventName(move.step, attempt),
        message: capital(move.message),
        attempt: attempt.number,
        release: attempt.release ?? '',
        commit: attempt.revision?.commit ?? '',
      })),
  )
  return [...moves, ...deletionEvents(before, after, now)]
}

const hookTexts = { running: 'runs', succeeded: 'has ended', failed: 'failed' } as const

/** Hooks of a deletion as they begin and end, and what ends wave by wave. */
function deletionEvents(
  before: Ledger | null,
  { application, deletion, current, version }: Ledger,
  now: number,
): readonly EventView[] {
  if (deletion === null || current === null) return []
  const known = new Map(before?.current?.hookRuns.map(run => [refKey(run.ref), run.outcome]))
  const runs = current.hookRuns.filter(run => run.phase === 'PreDelete' || run.phase === 'PostDelete')
  const hooks = runs
    .filter(run => known.get(refKey(run.ref)) !== run.outcome)
    .map(run => [`${run.ref.name}.${run.outcome}`, `${run.phase} hook ${refText(run.ref)} ${hookTexts[run.outcome]}`] as const)
  const went = new Set(before?.current?.pruning.map(refKey))
  const going = current.pruning.filter(ref => !went.has(refKey(ref)))
  const named = going.length <= 3 ? going.map(refText).join(', ') : `${going.length} objects`
  const ending = going.length === 0 ? [] : [[`ending.${version}`, `ending ${named}`] as const]
  return [...hooks, ...ending].map(([id, message]) => ({
    id: `${application.uid}.deletion.${id}`,
    at: time(now),
    application: application.name,
    what: 'deleting',
    message: capital(message),
    attempt: 0,
    release: current.release,
    commit: '',
  }))
}

function eventName(step: string, attempt: Attempt): string {
  const name = step === 'Ended' ? (attempt.outcome ?? 'Ended') : step
  return eventNames[name] ?? name.toLowerCase()
}

function movesOf(uid: string, attempt: Attempt): readonly { readonly id: string; readonly move: Attempt['moves'][number] }[] {
  return attempt.moves.map((move, index) => ({ id: `${uid}.${attempt.number}.${index}.${move.step}`, move }))
}

/** A settled release turned ill, or well again (`ill` null; `since`: when it had turned ill). */
export function illnessEvent(
  { app, ledger, now }: Pick<Pass, 'app' | 'ledger' | 'now'>,
  ill: { readonly since: number; readonly message: string } | null,
  since: number,
): EventView {
  const release = ledger.current?.release ?? ''
  return {
    id: `${app.uid}.${ledger.attempt?.number ?? 0}.${ill === null ? 'recovered' : 'degraded'}.${ill?.since ?? since}`,
    at: time(ill === null ? now : ill.since),
    application: app.name,
    what: ill === null ? 'recovered' : 'degraded',
    message: ill === null ? 'Healthy again' : capital(ill.message),
    attempt: ledger.attempt?.number ?? 0,
    release,
    commit: release === '' ? '' : (ledger.releases[release]?.revision.commit ?? ''),
  }
}
