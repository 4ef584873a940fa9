import { createServer } from 'node:net'
import t from 'tap'
import type { DesiredDocument, PreflightAnswer } from '../../runtime/contract/documents.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { portTaken } from '../../runtime/host.js'
import { createPreflights, type PreflightWorld, preflight } from '../../runtime/preflight.js'
import { container, deployment, document, object } from '../support/node.js'

/** A node with 4 cores and 8 GB that has every image and listens nowhere. */
function world(more: Partial<PreflightWorld> = {}): PreflightWorld {
  return {
    node: 'here',
    documents: () => [],
    memory: () => ({}),
    refusals: () => [],
    ensureImage: async ref => ({ digest: `sha256:${ref}` }),
    conflicts: async () => [],
    portTaken: async () => false,
    heldPorts: () => [],
    capacity: () => ({ cpuMillis: 4000, memoryBytes: 8 * 2 ** 30, pods: 110 }),
    ...more,
  }
}

function asking(objects: readonly Manifest[], digests: Record<string, string> = {}): DesiredDocument {
  return document([], { preflight: { release: 'r2', round: 1, objects, digests } })
}

async function ask(
  objects: readonly Manifest[],
  more: Partial<PreflightWorld> = {},
  digests: Record<string, string> = {},
): Promise<PreflightAnswer> {
  const question = asking(objects, digests)
  return preflight(question, question.preflight!, world(more), () => {}, new AbortController().signal)
}

const service = (nodePort: number, name = 'web') =>
  object('v1', 'Service', name, { spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, nodePort }] } })
const reading = (from: object) => deployment({}, {}, 'web', { envFrom: [from] })

t.test('a release that can run passes, with what its images mean', async t => {
  t.match(await ask([deployment(), service(30080)]), { state: 'passed', problems: [], digests: { 'web:1': 'sha256:web:1' } })
})

t.test('everything that stands in the way is named', async t => {
  const other = (objects: readonly Manifest[]) => ({
    documents: () => [document(objects, { application: { name: 'other', uid: 'o' } })],
  })
  const own = (objects: readonly Manifest[]) => ({ documents: () => [document(objects)] })
  const hostPort = (spec: object = {}) =>
    deployment({ replicas: 1, ...spec }, {}, 'web', { ports: [{ containerPort: 80, hostPort: 8080 }] })
  const asks = (resources: object, replicas = 1) => deployment({ replicas }, {}, 'web', { resources })
  const missing = async () => ({ reason: 'ErrImagePull', message: 'web:1: not found', transient: true })
  const table: readonly [string, readonly Manifest[], Partial<PreflightWorld>, string, RegExp][] = [
    ['an unknown field', [deployment({ foo: 1 })], {}, 'UnknownField', /spec.foo/],
    ['an unknown kind', [object('apps/v1', 'StatefulSet', 'db')], {}, 'UnsupportedKind', /StatefulSet/],
    ['an object without a namespace', [{ ...deployment(), metadata: { name: 'web' } }], {}, 'InvalidValue', /metadata.namespace/],
    [
      'an object that is there twice',
      [deployment(), deployment()],
      {},
      'Duplicate',
      /Deployment shop\/web is in the release twice/,
    ],
    [
      'an object of another application',
      [deployment()],
      other([deployment()]),
      'ObjectClaimed',
      /claimed by application other and by shop/,
    ],
    ['an image that is not there', [deployment()], { ensureImage: missing }, 'ErrImagePull', /not found/],
    [
      'an engine that does not answer',
      [deployment()],
      { ensureImage: () => Promise.reject(new Error('no engine')) },
      'ErrImagePull',
      /no engine/,
    ],
    [
      'a Secret that is nowhere',
      [reading({ secretRef: { name: 'db' } })],
      {},
      'MissingReference',
      /names Secret db, which is not among the objects of shop/,
    ],
    ['a ConfigMap that is nowhere', [reading({ configMapRef: { name: 'c' } })], {}, 'MissingReference', /ConfigMap c/],
    [
      'more memory than the node has',
      [asks({ requests: { memory: '9Gi' } })],
      {},
      'Unschedulable',
      /9216Mi of memory, the node has 8192Mi/,
    ],
    ['far more', [asks({ requests: { memory: '900Gi' } })], {}, 'Unschedulable', /900Gi of memory, the node has 8192Mi/],
    ['more in all replicas', [asks({ limits: { cpu: '1500m' } }, 3)], {}, 'Unschedulable', /its 3 pods request 4500m/],
    [
      'more in all workloads',
      [asks({ requests: { cpu: 3 } }), { ...asks({ requests: { cpu: 3 } }), metadata: { name: 'b', namespace: 'shop' } }],
      {},
      'Unschedulable',
      /together request 6000m/,
    ],
    ['more pods than a node runs', [deployment({ replicas: 111 })], {}, 'Unschedulable', /111 pods are more/],
    ['another node', [deployment({}, { nodeName: 'there' })], {}, 'Unschedulable', /nodeName is there/],
    [
      'two pods on one host port',
      [hostPort({ replicas: 2 })],
      {},
      'Unschedulable',
      /host port 8080 can be held by one pod only, and replicas is 2/,
    ],
    [
      'a host port of another application',
      [hostPort()],
      { heldPorts: () => [{ port: 8080, application: 'other' }] },
      'PortInUse',
      /held by application other/,
    ],
    ['a host port in use', [hostPort()], { portTaken: async port => port === 8080 }, 'PortInUse', /in use on the node/],
    [
      'a node port of another application',
      [deployment(), service(30080)],
      other([service(30080, 'theirs')]),
      'PortInUse',
      /held by Service shop\/theirs of application other/,
    ],
    [
      'a node port in use',
      [deployment(), service(30080)],
      { conflicts: async () => [{ service: 'shop/web', message: 'taken by sshd' }] },
      'PortInUse',
      /taken by sshd/,
    ],
  ]
  for (const [what, objects, more, reason, message] of table) {
    const answer = await ask(objects, more)
    t.equal(answer.state, 'refused', what)
    t.match(
      answer.problems.map(problem => ({ ...problem })),
      [{ reason, message }],
      what,
    )
    t.equal(answer.problems.length, 1, `${what}, and nothing else`)
  }
  t.equal(
    (await ask([hostPort()], { heldPorts: () => [{ port: 8080, application: 'shop' }] })).state,
    'passed',
    'its own host port',
  )
  t.equal((await ask([deployment(), service(30080)], own([service(30080)]))).state, 'passed', 'its own node port')
})

