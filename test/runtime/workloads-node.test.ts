import t from 'tap'
import type { DesiredDocument } from '../../runtime/contract/documents.js'
import { withKnownObjects } from '../../runtime/known-objects.js'
import { reportOf, textOf } from '../../runtime/report.js'
import { type Asked, type KeptPlans, keptPlan } from '../../runtime/workloads/kept-plans.js'
import { claims } from '../../runtime/workloads/node.js'
import { container, deployment, document, epoch, object, toy, view } from '../support/node.js'

const second = 1000
const service = (spec: object = {}, name = 'web') =>
  object('v1', 'Service', name, { spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }], ...spec } })
const of = (name: string, objects: DesiredDocument['objects'], more: Partial<DesiredDocument> = {}) =>
  document(objects, { application: { name, uid: `${name}-1` }, ...more })
const targets = (plan: ReturnType<ReturnType<typeof toy>['pass']>) =>
  plan.dataPlane.endpoints.map(({ targetPort, state }) => `${targetPort} ${state}`)

function served(objects: DesiredDocument['objects']) {
  const node = toy(document(objects))
  node.rest()
  node.ready()
  node.rest()
  return node
}

t.test('a ready pod stands behind its Service, a terminating one drains, one that is not ready gets nothing', async t => {
  const node = toy(document([deployment(), service()]))
  t.same(node.rest().dataPlane.endpoints, [])

  node.ready()
  t.same(targets(node.pass()), ['8080 ready', '8080 ready', '8080 ready'])
  node.change(pod => pod === node.pods[0], { terminating: true, ready: false })

  t.same(targets(node.pass()).sort(), ['8080 draining', '8080 ready', '8080 ready'])
})

t.test('publishNotReadyAddresses counts every pod', async t => {
  const node = toy(document([deployment(), service({ publishNotReadyAddresses: true })]))
  node.rest()

  t.equal(node.pass().dataPlane.endpoints.length, 3)
})

t.test('each pod keeps the port mapping of its own release', async t => {
  const v1 = deployment({}, {}, 'web', { ports: [{ containerPort: 8080 }] })
  const v2 = deployment({}, {}, 'web', { image: 'web:2', ports: [{ containerPort: 9090 }] })
  const node = served([v1, service({ ports: [{ port: 80, targetPort: 8080 }] })])
  node.documents = [document([v2, service({ ports: [{ port: 80, targetPort: 9090 }] })], { generation: 2 })]
  node.rest()
  node.ready()

  t.same([...new Set(targets(node.pass()))].sort(), ['8080 ready', '9090 ready'])
})

t.test('a Service that changes a wave ahead of its workload goes on reaching the old pods', async t => {
  const v1 = deployment({}, {}, 'web', { ports: [{ containerPort: 8080 }] })
  const node = served([v1, service({ ports: [{ port: 80, targetPort: 8080 }] })])
  node.documents = [document([v1, service({ ports: [{ port: 80, targetPort: 9090 }] })], { generation: 2 })]

  t.same(new Set(targets(node.pass())), new Set(['8080 ready']))
})

t.test('a pod without a readiness probe is gated on the ports of its Services', async t => {
  const probed = { readinessProbe: { tcpSocket: { port: 'http' } } }
  const table: readonly [string, object, object[], readonly number[]][] = [
    ['no probe', {}, [service()], [8080]],
    ['a readiness probe', probed, [service()], []],
    ['no Service', {}, [], []],
    ['a Service of other pods', {}, [service({ selector: { app: 'other' } })], []],
    ['two Services', {}, [service(), service({ ports: [{ port: 1, targetPort: 9 }] }, 'admin')], [9, 8080]],
  ]
  for (const [what, own, services, gates] of table) {
    const node = toy(document([deployment({ replicas: 1 }, {}, 'web', own), ...(services as DesiredDocument['objects'])]))
    node.rest()
    t.same(node.pods[0]!.record.gatePorts, gates, what)
  }
})

t.test('pods of two applications with the same labels do not mix', async t => {
  const node = toy(
    of('a', [deployment({ replicas: 1 }, {}, 'web'), service()]),
    of('b', [{ ...deployment({ replicas: 2 }), metadata: { name: 'web2', namespace: 'shop' } }]),
  )
  node.rest()
  node.ready()

  const plan = node.rest()

  t.equal(node.pods.length, 3)
  t.same(
    plan.dataPlane.endpoints.map(endpoint => endpoint.podUid),
    node.pods.filter(pod => pod.record.application.name === 'a').map(pod => pod.record.uid),
  )
})

t.test('a Service without a workload of its own application reaches those of its namespace', async t => {
  const node = toy(of('a', [service()]), of('b', [deployment({ replicas: 1 })]))
  node.rest()
  node.ready()

  t.equal(node.rest().dataPlane.endpoints.length, 1)
})

