// Whose each object at a place is: of the application that runs it, else of the first that is about to.
import { type ObjectRef, refKey } from '../runtime/contract/manifest.js'

interface Claim {
  readonly place: string
  readonly release: string
  readonly keys: readonly string[]
}

export class Owners {
  /** Per place: by refKey, which application runs it. */
  readonly #owners = new Map<string, Map<string, string>>()
  /** What each application was last written in there with. */
  readonly #owned = new Map<string, { readonly place: string; readonly refs: readonly ObjectRef[] }>()
  /** The same of what is tried or begun and not there yet. */
  readonly #claimants = new Map<string, Map<string, string>>()
  readonly #claims = new Map<string, Claim>()

  clear(): void {
    for (const known of [this.#owners, this.#owned, this.#claimants, this.#claims]) known.clear()
  }

  /** Which application has this object at the place, if it is another. */
  ownerOf(place: string, key: string, except: string): string | null {
    const owner = this.#owners.get(place)?.get(key) ?? this.#claimants.get(place)?.get(key) ?? null
    return owner === except ? null : owner
  }

  /** What an application left behind at a former place stays its own there. */
  own(place: string, name: string, refs: readonly ObjectRef[]): void {
    const before = this.#owned.get(name)
    if (before?.place === place && before.refs === refs) return
    const owners = at(this.#owners, place)
    if (before?.place === place) for (const ref of before.refs) if (owners.get(refKey(ref)) === name) owners.delete(refKey(ref))
    for (const ref of refs) owners.set(refKey(ref), name)
    this.#owned.set(name, { place, refs })
  }

  /** What it is about to run; who was first stays first. '': nothing. `refs` is asked only where the release is another than before. */
  claim(place: string, name: string, release: string, refs: () => readonly ObjectRef[]): void {
    const before = this.#claims.get(name)
    if (before?.place === place && before.release === release) return
    const former = before === undefined ? undefined : this.#claimants.get(before.place)
    for (const key of before?.keys ?? []) if (former?.get(key) === name) former?.delete(key)
    this.#claims.delete(name)
    if (release === '') return
    const claimants = at(this.#claimants, place)
    const keys = refs().map(refKey)
    for (const key of keys) if (!claimants.has(key)) claimants.set(key, name)
    this.#claims.set(name, { place, release, keys })
  }

  forget(place: string, name: string): void {
    this.own(place, name, [])
    this.#owned.delete(name)
    this.claim(place, name, '', () => [])
  }
}

function at(places: Map<string, Map<string, string>>, place: string): Map<string, string> {
  const known = places.get(place) ?? new Map<string, string>()
  places.set(place, known)
  return known
}
