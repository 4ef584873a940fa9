// Go's package unicode where JavaScript has other rules: one character for one, in the Unicode version of Go.
import { isYoung } from '../../value/unicode.js'

const upperForm = /^\p{Lu}$/u
const lowerForm = /^\p{Ll}$/u
const titleForm = /^\p{Lt}$/u
const letterForm = /^\p{L}$/u
const digitForm = /^\p{Nd}$/u
const numberForm = /^\p{N}$/u
const punctuationForm = /^\p{P}$/u

/** unicode.IsSpace: JavaScript's \s has U+FEFF besides, and lacks U+0085. */
const space = '[\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]'
const spaceForm = new RegExp(`^${space}$`)

export const isUpper = (char: string): boolean => upperForm.test(char)
export const isLower = (char: string): boolean => lowerForm.test(char)
export const isTitle = (char: string): boolean => titleForm.test(char)
export const isLetter = (char: string): boolean => letterForm.test(char)
export const isDigit = (char: string): boolean => digitForm.test(char)
export const isNumber = (char: string): boolean => numberForm.test(char)
export const isPunctuation = (char: string): boolean => punctuationForm.test(char)
export const isSpace = (char: string): boolean => (char > ' ' && char < '\x7f' ? false : spaceForm.test(char))

/** unicode.ToUpper. */
export function toUpper(char: string): string {
  const upper = char.toUpperCase()
  if (isOne(upper)) return younger(upper) ? char : upper
  // Greek with iota below: JavaScript writes the iota beside it, the simple mapping has one character.
  if (/[\u1f80-\u1faf]/.test(char)) return String.fromCharCode(char.charCodeAt(0) | 8)
  return /[\u1fb3\u1fc3\u1ff3]/.test(char) ? String.fromCharCode(char.charCodeAt(0) + 9) : char
}

/** unicode.ToLower. */
export function toLower(char: string): string {
  if (char === '\u0130') return 'i'
  const lower = char.toLowerCase()
  return younger(char) ? char : lower
}

/** unicode.ToTitle: as ToUpper but for the letters made of two, and Georgian. */
export function toTitle(char: string): string {
  const code = char.charCodeAt(0)
  if (code >= 0x1c4 && code <= 0x1cc) return String.fromCharCode(code - ((code - 0x1c4) % 3) + 1)
  if (code >= 0x1f1 && code <= 0x1f3) return '\u01f2'
  return /^[\u10d0-\u10fa\u10fd-\u10ff]$/.test(char) ? char : toUpper(char)
}

function isOne(text: string): boolean {
  return text.length === 1 || (text.length === 2 && (text.codePointAt(0) as number) > 0xffff)
}

function younger(char: string): boolean {
  return char > '\x7f' && isYoung(char.codePointAt(0) as number)
}

/** What `[]rune(text)` and back makes of bytes that are not UTF-8. */
export function scrubbed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd')
}

const ascii = /^[\x00-\x7f]*$/

/** `strings.ToUpper`. */
export function upperText(text: string): string {
  return ascii.test(text) ? text.toUpperCase() : Array.from(scrubbed(text), toUpper).join('')
}

/** `strings.ToLower`. */
export function lowerText(text: string): string {
  return ascii.test(text) ? text.toLowerCase() : Array.from(scrubbed(text), toLower).join('')
}
