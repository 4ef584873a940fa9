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
const slipway = await startSlipway(t, {
  config: {
    clusters: [{ name: 'test', kubeconfig: cluster.kubeconfig }],
    watchApplications: [{ cluster: 'test', namespace: 'watched' }],
  },
})
// Made before the first test: nothing may be waited for between two of them.
const apps = await application(slipway, 'apps', {})
const team = await application(slipway, 'fleet', {})
const repository = await application(slipway, 'old-repository', {})
const another = await application(slipway, 'seen-repository', {})
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

/** As an ingress controller would: without one, no Ingress is ever healthy, under Argo CD neither. */
async function playIngress(namespace: string, name: string): Promise<void> {
  const path = `/apis/networking.k8s.io/v1/namespaces/${namespace}/ingresses/${name}`
  await waitUntil(`Ingress ${name} is there`, 120_000, async () => (await cluster.find(path)) !== null)
  const status = { loadBalancer: { ingress: [{ ip: '10.1.2.3' }] } }
  await cluster.call('PATCH', `${path}/status`, { status }, 'application/merge-patch+json')
}

// -- A team's repository: the whole life of a release --

function deploymentOf(version: string, play: string) {
  const labels = { app: 'web' }
  const annotations = play === '' ? {} : { 'test.slipway.dev/play': play }
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: ${JSON.stringify({ labels, annotations })}
    spec: { containers: [{ name: web, image: "team/web:{{ .Values.version }}${version}" }] }
`
}

const hook = (name: string, phase: string, wave: string) =>
  `apiVersion: batch/v1
kind: Job
metadata:
  generateName: ${name}-
  annotations: { argocd.argoproj.io/hook: ${phase}, argocd.argoproj.io/sync-wave: "${wave}" }
spec: { template: { spec: { restartPolicy: Never, containers: [{ name: a, image: team/job:1 }] } } }
`

/** Two applications: a chart with hooks, whose values lie in another folder, and plain YAML in waves. */
function teamFiles(version: string, play = ''): Readonly<Record<string, string>> {
  const common = {
    project: 'team',
    syncPolicy: { automated: { prune: true, selfHeal: true }, syncOptions: ['CreateNamespace=true'] },
  }
  const child = (name: string, spec: object) => ({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: 'argocd', annotations: quick, finalizers: ['resources-finalizer.argocd.argoproj.io'] },
    spec: { ...common, ...spec },
  })
  const destination = { server: cluster.url, namespace: 'team' }
  const repo = { repoURL: team.repoURL, targetRevision: 'HEAD' }
  return {
    'apps/project.yaml': yaml({
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'AppProject',
      metadata: { name: 'team', namespace: 'argocd' },
      spec: {
        sourceRepos: [team.repoURL],
        destinations: [{ server: cluster.url, namespace: 'team' }],
        namespaceResourceBlacklist: [{ group: '', kind: 'Secret' }],
      },
    }),
    'apps/web.yaml': yaml(
      child('team-web', {
        destination,
        sources: [
          { ...repo, path: 'web', helm: { valueFiles: ['$config/env/eu.yaml'], releaseName: 'web' } },
          { ...repo, ref: 'config' },
        ],
      }),
    ),
    'apps/waves.yaml': yaml(
      child('team-waves', { destination, source: { ...repo, path: 'waves', directory: { recurse: true } } }),
    ),
    'web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
    'web/values.yaml': 'version: none\n',
    'web/templates/web.yaml': deploymentOf(version, play),
    'web/templates/hooks.yaml': `${hook('before', 'PreSync', '-1')}---\n${hook('after', 'PostSync', '0')}`,
    'env/eu.yaml': 'version: eu-\n',
    'waves/first.yaml': yaml({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'first', annotations: { 'argocd.argoproj.io/sync-wave': '-1' } },
    }),
    'waves/deep/second.yaml': yaml({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'second', annotations: { 'argocd.argoproj.io/sync-wave': '1' } },
    }),
  }
}

const web = '/apis/apps/v1/namespaces/team/deployments/web'
const imageNow = async () => (await cluster.call('GET', web)).spec.template.spec.containers[0].image as string
const at = (commit: string) => (view: ApplicationView) => view.candidate?.commit === commit
const jobs = async () =>
  ((await cluster.call('GET', '/apis/batch/v1/namespaces/team/jobs')).items as { metadata: { name: string } }[]).map(
    job => job.metadata.name,
  )

await t.test('an application of applications deploys its project, a chart with hooks from two sources, and waves', async t => {
  const commit = await team.push(teamFiles('1'), 'Begin')
  await team.declare({ destination: { name: 'test', namespace: 'argocd' }, source: { repoURL: team.repoURL, path: 'apps' } })

  await settled('team-web', 'Healthy', at(commit))
  await settled('team-waves', 'Healthy', at(commit))
  t.equal(await imageNow(), 'team/web:eu-1', 'with the value file of the other source')
  t.match((await jobs()).join(' '), /after-[0-9a-f]{6}-postsync-1.*before-[0-9a-f]{6}-presync-1/)
  t.ok(await cluster.find('/api/v1/namespaces/team/configmaps/second'))
})

await t.test('it upgrades, fails, is rolled back by itself, and is reverted in Git', async t => {
  const good = await team.push(teamFiles('2'), 'Upgrade')
  await settled('team-web', 'Healthy', at(good))
  t.equal(await imageNow(), 'team/web:eu-2')

  const bad = await team.push(teamFiles('3', 'crash'), 'Break')
  const view = await settled('team-web', 'RolledBack', at(bad))
  t.match(view.message, /container web exited 1 three times/)
  t.equal(await imageNow(), 'team/web:eu-2')

  const reverted = await team.push(teamFiles('2'), 'Revert "Break"')
  await settled('team-web', 'Healthy', at(reverted))
})

await t.test('what its project does not permit is held by name, and nothing is touched', async t => {
  const secret = yaml({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' } })
  const commit = await team.push({ ...teamFiles('4'), 'web/templates/secret.yaml': secret }, 'Make a Secret')
  t.match((await settled('team-web', 'Held', at(commit))).message, /[Pp]roject team does not permit Secret/)
  t.equal(await imageNow(), 'team/web:eu-2')

  const outside = teamFiles('2')
  const moved = {
    ...outside,
    'apps/waves.yaml': outside['apps/waves.yaml']?.replace('"namespace":"team"', '"namespace":"kube-system"') ?? '',
  }
  const next = await team.push({ ...moved, 'web/templates/secret.yaml': null } as Record<string, string | null>, 'Go elsewhere')
  t.match(
    (await settled('team-waves', 'Held')).message,
    /[Pp]roject team does not permit cluster\/test with namespace kube-system/,
  )
  await settled('team-web', 'Healthy', at(next))
  await team.push(teamFiles('2'), 'Come back')
  await settled('team-waves', 'Healthy')
})

// -- Beside a live Argo CD --

const crd = (plural: string, kind: string) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.argoproj.io` },
  spec: {
    group: 'argoproj.io',
    scope: 'Namespaced',
    names: { plural, singular: kind.toLowerCase(), kind },
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
})

