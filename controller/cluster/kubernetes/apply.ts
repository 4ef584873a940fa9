// The objects of a step, written kind by kind: definitions are there before their objects, what is as it should be is left alone.
import { manifestHash } from '../../../runtime/contract/hash.js'
import { groupOf, type Manifest, type ObjectRef, refKey, refOf, refText } from '../../../runtime/contract/manifest.js'
import type { Application } from '../../application.js'
import { optionsOf } from '../../release/options.js'
import type { Applied, Order } from '../cluster.js'
import type { Cache } from './cache.js'
import type { Discovery } from './discovery.js'
import { type AskJq, rulesFor } from './ignored.js'
import { definedBy } from './preflight.js'
import type { Proving } from './prove.js'
import { putObject } from './put.js'
import { unknownKind } from './refusal.js'
import type { Scales } from './scale.js'
import { scaledBy } from './seen.js'
import { inParallel, liveObject, resourceOf, type Write, type Written } from './write.js'

export interface ApplyOptions {
  readonly write: Write
  readonly cache: Cache
  readonly discovery: Discovery
  readonly proving: Proving
  readonly jq: AskJq
  readonly scales: Scales
  readonly keyOf: (object: Manifest) => string
  /** It is known whether an object of this key is there. */
  readonly isLookedFor: (key: string) => boolean
  readonly now: () => number
}

/** What is true of all objects of one call. */
interface Around {
  readonly app: Application
  readonly order: Order
  readonly scaled: ReadonlySet<string>
  /** `group/Kind` of the definitions of the release. */
  readonly defined: ReadonlySet<string>
}

const atOnce = 12
/** A definition is served a moment after it was applied. */
const establishMs = 10_000

export type ApplyAll = (
  app: Application,
  /** All that is there of the release, and comes. */
  all: readonly Manifest[],
  objects: readonly Manifest[],
  order: Order,
  signal: AbortSignal,
) => Promise<readonly Applied[]>

export function createApplying(options: ApplyOptions): ApplyAll {
  const { write, cache, discovery, proving, jq, scales, keyOf, now } = options

  async function applyOne(object: Manifest, { app, order, scaled, defined }: Around, signal: AbortSignal): Promise<Applied> {
    const ref = refOf(object)
    const key = keyOf(object)
    const before = await lookedFor(object, key, signal)
    if (
      before !== undefined &&
      !before.deleting &&
      proving.hashOf(before) === manifestHash(object) &&
      before.application === app.name
    )
      return { ref, result: 'unchanged', message: '' }
    if (before !== undefined && before.application !== '' && before.application !== app.name)
      return { ref, result: 'refused', message: `it belongs to application ${before.application} in this cluster` }
    const put = {
      application: app.name,
      attempt: order.attempt,
      before,
      options: optionsOf(app.sync.options, object),
      rules: rulesFor(app.ignoreDifferences, ref),
      isScaled: scaled.has(refKey(ref)),
      scales,
      jq,
      now,
    }
    const isDefined = defined.has(idOf(object))
    const answer = await untilServed(isDefined, () => putObject(write, object, put, signal))
    if (answer.kind !== 'written') return refusal(ref, object, answer)
    cache.put(answer.object)
    const entry = cache.get(key)
    if (entry !== undefined) await proving.applied(app, object, entry, put.isScaled, signal)
    const isSameVersion = before?.version === (answer.object.metadata as { resourceVersion?: string }).resourceVersion
    return { ref, result: answer.created ? 'created' : isSameVersion ? 'unchanged' : 'changed', message: '' }
  }

  /** As it is known; asked for where nobody has looked, since what others track or wrote before is treated in its own way. */
  async function lookedFor(object: Manifest, key: string, signal: AbortSignal) {
    const known = cache.get(key)
    if (known !== undefined || options.isLookedFor(key)) return known
    const live = await liveObject(write, refOf(object), signal)
    if (live !== null) cache.put(live)
    return cache.get(key)
  }

  /** Its kind is there, but not yet in the version or with the fields that its definition just got. */
  async function untilServed(isDefined: boolean, put: () => Promise<Written>): Promise<Written> {
    for (const deadline = now() + establishMs; ; await new Promise(resolve => setTimeout(resolve, 200))) {
      const answer = await put()
      const isEarly = answer.kind === 'unknown' || (answer.kind === 'refused' && answer.reason === 'UnknownField')
      if (!isDefined || !isEarly || now() >= deadline) return answer
      discovery.invalidate()
    }
  }

  /** A definition of the same release is served a moment after it was applied. */
  async function untilKnown(object: Manifest, { app, defined }: Around, signal: AbortSignal): Promise<void> {
    const { skipDryRunOnMissing } = optionsOf(app.sync.options, object)
    if (!defined.has(idOf(object)) && !skipDryRunOnMissing) return
    for (const deadline = now() + establishMs; now() < deadline; await new Promise(resolve => setTimeout(resolve, 100))) {
      if ((await resourceOf(discovery, object, signal)) !== null) return
      discovery.invalidate()
    }
  }

  return async (app, all, objects, order, signal) => {
    const applied: Applied[] = []
    const defined = new Set(all.filter(isDefinition).map(definedBy))
    const around = { app, order, scaled: scaledBy(all), defined }
    for (const group of byKind(objects)) {
      if (group[0] !== undefined) await untilKnown(group[0], around, signal)
      applied.push(...(await inParallel(group, atOnce, object => applyOne(object, around, signal))))
      if (group[0]?.kind === 'CustomResourceDefinition') discovery.invalidate()
    }
    return applied
  }
}

function refusal(ref: ObjectRef, object: Manifest, answer: Exclude<Written, { kind: 'written' }>): Applied {
  if (answer.kind === 'unknown') return { ref, result: 'refused', message: unknownKind(object) }
  // Forced, nothing conflicts.
  if (answer.kind === 'conflict') throw new Error(`${refText(ref)}: its fields are fought over`)
  // The namespace will be gone, and may be made anew: no word against the release.
  if (answer.reason === 'NamespaceTerminating') throw new Error(`${refText(ref)}: ${answer.message}`)
  return { ref, result: 'refused', message: answer.message }
}

export function isDefinition({ kind, apiVersion }: Manifest): boolean {
  return kind === 'CustomResourceDefinition' && groupOf(apiVersion) === 'apiextensions.k8s.io'
}

function idOf({ apiVersion, kind }: Manifest): string {
  return `${groupOf(apiVersion)}/${kind}`
}

/** Neighbours of one kind together, in the order given: a kind is there before the next begins. */
function byKind(objects: readonly Manifest[]): readonly (readonly Manifest[])[] {
  const groups: Manifest[][] = []
  for (const object of objects) {
    const last = groups.at(-1)
    if (last?.[0]?.kind === object.kind && last[0].apiVersion === object.apiVersion) last.push(object)
    else groups.push([object])
  }
  return groups
}
