// The ledger where the release runs: Secrets in the application's namespace, sealed to the controller, written with compare-and-set.
// What is over the size of one Secret lies in further ones, named by what they hold, so that a half-written set is never read.
import { contentHash } from '../../../runtime/contract/hash.js'
import type { Application } from '../../application.js'
import type { createPacker, Kept } from '../node/ledger.js'
import { type ApiClient, ApiError, type Sent } from './client.js'
import { fieldManager } from './managed.js'

/** Another controller has written there since. Reading it back and deciding again may help. */
export class OvertakenError extends Error {
  override name = 'OvertakenError'
}

export interface Found {
  readonly kept: Kept
  readonly epoch: number
  readonly namespace: string
}

export interface Keeping {
  /** What lies there; null for nothing. From then on, writes go on top of it. */
  read(app: Pick<Application, 'name'>, namespace: string, signal: AbortSignal): Promise<Found | null>
  /** False: its namespace is not there (yet). Throws OvertakenError where something else lies there than was read or written last. */
  write(app: Application, epoch: number, kept: Kept, signal: AbortSignal): Promise<boolean>
  erase(app: Application, signal: AbortSignal): Promise<void>
  /** All that lies in this cluster. Until `forgetAll`, what was not among it is not asked for again: a write finds out whether it is still so. */
  all(signal: AbortSignal): Promise<readonly Found[]>
  /** Others may have written since. */
  forgetAll(): void
}

const label = 'slipway.dev/ledger'
const chunkLabel = 'slipway.dev/ledger-chunk'
const epochAnnotation = 'slipway.dev/epoch'
/** Below the 1 MiB that an API server takes for a Secret's data. */
const mostChars = 700_000

