// One pod, lived: looks at what changed, does the next step, rests until something happens. Killed at any point and begun again
// with what is on disk and in the engine, it comes to the same end.
import type { ApplicationId } from '../contract/documents.js'
import { isEngineError } from '../docker/errors.js'
import type { ContainerListed } from '../docker/shapes.js'
import { containerName } from './body.js'
import { nextStep, type PodStep } from './decide.js'
import { afterReady, afterRun, afterUnhealthy, withContainer, withReadiness } from './happen.js'
import { type Keeper, makeKeeper } from './keep.js'
import { allContainers, type ContainerLife, type PodLife, stateOf, type Terminating } from './life.js'
import { inspectOrNull, lookAt, sameStartMs } from './look.js'
import { maskOf } from './mask.js'
import { type Bell, makeBell, rest } from './rest.js'
import { addressOf, runContainer, runSandbox } from './run.js'
import { runHook, stopAll, stopContainer } from './stop.js'
import type { ContainerSpec, PodView, TerminateOptions } from './types.js'
import { viewOf } from './view.js'
import { type Watch, watchContainers } from './watch.js'
import type { PodWorld, Turns } from './world.js'

export interface PodStart {
  readonly life: PodLife
  /** Not on disk yet. */
  readonly fresh: boolean
  readonly look: readonly string[]
}

export interface PodListener {
  readonly onChange: () => void
  readonly onGone: () => void
}

type Executors = { readonly [S in PodStep as S['do']]: (step: S) => Promise<void> }

const postStartLimitMs = 24 * 3_600_000
const stopRetryMs = 1_000

export class LivingPod {
  readonly #world: PodWorld
  readonly #turns: Turns
  readonly #listener: PodListener
  readonly #fresh: boolean
  readonly #ip: string
  readonly #who: { readonly pod: string; readonly uid: string }
  readonly #keeper: Keeper
  readonly #watch: Watch
  readonly #bell: Bell = makeBell()
  /** Containers that something happened to; the engine told of memory running out in these. */
  readonly #dirty: Set<string>
  readonly #oomSeen = new Set<string>()
  /** Runs that are over, and what they left is being read: no probe has a say in them any more. */
  readonly #ended = new Set<string>()
  /** The runtime ends; the pod is being ended; there is no time left for that. */
  readonly #closing = new AbortController()
  readonly #living = new AbortController()
  readonly #hurry = new AbortController()
  /** When stopping began, on the clock that nobody sets; null where an earlier runtime began it. */
  #stoppingAt: number | null = null
  #life: PodLife
  #view: PodView
  #shown = ''
  #kept: Promise<void>
  #drained: TerminateOptions['drained']
  #done: Promise<void> = Promise.resolve()
  #isLookedAt = (): void => {}
  /** Once all that it was begun with was looked at in the engine. */
  readonly lookedAt = new Promise<void>(resolve => {
    this.#isLookedAt = resolve
  })

  constructor(world: PodWorld, turns: Turns, start: PodStart, listener: PodListener) {
    const { uid, name, namespace } = start.life.record
    this.#world = world
    this.#turns = turns
    this.#listener = listener
    this.#fresh = start.fresh
    this.#life = start.life
    this.#ip = addressOf(world, start.life.record)
    this.#who = { pod: `${namespace}/${name}`, uid }
    this.#dirty = new Set(start.look)
    this.#keeper = makeKeeper(world)
    this.#kept = start.fresh ? this.#keeper.first(start.life) : Promise.resolve()
    this.#kept.catch(() => undefined)
    this.#drained = signal => world.drained(this.#life.record, signal)
    this.#watch = this.#makeWatch()
    this.#view = viewOf(start.life, this.#ip, world.now())
  }

  begin(): void {
    this.#watch.follow(this.#life)
    this.#show()
    this.#done = this.#live()
  }

  get view(): PodView {
    return this.#view
  }

  /** Something happened to this container, or may have. */
  look(id: string, oom = false): void {
    this.#dirty.add(id)
    if (oom) this.#oomSeen.add(id)
    this.#bell.ring()
  }

  /**
   * The engine tells of a start, `at` ms since 1970 in whole seconds. Our own it need not be asked about again: its answer says the
   * same, or is on its way still, and then the id is not known yet.
   */
  heardStart(id: string, at: number): void {
    const { sandbox, containers } = this.#life
    const each = Object.values(containers).find(candidate => candidate.id === id)
    const isOwn = each?.phase === 'running' && Math.abs(each.startedAt - at) <= sameStartMs
    if (id === sandbox.id || (each !== undefined && !isOwn)) this.look(id)
  }

