// The HTTP server of the controller: REST, event stream, webhooks, metrics and the page, over one Service.
import { randomUUID } from 'node:crypto'
import swagger from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify'
import type { Registry } from 'prom-client'
import { guard } from './access.js'
import { acts } from './acts.js'
import type { Api, World } from './api.js'
import { applications } from './applications.js'
import { health } from './health.js'
import { type ArgoDoor, importing } from './import.js'
import { inspect } from './inspect.js'
import { logs } from './logs.js'
import { metrics } from './metrics.js'
import { page } from './page.js'
import { onError, problem, sendProblem } from './problems.js'
import { type ProjectsDoor, projects } from './projects.js'
import { namedSchemas } from './schemas.js'
import { archiveRoutes, sessionRoutes, tokenRoutes } from './sessions.js'
import { type StreamLimits, stream, streamLimits } from './stream.js'
import { webhook } from './webhook.js'

export interface ApiOptions extends World {
  readonly projects?: ProjectsDoor
  readonly argo?: ArgoDoor
  /** Provider -> secret; a provider without one is refused. */
  readonly webhookSecrets: Readonly<Record<string, string>>
  /** Where the page was built to; nothing is served from it when it has no index.html. */
  readonly uiDir: string
  readonly log: FastifyBaseLogger | false
  /** How people reach it, for login links; '' = as they asked. */
  readonly publicURL?: string
  readonly registries?: readonly Registry[]
  readonly stream?: Partial<StreamLimits>
}

const securityHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}

/** Ready to `listen`. `close()` ends open streams first, so that it does not wait for them. */
export async function createApi(options: ApiOptions): Promise<FastifyInstance> {
  const app = made(options)
  manners(app, options.clock)
  guard(app as unknown as FastifyInstance, options)
  for (const schema of namedSchemas) app.addSchema(schema)
  await app.register(swagger, openapiOf(options.version))
  await app.register(async inner => routes(inner.withTypeProvider<TypeBoxTypeProvider>() as unknown as Api, options))
  await app.ready()
  return app as unknown as FastifyInstance
}

/** Limits of the server itself: slow senders, big bodies, too many connections (trust.md, sections 3 and 5.5). */
function made(options: ApiOptions): Api {
  const app = fastify({
    ...(options.log === false ? { logger: false } : { loggerInstance: options.log }),
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    bodyLimit: 1 << 20,
    connectionTimeout: 0,
    requestTimeout: 30_000,
    handlerTimeout: 30_000,
    keepAliveTimeout: 72_000,
    http: { headersTimeout: 10_000 },
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 300 },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: 'array', useDefaults: true } },
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.server.maxConnections = 1000
  app.setSerializerCompiler(() => data => JSON.stringify(data))
  return app as unknown as Api
}

/** What every answer has: its id, its time by our clock, and headers that keep browsers strict. */
function manners(app: Api, clock: World['clock']): void {
  app.setErrorHandler(onError)
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      problem(
        404,
        'notFound',
        `Nothing is at ${request.method} ${request.url.split('?')[0]}; /openapi.json lists what there is.`,
        request.id,
      ),
    ),
  )
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ ...securityHeaders, 'x-request-id': request.id, date: new Date(clock.now()).toUTCString() })
    if (request.url.startsWith('/api')) reply.header('cache-control', 'no-store')
  })
  app.addHook('preClose', async () => {
    setTimeout(() => app.server.closeAllConnections(), 2000).unref()
  })
}

async function routes(app: Api, options: ApiOptions): Promise<void> {
  applications(app, options)
  if (options.projects !== undefined) projects(app, options.projects)
  if (options.argo !== undefined) importing(app, options.argo)
  inspect(app, options)
  logs(app, options)
  tokenRoutes(app, options)
  sessionRoutes(app, options, options.publicURL ?? '')
  archiveRoutes(app, options)
  health(app, options)
  const streamClients = stream(app, options, { ...streamLimits, ...options.stream })
  const { countWebhook } = metrics(app, options, { streamClients, registries: options.registries ?? [] })
  app.register(async inner => acts(inner as Api, options))
  app.register(async inner => webhook(inner as Api, options, options.webhookSecrets, countWebhook))
  app.get('/openapi.json', { config: { access: 'public' }, schema: { hide: true } }, async () => app.swagger())
  await page(app, options.uiDir)
}

function openapiOf(version: string): Parameters<typeof swagger>[1] & object {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Slipway',
        version,
        description: 'GitOps continuous delivery that hauls a bad release back by itself.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer' },
          session: { type: 'apiKey', in: 'cookie', name: 'slipway_session' },
        },
      },
      security: [{ token: [] }, { session: [] }],
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, at) => (typeof json.$id === 'string' ? json.$id : `def-${at}`) },
  }
}
