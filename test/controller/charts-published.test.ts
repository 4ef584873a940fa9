// Charts as the source of an application: declared, resolved at each poll against a real HTTP repository and a real registry, rendered.
import { mkdtempSync, rmSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Project, permitsSource } from '../../controller/application/project.js'
import { chartOfRef, chartOfRevision, isNamed, shortRevision, trackedRef } from '../../controller/application/tracked.js'
import { parseApplication } from '../../controller/application.js'
import type { Reach } from '../../controller/charts/access.js'
import { addressOf, chosenVersion, publishedCharts } from '../../controller/charts/published.js'
import type { ChartStore } from '../../controller/charts/store.js'
import { type FollowedRef, Poller } from '../../controller/git/poller.js'
import { newLedger } from '../../controller/ledger.js'
import { createOrigins } from '../../controller/origins.js'
import type { CommitSha, TreeId } from '../../controller/release.js'
import { makeCandidates } from '../../controller/render/candidate.js'
import { RenderPool } from '../../controller/render/pool.js'
import { createSources } from '../../controller/sources.js'
import { answerTo, readYaml } from '../../renderer/index.js'
import {
  access,
  basicText,
  emptyStore,
  packed,
  putChart,
  reachOf,
  type Seen,
  sha256,
  startWebServer,
  told,
} from '../support/charts.js'
import { repository } from '../support/git-tree.js'
import { startRegistry } from '../support/registry.js'
import { revision } from './builders.js'

const work = mkdtempSync(join(tmpdir(), 'slipway-published-'))
const pool = new RenderPool()
t.teardown(() => {
  pool.close()
  rmSync(work, { recursive: true, force: true })
})
const { signal } = new AbortController()
const declared = { uid: 'u', parent: null, defaultNode: 'lab', readYaml: (text: string) => readYaml(text, 'values')[0] ?? {} }

function parsed(spec: object) {
  return parseApplication(
    {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Application',
      metadata: { name: 'shop' },
      spec: { ...spec, destination: { namespace: 'x' } },
    },
    declared,
  )
}

const published = (reach: Reach, store: ChartStore = emptyStore(work)) =>
  publishedCharts({ store, reach: () => reach, read: async question => answerTo(question) })

const short = ({ tip }: { readonly tip: CommitSha }) => shortRevision(tip)

// -- Decisions --

t.test('what a source of a chart may say', t => {
  const web = { repoURL: 'https://charts.example.com', chart: 'web', targetRevision: '1.2.*' }
  const cases: readonly (readonly [object, string])[] = [
    [web, 'chart web 1.2.*'],
    [{ ...web, targetRevision: '' }, 'chart web *'],
    [{ ...web, targetRevision: undefined, path: '.' }, 'chart web *'],
    [{ ...web, targetRevision: '>=1.2.0 <2' }, 'chart web >=1.2.0 <2'],
    [{ ...web, repoURL: 'registry.example.com/charts' }, 'chart web 1.2.*'],
    [{ ...web, repoURL: 'oci://registry.example.com:5000/charts' }, 'chart web 1.2.*'],
    [{ ...web, helm: { passCredentials: true } }, 'chart-with-credentials web 1.2.*'],
    [{ ...web, path: 'deploy' }, 'spec.source.path: is given beside chart: a chart of a repository has no path, leave it out'],
    [{ ...web, kustomize: {} }, 'spec.source.kustomize: is given beside chart: a source is one of them'],
    [{ ...web, directory: { recurse: true } }, 'spec.source.directory: is given beside chart: a source is one of them'],
    [{ ...web, chart: '../web' }, 'spec.source.chart: want the name of a chart, got "../web"'],
    ...['/srv/charts', './charts', 'ssh://git@host/x', 'git@host:team/x'].map(
      repoURL =>
        [
          { ...web, repoURL },
          'spec.source.repoURL: want the http(s) URL of a chart repository, or host/path of an OCI registry, since chart is given',
        ] as const,
    ),
  ]
  for (const [source, expected] of cases) {
    const { application, faults } = parsed({ source })
    const text =
      application === null ? faults.map(fault => `${fault.pointer}: ${fault.message}`).join('; ') : trackedRef(application.source)
    t.equal(text, expected, JSON.stringify(source))
  }
  const { faults } = parsed({ sources: [{ ...web, ref: 'web' }] })
  t.match(faults[0], { pointer: 'spec.sources[0].ref', message: /beside chart/ })
  t.end()
})

