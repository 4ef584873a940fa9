// Go's strings are bytes: how they lie in JavaScript strings. A byte that is part of no UTF-8 sequence is the lone surrogate U+DC00 + byte.

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** Whether some byte of the text is not UTF-8. */
export function hasBadBytes(text: string): boolean {
  return !(text as unknown as WellFormed).isWellFormed()
}

/** Of ES2024, and in Node since 20. */
interface WellFormed {
  isWellFormed(): boolean
}

export function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length
}

/** What Go's `len` says. A bad byte is one byte; as a surrogate it would take three. */
export function byteLength(text: string): number {
  const length = Buffer.byteLength(text)
  if (length === text.length || !hasBadBytes(text)) return length
  return bytesOf(text).length
}

/** The bytes of a text. A lone surrogate that is no escaped byte becomes U+FFFD. */
export function bytesOf(text: string): Uint8Array {
  if (!hasBadBytes(text)) return encoder.encode(text)
  const parts: Uint8Array[] = []
  let from = 0
  for (let at = 0; at < text.length; at++) {
    const byte = badByteAt(text, at)
    if (byte < 0) continue
    parts.push(encoder.encode(text.slice(from, at)), Uint8Array.of(byte))
    from = at + 1
  }
  parts.push(encoder.encode(text.slice(from)))
  return Buffer.concat(parts)
}

/** The bad byte that stands at this unit of the text, -1 where there is none. */
export function badByteAt(text: string, at: number): number {
  const unit = text.charCodeAt(at)
  if (unit < 0xdc80 || unit > 0xdcff) return -1
  const before = at > 0 ? text.charCodeAt(at - 1) : 0
  return before >= 0xd800 && before < 0xdc00 ? -1 : unit - 0xdc00
}

export function textOf(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes)
  } catch {
    return looseText(bytes)
  }
}

function looseText(bytes: Uint8Array): string {
  const parts: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at)
    if (length === 0) parts.push(String.fromCharCode(0xdc00 + (bytes[at] as number)))
    else parts.push(strict.decode(bytes.subarray(at, at + length)))
    at += Math.max(1, length)
  }
  return parts.join('')
}

/** Bytes of the UTF-8 sequence that starts here; 0 where none does (Unicode 15, table 3-7). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number
  if (first < 0x80) return 1
  const length = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0
  const second = bytes[at + 1] ?? 0
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (length === 0 || second < low || second > high) return 0
  for (let i = 2; i < length; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0
  return length
}

/**
 * Bad bytes that stand together and form a sequence are that character again: what is cut in the middle of one and joined
 * again is the same text, as in Go.
 */
export function joined(text: string): string {
  return hasBadBytes(text) ? textOf(bytesOf(text)) : text
}

/** `text[start:end]` of Go. */
export function sliceBytes(text: string, start: number, end?: number): string {
  if (isAscii(text)) return text.slice(start, end)
  return textOf(bytesOf(text).subarray(start, end))
}

/** `text[at]` of Go; `at` lies inside. */
export function byteAt(text: string, at: number): number {
  return isAscii(text) ? text.charCodeAt(at) : (bytesOf(text)[at] as number)
}

/** `utf8.RuneCountInString`: a bad byte counts as one. */
export function runeCount(text: string): number {
  if (isAscii(text)) return text.length
  let count = 0
  for (const _ of text) count++
  return count
}

/** In the order of bytes, as Go's `<` on strings and its sorted maps have it. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const x = a.charCodeAt(at)
    const y = b.charCodeAt(at)
    if (x === y) continue
    // UTF-16 puts surrogates before U+E000; UTF-8 does not.
    return x < 0xd800 && y < 0xd800 ? x - y : Buffer.compare(bytesOf(a), bytesOf(b))
  }
  return a.length - b.length
}

/** `strings.TrimSpace`. From both ends inwards: a pattern anchored at the end tries every run of spaces of a long text. */
export function trimSpace(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text.charCodeAt(start))) start++
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

/** `unicode.IsSpace`: unlike JavaScript's white space it has U+0085 and not U+FEFF. */
export function isSpace(unit: number): boolean {
  if (unit < 0x80) return unit === 0x20 || (unit >= 0x09 && unit <= 0x0d)
  if (unit < 0x1680) return unit === 0x85 || unit === 0xa0
  if (unit >= 0x2000 && unit <= 0x200a) return true
  return unit === 0x1680 || unit === 0x2028 || unit === 0x2029 || unit === 0x202f || unit === 0x205f || unit === 0x3000
}
