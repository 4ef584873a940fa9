// What a user declares: Argo CD's Application with `spec.rollout` beside it, read strictly (fields of Argo CD v3.4 crd-application.yaml).
import { groupOf, type Manifest } from '../runtime/contract/manifest.js'
import { readKindRules } from './application/health.js'
import { ignoreRulesOf } from './application/ignore.js'
import { type Source, sourcesOf } from './application/source.js'
import { type Fault, type Fields, fieldsOf, isRecord } from './fields.js'
import type { KindRules } from './health/written.js'
import { optionFault } from './release/options.js'
import { type RetryPolicy, readRetry } from './sync/retry.js'
import { readWindows, type SyncWindow } from './sync/windows.js'

export type { ChartOptions, KustomizeOptions, Source } from './application/source.js'

export interface Application {
  readonly name: string
  /** Made when it is created; a deleted and re-created application has a new one. */
  readonly uid: string
  readonly project: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** Those that a declaration has under `sources`, or the one under `source`; never empty. */
  readonly sources: readonly Source[]
  /** The first of them that renders to objects. */
  readonly source: Source
  readonly destination: Destination
  readonly sync: SyncPolicy
  /** `observe`: it is rendered, compared and judged, and nothing is written at its place. */
  readonly mode: 'release' | 'observe'
  /** For people. */
  readonly info: readonly { readonly name: string; readonly value: string }[]
  readonly ignoreDifferences: readonly IgnoreRule[]
  readonly rollout: RolloutPolicy
  /** What people wrote of the health of kinds: its own before the controller's. */
  readonly health: KindRules
  /** Applications whose newest release has to run healthy before one of this begins. */
  readonly dependsOn: readonly string[]
  readonly revisionHistoryLimit: number
  /** What deleting the declaration does to what runs. */
  readonly deletion: 'cascade' | 'orphan'
  /** The application whose manifests declare this one; null where a person did. */
  readonly parent: string | null
  /** As it was declared, for `get` and for keeping. */
  readonly manifest: Manifest
  /** What would be refused of it today, and was accepted when it was declared; none of what is declared now. */
  readonly faults: readonly KeptFault[]
}

export interface KeptFault extends Fault {
  /** It says what is released, or where: until it is corrected nothing new is. */
  readonly holds: boolean
}

export interface Destination {
  /** `node/lab` or `cluster/prod-eu`: the place's key everywhere. */
  readonly place: string
  readonly kind: 'node' | 'cluster'
  readonly name: string
  readonly namespace: string
}

export interface SyncPolicy {
  readonly automated: boolean
  readonly prune: boolean
  readonly selfHeal: boolean
  readonly allowEmpty: boolean
  /** `syncOptions`, without spaces: `Replace=true`. What they mean: `release/options.ts`. */
  readonly options: readonly string[]
  /** For a namespace that is made for the application (`CreateNamespace=true`). */
  readonly namespaceMetadata: {
    readonly labels: Readonly<Record<string, string>>
    readonly annotations: Readonly<Record<string, string>>
  }
  /** null: as Slipway has it. */
  readonly retry: RetryPolicy | null
  /** Its own; its project's come beside. */
  readonly windows: readonly SyncWindow[]
}

/** Fields of live objects that are not compared. `group`, `kind`: `*` for any (Argo CD's glob); `name`, `namespace`: '' for any. */
export interface IgnoreRule {
  readonly group: string
  readonly kind: string
  readonly name: string
  readonly namespace: string
  readonly jsonPointers: readonly string[]
  readonly jqPathExpressions: readonly string[]
  readonly managedFieldsManagers: readonly string[]
}

export interface RolloutPolicy {
  readonly healthTimeoutMs: number
  readonly bakeTimeMs: number
  readonly onFailure: 'RollBack' | 'Hold'
  readonly writeBack: 'none' | 'revertCommit'
  readonly restartsAllowed: number
  readonly afterHooks: 'Hold' | 'RollBack'
  /** Helm's test hooks after each release. */
  readonly tests: 'Run' | 'Skip'
}

export const rolloutDefaults: RolloutPolicy = {
  healthTimeoutMs: 5 * 60_000,
  bakeTimeMs: 30_000,
  onFailure: 'RollBack',
  writeBack: 'none',
  restartsAllowed: 2,
  afterHooks: 'Hold',
  tests: 'Skip',
}

const ownGroup = 'slipway.dev'
const argoGroup = 'argoproj.io'
const cascadeFinalizer = 'resources-finalizer.argocd.argoproj.io'

