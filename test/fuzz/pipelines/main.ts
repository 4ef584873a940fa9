// `npm run fuzz:renderer`, pipelines through all functions: executed by Go and by us, from a first seed on, as many as asked.
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { goFunctions } from '../../../renderer/functions/go.js'
import type { Call } from '../../../renderer/functions/signature.js'
import { builtins, ExecError, execute, Namespace, ParseError, parse, Rendering } from '../../../renderer/gotemplate/index.js'
import { defaultLimits, Meter } from '../../../renderer/limits.js'
import { noted } from '../../support/go-values.js'
import { goValue } from '../templates/compare.js'
import { data, makeTemplate } from './generate.js'

interface Answer {
  readonly out?: string
  readonly err?: string
}

const functions = new Map([...builtins, ...goFunctions])

/** The Go program of the functions' own comparison takes templates too. */
async function askGo(program: string, templates: readonly string[]): Promise<readonly Answer[]> {
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] })
  const answers: Answer[] = []
  const read = (async () => {
    for await (const line of createInterface({ input: child.stdout })) answers.push(JSON.parse(line) as Answer)
  })()
  for (const template of templates) {
    const line = JSON.stringify({ template, data: noted(goValue(data)) }) + '\n'
    if (!child.stdin.write(line)) await new Promise(resolve => child.stdin.once('drain', resolve))
  }
  child.stdin.end()
  await read
  return answers
}

function askOurs(template: string): Answer {
  try {
    const file = parse('t', template, functions)
    const rendering = new Rendering(new Meter({ ...defaultLimits, steps: 100_000 }), 'zero')
    return { out: execute(new Namespace(), file.main, goValue(data), { meter: rendering.meter } as Call, rendering) }
  } catch (error) {
    const message = (error as Error).message
    return { err: error instanceof ExecError || error instanceof ParseError ? message : `defect: ${(error as Error).stack}` }
  }
}

function isSame(go: Answer, ours: Answer): boolean {
  const clean = (text = '') => text.replace(/\p{Surrogate}/gu, '\ufffd')
  return /0x[0-9a-f]{9,}/.test(`${go.out}${go.err}`) || (clean(go.out) === clean(ours.out) && clean(go.err) === clean(ours.err))
}

const [first = '0', count = '20000'] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'slipway-fuzz-'))
const program = join(folder, 'functions')
execFileSync('go', ['build', '-o', program, '.'], { cwd: resolve('test/fuzz/functions'), stdio: 'inherit' })
const templates = Array.from({ length: Number(count) }, (_, at) => makeTemplate(Number(first) + at))
const answers = await askGo(program, templates)
rmSync(folder, { recursive: true, force: true })

let different = 0
for (const [at, template] of templates.entries()) {
  const go = answers[at] ?? { err: 'no answer' }
  const ours = askOurs(template)
  if (isSame(go, ours) || ++different > 20) continue
  console.log(`seed ${Number(first) + at} ${template}\ngo:   ${JSON.stringify(go)}\nours: ${JSON.stringify(ours)}`.slice(0, 2000))
}
const failed = answers.filter(answer => answer.err !== undefined).length
console.log(`${templates.length} pipelines, ${failed} of them errors in Go; ${different} divergences`)
process.exitCode = different > 0 ? 1 : 0
