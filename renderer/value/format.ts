// Go's package fmt: `printf` with its verbs and its complaints, `print`, `println`, and what `%v` makes of every value.
import { RenderFault } from '../fault.js'
import { Complex } from './complex.js'
import { durationText } from './duration.js'
import { floatText, formatFloat } from './float.js'
import { sortedKeys } from './keys.js'
import { canBackquote, isPrint, quoted, quotedRune, runeText } from './quote.js'
import { bytesOf, runeCount, textOf } from './text.js'
import { Bytes, type Dict, Int, isDict, isList, isNil, kindOf, type List, type Struct, typeOf, type Value } from './value.js'

/** `%+5.2f`: how one value is to be printed. */
export interface Directive {
  /** One character. */
  readonly verb: string
  /** In characters; 0 where none was given. */
  readonly width: number
  readonly precision: number | undefined
  readonly minus: boolean
  readonly plus: boolean
  readonly sharp: boolean
  readonly space: boolean
  readonly zero: boolean
  /** `%+v`: with the names of fields. */
  readonly named: boolean
  /** `%#v`: as Go source. */
  readonly source: boolean
}

const plainValue: Directive = {
  verb: 'v',
  width: 0,
  precision: undefined,
  minus: false,
  plus: false,
  sharp: false,
  space: false,
  zero: false,
  named: false,
  source: false,
}

/** `fmt.Sprint(value)`, which is what `{{value}}` prints of all but nil pointers. */
export function sprint(value: Value): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return floatText(value)
  if (value instanceof Int && value.type !== 'time.Duration') return value.value.toString()
  return typeof value === 'boolean' ? String(value) : formatValue(value, plainValue)
}

/** `fmt.Sprint`: a space between two operands when neither is a string. */
export function print(values: readonly Value[]): string {
  let made = ''
  let afterText = true
  for (const value of values) {
    const isText = kindOf(value) === 'string'
    made += afterText || isText ? sprint(value) : ' ' + sprint(value)
    afterText = isText
  }
  return made
}

/** `fmt.Sprintln`. */
export function println(values: readonly Value[]): string {
  return values.map(sprint).join(' ') + '\n'
}

/** One value in one plain verb: `formatted('%s', value)`. */
export function formatted(verb: '%s' | '%v' | '%q' | '%d' | '%t', value: Value): string {
  return formatValue(value, { ...plainValue, verb: verb.slice(1) })
}

export function formatValue(value: Value, as: Directive): string {
  if (value === null) return as.verb === 'T' || as.verb === 'v' ? padded('<nil>', as) : badVerb(value, as)
  if (as.verb === 'T') return formatText(typeOf(value), { ...as, verb: 's' })
  if (as.verb === 'p') return pointerText(value, as)
  return formatInside(value, as, 0)
}

/**
 * Characters that one value may be printed as. Maps are shared by reference, and a few dozen that hold one another twice would fill
 * all memory; one that holds itself ends at the stack's limit.
 */
export const mostCharacters = 32_000_000
let printedCharacters = 0

/** Counts what one outermost value is printed as. */
function counted(text: string): string {
  printedCharacters += text.length + 1
  if (printedCharacters > mostCharacters)
    throw new RenderFault('LimitExceeded', `a value of more than ${mostCharacters} characters is printed`)
  return text
}

/** `depth`: collections around the value. */
function formatInside(value: Value, as: Directive, depth: number): string {
  if (depth > 0) return counted(formatOne(value, as, depth))
  printedCharacters = 0
  return formatOne(value, as, depth)
}

function formatOne(value: Value, as: Directive, depth: number): string {
  if (typeof value === 'string') return formatText(value, as, value)
  if (typeof value === 'number') return formatNumber(value, as)
  if (typeof value === 'boolean') return as.verb === 't' || as.verb === 'v' ? padded(String(value), as) : badVerb(value, as)
  if (value === null) return as.source ? 'interface {}(nil)' : '<nil>'
  if (value instanceof Int) return formatInt(value, as)
  if (value instanceof Bytes) return formatBytes(value, as)
  if (isDict(value)) return formatDict(value, as, depth)
  return isList(value) ? formatList(value, as, depth) : formatStruct(value, as, depth)
}

function badVerb(value: Value, as: Directive): string {
  if (value === null) return `%!${as.verb}(<nil>)`
  return `%!${as.verb}(${typeOf(value)}=${formatInside(value, { ...as, verb: 'v' }, 0)})`
}

