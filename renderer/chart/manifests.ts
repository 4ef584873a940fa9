// YAML text to Kubernetes objects: what every object must have, Lists opened, each with the place where it stands.
import { createHash } from 'node:crypto'
import { faultAt, holdsSecrets, type Place, RenderFault } from '../fault.js'
import type { Limits } from '../limits.js'
import { type Dict, Int, isDict, isList, type Value } from '../value/value.js'
import { wordOf } from '../value/words.js'
import { loadYaml, type YamlDocument } from '../yaml/load.js'
import { deepestQuick, readPlain, readQuickly } from '../yaml/quick.js'

/** A Kubernetes object as plain JSON. */
export interface RenderedObject {
  readonly manifest: {
    readonly apiVersion: string
    readonly kind: string
    readonly metadata: { readonly name: string; readonly [field: string]: unknown }
    readonly [field: string]: unknown
  }
  readonly file: string
  /** Line in the file (of a template: the template's line that wrote it), from 1. */
  readonly line: number
}

export interface Source {
  readonly file: string
  readonly text: string
  readonly limits: Limits
  readonly template?: { readonly source: string; readonly lineAt: (offset: number) => number }
}

type Path = readonly (string | number)[]

/** Throws `RenderFault`: `InvalidYaml`, or `InvalidManifest` where it is no object. */
export function readManifests(source: Source): RenderedObject[] {
  const { template } = source
  const quick = template === undefined ? readPlainly(source) : null
  if (quick !== null) return quick
  const options = {
    file: source.file,
    limits: source.limits,
    mode: 'manifest',
    ...(template === undefined ? {} : { template }),
  } as const
  return loadYaml(source.text, options).flatMap(document => new Reader(source, document).objects(document.value, []))
}

const unlocated = Symbol('unlocated')

/**
 * A file as programs write it (CRDs, a few megabytes at times): the same objects, several times faster; null where anything has to be said of it,
 * or where it could reach a limit.
 */
