// The order of keys in go-yaml's output (`sorter.go`): digits by their number (`a9` before `a10`), letters after all other characters.

const letter = /^\p{L}$/u
const digit = /^\p{Nd}$/u
const plainKey = /^[A-Za-z]+$/

/** Sorts in place. */
export function sortNaturally(keys: string[]): string[] {
  return keys.length < 2 ? keys : keys.sort(compareKeys)
}

export function compareKeys(a: string, b: string): number {
  if (plainKey.test(a) && plainKey.test(b)) return a < b ? -1 : a > b ? 1 : 0
  const [left, right] = [[...a], [...b]]
  const length = Math.min(left.length, right.length)
  for (let at = 0; at < length; at++) {
    const [x, y] = [left[at] as string, right[at] as string]
    if (x !== y) return compareAt(left, right, at, x, y)
  }
  return left.length - right.length
}

/** Where the two first differ. */
function compareAt(left: readonly string[], right: readonly string[], at: number, x: string, y: string): number {
  const [xLetter, yLetter] = [isLetter(x), isLetter(y)]
  if (xLetter && yLetter) return codeOf(x) - codeOf(y)
  if (xLetter || yLetter) return yLetter ? -1 : 1
  const zero = x === '0' || y === '0'
  const start = zero && afterNumber(left, at) ? 1n : 0n
  const a = numberAt(left, at, start)
  const b = numberAt(right, at, start)
  if (a.value !== b.value) return a.value < b.value ? -1 : 1
  if (a.end !== b.end) return a.end - b.end
  return codeOf(x) - codeOf(y)
}

function afterNumber(runes: readonly string[], at: number): boolean {
  for (let before = at - 1; before >= 0 && isDigit(runes[before]); before--) if (runes[before] !== '0') return true
  return false
}

/** Overflows as Go's int64 does. */
function numberAt(runes: readonly string[], at: number, start: bigint): { readonly value: bigint; readonly end: number } {
  let value = start
  let end = at
  while (end < runes.length && isDigit(runes[end])) value = value * 10n + BigInt(codeOf(runes[end++] as string) - 48)
  return { value: BigInt.asIntN(64, value), end }
}

function codeOf(char: string): number {
  return char.codePointAt(0) as number
}

function isLetter(char: string): boolean {
  const code = char.charCodeAt(0)
  if (code < 128) return (code >= 65 && code <= 90) || (code >= 97 && code <= 122)
  return letter.test(char)
}

function isDigit(char: string | undefined): boolean {
  if (char === undefined) return false
  const code = char.charCodeAt(0)
  return code < 128 ? code >= 48 && code <= 57 : digit.test(char)
}
