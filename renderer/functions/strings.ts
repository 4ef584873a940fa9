// Texts: cutting, joining, changing, testing. Argument order is Helm's (Sprig's): the text comes last.
import { isList, textOf, type Value } from '../value.js'
import { argument, type Call, countArg, define, type Family, FunctionFault, made, textArg } from './function.js'
import { expand, goPattern } from './pattern.js'

export const strings: Family = [
  define('quote', [0, Number.POSITIVE_INFINITY], (args, call) => made(texts(args).map(goQuote).join(' '), call)),
  define('squote', [0, Number.POSITIVE_INFINITY], (args, call) =>
    made(
      texts(args)
        .map(text => `'${text}'`)
        .join(' '),
      call,
    ),
  ),
  define('cat', [0, Number.POSITIVE_INFINITY], (args, call) => made(texts(args).join(' '), call)),
  define('toString', 1, args => textArg(args, 0)),
  define('trunc', 2, args => truncate(textArg(args, 1), countArg(args, 0))),
  define('trim', 1, args => textArg(args, 0).trim()),
  define('trimAll', 2, args => trimmed(textArg(args, 1), textArg(args, 0))),
  define('trimSuffix', 2, args => without(textArg(args, 1), textArg(args, 0), 'end')),
  define('trimPrefix', 2, args => without(textArg(args, 1), textArg(args, 0), 'start')),
  define('upper', 1, args => textArg(args, 0).toUpperCase()),
  define('lower', 1, args => textArg(args, 0).toLowerCase()),
  define('replace', 3, (args, call) => replaced(textArg(args, 2), textArg(args, 0), textArg(args, 1), call)),
  define('contains', 2, args => textArg(args, 1).includes(textArg(args, 0))),
  define('hasPrefix', 2, args => textArg(args, 1).startsWith(textArg(args, 0))),
  define('hasSuffix', 2, args => textArg(args, 1).endsWith(textArg(args, 0))),
  define('split', 2, (args, call) => counted(textArg(args, 1).split(textArg(args, 0)), call)),
  define('splitList', 2, (args, call) => counted(textArg(args, 1).split(textArg(args, 0)), call)),
  define('repeat', 2, (args, call) => repeated(textArg(args, 1), countArg(args, 0), call)),
  define('join', 2, (args, call) => joined(argument(args, 1), textArg(args, 0), call)),
  define('indent', 2, (args, call) => indented(textArg(args, 1), countArg(args, 0), call)),
  define('nindent', 2, (args, call) => `\n${indented(textArg(args, 1), countArg(args, 0), call)}`),
  define('printf', [1, Number.POSITIVE_INFINITY], (args, call) => printf(textArg(args, 0), args.slice(1), call)),
  define('regexMatch', 2, args => goPattern(textArg(args, 0), '').test(textArg(args, 1))),
  define('regexReplaceAll', 3, (args, call) => replacedAll(args, call)),
]

function texts(args: readonly Value[]): string[] {
  return args.flatMap((value, at) => (value === null ? [] : [textArg(args, at)]))
}

/** Go's `%q`, which for printable text is what JSON and YAML read back as the same. */
export function goQuote(text: string): string {
  return JSON.stringify(text).replace(
    /[\x7f-\x9f\u2028\u2029\ufeff]/g,
    char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Counts bytes, as Go does, but never cuts a character in two. */
function truncate(text: string, count: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= Math.abs(count)) return text
  const cut = count >= 0 ? bytes.subarray(0, count) : bytes.subarray(bytes.length + count)
  return cut.toString('utf8').replace(/^\ufffd+|\ufffd+$/g, '')
}

function trimmed(text: string, set: string): string {
  const chars = [...text]
  let start = 0
  let end = chars.length
  while (start < end && set.includes(chars[start] ?? '')) start++
  while (end > start && set.includes(chars[end - 1] ?? '')) end--
  return chars.slice(start, end).join('')
}

function without(text: string, part: string, side: 'start' | 'end'): string {
  if (side === 'start') return text.startsWith(part) ? text.slice(part.length) : text
  return part !== '' && text.endsWith(part) ? text.slice(0, -part.length) : text
}

function replaced(text: string, old: string, by: string, call: Call): string {
  const parts = text.split(old)
  call.meter.text(text.length + (parts.length - 1) * Math.max(0, by.length - old.length))
  return parts.join(by)
}

function replacedAll(args: readonly Value[], call: Call): string {
  const by = textArg(args, 2)
  const text = textArg(args, 1)
  let length = text.length
  return text.replace(goPattern(textArg(args, 0), 'g'), (...found) => {
    const piece = expand(by, found)
    length += piece.length
    call.meter.text(length)
    return piece
  })
}

function counted(items: string[], call: Call): string[] {
  call.meter.items(items.length)
  return items
}

function repeated(text: string, count: number, call: Call): string {
  if (count < 0) throw new FunctionFault('cannot repeat a negative number of times')
  call.meter.text(text.length * count)
  return text.repeat(count)
}

function joined(value: Value, by: string, call: Call): string {
  const items = isList(value) ? value : [value]
  return made(
    items
      .filter(item => item !== null)
      .map((_, at, all) => textArg(all, at))
      .join(by),
    call,
  )
}

export function indented(text: string, count: number, call: Call): string {
  if (count < 0) throw new FunctionFault('cannot indent by a negative number')
  const lines = text.split('\n')
  call.meter.text(text.length + lines.length * count)
  const pad = ' '.repeat(count)
  return lines.map(line => pad + line).join('\n')
}

function printf(format: string, args: readonly Value[], call: Call): string {
  let used = 0
  const text = format.replace(
    /%([-+ 0#]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g,
    (whole, flags: string, width: string, digits: string, verb: string) => {
      if (verb === '%') return '%'
      if (used >= args.length) throw new FunctionFault(`${whole} in the format has no argument`)
      const piece = formatted(argument(args, used++), verb, digits)
      call.meter.text(Number(width ?? 0))
      return padded(piece, Number(width ?? 0), flags)
    },
  )
  if (used < args.length) throw new FunctionFault(`has ${args.length} arguments for ${used} places in its format`)
  return made(text, call)
}

function formatted(value: Value, verb: string, digits: string | undefined): string {
  const text = textOf(value)
  if (text === null) throw new FunctionFault('prints lists and maps only through toYaml or toJson')
  if (verb === 's' || verb === 'v') return digits === undefined ? text : text.slice(0, Number(digits))
  if (verb === 'q') return goQuote(text)
  if (verb === 't') return text
  const number = Number(value)
  if (!'dfgxXob'.includes(verb) || Number.isNaN(number)) throw new FunctionFault(`cannot print this with %${verb}`)
  if (verb === 'f') return number.toFixed(Math.min(Number(digits ?? 6), 100))
  if (verb === 'g') return String(number)
  const whole = typeof value === 'bigint' ? value : BigInt(Math.trunc(number))
  const radix = { d: 10, x: 16, X: 16, o: 8, b: 2 }[verb] ?? 10
  return verb === 'X' ? whole.toString(16).toUpperCase() : whole.toString(radix)
}

function padded(text: string, width: number, flags: string): string {
  if (flags.includes('-')) return text.padEnd(width)
  return flags.includes('0') ? text.padStart(width, '0') : text.padStart(width)
}
