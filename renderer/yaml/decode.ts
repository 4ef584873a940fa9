// YAML text to the values of Helm: go-yaml v2's decoding, then sigs.k8s.io/yaml's way through JSON, which makes every number a float64 and every key a text.
import { type Dict, int, isDict, isList, type List, nilDict, nilList, type Value } from '../value/value.js'
import { type MappingNode, type Node, parseFirst, type ScalarNode } from './nodes.js'
import { formatG32 } from './number.js'
import { readQuickly } from './quick.js'
import { isSurelyText, type Resolved, resolve } from './resolve.js'
import { YamlError } from './tokens.js'

export { YamlError } from './tokens.js'

/** What `sigs.k8s.io/yaml` and Helm's loaders return as an error; `message` as they word it. */
export class DecodeError extends Error {}

export interface DecodeOptions {
  /**
   * What integers become. `float`: a float64, as in Helm. `exact`: those beyond 2^53 stay integers, for what goes to a cluster.
   * `kept`: all stay integers, where a text is made of them.
   */
  readonly integers?: 'float' | 'exact' | 'kept'
  /** A key that is there twice is an error; without, the last one wins. */
  readonly strict?: boolean
  /** Nodes with aliases expanded, and aliases written; go-yaml's own rule (`allowedAliasRatio`) stands beside them. */
  readonly nodes?: number
  readonly aliases?: number
}

const mostNodes = 5_000_000

/** A limit that was reached. */
export class YamlLimit extends YamlError {}

/** `yaml.Unmarshal(text, &any)`. Throws `DecodeError`: `error converting YAML to JSON: yaml: line 3: ...`. */
export function unmarshal(text: string, options: DecodeOptions = {}): Value {
  const quick = readQuickly(text, options.integers ?? 'float')
  return quick === undefined ? unmarshalWhole(text, options) : quick
}

/** The same by the reader that knows all of YAML. */
export function unmarshalWhole(text: string, options: DecodeOptions = {}): Value {
  try {
    const node = parseFirst(text)
    return node === null ? null : new Decoder(options).whole(node)
  } catch (cause) {
    if (!(cause instanceof YamlError)) throw cause
    throw new DecodeError(`error converting YAML to JSON: ${cause.message}`)
  }
}

/** Into a `map[string]interface {}`; a nil one where the text is empty or null. Throws `DecodeError`. */
export function unmarshalMap(text: string): Dict {
  const value = unmarshal(text)
  if (value === null) return nilDict()
  if (!isDict(value)) throw cannotUnmarshal(value, 'Go value of type map[string]interface {}')
  return value
}

/** Into a `[]interface {}`; a nil one where the text is empty or null. Throws `DecodeError`. */
export function unmarshalList(text: string): List {
  const value = unmarshal(text)
  if (value === null) return nilList()
  if (!isList(value)) throw cannotUnmarshal(value, 'Go value of type []interface {}')
  return value
}

/** encoding/json's complaint. `target`: `Go value of type T`, or `Go struct field S.f of type T`. */
export function cannotUnmarshal(value: Value, target: string): DecodeError {
  return new DecodeError(`error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${jsonKind(value)} into ${target}`)
}

function jsonKind(value: Value): string {
  if (isDict(value)) return 'object'
  if (isList(value)) return 'array'
  if (typeof value === 'string') return 'string'
  return typeof value === 'boolean' ? 'bool' : 'number'
}

/** The value of a node that `parseAll` or `parseFirst` gave. Throws `YamlError`. */
export function decodeNode(node: Node, options: DecodeOptions = {}): Value {
  return new Decoder(options).whole(node)
}

/** What stands under a key of a mapping, and where: written there, or merged in. The last one of a name is the one that counts. */
export function entryOf(node: Node, name: string): { readonly key: Node; readonly value: Node } | null {
  const { items } = mappingOf(node) ?? { items: [] }
  for (let at = items.length - 2; at >= 0; at -= 2) {
    const [key, value] = [items[at] as Node, items[at + 1] as Node]
    if (!isMerge(key)) {
      if (new Decoder({}).key(key, value) === name) return { key, value }
      continue
    }
    for (const source of value.kind === 'sequence' ? value.items : [value]) {
      const found = entryOf(source, name)
      if (found !== null) return found
    }
  }
  return null
}

