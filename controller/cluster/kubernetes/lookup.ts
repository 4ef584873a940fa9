// What a chart looks up in a cluster, and what it would take over there: asked of the API server, and remembered for a moment, since
// every pass asks again whether it is still so.
import { groupOf, type Manifest, type ObjectRef } from '../../../runtime/contract/manifest.js'
import type { Application } from '../../application.js'
import { type LiveObject, parseQuestion, type Wanted } from '../../sticky/lookup.js'
import { type ApiClient, ApiError, type Sent } from './client.js'
import { listPath, objectPath } from './discovery.js'
import { trackedBy } from './seen.js'
import { inParallel, liveObject, type Write } from './write.js'

export type LookUp = (app: Application, wanted: Wanted, signal: AbortSignal) => Promise<readonly LiveObject[]>

/** An answer is this old at most, ms. */
const freshMs = 10_000
const atOnce = 12
const page = '500'

export function createLookUp(write: Write, now: () => number): LookUp {
  const answers = new Map<string, { readonly at: number; readonly objects: readonly Sent[] }>()

  async function answered(question: string, signal: AbortSignal): Promise<readonly Sent[]> {
    const before = answers.get(question)
    if (before !== undefined && now() - before.at < freshMs) return before.objects
    const objects = await answerOf(write, question, signal)
    for (const [text, { at }] of answers) if (now() - at >= freshMs) answers.delete(text)
    answers.set(question, { at: now(), objects })
    return objects
  }

  return async (app, { questions, refs }, signal) => {
    const found = await inParallel(questions, atOnce, question => answered(question, signal))
    const named = await inParallel(refs, atOnce, ref => liveNamed(write, ref, signal))
    return [...found.flat(), ...named.flat()].flatMap(object => shownTo(app, object as Manifest))
  }
}

async function liveNamed(write: Write, ref: ObjectRef, signal: AbortSignal): Promise<readonly Sent[]> {
  const live = await liveObject(write, ref, signal)
  return live === null ? [] : [live]
}

/** None where nothing is there, its kind is not known, or a name is asked for without the namespace that it needs (Helm's lookup). */
async function answerOf({ client, discovery }: Write, question: string, signal: AbortSignal): Promise<readonly Sent[]> {
  const [apiVersion, kind, namespace, name] = parseQuestion(question)
  const [version = '', group = ''] = apiVersion.split('/').reverse()
  const resource = await discovery.resource(group, version, kind, signal)
  if (resource === null || (name !== '' && namespace === '' && resource.namespaced)) return []
  if (name === '') return (await listed(client, listPath(resource, namespace), signal)).map(one => ({ ...one, apiVersion, kind }))
  try {
    return [await client.call('GET', objectPath(resource, namespace, name), {}, signal)]
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return []
    throw error
  }
}

async function listed(client: ApiClient, path: string, signal: AbortSignal): Promise<readonly Sent[]> {
  const items: Sent[] = []
  for (let next = ''; ; ) {
    const query = { limit: page, ...(next === '' ? {} : { continue: next }) }
    const answer = await client.call('GET', path, { query }, signal)
    items.push(...((answer.items ?? []) as readonly Sent[]))
    next = (answer.metadata as { readonly continue?: string } | undefined)?.continue ?? ''
    if (next === '') return items
  }
}

/**
 * Others' Secrets only in its own namespace, where its pods could mount them too. What nobody tracks, or what carries its own name, is
 * free to be taken over.
 */
function shownTo({ name, destination }: Application, object: Manifest): readonly LiveObject[] {
  const owner = trackedBy(object)
  const isOwn = owner === name
  const isHidden = object.kind === 'Secret' && groupOf(object.apiVersion) === '' && !isOwn
  if (isHidden && object.metadata.namespace !== (destination.namespace || 'default')) return []
  const { managedFields: _fields, resourceVersion: _version, ...metadata } = object.metadata
  return [{ object: { ...object, metadata }, isFree: isOwn || owner === '' }]
}
