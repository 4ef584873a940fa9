// Charts for the controller, in either language: files and options in, objects with their origins out; what is wrong is told with the file, the line and a caret.
import { createHash } from 'node:crypto'
import type { ChartFile } from '../chart/archive.js'
import { type LoadedChart, loadDirectory, type TemplateFile, walked } from '../chart/load.js'
import { objectsOf, type RenderedObject, readManifests } from '../chart/manifests.js'
import { ChartError } from '../chart/metadata.js'
import { parseKubeVersion } from '../chart/version.js'
import { faultAt, holdsSecrets, type Place, RenderFault } from '../fault.js'
import type { Files } from '../files.js'
import { ExecError, ParseError } from '../gotemplate/index.js'
import { defaultLimits, type Meter } from '../limits.js'
import { withoutValues } from '../value/masked.js'
import { textOf } from '../value/text.js'
import { CoalesceError } from '../values/coalesce.js'
import { givenValues, type ValueInputs } from '../values/given.js'
import { DecodeError } from '../yaml/decode.js'
import { loadYaml, type YamlDocument } from '../yaml/load.js'
import { defaultApiVersions } from './api-versions.js'
import { EngineError, type Surroundings } from './engine.js'
import { refusalIn } from './functions.js'
import { type Document, isTest, OutputError } from './output.js'
import { type CrdFile, type HandlebarsFile, type HelmOutput, renderHelm, SchemaViolation } from './render.js'

export interface DoorOptions extends ValueInputs {
  readonly release: { readonly name: string; readonly namespace: string }
  readonly capabilities: { readonly kubeVersion: string; readonly apiVersions: readonly string[] }
  /** Beside those of `capabilities`, as `--api-versions` adds them. */
  readonly addedApiVersions?: readonly string[]
  readonly skipCrds?: boolean
  /** Hooks that are tests. */
  readonly skipTests?: boolean
  readonly skipSchema?: boolean
}

/** Loaded charts of earlier renders, by what is in their files; the caller bounds it. */
export interface ChartCache {
  get(key: string): LoadedChart | undefined
  set(key: string, chart: LoadedChart): unknown
}

/** Objects in Helm's order, with the places of their templates. Throws `RenderFault`. Hooks are among them, with their annotations. */
export function renderChart(
  files: Files,
  options: DoorOptions,
  meter: Meter,
  surroundings: Surroundings,
  charts: ChartCache,
): RenderedObject[] {
  try {
    const chart = loaded(files, charts)
    const kubeVersion = parseKubeVersion(options.capabilities.kubeVersion) ?? { version: 'v1.31.0', major: '1', minor: '31' }
    const { apiVersions } = options.capabilities
    const output = renderHelm({
      chart,
      values: givenValues(options),
      release: { ...options.release, isUpgrade: false, revision: 1 },
      capabilities: {
        kubeVersion,
        apiVersions: [...(apiVersions.length === 0 ? defaultApiVersions : apiVersions), ...(options.addedApiVersions ?? [])],
        helmVersion: 'v3.22',
      },
      profile: '3',
      skipSchema: options.skipSchema === true,
      meter,
      surroundings,
      asked: files.asked,
    })
    return objectsIn(output, options, meter)
  } catch (cause) {
    throw faultOf(cause)
  }
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

/** `templates/web.yaml`, `charts/redis/templates/web.yaml`: without the chart's own name. */
function relative(path: string): string {
  return path.slice(path.indexOf('/') + 1)
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

function faultOf(cause: unknown): unknown {
  if (cause instanceof SchemaViolation) return new RenderFault('InvalidValues', withoutShownValues(cause.message))
  if (cause instanceof CoalesceError) return new RenderFault('InvalidValues', cause.message)
  if (cause instanceof ChartError || cause instanceof DecodeError) return new RenderFault('InvalidChart', cause.message)
  if (cause instanceof OutputError) return new RenderFault('InvalidYaml', `${relative(cause.path)}: ${cause.what}`)
  if (cause instanceof EngineError) return templateFault(cause)
  return cause
}

/** `- at '/password': '…' does not match pattern '^x'`: two complaints of a schema show the value. */
function withoutShownValues(message: string): string {
  return message.replace(/^( *- at '[^']*': )'(?:[^'\\]|\\.)*'(?= does not match pattern | is not valid )/gm, "$1'…'")
}

/** The innermost template's place and words; what `fail` and `required` say, as it is. */
export function templateFault(error: EngineError): RenderFault {
  const found = error.origin instanceof ExecError ? error.origin.origin : error.origin
  if (!(found instanceof ExecError || found instanceof ParseError)) return new RenderFault('TemplateError', error.message)
  const place: Place = { ...found.place, file: relative(found.place.file) }
  const given = found instanceof ExecError ? found.given : []
  const what = refusalIn(found.what) ?? withoutValues(found.what, given, found.source.text)
  return faultAt(
    'TemplateError',
    place,
    what,
    found.source.text,
    holdsSecrets(found.source.text) || found.source.name === 'gotpl' ? 'texts' : 'nothing',
  )
}
