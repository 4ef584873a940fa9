// Helm's coalescing of values (`chartutil/coalesce.go`): what is above wins, maps merge deep, and a null above deletes what is below.
// Maps are changed in place and partly shared between a chart and its subcharts, as Helm does it: charts see the difference.
import { formatted } from '../value/format.js'
import { quoted } from '../value/quote.js'
import { type Dict, isDict, isList, type Value } from '../value/value.js'
import { wordOf } from '../value/words.js'

/** What coalescing needs to know of a chart. */
export interface ValueTree {
  readonly metadata: { readonly name: string }
  readonly values: Dict
  readonly dependencies: readonly ValueTree[]
}

/** Helm's words for values of a subchart that are no map, which show them. */
export class CoalesceError extends Error {
  readonly subchart: string
  /** `a number` */
  readonly is: string
  constructor(subchart: string, value: Value) {
    super(`type mismatch on ${subchart}: ${formatted('%t', value)}`)
    this.subchart = subchart
    this.is = wordOf(value)
  }
}

/** Is told, in Helm's words, what was not taken. */
export type Warn = (words: string) => void

const untold: Warn = () => {}

/** What becomes of nulls: `kept` in a chart's own defaults (Helm 3), `dropped` from them (Helm 4), or all left for a later coalescing. */
type Nulls = 'kept' | 'dropped' | 'all'

/** Nulls above delete. `values` is left as it is. Throws `CoalesceError`. */
export function coalesceValues(chart: ValueTree, values: Dict, nulls: 'kept' | 'dropped' = 'kept', warn: Warn = untold): Dict {
  return coalesce(chart, deepCopy(values) as Dict, { nulls, warn }, '')
}

/** The same, with nulls kept for a later coalescing. */
export function mergeValues(chart: ValueTree, values: Dict, warn: Warn = untold): Dict {
  return coalesce(chart, deepCopy(values) as Dict, { nulls: 'all', warn }, '')
}

interface Way {
  readonly nulls: Nulls
  readonly warn: Warn
}

export function deepCopy(value: Value): Value {
  if (isDict(value)) {
    const copy: Dict = new Map()
    for (const [key, item] of value) copy.set(key, typeof item === 'object' ? deepCopy(item) : item)
    return copy
  }
  return isList(value) ? value.map(deepCopy) : value
}

/** `prefix`: names of the charts above, for words. */
function coalesce(chart: ValueTree, into: Dict, way: Way, prefix: string): Dict {
  const own = joined(prefix, chart.metadata.name)
  coalesceOwn(chart, into, way, own)
  for (const below of chart.dependencies) {
    const { name } = below.metadata
    const inner = into.get(name)
    if (inner !== undefined && !isDict(inner)) throw new CoalesceError(name, inner)
    const values: Dict = inner ?? new Map()
    into.set(name, values)
    coalesceGlobals(values, into, own, way.warn)
    into.set(name, coalesce(below, values, way, own))
  }
  return into
}

function joined(prefix: string, name: string): string {
  return prefix === '' ? name : `${prefix}.${name}`
}

/** Globals of the chart above into those of the subchart; the ones above win. */
function coalesceGlobals(into: Dict, from: Dict, prefix: string, warn: Warn): void {
  const [own, above] = [into.get('global') ?? newIf(into), from.get('global') ?? newIf(from)]
  if (!isDict(own) || !isDict(above)) {
    warn(`warning: skipping globals because ${isDict(own) ? 'source' : 'destination'} global is not a table.`)
    return
  }
  for (const [key, value] of above) {
    const old = own.get(key)
    if (isDict(value)) {
      const copy: Dict = new Map(value)
      if (old === undefined) own.set(key, copy)
      else if (isDict(old)) own.set(key, coalesceTables(copy, old, true, joined(prefix, key), warn))
      else warn(`Conflict: cannot merge map onto non-map for ${quoted(key)}. Skipping.`)
    } else if (isDict(old)) warn(`key ${key} is table. Skipping`)
    else own.set(key, value)
  }
  into.set('global', own)
}

/** A global that is null is no table, one that is not there is an empty one. */
function newIf(values: Dict): Value {
  return values.has('global') ? null : new Map()
}

function coalesceOwn(chart: ValueTree, into: Dict, { nulls, warn }: Way, prefix: string): void {
  const merge = nulls === 'all'
  for (const [key, value] of deepCopy(chart.values) as Dict) {
    if (nulls === 'dropped') dropNulls(value)
    const above = into.get(key)
    if (above === undefined) {
      if (nulls !== 'dropped' || value !== null) into.set(key, value)
    } else if (above === null && !merge) into.delete(key)
    else if (isDict(above) && isDict(value))
      coalesceTables(above, value, merge || isSubchart(chart, key), `${prefix}.${key}`, warn)
    else if (isDict(above) && value !== null) warn(`warning: skipped value for ${prefix}.${key}: Not a table.`)
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

/** `from` into `into`, which wins. Both are changed. A null deletes only what was there and not null. `prefix`: for words. */
export function coalesceTables(into: Dict, from: Dict, merge: boolean, prefix = '', warn: Warn = untold): Dict {
  for (const [key, value] of from) {
    const above = into.get(key)
    if (above === undefined) into.set(key, value)
    else if (above === null) {
      if (!merge && value !== null) into.delete(key)
    } else if (isDict(value) && isDict(above)) coalesceTables(above, value, merge, joined(prefix, key), warn)
    else if (isDict(value))
      warn(`warning: cannot overwrite table with non table for ${joined(prefix, key)} (${formatted('%v', value)})`)
    else if (isDict(above) && value !== null)
      warn(`warning: destination for ${joined(prefix, key)} is a table. Ignoring non-table value (${formatted('%v', value)})`)
  }
  return into
}
