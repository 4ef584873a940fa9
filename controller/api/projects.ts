// /api/v1/projects: list, get, declare, delete AppProjects.
import { Type } from 'typebox'
import type { Manifest } from '../../runtime/contract/manifest.js'
import type { Actor } from '../ledger.js'
import { type Api, actorOf } from './api.js'
import { done, listOf, nameParams, problems, refer } from './schemas.js'
import { RefusedError } from './service.js'

/** What the API asks of the controller; refusals are RefusedErrors. */
export interface ProjectsDoor {
  list(): readonly Manifest[]
  get(name: string): Manifest | null
  declare(
    manifest: unknown,
    by: Actor,
    dryRun: boolean,
  ): Promise<{ readonly name: string; readonly result: string; readonly warnings: readonly string[] }>
  remove(name: string, by: Actor): Promise<void>
}

const base = '/api/v1/projects'
const tags = ['projects']

export function projects(app: Api, door: ProjectsDoor): void {
  app.get(
    base,
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listProjects',
        tags,
        summary: 'Declared projects',
        response: { 200: listOf<Manifest>('Manifest'), ...problems },
      },
    },
    async () => {
      const items = door.list()
      return { version: 'v1' as const, items, total: items.length, continue: '' }
    },
  )

  app.get(
    `${base}/:name`,
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getProject',
        tags,
        summary: 'A project as it was declared',
        params: nameParams,
        response: { 200: refer<Manifest>('Manifest'), ...problems },
      },
    },
    async request => {
      const found = door.get(request.params.name)
      if (found === null) throw new RefusedError(404, 'notFound', `There is no project ${request.params.name}.`)
      return found
    },
  )

  app.put(
    `${base}/:name`,
    {
      config: { access: 'write' },
      schema: {
        operationId: 'declareProject',
        tags,
        summary: 'Create or replace a project',
        params: nameParams,
        querystring: Type.Object({ dryRun: Type.Boolean({ default: false, description: 'checks only; writes nothing' }) }),
        body: refer<Manifest>('Manifest'),
        response: {
          200: Type.Object({
            version: Type.Literal('v1'),
            name: Type.String(),
            result: Type.String(),
            warnings: Type.Array(Type.String()),
          }),
          ...problems,
        },
      },
    },
    async request => {
      const { name } = request.params
      if (request.body.metadata.name !== name)
        throw new RefusedError(400, 'invalidInput', `metadata.name and the address (${name}) must agree.`)
      const { result, warnings } = await door.declare(request.body, actorOf(request), request.query.dryRun)
      return { version: 'v1' as const, name, result, warnings: [...warnings] }
    },
  )

  app.delete(
    `${base}/:name`,
    {
      config: { access: 'write' },
      schema: {
        operationId: 'deleteProject',
        tags,
        summary: 'Delete a project that no application names',
        params: nameParams,
        response: { 200: done, ...problems },
      },
    },
    async request => {
      await door.remove(request.params.name, actorOf(request))
      return { version: 'v1' as const, message: `project ${request.params.name} is deleted` }
    },
  )
}
