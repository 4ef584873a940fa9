// POST /api/webhook: a signed word that a repository moved. It only wakes; known and unknown repositories are answered alike.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Api, World } from './api.js'
import { Buckets } from './limits.js'
import { pushOf } from './pushes.js'
import { done, problems } from './schemas.js'
import { RefusedError } from './service.js'
import { claimed, type Headers, verified } from './signatures.js'

const bodyLimit = 1 << 20

export type WebhookResult = 'woken' | 'unsigned' | 'forged' | 'unreadable'

/** `count` is told each end: provider ('' = unknown) and result. */
export function webhook(
  app: Api,
  world: World,
  secrets: Readonly<Record<string, string>>,
  count: (provider: string, result: WebhookResult) => void,
): void {
  const rate = new Buckets({ perSecond: 20, burst: 200 })
  const limit = (request: FastifyRequest, reply: FastifyReply) => {
    const { ok, retryAfterSeconds } = rate.take(request.ip, world.clock.now())
    if (ok) return
    reply.header('retry-after', String(retryAfterSeconds))
    throw new RefusedError(429, 'tooManyRequests', 'Too many webhooks from this address; polling finds the commit anyway.')
  }
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit }, (_request, body, next) => next(null, body))

  app.post(
    '/api/webhook',
    {
      config: { access: 'webhook' },
      bodyLimit,
      schema: {
        operationId: 'webhook',
        tags: ['webhook'],
        summary:
          'Tell that a repository moved; signed as GitHub, GitLab, Gitea, Forgejo, Gogs, Bitbucket, Azure DevOps or `X-Signature` do',
        response: { 202: done, ...problems },
      },
      // Before the body is read: who carries no signature that could hold gets no memory of ours.
      onRequest: async (request, reply) => {
        limit(request, reply)
        if (claimed(request.headers as Headers, secrets).length > 0) return
        count('', 'unsigned')
        reply.header('connection', 'close')
        throw new RefusedError(
          401,
          'unsigned',
          'Webhooks must be signed, and their secret configured here (`webhooks:` in the configuration).',
        )
      },
    },
    async (request, reply) => {
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
      const provider = verified(request.headers as Headers, body, secrets, world.clock.now())
      if (provider === null) {
        count('', 'forged')
        throw new RefusedError(401, 'wrongSignature', 'The signature does not fit the body and the secret configured here.')
      }
      const { repoURLs, ref } = pushOf(
        parsed(body, String(request.headers['content-type'] ?? ''), () => count(provider, 'unreadable')),
      )
      for (const url of repoURLs) world.service.wakeRepository(url, ref)
      count(provider, 'woken')
      return reply.code(202).send({ version: 'v1', message: 'Heard.' })
    },
  )
}

/** JSON, or GitHub's form with the JSON in `payload`. */
function parsed(body: Buffer, contentType: string, onUnreadable: () => void): unknown {
  const text = body.toString('utf8')
  try {
    return JSON.parse(
      contentType.startsWith('application/x-www-form-urlencoded') ? (new URLSearchParams(text).get('payload') ?? '') : text,
    )
  } catch {
    onUnreadable()
    throw new RefusedError(400, 'invalidJson', 'The body is signed, but no JSON.')
  }
}
