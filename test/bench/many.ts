// A thousand applications on one node, from one repository: how long until all are healthy, until a commit that changes one of them is
// there, and what they cost while nothing happens.
import { execFile } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { ApplicationView } from '../../controller/view.js'
import { startGitServer } from '../../examples/demo/git-server.js'
import { below, type Bench, type Measured, median, type Options, percentile, rounded } from './bench.js'
import { announce, attemptAt, authored } from './push/applications.js'
import { image, loadServer, removeServer } from './push/image.js'
import { type Instance, node, startInstance } from './push/instance.js'
import { parts, processorPercent, residentMB, total } from './push/processes.js'
import { firstAnswer } from './push/traffic.js'

const run = promisify(execFile)

export const many: Bench = manyOf(1000, 20)

const idleMs = 60_000

/** `serving` of the applications have a pod behind a Service, the others a ConfigMap only. */
export function manyOf(count: number, serving: number): Bench {
  return {
    name: 'many',
    about: `${count} applications on one node: push to applied and to serving, the list, memory and idle processor time`,
    run: (options, signal) => measure({ count, serving }, options, signal),
  }
}

interface Fleet {
  readonly count: number
  readonly serving: number
}

interface Stage extends Fleet {
  readonly instance: Instance
  readonly options: Options
  readonly signal: AbortSignal
  readonly url: string
  readonly nodePort: number
  /** Writes files, commits, pushes, announces; gives the commit and when the push had ended (ms since 1970). */
  readonly push: (files: Readonly<Record<string, string>>) => Promise<{ readonly commit: string; readonly at: number }>
}

async function measure(fleet: Fleet, options: Options, signal: AbortSignal): Promise<Measured> {
  options.say('starting Slipway with default settings')
  const instance = await startInstance(randomBytes(16).toString('hex'))
  const git = await startGitServer({ root: join(instance.home, 'bench/git'), path: process.env.PATH ?? '' })
  try {
    await loadServer(instance.engine)
    const url = await git.create('fleet')
    const push = await openFleet(instance, url)
    return await story({ ...fleet, instance, options, signal, url, push, nodePort: randomInt(30_100, 32_700) })
  } finally {
    await git.close()
    await instance.purge()
    await removeServer(instance.engine).catch(() => {})
    rmSync(instance.home, { recursive: true, force: true })
  }
}

async function openFleet(instance: Instance, url: string): Promise<Stage['push']> {
  const directory = join(instance.home, 'bench/fleet')
  mkdirSync(directory, { recursive: true })
  const inside = (...args: readonly string[]) => run('git', ['-C', directory, ...args], { env: authored })
  await inside('init', '--quiet', '--initial-branch=main')
  await inside('remote', 'add', 'origin', url)
  return async files => {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(join(directory, path, '..'), { recursive: true })
      writeFileSync(join(directory, path), content)
    }
    await inside('add', '-A')
    await inside('commit', '--quiet', '-m', 'Change something')
    await inside('push', '--quiet', 'origin', 'HEAD:main')
    const commit = (await inside('rev-parse', 'HEAD')).stdout.trim()
    const at = Date.now()
    await announce(instance, url)
    return { commit, at }
  }
}

const nameOf = (number: number) => `app-${String(number).padStart(4, '0')}`

function filesOf(stage: Stage, number: number, version: string): Readonly<Record<string, string>> {
  const name = nameOf(number)
  const settings = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { VERSION: version } }
  const objects = number > stage.serving ? [settings] : [settings, ...webOf(stage, number, version)]
  return { [`apps/${name}/all.yaml`]: objects.map(object => JSON.stringify(object)).join('\n---\n') }
}

function webOf({ nodePort }: Stage, number: number, version: string): readonly object[] {
  const name = nameOf(number)
  const container = {
    name: 'web',
    image,
    imagePullPolicy: 'IfNotPresent',
    env: [{ name: 'VERSION', value: version }],
    ports: [{ containerPort: 8080 }],
    readinessProbe: { httpGet: { path: '/ready', port: 8080 }, periodSeconds: 10 },
  }
  const template = { metadata: { labels: { app: name } }, spec: { containers: [container] } }
  const ports = [{ port: 80, targetPort: 8080, ...(number === 1 ? { nodePort } : {}) }]
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: { replicas: 1, selector: { matchLabels: { app: name } }, template },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { ...(number === 1 ? { type: 'NodePort' } : {}), selector: { app: name }, ports },
    },
  ]
}

