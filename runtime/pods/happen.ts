// How a pod's life changes by what happens to it. Pure: the life before and a fact give the life after.
import type { ContainerListed } from '../docker/shapes.js'
import { sandboxName } from './body.js'
import { crashesAfter, restarts } from './decide.js'
import type { EndOfRun } from './end.js'
import { allContainers, type ContainerLife, type PodLife, stateOf } from './life.js'
import { maskOf } from './mask.js'
import type { RunOutcome } from './run.js'
import type { ContainerSpec } from './types.js'
import { isReady } from './view.js'

export function withContainer(life: PodLife, name: string, change: Partial<ContainerLife>): PodLife {
  return { ...life, containers: { ...life.containers, [name]: { ...stateOf(life, name), ...change } } }
}

/** Readiness of the pod as a whole follows from its containers'; since when is remembered here. */
export function withReadiness(life: PodLife, now: number): PodLife {
  const ready = isReady(life)
  if (ready === (life.readyAt !== null)) return life
  return { ...life, readyAt: ready ? now : null, everReady: life.everReady || ready }
}

const configRetryMs = 1000
const pullBackOffMs = { first: 10_000, longest: 300_000 }

function createRetryMs(tries: number): number {
  return Math.min(1000 * 2 ** (tries - 1), 60_000)
}

export function afterRun(life: PodLife, spec: ContainerSpec, outcome: RunOutcome, now: number): PodLife {
  const before = stateOf(life, spec.name)
  const tries = (before.waiting?.tries ?? 0) + 1
  switch (outcome.kind) {
    case 'running':
      return withContainer(life, spec.name, newRun(before, spec, outcome, outcome.startedAt))
    case 'ended':
      // It is looked at next, and what it left is read then.
      return withContainer(life, spec.name, newRun(before, spec, outcome, now))
    case 'cannotRun': {
      // The engine quotes commands and arguments, and those may have been made with Secret values.
      const message = maskOf(life.record)(outcome.message)
      const end = { exitCode: 128, reason: 'ContainerCannotRun', message, startedAt: now, finishedAt: now }
      const run = newRun(before, spec, outcome, now)
      return withContainer(life, spec.name, { ...run, phase: 'ended', end, crashes: before.crashes + 1 })
    }
    case 'config':
      return waits(life, spec, 'CreateContainerConfigError', outcome.error.message, now + configRetryMs, tries)
    case 'refused':
      return waits(life, spec, 'CreateContainerError', outcome.message, now + createRetryMs(tries), tries)
    case 'failed':
      return waits(life, spec, 'EngineError', outcome.message, now + createRetryMs(tries), tries)
    case 'image': {
      const retryMs = Math.min(pullBackOffMs.first * 2 ** (tries - 1), pullBackOffMs.longest)
      const pulling = outcome.problem.reason === 'ErrImagePull'
      const message = tries === 1 ? outcome.problem.message : `${outcome.problem.message} (${tries} tries)`
      return waits(life, spec, pulling && tries > 1 ? 'ImagePullBackOff' : outcome.problem.reason, message, now + retryMs, tries)
    }
  }
}

function newRun(
  before: ContainerLife,
  spec: ContainerSpec,
  made: { id: string; imageId: string },
  startedAt: number,
): Partial<ContainerLife> {
  return {
    id: made.id,
    imageId: made.imageId,
    run: before.run + 1,
    phase: 'running',
    startedAt,
    end: null,
    last: before.end ?? before.last,
    hook: spec.lifecycle.postStart === undefined ? 'done' : 'pending',
    started: false,
    ready: false,
    waiting: null,
    unhealthy: null,
  }
}

function waits(life: PodLife, spec: ContainerSpec, reason: string, said: string, retryAt: number, tries: number): PodLife {
  const message = maskOf(life.record)(said)
  return withContainer(life, spec.name, { waiting: { reason, message, retryAt, tries } })
}

