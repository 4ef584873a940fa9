// Where an application's manifests come from, and how they are made: every field of `source` and `sources` of Argo CD v3.4's
// crd-application.yaml, read strictly. What cannot be done is refused by name.
import { type Fields, fieldsOf, isRecord } from '../fields.js'

export interface Source {
  readonly repoURL: string
  readonly path: string
  /** A branch, a tag, or a full commit hash; 'HEAD' is the remote's default branch. Of a chart a version, or a range of versions. */
  readonly targetRevision: string
  /** A chart of the chart repository at `repoURL`; '' where that is a Git repository. */
  readonly chartName: string
  /** For people; '' where there is none. */
  readonly name: string
  /** Other sources name its files `$ref/...`; '' where none may. Without a path and without a chart it gives nothing but those. */
  readonly ref: string
  /** It renders to objects; else it only lends files. */
  readonly renders: boolean
  readonly directory: { readonly recurse: boolean; readonly include: string; readonly exclude: string }
  /** For charts (Handlebars or Helm): named `helm` in the declaration, as Argo CD has it. */
  readonly chart: ChartOptions
  /** Null where nothing is said of it: a path with a kustomization.yaml is built with the defaults. */
  readonly kustomize: KustomizeOptions | null
  /** What the declaration says that it is; '' where the files at the path tell. */
  readonly kind: '' | 'directory' | 'helm' | 'kustomize'
}

export interface ChartOptions {
  readonly releaseName: string
  /** Paths from the source's own, `/` from the repository's root, `$ref/...` of another source; with `*`, `**`, `?` and `[`: globs. */
  readonly valueFiles: readonly string[]
  readonly ignoreMissingValueFiles: boolean
  readonly values: Readonly<Record<string, unknown>>
  readonly parameters: readonly { readonly name: string; readonly value: string; readonly forceString: boolean }[]
  /** The file's text is the value. */
  readonly fileParameters: readonly { readonly name: string; readonly path: string }[]
  readonly skipCrds: boolean
  readonly skipTests: boolean
  readonly skipSchemaValidation: boolean
  /** Helm 3's output, or Helm 4's. */
  readonly profile: '3' | '4'
  /** To other hosts than the chart repository's too. */
  readonly passCredentials: boolean
  /** `.Release.Namespace` where it is not the destination's; '' else. */
  readonly namespace: string
  /** What templates see; '' and empty: as the destination has it. */
  readonly kubeVersion: string
  readonly apiVersions: readonly string[]
}

export interface KustomizeOptions {
  readonly namePrefix: string
  readonly nameSuffix: string
  readonly namespace: string
  /** `[old=]name[:tag][@digest]` */
  readonly images: readonly string[]
  readonly replicas: readonly { readonly name: string; readonly count: number }[]
  readonly patches: readonly Readonly<Record<string, unknown>>[]
  readonly components: readonly string[]
  readonly ignoreMissingComponents: boolean
  readonly commonLabels: Readonly<Record<string, string>>
  readonly commonAnnotations: Readonly<Record<string, string>>
  /** `${ARGOCD_APP_NAME}` and the like in values of commonAnnotations. */
  readonly commonAnnotationsEnvsubst: boolean
  readonly forceCommonLabels: boolean
  readonly forceCommonAnnotations: boolean
  readonly labelWithoutSelector: boolean
  readonly labelIncludeTemplates: boolean
}

export type ReadYaml = (text: string) => unknown

