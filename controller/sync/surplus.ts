// What a place holds of an application and its release does not name: what is pruned after health, removed after going back,
// or stands in the way of something new.
import { manifestHash } from '../../runtime/contract/hash.js'
import { type Manifest, type ObjectRef, refKey, refOf } from '../../runtime/contract/manifest.js'
import type { Current, HookRun, Ledger, Stay } from '../ledger.js'
import { optionsOf } from '../release/options.js'
import { keptKinds, ordinaryObjects, staysForward } from '../release/sent.js'
import type { Release, ReleaseId } from '../release.js'
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
  readonly stages: readonly Stage[]
  readonly releases: (id: ReleaseId) => Release | null
}

export function surplusOf(input: SurplusInput): Surplus {
  const current = input.ledger.current
  if (current === null) return { objects: [], hooks: [] }
  const wanted = new Set(ordinaryObjects(input.release).map(object => refKey(refOf(object))))
  const going = new Set(current.pruning.map(refKey))
  const hooks = doneHooks(current, input).filter(ref => !going.has(refKey(ref)) && !wanted.has(refKey(ref)))
  const hookKeys = new Set(current.hookRuns.map(run => refKey(run.ref)))
  const extra = current.owned.filter(ref => !wanted.has(refKey(ref)) && !hookKeys.has(refKey(ref)) && !going.has(refKey(ref)))
  return { objects: extra.filter(ref => mayGo(ref, current, input)), hooks }
}

/** Going back removes what was created since, whatever the policy; a sync prunes where the policy says so. Data is never taken. */
function mayGo(ref: ObjectRef, current: Current, input: SurplusInput): boolean {
  if (keptKinds.has(ref.kind)) return false
  const object = manifestOf(ref, input)
  const stays = current.staying?.[refKey(ref)] ?? (object === null ? [] : staysOf(object))
  if (stays.includes('prune')) return false
  if (input.mode !== 'rollback') return input.prune
  if (stays.includes('rollback')) return false
  return (current.createdBy[refKey(ref)] ?? 0) > (input.ledger.attempt?.createdAfter ?? 0)
}

export function staysOf(object: Manifest): readonly Stay[] {
  return [...(isProtected(object) ? (['prune'] as const) : []), ...(staysForward(object) ? (['rollback'] as const) : [])]
}

/** Of the object alone: what an application's options say of all of them is its policy already. */
function isProtected(object: Manifest): boolean {
  return optionsOf([], object).prune !== 'yes'
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

/** An owned object as one of the releases still known has it; null where none does. */
export function manifestOf(ref: ObjectRef, { ledger, releases }: Pick<SurplusInput, 'ledger' | 'releases'>): Manifest | null {
  const attempt = ledger.attempt
  const ids = [ledger.current?.release, attempt?.release, attempt?.from, ...ledger.good.map(good => good.release).toReversed()]
  for (const id of ids) {
    const found = id ? releases(id)?.objects.find(object => refKey(refOf(object)) === refKey(ref)) : undefined
    if (found !== undefined) return found
  }
  return null
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
    const object = manifestOf(ref, input)
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