t.test('a chart and a ref of Git are told apart, and so are their revisions', t => {
  const found = `1.2.1@sha256:${'ab'.repeat(32)}`
  const commit = '4f2a91c04f2a91c04f2a91c04f2a91c04f2a91c0'
  t.same(chartOfRef('chart web >=1.2.0 <2'), { name: 'web', version: '>=1.2.0 <2' })
  t.same(chartOfRef('chart-with-credentials web *'), { name: 'web', version: '*', passes: true })
  for (const ref of ['HEAD', 'main', 'chart', 'refs/heads/chart/web', commit]) t.equal(chartOfRef(ref), null, ref)
  t.same(chartOfRevision(found), { version: '1.2.1', sha256: 'ab'.repeat(32) })
  t.equal(chartOfRevision(commit), null)
  t.same([shortRevision(found), shortRevision(commit)], ['1.2.1', '4f2a91c'])
  for (const [one, named, expected] of [
    [found, '1.2.1', true],
    [found, '1.2', false],
    [found, '1.2.1@sha256:abab', true],
    [found.replace('1.2.1', '1.2.10'), '1.2.1', false],
    [found, '', true],
    [commit, '4f2a9', true],
    [commit, '1.2.1', false],
  ] as const)
    t.equal(isNamed(one, named), expected, `${one} ${named}`)
  t.same(['registry.example.com/charts', 'oci://registry.example.com/charts', 'https://charts.example.com'].map(addressOf), [
    'oci://registry.example.com/charts',
    'oci://registry.example.com/charts',
    'https://charts.example.com',
  ])
  t.end()
})

t.test('a project permits chart repositories as it permits those of Git', t => {
  for (const [repoURL, sourceRepos, expected] of [
    ['https://charts.example.com', ['https://charts.example.com'], true],
    ['https://charts.example.com/', ['https://charts.example.com'], true],
    ['https://charts.example.com', ['https://git.example.com/*'], false],
    ['registry.example.com/charts', ['registry.example.com/*'], true],
    ['oci://registry.example.com/charts', ['oci://registry.example.com/charts'], true],
    ['registry.example.com/charts', ['*', '!registry.example.com/charts'], false],
  ] as const)
    t.equal(permitsSource({ sourceRepos } as unknown as Project, repoURL), expected, `${repoURL} ${sourceRepos}`)
  t.end()
})

t.test('which version is meant', t => {
  const versions = ['2.0.0-rc.1', '1.10.0', '1.2.1', '1.2.0', '1.1.0', '1.0.0', '0.9.0'].map(version => ({
    version,
    urls: [],
    sha256: '',
  }))
  const fails = (wanted: string, of = versions): string => {
    try {
      return chosenVersion(of, wanted, 'chart web').version
    } catch (cause) {
      const { reason, message } = cause as { reason: string; message: string }
      return `${reason}: ${message}`
    }
  }
  for (const [wanted, meant] of [
    ['*', '1.10.0'],
    ['', '1.10.0'],
    ['1.2.*', '1.2.1'],
    ['^1', '1.10.0'],
    ['~1.2.0', '1.2.1'],
    ['1.2.0', '1.2.0'],
    ['>=1.0.0-0', '2.0.0-rc.1'],
    ['<1.2 || >3', '1.1.0'],
    ['2.0.0-rc.1', '2.0.0-rc.1'],
  ] as const)
    t.equal(fails(wanted), meant, wanted)
  t.equal(
    fails('^7'),
    'ChartNotFound: chart web: no such version: there are 2.0.0-rc.1, 1.10.0, 1.2.1, 1.2.0, 1.1.0 and 2 older ones: publish one that fits, or change spec.source.targetRevision',
  )
  t.match(fails('*', []), /^ChartNotFound: .*there is no chart of that name: check spec\.source\.chart and repoURL$/)
  t.match(fails('main'), /^InvalidChart: .*"main" is neither a version nor a range of versions: change spec\.source/)
  t.end()
})

