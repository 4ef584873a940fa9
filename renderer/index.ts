// The one door: files and options in, Kubernetes objects or one fault out. No network, no clock, no disk, no environment.
import { type Chart, isChart, isHelmChart, loadChart } from './chart/chart.js'
import { type DirectoryOptions, manifestPaths } from './chart/directory.js'
import { type RenderedObject, readManifests } from './chart/manifests.js'
import { type FaultReason, RenderFault } from './fault.js'
import { type Files, textOfFile } from './files.js'
import { evaluate, type World } from './handlebars/evaluate.js'
import { parseTemplate, type Template } from './handlebars/parse.js'
import { type ChartCache, renderHelmSide } from './helm/door.js'
import type { Surroundings } from './helm/engine.js'
import { defaultLimits, type Limits, Meter } from './limits.js'
import { type Dict, isDict, type Value } from './value.js'
import { gatherValues, type ValueInputs } from './values/gather.js'

export { isChart, isCore, isHelmChart, readsFiles } from './chart/chart.js'
export { isManifest, manifestPaths } from './chart/directory.js'
export { type Aliases, type ChartFacts, mayNeedCharts, type Need, tellsNeeds } from './chart/lock.js'
export type { ChartFile } from './chart/archive.js'
export { pack } from './chart/pack.js'
export { isExactVersion, meantVersion, type PublishedVersion, versionsOfTags } from './chart/published.js'
export { answerTo, type ChartAnswer, type ChartQuestion } from './chart/questions.js'
export type { RenderedObject } from './chart/manifests.js'
export { type FaultReason, RenderFault } from './fault.js'
export type { Chance } from './functions/signature.js'
export { type FileQuestion, type Files, isMeant, pathInRepository, valueFilePath } from './files.js'
export { walked } from './chart/load.js'
export type { ChartCache } from './helm/door.js'
export { pure, type Surroundings } from './helm/engine.js'
export { HelmFailure, helmTemplate, type Sets, type TemplateRequest } from './helm/template.js'
export { defaultLimits, type Limits } from './limits.js'
export { type Kept, type Minted, nothingTouched, type Question, questionOf, StickyBook, textsIn, type Touched } from './sticky.js'

export interface RenderOptions extends ValueInputs {
  readonly directory: DirectoryOptions
  readonly release: { readonly name: string; readonly namespace: string }
  readonly capabilities: Capabilities
  readonly limits?: Partial<Limits>
}

export interface Capabilities {
  /** `v1.31.0` */
  readonly kubeVersion: string
  readonly apiVersions: readonly string[]
}

export type Rendered =
  | { readonly objects: readonly RenderedObject[]; readonly error?: undefined }
  | {
      readonly error: { readonly reason: FaultReason; readonly message: string; readonly excerpt: string }
      readonly objects?: undefined
    }

/** Parsed templates of earlier renders, by file name and text; the caller bounds it. */
export interface ParseCache {
  get(key: string): Template | undefined
  set(key: string, template: Template): unknown
  /** Helm charts, with their parsed templates. */
  readonly charts?: ChartCache
}

/**
 * Same files, options and surroundings, same result. With a `Chart.yaml` it is a chart, else a directory of manifests.
 * `around`: a `StickyBook`, where what random functions give is kept; `pure`, where it is made anew each time.
 */
export function render(files: Files, options: RenderOptions, around: Surroundings, cache: ParseCache = new Map()): Rendered {
  const limits = { ...defaultLimits, ...options.limits }
  try {
    return {
      objects: isChart(files.paths)
        ? renderChart(files, options, limits, around, cache)
        : renderDirectory(files, options, limits),
    }
  } catch (cause) {
    if (!(cause instanceof RenderFault)) throw cause
    return { error: { reason: cause.reason, message: cause.message, excerpt: cause.excerpt } }
  }
}

/** YAML as the loader of values reads it, for declarations that carry YAML as text. Throws `RenderFault`. */
export { readYaml } from './yaml/read.js'