export interface Declared {
  readonly uid: string
  readonly parent: string | null
  /** The node meant where the declaration names no destination; '' where there is not exactly one. */
  readonly defaultNode: string
  /** Kubernetes clusters that the controller knows; `server` is '' where it is not known (yet). */
  readonly clusters?: readonly KnownCluster[]
  /** Health rules of kinds, of the controller's configuration. */
  readonly health?: KindRules
  /** Reads `helm.values`, which Argo CD has as a string of YAML; throws with its own message. */
  readonly readYaml: (text: string) => unknown
}

export interface KnownCluster {
  readonly name: string
  readonly server: string
  /** The one that the controller itself runs in. */
  readonly isOwn: boolean
}

export type Parsed =
  | { readonly application: Application; readonly faults: readonly [] }
  | { readonly application: null; readonly faults: readonly Fault[] }

/** Is this manifest an Application (ours or Argo CD's)? */
export function isApplication(manifest: { readonly apiVersion: string; readonly kind: string }): boolean {
  const group = groupOf(manifest.apiVersion)
  return manifest.kind === 'Application' && (group === ownGroup || group === argoGroup)
}

/** Every fault at once, each with its pointer: `spec.rollout.bakeTime: want a duration such as 30s, got "soon"`. */
export function parseApplication(input: unknown, declared: Declared): Parsed {
  const { application, faults } = read(input, declared)
  return faults.length === 0 ? { application, faults: [] } : { application: null, faults }
}

/**
 * What an earlier (or later) Slipway accepted, as far as it can be read: what is refused is left out, or has its default, and is named.
 * `placed`: the name it is kept under, and where it runs; null where nothing of it ever did.
 */
export function readKept(
  input: unknown,
  declared: Declared,
  placed: { readonly name: string; readonly place: string | null },
): Application {
  const { application, faults } = read(input, declared)
  const isHomeless = faults.some(({ pointer }) => pointer === homeField)
  const isFound = isHomeless && placed.place !== null
  const destination = keptDestination(application.destination, placed.place, isFound)
  const holds = ({ pointer }: Fault) =>
    /^(apiVersion$|kind$|spec$|spec\.(sources?|destination)\b|$)/.test(pointer) && !(isFound && pointer === homeField)
  return { ...application, name: placed.name, destination, faults: faults.map(fault => ({ ...fault, holds: holds(fault) })) }
}

/** A cluster that the configuration names no more is no node of that name. */
function keptDestination(destination: Destination, place: string | null, isFound: boolean): Destination {
  const [, kind, name] = /^(node|cluster)\/(.*)$/.exec(place ?? '') ?? []
  if (name === undefined || !(isFound || (kind === 'cluster' && destination.place === `node/${name}`))) return destination
  return { ...destination, place: `${kind}/${name}`, kind: kind as Destination['kind'], name }
}

const homeField = 'spec.destination.name'

function read(input: unknown, declared: Declared): { readonly application: Application; readonly faults: readonly Fault[] } {
  const faults: Fault[] = []
  const root = fieldsOf(input, '', faults, ['apiVersion', 'kind', 'metadata', 'spec', 'status', 'operation'])
  const apiVersion = root.text('apiVersion', '')
  if (apiVersion !== `${ownGroup}/v1alpha1` && apiVersion !== `${argoGroup}/v1alpha1`)
    root.fault('apiVersion', `want ${ownGroup}/v1alpha1 or ${argoGroup}/v1alpha1, got ${JSON.stringify(apiVersion)}`)
  if (root.text('kind', '') !== 'Application') root.fault('kind', 'want Application')
  const own = apiVersion.startsWith(ownGroup)
  const meta = root.inner('metadata', null)
  const name = nameOf(meta)
  const annotations = meta.texts('annotations')
  refuseUnheeded(root, meta, annotations)
  const spec = root.inner('spec', specFields)
  const sources = sourcesOf(spec, declared.readYaml)
  const mode = modeOf(meta, annotations)
  const application: Application = {
    name,
    uid: declared.uid,
    project: spec.text('project', 'default'),
    labels: meta.texts('labels'),
    annotations,
    sources,
    source: sources.find(source => source.renders) ?? (sources[0] as Source),
    destination: destinationOf(spec, declared),
    sync: syncPolicyOf(spec, own),
    mode,
    info: infoOf(spec),
    ignoreDifferences: ignoreRulesOf(spec),
    rollout: rolloutOf(spec, annotations),
    health: { ...declared.health, ...readKindRules(spec, 'health') },
    dependsOn: dependsOnOf(spec, annotations, name),
    revisionHistoryLimit: spec.whole('revisionHistoryLimit', 10, 0, 100),
    deletion: deletionOf(spec, meta, own),
    parent: declared.parent,
    manifest: input as Manifest,
    faults: [],
  }
  return { application, faults }
}

