// Values to YAML text: block style, keys sorted, lists level with their key, quotes wherever Go would read something else.
import { Bytes, isDict, isList, kindOf, sortedKeys, type Value } from '../value.js'
import { isAmbiguous } from './scalar.js'

/** No newline at the end, as Helm's `toYaml`. */
export function emitYaml(value: Value): string {
  if (typeof value === 'string' && value.startsWith(' ')) return JSON.stringify(value)
  const [first = '', ...rest] = lines(value)
  const isBlock = isDict(value) || isList(value)
  return [first, ...rest.map(line => (isBlock || line === '' ? line : `  ${line}`))].join('\n')
}

function lines(value: Value): string[] {
  if (isDict(value) && value.size > 0)
    return sortedKeys(value).flatMap(key => entry(`${scalarText(key)}:`, value.get(key) ?? null, false))
  if (isList(value) && value.length > 0) return value.flatMap(item => entry('-', item, true))
  return scalarLines(value)
}

function entry(head: string, value: Value, inList: boolean): string[] {
  const [first = '', ...rest] = lines(value)
  const isBlock = (isDict(value) && value.size > 0) || (isList(value) && value.length > 0)
  if (!isBlock) return [`${head} ${first}`, ...rest.map(line => (line === '' ? '' : `  ${line}`))]
  if (inList) return [`- ${first}`, ...rest.map(line => (line === '' ? '' : `  ${line}`))]
  const indent = isList(value) ? '' : '  '
  return [head, ...[first, ...rest].map(line => (line === '' ? '' : indent + line))]
}

function scalarLines(value: Value): string[] {
  if (isDict(value)) return ['{}']
  if (isList(value)) return ['[]']
  if (value === null) return ['null']
  if (value instanceof Bytes) throw new Error(`a ${kindOf(value)} cannot be written as YAML; use b64enc`)
  if (typeof value !== 'string') return [String(value)]
  return isLiteral(value) ? literal(value) : [scalarText(value)]
}

/** Several lines without trailing blanks, tabs at the start or control characters: readable as they stand. */
function isLiteral(text: string): boolean {
  return (
    /\n/.test(text) &&
    !/[^\n\t\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/.test(text) &&
    !/[ \t]\n/.test(text) &&
    !/[ \t]$/.test(text) &&
    !/^[\n\t]|\n\n$/.test(text)
  )
}

function literal(text: string): string[] {
  const kept = text.endsWith('\n') ? '' : '-'
  const body = text.endsWith('\n') ? text.slice(0, -1) : text
  return [`|${text.startsWith(' ') ? '2' : ''}${kept}`, ...body.split('\n')]
}

const safePlain = /^[^\s\-?:,[\]{}#&*!|>'"%@`\x00-\x1f\x7f][^\x00-\x1f\x7f]*$/

export function scalarText(text: string): string {
  const plain =
    (safePlain.test(text) || /^[-?:][^\s]/.test(text)) &&
    !/: |:$| #|[^\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]|^---|^\.\.\.| $/.test(text)
  return plain && !isAmbiguous(text) ? text : JSON.stringify(text)
}
