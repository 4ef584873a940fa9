// Kinds of other people that many clusters have, and that say how they are in words of their own: as Argo CD's customizations judge them.
import { parseRules, type WrittenRule } from './written.js'

/** Ready is the word of the kind; no condition yet is progress. */
const byReady = 'Healthy: condition Ready is True; Degraded: condition Ready is False; Progressing'
/** Flux says that it goes on trying, and that it has failed: it has. */
const byFlux = `Suspended: spec.suspend is true; Healthy: condition Ready is True; Degraded: condition Ready is False; Progressing`
const byStrimzi =
  'Healthy: condition Ready is True; Degraded: condition NotReady is True and condition NotReady reason is not Creating; Progressing'
const byArgoPhase =
  'Healthy: status.phase in Successful, Succeeded, Skipped; Degraded: status.phase in Failed, Error; Unknown: status.phase is Inconclusive; Progressing'
const byKnative = 'Healthy: condition Ready is True; Degraded: condition InstallSucceeded is False; Progressing'
const byGrafana = 'Healthy: status.stageStatus is success; Degraded: status.stageStatus is failed; Progressing'
const byMariaJob =
  'Degraded: condition Complete reason is JobFailed; Healthy: condition Complete is True; Degraded: condition Complete is False; Progressing'
const bySnapshot = 'Degraded: status.error exists; Healthy: status.readyToUse is true; Progressing'
const byPaused =
  'Degraded: condition Ready is False; Degraded: condition Fallback is True; Suspended: condition Paused is True; Healthy: condition Ready is True; Progressing'
const byVictoria =
  'Healthy: status.updateStatus is operational; Degraded: status.updateStatus is failed; Suspended: status.updateStatus is paused; Progressing'

const texts: Readonly<Record<string, string>> = {
  'acid.zalan.do/postgresql':
    'Healthy: status.PostgresClusterStatus is Running; Progressing: status.PostgresClusterStatus in Creating, Updating; Progressing: status.PostgresClusterStatus is absent; Degraded',
  'argoproj.io/AnalysisRun': byArgoPhase,
  'argoproj.io/Experiment': byArgoPhase,
  'argoproj.io/Workflow': byArgoPhase,
  'bitnami.com/SealedSecret': 'Healthy: condition Synced is True; Degraded: condition Synced is False; Progressing',
  'cert-manager.io/Certificate': `Progressing: condition Issuing is True; ${byReady}`,
  'cert-manager.io/ClusterIssuer': byReady,
  'cert-manager.io/Issuer': byReady,
  'cluster.x-k8s.io/Cluster':
    'Suspended: spec.paused is true; Degraded: status.phase is Failed; Healthy: condition Ready is True and status.phase is Provisioned; Progressing',
  'cluster.x-k8s.io/Machine': 'Healthy: condition Ready is True; Degraded: status.phase is Failed; Progressing',
  'elasticsearch.k8s.elastic.co/Elasticsearch':
    'Degraded: status.health is red; Degraded: status.phase is Invalid; Progressing: status.health is yellow; Healthy: status.health is green and status.phase is Ready; Unknown: status.phase is absent; Progressing',
  'external-secrets.io/ClusterSecretStore': byReady,
  'external-secrets.io/ExternalSecret': byReady,
  'external-secrets.io/PushSecret': byReady,
  'external-secrets.io/SecretStore': byReady,
  'flagger.app/Canary': 'Degraded: status.phase is Failed; Healthy: status.phase in Succeeded, Initialized; Progressing',
  'gateway.networking.k8s.io/GatewayClass':
    'Healthy: condition Accepted is True; Degraded: condition Accepted is False; Progressing',
  'gateway.networking.k8s.io/Gateway':
    'Degraded: condition Accepted is False; Degraded: condition ResolvedRefs is False; Healthy: condition Programmed is True; Progressing',
  'grafana.integreatly.org/Grafana': byGrafana,
  'helm.toolkit.fluxcd.io/HelmRelease': byFlux,
  'image.toolkit.fluxcd.io/ImagePolicy': byFlux,
  'image.toolkit.fluxcd.io/ImageRepository': byFlux,
  'image.toolkit.fluxcd.io/ImageUpdateAutomation': byFlux,
  'jaegertracing.io/Jaeger': 'Healthy: status.phase is Running; Degraded: status.phase is Failed; Progressing',
  'k8s.mariadb.com/Backup': byMariaJob,
  'k8s.mariadb.com/SqlJob': byMariaJob,
  'kafka.strimzi.io/Kafka': byStrimzi,
  'kafka.strimzi.io/KafkaBridge': byStrimzi,
  'kafka.strimzi.io/KafkaConnect': byStrimzi,
  'kafka.strimzi.io/KafkaConnector': byStrimzi,
  'kafka.strimzi.io/KafkaTopic': byStrimzi,
  'kafka.strimzi.io/KafkaUser': byStrimzi,
  'keda.sh/ScaledJob': byPaused,
  'keda.sh/ScaledObject': byPaused,
  'kustomize.toolkit.fluxcd.io/Kustomization': byFlux,
  'notification.toolkit.fluxcd.io/Receiver': byFlux,
  'onepassword.com/OnePasswordItem': byReady,
  'karpenter.sh/NodeClaim': byReady,
  'karpenter.sh/NodePool': byReady,
  'kyverno.io/Policy': byReady,
  'minio.min.io/Tenant':
    'Healthy: status.currentState is Initialized; Degraded: status.currentState in Statefulset not controlled by operator, Another MinIO Tenant already exists in the namespace, Tenant credentials are not set properly, Different versions across MinIO Pools, Pool Decommissioning Not Allowed; Progressing',
  'monitoring.coreos.com/Prometheus': 'Healthy: condition Available is True; Degraded: condition Available is False; Progressing',
  'operator.knative.dev/KnativeEventing': byKnative,
  'operator.knative.dev/KnativeServing': byKnative,
  'operator.victoriametrics.com/VMAgent': byVictoria,
  'rabbitmq.com/RabbitmqCluster':
    'Progressing: condition AllReplicasReady in False, Unknown; Progressing: condition ClusterAvailable in False, Unknown; Degraded: condition ReconcileSuccess is False; Healthy: condition AllReplicasReady is True; Progressing',
  'snapshot.storage.k8s.io/VolumeSnapshot': bySnapshot,
  'snapshot.storage.k8s.io/VolumeSnapshotContent': bySnapshot,
  'source.toolkit.fluxcd.io/Bucket': byFlux,
  'source.toolkit.fluxcd.io/GitRepository': byFlux,
  'source.toolkit.fluxcd.io/HelmChart': byFlux,
  'source.toolkit.fluxcd.io/OCIRepository': byFlux,
}

/** By `group/Kind`. */
export const knownRules: ReadonlyMap<string, readonly WrittenRule[]> = new Map(
  Object.entries(texts).map(([kind, text]) => [kind, parseRules(text)]),
)
