// The kinds a node runs, as one union, and how each is read from a manifest. What a node cannot honour is refused by name.
import type { Problem } from '../contract/documents.js'
import { type Manifest, type ObjectRef, refOf } from '../contract/manifest.js'
import type { PodSpec } from '../pods/types.js'
import { Fields, type Issue, isObject, nearest } from './fields.js'
import { readPodSpec } from './podspec.js'

type Strings = Readonly<Record<string, string>>

export interface Template {
  readonly labels: Strings
  readonly annotations: Strings
  readonly spec: PodSpec
  /** As written: what the template hash is made of, so that a newer parser's defaults roll nothing. */
  readonly raw: unknown
}

export interface Selector {
  readonly matchLabels: Strings
  readonly matchExpressions: readonly Requirement[]
}

export interface Requirement {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  readonly values: readonly string[]
}

/** A number of pods, or `25%` of them. */
export type IntOrPercent = number | `${number}%`

export interface DeploymentSpec {
  readonly replicas: number
  readonly selector: Selector
  readonly template: Template
  readonly strategy:
    | { readonly type: 'RollingUpdate'; readonly maxSurge: IntOrPercent; readonly maxUnavailable: IntOrPercent }
    | { readonly type: 'Recreate' }
  readonly minReadySeconds: number
  readonly progressDeadlineSeconds: number
  readonly revisionHistoryLimit: number
  readonly paused: boolean
}

export interface ReplicaSetSpec {
  readonly replicas: number
  readonly selector: Selector
  readonly template: Template
  readonly minReadySeconds: number
}

export interface JobSpec {
  /** null: done when one succeeded and none is left (a work queue). */
  readonly completions: number | null
  readonly parallelism: number
  readonly backoffLimit: number
  readonly activeDeadlineSeconds: number | null
  readonly ttlSecondsAfterFinished: number | null
  readonly suspend: boolean
  readonly template: Template
}

export interface ServiceSpecRead {
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName'
  readonly headless: boolean
  readonly externalName: string
  /** null: no selector, so no endpoints. */
  readonly selector: Strings | null
  readonly publishNotReady: boolean
  readonly ports: readonly ServicePortRead[]
}

export interface ServicePortRead {
  readonly name: string
  readonly port: number
  /** A number, or the name of a container's port. */
  readonly targetPort: number | string
  readonly nodePort: number | null
  readonly mode: 'http' | 'tcp' | 'detect'
}

export interface ClaimSpec {
  readonly accessModes: readonly string[]
  readonly storage: string
}

interface Kinds {
  Deployment: { readonly spec: DeploymentSpec }
  ReplicaSet: { readonly spec: ReplicaSetSpec }
  Pod: { readonly template: Template }
  Job: { readonly spec: JobSpec }
  Service: { readonly spec: ServiceSpecRead }
  /** Values base64, data and binaryData alike. */
  ConfigMap: { readonly data: Strings }
  Secret: { readonly data: Strings; readonly type: string }
  Namespace: object
  PersistentVolumeClaim: { readonly claim: ClaimSpec }
  ServiceAccount: object
  PodDisruptionBudget: object
}

export type NodeKind = keyof Kinds
/** One object that the node honours, read. */
export type NodeObject<K extends NodeKind = NodeKind> = {
  [P in K]: { readonly kind: P; readonly ref: ObjectRef; readonly manifest: Manifest } & Kinds[P]
}[K]

/** The group and version of each kind; other versions of it are refused with this one named. */
export const kindVersions: { readonly [K in NodeKind]: string } = {
  Deployment: 'apps/v1',
  ReplicaSet: 'apps/v1',
  Pod: 'v1',
  Job: 'batch/v1',
  Service: 'v1',
  ConfigMap: 'v1',
  Secret: 'v1',
  Namespace: 'v1',
  PersistentVolumeClaim: 'v1',
  ServiceAccount: 'v1',
  PodDisruptionBudget: 'policy/v1',
}

export interface ReadObject {
  /** null when something stands in its way. */
  readonly object: NodeObject | null
  readonly problems: readonly Problem[]
}

export function readObject(manifest: Manifest): ReadObject {
  const ref = refOf(manifest)
  const refused = refuseKind(manifest, ref)
  if (refused !== null) return { object: null, problems: [refused] }
  const issues: Issue[] = []
  const fields = new Fields(manifest, '', issues)
  fields.inert('apiVersion', 'kind', 'status')
  readMeta(fields.object('metadata'))
  const object = { kind: manifest.kind, ref, manifest, ...readers[manifest.kind as NodeKind](fields) } as NodeObject
  fields.end()
  return { object: issues.length === 0 ? object : null, problems: issues.map(issue => problemOf(ref, issue)) }
}

