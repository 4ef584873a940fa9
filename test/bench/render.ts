// Ten well-known charts: how long until they are rendered, cold, warm and when nothing changed, beside the real Helm in the same run.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type RenderJob, RenderPool } from '../../controller/render/pool.js'
import type { Kept, RenderOptions } from '../../renderer/index.js'
import { Monorepo } from '../support/monorepo.js'
import {
  atLeast,
  atMost,
  type Bench,
  type Figure,
  type Goal,
  type Measured,
  median,
  type Options,
  percentile,
  rounded,
} from './bench.js'
import { type KnownChart, knownCharts, otherCharts } from './render/charts.js'
import { findHelm, type Helm, release } from './render/helm.js'
import { type AloneJob, RenderProcess } from './render/process.js'

const run = promisify(execFile)

export const render: Bench = {
  name: 'render',
  about: 'ten well-known charts: cold, warm and unchanged, beside `helm template` and beside its packages in-process',
  run: measure,
}

/** Rounds that are not counted: the renderer's and Helm's process alike have read everything once. */
const before = 3
/** Charts that make keys take seconds where none are kept: measured so often. */
const mintRuns = 3
/** A busy machine ends no render, ms. */
const patience = 120_000

const measures = [
  'coldMs',
  'freshMs',
  'warmMs',
  'renamedMs',
  'pooledMs',
  'cachedMs',
  'programMs',
  'helmProcessMs',
  'helmInProcessMs',
] as const
type Measure = (typeof measures)[number]

/** By measure, then by chart. */
type Found = { readonly [M in Measure]: ReadonlyMap<string, number[]> }

interface Stage {
  readonly charts: readonly KnownChart[]
  readonly others: readonly KnownChart[]
  readonly helm: Helm
  readonly found: Found
  readonly valueFile: string
  readonly options: Options
  readonly signal: AbortSignal
}

async function measure(options: Options, signal: AbortSignal): Promise<Measured> {
  const charts = knownCharts()
  if (charts === null)
    throw new Error('the chart corpus (../shared/corpus) is not beside this checkout: there is nothing to render')
  const began = Date.now()
  const directory = mkdtempSync(join(tmpdir(), 'slipway-bench-'))
  const helm = await findHelm(options.say)
  const found = Object.fromEntries(
    measures.map(name => [name, new Map(charts.map(chart => [chart.name, [] as number[]] as const))] as const),
  ) as unknown as Found
  const stage: Stage = { charts, others: otherCharts(), helm, found, valueFile: join(directory, 'values.yaml'), options, signal }
  let thousand: Figure = null
  try {
    await besideEachOther(stage)
    await unchanged(stage)
    thousand = await ofOneChart(stage)
  } finally {
    helm.close()
    rmSync(directory, { recursive: true, force: true })
  }
  return told(stage, thousand, Math.round((Date.now() - began) / 1000))
}

/** Chart by chart, everything that is compared right after each other: what else the machine does meets all of them. */
async function besideEachOther(stage: Stage): Promise<void> {
  const { charts, options, signal } = stage
  const alone = new RenderProcess()
  const pool = renderPool()
  const kept = new Map<string, Kept>()
  try {
    for (let number = 1 - before; number <= options.runs; number++) {
      await cold(stage, number)
      for (const chart of charts) {
        signal.throwIfAborted()
        await once(stage, { chart, number, alone, pool, kept })
      }
      if (number > 0) options.say(`  ${number}: ${charts.map(({ name }) => `${name} ${lastOf(stage, name)}`).join(', ')}`)
    }
  } finally {
    alone.close()
    pool.close()
  }
}

interface Turn {
  readonly chart: KnownChart
  /** Of the round; what is rendered differs by it. */
  readonly number: number
  readonly alone: RenderProcess
  readonly pool: RenderPool
  /** By chart: what the renders through the pool minted. */
  readonly kept: Map<string, Kept>
}

async function once(stage: Stage, { chart, number, alone, pool, kept }: Turn): Promise<void> {
  const { helm, valueFile, signal } = stage
  const values = chart.values(number + before)
  writeFileSync(valueFile, values)
  const keep = (name: Measure, ms: number | null) => {
    if (number > 0 && ms !== null) stage.found[name].get(chart.name)?.push(ms)
  }
  // What mints takes seconds where nothing is kept; with what is kept it is measured as often as the others.
  const mints = chart.mints && number > mintRuns
  if (!mints) {
    keep('helmProcessMs', await helm.template(chart, valueFile))
    keep('programMs', await took(() => program(chart, valueFile)))
    keep('freshMs', await fresh(chart, number, signal))
    keep('helmInProcessMs', await helm.inProcess(chart, values))
  }
  keep('warmMs', await alone.render(chart.name, aloneJob(chart, number)))
  if (!chart.mints) keep('renamedMs', await alone.render(chart.name, aloneJob(chart, number, `rel-${number + before}`)))
  const waited = await pooled(pool, chart, number, kept.get(chart.name) ?? nothingKept, signal)
  kept.set(chart.name, waited.kept)
  keep('pooledMs', waited.ms)
}

