// The zone of a set of Services and their endpoints. Pure.
import { balanced } from '../listeners.js'
import type { DataPlaneState, Endpoint, ServiceSpec } from '../types.js'
import type { Zone, ZoneHost, ZoneService } from './zone.js'

export const DOMAIN = 'cluster.local'

export function zoneOf(state: DataPlaneState, clusterIP: (namespace: string, name: string) => string): Zone {
  const services = state.services.map((service): ZoneService => {
    const own = state.endpoints.filter(({ namespace, service: name }) => namespace === service.namespace && name === service.name)
    return {
      namespace: service.namespace,
      name: service.name,
      ip: balanced(service) ? clusterIP(service.namespace, service.name) : null,
      externalName: service.externalName ?? null,
      ports: service.ports.map(({ name, port }) => ({ name, port })),
      hosts: hostsOf(service, own),
    }
  })
  return { version: 1, domain: DOMAIN, services }
}

/** By pod; balanced Services need them too where their pods have names of their own. */
function hostsOf(service: ServiceSpec, endpoints: readonly Endpoint[]): readonly ZoneHost[] {
  const listed = endpoints.filter(({ state, hostname }) => state === 'ready' && (service.headless || hostname !== ''))
  const hosts = new Map<string, ZoneHost>()
  for (const { podUid, ip, hostname, portName, targetPort } of listed) {
    hosts.set(podUid, { ip, hostname, ports: { ...hosts.get(podUid)?.ports, [portName]: targetPort } })
  }
  return [...hosts.values()]
}
