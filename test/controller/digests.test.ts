// What an image tag meant when a release ran on a cluster: found from its pods, and used when it is gone back to, where it has moved.
import t from 'tap'
import type { Ledger } from '../../controller/ledger.js'
import { asSent } from '../../controller/release/sent.js'
import type { ReleaseId } from '../../controller/release.js'
import { movedSince, movedText, withDigests } from '../../controller/rollout/digests.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { application, deployment, release } from './builders.js'
import { World } from './world.js'

const [a, b] = ['a', 'b'].map(digit => `sha256:${digit.repeat(64)}`) as [string, string]
const pin = `registry.test/good@${a}`

t.test('what pods run is known by image, of pods of the newest template, the newest of them last', async t => {
  const ref = { group: 'apps', kind: 'Deployment', namespace: 'shop', name: 'web' }
  const container = (image: string, imageId: string) => ({ image, imageId })
  const pod = (createdAt: string, containers: readonly object[], more: object = {}) => ({
    workload: ref,
    owner: null,
    templateHash: 't2',
    terminating: false,
    createdAt,
    containers,
    ...more,
  })
  const observed = {
    objects: [{ ref, templateHash: 't2' }],
    pods: [
      pod('2026-01-02', [container('web:1', `docker-pullable://registry.test/web@${b}`)]),
      pod('2026-01-01', [container('web:1', `registry.test/web@${a}`), container('tool:1', `registry.test/tool@${a}`)]),
      pod('2026-01-03', [container('web:1', 'registry.test/old@'.concat(a))], { templateHash: 't1' }),
      pod('2026-01-03', [container('web:1', 'registry.test/gone@'.concat(a))], { terminating: true }),
      pod('2026-01-03', [container('local:1', a), container(`by@${a}`, `by@${a}`), container('none:1', '')]),
    ],
  }
  const cluster = { ...application(), destination: { ...application().destination, kind: 'cluster' } }
  const ledger = { current: { release: 'r1' }, releases: { r1: { digests: {} } } } as unknown as Ledger
  const found = withDigests(ledger, { app: cluster, observed } as never)
  t.same(found.releases['r1' as ReleaseId]?.digests, { 'web:1': `registry.test/web@${b}`, 'tool:1': `registry.test/tool@${a}` })
  t.equal(withDigests(found, { app: cluster, observed } as never), found, 'nothing is new')
  t.equal(withDigests(ledger, { app: application(), observed } as never), ledger, 'a node knows it from its preflight')
})

t.test('a tag has moved where a release that came since ran it otherwise', async t => {
  const known = (lastAttempt: number, digests: Readonly<Record<string, string>>) => ({ lastAttempt, digests })
  const rows: readonly (readonly [string, object, readonly string[]])[] = [
    ['another digest', { old: known(1, { x: 'x@1', y: 'y@1' }), new: known(2, { x: 'x@2', y: 'y@1' }) }, ['x']],
    ['gone back to already', { old: known(2, { x: 'x@1' }), new: known(2, { x: 'x@2' }) }, ['x']],
    ['not used since', { old: known(1, { x: 'x@1' }), new: known(2, { y: 'y@1' }) }, []],
    ['another digest before', { older: known(1, { x: 'x@0' }), old: known(2, { x: 'x@1' }), new: known(3, { x: 'x@1' }) }, []],
    ['not known', { new: known(2, { x: 'x@2' }) }, []],
  ]
  for (const [what, releases, moved] of rows) {
    const ledger = { place: 'cluster/test', releases } as unknown as Ledger
    t.same(Object.keys(movedSince(ledger, 'old' as ReleaseId)), moved, what)
    t.same(movedSince({ ...ledger, place: 'node/lab' }, 'old' as ReleaseId), {}, `${what}, on a node`)
  }
  t.equal(movedText({ 'web:1': pin }), 'web:1 has moved since: it runs as registry.test/good@sha256:aaaaaaaaaaaa, as then')
})

t.test('images stand by their digest wherever pods are described, and nowhere else', async t => {
  const container = { name: 'web', image: 'good:1', args: ['good:1'] }
  const spec = { initContainers: [container], containers: [container, { name: 'x', image: 'other:1' }] }
  const of = (kind: string, inner: object) => ({ apiVersion: 'v1', kind, metadata: { name: 'web' }, ...inner }) as Manifest
  for (const object of [
    of('Deployment', { spec: { template: { spec } } }),
    of('CronJob', { spec: { jobTemplate: { spec: { template: { spec } } } } }),
    of('Pod', { spec }),
  ]) {
    const sent = JSON.stringify(asSent(object, { fresh: 0, pins: { 'good:1': pin } }))
    t.equal(sent.split(JSON.stringify(pin)).length - 1, 2, object.kind)
    t.equal(sent.split('"good:1"').length - 1, 2, 'arguments stay')
    t.equal(asSent(object, { fresh: 0, pins: { 'else:1': pin } }), object)
  }
  const map = of('ConfigMap', { data: { containers: 'good:1' } })
  t.equal(asSent(map, { fresh: 0, pins: { 'good:1': pin } }), map)
})

const imageNow = (world: World) => {
  const web = world.document!.objects.find(({ metadata }) => metadata.name === 'web')!
  return (web.spec as { template: { spec: { containers: { image: string }[] } } }).template.spec.containers[0]!.image
}

function onCluster(): World {
  const world = new World()
  world.app = { ...world.app, destination: { place: 'cluster/test', kind: 'cluster', name: 'test', namespace: 'shop' } }
  world.ask(ledger => ({ ...ledger, place: 'cluster/test' }))
  world.weather.tag = a
  return world
}

const web = (replicas: number) => deployment('web', 'good:1', { replicas })
const r1 = release(web(1))
const r2 = release(web(2), deployment('job', 'crash:2'))

t.test('sequence 15 on a cluster: a tag moved between two releases; going back runs what ran, and says so', async t => {
  const world = onCluster()
  world.push(r1)
  world.minutes(2)
  world.weather.tag = b
  world.push(r2)
  world.minutes(2)

  const { attempt } = world.ledger!
  t.equal(attempt?.outcome, 'RolledBack')
  t.equal(imageNow(world), `good:1@${a}`)
  t.match(
    attempt?.moves.map(({ message }) => message).join('; '),
    /rolling back to r1; good:1 has moved since: it runs as good:1@sha256:aaaaaaaaaaaa, as then/,
  )

  world.push(r1)
  world.minutes(2)
  t.equal(world.ledger!.attempt?.outcome, 'Healthy', 'reverted in Git')
  t.equal(imageNow(world), `good:1@${a}`, 'nothing is touched')

  world.push(release(web(3)))
  world.minutes(2)
  t.equal(imageNow(world), 'good:1', 'a new release means what the tag means')
  world.rollback(r1)
  world.minutes(2)
  t.equal(imageNow(world), `good:1@${a}`, 'by hand too')
})

t.test('a tag that did not move is left as it is', async t => {
  const world = onCluster()
  world.push(r1)
  world.minutes(2)
  world.push(r2)
  world.minutes(2)
  t.equal(world.ledger!.attempt?.outcome, 'RolledBack')
  t.equal(imageNow(world), 'good:1')
})
