// The engine's events of our containers as one endless stream that survives the engine's restarts. Events only wake: what
// they miss (an engine that restarts forgets some) the callers' own relist finds.
import { setTimeout as delay } from 'node:timers/promises'
import type { Docker } from './client.js'
import type { EngineEvent } from './shapes.js'

/**
 * Podman takes its own words in filters, and says `remove` where Docker says `destroy`. When it says `die`, a look may still find
 * the container running: what it says after it has cleaned up wakes once more.
 */
const watched = ['start', 'die', 'died', 'cleanup', 'oom', 'destroy', 'remove']

export interface EventListener {
  /** Connected, for the first time or again: time to list everything. */
  readonly onConnect: () => void
  readonly onEvent: (event: EngineEvent) => void
  /** The connection was lost or refused; it is tried again after `retryMs`. */
  readonly onLost: (error: unknown, retryMs: number) => void
}

/** Ends when the signal aborts, and only then. `labels`: all of them must be on the container. */
export async function followEvents(
  docker: Docker,
  labels: readonly string[],
  listener: EventListener,
  signal: AbortSignal,
): Promise<void> {
  const filters = JSON.stringify({ type: ['container'], event: watched, label: labels })
  let since = 0
  let retryMs = 100
  while (!signal.aborted) {
    try {
      const response = await docker.openEvents(since === 0 ? { filters } : { filters, since }, signal)
      retryMs = 100
      listener.onConnect()
      for await (const event of readEvents(response)) {
        since = event.time
        listener.onEvent(event)
      }
    } catch (error) {
      if (signal.aborted) return
      listener.onLost(error, retryMs)
    }
    await delay(retryMs, undefined, { signal }).catch(() => undefined)
    retryMs = Math.min(retryMs * 2, 5_000)
  }
}

async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<EngineEvent> {
  let rest = ''
  for await (const piece of body) {
    const lines = (rest + Buffer.from(piece).toString('utf8')).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') yield inDockersWords(JSON.parse(line) as EngineEvent)
  }
}

function inDockersWords(event: EngineEvent): EngineEvent {
  const words: Readonly<Record<string, string>> = { died: 'die', remove: 'destroy' }
  return { ...event, Action: words[event.Action] ?? event.Action }
}
