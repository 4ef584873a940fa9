// Every file that controller and runtime keep is broken while they are down: they say what they found, and go on as if nothing were.
import { lstatSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import t from 'tap'
import { get } from '../../examples/demo/load.js'
import { application } from '../support/applications.js'
import { freeNodePort, processesOf, waitUntil } from '../support/machine.js'
import { lives, startSlipway } from '../support/slipway.js'
import { deployment, documents, loadWebImage, removeImages, service } from '../support/web.js'

t.setTimeout(600_000)
const slipway = await startSlipway(t)
const { image } = await loadWebImage(slipway)
const nodePort = await freeNodePort()
const chart = {
  'Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
  'templates/secret.yaml':
    'apiVersion: v1\nkind: Secret\nmetadata: { name: made }\ndata: { word: {{ randAlphaNum 24 | b64enc }} }\n',
  'templates/job.yaml': documents([
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'once' },
      spec: {
        template: {
          spec: {
            restartPolicy: 'Never',
            containers: [{ name: 'once', image, imagePullPolicy: 'IfNotPresent', command: ['true'] }],
          },
        },
      },
    },
  ]),
  'templates/web.yaml': documents([
    deployment({ image, message: 'one', replicas: 2, container: { envFrom: [{ secretRef: { name: 'made' } }] } }),
    service({ nodePort }),
  ]),
}
const [shop, gone] = [await application(slipway, 'shop'), await application(slipway, 'gone')]
const commit = await shop.push(chart)
await shop.declare()
await shop.settled(commit, 'Healthy')
const other = await gone.push({ 'web.yaml': documents([deployment({ image, message: 'gone' })]) })
await gone.declare()
await gone.settled(other, 'Healthy')
await slipway.cli('delete', 'gone', '--cascade', '--yes')
await waitUntil('it is gone', 60_000, async () => (await slipway.client.application('gone')) === null)

/** What others than controller and runtime keep there; and what a person writes. */
const others = /^(nats|log|config\.yaml|runtime\/(host-policy\.yaml|volumes|memory-volumes))(\/|$)/
/** Sockets are no files, and what was kept aside or is being written nobody reads. */
const files = () =>
  readdirSync(slipway.state, { recursive: true })
    .map(name => relative(slipway.state, join(slipway.state, String(name))))
    .filter(name => !others.test(name) && !/\.(broken|new|log)$/.test(name))
    .filter(name => lstatSync(join(slipway.state, name)).isFile())
    .sort()
const damages: Readonly<Record<string, (path: string) => void>> = {
  empty: path => writeFileSync(path, ''),
  'cut short': path => writeFileSync(path, readFileSync(path).subarray(0, statSync(path).size >> 1)),
  garbage: path => writeFileSync(path, 'garbage'),
}
const logs = () => [slipway.log('runtime'), slipway.log('controller')] as const
const historyOf = async () => (await shop.history()).map(({ number, outcome }) => [number, outcome])

/** The load balancer holds everybody's connections: it goes on, too. */
const balancers = () => processesOf(slipway.state).flatMap(({ pid, line }) => (line.includes('haproxy.cfg') ? [pid] : []))

const running = await lives(slipway, 'shop')
const balancing = balancers()
const all = (await slipway.containers('shop', true)).map(({ id }) => id).sort()
const history = await historyOf()

for (const [damage, spoil] of Object.entries(damages))
  await t.test(`all of them ${damage}, and after that all of their copies: nothing is started, and it is said`, async t => {
    for (const isCopy of [false, true]) {
      await slipway.cli('down')
      const broken = files().filter(name => name.endsWith('.copy') === isCopy)
      t.comment(broken.join(' '))
      t.ok(broken.length >= 10)
      const said = logs().map(log => log.length)
      for (const name of broken) spoil(join(slipway.state, name))

      const up = await slipway.cli('up')
      t.equal(up.code, 0, up.out + up.err)
      await shop.until('it is known again', view => view.state === 'Healthy' && view.stale === null)

      t.same(await lives(slipway, 'shop'), running)
      t.ok(balancers().includes(Math.min(...balancing)))
      t.same((await slipway.containers('shop', true)).map(({ id }) => id).sort(), all)
      t.same(await slipway.containers('gone', true), [])
      t.same(await historyOf(), history, JSON.stringify(await shop.history()))
      t.match(await get(`http://127.0.0.1:${nodePort}/`), /one/)
      // Who the nodes of this machine are `slipway up` writes down anew before anybody reads it.
      const twice = broken.filter(name => files().includes(`${name}.copy`) && !name.startsWith('nodes/'))
      const text =
        logs()
          .map((log, at) => log.slice(said[at]))
          .join('') +
        up.out +
        up.err
      for (const name of twice) t.ok(text.includes(name), `${name} is named`)
      const next = await shop.push({ [`note-${damage}-${isCopy}.md`]: 'unrelated' })
      await shop.settled(next, 'Healthy')
    }
  })

await removeImages(slipway, '1')