  /** What the engine lists of this pod: what fits less than known is looked at. */
  compare(listed: readonly ContainerListed[]): void {
    const running = new Set(listed.filter(each => each.State === 'running').map(each => each.Id))
    for (const each of Object.values(this.#life.containers)) {
      if (each.id !== '' && running.has(each.id) !== (each.phase === 'running')) this.look(each.id)
    }
    const { id } = this.#life.sandbox
    if (id !== '' && !running.has(id)) this.look(id)
  }

  handOver(application: ApplicationId): void {
    this.#change({ ...this.#life, record: { ...this.#life.record, application } })
    // Nothing of what is seen of it is new, but whose it is.
    this.#listener.onChange()
  }

  /** Called again with a grace of 0 it leaves no more time. */
  terminate(options: TerminateOptions): void {
    const graceSeconds = options.graceSeconds ?? this.#life.record.spec.terminationGracePeriodSeconds
    if (this.#life.terminating === null) {
      this.#drained = options.drained
      const terminating: Terminating = { since: this.#world.now(), reason: options.reason, graceSeconds, stoppingSince: null }
      this.#change({ ...this.#life, terminating })
      this.#living.abort(new Error('the pod is being ended'))
    } else if (options.graceSeconds === 0) {
      this.#hurry.abort(new Error('no grace is left'))
    }
    this.#bell.ring()
  }

  /** Leaves its containers as they are. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the runtime is ending'))
    this.#watch.close()
    await this.#done
    await this.#kept.catch(() => undefined)
    await this.#keeper.flush()
  }

  // -- the loop --

  async #live(): Promise<void> {
    let failures = 0
    while (!this.#closing.signal.aborted) {
      const heard = this.#bell.next()
      const ending = this.#life.terminating !== null
      try {
        if (ending) return await this.#end()
        await this.#pass(heard)
        failures = 0
      } catch (error) {
        if (this.#closing.signal.aborted) return
        // A step was cut short, because the pod is to be ended: that is next.
        if (!ending && this.#life.terminating !== null) continue
        this.#world.log.warn({ ...this.#who, error: this.#masked(String(error)) }, 'pod step failed; trying again')
        if (this.#fresh && !ending) this.#keepAgain()
        await rest(Math.min(50 * 2 ** failures++, 5_000), null, this.#closing.signal)
      }
    }
  }

  async #pass(heard: Promise<void>): Promise<void> {
    await this.#observe()
    this.#isLookedAt()
    const step = nextStep(this.#life, this.#world.now())
    if (step.do !== 'rest') return this.#take(step)
    if (this.#dirty.size > 0) return
    await rest(step.until === null ? null : step.until - this.#world.now(), heard, this.#closing.signal)
  }

  #take<S extends Exclude<PodStep, { do: 'rest' }>>(step: S): Promise<void> {
    return (this.#executors[step.do] as (step: S) => Promise<void>)(step)
  }

  readonly #executors: Omit<Executors, 'rest'> = {
    sandbox: async () => {
      const sandbox = await runSandbox(this.#world, this.#life, this.#kept, this.#turns, this.#steps())
      this.#change({ ...this.#life, sandbox })
    },
    run: ({ container }) => this.#run(container),
    postStart: ({ container }) => this.#postStart(container),
    stop: ({ container }) =>
      this.#of(container).unhealthy === null ? this.#stopLast(container) : this.#stopUnhealthy(container),
    initialized: async () => this.#change({ ...this.#life, initialized: true }),
    fail: async ({ reason, message }) => this.#change({ ...this.#life, failed: { reason, message } }),
    finish: async () => {
      if (this.#life.sandbox.id !== '') await this.#world.docker.containers.remove(this.#life.sandbox.id)
      const finishedAt = this.#life.finishedAt ?? this.#world.now()
      this.#change({ ...this.#life, sandbox: { ...this.#life.sandbox, id: '' }, finishedAt })
    },
  }

  /** The one place that changes the pod: on disk, in its probes and for whoever watches it at once. */
  #change(next: PodLife): void {
    if (next === this.#life) return
    this.#life = withReadiness(next, this.#world.now())
    this.#keeper.save(this.#life)
    this.#watch.follow(this.#life)
    this.#show()
    this.#bell.ring()
  }

  #show(): void {
    this.#view = viewOf(this.#life, this.#ip, this.#world.now())
    const { record: _, ...seen } = this.#view
    const text = JSON.stringify(seen)
    if (text === this.#shown) return
    this.#shown = text
    this.#listener.onChange()
  }

  #changeContainer(name: string, change: Partial<ContainerLife>): void {
    this.#change(withContainer(this.#life, name, change))
  }

  #of(spec: ContainerSpec): ContainerLife {
    return stateOf(this.#life, spec.name)
  }

  /** What programs and the engine say may quote the pod's Secrets. */
  #masked(text: string): string {
    return maskOf(this.#life.record)(text)
  }

  #steps(): AbortSignal {
    return AbortSignal.any([this.#living.signal, this.#closing.signal])
  }

  #keepAgain(): void {
    this.#kept = this.#keeper.first(this.#life)
    this.#kept.catch(() => undefined)
  }

  // -- what is seen --

  async #observe(): Promise<void> {
    for (const id of [...this.#dirty]) {
      this.#dirty.delete(id)
      try {
        if (id === this.#life.sandbox.id) await this.#lookAtSandbox(id)
        else await this.#lookAtContainer(id)
      } catch (error) {
        this.#dirty.add(id)
        throw error
      }
    }
  }

  async #lookAtContainer(id: string): Promise<void> {
    this.#ended.delete(id)
    const onEnded = (container: string): void => {
      this.#ended.add(id)
      this.#changeContainer(container, { ready: false })
    }
    const change = await lookAt(this.#world, this.#life, id, this.#oomSeen.has(id), onEnded, this.#closing.signal)
    this.#oomSeen.delete(id)
    if (change !== null) this.#change(change(this.#life))
    this.#ended.delete(id)
  }

  /** Without it no container of the pod has a network that another could join: all begin anew. */
  async #lookAtSandbox(id: string): Promise<void> {
    const found = await inspectOrNull(this.#world, id, this.#closing.signal)
    if (found?.State.Running || this.#life.finishedAt !== null) return
    this.#change({ ...this.#life, sandbox: { ...this.#life.sandbox, id: '' } })
    for (const spec of allContainers(this.#life.record)) {
      const each = this.#of(spec)
      if (each.phase !== 'running') continue
      await this.#world.docker.containers.kill(each.id, 'SIGKILL')
      await this.#lookAtContainer(each.id)
    }
  }

  /** Probes may answer late: only what they say of the run that is on counts. */
  #isOn(name: string, id: string): boolean {
    const each = stateOf(this.#life, name)
    return each.id === id && each.phase === 'running' && !this.#ended.has(id)
  }

  #makeWatch(): Watch {
    return watchContainers(this.#world, this.#ip, {
      onReady: (container, id, ready, message) => {
        if (!this.#isOn(container, id)) return
        if (!ready) this.#world.log.info({ ...this.#who, container, message: this.#masked(message) }, 'container is not ready')
        this.#change(afterReady(this.#life, container, ready, this.#world.now()))
      },
      onStarted: (container, id) => {
        if (this.#isOn(container, id)) this.#changeContainer(container, { started: true })
      },
      onUnhealthy: (container, id, said, graceSeconds) => {
        if (!this.#isOn(container, id) || this.#life.terminating !== null) return
        const message = this.#masked(said)
        this.#world.log.info({ ...this.#who, container, message }, 'container is unhealthy')
        this.#change(afterUnhealthy(this.#life, container, message, graceSeconds, this.#world.now()))
      },
    })
  }

  // -- steps --

  async #run(spec: ContainerSpec): Promise<void> {
    const outcome = await runContainer(this.#world, this.#life, spec, this.#kept, this.#turns, this.#steps())
    if (outcome.kind === 'config' && outcome.error.missing !== null && this.#supply(outcome.error.missing)) return
    if (outcome.kind === 'ended') this.#dirty.add(outcome.id)
    const before = this.#of(spec).waiting
    this.#change(afterRun(this.#life, spec, outcome, this.#world.now()))
    const { run, waiting } = this.#of(spec)
    if (waiting !== null && waiting.message !== before?.message) {
      const facts = { ...this.#who, container: spec.name, reason: waiting.reason, message: waiting.message }
      this.#world.log.info(facts, 'container waits')
    }
    // The run before stays for its log.
    const old = containerName(this.#life.record, spec.name, run - 2)
    if ('id' in outcome && run >= 2) void this.#world.docker.containers.remove(old).catch(() => undefined)
  }

  /** True: the newest of what was missing has come, and is part of the pod's snapshot from now on. */
  #supply({ kind, name }: { readonly kind: 'configMap' | 'secret'; readonly name: string }): boolean {
    const { record } = this.#life
    const maps = kind === 'secret' ? 'secrets' : 'configMaps'
    const found = this.#world.lookUp(record, kind, name)
    if (found === null || JSON.stringify(found) === JSON.stringify(record[maps][name])) return false
    this.#change({ ...this.#life, record: { ...record, [maps]: { ...record[maps], [name]: found } } })
    return true
  }

  async #postStart(spec: ContainerSpec): Promise<void> {
    const { id } = this.#of(spec)
    const signal = this.#steps()
    try {
      await runHook(this.#world, spec.lifecycle.postStart!, id, this.#ip, postStartLimitMs, signal)
      if (this.#isOn(spec.name, id)) this.#changeContainer(spec.name, { hook: 'done' })
    } catch (error) {
      if (signal.aborted) throw error
      // Of a container that ended meanwhile its own end is told as well.
      this.#dirty.add(id)
      const message = this.#masked(`postStart hook failed: ${(error as Error).message}`)
      if (this.#isOn(spec.name, id))
        this.#changeContainer(spec.name, { unhealthy: { message, graceSeconds: null, begun: false } })
    }
  }

  /** Goes on beside the other containers' lives; the engine tells when it has ended. */
  async #stopUnhealthy(spec: ContainerSpec): Promise<void> {
    const { unhealthy, id } = this.#of(spec)
    const graceSeconds = unhealthy?.graceSeconds ?? this.#life.record.spec.terminationGracePeriodSeconds
    if (unhealthy !== null) this.#changeContainer(spec.name, { unhealthy: { ...unhealthy, begun: true } })
    const signal = this.#steps()
    const stopped = stopContainer(this.#world, this.#life, spec, graceSeconds * 1000, true, this.#ip, signal)
    const notStopped = async (error: unknown): Promise<void> => {
      if (signal.aborted) return
      this.#world.log.warn({ ...this.#who, container: spec.name, error: String(error) }, 'container not stopped; trying again')
      await rest(stopRetryMs, null, signal)
      if (unhealthy !== null && this.#isOn(spec.name, id)) this.#changeContainer(spec.name, { unhealthy })
    }
    void stopped.then(() => this.look(id), notStopped)
  }

  /** Of a pod that is over: sidecars, and what still runs after its deadline. */
  async #stopLast(spec: ContainerSpec): Promise<void> {
    const { id } = this.#of(spec)
    const graceMs = this.#life.record.spec.terminationGracePeriodSeconds * 1000
    await stopContainer(this.#world, this.#life, spec, graceMs, true, this.#ip, this.#steps())
    this.#dirty.add(id)
  }

  // -- its end --

  async #end(): Promise<void> {
    const signal = AbortSignal.any([this.#closing.signal, this.#hurry.signal])
    const first = this.#life.terminating!.stoppingSince === null
    if (first) await this.#drain(signal)
    await this.#stopWithin(this.#hurry.signal.aborted ? 0 : this.#graceLeft(this.#life.terminating!), first, signal)
    await this.#removeAll()
    this.#closing.abort(new Error('the pod is gone'))
    this.#listener.onGone()
  }

  async #drain(signal: AbortSignal): Promise<void> {
    await this.#drained(signal).catch(error => {
      if (!signal.aborted) this.#world.log.warn({ ...this.#who, error: String(error) }, 'connections not known to be gone')
    })
    this.#closing.signal.throwIfAborted()
    this.#stoppingAt = this.#world.elapsed()
    this.#change({ ...this.#life, terminating: { ...this.#life.terminating!, stoppingSince: this.#world.now() } })
  }

  /** ms; never more than the whole, though the clock was set back since an earlier runtime began. */
  #graceLeft({ graceSeconds, stoppingSince }: Terminating): number {
    const graceMs = graceSeconds * 1000
    const tookMs = this.#stoppingAt === null ? this.#world.now() - (stoppingSince ?? 0) : this.#world.elapsed() - this.#stoppingAt
    return Math.min(Math.max(graceMs - tookMs, 0), graceMs)
  }

  /** Cut short, all that is left is killed by its removal. */
  async #stopWithin(graceMs: number, preStop: boolean, signal: AbortSignal): Promise<void> {
    if (this.#hurry.signal.aborted) return
    await stopAll(this.#world, this.#life, graceMs, preStop, this.#ip, signal).catch(error => {
      if (!this.#hurry.signal.aborted) throw error
    })
  }

  /** One that has ended, but that the engine cannot remove (mounts of an engine that was killed), holds nobody up: see pods.ts. */
  async #removeOr(id: string): Promise<void> {
    try {
      await this.#world.docker.containers.remove(id)
    } catch (error) {
      const found = isEngineError(error, 'failed') ? await inspectOrNull(this.#world, id, this.#closing.signal) : undefined
      if (found === undefined || found?.State.Running) throw error
      this.#world.log.warn({ ...this.#who, container: id, error: String(error) }, 'container not removed; left for later')
    }
  }

  async #removeAll(): Promise<void> {
    const { uid } = this.#who
    const { containers } = this.#world.docker
    const left = await containers.list([`slipway.pod-uid=${uid}`, `slipway.node=${this.#world.node}`])
    const tried = await Promise.allSettled(left.map(each => containers.remove(each.Id)))
    // Podman removes what others have joined only after those.
    for (const [index, { Id }] of left.entries()) if (tried[index]?.status === 'rejected') await this.#removeOr(Id)
    this.#watch.close()
    await this.#world.volumes.remove(uid)
    await this.#keeper.forget(uid)
    this.#world.addresses.releaseAddress(uid)
  }
}
