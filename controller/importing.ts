// What of an Argo CD can be taken over, what not, and why: its Applications, AppProjects, repository and cluster Secrets. Pure.
import type { Manifest } from '../runtime/contract/manifest.js'
import { isProject, parseProject } from './application/project.js'
import { type Application, type Declared, isApplication, parseApplication } from './application.js'
import { isRecord } from './fields.js'

export interface ImportItem {
  readonly kind: 'Application' | 'AppProject' | 'repository' | 'cluster'
  readonly name: string
  /** `take`: it will be; `taken`: it is here already; `refused`: it cannot be as it is; `yours`: something for a person to do. */
  readonly verdict: 'take' | 'taken' | 'refused' | 'yours'
  /** Why, or what to know of it. */
  readonly notes: readonly string[]
  /** As it is declared here; null where nothing is. */
  readonly manifest: Manifest | null
}

export interface ImportInput {
  /** Every object that was found, of other kinds too. */
  readonly objects: readonly unknown[]
  readonly declared: Declared
  /** Of this name here, if there is one. */
  readonly application: (name: string) => Pick<Application, 'mode' | 'annotations'> | null
  readonly project: (name: string) => Manifest | null
  /** Repositories that the configuration has an access for. */
  readonly hasAccess: (url: string) => boolean
  /** Added to each: where it came from (`prod/argocd`), '' for files. */
  readonly from: string
}

export const modeKey = 'slipway.dev/mode'
export const fromKey = 'slipway.dev/imported-from'

/** Projects first, then applications by name, then what is left to a person. */
export function importPlan(input: ImportInput): readonly ImportItem[] {
  const objects = input.objects.filter(isObject)
  const named = new Set<string>()
  const projects = objects.filter(isProject).map(object => projectItem(object, input))
  const applications = objects.filter(isApplication).map(object => {
    const item = applicationItem(object, input, named.has(object.metadata.name))
    named.add(object.metadata.name)
    return item
  })
  const secrets = objects.flatMap(object => secretItem(object, input) ?? [])
  const byName = (a: ImportItem, b: ImportItem) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
  return [...projects.toSorted(byName), ...applications.toSorted(byName), ...secrets.toSorted(byName)]
}

function isObject(value: unknown): value is Manifest {
  return isRecord(value) && typeof value.apiVersion === 'string' && typeof value.kind === 'string' && isRecord(value.metadata)
}

function projectItem(object: Manifest, { project }: ImportInput): ImportItem {
  const manifest = cleaned(object, {})
  const { faults, warnings } = parseProject(manifest)
  const { name } = object.metadata
  const item = { kind: 'AppProject', name, manifest } as const
  if (faults.length > 0)
    return { ...item, verdict: 'refused', notes: faults.map(({ pointer, message }) => `${pointer}: ${message}`) }
  const here = project(name)
  return { ...item, verdict: here !== null && same(here, manifest) ? 'taken' : 'take', notes: warnings }
}

function same(a: Manifest, b: Manifest): boolean {
  return JSON.stringify(a.spec) === JSON.stringify(b.spec)
}

function applicationItem(object: Manifest, { declared, application, from }: ImportInput, isTwice: boolean): ImportItem {
  const { name } = object.metadata
  const manifest = cleaned(object, { [modeKey]: 'observe', ...(from === '' ? {} : { [fromKey]: from }) })
  const item = { kind: 'Application', name, manifest } as const
  if (isTwice)
    return { ...item, verdict: 'refused', notes: ['another namespace has an Application of that name; names are unique here'] }
  const here = application(name)
  if (here !== null) {
    const isOurs = here.annotations[fromKey] === undefined && here.mode === 'release'
    return {
      ...item,
      verdict: 'taken',
      notes: [
        isOurs
          ? 'an application of that name is declared here already'
          : `it is here already, ${here.mode === 'observe' ? 'observed' : 'taken over'}`,
      ],
    }
  }
  const { application: parsed, faults } = parseApplication(manifest, declared)
  if (parsed === null)
    return { ...item, verdict: 'refused', notes: faults.map(({ pointer, message }) => `${pointer}: ${message}`) }
  return { ...item, verdict: 'take', notes: differences(object, parsed) }
}

/** What goes on otherwise than under Argo CD. */
function differences(object: Manifest, app: Application): readonly string[] {
  const annotations = Object.keys(object.metadata.annotations ?? {})
  const found = [
    object.operation === undefined ? '' : 'an operation is under way in Argo CD; it is not taken along',
    annotations.some(key => key.startsWith('notifications.argoproj.io/')) ? 'its notification subscriptions do nothing here' : '',
    app.sync.automated
      ? 'once taken over, what turns out bad is rolled back by itself (slipway.dev/on-failure: Hold leaves it)'
      : '',
  ]
  return found.filter(note => note !== '')
}

