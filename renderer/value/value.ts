// Go's values as templates of Helm see them, held in JavaScript so that no name from Git ever reaches a property of an object.
//
// | Go                                   | here                                                                             |
// |--------------------------------------|----------------------------------------------------------------------------------|
// | nil interface                        | `null`                                                                           |
// | bool, float64                        | `boolean`, `number` (every number of YAML and JSON is a float64)                   |
// | int, int64, uint64, rune, Duration   | `Int`                                                                            |
// | string                               | `string`; a byte that is not UTF-8 is the lone surrogate U+DC00 + byte (see text.ts) |
// | []byte                               | `Bytes`                                                                          |
// | map[string]interface {}              | `Map`, by reference as in Go; another map type carries its name in `goType`       |
// | []interface {}                       | array; another element type ([]string, []int) carries its name in `goType`        |
// | structs, pointers, named types       | a subclass of `Struct`, with its own table of fields and methods                  |

export type Value = null | boolean | number | string | Int | Bytes | Dict | List | Struct

/** The name of the Go type of a map or list, where it is not the usual one: `map[string]string`, `[]string`, `chartutil.Values`. */
export const goType: unique symbol = Symbol('goType')

/**
 * Marks a slice or map that is nil in Go (`rest list`, `concat`, `fromJson "null"`, a regexFindAll without a match): empty
 * wherever it is read, but `null` in JSON and YAML, and unlike an empty one for reflect.DeepEqual.
 */
export const goNil: unique symbol = Symbol('goNil')

/** The methods of a named map type: `.Values.AsMap`. */
export const goMethods: unique symbol = Symbol('goMethods')

export type Dict = Map<string, Value> & { [goType]?: string; [goNil]?: true; [goMethods]?: (name: string) => Method | undefined }
/** Never changed in place once a template can see it: Go's slices are shared, and Sprig's functions copy. */
export type List = Value[] & { [goType]?: string; [goNil]?: true; [goMethods]?: (name: string) => Method | undefined }

export type IntType =
  | 'int'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'uintptr'
  | 'time.Duration'

/** A Go integer. Made by `int`, which shares the small ones. */
export class Int {
  readonly type: IntType
  readonly value: bigint
  constructor(type: IntType, value: bigint) {
    this.type = type
    this.value = value
  }
}

const small = { int: sharedInts('int'), int64: sharedInts('int64') }

function sharedInts(type: IntType): readonly Int[] {
  return Array.from({ length: 1152 }, (_, at) => new Int(type, BigInt(at - 128)))
}

/** `value` must fit the type: wrap with `BigInt.asIntN` first where Go would overflow. */
export function int(value: number | bigint, type: IntType = 'int'): Int {
  const shared = type === 'int' ? small.int : type === 'int64' ? small.int64 : undefined
  if (shared !== undefined && value >= -128 && value < 1024) return shared[Number(value) + 128] as Int
  return new Int(type, BigInt(value))
}

