// A live Argo CD beside Slipway: its Applications are read from a cluster, declared here to be observed, taken over one by one, and given back.
import type { Manifest } from '../runtime/contract/manifest.js'
import type { ArgoDoor, ImportAsked } from './api/import.js'
import { RefusedError } from './api/service.js'
import type { Declared } from './application.js'
import type { Applications } from './applications.js'
import { type ApiClient, ApiError } from './cluster/kubernetes/client.js'
import { type Fault, faultsText } from './fields.js'
import { fromKey, type ImportItem, importPlan, modeKey } from './importing.js'
import type { Actor } from './ledger.js'
import { takenOver } from './observing.js'
import type { Projects } from './projects.js'

export interface ArgoOptions {
  readonly applications: Pick<Applications, 'get'>
  readonly projects: Pick<Projects, 'get' | 'declare'>
  readonly declared: Declared
  readonly hasAccess: (url: string) => boolean
  /** Of a configured cluster. Throws where it cannot be used. */
  readonly client: (cluster: string) => Promise<ApiClient>
  readonly declare: (manifest: Manifest, by: Actor) => Promise<unknown>
  readonly remove: (name: string, by: Actor, options: { readonly cascade: boolean }) => Promise<{ readonly message: string }>
}

const skipKey = 'argocd.argoproj.io/skip-reconcile'
const timeoutMs = 30_000

export function createArgo(options: ArgoOptions): ArgoDoor {
  const { applications, projects, declared } = options

  async function planOf({ cluster, namespace, objects }: ImportAsked): Promise<readonly ImportItem[]> {
    const found = objects.length > 0 ? objects : await read(cluster, namespace)
    return importPlan({
      objects: found,
      declared,
      application: name => applications.get(name)?.app ?? null,
      project: name => projects.get(name)?.manifest ?? null,
      hasAccess: options.hasAccess,
      from: objects.length > 0 ? '' : `${cluster}/${namespace}`,
    })
  }

  async function read(cluster: string, namespace: string): Promise<readonly unknown[]> {
    if (!(declared.clusters ?? []).some(one => one.name === cluster)) {
      const names = (declared.clusters ?? []).map(one => one.name).join(', ')
      throw new RefusedError(
        404,
        'notFound',
        `There is no cluster ${JSON.stringify(cluster)}; known are ${names || 'none'}. Files are read with -f.`,
      )
    }
    const client = await options.client(cluster)
    const signal = AbortSignal.timeout(timeoutMs)
    const base = `/apis/argoproj.io/v1alpha1/namespaces/${encodeURIComponent(namespace)}`
    const [apps, appProjects, secrets] = await Promise.all([
      listed(client, `${base}/applications`, 'Application', {}, signal),
      listed(client, `${base}/appprojects`, 'AppProject', {}, signal),
      listed(
        client,
        `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`,
        'Secret',
        { labelSelector: 'argocd.argoproj.io/secret-type' },
        signal,
      ),
    ]).catch(unread(cluster, namespace))
    return [...apps, ...appProjects, ...secrets]
  }

  /** Argo CD's own Application, where it was imported from one; `skip`: Argo CD is told to leave it alone. */
  async function tellArgo(
    app: { readonly name: string; readonly annotations: Readonly<Record<string, string>> },
    skip: boolean,
  ): Promise<string> {
    const [, cluster, namespace] = /^([^/]+)\/([^/]+)$/.exec(app.annotations[fromKey] ?? '') ?? []
    if (cluster === undefined || namespace === undefined) return ''
    const client = await options.client(cluster)
    const path = `/apis/argoproj.io/v1alpha1/namespaces/${encodeURIComponent(namespace)}/applications/${encodeURIComponent(app.name)}`
    const body = { metadata: { annotations: { [skipKey]: skip ? 'true' : null, [modeKey]: skip ? 'release' : null } } }
    const call = { body, contentType: 'application/merge-patch+json' }
    try {
      await client.call('PATCH', path, call, AbortSignal.timeout(timeoutMs))
    } catch (error) {
      if (error instanceof ApiError && error.status === 404)
        return `Argo CD has no Application ${app.name} in ${cluster}/${namespace} any more`
      throw new RefusedError(
        409,
        'notTold',
        `${app.name}: Argo CD's Application in ${cluster}/${namespace} could not be told: ${(error as Error).message}`,
      )
    }
    return skip
      ? `Argo CD in ${cluster}/${namespace} leaves it alone from now on (${skipKey})`
      : `Argo CD in ${cluster}/${namespace} reconciles it again`
  }

  function known(name: string) {
    const entry = applications.get(name)
    if (entry === null)
      throw new RefusedError(404, 'notFound', `There is no application ${name}; \`slipway apps\` lists those there are.`)
    return entry
  }

  return {
    plan: planOf,
    async observe(asked, by) {
      const plan = await planOf(asked)
      const done: ImportItem[] = []
      for (const item of plan) {
        if (item.verdict !== 'take' || item.manifest === null) done.push(item)
        else done.push(await declaredItem(item, item.manifest, by))
      }
      return done
    },
    async takeOver(name, by) {
      const { app } = known(name)
      if (app.mode !== 'observe')
        throw new RefusedError(409, 'notObserved', `${name} is not only observed: there is nothing to take over.`)
      // Argo CD first: two that write what they do not agree on would not end.
      const told = await tellArgo(app, true)
      await options.declare(takenOver(app.manifest), by)
      const differs = applications.get(name)?.ledger.seen === undefined
      const notes = [
        told,
        differs
          ? 'not all of it was as Git says: that is released now, or waits for a sync'
          : 'everything was as Git says: nothing is restarted',
      ]
      return { message: `${name} is taken over. ${notes.filter(note => note !== '').join('. ')}.` }
    },
    async handBack(name, by) {
      const { app } = known(name)
      const { message } = await options.remove(name, by, { cascade: false })
      const told = await tellArgo(app, false)
      return { message: told === '' ? message : `${message} ${told}.` }
    },
  }

  async function declaredItem(item: ImportItem, manifest: Manifest, by: Actor): Promise<ImportItem> {
    try {
      if (item.kind === 'AppProject') await projects.declare(manifest, by, null, false)
      else await options.declare(manifest, by)
      return { ...item, verdict: 'taken' }
    } catch (error) {
      const { faults = [], errors = [] } = error as { faults?: readonly Fault[]; errors?: readonly Fault[] }
      const why = [(error as Error).message, faultsText([...faults, ...errors])].filter(text => text !== '').join(' ')
      return { ...item, verdict: 'refused', notes: [why] }
    }
  }
}

/** In pages; a kind that is not there has no objects. Lists leave out what an object is: it is put back. */
async function listed(
  client: ApiClient,
  path: string,
  kind: string,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<readonly unknown[]> {
  const apiVersion = path.startsWith('/apis/') ? 'argoproj.io/v1alpha1' : 'v1'
  const found: unknown[] = []
  for (let more = ''; ; ) {
    const page = await client
      .call('GET', path, { query: { ...query, limit: '500', ...(more === '' ? {} : { continue: more }) } }, signal)
      .catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 404) return { items: [] }
        throw error
      })
    const { items = [], metadata } = page as { items?: readonly object[]; metadata?: { continue?: string } }
    found.push(...items.map(item => ({ apiVersion, kind, ...item })))
    more = metadata?.continue ?? ''
    if (more === '') return found
  }
}

function unread(cluster: string, namespace: string): (error: Error) => never {
  return error => {
    throw new RefusedError(409, 'unread', `Namespace ${namespace} of cluster ${cluster} cannot be read: ${error.message}`)
  }
}
