// What a place holds of an application and its release does not name: what is pruned after health, removed after going back,
// or stands in the way of something new.
import { manifestHash } from '../../runtime/contract/hash.js'
import { type Manifest, type ObjectRef, refKey, refOf } from '../../runtime/contract/manifest.js'
import type { Observed } from '../cluster/cluster.js'
import type { Current, HookRun, Ledger } from '../ledger.js'
import { keptKinds, ordinaryObjects, staysForward } from '../release/sent.js'
import type { Release, ReleaseId } from '../release.js'
import { consentTo, manifestOf, staysIn } from './consent.js'
import type { Mode, Stage } from './plan.js'

export interface Surplus {
  readonly objects: readonly ObjectRef[]
  /** Hooks that have done their work; taking them away needs no second bake. */
  readonly hooks: readonly ObjectRef[]
}

export interface SurplusInput {
  readonly ledger: Ledger
  readonly release: Release
  readonly mode: Mode
  readonly prune: boolean
  /** `syncOptions` of the application. */
  readonly options: readonly string[]
  /** A person has said that what asks for it may go. */
  readonly approved: boolean
  readonly stages: readonly Stage[]
  readonly releases: (id: ReleaseId) => Release | null
}

export function surplusOf(input: SurplusInput): Surplus {
  const current = input.ledger.current
  if (current === null) return { objects: [], hooks: [] }
  const wanted = new Set(ordinaryObjects(input.release).map(object => refKey(refOf(object))))
  const going = new Set(current.pruning.map(refKey))
  const hooks = doneHooks(current, input).filter(ref => !going.has(refKey(ref)) && !wanted.has(refKey(ref)))
  return { objects: extraIn(current, input).filter(ref => mayGo(ref, current, input)), hooks }
}

/** Of what would go, that for which a person has to say so first, said or not. */
export function askingIn(input: SurplusInput): readonly ObjectRef[] {
  const { current } = input.ledger
  if (current === null) return []
  return extraIn(current, input).filter(ref => fateOf(ref, current, input) === 'asks')
}

/** What is owned and the release does not name. */
function extraIn(current: Current, input: SurplusInput): readonly ObjectRef[] {
  const wanted = new Set(ordinaryObjects(input.release).map(object => refKey(refOf(object))))
  const hooks = new Set(current.hookRuns.map(run => refKey(run.ref)))
  const going = new Set(current.pruning.map(refKey))
  return current.owned.filter(ref => !wanted.has(refKey(ref)) && !hooks.has(refKey(ref)) && !going.has(refKey(ref)))
}

function mayGo(ref: ObjectRef, current: Current, input: SurplusInput): boolean {
  const fate = fateOf(ref, current, input)
  return fate === 'goes' || (fate === 'asks' && input.approved)
}

/** Going back removes what was created since, whatever the policy; a sync prunes where the policy says so. Data is never taken. */
function fateOf(ref: ObjectRef, current: Current, input: SurplusInput): 'goes' | 'asks' | 'stays' {
  if (keptKinds.has(ref.kind)) return 'stays'
  const isBack = input.mode === 'rollback'
  const consent = consentTo('prune', ref, isBack ? { ...input, options: [] } : input)
  if (consent === 'no' || !(isBack ? isLeftBehind(ref, current, input) : input.prune)) return 'stays'
  return consent === 'confirm' ? 'asks' : 'goes'
}

function isLeftBehind(ref: ObjectRef, current: Current, input: SurplusInput): boolean {
  if (staysIn(ref, input).includes('rollback')) return false
  return (current.createdBy[refKey(ref)] ?? 0) > (input.ledger.attempt?.createdAfter ?? 0)
}

/** Going back: what was made since and stays, and what both have and stays as the newer one has it. `live`: hash by refKey. */
export function leftForward(input: SurplusInput, live: ReadonlyMap<string, string>): readonly ObjectRef[] {
  const { current, attempt } = input.ledger
  if (current === null) return []
  const ordinary = ordinaryObjects(input.release)
  const wanted = new Set(ordinary.map(object => refKey(refOf(object))))
  const hookKeys = new Set(current.hookRuns.map(run => refKey(run.ref)))
  const isNewer = (ref: ObjectRef) => (current.createdBy[refKey(ref)] ?? 0) > (attempt?.createdAfter ?? 0)
  const kept = current.owned.filter(
    ref => !wanted.has(refKey(ref)) && !hookKeys.has(refKey(ref)) && isNewer(ref) && !mayGo(ref, current, input),
  )
  const failed = attempt?.release ? input.releases(attempt.release) : null
  const newer = new Map(failed?.objects.map(object => [refKey(refOf(object)), manifestHash(object)]))
  const forward = ordinary.filter(object => {
    const [key, hash] = [refKey(refOf(object)), manifestHash(object)]
    return staysForward(object) && (newer.get(key) ?? hash) !== hash && (live.get(key) ?? hash) !== hash
  })
  return [...kept, ...forward.map(refOf)]
}

