// Charts of http repositories: an http server with the index that `helm repo index` wrote, and servers that lie.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type Access, accessFor, dockerAuths, dockerLogin, objectionTo, type Reach } from '../../controller/charts/access.js'
import { isUnder } from '../../controller/fields.js'
import type { Need } from '../../renderer/index.js'
import {
  access,
  basicText,
  certificate,
  emptyStore,
  filesAnswer,
  getter,
  packed,
  reachOf,
  sha256,
  startWebServer,
  type Told,
  told,
  type WebServer,
} from '../support/charts.js'

const work = mkdtempSync(join(tmpdir(), 'slipway-charts-'))
t.teardown(() => rmSync(work, { recursive: true, force: true }))
const fetcher = (reach: Reach, store = emptyStore(work)) => getter(reach, store)

/** `greeter ^1 of URL` */
const greeter = (version: string, repository: string): Need => ({ name: 'greeter', version, repository })

const published = (file: string): Buffer => readFileSync(`test/support/chart-repository/${file}`)
const files = Object.fromEntries(
  ['index.yaml', 'greeter-1.0.0.tgz', 'greeter-1.2.0.tgz', 'greeter-1.10.0.tgz', 'greeter-2.0.0-rc.1.tgz'].map(name => [
    `/stable/${name}`,
    published(name),
  ]),
)

async function repository(answer: WebServer['answer'] = filesAnswer(files)): Promise<WebServer> {
  const server = await startWebServer(answer)
  t.teardown(() => server.stop())
  return server
}

t.test('a chart of an http repository is found by its index, checked and kept', async t => {
  const server = await repository()
  const url = `${server.url}/stable`
  const store = emptyStore(work)
  const get = fetcher(reachOf(access({ url })), store)

  const got = await get(greeter('1.2.0', url))
  t.equal(sha256(got.bytes), sha256(published('greeter-1.2.0.tgz')))
  t.same([got.version, got.sha256], ['1.2.0', sha256(got.bytes)])
  for (const [wanted, meant] of [
    ['^1', '1.10.0'],
    ['>=1.0.0-0', '2.0.0-rc.1'],
    ['<1.10', '1.2.0'],
    ['', '1.10.0'],
    ['1.2', '1.2.0'],
  ] as const)
    t.equal((await get(greeter(wanted, url))).version, meant, wanted)

  await server.stop()
  t.equal((await get(greeter('1.2.0', `${url}/`))).sha256, got.sha256, 'nothing is asked of the network for what is kept')
  t.equal((await get(greeter('1.10.0', url))).version, '1.10.0', 'nor for what a range meant')
  t.match(await told(get(greeter('1.0.0', url))), {
    reason: 'ChartUnreachable',
    transient: true,
    message: /nothing answers there/,
  })
  const known = { version: '1.10.0', sha256: sha256(published('greeter-1.10.0.tgz')) }
  t.equal((await get(greeter('^1', url), known)).version, '1.10.0', 'nor for a range whose meaning is known')
})

t.test('what is told when there is no such chart', async t => {
  const server = await repository()
  const url = `${server.url}/stable`
  const get = fetcher(reachOf(access({ url })))
  const cases: readonly (readonly [Need, Partial<Record<keyof Told, unknown>>])[] = [
    [
      greeter('^3', url),
      { reason: 'ChartNotFound', message: /chart greeter \^3 of .*: no such version: the newest of 4 there is 2\.0\.0-rc\.1/ },
    ],
    [
      { ...greeter('1', url), name: 'other' },
      { reason: 'ChartNotFound', message: /it has no chart of that name/ },
    ],
    [greeter('1', `${server.url}/nowhere`), { reason: 'ChartNotFound', message: /\/nowhere\/index\.yaml: is not there \(404\)/ }],
    [
      { ...greeter('1', url), name: 'greeter-pro' },
      { reason: 'ChartNotFound', message: /the newest of 1 there is 0\.1\.0/ },
    ],
  ]
  for (const [need, wanted] of cases) t.match(await told(get(need)), { ...wanted, transient: true })
})

t.test('what is not what it says is refused, and nothing of it is kept', async t => {
  const index = (text: string): Record<string, string | Buffer> => ({ ...files, '/stable/index.yaml': text })
  const entry = (url: string, digest = ''): string =>
    `apiVersion: v1\nentries:\n  greeter:\n  - version: 1.2.0\n    urls: ['${url}']\n    digest: '${digest}'\n`
  const other = packed({ name: 'other', version: '1.2.0' })
  const cases: readonly (readonly [string, Record<string, string | Buffer>, RegExp])[] = [
    [
      'another digest',
      { ...files, '/stable/greeter-1.2.0.tgz': published('greeter-1.0.0.tgz') },
      /wrong digest: sha256:b4620f.* was announced, sha256:274593.* came/,
    ],
    ['a page', index(entry('index.yaml')), /index\.yaml is no packed chart/],
    [
      'a damaged archive',
      { ...index(entry('x.tgz')), '/stable/x.tgz': published('greeter-1.2.0.tgz').subarray(0, 90) },
      /cannot be used: unexpected EOF/,
    ],
    ['another chart', { ...index(entry('x.tgz')), '/stable/x.tgz': other }, /what is published there is chart "other"/],
    ['no address', index(entry('javascript:alert(1)')), /which is no http\(s\) address/],
    ['no index', index('<html>Welcome</html>'), /its index\.yaml cannot be read: index\.yaml: a map is wanted/],
    ['a path that leads out', { ...index(entry('x.tgz')), '/stable/x.tgz': escaping() }, /illegally references parent directory/],
  ]
  for (const [name, served, message] of cases) {
    const server = await repository(filesAnswer(served))
    const store = emptyStore(work)
    const url = `${server.url}/stable`
    t.match(
      await told(fetcher(reachOf(access({ url })), store)(greeter('1.2.0', url))),
      { reason: 'ChartRefused', message, transient: true },
      name,
    )
    t.equal(await store.found([url, 'greeter', '1.2.0', '']), null, name)
  }
})

