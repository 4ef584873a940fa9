// What lies between a controller and an API server, played at the wire: watches that are cut or go silent, answers that are not the
// server's, another server behind the same address. Everything else passes as it is.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Agent, request as ask } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface Said {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export interface Wire {
  /** `http://127.0.0.1:41234` */
  readonly url: string
  /** Ends every watch that is open. */
  cut(): void
  /** The watches that are open say nothing more, and stay open; those that come after them do. */
  silence(): number
  /** Paths of the watches that are open. */
  watching(): readonly string[]
  /** Instead of the server, until it is null again. */
  answering(answer: ((method: string, path: string) => Said | null) | null): void
  /** From the next connection on, another server is behind the address. */
  lead(to: Upstream): void
  /** `GET /api/v1/pods?watch=1`, of every request since the start. */
  readonly asked: readonly string[]
  stop(): Promise<void>
}

export interface Upstream {
  readonly url: string
  /** PEM. */
  readonly ca: string
  /** Sent instead of the client's own where it is given. */
  readonly token?: string
}

interface Watch {
  readonly path: string
  readonly response: ServerResponse
  isSilent: boolean
}

export async function startWire(t: { teardown(end: () => unknown): void }, first: Upstream): Promise<Wire> {
  let upstream = first
  let agent = new Agent({ ca: first.ca, keepAlive: true })
  let answer: ((method: string, path: string) => Said | null) | null = null
  const asked: string[] = []
  const watches = new Set<Watch>()

  const pass = (incoming: IncomingMessage, response: ServerResponse) => {
    const url = new URL(incoming.url ?? '/', upstream.url)
    const headers = { ...incoming.headers, host: url.host }
    if (upstream.token !== undefined) headers.authorization = `Bearer ${upstream.token}`
    const outgoing = ask(url, { agent, method: incoming.method, headers }, answered => {
      response.writeHead(answered.statusCode ?? 502, answered.headers)
      // As an API server does: a watch is answered although nothing may come of it for a minute.
      response.flushHeaders()
      const watch = { path: url.pathname, response, isSilent: false }
      if (url.searchParams.has('watch')) watches.add(watch)
      answered.on('data', chunk => watch.isSilent || response.write(chunk))
      answered.on('end', () => watch.isSilent || response.end())
      answered.on('error', () => response.destroy())
    })
    outgoing.on('error', () => response.destroy())
    response.on('close', () => {
      for (const watch of watches) if (watch.response === response) watches.delete(watch)
      outgoing.destroy()
    })
    incoming.pipe(outgoing)
  }

  const server = createServer((incoming, response) => {
    const [method, path] = [incoming.method ?? 'GET', incoming.url ?? '/']
    asked.push(`${method} ${path}`)
    const said = answer?.(method, path) ?? null
    if (said === null) return pass(incoming, response)
    incoming.resume()
    response.writeHead(said.status, { 'content-type': 'application/json', ...said.headers }).end(JSON.stringify(said.body ?? {}))
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const stop = async () => {
    server.closeAllConnections()
    agent.destroy()
    if (server.listening) await new Promise(resolve => server.close(resolve))
  }
  t.teardown(stop)
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => {
      for (const { response } of watches) response.destroy()
    },
    silence: () => {
      for (const watch of watches) watch.isSilent = true
      return watches.size
    },
    watching: () => [...watches].map(({ path }) => path),
    answering: then => {
      answer = then
    },
    lead: to => {
      upstream = to
      agent.destroy()
      agent = new Agent({ ca: to.ca, keepAlive: true })
      server.closeAllConnections()
    },
    asked,
    stop,
  }
}
