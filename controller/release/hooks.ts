// Which objects are hooks, in which phase and wave, and under which name one runs: Argo CD's annotations, and Helm's mapped onto them
// (gitops-engine pkg/sync/hook, syncwaves; argo-cd docs/user-guide/helm.md).
import { contentHash } from '../../runtime/contract/hash.js'
import { type Manifest, type ObjectRef, refKey, refOf } from '../../runtime/contract/manifest.js'
import type { Phase } from '../ledger.js'

const argoHook = 'argocd.argoproj.io/hook'
const helmHook = 'helm.sh/hook'
const rollbackMark = 'slipway.dev/on-rollback'

const phases: readonly string[] = ['PreSync', 'Sync', 'PostSync', 'SyncFail', 'PreDelete', 'PostDelete']

/** What a release is applied for. `any`: every hook that it could have, whatever for. */
export type Occasion = 'install' | 'upgrade' | 'rollback' | 'delete' | 'any'

/** Helm's words, and for what they run (helm.sh/docs/topics/charts_hooks). */
const helmOccasions: Readonly<Record<string, readonly [Phase, readonly Occasion[]]>> = {
  'pre-install': ['PreSync', ['install']],
  'pre-upgrade': ['PreSync', ['upgrade']],
  'post-install': ['PostSync', ['install']],
  'post-upgrade': ['PostSync', ['upgrade']],
  'pre-rollback': ['PreSync', ['rollback']],
  'post-rollback': ['PostSync', ['rollback']],
  'pre-delete': ['PreDelete', ['delete']],
  'post-delete': ['PostDelete', ['delete']],
  test: ['Test', ['install', 'upgrade']],
  'test-success': ['Test', ['install', 'upgrade']],
}

const helmPolicies: Readonly<Record<string, string>> = {
  'before-hook-creation': 'BeforeHookCreation',
  'hook-succeeded': 'HookSucceeded',
  'hook-failed': 'HookFailed',
}

/** One hook of a release, as it runs in one attempt. */
export interface Hook {
  readonly key: string
  readonly phase: Phase
  readonly wave: number
  /** Named from attempt and hook, so that it is found again and never run twice. */
  readonly object: Manifest
  readonly hash: string
  readonly policies: readonly string[]
  readonly reversible: boolean
  readonly interruptible: boolean
  /** One of Helm's that does work: no other such runs beside it. */
  readonly inTurn: boolean
}

export function annotation(object: Manifest, name: string): string {
  return object.metadata?.annotations?.[name] ?? ''
}

function words(text: string): readonly string[] {
  return text
    .split(',')
    .map(word => word.trim())
    .filter(word => word !== '')
}

/** What an object says it is: phases, and `Skip`. Argo CD's own annotation wins over Helm's. */
export function hookTypes(object: Manifest): readonly (Phase | 'Skip')[] {
  const own = words(annotation(object, argoHook)).filter(word => phases.includes(word) || word === 'Skip')
  if (annotation(object, argoHook) !== '') return unique(own) as readonly (Phase | 'Skip')[]
  return helmPhases(object, 'any')
}

/** Argo CD's mapping leaves out what it has no word for: tests and rollbacks run only where they are asked for by name. */
function helmPhases(object: Manifest, occasion: Occasion): readonly Phase[] {
  const found = words(annotation(object, helmHook)).flatMap(word => {
    const [phase, occasions] = helmOccasions[word] ?? []
    if (phase === undefined || occasions === undefined) return []
    if (occasion === 'any') return phase === 'Test' || occasions.includes('rollback') ? [] : [phase]
    return occasions.includes(occasion) ? [phase] : []
  })
  return unique(found)
}

const deletePhases: readonly Phase[] = ['PreDelete', 'PostDelete']

/** The phases in which it runs on this occasion. Argo CD's hooks know no install and no upgrade; on a rollback run those marked for it. */
export function phasesOn(object: Manifest, occasion: Occasion): readonly Phase[] {
  if (isSkipped(object)) return []
  if (annotation(object, argoHook) === '' && annotation(object, rollbackMark) !== 'true') return helmPhases(object, occasion)
  const own = hookPhases(object)
  if (occasion === 'any') return own
  if (occasion === 'delete') return own.filter(phase => deletePhases.includes(phase))
  const isForRollback = annotation(object, rollbackMark) === 'true'
  return isForRollback === (occasion === 'rollback') ? own.filter(phase => !deletePhases.includes(phase)) : []
}

