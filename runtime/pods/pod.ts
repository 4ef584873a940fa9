// One pod, lived: looks at what changed, does the next step, rests until something happens. Killed at any point and begun again
// with what is on disk and in the engine, it comes to the same end.
import { setTimeout as delay } from 'node:timers/promises'
import { isEngineError } from '../docker/errors.js'
import type { ContainerListed } from '../docker/shapes.js'
import { containerName } from './body.js'
import { nextStep, type PodStep } from './decide.js'
import { lostEnd, readEnd, timeOf } from './end.js'
import { afterEnd, afterReady, afterRun, withContainer, withReadiness } from './happen.js'
import { allContainers, type PodLife, stateOf } from './life.js'
import { addressOf, runContainer, runSandbox } from './run.js'
import { runHook, stopAll, stopContainer } from './stop.js'
import type { ContainerSpec, PodView, TerminateOptions } from './types.js'
import { viewOf } from './view.js'
import { watchContainers } from './watch.js'
import type { PodWorld, Turns } from './world.js'

export interface PodActor {
  view(): PodView
  life(): PodLife
  /** Something happened to this container, or may have. */
  look(id: string, oom?: boolean): void
  /** What the engine lists of this pod: what fits less than known is looked at. */
  compare(listed: readonly ContainerListed[]): void
  terminate(options: TerminateOptions): void
  /** Leaves its containers as they are. */
  close(): Promise<void>
}

export interface PodStart {
  readonly life: PodLife
  /** Not on disk yet. */
  readonly fresh: boolean
  readonly look: readonly string[]
}

