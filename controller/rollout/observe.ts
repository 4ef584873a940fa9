// What a pass learns before it judges: the candidate, the preflight's answer, hooks that ended, objects that are gone, what people asked for.
import type { Problem } from '../../runtime/contract/documents.js'
import { type ObjectRef, refKey, refText } from '../../runtime/contract/manifest.js'
import { isFresh } from '../health/assess.js'
import { isSettled, objectHealth } from '../health/rules.js'
import { conditionsOf, find } from '../health/status.js'
import type { KindRules } from '../health/written.js'
import { type HookRun, isRollingBack, type Ledger, type PreflightRecord, type Request, withRelease } from '../ledger.js'
import type { Release, ReleaseId } from '../release.js'
import type { DecideInput } from './state.js'

type Observed = DecideInput['observed']

export function learned(input: DecideInput): Ledger {
  const ledger = answered(withCandidate(input.ledger, input), input)
  return withRequests(withHooks(withoutGone(ledger, input.observed), input), input)
}

function withCandidate(ledger: Ledger, { candidate, now }: DecideInput): Ledger {
  return candidate?.kind === 'release' ? withRelease(ledger, candidate.release.id, candidate.revision, now) : ledger
}

/** 5 s doubling to 5 min. */
export function preflightBackoff(failures: number): number {
  return Math.min(5000 * 2 ** (failures - 1), 300_000)
}

function answered(ledger: Ledger, { observed, now, releases }: DecideInput): Ledger {
  const { preflight } = ledger
  const answer = observed.preflight
  if (preflight?.state !== 'asked' || answer?.release !== preflight.release || answer.round !== preflight.round) return ledger
  if (answer.state === 'running') return ledger
  const origins = releases(preflight.release)?.origins ?? {}
  const message = problemsText(answer.problems, origins)
  if (answer.state === 'refused') return { ...ledger, preflight: refused(preflight, message, now) }
  const known = ledger.releases[preflight.release]
  const passed: PreflightRecord = {
    ...preflight,
    state: 'passed',
    answeredAt: now,
    message: answer.warnings.join('; '),
    failures: 0,
  }
  if (known === undefined) return { ...ledger, preflight: passed }
  return {
    ...ledger,
    preflight: passed,
    releases: { ...ledger.releases, [preflight.release]: { ...known, digests: answer.digests } },
  }
}

/** File and object first, whatever the node said of them, and once: `web.yaml:1: Deployment shop/web: spec.replcias: unknown field`. */
export function problemsText(problems: readonly Problem[], origins: Readonly<Record<string, string>>): string {
  let before = ''
  const texts = problems.map(({ object, message }) => {
    const origin = origins[refKey(object)] ?? ''
    const named = message.includes(refText(object)) ? [] : [refText(object)]
    const where = [...(origin === '' ? [] : [origin]), ...named].map(word => `${word}: `).join('')
    const text = where === before ? message : `${where}${message}`
    before = where
    return text
  })
  return texts.join('; ')
}

function refused(record: PreflightRecord, message: string, now: number): PreflightRecord {
  const failures = record.failures + 1
  return { ...record, state: 'refused', answeredAt: now, message, failures, retryAt: now + preflightBackoff(failures) }
}

function withoutGone(ledger: Ledger, observed: Observed): Ledger {
  const { current } = ledger
  if (current === null || current.pruning.length === 0 || !isFresh(observed) || observed.silent !== null) return ledger
  const live = new Set(observed.objects.map(object => refKey(object.ref)))
  const left = current.pruning.filter(ref => live.has(refKey(ref)))
  return left.length === current.pruning.length ? ledger : { ...ledger, current: { ...current, pruning: left } }
}

function withHooks(ledger: Ledger, { app, observed, now }: DecideInput): Ledger {
  const { current } = ledger
  if (current === null || !current.hookRuns.some(run => run.outcome === 'running')) return ledger
  const runs = current.hookRuns.map(run =>
    run.outcome === 'running' ? { ...run, outcome: outcomeOf(run.ref, observed, app.health) } : run,
  )
  const ended = runs.filter((run, index) => run.outcome !== current.hookRuns[index]!.outcome)
  if (ended.length === 0) return ledger
  const records = ended.filter(run => run.outcome === 'succeeded' && isWork(run.ref)).map(run => recordOf(run, ledger, now))
  return { ...ledger, current: { ...current, hookRuns: runs }, hooks: [...ledger.hooks, ...records].slice(-100) }
}

function recordOf(run: HookRun, ledger: Ledger, now: number) {
  const release = ledger.attempt?.release ?? ledger.current!.release
  return { key: run.key, release, hash: run.hash, attempt: run.attempt, succeededAt: now, reversible: run.reversible }
}

function isWork(ref: ObjectRef): boolean {
  return ref.kind === 'Job' || ref.kind === 'Pod'
}

