// Argo CD's AppProject: where its applications may come from, where they may go, what they may make, and when (fields and rules of Argo CD
// v3.4, crd-appproject.yaml and pkg/apis/application/v1alpha1/types.go). Pure.
import { groupOf, type Manifest, type ObjectRef, refOf, refText } from '../../runtime/contract/manifest.js'
import { type Fault, type Fields, fieldsOf } from '../fields.js'
import { readWindows, type SyncWindow } from '../sync/windows.js'

export interface Project {
  readonly name: string
  readonly description: string
  /** Globs, `!` before one forbids. */
  readonly sourceRepos: readonly string[]
  readonly destinations: readonly ProjectDestination[]
  /** Kinds without a namespace: those that are listed, and no others. */
  readonly clusterAllowed: readonly KindRule[]
  readonly clusterDenied: readonly KindRule[]
  /** null: every kind. */
  readonly namespacedAllowed: readonly KindRule[] | null
  readonly namespacedDenied: readonly KindRule[]
  readonly windows: readonly SyncWindow[]
  /** Where Applications of this project may lie in a cluster that is watched for them, beside Argo CD's own namespace. */
  readonly sourceNamespaces: readonly string[]
  /** As it was declared. */
  readonly manifest: Manifest
}

export interface ProjectDestination {
  readonly server: string
  readonly name: string
  readonly namespace: string
}

/** '' means any. */
export interface KindRule {
  readonly group: string
  readonly kind: string
  readonly name: string
}

const groups = ['argoproj.io/v1alpha1', 'slipway.dev/v1alpha1']

export function isProject(manifest: { readonly apiVersion: string; readonly kind: string }): boolean {
  return manifest.kind === 'AppProject' && groups.includes(manifest.apiVersion)
}

const specFields = [
  'description',
  'sourceRepos',
  'sourceNamespaces',
  'destinations',
  'clusterResourceWhitelist',
  'clusterResourceBlacklist',
  'namespaceResourceWhitelist',
  'namespaceResourceBlacklist',
  'roles',
  'syncWindows',
  'orphanedResources',
  'signatureKeys',
  'destinationServiceAccounts',
  'permitOnlyProjectScopedClusters',
]

/** What Argo CD enforces and Slipway does not: taken in silence, a project would promise what nobody keeps. */
const refused: Readonly<Record<string, string>> = {
  signatureKeys: 'signatures of commits are not checked: leave it out, and protect the branch instead',
  destinationServiceAccounts: 'every application of a cluster is applied by the one account that the controller has there',
}

export type ParsedProject =
  | { readonly project: Project; readonly faults: readonly []; readonly warnings: readonly string[] }
  | { readonly project: null; readonly faults: readonly Fault[]; readonly warnings: readonly string[] }

/** Every fault at once. `warnings`: what is kept and does nothing. */
export function parseProject(input: unknown): ParsedProject {
  const faults: Fault[] = []
  const root = fieldsOf(input, '', faults, ['apiVersion', 'kind', 'metadata', 'spec', 'status'])
  if (!groups.includes(root.text('apiVersion', ''))) root.fault('apiVersion', `want ${groups.join(' or ')}`)
  if (root.text('kind', '') !== 'AppProject') root.fault('kind', 'want AppProject')
  const meta = root.inner('metadata', null)
  const name = meta.text('name', '')
  if (!/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/.test(name))
    meta.fault('name', `want lower-case letters, digits, '-' and '.', at most 63, got ${JSON.stringify(name)}`)
  const spec = root.inner('spec', specFields)
  for (const [field, why] of Object.entries(refused))
    if (spec.list(field).length > 0) spec.fault(field, `is not supported: ${why}`)
  if (spec.flag('permitOnlyProjectScopedClusters', false))
    spec.fault(
      'permitOnlyProjectScopedClusters',
      "is not supported: clusters are the configuration's; name those it may use in destinations",
    )
  const project: Project = {
    name,
    description: spec.text('description', ''),
    sourceRepos: spec.textList('sourceRepos'),
    destinations: spec.list('destinations').map((entry, at) => {
      const one = fieldsOf(entry, `spec.destinations[${at}]`, faults, ['server', 'name', 'namespace'])
      return { server: one.text('server', ''), name: one.text('name', ''), namespace: one.text('namespace', '') }
    }),
    clusterAllowed: kindsOf(spec, 'clusterResourceWhitelist'),
    clusterDenied: kindsOf(spec, 'clusterResourceBlacklist'),
    namespacedAllowed: spec.has('namespaceResourceWhitelist') ? kindsOf(spec, 'namespaceResourceWhitelist') : null,
    namespacedDenied: kindsOf(spec, 'namespaceResourceBlacklist'),
    windows: readWindows(spec, 'syncWindows'),
    sourceNamespaces: spec.textList('sourceNamespaces'),
    manifest: input as Manifest,
  }
  const idle = [
    ...(spec.list('roles').length > 0
      ? ['spec.roles: rights are given by tokens here (slipway tokens); the roles of the project do nothing']
      : []),
    ...(spec.has('orphanedResources') ? ['spec.orphanedResources: what nobody declares is not looked for; it does nothing'] : []),
  ]
  return faults.length === 0 ? { project, faults: [], warnings: idle } : { project: null, faults, warnings: idle }
}

