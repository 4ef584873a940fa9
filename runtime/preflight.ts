// Could these objects run here? Asks everything at once, beside whatever is going on, and answers as state: nothing that runs is touched.
import type { DesiredDocument, Preflight, PreflightAnswer, Problem } from './contract/documents.js'
import { type Manifest, type ObjectRef, refKey, refOf, refText } from './contract/manifest.js'
import { type Capacity, fits, problem, workloads } from './fits.js'
import type { ServiceSpec } from './network/types.js'
import type { ContainerSpec } from './pods/types.js'
import { exclusiveBecause } from './workloads/exclusive.js'
import { claimProblem, claims, type NodeMemory, readOnce } from './workloads/node.js'
import type { NodeObject } from './workloads/objects.js'
import { serviceSpec } from './workloads/services.js'
import { imagesOf, references } from './workloads/template.js'

export type ImageAnswer =
  | { readonly digest: string }
  | { readonly reason: string; readonly message: string; readonly transient: boolean }

/** The outside world as a preflight needs it. */
export interface PreflightWorld {
  readonly node: string
  /** Obeyed now, of all applications. */
  documents(): readonly DesiredDocument[]
  memory(): NodeMemory
  refusals(object: NodeObject): readonly Problem[]
  /** `configs` are texts of `.dockerconfigjson`; `pinned` is the digest to use where one is known. */
  ensureImage(
    ref: string,
    policy: ContainerSpec['imagePullPolicy'],
    configs: readonly string[],
    pinned: string | undefined,
    signal: AbortSignal,
  ): Promise<ImageAnswer>
  conflicts(services: readonly ServiceSpec[]): Promise<readonly { readonly service: string; readonly message: string }[]>
  /** Does anything but a pod of ours listen there? */
  portTaken(port: number, hostIP: string): Promise<boolean>
  /** Host ports held by living pods, with the application that holds them. */
  heldPorts(): readonly { readonly port: number; readonly application: string }[]
  capacity(): Capacity
}

/** One release as a preflight looks at it. */
interface Question {
  readonly document: DesiredDocument
  readonly asked: Preflight
  readonly objects: readonly NodeObject[]
  readonly world: PreflightWorld
}

interface Found {
  readonly problems: readonly Problem[]
  readonly warnings: readonly string[]
}