t.test('of two applications that claim one object the one that has it keeps it', async t => {
  const node = toy(of('b', [deployment({ replicas: 1 })]))
  node.rest()
  const pod = node.pods[0]!.record.uid
  node.documents = [...node.documents, of('a', [deployment({ replicas: 5 })])]

  const plan = node.rest()

  t.same(
    node.pods.map(({ record }) => record.uid),
    [pod],
  )
  t.match(plan.objects.a![0]!.status, {
    conditions: [{ reason: 'FailedCreate' }, { reason: 'ObjectClaimed', message: /claimed by application b and by a/ }],
  })
})

t.test('absence of a document ends nothing, a tombstone ends everything of its application', async t => {
  const node = toy(of('a', [deployment({ replicas: 1 }, {}, 'one')]), of('b', [deployment({ replicas: 1 }, {}, 'two')]))
  node.rest()
  const documents = node.documents
  node.documents = []
  t.same(node.rest().terminate, [])
  t.equal(node.pods.filter(pod => !pod.terminating).length, 2)

  node.documents = [{ ...documents[0]!, deleted: true, objects: [] }, documents[1]!]
  node.rest()

  t.same(
    node.pods.filter(pod => pod.terminating).map(pod => pod.record.application.name),
    ['a'],
  )
})

t.test('what leaves the document is ended; pods of a former application of the name are taken over, or ended', async t => {
  const node = toy(of('a', [deployment({ replicas: 1 }, {}, 'one'), deployment({ replicas: 1 }, {}, 'two')]))
  node.rest()
  node.documents = [of('a', [deployment({ replicas: 1 }, {}, 'one')], { generation: 2 })]
  node.rest()
  t.same(
    node.pods.filter(pod => pod.terminating).map(pod => pod.record.workload?.name),
    ['two'],
  )
  node.gone()

  const again = { epoch: 2, application: { name: 'a', uid: 'a-2' } }
  node.documents = [of('a', [deployment({ replicas: 1 }, {}, 'one')], again)]
  node.rest()
  t.same(
    node.pods.map(pod => [pod.record.application.uid, pod.terminating]),
    [['a-2', false]],
  )

  node.documents = [of('a', [deployment({ replicas: 1 }, {}, 'other')], { ...again, application: { name: 'a', uid: 'a-3' } })]
  node.rest()
  t.same(
    node.pods.map(pod => [pod.record.application.uid, pod.record.workload?.name, pod.terminating]),
    [
      ['a-2', 'one', true],
      ['a-3', 'other', false],
    ],
  )
})

t.test('what one application was let go of, another takes over: its pods go on, and its traffic too', async t => {
  const objects = [deployment({ replicas: 2 }), service()]
  const node = toy(of('old', [...objects, deployment({ replicas: 1 }, {}, 'left')]))
  node.rest()
  node.ready()
  const [before, memory] = [node.pods.map(pod => pod.record.uid), node.memory]
  node.documents = [{ ...node.documents[0]!, generation: 2, letGo: true }]
  t.same(node.rest().handOver, [], 'nobody names it: it goes on')
  t.equal(node.memory.old?.['apps/Deployment/shop/web']?.uid, memory.old?.['apps/Deployment/shop/web']?.uid)

  node.documents = [...node.documents, of('new', objects)]
  const first = node.pass()
  const plan = node.rest()

  t.same([first.create, first.terminate], [[], []], 'nothing is started or ended')
  t.same(
    first.handOver.map(({ application }) => application.name),
    ['new', 'new'],
  )
  t.same(
    first.dataPlane.endpoints.map(({ state }) => state),
    ['ready', 'ready'],
  )
  t.same(
    node.pods.map(pod => pod.record.uid),
    before,
  )
  t.same(plan.handOver, [], 'once')
  t.match(
    plan.objects.new?.map(({ ref, status }) => [ref.kind, status.readyReplicas]),
    [
      ['Deployment', 2],
      ['Service', undefined],
    ],
  )
  t.same(
    plan.objects.old?.map(({ ref }) => ref.name),
    ['left'],
    'what nobody names stays where it was',
  )

  node.documents = [node.documents[0]!, { ...node.documents[1]!, generation: 2, deleted: true, objects: [] }]
  node.rest()
  t.same(
    node.pods.filter(pod => !pod.terminating).map(pod => pod.record.workload?.name),
    ['left'],
    'and ends with its new owner',
  )
})

