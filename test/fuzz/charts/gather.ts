// Charts found in folders of sources, made whole: what a chart depends on and does not hold is taken from the charts beside it.
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dump, load } from 'js-yaml'
import type { ChartFile } from '../../../renderer/chart/archive.js'
import { walked } from '../../../renderer/chart/load.js'

export type Charts = ReadonlyMap<string, readonly string[]>

interface Metadata {
  readonly name?: string
  readonly dependencies?: readonly { readonly name?: string }[]
}

/** The outermost folders under `root` with a Chart.yaml. */
export function chartsUnder(root: string): readonly string[] {
  if (existsSync(join(root, 'Chart.yaml'))) return [root]
  return readdirSync(root, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && entry.name !== '.git')
    .flatMap(entry => chartsUnder(join(root, entry.name)))
}

export function byName(charts: readonly string[]): Charts {
  const found = new Map<string, string[]>()
  for (const chart of charts) {
    const name = metadata(join(chart, 'Chart.yaml'))?.name
    if (name !== undefined) found.set(name, [...(found.get(name) ?? []), chart])
  }
  return found
}

function metadata(file: string): Metadata | undefined {
  try {
    return load(readFileSync(file, 'utf8'), { json: true }) as Metadata
  } catch {
    return undefined
  }
}

/** Copies the chart to `target`. Returns the name of a dependency that no folder holds, or undefined where it is whole. */
export function makeWhole(chart: string, target: string, known: Charts, within: readonly string[] = []): string | undefined {
  rmSync(target, { recursive: true, force: true })
  cpSync(chart, target, { recursive: true, dereference: true })
  for (const lock of ['Chart.lock', 'requirements.lock']) rmSync(join(target, lock), { force: true })
  for (const file of ['Chart.yaml', 'requirements.yaml'].map(name => join(target, name))) {
    const missing = fill(file, chart, target, known, within)
    if (missing !== undefined) return missing
  }
  return undefined
}

/** Whatever version is there is the one that was asked for: both renderers see the same. */
function fill(file: string, chart: string, target: string, known: Charts, within: readonly string[]): string | undefined {
  const read = existsSync(file) ? metadata(file) : undefined
  if (read === undefined || !Array.isArray(read.dependencies)) return undefined
  const taken = new Set<string>()
  for (const { name } of read.dependencies) {
    if (name === undefined || taken.has(name) || holds(join(target, 'charts'), name)) continue
    const others = (known.get(name) ?? []).filter(other => other !== chart && !within.includes(other))
    const found = others.toSorted((one, other) => shared(other, chart) - shared(one, chart))[0]
    if (found === undefined || within.length > 3) return name
    const missing = makeWhole(found, join(target, 'charts', name), known, [...within, chart])
    if (missing !== undefined) return missing
    taken.add(name)
  }
  const dependencies = read.dependencies.map(one => (taken.has(one.name ?? '') ? { ...one, version: '>=0.0.0-0' } : one))
  if (taken.size > 0) writeFileSync(file, dump({ ...read, dependencies }))
  return undefined
}

function holds(folder: string, name: string): boolean {
  const entries = existsSync(folder) ? readdirSync(folder) : []
  return entries.some(entry => entry === name || (entry.startsWith(`${name}-`) && entry.endsWith('.tgz')))
}

/** How much of two paths is the same: the nearest chart of a name is the one that is meant. */
function shared(one: string, other: string): number {
  const at = [...one].findIndex((letter, at) => letter !== other[at])
  return at < 0 ? one.length : at
}

export function filesOf(root: string): readonly ChartFile[] {
  const paths = (folder: string): readonly string[] =>
    readdirSync(join(root, folder)).flatMap(name => {
      const path = folder === '' ? name : `${folder}/${name}`
      return statSync(join(root, path)).isDirectory() ? paths(path) : [path]
    })
  return walked([...paths('')]).map(name => ({ name, bytes: readFileSync(join(root, name)) }))
}
