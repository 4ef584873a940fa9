// A commit's tree with the charts it depends on: from registries, repositories and folders of the same commit; what is kept, what is said, what
// never waits. Compared with `helm dependency build` and `helm template` where the real Helm is on the machine.
import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { chartGetter, type GetChart } from '../../controller/charts/charts.js'
import type { Pins } from '../../controller/charts/complete.js'
import { ChartSourceError } from '../../controller/charts/errors.js'
import { createFetching } from '../../controller/charts/fetching.js'
import { entriesOf, pinsIn } from '../../controller/charts/pins.js'
import { openChartStore } from '../../controller/charts/store.js'
import { type AskedTree, chartTrees, type TreeWithCharts } from '../../controller/charts/tree.js'
import type { GitTree, TreeEntry, TreeId } from '../../controller/release.js'
import type { StickyEntry } from '../../controller/sticky.js'
import { answerTo, helmTemplate } from '../../renderer/index.js'
import { contentHash } from '../../runtime/contract/hash.js'
import {
  access,
  emptyStore,
  filesAnswer,
  packed,
  reachOf,
  realHelm,
  sha256,
  startWebServer,
  told,
  versionMap,
  type WebServer,
} from '../support/charts.js'
import { requestOf } from '../support/helm-flags.js'
import { waitUntil } from '../support/machine.js'

const signal = new AbortController().signal
const work = mkdtempSync(join(tmpdir(), 'slipway-trees-'))
t.teardown(() => rmSync(work, { recursive: true, force: true }))

type Files = Readonly<Record<string, string>>

/** A folder of a commit in memory; `-> x` is a symlink. */
function treeOf(files: Files, path: string): GitTree | null {
  const prefix = path === '.' ? '' : `${path}/`
  const inside = Object.entries(files).filter(([name]) => name.startsWith(prefix))
  if (inside.length === 0) return null
  const entries = inside.map(
    ([name, text]): TreeEntry => ({
      path: name.slice(prefix.length),
      oid: contentHash(text),
      kind: text.startsWith('-> ') ? 'symlink' : 'blob',
    }),
  )
  return {
    treeId: contentHash(entries) as TreeId,
    list: async () => entries,
    read: async oid => Buffer.from(inside.find(([, text]) => contentHash(text) === oid)?.[1] ?? ''),
    resolve: async () => null,
  }
}

function asked(files: Files, path: string, pins: Pins = {}): AskedTree {
  const tree = treeOf(files, path)
  if (tree === null) throw new Error(`no ${path}`)
  return { tree, path, treeAt: async folder => treeOf(files, folder), pins, owner: 'shop' }
}

const published = Object.fromEntries(
  readdirSync('test/support/chart-repository').map(name => [`/${name}`, readFileSync(`test/support/chart-repository/${name}`)]),
)

async function repository(answer: WebServer['answer'] = filesAnswer(published)): Promise<WebServer> {
  const server = await startWebServer(answer)
  t.teardown(() => server.stop())
  return server
}

function world(...servers: readonly WebServer[]) {
  const store = emptyStore(work)
  const reach = () => reachOf(...servers.map(({ url }) => access({ url })))
  const questions: string[] = []
  const read = async (question: Parameters<typeof answerTo>[0]) => {
    questions.push(question.question)
    return answerTo(question)
  }
  const get = chartGetter({ store, reach, read })
  const trees = chartTrees({ aliases: {}, bringing: () => ({ store, read, get }) })
  return { trees, store, questions, treeOf: (of: AskedTree) => trees.treeOf(of, signal) }
}

const chart = (name: string, dependencies: readonly string[], version = '0.1.0'): string =>
  `apiVersion: v2\nname: ${name}\nversion: ${version}\ndependencies:\n${dependencies.map(one => `  - { ${one} }\n`).join('')}`
const plain = (name: string, version: string): string => `apiVersion: v2\nname: ${name}\nversion: ${version}\n`

async function filesOf({ tree }: TreeWithCharts): Promise<{ readonly name: string; readonly bytes: Uint8Array }[]> {
  return Promise.all((await tree.list()).map(async ({ path, oid }) => ({ name: path, bytes: await tree.read(oid) })))
}

