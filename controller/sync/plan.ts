// A release as the stages in which it is applied: phase by phase, wave by wave, objects and hooks of one wave together.
import { manifestHash } from '../../runtime/contract/hash.js'
import { type Manifest, refKey, refOf } from '../../runtime/contract/manifest.js'
import type { Observed } from '../cluster/cluster.js'
import { healthIn, isSettled } from '../health/rules.js'
import type { KindRules } from '../health/written.js'
import type { Attempt, HookRun, Phase } from '../ledger.js'
import { type Hook, hookOf, type Occasion, phasesOn, waveOf } from '../release/hooks.js'
import { asSent, ordinaryObjects, type Stamp, staysForward } from '../release/sent.js'
import type { Release } from '../release.js'
import { inOrder, type Task } from './order.js'

/** `sync`: all; `partial`: no hooks; `rollback`: no hooks but those marked for it, and what must not go back is left; `adopt`: it runs already, no hooks. */
export type Mode = 'sync' | 'partial' | 'rollback' | 'adopt'

export interface Stage {
  readonly phase: Phase
  readonly wave: number
  /** As they are sent. */
  readonly objects: readonly Manifest[]
  readonly hooks: readonly Hook[]
}

/** How far a plan is, read off the world. */
export interface PlanState {
  readonly stages: readonly Stage[]
  /** The first stage that is not there and healthy; null when all are. */
  readonly at: number | null
  /** Of that stage: what is not there (missing or different). */
  readonly missing: readonly Manifest[]
  readonly missingHooks: readonly Hook[]
}

const planned: readonly Phase[] = ['PreSync', 'Sync', 'PostSync', 'Test']

/** What of an attempt says which hooks run, and under which names. */
export type Trial = Pick<Attempt, 'number' | 'installs' | 'tests'>

export function planOf(release: Release, mode: Mode, attempt: Trial, stamp: Stamp): readonly Stage[] {
  const objects = ordinaryObjects(release).map(object => ({
    phase: 'Sync' as Phase,
    wave: waveOf(object),
    object: asSent(object, stamp),
    hook: null,
  }))
  const hooks = hooksOf(release, mode, attempt)
    .filter(hook => planned.includes(hook.phase))
    .map(hook => ({
      ...hook,
      object: asSent(hook.object, stamp),
      hook: { ...hook, object: asSent(hook.object, stamp) } as Hook | null,
    }))
  const tasks: readonly (Task & { readonly hook: Hook | null })[] = [...objects, ...hooks]
  const stages: { phase: Phase; wave: number; objects: Manifest[]; hooks: Hook[] }[] = []
  for (const { phase, wave, object, hook } of inOrder(tasks)) {
    const last = stages.at(-1)
    const isSame = last?.phase === phase && last.wave === wave && !(isInTurn(hook) && last.hooks.some(isInTurn))
    const stage = isSame ? last : { phase, wave, objects: [], hooks: [] }
    if (stage !== last) stages.push(stage)
    if (hook === null) stage.objects.push(object)
    else stage.hooks.push(hook)
  }
  return stages
}

/** Helm runs hooks of one weight one after the other, by name (pkg/action/hooks.go); Argo CD those of one wave together. */
function isInTurn(hook: Hook | null): boolean {
  return hook?.inTurn === true
}

export function hooksOf(release: Release, mode: Mode, { number, installs, tests = false }: Trial): readonly Hook[] {
  if (mode === 'adopt' || mode === 'partial') return []
  const occasions: readonly Occasion[] =
    mode === 'rollback' ? ['rollback'] : installs === undefined ? ['install', 'upgrade'] : [installs ? 'install' : 'upgrade']
  return release.objects.flatMap(object => {
    const phases = new Set(occasions.flatMap(occasion => phasesOn(object, occasion)))
    return [...phases].filter(phase => tests || phase !== 'Test').map(phase => hookOf(object, phase, number))
  })
}

/** Every form of a hook that a release has: what a changed one is told from. */
export function hookHashes(release: Release | null): ReadonlySet<string> {
  const all = release === null ? [] : hooksOf(release, 'sync', { number: 0, tests: true })
  return new Set(all.map(hook => hook.hash))
}

/** `kinds`: what people wrote of the health of kinds. */
export function planState(
  stages: readonly Stage[],
  mode: Mode,
  observed: Observed,
  runs: readonly HookRun[],
  kinds: KindRules,
): PlanState {
  const live = new Map(observed.objects.map(object => [refKey(object.ref), object]))
  const isThere = (object: Manifest) => {
    const found = live.get(refKey(refOf(object)))
    return found !== undefined && (found.hash === manifestHash(object) || (mode === 'rollback' && staysForward(object)))
  }
  for (const [at, stage] of stages.entries()) {
    const missing = stage.objects.filter(object => !isThere(object))
    const missingHooks = stage.hooks.filter(hook => !hasRun(hook, runs) && !live.has(refKey(refOf(hook.object))))
    const healthy = stage.objects.every(object => isSettled(healthIn(object, live.get(refKey(refOf(object))), kinds)))
    const hooked = stage.hooks.every(hook => hasSucceeded(hook, runs))
    if (missing.length > 0 || missingHooks.length > 0 || !healthy || !hooked) return { stages, at, missing, missingHooks }
  }
  return { stages, at: null, missing: [], missingHooks: [] }
}

function hasRun(hook: Hook, runs: readonly HookRun[]): boolean {
  return runs.some(run => isRunOf(run, hook) && run.outcome !== 'running')
}

function hasSucceeded(hook: Hook, runs: readonly HookRun[]): boolean {
  return runs.some(run => isRunOf(run, hook) && run.outcome === 'succeeded')
}

function isRunOf(run: HookRun, hook: Hook): boolean {
  return run.key === hook.key && refKey(run.ref) === refKey(refOf(hook.object))
}
