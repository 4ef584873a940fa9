// A decision and the world -> one step: the objects of the lowest wave that is not there and healthy, the prune, the heal, a preflight,
// or nothing; and the ledger that is written with it. Levels only: taken again after a crash, it comes to the same end.
import { type Manifest, type ObjectRef, refKey, refOf } from '../runtime/contract/manifest.js'
import type { Application } from './application.js'
import type { Applied, Observed } from './cluster/cluster.js'
import { isFresh } from './health/assess.js'
import type { KindRules } from './health/written.js'
import {
  type Attempt,
  type Current,
  goodRelease,
  type HookRun,
  isRollingBack,
  isUnderWay,
  type Ledger,
  type Phase,
  type Step,
} from './ledger.js'
import type { Hook } from './release/hooks.js'
import type { Release, ReleaseId } from './release.js'
import { namedText, staysOf } from './sync/consent.js'
import { deletionNumber, deletionStage } from './sync/deletion.js'
import { hooksOf, type Mode, type PlanState, planOf, planState } from './sync/plan.js'
import { atWork, inTheWay, type Surplus, unheard } from './sync/surplus.js'

/** What rollout.ts decided, as far as a step needs it. */
export interface Aim {
  readonly run: ReleaseId | 'leave' | 'delete'
  readonly preflight: { readonly release: ReleaseId; readonly round: number } | null
  /** After this pass, before the step. */
  readonly ledger: Ledger
  /** The ledger says something that is not written yet. */
  readonly changed: boolean
  /** Paused: nothing is touched. */
  readonly frozen: boolean
  /** Further waves may begin (not while a newer release is about to supersede). */
  readonly waves: boolean
  readonly heal: readonly Manifest[]
  readonly prune: Surplus
}

export type SyncStep =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'preflight'
      readonly release: ReleaseId
      readonly round: number
      readonly digests: Readonly<Record<string, string>>
    }
  | ApplyStep
  | { readonly kind: 'prune'; readonly refs: readonly ObjectRef[]; readonly why: PruneReason }
  /** The ledger alone. */
  | { readonly kind: 'remember' }
  /** End everything there. */
  | { readonly kind: 'remove' }
  /** Everything goes on there, and is nobody's. */
  | { readonly kind: 'letGo' }
  /** Everything has ended, or was let go: nothing is remembered any more. */
  | { readonly kind: 'forget' }

/** `inTheWay`: holds a port or route of what comes; `overtaken`: hooks and Jobs of what is left or gone back from, and still at work. */
export type PruneReason = 'surplus' | 'inTheWay' | 'overtaken' | 'again'

export interface ApplyStep {
  readonly kind: 'apply'
  /** As they are sent, hooks among them under the name of this attempt, in order. */
  readonly objects: readonly Manifest[]
  readonly hooks: readonly Hook[]
  readonly phase: Phase
  readonly wave: number
  readonly index: number
  readonly of: number
  readonly heal: boolean
  /** Hooks of a deletion: no attempt's. */
  readonly ends?: true
  /** refKeys of what is not there at all yet. */
  readonly created: readonly string[]
}

export interface StepInput {
  readonly app: Application
  readonly decision: Aim
  readonly releases: (id: ReleaseId) => Release | null
  readonly observed: Observed
  readonly now: number
}

export function nextStep(input: StepInput): SyncStep {
  const { decision } = input
  const { ledger, run } = decision
  if (run === 'delete') return deletionStep(input, ledger)
  if (decision.frozen) return remember(decision)
  const again = unheard(ledger, input.observed)
  if (again.length > 0) return { kind: 'prune', refs: again, why: 'again' }
  const release = run === 'leave' ? null : input.releases(run)
  const wave = release === null ? null : waveStep(input, release)
  if (wave !== null) return wave
  const { objects, hooks } = decision.prune
  if (objects.length + hooks.length > 0) return { kind: 'prune', refs: [...objects, ...hooks], why: 'surplus' }
  return preflightStep(input) ?? remember(decision)
}

/** Does the place hear what it is told? Rules that ask whether it *says* anything new ask for `silent` alone. */
export function hearsOrders({ silent }: Pick<Observed, 'silent'>): boolean {
  return silent === null || silent.hears
}