function escaping(): Buffer {
  return packed({ name: 'greeter/..', version: '1.2.0', files: { '../../../etc/passwd': 'x' } })
}

t.test('a version that changed since the application first used it is refused', async t => {
  const server = await repository()
  const url = `${server.url}/stable`
  const get = fetcher(reachOf(access({ url })))
  const before = { version: '1.2.0', sha256: 'a'.repeat(64) }
  t.match(await told(get(greeter('1.2.0', url), before)), {
    reason: 'ChartRefused',
    message: /version 1\.2\.0 is not what it was/,
  })
  t.match(
    await told(get(greeter('^1', url), before)),
    { message: /version 1\.2\.0 is not what it was/ },
    'and a range means what it meant',
  )
})

t.test('credentials go to the server that they are for, and to no other', async t => {
  const right = basicText('reader', 'canary-password')
  const guarded =
    (more: WebServer['answer']): WebServer['answer'] =>
    (request, response) => {
      if (request.authorization === right) return more(request, response)
      response.statusCode = 401
      response.end('who are you? canary-body')
    }
  const elsewhere = await repository()
  const redirecting = await repository(
    guarded((_, response) => response.writeHead(302, { location: `${elsewhere.url}/stable/greeter-1.2.0.tgz` }).end()),
  )
  const index = `apiVersion: v1\nentries:\n  greeter:\n  - version: 1.2.0\n    urls: [URL]\n`
  const home = await repository(
    guarded(
      filesAnswer({
        ...files,
        '/far/index.yaml': index.replace('URL', `${elsewhere.url}/stable/greeter-1.2.0.tgz`),
        '/round/index.yaml': index.replace('URL', `${redirecting.url}/x.tgz`),
      }),
    ),
  )
  const login = { username: 'reader', password: 'canary-password' }
  const named = [elsewhere, redirecting].map(({ url }) => access({ url }))
  const get = (changes: Partial<Access>) => fetcher(reachOf(access({ url: home.url, ...login, ...changes }), ...named))

  t.equal((await get({})(greeter('1.2.0', `${home.url}/stable`))).version, '1.2.0')
  const refused = await told(get({ password: 'wrong' })(greeter('1.2.0', `${home.url}/stable`)))
  t.match(refused, { reason: 'Unauthenticated', message: /these credentials are refused \(401\)/, transient: true })
  t.notMatch(refused.message, /canary|wrong/, 'neither the password nor what the server said')
  const own = home.url.replace('//', `//reader:${login.password}@`)
  t.equal(
    (await fetcher(reachOf(access({ url: home.url })))(greeter('1.2.0', `${own}/stable`))).version,
    '1.2.0',
    'from the address itself',
  )

  await get({})(greeter('1.2.0', `${home.url}/far`))
  t.same(
    elsewhere.seen.map(({ authorization }) => authorization),
    [''],
    'not to another server that the index names',
  )
  await get({ passCredentials: true })(greeter('1.2.0', `${home.url}/far`))
  t.equal(elsewhere.seen.at(-1)?.authorization, right, 'unless that was allowed')
  await get({ passCredentials: true })(greeter('1.2.0', `${home.url}/round`))
  t.equal(redirecting.seen.at(-1)?.authorization, right)
  t.equal(elsewhere.seen.at(-1)?.authorization, '', 'and never where one redirects to')
})

