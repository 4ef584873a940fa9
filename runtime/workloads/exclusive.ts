// What forbids two pods of a workload at once on one node, so that the old one must stop before the new one starts.
import type { PodSpec } from '../pods/types.js'
import type { NodeObject } from './objects.js'

/** The sentence's second half: `stop-first, because <this>`; null where two can run side by side. */
export function exclusiveBecause(
  spec: PodSpec,
  namespace: string,
  replicas: number,
  claims: ReadonlyMap<string, NodeObject<'PersistentVolumeClaim'>>,
): string | null {
  if (spec.hostNetwork) return 'it uses the network of the host'
  const hostPort = [...spec.initContainers, ...spec.containers]
    .flatMap(container => container.ports)
    .find(port => port.hostPort !== undefined)
  if (hostPort !== undefined) return `host port ${hostPort.hostPort} can be held by one pod only`
  // Several replicas share their volumes anyway.
  return replicas > 1 ? null : exclusiveVolume(spec, namespace, claims)
}

function exclusiveVolume(
  spec: PodSpec,
  namespace: string,
  claims: ReadonlyMap<string, NodeObject<'PersistentVolumeClaim'>>,
): string | null {
  const writable = (volume: string) =>
    [...spec.initContainers, ...spec.containers].some(container =>
      container.volumeMounts.some(mount => mount.name === volume && !mount.readOnly),
    )
  for (const { name, source } of spec.volumes) {
    if (!writable(name)) continue
    if (source.kind === 'hostPath' && source.type.endsWith('Device')) return `device ${source.path} can be used by one pod only`
    if (source.kind === 'hostPath' && source.type !== 'Socket') return `it writes to ${source.path} of the host`
    if (source.kind === 'persistentVolumeClaim' && !source.readOnly && isSingle(claims.get(`${namespace}/${source.claimName}`))) {
      return `claim ${source.claimName} is ReadWriteOnce`
    }
  }
  return null
}

/** A claim that is not among the objects is taken for the usual one. */
function isSingle(claim: NodeObject<'PersistentVolumeClaim'> | undefined): boolean {
  return claim === undefined || !claim.claim.accessModes.includes('ReadWriteMany')
}
