// Which files of a tree a render is given, by their ids: what they hold is read only where nobody has read it before, or a child lacks it.
import { LRUCache } from 'lru-cache'
import { chosen, isChart, isCore, isManifest, manifestPaths, RenderFault, readsFiles } from '../../renderer/index.js'
import type { Application } from '../application.js'
import type { GitTree, TreeEntry } from '../release.js'
import type { Blob, JobFile } from './pool.js'

export interface Inputs {
  readonly files: readonly JobFile[]
  /** Those that belong to the chart: another content of one of them is another render. */
  readonly core: readonly TreeEntry[]
  /** Those that templates may ask for. */
  readonly others: readonly TreeEntry[]
}

/** Bytes of all files of one render. */
const mostBytes = 32_000_000

/** What was found out about a blob: the same for ever. */
interface Facts {
  readonly bytes: number
  /** As a file of this path, it lets templates ask for other files. */
  readonly asks: boolean
}

export class InputReader {
  readonly #facts = new LRUCache<string, Facts>({ max: 50_000 })

  /** Throws `RenderFault` for what must not be read. Rejects where Git cannot be read. */
  async inputsOf({ source }: Application, tree: GitTree, signal: AbortSignal): Promise<Inputs> {
    const entries = await tree.list()
    const paths = entries.map(entry => entry.path)
    if (!isChart(paths)) {
      const isMeant = chosen(source.directory)
      for (const entry of entries)
        if (entry.kind !== 'blob' && couldHold(entry.path, source)) throw refusal(entry.path, entry.kind)
        else if (entry.path.endsWith('.jsonnet') && isMeant(entry.path)) throw jsonnet(entry.path)
      const wanted = new Set(manifestPaths(paths, source.directory))
      const core = entries.filter(entry => wanted.has(entry.path))
      await this.#within(core, tree, signal)
      return { core, others: [], files: core.map(entry => [entry.path, blobOf(entry, tree)] as const) }
    }
    for (const entry of entries) if (entry.kind !== 'blob') throw refusal(entry.path, entry.kind)
    const core = entries.filter(entry => isCore(entry.path))
    const others = entries.filter(entry => !isCore(entry.path))
    const asks = (await this.#within(core, tree, signal)).some(facts => facts.asks)
    if (asks) await this.#within(entries, tree, signal)
    const whole = (asks ? entries : core).map(entry => [entry.path, blobOf(entry, tree)] as const)
    return { core, others, files: asks ? whole : [...whole, ...others.map(({ path }) => [path, nothing] as const)] }
  }

  /** Facts of all of them; throws where they are too large together. */
  async #within(entries: readonly TreeEntry[], tree: GitTree, signal: AbortSignal): Promise<readonly Facts[]> {
    const found: Facts[] = []
    let total = 0
    for (let at = 0; at < entries.length; at += 16) {
      signal.throwIfAborted()
      const some = entries.slice(at, at + 16)
      for (const [index, facts] of (await Promise.all(some.map(entry => this.#factsOf(entry, tree)))).entries()) {
        found.push(facts)
        total += facts.bytes
        if (total > mostBytes)
          throw new RenderFault(
            'LimitExceeded',
            `${some[index]?.path}: the files of one application may have ${mostBytes} bytes together`,
          )
      }
    }
    return found
  }

  async #factsOf({ path, oid }: TreeEntry, tree: GitTree): Promise<Facts> {
    const key = `${oid} ${path}`
    const known = this.#facts.get(key)
    if (known !== undefined) return known
    const bytes = await tree.read(oid)
    const text = (): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
    const asks = isCore(path) && readsFiles(path, text())
    const facts = { bytes: bytes.length, asks }
    this.#facts.set(key, facts)
    return facts
  }
}

const nothing = new Uint8Array()

function blobOf({ oid }: TreeEntry, tree: GitTree): Blob {
  return { oid, read: () => tree.read(oid) }
}

/** Argo CD would render it: left out in silence, what it makes would be missing. */
function jsonnet(path: string): RenderFault {
  return new RenderFault(
    'RefusedFile',
    `${path} is Jsonnet, which is not rendered here; render it in CI and commit what comes out, or leave it out with directory.exclude`,
  )
}

function refusal(what: string, kind: TreeEntry['kind']): RenderFault {
  return new RenderFault(
    'RefusedFile',
    `${what} is a ${kind === 'symlink' ? 'symlink' : 'submodule'}; only ordinary files of the commit are read. Replace it with a copy`,
  )
}

/** A link or submodule that stands where a manifest, or a folder of manifests, would be read. */
function couldHold(path: string, source: Application['source']): boolean {
  if (isManifest(path)) return manifestPaths([path], source.directory).length > 0
  return source.directory.recurse && !/(^|\/)\./.test(path) && !/\.[A-Za-z0-9]+$/.test(path)
}
