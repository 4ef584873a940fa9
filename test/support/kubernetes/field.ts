// An application on a real API server as a test has it: a namespace of its own, what is applied, and a controller's place beside it.
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Application } from '../../../controller/application.js'
import { accessTo } from '../../../controller/cluster/kubernetes/access.js'
import { type ApiClient, createClient } from '../../../controller/cluster/kubernetes/client.js'
import { createKubernetesCluster, type KubernetesCluster } from '../../../controller/cluster/kubernetes/cluster.js'
import { createPacker } from '../../../controller/cluster/node/ledger.js'
import { type Ledger, newLedger } from '../../../controller/ledger.js'
import type { Release, ReleaseId } from '../../../controller/release.js'
import { type Manifest, type ObjectRef, refOf } from '../../../runtime/contract/manifest.js'
import { application, type Ends, order, until } from '../controller.js'
import type { TestCluster } from './server.js'

export interface Given {
  readonly cluster: KubernetesCluster
  readonly app: Application
  readonly namespace: string
  /** What the controller would say is applied. */
  current: readonly Manifest[]
  ledger: Ledger
  epoch: number | null
  object(kind: string, name: string, more?: object): Manifest
  apply(objects: readonly Manifest[], attempt?: number): ReturnType<KubernetesCluster['apply']>
  /** `GET /api/v1/...`: what was asked of the server so far. */
  requests(): readonly string[]
  /** Another controller, which knows nothing. */
  restarted(): Promise<Given>
}

const signal = new AbortController().signal

/** Another than the administrator, and where it may look. */
export interface Account {
  readonly token: string
  readonly namespaces: readonly string[]
}

export type GivenApplication = (
  t: Ends,
  more?: Partial<Application>,
  options?: { readonly namespace?: string; readonly made?: boolean; readonly as?: Account; readonly journalMs?: number },
) => Promise<Given>

export function openField(real: TestCluster): GivenApplication {
  const storage = randomBytes(32)
  let count = 0
  writeFileSync(join(real.directory, 'token'), real.token)
  writeFileSync(join(real.directory, 'ca.crt'), real.ca)

  /** An application in a namespace of its own. */
  async function given(
    t: Ends,
    more: Partial<Application> = {},
    options: { readonly namespace?: string; readonly made?: boolean; readonly as?: Account; readonly journalMs?: number } = {},
  ): Promise<Given> {
    const namespace = options.namespace ?? `shop-${++count}`
    if (options.made !== false && options.namespace === undefined) await real.namespace(namespace)
    const app = application({
      name: `app-${namespace}`,
      destination: { place: 'cluster/test', kind: 'cluster', name: 'test', namespace },
      ...more,
    })
    const { name } = app
    const tokenFile = join(real.directory, options.as === undefined ? 'token' : `token-${namespace}`)
    if (options.as !== undefined) writeFileSync(tokenFile, options.as.token)
    const access = await accessTo({
      name: 'test',
      kind: 'token',
      server: real.url,
      caFile: join(real.directory, 'ca.crt'),
      tokenFile,
    })
    const client = await createClient({ access, now: Date.now })
    const requests: string[] = []
    const state: Given = {
      app,
      namespace,
      current: [],
      ledger: newLedger({ name, uid: app.uid }, 'cluster/test', 'salt'),
      epoch: 100,
      cluster: createKubernetesCluster({
        name: 'test',
        client: counted(client, requests),
        packer: createPacker(storage),
        epoch: () => state.epoch,
        overtaken: () => {},
        ledger: () => state.ledger,
        releases: () => [],
        sent: () => state.current,
        known: { uid: () => '', learn: () => {} },
        warn: () => {},
        now: Date.now,
        pingMs: 300,
        journalMs: options.journalMs ?? 300,
        ...(options.as === undefined ? {} : { namespaces: options.as.namespaces }),
      }),
      object: (kind, objectName, fields = {}) => {
        const apiVersion = { Deployment: 'apps/v1', Job: 'batch/v1' }[kind] ?? 'v1'
        return { apiVersion, kind, metadata: { name: objectName, namespace }, ...fields } as Manifest
      },
      async apply(objects, attempt = 1) {
        state.current = [...state.current.filter(one => !objects.some(object => same(refOf(object), refOf(one)))), ...objects]
        return state.cluster.apply(app, objects, { ...order({ attempt }), ledger: state.ledger }, signal)
      },
      requests: () => [...requests],
      async restarted() {
        const next = await given(t, more, { namespace })
        next.current = state.current
        next.ledger = state.ledger
        next.epoch = 101
        return next
      },
    }
    t.teardown(() => state.cluster.close())
    return state
  }
  return given
}

function counted(client: ApiClient, requests: string[]): ApiClient {
  return {
    ...client,
    call: (method, path, call, stop) => {
      requests.push(`${method} ${path}`)
      return client.call(method, path, call, stop)
    },
    send: (method, path, call, stop) => {
      requests.push(`${method} ${path}`)
      return client.send(method, path, call, stop)
    },
  }
}

export const same = (a: ObjectRef, b: ObjectRef) => a.kind === b.kind && a.name === b.name && a.namespace === b.namespace
export const path = ({ namespace }: Given, kind: string, name: string) => `/api/v1/namespaces/${namespace}/${kind}/${name}`
export const merge = 'application/merge-patch+json'

export async function seen(one: Given, name: string) {
  const observed = await one.cluster.observe(one.app, signal)
  return observed.objects.find(object => object.ref.name === name)
}

export function release(objects: readonly Manifest[]): Release {
  return { id: 'rel-1' as ReleaseId, objects, origins: {}, images: [], tree: 'tree' as Release['tree'] }
}

/** Asked and answered. */
export async function preflight(one: Given, objects: readonly Manifest[]) {
  await one.cluster.preflight(one.app, release(objects), 1, { ...order(), ledger: one.ledger }, signal)
  return until('the preflight is answered', async () => {
    const { preflight } = await one.cluster.observe(one.app, signal)
    return preflight?.state === 'running' ? null : preflight
  })
}

export function web(one: Given, more: object = {}, play = ''): Manifest {
  const labels = { app: 'web' }
  const annotations = play === '' ? {} : { 'test.slipway.dev/play': play }
  const template = { metadata: { labels, annotations }, spec: { containers: [{ name: 'web', image: 'web:1', ...more }] } }
  return one.object('Deployment', 'web', { spec: { replicas: 1, selector: { matchLabels: labels }, template } })
}