/** Told to go by a controller that ended, or was refused, before the place had heard it: there, and not going. On a node the document tells it. */
export function unheard(ledger: Ledger, observed: Pick<Observed, 'objects' | 'silent'>): readonly ObjectRef[] {
  const pruning = new Set((ledger.current?.pruning ?? []).map(refKey))
  if (pruning.size === 0 || observed.silent !== null) return []
  const stays = observed.objects.filter(
    ({ live, isTold }) => live !== undefined && live.metadata.deletionTimestamp === undefined && isTold !== true,
  )
  return stays.map(({ ref }) => ref).filter(ref => pruning.has(refKey(ref)))
}

const workKinds = new Set(['Job', 'CronJob'])

/**
 * Hooks that still run for what was left or is gone back from, and, when going back, Jobs that only that has: beside what comes next they
 * would do its work once more, or undo it. Hooks for a failure clean up, and may go on.
 */
export function atWork(input: SurplusInput): readonly ObjectRef[] {
  const { current, attempt } = input.ledger
  if (current === null) return []
  const planned = new Set(input.stages.flatMap(stage => stage.hooks.map(hook => refKey(refOf(hook.object)))))
  const wanted = new Set(ordinaryObjects(input.release).map(object => refKey(refOf(object))))
  const going = new Set(current.pruning.map(refKey))
  const runs = current.hookRuns.filter(run => run.outcome === 'running' && run.phase !== 'SyncFail' && isWork(run.ref))
  const hooks = runs.filter(run => run.attempt !== attempt?.number || input.mode === 'rollback').map(run => run.ref)
  const jobs = input.mode === 'rollback' ? current.owned.filter(ref => workKinds.has(ref.kind) && mayGo(ref, current, input)) : []
  const hookKeys = new Set(current.hookRuns.map(run => refKey(run.ref)))
  const extra = jobs.filter(ref => !wanted.has(refKey(ref)) && !hookKeys.has(refKey(ref)))
  return [...hooks.filter(ref => !planned.has(refKey(ref))), ...extra].filter(ref => !going.has(refKey(ref)))
}

function isWork({ kind }: ObjectRef): boolean {
  return kind === 'Job' || kind === 'Pod'
}

/** Of earlier attempts, or done with a policy that says so. What this attempt's plan still names stays. */
function doneHooks(current: Current, { ledger, stages }: SurplusInput): readonly ObjectRef[] {
  const planned = new Set(stages.flatMap(stage => stage.hooks.map(hook => refKey(refOf(hook.object)))))
  const isDone = (run: HookRun) => {
    if (run.outcome === 'succeeded' && run.policies.includes('HookSucceeded')) return true
    if (run.outcome === 'failed' && run.policies.includes('HookFailed')) return true
    return run.attempt !== ledger.attempt?.number && !planned.has(refKey(run.ref))
  }
  const owned = new Set(current.owned.map(refKey))
  return current.hookRuns.filter(run => isDone(run) && owned.has(refKey(run.ref))).map(run => run.ref)
}

/** Owned objects that the new release does not name and that hold a port or route that `coming` needs: they must go first. */
export function inTheWay(
  coming: readonly Manifest[],
  input: Pick<SurplusInput, 'ledger' | 'releases' | 'release'>,
): readonly ObjectRef[] {
  const needed = new Set(coming.flatMap(claimsOf))
  if (needed.size === 0) return []
  const wanted = new Set(input.release.objects.map(object => refKey(refOf(object))))
  return (input.ledger.current?.owned ?? []).filter(ref => {
    if (wanted.has(refKey(ref))) return false
    // Kept by its author's word, it stands there, and what needs its place is refused for it.
    const kept = staysIn(ref, input).some(one => one === 'prune' || one === 'Prune=confirm')
    const object = kept ? null : manifestOf(ref, input)
    return object !== null && claimsOf(object).some(claim => needed.has(claim))
  })
}

/** What only one object can have: node ports, load-balancer ports, host ports, Ingress routes. */
export function claimsOf(object: Manifest): readonly string[] {
  const spec = (object.spec ?? {}) as Record<string, unknown>
  if (object.kind === 'Service') return serviceClaims(spec)
  if (object.kind === 'Ingress') return ingressClaims(spec)
  const template = (spec.template ?? {}) as { spec?: unknown }
  const pod = (object.kind === 'Pod' ? spec : (template.spec ?? {})) as { containers?: unknown }
  return list(pod.containers).flatMap(container =>
    list(container.ports).flatMap(port => (port.hostPort ? [`host/${port.hostPort}/${port.protocol ?? 'TCP'}`] : [])),
  )
}

function serviceClaims(spec: Record<string, unknown>): readonly string[] {
  return list(spec.ports).flatMap(port => {
    const protocol = port.protocol ?? 'TCP'
    const node = port.nodePort ? [`node/${port.nodePort}/${protocol}`] : []
    return spec.type === 'LoadBalancer' ? [...node, `balancer/${spec.loadBalancerIP ?? ''}/${port.port}/${protocol}`] : node
  })
}

function ingressClaims(spec: Record<string, unknown>): readonly string[] {
  return list(spec.rules).flatMap(rule => {
    const paths = list((rule.http as { paths?: unknown } | undefined)?.paths)
    return paths.map(path => `route/${spec.ingressClassName ?? ''}/${rule.host ?? '*'}${path.path ?? '/'}`)
  })
}

function list(value: unknown): readonly Record<string, unknown>[] {
  return Array.isArray(value) ? value : []
}
