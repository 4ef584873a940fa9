// Values of Go's own tests, written as typed JSON, in the renderer's model: structs, pointers and maps that Helm itself never hands out.
import { Complex } from '../../renderer/value/complex.js'
import { sprint } from '../../renderer/value/format.js'
import { Bytes, Int, type IntType, int, nilDict, nilList, Struct, typed, type Value } from '../../renderer/value/value.js'

export type Typed = null | boolean | number | string | readonly Typed[] | { readonly [key: string]: Typed }

const intTypes: ReadonlySet<string> = new Set<IntType>([
  'int',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'uintptr',
  'time.Duration',
])

class GoStruct extends Struct {
  readonly type: string
  readonly kind: 'struct' | 'ptr'
  readonly #fields: ReadonlyMap<string, Value>
  constructor(type: string, kind: 'struct' | 'ptr', fields: ReadonlyMap<string, Value>) {
    super()
    this.type = type
    this.kind = kind
    this.#fields = fields
  }
  override field(name: string): Value | undefined {
    return this.#fields.get(name)
  }
  override fields() {
    return [...this.#fields]
  }
  override isEqual(other: Value): boolean {
    return other === this || (other instanceof GoStruct && this.kind === 'struct' && other.type === this.type)
  }
  print(): string {
    return `{${[...this.#fields.values()].map(sprint).join(' ')}}`
  }
}

class NilPointer extends Struct {
  readonly type: string
  readonly kind = 'ptr'
  constructor(type: string) {
    super()
    this.type = type
  }
  override get isNil(): boolean {
    return true
  }
  override get isTrue(): boolean {
    return false
  }
  print(): string {
    return '<nil>'
  }
}

/** A map whose keys are not texts. */
class GoMap extends Struct {
  readonly type: string
  readonly kind = 'map'
  readonly #entries: readonly (readonly [Value, Value])[]
  readonly #isNil: boolean
  constructor(type: string, entries: readonly (readonly [Value, Value])[] | null) {
    super()
    this.type = type
    this.#entries = entries ?? []
    this.#isNil = entries === null
  }
  override get isNil(): boolean {
    return this.#isNil
  }
  override items() {
    return this.#entries
  }
  override at(key: Value): Value | undefined {
    const known = this.type.startsWith('map[any]') || key instanceof Int
    return known ? (this.#entries.find(([other]) => sprint(other) === sprint(key))?.[1] ?? null) : undefined
  }
  override get length(): number {
    return this.#entries.length
  }
  override get isTrue(): boolean {
    return this.length > 0
  }
  print(): string {
    return `map[${this.#entries.map(([key, item]) => `${sprint(key)}:${sprint(item)}`).join(' ')}]`
  }
}

/** `named`: what `{"$ref": NAME}` stands for. */
export function goValue(json: Typed, named: { readonly [name: string]: Typed } = {}): Value {
  if (json === null || typeof json === 'boolean' || typeof json === 'string') return json
  if (typeof json === 'number') return Number.isInteger(json) ? int(json) : json
  if (Array.isArray(json)) return json.map(item => goValue(item, named))
  const object = json as { readonly [key: string]: Typed }
  if (typeof object.$ref === 'string') return goValue(named[object.$ref] as Typed, named)
  if (typeof object.$type === 'string') return ofType(object.$type, object, named)
  return new Map(Object.entries(object).map(([key, item]) => [key, goValue(item, named)]))
}

function ofType(type: string, json: { readonly [key: string]: Typed }, named: { readonly [name: string]: Typed }): Value {
  const value = json.v as Typed
  if (typeof json.base64 === 'string') return new Bytes(Buffer.from(json.base64, 'base64'))
  if (type === 'string' || type === 'bool' || type === 'interface {}') return goValue(value, named)
  if (intTypes.has(type)) return new Int(type as IntType, BigInt(value as number | string))
  if (type === 'float64') return value === '-0' ? -0 : Number(value)
  if (type === 'complex128') return new Complex(...(value as [number, number]))
  if (type.startsWith('*')) return pointer(type, value, named)
  if (json.$kind === 'struct') return new GoStruct(type, 'struct', fieldsOf(value, named))
  const [, key, element] = /^map\[(\w+)\](.+)$/.exec(type) ?? []
  if (key !== undefined) return mapOf(type, key, element as string, value, named)
  return listOf(typeof json.$kind === 'string' ? json.$kind : type, value, named)
}

function fieldsOf(value: Typed, named: { readonly [name: string]: Typed }): Map<string, Value> {
  return new Map(Object.entries(value as { readonly [key: string]: Typed }).map(([key, item]) => [key, goValue(item, named)]))
}

/** To anything but a struct it is what it points to: templates look through it. */
function pointer(type: string, value: Typed, named: { readonly [name: string]: Typed }): Value {
  if (value === null) return new NilPointer(type)
  const json = value as { readonly [key: string]: Typed }
  if (json.$kind === 'struct') return new GoStruct(type, 'ptr', fieldsOf(json.v as Typed, named))
  return goValue(value, named)
}

function mapOf(type: string, key: string, element: string, value: Typed, named: { readonly [name: string]: Typed }): Value {
  const of = (item: Typed, of: string) =>
    goValue(item === null || typeof item === 'object' ? item : { $type: of, v: item }, named)
  if (key === 'string') {
    if (value === null) return typed(nilDict(), type)
    const entries = Object.entries(value as { readonly [key: string]: Typed })
    return typed(new Map(entries.map(([name, item]) => [name, of(item, element)])), type)
  }
  if (value === null) return new GoMap(type, null)
  const pairs = value as readonly (readonly [Typed, Typed])[]
  return new GoMap(
    type,
    pairs.map(([name, item]) => [key === 'any' ? goValue(name, named) : of(name, key), of(item, element)] as const),
  )
}

function listOf(type: string, value: Typed, named: { readonly [name: string]: Typed }): Value {
  const element = type.replace(/^\[\d*\]/, '')
  if (value === null) return nilList(type)
  const items = (value as readonly Typed[]).map(item =>
    typeof item === 'number' ? goValue({ $type: element, v: item }, named) : goValue(item, named),
  )
  return typed(items, type)
}
