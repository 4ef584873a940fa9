// Values against a JSON schema (drafts 4 to 2020-12), interpreted as it stands: no code is made, nothing is fetched.
// Order, grouping and words of violations are those of santhosh-tekuri/jsonschema, which Helm uses.
import { compile, PatternError } from '../functions/sprig/pattern.js'
import { type Dict, Int, isDict, isList, type List, type Value } from '../value/value.js'
import { SchemaDocument, SchemaError } from './document.js'
import { formats } from './formats.js'
import { compare, fractionOf, isInteger, isMultiple, isNumber, plainNumber } from './number.js'
import { apostrophed, listed, numberText, shown, grouped as thousands, type Violation } from './words.js'

const deepest = 600
/** Schemas looked at for one chart: `$ref`s into one another can ask for any number. */
const mostSteps = 2_000_000

/** What the values violate; empty where nothing. Throws `SchemaError` for a schema that cannot be used. */
export function validate(schema: Value, values: Value): readonly Violation[] {
  return validateBy(new SchemaDocument(schema), values, false)
}

/** `isStrict`: formats are more than a remark, whatever the draft says. */
export function validateBy(document: SchemaDocument, values: Value, isStrict: boolean): readonly Violation[] {
  return ungrouped(new Visit(document, document.root, document.base, values, [], null, isStrict).run())
}

interface Steps {
  count: number
}

/** One schema applied to one value. */
class Visit {
  readonly #document: SchemaDocument
  readonly #schema: Value
  readonly #base: string
  readonly #value: Value
  readonly #at: readonly string[]
  readonly #above: Visit | null
  readonly #depth: number
  readonly #steps: Steps
  readonly #isStrict: boolean
  #found: Violation[] = []
  /** Properties and items that some schema has looked at, for `unevaluated...`. */
  readonly #seen = new Set<string>()