function problemOf(object: ObjectRef, issue: Issue): Problem {
  return { object, reason: issue.reason, message: `${issue.path}: ${issue.message}`, transient: false }
}

function refuseKind(manifest: Manifest, object: ObjectRef): Problem | null {
  const version = Object.hasOwn(kindVersions, manifest.kind) ? kindVersions[manifest.kind as NodeKind] : undefined
  if (version === manifest.apiVersion) return null
  const near = version === undefined ? nearest(manifest.kind, Object.keys(kindVersions)) : null
  const message =
    version === undefined
      ? `${manifest.kind} (${manifest.apiVersion}) is not run by a node${near === null ? '' : ` (did you mean ${near}?)`}: leave it out of this destination, or use a Kubernetes cluster`
      : `${manifest.kind} must be of ${version}, is of ${manifest.apiVersion}`
  return { object, reason: 'UnsupportedKind', message, transient: false }
}

const name = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/

/** What servers and tools write into metadata is harmless. */
function readMeta(fields: Fields | undefined, template = false): { labels: Strings; annotations: Strings } {
  if (fields === undefined) return { labels: {}, annotations: {} }
  const given = fields.string('name')
  if (!template && (given === undefined || !name.test(given) || given.length > 253)) {
    fields.invalid('name', `'${given ?? ''}' must be lower case letters, digits, '-' and '.', at most 253`)
  }
  const meta = { labels: fields.stringMap('labels'), annotations: fields.stringMap('annotations') }
  fields.string('namespace')
  fields.unsupported(['generateName'], 'is not supported: give it a name')
  fields.inert(
    'creationTimestamp',
    'deletionGracePeriodSeconds',
    'deletionTimestamp',
    'finalizers',
    'generation',
    'managedFields',
  )
  fields.inert('ownerReferences', 'resourceVersion', 'selfLink', 'uid')
  fields.end()
  return meta
}

const readers: { readonly [K in NodeKind]: (fields: Fields) => Kinds[K] } = {
  Deployment: readDeployment,
  ReplicaSet: readReplicaSet,
  Pod: fields => {
    const meta = fields.raw('metadata')
    const { labels, annotations } = isObject(meta)
      ? { labels: strings(meta.labels), annotations: strings(meta.annotations) }
      : { labels: {}, annotations: {} }
    const spec = readPodSpec(required(fields, 'spec'))
    return { template: { labels, annotations, spec, raw: { metadata: { labels, annotations }, spec: fields.raw('spec') } } }
  },
  Job: readJob,
  Service: readService,
  ConfigMap: fields => {
    const text = fields.stringMap('data')
    const binary = fields.stringMap('binaryData')
    fields.inert('immutable')
    return { data: { ...encode(text), ...binary } }
  },
  Secret: fields => {
    const data = fields.stringMap('data')
    for (const [key, value] of Object.entries(data)) {
      if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(value))
        fields.invalid('data', `${key} must be base64 (plain text goes into stringData)`)
    }
    const clean = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, value.replace(/\s/g, '')]))
    fields.inert('immutable')
    return { data: { ...clean, ...encode(fields.stringMap('stringData')) }, type: fields.string('type') ?? 'Opaque' }
  },
  Namespace: fields => {
    fields.inert('spec')
    return {}
  },
  PersistentVolumeClaim: readClaim,
  ServiceAccount: fields => {
    fields.unsupported(['imagePullSecrets'], 'is not read from a service account on a node: name them in the pod')
    fields.inert('automountServiceAccountToken', 'secrets')
    return {}
  },
  PodDisruptionBudget: fields => {
    fields.inert('spec')
    return {}
  },
}

function encode(values: Strings): Strings {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value, 'utf8').toString('base64')]))
}

function strings(value: unknown): Strings {
  return isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, String(item)])) : {}
}

function required(fields: Fields, field: string): Fields {
  const value = fields.object(field)
  if (value === undefined) fields.invalid(field, 'is required')
  return value ?? new Fields({}, fields.at(field), [])
}

function readDeployment(fields: Fields): Kinds['Deployment'] {
  const spec = required(fields, 'spec')
  const template = readTemplate(spec, ['Always'])
  const read: DeploymentSpec = {
    replicas: spec.int('replicas') ?? 1,
    selector: readSelector(spec, template),
    template,
    strategy: readStrategy(spec.object('strategy')),
    minReadySeconds: spec.int('minReadySeconds') ?? 0,
    progressDeadlineSeconds: spec.int('progressDeadlineSeconds', 1) ?? 600,
    revisionHistoryLimit: spec.int('revisionHistoryLimit') ?? 10,
    paused: spec.bool('paused') ?? false,
  }
  if (read.progressDeadlineSeconds <= read.minReadySeconds)
    spec.invalid('progressDeadlineSeconds', 'must be greater than minReadySeconds')
  spec.end()
  return { spec: read }
}

