// A mutating admission webhook on a real API server that stamps every object of one namespace with another number each time.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Ends } from '../controller.js'
import type { TestCluster } from './server.js'

export interface TestWebhook {
  /** How often it was asked. */
  count(): number
}

interface Review {
  readonly request: { readonly uid: string; readonly object?: { readonly metadata?: { readonly annotations?: object } } }
}

export async function startWebhook(t: Ends, real: TestCluster, namespace: string): Promise<TestWebhook> {
  let count = 0
  const file = (name: string) => readFileSync(join(real.directory, name))
  const server = createServer({ cert: file('apiserver.crt'), key: file('apiserver.key') }, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const review = JSON.parse(Buffer.concat(chunks).toString()) as Review
      count += 1
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(answerTo(review, count)))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const name = `stamp-${namespace}`
  await real.call('POST', '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations', {
    metadata: { name },
    webhooks: [
      {
        name: 'stamp.example.com',
        clientConfig: { url: `https://127.0.0.1:${port}/`, caBundle: Buffer.from(real.ca).toString('base64') },
        rules: [
          {
            apiGroups: ['', 'apps'],
            apiVersions: ['*'],
            operations: ['CREATE', 'UPDATE'],
            resources: ['configmaps', 'deployments'],
          },
        ],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
    ],
  })
  t.teardown(async () => {
    await real.call('DELETE', `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${name}`)
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  // It is heard of a moment after it was declared.
  for (let at = 0; count === 0 && at < 100; at++) {
    const probe = { metadata: { name: `probe-${at}` } }
    await real.call('POST', `/api/v1/namespaces/${namespace}/configmaps?dryRun=All`, probe)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  return { count: () => count }
}

function answerTo({ request }: Review, count: number): object {
  const has = request.object?.metadata?.annotations !== undefined
  const patch = has
    ? [{ op: 'add', path: '/metadata/annotations/example.com~1stamp', value: String(count) }]
    : [{ op: 'add', path: '/metadata/annotations', value: { 'example.com/stamp': String(count) } }]
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: {
      uid: request.uid,
      allowed: true,
      patchType: 'JSONPatch',
      patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
    },
  }
}