// -- A repository --

interface Shelf {
  readonly url: string
  readonly seen: readonly Seen[]
  publish(version: string, text?: string, digest?: boolean): Buffer
  /** Asked since it was last asked. */
  asked(): readonly string[]
  stop(): Promise<void>
}

const webChart = (version: string, text: string): Buffer =>
  packed({
    name: 'web',
    version,
    files: {
      'values.yaml': `text: ${text}\n`,
      'values/eu.yaml': 'text: of the chart for eu\n',
      'templates/map.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: "{{ .Release.Name }}" }\ndata: { version: "{{ .Chart.Version }}", text: {{ .Values.text | quote }} }\n',
    },
  })

/** An http repository whose files have ETags; nothing is sent that is known. */
async function shelf(t: Test): Promise<Shelf> {
  const files: Record<string, Buffer> = {}
  const entries = new Map<string, string>()
  let told: string[] = []
  const answer = (request: Seen & { readonly etag?: string }, response: ServerResponse): void => {
    const body = files[request.url]
    const etag = body === undefined ? '' : `"${sha256(body).slice(0, 16)}"`
    const status = body === undefined ? 404 : response.req.headers['if-none-match'] === etag ? 304 : 200
    told.push(`${request.url} ${status}`)
    response.writeHead(status, etag === '' ? {} : { etag }).end(status === 200 ? body : undefined)
  }
  const server = await startWebServer(answer)
  t.teardown(() => server.stop())
  return {
    url: server.url,
    seen: server.seen,
    publish(version, text = 'own', digest = true) {
      const archive = webChart(version, text)
      files[`/web-${version}.tgz`] = archive
      const said = digest ? `    digest: ${sha256(archive)}\n` : ''
      entries.set(version, `  - name: web\n    version: ${version}\n    urls: [web-${version}.tgz]\n${said}`)
      files['/index.yaml'] = Buffer.from(`apiVersion: v1\nentries:\n  web:\n${[...entries.values()].join('')}`)
      return archive
    },
    asked() {
      const all = told
      told = []
      return all
    },
    stop: () => server.stop(),
  }
}

t.test('each poll asks which version is meant, and fetches nothing twice', async t => {
  const shop = await shelf(t)
  const first = shop.publish('1.2.0')
  const charts = published(reachOf(access({ url: shop.url })))
  const poll = (version = '1.2.*') => charts.poll(shop.url, { name: 'web', version }, signal)

  t.same(await poll(), { tip: `1.2.0@sha256:${sha256(first)}` })
  t.same(shop.asked(), ['/index.yaml 200', '/web-1.2.0.tgz 200'])
  await poll()
  t.same(shop.asked(), ['/index.yaml 304'])

  shop.publish('1.2.1')
  shop.publish('1.3.0')
  t.equal(short(await poll()), '1.2.1')
  t.same(shop.asked(), ['/index.yaml 200', '/web-1.2.1.tgz 200'])
  t.equal(short(await poll('*')), '1.3.0')
  t.equal(short(await poll('1.2.0')), '1.2.0')
  t.same(shop.asked(), ['/index.yaml 304', '/web-1.3.0.tgz 200', '/index.yaml 304'])
})

