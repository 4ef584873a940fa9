// The renderer alone in a process with the flags of a render child: how long a render takes without what is said about it.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { hastened } from '../../../controller/render/late.js'
import { childFlags, poolDefaults } from '../../../controller/render/pool.js'
import { type ChartCache, type RenderOptions, render, StickyBook } from '../../../renderer/index.js'

export interface AloneJob {
  /** The same for the same files, as ids of blobs say it in the product. */
  readonly id: string
  readonly files: readonly (readonly [path: string, bytes: Uint8Array])[]
  readonly options: RenderOptions
}

/** Keeps the charts that it has seen, as a render child does, and what they minted, as the controller does. */
export class RenderProcess {
  readonly #child: ChildProcess = fork(fileURLToPath(import.meta.url), ['render'], {
    execArgv: childFlags(poolDefaults, false),
    serialization: 'advanced',
  })

  /** ms from files and values to objects. Throws where the chart does not render. */
  async render(application: string, job: AloneJob): Promise<number> {
    const answer = once(this.#child, 'message') as Promise<unknown[]>
    this.#child.send([application, job])
    const told = (await answer)[0] as number | string
    if (typeof told === 'string') throw new Error(told)
    return told
  }

  close(): void {
    this.#child.kill()
  }
}

interface Kept {
  readonly charts: ChartCache
  /** Keys and passwords of earlier renders, by application: nothing is minted twice. */
  readonly values: Map<string, Readonly<Record<string, string>>>
}

function answer(application: string, job: AloneJob, kept: Kept): number | string {
  const files = new Map(job.files)
  const values = kept.values.get(application) ?? {}
  const book = new StickyBook({ salt: application, values, answers: {} }, mint)
  const began = performance.now()
  const read = { paths: [...files.keys()], read: (path: string) => files.get(path) ?? null, id: job.id }
  const result = hastened(() => render(read, job.options, book, kept.charts))
  const ms = performance.now() - began
  const minted = Object.entries(book.touched().minted).map(([key, { value }]) => [key, value] as const)
  kept.values.set(application, { ...values, ...Object.fromEntries(minted) })
  return result.error === undefined ? ms : result.error.message
}

const mint = { random: (count: number) => crypto.getRandomValues(new Uint8Array(count)), now: Date.now() }

if (process.argv[2] === 'render' && process.send !== undefined) {
  const kept: Kept = { charts: new Map(), values: new Map() }
  process.on('message', ([application, job]: [string, AloneJob]) => process.send?.(answer(application, job, kept)))
  process.on('disconnect', () => process.exit(0))
}
