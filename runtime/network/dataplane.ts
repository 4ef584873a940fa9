// The data plane of one node: addresses, load balancer and names, led to what they should be as often as it is asked.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseRange } from './addresses.js'
import { createBalancer } from './balancer.js'
import type { Book, Ranges } from './book.js'
import { type Conflict, findConflicts } from './conflicts.js'
import { drain } from './draining.js'
import { createHaproxy } from './haproxy/process.js'
import { haproxyProgram } from './haproxy/program.js'
import { ensureServiceBridge, isServed, isUp, listeningSockets, removeServiceBridge, socketsOf } from './host.js'
import { balanced, type Given, type Listener, listenersOf, serviceKey, targetsOf } from './listeners.js'
import { createNames, endNames, type Names } from './names/names.js'
import { DOMAIN, zoneOf } from './names/services.js'
import { ownRanges } from './ranges.js'
import {
  type DataPlane,
  type DataPlaneOptions,
  type DataPlaneState,
  defaultNames,
  type HaproxyRunner,
  type ServicePort,
  type ServiceSpec,
} from './types.js'

const WATCH_EVERY_MS = 1_000
/** Of so many looks one asks for the address too: with the bridge, whose flags are looked at each time, it is nearly always gone as well. */
const ADDRESS_EVERY = 5

export function createDataPlane(options: DataPlaneOptions): DataPlane {
  const { stateDir, docker, now, log } = options
  const network = options.network ?? defaultNames.network
  const podBridge = options.podBridge ?? defaultNames.podBridge
  const serviceBridge = options.serviceBridge ?? defaultNames.serviceBridge
  const haproxy = createHaproxy({ runner: runnerOf(options), directory: stateDir })
  const balancer = createBalancer(haproxy, () => started().book.namesAddress)
  let parts: { readonly book: Book; readonly names: Names } | null = null
  let wanted: DataPlaneState | null = null
  let applied: DataPlaneState | null = null
  let turn: Promise<unknown> = Promise.resolve()

  function started(): { readonly book: Book; readonly names: Names } {
    if (parts === null) throw new Error('the data plane is not started')
    return parts
  }

  /** One change at a time; a failed one does not stop the next. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = turn.then(work, work)
    turn = mine.catch(() => {})
    return mine
  }

  async function start(signal: AbortSignal): Promise<void> {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 })
    const warn = (fault: string) => log('a file was broken', { fault })
    const places = { stateDir, docker, network, podBridge, serviceBridge, wanted: wantedRanges(options), warn }
    const book = await ownRanges(places, () => log('another instance chooses its addresses; waiting for it', {}), signal)
    const program = options.nodePath ?? process.execPath
    parts = { book, names: createNames({ directory: stateDir, program, address: book.namesAddress, log }, signal) }
    await inTurn(async () => {
      const unnamed = await ensureRunning(signal)
      if (unnamed !== null) throw unnamed
    })
    watch(signal)
  }

  /** What ended is started again: the load balancer with what was applied last. Gives why names cannot be: traffic does not wait for them. */
  async function ensureRunning(signal: AbortSignal): Promise<Error | null> {
    await ensureAddresses()
    const unnamed = await ensureNames(signal)
    if (await balancer.adopt()) return unnamed
    await balancer.begin(signal)
    applied = null
    log('haproxy started', { pid: haproxy.pid() })
    return unnamed
  }

  /** Somebody may have taken the bridge away, or set it down: the addresses of all Services went with it, those who listen there did not. */
  async function ensureAddresses(): Promise<void> {
    const { book } = started()
    if (await isServed(serviceBridge, book.namesAddress)) return
    await ensureServiceBridge(serviceBridge, book.ranges.services)
    log('service addresses made again', { bridge: serviceBridge })
  }

  async function ensureNames(signal: AbortSignal): Promise<Error | null> {
    const { book, names } = started()
    if (names.answers()) return null
    try {
      await names.start(signal)
      log('names answered', { address: book.namesAddress })
      return null
    } catch (error) {
      return error as Error
    }
  }

  function watch(signal: AbortSignal): void {
    const isThere = async (look: number, address: string) =>
      isUp(serviceBridge) && (look % ADDRESS_EVERY !== 0 || (await isServed(serviceBridge, address)))
    const isWhole = async (looks: number, { book, names }: { readonly book: Book; readonly names: Names }) =>
      haproxy.pid() !== null && names.answers() && (await isThere(looks, book.namesAddress))
    const look = async () => {
      // What was begun anew and could not be led to the end is whole by its processes alone.
      for (let [looks, failed] = [1, false]; ; looks++) {
        await sleep(WATCH_EVERY_MS, undefined, { signal, ref: false })
        if (parts === null) return
        try {
          if (!failed && (await isWhole(looks, parts))) continue
          await inTurn(() => makeSo(wanted ?? { services: [], endpoints: [] }, signal))
          failed = false
        } catch (error) {
          failed = true
          if (!signal.aborted && parts !== null) log('data plane not restored yet', { error: String(error) })
        }
      }
    }
    look().catch(() => {})
  }

  /** Throws when a listener cannot be, with everything else made so. */
  async function makeSo(state: DataPlaneState, signal: AbortSignal): Promise<void> {
    const { book, names } = started()
    const unnamed = await ensureRunning(signal)
    if (applied !== null && JSON.stringify(state) === JSON.stringify(applied)) return
    const listeners = listenersOf(state.services, giving(book))
    // From here on what runs may be half of one and half of the other.
    applied = null
    const conflicts = balancer.listensAlready(listeners) ? [] : findConflicts(listeners, await foreignSockets())
    await balancer.lead(without(listeners, conflicts), targetsOf(state.endpoints), signal)
    names.publish(zoneOf(state, (namespace, name) => book.serviceAddress(`${namespace}/${name}`)))
    book.keepOnly(new Set(state.services.map(serviceKey)), new Set(state.services.flatMap(portKeys)))
    const missing = [...conflicts.map(({ message }) => message), ...(unnamed === null ? [] : [unnamed.message])]
    if (missing.length > 0) throw listenerConflict(missing.join('\n'))
    applied = state
  }

  async function foreignSockets() {
    const ours = socketsOf(await balancer.pids())
    return listeningSockets().filter(({ inode }) => !ours.has(inode))
  }

  async function conflicts(services: readonly ServiceSpec[]): Promise<readonly Conflict[]> {
    const { book } = started()
    const asked = new Set(services.map(serviceKey))
    const others = (wanted?.services ?? []).filter(service => !asked.has(serviceKey(service)))
    const listening = listenersOf(others, looking(book))
    const candidates = listenersOf(services, looking(book))
    // Who else listens is asked only for what is not ours already: reading all sockets of a machine takes its time.
    const foreign = balancer.listensTo(candidates) ? [] : await foreignSockets()
    const found = findConflicts([...listening, ...candidates], foreign)
    return found.filter(({ service }) => asked.has(service))
  }

  return {
    podNetwork: network,
    start,
    async apply(state, signal) {
      wanted = state
      await inTurn(() => makeSo(state, signal))
    },
    drained: (ip, limitMs, signal) => drain({ haproxy, backendsWith: balancer.backendsWith, now }, ip, limitMs, signal),
    clusterIP: (namespace, name) => started().book.serviceAddress(`${namespace}/${name}`),
    nodePort(namespace, name, port) {
      const { book } = started()
      const service = wanted?.services.find(one => one.namespace === namespace && one.name === name)
      const own = service?.ports.find(one => one.port === port)
      if (service === undefined || own === undefined) return book.heldNodePort(`${namespace}/${name}/${port}`)
      return giving(book).nodePort(service, own)
    },
    conflicts,
    podAddress: uid => started().book.podAddress(uid),
    releaseAddress: uid => started().book.releasePod(uid),
    keepOnlyAddresses: uids => started().book.keepOnlyPods(uids),
    keepAddress: (uid, ip) => started().book.keepPodAddress(uid, ip),
    dns: namespace => ({
      servers: [started().book.namesAddress],
      search: [`${namespace}.svc.${DOMAIN}`, `svc.${DOMAIN}`, DOMAIN],
      options: ['ndots:5'],
    }),
    purge: () =>
      inTurn(async () => {
        parts?.names.end()
        endNames(stateDir)
        parts = null
        haproxy.endAll('SIGKILL')
        // A program may have been installed since: what was started as a container is still one.
        for (const runner of [haproxy, options.haproxyContainer]) await runner?.remove()
        await removeServiceBridge(serviceBridge)
        await docker.removeNetwork(network)
        rmSync(stateDir, { recursive: true, force: true })
      }),
  }
}

