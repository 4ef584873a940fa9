// Charts for the controller, in either language: files and options in, objects with their origins out; what is wrong is told with the file, the line and a caret.
import { createHash } from 'node:crypto'
import type { ChartFile } from '../chart/archive.js'
import { type LoadedChart, loadDirectory, type TemplateFile, walked } from '../chart/load.js'
import { objectsOf, type RenderedObject, readManifests } from '../chart/manifests.js'
import { ChartError } from '../chart/metadata.js'
import { parseKubeVersion } from '../chart/version.js'
import type { Place } from '../fault.js'
import type { Files } from '../files.js'
import { defaultLimits, type Meter } from '../limits.js'
import { textOf } from '../value/text.js'
import { givenValues, type ValueInputs } from '../values/given.js'
import { DecodeError } from '../yaml/decode.js'
import { loadYaml, type YamlDocument } from '../yaml/load.js'
import { defaultApiVersions } from './api-versions.js'
import type { Surroundings } from './engine.js'
import { faultOf, relative } from './faults.js'
import { type Document, helmVersions, isTest, type Profile } from './output.js'
import { type CrdFile, type HandlebarsFile, type HelmOutput, renderHelm } from './render.js'

export interface DoorOptions extends ValueInputs {
  readonly release: { readonly name: string; readonly namespace: string }
  readonly capabilities: { readonly kubeVersion: string; readonly apiVersions: readonly string[] }
  /** Beside those of `capabilities`, as `--api-versions` adds them. */
  readonly addedApiVersions?: readonly string[]
  readonly skipCrds?: boolean
  /** Hooks that are tests. */
  readonly skipTests?: boolean
  readonly skipSchema?: boolean
  /** Whose output; Helm 3's where it is not said. */
  readonly profile?: Profile
}

/** Loaded charts of earlier renders, by what is in their files; the caller bounds it. */
export interface ChartCache {
  get(key: string): LoadedChart | undefined
  set(key: string, chart: LoadedChart): unknown
}

export interface RenderedChart {
  /** In Helm's order, with the places of their templates. Hooks are among them, with their annotations. */
  readonly objects: readonly RenderedObject[]
  /** What Helm would have said beside it, without values. */
  readonly warnings: readonly string[]
}

/** Throws `RenderFault`. */
export function renderChart(
  files: Files,
  options: DoorOptions,
  meter: Meter,
  surroundings: Surroundings,
  charts: ChartCache,
): RenderedChart {
  try {
    const chart = loaded(files, charts)
    const { profile = '3' } = options
    const kubeVersion = parseKubeVersion(options.capabilities.kubeVersion) ?? { version: 'v1.31.0', major: '1', minor: '31' }
    const { apiVersions } = options.capabilities
    const output = renderHelm({
      chart,
      values: givenValues(options),
      release: { ...options.release, isUpgrade: false, revision: 1 },
      capabilities: {
        kubeVersion,
        apiVersions: [...(apiVersions.length === 0 ? defaultApiVersions : apiVersions), ...(options.addedApiVersions ?? [])],
        helmVersion: helmVersions[profile],
      },
      profile,
      skipSchema: options.skipSchema === true,
      meter,
      surroundings,
      asked: files.asked,
    })
    return { objects: objectsIn(output, options, meter), warnings: shownWarnings(output.warnings) }
  } catch (cause) {
    throw faultOf(cause, path => textOf(files.read(relative(path)) ?? new Uint8Array()))
  }
}

const mostWarnings = 20

/** Helm shows the values that it does not take: what a chart's defaults are is nobody's who may look at the application only. */
function shownWarnings(warnings: readonly string[]): string[] {
  const some = warnings
    .slice(0, mostWarnings)
    .map(words => words.replace(/^(warning: (?:cannot overwrite table|destination for) .*?) \(.*\)$/s, '$1'))
    .map(words => (words.length > 300 ? `${words.slice(0, 299)}…` : words))
  const more = warnings.length - some.length
  return more === 0 ? some : [...some, `and ${more} more`]
}

function loaded(files: Files, charts: ChartCache): LoadedChart {
  const known = files.id === undefined ? undefined : charts.get(files.id)
  if (known !== undefined) return known
  const contents = walked(files.paths).map(name => ({ name, bytes: files.read(name) ?? new Uint8Array() }))
  return files.id === undefined ? byContent(contents, charts) : kept(files.id, contents, charts)
}

function byContent(contents: readonly ChartFile[], charts: ChartCache): LoadedChart {
  const hash = createHash('sha256')
  for (const { name, bytes } of contents) hash.update(`${name}\0${bytes.length}\0`).update(bytes)
  const key = hash.digest('hex')
  return charts.get(key) ?? kept(key, contents, charts)
}

