// Requests through a Service: steady load with an id each, and the look for the first answer of a version.
import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { connectDocker } from '../../../runtime/docker/client.js'
import { followEvents } from '../../../runtime/docker/events.js'

export interface Load {
  /** Ids of requests that were answered with 200. */
  readonly answered: ReadonlySet<string>
  readonly failures: readonly string[]
  readonly stop: () => Promise<void>
}

/**
 * `rate` requests a second over all clients: half of the clients keep their connection, half take a new one each time; every
 * other request is a POST. A failure is anything but a whole 200 within 10 s.
 */
export function startLoad(url: string, options: { readonly clients: number; readonly rate: number }): Load {
  const answered = new Set<string>()
  const failures: string[] = []
  let running = true
  const client = async (number: number) => {
    const keepAlive = number % 2 === 0
    const agent = new Agent({ keepAlive, maxSockets: 1 })
    const everyMs = (1000 * options.clients) / options.rate
    for (let count = 0; running; count++) {
      const id = `${number}-${count}`
      const began = performance.now()
      try {
        await ask(`${url}?${id}`, count % 2 === 0 ? 'GET' : 'POST', agent)
        answered.add(id)
      } catch (error) {
        failures.push(`${new Date().toISOString()} ${keepAlive ? 'kept' : 'new'} connection: ${(error as Error).message}`)
      }
      await delay(Math.max(0, everyMs - (performance.now() - began)))
    }
    agent.destroy()
  }
  const clients = Array.from({ length: options.clients }, (_, number) => client(number))
  return {
    answered,
    failures,
    async stop() {
      running = false
      await Promise.all(clients)
    },
  }
}

/** ms since 1970 of the first 200 whose first line is `version`: asked every 10 ms, a new connection each time: oftener would take the processor from what is measured. */
export async function firstAnswer(url: string, version: string, withinMs: number, signal: AbortSignal): Promise<number> {
  const deadline = Date.now() + withinMs
  while (Date.now() < deadline) {
    signal.throwIfAborted()
    const said = await ask(url, 'GET', undefined).catch(() => '')
    if (said === version) return Date.now()
    await delay(10)
  }
  throw new Error(`${url} did not answer with version ${version} within ${withinMs / 1000} s`)
}

function ask(url: string, method: string, agent: Agent | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, timeout: 10_000, agent: agent ?? false }, answer => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        if (answer.statusCode === 200) resolve(text.split('\n')[0] ?? '')
        else reject(new Error(`${answer.statusCode} ${text.slice(0, 80)}`))
      })
    })
    sent.on('timeout', () => sent.destroy(new Error('no answer within 10 s')))
    sent.on('error', reject)
    sent.end(method === 'POST' ? 'x' : undefined)
  })
}

export interface Served {
  /** How often each request's id was written down by a server. */
  readonly times: ReadonlyMap<string, number>
  readonly stop: () => Promise<void>
}

/** Reads what the servers of an application write down, from the start of each container to its end. */
export function followServed(engine: string, application: string): Served {
  const docker = connectDocker(engine)
  const ending = new AbortController()
  const times = new Map<string, number>()
  const known = new Map<string, Promise<void>>()
  const labels = [`slipway.application=${application}`]
  const read = async (id: string) => {
    for await (const { text } of docker.containers.logs(id, { follow: true }, ending.signal)) {
      const [, request = ''] = /^served (\S+)$/.exec(text) ?? []
      if (request !== '') times.set(request, (times.get(request) ?? 0) + 1)
    }
  }
  const follow = (id: string) => {
    if (!known.has(id))
      known.set(
        id,
        read(id).catch(() => {}),
      )
  }
  const list = async () => {
    for (const container of await docker.containers.list(labels, ending.signal)) follow(container.Id)
  }
  const events = followEvents(
    docker,
    labels,
    {
      onConnect: () => void list().catch(() => {}),
      onEvent: event => event.Action === 'start' && follow(event.Actor.ID),
      onLost: () => {},
    },
    ending.signal,
  )
  return {
    times,
    async stop() {
      await delay(500)
      ending.abort(new Error('the benchmark ends'))
      await Promise.all([events, ...known.values()])
      await docker.close()
    },
  }
}
