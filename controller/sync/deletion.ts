// The way of a deletion that ends what runs: PreDelete hooks, the objects from the highest wave down, PostDelete hooks, the end
// (gitops-engine; argo-cd controller/hook.go, sort_delete.go). Levels only: what comes next is read off the ledger and the world.
import { type ObjectRef, refKey, refOf, refText } from '../../runtime/contract/manifest.js'
import type { Application } from '../application.js'
import type { Observed } from '../cluster/cluster.js'
import { isFresh } from '../health/assess.js'
import type { Current, HookRun, Ledger, Phase } from '../ledger.js'
import { type Hook, hookOf, phasesOn, waveOf } from '../release/hooks.js'
import { keptKinds } from '../release/sent.js'
import type { Release, ReleaseId } from '../release.js'
import { consentTo, isApproved, manifestOf, namedText } from './consent.js'
import { byKind } from './order.js'

export interface DeletionInput {
  readonly app: Pick<Application, 'sync' | 'rollout' | 'annotations' | 'destination'>
  readonly ledger: Ledger
  readonly releases: (id: ReleaseId) => Release | null
  readonly observed: Observed
  readonly now: number
}

export type DeletionStage =
  /** A person has to say first that these may go; until then nothing is touched. */
  | { readonly kind: 'asks'; readonly refs: readonly ObjectRef[]; readonly message: string }
  | { readonly kind: 'hooks'; readonly hooks: readonly Hook[]; readonly message: string }
  /** What is at work still, or the objects of the highest wave. */
  | { readonly kind: 'prune'; readonly refs: readonly ObjectRef[]; readonly isWork: boolean; readonly message: string }
  | { readonly kind: 'waits'; readonly message: string; readonly until: number }
  /** A hook failed, or did not end in time: nothing goes on without a person's word. */
  | { readonly kind: 'stuck'; readonly message: string }
  /** All that is left may end at once. */
  | { readonly kind: 'end' }
  /** All that is left is to stay, and its place knows no other way than to be told so of all. */
  | { readonly kind: 'letGo' }

export function deletionStage(input: DeletionInput): DeletionStage {
  const { ledger, observed } = input
  const { deletion, current } = ledger
  if (deletion === null || current === null) return { kind: 'end' }
  const asking = askingToGo(input, current)
  if (asking.length > 0)
    return { kind: 'asks', refs: asking, message: `waiting for a word: is ${namedText(asking)} to be deleted?` }
  const release = input.releases(current.release)
  if (release === null) return { kind: 'end' }
  const skips = deletion.skipHooks === true
  const before = skips ? [] : deleteHooks(release, 'PreDelete', ledger)
  const after = skips ? [] : deleteHooks(release, 'PostDelete', ledger)
  const waves = waveGroups(input, current)
  const leaves = leavesSome(input, current)
  const end: DeletionStage = leaves ? { kind: 'letGo' } : { kind: 'end' }
  if (before.length + after.length === 0 && waves.length < (leaves ? 1 : 2)) return end
  if (!isFresh(observed) || observed.silent !== null) return { kind: 'waits', message: '', until: 0 }
  return (
    stopped(current, [...before, ...after]) ??
    hookStage(input, current, before) ??
    waveStage(current, after.length > 0 || leaves ? waves : waves.slice(0, -1)) ??
    hookStage(input, current, after) ??
    end
  )
}

/** Nobody has said yet that they may be deleted. Data stays anyway; what is known not to be there is asked for no more. */
export function askingToGo(input: DeletionInput, current: Current): readonly ObjectRef[] {
  const { app, ledger, observed } = input
  if (ledger.deletion?.told === true || isApproved(app, ledger, ledger.deletion?.at ?? 0)) return []
  const isKnown = isFresh(observed) && observed.silent === null
  const there = new Set(observed.objects.map(object => refKey(object.ref)))
  const facts = { ...input, options: app.sync.options }
  return current.owned.filter(
    ref => !keptKinds.has(ref.kind) && consentTo('delete', ref, facts) === 'confirm' && (!isKnown || there.has(refKey(ref))),
  )
}

/** A node ends all of an application or none: what is to stay there is let go once the rest is gone. */
function leavesSome(input: DeletionInput, { owned }: Current): boolean {
  const { app } = input
  const facts = { ...input, options: app.sync.options }
  return app.destination.kind === 'node' && owned.some(ref => consentTo('delete', ref, facts) === 'no')
}

