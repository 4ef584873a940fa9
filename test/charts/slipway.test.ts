// The chart that installs the controller on a cluster, as a real API server sees it: accepted whole under the restricted policy, and
// its account may do what a controller has to in the namespaces it was given, and nothing elsewhere.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import t from 'tap'
import { Agent, request } from 'undici'
import { parseConfig } from '../../controller/config.js'
import { noSets } from '../../renderer/helm/template.js'
import { helmTemplate, readYaml, walked } from '../../renderer/index.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { order, until } from '../support/controller.js'
import { requestOf } from '../support/helm-flags.js'
import { pathOf } from '../support/kubernetes/applied.js'
import { openField, preflight, seen } from '../support/kubernetes/field.js'
import { noKubernetes, startKubernetes } from '../support/kubernetes/server.js'

const folder = 'charts/slipway'

function rendered(values: object = {}): readonly Manifest[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  const paths = walked(entries.map(entry => relative(folder, join(entry.parentPath, entry.name))))
  const { text } = helmTemplate({
    ...requestOf(['--kube-version', 'v1.36.0']),
    chart: { files: paths.map(path => ({ name: path, bytes: readFileSync(join(folder, path)) })) },
    name: 'slipway',
    namespace: 'delivery',
    valueFiles: [{ name: 'values.yaml', bytes: Buffer.from(JSON.stringify(values)) }],
    sets: noSets,
    chance: { random: count => new Uint8Array(count), now: 0 },
  })
  return readYaml(text, folder).filter(object => object !== null) as Manifest[]
}

const everything = {
  image: { digest: `sha256:${'0'.repeat(64)}` },
  imagePullSecrets: ['registry'],
  access: { namespaces: ['shop', 'delivery'] },
  watchApplications: ['delivery'],
  publicURL: 'https://slipway.example.com',
  webhooks: { shop: 'secret' },
  repositories: [{ url: 'https://git.example.com/', username: 'me', existingSecret: 'git' }],
  registryLogins: { existingSecret: 'registry' },
  config: { commitAuthor: { name: 'Slipway', email: 'slipway@example.com' } },
  service: { type: 'NodePort', annotations: { a: 'b' } },
  ingress: { enabled: true, className: 'nginx', annotations: { a: 'b' }, tlsSecret: 'tls' },
  persistence: { storageClass: 'fast', keep: false },
  networkPolicy: { from: [{ podSelector: {} }], egress: [{ ports: [{ port: 3000, protocol: 'TCP' }] }] },
  serviceAccount: { annotations: { a: 'b' } },
  priorityClassName: 'system-cluster-critical',
  podLabels: { team: 'platform' },
  podAnnotations: { a: 'b' },
  nodeSelector: { 'kubernetes.io/os': 'linux' },
  tolerations: [{ operator: 'Exists' }],
}
const sets = { plain: {}, everything, 'the whole cluster': { access: { cluster: true } } }

t.test('the configuration it writes is one that the controller reads', async t => {
  for (const [name, values] of Object.entries(sets)) {
    const secret = rendered(values).find(({ kind }) => kind === 'Secret') as unknown as { stringData: Record<string, string> }
    const { config, faults } = parseConfig(readYaml(secret.stringData['config.yaml'] ?? '', 'config.yaml')[0], {}, false)
    t.same(faults, [], name)
    const namespaces = { plain: ['delivery'], everything: ['shop', 'delivery'] }[name]
    t.same(config.clusters[0]?.namespaces, namespaces, name)
  }
})

t.test('a value that it does not know is refused', async t => {
  t.throws(() => rendered({ acces: {} }), /acces/)
})

t.test('who may call it, as the network policy says', async t => {
  const cases = [
    [{}, [{ namespaceSelector: {} }], 'a Service within the cluster: all pods'],
    [{ service: { type: 'NodePort' } }, undefined, 'one that others reach too: everyone'],
    [{ service: { type: 'LoadBalancer' } }, undefined, 'the same'],
    [
      { service: { type: 'NodePort' }, networkPolicy: { from: [{ podSelector: {} }] } },
      [{ podSelector: {} }],
      'those who are named',
    ],
  ] as const
  for (const [values, from, what] of cases) {
    const policy = rendered(values).find(({ kind }) => kind === 'NetworkPolicy') as unknown as { spec: { ingress: object[] } }
    t.same(policy.spec.ingress, [{ ports: [{ port: 'http', protocol: 'TCP' }], ...(from === undefined ? {} : { from }) }], what)
  }
})