/** Told once, and again where the order was lost; forgotten when all has ended, when the place has let it go, or where nothing ever was. */
function deletionStep(input: StepInput, ledger: Ledger): SyncStep {
  const { decision, observed } = input
  const isNothing = ledger.current === null && observed.ordered === null && observed.obeyed === null
  if (observed.gone || isNothing) return { kind: 'forget' }
  const again = ledger.deletion?.told === true ? [] : unheard(ledger, observed)
  if (again.length > 0) return { kind: 'prune', refs: again, why: 'again' }
  const isTold = ledger.deletion?.told === true && observed.ordered !== null && !decision.changed
  if (ledger.deletion?.cascade !== false) {
    const stage = ledger.deletion?.told === true ? null : stageStep(input, ledger)
    return stage ?? { kind: isTold ? 'none' : 'remove' }
  }
  // The place knows first, where it hears: else it would be taken back from there on the day the store is lost.
  if (isTold && isFresh(observed)) return { kind: 'forget' }
  if (!hearsOrders(observed)) return { kind: 'forget' }
  return { kind: isTold ? 'none' : 'letGo' }
}

/** Hooks and waves that come before the end; null where there are none, or they are done. */
function stageStep({ app, decision, releases, observed, now }: StepInput, ledger: Ledger): SyncStep | null {
  const stage = deletionStage({ app, ledger, releases, observed, now })
  switch (stage.kind) {
    case 'end':
      return null
    case 'hooks': {
      const objects = stage.hooks.map(hook => hook.object)
      const { phase, wave } = stage.hooks[0]!
      const created = objects.map(object => refKey(refOf(object)))
      return { kind: 'apply', objects, hooks: stage.hooks, phase, wave, index: 0, of: 1, heal: false, ends: true, created }
    }
    case 'prune':
      return { kind: 'prune', refs: stage.refs, why: stage.isWork ? 'overtaken' : 'surplus' }
    default:
      return remember(decision)
  }
}

function remember(decision: Aim): SyncStep {
  return { kind: decision.changed ? 'remember' : 'none' }
}

function preflightStep(input: StepInput): SyncStep | null {
  const { preflight, ledger } = input.decision
  if (preflight === null) return null
  const isAsked = ledger.preflight?.release === preflight.release && ledger.preflight.round === preflight.round
  if (isAsked && !isLost(input)) return null
  const ran = ledger.good.some(good => good.release === preflight.release)
  return { kind: 'preflight', ...preflight, digests: ran ? (ledger.releases[preflight.release]?.digests ?? {}) : {} }
}

/** A question that a node does not have any more (its store was wiped) is asked again; of a cluster we ask ourselves, and know at once. */
export const askAgainMs = 30_000

function isLost({ app, decision, observed, now }: StepInput): boolean {
  const record = decision.ledger.preflight
  const patienceMs = app.destination.kind === 'cluster' ? 0 : askAgainMs
  if (record?.state !== 'asked' || now - record.askedAt < patienceMs || !isFresh(observed) || observed.silent !== null)
    return false
  return observed.preflight?.release !== record.release || observed.preflight.round !== record.round
}

/** How current's release is made to run. */
export function modeOf(ledger: Ledger): Mode {
  const attempt = ledger.attempt
  if (attempt === null) return 'sync'
  return isRollingBack(attempt) || attempt.release !== ledger.current?.release ? 'rollback' : attempt.mode
}

/** How far current's plan is. On an old report nothing counts as there: what was ordered since is not seen. */
export function currentPlan(ledger: Ledger, release: Release, observed: Observed, kinds: KindRules): PlanState {
  const mode = modeOf(ledger)
  const stages = planOf(release, mode, ledger.attempt ?? { number: 0 }, ledger.current ?? { fresh: 0 })
  const runs = ledger.current?.hookRuns ?? []
  if (isFresh(observed) || stages.length === 0) return planState(stages, mode, observed, runs, kinds)
  const ended = new Set(runs.filter(run => run.outcome !== 'running').map(run => refKey(run.ref)))
  const at = stages.findIndex(
    stage => stage.objects.length > 0 || stage.hooks.some(hook => !ended.has(refKey(refOf(hook.object)))),
  )
  const stage = stages[Math.max(at, 0)]!
  return {
    stages,
    at: Math.max(at, 0),
    missing: stage.objects,
    missingHooks: stage.hooks.filter(hook => !ended.has(refKey(refOf(hook.object)))),
  }
}

