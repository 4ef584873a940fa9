// `values.schema.json` of a chart and its subcharts against the values that they get (`chartutil/jsonschema.go`).
import type { Chart } from '../chart/dependencies.js'
import { textOf } from '../value/text.js'
import { type Dict, isDict, typeOf, type Value } from '../value/value.js'
import { JsonError, readJson } from '../values/json.js'
import { checkSchema } from './check.js'
import { SchemaError } from './document.js'
import { validate } from './validate.js'
import { violationText } from './words.js'

/** Helm's list of what is wrong, '' where nothing is. */
export function schemaProblems(chart: Chart, values: Dict): string {
  const own = chart.schema === null ? '' : problemsOf(chart.schema, values)
  const below = chart.dependencies.map(subchart => {
    const inner = values.get(subchart.metadata.name) ?? null
    if (inner === null) return ''
    if (isDict(inner)) return schemaProblems(subchart, inner)
    return `${subchart.metadata.name}:\ninvalid type for values: expected object (map), got ${typeOf(inner)}\n`
  })
  return `${own === '' ? '' : `${chart.metadata.name}:\n${own}`}${below.join('')}`
}

function problemsOf(schema: Uint8Array, values: Dict): string {
  try {
    const found = validate(schemaOf(schema), values)
    return violationText(found)
  } catch (cause) {
    if (!(cause instanceof SchemaError || cause instanceof JsonError)) throw cause
    return cause.message
  }
}

const read = new WeakMap<Uint8Array, Value>()

/** Read and checked once for as long as its bytes are kept. */
function schemaOf(bytes: Uint8Array): Value {
  const known = read.get(bytes)
  if (known !== undefined) return known
  const schema = readJson(textOf(bytes))
  checkSchema(schema)
  read.set(bytes, schema)
  return schema
}
