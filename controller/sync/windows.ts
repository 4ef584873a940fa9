// Sync windows: when a release may begin. Argo CD's rules (pkg/apis/application/v1alpha1/types.go, SyncWindows.CanSync): an active deny
// wins; where there are allows, one has to be active; a person's sync passes where every window that stands in its way says `manualSync`.
import { type Fields, fieldsOf } from '../fields.js'
import { isTimeZone, lastStart, nextStart, parseSchedule, type Schedule } from './schedule.js'

export interface SyncWindow {
  readonly kind: 'allow' | 'deny'
  /** As it was written, for people. */
  readonly schedule: string
  readonly durationMs: number
  readonly timeZone: string
  /** Whom it is for: names and globs; of each kind that is given one has to match: any of them, or all with `andOperator`. */
  readonly applications: readonly string[]
  readonly namespaces: readonly string[]
  readonly clusters: readonly string[]
  readonly andOperator: boolean
  readonly manualSync: boolean
  readonly description: string
}

/** Whom a window is asked for. `clusters`: every word by which its destination may be meant. */
export interface Asker {
  readonly name: string
  readonly namespace: string
  readonly clusters: readonly string[]
}

export type Passage =
  | { readonly allowed: true }
  /** `until`: when it opens, ms since 1970; 0 where that is not known. */
  | { readonly allowed: false; readonly message: string; readonly until: number }

const windowFields = [
  'kind',
  'schedule',
  'duration',
  'timeZone',
  'applications',
  'namespaces',
  'clusters',
  'manualSync',
  'andOperator',
  'description',
]

/** `field` of a declaration as windows, each fault with its pointer. An application's own need not name it. */
export function readWindows(from: Fields, field: string): readonly SyncWindow[] {
  return from.list(field).map((entry, at) => {
    const window = fieldsOf(entry, `${from.path === '' ? '' : `${from.path}.`}${field}[${at}]`, from.faults, windowFields)
    const schedule = window.text('schedule', '')
    if (parseSchedule(schedule) === null)
      window.fault('schedule', `want five fields as cron has them, such as "0 22 * * mon-fri", got ${JSON.stringify(schedule)}`)
    const durationMs = window.duration('duration', 0)
    if (durationMs === 0) window.fault('duration', 'is missing; give how long it lasts, such as 1h30m')
    const timeZone = window.text('timeZone', 'UTC') || 'UTC'
    if (!isTimeZone(timeZone))
      window.fault('timeZone', `${JSON.stringify(timeZone)} is no time zone; want one such as Europe/Berlin`)
    return {
      kind: window.oneOf('kind', ['allow', 'deny'], 'allow'),
      schedule,
      durationMs,
      timeZone,
      applications: window.textList('applications'),
      namespaces: window.textList('namespaces'),
      clusters: window.textList('clusters'),
      andOperator: window.flag('andOperator', false),
      manualSync: window.flag('manualSync', false),
      description: window.text('description', ''),
    }
  })
}

/** A window that names nobody is for nobody (Argo CD's rule for a project's windows). */
export function isFor(window: SyncWindow, asker: Asker): boolean {
  const asked: readonly (readonly [readonly string[], readonly string[]])[] = [
    [window.applications, [asker.name]],
    [window.namespaces, [asker.namespace]],
    [window.clusters, asker.clusters],
  ]
  const answers = asked.filter(([globs]) => globs.length > 0).map(([globs, names]) => names.some(name => matchesAny(globs, name)))
  if (answers.length === 0) return false
  return window.andOperator ? answers.every(Boolean) : answers.some(Boolean)
}

function matchesAny(globs: readonly string[], name: string): boolean {
  return globs.some(glob => {
    const pattern = glob
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replace(/\*/g, '.*')
      .replace(/\?/g, '.')
    return new RegExp(`^${pattern}$`).test(name)
  })
}

/** What these windows, all of them the application's, say now. */
export function passage(windows: readonly SyncWindow[], isManual: boolean, now: number): Passage {
  const read = windows.flatMap(window => {
    const schedule = parseSchedule(window.schedule)
    return schedule === null ? [] : [{ window, schedule }]
  })
  const closing = closingAt(read, isManual, now)
  if (closing === null) return { allowed: true }
  const until = opensAt(read, isManual, now)
  return { allowed: false, message: closingText(closing), until }
}

interface Read {
  readonly window: SyncWindow
  readonly schedule: Schedule
}

/** The window that stands in the way; null where none does. */
function closingAt(read: readonly Read[], isManual: boolean, now: number): SyncWindow | null {
  const active = read.filter(one => endOf(one, now) > now).map(({ window }) => window)
  const denies = active.filter(({ kind }) => kind === 'deny')
  if (denies.length > 0) return blocking(denies, isManual)
  const allows = read.map(({ window }) => window).filter(({ kind }) => kind === 'allow')
  if (allows.length === 0 || active.length > 0) return null
  return blocking(allows, isManual)
}

/** A person passes only where all of them say so. */
function blocking(windows: readonly SyncWindow[], isManual: boolean): SyncWindow | null {
  return (isManual ? windows.find(({ manualSync }) => !manualSync) : windows[0]) ?? null
}

/** When the last one that began ends; 0 where none began. */
function endOf({ window, schedule }: Read, now: number): number {
  const start = lastStart(schedule, window.timeZone, now)
  return start === null ? 0 : start + window.durationMs
}

const changesLooked = 50

/** The first end or start of one of them at which nothing stands in the way any more. */
function opensAt(read: readonly Read[], isManual: boolean, now: number): number {
  let at = now
  for (let looked = 0; looked < changesLooked; looked += 1) {
    const changes = read.flatMap(one => [endOf(one, at), nextStart(one.schedule, one.window.timeZone, at) ?? 0])
    const next = Math.min(...changes.filter(change => change > at))
    if (!Number.isFinite(next)) return 0
    if (closingAt(read, isManual, next) === null) return next
    at = next
  }
  return 0
}

function closingText({ kind, schedule, timeZone, durationMs, description }: SyncWindow): string {
  const hours = durationMs / 3_600_000
  const lasting = hours >= 1 ? `${Math.round(hours * 10) / 10} h` : `${Math.round(durationMs / 60_000)} min`
  const what = kind === 'deny' ? 'the end of the window that denies syncs' : 'the next window that allows syncs'
  return `${what} ("${schedule}" ${timeZone}, ${lasting}${description === '' ? '' : `: ${description}`})`
}
