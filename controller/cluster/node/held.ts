// What lies with a node, as charts may look it up: others' objects too, and those that were let go, which a render takes over.
import { type Manifest, refKey, refOf } from '../../../runtime/contract/manifest.js'
import type { Application } from '../../application.js'
import type { LiveObject } from '../../sticky/lookup.js'
import { newest } from './document.js'
import type { Place } from './places.js'

export interface Held {
  readonly application: { readonly name: string; readonly uid: string }
  /** Nobody answers for it any more. */
  readonly letGo: boolean
  readonly object: Manifest
}

/** By the newest order, with the status that was reported last. */
export function heldAt({ head, returned, report }: Pick<Place, 'head' | 'returned' | 'report'>): readonly Held[] {
  const document = newest(head?.document ?? null, returned)
  if (document === null || document.deleted) return []
  const { application, letGo, objects } = document
  const statuses = new Map(report?.objects.map(({ ref, status }) => [refKey(ref), status] as const))
  return objects.map(object => {
    const status = statuses.get(refKey(refOf(object)))
    return { application, letGo, object: status === undefined ? object : { ...object, status } }
  })
}

/** What applications left that were let go, and that nobody took over yet. */
export function leftAt(
  left: readonly Pick<Held & { readonly objects: readonly Manifest[] }, 'application' | 'objects'>[],
): readonly Held[] {
  return left.flatMap(({ application, objects }) => objects.map(object => ({ application, letGo: true, object })))
}

/** Of a cluster, which shows what was let go itself: what is there counts, and beside it what ended applications left to read their data with. */
export async function withEnded(
  live: Promise<readonly LiveObject[]>,
  app: Parameters<typeof liveFor>[0],
  left: readonly (Parameters<typeof leftAt>[0][number] & { readonly endedAt?: number })[],
): Promise<readonly LiveObject[]> {
  const there = await live
  const known = new Set(there.map(({ object }) => refKey(refOf(object))))
  const ended = liveFor(app, leftAt(left.filter(({ endedAt }) => endedAt !== undefined)))
  return [...there, ...ended.filter(({ object }) => !known.has(refKey(refOf(object))))]
}

/**
 * As one application may see it: others' Secrets only in its own namespace, where its pods could mount them too. What was let go, or a
 * former application of its name left, is free to be taken over.
 */
export function liveFor(
  { name, uid, destination }: Pick<Application, 'name' | 'uid' | 'destination'>,
  held: readonly Held[],
): readonly LiveObject[] {
  const namespace = destination.namespace === '' ? 'default' : destination.namespace
  const free = new Set(held.flatMap(({ letGo, object }) => (letGo ? [refKey(refOf(object))] : [])))
  return newestOf(held).flatMap(({ application, letGo, object }) => {
    const isOwn = application.uid === uid
    const isHidden = object.kind === 'Secret' && !isOwn && object.metadata.namespace !== namespace
    // Its first order names what is there before it has rendered anything: that is its own only once nobody is said to have left it.
    const isFree = letGo || (application.name === name && (!isOwn || free.has(refKey(refOf(object)))))
    return isHidden ? [] : [{ object: asStored(object), isFree }]
  })
}

/** Each object once: what is left counts as long as nobody ordered it anew. */
function newestOf(held: readonly Held[]): readonly Held[] {
  return [...new Map(held.map(one => [refKey(refOf(one.object)), one] as const)).values()]
}

/** As a cluster gives a Secret back, whichever way it was written. */
function asStored(object: Manifest): Manifest {
  if (object.kind !== 'Secret' || typeof object.stringData !== 'object') return object
  const { stringData, ...rest } = object
  const encoded = Object.entries(stringData ?? {}).map(([key, text]) => [key, Buffer.from(String(text)).toString('base64')])
  return { ...rest, data: { ...(object.data as object | undefined), ...Object.fromEntries(encoded) } } as unknown as Manifest
}
