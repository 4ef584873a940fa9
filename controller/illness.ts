// What an attempt under way waits for, and what shows that a settled release is not well: from a pass, in clauses. Pure.
import type { ObservedContainer, ObservedPod } from '../runtime/contract/documents.js'
import { type Manifest, type ObjectRef, refKey, refOf } from '../runtime/contract/manifest.js'
import { podsOf, workloadOf } from './health/own.js'
import { isUnderWay } from './ledger.js'
import type { Pass } from './reconcile.js'
import type { Release } from './release.js'
import { counted, span } from './words.js'

export interface Illness {
  /** ms since 1970 at which it showed first; 0 = the pods do not say. */
  readonly at: number
  readonly message: string
  /** Last lines of the container that shows it. */
  readonly log: readonly string[]
}

/** `api 2 of 3 ready`, and what keeps it from that; `Job migrate-presync-1 runs`; '' while nothing is under way, or nothing is known of it. */
export function awaitedOf(
  { ledger, health, observed }: Pick<Pass, 'ledger' | 'health' | 'observed'>,
  release: Release | null,
): string {
  if (!isUnderWay(ledger.attempt) || !health.fresh) return ''
  const hook = ledger.current?.hookRuns.find(run => run.outcome === 'running' && run.attempt === ledger.attempt?.number)
  if (hook !== undefined) return `${hook.ref.kind} ${hook.ref.name} runs`
  const slow = health.objects.find(object => object.there && !object.settled)
  if (slow === undefined) return ''
  const pods = podsOf(ledger, observed).own.filter(pod => isOf(pod, slow.ref))
  const wanted = replicasOf(release?.objects.find(object => refKey(refOf(object)) === refKey(slow.ref)))
  if (pods.length === 0 && wanted === 0) return `${slow.ref.kind} ${slow.ref.name} is not ready`
  return `${slow.ref.name} ${pods.filter(pod => pod.ready).length} of ${Math.max(wanted, pods.length)} ready${hitchOf(pods)}`
}

/** As every container begins. */
const beginnings = new Set(['', 'ContainerCreating', 'PodInitializing'])
const hitchLength = 200

/** `: container web waits (CrashLoopBackOff), exited 3, 1 restart`; '' while they are only starting. */
function hitchOf(pods: readonly ObservedPod[]): string {
  const unready = pods.filter(pod => !pod.ready && pod.phase !== 'Succeeded')
  const kept = unready.find(pod => pod.reason !== '' && !pod.containers.some(each => each.started))
  const ill = unready
    .flatMap(pod => pod.containers.filter(isIll))
    .toSorted((a, b) => b.restartCount - a.restartCount)
    .at(0)
  if (ill !== undefined) return `: container ${ill.name} ${stateText(ill)}${cut(pulling(ill))}`
  return kept === undefined ? '' : `: pod ${kept.name} ${kept.reason}${cut(kept.message)}`
}

function isIll({ ready, state, restartCount, last }: ObservedContainer): boolean {
  if (ready) return false
  return restartCount > 0 || last !== null || (state.state === 'waiting' && !beginnings.has(state.reason))
}

/** What the registry or the configuration said; of a crash the state says it all. */
function pulling({ state }: ObservedContainer): string {
  return state.state === 'waiting' && state.reason !== 'CrashLoopBackOff' ? state.message : ''
}

function cut(message: string): string {
  const line = message.split('\n')[0] ?? ''
  return line === '' ? '' : `: ${line.length > hitchLength ? `${line.slice(0, hitchLength)}...` : line}`
}

function isOf(pod: ObservedPod, ref: ObjectRef): boolean {
  const workload = workloadOf(pod)
  return workload !== null && refKey(workload) === refKey(ref)
}

/** 0 where its kind has none. */
function replicasOf(object: Manifest | undefined): number {
  if (object === undefined || !['Deployment', 'StatefulSet', 'ReplicaSet'].includes(object.kind)) return 0
  const replicas = (object.spec as { readonly replicas?: unknown } | undefined)?.replicas
  return typeof replicas === 'number' ? replicas : 1
}

