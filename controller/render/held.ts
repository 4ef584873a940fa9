// What a render child holds between two jobs: blobs by id, and the charts that were loaded from them. The same array for the same blob, so that
// whatever was made of its text (a parsed template, values, objects of a CRD) is found again, in whichever chart it stands.
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { ChartCache, FileQuestion, Files } from '../../renderer/index.js'

/** Bytes of files, which a loaded chart exceeds several times over: templates become trees, and CRDs objects. */
export const mostHeldBytes = 12_000_000
/** Of the heap, what may be taken after a job before something is let go. */
const mostOfHeap = 0.6
const mostCharts = 200

export interface SentFile {
  readonly path: string
  /** Bytes, or the id of a blob. */
  readonly content: Uint8Array | string
}

export class Held {
  readonly #blobs: LRUCache<string, Uint8Array>
  readonly #charts: LRUCache<string, { readonly chart: NonNullable<ReturnType<ChartCache['get']>>; readonly bytes: number }>
  #lost: string[] = []

  constructor(mostBytes = mostHeldBytes) {
    this.#blobs = new LRUCache({
      maxSize: mostBytes,
      sizeCalculation: bytes => bytes.length + 64,
      dispose: (_bytes, oid, why) => {
        if (why !== 'set') this.#lost.push(oid)
      },
    })
    this.#charts = new LRUCache({ max: mostCharts, maxSize: mostBytes, sizeCalculation: ({ bytes }) => bytes + 64 })
  }

  /** The files of a job as the renderer reads them. `blobs`: those that came with it. */
  filesOf(sent: readonly SentFile[], blobs: ReadonlyMap<string, Uint8Array>, asked: (question: FileQuestion) => void): Files {
    // Those that are held first: what came makes room for itself among them.
    const known = new Map(sent.flatMap(({ content }) => this.#known(content)))
    const bytes = new Map<string, Uint8Array>()
    const hash = createHash('sha1')
    for (const { path, content } of sent) {
      const found = typeof content === 'string' ? (known.get(content) ?? this.#blobOf(content, blobs)) : content
      bytes.set(path, found)
      hash.update(`${path}\0${typeof content === 'string' ? content : createHash('sha1').update(content).digest('hex')}\0`)
    }
    return { paths: [...bytes.keys()], read: path => bytes.get(path) ?? null, id: hash.digest('hex'), asked }
  }

  /** Of one set of files at a time: charts are kept by what their files weigh. */
  chartsFor(files: Files): ChartCache {
    return {
      get: key => this.#charts.get(key)?.chart,
      set: (key, chart) => {
        const bytes = files.paths.reduce((sum, path) => sum + (files.read(path)?.length ?? 0), 0)
        this.#charts.set(key, { chart, bytes })
      },
    }
  }

  /** After a job. `used`: of the heap, 0 to 1. What was longest not asked for goes, with all that was made of it. */
  settle(used: number): void {
    if (used < mostOfHeap) return
    for (const kept of [this.#charts, this.#blobs]) {
      const most = kept.calculatedSize / 2
      while (kept.size > 0 && kept.calculatedSize > most) kept.pop()
    }
  }

  /** Ids of blobs that are held no longer, since it was last asked. */
  lost(): readonly string[] {
    const lost = this.#lost.filter(oid => !this.#blobs.has(oid))
    this.#lost = []
    return lost
  }

  #known(content: SentFile['content']): (readonly [string, Uint8Array])[] {
    const bytes = typeof content === 'string' ? this.#blobs.get(content) : undefined
    return typeof content === 'string' && bytes !== undefined ? [[content, bytes]] : []
  }

  #blobOf(oid: string, blobs: ReadonlyMap<string, Uint8Array>): Uint8Array {
    const known = this.#blobs.get(oid)
    if (known !== undefined) return known
    const sent = blobs.get(oid)
    if (sent === undefined) throw new Error(`blob ${oid} was neither sent nor held`)
    // A copy: what came is a view of the whole message.
    const own = Uint8Array.prototype.slice.call(sent)
    this.#blobs.set(oid, own)
    if (!this.#blobs.has(oid)) this.#lost.push(oid)
    return own
  }
}