const missing = await noKubernetes()

t.test('on a real API server', { skip: missing, timeout: 200_000 }, async t => {
  const cluster = await startKubernetes(t)
  const agent = new Agent({ connect: { ca: cluster.ca } })
  t.teardown(() => agent.destroy())
  const strict = { 'pod-security.kubernetes.io/enforce': 'restricted', 'pod-security.kubernetes.io/warn': 'restricted' }
  await cluster.call('POST', '/api/v1/namespaces', { metadata: { name: 'delivery', labels: strict } })
  await cluster.namespace('shop')
  await cluster.namespace('other')
  const send = async (object: Manifest, query: string) => {
    const { statusCode, headers, body } = await request(`${cluster.url}${pathOf(object)}?fieldManager=tests&${query}`, {
      dispatcher: agent,
      method: 'PATCH',
      headers: { authorization: `Bearer ${cluster.token}`, 'content-type': 'application/apply-patch+yaml' },
      body: JSON.stringify(object),
    })
    const text = await body.text()
    return `${statusCode < 300 ? '' : `${statusCode} ${text}`}${headers.warning === undefined ? '' : String(headers.warning)}`
  }

  await t.test('every object is accepted, without a warning, under the restricted policy', async t => {
    for (const [name, values] of Object.entries(sets))
      for (const object of rendered(values))
        t.equal(await send(object, 'dryRun=All&fieldValidation=Strict'), '', `${name}: ${object.kind}`)
  })

  await t.test('its account deploys where it was let, watches there, and may do nothing elsewhere', async t => {
    const objects = rendered({ access: { namespaces: ['shop'] } })
    for (const object of objects.filter(({ kind }) => /Role|ServiceAccount/.test(kind))) t.equal(await send(object, ''), '')
    const path = '/api/v1/namespaces/delivery/serviceaccounts/slipway/token'
    const { status } = await cluster.call('POST', path, { spec: { expirationSeconds: 3600 } })
    const as = { token: String(status.token), namespaces: ['shop'] }
    const given = openField(cluster)
    const one = await given(t, {}, { namespace: 'shop', as })
    const web = one.object('Deployment', 'web', deploymentSpec)

    t.match(await preflight(one, [web]), { state: 'passed', problems: [] })
    t.match(await one.apply([web]), [{ result: 'created' }])
    await until('its pod is seen', async () => {
      const observed = await one.cluster.observe(one.app, new AbortController().signal)
      return observed.pods.some(pod => pod.ready)
    })
    await cluster.call('DELETE', '/apis/apps/v1/namespaces/shop/deployments/web')
    await until('it is seen to be gone', async () => (await seen(one, 'web')) === undefined)

    const elsewhere = { ...web, metadata: { ...web.metadata, namespace: 'other' } }
    t.match(await preflight(one, [web, elsewhere]), {
      state: 'refused',
      problems: [{ reason: 'OutsideNamespaces', message: /other.*outside of the namespaces.*\(shop\): add other/ }],
    })
    const home = await given(t, {}, { namespace: 'other', as })
    t.match(await preflight(home, [elsewhere]), { state: 'refused', problems: [{ message: /other.*outside of the namespaces/ }] })
    await home.cluster.remember(home.app, order({ ledger: home.ledger }), new AbortController().signal)
    t.same((await cluster.call('GET', '/api/v1/namespaces/other/secrets')).items, [], 'and no ledger is put there')
    const may = (namespace: string) => mayRead(cluster.url, agent, as.token, `/api/v1/namespaces/${namespace}/secrets`)
    t.same(await Promise.all(['shop', 'delivery', 'other', 'kube-system'].map(may)), [200, 403, 403, 403])
    t.equal(await mayRead(cluster.url, agent, as.token, '/api/v1/secrets'), 403)
  })
})

const deploymentSpec = {
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web:1' }] } },
  },
}

async function mayRead(url: string, dispatcher: Agent, token: string, path: string): Promise<number> {
  const { statusCode, body } = await request(`${url}${path}`, { dispatcher, headers: { authorization: `Bearer ${token}` } })
  await body.dump()
  return statusCode
}
