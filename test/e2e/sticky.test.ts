// A chart that makes passwords and certificates, as charts do: the same ones at every commit, also after everything but the node was lost;
// made anew on a person's word; and taken over with what runs.
import { X509Certificate } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { application, type TestApplication } from '../support/applications.js'
import { canaries, filesUnder } from '../support/canaries.js'
import { waitUntil } from '../support/machine.js'
import { messagesIn } from '../support/nats-look.js'
import { lives, startSlipway } from '../support/slipway.js'
import { loadWebImage, removeImages } from '../support/web.js'

t.setTimeout(300_000)
const slipway = await startSlipway(t, { config: { logLevel: 'trace' }, env: { SLIPWAY_LOG_LEVEL: 'trace' } })
const { image } = await loadWebImage(slipway)

const guarded = `{{- $known := lookup "v1" "Secret" .Release.Namespace "guarded" -}}
apiVersion: v1
kind: Secret
metadata: { name: guarded }
data:
  password: {{ if $known }}{{ index $known.data "password" }}{{ else }}{{ randAlphaNum 24 | b64enc }}{{ end }}
`
const secret = `{{- $ca := genCA "shop-ca" 365 }}
{{- $web := genSignedCert "web" nil (list "web.shop.svc") 365 $ca }}
apiVersion: v1
kind: Secret
metadata: { name: made }
data:
  password: {{ randAlphaNum 24 | b64enc }}
  session: {{ randAlphaNum 32 | b64enc }}
  tls.crt: {{ $web.Cert | b64enc }}
  tls.key: {{ $web.Key | b64enc }}
  ca.crt: {{ $ca.Cert | b64enc }}
  ca.key: {{ $ca.Key | b64enc }}
{{- range .Values.users }}
  user-{{ .name }}: {{ randAlphaNum 16 | b64enc }}
{{- end }}
`
const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata:
      labels: { app: web }
      annotations:
        checksum/made: {{ include (print $.Template.BasePath "/made.yaml") . | sha256sum }}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: {{ .Values.image }}
          imagePullPolicy: IfNotPresent
          env:
            - { name: MESSAGE, value: {{ .Values.message | quote }} }
            - { name: GUARDED, valueFrom: { secretKeyRef: { name: guarded, key: password } } }
          envFrom: [{ secretRef: { name: made } }]
          ports: [{ name: http, containerPort: 8080 }]
          readinessProbe: { httpGet: { path: /ready, port: 8080 }, periodSeconds: 2 }
