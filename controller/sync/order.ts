// The order in which objects of one wave are applied: gitops-engine pkg/sync/sync_tasks.go (kindOrder), then by name.
import { groupOf, type Manifest } from '../../runtime/contract/manifest.js'
import type { Phase } from '../ledger.js'

export const kindOrder: readonly string[] = [
  'Namespace',
  'NetworkPolicy',
  'ResourceQuota',
  'LimitRange',
  'PodSecurityPolicy',
  'PodDisruptionBudget',
  'ServiceAccount',
  'Secret',
  'SecretList',
  'ConfigMap',
  'StorageClass',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'CustomResourceDefinition',
  'ClusterRole',
  'ClusterRoleList',
  'ClusterRoleBinding',
  'ClusterRoleBindingList',
  'Role',
  'RoleList',
  'RoleBinding',
  'RoleBindingList',
  'Service',
  'DaemonSet',
  'Pod',
  'ReplicationController',
  'ReplicaSet',
  'Deployment',
  'HorizontalPodAutoscaler',
  'StatefulSet',
  'Job',
  'CronJob',
  'IngressClass',
  'Ingress',
  'APIService',
]

const ranks = new Map(kindOrder.map((kind, index) => [kind, index - kindOrder.length]))

/** Listed kinds first, in their order; the rest after them, by name alone. */
export function byKind(a: Manifest, b: Manifest): number {
  const rank = (ranks.get(a.kind) ?? 0) - (ranks.get(b.kind) ?? 0)
  if (rank !== 0) return rank
  const [left, right] = [a.metadata?.name ?? '', b.metadata?.name ?? '']
  return left < right ? -1 : left > right ? 1 : 0
}

/** An object or hook with the moment at which it is applied. */
export interface Task {
  readonly phase: Phase
  readonly wave: number
  readonly object: Manifest
}

const phaseOrder: readonly Phase[] = ['PreSync', 'Sync', 'PostSync', 'Test', 'SyncFail', 'PreDelete', 'PostDelete']

export function byMoment(a: Pick<Task, 'phase' | 'wave'>, b: Pick<Task, 'phase' | 'wave'>): number {
  return phaseOrder.indexOf(a.phase) - phaseOrder.indexOf(b.phase) || a.wave - b.wave
}

/** In order; a Namespace or a CRD that an earlier task needs is pulled to that task's moment. */
export function inOrder<T extends Task>(tasks: readonly T[]): readonly T[] {
  const placed = tasks.map(task => {
    if (task.object.kind !== 'Namespace' && task.object.kind !== 'CustomResourceDefinition') return task
    const first = tasks.filter(other => needs(other.object, task.object)).toSorted(byMoment)[0]
    return first !== undefined && byMoment(first, task) < 0 ? { ...task, phase: first.phase, wave: first.wave } : task
  })
  return placed.toSorted((a, b) => byMoment(a, b) || byKind(a.object, b.object))
}

function needs(object: Manifest, what: Manifest): boolean {
  if (what.kind === 'Namespace')
    return object.metadata?.namespace !== undefined && object.metadata.namespace === what.metadata?.name
  if (what.kind !== 'CustomResourceDefinition') return false
  const spec = (what.spec ?? {}) as { group?: string; names?: { kind?: string } }
  return spec.names?.kind === object.kind && spec.group === groupOf(object.apiVersion ?? '')
}
