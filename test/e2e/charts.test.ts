// An application whose chart depends on one of an OCI registry, one of an http repository and a folder of the same commit: released, kept,
// held where something is wrong, and never touched by a registry that is gone.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { loadDirectory } from '../../renderer/chart/load.js'
import { digestOf } from '../../renderer/chart/lock.js'
import { application } from '../support/applications.js'
import { basicText, filesAnswer, packed, putChart, sha256, startWebServer } from '../support/charts.js'
import { registryPassword, startRegistry } from '../support/registry.js'
import { lives, startSlipway } from '../support/slipway.js'
import { loadWebImage, removeImages, web } from '../support/web.js'

t.setTimeout(600_000)
const outside = mkdtempSync(join(tmpdir(), 'slipway-charts-e2e-'))
t.teardown(() => rmSync(outside, { recursive: true, force: true }))
let registry = await startRegistry(outside, { programs: [] })
if (registry === null) {
  t.pass('SKIPPED: no docker-registry on this machine: charts of registries are not released')
  process.exit(0)
}
t.teardown(() => registry?.stop())
const { host, username, password } = registry
const passwordFile = join(outside, 'password')
writeFileSync(passwordFile, registryPassword)

const files: Record<string, string | Buffer> = {}
const repository = await startWebServer(filesAnswer(files))
t.teardown(() => repository.stop())

const slipway = await startSlipway(t, {
  config: {
    repositories: [
      { url: `oci://${host}`, username, passwordFile },
      { name: 'team', url: `${repository.url}/charts` },
    ],
    pollInterval: '2s',
  },
})
const { image } = await loadWebImage(slipway)
t.teardown(() => removeImages(slipway, '1'))

