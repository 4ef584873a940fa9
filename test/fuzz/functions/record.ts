// Writes test/renderer/functions-recorded.jsonl anew: what Go answers to some calls of every function. Run with the compiled Go program.
import { writeFileSync } from 'node:fs'
import { askGo, known } from './compare.js'
import { type Case, makeCase, names } from './generate.js'

const [program = '', file = 'test/renderer/functions-recorded.jsonl', each = '6'] = process.argv.slice(2)
const cases: readonly Case[] = names
  .filter(known)
  .flatMap((name, at) => Array.from({ length: Number(each) }, (_, nth) => makeCase(1_000_000 + at * 100 + nth, [name])))
const answers = await askGo(program, cases)
const lines = cases.map((call, at) => JSON.stringify({ ...call, go: answers[at] })).filter(line => line.length < 1_500)
writeFileSync(file, lines.join('\n') + '\n')
