// What the load balancer listens on for a set of Services, and which endpoints stand behind each of them. Pure.
import type { Endpoint, ServicePort, ServiceSpec } from './types.js'

export interface Listener {
  /** `shop.web.80`: also the name of its backend. */
  readonly name: string
  readonly service: string
  readonly mode: ServicePort['mode']
  readonly binds: readonly Bind[]
}

export interface Bind {
  readonly ip: string
  readonly port: number
}

/** One address behind a listener. Closed ones take no new connection; those that they have go on. */
export interface Target {
  readonly ip: string
  readonly port: number
  readonly open: boolean
}

/** Where a Service's addresses and node ports come from. */
export interface Given {
  readonly clusterIP: (namespace: string, name: string) => string
  readonly nodePort: (service: ServiceSpec, port: ServicePort) => number | null
}

/** Sorted by name, so that the same Services give the same text. Headless and external ones have no listener. */
export function listenersOf(services: readonly ServiceSpec[], given: Given): readonly Listener[] {
  return services
    .filter(balanced)
    .flatMap(service =>
      service.ports.map(port => ({
        name: listenerName(service.namespace, service.name, port.port),
        service: serviceKey(service),
        mode: port.mode,
        binds: [
          { ip: given.clusterIP(service.namespace, service.name), port: port.port },
          ...hostPorts(service, port, given.nodePort(service, port)).map(hostPort => ({ ip: '0.0.0.0', port: hostPort })),
        ],
      })),
    )
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** A Service with an address of its own. */
export function balanced(service: ServiceSpec): boolean {
  return !service.headless && service.externalName === undefined
}

/** NodePort: the node port. LoadBalancer: the Service's own port too, as the node is the load balancer. */
export function hostPorts(service: ServiceSpec, port: ServicePort, nodePort: number | null): readonly number[] {
  if (!balanced(service) || service.type === 'ClusterIP') return []
  const own = service.type === 'LoadBalancer' ? [port.port] : []
  return [...new Set(nodePort === null ? own : [...own, nodePort])]
}

/** Listener name -> its targets, in the order of the endpoints, each address once. */
export function targetsOf(endpoints: readonly Endpoint[]): ReadonlyMap<string, readonly Target[]> {
  const targets = new Map<string, Map<string, Target>>()
  for (const endpoint of endpoints) {
    const name = listenerName(endpoint.namespace, endpoint.service, endpoint.servicePort)
    const address = `${endpoint.ip}:${endpoint.targetPort}`
    const own = targets.get(name) ?? new Map<string, Target>()
    targets.set(name, own.set(address, { ip: endpoint.ip, port: endpoint.targetPort, open: endpoint.state === 'ready' }))
  }
  return new Map([...targets].map(([name, own]) => [name, [...own.values()]]))
}

export function serviceKey(service: { readonly namespace: string; readonly name: string }): string {
  return `${service.namespace}/${service.name}`
}

/** Names go into a configuration file, so what is not a DNS label is refused here at the latest. */
export function listenerName(namespace: string, name: string, port: number): string {
  const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
  if (!label.test(namespace) || !label.test(name)) throw new Error(`Service "${namespace}/${name}": the name is no DNS label`)
  return `${namespace}.${name}.${port}`
}
