// Which subcharts of a chart are rendered, under which names, and what values they export (Helm's `chartutil/dependencies.go`).
import { sprint } from '../value/format.js'
import { type Dict, isDict, type Value } from '../value/value.js'
import { coalesceTables, coalesceValues, deepCopy, mergeValues } from '../values/coalesce.js'
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
export function processDependencies(chart: Chart, values: Dict): void {
  enableDependencies(chart, values, '')
  importValues(chart)
}

/** `path`: of the chart's values within the root's, with a dot at the end. */
export function enableDependencies(chart: Chart, values: Dict, path: string): void {
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
  const coalesced = coalesceValues(chart, values)
  applyTags(wanted, coalesced)
  applyConditions(wanted, coalesced, path)
  const disabled = new Set(wanted.filter(({ enabled }) => !enabled).map(({ name }) => name))
  const left = chart.dependencies.filter(({ metadata }) => !disabled.has(metadata.name))
  for (const below of left) enableDependencies(below, coalesced, `${path}${below.metadata.name}.`)
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
function applyTags(dependencies: readonly Dependency[], values: Dict): void {
  const tags = values.get('tags')
  if (!isDict(tags)) return
  for (const dependency of dependencies) {
    const said = (dependency.tags ?? []).map(tag => tags.get(tag)).filter(value => typeof value === 'boolean')
    dependency.enabled = said.length === 0 || said.includes(true)
  }
}

/** The first path with a boolean decides. */
function applyConditions(dependencies: readonly Dependency[], values: Dict, path: string): void {
  for (const dependency of dependencies)
    for (const condition of dependency.condition.trim().split(',')) {
      const value = condition === '' ? undefined : valueAt(values, (path + condition).split('.'))
      if (typeof value !== 'boolean') continue
      dependency.enabled = value
      break
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

function tableAt(values: Dict, path: string): Dict | null {
  const table = valueAt(values, path.split('.'))
  return isDict(table) ? table : null
}

/** From the deepest charts up: what a subchart exports stands below the chart's own values. */
export function importValues(chart: Chart): void {
  for (const below of chart.dependencies) importValues(below)
  const { dependencies } = chart.metadata
  if (dependencies === null) return
  const merged = mergeValues(chart, new Map())
  let imported: Dict = new Map()
  for (const dependency of dependencies)
    dependency.importValues = (dependency.importValues ?? []).flatMap(item => {
      const paths = importPaths(item)
      if (paths === null) return []
      const table = tableAt(merged, `${dependency.name}.${paths.child}`)
      if (table !== null) imported = coalesceTables(imported, atPath(paths.parent, table), true)
      return [new Map(Object.entries(paths))]
    })
  chart.values = coalesceTables(deepCopy(merged) as Dict, imported, true)
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
