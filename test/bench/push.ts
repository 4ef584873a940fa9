// From a push to the first answer of the new version, from a bad push back to the good one, and what it all costs while nothing happens.
import { randomBytes, randomInt } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { AttemptView, ObjectView } from '../../controller/view.js'
import { startGitServer } from '../../examples/demo/git-server.js'
import { findNats } from '../../runtime/nats/server.js'
import { findHaproxy } from '../../runtime/network/find-haproxy.js'
import { atMost, type Bench, below, type Measured, median, type Options, percentile, rounded } from './bench.js'
import {
  attemptAt,
  type Behaviour,
  declare,
  openRepository,
  type Pushed,
  type Repository,
  replicas,
} from './push/applications.js'
import { bareStart } from './push/bare.js'
import { busyboxVersion, image, loadServer, removeServer } from './push/image.js'
import { type Instance, startInstance } from './push/instance.js'
import { parts, processorPercent, proportionalMB, residentMB, total } from './push/processes.js'
import { firstAnswer, followServed, startLoad } from './push/traffic.js'

export const push: Bench = {
  name: 'push',
  about: 'push to serving, bad push to good again, requests under rollouts, memory and idle processor time',
  run: measure,
}

const applications = 10
const load = { clients: 6, rate: 30 }
/** Before anything is measured, so that what a workload usually takes is known. */
const goodReleases = 10
const idleMs = 60_000

interface Stage {
  readonly instance: Instance
  readonly repository: Repository
  /** Of the application that is pushed to, through its Service. */
  readonly address: string
  /** Resident memory after each push, while its render child lives. */
  readonly busy: ReturnType<typeof residentMB>[]
  readonly options: Options
  readonly signal: AbortSignal
}

async function measure(options: Options, signal: AbortSignal): Promise<Measured> {
  const began = Date.now()
  options.say('starting Slipway with default settings')
  const instance = await startInstance(randomBytes(16).toString('hex'))
  const git = await startGitServer({ root: join(instance.home, 'bench/git'), path: process.env.PATH ?? '' })
  try {
    await loadServer(instance.engine)
    const stage = await open(instance, git, options, signal)
    const measured = await story(stage)
    return { ...measured, notes: [...measured.notes, `took ${Math.round((Date.now() - began) / 1000)} s`] }
  } finally {
    await git.close()
    await instance.purge()
    await removeServer(instance.engine).catch(() => {})
    rmSync(instance.home, { recursive: true, force: true })
  }
}

/** Ten applications of two pods each, all healthy and baked; the first is the one that is pushed to. */
async function open(
  instance: Instance,
  git: Awaited<ReturnType<typeof startGitServer>>,
  options: Options,
  signal: AbortSignal,
): Promise<Stage> {
  const nodePort = randomInt(30_100, 32_700)
  const repositories: Repository[] = []
  for (let number = 1; number <= applications; number++) {
    const name = `web-${number}`
    const directory = join(instance.home, 'bench', name)
    mkdirSync(directory, { recursive: true })
    const repository = await openRepository(git, instance, {
      name,
      directory,
      image,
      nodePort: number === 1 ? nodePort : 0,
    })
    await repository.push('first', 'serve', false)
    await declare(instance, name, `${git.url}/${name}.git`)
    repositories.push(repository)
  }
  options.say(`${applications} applications with ${applications * replicas} pods: waiting until all are healthy and baked`)
  for (const { application } of repositories)
    await instance.client.until(application, 'Healthy', view => view.state === 'Healthy', 180_000)
  const [repository] = repositories
  if (repository === undefined) throw new Error('there is no application to push to')
  return { instance, repository, address: `http://127.0.0.1:${nodePort}`, busy: [], options, signal }
}

async function story(stage: Stage): Promise<Measured> {
  const { instance, address, repository, options, signal } = stage
  const served = followServed(instance.engine, repository.application)
  for (let number = 2; number <= goodReleases; number++) await good(stage, `warm-${number}`, true)

  options.say(`load: ${load.rate} requests a second; ${options.runs} pushes with webhook, a bare start before each`)
  const traffic = startLoad(`${address}/cgi-bin/serve`, load)
  const bare: number[] = []
  const pushed: Good[] = []
  for (let number = 1; number <= options.runs; number++) {
    bare.push(await bareStart(instance.engine, `b${number}`, signal))
    pushed.push(await good(stage, `v${number}`, true))
    options.say(`  ${number}: bare ${Math.round(bare.at(-1) ?? 0)} ms, push to serving ${pushed.at(-1)?.servingMs} ms`)
  }
  options.say(`${options.runs} pushes that only the poll finds`)
  const polled: Good[] = []
  for (let number = 1; number <= options.runs; number++) {
    await delay(randomInt(10_000))
    polled.push(await good(stage, `p${number}`, false))
  }
  const crash = await badOnes(stage, 'crash', options.runs)
  const neverReady = await badOnes(stage, 'never-ready', Math.min(options.runs, neverReadyRuns))
  await traffic.stop()
  await served.stop()
  options.say('an idle minute')
  await healthy(stage)
  await delay(75_000, undefined, { signal })
  const cpu = await processorPercent(instance.home, idleMs, signal)
  return told(stage, { bare, pushed, polled, crash, neverReady, traffic, times: served.times, cpu })
}

