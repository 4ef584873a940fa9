// The Kubernetes clusters of the configuration, wired to what the controller knows of its applications.

import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { ControllerKeys } from '../runtime/contract/keys.js'
import type { Manifest } from '../runtime/contract/manifest.js'
import { copyBeside, readKept } from '../runtime/whole-file.js'
import type { KeptApplication } from './adoption.js'
import type { Application } from './application.js'
import type { Applications } from './applications.js'
import type { ClusterSource } from './cluster/kubernetes/access.js'
import { type Clusters, openClusters } from './cluster/kubernetes/clusters.js'
import type { KnownClusters } from './cluster/kubernetes/identity.js'
import { createPacker } from './cluster/node/ledger.js'
import { namedReleases } from './ledger.js'
import { asSent, ordinaryObjects } from './release/sent.js'

export interface ConfiguredOptions {
  /** Where it is written which cluster was met under which name. */
  readonly knownFile: string
  readonly sources: readonly ClusterSource[]
  readonly keys: ControllerKeys
  readonly applications: () => Applications
  readonly epoch: () => number | null
  readonly overtaken: (epoch: number) => void
  readonly warn: (message: string) => void
  readonly now: () => number
}

export function configuredClusters(options: ConfiguredOptions): Clusters {
  const { sources, keys, applications, epoch, overtaken, warn, now } = options
  return openClusters({
    sources,
    known: knownIn(options.knownFile, warn),
    packer: createPacker(keys.storage),
    epoch,
    overtaken,
    ledger: app => applications().get(app.name)?.ledger ?? null,
    releases: (app, ledger) => [...namedReleases(ledger)].flatMap(id => applications().release(app, id) ?? []),
    sent: app => sentOf(app, applications()),
    warn,
    now,
  })
}

/** A file of the state directory: `{ "prod": "<uid of kube-system>" }`. Lost, clusters are learned anew as they are met. */
function knownIn(file: string, warn: (message: string) => void): KnownClusters {
  const { value, fault } = readKept(file, false, readUids)
  if (fault !== '' && value === null) throw new Error(`${fault}; remove it and clusters are learned anew`)
  if (fault !== '') warn(fault)
  const uids: Record<string, string> = { ...value }
  return {
    uid: name => uids[name] ?? '',
    learn(name, uid) {
      uids[name] = uid
      const text = JSON.stringify(uids)
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
      writeFileSync(`${file}.new`, text, { mode: 0o600 })
      renameSync(`${file}.new`, file)
      copyBeside(file, Buffer.from(text))
    },
  }
}

function readUids(content: Buffer): Readonly<Record<string, string>> {
  const found: unknown = JSON.parse(content.toString('utf8'))
  if (typeof found !== 'object' || found === null || Array.isArray(found)) throw new Error('it names no clusters')
  return found as Readonly<Record<string, string>>
}

/** What of current should be there, as it was sent. */
function sentOf(app: Application, applications: Applications): readonly Manifest[] {
  const current = applications.get(app.name)?.ledger.current ?? null
  const release = current === null ? null : applications.release(app, current.release)
  return release === null ? [] : ordinaryObjects(release).map(object => asSent(object, current ?? { fresh: 0 }))
}

/** Servers, by which destinations may be named, are known from then on; a cluster that takes longer is known by its name alone. */
export async function serversKnown(clusters: Clusters): Promise<void> {
  await Promise.race([clusters.opened, new Promise(resolve => setTimeout(resolve, 10_000).unref())])
}

/** What a lost store can be made again from; what was let go on purpose is nobody's, and of a place left behind nothing is taken. */
export async function lyingIn(
  clusters: Clusters,
  name: string,
  signal: AbortSignal,
): Promise<readonly (KeptApplication & { readonly node: string })[]> {
  const found = await clusters.kept(name, AbortSignal.any([signal, AbortSignal.timeout(15_000)]))
  return found
    .filter(({ kept }) => kept.ledger.deletion?.cascade !== false && kept.ledger.place === `cluster/${name}`)
    .map(({ kept, epoch }) => ({ ...kept, epoch, node: '' }))
}
