// Ten charts that everybody knows, as the reference data has them: their files, and one value of each that a commit would change.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ChartFile, unpack } from '../../../renderer/chart/archive.js'
import { walked } from '../../../renderer/chart/load.js'
import { referenceDir } from '../../support/reference.js'

export interface KnownChart {
  readonly name: string
  /** Packed. */
  readonly archive: string
  /** In the order of a walk through its folder. */
  readonly files: readonly ChartFile[]
  /** A value file in which the number given has its effect. */
  readonly values: (number: number) => string
  /** It makes keys and certificates. */
  readonly mints: boolean
}

/** The packed chart, and the path to its number of replicas. `!`: makes keys and certificates. */
const known = [
  'podinfo-6.14.1 replicaCount',
  'traefik-41.3.0 deployment.replicas',
  'ingress-nginx-4.15.1 controller.replicaCount',
  'cert-manager-v0.0.0 replicaCount',
  'grafana-12.11.1 replicas',
  'redis-23.1.1 replica.replicaCount',
  'argo-cd-10.1.1 server.replicas',
  'kube-prometheus-stack-88.5.3 prometheus.prometheusSpec.replicas',
  'harbor-1.4.0-dev portal.replicas !',
  'etcd-12.0.20 replicaCount !',
]

/** Of other applications of a controller: nothing of them is measured. */
const others = [
  'legacy-redis-10.5.7 cluster.slaveCount',
  'external-secrets-2.9.0 replicaCount',
  'fluent-bit-0.58.1 replicaCount',
  'metrics-server-3.13.1 replicas',
  'nats-2.14.2 global.number',
  'nginx-22.1.1 replicaCount',
  'kube-state-metrics-8.4.0 replicas',
  'alertmanager-1.42.0 replicaCount',
  'keda-2.20.2 operator.replicaCount',
  'jaeger-4.11.1 global.number',
]

/** null where the reference data is not beside the checkout. */
export function knownCharts(): readonly KnownChart[] | null {
  const corpus = referenceDir('corpus')
  return corpus === null ? null : known.map(line => chartOf(corpus, line))
}

/** None where the reference data is not beside the checkout. */
export function otherCharts(): readonly KnownChart[] {
  const corpus = referenceDir('corpus')
  return corpus === null ? [] : others.map(line => chartOf(corpus, line))
}

function chartOf(corpus: string, line: string): KnownChart {
  const [packed = '', path = '', mark] = line.split(' ')
  const archive = join(corpus, 'charts', `${packed}.tgz`)
  const files = new Map(unpack(readFileSync(archive)).map(file => [file.name, file] as const))
  return {
    name: packed.replace(/-v?\d.*$/, ''),
    archive,
    files: walked([...files.keys()]).flatMap(name => files.get(name) ?? []),
    values: number => `${path.split('.').join(': {')}: ${number}${'}'.repeat(path.split('.').length - 1)}\n`,
    mints: mark === '!',
  }
}