/** Each takes half a minute and more: 30 s are the least that a release without haste is given. */
const neverReadyRuns = 5

interface Good {
  readonly servingMs: number
  /** ms after the push (webhook); what follows `applied` on the node is `started` and `ready` of the first new pod. */
  readonly seenMs: number
  readonly renderedMs: number
  readonly preflightedMs: number
  readonly appliedMs: number
  readonly readyMs: number
}

/** Pushes a good version and waits until it serves, and then until the release as a whole is healthy (not baked). */
async function good(stage: Stage, version: string, announced: boolean): Promise<Good> {
  const { instance, repository, address, signal } = stage
  const since = await repository.push(version, 'serve', announced)
  const servesAt = await firstAnswer(`${address}/`, version, 120_000, signal)
  const { times, release } = await attemptAt(
    instance,
    repository.application,
    since.commit,
    attempt => attempt.times.healthy !== '',
    120_000,
  )
  noteBusy(stage)
  const pods = (await instance.client.tree(repository.application)).flatMap(podsOf)
  const ready = pods.filter(pod => pod.release === release?.id && pod.readyAt !== '').map(pod => Date.parse(pod.readyAt))
  const after = (time: string) => Date.parse(time) - since.at
  return {
    servingMs: servesAt - since.at,
    seenMs: after(times.seen),
    renderedMs: after(times.rendered),
    preflightedMs: after(times.preflighted),
    appliedMs: after(times.applied),
    readyMs: Math.min(...ready) - since.at,
  }
}

/** Only a moment at which a render child lives counts as one of a push. */
function noteBusy({ instance, busy }: Stage): void {
  const now = residentMB(instance.home)
  if (now.render > 0) busy.push(now)
}

function podsOf(object: ObjectView): readonly NonNullable<ObjectView['pod']>[] {
  return [...(object.pod === null ? [] : [object.pod]), ...object.children.flatMap(podsOf)]
}

interface Bad {
  readonly verdictMs: number
  readonly goodMs: number
}

/** Bad pushes one after the other, from a release that has baked. */
async function badOnes(stage: Stage, behaviour: Behaviour, runs: number): Promise<readonly Bad[]> {
  await healthy(stage)
  stage.options.say(`${runs} pushes of a version that is bad: ${behaviour}`)
  const found: Bad[] = []
  for (let number = 1; number <= runs; number++) {
    const since = await stage.repository.push(`${behaviour}-${number}`, behaviour, true)
    found.push(badFrom(await judged(stage, since), since))
    noteBusy(stage)
    stage.options.say(`  ${number}: verdict after ${found.at(-1)?.verdictMs} ms, good again after ${found.at(-1)?.goodMs} ms`)
  }
  return found
}

async function judged({ instance, repository }: Stage, since: Pushed): Promise<AttemptView> {
  const attempt = await attemptAt(
    instance,
    repository.application,
    since.commit,
    ({ outcome }) => outcome !== null && outcome !== 'Held',
    120_000,
  )
  if (attempt.outcome !== 'RolledBack') throw new Error(`a bad push ended as ${attempt.outcome}: ${attempt.message}`)
  return attempt
}

function badFrom({ times }: AttemptView, { at }: Pushed): Bad {
  return { verdictMs: Date.parse(times.judged) - at, goodMs: Date.parse(times.ended) - at }
}

async function healthy({ instance, repository }: Stage): Promise<void> {
  await instance.client.until(
    repository.application,
    'at rest',
    ({ state }) => state === 'Healthy' || state === 'RolledBack',
    120_000,
  )
}

interface Found {
  readonly bare: readonly number[]
  readonly pushed: readonly Good[]
  readonly polled: readonly Good[]
  readonly crash: readonly Bad[]
  readonly neverReady: readonly Bad[]
  readonly traffic: ReturnType<typeof startLoad>
  readonly times: ReadonlyMap<string, number>
  readonly cpu: Awaited<ReturnType<typeof processorPercent>>
}

