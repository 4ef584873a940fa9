// Whether a cluster answers: asked now and then, and told by its watches.
import type { Silence } from '../cluster.js'
import type { Cache } from './cache.js'
import type { ApiClient } from './client.js'
import { OtherClusterError } from './identity.js'

interface PulseOptions {
  readonly client: ApiClient
  readonly name: string
  /** A question that it can answer: throws where it does not, or not as the cluster that it should be. */
  hello(): Promise<void>
  /** After each question. */
  beaten(): void
  now(): number
  readonly pingMs?: number
}

/** A watch that begins anew now and then is no silence; what was never listed is. */
const watchTroubleMs = 8_000

export function silenceOf(name: string, trouble: ReturnType<Cache['trouble']>, isWhole: boolean, now: number): Silence | null {
  if (trouble === null || (isWhole && now - trouble.since < watchTroubleMs)) return null
  return { since: trouble.since, message: `cluster ${name}: ${trouble.message}`, hears: true }
}

/** Asks now and then whether it is there: a cluster where nothing changes says nothing else for a minute. */
export function startPulse(
  { client, name, hello, beaten, now, pingMs = 5_000 }: PulseOptions,
  isWanted: () => boolean,
  turned: () => void,
  signal: AbortSignal,
) {
  let [heardAt, silent] = [0, null as Silence | null]
  const beat = async () => {
    if (!isWanted()) return
    const before = silent
    try {
      await hello()
      ;[heardAt, silent] = [now(), null]
    } catch (error) {
      silent = { since: silent?.since ?? now(), message: silentText(name, error as Error), hears: false }
    }
    if ((before === null) !== (silent === null)) turned()
    beaten()
  }
  const timer = setInterval(() => void beat(), pingMs)
  timer.unref()
  signal.addEventListener('abort', () => clearInterval(timer))
  return { heardAt: () => Math.max(heardAt, client.heardAt()), silence: () => silent }
}

export function silentText(name: string, error: Error): string {
  return error instanceof OtherClusterError ? error.message : `cluster ${name}: ${error.message}`
}