function kindsOf(spec: Fields, field: string): readonly KindRule[] {
  return spec.list(field).map((entry, at) => {
    const rule = fieldsOf(entry, `${spec.path}.${field}[${at}]`, spec.faults, ['group', 'kind', 'name'])
    return { group: rule.text('group', ''), kind: rule.text('kind', ''), name: rule.text('name', '') }
  })
}

/** What `default` is until somebody declares it: everything, as Argo CD makes it. */
export const defaultProject: Project = {
  name: 'default',
  description: '',
  sourceRepos: ['*'],
  destinations: [{ server: '*', name: '*', namespace: '*' }],
  clusterAllowed: [{ group: '*', kind: '*', name: '' }],
  clusterDenied: [],
  namespacedAllowed: null,
  namespacedDenied: [],
  windows: [],
  sourceNamespaces: [],
  manifest: { apiVersion: 'argoproj.io/v1alpha1', kind: 'AppProject', metadata: { name: 'default' } },
}

// -- What it permits --

export interface Going {
  readonly sources: readonly { readonly repoURL: string }[]
  readonly destination: Whither
}

/** Where an object, or an application, goes. `server`: '' where it has none (a node). */
export interface Whither {
  readonly place: string
  readonly name: string
  readonly server: string
  readonly namespace: string
}

/** The first thing that an application may not; '' where there is none. */
export function goingFault(project: Project, { sources, destination }: Going): string {
  const source = sources.find(({ repoURL }) => !permitsSource(project, repoURL))
  if (source !== undefined)
    return `project ${project.name} does not permit the repository ${bare(source.repoURL)}${listed(project.sourceRepos)}`
  if (permitsDestination(project, destination)) return ''
  const permitted = project.destinations.map(one => `${one.name || one.server}/${one.namespace}`)
  return `project ${project.name} does not permit ${destination.place} with namespace ${destination.namespace}${listed(permitted)}`
}

/** The first rendered object that it may not make; '' where there is none. `isNested`: it goes to the controller, not to the destination. */
export function objectFault(
  project: Project,
  objects: readonly Manifest[],
  destination: Whither,
  isNested: (object: Manifest) => boolean,
): { readonly ref: ObjectRef; readonly message: string } | null {
  for (const object of objects) {
    const ref = refOf(object)
    const isNamespaced = ref.namespace !== '' || isNested(object)
    if (!permitsKind(project, object, isNamespaced)) {
      const rule = isNamespaced
        ? 'namespaceResourceWhitelist and namespaceResourceBlacklist'
        : 'clusterResourceWhitelist and clusterResourceBlacklist'
      return { ref, message: `project ${project.name} does not permit ${refText(ref)} (${rule})` }
    }
    if (isNested(object) || ref.namespace === '' || permitsDestination(project, { ...destination, namespace: ref.namespace }))
      continue
    const message = `project ${project.name} does not permit ${refText(ref)}: namespace ${ref.namespace} of ${destination.place} is none of its destinations`
    return { ref, message }
  }
  return null
}