const mapOf = (name: string, text: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: { version: "{{ .Chart.Version }}", text: ${text} }\n`

/** The web server as a chart: its message comes from values, its version stands in the pods' template. */
function webChart(version: string, mark = ''): Buffer {
  const objects = web({ image, replicas: 1, message: 'MESSAGE' })
    .replace('"value": "MESSAGE"', '"value": {{ .Values.message | quote }}')
    .replace('"labels": {', '"labels": { "chart": "{{ .Chart.Version }}",')
  return packed({ name: 'web', version, files: { 'templates/web.yaml': objects + mark, 'values.yaml': 'message: welcome\n' } })
}

const publish = (version: string, mark = ''): Promise<string> =>
  putChart({
    host,
    repository: 'team/charts/web',
    tag: version,
    archive: webChart(version, mark),
    authorization: basicText(username, password),
  })

function publishConfig(version: string, digest = ''): void {
  const archive = packed({ name: 'settings', version, files: { 'templates/map.yaml': mapOf('settings', 'x') } })
  files[`/charts/settings-${version}.tgz`] = archive
  files['/charts/index.yaml'] =
    `apiVersion: v1\nentries:\n  settings:\n  - name: settings\n    version: ${version}\n    urls: [settings-${version}.tgz]\n    digest: ${digest || sha256(archive)}\n`
}

interface Wanted {
  readonly web?: string
  readonly settings?: string
}

function chartYaml({ web = '^1', settings = '1.x' }: Wanted = {}): string {
  const dependencies = [
    `{ name: web, version: "${web}", repository: "oci://${host}/team/charts" }`,
    `{ name: settings, version: "${settings}", repository: "${repository.url}/charts" }`,
    '{ name: common, version: "0.1.0", repository: "file://../../libs/common" }',
  ]
  return `apiVersion: v2\nname: shop\nversion: 0.1.0\ndependencies:\n${dependencies.map(one => `  - ${one}\n`).join('')}`
}

/** As `helm dependency update` writes it. */
function lockOf(chart: string, versions: Readonly<Record<string, string>>): string {
  const { metadata } = loadDirectory([{ name: 'Chart.yaml', bytes: Buffer.from(chart) }])
  const locked = (metadata.dependencies ?? []).map(({ name, repository }) => ({
    name,
    repository,
    version: versions[name] ?? '',
  }))
  const plain = { condition: '', tags: null, enabled: false, importValues: null, alias: '' }
  const digest = digestOf(
    metadata.dependencies,
    locked.map(one => ({ ...one, ...plain })),
  )
  return JSON.stringify({ dependencies: locked, digest, generated: '2026-01-01T00:00:00Z' })
}

const shop = await application(slipway, 'shop', { source: { path: 'apps/shop' }, patienceMs: 120_000 })
const chart = (wanted?: Wanted) => ({ 'apps/shop/Chart.yaml': chartYaml(wanted) })
const message = (text: string) => ({ 'apps/shop/values.yaml': `web: { message: ${text} }\n` })
const rendered = async () => (await slipway.cli('render', 'shop')).out
const webVersion = async () => /chart: "?([\d.]+)/.exec(await rendered())?.[1]

await publish('1.2.0')
publishConfig('1.0.0')

t.test('a chart with dependencies from three places is released', async t => {
  const opened = await shop.push({
    ...chart(),
    ...message('first'),
    'libs/common/Chart.yaml': 'apiVersion: v2\nname: common\nversion: 0.1.0\n',
    'libs/common/templates/map.yaml': mapOf('common', 'one'),
  })
  await shop.declare()
  await shop.settled(opened, 'Healthy')

  t.equal(await webVersion(), '1.2.0')
  for (const name of ['common', 'settings']) t.match(await rendered(), new RegExp(`name: ${name}\n`))
  t.equal((await slipway.containers('shop')).length, 1)
  t.match(slipway.log('controller'), /shop: no lock pins web \^1 is 1\.2\.0, settings 1\.x is 1\.0\.0/)
})

t.test('a newer version changes nothing until Chart.yaml says otherwise', async t => {
  await publish('1.3.0')
  await shop.settled(await shop.push(message('second')), 'Healthy')
  t.equal(await webVersion(), '1.2.0')
  t.match(await rendered(), /value: second/)

  await shop.settled(await shop.push(chart({ web: '^1.2.1' })), 'Healthy')
  t.equal(await webVersion(), '1.3.0')
})

t.test('with a lock its versions count, and one that is out of sync holds the commit', async t => {
  const wanted = { web: '^1', settings: '1.x' }
  const lock = lockOf(chartYaml(wanted), { web: '1.3.0', settings: '1.0.0', common: '0.1.0' })
  await shop.settled(await shop.push({ ...chart(wanted), 'apps/shop/Chart.lock': lock }), 'Healthy')
  t.equal(await webVersion(), '1.3.0')
  const before = await lives(slipway, 'shop')

  const held = await shop.settled(
    await shop.push({ 'apps/shop/Chart.lock': lock.replace('"version":"1.3.0"', '"version":"1.2.0"') }),
    'Held',
  )

  t.match(
    held.message,
    /[Tt]he lock file \(Chart\.lock\) is out of sync with the dependencies file \(Chart\.yaml\).*helm dependency update/,
  )
  t.match(held.message, /[Nn]othing that runs was touched/)
  t.same(await lives(slipway, 'shop'), before)
  await shop.settled(await shop.push({ 'apps/shop/Chart.lock': lock }), 'Healthy')
})

t.test('with the registry gone what was fetched serves new commits, also after a restart', async t => {
  registry?.stop()
  repository.answer = (_, response) => response.writeHead(503).end()
  await slipway.kill('controller')

  await shop.settled(await shop.push(message('third')), 'Healthy')

  t.match(await rendered(), /value: third/)
  t.equal(await webVersion(), '1.3.0')
})

t.test('what was never fetched waits for the registry, is shown so, and goes on by itself', async t => {
  const before = await lives(slipway, 'shop')
  const commit = await shop.push({
    ...chart({ web: '1.2.0', settings: '1.0.0' }),
    'apps/shop/Chart.lock': null,
    ...message('fourth'),
  })

  // 1.2.0 and 1.0.0 are still kept from the beginning: no network is needed for either.
  await shop.settled(commit, 'Healthy')
  t.equal(await webVersion(), '1.2.0')
  t.not((await lives(slipway, 'shop')).join(), before.join())

  const newer = await lives(slipway, 'shop')
  const waiting = await shop.push(chart({ web: '1.4.0', settings: '1.0.0' }))
  const held = await shop.settled(waiting, 'Held')
  t.match(
    held.message,
    /[Cc]hart web 1\.4\.0 of oci:\/\/127\.0\.0\.1:\d+\/team\/charts: nothing answers there; tried again by itself/,
  )
  t.same(await lives(slipway, 'shop'), newer)

  repository.answer = filesAnswer(files)
  registry = await startRegistry(outside, { programs: [], port: Number(host.split(':')[1]) })
  await publish('1.4.0')
  await shop.settled(waiting, 'Healthy')
  t.equal(await webVersion(), '1.4.0')
})

t.test('a version whose content changed is held, with both digests', async t => {
  const first = sha256(webChart('1.4.0'))
  await publish('1.4.0', '\n# published again\n')
  rmSync(join(slipway.state, 'controller', 'charts'), { recursive: true })
  await slipway.kill('controller')

  const held = await shop.settled(await shop.push(message('fifth')), 'Held')

  t.match(held.message, /[Cc]hart web 1\.4\.0 of oci.*: version 1\.4\.0 is not what it was when this application first used it/)
  t.ok(held.message.includes(first))
  t.notMatch(held.message, registryPassword)
})

t.test('an application that names a chart of a repository follows its versions', async t => {
  const entries: string[] = []
  /** Its revision. */
  function put(version: string): string {
    const archive = webChart(version)
    files[`/stable/web-${version}.tgz`] = archive
    entries.push(`  - { name: web, version: ${version}, urls: [web-${version}.tgz], digest: ${sha256(archive)} }\n`)
    files['/stable/index.yaml'] = `apiVersion: v1\nentries:\n  web:\n${entries.join('')}`
    return `${version}@sha256:${sha256(archive)}`
  }
  const first = put('1.2.0')
  const source = { repoURL: `${repository.url}/stable`, chart: 'web', targetRevision: '1.2.*' }
  const plain = await application(slipway, 'plain', { source, patienceMs: 120_000 })
  await plain.declare()
  await plain.settled(first, 'Healthy')
  t.match((await slipway.cli('status', 'plain')).out, /runs +r1 +1\.2\.0 [\s\S]*from +http\S+\/stable web @ 1\.2\.\*/)

  put('1.3.0')
  await plain.settled(put('1.2.1'), 'Healthy')
  t.match((await slipway.cli('render', 'plain')).out, /chart: "?1\.2\.1/)
  t.match((await slipway.cli('history', 'plain')).out, /1\.2\.1[\s\S]*1\.2\.0/)
  const before = await lives(slipway, 'plain')

  repository.answer = (_, response) => response.writeHead(503).end()
  const away = await plain.until('stale', ({ stale }) => stale !== null)
  t.match(away.stale?.message, /the server answers 503/)
  t.equal(away.state, 'Healthy')
  t.match((await slipway.cli('status', 'plain')).out, /the chart repository was last read/)

  repository.answer = filesAnswer(files)
  await plain.declare({ source: { ...source, targetRevision: '^7' } })
  const held = await plain.until('held', ({ state }) => state === 'Held')
  t.match(held.message, /no such version: there are 1\.3\.0, 1\.2\.1, 1\.2\.0: publish one that fits/)
  t.same(await lives(slipway, 'plain'), before)
})

t.test('nothing is left behind', async t => {
  t.notMatch(slipway.log('controller'), registryPassword)
  t.same(await slipway.end(), [])
})
