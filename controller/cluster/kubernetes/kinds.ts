// Which kinds of a cluster have to be watched for some objects. Pure.
import type { ObjectRef } from '../../../runtime/contract/manifest.js'
import type { Kind } from './cache.js'

const workloads = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'CronJob', 'Pod'])

/** Their kinds, and those that stand between a workload and its pods. */
export function kindsOf(refs: readonly ObjectRef[]): readonly Kind[] {
  const kinds = new Map(refs.map(({ group, kind }) => [`${group}/${kind}`, { group, kind }]))
  const beneath: Kind[] = refs.some(ref => workloads.has(ref.kind))
    ? [
        { group: '', kind: 'Pod' },
        { group: 'apps', kind: 'ReplicaSet' },
        ...(refs.some(ref => ref.kind === 'DaemonSet') ? [{ group: 'apps', kind: 'ControllerRevision' }] : []),
        ...(refs.some(ref => ref.kind === 'CronJob') ? [{ group: 'batch', kind: 'Job' }] : []),
      ]
    : []
  for (const kind of beneath) kinds.set(`${kind.group}/${kind.kind}`, kind)
  return [...kinds.values()]
}
