// Health rules that people write on their objects: read line by line, the first that applies counts, and what cannot be read says so.
import t from 'tap'
import { parseApplication } from '../../controller/application.js'
import { parseConfig } from '../../controller/config.js'
import { knownRules } from '../../controller/health/known.js'
import { objectHealth } from '../../controller/health/rules.js'
import { parseRules } from '../../controller/health/written.js'
import { configMap, release, wave } from './builders.js'
import { World } from './world.js'

const database =
  'Degraded: status.phase in Failed, Error\nHealthy: status.phase is Running and condition Ready is True\nProgressing'
const ready = { conditions: [{ type: 'Ready', status: 'True', reason: 'AllUp', message: 'all is up' }] }

const byListener = 'Healthy: status.listeners[name=web].state is Up; Progressing'
const byMembers = 'Degraded: any status.members[].state is Lost; Healthy: every status.members[].state is Up; Progressing'
const members = (...states: readonly string[]) => ({ members: states.map(state => ({ state })) })
const zones = { zones: [{ nodes: [{ state: 'Up' }] }, { nodes: [{ state: 'Up' }, { state: 'Lost' }] }] }

const table: readonly (readonly [string, string, object, string, string?])[] = [
  ['the first line that applies counts', database, { phase: 'Error', message: 'disk full', ...ready }, 'Degraded', 'disk full'],
  ['all clauses of a line hold', database, { phase: 'Running', ...ready }, 'Healthy', 'all is up'],
  ['one does not hold', database, { phase: 'Running' }, 'Progressing'],
  ['nothing is there yet', database, {}, 'Progressing'],
  ['no line applies', 'Healthy: status.phase is Running', { phase: 'Starting' }, 'Progressing'],
  ['lines on one line', 'Healthy: status.ready is true; Degraded', { ready: true }, 'Healthy'],
  ['numbers are compared as they are written', 'Healthy: status.sync.left is 0; Progressing', { sync: { left: 0 } }, 'Healthy'],
  ['something is there', 'Degraded: status.error exists; Healthy', { error: { code: 5 } }, 'Degraded'],
  ['nothing is there', 'Progressing: status.url is absent; Healthy', { url: 'http://x' }, 'Healthy'],
  ['not', 'Progressing: status.phase is not Ready; Healthy', { phase: 'Ready' }, 'Healthy'],
  ['not one of these', 'Degraded: status.phase not in A, B; Healthy', { phase: 'C' }, 'Degraded'],
  ["a condition's reason", 'Suspended: condition Ready reason is AllUp; Healthy', ready, 'Suspended'],
  ['one of a list, by what it says', byListener, { listeners: [{ name: 'db' }, { name: 'web', state: 'Up' }] }, 'Healthy'],
  ['one of a list that is not there', byListener, { listeners: [{ name: 'db', state: 'Up' }] }, 'Progressing'],
  [
    "one of a list, in kubectl's words",
    'Healthy: status.conditions[?(@.type=="Ready")].status is True; Degraded',
    ready,
    'Healthy',
  ],
  ['one of a list, by its place', 'Healthy: status.nodes[1].up is true; Degraded', { nodes: [{}, { up: true }] }, 'Healthy'],
  ['any of a list', byMembers, members('Up', 'Lost'), 'Degraded'],
  ['every one of a list', byMembers, members('Up', 'Up'), 'Healthy'],
  ['not every one of a list', byMembers, members('Up', 'Starting'), 'Progressing'],
  ['every one of none', byMembers, { members: [] }, 'Progressing', ''],
  ['a list within a list', 'Degraded: any status.zones[].nodes[].state is Lost; Healthy', zones, 'Degraded'],
  ['no list where one is named', 'Degraded: any status.phase[].x exists; Healthy', { phase: 'Up' }, 'Healthy'],
  [
    'each of a list without saying how many',
    'Healthy: status.members[].state is Up',
    {},
    'Unknown',
    'begin it with any or every',
  ],
  ['how many, without a list', 'Healthy: any status.phase is Up', {}, 'Unknown', 'write [] where each of one is meant'],
  ['a place that is none', 'Healthy: status.members[x].state is Up', {}, 'Unknown', 'want [0], [name=web] or []'],
  ['a misspelt word', 'Helthy: status.phase is Running', { phase: 'Running' }, 'Unknown', 'does not begin with Healthy'],
  ['a clause that is none', 'Healthy: status.phase = Running', {}, 'Unknown', 'is no clause; want'],
  ['nothing written', '', {}, 'Unknown', 'no rule'],
]

