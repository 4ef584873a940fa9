// `npm run fuzz:charts FOLDER...`: every chart under the folders, with many values, rendered by the `helm` on PATH and by us.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dump } from 'js-yaml'
import type { ChartFile } from '../../../renderer/chart/archive.js'
import { HelmFailure, helmTemplate } from '../../../renderer/helm/template.js'
import { requestOf } from '../../support/helm-flags.js'
import { byName, chartsUnder, filesOf, makeWhole } from './gather.js'
import { variantsOf } from './values.js'

type Answer = { readonly text: string } | { readonly error: string }

const flags = ['--kube-version', '1.33.0']

function askHelm(chart: string, values: readonly string[]): Answer {
  const args = ['template', 'rel', chart, '--namespace', 'demo', ...flags, ...values.flatMap(file => ['-f', file])]
  const { status, stdout, stderr } = spawnSync('helm', args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, TZ: 'UTC' },
  })
  return status === 0 ? { text: stdout } : { error: stderr }
}

function askOurs(files: readonly ChartFile[], values: readonly string[]): Answer {
  const valueFiles = values.map(name => ({ name, bytes: readFileSync(name) }))
  const chance = { random: (count: number) => randomBytes(count), now: Date.now() }
  const place = { name: 'rel', namespace: 'demo', limits: { secrets: 10_000 } }
  try {
    return { text: helmTemplate({ ...requestOf(flags), ...place, chart: { files }, valueFiles, chance }).text }
  } catch (cause) {
    return { error: cause instanceof HelmFailure ? `Error: ${cause.message}` : `defect: ${(cause as Error).stack}` }
  }
}

/** The first difference, or undefined. Lines that Helm writes differently each time (`again`) may hold anything. */
function difference(helm: Answer, ours: Answer, again: () => Answer): string | undefined {
  if ('error' in helm !== 'error' in ours) return `helm: ${JSON.stringify(helm)}\nours: ${JSON.stringify(ours)}`
  if ('error' in helm && 'error' in ours) {
    // Helm warns on the same stream before, hints after, and lists several violations of a schema in random order.
    const [theirs, own] = [linesOf(helm.error), linesOf(ours.error)]
    const isSame =
      own.every(line => theirs.includes(line)) && theirs.every(line => !line.startsWith('Error: ') || own.includes(line))
    return isSame ? undefined : `helm: ${helm.error}\nours: ${ours.error}`
  }
  const [wanted, got] = [textOf(helm), textOf(ours)]
  if (wanted === got) return undefined
  const others = [again(), again()].map(answer => textOf(answer).split('\n'))
  const lines = got.split('\n')
  const at = wanted.split('\n').findIndex((line, at) => line !== lines[at] && others.every(other => other[at] === line))
  return at < 0 ? undefined : `line ${at + 1}\nhelm: ${wanted.split('\n')[at]}\nours: ${lines[at]}`
}

const textOf = (answer: Answer): string => ('text' in answer ? answer.text : '')
const linesOf = (text: string): readonly string[] => text.split('\n').map(line => line.trimEnd())

const folders = process.argv.slice(2)
if (folders.length === 0 || spawnSync('helm', ['version']).status !== 0) {
  console.log('fuzz:charts: name folders that hold charts; the helm to compare with must be on PATH. Nothing was compared')
  process.exit(2)
}
const charts = folders.flatMap(folder => chartsUnder(folder))
const known = byName(charts)
const work = mkdtempSync(join(tmpdir(), 'slipway-fuzz-'))
const counts = { charts: 0, incomplete: 0, cases: 0, errors: 0, different: 0 }
for (const chart of charts) {
  const target = join(work, 'chart')
  const missing = makeWhole(chart, target, known)
  counts[missing === undefined ? 'charts' : 'incomplete']++
  if (missing === undefined) compare(chart, target)
}
rmSync(work, { recursive: true, force: true })
console.log(JSON.stringify(counts))
process.exitCode = counts.different > 0 ? 1 : 0

function compare(chart: string, target: string): void {
  const files = filesOf(target)
  for (const { id, file, values } of variantsOf(target)) {
    const made = join(work, 'values.yaml')
    if (values !== undefined) writeFileSync(made, dump(values))
    const given = file !== undefined ? [file] : values !== undefined ? [made] : []
    const helm = askHelm(target, given)
    const found = difference(helm, askOurs(files, given), () => askHelm(target, given))
    counts.cases++
    if ('error' in helm) counts.errors++
    if (found === undefined) continue
    counts.different++
    console.log(`${chart}, ${id}: ${found}`.slice(0, 3_000))
  }
}
