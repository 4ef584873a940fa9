// Go's regular expressions (package regexp) on re2js, which finds what RE2 finds in linear time. Replacements are Go's, not JavaScript's.
import { RE2JS, RE2JSSyntaxException } from 're2js'
import { canBackquote, quoted } from '../../value/quote.js'
import { isDigit, isLetter } from './unicode.js'

/** Starts and ends by group: [start, end, start1, end1, ...]; -1 where a group took no part. */
export type Match = readonly number[]

export interface Pattern {
  readonly source: string
  /** Up to `count` matches that do not overlap; all where it is negative. */
  all(text: string, count: number): readonly Match[]
  matches(text: string): boolean
  /** Numbers of groups by name. */
  readonly groups: Readonly<Record<string, number>>
}

/** What `regexp.Compile` returns as error. */
export class PatternError extends Error {}

const kept = new Map<string, Pattern>()
const keptAtMost = 500

/** Compiled patterns are shared by all renders; the least lately used one makes room. */
export function compile(source: string): Pattern {
  const found = kept.get(source)
  const pattern = found ?? compileAnew(source)
  kept.delete(source)
  kept.set(source, pattern)
  if (kept.size > keptAtMost) kept.delete(kept.keys().next().value as string)
  return pattern
}

/** What `regexp.MustCompile` panics with, where `compile` throws a PatternError. */
export function panicText(source: string, error: PatternError): string {
  return `regexp: Compile(${canBackquote(source) ? `\`${source}\`` : quoted(source)}): ${error.message}`
}

function compileAnew(source: string): Pattern {
  const bad = source.search(/\p{Surrogate}/u)
  if (bad >= 0) throw new PatternError(`error parsing regexp: invalid UTF-8: \`${source.slice(bad)}\``)
  const compiled = parsed(source)
  const engine = compiled.re2Input
  return {
    source,
    all: (text, count) => engine.findAllSubmatchIndex(text, count) ?? [],
    matches: text => engine.match(text),
    groups: compiled.namedGroups(),
  }
}

function parsed(source: string): RE2JS {
  try {
    return RE2JS.compile(source)
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw new PatternError(String((error as Error).message))
    // Go allows several groups of one name; only the first can be named then.
    if (error.message.includes('duplicate capture group name')) return parsedOnce(source, error.getPattern() ?? '')
    throw new PatternError(/: `.*`$/s.test(error.message) ? error.message : `${error.message}: \`\``)
  }
}

/** An error that shows the whole pattern shows it as it was written. */
function parsedOnce(source: string, name: string): RE2JS {
  const once = withoutDuplicate(source, name)
  try {
    return parsed(once)
  } catch (error) {
    const shown = `\`${once}\``
    if (!(error instanceof PatternError && error.message.endsWith(shown))) throw error
    throw new PatternError(`${error.message.slice(0, -shown.length)}\`${source}\``)
  }
}

function withoutDuplicate(source: string, name: string): string {
  const head = new RegExp(`\\(\\?P?<${name}>`, 'g')
  let seen = 0
  return source.replace(head, written => (seen++ === 0 ? written : '('))
}

/** `Regexp.expand` of a replacement: `$1`, `${1}`, `$name`; `$1W` is the group `1W`, which there is not; `$$` is a dollar. */
export function expand(template: string, pattern: Pattern, text: string, match: Match): string {
  let made = ''
  let at = 0
  for (let dollar = template.indexOf('$'); dollar >= 0; dollar = template.indexOf('$', at)) {
    made += template.slice(at, dollar)
    at = dollar + 1
    if (template[at] === '$') {
      made += '$'
      at++
      continue
    }
    const reference = referenceAt(template, at)
    if (reference === undefined) {
      made += '$'
      continue
    }
    made += groupText(reference.name, pattern, text, match)
    at = reference.end
  }
  return made + template.slice(at)
}

function referenceAt(template: string, start: number): { readonly name: string; readonly end: number } | undefined {
  const braced = template[start] === '{'
  let name = ''
  for (const char of template.slice(start + (braced ? 1 : 0))) {
    if (!isLetter(char) && !isDigit(char) && char !== '_') break
    name += char
  }
  const end = start + (braced ? 1 : 0) + name.length
  if (name === '' || (braced && template[end] !== '}')) return undefined
  return { name, end: braced ? end + 1 : end }
}

function groupText(name: string, pattern: Pattern, text: string, match: Match): string {
  const isNumber = /^(0|[1-9][0-9]{0,8})$/.test(name)
  const group = isNumber ? Number(name) : pattern.groups[name]
  if (group === undefined) return ''
  const start = match[2 * group] ?? -1
  return start < 0 ? '' : text.slice(start, match[2 * group + 1])
}
