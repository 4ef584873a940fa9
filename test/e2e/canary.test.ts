// A canary in every slot that is secret, then every endpoint, log, event, metric, error, bucket and file is searched for them. Apart
// stand, by design: the keys directory, `slipway backup` (it holds what the keys hold), what the user wrote into config.yaml, and the
// one answer that shows a new token or login link.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { application, type TestApplication } from '../support/applications.js'
import { busyboxArchive } from '../support/archive.js'
import { canaries, filesUnder } from '../support/canaries.js'
import { crawl } from '../support/crawl.js'
import { workingCopy } from '../support/git-server.js'
import { processesOf, waitUntil } from '../support/machine.js'
import { messagesIn } from '../support/nats-look.js'
import { registryPassword, startRegistry } from '../support/registry.js'
import { startSlipway, webhookSecret } from '../support/slipway.js'
import { deployment, documents, loadWebImage, removeImages, service } from '../support/web.js'

t.setTimeout(300_000)
const birds = canaries()
const secret = birds.of
const outside = mkdtempSync(join(tmpdir(), 'slipway-canary-'))
t.teardown(() => rmSync(outside, { recursive: true, force: true }))
const passwordFile = join(outside, 'git-password')
writeFileSync(passwordFile, `${secret('Git password of a file')}\n`)

const slipway = await startSlipway(t, {
  accounts: [
    { username: 'filed', password: secret('Git password of a file'), mayPush: true },
    { username: 'named', password: secret('Git password in a URL'), mayPush: true },
  ],
  config: {
    repositories: [{ url: 'http://127.0.0.1', username: 'filed', passwordFile }],
    pollInterval: '2s',
    logLevel: 'trace',
  },
  env: { SLIPWAY_LOG_LEVEL: 'trace' },
})
const { image } = await loadWebImage(slipway)
const rollout = { bakeTime: '300ms', healthTimeout: '8s', restartsAllowed: 1 }

function withPassword(url: string, username: string, password: string): string {
  return url.replace('://', `://${username}:${password}@`)
}

/** Pushed to with the filed account; read with what `repoURL` says, or that of the configuration. */
async function applicationOf(name: string, source = {}, access = (url: string) => url, more = {}): Promise<TestApplication> {
  const repoURL = await slipway.git.create(name)
  const copy = await workingCopy(
    join(slipway.work, 'copies', name),
    withPassword(repoURL, 'filed', secret('Git password of a file')),
  )
  const of = { repoURL, copy } as TestApplication
  return application(slipway, name, { of, repoURL: access(repoURL), source, rollout: { ...rollout, ...more } })
}

// -- what is heard: the stream from the beginning, everything else after each chapter --

