// The controller's configuration: one YAML file, overridden by SLIPWAY_* variables; the only reader of either. Says every fault at once.
import { homedir, hostname } from 'node:os'
import { join } from 'node:path'
import { readKindRules } from './application/health.js'
import { accountDirectory, type ClusterSource } from './cluster/kubernetes/access.js'
import { type Fault, type Fields, fieldsOf } from './fields.js'
import type { KindRules } from './health/written.js'

export interface Config {
  /** Keys, Git objects, tokens, logs. */
  readonly stateDir: string
  readonly listen: { readonly host: string; readonly port: number }
  /** How people reach the API, for links; '' = from `listen`. */
  readonly publicURL: string
  /** '' = the one that `slipway up` started. */
  readonly natsURL: string
  /** Where what names no destination goes: the node of this machine; in a pod the cluster that it is in. */
  readonly node: string
  readonly pollIntervalMs: number
  readonly webhookSecrets: Readonly<Record<string, string>>
  readonly repositories: readonly RepositoryAccess[]
  /** config.json files with logins to registries, as Docker and Helm write them; those that are there are read. */
  readonly registryLogins: readonly string[]
  /** Kubernetes clusters that applications may name as their destination. */
  readonly clusters: readonly ClusterSource[]
  /** Namespaces of clusters whose Applications and AppProjects (Argo CD's kinds) are taken from there. */
  readonly watchApplications: readonly { readonly cluster: string; readonly namespace: string }[]
  /** Health rules of kinds, for every application. */
  readonly health: KindRules
  readonly commitAuthor: { readonly name: string; readonly email: string }
  readonly logLevel: string
}

export interface RepositoryAccess {
  /** What is said here is for every repository whose URL begins so: https://, http:// or oci://. */
  readonly url: string
  /** `@name` in a chart's dependencies; '' for none. */
  readonly name: string
  readonly username: string
  /** Read at start; the configuration itself may hold no secret. */
  readonly passwordFile: string
  /** Of a chart repository or registry: an authority beside the system's. */
  readonly caFile: string
  readonly passCredentials: boolean
  readonly plainHTTP: boolean
}

export const defaultPort = 7433

/** Where everything lies unless told otherwise: `/var/lib/slipway` for root, the user's data directory else. */
export function defaultStateDir(env: Readonly<Record<string, string | undefined>>, isRoot: boolean): string {
  if (env.SLIPWAY_HOME !== undefined && env.SLIPWAY_HOME !== '') return env.SLIPWAY_HOME
  return isRoot ? '/var/lib/slipway' : join(env.XDG_DATA_HOME ?? join(homedir(), '.local/share'), 'slipway')
}

/** A node name from the machine's: `Lab_1.local` -> `lab-1`. */
export function defaultNodeName(host = hostname()): string {
  const name = (host.split('.')[0] ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40)
  return name === '' ? 'node' : name
}

const fields = [
  'listen',
  'publicURL',
  'nats',
  'node',
  'pollInterval',
  'webhooks',
  'repositories',
  'clusters',
  'watchApplications',
  'health',
  'commitAuthor',
  'logLevel',
  'stateDir',
]

/** `file` is the parsed YAML or undefined. Environment: SLIPWAY_HOME, SLIPWAY_PORT, SLIPWAY_NATS_URL, SLIPWAY_NODE, SLIPWAY_POLL_INTERVAL, SLIPWAY_LOG_LEVEL. */
export function parseConfig(
  file: unknown,
  env: Readonly<Record<string, string | undefined>>,
  isRoot: boolean,
): { config: Config; faults: readonly Fault[] } {
  const faults: Fault[] = []
  const root = fieldsOf(overridden(file, env), '', faults, fields)
  const listen = root.inner('listen', ['host', 'port'])
  const author = root.inner('commitAuthor', ['name', 'email'])
  const clusters = clustersOf(root, env)
  const config: Config = {
    stateDir: root.text('stateDir', defaultStateDir(env, isRoot)),
    listen: { host: listen.text('host', '127.0.0.1'), port: listen.whole('port', defaultPort, 0, 65_535) },
    publicURL: root.text('publicURL', '').replace(/\/+$/, ''),
    natsURL: root.inner('nats', ['url']).text('url', ''),
    node: root.text('node', clusters.find(({ kind }) => kind === 'account')?.name ?? defaultNodeName()),
    pollIntervalMs: root.duration('pollInterval', 10_000),
    webhookSecrets: root.texts('webhooks'),
    repositories: repositoriesOf(root),
    registryLogins: registryLogins(env),
    clusters,
    watchApplications: watchedOf(root),
    health: readKindRules(root, 'health'),
    commitAuthor: { name: author.text('name', 'Slipway'), email: author.text('email', 'slipway@localhost') },
    logLevel: root.oneOf('logLevel', ['trace', 'debug', 'info', 'warn', 'error'], 'info'),
  }
  return { config, faults }
}

const repositoryFields = ['url', 'name', 'username', 'passwordFile', 'caFile', 'passCredentials', 'plainHTTP']

function repositoriesOf(root: Fields): readonly RepositoryAccess[] {
  return root.list('repositories').map((entry, at) => {
    const access = fieldsOf(entry, `repositories[${at}]`, root.faults, repositoryFields)
    if (access.text('url', '') === '')
      access.fault('url', 'is missing; give the beginning of the URLs that these credentials serve')
    return {
      url: access.text('url', ''),
      name: access.text('name', ''),
      username: access.text('username', access.has('passwordFile') ? 'git' : ''),
      passwordFile: access.text('passwordFile', ''),
      caFile: access.text('caFile', ''),
      passCredentials: access.flag('passCredentials', false),
      plainHTTP: access.flag('plainHTTP', false),
    }
  })
}

