// What the releases of each application wait for, from the others as they stand, and whom a change of one lets go on.

import { trackedRef } from './application/tracked.js'
import type { Application } from './application.js'
import type { Applications } from './applications.js'
import type { Candidate } from './release.js'
import { dependencyGates, type Standing, windowGate } from './rollout/gates.js'
import type { Gate } from './rollout.js'
import { type Asker, isFor, type SyncWindow } from './sync/windows.js'

export interface GatingOptions {
  readonly applications: Pick<Applications, 'get' | 'all'>
  /** Of the application's project: all of them, whomever they are for. */
  projectWindows(app: Application): readonly SyncWindow[]
}

export interface Gating {
  gates(app: Application, candidate: Candidate | null, now: number): readonly Gate[]
  /** Those that depend on it. To be asked whenever an application is another: what it depends on itself is looked at then. */
  dependentsOf(name: string): readonly string[]
}

export function createGating({ applications, projectWindows }: GatingOptions): Gating {
  /** One push may move both: what the other runs has to be of that push too. */
  function standing(name: string, app: Application, candidate: Candidate | null): Standing | null {
    const entry = applications.get(name)
    if (entry === null) return null
    const { source } = entry.app
    const isSameRef = source.repoURL === app.source.repoURL && trackedRef(source) === trackedRef(app.source)
    return {
      ledger: entry.ledger,
      candidate: entry.pass?.candidate ?? null,
      health: entry.pass?.health ?? null,
      isObserved: entry.app.mode === 'observe',
      tip: isSameRef ? (candidate?.revision?.commit ?? null) : null,
    }
  }
  /** As they were when they were looked at; and by whom they are waited for: going through a thousand at each change takes as long as a pass. */
  const seen = new Map<string, Application>()
  const dependents = new Map<string, Set<string>>()
  function lookAt(name: string): void {
    const [before, app] = [seen.get(name), applications.get(name)?.app]
    if (before === app) return
    for (const other of before?.dependsOn ?? []) dependents.get(other)?.delete(name)
    for (const other of app?.dependsOn ?? []) dependents.set(other, (dependents.get(other) ?? new Set<string>()).add(name))
    if (app === undefined) seen.delete(name)
    else seen.set(name, app)
  }
  return {
    gates(app, candidate, now) {
      const asker = askerOf(app)
      const windows = [...app.sync.windows, ...projectWindows(app).filter(window => isFor(window, asker))]
      const gate = windows.length === 0 ? null : windowGate(windows, now)
      const others = dependencyGates(app.dependsOn, name => standing(name, app, candidate))
      return gate === null ? others : [gate, ...others]
    },
    dependentsOf(name) {
      if (seen.size === 0) for (const { app } of applications.all()) lookAt(app.name)
      lookAt(name)
      return [...(dependents.get(name) ?? [])]
    },
  }
}

function askerOf({ name, destination, manifest }: Application): Asker {
  const spec = manifest.spec as { destination?: { server?: unknown } } | undefined
  const server = spec?.destination?.server
  const clusters = [destination.name, destination.place, ...(typeof server === 'string' ? [server] : [])]
  return { name, namespace: destination.namespace, clusters }
}