const argoApps = '/apis/argoproj.io/v1alpha1/namespaces/argocd/applications'
async function serveKinds(): Promise<void> {
  for (const [plural, kind] of [
    ['applications', 'Application'],
    ['appprojects', 'AppProject'],
  ] as const)
    await cluster.call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd(plural, kind))
  await waitUntil('the kinds are served', 60_000, async () => (await cluster.find(argoApps).catch(() => null)) !== null)
}

const live = '/apis/apps/v1/namespaces/old/deployments/old'
const podsOf = async (namespace: string) =>
  ((await cluster.call('GET', `/api/v1/namespaces/${namespace}/pods`)).items as { metadata: { name: string } }[])
    .map(pod => pod.metadata.name)
    .sort()

/** What Argo CD has applied: its tracking, its field manager. */
async function applyAsArgo(path: string, object: Readonly<Record<string, unknown>>): Promise<void> {
  const query = '?fieldManager=argocd-controller&force=true'
  await cluster.call('PATCH', `${path}${query}`, object, 'application/apply-patch+yaml')
}

const oldWeb = (replicas: number, tracking = true) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'old',
    namespace: 'old',
    ...(tracking ? { annotations: { 'argocd.argoproj.io/tracking-id': 'old:apps/Deployment:old/old' } } : {}),
  },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'old' } },
    template: { metadata: { labels: { app: 'old' } }, spec: { containers: [{ name: 'old', image: 'old:1' }] } },
  },
})

