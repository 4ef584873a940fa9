// Lists and maps. All pure: nothing that was given is changed, so the order of templates never matters.
import { compareText, type Dict, isDict, isEqual, isList, isTrue, sortedKeys, textOf, type Value } from '../value.js'
import { deepCopy } from '../values/merge.js'
import { argument, type Call, countArg, define, dictArg, type Family, listArg, textArg, wants } from './function.js'

const any = [0, Number.POSITIVE_INFINITY] as const
const one = [1, Number.POSITIVE_INFINITY] as const

export const lists: Family = [
  define('list', any, args => [...args]),
  define('append', 2, (args, call) => sized([...listArg(args, 0), argument(args, 1)], call)),
  define('prepend', 2, (args, call) => sized([argument(args, 1), ...listArg(args, 0)], call)),
  define('concat', any, (args, call) =>
    sized(
      args.flatMap((_, at) => [...listArg(args, at)]),
      call,
    ),
  ),
  define('first', 1, args => listArg(args, 0)[0] ?? null),
  define('last', 1, args => listArg(args, 0).at(-1) ?? null),
  define('rest', 1, args => listArg(args, 0).slice(1)),
  define('initial', 1, args => listArg(args, 0).slice(0, -1)),
  define('reverse', 1, args => [...listArg(args, 0)].reverse()),
  define('uniq', 1, (args, call) => unique(listArg(args, 0), call)),
  define('without', one, args => listArg(args, 0).filter(item => !args.slice(1).some(other => isEqual(item, other)))),
  define('compact', 1, args => listArg(args, 0).filter(isTrue)),
  define('has', 2, args => listArg(args, 1).some(item => isEqual(item, argument(args, 0)))),
  define('sortAlpha', 1, args =>
    listArg(args, 0)
      .map(item => textOf(item) ?? '')
      .sort(compareText),
  ),
  define('until', 1, (args, call) => range(0, countArg(args, 0), call)),
  define('len', 1, args => lengthOf(argument(args, 0))),
]

export const dicts: Family = [
  define('dict', any, (args, _, named) => pairs(args, named)),
  define('get', 2, args => dictArg(args, 0).get(textArg(args, 1)) ?? ''),
  define('hasKey', 2, args => dictArg(args, 0).has(textArg(args, 1))),
  define('dig', [3, Number.POSITIVE_INFINITY], args => dig(args)),
  define('keys', one, args => args.flatMap((_, at) => sortedKeys(dictArg(args, at)))),
  define('values', 1, args => sortedKeys(dictArg(args, 0)).map(key => dictArg(args, 0).get(key) ?? null)),
  define('pick', one, args => chosen(args, true)),
  define('omit', one, args => chosen(args, false)),
  define('merge', one, (args, call) => args.map((_, at) => dictArg(args, at)).reduce((all, next) => filled(all, next, call))),
  define('mergeOverwrite', one, (args, call) =>
    args.map((_, at) => dictArg(args, at)).reduce((all, next) => overwritten(all, next, call)),
  ),
  define('deepCopy', 1, args => deepCopy(argument(args, 0))),
]

function sized(items: Value[], call: Call): Value[] {
  call.meter.items(items.length)
  return items
}

function range(from: number, to: number, call: Call): Value[] {
  call.meter.items(Math.abs(to - from))
  return Array.from({ length: Math.max(0, to - from) }, (_, at) => from + at)
}

/** Texts and numbers by a set; a list of lists or maps by comparing each with each, which the meter bounds. */
function unique(items: readonly Value[], call: Call): Value[] {
  const seen = new Set<Value>()
  const kept: Value[] = []
  for (const item of items) {
    call.meter.step()
    if (typeof item === 'object' && item !== null) {
      if (!kept.some(other => isEqual(other, item))) kept.push(item)
      for (let spent = 0; spent < kept.length; spent++) call.meter.step()
    } else if (!seen.has(item)) {
      seen.add(item)
      kept.push(item)
    }
  }
  return kept
}

function lengthOf(value: Value): number {
  if (value === null) return 0
  if (isList(value)) return value.length
  if (isDict(value)) return value.size
  if (typeof value === 'string') return Buffer.byteLength(value)
  throw wants('a list, a map or text', 0, value)
}

function pairs(args: readonly Value[], named: Dict): Dict {
  const dict = new Map<string, Value>()
  for (let at = 0; at < args.length; at += 2) dict.set(textArg(args, at), argument(args, at + 1) ?? '')
  for (const [key, value] of named) dict.set(key, value)
  return dict
}

function dig(args: readonly Value[]): Value {
  const otherwise = argument(args, args.length - 2)
  let value: Value = dictArg(args, args.length - 1)
  for (const key of args.slice(0, -2)) {
    const next: Value | undefined = isDict(value) ? value.get(String(key)) : undefined
    if (next === undefined) return otherwise
    value = next
  }
  return value
}

function chosen(args: readonly Value[], keep: boolean): Dict {
  const named = new Set(args.slice(1).map((_, at, all) => textArg(all, at)))
  return new Map([...dictArg(args, 0)].filter(([key]) => named.has(key) === keep))
}

/** Sprig's `merge`: what is missing or empty in the first is taken from the next. */
function filled(first: Dict, next: Dict, call: Call): Dict {
  const merged = new Map(first)
  for (const [key, value] of next) {
    call.meter.step()
    const old = merged.get(key)
    if (isDict(old) && isDict(value)) merged.set(key, filled(old, value, call))
    else if (!isTrue(old)) merged.set(key, value)
  }
  return merged
}

function overwritten(first: Dict, next: Dict, call: Call): Dict {
  const merged = new Map(first)
  for (const [key, value] of next) {
    call.meter.step()
    const old = merged.get(key)
    merged.set(key, isDict(old) && isDict(value) ? overwritten(old, value, call) : value)
  }
  return merged
}
