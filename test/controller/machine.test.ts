// What one machine is given, and what is left of it: ports, names and ranges of an instance, and who else uses a private engine.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { machineOf, othersOn, type Places, purgeMachine, useEngine, writeMachine } from '../../controller/cli/machine.js'
import { layoutOf, makeLayout } from '../../controller/cli/processes.js'

function layoutIn(test: Test, name = 'state') {
  const directory = existsSync(test.testdirName) ? test.testdirName : test.testdir({})
  const layout = layoutOf(join(directory, name))
  makeLayout(layout)
  return layout
}

const up = {
  node: 'lab',
  port: 7500,
  natsPort: 4333,
  engine: 'unix:///nowhere.sock',
  engineIsPrivate: false,
  network: { A: 'b' },
}

t.test('the environment counts before what the last up chose, and that before the usual', async t => {
  const table: readonly [string, typeof up | null, Record<string, string>, object][] = [
    ['nothing said', null, {}, { port: 7433, natsPort: 0 }],
    ['said', null, { SLIPWAY_PORT: '1', SLIPWAY_NATS_PORT: '2', SLIPWAY_NODE: 'x' }, { port: 1, natsPort: 2, node: 'x' }],
    ['chosen before', up, {}, { port: 7500, natsPort: 4333, node: 'lab', network: { A: 'b' } }],
    ['chosen before, and said', up, { SLIPWAY_PORT: '1', SLIPWAY_NODE: 'x' }, { port: 1, natsPort: 4333, node: 'x' }],
  ]
  for (const [index, [what, before, env, chosen]] of table.entries()) {
    const layout = layoutIn(t, `state-${index}`)
    if (before !== null) writeMachine(layout, before)
    t.match(machineOf(layout, env, []), chosen, what)
  }
})

const rangeOf = (network: Readonly<Record<string, string>>) => Number(/^10\.(\d+)\./.exec(network.SLIPWAY_POD_RANGE ?? '')?.[1])

t.test('an instance gets address ranges that nobody on this machine has', async t => {
  const layout = layoutIn(t)
  const first = machineOf(layout, {}, []).network
  const block = rangeOf(first)
  const after = (steps: number) => 20 + ((block - 20 + 2 * steps) % 180)
  const all = Array.from({ length: 90 }, (_, at) => `10.${20 + at * 2}.0.1`)
  const table: readonly [string, readonly string[], number][] = [
    ['none is taken', ['192.168.1.2', '10.0.2.15', `10.1.${block}.1`], block],
    ['its pods', [`10.${block}.0.1`], after(1)],
    ['its Services', [`10.${block + 1}.0.1`], after(1)],
    ['the next too', [`10.${block}.0.1`, `10.${after(1)}.7.7`], after(2)],
    ['all but one', all.filter(address => address !== `10.${after(89)}.0.1`), after(89)],
  ]
  for (const [what, taken, range] of table) t.equal(rangeOf(machineOf(layout, {}, taken).network), range, what)
  t.throws(() => machineOf(layout, {}, all), /SLIPWAY_POD_RANGE/)
  t.match(machineOf(layout, { SLIPWAY_POD_RANGE: '10.1.0.0/16' }, []).network, { SLIPWAY_POD_RANGE: '10.1.0.0/16' })
  t.match(first, { SLIPWAY_POD_BRIDGE: /^slwp[0-9a-f]{6}$/, SLIPWAY_SERVICE_RANGE: `10.${block + 1}.0.0/16` })
})

t.test('a private engine is used by every instance that said so and is still there', async t => {
  const engine = join(t.testdir({}), 'engine')
  const [mine, other, gone] = ['mine', 'other', 'gone'].map(name => join(t.testdirName, name)) as [string, string, string]
  t.same(othersOn(engine, mine), [], 'nobody said anything')
  for (const state of [mine, other, gone]) useEngine(engine, `unix://${engine}/docker.sock`, state)
  mkdirSync(join(other, 'run'), { recursive: true })
  writeFileSync(join(other, 'run', 'up.json'), '{}')

  t.same(othersOn(engine, mine), [other])
  t.same(othersOn(engine, other), [])
  useEngine(engine, 'unix:///var/run/docker.sock', join(t.testdirName, 'elsewhere'))
  t.equal(readdirSync(join(engine, 'instances')).length, 3, 'of another engine nobody asks')
})

t.test('a purge takes away what is its own, and keeps what it could not, or what others use', async t => {
  const purged = async (machine: typeof up | null, purgeNode: () => Promise<readonly string[]>, isShared = false) => {
    const layout = layoutIn(t, `state-${++instances}`)
    const engine = `${layout.state}-engine`
    if (machine !== null) {
      writeMachine(layout, machine)
      writeFileSync(join(layout.runtime, 'node.json'), '{}')
    }
    if (isShared) {
      useEngine(engine, `unix://${engine}/docker.sock`, layout.state)
      useEngine(engine, `unix://${engine}/docker.sock`, layoutIn(t, 'neighbour').state)
      writeMachine(layoutOf(join(t.testdirName, 'neighbour')), up)
    }
    const result = await purgeMachine({ layout } as Places, { SLIPWAY_ENGINE_DIR: engine }, false, purgeNode)
    return { ...result, isLeft: existsSync(layout.state), isEngineLeft: existsSync(engine) }
  }
  let instances = 0
  const done = async () => ['3 containers removed']

  t.match(await purged(null, done), { failed: false, isLeft: false, lines: [/removed$/] })
  t.match(await purged(up, done), { failed: false, isLeft: false, lines: ['3 containers removed', /removed$/] })
  t.match(await purged(up, () => Promise.reject(new Error('no answer'))), {
    failed: true,
    isLeft: true,
    lines: [/kept: no answer/, /again|answers/],
  })
  t.match(await purged({ ...up, engineIsPrivate: true }, done, true), {
    failed: false,
    isLeft: false,
    isEngineLeft: true,
    lines: ['3 containers removed', /^private engine kept: .*neighbour uses it too$/, /removed$/],
  })
})
