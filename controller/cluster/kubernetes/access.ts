// How a cluster is reached and who we are there: a kubeconfig's context, the pod's own account, or server, authority and token.
// What a kubeconfig may do on this machine (run a program, read files) is refused unless the operator allowed it.
import { readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { load } from 'js-yaml'

/** One cluster as the controller's configuration names it. */
export type ClusterSource = {
  /** What `destination.name` says. */
  readonly name: string
  /** UID of its namespace kube-system, where the operator says which cluster it is. */
  readonly uid?: string
  /** All that the account may see, where that is not the whole cluster: looked at and written to nowhere else. */
  readonly namespaces?: readonly string[]
  /** Requests a second over time; the client's own budget where nothing is said. */
  readonly requestsPerSecond?: number
} & (
  | { readonly kind: 'kubeconfig'; readonly file: string; readonly context: string; readonly allowExec: boolean }
  | { readonly kind: 'account'; readonly directory: string; readonly server: string }
  | { readonly kind: 'token'; readonly server: string; readonly caFile: string; readonly tokenFile: string }
)

export interface Access {
  /** Without a slash at the end. */
  readonly server: string
  readonly tls: {
    readonly ca?: string
    readonly cert?: string
    readonly key?: string
    readonly servername?: string
    readonly rejectUnauthorized?: boolean
  }
  /** Asked for each request: tokens change. */
  headers(): Promise<Readonly<Record<string, string>>>
}

/** The cluster cannot be reached as configured. Trying again cannot help. */
export class AccessError extends Error {
  override name = 'AccessError'
}

/** Where a pod finds its account. */
export const accountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount'

export async function accessTo(source: ClusterSource): Promise<Access> {
  switch (source.kind) {
    case 'token':
      return tokenAccess(source.name, source.server, source.caFile, source.tokenFile)
    case 'account':
      return tokenAccess(source.name, source.server, join(source.directory, 'ca.crt'), join(source.directory, 'token'))
    case 'kubeconfig':
      return kubeconfigAccess(source)
    default:
      return source satisfies never
  }
}

function tokenAccess(name: string, server: string, caFile: string, tokenFile: string): Access {
  const token = tokenReader(name, tokenFile)
  token()
  const tls = caFile === '' ? {} : { ca: fileOf(name, caFile) }
  return { server: serverOf(name, server), tls, headers: async () => ({ authorization: `Bearer ${token()}` }) }
}

/** Tokens of accounts are replaced before they end: the file is read again when it has changed. */
function tokenReader(name: string, file: string): () => string {
  let read = { at: -1, token: '' }
  return () => {
    const at = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? -1
    if (at === -1 && read.token === '') throw new AccessError(`cluster ${name}: there is no token file ${file}`)
    if (at !== -1 && at !== read.at) read = { at, token: readFileSync(file, 'utf8').trim() }
    return read.token
  }
}

function fileOf(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new AccessError(`cluster ${name}: ${file} cannot be read: ${(cause as Error).message}`, { cause })
  }
}

type KubeconfigSource = Extract<ClusterSource, { kind: 'kubeconfig' }>

/** Fields of a kubeconfig's cluster and user, as far as they are read here. */
type Named = Readonly<Record<string, unknown>>

async function kubeconfigAccess(source: KubeconfigSource): Promise<Access> {
  const { name, file, allowExec } = source
  const config = parsedKubeconfig(source)
  const contexts = namedIn(config, 'contexts', 'context')
  const wanted = source.context === '' ? textOf(config['current-context']) : source.context
  const context = contexts.get(wanted)
  if (context === undefined)
    throw new AccessError(
      `cluster ${name}: ${file} has no context ${wanted}; it has ${[...contexts.keys()].join(', ') || 'none'}`,
    )
  const cluster = namedIn(config, 'clusters', 'cluster').get(textOf(context.cluster))
  if (cluster === undefined) throw new AccessError(`cluster ${name}: the cluster of context ${wanted} is not in ${file}`)
  const user = namedIn(config, 'users', 'user').get(textOf(context.user)) ?? {}
  if (!allowExec && (user.exec !== undefined || user['auth-provider'] !== undefined))
    throw new AccessError(
      `cluster ${name}: user ${textOf(context.user)} of ${file} runs a program to log in; allow it with clusters[].allowExec, or use a token`,
    )
  const isPlain =
    Object.keys(user).every(field => plainUser.has(field)) && Object.keys(cluster).every(field => plainCluster.has(field))
  return isPlain ? plainAccess(source, cluster, user) : libraryAccess(source, wanted, textOf(cluster.server))
}