t.test('what a server answers, and what is made of it', async t => {
  const big = Buffer.alloc(21_000_000, 'x')
  const cases: readonly (readonly [WebServer['answer'], Partial<Record<'reason' | 'message' | 'waitMs', unknown>>])[] = [
    [(_, response) => response.writeHead(503).end(), { reason: 'ChartUnreachable', message: /answers 503$/ }],
    [(_, response) => response.writeHead(429, { 'retry-after': '7' }).end(), { reason: 'ChartUnreachable', waitMs: 7000 }],
    [
      (_, response) => response.writeHead(302, { location: '/again' }).end(),
      { reason: 'RedirectRefused', message: /redirects in circles/ },
    ],
    [
      (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
      { reason: 'AddressRefused', message: /file:/ },
    ],
    [
      (_, response) => response.writeHead(302, { location: 'https://169.254.169.254/latest' }).end(),
      { reason: 'AddressRefused', message: /169\.254\.169\.254 is an address that no charts are fetched from/ },
    ],
    [
      (request, response) => void (request.url.endsWith('.tgz') ? response.end(big) : response.end(files['/stable/index.yaml'])),
      { reason: 'ChartTooLarge', message: /has more than 20 MB/ },
    ],
    [
      (_, response) => void response.writeHead(200, { 'content-length': 100 }).write('half', () => response.destroy()),
      { reason: 'ChartUnreachable', message: /the connection was cut/ },
    ],
  ]
  for (const [answer, wanted] of cases) {
    const server = await repository(answer)
    const error = await fetcher(reachOf(access({ url: server.url })))(greeter('1.2.0', `${server.url}/stable`)).catch(
      cause => cause,
    )
    t.match(error, wanted, JSON.stringify(wanted))
  }
})

t.test('an address of this machine or a private network is asked only where the configuration names the host', async t => {
  const server = await repository()
  const { port } = server
  for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '2130706433']) {
    const refused = await told(fetcher(reachOf())(greeter('1.2.0', `http://${host}:${port}/stable`)))
    t.equal(refused.reason, 'AddressRefused', host)
  }
  t.equal(server.seen.length, 0)
  const open = reachOf(access({ url: 'https://charts.example.com' }))
  const table: readonly (readonly [string, boolean, boolean])[] = [
    ['93.184.216.34', true, true],
    ['2606:2800:220:1::1', true, true],
    ['10.1.2.3', false, true],
    ['172.31.0.1', false, true],
    ['192.168.1.1', false, true],
    ['100.64.0.1', false, true],
    ['127.0.0.1', false, true],
    ['::1', false, true],
    ['fd12::1', false, true],
    ['::ffff:10.0.0.1', false, true],
    ['169.254.169.254', false, false],
    ['::ffff:169.254.169.254', false, false],
    ['fe80::1', false, false],
    ['fd00:ec2::254', false, false],
    ['0.0.0.0', false, false],
  ]
  for (const [address, open_, named] of table) {
    t.equal(objectionTo(address, open, false) === null, open_, address)
    t.equal(objectionTo(address, open, true) === null, named, `${address}, named`)
  }
})

t.test('plain http needs a word, TLS an authority', async t => {
  const tls = certificate()
  const server = await startWebServer(filesAnswer(files), tls)
  t.teardown(() => server.stop())
  const url = `${server.url}/stable`

  t.match(await told(fetcher(reachOf(access({ url })))(greeter('1.2.0', url))), {
    message: /its certificate is not trusted .*caFile/,
  })
  t.equal((await fetcher(reachOf(access({ url, ca: tls.cert })))(greeter('1.2.0', url))).version, '1.2.0')
  t.match(await told(fetcher(reachOf())(greeter('1', 'http://charts.example.com'))), {
    reason: 'AddressRefused',
    message: /use https, or allow it with plainHTTP/,
  })
  const speechless = await repository()
  const tried = `https://127.0.0.1:${speechless.port}/stable`
  t.match(await told(fetcher(reachOf(access({ url: tried })))(greeter('1', tried))), {
    reason: 'ChartUnreachable',
    message: /TLS|cut/,
  })
})

t.test('whose credentials fit which address', async t => {
  for (const [url, prefix, fits] of [
    ['https://git.example.com/a', 'https://git.example.com', true],
    ['https://git.example.com/a', 'https://git.example.com/', true],
    ['https://git.example.com.evil.example/a', 'https://git.example.com', false],
    ['https://git.example.com/team-b', 'https://git.example.com/team', false],
    ['https://git.example.com/team', 'https://git.example.com/team/', true],
    ['https://anything', '', false],
    ['https://git.example.com:8443/a', 'https://git.example.com', true],
    ['https://git.example.com:x@evil.example/a', 'https://git.example.com', false],
  ] as const)
    t.equal(isUnder(url, prefix), fits, `${url} ${prefix}`)
  const reach = reachOf(access({ url: 'oci://r.io', username: 'a' }), access({ url: 'oci://r.io/team', username: 'b' }))
  t.equal(accessFor(reach, 'oci://r.io/team/x')?.username, 'b')
  t.equal(accessFor(reach, 'oci://r.io/other')?.username, 'a')
  const auths = {
    'https://index.docker.io/v1/': { auth: btoa('hub:p:w') },
    'r.io/team': { username: 't', password: 'p' },
    'r.io': { identitytoken: 'x' },
    empty: {},
  }
  const docker = { ...reachOf(), docker: dockerAuths(JSON.stringify({ auths })) }
  t.match(dockerLogin(docker, 'r.io/team/charts/redis'), { username: 't', password: 'p' })
  t.match(dockerLogin(docker, 'r.io/other'), { identityToken: 'x' })
  t.match(dockerLogin(docker, 'index.docker.io/library/x'), { username: 'hub', password: 'p:w' })
  t.equal(dockerLogin(docker, 'empty/x'), null)
  t.same(dockerAuths('{'), {})
})
