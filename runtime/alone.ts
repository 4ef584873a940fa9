// One process at a time for one thing of this machine: a lock that the kernel takes back when its holder ends, however that ends.
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { contentHash } from './contract/hash.js'

const retryMs = 200

/** Waits for whoever holds it, saying so once. Returns how to give it back. An abstract socket: there is no file to be left behind. */
export async function alone(what: string, waiting: () => void, signal?: AbortSignal): Promise<() => void> {
  for (let said = false; ; said = true) {
    const server = createServer(socket => socket.destroy()).unref()
    try {
      server.listen({ path: `\0slipway-${contentHash(what)}` })
      await once(server, 'listening')
      return () => void server.close()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
      if (!said) waiting()
      await delay(retryMs, undefined, signal === undefined ? {} : { signal })
    }
  }
}
