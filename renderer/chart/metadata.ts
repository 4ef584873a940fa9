// Chart.yaml: what it says, as Helm's `chart.Metadata` holds it, and what Helm refuses in it.
import { isPrint } from '../value/quote.js'
import type { Value } from '../value/value.js'
import { unmarshal } from '../yaml/decode.js'
import { type Decoded, decodeStruct, type Fields, flag, type GoType, text, textMap, texts } from './gostruct.js'

export interface Maintainer {
  readonly name: string
  readonly email: string
  readonly url: string
}

/** Changed while dependencies are worked out, and shared between copies of a chart, as in Helm. */
export interface Dependency {
  name: string
  readonly version: string
  readonly repository: string
  readonly condition: string
  readonly tags: readonly string[] | null
  enabled: boolean
  importValues: readonly Value[] | null
  readonly alias: string
}

/** null: not written (a nil slice or map in Go). */
export interface Metadata {
  name: string
  readonly home: string
  readonly sources: readonly string[] | null
  readonly version: string
  readonly description: string
  readonly keywords: readonly string[] | null
  readonly maintainers: readonly Maintainer[] | null
  readonly icon: string
  readonly apiVersion: string
  readonly condition: string
  readonly tags: string
  readonly appVersion: string
  readonly deprecated: boolean
  readonly annotations: ReadonlyMap<string, string> | null
  readonly kubeVersion: string
  dependencies: Dependency[] | null
  readonly type: string
}

/** Helm's words for a chart that cannot be used. */
export class ChartError extends Error {}

const maintainerType: GoType = { kind: 'struct', name: 'chart.Maintainer', fields: { name: text, email: text, url: text } }
const dependencyType: GoType = {
  kind: 'struct',
  name: 'chart.Dependency',
  fields: {
    name: text,
    version: text,
    repository: text,
    condition: text,
    tags: texts,
    enabled: flag,
    'import-values': { kind: 'list', name: '[]interface {}', of: { kind: 'any' } },
    alias: text,
  },
}
const metadataType: GoType & { readonly kind: 'struct' } = {
  kind: 'struct',
  name: 'chart.Metadata',
  fields: {
    name: text,
    home: text,
    sources: texts,
    version: text,
    description: text,
    keywords: texts,
    maintainers: { kind: 'list', name: '[]*chart.Maintainer', of: maintainerType },
    icon: text,
    apiVersion: text,
    condition: text,
    tags: text,
    appVersion: text,
    deprecated: flag,
    annotations: textMap,
    kubeVersion: text,
    dependencies: { kind: 'list', name: '[]*chart.Dependency', of: dependencyType },
    type: text,
  },
}

/**
 * Chart.yaml, and requirements.yaml on top of it where there is one. Not yet checked. Throws `DecodeError`.
 */
export function readMetadata(chartYaml: string, apiVersionOr = 'v1'): Fields {
  const fields = new Map(decodeStruct(unmarshal(chartYaml, { integers: 'kept' }), metadataType))
  if ((fields.get('apiVersion') ?? '') === '') fields.set('apiVersion', apiVersionOr)
  return fields
}

/** Fields of requirements.yaml replace those of Chart.yaml. */
export function withRequirements(fields: Fields, requirements: string): Fields {
  return new Map([...fields, ...decodeStruct(unmarshal(requirements, { integers: 'kept' }), metadataType)])
}

/** Chart.lock, or requirements.lock of a chart of v1. */
export interface Lock {
  readonly digest: string
  readonly dependencies: readonly Dependency[] | null
}

const lockType: GoType & { readonly kind: 'struct' } = {
  kind: 'struct',
  name: 'chart.Lock',
  fields: {
    generated: { kind: 'time' },
    digest: text,
    dependencies: { kind: 'list', name: '[]*chart.Dependency', of: dependencyType },
  },
}

/** null: it is empty. Throws `ChartError` or `DecodeError`. */
export function readLock(lock: string): Lock | null {
  const value = unmarshal(lock, { integers: 'kept' })
  if (value === null) return null
  const fields = decodeStruct(value, lockType)
  return { digest: plain(fields, 'digest'), dependencies: listOf(fields, 'dependencies')?.map(dependencyOf) ?? null }
}

