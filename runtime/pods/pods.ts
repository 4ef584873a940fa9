// The living pods of this node: takes over what was there, tells each pod what the engine says, and removes what is surely
// ours and nobody's any more.
import { setTimeout as delay } from 'node:timers/promises'
import { followEvents } from '../docker/events.js'
import type { ContainerListed, EngineEvent } from '../docker/shapes.js'
import { join } from './happen.js'
import { afterBoot, newLife } from './life.js'
import { lifeOfLost, lostPod } from './lost.js'
import { maskOf } from './mask.js'
import { LivingPod, type PodStart } from './pod.js'
import type { Unread } from './store.js'
import type { LogLine, LogOptions, PodRecord, Pods } from './types.js'
import { concurrentStarts, type PodWorld, takeTurns } from './world.js'

export interface RuntimePods extends Pods {
  /** Takes over what an earlier runtime left; resolves when every pod of then is listed. Waits for the engine. Call it once, first. */
  adopt(signal: AbortSignal): Promise<void>
  /** Ends this room; containers stay as they are. */
  close(): Promise<void>
}

/** While the engine's events are heard, they tell of what changes; the list finds what they missed. */
const relistMs = { heard: 10_000, unheard: 5_000 }
/** A container without a pod may belong to one that is being made just now. */
const strayAfterMs = 60_000
/** An engine that does not answer holds nobody up for longer. */
const longestLookMs = 10_000
/** One that the engine could not remove is tried again so much later. */
const strayRetryMs = 600_000

export function createPods(world: PodWorld): RuntimePods {
  const living = new Map<string, LivingPod>()
  /** What the engine has of pods whose files cannot be read. */
  const lost = new Map<string, readonly ContainerListed[]>()
  const listeners = new Set<(uid: string) => void>()
  const turns = takeTurns(concurrentStarts)
  const closing = new AbortController()
  const ours = [`slipway.node=${world.node}`]
  /** Containers that could not be removed: when they are tried again, by the clock that nobody sets. */
  const stubborn = new Map<string, number>()

  const tell = (uid: string): void => {
    for (const listener of listeners) listener(uid)
  }
  const begin = (start: PodStart): void => {
    const { uid } = start.life.record
    const onGone = (): void => {
      living.delete(uid)
      tell(uid)
    }
    const pod = new LivingPod(world, turns, start, { onChange: () => tell(uid), onGone })
    living.set(uid, pod)
    pod.begin()
  }
  const dropStrays = async (listed: readonly ContainerListed[]): Promise<void> => {
    for (const id of await removeStrays(world, listed)) stubborn.set(id, world.elapsed() + strayRetryMs)
  }
  const keepLost = async ({ uid, problem }: Unread, listed: readonly ContainerListed[]): Promise<void> => {
    const [pod] = lostPod(uid, listed)
    if (pod !== undefined) {
      lost.set(uid, listed)
      const facts = { uid, pod: `${pod.namespace}/${pod.name}`, application: pod.application.name, problem }
      world.log.warn(facts, 'a pod file cannot be read; its containers are left as they are until it is known whose they are')
      return
    }
    world.log.warn({ uid, problem }, 'a pod file cannot be read, and nothing runs of it: removed')
    await world.store.remove(uid)
  }
  const relist = async (): Promise<void> => {
    const byPod = groupByPod(await world.docker.containers.list(ours, closing.signal))
    for (const [uid, pod] of living) pod.compare(byPod.get(uid) ?? [])
    const there = new Set([...byPod.values()].flatMap(listed => listed.map(({ Id }) => Id)))
    for (const id of [...stubborn.keys()].filter(id => !there.has(id))) stubborn.delete(id)
    for (const uid of lost.keys()) lost.set(uid, byPod.get(uid) ?? [])
    for (const [uid, listed] of byPod) {
      if (living.has(uid) || lost.has(uid)) continue
      const old = listed.filter(each => world.now() - each.Created * 1000 > strayAfterMs)
      await dropStrays(old.filter(({ Id }) => (stubborn.get(Id) ?? 0) <= world.elapsed()))
    }
  }
  const relistForEver = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await delay(isHeard ? relistMs.heard : relistMs.unheard, undefined, { signal: closing.signal }).catch(() => undefined)
      if (!closing.signal.aborted) await relist().catch(() => undefined)
    }
  }
  let isHeard = false
  const listen = (): void => {
    const onConnect = (): void => {
      isHeard = true
      void relist().catch(() => undefined)
    }
    const onLost = (error: unknown, retryMs: number): void => {
      isHeard = false
      world.log.warn({ error: String(error), retryMs }, 'engine events lost')
      world.engineLost()
    }
    const onEvent = ({ Action, Actor, time }: EngineEvent): void => {
      const pod = living.get(Actor.Attributes['slipway.pod-uid'] ?? '')
      if (Action === 'start') pod?.heardStart(Actor.ID, time * 1000)
      else pod?.look(Actor.ID, Action === 'oom')
    }
    void followEvents(world.docker, ours, { onConnect, onEvent, onLost }, closing.signal)
    void relistForEver()
  }

  return {
    list: () => [...living.values()].map(pod => pod.view),
    create: record => {
      if (living.has(record.uid)) return
      begin({ life: newLife(record, world.bootId), fresh: true, look: [] })
    },
    handOver: (uid, application) => living.get(uid)?.handOver(application),
    lost: () => [...lost].flatMap(([uid, listed]) => lostPod(uid, listed)),
    endLost: (uid, application) => {
      const [pod] = lostPod(uid, lost.get(uid) ?? [])
      if (pod === undefined) return
      const { life, look } = lifeOfLost({ ...pod, application }, lost.get(uid) ?? [], world.bootId, world.now())
      lost.delete(uid)
      begin({ life, look, fresh: false })
    },
    terminate: (uid, options) => living.get(uid)?.terminate(options),
    onChange: listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    logs: (uid, container, options, signal) => readLogs(world, living.get(uid)?.view.record ?? null, container, options, signal),
    adopt: async signal => {
      const { lives, copied, unreadable } = await world.store.load()
      for (const { uid, problem } of copied) world.log.warn({ uid, problem }, 'a pod file was broken')
      const byPod = groupByPod(await listPatiently(world, ours, AbortSignal.any([signal, closing.signal])))
      for (const life of lives) {
        const joined = join(afterBoot(life, world.bootId), byPod.get(life.record.uid) ?? [], world.now())
        begin({ ...joined, fresh: false })
      }
      // Of these nobody knows yet which containers have ended: a Job whose pod is done would end it as one that it has too many of.
      const looked = copied.map(({ uid }) => living.get(uid)?.lookedAt)
      await Promise.race([Promise.all(looked), delay(longestLookMs, undefined, { signal, ref: false }).catch(() => undefined)])
      for (const each of unreadable) await keepLost(each, byPod.get(each.uid) ?? [])
      for (const [uid, listed] of byPod) if (!living.has(uid) && !lost.has(uid)) await dropStrays(listed)
      const kept = new Set([...living.keys(), ...lost.keys()])
      world.addresses.keepOnlyAddresses(kept)
      await world.volumes.keepOnly(kept)
      world.log.info({ pods: lives.length, unreadable: lost.size }, 'pods adopted')
      listen()
    },
    close: async () => {
      closing.abort(new Error('the runtime is ending'))
      await Promise.all([...living.values()].map(pod => pod.close()))
    },
  }
}

