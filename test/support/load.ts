// Steady load on one address: keep-alive clients and clients with a connection for each request, every request with an id of its own.
import { Agent, request } from 'node:http'

export interface Load {
  /** Ids that were answered with 200. */
  readonly ok: readonly string[]
  readonly failed: readonly string[]
  stop(): Promise<void>
}

export function startLoad(host: string, port: number, clients = 8): Load {
  const ok: string[] = []
  const failed: string[] = []
  let running = true
  const one = async (client: number) => {
    const agent = client % 2 === 0 ? new Agent({ keepAlive: true, maxSockets: 1 }) : undefined
    for (let count = 0; running; count++) {
      const id = `${client}.${count}`
      const answer = await send(host, port, id, agent).catch(error => String(error.code))
      if (answer === 200) ok.push(id)
      else failed.push(`${id}: ${answer}`)
      await new Promise(resolve => setTimeout(resolve, 2))
    }
    agent?.destroy()
  }
  const all = Array.from({ length: clients }, (_, client) => one(client))
  return {
    ok,
    failed,
    async stop() {
      running = false
      await Promise.all(all)
    },
  }
}

function send(host: string, port: number, id: string, agent: Agent | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, method: 'POST', agent: agent ?? false, headers: { 'x-request-id': id } }, response => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    sent.on('error', reject)
    sent.end('x')
  })
}
