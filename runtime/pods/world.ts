// What the life of pods needs from outside, handed in once.
import type { Docker } from '../docker/client.js'
import type { Images } from '../docker/images.js'
import type { Volumes } from '../volumes/volumes.js'
import type { PodSurroundings } from './downward.js'
import type { PodStore } from './store.js'
import type { PodRecord } from './types.js'

export interface PodWorld {
  readonly docker: Docker
  readonly images: Images
  readonly volumes: Volumes
  readonly store: PodStore
  /** This node's name: the label that says which containers are ours. */
  readonly node: string
  /** The engine's network of the pods; it has a subnet that `podAddress` gives from. */
  readonly network: string
  readonly addresses: {
    readonly podAddress: (uid: string) => string
    readonly releaseAddress: (uid: string) => void
    readonly keepOnlyAddresses: (uids: ReadonlySet<string>) => void
  }
  readonly dns: (namespace: string) => {
    readonly servers: readonly string[]
    readonly search: readonly string[]
    readonly options: readonly string[]
  }
  readonly machine: Omit<PodSurroundings, 'podIP' | 'nodeName'>
  /** Changes with every boot of the machine (`/proc/sys/kernel/random/boot_id`). */
  readonly bootId: string
  /** The newest ConfigMap or Secret (keys base64), asked when a pod's own snapshot lacks one; null for none. */
  readonly lookUp: (record: PodRecord, kind: 'configMap' | 'secret', name: string) => Readonly<Record<string, string>> | null
  /** Of a pod that was being ended when the runtime was killed before its connections were gone. */
  readonly drained: (record: PodRecord, signal: AbortSignal) => Promise<void>
  /** Called when the engine's events broke off: it may be gone. */
  readonly engineLost: () => void
  readonly now: () => number
  /** ms of any origin that no step of the clock moves: how long something took is measured by it. */
  readonly elapsed: () => number
  readonly log: { info(facts: object, message: string): void; warn(facts: object, message: string): void }
}

/** How many containers are created and started at once: an engine does no more in parallel anyway. */
export const concurrentStarts = 6

export type Turns = <T>(work: () => Promise<T>) => Promise<T>

/** At most `limit` at once, the others in their order. */
export function takeTurns(limit: number): Turns {
  let free = limit
  const queue: (() => void)[] = []
  return async work => {
    if (free > 0) free--
    else await new Promise<void>(resolve => queue.push(resolve))
    try {
      return await work()
    } finally {
      const next = queue.shift()
      if (next === undefined) free++
      else next()
    }
  }
}
