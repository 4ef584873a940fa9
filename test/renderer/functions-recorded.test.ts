// Every template function against what Go answered: calls recorded from Sprig's and Helm's own functions (test/fuzz/functions).
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { execute, Namespace, parse, Rendering } from '../../renderer/gotemplate/index.js'
import { helmFunctions } from '../../renderer/helm/functions.js'
import { type Answer, askOurs, difference } from '../fuzz/functions/compare.js'
import type { Case } from '../fuzz/functions/generate.js'
import { structMakers } from '../support/go-structs.js'
import { fromNoted, looseCall } from '../support/go-values.js'

const folder = join(dirname(fileURLToPath(import.meta.url)), '../../../test/renderer')

type Recorded = Case & { readonly go: Answer }

function lines(file: string): readonly unknown[] {
  const text = readFileSync(join(folder, file), 'utf8')
  return text.split('\n').flatMap(line => (line === '' ? [] : [JSON.parse(line)]))
}

function read(file: string): readonly Recorded[] {
  return lines(file) as readonly Recorded[]
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

interface Rendered {
  readonly template: string
  readonly data: unknown
  readonly go: { readonly out?: string; readonly err?: string }
}

t.test('times and versions have the methods that templates call in Go', async t => {
  const cases = lines('functions-methods.jsonl') as readonly Rendered[]
  t.ok(cases.length >= 25, 'the table is whole')
  for (const { template, data, go } of cases) t.same(rendered(template, data), { out: go.out ?? '', err: go.err ?? '' }, template)
})

function rendered(template: string, data: unknown): { readonly out: string; readonly err: string } {
  const call = looseCall()
  try {
    const file = parse('t', template, helmFunctions)
    const templates = new Namespace()
    templates.add(file)
    const rendering = new Rendering(call.meter, 'zero')
    return { out: execute(templates, file.main, fromNoted(data, structMakers), call, rendering), err: '' }
  } catch (error) {
    return { out: '', err: (error as Error).message }
  }
}
