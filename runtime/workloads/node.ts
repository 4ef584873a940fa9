// Plans the whole node: every application's desired document and all pods to pods to make and end, listeners, statuses and memory. Pure.
import type { ApplicationId, DesiredDocument, ObservedObject, Problem } from '../contract/documents.js'
import { manifestHash } from '../contract/hash.js'
import { type Manifest, type ObjectRef, refKey, refOf, refText } from '../contract/manifest.js'
import type { DataPlaneState } from '../network/types.js'
import type { PodRecord, PodView } from '../pods/types.js'
import { type DeploymentMemory, planDeployment } from './deployment.js'
import { type JobMemory, planJob } from './job.js'
import { type KeptPlans, keptPlan } from './kept-plans.js'
import { matches, type NodeObject, type ReadObject, readObject, type Template } from './objects.js'
import { type Ending, earliest, type Plan } from './plan.js'
import { type PodMemory, planPod } from './pod.js'
import { planReplicaSet } from './replicaset.js'
import { endpoints, serviceSpec } from './services.js'
import { type Surroundings, templateHash } from './template.js'

/** What the node remembers of one object between passes. Lost, it is made anew from the pods; only finished Jobs would run again. */
export interface ObjectMemory {
  readonly uid: string
  readonly hash: string
  /** Counts the changes of the manifest. */
  readonly generation: number
  /** The attempt and release that last changed it. */
  readonly attempt: number
  readonly release: string
  readonly templateHash: string
  readonly deployment?: DeploymentMemory
  readonly job?: JobMemory
  readonly pod?: PodMemory
}

/** By application name, then by `refKey`. */
export type NodeMemory = Readonly<Record<string, Readonly<Record<string, ObjectMemory>>>>

export interface NodeInput {
  readonly documents: readonly DesiredDocument[]
  readonly pods: readonly PodView[]
  readonly memory: NodeMemory
  readonly salt: string
  readonly now: number
  readonly newId: Surroundings['newId']
  /** What the host policy says against an object: asked for each workload. */
  readonly refusals: (object: NodeObject) => readonly Problem[]
}

export interface NodePlan {
  readonly create: readonly PodRecord[]
  readonly terminate: readonly Ending[]
  /** Pods that become another application's: the one that now names what they are of. */
  readonly handOver: readonly { readonly uid: string; readonly application: ApplicationId }[]
  readonly memory: NodeMemory
  /** By application name. */
  readonly objects: Readonly<Record<string, readonly ObservedObject[]>>
  readonly wakeAt: number | null
}

/** Reading is pure and documents do not change, so each manifest is read once. */
const read = new WeakMap<Manifest, ReadObject>()

export function readOnce(manifest: Manifest): ReadObject {
  const known = read.get(manifest) ?? readObject(manifest)
  read.set(manifest, known)
  return known
}

/** One object of a document with what stands against it; `object` is null when it could not be read. */
interface Entry {
  readonly manifest: Manifest
  readonly key: string
  readonly object: NodeObject | null
  readonly problems: readonly Problem[]
}

export interface ApplicationPlan {
  readonly create: readonly PodRecord[]
  readonly terminate: readonly Ending[]
  readonly memory: Readonly<Record<string, ObjectMemory>>
  readonly objects: readonly ObservedObject[]
  readonly wakeAt: number | null
}

/** `kept` is filled and used here: of what came to rest nothing is planned again until something that its plan was made from changes. */
export function planNode(seen: NodeInput, kept: KeptPlans<ApplicationPlan> = new Map()): NodePlan {
  const { input, entries } = sorted(seen)
  const honoured = [...entries.values()]
    .flat()
    .flatMap(({ object, problems }) => (object !== null && problems.length === 0 ? [object] : []))
  const shared = sharedContent(honoured)
  const plans = input.documents.map(
    document => [document, planOnce(document, entries.get(document.application.name)!, shared, input, kept)] as const,
  )
  const memory = Object.fromEntries(plans.map(([document, plan]) => [document.application.name, plan.memory]))
  return {
    create: plans.flatMap(([, plan]) => plan.create),
    terminate: plans.flatMap(([, plan]) => plan.terminate),
    handOver: input.pods.flatMap(({ record }, at) =>
      record === seen.pods[at]?.record ? [] : [{ uid: record.uid, application: record.application }],
    ),
    memory,
    objects: Object.fromEntries(plans.map(([document, plan]) => [document.application.name, plan.objects])),
    wakeAt: earliest(plans.map(([, plan]) => plan.wakeAt)),
  }
}

