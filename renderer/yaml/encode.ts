// Values to YAML text byte for byte as Helm's `toYaml` writes them: encoding/json first, read back as YAML, then go-yaml v2's encoder.
import { floatText } from '../value/float.js'
import { Bytes, type Dict, goNil, Int, isDict, isList, type List, Struct, type Value } from '../value/value.js'
import { work } from '../work.js'
import { Emitter } from './emitter.js'
import { sortNaturally } from './keys.js'
import { isSurelyText, resolve } from './resolve.js'

/** What `yaml.Marshal` returns as an error; Helm's `toYaml` gives '' for it. */
export class EncodeError extends Error {}

/** `yaml.Marshal(value)` of sigs.k8s.io/yaml: with a newline at the end. Throws `EncodeError`. */
export function marshal(value: Value): string {
  const emitter = new Emitter()
  root(emitter, value)
  return emitter.text()
}

/** Helm's `toYaml`: without the last newline; '' for what cannot be written. */
export function toYaml(value: Value): string {
  try {
    const text = marshal(value)
    return text.endsWith('\n') ? text.slice(0, -1) : text
  } catch (cause) {
    if (!(cause instanceof EncodeError)) throw cause
    return ''
  }
}

const deepest = 10_000

function root(emitter: Emitter, value: Value): void {
  const plain = simplified(value)
  if (isDict(plain)) mapping(emitter, plain, 0, 0)
  else if (isList(plain)) sequence(emitter, plain, 0, 0)
  else scalar(emitter, plain, 2)
  emitter.end()
}

type Plain = null | boolean | number | string | Int | Dict | List

/** What encoding/json would write, before it is text. */
function simplified(value: Value): Plain {
  if (typeof value === 'string') return jsonText(value)
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || value instanceof Int) return value
  if (value instanceof Bytes) return Buffer.from(value.bytes).toString('base64')
  if (value instanceof Struct) {
    const json = value.json()
    if (json === undefined) throw new EncodeError(`error marshaling into JSON: json: unsupported type: ${value.type}`)
    return simplified(json)
  }
  return value[goNil] === true ? null : value
}

const unreadable = /[\x7f-\x84\x86-\x9f\ufffe\uffff]/
const awkward = /[\x7f-\x9f\ufffe\uffff]|\p{Surrogate}/u

/** encoding/json replaces bytes that are not UTF-8; go-yaml then refuses control characters and folds at NEL. */
function jsonText(text: string): string {
  if (!awkward.test(text)) return text
  if (unreadable.test(text)) throw new EncodeError('yaml: control characters are not allowed')
  return text.replace(/\p{Surrogate}/gu, '\ufffd').replace(/[ \t]*\x85[ \t\x85]*/g, nel => {
    const breaks = nel.replace(/[ \t]/g, '').length
    return breaks === 1 ? ' ' : '\n'.repeat(breaks - 1)
  })
}

/** `indent`: the column of its keys. */
function mapping(emitter: Emitter, dict: Dict, indent: number, depth: number): void {
  if (depth > deepest) throw new EncodeError('yaml: exceeded max depth')
  if (dict.size === 0) emitter.indicator('{}', true)
  for (const key of sortNaturally([...dict.keys()])) {
    work()
    emitter.toIndent(indent)
    keyOf(emitter, jsonText(key), indent)
    const value = simplified(dict.get(key) ?? null)
    if (isDict(value)) mapping(emitter, value, indent + 2, depth + 1)
    else if (isList(value)) sequence(emitter, value, emitter.indented ? indent + 2 : indent, depth + 1)
    else scalar(emitter, value, indent + 2)
  }
}

/** go-yaml finds a key's `:` only within 1024 characters. */
const longestKey = 1022

function keyOf(emitter: Emitter, key: string, indent: number): void {
  if (key.length > 160 && jsonLength(key) > longestKey) throw new EncodeError('yaml: did not find expected key')
  if (isSimpleKey(key)) {
    emitter.scalar(key, canBePlain(key), indent + 2, true)
    emitter.indicator(':', false)
    return
  }
  emitter.indicator('?', true, true)
  emitter.scalar(key, canBePlain(key), indent + 2, false)
  emitter.toIndent(indent)
  emitter.indicator(':', true, true)
}

function jsonLength(text: string): number {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, '\\u0000').length
}

function isSimpleKey(key: string): boolean {
  return !/[\n\r\u2028\u2029]/.test(key) && (key.length < 43 || Buffer.byteLength(key) <= 128)
}

function sequence(emitter: Emitter, list: readonly Value[], indent: number, depth: number): void {
  if (depth > deepest) throw new EncodeError('yaml: exceeded max depth')
  if (list.length === 0) emitter.indicator('[]', true)
  for (const item of list) {
    work()
    emitter.toIndent(indent)
    emitter.indicator('-', true, true)
    const value = simplified(item)
    if (isDict(value)) mapping(emitter, value, indent + 2, depth + 1)
    else if (isList(value)) sequence(emitter, value, indent + 2, depth + 1)
    else scalar(emitter, value, indent + 2)
  }
}

function scalar(emitter: Emitter, value: null | boolean | number | string | Int, indent: number): void {
  if (typeof value === 'string') emitter.scalar(value, canBePlain(value), indent, false)
  else emitter.word(value === null ? 'null' : value instanceof Int ? String(value.value) : numberText(value))
}

/** Integers up to 64 bits keep their digits, all others become floats again. */
export function numberText(value: boolean | number): string {
  if (typeof value === 'boolean') return String(value)
  if (!Number.isFinite(value)) throw new EncodeError(`error marshaling into JSON: json: unsupported value: ${floatText(value)}`)
  if (Number.isInteger(value) && value < 2 ** 64 && value >= -(2 ** 63)) return String(value + 0)
  return floatText(value)
}

const base60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/

/** Whether it would be read back as a text without quotes. */
function canBePlain(text: string): boolean {
  return isSurelyText(text) || (resolve(text).tag === 'str' && !base60.test(text))
}
