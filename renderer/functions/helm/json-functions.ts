// JSON in templates: Helm's toJson, fromJson and fromJsonArray (pkg/engine/funcs.go), and Sprig's others (defaults.go).
import { type Dict, isDict, isList, nilDict, nilList, type Value } from '../../value/value.js'
import { CallError, type GoFunction } from '../signature.js'
import { boundedText, define, fail, text } from '../sprig/define.js'
import { encodeJson, type JsonStyle } from './json.js'
import { type JsonRead, kindOfJson, readJson } from './json-read.js'

const line: JsonStyle = { html: true, indent: '' }
const pretty: JsonStyle = { html: true, indent: '  ' }
const raw: JsonStyle = { html: false, indent: '' }

export const json: readonly GoFunction[] = [
  encoder('toJson', line, 'quiet'),
  encoder('mustToJson', line, 'loud'),
  encoder('toPrettyJson', pretty, 'quiet'),
  encoder('mustToPrettyJson', pretty, 'loud'),
  encoder('toRawJson', raw, 'loud'),
  encoder('mustToRawJson', raw, 'loud'),
  define('fromJson', ['string'], args => fromJson(text(args, 0))),
  define('fromJsonArray', ['string'], args => fromJsonArray(text(args, 0))),
  define('mustFromJson', ['string'], args => {
    const read = readJson(text(args, 0))
    return read.error === undefined ? read.value : fail(read.error)
  }),
]

/** A `quiet` one gives '' for what JSON cannot say. */
function encoder(name: string, style: JsonStyle, errors: 'quiet' | 'loud'): GoFunction {
  return define(name, ['any'], (args, call) => boundedText(encoded(args[0] as Value, style, errors), call))
}

function encoded(value: Value, style: JsonStyle, errors: 'quiet' | 'loud'): string {
  if (errors === 'loud') return encodeJson(value, style)
  try {
    return encodeJson(value, style)
  } catch (error) {
    if (error instanceof CallError) return ''
    throw error
  }
}

/** An error stands in the map that is given back, under `Error`. */
function fromJson(given: string): Dict {
  const read = readJson(given)
  if (read.value === null && read.error === undefined) return nilDict()
  const made: Dict = isDict(read.value) ? read.value : new Map()
  const error = errorOf(read, made, 'map[string]interface {}')
  if (error !== undefined) made.set('Error', error)
  return made
}

/** An error is the only item of the list that is given back. */
function fromJsonArray(given: string): Value {
  const read = readJson(given)
  if (read.value === null && read.error === undefined) return nilList()
  const made = isList(read.value) ? read.value : []
  const error = errorOf(read, made, '[]interface {}')
  return error === undefined ? made : [error]
}

function errorOf(read: JsonRead, made: Value, type: string): string | undefined {
  if (read.error !== undefined && read.value !== null) return read.error
  if (read.value === made) return undefined
  // A number without room is nil here; that it is a number comes first.
  const kind = read.error === undefined ? kindOfJson(read.value) : 'number'
  return `json: cannot unmarshal ${kind} into Go value of type ${type}`
}
