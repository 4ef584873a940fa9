// What the engine is asked to create for a container of a pod: names, labels and the body of POST /containers/create. Pure.
import { expand } from './environment.js'
import { isShared, needsSandbox } from './life.js'
import type { ContainerPort, ContainerSpec, PodRecord, SecurityContext } from './types.js'

/** The sandbox's place among a pod's containers: no container of Kubernetes can have capitals. */
export const sandboxName = 'POD'

/** The same again for the same run, so that what a killed runtime created is found: `slipway_shop_web-7d9_web_0a1b2c3d_0`. */
export function containerName(record: PodRecord, container: string, run: number): string {
  return `slipway_${record.namespace}_${record.name}_${container}_${record.uid.replaceAll('-', '').slice(0, 8)}_${run}`
}

export function labelsOf(node: string, record: PodRecord, container: string, run: number): Readonly<Record<string, string>> {
  return {
    'slipway.node': node,
    'slipway.application': record.application.name,
    'slipway.application-uid': record.application.uid,
    'slipway.namespace': record.namespace,
    'slipway.pod': record.name,
    'slipway.pod-uid': record.uid,
    'slipway.container': container,
    'slipway.template-hash': record.templateHash,
    'slipway.release': record.release,
    'slipway.attempt': String(record.attempt),
    'slipway.restart': String(run),
  }
}

export interface Attachment {
  readonly network: string
  readonly ip: string
  readonly dns: { readonly servers: readonly string[]; readonly search: readonly string[]; readonly options: readonly string[] }
  /** The engine's id of the sandbox; '' where there is none. */
  readonly sandbox: string
  /** False on Podman: a container that joins another's network has a host name of its own there. */
  readonly sharesHostname: boolean
}

export interface ContainerParts {
  readonly node: string
  readonly run: number
  readonly imageId: string
  readonly env: ReadonlyMap<string, string>
  readonly mounts: readonly unknown[]
  readonly attachment: Attachment
}

export function containerBody(record: PodRecord, spec: ContainerSpec, parts: ContainerParts): Record<string, unknown> {
  const context: SecurityContext = { ...record.spec.securityContext, ...spec.securityContext }
  const { stopSignal } = spec.lifecycle
  const command = spec.command?.map(word => expand(word, parts.env))
  const args = spec.args?.map(word => expand(word, parts.env))
  const joined = parts.attachment.sandbox !== ''
  const network = joined ? joinedNetwork(record, parts.attachment) : ownNetwork(record, portsOf(record, spec), parts.attachment)
  return {
    Image: parts.imageId,
    Env: [...parts.env].map(([name, value]) => `${name}=${value}`),
    Labels: labelsOf(parts.node, record, spec.name, parts.run),
    // The node probes by itself; an image's own health check would only cost.
    Healthcheck: { Test: ['NONE'] },
    ...(command === undefined || command.length === 0 ? {} : { Entrypoint: command }),
    ...(args === undefined || args.length === 0 ? {} : { Cmd: args }),
    ...(spec.workingDir ? { WorkingDir: spec.workingDir } : {}),
    ...(stopSignal === undefined ? {} : { StopSignal: stopSignal }),
    ...userOf(context),
    OpenStdin: spec.stdin,
    Tty: spec.tty,
    ...network.config,
    HostConfig: {
      ...network.hostConfig,
      ...resourcesOf(spec),
      ...securityOf(context),
      ...groupsOf(record),
      ...logging,
      Mounts: parts.mounts,
    },
    ...network.networking,
  }
}

export function sandboxBody(
  record: PodRecord,
  node: string,
  run: number,
  imageId: string,
  attachment: Attachment,
): Record<string, unknown> {
  const ports = record.spec.containers.flatMap(spec => spec.ports)
  const network = ownNetwork(record, ports, attachment)
  const hostConfig = {
    ...network.hostConfig,
    ...logging,
    IpcMode: 'shareable',
    CapDrop: ['ALL'],
    ReadonlyRootfs: true,
    SecurityOpt: ['no-new-privileges'],
  }
  return {
    Image: imageId,
    Labels: labelsOf(node, record, sandboxName, run),
    ...network.config,
    HostConfig: hostConfig,
    ...network.networking,
  }
}

const logging = { LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } } }

interface NetworkParts {
  readonly config: Record<string, unknown>
  readonly hostConfig: Record<string, unknown>
  readonly networking: Record<string, unknown>
}

function joinedNetwork(record: PodRecord, { sandbox, sharesHostname }: Attachment): NetworkParts {
  const at = `container:${sandbox}`
  const network = record.spec.hostNetwork ? 'host' : at
  return {
    config: sharesHostname || record.spec.hostNetwork ? {} : { Hostname: hostnameOf(record) },
    hostConfig: { NetworkMode: network, IpcMode: at, ...(record.spec.shareProcessNamespace ? { PidMode: at } : {}) },
    networking: {},
  }
}

