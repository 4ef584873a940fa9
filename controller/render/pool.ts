// Renders in child processes that may be killed: an endless template, a memory hog or a crash costs one render and nothing else.
import { type ChildProcess, fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ChartAnswer, ChartQuestion, FileQuestion, Kept, Rendered, RenderOptions, Touched } from '../../renderer/index.js'
import type { SentFile } from './held.js'
import { optimizedLater } from './late.js'

export interface PoolOptions {
  /** Children at the same time, kept warm after a render; each costs about 45 MB. */
  readonly children: number
  /** Without work for this long a child is ended, ms. */
  readonly idleMs: number
  /** Wall clock of one render, ms. */
  readonly timeoutMs: number
  /** JavaScript heap of a child, MB. */
  readonly heapMB: number
  /** Resident memory at which a child is killed, MB (buffers and strings under way count here, not in the heap). */
  readonly residentMB: number
  /** What a child runs: a file. */
  readonly program: string
}

export const poolDefaults: PoolOptions = {
  children: 1,
  idleMs: 60_000,
  timeoutMs: 10_000,
  heapMB: 192,
  residentMB: 384,
  program: fileURLToPath(new URL('./worker.js', import.meta.url)),
}

export interface RenderJob {
  readonly files: readonly JobFile[]
  readonly options: RenderOptions
  /** What the application keeps of earlier renders. */
  readonly kept: Kept
}

export type JobFile = readonly [path: string, content: Uint8Array | Blob]

/** Content by its id; read where the child that renders does not hold it. */
export interface Blob {
  readonly oid: string
  /** Rejects where it cannot be read: then so does the render. */
  readonly read: () => Promise<Uint8Array>
}

/** What is sent to a child. */
export interface ChildJob {
  readonly files: readonly SentFile[]
  readonly blobs: readonly (readonly [oid: string, bytes: Uint8Array])[]
  readonly options: RenderOptions
  readonly kept: Kept
}

export interface ChildAnswer {
  readonly result: Rendered & { readonly touched: Touched }
  /** What templates asked of the files beside the chart's own. */
  readonly asked: readonly FileQuestion[]
  /** Blobs that it holds no longer. */
  readonly lost: readonly string[]
}

/** What became of a job. `killed`: nothing was found out about the files themselves; with more time or memory it might render. */
export type JobResult = Worked | Killed
export type Worked = Rendered & { readonly touched: Touched; readonly asked: readonly FileQuestion[] }
export interface Killed {
  readonly killed: string
}

type Settled = Worked | ChartAnswer | Killed

interface Waiting {
  readonly job: RenderJob | ChartQuestion
  readonly settle: (result: Settled) => void
  readonly fail: (cause: unknown) => void
  readonly signal: AbortSignal
}

export class RenderPool {
  readonly #options: PoolOptions
  readonly #queue: Waiting[] = []
  readonly #idle: Child[] = []
  readonly #busy = new Set<Child>()
  #closed = false
  #resting: NodeJS.Timeout | null = null
  /** Node's permission model is on in the children. Turned off where they cannot start with it (a preload that needs more). */
  #confined = true

  constructor(options: Partial<PoolOptions> = {}) {
    this.#options = { ...poolDefaults, ...options }
  }

