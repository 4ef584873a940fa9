// Every chart of the corpus against what the real `helm template` printed: 213 charts, 554 cases, byte for byte.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { ChartFile } from '../../renderer/chart/archive.js'
import { walked } from '../../renderer/chart/load.js'
import type { Surroundings } from '../../renderer/helm/engine.js'
import { HelmFailure, helmTemplate, type TemplateRequest } from '../../renderer/helm/template.js'
import { StickyBook } from '../../renderer/sticky.js'
import { formatted } from '../../renderer/value/format.js'
import type { Value } from '../../renderer/value/value.js'
import { requestOf } from '../support/helm-flags.js'
import { referenceDir } from '../support/reference.js'

interface CorpusCase {
  readonly id: string
  readonly chart: string
  readonly directory: string
  readonly form: 'directory' | 'archive'
  readonly release: string
  readonly namespace: string
  readonly values: readonly string[]
  readonly args: readonly string[]
  readonly golden?: string
  readonly differingLines?: readonly (number | readonly [number, number])[]
  readonly error?: string
}

/** Cases that differ and may, each for its reason. Such a case is rendered all the same, and must differ. */
const pins: Readonly<Record<string, string>> = {}

const corpus = referenceDir('corpus')
const chance = { random: (count: number) => randomBytes(count), now: Date.now() }
const minted = new Map<string, Value>()

/** Keys take most of the time, and lines with them are masked: those of one kind are made once, for all cases. */
function sparing(book: StickyBook): Surroundings {
  return {
    lookup: (...question) => book.lookup(...question),
    sticky: (name, args, mint, siteOf) => book.sticky(name, args, by => mintedOnce(name, args, () => mint(by)), siteOf),
  }
}

function mintedOnce(name: string, args: readonly Value[], mint: () => Value): Value {
  if (!name.startsWith('gen')) return mint()
  const key = JSON.stringify([name, args.map(arg => formatted('%v', arg))])
  const made = minted.get(key) ?? mint()
  minted.set(key, made)
  return made
}

/** Unpacked charts. */
const kept = new Map<string, readonly ChartFile[]>()

if (corpus === null) {
  console.error('SKIPPED: the chart corpus (../shared/corpus) is not here: 554 cases are not compared')
  t.pass('SKIPPED: the chart corpus is not here')
} else {
  const cases = JSON.parse(readFileSync(join(corpus, 'cases.json'), 'utf8')) as readonly CorpusCase[]
  const unpacked = mkdtempSync(join(tmpdir(), 'corpus-'))
  t.teardown(() => rmSync(unpacked, { recursive: true, force: true }))
  t.equal(cases.length, 554)
  unpackAll([...new Set(cases.filter(({ form }) => form === 'directory').map(({ chart }) => chart))], corpus, unpacked)
  for (const one of cases) {
    const problem = problemOf(one, corpus, unpacked)
    const pin = pins[one.id]
    if (pin === undefined) t.equal(problem, '', one.id)
    else t.not(problem, '', `${one.id} (pinned: ${pin})`)
  }
}

function problemOf(one: CorpusCase, corpus: string, unpacked: string): string {
  try {
    const request = requestFor(one, corpus, unpacked)
    const text = (one.differingLines ?? []).length === 0 ? helmTemplate(request).text : repeated(request)
    if (one.error !== undefined) return `rendered, but should fail: ${one.error}`
    const wanted = gunzipSync(readFileSync(join(corpus, one.golden ?? ''))).toString('latin1')
    const got = Buffer.from(text).toString('latin1')
    return wanted === got
      ? ''
      : difference(wanted.split('\n'), got.split('\n'), new Set((one.differingLines ?? []).flatMap(numbers)))
  } catch (cause) {
    if (!(cause instanceof HelmFailure)) return `${(cause as Error).stack}`
    const lines = `Error: ${cause.message}`.split('\n')
    if (one.error === undefined) return lines.join('\n')
    // Helm lists several violations of a schema in random order.
    const lost = one.error.split('\n').find(line => !lines.includes(line))
    return lost === undefined ? '' : `expected ${lost} in ${lines.join('\n')}`
  }
}

