// A wire in front of the real engine that a test can make slow or faulty for single requests. It knows HTTP only as far as that.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface EngineProxy {
  /** As in DOCKER_HOST. */
  readonly host: string
  close(): Promise<void>
}

/** null: passed on. An answer: given instead of the engine's. A promise: what it comes to, and the request waits meanwhile. */
export type Fault = (method: string, path: string) => Promise<Answer | null> | Answer | null

export interface Answer {
  readonly status: number
  readonly message: string
}

/** `engine`: as in DOCKER_HOST, unix or tcp. */
export async function engineProxy(engine: string, fault: Fault): Promise<EngineProxy> {
  const path = join(tmpdir(), `slipway-proxy-${randomBytes(4).toString('hex')}.sock`)
  const url = new URL(engine)
  const target = url.protocol === 'unix:' ? { socketPath: url.pathname } : { host: url.hostname, port: Number(url.port) }
  const passOn = (asked: IncomingMessage, answer: ServerResponse): void => {
    const { method, url: path, headers } = asked
    const sent = request({ ...target, method, path, headers }, given => {
      answer.writeHead(given.statusCode ?? 500, given.headers)
      answer.flushHeaders()
      given.pipe(answer)
    })
    sent.on('error', () => answer.destroy())
    answer.on('close', () => sent.destroy())
    asked.pipe(sent)
  }
  const server = createServer(async (asked, answer) => {
    const instead = await fault(asked.method ?? '', asked.url ?? '')
    if (instead === null) return passOn(asked, answer)
    answer.writeHead(instead.status, { 'content-type': 'application/json' }).end(JSON.stringify({ message: instead.message }))
  })
  // Exec streams.
  server.on('upgrade', (asked, socket, head) => {
    const wire = connect('socketPath' in target ? { path: target.socketPath } : target)
    const lines = Object.entries(asked.headers).map(([name, value]) => `${name}: ${value}\r\n`)
    wire.write(`${asked.method} ${asked.url} HTTP/1.1\r\n${lines.join('')}\r\n`)
    wire.write(head)
    wire.pipe(socket).pipe(wire)
  })
  server.listen(path)
  await once(server, 'listening')
  return {
    host: `unix://${path}`,
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      rmSync(path, { force: true })
    },
  }
}
