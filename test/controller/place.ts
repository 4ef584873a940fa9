// A toy node without I/O: obeys documents on a virtual clock and reports as a real one does. What a pod does is its image's name.

import type { Ledger } from '../../controller/ledger.js'
import type { Release } from '../../controller/release.js'
import type {
  ObservedContainer,
  ObservedObject,
  ObservedPod,
  PreflightAnswer,
  Sequence,
} from '../../runtime/contract/documents.js'
import { isNewer } from '../../runtime/contract/documents.js'
import { contentHash, manifestHash } from '../../runtime/contract/hash.js'
import { type Manifest, type ObjectRef, refKey, refOf } from '../../runtime/contract/manifest.js'

export interface Document extends Sequence {
  readonly attempt: number
  readonly release: string
  readonly deleted: boolean
  readonly objects: readonly Manifest[]
  readonly digests: Readonly<Record<string, string>>
  readonly preflight: { readonly release: string; readonly round: number; readonly objects: readonly Manifest[] } | null
  readonly ledger: Ledger
  /** Objects of the releases that the ledger names lie with it. */
  readonly kept: readonly Release[]
}

interface Pod {
  readonly uid: number
  readonly workload: ObjectRef
  readonly image: string
  readonly digest: string
  readonly templateHash: string
  readonly release: string
  readonly attempt: number
  readonly createdAt: number
  everReady: boolean
  wasReady: boolean
  troubledAt: number
  /** 0 while it is not. */
  readyAt: number
}

interface Live {
  readonly manifest: Manifest
  readonly attempt: number
  readonly since: number
}

/** What the world around the pods is like. */
export interface Weather {
  dbUp: boolean
  healed: boolean
  /** Images that the registry does not have yet start with `missing`. */
  missingThere: boolean
  registryBusy: boolean
  tag: string
}

/** Ages at which a crashing container ends: 1 s back-off doubling. */
const ends = [500, 2000, 4500, 9000, 18_000, 35_000, 68_000, 130_000]
const readyAfterMs = 1000

export class Place {
  obeyed: Document | null = null
  silentSince = 0
  preflightDoneAt = 0
  readonly starts: string[] = []
  private live = new Map<string, Live>()
  private pods: Pod[] = []
  private answer: PreflightAnswer | null = null
  private nextUid = 1
  readonly weather: Weather

  constructor(weather: Weather) {
    this.weather = weather
  }

  /** Obeys what is newer, then lets pods live until `now`. */
  update(document: Document | null, now: number): void {
    if (this.silentSince === 0 && document !== null && (this.obeyed === null || isNewer(document, this.obeyed)))
      this.obey(document, now)
    this.answerPreflight(now)
    this.live_(now)
  }

  private obey(document: Document, now: number): void {
    const before = this.obeyed?.preflight
    const isNewQuestion =
      document.preflight !== null && (before?.release !== document.preflight.release || before.round !== document.preflight.round)
    if (isNewQuestion) {
      this.preflightDoneAt = now + 300
      this.answer = { ...blankAnswer, release: document.preflight!.release, round: document.preflight!.round }
    }
    this.obeyed = document
    const wanted = document.deleted ? [] : document.objects
    const next = new Map<string, Live>()
    for (const manifest of wanted) {
      const key = refKey(refOf(manifest))
      const old = this.live.get(key)
      const isSame = old !== undefined && manifestHash(old.manifest) === manifestHash(manifest)
      next.set(key, isSame ? old : { manifest, attempt: document.attempt, since: now })
    }
    this.live = next
  }

  private answerPreflight(now: number): void {
    const asked = this.obeyed?.preflight
    if (this.answer?.state !== 'running' || asked === undefined || asked === null || now < this.preflightDoneAt) return
    const missing = asked.objects.flatMap(imagesOf).some(image => image.startsWith('missing') && !this.weather.missingThere)
    const isRefused = missing || this.weather.registryBusy
    const problem = {
      object: refOf(asked.objects[0]!),
      reason: 'ErrImagePull',
      message: missing ? 'no such image' : '429',
      transient: true,
    }
    const digests = Object.fromEntries(asked.objects.flatMap(imagesOf).map(image => [image, `${image}@${this.weather.tag}`]))
    this.answer = isRefused
      ? { ...this.answer, state: 'refused', problems: [problem] }
      : { ...this.answer, state: 'passed', digests }
  }