/** Null while it is well, or an attempt is under way (J8 is the row that says so). */
export function illnessOf({
  ledger,
  health,
  observed,
  decision,
}: Pick<Pass, 'ledger' | 'health' | 'observed' | 'decision'>): Illness | null {
  if (decision.row.judged !== 'J8') return null
  const ill = podsOf(ledger, observed)
    .own.filter(pod => !pod.ready && pod.phase !== 'Succeeded')
    .flatMap(pod => pod.containers.filter(container => !container.ready).map(container => ({ pod, container })))
    .toSorted((a, b) => b.container.restartCount - a.container.restartCount)[0]
  const [sign] = health.signs
  if (sign !== undefined) return { at: troubledAt(ill?.container), message: sign.message, log: sign.log }
  if (ill === undefined) return { at: 0, message: health.message, log: [] }
  const { ready, wanted } = health.pods
  const message = `${ready} of ${wanted} ready: container ${ill.container.name} of pod ${ill.pod.name} ${stateText(ill.container)}`
  return { at: troubledAt(ill.container), message, log: ill.container.lastLog }
}

export interface Ill {
  /** ms since 1970: when it showed first, and when it may count as well again (0 = not while it shows). */
  readonly since: number
  readonly until: number
  readonly message: string
  readonly log: readonly string[]
}

/** Shorter bake times say nothing of what ends again and again: back-off makes its runs few. */
const shortestRecoveryMs = 10_000

/**
 * One that was ill and looks well is well once what had ended, or lost readiness, was ready through a bake time: in a crash loop there are
 * moments in which all is ready. Silence says nothing.
 */
export function illAfter(before: Ill | null, pass: Illable, now: number): Ill | null {
  const ill = illnessOf(pass)
  if (ill !== null) return { message: ill.message, log: ill.log, since: before?.since ?? (ill.at || now), until: 0 }
  const { ledger, observed, app } = pass
  if (before === null || ledger.attempt?.outcome == null) return null
  if (observed.silent !== null) return { ...before, until: 0 }
  const recovering = podsOf(ledger, observed)
    .own.flatMap(pod => pod.containers.filter(each => troubledAt(each) >= before.since).map(container => ({ pod, container })))
    .toSorted((a, b) => readyAt(b.pod) - readyAt(a.pod))[0]
  const neededMs = Math.max(app.rollout.bakeTimeMs, shortestRecoveryMs)
  const until = recovering === undefined ? 0 : readyAt(recovering.pod) + neededMs
  if (recovering === undefined || until <= now) return null
  const { pod, container } = recovering
  const message = `container ${container.name} of pod ${pod.name} is ready again, ${counted(container.restartCount, 'restart')}; it counts as well once that lasts ${span(neededMs)}`
  return { message, log: container.lastLog, since: before.since, until }
}

type Illable = Pick<Pass, 'app' | 'ledger' | 'health' | 'observed' | 'decision'>

function readyAt(pod: ObservedPod): number {
  const at = Date.parse(pod.readyAt)
  return Number.isNaN(at) ? 0 : at
}

function troubledAt(container: ObservedContainer | undefined): number {
  const at = Date.parse(container?.troubledAt ?? '')
  return Number.isNaN(at) ? 0 : at
}

/** `is not ready`, `waits (CrashLoopBackOff), exited 1, 4 restarts`. */
function stateText({ state, last, restartCount }: ObservedContainer): string {
  const ended = state.state === 'terminated' ? state : last
  const now = state.state === 'waiting' ? `waits (${state.reason})` : state.state === 'running' ? 'is not ready' : ''
  const end = ended === null ? '' : `exited ${ended.exitCode}${ended.reason === 'OOMKilled' ? ' (OOMKilled)' : ''}`
  return [now, end, restartCount === 0 ? '' : counted(restartCount, 'restart')].filter(text => text !== '').join(', ')
}
