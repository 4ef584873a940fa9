// Which resource a kind is: aggregated discovery in two requests, kept until a kind is asked for that is not in it, or it is told that
// definitions changed.
import type { ObjectRef } from '../../../runtime/contract/manifest.js'
import type { ApiClient, Sent } from './client.js'

export interface Resource {
  readonly group: string
  readonly version: string
  readonly kind: string
  /** `deployments` */
  readonly plural: string
  readonly namespaced: boolean
  readonly verbs: readonly string[]
}

export interface Discovery {
  /** Of this version exactly; null where the server has none. */
  resource(group: string, version: string, kind: string, signal: AbortSignal): Promise<Resource | null>
  /** In the version that the server prefers. */
  preferred(group: string, kind: string, signal: AbortSignal): Promise<Resource | null>
  /** Without the namespace that a render gave an object of a kind that has none; as it is where the kind is not known (yet). */
  placed(ref: ObjectRef): ObjectRef
  /** What was read is not to be relied on any more. */
  invalidate(): void
  /** `v1.36.3` */
  version(signal: AbortSignal): Promise<string>
}

const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
/** A kind that is not there is not asked for more often than this, ms. */
const askAgainMs = 2_000

export function createDiscovery(client: ApiClient, now: () => number): Discovery {
  /** `group/Kind` of kinds without a namespace, as read last. */
  let unplaced: ReadonlySet<string> = new Set()
  let known: { readonly at: number; readonly resources: Promise<readonly Resource[]> } | null = null

  function read(signal: AbortSignal): Promise<readonly Resource[]> {
    if (known !== null) return known.resources
    const resources = Promise.all(
      ['/api', '/apis'].map(async path => resourcesIn(await client.call('GET', path, { accept: aggregated }, signal))),
    ).then(all => {
      const found = all.flat()
      unplaced = new Set(found.flatMap(({ group, kind, namespaced }) => (namespaced ? [] : [`${group}/${kind}`])))
      return found
    })
    const reading = { at: now(), resources }
    known = reading
    resources.catch(() => {
      if (known === reading) known = null
    })
    return resources
  }

  async function find(is: (resource: Resource) => boolean, signal: AbortSignal): Promise<Resource | null> {
    const found = (await read(signal)).find(is)
    if (found !== undefined || known === null || now() - known.at < askAgainMs) return found ?? null
    known = null
    return (await read(signal)).find(is) ?? null
  }

  return {
    resource: (group, version, kind, signal) =>
      find(one => one.group === group && one.version === version && one.kind === kind, signal),
    // Versions come in the server's order of preference.
    preferred: (group, kind, signal) => find(one => one.group === group && one.kind === kind, signal),
    placed: ref => (ref.namespace !== '' && unplaced.has(`${ref.group}/${ref.kind}`) ? { ...ref, namespace: '' } : ref),
    invalidate: () => {
      known = null
    },
    async version(signal) {
      return String((await client.call('GET', '/version', {}, signal)).gitVersion ?? '')
    },
  }
}

interface Discovered {
  readonly items?: readonly {
    readonly metadata?: { readonly name?: string }
    readonly versions?: readonly {
      readonly version: string
      readonly resources?: readonly {
        readonly resource: string
        readonly responseKind?: { readonly group?: string; readonly version?: string; readonly kind?: string }
        readonly scope?: string
        readonly verbs?: readonly string[]
      }[]
    }[]
  }[]
}

function resourcesIn(list: Sent): readonly Resource[] {
  return ((list as Discovered).items ?? []).flatMap(group =>
    (group.versions ?? []).flatMap(({ version, resources = [] }) =>
      resources.flatMap(({ resource, responseKind, scope, verbs = [] }) =>
        responseKind?.kind === undefined
          ? []
          : [
              {
                group: group.metadata?.name ?? '',
                version,
                kind: responseKind.kind,
                plural: resource,
                namespaced: scope === 'Namespaced',
                verbs,
              },
            ],
      ),
    ),
  )
}

/** `/apis/apps/v1/namespaces/shop/deployments`; '' as namespace is all of them. */
export function listPath({ group, version, plural, namespaced }: Resource, namespace: string): string {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  return namespaced && namespace !== '' ? `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}` : `${root}/${plural}`
}

export function objectPath(resource: Resource, namespace: string, name: string): string {
  return `${listPath(resource, namespace)}/${encodeURIComponent(name)}`
}
