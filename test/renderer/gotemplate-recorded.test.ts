// Templates made up at random against what Go's text/template answered when it was asked (test/fuzz/templates).
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type Answer, askOurs, difference } from '../fuzz/templates/compare.js'
import type { Case } from '../fuzz/templates/generate.js'

const folder = join(dirname(fileURLToPath(import.meta.url)), '../../../test/renderer')

/** Made up at random (`recorded`, written anew by test/fuzz/templates/record.ts), and what differed when real charts were compared. */
const cases = ['gotemplate-recorded.jsonl', 'gotemplate-found.jsonl'].flatMap(name =>
  readFileSync(join(folder, name), 'utf8')
    .split('\n')
    .flatMap(line => (line === '' ? [] : [JSON.parse(line) as Case & { readonly go: Answer }])),
)

t.test('templates write and fail as Go recorded it', async t => {
  t.ok(cases.length > 400, 'the table is whole')

  for (const [at, one] of cases.entries()) t.equal(difference(one.go, askOurs(one)), undefined, `line ${at + 1}`)
})
