// The host policy: what containers may ask of this machine. It lies on the node, not in Git, and denies unless it says otherwise.
import type { Problem } from './contract/documents.js'
import type { ContainerSpec, PodSpec, VolumeSpec } from './pods/types.js'
import { Fields, type Issue, isObject } from './workloads/fields.js'
import { templateOf } from './workloads/node.js'
import type { NodeObject } from './workloads/objects.js'
import { parseBytes } from './workloads/quantity.js'

export interface HostPolicy {
  readonly privileged: boolean
  readonly hostNetwork: boolean
  readonly hostPorts: boolean
  /** Directories under which containers may mount; `readOnly` ones never for writing. */
  readonly hostPaths: readonly { readonly path: string; readonly readOnly: boolean }[]
  /** hostPath of type CharDevice or BlockDevice, below `hostPaths` too. */
  readonly devices: boolean
  /** Beyond those that the engine gives to every container. */
  readonly capabilities: readonly string[]
  readonly sysctls: readonly string[]
  /** The engine's socket is the machine: whoever has it is root. */
  readonly engineSocket: boolean
  /** Bytes that an image may bring when it is pulled; null: what the disk has. */
  readonly maxImageSize: number | null
  /** Where the engine keeps images, where it does not say so itself: free space is measured there. */
  readonly imageDirectory: string | null
}

/** A port of the host is a resource like an address; all else is denied. */
export const denyingPolicy: HostPolicy = {
  privileged: false,
  hostNetwork: false,
  hostPorts: true,
  hostPaths: [],
  devices: false,
  capabilities: [],
  sysctls: [],
  engineSocket: false,
  maxImageSize: null,
  imageDirectory: null,
}

/** `value` is the parsed YAML or JSON of the policy file; a policy with a fault allows nothing beyond the denying one. */
export function parseHostPolicy(value: unknown): { readonly policy: HostPolicy; readonly faults: readonly string[] } {
  if (value === undefined || value === null) return { policy: denyingPolicy, faults: [] }
  const issues: Issue[] = []
  const fields = new Fields(value, '', issues)
  const switched = (name: 'privileged' | 'hostNetwork' | 'hostPorts' | 'devices' | 'engineSocket') =>
    fields.bool(name) ?? denyingPolicy[name]
  const policy: HostPolicy = {
    privileged: switched('privileged'),
    hostNetwork: switched('hostNetwork'),
    hostPorts: switched('hostPorts'),
    devices: switched('devices'),
    engineSocket: switched('engineSocket'),
    hostPaths: fields.list('hostPaths', (entry, path) => readRoot(entry, path, issues)),
    capabilities: fields.strings('capabilities').map(capability),
    sysctls: fields.strings('sysctls'),
    maxImageSize: readSize(fields),
    imageDirectory: readDirectory(fields, issues),
  }
  fields.end()
  const faults = issues.map(issue => `${issue.path === '' ? 'the policy' : issue.path}: ${issue.message}`)
  return { policy: faults.length > 0 ? denyingPolicy : policy, faults }
}

function readSize(fields: Fields): number | null {
  const value = fields.raw('maxImageSize')
  if (value === undefined) return null
  const bytes = typeof value === 'string' || typeof value === 'number' ? parseBytes(value) : null
  if (bytes === null || bytes <= 0) fields.invalid('maxImageSize', 'must be a quantity such as 2Gi')
  return bytes
}

function readDirectory(fields: Fields, issues: Issue[]): string | null {
  const path = fields.string('imageDirectory')
  return path === undefined ? null : checked({ path, readOnly: true }, 'imageDirectory', issues).path
}

function readRoot(entry: unknown, path: string, issues: Issue[]): { path: string; readOnly: boolean } {
  if (!isObject(entry)) return checked({ path: String(entry), readOnly: false }, path, issues)
  const fields = new Fields(entry, path, issues)
  const root = { path: fields.requiredString('path'), readOnly: fields.bool('readOnly') ?? false }
  fields.end()
  return checked(root, path, issues)
}

function checked(root: { path: string; readOnly: boolean }, path: string, issues: Issue[]) {
  if (!root.path.startsWith('/') || root.path.split('/').includes('..'))
    issues.push({ path, reason: 'InvalidValue', message: `must be an absolute path without '..'` })
  return root
}

/** What the policy needs to know of the machine. */
export interface Host {
  /** Where a path really is: symbolic links followed as far as it exists. */
  realPath(path: string): string
  /** Sockets of container engines on this machine, as real paths. */
  readonly engineSockets: readonly string[]
}

/** Everything that the object asks of the host and may not have; all at once. */
export function policyProblems(object: NodeObject, policy: HostPolicy, host: Host): readonly Problem[] {
  const template = templateOf(object)
  if (template === null) return []
  const at = object.kind === 'Pod' ? 'spec' : 'spec.template.spec'
  const refusals = [...podRefusals(template.spec, at, policy, host), ...annotationRefusals(template.annotations)]
  return refusals.map(message => ({ object: object.ref, reason: 'HostPolicy', message, transient: false }))
}

