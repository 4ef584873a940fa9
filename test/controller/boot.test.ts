import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  type Boot,
  bootProblem,
  installUnit,
  removeUnit,
  type Unit,
  unitName,
  unitOf,
  unitText,
} from '../../controller/cli/boot.js'

const unit: Unit = {
  state: '/var/lib/slipway',
  after: 'docker.service',
  command: ['/usr/bin/node', '/opt/slipway/build/controller/cli/main.js'],
  environment: { PATH: '/usr/bin:/bin', SLIPWAY_HOME: '/var/lib/slipway' },
}
const lineOf = (text: string, name: string) => text.split('\n').filter(line => line.startsWith(`${name}=`))

t.test('what a unit says', async t => {
  const table: readonly [string, Partial<Unit>, string, readonly string[]][] = [
    ['start', {}, 'ExecStart', ['ExecStart=/usr/bin/node /opt/slipway/build/controller/cli/main.js up --no-login']],
    ['stop', {}, 'ExecStop', ['ExecStop=/usr/bin/node /opt/slipway/build/controller/cli/main.js down']],
    ['what goes on after a stop', {}, 'KillMode', ['KillMode=process']],
    ["the engine's unit", {}, 'After', ['After=network-online.target docker.service']],
    ['an engine of our own', { after: '' }, 'After', ['After=network-online.target']],
    ['environment', {}, 'Environment', ['Environment=PATH=/usr/bin:/bin', 'Environment=SLIPWAY_HOME=/var/lib/slipway']],
    [
      'what systemd reads in its own way',
      { environment: { A: 'a "b" 5% $c\\' } },
      'Environment',
      ['Environment="A=a \\"b\\" 5%% $c\\\\"'],
    ],
    ['the same in a command', { command: ['/a $b/node'] }, 'ExecStop', ['ExecStop="/a $$b/node" down']],
    ['a state directory with a blank', { state: '/srv/my 100%' }, 'RequiresMountsFor', ['RequiresMountsFor="/srv/my 100%%"']],
  ]
  for (const [what, more, name, expected] of table) t.same(lineOf(unitText({ ...unit, ...more }), name), expected, what)
})

t.test('what an instance needs at boot is what its up was given', async t => {
  const env = {
    PATH: '/bin',
    HOME: '/root',
    TERM: 'xterm',
    SLIPWAY_POLL_INTERVAL: '5s',
    SLIPWAY_TOKEN: 'secret',
    DOCKER_HOST: 'unix:///x',
  }
  const machine = (engine: string, engineIsPrivate = false) => ({ engine, engineIsPrivate })
  const table: readonly [string, ReturnType<typeof machine>, string][] = [
    ['Docker', machine('unix:///var/run/docker.sock'), 'docker.service'],
    ['Docker by its other name', machine('unix:///run/docker.sock'), 'docker.service'],
    ['Podman', machine('unix:///run/podman/podman.sock'), 'podman.socket'],
    ['a private one', machine('unix:///var/lib/slipway-engine/docker.sock', true), ''],
    ["another machine's", machine('tcp://10.0.0.5:2375'), ''],
  ]
  for (const [what, of, after] of table) t.equal(unitOf('/state', of, env, '/main.js').after, after, what)
  t.same(unitOf('/state', machine(''), env, '/main.js').environment, {
    PATH: '/bin',
    HOME: '/root',
    SLIPWAY_POLL_INTERVAL: '5s',
    SLIPWAY_HOME: '/state',
  })
  t.equal(unitName('/var/lib/slipway'), 'slipway.service')
  t.match(unitName('/srv/other'), /^slipway-[0-9a-f]{6}\.service$/)
})

t.test(
  'systemd takes the unit',
  { skip: spawnSync('systemd-analyze', ['--version']).status !== 0 && 'no systemd-analyze here' },
  async t => {
    const directory = t.testdir({
      'slipway.service': unitText({
        ...unit,
        command: [process.execPath, '/main.js'],
        environment: { ...unit.environment, A: 'a "b" 5% $c' },
      }),
      'slipway-broken.service': unitText(unit).replace('Type=oneshot', 'Type=once'),
    })
    const verify = (name: string) =>
      spawnSync('systemd-analyze', ['verify', '--man=no', join(directory, name)], { encoding: 'utf8' })
    const told = verify('slipway.service')

    t.same([told.status, told.stderr.split('\n').filter(line => line.includes('slipway'))], [0, []])
    t.match(verify('slipway-broken.service').stderr, /slipway-broken/, 'it would say so')
  },
)

t.test('it is written and enabled, and removed again; where systemd does not run it is said', async t => {
  const directory = t.testdir({ bin: {}, run: {} })
  const [units, told] = [join(directory, 'etc/units'), join(directory, 'told')]
  const systemctl = join(directory, 'bin/systemctl')
  writeFileSync(
    systemctl,
    `#!/bin/sh\necho "$*" >>${told}; [ "$1 $3" != "enable refused.service" ] || { echo no >&2; exit 1; }\n`,
  )
  chmodSync(systemctl, 0o755)
  const boot: Boot = {
    directory: units,
    path: `${join(directory, 'bin')}:${process.env.PATH}`,
    marker: join(directory, 'run/systemd'),
  }

  t.match(bootProblem(boot, true), /systemd does not run here/)
  mkdirSync(boot.marker)
  t.equal(bootProblem(boot, true), null)
  t.match(bootProblem(boot, false), /Only root/)

  await installUnit(boot, 'slipway.service', 'text')
  t.equal(readFileSync(join(units, 'slipway.service'), 'utf8'), 'text')
  t.equal(await removeUnit(boot, 'slipway.service'), true)
  t.equal(existsSync(join(units, 'slipway.service')), false)
  t.equal(await removeUnit(boot, 'slipway.service'), false)
  t.same(readFileSync(told, 'utf8').trim().split('\n'), [
    'daemon-reload',
    'enable --now slipway.service',
    'disable --now slipway.service',
    'daemon-reload',
  ])
  await t.rejects(installUnit(boot, 'refused.service', 'text'), { message: 'systemctl enable --now refused.service: no' })
})