await t.test('a live Argo CD is observed without a write: what would be taken, what not, and what differs', async t => {
  await serveKinds()
  for (const name of ['argocd', 'old'])
    if ((await cluster.find(`/api/v1/namespaces/${name}`)) === null) await cluster.namespace(name)
  await repository.push({ 'old.yaml': yaml(oldWeb(2, false)), 'hook.yaml': hook('migrate', 'PreSync', '0') }, 'As it runs')
  await applyAsArgo(live, oldWeb(2))
  await waitUntil('its pods are ready', 60_000, async () => (await cluster.call('GET', live)).status?.readyReplicas === 2)
  const base = {
    project: 'default',
    destination: { server: cluster.url, namespace: 'old' },
    syncPolicy: { automated: { prune: true } },
  }
  const declare = (name: string, source: object) =>
    cluster.call('POST', argoApps, {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Application',
      metadata: { name, finalizers: ['resources-finalizer.argocd.argoproj.io'] },
      spec: { ...base, source },
      status: { sync: { status: 'Synced' } },
    })
  await declare('old', { repoURL: repository.repoURL, path: '.', targetRevision: 'HEAD' })
  await declare('plugged', { repoURL: repository.repoURL, path: '.', plugin: { name: 'kasane' } })
  const before = await cluster.call('GET', live)

  const plan = await slipway.cli('import', '--cluster', 'test')
  t.match(plan.out, /1 will be taken, 1 not as it is/)
  t.match(plan.out, /Application plugged.*not as it is[\s\S]*spec\.source\.plugin/)
  t.equal(await viewOf('old'), null, 'nothing was declared')

  await slipway.cli('import', '--cluster', 'test', '--observe')
  const view = await settled('old', 'Healthy')
  t.match(view.message, /all 1 objects are as \S+ says.*Observed only: nothing is written/i)
  t.equal(view.sync.status, 'Synced')

  await repository.push({ 'old.yaml': yaml(oldWeb(3, false)) }, 'One more')
  t.match((await settled('old', 'OutOfSync')).message, /1 of 1 objects differs from Git: Deployment old\/old/)
  t.match((await slipway.cli('sync', 'old')).err, /only observed/)
  await repository.push({ 'old.yaml': yaml(oldWeb(2, false)) }, 'Not one more')
  await settled('old', 'Healthy')

  const after = await cluster.call('GET', live)
  t.equal(after.metadata.resourceVersion, before.metadata.resourceVersion, 'nothing was written')
  t.same((await cluster.call('GET', '/api/v1/namespaces/old/secrets')).items, [], 'no ledger either')
})

await t.test('taken over, no pod is touched and no hook run again; given back, everything goes on', async t => {
  const pods = await podsOf('old')
  t.match(
    (await slipway.cli('import', '--take-over', 'old', '--yes')).out,
    /old is taken over\. Argo CD in test\/argocd leaves it alone/,
  )
  t.equal((await cluster.call('GET', `${argoApps}/old`)).metadata.annotations['argocd.argoproj.io/skip-reconcile'], 'true')
  await settled('old', 'Healthy', view => view.release !== null)
  t.same(await podsOf('old'), pods)
  t.same((await cluster.call('GET', '/apis/batch/v1/namespaces/old/jobs')).items, [], 'its hook did not run')

  const commit = await repository.push({ 'old.yaml': yaml(oldWeb(3, false)) }, 'One more')
  await settled('old', 'Healthy', at(commit))
  t.equal((await cluster.call('GET', live)).spec.replicas, 3)

  const running = await podsOf('old')
  t.match((await slipway.cli('release', 'old', '--keep-objects', '--yes')).out, /Argo CD in test\/argocd reconciles it again/)
  await waitUntil('it is let go', 60_000, async () => (await viewOf('old')) === null)
  const left = await cluster.call('GET', live)
  t.equal(left.metadata.annotations['argocd.argoproj.io/tracking-id'], 'old:apps/Deployment:old/old')
  t.same(await podsOf('old'), running)
  const argo = await cluster.call('GET', `${argoApps}/old`)
  t.equal(argo.metadata.annotations?.['argocd.argoproj.io/skip-reconcile'], undefined)
})

// -- Watched as the kinds of a cluster --

const watched = '/apis/argoproj.io/v1alpha1/namespaces/watched/applications/seen'
const statusNow = async () => (await cluster.call('GET', watched)).status ?? {}
const seenWeb = '/apis/apps/v1/namespaces/seen/deployments/old'

