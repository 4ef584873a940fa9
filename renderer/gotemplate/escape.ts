// `html`, `js` and `urlquery` of Go's text/template.
import { print } from '../value/format.js'
import { isPrint } from '../value/quote.js'
import { bytesOf } from '../value/text.js'
import type { Value } from '../value/value.js'
import { noValue } from './print.js'

/** The arguments as `print` shows them; nil is no value. */
function shown(args: readonly Value[]): string {
  return print(args.map(arg => (arg === null ? noValue : arg)))
}

const entities: Readonly<Record<string, string>> = {
  '\0': '\ufffd',
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
}

export function htmlText(args: readonly Value[]): string {
  return shown(args).replace(/[\0"'&<>]/g, char => entities[char] as string)
}

const scriptEscapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
}

export function jsText(args: readonly Value[]): string {
  return shown(args).replace(/[\\'"<>&=\x00-\x1f]|[^\x00-\x7f]/gu, char => scriptEscapes[char] ?? scriptChar(char))
}

function scriptChar(char: string): string {
  const bad = /\p{Surrogate}/u.test(char)
  const code = bad ? 0xfffd : (char.codePointAt(0) as number)
  if (code >= 0x20 && isPrint(bad ? '\ufffd' : char)) return char
  return '\\u' + code.toString(16).toUpperCase().padStart(4, '0')
}

/** `url.QueryEscape`. */
export function queryText(args: readonly Value[]): string {
  const text = shown(args)
  if (/^[A-Za-z0-9_.~-]*$/.test(text)) return text
  return Array.from(bytesOf(text), queryByte).join('')
}

function queryByte(byte: number): string {
  if (byte === 0x20) return '+'
  const char = String.fromCharCode(byte)
  return /[A-Za-z0-9_.~-]/.test(char) ? char : '%' + byte.toString(16).toUpperCase().padStart(2, '0')
}
