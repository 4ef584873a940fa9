// The node's loop: what should run, what runs, one plan, its steps; again until nothing is left to do. Everything else only wakes it.
import { setTimeout as delay } from 'node:timers/promises'
import { type ApplicationId, type DesiredDocument, isNewer, type Problem, type ReportDocument } from './contract/documents.js'
import type { Manifest } from './contract/manifest.js'
import { type Endings, highestEpoch, mayBegin, withEnding } from './endings.js'
import { withKnownObjects } from './known-objects.js'
import { createLoop } from './loop.js'
import { afterLost, whoseLost } from './lost-pods.js'
import type { DataPlane } from './network/types.js'
import type { PodRecord, Pods, PodView } from './pods/types.js'
import type { Preflights } from './preflight.js'
import { reportOf, type ServiceAddresses, textOf } from './report.js'
import type { NodeState } from './state.js'
import { type NodeMemory, type NodePlan, planNode, trafficOf } from './workloads/node.js'
import type { NodeObject } from './workloads/objects.js'
import { type Ending, earliest } from './workloads/plan.js'
import type { Surroundings } from './workloads/template.js'

export interface World {
  readonly pods: Pods
  readonly dataPlane: Pick<DataPlane, 'apply' | 'drained' | 'clusterIP' | 'nodePort'>
  readonly state: Pick<NodeState, 'saveDocument' | 'saveMemory' | 'forget'>
  readonly now: () => number
  /** ms of any origin that no step of the clock moves. */
  readonly elapsed: () => number
  readonly newId: Surroundings['newId']
  /** Keys the template hashes; the same for the life of the node. */
  readonly salt: string
  readonly refusals: (object: NodeObject) => readonly Problem[]
  /** The node's addresses, for Services of type LoadBalancer. */
  readonly addresses: () => readonly string[]
  /** Called with each report that says something new. */
  readonly report: (report: ReportDocument) => void
  readonly log: (message: string, facts: Readonly<Record<string, unknown>>) => void
  readonly preflights: (
    documents: () => readonly DesiredDocument[],
    memory: () => NodeMemory,
    onChange: () => void,
    signal: AbortSignal,
  ) => Preflights
}

export interface Reconciler {
  /** What should run of one application; ignored unless newer than what is obeyed. Obeyed once it lies on the node's disk. */
  offer(document: DesiredDocument): void
  /** By application name, tombstones included. */
  obeyed(): ReadonlyMap<string, DesiredDocument>
  /** May this be obeyed, of an application of which nothing is? */
  mayBegin(document: Parameters<typeof mayBegin>[1]): boolean
  /** The highest of any order obeyed. */
  epoch(): number
  /** The controller has no document of this deleted application any more: once nothing of it is left, only its last order is kept. */
  ended(application: string): void
  /** Takes a pod out of the data plane and waits for its connections: for an ending that a former runtime had begun. */
  drain(record: PodRecord, signal: AbortSignal): Promise<void>
  /** Why the last pass failed; '' when it did not. */
  trouble(): string
  wake(): void
  /** Leaves everything as it is: nothing is ended because the runtime ends. */
  stop(): Promise<void>
}

