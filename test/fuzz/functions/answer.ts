// Adds Go's answers to calls, one JSON line each, and prints them: a finding becomes a line of test/renderer/functions-found.jsonl.
import { readFileSync } from 'node:fs'
import { askGo } from './compare.js'
import type { Case } from './generate.js'

const [program = '', file = ''] = process.argv.slice(2)
const cases = readFileSync(file, 'utf8')
  .split('\n')
  .flatMap(line => (line === '' ? [] : [JSON.parse(line) as Case]))
const answers = await askGo(program, cases)
for (const [at, each] of cases.entries()) console.log(JSON.stringify({ fn: each.fn, args: each.args, go: answers[at] }))
