// What an application keeps of its renders in the ledger (architecture.md, "Rendering must not feed back on itself"): what a render may
// use, what it adds, how long that stays, how it is rotated. Pure; nothing of a value is ever part of a text for people.
import { contentHash } from '../runtime/contract/hash.js'
import type { Manifest } from '../runtime/contract/manifest.js'
import { refOf, refText } from '../runtime/contract/manifest.js'
import type { Ledger } from './ledger.js'
import type { Candidate } from './release.js'

/** A value that a random function gave, or the first answer of `lookup` about an object of the application's own. */
export interface StickyEntry {
  /** JSON: a text, an integer, a certificate with its key; of a `lookup` the object, the objects, or null. */
  readonly value: string
  /** The function that gave it. */
  readonly name: string
  /** The template that asked first; '' of a `lookup`. */
  readonly file: string
  /** The YAML key or variable on whose line it stands, '' where there is none; of a `lookup` its question. */
  readonly label: string
  /** The key without file names: how it is found again after a template was renamed. */
  readonly loose: string
  /** When it was made, taken over from what was there, or found again under another name, ms since 1970. */
  readonly at: number
  readonly from: 'minted' | 'live' | 'renamed'
  /** Since when no known release uses it, ms since 1970; 0: one does. */
  readonly idleSince: number
}

export type Sticky = Readonly<Record<string, StickyEntry>>

/** What a render took from beside Git: as long as that is the same, so is what comes out. */
export interface Uses {
  /** Entries of the ledger, and those that it made. */
  readonly sticky: Sticky
  /** Questions of `lookup` about what is not the application's own -> hash of what is there. */
  readonly lookups: Readonly<Record<string, string>>
  /** What counted as its own meanwhile, by refKey; nothing where nothing was looked up. */
  readonly own: readonly string[]
}

/** Values of one application, characters: they are written with every change of its ledger. */
export const mostKept = 256_000

/** How long a value stays that no known release uses: whoever goes back further in Git finds it. */
export const idleMs = 30 * 86_400_000

/** The key of the first answer to a question of `lookup`. */
export function answerKey(question: string): string {
  return `lookup-${contentHash(question, 24)}`
}

/** The ledger with what the candidate was made with: stored before anybody is told of the candidate. The same one where nothing is new. */
export function keeping(ledger: Ledger, candidate: Candidate | null): Ledger {
  const added = Object.entries(candidate?.uses?.sticky ?? {}).filter(([key]) => ledger.sticky[key] === undefined)
  if (added.length === 0) return ledger
  const sticky = { ...ledger.sticky, ...Object.fromEntries(added) }
  return { ...ledger, version: ledger.version + 1, sticky: withRoom(sticky, candidate?.uses?.sticky ?? {}) ?? sticky }
}

export function keptSize(sticky: Sticky): number {
  return Object.entries(sticky).reduce((sum, [key, { value }]) => sum + key.length + value.length, 0)
}

/** With the candidate's keys among those of its release; what nothing known uses is marked, and forgotten when its time is over. */
export function withUses(ledger: Ledger, candidate: Candidate | null, now: number): Ledger {
  if (candidate?.kind !== 'release') return ledger
  const used = Object.keys(candidate.uses?.sticky ?? {})
  const known = ledger.releases[candidate.release.id]
  const missing = known === undefined ? [] : used.filter(key => !known.uses?.includes(key))
  if (known === undefined || missing.length === 0) return { ...ledger, sticky: aged(ledger, used, now) }
  const releases = { ...ledger.releases, [candidate.release.id]: { ...known, uses: [...(known.uses ?? []), ...missing] } }
  return { ...ledger, releases, sticky: aged({ ...ledger, releases }, used, now) }
}

function aged({ sticky, releases }: Ledger, used: readonly string[], now: number): Sticky {
  const inUse = new Set([...used, ...Object.values(releases).flatMap(release => release.uses ?? [])])
  const entries = Object.entries(sticky)
  const next = entries.flatMap(([key, entry]): [string, StickyEntry][] => {
    if (inUse.has(key)) return [[key, entry.idleSince === 0 ? entry : { ...entry, idleSince: 0 }]]
    if (entry.idleSince === 0) return [[key, { ...entry, idleSince: now }]]
    return now - entry.idleSince > idleMs ? [] : [[key, entry]]
  })
  const isSame = next.length === entries.length && next.every(([, entry], at) => entry === entries[at]?.[1])
  return isSame ? sticky : Object.fromEntries(next)
}

