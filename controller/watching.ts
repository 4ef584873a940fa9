// Applications and AppProjects of a watched cluster: declared here as they are there; their refreshes, operations and deletions heeded; what
// becomes of them written back in Argo CD's shape, once per burst of changes and only where it differs.

import { setTimeout as sleep } from 'node:timers/promises'
import { contentHash } from '../runtime/contract/hash.js'
import type { Manifest } from '../runtime/contract/manifest.js'
import type { Service } from './api/service.js'
import { trackedRef } from './application/tracked.js'
import { type Applications, InvalidApplicationError } from './applications.js'
import { type ArgoStatus, argoStatus, invalidStatus } from './argo-status.js'
import type { ApiClient, Sent } from './cluster/kubernetes/client.js'
import { type ArgoKind, type Declarations, watchDeclarations } from './cluster/kubernetes/declarations.js'
import { faultsText } from './fields.js'
import { cleaned, fromKey, modeKey } from './importing.js'
import type { Actor } from './ledger.js'
import { ProjectRefusedError, type Projects } from './projects.js'
import { isConfirmed } from './release/options.js'
import { TakenError } from './taken.js'

export interface WatchedNamespace {
  readonly cluster: string
  readonly namespace: string
}

export interface WatchingOptions extends WatchedNamespace {
  readonly client: (cluster: string) => Promise<ApiClient>
  readonly applications: Applications
  readonly projects: Projects
  readonly service: Pick<Service, 'sync' | 'remove' | 'approve' | 'tree' | 'history' | 'application'>
  /** Asks Git now. */
  readonly lookAt: (url: string, ref: string) => Promise<unknown>
  readonly follow: (name: string) => void
  readonly isLeading: () => boolean
  readonly now: () => number
  readonly warn: (message: string) => void
}

const refreshKey = 'argocd.argoproj.io/refresh'
const finalizer = /^resources-finalizer\.argocd\.argoproj\.io(\/\w+)?$/
/** Changes of one application within this time are written back together, ms. */
const coalescedMs = 400
const againMs = 5_000

interface Meta {
  readonly name: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
  readonly deletionTimestamp?: string
}

export function watchNamespaces(
  watched: readonly WatchedNamespace[],
  options: Omit<WatchingOptions, keyof WatchedNamespace>,
  signal: AbortSignal,
): void {
  for (const one of watched) void watchNamespace({ ...options, ...one }, signal)
}

/** Runs until the signal says so; begins anew while the cluster cannot be used. */
async function watchNamespace(options: WatchingOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      return begin(options, await options.client(options.cluster), signal)
    } catch (error) {
      options.warn(`applications of ${options.cluster}/${options.namespace}: ${(error as Error).message}`)
      await sleep(againMs, undefined, { signal }).catch(() => undefined)
    }
  }
}

