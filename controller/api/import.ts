// /api/v1/import: what of an Argo CD can be taken over; to observe it, to take an application over, to give it back.
import { Type } from 'typebox'
import type { ImportItem } from '../importing.js'
import type { Actor } from '../ledger.js'
import { type Api, actorOf } from './api.js'
import { done, nameParams, problems } from './schemas.js'

export interface ImportAsked {
  /** One of the configuration's; '' where `objects` are given. */
  readonly cluster: string
  readonly namespace: string
  readonly objects: readonly unknown[]
}

export interface ArgoDoor {
  plan(asked: ImportAsked): Promise<readonly ImportItem[]>
  /** Declares what can be: projects as they are, applications to be observed only. */
  observe(asked: ImportAsked, by: Actor): Promise<readonly ImportItem[]>
  takeOver(name: string, by: Actor): Promise<{ readonly message: string }>
  handBack(name: string, by: Actor): Promise<{ readonly message: string }>
}

const tags = ['import']
const item = Type.Object({
  kind: Type.String(),
  name: Type.String(),
  verdict: Type.String({ description: 'take, taken, refused, or yours: something for a person to do' }),
  notes: Type.Array(Type.String()),
})

export function importing(app: Api, door: ArgoDoor): void {
  app.post(
    '/api/v1/import',
    {
      config: { access: 'write' },
      bodyLimit: 16 << 20,
      schema: {
        operationId: 'import',
        tags,
        summary: 'What of an Argo CD can be taken over; with `observe`, its applications are declared to be observed',
        body: Type.Object(
          {
            cluster: Type.String({ default: '', maxLength: 253 }),
            namespace: Type.String({ default: 'argocd', maxLength: 253 }),
            objects: Type.Array(Type.Unknown(), { default: [], maxItems: 20_000 }),
            observe: Type.Boolean({ default: false }),
          },
          { additionalProperties: false },
        ),
        response: { 200: Type.Object({ version: Type.Literal('v1'), items: Type.Array(item) }), ...problems },
      },
    },
    async request => {
      const { observe, ...asked } = request.body
      const items = observe ? await door.observe(asked, actorOf(request)) : await door.plan(asked)
      const shown = items.map(({ kind, name, verdict, notes }) => ({ kind, name, verdict, notes: [...notes] }))
      return { version: 'v1' as const, items: shown }
    },
  )

  for (const [act, summary, operationId] of [
    ['take-over', 'An application that was only observed is released from here from now on', 'takeOver'],
    ['hand-back', 'An application is let go with everything it runs, and Argo CD told to go on with it', 'handBack'],
  ] as const)
    app.post(
      `/api/v1/applications/:name/${act}`,
      {
        config: { access: 'write' },
        schema: { operationId, tags, summary, params: nameParams, response: { 200: done, ...problems } },
      },
      async request => {
        const { name } = request.params
        const { message } = await (act === 'take-over' ? door.takeOver : door.handBack)(name, actorOf(request))
        return { version: 'v1' as const, message }
      },
    )
}
