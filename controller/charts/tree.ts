// A commit's tree with the charts that it depends on in `charts/`, as if they had been committed: what renders it needs to know nothing of them.
import { LRUCache } from 'lru-cache'
import { type Aliases, type ChartFile, mayNeedCharts, RenderFault, tellsNeeds } from '../../renderer/index.js'
import { contentHash } from '../../runtime/contract/hash.js'
import type { GitTree, TreeEntry } from '../release.js'
import { type AddedChart, type Bringing, type Completed, completed, contentOf, type Folder, type Pins } from './complete.js'

export interface ChartTrees {
  /** Throws `ChartSourceError` or `RenderFault`. */
  treeOf(asked: AskedTree, signal: AbortSignal): Promise<TreeWithCharts>
}

export interface AskedTree {
  readonly tree: GitTree
  /** From the repository's root; '.' is the root. */
  readonly path: string
  /** Another folder of the same commit; null where there is none. */
  readonly treeAt: (path: string) => Promise<GitTree | null>
  readonly pins: Pins
  /** Who is woken when a chart has come. */
  readonly owner: string
  /** Credentials of its repositories also go to other hosts that their indexes name. */
  readonly passes?: boolean
}

export interface TreeWithCharts extends Pick<Completed, 'pins' | 'moving'> {
  readonly tree: GitTree
}

export interface ChartTreesOptions {
  readonly bringing: (owner: string, passes: boolean) => Bringing
  readonly aliases: Aliases
}

/** Bytes of the files of one folder that is taken as a dependency. */
const mostFolderBytes = 32_000_000

/** Of what was found for trees: most need nothing, and cost their name. */
const mostKeptCharacters = 2_000_000

interface Known {
  readonly completed: Completed
  readonly pins: string
}

export function chartTrees({ bringing, aliases }: ChartTreesOptions): ChartTrees {
  /** What was found for a tree at a path; null: it needs nothing. */
  const kept = new LRUCache<string, { readonly known: Known | null }>({
    maxSize: mostKeptCharacters,
    sizeCalculation: ({ known }, key) => key.length + (known === null ? 0 : JSON.stringify(known).length),
  })

  async function found(asked: AskedTree, signal: AbortSignal): Promise<Completed | null> {
    const key = `${asked.tree.treeId} ${asked.path}`
    const before = kept.get(key)
    if (before !== undefined && (before.known === null || (await isSame(before.known, asked))))
      return before.known?.completed ?? null
    const files = await tellingFiles(asked.tree)
    if (!mayNeedCharts(files)) {
      kept.set(key, { known: null })
      return null
    }
    const folder = (path: string): Promise<Folder | null> => folderOf(path, asked, signal)
    const { owner, path, pins, passes = false } = asked
    const done = await completed({ files, path, folder, pins, aliases }, bringing(owner, passes), signal)
    kept.set(key, { known: { completed: done, pins: JSON.stringify(done.pins) } })
    return done
  }

  return {
    async treeOf(asked, signal) {
      const done = await found(asked, signal)
      if (done === null || done.added.length === 0) return { tree: asked.tree, pins: {}, moving: [] }
      return {
        tree: withCharts(asked.tree, done, bringing(asked.owner, asked.passes ?? false)),
        pins: done.pins,
        moving: done.moving,
      }
    },
  }
}

/** The same folders, and what this application keeps is what was found. */
async function isSame({ completed, pins }: Known, asked: AskedTree): Promise<boolean> {
  if (JSON.stringify(pinsUsed(completed, asked.pins)) !== pins) return false
  const trees = await Promise.all(completed.folders.map(async ({ path, id }) => (await asked.treeAt(path))?.treeId === id))
  return trees.every(same => same)
}

function pinsUsed({ pins }: Completed, from: Pins): Pins {
  return Object.fromEntries(Object.keys(pins).flatMap(key => (from[key] === undefined ? [] : [[key, from[key]] as const])))
}

async function tellingFiles(tree: GitTree): Promise<ChartFile[]> {
  const entries = await tree.list()
  const head = entries.filter(({ path }) => path === 'Chart.yaml' || path === 'requirements.yaml')
  const files = await filesIn(tree, head)
  if (!mayNeedCharts(files)) return files
  return filesIn(
    tree,
    entries.filter(({ path }) => tellsNeeds(path)),
  )
}

function filesIn(tree: GitTree, entries: readonly TreeEntry[]): Promise<ChartFile[]> {
  const blobs = entries.filter(({ kind }) => kind === 'blob')
  return Promise.all(blobs.map(async ({ path, oid }) => ({ name: path, bytes: await tree.read(oid) })))
}

async function folderOf(path: string, { treeAt }: AskedTree, signal: AbortSignal): Promise<Folder | null> {
  const tree = await treeAt(path)
  if (tree === null) return null
  const files: ChartFile[] = []
  let total = 0
  for (const { path: name, oid, kind } of await tree.list()) {
    signal.throwIfAborted()
    if (kind !== 'blob')
      throw new RenderFault(
        'RefusedFile',
        `${path}/${name} is a ${kind}; only ordinary files of the commit are read. Replace it with a copy`,
      )
    const bytes = await tree.read(oid)
    total += bytes.length
    if (total > mostFolderBytes)
      throw new RenderFault('LimitExceeded', `${path}: the files of a chart may have ${mostFolderBytes} bytes together`)
    files.push({ name, bytes })
  }
  return { id: tree.treeId, files }
}

const mark = 'chart-'

function withCharts(tree: GitTree, { added }: Completed, { store }: Bringing): GitTree {
  const byId = new Map<string, AddedChart>(added.map(one => [mark + one.sha256, one] as const))
  const entries = added.map(({ name, sha256 }): TreeEntry => ({ path: name, oid: mark + sha256, kind: 'blob' }))
  return {
    treeId: tree.treeId,
    contentId: contentHash([tree.treeId, added.map(({ name, sha256 }) => [name, sha256])], 64),
    ...(tree.everything === undefined ? {} : { everything: tree.everything }),
    resolve: path => tree.resolve(path),
    list: async () => [...(await tree.list()), ...entries],
    async read(oid) {
      const chart = byId.get(oid)
      return chart === undefined ? tree.read(oid) : contentOf(chart, store)
    },
  }
}
