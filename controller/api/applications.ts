// /api/v1/applications: list, get, declare, delete; with cursors, entity tags and dry runs.
import { createHash } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import { Type } from 'typebox'
import type { Manifest } from '../../runtime/contract/manifest.js'
import type { ApplicationView } from '../view.js'
import { type Api, absent, actorOf, known, type World } from './api.js'
import { pageOf } from './paging.js'
import { done, listOf, nameParams, problems, refer } from './schemas.js'
import { RefusedError } from './service.js'

const base = '/api/v1/applications'
const tags = ['applications']
const ifMatch = Type.Object({
  'if-match': Type.Optional(Type.String({ description: 'the ETag of the declaration that is to be replaced' })),
})
const declared = Type.Object({
  version: Type.Literal('v1'),
  application: Type.Union([refer<ApplicationView>('Application'), Type.Null()]),
  created: Type.Boolean(),
  changed: Type.Boolean(),
})
const dryRun = Type.Object({ dryRun: Type.Boolean({ default: false, description: 'checks only; writes nothing' }) })

export function applications(app: Api, world: World): void {
  readRoutes(app, world)
  writeRoutes(app, world)
}

function readRoutes(app: Api, { service }: World): void {
  app.get(
    base,
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listApplications',
        tags,
        summary: 'Applications with their state in one sentence',
        querystring: Type.Object({
          state: Type.Array(Type.String(), { default: [], description: 'repeat for several' }),
          search: Type.String({ default: '', maxLength: 200 }),
          sort: Type.Union([Type.Literal('name'), Type.Literal('attention')], {
            default: 'name',
            description: 'attention: what needs a person first',
          }),
          limit: Type.Integer({ default: 100, minimum: 1, maximum: 1000 }),
          continue: Type.String({ default: '', maxLength: 1000 }),
        }),
        response: {
          200: listOf<ApplicationView>('Application', { counts: Type.Record(Type.String(), Type.Integer()) }),
          ...problems,
        },
      },
    },
    async request => {
      const { state, ...query } = request.query
      return { version: 'v1' as const, ...pageOf(service.applications(), { ...query, states: state }) }
    },
  )

  app.get(
    `${base}/:name`,
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getApplication',
        tags,
        summary: 'One application',
        params: nameParams,
        response: { 200: refer<ApplicationView>('Application'), ...problems },
      },
    },
    async request => ({ version: 'v1' as const, ...known(service, request.params.name) }),
  )

  app.get(
    `${base}/:name/declaration`,
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getDeclaration',
        tags,
        summary: 'The declaration as it was given',
        params: nameParams,
        response: { 200: refer<Manifest>('Manifest'), ...problems },
      },
    },
    async (request, reply) => {
      const declaration = service.declaration(request.params.name)
      if (declaration === null) throw absent(request.params.name)
      reply.header('etag', tagOf(declaration))
      return declaration
    },
  )
}

function writeRoutes(app: Api, { service }: World): void {
  app.post(
    base,
    {
      config: { access: 'write' },
      schema: {
        operationId: 'declareApplication',
        tags,
        summary: 'Create or replace an application',
        querystring: dryRun,
        body: refer<Manifest>('Manifest'),
        response: { 200: declared, 201: declared, ...problems },
      },
    },
    async (request, reply) => {
      refuseDeep(request.body)
      return answer(reply, await service.declare(request.body, actorOf(request), request.query))
    },
  )

  app.put(
    `${base}/:name`,
    {
      config: { access: 'write' },
      schema: {
        operationId: 'replaceApplication',
        tags,
        summary: 'Create or replace an application under its name',
        params: nameParams,
        querystring: dryRun,
        headers: ifMatch,
        body: refer<Manifest>('Manifest'),
        response: { 200: declared, 201: declared, ...problems },
      },
    },
    async (request, reply) => {
      refuseDeep(request.body)
      const { name } = request.params
      if (request.body.metadata.name !== name) {
        const message = `says ${JSON.stringify(request.body.metadata.name)}, the address says ${name}; they must agree`
        throw new RefusedError(400, 'invalidInput', `metadata.name ${message}.`, [{ pointer: '/metadata/name', message }])
      }
      refuseStale(service.declaration(name), request.headers['if-match'])
      return answer(reply, await service.declare(request.body, actorOf(request), request.query))
    },
  )

  app.delete(
    `${base}/:name`,
    {
      config: { access: 'write' },
      schema: {
        operationId: 'deleteApplication',
        tags,
        summary: 'Delete an application; `cascade` also what it runs',
        params: nameParams,
        querystring: Type.Object({
          cascade: Type.Boolean({ default: false }),
          skipHooks: Type.Boolean({ default: false, description: 'without its PreDelete and PostDelete hooks' }),
        }),
        headers: ifMatch,
        response: { 202: done, ...problems },
      },
    },
    async (request, reply) => {
      const { name } = known(service, request.params.name)
      refuseStale(service.declaration(name), request.headers['if-match'])
      const { message } = await service.remove(name, actorOf(request), request.query)
      return reply.code(202).send({ version: 'v1', message })
    },
  )
}

type Declared = { readonly view: ApplicationView | null; readonly created: boolean; readonly changed: boolean }

function answer(
  reply: FastifyReply,
  { view, created, changed }: Declared,
): { version: 'v1'; application: ApplicationView | null; created: boolean; changed: boolean } {
  reply.code(created ? 201 : 200)
  return { version: 'v1', application: view, created, changed }
}

/** Strong: the same declaration has the same tag. */
function tagOf(declaration: Manifest): string {
  return `"${createHash('sha256').update(JSON.stringify(declaration)).digest('base64url').slice(0, 22)}"`
}

function refuseStale(declaration: Manifest | null, ifMatch: string | undefined): void {
  if (ifMatch === undefined) return
  const given = ifMatch.split(',').map(tag => tag.trim())
  if (declaration !== null && (given.includes('*') || given.includes(tagOf(declaration)))) return
  throw new RefusedError(
    412,
    'changedMeanwhile',
    'Somebody changed the declaration meanwhile; get it again and repeat your change on that.',
  )
}

/** Deep nesting ends recursive readers with a stack overflow: refused before any sees it. */
function refuseDeep(value: unknown, limit = 100): void {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) throw new RefusedError(400, 'tooDeep', `The declaration is nested deeper than ${limit} levels.`)
    level = level.flatMap(one => (typeof one === 'object' && one !== null ? Object.values(one) : []))
  }
}
