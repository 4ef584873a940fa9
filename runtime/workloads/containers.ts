// Reads one container of a PodSpec (core/v1 Container) and fills in Kubernetes' defaults.
import type {
  ContainerPort,
  ContainerSpec,
  EnvFrom,
  EnvVar,
  HandlerSpec,
  ProbeSpec,
  Resources,
  SecurityContext,
  VolumeMount,
} from '../pods/types.js'
import { defined, type Fields } from './fields.js'
import { parseBytes, parseCpuMillis } from './quantity.js'

const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/

export function readContainer(fields: Fields, init: boolean): ContainerSpec {
  const name = fields.requiredString('name')
  if (name !== '' && !(dnsLabel.test(name) && name.length <= 63))
    fields.invalid('name', `'${name}' must be lower case letters, digits and '-'`)
  const image = fields.requiredString('image')
  const ports = fields.each('ports', readPort)
  const restartPolicy = init ? fields.oneOf('restartPolicy', ['Always']) : undefined
  const probed = !init || restartPolicy === 'Always'
  const container = defined({
    name,
    image,
    imagePullPolicy: fields.oneOf('imagePullPolicy', ['Always', 'IfNotPresent', 'Never']) ?? defaultPullPolicy(image),
    command: fields.has('command') ? fields.strings('command') : undefined,
    args: fields.has('args') ? fields.strings('args') : undefined,
    workingDir: fields.string('workingDir'),
    ports,
    env: fields.each('env', readEnv),
    envFrom: fields.each('envFrom', readEnvFrom),
    resources: readResources(fields),
    volumeMounts: fields.each('volumeMounts', readMount),
    livenessProbe: probed ? readProbe(fields, 'livenessProbe', ports) : undefined,
    readinessProbe: probed ? readProbe(fields, 'readinessProbe', ports) : undefined,
    startupProbe: probed ? readProbe(fields, 'startupProbe', ports) : undefined,
    lifecycle: readLifecycle(fields, ports),
    securityContext: readSecurity(fields.object('securityContext')),
    stdin: fields.bool('stdin') ?? false,
    tty: fields.bool('tty') ?? false,
    terminationMessagePath: fields.string('terminationMessagePath') ?? '/dev/termination-log',
    terminationMessagePolicy: fields.oneOf('terminationMessagePolicy', ['File', 'FallbackToLogsOnError']) ?? 'File',
    restartPolicy,
  })
  for (const field of ['volumeDevices'])
    if (fields.has(field)) fields.refuse(field, 'HostPolicy', 'devices of the host are not given to containers')
  if (!init) fields.unsupported(['restartPolicy'], 'is only supported on an init container (Always: a sidecar)')
  fields.unsupported(['restartPolicyRules', 'stdinOnce'])
  fields.inert('resizePolicy')
  fields.end()
  return container
}

/** `:latest` or no tag is Always, a digest or any other tag IfNotPresent (core/v1 defaults). */
function defaultPullPolicy(image: string): ContainerSpec['imagePullPolicy'] {
  if (image.includes('@')) return 'IfNotPresent'
  const tag = /:([^:/]+)$/.exec(image)?.[1]
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent'
}

function readPort(fields: Fields): ContainerPort {
  const port = defined({
    name: fields.string('name'),
    containerPort: fields.int('containerPort', 1, 65535) ?? 0,
    protocol: fields.oneOf('protocol', ['TCP', 'UDP', 'SCTP']) ?? 'TCP',
    hostPort: fields.int('hostPort', 1, 65535),
    hostIP: fields.string('hostIP'),
  })
  if (port.containerPort === 0 && !fields.has('containerPort')) fields.invalid('containerPort', 'is required')
  fields.end()
  return port
}

function readEnv(fields: Fields): EnvVar {
  const from = fields.object('valueFrom')
  const variable = defined({
    name: fields.requiredString('name'),
    value: fields.string('value'),
    valueFrom: from && readSource(from),
  })
  if (from !== undefined && variable.value !== undefined) fields.invalid('valueFrom', 'must not stand beside value')
  fields.end()
  return variable
}

