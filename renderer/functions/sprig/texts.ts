// What Sprig makes texts of (strings.go: strval, strslice), and its functions that print values.
import { sprint } from '../../value/format.js'
import { quoted } from '../../value/quote.js'
import { compareText, joined, textOf } from '../../value/text.js'
import { Bytes, goType, int, isList, type List, typed, type Value } from '../../value/value.js'
import { work } from '../../work.js'
import type { Call, GoFunction } from '../signature.js'
import { boundedText, define, rest, text } from './define.js'

export const texts: readonly GoFunction[] = [
  define('toString', ['any'], args => textOfValue(args[0] as Value)),
  define('toStrings', ['any'], args => textsOf(args[0] as Value)),
  define('quote', ['...any'], (args, call) =>
    spaced(
      present(args).map(arg => quoted(textOfValue(arg))),
      call,
    ),
  ),
  define('squote', ['...any'], (args, call) =>
    spaced(
      present(args).map(arg => `'${sprint(arg)}'`),
      call,
    ),
  ),
  define('cat', ['...any'], (args, call) => spaced(present(args).map(sprint), call)),
  define('join', ['string', 'any'], (args, call) => joinedTexts(textsOf(args[1] as Value), text(args, 0), call)),
  define('sortAlpha', ['any'], args => sortAlpha(args[0] as Value)),
]

/** strings.go `strval`: bytes are a text, all else as `%v` prints it. */
export function textOfValue(value: Value): string {
  if (typeof value === 'string') return value
  return value instanceof Bytes ? textOf(value.bytes) : sprint(value)
}

/** strings.go `strslice`: nil has no place in it; what is no list is the only item. */
export function textsOf(value: Value): List {
  if (isList(value) && value[goType] === '[]string') return value
  const items = itemsOf(value) ?? [value]
  return typed(present(items).map(textOfValue), '[]string')
}

/** The items of a Go slice; undefined: it is none. */
export function itemsOf(value: Value): List | undefined {
  if (isList(value)) return value
  return value instanceof Bytes ? Array.from(value.bytes, byte => int(byte, 'uint8')) : undefined
}

function present(values: readonly Value[]): Value[] {
  return rest(values, 0).filter(value => value !== null)
}

function spaced(parts: readonly string[], call: Call): string {
  return joinedTexts(parts, ' ', call)
}

/** Measured before it is made: a long separator makes much of little. */
function joinedTexts(parts: readonly Value[], separator: string, call: Call): string {
  const texts = parts as readonly string[]
  call.meter.text(texts.reduce((length, part) => length + part.length, separator.length * Math.max(0, texts.length - 1)))
  return boundedText(joined(texts.join(separator)), call)
}

/** A []string is sorted in place, as Go does it: who holds it sees it sorted. */
function sortAlpha(value: Value): List {
  if (itemsOf(value) === undefined) return typed([textOfValue(value)], '[]string')
  const texts = textsOf(value) as string[]
  if (texts.length > 256) work(texts.length * 8)
  return texts.sort(compareText) as List
}
