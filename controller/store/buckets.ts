// Makes the buckets and streams that everything lies in, at the start and again after the store of NATS was wiped.

import type { NatsConnection } from 'nats'
import { DiscardPolicy, NatsError, StorageType } from 'nats'
import { buckets, eventStream } from '../../runtime/contract/subjects.js'
import type { Bus } from '../../runtime/nats/bus/connect.js'
import { pause } from '../../runtime/nats/bus/connect.js'

export const auditStream = 'SLIPWAY_AUDIT'
export const controllerLeaseTtlMs = 15_000

const day = 24 * 60 * 60 * 1000
const mebibyte = 1024 * 1024

/** Bucket -> ms until a value is gone by itself; 0 = never. A node's lease outlives its silence, so that its end is seen. */
const bucketTtls: Readonly<Record<string, number>> = {
  [buckets.desired]: 0,
  [buckets.reports]: 0,
  [buckets.nodes]: 60_000,
  [buckets.store]: 0,
  [buckets.leases]: controllerLeaseTtlMs,
}

/**
 * A bucket is made with a limit, which is lifted at once: by it nats-server cuts the bucket's file into blocks of 32 kB instead of 4 MB (until
 * it is started again). It reads a whole block into memory for each value that is replaced, however little of it is not replaced yet:
 * three buckets had it hold 12 MB more.
 */
const smallBlocksBytes = 100_000

const streams = [
  { name: eventStream, subjects: ['slipway.events.>'], max_age: 30 * day, max_bytes: 256 * mebibyte },
  { name: auditStream, subjects: ['slipway.audit.>'], max_age: 365 * day, max_bytes: 64 * mebibyte },
]

/** Makes what is missing; what is there stays as it is. Returns the names of what was made. */
export async function ensureBuckets(connection: NatsConnection): Promise<readonly string[]> {
  // The list says as well whether JetStream is there.
  const manager = await connection.jetstreamManager({ timeout: 5_000, checkAPI: false })
  const there = new Map<string, number>()
  for await (const { config } of manager.streams.list()) there.set(config.name, config.max_bytes)
  const made: string[] = []
  for (const [bucket, ttl] of Object.entries(bucketTtls)) {
    if (!there.has(`KV_${bucket}`)) {
      const kept = { history: 1, storage: StorageType.File, allow_direct: true, ttl, max_bytes: smallBlocksBytes }
      await unlessThere(() => connection.jetstream().views.kv(bucket, kept))
      made.push(bucket)
    }
    // Also where who made it was killed before this.
    if ((there.get(`KV_${bucket}`) ?? smallBlocksBytes) === smallBlocksBytes)
      await manager.streams.update(`KV_${bucket}`, { max_bytes: -1 })
  }
  for (const { name, subjects, max_age, max_bytes } of streams) {
    if (there.has(name)) continue
    const config = { name, subjects, max_age: max_age * 1e6, max_bytes, storage: StorageType.File, discard: DiscardPolicy.Old }
    await unlessThere(() => manager.streams.add({ ...config, duplicate_window: 120e9 }))
    made.push(name)
  }
  return made
}

/** Looks on every connection and every `everyMs`, until `signal` aborts. `made` is told what had to be made. */
export async function keepBuckets(
  bus: Bus,
  made: (names: readonly string[]) => void,
  signal: AbortSignal,
  everyMs = 10_000,
): Promise<void> {
  let wake = new AbortController()
  const rouse = () => wake.abort()
  const stopStatus = bus.onStatus(rouse)
  signal.addEventListener('abort', rouse)
  while (!signal.aborted) {
    wake = new AbortController()
    const names = await ensure(bus)
    if (names !== null && names.length > 0) made(names)
    await pause(names === null ? 500 : everyMs, wake.signal)
  }
  stopStatus()
}

/** null: NATS could not be asked. */
async function ensure(bus: Bus): Promise<readonly string[] | null> {
  try {
    return await ensureBuckets(bus.connection())
  } catch {
    return null
  }
}

const streamNameInUse = 10058

async function unlessThere(make: () => Promise<unknown>): Promise<void> {
  try {
    await make()
  } catch (error) {
    if (!(error instanceof NatsError) || error.api_error?.err_code !== streamNameInUse) throw error
  }
}
