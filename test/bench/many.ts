// A thousand applications on one node, from one repository: how long until all are healthy, until a commit that changes one of them is
// there, and what they cost while nothing happens.
import { randomBytes, randomInt } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startGitServer } from '../../examples/demo/git-server.js'
import { type Bench, below, type Measured, median, type Options, percentile, rounded } from './bench.js'
import { allHealthy, declareAll, type Fleet, nameOf, openFleet, type Push } from './fleet.js'
import { attemptAt } from './push/applications.js'
import { image, loadServer, removeServer } from './push/image.js'
import { node, startInstance } from './push/instance.js'
import { parts, processorPercent, residentMB, total } from './push/processes.js'
import { firstAnswer } from './push/traffic.js'

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

interface Size {
  readonly count: number
  readonly serving: number
}

interface Stage extends Size, Fleet {
  readonly options: Options
  readonly nodePort: number
  readonly push: Push
}

async function measure(size: Size, options: Options, signal: AbortSignal): Promise<Measured> {
  options.say('starting Slipway with default settings')
  const instance = await startInstance(randomBytes(16).toString('hex'))
  const git = await startGitServer({ root: join(instance.home, 'bench/git'), path: process.env.PATH ?? '' })
  try {
    await loadServer(instance.engine)
    const url = await git.create('fleet')
    const push = await openFleet(instance, url)
    const nodePort = randomInt(30_100, 32_700)
    return await story({ ...size, instance, options, signal, url, push, nodePort, destination: { name: node } })
  } finally {
    await git.close()
    await instance.purge()
    await removeServer(instance.engine).catch(() => {})
    rmSync(instance.home, { recursive: true, force: true })
  }
}

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
  await allHealthy(stage, stage.count, options.say)
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
  await allHealthy(stage, stage.count, options.say)
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
