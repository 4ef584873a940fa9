// Is a schema one at all? The schema of its draft says it, in the words in which it says it of values.
import type { Dict, Value } from '../value/value.js'
import { JsonReader } from '../values/json.js'
import { type Draft, SchemaDocument, SchemaError } from './document.js'
import { metaschemas } from './metaschemas.js'
import { isSurelySchema } from './surely.js'
import { validateBy } from './validate.js'
import { violationText } from './words.js'

const known = new Map<Draft, SchemaDocument>()

/** Throws `SchemaError` for a schema that is none, or of a draft that nobody knows. */
export function checkSchema(schema: Value): void {
  const { draft } = new SchemaDocument(schema)
  if (isSurelySchema(schema, draft)) return
  const meta = known.get(draft) ?? new SchemaDocument(new JsonReader(metaschemas[draft]).value())
  known.set(draft, meta)
  const found = validateBy(meta, schema, true)
  if (found.length === 0) return

  const uri = String((meta.root as Dict).get('$schema')).replace(/#?$/, '#')
  const what = `jsonschema validation failed with '${uri}'\n${violationText(found).trimEnd()}`
  throw new SchemaError(`"file:///values.schema.json#" is not valid against metaschema: ${what}`)
}