for (const [name, rule, status, wanted, message = ''] of table)
  t.test(name, async t => {
    const object = {
      apiVersion: 'example.com/v1',
      kind: 'Database',
      metadata: { name: 'db', annotations: { 'slipway.dev/health': rule } },
    }
    const health = objectHealth(object, status as never)
    t.equal(health?.status, wanted)
    t.ok(health?.message.includes(message), health?.message ?? '')
  })

t.test('a rule of its author comes before that of its kind', async t => {
  const metadata = {
    name: 'web',
    generation: 1,
    annotations: { 'slipway.dev/health': 'Healthy: status.readyReplicas is 1; Progressing' },
  }
  const object = { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { replicas: 3 } }

  t.equal(objectHealth(object, { readyReplicas: 1, observedGeneration: 1 })?.status, 'Healthy')
})

t.test("a rule of people for a kind comes before ours, and after the object's own", async t => {
  const rows: readonly (readonly [string, string, Readonly<Record<string, string>>, string])[] = [
    ['example.com/Database', 'example.com/v1', {}, 'Degraded'],
    ['example.com/Database', 'example.com/v1', { 'slipway.dev/health': 'Suspended' }, 'Suspended'],
    ['other.com/Database', 'example.com/v1', {}, ''],
    ['apps/Deployment', 'apps/v1', {}, 'Degraded'],
  ]
  for (const [key, apiVersion, annotations, wanted] of rows) {
    const object = { apiVersion, kind: key.split('/')[1]!, metadata: { name: 'x', generation: 1, annotations } }
    const status = { state: 'Lost', observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1 }
    t.equal(objectHealth(object, status, { [key]: 'Degraded: status.state is Lost' })?.status ?? '', wanted, key)
  }
})

t.test(
  'rules for kinds are those of the configuration, and of the application, which win; what cannot be read is told by its place',
  async t => {
    const declared = { uid: 'u', parent: null, defaultNode: 'n', readYaml: () => ({}) }
    const manifest = (health: object) => ({
      apiVersion: 'slipway.dev/v1alpha1',
      kind: 'Application',
      metadata: { name: 'shop' },
      spec: { source: { repoURL: 'http://git.test/a.git', path: '.' }, health },
    })
    const { config, faults } = parseConfig(
      { health: { 'a.com/A': 'Degraded', 'a.com/B': 'Healthy', ConfigMap: 'Healthy' } },
      {},
      true,
    )
    t.same(faults, [])
    const { application } = parseApplication(manifest({ 'a.com/A': 'Healthy' }), { ...declared, health: config.health })
    t.same(application?.health, { 'a.com/A': 'Healthy', 'a.com/B': 'Healthy', '/ConfigMap': 'Healthy' })

    const wrong = parseApplication(manifest({ 'a.com/A': 'Helthy', 'a/b/C': 'Healthy' }), declared).faults
    t.match(wrong, [
      { pointer: 'spec.health.a.com/A', message: /"Helthy" does not begin with Healthy/ },
      { pointer: 'spec.health.a/b/C', message: /want a kind such as example\.com\/Database/ },
    ])
    t.match(parseConfig({ health: { 'a.com/A': 'x' } }, {}, true).faults, [{ pointer: 'health.a.com/A' }])
  },
)

t.test('a release waits for what such a rule says, wave by wave', async t => {
  const database = (annotations: Readonly<Record<string, string>> = {}) => ({
    apiVersion: 'example.com/v1',
    kind: 'Database',
    metadata: { name: 'db', namespace: 'shop', annotations },
  })
  const later = configMap('later', 'x', wave(1))
  for (const [rule, outcome, names] of [
    ['Healthy', 'Healthy', ['db', 'later']],
    ['Healthy: status.phase is Running; Progressing', null, ['db']],
  ] as const) {
    const world = new World()
    world.app = { ...world.app, health: { 'example.com/Database': rule } }
    world.push(release(database(), later))
    world.minutes(2)
    t.same([world.ledger!.attempt?.outcome, world.objectNames()], [outcome, names], rule)
    if (outcome === null) t.equal(world.last.health.objects[0]?.status, 'Progressing')
  }
})

t.test('rules of known kinds can be read, and each ends with a line that always applies', async t => {
  t.ok(knownRules.size > 40)
  for (const [kind, rules] of knownRules) t.same(rules.at(-1)?.clauses, [], kind)
  t.throws(() => parseRules('Healthy: phase is Running'), /no clause/)
})
