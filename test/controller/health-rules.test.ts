// What Argo CD's rules miss and a verdict may not: each a status that a real controller wrote.
import t from 'tap'
import { objectHealth } from '../../controller/health/rules.js'

t.test('a StatefulSet waits for the pods that are being replaced, though they are still counted as ready', async t => {
  const spec = { replicas: 2, updateStrategy: { type: 'RollingUpdate' } }
  const object = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'data', generation: 3 }, spec }
  const back = { observedGeneration: 3, readyReplicas: 2, currentRevision: 'data-1', updateRevision: 'data-1' }

  const before = objectHealth(object, { ...back, currentReplicas: 1, updatedReplicas: 1 })
  t.match(before, { status: 'Progressing', message: 'Waiting for 1 pods that are being replaced...' })
  t.equal(objectHealth(object, { ...back, currentReplicas: 2, updatedReplicas: 2 })?.status, 'Healthy')
  t.equal(objectHealth(object, { ...back, currentReplicas: 2 })?.status, 'Healthy', 'an older server')
})