/** All of them, in their order; at least one, of which what is missing has its default. */
export function sourcesOf(spec: Fields, readYaml: ReadYaml): readonly Source[] {
  if (spec.has('sourceHydrator'))
    spec.fault(
      'sourceHydrator',
      'is not supported: what is rendered is kept with each release, and nothing is written to Git for it',
    )
  if (!spec.has('sources')) return [sourceOf(spec.inner('source', sourceFields), readYaml, true)]
  if (spec.has('source')) spec.fault('source', 'is given beside sources: give one of the two')
  const sources = spec
    .list('sources')
    .map((entry, at) => sourceOf(fieldsOf(entry, `${spec.path}.sources[${at}]`, spec.faults, sourceFields), readYaml, false))
  if (sources.length === 0) spec.fault('sources', 'is empty; give at least one source')
  else if (!sources.some(source => source.renders)) spec.fault('sources', 'none of them has a path: nothing would be rendered')
  refuseTwice(spec, sources)
  return sources.length === 0 ? [sourceOf(fieldsOf({}, '', [], sourceFields), readYaml, false)] : sources
}

function refuseTwice(spec: Fields, sources: readonly Source[]): void {
  for (const field of ['ref', 'name'] as const) {
    const seen = new Set<string>()
    for (const [at, source] of sources.entries()) {
      if (source[field] !== '' && seen.has(source[field]))
        spec.fault(`sources[${at}].${field}`, `${JSON.stringify(source[field])} is another source's ${field} already`)
      seen.add(source[field])
    }
  }
}

const sourceFields = ['repoURL', 'path', 'targetRevision', 'directory', 'helm', 'chart', 'name', 'ref', 'kustomize', 'plugin']

function sourceOf(source: Fields, readYaml: ReadYaml, isOnly: boolean): Source {
  if (source.has('plugin'))
    source.fault('plugin', 'a plugin source is not supported yet; use a directory of YAML or a chart in the repository')
  const repoURL = source.text('repoURL', '')
  const chartName = source.text('chart', '')
  if (repoURL === '') source.fault('repoURL', 'is missing; give the http(s) URL or the absolute path of a Git repository')
  else if (chartName !== '') checkChart(source, repoURL, chartName)
  const kinds = (['directory', 'helm', 'kustomize'] as const).filter(kind => source.has(kind))
  if (kinds.length > 1) source.fault(kinds[1] ?? '', `is given beside ${kinds[0]}: a source is one of them`)
  const ref = source.text('ref', '')
  if (ref !== '' && !/^[A-Za-z0-9_-]+$/.test(ref))
    source.fault('ref', `want letters, digits, '-' and '_', got ${JSON.stringify(ref)}`)
  if (ref !== '' && isOnly) source.fault('ref', 'is for several sources: nothing else could use it; see spec.sources')
  const directory = source.inner('directory', ['recurse', 'include', 'exclude', 'jsonnet'])
  if (Object.keys(directory.record('jsonnet')).length > 0)
    directory.fault('jsonnet', 'is not supported; render it in CI and commit what comes out, or use a chart')
  return {
    repoURL,
    path: pathOf(source),
    targetRevision: source.text('targetRevision', '') || (chartName === '' ? 'HEAD' : '*'),
    chartName,
    name: source.text('name', ''),
    ref,
    renders: ref === '' || source.has('path') || chartName !== '',
    directory: {
      recurse: directory.flag('recurse', false),
      include: directory.text('include', ''),
      exclude: directory.text('exclude', ''),
    },
    chart: chartOf(source.inner('helm', chartFields), readYaml),
    kustomize: source.has('kustomize') ? kustomizeOf(source.inner('kustomize', kustomizeFields)) : null,
    kind: kinds[0] ?? '',
  }
}

/** What stands beside `chart` and has no meaning there, or another one than it looks. */
function checkChart(source: Fields, repoURL: string, name: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) source.fault('chart', `want the name of a chart, got ${JSON.stringify(name)}`)
  if (!/^(?:https?|oci):\/\/./i.test(repoURL) && (/^[./]/.test(repoURL) || repoURL.includes('://') || /[\s@]/.test(repoURL)))
    source.fault('repoURL', 'want the http(s) URL of a chart repository, or host/path of an OCI registry, since chart is given')
  if (source.has('path') && pathOf(source) !== '.')
    source.fault('path', 'is given beside chart: a chart of a repository has no path, leave it out')
  for (const kind of ['directory', 'kustomize'] as const)
    if (source.has(kind)) source.fault(kind, 'is given beside chart: a source is one of them')
  if (source.has('ref')) source.fault('ref', 'is given beside chart: only the files of a Git repository can be named by others')
}