function waveStep(input: StepInput, release: Release): SyncStep | null {
  const { decision, observed, now } = input
  const { ledger } = decision
  const failHooks = syncFailHooks(ledger, input.releases)
  const state = currentPlan(ledger, release, observed, input.app.health)
  const stopped = isApplying(ledger) ? overtakenWork(input, release, state) : []
  if (stopped.length > 0) return { kind: 'prune', refs: stopped, why: 'overtaken' }
  const due = isApplying(ledger) ? dueStage(state, decision, observed, now) : null
  if (due !== null)
    return cleared(input, release, applyStep(state, due.heal, state.missing, [...state.missingHooks, ...failHooks], observed))
  if (decision.heal.length > 0) return applyStep(state, true, decision.heal, failHooks, observed)
  return failHooks.length > 0 ? applyStep(state, true, [], failHooks, observed) : null
}

/** Judged, it goes no further until it goes back. */
function isApplying({ attempt }: Ledger): boolean {
  return isRollingBack(attempt) || (isUnderWay(attempt) && attempt?.verdict === null)
}

/** The stage that comes next, if it may begin now; `heal` where it was ordered before and is not there. */
function dueStage(state: PlanState, decision: Aim, observed: Observed, now: number): { readonly heal: boolean } | null {
  if (state.at === null || state.missing.length + state.missingHooks.length === 0) return null
  const applied = decision.ledger.current?.applied ?? null
  if (applied === null) return { heal: false }
  if (!isFresh(observed)) return null
  if (state.at > applied.index) return decision.waves ? { heal: false } : null
  return (decision.ledger.heal?.nextAt ?? 0) <= now ? { heal: true } : null
}

function overtakenWork({ decision: { ledger }, releases }: StepInput, release: Release, state: PlanState): readonly ObjectRef[] {
  const nothing = { prune: false, options: [], approved: false }
  return atWork({ ...nothing, ledger, release, mode: modeOf(ledger), stages: state.stages, releases })
}

/** What stands in the way goes first, in a step of its own: stop-first. */
function cleared(input: StepInput, release: Release, step: ApplyStep): SyncStep {
  const { ledger } = input.decision
  const refs = inTheWay(step.objects, { ledger, releases: input.releases, release })
  const going = new Set((ledger.current?.pruning ?? []).map(refKey))
  const left = refs.filter(ref => !going.has(refKey(ref)))
  return left.length > 0 ? { kind: 'prune', refs: left, why: 'inTheWay' } : step
}

function applyStep(
  state: PlanState,
  heal: boolean,
  objects: readonly Manifest[],
  hooks: readonly Hook[],
  observed: Observed,
): ApplyStep {
  const index = state.at ?? state.stages.length - 1
  const stage = state.stages[index]
  const all = [...objects, ...hooks.map(hook => hook.object)]
  const live = new Set(observed.objects.map(object => refKey(object.ref)))
  return {
    kind: 'apply',
    objects: all,
    hooks,
    phase: stage?.phase ?? 'Sync',
    wave: stage?.wave ?? 0,
    index: Math.max(index, 0),
    of: state.stages.length,
    heal,
    created: all.map(object => refKey(refOf(object))).filter(key => !live.has(key)),
  }
}

/** Begun once a verdict stands, and waited for by nobody. */
function syncFailHooks(ledger: Ledger, releases: StepInput['releases']): readonly Hook[] {
  const attempt = ledger.attempt
  if (attempt === null || attempt.verdict === null || attempt.mode !== 'sync' || attempt.release === null) return []
  const release = releases(attempt.release)
  if (release === null) return []
  const begun = new Set(ledger.current?.hookRuns.map(run => refKey(run.ref)))
  return hooksOf(release, 'sync', attempt).filter(hook => hook.phase === 'SyncFail' && !begun.has(refKey(refOf(hook.object))))
}

