// What goes over the wire, as JSON schemas: they check what comes in and are the OpenAPI document. Shapes: `../view.ts`.
import { type TSchema, Type } from 'typebox'

/** One object shape, closed: what is not listed here is not part of the API. */
const closed = <T extends Record<string, TSchema>>(properties: T, options: Record<string, unknown> = {}) =>
  Type.Object(properties, { additionalProperties: false, ...options })
const text = (description?: string) => Type.String(description === undefined ? {} : { description })
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const list = <T extends TSchema>(schema: T) => Type.Array(schema)
/** Refers to a named schema below. */
export const refer = <T>(name: SchemaName) => Type.Unsafe<T>({ $ref: `${name}#` })

export type SchemaName =
  | 'Problem'
  | 'ObjectRef'
  | 'Release'
  | 'Verdict'
  | 'Attempt'
  | 'Application'
  | 'Object'
  | 'Node'
  | 'Event'
  | 'Diff'
  | 'Manifest'
  | 'Token'
  | 'LogLine'
  | 'KeptValue'

export const stateWords = [
  'Healthy',
  'Releasing',
  'RollingBack',
  'RolledBack',
  'Failed',
  'Held',
  'OutOfSync',
  'Degraded',
  'Unknown',
  'Paused',
  'Deleting',
] as const

const condition = closed({ type: text(), status: text(), message: text() })
const amounts = closed({ cpuMillis: Type.Number(), memoryBytes: Type.Number(), pods: Type.Number() })
const assessed = closed({ status: text(), message: text() })
const actorAt = { by: text(), at: text('RFC 3339') }

