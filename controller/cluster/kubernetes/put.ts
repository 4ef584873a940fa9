// One object brought to what its release has: taken over from who wrote it before, applied or replaced, made anew where it is asked
// for; what an autoscaler or an ignored difference owns is left as it is.
import { type Manifest, refOf, refText } from '../../../runtime/contract/manifest.js'
import type { IgnoreRule } from '../../application.js'
import type { WriteOptions } from '../../release/options.js'
import { keptKinds } from '../../release/sent.js'
import type { Sent } from './client.js'
import { type AskJq, ignoredPaths, placeIn, valueAt, withoutPaths, withValue } from './ignored.js'
import { type FieldSet, isFormer, isMap, managedOf, ourFields, pathsIn } from './managed.js'
import type { Scales } from './scale.js'
import { migrationAnnotation, type Seen, seenOf, withoutReplicas } from './seen.js'
import { applyObject, clearObject, type How, liveAs, replaceObject, takeOver, type Write, type Written } from './write.js'

export interface Put {
  readonly application: string
  readonly attempt: number
  /** As it was seen last; undefined where it is not there, as far as it is known. */
  readonly before: Seen | undefined
  readonly options: WriteOptions
  /** Those that are for this object. */
  readonly rules: readonly IgnoreRule[]
  /** An autoscaler of its release sets its replicas. */
  readonly isScaled: boolean
  /** One of the cluster does. */
  readonly scales: Scales
  readonly jq: AskJq
  readonly now: () => number
}

export async function putObject(write: Write, object: Manifest, put: Put, signal: AbortSignal): Promise<Written> {
  const { before, options } = put
  const needsLive = before !== undefined && (options.replace || (options.respectIgnored && put.rules.length > 0))
  const migrated = before?.former === true && options.migrate ? await takeOver(write, object, put.now, signal) : null
  const live = migrated ?? (needsLive ? await liveAs(write, object, signal) : null)
  const seen = live === null ? before : seenOf(live)
  const how = await howOf(object, put, seen, live, signal)
  const answer =
    options.replace && live !== null
      ? await replaceObject(write, object, live, how, signal)
      : await applyObject(write, object, how, signal)
  if (answer.kind === 'refused' && answer.reason === 'ImmutableField' && options.force)
    return madeAnew(write, object, answer, put, signal)
  // Written by others between our look and now.
  if (answer.kind === 'written' && !answer.created && before === undefined && options.migrate && hasFormer(answer.object)) {
    await takeOver(write, object, put.now, signal)
    return applyObject(write, object, how, signal)
  }
  return answer
}

function hasFormer(object: Sent): boolean {
  const more = (object.metadata as Manifest['metadata']).annotations?.[migrationAnnotation]
  return managedOf(object).some(one => isFormer(one, more))
}

async function howOf(object: Manifest, put: Put, seen: Seen | undefined, live: Sent | null, signal: AbortSignal): Promise<How> {
  const isScaled = put.isScaled || (seen !== undefined && (await put.scales(seen, signal)))
  const scaled = isScaled ? withoutReplicas(object, seen) : object
  const respected = put.options.respectIgnored && live !== null ? await withoutIgnored(scaled, live, put.rules, put.jq) : scaled
  return {
    application: put.application,
    attempt: put.attempt,
    dryRun: false,
    validate: put.options.validate,
    ...(respected === object ? {} : { as: respected }),
  }
}

/** Ignored fields are given as they are where they are ours, since leaving those out would take them away; others are left out. */
export async function withoutIgnored(object: Manifest, live: Sent, rules: readonly IgnoreRule[], jq: AskJq): Promise<Manifest> {
  const paths = await ignoredPaths(rules, object as Sent, live, jq)
  const owned = new Set(pathsIn(live, ourFields(managedOf(live)) ?? ({} as FieldSet)).map(path => JSON.stringify(path)))
  let kept = object
  const left = paths.filter(path => {
    const place = placeIn(object, path, live)
    const value = place === null ? undefined : valueAt(live, place)
    if (place === null || value === undefined || !isOwned(place, value, owned)) return true
    kept = withValue(kept, path, value)
    return false
  })
  return withoutPaths(kept, left)
}

/** It, or something beneath it. */
function isOwned(path: readonly (string | number)[], value: unknown, owned: ReadonlySet<string>): boolean {
  if (owned.has(JSON.stringify(path))) return true
  const beneath = Array.isArray(value) ? [...value.keys()] : isMap(value) ? Object.keys(value) : []
  return beneath.some(key => isOwned([...path, key], valueAt(value, [key]), owned))
}

/** Deleted and made anew, because its options ask for it; what holds data, or other people's objects, never is. */
async function madeAnew(
  write: Write,
  object: Manifest,
  refused: Extract<Written, { kind: 'refused' }>,
  put: Put,
  signal: AbortSignal,
): Promise<Written> {
  if (keptKinds.has(object.kind)) return { ...refused, message: keptText(object, refused.message) }
  const live = await liveAs(write, object, signal)
  const held = live === null ? '' : await clearObject(write, object, live, put.now, signal)
  if (held !== '') return { ...refused, message: held }
  const { application, attempt } = put
  return applyObject(write, object, { application, attempt, dryRun: false, validate: put.options.validate }, signal)
}

/** For people: why Force=true does not make it anew. */
export function keptText(object: Manifest, message: string): string {
  return `${message}; ${refText(refOf(object))} is not deleted by Force=true, for what it holds would be gone: delete it by hand`
}
