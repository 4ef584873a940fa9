// Declarations as people may see them, and taken back as they were meant: nothing of what reaches only Secrets, no password of a URL.
import { contentHash } from '../runtime/contract/hash.js'
import type { Manifest } from '../runtime/contract/manifest.js'
import { isApplication } from './application.js'
import type { Entry } from './applications.js'
import { hidden, withoutSecrets } from './inline.js'

type Fields = Readonly<Record<string, unknown>>

/** What the declaration renders to now; null while that is not known: what ran before says nothing of what it became. */
export function renderedOf({ app, pass }: Pick<Entry, 'app' | 'pass'>): readonly Manifest[] | null {
  return pass?.app === app && pass.candidate?.kind === 'release' ? pass.candidate.release.objects : null
}

/** The declaration with what we added to it, as `get` shows it. */
export function declarationOf(entry: Pick<Entry, 'stored' | 'app' | 'pass'>): Manifest {
  const { manifest, uid, generation, createdAt } = entry.stored
  const { apiVersion, kind, metadata: _metadata, spec: _spec, ...rest } = manifest
  const parent = entry.app.parent
  const metadata = withoutCopy(manifest.metadata)
  return {
    apiVersion,
    kind,
    metadata: {
      ...metadata,
      uid,
      generation,
      creationTimestamp: new Date(createdAt).toISOString(),
      ...(parent === null ? {} : { annotations: { ...metadata.annotations, 'slipway.dev/declared-by': parent } }),
    },
    spec: withoutPasswords(withoutSecrets(manifest.spec, renderedOf(entry))),
    ...rest,
  }
}

/**
 * An Application among the objects of another; other objects as they are. `declared`: the application of that name, if there is one: what
 * it renders to says which of its values are secret, as long as they are the same values. `mark`: what stands for a hidden one.
 */
export function shownChild(manifest: Manifest, declared: Entry | null, mark: (text: string) => string = () => hidden): Manifest {
  if (!isApplication(manifest)) return manifest
  const isSame = declared !== null && contentHash(declared.stored.manifest.spec ?? null) === contentHash(manifest.spec ?? null)
  const spec = withoutSecrets(manifest.spec, isSame ? renderedOf(declared) : null, mark)
  return { ...manifest, metadata: withoutCopy(manifest.metadata), spec: withoutPasswords(spec) }
}

/** What `get` added may come back with `apply`. */
export function withoutOurs(manifest: unknown): unknown {
  if (manifest === null || typeof manifest !== 'object' || Array.isArray(manifest)) return manifest
  const { metadata, status: _status, ...rest } = manifest as Record<string, unknown>
  if (metadata === null || typeof metadata !== 'object') return manifest
  const {
    uid: _uid,
    generation: _generation,
    creationTimestamp: _time,
    resourceVersion: _version,
    managedFields: _fields,
    ...kept
  } = metadata as Record<string, unknown>
  return { ...rest, metadata: kept }
}

/** Of the URL that Git is read from, in any of its sources. */
function withoutPasswords(spec: unknown): unknown {
  const { source, sources, ...rest } = (spec ?? {}) as Fields
  return {
    ...rest,
    ...(source === undefined ? {} : { source: withoutPassword(source) }),
    ...(Array.isArray(sources) ? { sources: sources.map(withoutPassword) } : {}),
  }
}

function withoutPassword(source: unknown): unknown {
  const { repoURL } = (source ?? {}) as Fields
  if (typeof repoURL !== 'string') return source
  return { ...(source as Fields), repoURL: repoURL.replace(/^([a-z+]+:\/\/)[^/@]*@/i, '$1') }
}

const copied = 'kubectl.kubernetes.io/last-applied-configuration'

/** kubectl keeps the whole object there. */
function withoutCopy(metadata: Manifest['metadata']): Manifest['metadata'] {
  if (metadata.annotations?.[copied] === undefined) return metadata
  const { [copied]: _, ...annotations } = metadata.annotations
  return { ...metadata, annotations }
}
