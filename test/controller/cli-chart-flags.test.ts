// Every flag of helm template at slipway render: the same result, no effect where Helm has none, or refused with why. Beside the real Helm where it is.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Command, CommanderError } from 'commander'
import t from 'tap'
import { define } from '../../controller/cli/render.js'
import { asSwitches } from '../../controller/cli/switches.js'
import { filesAnswer, realHelm, startWebServer } from '../support/charts.js'

const helm = realHelm() ?? null
const base = mkdtempSync(join(tmpdir(), 'flags-'))
t.teardown(() => rmSync(base, { recursive: true, force: true }))

const env = { PATH: process.env.PATH ?? '', HOME: base, XDG_CACHE_HOME: join(base, 'cache') }
const published = ['index.yaml', 'greeter-1.10.0.tgz'].map(name => readFileSync(`test/support/chart-repository/${name}`))
// Paths are written as people write them, and a program's start takes longer than what is to be seen.
process.chdir(base)

interface Ran {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

async function slipway(...args: readonly string[]): Promise<Ran> {
  const ran = { status: 0, out: '', err: '' }
  const command = new Command('render').exitOverride()
  command.configureOutput({
    writeErr: text => {
      ran.err += text
    },
  })
  define(command, {
    env,
    contextFile: join(base, 'none'),
    stdin: process.stdin,
    write: text => {
      ran.out += text
    },
    complain: text => {
      ran.err += text
    },
    outIsTerminal: false,
    inIsTerminal: false,
    columns: 0,
    signal: new AbortController().signal,
    exit: code => {
      ran.status = code
    },
  })
  try {
    await command.parseAsync([...asSwitches(args)], { from: 'user' })
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause
    ran.status = cause.exitCode
  }
  return ran
}

/** Its log lines begin with a file of Go's; what it says again is said once; they come in the order of a Go map. */
function helmSays(...args: readonly string[]): Ran {
  const { status, stdout, stderr } = spawnSync(helm as string, ['template', ...args], { encoding: 'utf8', env })
  return { status, out: stdout, err: stderr.replace(/^[a-z_]+\.go:\d+: /gm, '') }
}

function write(folder: string, files: Readonly<Record<string, string>>): string {
  const root = join(base, folder)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  return folder
}

const object = (kind: string, more = ''): string =>
  `apiVersion: v1\nkind: ${kind}\nmetadata:\n  name: {{ .Release.Name }}-${kind.toLowerCase()}\n${more}`

const hook = (kind: string): string =>
  object(kind, `  annotations:\n    helm.sh/hook: ${kind === 'Pod' ? 'test' : 'pre-install'}\n`)

write('here', {
  'Chart.yaml': 'apiVersion: v2\nname: here\nversion: 1.0.0\n',
  'values.yaml': 'size: 1\n',
  'crds/thing.yaml': 'kind: CustomResourceDefinition\n',
  'templates/web.yaml': `${object('Service')}---\n${object('Deployment')}`,
  'templates/job.yaml': `${hook('Job')}---\n${hook('Pod')}---\n${object('ConfigMap')}`,
  'templates/up.yaml': 'kind: A\nup: {{ .Release.IsUpgrade }}\nsize: {{ .Values.size }}\n',
  'charts/sub/Chart.yaml': 'apiVersion: v2\nname: sub\nversion: 1.0.0\n',
  'charts/sub/templates/a.yaml': object('Secret'),
})

/** What stands in front is what each of them must have in its output, so that both may not be wrong in one way. */
const same: readonly (readonly [RegExp, ...string[]])[] = [
  [/name: release-name-service/, 'here'],
  [/name: rel-service/, 'rel', 'here'],
  [/name: release-name-service/, 'here', '--generate-name'],
  [/name: release-name-service/, '-g', 'here'],
  [/cannot set --generate-name and also specify a name/, 'rel', 'here', '--generate-name'],
  [/name: foo-3-service/, 'here', '--name-template', '{{ lower "FOO" }}-{{ add 1 2 }}'],
  [/cannot set --name-template and also specify a name/, 'rel', 'here', '--name-template', 'x'],
  [/function "nosuch" not defined/, 'here', '--name-template', '{{ nosuch }}'],
  [/unclosed action/, 'here', '--name-template', '{{ lower "FOO"'],
  [/error calling fail: no/, 'here', '--name-template', '{{ fail "no" }}'],
  [/release name "FOO": invalid release name/, 'here', '--name-template', 'FOO'],
  [/CustomResourceDefinition/, 'here', '--include-crds'],
  [/up: true/, 'here', '--is-upgrade'],
  [/kind: Job/, 'here', '--skip-tests'],
  [/kind: Pod/, 'here', '--skip-tests=false'],
  [/kind: Service/, 'here', '--no-hooks'],
  [/kind: Job/, 'here', '--no-hooks=false'],
  [/kind: ConfigMap/, 'here', '-s', 'templates/job.yaml'],
  [/kind: Secret/, 'here', '--show-only', 'charts/sub/templates/a.yaml', '--show-only', 'templates/web.yaml'],
  [/could not find template templates\/no\.yaml in chart/, 'here', '-s', 'templates/no.yaml'],
  [/invalid kube version 'x'/, 'here', '--kube-version', 'x'],
  [/size: 2/, 'here', '--set', 'size=2', '--atomic', '--wait', '--timeout', '5s', '--description', 'd', '--create-namespace'],
  [/size: 1/, 'here', '--dry-run', '--replace', '--force', '--hide-notes', '--skip-crds', '--take-ownership', '--wait-for-jobs'],
  [
    /size: 1/,
    'here',
    '--dry-run=client',
    '--render-subchart-notes',
    '--disable-openapi-validation',
    '-l',
    'a=b',
    '--keyring',
    'k',
  ],
  [/Invalid dry-run flag\. Flag must one of/, 'here', '--dry-run=sometimes'],
  [/size: 1/, 'here', '--kube-context', 'none', '--kubeconfig', '/nowhere', '--burst-limit', '7', '--qps', '8'],
  [/path "\.\/nowhere" not found/, './nowhere'],
  [/non-absolute URLs should be in form of repo_name\/path_to_chart, got: nowhere/, 'rel', 'nowhere'],
  [/repo no not found/, 'rel', 'no/where'],
  [/open none\.yaml: no such file or directory/, 'here', '-f', 'none.yaml'],
  [/failed parsing --set data: key "a" has no value/, 'here', '--set', 'a'],
]

t.test('flags with a result have Helm’s', async t => {
  for (const [wanted, ...args] of same) {
    const name = args.join(' ')
    const ours = await slipway(...args)
    t.match(ours.out + ours.err, wanted, name)
    if (helm === null) continue
    const theirs = helmSays(...args)
    t.equal(ours.out, theirs.out, `${name}: prints the same`)
    t.equal(ours.status, theirs.status, `${name}: ends the same`)
    t.ok(ours.err.startsWith(theirs.err.trimEnd()), `${name}: says the same:\n${theirs.err}\n${ours.err}`)
  }
})

t.test('flags that cannot be honoured are refused with why', async t => {
  const rows: readonly (readonly [RegExp, ...string[]])[] = [
    [/^Error: --validate: slipway render asks no cluster\. A controller proves/, '--validate'],
    [/^Error: --dry-run=server: slipway render asks no cluster/, '--dry-run=server'],
    [/^Error: --enable-dns: templates reach no network/, '--enable-dns'],
    [/^Error: --post-renderer: slipway render runs no programs: pipe/, '--post-renderer', 'cat'],
    [/^Error: --verify: signatures \(\.prov\) are not looked at/, '--verify'],
    [/^Error: --cert-file: client certificates/, '--cert-file', 'a.pem'],
    [/^Error: --key-file: client certificates/, '--key-file', 'a.pem'],
    [/^Error: --insecure-skip-tls-verify: what anyone on the way/, '--insecure-skip-tls-verify'],
  ]
  for (const [message, ...flags] of rows) {
    const { status, out, err } = await slipway('rel', 'here', ...flags)
    t.match({ status, out, err }, { status: 1, out: '', err: message }, flags.join(' '))
  }
})

t.test('every flag that helm template has is known', { skip: helm === null && 'no helm on PATH' }, async t => {
  const { out } = helmSays('--help')
  const ours = [...out.matchAll(/^ {2,6}(?:-\w, )? *--([a-z-]+)( string| stringArray| strings| int| float32| duration|\S*)?/gm)]
  const known = ours.map(([, flag = '']) => flag).filter(flag => flag !== 'help')
  t.ok(known.length > 60, `${known.length} flags`)
  for (const flag of known) {
    const { err } = await slipway('./nowhere', `--${flag}`)
    t.notMatch(err, /unknown option/, flag)
  }
})

t.test('what Helm warns of is said in its words, also where it fails then', async t => {
  const folder = write('warns', {
    'Chart.yaml':
      'apiVersion: v2\nname: warns\nversion: 1.0.0\ndependencies:\n- {name: sub, version: 1.0.0, condition: sub.enabled, tags: [t], import-values: [exp, {child: c, parent: p}]}\n',
    'values.yaml':
      'table: {a: 1, b: [x]}\nscalar: 1\ndeep: {table: {a: 1}, scalar: 2}\nnone: null\nsub: {enabled: maybe, table: 1, scalar: {a: 1}}\nglobal: {g: {a: 1}, h: 1}\n',
    'templates/a.yaml': 'kind: A\n{{ if .Values.fails }}{{ fail "so" }}{{ end }}',
    'charts/sub/Chart.yaml': 'apiVersion: v2\nname: sub\nversion: 1.0.0\n',
    'charts/sub/values.yaml': 'table: {a: 1}\nscalar: 1\nglobal: {g: 1, h: {a: 1}}\n',
    'charts/sub/templates/a.yaml': 'kind: B\n',
    'requirements.yaml': '{}\n',
    'requirements.lock': 'dependencies: []\n',
  })
  const given = ['--set', 'table=1,scalar.a=1,deep.table=1,deep.scalar.b=1,tags.t=x']
  const ours = await slipway('rel', folder, ...given)
  const lines = (text: string) => [...new Set(text.split('\n').filter(line => line !== ''))].sort()
  t.ok(lines(ours.err).includes("Warning: Condition path 'sub.enabled' for chart sub returned non-bool value"), ours.err)
  for (const words of [
    'warning: skipped value for warns.scalar: Not a table.',
    'warning: cannot overwrite table with non table for warns.deep.table (map[a:1])',
    'warning: destination for warns.deep.scalar is a table. Ignoring non-table value (2)',
    "Warning: Tag 't' for chart sub returned non-bool value",
  ])
    t.ok(lines(ours.err).includes(words), words)
  t.equal(lines(ours.err).length, ours.err.split('\n').length - 1, 'each is said once')
  const failed = await slipway('rel', folder, ...given, '--set', 'fails=true')
  t.match(failed.err, /warning: skipped value for warns\.scalar.*Error: execution error/s)
  t.equal(failed.status, 1)
  if (helm !== null) {
    const theirs = helmSays('rel', folder, ...given)
    t.equal(ours.out, theirs.out)
    t.same(lines(ours.err), lines(theirs.err))
  }
})

t.test('--output-dir writes the files that Helm writes', async t => {
  const files = (folder: string): Record<string, string> =>
    Object.fromEntries(
      readdirSync(join(base, folder), { recursive: true })
        .map(String)
        .filter(name => statSync(join(base, folder, name)).isFile())
        .sort()
        .map(name => [name, readFileSync(join(base, folder, name), 'utf8')]),
    )
  const rows = [[], ['--release-name'], ['--include-crds', '--release-name'], ['--no-hooks'], ['--skip-tests', '--include-crds']]
  for (const [at, flags] of rows.entries()) {
    const ours = await slipway('rel', 'here', '--output-dir', `ours-${at}`, ...flags)
    t.equal(ours.status, 0, ours.err)
    const written = files(`ours-${at}`)
    const under = flags.includes('--release-name') ? 'rel/' : ''
    t.match(
      written[`${under}here/templates/web.yaml`],
      /^---\n# Source: here\/templates\/web\.yaml\n.*name: rel-service.*\n---\n/s,
    )
    t.match(ours.out, `wrote ours-${at}/${under}here/templates/web.yaml\n`)
    await slipway('rel', 'here', '--output-dir', `ours-${at}`, ...flags)
    t.same(files(`ours-${at}`), written, 'again: the same')
    if (helm === null) continue
    const theirs = helmSays('rel', 'here', '--output-dir', `theirs-${at}`, ...flags)
    t.same(written, files(`theirs-${at}`), flags.join(' '))
    t.equal(ours.out.replaceAll('ours-', 'theirs-'), theirs.out)
  }
})

t.test('a chart is found in a repository, at an address and by a name that helm repo add gave', async t => {
  const [index = Buffer.alloc(0), archive = Buffer.alloc(0)] = published
  const asked: string[] = []
  const answer = filesAnswer({ '/index.yaml': index, '/greeter-1.10.0.tgz': archive, '/values.yaml': Buffer.from('a: b\n') })
  const server = await startWebServer((request, response) => {
    asked.push(`${request.url} ${request.authorization ?? ''}`)
    return answer(request, response)
  })
  t.teardown(() => server.stop())
  write('.', { 'repositories.yaml': `repositories: [{ name: team, url: "${server.url}" }]\n` })
  const ran = (...args: readonly string[]) => slipway('rel', ...args)
  const config = ['--repository-config', join(base, 'repositories.yaml')]

  for (const args of [
    ['greeter', '--repo', server.url],
    ['greeter', '--repo', server.url, '--version', '^1'],
    ['team/greeter', ...config],
    ['team/greeter', ...config, '--version', '1.10.0', '-f', `${server.url}/values.yaml`],
    [`${server.url}/greeter-1.10.0.tgz`],
  ])
    t.match(await ran(...args), { status: 0, err: '', out: /name: "?rel-greeter/ }, args.join(' '))

  asked.length = 0
  await ran('greeter', '--repo', server.url, '--version', '~1', '--username', 'bob', '--password', 'pw')
  t.match(asked[0], '/index.yaml Basic Ym9iOnB3')
  t.match(await ran('greeter', '--repo', server.url, '--version', '9'), {
    status: 1,
    err: /^Error: chart greeter 9 of .*no such version/,
  })
  t.match(await ran('nobody', '--repo', server.url), { status: 1, err: /^Error: chart nobody .*no chart of that name/ })
  t.match(await ran('team/greeter', ...config, '-f', `${server.url}/none.yaml`), {
    status: 1,
    err: /^Error: failed to fetch .*none\.yaml : 404/,
  })
  const nowhere = ['greeter', '--repo', 'http://127.0.0.1:1']
  Object.assign(env, { HTTPS_PROXY: 'http://proxy:3128' })
  t.match((await ran(...nowhere)).err, /^Error: .*\(HTTPS_PROXY is set, and no proxy is used for charts\)\n$/)
  Object.assign(env, { HTTPS_PROXY: '' })
  t.match(await ran(`${server.url}/none-1.0.0.tgz`), { status: 1, err: /^Error: .*404/ })
})

t.test('a folder is walked as Helm walks it', async t => {
  const chart = {
    'Chart.yaml': 'apiVersion: v2\nname: links\nversion: 1.0.0\n',
    'templates/a.yaml': 'kind: A\nf: {{ .Files.Get "f.txt" }}\n',
  }
  const made = (name: string, more: Readonly<Record<string, string>> = {}) => write(name, { ...chart, ...more })
  const link = (folder: string, name: string, to: string) => symlinkSync(to, join(base, folder, name))
  write('outside', { 'f.txt': 'linked' })
  link(made('links'), 'f.txt', '../outside/f.txt')
  link(made('broken'), 'f.txt', 'nowhere')
  link(made('round'), 'loop', '.')
  link(made('ignored', { '.helmignore': 'loop\nbig\n' }), 'loop', '.')
  spawnSync('mkfifo', [join(base, made('pipe'), 'f.txt')])
  made('big', { 'f.txt': 'x'.repeat(5 * 1024 * 1024 + 1) })
  made('bad', { '.helmignore': 'a/**\n' })

  const rows: readonly (readonly [string, RegExp])[] = [
    [
      'links',
      /^found symbolic link in path: .*links\/f\.txt resolves to .*outside\/f\.txt\. Contents of linked file included and used\n$/,
    ],
    ['broken', /error evaluating symlink .*broken\/f\.txt: .*no such file or directory/],
    ['round', /round\/loop is a link to .*round, which it stands in/],
    ['pipe', /^Error: cannot load irregular file .*pipe\/f\.txt as it has file mode type bits set/],
    ['big', /^Error: chart file "f\.txt" is larger than the maximum file size 5242880/],
    ['bad', /^Error: double-star \(\*\*\) syntax is not supported/],
    ['ignored', /found symbolic link in path/],
  ]
  for (const [folder, words] of rows) {
    const ours = await slipway('rel', folder)
    t.match(ours.err, words, folder)
    if (helm === null || folder === 'round') continue
    const theirs = helmSays('rel', folder)
    t.equal(ours.status, theirs.status, folder)
    t.equal(ours.out, theirs.out, folder)
    t.equal(ours.err.replace(/lstat \S+: /, ''), theirs.err.replace(/lstat \S+: /, ''), folder)
  }
  t.match((await slipway('rel', 'links')).out, 'f: linked\n')
})

t.test('what a chart lacks is told in Helm’s words', async t => {
  const of = (more = '', apiVersion = 'v2') => `apiVersion: ${apiVersion}\nname: c\nversion: 1.0.0\n${more}`
  const needs = (fields = 'name: x, version: 1.0.0') => of(`dependencies:\n- {${fields}}\n`)
  const has = (name = 'x', version = '1.0.0') => ({
    [`charts/${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name}\nversion: ${version}\n`,
    [`charts/${name}/templates/b.yaml`]: 'kind: B\n',
  })
  const lacks = /dependency build` to fetch missing dependencies: found in Chart\.yaml, but missing in charts\/ directory: x$/m
  const rows: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
    ['nothing in charts/', { 'Chart.yaml': needs() }, lacks],
    ['an empty folder', { 'Chart.yaml': needs(), 'charts/x/.keep': '' }, /Chart\.yaml file is missing|missing in charts/],
    ['another chart', { 'Chart.yaml': needs(), ...has('z') }, lacks],
    ['another version', { 'Chart.yaml': needs('name: x, version: ^2'), ...has() }, /kind: B/],
    ['no version at all', { 'Chart.yaml': needs('name: x') }, lacks],
    ['under an alias', { 'Chart.yaml': needs('name: x, version: 1.0.0, alias: w') }, lacks],
    [
      'switched off',
      { 'Chart.yaml': needs('name: x, version: 1.0.0, condition: x.on'), 'values.yaml': 'x: {"on": false}\n' },
      lacks,
    ],
    ['that .helmignore leaves out', { 'Chart.yaml': needs(), ...has(), '.helmignore': 'charts/\n' }, lacks],
    ['that begins with _', { 'Chart.yaml': needs('name: _x, version: 1.0.0'), ...has('_x') }, /directory: _x$/m],
    [
      'of requirements.yaml',
      { 'Chart.yaml': of('', 'v1'), 'requirements.yaml': 'dependencies: [{name: x, version: 1.0.0}]\n' },
      lacks,
    ],
    [
      'of a subchart: nobody asks',
      { 'Chart.yaml': needs(), ...has(), 'charts/x/Chart.yaml': needs('name: y').replace('name: c', 'name: x') },
      /kind: B/,
    ],
    [
      'two of one name',
      { 'Chart.yaml': `${needs()}- {name: x, version: 1.0.0}\n` },
      /more than one dependency with name or alias "x"/,
    ],
    [
      'an alias with a blank',
      { 'Chart.yaml': needs('name: x, version: 1.0.0, alias: "a b"') },
      /disallowed characters in the alias/,
    ],
    ['nothing in the list', { 'Chart.yaml': of('dependencies: [null]\n') }, /dependencies must not contain empty or null nodes/],
    [
      'a map for a list',
      { 'Chart.yaml': of('dependencies: {x: 1}\n') },
      /cannot unmarshal object into Go struct field Metadata\.dependencies/,
    ],
    [
      'what is no archive',
      { 'Chart.yaml': needs(), 'charts/x-1.0.0.tgz': 'nothing' },
      /error unpacking subchart x-1\.0\.0\.tgz in c: unexpected EOF/,
    ],
    [
      'what is longer and no archive',
      { 'Chart.yaml': needs(), 'charts/x-1.0.0.tgz': 'nothing of it' },
      /in c: gzip: invalid header/,
    ],
    ['an empty archive', { 'Chart.yaml': needs(), 'charts/x-1.0.0.tgz': '' }, /in c: EOF/],
    [
      'values that are none',
      { 'Chart.yaml': needs(), ...has(), 'charts/x/values.yaml': 'a: b: c' },
      /subchart x in c: cannot load values\.yaml/,
    ],
    [
      'a number for its values',
      { 'Chart.yaml': needs(), ...has(), 'values.yaml': 'x: 5\n' },
      /type mismatch on x: %!t\(float64=5\)/,
    ],
    [
      'a list for its values',
      { 'Chart.yaml': needs(), ...has(), 'values.yaml': 'x: [a, 1, true]\n' },
      /type mismatch on x: \[%!t\(string=a\) %!t\(float64=1\) true\]/,
    ],
    ['a library', { 'Chart.yaml': of('type: library\n') }, /library charts are not installable/],
    ['no version of its own', { 'Chart.yaml': 'apiVersion: v2\nname: c\n' }, /chart\.metadata\.version is required/],
  ]
  for (const [at, [name, files, words]] of rows.entries()) {
    const folder = write(`lacks-${at}`, { 'templates/a.yaml': 'kind: A\n', ...files })
    const ours = await slipway('rel', folder)
    t.match(ours.out + ours.err, words, name)
    if (helm === null) continue
    const theirs = helmSays('rel', folder)
    t.same([ours.status, ours.out], [theirs.status, theirs.out], name)
    t.ok(ours.err.startsWith(theirs.err.trimEnd()), `${name}:\n${theirs.err}\n${ours.err}`)
  }
  for (const file of [
    `lacks-0/Chart.yaml`,
    write('.', { 'none.tgz': 'nothing' }) && 'none.tgz',
    write('.', { 'long.tgz': 'text '.repeat(200) }) && 'long.tgz',
  ]) {
    const ours = await slipway('rel', file)
    t.match(
      ours.err,
      /^Error: file '.*' (?:seems to be a YAML file, but expected a gzipped archive|does not appear to be a gzipped archive; got ')/,
    )
    if (helm !== null) t.equal(ours.err, helmSays('rel', file).err.replace(/\n*$/, '\n'))
  }
})
