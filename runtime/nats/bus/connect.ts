// One connection to NATS for the life of a process: it never gives up, and says how it stands. Starts without a server.

import type { NatsConnection } from 'nats'
import { connect, Events, nkeyAuthenticator } from 'nats'

export interface BusOptions {
  readonly servers: readonly string[]
  /** Shown in the server's list of connections. */
  readonly name: string
  /** The seed of our nkey (`SU...`); there is no connection without one. */
  readonly seed: string
  /** `inboxPrefix(...)`: the only inbox that our rights allow. */
  readonly inbox: string
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string }
}

export interface BusStatus {
  readonly connected: boolean
  /** ms since 1970. */
  readonly since: number
  /** Why not, and whose server; '' when all is well. */
  readonly message: string
  /** `2.15.2`; '' before the first connection. */
  readonly server: string
}

/** Nothing was written, nothing is known to have failed but the way there. Trying again may help. */
export class BusDownError extends Error {
  override name = 'BusDownError'
}

export interface Bus {
  /** The connection; throws BusDownError while there is none, so that a write fails at once instead of waiting in a buffer. */
  connection(): NatsConnection
  status(): BusStatus
  /** Called on each change of `status().connected`. Returns how to stop it. */
  onStatus(listener: (status: BusStatus) => void): () => void
  close(): Promise<void>
}

const pingEveryMs = 20_000
const firstRetryMs = 250
const lastRetryMs = 5_000

/** Returns at once and goes on trying until `close`. */
export function openBus(options: BusOptions, now: () => number = Date.now): Bus {
  if (options.seed === '') throw new Error(`${options.name}: no NATS credentials; join the node first (slipway runtime join)`)
  const listeners = new Set<(status: BusStatus) => void>()
  const closing = new AbortController()
  let connection: NatsConnection | null = null
  let status: BusStatus = { connected: false, since: now(), message: `connecting to ${options.servers.join(', ')}`, server: '' }

  const become = (connected: boolean, message: string, server: string) => {
    const changed = connected !== status.connected
    status = { connected, since: changed ? now() : status.since, message, server }
    if (changed) for (const listener of listeners) listener(status)
  }
  const follow = async (opened: NatsConnection) => {
    for await (const event of opened.status()) {
      if (event.type === Events.Disconnect) become(false, `no connection to NATS at ${options.servers.join(', ')}`, status.server)
      if (event.type === Events.Reconnect) become(true, '', opened.info?.version ?? '')
    }
  }
  const run = async () => {
    for (let failures = 0; !closing.signal.aborted; ) {
      try {
        connection = await connect(connectionOptions(options))
        if (closing.signal.aborted) return await connection.close()
        failures = 0
        become(true, '', connection.info?.version ?? '')
        await Promise.race([follow(connection), connection.closed()])
        become(false, `connection to NATS at ${options.servers.join(', ')} was closed`, status.server)
      } catch (error) {
        become(false, `NATS at ${options.servers.join(', ')}: ${(error as Error).message}`, status.server)
        await pause(Math.min(lastRetryMs, firstRetryMs * 2 ** failures++) * (0.5 + Math.random()), closing.signal)
      }
    }
  }
  const running = run()

  return {
    connection: () => {
      if (connection !== null && status.connected) return connection
      throw new BusDownError(status.message)
    },
    status: () => status,
    onStatus: listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: async () => {
      closing.abort()
      await connection?.close()
      await running
    },
  }
}

function connectionOptions(options: BusOptions) {
  return {
    servers: [...options.servers],
    name: options.name,
    inboxPrefix: options.inbox,
    authenticator: nkeyAuthenticator(Buffer.from(options.seed)),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 1_000,
    reconnectJitterTLS: 1_000,
    ignoreAuthErrorAbort: true,
    pingInterval: pingEveryMs,
    timeout: 5_000,
    ...(options.tls === undefined ? {} : { tls: { ...options.tls } }),
  }
}

/** Waits; returns early when `signal` aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve()
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
  })
}