/** Zeros only to the left, and before whatever is printed: `%05s` of `ab` is `000ab`. */
function padded(text: string, as: Directive, zero = as.zero): string {
  if (as.width === 0) return text
  const missing = as.width - runeCount(text)
  if (missing <= 0) return text
  return as.minus ? text + ' '.repeat(missing) : (zero ? '0' : ' ').repeat(missing) + text
}

/** `original`: the value to complain of when the verb is wrong. */
function formatText(text: string, as: Directive, original: Value = text): string {
  switch (as.verb) {
    case 'v':
      return as.source ? formatText(text, { ...as, verb: 'q' }) : padded(cut(text, as), as)
    case 's':
      return padded(cut(text, as), as)
    case 'q': {
      const shown = cut(text, as)
      return padded(as.sharp && canBackquote(shown) ? '`' + shown + '`' : quoted(shown, as.plus), as)
    }
    case 'x':
    case 'X':
      return hexOfBytes(bytesOf(text), as)
    default:
      return badVerb(original, as)
  }
}

function cut(text: string, as: Directive): string {
  if (as.precision === undefined || text.length <= as.precision) return text
  return Array.from(text).slice(0, as.precision).join('')
}

function hexOfBytes(bytes: Uint8Array, as: Directive): string {
  const shown = bytes.subarray(0, as.precision ?? bytes.length)
  const upper = as.verb === 'X'
  const pairs = Array.from(shown, byte => byte.toString(16).padStart(2, '0'))
  const prefix = as.sharp && shown.length > 0 ? (upper ? '0X' : '0x') : ''
  const digits = as.space ? pairs.map(pair => (upper ? pair.toUpperCase() : pair)).join(' ' + prefix) : pairs.join('')
  return padded(prefix + (upper && !as.space ? digits.toUpperCase() : digits), as)
}

function formatInt(value: Int, as: Directive): string {
  if (value.type === 'time.Duration' && 'vsxXq'.includes(as.verb) && !as.source)
    return formatText(durationText(value.value), as, value)
  const unsigned = value.type.startsWith('uint')
  switch (as.verb) {
    case 'v':
      return as.source && unsigned ? intText(value.value, 16, { ...as, sharp: true }) : intText(value.value, 10, as)
    case 'd':
      return intText(value.value, 10, as)
    case 'b':
      return intText(value.value, 2, as)
    case 'o':
    case 'O':
      return intText(value.value, 8, as)
    case 'x':
    case 'X':
      return intText(value.value, 16, as)
    case 'c':
      return padded(runeText(runeOf(value.value)), as)
    case 'q':
      return padded(quotedRune(runeOf(value.value), as.plus), as)
    case 'U':
      return unicodeText(BigInt.asUintN(64, value.value), as)
    default:
      return badVerb(value, as)
  }
}

/** -1 where it is no character. */
function runeOf(value: bigint): number {
  return value >= 0n && value <= 0x10ffffn ? Number(value) : -1
}

function unicodeText(code: bigint, as: Directive): string {
  const digits = code
    .toString(16)
    .toUpperCase()
    .padStart(Math.max(4, as.precision ?? 0), '0')
  const char = as.sharp ? String.fromCodePoint(Number(code <= 0x10ffffn ? code : 0n)) : ''
  return padded(`U+${digits}${char !== '' && isPrint(char) ? ` '${char}'` : ''}`, as, false)
}

function intText(value: bigint, base: number, as: Directive): string {
  if (as.precision === 0 && value === 0n) return ' '.repeat(as.width)
  const size = (value < 0n ? -value : value).toString(base)
  const sign = value < 0n ? '-' : as.plus ? '+' : as.space ? ' ' : ''
  const fill = as.precision ?? (as.zero && !as.minus ? as.width - sign.length : 0)
  const digits = (as.verb === 'X' ? size.toUpperCase() : size).padStart(fill, '0')
  return padded(sign + intPrefix(digits, base, as) + digits, as, false)
}

function intPrefix(digits: string, base: number, as: Directive): string {
  if (as.verb === 'O') return as.sharp && digits[0] !== '0' ? '0o0' : '0o'
  if (!as.sharp) return ''
  if (base === 2) return '0b'
  if (base === 8) return digits[0] === '0' ? '' : '0'
  return base === 16 ? (as.verb === 'X' ? '0X' : '0x') : ''
}

function formatNumber(value: number, as: Directive): string {
  switch (as.verb) {
    case 'v':
      return numberText(value, 'g', as.precision ?? -1, as)
    case 'b':
    case 'g':
    case 'G':
    case 'x':
    case 'X':
      return numberText(value, as.verb, as.precision ?? -1, as)
    case 'f':
    case 'F':
      return numberText(value, 'f', as.precision ?? 6, as)
    case 'e':
    case 'E':
      return numberText(value, as.verb, as.precision ?? 6, as)
    default:
      return badVerb(value, as)
  }
}

