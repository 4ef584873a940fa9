// What Argo CD's `source.kustomize` does to a kustomization.yaml: as its `kustomize edit` calls do (argo-cd util/kustomize/kustomize.go).
// And where a kustomization leads. Pure.

import { imageOf } from '../application/source.js'
import type { KustomizeOptions } from '../application.js'

export type Kustomization = Readonly<Record<string, unknown>>

export const kustomizationNames: readonly string[] = ['kustomization.yaml', 'kustomization.yml', 'Kustomization']

export class KustomizeError extends Error {
  override name = 'KustomizeError'
  readonly reason = 'KustomizeFailed'
  readonly transient: boolean
  constructor(message: string, transient = false) {
    super(message)
    this.transient = transient
  }
}

/** `env`: ARGOCD_APP_NAME and its neighbours, for labels and, where that is said, annotations. Throws KustomizeError. */
export function edited(given: Kustomization, options: KustomizeOptions, env: Readonly<Record<string, string>>): Kustomization {
  const filled = (texts: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, substituted(text, env)]))
  const { commonAnnotations, commonAnnotationsEnvsubst, forceCommonAnnotations } = options
  const changes: Record<string, unknown> = {
    ...(options.namePrefix === '' ? {} : { namePrefix: options.namePrefix }),
    ...(options.nameSuffix === '' ? {} : { nameSuffix: options.nameSuffix }),
    ...(options.namespace === '' ? {} : { namespace: options.namespace }),
    ...merged('images', given, imagesOf(options)),
    ...merged('replicas', given, options.replicas),
    ...labelled(given, options, filled(options.commonLabels)),
    ...added(
      'commonAnnotations',
      given,
      commonAnnotationsEnvsubst ? filled(commonAnnotations) : commonAnnotations,
      forceCommonAnnotations,
    ),
    ...appended('patches', given, options.patches),
    ...appended('components', given, options.components),
  }
  return { ...given, ...changes }
}

function imagesOf({ images }: KustomizeOptions) {
  return images.flatMap(image => imageOf(image) ?? [])
}

function listIn(given: Kustomization, field: string): readonly unknown[] {
  const list = given[field]
  return Array.isArray(list) ? list : []
}

/** Entries by name: one that is there is replaced. */
function merged(field: string, given: Kustomization, entries: readonly { readonly name: string }[]): Kustomization {
  if (entries.length === 0) return {}
  const names = new Set(entries.map(({ name }) => name))
  const kept = listIn(given, field).filter(entry => !names.has(String((entry as { name?: unknown } | null)?.name)))
  return { [field]: [...kept, ...entries] }
}

function appended(field: string, given: Kustomization, entries: readonly unknown[]): Kustomization {
  if (entries.length === 0) return {}
  const there = listIn(given, field)
  return { [field]: [...there, ...entries.filter(entry => !there.includes(entry))] }
}

function added(field: string, given: Kustomization, texts: Readonly<Record<string, string>>, force: boolean): Kustomization {
  if (Object.keys(texts).length === 0) return {}
  const there = (given[field] ?? {}) as Readonly<Record<string, unknown>>
  const twice = Object.keys(texts).find(key => Object.hasOwn(there, key))
  if (twice !== undefined && !force)
    throw new KustomizeError(
      `${field} of the kustomization has ${twice} already: leave it out of spec.source.kustomize, or set force${field[0]?.toUpperCase()}${field.slice(1)}`,
    )
  return { [field]: { ...there, ...texts } }
}

function labelled(given: Kustomization, options: KustomizeOptions, pairs: Readonly<Record<string, string>>): Kustomization {
  if (!options.labelWithoutSelector) return added('commonLabels', given, pairs, options.forceCommonLabels)
  if (Object.keys(pairs).length === 0) return {}
  const entry = { pairs, includeSelectors: false, ...(options.labelIncludeTemplates ? { includeTemplates: true } : {}) }
  return { labels: [...listIn(given, 'labels'), entry] }
}

/** `$NAME` and `${NAME}`; what is not known is empty, as in a shell. */
export function substituted(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced?: string, bare?: string) => env[braced ?? bare ?? ''] ?? '')
}

/** Entries that may be folders or files. */
export function leadingTo(kustomization: Kustomization): readonly string[] {
  return ['resources', 'bases', 'components'].flatMap(field =>
    listIn(kustomization, field).filter(entry => typeof entry === 'string'),
  )
}

/** What would be got from the network, run, or inflated: the field and the entry; null where there is nothing of that. */
export function reachingOut(kustomization: Kustomization): string | null {
  for (const field of ['helmCharts', 'helmGlobals', 'helmChartInflationGenerator'])
    if (kustomization[field] !== undefined)
      return `${field}: charts are not inflated by kustomize here; make the chart a source of its own`
  const remote = pathsIn(kustomization).find(([, path]) => /^[a-z][a-z0-9+.-]*:\/\/|^[\w.-]+@[\w.-]+:/i.test(path))
  if (remote !== undefined)
    return `${remote[0]}: ${JSON.stringify(remote[1])} is not of this commit, and nothing is fetched while building; copy it into the repository`
  return null
}

/** Configurations of transformers and generators may name files too: none of them a remote one. '' where they do not. */
export function remoteIn(text: string): string {
  return /^[\s\-"']*(?:path|paths|repo|url)["']?\s*:\s*["']?([a-z][a-z0-9+.-]*:\/\/[^\s"']*)/im.exec(text)?.[1] ?? ''
}

/** Entries of the fields that configure what kustomize does: names of files, or YAML. */
export function configuring(kustomization: Kustomization): readonly string[] {
  return ['transformers', 'generators', 'validators', 'configurations'].flatMap(field => textsAt(listIn(kustomization, field)))
}

/** Every field whose text names a file (kustomize api/types/kustomization.go). */
function pathsIn(kustomization: Kustomization): readonly (readonly [field: string, path: string])[] {
  const plain = [
    'resources',
    'bases',
    'components',
    'crds',
    'patchesStrategicMerge',
    'configurations',
    'transformers',
    'generators',
    'validators',
  ]
  const texts = plain.flatMap(field => textsAt(listIn(kustomization, field)).map(text => [field, text.trim()] as const))
  const named = ['patches', 'patchesJson6902', 'replacements'].flatMap(field =>
    listIn(kustomization, field).flatMap(entry =>
      textsAt([valueAt(entry, 'path')]).map(text => [`${field}.path`, text] as const),
    ),
  )
  const generated = ['configMapGenerator', 'secretGenerator'].flatMap(field =>
    listIn(kustomization, field).flatMap(entry =>
      ['files', 'envs', 'env'].flatMap(inner =>
        textsAt([valueAt(entry, inner)].flat()).map(text => [`${field}.${inner}`, text.replace(/^[^=]*=/, '')] as const),
      ),
    ),
  )
  return [
    ...texts,
    ...named,
    ...generated,
    ...textsAt([valueAt(kustomization.openapi, 'path')]).map(text => ['openapi.path', text] as const),
  ]
}

function textsAt(values: readonly unknown[]): readonly string[] {
  return values.filter(value => typeof value === 'string')
}

function valueAt(entry: unknown, field: string): unknown {
  return typeof entry === 'object' && entry !== null ? (entry as Readonly<Record<string, unknown>>)[field] : undefined
}
