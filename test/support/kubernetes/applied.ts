// What `kubectl apply -f` does, for what a chart renders to.
import type { Manifest } from '../../../runtime/contract/manifest.js'
import type { TestCluster } from './server.js'

const plurals: Readonly<Record<string, string>> = { NetworkPolicy: 'networkpolicies', Ingress: 'ingresses' }

/** Where the API server has it: `/apis/apps/v1/namespaces/shop/deployments/web`. */
export function pathOf({ apiVersion, kind, metadata }: Manifest): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  const plural = plurals[kind] ?? `${kind.toLowerCase()}s`
  const place = kind.startsWith('Cluster') ? '' : `/namespaces/${metadata.namespace}`
  return `${root}${place}/${plural}/${metadata.name}`
}

export async function applied(cluster: TestCluster, objects: readonly Manifest[]): Promise<void> {
  for (const object of objects)
    await cluster.call('PATCH', `${pathOf(object)}?fieldManager=kubectl&force=true`, object, 'application/apply-patch+yaml')
}
