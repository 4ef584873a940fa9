// The one door: files and options in, Kubernetes objects or one fault out. No network, no clock, no disk, no environment.
import { isChart } from './chart/chart.js'
import { type DirectoryOptions, manifestPaths } from './chart/directory.js'
import { type RenderedObject, readManifests } from './chart/manifests.js'
import { type FaultReason, RenderFault } from './fault.js'
import { type Files, textOfFile } from './files.js'
import { type ChartCache, renderChart } from './helm/door.js'
import type { Surroundings } from './helm/engine.js'
import { defaultLimits, type Limits, Meter } from './limits.js'
import type { ValueInputs } from './values/given.js'

export { type ChartFile, largestFile } from './chart/archive.js'
export { isChart, isCore, readsFiles } from './chart/chart.js'
export { chosen, isManifest, manifestPaths } from './chart/directory.js'
export { type Ignored, ignoreRules } from './chart/ignore.js'
export { walked } from './chart/load.js'
export { type Aliases, type ChartFacts, mayNeedCharts, type Need, tellsNeeds } from './chart/lock.js'
export type { RenderedObject } from './chart/manifests.js'
export { pack } from './chart/pack.js'
export { isExactVersion, meantVersion, type PublishedVersion, versionsOfTags } from './chart/published.js'
export { answerTo, type ChartAnswer, type ChartQuestion } from './chart/questions.js'
export { type FaultReason, RenderFault } from './fault.js'
export { type FileQuestion, type Files, isMeant, pathInRepository, valueFilePath } from './files.js'
export type { Chance } from './functions/signature.js'
export { globMatcher as globs } from './glob.js'
export type { ChartCache } from './helm/door.js'
export { pure, type Surroundings } from './helm/engine.js'
export { templatedName } from './helm/name.js'
export { type Section, type Sections, sectionText } from './helm/render.js'
export { HelmFailure, helmTemplate, type Sets, type TemplateRequest } from './helm/template.js'
export { defaultLimits, type Limits } from './limits.js'
export { type Kept, type Minted, nothingTouched, type Question, questionOf, StickyBook, type Touched, textsIn } from './sticky.js'

export interface RenderOptions extends ValueInputs {
  readonly directory: DirectoryOptions
  readonly release: { readonly name: string; readonly namespace: string }
  readonly capabilities: Capabilities
  readonly addedApiVersions?: readonly string[]
  readonly skipCrds?: boolean
  readonly skipTests?: boolean
  /** `values.schema.json` is not looked at. */
  readonly skipSchema?: boolean
  /** Whose output a chart has; Helm 3's where it is not said. */
  readonly profile?: '3' | '4'
  readonly limits?: Partial<Limits>
}

export interface Capabilities {
  /** `v1.31.0` */
  readonly kubeVersion: string
  readonly apiVersions: readonly string[]
}

export type Rendered =
  | {
      readonly objects: readonly RenderedObject[]
      /** What Helm would have said beside it, without values. */
      readonly warnings: readonly string[]
      readonly error?: undefined
    }
  | {
      readonly error: { readonly reason: FaultReason; readonly message: string; readonly excerpt: string }
      readonly objects?: undefined
    }

/** Where nothing nearer to the place has said so: the stack is full, or a text longer than can be held. */
const tooDeep = 'a file of the chart is nested too deep, or makes more than can be held: what is repeated in it?'

/**
 * Same files, options and surroundings, same result. With a `Chart.yaml` it is a chart, else a directory of manifests.
 * Templates in Handlebars and in Helm's language may stand side by side.
 * `around`: a `StickyBook`, where what random functions give is kept; `pure`, where it is made anew each time.
 */
export function render(files: Files, options: RenderOptions, around: Surroundings, charts: ChartCache = new Map()): Rendered {
  const limits = { ...defaultLimits, ...options.limits }
  try {
    return isChart(files.paths)
      ? renderChart(files, options, new Meter(limits), around, charts)
      : { objects: renderDirectory(files, options, limits), warnings: [] }
  } catch (cause) {
    if (cause instanceof RangeError) return { error: { reason: 'LimitExceeded', message: tooDeep, excerpt: '' } }
    if (!(cause instanceof RenderFault)) throw cause
    return { error: { reason: cause.reason, message: clipped(cause.message), excerpt: cause.excerpt } }
  }
}

/** Characters: it is kept in histories, and a template may make it as long as it likes. */
const longestMessage = 2_500

function clipped(message: string): string {
  if (message.length <= longestMessage) return message
  return `${message.slice(0, longestMessage)}… (${message.length} characters in all)`
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
