// What a name means in a value: never a property of an object, only what a map or list holds, or a field of what Helm hands to templates.
import { isDict, isList, Struct, type Value } from '../value/value.js'

/** undefined: there is nothing of that name. */
export function itemOf(value: Value | undefined, key: string): Value | undefined {
  if (isDict(value)) return value.get(key) ?? (value.has(key) ? null : undefined)
  if (isList(value)) return /^\d+$/.test(key) ? value[Number(key)] : undefined
  if (!(value instanceof Struct)) return undefined
  const method = value.method(key)
  return value.field(key) ?? (method?.params.length === 0 ? method.run([]) : undefined)
}

/** For suggestions. */
export function namesIn(value: Value | undefined): readonly string[] {
  if (isDict(value)) return [...value.keys()]
  if (!(value instanceof Struct)) return []
  return (value.fields() ?? []).flatMap(([name, field]) => [
    name,
    ...(field instanceof Struct && name === 'Metadata' ? namesIn(field) : []),
  ])
}
