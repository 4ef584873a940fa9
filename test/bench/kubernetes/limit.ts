// What the API server itself takes: the same objects sent by a bare loop, once as a dry run and once for good.
import { Agent, request } from 'undici'
import { startKubernetes, type TestCluster } from '../../support/kubernetes/server.js'
import { type FleetObject, lists, namespace, objectsOf } from './objects.js'

export interface Limit {
  readonly dryRunsMs: number
  readonly appliesMs: number
}

/** As many connections as the controller has. */
const atOnce = 16

/** On a server of its own, so that the controller finds a fresh one too. */
export async function limitOf(numbers: readonly number[]): Promise<Limit> {
  const ends: (() => unknown)[] = []
  const cluster = await startKubernetes({ teardown: end => void ends.push(end) })
  const agent = new Agent({ connect: { ca: cluster.ca }, connections: atOnce })
  try {
    await cluster.namespace(namespace)
    const objects = numbers.flatMap(number => objectsOf(number, 'v0'))
    const dryRunsMs = await took(() => sendAll(cluster, agent, objects, '&dryRun=All'))
    return { dryRunsMs, appliesMs: await took(() => sendAll(cluster, agent, objects, '')) }
  } finally {
    await agent.destroy()
    for (const end of ends) await end()
  }
}

async function sendAll(cluster: TestCluster, agent: Agent, objects: readonly FleetObject[], more: string): Promise<void> {
  const waiting = [...objects].reverse()
  const worker = async () => {
    for (let object = waiting.pop(); object !== undefined; object = waiting.pop()) await send(cluster, agent, object, more)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

async function send({ url, token }: TestCluster, agent: Agent, object: FleetObject, more: string): Promise<void> {
  const path = `${lists[object.kind]}/${object.metadata.name}?fieldManager=bench&force=true&fieldValidation=Strict${more}`
  const answer = await request(`${url}${path}`, {
    dispatcher: agent,
    method: 'PATCH',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/apply-patch+yaml', accept: 'application/json' },
    body: JSON.stringify(object),
  })
  const said = await answer.body.json()
  if (answer.statusCode >= 300) throw new Error(`${path}: ${answer.statusCode} ${JSON.stringify(said)}`)
}

async function took(work: () => Promise<void>): Promise<number> {
  const began = performance.now()
  await work()
  return Math.round(performance.now() - began)
}
