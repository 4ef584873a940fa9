// /api/v1/stream: every change as server-sent events, with ids to resume from, heartbeats, and a word when one must list again.
import { randomBytes } from 'node:crypto'
import { PassThrough } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { stillAllowed } from './access.js'
import { type Api, streamTimeoutMs, type World } from './api.js'
import { Changes, concerns, type Numbered } from './changes.js'
import { problems } from './schemas.js'
import { RefusedError, type StreamChange } from './service.js'

export interface StreamLimits {
  /** Changes remembered for resuming. */
  readonly remembered: number
  readonly heartbeatMs: number
  /** A reader that lets more than this pile up is dropped; it comes back and resumes. */
  readonly maxBufferedBytes: number
  readonly maxClients: number
}

export const streamLimits: StreamLimits = { remembered: 2000, heartbeatMs: 15_000, maxBufferedBytes: 1 << 20, maxClients: 200 }

interface Client {
  readonly out: PassThrough
  readonly application: string
  readonly mayStay: () => boolean
}

/** Begins to listen to the service at once; ends every open stream when the API closes. Returns how many read now. */
export function stream(app: Api, { service, tokens }: World, limits: StreamLimits): () => number {
  const clients = new Set<Client>()
  const changes = new Changes(randomBytes(4).toString('hex'), limits.remembered)
  const unsubscribe = service.subscribe(change => {
    const numbered = changes.add(change)
    if (clients.size === 0) return
    const text = frameOf(numbered)
    for (const client of clients) if (concerns(change, client.application)) send(client, text, limits)
  })
  const heartbeat = setInterval(() => beat(clients, limits), limits.heartbeatMs)
  heartbeat.unref()
  app.addHook('preClose', async () => {
    unsubscribe()
    clearInterval(heartbeat)
    for (const client of clients) client.out.end()
  })

  app.get(
    '/api/v1/stream',
    {
      config: { access: 'read' },
      handlerTimeout: streamTimeoutMs,
      schema: {
        operationId: 'stream',
        tags: ['stream'],
        summary: 'Changes as they happen (text/event-stream)',
        description:
          'Events: `hello` (list now, then follow), `resync` (what you missed is gone: list again), `application`, `removed`, `event`, `node`. ' +
          'Send the last id as `Last-Event-ID` to resume. A comment comes every 15 s; nothing for 40 s means the connection is dead.',
        querystring: Type.Object({ application: Type.String({ default: '', maxLength: 253 }) }),
        headers: Type.Object({ 'last-event-id': Type.Optional(Type.String({ maxLength: 100 })) }),
        response: {
          200: { description: 'a stream of events', content: { 'text/event-stream': { schema: Type.String() } } },
          ...problems,
        },
      },
    },
    async (request, reply) => {
      if (clients.size >= limits.maxClients)
        throw new RefusedError(503, 'tooManyStreams', `${clients.size} streams are open; close some pages, or ask again later.`)
      const client = clientOf(request, request.query.application, tokens)
      clients.add(client)
      client.out.once('close', () => clients.delete(client))
      client.out.write(greeting(changes, request.headers['last-event-id'], client.application))
      reply
        .header('content-type', 'text/event-stream; charset=utf-8')
        .header('cache-control', 'no-store')
        .header('x-accel-buffering', 'no')
      return reply.send(client.out)
    },
  )
  return () => clients.size
}

function clientOf(request: FastifyRequest, application: string, tokens: World['tokens']): Client {
  const { caller } = request
  return { out: new PassThrough(), application, mayStay: () => caller !== null && stillAllowed(caller, request, tokens) }
}

/** `hello` to a newcomer, what was missed to one that comes back, `resync` where that is no longer known. */
function greeting(changes: Changes, lastId: string | undefined, application: string): string {
  const word = (event: string) => `retry: 2000\nid: ${changes.lastId}\nevent: ${event}\ndata: {}\n\n`
  if (lastId === undefined || lastId === '') return word('hello')
  const missed = changes.after(lastId)
  if (missed === null) return word('resync')
  return `retry: 2000\n: resumed\n\n${missed
    .filter(({ change }) => concerns(change, application))
    .map(frameOf)
    .join('')}`
}

function send(client: Client, text: string, limits: StreamLimits): void {
  client.out.write(text)
  if (client.out.writableLength + client.out.readableLength > limits.maxBufferedBytes) client.out.destroy()
}

/** Also the moment to look whether the reader's token was revoked or has expired. */
function beat(clients: ReadonlySet<Client>, limits: StreamLimits): void {
  for (const client of clients) {
    if (client.mayStay()) send(client, ': beat\n\n', limits)
    else client.out.end()
  }
}

function frameOf({ id, change }: Numbered): string {
  const [event, data] = toldOf(change)
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}

/** One that was removed since it was noted is told as that. */
function toldOf(change: StreamChange): readonly [event: string, data: unknown] {
  const { type } = change
  if (type === 'event') return [type, change.event]
  if (type === 'removed') return [type, { name: change.name }]
  if (type !== 'noted') return [type, change.view]
  const view = change.view()
  return view === null ? ['removed', { name: change.name }] : ['application', view]
}
