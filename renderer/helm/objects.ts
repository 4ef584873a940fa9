// What Helm hands to templates beside plain data: the chart's metadata, capabilities and files, as Go structs and typed maps with their fields and methods.
import type { ChartFile } from '../chart/archive.js'
import type { Dependency, Maintainer, Metadata } from '../chart/metadata.js'
import type { KubeVersion } from '../chart/version.js'
import type { FileQuestion } from '../files.js'
import { sprint } from '../value/format.js'
import { SharedMap } from '../value/shared.js'
import { textOf } from '../value/text.js'
import {
  Bytes,
  CallError,
  type Dict,
  goMethods,
  isDict,
  type List,
  type Method,
  nilList,
  Struct,
  typed,
  type Value,
} from '../value/value.js'
import { marshal, toYaml } from '../yaml/encode.js'
import { globMatcher } from './glob.js'

type FieldTable = readonly (readonly [string, Value])[]

/** A struct, or what points to one, that has nothing but fields. */
class Fields extends Struct {
  readonly type: string
  readonly kind: 'struct' | 'ptr'
  readonly #fields: FieldTable
  readonly #json: Value | undefined
  constructor(type: string, fields: FieldTable, json?: Value) {
    super()
    this.type = type
    this.kind = type.startsWith('*') ? 'ptr' : 'struct'
    this.#fields = fields
    this.#json = json
  }

  override field(name: string): Value | undefined {
    return this.#fields.find(([field]) => field === name)?.[1]
  }

  print(): string {
    return `${this.kind === 'ptr' ? '&' : ''}{${this.#fields.map(([, value]) => sprint(value)).join(' ')}}`
  }

  override fields(): FieldTable {
    return this.#fields
  }

  override json(): Value | undefined {
    return this.#json
  }
}

function listOf(type: string, items: readonly Value[] | null): List {
  return items === null ? nilList(type) : typed([...items], type)
}

/** `json:",omitempty"`: what is empty is left out. */
function jsonOf(fields: Readonly<Record<string, Value | null>>): Dict {
  const isEmpty = (value: Value): boolean =>
    value === null ||
    value === '' ||
    value === false ||
    (Array.isArray(value) && value.length === 0) ||
    (isDict(value) && value.size === 0)
  return new Map(Object.entries(fields).filter(([, value]) => !isEmpty(value)))
}

function maintainerStruct({ name, email, url }: Maintainer): Struct {
  const fields: FieldTable = [
    ['Name', name],
    ['Email', email],
    ['URL', url],
  ]
  return new Fields('*chart.Maintainer', fields, jsonOf({ name, email, url }))
}

function dependencyStruct(dependency: Dependency): Struct {
  const { name, version, repository, condition, enabled, alias } = dependency
  const tags = listOf('[]string', dependency.tags)
  const importValues: List = dependency.importValues === null ? nilList() : [...dependency.importValues]
  const fields: FieldTable = [
    ['Name', name],
    ['Version', version],
    ['Repository', repository],
    ['Condition', condition],
    ['Tags', tags],
    ['Enabled', enabled],
    ['ImportValues', importValues],
    ['Alias', alias],
  ]
  const optional = jsonOf({ version, repository, condition, tags, enabled, 'import-values': importValues, alias })
  // Name and repository are written also where they are empty.
  const json: Dict = new Map<string, Value>([['name', name], ['version', ''], ['repository', repository], ...optional])
  if (version === '') json.delete('version')
  return new Fields('*chart.Dependency', fields, json)
}

/** `.Chart`: the metadata, with `IsRoot`. */
export function chartStruct(metadata: Metadata, isRoot: boolean): Struct {
  const plain = {
    Name: metadata.name,
    Home: metadata.home,
    Sources: listOf('[]string', metadata.sources),
    Version: metadata.version,
    Description: metadata.description,
    Keywords: listOf('[]string', metadata.keywords),
    Maintainers: listOf('[]*chart.Maintainer', metadata.maintainers?.map(maintainerStruct) ?? null),
    Icon: metadata.icon,
    APIVersion: metadata.apiVersion,
    Condition: metadata.condition,
    Tags: metadata.tags,
    AppVersion: metadata.appVersion,
    Deprecated: metadata.deprecated,
    Annotations: typed(new Map<string, Value>(metadata.annotations ?? []) as Dict, 'map[string]string'),
    KubeVersion: metadata.kubeVersion,
    Dependencies: listOf('[]*chart.Dependency', metadata.dependencies?.map(dependencyStruct) ?? null),
    Type: metadata.type,
  }
  const own: FieldTable = Object.entries(plain)
  const json = jsonOf(Object.fromEntries(own.map(([name, value]) => [jsonName(name), value] as const)))
  const inner = new Fields('chart.Metadata', own, json)
  return new ChartStruct(inner, own, new Map<string, Value>([...json, ['IsRoot', isRoot]]), isRoot)
}