/**
 * Which application an object belongs to: the one that already has it, else the first by name; one that was let go only where nobody
 * else names it. A namespace belongs to everyone who names it.
 */
export function claims(
  documents: readonly DesiredDocument[],
  memory: NodeMemory,
  isHere: IsHere = () => false,
): ReadonlyMap<string, string> {
  const owners = new Map<string, string>()
  const byName = documents
    .filter(document => !document.deleted)
    .sort((a, b) => (a.application.name < b.application.name ? -1 : 1))
  const [living, left] = [byName.filter(document => !document.letGo), byName.filter(document => document.letGo)]
  const isRemembered = ({ application }: DesiredDocument, manifest: Manifest) =>
    memory[application.name]?.[refKey(refOf(manifest))] !== undefined
  const claim = (documents: readonly DesiredDocument[], may: IsHere) => {
    for (const document of documents) {
      for (const manifest of document.objects) {
        const key = refKey(refOf(manifest))
        if (!owners.has(key) && may(document, manifest)) owners.set(key, document.application.name)
      }
    }
  }
  claim(living, isRemembered)
  claim(living, () => true)
  claim(left, isRemembered)
  claim(left, isHere)
  return owners
}

/** Whose each object is, pods with them, and what each application has to say about its own. */
function sorted<Seen extends Traffic>(seen: Seen) {
  const owners = claims(seen.documents, seen.memory, isHereOf(seen))
  const input = { ...seen, pods: handedOver(seen, owners) }
  const isHere = isHereOf(input)
  const entries = new Map(
    input.documents.map(document => [document.application.name, entriesOf(document, owners, isHere, input)] as const),
  )
  return { input, entries }
}

type IsHere = (document: DesiredDocument, manifest: Manifest) => boolean

/**
 * Is it here, of an application that was let go? A workload whose pods run is; what has no pods is where it is remembered, or where
 * nothing is remembered of an application whose pods run: then the memory was lost.
 */
function isHereOf({ documents, memory, pods }: Traffic): IsHere {
  if (!documents.some(({ letGo }) => letGo)) return () => false
  const running = new Map<string, Set<string>>()
  for (const pod of pods) {
    const { name } = pod.record.application
    running.set(name, (running.get(name) ?? new Set()).add(workloadKey(pod)))
  }
  return ({ application: { name } }, manifest) => {
    const key = refKey(refOf(manifest))
    if (memory[name]?.[key] !== undefined || running.get(name)?.has(key)) return true
    if (memory[name] !== undefined || !running.has(name)) return false
    const { object } = readOnce(manifest)
    return object !== null && templateOf(object) === null
  }
}

/** Pods of what was let go, and of a former application of the name, belong to who names their workload now: nothing is started anew. */
function handedOver({ documents, pods }: Traffic, owners: ReadonlyMap<string, string>): readonly PodView[] {
  const named = new Map(documents.map(document => [document.application.name, document]))
  return pods.map(pod => {
    const { application } = pod.record
    const own = named.get(application.name)
    const isFree = own !== undefined && !own.deleted && (own.letGo || own.application.uid !== application.uid)
    const next = isFree && !pod.terminating ? named.get(owners.get(workloadKey(pod)) ?? '')?.application : undefined
    if (next === undefined || next.uid === application.uid) return pod
    return { ...pod, record: { ...pod.record, application: next } }
  })
}

