// One health rule a kind, pure: an object with its status -> health, or null where a kind has none.
// Rules and messages follow gitops-engine pkg/health; a kind without a rule is read by its conditions (kstatus' generic rules).
import type { ObservedObject } from '../../runtime/contract/documents.js'
import { groupOf, type Manifest } from '../../runtime/contract/manifest.js'
import { knownRules } from './known.js'
import { podHealth } from './pod.js'
import { conditionsOf, find, type Health, intAt, mapAt, type Status, textAt } from './status.js'
import { type KindRules, peopleHealth, writtenHealth } from './written.js'

export type { Health } from './status.js'

type Rule = (object: Manifest, status: Status) => Health | null

const rules: Readonly<Record<string, Rule>> = {
  'apps/Deployment': deployment,
  'extensions/Deployment': deployment,
  'apps/StatefulSet': statefulSet,
  'apps/DaemonSet': daemonSet,
  'extensions/DaemonSet': daemonSet,
  'apps/ReplicaSet': replicaSet,
  'extensions/ReplicaSet': replicaSet,
  '/Pod': podHealth,
  '/Service': service,
  '/PersistentVolumeClaim': claim,
  'batch/Job': job,
  'networking.k8s.io/Ingress': ingress,
  'extensions/Ingress': ingress,
  'autoscaling/HorizontalPodAutoscaler': autoscaler,
  'apiregistration.k8s.io/APIService': apiService,
  'apiextensions.k8s.io/CustomResourceDefinition': definition,
  'batch/CronJob': cronJob,
  'policy/PodDisruptionBudget': disruptionBudget,
}

/** Kinds that are what they say as soon as they are there. */
const plain = new Set([
  '',
  'rbac.authorization.k8s.io',
  'policy',
  'networking.k8s.io',
  'storage.k8s.io',
  'scheduling.k8s.io',
  'batch',
  'apps',
  'extensions',
  'autoscaling',
])

/**
 * `status` null: the place does not have the object. Deployments and sets are given one replica where they name none,
 * as the API server does, so that an object that was just taken over is not healthy for want of pods. `kinds`: what people wrote.
 */
export function objectHealth(object: Manifest, status: Status | null, kinds: KindRules = {}): Health | null {
  if (status === null) return { status: 'Missing', message: 'not there' }
  if (object.metadata.deletionTimestamp !== undefined) return { status: 'Progressing', message: 'Pending deletion' }
  const kind = `${groupOf(object.apiVersion)}/${object.kind}`
  const written = peopleHealth(object, kind, kinds, status)
  if (written !== null) return written
  const rule = rules[kind]
  if (rule !== undefined) return rule(object, status)
  const known = knownRules.get(kind)
  if (known !== undefined) return writtenHealth(known, object, status)
  return plain.has(groupOf(object.apiVersion)) ? null : generic(object, status)
}

/** Of what was sent, by what the place has of it: the live object itself where the place shows it, else what was sent. */
export function healthIn(
  object: Manifest,
  found: Pick<ObservedObject, 'status' | 'live'> | undefined,
  kinds: KindRules,
): Health | null {
  return objectHealth(found?.live ?? object, found?.status ?? null, kinds)
}

/** Good enough to go on to the next wave: no rule, healthy, or suspended because its author said so. */
export function isSettled(health: Health | null): boolean {
  return health === null || health.status === 'Healthy' || health.status === 'Suspended'
}

function healthy(message = ''): Health {
  return { status: 'Healthy', message }
}

function progressing(message: string): Health {
  return { status: 'Progressing', message }
}

function isOld(object: Manifest, status: Status): boolean {
  const generation = typeof object.metadata.generation === 'number' ? object.metadata.generation : 0
  return generation > intAt(status, 'observedGeneration')
}

function replicasOf(object: Manifest): number {
  const spec = mapAt(object, 'spec')
  return typeof spec.replicas === 'number' ? spec.replicas : 1
}

