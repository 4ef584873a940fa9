// A repository of Argo CD applications, as it is, on a Kubernetes cluster: an application of applications, Helm, Kustomize, hooks and waves
// deploy, upgrade, fail, roll back and revert; and Argo CD's own example applications all end healthy.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import t from 'tap'
import type { ApplicationView } from '../../controller/view.js'
import { conformance } from '../controller/builders.js'
import { application } from '../support/applications.js'
import { noKubernetes, startKubernetes } from '../support/kubernetes/server.js'
import { waitUntil } from '../support/machine.js'
import { startSlipway } from '../support/slipway.js'

const missing = await noKubernetes()
if (missing !== false) {
  t.plan(0, missing)
  process.exit(0)
}
t.setTimeout(400_000)
const cluster = await startKubernetes(t)
const slipway = await startSlipway(t, { config: { clusters: [{ name: 'test', kubeconfig: cluster.kubeconfig }] } })
const hasKustomize = (process.env.PATH ?? '')
  .split(delimiter)
  .some(folder => ['kustomize', 'kubectl'].some(name => existsSync(join(folder, name))))

const quick = { 'slipway.dev/bake-time': '1s', 'slipway.dev/health-timeout': '60s' }
const yaml = (...objects: readonly object[]) => objects.map(object => JSON.stringify(object)).join('\n---\n')

const viewOf = async (name: string): Promise<ApplicationView | null> => slipway.client.application(name).catch(() => null)

async function settled(name: string, state: ApplicationView['state'], isSo: (view: ApplicationView) => boolean = () => true) {
  let last: ApplicationView | null = null
  await waitUntil(`${name} is ${state}`, 120_000, async () => {
    last = await viewOf(name)
    return last?.state === state && isSo(last)
  }).catch(error => {
    throw new Error(`${(error as Error).message}; it is ${last?.state}: ${last?.message}`)
  })
  return last as unknown as ApplicationView
}

/** Every file below a folder, by its path. */
function filesBelow(folder: string, within = ''): Readonly<Record<string, string>> {
  const entries = readdirSync(join(folder, within), { withFileTypes: true })
  return Object.assign(
    {},
    ...entries.map(entry => {
      const path = within === '' ? entry.name : `${within}/${entry.name}`
      return entry.isDirectory() ? filesBelow(folder, path) : { [path]: readFileSync(join(folder, path), 'utf8') }
    }),
  ) as Readonly<Record<string, string>>
}

// -- Argo CD's own examples --

/** Not among those that are here as they are: why. */
const leftOut: Readonly<Record<string, string>> = {
  'blue-green': 'needs the kind Rollout and its controller',
  'helm-dependency': 'names a chart of a repository on the Internet',
}

const examples = conformance('argocd-example-apps')
await t.test(
  "Argo CD's example applications, declared by their own application of applications, all end healthy",
  { skip: existsSync(examples) ? false : 'the examples are not here' },
  async t => {
    const names = readdirSync(examples, { withFileTypes: true })
      .filter(entry => entry.isDirectory() && entry.name !== 'apps' && leftOut[entry.name] === undefined)
      .filter(entry => hasKustomize || !existsSync(join(examples, entry.name, 'kustomization.yaml')))
      .map(entry => entry.name)
    t.ok(names.length >= 4, names.join(' '))
    const apps = await application(slipway, 'apps', {})
    await apps.push(filesBelow(examples), 'The examples')
    const values = {
      config: {
        spec: {
          destination: { server: cluster.url },
          source: { repoURL: apps.repoURL, targetRevision: 'HEAD' },
        },
      },
      // As its own values have it: a chart's Services may not have the dot of the application's name.
      applications: names.map(name =>
        existsSync(join(examples, name, 'Chart.yaml')) ? { name, tool: { helm: { releaseName: name } } } : { name },
      ),
    }
    await apps.declare({
      destination: { name: 'test', namespace: 'argocd' },
      source: { repoURL: apps.repoURL, path: 'apps', helm: { valuesObject: values } },
    })

    for (const name of names) {
      const view = await settled(`example.${name}`, 'Healthy')
      t.ok(view, name)
    }
    await settled('apps', 'Healthy')
    const web = await cluster.call('GET', '/apis/apps/v1/namespaces/guestbook/deployments/guestbook-ui')
    t.equal(
      web.metadata.annotations['argocd.argoproj.io/tracking-id'],
      'example.guestbook:apps/Deployment:guestbook/guestbook-ui',
    )
  },
)