/**
 * Of a chart that gives something else each time: as an application renders it, then once more with what was kept and nothing to make
 * more of. Throws where that differs.
 */
function repeated(request: TemplateRequest): string {
  const none = () => {
    throw new Error('something was made anew')
  }
  const first = new StickyBook({ salt: 'corpus', values: {}, answers: {} }, request.chance)
  const { text } = helmTemplate({ ...request, surroundings: sparing(first) })
  const values = Object.fromEntries(Object.entries(first.touched().minted).map(([key, { value }]) => [key, value]))
  const second = new StickyBook({ salt: 'corpus', values, answers: {} }, { random: none, now: Number.NaN })
  const again = helmTemplate({ ...request, limits: {}, surroundings: second }).text
  const [before, after] = [text.split('\n'), again.split('\n')]
  const at = before.findIndex((line, index) => line !== after[index])
  if (text === again) return text
  throw new Error(`rendered again, line ${at + 1} is another: ${before[at]}, then ${after[at]}`)
}

function requestFor(one: CorpusCase, corpus: string, unpacked: string): TemplateRequest {
  const chart = one.form === 'archive' ? { archive: readFileSync(join(corpus, one.chart)) } : { files: filesOf(one, unpacked) }
  return {
    ...requestOf(one.args.map(arg => arg.replaceAll('{corpus}', corpus))),
    chart,
    name: one.release,
    namespace: one.namespace,
    valueFiles: one.values.map(name => ({ name, bytes: readFileSync(join(corpus, name)) })),
    chance,
    limits: { secrets: 10_000 },
  }
}

/** In one go: a process for each takes longer than rendering. */
function unpackAll(charts: readonly string[], corpus: string, target: string): void {
  const each = 'for chart; do mkdir -p "$0/$chart" && tar xzf "$chart" -C "$0/$chart" || exit 1; done'
  execFileSync('sh', ['-c', each, target, ...charts], { cwd: corpus })
}

/** Links within the archive are followed, as Helm does. */
function filesOf(one: CorpusCase, unpacked: string): readonly ChartFile[] {
  const known = kept.get(one.chart)
  if (known !== undefined) return known
  const root = join(unpacked, one.chart, one.directory)
  const paths: string[] = []
  const walk = (folder: string): void => {
    for (const name of readdirSync(join(root, folder))) {
      const path = folder === '' ? name : `${folder}/${name}`
      if (statSync(join(root, path)).isDirectory()) walk(path)
      else paths.push(path)
    }
  }
  walk('')
  const files = walked(paths).map(name => ({ name, bytes: readFileSync(join(root, name)) }))
  kept.set(one.chart, files)
  return files
}

/** A masked line may hold anything; a masked run of three lines and more (a certificate) may be up to two lines longer or shorter. */
function difference(wanted: readonly string[], got: readonly string[], masked: ReadonlySet<number>): string {
  let shift = 0
  for (let at = 0; at < wanted.length; at++) {
    if (masked.has(at + 1)) {
      const inRun = masked.has(at) && masked.has(at - 1)
      if (inRun && !masked.has(at + 2))
        shift = [0, 1, -1, 2, -2].map(by => shift + by).find(by => wanted[at + 1] === got[at + 1 + by]) ?? shift
    } else if (wanted[at] !== got[at + shift]) return `line ${at + 1}: expected ${wanted[at]} got ${got[at + shift]}`
  }
  return wanted.length + shift === got.length ? '' : `${got.length} lines instead of ${wanted.length}`
}

function numbers(entry: number | readonly [number, number]): number[] {
  if (typeof entry === 'number') return [entry]
  const [first, last] = entry
  return Array.from({ length: last - first + 1 }, (_, offset) => first + offset)
}