function kept(key: string, contents: readonly ChartFile[], charts: ChartCache): LoadedChart {
  try {
    const chart = loadDirectory(contents)
    charts.set(key, chart)
    return chart
  } catch (cause) {
    if (!(cause instanceof ChartError || cause instanceof DecodeError)) throw cause
    for (const { name, bytes } of contents) if (/(?:^|\/)(?:Chart|values)\.yaml$/.test(name)) findFault(name, bytes)
    throw cause
  }
}

/** Helm's words for YAML that cannot be read name a line at best: read again for the place, with a caret. */
function findFault(file: string, bytes: Uint8Array): void {
  loadYaml(textOf(bytes), { file, limits: defaultLimits, mode: 'values' })
}

function objectsIn(output: HelmOutput, { skipCrds, skipTests }: DoorOptions, meter: Meter): RenderedObject[] {
  const lines = new Lines()
  const crds = (skipCrds === true ? [] : output.crds).flatMap(crd => crdObjects(crd, meter))
  const hooks = skipTests === true ? output.hooks.filter(hook => !isTest(hook)) : output.hooks
  const documents = [...output.documents, ...hooks].flatMap(document => {
    const written = output.handlebars.get(document.path)
    if (written !== undefined) return handlebarsObjects(document, written)
    const file = relative(document.path)
    const template = output.templates.get(document.path)
    return documentObjects(document, file, template?.text ?? '', template === undefined ? 1 : lines.of(document, template), meter)
  })
  return [...crds, ...documents]
}

/** By what a document says: a text that is read once (`output.ts`) is made into objects once. */
const manifestsRead = new WeakMap<object, readonly RenderedObject['manifest'][]>()

function documentObjects({ value, text }: Document, file: string, source: string, line: number, meter: Meter): RenderedObject[] {
  const known = typeof value === 'object' && value !== null ? manifestsRead.get(value) : undefined
  if (known !== undefined) return known.map(manifest => ({ manifest, file, line }))
  const place: Place = { file, line, column: 0 }
  const read: YamlDocument = { value, start: 0, place, locate: () => place }
  const objects = objectsOf({ file, text, limits: meter.limits, template: { source, lineAt: () => line } }, read)
  if (typeof value === 'object' && value !== null)
    manifestsRead.set(
      value,
      objects.map(({ manifest }) => manifest),
    )
  return objects
}

function handlebarsObjects(document: Document, written: HandlebarsFile): RenderedObject[] {
  const end = document.start + document.text.length
  return written.documents.filter(({ start }) => start >= document.start && start < end).flatMap(({ objects }) => objects)
}

const crdsRead = new WeakMap<Uint8Array, ReadonlyMap<string, readonly RenderedObject[]>>()

/** CRDs are no templates: read once for as long as their chart is kept. */
function crdObjects({ path, bytes }: CrdFile, meter: Meter): readonly RenderedObject[] {
  const file = relative(path)
  const known = crdsRead.get(bytes)?.get(file)
  if (known !== undefined) return known
  const objects = readManifests({ file, text: textOf(bytes), limits: meter.limits })
  crdsRead.set(bytes, new Map([...(crdsRead.get(bytes) ?? []), [file, objects] as const]))
  return objects
}

/** Where in its template a document was written, as far as its `kind` tells: the n-th of a kind is at the n-th such line. */
class Lines {
  readonly #seen = new Map<string, number>()

  of(document: Document, template: TemplateFile): number {
    const key = `${document.path} ${document.kind}`
    const nth = this.#seen.get(key) ?? 0
    this.#seen.set(key, nth + 1)
    const places = placesIn(template).get(document.kind) ?? []
    return places[Math.min(nth, places.length - 1)] ?? 1
  }
}

type Places = ReadonlyMap<string, readonly number[]>
const placesKnown = new WeakMap<TemplateFile, Places>()

/** By kind the lines that say so. */
function placesIn(template: TemplateFile): Places {
  const known = placesKnown.get(template)
  if (known !== undefined) return known
  const places = new Map<string, number[]>()
  const { text } = template
  let [line, counted] = [1, 0]
  for (let at = text.indexOf('kind: '); at >= 0; at = text.indexOf('kind: ', at + 6)) {
    const start = text.lastIndexOf('\n', at) + 1
    if (text.slice(start, at).trim() !== '') continue
    for (let feed = text.indexOf('\n', counted); feed >= 0 && feed < start; feed = text.indexOf('\n', feed + 1)) line++
    counted = start
    const end = text.indexOf('\n', at)
    const kind = text.slice(at + 6, end < 0 ? text.length : end).trim()
    places.set(kind, [...(places.get(kind) ?? []), line])
  }
  placesKnown.set(template, places)
  return places
}