function jsonName(field: string): string {
  return field === 'APIVersion' ? 'apiVersion' : field.charAt(0).toLowerCase() + field.slice(1)
}

/** Go's anonymous struct that embeds the metadata: its fields are this one's too. */
class ChartStruct extends Struct {
  readonly type = 'struct { chart.Metadata; IsRoot bool }'
  readonly kind = 'struct'
  readonly #inner: Struct
  readonly #own: ReadonlyMap<string, Value>
  readonly #json: Dict
  readonly #isRoot: boolean
  constructor(inner: Struct, own: FieldTable, json: Dict, isRoot: boolean) {
    super()
    this.#inner = inner
    this.#own = new Map(own)
    this.#json = json
    this.#isRoot = isRoot
  }

  override field(name: string): Value | undefined {
    if (name === 'IsRoot') return this.#isRoot
    return name === 'Metadata' ? this.#inner : this.#own.get(name)
  }

  print(): string {
    return `{${this.#inner.print()} ${this.#isRoot}}`
  }

  override fields(): FieldTable {
    return [
      ['Metadata', this.#inner],
      ['IsRoot', this.#isRoot],
    ]
  }

  override json(): Value {
    return this.#json
  }
}

/** Helm 4's `.Chart`: a map, in which a field that is not there is empty. */
export function chartMap(metadata: Metadata, isRoot: boolean): Dict {
  const inner = chartStruct(metadata, isRoot).field('Metadata') as Struct
  return dictOf(inner).set('IsRoot', isRoot) as Dict
}

/** Structs become maps, lists lists of anything, all the way down (`structToMap`). */
function dictOf(struct: Struct): Dict {
  const plain = (value: Value): Value => {
    if (value instanceof Struct) return dictOf(value)
    return Array.isArray(value) ? value.map(plain) : value
  }
  return new Map((struct.fields() ?? []).map(([name, value]) => [name, plain(value)] as const))
}

class KubeVersionStruct extends Struct {
  readonly type = 'chartutil.KubeVersion'
  readonly kind = 'struct'
  readonly #version: KubeVersion
  constructor(version: KubeVersion) {
    super()
    this.#version = version
  }

  override field(name: string): Value | undefined {
    const { version, major, minor } = this.#version
    return new Map([
      ['Version', version],
      ['Major', major],
      ['Minor', minor],
    ]).get(name)
  }

  override method(name: string): Method | undefined {
    if (name !== 'GitVersion' && name !== 'String') return undefined
    return { params: [], run: () => this.#version.version }
  }

  /** A pointer to it has a String method, and templates print what they can point to so. */
  override get shown(): string {
    return this.#version.version
  }

  print(): string {
    const { version, major, minor } = this.#version
    return `{${version} ${major} ${minor}}`
  }

  override fields(): FieldTable {
    const { version, major, minor } = this.#version
    return [
      ['Version', version],
      ['Major', major],
      ['Minor', minor],
    ]
  }

  override json(): Value {
    return new Map<string, Value>(this.fields())
  }
}

/** `.Capabilities.APIVersions` */
function versionSet(versions: readonly string[]): List {
  const known = new Set(versions)
  const list: List = typed([...versions], 'chartutil.VersionSet')
  list[goMethods] = name => (name === 'Has' ? { params: ['string'], run: ([version]) => known.has(String(version)) } : undefined)
  return list
}

export interface Capabilities {
  readonly kubeVersion: KubeVersion
  readonly apiVersions: readonly string[]
  /** `v3.22` */
  readonly helmVersion: string
}

export function capabilitiesStruct({ kubeVersion, apiVersions, helmVersion }: Capabilities): Struct {
  const build: FieldTable = [
    ['Version', helmVersion],
    ['GitCommit', ''],
    ['GitTreeState', ''],
    ['GoVersion', 'go1.26.8'],
  ]
  const buildJson = jsonOf({ version: helmVersion, go_version: 'go1.26.8' })
  const fields: FieldTable = [
    ['KubeVersion', new KubeVersionStruct(kubeVersion)],
    ['APIVersions', versionSet(apiVersions)],
    ['HelmVersion', new Fields('version.BuildInfo', build, buildJson)],
  ]
  return new Fields('*chartutil.Capabilities', fields, new Map(fields))
}

/** Marks a map as `chartutil.Values`, with its methods. */
export function valuesDict(dict: Dict): Dict {
  dict[goMethods] = name => valueMethods(dict, name)
  return typed(dict, 'chartutil.Values')
}

function valueMethods(dict: Dict, name: string): Method | undefined {
  switch (name) {
    case 'AsMap':
      return { params: [], run: () => (dict instanceof SharedMap ? dict.of : new SharedMap(dict)) }
    case 'YAML':
      return { params: [], run: () => marshal(dict) }
    case 'Table':
      return { params: ['string'], run: ([path]) => tableAt(dict, String(path)) }
    case 'PathValue':
      return { params: ['string'], run: ([path]) => pathValue(dict, String(path)) }
    default:
      return undefined
  }
}

function tableAt(dict: Dict, path: string): Dict {
  let table = dict
  for (const step of path.split('.')) {
    const next = table.get(step)
    if (!isDict(next)) throw new CallError(`${JSON.stringify(step)} is not a table`)
    table = next
  }
  return table
}

function pathValue(dict: Dict, path: string): Value {
  if (path === '') throw new CallError('YAML path cannot be empty')
  const steps = path.split('.')
  const key = steps.pop() as string
  let value: Value | undefined = dict
  for (const step of steps) value = isDict(value) ? value.get(step) : undefined
  const found = isDict(value) ? value.get(key) : undefined
  if (found === undefined || isDict(found)) throw new CallError(`${JSON.stringify(key)} is not a value`)
  return found
}

const kept = new WeakMap<readonly ChartFile[], Dict>()

/** `.Files`; made once for a chart. */
export function filesDict(files: readonly ChartFile[]): Dict {
  const known = kept.get(files)
  if (known !== undefined) return known
  const dict = filesOf(new Map(files.map(({ name, bytes }) => [name, new Bytes(bytes)] as const)))
  kept.set(files, dict)
  return dict
}

/** The same, telling what is asked of it. */
export function watchedFiles(files: readonly ChartFile[], asked: (question: FileQuestion) => void): Dict {
  const plain = filesDict(files) as ReadonlyMap<string, Bytes>
  const dict: Dict = new WatchedMap(plain, asked)
  dict[goMethods] = name => {
    const method = fileMethods(plain, name)
    if (method === undefined) return undefined
    return {
      ...method,
      run: given => {
        asked(name === 'Glob' ? { pattern: String(given[0]) } : given.length === 0 ? everything : { path: String(given[0]) })
        return method.run(given)
      },
    }
  }
  return typed(dict, 'engine.files')
}

const everything: FileQuestion = { pattern: '**' }

/** Also looked at as a map: by key, or as a whole. */
class WatchedMap extends Map<string, Value> {
  readonly #asked: ((question: FileQuestion) => void) | null = null

  constructor(files: Iterable<readonly [string, Value]>, asked: (question: FileQuestion) => void) {
    super(files)
    this.#asked = asked
  }
  override get(key: string): Value | undefined {
    this.#asked?.({ path: key })
    return super.get(key)
  }
  override has(key: string): boolean {
    this.#asked?.({ path: key })
    return super.has(key)
  }
  override get size(): number {
    this.#asked?.(everything)
    return super.size
  }
  override [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.entries()
  }
  override entries(): MapIterator<[string, Value]> {
    this.#asked?.(everything)
    return super.entries()
  }
  override keys(): MapIterator<string> {
    this.#asked?.(everything)
    return super.keys()
  }
  override values(): MapIterator<Value> {
    this.#asked?.(everything)
    return super.values()
  }
  override forEach(each: (value: Value, key: string, map: Map<string, Value>) => void): void {
    this.#asked?.(everything)
    super.forEach(each)
  }
}

function filesOf(files: ReadonlyMap<string, Bytes>): Dict {
  const dict: Dict = new Map(files)
  dict[goMethods] = name => fileMethods(files, name)
  return typed(dict, 'engine.files')
}

function fileMethods(files: ReadonlyMap<string, Bytes>, name: string): Method | undefined {
  const bytes = (path: Value | undefined): Uint8Array => files.get(String(path))?.bytes ?? new Uint8Array()
  switch (name) {
    case 'Get':
      return { params: ['string'], run: ([path]) => textOf(bytes(path)) }
    case 'GetBytes':
      return { params: ['string'], run: ([path]) => new Bytes(bytes(path)) }
    case 'Lines':
      return { params: ['string'], run: ([path]) => typed(linesOf(textOf(bytes(path))), '[]string') }
    case 'Glob':
      return { params: ['string'], run: ([pattern]) => globbed(files, String(pattern)) }
    case 'AsConfig':
      return { params: [], run: () => toYaml(byBaseName(files, one => textOf(one))) }
    case 'AsSecrets':
      return { params: [], run: () => toYaml(byBaseName(files, one => Buffer.from(one).toString('base64'))) }
    default:
      return undefined
  }
}

function linesOf(text: string): List {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n')
}

function globbed(files: ReadonlyMap<string, Bytes>, pattern: string): Dict {
  const matches = globMatcher(pattern)
  return filesOf(new Map([...files].filter(([name]) => matches === null || matches(name))))
}

function byBaseName(files: ReadonlyMap<string, Bytes>, text: (bytes: Uint8Array) => string): Dict {
  return new Map([...files].map(([name, { bytes }]) => [name.slice(name.lastIndexOf('/') + 1), text(bytes)] as const))
}
