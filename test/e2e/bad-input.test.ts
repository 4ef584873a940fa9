// Bad input gets a clear answer and nothing is lost: each bad commit is held with the place or the object named, what runs is not
// touched, and the next good commit just works.
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { application, type TestApplication } from '../support/applications.js'
import { busyboxParts } from '../support/archive.js'
import { startImageServer } from '../support/image-server.js'
import { freeNodePort } from '../support/machine.js'
import { lives, startSlipway } from '../support/slipway.js'
import { deployment, documents, loadWebImage, removeImages, service, web, webImage } from '../support/web.js'

t.setTimeout(300_000)
const slipway = await startSlipway(t)
const { image } = await loadWebImage(slipway)
const registry = await startImageServer()
t.teardown(() => registry.close())
const good = { 'web.yaml': web({ image }) }
const shop = await application(slipway, 'shop')
const opened = await shop.push(good)
await shop.declare()
await shop.settled(opened, 'Healthy')

type Files = Readonly<Record<string, string | null>>

/** The bad commit is held with this said of it; the good content again is healthy, and nothing was touched in between. */
async function holds(t: Test, app: TestApplication, bad: Files, again: Files, said: RegExp): Promise<void> {
  const before = await lives(slipway, app.name)

  const held = await app.settled(await app.push(bad), 'Held')
  const during = await lives(slipway, app.name)
  const healthy = await app.settled(await app.push(again), 'Healthy')

  t.match(held.message, said)
  t.match(held.message, /[Nn]othing that runs was touched/)
  t.same(during, before, 'what runs was not touched')
  t.same(await lives(slipway, app.name), before, 'nor by the good commit, which says what runs')
  t.equal(healthy.health.status, 'Healthy')
}

const container = (fields: object) => ({ 'web.yaml': web({ image, container: fields as Record<string, unknown> }) })
const pod = (fields: object) => ({ 'web.yaml': web({ image, pod: fields as Record<string, unknown> }) })
const taken = await freeNodePort()

const cases: Readonly<Record<string, { readonly bad: Files; readonly said: RegExp }>> = {
  'broken YAML': { bad: { 'web.yaml': `${good['web.yaml']}\n---\nkind: [\n` }, said: /web\.yaml:\d+:\d+/ },
  'an unknown kind': {
    bad: { 'web.yaml': documents([deployment({ image }), { ...service({}), kind: 'Serveice' }]) },
    said: /Serveice/,
  },
  'an unknown field': {
    bad: { 'web.yaml': web({ image, deployment: { replcias: 3 } }) },
    said: /web\.yaml:\d+: Deployment shop\/web: .*replcias/,
  },
  'a container without an image': { bad: container({ image: '' }), said: /web\.yaml:\d+: Deployment shop\/web: .*image/ },
  'an image that nobody has': { bad: container({ image: '127.0.0.1:1/none:1' }), said: /127\.0\.0\.1:1\/none:1/ },
  'a name that is no image': { bad: container({ image: 'Not An Image' }), said: /Not An Image/ },
  'more memory than the machine has': {
    bad: container({ resources: { requests: { memory: '9000Gi' } } }),
    said: /Deployment shop\/web: .*memory/,
  },
  'a port that somebody else has': { bad: { 'web.yaml': web({ image, nodePort: taken }) }, said: new RegExp(`web.*${taken}`) },
  'more cpu than the machine has': {
    bad: container({ resources: { requests: { cpu: '9000' } } }),
    said: /Deployment shop\/web: .*cpu/,
  },
  'more pods than the node runs': {
    bad: { 'web.yaml': web({ image, replicas: 100_000 }) },
    said: /Deployment shop\/web: 100000 pods are more than/,
  },
  'a pod for another node': { bad: pod({ nodeName: 'elsewhere' }), said: /Deployment shop\/web: spec\.nodeName is elsewhere/ },
  'a tag that its registry does not have': {
    bad: container({ image: `${registry.host}/web:none`, imagePullPolicy: 'Always' }),
    said: /web\.yaml:\d+: Deployment shop\/web: pulling 127\.0\.0\.1:\d+\/web:none: manifest unknown/,
  },
  'an image that is larger than the disk': {
    bad: container({ image: registry.claim('web:huge', busyboxParts(webImage('', 'huge')), 9e15) }),
    said: /web\.yaml:\d+: Deployment shop\/web: image 127\.0\.0\.1:\d+\/web:huge is at least \d+ TiB to pull, and the node has .* of disk free/,
  },
  'a host port that somebody else has': {
    bad: { 'web.yaml': web({ image, replicas: 1, container: { ports: [{ containerPort: 8080, hostPort: taken }] } }) },
    said: new RegExp(`Deployment shop/web: host port ${taken} is in use on the node`),
  },
  'a privileged container': {
    bad: container({ securityContext: { privileged: true } }),
    said: /web\.yaml:\d+: Deployment shop\/web: .*privileged/,
  },
  'a path of the host': {
    bad: pod({ volumes: [{ name: 'etc', hostPath: { path: '/etc' } }] }),
    said: /web\.yaml:\d+: Deployment shop\/web: .*\/etc/,
  },
  'the network of the host': { bad: pod({ hostNetwork: true }), said: /web\.yaml:\d+: Deployment shop\/web: .*hostNetwork/ },
  'nothing at all': { bad: { 'web.yaml': null, 'README.md': 'Gone.\n' }, said: /renders to no objects/ },
}