async function rendered(tree: TreeWithCharts): Promise<string> {
  return helmTemplate({
    ...requestOf([]),
    chart: { files: await filesOf(tree) },
    name: 'shop',
    namespace: 'store',
    valueFiles: [],
    chance: { random: count => new Uint8Array(count), now: 0 },
  }).text
}

/** An umbrella over a repository's chart twice, a folder beside it, and that folder's own dependencies. */
const umbrella = (url: string): Files => ({
  'apps/shop/Chart.yaml': chart('shop', [
    `name: greeter, version: '>=1.1 <2', repository: "${url}", alias: hello`,
    `name: greeter, version: 1.0.0, repository: "${url}", alias: old, condition: old.enabled`,
    'name: common, version: 1.x, repository: "file://../../libs/common"',
  ]),
  'apps/shop/values.yaml': 'hello: { text: good morning }\n',
  'apps/shop/templates/own.yaml': versionMap,
  'libs/common/Chart.yaml': chart('common', ['name: deeper, version: 0.2.0, repository: "file://../deeper"'], '1.4.0'),
  'libs/common/.helmignore': '*.md\n',
  'libs/common/notes.md': 'left out',
  'libs/common/templates/map.yaml': versionMap,
  'libs/deeper/Chart.yaml': plain('deeper', '0.2.0'),
  'libs/deeper/templates/map.yaml': versionMap,
})

t.test('a tree has the charts that it depends on, and renders with them', async t => {
  const server = await repository()
  const { treeOf: complete } = world(server)
  const files = umbrella(server.url)

  const done = await complete(asked(files, 'apps/shop'))

  t.same(
    (await done.tree.list()).map(({ path }) => path).filter(path => path.startsWith('charts/')),
    ['charts/greeter-1.10.0.tgz', 'charts/greeter-1.0.0.tgz', 'charts/common-1.4.0.tgz'],
  )
  const text = await rendered(done)
  for (const line of [
    'name: "shop-hello"',
    'version: "1.10.0", text: "good morning"',
    'name: "shop-old"',
    'name: "shop-common"',
    'name: "shop-deeper"',
  ])
    t.ok(text.includes(line), line)
  t.same(done.moving, ['greeter >=1.1 <2 is 1.10.0'])
  t.equal(done.tree.treeId, asked(files, 'apps/shop').tree.treeId, 'the tree of Git keeps its name')
  t.ok(done.tree.contentId)
})

t.test('the same commit is the same tree again, without asking anybody', async t => {
  const server = await repository()
  const { treeOf: complete, questions } = world(server)
  const files = umbrella(server.url)
  const first = await complete(asked(files, 'apps/shop'))
  await server.stop()
  questions.length = 0

  const again = await complete(asked({ ...files, 'README.md': 'an unrelated commit' }, 'apps/shop', first.pins))

  t.equal(again.tree.contentId, first.tree.contentId)
  t.same(questions, [])
  const changed = { ...files, 'libs/deeper/templates/map.yaml': `${versionMap}# changed\n` }
  t.not(
    (await complete(asked(changed, 'apps/shop', first.pins))).tree.contentId,
    first.tree.contentId,
    'a folder that it takes counts',
  )
})

t.test('a range means what it meant, though there is a newer version', async t => {
  const before = Object.fromEntries(Object.entries(published).filter(([name]) => !name.includes('1.10.0')))
  const entry = / {2}- apiVersion: v2\n(?: {4}[^\n]*\n)*? {4}- greeter-1\.10\.0\.tgz\n {4}version: 1\.10\.0\n/
  const older = String(published['/index.yaml']).replace(entry, '')
  const server = await repository(filesAnswer({ ...before, '/index.yaml': older }))
  const files = umbrella(server.url)
  const first = await world(server).treeOf(asked(files, 'apps/shop'))
  t.match(first.moving, ['greeter >=1.1 <2 is 1.2.0'])

  server.answer = filesAnswer(published)

  const kept = await world(server).treeOf(asked(files, 'apps/shop', first.pins))
  t.equal(kept.tree.contentId, first.tree.contentId, 'also where everything was lost but what the application keeps')
  t.same(
    (await world(server).treeOf(asked(files, 'apps/shop'))).moving,
    ['greeter >=1.1 <2 is 1.10.0'],
    'who keeps nothing gets the newest',
  )
})

