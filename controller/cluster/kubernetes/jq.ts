// jq's path expressions, asked of a thread that is there while it is used: what takes too long is ended, and told.
import { Worker } from 'node:worker_threads'
import { LRUCache } from 'lru-cache'
import type { Sent } from './client.js'
import type { Path } from './managed.js'

export interface Jq {
  /** Paths that the expression names in the object; none where it names nothing. Throws what is wrong with it. */
  paths(expression: string, object: Sent): Promise<readonly Path[]>
  /** Why it can never be heeded; '' where it can. */
  fault(expression: string): Promise<string>
  close(): Promise<void>
}

export interface JqOptions {
  /** One expression may take so long, ms (Argo CD's limit is 1 s). */
  readonly limitMs?: number
  readonly idleMs?: number
}

interface Waiting {
  readonly expression: string
  given(paths: readonly Path[]): void
  failed(error: Error): void
}

type Answer = { readonly ready: true } | { readonly id: number; readonly paths?: readonly Path[]; readonly error?: string }

export function createJq({ limitMs = 1_000, idleMs = 60_000 }: JqOptions = {}): Jq {
  let worker: Worker | null = null
  let idle: NodeJS.Timeout | null = null
  let count = 0
  /** One at a time: the clock of the next begins when it does. */
  let last: Promise<unknown> = Promise.resolve()
  let isReady: Promise<void> = Promise.resolve()
  const waiting = new Map<number, Waiting>()
  const faults = new LRUCache<string, string>({ max: 1_000 })

  function start(): Worker {
    const one = new Worker(new URL('./jq-worker.js', import.meta.url), {
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: 128 },
    })
    isReady = new Promise((resolve, reject) => {
      one.on('message', (answer: Answer) => {
        if ('ready' in answer) resolve()
        else take(answer)
      })
      one.on('error', error => {
        reject(error)
        end(one, error as Error)
      })
    })
    isReady.catch(() => {})
    one.unref()
    return one
  }

  function take({ id, paths, error }: Extract<Answer, { id: number }>): void {
    const asked = waiting.get(id)
    waiting.delete(id)
    if (asked === undefined) return
    if (error === undefined) asked.given((paths ?? []).filter(path => path.length > 0))
    else asked.failed(new Error(`jq expression ${JSON.stringify(asked.expression)}: ${error.split('\n')[0]}`))
  }

  function end(one: Worker, error: Error): void {
    if (worker === one) worker = null
    for (const [id, asked] of waiting) {
      waiting.delete(id)
      asked.failed(error)
    }
    void one.terminate()
  }

  async function ask(expression: string, object: Sent | null): Promise<readonly Path[]> {
    if (idle !== null) clearTimeout(idle)
    worker ??= start()
    const one = worker
    one.ref()
    await isReady
    const id = ++count
    const limit = setTimeout(
      () => end(one, new Error(`jq expression ${JSON.stringify(expression)} took longer than ${limitMs} ms`)),
      limitMs,
    )
    try {
      return await new Promise<readonly Path[]>((given, failed) => {
        waiting.set(id, { expression, given, failed })
        one.postMessage({ id, expression, object })
      })
    } finally {
      clearTimeout(limit)
      one.unref()
      idle = setTimeout(() => {
        if (worker === one) worker = null
        void one.terminate()
      }, idleMs).unref()
    }
  }

  function asked(expression: string, object: Sent | null): Promise<readonly Path[]> {
    const next = last.then(
      () => ask(expression, object),
      () => ask(expression, object),
    )
    last = next.catch(() => {})
    return next
  }

  return {
    paths: asked,
    async fault(expression) {
      const known = faults.get(expression)
      if (known !== undefined) return known
      const fault = await asked(expression, null).then(
        () => '',
        (error: Error) => error.message,
      )
      faults.set(expression, fault)
      return fault
    },
    async close() {
      if (idle !== null) clearTimeout(idle)
      await worker?.terminate()
      worker = null
    },
  }
}
