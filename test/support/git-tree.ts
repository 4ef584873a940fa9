// A commit's tree in memory, read as controller/git reads one.
import type { GitTree, TreeEntry, TreeId } from '../../controller/release.js'
import { contentHash } from '../../runtime/contract/hash.js'
import type { Tree } from './render.js'

export interface Repository extends GitTree {
  readonly reads: string[]
}

/** A repository in memory: paths from its root; the application's path is `root`. A text `-> x` is a symlink, `@x` a submodule. */
export function repository(files: Tree, root = 'apps/shop'): Repository {
  const reads: string[] = []
  const entries = Object.entries(files).map(([path, text]) => ({
    path,
    oid: contentHash(String(text)),
    kind: kindOf(String(text)),
  }))
  const prefix = root === '' ? '' : `${root}/`
  const inside: TreeEntry[] = entries
    .filter(entry => entry.path.startsWith(prefix))
    .map(entry => ({ ...entry, path: entry.path.slice(prefix.length) }))
  return {
    reads,
    treeId: contentHash(inside) as TreeId,
    list: async () => inside,
    everything: async () => entries,
    resolve: async path => {
      const found = entries.find(entry => entry.path === path) ?? null
      if (found !== null && found.kind !== 'blob')
        throw Object.assign(new Error(`${path} is a ${found.kind}`), { reason: 'SuspiciousName' })
      return found
    },
    read: async oid => {
      reads.push(oid)
      const text = Object.values(files).find(file => contentHash(String(file)) === oid) ?? ''
      return typeof text === 'string' ? Buffer.from(text) : text
    },
  }
}

function kindOf(text: string): TreeEntry['kind'] {
  return text.startsWith('-> ') ? 'symlink' : text.startsWith('@') ? 'submodule' : 'blob'
}