class Decoder {
  readonly #integers: 'float' | 'exact' | 'kept'
  readonly #strict: boolean
  readonly #nodes: number
  readonly #aliases: number
  #count = 0
  #aliased = 0
  #written = 0
  #depth = 0
  #nullKey: YamlFault | null = null
  #noNumber: YamlFault | null = null
  readonly #open = new Set<Node>()

  constructor(options: DecodeOptions) {
    this.#integers = options.integers ?? 'float'
    this.#strict = options.strict ?? false
    this.#nodes = options.nodes ?? mostNodes
    this.#aliases = options.aliases ?? mostNodes
  }

  /** The value of a whole document. What JSON cannot say is told only where all else was right. */
  whole(node: Node): Value {
    const value = this.value(node)
    const fault = this.#nullKey ?? this.#noNumber
    if (fault !== null) throw fault
    return value
  }

  value(node: Node): Value {
    this.#counted(node)
    switch (node.kind) {
      case 'scalar':
        return this.#scalar(node)
      case 'mapping':
        return this.#mapping(node, new Map())
      case 'sequence':
        return node.items.map(item => this.value(item))
      case 'alias':
        return this.#alias(node, target => this.value(target))
    }
  }

  #counted(node: Node): void {
    this.#count++
    if (this.#depth > 0) this.#aliased++
    if (this.#count > this.#nodes) throw new YamlLimit(`more than ${this.#nodes} values with aliases expanded`, 0, node.at)
    if (this.#aliased > 100 && this.#count > 1000 && this.#aliased / this.#count > allowed(this.#count))
      throw new YamlError('document contains excessive aliasing', 0, node.at)
  }

  /** Expanded anew each time: values are changed later, and each place has its own. */
  #alias<T>(node: Node & { readonly kind: 'alias' }, read: (target: Node) => T): T {
    if (this.#open.has(node))
      throw new YamlError(`anchor '${node.name}' value contains itself`, 0, node.at, `anchor ${node.name} contains itself`)
    if (this.#depth === 0 && ++this.#written > this.#aliases)
      throw new YamlLimit(`more than ${this.#aliases} aliases`, 0, node.at)
    this.#open.add(node)
    this.#depth++
    const value = read(node.target)
    this.#depth--
    this.#open.delete(node)
    return value
  }

  #scalar(node: ScalarNode): Value {
    if (node.tag === '' && (!node.implicit || isSurelyText(node.value))) return node.value
    const resolved = resolveScalar(node)
    if (resolved.tag === 'int') {
      const value = Number(resolved.value)
      const kept = this.#integers === 'kept' || (this.#integers === 'exact' && !Number.isSafeInteger(value))
      return kept ? int(resolved.value, 'int64') : value
    }
    if (resolved.tag === 'float' && !Number.isFinite(resolved.value))
      this.#noNumber ??= new YamlFault(
        `json: unsupported value: ${formatG32(resolved.value)}`,
        node.at,
        `${node.value} cannot be written as JSON`,
      )
    return resolved.value
  }

  #mapping(node: MappingNode, into: Dict): Dict {
    const { items } = node
    const written = this.#strict ? new Map<string, Node>() : null
    for (let at = 0; at < items.length; at += 2) {
      const [key, value] = [items[at] as Node, items[at + 1] as Node]
      if (isMerge(key)) this.#merge(value, into)
      else {
        const name = this.key(key, value)
        if (written !== null) refuseTwice(name, key, written)
        into.set(name, this.value(value))
      }
    }
    return into
  }

  /** As sigs.k8s.io/yaml makes keys texts: `10` -> '10', `yes` -> 'true', `1.0` -> '1'. */
  key(node: Node, value: Node): string {
    this.#counted(node)
    if (node.kind === 'alias') return this.#alias(node, target => this.key(target, value))
    if (node.kind !== 'scalar') {
      // What is wrong inside of it comes first.
      this.value(node)
      throw new YamlError(`invalid map key: ${goSyntax(node)}`, 0, node.at, 'a list or map cannot be a key')
    }
    if (node.tag === '' && (!node.implicit || isSurelyText(node.value))) return node.value
    const key = resolveScalar(node)
    switch (key.tag) {
      case 'null':
        this.#nullKey ??= new YamlFault(
          `unsupported map key of type: %!s(<nil>), key: <nil>, value: ${goSyntax(value)}`,
          node.at,
          'a key is missing before the colon',
        )
        return ''
      case 'float':
        return formatG32(key.value).replace('+Inf', '.inf').replace('-Inf', '-.inf').replace('NaN', '.nan')
      default:
        return String(key.value)
    }
  }

  /** Where it stands: a key written before `<<` is overwritten, one after it wins. Of a list the first wins. */
  #merge(node: Node, into: Dict): void {
    const sources = node.kind === 'sequence' ? node.items.toReversed() : [node]
    if (sources.some(source => mappingOf(source) === null))
      throw new YamlError('map merge requires map or sequence of maps as the value', 0, node.at)
    for (const source of sources) {
      this.#counted(source)
      if (source.kind === 'mapping') this.#mapping(source, into)
      else if (source.kind === 'alias')
        this.#alias(source, target => {
          this.#counted(target)
          if (target.kind === 'mapping') this.#mapping(target, into)
        })
    }
  }
}

