// A commit's folder with a kustomization.yaml -> a tree with the one file that kustomize makes of it: what renders it needs to know nothing
// of kustomize. Nothing is built before somebody reads that file, and what was built is kept by what went into it.
import { LRUCache } from 'lru-cache'
import { pathInRepository, readYaml } from '../../renderer/index.js'
import { contentHash } from '../../runtime/contract/hash.js'
import type { KustomizeOptions } from '../application.js'
import type { GitTree } from '../release.js'
import {
  configuring,
  edited,
  type Kustomization,
  KustomizeError,
  kustomizationNames,
  leadingTo,
  reachingOut,
  remoteIn,
} from './edit.js'
import { build, findProgram, type Program } from './run.js'

export interface AskedBuild {
  readonly tree: GitTree
  /** From the repository's root. */
  readonly path: string
  /** Another folder of the same commit; null where there is none. */
  readonly treeAt: (path: string) => Promise<GitTree | null>
  /** Null: a folder without a kustomization is none. */
  readonly options: KustomizeOptions | null
  /** ARGOCD_APP_NAME and its neighbours. */
  readonly env: Readonly<Record<string, string>>
}

export interface Kustomize {
  /** null: it is not for kustomize. Throws KustomizeError for what cannot be built. */
  treeOf(asked: AskedBuild, signal: AbortSignal): Promise<GitTree | null>
}

export interface KustomizeSetup {
  /** Folders of builds, emptied after each. */
  readonly directory: string
  /** Where `kustomize` or `kubectl` is looked for. */
  readonly path: string
}

const mostBytes = 32_000_000
const mostFolders = 100
const nameOfBuild = 'kustomize.yaml'

interface Root {
  readonly path: string
  readonly tree: GitTree
  /** As it is built: with what the declaration changes. */
  readonly kustomization: Kustomization
  /** Name of its file. */
  readonly file: string
  readonly isEdited: boolean
}

export function openKustomize({ directory, path }: KustomizeSetup): Kustomize {
  const built = new LRUCache<string, Buffer>({ maxSize: mostBytes, sizeCalculation: bytes => bytes.length + 1 })
  const building = new Map<string, Promise<Buffer>>()
  /** Folders without a kustomization, by tree id: most are, and each is asked for with each commit. */
  const plain = new LRUCache<string, true>({ max: 20_000 })
  let program: Program | null = null
  let last: Promise<unknown> = Promise.resolve()

  async function programFor(signal: AbortSignal): Promise<Program> {
    program ??= await findProgram(path, signal)
    if (program === null)
      throw new KustomizeError(
        'the path has a kustomization.yaml, and there is neither kustomize nor kubectl on the PATH of the controller: install one of them',
        true,
      )
    return program
  }

  /** One at a time: each takes a core and some hundred MB. */
  function bytesOf(key: string, roots: readonly Root[], target: string, with_: Program): Promise<Buffer> {
    const known = built.get(key)
    if (known !== undefined) return Promise.resolve(known)
    const under = building.get(key)
    if (under !== undefined) return under
    const made = last
      .catch(() => undefined)
      .then(async () => {
        const text = await build(with_, await filesOf(roots), target, directory, AbortSignal.timeout(120_000))
        const bytes = Buffer.from(text)
        built.set(key, bytes)
        return bytes
      })
      .finally(() => building.delete(key))
    last = made
    building.set(key, made)
    return made
  }

  return {
    async treeOf(asked, signal) {
      if (asked.options === null && plain.has(asked.tree.treeId)) return null
      const file = await kustomizationIn(asked.tree)
      if (file === null) {
        plain.set(asked.tree.treeId, true)
        if (asked.options === null) return null
        throw new KustomizeError(`${asked.path} has no kustomization.yaml, and spec.source.kustomize wants one`)
      }
      const roots = await rootsOf(asked, signal)
      const with_ = await programFor(signal)
      const content = roots.map(({ path: where, tree, kustomization, isEdited }) => [
        where,
        tree.treeId,
        isEdited ? kustomization : null,
      ])
      const id = contentHash([with_.version, content], 64)
      return {
        treeId: asked.tree.treeId,
        contentId: `kustomize-${id}`,
        list: async () => [{ path: nameOfBuild, oid: `kustomize-${id}`, kind: 'blob' }],
        resolve: name => asked.tree.resolve(name),
        read: oid => (oid === `kustomize-${id}` ? bytesOf(id, roots, asked.path, with_) : asked.tree.read(oid)),
      }
    },
  }
}

async function kustomizationIn(tree: GitTree): Promise<string | null> {
  const names = (await tree.list()).filter(({ kind, path }) => kind === 'blob' && kustomizationNames.includes(path))
  if (names.length > 1) throw new KustomizeError(`there are ${names.map(({ path }) => path).join(' and ')}: leave one of them`)
  return names[0]?.path ?? null
}

