// Violations of values.schema.json, as Helm 3.22 prints them (golden/schema.json was recorded from it).
import { readFileSync } from 'node:fs'
import t from 'tap'
import { checkSchema } from '../../renderer/schema/check.js'
import { SchemaDocument, SchemaError } from '../../renderer/schema/document.js'
import { isSurelySchema } from '../../renderer/schema/surely.js'
import { validate } from '../../renderer/schema/validate.js'
import { violationText } from '../../renderer/schema/words.js'
import { JsonReader } from '../../renderer/values/json.js'
import { unmarshalMap } from '../../renderer/yaml/decode.js'

interface SchemaCase {
  readonly schema: unknown
  readonly values: string
  readonly problems: string
}

const cases = JSON.parse(readFileSync('test/renderer/golden/schema.json', 'utf8')) as readonly SchemaCase[]

t.test('what values violate is told as Helm tells it', async t => {
  for (const one of cases) {
    const lines = one.problems.split('\n').filter(line => line !== '' && line !== 'd:')
    t.same(problems(one).sort(), lines.sort(), JSON.stringify(one.schema))
  }
})

t.test('what the schema of its draft refuses is never taken at a glance', async t => {
  const refused = cases.filter(({ problems }) => problems.includes('metaschema'))
  const surely = (schema: unknown) => {
    const read = new JsonReader(JSON.stringify(schema)).value()
    return isSurelySchema(read, new SchemaDocument(read).draft)
  }

  t.ok(refused.length > 40)
  for (const { schema } of refused) t.notOk(surely(schema), JSON.stringify(schema))
  t.ok(surely({ type: 'object', required: ['a'], properties: { a: { enum: ['x'], minLength: 1, pattern: '^x$' } } }))
})

t.test('a schema elsewhere is never fetched', async t => {
  for (const ref of ['https://example.com/x.json', 'http://json-schema.org/draft-07/schema#', 'file:///etc/passwd', '../x.json'])
    t.match(
      problems({ schema: { properties: { a: { $ref: ref } } }, values: 'a: 1' })[0],
      /schemas outside of the chart are not read/,
    )
})

t.test('a draft that nobody knows is not fetched either', async t => {
  const [problem] = problems({ schema: { $schema: 'https://example.com/x' }, values: 'a: 1' })

  t.equal(problem, 'failing loading "https://example.com/x": schemas outside of the chart are not read')
})

t.test('a schema that refers to itself without end is refused', async t => {
  const schema = { properties: { a: { allOf: [{ $ref: '#/$defs/x' }] } }, $defs: { x: { anyOf: [{ $ref: '#/$defs/x' }] } } }

  t.match(problems({ schema, values: 'a: 1' }).join('\n'), /reference cycle/)
})

function problems({ schema, values }: Omit<SchemaCase, 'problems'>): string[] {
  try {
    const read = new JsonReader(JSON.stringify(schema)).value()
    checkSchema(read)
    return violationText(validate(read, unmarshalMap(values)))
      .split('\n')
      .filter(line => line !== '')
  } catch (cause) {
    if (!(cause instanceof SchemaError)) throw cause
    return cause.message.split('\n')
  }
}
