// /metrics: Argo CD's names and labels, so that existing boards and alerts carry over, and our own beside them.
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { ApplicationView, AttemptView } from '../view.js'
import type { Api, World } from './api.js'
import { RefusedError, type StreamChange } from './service.js'

type Info = Readonly<Record<string, string | number>>

/** Argo's own words; whatever else comes is Unknown, because alerts match them exactly (interfaces.md, section 5). */
const healthWords = ['Healthy', 'Progressing', 'Degraded', 'Suspended', 'Missing', 'Unknown']
/** Superseded ones are nobody's failure and are not counted. */
const phases: Readonly<Record<string, string>> = { Healthy: 'Succeeded', RolledBack: 'Failed', Failed: 'Failed', Held: 'Error' }

export interface MetricsOptions {
  readonly streamClients: () => number
  /** Others' figures (reconcile durations, Git requests), shown beside ours. */
  readonly registries: readonly Registry[]
}

export function metrics(
  app: Api,
  { service, clock }: World,
  options: MetricsOptions,
): { countWebhook(provider: string, result: string): void } {
  const registry = new Registry()
  const registers = [registry]
  levels(registers, service, clock, options)
  const count = counters(registers)
  const seen = new Map(known(service).map(view => [view.name, endOf(view.attempt)]))
  const unsubscribe = service.subscribe(change => tally(change, seen, count))
  app.addHook('onClose', async () => unsubscribe())

  app.get(
    '/metrics',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'metrics',
        tags: ['health'],
        summary: 'Figures for Prometheus',
        response: { 200: { description: 'text exposition format', content: { 'text/plain': { schema: { type: 'string' } } } } },
      },
    },
    async (_request, reply) => {
      const texts = await Promise.all([registry, ...options.registries].map(one => one.metrics()))
      return reply.type(registry.contentType).send(texts.join('\n'))
    },
  )
  return { countWebhook: (provider, result) => count.webhooks.inc({ provider, result }) }
}

/** None while the store is being read: a figure that is missing says less than one that is wrong. */
function known(service: World['service']): ReturnType<World['service']['applications']> {
  try {
    return service.applications()
  } catch (error) {
    if (error instanceof RefusedError) return []
    throw error
  }
}

/** Read from memory whenever somebody asks. */
function levels(registers: Registry[], service: World['service'], clock: World['clock'], options: MetricsOptions): void {
  const level = (name: string, help: string, labelNames: string[], read: (set: (labels: Info, value: number) => void) => void) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset()
        read((labels, value) => this.set(labels, value))
      },
    })
  const infoLabels = [
    'namespace',
    'name',
    'project',
    'autosync_enabled',
    'repo',
    'dest_server',
    'dest_namespace',
    'sync_status',
    'health_status',
    'operation',
  ]
  level('argocd_app_info', 'One line an application.', infoLabels, set => {
    for (const view of known(service)) set(infoOf(view), 1)
  })
  level('slipway_applications', 'Applications by state.', ['state'], set => {
    const states = new Map<string, number>()
    for (const { state } of known(service)) states.set(state, (states.get(state) ?? 0) + 1)
    for (const [state, count] of states) set({ state }, count)
  })
  level('slipway_node_last_seen_age_seconds', 'Since a node was last heard.', ['node'], set => {
    for (const node of service.nodes())
      if (node.lastSeen !== '') set({ node: node.name }, Math.max(0, clock.now() - Date.parse(node.lastSeen)) / 1000)
  })
  level('slipway_ready', '1 where a part is well.', ['part'], set => {
    for (const { part, ok } of service.readiness()) set({ part }, ok ? 1 : 0)
  })
  level('slipway_stream_clients', 'Open event streams.', [], set => set({}, options.streamClients()))
  level('process_resident_memory_bytes', 'Resident memory.', [], set => set({}, process.memoryUsage.rss()))
  level('process_cpu_seconds_total', 'User and system time.', [], set =>
    set({}, (process.cpuUsage().user + process.cpuUsage().system) / 1e6),
  )
}

function counters(registers: Registry[]) {
  const appLabels = ['namespace', 'name', 'project', 'dest_server']
  return {
    syncs: new Counter({
      name: 'argocd_app_sync_total',
      help: 'Attempts that ended.',
      labelNames: [...appLabels, 'phase'],
      registers,
    }),
    durations: new Counter({
      name: 'argocd_app_sync_duration_seconds_total',
      help: 'Time spent in attempts that ended.',
      labelNames: appLabels,
      registers,
    }),
    rollbacks: new Counter({
      name: 'slipway_rollbacks_total',
      help: 'Releases that were rolled back, by what they showed.',
      labelNames: ['name', 'reason'],
      registers,
    }),
    commitToHealthy: new Histogram({
      name: 'slipway_commit_to_healthy_seconds',
      help: 'From the first sight of a commit to all of it healthy.',
      buckets: [0.5, 1, 2, 4, 8, 16, 32, 64, 128, 300, 600],
      registers,
    }),
    webhooks: new Counter({
      name: 'slipway_webhook_requests_total',
      help: 'Webhooks by provider and what became of them.',
      labelNames: ['provider', 'result'],
      registers,
    }),
  }
}

/** Counts an attempt's end once, however often its application is told again. */
function tally(change: StreamChange, seen: Map<string, string>, count: ReturnType<typeof counters>): void {
  if (change.type === 'removed') seen.delete(change.name)
  if (change.type !== 'application') return
  const { view } = change
  const end = endOf(view.attempt)
  const before = seen.get(view.name)
  seen.set(view.name, end)
  if (view.attempt?.outcome == null || end === before) return
  countEnd(view, view.attempt, count)
}

function countEnd(view: ApplicationView, attempt: AttemptView, count: ReturnType<typeof counters>): void {
  const labels = { namespace: 'argocd', name: view.name, project: view.project, dest_server: view.place }
  const phase = phases[attempt.outcome ?? '']
  if (phase !== undefined) count.syncs.inc({ ...labels, phase })
  const { seen, healthy, ended } = attempt.times
  if (phase !== undefined) count.durations.inc(labels, secondsBetween(seen, ended))
  if (attempt.outcome === 'RolledBack') count.rollbacks.inc({ name: view.name, reason: attempt.verdict?.sign ?? '' })
  if (attempt.outcome === 'Healthy' && attempt.cause === 'commit') count.commitToHealthy.observe(secondsBetween(seen, healthy))
}

function endOf(attempt: AttemptView | null): string {
  return attempt?.outcome == null ? '' : `${attempt.number} ${attempt.outcome}`
}

function secondsBetween(from: string, to: string): number {
  return Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000 || 0)
}

function infoOf(view: ApplicationView): Info {
  return {
    namespace: 'argocd',
    name: view.name,
    project: view.project,
    autosync_enabled: String(view.policy.automated),
    repo: withoutCredentials(view.source.repoURL),
    dest_server: view.place,
    dest_namespace: view.namespace,
    sync_status: view.sync.status,
    health_status: healthWords.includes(view.health.status) ? view.health.status : 'Unknown',
    operation: view.deleting ? 'delete' : view.state === 'Releasing' || view.state === 'RollingBack' ? 'sync' : '',
  }
}

function withoutCredentials(url: string): string {
  return url.replace(/^(\w+:\/\/)[^/@]*@/, '$1')
}
