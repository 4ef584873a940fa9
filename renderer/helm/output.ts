// Rendered files to documents in Helm's order (`pkg/releaseutil`): split, head, hooks, kinds.
import { decodeStruct, type Fields, type GoType, text, textMap } from '../chart/gostruct.js'
import { compareText, trimSpace } from '../value/text.js'
import type { Value } from '../value/value.js'
import { DecodeError, unmarshal } from '../yaml/decode.js'

/** `3`: as Helm 3 prints; `4`: Helm 4's separators, kinds and `.Chart`. */
export type Profile = '3' | '4'

export const helmVersions: Readonly<Record<Profile, string>> = { '3': 'v3.22', '4': 'v4.2' }

/** One YAML document of a rendered file. */
export interface Document {
  /** `chart/templates/web.yaml` */
  readonly path: string
  readonly text: string
  /** Offset of the text in what the template wrote. */
  readonly start: number
  readonly value: Value
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly annotations: ReadonlyMap<string, string>
}

export interface Sorted {
  readonly documents: readonly Document[]
  /** Those with a hook of Helm's, by kind too: weights do not order `helm template`. */
  readonly hooks: readonly Document[]
  /** What Helm says on standard error. */
  readonly warnings: readonly string[]
}

/** Helm's words for a rendered file that is no YAML, or no object. */
export class OutputError extends Error {
  readonly path: string
  readonly what: string
  /** Which of the file's, from 1; 0 where there is one only. */
  readonly document: number
  readonly #written: string
  constructor(path: string, what: string, written: string, document: number) {
    super(`YAML parse error on ${path}: ${what}`)
    this.path = path
    this.what = what
    this.document = document
    this.#written = written
  }

  /** The document, as rendered. Not a plain property: a log of the error must not show it. */
  get written(): string {
    return this.#written
  }
}

export function withoutNoValue(text: string): string {
  return text.includes('<no value>') ? text.replaceAll('<no value>', '') : text
}

const hookAnnotation = 'helm.sh/hook'
const hooks = new Set(
  'pre-install post-install pre-delete post-delete pre-upgrade post-upgrade pre-rollback post-rollback test test-success'.split(
    ' ',
  ),
)

const headType: GoType & { readonly kind: 'struct' } = {
  kind: 'struct',
  name: 'releaseutil.SimpleHead',
  fields: {
    apiVersion: text,
    kind: text,
    metadata: {
      kind: 'struct',
      name: 'struct { Name string "json:\\"name\\""; Annotations map[string]string "json:\\"annotations\\"" }',
      fields: { name: text, annotations: textMap },
    },
  },
}

/** `files`: text by path, NOTES.txt left out. Throws `OutputError`. */
export function sortDocuments(files: ReadonlyMap<string, string>, profile: Profile): Sorted {
  const documents: Document[] = []
  const hooked: Document[] = []
  const warnings: string[] = []
  for (const path of [...files.keys()].sort(compareText))
    for (const document of documentsOf(path, files.get(path) ?? '', profile)) {
      const events = document.annotations.get(hookAnnotation)
      if (events === undefined) documents.push(document)
      else if (hookNames(events).every(event => hooks.has(event))) hooked.push(document)
      else warnings.push(`info: skipping unknown hook: ${JSON.stringify(events)}`)
    }
  return { documents: byKind(documents, profile), hooks: byKind(hooked, profile), warnings }
}

function hookNames(annotation: string): string[] {
  return annotation.split(',').map(event => event.trim().toLowerCase())
}

export function isTest(document: Document): boolean {
  return hookNames(document.annotations.get(hookAnnotation) ?? '').some(event => event === 'test' || event === 'test-success')
}

function documentsOf(path: string, content: string, profile: Profile): Document[] {
  if (path.slice(path.lastIndexOf('/') + 1).startsWith('_') || trimSpace(content) === '') return []
  let end = 0
  return split(content, profile).map((one, at, { length }) => {
    const start = content.indexOf(one, end)
    end = start + one.length
    return headed(path, one, start, length === 1 ? 0 : at + 1)
  })
}

