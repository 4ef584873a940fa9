import t from 'tap'
import { defaultNodeName, parseConfig } from '../../controller/config.js'

t.test('nothing configured is a whole configuration', async t => {
  const { config, faults } = parseConfig(undefined, {}, true)

  t.same(faults, [])
  t.match(config, {
    stateDir: '/var/lib/slipway',
    listen: { host: '127.0.0.1', port: 7433 },
    pollIntervalMs: 10_000,
    repositories: [],
  })
})

t.test('the environment counts more than the file', async t => {
  const file = { listen: { host: '0.0.0.0', port: 1 }, node: 'lab', pollInterval: '30s' }
  const env = { SLIPWAY_PORT: '7601', SLIPWAY_NODE: 'user', SLIPWAY_HOME: '/srv/slipway' }
  const { config, faults } = parseConfig(file, env, false)

  t.same(faults, [])
  t.match(config, { stateDir: '/srv/slipway', listen: { host: '0.0.0.0', port: 7601 }, node: 'user', pollIntervalMs: 30_000 })
})

for (const [name, file, pointer] of [
  ['a field that is not known', { lisen: {} }, 'lisen'],
  ['a port that is none', { listen: { port: 70_000 } }, 'listen.port'],
  ['a duration without unit', { pollInterval: '3x' }, 'pollInterval'],
  ['a level that is not known', { logLevel: 'loud' }, 'logLevel'],
  ['credentials for no repository', { repositories: [{ username: 'bot', passwordFile: '/x' }] }, 'repositories[0].url'],
  ['a password in the file', { repositories: [{ url: 'http://git/', password: 'x' }] }, 'repositories[0].password'],
] as const)
  t.test(`${name} is refused by its place`, async t => {
    const { faults } = parseConfig(file, {}, true)

    t.same(
      faults.map(fault => fault.pointer),
      [pointer],
    )
  })

t.test('every fault is said at once', async t => {
  t.equal(parseConfig({ lisen: {}, logLevel: 'loud', pollInterval: 'x' }, {}, true).faults.length, 3)
})

t.test('a machine without a usable name is still a node', async t => {
  for (const [host, name] of [
    ['Lab_1.local', 'lab-1'],
    ['---', 'node'],
    ['', 'node'],
  ] as const)
    t.equal(defaultNodeName(host), name)
})