export function livePod(world: PodWorld, turns: Turns, start: PodStart, onChange: () => void, onGone: () => void): PodActor {
  let life = start.life
  let shown = ''
  let oldView: PodView | null = null
  const { uid, name, namespace } = life.record
  const who = { pod: `${namespace}/${name}`, uid }
  const ip = addressOf(world, life.record)
  const closing = new AbortController()
  const living = new AbortController()
  const hurry = new AbortController()
  const dirty = new Set<string>(start.look)
  const oomSeen = new Set<string>()
  const bell = makeBell()
  let saved = start.fresh ? world.store.save(life, true) : Promise.resolve()
  saved.catch(() => undefined)
  let saving = false
  let saves = Promise.resolve()
  let unsaved = false
  let gone = false
  let drained: TerminateOptions['drained'] = signal => world.drained(life.record, signal)

  const change = (next: PodLife): void => {
    if (next === life) return
    life = withReadiness(next, world.now())
    if (!saving) saves = save()
    else unsaved = true
    watch.follow(life)
    show()
    bell.ring()
  }
  const show = (): void => {
    const view = viewOf(life, ip, world.now())
    const { record: _, ...seen } = view
    const text = JSON.stringify(seen)
    oldView = view
    if (text === shown) return
    shown = text
    onChange()
  }
  const save = async (): Promise<void> => {
    saving = unsaved = true
    while (unsaved && !gone) {
      unsaved = false
      await world.store.save(life).catch(error => world.log.warn({ ...who, error: String(error) }, 'pod not saved'))
    }
    saving = false
  }
  /** Of the run that it says, and no other: probes may answer late. */
  const ofRun = (container: string, id: string): boolean =>
    stateOf(life, container).id === id && stateOf(life, container).phase === 'running'
  const watch = watchContainers(world, ip, {
    onReady: (container, id, ready, message) => {
      if (!ofRun(container, id)) return
      if (!ready && stateOf(life, container).ready) world.log.info({ ...who, container, message }, 'container lost readiness')
      change(afterReady(life, container, ready, world.now()))
    },
    onStarted: (container, id) => {
      if (ofRun(container, id)) change(withContainer(life, container, { started: true }))
    },
    onUnhealthy: (container, id, message, graceSeconds) => {
      if (!ofRun(container, id) || life.terminating !== null) return
      world.log.info({ ...who, container, message }, 'container is unhealthy')
      change(withContainer(life, container, { unhealthy: { message, graceSeconds, begun: false } }))
    },
  })

  const observe = async (): Promise<void> => {
    for (const id of [...dirty]) {
      dirty.delete(id)
      try {
        await lookAt(id)
      } catch (error) {
        dirty.add(id)
        throw error
      }
    }
  }
  const lookAt = async (id: string): Promise<void> => {
    if (id === life.sandbox.id) return lookAtSandbox(id)
    const spec = allContainers(life.record).find(each => stateOf(life, each.name).id === id)
    if (spec === undefined) return
    const known = stateOf(life, spec.name)
    const found = await inspectOrNull(id)
    if (found === null) {
      if (known.phase === 'running')
        change(
          afterEnd(life, spec, { end: lostEnd(known.startedAt, world.now()), lastLog: known.lastLog, oom: false }, world.now()),
        )
      return
    }
    if (found.State.Running) {
      const startedAt = timeOf(found.State.StartedAt)
      // Started again by hand, or found at adoption: a small difference is only our clock's against the engine's.
      const other = known.phase !== 'running' || Math.abs(startedAt - known.startedAt) > 5_000
      if (other)
        change(
          withContainer(life, spec.name, {
            phase: 'running',
            startedAt,
            waiting: null,
            ...(known.phase === 'running' ? {} : { last: known.end, end: null }),
          }),
        )
      return
    }
    if (known.phase !== 'running') return
    await readEndOf(
      spec,
      found.State.ExitCode === 137 && !found.State.OOMKilled && !oomSeen.has(id) ? await lookAgain(id, spec) : found,
    )
  }
  /** The engine may say that a container ended before it says that memory was the reason. */
  const lookAgain = async (id: string, spec: ContainerSpec) => {
    if (spec.resources.limits.memoryBytes !== undefined && life.terminating === null) await delay(50)
    return world.docker.containers.inspect(id)
  }
  const readEndOf = async (
    spec: ContainerSpec,
    found: Awaited<ReturnType<typeof world.docker.containers.inspect>>,
  ): Promise<void> => {
    const messageFile = await world.volumes.terminationFile(uid, spec.name, stateOf(life, spec.name).run)
    const question = { record: life.record, spec, found, oomSeen: oomSeen.delete(found.Id), messageFile }
    const ended = await readEnd(world.docker, question, closing.signal)
    world.log.info({ ...who, container: spec.name, exitCode: ended.end.exitCode, reason: ended.end.reason }, 'container ended')
    change(afterEnd(life, spec, ended, world.now()))
  }
  const lookAtSandbox = async (id: string): Promise<void> => {
    const found = await inspectOrNull(id)
    if (found?.State.Running || life.finishedAt !== null) return
    // Without it no container of the pod has a network that another could join: all begin anew.
    change({ ...life, sandbox: { ...life.sandbox, id: '' } })
    const running = allContainers(life.record).filter(spec => stateOf(life, spec.name).phase === 'running')
    for (const spec of running) {
      await world.docker.containers.kill(stateOf(life, spec.name).id, 'SIGKILL')
      await lookAt(stateOf(life, spec.name).id)
    }
  }
  const inspectOrNull = async (id: string) => {
    try {
      return await world.docker.containers.inspect(id)
    } catch (error) {
      if (isEngineError(error, 'notFound')) return null
      throw error
    }
  }

  const run = async (spec: ContainerSpec): Promise<void> => {
    const signal = AbortSignal.any([living.signal, closing.signal])
    const outcome = await runContainer(world, life, spec, saved, turns, signal)
    if (outcome.kind === 'config' && outcome.error.missing !== null && supply(outcome.error.missing)) return
    if (outcome.kind === 'ended') dirty.add(outcome.id)
    change(afterRun(life, spec, outcome, world.now()))
    const { run: newest, waiting } = stateOf(life, spec.name)
    if (waiting !== null)
      world.log.info({ ...who, container: spec.name, reason: waiting.reason, message: waiting.message }, 'container waits')
    // The run before stays for its log.
    if ('id' in outcome && newest >= 2)
      void world.docker.containers.remove(containerName(life.record, spec.name, newest - 2)).catch(() => undefined)
  }
  /** True: the newest of what was missing has come, and is part of the pod's snapshot from now on. */
  const supply = ({ kind, name: missing }: { kind: 'configMap' | 'secret'; name: string }): boolean => {
    const maps = kind === 'secret' ? 'secrets' : 'configMaps'
    const found = world.lookUp(life.record, kind, missing)
    if (found === null || JSON.stringify(found) === JSON.stringify(life.record[maps][missing])) return false
    change({ ...life, record: { ...life.record, [maps]: { ...life.record[maps], [missing]: found } } })
    return true
  }
  const postStart = async (spec: ContainerSpec): Promise<void> => {
    const { id } = stateOf(life, spec.name)
    const signal = AbortSignal.any([living.signal, closing.signal])
    try {
      await runHook(world, spec.lifecycle.postStart!, id, ip, 24 * 3_600_000, signal)
      if (ofRun(spec.name, id)) change(withContainer(life, spec.name, { hook: 'done' }))
    } catch (error) {
      if (signal.aborted) throw error
      const message = `postStart hook failed: ${(error as Error).message}`
      // Of a container that ended meanwhile its own end is told, not the hook's.
      dirty.add(id)
      if (ofRun(spec.name, id))
        change(withContainer(life, spec.name, { unhealthy: { message, graceSeconds: null, begun: false } }))
    }
  }
  /** Goes on beside the other containers' lives; the engine tells when it has ended. */
  const stop = (spec: ContainerSpec): void => {
    const { unhealthy, id } = stateOf(life, spec.name)
    const graceSeconds = unhealthy?.graceSeconds ?? life.record.spec.terminationGracePeriodSeconds
    if (unhealthy !== null) change(withContainer(life, spec.name, { unhealthy: { ...unhealthy, begun: true } }))
    void stopContainer(world, life, spec, graceSeconds * 1000, true, ip, AbortSignal.any([living.signal, closing.signal])).then(
      () => look(id),
      () => look(id),
    )
  }
  const stopLast = async (spec: ContainerSpec): Promise<void> => {
    const { id } = stateOf(life, spec.name)
    const graceMs = life.record.spec.terminationGracePeriodSeconds * 1000
    await stopContainer(world, life, spec, graceMs, true, ip, AbortSignal.any([living.signal, closing.signal]))
    dirty.add(id)
  }
  const take = async (step: Exclude<PodStep, { do: 'rest' }>): Promise<void> => {
    switch (step.do) {
      case 'sandbox':
        return change({
          ...life,
          sandbox: await runSandbox(world, life, saved, turns, AbortSignal.any([living.signal, closing.signal])),
        })
      case 'run':
        return run(step.container)
      case 'postStart':
        return postStart(step.container)
      case 'stop':
        return stateOf(life, step.container.name).unhealthy === null ? stopLast(step.container) : stop(step.container)
      case 'initialized':
        return change({ ...life, initialized: true })
      case 'fail':
        return change({ ...life, failed: { reason: step.reason, message: step.message } })
      case 'finish':
        if (life.sandbox.id !== '') await world.docker.containers.remove(life.sandbox.id)
        return change({ ...life, sandbox: { ...life.sandbox, id: '' }, finishedAt: life.finishedAt ?? world.now() })
    }
  }

  const end = async (): Promise<void> => {
    const signal = AbortSignal.any([closing.signal, hurry.signal])
    const first = life.terminating!.stoppingSince === null
    if (first) {
      await drained(signal).catch(error => {
        if (!signal.aborted) world.log.warn({ ...who, error: String(error) }, 'connections not known to be gone')
      })
      closing.signal.throwIfAborted()
      change({ ...life, terminating: { ...life.terminating!, stoppingSince: world.now() } })
    }
    const { graceSeconds, stoppingSince } = life.terminating!
    const leftMs = hurry.signal.aborted ? 0 : Math.max(graceSeconds * 1000 - (world.now() - stoppingSince!), 0)
    await stopAll(world, life, leftMs, first, ip, hurry.signal.aborted ? closing.signal : signal).catch(error => {
      if (!hurry.signal.aborted) throw error
    })
    await removeAll()
  }
  const removeAll = async (): Promise<void> => {
    const left = await world.docker.containers.list([`slipway.pod-uid=${uid}`, `slipway.node=${world.node}`])
    await Promise.all(left.map(each => world.docker.containers.remove(each.Id)))
    watch.close()
    await world.volumes.remove(uid)
    gone = true
    await world.store.remove(uid)
    world.addresses.releaseAddress(uid)
  }

  const loop = async (): Promise<void> => {
    let failures = 0
    let ending = false
    while (!closing.signal.aborted) {
      const heard = bell.next()
      try {
        if (life.terminating !== null) {
          ending = true
          await end()
          closing.abort(new Error('the pod is gone'))
          onGone()
          return
        }
        await observe()
        const step = nextStep(life, world.now())
        if (step.do !== 'rest') await take(step)
        else if (dirty.size === 0) await rest(step.until === null ? null : step.until - world.now(), heard, closing.signal)
        failures = 0
      } catch (error) {
        if (closing.signal.aborted) return
        if (living.signal.aborted && !ending) continue
        world.log.warn({ ...who, error: String(error) }, 'pod step failed; trying again')
        if (start.fresh && life.terminating === null) saved = world.store.save(life, true)
        saved.catch(() => undefined)
        await rest(Math.min(50 * 2 ** failures++, 5_000), new Promise(() => undefined), closing.signal)
      }
    }
  }
  const look = (id: string, oom = false): void => {
    dirty.add(id)
    if (oom) oomSeen.add(id)
    bell.ring()
  }

  watch.follow(life)
  show()
  const done = loop()
  return {
    view: () => oldView ?? viewOf(life, ip, world.now()),
    life: () => life,
    look,
    compare: listed => {
      const running = new Map(listed.map(each => [each.Id, each.State === 'running']))
      for (const each of Object.values(life.containers)) {
        if (each.id !== '' && (running.get(each.id) ?? false) !== (each.phase === 'running')) look(each.id)
      }
      if (life.sandbox.id !== '' && running.get(life.sandbox.id) !== true) look(life.sandbox.id)
    },
    terminate: options => {
      const graceSeconds = options.graceSeconds ?? life.record.spec.terminationGracePeriodSeconds
      if (life.terminating === null) {
        drained = options.drained
        change({ ...life, terminating: { since: world.now(), reason: options.reason, graceSeconds, stoppingSince: null } })
        living.abort(new Error('the pod is being ended'))
      } else if (options.graceSeconds === 0) {
        hurry.abort(new Error('no grace is left'))
      }
      bell.ring()
    },
    close: async () => {
      closing.abort(new Error('the runtime is ending'))
      watch.close()
      await done
      await saved.catch(() => undefined)
      await saves
    },
  }
}

/** Rings are not lost: one between `next` and the wait ends the wait at once. */
function makeBell(): { ring: () => void; next: () => Promise<void> } {
  let ring: () => void = () => undefined
  return {
    ring: () => ring(),
    next: () =>
      new Promise(resolve => {
        ring = resolve
      }),
  }
}

/** Until it rings, the time is over (null: never), or the signal aborts. */
function rest(ms: number | null, heard: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    // setTimeout's longest is about 24 days; looking once too often does no harm.
    const timer = setTimeout(done, ms === null ? longestRestMs : Math.min(Math.max(ms, 0), longestRestMs))
    if (ms === null) timer.unref()
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
    void heard.then(done)
  })
}

const longestRestMs = 24 * 3_600_000
