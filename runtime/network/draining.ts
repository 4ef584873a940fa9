// When is an address left alone by every worker of the load balancer, those of before a reload included?
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServerLoad } from './haproxy/answers.js'
import type { Haproxy } from './haproxy/process.js'

const ASK_EVERY_MS = 50

export interface Draining {
  readonly haproxy: Haproxy
  /** The backends that have this address in a slot now: only these are asked for. */
  readonly backendsWith: (ip: string) => readonly string[]
  /** ms, any origin. */
  readonly now: () => number
}

/** Resolves when nobody holds a connection to the address, or at the limit, when the rest is cut and counted. */
export async function drain(
  world: Draining,
  ip: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<{ readonly cut: number }> {
  const end = world.now() + limitMs
  const known: KnownByOld = new Map()
  while (await isHeld(world, known, ip)) {
    if (world.now() >= end) return { cut: await cutAll(world, known, ip) }
    await sleep(Math.max(1, Math.min(ASK_EVERY_MS, end - world.now())), undefined, { signal })
  }
  return { cut: 0 }
}

/** What an old worker has in its slots does not change any more: it is asked once. */
type KnownByOld = Map<number, readonly ServerLoad[]>

async function isHeld(world: Draining, known: KnownByOld, ip: string): Promise<boolean> {
  const { haproxy } = world
  if (haproxy.pid() === null) return false
  try {
    const { workers, old } = await haproxy.processes()
    for (const worker of workers) if (await isHeldByCurrent(world, worker, ip)) return true
    for (const worker of old) if (await isHeldByOld(haproxy, known, worker, ip)) return true
    return false
  } catch {
    // Who cannot be asked counts as holding it: a reload is under way, or the worker just ended. The next question tells.
    return haproxy.pid() !== null
  }
}

async function isHeldByCurrent(world: Draining, worker: number, ip: string): Promise<boolean> {
  for (const backend of world.backendsWith(ip)) {
    const loads = await world.haproxy.loads(worker, backend)
    if (loads.some(load => load.ip === ip && load.sessions > 0)) return true
  }
  return false
}

/**
 * An old worker cannot be steered: whoever sits idle on it may still be sent to any address that it knows. Its clients are told to
 * leave with their next response, and idle ones end with http-keep-alive; until then it holds every address that it knows.
 * Clients are counted before sessions: one that turns active in between counts as a session with its server, never as gone.
 */
async function isHeldByOld(haproxy: Haproxy, known: KnownByOld, worker: number, ip: string): Promise<boolean> {
  const servers = await knownServers(haproxy, known, worker, ip)
  if (servers.size === 0) return false
  const info = await haproxy.workerInfo(worker)
  const sessions = await haproxy.sessions(worker)
  if (info === null) return true
  const toIt = sessions.some(session => session.server === '<none>' || servers.has(`${session.backend}/${session.server}`))
  return toIt || info.clients > sessions.length
}

async function knownServers(haproxy: Haproxy, known: KnownByOld, worker: number, ip: string): Promise<ReadonlySet<string>> {
  const loads = known.get(worker) ?? (await haproxy.loads(worker))
  known.set(worker, loads)
  return new Set(loads.filter(load => load.ip === ip).map(load => `${load.backend}/${load.server}`))
}

async function cutAll(world: Draining, known: KnownByOld, ip: string): Promise<number> {
  const { haproxy } = world
  if (haproxy.pid() === null) return 0
  const { workers, old } = await haproxy.processes()
  const cuts = [...workers, ...old].map(async worker => {
    // The current worker's slots change, so they are asked for anew.
    const servers = await knownServers(haproxy, old.includes(worker) ? known : new Map(), worker, ip)
    const sessions = (await haproxy.sessions(worker)).filter(({ backend, server }) => servers.has(`${backend}/${server}`))
    for (const session of sessions) await haproxy.cut(worker, session)
    return sessions.length
  })
  return (await Promise.all(cuts)).reduce((sum, count) => sum + count, 0)
}
