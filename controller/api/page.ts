// The page's files, as the build left them. They are for everyone; what they show is not.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import { Type } from 'typebox'
import type { Api } from './api.js'

/** Files under /assets carry a hash of their content in their names and may be kept for ever; the page itself is asked for each time. */
export async function page(app: Api, uiDir: string): Promise<void> {
  if (!existsSync(join(uiDir, 'index.html'))) return
  await app.register(fastifyStatic, { root: uiDir, serve: false, cacheControl: false })
  app.get('/', { config: { access: 'public' }, schema: { hide: true } }, async (_request, reply) => {
    return reply.header('cache-control', 'no-cache').sendFile('index.html')
  })
  app.get(
    '/assets/*',
    { config: { access: 'public' }, schema: { hide: true, params: Type.Object({ '*': Type.String() }) } },
    async (request, reply) => {
      return reply.header('cache-control', 'public, max-age=31536000, immutable').sendFile(`assets/${request.params['*']}`)
    },
  )
}
