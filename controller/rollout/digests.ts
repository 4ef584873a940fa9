// What image tags meant when a release ran on a cluster, and which of them mean another thing by now: going back runs what ran then. A
// node has it from its preflight. Pure.
import { refKey } from '../../runtime/contract/manifest.js'
import { isNewest } from '../health/own.js'
import type { Ledger } from '../ledger.js'
import type { Pins } from '../release/sent.js'
import type { ReleaseId } from '../release.js'
import type { DecideInput } from './state.js'

/** `docker-pullable://web@sha256:...` -> `web@sha256:...`; '' for an image that only its machine has. */
function digestOf(imageId: string): string {
  return /^(?:[a-z-]+:\/\/)?([^\s@]+@sha256:[0-9a-f]{64})$/.exec(imageId)?.[1] ?? ''
}

/** With what the newest pods of its newest templates run, by image as current's release names it. */
export function withDigests(ledger: Ledger, { app, observed }: Pick<DecideInput, 'app' | 'observed'>): Ledger {
  const id = ledger.current?.release
  const known = id === undefined ? undefined : ledger.releases[id]
  if (app.destination.kind !== 'cluster' || id === undefined || known === undefined) return ledger
  const objects = new Map(observed.objects.map(object => [refKey(object.ref), object]))
  const pods = observed.pods.filter(pod => !pod.terminating && isNewest(pod, objects))
  const inOrder = pods.toSorted((a, b) => (a.createdAt < b.createdAt ? -1 : 1))
  const found = inOrder.flatMap(pod => pod.containers.map(({ image, imageId }) => [image, digestOf(imageId)] as const))
  const seen = Object.fromEntries(found.filter(([image, digest]) => digest !== '' && !image.includes('@')))
  const isNew = Object.entries(seen).some(([image, digest]) => known.digests[image] !== digest)
  return isNew
    ? { ...ledger, releases: { ...ledger.releases, [id]: { ...known, digests: { ...known.digests, ...seen } } } }
    : ledger
}

/** Of a release that is gone back to: what one that came since (it may have been gone back to already) ran otherwise under the same tag. */
export function movedSince(ledger: Ledger, to: ReleaseId): Pins {
  const known = ledger.releases[to]
  if (known === undefined || !ledger.place.startsWith('cluster/')) return {}
  const newer = Object.values(ledger.releases).filter(one => one !== known && one.lastAttempt >= known.lastAttempt)
  const isMoved = ([image, digest]: readonly [string, string]) =>
    newer.some(({ digests }) => digests[image] !== undefined && digests[image] !== digest)
  return Object.fromEntries(Object.entries(known.digests).filter(isMoved))
}

/** `web:1 has moved since: it runs as web@sha256:0123456789ab, as then`; '' where none has. */
export function movedText(pins: Pins): string {
  const named = Object.entries(pins).map(([image, digest]) => {
    const short = digest.replace(/(@sha256:[0-9a-f]{12})[0-9a-f]*$/, '$1')
    return `${image} has moved since: it runs as ${short}, as then`
  })
  return named.join('; ')
}