/** Runs one preflight to its answer; `progress` is told what is being done. */
export async function preflight(
  document: DesiredDocument,
  asked: Preflight,
  world: PreflightWorld,
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<PreflightAnswer> {
  const read = asked.objects.map(readOnce)
  const question: Question = { document, asked, world, objects: read.flatMap(({ object }) => (object === null ? [] : [object])) }
  const checks = [
    whole(
      question,
      read.flatMap(({ problems }) => problems),
    ),
    { problems: fits(question.objects, world.node, world.capacity()), warnings: [] },
    refers(question),
    stopFirst(question),
  ]
  const [ports, hostPorts, images] = await Promise.all([
    nodePorts(question),
    hostPortsFree(question),
    pullAll(question, progress, signal),
  ])
  const all = [...checks, ports, hostPorts, images]
  const problems = all.flatMap(found => found.problems)
  return {
    release: asked.release,
    round: asked.round,
    state: problems.length === 0 ? 'passed' : 'refused',
    problems,
    warnings: [...new Set(all.flatMap(found => found.warnings))],
    digests: images.digests,
    progress: '',
  }
}

/** Fields, kinds, policy, owners, doubles: what can be said of each object by itself. */
function whole({ document, asked, objects, world }: Question, unread: readonly Problem[]): Found {
  const { name } = document.application
  const others = world.documents().filter(other => other.application.name !== name)
  const owners = claims([...others, { ...document, deleted: false, objects: asked.objects }], world.memory())
  const refs = asked.objects.map(refOf)
  const claimed = refs.flatMap(ref => claimProblem(ref, name, owners) ?? [])
  return {
    problems: [
      ...unread,
      ...doubles(refs),
      ...homeless(asked.objects),
      ...claimed,
      ...objects.flatMap(object => world.refusals(object)),
    ],
    warnings: [],
  }
}

function doubles(refs: readonly ObjectRef[]): readonly Problem[] {
  const keys = refs.map(refKey)
  return refs
    .filter((ref, index) => keys.indexOf(refKey(ref)) !== index)
    .map(ref => problem(ref, 'Duplicate', `${refText(ref)} is in the release twice: leave one out`))
}

function homeless(objects: readonly Manifest[]): readonly Problem[] {
  return objects
    .filter(object => object.kind !== 'Namespace' && (object.metadata.namespace ?? '') === '')
    .map(object => problem(refOf(object), 'InvalidValue', 'metadata.namespace: is required on a node'))
}

/** What pods name must be there: on a node it can only come with a document. */
function refers({ document, asked, objects, world }: Question): Found {
  const others = world.documents().filter(other => other.application.name !== document.application.name && !other.deleted)
  const known = new Set([...asked.objects, ...others.flatMap(other => other.objects)].map(object => refKey(refOf(object))))
  const has = (kind: string, namespace: string, name: string) => known.has(refKey({ group: '', kind, namespace, name }))
  const problems: Problem[] = []
  const warnings: string[] = []
  for (const { ref, spec } of workloads(objects)) {
    const { required } = references(spec)
    const claimed = spec.volumes.flatMap(({ source }) => (source.kind === 'persistentVolumeClaim' ? [source.claimName] : []))
    const wanted = [
      ['ConfigMap', required.configMaps],
      ['Secret', required.secrets],
      ['PersistentVolumeClaim', claimed],
    ] as const
    for (const [kind, names] of wanted) {
      for (const name of names.filter(candidate => !has(kind, ref.namespace, candidate))) {
        problems.push(
          problem(
            ref,
            'MissingReference',
            `${refText(ref)} names ${kind} ${name}, which is not among the objects of ${ref.namespace}: add it, or mark it optional`,
          ),
        )
      }
    }
    for (const secret of spec.imagePullSecrets) {
      if (!has('Secret', ref.namespace, secret))
        warnings.push(`${refText(ref)}: pull secret ${secret} is not among the objects of ${ref.namespace}`)
    }
  }
  return { problems, warnings: [...warnings, ...unselected(objects)] }
}

function unselected(objects: readonly NodeObject[]): readonly string[] {
  return objects.flatMap(object =>
    object.kind === 'Service' && object.spec.selector === null && object.spec.type !== 'ExternalName'
      ? [`${refText(object.ref)} has no selector, so nothing stands behind it`]
      : [],
  )
}

function stopFirst({ objects }: Question): Found {
  const claimed = new Map(
    objects.flatMap(object =>
      object.kind === 'PersistentVolumeClaim' ? [[`${object.ref.namespace}/${object.ref.name}`, object] as const] : [],
    ),
  )
  const problems: Problem[] = []
  const warnings: string[] = []
  for (const object of objects) {
    if (object.kind !== 'Deployment') continue
    const { spec, ref } = object
    const because = exclusiveBecause(spec.template.spec, ref.namespace, spec.replicas, claimed)
    if (because === null) continue
    if (spec.replicas > 1)
      problems.push(problem(ref, 'Unschedulable', `${refText(ref)}: ${because}, and replicas is ${spec.replicas}: set it to 1`))
    else if (spec.strategy.type === 'RollingUpdate') warnings.push(`${refText(ref)}: stop-first, because ${because}`)
  }
  return { problems, warnings }
}

/** Node ports that another application has are refused; those that this release moves to another Service are freed by itself, stop-first. */
async function nodePorts({ document, objects, world }: Question): Promise<Found> {
  const services = objects.flatMap(object => (object.kind === 'Service' ? [object] : []))
  const held = heldNodePorts(world.documents(), objects)
  const problems: Problem[] = []
  const warnings: string[] = []
  const moved = new Set<string>()
  for (const { ref, spec } of services) {
    for (const port of spec.ports) {
      const holder = port.nodePort === null ? undefined : held.get(port.nodePort)
      if (holder === undefined || (holder.application === document.application.name && refKey(holder.ref) === refKey(ref)))
        continue
      const text = `${refText(ref)}: node port ${port.nodePort} is held by ${refText(holder.ref)}`
      if (holder.application === document.application.name) {
        moved.add(refKey(ref))
        warnings.push(`${text} of the running release: stop-first`)
      } else problems.push(problem(ref, 'PortInUse', `${text} of application ${holder.application}: choose another`))
    }
  }
  const asked = services.filter(({ ref }) => !moved.has(refKey(ref)))
  const conflicts = await world.conflicts(asked.map(serviceSpec))
  for (const { service, message } of conflicts) {
    const ref = asked.find(({ ref }) => `${ref.namespace}/${ref.name}` === service)?.ref ?? services[0]!.ref
    if (!problems.some(known => refKey(known.object) === refKey(ref))) problems.push(problem(ref, 'PortInUse', message, true))
  }
  return { problems, warnings }
}

function heldNodePorts(
  documents: readonly DesiredDocument[],
  asked: readonly NodeObject[],
): ReadonlyMap<number, { readonly application: string; readonly ref: ObjectRef }> {
  const held = new Map<number, { application: string; ref: ObjectRef }>()
  // What was let go of and is asked for here is taken over with its ports.
  const own = new Set(asked.map(({ ref }) => refKey(ref)))
  for (const { application, objects, deleted, letGo } of documents) {
    for (const { object } of deleted ? [] : objects.map(readOnce)) {
      if (letGo && object !== null && own.has(refKey(object.ref))) continue
      if (object?.kind !== 'Service') continue
      for (const { nodePort } of object.spec.ports)
        if (nodePort !== null) held.set(nodePort, { application: application.name, ref: object.ref })
    }
  }
  return held
}

async function hostPortsFree({ document, objects, world }: Question): Promise<Found> {
  const held = world.heldPorts()
  const left = world.documents().filter(({ letGo }) => letGo)
  const isLetGo = (name: string, ref: ObjectRef) =>
    left.some(
      ({ application, objects }) => application.name === name && objects.some(each => refKey(refOf(each)) === refKey(ref)),
    )
  const wanted = workloads(objects).flatMap(({ ref, spec }) =>
    [...spec.initContainers, ...spec.containers].flatMap(({ ports }) =>
      ports.flatMap(port => (port.hostPort === undefined ? [] : [{ ref, port: port.hostPort, ip: port.hostIP ?? '' }])),
    ),
  )
  const found = await Promise.all(
    wanted.map(async ({ ref, port, ip }) => {
      const holder = held.find(candidate => candidate.port === port)
      if (holder?.application === document.application.name || isLetGo(holder?.application ?? '', ref)) return []
      if (holder !== undefined)
        return [
          problem(
            ref,
            'PortInUse',
            `${refText(ref)}: host port ${port} is held by application ${holder.application}: choose another`,
          ),
        ]
      return (await world.portTaken(port, ip))
        ? [
            problem(
              ref,
              'PortInUse',
              `${refText(ref)}: host port ${port} is in use on the node: free it, or choose another`,
              true,
            ),
          ]
        : []
    }),
  )
  return { problems: found.flat(), warnings: [] }
}

interface Wanted {
  readonly image: string
  readonly policy: ContainerSpec['imagePullPolicy']
  readonly configs: readonly string[]
  readonly ref: ObjectRef
}

const parallelPulls = 3

async function pullAll(
  { asked, objects, world }: Question,
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<Found & { readonly digests: Readonly<Record<string, string>> }> {
  const waiting = wantedImages(objects, world)
  const total = waiting.length
  const digests: Record<string, string> = {}
  const problems: Problem[] = []
  let done = 0
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      progress(`pulling ${next.image}, ${done} of ${total} images present`)
      const answer = await pull(next, asked.digests[next.image], world, signal)
      if ('digest' in answer) digests[next.image] = answer.digest
      else problems.push(problem(next.ref, answer.reason, answer.message, answer.transient))
      done += 1
    }
  }
  await Promise.all(Array.from({ length: Math.min(parallelPulls, total) }, worker))
  return { problems, warnings: [], digests }
}

