// A chart's files to the chart: what each file is for, its subcharts with it, and Helm's words for what is wrong (`loader/load.go`).
import { textOf } from '../value/text.js'
import type { Dict } from '../value/value.js'
import { DecodeError, unmarshal, unmarshalMap } from '../yaml/decode.js'
import { type ChartFile, unpack, withoutMark } from './archive.js'
import { isHelmTemplate } from './chart.js'
import type { Fields } from './gostruct.js'
import { ignoreRules, withoutIgnored } from './ignore.js'
import { ChartError, checkedMetadata, type Metadata, readMetadata, withRequirements } from './metadata.js'
import { isVersion } from './version.js'

/** Never changed: rendering works on copies. */
export interface LoadedChart {
  readonly metadata: Metadata
  readonly values: Dict
  /** `values.schema.json` */
  readonly schema: Uint8Array | null
  /** `templates/**`, partials and NOTES.txt among them. */
  readonly templates: readonly TemplateFile[]
  /** Everything else, as `.Files` has it. */
  readonly files: readonly ChartFile[]
  readonly dependencies: readonly LoadedChart[]
  /** Helm's words on what it takes and would have otherwise; those of subcharts not among them. */
  readonly warnings: readonly string[]
}

export interface TemplateFile {
  readonly name: string
  readonly text: string
}

/** `files`: a chart's folder, in the order of `walked`. Throws `ChartError` or `DecodeError`. */
export function loadDirectory(files: readonly ChartFile[]): LoadedChart {
  const rules = files.find(file => file.name === '.helmignore')
  const ignored = ignoreRules(rules === undefined ? '' : textOf(rules.bytes))
  const left = new Set(
    withoutIgnored(
      files.map(file => file.name),
      ignored,
    ),
  )
  return loadFiles(files.filter(file => left.has(file.name)).map(({ name, bytes }) => ({ name, bytes: withoutMark(bytes) })))
}

/** Throws `ChartError` or `DecodeError`. */
export function loadArchive(archive: Uint8Array): LoadedChart {
  return loadFiles(unpack(archive))
}

/** Paths as a walk through the folders meets them: by name within each folder. */
export function walked(paths: readonly string[]): string[] {
  const keyed = paths.map(path => [path.replaceAll('/', '\0'), path] as const)
  return keyed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, path]) => path)
}

function loadFiles(files: readonly ChartFile[]): LoadedChart {
  let fields: Fields | null = null
  let values: Dict = new Map()
  let schema: Uint8Array | null = null
  const templates: TemplateFile[] = []
  const others: ChartFile[] = []
  const warnings: string[] = []
  const below = new Map<string, ChartFile[]>()
  for (const { name, bytes } of files)
    if (name === 'Chart.yaml') fields = within('cannot load Chart.yaml', () => readMetadata(textOf(bytes)))
  for (const file of files) {
    const { name, bytes } = file
    const legacy = (fields?.get('apiVersion') ?? '') === 'v1'
    if (name === 'Chart.yaml') continue
    if (name === 'Chart.lock') within('cannot load Chart.lock', () => unmarshal(textOf(bytes)))
    else if (name === 'values.yaml')
      values = within('cannot load values.yaml', () => madeOnce(valuesMade, bytes, () => unmarshalMap(textOf(bytes))))
    else if (name === 'values.schema.json') schema = bytes
    else if (name === 'requirements.yaml') {
      if (!legacy) warnings.push(moved.requirements)
      fields = within('cannot load requirements.yaml', () => withRequirements(fields ?? new Map(), textOf(bytes)))
      if (legacy) others.push(file)
    } else if (name === 'requirements.lock') {
      if (!legacy) warnings.push(moved.lock)
      within('cannot load requirements.lock', () => unmarshal(textOf(bytes)))
      if (legacy) others.push(file)
    } else if (name.startsWith('templates/')) templates.push(templateOf(file))
    else if (name.startsWith('charts/') && !name.endsWith('.prov')) {
      const inner = name.slice('charts/'.length)
      const folder = inner.split('/', 1)[0] ?? ''
      below.set(folder, [...(below.get(folder) ?? []), { name: inner, bytes }])
    } else others.push(file)
  }
  if (fields === null) throw new ChartError('Chart.yaml file is missing')
  const metadata = checkedMetadata(fields, isVersion, isOnlyHandlebars(templates) ? 'optional' : 'wanted')
  const dependencies = [...below].flatMap(([folder, inner]) => subchart(metadata.name, folder, inner))
  return { metadata, values, schema, templates, files: others, dependencies, warnings }
}

/** Of files that a chart of apiVersion v2 has no use for. */
const moved = {
  requirements:
    'Warning: Dependencies are handled in Chart.yaml since apiVersion "v2". We recommend migrating dependencies to Chart.yaml.',
  lock: 'Warning: Dependency locking is handled in Chart.lock since apiVersion "v2". We recommend migrating to Chart.lock.',
}

/** What was made of the same bytes before: charts that share files (two versions of one chart) share what is made of them. */
const valuesMade = new WeakMap<Uint8Array, Dict>()
const archivesMade = new WeakMap<Uint8Array, LoadedChart>()
const templatesMade = new WeakMap<Uint8Array, TemplateFile>()

function madeOnce<T>(known: WeakMap<Uint8Array, T>, bytes: Uint8Array, make: () => T): T {
  const made = known.get(bytes) ?? make()
  known.set(bytes, made)
  return made
}

/** With its parsed form, which is kept with it (`helm/engine.ts`), by the path it has in a chart. */
function templateOf({ name, bytes }: ChartFile): TemplateFile {
  const made = madeOnce(templatesMade, bytes, () => ({ name, text: textOf(bytes) }))
  return made.name === name ? made : { name, text: made.text }
}

/** Slipway's own charts need no version: nothing publishes them. */
function isOnlyHandlebars(templates: readonly TemplateFile[]): boolean {
  return templates.some(({ name }) => name.endsWith('.hbs')) && !templates.some(({ name }) => isHelmTemplate(name))
}

/** Files in `charts/` that are no chart are left out. */
function subchart(parent: string, folder: string, files: readonly ChartFile[]): LoadedChart[] {
  if (/^[_.]/.test(folder)) return []
  return within(`error unpacking subchart ${folder} in ${parent}`, () => {
    if (!folder.endsWith('.tgz'))
      return [
        loadFiles(
          files.flatMap(({ name, bytes }) => {
            const slash = name.indexOf('/')
            return slash < 0 ? [] : [{ name: name.slice(slash + 1), bytes }]
          }),
        ),
      ]
    const [file] = files
    if (file === undefined || file.name !== folder)
      throw new ChartError(`error unpacking subchart tar in ${parent}: expected ${folder}, got ${file?.name}`)
    return [madeOnce(archivesMade, file.bytes, () => loadArchive(file.bytes))]
  })
}

/** The error, with what was being done in front of it. */
function within<T>(doing: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof ChartError || cause instanceof DecodeError)) throw cause
    throw new ChartError(`${doing}: ${cause.message}`)
  }
}