function readPlainly(source: Source): RenderedObject[] | null {
  const { text, limits, file } = source
  if (text.length > limits.yaml || limits.nesting < deepestQuick) return null
  const objects: RenderedObject[] = []
  let line = 1
  for (const part of text.replace(/^---\n/, '\n').split(/^---$/m)) {
    const first = /^(?! *(?:#|$))/m.exec(part)
    const at = line + (first === null ? 0 : part.slice(0, first.index).split('\n').length - 1)
    line += part.split('\n').length - 1
    if (first === null) continue
    const manifest = whole(readPlain(part, limits.nodes / 2))
    if (manifest !== null) {
      objects.push({ manifest, file, line: at })
      continue
    }
    const value = readQuickly(part, 'exact', limits.nodes / 2)
    if (value === undefined) return null
    const place: Place = { file, line: at, column: 0 }
    const locate = (path: Path): Place => {
      if (path.length > 0) throw unlocated
      return place
    }
    try {
      objects.push(...objectsOf(source, { value, start: 0, place, locate }))
    } catch (cause) {
      if (cause !== unlocated && !(cause instanceof RenderFault)) throw cause
      return null
    }
  }
  return objects
}

type Plain = Readonly<Record<string, unknown>>

/** null where anything has to be said of it, or done. */
function whole(value: unknown): RenderedObject['manifest'] | null {
  if (!isPlain(value)) return null
  const { apiVersion, kind, metadata } = value
  if (typeof apiVersion !== 'string' || apiVersion === '' || typeof kind !== 'string' || kind === '' || kind.endsWith('List'))
    return null
  if (!isPlain(metadata) || typeof metadata.name !== 'string' || metadata.name === '') return null
  if (!hasTexts(metadata.labels) || !hasTexts(metadata.annotations)) return null
  return value as RenderedObject['manifest']
}

function hasTexts(value: unknown): boolean {
  if (value === undefined || value === null) return true
  return isPlain(value) && Object.values(value).every(item => item === null || typeof item === 'string')
}

function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The objects of one document that is read already. */
export function objectsOf(source: Source, document: YamlDocument): RenderedObject[] {
  return new Reader(source, document).objects(document.value, [])
}

class Reader {
  readonly #source: Source
  readonly #document: YamlDocument
  constructor(source: Source, document: YamlDocument) {
    this.#source = source
    this.#document = document
  }

  objects(value: Value, path: Path): RenderedObject[] {
    if (value === null || (isDict(value) && value.size === 0 && path.length === 0)) return []
    if (!isDict(value)) throw this.#fault(`a Kubernetes object is wanted, this is a ${wordOf(value)}`, path)
    const apiVersion = this.#text(value, 'apiVersion', path)
    const kind = this.#text(value, 'kind', path)
    const items = value.get('items')
    if (kind.endsWith('List') && isList(items)) return items.flatMap((item, at) => this.objects(item, [...path, 'items', at]))
    const metadata = value.get('metadata')
    if (!isDict(metadata)) throw this.#fault(`${kind} has no metadata`, path)
    const generated = generatedName(metadata)
    if (generated === null) this.#named(metadata, kind, path)
    for (const field of ['labels', 'annotations'] as const) this.#texts(metadata.get(field), [...path, 'metadata', field])
    const place = this.#document.locate(path)
    const manifest = { ...(this.#plain(value, [...path]) as RenderedObject['manifest']), apiVersion, kind }
    return [{ manifest: generated === null ? manifest : withName(manifest, generated), file: place.file, line: place.line }]
  }

  #text(value: Dict, field: string, path: Path): string {
    const text = value.get(field)
    if (typeof text === 'string' && text !== '') return text
    const what = text === undefined || text === null || text === '' ? 'is missing' : `must be text, is a ${wordOf(text)}`
    throw this.#fault(`${field} ${what}`, [...path, field])
  }

  #named(metadata: Dict, kind: string, path: Path): void {
    const name = metadata.get('name')
    const inner = [...path, 'metadata', 'name']
    if (name === undefined || name === null || name === '')
      throw this.#fault(
        metadata.has('generateName')
          ? `${kind} has generateName, but what is kept in Git needs a fixed metadata.name`
          : `${kind} has no metadata.name`,
        inner,
      )
    if (typeof name !== 'string') throw this.#fault(`metadata.name must be text, is a ${wordOf(name)}; put it in quotes`, inner)
  }

  /** A label `version: 1.0` is refused by the API server; say so before anything is touched. */
  #texts(value: Value | undefined, path: Path): void {
    if (value === undefined || value === null) return
    if (!isDict(value)) throw this.#fault(`${path.join('.')} must be a map, is a ${wordOf(value)}`, path)
    for (const [key, item] of value)
      if (typeof item !== 'string' && item !== null)
        throw this.#fault(`${path.join('.')}.${key} must be text, is a ${wordOf(item)}; put it in quotes`, [...path, key])
  }

  /** As plain JSON. What JSON in JavaScript cannot carry exactly is refused, not rounded. `path` is the same again when it returns. */
  #plain(value: Value, path: (string | number)[]): unknown {
    if (isSimple(value)) return value
    if (value instanceof Int && isSchemaBound(path)) return Number(value.value)
    if (value instanceof Int)
      throw this.#fault(`${pathText(path)} is a number beyond 2^53, which cannot be carried exactly; put it in quotes`, path)
    if (isList(value))
      return value.map((item, at) => {
        if (isSimple(item)) return item
        path.push(at)
        const made = this.#plain(item, path)
        path.pop()
        return made
      })
    if (!isDict(value)) throw this.#fault('bytes cannot be part of an object', path)
    const plain: Record<string, unknown> = {}
    for (const [key, item] of value) {
      if (key === '__proto__') throw this.#fault('a key cannot be named __proto__', [...path, key])
      if (isSimple(item)) plain[key] = item
      else {
        path.push(key)
        plain[key] = this.#plain(item, path)
        path.pop()
      }
    }
    return plain
  }

  #fault(what: string, path: Path): RenderFault {
    const place: Place = this.#document.locate(path)
    const shown = this.#source.template?.source ?? this.#source.text
    return faultAt('InvalidManifest', place, what, shown, holdsSecrets(shown) ? 'texts' : 'nothing')
  }
}

/** Of a hook that has no other name: what it runs as is made from its name and the attempt. */
function generatedName(metadata: Dict): string | null {
  const [name, generated, annotations] = ['name', 'generateName', 'annotations'].map(field => metadata.get(field))
  if (typeof generated !== 'string' || generated === '' || (typeof name === 'string' && name !== '')) return null
  const isHook = isDict(annotations ?? null) && hookAnnotations.some(key => typeof (annotations as Dict).get(key) === 'string')
  return isHook ? generated : null
}

const hookAnnotations = ['argocd.argoproj.io/hook', 'helm.sh/hook']

/** The same content has the same name; two that are named alike are told apart. */
function withName(manifest: RenderedObject['manifest'], generated: string): RenderedObject['manifest'] {
  const { generateName: _, ...metadata } = manifest.metadata
  const hash = createHash('sha256').update(JSON.stringify(manifest)).digest('hex').slice(0, 6)
  return { ...manifest, metadata: { ...metadata, name: `${generated.replace(/[-.]+$/, '')}-${hash}` } }
}

function isSimple(value: Value): boolean {
  return value === null || typeof value !== 'object'
}

/** Bounds in the schema of a CustomResourceDefinition are float64 in Kubernetes (`JSONSchemaProps`): 2^63 - 1 is 2^63 there too. */
function isSchemaBound(path: Path): boolean {
  const last = path.at(-1)
  return path.includes('openAPIV3Schema') && (last === 'maximum' || last === 'minimum' || last === 'multipleOf')
}

function pathText(path: Path): string {
  return path.map((part, at) => (typeof part === 'number' ? `[${part}]` : at === 0 ? part : `.${part}`)).join('')
}
