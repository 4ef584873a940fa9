// One object to an API server: applied, replaced, made anew, tried without effect, taken over, removed, or let go. What the server
// refuses is returned, not thrown.
import { manifestHash } from '../../../runtime/contract/hash.js'
import type { Manifest, ObjectRef } from '../../../runtime/contract/manifest.js'
import type { WriteOptions } from '../../release/options.js'
import { type ApiClient, ApiError, type Sent } from './client.js'
import { type Discovery, objectPath, type Resource } from './discovery.js'
import { withoutPaths } from './ignored.js'
import { fieldManager, managedOf, moved } from './managed.js'
import { type Conflict, conflictsIn, reasonOf, refusalText, unknownFields } from './refusal.js'
import { appliedAnnotation, migrationAnnotation, outgoing, trackedBy, trackingAnnotation } from './seen.js'

export interface Write {
  readonly client: ApiClient
  readonly discovery: Discovery
}

export type Written =
  | { readonly kind: 'written'; readonly object: Sent; readonly created: boolean }
  /** No such kind in this cluster. */
  | { readonly kind: 'unknown' }
  /** Not forced: others have these fields, with other values. */
  | { readonly kind: 'conflict'; readonly fields: readonly Conflict[] }
  | { readonly kind: 'refused'; readonly reason: string; readonly message: string; readonly status: number }

export interface How {
  readonly application: string
  readonly attempt: number
  readonly dryRun: boolean
  /** What of it is sent, where that is not all of it. */
  readonly as?: Manifest
  /** false: fields that others have are not taken. */
  readonly force?: boolean
  /** false: fields that the kind does not have are left out. */
  readonly validate?: boolean
}

/** Server-side apply with our field manager, taking every field that the object names. Throws where it could not be found out. */
export async function applyObject(write: Write, object: Manifest, how: How, signal: AbortSignal): Promise<Written> {
  const resource = await resourceOf(write.discovery, object, signal)
  if (resource === null) return { kind: 'unknown' }
  const { force = true, validate = true } = how
  const query = {
    fieldManager,
    fieldValidation: validate ? 'Strict' : 'Ignore',
    ...(force ? { force: 'true' } : {}),
    ...(how.dryRun ? { dryRun: 'All' } : {}),
  }
  const path = pathOf(resource, object)
  let body = bodyOf(object, how, resource)
  for (let left = validate ? 0 : mostUnknown; ; left--) {
    const answer = await sent(write, 'PATCH', path, { query, body, contentType: 'application/apply-patch+yaml' }, signal)
    if (await isKindGone(answer, write.discovery, object, signal)) return { kind: 'unknown' }
    if (answer.kind !== 'refused' || answer.reason !== 'UnknownField' || left === 0) return answer
    const paths = unknownFields(body, answer.message)
    if (paths.length === 0) return answer
    body = withoutPaths(body, paths)
  }
}

/** Fields of no kind that are left out of one object, one at a time, since server-side apply names the first only. */
const mostUnknown = 30

/** Sent as a whole over what is there: what it does not name goes. */
export async function replaceObject(write: Write, object: Manifest, live: Sent, how: How, signal: AbortSignal): Promise<Written> {
  const resource = await resourceOf(write.discovery, object, signal)
  if (resource === null) return { kind: 'unknown' }
  const whole = bodyOf(object, how, resource)
  const { resourceVersion } = live.metadata as Manifest['metadata']
  const body = { ...whole, metadata: { ...whole.metadata, resourceVersion } }
  const query = {
    fieldManager,
    fieldValidation: how.validate === false ? 'Ignore' : 'Strict',
    ...(how.dryRun ? { dryRun: 'All' } : {}),
  }
  return sent(write, 'PUT', pathOf(resource, object), { query, body }, signal)
}

const tries = 4

