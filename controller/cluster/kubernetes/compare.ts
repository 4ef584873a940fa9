// What differs between a live object and what it would be if its release were applied, in the fields that we declare: what others add,
// defaults, status and what admission webhooks write are none of it (Argo CD's server-side diff without its webhook noise). Pure.
import type { FieldDrift } from '../../../runtime/contract/documents.js'
import { canonicalJson } from '../../../runtime/contract/hash.js'
import type { Sent } from './client.js'
import { withoutPaths } from './ignored.js'
import { type FieldSet, managedOf, ourFields, ownerOf, type Path, pathText, step } from './managed.js'

export interface Comparison {
  readonly live: Sent
  /** The server's answer to a dry run of the apply. */
  readonly predicted: Sent
  /** Paths of each that are not compared. */
  readonly ignored: { readonly live: readonly Path[]; readonly predicted: readonly Path[] }
}

/** Changed by every write of ours: no difference that counts. */
export const mark = 'slipway.dev/applied'

/** Empty: applying would change nothing that counts. */
export function compared({ live, predicted, ignored }: Comparison): readonly FieldDrift[] {
  const fields = [ourFields(managedOf(predicted)), ourFields(managedOf(live))].flatMap(set => set ?? [])
  const sides = { live: withoutPaths(live, ignored.live), predicted: withoutPaths(predicted, ignored.predicted) }
  const found = fields.flatMap(set => differences(set, sides.live, sides.predicted, []))
  const each = new Map(found.map(one => [one.keys.join('\0'), one]))
  return [...each.values()]
    .filter(({ keys }) => !(keys[2] === `f:${mark}` && keys[1] === 'f:annotations'))
    .map(one => driftOf(one, live))
}

interface Difference {
  readonly keys: readonly string[]
  readonly live: unknown
  readonly predicted: unknown
}

function differences(set: FieldSet, live: unknown, predicted: unknown, above: readonly string[]): readonly Difference[] {
  return Object.keys(set).flatMap((key): readonly Difference[] => {
    if (key === '.') return []
    const keys = [...above, key]
    const [here, there] = [step(live, key)?.value, step(predicted, key)?.value]
    if (here === undefined && there === undefined) return []
    const isLeaf = Object.keys(set[key]!).every(one => one === '.')
    if (here === undefined || there === undefined || isLeaf)
      return canonicalJson(here ?? null) === canonicalJson(there ?? null) ? [] : [{ keys, live: here, predicted: there }]
    return differences(set[key]!, here, there, keys)
  })
}

/** kubectl keeps the whole object in an annotation. */
function mayCopy(keys: readonly string[]): boolean {
  return keys[1] === 'f:annotations' && (keys[2] === undefined || keys[2].includes('last-applied'))
}

const longest = 200

function driftOf({ keys, live, predicted }: Difference, object: Sent): FieldDrift {
  const owner = live === undefined ? null : ownerOf(managedOf(object), keys)
  const isSecret = object.kind === 'Secret' && (keys[0] === 'f:data' || keys[0] === 'f:stringData' || mayCopy(keys))
  return {
    path: pathText(keys),
    live: isSecret ? hidden(live) : shown(live),
    want: isSecret ? hidden(predicted) : shown(predicted),
    manager: owner?.manager ?? '',
    at: owner?.time ?? '',
  }
}

/** '' where there is none. */
function shown(value: unknown): string {
  if (value === undefined) return ''
  const text = JSON.stringify(value)
  return text.length > longest ? `${text.slice(0, longest)}…` : text
}

/** Of Secrets only that it changed. */
function hidden(value: unknown): string {
  return value === undefined ? '' : '(hidden)'
}
