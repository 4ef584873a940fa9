// What can be seen of one application: history, manifests, resource tree, diff, events; and the nodes.
import { Type } from 'typebox'
import type { Manifest } from '../../runtime/contract/manifest.js'
import type { StickyView } from '../sticky/view.js'
import type { AttemptView, DiffView, EventView, NodeView, ObjectView } from '../view.js'
import { type Api, known, type World } from './api.js'
import { masked, maskedPatch } from './masks.js'
import { listOf, nameParams, problems, refer } from './schemas.js'

const of = (what: string) => `/api/v1/applications/:name/${what}`
const release = (description: string, preset = '') => Type.String({ default: preset, maxLength: 200, description })
const limit = Type.Integer({ default: 100, minimum: 1, maximum: 1000 })

export function inspect(app: Api, { service }: World): void {
  app.get(
    of('history'),
    {
      config: { access: 'read' },
      schema: {
        operationId: 'history',
        tags: ['inspect'],
        summary: 'Every attempt, newest first',
        params: nameParams,
        querystring: Type.Object({ limit }),
        response: { 200: listOf<AttemptView>('Attempt'), ...problems },
      },
    },
    async request => whole(await service.history(known(service, request.params.name).name), request.query.limit),
  )

  app.get(
    of('manifests'),
    {
      config: { access: 'read' },
      schema: {
        operationId: 'manifests',
        tags: ['inspect'],
        summary: 'The rendered objects of a release; values of Secrets masked',
        params: nameParams,
        querystring: Type.Object({
          release: release('r14, an id, a commit; empty = the newest candidate; live = what was last applied'),
        }),
        response: { 200: listOf<Manifest>('Manifest'), ...problems },
      },
    },
    async request =>
      whole((await service.manifests(known(service, request.params.name).name, request.query.release)).map(masked)),
  )

  app.get(
    of('resource-tree'),
    {
      config: { access: 'read' },
      schema: {
        operationId: 'resourceTree',
        tags: ['inspect'],
        summary: 'Objects, their health, and what they own',
        params: nameParams,
        response: { 200: listOf<ObjectView>('Object'), ...problems },
      },
    },
    async request => whole(service.tree(known(service, request.params.name).name)),
  )

  app.get(
    of('sticky'),
    {
      config: { access: 'read' },
      schema: {
        operationId: 'sticky',
        tags: ['inspect'],
        summary: 'Passwords, keys, certificates and dates that its chart made and that are kept; without their values',
        params: nameParams,
        response: { 200: listOf<StickyView>('KeptValue'), ...problems },
      },
    },
    async request => whole(service.sticky(known(service, request.params.name).name)),
  )

  app.get(
    of('diff'),
    {
      config: { access: 'read' },
      schema: {
        operationId: 'diff',
        tags: ['inspect'],
        summary: 'What differs between two releases, or between a release and what runs',
        params: nameParams,
        querystring: Type.Object({ from: release('live = what runs', 'live'), to: release('empty = the newest candidate') }),
        response: { 200: refer<DiffView>('Diff'), ...problems },
      },
    },
    async request => {
      const diff = await service.diff(known(service, request.params.name).name, request.query.from, request.query.to)
      return {
        version: 'v1' as const,
        ...diff,
        objects: diff.objects.map(object => ({ ...object, patch: maskedPatch(object.ref, object.patch) })),
      }
    },
  )

  app.get(
    of('events'),
    {
      config: { access: 'read' },
      schema: {
        operationId: 'applicationEvents',
        tags: ['inspect'],
        summary: 'What happened, newest first',
        params: nameParams,
        querystring: Type.Object({ limit }),
        response: { 200: listOf<EventView>('Event'), ...problems },
      },
    },
    async request =>
      whole(await service.events(known(service, request.params.name).name, request.query.limit), request.query.limit),
  )

  app.get(
    '/api/v1/events',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'events',
        tags: ['inspect'],
        summary: 'What happened to any application, newest first',
        querystring: Type.Object({ limit }),
        response: { 200: listOf<EventView>('Event'), ...problems },
      },
    },
    async request => whole(await service.events(null, request.query.limit), request.query.limit),
  )

  app.get(
    '/api/v1/nodes',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'nodes',
        tags: ['nodes'],
        summary: 'The machines, when they were last heard, and what they hold',
        response: { 200: listOf<NodeView>('Node'), ...problems },
      },
    },
    async () => whole(service.nodes()),
  )
}

function whole<T>(items: readonly T[], limit = items.length): { version: 'v1'; items: T[]; total: number; continue: '' } {
  return { version: 'v1', items: items.slice(0, limit), total: items.length, continue: '' }
}
