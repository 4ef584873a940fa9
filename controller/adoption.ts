// A store that was lost with NATS is made again from what lies with the nodes (architecture.md, "State").
import type { Manifest } from '../runtime/contract/manifest.js'
import { type ObjectRef, refKey, refOf } from '../runtime/contract/manifest.js'
import type { Entry } from './applications.js'
import type { Actor, Ledger } from './ledger.js'
import type { Release } from './release.js'
import type { Store } from './store/store.js'

/** What lies with a node of one application: newest orders first. */
export interface KeptApplication {
  readonly ledger: Ledger
  readonly declaration: Manifest
  readonly releases: readonly Release[]
  /** Of the order that it lies there with. */
  readonly epoch: number
}

export const recovery: Actor = { kind: 'slipway', name: 'recovery' }

/** Those the store lost: it knows nothing of them, and they were ordered before it was made. The newest word on each. */
export function lostOnes<K extends Pick<KeptApplication, 'ledger' | 'epoch'>>(
  kept: readonly K[],
  isKnown: (name: string) => boolean,
  madeAt: number,
): readonly K[] {
  const named = new Set<string>()
  return kept.filter(({ ledger, epoch }) => {
    const { name } = ledger.application
    if (epoch >= madeAt || isKnown(name) || named.has(name)) return false
    named.add(name)
    return true
  })
}

/**
 * Who declared a child that came back without its parent: the application whose ledger has it. The child's name -> the parent's.
 * One that is being deleted stays as it is: nothing can be declared of it.
 */
export function parentsOf(entries: readonly Pick<Entry, 'stored' | 'ledger'>[]): ReadonlyMap<string, string> {
  const isOrphan = ({ stored, ledger }: Pick<Entry, 'stored' | 'ledger'>) =>
    stored.parent === null && stored.by.name === recovery.name && ledger.deletion === null
  const orphans = new Map(entries.filter(isOrphan).map(({ stored }) => [refKey(refOf(stored.manifest)), stored.name]))
  const parents = new Map<string, string>()
  if (orphans.size === 0) return parents
  for (const { stored, ledger } of entries)
    for (const ref of declaredIn(ledger)) {
      const child = orphans.get(refKey(ref))
      if (child !== undefined && child !== stored.name) parents.set(child, stored.name)
    }
  return parents
}

function declaredIn({ current }: Ledger): readonly ObjectRef[] {
  const refused = new Set(current?.refused.map(({ ref }) => refKey(ref)))
  return current?.owned.filter(ref => ref.kind === 'Application' && !refused.has(refKey(ref))) ?? []
}

export interface Adoption {
  readonly store: Pick<Store, 'application' | 'putRelease' | 'putLedger' | 'putApplication' | 'madeAt'>
  readonly kept: () => readonly KeptApplication[]
  readonly entries: () => readonly Entry[]
  /** Reads what was put into the store. */
  readonly load: () => void
  readonly declare: (manifest: Manifest, by: Actor, parent: string) => Promise<unknown>
  readonly now: () => number
}

/** Ended half-way, or with a node still silent, it goes on where it was. Gives the names of those taken back. */
export async function takeBack(world: Adoption): Promise<readonly string[]> {
  const { store, now } = world
  const isKnown = (name: string) => store.application(name) !== null || world.entries().some(({ stored }) => stored.name === name)
  const lost = lostOnes(world.kept(), isKnown, store.madeAt())
  for (const { ledger, declaration, releases } of lost) {
    const { name, uid } = ledger.application
    for (const release of releases) await store.putRelease(name, release)
    await store.putLedger(ledger)
    const put = { name, uid, manifest: declaration, parent: null, generation: 1, createdAt: now(), by: recovery }
    await store.putApplication(put)
  }
  if (lost.length > 0) world.load()
  for (const [child, parent] of parentsOf(world.entries())) {
    const manifest = world.entries().find(({ stored }) => stored.name === child)?.stored.manifest
    if (manifest !== undefined) await world.declare(manifest, { kind: 'git', name: parent }, parent)
  }
  return lost.map(({ ledger }) => ledger.application.name)
}
