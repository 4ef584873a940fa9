// Tokens for programs, one-time login links and the page's session; backup and restore, which need the same rights.
import { Readable } from 'node:stream'
import { Type } from 'typebox'
import { cookieOf, sessionCookie } from './access.js'
import { type Api, actorOf, streamTimeoutMs, type World } from './api.js'
import { Buckets } from './limits.js'
import { done, listOf, problems } from './schemas.js'
import { RefusedError } from './service.js'
import { loginLifetimeMs, type Role, sessionLifetimeMs, type TokenView, tokenLifetimeMs } from './tokens.js'

const tags = ['access']
const role = Type.Unsafe<Role>({ type: 'string', enum: ['read', 'write', 'admin'] })
const minted = Type.Object({
  version: Type.Literal('v1'),
  id: Type.String(),
  token: Type.String({ description: 'shown this once' }),
  expiresAt: Type.String(),
})
const dayMs = 86_400_000

export function tokenRoutes(app: Api, { tokens }: World): void {
  app.get(
    '/api/v1/tokens',
    {
      config: { access: 'admin' },
      schema: {
        operationId: 'listTokens',
        tags,
        summary: 'Tokens of programs, without their secrets',
        response: { 200: listOf<TokenView>('Token'), ...problems },
      },
    },
    async () => {
      const items = [...tokens.list()]
      return { version: 'v1' as const, items, total: items.length, continue: '' }
    },
  )

  app.post(
    '/api/v1/tokens',
    {
      config: { access: 'admin' },
      schema: {
        operationId: 'createToken',
        tags,
        summary: 'Make a token for a program',
        body: Type.Object(
          {
            name: Type.String({ minLength: 1, maxLength: 100 }),
            role,
            expiresInDays: Type.Number({ default: tokenLifetimeMs / dayMs, exclusiveMinimum: 0, maximum: 730 }),
          },
          { additionalProperties: false },
        ),
        response: { 201: minted, ...problems },
      },
    },
    async (request, reply) => {
      const { name, role, expiresInDays } = request.body
      const { id, secret, expiresAt } = await tokens.mint('token', name, role, expiresInDays * dayMs)
      return reply.code(201).send({ version: 'v1', id, token: secret, expiresAt })
    },
  )

  app.delete(
    '/api/v1/tokens/:id',
    {
      config: { access: 'admin' },
      schema: {
        operationId: 'revokeToken',
        tags,
        summary: 'Take a token back, at once',
        params: Type.Object({ id: Type.String({ maxLength: 40 }) }),
        response: { 200: done, ...problems },
      },
    },
    async request => {
      if (!(await tokens.revoke(request.params.id)))
        throw new RefusedError(404, 'notFound', `There is no token ${request.params.id}; \`slipway tokens list\` lists them.`)
      return { version: 'v1' as const, message: `Token ${request.params.id} is worth nothing from now on.` }
    },
  )
}

