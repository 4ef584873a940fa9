// A packed chart as a tree, as if its files had been committed by themselves: what renders it needs to know nothing of archives.
import { createHash } from 'node:crypto'
import type { ChartFile } from '../../renderer/index.js'
import type { GitTree, TreeEntry, TreeId } from '../release.js'

/** `sha256`: of the packed chart. */
export function packedTree(sha256: string, files: readonly ChartFile[]): GitTree {
  const byId = new Map<string, Uint8Array>()
  const entries = files.map(({ name, bytes }): TreeEntry => {
    const oid = `packed-${createHash('sha256').update(bytes).digest('hex')}`
    byId.set(oid, bytes)
    return { path: name, oid, kind: 'blob' }
  })
  const byPath = new Map(entries.map(entry => [entry.path, entry] as const))
  return {
    treeId: `packed-${sha256}` as TreeId,
    list: async () => entries,
    everything: async () => entries,
    resolve: async path => byPath.get(path) ?? null,
    async read(oid) {
      const bytes = byId.get(oid)
      if (bytes === undefined) throw new Error(`${oid} is no file of this packed chart`)
      return bytes
    },
  }
}
