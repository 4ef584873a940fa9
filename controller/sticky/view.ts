// What an application keeps, as people see and name it: where it came from and where it stands, nothing of the values. Pure.
import { X509Certificate } from 'node:crypto'
import { contentHash } from '../../runtime/contract/hash.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import type { Ledger } from '../ledger.js'
import { leavesOf, partsOf } from '../sticky.js'
import { parseQuestion } from './lookup.js'

/** What can be rotated, as people see it: nothing of the value. */
export interface StickyView {
  readonly key: string
  /** `3f9a1c2b`: enough to name it by. */
  readonly id: string
  /** `randAlphaNum`; `lookup` for what was taken over from an object that was there, `chart` for the version that a range meant. */
  readonly function: string
  readonly file: string
  readonly label: string
  /** RFC 3339. */
  readonly at: string
  readonly from: string
  /** RFC 3339, of a certificate; '' otherwise. */
  readonly expires: string
  /** Where it stands in what runs: `Secret shop/db data.password`. */
  readonly places: readonly string[]
  readonly used: boolean
}

/** `objects`: of the release that is newest. */
export function stickyViews({ sticky }: Ledger, objects: readonly Manifest[]): readonly StickyView[] {
  const leaves = objects.flatMap(leavesOf)
  return Object.entries(sticky)
    .filter(([, { name, value }]) => name !== 'lookup' || (value !== 'null' && value !== '[]'))
    .map(([key, entry]) => ({
      key,
      id: idOf(key),
      function: entry.name,
      file: entry.file,
      label: entry.name === 'lookup' ? askedFor(entry.label) : entry.label,
      at: new Date(entry.at).toISOString(),
      from: entry.from,
      expires: expiryOf(entry.value),
      places:
        entry.name === 'lookup'
          ? [askedFor(entry.label)]
          : leaves.filter(({ text }) => holds(text, entry.value)).map(({ place }) => place),
      used: entry.idleSince === 0,
    }))
    .sort((a, b) => (a.file + a.label + a.key < b.file + b.label + b.key ? -1 : 1))
}

function expiryOf(value: string): string {
  const cert = partsOf(value).find(part => part.startsWith('-----BEGIN CERTIFICATE'))
  return cert === undefined ? '' : new Date(new X509Certificate(cert).validTo).toISOString()
}

/** Short ones are everywhere by chance: they count as a whole text only. */
export function holds(text: string, value: string): boolean {
  return partsOf(value).some(part => text === part || (part.length >= 8 && text.includes(part)))
}

/** `Secret shop/db` */
function askedFor(question: string): string {
  const [, kind, namespace, name] = parseQuestion(question)
  return `${kind} ${[namespace, name].filter(part => part !== '').join('/')}`
}

/**
 * Those that a person means: by its key or the beginning of the hash in it, an object or one of its fields (`Secret/db`,
 * `Secret/db:password`), a template, or a label that only one has. Throws what to say where a name fits none, or more than one.
 */
export function meantBy(name: string, views: readonly StickyView[]): readonly StickyView[] {
  const exact = views.filter(({ key, id, file }) => key === name || file === name || (name.length >= 4 && id.startsWith(name)))
  if (exact.length > 0) return exact
  const standing = views.filter(({ places }) => places.some(place => isAt(name, place)))
  if (standing.length > 0) return standing
  const labelled = views.filter(({ label }) => label === name)
  if (labelled.length === 1) return labelled
  const known = (labelled.length > 1 ? labelled : views).map(({ id }) => id).join(', ')
  if (labelled.length > 1) throw new Error(`${name} may be any of ${known}`)
  throw new Error(`${name} names nothing that is kept${known === '' ? '' : `; there are ${known}`}`)
}

/** The hash that a key ends with, or one of the key. */
function idOf(key: string): string {
  return (/-([0-9a-f]{24})$/.exec(key)?.[1] ?? contentHash(key, 24)).slice(0, 8)
}

/** `Secret/db:password` and `Secret shop/db data.password`. */
function isAt(name: string, place: string): boolean {
  const [, kind, object, field] = /^([^/]+)\/([^:]+)(?::(.+))?$/.exec(name) ?? []
  const [, placeKind, placeName = '', path = ''] = /^(\S+) (\S+) ?(.*)$/.exec(place) ?? []
  if (kind !== placeKind || (object !== placeName && object !== placeName.slice(placeName.indexOf('/') + 1))) return false
  return field === undefined || path === field || path.endsWith(`.${field}`)
}
