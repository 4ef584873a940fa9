// What of an application is not as it was applied, and who changed it: in a sentence, and as an event when that changes. Pure.
import type { FieldDrift, ObservedObject } from '../runtime/contract/documents.js'
import { contentHash } from '../runtime/contract/hash.js'
import { type ObjectRef, refKey, refText } from '../runtime/contract/manifest.js'
import type { Pass } from './reconcile.js'
import { time } from './records.js'
import type { EventView } from './view.js'

type Looked = Pick<Pass, 'health' | 'observed' | 'ledger'>

/** `Deployment shop/web: spec.replicas is 3, not 1 (kubectl-edit, 2026-11-21T19:52:32Z); and 2 more`; '' where all is as it was applied. */
export function driftText({ health, observed, ledger }: Looked): string {
  if (!health.fresh || ledger.attempt?.outcome == null) return ''
  const drifted = health.objects.filter(object => !object.there)
  const live = new Map(observed.objects.map(object => [refKey(object.ref), object]))
  const clauses = drifted.flatMap(({ ref }) => clausesOf(ref, live.get(refKey(ref))))
  if (drifted.length > 0 && clauses.length === 0) return 'live differs from what was applied'
  const more = clauses.length > most ? [`and ${clauses.length - most} more`] : []
  return [...clauses.slice(0, most), ...more].join('; ')
}

const most = 3

function clausesOf(ref: ObjectRef, live: ObservedObject | undefined): readonly string[] {
  if (live === undefined) return [`${refText(ref)} is not there`]
  return (live.drift ?? []).map(field => `${refText(ref)}: ${fieldText(field)}`)
}

/** `spec.replicas is 3, not 1 (kubectl-edit, 2026-11-21T19:52:32Z)` */
export function fieldText({ path, live, want, manager, at }: FieldDrift): string {
  if (path === '') return want
  const by = [manager, at].filter(text => text !== '').join(', ')
  const who = by === '' ? '' : ` (${by})`
  if (live === '(hidden)' && want === '(hidden)') return `${path} is another${who}`
  if (live === '') return `${path} was taken out${who}`
  return want === '' ? `${path} is ${live}, and should not be there${who}` : `${path} is ${live}, not ${want}${who}`
}

/** Told when it begins, changes, or is over. */
export function driftEvents(before: Looked | null, pass: Pass): readonly EventView[] {
  const [was, is] = [before === null ? '' : driftText(before), driftText(pass)]
  const { app, ledger, now } = pass
  // What a deletion takes away is told by the deletion.
  if (was === is || (ledger.deletion ?? null) !== null) return []
  const release = ledger.current?.release ?? ''
  const what = is === '' ? 'healed' : 'drift'
  return [
    {
      id: `${app.uid}.${ledger.attempt?.number ?? 0}.${what}.${contentHash([was, is, Math.floor(now / 1000)])}`,
      at: time(now),
      application: app.name,
      what,
      message: is === '' ? `As it was applied again: ${was}` : is,
      attempt: ledger.attempt?.number ?? 0,
      release,
      commit: release === '' ? '' : (ledger.releases[release]?.revision.commit ?? ''),
    },
  ]
}
