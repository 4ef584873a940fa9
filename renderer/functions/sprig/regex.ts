// Sprig's functions on regular expressions (regex.go): the plain ones panic at a pattern that cannot be read, regexMatch says false.
import { RenderFault } from '../../fault.js'
import { joined } from '../../value/text.js'
import type { ParamType } from '../../value/value.js'
import { nilList, typed, type Value } from '../../value/value.js'
import { work } from '../../work.js'
import type { Call, GoFunction } from '../signature.js'
import { type Args, boundedText, define, fail, mustName, text, whole } from './define.js'
import { compile, expand, type Match, type Pattern, PatternError, panicText } from './pattern.js'

export const regex: readonly GoFunction[] = [
  define('regexMatch', ['string', 'string'], args => matches(args, () => false)),
  define('mustRegexMatch', ['string', 'string'], args => matches(args, error => fail(error.message))),
  ...both('regexFind', ['string'], (pattern, args) => find(pattern, text(args, 1))),
  ...both('regexFindAll', ['string', 'int'], (pattern, args, call) => findAll(pattern, text(args, 1), whole(args, 2), call)),
  ...both('regexReplaceAll', ['string', 'string'], (pattern, args, call) =>
    replaceAll(pattern, text(args, 1), match => expand(text(args, 2), pattern, text(args, 1), match), call),
  ),
  ...both('regexReplaceAllLiteral', ['string', 'string'], (pattern, args, call) =>
    replaceAll(pattern, text(args, 1), () => text(args, 2), call),
  ),
  ...both('regexSplit', ['string', 'int'], (pattern, args, call) => split(pattern, text(args, 1), whole(args, 2), call)),
  define('regexQuoteMeta', ['string'], args => text(args, 0).replace(/[\\.+*?()|[\]{}^$]/g, '\\$&')),
]

/** The function that panics and the one that returns the error. */
function both(
  name: string,
  params: readonly ParamType[],
  run: (pattern: Pattern, args: Args, call: Call) => Value,
): readonly GoFunction[] {
  return [
    define(name, ['string', ...params], (args, call) => run(compiled(args, panicText), args, call)),
    define(mustName(name), ['string', ...params], (args, call) =>
      run(
        compiled(args, (_, error) => error.message),
        args,
        call,
      ),
    ),
  ]
}

function compiled(args: Args, words: (source: string, error: PatternError) => string): Pattern {
  try {
    return compile(text(args, 0))
  } catch (error) {
    if (error instanceof PatternError) return fail(words(text(args, 0), error))
    throw error
  }
}

/** A character takes an expression ten times as long as any other function, and more with each way that it may go on. */
function workOnText(text: string): void {
  if (text.length > 1_000) work(text.length * 2)
}

/** More matches than this are not gathered: each takes some hundred bytes. */
const mostMatches = 500_000

function allIn(pattern: Pattern, given: string, count: number, most = mostMatches): readonly Match[] {
  workOnText(given)
  const found = pattern.all(given, count < 0 || count > most ? most + 1 : count)
  if (found.length > most)
    throw new RenderFault('LimitExceeded', `more than ${most} matches of an expression (the limit); what is repeated?`)
  return found
}

function matches(args: Args, otherwise: (error: PatternError) => boolean): boolean {
  workOnText(text(args, 1))
  try {
    return compile(text(args, 0)).matches(text(args, 1))
  } catch (error) {
    if (error instanceof PatternError) return otherwise(error)
    throw error
  }
}

function find(pattern: Pattern, given: string): string {
  const match = allIn(pattern, given, 1)[0]
  return match === undefined ? '' : given.slice(match[0], match[1])
}

/** nil where nothing is found. */
function findAll(pattern: Pattern, given: string, count: number, call: Call): Value {
  const found = allIn(pattern, given, count, call.meter.limits.items)
  if (found.length === 0) return nilList('[]string')
  return typed(
    found.map(match => given.slice(match[0], match[1])),
    '[]string',
  )
}

function replaceAll(pattern: Pattern, given: string, replacement: (match: Match) => string, call: Call): string {
  const parts: string[] = []
  let at = 0
  let size = 0
  for (const match of allIn(pattern, given, -1)) {
    const [start = 0, end = 0] = match
    const by = replacement(match)
    size += start - at + by.length
    call.meter.text(size)
    parts.push(given.slice(at, start), by)
    at = end
  }
  return boundedText(joined([...parts, given.slice(at)].join('')), call)
}

/** `Regexp.Split`: an empty match at the very beginning parts nothing. */
function split(pattern: Pattern, given: string, count: number, call: Call): Value {
  if (count === 0) return nilList('[]string')
  if (pattern.source !== '' && given === '') return typed([''], '[]string')
  const parts: string[] = []
  let begin = 0
  let end = 0
  for (const [start = 0, stop = 0] of allIn(pattern, given, count)) {
    if (count > 0 && parts.length === count - 1) break
    end = start
    if (stop !== 0) parts.push(given.slice(begin, end))
    begin = stop
  }
  if (end !== given.length) parts.push(given.slice(begin))
  call.meter.items(parts.length)
  return typed(parts, '[]string')
}
