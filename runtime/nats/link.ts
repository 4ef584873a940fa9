// A node's whole link to its controller in one place: follows documents, writes reports and the lease, gives back what a store lost.

import type { DesiredDocument, NodeLease, ReportDocument } from '../contract/documents.js'
import { contractVersion } from '../contract/documents.js'
import type { ControllerIdentity, NodeKeys } from '../contract/keys.js'
import { decodePublicKey, encodePublicKey } from '../contract/keys.js'
import type { LogLine, LogRequest } from '../contract/logs.js'
import type { Bus } from './bus/connect.js'
import { followDesired } from './desired.js'
import { startNodeLease } from './lease.js'
import { serveLogs } from './logs.js'
import { startReporter } from './report.js'

export interface LinkOptions {
  readonly bus: Bus
  readonly node: string
  readonly keys: NodeKeys
  /** Of the controller that this node joined. */
  readonly controller: ControllerIdentity
  /** Documents that the node obeys now (from its own disk after a start), by application name. */
  obeyed(): ReadonlyMap<string, DesiredDocument>
  /** May this be obeyed, of an application of which nothing is? Default: anything. */
  mayBegin?(document: DesiredDocument): boolean
  /** Size and state of the node, for its lease. */
  describe(): Omit<NodeLease, 'contract' | 'node' | 'at' | 'sealKey' | 'told'>
  readLogs(request: LogRequest, signal: AbortSignal): AsyncIterable<LogLine>
  readonly relistMs?: number
  readonly leaseMs?: number
}

export interface LinkHandlers {
  /** Newer than what is obeyed: verified, opened, whole. May come again until `obeyed()` has it. */
  document(document: DesiredDocument): void
  /** A document that is not to be obeyed (foreign, changed, older): loud, once for each writing. */
  refused(application: string, error: Error): void
  /** What was refused of it is not there any more. */
  understood(application: string): void
  /** Deleted, and reported so, and the controller has no document of it any more. */
  ended(application: string): void
  /** The way to NATS is broken: once for each break. */
  interrupted(error: Error): void
}

export interface Link {
  /** Call when something changed. Never waits: the newest is written as soon as it can be. */
  report(document: ReportDocument): void
  /** After everything of a deleted application has ended and was reported. */
  forget(application: string): void
  /** Writes the lease now (a condition changed). */
  leaseNow(): void
  /** Ends when the signal has aborted. */
  readonly running: Promise<void>
}

export function startLink(options: LinkOptions, handlers: LinkHandlers, signal: AbortSignal): Link {
  const { bus, node, keys, controller } = options
  const [signing, sealing] = [decodePublicKey('ed25519', controller.signing), decodePublicKey('x25519', controller.sealing)]
  let desiredListed = ''
  /** Applications of which the controller has a document. Who has none asks nothing: no report of a tombstone is written for it. */
  const present = new Set<string>()
  /** Reports of tombstones that are obeyed. */
  const held = new Map<string, ReportDocument>()
  const report = (document: ReportDocument) => {
    const { name } = document.application
    held.delete(name)
    if (document.deleted) held.set(name, document)
    if (!document.deleted || present.has(name)) reporter.report(document)
  }
  const lease = startNodeLease(
    { bus, node, describe: () => leaseOf(), ...(options.leaseMs ? { everyMs: options.leaseMs } : {}) },
    signal,
  )
  const reporter = startReporter(
    { bus, node, controller: sealing, ...(options.leaseMs ? { checkMs: options.leaseMs } : {}) },
    { changed: lease.now, failed: handlers.interrupted },
    signal,
  )
  const leaseOf = (): NodeLease => ({
    ...options.describe(),
    contract: contractVersion,
    node,
    at: new Date().toISOString(),
    sealKey: encodePublicKey(keys.sealing.publicKey),
    told: { desired: reporter.settled() === '' ? '' : desiredListed, reports: reporter.settled() },
  })
  // What lies there when it is back is listed first.
  const stopStatus = bus.onStatus(({ connected }) => {
    if (connected) return
    present.clear()
    for (const application of held.keys()) reporter.forget(application)
  })
  signal.addEventListener('abort', stopStatus, { once: true })
  const listed = (created: string, lost: readonly string[], there: readonly string[]) => {
    present.clear()
    for (const application of there) present.add(application)
    for (const application of [...held.keys()].filter(name => !options.obeyed().has(name))) held.delete(application)
    for (const [application, document] of held) if (present.has(application)) reporter.report(document)
    for (const application of lost) {
      const document = options.obeyed().get(application)
      if (document === undefined) continue
      if (!held.has(application)) reporter.giveBack(document)
      else {
        reporter.forget(application)
        handlers.ended(application)
      }
    }
    if (desiredListed === created) return
    desiredListed = created
    lease.now()
  }
  const following = followDesired(
    {
      bus,
      node,
      controller: signing,
      sealing: keys.sealing.privateKey,
      obeyed: options.obeyed,
      ...(options.mayBegin ? { mayBegin: options.mayBegin } : {}),
      ...(options.relistMs ? { relistMs: options.relistMs } : {}),
    },
    {
      ...handlers,
      listed,
      document(document) {
        present.add(document.application.name)
        handlers.document(document)
      },
    },
    signal,
  )
  serveLogs({ bus, node, controller: sealing, read: options.readLogs }, signal)
  return {
    report,
    forget: reporter.forget,
    leaseNow: lease.now,
    running: Promise.all([following, reporter.running, lease.running]).then(() => {}),
  }
}
