// The pod network in the Docker Engine API's own words, over whatever speaks that API.
import { type NetworkEngine, servicesLabel } from './types.js'

/** The part of an engine client that is needed here; errors carry the HTTP status. */
export interface EngineNetworks {
  inspect(name: string): Promise<Known>
  list(): Promise<readonly Known[]>
  create(body: unknown): Promise<unknown>
  remove(name: string): Promise<void>
}

interface Known {
  readonly Labels: Readonly<Record<string, string>> | null
  readonly IPAM: { readonly Config: readonly { readonly Subnet?: string; readonly Gateway?: string }[] | null }
}

export function networkEngine(networks: EngineNetworks): NetworkEngine {
  return {
    async network(name) {
      const found = await networks.inspect(name).catch(missing)
      const range = found?.IPAM.Config?.[0]
      if (found === null) return null
      return { subnet: range?.Subnet ?? '', gateway: range?.Gateway ?? '', services: found.Labels?.[servicesLabel] ?? '' }
    },
    async ranges() {
      const all = (await networks.list()).flatMap(({ IPAM, Labels }) => [
        ...(IPAM.Config ?? []).map(({ Subnet = '' }) => Subnet),
        Labels?.[servicesLabel] ?? '',
      ])
      return all.filter(range => /^[\d.]+\/\d+$/.test(range))
    },
    async createNetwork({ name, subnet, gateway, ipRange, bridge, labels }) {
      const body = {
        Name: name,
        CheckDuplicate: true,
        Driver: 'bridge',
        IPAM: { Driver: 'default', Config: [{ Subnet: subnet, Gateway: gateway, IPRange: ipRange }] },
        Options: { 'com.docker.network.bridge.name': bridge },
        Labels: labels,
      }
      return networks.create(body).then(() => true, rangeTaken)
    },
    removeNetwork: async name => void (await networks.remove(name).catch(missing)),
  }
}

/** Docker: "Pool overlaps with other one on this address space"; Podman: "subnet 10.1.0.0/16 is already used on the host ...". */
function rangeTaken(error: unknown): false {
  if (/overlaps|already used/i.test(String(error))) return false
  throw error
}

function missing(error: unknown): null {
  if ((error as { status?: unknown }).status === 404) return null
  throw error
}