/** Kept out of the sync altogether: `Skip` and nothing else. */
export function isSkipped(object: Manifest): boolean {
  const types = hookTypes(object)
  return types.length === 1 && types[0] === 'Skip'
}

export function hookPhases(object: Manifest): readonly Phase[] {
  return hookTypes(object).filter(type => type !== 'Skip')
}

function unique<T>(items: readonly T[]): readonly T[] {
  return [...new Set(items)]
}

/** One of no known phase is never run, and is no ordinary object either. `crd-install` is Helm 2's word for a plain CRD. */
export function isHook(object: Manifest): boolean {
  if (annotation(object, argoHook) !== '') return !isSkipped(object)
  const helm = words(annotation(object, helmHook))
  return helm.length > 0 && !helm.includes('crd-install')
}

/** Marked as one that runs only when a release is gone back to. */
export function isRollbackHook(object: Manifest): boolean {
  return annotation(object, rollbackMark) === 'true'
}

/** The sync wave, else Helm's hook weight (on any object), else 0. */
export function waveOf(object: Manifest): number {
  for (const name of ['argocd.argoproj.io/sync-wave', 'helm.sh/hook-weight']) {
    const text = annotation(object, name).trim()
    if (/^[+-]?\d+$/.test(text)) return Number(text)
  }
  return 0
}

export function deletePolicies(object: Manifest): readonly string[] {
  const own = words(annotation(object, 'argocd.argoproj.io/hook-delete-policy')).filter(isPolicy)
  const helm = words(annotation(object, 'helm.sh/hook-delete-policy')).map(word => helmPolicies[word] ?? '')
  const given = [...own, ...helm.filter(isPolicy)]
  return given.length > 0 ? unique(given) : ['BeforeHookCreation']
}

function isPolicy(word: string): boolean {
  return word === 'HookSucceeded' || word === 'HookFailed' || word === 'BeforeHookCreation'
}

/** Of a hook as the release has it: what "in this form" means for the barrier. */
export function hookHash(object: Manifest): string {
  return contentHash(object)
}

export function hookKey(phase: Phase, ref: ObjectRef): string {
  return `${phase}/${refKey(ref)}`
}

export function hookOf(object: Manifest, phase: Phase, attempt: number): Hook {
  return {
    key: hookKey(phase, refOf(object)),
    phase,
    wave: waveOf(object),
    object: lasting(named(object, phase, attempt)),
    hash: hookHash(object),
    policies: unique([...deletePolicies(object), ...(ends(object) ? ['HookSucceeded'] : [])]),
    reversible: annotation(object, 'slipway.dev/reversible') === 'true',
    interruptible: annotation(object, 'slipway.dev/interruptible') === 'true',
    inTurn: annotation(object, argoHook) === '' && (object.kind === 'Job' || object.kind === 'Pod'),
  }
}

/** A Job that is to go by itself once it has ended. */
function ends({ kind, spec }: Manifest): boolean {
  return kind === 'Job' && (spec as { ttlSecondsAfterFinished?: unknown } | undefined)?.ttlSecondsAfterFinished !== undefined
}

/** Gone before anybody has seen how it ended, it would be waited for as one that never does: it goes when its release is healthy. */
function lasting(object: Manifest): Manifest {
  if (!ends(object)) return object
  const { ttlSecondsAfterFinished: _, ...spec } = object.spec as Readonly<Record<string, unknown>>
  return { ...object, spec }
}

/** `migrate` in attempt 7 runs as `migrate-presync-7`; what a hook's Job needs (a ConfigMap, an account) keeps its name. */
function named(object: Manifest, phase: Phase, attempt: number): Manifest {
  if (object.kind !== 'Job' && object.kind !== 'Pod') return object
  const base = object.metadata.name || String(object.metadata.generateName ?? object.kind.toLowerCase())
  const suffix = `-${phase.toLowerCase()}-${attempt}`
  const { generateName: _, ...metadata } = object.metadata
  // a Job's pods get six more characters, and names end at 63
  return { ...object, metadata: { ...metadata, name: `${base.slice(0, 57 - suffix.length).replace(/[-.]+$/, '')}${suffix}` } }
}