/** `slipway render`, from its start to its end. */
async function program({ archive }: KnownChart, valueFile: string): Promise<void> {
  const { name, namespace, kubeVersion } = release
  const args = ['render', name, archive, '--namespace', namespace, '--kube-version', kubeVersion, '-f', valueFile]
  await run(process.execPath, ['build/controller/cli/main.js', ...args], { maxBuffer: 1 << 28 })
}

/** The child of the product, as `npm run compile` packs it. */
function renderPool(): RenderPool {
  return new RenderPool({ timeoutMs: patience, program: join('build', 'lean', 'render', 'start.cjs') })
}

/** In a render child that has started and read one plain file: as after a webhook, which starts the child beside the fetch. */
async function fresh(chart: KnownChart, number: number, signal: AbortSignal): Promise<number> {
  const pool = renderPool()
  try {
    await pool.run({ files: [], options: jobOf(chart, number).options, kept: nothingKept }, signal)
    return (await pooled(pool, chart, number, nothingKept, signal)).ms
  } finally {
    pool.close()
  }
}

/** How often a child has rendered each of the charts of other applications before: a controller's child, while it lives. */
const othersBefore = 4

/** Each chart for the first time, load and parse included, in a child that has rendered other charts. */
async function cold({ charts, others, found, signal }: Stage, number: number): Promise<void> {
  if (number < 1) return
  const pool = renderPool()
  try {
    for (let time = 1; time <= othersBefore; time++)
      for (const other of others) await pooled(pool, other, time, nothingKept, signal)
    for (const chart of charts)
      if (!chart.mints || number <= mintRuns)
        found.coldMs.get(chart.name)?.push((await pooled(pool, chart, number, nothingKept, signal)).ms)
  } finally {
    pool.close()
  }
}

/** Through the pool: ms, and what of it is kept for the next render. */
async function pooled(
  pool: RenderPool,
  chart: KnownChart,
  number: number,
  kept: Kept,
  signal: AbortSignal,
): Promise<{ readonly ms: number; readonly kept: Kept }> {
  const job = { ...jobOf(chart, number), kept }
  const began = performance.now()
  const result = await pool.run(job, signal)
  const ms = performance.now() - began
  if ('killed' in result) throw new Error(`${chart.name}: rendering ${result.killed}`)
  if (result.error !== undefined) throw new Error(`${chart.name}: ${result.error.message}`)
  const minted = Object.entries(result.touched.minted).map(([key, { value }]) => [key, value] as const)
  return { ms, kept: { ...kept, values: { ...kept.values, ...Object.fromEntries(minted) } } }
}

function jobOf(chart: KnownChart, number: number): RenderJob {
  const files = chart.files.map(({ name, bytes }) => {
    const oid = createHash('sha1').update(bytes).digest('hex')
    return [name, { oid, read: async () => bytes }] as const
  })
  return { files, options: optionsOf(chart, number, release.name), kept: nothingKept }
}

function aloneJob(chart: KnownChart, number: number, name = release.name): AloneJob {
  const files = chart.files.map(file => [file.name, file.bytes] as const)
  return { id: chart.name, files, options: optionsOf(chart, number, name) }
}

function optionsOf(chart: KnownChart, number: number, name: string): RenderOptions {
  return {
    directory: { recurse: false, include: '', exclude: '' },
    release: { name, namespace: release.namespace },
    capabilities: { kubeVersion: release.kubeVersion, apiVersions: [] },
    valueFiles: [{ name: 'values.yaml', bytes: Buffer.from(chart.values(number + before)) }],
    ignoreMissingValueFiles: false,
    values: {},
    parameters: [],
  }
}

const nothingKept: Kept = { salt: 'bench', values: {}, answers: {} }

async function took(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await act()
  return performance.now() - began
}

/** A commit that touches none of them: what the controller spends on each before it knows. */
async function unchanged({ charts, found, options, signal }: Stage): Promise<void> {
  options.say(`${options.runs} commits that change none of the charts`)
  const repository = new Monorepo()
  try {
    for (const { name } of charts) repository.declare(name, { path: `apps/${name}` })
    const files = charts.flatMap(chart => chart.files.map(file => [`apps/${chart.name}/${file.name}`, file.bytes] as const))
    await repository.commit(Object.fromEntries(files), signal)
    for (const { name } of charts) await repository.candidate(name, signal)
    for (let number = 1; number <= options.runs; number++) {
      await repository.commit({ 'README.md': `${number}\n` }, signal)
      // The first one after a fetch reads the new root, for all of them.
      await repository.candidate(charts[0]?.name ?? '', signal)
      for (const { name } of charts.slice(1)) found.cachedMs.get(name)?.push(await took(() => repository.candidate(name, signal)))
    }
  } finally {
    await repository.close()
  }
}

const applications = 1000

