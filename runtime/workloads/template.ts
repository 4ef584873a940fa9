// What a pod is made of: the hash that names a template with all it refers to, and the record of a new pod.
import { createHmac } from 'node:crypto'
import type { ApplicationId } from '../contract/documents.js'
import { canonicalJson } from '../contract/hash.js'
import type { ObjectRef } from '../contract/manifest.js'
import type { PodRecord, PodSpec } from '../pods/types.js'
import { isObject } from './fields.js'
import type { NodeObject, Template } from './objects.js'
import { gatePorts, portMap } from './services.js'

type Contents = Readonly<Record<string, string>>

/** All that the planner of one object may look at, besides the object, its pods and its memory. */
export interface Surroundings {
  readonly application: ApplicationId
  /** Of the object: the release and attempt that last changed it. */
  readonly release: string
  readonly attempt: number
  readonly digests: Readonly<Record<string, string>>
  /** By `namespace/name`; values base64. Those of every application on the node: a pod names what is in its namespace. */
  readonly configMaps: ReadonlyMap<string, Contents>
  readonly secrets: ReadonlyMap<string, Contents>
  readonly services: readonly NodeObject<'Service'>[]
  /** By `namespace/name`. */
  readonly claims: ReadonlyMap<string, NodeObject<'PersistentVolumeClaim'>>
  /** Keys the template hash, for it is public and depends on Secrets. */
  readonly salt: string
  readonly now: number
  /** A new uid and five random letters at each call. */
  readonly newId: () => { readonly uid: string; readonly suffix: string }
}

export interface References {
  readonly configMaps: readonly string[]
  readonly secrets: readonly string[]
}

/** ConfigMaps and Secrets that a pod reads; pull secrets are not content, and are named apart. */
export function references(spec: PodSpec): { readonly required: References; readonly all: References } {
  const found: { kind: 'configMap' | 'secret'; name: string; optional: boolean }[] = []
  for (const container of [...spec.initContainers, ...spec.containers]) {
    for (const from of container.envFrom) found.push(from)
    for (const { valueFrom } of container.env)
      if (valueFrom?.kind === 'configMap' || valueFrom?.kind === 'secret') found.push(valueFrom)
  }
  for (const { source } of spec.volumes) {
    if (source.kind === 'configMap' || source.kind === 'secret') found.push(source)
    if (source.kind === 'projected') found.push(...source.sources.flatMap(projected))
  }
  return { required: named(found.filter(reference => !reference.optional)), all: named(found) }
}

function projected(source: unknown): { kind: 'configMap' | 'secret'; name: string; optional: boolean }[] {
  if (!isObject(source)) return []
  return (['configMap', 'secret'] as const).flatMap(kind => {
    const part = source[kind]
    return isObject(part) ? [{ kind, name: String(part.name), optional: part.optional === true }] : []
  })
}

function named(found: readonly { readonly kind: 'configMap' | 'secret'; readonly name: string }[]): References {
  const names = (kind: string) =>
    [...new Set(found.filter(reference => reference.kind === kind).map(reference => reference.name))].sort()
  return { configMaps: names('configMap'), secrets: names('secret') }
}

export function imagesOf(spec: PodSpec): readonly string[] {
  return [...new Set([...spec.initContainers, ...spec.containers].map(container => container.image))].sort()
}

/**
 * Ten hex digits naming the template, the contents of the ConfigMaps and Secrets it reads and the digests of its images: a change of any
 * of them makes new pods, a change of nothing touches nothing. Keyed, since it is public and Secrets may be easy to guess.
 */
export function templateHash(template: Template, namespace: string, around: Surroundings): string {
  const content = snapshot(references(template.spec).all, namespace, around)
  const hashed = { template: template.raw, ...content, digests: pick(around.digests, imagesOf(template.spec)) }
  return createHmac('sha256', around.salt).update(canonicalJson(hashed)).digest('hex').slice(0, 10)
}

function snapshot(wanted: References, namespace: string, around: Surroundings) {
  const take = (names: readonly string[], from: ReadonlyMap<string, Contents>): Record<string, Contents> =>
    Object.fromEntries(
      names
        .flatMap(name => [[name, from.get(`${namespace}/${name}`)] as const])
        .filter((pair): pair is [string, Contents] => pair[1] !== undefined),
    )
  return { configMaps: take(wanted.configMaps, around.configMaps), secrets: take(wanted.secrets, around.secrets) }
}

function pick(values: Readonly<Record<string, string>>, keys: readonly string[]): Record<string, string> {
  return Object.fromEntries(keys.filter(key => Object.hasOwn(values, key)).map(key => [key, values[key]!]))
}

export interface Identity {
  readonly name: string
  readonly owner: ObjectRef | null
  readonly workload: ObjectRef
  readonly templateHash: string
  readonly minReadySeconds: number
  readonly labels?: Contents
}

/** A pod of the template as it is now: everything it will ever need is copied into it. */
export function newPod(identity: Identity, uid: string, template: Template, around: Surroundings): PodRecord {
  const { namespace } = identity.workload
  const wanted = references(template.spec).all
  const services = servicesFor(identity.workload, template, around)
  return {
    uid,
    name: identity.name,
    namespace,
    application: around.application,
    owner: identity.owner,
    workload: identity.workload,
    templateHash: identity.templateHash,
    release: around.release,
    attempt: around.attempt,
    labels: { ...template.labels, ...identity.labels },
    annotations: template.annotations,
    createdAt: new Date(around.now).toISOString(),
    spec: template.spec,
    digests: pick(around.digests, imagesOf(template.spec)),
    ...snapshot({ ...wanted, secrets: [...new Set([...wanted.secrets, ...template.spec.imagePullSecrets])] }, namespace, around),
    minReadySeconds: identity.minReadySeconds,
    gatePorts: gatePorts(template.spec, services),
    portMap: portMap(template.spec, services),
  }
}

function servicesFor(workload: ObjectRef, template: Template, around: Surroundings): readonly NodeObject<'Service'>[] {
  return around.services.filter(
    ({ ref, spec }) =>
      ref.namespace === workload.namespace &&
      spec.selector !== null &&
      Object.entries(spec.selector).every(([key, value]) => template.labels[key] === value),
  )
}
