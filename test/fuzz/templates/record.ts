// Writes test/renderer/gotemplate-recorded.jsonl anew: what Go answers to some short templates. Run with the compiled Go program.
import { writeFileSync } from 'node:fs'
import { askGo } from './compare.js'
import { type Case, makeCase } from './generate.js'

const [program = '', file = 'test/renderer/gotemplate-recorded.jsonl', count = '500'] = process.argv.slice(2)
const cases: readonly Case[] = Array.from({ length: Number(count) * 30 }, (_, at) => makeCase(1_000_000 + at)).filter(
  one => JSON.stringify(one).length < 1_200,
)
const answers = await askGo(program, cases)
const lines = cases
  .map((one, at) => JSON.stringify({ ...one, go: answers[at] }))
  .filter(line => line.length < 1_800 && !/0x[0-9a-f]{9,}/.test(line))
// Half of them fail in Go.
const failing = lines.filter(line => line.includes('"go":{"err"')).slice(0, Number(count) / 2)
const writing = lines.filter(line => !line.includes('"go":{"err"')).slice(0, Number(count) / 2)
writeFileSync(file, [...writing, ...failing].join('\n') + '\n')