const token = (await slipway.client.call('POST', '/api/v1/tokens', { name: 'canary', role: 'admin' })) as { token: string }
secret('API token', token.token)
const link = (await slipway.client.call('POST', '/api/v1/login-links', {})) as { url: string }
secret('login link', new URL(link.url).searchParams.values().next().value ?? link.url.split(/[/=#]/).at(-1) ?? '')
secret('webhook secret', webhookSecret)

const listening = new AbortController()
t.teardown(() => listening.abort())
let stream = ''
void listen().catch(() => undefined)

async function listen(): Promise<void> {
  const answer = await fetch(`${slipway.client.server}/api/v1/stream`, {
    headers: { authorization: `Bearer ${token.token}` },
    signal: listening.signal,
  })
  for await (const chunk of answer.body ?? []) stream += Buffer.from(chunk as Uint8Array).toString('utf8')
}

const wrongBodies = [
  '{}',
  `{"password": "${secret('body of a request')}`,
  JSON.stringify({ release: { password: secret('body of a request') }, revision: [secret('body of a request')] }),
  JSON.stringify({
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'wrong' },
    spec: {
      source: { repoURL: `ftp://u:${secret('password of a refused URL')}@example.com/x.git`, path: 7 },
      destination: { name: slipway.node },
    },
  }),
]

async function apiFinds(name: string): Promise<readonly string[]> {
  const answers = await crawl(slipway.client, token.token, [name], wrongBodies)
  if (answers.length < 60) throw new Error(`only ${answers.length} answers were looked at`)
  const told = answers.flatMap(({ asked, text }) => birds.foundIn(asked, text))
  return [...told, ...birds.foundIn('the stream', stream)]
}

const people = ['apps', 'nodes', 'events', 'check', 'config view', 'sync nope']
const ofApplications = [
  'status',
  'why',
  'diff',
  'history',
  'events',
  'get',
  'render',
  'logs',
  'why -o json',
  'get -o json',
  'history -o json',
]

async function cliFinds(name: string): Promise<readonly string[]> {
  const lines = [...people, ...ofApplications.map(verb => verb.replace(/^\w+/, `$& ${name}`))]
  const found: string[] = []
  for (const line of lines) {
    const { out, err } = await slipway.cli(...line.split(' '))
    found.push(...birds.foundIn(`slipway ${line}`, out + err))
  }
  return found
}

/** Logs among them. Keys lie in `keys`, tokens with them; config.yaml is the user's own. */
const apart = /^keys\/|^runtime\/keys\/|^config\.yaml$/

async function restFinds(): Promise<readonly string[]> {
  const files = filesUnder(slipway.state, apart)
  const messages = await messagesIn(slipway.state)
  if (!files.some(({ path }) => path === 'log/controller.log') || messages.length < 10)
    throw new Error('too little was looked at')
  return [
    ...files.flatMap(({ path, content }) => birds.foundIn(path, content)),
    ...messages.flatMap(({ stream: name, subject, data }) => birds.foundIn(`${name} ${subject}`, data)),
    ...processesOf(slipway.state).flatMap(({ pid, line }) => birds.foundIn(`command line of ${pid}`, line)),
  ]
}

async function findings(name: string): Promise<readonly string[]> {
  return [...(await apiFinds(name)), ...(await cliFinds(name)), ...(await restFinds())]
}

// -- the slots --

const base64 = (text: string) => Buffer.from(text).toString('base64')
const indented = (text: string) =>
  text
    .split('\n')
    .map(line => `    ${line}`)
    .join('\n')
const key = `-----BEGIN KEY-----\n${secret('first line of a key')}\n${secret('second line')}=="/\\ü\n-----END KEY-----`

const secretTemplate = `apiVersion: v1
kind: Secret
metadata: { name: vault }
data:
  DATA: ${base64(secret('Secret data'))}
stringData:
  LITERAL: ${secret('Secret stringData')}
  PASSWORD: {{quote Values.password}}
  TOKEN: {{quote Values.token}}
  INLINE: {{quote Values.inline}}
  QUOTED: 'say "${secret('quoted value')}" \\ twice'
  KEY: |
${indented(key)}
`

/** Prints all that it knows, plain and base64, then serves or ends. */
const chatty = `env; cat /secrets/*; for v in "$PASSWORD" "$TOKEN" "$LITERAL" "$DATA"; do printf %s "$v" | base64; echo "url: http://u:$v@h/"; done
printf %s "$URL" >&2
[ "$BEHAVIOUR" = crash ] && { echo "cannot log in with $PASSWORD"; exit 1; }
exec /bin/sh /app/server.sh`

function vaultWorkload(behaviour: string, probes = {}): string {
  const container = {
    command: ['/bin/sh', '-c', chatty],
    env: [
      { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'vault', key: 'PASSWORD' } } },
      { name: 'URL', value: 'postgres://u:$(PASSWORD)@db/vault' },
      { name: 'BEHAVIOUR', value: behaviour },
    ],
    envFrom: [{ secretRef: { name: 'vault' } }],
    volumeMounts: [{ name: 'secrets', mountPath: '/secrets' }],
    ...probes,
  }
  const pod = { volumes: [{ name: 'secrets', secret: { secretName: 'vault' } }] }
  return documents([deployment({ image, name: 'vault', replicas: 1, container, pod }), service({ name: 'vault' })])
}

