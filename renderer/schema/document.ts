// A JSON schema as a document: its draft, and what its references mean. Nothing outside of it is ever read.
import { type Dict, isDict, isList, type Value } from '../value/value.js'

/** Why a schema cannot be used, in the words of santhosh-tekuri/jsonschema where it has some. */
export class SchemaError extends Error {}

export type Draft = 4 | 6 | 7 | 2019 | 2020

export interface Target {
  readonly schema: Value
  /** What its own references are relative to. */
  readonly base: string
}

const root = 'file:///values.schema.json'

export class SchemaDocument {
  readonly root: Value
  readonly draft: Draft
  /** By absolute URI without a fragment, and with `#anchor`. */
  readonly #places = new Map<string, Target>()
  readonly #refs = new Map<string, Target>()

  constructor(schema: Value) {
    this.root = schema
    this.draft = draftOf(isDict(schema) ? schema.get('$schema') : undefined)
    this.#places.set(root, { schema, base: root })
    this.#index(schema, root, 0)
  }

  get base(): string {
    return root
  }

  /** The base of what is inside a schema: its `$id` moves it. */
  baseOf(schema: Dict, base: string): string {
    const id = schema.get(this.draft === 4 ? 'id' : '$id')
    if (typeof id !== 'string' || id.startsWith('#')) return base
    return joined(base, id).replace(/#.*$/s, '')
  }

  #index(value: Value, base: string, depth: number): void {
    if (depth > 500) throw new SchemaError('the schema is nested too deep')
    if (isList(value)) for (const item of value) this.#index(item, base, depth + 1)
    if (!isDict(value)) return
    const own = this.baseOf(value, base)
    if (own !== base && !this.#places.has(own)) this.#places.set(own, { schema: value, base: own })
    for (const anchor of this.#anchorsOf(value)) this.#places.set(`${own}#${anchor}`, { schema: value, base: own })
    for (const [key, item] of value) if (!literals.has(key)) this.#index(item, own, depth + 1)
  }

  #anchorsOf(schema: Dict): string[] {
    const id = schema.get(this.draft === 4 ? 'id' : '$id')
    const anchors = [schema.get('$anchor'), schema.get('$dynamicAnchor')].filter(anchor => typeof anchor === 'string')
    return typeof id === 'string' && id.startsWith('#') ? [...anchors, id.slice(1)] : anchors
  }

  /** Throws `SchemaError` for what is not in this document. */
  resolve(ref: string, base: string): Target {
    const key = `${base} ${ref}`
    const known = this.#refs.get(key)
    if (known !== undefined) return known
    const found = this.#find(joined(base, ref))
    this.#refs.set(key, found)
    return found
  }

  #find(absolute: string): Target {
    const hash = absolute.indexOf('#')
    const [uri, fragment] = hash < 0 ? [absolute, ''] : [absolute.slice(0, hash), decoded(absolute.slice(hash + 1))]
    // Helm takes what an unknown URN names for a schema that allows everything.
    if (uri.startsWith('urn:') && !this.#places.has(uri)) return { schema: true, base: uri }
    const place = this.#places.get(uri)
    if (place === undefined)
      throw new SchemaError(`failing loading ${JSON.stringify(uri)}: schemas outside of the chart are not read`)
    if (fragment === '') return place
    if (!fragment.startsWith('/')) {
      const anchored = this.#places.get(`${uri}#${fragment}`)
      if (anchored !== undefined) return anchored
      throw new SchemaError(`anchor in ${JSON.stringify(absolute)} not found`)
    }
    return this.#pointer(place, fragment, absolute)
  }

  #pointer(place: Target, pointer: string, absolute: string): Target {
    let { schema, base } = place
    for (const part of pointer.slice(1).split('/')) {
      const step = part.replaceAll('~1', '/').replaceAll('~0', '~')
      const next: Value | undefined = isDict(schema) ? schema.get(step) : isList(schema) ? schema[Number(step)] : undefined
      if (next === undefined) throw new SchemaError(`json-pointer in ${JSON.stringify(absolute)} not found`)
      schema = next
      if (isDict(schema)) base = this.baseOf(schema, base)
    }
    return { schema, base }
  }
}

const literals = new Set(['const', 'enum', 'default', 'examples'])

const drafts: ReadonlyMap<string, Draft> = new Map([
  ['schema', 2020],
  ['draft/2020-12/schema', 2020],
  ['draft/2019-09/schema', 2019],
  ['draft-07/schema', 7],
  ['draft-06/schema', 6],
  ['draft-04/schema', 4],
])

/** The newest one where the schema says nothing. Throws `SchemaError` for what is none of them: it would have to be fetched. */
function draftOf(uri: Value | undefined): Draft {
  if (typeof uri !== 'string') return 2020
  const draft = drafts.get(/^(?:https?:\/\/)?json-schema\.org\/(.*?)#?$/s.exec(uri)?.[1] ?? '')
  if (draft !== undefined) return draft
  throw new SchemaError(`failing loading ${JSON.stringify(uri)}: schemas outside of the chart are not read`)
}

function joined(base: string, ref: string): string {
  if (ref.startsWith('#')) return base + ref
  if (/^[a-z][a-z0-9+.-]*:/i.test(ref)) return ref
  try {
    return new URL(ref, base).href
  } catch {
    return ref
  }
}

function decoded(fragment: string): string {
  try {
    return decodeURIComponent(fragment)
  } catch {
    return fragment
  }
}
