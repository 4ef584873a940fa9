// Ends containers as the kubelet does: preStop inside the grace period, stop signal, what is left of it (2 s at least), SIGKILL;
// sidecars after all others, in reverse order.
import { setTimeout as delay } from 'node:timers/promises'
import { isEngineError } from '../docker/errors.js'
import { check } from '../probe/check.js'
import { isSidecar, type PodLife, stateOf } from './life.js'
import type { ContainerSpec, HandlerSpec } from './types.js'
import { commandIn } from './watch.js'
import type { PodWorld } from './world.js'

const leastGraceMs = 2000

/** Resolves when it has ended. `preStop` false: it ran before the runtime was killed. Throws EngineError (unreachable). */
export async function stopContainer(
  world: PodWorld,
  life: PodLife,
  spec: ContainerSpec,
  graceMs: number,
  preStop: boolean,
  ip: string,
  signal: AbortSignal,
): Promise<void> {
  const { id, phase } = stateOf(life, spec.name)
  if (phase !== 'running') return
  const handler = spec.lifecycle.preStop
  const began = world.elapsed()
  if (preStop && handler !== undefined && graceMs > 0)
    await runHook(world, handler, id, ip, graceMs, signal).catch(() => undefined)
  signal.throwIfAborted()
  await signalAndWait(world, id, graceMs - (world.elapsed() - began), graceMs, signal)
}

async function signalAndWait(world: PodWorld, id: string, leftMs: number, graceMs: number, signal: AbortSignal): Promise<void> {
  try {
    if (graceMs <= 0) await world.docker.containers.kill(id, 'SIGKILL', signal)
    else await world.docker.containers.stop(id, Math.ceil(Math.max(leftMs, leastGraceMs) / 1000), signal)
  } catch (error) {
    if (!isEngineError(error, 'notFound')) throw error
  }
}

/** Throws where the hook failed, took longer than its limit, or was cut short. */
export async function runHook(
  world: PodWorld,
  handler: HandlerSpec,
  id: string,
  ip: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (handler.kind === 'sleep') {
    await delay(Math.min(handler.seconds * 1000, limitMs), undefined, { signal })
    return
  }
  const answer = await check(handler, { ip, run: commandIn(world, id) }, limitMs, signal)
  signal.throwIfAborted()
  if (answer === null) throw new Error('the engine could not run it')
  if (!answer.ok) throw new Error(answer.message)
}

/** All that still run, within one grace period. */
export async function stopAll(
  world: PodWorld,
  life: PodLife,
  graceMs: number,
  preStop: boolean,
  ip: string,
  signal: AbortSignal,
): Promise<void> {
  const until = world.elapsed() + graceMs
  const sidecars = life.record.spec.initContainers.filter(isSidecar)
  const others = [...life.record.spec.initContainers.filter(spec => !isSidecar(spec)), ...life.record.spec.containers]
  const farewells = sidecars.map(spec => {
    const handler = spec.lifecycle.preStop
    const running = stateOf(life, spec.name)
    if (!preStop || handler === undefined || running.phase !== 'running' || graceMs <= 0) return Promise.resolve()
    return runHook(world, handler, running.id, ip, graceMs, signal).catch(() => undefined)
  })
  await Promise.all(others.map(spec => stopContainer(world, life, spec, graceMs, preStop, ip, signal)))
  await Promise.all(farewells)
  for (const spec of sidecars.toReversed()) {
    await stopContainer(world, life, spec, Math.max(until - world.elapsed(), graceMs > 0 ? leastGraceMs : 0), false, ip, signal)
  }
}