async function sent(
  { client }: Write,
  method: string,
  path: string,
  call: Parameters<ApiClient['send']>[2],
  signal: AbortSignal,
): Promise<Written> {
  for (let left = tries; ; left--) {
    try {
      const answer = await client.send(method, path, call, signal)
      return { kind: 'written', object: answer.body, created: answer.status === 201 }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      const fields = conflictsIn(error)
      if (fields.length > 0) return { kind: 'conflict', fields }
      if (error.isRefusal) return { kind: 'refused', reason: reasonOf(error), message: refusalText(error), status: error.status }
      // An apply names no version: that others wrote at the same moment says nothing against it.
      if (error.status !== 409 || method !== 'PATCH' || left === 0) throw error
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}

function bodyOf(object: Manifest, how: How, resource: Resource): Manifest {
  return outgoing(how.as ?? object, how.application, how.attempt, manifestHash(object), resource.namespaced)
}

function pathOf(resource: Resource, { metadata }: Manifest): string {
  return objectPath(resource, metadata.namespace ?? '', metadata.name)
}

/** Its definition was taken away since it was asked for: an apply makes what is not there, so only the namespace or the kind can be missing. */
async function isKindGone(answer: Written, discovery: Discovery, object: Manifest, signal: AbortSignal): Promise<boolean> {
  if (answer.kind !== 'refused' || answer.status !== 404 || /^namespaces? /.test(answer.message)) return false
  discovery.invalidate()
  return (await resourceOf(discovery, object, signal)) === null
}

export function resourceOf(discovery: Discovery, { apiVersion, kind }: Manifest, signal: AbortSignal): Promise<Resource | null> {
  const [version = '', group = ''] = apiVersion.split('/').reverse()
  return discovery.resource(group, version, kind, signal)
}

/** What is there, whole, in the version that the server prefers; null for nothing. */
export async function liveObject({ client, discovery }: Write, ref: ObjectRef, signal: AbortSignal): Promise<Sent | null> {
  const resource = await discovery.preferred(ref.group, ref.kind, signal)
  return resource === null ? null : found(client, objectPath(resource, ref.namespace, ref.name), signal)
}

/** The same in the version that the object is written in: what is compared with it is in the same words. */
export async function liveAs({ client, discovery }: Write, object: Manifest, signal: AbortSignal): Promise<Sent | null> {
  const resource = await resourceOf(discovery, object, signal)
  return resource === null ? null : found(client, pathOf(resource, object), signal)
}

async function found(client: ApiClient, path: string, signal: AbortSignal): Promise<Sent | null> {
  try {
    return await client.call('GET', path, {}, signal)
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null
    throw error
  }
}

/**
 * The fields of those who wrote it before become ours (client-go's csaupgrade): what Git does not name goes with the next apply. Only
 * their names change hands; null where it is not there any more.
 */
export async function takeOver(write: Write, object: Manifest, now: () => number, signal: AbortSignal): Promise<Sent | null> {
  const resource = await resourceOf(write.discovery, object, signal)
  for (let left = 3; resource !== null; left--) {
    const live = await liveAs(write, object, signal)
    if (live === null) return null
    const { resourceVersion, annotations } = live.metadata as Manifest['metadata']
    const time = `${new Date(now()).toISOString().slice(0, 19)}Z`
    const value = moved(managedOf(live), object.apiVersion, time, annotations?.[migrationAnnotation])
    const body = [
      { op: 'replace', path: '/metadata/managedFields', value },
      { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
    ]
    const call = { body, contentType: 'application/json-patch+json', query: { fieldManager } }
    try {
      return await write.client.call('PATCH', pathOf(resource, object), call, signal)
    } catch (error) {
      // Somebody wrote in between.
      if (!(error instanceof ApiError && error.status === 409) || left === 0) throw error
    }
  }
  return null
}

const goneMs = 60_000

/** Deletes what is there and waits until it is gone; '' then, else what holds it. */
export async function clearObject(
  write: Write,
  object: Manifest,
  live: Sent,
  now: () => number,
  signal: AbortSignal,
): Promise<string> {
  const resource = await resourceOf(write.discovery, object, signal)
  if (resource === null) return ''
  const path = pathOf(resource, object)
  const { uid } = live.metadata as Manifest['metadata']
  await deleted(write.client, path, 'Background', uid, signal)
  for (const deadline = now() + goneMs; now() < deadline; await new Promise(resolve => setTimeout(resolve, 100))) {
    const there = await found(write.client, path, signal)
    const metadata = there?.metadata as Manifest['metadata'] | undefined
    if (metadata?.uid !== uid) return ''
  }
  return `it is deleted, to be made anew, and not gone after ${goneMs / 1000} s: look at its finalizers`
}

export interface Removal {
  readonly application: string
  /** Asked of the object as it is: what it says of itself is all there is left of its release. */
  readonly options: (live: Manifest) => WriteOptions
}

/** Only what this application tracks, and only as it was looked at: true where it goes. */
export async function removeObject(write: Write, ref: ObjectRef, removal: Removal, signal: AbortSignal): Promise<boolean> {
  const live = (await liveObject(write, ref, signal)) as Manifest | null
  const resource = await write.discovery.preferred(ref.group, ref.kind, signal)
  if (live === null || resource === null || trackedBy(live) !== removal.application) return false
  const { propagation } = removal.options(live)
  return deleted(write.client, objectPath(resource, ref.namespace, ref.name), propagation, live.metadata.uid, signal)
}

async function deleted(
  client: ApiClient,
  path: string,
  propagationPolicy: WriteOptions['propagation'],
  uid: string | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy, preconditions: { uid } }
  try {
    await client.call('DELETE', path, { body }, signal)
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