`

const values = (message: string, ...users: readonly string[]) =>
  JSON.stringify({ image, message, users: users.map(name => ({ name })) })
const chart = (message: string, ...users: readonly string[]) => ({
  'Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
  'values.yaml': values(message, ...users),
  'templates/guarded.yaml': guarded,
  'templates/made.yaml': secret,
  'templates/web.yaml': deployment,
})

/** What the container that runs was given. */
async function given(name: string): Promise<Readonly<Record<string, string>>> {
  const [web] = await slipway.containers(name)
  const { Config } = await slipway.docker.containers.inspect(web?.id ?? '')
  const env = (Config as unknown as { readonly Env: readonly string[] }).Env.map(line => /^([^=]*)=(.*)$/s.exec(line))
  return Object.fromEntries(env.map(line => [line?.[1] ?? '', line?.[2] ?? '']))
}

const secretNames = ['password', 'session', 'tls.crt', 'tls.key', 'ca.crt', 'ca.key', 'GUARDED', 'user-ann', 'user-bob']
const secretsIn = (env: Readonly<Record<string, string>>) =>
  Object.fromEntries(secretNames.flatMap(name => (env[name] === undefined ? [] : [[name, env[name]]])))

const shop = await application(slipway, 'shop')
const releaseOf = (view: Awaited<ReturnType<TestApplication['view']>>) => view.release?.id
let first: Readonly<Record<string, string>> = {}
let firstRelease: string | undefined
let firstCommit = ''

await t.test('what a chart makes stays, whatever else a commit changes, and a loop that gains an item swaps nothing', async t => {
  firstCommit = await shop.push(chart('one', 'bob'))
  await shop.declare()
  firstRelease = releaseOf(await shop.settled(firstCommit, 'Healthy'))
  first = await given('shop')
  const second = await shop.push({ 'values.yaml': values('two', 'bob') })
  await shop.settled(second, 'Healthy')
  const unrelated = await given('shop')
  const third = await shop.push({ 'values.yaml': values('two', 'ann', 'bob') })
  await shop.settled(third, 'Healthy')
  const longer = await given('shop')

  t.match(first, { MESSAGE: 'one', password: /^\w{24}$/, GUARDED: /^\w{24}$/, 'user-bob': /^\w{16}$/ })
  t.ok(new X509Certificate(first['tls.crt'] ?? '').checkIssued(new X509Certificate(first['ca.crt'] ?? '')))
  t.equal(unrelated.MESSAGE, 'two')
  t.same(secretsIn(unrelated), secretsIn(first))
  t.match(longer['user-ann'], /^\w{16}$/)
  t.same(secretsIn({ ...longer, 'user-ann': '' }), secretsIn({ ...first, 'user-ann': '' }))
})

await t.test('git revert comes back to the release that was: nothing is made anew', async t => {
  await shop.copy.git('revert', '--no-edit', '--no-commit', 'HEAD', 'HEAD~1')
  await shop.copy.git('commit', '--quiet', '-m', 'Revert both')
  const view = await shop.settled(await shop.publish(), 'Healthy')

  t.equal(releaseOf(view), firstRelease)
  t.same(await given('shop'), first)
})

await t.test('NATS wiped and the controller killed: the same commit is the same release, and nothing restarts', async t => {
  const running = await lives(slipway, 'shop')
  const tip = await shop.copy.git('rev-parse', 'HEAD')

  slipway.signal('nats', 'SIGSTOP')
  rmSync(join(slipway.state, 'nats', 'store'), { recursive: true, force: true })
  await slipway.crash('nats', 'controller')
  await waitUntil('it is known again', 60_000, async () => (await slipway.client.application('shop').catch(() => null)) !== null)
  const view = await shop.settled(tip, 'Healthy')

  t.equal(releaseOf(view), firstRelease)
  t.same(await lives(slipway, 'shop'), running)
  const next = await shop.push({ 'values.yaml': values('three', 'bob') })
  await shop.settled(next, 'Healthy')
  t.same(secretsIn(await given('shop')), secretsIn(first))
})

await t.test('what is rotated is made anew and rolled out, the rest stays, and history says who asked', async t => {
  const before = await given('shop')
  const listed = await slipway.cli('rotate', 'shop')
  const { code, err } = await slipway.cli('rotate', 'shop', 'Secret/made:password', '--wait')
  const after = await given('shop')
  const [attempt] = await shop.history()
  const events = await slipway.client.events('shop')

  t.match(listed.out, /randAlphaNum .* Secret shop\/made data\.password/)
  t.match(listed.out, /genSignedCert .* 20\d\d-\d\d-\d\d .* Secret shop\/made data\.tls\.crt/)
  t.equal(code, 0, err)
  t.match(after.password, /^\w{24}$/)
  t.not(after.password, before.password)
  t.same(secretsIn({ ...after, password: '' }), secretsIn({ ...before, password: '' }))
  t.match(attempt, { cause: 'sync', outcome: 'Healthy' })
  t.not(attempt?.by, 'git')
  t.match(
    events.find(({ what }) => what === 'rotated')?.message,
    /^rotation asked for: [0-9a-f]{8} \(Secret shop\/made data\.password\)$/,
  )
  const same = await shop.push({ 'values.yaml': values('four', 'bob') })
  await shop.settled(same, 'Healthy')
  t.same(secretsIn(await given('shop')), secretsIn(after))
})

await t.test('a chart of its own for each application: another one of the same chart makes its own', async t => {
  const other = await application(slipway, 'other')
  const commit = await other.push(chart('one', 'bob'))
  await other.declare()
  await other.settled(commit, 'Healthy')
  const theirs = await given('other')

  for (const name of secretNames) if (name !== 'user-ann') t.not(theirs[name], first[name], name)
})

await t.test(
  "what another application says is looked up as it is, and a change of it releases, without a commit of one's own",
  async t => {
    const map = (name: string, data: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: { colour: ${data} }\n`
    const [painter, reader] = [await application(slipway, 'painter'), await application(slipway, 'reader')]
    const looked = '{{ (lookup "v1" "ConfigMap" "painter" "paint").data.colour }}'
    const commit = await reader.push({
      'Chart.yaml': 'apiVersion: v2\nname: reader\nversion: 1.0.0\n',
      'templates/a.yaml': map('seen', looked),
    })
    await reader.declare()
    const held = await reader.settled(commit, 'Held')
    const red = await painter.push({ 'paint.yaml': map('paint', 'red') })
    await painter.declare()
    await painter.settled(red, 'Healthy')
    const first = await reader.settled(commit, 'Healthy')
    const blue = await painter.push({ 'paint.yaml': map('paint', 'blue') })
    await painter.settled(blue, 'Healthy')
    const second = await reader.until('another release', view => view.state === 'Healthy' && releaseOf(view) !== releaseOf(first))
    const live = (await slipway.cli('render', 'reader', '--release', 'live')).out

    t.match(held.message, /templates\/a\.yaml:4.*nil pointer/)
    t.equal(second.candidate?.commit, commit)
    t.match(live, /colour: blue/)
  },
)