const dropped = /^(kubectl\.kubernetes\.io\/last-applied-configuration|argocd\.argoproj\.io\/(refresh|hydrate)(-timestamp)?)$/

/** As its author wrote it: without what the API server and Argo CD added. */
export function cleaned({ apiVersion, kind, metadata, spec }: Manifest, added: Readonly<Record<string, string>>): Manifest {
  const kept = Object.entries(metadata.annotations ?? {}).filter(([key]) => !dropped.test(key))
  const annotations = { ...Object.fromEntries(kept), ...added }
  const { labels, finalizers } = metadata as { readonly labels?: object; readonly finalizers?: readonly string[] }
  return {
    apiVersion,
    kind,
    metadata: {
      name: metadata.name,
      ...(labels === undefined ? {} : { labels }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
    },
    spec,
  } as Manifest
}

const typeLabel = 'argocd.argoproj.io/secret-type'

/** Argo CD keeps accesses in Secrets by this label. Nothing of their values but addresses and names of fields is told. */
function secretItem(object: Manifest, { declared, hasAccess }: ImportInput): ImportItem | null {
  const type = object.kind === 'Secret' ? (object.metadata.labels as Record<string, string> | undefined)?.[typeLabel] : undefined
  if (type === undefined) return null
  const fields = fieldsIn(object)
  const url = withoutPassword(fields.url ?? fields.server ?? '')
  if (type === 'cluster') {
    const server = url.replace(/\/+$/, '')
    const name = fields.name ?? server
    const isKnown = (declared.clusters ?? []).some(one => one.server === server || one.name === name)
    const note = `add it under clusters in the controller's configuration: { name: ${name}, server: ${server}, caFile: ..., tokenFile: ... }`
    return { kind: 'cluster', name, verdict: isKnown ? 'taken' : 'yours', notes: isKnown ? [] : [note], manifest: null }
  }
  if (type !== 'repository' && type !== 'repo-creds') return null
  const isKnown = hasAccess(url)
  return {
    kind: 'repository',
    name: url,
    verdict: isKnown ? 'taken' : 'yours',
    notes: isKnown ? [] : accessNotes(url, fields),
    manifest: null,
  }
}

function accessNotes(url: string, fields: Readonly<Record<string, string>>): readonly string[] {
  const way = ['password', 'sshPrivateKey', 'githubAppPrivateKey', 'bearerToken', 'gcpServiceAccountKey'].find(
    field => fields[field] !== undefined,
  )
  if (way === undefined) return ['it is public: nothing is needed']
  if (way === 'password')
    return [
      `add it under repositories in the controller's configuration: { url: ${url}, username: ${fields.username ?? 'git'}, passwordFile: ... }`,
    ]
  if (way === 'sshPrivateKey') return ["it is read with a key: give that to the ssh of the controller's account"]
  return [`it is read with ${way}, which is not supported: make a token, and add it under repositories with a passwordFile`]
}

function fieldsIn(secret: Manifest): Readonly<Record<string, string>> {
  const { data, stringData } = secret as { readonly data?: Record<string, string>; readonly stringData?: Record<string, string> }
  const decoded = Object.entries(data ?? {}).map(
    ([key, text]) => [key, Buffer.from(String(text), 'base64').toString('utf8')] as const,
  )
  return { ...Object.fromEntries(decoded), ...stringData }
}

function withoutPassword(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^@/]*@/i, '$1')
}

// -- Of an application that its parent declares, too --

/** What Git says of it, observed as it was imported: taking a parent over takes over none of those that it declares. */
export function stillObserved(manifest: Manifest, from: string): Manifest {
  const annotations = { ...manifest.metadata.annotations, [modeKey]: 'observe', [fromKey]: from }
  return { ...manifest, metadata: { ...manifest.metadata, annotations } }
}

/** As Git has it: without what an import added. */
export function asDeclared(manifest: Manifest): Manifest {
  const { annotations = {}, ...metadata } = manifest.metadata
  const { [fromKey]: from, [modeKey]: mode, ...kept } = annotations as Readonly<Record<string, string>>
  if (from === undefined) return manifest
  const left = { ...kept, ...(mode === undefined || mode === 'observe' ? {} : { [modeKey]: mode }) }
  return { ...manifest, metadata: { ...metadata, ...(Object.keys(left).length === 0 ? {} : { annotations: left }) } }
}