/** What would change when and what is released, and is not there yet: taken and not heeded it would be a lie. */
function refuseUnheeded(root: Fields, meta: Fields, annotations: Readonly<Record<string, string>>): void {
  if (root.has('operation'))
    root.fault('operation', 'is not taken from a declaration; ask for it: slipway sync, slipway rollback')
  const heeded = new Set([declaredBy, importedFrom, modeKey, dependsOnAnnotation, ...annotationFields.keys()])
  for (const name of Object.keys(annotations)) {
    if (!name.startsWith(`${ownGroup}/`) || heeded.has(name)) continue
    const known = [...heeded]
      .filter(each => each !== declaredBy && each !== importedFrom)
      .map(each => each.slice(ownGroup.length + 1))
    meta.fault(`annotations.${name}`, `is none that Slipway heeds; known are ${known.join(', ')}`)
  }
}

/** Where an import read it: `prod/argocd`. */
const importedFrom = `${ownGroup}/imported-from`
const modeKey = `${ownGroup}/mode`
const skipKey = 'argocd.argoproj.io/skip-reconcile'

/** One that Argo CD is told not to reconcile is looked at only, unless it is said that Slipway releases it instead. */
function modeOf(meta: Fields, annotations: Readonly<Record<string, string>>): Application['mode'] {
  const mode = annotations[modeKey] ?? (annotations[skipKey] === 'true' ? 'observe' : 'release')
  if (mode !== 'release' && mode !== 'observe')
    meta.fault(`annotations.${modeKey}`, `want observe or release, got ${JSON.stringify(mode)}`)
  return mode === 'observe' ? 'observe' : 'release'
}

function infoOf(spec: Fields): Application['info'] {
  return spec.list('info').map((entry, at) => {
    const item = fieldsOf(entry, `spec.info[${at}]`, spec.faults, ['name', 'value'])
    return { name: item.text('name', ''), value: item.text('value', '') }
  })
}

/** What `get` adds. */
const declaredBy = `${ownGroup}/declared-by`

const specFields = [
  'project',
  'source',
  'destination',
  'syncPolicy',
  'ignoreDifferences',
  'info',
  'revisionHistoryLimit',
  'rollout',
  'deletion',
  'sources',
  'sourceHydrator',
  'dependsOn',
  'syncWindows',
  'health',
]
function nameOf(meta: Fields): string {
  const name = meta.text('name', '')
  if (!/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/.test(name))
    meta.fault('name', `want lower-case letters, digits, '-' and '.', at most 63 (RFC 1123), got ${JSON.stringify(name)}`)
  return name
}