t.test('who is named by two belongs to the living one; two living ones are held apart', async t => {
  const of2 = (name: string, letGo: boolean) => of(name, [deployment({ replicas: 1 })], { letGo })
  const key = 'apps/Deployment/shop/web'
  const table: readonly [string, readonly DesiredDocument[], object, string | undefined][] = [
    ['the first by name', [of2('a', false), of2('b', false)], {}, 'a'],
    ['the one that has it', [of2('a', false), of2('b', false)], { b: { [key]: {} } }, 'b'],
    ['not the one that was let go of it', [of2('a', true), of2('b', false)], { a: { [key]: {} } }, 'b'],
    ['the one that was let go of it, where nobody else names it', [of2('a', true)], { a: { [key]: {} } }, 'a'],
    ['nobody: taken over before, and deleted since', [of2('a', true)], { a: {} }, undefined],
  ]
  for (const [what, documents, memory, owner] of table) t.equal(claims(documents, memory as never).get(key), owner, what)
})

t.test(
  'with its memory lost, what was let go goes on: its pods, its Service and what they are made of; nothing is started',
  async t => {
    const left = [deployment({ replicas: 1 }), service(), object('v1', 'ConfigMap', 'settings', { data: { a: '1' } })]
    const node = toy(
      of('old', [...left, deployment({ replicas: 1 }, {}, 'taken'), service({ selector: { app: 'taken' } }, 'taken')]),
    )
    node.rest()
    node.ready()
    node.documents = [{ ...node.documents[0]!, generation: 2, letGo: true }]
    node.rest()
    const taken = [deployment({ replicas: 1 }, {}, 'taken')]
    node.documents = [...node.documents, of('new', taken)]
    node.rest()
    node.documents = [
      node.documents[0]!,
      of('new', taken, { generation: 2, letGo: true }),
      of('newest', [service({ selector: { app: 'nobody' } }, 'taken')]),
    ]
    node.rest()
    const pods = node.pods.map(pod => pod.record.uid)

    node.memory = {}
    const plan = node.pass()

    t.same([plan.create, plan.terminate, plan.handOver], [[], [], []])
    t.same(targets(plan), ['8080 ready'])
    const kept = (name: string) => plan.objects[name]?.map(({ ref }) => `${ref.kind} ${ref.name}`)
    t.same(kept('old'), ['Deployment web', 'Service web', 'ConfigMap settings'])
    t.same(kept('new'), ['Deployment taken'])
    node.documents = [node.documents[0]!, { ...node.documents[1]!, generation: 3, deleted: true, objects: [] }]
    node.rest()
    node.gone()
    node.memory = {}
    t.same(node.rest().create, [], 'what ended with who had taken it over does not begin again')
    t.same(
      node.pods.map(pod => pod.record.uid),
      pods.slice(0, 1),
    )
  },
)

t.test('an object that is refused leaves its pods as they are and says why', async t => {
  const node = toy(document([deployment({ replicas: 1 })]))
  node.rest()
  node.refusals = ({ ref }) => [{ object: ref, reason: 'HostPolicy', message: 'no', transient: false }]
  node.documents = [document([deployment({ replicas: 1 }, {}, 'web', { image: 'web:2' })], { generation: 2 })]

  const plan = node.rest()

  t.same(
    node.pods.map(pod => pod.terminating),
    [false],
  )
  t.match(plan.objects.shop![0]!.status, {
    conditions: [{ type: 'ReplicaFailure', reason: 'FailedCreate' }, { reason: 'HostPolicy' }],
  })
})

t.test('a bare Pod is replaced when it changes, and not run again after its end', async t => {
  const pod = (image: string, more: object = {}) =>
    object('v1', 'Pod', 'once', { spec: { restartPolicy: 'Never', containers: [container({ image })], ...more } })
  const node = toy(document([pod('a:1')]))
  node.rest()
  t.same(
    node.pods.map(({ record }) => record.name),
    ['once'],
  )
  node.change(() => true, { phase: 'Succeeded', finishedAt: node.now })
  node.rest()
  node.pods = []
  t.match(node.rest().objects.shop![0]!.status, { phase: 'Succeeded' })
  t.equal(node.pods.length, 0)

  node.documents = [document([pod('a:2')], { generation: 2 })]
  node.rest()

  t.equal(node.pods.length, 1)
})

t.test('a ReplicaSet keeps its number and leaves old pods alone when its template changes', async t => {
  const set = (image: string) => ({ ...deployment({ replicas: 2 }, {}, 'web', { image }), kind: 'ReplicaSet' })
  const node = toy(document([set('web:1')]))
  node.rest()
  node.documents = [document([set('web:2')], { generation: 2 })]
  node.rest()
  t.same(
    node.pods.map(pod => pod.record.spec.containers[0]!.image),
    ['web:1', 'web:1'],
  )

  node.pods = node.pods.slice(1)
  node.rest()

  t.same(
    node.pods.map(pod => pod.record.spec.containers[0]!.image),
    ['web:1', 'web:2'],
  )
})

