// A chart and its values to what `helm template` makes of them, in Helm's order of steps and with Helm's words for every fault.

import { isHelmTemplate } from '../chart/chart.js'
import { type Chart, fullPath, missingDependencies, processDependencies, workingCopy } from '../chart/dependencies.js'
import type { LoadedChart, TemplateFile } from '../chart/load.js'
import { objectsOf, type RenderedObject } from '../chart/manifests.js'
import { ChartError } from '../chart/metadata.js'
import { isWithin } from '../chart/version.js'
import type { Files } from '../files.js'
import type { Meter } from '../limits.js'
import { schemaProblems } from '../schema/values.js'
import { quoted } from '../value/quote.js'
import { textOf } from '../value/text.js'
import { type Dict, int, type Value } from '../value/value.js'
import { coalesceValues, type Warn } from '../values/coalesce.js'
import { loadYaml } from '../yaml/load.js'
import { renderTemplates, type Surroundings } from './engine.js'
import type { Written } from './handlebars.js'
import { type Capabilities, capabilitiesStruct } from './objects.js'
import { isTest, type Profile, type Sorted, sortDocuments } from './output.js'

export interface HelmInput {
  readonly chart: LoadedChart
  /** What the user gives: value files and parameters, merged. Left as it is. */
  readonly values: Dict
  readonly release: { readonly name: string; readonly namespace: string; readonly isUpgrade: boolean; readonly revision: number }
  readonly capabilities: Capabilities
  readonly profile: Profile
  readonly skipSchema: boolean
  readonly meter: Meter
  readonly surroundings: Surroundings
  readonly asked?: Files['asked'] | undefined
  /** Is told the rendered files by path, before anything looks whether they are YAML. */
  readonly rendered?: (files: ReadonlyMap<string, string>) => void
  /** Is told at once what `HelmOutput.warnings` says in the end, so that it is said where the render fails, too. */
  readonly warn?: (words: string) => void
}

/** The cluster's version is not what the chart wants. */
export class KubeVersionMismatch extends ChartError {}

/** Values that `values.schema.json` refuses. */
export class SchemaViolation extends ChartError {}

export interface CrdFile {
  /** `chart/crds/web.yaml` */
  readonly path: string
  readonly bytes: Uint8Array
}

export interface HelmOutput extends Sorted {
  /** `crds/**` of the chart and its subcharts, as they are. */
  readonly crds: readonly CrdFile[]
  /** The chart's own NOTES.txt. */
  readonly notes: string
  /** What Handlebars templates wrote, by path. */
  readonly handlebars: ReadonlyMap<string, HandlebarsFile>
  /** The root chart's, as its templates saw (and may have changed) them. */
  readonly values: Dict
  /** By path (`chart/charts/alias/templates/web.yaml`). */
  readonly templates: ReadonlyMap<string, TemplateFile>
}

export interface HandlebarsFile {
  /** What stands in each of its documents, with the offset where that begins. */
  readonly documents: readonly { readonly start: number; readonly objects: readonly RenderedObject[] }[]
}

/** Throws errors with Helm's words: `ChartError`, `CoalesceError`, `EngineError`, `OutputError`; `RenderFault` where a limit is reached. */
export function renderHelm(input: HelmInput): HelmOutput {
  const warned = new Set<string>()
  // Each once: Helm coalesces several times, and says it each time.
  const warn = (words: string): void => {
    if (warned.has(words)) return
    warned.add(words)
    input.warn?.(words)
  }
  for (const words of loadWarnings(input.chart)) warn(words)
  checkChart(input.chart, warn)
  checkName(input.release.name)
  const chart = workingCopy(input.chart)
  processDependencies(chart, input.values, warn)
  const values = coalesceValues(chart, input.values, input.profile === '4' ? 'dropped' : 'kept', warn)
  const problems = input.skipSchema ? '' : schemaProblems(chart, values)
  if (problems !== '')
    throw new SchemaViolation(`values don't meet the specifications of the schema(s) in the following chart(s):\n${problems}`)
  checkKubeVersion(chart, input.capabilities.kubeVersion.version)
  const written = new Map<string, Written>()
  const files = renderTemplates({
    chart,
    wrote: (path, one) => written.set(path, one),
    values,
    release: releaseDict(input.release, isOnlySlipways(input.chart) ? 'Slipway' : 'Helm'),
    capabilities: capabilitiesStruct(input.capabilities),
    meter: input.meter,
    surroundings: input.surroundings,
    profile: input.profile,
    asked: input.asked,
  })
  const notes = files.get(`${chart.metadata.name}/templates/NOTES.txt`) ?? ''
  for (const path of [...files.keys()]) if (path.endsWith('NOTES.txt')) files.delete(path)
  input.rendered?.(files)
  // Before Helm's own look at the files, which knows no places.
  const handlebars = new Map([...written].map(([path, one]) => [path, objectsIn(one, input.meter)] as const))
  const sorted = sortDocuments(files, input.profile)
  sorted.warnings.forEach(warn)
  return {
    ...sorted,
    warnings: [...warned],
    crds: crdsOf(chart),
    notes,
    handlebars,
    values,
    templates: new Map(templatesOf(chart)),
  }
}

