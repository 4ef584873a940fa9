// A person's sync of some objects: what is meant of what there is, or why that cannot be done.
import { refOf, refText } from '../runtime/contract/manifest.js'
import { RefusedError } from './api/service.js'
import type { Ledger } from './ledger.js'
import { parseSelector, type Selector, selectedRelease } from './release/selective.js'
import { ordinaryObjects } from './release/sent.js'
import type { Candidate, Release } from './release.js'

export interface Selection {
  readonly release: Release
  readonly selectors: readonly Selector[]
  /** `Deployment shop/web, Service shop/web`. */
  readonly text: string
}

/** Throws RefusedError. */
export function selectionOf(
  {
    application,
    ledger,
    current,
    candidate,
  }: {
    readonly application: string
    readonly ledger: Ledger
    readonly current: Release | null
    readonly candidate: Candidate | null
  },
  resources: readonly string[],
  prune: boolean,
): Selection {
  const selectors = resources.map(text => parseSelector(text) ?? notASelector(text))
  if (candidate?.kind !== 'release') {
    const why = candidate === null ? 'its newest commit is not rendered yet' : candidate.rejection.message
    throw new RefusedError(409, 'notRendered', `${application} cannot be synced in part: ${why}.`)
  }
  const { release, selected } = selectedRelease(current, candidate.release, { selectors, prune, salt: ledger.salt })
  if (selected.length === 0) throw noSuchObject(application, resources, candidate.release)
  const mark = ledger.marks[release.id]
  if (mark !== undefined) {
    const message = `${application}: these objects were tried before and judged: ${mark.verdict.message}; try all of it: slipway retry ${application}.`
    throw new RefusedError(409, 'judged', message)
  }
  return { release, selectors, text: selected.map(object => refText(refOf(object))).join(', ') }
}

function notASelector(text: string): never {
  const message = `${JSON.stringify(text)} names no objects: want group:kind:name or group:kind:namespace/name, such as apps:Deployment:web or :Service:*.`
  throw new RefusedError(422, 'notAResource', message)
}

function noSuchObject(application: string, resources: readonly string[], release: Release): RefusedError {
  const there = ordinaryObjects(release).map(object => refText(refOf(object)))
  const known = there.length > 20 ? `${there.length} others` : there.join(', ')
  return new RefusedError(404, 'noSuchObject', `${application} has no ${resources.join(' and no ')}; there are ${known}.`)
}