function chart(behaviour: string): Record<string, string> {
  return {
    'Chart.yaml': 'apiVersion: v2\nname: vault\nversion: 0.1.0\n',
    'values.yaml': `password: ${secret('value of values.yaml')}\n`,
    'secret-values.yaml': `token: ${secret('value of a value file')}\n`,
    'templates/secret.hbs': secretTemplate,
    'templates/web.yaml.hbs': vaultWorkload(behaviour),
  }
}

const helm = {
  valueFiles: ['secret-values.yaml'],
  parameters: [{ name: 'inline', value: secret('parameter of the Application') }],
}
const vault = await applicationOf('vault', { helm }, undefined, { writeBack: 'revertCommit' })

await t.test('Secrets, values and credentials of a release that runs and prints them all', async t => {
  const commit = await vault.push(chart('serve'), 'Open the vault')
  await vault.declare()
  await vault.settled(commit, 'Healthy')
  const { out } = await slipway.cli('logs', 'vault')

  t.match(out, /PASSWORD=\*\*\*/, 'what it prints is there, masked')
  t.same(await findings('vault'), [])
})

await t.test('a release that prints its Secrets and crashes: verdict, evidence and the revert in Git', async t => {
  const pushed = await vault.push(chart('crash'), 'Log in')
  await waitUntil('it is judged', 60_000, async () => (await vault.history()).some(({ outcome }) => outcome === 'RolledBack'))
  await vault.until('reverted in Git', view => view.candidate !== null && view.candidate.commit !== pushed)
  const judged = (await vault.history()).find(attempt => attempt.outcome === 'RolledBack')
  await vault.copy.git('fetch', '--quiet', 'origin')
  const commits = await vault.copy.git('log', '--format=%B', 'origin/main')

  t.match(judged?.verdict?.log.join('\n'), /cannot log in with \*\*\*/)
  t.match(commits, /This reverts commit/)
  t.same(birds.foundIn('the messages of the commits', commits), [])
  t.same(await findings('vault'), [])
})

await t.test('probes, hooks and commands that quote Secrets in their errors; a password in the URL', async t => {
  const sick = await applicationOf('sick', {}, url => withPassword(url, 'named', secret('Git password in a URL')))
  const exec = (command: string) => ({ exec: { command: ['/bin/sh', '-c', command] } })
  const quoting = (name: string, container: Record<string, unknown>) =>
    deployment({
      image,
      name,
      replicas: 1,
      probes: {},
      container: { env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'sick', key: 'PASSWORD' } } }], ...container },
    })
  const stringData = { PASSWORD: secret('quoted by programs') }
  const commit = await sick.push({
    'all.yaml': documents([
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'sick' }, stringData },
      quoting('probed', { livenessProbe: { ...exec('echo "no: $PASSWORD"; exit 1'), periodSeconds: 1, failureThreshold: 1 } }),
      quoting('unready', { readinessProbe: { ...exec('echo "no: $PASSWORD"; exit 1'), periodSeconds: 1 } }),
      quoting('hooked', { lifecycle: { postStart: exec('echo "no: $PASSWORD"; exit 1') } }),
      quoting('unrunnable', { command: ['$(PASSWORD)'] }),
    ]),
  })
  await sick.declare()
  await sick.settled(commit, 'Failed')

  t.same(await findings('sick'), [])
})

await t.test('wrong credentials, in a URL and for images', async t => {
  const wrong = await applicationOf('wrong', {}, url => withPassword(url, 'named', secret('wrong Git password')))
  await wrong.push({ 'all.yaml': documents([service({ name: 'wrong' })]) })
  await wrong.declare()
  await wrong.until('stale or held', view => view.stale !== null || view.state === 'Held' || view.message !== '', 30_000)

  t.same(await findings('wrong'), [])
})