/** Named from the attempt that would come next, which none does any more, and from how often they were begun. */
export function deletionNumber({ nextAttempt, deletion }: Ledger): number {
  return nextAttempt + (deletion?.round ?? 0)
}

function deleteHooks(release: Release, phase: Phase, ledger: Ledger): readonly Hook[] {
  const hooks = release.objects.filter(object => phasesOn(object, 'delete').includes(phase))
  return hooks.map(object => hookOf(object, phase, deletionNumber(ledger)))
}

/** A release that was under way is left: its hooks do not go on beside those of the deletion. */
function stopped({ hookRuns, owned }: Current, planned: readonly Hook[]): DeletionStage | null {
  const known = new Set(planned.map(({ object }) => refKey(refOf(object))))
  const there = new Set(owned.map(refKey))
  const left = hookRuns.filter(run => run.outcome === 'running' && !known.has(refKey(run.ref)) && there.has(refKey(run.ref)))
  const refs = left.map(run => run.ref)
  return refs.length === 0 ? null : { kind: 'prune', refs, isWork: true, message: `stopping ${refs.map(refText).join(', ')}` }
}

/** The lowest wave of them that has not succeeded; null where all have. */
function hookStage(input: DeletionInput, current: Current, hooks: readonly Hook[]): DeletionStage | null {
  const runs = new Map(current.hookRuns.map(run => [refKey(run.ref), run]))
  const runOf = (hook: Hook) => runs.get(refKey(refOf(hook.object)))
  const open = hooks.filter(hook => runOf(hook)?.outcome !== 'succeeded')
  if (open.length === 0) return null
  const lowest = Math.min(...open.map(hook => hook.wave))
  const together = open.filter(hook => hook.wave === lowest)
  const [turn] = together.filter(hook => hook.inTurn).toSorted((a, b) => byKind(a.object, b.object))
  const stage = together.filter(hook => !hook.inTurn || hook === turn)
  const begun = stage.flatMap(hook => runOf(hook) ?? [])
  const failed = begun.map(run => failureOf(run, input)).find(text => text !== '')
  if (failed !== undefined) return { kind: 'stuck', message: failed }
  const missing = stage.filter(hook => runOf(hook) === undefined)
  const message = `${stage[0]!.phase}: ${stage.map(({ object }) => refText(refOf(object))).join(', ')}`
  if (missing.length > 0) return { kind: 'hooks', hooks: missing, message }
  return { kind: 'waits', message, until: Math.min(...begun.map(run => run.startedAt)) + input.app.rollout.healthTimeoutMs }
}

function failureOf(run: HookRun, { now, app }: DeletionInput): string {
  const hookTimeoutMs = app.rollout.healthTimeoutMs
  if (run.outcome === 'failed') return `${run.phase} hook ${refText(run.ref)} failed`
  const isLate = run.outcome === 'running' && now - run.startedAt >= hookTimeoutMs
  return isLate ? `${run.phase} hook ${refText(run.ref)} did not end in ${Math.round(hookTimeoutMs / 1000)} s` : ''
}

/** What is to go, wave by wave, the highest first; what is told to go already among it. Data, and what is to stay, is nobody's here. */
function waveGroups(input: DeletionInput, { owned, pruning, hookRuns }: Current): readonly (readonly ObjectRef[])[] {
  const hooks = new Set(hookRuns.map(run => refKey(run.ref)))
  const groups = new Map<number, ObjectRef[]>()
  for (const ref of [...owned, ...pruning]) {
    const object = manifestOf(ref, input)
    if (keptKinds.has(ref.kind) || hooks.has(refKey(ref))) continue
    if (consentTo('delete', ref, { ...input, options: input.app.sync.options }) === 'no') continue
    const wave = object === null ? 0 : waveOf(object)
    groups.set(wave, [...(groups.get(wave) ?? []), ref])
  }
  return [...groups.entries()].toSorted(([a], [b]) => b - a).map(([, refs]) => refs)
}

/** The highest wave goes; the next one when nothing of it is left. */
function waveStage({ pruning }: Current, waves: readonly (readonly ObjectRef[])[]): DeletionStage | null {
  const [highest] = waves
  if (highest === undefined) return null
  const going = new Set(pruning.map(refKey))
  const refs = highest.filter(ref => !going.has(refKey(ref)))
  const message = `ending ${highest.length <= 3 ? highest.map(refText).join(', ') : `${highest.length} objects`}`
  if (refs.length > 0) return { kind: 'prune', refs, isWork: false, message }
  return { kind: 'waits', message, until: 0 }
}
