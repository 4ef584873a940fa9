// An application with several sources: each is rendered by itself, may name the files of others (`$ref/...`), and all of it is one release.
import { refKey, refOf } from '../runtime/contract/manifest.js'
import type { Application, Source } from './application.js'
import type { Ledger } from './ledger.js'
import { type Candidate, type GitTree, imagesOf, type Rejection, releaseIdOf } from './release.js'
import type { Uses } from './sticky.js'

/** What two charts with templates of the same name keep must not meet: each source but the first has keys of its own. */
export function ledgerFor(ledger: Ledger, at: number): Ledger {
  return at === 0 ? ledger : { ...ledger, salt: `${ledger.salt} ${at}` }
}

/** One of several may be empty: whether all of them together may is asked in the end. */
export function applicationFor(app: Application, source: Source): Application {
  return app.sources.length === 1 ? app : { ...app, source, sync: { ...app.sync, allowEmpty: true } }
}

/** `tree`, with files of other sources under `$ref/`. Throws an error with a `reason` for a `ref` that no source has. */
export function lending(tree: GitTree, refs: ReadonlyMap<string, () => Promise<GitTree>>): GitTree {
  const lent = new Map<string, GitTree>()
  return {
    ...tree,
    async resolve(path) {
      const [, ref, rest = ''] = /^\$([^/]+)\/(.*)$/.exec(path) ?? []
      if (ref === undefined) return tree.resolve(path)
      const from = await (refs.get(ref) ?? noSuchRef(ref, refs))()
      const entry = await from.resolve(rest)
      if (entry !== null) lent.set(entry.oid, from)
      return entry
    },
    read: oid => (lent.get(oid) ?? tree).read(oid),
  }
}

function noSuchRef(ref: string, refs: ReadonlyMap<string, unknown>): never {
  const known = refs.size === 0 ? 'no source has one' : `there are ${[...refs.keys()].join(', ')}`
  throw Object.assign(new Error(`value file $${ref}/...: no source of this application has ref ${ref}; ${known}`), {
    reason: 'RefusedFile',
    transient: false,
  })
}

/** In the order of the sources: of an object that two of them give the later one's counts, as in Argo CD. */
export function together({ sync }: Application, salt: string, candidates: readonly Candidate[]): Candidate {
  const [first] = candidates
  if (first === undefined) throw new Error('an application without sources that render')
  const uses = candidates.reduce<Uses>((all, { uses: one }) => joined(all, one), { sticky: {}, lookups: {}, own: [] })
  const held = candidates.findIndex(({ kind }) => kind === 'rejection')
  const rejected = candidates[held]
  if (rejected?.kind === 'rejection') {
    const message = `source ${held + 1} of ${candidates.length}: ${rejected.rejection.message}`
    return { ...rejected, revision: first.revision, rejection: { ...rejected.rejection, message }, uses }
  }
  const releases = candidates.flatMap(one => (one.kind === 'release' ? [one.release] : []))
  const objects = [...new Map(releases.flatMap(one => one.objects.map(object => [refKey(refOf(object)), object]))).values()]
  const origins = Object.assign({}, ...releases.map(one => one.origins)) as Readonly<Record<string, string>>
  if (objects.length === 0 && !sync.allowEmpty)
    return { kind: 'rejection', revision: first.revision, rejection: empty, stale: null, uses }
  const release = { id: releaseIdOf(salt, objects), objects, origins, images: imagesOf(objects), tree: releases[0]!.tree }
  const warnings = [...new Set(candidates.flatMap(one => (one.kind === 'release' ? (one.warnings ?? []) : [])))]
  return { kind: 'release', revision: first.revision!, release, stale: null, uses, warnings }
}

function joined(all: Uses, one: Uses | undefined): Uses {
  if (one === undefined) return all
  return {
    sticky: { ...all.sticky, ...one.sticky },
    lookups: { ...all.lookups, ...one.lookups },
    own: [...new Set([...all.own, ...one.own])],
  }
}

const empty: Rejection = {
  reason: 'EmptyRender',
  message:
    'the sources render to no objects; nothing is pruned for that. Allow it with syncPolicy.automated.allowEmpty, or look at their paths',
  excerpt: '',
  transient: false,
}