function podRefusals(spec: PodSpec, at: string, policy: HostPolicy, host: Host): readonly string[] {
  const found: string[] = []
  if (spec.hostNetwork && !policy.hostNetwork)
    found.push(`${at}.hostNetwork: the network of the host is not shared (host policy: hostNetwork)`)
  for (const { name } of spec.securityContext.sysctls ?? []) {
    if (!policy.sysctls.includes(name)) found.push(`${at}.securityContext.sysctls: ${name} is not allowed (host policy: sysctls)`)
  }
  for (const kind of ['initContainers', 'containers'] as const) {
    for (const [index, container] of spec[kind].entries())
      found.push(...containerRefusals(container, `${at}.${kind}[${index}]`, policy))
  }
  for (const [index, volume] of spec.volumes.entries())
    found.push(...volumeRefusals(volume, `${at}.volumes[${index}]`, spec, policy, host))
  return found
}

/** What Docker gives to every container: asking for these asks for nothing (moby oci/caps/defaults.go). */
const ordinary = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'NET_RAW',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
])

/** `CAP_NET_ADMIN` and `net_admin` are NET_ADMIN. */
function capability(name: string): string {
  return name.toUpperCase().replace(/^CAP_/, '')
}

function containerRefusals(container: ContainerSpec, at: string, policy: HostPolicy): readonly string[] {
  const { securityContext } = container
  const found: string[] = []
  if (securityContext.privileged === true && !policy.privileged)
    found.push(`${at}.securityContext.privileged: privileged containers are not allowed (host policy: privileged)`)
  for (const added of (securityContext.capabilities?.add ?? []).map(capability)) {
    if (ordinary.has(added) || policy.capabilities.includes(added) || policy.privileged) continue
    found.push(`${at}.securityContext.capabilities.add: ${added} is not allowed (host policy: capabilities)`)
  }
  for (const { hostPort } of container.ports) {
    if (hostPort !== undefined && !policy.hostPorts)
      found.push(`${at}.ports: host port ${hostPort} is not allowed (host policy: hostPorts)`)
  }
  return found
}

function volumeRefusals(volume: VolumeSpec, at: string, spec: PodSpec, policy: HostPolicy, host: Host): readonly string[] {
  const { source } = volume
  if (source.kind !== 'hostPath') return []
  const mounted = [...spec.initContainers, ...spec.containers].flatMap(container =>
    container.volumeMounts.filter(mount => mount.name === volume.name),
  )
  const writable = mounted.some(mount => !mount.readOnly)
  const refusal = hostPathRefusal(source.path, source.type, writable, policy, host)
  return refusal === null ? [] : [`${at}.hostPath: ${refusal}`]
}

/**
 * Null when the path may be mounted. Whoever mounts asks again right before, with the path as it really is then: a link may have been
 * put there since.
 */
export function hostPathRefusal(path: string, type: string, writable: boolean, policy: HostPolicy, host: Host): string | null {
  if (!path.startsWith('/') || path.split('/').includes('..')) return `${path} must be an absolute path without '..'`
  const real = reallyAt(path, host)
  if (real === null) return `${path} goes in a circle of links`
  const shown = real === path ? path : `${path} (really ${real})`
  if (!policy.engineSocket && givesSocket(real, host))
    return `${shown} gives the container engine's socket (host policy: engineSocket)`
  if (type.endsWith('Device') && !policy.devices) return `${shown} is a device (host policy: devices)`
  // An ordinary mount of /dev or of a file in it is a device too.
  if (isWithin(real, '/dev') && !policy.devices) return `${shown} is a device (host policy: devices)`
  const root = policy.hostPaths.find(allowed => isWithin(real, host.realPath(allowed.path)) && (!writable || !allowed.readOnly))
  if (root !== undefined) return null
  return `${shown} is not below an allowed path${writable ? ' for writing' : ''} (host policy: hostPaths)`
}

function reallyAt(path: string, host: Host): string | null {
  try {
    return host.realPath(path)
  } catch {
    return null
  }
}

/** The socket itself, or a directory that it lies in. */
function givesSocket(real: string, host: Host): boolean {
  return host.engineSockets.some(socket => isWithin(socket, real)) || /\/(docker|podman|containerd|crio)\.sock$/.test(real)
}

function isWithin(path: string, directory: string): boolean {
  return directory === '/' || path === directory || path.startsWith(`${directory.replace(/\/$/, '')}/`)
}

/** The old form of asking for no confinement. */
function annotationRefusals(annotations: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(annotations)
    .filter(
      ([key, value]) =>
        /^(container\.apparmor\.security\.beta|(container|seccomp)\.seccomp\.security\.alpha|seccomp\.security\.alpha)\.kubernetes\.io\//.test(
          key,
        ) && value === 'unconfined',
    )
    .map(([key]) => `metadata.annotations: ${key} must not be unconfined: containers always run confined`)
}