function numberText(value: number, format: string, precision: number, as: Directive): string {
  const text = formatFloat(value, format, precision)
  const negative = text.startsWith('-')
  const size = /^[+-]/.test(text) ? text.slice(1) : text
  const sign = negative ? '-' : as.plus ? '+' : as.space ? ' ' : ''
  if (size === 'Inf') return padded((sign || '+') + size, as, false)
  if (size === 'NaN') return padded(sign + size, as, false)
  const digits = as.sharp && format !== 'b' ? withPoint(size, format, precision) : size
  if (sign !== '' && as.zero && !as.minus) return sign + digits.padStart(as.width - 1, '0')
  return padded(sign + digits, as)
}

/** The `#` flag: always a point, and in `%g` the zeros that were cut off. */
function withPoint(size: string, format: string, precision: number): string {
  const tailAt = size.search(/^x/i.test(format) ? /[pP]/ : /[eEpP]/)
  const number = tailAt < 0 ? size : size.slice(0, tailAt)
  const tail = tailAt < 0 ? '' : size.slice(tailAt)
  const pointed = number.includes('.') ? number : number + '.'
  if (!'gGx'.includes(format)) return pointed + tail
  const significant = number.replace('.', '').replace(/^0+/, '').length
  const wanted = (precision < 0 ? 6 : precision) - significant - (number === '0' ? 1 : 0)
  return pointed + '0'.repeat(Math.max(0, wanted)) + tail
}

function formatBytes(value: Bytes, as: Directive): string {
  switch (as.verb) {
    case 's':
      return padded(cut(textOf(value.bytes), as), as)
    case 'q':
      return formatText(textOf(value.bytes), as)
    case 'x':
    case 'X':
      return hexOfBytes(value.bytes, as)
    default:
      return formatByteList(value, as)
  }
}

function formatByteList(value: Bytes, as: Directive): string {
  const items = Array.from(value.bytes, byte => new Int('uint8', BigInt(byte)))
  if (as.source) return `[]byte{${items.map(item => formatInt(item, as)).join(', ')}}`
  return `[${items.map(item => formatInt(item, as)).join(' ')}]`
}

function formatDict(dict: Dict, as: Directive, depth: number): string {
  if (as.source && isNil(dict)) return `${typeOf(dict)}(nil)`
  const entries = sortedKeys(dict).map(key => `${formatText(key, as)}:${formatInside(dict.get(key) as Value, as, depth + 1)}`)
  return as.source ? `${typeOf(dict)}{${entries.join(', ')}}` : `map[${entries.join(' ')}]`
}

function formatList(list: List, as: Directive, depth: number): string {
  if (as.source && isNil(list)) return `${typeOf(list)}(nil)`
  const items = list.map(item => formatInside(item, as, depth + 1))
  return as.source ? `${typeOf(list)}{${items.join(', ')}}` : `[${items.join(' ')}]`
}

function formatStruct(value: Struct, as: Directive, depth: number): string {
  if (value instanceof Complex) return formatComplex(value, as)
  const fields = value.fields()
  if (fields === undefined) return 'vsxXq'.includes(as.verb) ? formatText(value.print(), as, value) : opaque(value, as)
  const items = fields.map(([name, item]) => {
    const text = formatInside(item, as, depth + 1)
    return as.named || as.source ? `${name}:${text}` : text
  })
  const address = value.kind === 'ptr' ? '&' : ''
  if (as.source) return `${address}${value.type.replace(/^\*/, '')}{${items.join(', ')}}`
  return `${address}{${items.join(' ')}}`
}

/** A type with a String method, in a verb that does not ask for it: its inside is not ours to show. */
function opaque(value: Struct, as: Directive): string {
  return `%!${as.verb}(${value.type}=${value.print()})`
}

function formatComplex(value: Complex, as: Directive): string {
  if (!'vbgGxXfFeE'.includes(as.verb)) return badVerb(value, as)
  return `(${formatNumber(value.real, as)}${formatNumber(value.imaginary, { ...as, plus: true })}i)`
}

/** Addresses mean nothing here, and would differ from render to render. */
function pointerText(value: Value, as: Directive): string {
  const hasAddress = typeof value === 'object' && value !== null && !(value instanceof Int)
  return hasAddress ? padded('0xc000000000', as) : badVerb(value, as)
}
