// How a pod looks from outside: phase, readiness and container states as the kubelet reports them (kubelet_pods.go getPhase).
import type { ContainerState, ObservedContainer } from '../contract/documents.js'
import { dueAt, isOver, restarts } from './decide.js'
import { type ContainerLife, type Ended, isSidecar, type PodLife, stateOf } from './life.js'
import type { ContainerSpec, PodView } from './types.js'

export function viewOf(life: PodLife, ip: string, now: number): PodView {
  const { record } = life
  const ready = isReady(life)
  const init = record.spec.initContainers.map(spec => observed(life, spec, true, now))
  const apps = record.spec.containers.map(spec => observed(life, spec, false, now))
  return {
    record,
    phase: phaseOf(life),
    ready,
    readyAt: ready ? life.readyAt : null,
    terminating: life.terminating !== null,
    ip,
    reason: life.failed?.reason ?? '',
    message: life.failed?.message ?? life.terminating?.reason ?? '',
    containers: [...init, ...apps],
    finishedAt: life.finishedAt,
  }
}

/** All app containers and sidecars are ready, and nobody has begun to end the pod. */
export function isReady(life: PodLife): boolean {
  if (life.terminating !== null || life.failed !== null || !life.initialized) return false
  const beside = [...life.record.spec.initContainers.filter(isSidecar), ...life.record.spec.containers]
  return beside.every(spec => stateOf(life, spec.name).phase === 'running' && stateOf(life, spec.name).ready)
}

export function phaseOf(life: PodLife): PodView['phase'] {
  const { record } = life
  if (life.failed !== null) return 'Failed'
  const never = record.spec.restartPolicy === 'Never'
  const failedInit = record.spec.initContainers.some(spec => {
    const end = stateOf(life, spec.name).end
    return end !== null && end.exitCode !== 0 && never && !isSidecar(spec)
  })
  if (failedInit) return 'Failed'
  const apps = record.spec.containers.map(spec => stateOf(life, spec.name))
  // One that is over does not begin again, after a boot of the machine either.
  if ((!life.initialized && !isOver(life)) || apps.some(each => each.run < 0)) return 'Pending'
  if (apps.some(each => each.phase === 'running')) return 'Running'
  const ends = apps.map(each => each.end ?? each.last)
  if (record.spec.restartPolicy === 'Always') return 'Running'
  if (ends.every(end => end !== null && end.exitCode === 0)) return 'Succeeded'
  return never ? 'Failed' : 'Running'
}

function observed(life: PodLife, spec: ContainerSpec, init: boolean, now: number): ObservedContainer {
  const each = stateOf(life, spec.name)
  const state = containerState(life, spec, each, now)
  const before = state.state === 'terminated' ? each.last : (each.end ?? each.last)
  const done = init && !isSidecar(spec) && each.end?.exitCode === 0
  return {
    name: spec.name,
    init,
    image: spec.image,
    imageId: each.imageId,
    ready: done || (each.phase === 'running' && each.ready),
    everReady: each.everReady || done,
    started: each.phase === 'running' && each.started,
    restartCount: Math.max(each.run, 0),
    state,
    last: before === null ? null : terminated(before),
    oomKills: each.oomKills,
    lastLog: each.lastLog,
    memoryLimit: spec.resources.limits.memoryBytes ?? 0,
    troubledAt: each.troubledAt === null ? '' : new Date(each.troubledAt).toISOString(),
  }
}

function containerState(life: PodLife, spec: ContainerSpec, each: ContainerLife, now: number): ContainerState {
  if (each.phase === 'running') return { state: 'running', startedAt: new Date(each.startedAt).toISOString() }
  if (each.waiting !== null) return { state: 'waiting', reason: each.waiting.reason, message: each.waiting.message }
  if (each.phase === 'ended' && each.end !== null) {
    const waitMs = dueAt(each) - now
    const again = restarts(life.record, spec, each) && life.terminating === null && life.failed === null
    if (!again || waitMs <= 0) return terminated(each.end)
    const message = `back-off restarting failed container ${spec.name} of pod ${life.record.namespace}/${life.record.name}`
    return {
      state: 'waiting',
      reason: each.end.reason === 'ContainerCannotRun' ? 'RunContainerError' : 'CrashLoopBackOff',
      message: `${message}${each.end.message === '' ? '' : `: ${each.end.message}`}`,
    }
  }
  return {
    state: 'waiting',
    reason: life.initialized || isFirst(life, spec) ? 'ContainerCreating' : 'PodInitializing',
    message: '',
  }
}

function isFirst(life: PodLife, spec: ContainerSpec): boolean {
  return life.record.spec.initContainers.length === 0 || life.record.spec.initContainers.some(each => each.name === spec.name)
}

function terminated(end: Ended): Extract<ContainerState, { state: 'terminated' }> {
  return {
    state: 'terminated',
    reason: end.reason,
    message: end.message,
    exitCode: end.exitCode,
    ...(end.signal === undefined ? {} : { signal: end.signal }),
    startedAt: new Date(end.startedAt).toISOString(),
    finishedAt: new Date(end.finishedAt).toISOString(),
  }
}