function begin(options: WatchingOptions, client: ApiClient, signal: AbortSignal): void {
  const { applications, projects, service, warn } = options
  const from = `${options.cluster}/${options.namespace}`
  const by: Actor = { kind: 'user', name: from }
  const waiting = new Map<string, NodeJS.Timeout>()
  const written = new Map<string, string>()
  const busy = new Map<string, Promise<void>>()
  const looked = new Map<string, string>()

  const declarations: Declarations = watchDeclarations(
    {
      client,
      namespace: options.namespace,
      changed: (kind, name) => (isOther(kind, name) ? soon(kind, name) : undefined),
      trouble: message => (message === '' ? undefined : warn(`${from}: ${message}`)),
    },
    signal,
  )
  const stop = applications.onChange(change => {
    if (change.type !== 'event' && declarations.applications.has(change.name)) soon('Application', change.name)
  })
  signal.addEventListener('abort', () => {
    stop()
    for (const timer of waiting.values()) clearTimeout(timer)
  })

  /** What we wrote back ourselves, and what others note there, is no news. */
  function isOther(kind: ArgoKind, name: string): boolean {
    const object = (kind === 'Application' ? declarations.applications : declarations.projects).get(name)
    const { annotations, labels, finalizers, deletionTimestamp, uid } = (object?.metadata ?? {}) as Readonly<
      Record<string, unknown>
    >
    const hash = contentHash([uid, object?.spec, object?.operation, annotations, labels, finalizers, deletionTimestamp])
    const key = `${kind} ${name}`
    if (looked.get(key) === hash) return false
    looked.set(key, hash)
    return true
  }

  function soon(kind: ArgoKind, name: string, inMs = coalescedMs): void {
    const key = `${kind} ${name}`
    if (waiting.has(key) || signal.aborted) return
    waiting.set(key, setTimeout(() => void look(kind, name, key), inMs).unref())
  }

  /** One after the other; what fails is tried again. */
  async function look(kind: ArgoKind, name: string, key: string): Promise<void> {
    waiting.delete(key)
    if (!options.isLeading() || !declarations.isKnown()) return soon(kind, name, 1_000)
    const turn = (busy.get(key) ?? Promise.resolve()).then(() => (kind === 'AppProject' ? project(name) : application(name)))
    const settled = turn.catch((error: Error) => {
      warn(`${kind} ${name} of ${from}: ${error.message}`)
      soon(kind, name, againMs)
    })
    busy.set(key, settled)
    await settled
    if (busy.get(key) === settled) busy.delete(key)
  }

  async function project(name: string): Promise<void> {
    const object = declarations.projects.get(name)
    if (object === undefined) return
    try {
      await projects.declare(cleaned(object as unknown as Manifest, {}), by, null, false)
    } catch (error) {
      if (!(error instanceof ProjectRefusedError)) throw error
      warn(`AppProject ${name} of ${from}: ${error.message} ${faultsText(error.faults)}`)
    }
  }

  async function application(name: string): Promise<void> {
    const object = declarations.applications.get(name)
    const entry = applications.get(name)
    const isOurs = entry?.app.annotations[fromKey] === from
    if (object === undefined) {
      written.delete(name)
      // Deleted there without a finalizer: what it runs is left, as Argo CD leaves it.
      if (entry !== null && isOurs && entry.ledger.deletion === null) await service.remove(name, by, { cascade: false })
      return
    }
    const meta = object.metadata as unknown as Meta
    // Argo CD's own, which writes there: nothing of ours is.
    if (isObserved(meta)) return void (entry === null || isOurs ? await declare(name, object) : undefined)
    if (meta.deletionTimestamp !== undefined) return ending(name, object, meta)
    if (entry !== null && !isOurs)
      return entry.app.parent === null
        ? write(
            name,
            invalidStatus(`an application ${name} is declared in Slipway already, and not by this: delete one of the two`),
          )
        : tell(name, object)
    const refused = await declare(name, object)
    if (refused !== '') return write(name, invalidStatus(refused))
    await heed(name, object, meta)
    await tell(name, object)
  }

  /** '' where it is declared. */
  async function declare(name: string, object: Sent): Promise<string> {
    try {
      const manifest = cleaned(object as unknown as Manifest, { [fromKey]: from })
      const { result } = await applications.declare(manifest, by, null, false)
      if (result !== 'unchanged') options.follow(name)
      return ''
    } catch (error) {
      if (error instanceof InvalidApplicationError) return faultsText(error.faults)
      if (error instanceof TakenError) return error.message
      throw error
    }
  }

  /** What is asked by annotation and by `operation`: once, and taken away. */
  async function heed(name: string, object: Sent, { annotations = {} }: Meta): Promise<void> {
    if (annotations[refreshKey] !== undefined) {
      const { sources } = applications.get(name)?.app ?? { sources: [] }
      void Promise.allSettled(sources.map(one => options.lookAt(one.repoURL, trackedRef(one)))).then(() => options.follow(name))
      await declarations.patch('Application', name, { metadata: { annotations: { [refreshKey]: null } } }, signal)
    }
    const operation = object.operation as
      | { readonly sync?: { readonly prune?: boolean }; readonly initiatedBy?: { readonly username?: string } }
      | undefined
    if (operation === undefined) return
    await declarations.patch('Application', name, { operation: null }, signal)
    const asker: Actor = { kind: 'user', name: operation.initiatedBy?.username ?? from }
    if (operation.sync !== undefined)
      await service.sync(name, asker, { revision: null, prune: operation.sync.prune === true ? true : null })
  }

  /** With Argo CD's finalizer everything ends first; without it the API server has removed it already. */
  async function ending(name: string, object: Sent, { finalizers = [], annotations = {} }: Meta): Promise<void> {
    const entry = applications.get(name)
    const isOurs = entry?.app.annotations[fromKey] === from
    if (!finalizers.some(one => finalizer.test(one))) return
    if (entry !== null && isOurs) {
      if (entry.ledger.deletion === null) await service.remove(name, by, { cascade: true })
      const asks = entry.pass?.decision.asks
      if (asks?.act === 'delete' && isConfirmed({ annotations }, asks.since)) await service.approve(name, by)
      else if (asks?.act === 'delete') await tell(name, object)
      return soon('Application', name, 1_000)
    }
    if (entry !== null) return
    await declarations.patch(
      'Application',
      name,
      { metadata: { finalizers: finalizers.filter(one => !finalizer.test(one)) } },
      signal,
    )
  }

  async function tell(name: string, object: Sent): Promise<void> {
    const entry = applications.get(name)
    const view = service.application(name)
    if (entry === null || view === null) return
    const release = entry.ledger.current === null ? null : applications.release(entry.app, entry.ledger.current.release)
    const told = {
      app: entry.app,
      view,
      history: await service.history(name),
      objects: service.tree(name),
      images: release?.images ?? [],
    }
    await write(name, argoStatus(told), object)
  }

  /** A merge patch: what is not in the status any more is taken away by name. */
  async function write(
    name: string,
    status: ArgoStatus,
    object: Sent = declarations.applications.get(name) ?? {},
  ): Promise<void> {
    const text = JSON.stringify(status)
    if (written.get(name) === text) return
    const before = (object.status ?? {}) as Readonly<Record<string, unknown>>
    const gone = Object.fromEntries(
      Object.keys(before)
        .filter(key => status[key] === undefined)
        .map(key => [key, null]),
    )
    const at = new Date(options.now()).toISOString()
    const conditions = (status.conditions as readonly object[]).map(condition => ({ ...condition, lastTransitionTime: at }))
    const whole = { ...gone, ...status, conditions, reconciledAt: at }
    if (await declarations.patch('Application', name, { status: whole }, signal)) written.set(name, text)
  }
}

/** As `modeOf` of application.ts has it. */
function isObserved({ annotations = {} }: Meta): boolean {
  return (annotations[modeKey] ?? (annotations[skipKey] === 'true' ? 'observe' : 'release')) === 'observe'
}

const skipKey = 'argocd.argoproj.io/skip-reconcile'
