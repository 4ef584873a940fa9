// What is found in an Argo CD -> what can be taken over, what not, and why.
import t from 'tap'
import { asDeclared, type ImportInput, importPlan, stillObserved } from '../../controller/importing.js'
import type { Manifest } from '../../runtime/contract/manifest.js'

const input: ImportInput = {
  objects: [],
  declared: {
    uid: '',
    parent: null,
    defaultNode: '',
    clusters: [{ name: 'eu', server: 'https://eu:6443', isOwn: true }],
    readYaml: () => ({}),
  },
  application: () => null,
  project: () => null,
  hasAccess: url => url.startsWith('https://known'),
  from: 'eu/argocd',
}

const app = (name: string, spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Application',
  metadata: { name, namespace: 'argocd', uid: 'u', resourceVersion: '7', ...metadata },
  spec: {
    project: 'default',
    source: { repoURL: 'https://known/a', path: 'a' },
    destination: { server: 'https://eu:6443', namespace: 'a' },
    ...spec,
  },
  status: { sync: { status: 'Synced' } },
})
const secret = (type: string, values: Readonly<Record<string, string>>) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's', labels: { 'argocd.argoproj.io/secret-type': type } },
  data: Object.fromEntries(Object.entries(values).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
})
const plan = (objects: readonly unknown[], change: Partial<ImportInput> = {}) => importPlan({ ...input, ...change, objects })
const lines = (objects: readonly unknown[], change: Partial<ImportInput> = {}) =>
  plan(objects, change).map(({ kind, name, verdict, notes }) => `${kind} ${name} ${verdict}: ${notes.join('; ')}`)

t.test('each is told by name, with why', async t => {
  const cases: readonly (readonly [string, readonly unknown[], Partial<ImportInput>, readonly RegExp[]])[] = [
    ['an application', [app('a')], {}, [/^Application a take: $/]],
    ['one that is automated', [app('a', { syncPolicy: { automated: {} } })], {}, [/rolled back by itself/]],
    [
      'one with a plugin',
      [app('a', { source: { repoURL: 'r', path: 'a', plugin: {} } })],
      {},
      [/^Application a refused: spec\.source\.plugin/],
    ],
    [
      'one that goes where nobody is',
      [app('a', { destination: { server: 'https://us', namespace: 'a' } })],
      {},
      [/refused: spec\.destination\.server/],
    ],
    ['two of one name', [app('a'), app('a', {}, { namespace: 'team' })], {}, [/take/, /refused: another namespace/]],
    [
      'one that is here',
      [app('a')],
      { application: () => ({ mode: 'release', annotations: {} }) },
      [/taken: an application of that name is declared/],
    ],
    [
      'one that is observed',
      [app('a')],
      { application: () => ({ mode: 'observe', annotations: { 'slipway.dev/imported-from': 'eu/argocd' } }) },
      [/taken: it is here already, observed/],
    ],
    ['an operation', [{ ...app('a'), operation: { sync: {} } }], {}, [/an operation is under way/]],
    [
      'a project',
      [{ apiVersion: 'argoproj.io/v1alpha1', kind: 'AppProject', metadata: { name: 'p' }, spec: { roles: [{ name: 'r' }] } }],
      {},
      [/^AppProject p take: .*roles/],
    ],
    [
      'a project that cannot be',
      [
        {
          apiVersion: 'argoproj.io/v1alpha1',
          kind: 'AppProject',
          metadata: { name: 'p' },
          spec: { signatureKeys: [{ keyID: 'x' }] },
        },
      ],
      {},
      [/refused: spec\.signatureKeys/],
    ],
    [
      'a repository with a password',
      [secret('repository', { url: 'https://u:pw@other/x', username: 'bot', password: 'hush' })],
      {},
      [/^repository https:\/\/other\/x yours: .*username: bot, passwordFile/],
    ],
    [
      'one that has an access',
      [secret('repo-creds', { url: 'https://known/x', password: 'hush' })],
      {},
      [/^repository https:\/\/known\/x taken: $/],
    ],
    ['one with a key', [secret('repository', { url: 'git@h:x', sshPrivateKey: 'hush' })], {}, [/yours: it is read with a key/]],
    [
      'one of a GitHub app',
      [secret('repository', { url: 'https://h/x', githubAppPrivateKey: 'hush' })],
      {},
      [/githubAppPrivateKey, which is not supported/],
    ],
    [
      'a cluster',
      [secret('cluster', { name: 'us', server: 'https://us', config: 'hush' })],
      {},
      [/^cluster us yours: add it under clusters/],
    ],
    [
      'one that is known',
      [secret('cluster', { name: 'x', server: 'https://eu:6443/', config: 'hush' })],
      {},
      [/^cluster x taken/],
    ],
    ['what is none of it', [{ kind: 'ConfigMap' }, null, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } }], {}, []],
  ]
  for (const [what, objects, change, wanted] of cases) {
    const found = lines(objects, change)
    t.equal(found.length, wanted.length, `${what}: ${found.join(' | ')}`)
    for (const [at, line] of wanted.entries()) t.match(found[at], line, what)
    t.notOk(found.join().includes('hush') || found.join().includes('pw@'), 'nothing secret is told')
  }
})

t.test('what is declared is what its author wrote, to be observed', async t => {
  const annotations = { 'argocd.argoproj.io/refresh': 'hard', 'kubectl.kubernetes.io/last-applied-configuration': '{}', a: 'b' }
  const [item] = plan([
    app('a', {}, { annotations, labels: { team: 'x' }, finalizers: ['resources-finalizer.argocd.argoproj.io'] }),
  ])
  t.same(item?.manifest, {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: {
      name: 'a',
      labels: { team: 'x' },
      annotations: { a: 'b', 'slipway.dev/mode': 'observe', 'slipway.dev/imported-from': 'eu/argocd' },
      finalizers: ['resources-finalizer.argocd.argoproj.io'],
    },
    spec: app('a').spec,
  })
})

t.test('one that its parent declares too goes on being observed, and is to the parent what Git says', async t => {
  for (const annotations of [undefined, { a: 'b' }]) {
    const manifest = app('a', {}, annotations === undefined ? {} : { annotations }) as unknown as Manifest
    const observed = stillObserved(manifest, 'eu/argocd')
    t.match(observed.metadata.annotations, { 'slipway.dev/mode': 'observe', 'slipway.dev/imported-from': 'eu/argocd' })
    t.same(asDeclared(observed), manifest)
  }
  const own = app('a', {}, { annotations: { 'slipway.dev/mode': 'observe' } }) as unknown as Manifest
  t.equal(asDeclared(own), own, 'what Git itself says to observe stays so')
})
