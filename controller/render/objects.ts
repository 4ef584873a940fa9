// Rendered objects made whole: named as Kubernetes wants it, in their namespaces, none of them twice.
import type { RenderedObject } from '../../renderer/index.js'
import { groupOf, type Manifest, refKey, refOf, refText } from '../../runtime/contract/manifest.js'
import type { Rejection } from '../release.js'

export interface Completed {
  readonly objects: readonly Manifest[]
  /** By refKey: `templates/web.hbs:3`. */
  readonly origins: Readonly<Record<string, string>>
}

/** Kinds without a namespace, as `group/Kind`. */
const clusterScoped = new Set(
  [
    '/Namespace /Node /PersistentVolume /ComponentStatus',
    'rbac.authorization.k8s.io/ClusterRole rbac.authorization.k8s.io/ClusterRoleBinding',
    'apiextensions.k8s.io/CustomResourceDefinition apiregistration.k8s.io/APIService',
    'admissionregistration.k8s.io/ValidatingWebhookConfiguration admissionregistration.k8s.io/MutatingWebhookConfiguration',
    'admissionregistration.k8s.io/ValidatingAdmissionPolicy admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding',
    'admissionregistration.k8s.io/MutatingAdmissionPolicy admissionregistration.k8s.io/MutatingAdmissionPolicyBinding',
    'storage.k8s.io/StorageClass storage.k8s.io/CSIDriver storage.k8s.io/CSINode storage.k8s.io/VolumeAttachment storage.k8s.io/VolumeAttributesClass',
    'scheduling.k8s.io/PriorityClass node.k8s.io/RuntimeClass networking.k8s.io/IngressClass networking.k8s.io/ServiceCIDR networking.k8s.io/IPAddress',
    'flowcontrol.apiserver.k8s.io/FlowSchema flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration policy/PodSecurityPolicy',
    'certificates.k8s.io/CertificateSigningRequest certificates.k8s.io/ClusterTrustBundle resource.k8s.io/DeviceClass resource.k8s.io/ResourceSlice',
    'cert-manager.io/ClusterIssuer gateway.networking.k8s.io/GatewayClass snapshot.storage.k8s.io/VolumeSnapshotClass kyverno.io/ClusterPolicy',
    'external-secrets.io/ClusterSecretStore external-secrets.io/ClusterExternalSecret',
  ].flatMap(line => line.split(' ')),
)

/** Either all of them, or the first fault with its file and line. `namespace`: the destination's. */
export function completeObjects(rendered: readonly RenderedObject[], namespace: string): Completed | Rejection {
  const scopes = new Set([...clusterScoped, ...rendered.flatMap(declaredScope)])
  const objects: Manifest[] = []
  const origins: Record<string, string> = Object.create(null) as Record<string, string>
  for (const item of rendered) {
    const origin = `${item.file}:${item.line}`
    const object = placed(item.manifest, namespace === '' ? 'default' : namespace, scopes)
    const fault = nameFault(object)
    if (fault !== '') return invalid(`${origin}: ${fault}`)
    const key = refKey(refOf(object))
    const other = origins[key]
    if (other !== undefined) return invalid(`${origin}: ${refText(refOf(object))} is there twice; also at ${other}`)
    origins[key] = origin
    objects.push(object)
  }
  return { objects, origins: { ...origins } }
}

function invalid(message: string): Rejection {
  return { reason: 'InvalidManifest', message, excerpt: '', transient: false }
}

/** A CustomResourceDefinition of the same render says whether its kind has a namespace. */
function declaredScope(item: RenderedObject): string[] {
  const spec = item.manifest.spec
  if (item.manifest.kind !== 'CustomResourceDefinition' || typeof spec !== 'object' || spec === null) return []
  const { scope, group, names } = spec as { scope?: unknown; group?: unknown; names?: { kind?: unknown } }
  return scope === 'Cluster' ? [`${String(group)}/${String(names?.kind)}`] : []
}

function placed(object: RenderedObject['manifest'], namespace: string, scopes: ReadonlySet<string>): Manifest {
  const { namespace: own, ...metadata } = object.metadata
  if (scopes.has(`${groupOf(object.apiVersion)}/${object.kind}`)) return { ...object, metadata }
  return { ...object, metadata: { ...metadata, namespace: typeof own === 'string' && own !== '' ? own : namespace } }
}

const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const label1035 = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

/** '' where the names are as `apimachinery/pkg/util/validation` wants them. */
function nameFault(object: Manifest): string {
  const { name, namespace } = object.metadata
  if (namespace !== undefined && !label.test(namespace))
    return `${object.kind} ${name}: namespace ${JSON.stringify(namespace)} wants lower-case letters, digits and '-', at most 63`
  const group = groupOf(object.apiVersion)
  if (group === 'rbac.authorization.k8s.io')
    return /[/%]/.test(name) || name === '.' || name === '..'
      ? `${object.kind} ${JSON.stringify(name)}: a name must not have '/' or '%'`
      : ''
  if (object.kind === 'Namespace' && group === '')
    return label.test(name) ? '' : said(object, "lower-case letters, digits and '-', at most 63 (RFC 1123 label)")
  if (object.kind === 'Service' && group === '')
    return label1035.test(name)
      ? ''
      : said(object, "lower-case letters, digits and '-', beginning with a letter, at most 63 (RFC 1035 label)")
  return name.length <= 253 && subdomain.test(name)
    ? ''
    : said(object, "lower-case letters, digits, '-' and '.', at most 253 (RFC 1123 subdomain)")
}

function said(object: Manifest, rule: string): string {
  return `${object.kind}: metadata.name ${JSON.stringify(object.metadata.name)} wants ${rule}`
}
