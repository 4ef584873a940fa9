// From "redis ^17 of oci://host/charts" to the packed chart: what was found before, else asked of the registry or repository, checked and kept.
import { createHash } from 'node:crypto'
import {
  type ChartAnswer,
  type ChartQuestion,
  isExactVersion,
  meantVersion,
  type Need,
  type PublishedVersion,
  versionsOfTags,
} from '../../renderer/index.js'
import { type Reach, shownUrl } from './access.js'
import { ChartSourceError } from './errors.js'
import { pull, repositoryOf, type Session, tagOf, tagsOf } from './oci.js'
import { archiveOf, indexOf } from './repository.js'
import type { ChartStore, Found } from './store.js'

export interface ChartsOptions {
  readonly store: ChartStore
  /** Asked each time: a login may come later. */
  readonly reach: () => Reach
  /** Reads what came from elsewhere. Throws where nothing could be found out. */
  readonly read: (question: ChartQuestion, signal: AbortSignal) => Promise<ChartAnswer>
}

export interface PackedChart extends Found {
  readonly bytes: Buffer
}

/** Bytes of a packed chart. */
export const mostArchiveBytes = 20_000_000

/** `chart redis ^17 of oci://host/charts` */
export function chartText({ name, version, repository }: Need): string {
  return `chart ${name}${version === '' ? '' : ` ${version}`} of ${shownUrl(repository)}`
}

export type GetChart = (need: Need, pin: Found | null, signal: AbortSignal) => Promise<PackedChart>

/**
 * `pin`: what the need meant when it was first asked; nothing else is taken for it. Throws `ChartSourceError`. Nothing is asked of the
 * network where it is at hand.
 */
export function chartGetter(options: ChartsOptions): GetChart {
  return async (need, pin, signal) => {
    const known = pin ?? (isWhole(need.version) ? await options.store.found(questionOf(need)) : null)
    const bytes = known === null ? null : await options.store.content(known.sha256)
    if (known !== null && bytes !== null) return { ...known, bytes }
    const got = await fetched(need, pin, options, signal)
    if (pin !== null && got.sha256 !== pin.sha256) throw changed(need, pin, got)
    return got
  }
}

/** A version that means one chart and no other: remembered by it. */
export function isWhole(version: string): boolean {
  return /^v?\d+\.\d+\.\d+(?:[-+].*)?$/.test(version) && isExactVersion(version)
}

/** What an address with credentials of its own gave is not for those who have none. */
function questionOf({ repository, name, version }: Need): readonly string[] {
  const own = /^[a-z]+:\/\/([^@/?#]*@)/i.exec(repository)?.[1] ?? ''
  const holder = own === '' ? '' : createHash('sha256').update(own).digest('hex')
  return [shownUrl(repository).replace(/\/+$/, ''), name, version, holder]
}

function changed(need: Need, pin: Found, got: Found): ChartSourceError {
  return new ChartSourceError(
    'ChartRefused',
    `${chartText(need)}: version ${pin.version} is not what it was when this application first used it (sha256:${pin.sha256} then, sha256:${got.sha256} now); nothing of it is used. Publish it under a version of its own, and name that`,
    true,
  )
}

async function fetched(need: Need, pin: Found | null, options: ChartsOptions, signal: AbortSignal): Promise<PackedChart> {
  const what = chartText(need)
  const session: Session = { reach: options.reach(), what, maxBytes: mostArchiveBytes, signal }
  const wanted = { ...need, version: pin?.version ?? need.version }
  const { version, bytes } = need.repository.startsWith('oci://')
    ? await fromRegistry(wanted, session)
    : await fromRepository(wanted, session, options)
  const { facts, fault } = await options.read({ question: 'archive', archive: bytes }, signal)
  if (facts === undefined)
    throw new ChartSourceError(
      'ChartRefused',
      `${what}: version ${version} cannot be used: ${fault ?? 'it cannot be read'}`,
      true,
    )
  if (facts.name !== need.name)
    throw new ChartSourceError('ChartRefused', `${what}: what is published there is chart ${JSON.stringify(facts.name)}`, true)
  const sha256 = await options.store.keep(bytes)
  for (const meant of new Set([wanted.version, version].filter(isWhole)))
    await options.store.remember(questionOf({ ...need, version: meant }), { version, sha256 })
  return { version, sha256, bytes }
}

async function fromRegistry({ repository, name, version }: Need, session: Session): Promise<{ version: string; bytes: Buffer }> {
  const place = repositoryOf(shownUrl(repository), name)
  const meant = isExactVersion(version)
    ? version
    : meantOf(versionsOfTags(await tagsOf(place, session)), version, session.what).version
  return { version: meant, bytes: await pull(place, tagOf(meant), session) }
}

async function fromRepository(
  { repository, name, version }: Need,
  session: Session,
  { read }: ChartsOptions,
): Promise<{ version: string; bytes: Buffer }> {
  const index = await indexOf(repository, session)
  const { versions, fault } = await read({ question: 'versions', index, name }, session.signal)
  if (versions === undefined)
    throw new ChartSourceError('ChartRefused', `${session.what}: its index.yaml cannot be read: ${fault ?? ''}`, true)
  const meant = meantOf(versions, version, session.what)
  return { version: meant.version, bytes: await archiveOf(repository, meant, session) }
}

function meantOf(versions: readonly PublishedVersion[], wanted: string, what: string): PublishedVersion {
  const meant = meantVersion(versions, wanted)
  if (meant !== null) return meant
  const [newest] = versions
  const has =
    newest === undefined ? 'it has no chart of that name' : `the newest of ${versions.length} there is ${newest.version}`
  throw new ChartSourceError('ChartNotFound', `${what}: no such version: ${has}. Publish it, or name another in Chart.yaml`, true)
}
