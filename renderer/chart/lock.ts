// Which charts a chart needs that do not lie in its `charts/`: read from Chart.yaml, held against the lock (Helm's `internal/resolver`).
import { createHash } from 'node:crypto'
import { encodeJson } from '../functions/helm/json.js'
import { CallError } from '../functions/signature.js'
import { parseConstraints } from '../functions/sprig/constraint.js'
import { quoted } from '../value/quote.js'
import { textOf } from '../value/text.js'
import type { Value } from '../value/value.js'
import { DecodeError } from '../yaml/decode.js'
import { type ChartFile, withoutMark } from './archive.js'
import { missingDependencies } from './dependencies.js'
import { ignoreRules, withoutIgnored } from './ignore.js'
import { type LoadedChart, loadArchive, loadDirectory } from './load.js'
import { ChartError, type Dependency, type Lock, readLock } from './metadata.js'

/** One chart that is to be put into `charts/`. */
export interface Need {
  readonly name: string
  /** As the lock pins it; a range of Chart.yaml where there is no lock. */
  readonly version: string
  /** `oci://host/path`, `https://host/path`, `file://../sibling`. */
  readonly repository: string
}

/** A chart, as far as those who bring its dependencies have to know it. */
export interface ChartFacts {
  readonly name: string
  readonly version: string
  /** What Chart.yaml lists and `charts/` lacks. */
  readonly needs: readonly Need[]
}

/** Names that `@name` and `alias:name` stand for. */
export type Aliases = Readonly<Record<string, string>>

/** Could these files need charts from elsewhere? Cheap, and never wrong when it says no. */
export function mayNeedCharts(files: readonly ChartFile[]): boolean {
  return files.some(
    ({ name, bytes }) =>
      name === 'requirements.yaml' || (name === 'Chart.yaml' && /dependencies|\\/i.test(Buffer.from(bytes).toString('latin1'))),
  )
}

/** The files by which it is told what is needed: the rest of a chart may be left away. */
export function tellsNeeds(path: string): boolean {
  return /^(?:Chart\.(?:yaml|lock)|requirements\.(?:yaml|lock)|\.helmignore|charts\/[^/]+\.tgz|charts\/[^/]+\/Chart\.yaml)$/.test(
    path,
  )
}

/**
 * `files`: of a chart's folder, at least those that `tellsNeeds` names.
 * Throws `ChartError` or `DecodeError`: a chart that cannot be read, a lock out of sync, a dependency that nothing can be found for.
 */
export function factsOf(files: readonly ChartFile[], aliases: Aliases): ChartFacts {
  const chart = loadDirectory(files)
  const { name, version } = chart.metadata
  return { name, version, needs: needsOf(chart, files, aliases) }
}

/** A packed chart brings its dependencies with it. Throws `ChartError` or `DecodeError`. */
export function factsOfArchive(archive: Uint8Array): ChartFacts {
  const { name, version } = loadArchive(archive).metadata
  return { name, version, needs: [] }
}

function needsOf(chart: LoadedChart, files: readonly ChartFile[], aliases: Aliases): readonly Need[] {
  const missing = new Set(missingDependencies(chart))
  if (missing.size === 0) return []
  const wanted = (chart.metadata.dependencies ?? []).map(dependency => withAddress(dependency, aliases))
  const lock = lockOf(files)
  if (lock !== null) checkLock(chart, wanted, lock)
  const source = lock === null ? wanted : (lock.dependencies ?? [])
  const charts = source
    .filter(({ name }) => missing.has(name))
    .map(({ name, version, repository }) => ({ name, version, repository }))
  for (const name of missing)
    if (!charts.some(chart => chart.name === name))
      throw new ChartError(`${lock?.file ?? 'Chart.yaml'}: does not say where chart ${quoted(name)} is from. ${update}`)
  for (const need of charts) checkNeed(need, chart)
  return once(charts)
}

const update = 'Run `helm dependency update` and commit what it wrote'

function withAddress(dependency: Dependency, aliases: Aliases): Dependency {
  const named = /^(?:@|alias:)(.*)$/.exec(dependency.repository)
  if (named === null) return dependency
  const repository = aliases[named[1] ?? '']
  if (repository === undefined)
    throw new ChartError(
      `Chart.yaml: dependency ${quoted(dependency.name)}: no repository is named ${quoted(named[1] ?? '')}. Write its URL, or name it in the configuration of whoever renders`,
    )
  return { ...dependency, repository }
}