await t.test('what was let go is taken over with its passwords and certificates', async t => {
  const before = await given('shop')
  const tip = await shop.copy.git('rev-parse', 'HEAD')
  const gone = await slipway.cli('delete', 'shop', '--yes')
  await waitUntil('it is let go', 60_000, async () => (await slipway.client.application('shop')) === null)
  await shop.declare()
  const view = await shop.settled(tip, 'Healthy')

  t.equal(gone.code, 0, gone.err)
  t.equal(view.state, 'Healthy')
  t.same(secretsIn(await given('shop')), secretsIn(before))
})

await t.test(
  'a password of data that is kept stays, though all of the application was ended; without data it is a new one',
  async t => {
    const claim =
      'apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: db }\nspec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }\n'
    const reborn = async (name: string, files: Readonly<Record<string, string>>) => {
      const app = await application(slipway, name)
      const commit = await app.push({ ...chart('one', 'bob'), ...files })
      await app.declare()
      await app.settled(commit, 'Healthy')
      const before = await given(name)
      const gone = await slipway.cli('delete', name, '--cascade', '--yes')
      await waitUntil('it is gone', 60_000, async () => (await slipway.client.application(name)) === null)
      await app.declare()
      await app.settled(commit, 'Healthy')
      t.equal(gone.code, 0, gone.err)
      return { before, after: await given(name) }
    }
    const kept = await reborn('db', { 'templates/db.yaml': claim })
    const free = await reborn('free', {})

    t.same(secretsIn(kept.after), secretsIn(kept.before))
    for (const name of secretNames) if (name !== 'user-ann') t.not(free.after[name], free.before[name], name)
  },
)

await t.test('a look at what would change makes nothing', async t => {
  const kept = await slipway.cli('rotate', 'shop', '-o', 'json')
  const { code } = await slipway.cli('diff', 'shop')
  const shown = await slipway.cli('render', 'shop')

  t.ok([0, 1].includes(code))
  t.equal((await slipway.cli('rotate', 'shop', '-o', 'json')).out, kept.out)
  t.notMatch(
    shown.out,
    new RegExp(
      Object.values(secretsIn(await given('shop')))
        .filter(value => !value.includes('\n'))
        .join('|'),
    ),
  )
})

await t.test('none of it lies anywhere in clear', async t => {
  const birds = canaries()
  for (const [when, env] of [
    ['first', first] as const,
    ['now', await given('shop')] as const,
    ['other', await given('other')] as const,
  ])
    for (const [name, value] of Object.entries(secretsIn(env)))
      if (!name.endsWith('.crt')) birds.of(`${when} ${name}`, value.includes('\n') ? value.split('\n')[2] : value)
  const answers = await Promise.all(
    ['', '/sticky', '/history', '/events', '/manifests', '/resource-tree', '/diff'].map(
      async path =>
        [`answer of ${path}`, JSON.stringify(await slipway.client.call('GET', `/api/v1/applications/shop${path}`))] as const,
    ),
  )
  const messages = (await messagesIn(slipway.state)).map(({ subject, data }) => [subject, data] as const)
  const files = filesUnder(slipway.state, /^keys/).map(({ path, content }) => [path, content] as const)

  t.ok(messages.length > 10 && files.length > 5)
  t.same(
    [...answers, ...messages, ...files].flatMap(([where, content]) => birds.foundIn(where, content)),
    [],
  )
})

await removeImages(slipway, '1')