t.test(
  'a version that is published again with other content is another revision, whether the index says its digest or not',
  async t => {
    for (const digest of [true, false]) {
      const shop = await shelf(t)
      shop.publish('1.2.0', 'one', digest)
      const charts = published(reachOf(access({ url: shop.url })))
      const poll = () => charts.poll(shop.url, { name: 'web', version: '1.2.0' }, signal)
      const before = await poll()
      t.same(await poll(), before)
      t.equal(shop.asked().at(-1), digest ? '/index.yaml 304' : '/web-1.2.0.tgz 304')

      const again = shop.publish('1.2.0', 'two', digest)

      t.same(await poll(), { tip: `1.2.0@sha256:${sha256(again)}` }, `digest in the index: ${digest}`)
      t.not((await poll()).tip, before.tip)
    }
  },
)

t.test('what is told of a chart that cannot be had', async t => {
  const shop = await shelf(t)
  shop.publish('1.2.0')
  const charts = published(reachOf(access({ url: shop.url })))
  const poll = (name: string, version: string, url = shop.url) => told(charts.poll(url, { name, version }, signal))

  t.match(await poll('web', '^7'), { reason: 'ChartNotFound', message: /chart web \^7 of http.*: there are 1\.2\.0: publish/ })
  t.match(await poll('shop', '*'), { reason: 'ChartNotFound', message: /there is no chart of that name/ })
  t.match(await poll('web', '*', `${shop.url}/other`), { reason: 'ChartNotFound', message: /index\.yaml: is not there \(404\)/ })
  t.match(await told(published(reachOf()).poll(shop.url, { name: 'web', version: '*' }, signal)), { reason: 'AddressRefused' })

  const locked = await startWebServer(({ authorization }, response) => {
    response.writeHead(authorization === basicText('bot', 'right') ? 200 : 401).end('apiVersion: v1\nentries: {}\n')
  })
  t.teardown(() => locked.stop())
  const wrong = published(reachOf(access({ url: locked.url, username: 'bot', password: 'canary-wrong' })))
  t.match(await told(wrong.poll(locked.url, { name: 'web', version: '*' }, signal)), {
    reason: 'Unauthenticated',
    message: /^((?!canary).)*credentials are refused \(401\)((?!canary).)*$/s,
  })
})

t.test(
  "a repository's credentials go to another host that its index names where the application says so, and only there",
  async t => {
    const right = basicText('reader', 'canary-password')
    const archive = packed({ name: 'web', version: '1.2.0' })
    const seen: string[] = []
    const elsewhere = await startWebServer(({ authorization }, response) => {
      seen.push(authorization)
      response.end(archive)
    })
    const home = await startWebServer(({ authorization }, response) => {
      response.writeHead(authorization === right ? 200 : 401)
      response.end(`apiVersion: v1\nentries:\n  web:\n  - version: 1.2.0\n    urls: [${elsewhere.url}/web-1.2.0.tgz]\n`)
    })
    t.teardown(() => Promise.all([home.stop(), elsewhere.stop()]))
    const login = { username: 'reader', password: 'canary-password' }
    const reach = reachOf(access({ url: home.url, ...login }), access({ url: elsewhere.url }))
    const asked = chartOfRef(trackedRef(parsed({ source: source(home.url) }).application!.source))!
    const passing = chartOfRef(trackedRef(parsed({ source: source(home.url, true) }).application!.source))!

    t.match(await published(reach).poll(home.url, asked, signal), { tip: /^1\.2\.0@sha256:/ })
    await published(reach).poll(home.url, passing, signal)

    t.same(seen, ['', right])
  },
)

const source = (repoURL: string, passCredentials = false) => ({
  repoURL,
  chart: 'web',
  targetRevision: '1.2.*',
  helm: { passCredentials },
})

