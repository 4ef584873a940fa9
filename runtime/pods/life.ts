// What is known of one living pod, as plain data: kept on disk whole, so that a runtime that was killed goes on with it.
import type { ContainerSpec, PodRecord } from './types.js'

/** How a run of a container ended. Times in ms. */
export interface Ended {
  readonly exitCode: number
  readonly signal?: number
  readonly reason: string
  readonly message: string
  readonly startedAt: number
  readonly finishedAt: number
}

export interface ContainerLife {
  /** The engine's id of the newest run; '' while there was none. */
  readonly id: string
  /** Number of the newest run, from 0; -1 before the first. */
  readonly run: number
  readonly phase: 'none' | 'running' | 'ended'
  readonly startedAt: number
  readonly imageId: string
  /** Of the newest run, once it ended; and of the one before. */
  readonly end: Ended | null
  readonly last: Ended | null
  /** postStart of the newest run. */
  readonly hook: 'pending' | 'done'
  readonly started: boolean
  readonly ready: boolean
  readonly everReady: boolean
  /** Ends in a row, each after less than ten minutes. */
  readonly crashes: number
  readonly oomKills: number
  readonly lastLog: readonly string[]
  readonly troubledAt: number | null
  /** Why it does not start: configuration, image, engine. Not before `retryAt` again. */
  readonly waiting: { readonly reason: string; readonly message: string; readonly retryAt: number; readonly tries: number } | null
  /** It is to be ended and started again, because a probe or hook failed. */
  readonly unhealthy: { readonly message: string; readonly graceSeconds: number | null; readonly begun: boolean } | null
}

export interface PodLife {
  readonly record: PodRecord
  readonly containers: Readonly<Record<string, ContainerLife>>
  /** The container that holds the network of a pod of several; run counts up when it has to be made again. */
  readonly sandbox: { readonly id: string; readonly run: number }
  readonly initialized: boolean
  readonly terminating: Terminating | null
  /** The pod as a whole is over. */
  readonly failed: { readonly reason: string; readonly message: string } | null
  readonly readyAt: number | null
  readonly everReady: boolean
  readonly finishedAt: number | null
  /** The machine's boot that the newest run belongs to. */
  readonly bootId: string
}

export interface Terminating {
  readonly since: number
  readonly reason: string
  readonly graceSeconds: number
  /** When preStop and stop signals began; null while connections drain. */
  readonly stoppingSince: number | null
}

const unborn: ContainerLife = {
  id: '',
  run: -1,
  phase: 'none',
  startedAt: 0,
  imageId: '',
  end: null,
  last: null,
  hook: 'pending',
  started: false,
  ready: false,
  everReady: false,
  crashes: 0,
  oomKills: 0,
  lastLog: [],
  troubledAt: null,
  waiting: null,
  unhealthy: null,
}

export function newLife(record: PodRecord, bootId: string): PodLife {
  const names = allContainers(record).map(container => container.name)
  return {
    record,
    containers: Object.fromEntries(names.map(name => [name, unborn])),
    sandbox: { id: '', run: -1 },
    initialized: false,
    terminating: null,
    failed: null,
    readyAt: null,
    everReady: false,
    finishedAt: null,
    bootId,
  }
}

/** After the machine was started again nothing of the pod is left: init containers run once more, as the kubelet has it. */
export function afterBoot(life: PodLife, bootId: string): PodLife {
  if (life.bootId === bootId) return life
  const initNames = new Set(life.record.spec.initContainers.filter(each => !isSidecar(each)).map(each => each.name))
  const entries = Object.entries(life.containers).map(([name, each]) => {
    const again: ContainerLife = initNames.has(name) ? { ...each, phase: 'none', last: each.end ?? each.last, end: null } : each
    return [name, again] as const
  })
  return { ...life, bootId, initialized: false, containers: Object.fromEntries(entries) }
}

export function allContainers(record: PodRecord): readonly ContainerSpec[] {
  return [...record.spec.initContainers, ...record.spec.containers]
}

export function isSidecar(container: ContainerSpec): boolean {
  return container.restartPolicy === 'Always'
}

/** Containers that are to run beside each other; init containers of the plain kind run alone. */
export function isShared(record: PodRecord): boolean {
  return (
    record.spec.containers.length + record.spec.initContainers.filter(isSidecar).length > 1 || record.spec.shareProcessNamespace
  )
}

/** A pod of one container needs nothing that holds its network; one on the host's network neither. */
export function needsSandbox(record: PodRecord): boolean {
  return isShared(record) && (!record.spec.hostNetwork || record.spec.shareProcessNamespace)
}

export function stateOf(life: PodLife, name: string): ContainerLife {
  return life.containers[name] ?? unborn
}
