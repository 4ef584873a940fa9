// How a cluster is reached, as the controller's configuration says it: contexts, accounts, tokens; and what is refused.
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parseApplication } from '../../controller/application.js'
import { accessTo, type ClusterSource } from '../../controller/cluster/kubernetes/access.js'
import { parseConfig } from '../../controller/config.js'

const directory = mkdtempSync(join(tmpdir(), 'slipway-access-'))
t.teardown(() => rmSync(directory, { recursive: true, force: true }))
const file = (name: string, content: string) => {
  writeFileSync(join(directory, name), content)
  return join(directory, name)
}
const base64 = (text: string) => Buffer.from(text).toString('base64')

const kubeconfig = file(
  'kubeconfig',
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'c', cluster: { server: 'https://c.example:6443/', 'certificate-authority-data': base64('the authority') } },
    ],
    users: [
      { name: 'token', user: { token: 'secret' } },
      { name: 'certificate', user: { 'client-certificate-data': base64('cert'), 'client-key-data': base64('key') } },
      { name: 'program', user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'aws', args: [] } } },
    ],
    contexts: ['token', 'certificate', 'program'].map(user => ({ name: `by-${user}`, context: { cluster: 'c', user } })),
    'current-context': 'by-token',
  }),
)
const context = (name: string, more: Partial<ClusterSource> = {}): ClusterSource =>
  ({ name: 'prod', kind: 'kubeconfig', file: kubeconfig, context: name, allowExec: false, ...more }) as ClusterSource

t.test('a context gives server, authority and who we are', async t => {
  const byToken = await accessTo(context(''))
  const byCertificate = await accessTo(context('by-certificate'))

  t.equal(byToken.server, 'https://c.example:6443')
  t.same(byToken.tls, { ca: 'the authority' })
  t.same(await byToken.headers(), { authorization: 'Bearer secret' })
  t.same(byCertificate.tls, { ca: 'the authority', cert: 'cert', key: 'key' })
  t.same(await byCertificate.headers(), {})
})

t.test('a program that logs in is run where the operator allowed it', async t => {
  const credential = {
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token: 'from the program' },
  }
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: 'echo',
    args: [JSON.stringify(credential)],
    interactiveMode: 'Never',
  }
  const withProgram = file(
    'program',
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: 'https://c.example:6443' } }],
      users: [{ name: 'u', user: { exec } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  )

  const access = await accessTo({ name: 'prod', kind: 'kubeconfig', file: withProgram, context: '', allowExec: true })

  t.match(await access.headers(), { Authorization: 'Bearer from the program' })
})

t.test('a token is read again when its file has changed', async t => {
  const tokenFile = file('token', 'first\n')
  const access = await accessTo({ name: 'x', kind: 'token', server: 'https://x', caFile: '', tokenFile })
  t.same(await access.headers(), { authorization: 'Bearer first' })

  writeFileSync(tokenFile, 'second\n')
  utimesSync(tokenFile, new Date(), new Date(Date.now() + 5_000))

  t.same(await access.headers(), { authorization: 'Bearer second' })
})

t.test('what cannot be used is said with what to do', async t => {
  const token = (more: Partial<ClusterSource>): ClusterSource =>
    ({ name: 'x', kind: 'token', server: 'https://x', caFile: '', tokenFile: file('t', 'x'), ...more }) as ClusterSource
  const cases: readonly [string, ClusterSource, RegExp][] = [
    ['a program', context('by-program'), /runs a program to log in; allow it with clusters\[\].allowExec/],
    ['an unknown context', context('staging'), /has no context staging; it has by-token, by-certificate, by-program/],
    ['no such file', context('', { file: join(directory, 'none') } as Partial<ClusterSource>), /none cannot be read/],
    ['no kubeconfig', context('', { file: file('broken', '{') } as Partial<ClusterSource>), /broken is no kubeconfig/],
    ['no token', token({ tokenFile: join(directory, 'none') } as Partial<ClusterSource>), /there is no token file/],
    ['no authority', token({ caFile: join(directory, 'none') } as Partial<ClusterSource>), /none cannot be read/],
    ['no URL', token({ server: 'x.example' } as Partial<ClusterSource>), /"x.example" is no http\(s\) URL/],
  ]
  for (const [name, source, message] of cases) await t.rejects(accessTo(source), message, name)
})

