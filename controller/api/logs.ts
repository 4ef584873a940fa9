// Log lines of an application's containers: one JSON object a line, or server-sent events for browsers; live until either side ends.
import { Readable } from 'node:stream'
import { Type } from 'typebox'
import { stillAllowed } from './access.js'
import { type Api, known, streamTimeoutMs, type World } from './api.js'
import { nameParams, problems } from './schemas.js'

export function logs(app: Api, { service, tokens }: World): void {
  const open = new Set<AbortController>()
  app.addHook('preClose', async () => {
    for (const controller of open) controller.abort(new Error('the API closes'))
  })

  app.get(
    '/api/v1/applications/:name/logs',
    {
      config: { access: 'read' },
      handlerTimeout: streamTimeoutMs,
      schema: {
        operationId: 'logs',
        tags: ['inspect'],
        summary: 'Log lines (application/x-ndjson; text/event-stream where asked for by Accept)',
        params: nameParams,
        querystring: Type.Object({
          pod: Type.String({ default: '', maxLength: 253 }),
          container: Type.String({ default: '', maxLength: 253 }),
          tail: Type.Integer({ default: 100, minimum: 0, maximum: 10_000 }),
          follow: Type.Boolean({ default: false }),
          previous: Type.Boolean({ default: false, description: 'of the container before the present one' }),
        }),
        response: {
          200: {
            description: 'log lines',
            content: { 'application/x-ndjson': { schema: { $ref: 'LogLine#' } }, 'text/event-stream': { schema: Type.String() } },
          },
          ...problems,
        },
      },
    },
    async (request, reply) => {
      const { name } = known(service, request.params.name)
      const controller = new AbortController()
      open.add(controller)
      const { caller } = request
      const recheck = setInterval(
        () => caller !== null && !stillAllowed(caller, request, tokens) && controller.abort(new Error('token revoked')),
        15_000,
      )
      const asEvents = (request.headers.accept ?? '').includes('text/event-stream')
      const lines = Readable.from(framed(service.logs(name, request.query, controller.signal), asEvents, controller.signal))
      lines.once('close', () => {
        clearInterval(recheck)
        open.delete(controller)
        controller.abort(new Error('the reader has gone'))
      })
      reply.header('content-type', asEvents ? 'text/event-stream; charset=utf-8' : 'application/x-ndjson; charset=utf-8')
      return reply.header('cache-control', 'no-store').send(lines)
    },
  )
}

async function* framed(
  lines: ReturnType<World['service']['logs']>,
  asEvents: boolean,
  signal: AbortSignal,
): AsyncGenerator<string> {
  // Lets the headers out before the first line: a follower sees at once that it is connected.
  if (asEvents) yield ': lines\n\n'
  try {
    for await (const line of lines)
      yield asEvents ? `event: line\ndata: ${JSON.stringify(line)}\n\n` : `${JSON.stringify(line)}\n`
    if (asEvents) yield 'event: end\ndata: {}\n\n'
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
