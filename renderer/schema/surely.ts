// Most schemas are written as schemas are: seen at a glance, without the schema of their draft. What is not surely right is left to that.
import { compile } from '../functions/sprig/pattern.js'
import { isDict, isList, type Value } from '../value/value.js'
import type { Draft } from './document.js'

type Check = (value: Value, draft: Draft) => boolean

const deepest = 100

/** true: the schema of its draft takes it. false says nothing. */
export function isSurelySchema(schema: Value, draft: Draft, depth = 0): boolean {
  if (typeof schema === 'boolean') return draft >= 6
  if (!isDict(schema) || depth > deepest) return false
  for (const [keyword, value] of schema) {
    const inner = (one: Value): boolean => isSurelySchema(one, draft, depth + 1)
    const below = holding.get(keyword)
    if (below !== undefined) {
      if (!below(value, inner)) return false
    } else if (checks.get(keyword)?.(value, draft) === false || unsure.has(keyword)) return false
  }
  return true
}

/** Keywords with schemas in them. */
const holding = new Map<string, (value: Value, inner: (one: Value) => boolean) => boolean>([
  ...words('properties definitions $defs', (value: Value, inner: (one: Value) => boolean) => {
    return isDict(value) && [...value.values()].every(inner)
  }),
  ...words('allOf anyOf oneOf', (value: Value, inner: (one: Value) => boolean) => {
    return isList(value) && value.length > 0 && value.every(inner)
  }),
  ...words('additionalProperties items not if then else contains propertyNames', (value: Value, inner: (one: Value) => boolean) =>
    inner(value),
  ),
])

const types = new Set(['array', 'boolean', 'integer', 'null', 'number', 'object', 'string'])

const checks = new Map<string, Check>([
  ...words('title description $comment format', isText),
  ...words('minLength maxLength minItems maxItems minProperties maxProperties', isCount),
  ...words('minimum maximum', isNumber),
  ...words('exclusiveMinimum exclusiveMaximum', (value: Value, draft: Draft) => draft >= 6 && isNumber(value)),
  ...words('uniqueItems readOnly writeOnly deprecated', (value: Value) => typeof value === 'boolean'),
  ['examples', isList],
  ['multipleOf', value => isNumber(value) && Number(value) > 0],
  ['type', value => (isList(value) ? isNames(value) && value.every(isType) : isType(value))],
  ['required', (value, draft) => isList(value) && (isNames(value) || (draft >= 6 && value.length === 0))],
  ['enum', (value, draft) => isList(value) && (draft >= 7 || isNames(value))],
  ['pattern', isPattern],
  ['$ref', value => isText(value) && /^#[\w/$.-]*$/.test(value)],
  ['$schema', value => isText(value) && /^https?:\/\/json-schema\.org\/[\w/-]+#?$/.test(value)],
  ['$id', (value, draft) => draft >= 6 && isText(value) && /^https?:\/\/[a-z][\w.-]*[a-z](?:\/[\w./-]*)?$/.test(value)],
])

/** Those of some draft that are rare. */
const unsure = new Set(
  [
    'id dependencies dependentRequired dependentSchemas patternProperties additionalItems prefixItems $anchor $vocabulary',
    '$dynamicRef $dynamicAnchor $recursiveRef $recursiveAnchor minContains maxContains unevaluatedItems unevaluatedProperties',
    'contentEncoding contentMediaType contentSchema',
  ].flatMap(line => line.split(' ')),
)

function words<T>(names: string, check: T): (readonly [string, T])[] {
  return names.split(' ').map(name => [name, check] as const)
}

function isText(value: Value): value is string {
  return typeof value === 'string'
}

function isNumber(value: Value): boolean {
  return typeof value === 'number'
}

function isCount(value: Value): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function isType(value: Value): boolean {
  return isText(value) && types.has(value)
}

/** Some texts, each once. */
function isNames(value: readonly Value[]): boolean {
  return value.length > 0 && value.every(isText) && new Set(value).size === value.length
}

function isPattern(value: Value): boolean {
  if (!isText(value)) return false
  try {
    compile(value)
    return true
  } catch {
    return false
  }
}
