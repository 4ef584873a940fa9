// Which subcharts of a chart are rendered, under which names, and what values they export (Helm's `chartutil/dependencies.go`).
import { sprint } from '../value/format.js'
import { quoted } from '../value/quote.js'
import { type Dict, isDict, type Value } from '../value/value.js'
import { coalesceTables, coalesceValues, deepCopy, mergeValues, type Warn } from '../values/coalesce.js'
import type { ChartFile } from './archive.js'
import type { LoadedChart, TemplateFile } from './load.js'
import type { Dependency, Metadata } from './metadata.js'
import { isWithin } from './version.js'

/** A chart while it is rendered. Copies of one chart (aliases) share what Helm's copies share. */
export interface Chart {
  metadata: Metadata
  values: Dict
  readonly schema: Uint8Array | null
  readonly templates: readonly TemplateFile[]
  readonly files: readonly ChartFile[]
  dependencies: Chart[]
  parent: Chart | null
}

/** A working copy, from which nothing reaches the loaded chart. */
export function workingCopy(loaded: LoadedChart): Chart {
  const { metadata } = loaded
  const chart: Chart = {
    ...loaded,
    metadata: { ...metadata, dependencies: metadata.dependencies?.map(dependency => ({ ...dependency })) ?? null },
    dependencies: [],
    parent: null,
  }
  setDependencies(chart, loaded.dependencies.map(workingCopy))
  return chart
}

function setDependencies(chart: Chart, dependencies: readonly Chart[]): void {
  for (const below of dependencies) below.parent = chart
  chart.dependencies = [...dependencies]
}

/** `frobnitz/charts/alpine` */
export function fullPath(chart: Chart): string {
  return chart.parent === null ? chart.metadata.name : `${fullPath(chart.parent)}/charts/${chart.metadata.name}`
}

/** What Chart.yaml lists and `charts/` lacks, in Helm's order; names. */
export function missingDependencies(chart: LoadedChart): string[] {
  const present = new Set(chart.dependencies.map(below => below.metadata.name))
  return (chart.metadata.dependencies ?? []).map(({ name }) => name).filter(name => !present.has(name))
}

/** `helm template`'s way: nulls in what is imported stay. Changes the chart. Throws `CoalesceError`. */
export function processDependencies(chart: Chart, values: Dict, warn: Warn): void {
  enableDependencies(chart, values, '', warn)
  importValues(chart, warn)
}

const untold: Warn = () => {}

/** `path`: of the chart's values within the root's, with a dot at the end. */
export function enableDependencies(chart: Chart, values: Dict, path: string, warn: Warn = untold): void {
  const wanted = chart.metadata.dependencies
  if (wanted === null) return
  const unlisted = chart.dependencies.filter(
    below => !wanted.some(({ name, version }) => below.metadata.name === name && isWithin(version, below.metadata.version)),
  )
  const listed: Chart[] = []
  for (const dependency of wanted) {
    const copy = aliased(chart.dependencies, dependency)
    if (copy !== null) listed.push(copy)
    if (dependency.alias !== '') dependency.name = dependency.alias
  }
  setDependencies(chart, [...unlisted, ...listed])
  for (const dependency of wanted) dependency.enabled = true
  const coalesced = coalesceValues(chart, values, 'kept', warn)
  applyTags(wanted, coalesced, warn)
  applyConditions(wanted, coalesced, path, warn)
  const disabled = new Set(wanted.filter(({ enabled }) => !enabled).map(({ name }) => name))
  const left = chart.dependencies.filter(({ metadata }) => !disabled.has(metadata.name))
  for (const below of left) enableDependencies(below, coalesced, `${path}${below.metadata.name}.`, warn)
  const enabled = wanted.filter(({ name }) => !disabled.has(name))
  chart.metadata.dependencies = enabled.length === 0 ? null : enabled
  setDependencies(chart, left)
}

function aliased(charts: readonly Chart[], dependency: Dependency): Chart | null {
  const found = charts.find(({ metadata }) => metadata.name === dependency.name && isWithin(dependency.version, metadata.version))
  if (found === undefined) return null
  const name = dependency.alias === '' ? found.metadata.name : dependency.alias
  return { ...found, metadata: { ...found.metadata, name } }
}

/** Any true tag enables; only false ones disable. */
function applyTags(dependencies: readonly Dependency[], values: Dict, warn: Warn): void {
  const tags = values.get('tags')
  if (!isDict(tags)) return
  for (const dependency of dependencies) {
    const named = (dependency.tags ?? []).filter(tag => tags.has(tag))
    const said = named.map(tag => tags.get(tag)).filter(value => typeof value === 'boolean')
    for (const tag of named)
      if (typeof tags.get(tag) !== 'boolean') warn(`Warning: Tag '${tag}' for chart ${dependency.name} returned non-bool value`)
    dependency.enabled = said.length === 0 || said.includes(true)
  }
}

/** The first path with a boolean decides. */
function applyConditions(dependencies: readonly Dependency[], values: Dict, path: string, warn: Warn): void {
  for (const dependency of dependencies)
    for (const condition of dependency.condition.trim().split(',')) {
      const value = condition === '' ? undefined : valueAt(values, (path + condition).split('.'))
      if (typeof value === 'boolean') {
        dependency.enabled = value
        break
      }
      if (value !== undefined && !isDict(value))
        warn(`Warning: Condition path '${condition}' for chart ${dependency.name} returned non-bool value`)
    }
}

function valueAt(values: Dict, path: readonly string[]): Value | undefined {
  let value: Value | undefined = values
  for (const step of path) {
    if (!isDict(value)) return undefined
    value = value.get(step)
  }
  return value
}

/** The map at a path, or the first step that is none. */
function tableAt(values: Dict, path: string): Dict | string {
  let table = values
  for (const step of path.split('.')) {
    const inner = table.get(step)
    if (!isDict(inner)) return step
    table = inner
  }
  return table
}

/** From the deepest charts up: what a subchart exports stands below the chart's own values. */
export function importValues(chart: Chart, warn: Warn = untold): void {
  for (const below of chart.dependencies) importValues(below, warn)
  const { dependencies } = chart.metadata
  if (dependencies === null) return
  const merged = mergeValues(chart, new Map(), warn)
  let imported: Dict = new Map()
  for (const dependency of dependencies)
    dependency.importValues = (dependency.importValues ?? []).flatMap(item => {
      const paths = importPaths(item)
      if (paths === null) return []
      const table = tableAt(merged, `${dependency.name}.${paths.child}`)
      if (typeof table === 'string')
        warn(
          `Warning: ImportValues missing table${isDict(item) ? ` from chart ${dependency.name}` : ''}: ${quoted(table)} is not a table`,
        )
      else imported = coalesceTables(imported, atPath(paths.parent, table), true, '', warn)
      return [new Map(Object.entries(paths))]
    })
  chart.values = coalesceTables(deepCopy(merged) as Dict, imported, true, '', warn)
}

function importPaths(item: Value): { readonly child: string; readonly parent: string } | null {
  if (typeof item === 'string') return { child: `exports.${item}`, parent: '.' }
  if (!isDict(item)) return null
  return { child: sprint(item.get('child') ?? null), parent: sprint(item.get('parent') ?? null) }
}

function atPath(path: string, table: Dict): Dict {
  if (path === '.') return table
  return path.split('.').reduceRight<Dict>((inner, step) => new Map([[step, inner]]), table)
}
