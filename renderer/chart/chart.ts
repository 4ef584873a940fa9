// A chart: its Chart.yaml, its templates and partials, and the files that templates may read.
import { RenderFault } from '../fault.js'
import { type Files, textOfFile } from '../files.js'
import type { Limits } from '../limits.js'
import { type Dict, isDict, isList, type Value } from '../value.js'
import { loadOne } from '../yaml/load.js'

export interface Chart {
  readonly name: string
  /** What templates see as `Chart`, with Helm's spelling: Name, Version, AppVersion ... */
  readonly head: Dict
  readonly values: Dict
  /** Paths of `templates/**.hbs`, sorted. */
  readonly templates: readonly string[]
  /** By the name they are called by: `templates/_labels.hbs` is `labels`. */
  readonly partials: ReadonlyMap<string, string>
  /** Paths of `crds/**`, which are no templates. */
  readonly crds: readonly string[]
  /** Everything else: what `files.get` and `files.glob` see. */
  readonly others: readonly string[]
}

export function isChart(paths: readonly string[]): boolean {
  return paths.includes('Chart.yaml')
}

/** Paths without which the chart cannot be rendered; the others are read when a template names them. */
export function isCore(path: string): boolean {
  return coreFiles.has(path) || /^(?:templates|charts)\//.test(path) || isCrd(path)
}

const coreFiles = new Set(
  'Chart.yaml Chart.lock values.yaml values.schema.json requirements.yaml requirements.lock .helmignore'.split(' '),
)

/** Has it templates in Helm's language, or subcharts? Then it is loaded, and its values are merged, as Helm does it. */
export function isHelmChart(paths: readonly string[]): boolean {
  return paths.some(path => /^charts\/[^_.]/.test(path) || isHelmTemplate(path))
}

export function isHelmTemplate(path: string): boolean {
  return path.startsWith('templates/') && !path.endsWith('.hbs') && !/(^|\/)(NOTES\.txt|README\.md|\.[^/]*)$/.test(path)
}

function isCrd(path: string): boolean {
  return /^crds\/.*\.(yaml|yml|json)$/.test(path)
}

/** Do the root chart's templates, or any that could be given its context, read files beside the core ones? */
export function readsFiles(path: string, text: string): boolean {
  return path.endsWith('.tgz') || ((isHelmTemplate(path) || path.startsWith('charts/')) && text.includes('Files'))
}

/** Its Handlebars side. `within`: the chart has another side, which Helm's rules load. */
export function loadChart(files: Files, limits: Limits, within: 'alone' | 'helm' = 'alone'): Chart {
  const head = readDict(files, 'Chart.yaml', limits)
  const name = head.get('name')
  if (typeof name !== 'string' || name === '') throw new RenderFault('InvalidChart', 'Chart.yaml: name is missing')
  if (within === 'alone') refuseLater(head)
  const inTemplates = files.paths.filter(path => path.startsWith('templates/')).sort()
  const written = inTemplates.filter(path => path.endsWith('.hbs'))
  return {
    name,
    head: helmSpelling(head),
    values: readDict(files, 'values.yaml', limits),
    templates: written.filter(path => !isPartial(path)),
    partials: partialsOf(written.filter(isPartial)),
    crds: files.paths.filter(isCrd).sort(),
    others: files.paths
      .filter(path => !path.startsWith('templates/') && !['Chart.yaml', 'values.yaml', '.helmignore'].includes(path))
      .sort(),
  }
}

function readDict(files: Files, path: string, limits: Limits): Dict {
  const bytes = files.read(path)
  return bytes === null ? new Map() : dictOf(path, bytes, limits)
}

/** A values file or Chart.yaml; empty is an empty map. */
export function dictOf(path: string, bytes: Uint8Array, limits: Limits): Dict {
  const value: Value = loadOne(textOfFile(path, bytes), { file: path, limits, mode: 'values' })?.value ?? null
  if (value !== null && !isDict(value)) throw new RenderFault('InvalidValues', `${path}: a map is wanted at the top`)
  return value ?? new Map()
}

/** A chart of Handlebars templates alone has no subcharts: with one it is Helm's. */
function refuseLater(head: Dict): void {
  const dependencies = head.get('dependencies')
  if (isList(dependencies) && dependencies.length > 0)
    throw new RenderFault('InvalidChart', 'Chart.yaml: dependencies are named, but charts/ has none; run `helm dependency build`')
  if (head.get('type') === 'library')
    throw new RenderFault('InvalidChart', 'Chart.yaml: a library chart renders nothing by itself')
}

function isPartial(path: string): boolean {
  return path.slice(path.lastIndexOf('/') + 1).startsWith('_')
}

function partialsOf(paths: readonly string[]): ReadonlyMap<string, string> {
  const partials = new Map<string, string>()
  for (const path of paths) {
    const name = path.slice(path.lastIndexOf('/') + 2).replace(/(\.yaml)?\.hbs$/, '')
    const other = partials.get(name)
    if (other !== undefined) throw new RenderFault('InvalidChart', `${path}: partial ${name} is also ${other}; rename one`)
    partials.set(name, path)
  }
  return partials
}

/** `appVersion` -> `AppVersion`, as templates of charts know it. */
function helmSpelling(head: Dict): Dict {
  const known: Value[][] = [
    'name',
    'version',
    'appVersion',
    'apiVersion',
    'description',
    'type',
    'kubeVersion',
    'home',
    'icon',
  ].map(key => [key, head.get(key) ?? ''])
  for (const key of ['keywords', 'sources', 'maintainers']) known.push([key, head.get(key) ?? []])
  known.push(['annotations', head.get('annotations') ?? new Map()])
  return new Map(
    known.map(
      ([key = '', value = null]) =>
        [`${String(key).charAt(0).toUpperCase()}${String(key).slice(1)}`.replace(/^Api/, 'API'), value] as const,
    ),
  )
}
