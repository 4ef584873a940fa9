// All templates of a chart and its subcharts, parsed in Helm's order and executed one after another (`pkg/engine/engine.go`).
import { type Chart, fullPath } from '../chart/dependencies.js'
import type { TemplateFile } from '../chart/load.js'
import type { Files } from '../files.js'
import { type Call, CallError, type Chance } from '../functions/signature.js'
import {
  ExecError,
  execute,
  Namespace,
  type ParsedFile,
  ParseError,
  parse,
  Rendering,
  type Site,
  siteOf,
} from '../gotemplate/index.js'
import type { Meter } from '../limits.js'
import { quoted } from '../value/quote.js'
import { SharedMap } from '../value/shared.js'
import { compareText } from '../value/text.js'
import { type Dict, isDict, type Value } from '../value/value.js'
import { functionsOf, refusalIn } from './functions.js'
import { HandlebarsSide, isHandlebars, type Written } from './handlebars.js'
import { chartMap, chartStruct, filesDict, valuesDict, watchedFiles } from './objects.js'
import { type Profile, withoutNoValue } from './output.js'

/** What templates may ask of the world around the render. */
export interface Surroundings {
  lookup(apiVersion: string, kind: string, namespace: string, name: string): Value
  /** `Call.sticky`, and where the call stands. */
  sticky(name: string, key: readonly Value[], mint: (chance: Chance) => Value, siteOf: () => Site): Value
}

/** Nothing is there, and everything is made anew each time: what `helm template` does. */
export function pure(chance: Chance): Surroundings {
  return { lookup: () => new Map(), sticky: (_name, _key, mint) => mint(chance) }
}

/** A template error in Helm's words; `origin` is Go's own error, with its place. */
export class EngineError extends Error {
  readonly origin: ExecError | ParseError | null
  constructor(message: string, origin: ExecError | ParseError | null) {
    super(message)
    this.origin = origin
  }
}

export interface EngineInput {
  readonly chart: Chart
  /** `Values`, `Release` and `Capabilities` of the root. */
  readonly values: Dict
  readonly release: Dict
  readonly capabilities: Value
  readonly meter: Meter
  readonly surroundings: Surroundings
  readonly profile: Profile
  readonly asked?: Files['asked'] | undefined
  /** Is told what each Handlebars template wrote. */
  readonly wrote?: (path: string, written: Written) => void
}

/** One template with what it is given. */
export interface Renderable {
  readonly file: TemplateFile
  readonly dot: Dict
  readonly basePath: string
}

/** Output by path; partials have none. Throws `EngineError`, or `RenderFault` where a limit is reached. */
export function renderTemplates(input: EngineInput): Map<string, string> {
  const renderables = new Map<string, Renderable>()
  gather(input, input.chart, null, renderables)
  return renderAll(renderables, input)
}

type SessionInput = Pick<EngineInput, 'meter' | 'surroundings' | 'wrote' | 'profile'>

/** The same for templates that are gathered already. */
export function renderAll(renderables: ReadonlyMap<string, Renderable>, input: SessionInput): Map<string, string> {
  const order = [...renderables.keys()].sort((a, b) => slashes(b) - slashes(a) || compareText(b, a))
  const namespace = new Namespace()
  for (const path of order)
    if (!isHandlebars(path)) namespace.add(parsed(path, renderables.get(path)?.file as TemplateFile, input.profile))
  const session = new Session(namespace, input, renderables)
  const rendered = new Map<string, string>()
  for (const path of order) {
    if (path.slice(path.lastIndexOf('/') + 1).startsWith('_')) continue
    const { dot, basePath } = renderables.get(path) as Renderable
    dot.set(
      'Template',
      valuesDict(
        new Map<string, Value>([
          ['Name', path],
          ['BasePath', basePath],
        ]),
      ),
    )
    rendered.set(path, isHandlebars(path) ? session.runHandlebars(path) : withoutNoValue(session.run(path, dot)))
  }
  return rendered
}

function slashes(path: string): number {
  return path.split('/').length
}

/** Each chart's templates share one context, which they may change. */
function gather(input: EngineInput, chart: Chart, above: Dict | null, into: Map<string, Renderable>): Dict {
  const path = fullPath(chart)
  const subcharts: Dict = new Map()
  const isRoot = chart.parent === null
  const makeChart = input.profile === '3' ? chartStruct : chartMap
  const dot: Dict = valuesDict(
    new Map<string, Value>([
      ['Chart', makeChart(chart.metadata, isRoot)],
      ['Files', isRoot && input.asked !== undefined ? watchedFiles(chart.files, input.asked) : filesDict(chart.files)],
      ['Release', input.release],
      ['Capabilities', input.capabilities],
      ['Values', above === null ? valuesDict(input.values) : ownValues(above, chart.metadata.name)],
      ['Subcharts', subcharts],
    ]),
  )
  for (const below of chart.dependencies) subcharts.set(below.metadata.name, gather(input, below, dot, into))
  const isLibrary = chart.metadata.type.toLowerCase() === 'library'
  for (const file of chart.templates) {
    if (isLibrary && !file.name.slice(file.name.lastIndexOf('/') + 1).startsWith('_')) continue
    into.set(`${path}/${file.name}`, { file, dot, basePath: `${path}/templates` })
  }
  return dot
}

function ownValues(above: Dict, name: string): Dict {
  const values = above.get('Values')
  const own = isDict(values) ? values.get(name) : undefined
  return valuesDict(isDict(own) ? new SharedMap(own) : new Map())
}

