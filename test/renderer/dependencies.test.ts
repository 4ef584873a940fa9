// Charts that are not in `charts/`: what is missing, what the lock says, which version is meant. Digests were written by the real Helm (3.22).
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type ChartFile, unpack } from '../../renderer/chart/archive.js'
import { loadDirectory } from '../../renderer/chart/load.js'
import { digestOf, factsOf, factsOfArchive, mayNeedCharts, oldDigestOf, tellsNeeds } from '../../renderer/chart/lock.js'
import { readLock } from '../../renderer/chart/metadata.js'
import { pack } from '../../renderer/chart/pack.js'
import { isExactVersion, meantVersion, versionsIn, versionsOfTags } from '../../renderer/chart/published.js'
import { referenceDir } from '../support/reference.js'

const file = (name: string, text: string): ChartFile => ({ name, bytes: Buffer.from(text) })

const umbrella = file(
  'Chart.yaml',
  `apiVersion: v2
name: umbrella
version: 0.1.0
dependencies:
  - name: common
    version: ">=1.2.0 <2"
    repository: file://../common
    condition: common.enabled,global.common
    tags: [front, "a<b>&c"]
    alias: first
    import-values:
      - exported
      - { child: a.b, parent: c, number: 1.5, ten: 10 }
  - name: worker
    version: 1.x.x
    repository: "file://../worker"
`,
)
const umbrellaLock = file(
  'Chart.lock',
  `dependencies:
- name: common
  repository: file://../common
  version: 1.2.3
- name: worker
  repository: file://../worker
  version: 1.2.3
digest: sha256:00415fe2f9f632881dd7b993af4f09472e4c66972a3f73742e9a9e723f6aa097
generated: "2026-11-21T16:13:14.101638092Z"
`,
)
const worker = file('charts/worker/Chart.yaml', 'apiVersion: v2\nname: worker\nversion: 1.2.3\n')
const workerNeed = { name: 'worker', version: '1.2.3', repository: 'file://../worker' }
const commonNeed = { name: 'common', version: '1.2.3', repository: 'file://../common' }

const old = [
  file('Chart.yaml', 'name: old\nversion: 0.1.0\n'),
  file('requirements.yaml', 'dependencies:\n- name: common\n  version: ~1.2.0\n  repository: file://../common\n  tags: [x]\n'),
  file(
    'requirements.lock',
    'dependencies:\n- name: common\n  repository: file://../common\n  version: 1.2.3\ndigest: sha256:eff3ab032d7532228f966f01fdcb839678a9981ecb1281785800fa16ec42a688\n',
  ),
]

const edited = (of: ChartFile, from: string, to: string): ChartFile => {
  const text = Buffer.from(of.bytes).toString()
  t.ok(text.includes(from), `${of.name} has ${from}`)
  return file(of.name, text.replace(from, to))
}

const inFolder = ({ name, bytes }: ChartFile): ChartFile => ({ name: name.replace('charts/worker/', ''), bytes })

const chartOf = (dependency: string): ChartFile =>
  file('Chart.yaml', `apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies:\n  - { ${dependency} }\n`)

t.test('what is missing in charts/ is needed as the lock pins it', async t => {
  const needs = (...files: readonly ChartFile[]) => factsOf(files, {}).needs

  t.same(needs(umbrella, umbrellaLock), [commonNeed, workerNeed])
  t.same(needs(umbrella, umbrellaLock, worker), [commonNeed], 'what lies in charts/ is taken')
  t.equal(needs(umbrella, umbrellaLock, file('.helmignore', 'charts/\n'), worker).length, 2, 'unless it is ignored')
  t.same(needs(umbrella, worker), [{ ...commonNeed, version: '>=1.2.0 <2' }], 'without a lock: the range')
  t.same(needs(...old), [commonNeed], 'requirements.yaml of v1')
  t.same(needs(file('Chart.yaml', 'apiVersion: v2\nname: c\nversion: 1.0.0\n')), [])
  const archive = { name: 'charts/any.tgz', bytes: pack('worker', [edited(worker, 'worker', 'common')].map(inFolder)) }
  t.same(needs(umbrella, umbrellaLock, archive), [workerNeed], 'a packed chart is known by its own name')
  t.match(factsOf([umbrella, umbrellaLock], {}), { name: 'umbrella', version: '0.1.0' })
  t.same(factsOfArchive(archive.bytes), { name: 'common', version: '1.2.3', needs: [] })
})

t.test('names for repositories stand for their addresses, in the digest too', async t => {
  const named = edited(umbrella, '"file://../worker"', '"@corp"')
  t.same(factsOf([named, umbrellaLock], { corp: 'file://../worker' }).needs, [commonNeed, workerNeed])
  t.throws(() => factsOf([named, umbrellaLock], {}), { message: /no repository is named "corp"/ })
})

