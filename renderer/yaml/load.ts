// YAML text to values as Go reads it, with the place of every key. js-yaml tokenizes; tags, merges, aliases and limits are ours.
import { EVENT_ID, type Event, getScalarValue, parseEvents, type ScalarEvent, YAMLException } from 'js-yaml'
import { faultAt, holdsSecrets, type Place, placeOf, RenderFault } from '../fault.js'
import type { Limits } from '../limits.js'
import { isDict, isList, type Value } from '../value.js'
import { readFloat, readInt, readScalar, type Scalar } from './scalar.js'

export interface YamlOptions {
  readonly file: string
  readonly limits: Limits
  /** `manifest`: a key there twice is an error. `values`: the last one wins, as in Helm. */
  readonly mode: 'manifest' | 'values'
  /** Of a text that a template wrote: faults and places are told in the template. */
  readonly template?: { readonly source: string; readonly lineAt: (offset: number) => number }
}

export interface YamlDocument {
  readonly value: Value
  /** Where its first node stands. */
  readonly place: Place
  /** Where a key or item stands; of a path that is not there: its nearest parent. */
  locate(path: readonly (string | number)[]): Place
}

type Path = readonly (string | number)[]

/** Every document of the text, empty ones as null. Throws `RenderFault` with the place. */
export function loadYaml(text: string, options: YamlOptions): YamlDocument[] {
  const source = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
  if (source.length > options.limits.yaml)
    throw new RenderFault(
      'LimitExceeded',
      `${options.file}: ${source.length} characters of YAML; the limit is ${options.limits.yaml}`,
    )
  return new Loader(source, options).documents()
}

/** The one document of a values file or `Chart.yaml`. */
export function loadOne(text: string, options: YamlOptions): YamlDocument | null {
  const documents = loadYaml(text, options)
  const second = documents[1]
  if (second !== undefined) throw faultAt('InvalidYaml', second.place, 'a second document; only one is read here', text, 'texts')
  return documents[0] ?? null
}

class Loader {
  readonly #source: string
  readonly #options: YamlOptions
  readonly #events: readonly Event[]
  #at = 0
  #nodes = 0
  #aliases = 0
  #anchors = new Map<string, Value>()
  #open = new Set<string>()
  /** Where the keys and items of each collection stand. */
  readonly #offsets = new WeakMap<object, Map<string | number, number>>()

  constructor(source: string, options: YamlOptions) {
    this.#source = source
    this.#options = options
    this.#events = this.#parse()
  }

  #parse(): readonly Event[] {
    try {
      return parseEvents(this.#source, { maxDepth: this.#options.limits.nesting })
    } catch (cause) {
      if (!(cause instanceof YAMLException)) throw cause
      throw this.#fault(cause.reason, cause.mark?.position ?? 0)
    }
  }

  documents(): YamlDocument[] {
    const documents: YamlDocument[] = []
    while (this.#at < this.#events.length) {
      this.#at++
      this.#anchors = new Map()
      const start = this.#startOf(this.#events[this.#at])
      const empty = this.#events[this.#at]?.type === EVENT_ID.POP
      const value = empty ? null : this.#node(start)
      this.#at++
      documents.push({
        value,
        place: this.#place(start),
        locate: path => this.#locate(value, start, path),
      })
    }
    return documents
  }

