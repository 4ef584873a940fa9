// An application of the benchmark: a Deployment at 0 replicas, a ServiceAccount, a Service and an Ingress.
import { nameOf } from '../fleet.js'

export const namespace = 'fleet'

export interface FleetObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> }
}

/** The kinds, with the path of a list of them. */
export const lists: Readonly<Record<string, string>> = {
  ServiceAccount: `/api/v1/namespaces/${namespace}/serviceaccounts`,
  Service: `/api/v1/namespaces/${namespace}/services`,
  Deployment: `/apis/apps/v1/namespaces/${namespace}/deployments`,
  Ingress: `/apis/networking.k8s.io/v1/namespaces/${namespace}/ingresses`,
}

export function objectsOf(number: number, version: string): readonly FleetObject[] {
  const name = nameOf(number)
  const labels = { app: name }
  const metadata = { name, labels }
  const container = {
    name: 'web',
    image: `registry.example.com/web:${version}`,
    ports: [{ name: 'http', containerPort: 8080 }],
    env: [{ name: 'VERSION', value: version }],
    readinessProbe: { httpGet: { path: '/ready', port: 'http' } },
    resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '64Mi' } },
  }
  const template = { metadata: { labels }, spec: { serviceAccountName: name, containers: [container] } }
  const backend = { service: { name, port: { name: 'http' } } }
  const paths = [{ path: '/', pathType: 'Prefix', backend }]
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    of('v1', 'Service', metadata, { selector: labels, ports: [{ name: 'http', port: 80, targetPort: 'http' }] }),
    of('apps/v1', 'Deployment', metadata, { replicas: 0, selector: { matchLabels: labels }, template }),
    of('networking.k8s.io/v1', 'Ingress', metadata, { rules: [{ host: `${name}.example.com`, http: { paths } }] }),
  ]
}

function of(apiVersion: string, kind: string, metadata: FleetObject['metadata'], spec: object): FleetObject {
  return { apiVersion, kind, metadata, spec } as FleetObject
}

export function filesOf(number: number, version: string): Readonly<Record<string, string>> {
  const text = objectsOf(number, version).map(object => JSON.stringify(object))
  return { [`apps/${nameOf(number)}/all.yaml`]: text.join('\n---\n') }
}