const metadata = { name: 'broken' }
const brokenFiles: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a template error beside a literal': {
    'templates/secret.hbs': `apiVersion: v1\nkind: Secret\nmetadata: { name: broken }\nstringData:\n  A: ${secret('beside an error')}\n  B: {{nope Values.password}}\n`,
  },
  'what a template makes is no YAML': {
    'templates/secret.hbs': `apiVersion: v1\nkind: Secret\nmetadata: { name: broken }\nstringData:\n  A: {{Values.password}}\n  B: "{{Values.password}}\n`,
  },
  'a function refuses the value': {
    'templates/secret.hbs': `apiVersion: v1\nkind: Secret\nmetadata: { name: broken }\nstringData:\n  A: {{toJson (fromJson Values.password)}}\n`,
  },
  'another function refuses it': {
    'templates/secret.hbs': `apiVersion: v1\nkind: Secret\nmetadata: { name: broken }\nstringData:\n  A: {{semver Values.password}}\n  B: {{add Values.password 1}}\n`,
  },
  'data that is no base64': {
    'templates/secret.hbs': JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata,
      data: { A: `%${secret('no base64')}%` },
    }),
  },
  'stringData that is no text': {
    'templates/secret.hbs': JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata,
      stringData: { A: [secret('in a list')] },
    }),
  },
  'values that are no YAML': {
    'values.yaml': `password: ${secret('in broken values')}\n  nested: [${secret('in broken values')}\n`,
  },
  'a Secret of the wrong type': {
    'templates/secret.hbs': JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata,
      type: 'kubernetes.io/dockerconfigjson',
      stringData: { '.dockerconfigjson': `{"auths": ${secret('broken registry credentials')}` },
    }),
  },
}

await t.test('errors of templates, values and manifests of Secrets', async t => {
  const broken = await applicationOf('broken')
  const good = {
    'Chart.yaml': 'apiVersion: v2\nname: broken\nversion: 0.1.0\n',
    'values.yaml': `password: ${secret('value beside errors')}\n`,
    'templates/secret.hbs': `apiVersion: v1\nkind: Secret\nmetadata: { name: broken }\nstringData:\n  A: {{quote Values.password}}\n`,
  }
  const first = await broken.push(good)
  await broken.declare()
  await broken.settled(first, 'Healthy')

  for (const [what, files] of Object.entries(brokenFiles)) {
    const commit = await broken.push({ ...good, ...files }, what)
    await broken.until(what, view => view.candidate?.commit === commit && view.state !== 'Releasing', 30_000)
    t.same(await apiFinds('broken'), [], what)
  }
  t.same([...(await cliFinds('broken')), ...(await restFinds())], [])
})

await t.test('registry credentials, right and wrong', async t => {
  const registry = await startRegistry(slipway.work)
  if (registry === null)
    return t.pass('not shown', { skip: 'docker-registry or skopeo is not installed: apt-get install docker-registry skopeo' })
  t.teardown(() => registry.stop())
  secret('registry password', registryPassword)
  secret('registry login', base64(`${registry.username}:${registryPassword}`))
  const { archive } = busyboxArchive({ tag: 'app:1', entrypoint: ['/bin/sh', '-c', 'trap exit TERM; sleep 1000 & wait'] })
  const pulled = await registry.push('private/app:1', archive)
  const app = await applicationOf('private')
  const files = (password: string, name: string) => {
    const auth = base64(`${registry.username}:${password}`)
    const config = { auths: { [registry.host]: { username: registry.username, password, auth } } }
    const stringData = { '.dockerconfigjson': JSON.stringify(config) }
    return documents([
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'pull' }, type: 'kubernetes.io/dockerconfigjson', stringData },
      deployment({
        image: pulled.replace('app:1', name),
        name: 'app',
        replicas: 1,
        probes: {},
        pod: { imagePullSecrets: [{ name: 'pull' }] },
      }),
    ])
  }
  const right = await app.push({ 'all.yaml': files(registryPassword, 'app:1') })
  await app.declare()
  await app.settled(right, 'Healthy')
  t.same(await findings('private'), [])

  const wrong = await app.push({ 'all.yaml': files(secret('wrong registry password'), 'app:2') })
  await app.settled(wrong, 'Held')
  t.same(await findings('private'), [])
  await slipway.docker.images.remove(pulled).catch(() => undefined)
})

await removeImages(slipway, '1')
