// Reads the literals of a template: numbers as Go's ideal constants, characters, and strings in either kind of quotes.
import { quoted } from '../value/quote.js'
import { textOf } from '../value/text.js'
import type { NumberNode } from './ast.js'
import type { TokenType } from './token.js'

/** The message as Go words it, without its place. */
export class LiteralError extends Error {}

type Numbers = Pick<NumberNode, 'int' | 'uint' | 'float' | 'complex'>

const noNumber: Numbers = { int: undefined, uint: undefined, float: undefined, complex: undefined }
const minInt = -(2n ** 63n)
const maxInt = 2n ** 63n - 1n
const maxUint = 2n ** 64n - 1n

export function readNumber(source: string, type: TokenType): Numbers {
  if (type === 'charconst') return characterNumber(source)
  if (type === 'complex') return complexNumber(source)
  if (source.endsWith('i')) {
    const imaginary = readFloat(source.slice(0, -1))
    if (imaginary !== undefined) return ofComplex(0, imaginary)
  }
  return realNumber(source)
}

function realNumber(source: string): Numbers {
  const integer = readInteger(source)
  if (integer !== undefined) {
    const int = integer >= minInt && integer <= maxInt ? integer : undefined
    const signed = /^[+-]/.test(source)
    const uint = int === 0n || (!signed && integer <= maxUint) ? integer : undefined
    if (int !== undefined || uint !== undefined) return { int, uint, float: Number(integer), complex: undefined }
  }
  const float = readFloat(source)
  if (float === undefined) throw new LiteralError(`illegal number syntax: ${quoted(source)}`)
  if (!/[.eEpP]/.test(source)) throw new LiteralError(`integer overflow: ${quoted(source)}`)
  return { ...wholeParts(float), float, complex: undefined }
}

/** The integers that a float is, where it is one. */
function wholeParts(float: number): { readonly int: bigint | undefined; readonly uint: bigint | undefined } {
  const whole = Number.isInteger(float) ? BigInt(float) : undefined
  const int = whole !== undefined && whole >= minInt && whole <= maxInt ? whole : undefined
  return { int, uint: whole !== undefined && whole >= 0n && whole <= maxUint ? whole : undefined }
}

function characterNumber(source: string): Numbers {
  const inside = source.slice(1)
  const malformed = new LiteralError(`malformed character constant: ${source}`)
  const read = inside.startsWith("'") ? undefined : unescaped(inside, 0, "'")
  if (read === undefined) throw new LiteralError('invalid syntax')
  if (inside.slice(read.next) !== "'") throw malformed
  const code = BigInt(read.code)
  return { int: code, uint: code, float: read.code, complex: undefined }
}

function complexNumber(source: string): Numbers {
  const split = /^([+-]?(?:0[xX][0-9a-fA-F_.]*(?:[pP][+-]?[0-9_]+)?|[0-9_.]*(?:[eE][+-]?[0-9_]+)?))([+-].*)i$/.exec(source)
  const real = readFloat(split?.[1] ?? '')
  const imaginary = readFloat(split?.[2] ?? '')
  if (real === undefined || imaginary === undefined) throw new LiteralError('syntax error scanning complex number')
  return ofComplex(real, imaginary)
}

function ofComplex(real: number, imaginary: number): Numbers {
  const complex = [real, imaginary] as const
  return imaginary === 0 ? { ...wholeParts(real), float: real, complex } : { ...noNumber, complex }
}

const integerForm =
  /^([+-]?)(?:0[xX]((?:_?[0-9a-fA-F])+)|0[bB]((?:_?[01])+)|0[oO]((?:_?[0-7])+)|(0(?:_?[0-7])+)|(0|[1-9](?:_?[0-9])*))$/

/** `strconv.ParseInt(source, 0, ...)` without a limit of size. */
function readInteger(source: string): bigint | undefined {
  const [match, sign, hex, binary, octal, oldOctal, decimal] = integerForm.exec(source) ?? []
  if (match === undefined) return undefined
  const bare = (digits: string) => digits.replaceAll('_', '')
  const text = hex
    ? '0x' + bare(hex)
    : binary
      ? '0b' + bare(binary)
      : octal || oldOctal
        ? '0o' + bare(octal ?? oldOctal ?? '')
        : bare(decimal ?? '0')
  return sign === '-' ? -BigInt(text) : BigInt(text)
}