async function pull(
  { image, policy, configs }: Wanted,
  pinned: string | undefined,
  world: PreflightWorld,
  signal: AbortSignal,
): Promise<ImageAnswer> {
  try {
    return await world.ensureImage(image, policy, configs, pinned, signal)
  } catch (error) {
    if (signal.aborted) throw error
    return { reason: 'ErrImagePull', message: `${image}: ${(error as Error).message}`, transient: true }
  }
}

/** Each image once, asked for as eagerly as the most eager container does. */
function wantedImages(objects: readonly NodeObject[], world: PreflightWorld): Wanted[] {
  const secrets = [
    ...objects,
    ...world.documents().flatMap(document => document.objects.flatMap(manifest => readOnce(manifest).object ?? [])),
  ]
  const wanted = new Map<string, Wanted>()
  for (const { ref, spec } of workloads(objects)) {
    const configs = spec.imagePullSecrets.flatMap(name => dockerConfig(secrets, ref.namespace, name))
    for (const image of imagesOf(spec)) {
      const policies = [...spec.initContainers, ...spec.containers]
        .filter(container => container.image === image)
        .map(container => container.imagePullPolicy)
      const known = wanted.get(image)
      const all = [...policies, ...(known === undefined ? [] : [known.policy])]
      const policy = all.includes('Always') ? 'Always' : all.includes('IfNotPresent') ? 'IfNotPresent' : 'Never'
      wanted.set(image, { image, policy, configs: [...(known?.configs ?? []), ...configs], ref: known?.ref ?? ref })
    }
  }
  return [...wanted.values()]
}

