// Leads the running load balancer from the listeners and slots that it has to the wanted ones: by steering, or by a reload.
import { setTimeout as sleep } from 'node:timers/promises'
import { contentHash } from '../contract/hash.js'
import type { Haproxy } from './haproxy/process.js'
import { backendsOf, configText, type Places, serverName, shapeText } from './haproxy/text.js'
import type { Bind, Listener, Target } from './listeners.js'
import { layOut, planSteps, type Slot, type SlotStep, slotCount, stepped } from './slots.js'

export type Balancer = ReturnType<typeof createBalancer>

const ASK_AGAIN_MS = 250

/** Longest line that HAProxy's socket takes is 16 KB. */
const COMMANDS_AT_ONCE = 60

type Layout = ReadonlyMap<string, readonly Slot[]>

export function createBalancer(haproxy: Haproxy, quietAddress: () => string) {
  const root = process.getuid?.() === 0
  const places = (): Places => ({
    adminSocket: haproxy.adminSocket,
    quietAddress: quietAddress(),
    workerUid: root ? 65_534 : null,
  })
  /** What the current worker has, by its own word; null until it was asked. */
  let running: { readonly master: number; readonly shape: string; readonly layout: Layout } | null = null
  /** It was told to change, and has not said since what it has: half of it may have reached it. What was known is better than nothing for a drain. */
  let isDoubted = false
  let listening: readonly Listener[] = []

  /**
   * True when a load balancer of ours runs and answers; its layout is then read from itself. Throws when one that is known does not
   * answer: it holds everybody's connections, and a moment of silence is no reason to end it.
   */
  async function adopt(): Promise<boolean> {
    const master = await haproxy.found()
    if (master === null) running = null
    if (master === null || (running?.master === master && !isDoubted)) return master !== null
    const info = running === null ? await firstInfo() : await haproxy.info()
    if (info === null) return false
    running = { master, shape: info.shape, layout: await haproxy.slots() }
    isDoubted = false
    return true
  }

  /** null: nobody answers, though asked again. */
  async function firstInfo() {
    for (let tries = 1; ; tries++) {
      const info = await haproxy.info().catch(() => null)
      if (info !== null || tries === 3 || haproxy.pid() === null) return info
      await sleep(ASK_AGAIN_MS)
    }
  }

  async function begin(signal: AbortSignal): Promise<void> {
    listening = []
    const shape = contentHash(shapeText([], new Map()))
    await haproxy.start(configText({ listeners: [], slots: new Map() }, places(), shape), shape, signal)
    await adopt()
  }

  /** The worker takes connections accordingly when this resolves. */
  async function lead(
    listeners: readonly Listener[],
    targets: ReadonlyMap<string, readonly Target[]>,
    signal: AbortSignal,
  ): Promise<void> {
    const layout = running?.layout ?? new Map()
    const wanted = (listener: Listener) => targets.get(listener.name) ?? []
    const counts = new Map(listeners.map(listener => [listener.name, count(wanted(listener), slotsOf(layout, listener).length)]))
    const same = running?.shape === contentHash(shapeText(listeners, counts))
    const steps = same ? await plan(listeners, wanted) : null
    if (steps === null) await reload(listeners, wanted, same ? grown(counts) : counts, signal)
    else await steer(steps)
    listening = listeners
  }

  /** What to change in each backend; null when one of them has no slot left, as all are still busy. */
  async function plan(listeners: readonly Listener[], wanted: (listener: Listener) => readonly Target[]) {
    const layout = running?.layout ?? new Map()
    const changing = listeners.filter(listener => planSteps(slotsOf(layout, listener), wanted(listener), new Set())?.length !== 0)
    if (changing.length === 0) return []
    const loads = await haproxy.currentLoads(changing.flatMap(backendsOf))
    const planned = changing.map(listener => {
      const backends = backendsOf(listener)
      const busy = loads.filter(load => load.sessions > 0 && backends.includes(load.backend))
      const slots = new Set(busy.map(load => Number(load.server.slice(1)) - 1))
      return { backends, steps: planSteps(slotsOf(layout, listener), wanted(listener), slots) }
    })
    return planned.some(({ steps }) => steps === null) ? null : planned
  }

  async function steer(planned: readonly { readonly backends: readonly string[]; readonly steps: readonly SlotStep[] | null }[]) {
    // Over all backends what opens comes before what closes, so that no Service is without a pod in between.
    const changes = planned.flatMap(({ backends, steps }) =>
      backends.flatMap(backend => (steps ?? []).map(step => ({ backend, step }))),
    )
    if (changes.length === 0) return
    changes.sort((a, b) => Number(b.step.to.open) - Number(a.step.to.open))
    isDoubted = true
    for (let at = 0; at < changes.length; at += COMMANDS_AT_ONCE) {
      await haproxy.steer(changes.slice(at, at + COMMANDS_AT_ONCE).flatMap(({ backend, step }) => commands(backend, step)))
    }
    await confirm(planned)
  }

  /** Its own word again: a change that was refused must not be taken for made. */
  async function confirm(
    planned: readonly { readonly backends: readonly string[]; readonly steps: readonly SlotStep[] | null }[],
  ) {
    if (running === null) return
    const before = running.layout
    const layout = await haproxy.slots()
    running = { ...running, layout }
    isDoubted = false
    for (const { backends, steps } of planned) {
      for (const backend of backends) {
        const expected = stepped(before.get(backend) ?? [], steps ?? [])
        if (contentHash(expected) !== contentHash(layout.get(backend)))
          throw new Error(`HAProxy did not take the change of ${backend}`)
      }
    }
  }

  async function reload(
    listeners: readonly Listener[],
    wanted: (listener: Listener) => readonly Target[],
    counts: ReadonlyMap<string, number>,
    signal: AbortSignal,
  ): Promise<void> {
    const slots = new Map(listeners.map(listener => [listener.name, layOut(wanted(listener), counts.get(listener.name) ?? 0)]))
    const shape = contentHash(shapeText(listeners, counts))
    await haproxy.reload(configText({ listeners, slots }, places(), shape), shape, signal)
    isDoubted = true
    await adopt()
  }

  return {
    adopt,
    begin,
    lead,
    /** True when nothing new is to be bound for these. */
    listensAlready: (listeners: readonly Listener[]) => contentHash(listeners) === contentHash(listening),
    /** True when all that these bind is bound already. */
    listensTo: (listeners: readonly Listener[]) => {
      const bound = new Set(listening.flatMap(({ binds }) => binds.map(bindKey)))
      return listeners.every(({ binds }) => binds.every(bind => bound.has(bindKey(bind))))
    },
    backendsWith: (ip: string): readonly string[] =>
      [...(running?.layout ?? [])].filter(([, slots]) => slots.some(slot => slot.ip === ip)).map(([backend]) => backend),
    /** The master's and all workers' pids. */
    async pids(): Promise<readonly number[]> {
      const master = haproxy.pid()
      if (master === null) return []
      const { workers, old } = await haproxy.processes()
      return [master, ...workers, ...old]
    },
  }
}

function bindKey({ ip, port }: Bind): string {
  return `${ip}:${port}`
}

function count(targets: readonly Target[], before: number): number {
  return slotCount(targets.filter(target => target.open).length, before)
}

/** Every slot of some backend is busy with what left it: give all of them room. */
function grown(counts: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map([...counts].map(([name, slots]) => [name, slotCount(slots + 1, slots)]))
}

function slotsOf(layout: Layout, listener: Listener): readonly Slot[] {
  return layout.get(backendsOf(listener)[0] ?? '') ?? []
}

function commands(backend: string, { slot, to, moves }: SlotStep): readonly string[] {
  const server = `${backend}/${serverName(slot)}`
  const address = moves ? [`set server ${server} addr ${to.ip} port ${to.port}`] : []
  return [...address, `set server ${server} state ${to.open ? 'ready' : 'drain'}`]
}
