// `npm run fuzz:renderer`, first part: templates executed by Go and by us, from a first seed on, as many as asked.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { askGo, askOurs, difference } from './compare.js'
import { type Case, makeCase } from './generate.js'

const [first = '0', count = '20000'] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'slipway-fuzz-'))
const program = join(folder, 'templates')
execFileSync('go', ['build', '-o', program, '.'], { cwd: resolve('test/fuzz/templates'), stdio: 'inherit' })
const cases: readonly Case[] = Array.from({ length: Number(count) }, (_, at) => makeCase(Number(first) + at))
const answers = await askGo(program, cases)
rmSync(folder, { recursive: true, force: true })

let different = 0
let failed = 0
for (const [at, one] of cases.entries()) {
  const go = answers[at] ?? { err: 'no answer' }
  if (go.err !== undefined) failed++
  const found = difference(go, askOurs(one))
  if (found === undefined) continue
  if (++different <= 20)
    console.log(`seed ${Number(first) + at} ${JSON.stringify(one)}`.slice(0, 2000), `\n${found.slice(0, 2000)}\n`)
}
console.log(`${cases.length} templates, ${failed} of them errors in Go; ${different} divergences`)
process.exitCode = different > 0 ? 1 : 0
