// How Go reads numbers from texts: strconv's ParseInt, ParseUint and ParseFloat.

const limit64 = 1n << 63n

/** What strconv says: the text is no number, or the number has no room (then `value` is the nearest that has). */
export type Parsed = { readonly value: bigint; readonly error: null | 'invalid syntax' | 'value out of range' }

const invalid: Parsed = { value: 0n, error: 'invalid syntax' }

/** `strconv.ParseInt(text, base, 64)`; base 0 takes Go's prefixes and underscores. */
export function parseInteger(text: string, base: number): Parsed {
  const negative = text.startsWith('-')
  const size = magnitude(/^[+-]/.test(text) ? text.slice(1) : text, base)
  if (size === undefined) return invalid
  if (negative) return size > limit64 ? { value: -limit64, error: 'value out of range' } : { value: -size, error: null }
  return size >= limit64 ? { value: limit64 - 1n, error: 'value out of range' } : { value: size, error: null }
}

/** `strconv.ParseUint(text, 10, 64)`; undefined: an error. */
export function parseUnsigned(text: string): bigint | undefined {
  const size = /^[0-9]+$/.test(text) ? BigInt(text) : undefined
  return size !== undefined && size < 1n << 64n ? size : undefined
}

function magnitude(text: string, base: number): bigint | undefined {
  if (base !== 0) return inBase(text, base)
  const prefix = /^0[xXbBoO]/.exec(text)?.[0].toLowerCase()
  const octal = prefix === undefined && text.length > 1 && text.startsWith('0')
  if (text.includes('_') && !underscoresStand(text)) return undefined
  const digits = text.slice(prefix === undefined ? (octal ? 1 : 0) : 2).replaceAll('_', '')
  return inBase(digits, prefix === '0x' ? 16 : prefix === '0b' ? 2 : prefix === '0o' || octal ? 8 : 10)
}

const digitsOf: Readonly<Record<number, RegExp>> = { 2: /^[01]+$/, 8: /^[0-7]+$/, 10: /^[0-9]+$/, 16: /^[0-9a-fA-F]+$/ }
const prefixOf: Readonly<Record<number, string>> = { 2: '0b', 8: '0o', 10: '', 16: '0x' }

function inBase(digits: string, base: number): bigint | undefined {
  // No number of 64 bits has more than 64 digits besides zeros in front; BigInt of a long text is quadratic.
  const short = digits.length > 80 ? digits.replace(/^0+(?=.)/, '') : digits
  if (!digitsOf[base]?.test(short)) return undefined
  return short.length > 80 ? 1n << 80n : BigInt((prefixOf[base] ?? '') + short)
}

/** Underscores only between digits, or between a base's prefix and a digit (strconv atoi.go, underscoreOK). */
function underscoresStand(text: string): boolean {
  const hex = /^0x/i.test(text)
  const prefixed = /^0[xbo]/i.test(text)
  let before = prefixed ? '0' : '^'
  for (const char of text.slice(prefixed ? 2 : 0)) {
    const digit = /[0-9]/.test(char) || (hex && /[a-f]/i.test(char))
    if (digit) before = '0'
    else if (char === '_') {
      if (before !== '0') return false
      before = '_'
    } else {
      if (before === '_') return false
      before = '!'
    }
  }
  return before !== '_'
}

const decimalForm = /^[+-]?(?:[0-9_]+\.?[0-9_]*|\.[0-9_]+)(?:[eE][+-]?[0-9_]+)?$/
const hexForm = /^([+-]?)0[xX]_?([0-9a-fA-F_]*)(?:\.([0-9a-fA-F_]*))?[pP]([+-]?[0-9_]+)$/

/** `strconv.ParseFloat(text, 64)`; undefined where it returns an error, also for what has no room. */
export function parseFloatText(text: string): number | undefined {
  const special = /^([+-]?)(inf|infinity)$/i.exec(text)
  if (special !== null) return special[1] === '-' ? -Infinity : Infinity
  if (/^nan$/i.test(text)) return NaN
  const unsigned = text.replace(/^[+-]/, '')
  if (text.includes('_') && !underscoresStand(unsigned)) return undefined
  const value = /^0[xX]/.test(unsigned) ? hexFloat(text) : decimalFloat(text)
  return value === undefined || Number.isFinite(value) ? value : undefined
}

function decimalFloat(text: string): number | undefined {
  if (!decimalForm.test(text) || !/[0-9]/.test(text.split(/e/i)[0] as string)) return undefined
  return Number(text.replaceAll('_', ''))
}

function hexFloat(text: string): number | undefined {
  const found = hexForm.exec(text)
  if (found === null) return undefined
  const before = (found[2] ?? '').replaceAll('_', '')
  const after = (found[3] ?? '').replaceAll('_', '')
  if (before + after === '' || before.length + after.length > 1_000) return undefined
  const exponent = Number((found[4] ?? '0').replaceAll('_', '')) - 4 * after.length
  const value = scaled(BigInt(`0x${before}${after}`), Math.max(-5_000, Math.min(5_000, exponent)))
  return found[1] === '-' ? -value : value
}

/** mantissa * 2^exponent, rounded once: Number reads a fraction of powers of ten exactly. */
function scaled(mantissa: bigint, exponent: number): number {
  if (exponent >= 0) return Number(mantissa << BigInt(exponent))
  return Number(`${mantissa * 5n ** BigInt(-exponent)}e${exponent}`)
}
