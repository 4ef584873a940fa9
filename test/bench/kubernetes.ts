// A thousand applications on a Kubernetes cluster, from one repository, beside what its API server takes for the same objects sent by a
// bare loop: installing them, a commit that changes one of them, one that changes none, and what they cost while nothing happens.
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startGitServer } from '../../examples/demo/git-server.js'
import { noKubernetes, startKubernetes, type TestCluster } from '../support/kubernetes/server.js'
import { atMost, type Bench, below, type Measured, median, type Options, percentile, rounded } from './bench.js'
import { allHealthy, declareAll, type Fleet, nameOf, openFleet, type Push } from './fleet.js'
import { type Limit, limitOf } from './kubernetes/limit.js'
import { filesOf, lists, namespace } from './kubernetes/objects.js'
import { startInstance } from './push/instance.js'
import { processorPercent, processorSeconds, residentMB } from './push/processes.js'

export const kubernetes: Bench = kubernetesOf([100, 1000])

const idleMs = 60_000

/** Everything is measured with the last of these numbers of applications, of the others the installation only. */
export function kubernetesOf(counts: readonly number[]): Bench {
  return {
    name: 'kubernetes',
    about: `${counts.join(' and ')} applications on a cluster: installed beside a bare loop, one of them changed, memory and idle processor time`,
    run: (options, signal) => measure(counts, options, signal),
  }
}

interface Stage extends Fleet {
  readonly numbers: readonly number[]
  readonly cluster: TestCluster
  readonly push: Push
  readonly options: Options
}

async function measure(counts: readonly number[], options: Options, signal: AbortSignal): Promise<Measured> {
  const missing = await noKubernetes()
  if (missing !== false) throw new Error(missing)
  const began = Date.now()
  const installed: Installed[] = []
  let told: Told | null = null
  for (const [at, count] of counts.entries()) {
    const numbers = Array.from({ length: count }, (_, index) => index + 1)
    options.say(`${count} applications: the bare loop`)
    const limit = await limitOf(numbers)
    await onStage(numbers, options, signal, async stage => {
      installed.push(await install(stage, limit))
      if (at === counts.length - 1) told = await story(stage)
    })
  }
  return measured(installed, told!, `took ${Math.round((Date.now() - began) / 1000)} s`)
}

/** A fresh cluster, a fresh Slipway with default settings, and a repository. */
async function onStage(
  numbers: readonly number[],
  options: Options,
  signal: AbortSignal,
  work: (stage: Stage) => Promise<void>,
): Promise<void> {
  const ends: (() => unknown)[] = []
  try {
    const cluster = await startKubernetes({ teardown: end => void ends.unshift(end) })
    await cluster.namespace(namespace)
    const clusters = [{ name: 'bench', kubeconfig: cluster.kubeconfig }]
    const instance = await startInstance(randomBytes(16).toString('hex'), { clusters })
    ends.unshift(() => rmSync(instance.home, { recursive: true, force: true }))
    ends.unshift(() => instance.purge())
    const git = await startGitServer({ root: join(instance.home, 'bench/git'), path: process.env.PATH ?? '' })
    ends.unshift(() => git.close())
    const url = await git.create('fleet')
    const push = await openFleet(instance, url)
    await push(Object.assign({}, ...numbers.map(number => filesOf(number, 'v0'))))
    await work({ instance, url, destination: { name: 'bench', namespace }, signal, numbers, cluster, push, options })
  } finally {
    for (const end of ends) await end()
  }
}

interface Installed {
  readonly count: number
  readonly limit: Limit
  /** From the first declaration until every object was there. */
  readonly installedMs: number
  /** Until every application was healthy, before it baked; their Ingresses got addresses only when all was there. */
  readonly healthyMs: number
  readonly installCpuSeconds: number
  /** From the first declaration until all have baked. */
  readonly healthyCpuSeconds: number
  readonly peakMB: number
}

async function install(stage: Stage, limit: Limit): Promise<Installed> {
  const { numbers, options } = stage
  const count = numbers.length
  const spent = spending(stage)
  const watched = peak(stage)
  options.say(`${count} applications: declaring them`)
  const began = Date.now()
  const [installedMs] = await Promise.all([untilThere(stage, began), declareAll(stage, numbers)])
  options.say(`  all objects are there after ${installedMs} ms; a bare loop took ${limit.dryRunsMs} + ${limit.appliesMs} ms`)
  const installCpuSeconds = spent()
  await giveAddresses(stage)
  const views = await allHealthy(stage, count, options.say)
  const healthyMs = Math.max(...views.map(({ attempt }) => Date.parse(attempt?.times.healthy ?? ''))) - began
  options.say(`  healthy after ${healthyMs} ms, ${rounded(spent())} s of processor time`)
  return { count, limit, installedMs, healthyMs, installCpuSeconds, healthyCpuSeconds: spent(), peakMB: watched() }
}