const named: Record<SchemaName, TSchema> = {
  Problem: closed({
    type: text(),
    title: text(),
    status: Type.Integer(),
    code: text('stable; programs branch on it'),
    detail: text('what, where, what to do'),
    requestId: text(),
    errors: list(closed({ pointer: text('JSON pointer into the request'), message: text() })),
  }),
  ObjectRef: closed({ group: text(), kind: text(), namespace: text(), name: text() }),
  Release: closed({
    id: text(),
    number: text('r14'),
    commit: text(),
    revisions: list(text('of each source, in their order')),
    subject: text(),
    author: text(),
    committedAt: text(),
  }),
  Verdict: closed({
    kind: Type.Union([Type.Literal('bad'), Type.Literal('surroundings')]),
    sign: text(),
    message: text(),
    object: orNull(refer('ObjectRef')),
    pod: text(),
    container: text(),
    reason: text(),
    exitCode: orNull(Type.Integer()),
    restarts: Type.Integer(),
    log: list(text()),
    limit: text(),
    at: text(),
  }),
  Attempt: closed({
    number: Type.Integer(),
    release: orNull(refer('Release')),
    cause: text(),
    by: text(),
    step: text(),
    stepDetail: text(),
    outcome: orNull(Type.Union(['Healthy', 'RolledBack', 'Failed', 'Held', 'Superseded'].map(word => Type.Literal(word)))),
    message: text(),
    times: closed(
      Object.fromEntries(
        ['pushed', 'seen', 'rendered', 'preflighted', 'applied', 'healthy', 'baked', 'judged', 'ended'].map(at => [at, text()]),
      ),
    ),
    verdict: orNull(refer('Verdict')),
    moves: list(closed({ at: text(), step: text(), message: text() })),
    counts: closed({ objects: Type.Integer(), changed: Type.Integer(), pruned: Type.Integer() }),
    wentBackTo: text(),
  }),
  Application: closed({
    version: Type.Optional(Type.Literal('v1')),
    name: text(),
    uid: text(),
    project: text(),
    place: text('node/lab or cluster/prod-eu'),
    namespace: text(),
    state: Type.Union(stateWords.map(word => Type.Literal(word))),
    message: text('one sentence: what, why, what next'),
    short: text(),
    since: text(),
    release: orNull(refer('Release')),
    candidate: orNull(refer('Release')),
    good: orNull(refer('Release')),
    source: closed({ repoURL: text(), path: text(), chart: text(), targetRevision: text() }),
    attempt: orNull(refer('Attempt')),
    health: assessed,
    sync: closed({ status: Type.Union(['Synced', 'OutOfSync', 'Unknown'].map(word => Type.Literal(word))), message: text() }),
    stale: orNull(closed({ since: text(), message: text() })),
    paused: orNull(closed({ ...actorAt, reason: text() })),
    pinned: orNull(closed({ to: text(), ...actorAt })),
    requests: list(
      closed({ id: text(), kind: Type.Union(['sync', 'rollback', 'retry'].map(word => Type.Literal(word))), ...actorAt }),
    ),
    why: closed({
      headline: text(),
      attempt: orNull(refer('Attempt')),
      likely: text(),
      next: list(text()),
      commands: list(text()),
    }),
    blockedBy: list(
      closed({
        kind: Type.Union(['window', 'dependency'].map(word => Type.Literal(word))),
        application: text('the one that is waited for'),
        message: text(),
        until: text('when it ends by itself'),
      }),
    ),
    asks: orNull(
      closed({
        act: Type.Union(['prune', 'delete'].map(word => Type.Literal(word))),
        objects: list(refer('ObjectRef')),
        since: text('a word said before does not count'),
      }),
    ),
    policy: closed({
      automated: Type.Boolean(),
      selfHeal: Type.Boolean(),
      prune: Type.Boolean(),
      onFailure: text(),
      healthTimeoutSeconds: Type.Number(),
      bakeTimeSeconds: Type.Number(),
      writeBack: text(),
    }),
    warnings: list(text()),
    deleting: Type.Boolean(),
  }),
  Object: closed({
    ref: refer('ObjectRef'),
    health: assessed,
    sync: text('Synced, OutOfSync, Extra, or empty for what is owned by another'),
    wave: Type.Integer(),
    hook: text(),
    origin: text('file and line'),
    drift: list(closed({ path: text(), live: text(), want: text(), manager: text(), at: text() })),
    pod: orNull(
      closed({
        name: text(),
        ready: Type.Boolean(),
        phase: text(),
        ip: text(),
        release: text(),
        restarts: Type.Integer(),
        containers: list(
          closed({
            name: text(),
            ready: Type.Boolean(),
            state: text(),
            reason: text(),
            restartCount: Type.Integer(),
            image: text(),
          }),
        ),
        createdAt: text(),
        readyAt: text("since when; '' while it is not ready"),
      }),
    ),
    children: list(refer('Object')),
  }),
  Node: closed({
    name: text(),
    ready: Type.Boolean(),
    lastSeen: text(),
    versions: Type.Record(Type.String(), Type.String()),
    applications: Type.Integer(),
    pods: Type.Integer(),
    capacity: amounts,
    allocated: amounts,
    conditions: list(condition),
  }),
  Event: closed({
    id: text(),
    at: text(),
    application: text(),
    what: text(),
    message: text(),
    attempt: Type.Integer(),
    release: text(),
    commit: text(),
  }),
  Diff: closed({
    version: Type.Optional(Type.Literal('v1')),
    from: text(),
    to: text(),
    objects: list(
      closed({
        ref: refer('ObjectRef'),
        change: Type.Union(['added', 'removed', 'changed'].map(word => Type.Literal(word))),
        patch: list(Type.Unknown({ description: 'RFC 6902' })),
        text: text('unified diff'),
      }),
    ),
  }),
  Manifest: Type.Object(
    { apiVersion: text(), kind: text(), metadata: Type.Object({}, { additionalProperties: true }) },
    { additionalProperties: true },
  ),
  Token: closed({
    id: text(),
    name: text(),
    role: Type.Union(['read', 'write', 'admin'].map(word => Type.Literal(word))),
    createdAt: text(),
    expiresAt: text(),
  }),
  KeptValue: closed({
    key: text(),
    id: text('enough to name it by'),
    function: text('that made it; lookup: taken over from an object that was there; chart: the version that a range meant'),
    file: text('the template that asked first'),
    label: text('the YAML key or variable on whose line it stands'),
    at: text('RFC 3339'),
    from: text('minted, live (taken over) or renamed'),
    expires: text("of a certificate, RFC 3339; '' otherwise"),
    places: list(text('Secret shop/db data.password')),
    used: Type.Boolean(),
  }),
  LogLine: closed({ at: text(), pod: text(), container: text(), text: text() }),
}

/** With their names as $id, for `app.addSchema`. */
export const namedSchemas: readonly (TSchema & { $id: string })[] = Object.entries(named).map(([name, schema]) => ({
  ...schema,
  $id: name,
}))

/** Every answer that is not a success. */
export const problems = { '4xx': refer('Problem'), '5xx': refer('Problem') }

/** A list's envelope: stable `version`, the items, how many there are in all, and where to go on. */
export function listOf<T>(name: SchemaName, extra: Record<string, TSchema> = {}) {
  return closed({
    version: Type.Literal('v1'),
    items: Type.Array(refer<T>(name)),
    total: Type.Integer(),
    continue: text('pass it back for the next page; empty = no more'),
    ...extra,
  })
}

export const nameParams = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 253, pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$' }),
})
export const accepted = closed({ version: Type.Literal('v1'), request: text('consumed by the first pass that obeys it') })
export const done = closed({ version: Type.Literal('v1'), message: text() })
export const rotated = closed({
  version: Type.Literal('v1'),
  request: text('consumed by the first pass that obeys it'),
  rotated: list(text('keys')),
})