function readStrategy(fields: Fields | undefined): DeploymentSpec['strategy'] {
  const type = fields?.oneOf('type', ['RollingUpdate', 'Recreate']) ?? 'RollingUpdate'
  const rolling = fields?.object('rollingUpdate')
  const bounds = { maxSurge: readBound(rolling, 'maxSurge'), maxUnavailable: readBound(rolling, 'maxUnavailable') }
  rolling?.end()
  if (type === 'Recreate' && rolling !== undefined) fields?.invalid('rollingUpdate', 'must not stand beside type Recreate')
  if (rolling !== undefined && isZero(bounds.maxSurge) && isZero(bounds.maxUnavailable))
    rolling.invalid('maxUnavailable', 'must not be 0 when maxSurge is 0')
  fields?.end()
  return type === 'Recreate' ? { type } : { type, ...bounds }
}

function isZero(bound: IntOrPercent): boolean {
  return Number.parseInt(String(bound), 10) === 0
}

function readBound(fields: Fields | undefined, field: string): IntOrPercent {
  const value = fields?.raw(field)
  if (value === undefined) return '25%'
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value
  if (typeof value === 'string' && /^\d+%$/.test(value)) return value as IntOrPercent
  fields?.invalid(field, `'${String(value)}' must be a number of pods or a percentage such as 25%`)
  return '25%'
}

function readReplicaSet(fields: Fields): Kinds['ReplicaSet'] {
  const spec = required(fields, 'spec')
  const template = readTemplate(spec, ['Always'])
  const read = {
    replicas: spec.int('replicas') ?? 1,
    selector: readSelector(spec, template),
    template,
    minReadySeconds: spec.int('minReadySeconds') ?? 0,
  }
  spec.end()
  return { spec: read }
}

function readTemplate(spec: Fields, policies: readonly PodSpec['restartPolicy'][]): Template {
  const template = required(spec, 'template')
  const meta = readMeta(template.object('metadata'), true)
  const pod = required(template, 'spec')
  const read = readPodSpec(pod)
  const policy = pod.has('restartPolicy') || policies.includes('Always') ? read.restartPolicy : null
  if (policy === null || !policies.includes(policy)) pod.invalid('restartPolicy', `must be ${policies.join(' or ')}`)
  template.end()
  return { ...meta, spec: read, raw: spec.raw('template') }
}

function readSelector(spec: Fields, template: Template): Selector {
  const fields = required(spec, 'selector')
  const selector: Selector = {
    matchLabels: fields.stringMap('matchLabels'),
    matchExpressions: fields.each('matchExpressions', requirement => {
      const read = {
        key: requirement.requiredString('key'),
        operator: requirement.oneOf('operator', ['In', 'NotIn', 'Exists', 'DoesNotExist']) ?? 'Exists',
        values: requirement.strings('values'),
      }
      requirement.end()
      return read
    }),
  }
  fields.end()
  const empty = Object.keys(selector.matchLabels).length === 0 && selector.matchExpressions.length === 0
  if (empty) spec.invalid('selector', 'must select something')
  else if (!selects(selector, template.labels)) spec.invalid('selector', 'does not match the labels of the template')
  return selector
}

export function selects(selector: Selector, labels: Strings): boolean {
  return matches(selector.matchLabels, labels) && selector.matchExpressions.every(requirement => holds(requirement, labels))
}

export function matches(wanted: Strings, labels: Strings): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value)
}

function holds({ key, operator, values }: Requirement, labels: Strings): boolean {
  const value = labels[key]
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
  }
}

function readJob(fields: Fields): Kinds['Job'] {
  const spec = required(fields, 'spec')
  const template = readTemplate(spec, ['Never', 'OnFailure'])
  const parallelism = spec.int('parallelism')
  const completions = spec.int('completions')
  const read: JobSpec = {
    // Neither given: one of one; parallelism alone: a work queue (batch/v1 defaults).
    completions: completions ?? (parallelism === undefined ? 1 : null),
    parallelism: parallelism ?? 1,
    backoffLimit: spec.int('backoffLimit') ?? 6,
    activeDeadlineSeconds: spec.int('activeDeadlineSeconds', 1) ?? null,
    ttlSecondsAfterFinished: spec.int('ttlSecondsAfterFinished') ?? null,
    suspend: spec.bool('suspend') ?? false,
    template,
  }
  spec.oneOf('completionMode', ['NonIndexed'])
  spec.oneOf('podReplacementPolicy', ['TerminatingOrFailed', 'Failed'])
  spec.unsupported(['backoffLimitPerIndex', 'managedBy', 'maxFailedIndexes', 'podFailurePolicy', 'successPolicy'])
  // Labels of the server's own making: Kubernetes gives Jobs their selector itself.
  spec.inert('selector', 'manualSelector')
  spec.end()
  return { spec: read }
}

