import t from 'tap'
import type { Manifest } from '../../runtime/contract/manifest.js'
import type { PodView } from '../../runtime/pods/types.js'
import { type Revision, resolveBounds, rollingStep, scaleStep } from '../../runtime/workloads/rolling.js'
import { container, deployment, document, object, observedContainer, toy } from '../support/node.js'

const second = 1000
const alive = (pods: readonly PodView[]) => pods.filter(pod => !pod.terminating)
const image = (pod: PodView) => pod.record.spec.containers[0]!.image
const isNew = (pod: PodView) => image(pod) === 'web:2'
const hashes = (pods: readonly PodView[]) => new Set(alive(pods).map(pod => pod.record.templateHash)).size

function web(image: string, spec: object = {}, pod: object = {}): Manifest {
  return deployment(spec, pod, 'web', { image })
}

/** A node on which web:1 runs and is ready. */
function settled(spec: object = {}, pod: object = {}, others: readonly Manifest[] = []) {
  const node = toy(document([web('web:1', spec, pod), ...others]))
  node.rest()
  node.ready()
  node.rest()
  return node
}

function push(node: ReturnType<typeof toy>, objects: readonly Manifest[], generation = 2) {
  node.documents = [document(objects, { generation, attempt: generation, release: `r${generation}` })]
}

type Status = {
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[]
  readonly [field: string]: unknown
}

function status(plan: { readonly objects: Readonly<Record<string, readonly { readonly status: object }[]>> }): Status {
  return plan.objects.shop![0]!.status as Status
}

function progressing(plan: Parameters<typeof status>[0]): string {
  const condition = status(plan).conditions.find(candidate => candidate.type === 'Progressing')!
  return `${condition.status} ${condition.reason}`
}

t.test('maxSurge is rounded up, maxUnavailable down, and never both zero', async t => {
  const table = [
    ['25%', '25%', 3, false, 1, 0],
    ['25%', '25%', 1, false, 1, 0],
    ['25%', '25%', 10, false, 3, 2],
    [0, '25%', 3, false, 0, 1],
    [0, '50%', 4, false, 0, 2],
    [2, 0, 3, false, 2, 0],
    ['25%', '25%', 1, true, 0, 1],
    ['100%', 0, 2, true, 0, 1],
  ] as const
  for (const [maxSurge, maxUnavailable, replicas, exclusive, surge, unavailable] of table) {
    const bounds = resolveBounds({ type: 'RollingUpdate', maxSurge, maxUnavailable }, replicas, exclusive)
    t.same(bounds, { surge, unavailable }, `${maxSurge}/${maxUnavailable} of ${replicas}${exclusive ? ', exclusive' : ''}`)
  }
})

t.test('one sync of a rolling update does one thing', async t => {
  const revision = (hash: string, size: number, available: number, createdAt: number): Revision => ({
    hash,
    revision: createdAt,
    size,
    available,
    createdAt,
  })
  const table: readonly [string, readonly Revision[], number, { surge: number; unavailable: number }, Record<string, number>][] =
    [
      [
        'the new one grows by the surge',
        [revision('a', 3, 3, 1), revision('b', 0, 0, 2)],
        3,
        { surge: 1, unavailable: 0 },
        { a: 3, b: 1 },
      ],
      [
        'nothing while the new pod is not available',
        [revision('a', 3, 3, 1), revision('b', 1, 0, 2)],
        3,
        { surge: 1, unavailable: 0 },
        { a: 3, b: 1 },
      ],
      [
        'an old one goes once it is',
        [revision('a', 3, 3, 1), revision('b', 1, 1, 2)],
        3,
        { surge: 1, unavailable: 0 },
        { a: 2, b: 1 },
      ],
      [
        'without surge an old one goes first',
        [revision('a', 3, 3, 1), revision('b', 0, 0, 2)],
        3,
        { surge: 0, unavailable: 1 },
        { a: 2, b: 0 },
      ],
      [
        'unhealthy old pods go at once',
        [revision('a', 3, 1, 1), revision('b', 1, 0, 2)],
        3,
        { surge: 1, unavailable: 0 },
        { a: 3, b: 1 },
      ],
      [
        'unhealthy old pods go within the bound',
        [revision('a', 2, 2, 1), revision('c', 1, 0, 2), revision('b', 1, 1, 3)],
        3,
        { surge: 1, unavailable: 0 },
        { a: 2, b: 1, c: 0 },
      ],
      [
        'the oldest revision first',
        [revision('a', 1, 1, 1), revision('c', 1, 1, 2), revision('b', 2, 2, 3)],
        3,
        { surge: 1, unavailable: 0 },
        { a: 0, b: 2, c: 1 },
      ],
      ['too many new ones shrink', [revision('b', 5, 5, 3)], 3, { surge: 1, unavailable: 0 }, { b: 3 }],
    ]
  for (const [what, revisions, replicas, bounds, expected] of table) {
    t.same(Object.fromEntries(rollingStep(revisions, 'b', replicas, bounds)), expected, what)
  }
})

