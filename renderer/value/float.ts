// How Go prints a float64: `strconv.FormatFloat` in its formats e, E, f, g, G, b, x and X.

/** Significant decimal digits without zeros at the ends, and where the point stands: `0.DIGITS * 10^point`. */
interface Decimal {
  readonly digits: string
  readonly point: number
}

const zero: Decimal = { digits: '', point: 0 }

/**
 * `strconv.FormatFloat(value, format, precision, 64)`; a negative precision asks for the fewest digits that read back as the
 * same number.
 */
export function formatFloat(value: number, format: string, precision: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  const size = Math.abs(value)
  if (format === 'b') return sign + binaryText(size)
  if (format === 'x') return sign + hexText(size, precision)
  if (format === 'X') return sign + hexText(size, precision).toUpperCase()
  return sign + decimalText(size, format, precision)
}

/** `%v` of a float64, `strconv.FormatFloat(value, 'g', -1, 64)`. */
export function floatText(value: number): string {
  if (Number.isInteger(value) && value < 1e6 && value > -1e6 && !Object.is(value, -0)) return String(value)
  return formatFloat(value, 'g', -1)
}

function decimalText(value: number, format: string, precision: number): string {
  const shortest = precision < 0
  const kind = format.toLowerCase()
  if (shortest) {
    const decimal = shortestDecimal(value)
    if (kind === 'e') return exponentText(decimal, Math.max(decimal.digits.length - 1, 0), format)
    if (kind === 'f') return fixedText(decimal, Math.max(decimal.digits.length - decimal.point, 0))
    return generalText(decimal, decimal.digits.length, 6, format)
  }
  const exact = exactDecimal(value)
  if (kind === 'e') return exponentText(rounded(exact, precision + 1), precision, format)
  if (kind === 'f') return fixedText(rounded(exact, exact.point + precision), precision)
  const wanted = Math.max(precision, 1)
  const decimal = rounded(exact, wanted)
  const few = wanted > decimal.digits.length && decimal.digits.length >= decimal.point
  return generalText(decimal, wanted, few ? decimal.digits.length : wanted, format)
}

/** `threshold`: from this exponent on, and below -4, the form with an exponent is used. */
function generalText(decimal: Decimal, precision: number, threshold: number, format: string): string {
  const exponent = decimal.point - 1
  const count = decimal.digits.length
  if (exponent < -4 || exponent >= threshold)
    return exponentText(decimal, Math.min(precision, count) - 1, format === 'G' ? 'E' : 'e')
  return fixedText(decimal, Math.max((precision > decimal.point ? count : precision) - decimal.point, 0))
}

function exponentText(decimal: Decimal, fraction: number, letter: string): string {
  const digits = decimal.digits.padEnd(fraction + 1, '0')
  const exponent = decimal.digits === '' ? 0 : decimal.point - 1
  const tail = fraction > 0 ? '.' + digits.slice(1, fraction + 1) : ''
  const sign = exponent < 0 ? '-' : '+'
  return `${digits[0] ?? '0'}${tail}${letter}${sign}${String(Math.abs(exponent)).padStart(2, '0')}`
}

function fixedText(decimal: Decimal, fraction: number): string {
  const { digits, point } = decimal
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0'
  if (fraction <= 0) return whole
  const after = point >= 0 ? digits.slice(point) : '0'.repeat(-point) + digits
  return whole + '.' + after.slice(0, fraction).padEnd(fraction, '0')
}

function shortestDecimal(value: number): Decimal {
  if (value === 0) return zero
  const [mantissa = '', exponent = '0'] = value.toExponential().split('e')
  return { digits: mantissa.replace('.', ''), point: Number(exponent) + 1 }
}

/** Every digit that the binary number has. */
function exactDecimal(value: number): Decimal {
  if (value === 0) return zero
  const { mantissa, exponent } = parts(value)
  const scaled = exponent >= 0 ? mantissa << BigInt(exponent) : mantissa * 5n ** BigInt(-exponent)
  const all = scaled.toString()
  return trimmed(all, all.length + Math.min(exponent, 0))
}

function trimmed(digits: string, point: number): Decimal {
  let end = digits.length
  while (end > 0 && digits.charCodeAt(end - 1) === 48) end--
  return end === 0 ? zero : { digits: digits.slice(0, end), point }
}

/** To the nearest, halves to even: Go rounds the exact number, where JavaScript's toFixed rounds halves up. */
function rounded(decimal: Decimal, count: number): Decimal {
  const { digits, point } = decimal
  if (count >= digits.length) return decimal
  if (count < 0) return zero
  const next = digits.charCodeAt(count) - 48
  const half = next === 5 && count === digits.length - 1
  const odd = count > 0 && (digits.charCodeAt(count - 1) & 1) === 1
  if (!(half ? odd : next >= 5)) return trimmed(digits.slice(0, count), point)
  const up = (BigInt(digits.slice(0, count) || '0') + 1n).toString()
  const kept = up.padStart(count, '0')
  return trimmed(kept, point + kept.length - count)
}

/** value = mantissa * 2^exponent; the mantissa has 53 bits, fewer in a denormal number. */
function parts(value: number): { readonly mantissa: bigint; readonly exponent: number } {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  const bits = view.getBigUint64(0)
  const field = Number((bits >> 52n) & 0x7ffn)
  const fraction = bits & 0xfffffffffffffn
  return field === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | 0x10000000000000n, exponent: field - 1075 }
}

function binaryText(value: number): string {
  const { mantissa, exponent } = parts(value)
  return `${mantissa}p${exponent < 0 ? '-' : '+'}${Math.abs(exponent)}`
}

/** `0x1.8p+01`: one digit before the point, as many after it as asked for. */
function hexText(value: number, precision: number): string {
  let { mantissa, exponent } = parts(value)
  exponent = value === 0 ? 0 : exponent + 52
  mantissa <<= 8n
  while (mantissa !== 0n && (mantissa & (1n << 60n)) === 0n) {
    mantissa <<= 1n
    exponent--
  }
  if (precision >= 0 && precision < 15) {
    const dropped = 60n - BigInt(precision * 4)
    const rest = mantissa & ((1n << dropped) - 1n)
    const half = 1n << (dropped - 1n)
    mantissa >>= dropped
    if (rest > half || (rest === half && (mantissa & 1n) === 1n)) mantissa++
    mantissa <<= dropped
    if ((mantissa & (1n << 61n)) !== 0n) {
      mantissa >>= 1n
      exponent++
    }
  }
  const fraction = (mantissa & ((1n << 60n) - 1n)).toString(16).padStart(15, '0')
  const shown = precision < 0 ? fraction.replace(/0+$/, '') : fraction.slice(0, precision).padEnd(precision, '0')
  const power = `${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
  return `0x${mantissa >> 60n}${shown === '' ? '' : '.' + shown}p${power}`
}
