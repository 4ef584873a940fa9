// One object to an API server: applied, tried without effect, removed, or let go. What the server refuses is returned, not thrown.
import { manifestHash } from '../../../runtime/contract/hash.js'
import { type Manifest, type ObjectRef, refOf, refText } from '../../../runtime/contract/manifest.js'
import { type ApiClient, ApiError, type Sent } from './client.js'
import { type Discovery, objectPath, type Resource } from './discovery.js'
import { appliedAnnotation, fieldManager, outgoing, trackedBy, trackingAnnotation } from './seen.js'

export interface Write {
  readonly client: ApiClient
  readonly discovery: Discovery
}

export type Written =
  | { readonly kind: 'written'; readonly object: Sent; readonly created: boolean }
  /** No such kind in this cluster. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'refused'; readonly reason: string; readonly message: string; readonly status: number }

export interface How {
  readonly application: string
  readonly attempt: number
  readonly dryRun: boolean
  /** What of it is sent, where that is not all of it. */
  readonly as?: Manifest
}

/** Server-side apply with our field manager, taking every field that the object names. Throws where it could not be found out. */
export async function applyObject(
  { client, discovery }: Write,
  object: Manifest,
  how: How,
  signal: AbortSignal,
): Promise<Written> {
  const resource = await resourceOf(discovery, object, signal)
  if (resource === null) return { kind: 'unknown' }
  const { namespace = '', name } = object.metadata
  const query = { fieldManager, force: 'true', fieldValidation: 'Strict', ...(how.dryRun ? { dryRun: 'All' } : {}) }
  const body = outgoing(how.as ?? object, how.application, how.attempt, manifestHash(object))
  try {
    const call = { query, body, contentType: 'application/apply-patch+yaml' }
    const answer = await client.send('PATCH', objectPath(resource, namespace, name), call, signal)
    return { kind: 'written', object: answer.body, created: answer.status === 201 }
  } catch (error) {
    if (!(error instanceof ApiError) || !error.isRefusal) throw error
    return { kind: 'refused', reason: reasonOf(error), message: refusalText(error), status: error.status }
  }
}

export function resourceOf(discovery: Discovery, { apiVersion, kind }: Manifest, signal: AbortSignal): Promise<Resource | null> {
  const [version = '', group = ''] = apiVersion.split('/').reverse()
  return discovery.resource(group, version, kind, signal)
}

/** What is there, whole; null for nothing. */
export async function liveObject({ client, discovery }: Write, ref: ObjectRef, signal: AbortSignal): Promise<Sent | null> {
  const resource = await discovery.preferred(ref.group, ref.kind, signal)
  if (resource === null) return null
  try {
    return await client.call('GET', objectPath(resource, ref.namespace, ref.name), {}, signal)
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null
    throw error
  }
}

/** Only what this application tracks, and only as it was looked at: true where it goes. */
export async function removeObject(write: Write, ref: ObjectRef, application: string, signal: AbortSignal): Promise<boolean> {
  const live = await liveObject(write, ref, signal)
  const resource = await write.discovery.preferred(ref.group, ref.kind, signal)
  if (live === null || resource === null || trackedBy(live as Manifest) !== application) return false
  const { uid } = (live as Manifest).metadata
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Foreground', preconditions: { uid } }
  try {
    await write.client.call('DELETE', objectPath(resource, ref.namespace, ref.name), { body }, signal)
    return true
  } catch (error) {
    // Gone already, or another under its name by now.
    if (error instanceof ApiError && (error.status === 404 || error.status === 409)) return false
    throw error
  }
}

/** It goes on as it is and is nobody's: others may take it over. */
export async function releaseObject(write: Write, ref: ObjectRef, signal: AbortSignal): Promise<void> {
  const resource = await write.discovery.preferred(ref.group, ref.kind, signal)
  if (resource === null) return
  const body = { metadata: { annotations: { [trackingAnnotation]: null, [appliedAnnotation]: null } } }
  const call = { body, contentType: 'application/merge-patch+json', query: { fieldManager } }
  await write.client.call('PATCH', objectPath(resource, ref.namespace, ref.name), call, signal).catch(error => {
    if (!(error instanceof ApiError && error.status === 404)) throw error
  })
}

/** CamelCase: the server's own word, or what its message is known to mean. */
function reasonOf(error: ApiError): string {
  if (error.isUnknownField) return 'UnknownField'
  if (/is immutable|updates to .* for fields other than/.test(error.message)) return 'ImmutableField'
  if (/exceeded quota/.test(error.message)) return 'QuotaExceeded'
  if (/because it is being terminated/.test(error.message)) return 'NamespaceTerminating'
  return error.reason || `HTTP${error.status}`
}

function refusalText(error: ApiError): string {
  const field = error.isUnknownField ? /\.([\w.[\]"=]+): field not declared in schema/.exec(error.message)?.[1] : undefined
  if (field !== undefined) return `there is no field ${field} in this version of the kind; is it misspelt?`
  return reasonOf(error) === 'ImmutableField'
    ? `${error.message}; that field cannot be changed: give the object another name, or delete it first`
    : error.message
}

/** For people, of a kind that is not there. */
export function unknownKind(object: Manifest): string {
  return `${refText(refOf(object))}: this cluster has no ${object.kind} of ${object.apiVersion}; is its CustomResourceDefinition installed?`
}

/** In order of the list, at most `limit` at a time; the first failure ends it. */
export async function inParallel<T, R>(items: readonly T[], limit: number, work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = []
  let next = 0
  const worker = async () => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at] as T)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
  return results
}