t.test('what needs nothing is left as it is', async t => {
  const { treeOf: complete, questions } = world()
  for (const files of [
    { 'a/Chart.yaml': plain('a', '1.0.0') },
    { 'a/map.yaml': 'kind: ConfigMap' },
    {
      'a/Chart.yaml': chart('a', ['name: b, version: "1", repository: "https://x"']),
      'a/charts/b/Chart.yaml': plain('b', '1.0.0'),
    },
  ]) {
    const one = asked(files, 'a')
    t.equal((await complete(one)).tree, one.tree)
  }
  t.same(questions, ['facts'], 'nobody reads what cannot need anything')
})

t.test('folders: only of this commit, only what they say they are', async t => {
  const root = (repository: string, version = '1'): string =>
    chart('a', [`name: b, version: "${version}", repository: "${repository}"`])
  const cases: readonly (readonly [string, Files, RegExp])[] = [
    ['out of the repository', { 'x/a/Chart.yaml': root('file://../../../etc') }, /dependency b .*: leads out of the repository/],
    ['absolute', { 'x/a/Chart.yaml': root('file:///etc') }, /an absolute path is no folder of this repository/],
    ['deceptive', { 'x/a/Chart.yaml': root('file://..%2f..%2fetc') }, /has characters that file names here must not have/],
    ['.git', { 'x/a/Chart.yaml': root('file://../../.git/b') }, /only files of the commit/],
    ['missing', { 'x/a/Chart.yaml': root('file://../b') }, /there is no folder x\/b in this commit/],
    [
      'a symlink in it',
      { 'x/a/Chart.yaml': root('file://../b'), 'x/b/Chart.yaml': plain('b', '1.0.0'), 'x/b/secret': '-> /etc/passwd' },
      /x\/b\/secret is a symlink/,
    ],
    ['no chart', { 'x/a/Chart.yaml': root('file://../b'), 'x/b/x': '' }, /x\/b: Chart\.yaml file is missing/],
    [
      'another name',
      { 'x/a/Chart.yaml': root('file://../b'), 'x/b/Chart.yaml': plain('c', '1.0.0') },
      /the chart there is named "c"/,
    ],
    [
      'another version',
      { 'x/a/Chart.yaml': root('file://../b', '^2'), 'x/b/Chart.yaml': plain('b', '1.0.0') },
      /can't get a valid version: \^2 is wanted, the chart there is 1\.0\.0.*helm dependency update/,
    ],
    ['itself', { 'x/a/Chart.yaml': root('file://.') }, /the chart there is named "a"|cannot hold itself/],
    [
      'each other',
      {
        'x/a/Chart.yaml': root('file://../b'),
        'x/b/Chart.yaml': chart('b', ['name: a, version: "*", repository: "file://../a"'], '1.0.0'),
      },
      /x\/a needs x\/b needs x\/a: a chart cannot hold itself/,
    ],
    ['a broken chart', { 'x/a/Chart.yaml': root('file://../b'), 'x/b/Chart.yaml': '{' }, /x\/b: cannot load Chart\.yaml/],
  ]
  for (const [name, files, message] of cases)
    t.match(await told(world().treeOf(asked(files, 'x/a'))), { message, transient: false }, name)
})

t.test('who gets its charts is told whether credentials may be passed on', async t => {
  const told: (readonly [string, boolean])[] = []
  const trees = chartTrees({
    aliases: {},
    bringing: (owner, passes) => {
      told.push([owner, passes])
      return { store: {} as never, read: async question => answerTo(question), get: () => Promise.reject(new Error('not here')) }
    },
  })
  const needing = asked({ 'a/Chart.yaml': chart('a', ['name: greeter, version: 1.2.0, repository: "https://x.test"']) }, 'a')
  for (const passes of [false, true]) await t.rejects(trees.treeOf({ ...needing, passes }, signal), /not here/)
  t.same(
    told.map(([, passes]) => passes),
    [false, true],
  )
})

