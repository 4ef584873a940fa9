// Templates made up at random against what Go's text/template answered when it was asked (test/fuzz/templates).
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type Answer, askOurs, difference } from '../fuzz/templates/compare.js'
import type { Case } from '../fuzz/templates/generate.js'

const file = join(dirname(fileURLToPath(import.meta.url)), '../../../test/renderer/gotemplate-recorded.jsonl')

t.test('templates write and fail as Go recorded it', async t => {
  const cases = readFileSync(file, 'utf8')
    .split('\n')
    .flatMap(line => (line === '' ? [] : [JSON.parse(line) as Case & { readonly go: Answer }]))
  t.ok(cases.length > 400, 'the table is whole')

  for (const [at, one] of cases.entries()) t.equal(difference(one.go, askOurs(one)), undefined, `line ${at + 1}`)
})
