// Services to listeners and endpoints: which pods stand behind which port, each pod with the target port of its own release.
import type { Endpoint, ServicePort, ServiceSpec } from '../network/types.js'
import type { PodRecord, PodSpec, PodView } from '../pods/types.js'
import { matches, type NodeObject, type ServicePortRead } from './objects.js'

type Service = NodeObject<'Service'>

/** `shop/web`: the key of a pod's port map. */
export function serviceKey(service: Service): string {
  return `${service.ref.namespace}/${service.ref.name}`
}

export function serviceSpec({ ref, spec }: Service): ServiceSpec {
  const { type } = spec
  return {
    namespace: ref.namespace,
    name: ref.name,
    type: type === 'ExternalName' ? 'ClusterIP' : type,
    headless: spec.headless,
    publishNotReady: spec.publishNotReady,
    ports: spec.ports.map(port => servicePort(port)),
    ...(type === 'ExternalName' ? { externalName: spec.externalName } : {}),
  }
}

function servicePort(port: ServicePortRead): ServicePort {
  return { name: port.name, port: port.port, protocol: 'TCP', nodePort: port.nodePort, mode: port.mode }
}

/** The number behind a Service port in this pod; null when it names a port the pod does not have. */
export function targetPort(spec: PodSpec, port: ServicePortRead): number | null {
  if (typeof port.targetPort === 'number') return port.targetPort
  if (/^\d+$/.test(port.targetPort)) return Number(port.targetPort)
  const named = containersServing(spec)
    .flatMap(container => container.ports)
    .find(candidate => candidate.name === port.targetPort)
  return named?.containerPort ?? null
}

/** App containers and sidecars. */
function containersServing(spec: PodSpec) {
  return [...spec.containers, ...spec.initContainers.filter(container => container.restartPolicy === 'Always')]
}

export function portMap(spec: PodSpec, services: readonly Service[]): PodRecord['portMap'] {
  const entries = services.map(service => {
    const ports = service.spec.ports.map(port => [String(port.port), targetPort(spec, port)] as const)
    return [serviceKey(service), Object.fromEntries(ports.filter((pair): pair is [string, number] => pair[1] !== null))] as const
  })
  return Object.fromEntries(entries)
}

/** Target ports whose container has no readiness probe: they must accept a connection before traffic comes. */
export function gatePorts(spec: PodSpec, services: readonly Service[]): readonly number[] {
  const targets = services.flatMap(service => service.spec.ports.map(port => targetPort(spec, port)))
  const gated = targets.filter(
    (port): port is number => port !== null && listenersOf(spec, port).some(container => container.readinessProbe === undefined),
  )
  return [...new Set(gated)].sort((a, b) => a - b)
}

/** The container that declares the port, or all of them when none does. */
function listenersOf(spec: PodSpec, port: number) {
  const containers = containersServing(spec)
  const declaring = containers.filter(container => container.ports.some(candidate => candidate.containerPort === port))
  return declaring.length > 0 ? declaring : spec.containers
}

/**
 * A pod of an older template keeps the mapping it was made with. One of the current template follows the Service, unless only the old
 * port is one that it declares: then the Service has changed ahead of its workload (an earlier wave).
 */
export function portOf(service: Service, port: ServicePortRead, record: PodRecord, outdated: boolean): number | null {
  const now = targetPort(record.spec, port)
  const then = record.portMap[serviceKey(service)]?.[String(port.port)] ?? null
  if (then === null || now === null) return now ?? then
  if (outdated) return then
  return declares(record.spec, then) && !declares(record.spec, now) ? then : now
}

function declares(spec: PodSpec, port: number): boolean {
  return containersServing(spec).some(container => container.ports.some(candidate => candidate.containerPort === port))
}

/**
 * A Service of one application does not catch another's pods by a common label: only where its own application has no workload that
 * it selects (`ownOnly` false) is it matched against all pods of the namespace, as on a cluster.
 */
export function endpoints(service: Service, pods: readonly PodView[], outdated: (pod: PodView) => boolean): readonly Endpoint[] {
  const { selector } = service.spec
  if (selector === null) return []
  const behind = pods.filter(
    ({ record, ip }) => ip !== '' && record.namespace === service.ref.namespace && matches(selector, record.labels),
  )
  return behind.flatMap(pod => {
    const state = endpointState(service, pod)
    return state === null ? [] : endpointsOfPod(service, pod, state, outdated(pod))
  })
}

function endpointState(service: Service, pod: PodView): Endpoint['state'] | null {
  if (pod.phase === 'Succeeded' || pod.phase === 'Failed') return null
  if (pod.terminating) return 'draining'
  return pod.ready || service.spec.publishNotReady ? 'ready' : null
}

function endpointsOfPod(service: Service, pod: PodView, state: Endpoint['state'], outdated: boolean): readonly Endpoint[] {
  const base = {
    namespace: service.ref.namespace,
    service: service.ref.name,
    podUid: pod.record.uid,
    podName: pod.record.name,
    hostname: pod.record.spec.subdomain === service.ref.name ? (pod.record.spec.hostname ?? '') : '',
    ip: pod.ip,
    state,
  }
  if (service.spec.ports.length === 0) return [{ ...base, portName: '', servicePort: 0, targetPort: 0 }]
  return service.spec.ports.flatMap(port => {
    const target = portOf(service, port, pod.record, outdated)
    return target === null ? [] : [{ ...base, portName: port.name, servicePort: port.port, targetPort: target }]
  })
}