t.test('what cannot be fetched is told with what to do', async t => {
  const cases: readonly (readonly [readonly ChartFile[], RegExp])[] = [
    [
      [edited(umbrella, '1.x.x', '2.x.x'), umbrellaLock],
      /^the lock file \(Chart\.lock\) is out of sync with the dependencies file \(Chart\.yaml\)\. Please update the dependencies: run `helm dependency update`/,
    ],
    [[umbrella, edited(umbrellaLock, '1.2.3', '1.2.4')], /out of sync/],
    [
      [old[0] as ChartFile, edited(old[1] as ChartFile, '~1.2.0', '~1.3.0'), old[2] as ChartFile],
      /requirements\.lock.*requirements\.yaml/,
    ],
    [[chartOf('name: a, version: 1.0.0')], /dependency "a" names no repository, and is not in charts\//],
    [
      [chartOf('name: a, version: "not a version", repository: "https://x"')],
      /dependency "a" has an invalid version\/constraint format/,
    ],
    [[chartOf('name: a, version: "1", repository: stable')], /repository "stable" is none; write https:/],
    [[chartOf('name: a, version: "1", repository: "ssh://x"')], /repository "ssh:\/\/x" is none/],
    [[chartOf('name: "../a", version: "1", repository: "https://x"')], /no name of a chart/],
    [[umbrella, file('Chart.lock', '{')], /cannot load Chart\.lock/],
  ]
  for (const [files, message] of cases) t.throws(() => factsOf(files, {}), { message })
})

t.test('which files tell it', async t => {
  t.ok(mayNeedCharts([umbrella]))
  t.ok(mayNeedCharts([file('Chart.yaml', '"depend\\x65ncies": []')]))
  t.ok(mayNeedCharts(old))
  t.notOk(mayNeedCharts([file('Chart.yaml', 'name: a'), file('values.yaml', 'dependencies: []')]))
  const all = ['Chart.yaml', 'Chart.lock', 'charts/a/Chart.yaml', 'charts/a/values.yaml', 'charts/a.tgz', 'values.yaml']
  t.same(all.filter(tellsNeeds), ['Chart.yaml', 'Chart.lock', 'charts/a/Chart.yaml', 'charts/a.tgz'])
})

t.test('a folder is packed as Helm packs it, and unpacks to the same files', async t => {
  const long = `files/${'n'.repeat(120)}.txt`
  const files = [
    file('Chart.yaml', 'name: a'),
    file('a.md', 'x'),
    file('.helmignore', '*.md\n'),
    file(long, 'l'),
    file('empty', ''),
  ]

  const packed = pack('a', files)

  t.same(
    unpack(packed).map(({ name, bytes }) => [name, Buffer.from(bytes).toString()]),
    [
      ['Chart.yaml', 'name: a'],
      ['.helmignore', '*.md\n'],
      [long, 'l'],
      ['empty', ''],
    ],
  )
  t.same(pack('a', files), packed, 'the same files give the same bytes')
  for (const length of [80, 88, 89, 90, 91, 92, 93, 94, 180, 980, 990])
    t.equal(unpack(pack('a', [file('x'.repeat(length), '1')]))[0]?.name.length, length, `a name of ${length}`)
})

const index = `apiVersion: v1
entries:
  redis:
  - apiVersion: v2
    description: |
      has lines:
        apart: yes
    digest: sha256:${'A'.repeat(64)}
    name: redis
    urls:
    - redis-17.0.0.tgz
    - second
    version: 17.0.0
  - urls: [redis-17.1.0-rc.1.tgz]
    version: 17.1.0-rc.1
  - urls: [https://elsewhere/redis-9.tgz]
    version: 9.10.0
  - version: 18.0.0
  - urls: [x]
    version: nonsense
  redis-cluster:
  - urls: [cluster.tgz]
    version: 1.0.0
generated: "2026-01-01T00:00:00Z"
`

t.test('an index gives the versions of one chart, newest first', async t => {
  const forms: readonly (readonly [string, string])[] = [
    ['as Helm writes it', index],
    ['with line ends of Windows', index.replaceAll('\n', '\r\n')],
    ['deeper', index.replace(/^( +.*)$/gm, ' $1')],
    ['as JSON', JSON.stringify(plainIndex())],
    ['entries last', index.replace('apiVersion: v1\n', '').replace(/generated.*\n/, '')],
  ]
  for (const [form, text] of forms) {
    const versions = versionsIn(Buffer.from(text), 'redis')
    t.same(
      versions.map(({ version }) => version),
      ['17.1.0-rc.1', '17.0.0', '9.10.0'],
      form,
    )
    t.same(versions[1], { version: '17.0.0', urls: ['redis-17.0.0.tgz', 'second'], sha256: 'a'.repeat(64) }, form)
    t.same(versionsIn(Buffer.from(text), 'redis-cluster').length, 1, form)
    t.same(versionsIn(Buffer.from(text), 'mysql'), [], form)
  }
  t.throws(() => versionsIn(Buffer.from(''), 'redis'), { message: 'empty index.yaml file' })
  t.throws(() => versionsIn(Buffer.from('<html>no</html>'), 'redis'), { message: /a map is wanted/ })
})

function plainIndex(): unknown {
  const [digest, urls] = [`sha256:${'A'.repeat(64)}`, ['redis-17.0.0.tgz', 'second']]
  const redis = [
    { version: '17.0.0', urls, digest },
    { version: '17.1.0-rc.1', urls: ['redis-17.1.0-rc.1.tgz'] },
    { version: '9.10.0', urls: ['https://elsewhere/redis-9.tgz'] },
    { version: '18.0.0' },
    { version: 'nonsense', urls: ['x'] },
  ]
  return { apiVersion: 'v1', entries: { redis, 'redis-cluster': [{ version: '1.0.0', urls: ['cluster.tgz'] }] } }
}

t.test('the version that is meant', async t => {
  const versions = versionsOfTags(['1.2.0', '1.10.0', '2.0.0-rc.1', 'latest', 'v3.0.0', '1.10.1_build.5', '1.9.0'])
  const cases: readonly (readonly [string, string | null])[] = [
    ['', '1.10.1+build.5'],
    ['*', '1.10.1+build.5'],
    ['1.2.0', '1.2.0'],
    ['1.10.1+build.5', '1.10.1+build.5'],
    ['^1.2', '1.10.1+build.5'],
    ['~1.9', '1.9.0'],
    ['>=1.9 <1.10.1', '1.10.0'],
    ['>=2.0.0', null],
    ['>=2.0.0-0', '2.0.0-rc.1'],
    ['3.x', null],
  ]
  for (const [wanted, meant] of cases) t.equal(meantVersion(versions, wanted)?.version ?? null, meant, wanted)
  t.throws(() => meantVersion(versions, 'what'), { message: /neither a version nor a range/ })
  t.same(['1.2.0', 'v1', '1.2', '^1', '1.x'].map(isExactVersion), [true, true, true, false, false])
})

const alpine = (version: string) =>
  dependencyOf(`name: alpine, version: "${version}", repository: "http://localhost:8879/charts"`)

function dependencyOf(text: string) {
  return loadDirectory([chartOf(text)]).metadata.dependencies
}

t.test("the digest is Helm's (its TestHashReq)", async t => {
  const expected = 'sha256:fb239e836325c5fa14b29d1540a13b7d3ba13151b67fe719f820e0ef6d66aaaf'
  t.equal(digestOf(alpine('0.1.0'), alpine('0.1.0')), expected)
  for (const [wanted, locked] of [
    ['^0.1.0', '0.1.0'],
    ['^0.1.0', '0.1.2'],
    ['0.1.2', '0.1.2'],
    ['^0.1.2', '0.1.2'],
  ] as const)
    t.not(digestOf(alpine(wanted), alpine(locked)), expected)
})

/** Charts of Helm's own tests, whose locks were made by hand. */
const madeUp = /^helmtest-/

t.test('the locks of public charts fit their dependencies', async t => {
  const corpus = referenceDir('corpus/charts')
  if (corpus === null) {
    console.error('SKIPPED: the chart corpus (../shared/corpus) is not here: the locks of its charts are not checked')
    return void t.pass('SKIPPED: the chart corpus is not here')
  }
  const counts = { three: 0, two: 0 }
  for (const name of readdirSync(corpus).filter(name => name.endsWith('.tgz') && !madeUp.test(name))) {
    const files = unpack(readFileSync(join(corpus, name)))
    const lock = files.find(file => file.name === 'Chart.lock') ?? files.find(file => file.name === 'requirements.lock')
    if (lock === undefined) continue
    const [{ metadata }, read] = [loadDirectory(files), readLock(Buffer.from(lock.bytes).toString())]
    if (digestOf(metadata.dependencies, read?.dependencies ?? null) === read?.digest) counts.three++
    else t.equal(oldDigestOf(metadata.dependencies), read?.digest, name) && counts.two++
  }
  t.same(counts, { three: 33, two: 16 })
})