/** A run ended: counted, and remembered as trouble if nobody asked for it and the pod had been ready. */
export function afterEnd(life: PodLife, spec: ContainerSpec, found: EndOfRun, now: number): PodLife {
  const before = stateOf(life, spec.name)
  const end =
    before.unhealthy !== null && found.end.message === '' ? { ...found.end, message: before.unhealthy.message } : found.end
  const next = withContainer(life, spec.name, {
    phase: 'ended',
    end,
    started: false,
    ready: false,
    waiting: null,
    unhealthy: null,
    crashes: crashesAfter(before.crashes, end.finishedAt - before.startedAt),
    oomKills: before.oomKills + (found.oom ? 1 : 0),
    lastLog: found.lastLog,
  })
  const unasked = restarts(life.record, spec, stateOf(next, spec.name)) || end.exitCode !== 0
  return unasked ? troubled(next, spec.name, now) : next
}

export function afterReady(life: PodLife, name: string, ready: boolean, now: number): PodLife {
  const before = stateOf(life, name)
  const next = withContainer(life, name, { ready, everReady: before.everReady || ready })
  return before.ready && !ready ? troubled(next, name, now) : next
}

/** It will be ended and started again: nobody is to be sent to it from now on. */
export function afterUnhealthy(life: PodLife, name: string, message: string, graceSeconds: number | null, now: number): PodLife {
  return withContainer(afterReady(life, name, false, now), name, { unhealthy: { message, graceSeconds, begun: false } })
}

function troubled(life: PodLife, name: string, now: number): PodLife {
  const told = life.terminating !== null || life.failed !== null
  return told || !life.everReady ? life : withContainer(life, name, { troubledAt: now })
}

export interface Joined {
  readonly life: PodLife
  /** Containers to be looked at, because what is known of them may be old. */
  readonly look: readonly string[]
}

/** What a runtime that was killed knew, with what the engine has. Of each container the newest run counts. */
export function join(life: PodLife, listed: readonly ContainerListed[], now: number): Joined {
  const newest = newestRuns(listed)
  const look: string[] = []
  let next = life
  for (const spec of allContainers(life.record)) {
    const known = stateOf(next, spec.name)
    const found = newest.get(spec.name)
    if (known.id !== '') look.push(known.id)
    // Nobody counts on it until it was looked at: by then a rollout would have ended who serves in its place.
    if (known.phase === 'running' && listed.find(({ Id }) => Id === known.id)?.State !== 'running')
      next = withContainer(next, spec.name, { ready: false })
    if (known.unhealthy !== null) next = withContainer(next, spec.name, { unhealthy: { ...known.unhealthy, begun: false } })
    if (found === undefined || found.run <= known.run) continue
    if (found.state === 'created') {
      // Made, never started: the next run finds it by its name.
      next = withContainer(next, spec.name, { run: found.run - 1 })
      continue
    }
    const made = { id: found.id, imageId: found.imageId }
    next = withContainer(next, spec.name, { ...newRun(known, spec, made, found.createdAt || now), run: found.run })
    look.push(found.id)
  }
  const sandbox = newest.get(sandboxName)
  if (sandbox !== undefined && sandbox.state === 'running') next = { ...next, sandbox: { id: sandbox.id, run: sandbox.run } }
  else if (next.sandbox.id !== '') look.push(next.sandbox.id)
  return { life: next, look }
}

interface FoundRun {
  readonly id: string
  readonly run: number
  readonly state: string
  readonly imageId: string
  readonly createdAt: number
}

function newestRuns(listed: readonly ContainerListed[]): ReadonlyMap<string, FoundRun> {
  const newest = new Map<string, FoundRun>()
  for (const each of listed) {
    const name = each.Labels?.['slipway.container'] ?? ''
    const run = Number(each.Labels?.['slipway.restart'] ?? '-1')
    if ((newest.get(name)?.run ?? -1) >= run) continue
    newest.set(name, { id: each.Id, run, state: each.State, imageId: each.ImageID, createdAt: each.Created * 1000 })
  }
  return newest
}