t.test('a poller goes on with what is known while the repository is away, and says since when', async t => {
  const shop = await shelf(t)
  shop.publish('1.2.0')
  const charts = published(reachOf(access({ url: shop.url })))
  const tips: FollowedRef[] = []
  const { poll } = createOrigins({ git: {} as Parameters<typeof createOrigins>[0]['git'], charts })
  const poller = new Poller({ poll, now: Date.now, random: () => 0.5, intervalMs: 30, onTip: state => tips.push(state) })
  t.teardown(() => poller.stop())
  const ref = 'chart web 1.2.*'
  const until = async (fact: () => boolean) => {
    for (let i = 0; i < 1_000 && !fact(); i++) await sleep(20)
  }

  poller.follow(shop.url, ref)
  await until(() => tips.length === 1)
  shop.publish('1.2.1')
  await until(() => tips.length === 2)
  t.same(
    tips.map(({ tip }) => shortRevision(tip ?? '')),
    ['1.2.0', '1.2.1'],
  )
  await shop.stop()
  await until(() => poller.state(shop.url, ref)?.error !== null)

  const state = poller.state(shop.url, ref)
  t.equal(shortRevision(state?.tip ?? ''), '1.2.1')
  t.ok((state?.staleSince ?? 0) > 0)
  t.match(state?.error, { reason: 'ChartUnreachable', message: /nothing answers there/, transient: true })
})

// -- A registry --

t.test('a chart of a registry: tags are asked at each poll, content is fetched once', async t => {
  const registry = await startRegistry(mkdtempSync(join(work, 'registry-')), { programs: [] })
  if (registry === null) return void t.pass('SKIPPED: no docker-registry on this machine: charts of OCI registries are not tried')
  t.teardown(() => registry.stop())
  const { host, username, password } = registry
  const put = (version: string, text: string) =>
    putChart({
      host,
      authorization: basicText(username, password),
      repository: 'team/charts/web',
      tag: version.replace('+', '_'),
      archive: webChart(version, text),
    })
  const first = await put('1.2.0', 'one')
  let fetched = 0
  const reach = reachOf(access({ url: `oci://${host}`, username, password }))
  const charts = publishedCharts({
    store: emptyStore(work),
    reach: () => reach,
    read: async question => {
      // Asked of each archive that comes.
      if (question.question === 'archive') fetched++
      return answerTo(question)
    },
  })
  const poll = (version: string, url = `${host}/team/charts`) => charts.poll(url, { name: 'web', version }, signal)

  t.same(await poll('1.2.*'), { tip: `1.2.0@${first}` })
  t.same(await poll('1.2.0', `oci://${host}/team/charts`), { tip: `1.2.0@${first}` })
  t.equal(fetched, 1)
  await put('1.2.1+build.3', 'two')
  t.equal(short(await poll('1.2.*')), '1.2.1+build.3')
  const again = await put('1.2.0', 'again')
  t.same(await poll('1.2.0'), { tip: `1.2.0@${again}` }, 'a tag that was moved')
  t.match(await told(poll('9.9.9')), { reason: 'ChartNotFound', message: /there are 1\.2\.1\+build\.3, 1\.2\.0: publish/ })
  t.match(await told(charts.poll(`${host}/team/charts`, { name: 'none', version: '*' }, signal)), {
    reason: 'ChartNotFound',
    message: /no chart of that name/,
  })
  const wrong = published(reachOf(access({ url: `oci://${host}`, username, password: 'canary-wrong' })))
  t.match(await told(wrong.poll(`${host}/team/charts`, { name: 'web', version: '*' }, signal)), { reason: 'Unauthenticated' })
})

// -- Rendered --