t.test('a chart that is evicted meanwhile is brought again', async t => {
  const server = await repository()
  const { treeOf: complete, store } = world(server)
  const done = await complete(asked(umbrella(server.url), 'apps/shop'))
  const gone = { ...store, content: async () => null }
  const trees = chartTrees({
    aliases: {},
    bringing: () => ({
      store: gone,
      read: async question => answerTo(question),
      get: async () => ({ version: '1.2.0', sha256: 'a', bytes: Buffer.alloc(0) }),
    }),
  })
  t.ok(done)
  const needing = asked({ 'a/Chart.yaml': chart('a', [`name: greeter, version: 1.2.0, repository: "${server.url}"`]) }, 'a')
  const { tree } = await trees.treeOf(needing, signal)
  const [entry] = (await tree.list()).filter(({ path }) => path.startsWith('charts/'))
  t.match(await told(tree.read(entry?.oid ?? '')), { reason: 'ChartPending', transient: true })
})

t.test('the store keeps whole files of a bounded size, and trusts none', async t => {
  const directory = join(work, 'bounded')
  let now = 1_000_000_000_000
  const store = openChartStore({ directory, maxBytes: 250, maxAnswers: 3, now: () => (now += 60_000) })
  const chunk = (mark: string): Buffer => Buffer.alloc(100, mark)
  const [a, b] = [await store.keep(chunk('a')), await store.keep(chunk('b'))]
  await store.content(a)

  const c = await store.keep(chunk('c'))

  t.same(
    await Promise.all([a, b, c].map(async id => (await store.content(id)) !== null)),
    [true, false, true],
    'what was not used longest goes',
  )
  writeFileSync(join(directory, 'content', c), 'damaged')
  t.equal(await store.content(c), null)
  t.equal(await store.content('../../etc/passwd'), null)
  for (const name of ['1', '2', '3', '4']) await store.remember([name], { version: name, sha256: a })
  t.same(await Promise.all(['1', '2', '3', '4'].map(async name => (await store.found([name]))?.version ?? null)), [
    null,
    '2',
    '3',
    '4',
  ])
  writeFileSync(join(directory, 'found', readdirSync(join(directory, 'found'))[0] ?? ''), '{"version":')
  t.equal((await Promise.all(['2', '3', '4'].map(name => store.found([name])))).filter(found => found === null).length, 1)
  const twice = openChartStore({ directory, now: Date.now })
  await Promise.all(Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? store : twice).keep(Buffer.alloc(50_000, 'same'))))
  t.same(
    readdirSync(join(directory, 'content')).filter(name => name.startsWith('.')),
    [],
    'nothing half written is left',
  )
  t.equal((await twice.content(sha256(Buffer.alloc(50_000, 'same'))))?.length, 50_000)
})

t.test('what a chart meant is kept among the other values of an application', async t => {
  const pins: Pins = {
    'https://x redis >=1 <2': { version: '1.2.0', sha256: 'aa' },
    'oci://r/c common 1.0.0': { version: '1.0.0', sha256: 'bb' },
  }
  const kept = entriesOf(pins, {}, 7)
  t.same(pinsIn({ ...kept, other: { ...(kept['chart oci://r/c common 1.0.0'] as StickyEntry), value: '"secret"' } }), pins)
  t.match(kept['chart https://x redis >=1 <2'], { label: 'redis >=1 <2', at: 7, from: 'minted' })
  t.equal(
    entriesOf(pins, kept, 9)['chart https://x redis >=1 <2'],
    kept['chart https://x redis >=1 <2'],
    'they stay the same ones',
  )
})

t.test('a pass never waits for a slow network, and who asked is woken', async t => {
  const woken: string[] = []
  let release: () => void = () => undefined
  let calls = 0
  const slow: GetChart = async need => {
    calls++
    await new Promise<void>(resolve => {
      release = resolve
    })
    return { version: need.version, sha256: 'x', bytes: Buffer.from('chart') }
  }
  const fetching = createFetching({
    get: slow,
    now: Date.now,
    random: () => 0.5,
    patienceMs: 1,
    wake: owner => woken.push(owner),
  })
  t.teardown(() => fetching.stop())
  const need = { name: 'redis', version: '1.0.0', repository: 'https://x' }

  for (const owner of ['shop', 'blog', 'shop'])
    t.match(await told(fetching.get(need, null, owner)), {
      reason: 'ChartPending',
      transient: true,
      message: /chart redis 1\.0\.0 of https:\/\/x: is being fetched$/,
    })
  t.equal(calls, 1, 'it is fetched once for all')
  release()
  await waitUntil('both are woken', 10_000, () => woken.length === 2)
  t.same(woken.sort(), ['blog', 'shop'])
})

