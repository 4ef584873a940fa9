// What a render read of Git, by name: as long as every name leads to the same content at a newer commit, a render of that one sees the same,
// and none is needed. Git comes in as an argument.
import type { CommitSha, GitTree } from './release.js'

/** A folder or a file, from the root of its repository. */
export interface Trace {
  readonly url: string
  /** At which it was read. */
  readonly commit: CommitSha
  readonly path: string
  /** Of its content; null where nothing was there. */
  readonly id: string | null
}

/** A source and its newest commit. */
export interface At {
  readonly url: string
  readonly commit: CommitSha
}

export type TreeAt = (url: string, commit: CommitSha, path: string) => Promise<GitTree>
export type IdAt = (url: string, commit: CommitSha, path: string) => Promise<string | null>

export interface Tracing {
  /** A folder as a whole. */
  readonly treeAt: TreeAt
  /** A folder of which only single files are asked for. */
  readonly filesAt: TreeAt
  /** Something went in that no name of Git stands for, or too many do: no newer commit is known to be the same. */
  blur(): void
  /** null: blurred. */
  traces(): readonly Trace[] | null
}

/** Reads as `treeAt` does, and notes what is read. */
export function traced(treeAt: TreeAt): Tracing {
  const traces = new Map<string, Trace>()
  let isBlurred = false
  const note = (url: string, commit: CommitSha, path: string, id: string | null) =>
    traces.set(`${url}\n${commit}\n${path}`, { url, commit, path, id })
  const blur = () => {
    isBlurred = true
  }
  const listening = (tree: GitTree, url: string, commit: CommitSha): GitTree => {
    const { everything } = tree
    return {
      ...tree,
      ...(everything === undefined
        ? {}
        : {
            everything: () => {
              blur()
              return everything()
            },
          }),
      async resolve(path) {
        const found = await tree.resolve(path)
        note(url, commit, path, found?.oid ?? null)
        return found
      },
    }
  }
  return {
    async treeAt(url, commit, path) {
      const tree = await treeAt(url, commit, path).catch(error => {
        note(url, commit, path, null)
        throw error
      })
      note(url, commit, path, tree.treeId)
      return listening(tree, url, commit)
    },
    filesAt: async (url, commit, path) => listening(await treeAt(url, commit, path), url, commit),
    blur,
    traces: () => (isBlurred ? null : [...traces.values()]),
  }
}

/** Of the sources of one application as they were, and as they are: is all that was read the same? */
export async function leadsToTheSame(
  traces: readonly Trace[] | null,
  before: readonly At[],
  now: readonly At[],
  idAt: IdAt,
): Promise<boolean> {
  if (traces === null || before.length !== now.length) return false
  for (const [at, { url, commit }] of before.entries()) {
    const newer = now[at]
    if (newer?.url !== url) return false
    if (newer.commit === commit) continue
    for (const trace of traces)
      if (trace.url === url && trace.commit === commit && (await idAt(url, newer.commit, trace.path)) !== trace.id) return false
  }
  return true
}

/** What was the same as before, as that of the newer commits: two sources that were at one commit may be at two now. */
export function tracesAt(traces: readonly Trace[] | null, before: readonly At[], now: readonly At[]): readonly Trace[] | null {
  const found = traces?.flatMap(trace => {
    const commits = before.flatMap((at, index) =>
      at.url === trace.url && at.commit === trace.commit ? [now[index]!.commit] : [],
    )
    return [...new Set(commits)].map(commit => ({ ...trace, commit }))
  })
  return found ?? null
}
