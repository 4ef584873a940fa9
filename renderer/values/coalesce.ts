// Helm's coalescing of values (`chartutil/coalesce.go`): what is above wins, maps merge deep, and a null above deletes what is below.
// Maps are changed in place and partly shared between a chart and its subcharts, as Helm does it: charts see the difference.
import { type Dict, isDict, isList, typeOf, type Value } from '../value/value.js'

/** What coalescing needs to know of a chart. */
export interface ValueTree {
  readonly metadata: { readonly name: string }
  readonly values: Dict
  readonly dependencies: readonly ValueTree[]
}

/** Helm's words for values that no chart can have. */
export class CoalesceError extends Error {}

/** What becomes of nulls: `kept` in a chart's own defaults (Helm 3), `dropped` from them (Helm 4), or all left for a later coalescing. */
type Nulls = 'kept' | 'dropped' | 'all'

/** Nulls above delete. `values` is left as it is. Throws `CoalesceError`. */
export function coalesceValues(chart: ValueTree, values: Dict, nulls: 'kept' | 'dropped' = 'kept'): Dict {
  return coalesce(chart, deepCopy(values) as Dict, nulls)
}

/** The same, with nulls kept for a later coalescing. */
export function mergeValues(chart: ValueTree, values: Dict): Dict {
  return coalesce(chart, deepCopy(values) as Dict, 'all')
}

export function deepCopy(value: Value): Value {
  if (isDict(value)) {
    const copy: Dict = new Map()
    for (const [key, item] of value) copy.set(key, typeof item === 'object' ? deepCopy(item) : item)
    return copy
  }
  return isList(value) ? value.map(deepCopy) : value
}

function coalesce(chart: ValueTree, into: Dict, nulls: Nulls): Dict {
  coalesceOwn(chart, into, nulls)
  for (const below of chart.dependencies) {
    const { name } = below.metadata
    const inner = into.get(name)
    if (inner !== undefined && !isDict(inner)) throw new CoalesceError(`type mismatch on ${name}: ${badVerb(inner)}`)
    const values: Dict = inner ?? new Map()
    into.set(name, values)
    coalesceGlobals(values, into)
    into.set(name, coalesce(below, values, nulls))
  }
  return into
}

/** `%t` of what is no boolean. */
function badVerb(value: Value): string {
  if (value === null) return '%!t(<nil>)'
  return typeof value === 'boolean' ? String(value) : `%!t(${typeOf(value)}=${isList(value) ? '[...]' : String(value)})`
}

/** Globals of the chart above into those of the subchart; the ones above win. */
function coalesceGlobals(into: Dict, from: Dict): void {
  const [own, above] = [into.get('global') ?? newIf(into), from.get('global') ?? newIf(from)]
  if (!isDict(own) || !isDict(above)) return
  for (const [key, value] of above) {
    const old = own.get(key)
    if (isDict(value)) {
      const copy: Dict = new Map(value)
      if (old === undefined) own.set(key, copy)
      else if (isDict(old)) own.set(key, coalesceTables(copy, old, true))
    } else if (!isDict(old)) own.set(key, value)
  }
  into.set('global', own)
}

/** A global that is null is no table, one that is not there is an empty one. */
function newIf(values: Dict): Value {
  return values.has('global') ? null : new Map()
}

function coalesceOwn(chart: ValueTree, into: Dict, nulls: Nulls): void {
  const merge = nulls === 'all'
  for (const [key, value] of deepCopy(chart.values) as Dict) {
    if (nulls === 'dropped') dropNulls(value)
    const above = into.get(key)
    if (above === undefined) {
      if (nulls !== 'dropped' || value !== null) into.set(key, value)
    } else if (above === null && !merge) into.delete(key)
    else if (isDict(above) && isDict(value)) coalesceTables(above, value, merge || isSubchart(chart, key))
  }
}

function dropNulls(value: Value): void {
  if (!isDict(value)) return
  for (const [key, item] of value)
    if (item === null) value.delete(key)
    else dropNulls(item)
}

function isSubchart(chart: ValueTree, key: string): boolean {
  return chart.dependencies.some(below => below.metadata.name === key)
}

/** `from` into `into`, which wins. Both are changed. A null deletes only what was there and not null. */
export function coalesceTables(into: Dict, from: Dict, merge: boolean): Dict {
  for (const [key, value] of from) {
    const above = into.get(key)
    if (above === undefined) into.set(key, value)
    else if (above === null) {
      if (!merge && value !== null) into.delete(key)
    } else if (isDict(value) && isDict(above)) coalesceTables(above, value, merge)
  }
  return into
}