/** The application's own folder first, then those that it builds on, each once. */
async function rootsOf(asked: AskedBuild, signal: AbortSignal): Promise<readonly Root[]> {
  const roots = new Map<string, Root>()
  const waiting = [{ path: asked.path, tree: asked.tree, options: asked.options }] as {
    path: string
    tree: GitTree
    options: KustomizeOptions | null
  }[]
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    signal.throwIfAborted()
    if (roots.has(next.path)) continue
    if (roots.size >= mostFolders) throw new KustomizeError(`${asked.path} builds on more than ${mostFolders} folders`)
    const root = await rootOf(next.path, next.tree, next.options, asked)
    roots.set(next.path, root)
    for (const path of await foldersOf(root)) {
      const tree = await asked.treeAt(path.to)
      if (tree === null)
        throw new KustomizeError(`${whereOf(root)}: ${path.entry} is not in this commit, and nothing is fetched while building`)
      waiting.push({ path: path.to, tree, options: null })
    }
  }
  return [...roots.values()]
}

function whereOf({ path, file }: Pick<Root, 'path' | 'file'>): string {
  return path === '.' ? file : `${path}/${file}`
}

async function rootOf(path: string, tree: GitTree, options: KustomizeOptions | null, asked: AskedBuild): Promise<Root> {
  const file = await kustomizationIn(tree)
  if (file === null) throw new KustomizeError(`${path} has no kustomization.yaml, and ${asked.path} builds on it`)
  const entry = (await tree.list()).find(one => one.path === file)
  const where = path === '.' ? file : `${path}/${file}`
  const read = readYaml(Buffer.from(await tree.read(entry?.oid ?? '')).toString('utf8'), where)[0] ?? {}
  if (typeof read !== 'object' || Array.isArray(read)) throw new KustomizeError(`${where}: a map is wanted`)
  const outward = reachingOut(read as Kustomization)
  if (outward !== null) throw new KustomizeError(`${where}: ${outward}`)
  await refuseRemote(read as Kustomization, tree, where)
  if (options === null) return { path, tree, file, kustomization: read as Kustomization, isEdited: false }
  const components = options.ignoreMissingComponents ? await presentOf(options.components, path, asked) : options.components
  return { path, tree, file, kustomization: edited(read as Kustomization, { ...options, components }, asked.env), isEdited: true }
}

/** Inline, or in files below the folder; what such a file leads to is a folder of its own, or not there. */
async function refuseRemote(kustomization: Kustomization, tree: GitTree, where: string): Promise<void> {
  const entries = configuring(kustomization)
  if (entries.length === 0) return
  const files = (await tree.list()).filter(({ kind, path }) => kind === 'blob' && entries.some(entry => isBelow(path, entry)))
  const texts = await Promise.all(files.map(async ({ oid }) => Buffer.from(await tree.read(oid)).toString('utf8')))
  const remote = [...entries, ...texts].map(remoteIn).find(found => found !== '')
  if (remote !== undefined)
    throw new KustomizeError(`${where}: ${JSON.stringify(remote)} is not of this commit, and nothing is fetched while building`)
}

function isBelow(path: string, entry: string): boolean {
  const name = entry.replace(/^\.\//, '').replace(/\/+$/, '')
  return path === name || path.startsWith(`${name}/`)
}

async function presentOf(components: readonly string[], path: string, { treeAt }: AskedBuild): Promise<readonly string[]> {
  const there = await Promise.all(components.map(async entry => (await treeAt(inRepository(path, entry))) !== null))
  return components.filter((_, at) => there[at] === true)
}

/** Throws `RenderFault` for what leaves the repository. */
function inRepository(path: string, entry: string): string {
  return pathInRepository(path, entry.replace(/\/+$/, ''), `kustomization entry ${JSON.stringify(entry)}`)
}

/** Entries that are no file of the folder itself. */
async function foldersOf(root: Root): Promise<readonly { readonly entry: string; readonly to: string }[]> {
  const files = new Set((await root.tree.list()).map(entry => entry.path))
  const found = leadingTo(root.kustomization).map(entry => ({ entry, to: inRepository(root.path, entry) }))
  const own = (to: string) => (root.path === '.' ? to : to.startsWith(`${root.path}/`) ? to.slice(root.path.length + 1) : null)
  return found.filter(({ to }) => !files.has(own(to) ?? ''))
}

/** What kustomize may read: everything below the folders that it builds on, and nothing else of the repository. */
async function filesOf(roots: readonly Root[]): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  let total = 0
  for (const { path, tree, kustomization, file, isEdited } of roots)
    for (const entry of await tree.list()) {
      const name = path === '.' ? entry.path : `${path}/${entry.path}`
      // Links and submodules are not there for it: what it needs of them it says is missing.
      if (entry.kind !== 'blob' || (files.has(name) && entry.path !== file)) continue
      const bytes = isEdited && entry.path === file ? Buffer.from(JSON.stringify(kustomization)) : await tree.read(entry.oid)
      total += bytes.length
      if (total > mostBytes)
        throw new KustomizeError(`${path}: what kustomize may read has more than ${mostBytes} bytes together`)
      if (!files.has(name) || isEdited) files.set(name, bytes)
    }
  return files
}