/** Applications of one chart, each with a value of its own: all for the first time, and after a commit that changes none of them. */
async function ofOneChart({ charts, options, signal }: Stage): Promise<Figure> {
  const [chart] = charts
  if (chart === undefined) return null
  options.say(`${applications} applications of ${chart.name}`)
  const names = Array.from({ length: applications }, (_, index) => `app-${index + 1}`)
  const repository = new Monorepo()
  const all = async () => {
    for (const name of names) await repository.candidate(name, signal)
  }
  try {
    for (const [at, name] of names.entries())
      repository.declare(name, { path: 'chart', helm: { parameters: [{ name: 'replicaCount', value: String(at) }] } })
    await repository.commit(Object.fromEntries(chart.files.map(file => [`chart/${file.name}`, file.bytes] as const)), signal)
    const first = await took(all)
    await repository.commit({ 'README.md': 'another\n' }, signal)
    return { first: rounded(first), unchanged: rounded(await took(all)) }
  } finally {
    await repository.close()
  }
}

function lastOf({ found }: Stage, name: string): string {
  const last = (measure: Measure) => Math.round(found[measure].get(name)?.at(-1) ?? 0)
  return `${last('warmMs')}/${last('coldMs')}/${last('helmInProcessMs')}/${last('helmProcessMs')}`
}

function told({ charts, others, helm, found, options }: Stage, thousandMs: Figure, seconds: number): Measured {
  const of = (measure: Measure, chart: KnownChart) => exact(found[measure].get(chart.name) ?? [])
  const byChart = (value: (chart: KnownChart) => number | null): Figure =>
    Object.fromEntries(charts.map(chart => [chart.name, value(chart)] as const))
  const ratio = (above: Measure, below: Measure) => (chart: KnownChart) => {
    const [a, b] = [of(above, chart), of(below, chart)]
    return a === null || b === null ? null : rounded(a / b)
  }
  const medianOf = (value: (chart: KnownChart) => number | null) => median(charts.flatMap(chart => value(chart) ?? []))
  const [warmer, colder, fresher, inside] = [
    ratio('helmProcessMs', 'warmMs'),
    ratio('helmProcessMs', 'coldMs'),
    ratio('helmProcessMs', 'freshMs'),
    ratio('helmInProcessMs', 'warmMs'),
  ]
  const medians = measures.map(measure => [measure, byChart(chart => shown(of(measure, chart)))] as const)
  const p90 = (['coldMs', 'freshMs', 'warmMs', 'cachedMs', 'helmProcessMs', 'helmInProcessMs'] as const).map(
    measure => [measure.replace('Ms', 'P90Ms'), byChart(chart => percentile(found[measure].get(chart.name) ?? [], 90))] as const,
  )
  return {
    versions: { node: process.versions.node, helm: helm.version },
    figures: {
      ...Object.fromEntries([...medians, ...p90]),
      thousandMs,
      helmProcessOverWarm: byChart(warmer),
      helmProcessOverCold: byChart(colder),
      helmProcessOverFresh: byChart(fresher),
      helmInProcessOverWarm: byChart(inside),
    },
    goals: {
      'helmProcessOverWarm (median chart)': atLeast(10, medianOf(warmer)),
      'helmProcessOverCold (median chart)': atLeast(3, medianOf(colder)),
      ...Object.fromEntries(
        charts
          .filter(chart => chart.mints)
          .map(chart => [`helmProcessOverWarm.${chart.name} (kept keys)`, atLeast(100, warmer(chart))]),
      ),
      ...Object.fromEntries(
        charts.map(chart => [`warmMs.${chart.name}`, besideHelm(of('helmInProcessMs', chart), of('warmMs', chart))]),
      ),
      'cachedMs (median chart)': atMost(
        0.1,
        medianOf(chart => of('cachedMs', chart)),
      ),
    },
    notes: [
      `medians of ${options.runs} rounds after ${before} that do not count (of charts that make keys, where nothing is kept: ${mintRuns}); in a round all ways of rendering a chart follow each other`,
      `coldMs: load and render of a chart that its render child has never seen, through the pool; the child has rendered ${others.length} other charts ${othersBefore} times. freshMs: the same in a child that has just started (a webhook starts it beside the fetch), as after a minute without a push`,
      'warmMs: the chart was rendered before, one value changed, in a process with the flags of a render child, from bytes to objects, with the keys and passwords of its first render kept; renamedMs: with another release name too, which changes nearly every document; pooledMs: warmMs as the controller waits for it, with what is sent to the child and back',
      'cachedMs: a commit that changes other folders of the repository, from the known tip to the candidate; the first application after a fetch also reads the root tree, and is not among them',
      'programMs: `slipway render` from start to end; it is not what Helm is compared with: Slipway starts no process for a render',
      `thousandMs: ${applications} applications of ${charts[0]?.name}, each with a value of its own, one after the other through the pool; unchanged: after a commit that changes none of them`,
      "helmInProcessMs: Helm's packages in a process that goes on living: load, values, schema, templates, order",
      `took ${seconds} s`,
    ],
  }
}

function besideHelm(helm: number | null, own: number | null): Goal {
  return helm === null ? { goal: "<= Helm's packages", value: shown(own), met: false } : atMost(helm, shown(own))
}

function exact(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.ceil(sorted.length / 2) - 1] ?? null
}

/** Times below a millisecond keep three digits. */
function shown(value: number | null): number | null {
  return value === null ? null : value < 1 ? Math.round(value * 10_000) / 10_000 : rounded(value)
}
