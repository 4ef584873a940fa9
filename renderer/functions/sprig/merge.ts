// How two maps become one in Sprig's merge and mergeOverwrite: mergo 1.0.1 (merge.go, deepMerge) on plain maps.
import { Bytes, type Dict, goType, isDict, isList, isNil, isTrue, Struct, typeOf, type Value } from '../../value/value.js'
import { work } from '../../work.js'
import { CallError } from '../signature.js'
import { fail } from './define.js'

/** An error of mergo itself, which `merge` swallows; a panic it does not. */
export class MergeRefused extends CallError {}

const deepest = 1_000

/**
 * Changes `into`. Without `overwrite` only what is empty there (missing, nil, false, 0, '', no entries) is filled; with it every
 * value of `from` wins, empty ones too. Maps merge; lists replace. What is taken over is shared, not copied: a later `set` on it
 * is seen in both.
 */
export function mergeInto(into: Dict, from: Dict, overwrite: boolean, depth = 0): void {
  if (depth > deepest) fail(`maps more than ${deepest} deep inside one another: does one hold itself?`)
  for (const [key, value] of [...from]) {
    work()
    const held = into.get(key)
    if (value === null) {
      if (overwrite) put(into, key, value, from)
      continue
    }
    if (isDict(value) && isDict(held)) mergeDicts(held, value, overwrite, depth)
    else refuseForPointer(held, value, overwrite)
    const kept = held !== undefined && isTrue(held)
    if (kept && isSlice(value)) {
      if (overwrite) into.set(key, value)
      continue
    }
    if (kept && isDict(value) && isDict(held)) continue
    if (overwrite || !kept) put(into, key, value, from)
  }
}

/** A map of another element type takes only what comes from one like it. */
function put(into: Dict, key: string, value: Value, from: Dict): void {
  if (into[goType] === 'map[string]string' && from[goType] !== into[goType])
    fail(
      `reflect.Value.SetMapIndex: value of type ${isSlice(value) ? typeOf(value) : 'interface {}'} is not assignable to type string`,
    )
  into.set(key, value)
}

/** A nil map has no place for entries; it is replaced afterwards, being empty. */
function mergeDicts(held: Dict, value: Dict, overwrite: boolean, depth: number): void {
  if (!(isNil(held) && !isNil(value))) mergeInto(held, value, overwrite, depth + 1)
}

function isSlice(value: Value): boolean {
  return isList(value) || value instanceof Bytes
}

/** A pointer takes nothing but a pointer, where it is not simply replaced. */
function refuseForPointer(held: Value | undefined, value: Value, overwrite: boolean): void {
  const takesParts = isDict(value) || (value instanceof Struct && value.kind === 'struct')
  if (held instanceof Struct && held.kind === 'ptr' && takesParts && !overwrite)
    throw new MergeRefused('src and dst must be of same type')
}