function ownNetwork(record: PodRecord, ports: readonly ContainerPort[], { network, ip, dns }: Attachment): NetworkParts {
  const sysctls = record.spec.securityContext.sysctls ?? []
  const common = {
    ExtraHosts: record.spec.hostAliases.flatMap(alias => alias.hostnames.map(name => `${name}:${alias.ip}`)),
    ...(sysctls.length === 0 ? {} : { Sysctls: Object.fromEntries(sysctls.map(each => [each.name, each.value])) }),
  }
  if (record.spec.hostNetwork) return { config: {}, hostConfig: { ...common, NetworkMode: 'host' }, networking: {} }
  const hostPorts = ports.filter(port => port.hostPort !== undefined && port.hostPort > 0)
  const key = (port: ContainerPort): string => `${port.containerPort}/${port.protocol.toLowerCase()}`
  return {
    config: {
      Hostname: hostnameOf(record),
      ...(hostPorts.length === 0 ? {} : { ExposedPorts: Object.fromEntries(hostPorts.map(port => [key(port), {}])) }),
    },
    hostConfig: {
      ...common,
      NetworkMode: network,
      Dns: dns.servers,
      DnsSearch: dns.search,
      DnsOptions: dns.options,
      ...(hostPorts.length === 0 ? {} : { PortBindings: bindingsOf(hostPorts, key) }),
    },
    networking: { NetworkingConfig: { EndpointsConfig: { [network]: { IPAMConfig: { IPv4Address: ip } } } } },
  }
}

function hostnameOf(record: PodRecord): string {
  return (record.spec.hostname ?? record.name).slice(0, 63)
}

function bindingsOf(
  ports: readonly ContainerPort[],
  key: (port: ContainerPort) => string,
): Record<string, { HostIp: string; HostPort: string }[]> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {}
  for (const port of ports) {
    const binding = { HostIp: port.hostIP ?? '', HostPort: String(port.hostPort) }
    bindings[key(port)] = [...(bindings[key(port)] ?? []), binding]
  }
  return bindings
}

function portsOf(record: PodRecord, spec: ContainerSpec): readonly ContainerPort[] {
  return needsSandbox(record) || isShared(record) ? [] : spec.ports
}

function resourcesOf(spec: ContainerSpec): Record<string, unknown> {
  const { limits, requests } = spec.resources
  const cpuRequest = requests.cpuMillis ?? limits.cpuMillis
  return {
    // Swap beyond the limit would hide what the limit is for.
    ...(limits.memoryBytes === undefined ? {} : { Memory: limits.memoryBytes, MemorySwap: limits.memoryBytes }),
    ...(limits.cpuMillis === undefined ? {} : { NanoCpus: limits.cpuMillis * 1_000_000 }),
    ...(cpuRequest === undefined ? {} : { CpuShares: Math.max(2, Math.floor((cpuRequest * 1024) / 1000)) }),
  }
}

function userOf(context: SecurityContext): Record<string, unknown> {
  if (context.runAsUser === undefined && context.runAsGroup === undefined) return {}
  const user = context.runAsUser ?? 0
  return { User: context.runAsGroup === undefined ? String(user) : `${user}:${context.runAsGroup}` }
}

function securityOf(context: SecurityContext): Record<string, unknown> {
  const { capabilities } = context
  return {
    ...(context.privileged ? { Privileged: true } : {}),
    ...(context.allowPrivilegeEscalation === false ? { SecurityOpt: ['no-new-privileges'] } : {}),
    ...(context.readOnlyRootFilesystem ? { ReadonlyRootfs: true } : {}),
    ...(capabilities === undefined ? {} : { CapAdd: capabilities.add, CapDrop: capabilities.drop }),
  }
}

function groupsOf(record: PodRecord): Record<string, unknown> {
  const { fsGroup, supplementalGroups = [] } = record.spec.securityContext
  const groups = [...supplementalGroups, ...(fsGroup === undefined ? [] : [fsGroup])].map(String)
  return groups.length === 0 ? {} : { GroupAdd: groups }
}

/** Null: may run. The image's user is what counts where the pod names none (kuberuntime verifyRunAsNonRoot). */
export function rootProblem(record: PodRecord, spec: ContainerSpec, imageUser: string): string | null {
  const context: SecurityContext = { ...record.spec.securityContext, ...spec.securityContext }
  if (context.runAsNonRoot !== true) return null
  if (context.runAsUser !== undefined)
    return context.runAsUser === 0 ? "container's runAsUser breaks non-root policy: runAsUser is 0" : null
  const user = imageUser.split(':')[0] ?? ''
  if (user === '' || user === '0' || user === 'root')
    return 'container has runAsNonRoot and image will run as root: set runAsUser'
  return /^\d+$/.test(user)
    ? null
    : `container has runAsNonRoot and image has non-numeric user (${user}), cannot verify user is non-root: set runAsUser`
}