function renderDirectory(files: Files, options: RenderOptions, limits: Limits): RenderedObject[] {
  return manifestPaths(files.paths, options.directory).flatMap(path => plainFile(files, path, limits))
}

function plainFile(files: Files, path: string, limits: Limits): RenderedObject[] {
  const bytes = files.read(path)
  return bytes === null ? [] : readManifests({ file: path, text: textOfFile(path, bytes), limits })
}

/** Templates in Handlebars and in Helm's language may stand side by side; both see the same values. */
function renderChart(
  files: Files,
  options: RenderOptions,
  limits: Limits,
  around: Surroundings,
  cache: ParseCache,
): RenderedObject[] {
  const meter = new Meter(limits)
  if (!isHelmChart(files.paths)) {
    const chart = loadChart(files, limits)
    const values = gatherValues(chart.values, options, limits)
    return [
      ...chart.crds.flatMap(path => plainFile(files, path, limits)),
      ...renderHandlebars({ files, chart, values, options, meter, cache }),
    ]
  }
  const { objects, values } = renderHelmSide(files, options, meter, around, cache.charts ?? new Map())
  if (!files.paths.some(path => path.startsWith('templates/') && path.endsWith('.hbs'))) return [...objects]
  const chart = loadChart(files, limits, 'helm')
  const seen = isDict(values) ? values : new Map()
  return [...objects, ...renderHandlebars({ files, chart, values: seen, options, meter, cache })]
}

interface HandlebarsSide {
  readonly files: Files
  readonly chart: Chart
  readonly values: Dict
  readonly options: RenderOptions
  readonly meter: Meter
  readonly cache: ParseCache
}

function renderHandlebars({ files, chart, values, options, meter, cache }: HandlebarsSide): RenderedObject[] {
  const root = contextOf(chart, values, options)
  const parse = (path: string): Template => parsed(files, path, cache)
  const others = new Set(chart.others)
  const world: World = {
    meter,
    partials: new Map([...chart.partials].map(([name, path]) => [name, parse(path)] as const)),
    file: path => {
      files.asked?.({ path })
      return others.has(path) ? files.read(path) : null
    },
    get filePaths() {
      files.asked?.({ pattern: '**' })
      return chart.others
    },
  }
  return chart.templates.flatMap(path => renderTemplate(chart, parse(path), root, world))
}

function parsed(files: Files, path: string, cache: ParseCache): Template {
  const source = textOfFile(path, files.read(path) ?? new Uint8Array())
  const key = `${path}\0${source}`
  const known = cache.get(key)
  if (known !== undefined) return known
  const template = parseTemplate(source, path)
  cache.set(key, template)
  return template
}

function renderTemplate(chart: Chart, template: Template, root: Dict, world: World): RenderedObject[] {
  const context: Dict = new Map(root).set(
    'Template',
    dict({ Name: `${chart.name}/${template.file}`, BasePath: `${chart.name}/templates` }),
  )
  const output = evaluate(template, context, world)
  const { limits } = world.meter
  return readManifests({
    file: template.file,
    text: output.text(),
    limits,
    template: { source: template.source, lineAt: at => output.lineAt(at) },
  })
}

function contextOf(chart: Chart, values: Dict, options: RenderOptions): Dict {
  const [, major = '', minor = ''] = /^v?(\d+)\.(\d+)/.exec(options.capabilities.kubeVersion) ?? []
  return dict({
    Values: values,
    Chart: chart.head,
    Release: dict({
      Name: options.release.name,
      Namespace: options.release.namespace,
      Service: 'Slipway',
      Revision: 1,
      IsInstall: true,
      IsUpgrade: false,
    }),
    Capabilities: dict({
      KubeVersion: dict({ Version: options.capabilities.kubeVersion, Major: major, Minor: minor }),
      APIVersions: options.capabilities.apiVersions,
    }),
  })
}

function dict(fields: Readonly<Record<string, Value>>): Dict {
  return new Map(Object.entries(fields))
}