/**
 * ms since then. Asks for one object of the kind that is applied last: the answer says how many more there are; for the others once that
 * one is whole. Each question takes the server the time of an apply.
 */
async function untilThere({ cluster, numbers, signal, options }: Stage, since: number): Promise<number> {
  const last = lists.Ingress ?? ''
  for (let said = 0; ; ) {
    const counts = [await countIn(cluster, last)]
    if (counts[0]! >= numbers.length)
      counts.push(...(await Promise.all(Object.values(lists).map(path => countIn(cluster, path)))))
    if (counts.length > 1 && counts.every(count => count >= numbers.length)) return Date.now() - since
    if (Date.now() - said > 5000) {
      options.say(`  ${counts[0]} of ${numbers.length} are there`)
      said = Date.now()
    }
    if (Date.now() - since > 1_800_000) throw new Error(`not all objects are there after half an hour: ${counts}`)
    await delay(250, undefined, { signal })
  }
}

/** The ServiceAccount that each namespace has is none of ours. */
async function countIn(cluster: TestCluster, path: string): Promise<number> {
  const { items, metadata } = await cluster.call('GET', `${path}?limit=1`)
  return items.length + (metadata.remainingItemCount ?? 0) - (path.endsWith('/serviceaccounts') ? 1 : 0)
}

/** What an ingress controller does, which a test cluster has none of: without an address none of them is healthy. */
async function giveAddresses({ cluster, numbers }: Stage): Promise<void> {
  const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } }
  const waiting = [...numbers]
  const worker = async () => {
    for (let number = waiting.shift(); number !== undefined; number = waiting.shift())
      await cluster.call('PATCH', `${lists.Ingress}/${nameOf(number)}/status`, { status }, 'application/merge-patch+json')
  }
  await Promise.all(Array.from({ length: 8 }, worker))
}

interface Told {
  readonly appliedMs: readonly number[]
  readonly cpuSecondsPerChange: number
  readonly cpuSecondsUnrelated: number
  readonly othersWritten: number
  readonly idleCpuPercent: number
  readonly restingMB: number
}

const settleMs = 5_000
/** Longer than the passes after a bake. */
const bakedMs = 30_000
/** Longer than a bake, the passes after it, and the life of a render child without work. */
const restMs = 75_000

async function story(stage: Stage): Promise<Told> {
  const { instance, numbers, options, signal } = stage
  await delay(bakedMs, undefined, { signal })
  const changed = numbers.slice(0, options.runs)
  const before = await versionsOf(stage)
  const spent = spending(stage)
  const appliedMs: number[] = []
  for (const number of changed) {
    appliedMs.push(await changedTo(stage, number, 'v1'))
    options.say(`  ${nameOf(number)} changed after ${appliedMs.at(-1)} ms`)
    await delay(settleMs, undefined, { signal })
  }
  await delay(restMs - idleMs + 30_000, undefined, { signal })
  const cpuSecondsPerChange = spent() / changed.length
  const othersWritten = await writtenBut(stage, before, changed.map(nameOf))

  const spentOnNone = spending(stage)
  await stage.push({ 'README.md': 'of no application' })
  await delay(settleMs, undefined, { signal })
  const cpuSecondsUnrelated = spentOnNone()
  options.say('an idle minute')
  await delay(restMs, undefined, { signal })
  const { controller, render } = await processorPercent(instance.home, idleMs, signal)
  return {
    appliedMs,
    cpuSecondsPerChange,
    cpuSecondsUnrelated,
    othersWritten,
    idleCpuPercent: controller + render,
    restingMB: memoryOf(stage),
  }
}

/** ms from the webhook until the API server has the Deployment with the new image. */
async function changedTo({ cluster, push, signal }: Stage, number: number, version: string): Promise<number> {
  const { at } = await push(filesOf(number, version))
  for (const deadline = at + 120_000; Date.now() < deadline; await delay(10, undefined, { signal })) {
    const { spec } = await cluster.call('GET', `${lists.Deployment}/${nameOf(number)}`)
    if (spec.template.spec.containers[0].image.endsWith(`:${version}`)) return Date.now() - at
  }
  throw new Error(`${nameOf(number)} is not ${version} after two minutes`)
}

