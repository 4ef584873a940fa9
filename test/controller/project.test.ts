// AppProject: what it permits, as Argo CD does, and whom it holds.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import {
  goingFault,
  mayDeclareProjects,
  objectFault,
  type Project,
  parseProject,
  permitsSource,
} from '../../controller/application/project.js'
import type { Application } from '../../controller/application.js'
import { createProjects } from '../../controller/projects.js'
import type { StoredProject } from '../../controller/store/store.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { ana, application, configMap, release, sourceOf } from './builders.js'

const folder = mkdtempSync(join(tmpdir(), 'slipway-project-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const anywhere = { sourceRepos: ['*'], destinations: [{ server: '*', name: '*', namespace: '*' }] }

function manifestOf(spec: object, name = 'team'): Manifest {
  return { apiVersion: 'argoproj.io/v1alpha1', kind: 'AppProject', metadata: { name }, spec } as Manifest
}

function projectOf(spec: object): Project {
  const { project, faults } = parseProject(manifestOf(spec))
  if (project === null) throw new Error(faults.map(({ pointer, message }) => `${pointer}: ${message}`).join('; '))
  return project
}

t.test('repositories are permitted by glob, and forbidden by one', async t => {
  const cases: readonly (readonly [readonly string[], string, boolean])[] = [
    [['*'], 'https://host/a/b.git', true],
    [[], 'https://host/a', false],
    [['https://host/a'], 'https://host/a.git', true],
    [['https://HOST/a.git'], 'https://host/a', true],
    [['https://host/a'], 'https://u:secret@host/a', true],
    [['https://host/*'], 'https://host/a', true],
    [['https://host/*'], 'https://host/a/b', false],
    [['https://host/**'], 'https://host/a/b', true],
    [['https://host/{a,b}'], 'https://host/b', true],
    [['https://host/a'], 'https://host.evil.example/a', false],
    [['*', '!https://host/secret'], 'https://host/secret.git', false],
    [['*', '!https://host/secret'], 'https://host/open', true],
  ]
  for (const [sourceRepos, url, isPermitted] of cases)
    t.equal(permitsSource(projectOf({ sourceRepos }), url), isPermitted, `${sourceRepos.join(' ')} ${url}`)
})

t.test('destinations are permitted by name or server together with the namespace', async t => {
  const eu = { place: 'cluster/eu', name: 'eu', server: 'https://eu:6443', namespace: 'shop' }
  const lab = { place: 'node/lab', name: 'lab', server: '', namespace: 'shop' }
  const cases: readonly (readonly [readonly object[], typeof eu, boolean])[] = [
    [[], eu, false],
    [[{ server: '*', namespace: '*' }], eu, true],
    [[{ server: '*', namespace: '*' }], lab, true],
    [[{ name: 'eu', namespace: 'shop' }], eu, true],
    [[{ name: 'eu', namespace: 'shop-*' }], eu, false],
    [[{ name: 'eu', namespace: 'sh*' }], eu, true],
    [[{ server: 'https://eu:6443', namespace: '*' }], eu, true],
    [[{ server: 'https://eu:6443', namespace: '*' }], lab, false],
    [[{ name: 'lab', namespace: '*' }], lab, true],
    [[{ name: 'node/lab', namespace: '*' }], lab, true],
    [[{ name: 'node/*', namespace: '*' }], eu, false],
    [
      [
        { name: '*', namespace: '*' },
        { name: '*', namespace: '!shop' },
      ],
      eu,
      false,
    ],
    [[{ name: '*', namespace: '!kube-system' }], eu, true],
    [
      [
        { name: '*', namespace: '*' },
        { server: '!https://eu:6443', namespace: '*' },
      ],
      eu,
      false,
    ],
  ]
  for (const [destinations, destination, isPermitted] of cases) {
    const fault = goingFault(projectOf({ sourceRepos: ['*'], destinations }), { sources: [{ repoURL: 'r' }], destination })
    t.equal(fault === '', isPermitted, `${JSON.stringify(destinations)} ${destination.place}: ${fault}`)
  }
})

t.test(
  'kinds are permitted as Argo CD has it: without a namespace none that is not listed, with one all that are not denied',
  async t => {
    const role: Manifest = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'admin' } }
    const map = configMap('web', 'a')
    const elsewhere: Manifest = { ...map, metadata: { ...map.metadata, namespace: 'kube-system' } }
    const child: Manifest = {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Application',
      metadata: { name: 'kid', namespace: 'argocd' },
    }
    const to = { place: 'cluster/eu', name: 'eu', server: '', namespace: 'shop' }
    const inShop = { sourceRepos: ['*'], destinations: [{ name: 'eu', namespace: 'shop' }] }
    const cases: readonly (readonly [string, object, Manifest, RegExp | null])[] = [
      ['a kind without a namespace', anywhere, role, /does not permit ClusterRole admin \(clusterResourceWhitelist/],
      ['listed', { ...anywhere, clusterResourceWhitelist: [{ group: '*', kind: 'ClusterRole' }] }, role, null],
      ['listed by name', { ...anywhere, clusterResourceWhitelist: [{ group: '*', kind: '*', name: 'adm*' }] }, role, null],
      [
        'another name',
        { ...anywhere, clusterResourceWhitelist: [{ group: '*', kind: '*', name: 'view' }] },
        role,
        /ClusterRole admin/,
      ],
      [
        'listed and denied',
        {
          ...anywhere,
          clusterResourceWhitelist: [{ group: '*', kind: '*' }],
          clusterResourceBlacklist: [{ group: '*', kind: 'Cluster*' }],
        },
        role,
        /ClusterRole admin/,
      ],
      ['a kind with one', anywhere, map, null],
      [
        'denied',
        { ...anywhere, namespaceResourceBlacklist: [{ group: '', kind: 'ConfigMap' }] },
        map,
        /ConfigMap .*web \(namespaceResource/,
      ],
      ['not listed', { ...anywhere, namespaceResourceWhitelist: [{ group: 'apps', kind: '*' }] }, map, /ConfigMap/],
      ['none listed', { ...anywhere, namespaceResourceWhitelist: [] }, map, /ConfigMap/],
      ['in its namespace', inShop, map, null],
      ['in another namespace', inShop, elsewhere, /namespace kube-system of cluster\/eu is none of its destinations/],
      ['an Application goes to the controller, wherever it says', inShop, child, null],
      [
        'and is a kind like others',
        { ...inShop, namespaceResourceBlacklist: [{ group: 'argoproj.io', kind: '*' }] },
        child,
        /Application/,
      ],
    ]
    for (const [what, spec, object, message] of cases) {
      const fault = objectFault(projectOf(spec), [object], to, one => one.kind === 'Application')
      if (message === null) t.equal(fault, null, what)
      else t.match(fault?.message, message, what)
    }
  },
)

t.test('what a project cannot mean is refused by name; what does nothing is said', async t => {
  const faults = (spec: object) => parseProject(manifestOf(spec)).faults.map(({ pointer, message }) => `${pointer}: ${message}`)
  t.match(faults({ signatureKeys: [{ keyID: 'a' }] }), [/spec\.signatureKeys: is not supported: signatures/])
  t.match(faults({ permitOnlyProjectScopedClusters: true }), [/permitOnlyProjectScopedClusters: is not supported/])
  t.match(faults({ sourceRepo: ['*'] }), [/spec\.sourceRepo: unknown field \(did you mean sourceRepos\?\)/])
  t.match(faults({ syncWindows: [{ kind: 'deny', schedule: 'never', duration: '1h' }] }), [
    /spec\.syncWindows\[0\]\.schedule: want five fields/,
  ])
  t.match(parseProject(manifestOf({ roles: [{ name: 'x' }], orphanedResources: { warn: true } })).warnings, [
    /roles/,
    /orphanedResources/,
  ])
})

/** Projects over these applications, with those declared. */
async function world(apps: readonly Application[], ...declared: readonly Manifest[]) {
  return worldIn(mkdtempSync(join(folder, 'projects-')), apps, ...declared)
}

async function worldIn(directory: string, apps: readonly Application[], ...declared: readonly Manifest[]) {
  const kept = new Map<string, StoredProject>()
  const woken: string[] = []
  const projects = createProjects({
    broken: () => {},
    store: {
      projects: () => [...kept.values()],
      putProject: async one => void kept.set(one.name, one),
      removeProject: async name => void kept.delete(name),
    },
    file: join(directory, 'projects.json'),
    now: () => 0,
    clusters: () => [{ name: 'eu', server: 'https://eu:6443', isOwn: false }],
    applications: () => apps,
    application: name => apps.find(app => app.name === name) ?? null,
    changed: name => void woken.push(name),
  })
  for (const manifest of declared) await projects.declare(manifest, ana, null, false)
  return { projects, woken }
}

const named = (name: string, change: Partial<Application>): Application => ({ ...application(), name, ...change })

t.test('an application is held by its own project, and by those of the applications that declare it', async t => {
  const narrow = { ...anywhere, sourceRepos: ['http://git/team'] }
  const fleet = named('fleet', { project: 'team', sources: [sourceOf({ repoURL: 'http://git/team' })] })
  const kid = named('kid', { parent: 'fleet' })
  const grandkid = named('grandkid', { parent: 'kid' })
  const { projects } = await world([fleet, kid, grandkid], manifestOf(narrow))

  t.equal(projects.faultOf(fleet, null), null)
  t.match(projects.faultOf(kid, null), {
    reason: 'NotPermitted',
    message: /^project team does not permit the repository http:\/\/git\/shop: it permits/,
  })
  t.match(projects.faultOf(grandkid, null), { message: /^project team/ })
  t.match(projects.childFault(fleet, named('new', {})), /^project team does not permit the repository/)
  t.equal(projects.childFault(fleet, fleet), '')
  t.match((await world([named('shop', { project: 'gone' })])).projects.faultOf(named('shop', { project: 'gone' }), null), {
    message: /^there is no project gone: apply it/,
  })
  t.equal(projects.faultOf(named('other', {}), null), null, 'default is everything until it is declared')
})

t.test('what is rendered is asked of the project, and who may declare projects', async t => {
  const shop = named('shop', { project: 'team' })
  const nested = release({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AppProject',
    metadata: { name: 'wide', namespace: 'argocd' },
  } as Manifest)
  const denied = await world([shop], manifestOf({ ...anywhere, namespaceResourceBlacklist: [{ group: '', kind: 'ConfigMap' }] }))
  t.match(denied.projects.faultOf(shop, release(configMap('web', 'a'))), { reason: 'NotPermitted', message: /ConfigMap/ })

  const open = await world([shop], manifestOf(anywhere))
  t.equal(open.projects.faultOf(shop, release(configMap('web', 'a'))), null)
  t.match(open.projects.faultOf(shop, nested), {
    message: /does not let applications declare projects, and AppProject wide is one/,
  })
  t.ok(mayDeclareProjects(projectOf({ ...anywhere, namespaceResourceWhitelist: [{ group: 'argoproj.io', kind: 'AppProject' }] })))
  t.notOk(
    mayDeclareProjects(projectOf({ ...anywhere, namespaceResourceWhitelist: [{ group: '*', kind: '*' }] })),
    'a glob names nothing',
  )
  t.equal(open.projects.faultOf(named('fleet', {}), nested), null, 'default may, as long as it is everything')
})

t.test('a change wakes whom it concerns; one that is in use is not removed', async t => {
  const shop = named('shop', { project: 'team' })
  const kid = named('kid', { parent: 'shop' })
  const { projects, woken } = await world([shop, kid, named('other', {})], manifestOf(anywhere))
  t.same(woken, ['shop', 'kid'])
  t.match(await projects.declare(manifestOf(anywhere), ana, null, false), { result: 'unchanged' })
  await t.rejects(projects.remove('team', null), { message: 'project team is that of shop: give them another first.' })
  await t.rejects(projects.declare(manifestOf({ sourceRepos: 'x' }), ana, null, false), {
    message: 'The AppProject is not valid.',
  })
  t.same(projects.windows(kid), [])
})

t.test('a store that was lost gets them back: what was narrowed is not everything again', async t => {
  const shop = named('shop', {})
  const directory = mkdtempSync(join(folder, 'lost-'))
  await worldIn(directory, [shop], manifestOf({ sourceRepos: [] }, 'default'))

  const { projects } = await worldIn(directory, [shop])
  await projects.restore()
  t.match(projects.faultOf(shop, null), { message: /^project default does not permit the repository/ })
})
