// A sync of some objects only: which are meant, and the release that it makes: what runs, with those objects as the newest commit has them.
import { groupOf, type Manifest, refKey, refOf } from '../../runtime/contract/manifest.js'
import { imagesOf, type Release, releaseIdOf, type TreeId } from '../release.js'
import { ordinaryObjects } from './sent.js'

/** `group:kind:name` or `group:kind:namespace/name`, as Argo CD's `app sync --resource` has it; `*` stands for any text. */
export interface Selector {
  readonly group: string
  readonly kind: string
  /** '*' for any. */
  readonly namespace: string
  readonly name: string
}

export const anything: Selector = { group: '*', kind: '*', namespace: '*', name: '*' }

/** null where it is none. */
export function parseSelector(text: string): Selector | null {
  const [, group, kind, namespace, name] = /^([^:/]*):([^:/]+):(?:([^:/]*)\/)?([^/]+)$/.exec(text.trim()) ?? []
  return group === undefined || kind === undefined || name === undefined
    ? null
    : { group, kind, namespace: namespace ?? '*', name }
}

export function isSelected(object: Manifest, selectors: readonly Selector[]): boolean {
  const { namespace = '', name } = object.metadata
  return selectors.some(
    wanted =>
      matches(wanted.group, groupOf(object.apiVersion)) &&
      matches(wanted.kind, object.kind) &&
      matches(wanted.namespace, namespace) &&
      matches(wanted.name, name),
  )
}

function matches(glob: string, text: string): boolean {
  const pattern = glob.replace(/[.+^${}()|[\]\\?]/g, '\\$&').replace(/\*/g, '.*')
  return new RegExp(`^${pattern}$`).test(text)
}

/** `current` with the selected objects of `newest`; what is selected and gone from `newest` is gone where `prune` says so. */
export function selectedRelease(
  current: Release | null,
  newest: Release,
  { selectors, prune, salt }: { readonly selectors: readonly Selector[]; readonly prune: boolean; readonly salt: string },
): { readonly release: Release; readonly selected: readonly Manifest[] } {
  const coming = ordinaryObjects(newest).filter(object => isSelected(object, selectors))
  const there = current === null ? [] : ordinaryObjects(current).filter(object => isSelected(object, selectors))
  const newestKeys = new Set(ordinaryObjects(newest).map(keyOf))
  const gone = there.filter(object => !newestKeys.has(keyOf(object)))
  const replaced = new Set([...coming, ...(prune ? gone : [])].map(keyOf))
  const objects = [...(current?.objects ?? []).filter(object => !replaced.has(keyOf(object))), ...coming]
  const origins = { ...current?.origins, ...newest.origins }
  // Of no tree in Git: no commit is to blame for it, and none is reverted.
  const release = { id: releaseIdOf(salt, objects), objects, origins, images: imagesOf(objects), tree: '' as TreeId }
  return { release, selected: [...coming, ...(prune ? gone : [])] }
}

function keyOf(object: Manifest): string {
  return refKey(refOf(object))
}
