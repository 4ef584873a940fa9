// slipway render of what is here: exactly helm template's text, its exit codes, and Handlebars charts and folders of manifests.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { filesAnswer, startWebServer, versionMap } from '../support/charts.js'
import { runProgram } from '../support/machine.js'

function slipway(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['build/controller/cli/main.js', 'render', ...args], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: tmpdir() },
  })
  return { status, out: stdout, err: stderr }
}

t.test('a Helm chart prints what helm template would', async t => {
  const { status, out, err } = slipway(
    'rel',
    'test/renderer/golden/shop',
    '-n',
    'demo',
    '--show-only',
    'templates/web.yaml',
    '--set',
    'replicas=7',
  )

  t.equal(err, 'info: skipping unknown hook: "no-such-hook"\n')
  t.equal(status, 0)
  t.match(out, /^---\n# Source: shop\/templates\/web\.yaml\napiVersion: v1\nkind: Service\n/)
  t.match(out, '  replicas: 7\n')
  t.match(slipway('test/renderer/golden/shop').out, 'name: release-name-shop\n')
})

t.test('a chart that fails ends with 1 and Helm’s words', async t => {
  const failed = slipway('rel', 'test/renderer/golden/shop', '--set', 'failNotes=true')

  t.equal(failed.status, 1)
  t.equal(failed.out, '')
  t.match(failed.err, /^Error: execution error at \(shop\/templates\/NOTES\.txt:1:56\): notes fail\n/)
  t.equal(slipway('./nowhere').status, 1)
  t.equal(slipway('rel', 'test/renderer/golden/shop', '--nosuch').status, 2)
})

t.test('a signal ends a render that is long at work', async t => {
  const folder = chartHere(t, { 'templates/keys.yaml': '{{ range until 1000 }}{{ genPrivateKey "rsa" }}{{ end }}' })
  // Without what tap gives to every Node it starts, which listens to signals.
  const program = ['-i', process.execPath, 'build/controller/cli/main.js', 'render', 'rel', folder]

  const { signal } = spawnSync('env', program, { timeout: 3_000, killSignal: 'SIGTERM' })

  t.equal(signal, 'SIGTERM')
})

t.test('Helm’s words of a failure are followed by the innermost place, with its lines and a caret', async t => {
  const folder = chartHere(t, {
    'templates/_name.tpl': '{{ define "name" }}\n{{ .Values.web.name }}\n{{ end }}',
    'templates/a.yaml': 'kind: A\nname: {{ include "name" . }}\n',
  })

  const { status, out, err } = slipway('rel', folder)

  t.equal(status, 1)
  t.equal(out, '')
  t.match(err, /^Error: template: here\/templates\/a\.yaml:2:9: .*\n\nUse --debug flag/)
  t.match(
    err,
    `\ntemplates/_name.tpl:2:11: nil pointer evaluating interface {}.name
  1 | {{ define "name" }}
  2 | {{ .Values.web.name }}
    |           ^
`,
  )
})

t.test('a map that holds itself is told at its place, too', async t => {
  const folder = chartHere(t, {
    'templates/a.yaml': '{{ $d := dict }}{{ $_ := set $d "a" $d }}{{ deepCopy $d }}',
  })

  t.match(slipway('rel', folder).err, /\ntemplates\/a\.yaml:1:45: .*a value more than 1000 deep: does it hold itself\?\n/)
})

t.test('a rendered file that is no YAML is shown at its line, and whole with --debug', async t => {
  const folder = chartHere(t, {
    'templates/b.yaml': 'kind: B\n name: {{ .Release.Name }}\n',
    'templates/a.yaml': 'kind: A\n',
  })

  const short = slipway('rel', folder)
  const whole = slipway('rel', folder, '--debug')

  t.equal(short.out, '')
  t.match(short.err, '\nwhat here/templates/b.yaml rendered:\n  1 | kind: B\n  2 |  name: rel\n')
  t.equal(whole.status, 1)
  t.equal(
    whole.out,
    '---\n# Source: here/templates/a.yaml\nkind: A\n\n---\n# Source: here/templates/b.yaml\nkind: B\n name: rel\n',
  )
})

t.test('values are read from a pipe, and what Helm warns of is told', async t => {
  const folder = chartHere(t, {
    'templates/a.yaml': 'kind: {{ .Values.kind }}\n',
    'Chart.yaml': 'apiVersion: v2\nname: here\nversion: 1.0.0\ndeprecated: true\n',
    'templates/b.yaml': 'kind: B\nmetadata: { annotations: { helm.sh/hook: at-noon } }\n',
  })

  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['build/controller/cli/main.js', 'render', 'rel', folder, '-f', '-'],
    { encoding: 'utf8', input: 'kind: Piped\n', env: { PATH: process.env.PATH, HOME: tmpdir() } },
  )

  t.equal(status, 0)
  t.equal(stdout, '---\n# Source: here/templates/a.yaml\nkind: Piped\n')
  t.equal(stderr, 'WARNING: This chart is deprecated\ninfo: skipping unknown hook: "at-noon"\n')
})