t.test('scaling in mid-rollout is proportional', async t => {
  const revisions = [
    { hash: 'a', revision: 1, size: 8, available: 8, createdAt: 1 },
    { hash: 'b', revision: 2, size: 5, available: 0, createdAt: 2 },
  ]

  const sizes = scaleStep(revisions, 'b', 15, { surge: 3, unavailable: 2 }, 13)

  t.same(Object.fromEntries(sizes), { a: 11, b: 7 })
})

t.test('three replicas roll one after another, never fewer than three available', async t => {
  const node = settled()
  t.equal(alive(node.pods).length, 3)
  push(node, [web('web:2')])

  for (let round = 0; round < 3; round++) {
    node.rest()
    t.equal(alive(node.pods).filter(pod => pod.ready).length, 3, 'three serve')
    t.ok(alive(node.pods).length <= 4, 'at most one more')
    node.ready()
  }
  const plan = node.rest()

  t.ok(alive(node.pods).every(isNew))
  t.equal(alive(node.pods).length, 3)
  t.equal(progressing(node.rest()), 'True NewReplicaSetAvailable')
  t.match(status(plan), { replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3, unavailableReplicas: 0 })
})

t.test('pods that could not be ended yet are not counted on when more are to be ended', async t => {
  for (let stuck = 1; stuck < 8; stuck++) {
    const node = settled()
    push(node, [web('web:2')])
    for (let passes = 0; passes < stuck; passes++) {
      const before = node.pods
      node.pass()
      node.pods = node.pods.map(pod => before.find(({ record }) => record.uid === pod.record.uid) ?? pod)
      node.ready(pod => !pod.ready)
    }

    node.pass()

    t.ok(alive(node.pods).filter(pod => pod.ready).length >= 3, `three are left when steering is back after ${stuck} passes`)
  }
})

t.test('a clock that is set back makes nobody unavailable', async t => {
  const node = settled({ minReadySeconds: 10 })
  node.now -= 3600 * second

  t.equal(status(node.pass()).availableReplicas, 3)
})

t.test('a single replica is replaced start-first', async t => {
  const node = settled({ replicas: 1 })
  push(node, [web('web:2', { replicas: 1 })])

  node.rest()
  t.equal(alive(node.pods).length, 2)
  node.ready()
  node.rest()

  t.same(alive(node.pods).map(image), ['web:2'])
})

t.test('minReadySeconds holds the old pods until the new ones have been ready that long', async t => {
  const node = settled({ replicas: 1, minReadySeconds: 10 })
  node.now += 20 * second
  node.rest()
  push(node, [web('web:2', { replicas: 1, minReadySeconds: 10 })])
  node.rest()
  node.ready(isNew)

  const waiting = node.rest()
  t.equal(alive(node.pods).length, 2, 'ready, not yet available')
  t.equal(waiting.wakeAt, node.now + 10 * second)
  node.now += 10 * second
  node.rest()

  t.same(alive(node.pods).map(image), ['web:2'])
})

t.test('Recreate starts nothing new before the last old container is gone', async t => {
  const node = settled({ strategy: { type: 'Recreate' } })
  push(node, [web('web:2', { strategy: { type: 'Recreate' } })])

  node.rest()
  t.equal(alive(node.pods).length, 0)
  t.equal(node.pods.length, 3, 'all three still end')
  node.gone()
  node.rest()

  t.equal(alive(node.pods).filter(isNew).length, 3)
})