/** What needs no program, provider, proxy or impersonation. */
const plainUser = new Set([
  'token',
  'tokenFile',
  'client-certificate',
  'client-certificate-data',
  'client-key',
  'client-key-data',
])
const plainCluster = new Set([
  'server',
  'certificate-authority',
  'certificate-authority-data',
  'insecure-skip-tls-verify',
  'tls-server-name',
  'extensions',
])

function parsedKubeconfig({ name, file }: KubeconfigSource): Named {
  try {
    const config = load(fileOf(name, file))
    if (typeof config === 'object' && config !== null) return config as Named
  } catch (cause) {
    if (cause instanceof AccessError) throw cause
    throw new AccessError(`cluster ${name}: ${file} is no kubeconfig: ${(cause as Error).message}`, { cause })
  }
  throw new AccessError(`cluster ${name}: ${file} is no kubeconfig: it holds no map`)
}

function namedIn(config: Named, list: string, field: string): ReadonlyMap<string, Named> {
  const entries = Array.isArray(config[list]) ? (config[list] as readonly Named[]) : []
  return new Map(entries.map(entry => [textOf(entry.name), (entry[field] ?? {}) as Named]))
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function plainAccess(source: KubeconfigSource, cluster: Named, user: Named): Access {
  const { name, file } = source
  const from = (fields: Named, field: string): string | undefined => {
    const data = textOf(fields[`${field}-data`])
    if (data !== '') return Buffer.from(data, 'base64').toString('utf8')
    const path = textOf(fields[field])
    return path === '' ? undefined : fileOf(name, resolve(dirname(file), path))
  }
  const token = textOf(user.token)
  const tokenFile = textOf(user.tokenFile)
  const read = token === '' && tokenFile !== '' ? tokenReader(name, resolve(dirname(file), tokenFile)) : () => token
  read()
  return {
    server: serverOf(name, textOf(cluster.server)),
    tls: defined({
      ca: from(cluster, 'certificate-authority'),
      cert: from(user, 'client-certificate'),
      key: from(user, 'client-key'),
      servername: textOf(cluster['tls-server-name']) || undefined,
      rejectUnauthorized: cluster['insecure-skip-tls-verify'] === true ? false : undefined,
    }),
    headers: async (): Promise<Readonly<Record<string, string>>> => (read() === '' ? {} : { authorization: `Bearer ${read()}` }),
  }
}

/** Loaded only for what logs in by a program or a provider: the library is a second of work and 76 MB. */
async function libraryAccess({ name, file }: KubeconfigSource, context: string, server: string): Promise<Access> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  config.loadFromFile(file)
  config.setCurrentContext(context)
  const { ca, cert, key, servername, rejectUnauthorized } = await httpsOptions(config)
  return {
    server: serverOf(name, server),
    tls: defined({ ca, cert, key, servername, rejectUnauthorized }),
    // Asked again each time: the library gives out what it has until a token ends.
    headers: async () => (await httpsOptions(config)).headers,
  }
}

interface HttpsOptions {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly servername: string | undefined
  readonly rejectUnauthorized: boolean | undefined
  readonly headers: Readonly<Record<string, string>>
}

async function httpsOptions(config: {
  applyToHTTPSOptions(options: { headers?: Record<string, string> }): Promise<void>
}): Promise<HttpsOptions> {
  const options: Record<string, unknown> & { headers: Record<string, string> } = { headers: {} }
  await config.applyToHTTPSOptions(options)
  const text = (value: unknown) => (value === undefined || value === null ? undefined : String(value))
  return {
    ca: text(options.ca),
    cert: text(options.cert),
    key: text(options.key),
    servername: text(options.servername),
    rejectUnauthorized: options.rejectUnauthorized === false ? false : undefined,
    headers: options.headers,
  }
}

function defined<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>
  }
}

function serverOf(name: string, server: string): string {
  if (!/^https?:\/\//.test(server))
    throw new AccessError(`cluster ${name}: ${JSON.stringify(server)} is no http(s) URL of an API server`)
  return server.replace(/\/+$/, '')
}