/** What the node remembers of an object: of its own application, or of the one that was let go of it. */
function remembered(key: string, { application, attempt, release }: DesiredDocument, input: NodeInput): ObjectMemory | undefined {
  const own = input.memory[application.name]?.[key]
  if (own !== undefined) return own
  const former = input.documents.find(({ letGo, application: { name } }) => letGo && input.memory[name]?.[key] !== undefined)
  return former && { ...input.memory[former.application.name]![key]!, attempt, release }
}

/** The problem of an application that claims what is another's; null when it may have it. */
export function claimProblem(object: ObjectRef, application: string, owners: ReadonlyMap<string, string>): Problem | null {
  const owner = owners.get(refKey(object))
  if (owner === undefined || owner === application || object.kind === 'Namespace') return null
  const message = `${refText(object)} is claimed by application ${owner} and by ${application}: take it out of one of them`
  return { object, reason: 'ObjectClaimed', message, transient: false }
}

function entriesOf(
  document: DesiredDocument,
  owners: ReadonlyMap<string, string>,
  isHere: IsHere,
  input: Traffic,
): readonly Entry[] {
  const own = document.letGo ? leftOf(document, owners, isHere) : document.objects
  return (document.deleted ? [] : own).map(manifest => {
    const ref = refOf(manifest)
    const { object, problems } = readOnce(manifest)
    const claimed = claimProblem(ref, document.application.name, owners)
    const refused = object === null ? [] : input.refusals(object)
    return { manifest, key: refKey(ref), object, problems: [...problems, ...(claimed === null ? [] : [claimed]), ...refused] }
  })
}

/** Of what was let go: what nobody has taken over, now or before. */
function leftOf(document: DesiredDocument, owners: ReadonlyMap<string, string>, isHere: IsHere): readonly Manifest[] {
  const { name } = document.application
  return document.objects.filter(manifest => isHere(document, manifest) && (owners.get(refKey(refOf(manifest))) ?? name) === name)
}

function planOnce(
  document: DesiredDocument,
  entries: readonly Entry[],
  content: Content,
  input: NodeInput,
  kept: KeptPlans<ApplicationPlan>,
): ApplicationPlan {
  const { name } = document.application
  const problems = entries.flatMap(entry => entry.problems)
  const namespaces = new Set(entries.map(({ manifest }) => manifest.metadata.namespace ?? ''))
  const basis = [
    document,
    ...entries.map(({ manifest }) => manifest),
    problems.length === 0 ? '' : JSON.stringify(problems),
    ...[...namespaces].flatMap(namespace => content.byNamespace.get(namespace) ?? []),
    ...input.pods.filter(pod => pod.record.application.name === name),
  ]
  const memory = input.memory[name]
  return keptPlan(kept, name, { basis, memory, now: input.now }, () => planApplication(document, entries, content, input))
}

type Content = Pick<Surroundings, 'configMaps' | 'secrets' | 'services' | 'claims'> & {
  /** What the pods of a namespace are made from, beside their own objects. */
  readonly byNamespace: ReadonlyMap<string, readonly NodeObject[]>
}

function sharedContent(objects: readonly NodeObject[]): Content {
  const ofKind = <K extends NodeObject['kind']>(kind: K) =>
    objects.filter(object => object.kind === kind) as unknown as readonly NodeObject<K>[]
  const key = ({ ref }: NodeObject) => `${ref.namespace}/${ref.name}`
  return {
    configMaps: new Map(ofKind('ConfigMap').map(object => [key(object), object.data])),
    secrets: new Map(ofKind('Secret').map(object => [key(object), object.data])),
    services: ofKind('Service'),
    claims: new Map(ofKind('PersistentVolumeClaim').map(object => [key(object), object])),
    byNamespace: grouped(objects.filter(({ kind }) => contents.has(kind))),
  }
}

const contents = new Set<NodeObject['kind']>(['ConfigMap', 'Secret', 'Service', 'PersistentVolumeClaim'])