function pathOf(source: Fields): string {
  const path = source
    .text('path', '.')
    .replace(/^\.\/+/, '')
    .replace(/\/+$/, '')
  if (path.startsWith('/') || path.split('/').includes('..')) source.fault('path', 'must lie inside the repository')
  return path === '' ? '.' : path
}

// -- Helm --

const chartFields = [
  'releaseName',
  'valueFiles',
  'ignoreMissingValueFiles',
  'values',
  'valuesObject',
  'parameters',
  'fileParameters',
  'skipCrds',
  'skipTests',
  'skipSchemaValidation',
  'passCredentials',
  'namespace',
  'kubeVersion',
  'apiVersions',
  'version',
]

function chartOf(helm: Fields, readYaml: ReadYaml): ChartOptions {
  const version = helm.text('version', '')
  if (!['', 'v3', 'v4'].includes(version))
    helm.fault(
      'version',
      `${JSON.stringify(version)} is not supported: charts are rendered as Helm 3 (v3) or Helm 4 (v4) does it`,
    )
  const kubeVersion = helm.text('kubeVersion', '')
  if (kubeVersion !== '' && !kubeVersionForm.test(kubeVersion))
    helm.fault('kubeVersion', `want a version such as 1.31.0, got ${JSON.stringify(kubeVersion)}`)
  return {
    releaseName: helm.text('releaseName', ''),
    valueFiles: helm.textList('valueFiles'),
    ignoreMissingValueFiles: helm.flag('ignoreMissingValueFiles', false),
    // Argo CD takes the map where both are given (util/helm, `ValuesYAML`).
    values: helm.has('valuesObject') ? helm.record('valuesObject') : inlineValues(helm, readYaml),
    parameters: entriesOf(helm, 'parameters', ['name', 'value', 'forceString']).map(parameter => ({
      name: parameter.text('name', ''),
      value: parameter.scalar('value', ''),
      forceString: parameter.flag('forceString', false),
    })),
    fileParameters: entriesOf(helm, 'fileParameters', ['name', 'path']).map(parameter => {
      for (const field of ['name', 'path'] as const) if (!parameter.has(field)) parameter.fault(field, 'is missing')
      return { name: parameter.text('name', ''), path: parameter.text('path', '') }
    }),
    skipCrds: helm.flag('skipCrds', false),
    skipTests: helm.flag('skipTests', false),
    skipSchemaValidation: helm.flag('skipSchemaValidation', false),
    profile: version === 'v4' ? '4' : '3',
    passCredentials: helm.flag('passCredentials', false),
    namespace: helm.text('namespace', ''),
    kubeVersion: kubeVersion === '' ? '' : `v${kubeVersion.replace(/^v/, '')}`,
    apiVersions: helm.textList('apiVersions'),
  }
}

const kubeVersionForm = /^v?\d+\.\d+(\.\d+)?([-+].*)?$/

function entriesOf(fields: Fields, name: string, known: readonly string[]): readonly Fields[] {
  return fields.list(name).map((entry, at) => fieldsOf(entry, `${fields.path}.${name}[${at}]`, fields.faults, known))
}

/** Argo CD has `values` as a string of YAML. */
function inlineValues(helm: Fields, readYaml: ReadYaml): Readonly<Record<string, unknown>> {
  const text = helm.text('values', '')
  if (text.trim() === '') return {}
  try {
    const values = readYaml(text)
    if (isRecord(values)) return values
    helm.fault('values', 'want a map of values')
  } catch (error) {
    helm.fault('values', (error as Error).message)
  }
  return {}
}

// -- Kustomize --