t.test('a failure is told at once until it is time to ask again', async t => {
  const woken: string[] = []
  let [now, calls] = [0, 0]
  let failing: ChartSourceError | null = new ChartSourceError('ChartUnreachable', 'away', true, 60_000)
  const get: GetChart = async need => {
    calls++
    if (failing !== null) throw failing
    return { version: need.version, sha256: 'x', bytes: Buffer.from('chart') }
  }
  const fetching = createFetching({ get, now: () => now, random: () => 0.5, wake: owner => woken.push(owner) })
  t.teardown(() => fetching.stop())
  const need = { name: 'redis', version: '1.0.0', repository: 'https://x' }
  const ask = () => told(fetching.get(need, null, 'shop'))

  t.match(await ask(), { message: 'away; tried again by itself' })
  now = 59_999
  t.match(await ask(), { message: 'away; tried again by itself' })
  t.equal(calls, 1, 'the server asked for a minute')
  now = 60_001
  failing = new ChartSourceError('ChartUnreachable', 'still away', true)
  t.match(await ask(), { message: 'still away; tried again by itself' })
  t.equal(calls, 2)
  now += 1_999
  await ask()
  t.equal(calls, 2, 'the second wait is twice the first')
  now += 2
  failing = null
  t.equal((await fetching.get(need, null, 'shop')).version, '1.0.0')
})

const helm = realHelm()

t.test('the real Helm builds the same dependencies and renders the same', async t => {
  if (helm === undefined) {
    console.error(
      'SKIPPED: no Helm 3 on this machine (PATH or ~/go/bin): dependencies are not compared with `helm dependency build`',
    )
    return void t.pass('SKIPPED: no Helm 3 on this machine')
  }
  const server = await repository()
  const directory = mkdtempSync(join(work, 'helm-'))
  const files = umbrella(server.url)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), text)
  }
  const env = { PATH: process.env.PATH ?? '', HOME: directory }
  // Helm brings only the chart's own dependencies: those of folders first.
  const run = async (...args: readonly string[]): Promise<string> =>
    (await promisify(execFile)(helm, [...args], { env, cwd: directory })).stdout
  await run('repo', 'add', 'tests', server.url)
  await run('dependency', 'update', 'libs/common')
  await run('dependency', 'update', 'apps/shop')
  const wanted = await run('template', 'shop', 'apps/shop', '--namespace', 'store')
  const lock = readFileSync(join(directory, 'apps/shop/Chart.lock'), 'utf8')
  const locked: Files = { ...files, 'apps/shop/Chart.lock': lock }

  const { treeOf: complete } = world(server)
  t.equal(await rendered(await complete(asked(files, 'apps/shop'))), wanted, 'without a lock')
  const done = await complete(asked(locked, 'apps/shop'))
  t.equal(await rendered(done), wanted, 'with the lock that Helm wrote')
  t.same(done.moving, [])
  const brought = (await filesOf(done)).filter(({ name }) => name.startsWith('charts/greeter'))
  for (const { name, bytes } of brought) t.equal(sha256(bytes), sha256(readFileSync(join(directory, 'apps/shop', name))), name)
  const edited: Files = { ...locked, 'apps/shop/Chart.yaml': (locked['apps/shop/Chart.yaml'] ?? '').replace('>=1.1', '>=1.2') }
  writeFileSync(join(directory, 'apps/shop/Chart.yaml'), edited['apps/shop/Chart.yaml'] ?? '')
  const [, complaint = ''] = /Error: ([^\n]*)/.exec(await failureOf(run('dependency', 'build', 'apps/shop'))) ?? []
  t.match(complaint, /out of sync/)
  t.ok((await told(complete(asked(edited, 'apps/shop')))).message.startsWith(complaint), "Helm's words, and what to do")
})

async function failureOf(running: Promise<unknown>): Promise<string> {
  return running.then(
    () => '',
    (cause: { readonly stderr: string }) => cause.stderr,
  )
}

t.test('a packed chart of our own is the one Helm reads', async t => {
  if (helm === undefined) return void t.pass('SKIPPED: no Helm 3 on this machine')
  const file = join(work, 'own-1.0.0.tgz')
  writeFileSync(file, packed({ name: 'own', version: '1.0.0' }))
  t.match(execFileSync(helm, ['show', 'chart', file], { encoding: 'utf8' }), /name: own/)
})