  /** Starts the children before they are needed; those that nobody needs end by themselves. */
  warm(): void {
    while (this.#idle.length + this.#busy.size < this.#options.children) this.#idle.push(this.#start())
    this.#restLater()
  }

  #restLater(): void {
    if (this.#resting !== null) clearTimeout(this.#resting)
    this.#resting = setTimeout(() => {
      for (const child of this.#idle.splice(0)) child.kill('nothing to render')
    }, this.#options.idleMs).unref()
  }

  /** Process ids of the children, for measuring. */
  get pids(): readonly number[] {
    return [...this.#idle, ...this.#busy].flatMap(child => child.pid ?? [])
  }

  /** May the children read nothing but the program? Known once the first has started. */
  get confined(): boolean {
    return this.#confined
  }

  /** Rejects only when aborted or closed, or where a blob cannot be read. An abort ends the child that works on the job. */
  run(job: RenderJob, signal: AbortSignal): Promise<JobResult> {
    return this.#enqueue(job, signal) as Promise<JobResult>
  }

  /** About files from elsewhere, which may be as hostile as a template. */
  ask(question: ChartQuestion, signal: AbortSignal): Promise<ChartAnswer | Killed> {
    return this.#enqueue(question, signal) as Promise<ChartAnswer | Killed>
  }

  #enqueue(job: Waiting['job'], signal: AbortSignal): Promise<Settled> {
    return new Promise((settle, fail) => {
      if (signal.aborted || this.#closed) {
        fail(signal.aborted ? signal.reason : new Error('the render pool is closed'))
        return
      }
      this.#queue.push({ job, settle, fail, signal })
      this.#next()
    })
  }

  close(): void {
    this.#closed = true
    for (const waiting of this.#queue.splice(0)) waiting.fail(new Error('the render pool is closed'))
    for (const child of [...this.#idle.splice(0), ...this.#busy]) child.kill('the render pool is closed')
  }

  #start(): Child {
    return new Child(this.#options, this.#confined, child => {
      if (!child.ready && child.isConfined) this.#confined = false
      const at = this.#idle.indexOf(child)
      if (at >= 0) this.#idle.splice(at, 1)
    })
  }

  #next(): void {
    if (this.#queue.length === 0 || this.#busy.size >= this.#options.children) return
    const waiting = this.#queue.shift()
    if (waiting === undefined) return
    const child = this.#idle.pop() ?? this.#start()
    this.#busy.add(child)
    void this.#work(child, waiting)
  }

  async #work(child: Child, { job, signal, settle, fail }: Waiting): Promise<void> {
    const stop = (): void => child.kill('aborted')
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    const result = await child.run(job).catch((cause: unknown) => ({ cause }))
    signal.removeEventListener('abort', stop)
    const unstarted = 'killed' in result && !child.ready && child.isConfined && !signal.aborted && !this.#closed
    if (unstarted) this.#queue.unshift({ job, signal, settle, fail })
    this.#busy.delete(child)
    if (child.alive) this.#idle.push(child)
    else if (!this.#closed) this.warm()
    this.#restLater()
    if (signal.aborted && 'killed' in result) fail(signal.reason)
    else if (this.#closed && 'killed' in result) fail(new Error('the render pool is closed'))
    else if ('cause' in result) fail(result.cause)
    else if (!unstarted) settle(result)
    this.#next()
  }
}

/** How long a child may take to begin, ms; it takes 100, more on a machine that is overloaded. */
const startMs = 30_000

class Child {
  readonly #process: ChildProcess
  readonly #options: PoolOptions
  readonly isConfined: boolean
  /** It has begun to listen. */
  ready = false
  #ended = ''
  /** Starts the clock of a job that came before the child was ready. */
  #onReady = (): void => {}
  #answer: Waiting['settle'] | null = null
  /** Ids of the blobs that it holds. */
  readonly #holds = new Set<string>()

  constructor(options: PoolOptions, isConfined: boolean, onExit: (child: Child) => void) {
    this.#options = options
    this.isConfined = isConfined
    this.#process = fork(options.program, [], {
      execArgv: childFlags(options, isConfined),
      env: { UV_THREADPOOL_SIZE: '1', MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '32768' },
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    this.#process.on('message', message => {
      if (message === 'ready') this.#started()
      else this.#answered(JSON.parse(String(message)) as ChildAnswer | ChartAnswer)
    })
    this.#process.on('error', error => {
      onExit(this)
      this.#end(`could not be started: ${error.message}`)
    })
    this.#process.on('exit', (code, by) => {
      this.#end(
        by === 'SIGABRT' || code === 134
          ? `took more than ${options.heapMB} MB of memory`
          : `ended by itself (${by ?? `exit code ${code}`})`,
      )
      onExit(this)
    })
    this.#hold(false)
  }

  get pid(): number | undefined {
    return this.alive ? this.#process.pid : undefined
  }

  get alive(): boolean {
    return this.#ended === ''
  }

  /** One job at a time. Rejects where a blob cannot be read. */
  async run(job: Waiting['job']): Promise<Settled> {
    if ('question' in job) return this.#ask(job)
    const missing = new Map<string, Blob>()
    for (const [, content] of job.files) if ('oid' in content && !this.#holds.has(content.oid)) missing.set(content.oid, content)
    const blobs = await Promise.all([...missing].map(async ([oid, { read }]) => [oid, await read()] as const))
    for (const [oid] of blobs) this.#holds.add(oid)
    const files = job.files.map(([path, content]) => ({ path, content: 'oid' in content ? content.oid : content }))
    return this.#ask({ files, blobs, options: job.options, kept: job.kept })
  }

  #answered(answer: ChildAnswer | ChartAnswer): void {
    if ('result' in answer) {
      for (const oid of answer.lost) this.#holds.delete(oid)
      this.#settle({ ...answer.result, asked: answer.asked })
    } else this.#settle(answer)
  }

  #ask(job: ChildJob | ChartQuestion): Promise<Settled> {
    return new Promise(resolve => {
      if (!this.alive) {
        resolve({ killed: this.#ended })
        return
      }
      const { timeoutMs, residentMB } = this.#options
      this.#hold(true)
      let clock = setTimeout(() => this.kill('had no process to run in for 30 s'), startMs)
      this.#onReady = () => {
        clearTimeout(clock)
        clock = setTimeout(() => this.kill(`took longer than ${timeoutMs / 1000} s`), timeoutMs)
      }
      if (this.ready) this.#onReady()
      const scale = setInterval(() => {
        if (residentMBOf(this.#process.pid) > residentMB) this.kill(`took more than ${residentMB} MB of memory`)
      }, 50)
      this.#answer = result => {
        clearTimeout(clock)
        clearInterval(scale)
        this.#hold(false)
        resolve(result)
      }
      this.#process.send(job, error => {
        if (error !== null) this.kill(`could not be asked: ${error.message}`)
      })
    })
  }

  #started(): void {
    this.ready = true
    this.#onReady()
  }

  kill(why: string): void {
    this.#end(why)
    this.#process.kill('SIGKILL')
  }

  #end(why: string): void {
    if (this.#ended === '') this.#ended = why
    this.#settle({ killed: this.#ended })
  }

  #settle(result: Settled): void {
    const answer = this.#answer
    this.#answer = null
    answer?.(result)
  }

  /** An idle child keeps no process from ending. */
  #hold(hold: boolean): void {
    if (hold) this.#process.ref()
    else this.#process.unref()
    if (hold) this.#process.channel?.ref()
    else this.#process.channel?.unref()
  }
}

/** Small, and without reach: the child may read the program's own files and nothing else. */
export function childFlags(options: PoolOptions, isConfined: boolean): string[] {
  const permission = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission'
  const program = fileURLToPath(new URL('../../../', import.meta.url))
  return [
    `--max-old-space-size=${options.heapMB}`,
    // New objects die soon: with room for them they are collected less often.
    '--max-semi-space-size=16',
    // What is longer at work than a small chart changes it (worker.ts).
    ...optimizedLater(100),
    // 1,500 templates inside one another take 2 MB; systems give the process 8.
    '--stack-size=3000',
    // What came compiled (start.cjs) is not thrown away because it was not called for a while.
    '--no-flush-bytecode',
    '--disallow-code-generation-from-strings',
    '--disable-proto=delete',
    '--no-warnings',
    ...(isConfined ? [permission, `--allow-fs-read=${program}`] : []),
  ]
}

/** 0 where the system does not tell. */
function residentMBOf(pid: number | undefined): number {
  try {
    return (Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096) / 1e6 || 0
  } catch {
    return 0
  }
}
