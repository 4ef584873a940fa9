// Applications and AppProjects that are declared in a cluster, watched there: what there is, and what is written back of them.
import { type ApiClient, ApiError, type Sent } from './client.js'
import { watchKind } from './watch.js'

export const argoKinds = { Application: 'applications', AppProject: 'appprojects' } as const
export type ArgoKind = keyof typeof argoKinds

export interface Declarations {
  readonly applications: ReadonlyMap<string, Sent>
  readonly projects: ReadonlyMap<string, Sent>
  /** Both were listed. */
  isKnown(): boolean
  /** A merge patch. False: it is not there any more. */
  patch(kind: ArgoKind, name: string, body: object, signal: AbortSignal): Promise<boolean>
}

export interface DeclarationsOptions {
  readonly client: ApiClient
  readonly namespace: string
  /** One of them is new, another, or was deleted. Wakes, carries nothing else. */
  readonly changed: (kind: ArgoKind, name: string) => void
  readonly trouble: (message: string) => void
}

export function watchDeclarations(
  { client, namespace, changed, trouble }: DeclarationsOptions,
  signal: AbortSignal,
): Declarations {
  const base = `/apis/argoproj.io/v1alpha1/namespaces/${encodeURIComponent(namespace)}`
  const known = { Application: new Map<string, Sent>(), AppProject: new Map<string, Sent>() }
  const listed = new Set<ArgoKind>()

  function follow(kind: ArgoKind): void {
    const there = known[kind]
    void watchKind<Sent>(
      {
        client,
        path: `${base}/${argoKinds[kind]}`,
        project: object => ({ apiVersion: 'argoproj.io/v1alpha1', kind, ...object, ...withoutFields(object) }),
        listener: {
          listed(objects) {
            const before = [...there.keys()]
            // A kind that is served no more has no objects, and nobody deleted them.
            if (objects.length === 0 && before.length > 1)
              return trouble(`no ${argoKinds[kind]} are left in ${namespace}: those that were are kept`)
            there.clear()
            for (const object of objects) there.set(nameOf(object), object)
            listed.add(kind)
            for (const name of new Set([...before, ...there.keys()])) changed(kind, name)
          },
          changed(object) {
            there.set(nameOf(object), object)
            changed(kind, nameOf(object))
          },
          removed(object) {
            there.delete(nameOf(object))
            changed(kind, nameOf(object))
          },
          trouble,
        },
      },
      signal,
    )
  }
  follow('AppProject')
  follow('Application')

  return {
    applications: known.Application,
    projects: known.AppProject,
    isKnown: () => listed.size === 2,
    async patch(kind, name, body, until) {
      try {
        const call = { body, contentType: 'application/merge-patch+json', query: { fieldManager: 'slipway' } }
        await client.call('PATCH', `${base}/${argoKinds[kind]}/${encodeURIComponent(name)}`, call, until)
        return true
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return false
        throw error
      }
    },
  }
}

function nameOf(object: Sent): string {
  return String((object.metadata as { readonly name?: unknown } | undefined)?.name ?? '')
}

/** Who wrote what is of no use here, and the largest part of many. */
function withoutFields({ metadata }: Sent): Sent {
  const { managedFields: _, ...kept } = (metadata ?? {}) as Readonly<Record<string, unknown>>
  return { metadata: kept }
}
