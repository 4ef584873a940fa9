// Which cluster it is that answers under a name: the UID of its namespace kube-system, which no cluster shares with another. One that is
// replaced behind the same address is neither judged nor written to, until somebody says that it is meant.
import { written } from '../../../runtime/failpoint.js'
import { type ApiClient, ApiError } from './client.js'

/** Another cluster answers than before. Trying again cannot help, unless the first comes back. */
export class OtherClusterError extends Error {
  override name = 'OtherClusterError'
}

/** What is known of clusters from one start to the next. */
export interface KnownClusters {
  /** UID of `kube-system` in the cluster of that name; '' where it was never asked. */
  uid(name: string): string
  learn(name: string, uid: string): void
}

export interface Identity {
  /** Throws OtherClusterError, or what kept it from finding out. Asks only where a doubt was raised since. */
  certain(): Promise<void>
  /** Asks in any case. */
  ask(): Promise<void>
  /** A new connection was made: who answers there is to be asked. */
  doubt(): void
}

export interface IdentityOptions {
  readonly client: ApiClient
  readonly name: string
  /** As the operator says it is; '' where the first one met is taken. */
  readonly expected: string
  readonly known: KnownClusters
  warn(message: string): void
}

const askMs = 5_000

export function createIdentity({ client, name, expected, known, warn }: IdentityOptions, signal: AbortSignal): Identity {
  let isCertain = false
  let isForbidden = false
  let asking: Promise<void> | null = null

  async function look(): Promise<void> {
    // A connection that is made for this very question raises the doubt anew: it is asked once more, over that one.
    isCertain = true
    try {
      const before = expected || known.uid(name)
      const uid = await uidOf(client, AbortSignal.any([signal, AbortSignal.timeout(askMs)]))
      if (uid === null) return forbidden()
      // A cluster that is just being made has none yet.
      if (uid === '' && before !== '') throw new OtherClusterError(`cluster ${name} has no namespace kube-system, and it had one`)
      if (uid === '') return doubt()
      if (before !== '' && before !== uid) throw new OtherClusterError(anotherText(name, before, uid, expected !== ''))
      if (known.uid(name) !== uid) known.learn(name, uid)
    } catch (error) {
      isCertain = false
      throw error
    }
  }

  function forbidden(): void {
    if (!isForbidden)
      warn(`cluster ${name}: namespace kube-system may not be read; a cluster that takes its place would not be noticed`)
    isForbidden = true
  }

  function ask(): Promise<void> {
    asking ??= look().finally(() => {
      asking = null
    })
    return asking
  }

  function doubt(): void {
    isCertain = false
  }

  return { ask, certain: () => (isCertain && asking === null ? Promise.resolve() : ask()), doubt }
}

function anotherText(name: string, before: string, uid: string, isSaid: boolean): string {
  const was = isSaid ? `clusters[].uid says ${before}` : `before it was ${before}`
  return `cluster ${name} is another cluster: its kube-system has UID ${uid}, ${was}; nothing is written there. If it is meant, give it another name under clusters, or say uid: ${uid} there`
}

/** null where we may not know, '' where there is none. */
async function uidOf(client: ApiClient, signal: AbortSignal): Promise<string | null> {
  try {
    const { metadata } = await client.call('GET', '/api/v1/namespaces/kube-system', {}, signal)
    return (metadata as { readonly uid?: string } | undefined)?.uid ?? ''
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return null
    if (error instanceof ApiError && error.status === 404) return ''
    throw error
  }
}

/** The same client, which writes only to the cluster that it is meant for; each write is a place where the process may end. */
export function guarded(client: ApiClient, identity: Identity): ApiClient {
  const send: ApiClient['send'] = async (method, path, call, signal) => {
    if (method === 'GET') return client.send(method, path, call, signal)
    await identity.certain()
    const act = () => client.send(method, path, call, signal)
    return call.query?.dryRun === undefined ? written(failpointOf(method, path), act) : act()
  }
  return { ...client, send, call: async (method, path, call, signal) => (await send(method, path, call, signal)).body }
}

/** `controller.cluster.patch.deployments.web`; numbers are left out, which attempts and hashes put into names. */
function failpointOf(method: string, path: string): string {
  const [, ...below] = path.split(/\/namespaces\/[^/]+\//)
  const named = (below[0] ?? path.split('/').slice(-2).join('/')).replaceAll('/', '.').replace(/-[0-9a-f]*\d[0-9a-f]*/g, '')
  return `controller.cluster.${method.toLowerCase()}.${named}`
}
