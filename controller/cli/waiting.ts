// Waits for an application's end, showing its progress: 0 healthy, 1 not, 3 out of time.
import type { Command } from 'commander'
import type { ApplicationView } from '../view.js'
import type { Cli } from './cli.js'
import { Failure } from './failure.js'
import { viewsOf } from './following.js'
import { endOf, type Goal } from './goal.js'
import { displayFor } from './progress.js'
import { duration } from './words.js'

export interface WaitOptions {
  readonly wait?: boolean
  readonly timeout: string
}

export function waitOptions(command: Command): Command {
  return command
    .option('-w, --wait', 'until it is healthy, or will not be')
    .option('--timeout <time>', 'how long to wait: 90s, 10m, 1h', '10m')
}

/** `90s`, `10m`, `1h`, `250ms`; a bare number is seconds. */
export function durationOf(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? []
  if (number === undefined) throw new Failure(2, `${text} is no time; write 90s, 10m or 1h.`)
  return Number(number) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit ?? 's']!
}

export async function waitFor(cli: Cli, name: string, goal: Goal, timeoutMs: number): Promise<void> {
  const display = displayFor(cli)
  const over = new AbortController()
  const deadline = setTimeout(() => over.abort(new Error('timeout')), timeoutMs)
  const signal = AbortSignal.any([over.signal, cli.around.signal])
  const wait = new Wait(cli, goal, display, () => over.abort(new Error('ended')))
  const ticks = setInterval(() => wait.tick(), cli.live ? 100 : 1000)
  try {
    for await (const view of viewsOf(cli.api, name, signal)) if (wait.see(view)) return
  } finally {
    clearInterval(ticks)
    clearTimeout(deadline)
    over.abort(new Error('ended'))
  }
  if (wait.ended || cli.around.signal.aborted) return
  const last = wait.view === null ? '' : ` ${wait.view.message}`
  throw new Failure(3, `${name} did not come to an end within ${duration(timeoutMs)}.${last}`, `slipway why ${name}`)
}

class Wait {
  readonly #cli: Cli
  readonly #goal: Goal
  readonly #display: ReturnType<typeof displayFor>
  readonly #stop: () => void
  #changedAt = performance.now()
  view: ApplicationView | null = null
  ended = false

  constructor(cli: Cli, goal: Goal, display: ReturnType<typeof displayFor>, stop: () => void) {
    this.#cli = cli
    this.#goal = goal
    this.#display = display
    this.#stop = stop
  }

  /** True when that was the end. */
  see(view: ApplicationView): boolean {
    this.view = view
    this.#changedAt = performance.now()
    this.#display.update(view)
    return this.#look()
  }

  tick(): void {
    if (this.view === null || this.ended) return
    this.#display.tick()
    this.#look()
  }

  #look(): boolean {
    if (this.view === null) return false
    const end = endOf(this.view, this.#goal, performance.now() - this.#changedAt)
    if (end === null) return false
    this.ended = true
    this.#display.end(end.ok, this.view, end.message)
    this.#cli.around.exit(end.ok ? 0 : 1)
    this.#stop()
    return true
  }
}