/** Of every object of the namespace, ledgers too. */
async function versionsOf({ cluster }: Stage): Promise<ReadonlyMap<string, string>> {
  const paths = [...Object.values(lists), `/api/v1/namespaces/${namespace}/secrets`]
  const all = await Promise.all(paths.map(path => cluster.call('GET', path)))
  return new Map(
    all.flatMap(({ items }, at) =>
      items.map(({ metadata }: { metadata: Record<string, string> }) => [
        `${paths[at]}/${metadata.name}`,
        metadata.resourceVersion,
      ]),
    ),
  )
}

async function writtenBut(stage: Stage, before: ReadonlyMap<string, string>, changed: readonly string[]): Promise<number> {
  const after = await versionsOf(stage)
  const isTheirs = (key: string) => changed.some(name => key.endsWith(`/${name}`) || key.endsWith(`-${name}`))
  return [...after].filter(([key, version]) => before.get(key) !== version && !isTheirs(key)).length
}

/** Seconds of processor time since then, of the controller and its render children. */
function spending({ instance }: Stage): () => number {
  const now = () => {
    const { controller, render } = processorSeconds(instance.home)
    return controller + render
  }
  const before = now()
  return () => now() - before
}

function memoryOf({ instance }: Stage): number {
  const { controller, render } = residentMB(instance.home)
  return controller + render
}

/** The most memory, looked at four times a second until it is asked for. */
function peak(stage: Stage): () => number {
  let most = memoryOf(stage)
  const timer = setInterval(() => {
    most = Math.max(most, memoryOf(stage))
  }, 250)
  return () => {
    clearInterval(timer)
    return most
  }
}

function measured(installed: readonly Installed[], told: Told, took: string): Measured {
  const by = (of: (one: Installed) => number) => Object.fromEntries(installed.map(one => [String(one.count), rounded(of(one))]))
  const limitOf = ({ limit }: Installed) => limit.dryRunsMs + limit.appliesMs
  const last = installed.at(-1)!
  const most = last.count
  return {
    versions: { node: process.versions.node },
    figures: {
      dryRunsPerSecond: by(one => (one.count * 4000) / one.limit.dryRunsMs),
      appliesPerSecond: by(one => (one.count * 4000) / one.limit.appliesMs),
      limitMs: by(limitOf),
      installedMs: by(one => one.installedMs),
      healthyMs: by(one => one.healthyMs),
      timesLimit: by(one => one.installedMs / limitOf(one)),
      installCpuSeconds: by(one => one.installCpuSeconds),
      healthyCpuSeconds: by(one => one.healthyCpuSeconds),
      peakMB: by(one => one.peakMB),
      restingMB: rounded(told.restingMB),
      webhookToChangedMs: median(told.appliedMs),
      webhookToChangedP95Ms: percentile(told.appliedMs, 95),
      cpuSecondsPerChange: rounded(told.cpuSecondsPerChange),
      cpuSecondsUnrelated: rounded(told.cpuSecondsUnrelated),
      othersWritten: told.othersWritten,
      cpuPercentIdle: rounded(told.idleCpuPercent),
    },
    goals: {
      [`installedMs.${most}`]: atMost(2 * limitOf(last), last.installedMs),
      [`peakMB.${most}`]: below(250, rounded(last.peakMB)),
      webhookToChangedMs: atMost(500, median(told.appliedMs)),
      cpuSecondsPerChange: below(0.5, rounded(told.cpuSecondsPerChange)),
      othersWritten: atMost(0, told.othersWritten),
      cpuPercentIdle: below(1, rounded(told.idleCpuPercent)),
    },
    notes: [
      'a Deployment at 0 replicas, a ServiceAccount, a Service and an Ingress each, from one repository, in one namespace; default settings',
      'limitMs: the same objects as dry runs and then for good, by a bare loop over 16 connections, on a server of its own',
      'installedMs: from the first declaration until every object is there; healthyMs: until the last application is healthy (Ingresses get their addresses when all is there); healthyCpuSeconds: until all have baked',
      'memory and processor time: the controller with its render children; peakMB: during the installation',
      `webhookToChangedMs: median of ${told.appliedMs.length} commits that change one; cpuSecondsPerChange: with the bake of 30 s and what the others cost meanwhile`,
      took,
    ],
  }
}
