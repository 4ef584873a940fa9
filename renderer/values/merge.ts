// Values on top of values: maps merge deep, everything else replaces, a null above deletes what is below (Helm's coalesce).
import { type Dict, isDict, type Value } from '../value.js'

export function mergeValues(below: Dict, above: Dict): Dict {
  const merged = new Map(below)
  for (const [key, value] of above) {
    const base = merged.get(key)
    if (value === null && base !== undefined && base !== null) merged.delete(key)
    else merged.set(key, isDict(value) && isDict(base) ? mergeValues(base, value) : value)
  }
  return merged
}

/** Copies maps and lists all the way down. */
export function deepCopy(value: Value): Value {
  if (isDict(value)) return new Map([...value].map(([key, item]) => [key, deepCopy(item)] as const))
  return Array.isArray(value) ? value.map(deepCopy) : value
}
