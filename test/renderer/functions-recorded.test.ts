// Every template function against what Go answered: calls recorded from Sprig's and Helm's own functions (test/fuzz/functions).
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type Answer, askOurs, difference } from '../fuzz/functions/compare.js'
import type { Case } from '../fuzz/functions/generate.js'

const folder = join(dirname(fileURLToPath(import.meta.url)), '../../../test/renderer')

type Recorded = Case & { readonly go: Answer }

function read(file: string): readonly Recorded[] {
  const text = readFileSync(join(folder, file), 'utf8')
  return text.split('\n').flatMap(line => (line === '' ? [] : [JSON.parse(line) as Recorded]))
}

function differing(cases: readonly Recorded[]): readonly unknown[] {
  return cases.flatMap(each => {
    const ours = askOurs(each)
    const differs = difference(each, each.go, ours)
    return differs === undefined ? [] : [{ ...each, ours, differs }]
  })
}

t.test('functions answer as Go recorded it', async t => {
  const cases = read('functions-recorded.jsonl')
  t.ok(cases.length > 1_000, 'the table is whole')
  t.same(differing(cases), [])
})

t.test('what differed once, or was hard to get, is as in Go', async t => {
  const cases = read('functions-found.jsonl')
  t.ok(cases.length >= 50, 'the table is whole')
  t.same(differing(cases), [])
})
