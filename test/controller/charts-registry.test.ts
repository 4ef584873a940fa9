// Charts of OCI registries: a real one (Debian's docker-registry) with a password and with tokens from elsewhere, and registries that lie.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { dockerAuths, type Reach } from '../../controller/charts/access.js'
import type { Need } from '../../renderer/index.js'
import {
  access,
  basicText,
  certificate,
  emptyStore,
  getter,
  packed,
  putChart,
  reachOf,
  realHelm,
  registryToken,
  type Signer,
  sha256,
  startWebServer,
  told,
  type WebServer,
} from '../support/charts.js'
import { runProgram } from '../support/machine.js'
import { startRegistry } from '../support/registry.js'

const work = mkdtempSync(join(tmpdir(), 'slipway-charts-'))
t.teardown(() => rmSync(work, { recursive: true, force: true }))
const fetcher = (reach: Reach, store = emptyStore(work)) => getter(reach, store)

/** `greeter ^1 of URL` */
const greeter = (version: string, repository: string): Need => ({ name: 'greeter', version, repository })

async function serving(answer: WebServer['answer']): Promise<WebServer> {
  const server = await startWebServer(answer)
  t.teardown(() => server.stop())
  return server
}

const registryMissing = 'SKIPPED: no docker-registry on this machine: charts of OCI registries are not tried'

t.test('a chart of a registry that wants a password', async t => {
  const registry = await startRegistry(mkdtempSync(join(work, 'basic-')), { programs: [] })
  if (registry === null) return void t.pass(registryMissing)
  t.teardown(() => registry.stop())
  const { host, username, password } = registry
  const authorization = basicText(username, password)
  for (const version of ['1.2.0', '1.10.0', '1.3.0+build.7', '2.0.0-rc.1'])
    await putChart({
      host,
      authorization,
      repository: 'team/charts/greeter',
      tag: version.replace('+', '_'),
      archive: packed({ name: 'greeter', version }),
    })
  await putChart({
    host,
    authorization,
    repository: 'team/charts/greeter',
    tag: 'latest',
    archive: packed({ name: 'greeter', version: '9.9.9' }),
  })
  const url = `oci://${host}/team/charts`
  const get = fetcher(reachOf(access({ url: `oci://${host}/team`, username, password })))

  for (const [wanted, meant] of [
    ['1.2.0', '1.2.0'],
    ['^1', '1.10.0'],
    ['~1.3', '1.3.0+build.7'],
    ['1.3.0+build.7', '1.3.0+build.7'],
    ['>1-0', '2.0.0-rc.1'],
  ] as const) {
    const got = await get(greeter(wanted, url))
    t.equal(got.version, meant, wanted)
    t.equal(got.sha256, sha256(packed({ name: 'greeter', version: meant })), wanted)
  }
  t.match(await told(get(greeter('1.2.1', url))), {
    reason: 'ChartNotFound',
    message: /chart greeter 1\.2\.1 of oci:.*: is not there \(404\)/,
  })
  t.match(await told(get(greeter('^7', url))), { reason: 'ChartNotFound', message: /the newest of 4 there is 2\.0\.0-rc\.1/ })
  t.match(await told(get({ ...greeter('1.2.0', url), name: 'Greeter' })), { reason: 'InvalidChart', message: /in lower case/ })

  const others: readonly (readonly [string, Reach, boolean])[] = [
    [
      "Docker's config.json",
      {
        ...reachOf(access({ url: `oci://${host}` })),
        docker: dockerAuths(JSON.stringify({ auths: { [host]: { auth: authorization.slice(6) } } })),
      },
      true,
    ],
    ['none', reachOf(access({ url: `oci://${host}` })), false],
    ['wrong', reachOf(access({ url: `oci://${host}`, username, password: 'canary-wrong' })), false],
  ]
  for (const [name, reach, isRead] of others) {
    const done = fetcher(reach)(greeter('1.2.0', url))
    if (isRead) t.equal((await done).version, '1.2.0', name)
    else t.match(await told(done), { reason: 'Unauthenticated', message: /^((?!canary).)*$/s }, name)
  }

  await putChart({
    host,
    authorization,
    repository: 'team/charts/image',
    tag: '1.0.0',
    archive: packed({ name: 'image', version: '1.0.0' }),
    configType: 'application/vnd.oci.image.config.v1+json',
  })
  t.match(await told(get({ ...greeter('1.0.0', url), name: 'image' })), { reason: 'ChartRefused', message: /is no Helm chart/ })
})