t.test('what two pods cannot hold at once is stopped first', async t => {
  const claim = { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }], containers: [] as object[] }
  const mounted = (image: string) => ({
    ...claim,
    containers: [container({ image, volumeMounts: [{ name: 'data', mountPath: '/data' }] })],
  })
  const table: readonly [string, (image: string) => Manifest][] = [
    ['a host port', image => deployment({ replicas: 1 }, {}, 'web', { image, ports: [{ containerPort: 80, hostPort: 80 }] })],
    ['the host network', image => web(image, { replicas: 1 }, { hostNetwork: true })],
    ['a ReadWriteOnce claim', image => deployment({ replicas: 1 }, mounted(image))],
  ]
  for (const [what, manifest] of table) {
    const node = toy(document([manifest('web:1')]))
    node.rest()
    node.ready()
    node.rest()
    push(node, [manifest('web:2')])

    node.rest()
    t.equal(alive(node.pods).length, 0, `${what}: the old one ends`)
    node.gone()
    node.rest()

    t.same(node.pods.map(image), ['web:2'], `${what}: then the new one starts`)
  }
})

t.test('a paused Deployment rolls nothing, but scales', async t => {
  const node = settled()
  push(node, [web('web:2', { paused: true, replicas: 5 })])

  node.rest()

  t.equal(alive(node.pods).length, 5)
  t.notOk(alive(node.pods).some(isNew))
  t.equal(progressing(node.rest()), 'Unknown DeploymentPaused')
  push(node, [web('web:2', { replicas: 5 })], 3)
  node.rest()
  t.ok(alive(node.pods).some(isNew))
})

t.test('a rollout without progress exceeds its deadline, and progress restarts the clock', async t => {
  const node = settled()
  push(node, [web('web:2', { progressDeadlineSeconds: 60 })])
  const begun = node.now
  t.equal(node.rest().wakeAt, begun + 60 * second)
  node.now += 50 * second
  node.ready()
  node.rest()

  node.now += 50 * second
  t.equal(progressing(node.rest()), 'True ReplicaSetUpdated')
  node.now += 11 * second
  t.equal(progressing(node.rest()), 'False ProgressDeadlineExceeded')
  t.equal(alive(node.pods).filter(pod => pod.ready).length >= 3, true, 'the old ones go on serving')
})

t.test('going back keeps the pods that still run, and ends the failed ones', async t => {
  const node = settled()
  const before = alive(node.pods).map(pod => pod.record.uid)
  push(node, [web('web:2')])
  node.rest()
  t.equal(alive(node.pods).filter(isNew).length, 1)

  push(node, [web('web:1')], 3)
  node.rest()

  t.same(
    alive(node.pods).map(pod => pod.record.uid),
    before,
  )
  t.equal(progressing(node.rest()), 'True NewReplicaSetAvailable')
})

t.test('going back in mid-rollout brings back as many as are missing', async t => {
  const node = settled()
  push(node, [web('web:2')])
  node.rest()
  node.ready()
  node.rest()
  t.equal(alive(node.pods).filter(pod => !isNew(pod)).length, 2)

  push(node, [web('web:1')], 3)
  node.rest()
  node.ready()
  node.rest()

  t.equal(alive(node.pods).length, 3)
  t.notOk(alive(node.pods).some(isNew))
})

t.test('a changed ConfigMap or Secret rolls the pods that read it, an unrelated one touches nothing', async t => {
  const reads = {
    containers: [
      container({
        envFrom: [{ configMapRef: { name: 'settings' } }],
        env: [{ name: 'P', valueFrom: { secretKeyRef: { name: 'db', key: 'p' } } }],
      }),
    ],
  }
  const config = (value: string) => object('v1', 'ConfigMap', 'settings', { data: { value } })
  const secret = (p: string) => object('v1', 'Secret', 'db', { stringData: { p } })
  const other = (value: string) => object('v1', 'ConfigMap', 'other', { data: { value } })
  const node = settled({}, reads, [config('1'), secret('1'), other('1')])
  const table: readonly [string, readonly Manifest[], boolean][] = [
    ['nothing', [config('1'), secret('1'), other('1')], false],
    ['another ConfigMap', [config('1'), secret('1'), other('2')], false],
    ['its ConfigMap', [config('2'), secret('1'), other('1')], true],
    ['its Secret', [config('1'), secret('2'), other('1')], true],
    ['replicas alone', [config('1'), secret('1'), other('1')], false],
  ]
  for (const [what, others, rolls] of table) {
    const fork = toy(
      document([web('web:1', what === 'replicas alone' ? { replicas: 4 } : {}, reads), ...others], { generation: 2, attempt: 2 }),
    )
    fork.pods = node.pods
    fork.memory = node.memory
    fork.rest()
    t.equal(hashes(fork.pods) > 1, rolls, what)
  }
  t.same(node.pods[0]!.record.secrets, { db: { p: Buffer.from('1').toString('base64') } }, 'the pod carries its own snapshot')
})