const listener = createServer()
await new Promise<void>(resolve => listener.listen(taken, '0.0.0.0', resolve))
t.teardown(() => listener.close())

for (const [what, { bad, said }] of Object.entries(cases))
  await t.test(`${what} is held, and the next good commit just works`, t => holds(t, shop, bad, good, said))

await t.test('refused credentials of a registry are told without being shown, and right ones release', async t => {
  const account = { username: 'puller', password: 'let-me-pull-77' }
  const closed = await startImageServer(account)
  t.teardown(() => closed.close())
  const tagged = closed.put('web:closed', busyboxParts(webImage('', slipway.node)))
  const files = (password: string) => {
    const auths = { [closed.host]: { username: account.username, password } }
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'pull' },
      type: 'kubernetes.io/dockerconfigjson',
      stringData: { '.dockerconfigjson': JSON.stringify({ auths }) },
    }
    const workload = web({ image: tagged, message: 'closed', pod: { imagePullSecrets: [{ name: 'pull' }] } })
    return { 'web.yaml': workload, 'secret.yaml': documents([secret]) }
  }
  const before = await lives(slipway, 'shop')

  const without = await shop.settled(await shop.push({ 'web.yaml': files('')['web.yaml'] }), 'Held')
  const wrong = await shop.settled(await shop.push(files('wrong-password-77')), 'Held')
  const during = await lives(slipway, 'shop')
  const right = await shop.settled(await shop.push(files(account.password)), 'Healthy')

  t.match(without.message, /web\.yaml:\d+: Deployment shop\/web: pulling .*web:closed: .*(no basic auth|unauthorized)/)
  t.match(wrong.message, /pulling .*web:closed: .*unauthorized/)
  t.notMatch(JSON.stringify(wrong), /password-77|puller/)
  t.same(during, before)
  t.equal(right.health.status, 'Healthy')
  await shop.settled(await shop.push({ ...good, 'secret.yaml': null }), 'Healthy')
  await slipway.docker.images.remove(tagged)
})

await t.test('an object that another application runs is held with both named', async t => {
  const other = await application(slipway, 'other', {
    spec: { destination: { name: slipway.node, namespace: 'shop' } },
  })
  const commit = await other.push(good)
  await other.declare()
  const held = await other.settled(commit, 'Held')
  const own = await other.push({ 'web.yaml': web({ image, name: 'other', replicas: 1 }) })
  await other.settled(own, 'Healthy')

  t.match(held.message, /web\.yaml.*shop\/web belongs to application shop/)
})

const chart = {
  'Chart.yaml': 'apiVersion: v2\nname: card\nversion: 1.0.0\n',
  'values.yaml': 'text: hello\n',
  'templates/card.hbs': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: card\ndata:\n  text: {{quote Values.text}}\n',
}

await t.test('a template error is held with file, line and column, and the next good commit just works', async t => {
  const card = await application(slipway, 'card')
  const first = await card.push(chart)
  await card.declare()
  await card.settled(first, 'Healthy')
  const broken = chart['templates/card.hbs'].replace('Values.text', '(nosuch Values.text)')

  await holds(t, card, { 'templates/card.hbs': broken }, chart, /templates\/card\.hbs:6:\d+.*nosuch/)
  await holds(t, card, { 'templates/card.hbs': '{{#if Values.text}}\n' }, chart, /templates\/card\.hbs:\d+:\d+/)
  await holds(t, card, { 'values.yaml': 'text: [\n' }, chart, /values\.yaml:\d+:\d+/)
})

await t.test('a missing values file is held with its name, and its commit releases', async t => {
  const prod = await application(slipway, 'prod', { source: { helm: { valueFiles: ['values-prod.yaml'] } } })
  const commit = await prod.push(chart)
  await prod.declare()
  const held = await prod.settled(commit, 'Held')
  const added = await prod.push({ 'values-prod.yaml': 'text: production\n' })
  await prod.settled(added, 'Healthy')

  t.match(held.message, /values-prod\.yaml/)
})

await t.test('slipway down --purge leaves nothing behind', async t => {
  t.same(await slipway.end(), [])
  await removeImages(slipway, '1')
})