/** `isVersion`: is it a version as Masterminds' semver reads one? `version`: must there be one? Throws `ChartError`. */
export function checkedMetadata(
  fields: Fields,
  isVersion: (version: string) => boolean,
  version: 'wanted' | 'optional' = 'wanted',
): Metadata {
  const metadata: Metadata = {
    name: clean(fields, 'name'),
    home: clean(fields, 'home'),
    sources: cleanList(fields, 'sources'),
    version: plain(fields, 'version'),
    description: clean(fields, 'description'),
    keywords: cleanList(fields, 'keywords'),
    maintainers: listOf(fields, 'maintainers')?.map(maintainerOf) ?? null,
    icon: clean(fields, 'icon'),
    apiVersion: plain(fields, 'apiVersion'),
    condition: clean(fields, 'condition'),
    tags: clean(fields, 'tags'),
    appVersion: clean(fields, 'appVersion'),
    deprecated: fields.get('deprecated') === true,
    annotations: annotationsOf(fields),
    kubeVersion: clean(fields, 'kubeVersion'),
    dependencies: null,
    type: plain(fields, 'type'),
  }
  check(metadata, isVersion, version)
  const dependencies = listOf(fields, 'dependencies')?.map(dependencyOf) ?? null
  refuseTwins(dependencies ?? [])
  return { ...metadata, dependencies }
}

function check(metadata: Metadata, isVersion: (version: string) => boolean, wanted: 'wanted' | 'optional'): void {
  const { name, version, type } = metadata
  const refuse = (what: string): never => {
    throw new ChartError(`validation: ${what}`)
  }
  if (name === '') refuse('chart.metadata.name is required')
  if (name === '.' || name === '..') refuse(`chart.metadata.name ${JSON.stringify(name)} is not allowed`)
  if (name.includes('/')) refuse(`chart.metadata.name ${JSON.stringify(name)} is invalid`)
  if (version === '' && wanted === 'wanted') refuse('chart.metadata.version is required')
  if (version !== '' && !isVersion(version)) refuse(`chart.metadata.version ${JSON.stringify(version)} is invalid`)
  if (!['', 'application', 'library'].includes(type)) refuse('chart.metadata.type must be application or library')
}

function refuseTwins(dependencies: readonly Dependency[]): void {
  const seen = new Set<string>()
  for (const { name, alias } of dependencies) {
    const key = alias === '' ? name : alias
    if (seen.has(key)) throw new ChartError(`validation: more than one dependency with name or alias ${JSON.stringify(key)}`)
    seen.add(key)
  }
}

function maintainerOf(item: Decoded): Maintainer {
  if (!(item instanceof Map)) throw new ChartError('validation: maintainers must not contain empty or null nodes')
  const fields = item as Fields
  return { name: clean(fields, 'name'), email: clean(fields, 'email'), url: clean(fields, 'url') }
}

function dependencyOf(item: Decoded): Dependency {
  if (!(item instanceof Map)) throw new ChartError('validation: dependencies must not contain empty or null nodes')
  const fields = item as Fields
  const [name, alias] = [clean(fields, 'name'), plain(fields, 'alias')]
  if (alias !== '' && !/^[a-zA-Z0-9_-]+$/.test(alias))
    throw new ChartError(`validation: dependency ${JSON.stringify(name)} has disallowed characters in the alias`)
  return {
    name,
    version: clean(fields, 'version'),
    repository: clean(fields, 'repository'),
    condition: clean(fields, 'condition'),
    tags: cleanList(fields, 'tags'),
    enabled: fields.get('enabled') === true,
    importValues: (listOf(fields, 'import-values') as readonly Value[] | null) ?? null,
    alias,
  }
}

function annotationsOf(fields: Fields): ReadonlyMap<string, string> | null {
  const annotations = fields.get('annotations')
  if (!(annotations instanceof Map)) return null
  return new Map([...(annotations as Fields)].map(([key, item]) => [key, typeof item === 'string' ? item : ''] as const))
}

function plain(fields: Fields, name: string): string {
  const value = fields.get(name)
  return typeof value === 'string' ? value : ''
}

function clean(fields: Fields, name: string): string {
  return sanitized(plain(fields, name))
}

function listOf(fields: Fields, name: string): readonly Decoded[] | null {
  const value = fields.get(name)
  return Array.isArray(value) ? (value as readonly Decoded[]) : null
}

function cleanList(fields: Fields, name: string): readonly string[] | null {
  return listOf(fields, name)?.map(item => sanitized(typeof item === 'string' ? item : '')) ?? null
}

/** White space becomes a blank, what cannot be printed goes (`sanitizeString`). */
function sanitized(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text
  return [...text].map(char => (/[\s\x85]/u.test(char) && char !== '\ufeff' ? ' ' : isPrint(char) ? char : '')).join('')
}