export function createKeeping(
  client: ApiClient,
  cluster: string,
  packer: ReturnType<typeof createPacker>,
  namespaces: readonly string[] = [],
): Keeping {
  const place = `cluster/${cluster}`
  /** Resource version of each head as read or written last; '' = there is none. */
  const versions = new Map<string, string>()
  /** All were listed: those without a version are not there. */
  let isListed = false
  /** Those whose ledger took more than one Secret. */
  const isChunked = new Set<string>()

  async function headOf(namespace: string, name: string, signal: AbortSignal): Promise<Sent | null> {
    return client.call('GET', pathOf(namespace, secretName(name)), {}, signal).catch(notFound)
  }

  async function opened(head: Sent, signal: AbortSignal): Promise<Found | null> {
    const { namespace = '', labels = {}, annotations = {}, resourceVersion = '' } = head.metadata as Metadata
    const application = labels[label] ?? ''
    const data = (head.data ?? {}) as Readonly<Record<string, string>>
    const names = text(data.chunks).split(' ').filter(Boolean)
    const parts = await Promise.all(
      names.map(async name =>
        text(((await client.call('GET', pathOf(namespace, name), {}, signal)).data as Record<string, string>).part),
      ),
    )
    const kept = packer.unpack(place, application, [text(data.kept), ...parts].join(''))
    versions.set(`${namespace}/${application}`, resourceVersion)
    if (names.length > 0) isChunked.add(`${namespace}/${application}`)
    return kept === null ? null : { kept, namespace, epoch: Number(annotations[epochAnnotation] ?? 0) }
  }

  async function putChunks(
    namespace: string,
    application: string,
    rest: string,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const names: string[] = []
    for (let at = 0; at < rest.length; at += mostChars) {
      const part = rest.slice(at, at + mostChars)
      const name = `${secretName(application)}-${contentHash(part, 10)}`
      const secret = secretOf(namespace, name, { [chunkLabel]: application }, {}, { part }, '')
      await client.call('POST', pathOf(namespace, ''), { body: secret }, signal).catch(thereAlready)
      names.push(name)
    }
    return names
  }

  async function eraseChunks(namespace: string, application: string, but: readonly string[], signal: AbortSignal): Promise<void> {
    const query = { labelSelector: `${chunkLabel}=${application}` }
    const { items = [] } = (await client.call('GET', pathOf(namespace, ''), { query }, signal)) as { items?: readonly Sent[] }
    for (const item of items) {
      const name = String((item.metadata as Metadata).name)
      if (!but.includes(name)) await client.call('DELETE', pathOf(namespace, name), {}, signal).catch(notFound)
    }
  }

  return {
    async read(app, namespace, signal) {
      const id = `${namespace}/${app.name}`
      const head = isListed && !versions.has(id) ? null : await headOf(namespace, app.name, signal)
      if (head !== null) return opened(head, signal)
      versions.set(id, '')
      return null
    },
    async write(app, epoch, kept, signal) {
      const { namespace } = app.destination
      const id = `${namespace}/${app.name}`
      const packed = packer.pack(place, kept)
      const version = versions.get(id)
      if (version === undefined)
        throw new OvertakenError(`${app.name}: what lies in ${place} was not read yet; nothing is written`)
      const chunks = packed.length <= mostChars ? [] : await putChunks(namespace, app.name, packed.slice(mostChars), signal)
      const data = { kept: packed.slice(0, mostChars), chunks: chunks.join(' ') }
      const annotations = { [epochAnnotation]: String(epoch) }
      const secret = secretOf(namespace, secretName(app.name), { [label]: app.name }, annotations, data, version)
      const [method, path] =
        version === '' ? (['POST', pathOf(namespace, '')] as const) : (['PUT', pathOf(namespace, secretName(app.name))] as const)
      try {
        const put = await client.call(method, path, { body: secret, query: { fieldManager } }, signal)
        versions.set(id, String((put.metadata as Metadata).resourceVersion))
        if (isChunked.has(id)) await eraseChunks(namespace, app.name, chunks, signal)
        if (chunks.length > 0) isChunked.add(id)
        return true
      } catch (error) {
        if (!(error instanceof ApiError)) throw error
        if (error.status === 404 && version === '') return false
        // Gone, or another's: read again before anything is written.
        if (error.status === 409 || error.status === 404) {
          versions.delete(id)
          isListed = false
          throw new OvertakenError(`${app.name}: its ledger in ${place} was changed by somebody else; it is read again`, {
            cause: error,
          })
        }
        throw error
      }
    },
    async erase(app, signal) {
      const { namespace } = app.destination
      await client.call('DELETE', pathOf(namespace, secretName(app.name)), {}, signal).catch(notFound)
      await eraseChunks(namespace, app.name, [], signal).catch(notFound)
      versions.delete(`${namespace}/${app.name}`)
    },
    async all(signal) {
      const query = { labelSelector: label }
      const paths = namespaces.length === 0 ? ['/api/v1/secrets'] : namespaces.map(namespace => pathOf(namespace, ''))
      const lists = await Promise.all(paths.map(path => client.call('GET', path, { query }, signal)))
      const items = lists.flatMap(list => (list as { items?: readonly Sent[] }).items ?? [])
      const found = await Promise.all(items.map(item => opened(item, signal)))
      isListed = true
      return found.filter(one => one !== null)
    },
    forgetAll() {
      isListed = false
    },
  }
}

interface Metadata {
  readonly name?: string
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly resourceVersion?: string
}

function secretName(application: string): string {
  return `slipway-ledger-${application}`
}

function pathOf(namespace: string, name: string): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets${name === '' ? '' : `/${encodeURIComponent(name)}`}`
}

function secretOf(
  namespace: string,
  name: string,
  labels: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>>,
  data: Readonly<Record<string, string>>,
  resourceVersion: string,
): Sent {
  const coded = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]))
  const version = resourceVersion === '' ? {} : { resourceVersion }
  const metadata = { name, namespace, labels: { ...labels, 'app.kubernetes.io/managed-by': 'slipway' }, annotations, ...version }
  return { apiVersion: 'v1', kind: 'Secret', type: 'slipway.dev/ledger', metadata, data: coded }
}

function text(coded: string | undefined): string {
  return Buffer.from(coded ?? '', 'base64').toString('utf8')
}

function notFound(error: unknown): null {
  if (error instanceof ApiError && error.status === 404) return null
  throw error
}

function thereAlready(error: unknown): void {
  if (!(error instanceof ApiError && error.status === 409)) throw error
}