function readService(fields: Fields): Kinds['Service'] {
  const spec = required(fields, 'spec')
  const type = spec.oneOf('type', ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']) ?? 'ClusterIP'
  const clusterIP = spec.string('clusterIP') ?? ''
  if (clusterIP !== '' && clusterIP !== 'None')
    spec.refuse('clusterIP', 'UnsupportedField', 'addresses are given out by the node: leave it out, or None for headless')
  const headless = clusterIP === 'None'
  if (headless && type !== 'ClusterIP') spec.invalid('clusterIP', `None does not go with type ${type}`)
  const read: ServiceSpecRead = {
    type,
    headless,
    externalName: spec.string('externalName') ?? '',
    selector: spec.has('selector') ? spec.stringMap('selector') : null,
    publishNotReady: spec.bool('publishNotReadyAddresses') ?? false,
    ports: spec.each('ports', port => readServicePort(port, type)),
  }
  if (type === 'ExternalName' && read.externalName === '') spec.invalid('externalName', 'is required for type ExternalName')
  checkPorts(spec, read)
  spec.oneOf('sessionAffinity', ['None'])
  spec.oneOf('ipFamilyPolicy', ['SingleStack', 'PreferDualStack'])
  spec.unsupported([
    'externalIPs',
    'healthCheckNodePort',
    'loadBalancerClass',
    'loadBalancerIP',
    'loadBalancerSourceRanges',
    'sessionAffinityConfig',
  ])
  spec.inert(
    'allocateLoadBalancerNodePorts',
    'clusterIPs',
    'externalTrafficPolicy',
    'internalTrafficPolicy',
    'ipFamilies',
    'trafficDistribution',
  )
  spec.end()
  return { spec: read }
}

function checkPorts(spec: Fields, service: ServiceSpecRead): void {
  const { ports } = service
  if (ports.length === 0 && !service.headless && service.type !== 'ExternalName')
    spec.invalid('ports', 'must have at least one port')
  if (ports.length > 1 && ports.some(port => port.name === ''))
    spec.invalid('ports', 'must each have a name when there are several')
  const numbers = ports.map(port => port.port)
  for (const twice of new Set(numbers.filter((port, index) => numbers.indexOf(port) !== index)))
    spec.invalid('ports', `${twice} is there twice`)
}

function readServicePort(fields: Fields, type: string): ServicePortRead {
  const portName = fields.string('name') ?? ''
  const port = fields.int('port', 1, 65535) ?? 0
  if (!fields.has('port')) fields.invalid('port', 'is required')
  const protocol = fields.string('protocol') ?? 'TCP'
  if (protocol !== 'TCP')
    fields.refuse('protocol', 'UnsupportedField', `${protocol} is not supported for Services on a node: only TCP is`)
  const target = fields.raw('targetPort')
  if (target !== undefined && typeof target !== 'string' && typeof target !== 'number')
    fields.invalid('targetPort', 'must be a port or its name')
  const nodePort = fields.int('nodePort', 1, 65535) ?? null
  if (nodePort !== null && type !== 'NodePort' && type !== 'LoadBalancer')
    fields.invalid('nodePort', `does not go with type ${type}`)
  const mode = portMode(portName, fields.string('appProtocol'))
  fields.end()
  return {
    name: portName,
    port,
    targetPort: typeof target === 'string' || typeof target === 'number' ? target : port,
    nodePort,
    mode,
  }
}

/** appProtocol first, then the name, as service meshes read it; neither: the first bytes tell. */
export function portMode(portName: string, appProtocol?: string): ServicePortRead['mode'] {
  const said = appProtocol ?? portName.split('-')[0]!
  if (['http', 'kubernetes.io/ws', 'ws'].includes(said)) return 'http'
  if (
    appProtocol !== undefined ||
    ['https', 'tcp', 'tls', 'grpc', 'http2', 'mysql', 'redis', 'mongo', 'postgres', 'postgresql', 'amqp'].includes(said)
  )
    return 'tcp'
  return 'detect'
}

function readClaim(fields: Fields): Kinds['PersistentVolumeClaim'] {
  const spec = required(fields, 'spec')
  const resources = required(spec, 'resources')
  const requests = required(resources, 'requests')
  const claim = { accessModes: spec.strings('accessModes'), storage: String(requests.raw('storage') ?? '') }
  if (claim.accessModes.length === 0) spec.invalid('accessModes', 'is required')
  requests.end()
  resources.inert('limits')
  resources.end()
  spec.oneOf('volumeMode', ['Filesystem'])
  spec.unsupported(
    ['dataSource', 'dataSourceRef', 'selector', 'storageClassName', 'volumeAttributesClassName', 'volumeName'],
    'is not supported on a node: its volumes are local',
  )
  spec.end()
  return { claim }
}
