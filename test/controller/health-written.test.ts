// Health rules that people write on their objects: read line by line, the first that applies counts, and what cannot be read says so.
import t from 'tap'
import { knownRules } from '../../controller/health/known.js'
import { objectHealth } from '../../controller/health/rules.js'
import { parseRules } from '../../controller/health/written.js'

const database =
  'Degraded: status.phase in Failed, Error\nHealthy: status.phase is Running and condition Ready is True\nProgressing'
const ready = { conditions: [{ type: 'Ready', status: 'True', reason: 'AllUp', message: 'all is up' }] }

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

t.test('rules of known kinds can be read, and each ends with a line that always applies', async t => {
  t.ok(knownRules.size > 40)
  for (const [kind, rules] of knownRules) t.same(rules.at(-1)?.clauses, [], kind)
  t.throws(() => parseRules('Healthy: phase is Running'), /no clause/)
})