t.test('objects without a life of their own report what Kubernetes would', async t => {
  const claim = object('v1', 'PersistentVolumeClaim', 'data', {
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  })
  const node = toy(document([object('v1', 'Namespace', 'shop'), claim, object('v1', 'ServiceAccount', 'web')]))

  const statuses = node.rest().objects.shop!.map(({ ref, status }) => [ref.kind, status])

  t.same(statuses, [
    ['Namespace', { phase: 'Active' }],
    ['PersistentVolumeClaim', { phase: 'Bound', accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' } }],
    ['ServiceAccount', {}],
  ])
})

t.test('a report says the same until something but its time changes', async t => {
  const node = served([deployment({ replicas: 1 }), service({ type: 'LoadBalancer' })])
  const report = (now: number) =>
    reportOf({
      document: node.documents[0]!,
      objects: node.pass().objects.shop!,
      pods: node.pods,
      preflight: null,
      addresses: () => ({ clusterIP: '10.210.0.1', nodePorts: { 80: 30000 }, external: ['192.0.2.1'] }),
      now,
    })
  const first = report(epoch)

  t.equal(textOf(first), textOf(report(epoch + second)))
  t.match(first.objects[1]!.status, { clusterIP: '10.210.0.1', loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } })
  t.match(first.pods, [
    { ready: true, available: true, workload: { kind: 'Deployment', name: 'web' }, owner: { kind: 'ReplicaSet' } },
  ])
  node.pods = [view(node.pods[0]!.record, { reason: 'OOMKilled' })]
  t.not(textOf(first), textOf(report(epoch)))
})

t.test('a deletion is reported once nothing is left', async t => {
  const node = served([deployment({ replicas: 1 })])
  node.documents = [{ ...node.documents[0]!, deleted: true, objects: [] }]
  node.rest()
  const report = () =>
    reportOf({
      document: node.documents[0]!,
      objects: [],
      pods: node.pods,
      preflight: null,
      addresses: () => ({ clusterIP: '', nodePorts: {}, external: [] }),
      now: epoch,
    })

  t.notOk(report().deleted)
  node.gone()
  t.ok(report().deleted)
})

t.test('of what came to rest nothing is planned again until something that its plan was made from changes', async t => {
  const [document, pod, other, memory] = [{}, {}, {}, { web: 1 }]
  const asked = { basis: [document, '', pod], memory, now: epoch }
  interface Plan {
    readonly create: readonly unknown[]
    readonly terminate: readonly unknown[]
    readonly memory: unknown
    readonly wakeAt: number | null
  }
  const resting: Plan = { create: [], terminate: [], memory: { web: 1 }, wakeAt: epoch + second }
  const cases: readonly [string, Partial<Plan>, Partial<Asked>, number][] = [
    ['nothing', {}, {}, 1],
    ['time, before it is to be looked at', {}, { now: epoch + second - 1 }, 1],
    ['time, when it is to be looked at', {}, { now: epoch + second }, 2],
    ['the clock, set back', {}, { now: epoch - 1 }, 2],
    ['a pod', {}, { basis: [document, '', other] }, 2],
    ['one pod more', {}, { basis: [document, '', pod, other] }, 2],
    ['a problem', {}, { basis: [document, 'taken', pod] }, 2],
    ['what is remembered', {}, { memory: { web: 1 } }, 2],
    ['nothing, but a pod was made', { create: [pod] }, {}, 2],
    ['nothing, but something new was remembered', { memory: { web: 2 } }, {}, 2],
  ]
  for (const [change, more, next, times] of cases) {
    const kept: KeptPlans<Plan> = new Map()
    let made = 0
    const make = () => {
      made++
      return { ...resting, ...more }
    }
    keptPlan(kept, 'shop', asked, make)
    keptPlan(kept, 'shop', { ...asked, ...next }, make)
    t.equal(made, times, change)
  }
})

t.test('objects that a newer document says over again keep the value that they had', async t => {
  const [web, api] = [deployment({}, {}, 'web'), deployment({}, {}, 'api')]
  const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T
  const asking = { release: 'r2', round: 1, objects: [copy(web), copy(api)], digests: {} }

  const asked = withKnownObjects(document([copy(web)], { preflight: asking }), document([web]))
  const applied = withKnownObjects(document([copy(web), copy(api)]), asked)

  t.same(asked, document([web], { preflight: asking }))
  t.equal(asked.objects[0], web)
  t.equal(asked.preflight?.objects[0], web)
  t.equal(applied.objects[0], web)
  t.equal(applied.objects[1], asked.preflight?.objects[1])
  t.equal(withKnownObjects(asked, null), asked)
})