  private live_(now: number): void {
    for (const live of this.live.values()) if (live.manifest.kind === 'Deployment') this.roll(live, now)
    const workloads = new Set(
      [...this.live.values()].filter(live => live.manifest.kind === 'Deployment').map(live => refKey(refOf(live.manifest))),
    )
    this.pods = this.pods.filter(pod => workloads.has(refKey(pod.workload)))
    for (const pod of this.pods) this.feel(pod, now)
  }

  private feel(pod: Pod, now: number): void {
    const isReady = this.isReady(pod, now)
    if (pod.wasReady && !isReady) pod.troubledAt = now
    if (pod.wasReady !== isReady) pod.readyAt = isReady ? now : 0
    pod.wasReady = isReady
    if (isReady) pod.everReady = true
  }

  private roll(live: Live, now: number): void {
    const ref = refOf(live.manifest)
    const spec = live.manifest.spec as {
      replicas: number
      strategy?: { type: string }
      template: { spec: { containers: { image: string }[] } }
    }
    const hash = templateHash(live.manifest)
    const own = () => this.pods.filter(pod => refKey(pod.workload) === refKey(ref))
    if (spec.strategy?.type === 'Recreate')
      this.pods = this.pods.filter(pod => refKey(pod.workload) !== refKey(ref) || pod.templateHash === hash)
    const count = own().filter(pod => pod.templateHash === hash).length
    const image = spec.template.spec.containers[0]!.image
    for (let i = count; i < spec.replicas; i += 1) this.start(ref, image, hash, now)
    for (const pod of own()) this.feel(pod, now)
    const ready = own().filter(pod => pod.templateHash === hash && this.isReady(pod, now)).length
    const old = own().filter(pod => pod.templateHash !== hash)
    const spare = new Set(old.slice(0, Math.max(0, old.length - (spec.replicas - ready))))
    const extra = new Set(
      own()
        .filter(pod => pod.templateHash === hash)
        .slice(spec.replicas),
    )
    this.pods = this.pods.filter(pod => !spare.has(pod) && !extra.has(pod))
  }

  private start(workload: ObjectRef, image: string, templateHash: string, now: number): void {
    const { attempt, release, digests } = this.obeyed!
    this.starts.push(`${image} a${attempt}`)
    const digest = digests[image] ?? `${image}@${this.weather.tag}`
    this.pods.push({
      uid: this.nextUid++,
      workload,
      image,
      digest,
      templateHash,
      release,
      attempt,
      createdAt: now,
      everReady: false,
      wasReady: false,
      troubledAt: 0,
      readyAt: 0,
    })
  }

  private isReady(pod: Pod, now: number): boolean {
    const age = now - pod.createdAt
    const kind = pod.image.split(':')[0]
    if (kind === 'db') return this.weather.dbUp && age >= readyAfterMs
    if (kind === 'heals') return this.weather.healed && age >= readyAfterMs
    if (kind === 'late') return age >= readyAfterMs && age < 10_000
    if (kind === 'slow') return age >= 20_000
    return age >= readyAfterMs && (kind === 'good' || kind === 'missing')
  }

  private endsOf(pod: Pod, now: number): number {
    const age = now - pod.createdAt
    const kind = pod.image.split(':')[0]
    if (kind === 'crash' || kind === 'oom' || (kind === 'db' && !this.weather.dbUp && !pod.everReady))
      return ends.filter(end => end <= age).length
    return kind === 'late' ? ends.filter(end => end + 10_000 <= age).length : 0
  }

  /** The next moment at which something changes by itself. */
  nextEvent(now: number): number {
    const times = [this.preflightDoneAt, ...[...this.live.values()].map(live => live.since + jobMs(live.manifest))]
    for (const pod of this.pods)
      for (const age of [readyAfterMs, 10_000, 20_000, ...ends, ...ends.map(end => end + 10_000)]) times.push(pod.createdAt + age)
    return Math.min(...times.filter(time => time > now), Number.POSITIVE_INFINITY)
  }

  report(now: number): {
    readonly objects: readonly ObservedObject[]
    readonly pods: readonly ObservedPod[]
    readonly preflight: PreflightAnswer | null
  } {
    return {
      objects: [...this.live.values()].map(live => this.objectOf(live, now)),
      pods: this.pods.map(pod => this.podOf(pod, now)),
      preflight: this.answer,
    }
  }

