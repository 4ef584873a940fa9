// What a chart repository or registry has of one chart, and which of its versions is meant (Helm's `repo.IndexFile` and `registry.Tags`).
import { CallError } from '../functions/signature.js'
import { parseConstraints, satisfies } from '../functions/sprig/constraint.js'
import { compareVersions, parseStrictVersion, parseVersion, type Version } from '../functions/sprig/version.js'
import { quoted } from '../value/quote.js'
import { textOf } from '../value/text.js'
import { type Dict, isDict, isList, type Value } from '../value/value.js'
import { unmarshal } from '../yaml/decode.js'
import { ChartError } from './metadata.js'

export interface PublishedVersion {
  readonly version: string
  /** Absolute, or relative to the repository; the first is taken. Empty for a registry. */
  readonly urls: readonly string[]
  /** Of the packed chart, 64 hex digits; '' where the index says none. */
  readonly sha256: string
}

/** The chart's entries in an index.yaml, newest first. Throws `ChartError` or `DecodeError` where it cannot be read. */
export function versionsIn(index: Uint8Array, name: string): PublishedVersion[] {
  const text = textOf(index)
  if (text.trim() === '') throw new ChartError('empty index.yaml file')
  const entries = blockOf(text, name) ?? entryOf(text, name)
  const found = (isList(entries) ? entries : []).flatMap(entry => (isDict(entry) ? publishedIn(entry) : []))
  return newestFirst(found, parseVersion)
}

/** Of a registry's tags those that are versions, newest first; '+' is written '_' in a tag. */
export function versionsOfTags(tags: readonly string[]): PublishedVersion[] {
  return newestFirst(
    tags.map(tag => ({ version: tag.replaceAll('_', '+'), urls: [], sha256: '' })),
    parseStrictVersion,
  )
}

/** `IndexFile.Get`: the very version; else the newest within the range; null where there is none. Throws `ChartError`. */
export function meantVersion(versions: readonly PublishedVersion[], wanted: string): PublishedVersion | null {
  const exact = wanted === '' ? undefined : versions.find(({ version }) => version === wanted)
  if (exact !== undefined) return exact
  const constraints = read(() => parseConstraints(wanted === '' ? '*' : wanted))
  if (constraints === null) throw new ChartError(`${quoted(wanted)} is neither a version nor a range of versions`)
  return versions.find(({ version }) => satisfies(parseVersion(version), constraints)) ?? null
}

/** Is this one version rather than a range? */
export function isExactVersion(text: string): boolean {
  return read(() => parseVersion(text)) !== null
}

function newestFirst(found: readonly PublishedVersion[], parse: (text: string) => Version): PublishedVersion[] {
  return found
    .flatMap(entry => {
      const version = read(() => parse(entry.version))
      return version === null ? [] : [{ entry, version }]
    })
    .sort((a, b) => compareVersions(b.version, a.version))
    .map(({ entry }) => entry)
}

function read<T>(parse: () => T): T | null {
  try {
    return parse()
  } catch (cause) {
    if (cause instanceof CallError) return null
    throw cause
  }
}

function publishedIn(entry: Dict): PublishedVersion[] {
  const [version, urls, digest] = [entry.get('version'), entry.get('urls'), entry.get('digest')]
  const texts = (isList(urls) ? urls : []).filter(url => typeof url === 'string')
  if (typeof version !== 'string' || texts.length === 0) return []
  const sha256 = typeof digest === 'string' ? digest.replace(/^sha256:/, '').toLowerCase() : ''
  return [{ version, urls: texts, sha256 }]
}

/**
 * The chart's part of an index as `helm repo index` writes it, without reading the other charts (an index may have 20 MB). null: it is
 * not written so, or does not have the chart.
 */
function blockOf(text: string, name: string): Value {
  const start = /^entries:[ \t]*\r?\n/m.exec(text)
  if (start === null || /^[{%]/.test(text.trimStart())) return null
  const line = new RegExp(`^  ${name.replace(/[.\\-]/g, '\\$&')}:[ \\t]*\\r?\\n`, 'gm')
  line.lastIndex = start.index + start[0].length
  const found = line.exec(text)
  if (found === null) return null
  const end = /^(?: {0,2}[^ \t\r\n-]|[ ]?-)/gm
  end.lastIndex = found.index + found[0].length
  const block = text.slice(found.index, end.exec(text)?.index ?? text.length)
  const value = unmarshal(block)
  return isDict(value) ? (value.get(name) ?? null) : null
}

function entryOf(text: string, name: string): Value {
  const index = text.trimStart().startsWith('{') ? fromJson(text) : unmarshal(text)
  if (!isDict(index)) throw new ChartError('index.yaml: a map is wanted at the top')
  const entries = index.get('entries') ?? null
  return isDict(entries) ? (entries.get(name) ?? null) : null
}

/** JSON is YAML too; reading it as what it is takes a tenth of the time. */
function fromJson(text: string): Value {
  try {
    return mapped(JSON.parse(text))
  } catch {
    return unmarshal(text)
  }
}

function mapped(json: unknown): Value {
  if (Array.isArray(json)) return json.map(mapped)
  if (typeof json === 'object' && json !== null)
    return new Map(Object.entries(json).map(([key, item]) => [key, mapped(item)] as const))
  return typeof json === 'string' || typeof json === 'number' || typeof json === 'boolean' ? json : null
}
