// `helm template` as a function: its flags and files in, exactly its text out, or its error.

import type { ChartFile } from '../chart/archive.js'
import { matcher } from '../chart/ignore.js'
import { type LoadedChart, loadArchive, loadDirectory } from '../chart/load.js'
import { ChartError } from '../chart/metadata.js'
import { parseKubeVersion } from '../chart/version.js'
import type { Chance } from '../functions/signature.js'
import { defaultLimits, type Limits, Meter } from '../limits.js'
import { compareText, textOf } from '../value/text.js'
import type { Dict } from '../value/value.js'
import { CoalesceError } from '../values/coalesce.js'
import { mergeMaps } from '../values/options.js'
import { type Reading, setInto } from '../values/strvals.js'
import { DecodeError, unmarshalMap } from '../yaml/decode.js'
import { defaultApiVersions } from './api-versions.js'
import { EngineError, pure, type Surroundings } from './engine.js'
import { renderedExcerpt, templateFault } from './faults.js'
import { helmVersions, OutputError, type Profile, split } from './output.js'
import { type HelmInput, type HelmOutput, KubeVersionMismatch, printed, renderHelm, type Sections, sectionsOf } from './render.js'

export interface TemplateRequest {
  /** A packed chart, or the files of a folder in the order of `walked`. */
  readonly chart: { readonly archive: Uint8Array } | { readonly files: readonly ChartFile[] }
  readonly name: string
  readonly namespace: string
  /** `-f`, in order. */
  readonly valueFiles: readonly { readonly name: string; readonly bytes: Uint8Array }[]
  readonly sets: Sets
  /** Of `--set-file`. Throws where there is none. */
  readonly readFile: (name: string) => Uint8Array
  /** '' is Helm's own default. */
  readonly kubeVersion: string
  /** Beside those that Helm assumes. */
  readonly apiVersions: readonly string[]
  readonly includeCrds: boolean
  readonly skipTests: boolean
  readonly noHooks: boolean
  readonly showOnly: readonly string[]
  readonly isUpgrade: boolean
  readonly skipSchema: boolean
  readonly profile: Profile
  readonly chance: Chance
  /** In the place of `chance`: what is kept of earlier renders (`StickyBook`). Helm itself keeps nothing. */
  readonly surroundings?: Surroundings
  readonly limits?: Partial<Limits>
}

/** In Helm's order of precedence, low to high; not in that of the command line. */
export interface Sets {
  readonly json: readonly string[]
  readonly typed: readonly string[]
  readonly string: readonly string[]
  readonly file: readonly string[]
  readonly literal: readonly string[]
}

export const noSets: Sets = { json: [], typed: [], string: [], file: [], literal: [] }

/** `message` is what Helm prints behind `Error: `. */
export class HelmFailure extends Error {
  /** Beside Helm's words: the innermost place, with the lines there and a caret; '' where no place is known. */
  readonly place: string
  /** What Helm said before it failed. */
  readonly warnings: readonly string[]
  readonly #rendered: string
  constructor(message: string, place = '', rendered = '', warnings: readonly string[] = []) {
    super(message)
    this.place = place
    this.warnings = warnings
    this.#rendered = rendered
  }

  /** What `--debug` prints: all files, YAML or not. Not a plain property: a log of the error must not show them. */
  get rendered(): string {
    return this.#rendered
  }
}

export interface Templated {
  /** What Helm prints. */
  readonly text: string
  /** What it says on standard error. */
  readonly warnings: readonly string[]
  /** The same as `text` by files, whatever `showOnly` says. */
  readonly sections: Sections
}

/** Throws `HelmFailure`; `RenderFault` where a limit is reached. */
export function helmTemplate(request: TemplateRequest): Templated {
  let files: ReadonlyMap<string, string> = new Map()
  const warnings: string[] = []
  const rendered = (all: ReadonlyMap<string, string>): void => {
    files = all
  }
  try {
    const output = outputOf(request, { rendered, warn: words => warnings.push(words) })
    const sections = sectionsOf(output, request)
    const text = printed(sections)
    return {
      text: request.showOnly.length === 0 ? text : shownOnly(text, request.showOnly, request.profile),
      warnings,
      sections,
    }
  } catch (cause) {
    throw failureOf(cause, files, warnings)
  }
}