t.test('the configuration names clusters in one of three ways', async t => {
  const { config, faults } = parseConfig(
    {
      clusters: [
        { name: 'prod', kubeconfig: '/etc/kube', context: 'prod-eu' },
        { name: 'here', inCluster: true, namespaces: ['shop'] },
        { name: 'far', server: 'https://far:6443', caFile: '/ca', tokenFile: '/token', uid: 'a-b', requestsPerSecond: 50 },
      ],
    },
    { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '6443' },
    false,
  )

  t.same(faults, [])
  t.same(config.clusters, [
    { name: 'prod', kind: 'kubeconfig', file: '/etc/kube', context: 'prod-eu', allowExec: false },
    {
      name: 'here',
      namespaces: ['shop'],
      kind: 'account',
      directory: '/var/run/secrets/kubernetes.io/serviceaccount',
      server: 'https://10.96.0.1:6443',
    },
    {
      name: 'far',
      uid: 'a-b',
      requestsPerSecond: 50,
      kind: 'token',
      server: 'https://far:6443',
      caFile: '/ca',
      tokenFile: '/token',
    },
  ])
})

t.test('every fault of the clusters is told', async t => {
  const clusters = [
    { name: 'Prod', kubeconfig: '/x', server: 'https://x' },
    { name: 'a' },
    { name: 'a', server: 'https://x', tocken: 'x' },
    { name: 'b', inCluster: true, namespaces: [] },
    { name: 'c', inCluster: true, namespaces: ['shop', 'Not One'] },
  ]
  const { faults } = parseConfig({ clusters }, {}, false)

  t.same(
    faults.map(({ pointer }) => pointer),
    [
      'clusters[0].name',
      'clusters[0].kubeconfig',
      'clusters[1].kubeconfig',
      'clusters[2].tocken',
      'clusters[2].name',
      'clusters[2].tokenFile',
      'clusters[3].namespaces',
      'clusters[4].namespaces',
    ],
  )
})

t.test('a destination is a cluster by its name or its server, else a node', async t => {
  const clusters = [
    { name: 'prod', server: 'https://prod:6443', isOwn: false },
    { name: 'here', server: 'https://10.96.0.1:443', isOwn: true },
  ]
  const parsed = (destination: object, defaultNode = 'lab') =>
    parseApplication(
      {
        apiVersion: 'argoproj.io/v1alpha1',
        kind: 'Application',
        metadata: { name: 'shop' },
        spec: { project: 'default', source: { repoURL: 'https://git/shop', path: '.' }, destination },
      },
      { uid: 'u', parent: null, defaultNode, clusters, readYaml: JSON.parse },
    )
  const cases: readonly [object, string][] = [
    [{ name: 'prod', namespace: 'shop' }, 'cluster/prod'],
    [{ name: 'cluster/prod' }, 'cluster/prod'],
    [{ server: 'https://prod:6443/' }, 'cluster/prod'],
    [{ server: 'https://kubernetes.default.svc' }, 'cluster/here'],
    [{ name: 'other' }, 'node/other'],
    [{ name: 'node/prod' }, 'node/prod'],
    [{}, 'node/lab'],
    [{ name: 'cluster/none' }, 'there is no cluster "none"; known are prod, here'],
    [{ server: 'https://none' }, '"https://none" is no cluster that Slipway knows; known are prod, here'],
    [{ server: 'https://prod:6443', name: 'prod' }, 'is given beside name: give one of the two'],
  ]
  for (const [destination, expected] of cases) {
    const { application, faults } = parsed(destination)
    t.same(application?.destination.place ?? faults.map(({ message }) => message).join(), expected, JSON.stringify(destination))
  }
  for (const unnamed of [{}, { namespace: 'shop' }, { name: '' }])
    t.equal(parsed(unnamed, 'here').application?.destination.place, 'cluster/here', 'in a pod: the cluster that it is in')
  t.equal(parsed({ server: 'https://prod:6443' }, 'here').application?.destination.place, 'cluster/prod')
})

t.test('what names no destination goes to the cluster that the controller is in, unless a node is named', async t => {
  const own = {
    clusters: [
      { name: 'far', server: 'https://far', tokenFile: '/token' },
      { name: 'here', inCluster: true },
    ],
  }
  t.equal(parseConfig(own, {}, false).config.node, 'here')
  t.equal(parseConfig({ ...own, node: 'lab' }, {}, false).config.node, 'lab')
  t.not(parseConfig({ clusters: own.clusters.slice(0, 1) }, {}, false).config.node, 'far')
})
