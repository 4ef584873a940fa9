// A newer document says most objects over again: those keep the value that they had, so that what was read and planned of them holds.
import type { DesiredDocument } from './contract/documents.js'
import { manifestHash } from './contract/hash.js'
import type { Manifest } from './contract/manifest.js'

/** The same document; `former` is the one before it, null where there is none. */
export function withKnownObjects(document: DesiredDocument, former: DesiredDocument | null): DesiredDocument {
  if (former === null) return document
  const known = new Map([...(former.preflight?.objects ?? []), ...former.objects].map(each => [manifestHash(each), each]))
  const asKnown = (objects: readonly Manifest[]) => objects.map(each => known.get(manifestHash(each)) ?? each)
  const { preflight } = document
  return {
    ...document,
    objects: asKnown(document.objects),
    preflight: preflight === null ? null : { ...preflight, objects: asKnown(preflight.objects) },
  }
}
