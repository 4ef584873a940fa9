// Looks at one container of a pod in the engine, and gives what that changes in the pod's life.
import { setTimeout as delay } from 'node:timers/promises'
import { isEngineError } from '../docker/errors.js'
import type { ContainerInspected } from '../docker/shapes.js'
import { lostEnd, readEnd, timeOf } from './end.js'
import { afterEnd, withContainer } from './happen.js'
import { allContainers, type ContainerLife, type PodLife, stateOf } from './life.js'
import type { ContainerSpec } from './types.js'
import type { PodWorld } from './world.js'

/** Applied to the newest life: probes may have changed it while the engine was asked. */
export type LifeChange = (life: PodLife) => PodLife

/** A small difference is only our clock's against the engine's. */
export const sameStartMs = 5_000
/** The engine may say that a container ended before it says that memory was the reason. */
const oomTellMs = 50

/**
 * Null: nothing changed. Throws EngineError (unreachable). `oomSeen`: the engine told of it in an event. `onEnded` is told at once
 * that a run is over: what it left takes time to be read, and nobody is to be sent to it meanwhile.
 */
export async function lookAt(
  world: PodWorld,
  life: PodLife,
  id: string,
  oomSeen: boolean,
  onEnded: (container: string) => void,
  signal: AbortSignal,
): Promise<LifeChange | null> {
  const spec = allContainers(life.record).find(each => stateOf(life, each.name).id === id)
  if (spec === undefined) return null
  const known = stateOf(life, spec.name)
  const found = await inspectOrNull(world, id, signal)
  if (found?.State.Running) return runs(spec, known, found)
  if (known.phase !== 'running') return null
  onEnded(spec.name)
  const now = world.now()
  if (found === null) {
    const lost = { end: lostEnd(known.startedAt, now), lastLog: known.lastLog, oom: false }
    return newest => afterEnd(newest, spec, lost, now)
  }
  const told = await withOomTold(world, life, spec, found, oomSeen, signal)
  const messageFile = await world.volumes.terminationFile(life.record.uid, spec.name, known.run)
  const ended = await readEnd(world.docker, { record: life.record, spec, found: told, oomSeen, messageFile }, signal)
  const { uid, namespace, name } = life.record
  const facts = { pod: `${namespace}/${name}`, uid, container: spec.name, exitCode: ended.end.exitCode, reason: ended.end.reason }
  world.log.info(facts, 'container ended')
  return newest => afterEnd(newest, spec, ended, world.now())
}

/** Started by hand, or found at adoption. */
function runs(spec: ContainerSpec, known: ContainerLife, found: ContainerInspected): LifeChange | null {
  const startedAt = timeOf(found.State.StartedAt)
  if (known.phase === 'running' && Math.abs(startedAt - known.startedAt) <= sameStartMs) return null
  const again = known.phase === 'running' ? {} : { last: known.end, end: null, started: false, ready: false }
  return newest => withContainer(newest, spec.name, { phase: 'running', startedAt, waiting: null, ...again })
}

async function withOomTold(
  world: PodWorld,
  life: PodLife,
  spec: ContainerSpec,
  found: ContainerInspected,
  oomSeen: boolean,
  signal: AbortSignal,
): Promise<ContainerInspected> {
  const limited = spec.resources.limits.memoryBytes !== undefined && life.terminating === null
  if (!limited || oomSeen || found.State.OOMKilled || found.State.ExitCode !== 137) return found
  await delay(oomTellMs, undefined, { signal })
  return (await inspectOrNull(world, found.Id, signal)) ?? found
}

export async function inspectOrNull(world: PodWorld, id: string, signal: AbortSignal): Promise<ContainerInspected | null> {
  try {
    return await world.docker.containers.inspect(id, signal)
  } catch (error) {
    if (isEngineError(error, 'notFound')) return null
    throw error
  }
}
