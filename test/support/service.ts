// A Service over plain data, for tests of what stands before it: API, terminal, page. It decides nothing; tests put in what they want seen.

import { RefusedError, type Service, type StreamChange } from '../../controller/api/service.js'
import type { Actor } from '../../controller/ledger.js'
import type { StickyView } from '../../controller/sticky/view.js'
import type {
  ApplicationView,
  AttemptView,
  DiffView,
  EventView,
  NodeView,
  ObjectView,
  ReleaseView,
  VerdictView,
} from '../../controller/view.js'
import type { Manifest, ObjectRef } from '../../runtime/contract/manifest.js'

/** 2026-03-01 12:00:00 UTC: "now" in what these builders make. */
export const noon = Date.parse('2026-03-01T12:00:00Z')
export const ago = (seconds: number) => new Date(noon - seconds * 1000).toISOString()

const none = { pushed: '', seen: '', rendered: '', preflighted: '', applied: '', healthy: '', baked: '', judged: '', ended: '' }

export function release(number: number, commit: string, over: Partial<ReleaseView> = {}): ReleaseView {
  return {
    id: `rel-${commit.padEnd(16, '0')}`,
    number: `r${number}`,
    commit: commit.padEnd(40, '0'),
    revisions: [commit.padEnd(40, '0')],
    subject: 'Say hello',
    author: 'Ana Lima',
    committedAt: ago(60),
    ...over,
  }
}

export function attempt(over: Partial<AttemptView> = {}): AttemptView {
  return {
    number: 1,
    release: release(14, '9be03d7'),
    cause: 'commit',
    by: 'Ana Lima',
    step: 'Ended',
    stepDetail: '',
    outcome: 'Healthy',
    message: 'healthy after 4 s',
    times: { ...none, seen: ago(40), applied: ago(38), healthy: ago(34), ended: ago(4) },
    verdict: null,
    moves: [],
    counts: { objects: 5, changed: 2, pruned: 0 },
    wentBackTo: '',
    ...over,
  }
}

export function verdict(over: Partial<VerdictView> = {}): VerdictView {
  return {
    kind: 'bad',
    sign: 'CrashLoop',
    message: 'container web exited 1 three times, never ready',
    object: { group: 'apps', kind: 'Deployment', namespace: 'shop', name: 'web' },
    pod: 'web-6c7d',
    container: 'web',
    reason: 'Error',
    exitCode: 1,
    restarts: 2,
    log: ['12:01:07 connecting to cache:6379', '12:01:07 Error: getaddrinfo ENOTFOUND cache'],
    limit: 'restartsAllowed 2',
    at: ago(14),
    ...over,
  }
}

export function view(name: string, over: Partial<ApplicationView> = {}): ApplicationView {
  const good = release(14, '9be03d7')
  return {
    name,
    uid: `uid-${name}`,
    project: 'default',
    place: 'node/lab',
    namespace: name,
    state: 'Healthy',
    message: `9be03d7 runs, healthy, 3 of 3 ready.`,
    short: '',
    since: ago(3 * 3600),
    release: good,
    candidate: good,
    good,
    source: { repoURL: `http://git.test/${name}.git`, path: 'deploy', chart: '', targetRevision: 'main' },
    attempt: attempt(),
    health: { status: 'Healthy', message: '3 of 3 ready' },
    sync: { status: 'Synced', message: '' },
    stale: null,
    paused: null,
    pinned: null,
    requests: [],
    blockedBy: [],
    asks: null,
    why: {
      headline: `${name} is healthy: it runs 9be03d7 (r14), 3 of 3 ready.`,
      attempt: null,
      likely: '',
      next: ['Nothing to do.'],
      commands: [],
    },
    policy: {
      automated: true,
      selfHeal: true,
      prune: true,
      onFailure: 'RollBack',
      healthTimeoutSeconds: 300,
      bakeTimeSeconds: 30,
      writeBack: 'none',
    },
    warnings: [],
    deleting: false,
    ...over,
  }
}

