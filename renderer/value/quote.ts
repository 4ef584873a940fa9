// How Go quotes texts and characters: `strconv.Quote` and its kin, as `%q` and `quote` print them.
import { badByteAt } from './text.js'
import { isYoung } from './unicode.js'

/** Letters, marks, numbers, punctuation, symbols and the ASCII space. */
const visible = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u

/** `strconv.IsPrint`. */
export function isPrint(char: string): boolean {
  return visible.test(char) && !isYoung(char.codePointAt(0) as number)
}

const plain = /^[ !#-[\]-~]*$/
const named: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
}

/** `strconv.Quote`; with `ascii`, `strconv.QuoteToASCII`. */
export function quoted(text: string, ascii = false): string {
  if (plain.test(text)) return `"${text}"`
  let made = '"'
  for (const char of text) {
    // Iteration takes pairs together: what stands alone here is a bad byte.
    const bad = char.length === 1 ? badByteAt(char, 0) : -1
    made += bad >= 0 ? '\\x' + bad.toString(16) : escaped(char, '"', ascii)
  }
  return made + '"'
}

/** `strconv.QuoteRune`; what is no character is U+FFFD. */
export function quotedRune(rune: number, ascii = false): string {
  return `'${escaped(runeText(rune), "'", ascii)}'`
}

/** `string(rune(n))`: U+FFFD where there is no such character. */
export function runeText(rune: number): string {
  const valid = rune >= 0 && rune <= 0x10ffff && !(rune >= 0xd800 && rune <= 0xdfff)
  return valid ? String.fromCodePoint(rune) : '\ufffd'
}

function escaped(char: string, quote: string, ascii: boolean): string {
  if (char === quote || char === '\\') return '\\' + char
  const code = char.codePointAt(0) as number
  if (ascii ? code >= 0x20 && code < 0x7f : isPrint(char)) return char
  const name = named[char]
  if (name !== undefined) return name
  if (code < 0x20 || code === 0x7f) return '\\x' + hex(code, 2)
  return code < 0x10000 ? '\\u' + hex(code, 4) : '\\U' + hex(code, 8)
}

function hex(code: number, width: number): string {
  return code.toString(16).padStart(width, '0')
}

/** `strconv.CanBackquote`: one line, no control character but the tab, no backquote, nothing that is not UTF-8. */
export function canBackquote(text: string): boolean {
  return !/[\x00-\x08\x0a-\x1f`\x7f\ufeff]|\p{Surrogate}/u.test(text)
}
