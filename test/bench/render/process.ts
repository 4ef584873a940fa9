// The renderer alone in a process with the flags of a render child: how long a render takes without what is said about it.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { childFlags, poolDefaults, type RenderJob } from '../../../controller/render/pool.js'
import { type ChartCache, render } from '../../../renderer/index.js'

/** Keeps the charts that it has seen, as a render child does. */
export class RenderProcess {
  readonly #child: ChildProcess = fork(fileURLToPath(import.meta.url), ['render'], {
    execArgv: childFlags(poolDefaults, false),
    serialization: 'advanced',
  })

  /** ms from files and values to objects. Throws where the chart does not render. */
  async render(job: RenderJob): Promise<number> {
    const answer = once(this.#child, 'message') as Promise<unknown[]>
    this.#child.send(job)
    const told = (await answer)[0] as number | string
    if (typeof told === 'string') throw new Error(told)
    return told
  }

  close(): void {
    this.#child.kill()
  }
}

function answer(job: RenderJob, charts: ChartCache): number | string {
  const files = new Map(job.files)
  const began = performance.now()
  const result = render({ paths: [...files.keys()], read: path => files.get(path) ?? null }, job.options, mint, {
    get: () => undefined,
    set: () => {},
    charts,
  })
  return result.error === undefined ? performance.now() - began : result.error.message
}

const mint = { random: (count: number) => crypto.getRandomValues(new Uint8Array(count)), now: Date.now() }

if (process.argv[2] === 'render' && process.send !== undefined) {
  const charts: ChartCache = new Map()
  process.on('message', (job: RenderJob) => process.send?.(answer(job, charts)))
  process.on('disconnect', () => process.exit(0))
}