/** 2 s, 6 s, 18 s ... 5 min (Argo CD's self-heal back-off). */
export function healBackoff(failures: number): number {
  return Math.min(2000 * 3 ** failures, 300_000)
}

/** The ledger that is written with the step. */
export function afterStep(ledger: Ledger, step: SyncStep, now: number): Ledger {
  switch (step.kind) {
    case 'none':
    case 'forget':
      return ledger
    case 'remember':
      return bumped(ledger)
    case 'remove':
    case 'letGo':
      return bumped({ ...ledger, deletion: ledger.deletion === null ? null : { ...ledger.deletion, told: true } })
    case 'preflight':
      return bumped(asked(ledger, step.release, step.round, now))
    case 'apply':
      return bumped(applied(ledger, step, now))
    case 'prune':
      return bumped(pruned(ledger, step.refs, step.why, now))
    default:
      return step satisfies never
  }
}

function bumped(ledger: Ledger): Ledger {
  return { ...ledger, version: ledger.version + 1, placed: ledger.version + 1 }
}

function asked(ledger: Ledger, release: ReleaseId, round: number, now: number): Ledger {
  const before = ledger.preflight
  const failures = before?.release === release ? before.failures : 0
  const message = failures > 0 ? (before?.message ?? '') : ''
  return { ...ledger, preflight: { release, round, askedAt: now, answeredAt: 0, state: 'asked', message, retryAt: 0, failures } }
}

function applied(ledger: Ledger, step: ApplyStep, now: number): Ledger {
  const { current, attempt } = ledger
  if (current === null || attempt === null) return ledger
  const isAside = step.heal || step.ends === true
  const keys = new Set(current.owned.map(refKey))
  const added = step.objects.map(refOf).filter(ref => !keys.has(refKey(ref)))
  const createdBy = { ...current.createdBy }
  for (const ref of added) createdBy[refKey(ref)] = step.created.includes(refKey(ref)) ? attempt.number : 0
  const sent = new Set(step.objects.map(object => refKey(refOf(object))))
  const next = {
    ...current,
    owned: [...current.owned, ...added],
    createdBy,
    staying: stayingAfter(current, step.objects),
    applied: isAside ? current.applied : { phase: step.phase, wave: step.wave, index: step.index, of: step.of },
    hookRuns: withRuns(current.hookRuns, step, step.ends ? deletionNumber(ledger) : attempt.number, now),
    pruning: current.pruning.filter(ref => !sent.has(refKey(ref))),
    refused: [],
  }
  const heal = step.heal
    ? { failures: (ledger.heal?.failures ?? 0) + 1, nextAt: now + healBackoff(ledger.heal?.failures ?? 0) }
    : ledger.heal
  return { ...ledger, current: next, heal, attempt: isAside ? attempt : onWave(attempt, step, now) }
}

function stayingAfter({ staying = {} }: Current, sent: readonly Manifest[]): NonNullable<Current['staying']> {
  const all = { ...staying, ...Object.fromEntries(sent.map(object => [refKey(refOf(object)), staysOf(object)])) }
  return Object.fromEntries(Object.entries(all).filter(([, stays]) => stays.length > 0))
}

function withRuns(runs: readonly HookRun[], step: ApplyStep, attempt: number, now: number): readonly HookRun[] {
  const begun = step.hooks.map(hook => ({
    key: hook.key,
    ref: refOf(hook.object),
    attempt,
    phase: hook.phase,
    wave: hook.wave,
    hash: hook.hash,
    reversible: hook.reversible,
    interruptible: hook.interruptible,
    policies: hook.policies,
    startedAt: now,
    outcome: 'running' as const,
  }))
  const again = new Set(begun.map(run => refKey(run.ref)))
  return [...runs.filter(run => !again.has(refKey(run.ref))), ...begun]
}