function outcomeOf(ref: ObjectRef, observed: Observed, kinds: KindRules): HookRun['outcome'] {
  const live = observed.objects.find(object => refKey(object.ref) === refKey(ref))
  if (live === undefined) return 'running'
  if (ref.kind === 'Pod')
    return live.status.phase === 'Succeeded' ? 'succeeded' : live.status.phase === 'Failed' ? 'failed' : 'running'
  if (ref.kind === 'Job') {
    const conditions = conditionsOf(live.status)
    if (find(conditions, 'Failed')?.status === 'True') return 'failed'
    return find(conditions, 'Complete')?.status === 'True' ? 'succeeded' : 'running'
  }
  const apiVersion = ref.group === '' ? 'v1' : `${ref.group}/v1`
  const health = objectHealth({ apiVersion, kind: ref.kind, metadata: { name: ref.name } }, live.status, kinds)
  return isSettled(health) ? 'succeeded' : health?.status === 'Degraded' ? 'failed' : 'running'
}

/** A sync names what it was asked for and lapses with it; a retry becomes what it means: a sync of the candidate, a rollback, or itself. */
function withRequests(ledger: Ledger, input: DecideInput): Ledger {
  if (ledger.requests.length === 0) return ledger
  const kept = ledger.requests.flatMap(request => boundSync(request, input))
  return resolvedWords(
    {
      ...ledger,
      requests:
        kept.length === ledger.requests.length && kept.every((one, i) => one === ledger.requests[i]) ? ledger.requests : kept,
    },
    input,
  )
}

function boundSync(request: Request, input: DecideInput): readonly Request[] {
  const { candidate } = input
  if (request.kind === 'sync' && request.selectors !== undefined) return isWhole(request, input) ? [request] : []
  if (request.kind !== 'sync' || candidate?.kind !== 'release') return [request]
  if (request.release !== null) return request.release === candidate.release.id ? [request] : []
  if (request.commit === null || request.commit === candidate.revision.commit)
    return [{ ...request, release: candidate.release.id }]
  return candidate.revision.seenAt > request.at ? [] : [request]
}

/** What it was made of still runs, and what it makes is kept. */
function isWhole({ release, base }: Extract<Request, { kind: 'sync' }>, input: DecideInput): boolean {
  const { ledger } = input
  if (release === null || ledger.marks[release] !== undefined) return false
  return (ledger.current?.release ?? null) === (base ?? null) && known(release, ledger, input) !== null
}

/** Of several rollbacks and retries the newest counts. */
function resolvedWords(ledger: Ledger, input: DecideInput): Ledger {
  const words = ledger.requests.filter(request => request.kind !== 'sync')
  const newest = words.toSorted((a, b) => a.at - b.at).at(-1)
  if (newest === undefined || ledger.pause !== null || ledger.deletion !== null) return ledger
  const syncs = ledger.requests.filter(request => request.kind === 'sync')
  if (newest.kind === 'rollback')
    return { ...ledger, requests: known(newest.release, ledger, input) === null ? syncs : [...syncs, newest] }
  const target = newest.release ?? retryTarget(ledger, input)
  const candidate = input.candidate?.kind === 'release' ? input.candidate.release.id : null
  if (target === null) return { ...ledger, requests: syncs }
  if (target === ledger.current?.release && !isRollingBack(ledger.attempt))
    return { ...ledger, requests: [...syncs, { ...newest, release: target }] }
  if (target === candidate) return forCandidate(ledger, newest, target, syncs)
  const { id, by, at } = newest
  const back: Request = { id, kind: 'rollback', by, at, release: target, message: 'retry' }
  return { ...ledger, requests: known(target, ledger, input) === null ? syncs : [...syncs, back] }
}

function forCandidate(ledger: Ledger, { id, by, at }: Request, target: ReleaseId, syncs: readonly Request[]): Ledger {
  const { [target]: _lifted, ...marks } = ledger.marks
  const asked: Request = { id, kind: 'sync', by, at, commit: null, release: target, prune: null, fresh: true }
  const preflight = ledger.preflight?.release === target ? { ...ledger.preflight, retryAt: 0 } : ledger.preflight
  return { ...ledger, marks, pin: null, preflight, requests: [...syncs.filter(one => one.release !== target), asked] }
}

/** Retry without a name: what failed here; else the candidate that was judged or held; else current. */
function retryTarget(ledger: Ledger, { candidate }: DecideInput): ReleaseId | null {
  const current = ledger.current?.release ?? null
  if (ledger.attempt?.outcome === 'Failed' && ledger.attempt.release === current) return current
  const id = candidate?.kind === 'release' ? candidate.release.id : null
  if (id !== null && (ledger.marks[id] !== undefined || ledger.trying?.release === id)) return id
  return current ?? id
}

/** A release that can be run: its objects are still known. */
export function known(id: ReleaseId, ledger: Ledger, input: DecideInput): Release | null {
  if (input.candidate?.kind === 'release' && input.candidate.release.id === id) return input.candidate.release
  return ledger.releases[id] === undefined ? null : input.releases(id)
}
