// A pod of which only its containers are left: whose it was, and a life in which it can be ended. Pure.
import type { ContainerListed } from '../docker/shapes.js'
import { sandboxName } from './body.js'
import { type Joined, join } from './happen.js'
import { newLife } from './life.js'
import type { ContainerSpec, LostPod, PodRecord } from './types.js'

/** What its labels say; nothing where nothing of it is there. */
export function lostPod(uid: string, listed: readonly ContainerListed[]): readonly LostPod[] {
  const labels = listed[0]?.Labels
  if (labels === undefined || labels === null) return []
  const label = (name: string) => labels[`slipway.${name}`] ?? ''
  const application = { name: label('application'), uid: label('application-uid') }
  return [{ uid, name: label('pod'), namespace: label('namespace'), application }]
}

/** Of its spec nothing is known but the names of its containers: they are given Kubernetes' usual grace, and start never again. */
export function lifeOfLost(pod: LostPod, listed: readonly ContainerListed[], bootId: string, now: number): Joined {
  const names = new Set(listed.map(({ Labels }) => Labels?.['slipway.container'] ?? '').filter(name => name !== sandboxName))
  const { life, look } = join(newLife(recordOf(pod, [...names], now), bootId), listed, now)
  const terminating = { since: now, reason: 'what was known of it is lost', graceSeconds, stoppingSince: null }
  return { life: { ...life, terminating }, look }
}

const graceSeconds = 30

function recordOf({ uid, name, namespace, application }: LostPod, containers: readonly string[], now: number): PodRecord {
  return {
    uid,
    name,
    namespace,
    application,
    owner: null,
    workload: null,
    templateHash: '',
    release: '',
    attempt: 0,
    labels: {},
    annotations: {},
    createdAt: new Date(now).toISOString(),
    spec: {
      initContainers: [],
      containers: containers.map(containerOf),
      volumes: [],
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: graceSeconds,
      hostAliases: [],
      dnsPolicy: 'Default',
      hostNetwork: false,
      shareProcessNamespace: false,
      imagePullSecrets: [],
      securityContext: {},
    },
    digests: {},
    configMaps: {},
    secrets: {},
    minReadySeconds: 0,
    gatePorts: [],
    portMap: {},
  }
}

function containerOf(name: string): ContainerSpec {
  return {
    name,
    image: '',
    imagePullPolicy: 'Never',
    ports: [],
    env: [],
    envFrom: [],
    resources: { requests: {}, limits: {} },
    volumeMounts: [],
    lifecycle: {},
    securityContext: {},
    stdin: false,
    tty: false,
    terminationMessagePath: '',
    terminationMessagePolicy: 'File',
  }
}
