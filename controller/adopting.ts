// When what the store lost is taken back from the places that keep it: at the start, when a node said something, and once from clusters.
import type { KeptApplication } from './adoption.js'
import { untilDone } from './leading.js'

type Kept = KeptApplication & { readonly node: string }

export interface AdoptingOptions {
  isLeading(): boolean
  /** The store may be written, and nodes are known. */
  isReady(): boolean
  onNodes(): readonly Kept[]
  /** Names of all clusters. */
  readonly clusters: readonly string[]
  /** What lies in this one. Throws where it does not answer. */
  inCluster(name: string): Promise<readonly Kept[]>
  /** Takes back what the store lacks of these; returns the names. */
  take(kept: readonly Kept[]): Promise<readonly string[]>
  taken(name: string): void
  failed(error: Error): void
}

export interface Adopting {
  now(): Promise<void>
  /** Not at every word of a node: each look is over all applications. */
  soon(): void
  /** Once of each cluster; tried until it answered. */
  fromClusters(): void
}

/** What the store lost is taken back so long after a node said something, and after a failure to. */
const [afterMs, againMs] = [1_000, 10_000]

export function createAdopting(options: AdoptingOptions, signal: AbortSignal): Adopting {
  let last: Promise<void> = Promise.resolve()
  let next: Promise<void> | null = null
  let timer: NodeJS.Timeout | null = null
  /** What lies in each cluster, while it is looked at: kept longer, it would bring back what was deleted since. */
  const lying = new Map<string, readonly Kept[]>()

  async function adopt(): Promise<void> {
    if (!options.isReady()) return
    for (const name of await options.take([...options.onNodes(), ...[...lying.values()].flat()])) options.taken(name)
  }
  /**
   * One after the other: each report of a node asks for it, and two at once would take back the same application twice. Those who ask
   * while one is made share the next.
   */
  function now(): Promise<void> {
    const begin = () => {
      next = null
      return adopt()
    }
    next ??= last = last.then(begin, begin)
    return next
  }
  function within(ms: number): void {
    if (timer !== null) return
    timer = setTimeout(() => {
      timer = null
      if (!options.isLeading()) return
      now().catch((error: Error) => {
        options.failed(error)
        within(againMs)
      })
    }, ms).unref()
  }
  async function lookAt(cluster: string): Promise<void> {
    lying.set(cluster, await options.inCluster(cluster))
    try {
      if (lying.get(cluster)?.length !== 0) await now()
    } finally {
      lying.delete(cluster)
    }
  }
  /** One that is away for a day says so once. */
  function follow(cluster: string): void {
    let told = ''
    const failed = (error: Error) => {
      if (error.message !== told) options.failed(error)
      told = error.message
    }
    void untilDone(() => lookAt(cluster), signal, failed)
  }
  return { now, soon: () => within(afterMs), fromClusters: () => options.clusters.forEach(follow) }
}