function refuseTwice(name: string, key: Node, written: Map<string, Node>): void {
  const first = written.get(name)
  if (first !== undefined) throw new TwiceError(name, first.at, key.at)
  written.set(name, key)
}

/** A key that is there twice. */
export class TwiceError extends YamlError {
  readonly first: number
  constructor(name: string, first: number, at: number) {
    super(`key ${name} is there twice`, 0, at)
    this.first = first
  }
}

/** A fault of what comes after go-yaml, worded without its `yaml: `. */
class YamlFault extends YamlError {
  constructor(problem: string, at: number, told = problem) {
    super(problem, 0, at, told)
    this.message = problem
  }
}

/** go-yaml's `allowedAliasRatio`: 99 % of a small document may come from aliases, 10 % of a very large one. */
function allowed(count: number): number {
  if (count <= 400_000) return 0.99
  if (count >= 4_000_000) return 0.1
  return 0.99 - 0.89 * ((count - 400_000) / 3_600_000)
}

function mappingOf(node: Node): MappingNode | null {
  if (node.kind === 'mapping') return node
  return node.kind === 'alias' && node.target.kind === 'mapping' ? node.target : null
}

function isMerge(node: Node): boolean {
  return node.kind === 'scalar' && node.value === '<<' && (node.implicit || node.tag === `${core}merge`)
}

const core = 'tag:yaml.org,2002:'
const resolvable = new Set(['str', 'bool', 'int', 'float', 'null', 'timestamp'])

function resolveScalar(node: ScalarNode): Resolved {
  if (node.tag === '') return resolve(node.value)
  const tag = node.tag.startsWith(core) ? node.tag.slice(core.length) : node.tag
  if (tag === 'binary') return { tag: 'str', value: fromBase64(node) }
  if (!node.tag.startsWith(core) || !resolvable.has(tag) || tag === 'str') return { tag: 'str', value: node.value }
  const found = resolve(node.value)
  if (found.tag === tag) return found
  if (tag === 'float' && found.tag === 'int') return { tag: 'float', value: Number(found.value) }
  const is = found.tag === 'timestamp' ? 'str' : found.tag
  throw new YamlError(
    `cannot decode !!${is} \`${node.value}\` as a !!${tag}`,
    0,
    node.at,
    `this is not what its tag !!${tag} says`,
  )
}

function fromBase64({ value, at }: ScalarNode): string {
  const plain = value.replace(/[\r\n]/g, '')
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(plain))
    throw new YamlError('!!binary value contains invalid base64 data', 0, at)
  return Buffer.from(plain, 'base64').toString('utf8')
}

/** `%#v` of what go-yaml decodes, for the two messages that show it. */
function goSyntax(node: Node): string {
  if (node.kind === 'alias') return goSyntax(node.target)
  if (node.kind === 'sequence') return `[]interface {}{${node.items.map(inner).join(', ')}}`
  if (node.kind === 'mapping') {
    const pairs: string[] = []
    for (let at = 0; at < node.items.length; at += 2)
      pairs.push(`${inner(node.items[at] as Node)}:${inner(node.items[at + 1] as Node)}`)
    return `map[interface {}]interface {}{${pairs.join(', ')}}`
  }
  const { value } = node.tag === '' && !node.implicit ? node : resolveScalar(node)
  if (value === null) return '<nil>'
  return typeof value === 'string' ? quoted(value) : String(value)
}

function inner(node: Node): string {
  const text = goSyntax(node)
  return text === '<nil>' ? 'interface {}(nil)' : text
}

function quoted(text: string): string {
  return JSON.stringify(text).replaceAll('\ufeff', '\\ufeff')
}
