// The pod network in the Docker Engine API's own words, over whatever speaks that API.
import type { NetworkEngine } from './types.js'

/** The part of an engine client that is needed here; errors carry the HTTP status. */
export interface EngineNetworks {
  inspect(name: string): Promise<{
    readonly IPAM: { readonly Config: readonly { readonly Subnet?: string; readonly Gateway?: string }[] | null }
  }>
  create(body: unknown): Promise<unknown>
  remove(name: string): Promise<void>
}

export function networkEngine(networks: EngineNetworks): NetworkEngine {
  return {
    async network(name) {
      const found = await networks.inspect(name).catch(missing)
      const range = found?.IPAM.Config?.[0]
      return found === null ? null : { subnet: range?.Subnet ?? '', gateway: range?.Gateway ?? '' }
    },
    async createNetwork({ name, subnet, gateway, ipRange, bridge, labels }) {
      await networks.create({
        Name: name,
        CheckDuplicate: true,
        Driver: 'bridge',
        IPAM: { Driver: 'default', Config: [{ Subnet: subnet, Gateway: gateway, IPRange: ipRange }] },
        Options: { 'com.docker.network.bridge.name': bridge },
        Labels: labels,
      })
    },
    removeNetwork: async name => void (await networks.remove(name).catch(missing)),
  }
}

function missing(error: unknown): null {
  if ((error as { status?: unknown }).status === 404) return null
  throw error
}
