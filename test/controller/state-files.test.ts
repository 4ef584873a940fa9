import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { type Machine, readMachine, writeMachine } from '../../controller/cli/machine.js'
import { layoutOf, makeLayout } from '../../controller/cli/processes.js'
import { nodeIdentities } from '../../controller/joined.js'
import { copyBeside } from '../../runtime/whole-file.js'

const damages: Readonly<Record<string, (path: string) => void>> = {
  empty: path => writeFileSync(path, ''),
  'cut short': path => writeFileSync(path, readFileSync(path).subarray(0, -9)),
  garbage: path => writeFileSync(path, 'garbage'),
  'of something else': path => writeFileSync(path, 'null'),
  gone: path => rmSync(path),
}
const machine: Machine = {
  node: 'lab',
  port: 7433,
  natsPort: 4222,
  engine: 'unix:///run/docker.sock',
  engineIsPrivate: false,
  network: { SLIPWAY_POD_RANGE: '10.20.0.0/16' },
}
const identity = { node: 'lab', sealing: 's', nats: 'n' }

t.test('what slipway up wrote down is read from its copy where it is broken; where that is, too, it says so', async t => {
  const layout = layoutOf(t.testdir())
  makeLayout(layout)
  const file = join(layout.run, 'up.json')
  t.equal(readMachine(layout), null)
  for (const [damage, spoil] of Object.entries(damages)) {
    writeMachine(layout, machine)
    spoil(file)
    t.same(readMachine(layout), machine, damage)
    t.same(JSON.parse(readFileSync(file, 'utf8')), machine, `${damage}: mended`)
  }
  for (const path of [file, `${file}.copy`]) writeFileSync(path, 'garbage')
  t.throws(() => readMachine(layout), /up\.json: .*restore it/)
})

t.test(
  'the keys of a node of this machine are read from their copy; without one the others are known, and it is said',
  async t => {
    const directory = join(t.testdir(), 'nodes')
    const file = (name: string) => join(directory, `${name}.json`)
    const write = (name: string) => {
      mkdirSync(dirname(file(name)), { recursive: true })
      writeFileSync(file(name), JSON.stringify({ ...identity, node: name }))
      copyBeside(file(name), readFileSync(file(name)))
    }
    const said: string[] = []
    const known = () => [...nodeIdentities(directory, fault => said.push(fault)).keys()].sort()
    t.same(known(), [])
    for (const [damage, spoil] of Object.entries(damages)) {
      for (const name of ['lab', 'other']) write(name)
      spoil(file('lab'))
      t.same(known(), ['lab', 'other'], damage)
      t.match(said.splice(0), [/lab\.json.*its copy is used/], damage)
    }
    for (const path of [file('lab'), `${file('lab')}.copy`]) writeFileSync(path, 'garbage')
    t.same(known(), ['other'])
    t.match(said, [/lab\.json: .*slipway up writes it anew/])
    t.ok(existsSync(file('lab')))
  },
)