function deployment(object: Manifest, status: Status): Health {
  const spec = mapAt(object, 'spec')
  if (spec.paused === true) return { status: 'Suspended', message: 'Deployment is paused' }
  if (isOld(object, status))
    return progressing('Waiting for rollout to finish: observed deployment generation less than desired generation')
  const name = object.metadata.name
  if (find(conditionsOf(status), 'Progressing')?.reason === 'ProgressDeadlineExceeded') {
    return { status: 'Degraded', message: `Deployment "${name}" exceeded its progress deadline` }
  }
  const [wanted, updated] = [replicasOf(object), intAt(status, 'updatedReplicas')]
  const [replicas, available] = [intAt(status, 'replicas'), intAt(status, 'availableReplicas')]
  if (updated < wanted)
    return progressing(`Waiting for rollout to finish: ${updated} out of ${wanted} new replicas have been updated...`)
  if (replicas > updated)
    return progressing(`Waiting for rollout to finish: ${replicas - updated} old replicas are pending termination...`)
  if (available < updated)
    return progressing(`Waiting for rollout to finish: ${available} of ${updated} updated replicas are available...`)
  return healthy()
}

function statefulSet(object: Manifest, status: Status): Health {
  if (intAt(status, 'observedGeneration') === 0 || isOld(object, status))
    return progressing('Waiting for statefulset spec update to be observed...')
  const strategy = mapAt(mapAt(object, 'spec'), 'updateStrategy')
  const [wanted, ready, updated] = [replicasOf(object), intAt(status, 'readyReplicas'), intAt(status, 'updatedReplicas')]
  if (ready < wanted) return progressing(`Waiting for ${wanted - ready} pods to be ready...`)
  const rolling = mapAt(strategy, 'rollingUpdate')
  if (strategy.type === 'RollingUpdate' && typeof rolling.partition === 'number') {
    const due = wanted - rolling.partition
    if (updated < due)
      return progressing(`Waiting for partitioned roll out to finish: ${updated} out of ${due} new pods have been updated...`)
    return healthy(`partitioned roll out complete: ${updated} new pods have been updated...`)
  }
  if (strategy.type === 'OnDelete') return healthy(`statefulset has ${ready} ready pods`)
  if (status.updateRevision !== status.currentRevision)
    return progressing(
      `waiting for statefulset rolling update to complete ${updated} pods at revision ${textAt(status, 'updateRevision')}...`,
    )
  // Its controller counts a ready pod that is being ended as ready, but as none of a revision (stateful_set_control.go, computeReplicaStatus).
  const kept = Math.max(updated, intAt(status, 'currentReplicas'))
  if (kept < wanted) return progressing(`Waiting for ${wanted - kept} pods that are being replaced...`)
  return healthy(
    `statefulset rolling update complete ${intAt(status, 'currentReplicas')} pods at revision ${textAt(status, 'currentRevision')}...`,
  )
}

function daemonSet(object: Manifest, status: Status): Health {
  if (isOld(object, status))
    return progressing('Waiting for rollout to finish: observed daemon set generation less than desired generation')
  const [wanted, updated] = [intAt(status, 'desiredNumberScheduled'), intAt(status, 'updatedNumberScheduled')]
  const available = intAt(status, 'numberAvailable')
  const name = object.metadata.name
  if (mapAt(mapAt(object, 'spec'), 'updateStrategy').type === 'OnDelete')
    return healthy(`daemon set ${updated} out of ${wanted} new pods have been updated`)
  if (updated < wanted)
    return progressing(
      `Waiting for daemon set "${name}" rollout to finish: ${updated} out of ${wanted} new pods have been updated...`,
    )
  if (available < wanted)
    return progressing(
      `Waiting for daemon set "${name}" rollout to finish: ${available} of ${wanted} updated pods are available...`,
    )
  return healthy()
}

function replicaSet(object: Manifest, status: Status): Health {
  if (isOld(object, status))
    return progressing('Waiting for rollout to finish: observed replica set generation less than desired generation')
  const failure = find(conditionsOf(status), 'ReplicaFailure')
  if (failure?.status === 'True') return { status: 'Degraded', message: failure.message }
  const [wanted, available] = [replicasOf(object), intAt(status, 'availableReplicas')]
  if (available < wanted)
    return progressing(`Waiting for rollout to finish: ${available} out of ${wanted} new replicas are available...`)
  return healthy()
}

function service(object: Manifest, status: Status): Health {
  if (mapAt(object, 'spec').type !== 'LoadBalancer') return healthy()
  const ingress = mapAt(status, 'loadBalancer').ingress
  return Array.isArray(ingress) && ingress.length > 0 ? healthy() : progressing('')
}

function ingress(_: Manifest, status: Status): Health {
  const points = mapAt(status, 'loadBalancer').ingress
  return Array.isArray(points) && points.length > 0 ? healthy() : progressing('')
}

