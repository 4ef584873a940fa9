// Errors as people and programs get them: application/problem+json (RFC 9457) with a stable code, the request's id and pointers.
import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { RefusedError } from './service.js'

export interface Problem {
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  /** camelCase, stable: programs branch on it. */
  readonly code: string
  /** What, where, what to do. */
  readonly detail: string
  readonly requestId: string
  /** JSON pointers into what was sent. */
  readonly errors: readonly { readonly pointer: string; readonly message: string }[]
}

/** What fastify says when it refuses a request before any handler of ours: its code -> ours. */
const fastifyCodes: Readonly<Record<string, readonly [number, string]>> = {
  FST_ERR_VALIDATION: [400, 'invalidInput'],
  FST_ERR_CTP_BODY_TOO_LARGE: [413, 'bodyTooLarge'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, 'unsupportedMediaType'],
  FST_ERR_CTP_EMPTY_JSON_BODY: [400, 'emptyBody'],
  FST_ERR_CTP_INVALID_JSON_BODY: [400, 'invalidJson'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, 'invalidContentLength'],
  FST_ERR_HANDLER_TIMEOUT: [503, 'timeout'],
}

/** Names of errors of a write that did not come about: NATS is away, its store is being made, or the lease is another's. */
const notStored = new Set(['BusDownError', 'BucketMissingError', 'NotTheWriterError'])

/** Our own refusals keep their words; fastify's are translated; everything else is 500 and tells nothing of its inside. */
export function problemOf(error: unknown, requestId: string): Problem {
  if (error instanceof RefusedError) return problem(error.status, error.code, error.message, requestId, error.errors)
  const given = error as Partial<FastifyError>
  if (notStored.has(given.name ?? ''))
    return problem(
      503,
      'notStored',
      `Nothing was changed: ${given.message ?? ''}. Ask again; /readyz?verbose says how it stands.`,
      requestId,
    )
  const known = fastifyCodes[given.code ?? '']
  if (known !== undefined) return problem(known[0], known[1], wordsOf(given), requestId, pointersOf(given))
  if (given.statusCode !== undefined && given.statusCode >= 400 && given.statusCode < 500) {
    return problem(given.statusCode, 'badRequest', given.message ?? '', requestId)
  }
  return problem(
    500,
    'internal',
    `Something went wrong here, not in your request. The controller's log has it under ${requestId}.`,
    requestId,
  )
}

export function problem(
  status: number,
  code: string,
  detail: string,
  requestId: string,
  errors: Problem['errors'] = [],
): Problem {
  return { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, code, detail, requestId, errors }
}

export function sendProblem(reply: FastifyReply, told: Problem): FastifyReply {
  return reply.code(told.status).type('application/problem+json; charset=utf-8').send(told)
}

/** fastify's error handler: logs what is ours to mend, and answers. */
export function onError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const told = problemOf(error, request.id)
  if (told.status >= 500)
    request.log.error({ err: error, requestId: request.id, route: request.routeOptions.url }, 'request failed')
  if (reply.raw.headersSent) {
    reply.raw.destroy()
    return
  }
  sendProblem(reply, told)
}

function wordsOf(error: Partial<FastifyError>): string {
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return 'The body is larger than this endpoint takes.'
  if (error.code === 'FST_ERR_HANDLER_TIMEOUT') return 'No answer within the time limit; ask again, or look at /readyz?verbose.'
  return error.message ?? 'invalid request'
}

function pointersOf(error: Partial<FastifyError>): Problem['errors'] {
  const where = error.validationContext === undefined ? '' : `/${error.validationContext}`
  return (error.validation ?? []).map(fault => ({
    pointer: `${where}${fault.instancePath}`,
    message: `${fault.message ?? 'is invalid'}${detailOf(fault.params)}`,
  }))
}

function detailOf(params: Readonly<Record<string, unknown>>): string {
  const extra = params.additionalProperty ?? params.allowedValues
  return extra === undefined ? '' : `: ${JSON.stringify(extra)}`
}
