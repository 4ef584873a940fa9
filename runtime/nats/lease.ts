// Says every ten seconds that the node lives, and how it is. The key's age is what tells a silent node.
import type { NodeLease } from '../contract/documents.js'
import { buckets, leaseKey } from '../contract/subjects.js'
import type { Bus } from './bus/connect.js'
import { pause } from './bus/connect.js'
import { bindBucket } from './bus/values.js'

export const leaseEveryMs = 10_000

export interface LeaseOptions {
  readonly bus: Bus
  readonly node: string
  describe(): NodeLease
  readonly everyMs?: number
}

/** Returns how to write it at once (something in it changed), and the end of it. */
export function startNodeLease(
  options: LeaseOptions,
  signal: AbortSignal,
): { readonly now: () => void; readonly running: Promise<void> } {
  let wake = new AbortController()
  const rouse = () => wake.abort()
  signal.addEventListener('abort', rouse)
  const stopStatus = options.bus.onStatus(rouse)
  const run = async () => {
    while (!signal.aborted) {
      wake = new AbortController()
      const written = await write(options).catch(() => false)
      await pause(written === false ? 1_000 : (options.everyMs ?? leaseEveryMs), wake.signal)
    }
    stopStatus()
  }
  return { now: rouse, running: run() }
}

async function write({ bus, node, describe }: LeaseOptions): Promise<void> {
  const kv = await bindBucket(bus.connection(), buckets.nodes)
  await kv.put(leaseKey(node), JSON.stringify(describe()))
}