t.test('a chart is rendered with values of its own files and of another source', async t => {
  const shop = await shelf(t)
  shop.publish('1.2.0')
  const reach = reachOf(access({ url: shop.url }))
  const store = emptyStore(work)
  const charts = publishedCharts({
    store,
    reach: () => reach,
    read: async (question, abort) => {
      const answer = await pool.ask(question, abort)
      if ('killed' in answer) throw new Error(answer.killed)
      return answer
    },
  })
  const origins = createOrigins({
    git: {
      poll: async () => ({ tip: 'd1' as CommitSha, ref: 'refs/heads/main' }),
      revisionOf: async (_url, commit) => ({ ...revision(commit) }),
      idAt: async () => null,
      treeAt: async () => repository({ 'env/eu.yaml': 'text: of another source\n' }, '') as never,
    },
    charts,
  })
  let stale: { since: number; error: { reason: string; message: string; transient: boolean } | null } = { since: 0, error: null }
  const tips = new Map<string, CommitSha>()
  const poll = async (url: string, ref: string) => void tips.set(`${url} ${ref}`, (await origins.poll(url, ref, signal)).tip)
  const made = createSources({
    tip: (url, ref) => ({
      tip: tips.get(`${url} ${ref}`) ?? null,
      seenAt: 1,
      pushedAt: 0,
      staleSince: stale.since,
      error: stale.error,
    }),
    revisionOf: origins.revisionOf,
    treeAt: origins.treeAt,
    idAt: origins.idAt,
    withCharts: async ({ tree }) => ({ tree, kept: {} }),
    withKustomize: async () => null,
    notPermitted: () => null,
    childNotPermitted: () => '',
    ...makeCandidates(pool),
    ownerOf: () => null,
    live: () => [],
    declared,
    isDeclared: () => false,
  })
  const web = { repoURL: shop.url, chart: 'web', targetRevision: '1.*' }
  const values = { repoURL: 'http://git/config', targetRevision: 'main', ref: 'values' }
  async function rendered(spec: object) {
    const { application } = parsed(spec)
    if (application === null) throw new Error('it cannot be parsed')
    for (const source of application.sources) if (stale.error === null) await poll(source.repoURL, trackedRef(source))
    const candidate = await made.candidate(application, newLedger(application, 'node/lab', 'salt'), signal)
    if (candidate?.kind !== 'release') return { candidate, data: candidate?.rejection }
    return { candidate, data: candidate.release.objects[0]?.data }
  }

  const plain = await rendered({ source: web })
  t.same(plain.data, { version: '1.2.0', text: 'own' })
  t.match(plain.candidate?.revision, { subject: 'chart version 1.2.0', author: '127.0.0.1' })
  t.equal(shortRevision(plain.candidate?.revision?.commit ?? ''), '1.2.0')
  for (const [file, text] of [
    ['values/eu.yaml', 'of the chart for eu'],
    ['$values/env/eu.yaml', 'of another source'],
  ] as const)
    t.same((await rendered({ sources: [{ ...web, helm: { valueFiles: [file] } }, values] })).data, { version: '1.2.0', text })

  shop.publish('1.2.1', 'new')
  const newer = await rendered({ source: web })
  t.same(newer.data, { version: '1.2.1', text: 'new' })
  shop.publish('1.2.1', 'again')
  t.same((await rendered({ source: web })).data, { version: '1.2.1', text: 'again' }, 'published again with other content')

  stale = { since: 5, error: { reason: 'ChartUnreachable', message: 'nothing answers there', transient: true } }
  const away = await rendered({ source: web })
  t.same(away.data, { version: '1.2.1', text: 'again' })
  t.same(away.candidate?.stale, { since: 5, message: 'nothing answers there' })
  t.match((await rendered({ source: { ...web, targetRevision: '3.*' } })).data, { reason: 'ChartUnreachable' })
})

t.test('the tree of a packed chart is known by its content', async t => {
  const shop = await shelf(t)
  const archive = shop.publish('1.2.0')
  const charts = published(reachOf(access({ url: shop.url })))
  const { tip } = await charts.poll(shop.url, { name: 'web', version: '*' }, signal)
  const tree = await charts.treeAt(shop.url, tip, '.')

  t.equal(tree.treeId, `packed-${sha256(archive)}` as TreeId)
  t.same((await tree.list()).map(({ path }) => path).sort(), [
    'Chart.yaml',
    'templates/map.yaml',
    'values.yaml',
    'values/eu.yaml',
  ])
  t.equal(await tree.resolve('none.yaml'), null)
  t.match(await told(charts.treeAt(shop.url, tip, 'sub')), { reason: 'PathNotFound' })
  const elsewhere = published(reachOf(access({ url: shop.url })))
  t.match(await told(elsewhere.treeAt(shop.url, tip, '.')), { reason: 'ChartPending', transient: true }, 'gone from the store')
})