/** `kept` is what the disk had at the start. The pods must have been adopted before. */
export function createReconciler(
  world: World,
  kept: { readonly documents: readonly DesiredDocument[]; readonly memory: NodeMemory; readonly endings: Endings },
): Reconciler {
  const obeyed = new Map(kept.documents.map(document => [document.application.name, document]))
  const offered = new Map<string, DesiredDocument>()
  /** What was last said of each application. */
  const reported = new Map<string, string>()
  const plans: NonNullable<Parameters<typeof planNode>[1]> = new Map()
  /** Tombstones that the controller does not have any more. */
  const unwanted = new Set<string>()
  let endings = kept.endings
  let memory = kept.memory
  /** What the traffic is steered by: memory, and what of it is just being written. */
  let planned = kept.memory
  let savedMemory = JSON.stringify(kept.memory)
  let trouble = ''

  const ending = new AbortController()
  const loop = createLoop<'node'>({ pass: (_, signal) => pass(signal), now: world.now, onFailure: failed, concurrency: 1 })
  const wake = () => loop.wake('node')
  const documents = () => [...obeyed.values()]
  const preflights = world.preflights(documents, () => memory, wake, ending.signal)
  const unlisten = world.pods.onChange(wake)
  /** The pods as they were when the traffic was last steered. */
  let steeredBy = world.pods.list()
  const steer = inTurn(async () => {
    const pods = world.pods.list()
    const traffic = trafficOf({ documents: documents(), pods, memory: planned, refusals: world.refusals })
    await world.dataPlane.apply(traffic, ending.signal).finally(() => (steeredBy = pods))
  })

  /** What cannot be kept on disk is neither obeyed nor begun; what runs goes on being steered and reported. */
  async function pass(signal: AbortSignal): Promise<{ readonly wakeAt: number | null }> {
    const unsaved = await obeyOffered()
    for (const document of documents()) preflights.ask(document)
    endLost()
    const now = world.now()
    const { salt, newId, refusals } = world
    const plan = planNode({ documents: documents(), pods: world.pods.list(), memory, salt, now, newId, refusals }, plans)
    planned = plan.memory
    // Beside the disk, except where it is to see whose pods they are from now on.
    const steered = plan.handOver.length === 0 ? settle(steer()) : null
    const forgetful = await settle(remember(plan.memory))
    await forgetEnded()
    if (forgetful === null) for (const { uid, application } of plan.handOver) handOver(uid, application)
    const create = afterLost(plan.create, world.pods.list())
    const unmade = forgetful === null ? makeAll(create) : null
    // What is ready gets its traffic before anything that serves is taken away.
    const steering = await (steered ?? settle(steer()))
    const isSteered = steering === null || steering.name === 'ListenerConflict'
    if (forgetful === null && isSteered && !signal.aborted) for (const step of plan.terminate) end(step)
    // Nobody hears that a pod is ready before it gets its traffic.
    const told = isSteered ? steeredBy : world.pods.list()
    await preflights.quickOnes()
    tell(plan, told)
    const failure = unsaved ?? forgetful ?? unmade
    if (failure !== null) throw failure
    if (steering !== null && !isSteered) {
      throw new Error('steering the data plane; nothing is taken out of it meanwhile', { cause: steering })
    }
    become(steering === null ? '' : steering.message)
    const acted = create.length + plan.terminate.length > 0
    return { wakeAt: acted ? now : earliest([plan.wakeAt, steering === null ? null : now + listenerRetryMs]) }
  }

  /** Each for itself; the error of the first that could not be kept, or null. */
  async function obeyOffered(): Promise<Error | null> {
    const failures = await Promise.all([...offered.values()].map(obey))
    return failures.find(failure => failure !== null) ?? null
  }

  async function obey(document: DesiredDocument): Promise<Error | null> {
    const { name } = document.application
    // Touches nothing that runs, so it need not wait for the disk.
    preflights.ask(document)
    const failure = await settle(world.state.saveDocument(document))
    if (failure !== null) return failure
    obeyed.set(name, document)
    if (offered.get(name) === document) offered.delete(name)
    const { epoch, generation, release, attempt, deleted, objects } = document
    world.log('obeying', { application: name, epoch, generation, release, attempt, deleted, objects: objects.length })
    return null
  }

  /** Before anything is done with it: a Job that was counted as run must not run again. */
  async function remember(next: NodeMemory): Promise<void> {
    const names = Object.keys(next)
    const isSame = names.length === Object.keys(memory).length && names.every(name => next[name] === memory[name])
    if (isSame) return
    const text = JSON.stringify(next)
    if (text !== savedMemory) await world.state.saveMemory(next)
    savedMemory = text
    memory = next
  }

  /** What cannot be forgotten now is forgotten another time. */
  async function forgetEnded(): Promise<void> {
    for (const name of [...unwanted]) {
      unwanted.delete(name)
      const document = obeyed.get(name)
      const isLeft = world.pods.list().some(pod => pod.record.application.name === name)
      if (document === undefined || !document.deleted || isLeft || offered.has(name)) continue
      const next = withEnding(endings, name, document)
      if ((await settle(world.state.forget(name, next))) !== null) continue
      endings = next
      obeyed.delete(name)
      reported.delete(name)
      plans.delete(name)
      world.log('forgetting', { application: name, epoch: document.epoch, generation: document.generation })
    }
  }

  /** What serves in their place is started once they are gone: nothing runs twice. */
  function endLost(): void {
    for (const pod of world.pods.lost()) {
      const application = whoseLost(pod, documents())
      if (application === null) continue
      world.log('ending a pod of which nothing can be read', { application: application.name, pod: pod.name })
      world.pods.endLost(pod.uid, application)
    }
  }

  function makeAll(records: NodePlan['create']): Error | null {
    try {
      for (const record of records) make(record)
      return null
    } catch (error) {
      return error as Error
    }
  }

  function make(record: NodePlan['create'][number]): void {
    world.log('starting pod', {
      application: record.application.name,
      pod: record.name,
      release: record.release,
      attempt: record.attempt,
    })
    world.pods.create(record)
  }

  function handOver(uid: string, application: ApplicationId): void {
    const pod = world.pods.list().find(candidate => candidate.record.uid === uid)
    world.log('taking over pod', { application: application.name, pod: pod?.record.name, from: pod?.record.application.name })
    world.pods.handOver(uid, application)
  }

  function end({ uid, reason }: Ending): void {
    const pod = world.pods.list().find(candidate => candidate.record.uid === uid)
    if (pod === undefined || pod.terminating) return
    world.log('ending pod', { application: pod.record.application.name, pod: pod.record.name, reason })
    world.pods.terminate(uid, { reason, drained: signal => takeOut(pod.record, signal) })
  }

  /** No new connections first; then the ones there are may end by themselves. Resolves at the limit whatever happens. */
  async function takeOut(record: PodRecord, signal: AbortSignal): Promise<void> {
    const limitMs = Math.max(shortestDrainMs, record.spec.terminationGracePeriodSeconds * 1000)
    const until = world.elapsed() + limitMs
    await takeFromTraffic(record, until, signal)
    const pod = world.pods.list().find(candidate => candidate.record.uid === record.uid)
    if (pod === undefined || pod.ip === '') return
    const left = Math.max(0, until - world.elapsed())
    const drained = await settle(world.dataPlane.drained(pod.ip, left, signal).then(({ cut }) => logCut(pod, cut)))
    if (drained !== null && !signal.aborted)
      world.log('connections of a pod could not be counted', { pod: record.name, error: drained.message })
  }

  /** Again until it is out or the time is over: who still gets new connections must not be stopped. */
  async function takeFromTraffic(record: PodRecord, until: number, signal: AbortSignal): Promise<void> {
    for (let said = ''; !signal.aborted; ) {
      const failure = await settle(steer())
      if (failure === null || failure.name === 'ListenerConflict') return
      if (failure.message !== said)
        world.log('waiting to take a pod out of traffic', { pod: record.name, error: failure.message })
      said = failure.message
      if (world.elapsed() + steerRetryMs > until) return
      await delay(steerRetryMs, undefined, { signal }).catch(() => {})
    }
  }

  function logCut(pod: PodView, cut: number): void {
    if (cut > 0) world.log('connections cut at the drain limit', { pod: pod.record.name, cut })
  }

  function tell(plan: NodePlan, pods: readonly PodView[]): void {
    for (const document of obeyed.values()) {
      const { name } = document.application
      const report = reportOf({
        document,
        objects: plan.objects[name] ?? [],
        pods: pods.filter(pod => pod.record.application.name === name),
        preflight: preflights.answer(document),
        addresses: addressesOf,
        now: world.now(),
      })
      const text = textOf(report)
      if (reported.get(name) === text) continue
      reported.set(name, text)
      world.report(report)
    }
  }

  function addressesOf(service: Manifest): ServiceAddresses {
    const { name, namespace = '' } = service.metadata
    const spec = service.spec as {
      readonly clusterIP?: string
      readonly type?: string
      readonly ports?: readonly { readonly port: number }[]
    }
    if (spec.clusterIP === 'None' || spec.type === 'ExternalName')
      return { clusterIP: spec.clusterIP ?? '', nodePorts: {}, external: [] }
    const numbers = (spec.ports ?? []).map(({ port }) => [String(port), world.dataPlane.nodePort(namespace, name, port)] as const)
    return {
      clusterIP: world.dataPlane.clusterIP(namespace, name),
      nodePorts: Object.fromEntries(numbers.filter((pair): pair is [string, number] => pair[1] !== null)),
      external: world.addresses(),
    }
  }

  function failed(_: 'node', error: unknown): void {
    become(sentence(error))
  }

  /** Said when it changes. */
  function become(next: string): void {
    if (next !== trouble) world.log(next === '' ? 'reconciling again' : 'trouble', { trouble: next })
    trouble = next
  }

  return {
    offer(document) {
      const { name } = document.application
      const newest = offered.get(name) ?? obeyed.get(name)
      if (newest === undefined ? !mayBegin(endings, document) : !isNewer(document, newest)) return
      offered.set(name, withKnownObjects(document, newest ?? null))
      wake()
    },
    obeyed: () => obeyed,
    mayBegin: document => mayBegin(endings, document),
    epoch: () => highestEpoch(endings, obeyed.values()),
    ended(name) {
      unwanted.add(name)
      wake()
    },
    drain: takeOut,
    trouble: () => trouble,
    wake,
    async stop() {
      unlisten()
      ending.abort(new Error('the runtime ends'))
      await loop.stop('the runtime ends')
    },
  }
}

const steerRetryMs = 500

/** Whoever has the port may let it go. */
const listenerRetryMs = 5_000

/** Longer for a pod that takes longer to end. */
const shortestDrainMs = 30_000

/** One at a time; a call while one runs leads to one more, which all such callers share: it sees what they have seen. */
export function inTurn(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null
  let next: Promise<void> | null = null
  const start = (): Promise<void> => {
    const now = work().finally(() => {
      if (running === now) running = null
    })
    running = now
    return now
  }
  const after = (before: Promise<void>): Promise<void> =>
    before
      .catch(() => {})
      .then(() => {
        next = null
        return start()
      })
  return () => {
    if (next !== null) return next
    if (running === null) return start()
    next = after(running)
    return next
  }
}

/** The error, or null when it went well. */
async function settle(work: Promise<unknown>): Promise<Error | null> {
  try {
    await work
    return null
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** An error and its causes in one line. */
export function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${sentence(error.cause)}`
}
