// One controller is active, by a lease in NATS. Its epoch orders everything it writes; it stops writing at two thirds of the lease.
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { KV } from 'nats'
import { buckets } from '../../runtime/contract/subjects.js'
import type { Bus } from '../../runtime/nats/bus/connect.js'
import { pause } from '../../runtime/nats/bus/connect.js'
import { bindBucket, ConflictError, joinValue, readValue, writeValue } from '../../runtime/nats/bus/values.js'
import { controllerLeaseTtlMs } from './buckets.js'

export interface Holder {
  /** Machine and boot: process ids mean something within it only. */
  readonly machine: string
  readonly pid: number
  readonly epoch: number
}

export interface LeaseOptions {
  readonly bus: Bus
  /** Highest epoch seen anywhere: in documents, reports and the store. */
  seenEpoch(): number
  now(): number
  /** We hold it, in this epoch: read back, then begin. */
  gained(epoch: number): void
  /** Begin nothing more; it is tried to be gained again. */
  lost(reason: string): void
  readonly self?: Omit<Holder, 'epoch'>
}

export interface Lease {
  /** null: not ours, or not renewed for two thirds of its time. */
  epoch(): number | null
  /** Who has it; null for nobody, or not known. */
  holder(): Holder | null
  /** Somebody wrote in a higher epoch: gives ours up and takes a higher one, if it can still be had. */
  raise(seen: number): void
  /** Resolves when it was given up after the signal. */
  readonly running: Promise<void>
}

const key = 'controller'
const ttlMs = controllerLeaseTtlMs

/** Tries to gain and keeps renewing until `signal` aborts; then gives it up, so that the next one need not wait. */
export function keepLease(options: LeaseOptions, signal: AbortSignal): Lease {
  const self = options.self ?? thisProcess()
  const state = { epoch: 0, held: false, renewedAt: 0, revision: 0, seen: 0, holder: null as Holder | null }
  const fresh = () => performance.now() - state.renewedAt < (ttlMs * 2) / 3
  const lose = (reason: string) => {
    if (!state.held) return
    state.held = false
    options.lost(reason)
  }
  const hold = async (kv: KV, epoch: number, revision: number) => {
    const startedAt = performance.now()
    const holder = { ...self, epoch }
    const written = await writeValue(kv, key, Buffer.from(JSON.stringify(holder)), { revision, set: 'a' })
    Object.assign(state, { epoch, revision: written, renewedAt: startedAt, holder })
  }
  const gain = async (kv: KV) => {
    const entry = await kv.get(key)
    const isThere = entry?.operation === 'PUT'
    state.holder = isThere ? parseHolder(await joinValue(kv, key, entry.value)) : null
    if (isThere && !isFormerSelf(state.holder, self)) return
    state.seen = Math.max(state.seen, options.seenEpoch(), state.holder?.epoch ?? 0)
    // One that was given up leaves a mark with a number of its own: written over like any value.
    await hold(kv, Math.max(options.now(), state.seen + 1), entry?.revision ?? 0)
    state.held = true
    options.gained(state.epoch)
  }
  const renew = async (kv: KV) => {
    try {
      await hold(kv, state.epoch, state.revision)
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error
      const there = await readValue(kv, key)
      const holder = there === null ? null : parseHolder(there.bytes)
      const stillOurs =
        holder === null || (holder.pid === self.pid && holder.machine === self.machine && holder.epoch === state.epoch)
      if (!stillOurs || !fresh())
        return lose(`another controller has the lease (${holder?.machine ?? 'unknown'}, process ${holder?.pid ?? '?'})`)
      await hold(kv, state.epoch, there?.revision ?? 0)
    }
  }
  const run = async () => {
    while (!signal.aborted) {
      try {
        const kv = await bindBucket(options.bus.connection(), buckets.leases)
        await (state.held && fresh() ? renew(kv) : gain(kv))
      } catch {
        // NATS does not answer, or another was faster: what we hold grows old by itself.
      }
      if (state.held && !fresh()) lose('the lease could not be renewed in time')
      await pause(state.held ? ttlMs / 5 : 500, signal)
    }
    if (state.held) await giveUp(options.bus, state.revision)
    state.held = false
  }
  return {
    epoch: () => (state.held && fresh() ? state.epoch : null),
    holder: () => state.holder,
    raise: seen => {
      state.seen = Math.max(state.seen, seen)
      lose(`an order of epoch ${seen} was found, ours is ${state.epoch}`)
    },
    running: run(),
  }
}

async function giveUp(bus: Bus, revision: number): Promise<void> {
  try {
    const kv = await bindBucket(bus.connection(), buckets.leases)
    await kv.delete(key, { previousSeq: revision })
  } catch {
    // It ends by itself.
  }
}

/** A process of this machine that has ended, or whose id is ours now: nobody else can come back as it. */
function isFormerSelf(holder: Holder | null, self: Omit<Holder, 'epoch'>): boolean {
  if (holder === null) return true
  return holder.machine === self.machine && (holder.pid === self.pid || !isAlive(holder.pid))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function parseHolder(bytes: Uint8Array): Holder | null {
  try {
    const value = JSON.parse(Buffer.from(bytes).toString('utf8')) as Holder
    return typeof value.machine === 'string' && Number.isInteger(value.pid) && Number.isInteger(value.epoch) ? value : null
  } catch {
    return null
  }
}

function thisProcess(): Omit<Holder, 'epoch'> {
  return { machine: `${hostname()} ${readBootId()}`, pid: process.pid }
}

/** '' where the system has none. */
function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}
