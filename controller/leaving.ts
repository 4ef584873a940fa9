// What a deleted application leaves for whoever comes next: what it let go, or what its data can be read with. Pure.
import { type Manifest, refKey, refOf } from '../runtime/contract/manifest.js'
import type { Ledger } from './ledger.js'
import type { Release } from './release.js'
import { holds } from './sticky/view.js'
import { leavesOf } from './sticky.js'
import type { LeftBehind } from './store/store.js'

/** So many applications of a place, each with the few objects that hold what it minted. */
const mostEnded = 500

/** `release`: what was current. Without objects nothing is left. */
export function leavesBehind(ledger: Ledger, release: Release | null, now: number): LeftBehind {
  const { application, place, current, deletion } = ledger
  const owned = new Set(current?.owned.map(refKey))
  const objects = (release?.objects ?? []).filter(object => owned.has(refKey(refOf(object))))
  if (deletion?.cascade === false) return { application, place, objects }
  // Its volumes stay, and a database in one of them knows the password of then: who names these objects again goes on with it.
  const isDataKept = (release?.objects ?? []).some(claimsData)
  return { application, place, objects: isDataKept ? objects.filter(object => holdsMinted(object, ledger)) : [], endedAt: now }
}

function claimsData(object: Manifest): boolean {
  const { volumeClaimTemplates } = (object.spec ?? {}) as { readonly volumeClaimTemplates?: readonly unknown[] }
  return object.kind === 'PersistentVolumeClaim' || (volumeClaimTemplates ?? []).length > 0
}

function holdsMinted(object: Manifest, { sticky }: Ledger): boolean {
  const values = Object.values(sticky).flatMap(({ name, value }) => (name === 'lookup' ? [] : [value]))
  return leavesOf(object).some(({ text }) => values.some(value => holds(text, value)))
}

/** Those that make room for one more, the oldest first: what was let go runs, and never does. */
export function tooOld(left: readonly LeftBehind[], most = mostEnded): readonly LeftBehind[] {
  const ended = left.filter(({ endedAt }) => endedAt !== undefined)
  return ended.toSorted((a, b) => a.endedAt! - b.endedAt!).slice(0, Math.max(0, ended.length - most))
}