function readSource(fields: Fields): EnvVar['valueFrom'] {
  const map = fields.object('configMapKeyRef')
  const secret = fields.object('secretKeyRef')
  const field = fields.object('fieldRef')
  const resource = fields.object('resourceFieldRef')
  fields.unsupported(['fileKeyRef'])
  fields.end()
  if (map !== undefined) return { kind: 'configMap', ...readKey(map) }
  if (secret !== undefined) return { kind: 'secret', ...readKey(secret) }
  if (field !== undefined) return { kind: 'field', path: readFieldRef(field) }
  if (resource !== undefined) return readResourceRef(resource)
  fields.invalid('configMapKeyRef', 'or secretKeyRef, fieldRef, resourceFieldRef is required')
  return undefined
}

function readKey(fields: Fields): { name: string; key: string; optional: boolean } {
  const key = {
    name: fields.requiredString('name'),
    key: fields.requiredString('key'),
    optional: fields.bool('optional') ?? false,
  }
  fields.end()
  return key
}

const fieldPath =
  /^(metadata\.(name|namespace|uid|labels|annotations|(labels|annotations)\['[^']+'\])|spec\.(nodeName|serviceAccountName)|status\.(hostIP|hostIPs|podIP|podIPs))$/

export function readFieldRef(fields: Fields): string {
  fields.oneOf('apiVersion', ['v1'])
  const path = fields.requiredString('fieldPath')
  if (path !== '' && !fieldPath.test(path))
    fields.refuse('fieldPath', 'UnsupportedField', `'${path}' is not a field that a pod can be told`)
  fields.end()
  return path
}

export function readResourceRef(fields: Fields): Extract<EnvVar['valueFrom'], { kind: 'resource' }> {
  const resource = fields.requiredString('resource')
  if (!/^(requests|limits)\.(cpu|memory)$/.test(resource)) {
    fields.refuse('resource', 'UnsupportedField', `'${resource}' must be requests or limits of cpu or memory`)
  }
  const divisor = fields.raw('divisor')
  const read = {
    kind: 'resource' as const,
    ...defined({ container: fields.string('containerName') }),
    resource,
    divisor: String(divisor ?? '0'),
  }
  fields.end()
  return read
}

function readEnvFrom(fields: Fields): EnvFrom {
  const prefix = fields.string('prefix') ?? ''
  const map = fields.object('configMapRef')
  const secret = fields.object('secretRef')
  const source = map ?? secret
  fields.end()
  if (source === undefined) {
    fields.invalid('configMapRef', 'or secretRef is required')
    return { kind: 'configMap', name: '', prefix, optional: true }
  }
  const read = { name: source.requiredString('name'), optional: source.bool('optional') ?? false }
  source.end()
  return { kind: map === undefined ? 'secret' : 'configMap', prefix, ...read }
}

/** A request that is not given is the limit, as in Kubernetes. */
function readResources(fields: Fields): ContainerSpec['resources'] {
  const resources = fields.object('resources')
  if (resources === undefined) return { requests: {}, limits: {} }
  const limits = readAmounts(resources.object('limits'))
  const requests = { ...limits, ...readAmounts(resources.object('requests')) }
  resources.unsupported(['claims'])
  resources.end()
  for (const key of ['cpuMillis', 'memoryBytes'] as const) {
    if ((requests[key] ?? 0) > (limits[key] ?? Infinity))
      resources.invalid('requests', `${key === 'cpuMillis' ? 'cpu' : 'memory'} must not be more than its limit`)
  }
  return { requests, limits }
}

function readAmounts(fields: Fields | undefined): Resources {
  if (fields === undefined) return {}
  const amounts = defined({
    cpuMillis: readAmount(fields, 'cpu', parseCpuMillis),
    memoryBytes: readAmount(fields, 'memory', parseBytes),
  })
  fields.unsupported(['ephemeral-storage'], 'is not limited on a node: leave it out')
  fields.end()
  return amounts
}

export function readAmount(fields: Fields, name: string, parse: (text: string | number) => number | null): number | undefined {
  const value = fields.raw(name)
  if (value === undefined) return undefined
  const amount = typeof value === 'string' || typeof value === 'number' ? parse(value) : null
  if (amount === null || amount < 0) fields.invalid(name, `'${String(value)}' is no quantity such as 500m, 1.5 or 256Mi`)
  return amount ?? undefined
}

function readMount(fields: Fields): VolumeMount {
  const mount = defined({
    name: fields.requiredString('name'),
    mountPath: fields.requiredString('mountPath'),
    subPath: fields.string('subPath') || undefined,
    readOnly: fields.bool('readOnly') ?? false,
  })
  if (mount.subPath !== undefined && (mount.subPath.startsWith('/') || mount.subPath.split('/').includes('..'))) {
    fields.refuse('subPath', 'HostPolicy', `must be a relative path without '..'`)
  }
  if (mount.mountPath.includes(':')) fields.invalid('mountPath', `must not contain ':'`)
  if ((fields.string('mountPropagation') ?? 'None') !== 'None')
    fields.refuse('mountPropagation', 'HostPolicy', 'mounts of the host are not shared with containers')
  fields.unsupported(['subPathExpr', 'recursiveReadOnly'])
  fields.end()
  return mount
}

function readProbe(fields: Fields, name: string, ports: readonly ContainerPort[]): ProbeSpec | undefined {
  const probe = fields.object(name)
  if (probe === undefined) return undefined
  const read = defined({
    handler: readHandler(probe, ports, ['httpGet', 'tcpSocket', 'grpc', 'exec']),
    initialDelaySeconds: probe.int('initialDelaySeconds') ?? 0,
    periodSeconds: Math.max(1, probe.int('periodSeconds') ?? 10),
    timeoutSeconds: Math.max(1, probe.int('timeoutSeconds') ?? 1),
    successThreshold: Math.max(1, probe.int('successThreshold') ?? 1),
    failureThreshold: Math.max(1, probe.int('failureThreshold') ?? 3),
    terminationGracePeriodSeconds: probe.int('terminationGracePeriodSeconds', 1),
  })
  if (name !== 'readinessProbe' && read.successThreshold !== 1) probe.invalid('successThreshold', 'must be 1')
  if (name === 'readinessProbe' && read.terminationGracePeriodSeconds !== undefined)
    probe.invalid('terminationGracePeriodSeconds', 'must not be set for a readiness probe')
  probe.end()
  return read.handler === undefined ? undefined : { ...read, handler: read.handler }
}

type HandlerKind = HandlerSpec['kind']

function readHandler(fields: Fields, ports: readonly ContainerPort[], kinds: readonly HandlerKind[]): HandlerSpec | undefined {
  const given = kinds.filter(kind => fields.has(kind))
  if (given.length !== 1) {
    fields.invalid(
      kinds[0]!,
      given.length === 0
        ? `or ${kinds.slice(1).join(', ')} is required`
        : `and ${given.slice(1).join(', ')} must not stand together`,
    )
    return undefined
  }
  const kind = given[0]!
  const handler = fields.object(kind)!
  const read = handlers[kind](handler, ports)
  handler.end()
  return read
}

const handlers: { readonly [K in HandlerKind]: (fields: Fields, ports: readonly ContainerPort[]) => HandlerSpec } = {
  httpGet: (fields, ports) => ({
    kind: 'httpGet',
    path: withSlash(fields.string('path') ?? '/'),
    port: resolvePort(fields, ports),
    ...defined({ host: fields.string('host') }),
    scheme: fields.oneOf('scheme', ['HTTP', 'HTTPS']) ?? 'HTTP',
    headers: fields.each('httpHeaders', header => {
      const read = { name: header.requiredString('name'), value: header.string('value') ?? '' }
      header.end()
      return read
    }),
  }),
  tcpSocket: (fields, ports) => ({
    kind: 'tcpSocket',
    port: resolvePort(fields, ports),
    ...defined({ host: fields.string('host') }),
  }),
  grpc: fields => ({ kind: 'grpc', port: fields.int('port', 1, 65535) ?? 0, service: fields.string('service') ?? '' }),
  exec: fields => ({ kind: 'exec', command: fields.strings('command') }),
  sleep: fields => ({ kind: 'sleep', seconds: fields.int('seconds') ?? 0 }),
}

function withSlash(path: string): string {
  return path.startsWith('/') ? path : `/${path}`
}

function resolvePort(fields: Fields, ports: readonly ContainerPort[]): number {
  const port = fields.raw('port')
  if (typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65536) return port
  const named = ports.find(candidate => candidate.name === port)
  if (named !== undefined) return named.containerPort
  fields.invalid(
    'port',
    port === undefined ? 'is required' : `'${String(port)}' is neither a port number nor the name of a port of this container`,
  )
  return 0
}

function readLifecycle(fields: Fields, ports: readonly ContainerPort[]): ContainerSpec['lifecycle'] {
  const lifecycle = fields.object('lifecycle')
  if (lifecycle === undefined) return {}
  const read = defined({
    postStart: readHook(lifecycle, 'postStart', ports),
    preStop: readHook(lifecycle, 'preStop', ports),
    stopSignal: lifecycle.string('stopSignal'),
  })
  lifecycle.end()
  return read
}

function readHook(fields: Fields, name: string, ports: readonly ContainerPort[]): HandlerSpec | undefined {
  const hook = fields.object(name)
  if (hook === undefined) return undefined
  const read = readHandler(hook, ports, ['exec', 'httpGet', 'sleep'])
  hook.unsupported(['tcpSocket'])
  hook.end()
  return read
}

/** What both a pod's and a container's security context have; the caller ends the pod's. */
export function readIdentity(fields: Fields): Pick<SecurityContext, 'runAsUser' | 'runAsGroup' | 'runAsNonRoot'> {
  return defined({
    runAsUser: fields.int('runAsUser'),
    runAsGroup: fields.int('runAsGroup'),
    runAsNonRoot: fields.bool('runAsNonRoot'),
  })
}

function readSecurity(fields: Fields | undefined): SecurityContext {
  if (fields === undefined) return {}
  const capabilities = fields.object('capabilities')
  const read = defined({
    ...readIdentity(fields),
    readOnlyRootFilesystem: fields.bool('readOnlyRootFilesystem'),
    allowPrivilegeEscalation: fields.bool('allowPrivilegeEscalation'),
    privileged: fields.bool('privileged'),
    capabilities: capabilities && { add: capabilities.strings('add'), drop: capabilities.strings('drop') },
  })
  capabilities?.end()
  if ((fields.string('procMount') ?? 'Default') !== 'Default')
    fields.refuse('procMount', 'HostPolicy', 'an unmasked /proc is never given to a container')
  readConfinement(fields)
  fields.end()
  return read as SecurityContext
}

/** The engine's default profiles always hold: asking for them is fine, asking for anything else is refused. */
export function readConfinement(fields: Fields): void {
  for (const name of ['seccompProfile', 'appArmorProfile']) {
    const profile = fields.object(name)
    if (profile === undefined) continue
    const type = profile.requiredString('type')
    profile.inert('localhostProfile')
    if (type === 'Unconfined') profile.refuse('type', 'HostPolicy', 'containers always run confined')
    else if (type !== 'RuntimeDefault') profile.refuse('type', 'UnsupportedField', 'must be RuntimeDefault')
    profile.end()
  }
  for (const name of ['seLinuxOptions', 'windowsOptions'])
    if (fields.has(name)) fields.refuse(name, 'HostPolicy', 'is not given to containers')
}