function onWave(attempt: Attempt, step: ApplyStep, now: number): Attempt {
  const { phase, wave, index, of } = step
  const next: Step = attempt.step.name === 'RollingBack' ? attempt.step : { name: 'Syncing', phase, wave, index: index + 1, of }
  const message = `wave ${index + 1} of ${of}${phase === 'Sync' ? '' : `, ${phase}`}: ${objectsText(step.objects)}`
  return {
    ...attempt,
    step: next,
    message: attempt.step.name === 'RollingBack' ? attempt.message : message,
    moves: [...attempt.moves, { at: now, step: next.name, message }],
    clocks: { ...attempt.clocks, stageAt: now },
    progress: { ...attempt.progress, at: now, waves: attempt.progress.waves + 1 },
    counts: { ...attempt.counts, changed: attempt.counts.changed + step.objects.length },
  }
}

/** By name where they are few. */
function objectsText(objects: readonly Manifest[]): string {
  if (objects.length > 3) return `${objects.length} objects`
  return objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`).join(', ')
}

const pruneTexts: Readonly<Record<Exclude<PruneReason, 'again'>, (refs: readonly ObjectRef[]) => string>> = {
  surplus: refs => `${refs.length} pruned`,
  inTheWay: refs => `stop-first: ${refs.length} removed before their ports and routes are taken`,
  overtaken: refs => `stopped before going on: ${refs.map(ref => `${ref.kind} ${ref.name}`).join(', ')}`,
}

function pruned(ledger: Ledger, refs: readonly ObjectRef[], why: PruneReason, now: number): Ledger {
  const { current, attempt } = ledger
  if (current === null || attempt === null || why === 'again') return ledger
  const gone = new Set(refs.map(refKey))
  const message = pruneTexts[why](refs)
  return {
    ...ledger,
    current: {
      ...current,
      owned: current.owned.filter(ref => !gone.has(refKey(ref))),
      createdBy: Object.fromEntries(Object.entries(current.createdBy).filter(([key]) => !gone.has(key))),
      staying: Object.fromEntries(Object.entries(current.staying ?? {}).filter(([key]) => !gone.has(key))),
      hookRuns: current.hookRuns
        .filter(run => !gone.has(refKey(run.ref)) || run.attempt === attempt.number)
        .map(run => (gone.has(refKey(run.ref)) && run.outcome === 'running' ? { ...run, outcome: 'failed' as const } : run)),
      pruning: [...current.pruning, ...refs],
    },
    attempt: prunedIn(ledger, attempt, refs, message, now),
  }
}

/** Of one that is over nothing more is told (what is tidied later, its hooks, is no move of it) but what a person let go. */
function prunedIn(ledger: Ledger, attempt: Attempt, refs: readonly ObjectRef[], message: string, now: number): Attempt {
  if (attempt.outcome === null) return withPruned(attempt, refs.length, message, now)
  const hooks = new Set(ledger.current?.hookRuns.map(run => refKey(run.ref)))
  const objects = refs.filter(ref => !hooks.has(refKey(ref)))
  if (objects.length === 0 || ledger.deletion !== null) return attempt
  const by = ledger.approval === undefined ? '' : ` by ${ledger.approval.by.name}`
  const told = withPruned(attempt, objects.length, `${namedText(objects)} pruned, as approved${by}`, now)
  return { ...told, moves: told.moves.with(-1, { ...told.moves.at(-1)!, step: 'Pruned' }) }
}

function withPruned(attempt: Attempt, count: number, message: string, now: number): Attempt {
  return {
    ...attempt,
    moves: [...attempt.moves, { at: now, step: attempt.step.name, message }],
    counts: { ...attempt.counts, pruned: attempt.counts.pruned + count },
  }
}

/** What the place answered to an apply: refusals are signs; what was there before us is not ours to remove when going back. */
export function afterApplied(ledger: Ledger, results: readonly Applied[]): Ledger {
  const current = ledger.current
  const refused = results.filter(one => one.result === 'refused').map(one => ({ ref: one.ref, message: one.message }))
  if (current === null || refused.length === 0) return ledger
  return { ...ledger, version: ledger.version + 1, current: { ...current, refused } }
}

/** The release that a rollback of current would go to; null where there is none. */
export function fallback(ledger: Ledger): ReleaseId | null {
  return goodRelease(ledger, ledger.current?.release ?? null)?.release ?? null
}
