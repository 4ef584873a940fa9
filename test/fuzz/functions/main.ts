// `npm run fuzz:renderer`, template functions: called by Go and by us, from a first seed on, as many as asked. Arguments: seed, count, names.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { askGo, askOurs, difference, known } from './compare.js'
import { type Case, makeCase, names } from './generate.js'

const [first = '0', count = '20000', only] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'slipway-fuzz-'))
const program = join(folder, 'functions')
execFileSync('go', ['build', '-o', program, '.'], { cwd: resolve('test/fuzz/functions'), stdio: 'inherit' })
const chosen = (only?.split(',') ?? names).filter(known)
const cases: readonly Case[] = Array.from({ length: Number(count) }, (_, at) => makeCase(Number(first) + at, chosen))
const answers = await askGo(program, cases)
rmSync(folder, { recursive: true, force: true })

let different = 0
let failed = 0
for (const [at, one] of cases.entries()) {
  const go = answers[at] ?? { err: 'no answer' }
  if (go.err !== undefined) failed++
  const ours = askOurs(one)
  const found = difference(one, go, ours)
  if (found === undefined || ++different > 20) continue
  console.log(`seed ${Number(first) + at}: ${found}: ${JSON.stringify(one)}`.slice(0, 1500))
  console.log(`  Go   ${JSON.stringify(go)}`.slice(0, 1000), `\n  ours ${JSON.stringify(ours)}`.slice(0, 1000))
}
console.log(`${cases.length} calls of ${chosen.length} functions, ${failed} of them errors in Go; ${different} divergences`)
process.exitCode = different > 0 ? 1 : 0