/** The application of interface.md: 4f2a91c crashed and was hauled back. */
export function rolledBack(name = 'shop'): ApplicationView {
  const bad = release(31, '4f2a91c', { subject: 'Use the new cache', committedAt: ago(40) })
  const good = release(30, '9be03d7')
  const judged = attempt({
    number: 31,
    release: bad,
    outcome: 'RolledBack',
    message: 'judged bad after 6 s',
    verdict: verdict(),
    times: { ...none, seen: ago(38), rendered: ago(37), applied: ago(20), judged: ago(14), ended: ago(12) },
  })
  return view(name, {
    state: 'RolledBack',
    message:
      '4f2a91c "Use the new cache" by Ana Lima was judged bad after 6 s: container web exited 1 three times. 9be03d7 runs, healthy, 3 of 3 ready. Push a fix or retry.',
    short: '4f2a91c is bad: web exited 1 three times',
    since: ago(12),
    release: good,
    candidate: bad,
    good,
    attempt: judged,
    sync: { status: 'OutOfSync', message: 'newest is 4f2a91c' },
    why: {
      headline: `${name} was rolled back 12 s ago. It runs 9be03d7 (r30), healthy, 3 of 3 ready.`,
      attempt: judged,
      likely: 'no Service "cache" in namespace shop. There is "cache-redis" (shop), "cache" (other).',
      next: ['Not tried again until its content changes.'],
      commands: [`slipway retry ${name}`, `slipway diff ${name} 9be03d7 4f2a91c`],
    },
  })
}

export function node(name: string, over: Partial<NodeView> = {}): NodeView {
  return {
    name,
    ready: true,
    lastSeen: ago(2),
    versions: { runtime: '0.1.0', engine: 'docker 20.10.24', haproxy: '2.6.12' },
    applications: 3,
    pods: 7,
    capacity: { cpuMillis: 2000, memoryBytes: 4 * 2 ** 30, pods: 110 },
    allocated: { cpuMillis: 700, memoryBytes: 2 ** 30, pods: 7 },
    conditions: [],
    ...over,
  }
}

export function object(ref: Partial<ObjectRef> = {}, over: Partial<ObjectView> = {}): ObjectView {
  return {
    ref: { group: 'apps', kind: 'Deployment', namespace: 'shop', name: 'web', ...ref },
    health: { status: 'Healthy', message: '3 of 3 ready' },
    sync: 'Synced',
    wave: 0,
    hook: '',
    origin: 'templates/web.hbs:1',
    drift: [],
    pod: null,
    children: [],
    ...over,
  }
}

export function event(application: string, what: string, over: Partial<EventView> = {}): EventView {
  return {
    id: `${application}-${what}`,
    at: ago(10),
    application,
    what,
    message: `${application}: ${what}`,
    attempt: 1,
    release: 'r14',
    commit: '9be03d7',
    ...over,
  }
}

export interface Call {
  readonly act: string
  readonly name: string
  readonly by: Actor
  readonly options: unknown
}

type LogLine = { readonly at: string; readonly pod: string; readonly container: string; readonly text: string }

/** What is told and what was asked, both open to the test. `tell` puts a change on the stream and keeps it. */
export interface Told {
  readonly service: Service
  readonly calls: Call[]
  readonly woken: { readonly repoURL: string; readonly ref: string | null }[]
  readonly views: Map<string, ApplicationView>
  readonly declarations: Map<string, Manifest>
  history: readonly AttemptView[]
  manifests: readonly Manifest[]
  tree: readonly ObjectView[]
  diff: DiffView
  sticky: readonly StickyView[]
  events: readonly EventView[]
  nodes: readonly NodeView[]
  logs: readonly LogLine[]
  readiness: ReturnType<Service['readiness']>
  /** Called at each act, before it answers: what happens next is the test's. */
  onAct: (call: Call) => void
  tell(change: StreamChange): void
}