function groupByPod(listed: readonly ContainerListed[]): ReadonlyMap<string, readonly ContainerListed[]> {
  const groups = new Map<string, ContainerListed[]>()
  for (const each of listed) {
    const uid = each.Labels?.['slipway.pod-uid'] ?? ''
    groups.set(uid, [...(groups.get(uid) ?? []), each])
  }
  return groups
}

async function listPatiently(
  world: PodWorld,
  labels: readonly string[],
  signal: AbortSignal,
): Promise<readonly ContainerListed[]> {
  for (let retryMs = 100; ; retryMs = Math.min(retryMs * 2, 5_000)) {
    try {
      return await world.docker.containers.list(labels, signal)
    } catch (error) {
      if (signal.aborted) throw error
      world.log.warn({ error: String(error), retryMs }, 'waiting for the engine')
      await delay(retryMs, undefined, { signal })
    }
  }
}

/** Ours for certain: this node's label, a pod's uid, and the name that only we give. Gives the ids of those that could not be removed. */
async function removeStrays(world: PodWorld, listed: readonly ContainerListed[]): Promise<readonly string[]> {
  const left: string[] = []
  for (const each of listed) {
    const labels = each.Labels ?? {}
    const short = (labels['slipway.pod-uid'] ?? '').replaceAll('-', '').slice(0, 8)
    const name = `/slipway_${labels['slipway.namespace']}_${labels['slipway.pod']}_${labels['slipway.container']}_${short}_${labels['slipway.restart']}`
    if (short === '' || labels['slipway.node'] !== world.node || !each.Names.includes(name)) continue
    world.log.warn({ container: name.slice(1) }, 'removing a container of ours that belongs to no pod')
    await world.docker.containers.remove(each.Id).catch(error => {
      left.push(each.Id)
      world.log.warn({ container: name.slice(1), error: String(error) }, 'not removed')
    })
  }
  return left
}

/** Throws an error that names the pod or container which is not there. */
async function* readLogs(
  world: PodWorld,
  record: PodRecord | null,
  container: string,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  if (record === null) throw new Error('no such pod on this node')
  const labels = [`slipway.pod-uid=${record.uid}`, `slipway.container=${container}`]
  const listed = await world.docker.containers.list(labels, signal)
  const newestFirst = listed.filter(each => each.State !== 'created').sort((a, b) => runOf(b) - runOf(a))
  const wanted = newestFirst[options.previous ? 1 : 0]
  const pod = `${record.namespace}/${record.name}`
  if (wanted === undefined)
    throw new Error(`pod ${pod}: container ${container} has no ${options.previous ? 'previous ' : ''}run to read the log of`)
  const spec = [...record.spec.containers, ...record.spec.initContainers].find(each => each.name === container)
  const mask = maskOf(record)
  for await (const line of world.docker.containers.logs(wanted.Id, { ...options, tty: spec?.tty ?? false }, signal))
    yield { ...line, text: mask(line.text) }
}

function runOf(each: ContainerListed): number {
  return Number(each.Labels?.['slipway.restart'] ?? '0')
}
