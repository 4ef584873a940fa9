// The node's side of desired state: what the controller wants of it, as levels. A key that is missing means nothing here.
import type { KeyObject } from 'node:crypto'
import { ChunkError } from '../contract/chunks.js'
import type { DesiredDocument, Sequence } from '../contract/documents.js'
import { isNewer } from '../contract/documents.js'
import { FrameError, parseDesired } from '../contract/frame.js'
import { buckets, encodeToken, parseDocumentKey } from '../contract/subjects.js'
import type { Bus } from './bus/connect.js'
import { joinValue } from './bus/values.js'
import type { Level, Listing } from './bus/watch.js'
import { watchKeys, writingOf } from './bus/watch.js'

export interface DesiredOptions {
  readonly bus: Bus
  readonly node: string
  /** Ed25519, of the controller that this node joined. */
  readonly controller: KeyObject
  /** X25519, the node's own. */
  readonly sealing: KeyObject
  /** What the node obeys now, by application name: only newer documents are given out. */
  obeyed(): ReadonlyMap<string, Sequence>
  /** May this be obeyed, of an application of which nothing is? Default: anything. */
  mayBegin?(document: DesiredDocument): boolean
  readonly relistMs?: number
}

export interface DesiredHandlers {
  /** Newer than what is obeyed. May come again until it is obeyed. */
  document(document: DesiredDocument): void
  /** Not to be obeyed, and why: foreign signature, changed, older than what is obeyed. Said once for each writing. */
  refused(application: string, error: Error): void
  /** What was refused of it is not there any more: readable now, or taken away. */
  understood(application: string): void
  /** The bucket was listed whole. `lost`: applications that are obeyed, but whose document is missing there or older. `there`: the others. */
  listed(created: string, lost: readonly string[], there: readonly string[]): void
  interrupted(error: Error): void
}

/** Runs until `signal` aborts. */
export function followDesired(options: DesiredOptions, handlers: DesiredHandlers, signal: AbortSignal): Promise<void> {
  const refused = new Map<string, number>()
  /** What was read of each key: a listing tells all of it again, and most of it is obeyed by then. */
  const read = new Map<string, Sequence & { readonly writing: string }>()
  /** '': not one of ours, or refused. Else the application's name. */
  const take = async (level: Level, kv: Listing['kv']): Promise<string> => {
    const place = parseDocumentKey(level.key)
    if (place === null || level.deleted) return ''
    const { application } = place
    const obeyed = options.obeyed().get(application) ?? null
    const before = read.get(level.key)
    if (before?.writing === writingOf(level) && obeyed !== null && isSame(before, obeyed)) {
      understood(level.key, application)
      return application
    }
    try {
      const document = parseDesired(await joinValue(kv, level.key, level.value), options.controller, options.sealing, place)
      offer(document, options.obeyed().get(application) ?? null)
      read.set(level.key, { epoch: document.epoch, generation: document.generation, writing: writingOf(level) })
      understood(level.key, application)
      return application
    } catch (error) {
      if (!isUnreadable(error)) throw error
      if (refused.get(level.key) !== level.revision) handlers.refused(place.application, error)
      refused.set(level.key, level.revision)
      return ''
    }
  }
  const understood = (key: string, application: string) => {
    if (refused.delete(key)) handlers.understood(application)
  }
  const offer = (document: DesiredDocument, obeyed: Sequence | null) => {
    if (obeyed === null && options.mayBegin?.(document) === false)
      throw new FrameError(
        `document for ${document.node}/${document.application.name}: order ${document.epoch}/${document.generation} is older than what ended here`,
      )
    if (obeyed === null || isNewer(document, obeyed)) return handlers.document(document)
    if (!isNewer(obeyed, document)) return
    const [theirs, ours] = [document, obeyed].map(({ epoch, generation }) => `${epoch}/${generation}`)
    throw new FrameError(
      `document for ${document.node}/${document.application.name}: order ${theirs} is older than ${ours}, which is obeyed`,
    )
  }
  let store = ''
  const listed = async ({ kv, created, levels }: Listing) => {
    const current = new Set<string>()
    const there = new Set(levels.filter(level => !level.deleted).map(level => level.key))
    for (const key of [...read.keys()]) if (store !== created || !there.has(key)) read.delete(key)
    store = created
    for (const key of [...refused.keys()].filter(key => !there.has(key)))
      understood(key, parseDocumentKey(key)?.application ?? '')
    for (const level of levels) {
      const application = await take(level, kv)
      if (application !== '') current.add(application)
    }
    handlers.listed(
      created,
      [...options.obeyed().keys()].filter(application => !current.has(application)),
      [...current],
    )
  }
  const watch = {
    bucket: buckets.desired,
    filter: `${encodeToken(options.node)}.*.head`,
    ...(options.relistMs ? { relistMs: options.relistMs } : {}),
  }
  const changed = async (level: Level, kv: Listing['kv']) => void (await take(level, kv))
  return watchKeys(options.bus, watch, { listed, changed, interrupted: handlers.interrupted }, signal)
}

function isSame(a: Sequence, b: Sequence): boolean {
  return a.epoch === b.epoch && a.generation === b.generation
}

/** A chunk that is missing may come: with its head, which is looked at again, or with the next listing. The others do not wait for it. */
function isUnreadable(error: unknown): error is Error {
  return error instanceof FrameError || error instanceof ChunkError
}
