// What a cluster is known to hold: objects that some application tracks or names, what those own, and pods; kept new by one watch a
// kind. It knows no releases and writes nothing.
import { type ObjectRef, refKey } from '../../../runtime/contract/manifest.js'
import type { ApiClient, Sent } from './client.js'
import { type Discovery, listPath, type Resource } from './discovery.js'
import { type Memories, type SeenPod, seenPod } from './pods.js'
import { type Seen, seenOf } from './seen.js'
import { watchKind } from './watch.js'

export interface Entry extends Seen {
  readonly pod: SeenPod | null
  readonly memories: Memories
}

export interface Kind {
  readonly group: string
  readonly kind: string
}

export interface Cache {
  /** Watches these kinds from now on; resolves once each was listed (true), or the signal says so, which is asked for only then. Kinds that are not served are left out. */
  watch(kinds: readonly Kind[], until: () => AbortSignal): Promise<boolean>
  /** Why what is known of these kinds is old, and since when (ms since 1970); null where it is new. */
  trouble(kinds: readonly Kind[]): { readonly since: number; readonly message: string } | null
  /** Ends the watches of kinds that nobody asked for so long: an application that rests asks every ten minutes. */
  sweep(): void
  /** The server answers again: watches that wait to ask it do so now. */
  hasten(): void
  /** Also kept where nobody tracks them. */
  name(refs: readonly ObjectRef[]): void
  get(key: string): Entry | undefined
  of(application: string): readonly Entry[]
  ownedBy(uid: string): readonly Entry[]
  /** What a write answered: known before the watch says so. */
  put(object: Sent): void
  /** The last lines that a container of a pod wrote before it ended. */
  noteLog(uid: string, container: string, lines: readonly string[]): void
  readonly running: Promise<unknown>
}

export interface CacheOptions {
  readonly client: ApiClient
  readonly discovery: Discovery
  readonly now: () => number
  /** Something of this application, or of what it owns, is different. */
  readonly changed: (application: string) => void
  /** A container of this pod has ended since it was last seen. */
  readonly ended: (pod: SeenPod, container: string) => void
  /** How long a watch may say nothing, ms. */
  readonly silentMs?: () => number
  readonly idleMs?: number
  /** Where to look; all of the cluster where none is named. */
  readonly namespaces?: readonly string[]
}

/** Of an object that is not kept, its name: it may have been before. */
interface Looked {
  readonly key: string
  readonly uid: string
  readonly entry: Entry | null
}

interface Watched {
  readonly objects: Map<string, Entry>
  readonly stop: AbortController
  readonly listed: Promise<unknown>
  isListed: boolean
  /** By namespace; '' is the whole cluster. */
  readonly troubles: Map<string, { readonly since: number; readonly message: string }>
}

const idleMs = 25 * 60_000

