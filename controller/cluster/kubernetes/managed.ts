// Whose a field of a live object is: `metadata.managedFields` read, and moved to us at a takeover
// (sigs.k8s.io/structured-merge-diff fieldpath; client-go util/csaupgrade). Pure.
import type { Sent } from './client.js'

/** As which every object is written: server-side apply's field manager. */
export const fieldManager = 'slipway'

/** `{"f:spec": {"f:replicas": {}}}`: a leaf is `{}`, and means all beneath it. */
export interface FieldSet {
  readonly [key: string]: FieldSet
}

export interface Managed {
  readonly manager?: string
  readonly operation?: string
  readonly subresource?: string
  readonly apiVersion?: string
  readonly time?: string
  readonly fieldsV1?: FieldSet
}

export type Path = readonly (string | number)[]

export function managedOf(object: Sent): readonly Managed[] {
  const managed = (object.metadata as { readonly managedFields?: unknown } | undefined)?.managedFields
  return Array.isArray(managed) ? (managed as readonly Managed[]) : []
}

/** Those that wrote whole objects before us, and stop doing so when we take over. */
const former = new Set([
  'argocd-controller',
  'argocd-application-controller',
  'kubectl-client-side-apply',
  'kubectl-last-applied',
  'kubectl-create',
  'kubectl-replace',
  'kubectl',
  'helm',
  'Helm',
  'helm-controller',
  'kustomize-controller',
  'before-first-apply',
])

export function isOurs({ manager, subresource = '' }: Managed): boolean {
  return manager === fieldManager && subresource === ''
}

/** `more`: a manager that the object itself names (`client-side-apply-migration-manager`). */
export function isFormer({ manager = '', subresource = '' }: Managed, more = ''): boolean {
  return subresource === '' && (former.has(manager) || (more !== '' && manager === more))
}

/** Somebody wrote it whole, and we never did. */
export function isTakenOver(managed: readonly Managed[], more = ''): boolean {
  return !managed.some(isOurs) && managed.some(one => isFormer(one, more))
}

/** Every field that we declare, by server-side apply or by sending the whole. */
export function ourFields(managed: readonly Managed[]): FieldSet | undefined {
  const sets = managed.filter(isOurs).map(one => one.fieldsV1 ?? {})
  return sets.length === 0 ? undefined : sets.reduce(union)
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])]
  return Object.fromEntries(keys.map(key => [key, union(a[key] ?? {}, b[key] ?? {})]))
}

/**
 * What former managers had becomes ours: a field that Git does not name goes with the next apply. Their status stays nobody's: what a
 * client once wrote there is not ours to take away.
 */
export function moved(managed: readonly Managed[], apiVersion: string, time: string, more = ''): readonly Managed[] {
  const theirs = managed.filter(one => isFormer(one, more))
  const { 'f:status': _, ...fieldsV1 } = [...theirs, ...managed.filter(isOurs)].map(one => one.fieldsV1 ?? {}).reduce(union, {})
  const ours: Managed & { readonly fieldsType: string } = {
    manager: fieldManager,
    operation: 'Apply',
    apiVersion,
    time,
    fieldsType: 'FieldsV1',
    fieldsV1,
  }
  return [...managed.filter(one => !theirs.includes(one) && !isOurs(one)), ours]
}

/** The managers whose fields become ours, each once. */
export function formerNames(managed: readonly Managed[], more = ''): readonly string[] {
  return [...new Set(managed.filter(one => isFormer(one, more)).map(one => one.manager ?? ''))]
}

/** Who owns this field but us: the one that wrote last. `keys`: as in a field set (`f:spec`, `f:replicas`). */
export function ownerOf(managed: readonly Managed[], keys: readonly string[]): Managed | null {
  const owners = managed.filter(one => !isOurs(one) && holds(one.fieldsV1, keys))
  return owners.toSorted((a, b) => ((a.time ?? '') < (b.time ?? '') ? 1 : -1))[0] ?? null
}

/** It, something above it as a whole, or something beneath it. */
function holds(set: FieldSet | undefined, keys: readonly string[]): boolean {
  let at = set
  for (const [depth, key] of keys.entries()) {
    if (at === undefined) return false
    if (depth > 0 && Object.keys(at).length === 0) return true
    at = at[key]
  }
  return at !== undefined
}

const scalers = new Set(['kube-controller-manager', 'keda-operator', 'horizontal-pod-autoscaler'])

/** An autoscaler has set `spec.replicas`, over the scale subresource. */
export function isScaled(managed: readonly Managed[]): boolean {
  return managed.some(
    ({ manager = '', subresource = '', fieldsV1 }) =>
      subresource === 'scale' && scalers.has(manager) && holds(fieldsV1, ['f:spec', 'f:replicas']),
  )
}

/** What one key of a field set means of a value: the member, the element with these keys or of this value, or the index. */
export function step(value: unknown, key: string): { readonly at: string | number; readonly value: unknown } | null {
  const [kind, rest] = [key.slice(0, 2), key.slice(2)]
  if (kind === 'f:') return { at: rest, value: isMap(value) ? value[rest] : undefined }
  if (!Array.isArray(value)) return null
  const index = kind === 'i:' ? Number(rest) : elementAt(value, kind, rest)
  return index < 0 || index >= value.length ? null : { at: index, value: value[index] }
}

function elementAt(list: readonly unknown[], kind: string, text: string): number {
  try {
    const wanted: unknown = JSON.parse(text)
    if (kind === 'v:') return list.findIndex(one => JSON.stringify(one) === JSON.stringify(wanted))
    if (kind !== 'k:' || !isMap(wanted)) return -1
    return list.findIndex(one => isMap(one) && Object.entries(wanted).every(([name, field]) => one[name] === field))
  } catch {
    return -1
  }
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `spec.template.spec.containers[name=web].image` */
export function pathText(keys: readonly string[]): string {
  return keys.map(textOf).join('').replace(/^\./, '')
}

function textOf(key: string): string {
  const [kind, rest] = [key.slice(0, 2), key.slice(2)]
  if (kind === 'f:') return /^[\w-]+$/.test(rest) ? `.${rest}` : `["${rest}"]`
  if (kind !== 'k:') return `[${rest}]`
  const keys = Object.entries(JSON.parse(rest) as Record<string, unknown>)
  return `[${keys.map(([name, value]) => `${name}=${String(value)}`).join(',')}]`
}

/** The paths of an object that a manager owns, as far as they are there: whole subtrees where it owns them whole. */
export function pathsIn(object: unknown, set: FieldSet, above: Path = []): readonly Path[] {
  const keys = Object.keys(set).filter(key => key !== '.')
  return keys.flatMap((key): readonly Path[] => {
    const found = step(object, key)
    if (found === null || found.value === undefined) return []
    const path = [...above, found.at]
    return Object.keys(set[key]!).some(one => one !== '.') ? pathsIn(found.value, set[key]!, path) : [path]
  })
}
