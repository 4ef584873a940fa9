// What a node says of its pods, and when: who is told that a pod is ready goes by it and ends the one before.
import t from 'tap'
import type { ReportDocument } from '../../runtime/contract/documents.js'
import { noEndings } from '../../runtime/endings.js'
import type { Endpoint } from '../../runtime/network/types.js'
import type { PodRecord, PodView } from '../../runtime/pods/types.js'
import { createReconciler, type World } from '../../runtime/reconcile.js'
import { until } from '../support/controller.js'
import { deployment, document, epoch, object, view } from '../support/node.js'

/** A node at rest, whose pods begin as told; each steering waits until it is let on. */
function slowToSteer() {
  const steered: (readonly Endpoint[])[] = []
  const letOn: (() => void)[] = []
  const reports: ReportDocument[] = []
  let pods: readonly PodView[] = []
  let changed = (_: string) => {}
  let ids = 0
  const world: World = {
    pods: {
      list: () => pods,
      create: (record: PodRecord) => {
        pods = [...pods, view(record, { ready: false, ip: '10.0.0.9' })]
      },
      handOver: () => {},
      lost: () => [],
      endLost: () => {},
      terminate: () => {},
      onChange: listener => {
        changed = listener
        return () => {}
      },
      async *logs() {},
    },
    dataPlane: {
      async apply({ endpoints }) {
        await new Promise<void>(resolve => letOn.push(resolve))
        steered.push(endpoints)
      },
      drained: async () => ({ cut: 0 }),
      clusterIP: () => '10.220.0.5',
      nodePort: () => null,
    },
    state: { saveDocument: async () => {}, saveMemory: async () => {}, forget: async () => {} },
    now: () => epoch,
    elapsed: () => 0,
    newId: () => ({ uid: `id-${++ids}`, suffix: `${ids}` }),
    salt: 'salt',
    refusals: () => [],
    addresses: () => [],
    report: report => reports.push(report),
    log: () => {},
    preflights: () => ({ ask: () => {}, answer: () => null, quickOnes: async () => {} }),
  }
  return {
    world,
    steered,
    reports,
    letOn: () => letOn.shift()?.(),
    asked: () => letOn.length,
    becomesReady() {
      pods = pods.map(pod => view(pod.record, { ready: true, readyAt: epoch, ip: pod.ip }))
      changed(pods[0]!.record.uid)
    },
  }
}

t.test('a pod that gets ready while traffic is steered is not said to be ready before traffic is steered to it', async t => {
  const node = slowToSteer()
  const web = deployment({ replicas: 1 })
  const service = object('v1', 'Service', 'web', { spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } })
  const reconciler = createReconciler(node.world, { documents: [], memory: {}, endings: noEndings })
  t.teardown(() => reconciler.stop())
  reconciler.offer(document([service, web]))
  await until('traffic is steered while there is no pod', () => node.asked() === 1)
  node.letOn()
  await until('it is steered with the pod', () => node.asked() === 1)

  node.becomesReady()
  node.letOn()
  await until('it is steered again', () => node.asked() === 1)

  const ready = () => node.reports.flatMap(report => report.pods).filter(pod => pod.ready)
  t.same(ready(), [], 'not one report says so yet')
  node.letOn()
  await until('it is said', () => ready().length > 0)
  t.match(node.steered.at(-1), [{ ip: '10.0.0.9', state: 'ready' }])
})
