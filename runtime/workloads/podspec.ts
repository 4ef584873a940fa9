// Reads a PodSpec (core/v1) of unknown shape: Kubernetes' defaults filled in, and an issue for every field the node does not honour.
import type { KeyToPath, PodSpec, VolumeSpec } from '../pods/types.js'
import { readAmount, readConfinement, readContainer, readFieldRef, readIdentity, readResourceRef } from './containers.js'
import { defined, type Fields, isObject } from './fields.js'
import { parseBytes } from './quantity.js'

/** Scheduling among nodes means nothing on one; a service account has no API server to speak to. */
const inertFields = [
  'automountServiceAccountToken',
  'enableServiceLinks',
  'preemptionPolicy',
  'priority',
  'priorityClassName',
  'schedulerName',
  'serviceAccount',
  'tolerations',
  'topologySpreadConstraints',
] as const

const unsupportedFields = [
  'ephemeralContainers',
  'overhead',
  'readinessGates',
  'resourceClaims',
  'resources',
  'schedulingGates',
  'setHostnameAsFQDN',
  'hostnameOverride',
] as const

export function readPodSpec(fields: Fields): PodSpec {
  const spec = defined({
    initContainers: fields.each('initContainers', container => readContainer(container, true)),
    containers: fields.each('containers', container => readContainer(container, false)),
    volumes: fields.each('volumes', readVolume).filter(volume => volume !== null),
    restartPolicy: fields.oneOf('restartPolicy', ['Always', 'OnFailure', 'Never']) ?? 'Always',
    terminationGracePeriodSeconds: fields.int('terminationGracePeriodSeconds') ?? 30,
    activeDeadlineSeconds: fields.int('activeDeadlineSeconds', 1),
    hostname: fields.string('hostname'),
    subdomain: fields.string('subdomain'),
    hostAliases: fields.each('hostAliases', alias => {
      const read = { ip: alias.requiredString('ip'), hostnames: alias.strings('hostnames') }
      alias.end()
      return read
    }),
    dnsPolicy: readDnsPolicy(fields),
    dnsConfig: readDnsConfig(fields.object('dnsConfig')),
    hostNetwork: fields.bool('hostNetwork') ?? false,
    shareProcessNamespace: fields.bool('shareProcessNamespace') ?? false,
    imagePullSecrets: fields.each('imagePullSecrets', secret => {
      const name = secret.requiredString('name')
      secret.end()
      return name
    }),
    securityContext: readPodSecurity(fields.object('securityContext')),
    serviceAccountName: fields.string('serviceAccountName'),
    nodeName: fields.string('nodeName'),
  })
  refuseHost(fields)
  readPlacement(fields)
  fields.unsupported(unsupportedFields)
  fields.inert(...inertFields)
  fields.end()
  checkNames(fields, spec)
  return spec
}

function refuseHost(fields: Fields): void {
  for (const name of ['hostPID', 'hostIPC']) {
    if (fields.bool(name) === true) fields.refuse(name, 'HostPolicy', `the host's namespaces are not shared with containers`)
  }
  if (fields.bool('hostUsers') === false)
    fields.refuse('hostUsers', 'UnsupportedField', 'user namespaces are not supported on a node')
  if (fields.has('runtimeClassName'))
    fields.refuse('runtimeClassName', 'HostPolicy', `the engine's default runtime always runs containers`)
}

/** What can only be satisfied or not on one node: wishes are fine, requirements must be plainly true. */
function readPlacement(fields: Fields): void {
  for (const [label, value] of Object.entries(fields.stringMap('nodeSelector'))) {
    if (!(label === 'kubernetes.io/os' && value === 'linux')) {
      fields.refuse(
        'nodeSelector',
        'UnsupportedField',
        `'${label}' is not known on a node: leave it out, the application's destination names the node`,
      )
    }
  }
  const os = fields.object('os')
  os?.oneOf('name', ['linux'])
  os?.end()
  const affinity = fields.object('affinity')
  for (const kind of ['nodeAffinity', 'podAffinity', 'podAntiAffinity']) {
    const wish = affinity?.object(kind)
    wish?.inert('preferredDuringSchedulingIgnoredDuringExecution')
    wish?.unsupported(
      ['requiredDuringSchedulingIgnoredDuringExecution'],
      'cannot be honoured by a single node: use preferred..., or leave it out',
    )
    wish?.end()
  }
  affinity?.end()
}