  constructor(
    document: SchemaDocument,
    schema: Value,
    base: string,
    value: Value,
    at: readonly string[],
    above: Visit | null,
    isStrict: boolean = above === null ? false : above.#isStrict,
  ) {
    this.#isStrict = isStrict
    this.#document = document
    this.#schema = schema
    this.#base = isDict(schema) ? document.baseOf(schema, base) : base
    this.#value = value
    this.#at = at
    this.#above = above
    this.#depth = above === null ? 0 : above.#depth + 1
    this.#steps = above === null ? { count: 0 } : above.#steps
    if (this.#depth > deepest || ++this.#steps.count > mostSteps)
      throw new SchemaError('the schema refers to itself without end, or is too large')
  }

  run(): readonly Violation[] {
    const schema = this.#schema
    if (typeof schema === 'boolean') return schema ? [] : [this.#violation('false schema')]
    if (!isDict(schema)) return []
    if (this.#isCycle()) return [this.#violation('reference cycle')]
    const { draft } = this.#document
    if (draft < 2019 && typeof schema.get('$ref') === 'string') return this.#reference(schema, '$ref')
    const first = this.#general(schema)
    if (first !== null) return [first]
    if (typeof schema.get('$ref') === 'string') this.#found.push(...this.#reference(schema, '$ref'))
    if (isDict(this.#value)) this.#object(schema, this.#value)
    else if (isList(this.#value)) this.#array(schema, this.#value)
    else if (typeof this.#value === 'string') this.#text(schema, this.#value)
    else if (isNumber(this.#value)) this.#number(schema, this.#value)
    if (draft >= 2019)
      for (const keyword of ['$recursiveRef', '$dynamicRef'])
        if (typeof schema.get(keyword) === 'string') this.#found.push(...this.#reference(schema, keyword))
    this.#conditions(schema)
    if (draft >= 2019) this.#unevaluated(schema)
    return this.#found
  }

  #isCycle(): boolean {
    for (let visit = this.#above; visit !== null && visit.#at === this.#at; visit = visit.#above)
      if (visit.#schema === this.#schema && visit.#value === this.#value) return true
    return false
  }

  #violation(what: string, causes: readonly Violation[] = []): Violation {
    return { at: this.#at, what, causes, isReference: false }
  }

  #say(what: string, causes: readonly Violation[] = []): void {
    this.#found.push(this.#violation(what, causes))
  }

  /** The same value against another schema; what that one looked at counts here too. */
  #same(schema: Value): readonly Violation[] {
    return grouped(this.#against(schema, this.#base), this.#at)
  }

  #against(schema: Value, base: string): readonly Violation[] {
    const visit = new Visit(this.#document, schema, base, this.#value, this.#at, this)
    const found = visit.run()
    if (found.length === 0) for (const name of visit.#seen) this.#seen.add(name)
    return found
  }

  #inner(schema: Value, value: Value, step: string): readonly Violation[] {
    const at = [...this.#at, step]
    return grouped(new Visit(this.#document, schema, this.#base, value, at, this).run(), at)
  }

  #reference(schema: Dict, keyword: string): readonly Violation[] {
    const target = this.#document.resolve(String(schema.get(keyword)), this.#base)
    const causes = ungrouped(this.#against(target.schema, target.base))
    return causes.length === 0 ? [] : [{ at: this.#at, what: 'validation failed', causes, isReference: true }]
  }

  /** What decides at once: type, const, enum, format. */
  #general(schema: Dict): Violation | null {
    const value = this.#value
    const types = typesOf(schema.get('type'))
    if (types.length > 0 && !types.some(type => isOfType(value, type)))
      return this.#violation(`got ${typeName(value)}, want ${types.join(' or ')}`)
    const constant = this.#document.draft >= 6 ? schema.get('const') : undefined
    if (constant !== undefined && !isSame(value, constant))
      return this.#violation(isDict(constant) || isList(constant) ? "'const' failed" : `value must be ${shown(constant)}`)
    const choices = schema.get('enum')
    if (isList(choices) && !choices.some(choice => isSame(value, choice))) return this.#violation(choiceText(choices))
    return this.#format(schema)
  }

  #format(schema: Dict): Violation | null {
    const format = schema.get('format')
    const counts = this.#isStrict || this.#document.draft < 2019
    if (!counts || typeof format !== 'string' || typeof this.#value !== 'string') return null
    const problem = format === 'regex' ? patternProblem(this.#value) : (formats.get(format)?.(this.#value) ?? '')
    return problem === '' ? null : this.#violation(`${shown(this.#value)} is not valid ${format}: ${problem}`)
  }

  #object(schema: Dict, value: Dict): void {
    const size = value.size
    const [least, most] = [schema.get('minProperties'), schema.get('maxProperties')]
    if (isNumber(least) && size < plainNumber(least))
      this.#say(`minProperties: got ${counted(size)}, want ${countedValue(least)}`)
    if (isNumber(most) && size > plainNumber(most)) this.#say(`maxProperties: got ${counted(size)}, want ${countedValue(most)}`)
    const missing = missingOf(value, schema.get('required'))
    if (missing.length === 1) this.#say(`missing property ${listed(missing)}`)
    if (missing.length > 1) this.#say(`missing properties ${listed(missing)}`)
    this.#dependencies(schema, value)
    this.#properties(schema, value)
    const { draft } = this.#document
    const names = schema.get('propertyNames')
    if (draft >= 6 && names !== undefined)
      for (const name of value.keys()) {
        const causes = ungrouped(new Visit(this.#document, names, this.#base, name, [], this).run())
        if (causes.length > 0) this.#say(`invalid propertyName ${apostrophed(name)}`, causes)
      }
    if (draft >= 2019) this.#dependents(schema, value)
  }

  #dependencies(schema: Dict, value: Dict): void {
    const dependencies = schema.get('dependencies')
    if (!isDict(dependencies)) return
    for (const [name, dependency] of dependencies) {
      if (!value.has(name)) continue
      if (!isList(dependency)) this.#found.push(...this.#same(dependency))
      else this.#missing(name, missingOf(value, dependency))
    }
  }

  #dependents(schema: Dict, value: Dict): void {
    const [schemas, required] = [schema.get('dependentSchemas'), schema.get('dependentRequired')]
    if (isDict(schemas)) for (const [name, one] of schemas) if (value.has(name)) this.#found.push(...this.#same(one))
    if (isDict(required)) for (const [name, names] of required) if (value.has(name)) this.#missing(name, missingOf(value, names))
  }

  #missing(name: string, missing: readonly string[]): void {
    if (missing.length > 0) this.#say(`properties ${listed(missing)} required, if ${apostrophed(name)} exists`)
  }

  #properties(schema: Dict, value: Dict): void {
    const [properties, patterns, rest] = [
      schema.get('properties'),
      schema.get('patternProperties'),
      schema.get('additionalProperties'),
    ]
    const matchers = isDict(patterns) ? [...patterns].map(([source, one]) => [pattern(source), one] as const) : []
    const additional: string[] = []
    for (const [name, item] of value) {
      let seen = false
      const own = isDict(properties) ? properties.get(name) : undefined
      if (own !== undefined) {
        seen = true
        this.#found.push(...this.#inner(own, item, name))
      }
      for (const [matcher, one] of matchers)
        if (matcher.matches(name)) {
          seen = true
          this.#found.push(...this.#inner(one, item, name))
        }
      if (!seen && rest !== undefined) {
        seen = true
        if (rest === false) additional.push(name)
        else if (rest !== true) this.#found.push(...this.#inner(rest, item, name))
      }
      if (seen) this.#seen.add(name)
    }
    if (additional.length > 0) this.#say(`additional properties ${listed(additional)} not allowed`)
  }

  #array(schema: Dict, value: List): void {
    const count = value.length
    const [least, most] = [schema.get('minItems'), schema.get('maxItems')]
    if (isNumber(least) && count < plainNumber(least)) this.#say(`minItems: got ${counted(count)}, want ${countedValue(least)}`)
    if (isNumber(most) && count > plainNumber(most)) this.#say(`maxItems: got ${counted(count)}, want ${countedValue(most)}`)
    if (schema.get('uniqueItems') === true) this.#unique(value)
    if (this.#document.draft < 2020) this.#items(schema.get('items'), schema.get('additionalItems'), value)
    else this.#items2020(schema.get('prefixItems'), schema.get('items'), value)
    if (this.#document.draft >= 6 && schema.get('contains') !== undefined) this.#contains(schema, value)
  }

  #unique(value: List): void {
    const byText = new Map<string, number[]>()
    for (const [at, item] of value.entries()) {
      const key = isNumber(item) ? 'number' : typeof item === 'string' ? `s${item}` : typeName(item)
      // Each is compared with all before it.
      this.#steps.count += (byText.get(key)?.length ?? 0) >> 3
      if (this.#steps.count > mostSteps) throw new SchemaError('uniqueItems of so many items takes too long')
      const twin = (byText.get(key) ?? []).find(other => isSame(value[other] as Value, item))
      if (twin !== undefined) {
        this.#say(`items at ${counted(twin)} and ${counted(at)} are equal`)
        return
      }
      byText.set(key, [...(byText.get(key) ?? []), at])
    }
  }

  #each(schema: Value, value: List, from: number): void {
    for (let at = from; at < value.length; at++) {
      this.#found.push(...this.#inner(schema, value[at] as Value, String(at)))
      this.#seen.add(String(at))
    }
  }

  #items(items: Value | undefined, rest: Value | undefined, value: List): void {
    if (items === undefined) return
    if (!isList(items)) {
      this.#each(items, value, 0)
      return
    }
    const count = this.#prefix(items, value)
    if (rest === false && count !== value.length) this.#say(`last ${counted(value.length - count)} additionalItem(s) not allowed`)
    else if (rest !== undefined && typeof rest !== 'boolean') this.#each(rest, value, count)
  }

  #prefix(schemas: List, value: List): number {
    const count = Math.min(schemas.length, value.length)
    for (let at = 0; at < count; at++) {
      this.#found.push(...this.#inner(schemas[at] as Value, value[at] as Value, String(at)))
      this.#seen.add(String(at))
    }
    return count
  }

  #items2020(prefix: Value | undefined, items: Value | undefined, value: List): void {
    const count = isList(prefix) ? this.#prefix(prefix, value) : 0
    if (items !== undefined) this.#each(items, value, count)
  }

  #contains(schema: Dict, value: List): void {
    const causes: Violation[] = []
    const matched: number[] = []
    for (const [at, item] of value.entries()) {
      const found = this.#inner(schema.get('contains') as Value, item, String(at))
      if (found.length > 0) causes.push(...found)
      else matched.push(at)
    }
    const { draft } = this.#document
    if (draft >= 2020) for (const at of matched) this.#seen.add(String(at))
    // The older drafts know neither word, and take no notice of them.
    const [least, most] = draft >= 2019 ? [schema.get('minContains'), schema.get('maxContains')] : []
    const places = matched.join(' ')
    if (isNumber(least)) {
      const got = matched.length === 0 ? 'none matched' : `matched ${counted(matched.length)} items at ${places}`
      if (matched.length < plainNumber(least))
        this.#say(`min ${countedValue(least)} items required to match contains schema, but ${got}`, causes)
    } else if (matched.length === 0) this.#say('no items match contains schema', causes)
    if (isNumber(most) && matched.length > plainNumber(most))
      this.#say(
        `max ${countedValue(most)} items required to match contains schema, but matched ${counted(matched.length)} items at ${places}`,
      )
  }

  #text(schema: Dict, value: string): void {
    const [least, most, source] = [schema.get('minLength'), schema.get('maxLength'), schema.get('pattern')]
    const length = least === undefined && most === undefined ? 0 : [...value].length
    if (isNumber(least) && length < plainNumber(least))
      this.#say(`minLength: got ${counted(length)}, want ${countedValue(least)}`)
    if (isNumber(most) && length > plainNumber(most)) this.#say(`maxLength: got ${counted(length)}, want ${countedValue(most)}`)
    if (typeof source === 'string' && !pattern(source).matches(value))
      this.#say(`${apostrophed(value)} does not match pattern ${apostrophed(source)}`)
  }

  #number(schema: Dict, value: number | Int): void {
    const limits = [
      ['minimum', 'exclusiveMinimum', -1],
      ['maximum', 'exclusiveMaximum', 1],
    ] as const
    for (const [name, exclusive, sign] of limits) {
      const flag = schema.get(exclusive)
      const limit = schema.get(name)
      const strict = flag === true ? limit : flag
      if (flag !== true && isNumber(limit) && compare(value, limit) * sign > 0) this.#say(`${name}: ${gotWant(value, limit)}`)
      if (isNumber(strict) && compare(value, strict) * sign >= 0) this.#say(`${exclusive}: ${gotWant(value, strict)}`)
    }
    const factor = schema.get('multipleOf')
    if (isNumber(factor) && !isMultiple(value, factor)) this.#say(`multipleOf: ${gotWant(value, factor)}`)
  }

  #conditions(schema: Dict): void {
    const not = schema.get('not')
    if (not !== undefined && this.#same(not).length === 0) this.#say("'not' failed")
    const [all, any, one] = [schema.get('allOf'), schema.get('anyOf'), schema.get('oneOf')]
    if (isList(all)) {
      const causes = all.flatMap(each => this.#same(each))
      if (causes.length > 0) this.#say("'allOf' failed", causes)
    }
    if (isList(any)) this.#any(any)
    if (isList(one)) this.#one(one)
    if (this.#document.draft >= 7 && schema.get('if') !== undefined) this.#branch(schema)
  }

  #any(schemas: List): void {
    const causes: Violation[] = []
    let matched = false
    for (const schema of schemas) {
      const found = this.#same(schema)
      if (found.length > 0) causes.push(...found)
      else matched = true
    }
    if (!matched) this.#say("'anyOf' failed", causes)
  }

  #one(schemas: List): void {
    const causes: Violation[] = []
    let matched = -1
    for (const [at, schema] of schemas.entries()) {
      const found = this.#same(schema)
      if (found.length > 0) causes.push(...found)
      else if (matched < 0) matched = at
      else {
        this.#say(`'oneOf' failed, subschemas ${matched}, ${at} matched`)
        return
      }
    }
    if (matched < 0) this.#say("'oneOf' failed, none matched", causes)
  }

  #branch(schema: Dict): void {
    const holds = this.#same(schema.get('if') as Value).length === 0
    const branch = schema.get(holds ? 'then' : 'else')
    if (branch !== undefined) this.#found.push(...this.#same(branch))
  }

  #unevaluated(schema: Dict): void {
    const [properties, items] = [schema.get('unevaluatedProperties'), schema.get('unevaluatedItems')]
    const left: (readonly [string, Value])[] = []
    if (isDict(this.#value) && properties !== undefined) left.push(...this.#value)
    if (isList(this.#value) && items !== undefined)
      left.push(...[...this.#value.entries()].map(([at, item]) => [String(at), item] as const))
    const rest = (isDict(this.#value) ? properties : items) ?? true
    for (const [name, item] of left) {
      if (this.#seen.has(name)) continue
      this.#found.push(...this.#inner(rest, item, name))
      this.#seen.add(name)
    }
  }
}

/** Several violations of one subschema are told as one that groups them. */
function grouped(found: readonly Violation[], at: readonly string[]): readonly Violation[] {
  return found.length > 1 ? [{ at, what: 'validation failed', causes: found, isReference: false, isGroup: true }] : found
}

/** At the top and behind a reference a group's own line is left out. */
function ungrouped(found: readonly Violation[]): readonly Violation[] {
  const [only] = found
  return found.length === 1 && only?.isGroup === true ? only.causes : found
}

function typesOf(type: Value | undefined): string[] {
  const given = isList(type) ? type : [type]
  return typeOrder.filter(name => given.includes(name))
}

const typeOrder = ['null', 'boolean', 'number', 'integer', 'string', 'array', 'object']

function typeName(value: Value): string {
  if (value === null) return 'null'
  if (isDict(value)) return 'object'
  if (isList(value)) return 'array'
  return isNumber(value) ? 'number' : typeof value
}

function isOfType(value: Value, type: string): boolean {
  return typeName(value) === type || (type === 'integer' && isNumber(value) && isInteger(value))
}

/** JSON's equality: 1 is 1.0. */
function isSame(a: Value, b: Value): boolean {
  if (isNumber(a) || isNumber(b)) return isNumber(a) && isNumber(b) && compare(a, b) === 0
  if (isList(a)) return isList(b) && a.length === b.length && a.every((item, at) => isSame(item, b[at] as Value))
  if (isDict(a))
    return isDict(b) && a.size === b.size && [...a].every(([key, item]) => b.has(key) && isSame(item, b.get(key) as Value))
  return a === b
}

function choiceText(choices: List): string {
  if (choices.some(choice => isDict(choice) || isList(choice))) return "'enum' failed"
  return choices.length === 1
    ? `value must be ${shown(choices[0] ?? null)}`
    : `value must be one of ${choices.map(shown).join(', ')}`
}

function missingOf(value: Dict, required: Value | undefined): string[] {
  return isList(required) ? required.filter(name => typeof name === 'string').filter(name => !value.has(name)) : []
}

function counted(count: number): string {
  return thousands(String(count))
}

function countedValue(value: number | Int): string {
  return counted(plainNumber(value))
}

function gotWant(got: number | Int, want: number | Int): string {
  const near = (value: number | Int): number => {
    const { above, below } = fractionOf(value)
    return value instanceof Int ? Number(above) / Number(below) : value
  }
  return `got ${numberText(near(got))}, want ${numberText(near(want))}`
}

function pattern(source: string): { matches(text: string): boolean } {
  try {
    return compile(source)
  } catch (cause) {
    if (!(cause instanceof PatternError)) throw cause
    throw new SchemaError(`invalid regex ${JSON.stringify(source)}: ${cause.message}`)
  }
}

function patternProblem(source: string): string {
  try {
    compile(source)
    return ''
  } catch (cause) {
    return (cause as Error).message
  }
}
