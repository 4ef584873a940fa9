// Values to YAML as yaml.v3 writes them with an indent of 2, for Helm's toYamlPretty: lists stand inside their key, no line is folded.
import { durationText } from '../../value/duration.js'
import { floatText } from '../../value/float.js'
import { bytesOf, hasBadBytes } from '../../value/text.js'
import { Bytes, type Dict, Int, int, isDict, isList, type List, Struct, type Value } from '../../value/value.js'
import { work } from '../../work.js'
import { Emitter } from '../../yaml/emitter.js'
import { sortNaturally } from '../../yaml/keys.js'
import { isSurelyText, resolve } from '../../yaml/resolve.js'
import { fail } from '../sprig/define.js'
import { formatTime } from '../sprig/layout.js'
import { Time } from '../sprig/time.js'
import { Version } from '../sprig/version.js'

const deepest = 1_000

/** Without the last newline. */
export function prettyYaml(value: Value): string {
  const emitter = new Emitter({ width: Infinity, plainTabs: false })
  node(emitter, value, 0, 0)
  emitter.end()
  return emitter.text().replace(/\n$/, '')
}

/** `indent`: where the keys or items of a collection begin. */
function node(emitter: Emitter, value: Value, indent: number, depth: number): void {
  work()
  if (depth > deepest) fail(`a value more than ${deepest} deep: does it hold itself?`)
  const plain = simplified(value)
  if (isDict(plain)) mapping(emitter, plain, indent, depth)
  else if (isList(plain)) sequence(emitter, plain, indent, depth)
  // Further lines of a text that is the whole document are indented too.
  else if (typeof plain === 'string') text(emitter, plain, Math.max(indent, 2), false)
  else emitter.word(wordOf(plain))
}

type Plain = null | boolean | number | string | Int | Dict | List | Time

function simplified(value: Value): Plain {
  if (value instanceof Bytes) return Array.from(value.bytes, byte => int(byte, 'uint8'))
  if (value instanceof Int && value.type === 'time.Duration') return durationText(value.value)
  if (value instanceof Time || !(value instanceof Struct)) return value
  if (value instanceof Version) return value.print()
  const fields = value.fields()
  if (fields === undefined) return fail(`cannot marshal type: ${value.type}`)
  return new Map(fields.map(([name, item]) => [name.toLowerCase(), item]))
}

function wordOf(value: null | boolean | number | Int | Time): string {
  if (value === null) return 'null'
  if (value instanceof Int) return value.value.toString()
  if (value instanceof Time) return formatTime(value, '2006-01-02T15:04:05.999999999Z07:00')
  if (typeof value === 'boolean') return String(value)
  if (Number.isNaN(value)) return '.nan'
  return Number.isFinite(value) ? floatText(value) : value > 0 ? '.inf' : '-.inf'
}

function mapping(emitter: Emitter, dict: Dict, indent: number, depth: number): void {
  if (dict.size === 0) emitter.indicator('{}', true)
  for (const key of sortNaturally([...dict.keys()])) {
    emitter.toIndent(indent)
    if (isSimpleKey(key)) {
      text(emitter, key, indent + 2, true)
      emitter.indicator(':', false)
    } else {
      emitter.indicator('?', true, true)
      text(emitter, key, indent + 2, false)
      emitter.toIndent(indent)
      emitter.indicator(':', true, true)
    }
    node(emitter, dict.get(key) as Value, indent + 2, depth + 1)
  }
}

/** One line of at most 128 bytes. */
function isSimpleKey(key: string): boolean {
  return !/[\n\r\x85\u2028\u2029]/.test(key) && (key.length < 43 || Buffer.byteLength(key) <= 128)
}

function sequence(emitter: Emitter, list: List, indent: number, depth: number): void {
  if (list.length === 0) emitter.indicator('[]', true)
  for (const item of list) {
    emitter.toIndent(indent)
    emitter.indicator('-', true, true)
    node(emitter, item, indent + 2, depth + 1)
  }
}

const base60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/

/** What is not UTF-8 is tagged, and written in base64. */
function text(emitter: Emitter, given: string, indent: number, key: boolean): void {
  if (hasBadBytes(given)) {
    emitter.word('!!binary')
    emitter.scalar(base64Lines(bytesOf(given)), true, indent, key)
    return
  }
  const plain = isSurelyText(given) || (resolve(given).tag === 'str' && !base60.test(given))
  emitter.scalar(given, plain, indent, key)
}

/** Lines of 70 characters, each ended where there are more than one. */
function base64Lines(bytes: Uint8Array): string {
  const whole = Buffer.from(bytes).toString('base64')
  return whole.length <= 70 ? whole : (whole.match(/.{1,70}/g) ?? []).map(line => line + '\n').join('')
}
