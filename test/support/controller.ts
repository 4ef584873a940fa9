// What tests of the NATS rooms need: keys in a temporary directory, a server that knows them, buses, and small declarations.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Application } from '../../controller/application.js'
import { rolloutDefaults } from '../../controller/application.js'
import type { Order } from '../../controller/cluster/cluster.js'
import { type Ledger, newLedger } from '../../controller/ledger.js'
import type { ReleaseId } from '../../controller/release.js'
import { ensureBuckets } from '../../controller/store/buckets.js'
import { nodeIdentity, openControllerKeys, openNodeKeys } from '../../runtime/contract/keys.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { inboxPrefix } from '../../runtime/contract/subjects.js'
import type { Bus } from '../../runtime/nats/bus/connect.js'
import { openBus } from '../../runtime/nats/bus/connect.js'
import { plainSync, sourceOf } from '../controller/builders.js'
import { startNats } from './nats.js'

export interface Ends {
  teardown(end: () => unknown): void
}

/** Two nodes, n1 and n2, and a controller, on one real server. Everything ends with the test. */
export async function startField(t: Ends, options: { readonly binary?: string } = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'slipway-field-'))
  const controller = await openControllerKeys(join(directory, 'controller'))
  const [n1, n2] = [await openNodeKeys(join(directory, 'n1')), await openNodeKeys(join(directory, 'n2'))]
  const identities = [nodeIdentity('n1', n1), nodeIdentity('n2', n2)]
  const server = await startNats({ controller: controller.nats.public, nodes: identities, ...options })
  const ends: (() => unknown)[] = []
  const stop = new AbortController()
  t.teardown(async () => {
    stop.abort()
    for (const end of ends.reverse()) await end()
    await server.stop()
    await rm(directory, { recursive: true, force: true })
  })
  const bus = (name: string, seed: string, inbox: string): Bus => {
    const opened = openBus({ servers: [server.url], name, seed, inbox })
    ends.push(() => opened.close())
    return opened
  }
  const controllerBus = () => bus('controller', controller.nats.seed, inboxPrefix('controller'))
  const nodeBus = (node: 'n1' | 'n2') => bus(node, node === 'n1' ? n1.nats.seed : n2.nats.seed, inboxPrefix({ node }))
  const first = controllerBus()
  await until('the controller is connected', () => first.status().connected)
  await ensureBuckets(first.connection())
  return { directory, server, controller, n1, n2, identities, bus: first, controllerBus, nodeBus, signal: stop.signal, ends }
}

/** Waits until `look` gives something true; says what did not come about after `seconds`. */
export async function until<T>(what: string, look: () => T | Promise<T>, seconds = 40): Promise<NonNullable<T>> {
  for (
    const deadline = Date.now() + seconds * 1000;
    Date.now() < deadline;
    await new Promise(resolve => setTimeout(resolve, 15))
  ) {
    const found = await Promise.resolve()
      .then(look)
      .catch(() => null)
    if (found) return found as NonNullable<T>
  }
  throw new Error(`not within ${seconds} s: ${what}`)
}

export function application(fields: Partial<Application> = {}): Application {
  const name = fields.name ?? 'shop'
  const source = sourceOf({ repoURL: 'http://git.example/shop.git', path: '.', targetRevision: 'main' })
  return {
    name,
    uid: 'uid-1',
    project: 'default',
    labels: {},
    annotations: {},
    sources: [source],
    source,
    destination: { place: 'node/n1', kind: 'node', name: 'n1', namespace: 'shop' },
    sync: plainSync,
    mode: 'release',
    info: [],
    ignoreDifferences: [],
    rollout: rolloutDefaults,
    health: {},
    dependsOn: [],
    revisionHistoryLimit: 10,
    deletion: 'cascade',
    parent: null,
    manifest: { apiVersion: 'slipway.dev/v1alpha1', kind: 'Application', metadata: { name } },
    faults: [],
    ...fields,
  }
}

export function ledger(fields: Partial<Ledger> = {}): Ledger {
  return {
    ...newLedger({ name: 'shop', uid: 'uid-1' }, 'node/n1', 'salt'),
    ...fields,
  }
}

export function order(fields: Partial<Order> = {}): Order {
  return { attempt: 1, release: 'rel-1' as ReleaseId, commit: 'c0ffee', digests: {}, ledger: ledger(), fresh: 0, ...fields }
}

export function configMap(name: string, data: Record<string, string> = {}): Manifest {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop' }, data }
}
