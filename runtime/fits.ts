// Do these objects fit on the node? Requests against its size, and whether pods name another node. Pure.
import type { Problem } from './contract/documents.js'
import { type ObjectRef, refText } from './contract/manifest.js'
import type { ContainerSpec, PodSpec } from './pods/types.js'
import { templateOf } from './workloads/node.js'
import type { NodeObject } from './workloads/objects.js'

export interface Capacity {
  readonly cpuMillis: number
  readonly memoryBytes: number
  readonly pods: number
}

export function problem(object: ObjectRef, reason: string, message: string, transient = false): Problem {
  return { object, reason, message, transient }
}

/** Something that makes pods. */
export interface Workload {
  readonly ref: ObjectRef
  readonly spec: PodSpec
  readonly replicas: number
}

export function workloads(objects: readonly NodeObject[]): readonly Workload[] {
  return objects.flatMap(object => {
    const template = templateOf(object)
    if (template === null) return []
    const replicas =
      object.kind === 'Deployment' || object.kind === 'ReplicaSet'
        ? object.spec.replicas
        : object.kind === 'Job'
          ? object.spec.parallelism
          : 1
    return [{ ref: object.ref, spec: template.spec, replicas }]
  })
}

/** Requests that are more than the node has, by one pod or by all of the release: waiting does not help. */
export function fits(objects: readonly NodeObject[], node: string, capacity: Capacity): readonly Problem[] {
  const all = workloads(objects)
  const problems = all.flatMap(({ ref, spec, replicas }) => [
    ...tooLarge(ref, requestsOf(spec), replicas, capacity),
    ...elsewhere(ref, spec, node),
  ])
  if (problems.length > 0) return problems
  const total = all.reduce((sum, { spec, replicas }) => add(sum, requestsOf(spec), replicas), { cpuMillis: 0, memoryBytes: 0 })
  const object = all[0]?.ref
  const message = object === undefined ? null : excess('all pods of the release together request', total, capacity)
  return message === null || object === undefined ? [] : [problem(object, 'Unschedulable', message)]
}

interface Amounts {
  readonly cpuMillis: number
  readonly memoryBytes: number
}

function add(sum: Amounts, more: Amounts, times: number): Amounts {
  return { cpuMillis: sum.cpuMillis + more.cpuMillis * times, memoryBytes: sum.memoryBytes + more.memoryBytes * times }
}

/** A pod asks for what its containers do together, or for its largest init container, whichever is more. */
export function requestsOf(spec: PodSpec): Amounts {
  const asked = (containers: readonly ContainerSpec[], key: keyof Amounts) =>
    containers.map(container => container.resources.requests[key] ?? 0)
  const sidecars = spec.initContainers.filter(container => container.restartPolicy === 'Always')
  const of = (key: keyof Amounts) =>
    Math.max(
      asked([...spec.containers, ...sidecars], key).reduce((sum, value) => sum + value, 0),
      ...asked(spec.initContainers, key),
    )
  return { cpuMillis: of('cpuMillis'), memoryBytes: of('memoryBytes') }
}

function tooLarge(ref: ObjectRef, requests: Amounts, replicas: number, capacity: Capacity): readonly Problem[] {
  const one = excess('a pod requests', requests, capacity)
  const message =
    one ?? excess(`its ${replicas} pods request`, add({ cpuMillis: 0, memoryBytes: 0 }, requests, replicas), capacity)
  const many = replicas > capacity.pods ? `${replicas} pods are more than the ${capacity.pods} that the node runs` : null
  return [message, many].flatMap(text => (text === null ? [] : [problem(ref, 'Unschedulable', `${refText(ref)}: ${text}`)]))
}

function excess(who: string, wanted: Amounts, capacity: Capacity): string | null {
  if (wanted.cpuMillis > capacity.cpuMillis)
    return `${who} ${wanted.cpuMillis}m of cpu, the node has ${capacity.cpuMillis}m: lower the requests`
  if (wanted.memoryBytes > capacity.memoryBytes)
    return `${who} ${memory(wanted.memoryBytes)} of memory, the node has ${memory(capacity.memoryBytes)}: lower the requests`
  return null
}

/** `512Mi`, `900Gi`, `23.5Gi`: as people write it. */
function memory(bytes: number): string {
  return bytes < 10 * 2 ** 30 ? `${Math.ceil(bytes / 2 ** 20)}Mi` : `${Number((bytes / 2 ** 30).toFixed(1))}Gi`
}

function elsewhere(ref: ObjectRef, spec: PodSpec, node: string): readonly Problem[] {
  if (spec.nodeName === undefined || spec.nodeName === '' || spec.nodeName === node) return []
  return [problem(ref, 'Unschedulable', `${refText(ref)}: spec.nodeName is ${spec.nodeName}, this node is ${node}: leave it out`)]
}
