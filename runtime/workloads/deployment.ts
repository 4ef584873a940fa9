// Plans a Deployment: its revisions, how many pods each should have, and which pods that means to make and to end. One step a call.
import type { ObjectRef } from '../contract/manifest.js'
import type { PodRecord, PodView } from '../pods/types.js'
import { type Counts, deploymentStatus } from './deployment-status.js'
import { exclusiveBecause } from './exclusive.js'
import type { NodeObject } from './objects.js'
import {
  type Condition,
  type Ending,
  earliest,
  isAlive,
  isAvailable,
  isFinished,
  nextAvailable,
  type Plan,
  setCondition,
  victimsFirst,
} from './plan.js'
import { type Bounds, type Revision, recreateStep, resolveBounds, rollingStep, type Sizes, scaleStep } from './rolling.js'
import { newPod, type Surroundings, templateHash } from './template.js'

/** A ReplicaSet, as the Deployment remembers it: which template, how many pods it should have. */
export interface SetMemory {
  readonly hash: string
  readonly revision: number
  readonly size: number
  readonly createdAt: number
}

export interface DeploymentMemory {
  readonly sets: readonly SetMemory[]
  /** Template hash of the last call. */
  readonly current: string
  readonly replicas: number
  /** replicas + surge of the last call: what proportional scaling starts from. */
  readonly allowed: number
  readonly conditions: readonly Condition[]
  readonly counts: Counts
}

type Deployment = NodeObject<'Deployment'>

interface Scene {
  readonly deployment: Deployment
  readonly pods: readonly PodView[]
  readonly around: Surroundings
  readonly hash: string
  readonly bounds: Bounds
  readonly exclusive: string | null
}

/** `pods` are those of this Deployment, the terminating ones included. `generation` counts the changes of its manifest. */
export function planDeployment(
  deployment: Deployment,
  pods: readonly PodView[],
  memory: DeploymentMemory | null,
  generation: number,
  around: Surroundings,
): Plan<DeploymentMemory> {
  const { spec, ref } = deployment
  const hash = templateHash(spec.template, ref.namespace, around)
  const exclusive = exclusiveBecause(spec.template.spec, ref.namespace, spec.replicas, around.claims)
  const bounds = resolveBounds(spec.strategy, spec.replicas, exclusive !== null)
  const scene: Scene = { deployment, pods, around, hash, bounds, exclusive }
  const before = recall(memory, pods, hash)
  const sets = withNewest(before, scene)
  const sizes = nextSizes(sets, before, scene)
  const create = missing(sizes, scene)
  const terminate = [...surplus(sizes, scene), ...finished(pods)]
  const resized = sets.map(set => ({ ...set, size: settled(set, sizes, scene) }))
  const told = deploymentStatus(
    deployment,
    pods,
    resized,
    hash,
    conditionsFor(before, scene),
    before.counts,
    generation,
    bounds,
    around.now,
  )
  const next = {
    sets: history(resized, hash, spec.revisionHistoryLimit),
    current: hash,
    replicas: spec.replicas,
    allowed: spec.replicas + bounds.surge,
    ...told.memory,
  }
  const wakeAt = earliest([nextAvailable(pods, spec.minReadySeconds, around.now), told.deadlineAt])
  return { create, terminate, status: told.status, memory: next, wakeAt, templateHash: hash }
}

/** What was remembered, or what the living pods tell when that is lost. */
function recall(memory: DeploymentMemory | null, pods: readonly PodView[], hash: string): DeploymentMemory {
  const known = memory ?? {
    sets: [],
    current: hash,
    replicas: -1,
    allowed: 0,
    conditions: [],
    counts: { updated: 0, old: 0, ready: 0, available: 0 },
  }
  const unknown = new Map<string, PodView[]>()
  for (const pod of pods.filter(isAlive)) {
    if (known.sets.some(set => set.hash === pod.record.templateHash)) continue
    unknown.set(pod.record.templateHash, [...(unknown.get(pod.record.templateHash) ?? []), pod])
  }
  const found = [...unknown].map(([found, living]) => ({
    hash: found,
    revision: 0,
    size: living.length,
    createdAt: firstCreated(living),
  }))
  return { ...known, sets: [...known.sets, ...found] }
}

function firstCreated(pods: readonly PodView[]): number {
  return pods.reduce((first, pod) => Math.min(first, Date.parse(pod.record.createdAt)), Number.POSITIVE_INFINITY)
}

/** The set of the template as it is now, made or found again, carries the highest revision. A paused Deployment makes none. */
function withNewest(memory: DeploymentMemory, { deployment, hash, around }: Scene): readonly SetMemory[] {
  const { sets } = memory
  const highest = Math.max(0, ...sets.map(set => set.revision))
  const found = sets.find(set => set.hash === hash)
  if (found === undefined)
    return deployment.spec.paused ? sets : [...sets, { hash, revision: highest + 1, size: 0, createdAt: around.now }]
  if (found.revision === highest && highest > 0) return sets
  return sets.map(set => (set === found ? { ...set, revision: highest + 1 } : set))
}