/** A name is a cluster's where the controller knows one of that name, else a node's; `node/` and `cluster/` before it say so. */
function destinationOf(spec: Fields, { defaultNode, clusters = [] }: Declared): Destination {
  const destination = spec.inner('destination', ['server', 'name', 'namespace'])
  const namespace = destination.text('namespace', 'default')
  const written = destination.text('name', '') || (destination.has('server') ? '' : defaultNode)
  const cluster = clusterMeant(destination, written, clusters)
  if (cluster !== null) return { place: `cluster/${cluster}`, kind: 'cluster', name: cluster, namespace }
  const name = (written || defaultNode).replace(/^node\//, '')
  if (name === '') destination.fault('name', 'is missing, and there is not exactly one node to take; `slipway nodes` lists them')
  else if (!/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/.test(name))
    destination.fault('name', `${JSON.stringify(name)} is no node name`)
  return { place: `node/${name}`, kind: 'node', name, namespace }
}

/** null: a node is meant. */
function clusterMeant(destination: Fields, name: string, clusters: readonly KnownCluster[]): string | null {
  const names = clusters.map(one => one.name).join(', ')
  const known = names === '' ? "the controller's configuration names none under clusters" : `known are ${names}`
  if (destination.has('server')) {
    if (name !== '') destination.fault('server', 'is given beside name: give one of the two')
    const server = destination.text('server', '').replace(/\/+$/, '')
    const isHere = server === 'https://kubernetes.default.svc'
    const found = clusters.find(one => one.server === server) ?? (isHere ? clusters.find(one => one.isOwn) : undefined)
    if (found === undefined) destination.fault('server', `${JSON.stringify(server)} is no cluster that Slipway knows; ${known}`)
    return found?.name ?? null
  }
  const bare = name.replace(/^cluster\//, '')
  if (clusters.some(one => one.name === bare)) return bare
  if (bare === name) return null
  destination.fault('name', `there is no cluster ${JSON.stringify(bare)}; ${known}`)
  return bare
}

/** Slipway's own group: automated, pruning, self-healing unless written otherwise; Argo CD's: manual unless written. */
function syncPolicyOf(spec: Fields, own: boolean): SyncPolicy {
  const policy = spec.inner('syncPolicy', ['automated', 'retry', 'syncOptions', 'managedNamespaceMetadata'])
  const options = policy.textList('syncOptions').map(option => option.replace(/\s/g, ''))
  for (const [at, option] of options.entries()) {
    const fault = optionFault(option)
    if (fault !== '') policy.fault(`syncOptions[${at}]`, fault)
  }
  const written = policy.has('automated')
  const automated = policy.inner('automated', ['enabled', 'prune', 'selfHeal', 'allowEmpty'])
  const metadata = policy.inner('managedNamespaceMetadata', ['labels', 'annotations'])
  return {
    automated: automated.flag('enabled', own || written),
    prune: automated.flag('prune', own),
    selfHeal: automated.flag('selfHeal', own),
    allowEmpty: automated.flag('allowEmpty', false),
    options,
    namespaceMetadata: { labels: metadata.texts('labels'), annotations: metadata.texts('annotations') },
    retry: readRetry(policy),
    windows: readWindows(spec, 'syncWindows'),
  }
}

const dependsOnAnnotation = `${ownGroup}/depends-on`

/** Names, or maps with a name as Flux has them; `slipway.dev/depends-on: db, cache` on Argo CD's own. */
function dependsOnOf(spec: Fields, annotations: Readonly<Record<string, string>>, own: string): readonly string[] {
  const listed = spec.list('dependsOn').map((entry, at) => {
    const name = isRecord(entry) ? entry.name : entry
    if (typeof name !== 'string' || name === '') spec.fault(`dependsOn[${at}]`, 'want the name of an application')
    if (name === own) spec.fault(`dependsOn[${at}]`, `is ${own} itself`)
    return String(name)
  })
  const annotated = (annotations[dependsOnAnnotation] ?? '').split(',').map(name => name.trim())
  return [...new Set([...listed, ...annotated])].filter(name => name !== '' && name !== own)
}

const rolloutFields = ['healthTimeout', 'bakeTime', 'onFailure', 'writeBack', 'restartsAllowed', 'afterHooks', 'tests'] as const

/** `slipway.dev/health-timeout` -> healthTimeout */
const annotationFields: ReadonlyMap<string, (typeof rolloutFields)[number]> = new Map(
  rolloutFields.map(field => [`${ownGroup}/${field.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`, field] as const),
)

/** `spec.rollout` in our group; `slipway.dev/health-timeout` and so on as annotations on either. */
function rolloutOf(spec: Fields, annotations: Readonly<Record<string, string>>): RolloutPolicy {
  const faults = spec.faults
  const written: Record<string, unknown> = { ...spec.record('rollout') }
  for (const [name, field] of annotationFields) if (annotations[name] !== undefined) written[field] ??= annotations[name]
  const rollout = fieldsOf(written, 'spec.rollout', faults, rolloutFields)
  return {
    healthTimeoutMs: rollout.duration('healthTimeout', rolloutDefaults.healthTimeoutMs),
    bakeTimeMs: rollout.duration('bakeTime', rolloutDefaults.bakeTimeMs),
    onFailure: rollout.oneOf('onFailure', ['RollBack', 'Hold'], rolloutDefaults.onFailure),
    writeBack: rollout.oneOf('writeBack', ['none', 'revertCommit'], rolloutDefaults.writeBack),
    restartsAllowed: rollout.whole('restartsAllowed', rolloutDefaults.restartsAllowed, 0, 100),
    afterHooks: rollout.oneOf('afterHooks', ['Hold', 'RollBack'], rolloutDefaults.afterHooks),
    tests: rollout.oneOf('tests', ['Run', 'Skip'], rolloutDefaults.tests),
  }
}

function deletionOf(spec: Fields, meta: Fields, own: boolean): 'cascade' | 'orphan' {
  const finalized = meta.textList('finalizers').some(finalizer => finalizer.startsWith(cascadeFinalizer))
  return spec.oneOf('deletion', ['cascade', 'orphan'], finalized || own ? 'cascade' : 'orphan')
}
