// The objects of an application as people look at them: what the release declares, what lives, and what those own.
import type { ObservedPod } from '../runtime/contract/documents.js'
import { type ObjectRef, refKey, refOf } from '../runtime/contract/manifest.js'
import type { Observed } from './cluster/cluster.js'
import type { Health } from './health/assess.js'
import type { HookRun } from './ledger.js'
import { hookPhases, isHook, waveOf } from './release/hooks.js'
import type { Release } from './release.js'
import type { ObjectView, PodView } from './view.js'

export function objectTree(
  release: Release | null,
  observed: Observed | null,
  health: Health | null,
  hookRuns: readonly HookRun[],
): readonly ObjectView[] {
  const pods = observed?.pods ?? []
  const declared = (release?.objects ?? []).map(object => {
    const ref = refOf(object)
    const own = health?.objects.find(found => refKey(found.ref) === refKey(ref))
    const live = observed?.objects.find(found => refKey(found.ref) === refKey(ref))
    return {
      ref,
      health: { status: own?.status ?? (live === undefined ? 'Missing' : 'Healthy'), message: own?.message ?? '' },
      sync: own === undefined ? '' : own.there ? 'Synced' : 'OutOfSync',
      wave: waveOf(object),
      hook: isHook(object) ? hookPhases(object).join(', ') : '',
      origin: release?.origins[refKey(ref)] ?? '',
      drift: own === undefined || own.there ? [] : (live?.drift ?? []),
      pod: null,
      children: ownedBy(ref, pods),
    }
  })
  const known = new Set(declared.map(view => refKey(view.ref)))
  const extra = (observed?.objects ?? [])
    .filter(object => !known.has(refKey(object.ref)))
    .map(({ ref }) => {
      const run = hookRuns.find(one => refKey(one.ref) === refKey(ref))
      return run === undefined ? extraView(ref, pods) : hookView(run, pods)
    })
  return [...declared.filter(view => view.hook === '' || view.children.length > 0), ...extra]
}

function extraView(ref: ObjectRef, pods: readonly ObservedPod[]): ObjectView {
  return {
    ref,
    health: { status: 'Unknown', message: '' },
    sync: 'Extra',
    wave: 0,
    hook: '',
    origin: '',
    drift: [],
    pod: null,
    children: ownedBy(ref, pods),
  }
}

const hookHealth = { running: 'Progressing', succeeded: 'Healthy', failed: 'Degraded' } as const

/** A hook under the name of its attempt is in Git: as the hook that it is a run of. */
function hookView(run: HookRun, pods: readonly ObservedPod[]): ObjectView {
  return {
    ...extraView(run.ref, pods),
    health: { status: hookHealth[run.outcome], message: run.outcome },
    sync: '',
    wave: run.wave,
    hook: run.phase,
  }
}

/** Deployment -> ReplicaSet -> Pod, or the pods themselves. */
function ownedBy(ref: ObjectRef, pods: readonly ObservedPod[]): readonly ObjectView[] {
  const own = pods.filter(pod => pod.workload !== null && refKey(pod.workload) === refKey(ref))
  const owners = new Map(
    own.flatMap(pod =>
      pod.owner === null || refKey(pod.owner) === refKey(ref) ? [] : [[refKey(pod.owner), pod.owner] as const],
    ),
  )
  const direct = own.filter(pod => pod.owner === null || refKey(pod.owner) === refKey(ref)).map(podObject)
  const between = [...owners.values()].map(owner =>
    setView(
      owner,
      own.filter(pod => pod.owner !== null && refKey(pod.owner) === refKey(owner)),
    ),
  )
  return [...between, ...direct]
}

function setView(ref: ObjectRef, pods: readonly ObservedPod[]): ObjectView {
  const ready = pods.filter(pod => pod.ready).length
  const status = ready === pods.length ? 'Healthy' : 'Progressing'
  return {
    ref,
    health: { status, message: `${ready} of ${pods.length} ready` },
    sync: '',
    wave: 0,
    hook: '',
    origin: '',
    drift: [],
    pod: null,
    children: pods.map(podObject),
  }
}

function podObject(pod: ObservedPod): ObjectView {
  const waiting = pod.containers.find(container => container.state.state === 'waiting')
  const message = pod.message !== '' ? pod.message : waiting?.state.state === 'waiting' ? waiting.state.reason : ''
  return {
    ref: { group: '', kind: 'Pod', namespace: pod.namespace, name: pod.name },
    health: {
      status: pod.ready ? 'Healthy' : pod.phase === 'Failed' ? 'Degraded' : pod.phase === 'Succeeded' ? 'Healthy' : 'Progressing',
      message,
    },
    sync: '',
    wave: 0,
    hook: '',
    origin: '',
    drift: [],
    pod: podView(pod),
    children: [],
  }
}

function podView(pod: ObservedPod): PodView {
  return {
    name: pod.name,
    ready: pod.ready,
    phase: pod.terminating ? 'Terminating' : pod.phase,
    ip: pod.ip,
    release: pod.release,
    restarts: pod.containers.reduce((sum, container) => sum + container.restartCount, 0),
    createdAt: pod.createdAt,
    readyAt: pod.readyAt,
    containers: pod.containers.map(({ name, ready, state, restartCount, image }) => ({
      name,
      ready,
      state: state.state,
      reason: state.state === 'running' ? '' : state.reason,
      restartCount,
      image,
    })),
  }
}