function nextSizes(sets: readonly SetMemory[], memory: DeploymentMemory, scene: Scene): Sizes {
  const { deployment, hash, bounds, around, pods } = scene
  const { spec } = deployment
  const revisions: Revision[] = sets.map(set => ({
    ...set,
    // Those that are over its size are to be ended already, though that had to wait: they are not to be counted on.
    available: Math.min(set.size, availableOf(pods, set.hash, spec.minReadySeconds, around.now)),
  }))
  const scaled =
    memory.current === hash && memory.replicas >= 0 && memory.replicas !== spec.replicas && sets.some(set => set.size > 0)
  if (spec.paused || scaled) return scaleStep(revisions, hash, spec.replicas, bounds, memory.allowed)
  if (spec.strategy.type === 'Recreate')
    return recreateStep(
      revisions,
      hash,
      spec.replicas,
      pods.every(pod => pod.record.templateHash === hash),
    )
  return rollingStep(revisions, hash, spec.replicas, bounds)
}

function availableOf(pods: readonly PodView[], hash: string, minReadySeconds: number, now: number): number {
  return pods.filter(pod => pod.record.templateHash === hash && isAvailable(pod, minReadySeconds, now)).length
}

function living(pods: readonly PodView[], hash: string): readonly PodView[] {
  return pods.filter(pod => pod.record.templateHash === hash && isAlive(pod))
}

/** Pods that a set lacks. Those of the newest are made of the template; those of an older one as their living siblings are. */
function missing(sizes: Sizes, scene: Scene): readonly PodRecord[] {
  let room =
    scene.exclusive === null ? Infinity : scene.deployment.spec.replicas - scene.pods.filter(pod => !isFinished(pod)).length
  return [...sizes].flatMap(([hash, size]) => {
    const alive = living(scene.pods, hash)
    const sibling = alive[0]?.record ?? null
    if (hash !== scene.hash && sibling === null) return []
    const count = Math.max(0, Math.min(size - alive.length, room))
    room -= count
    return Array.from({ length: count }, () =>
      hash === scene.hash ? freshPod(scene) : sibling === null ? freshPod(scene) : clone(sibling, scene),
    )
  })
}

/** An old set without a living pod has nobody to be copied from: it has the size it has. */
function settled(set: SetMemory, sizes: Sizes, scene: Scene): number {
  const size = sizes.get(set.hash) ?? set.size
  return set.hash === scene.hash ? size : Math.min(size, living(scene.pods, set.hash).length === 0 ? 0 : size)
}

function replicaSetOf(deployment: ObjectRef, hash: string): ObjectRef {
  return { group: 'apps', kind: 'ReplicaSet', namespace: deployment.namespace, name: `${deployment.name}-${hash}` }
}

function freshPod({ deployment, hash, around }: Scene): PodRecord {
  const { ref, spec } = deployment
  const { uid, suffix } = around.newId()
  const identity = {
    name: podName(ref.name, `${hash}-${suffix}`),
    owner: replicaSetOf(ref, hash),
    workload: ref,
    templateHash: hash,
    minReadySeconds: spec.minReadySeconds,
    labels: { 'pod-template-hash': hash },
  }
  return newPod(identity, uid, spec.template, around)
}

function clone(sibling: PodRecord, { deployment, around }: Scene): PodRecord {
  const { uid, suffix } = around.newId()
  return {
    ...sibling,
    uid,
    name: podName(deployment.ref.name, `${sibling.templateHash}-${suffix}`),
    createdAt: new Date(around.now).toISOString(),
  }
}

/** A pod's name is a host name: 63 characters at most, the tail is what makes it one of a kind. */
export function podName(workload: string, tail: string): string {
  return `${workload.slice(0, 62 - tail.length).replace(/[-.]+$/, '')}-${tail}`
}

function surplus(sizes: Sizes, scene: Scene): readonly Ending[] {
  return [...sizes].flatMap(([hash, size]) => {
    const alive = [...living(scene.pods, hash)].sort(victimsFirst)
    const reason = hash === scene.hash ? `scaled down to ${size}` : `replaced by ${scene.deployment.ref.name}-${scene.hash}`
    return alive.slice(0, Math.max(0, alive.length - size)).map(pod => ({ uid: pod.record.uid, reason }))
  })
}

function finished(pods: readonly PodView[]): readonly Ending[] {
  return pods
    .filter(pod => isFinished(pod) && !pod.terminating)
    .map(pod => ({ uid: pod.record.uid, reason: `ended as ${pod.phase}` }))
}

/** A new template starts the progress clock afresh, whatever the last rollout came to. */
function conditionsFor(memory: DeploymentMemory, { deployment, hash, around }: Scene): readonly Condition[] {
  const rolled = memory.current !== hash || memory.replicas < 0
  if (!rolled || deployment.spec.paused) return memory.conditions
  const known = memory.sets.some(set => set.hash === hash)
  const reason = known ? 'FoundNewReplicaSet' : 'NewReplicaSetCreated'
  const message = `${known ? 'Found' : 'Created new'} replica set "${deployment.ref.name}-${hash}"`
  return setCondition(memory.conditions, { type: 'Progressing', status: 'True', reason, message }, around.now)
}

/** Keeps the newest set, those with pods, and the last `limit` empty ones. */
function history(sets: readonly SetMemory[], hash: string, limit: number): readonly SetMemory[] {
  const empty = sets.filter(set => set.hash !== hash && set.size === 0).sort((a, b) => b.revision - a.revision)
  const dropped = new Set(empty.slice(limit))
  return sets.filter(set => !dropped.has(set))
}