function claim(_: Manifest, status: Status): Health {
  if (status.phase === 'Lost') return { status: 'Degraded', message: '' }
  if (status.phase === 'Pending') return progressing('')
  return status.phase === 'Bound' ? healthy() : { status: 'Unknown', message: '' }
}

function job(object: Manifest, status: Status): Health {
  const conditions = conditionsOf(status)
  const failed = find(conditions, 'Failed')
  if (failed?.status === 'True') return { status: 'Degraded', message: failed.message }
  const complete = find(conditions, 'Complete')
  if (complete?.status === 'True') return healthy(complete.message)
  if (find(conditions, 'Suspended')?.status === 'True' || mapAt(object, 'spec').suspend === true) {
    return { status: 'Suspended', message: find(conditions, 'Suspended')?.message ?? '' }
  }
  return progressing(complete?.message ?? failed?.message ?? '')
}

const autoscalerFailures = [
  'AbleToScale/FailedGetScale',
  'AbleToScale/FailedUpdateScale',
  'ScalingActive/FailedGetResourceMetric',
  'ScalingActive/InvalidSelector',
  'ScalingActive/FailedGetObjectMetric',
]

function autoscaler(object: Manifest, status: Status): Health {
  const written = object.metadata.annotations?.['autoscaling.alpha.kubernetes.io/conditions']
  const conditions = written === undefined ? conditionsOf(status) : conditionsOf({ conditions: parsed(written) })
  const failure = conditions.find(one => one.status !== 'True' && autoscalerFailures.includes(`${one.type}/${one.reason}`))
  if (failure !== undefined) return { status: 'Degraded', message: failure.message }
  const able = conditions.find(one => one.status === 'True' && (one.type === 'AbleToScale' || one.type === 'ScalingLimited'))
  return able === undefined ? progressing('Waiting to Autoscale') : healthy(able.message)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return []
  }
}

function apiService(_: Manifest, status: Status): Health {
  const available = find(conditionsOf(status), 'Available')
  if (available === null) return progressing('Waiting to be processed')
  const message = `${available.reason}: ${available.message}`
  return available.status === 'True' ? healthy(message) : progressing(message)
}

/** kstatus: an old report or Reconciling is progress, Stalled is failure, and what is not Ready is on its way: most kinds begin so. */
function generic(object: Manifest, status: Status): Health | null {
  const conditions = conditionsOf(status)
  if (status.observedGeneration !== undefined && isOld(object, status))
    return progressing('Waiting for the newest generation to be observed')
  const stalled = find(conditions, 'Stalled')
  if (stalled?.status === 'True') return { status: 'Degraded', message: stalled.message }
  const reconciling = find(conditions, 'Reconciling')
  if (reconciling?.status === 'True') return progressing(reconciling.message)
  const ready = find(conditions, 'Ready')
  if (ready === null) return null
  return ready.status === 'True' ? healthy(ready.message) : progressing(ready.message)
}

/** resource_customizations/apiextensions.k8s.io/CustomResourceDefinition/health.lua. */
function definition(_: Manifest, status: Status): Health {
  const conditions = conditionsOf(status)
  if (conditions.length === 0) return progressing('Status conditions not found')
  const terminating = find(conditions, 'Terminating')
  if (terminating?.status === 'True') return progressing(`CRD is terminating: ${terminating.message}`)
  const names = find(conditions, 'NamesAccepted')
  if (names?.status === 'False') return { status: 'Degraded', message: `CRD names have not been accepted: ${names.message}` }
  const established = find(conditions, 'Established')
  if (established?.reason === 'Installing') return progressing('CRD is being installed')
  if (established?.status !== 'True') return { status: 'Degraded', message: 'CRD is not established' }
  const schema = find(conditions, 'NonStructuralSchema')
  return schema?.status === 'True'
    ? { status: 'Degraded', message: `Schema violations found: ${schema.message}` }
    : healthy('CRD is healthy')
}

/** A run that failed says nothing about the release that runs now: a schedule is healthy when it is there. */
function cronJob(object: Manifest): Health {
  return healthy(mapAt(object, 'spec').suspend === true ? 'CronJob is Suspended' : '')
}

function disruptionBudget(_: Manifest, status: Status): Health {
  const conditions = conditionsOf(status)
  if (conditions.length === 0) return progressing('Waiting for status')
  return conditions.some(one => one.reason === 'SyncFailed')
    ? { status: 'Degraded', message: 'PodDisruptionBudget has SyncFailed' }
    : healthy()
}
