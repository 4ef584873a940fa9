import type { Application } from '../../controller/application.js'
import type { NodeClusterOptions } from '../../controller/cluster/node/cluster.js'
import { createNodeCluster } from '../../controller/cluster/node/cluster.js'
import type { DesiredDocument, NodeCondition, ReportDocument } from '../../runtime/contract/documents.js'
import { manifestHash } from '../../runtime/contract/hash.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { refOf } from '../../runtime/contract/manifest.js'
import type { Link } from '../../runtime/nats/link.js'
import { startLink } from '../../runtime/nats/link.js'
import { application, type startField, until } from '../support/controller.js'

export type Field = Awaited<ReturnType<typeof startField>>
export const never = new AbortController().signal
export const canary = 'canary-4711-do-not-leak'
export const secret: Manifest = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'db', namespace: 'shop' },
  stringData: { password: canary },
}

/** A node that obeys at once and reports what it was given; its `disk` outlives the link, as a node's does. */
export function startNode(field: Field, disk = new Map<string, DesiredDocument>(), node: 'n1' | 'n2' = 'n1') {
  const stop = new AbortController()
  const state = {
    say: (conditions: readonly NodeCondition[]) => {
      state.conditions = conditions
      link.leaseNow()
    },
    report: (report: ReportDocument) => link.report(report),
    disk,
    seen: [] as DesiredDocument[],
    refused: [] as string[],
    ended: [] as string[],
    stop: () => stop.abort(),
    mute: false,
    conditions: [] as readonly NodeCondition[],
  }
  const bus = field.nodeBus(node)
  const link: Link = startLink(
    {
      bus,
      node,
      keys: field[node],
      controller: field.controller.identity,
      obeyed: () => disk,
      relistMs: 1_000,
      leaseMs: 500,
      describe: () => ({
        startedAt: '',
        versions: {},
        capacity: { cpuMillis: 1, memoryBytes: 1, pods: 1 },
        allocated: { cpuMillis: 0, memoryBytes: 0, pods: 0 },
        addresses: [],
        conditions: state.conditions,
      }),
      readLogs: async function* (request) {
        if (request.pod === 'none') throw new Error('no such pod')
        for (let line = 0; line < request.tail; line++)
          yield { at: '2026-01-01T00:00:00Z', stream: 'stdout', text: `${request.pod} ${line} ${canary}` }
      },
    },
    {
      document: document => {
        if (state.mute) return
        disk.set(document.application.name, document)
        state.seen.push(document)
        link.report(reportOf(document))
      },
      refused: (_, error) => state.refused.push(error.message),
      understood: () => {},
      ended: application => state.ended.push(application),
      interrupted: () => {},
    },
    AbortSignal.any([stop.signal, field.signal]),
  )
  for (const document of disk.values()) link.report(reportOf(document))
  field.ends.push(() => link.running)
  return state
}

export function reportOf(document: DesiredDocument): ReportDocument {
  const { contract, node, application, epoch, generation, release, attempt, deleted, objects, preflight } = document
  return {
    contract,
    node,
    application,
    epoch,
    generation,
    release,
    attempt,
    deleted,
    at: '2026-01-01T00:00:00Z',
    pods: [],
    ledgerHash: '',
    objects: objects.map(object => ({ ref: refOf(object), uid: '', hash: manifestHash(object), status: {}, attempt })),
    preflight:
      preflight === null
        ? null
        : {
            release: preflight.release,
            round: preflight.round,
            state: 'passed',
            problems: [],
            warnings: [],
            digests: {},
            progress: '',
          },
  }
}

export function startCluster(field: Field, fields: Partial<NodeClusterOptions> = {}) {
  const stop = new AbortController()
  const warnings: string[] = []
  const cluster = createNodeCluster(
    {
      bus: field.bus,
      keys: field.controller,
      identity: node => field.identities.find(identity => identity.node === node) ?? null,
      epoch: () => 100,
      overtaken: () => {},
      releases: () => [],
      warn: message => warnings.push(message),
      now: Date.now,
      relistMs: 1_000,
      ...fields,
    },
    AbortSignal.any([stop.signal, field.signal]),
  )
  field.ends.push(() => cluster.running)
  return { ...cluster, warnings, end: () => stop.abort() }
}

export const names = (objects: readonly Manifest[]) => objects.map(object => object.metadata.name).sort()
export const ready = (
  cluster: { observe(app: Application, signal: AbortSignal): Promise<{ silent: unknown }> },
  app = application(),
) => until('the node is heard', async () => (await cluster.observe(app, never)).silent === null)
/** The first write after a start waits for what the node runs; the pass would come again. */
export const soon = <T>(act: () => Promise<T>) =>
  until('it is written', async () => ({ result: await act() })).then(({ result }) => result)
