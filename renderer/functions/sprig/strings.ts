// Sprig's functions on texts (strings.go, and Go's package strings under it). Lengths and places count bytes.
import { byteLength, joined, sliceBytes } from '../../value/text.js'
import { type Dict, typed, type Value } from '../../value/value.js'
import type { Call, GoFunction } from '../signature.js'
import { byBytes, fromBinary } from './bytes.js'
import { type Args, define, fail, named, text, whole } from './define.js'
import { isDigit, isLetter, isSpace, lowerText, scrubbed, toTitle, upperText } from './unicode.js'

export const strings: readonly GoFunction[] = [
  define('hello', [], () => 'Hello!'),
  define('trim', ['string'], args => trim(text(args, 0))),
  ...named(['trimAll', 'trimall'], ['string', 'string'], args => trimAll(text(args, 1), text(args, 0))),
  define('trimSuffix', ['string', 'string'], args =>
    ofTwo(args, (suffix, whole) => (whole.endsWith(suffix) && suffix !== '' ? whole.slice(0, -suffix.length) : whole)),
  ),
  define('trimPrefix', ['string', 'string'], args =>
    ofTwo(args, (prefix, whole) => (whole.startsWith(prefix) ? whole.slice(prefix.length) : whole)),
  ),
  define('contains', ['string', 'string'], args => asks(args, (part, whole) => whole.includes(part))),
  define('hasPrefix', ['string', 'string'], args => asks(args, (part, whole) => whole.startsWith(part))),
  define('hasSuffix', ['string', 'string'], args => asks(args, (part, whole) => whole.endsWith(part))),
  define('upper', ['string'], args => upperText(text(args, 0))),
  define('lower', ['string'], args => lowerText(text(args, 0))),
  define('title', ['string'], args => title(text(args, 0))),
  define('repeat', ['int', 'string'], (args, call) => repeat(text(args, 1), whole(args, 0), call)),
  define('substr', ['int', 'int', 'string'], args => substring(whole(args, 0), whole(args, 1), text(args, 2))),
  define('trunc', ['int', 'string'], args => trunc(whole(args, 0), text(args, 1))),
  define('indent', ['int', 'string'], (args, call) => indent(whole(args, 0), text(args, 1), call)),
  define('nindent', ['int', 'string'], (args, call) => '\n' + indent(whole(args, 0), text(args, 1), call)),
  define('replace', ['string', 'string', 'string'], (args, call) => replace(text(args, 2), text(args, 0), text(args, 1), call)),
  define('plural', ['string', 'string', 'int'], args => text(args, whole(args, 2) === 1 ? 0 : 1)),
  define('split', ['string', 'string'], (args, call) => numbered(split(text(args, 1), text(args, 0), -1), call)),
  define('splitn', ['string', 'int', 'string'], (args, call) =>
    numbered(split(text(args, 2), text(args, 0), whole(args, 1)), call),
  ),
  define('splitList', ['string', 'string'], (args, call) => {
    const parts = split(text(args, 1), text(args, 0), -1)
    call.meter.items(parts.length)
    return typed([...parts], '[]string')
  }),
]

/** A function of (part, whole) to a text. */
function ofTwo(args: Args, run: (part: string, whole: string) => string): string {
  return byBytes([text(args, 0), text(args, 1)], ([part = '', whole = '']) => run(part, whole), fromBinary)
}

function asks(args: Args, run: (part: string, whole: string) => boolean): boolean {
  return byBytes(
    [text(args, 0), text(args, 1)],
    ([part = '', whole = '']) => run(part, whole),
    answer => answer,
  )
}

function trim(given: string): string {
  let start = 0
  let end = given.length
  while (start < end && isSpace(given.charAt(start))) start++
  while (end > start && isSpace(given.charAt(end - 1))) end--
  return given.slice(start, end)
}

/** `strings.Trim`: by characters; a byte that is not UTF-8 is as good as U+FFFD. */
function trimAll(given: string, cutset: string): string {
  const cut = new Set(scrubbed(cutset))
  const chars = Array.from(given)
  let start = 0
  let end = chars.length
  while (start < end && cut.has(scrubbed(chars[start] as string))) start++
  while (end > start && cut.has(scrubbed(chars[end - 1] as string))) end--
  return chars.slice(start, end).join('')
}

/** `strings.Title`: what follows no letter, digit or underscore begins a word. */
function title(given: string): string {
  let before = ' '
  return Array.from(scrubbed(given), char => {
    const begins = separates(before)
    before = char
    return begins ? toTitle(char) : char
  }).join('')
}

function separates(char: string): boolean {
  if (char <= '\x7f') return !/[A-Za-z0-9_]/.test(char)
  return !isLetter(char) && !isDigit(char) && isSpace(char)
}

function repeat(given: string, count: number, call: Call): string {
  if (count < 0) fail('strings: negative Repeat count')
  call.meter.text(given.length * count)
  return joined(given.repeat(count))
}

function substring(start: number, end: number, given: string): string {
  const length = byteLength(given)
  if (start < 0) return end < 0 || end > length ? failBounds(0, end, length) : sliceBytes(given, 0, end)
  if (end < 0 || end > length) return start > length ? failBounds(start, length, length) : sliceBytes(given, start)
  return start > end ? failBounds(start, end, length) : sliceBytes(given, start, end)
}

/** As Go's runtime words it: `[:5] with length 3`, `[3:1]`. */
export function failBounds(start: number, end: number, length: number, what = 'length'): never {
  const range = end < 0 ? `[:${end}]` : end > length ? `[:${end}] with ${what} ${length}` : `[${start}:${end}]`
  return fail(`runtime error: slice bounds out of range ${range}`)
}

function trunc(count: number, given: string): string {
  const length = byteLength(given)
  if (count < 0 && length + count > 0) return sliceBytes(given, length + count)
  return count >= 0 && length > count ? sliceBytes(given, 0, count) : given
}

function indent(spaces: number, given: string, call: Call): string {
  if (spaces < 0) fail('strings: negative Repeat count')
  let lines = 1
  for (let at = given.indexOf('\n'); at >= 0; at = given.indexOf('\n', at + 1)) lines++
  call.meter.text(given.length + lines * spaces + 1)
  const pad = ' '.repeat(spaces)
  return pad + given.replaceAll('\n', '\n' + pad)
}

function replace(given: string, old: string, by: string, call: Call): string {
  return byBytes(
    [given, old, by],
    ([whole = '', part = '', other = '']) => {
      const pieces = part === '' ? ['', ...Array.from(whole), ''] : whole.split(part)
      call.meter.text(whole.length + (pieces.length - 1) * Math.max(0, other.length - part.length))
      return pieces.join(other)
    },
    fromBinary,
  )
}

/** `strings.SplitN`: an empty separator parts every character; 0 gives nothing. */
function split(given: string, separator: string, count: number): readonly string[] {
  if (count === 0) return []
  if (separator === '') return limited(Array.from(given), '', count)
  return byBytes(
    [given, separator],
    ([whole = '', at = '']) => limited(whole.split(at), at, count),
    parts => parts.map(fromBinary),
  )
}

function limited(parts: readonly string[], separator: string, count: number): readonly string[] {
  if (count < 0 || parts.length <= count) return parts
  return [...parts.slice(0, count - 1), parts.slice(count - 1).join(separator)]
}

/** `map[_0:a _1:b]` */
function numbered(parts: readonly string[], call: Call): Value {
  call.meter.items(parts.length)
  const made: Dict = new Map(parts.map((part, at) => [`_${at}`, part]))
  return typed(made, 'map[string]string')
}
