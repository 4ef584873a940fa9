// What every resource file is given: the fastify instance with typed schemas, and the world behind it.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, RawServerDefault } from 'fastify'
import type { Actor } from '../ledger.js'
import type { ApplicationView } from '../view.js'
import { RefusedError, type Service } from './service.js'
import type { Tokens } from './tokens.js'

export type Api = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, TypeBoxTypeProvider>

/** For answers that take as long as their reader wants: the longest that a timer holds, 24 days. */
export const streamTimeoutMs = 0x7fffffff

export interface World {
  readonly service: Service
  readonly tokens: Tokens
  readonly clock: { now(): number }
  readonly version: string
}

/** Who asked. Only behind a route that lets no stranger in. */
export function actorOf(request: FastifyRequest): Actor {
  return request.caller?.actor ?? { kind: 'user', name: 'unknown' }
}

/** The application or 404. */
export function known(service: Service, name: string): ApplicationView {
  const view = service.application(name)
  if (view === null) throw absent(name)
  return view
}

export function absent(name: string): RefusedError {
  return new RefusedError(404, 'notFound', `There is no application ${name}; \`slipway apps\` lists those there are.`)
}
