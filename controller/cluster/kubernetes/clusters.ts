// All Kubernetes clusters of the configuration, each opened when it can be: one that is misconfigured or away holds up nobody else.
import type { KnownCluster } from '../../application.js'
import type { Cluster, Observed } from '../cluster.js'
import { type Access, accessTo, type ClusterSource } from './access.js'
import { type ApiClient, budgetOf, createClient } from './client.js'
import { createKubernetesCluster, type KubernetesCluster, type KubernetesOptions } from './cluster.js'
import type { Found } from './keeping.js'
import type { LookUp } from './lookup.js'

export interface Clusters {
  /** The place of `destination.name`, one of the configured names. */
  cluster(name: string): Cluster
  /** Of the application's cluster, for its charts; throws where it is not reached. */
  lookUp: LookUp
  known(): readonly KnownCluster[]
  /** Throws where it cannot be used, or is none of the configuration's. */
  client(name: string): Promise<ApiClient>
  /** Tried once each: from then on servers are known. */
  readonly opened: Promise<void>
  /** What lies in this one, for a store that was lost. Throws where it does not answer. */
  kept(name: string, signal: AbortSignal): Promise<readonly Found[]>
  onChange(listener: (application: string) => void): void
  /** Why some are not reached; '' when all are. */
  trouble(): string
  close(): Promise<void>
}

export type ClustersOptions = Omit<KubernetesOptions, 'name' | 'client'> & { readonly sources: readonly ClusterSource[] }

interface Slot {
  readonly source: ClusterSource
  server: string
  since: number
  trouble: string
  opening: Promise<KubernetesCluster> | null
  open: KubernetesCluster | null
}

const openAgainMs = 15_000

export function openClusters(options: ClustersOptions): Clusters {
  const listeners = new Set<(application: string) => void>()
  const tell = (application: string) => {
    for (const listener of listeners) listener(application)
  }
  const slots = new Map(
    options.sources.map(source => [
      source.name,
      { source, server: '', since: 0, trouble: '', opening: null, open: null } as Slot,
    ]),
  )

  async function begin(slot: Slot): Promise<KubernetesCluster> {
    const access: Access = await accessTo(slot.source)
    slot.server = access.server
    const { name, uid, requestsPerSecond, namespaces } = slot.source
    const budget = requestsPerSecond === undefined ? {} : { budget: budgetOf(requestsPerSecond) }
    const client = await createClient({ access, now: options.now, ...budget })
    const cluster = createKubernetesCluster({
      ...options,
      name,
      client,
      ...(uid === undefined ? {} : { uid }),
      ...(namespaces === undefined ? {} : { namespaces }),
    })
    cluster.onChange(tell)
    slot.open = cluster
    slot.trouble = ''
    return cluster
  }

  /** Not tried again at every pass: what is misconfigured stays so for a while. */
  function opened(slot: Slot): Promise<KubernetesCluster> {
    const isDue = slot.trouble === '' || options.now() - slot.since >= openAgainMs
    if (slot.opening === null || (slot.trouble !== '' && isDue)) {
      slot.trouble = ''
      slot.opening = begin(slot).catch((error: Error) => {
        slot.since = options.now()
        slot.trouble = error.message
        options.warn(error.message)
        throw error
      })
      slot.opening.catch(() => {})
    }
    return slot.opening
  }

  function placeOf(slot: Slot): Cluster {
    const open = () => opened(slot)
    return {
      observe: async (app, signal, against) => {
        const cluster = await open().catch(() => null)
        return cluster === null ? unreached(slot) : cluster.observe(app, signal, against)
      },
      preflight: async (app, release, round, order, signal) => (await open()).preflight(app, release, round, order, signal),
      apply: async (app, objects, order, signal) => (await open()).apply(app, objects, order, signal),
      prune: async (app, refs, order, signal) => (await open()).prune(app, refs, order, signal),
      remember: async (app, order, signal) => (await open()).remember(app, order, signal),
      remove: async (app, order, signal) => (await open()).remove(app, order, signal),
      letGo: async (app, order, signal) => (await open()).letGo(app, order, signal),
      forget: async (app, signal) => (await open()).forget(app, signal),
      async *logs(app, pod, container, wish, signal) {
        yield* (await open()).logs(app, pod, container, wish, signal)
      },
      onChange: listener => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    }
  }
  const places = new Map([...slots].map(([name, slot]) => [name, placeOf(slot)]))

  return {
    cluster(name) {
      const found = places.get(name)
      if (found === undefined)
        throw new Error(`there is no cluster ${name} in the controller's configuration any more; add it under clusters`)
      return found
    },
    async lookUp(app, wanted, signal) {
      const slot = slots.get(app.destination.name)
      return slot === undefined ? [] : (await opened(slot)).lookUp(app, wanted, signal)
    },
    known: () =>
      [...slots.values()].map(({ source, server }) => ({ name: source.name, server, isOwn: source.kind === 'account' })),
    async client(name) {
      const slot = slots.get(name)
      if (slot === undefined) throw new Error(`there is no cluster ${name} in the controller's configuration`)
      return (await opened(slot)).client
    },
    opened: Promise.all([...slots.values()].map(slot => opened(slot).catch(() => null))).then(() => undefined),
    kept: async (name, signal) => (await opened(slots.get(name)!)).kept(signal),
    onChange: listener => void listeners.add(listener),
    trouble: () => [...slots.values()].flatMap(({ trouble, open }) => trouble || open?.trouble() || []).join('; '),
    async close() {
      await Promise.all([...slots.values()].map(async ({ open }) => open?.close()))
    },
  }
}

/** Nothing is known of what runs there; it is looked at again by itself. */
function unreached({ source, since, trouble }: Slot): Observed {
  const message = `cluster ${source.name} cannot be used: ${trouble}`
  return {
    at: 0,
    silent: { since, message, hears: false },
    ordered: null,
    obeyed: null,
    attempt: 0,
    release: '',
    preflight: null,
    objects: [],
    pods: [],
    gone: false,
    ledger: null,
  }
}
