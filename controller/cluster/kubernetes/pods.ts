// Pods as a kubelet reports them, in the words that health asks for; what a status forgets (that a container was ready once, how often
// its memory ran out) is remembered from one report to the next. Pure.
import type { ContainerState, ObservedContainer, ObservedPod } from '../../../runtime/contract/documents.js'
import type { ObjectRef } from '../../../runtime/contract/manifest.js'
import type { Sent } from './client.js'

/** What a pod is apart from whose it is: that depends on objects that may be seen later. */
export type SeenPod = Omit<ObservedPod, 'owner' | 'workload' | 'release' | 'attempt'> & {
  readonly labels: Readonly<Record<string, string>>
}

export interface Memory {
  readonly ready: boolean
  readonly oomKills: number
  /** The newest end that was counted: how often the container had been restarted before it; -1 for none. */
  readonly ended: number
  readonly troubledAt: string
}

/** By container name. */
export type Memories = Readonly<Record<string, Memory>>

type Fields = Readonly<Record<string, unknown>>

const nothing: Memory = { ready: false, oomKills: 0, ended: -1, troubledAt: '' }

/** The pod, and what is to be remembered of it. `logs`: the last lines of each container's newest end, by its name. */
export function seenPod(
  object: Sent,
  before: Memories,
  logs: Readonly<Record<string, readonly string[]>>,
): { readonly pod: SeenPod; readonly memories: Memories } {
  const metadata = fields(object.metadata)
  const spec = fields(object.spec)
  const status = fields(object.status)
  const condition = (type: string) => list(status.conditions).find(one => one.type === type) ?? {}
  const ready = condition('Ready')
  const memories: Record<string, Memory> = {}
  const kinds = [
    ['initContainers', 'initContainerStatuses', true],
    ['containers', 'containerStatuses', false],
  ] as const
  const containers = kinds.flatMap(([specs, statuses, init]) =>
    list(spec[specs]).map(one => {
      const name = text(one.name)
      const said = list(status[statuses]).find(each => each.name === name) ?? {}
      const memory = remembered(before[name] ?? nothing, said, ready.status === 'True' ? '' : text(ready.lastTransitionTime))
      memories[name] = memory
      return containerOf(one, said, init, memory, logs[name] ?? [])
    }),
  )
  const labels = fields(metadata.labels) as Readonly<Record<string, string>>
  const why = reasonOf(status, condition('PodScheduled'))
  return {
    memories,
    pod: {
      name: text(metadata.name),
      namespace: text(metadata.namespace),
      uid: text(metadata.uid),
      labels,
      templateHash: labels['pod-template-hash'] ?? labels['controller-revision-hash'] ?? '',
      phase: phaseOf(status.phase),
      ready: ready.status === 'True',
      available: ready.status === 'True',
      terminating: metadata.deletionTimestamp !== undefined,
      ip: text(status.podIP),
      createdAt: text(metadata.creationTimestamp),
      readyAt: ready.status === 'True' ? text(ready.lastTransitionTime) : '',
      ...why,
      containers,
    },
  }
}

function phaseOf(phase: unknown): ObservedPod['phase'] {
  return phase === 'Running' || phase === 'Succeeded' || phase === 'Failed' ? phase : 'Pending'
}

function reasonOf(status: Fields, scheduled: Fields): Pick<ObservedPod, 'reason' | 'message'> {
  if (scheduled.status === 'False') return { reason: text(scheduled.reason) || 'Unschedulable', message: text(scheduled.message) }
  return { reason: text(status.reason), message: text(status.message) }
}

function containerOf(spec: Fields, said: Fields, init: boolean, memory: Memory, lastLog: readonly string[]): ObservedContainer {
  const state = stateOf(fields(said.state))
  const last = stateOf(fields(said.lastState))
  return {
    name: text(spec.name),
    init,
    image: text(spec.image),
    imageId: text(said.imageID),
    ready: said.ready === true,
    everReady: memory.ready,
    started: said.started === true,
    restartCount: typeof said.restartCount === 'number' ? said.restartCount : 0,
    state,
    last: last.state === 'terminated' ? last : null,
    oomKills: memory.oomKills,
    lastLog,
    memoryLimit: bytesOf(fields(fields(spec.resources).limits).memory),
    troubledAt: memory.troubledAt,
  }
}

function stateOf(state: Fields): ContainerState {
  if (state.running !== undefined && state.running !== null)
    return { state: 'running', startedAt: text(fields(state.running).startedAt) }
  if (state.terminated !== undefined && state.terminated !== null) {
    const { exitCode, reason, message, signal, startedAt, finishedAt } = fields(state.terminated)
    return {
      state: 'terminated',
      reason: text(reason),
      message: text(message),
      exitCode: typeof exitCode === 'number' ? exitCode : 0,
      ...(typeof signal === 'number' ? { signal } : {}),
      startedAt: text(startedAt),
      finishedAt: text(finishedAt),
    }
  }
  const waiting = fields(state.waiting)
  return { state: 'waiting', reason: text(waiting.reason), message: text(waiting.message) }
}

/** Each end is counted once, whether it is first seen as the state or as the one before. `lostAt`: when the pod lost readiness. */
function remembered(before: Memory, said: Fields, lostAt: string): Memory {
  const isReady = said.ready === true
  const ends = endsIn(said).filter(({ number }) => number > before.ended)
  const newest = ends.at(-1)
  const lost = before.ready && !isReady ? newest?.end.finishedAt || before.troubledAt || lostAt : before.troubledAt
  return {
    ready: before.ready || isReady,
    oomKills: before.oomKills + ends.filter(({ end }) => end.reason === 'OOMKilled').length,
    ended: newest?.number ?? before.ended,
    troubledAt: lost,
  }
}

interface End {
  readonly number: number
  readonly end: Extract<ContainerState, { state: 'terminated' }>
}

/** The count goes up when a container is started again: while it waits for that, the one before is still of the present number. */
function endsIn(said: Fields): readonly End[] {
  const [state, last] = [stateOf(fields(said.state)), stateOf(fields(said.lastState))]
  const restarts = typeof said.restartCount === 'number' ? said.restartCount : 0
  const earlier = last.state === 'terminated' ? [{ number: state.state === 'waiting' ? restarts : restarts - 1, end: last }] : []
  return state.state === 'terminated' ? [...earlier, { number: restarts, end: state }] : earlier
}

/** Whose pods they are: the object that owns it, and the one above that. */
export function observedPod(
  { labels: _, ...pod }: SeenPod,
  owner: ObjectRef | null,
  workload: ObjectRef | null,
  attempt: number,
): ObservedPod {
  return { ...pod, owner, workload, release: '', attempt }
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
}

/** `64Mi` -> 67108864; 0 where there is none. */
export function bytesOf(quantity: unknown): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([kMGT]i?|Ki)?$/.exec(String(quantity ?? '')) ?? []
  return number === undefined ? 0 : Math.round(Number(number) * (units[unit] ?? 1))
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

function list(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? (value as Fields[]) : []
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