/** On a node the cluster's names are served to everyone who asks for them. */
function readDnsPolicy(fields: Fields): PodSpec['dnsPolicy'] {
  const policy = fields.oneOf('dnsPolicy', ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None']) ?? 'ClusterFirst'
  return policy === 'ClusterFirstWithHostNet' ? 'ClusterFirst' : policy
}

function readDnsConfig(fields: Fields | undefined): PodSpec['dnsConfig'] {
  if (fields === undefined) return undefined
  const config = {
    nameservers: fields.strings('nameservers'),
    searches: fields.strings('searches'),
    options: fields.each('options', option => {
      const read = { name: option.requiredString('name'), ...defined({ value: option.string('value') }) }
      option.end()
      return read
    }),
  }
  fields.end()
  return config
}

function readPodSecurity(fields: Fields | undefined): PodSpec['securityContext'] {
  if (fields === undefined) return {}
  const sysctls = fields.each('sysctls', sysctl => {
    const read = { name: sysctl.requiredString('name'), value: sysctl.string('value') ?? '' }
    sysctl.end()
    return read
  })
  const groups = fields.list('supplementalGroups', Number)
  const read = defined({
    ...readIdentity(fields),
    fsGroup: fields.int('fsGroup'),
    supplementalGroups: groups.length > 0 ? groups : undefined,
    sysctls: sysctls.length > 0 ? sysctls : undefined,
  })
  if (groups.some(group => !Number.isSafeInteger(group))) fields.invalid('supplementalGroups', 'must be group ids')
  fields.oneOf('supplementalGroupsPolicy', ['Merge'])
  fields.inert('fsGroupChangePolicy')
  readConfinement(fields)
  fields.end()
  return read as PodSpec['securityContext']
}

const sources = ['emptyDir', 'configMap', 'secret', 'downwardAPI', 'projected', 'hostPath', 'persistentVolumeClaim'] as const
const foreignSources = [
  'awsElasticBlockStore',
  'azureDisk',
  'azureFile',
  'cephfs',
  'cinder',
  'csi',
  'ephemeral',
  'fc',
  'flexVolume',
  'flocker',
  'gcePersistentDisk',
  'gitRepo',
  'glusterfs',
  'image',
  'iscsi',
  'nfs',
  'photonPersistentDisk',
  'portworxVolume',
  'quobyte',
  'rbd',
  'scaleIO',
  'storageos',
  'vsphereVolume',
] as const

function readVolume(fields: Fields): VolumeSpec | null {
  const name = fields.requiredString('name')
  for (const source of foreignSources)
    if (fields.has(source)) fields.refuse(source, 'UnsupportedField', 'volumes of this kind are not supported on a node')
  const given = sources.filter(source => fields.has(source))
  if (given.length > 1) fields.invalid(given[1]!, `must not stand beside ${given[0]}`)
  if (given.length === 0) {
    // Kubernetes takes a volume without a source for an emptyDir.
    const foreign = foreignSources.some(source => fields.has(source))
    fields.end()
    return foreign ? null : { name, source: { kind: 'emptyDir', medium: '' } }
  }
  const source = fields.object(given[0]!)!
  const read = readers[given[0]!](source)
  source.end()
  fields.end()
  return { name, source: read }
}

type Source = VolumeSpec['source']

const readers: { readonly [K in Source['kind']]: (fields: Fields) => Source } = {
  emptyDir: fields => ({
    kind: 'emptyDir',
    medium: fields.oneOf('medium', ['', 'Memory']) ?? '',
    ...defined({ sizeLimitBytes: readAmount(fields, 'sizeLimit', parseBytes) }),
  }),
  configMap: fields => ({ kind: 'configMap', name: fields.requiredString('name'), ...readFiles(fields) }),
  secret: fields => ({ kind: 'secret', name: fields.requiredString('secretName'), ...readFiles(fields) }),
  downwardAPI: fields => ({
    kind: 'downwardAPI',
    items: fields.each('items', readDownward),
    defaultMode: readMode(fields, 'defaultMode') ?? 0o644,
  }),
  projected: fields => ({
    kind: 'projected',
    sources: fields.each('sources', readProjection),
    defaultMode: readMode(fields, 'defaultMode') ?? 0o644,
  }),
  hostPath: fields => ({
    kind: 'hostPath',
    path: fields.requiredString('path'),
    type:
      fields.oneOf('type', [
        '',
        'DirectoryOrCreate',
        'Directory',
        'FileOrCreate',
        'File',
        'Socket',
        'CharDevice',
        'BlockDevice',
      ]) ?? '',
  }),
  persistentVolumeClaim: fields => ({
    kind: 'persistentVolumeClaim',
    claimName: fields.requiredString('claimName'),
    readOnly: fields.bool('readOnly') ?? false,
  }),
}

function readFiles(fields: Fields) {
  return {
    ...defined({ items: readItems(fields) }),
    defaultMode: readMode(fields, 'defaultMode') ?? 0o644,
    optional: fields.bool('optional') ?? false,
  }
}

function readItems(fields: Fields): readonly KeyToPath[] | undefined {
  if (!fields.has('items')) return undefined
  return fields.each('items', item => {
    const read = defined({ key: item.requiredString('key'), path: readRelative(item), mode: readMode(item, 'mode') })
    item.end()
    return read
  })
}

function readRelative(fields: Fields): string {
  const path = fields.requiredString('path')
  if (path.startsWith('/') || path.split('/').includes('..'))
    fields.refuse('path', 'HostPolicy', `must be a relative path without '..'`)
  return path
}

function readMode(fields: Fields, name: string): number | undefined {
  return fields.int(name, 0, 0o777)
}

function readDownward(fields: Fields) {
  const field = fields.object('fieldRef')
  const resource = fields.object('resourceFieldRef')
  const source = resource && readResourceRef(resource)
  const read = defined({
    path: readRelative(fields),
    fieldPath: field && readFieldRef(field),
    resource: source?.resource,
    container: source?.container,
  })
  if (field === undefined && resource === undefined) fields.invalid('fieldRef', 'or resourceFieldRef is required')
  if (readMode(fields, 'mode') !== undefined)
    fields.refuse('mode', 'UnsupportedField', 'is not supported here: set defaultMode of the volume')
  fields.end()
  return read
}

/** Checked, and handed on as written: what gathers the files reads it. */
function readProjection(fields: Fields): unknown {
  const kinds = ['configMap', 'secret', 'downwardAPI'] as const
  const written: Record<string, unknown> = {}
  for (const kind of kinds) {
    const source = fields.object(kind)
    if (source === undefined) continue
    written[kind] = fields.raw(kind)
    if (kind === 'downwardAPI') source.each('items', readDownward)
    else {
      source.requiredString('name')
      readItems(source)
      source.bool('optional')
    }
    source.end()
  }
  fields.unsupported(['serviceAccountToken', 'clusterTrustBundle', 'podCertificate'], 'a node has no API server to issue it')
  fields.end()
  return written
}

/** What spans the spec: containers there and unique, mounts of volumes that exist. */
function checkNames(fields: Fields, spec: PodSpec): void {
  const all = [...spec.initContainers, ...spec.containers]
  if (spec.containers.length === 0) fields.invalid('containers', 'must have at least one container')
  const names = all.map(container => container.name)
  for (const name of new Set(names.filter((name, index) => names.indexOf(name) !== index)))
    fields.invalid('containers', `'${name}' is there twice`)
  const volumes = new Set(spec.volumes.map(volume => volume.name))
  const declared = fields.raw('volumes')
  if (Array.isArray(declared)) for (const volume of declared) if (isObject(volume)) volumes.add(String(volume.name))
  for (const container of all) {
    for (const mount of container.volumeMounts) {
      if (!volumes.has(mount.name))
        fields.invalid('containers', `'${container.name}' mounts volume '${mount.name}', which is not among the volumes`)
    }
  }
}
