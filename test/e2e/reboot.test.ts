// The machine loses its power. After the boot there are the engine and the runtime, as their units start them, and nothing else.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { unitOf, unitText } from '../../controller/cli/boot.js'
import { get } from '../../examples/demo/load.js'
import { application } from '../support/applications.js'
import { freeNodePort, processesOf, read, waitUntil } from '../support/machine.js'
import { startOwnEngine } from '../support/own-engine.js'
import { ownMachine } from '../support/own-machine.js'
import { boot } from '../support/power.js'
import { lives, startSlipway } from '../support/slipway.js'
import { deployment, documents, loadWebImage, service } from '../support/web.js'

t.setTimeout(300_000)

/** Runs a command of the unit with the unit's environment and nothing else, as systemd would. Gives its exit code. */
function byUnit(text: string, name: 'ExecStart' | 'ExecStop', within: readonly string[]): Promise<number | null> {
  const valuesOf = (name: string) => [...text.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value ?? '')
  const [program = '', ...rest] = [...within, ...(valuesOf(name)[0] ?? '').split(' ')]
  const env = Object.fromEntries(valuesOf('Environment').map(value => value.split(/=(.*)/s).slice(0, 2)))
  return new Promise((resolve, reject) => {
    spawn(program, rest, { env, stdio: 'ignore' }).once('error', reject).once('exit', resolve)
  })
}

await ownMachine(t, import.meta.url, async () => {
  let machine = await boot()
  t.teardown(() => machine.cut())
  const engine = await startOwnEngine(t, { liveRestore: false, machine: () => machine })
  const slipway = await startSlipway(t, { engine: engine.host, within: () => machine.within })
  const { image } = await loadWebImage(slipway)
  const nodePort = await freeNodePort()
  const shop = await application(slipway, 'shop')
  const start =
    'cp /etc/told/word /www/word; [ -e /data/word ] || echo first >/data/word; cp /data/word /www/data; exec /bin/sh /app/server.sh'
  const objects = [
    deployment({
      image,
      message: 'one',
      container: {
        command: ['/bin/sh', '-c', start],
        volumeMounts: [
          { name: 'told', mountPath: '/etc/told' },
          { name: 'data', mountPath: '/data' },
        ],
      },
      pod: {
        volumes: [
          { name: 'told', secret: { secretName: 'told' } },
          { name: 'data', emptyDir: {} },
        ],
      },
    }),
    service({ nodePort }),
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'told' }, stringData: { word: 'whispered' } },
  ]
  const commit = await shop.push({ 'web.yaml': documents(objects) })
  await shop.declare()
  await shop.settled(commit, 'Healthy')
  const address = `http://127.0.0.1:${nodePort}/`
  /** Service addresses and node ports, as given out. */
  const addresses = () => {
    const { services, nodePorts } = JSON.parse(read(join(slipway.state, 'runtime', 'network', 'addresses.json')))
    return { services: services.held, nodePorts: nodePorts.held }
  }
  const before = { pods: await shop.pods(), history: (await shop.history()).length, addresses: addresses() }
  /** The keeper of the runtime, as `slipway up` started it: its command and environment are what a unit would have. */
  const keeper = processesOf(slipway.state).find(({ line }) => line.includes('keep.sh') && line.includes('runtime.pid'))
  const unit = {
    command: readFileSync(`/proc/${keeper?.pid}/cmdline`, 'utf8')
      .split('\0')
      .filter(word => word !== ''),
    environment: Object.fromEntries(
      readFileSync(`/proc/${keeper?.pid}/environ`, 'utf8')
        .split('\0')
        .flatMap(line => (line.includes('=') ? [[line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]] : [])),
    ),
  }

  await t.test('with neither NATS nor controller the containers are back, behind the same addresses', async t => {
    await machine.cut()
    t.same(processesOf(slipway.state), [], 'nothing runs')
    machine = await boot()
    await engine.start()
    const [program = '', ...rest] = [...machine.within, ...unit.command]
    spawn(program, rest, { env: unit.environment, stdio: 'ignore', detached: true }).unref()

    await waitUntil('it answers', 90_000, () =>
      get(address)
        .then(text => text === 'one')
        .catch(() => false),
    )
    await waitUntil('both run', 60_000, async () => (await lives(slipway, 'shop')).length === 2)
    t.equal(await get(`${address}word`), 'whispered')
    t.equal(await get(`${address}data`), 'first')
    t.same(addresses(), before.addresses)
    t.same(
      processesOf(slipway.state).filter(({ line }) => /nats-server|controller/.test(line)),
      [],
    )
    const containers = await slipway.containers('shop')
    t.same(containers.map(({ pod }) => pod).sort(), before.pods, 'the same pods')
  })

  await t.test('NATS and the controller come back: nothing changes', async t => {
    const running = await lives(slipway, 'shop')

    await waitUntil('slipway up says that all is there', 180_000, async () => (await slipway.cli('up')).code === 0)
    const view = await shop.until('healthy', seen => seen.state === 'Healthy')

    t.equal(view.release?.commit, commit)
    t.same(await lives(slipway, 'shop'), running)
    t.equal((await shop.history()).length, before.history)
    t.same(addresses(), before.addresses)
    t.same(await shop.pods(), before.pods)
    const next = await shop.push({ 'web.yaml': documents([deployment({ image, message: 'two' }), service({ nodePort })]) })
    await shop.settled(next, 'Healthy')
    t.equal(await get(address), 'two')
  })

  await t.test('its unit starts all of it at boot and stops what slipway down stops', async t => {
    const main = fileURLToPath(new URL('../../controller/cli/main.js', import.meta.url))
    const found = JSON.parse(read(join(slipway.state, 'run', 'up.json')))
    const text = unitText(unitOf(slipway.state, found, { PATH: process.env.PATH, HOME: slipway.work }, main))
    const history = (await shop.history()).length
    const pods = await shop.pods()
    await machine.cut()
    machine = await boot()
    await engine.start()

    t.equal(await byUnit(text, 'ExecStart', machine.within), 0)
    await shop.until('healthy', seen => seen.state === 'Healthy')
    t.equal(await get(address), 'two')
    t.same([await shop.pods(), (await shop.history()).length], [pods, history])
    t.notOk(existsSync(join(slipway.work, '.config')), 'nobody was signed in')

    const running = await lives(slipway, 'shop')
    t.equal(await byUnit(text, 'ExecStop', machine.within), 0)
    t.same([await lives(slipway, 'shop'), await get(address)], [running, 'two'])
    t.same(
      ['nats', 'runtime', 'controller'].filter(name => existsSync(join(slipway.state, 'run', `${name}.pid`))),
      [],
    )
  })

  await t.test('slipway down --purge leaves nothing behind', async t => {
    t.same(await slipway.end(), [])
    t.equal(read(join(slipway.state, 'run', 'up.json')), '')
  })
})