t.test('a moved tag rolls the pods when the release was tried with another digest', async t => {
  const node = settled()
  const other = { 'apps/Deployment/shop/other': { 'web:1': 'sha256:2' } }
  node.documents = [document([web('web:1')], { generation: 2, digests: other })]
  node.rest()
  t.equal(hashes(node.pods), 1, 'not those of an object that was sent with another release')

  node.documents = [document([web('web:1')], { generation: 3, digests: { 'apps/Deployment/shop/web': { 'web:1': 'sha256:2' } } })]
  node.rest()
  t.equal(hashes(node.pods), 2)
})

t.test('scaling down ends pods that are not ready first', async t => {
  const node = settled()
  const weak = node.pods[1]!.record.uid
  node.ready(pod => pod.record.uid === weak, false)
  push(node, [web('web:1', { replicas: 2 })])

  node.rest()

  t.same(
    node.pods.filter(pod => pod.terminating).map(pod => pod.record.uid),
    [weak],
  )
})

t.test('scaling up in mid-rollout grows both revisions', async t => {
  const node = settled({ replicas: 4 })
  push(node, [web('web:2', { replicas: 4 })])
  node.rest()
  t.same([alive(node.pods).filter(pod => !isNew(pod)).length, alive(node.pods).filter(isNew).length], [3, 2])
  push(node, [web('web:2', { replicas: 8 })], 3)

  node.pass()

  // 4 + 1 were allowed, 8 + 2 are: both double.
  t.same([alive(node.pods).filter(pod => !isNew(pod)).length, alive(node.pods).filter(isNew).length], [6, 4])
})

t.test('a pod that is gone is made again, of the revision it was of', async t => {
  const node = settled()
  const lost = node.pods[0]!.record.uid
  node.pods = node.pods.filter(pod => pod.record.uid !== lost)

  node.rest()

  t.equal(alive(node.pods).length, 3)
  t.equal(hashes(node.pods), 1)
})

t.test('with its memory lost the node adopts what runs and makes nothing', async t => {
  const node = settled()
  node.memory = {}

  const plan = node.pass()

  t.same([plan.create, plan.terminate], [[], []])
  t.match(status(plan), { readyReplicas: 3, updatedReplicas: 3 })
})

t.test('names of pods are host names that begin with their Deployment', async t => {
  const long = 'a'.repeat(70)
  const node = toy(document([deployment({ replicas: 1 }, {}, long)]))
  node.rest()

  t.equal(node.pods[0]!.record.name.length, 63)
  t.match(node.pods[0]!.record.name, /^a+-[0-9a-f]{10}-.{5}$/)
})

t.test('an object knows the attempt that last changed it, and so do its pods', async t => {
  const node = settled()
  push(node, [web('web:1')], 2)
  const unchanged = node.rest()
  push(node, [web('web:2')], 3)
  const changed = node.rest()

  t.equal(unchanged.objects.shop![0]!.attempt, 1)
  t.equal(changed.objects.shop![0]!.attempt, 3)
  t.same(
    alive(node.pods)
      .filter(isNew)
      .map(pod => pod.record.attempt),
    [3],
  )
})

t.test('restarts count when a pod must go', async t => {
  const node = settled({ replicas: 2 })
  const restless = node.pods[0]!.record.uid
  node.change(pod => pod.record.uid === restless, { containers: [observedContainer({ restartCount: 4 })] })
  push(node, [web('web:1', { replicas: 1 })])

  node.rest()

  t.same(
    node.pods.filter(pod => pod.terminating).map(pod => pod.record.uid),
    [restless],
  )
})
