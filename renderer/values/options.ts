// The values that a user gives, merged (`pkg/cli/values/options.go`): a later file wins, key by key; nulls stay, they delete only later.
import { type Dict, isDict } from '../value/value.js'

export function mergeMaps(below: Dict, above: Dict): Dict {
  const merged: Dict = new Map(below)
  for (const [key, value] of above) {
    const base = merged.get(key)
    merged.set(key, isDict(value) && isDict(base) ? mergeMaps(base, value) : value)
  }
  return merged
}