const decimalForm = /^[+-]?(?:[0-9](?:_?[0-9])*(?:\.(?:[0-9](?:_?[0-9])*)?)?|\.[0-9](?:_?[0-9])*)(?:[eE][+-]?[0-9](?:_?[0-9])*)?$/
const hexForm = /^([+-]?)0[xX]_?([0-9a-fA-F_]*)(?:\.([0-9a-fA-F_]*))?[pP]([+-]?[0-9_]+)$/

/** `strconv.ParseFloat`; undefined where it is no number or too large. */
function readFloat(source: string): number | undefined {
  const number = decimalForm.test(source) ? Number(source.replaceAll('_', '')) : hexFloat(source)
  return number !== undefined && Number.isFinite(number) ? number : undefined
}

function hexFloat(source: string): number | undefined {
  const [match, sign = '', whole = '', fraction = '', power = ''] = hexForm.exec(source) ?? []
  const digits = (whole + fraction).replaceAll('_', '')
  if (match === undefined || digits === '') return undefined
  const exponent = Number(power.replaceAll('_', '')) - 4 * fraction.replaceAll('_', '').length
  const number = Number(BigInt('0x' + digits)) * 2 ** exponent
  return sign === '-' ? -number : number
}

/** `strconv.Unquote` of a token that the lexer closed. Throws LiteralError `invalid syntax`. */
export function unquoted(source: string): string {
  if (source.startsWith('`')) return source.slice(1, -1).replaceAll('\r', '')
  const inside = source.slice(1, -1)
  if (!inside.includes('\\')) return inside
  const parts: string[] = []
  let hasBytes = false
  for (let at = 0; at < inside.length; ) {
    const read = unescaped(inside, at, '"')
    if (read === undefined) throw new LiteralError('invalid syntax')
    hasBytes ||= read.isByte
    parts.push(read.isByte ? String.fromCharCode(0xdc00 + read.code) : String.fromCodePoint(read.code))
    at = read.next
  }
  return hasBytes ? fromBytes(parts) : parts.join('')
}

/** `"\xc3\xa9"` spells the two bytes of one character. */
function fromBytes(parts: readonly string[]): string {
  return textOf(Buffer.concat(parts.map(partBytes)))
}

function partBytes(part: string): Uint8Array {
  const code = part.charCodeAt(0)
  return part.length === 1 && code >= 0xdc00 && code <= 0xdfff ? Uint8Array.of(code - 0xdc00) : Buffer.from(part)
}

interface Character {
  readonly code: number
  /** Spelt as a byte (`\xe9`, `\351`) and beyond ASCII: it stands for itself, not for a character. */
  readonly isByte: boolean
  readonly next: number
}

const simple: Readonly<Record<string, number>> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11, '\\': 92 }
const widths: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }

/** `strconv.UnquoteChar`: one character or escape of a text in these quotes; undefined: wrong. */
function unescaped(text: string, at: number, quote: string): Character | undefined {
  const code = text.codePointAt(at)
  if (code === undefined) return undefined
  const char = String.fromCodePoint(code)
  if (code >= 0xdc80 && code <= 0xdcff) return { code: code - 0xdc00, isByte: true, next: at + 1 }
  if (char !== '\\') return { code, isByte: false, next: at + char.length }
  const letter = text[at + 1] ?? ''
  const direct = letter === quote ? quote.charCodeAt(0) : simple[letter]
  if (direct !== undefined) return { code: direct, isByte: false, next: at + 2 }
  if (/[0-7]/.test(letter)) return octal(text, at + 1)
  const width = widths[letter]
  return width === undefined ? undefined : hex(text, at + 2, width)
}

function octal(text: string, at: number): Character | undefined {
  const digits = text.slice(at, at + 3)
  const code = /^[0-7]{3}$/.test(digits) ? Number.parseInt(digits, 8) : 256
  return code > 255 ? undefined : { code, isByte: code > 127, next: at + 3 }
}

function hex(text: string, at: number, width: number): Character | undefined {
  const digits = text.slice(at, at + width)
  if (digits.length < width || !/^[0-9a-fA-F]+$/.test(digits)) return undefined
  const code = Number.parseInt(digits, 16)
  if (width > 2 && (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))) return undefined
  return { code, isByte: width === 2 && code > 127, next: at + width }
}
