// Sprig's functions on maps (dict.go). `set` and `unset` change the map they are given; so do the merges with their first.
import { sortedKeys } from '../../value/keys.js'
import { SharedMap } from '../../value/shared.js'
import { type Dict, goType, isDict, isNil, nilDict, typed, typeOf, type Value } from '../../value/value.js'
import type { Call, GoFunction } from '../signature.js'
import { deepCopy } from './copy.js'
import { type Args, bounded, define, dict, fail, failAssertion, rest, text, withMust } from './define.js'
import { MergeRefused, mergeInto } from './merge.js'
import { textOfValue } from './texts.js'

export const dicts: readonly GoFunction[] = [
  define('dict', ['...any'], dictOf),
  define('get', ['map', 'string'], args => dict(args, 0).get(text(args, 1)) ?? missing(dict(args, 0), text(args, 1))),
  define('set', ['map', 'string', 'any'], set),
  define('unset', ['map', 'string'], args => {
    const given = (args[0] ?? nilDict()) as Dict
    given.delete(text(args, 1))
    return unnamed(given)
  }),
  define('hasKey', ['map', 'string'], args => dict(args, 0).has(text(args, 1))),
  define('pluck', ['string', '...map'], args =>
    rest(args, 1).flatMap(given => (isDict(given) && given.has(text(args, 0)) ? [given.get(text(args, 0)) as Value] : [])),
  ),
  define('keys', ['...map'], (args, call) =>
    bounded(
      typed(
        rest(args, 0).flatMap(given => sortedKeys(dict([given], 0))),
        '[]string',
      ),
      call,
    ),
  ),
  define('values', ['map'], args => sortedKeys(dict(args, 0)).map(key => dict(args, 0).get(key) as Value)),
  define('pick', ['map', '...string'], args => {
    const given = dict(args, 0)
    const chosen = (rest(args, 1) as string[]).filter(key => given.has(key))
    return new Map(chosen.map(key => [key, given.get(key) as Value]))
  }),
  define('omit', ['map', '...string'], args => {
    const omitted = new Set(rest(args, 1) as string[])
    return new Map([...dict(args, 0)].filter(([key]) => !omitted.has(key)))
  }),
  define('merge', ['map', '...map'], args => quiet(() => merged(args, false))),
  define('mustMerge', ['map', '...map'], args => merged(args, false)),
  define('mergeOverwrite', ['map', '...map'], args => quiet(() => merged(args, true))),
  define('mustMergeOverwrite', ['map', '...map'], args => merged(args, true)),
  define('dig', ['...any'], dig),
  ...withMust('deepCopy', ['any'], args =>
    args[0] === null ? fail('reflect: call of reflect.Value.Type on zero Value') : deepCopy(args[0] as Value),
  ),
]

/** A key without a value gets ''. */
function dictOf(args: Args, call: Call): Dict {
  call.meter.items(args.length)
  const made: Dict = new Map()
  for (let at = 0; at < args.length; at += 2)
    made.set(textOfValue(args[at] as Value), args[at + 1] ?? (at + 1 < args.length ? null : ''))
  return made
}

/** nil that is there is nil; what is not there is ''. */
function missing(given: Dict, key: string): Value {
  return given.has(key) ? null : ''
}

function set(args: Args, call: Call): Dict {
  const given = args[0] as Dict | null
  if (given === null || isNil(given)) return fail('assignment to entry in nil map')
  given.set(text(args, 1), args[2] as Value)
  call.meter.items(given.size)
  return unnamed(given)
}

/** What Go passes as `map[string]interface{}` has lost the name of its type (`chartutil.Values`): it is the same map all the same. */
function unnamed(given: Dict): Dict {
  if (given[goType] === undefined || isNil(given)) return given
  return given instanceof SharedMap ? given.of : new SharedMap(given)
}

function merged(args: Args, overwrite: boolean): Dict {
  const first = args[0] as Dict | null
  const into: Dict = first === null || isNil(first) ? new Map() : first
  let empty = into !== first
  for (const from of rest(args, 1) as (Dict | null)[]) {
    if (from === null || isNil(from)) continue
    mergeInto(into, from, overwrite)
    empty = false
  }
  return empty ? nilDict() : unnamed(into)
}

/** merge swallows what mustMerge returns. */
function quiet(run: () => Value): Value {
  try {
    return run()
  } catch (error) {
    if (error instanceof MergeRefused) return ''
    throw error
  }
}

/** Keys, then what to give where one is missing, then the map. Anything but a map on the way is a panic. */
function dig(args: Args): Value {
  if (args.length < 3) return fail('dig needs at least three arguments')
  let at = plainDict(args.at(-1) as Value)
  const keys = args.slice(0, -2).map(plainText)
  for (const [index, key] of keys.entries()) {
    const found = at.get(key)
    if (found === undefined) return args.at(-2) as Value
    if (index === keys.length - 1) return found
    at = plainDict(found)
  }
  return at
}

/**
 * `value.(map[string]interface {})`, which no map of another type is. A named one passes here: `.Values.AsMap` and what `set` and
 * `merge` give back are the same map under its plain type in Go, and one map cannot have two types here.
 */
function plainDict(value: Value): Dict {
  return isDict(value) && value[goType]?.startsWith('map[') !== true
    ? value
    : failAssertion(typeOf(value), 'map[string]interface {}')
}

function plainText(value: Value): string {
  return typeof value === 'string' ? value : failAssertion(typeOf(value), 'string')
}
