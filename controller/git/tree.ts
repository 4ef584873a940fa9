// What others see of a commit: the files under a path, by name and object id. Knows how Git writes trees; nothing is checked out.
import type { GitTree, TreeId } from '../release.js'
import { SourceError } from './errors.js'

export type { GitTree }
export type GitFile = Awaited<ReturnType<GitTree['list']>>[number]

export interface TreeEntry {
  readonly name: string
  readonly oid: string
  readonly kind: 'blob' | 'symlink' | 'submodule' | 'tree'
}

/** What a tree needs of the repository that it lies in. */
export interface Objects {
  tree(oid: string): Promise<readonly TreeEntry[]>
  blob(oid: string): Promise<Uint8Array>
}

const maxFiles = 50_000
const maxDepth = 64

/** `root` is the commit's tree; `where` is for messages: `path at 4f2a91c of https://...`. */
export function gitTree(objects: Objects, root: string, treeId: TreeId, where: string): GitTree {
  let listed: Promise<readonly GitFile[]> | null = null
  let everything: Promise<readonly GitFile[]> | null = null
  return {
    treeId,
    everything: () => {
      everything ??= listFiles(objects, root, where)
      return everything
    },
    list: () => {
      listed ??= listFiles(objects, treeId, where)
      return listed
    },
    read: oid => objects.blob(oid),
    resolve: path => resolveFile(objects, root, path, where),
  }
}

async function listFiles(objects: Objects, treeId: string, where: string): Promise<readonly GitFile[]> {
  const files: GitFile[] = []
  async function walk(oid: string, prefix: string, depth: number): Promise<void> {
    if (depth > maxDepth)
      throw new SourceError('SuspiciousName', `${shown(prefix)} in ${where} is nested deeper than ${maxDepth} folders`)
    for (const entry of await objects.tree(oid)) {
      const path = prefix + entry.name
      refuseSuspicious(entry.name, path, where)
      if (entry.kind === 'tree') await walk(entry.oid, `${path}/`, depth + 1)
      else files.push({ path, oid: entry.oid, kind: entry.kind })
      if (files.length > maxFiles)
        throw new SourceError('PathNotFound', `${where} holds more than ${maxFiles} files: choose a narrower spec.source.path`)
    }
  }
  await walk(treeId, '', 0)
  return files
}

async function resolveFile(objects: Objects, root: string, path: string, where: string): Promise<GitFile | null> {
  const names = path.split('/')
  for (const name of names) refuseSuspicious(name, path, where)
  const entry = await entryAt(objects, root, names)
  if (entry === null || entry.kind === 'tree') return null
  if (entry.kind !== 'blob')
    throw new SourceError('SuspiciousName', `${shown(path)} in ${where} is a ${entry.kind}, which is not followed`)
  return { path, oid: entry.oid, kind: 'blob' }
}

/** The entry that `names` lead to from the tree `root`; null where one is missing. Never follows a symlink. */
export async function entryAt(objects: Objects, root: string, names: readonly string[]): Promise<TreeEntry | null> {
  let here: TreeEntry = { name: '', oid: root, kind: 'tree' }
  for (const name of names) {
    if (here.kind !== 'tree') return here.kind === 'blob' ? null : here
    const next = namedIn(await objects.tree(here.oid), name)
    if (next === undefined) return null
    here = next
  }
  return here
}

const wide = 16
/** A folder with a thousand applications is asked for each of them. */
const byName = new WeakMap<readonly TreeEntry[], ReadonlyMap<string, TreeEntry>>()

function namedIn(entries: readonly TreeEntry[], name: string): TreeEntry | undefined {
  if (entries.length < wide) return entries.find(entry => entry.name === name)
  const known = byName.get(entries) ?? new Map(entries.map(entry => [entry.name, entry]))
  byName.set(entries, known)
  return known.get(name)
}

/** `./charts//web/` -> `['charts', 'web']`; the root is `[]`. Throws SourceError `SuspiciousName`. */
export function pathNames(path: string): readonly string[] {
  if (path.startsWith('/'))
    throw new SourceError('SuspiciousName', `${shown(path)} is absolute: spec.source.path starts at the repository's root`)
  const names = path.split('/').filter(name => name !== '' && name !== '.')
  for (const name of names) refuseSuspicious(name, path, 'spec.source.path')
  return names
}

/** Code points that HFS+ ignores, so that `.g\u200cit` would be `.git` there (git's fsck knows the same ones). */
const ignorable = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g

function refuseSuspicious(name: string, path: string, where: string): void {
  const fault = faultOf(name)
  if (fault !== null) throw new SourceError('SuspiciousName', `${shown(path)} in ${where} is refused: ${fault}; rename it`)
}

function faultOf(name: string): string | null {
  if (name === '') return 'it has an empty name'
  if (name === '.' || name === '..') return 'it leads elsewhere'
  if (/[/\\\u2044\u2215\u29f8\uff0f\uff3c]/.test(name)) return 'it has a slash or backslash in its name'
  if (/%(2e|2f|5c|00)/i.test(name)) return 'it has a percent-encoded dot or slash in its name'
  if (/[\u0000-\u001f\u007f]/.test(name)) return 'it has a control character in its name'
  if (name.includes('\ufffd')) return 'its name is not UTF-8'
  if (Buffer.byteLength(name) > 255) return 'its name is longer than 255 bytes'
  const folded = name
    .normalize('NFKC')
    .replace(ignorable, '')
    .toLowerCase()
    .replace(/[. ]+$/, '')
    .replace(/:.*$/, '')
  if (folded === '.git' || folded === 'git~1') return 'it stands for a Git directory'
  if (folded === '' || folded === '..' || folded === '.') return 'it leads elsewhere'
  return null
}

/** Quoted, with what a terminal would act on escaped, and cut. */
function shown(path: string): string {
  const quoted = JSON.stringify(path).replace(/[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u206f\ufeff]/g, '?')
  return quoted.length > 200 ? `${quoted.slice(0, 200)}..."` : quoted
}

const kinds: Readonly<Record<string, TreeEntry['kind']>> = {
  '40000': 'tree',
  '040000': 'tree',
  '120000': 'symlink',
  '160000': 'submodule',
}

/** Git's tree object: `<mode> <name>\0<20 bytes>` again and again (git's Documentation, gitformat-pack). */
export function parseTree(content: Uint8Array): readonly TreeEntry[] {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  const entries: TreeEntry[] = []
  let at = 0
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at)
    const end = bytes.indexOf(0, space)
    if (space < 0 || end < 0 || end + 21 > bytes.length) throw new Error('a tree object is cut short')
    const mode = bytes.toString('latin1', at, space)
    const name = bytes.toString('utf8', space + 1, end)
    entries.push({ name, oid: bytes.toString('hex', end + 1, end + 21), kind: kinds[mode] ?? 'blob' })
    at = end + 21
  }
  return entries
}
