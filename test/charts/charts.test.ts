// The charts of this repository: their output, word for word, and what they refuse. `SLIPWAY_GOLDEN=write` writes the goldens anew.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { StickyBook } from '../../renderer/index.js'
import { readObject } from '../../runtime/workloads/objects.js'
import { filesIn, names, objects, sets, text } from './charts.js'

for (const name of names)
  for (const set of sets)
    t.test(`charts/${name} with its ${set} values comes to what stands in golden/`, async t => {
      const golden = `test/charts/golden/${name}-${set}.yaml`
      const found = text(name, set)
      if (process.env.SLIPWAY_GOLDEN === 'write') {
        mkdirSync('test/charts/golden', { recursive: true })
        writeFileSync(golden, found)
      }

      t.equal(found, existsSync(golden) ? readFileSync(golden, 'utf8') : '')
    })

t.test('the controller gets the same objects in the same order', async t => {
  const { objects: found = [], error } = objects('web', 'node')

  t.equal(error, undefined)
  t.same(
    found.map(({ manifest, file }) => `${manifest.kind} ${manifest.metadata.name} ${file}`),
    [
      'Secret demo templates/secret.hbs',
      'ConfigMap demo templates/config.hbs',
      'ConfigMap demo-files templates/config.hbs',
      'PersistentVolumeClaim demo-data templates/volume.hbs',
      'Service demo templates/service.hbs',
      'Deployment demo templates/deployment.hbs',
    ],
  )
})

t.test('a node runs all that its values ask for', async t => {
  for (const name of names) {
    const { objects: found = [], error } = objects(name, 'node')

    t.equal(error, undefined, name)
    const problems = found.flatMap(({ manifest }) =>
      readObject({ ...manifest, metadata: { ...manifest.metadata, namespace: 'default' } }).problems.map(
        problem => `${manifest.kind}: ${problem.message}`,
      ),
    )
    t.same(problems, [], name)
  }
})

t.test('files that all charts have are the same in all of them', async t => {
  const shared = [
    '_image',
    '_labels',
    '_map',
    '_name',
    '_pod',
    '_probe',
    '_selector',
    '_yaml',
    'config',
    'network-policy',
    'secret',
  ]
  const read = (name: (typeof names)[number], file: string): string =>
    readFileSync(`charts/${name}/templates/${file}.hbs`, 'utf8')

  for (const file of shared) for (const name of names) t.equal(read(name, file), read('web', file), `${name} ${file}`)
})

t.test('each chart says what it is and what can be set', async t => {
  for (const name of names) {
    const files = filesIn(name).map(file => file.name)
    t.ok(
      ['Chart.yaml', 'README.md', 'values.yaml', 'values.schema.json'].every(file => files.includes(file)),
      name,
    )
    const readme = readFileSync(`charts/${name}/README.md`, 'utf8')
    const schema = JSON.parse(readFileSync(`charts/${name}/values.schema.json`, 'utf8')) as { properties: object }
    const values = readFileSync(`charts/${name}/values.yaml`, 'utf8')
    for (const key of Object.keys(schema.properties)) {
      if (key === 'global') continue
      t.match(values, new RegExp(`^${key}:`, 'm'), `${name}: ${key} has a default`)
      t.match(readme, `\`${key}`, `${name}: ${key} is in the README`)
    }
  }
})

t.test('what makes no sense is refused with what to do', async t => {
  const rows: readonly (readonly [name: (typeof names)[number], values: object, message: RegExp])[] = [
    ['web', { replica: 3 }, /additional properties 'replica' not allowed/],
    ['web', { image: { tag: 1.1 } }, /at '\/image\/tag': got number, want string/],
    ['web', { persistence: { enabled: true } }, /deployment\.hbs:2:3: several pods cannot share a volume that is ReadWriteOnce/],
    ['web', { ingress: { enabled: true } }, /ingress\.hbs:\d+:\d+: ingress\.hosts: name one host at least/],
    ['web', { probes: { readiness: { kind: 'exec' } } }, /_probe\.hbs:\d+:\d+: an exec probe wants a command/],
    ['web', { probes: { readiness: { kind: 'ping' } } }, /at '\/probes\/readiness'/],
    ['web', { autoscaling: { enabled: true, minReplicas: 20 } }, /autoscaling\.maxReplicas is below minReplicas/],
    ['stateful', { workload: 'Deployment', replicas: 2 }, /set\.hbs:\d+:\d+: replicas: a Deployment has one volume/],
    ['cron', { schedule: 'tomorrow' }, /at '\/schedule': '…' does not match pattern/],
  ]
  for (const [name, values, message] of rows)
    t.match(objects(name, 'default', values as Readonly<Record<string, unknown>>).error?.message, message)
  t.throws(() => text('worker', 'default', { typed: ['replicas=many'] }), {
    message: /at '\/replicas': got string, want integer/,
  })
})

t.test('a generated secret is made once, whatever else changes', async t => {
  let made = 0
  const book = (values: Readonly<Record<string, string>>): StickyBook =>
    new StickyBook({ salt: 's', values, answers: {} }, { random: count => new Uint8Array(count).fill(++made * 7), now: 0 })
  const generated = { PASSWORD: 24, KEY: 32 }
  const secretOf = (rendered: ReturnType<typeof objects>): unknown =>
    rendered.objects?.find(({ manifest }) => manifest.kind === 'Secret')?.manifest.data

  const first = book({})
  const before = secretOf(objects('stateful', 'node', { generated }, first))
  const minted = Object.fromEntries(Object.entries(first.touched().minted).map(([key, { value }]) => [key, value]))
  const second = book(minted)
  const after = secretOf(objects('stateful', 'node', { generated: { ANOTHER: 16, ...generated }, replicas: 0 }, second))

  t.equal(Object.keys(minted).length, 2)
  t.match(after, before as object)
  t.equal(Object.keys(second.touched().minted).length, 1, 'only the one that was not there')
})
