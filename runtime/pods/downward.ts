// What a pod may read about itself: the downward API's fields and resources (core/v1 ObjectFieldSelector,
// ResourceFieldSelector).
import { ConfigError } from './config-error.js'
import type { ContainerSpec, PodRecord } from './types.js'

export interface PodSurroundings {
  readonly podIP: string
  readonly hostIP: string
  readonly nodeName: string
  /** Of the machine: what a container without limits may use. */
  readonly cpuMillis: number
  readonly memoryBytes: number
}

/** Throws ConfigError for a field that is not supported. A label or annotation that is not there is ''. */
export function fieldValue(record: PodRecord, around: PodSurroundings, path: string): string {
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path)
  if (keyed !== null) return record[keyed[1] as 'labels' | 'annotations'][keyed[2]!] ?? ''
  const value = plainFields(record, around)[path]
  if (value === undefined)
    throw new ConfigError(`field "${path}" is not supported: use one of ${Object.keys(plainFields(record, around)).join(', ')}`)
  return value()
}

function plainFields(record: PodRecord, around: PodSurroundings): Record<string, () => string> {
  return {
    'metadata.name': () => record.name,
    'metadata.namespace': () => record.namespace,
    'metadata.uid': () => record.uid,
    'metadata.labels': () => asLines(record.labels),
    'metadata.annotations': () => asLines(record.annotations),
    'status.podIP': () => around.podIP,
    'status.podIPs': () => around.podIP,
    'status.hostIP': () => around.hostIP,
    'status.hostIPs': () => around.hostIP,
    'spec.nodeName': () => around.nodeName,
    'spec.serviceAccountName': () => record.spec.serviceAccountName ?? 'default',
  }
}

function asLines(map: Readonly<Record<string, string>>): string {
  return Object.keys(map)
    .sort()
    .map(key => `${key}=${JSON.stringify(map[key])}`)
    .join('\n')
}

const divisors: Readonly<Record<string, number>> = {
  '': 1,
  '0': 1,
  '1': 1,
  '1m': 0.001,
  '1k': 1e3,
  '1M': 1e6,
  '1G': 1e9,
  '1Ki': 1024,
  '1Mi': 1024 ** 2,
  '1Gi': 1024 ** 3,
}

/** `limits.cpu` of 250m is `1`, with divisor `1m` it is `250`: rounded up, as Kubernetes does. */
export function resourceValue(
  record: PodRecord,
  around: PodSurroundings,
  container: string,
  resource: string,
  divisor: string,
): string {
  const spec = [...record.spec.containers, ...record.spec.initContainers].find(each => each.name === container)
  const by = divisors[divisor]
  if (spec === undefined) throw new ConfigError(`resource "${resource}": the pod has no container "${container}"`)
  if (by === undefined)
    throw new ConfigError(
      `resource "${resource}": divisor "${divisor}" is not one of ${Object.keys(divisors).filter(Boolean).join(', ')}`,
    )
  return String(Math.ceil(amountOf(spec, around, resource) / by - 1e-9))
}

function amountOf(spec: ContainerSpec, around: PodSurroundings, resource: string): number {
  const { limits, requests } = spec.resources
  switch (resource) {
    case 'limits.cpu':
      return (limits.cpuMillis ?? around.cpuMillis) / 1000
    case 'limits.memory':
      return limits.memoryBytes ?? around.memoryBytes
    case 'requests.cpu':
      return (requests.cpuMillis ?? limits.cpuMillis ?? 0) / 1000
    case 'requests.memory':
      return requests.memoryBytes ?? limits.memoryBytes ?? 0
    default:
      throw new ConfigError(
        `resource "${resource}" is not supported: use limits.cpu, limits.memory, requests.cpu or requests.memory`,
      )
  }
}