  #locate(root: Value, start: number, path: Path): Place {
    let offset = start
    let value: Value | undefined = root
    for (const step of path) {
      if (!isDict(value) && !isList(value)) break
      const at = this.#offsets.get(value)?.get(step)
      if (at === undefined) break
      offset = at
      value = isDict(value) ? value.get(String(step)) : value[Number(step)]
    }
    return this.#place(offset)
  }

  #place(offset: number): Place {
    const { file, template } = this.#options
    return template === undefined ? placeOf(file, this.#source, offset) : { file, line: template.lineAt(offset), column: 0 }
  }

  /** Reads one node; `near` is where to point when the node itself has no text. */
  #node(near: number): Value {
    const event = this.#events[this.#at++]
    if (event === undefined) return null
    this.#count(near)
    if (event.type === EVENT_ID.ALIAS)
      return this.#alias(this.#source.slice(event.anchorStart, event.anchorEnd), event.anchorStart - 1)
    if (event.type === EVENT_ID.SCALAR) return this.#anchored(event, () => this.#scalar(event, this.#startOf(event, near)))
    if (event.type === EVENT_ID.SEQUENCE) return this.#anchored(event, () => this.#sequence(event.start))
    if (event.type === EVENT_ID.MAPPING) return this.#anchored(event, () => this.#mapping())
    return null
  }

  #anchored(event: { readonly anchorStart: number; readonly anchorEnd: number }, read: () => Value): Value {
    if (event.anchorStart < 0) return read()
    const name = this.#source.slice(event.anchorStart, event.anchorEnd)
    this.#open.add(name)
    const value = read()
    this.#open.delete(name)
    this.#anchors.set(name, value)
    return value
  }

  #alias(name: string, offset: number): Value {
    if (this.#open.has(name)) throw this.#fault(`anchor ${name} contains itself`, offset)
    const value = this.#anchors.get(name)
    if (value === undefined) throw this.#fault(`no anchor ${name} stands before this`, offset)
    if (++this.#aliases > this.#options.limits.aliases)
      throw this.#limit(`more than ${this.#options.limits.aliases} aliases`, offset)
    return this.#copy(value, offset)
  }

  /** An alias is a copy: values are changed later, and a bomb is found by counting what it expands to. */
  #copy(value: Value, offset: number): Value {
    this.#count(offset)
    if (!isDict(value) && !isList(value)) return value
    const copy = isDict(value)
      ? new Map([...value].map(([key, item]) => [key, this.#copy(item, offset)] as const))
      : value.map(item => this.#copy(item, offset))
    const offsets = this.#offsets.get(value)
    if (offsets !== undefined) this.#offsets.set(copy, offsets)
    return copy
  }

  #sequence(start: number): Value {
    const list: Value[] = []
    const offsets = new Map<string | number, number>()
    this.#offsets.set(list, offsets)
    while (!this.#pop()) {
      const offset = this.#startOf(this.#events[this.#at], start)
      offsets.set(list.length, offset)
      list.push(this.#node(offset))
    }
    return list
  }

  #mapping(): Value {
    const dict = new Map<string, Value>()
    const offsets = new Map<string | number, number>()
    const written = new Set<string>()
    this.#offsets.set(dict, offsets)
    while (!this.#pop()) {
      const event = this.#events[this.#at]
      const offset = this.#startOf(event)
      if (this.#isMerge(event)) {
        this.#at++
        this.#merge(dict, offsets, this.#node(offset), offset)
        continue
      }
      const key = this.#key(this.#node(offset), offset)
      if (written.has(key) && this.#options.mode === 'manifest')
        throw this.#fault(
          `key ${key} is there twice (first in line ${placeOf('', this.#source, offsets.get(key) ?? 0).line})`,
          offset,
        )
      written.add(key)
      offsets.set(key, offset)
      dict.set(key, this.#node(offset))
    }
    return dict
  }

  #isMerge(event: Event | undefined): boolean {
    if (event?.type !== EVENT_ID.SCALAR || this.#textOf(event) !== '<<') return false
    const tag = this.#tagOf(event)
    return tag === 'merge' || (tag === '' && isPlain(event))
  }

  /** Where it stands, as go-yaml v2 does: a key written before `<<` is overwritten, one after it wins. Of a list the first wins. */
  #merge(into: Map<string, Value>, offsets: Map<string | number, number>, from: Value, offset: number): void {
    for (const source of isList(from) ? [...from].reverse() : [from]) {
      if (!isDict(source)) throw this.#fault('<< wants a map or a list of maps', offset)
      for (const [key, value] of source) {
        this.#count(offset)
        into.set(key, value)
        offsets.set(key, offset)
      }
    }
  }

  /** Keys become strings as sigs.k8s.io/yaml makes them: `10` -> '10', `yes` -> 'true'. */
  #key(value: Value, offset: number): string {
    if (typeof value === 'string') return value
    if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
    if (typeof value === 'number') return shortest32(value)
    throw this.#fault(value === null ? 'a key is missing before the colon' : 'a list or map cannot be a key', offset)
  }

  #scalar(event: ScalarEvent, near: number): Value {
    const text = this.#textOf(event)
    const tag = this.#tagOf(event)
    const value = tag === '' ? (isPlain(event) ? readScalar(text) : text) : this.#tagged(tag, text, near)
    if (typeof value === 'number' && !Number.isFinite(value)) throw this.#fault(`${text} cannot be written as JSON`, near)
    return value
  }

  #tagged(tag: string, text: string, near: number): Scalar {
    const wrong = (): never => {
      throw this.#fault(`this is not what its tag !!${tag} says`, near)
    }
    if (tag === 'int') return readInt(text.replaceAll('_', '')) ?? wrong()
    if (tag === 'float') return readFloat(text.replaceAll('_', '')) ?? wrong()
    if (tag === 'bool' || tag === 'null') {
      const value = readScalar(text)
      return (tag === 'bool') === (typeof value === 'boolean') && (tag === 'bool' || value === null) ? value : wrong()
    }
    if (tag === 'binary') return decoded(text) ?? wrong()
    return text
  }

  /** `int` of `!!int`; '' without one, or of one that Go does not know and drops (its scalar is a string: 'str'). */
  #tagOf(event: ScalarEvent): string {
    if (event.tagStart < 0) return ''
    const raw = this.#source.slice(event.tagStart, event.tagEnd)
    const core = /^(?:!!|!?<?tag:yaml\.org,2002:)(\w+)>?$/.exec(raw)
    return core?.[1] ?? 'str'
  }

  #textOf(event: ScalarEvent): string {
    return event.valueStart < 0 ? '' : getScalarValue(this.#source, event)
  }

  #pop(): boolean {
    if (this.#events[this.#at]?.type !== EVENT_ID.POP) return false
    this.#at++
    return true
  }

  #startOf(event: Event | undefined, otherwise = 0): number {
    if (event === undefined) return otherwise
    if (event.type === EVENT_ID.SCALAR) return event.valueStart < 0 ? otherwise : event.valueStart
    if (event.type === EVENT_ID.SEQUENCE || event.type === EVENT_ID.MAPPING) return event.start
    if (event.type === EVENT_ID.ALIAS) return event.anchorStart - 1
    return otherwise
  }

  #count(offset: number): void {
    if (++this.#nodes > this.#options.limits.nodes)
      throw this.#limit(`more than ${this.#options.limits.nodes} values with aliases expanded`, offset)
  }

  #fault(what: string, offset: number): RenderFault {
    const { template, mode, file } = this.#options
    const shown = template?.source ?? this.#source
    const hide = mode === 'values' || holdsSecrets(shown) ? 'texts' : 'nothing'
    const line = placeOf(file, this.#source, offset).line
    return faultAt(
      'InvalidYaml',
      this.#place(offset),
      template === undefined ? what : `${what} (line ${line} of what it rendered)`,
      shown,
      hide,
    )
  }

  #limit(what: string, offset: number): RenderFault {
    return new RenderFault('LimitExceeded', `${this.#fault(what, offset).message} (the limit)`)
  }
}

/** js-yaml's SCALAR_STYLE_PLAIN. */
function isPlain(event: ScalarEvent): boolean {
  return event.style === 1
}

/** The shortest digits that give the same 32-bit float (Go's `FormatFloat(f, 'g', -1, 32)`, which sigs.k8s.io/yaml uses for keys). */
function shortest32(value: number): string {
  if (Number.isInteger(value)) return String(value)
  for (let digits = 1; digits <= 9; digits++) {
    const text = Number(value.toPrecision(digits))
    if (Math.fround(text) === Math.fround(value)) return String(text)
  }
  return String(value)
}

function decoded(base64: string): string | null {
  const plain = base64.replace(/\s/g, '')
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(plain)
    ? Buffer.from(plain, 'base64').toString('utf8')
    : null
}