function grouped(objects: readonly NodeObject[]): Content['byNamespace'] {
  const groups = new Map<string, NodeObject[]>()
  for (const object of objects) {
    const group = groups.get(object.ref.namespace)
    if (group === undefined) groups.set(object.ref.namespace, [object])
    else group.push(object)
  }
  return groups
}

function planApplication(
  document: DesiredDocument,
  entries: readonly Entry[],
  content: Content,
  input: NodeInput,
): ApplicationPlan {
  const { name, uid } = document.application
  const pods = input.pods.filter(pod => pod.record.application.name === name)
  if (document.deleted)
    return { create: [], terminate: end(pods, 'the application is deleted'), memory: {}, objects: [], wakeAt: null }
  const strangers = pods.filter(pod => pod.record.application.uid !== uid)
  const own = pods.filter(pod => pod.record.application.uid === uid)
  const keys = new Set(entries.map(entry => entry.key))
  const orphans = own.filter(pod => !keys.has(workloadKey(pod)))
  const planned = entries.map(entry => planEntry(entry, own, document, content, input))
  return {
    create: planned.flatMap(({ plan }) => plan.create),
    terminate: [
      ...end(strangers, `of a former application ${name}`),
      ...end(orphans, 'no longer in the release'),
      ...planned.flatMap(({ plan }) => plan.terminate),
    ],
    memory: Object.fromEntries(planned.map(({ key, memory }) => [key, memory])),
    objects: planned.map(({ observed }) => observed),
    wakeAt: earliest(planned.map(({ plan }) => plan.wakeAt)),
  }
}

function workloadKey(pod: PodView): string {
  const workload = pod.record.workload ?? pod.record.owner
  return workload === null ? '' : refKey(workload)
}

function end(pods: readonly PodView[], reason: string): readonly Ending[] {
  return pods.filter(pod => !pod.terminating).map(pod => ({ uid: pod.record.uid, reason }))
}

type Kept = Pick<ObjectMemory, 'deployment' | 'job' | 'pod'>

function planEntry(
  entry: Entry,
  applicationPods: readonly PodView[],
  document: DesiredDocument,
  content: Content,
  input: NodeInput,
) {
  const { key, manifest, object } = entry
  const before = remembered(key, document, input)
  const pods = applicationPods.filter(pod => workloadKey(pod) === key)
  const around = { ...content, ...input, application: document.application, digests: document.digests[key] ?? {} }
  const template = object === null ? null : templateOf(object)
  const templateNow =
    template === null ? '' : templateHash(template, entry.object!.ref.namespace, { ...around, attempt: 0, release: '' })
  const stamp = stamped(before, manifestHash(manifest), templateNow, object?.kind ?? '', document, input)
  const planned =
    object === null || entry.problems.length > 0
      ? refusedPlan(entry, before)
      : planObject(object, pods, stamp, { ...around, ...stamp })
  const memory: ObjectMemory = { ...stamp, templateHash: planned.templateHash, ...planned.memory }
  const observed: ObservedObject = {
    ref: refOf(manifest),
    uid: memory.uid,
    hash: memory.hash,
    status: planned.status,
    attempt: memory.attempt,
    ...(planned.templateHash === '' ? {} : { templateHash: planned.templateHash }),
  }
  return { key, plan: planned, memory, observed }
}

/** Identity and the attempt that last changed the object: its manifest, or, of what rolls, anything its pods are made of. */
function stamped(
  before: ObjectMemory | undefined,
  hash: string,
  template: string,
  kind: string,
  document: DesiredDocument,
  input: NodeInput,
): ObjectMemory {
  const { attempt, release } = document
  if (before === undefined) return { uid: input.newId().uid, hash, generation: 1, attempt, release, templateHash: template }
  const rolls = kind === 'Deployment' && template !== before.templateHash
  if (before.hash === hash && !rolls) return before
  return { ...before, hash, generation: before.generation + (before.hash === hash ? 0 : 1), attempt, release }
}

