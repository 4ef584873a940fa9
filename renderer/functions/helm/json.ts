// Go's encoding/json: how values become JSON (sorted keys, HTML escapes) and how JSON is read, with its error texts.

import { sortedKeys } from '../../value/keys.js'
import { quoted } from '../../value/quote.js'
import { Bytes, type Dict, goNil, Int, isDict, type List, Struct, type Value } from '../../value/value.js'
import { work, written } from '../../work.js'
import { CallError } from '../signature.js'

/** Deeper than this a value holds itself: encoding/json looks for cycles from here on. */
const deepest = 1_000

export interface JsonStyle {
  /** `<`, `>` and `&` as \u003c and so on, safe inside HTML. */
  readonly html: boolean
  /** Of one level; '' puts all on one line. */
  readonly indent: string
}

/** Throws CallError for what JSON cannot say: NaN, infinities, functions, cycles. */
export function encodeJson(value: Value, style: JsonStyle): string {
  return encode(value, style, '\n')
}

function encode(value: Value, style: JsonStyle, newline: string): string {
  work()
  if (value === null) return 'null'
  if (typeof value === 'string') return jsonText(value, style.html)
  if (typeof value === 'number') return jsonNumber(value)
  if (typeof value === 'boolean') return String(value)
  if (value instanceof Int) return value.value.toString()
  if (value instanceof Bytes) return `"${Buffer.from(value.bytes).toString('base64')}"`
  if (value instanceof Struct) return encodeStruct(value, style, newline)
  if (value[goNil] === true) return 'null'
  const inner = newline + style.indent
  if (newline.length > deepest * Math.max(1, style.indent.length)) failCycle(value)
  const deeper = style.indent === '' ? newline + ' ' : inner
  if (isDict(value)) return encodeDict(value, sortedKeys(value), style, newline, deeper)
  return enclosed(
    '[',
    value.map(item => encode(item, style, deeper)),
    ']',
    style,
    newline,
  )
}

function encodeDict(value: Dict, keys: readonly string[], style: JsonStyle, newline: string, deeper: string): string {
  const colon = style.indent === '' ? ':' : ': '
  const entries = keys.map(key => jsonText(key, style.html) + colon + encode(value.get(key) as Value, style, deeper))
  return enclosed('{', entries, '}', style, newline)
}

function enclosed(open: string, parts: readonly string[], close: string, style: JsonStyle, newline: string): string {
  if (parts.length === 0) return open + close
  const inner = newline + style.indent
  const made = style.indent === '' ? open + parts.join(',') + close : open + inner + parts.join(',' + inner) + newline + close
  written(made.length)
  return made
}

function encodeStruct(value: Struct, style: JsonStyle, newline: string): string {
  const plain = value.json()
  if (plain === undefined) throw new CallError(`json: unsupported type: ${value.type}`)
  if (!isDict(plain)) return encode(plain, style, newline)
  // A struct's fields stand in their own order.
  return encodeDict(plain, [...plain.keys()], style, newline, newline + (style.indent === '' ? ' ' : style.indent))
}

function failCycle(value: Dict | List): never {
  const type = isDict(value) ? 'map[string]interface {}' : '[]interface {}'
  throw new CallError(`json: unsupported value: encountered a cycle via ${type}`)
}

/** ES6's format, which encoding/json took over; but for the sign of zero. */
function jsonNumber(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value)
  throw new CallError(`json: unsupported value: ${Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'}`)
}

const plainForHtml = /^[ !#-%'-;=?-[\]-\x7f]*$/
const plainElse = /^[ !#-[\]-\x7f]*$/
const special = /["\\\x00-\x1f\u2028\u2029]|\p{Surrogate}/gu
const specialForHtml = /["\\\x00-\x1f<>&\u2028\u2029]|\p{Surrogate}/gu
const escapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

function jsonText(text: string, html: boolean): string {
  if ((html ? plainForHtml : plainElse).test(text)) return `"${text}"`
  return `"${text.replace(html ? specialForHtml : special, escaped)}"`
}

/** A byte that is not UTF-8 (a lone surrogate here) is written as U+FFFD. */
function escaped(char: string): string {
  const code = char.charCodeAt(0)
  if (code >= 0xd800 && code < 0xe000) return '\\ufffd'
  return escapes[char] ?? '\\u' + code.toString(16).padStart(4, '0')
}

/** What encoding/json says of a character: a byte, as a character of Latin-1. */
export function quotedByte(char: string): string {
  if (char === "'") return `'\\''`
  return char === '"' ? `'"'` : `'${quoted(char).slice(1, -1)}'`
}
