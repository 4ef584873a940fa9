// Floats as Go's strconv and encoding/json print them; the digits are the shortest that read back as the same number, as in JavaScript.

/** `FormatFloat(value, 'g', -1, 64)`: `1.234567e+06`, `1e-05`, `100000`. */
export function formatG(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  return formatDigits(value.toExponential())
}

/** `FormatFloat(value, 'g', -1, 32)`: the fewest digits that give the same 32-bit float. */
export function formatG32(value: number): string {
  if (!Number.isFinite(value) || value === 0) return formatG(value)
  const rounded = Math.fround(value)
  if (!Number.isFinite(rounded)) return rounded > 0 ? '+Inf' : '-Inf'
  if (rounded === 0) return value < 0 ? '-0' : '0'
  for (let digits = 0; digits < 9; digits++) {
    const text = rounded.toExponential(digits)
    if (Math.fround(Number(text)) === rounded) return formatDigits(text)
  }
  return formatDigits(rounded.toExponential(8))
}

/** `d.ddde+x` as `%g` lays out the shortest form: with an exponent below -4 and from 6 on. */
function formatDigits(exponential: string): string {
  const [mantissa = '', power = '0'] = exponential.split('e')
  const exponent = Number(power)
  if (exponent < -4 || exponent >= 6) return `${mantissa}e${exponentText(exponent)}`
  return plainDigits(mantissa, exponent)
}

function exponentText(exponent: number): string {
  return `${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
}

function plainDigits(mantissa: string, exponent: number): string {
  const sign = mantissa.startsWith('-') ? '-' : ''
  const digits = mantissa.replace(/[-.]/g, '')
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  if (exponent + 1 >= digits.length) return sign + digits.padEnd(exponent + 1, '0')
  return `${sign}${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`
}
