// Steady load through one address: half keep-alive, half a new connection for every request. Counts, and keeps what failed.
import { randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

export interface Load {
  readonly sent: () => number
  readonly failures: () => readonly string[]
  /** How many answers began with this text since the start. */
  readonly seen: () => ReadonlyMap<string, number>
  /** Ids of requests that were answered 200, in order. */
  readonly answered: () => readonly string[]
  readonly stop: () => Promise<void>
}

/** `rate` requests a second over all clients. A failure is anything but a whole 200 within 10 s. */
export function startLoad(url: string, options: { readonly clients: number; readonly rate: number }): Load {
  let sent = 0
  let running = true
  const failures: string[] = []
  const seen = new Map<string, number>()
  const answered: string[] = []

  async function client(keepAlive: boolean): Promise<void> {
    const agent = new Agent({ keepAlive, maxSockets: 1 })
    const pause = (1000 * options.clients) / options.rate
    while (running) {
      sent += 1
      const began = Date.now()
      const id = randomUUID()
      try {
        const text = await get(url, agent, id)
        answered.push(id)
        seen.set(text, (seen.get(text) ?? 0) + 1)
      } catch (error) {
        failures.push(`${new Date().toISOString()} ${keepAlive ? 'keep-alive' : 'new connection'}: ${(error as Error).message}`)
      }
      await delay(Math.max(0, pause - (Date.now() - began)))
    }
    agent.destroy()
  }

  const clients = Array.from({ length: options.clients }, (_, i) => client(i % 2 === 0))
  return {
    sent: () => sent,
    failures: () => failures,
    seen: () => seen,
    answered: () => answered,
    async stop() {
      running = false
      await Promise.all(clients)
    },
  }
}

/** The first line of the body; throws for anything but 200. */
export function get(url: string, agent?: Agent, id: string = randomUUID()): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(
      url,
      { timeout: 10_000, headers: { 'x-request-id': id }, ...(agent === undefined ? {} : { agent }) },
      answer => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', reject)
        answer.on('end', () => {
          const body = Buffer.concat(chunks).toString()
          if (answer.statusCode === 200) resolve(body.split('\n')[0] ?? '')
          else reject(new Error(`${answer.statusCode} ${body.slice(0, 80)}`))
        })
      },
    )
    asked.on('timeout', () => asked.destroy(new Error('no answer within 10 s')))
    asked.on('error', reject)
    asked.end()
  })
}