t.test('what the real Helm pushed is got, with the login that it wrote', async t => {
  const helm = realHelm()
  const directory = mkdtempSync(join(work, 'helm-'))
  const registry = helm === undefined ? null : await startRegistry(directory, { programs: [] })
  if (helm === undefined || registry === null) {
    console.error('SKIPPED: no Helm 3 or no docker-registry on this machine: `helm push` is not tried')
    return void t.pass('SKIPPED: no Helm 3 or no docker-registry on this machine')
  }
  t.teardown(() => registry.stop())
  const { host, username, password } = registry
  const env = { PATH: process.env.PATH ?? '', HOME: directory }
  const run = (...args: readonly string[]) => runProgram(helm, args, env)
  const archive = packed({ name: 'greeter', version: '1.3.0+build.7' })
  writeFileSync(join(directory, 'greeter.tgz'), archive)
  const login = await run('registry', 'login', host, '--plain-http', '-u', username, '-p', password)
  t.equal(login.code, 0, login.err)
  const pushed = await run('push', join(directory, 'greeter.tgz'), `oci://${host}/team/charts`, '--plain-http')
  t.equal(pushed.code, 0, pushed.err)

  const docker = dockerAuths(readFileSync(join(directory, '.config/helm/registry/config.json'), 'utf8'))
  const got = await fetcher({ ...reachOf(access({ url: `oci://${host}` })), docker })(greeter('^1', `oci://${host}/team/charts`))

  t.equal(got.version, '1.3.0+build.7')
  t.equal(got.sha256, sha256(archive))
})

t.test('a registry that wants a token from elsewhere', async t => {
  const tls = certificate()
  const directory = mkdtempSync(join(work, 'bearer-'))
  const signer: Signer = { issuer: 'tests', service: 'charts', key: tls.key, certificate: tls.cert }
  const right = basicText('reader', 'canary-password')
  const realm = await startWebServer(({ url, authorization }, response) => {
    const scope = new URL(url, 'http://x').searchParams.get('scope') ?? ''
    const [, repository = '', actions = ''] = scope.split(':')
    const isPublic = repository.startsWith('public/') && actions === 'pull'
    if (!isPublic && authorization !== right) return void response.writeHead(401).end()
    response.end(JSON.stringify({ token: registryToken({ repository, actions: actions.split(',') }, signer) }))
  })
  t.teardown(() => realm.stop())
  const bundle = join(directory, 'ca.pem')
  writeFileSync(bundle, tls.cert)
  const token = { realm: `${realm.url}/token`, service: 'charts', issuer: 'tests', rootcertbundle: bundle }
  const registry = await startRegistry(directory, { programs: [], auth: { token } })
  if (registry === null) return void t.pass(registryMissing)
  t.teardown(() => registry.stop())
  const { host } = registry
  for (const repository of ['public/greeter', 'private/greeter']) {
    const authorization = `Bearer ${registryToken({ repository, actions: ['pull', 'push'] }, signer)}`
    await putChart({ host, repository, tag: '1.2.0', archive: packed({ name: 'greeter', version: '1.2.0' }), authorization })
  }
  const named = [access({ url: realm.url })]
  const login = access({ url: `oci://${host}`, username: 'reader', password: 'canary-password' })
  const nobody = access({ url: `oci://${host}` })

  t.equal((await fetcher(reachOf(nobody, ...named))(greeter('^1', `oci://${host}/public`))).version, '1.2.0')
  t.equal(realm.seen.at(-1)?.authorization, '')
  t.equal((await fetcher(reachOf(login, ...named))(greeter('1.2.0', `oci://${host}/private`))).version, '1.2.0')
  t.equal(realm.seen.at(-1)?.authorization, right)
  t.match(await told(fetcher(reachOf(nobody, ...named))(greeter('1.2.0', `oci://${host}/private`))), {
    reason: 'Unauthenticated',
  })
  const unnamed = await told(
    fetcher(reachOf(access({ ...login, url: `oci://${host}` })))(greeter('1.2.0', `oci://${host}/private`)),
  )
  t.equal(unnamed.reason, 'AddressRefused', 'a registry sends us to no private address that nobody named')
})