  private objectOf(live: Live, now: number): ObservedObject {
    const ref = refOf(live.manifest)
    const base = { ref, uid: refKey(ref), hash: manifestHash(live.manifest), attempt: live.attempt }
    if (ref.kind === 'Deployment')
      return {
        ...base,
        status: this.deploymentStatus(live, now),
        templateHash: templateHash(live.manifest),
      }
    return {
      ...base,
      status: ref.kind === 'Job' ? jobStatus(live, now) : ref.kind === 'PersistentVolumeClaim' ? { phase: 'Bound' } : {},
    }
  }

  private deploymentStatus(live: Live, now: number): Readonly<Record<string, unknown>> {
    const hash = templateHash(live.manifest)
    const own = this.pods.filter(pod => refKey(pod.workload) === refKey(refOf(live.manifest)))
    const updated = own.filter(pod => pod.templateHash === hash)
    const ready = own.filter(pod => this.isReady(pod, now)).length
    return {
      observedGeneration: 1,
      replicas: own.length,
      updatedReplicas: updated.length,
      readyReplicas: ready,
      availableReplicas: ready,
    }
  }

  private podOf(pod: Pod, now: number): ObservedPod {
    const ready = this.isReady(pod, now)
    const name = `${pod.workload.name}-${pod.uid}`
    return {
      name,
      namespace: pod.workload.namespace,
      uid: String(pod.uid),
      owner: { ...pod.workload, kind: 'ReplicaSet' },
      workload: pod.workload,
      templateHash: pod.templateHash,
      release: pod.release,
      attempt: pod.attempt,
      phase: 'Running',
      ready,
      available: ready,
      terminating: false,
      ip: '10.0.0.1',
      createdAt: new Date(pod.createdAt).toISOString(),
      readyAt: ready && pod.readyAt > 0 ? new Date(pod.readyAt).toISOString() : '',
      reason: '',
      message: '',
      containers: [this.containerOf(pod, ready, now)],
    }
  }

  private containerOf(pod: Pod, ready: boolean, now: number): ObservedContainer {
    const count = this.endsOf(pod, now)
    const isOom = pod.image.startsWith('oom')
    const last = {
      state: 'terminated' as const,
      reason: isOom ? 'OOMKilled' : 'Error',
      message: '',
      exitCode: isOom ? 137 : 1,
      startedAt: '',
      finishedAt: '',
    }
    return {
      name: pod.workload.name,
      init: false,
      image: pod.image,
      imageId: pod.digest,
      ready,
      everReady: pod.everReady,
      started: true,
      restartCount: Math.max(0, count - 1),
      state:
        count > 0 && !ready ? { state: 'waiting', reason: 'CrashLoopBackOff', message: '' } : { state: 'running', startedAt: '' },
      last: count > 0 ? last : null,
      oomKills: isOom ? count : 0,
      lastLog: count > 0 ? ['Error: boom'] : [],
      memoryLimit: isOom ? 64 * 2 ** 20 : 0,
      troubledAt: pod.troubledAt === 0 ? '' : new Date(pod.troubledAt).toISOString(),
    }
  }

  digestsRunning(): readonly string[] {
    return this.pods.map(pod => pod.digest)
  }
}

const blankAnswer: PreflightAnswer = {
  release: '',
  round: 0,
  state: 'running',
  problems: [],
  warnings: [],
  digests: {},
  progress: '',
}

const templateHashes = new WeakMap<Manifest, string>()

function templateHash(object: Manifest): string {
  const found = templateHashes.get(object) ?? contentHash((object.spec as { template: unknown }).template)
  templateHashes.set(object, found)
  return found
}

function imagesOf(object: Manifest): readonly string[] {
  const template = (object.spec as { template?: { spec: { containers: { image: string }[] } } } | undefined)?.template
  return template?.spec.containers.map(container => container.image) ?? []
}

function jobMs(object: Manifest): number {
  if (object.kind !== 'Job') return 0
  return imagesOf(object)[0]!.startsWith('long') ? 40_000 : 1000
}

function jobStatus(live: Live, now: number): Readonly<Record<string, unknown>> {
  const image = imagesOf(live.manifest)[0]!
  if (now - live.since < jobMs(live.manifest)) return { startTime: 'then', active: 1 }
  if (image.startsWith('fail'))
    return {
      startTime: 'then',
      failed: 1,
      conditions: [{ type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded', message: 'exited 1' }],
    }
  return { startTime: 'then', succeeded: 1, conditions: [{ type: 'Complete', status: 'True' }] }
}