const kustomizeFields = [
  'namePrefix',
  'nameSuffix',
  'namespace',
  'images',
  'replicas',
  'patches',
  'components',
  'ignoreMissingComponents',
  'commonLabels',
  'commonAnnotations',
  'commonAnnotationsEnvsubst',
  'forceCommonLabels',
  'forceCommonAnnotations',
  'labelWithoutSelector',
  'labelIncludeTemplates',
  'kubeVersion',
  'apiVersions',
  'version',
]

function kustomizeOf(kustomize: Fields): KustomizeOptions {
  if (kustomize.text('version', '') !== '')
    kustomize.fault(
      'version',
      "names a kustomize of Argo CD's configuration; the one on the controller's PATH is used: leave it out",
    )
  for (const field of ['kubeVersion', 'apiVersions'])
    if (kustomize.has(field))
      kustomize.fault(field, 'is for charts that kustomize inflates, which is not done here; make the chart a source of its own')
  for (const [at, image] of kustomize.textList('images').entries())
    if (imageOf(image) === null) kustomize.fault(`images[${at}]`, `want [old=]name[:tag][@digest], got ${JSON.stringify(image)}`)
  return {
    namePrefix: kustomize.text('namePrefix', ''),
    nameSuffix: kustomize.text('nameSuffix', ''),
    namespace: kustomize.text('namespace', ''),
    images: kustomize.textList('images'),
    replicas: entriesOf(kustomize, 'replicas', ['name', 'count']).map(entry => ({
      name: entry.text('name', ''),
      count: entry.whole('count', 0, 0, 1_000_000),
    })),
    patches: entriesOf(kustomize, 'patches', ['path', 'patch', 'options', 'target']).map(patchOf),
    components: kustomize.textList('components'),
    ignoreMissingComponents: kustomize.flag('ignoreMissingComponents', false),
    commonLabels: kustomize.texts('commonLabels'),
    commonAnnotations: kustomize.texts('commonAnnotations'),
    commonAnnotationsEnvsubst: kustomize.flag('commonAnnotationsEnvsubst', false),
    forceCommonLabels: kustomize.flag('forceCommonLabels', false),
    forceCommonAnnotations: kustomize.flag('forceCommonAnnotations', false),
    labelWithoutSelector: kustomize.flag('labelWithoutSelector', false),
    labelIncludeTemplates: kustomize.flag('labelIncludeTemplates', false),
  }
}

const targetFields = ['group', 'version', 'kind', 'name', 'namespace', 'labelSelector', 'annotationSelector']

function patchOf(entry: Fields): Readonly<Record<string, unknown>> {
  const target = entry.inner('target', targetFields)
  const kept: Record<string, unknown> = {}
  for (const field of ['path', 'patch']) if (entry.text(field, '') !== '') kept[field] = entry.text(field, '')
  if (entry.has('options')) kept.options = entry.record('options')
  const named = targetFields.flatMap(field => (target.has(field) ? [[field, target.text(field, '')] as const] : []))
  if (named.length > 0) kept.target = Object.fromEntries(named)
  return kept
}

/** `web=registry/web:2@sha256:...` as kustomize keeps it; null where it is none. */
export function imageOf(text: string): {
  readonly name: string
  readonly newName?: string
  readonly newTag?: string
  readonly digest?: string
} | null {
  const [, old, rest = ''] = /^(?:([^=]+)=)?(.+)$/.exec(text) ?? []
  const [, name = '', tag, digest] = /^([^@]*?)(?::([^/:@]+))?(?:@(.+))?$/.exec(rest) ?? []
  if (name === '' && old === undefined) return null
  if (old === undefined && tag === undefined && digest === undefined) return null
  return {
    name: old ?? name,
    ...(old === undefined || name === '' || name === '*' ? {} : { newName: name }),
    ...(tag === undefined || tag === '*' ? {} : { newTag: tag }),
    ...(digest === undefined ? {} : { digest }),
  }
}