/** What comes up once templates are at hand, Helm tells with a hint. */
const begun = [EngineError, OutputError, KubeVersionMismatch]

function failureOf(cause: unknown, files: ReadonlyMap<string, string>, warnings: readonly string[]): unknown {
  if (begun.some(kind => cause instanceof kind)) {
    const message = `${(cause as Error).message}\n\nUse --debug flag to render out invalid YAML`
    return new HelmFailure(message, placeIn(cause), `${filesText(files)}\n`, warnings)
  }
  if (cause instanceof ChartError || cause instanceof DecodeError || cause instanceof CoalesceError)
    return new HelmFailure(cause.message, '', '', warnings)
  return cause
}

function placeIn(cause: unknown): string {
  if (cause instanceof EngineError) {
    const { message, excerpt } = templateFault(cause)
    return excerpt === '' ? '' : `${message}\n${excerpt}`
  }
  return cause instanceof OutputError ? renderedExcerpt(cause, cause.path, 'nothing') : ''
}

/** Helm has its map's order here; ours is that of the paths. */
function filesText(files: ReadonlyMap<string, string>): string {
  return [...files]
    .filter(([, text]) => text.trim() !== '')
    .sort(([a], [b]) => compareText(a, b))
    .map(([path, text]) => `---\n# Source: ${path}\n${text}\n`)
    .join('')
    .trim()
}

function outputOf(request: TemplateRequest, told: Pick<HelmInput, 'rendered' | 'warn'>): HelmOutput {
  const kubeVersion = parseKubeVersion(request.kubeVersion === '' ? 'v1.20.0' : request.kubeVersion)
  if (kubeVersion === null)
    throw new HelmFailure(
      `invalid kube version '${request.kubeVersion}': could not parse ${JSON.stringify(request.kubeVersion)} as version`,
    )
  const values = userValues(request)
  return renderHelm({
    chart: chartOf(request.chart),
    values,
    release: { name: request.name, namespace: request.namespace, isUpgrade: request.isUpgrade, revision: 1 },
    capabilities: {
      kubeVersion,
      apiVersions: [...defaultApiVersions, ...request.apiVersions],
      helmVersion: helmVersions[request.profile],
    },
    profile: request.profile,
    skipSchema: request.skipSchema,
    meter: new Meter({ ...defaultLimits, ...request.limits }),
    surroundings: request.surroundings ?? pure(request.chance),
    ...told,
  })
}

function chartOf(chart: TemplateRequest['chart']): LoadedChart {
  return 'archive' in chart ? loadArchive(chart.archive) : loadDirectory(chart.files)
}

function userValues({ valueFiles, sets, readFile }: TemplateRequest): Dict {
  let values: Dict = new Map()
  for (const { name, bytes } of valueFiles) values = mergeMaps(values, fileValues(name, bytes))
  const apply = (lines: readonly string[], flag: string, reading: Reading): void => {
    for (const line of lines)
      try {
        setInto(values, line, reading)
      } catch (cause) {
        const what = reading.kind === 'json' ? ` ${line}` : `: ${(cause as Error).message}`
        throw new HelmFailure(`failed parsing ${flag} data${what}`)
      }
  }
  apply(sets.json, '--set-json', { kind: 'json' })
  apply(sets.typed, '--set', { kind: 'typed' })
  apply(sets.string, '--set-string', { kind: 'string' })
  apply(sets.file, '--set-file', { kind: 'file', read: name => textOf(readFile(name)) })
  apply(sets.literal, '--set-literal', { kind: 'literal' })
  return values
}

function fileValues(name: string, bytes: Uint8Array): Dict {
  try {
    return unmarshalMap(textOf(bytes))
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause
    throw new HelmFailure(`failed to parse ${name}: ${cause.message}`)
  }
}

/** `--show-only`: those whose `# Source:` path, without the chart's name, matches. */
function shownOnly(text: string, patterns: readonly string[], profile: Profile): string {
  const documents = split(text, profile).map(document => ({ document, path: /# Source: [^/]+\/(.+)/.exec(document)?.[1] }))
  return patterns
    .map(pattern => {
      const matches = matcher(pattern)
      const found = documents.filter(({ path }) => path !== undefined && matches(path))
      if (found.length === 0) throw new HelmFailure(`could not find template ${pattern} in chart`)
      return found.map(({ document }) => `---\n${document}\n`).join('')
    })
    .join('')
}