/** Parsed files live as long as the chart they belong to: a template that is used again is not parsed again. */
const parsedFiles = new WeakMap<TemplateFile, Map<string, ParsedFile>>()

function parsed(path: string, file: TemplateFile, profile: Profile): ParsedFile {
  const byPath = parsedFiles.get(file) ?? new Map<string, ParsedFile>()
  parsedFiles.set(file, byPath)
  const key = `${profile} ${path}`
  const known = byPath.get(key)
  if (known !== undefined) return known
  try {
    const made = parse(path, file.text, functionsOf(profile))
    byPath.set(key, made)
    return made
  } catch (cause) {
    if (!(cause instanceof ParseError)) throw cause
    const parts = cause.message.split(': ')
    const message = `parse error at (${parts[1]}): ${parts.at(-1)}`
    throw new EngineError(message, cause)
  }
}

/** Texts of `tpl`, by text: charts give it the same few again and again. */
const tplTexts = { '3': new Map<string, ParsedFile>(), '4': new Map<string, ParsedFile>() }
const mostTplTexts = 2_000

function parsedText(text: string, profile: Profile): ParsedFile {
  const texts = tplTexts[profile]
  const known = texts.get(text)
  if (known !== undefined) return known
  const made = parse('gotpl', text, functionsOf(profile))
  if (texts.size >= mostTplTexts) texts.clear()
  if (text.length < 100_000) texts.set(text, made)
  return made
}

const deepestInclude = 1000

class Session {
  readonly #namespace: Namespace
  readonly #rendering: Rendering
  readonly #input: SessionInput
  readonly #included = new Map<string, number>()
  readonly #handlebars: HandlebarsSide

  constructor(namespace: Namespace, input: SessionInput, renderables: ReadonlyMap<string, Renderable>) {
    this.#namespace = namespace
    this.#input = input
    this.#rendering = new Rendering(input.meter, 'zero')
    const call = this.#call(namespace)
    this.#handlebars = new HandlebarsSide(renderables, {
      rendering: this.#rendering,
      call,
      include: (name, dot) =>
        namespace.find(name) === undefined ? undefined : withoutNoValue(this.#include(namespace, call, name, dot)),
    })
  }

  runHandlebars(path: string): string {
    try {
      const written = this.#handlebars.run(path)
      this.#input.wrote?.(path, written)
      return written.output.text()
    } catch (cause) {
      if (!(cause instanceof ExecError)) throw cause
      throw engineError(cause)
    }
  }

  run(path: string, dot: Dict): string {
    const template = this.#namespace.find(path)
    if (template === undefined) throw new EngineError(`no template ${quoted(path)}`, null)
    try {
      return execute(this.#namespace, template, dot, this.#call(this.#namespace), this.#rendering)
    } catch (cause) {
      if (!(cause instanceof ExecError)) throw cause
      throw engineError(cause)
    }
  }

  #call(namespace: Namespace): Call {
    const { meter, surroundings } = this.#input
    const call: Call = {
      meter,
      include: (name, dot) => this.#include(namespace, call, name, dot),
      tpl: (text, dot) => this.#tpl(namespace, text, dot),
      lookup: (apiVersion, kind, space, name) => surroundings.lookup(apiVersion, kind, space, name),
      sticky: (name, key, mint) => surroundings.sticky(name, key, mint, () => siteOf(this.#rendering)),
    }
    return call
  }

  #include(namespace: Namespace, call: Call, name: string, dot: Value): string {
    const count = this.#included.get(name) ?? 0
    if (count > deepestInclude)
      throw new CallError(`rendering template has a nested reference name: ${name}: unable to execute template`)
    const template = namespace.find(name)
    if (template === undefined) {
      const written = this.#handlebars.include(name, dot, this.#rendering.frame)
      if (written !== undefined) return written
    }
    if (template === undefined) throw new CallError(`template: no template ${quoted(name)} associated with template "gotpl"`)
    this.#included.set(name, count + 1)
    const written = execute(namespace, template, dot ?? undefined, call, this.#rendering)
    this.#included.set(name, count)
    return written
  }

  #tpl(namespace: Namespace, text: string, dot: Value): string {
    if (!text.includes('{{')) return text
    this.#input.meter.parsed()
    let file: ParsedFile
    try {
      file = parsedText(text, this.#input.profile)
    } catch (cause) {
      if (!(cause instanceof ParseError)) throw cause
      throw new CallError(`cannot parse template ${quoted(text)}: ${cause.message}`)
    }
    const inner = file.templates.size === 1 ? namespace : new Namespace(namespace)
    if (inner !== namespace) inner.add(file)
    const call = inner === namespace ? this.#call(namespace) : this.#call(inner)
    try {
      return execute(inner, file.main, dot ?? undefined, call, this.#rendering)
    } catch (cause) {
      if (!(cause instanceof ExecError)) throw cause
      throw new CallError(`error during tpl function execution for ${quoted(text)}: ${cause.message}`, { cause })
    }
  }
}

/** What `fail` and `required` say stands alone, with the place of the outermost template. */
function engineError(error: ExecError): EngineError {
  const [, location = '', rest = ''] = /^[^:]*: (.*?): (.*)$/s.exec(error.message) ?? []
  const refusal = refusalIn(rest)
  return new EngineError(refusal === null ? error.message : `execution error at (${location}): ${refusal}`, error)
}