/** Room for what a render adds: what nothing uses goes first, the longest unused before the others. null: it is too much all the same. */
export function withRoom(sticky: Sticky, uses: Sticky): Sticky | null {
  const all = { ...sticky, ...uses }
  const idle = Object.entries(all)
    .filter(([key, { idleSince }]) => idleSince > 0 && uses[key] === undefined)
    .sort(([, a], [, b]) => a.idleSince - b.idleSince)
  while (keptSize(all) > mostKept) {
    const [key] = idle.shift() ?? []
    if (key === undefined) return null
    delete (all as Record<string, StickyEntry>)[key]
  }
  return all
}

/**
 * Values that were in use until now under another file name: `minted` key -> the entry it goes on with. Only where it is plain which one
 * is meant, and only what the release before used: what was rotated since, or belongs to something long gone, never comes back.
 */
export function renamed(ledger: Ledger, minted: Sticky, used: ReadonlySet<string>): Readonly<Record<string, StickyEntry>> {
  const before = new Set(lastUses(ledger))
  // One that was found again already goes on under its newer name.
  const inUse = new Set([...used].map(key => ledger.sticky[key]?.value))
  const left = Object.entries(ledger.sticky).filter(([key, { value }]) => before.has(key) && !used.has(key) && !inUse.has(value))
  const only = <T extends { readonly loose: string }>(all: readonly (readonly [string, T])[], loose: string) => {
    const found = all.filter(([, entry]) => entry.loose === loose)
    return found.length === 1 ? found[0]?.[1] : undefined
  }
  const fresh = Object.entries(minted).filter(([key]) => !before.has(key))
  return Object.fromEntries(
    fresh.flatMap(([key, { loose, file, label }]) => {
      const old = only(fresh, loose) === undefined ? undefined : only(left, loose)
      return old === undefined ? [] : [[key, { ...old, file, label, from: 'renamed' as const }] as const]
    }),
  )
}

/** Of the release that was rendered last. */
function lastUses({ releases }: Ledger): readonly string[] {
  return (
    Object.values(releases)
      .toSorted((a, b) => a.number - b.number)
      .at(-1)?.uses ?? []
  )
}

/**
 * Forgets these: the next render makes new ones. So it does with the same value under the name of before (a template that was
 * renamed). A first answer of `lookup` becomes "there is nothing": what is there is what is to be replaced.
 */
export function rotated(ledger: Ledger, keys: readonly string[]): Ledger {
  const chosen = new Set(keys)
  const twins = new Set(keys.flatMap(key => ledger.sticky[key] ?? []).map(({ loose, value }) => `${loose} ${value}`))
  const next = Object.entries(ledger.sticky).flatMap(([key, entry]): [string, StickyEntry][] => {
    if (!chosen.has(key) && (entry.name === 'lookup' || !twins.has(`${entry.loose} ${entry.value}`))) return [[key, entry]]
    return entry.name === 'lookup' ? [[key, { ...entry, value: entry.value.startsWith('[') ? '[]' : 'null' }]] : []
  })
  return { ...ledger, version: ledger.version + 1, sticky: Object.fromEntries(next) }
}

/** The texts that a value consists of: one, or a certificate and its key. */
export function partsOf(value: string): readonly string[] {
  const json = JSON.parse(value) as unknown
  if (typeof json === 'string') return [json]
  return typeof json === 'object' && json !== null ? Object.values(json).filter(part => typeof part === 'string') : []
}

interface Leaf {
  /** `Secret shop/db data.password` */
  readonly place: string
  readonly path: readonly string[]
  /** What is encoded in a Secret's `data` is decoded. */
  readonly text: string
}

/** Every text in an object. */
export function leavesOf(object: Manifest): readonly Leaf[] {
  const found: Leaf[] = []
  const name = refText(refOf(object))
  const walk = (value: unknown, path: readonly string[]): void => {
    if (typeof value === 'string' || typeof value === 'number') {
      const isEncoded = object.kind === 'Secret' && path[0] === 'data'
      const text = isEncoded ? Buffer.from(String(value), 'base64').toString('utf8') : String(value)
      found.push({ place: `${name} ${path.join('.')}`, path, text })
    } else if (typeof value === 'object' && value !== null)
      for (const [key, item] of Object.entries(value)) walk(item, [...path, key])
  }
  walk(object, [])
  return found
}