t.test('a registry that lies', async t => {
  const archive = packed({ name: 'greeter', version: '1.2.0' })
  const layer = (digest: string, size = archive.length) => ({
    mediaType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
    digest,
    size,
  })
  const config = { mediaType: 'application/vnd.cncf.helm.config.v1+json' }
  const right = `sha256:${sha256(archive)}`
  const cases: readonly (readonly [string, unknown, Record<string, string>, RegExp])[] = [
    ['the layer', { config, layers: [layer(`sha256:${'0'.repeat(64)}`)] }, {}, /wrong digest: sha256:0000.* was announced/],
    [
      'the manifest',
      { config, layers: [layer(right)] },
      { 'docker-content-digest': `sha256:${'1'.repeat(64)}` },
      /wrong digest: sha256:1111/,
    ],
    ['the size', { config, layers: [layer(right, 1e12)] }, {}, /has more than 20 MB/],
    ['a digest that is a path', { config, layers: [layer('../../secrets')] }, {}, /the digest of its content cannot be read/],
    ['no chart', { layers: [] }, {}, /is no Helm chart/],
    ['no JSON', '<html>', {}, /is no JSON/],
  ]
  for (const [name, manifest, headers, message] of cases) {
    const server = await serving(({ url }, response) => {
      if (url.includes('/blobs/')) return void response.end(archive)
      response.writeHead(200, headers).end(typeof manifest === 'string' ? manifest : JSON.stringify(manifest))
    })
    const url = `oci://127.0.0.1:${server.port}/charts`
    t.match(await told(fetcher(reachOf(access({ url })))(greeter('1.2.0', url))), { message, transient: true }, name)
  }
})

t.test('a registry may keep its layers elsewhere: the way there takes no credentials', async t => {
  const archive = packed({ name: 'greeter', version: '1.2.0' })
  const right = basicText('reader', 'canary-password')
  const elsewhere = await serving((_, response) => void response.end(archive))
  const layer = { mediaType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip', digest: `sha256:${sha256(archive)}` }
  const manifest = { config: { mediaType: 'application/vnd.cncf.helm.config.v1+json' }, layers: [layer] }
  const server = await serving(({ url, authorization }, response) => {
    if (authorization !== right) return void response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
    if (url.includes('/blobs/')) return void response.writeHead(307, { location: `${elsewhere.url}/layer?signed=1` }).end()
    response.end(JSON.stringify(manifest))
  })
  const url = `oci://127.0.0.1:${server.port}/charts`
  const login = access({ url, username: 'reader', password: 'canary-password' })

  t.equal((await fetcher(reachOf(login, access({ url: elsewhere.url })))(greeter('1.2.0', url))).version, '1.2.0')
  t.same(
    elsewhere.seen.map(({ url, authorization }) => [url, authorization]),
    [['/layer?signed=1', '']],
  )
})

t.test('tags come in pages, of this registry only', async t => {
  const server = await serving(({ url }, response) => {
    const pages: Record<string, readonly [readonly string[], string]> = {
      '/v2/charts/greeter/tags/list?n=1000': [['1.0.0'], '</v2/charts/greeter/tags/list?last=a>; rel="next"'],
      '/v2/charts/greeter/tags/list?last=a': [['1.1.0'], '<http://169.254.169.254/tags>; rel="next"'],
    }
    const [tags, link] = pages[url] ?? [[], '']
    response.writeHead(url in pages ? 200 : 404, { link }).end(JSON.stringify({ tags }))
  })
  const url = `oci://127.0.0.1:${server.port}/charts`
  t.match(await told(fetcher(reachOf(access({ url })))(greeter('^2', url))), { message: /the newest of 2 there is 1\.1\.0/ })
})
