// What a node says of one application, built from what was planned and seen; and whether that is anything new.
import {
  contractVersion,
  type DesiredDocument,
  type ObservedObject,
  type ObservedPod,
  type PreflightAnswer,
  type ReportDocument,
} from './contract/documents.js'
import { contentHash } from './contract/hash.js'
import { groupOf, type Manifest } from './contract/manifest.js'
import type { PodView } from './pods/types.js'
import { isAvailable } from './workloads/plan.js'

/** What the data plane gave a Service. */
export interface ServiceAddresses {
  readonly clusterIP: string
  /** By service port. */
  readonly nodePorts: Readonly<Record<string, number>>
  /** The node's own, for LoadBalancer. */
  readonly external: readonly string[]
}

export interface ReportInput {
  readonly document: DesiredDocument
  readonly objects: readonly ObservedObject[]
  /** Of this application. */
  readonly pods: readonly PodView[]
  readonly preflight: PreflightAnswer | null
  readonly addresses: (service: Manifest) => ServiceAddresses
  readonly now: number
}

export function reportOf({ document, objects, pods, preflight, addresses, now }: ReportInput): ReportDocument {
  const services = new Map(
    document.objects.filter(isService).map(service => [`${service.metadata.namespace ?? ''}/${service.metadata.name}`, service]),
  )
  return {
    contract: contractVersion,
    node: document.node,
    application: document.application,
    epoch: document.epoch,
    generation: document.generation,
    release: document.release,
    attempt: document.attempt,
    at: new Date(now).toISOString(),
    // Said only once it is true: nothing of the application is left.
    deleted: document.deleted && pods.length === 0,
    preflight,
    objects: objects.map(object => {
      const service = object.ref.kind === 'Service' ? services.get(`${object.ref.namespace}/${object.ref.name}`) : undefined
      return service === undefined
        ? object
        : { ...object, status: { ...serviceStatus(service, addresses(service)), ...object.status } }
    }),
    pods: pods.map(pod => observedPod(pod, now)),
    ledgerHash: ledgerHash(document),
  }
}

/** Documents never change once made, and every pass reports on each. */
const ledgerHashes = new WeakMap<DesiredDocument, string>()

function ledgerHash(document: DesiredDocument): string {
  const known = ledgerHashes.get(document) ?? (document.ledger === '' ? '' : contentHash(document.ledger))
  ledgerHashes.set(document, known)
  return known
}

function isService(manifest: Manifest): boolean {
  return manifest.kind === 'Service' && groupOf(manifest.apiVersion) === ''
}

function serviceStatus(
  service: Manifest,
  { clusterIP, nodePorts, external }: ServiceAddresses,
): Readonly<Record<string, unknown>> {
  const balanced = (service.spec as { readonly type?: string } | undefined)?.type === 'LoadBalancer'
  return { clusterIP, nodePorts, loadBalancer: balanced ? { ingress: external.map(ip => ({ ip })) } : {} }
}

export function observedPod(pod: PodView, now: number): ObservedPod {
  const { record } = pod
  return {
    name: record.name,
    namespace: record.namespace,
    uid: record.uid,
    owner: record.owner,
    workload: record.workload,
    templateHash: record.templateHash,
    release: record.release,
    attempt: record.attempt,
    phase: pod.phase,
    ready: pod.ready,
    available: isAvailable(pod, record.minReadySeconds, now),
    terminating: pod.terminating,
    ip: pod.ip,
    createdAt: record.createdAt,
    readyAt: pod.readyAt === null ? '' : new Date(pod.readyAt).toISOString(),
    reason: pod.reason,
    message: pod.message,
    containers: pod.containers,
  }
}

/** All that it says but when it was made: two reports with the same text say the same. */
export function textOf({ at: _, ...said }: ReportDocument): string {
  return JSON.stringify(said)
}
