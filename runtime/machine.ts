// What there is to say about this machine: its size, its addresses, where memory can be had as a directory, what boot this is.
import { readFileSync, statfsSync } from 'node:fs'
import { availableParallelism, networkInterfaces, totalmem } from 'node:os'
import { join } from 'node:path'
import { type Capacity, requestsOf } from './fits.js'
import type { PodView } from './pods/types.js'
import { isFinished } from './workloads/plan.js'

/** As the kubelet: 110 pods. */
const mostPods = 110

/** Without an answer of the engine: as this process sees the machine. */
export function capacityOf(engine: { readonly NCPU: number; readonly MemTotal: number } | null): Capacity {
  return {
    cpuMillis: (engine?.NCPU ?? availableParallelism()) * 1000,
    memoryBytes: engine?.MemTotal ?? totalmem(),
    pods: mostPods,
  }
}

/** What the living pods have asked for. */
export function allocatedBy(pods: readonly PodView[]): Capacity {
  const living = pods.filter(pod => !isFinished(pod))
  return living.reduce(
    (sum, { record }) => {
      const { cpuMillis, memoryBytes } = requestsOf(record.spec)
      return { cpuMillis: sum.cpuMillis + cpuMillis, memoryBytes: sum.memoryBytes + memoryBytes, pods: sum.pods + 1 }
    },
    { cpuMillis: 0, memoryBytes: 0, pods: 0 },
  )
}

/** IPv4 addresses by which others reach the machine; bridges of engines and our own are left out. */
export function machineAddresses(): readonly string[] {
  const age = performance.now() - asked.at
  if (age > askAgainAfterMs) asked = { at: performance.now(), addresses: addressesNow() }
  return asked.addresses
}

/** Every report of every Service asks, and the system's answer takes milliseconds where there are many pods. */
const askAgainAfterMs = 10_000
let asked: { readonly at: number; readonly addresses: readonly string[] } = { at: Number.NEGATIVE_INFINITY, addresses: [] }

function addressesNow(): readonly string[] {
  return Object.entries(networkInterfaces())
    .filter(([name]) => !/^(lo|docker|br-|veth|slipway|slw[ps]|podman|cni)/.test(name))
    .flatMap(([, addresses]) => addresses ?? [])
    .filter(address => address.family === 'IPv4' && !address.internal)
    .map(address => address.address)
    .sort()
}

const tmpfsMagic = 0x01021994

/** The first of the usual places that is a tmpfs, so that Secrets never reach a disk; null where there is none. */
export function memoryPlace(env: Readonly<Record<string, string | undefined>>, isRoot: boolean): string | null {
  const places = isRoot ? ['/run', '/dev/shm'] : [env.XDG_RUNTIME_DIR ?? '', '/dev/shm']
  return places.find(place => place !== '' && isTmpfs(place)) ?? null
}

function isTmpfs(path: string): boolean {
  try {
    return statfsSync(path).type === tmpfsMagic
  } catch {
    return false
  }
}

/** Changes with every boot. '' where the kernel does not say: then every start counts as the same boot. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

/** Real paths of the engine's socket, where it is one. */
export function engineSockets(engine: string, realPath: (path: string) => string): readonly string[] {
  const usual = [
    '/run/docker.sock',
    '/var/run/docker.sock',
    '/run/podman/podman.sock',
    '/run/containerd/containerd.sock',
    '/run/crio/crio.sock',
  ]
  const own = engine.startsWith('unix://') ? [engine.slice('unix://'.length)] : []
  return [...new Set([...own, ...usual].map(path => realPath(join(path))))]
}
