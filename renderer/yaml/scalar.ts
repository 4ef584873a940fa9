// How Go reads a YAML scalar (go-yaml v2 `resolve.go`, which kubectl and Helm use): YAML 1.1's words, no sexagesimals, no timestamps.

export type Scalar = null | boolean | number | bigint | string

const words = new Map<string, Scalar>()
for (const word of ['', '~', 'null', 'Null', 'NULL']) words.set(word, null)
for (const word of ['y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON', 'true', 'True', 'TRUE']) words.set(word, true)
for (const word of ['n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF', 'false', 'False', 'FALSE']) words.set(word, false)
for (const word of ['.nan', '.NaN', '.NAN']) words.set(word, Number.NaN)
for (const word of ['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF']) words.set(word, Number.POSITIVE_INFINITY)
for (const word of ['-.inf', '-.Inf', '-.INF']) words.set(word, Number.NEGATIVE_INFINITY)

const floatForm = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/
const smallestInt64 = -(2n ** 63n)
const largestUint64 = 2n ** 64n - 1n

/** A plain scalar: `0644` -> 420, `on` -> true, `1_000` -> 1000, `22:22` -> '22:22', `08` -> 8, integers beyond 2^53 -> bigint. */
export function readScalar(text: string): Scalar {
  const word = words.get(text)
  if (word !== undefined) return word
  const first = text.charCodeAt(0)
  const digit = first >= 0x30 && first <= 0x39
  if (first === 0x2e) return readFloat(text) ?? text
  if (!digit && first !== 0x2b && first !== 0x2d) return text
  const plain = text.replaceAll('_', '')
  return readInt(plain) ?? readFloat(plain) ?? text
}

/** Go's `ParseInt(s, 0, 64)`, then `ParseUint`; null where it is no integer or does not fit 64 bits. */
export function readInt(text: string): number | bigint | null {
  const parts = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)$/.exec(text)
  if (parts === null) return null
  const digits = parts[2] ?? ''
  const magnitude = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits.toLowerCase())
  const value = parts[1] === '-' ? -magnitude : magnitude
  if (value < smallestInt64 || value > largestUint64) return null
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

/** null where it is no number, or too large for one (Go then keeps the string). */
export function readFloat(text: string): number | null {
  if (!floatForm.test(text)) return null
  const value = Number(text)
  return Number.isFinite(value) ? value : null
}

/** Would this text, unquoted, be read as something else than itself? */
export function isAmbiguous(text: string): boolean {
  return (
    typeof readScalar(text) !== 'string' ||
    text === '<<' ||
    text === '=' ||
    /^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$/.test(text) ||
    /^\d{4}-\d{1,2}-\d{1,2}/.test(text) ||
    /^[-+]?[0-9.][0-9_.eE+]*$/.test(text)
  )
}
