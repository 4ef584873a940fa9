// Is it alive, is it ready, which version: for load balancers, Kubernetes probes and people.

import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Api, World } from './api.js'

const plain = { 200: { description: 'well', content: { 'text/plain': { schema: Type.String() } } } }
const asked = Type.Object({
  verbose: Type.Optional(Type.String({ description: 'each part on a line' })),
  exclude: Type.Array(Type.String({ maxLength: 100 }), {
    default: [],
    maxItems: 20,
    description: 'a part that does not count, as at a Kubernetes API server; repeat for several',
  }),
})

export function health(app: Api, { service, version }: World): void {
  const alive = (path: string, summary: string) =>
    app.get(
      path,
      { config: { access: 'public' }, schema: { operationId: path.slice(1), tags: ['health'], summary, response: plain } },
      async (_request, reply) => reply.type('text/plain; charset=utf-8').send('ok\n'),
    )
  alive('/livez', 'The process answers; nothing else is asked')
  alive('/healthz', 'As /livez')

  app.get(
    '/readyz',
    {
      config: { access: 'public' },
      schema: {
        operationId: 'readyz',
        tags: ['health'],
        summary: 'Every part it needs is well (503 otherwise)',
        querystring: asked,
        response: { ...plain, 503: { description: 'not ready', content: { 'text/plain': { schema: Type.String() } } } },
      },
    },
    async (request, reply) => readiness(service, request, reply, request.query),
  )

  app.get(
    '/api/version',
    {
      config: { access: 'public' },
      schema: {
        operationId: 'version',
        tags: ['health'],
        summary: 'The version that runs',
        response: { 200: Type.Object({ version: Type.String(), api: Type.Literal('v1') }) },
      },
    },
    async () => ({ version, api: 'v1' as const }),
  )
}

/** Strangers get the parts' names only; why one is not well is for those with a token. */
function readiness(
  service: World['service'],
  request: FastifyRequest,
  reply: FastifyReply,
  { verbose, exclude }: Static<typeof asked>,
): FastifyReply {
  const parts = service.readiness()
  const ready = parts.every(part => part.ok || exclude.includes(part.part))
  const told = (message: string) =>
    message === '' ? '' : `: ${request.caller === null ? 'reason withheld' : message.replace(/[\r\n]+/g, ' ')}`
  const lines = parts.map(part => {
    if (exclude.includes(part.part)) return `[+] ${part.part} excluded: ${part.ok ? 'ok' : `failed${told(part.message)}`}`
    return part.ok ? `[+] ${part.part} ok` : `[-] ${part.part} failed${told(part.message)}`
  })
  const end = ready ? 'ready' : 'not ready'
  reply.code(ready ? 200 : 503).type('text/plain; charset=utf-8')
  return reply.send(verbose !== undefined || !ready ? `${[...lines, end].join('\n')}\n` : 'ok\n')
}