async function told({ instance, busy, options }: Stage, found: Found): Promise<Measured> {
  const { bare, pushed, polled, crash, neverReady, traffic, times, cpu } = found
  const of = <T>(values: readonly T[], pick: (value: T) => number) => median(values.map(pick))
  const bareStartMs = median(bare)
  const pushToServingMs = of(pushed, each => each.servingMs)
  const badPushToGoodMs = { crash: of(crash, each => each.goodMs), neverReady: of(neverReady, each => each.goodMs) }
  const requestsServedTwice = [...times.values()].filter(count => count > 1).length
  const unseen = [...traffic.answered].filter(id => !times.has(id)).length
  const rss = residentMB(instance.home)
  const most = busy.reduce((a, b) => (total(b) > total(a) ? b : a), busy[0] ?? rss)
  const usual = median(busy.map(total))
  const round = (values: Readonly<Record<string, number>>) =>
    Object.fromEntries(parts.map(part => [part, rounded(values[part] ?? 0)]))
  return {
    versions: await versionsOf(instance),
    figures: {
      bareStartMs,
      pushToServingMs,
      seenMs: of(pushed, each => each.seenMs),
      renderedMs: of(pushed, each => each.renderedMs),
      preflightedMs: of(pushed, each => each.preflightedMs),
      appliedMs: of(pushed, each => each.appliedMs),
      readyMs: of(pushed, each => each.readyMs),
      pushToServingP95Ms: percentile(
        pushed.map(each => each.servingMs),
        95,
      ),
      pollToServingMs: of(polled, each => each.servingMs),
      badPushToVerdictMs: { crash: of(crash, each => each.verdictMs), neverReady: of(neverReady, each => each.verdictMs) },
      badPushToGoodMs,
      requests: traffic.answered.size + traffic.failures.length,
      requestsFailed: traffic.failures.length,
      requestsServedTwice,
      rssMB: { ...round(rss), total: rounded(total(rss)) },
      rssBusyMB: { ...round(most), total: rounded(total(most)), median: usual === null ? null : rounded(usual) },
      pssMB: { total: rounded(total(proportionalMB(instance.home))) },
      cpuPercentIdle: { ...round(cpu), total: rounded(total(cpu)) },
    },
    goals: {
      pushToServingMs: atMost(1.5 * (bareStartMs ?? 0) + 150, pushToServingMs),
      'badPushToGoodMs.crash': atMost(10_000, badPushToGoodMs.crash),
      'badPushToGoodMs.neverReady': atMost(45_000, badPushToGoodMs.neverReady),
      requestsFailed: atMost(0, traffic.failures.length),
      requestsServedTwice: atMost(0, requestsServedTwice),
      'rssMB.total': below(250, rounded(total(rss))),
      'rssBusyMB.total': below(250, rounded(total(most))),
      'cpuPercentIdle.total': below(2, rounded(total(cpu))),
    },
    notes: [
      `medians of ${options.runs}, never-ready of ${neverReady.length}; ${goodReleases} good releases before; default settings throughout (bake 30 s, poll 10 s)`,
      `${applications} applications in a repository each, ${applications * replicas} pods with readiness and liveness probes every 10 s; load of ${load.rate} requests a second on the one that is pushed to, half of the clients keep their connection`,
      'good pushes follow each other once the release is healthy as a whole: each supersedes the one that bakes; bad ones begin from a release that has baked',
      'the steps count from the webhook; readyMs is the first new pod; pollToServingMs counts from the end of the push, at a random moment of the poll',
      'rssMB and the idle minute are measured when nothing was pushed for more than a minute: the render child has ended by then; it is started again by a webhook, beside the fetch. rssBusyMB is the largest of one look after each push, with it; its median beside',
      'the total of rssMB holds the keepers too, which the goal does not name',
      'rssMB counts the pages that processes share (most of the Node binary) for each of them; pssMB counts them once',
      `${unseen} of the answered requests were not found in the servers' logs`,
      ...traffic.failures.slice(0, 5).map(failure => `failed: ${failure}`),
    ],
  }
}

async function versionsOf({ client }: Instance): Promise<Readonly<Record<string, string>>> {
  const [node] = await client.nodes()
  const haproxy = (await findHaproxy(process.env))?.version ?? ''
  const nats = (await findNats(process.env)).version
  return { node: process.versions.node, engine: node?.versions.engine ?? '', nats, haproxy, busybox: busyboxVersion() }
}
