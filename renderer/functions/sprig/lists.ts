// Sprig's functions on lists (list.go). A result is a new []interface {}; what is no slice is an error that names its kind.
import { deepEqual } from '../../value/compare.js'
import { Bytes, goNil, goType, Int, isTrue, kindOf, type List, nilList, typed, type Value } from '../../value/value.js'
import { work } from '../../work.js'
import type { Call, GoFunction } from '../signature.js'
import { toInt64 } from './cast.js'
import { type Args, bounded, define, fail, failNil, named, rest, whole, withMust } from './define.js'
import { itemsOf } from './texts.js'

export const lists: readonly GoFunction[] = [
  ...named(['list', 'tuple'], ['...any'], (args, call) => bounded(rest(args, 0), call)),
  ...[...withMust('append', ['any', 'any'], push), ...withMust('push', ['any', 'any'], push)],
  ...withMust('prepend', ['any', 'any'], (args, call) => bounded([args[1] as Value, ...items(args, 0, 'prepend on')], call)),
  ...withMust('first', ['any'], args => items(args, 0, 'find first on')[0] ?? null),
  ...withMust('last', ['any'], args => items(args, 0, 'find last on').at(-1) ?? null),
  ...withMust('rest', ['any'], args => part(items(args, 0, 'find rest on'), 1)),
  ...withMust('initial', ['any'], args => part(items(args, 0, 'find initial on'), 0, -1)),
  ...withMust('reverse', ['any'], args => items(args, 0, 'find reverse on').toReversed()),
  ...withMust('compact', ['any'], args => items(args, 0, 'compact on').filter(isTrue)),
  ...withMust('uniq', ['any'], args => distinct(items(args, 0, 'find uniq on'))),
  ...withMust('without', ['any', '...any'], args => {
    const omitted = members(rest(args, 1))
    return items(args, 0, 'find without on').filter(item => !omitted.has(item))
  }),
  ...withMust(
    'has',
    ['any', 'any'],
    args => args[1] !== null && items(args, 1, 'find has on').some(item => deepEqual(args[0] as Value, item)),
  ),
  ...withMust('slice', ['any', '...any'], slice),
  ...withMust('chunk', ['int', 'any'], (args, call) => chunk(items(args, 1, 'chunk'), whole(args, 0), call)),
  define('concat', ['...any'], concat),
]

/** The items of argument `at`; `doing`: what the error says cannot be done. */
function items(args: Args, at: number, doing: string): List {
  const value = args[at] as Value
  return itemsOf(value) ?? (value === null ? failNil() : fail(`Cannot ${doing} type ${kindOf(value)}`))
}

function push(args: Args, call: Call): List {
  return bounded([...items(args, 0, 'push on'), args[1] as Value], call)
}

/** Of an empty list Go's functions give a nil slice. */
function part(list: List, start: number, end?: number): List {
  return list.length === 0 ? nilList() : list.slice(start, end)
}

interface Members {
  has(value: Value): boolean
  add(value: Value): void
}

/** Values by reflect.DeepEqual: what has no parts is looked up, so that a long list is not compared with itself. */
function members(values: readonly Value[] = []): Members {
  const simple = new Set<unknown>()
  const others: Value[] = []
  const key = (value: Value): unknown => {
    if (value instanceof Int) return `${value.type} ${value.value}`
    return typeof value === 'string' ? `s${value}` : value
  }
  const isSimple = (value: Value): boolean => value === null || typeof value !== 'object' || value instanceof Int
  const made: Members = {
    // NaN equals nothing, and a Set finds it.
    has: value =>
      isSimple(value) ? !Number.isNaN(value) && simple.has(key(value)) : others.some(other => deepEqual(other, value)),
    add: value => void (isSimple(value) ? simple.add(key(value)) : others.push(value)),
  }
  for (const value of values) made.add(value)
  return made
}

function distinct(list: List): List {
  const seen = members()
  return list.filter(item => {
    const isNew = !seen.has(item)
    if (isNew) seen.add(item)
    return isNew
  })
}

/** Keeps the type of the list; an empty one gives nil. */
function slice(args: Args): Value {
  const value = args[0] as Value
  const list = itemsOf(value)
  if (list === undefined) return value === null ? failNil() : fail(`list should be type of slice or array but ${kindOf(value)}`)
  if (list.length === 0) return null
  const start = args.length > 1 ? Number(toInt64(args[1] as Value)) : 0
  const end = args.length > 2 ? Number(toInt64(args[2] as Value)) : list.length
  if (start < 0 || end < start || end > list.length) fail('reflect.Value.Slice: slice index out of bounds')
  if (value instanceof Bytes) return new Bytes(value.bytes.subarray(start, end))
  const type = list[goType]
  return type === undefined ? list.slice(start, end) : typed(list.slice(start, end), type)
}

function concat(args: Args, call: Call): List {
  const all: List = []
  for (const value of args) {
    const more = itemsOf(value)
    if (more === undefined) return value === null ? failNil() : fail(`Cannot concat type ${kindOf(value)} as list`)
    call.meter.items(all.length + more.length)
    for (const item of more) all.push(item)
  }
  if (all.length === 0) all[goNil] = true
  return all
}

/** list.go mustChunk, whose arithmetic in float64 decides what a size below 1 gives. */
function chunk(list: List, size: number, call: Call): List {
  const count = size === 0 ? -1 : Math.floor((list.length - 1) / size) + 1
  if (count < 0) failLength()
  const chunks: List = []
  for (let at = 0; at < count; at++) {
    const left = Math.floor(list.length % size)
    const length = at < count - 1 || left === 0 ? size : left
    if (length < 0) failLength()
    chunks.push(list.slice(at * size, at * size + length))
  }
  if (chunks.length > 256) work(chunks.length * 4)
  return typed(bounded(chunks, call), '[][]interface {}')
}

function failLength(): never {
  return fail('runtime error: makeslice: len out of range')
}
