// A store that was lost with NATS is made again from what lies with the nodes (architecture.md, "State").
import type { Manifest } from '../runtime/contract/manifest.js'
import { type ObjectRef, refKey, refOf } from '../runtime/contract/manifest.js'
import type { Application } from './application.js'
import type { Entry } from './applications.js'
import { type Actor, type Ledger, lastMove } from './ledger.js'
import type { Release } from './release.js'
import type { Store, StoredApplication } from './store/store.js'

/** What lies with a node of one application: newest orders first. */
export interface KeptApplication {
  readonly ledger: Ledger
  readonly declaration: Manifest
  readonly releases: readonly Release[]
  /** Of the order that it lies there with. */
  readonly epoch: number
}

export const recovery: Actor = { kind: 'slipway', name: 'recovery' }

/** What is known of an application of that name. `until`: as StoredApplication has it; null where a person, or Git, said where it is. */
export interface KnownApplication {
  readonly uid: string
  readonly place: string
  readonly until: number | null
}

/**
 * What nodes keep of orders from before the store was made, newest first. Taken: what the store lost, the newest word on each, and what
 * moved later than the node knew of that was heard first. Left: other places of what is known: those have it no more.
 */
export function foundIn<K extends Pick<KeptApplication, 'ledger' | 'epoch'>>(
  kept: readonly K[],
  known: (name: string) => KnownApplication | null,
  madeAt: number,
): { readonly taken: readonly K[]; readonly left: readonly K[] } {
  const there = new Map<string, KnownApplication | null>()
  const [taken, left]: [K[], K[]] = [[], []]
  for (const one of kept.filter(({ epoch }) => epoch < madeAt)) {
    const { application, place } = one.ledger
    const { name, uid } = application
    const now = there.has(name) ? there.get(name)! : known(name)
    const isNewer = now === null || (now.until !== null && lastMove(one.ledger) > now.until)
    if (now !== null && (now.uid !== uid || now.place === place)) continue
    if (!isNewer) left.push(one)
    else {
      taken.push(one)
      there.set(name, { uid, place, until: lastMove(one.ledger) })
    }
  }
  return { taken, left }
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
  readonly store: Pick<Store, 'application' | 'madeAt'>
  readonly kept: () => readonly (KeptApplication & { readonly node: string })[]
  readonly entries: () => readonly Entry[]
  readonly take: (stored: StoredApplication, kept: Pick<KeptApplication, 'ledger' | 'releases'>) => Promise<void>
  readonly declare: (manifest: Manifest, by: Actor, parent: string) => Promise<unknown>
  /** The application is elsewhere: this node answers to nobody for it. */
  readonly leave: (app: Application, node: string) => Promise<void>
  readonly now: () => number
}

/** Ended half-way, or with a node still silent, it goes on where it was. Gives the names of those taken back. */
export async function takeBack(world: Adoption): Promise<readonly string[]> {
  const { store, now } = world
  const entryOf = (name: string) => world.entries().find(({ stored }) => stored.name === name)
  const { taken, left } = foundIn(world.kept(), name => knownOf(entryOf(name), store.application(name)), store.madeAt())
  for (const { ledger, declaration, releases } of taken) {
    const { name, uid } = ledger.application
    const { parent = null, generation = 0, createdAt = now() } = entryOf(name)?.stored ?? {}
    const put = { name, uid, manifest: declaration, parent, generation: generation + 1, createdAt, by: recovery }
    await world.take({ ...put, knownUntil: lastMove(ledger) }, { ledger, releases })
  }
  for (const [child, parent] of parentsOf(world.entries())) {
    const manifest = entryOf(child)?.stored.manifest
    if (manifest !== undefined) await world.declare(manifest, { kind: 'git', name: parent }, parent)
  }
  for (const { ledger, node } of left) {
    const entry = entryOf(ledger.application.name)
    if (entry !== undefined) await world.leave(entry.app, node)
  }
  return taken.map(({ ledger }) => ledger.application.name)
}

/** What lies in the store and could not be read is known all the same. */
function knownOf(entry: Entry | undefined, stored: StoredApplication | null): KnownApplication | null {
  if (entry === undefined) return stored && { uid: stored.uid, place: '', until: null }
  return { uid: entry.stored.uid, place: entry.app.destination.place, until: entry.stored.knownUntil ?? null }
}