/** Each in a cluster of the same configuration. */
function watchedOf(root: Fields): Config['watchApplications'] {
  const clusters = root.list('clusters').map(entry => (entry as { readonly name?: unknown } | null)?.name)
  return root.list('watchApplications').map((entry, at) => {
    const watched = fieldsOf(entry, `watchApplications[${at}]`, root.faults, ['cluster', 'namespace'])
    const cluster = watched.text('cluster', '')
    if (!clusters.includes(cluster)) watched.fault('cluster', `${JSON.stringify(cluster)} is none of those under clusters`)
    return { cluster, namespace: watched.text('namespace', 'argocd') }
  })
}

/** Docker's, and the one that `helm registry login` writes, which comes first. */
export function registryLogins(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const home = env.HOME ?? homedir()
  const helm =
    env.HELM_REGISTRY_CONFIG ??
    join(env.HELM_CONFIG_HOME ?? join(env.XDG_CONFIG_HOME ?? join(home, '.config'), 'helm'), 'registry/config.json')
  return [helm, join(env.DOCKER_CONFIG ?? join(home, '.docker'), 'config.json')]
}

const clusterWays = ['kubeconfig', 'inCluster', 'server']
const clusterFields = [
  ...['name', 'uid', 'requestsPerSecond', 'namespaces'],
  ...clusterWays,
  ...['context', 'allowExec', 'caFile', 'tokenFile'],
]

/** Each by a kubeconfig's context, as the account of the pod that the controller runs in, or by server, authority and token. */
function clustersOf(root: Fields, env: Readonly<Record<string, string | undefined>>): readonly ClusterSource[] {
  const names = new Set<string>()
  return root.list('clusters').map((entry, at) => {
    const cluster = fieldsOf(entry, `clusters[${at}]`, root.faults, clusterFields)
    const name = cluster.text('name', '')
    if (!/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/.test(name))
      cluster.fault('name', `want lower-case letters, digits, '-' and '.', at most 63, got ${JSON.stringify(name)}`)
    if (names.has(name)) cluster.fault('name', `${name} is there twice`)
    names.add(name)
    if (clusterWays.filter(field => cluster.has(field)).length !== 1)
      cluster.fault('kubeconfig', 'want one of kubeconfig, inCluster or server')
    const common = {
      name,
      ...(cluster.has('uid') ? { uid: cluster.text('uid', '') } : {}),
      ...(cluster.has('namespaces') ? { namespaces: namespacesOf(cluster) } : {}),
      ...(cluster.has('requestsPerSecond') ? { requestsPerSecond: cluster.whole('requestsPerSecond', 1000, 1, 10_000) } : {}),
    }
    return { ...common, ...wayTo(cluster, env) }
  })
}

function namespacesOf(cluster: Fields): readonly string[] {
  const names = cluster.list('namespaces')
  const isName = (name: unknown) => typeof name === 'string' && /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)
  if (names.length === 0) cluster.fault('namespaces', 'is empty: name those that may be deployed to, or leave it out for all')
  for (const name of names)
    if (!isName(name)) cluster.fault('namespaces', `want names of namespaces, got ${JSON.stringify(name)}`)
  return names.filter(isName) as readonly string[]
}

type WayTo<S = ClusterSource> = S extends ClusterSource ? Omit<S, 'name' | 'uid' | 'requestsPerSecond' | 'namespaces'> : never

function wayTo(cluster: Fields, env: Readonly<Record<string, string | undefined>>): WayTo {
  if (cluster.has('kubeconfig')) {
    const [file, context] = [cluster.text('kubeconfig', ''), cluster.text('context', '')]
    return { kind: 'kubeconfig', file, context, allowExec: cluster.flag('allowExec', false) }
  }
  if (cluster.has('server')) {
    if (!cluster.has('tokenFile')) cluster.fault('tokenFile', 'is missing: the file with the token of an account in the cluster')
    const [server, caFile] = [cluster.text('server', ''), cluster.text('caFile', '')]
    return { kind: 'token', server, caFile, tokenFile: cluster.text('tokenFile', '') }
  }
  const host = env.KUBERNETES_SERVICE_HOST ?? 'kubernetes.default.svc'
  const port = env.KUBERNETES_SERVICE_PORT ?? '443'
  return { kind: 'account', directory: accountDirectory, server: `https://${host.includes(':') ? `[${host}]` : host}:${port}` }
}

function overridden(file: unknown, env: Readonly<Record<string, string | undefined>>): unknown {
  if (file !== undefined && file !== null && (typeof file !== 'object' || Array.isArray(file))) return file
  const over: Record<string, unknown> = { ...(file as Record<string, unknown> | null | undefined) }
  if (env.SLIPWAY_PORT !== undefined) over.listen = { ...(over.listen as object | undefined), port: Number(env.SLIPWAY_PORT) }
  if (env.SLIPWAY_NATS_URL !== undefined) over.nats = { url: env.SLIPWAY_NATS_URL }
  if (env.SLIPWAY_NODE !== undefined) over.node = env.SLIPWAY_NODE
  if (env.SLIPWAY_POLL_INTERVAL !== undefined) over.pollInterval = env.SLIPWAY_POLL_INTERVAL
  if (env.SLIPWAY_LOG_LEVEL !== undefined) over.logLevel = env.SLIPWAY_LOG_LEVEL
  return over
}
