// What a person asks of one application: sync, roll back, retry, rotate, approve, pause, resume. Acknowledged once it is written down.
import { Type } from 'typebox'
import { type Api, actorOf, known, type World } from './api.js'
import { Repeats } from './repeats.js'
import { accepted, done, nameParams, problems, rotated as rotatedAnswer } from './schemas.js'

const tags = ['acts']
const repeatable = Type.Object({ 'idempotency-key': Type.Optional(Type.String({ minLength: 1, maxLength: 200 })) })
const optional = (description: string) => Type.String({ default: '', maxLength: 500, description })
const response = { 202: accepted, ...problems }

export function acts(app: Api, world: World): void {
  // `curl -X POST` sends no body and no type: that is an empty object, not a fault.
  app.addHook('preValidation', async request => {
    if (request.body === undefined || request.body === null) request.body = {}
  })
  requests(app, world)
  rotations(app, world)
  approvals(app, world)
  pauses(app, world)
  refreshes(app, world)
}

function requests(app: Api, { service }: World): void {
  const repeats = new Repeats()
  const route = (act: string) => `/api/v1/applications/:name/${act}`

  app.post(
    route('sync'),
    {
      config: { access: 'write' },
      schema: {
        operationId: 'sync',
        tags,
        summary: 'Look at Git now, and release what is there',
        params: nameParams,
        headers: repeatable,
        body: Type.Object(
          {
            revision: optional('a commit; empty = the newest'),
            prune: Type.Optional(Type.Boolean()),
            resources: Type.Array(Type.String({ minLength: 1, maxLength: 500 }), {
              default: [],
              maxItems: 1000,
              description: 'these objects only: group:kind:name or group:kind:namespace/name, * for any; no hooks run',
            }),
            tests: Type.Boolean({ default: false, description: "Helm's test hooks run after health, and count" }),
          },
          { additionalProperties: false },
        ),
        response,
      },
    },
    async (request, reply) => {
      const { name } = known(service, request.params.name)
      const { revision, prune, resources, tests } = request.body
      const asked = { revision: revision === '' ? null : revision, prune: prune ?? null, resources, tests }
      const act = () => service.sync(name, actorOf(request), asked)
      const made = await repeats.once(
        `${request.caller?.actor.name} sync ${name}`,
        request.headers['idempotency-key'],
        request.body,
        act,
      )
      return reply.code(202).send({ version: 'v1', request: made.request })
    },
  )

  app.post(
    route('rollback'),
    {
      config: { access: 'write' },
      schema: {
        operationId: 'rollback',
        tags,
        summary: 'Go back to an earlier release, and stay there until something newer than today comes',
        params: nameParams,
        headers: repeatable,
        body: Type.Object(
          {
            to: optional('r14, a release id, an attempt number, a commit; empty = the last good one before'),
            message: optional('why; kept in the history'),
          },
          { additionalProperties: false },
        ),
        response,
      },
    },
    async (request, reply) => {
      const { name } = known(service, request.params.name)
      const act = () => service.rollback(name, actorOf(request), request.body)
      const made = await repeats.once(
        `${request.caller?.actor.name} rollback ${name}`,
        request.headers['idempotency-key'],
        request.body,
        act,
      )
      return reply.code(202).send({ version: 'v1', request: made.request })
    },
  )

  app.post(
    route('retry'),
    {
      config: { access: 'write' },
      schema: {
        operationId: 'retry',
        tags,
        summary: 'Try a bad release again, with fresh pods',
        params: nameParams,
        headers: repeatable,
        body: Type.Object({ release: optional('empty = the newest') }, { additionalProperties: false }),
        response,
      },
    },
    async (request, reply) => {
      const { name } = known(service, request.params.name)
      const act = () => service.retry(name, actorOf(request), request.body)
      const made = await repeats.once(
        `${request.caller?.actor.name} retry ${name}`,
        request.headers['idempotency-key'],
        request.body,
        act,
      )
      return reply.code(202).send({ version: 'v1', request: made.request })
    },
  )
}

function rotations(app: Api, { service }: World): void {
  const repeats = new Repeats()
  app.post(
    '/api/v1/applications/:name/rotate',
    {
      config: { access: 'write' },
      schema: {
        operationId: 'rotate',
        tags,
        summary: 'Make passwords, keys and certificates anew that are kept for its chart, and release that',
        params: nameParams,
        headers: repeatable,
        body: Type.Object(
          {
            keys: Type.Array(Type.String({ minLength: 1, maxLength: 500 }), {
              default: [],
              maxItems: 1000,
              description: 'keys, or what they stand in: Secret/db, Secret/db:password, templates/db.yaml',
            }),
            all: Type.Boolean({ default: false }),
          },
          { additionalProperties: false },
        ),
        response: { 202: rotatedAnswer, ...problems },
      },
    },
    async (request, reply) => {
      const { name } = known(service, request.params.name)
      const act = () => service.rotate(name, actorOf(request), request.body)
      const made = await repeats.once(
        `${request.caller?.actor.name} rotate ${name}`,
        request.headers['idempotency-key'],
        request.body,
        act,
      )
      return reply.code(202).send({ version: 'v1', request: made.request, rotated: [...made.rotated] })
    },
  )
}

/** As a webhook does, for who cannot send one. */
function refreshes(app: Api, { service }: World): void {
  app.post(
    '/api/v1/applications/:name/refresh',
    {
      config: { access: 'write' },
      schema: {
        operationId: 'refresh',
        tags,
        summary: 'Look at its repository now instead of at the next poll; releases nothing by itself',
        params: nameParams,
        response: { 202: done, ...problems },
      },
    },
    async (request, reply) => {
      const { name, source } = known(service, request.params.name)
      service.wakeRepository(source.repoURL, null)
      return reply.code(202).send({ version: 'v1' as const, message: `${name}: its repository is looked at.` })
    },
  )
}

function approvals(app: Api, { service }: World): void {
  app.post(
    '/api/v1/applications/:name/approve',
    {
      config: { access: 'write' },
      schema: {
        operationId: 'approve',
        tags,
        summary: 'Say that what is not taken away without a word (Prune=confirm, Delete=confirm) may go now',
        params: nameParams,
        body: Type.Object({}, { additionalProperties: false }),
        response: { 202: done, ...problems },
      },
    },
    async (request, reply) => {
      const { name } = known(service, request.params.name)
      const { message } = await service.approve(name, actorOf(request))
      return reply.code(202).send({ version: 'v1' as const, message })
    },
  )
}

function pauses(app: Api, { service }: World): void {
  app.post(
    '/api/v1/applications/:name/pause',
    {
      config: { access: 'write' },
      schema: {
        operationId: 'pause',
        tags,
        summary: 'Touch nothing until resumed: neither release nor heal nor roll back',
        params: nameParams,
        body: Type.Object({ reason: optional('shown to everyone') }, { additionalProperties: false }),
        response: { 200: done, ...problems },
      },
    },
    async request => {
      const { name } = known(service, request.params.name)
      await service.pause(name, actorOf(request), request.body.reason)
      return { version: 'v1' as const, message: `${name} is paused. Go on with: slipway resume ${name}` }
    },
  )

  app.post(
    '/api/v1/applications/:name/resume',
    {
      config: { access: 'write' },
      schema: { operationId: 'resume', tags, summary: 'Go on', params: nameParams, response: { 200: done, ...problems } },
    },
    async request => {
      const { name } = known(service, request.params.name)
      await service.resume(name, actorOf(request))
      return { version: 'v1' as const, message: `${name} goes on.` }
    },
  )
}
