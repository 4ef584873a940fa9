// An application's changes as they come: reconnects by itself, resumes where it was, lists again where it must.
import { setTimeout as delay } from 'node:timers/promises'
import type { ApplicationView } from '../view.js'
import { applicationPath, queryOf } from './cli.js'
import type { Client, ServerEvent } from './client.js'
import { Failure } from './failure.js'

/** The event stream, over broken connections; ends with the signal. The first connection must succeed. */
export async function* streamed(api: Client, application: string, signal: AbortSignal): AsyncGenerator<ServerEvent> {
  let lastId = ''
  for (let connected = false; !signal.aborted; ) {
    try {
      for await (const event of api.events(`/api/v1/stream${queryOf({ application })}`, lastId, signal)) {
        connected = true
        lastId = event.id
        yield event
      }
    } catch (error) {
      if (signal.aborted) return
      const hopeless = error instanceof Failure && error.code !== 2
      if (!connected || hopeless) throw error
    }
    await delay(1000, undefined, { signal }).catch(() => {})
  }
}

/** The application as it is, then each time it changes. Throws when it is not there, or no more. */
export async function* viewsOf(api: Client, name: string, signal: AbortSignal): AsyncGenerator<ApplicationView> {
  for await (const event of streamed(api, name, signal)) {
    if (event.event === 'hello' || event.event === 'resync') yield await api.get<ApplicationView>(applicationPath(name))
    if (event.event === 'application') yield api.parseEvent<ApplicationView>(event)
    if (event.event === 'removed') throw new Failure(1, `${name} was deleted.`)
  }
}
