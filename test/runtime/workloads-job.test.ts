import t from 'tap'
import type { PodView } from '../../runtime/pods/types.js'
import { container, document, object, observedContainer, toy } from '../support/node.js'

const second = 1000

function job(spec: object = {}, pod: object = {}) {
  return object('batch/v1', 'Job', 'migrate', {
    spec: { ...spec, template: { spec: { restartPolicy: 'Never', containers: [container()], ...pod } } },
  })
}

type Node = ReturnType<typeof toy>
const running = (pod: PodView) => pod.phase === 'Running' && !pod.terminating
const active = (node: Node) => node.pods.filter(running).length
const finish = (node: Node, phase: 'Succeeded' | 'Failed', count = 100) => {
  const uids = node.pods
    .filter(running)
    .slice(0, count)
    .map(pod => pod.record.uid)
  node.change(pod => uids.includes(pod.record.uid), { phase, finishedAt: node.now })
}

function end(node: Node): string {
  const { conditions } = node.rest().objects.shop![0]!.status as { conditions: { type: string; reason: string }[] }
  return conditions.map(condition => `${condition.type} ${condition.reason}`).join()
}

t.test('a Job runs once and is complete', async t => {
  const node = toy(document([job()]))
  node.rest()
  t.equal(active(node), 1)
  t.equal(end(node), '')

  finish(node, 'Succeeded')

  t.equal(end(node), 'Complete CompletionsReached')
  t.match(node.rest().objects.shop![0]!.status, { succeeded: 1, failed: 0, active: 0 })
})

t.test('a finished Job is not run again: not without its pods, not for a changed Secret, not after a start', async t => {
  const secret = (v: string) => object('v1', 'Secret', 's', { stringData: { v } })
  const reads = { containers: [container({ envFrom: [{ secretRef: { name: 's' } }] })] }
  const node = toy(document([job({}, reads), secret('1')]))
  node.rest()
  finish(node, 'Succeeded')
  node.rest()

  node.pods = []
  node.documents = [document([job({}, reads), secret('2')], { generation: 2 })]

  t.equal(end(node), 'Complete CompletionsReached')
  t.equal(node.pods.length, 0)
})

t.test('another template is another run', async t => {
  const node = toy(document([job()]))
  node.rest()
  finish(node, 'Succeeded')
  node.rest()
  node.documents = [document([job({}, { containers: [container({ image: 'web:2' })] })], { generation: 2 })]
  node.rest()
  node.gone()
  node.rest()

  t.equal(active(node), 1)
  t.equal(end(node), '')
})

t.test('failures are waited out 10 s, doubling, until the limit', async t => {
  const node = toy(document([job({ backoffLimit: 2 })]))
  node.rest()
  finish(node, 'Failed')
  t.equal(node.rest().wakeAt, node.now + 10 * second)
  t.equal(active(node), 0)
  node.now += 10 * second
  node.rest()
  t.equal(active(node), 1)
  finish(node, 'Failed')
  t.equal(node.rest().wakeAt, node.now + 20 * second)
  node.now += 20 * second
  node.rest()
  finish(node, 'Failed')

  t.equal(end(node), 'Failed BackoffLimitExceeded')
  node.now += 3600 * second
  node.rest()
  t.equal(active(node), 0)
})

t.test('with OnFailure the restarts count', async t => {
  const node = toy(document([job({ backoffLimit: 2 }, { restartPolicy: 'OnFailure' })]))
  node.rest()
  node.change(() => true, { containers: [observedContainer({ restartCount: 2 })] })

  t.equal(end(node), 'Failed BackoffLimitExceeded')
  t.equal(node.pods.filter(pod => pod.terminating).length, 1)
})

t.test('completions are worked off in parallel, never more at once than parallelism or what is left', async t => {
  const node = toy(document([job({ completions: 5, parallelism: 2 })]))
  const seen: number[] = []
  for (let round = 0; round < 3; round++) {
    node.rest()
    seen.push(active(node))
    finish(node, 'Succeeded')
  }

  t.same(seen, [2, 2, 1])
  t.equal(end(node), 'Complete CompletionsReached')
})

t.test('a Job that takes too long is ended', async t => {
  const node = toy(document([job({ activeDeadlineSeconds: 60 })]))
  node.rest()
  t.equal(node.rest().wakeAt, node.now + 60 * second)
  node.now += 60 * second

  t.equal(end(node), 'Failed DeadlineExceeded')
  t.equal(active(node), 0)
})

t.test('finished pods stay for their logs until ttlSecondsAfterFinished', async t => {
  const node = toy(document([job({ ttlSecondsAfterFinished: 30 })]))
  node.rest()
  finish(node, 'Succeeded')
  t.equal(node.rest().wakeAt, node.now + 30 * second)
  t.equal(node.pods.filter(pod => pod.terminating).length, 0)
  node.now += 30 * second
  node.rest()

  t.equal(node.pods.filter(pod => pod.terminating).length, 1)
})

t.test('a suspended Job has no pods', async t => {
  const node = toy(document([job()]))
  node.rest()
  node.documents = [document([job({ suspend: true })], { generation: 2 })]
  node.rest()

  t.equal(active(node), 0)
  t.equal(end(node), 'Suspended JobSuspended')
})
