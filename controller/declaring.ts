// What an application's manifests declare (Applications, AppProjects), taken by the controller itself: in whose name, and what is refused.
import type { Manifest, ObjectRef } from '../runtime/contract/manifest.js'
import { isProject } from './application/project.js'
import type { Application } from './application.js'
import { type Applications, InvalidApplicationError } from './applications.js'
import type { Children } from './cluster/children.js'
import { faultsText } from './fields.js'
import { asDeclared, fromKey, stillObserved } from './importing.js'
import type { Actor } from './ledger.js'
import { ProjectRefusedError, type Projects } from './projects.js'
import { TakenError } from './taken.js'

export interface DeclaringOptions {
  readonly applications: Applications
  readonly projects: Projects
  /** It is new, or another now. */
  readonly follow: (name: string) => void
  readonly remove: (name: string, by: Actor, options: { readonly cascade: boolean }) => Promise<unknown>
}

export type Declared = Awaited<ReturnType<Children['declare']>>

export function createDeclaring({ applications, projects, follow, remove }: DeclaringOptions): Children {
  async function declareProject(manifest: Manifest, { name }: Application): Promise<Declared> {
    const { result } = await projects.declare(manifest, { kind: 'git', name }, name, false)
    return { result, message: '' }
  }

  async function declareChild(manifest: Manifest, { name }: Application): Promise<Declared> {
    const before = applications.get(manifest.metadata.name)?.app
    const from = before?.mode === 'observe' ? before.annotations[fromKey] : undefined
    const meant = from === undefined ? manifest : stillObserved(manifest, from)
    const { app, result } = await applications.declare(meant, { kind: 'git', name }, name, false)
    follow(app.name)
    return { result, message: '' }
  }

  return {
    declaredBy: parent => [
      ...projects.declaredBy(parent),
      ...applications.childrenOf(parent).map(({ stored }) => asDeclared(stored.manifest)),
    ],
    async declare(manifest, parent) {
      try {
        return await (isProject(manifest) ? declareProject(manifest, parent) : declareChild(manifest, parent))
      } catch (error) {
        if (!isRefusal(error)) throw error
        const faults = error instanceof ProjectRefusedError && error.faults.length > 0 ? ` ${faultsText(error.faults)}` : ''
        return { result: 'refused', message: `${error.message}${faults}` }
      }
    },
    async withdraw(ref: ObjectRef, parent) {
      if (ref.kind === 'AppProject') return projects.remove(ref.name, parent.name)
      const child = applications.get(ref.name)
      // What a person said of a deletion that is on its way already counts.
      if (child === null || child.ledger.deletion !== null) return
      await remove(ref.name, { kind: 'git', name: parent.name }, { cascade: child.app.deletion === 'cascade' })
    },
  }
}

function isRefusal(error: unknown): error is Error {
  if (error instanceof TakenError) return !error.passes
  return error instanceof InvalidApplicationError || error instanceof ProjectRefusedError
}
