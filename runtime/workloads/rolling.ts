// How many pods each revision of a Deployment should have next: Kubernetes' rolling.go and sync.go, as arithmetic on counts.
import type { DeploymentSpec, IntOrPercent } from './objects.js'

/** One revision (a ReplicaSet) in numbers: how many pods it should have, and how many of them are available. */
export interface Revision {
  readonly hash: string
  readonly revision: number
  readonly size: number
  readonly available: number
  readonly createdAt: number
}

export interface Bounds {
  readonly surge: number
  readonly unavailable: number
}

/** maxSurge is rounded up, maxUnavailable down; both zero: one may be unavailable (util ResolveFenceposts). */
export function resolveBounds(strategy: DeploymentSpec['strategy'], replicas: number, exclusive: boolean): Bounds {
  if (strategy.type === 'Recreate') return { surge: 0, unavailable: replicas }
  const surge = exclusive ? 0 : resolve(strategy.maxSurge, replicas, Math.ceil)
  const unavailable = Math.min(resolve(strategy.maxUnavailable, replicas, Math.floor), replicas)
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable }
}

function resolve(bound: IntOrPercent, replicas: number, round: (value: number) => number): number {
  if (typeof bound === 'number') return bound
  return round((Number.parseInt(bound, 10) * replicas) / 100)
}

/** Sizes by hash after one sync; the same sizes when there is nothing to do. */
export type Sizes = ReadonlyMap<string, number>

function total(revisions: readonly Revision[], key: 'size' | 'available'): number {
  return revisions.reduce((sum, revision) => sum + revision[key], 0)
}

/** One sync of a rolling update: the new revision grows if it may; if it did not, the old ones shrink. */
export function rollingStep(revisions: readonly Revision[], newHash: string, replicas: number, bounds: Bounds): Sizes {
  const sizes = new Map(revisions.map(revision => [revision.hash, revision.size]))
  const fresh = revisions.find(revision => revision.hash === newHash)
  const size = newSize(fresh?.size ?? 0, total(revisions, 'size'), replicas, bounds)
  if (size !== (fresh?.size ?? 0)) return sizes.set(newHash, size)
  return shrinkOld(revisions, newHash, replicas, bounds, sizes)
}

function newSize(size: number, all: number, replicas: number, { surge }: Bounds): number {
  if (size >= replicas) return replicas
  return size + Math.max(0, Math.min(replicas + surge - all, replicas - size))
}

function shrinkOld(
  revisions: readonly Revision[],
  newHash: string,
  replicas: number,
  bounds: Bounds,
  sizes: Map<string, number>,
): Sizes {
  const minAvailable = replicas - bounds.unavailable
  const fresh = revisions.find(revision => revision.hash === newHash)
  const old = revisions
    .filter(revision => revision.hash !== newHash && revision.size > 0)
    .sort((a, b) => a.createdAt - b.createdAt || a.revision - b.revision)
  const limit = total(revisions, 'size') - minAvailable - ((fresh?.size ?? 0) - Math.min(fresh?.available ?? 0, fresh?.size ?? 0))
  take(old, limit, revision => revision.size - revision.available, sizes)
  const spare = total(revisions, 'available') - minAvailable
  take(old, spare, revision => sizes.get(revision.hash)!, sizes)
  return sizes
}

/** Takes up to `limit` in all, of each revision in turn what `most` allows. */
function take(old: readonly Revision[], limit: number, most: (revision: Revision) => number, sizes: Map<string, number>): void {
  let left = limit
  for (const revision of old) {
    const taken = Math.max(0, Math.min(left, most(revision), sizes.get(revision.hash)!))
    sizes.set(revision.hash, sizes.get(revision.hash)! - taken)
    left -= taken
  }
}

/** One sync of Recreate: everything old goes; `gone` says whether it has, down to the last container. */
export function recreateStep(revisions: readonly Revision[], newHash: string, replicas: number, gone: boolean): Sizes {
  const sizes = new Map(revisions.map(revision => [revision.hash, revision.hash === newHash ? revision.size : 0]))
  return gone ? sizes.set(newHash, replicas) : sizes
}

/**
 * `replicas` has changed, or the Deployment is paused: no rollout, the revisions there are grow and shrink in proportion (sync.go scale).
 * `before` is replicas + surge of the last time.
 */
export function scaleStep(
  revisions: readonly Revision[],
  newHash: string,
  replicas: number,
  bounds: Bounds,
  before: number,
): Sizes {
  const sizes = new Map(revisions.map(revision => [revision.hash, revision.size]))
  const active = revisions.filter(revision => revision.size > 0)
  const newest = [...revisions].sort((a, b) => b.revision - a.revision)[0]
  if (active.length <= 1) {
    const only = active[0] ?? revisions.find(revision => revision.hash === newHash) ?? newest
    return only === undefined ? sizes : sizes.set(only.hash, replicas)
  }
  const fresh = revisions.find(revision => revision.hash === newHash)
  if (fresh !== undefined && fresh.size === replicas && fresh.available === replicas) {
    return new Map(revisions.map(revision => [revision.hash, revision === fresh ? replicas : 0]))
  }
  return proportional(active, replicas > 0 ? replicas + bounds.surge : 0, before, sizes)
}

function proportional(active: readonly Revision[], allowed: number, before: number, sizes: Map<string, number>): Sizes {
  const toAdd = allowed - total(active, 'size')
  const order = [...active].sort((a, b) => b.size - a.size || (toAdd > 0 ? b.createdAt - a.createdAt : a.createdAt - b.createdAt))
  let added = 0
  for (const { hash, size } of order) {
    const wanted = Math.round((size * allowed) / Math.max(1, before)) - size
    const left = toAdd - added
    const change = toAdd > 0 ? Math.max(0, Math.min(wanted, left)) : Math.min(0, Math.max(wanted, left))
    sizes.set(hash, size + change)
    added += change
  }
  const first = order[0]!.hash
  return sizes.set(first, Math.max(0, sizes.get(first)! + toAdd - added))
}