export function createCache(options: CacheOptions, signal: AbortSignal): Cache {
  const { client, discovery, now } = options
  const watched = new Map<string, Watched>()
  const starting = new Map<string, Promise<void>>()
  /** When each kind was asked for last, ms since 1970. */
  const wanted = new Map<string, number>()
  const byApplication = new Map<string, Map<string, Entry>>()
  const byOwner = new Map<string, Map<string, Entry>>()
  const byUid = new Map<string, Entry>()
  const named = new Set<string>()
  const logs = new Map<string, Record<string, readonly string[]>>()
  const running: Promise<void>[] = []
  let hurry = new AbortController()

  function look(object: Sent): Looked {
    const known = sameAs(object)
    if (known !== undefined) return { key: known.key, uid: known.uid, entry: known }
    const seen = seenOf(object)
    const { key, uid, ref } = seen
    const isKept = seen.application !== '' || named.has(key) || isOwned(seen)
    if (!isKept) return { key, uid, entry: null }
    if (ref.kind !== 'Pod' || ref.group !== '') return { key, uid, entry: { ...seen, pod: null, memories: {} } }
    const before = byUid.get(uid)
    return { key, uid, entry: { ...seen, ...seenPod(object, before?.memories ?? {}, logs.get(uid) ?? {}) } }
  }

  /** What a write answered comes by the watch again. */
  function sameAs(object: Sent): Entry | undefined {
    const { uid, resourceVersion } = object.metadata as { uid?: string; resourceVersion?: string }
    const known = byUid.get(uid ?? '')
    return known?.version === resourceVersion ? known : undefined
  }

  function take(kind: Watched, { key, entry }: Looked): void {
    if (entry === null) drop(kind, key)
    else store(kind, entry)
  }

  function store(kind: Watched, entry: Entry): void {
    const before = kind.objects.get(entry.key)
    if (before === entry) return
    if (before !== undefined && before.uid === entry.uid && isOlder(entry.version, before.version)) return
    if (before !== undefined) unindex(before)
    kind.objects.set(entry.key, entry)
    byUid.set(entry.uid, entry)
    if (entry.application !== '') inner(byApplication, entry.application).set(entry.key, entry)
    if (entry.owner !== null) inner(byOwner, entry.owner.uid).set(entry.key, entry)
    tellEnds(before, entry)
    tell(before)
    tell(entry)
  }

  function drop(kind: Watched, key: string): void {
    const before = kind.objects.get(key)
    if (before === undefined) return
    kind.objects.delete(key)
    unindex(before)
    logs.delete(before.uid)
    tell(before)
  }

  function unindex(entry: Entry): void {
    if (byUid.get(entry.uid) === entry) byUid.delete(entry.uid)
    dropInner(byApplication, entry.application, entry.key)
    if (entry.owner !== null) dropInner(byOwner, entry.owner.uid, entry.key)
  }

  /** Up the owners to whoever is tracked. */
  function tell(entry: Entry | undefined): void {
    let at: Entry | undefined = entry
    for (let steps = 0; at !== undefined && steps < 5; steps++) {
      if (at.application !== '') options.changed(at.application)
      at = at.owner === null ? undefined : byUid.get(at.owner.uid)
    }
  }

  function tellEnds(before: Entry | undefined, { pod, memories }: Entry): void {
    if (pod === null) return
    for (const [name, memory] of Object.entries(memories))
      if (memory.ended > (before?.memories[name]?.ended ?? -1)) options.ended(pod, name)
  }

  async function begin(id: string, { group, kind }: Kind, stop: AbortSignal): Promise<void> {
    const resource = await discovery.preferred(group, kind, stop)
    if (resource === null || !resource.verbs.includes('watch')) return void starting.delete(id)
    const { namespaces = [] } = options
    const places = resource.namespaced && namespaces.length > 0 ? namespaces : ['']
    let listing: (of: Promise<unknown>) => void = () => {}
    const one: Watched = {
      objects: new Map(),
      stop: new AbortController(),
      listed: new Promise(whole => {
        listing = whole
      }),
      isListed: false,
      troubles: new Map(places.map(place => [place, { since: now(), message: `${resource.plural} are being listed` }])),
    }
    watched.set(id, one)
    const all = Promise.all(places.map(place => follow(resource, place, one)))
    listing(all)
    void all.then(() => {
      one.isListed = true
    })
  }

  /** Resolves once what is there was listed. */
  function follow(resource: Resource, place: string, kind: Watched): Promise<void> {
    const { silentMs } = options
    return new Promise(whole => {
      const listener = {
        listed(all: readonly Looked[]) {
          const there = new Set(all.map(({ key }) => key))
          for (const [key, { ref }] of [...kind.objects])
            if (!there.has(key) && (place === '' || ref.namespace === place)) drop(kind, key)
          for (const looked of all) take(kind, looked)
          kind.troubles.delete(place)
          whole()
        },
        changed: (looked: Looked) => take(kind, looked),
        removed: ({ key, uid }: Looked) => {
          if (kind.objects.get(key)?.uid === uid) drop(kind, key)
        },
        trouble(message: string) {
          const { troubles } = kind
          const was = troubles.get(place)
          if (message === '') troubles.delete(place)
          else troubles.set(place, { since: was?.since ?? now(), message: `${resource.plural}: ${message}` })
          if ((was === undefined) !== (message === '')) for (const name of byApplication.keys()) options.changed(name)
        },
      }
      const path = listPath(resource, place)
      running.push(
        watchKind(
          { client, path, project: look, listener, hurry: () => hurry.signal, ...(silentMs === undefined ? {} : { silentMs }) },
          AbortSignal.any([signal, kind.stop.signal]),
        ),
      )
    })
  }

  return {
    async watch(kinds, until) {
      for (const kind of kinds) {
        const id = idOf(kind)
        wanted.set(id, now())
        if (starting.has(id)) continue
        const start = begin(id, kind, signal)
        starting.set(id, start)
        // Could not be found out: asked again by the next who needs it.
        start.catch(() => starting.delete(id))
      }
      // As nearly always: each pass asks.
      if (kinds.every(kind => watched.get(idOf(kind))?.isListed === true)) return true
      const given = new Promise<false>(resolve => until().addEventListener('abort', () => resolve(false), { once: true }))
      const whole = Promise.all(kinds.map(kind => starting.get(idOf(kind)))).then(() =>
        Promise.all(kinds.map(kind => watched.get(idOf(kind))?.listed)),
      )
      return Promise.race([whole.then(() => true), given])
    },
    trouble(kinds) {
      const found = kinds.flatMap(kind => [...(watched.get(idOf(kind))?.troubles.values() ?? [])])
      return found.sort((a, b) => a.since - b.since)[0] ?? null
    },
    sweep() {
      for (const [id, one] of watched) {
        if (now() - (wanted.get(id) ?? 0) < (options.idleMs ?? idleMs)) continue
        one.stop.abort(new Error('nobody asks for this kind any more'))
        for (const key of [...one.objects.keys()]) drop(one, key)
        for (const known of [watched, starting, wanted]) known.delete(id)
      }
    },
    hasten() {
      hurry.abort()
      hurry = new AbortController()
    },
    name(refs) {
      for (const ref of refs) named.add(refKey(ref))
    },
    get(key) {
      for (const { objects } of watched.values()) {
        const found = objects.get(key)
        if (found !== undefined) return found
      }
      return undefined
    },
    of: application => [...(byApplication.get(application)?.values() ?? [])],
    ownedBy: uid => [...(byOwner.get(uid)?.values() ?? [])],
    put(object) {
      const { entry } = look(object)
      const kind = entry === null ? undefined : watched.get(idOf(entry.ref))
      if (entry !== null && kind !== undefined) store(kind, entry)
    },
    noteLog(uid, container, lines) {
      const entry = byUid.get(uid)
      if (entry === undefined || entry.pod === null) return
      const known = { ...logs.get(uid), [container]: lines }
      logs.set(uid, known)
      const containers = entry.pod.containers.map(one => (one.name === container ? { ...one, lastLog: lines } : one))
      const kind = watched.get(idOf(entry.ref))
      if (kind !== undefined) store(kind, { ...entry, pod: { ...entry.pod, containers } })
    },
    get running() {
      return Promise.allSettled(running)
    },
  }
}

/** What stands between a workload and its pods, and pods themselves: whose they are is known by their owners. */
function isOwned({ ref, owner }: Seen): boolean {
  const id = idOf(ref)
  return owner !== null && (id === '/Pod' || id === 'apps/ReplicaSet' || id === 'apps/ControllerRevision' || id === 'batch/Job')
}

function idOf({ group, kind }: Kind): string {
  return `${group}/${kind}`
}

/** Versions are opaque, but of one object in one server they are numbers that go up; what is no number is taken as newer. */
function isOlder(version: string, than: string): boolean {
  return /^\d+$/.test(version) && /^\d+$/.test(than) && BigInt(version) < BigInt(than)
}

function inner<V>(map: Map<string, Map<string, V>>, key: string): Map<string, V> {
  const found = map.get(key) ?? new Map<string, V>()
  map.set(key, found)
  return found
}

function dropInner<V>(map: Map<string, Map<string, V>>, key: string, id: string): void {
  const found = map.get(key)
  found?.delete(id)
  if (found?.size === 0) map.delete(key)
}