export function templateOf(object: NodeObject): Template | null {
  switch (object.kind) {
    case 'Deployment':
    case 'ReplicaSet':
    case 'Job':
      return object.spec.template
    case 'Pod':
      return object.template
    default:
      return null
  }
}

/** What is refused changes nothing: its pods stay as they are, and its status says why no new ones come. */
function refusedPlan(entry: Entry, before: ObjectMemory | undefined): Plan<Kept> {
  const message = entry.problems.map(problem => problem.message).join('; ')
  const reason = entry.problems[0]?.reason ?? 'Refused'
  const conditions = [
    { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message },
    { type: 'Refused', status: 'True', reason, message },
  ]
  const { deployment, job, pod } = before ?? {}
  const kept = { ...(deployment && { deployment }), ...(job && { job }), ...(pod && { pod }) }
  return {
    create: [],
    terminate: [],
    status: { conditions },
    memory: kept,
    wakeAt: null,
    templateHash: before?.templateHash ?? '',
  }
}

function planObject(object: NodeObject, pods: readonly PodView[], memory: ObjectMemory, around: Surroundings): Plan<Kept> {
  switch (object.kind) {
    case 'Deployment': {
      const plan = planDeployment(object, pods, memory.deployment ?? null, memory.generation, around)
      return { ...plan, memory: { deployment: plan.memory } }
    }
    case 'ReplicaSet':
      return { ...planReplicaSet(object, pods, memory.generation, around), memory: {} }
    case 'Job': {
      const plan = planJob(object, pods, memory.job ?? null, around)
      return { ...plan, memory: { job: plan.memory } }
    }
    case 'Pod': {
      const plan = planPod(object, pods, memory.pod ?? null, around)
      return { ...plan, memory: plan.memory === null ? {} : { pod: plan.memory } }
    }
    default:
      return { create: [], terminate: [], status: plainStatus(object), memory: {}, wakeAt: null, templateHash: '' }
  }
}

function plainStatus(object: NodeObject): Readonly<Record<string, unknown>> {
  if (object.kind === 'Namespace') return { phase: 'Active' }
  if (object.kind === 'PersistentVolumeClaim')
    return { phase: 'Bound', accessModes: object.claim.accessModes, capacity: { storage: object.claim.storage } }
  return {}
}

/** Listeners and endpoints of this moment, without planning anything: `memory` tells which pods are of an older template. */
export function trafficOf(seen: Traffic): DataPlaneState {
  const { input, entries } = sorted(seen)
  return dataPlaneOf(input, entries, input.memory)
}

type Traffic = Pick<NodeInput, 'documents' | 'pods' | 'memory' | 'refusals'>

function dataPlaneOf(input: Traffic, entries: ReadonlyMap<string, readonly Entry[]>, memory: NodeMemory): DataPlaneState {
  const outdated = (pod: PodView) => {
    const current = memory[pod.record.application.name]?.[workloadKey(pod)]?.templateHash
    return current === undefined || current !== pod.record.templateHash
  }
  const services = [...entries].flatMap(([application, own]) =>
    own.flatMap(({ object, problems }) => (object?.kind === 'Service' && problems.length === 0 ? [{ application, object }] : [])),
  )
  return {
    services: services.map(({ object }) => serviceSpec(object)),
    endpoints: services.flatMap(({ application, object }) =>
      endpoints(object, behind(object, application, entries.get(application)!, input.pods), outdated),
    ),
  }
}

/** Pods of two applications do not mix behind one Service: another's are taken only where its own application has none to select. */
function behind(
  service: NodeObject<'Service'>,
  application: string,
  own: readonly Entry[],
  pods: readonly PodView[],
): readonly PodView[] {
  const { selector } = service.spec
  const selectsOwn = own.some(({ object }) => {
    const template = object === null ? null : templateOf(object)
    return (
      selector !== null &&
      template !== null &&
      object?.ref.namespace === service.ref.namespace &&
      matches(selector, template.labels)
    )
  })
  return selectsOwn ? pods.filter(pod => pod.record.application.name === application) : pods
}