function runnerOf({ haproxyPath, haproxyContainer, stateDir }: DataPlaneOptions): HaproxyRunner {
  if (haproxyPath === '' && haproxyContainer !== undefined) return haproxyContainer
  return haproxyProgram(haproxyPath, join(stateDir, 'haproxy.log'))
}

/** Addresses and node ports, given out where there is none yet. */
function giving(book: Book): Given {
  return {
    clusterIP: (namespace, name) => book.serviceAddress(`${namespace}/${name}`),
    nodePort(service, port) {
      if (!balanced(service) || service.type === 'ClusterIP') return null
      const inUse = (candidate: number) => listeningSockets().some(socket => socket.port === candidate)
      return book.nodePort(portKey(service, port), port.nodePort, inUse)
    },
  }
}

/** The same without giving out a node port. */
function looking(book: Book): Given {
  const held = (service: ServiceSpec, port: ServicePort) => port.nodePort ?? book.heldNodePort(portKey(service, port))
  return { ...giving(book), nodePort: held }
}

function portKey(service: ServiceSpec, port: ServicePort): string {
  return `${serviceKey(service)}/${port.port}`
}

function portKeys(service: ServiceSpec): readonly string[] {
  return service.type === 'ClusterIP' ? [] : service.ports.map(port => portKey(service, port))
}

/** A listener whose port is taken is left out whole: half a Service would look like one that works. */
function without(listeners: readonly Listener[], conflicts: readonly Conflict[]): readonly Listener[] {
  const left = new Set(conflicts.map(({ service }) => service))
  return listeners.filter(({ service }) => !left.has(service))
}

function wantedRanges({ podRange, serviceRange }: DataPlaneOptions): Ranges {
  return { pods: parseRange(podRange ?? defaultNames.podRange), services: parseRange(serviceRange ?? defaultNames.serviceRange) }
}

/** Told apart by its name: all else was made so, and only these listeners wait. */
function listenerConflict(message: string): Error {
  return Object.assign(new Error(message), { name: 'ListenerConflict' })
}