function checkNeed({ name, version, repository }: Need, chart: LoadedChart): void {
  const where = `${fileOf(chart)}: dependency ${quoted(name)}`
  if (repository === '') throw new ChartError(`${where} names no repository, and is not in charts/: put it there, or name one`)
  if (!/^(?:oci|https?|file):\/\//.test(repository))
    throw new ChartError(
      `${where}: repository ${quoted(repository)} is none; write https://..., oci://... or file://... (a folder of this repository)`,
    )
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) throw new ChartError(`${where}: this is no name of a chart`)
  try {
    parseConstraints(version)
  } catch (cause) {
    if (!(cause instanceof CallError)) throw cause
    throw new ChartError(`dependency ${quoted(name)} has an invalid version/constraint format: ${cause.message}`)
  }
}

/** The same chart under two aliases is fetched once. */
function once(charts: readonly Need[]): Need[] {
  const keyed = new Map(charts.map(chart => [`${chart.repository} ${chart.name} ${chart.version}`, chart] as const))
  return [...keyed.values()]
}

function fileOf({ metadata }: LoadedChart): string {
  return metadata.apiVersion === 'v1' ? 'requirements.yaml' : 'Chart.yaml'
}

/** Of two lock files Helm takes the one that it reads last. */
function lockOf(files: readonly ChartFile[]): (Lock & { readonly file: string }) | null {
  const rules = files.find(file => file.name === '.helmignore')
  const left = withoutIgnored(
    files.map(file => file.name),
    ignoreRules(rules === undefined ? '' : textOf(rules.bytes)),
  )
  for (const file of ['requirements.lock', 'Chart.lock']) {
    const found = left.includes(file) ? files.find(({ name }) => name === file) : undefined
    if (found === undefined) continue
    const lock = readLock(textOf(withoutMark(found.bytes)))
    return lock === null ? null : { ...lock, file }
  }
  return null
}

/** `Manager.Build`: the digest of Helm 3; for charts of v1 that of Helm 2 too. */
function checkLock(chart: LoadedChart, wanted: readonly Dependency[], lock: Lock): void {
  if (digestOf(wanted, lock.dependencies) === lock.digest) return
  const legacy = chart.metadata.apiVersion === 'v1'
  if (legacy && oldDigestOf(chart.metadata.dependencies) === lock.digest) return
  const [file, from] = legacy ? ['requirements.lock', 'requirements.yaml'] : ['Chart.lock', 'Chart.yaml']
  throw new ChartError(
    `the lock file (${file}) is out of sync with the dependencies file (${from}). Please update the dependencies: ${update.replace('R', 'r')}`,
  )
}

/** `resolver.HashReq`: both lists as Go's encoding/json writes them. */
export function digestOf(wanted: readonly Dependency[] | null, locked: readonly Dependency[] | null): string {
  return hashOf(`[${listJson(wanted)},${listJson(locked)}]`)
}

/** `resolver.HashV2Req` */
export function oldDigestOf(wanted: readonly Dependency[] | null): string {
  return hashOf(`{"dependencies":${listJson(wanted)}}`)
}

function hashOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

function listJson(dependencies: readonly Dependency[] | null): string {
  return dependencies === null ? 'null' : `[${dependencies.map(dependencyJson).join(',')}]`
}

/** `chart.Dependency`: in the order of its fields; what is empty is left out, but for name and repository. */
function dependencyJson(dependency: Dependency): string {
  const { name, version, repository, condition, tags, enabled, importValues, alias } = dependency
  const always = { name, version, repository, condition, tags, enabled, 'import-values': importValues, alias }
  const fields = Object.entries(always).filter(
    ([key, value]) =>
      key === 'name' || key === 'repository' || !(value === null || value === '' || value === false || isEmpty(value)),
  )
  return `{${fields.map(([key, value]) => `"${key}":${encodeJson(value as Value, { html: true, indent: '' })}`).join(',')}}`
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}

/** The files are at fault, not we. */
export function isChartFault(cause: unknown): cause is ChartError | DecodeError {
  return cause instanceof ChartError || cause instanceof DecodeError
}