function dockerConfig(objects: readonly NodeObject[], namespace: string, name: string): readonly string[] {
  const secret = objects.find(
    object => object.kind === 'Secret' && object.ref.namespace === namespace && object.ref.name === name,
  )
  const encoded = secret?.kind === 'Secret' ? secret.data['.dockerconfigjson'] : undefined
  return encoded === undefined ? [] : [Buffer.from(encoded, 'base64').toString('utf8')]
}

/** The preflights that documents ask for, one an application, each run once. */
export interface Preflights {
  /** Level: what this document asks for now. Another question ends the one before. */
  ask(document: DesiredDocument): void
  /** null when the document asks nothing. */
  answer(document: DesiredDocument): PreflightAnswer | null
  /** Resolves once every question has its answer, or has been worked on for longer than is worth waiting for. */
  quickOnes(): Promise<void>
}

/** Most are answered by then (everything is here already): one report with the answer instead of two. */
const quickMs = 60
/** What takes longer tells people what it does. */
const tellProgressAfterMs = 250

export function createPreflights(world: PreflightWorld, onChange: () => void, signal: AbortSignal): Preflights {
  const asked = new Map<
    string,
    { readonly key: string; readonly end: AbortController; answer: PreflightAnswer; quick: Promise<void> }
  >()

  function begin(document: DesiredDocument, question: Preflight, key: string): void {
    const end = new AbortController()
    const running: PreflightAnswer = {
      release: question.release,
      round: question.round,
      state: 'running',
      problems: [],
      warnings: [],
      digests: {},
      progress: 'checking',
    }
    const entry = { key, end, answer: running, quick: Promise.resolve() }
    asked.set(document.application.name, entry)
    const beganAt = performance.now()
    const become = (answer: PreflightAnswer) => {
      if (end.signal.aborted) return
      entry.answer = answer
      if (answer.state !== 'running' || performance.now() - beganAt > tellProgressAfterMs) onChange()
    }
    const telling = setTimeout(() => become(entry.answer), tellProgressAfterMs + 1)
    const failed = (error: unknown) =>
      become({ ...running, state: 'refused', progress: '', problems: [unanswered(document, question, error)] })
    const answered = preflight(
      document,
      question,
      world,
      text => become({ ...running, progress: text }),
      AbortSignal.any([signal, end.signal]),
    )
      .then(become, failed)
      .finally(() => clearTimeout(telling))
    entry.quick = Promise.race([answered, new Promise<void>(resolve => setTimeout(resolve, quickMs))])
  }

  return {
    ask(document) {
      const { name, uid } = document.application
      const question = document.deleted ? null : document.preflight
      const key = question === null ? '' : `${uid} ${question.release} ${question.round}`
      if (asked.get(name)?.key === key) return
      asked.get(name)?.end.abort(new Error('another preflight was asked for'))
      asked.delete(name)
      if (question !== null) begin(document, question, key)
    },
    answer(document) {
      return document.preflight === null ? null : (asked.get(document.application.name)?.answer ?? null)
    },
    async quickOnes() {
      await Promise.all([...asked.values()].map(({ quick }) => quick))
    },
  }
}

/** Something we asked could not answer (the engine, the data plane): that is no word against the release. */
function unanswered(document: DesiredDocument, question: Preflight, error: unknown): Problem {
  const object =
    question.objects[0] === undefined
      ? { group: '', kind: 'Application', namespace: '', name: document.application.name }
      : refOf(question.objects[0])
  return problem(object, 'NodeError', `the node could not check it: ${(error as Error).message}`, true)
}