async function story(stage: Stage): Promise<Measured> {
  const { options, instance, signal } = stage
  const numbers = Array.from({ length: stage.count }, (_, index) => index + 1)
  await stage.push(Object.assign({}, ...numbers.map(number => filesOf(stage, number, 'v0'))))
  options.say(`declaring ${stage.count} applications`)
  const began = Date.now()
  await declareAll(stage, numbers)
  const declaredMs = Date.now() - began
  options.say(`declared after ${declaredMs} ms; waiting until all are healthy and baked`)
  await allHealthy(stage)
  const healthyMs = Date.now() - began
  options.say(`all healthy after ${healthyMs} ms`)

  const applied: number[] = []
  const served: number[] = []
  const listed: number[] = []
  for (let number = 1; number <= options.runs; number++) {
    applied.push(await pushedTo(stage, stage.count - number, `v${number}`))
    served.push(await pushedTo(stage, 1, `v${number}`))
    listed.push(await took(() => instance.client.call('GET', '/api/v1/applications?limit=100')))
    options.say(`  ${number}: applied after ${applied.at(-1)} ms, served after ${served.at(-1)} ms, list ${listed.at(-1)} ms`)
  }
  await allHealthy(stage)
  options.say('an idle minute')
  await delay(75_000, undefined, { signal })
  const cpu = await processorPercent(instance.home, idleMs, signal)
  const rss = residentMB(instance.home)
  const round = (values: Readonly<Record<string, number>>) =>
    Object.fromEntries(parts.map(part => [part, rounded(values[part] ?? 0)]))
  return {
    versions: { node: process.versions.node },
    figures: {
      applications: stage.count,
      declaredMs,
      healthyMs,
      pushToAppliedMs: median(applied),
      pushToServingMs: median(served),
      pushToServingP95Ms: percentile(served, 95),
      listMs: median(listed),
      rssMB: { ...round(rss), total: rounded(total(rss)) },
      cpuPercentIdle: { ...round(cpu), total: rounded(total(cpu)) },
    },
    goals: {
      pushToAppliedMs: below(2000, median(applied)),
      pushToServingMs: below(3000, median(served)),
      'cpuPercentIdle.total': below(10, rounded(total(cpu))),
    },
    notes: [
      `medians of ${options.runs}; default settings throughout (bake 30 s, poll 10 s)`,
      `one repository with a directory for each; ${stage.serving} have a pod behind a Service, the others a ConfigMap only; each commit changes one`,
      'pushToAppliedMs: from the webhook until the node was told, of one with a ConfigMap; pushToServingMs: to the first new answer',
    ],
  }
}

async function declareAll(stage: Stage, numbers: readonly number[]): Promise<void> {
  const waiting = [...numbers]
  const worker = async () => {
    for (let number = waiting.shift(); number !== undefined; number = waiting.shift()) await declare(stage, nameOf(number))
  }
  await Promise.all(Array.from({ length: 8 }, worker))
}

/** Asked again where the store was too slow to keep it (503), as the answer says. */
async function declare({ instance, url, signal }: Stage, name: string): Promise<void> {
  const manifest = {
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'Application',
    metadata: { name },
    spec: {
      source: { repoURL: url, path: `apps/${name}`, targetRevision: 'main' },
      destination: { name: node, namespace: name },
    },
  }
  for (let tries = 1; ; tries++) {
    try {
      return void (await instance.client.call('PUT', `/api/v1/applications/${name}`, manifest))
    } catch (error) {
      if (tries === 20 || !(error as Error).message.includes(': 503 ')) throw error
      await delay(1000, undefined, { signal })
    }
  }
}

async function allHealthy({ instance, options, count, signal }: Stage): Promise<void> {
  const deadline = Date.now() + 1_800_000
  for (let said = -1; ; ) {
    const views = await everyView(instance)
    const healthy = views.filter(view => view.state === 'Healthy').length
    if (healthy === count) return
    if (Date.now() > deadline) throw new Error(`${healthy} of ${count} are healthy after half an hour`)
    if (healthy !== said) options.say(`  ${healthy} of ${count} healthy`)
    said = healthy
    await delay(5000, undefined, { signal })
  }
}

async function everyView({ client }: Instance): Promise<readonly ApplicationView[]> {
  const views: ApplicationView[] = []
  for (let at = ''; ; ) {
    const query = at === '' ? '' : `&continue=${encodeURIComponent(at)}`
    const page = (await client.call('GET', `/api/v1/applications?limit=500${query}`)) as {
      readonly items: readonly ApplicationView[]
      readonly continue: string
    }
    views.push(...page.items)
    if (page.continue === '') return views
    at = page.continue
  }
}

/** ms from the push to its application's new content: applied, or, where it has a pod behind a node port, answering. */
async function pushedTo(stage: Stage, number: number, version: string): Promise<number> {
  const { commit, at } = await stage.push(filesOf(stage, number, version))
  if (number === 1) return (await firstAnswer(`http://127.0.0.1:${stage.nodePort}/`, version, 120_000, stage.signal)) - at
  const attempt = await attemptAt(stage.instance, nameOf(number), commit, one => one.times.applied !== '', 120_000)
  return Date.parse(attempt.times.applied) - at
}

async function took(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await act()
  return Math.round(performance.now() - began)
}
