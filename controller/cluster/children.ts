// An application whose manifests are Applications and AppProjects: those go to the controller, everything else to the place. One more `Cluster`.
import type { ObservedObject } from '../../runtime/contract/documents.js'
import { manifestHash } from '../../runtime/contract/hash.js'
import type { Manifest, ObjectRef } from '../../runtime/contract/manifest.js'
import { refKey, refOf } from '../../runtime/contract/manifest.js'
import { isProject } from '../application/project.js'
import { type Application, isApplication } from '../application.js'
import type { Applied, Cluster } from './cluster.js'

/** Where child applications are declared: the controller itself. */
export interface Children {
  /** Manifests that this application has declared, as they were given. */
  declaredBy(parent: string): readonly Manifest[]
  /** `refused`: it is not valid, or not this parent's to declare. Throws where it could not be found out, or may be later. */
  declare(manifest: Manifest, parent: Application): Promise<Pick<Applied, 'result' | 'message'>>
  /** Takes the declaration back; what it runs ends only where its own deletion policy says so. */
  withdraw(ref: ObjectRef, parent: Application): Promise<void>
}

export function withChildren(cluster: Cluster, children: Children): Cluster {
  return {
    ...cluster,
    async observe(app, signal, against) {
      const observed = await cluster.observe(app, signal, against)
      return { ...observed, objects: [...observed.objects, ...children.declaredBy(app.name).map(observedChild)] }
    },
    preflight: (app, release, round, order, signal) =>
      cluster.preflight(
        app,
        { ...release, objects: release.objects.filter(object => !isDeclaration(object)) },
        round,
        order,
        signal,
      ),
    async apply(app, objects, order, signal) {
      const applied = await cluster.apply(
        app,
        objects.filter(object => !isDeclaration(object)),
        order,
        signal,
      )
      const declared: Applied[] = []
      // Projects first: applications name them.
      for (const child of [...objects.filter(isProject), ...objects.filter(isApplication)])
        declared.push({ ref: refOf(child), ...(await children.declare(child, app)) })
      return [...applied, ...declared]
    },
    async prune(app, refs, order, signal) {
      const isChild = childrenOf(children.declaredBy(app.name))
      const pruned = await cluster.prune(
        app,
        refs.filter(ref => !isChild(ref)),
        order,
        signal,
      )
      for (const ref of refs.filter(isChild)) await children.withdraw(ref, app)
      return [...pruned, ...refs.filter(isChild).map(ref => ({ ref, result: 'pruned' as const, message: '' }))]
    },
    async remove(app, order, signal) {
      for (const child of children.declaredBy(app.name)) await children.withdraw(refOf(child), app)
      await cluster.remove(app, order, signal)
    },
  }
}

/** What goes to the controller: Applications, and the projects that they belong to. */
function isDeclaration(object: Manifest): boolean {
  return isApplication(object) || isProject(object)
}

/** A child has no health for its parent (release.md, "What people see"): there is as good as healthy. */
function observedChild(manifest: Manifest): ObservedObject {
  return { ref: refOf(manifest), uid: '', hash: manifestHash(manifest), status: {}, attempt: 0 }
}

function childrenOf(manifests: readonly Manifest[]): (ref: ObjectRef) => boolean {
  const keys = new Set(manifests.map(manifest => refKey(refOf(manifest))))
  return ref => keys.has(refKey(ref))
}
