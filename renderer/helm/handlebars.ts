// The Handlebars templates of a chart and its subcharts (`templates/**.hbs`) beside those in Helm's language: the same contexts, one order, each may call the other's.
import type { TemplateFile } from '../chart/load.js'
import { RenderFault } from '../fault.js'
import type { Call } from '../functions/signature.js'
import { type Caller, Frame, type Rendering } from '../gotemplate/frame.js'
import { evaluate, type World } from '../handlebars/evaluate.js'
import type { Output } from '../handlebars/output.js'
import { parseTemplate, type Template } from '../handlebars/parse.js'
import type { Dict, Value } from '../value/value.js'
import type { Renderable } from './engine.js'

export function isHandlebars(path: string): boolean {
  return path.endsWith('.hbs')
}

function isPartial(path: string): boolean {
  return path.slice(path.lastIndexOf('/') + 1).startsWith('_')
}

/** What a template wrote, with the line of the template that wrote each part of it. */
export interface Written {
  readonly output: Output
  /** The template's own text. */
  readonly source: string
  /** From the root chart's folder: `templates/web.hbs`. */
  readonly file: string
}

/** What Helm's side of the render lends: its call's door, and its templates by name. */
export interface OtherLanguage {
  readonly rendering: Rendering
  readonly call: Call
  include(name: string, context: Value): string | undefined
}

/** Parsed templates live as long as the chart they belong to. */
const parsedFiles = new WeakMap<TemplateFile, Map<string, Template>>()

function parsed(file: TemplateFile, path: string): Template {
  const byPath = parsedFiles.get(file) ?? new Map<string, Template>()
  parsedFiles.set(file, byPath)
  const known = byPath.get(path)
  if (known !== undefined) return known
  const made = parseTemplate(file.text, relative(path), path)
  byPath.set(path, made)
  return made
}

/** `shop/templates/web.hbs` -> `templates/web.hbs`. */
function relative(path: string): string {
  return path.slice(path.indexOf('/') + 1)
}

interface Folder {
  readonly dot: Dict
  /** By the name they are called by: `templates/_labels.hbs` is `labels`. */
  readonly partials: Map<string, { readonly path: string; readonly file: TemplateFile }>
  world: World | undefined
}

export class HandlebarsSide {
  readonly #renderables: ReadonlyMap<string, Renderable>
  readonly #other: OtherLanguage
  /** By `basePath`: one a chart. */
  readonly #folders = new Map<string, Folder>()

  /** Throws `RenderFault` where two partials of a chart have one name. */
  constructor(renderables: ReadonlyMap<string, Renderable>, other: OtherLanguage) {
    this.#renderables = renderables
    this.#other = other
    for (const [path, { file, dot, basePath }] of renderables)
      if (isHandlebars(path) && isPartial(path)) this.#add(path, file, dot, basePath)
  }

  #add(path: string, file: TemplateFile, dot: Dict, basePath: string): void {
    const { partials } = this.#folderAt(basePath, dot)
    const name = path.slice(path.lastIndexOf('/') + 2).replace(/(\.yaml)?\.hbs$/, '')
    const other = partials.get(name)
    if (other !== undefined) {
      const [first, second] = [other.path, path].sort().map(relative)
      throw new RenderFault('InvalidChart', `${second}: partial ${name} is also ${first}; rename one`)
    }
    partials.set(name, { path, file })
  }

  #folderAt(basePath: string, dot: Dict): Folder {
    const known = this.#folders.get(basePath)
    if (known !== undefined) return known
    const folder: Folder = { dot, partials: new Map(), world: undefined }
    this.#folders.set(basePath, folder)
    return folder
  }

  /** Throws `RenderFault` at the place. */
  run(path: string): Written {
    const { file, dot, basePath } = this.#renderables.get(path) as Renderable
    const template = parsed(file, path)
    const output = evaluate(template, dot, this.#worldOf(this.#folderAt(basePath, dot)))
    return { output, source: file.text, file: template.file }
  }

  /** For `include` in Helm's language: a partial of the caller's chart. undefined: there is none of that name. */
  include(name: string, context: Value, caller: Caller | undefined): string | undefined {
    const basePath = this.#basePathOf(caller)
    const folder = basePath === undefined ? undefined : this.#folders.get(basePath)
    if (folder === undefined) return undefined
    const template = this.#partial(name, folder)
    return template === undefined ? undefined : evaluate(template, context, this.#worldOf(folder)).text()
  }

  /** The chart whose template runs: a text of `tpl` belongs to the one that called it. */
  #basePathOf(caller: Caller | undefined): string | undefined {
    for (let at = caller; at !== undefined; at = at.caller) {
      const found = at instanceof Frame ? this.#renderables.get(at.template.source.name) : undefined
      if (found !== undefined) return found.basePath
    }
    return undefined
  }

  #worldOf(folder: Folder): World {
    folder.world ??= {
      rendering: this.#other.rendering,
      call: this.#other.call,
      root: folder.dot,
      partial: name => this.#partial(name, folder),
      partialNames: () => folder.partials.keys(),
      foreign: (name, context) => this.#other.include(name, context),
    }
    return folder.world
  }

  /** Its own partials by name, those of another chart of the release as `chart/name`. */
  #partial(name: string, folder: Folder): Template | undefined {
    const own = folder.partials.get(name)
    if (own !== undefined) return parsed(own.file, own.path)
    const slash = name.indexOf('/')
    if (slash < 0) return undefined
    for (const [basePath, other] of this.#folders) {
      if (chartName(basePath) !== name.slice(0, slash)) continue
      const found = other.partials.get(name.slice(slash + 1))
      if (found !== undefined) return parsed(found.file, found.path)
    }
    return undefined
  }
}

/** `shop/charts/redis/templates` -> `redis`. */
function chartName(basePath: string): string {
  const parts = basePath.split('/')
  return parts.at(-2) ?? ''
}
