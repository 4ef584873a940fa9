// Each golden as a real API server sees it: a dry run of a server-side apply, with strict fields. Skipped, and said so, where there is no Go.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { Agent, request } from 'undici'
import { readYaml } from '../../renderer/index.js'
import { noKubernetes, startKubernetes, type TestCluster } from '../support/kubernetes/server.js'
import { names, sets } from './charts.js'

interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
}

function pathOf({ apiVersion, kind, metadata }: Manifest, namespace: string): string {
  const group = apiVersion.includes('/') ? `apis/${apiVersion}` : `api/${apiVersion}`
  const plural = kind.toLowerCase().replace(/(s|y)?$/, (_, last = '') => (last === 's' ? 'ses' : last === 'y' ? 'ies' : 's'))
  return `/${group}/namespaces/${namespace}/${plural}/${metadata.name}?dryRun=All&fieldManager=tests&fieldValidation=Strict`
}

/** What the server says: '' where it is content. A pod security policy that would refuse the pods warns in a header. */
async function said({ url, token }: TestCluster, agent: Agent, manifest: Manifest, namespace: string): Promise<string> {
  const { statusCode, headers, body } = await request(`${url}${pathOf(manifest, namespace)}`, {
    dispatcher: agent,
    method: 'PATCH',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/apply-patch+yaml' },
    body: JSON.stringify(manifest),
  })
  const text = await body.text()
  return `${statusCode < 300 ? '' : `${statusCode} ${text}`}${headers.warning === undefined ? '' : String(headers.warning)}`
}

t.test('a real API server accepts every golden, without a warning', { skip: await noKubernetes() }, async t => {
  const cluster = await startKubernetes(t)
  const agent = new Agent({ connect: { ca: cluster.ca } })
  t.teardown(() => agent.destroy())
  const restricted = { 'pod-security.kubernetes.io/warn': 'restricted', 'pod-security.kubernetes.io/warn-version': 'latest' }
  await cluster.namespace('plain')
  const strict = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'strict', labels: restricted } }
  await cluster.call('POST', '/api/v1/namespaces', strict)
  const objectsIn = (file: string) => readYaml(readFileSync(`test/charts/golden/${file}.yaml`, 'utf8'), file) as Manifest[]

  for (const name of names)
    for (const set of sets)
      for (const manifest of objectsIn(`${name}-${set}`))
        t.equal(
          await said(cluster, agent, manifest, set === 'hardened' ? 'strict' : 'plain'),
          '',
          `${name} ${set} ${manifest.kind}`,
        )

  // That it would have said so.
  const deployment = objectsIn('web-default').find(({ kind }) => kind === 'Deployment') as Manifest
  t.match(
    await said(cluster, agent, { ...deployment, spec: { replica: 1 } } as Manifest, 'plain'),
    /spec\.replica: field not declared in schema/,
  )
  t.match(await said(cluster, agent, deployment, 'strict'), /would violate PodSecurity/)
})