export function sessionRoutes(app: Api, world: World, publicURL: string): void {
  const { tokens, clock } = world
  const guesses = new Buckets({ perSecond: 0.2, burst: 20 })

  app.post(
    '/api/v1/login-links',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'createLoginLink',
        tags,
        summary: 'A link that opens the page once, within ten minutes, with your own rights',
        response: {
          201: Type.Object({ version: Type.Literal('v1'), url: Type.String(), expiresAt: Type.String() }),
          ...problems,
        },
      },
    },
    async (request, reply) => {
      const { secret, expiresAt } = await tokens.mint(
        'login',
        actorOf(request).name,
        request.caller?.role ?? 'read',
        loginLifetimeMs,
      )
      const base = publicURL === '' ? `${request.protocol}://${request.host}` : publicURL
      return reply.code(201).send({ version: 'v1', url: `${base}/login?code=${secret}`, expiresAt })
    },
  )

  app.get(
    '/login',
    {
      config: { access: 'public' },
      schema: {
        operationId: 'login',
        tags,
        summary: 'Follow a login link: sets the session cookie, goes to the page',
        querystring: Type.Object({ code: Type.String({ default: '', maxLength: 200 }) }),
      },
    },
    async (request, reply) => {
      const session = await tokens.redeem(request.query.code)
      if (session === null) {
        const { ok } = guesses.take(request.ip, clock.now())
        if (!ok) throw new RefusedError(429, 'tooManyRequests', 'Too many wrong codes; wait a minute.')
        // The page tells a person what to do; who is signed in already is simply there.
        if (request.headers.accept?.includes('text/html')) return reply.redirect('./#/link-used', 303)
        throw new RefusedError(
          401,
          'linkUsed',
          'This login link was used already or is too old. Make another: slipway login --link',
        )
      }
      reply.header('set-cookie', cookie(session.secret, sessionLifetimeMs / 1000, publicURL))
      return reply.header('cache-control', 'no-store').header('referrer-policy', 'no-referrer').redirect('./', 303)
    },
  )

  app.get(
    '/api/v1/session',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'session',
        tags,
        summary: 'Who you are to Slipway, and until when',
        response: {
          200: Type.Object({
            version: Type.Literal('v1'),
            name: Type.String(),
            role,
            kind: Type.String(),
            expiresAt: Type.String(),
          }),
          ...problems,
        },
      },
    },
    async request => {
      const { actor, role, kind, expiresAt } = request.caller!
      return { version: 'v1' as const, name: actor.name, role, kind, expiresAt: new Date(expiresAt).toISOString() }
    },
  )

  app.delete(
    '/api/v1/session',
    {
      config: { access: 'read' },
      schema: { operationId: 'logout', tags, summary: "End the page's session", response: { 200: done, ...problems } },
    },
    async (request, reply) => {
      if (request.caller?.kind === 'session' && cookieOf(request.headers.cookie ?? '', sessionCookie) !== '')
        await tokens.revoke(request.caller.id)
      reply.header('set-cookie', cookie('', 0, publicURL))
      return { version: 'v1' as const, message: 'Signed out.' }
    },
  )
}

export function archiveRoutes(app: Api, { service }: World): void {
  app.get(
    '/api/v1/backup',
    {
      config: { access: 'admin' },
      handlerTimeout: streamTimeoutMs,
      schema: {
        operationId: 'backup',
        tags: ['archive'],
        summary: 'Everything that Slipway keeps, as one archive',
        response: {
          200: {
            description: 'the archive',
            content: { 'application/octet-stream': { schema: Type.String({ format: 'binary' }) } },
          },
          ...problems,
        },
      },
    },
    async (_request, reply) =>
      reply
        .type('application/octet-stream')
        .header('cache-control', 'no-store')
        .send(Readable.from(service.backup(), { objectMode: false })),
  )

  app.register(async inner => {
    inner.removeAllContentTypeParsers()
    inner.addContentTypeParser('application/octet-stream', { parseAs: 'buffer', bodyLimit: 256 << 20 }, (_request, body, next) =>
      next(null, body),
    )
    inner.post(
      '/api/v1/restore',
      {
        config: { access: 'admin' },
        handlerTimeout: streamTimeoutMs,
        bodyLimit: 256 << 20,
        schema: {
          operationId: 'restore',
          tags: ['archive'],
          summary: 'Take such an archive back (application/octet-stream)',
          consumes: ['application/octet-stream'],
          querystring: Type.Object({
            force: Type.Boolean({ default: false, description: 'put its keys and tokens in place of those that are there' }),
          }),
          response: { 200: done, ...problems },
        },
      },
      async request => {
        const archive = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
        if (archive.length === 0)
          throw new RefusedError(400, 'emptyBody', 'Send the archive that `slipway backup` wrote as the body.')
        return { version: 'v1' as const, ...(await service.restore(archive, request.query as { readonly force: boolean })) }
      },
    )
  })
}

function cookie(value: string, maxAgeSeconds: number, publicURL: string): string {
  const secure = publicURL.startsWith('https:') ? '; Secure' : ''
  return `${sessionCookie}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Strict${secure}`
}
