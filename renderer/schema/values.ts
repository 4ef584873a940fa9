// `values.schema.json` of a chart and its subcharts.
import type { Chart } from '../chart/dependencies.js'
import type { Dict } from '../value/value.js'

export function schemaProblems(_chart: Chart, _values: Dict): string {
  return ''
}