function loadWarnings({ warnings, dependencies }: LoadedChart): string[] {
  return [...warnings, ...dependencies.flatMap(loadWarnings)]
}

/** Throws `RenderFault` at the template's line. */
function objectsIn({ output, source, file }: Written, { limits }: Meter): HandlebarsFile {
  const text = output.text()
  const template = { source, lineAt: (at: number) => output.lineAt(at) }
  const documents = loadYaml(text, { file, limits, mode: 'manifest', template })
  return {
    documents: documents.map(document => ({
      start: document.start,
      objects: objectsOf({ file, text, limits, template }, document),
    })),
  }
}

function checkChart(chart: LoadedChart, warn: Warn): void {
  const { type, deprecated } = chart.metadata
  if (type !== '' && type !== 'application') throw new ChartError(`${type} charts are not installable`)
  if (deprecated) warn('WARNING: This chart is deprecated')
  const missing = missingDependencies(chart)
  if (missing.length > 0)
    throw new ChartError(
      `An error occurred while checking for chart dependencies. You may need to run \`helm dependency build\` to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: ${missing.join(', ')}`,
    )
}

const nameForm = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

function checkName(name: string): void {
  if (name === '') throw new ChartError(`release name ${quoted(name)}: no name provided`)
  if (name.length > 53 || !nameForm.test(name))
    throw new ChartError(
      `release name ${quoted(name)}: invalid release name, must match regex ${nameForm.source} and the length must not be longer than 53`,
    )
}

function checkKubeVersion(chart: Chart, version: string): void {
  const { kubeVersion } = chart.metadata
  if (kubeVersion !== '' && !isWithin(kubeVersion, version))
    throw new KubeVersionMismatch(`chart requires kubeVersion: ${kubeVersion} which is incompatible with Kubernetes ${version}`)
}

/** Nothing in it that Helm could render. */
function isOnlySlipways({ templates, dependencies }: LoadedChart): boolean {
  return dependencies.length === 0 && templates.length > 0 && !templates.some(({ name }) => isHelmTemplate(name))
}

function releaseDict({ name, namespace, isUpgrade, revision }: HelmInput['release'], service: string): Dict {
  return new Map<string, Value>([
    ['Name', name],
    ['Namespace', namespace],
    ['IsUpgrade', isUpgrade],
    ['IsInstall', !isUpgrade],
    ['Revision', int(revision)],
    ['Service', service],
  ])
}

/** Charts under an alias have the templates of the chart that they stand for. */
function templatesOf(chart: Chart): (readonly [path: string, template: TemplateFile])[] {
  const folder = fullPath(chart)
  const own = chart.templates.map(template => [`${folder}/${template.name}`, template] as const)
  return [...own, ...chart.dependencies.flatMap(templatesOf)]
}

function crdsOf(chart: Chart): CrdFile[] {
  const own = chart.files
    .filter(({ name }) => name.startsWith('crds/') && /\.(?:yaml|yml|json)$/i.test(name))
    .map(({ name, bytes }) => ({ path: `${fullPath(chart)}/${name}`, bytes }))
  return [...own, ...chart.dependencies.flatMap(crdsOf)]
}

export interface PrintOptions {
  readonly includeCrds: boolean
  readonly noHooks: boolean
  readonly skipTests: boolean
}

/** What is printed under one `# Source:`. */
export interface Section {
  /** `shop/templates/web.yaml` */
  readonly path: string
  readonly text: string
}

export interface Sections {
  readonly crds: readonly Section[]
  readonly documents: readonly Section[]
  readonly hooks: readonly Section[]
}

export function sectionsOf(output: HelmOutput, options: PrintOptions): Sections {
  return {
    crds: options.includeCrds ? output.crds.map(({ path, bytes }) => ({ path, text: textOf(bytes) })) : [],
    documents: output.documents,
    hooks: options.noHooks ? [] : output.hooks.filter(hook => !(options.skipTests && isTest(hook))),
  }
}

export function sectionText({ path, text }: Section): string {
  return `---\n# Source: ${path}\n${text}\n`
}

/** What `helm template` prints. */
export function printed({ crds, documents, hooks }: Sections): string {
  const manifest = [...crds, ...documents].map(sectionText).join('')
  return `${manifest.trim()}\n${hooks.map(sectionText).join('')}`
}
