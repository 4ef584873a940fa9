// The next desired document of an application on a node, from the one before and what is asked. Pure.

import type { DesiredDocument, Preflight, Sequence } from '../../../runtime/contract/documents.js'
import { contractVersion, isNewer } from '../../../runtime/contract/documents.js'
import { manifestHash } from '../../../runtime/contract/hash.js'
import type { Manifest, ObjectRef } from '../../../runtime/contract/manifest.js'
import { refKey, refOf } from '../../../runtime/contract/manifest.js'
import type { Release } from '../../release.js'
import type { Applied, Order } from '../cluster.js'

/** What an order makes of a document; the rest (sequence, whose it is) is the writer's. */
export type Content = Pick<
  DesiredDocument,
  'attempt' | 'release' | 'commit' | 'deleted' | 'letGo' | 'objects' | 'digests' | 'preflight' | 'ledger'
>

export const emptyContent: Content = {
  attempt: 0,
  release: '',
  commit: '',
  deleted: false,
  letGo: false,
  objects: [],
  digests: {},
  preflight: null,
  ledger: '',
}

export interface Change {
  readonly content: Content
  readonly applied: readonly Applied[]
}

/** What was there, with these objects added or put in the place of theirs. */
export function withObjects(before: Content, objects: readonly Manifest[], order: Order): Change {
  const former = living(before)
  const there = new Map(former.objects.map(object => [refKey(refOf(object)), object]))
  const applied = objects.map(object => {
    const before = there.get(refKey(refOf(object)))
    there.set(refKey(refOf(object)), object)
    return { ref: refOf(object), result: compare(before, object), message: '' }
  })
  const next = [...there.values()]
  return {
    content: {
      ...ordered(former, order),
      objects: next,
      digests: { ...former.digests, ...pinned(objects, order.digests) },
    },
    applied,
  }
}

export function withoutObjects(former: Content, refs: readonly ObjectRef[], order: Order): Change {
  const there = new Map(former.objects.map(object => [refKey(refOf(object)), object]))
  const applied = refs.map((ref): Applied => ({ ref, result: there.delete(refKey(ref)) ? 'pruned' : 'unchanged', message: '' }))
  const digests = Object.fromEntries(Object.entries(former.digests).filter(([key]) => there.has(key)))
  return { content: { ...ordered(former, order), objects: [...there.values()], digests }, applied }
}

export function withPreflight(former: Content, release: Release, round: number, order: Order): Content {
  const preflight: Preflight = { release: release.id, objects: release.objects, digests: order.digests, round }
  return { ...living(former), preflight }
}

/** Ends everything: a document that says so, never a missing one. What is to end is still named, so that it may be let go instead. */
export function withDeletion(former: Content, order: Order): Content {
  return { ...ordered(former, order), deleted: true, preflight: null }
}

/** Nobody answers for it any more, and it goes on; told to end before, too. One that names nothing cannot be taken back: it would end all. */
export function left(former: Content): Content {
  return { ...former, deleted: former.deleted && former.objects.length === 0, letGo: true, preflight: null }
}

/** Of what is being ended nothing is built on. */
function living(former: Content): Content {
  return former.deleted ? { ...former, deleted: false, objects: [], digests: {} } : former
}

/** The order after `former` in `epoch`. */
export function nextSequence(former: Sequence | null, epoch: number): Sequence {
  return { epoch, generation: former?.epoch === epoch ? former.generation + 1 : 1 }
}

export function documentOf(
  node: string,
  application: { name: string; uid: string },
  sequence: Sequence,
  content: Content,
): DesiredDocument {
  const { attempt, release, commit, deleted, letGo, objects, digests, preflight, ledger } = content
  const { name, uid } = application
  const { epoch, generation } = sequence
  return {
    contract: contractVersion,
    node,
    application: { name, uid },
    epoch,
    generation,
    attempt,
    release,
    commit,
    deleted,
    letGo,
    objects,
    digests,
    preflight,
    ledger,
  }
}

/** Which of two is the newer order; null where there is none. */
export function newest(a: DesiredDocument | null, b: DesiredDocument | null): DesiredDocument | null {
  if (a === null || b === null) return a ?? b
  return isNewer(b, a) ? b : a
}

function ordered(former: Content, order: Order): Content {
  return { ...former, attempt: order.attempt, release: order.release ?? former.release, commit: order.commit }
}

function compare(before: Manifest | undefined, after: Manifest): Applied['result'] {
  if (before === undefined) return 'created'
  return manifestHash(before) === manifestHash(after) ? 'unchanged' : 'changed'
}

/** Each object keeps the digests of the order that sent it: later waves of a release are not rolled by what its first ones mean. */
function pinned(objects: readonly Manifest[], digests: Order['digests']): Content['digests'] {
  return Object.fromEntries(
    objects.map(object => {
      const text = JSON.stringify(object)
      const named = Object.entries(digests).filter(([image]) => text.includes(JSON.stringify(image)))
      return [refKey(refOf(object)), Object.fromEntries(named)] as const
    }),
  )
}