/** A project says who may do what: only one that names the kind itself may let an application declare others. */
export function mayDeclareProjects(project: Project): boolean {
  if (project.name === 'default' && project.namespacedAllowed === null) return permitsAll(project)
  return (project.namespacedAllowed ?? []).some(({ group, kind }) => group === 'argoproj.io' && kind === 'AppProject')
}

function permitsAll({ sourceRepos, destinations, clusterAllowed }: Project): boolean {
  return (
    sourceRepos.includes('*') &&
    destinations.some(one => one.server === '*' && one.namespace === '*') &&
    clusterAllowed.some(({ group, kind }) => group === '*' && kind === '*')
  )
}

export function permitsSource({ sourceRepos }: Project, repoURL: string): boolean {
  const url = normalised(repoURL)
  const denied = sourceRepos.some(one => one.startsWith('!') && globOf(normalised(one.slice(1)), true).test(url))
  return !denied && sourceRepos.some(one => !one.startsWith('!') && (one === '*' || globOf(normalised(one), true).test(url)))
}

/** `https://u:p@Host/a.git/` -> `https://host/a`: as Argo CD compares them (util/git, NormalizeGitURL). */
function normalised(url: string): string {
  const plain = bare(url)
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
  return plain.replace(/^([a-z]+:\/\/[^/]*)/i, host => host.toLowerCase())
}

function bare(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^@/]*@/i, '$1')
}

export function permitsDestination({ destinations }: Project, to: Whither): boolean {
  let isPermitted = false
  for (const one of destinations) {
    const name = matches(one.name, [to.name, to.place])
    const server = matches(one.server, [to.server === '' ? to.place : to.server])
    const namespace = matches(one.namespace, [to.namespace])
    if ((name || server) && namespace) isPermitted = true
    else if (((!name && isDeny(one.name)) || (!server && isDeny(one.server))) && namespace) return false
    else if (!namespace && isDeny(one.namespace) && (name || server)) return false
  }
  return isPermitted
}

function isDeny(pattern: string): boolean {
  return pattern.startsWith('!')
}

/** `!pattern`: none of them. */
function matches(pattern: string, words: readonly string[]): boolean {
  if (pattern === '') return false
  if (isDeny(pattern)) return !words.some(word => globOf(pattern.slice(1), false).test(word))
  return words.some(word => globOf(pattern, false).test(word))
}

export function permitsKind(project: Project, object: Manifest, isNamespaced: boolean): boolean {
  const allowed = isNamespaced ? project.namespacedAllowed : project.clusterAllowed
  const denied = isNamespaced ? project.namespacedDenied : project.clusterDenied
  return (allowed === null || isListed(allowed, object)) && !isListed(denied, object)
}

function isListed(rules: readonly KindRule[], object: Manifest): boolean {
  const group = groupOf(object.apiVersion)
  return rules.some(
    rule =>
      globOf(rule.group, false).test(group) &&
      globOf(rule.kind, false).test(object.kind) &&
      (rule.name === '' || globOf(rule.name, false).test(object.metadata.name)),
  )
}

function listed(words: readonly string[]): string {
  return words.length === 0
    ? ': it permits none'
    : `: it permits ${words.slice(0, 8).join(', ')}${words.length > 8 ? ', ...' : ''}`
}

/** `*`, `?`, `{a,b}`. `byPart`: `*` ends at a '/', `**` does not (Argo CD's globs of repositories have that separator). */
function globOf(pattern: string, byPart: boolean): RegExp {
  const text = pattern
    .replace(/[.+^$()|[\]\\]/g, '\\$&')
    .replace(/\{([^{}]*)\}/g, (_, inner: string) => `(${inner.split(',').join('|')})`)
    .replace(/[{}]/g, '\\$&')
    .replace(/\*+|\?/g, stars => (stars === '?' ? (byPart ? '[^/]' : '.') : byPart && stars === '*' ? '[^/]*' : '.*'))
  return new RegExp(`^${text}$`, 's')
}
