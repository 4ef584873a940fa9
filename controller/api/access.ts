// Who is calling, and may they: bearer tokens for programs, a session cookie with an Origin check for the page. Deny unless a route says otherwise.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Buckets } from './limits.js'
import { RefusedError } from './service.js'
import { type Caller, type Role, roles, type Tokens } from './tokens.js'

/** What a route asks of its caller; `public`: nothing, `webhook`: a signature (webhook.ts). */
export type Access = 'public' | 'webhook' | Role

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access
  }
  interface FastifyRequest {
    caller: Caller | null
  }
}

export const sessionCookie = 'slipway_session'

export interface AccessRules {
  readonly tokens: Tokens
  readonly clock: { now(): number }
}

/** Puts the caller on each request or refuses it; a route that declares no access stops the start. */
export function guard(app: FastifyInstance, { tokens, clock }: AccessRules): void {
  const failures = new Buckets({ perSecond: 0.2, burst: 20 })
  const requests = new Buckets({ perSecond: 50, burst: 300 })
  app.decorateRequest('caller', null)
  app.addHook('onRoute', route => {
    if (route.config?.access === undefined) throw new Error(`${String(route.method)} ${route.url}: declare config.access`)
  })
  app.addHook('onRequest', async (request, reply) => {
    const access = accessOf(request)
    request.caller = callerOf(request, tokens)
    const now = clock.now()
    if (access === 'webhook') return
    if (access === 'public') return limit(requests, `public ${request.ip}`, now, reply)
    // Guessing is slowed per address; a caller with a valid token is never held back by the guesses of others.
    if (request.caller === null) return refuseStranger(request, failures, now, reply)
    limit(requests, request.caller.id, now, reply)
    if (roles.indexOf(request.caller.role) < roles.indexOf(access)) {
      throw new RefusedError(403, 'forbidden', `Your token may ${request.caller.role}; this needs one that may ${access}.`)
    }
    if (request.caller.kind === 'session') refuseForeignOrigin(request)
  })
}

/** Everything below /api that is not there asks for a token first: absent and forbidden look alike. */
function accessOf(request: FastifyRequest): Access {
  if (request.is404) return request.url.startsWith('/api') ? 'read' : 'public'
  return request.routeOptions.config.access ?? 'admin'
}

/** From `Authorization: Bearer`, else from the page's cookie. A wrong token is not saved by a right cookie. */
function callerOf(request: FastifyRequest, tokens: Tokens): Caller | null {
  const header = request.headers.authorization
  if (header !== undefined) return tokens.verify(/^Bearer +(\S+)$/i.exec(header)?.[1] ?? '', 'token')
  const cookie = cookieOf(request.headers.cookie ?? '', sessionCookie)
  return cookie === '' ? null : tokens.verify(cookie, 'session')
}

/** Whether the caller of a stream that is still open may still see it. */
export function stillAllowed(caller: Caller, request: FastifyRequest, tokens: Tokens): boolean {
  return callerOf(request, tokens)?.id === caller.id
}

function refuseStranger(request: FastifyRequest, failures: Buckets, now: number, reply: FastifyReply): never {
  const given = request.headers.authorization !== undefined || (request.headers.cookie ?? '').includes(sessionCookie)
  if (given) limit(failures, request.ip, now, reply)
  reply.header('www-authenticate', 'Bearer realm="slipway"')
  throw new RefusedError(
    401,
    'unauthenticated',
    'A valid token is needed: `slipway login`, or open a fresh login link (`slipway login --link`).',
  )
}

function limit(buckets: Buckets, key: string, now: number, reply: FastifyReply): void {
  const { ok, remaining, retryAfterSeconds } = buckets.take(key, now)
  reply.header('ratelimit-remaining', String(remaining))
  if (ok) return
  reply.header('retry-after', String(retryAfterSeconds))
  throw new RefusedError(429, 'tooManyRequests', `Too many requests; ask again in ${retryAfterSeconds} s.`)
}

/** Cookies are sent by browsers on their own: whoever changes something with one must come from our own page. */
function refuseForeignOrigin(request: FastifyRequest): void {
  if (request.method === 'GET' || request.method === 'HEAD') return
  const origin = request.headers.origin
  if (origin !== undefined && hostOf(origin) === request.headers.host) return
  throw new RefusedError(403, 'foreignOrigin', 'This request does not come from the page itself; programs send a token instead.')
}

function hostOf(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).host : ''
}

export function cookieOf(header: string, name: string): string {
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return ''
}
