// The order in which objects of one wave are applied: gitops-engine pkg/sync/sync_tasks.go (kindOrder), then by name.
import type { Manifest } from '../../runtime/contract/manifest.js'

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
