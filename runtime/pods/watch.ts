// Asks the containers of one pod how they are, as their probes say: one worker a probe, started and ended with the run.
import { setTimeout as delay } from 'node:timers/promises'
import { runCommand } from '../docker/exec.js'
import { checkTcp, type RunInContainer, withLimit } from '../probe/check.js'
import { initialState, type ProbeKind, type ProbeState } from '../probe/threshold.js'
import { runProbe } from '../probe/worker.js'
import type { ContainerLife, PodLife } from './life.js'
import { allContainers, stateOf } from './life.js'
import type { ContainerSpec, ProbeSpec } from './types.js'
import type { PodWorld } from './world.js'

export interface ProbeListener {
  readonly onReady: (container: string, id: string, ready: boolean, message: string) => void
  readonly onStarted: (container: string, id: string) => void
  readonly onUnhealthy: (container: string, id: string, message: string, graceSeconds: number | null) => void
}

export interface Watch {
  /** Starts and ends workers so that they fit what runs. Called after every change; costs nothing when nothing fits less. */
  follow(life: PodLife): void
  close(): void
}

export function watchContainers(world: PodWorld, ip: string, listener: ProbeListener): Watch {
  const workers = new Map<string, AbortController>()
  return {
    follow: life => {
      const wanted = new Map(allContainers(life.record).flatMap(spec => wantedWorkers(life, spec)))
      for (const [key, ending] of workers) {
        if (wanted.has(key)) continue
        ending.abort()
        workers.delete(key)
      }
      for (const [key, want] of wanted) {
        if (workers.has(key)) continue
        const ending = new AbortController()
        workers.set(key, ending)
        startWorker(world, ip, listener, life, want, ending.signal)
      }
    },
    close: () => {
      for (const ending of workers.values()) ending.abort()
      workers.clear()
    },
  }
}

type Want = {
  readonly spec: ContainerSpec
  readonly each: ContainerLife
  readonly what: ProbeKind | 'gate' | 'started' | 'running'
}

/** Keyed by run, so that a new run gets new workers. On termination only readiness goes on being asked. */
function wantedWorkers(life: PodLife, spec: ContainerSpec): readonly (readonly [string, Want])[] {
  const each = stateOf(life, spec.name)
  if (each.phase !== 'running' || each.hook === 'pending' || each.unhealthy !== null) return []
  const want = (what: Want['what']): readonly [string, Want] => [`${each.id} ${each.startedAt} ${what}`, { spec, each, what }]
  if (!each.started) return [want(spec.startupProbe === undefined ? 'started' : 'startup')]
  const liveness = spec.livenessProbe !== undefined && life.terminating === null ? [want('liveness')] : []
  if (spec.readinessProbe !== undefined) return [...liveness, want('readiness')]
  return each.ready ? liveness : [...liveness, want(gatesOf(life, spec).length > 0 ? 'gate' : 'running')]
}

/** Ports that must accept before this container counts as ready: its own, and those that no container names. */
function gatesOf(life: PodLife, spec: ContainerSpec): readonly number[] {
  const named = (each: ContainerSpec): readonly number[] => each.ports.map(port => port.containerPort)
  const apps = life.record.spec.containers
  if (!apps.includes(spec)) return []
  return life.record.gatePorts.filter(port => named(spec).includes(port) || !apps.some(other => named(other).includes(port)))
}

function startWorker(world: PodWorld, ip: string, listener: ProbeListener, life: PodLife, want: Want, signal: AbortSignal): void {
  const { spec, each, what } = want
  switch (what) {
    case 'started':
    case 'running':
      // Not from within the change that it follows.
      queueMicrotask(() => {
        if (signal.aborted) return
        if (what === 'started') listener.onStarted(spec.name, each.id)
        else listener.onReady(spec.name, each.id, true, '')
      })
      return
    case 'gate':
      void waitForPorts(ip, gatesOf(life, spec), signal).then(open => {
        if (open && !signal.aborted) listener.onReady(spec.name, each.id, true, '')
      })
      return
    default:
      startProbe(world, ip, want, probeOf(spec, what), what, signal, state => tellResult(listener, want, state))
  }
}

function probeOf(spec: ContainerSpec, kind: ProbeKind): ProbeSpec {
  return kind === 'startup' ? spec.startupProbe! : kind === 'liveness' ? spec.livenessProbe! : spec.readinessProbe!
}

function tellResult(listener: ProbeListener, { spec, each, what }: Want, state: ProbeState): void {
  const message = `${what} probe failed: ${state.message}`
  if (what === 'readiness') listener.onReady(spec.name, each.id, state.result === 'success', message)
  else if (state.result === 'success') listener.onStarted(spec.name, each.id)
  else listener.onUnhealthy(spec.name, each.id, message, probeOf(spec, what as ProbeKind).terminationGracePeriodSeconds ?? null)
}

function startProbe(
  world: PodWorld,
  ip: string,
  want: Want,
  spec: ProbeSpec,
  kind: ProbeKind,
  signal: AbortSignal,
  onResult: (state: ProbeState) => void,
): void {
  const { each } = want
  const target = { ip, run: commandIn(world, each.id) }
  // A container that was ready when the runtime was killed stays so until a probe says otherwise.
  const from: ProbeState =
    kind === 'readiness' && each.ready ? { result: 'success', run: 1, last: 'success', message: '' } : initialState(kind)
  const runningMs = Math.max(0, world.now() - each.startedAt)
  const guarded = (state: ProbeState): void => {
    if (!signal.aborted) onResult(state)
  }
  runProbe({ kind, spec, target, runningMs, from, onResult: guarded }, signal).catch(error =>
    world.log.warn({ container: want.spec.name, probe: kind, error: String(error) }, 'probe worker ended'),
  )
}

export function commandIn(world: PodWorld, id: string): RunInContainer {
  return (command, signal) => runCommand(world.docker, id, command, 10 * 1024, signal)
}

const gateRetryMs = [25, 50, 100]

async function waitForPorts(ip: string, ports: readonly number[], signal: AbortSignal): Promise<boolean> {
  for (let tries = 0; !signal.aborted; tries++) {
    const answers = await Promise.all(ports.map(port => withLimit(1000, signal, limited => checkTcp(ip, port, 1000, limited))))
    if (answers.every(answer => answer.ok)) return true
    await delay(gateRetryMs[Math.min(tries, gateRetryMs.length - 1)], undefined, { signal }).catch(() => undefined)
  }
  return false
}