t.test('values files are read in order, and a packed chart is read as it is', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'values-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'a.yaml'), 'replicas: 3\nimage: {tag: a}\n')
  writeFileSync(join(folder, 'b.yaml'), 'image: {tag: b}\n')
  // .helmignore counts in a folder only.
  spawnSync('tar', ['czf', join(folder, 'shop.tgz'), '--exclude=*.bak', '-C', 'test/renderer/golden', 'shop'])

  const { out } = slipway('rel', join(folder, 'shop.tgz'), '-f', join(folder, 'a.yaml'), '-f', join(folder, 'b.yaml'))

  t.match(out, '  replicas: 3\n')
  t.match(out, 'image: "example/web:b"\n')
})

t.test('a Handlebars chart and a folder of manifests print their objects', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'manifests-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'a.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n')

  t.equal(slipway(folder).out, '---\n# Source: a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n')
  t.match(slipway('web', 'charts/web', '--set', 'replicas=2').out, 'kind: Deployment\n')
})

t.test('dependencies that are missing in charts/ are an error as in Helm, and got where that is asked', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'dependencies-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const index = readFileSync('test/support/chart-repository/index.yaml')
  const archive = readFileSync('test/support/chart-repository/greeter-1.10.0.tgz')
  const server = await startWebServer(filesAnswer({ '/index.yaml': index, '/greeter-1.10.0.tgz': archive }))
  t.teardown(() => server.stop())
  const repositories = `repositories: [{ name: team, url: "${server.url}" }]\n`
  const files = {
    'shop/Chart.yaml': `apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n- { name: greeter, version: ^1, repository: "@team" }\n- { name: common, version: "*", repository: "file://../common" }\n`,
    'common/Chart.yaml': 'apiVersion: v2\nname: common\nversion: 1.0.0\n',
    'common/templates/map.yaml': versionMap,
    'repositories.yaml': repositories,
  }
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  const run = async (...args: readonly string[]) => {
    const env = { PATH: process.env.PATH ?? '', HOME: folder, HELM_REPOSITORY_CONFIG: join(folder, 'repositories.yaml') }
    return runProgram(process.execPath, ['build/controller/cli/main.js', 'render', 'rel', join(folder, 'shop'), ...args], env)
  }

  const missing = await run()
  t.equal(missing.code, 1)
  t.match(
    missing.err,
    /^Error: An error occurred while checking for chart dependencies\. .*missing in charts\/ directory: greeter, common\n/,
  )

  const { code, out, err } = await run('--dependency-update')
  t.equal(code, 0)
  t.equal(err, 'WARNING: no lock pins greeter ^1 is 1.10.0\n')
  t.match(out, /# Source: shop\/charts\/common\/templates\/map\.yaml\n/)
  t.match(out, /name: "rel-greeter" }\ndata: { version: "1\.10\.0"/)
  t.same(readdirSync(join(folder, 'shop')), ['Chart.yaml'], 'nothing is written beside the chart')

  server.answer = (_, response) => response.writeHead(404).end()
  const gone = await run('--dependency-update')
  t.equal(gone.code, 1)
  t.match(gone.err, /^Error: chart greeter \^1 of http:.*: is not there \(404\)/)
})

/** A chart `here` of these files, gone after the test. */
function chartHere(t: { teardown(done: () => void): void }, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'here-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries({ 'Chart.yaml': 'apiVersion: v2\nname: here\nversion: 1.0.0\n', ...files })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}