export class Bytes {
  readonly bytes: Uint8Array
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

/** What a method of a `Struct` is called with: checked arguments, as a function of the table (functions/function.ts). */
export interface Method {
  readonly params: readonly ParamType[]
  readonly variadic?: ParamType
  readonly run: (args: readonly Value[]) => Value
}

/**
 * The Go type of a parameter, as reflection checks it before a call (text/template exec.go `validateType`):
 * `any` takes everything, the others what is assignable to them.
 */
export type ParamType =
  | 'any'
  /** As `any`, but a missing value arrives as undefined (only `len` tells it from nil). */
  | 'reflect.Value'
  | 'string'
  | 'bool'
  | 'int'
  | 'int64'
  | 'uint32'
  | 'float64'
  | 'map'
  | 'maps'
  | 'list'
  | 'strings'
  | 'bytes'
  | Struct['type']

/** A Go struct, pointer or other named type with fields or methods: what Helm hands to templates beside plain data. */
export abstract class Struct {
  /** As `%T` prints it: `*semver.Version`, `time.Time`, `chart.Metadata`. */
  abstract readonly type: string
  /** As Sprig's `kindOf` prints it. */
  abstract readonly kind:
    | 'struct'
    | 'ptr'
    | 'map'
    | 'slice'
    | 'array'
    | 'func'
    | 'chan'
    | 'string'
    | 'int'
    | 'bool'
    | 'complex128'
  /** undefined: there is no such field. */
  field(_name: string): Value | undefined {
    return undefined
  }
  /** undefined: there is no such method. */
  method(_name: string): Method | undefined {
    return undefined
  }
  /** What `%v` prints. */
  abstract print(): string
  /** What `{{value}}` writes where a pointer to it has a String method, and the value itself has none. */
  get shown(): string | undefined {
    return undefined
  }
  /** Its fields in order, where it has no String method: other verbs print it field by field. */
  fields(): readonly (readonly [string, Value])[] | undefined {
    return undefined
  }
  /** What `range` goes through, keys and values in order; undefined: it cannot be ranged over. */
  items(): Iterable<readonly [Value, Value]> | undefined {
    return undefined
  }
  /**
   * What `index` and, in a map, a field finds; in a map null where nothing is. Throws CallError as Go words it; undefined: it cannot
   * be indexed so.
   */
  at(_key: Value): Value | undefined {
    return undefined
  }
  /** What `len` says; undefined: it has no length. */
  get length(): number | undefined {
    return undefined
  }
  /** Go's `==`: of pointers, the same one. */
  isEqual(other: Value): boolean {
    return other === this
  }
  /** A nil pointer. */
  get isNil(): boolean {
    return false
  }
  /** text/template's truth; a struct is always true. */
  get isTrue(): boolean {
    return true
  }
  /** What encoding/json makes of it; undefined: it refuses. */
  json(): Value | undefined {
    return undefined
  }
}

/** The error that a function returned; the evaluator words it as Go does: `error calling NAME: MESSAGE`. */
export class CallError extends Error {}

export function isDict(value: Value | undefined): value is Dict {
  return value instanceof Map
}

export function isList(value: Value | undefined): value is List {
  return Array.isArray(value)
}

/** A list of another element type: `typed(['a'], '[]string')`. */
export function typed<T extends Dict | List>(value: T, type: string): T {
  value[goType] = type
  return value
}

/** A nil slice, `[]interface {}` unless said. */
export function nilList(type?: string): List {
  const list: List = []
  list[goNil] = true
  return type === undefined ? list : typed(list, type)
}

/** A nil `map[string]interface {}`. */
export function nilDict(): Dict {
  const dict: Dict = new Map()
  dict[goNil] = true
  return dict
}

/** nil in Go: the nil interface, or a nil slice or map. */
export function isNil(value: Value): boolean {
  if (value instanceof Struct) return value.isNil
  return value === null || ((isList(value) || isDict(value)) && value[goNil] === true)
}

/** As `%T` prints it. */
export function typeOf(value: Value): string {
  if (value === null) return '<nil>'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'number') return 'float64'
  if (typeof value === 'string') return 'string'
  if (value instanceof Int) return value.type
  if (value instanceof Bytes) return '[]uint8'
  if (value instanceof Struct) return value.type
  return value[goType] ?? (isList(value) ? '[]interface {}' : 'map[string]interface {}')
}

/** As reflect.Kind prints it; `invalid` for nil. */
export function kindOf(value: Value): string {
  if (value === null) return 'invalid'
  if (value instanceof Int) return value.type === 'time.Duration' ? 'int64' : value.type
  if (value instanceof Bytes || isList(value)) return 'slice'
  if (isDict(value)) return 'map'
  return value instanceof Struct ? value.kind : typeOf(value)
}

/** text/template `IsTrue`: false, 0, nil, '' and what is empty are false. */
export function isTrue(value: Value): boolean {
  if (value === null) return false
  if (value instanceof Int) return value.value !== 0n
  if (value instanceof Bytes) return value.bytes.length > 0
  if (value instanceof Struct) return value.isTrue
  if (isList(value)) return value.length > 0
  if (isDict(value)) return value.size > 0
  return Boolean(value) || Number.isNaN(value)
}