export function serviceTelling(views: readonly ApplicationView[]): Told {
  const listeners = new Set<(change: StreamChange) => void>()
  const told: Told = {
    service: undefined as unknown as Service,
    calls: [],
    woken: [],
    views: new Map(views.map(one => [one.name, one])),
    declarations: new Map(),
    history: [],
    manifests: [],
    tree: [],
    diff: { from: 'live', to: '', objects: [] },
    sticky: [],
    events: [],
    nodes: [],
    logs: [],
    readiness: [{ part: 'git', ok: true, message: '' }],
    onAct: () => {},
    tell(change) {
      if (change.type === 'application') told.views.set(change.view.name, change.view)
      if (change.type === 'removed') told.views.delete(change.name)
      if (change.type === 'event') told.events = [change.event, ...told.events]
      for (const listener of listeners) listener(change)
    },
  }
  return Object.assign(told, { service: serviceOver(told, listeners) })
}

function serviceOver(told: Told, listeners: Set<(change: StreamChange) => void>): Service {
  const asked = (act: string, name: string, by: Actor, options: unknown) => {
    told.calls.push({ act, name, by, options })
    told.onAct({ act, name, by, options })
    return { request: `req-${told.calls.length}` }
  }
  return {
    applications: () => [...told.views.values()],
    application: name => told.views.get(name) ?? null,
    declaration: name => told.declarations.get(name) ?? null,
    async declare(manifest, by, options) {
      const given = manifest as Manifest
      if (given.kind !== 'Application')
        throw new RefusedError(422, 'invalidInput', 'kind must be Application.', [
          { pointer: '/kind', message: 'must be Application' },
        ])
      const before = told.declarations.get(given.metadata.name)
      const outcome = { created: before === undefined, changed: JSON.stringify(before) !== JSON.stringify(given) }
      asked('declare', given.metadata.name, by, options)
      if (options.dryRun) return { view: null, ...outcome }
      told.declarations.set(given.metadata.name, given)
      if (!told.views.has(given.metadata.name))
        told.views.set(given.metadata.name, view(given.metadata.name, { state: 'Releasing', attempt: null }))
      return { view: told.views.get(given.metadata.name) ?? null, ...outcome }
    },
    async remove(name, by, options) {
      asked('remove', name, by, options)
      return { message: `${name} is being deleted.` }
    },
    sync: async (name, by, options) => asked('sync', name, by, options),
    rollback: async (name, by, options) => asked('rollback', name, by, options),
    retry: async (name, by, options) => asked('retry', name, by, options),
    sticky: () => told.sticky,
    rotate: async (name, by, options) => ({ ...asked('rotate', name, by, options), rotated: options.keys }),
    async approve(name, by) {
      asked('approve', name, by, {})
      return { message: `deletion of ConfigMap ${name}/old approved.` }
    },
    async pause(name, by, reason) {
      asked('pause', name, by, { reason })
    },
    async resume(name, by) {
      asked('resume', name, by, {})
    },
    history: async () => told.history,
    manifests: async () => told.manifests,
    tree: () => told.tree,
    diff: async (_name, from, to) => ({ ...told.diff, from, to }),
    events: async (name, limit) => told.events.filter(one => name === null || one.application === name).slice(0, limit),
    async *logs(_name, options, signal) {
      yield* told.logs.slice(-options.tail)
      if (options.follow)
        await new Promise(resolve => (signal.aborted ? resolve(null) : signal.addEventListener('abort', resolve, { once: true })))
    },
    nodes: () => told.nodes,
    wakeRepository(repoURL, ref) {
      told.woken.push({ repoURL, ref })
      return 0
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async *backup() {
      yield Buffer.from('slipway-archive ')
      yield Buffer.from(JSON.stringify([...told.views.keys()]))
    },
    async restore(archive) {
      if (!Buffer.from(archive).toString().startsWith('slipway-archive'))
        throw new RefusedError(422, 'invalidInput', 'This is no archive that `slipway backup` wrote.')
      return { message: `Restored ${archive.length} bytes.` }
    },
    readiness: () => told.readiness,
  }
}