await t.test(
  'an Application of a watched cluster is declared from there, and its status written back as Argo CD writes it',
  async t => {
    const plain = (play: string) => {
      const { metadata: _, spec, ...kind } = oldWeb(1, false)
      const annotations = { 'test.slipway.dev/play': play }
      const template = { ...spec.template, metadata: { ...spec.template.metadata, ...(play === '' ? {} : { annotations }) } }
      return { 'old.yaml': yaml({ ...kind, metadata: { name: 'old' }, spec: { ...spec, template } }) }
    }
    await cluster.namespace('watched')
    const good = await another.push(plain(''), 'As it is')
    await cluster.call('POST', watched.replace('/seen', ''), {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Application',
      metadata: { name: 'seen', annotations: quick, finalizers: ['resources-finalizer.argocd.argoproj.io'] },
      spec: {
        project: 'default',
        source: { repoURL: another.repoURL, path: '.', targetRevision: 'HEAD' },
        destination: { server: cluster.url, namespace: 'seen' },
        syncPolicy: { automated: { prune: true, selfHeal: true }, syncOptions: ['CreateNamespace=true'] },
      },
    })
    await waitUntil('its status says so', 120_000, async () => {
      const { sync, health, operationState } = await statusNow()
      return sync?.status === 'Synced' && health?.status === 'Healthy' && operationState?.phase === 'Succeeded'
    })
    const status = await statusNow()
    t.equal(status.sync.revision, good)
    t.match(status.resources, [
      { group: 'apps', kind: 'Deployment', namespace: 'seen', name: 'old', status: 'Synced', health: { status: 'Healthy' } },
    ])
    t.match(status.history, [{ id: 1, revision: good }])
    t.same(status.conditions, [])

    const bad = await another.push(plain('crash'), 'Break')
    await waitUntil('its status says that it was rolled back', 120_000, async () => {
      const { conditions = [], operationState, sync } = await statusNow()
      return conditions[0]?.type === 'RolledBack' && operationState?.phase === 'Failed' && sync?.status === 'OutOfSync'
    })
    t.equal((await statusNow()).sync.revision, bad)
    const { resourceVersion } = (await cluster.call('GET', watched)).metadata
    await new Promise(resolve => setTimeout(resolve, 3_000))
    t.equal(
      (await cluster.call('GET', watched)).metadata.resourceVersion,
      resourceVersion,
      'nothing is written while nothing happens',
    )

    await cluster.call(
      'PATCH',
      watched,
      { metadata: { annotations: { 'argocd.argoproj.io/refresh': 'hard' } } },
      'application/merge-patch+json',
    )
    await waitUntil('the refresh was heeded', 60_000, async () => {
      return (await cluster.call('GET', watched)).metadata.annotations['argocd.argoproj.io/refresh'] === undefined
    })
  },
)

await t.test('one that cannot be declared says why; one that is deleted ends as its finalizer says', async t => {
  const merge = (body: object) => cluster.call('PATCH', watched, body, 'application/merge-patch+json')
  await merge({ spec: { source: { plugin: { name: 'kasane' } } } })
  await waitUntil('its status says why', 60_000, async () => {
    const { conditions = [] } = await statusNow()
    return conditions[0]?.type === 'InvalidSpecError' && /spec\.source\.plugin/.test(conditions[0].message)
  })
  t.ok(await cluster.find(seenWeb), 'what runs goes on')
  await merge({ spec: { source: { plugin: null }, syncPolicy: { syncOptions: ['CreateNamespace=true', 'Delete=confirm'] } } })
  await waitUntil('it is taken', 60_000, async () => {
    const { conditions = [] } = await statusNow()
    return conditions[0]?.type !== 'InvalidSpecError'
  })

  await cluster.call('DELETE', watched)
  await waitUntil('its status says that it waits for a word', 60_000, async () => {
    const { resources = [] } = await statusNow()
    return resources.some((one: { requiresDeletionConfirmation?: boolean }) => one.requiresDeletionConfirmation === true)
  })
  t.ok(await cluster.find(seenWeb), 'nothing of it is touched before')
  const approved = { 'argocd.argoproj.io/deletion-approved': new Date().toISOString().replace(/\.\d+/, '') }
  await merge({ metadata: { annotations: approved } })
  await waitUntil('it is gone', 120_000, async () => (await cluster.find(watched)) === null)
  t.equal(await cluster.find(seenWeb), null, 'what it ran ended first')
  t.equal(await viewOf('seen'), null)
})

// -- Argo CD's own examples --

/** Not among those that are here as they are: why. */
const leftOut: Readonly<Record<string, string>> = {
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
    // Of blue-green: its kind is there; nobody plays its controller, and a kind without conditions is well once it is there.
    await cluster.call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd('rollouts', 'Rollout'))
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

    if (names.includes('sock-shop')) await playIngress('sock-shop', 'front-end-ingress')
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