t.test('all problems come at once', async t => {
  const answer = await ask([
    deployment({ foo: 1, bar: 2 }),
    object('v1', 'Endpoints', 'x'),
    reading({ secretRef: { name: 'db' } }),
  ])

  t.same(
    answer.problems.map(problem => problem.reason),
    ['UnknownField', 'UnknownField', 'UnsupportedKind', 'Duplicate', 'MissingReference'],
  )
})

t.test('what is optional, or in the same namespace by another application, is no problem', async t => {
  const secret = object('v1', 'Secret', 'db')
  t.equal((await ask([reading({ secretRef: { name: 'db', optional: true } })])).state, 'passed')
  t.equal(
    (
      await ask([reading({ secretRef: { name: 'db' } })], {
        documents: () => [document([secret], { application: { name: 'o', uid: 'o' } })],
      })
    ).state,
    'passed',
  )
  t.equal(
    (await ask([reading({ secretRef: { name: 'db' } })], { documents: () => [document([secret])] })).state,
    'refused',
    'not what the release drops',
  )
})

t.test('what must stop first is announced', async t => {
  const claim = object('v1', 'PersistentVolumeClaim', 'data', {
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  })
  const mounted = deployment(
    { replicas: 1 },
    {
      volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }],
      containers: [container({ volumeMounts: [{ name: 'd', mountPath: '/d' }] })],
    },
  )

  t.same((await ask([mounted, claim])).warnings, ['Deployment shop/web: stop-first, because claim data is ReadWriteOnce'])
  const moved = await ask([deployment(), service(30080, 'renamed')], { documents: () => [document([service(30080)])] })
  t.match(
    [moved.state, moved.warnings],
    ['passed', [/node port 30080 is held by Service shop\/web of the running release: stop-first/]],
  )
})

t.test('an image is asked for by the digest that the release was tried with, and with its pull secret', async t => {
  const config = '{"auths":{"r.example":{"auth":"eDp5"}}}'
  const secret = object('v1', 'Secret', 'pull', { stringData: { '.dockerconfigjson': config } })
  const asked: unknown[] = []
  const ensureImage: PreflightWorld['ensureImage'] = async (ref, policy, configs, pinned) => {
    asked.push([ref, policy, configs, pinned])
    return { digest: pinned ?? 'new' }
  }

  await ask([deployment({}, { imagePullSecrets: [{ name: 'pull' }] }), secret], { ensureImage }, { 'web:1': 'sha256:then' })

  t.same(asked, [['web:1', 'IfNotPresent', [config], 'sha256:then']])
})

t.test('a question is answered once, another round asks again, and none ends it', async t => {
  let asked = 0
  const ending = new AbortController()
  const changed = { resolve: () => {} }
  const ensureImage = async () => ({ digest: `d${++asked}` })
  const preflights = createPreflights(world({ ensureImage }), () => changed.resolve(), ending.signal)
  const answered = async (question: DesiredDocument) => {
    preflights.ask(question)
    while (preflights.answer(question)?.state === 'running') await new Promise<void>(resolve => (changed.resolve = resolve))
    return preflights.answer(question)?.digests['web:1']
  }
  const question = asking([deployment()])

  t.equal(await answered(question), 'd1')
  t.equal(await answered({ ...question, generation: 7 }), 'd1')
  t.equal(await answered({ ...question, preflight: { ...question.preflight!, round: 2 } }), 'd2')
  preflights.ask({ ...question, preflight: null })
  t.equal(preflights.answer({ ...question, preflight: null }), null)
})

t.test('progress says what is being pulled', async t => {
  const said: string[] = []
  const question = asking([deployment(), deployment({}, {}, 'b', { image: 'b:1' })])

  await preflight(question, question.preflight!, world(), text => said.push(text), new AbortController().signal)

  t.same(said.sort(), ['pulling b:1, 0 of 2 images present', 'pulling web:1, 0 of 2 images present'])
})

t.test('a port that somebody listens on is taken', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as { port: number }

  t.equal(await portTaken(port, '127.0.0.1'), true)
  await new Promise(resolve => server.close(resolve))
  t.equal(await portTaken(port, '127.0.0.1'), false)
})