function headed(path: string, written: string, start: number, document: number): Document {
  const { value, head } = headOf(path, written, document)
  const metadata = (head.get('metadata') ?? new Map()) as Fields
  return {
    path,
    text: written,
    start,
    value,
    apiVersion: String(head.get('apiVersion') ?? ''),
    kind: String(head.get('kind') ?? ''),
    name: String(metadata.get('name') ?? ''),
    annotations: (metadata.get('annotations') ?? new Map()) as ReadonlyMap<string, string>,
  }
}

interface Headed {
  readonly value: Value
  readonly head: Fields
}

/** Documents of earlier renders by their text: most come out the same again, and reading them takes longer than writing them. */
const kept = { recent: new Map<string, Headed>(), older: new Map<string, Headed>(), characters: 0 }
const mostCharacters = 3_000_000

function headOf(path: string, written: string, document: number): Headed {
  const known = kept.recent.get(written)
  if (known !== undefined) return known
  const read = kept.older.get(written) ?? readHead(path, written, document)
  if (kept.characters > mostCharacters) {
    kept.older = kept.recent
    kept.recent = new Map()
    kept.characters = 0
  }
  kept.recent.set(written, read)
  kept.characters += written.length
  return read
}

function readHead(path: string, written: string, document: number): Headed {
  try {
    const value = unmarshal(written, { integers: 'exact' })
    return { value, head: decodeStruct(value, headType) }
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause
    throw new OutputError(path, cause.message, written, document)
  }
}

/** Go's `\s`, and what `strings.TrimSpace` takes. */
function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13 && code !== 11)
}

/** Helm's separator is `(?:^|\s*\n)---\s*`: also inside block scalars, and two in a row are one and a text. */
export function split(content: string, profile: Profile): string[] {
  return profile === '3' ? splitAt(trimSpace(content)).map(trimSpace) : splitLines(content)
}

function splitAt(content: string): string[] {
  const parts: string[] = []
  let from = content.startsWith('---') ? afterSpace(content, 3) : 0
  for (let at = content.indexOf('\n---', from); at >= 0; at = content.indexOf('\n---', from)) {
    let end = at
    while (end > from && isSpace(content.charCodeAt(end - 1))) end--
    parts.push(content.slice(from, end))
    from = afterSpace(content, at + 4)
  }
  parts.push(content.slice(from))
  return parts.filter(part => part !== '')
}

function afterSpace(content: string, start: number): number {
  let at = start
  while (isSpace(content.charCodeAt(at))) at++
  return at
}

/** Helm 4: separators at the start of a line only, and what follows a document stays with it. */
function splitLines(content: string): string[] {
  return content
    .replace(/^\s+/, '')
    .split(/(?<![^\n])---[ \t]*/)
    .filter(part => part.trim() !== '')
    .map(part => part.replace(/^\s+/, ''))
}

const installOrder = [
  'PriorityClass Namespace NetworkPolicy ResourceQuota LimitRange PodSecurityPolicy PodDisruptionBudget ServiceAccount Secret',
  'SecretList ConfigMap StorageClass PersistentVolume PersistentVolumeClaim CustomResourceDefinition ClusterRole ClusterRoleList',
  'ClusterRoleBinding ClusterRoleBindingList Role RoleList RoleBinding RoleBindingList Service DaemonSet Pod',
  'ReplicationController ReplicaSet Deployment HorizontalPodAutoscaler StatefulSet Job CronJob IngressClass Ingress APIService',
].flatMap(line => line.split(' '))

const order3 = new Map(installOrder.map((kind, at) => [kind, at] as const))
const order4 = new Map(
  [...installOrder, 'MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'].map((kind, at) => [kind, at] as const),
)

/** Stable; kinds that are not in the order come last, by name. */
export function byKind<T extends { readonly kind: string }>(items: readonly T[], profile: Profile): T[] {
  const order = profile === '3' ? order3 : order4
  return [...items].sort((a, b) => {
    const [x, y] = [order.get(a.kind), order.get(b.kind)]
    if (x !== undefined && y !== undefined) return x - y
    if (x === undefined && y === undefined) return compareText(a.kind, b.kind)
    return x === undefined ? 1 : -1
  })
}
