// Builders for what a node plans with: manifests, documents and pods as data, and a node that moves on when told to.
import { deepStrictEqual } from 'node:assert'
import type { DesiredDocument, ObservedContainer } from '../../runtime/contract/documents.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import type { DataPlaneState } from '../../runtime/network/types.js'
import type { PodRecord, PodView } from '../../runtime/pods/types.js'
import { type NodeInput, type NodeMemory, type NodePlan, planNode, trafficOf } from '../../runtime/workloads/node.js'

export const epoch = Date.parse('2026-01-01T00:00:00Z')

export function document(objects: readonly Manifest[], more: Partial<DesiredDocument> = {}): DesiredDocument {
  return {
    contract: 1,
    node: 'here',
    application: { name: 'shop', uid: 'shop-1' },
    epoch: 1,
    generation: 1,
    attempt: 1,
    release: 'r1',
    commit: 'c1',
    deleted: false,
    letGo: false,
    objects,
    digests: {},
    preflight: null,
    ledger: '',
    ...more,
  }
}

export function container(more: object = {}): object {
  return { name: 'web', image: 'web:1', ports: [{ name: 'http', containerPort: 8080 }], ...more }
}

export function deployment(spec: object = {}, pod: object = {}, name = 'web', container_: object = {}): Manifest {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'shop' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [container(container_)], ...pod } },
      ...spec,
    },
  }
}

export function object(apiVersion: string, kind: string, name: string, rest: object = {}): Manifest {
  return { apiVersion, kind, metadata: { name, namespace: 'shop' }, ...rest }
}

export function observedContainer(more: Partial<ObservedContainer> = {}): ObservedContainer {
  return {
    name: 'web',
    init: false,
    image: 'web:1',
    imageId: 'sha256:1',
    ready: true,
    everReady: true,
    started: true,
    restartCount: 0,
    state: { state: 'running', startedAt: new Date(epoch).toISOString() },
    last: null,
    oomKills: 0,
    lastLog: [],
    memoryLimit: 0,
    troubledAt: '',
    ...more,
  }
}

export function view(record: PodRecord, more: Partial<PodView> = {}): PodView {
  return {
    record,
    phase: 'Running',
    ready: false,
    readyAt: null,
    terminating: false,
    ip: '10.0.0.1',
    reason: '',
    message: '',
    containers: [],
    finishedAt: null,
    ...more,
  }
}

/** The state of a planned node between passes; everything that time or the engine does is a method. */
export interface Toy {
  now: number
  documents: readonly DesiredDocument[]
  pods: readonly PodView[]
  memory: NodeMemory
  refusals: NodeInput['refusals']
  /** One pass, planned with what is kept of the passes before, which must be what is planned without: what it decides is done (made pods are there, not ready; ended ones are terminating). */
  pass(): NodePlan & { readonly dataPlane: DataPlaneState }
  /** Passes until one decides nothing. */
  rest(): NodePlan & { readonly dataPlane: DataPlaneState }
  /** Matching pods become ready, or lose it. */
  ready(which?: (pod: PodView) => boolean, value?: boolean): void
  change(which: (pod: PodView) => boolean, more: Partial<PodView>): void
  /** Terminating pods are gone. */
  gone(): void
}

export function toy(...documents: readonly DesiredDocument[]): Toy {
  let made = 0
  const plans: Parameters<typeof planNode>[1] = new Map()
  const idsAfter = (count: number) => () => {
    made = ++count
    return { uid: `u${made}`, suffix: String(made).padStart(5, 'x') }
  }
  const node: Toy = {
    now: epoch,
    documents,
    pods: [],
    memory: {},
    refusals: () => [],
    pass() {
      const before = made
      const anew = planNode({ ...node, salt: 'salt', newId: idsAfter(before) })
      const plan = planNode({ ...node, salt: 'salt', newId: idsAfter(before) }, plans)
      deepStrictEqual(plan, anew)
      const dataPlane = trafficOf({ ...node, memory: plan.memory })
      const ended = new Set(plan.terminate.map(ending => ending.uid))
      const kept = node.pods.map(pod => (ended.has(pod.record.uid) ? { ...pod, terminating: true, ready: false } : pod))
      const owners = new Map(plan.handOver.map(({ uid, application }) => [uid, application]))
      const handed = kept.map(pod => {
        const application = owners.get(pod.record.uid)
        return application === undefined ? pod : { ...pod, record: { ...pod.record, application } }
      })
      node.pods = [...handed, ...plan.create.map(record => view(record, { ip: `10.0.0.${made}` }))]
      node.memory = plan.memory
      return { ...plan, dataPlane }
    },
    rest() {
      for (let passes = 0; passes < 100; passes++) {
        const plan = node.pass()
        if (plan.create.length + plan.terminate.length === 0) return plan
      }
      throw new Error('the node does not come to rest')
    },
    ready(which = () => true, value = true) {
      node.change(pod => !pod.terminating && which(pod), { ready: value, readyAt: value ? node.now : null })
    },
    change(which, more) {
      node.pods = node.pods.map(pod => (which(pod) ? { ...pod, ...more } : pod))
    },
    gone() {
      node.pods = node.pods.filter(pod => !pod.terminating)
    },
  }
  return node
}
