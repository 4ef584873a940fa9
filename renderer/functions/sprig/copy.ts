// A value and all it holds, made anew (Sprig's deepCopy: mitchellh/copystructure), so that a change of one is not seen in the other.
import { Bytes, type Dict, goNil, goType, isDict, isList, type List, type Value } from '../../value/value.js'
import { work } from '../../work.js'
import { fail } from './define.js'
import { Version } from './version.js'

const deepest = 1_000
const zeroVersion = new Version({ major: 0n, minor: 0n, patch: 0n, prerelease: '', metadata: '', original: '' })

export function deepCopy(value: Value, depth = 0): Value {
  work()
  if (depth > deepest) fail(`a value more than ${deepest} deep: does it hold itself?`)
  if (value instanceof Bytes) return new Bytes(value.bytes.slice())
  if (isList(value))
    return marked(
      value.map(item => deepCopy(item, depth + 1)),
      value,
    )
  if (isDict(value)) return marked<Dict>(new Map([...value].map(([key, item]) => [key, deepCopy(item, depth + 1)])), value)
  // Its fields are private: reflection, which copystructure copies by, leaves the zero version.
  return value instanceof Version && value.kind === 'ptr' ? zeroVersion : value
}

/** With the Go type and nilness of the one it was made from. */
function marked<T extends Dict | List>(made: T, like: T): T {
  if (like[goType] !== undefined) made[goType] = like[goType]
  if (like[goNil] === true) made[goNil] = true
  return made
}
