// Charts that applications name as their source: which version is meant now, asked at each poll, and its files. What is at hand is not fetched
// again: an index or archive that is what it was costs one conditional request, a tag of a registry its manifest.
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import {
  type ChartAnswer,
  type ChartQuestion,
  meantVersion,
  type Need,
  type PublishedVersion,
  versionsOfTags,
} from '../../renderer/index.js'
import { type AskedChart, chartOfRevision, chartRevision, type FoundChart } from '../application/tracked.js'
import type { CommitSha, GitTree } from '../release.js'
import { type Reach, shownUrl } from './access.js'
import { chartText, isWhole, mostArchiveBytes } from './charts.js'
import { ChartSourceError } from './errors.js'
import type { Validators } from './http.js'
import { pullNew, repositoryOf, type Session, tagOf, tagsOf } from './oci.js'
import { packedTree } from './packed.js'
import { archiveSince, indexSince, nothingSeen } from './repository.js'
import type { ChartStore } from './store.js'

export interface PublishedOptions {
  readonly store: Pick<ChartStore, 'content' | 'keep'>
  readonly reach: () => Reach
  readonly read: (question: ChartQuestion, signal: AbortSignal) => Promise<ChartAnswer>
}

export interface PublishedCharts {
  /** The newest version that fits, which is at hand from then on. Throws `ChartSourceError`. */
  poll(repoURL: string, asked: AskedChart, signal: AbortSignal): Promise<{ readonly tip: CommitSha }>
  /** Of a revision that a poll gave. Throws `ChartSourceError`. */
  treeAt(repoURL: string, revision: CommitSha, path: string): Promise<GitTree>
}

/** Of one chart in one index.yaml. */
interface KnownIndex extends Validators {
  /** Of the index. */
  readonly sha256: string
  readonly versions: readonly PublishedVersion[]
}

/** Of an archive whose digest the index does not say. */
interface KnownArchive extends Validators {
  readonly sha256: string
}

const mostIndexes = 1_000
/** Bytes of unpacked charts that are kept at hand: a chart is unpacked again in some tens of milliseconds. */
const mostKeptBytes = 16_000_000
/** Of the files of one chart, as of the files of any application. */
const mostFileBytes = 32_000_000

/** `registry.example.com/charts` is an OCI registry, as Argo CD has it. */
export function addressOf(repoURL: string): string {
  return /^[a-z]+:\/\//i.test(repoURL) ? repoURL : `oci://${repoURL}`
}

/** The version that is meant. Throws `ChartSourceError` with those that there are. */
export function chosenVersion(versions: readonly PublishedVersion[], wanted: string, what: string): PublishedVersion {
  const meant = readable(versions, wanted, what)
  if (meant !== null) return meant
  const [some, more] = [versions.slice(0, 5).map(({ version }) => version), versions.length - 5]
  const there =
    some.length === 0
      ? 'there is no chart of that name: check spec.source.chart and repoURL'
      : `there are ${some.join(', ')}${more > 0 ? ` and ${more} older ones` : ''}: publish one that fits, or change spec.source.targetRevision`
  throw new ChartSourceError('ChartNotFound', `${what}: no such version: ${there}`, true)
}

function readable(versions: readonly PublishedVersion[], wanted: string, what: string): PublishedVersion | null {
  try {
    return meantVersion(versions, wanted)
  } catch (cause) {
    throw new ChartSourceError('InvalidChart', `${what}: ${(cause as Error).message}: change spec.source.targetRevision`)
  }
}

export function publishedCharts({ store, reach, read }: PublishedOptions): PublishedCharts {
  const indexes = new LRUCache<string, KnownIndex>({ max: mostIndexes })
  const archives = new LRUCache<string, KnownArchive>({ max: mostIndexes })
  const trees = new LRUCache<string, { readonly tree: GitTree; readonly bytes: number }>({
    maxSize: mostKeptBytes,
    sizeCalculation: ({ bytes }) => bytes + 1,
  })
  const isHere = async (sha256: string): Promise<boolean> => (await store.content(sha256)) !== null

  async function versionsIn(need: Need, session: Session): Promise<readonly PublishedVersion[]> {
    const key = `${need.repository} ${need.name}`
    const known = indexes.get(key)
    const got = await indexSince(need.repository, known ?? nothingSeen, session)
    if (got === null && known !== undefined) return known.versions
    const index = got!.body
    const sha256 = createHash('sha256').update(index).digest('hex')
    const { etag, modified } = got!
    const versions = known?.sha256 === sha256 ? known.versions : await readIndex(index, need.name, session)
    indexes.set(key, { etag, modified, sha256, versions })
    return versions
  }

  async function readIndex(index: Buffer, name: string, { what, signal }: Session): Promise<readonly PublishedVersion[]> {
    const { versions, fault } = await read({ question: 'versions', index, name }, signal)
    if (versions !== undefined) return versions
    throw new ChartSourceError('ChartRefused', `${what}: its index.yaml cannot be read: ${fault ?? ''}`, true)
  }

  async function inRepository(need: Need, session: Session): Promise<FoundChart> {
    const meant = chosenVersion(await versionsIn(need, session), need.version, session.what)
    const { version, sha256: told } = meant
    if (/^[0-9a-f]{64}$/.test(told) && (await isHere(told))) return { version, sha256: told }
    const key = `${need.repository} ${need.name} ${version}`
    const known = archives.get(key)
    const isKnown = told === '' && known !== undefined && (await isHere(known.sha256))
    const got = await archiveSince(need.repository, meant, isKnown ? known : nothingSeen, session)
    if (got === null) return { version, sha256: known!.sha256 }
    const found = await kept({ version, bytes: got.body }, need, session)
    archives.set(key, { etag: got.etag, modified: got.modified, sha256: found.sha256 })
    return found
  }

  async function inRegistry(need: Need, session: Session): Promise<FoundChart> {
    const place = repositoryOf(shownUrl(need.repository), need.name)
    const pulled = async (version: string): Promise<FoundChart> => {
      const isKnown = async (digest: string) => digest.startsWith('sha256:') && (await isHere(digest.slice(7)))
      const { digest, bytes } = await pullNew(place, tagOf(version), isKnown, session)
      return bytes === null ? { version, sha256: digest.slice(7) } : await kept({ version, bytes }, need, session)
    }
    if (isWhole(need.version)) {
      const found = await pulled(need.version).catch(notThere)
      if (found !== null) return found
    }
    const tags = await tagsOf(place, session).catch(notThere)
    const { version } = chosenVersion(versionsOfTags(tags ?? []), need.version, session.what)
    return pulled(version)
  }

  /** What is kept is the chart that was asked for, and can be read. */
  async function kept(
    { version, bytes }: { readonly version: string; readonly bytes: Buffer },
    need: Need,
    { what, signal }: Session,
  ): Promise<FoundChart> {
    const { facts, fault } = await read({ question: 'archive', archive: bytes }, signal)
    const wrong =
      facts === undefined
        ? `version ${version} cannot be used: ${fault ?? 'it cannot be read'}`
        : facts.name === need.name
          ? ''
          : `what is published there is chart ${JSON.stringify(facts.name)}`
    if (wrong !== '') throw new ChartSourceError('ChartRefused', `${what}: ${wrong}`, true)
    return { version, sha256: await store.keep(bytes) }
  }

  async function unpacked(sha256: string, what: string): Promise<GitTree> {
    const known = trees.get(sha256)
    if (known !== undefined) return known.tree
    const archive = await store.content(sha256)
    if (archive === null) throw new ChartSourceError('ChartPending', `${what}: is no longer kept, and is fetched again`, true)
    const { files, fault } = await read({ question: 'files', archive, most: mostFileBytes }, new AbortController().signal)
    if (files === undefined) throw new ChartSourceError('ChartRefused', `${what}: ${fault ?? 'it cannot be read'}`)
    const contents = files.map(({ name, base64 }) => ({ name, bytes: Buffer.from(base64, 'base64') }))
    const tree = packedTree(sha256, contents)
    trees.set(sha256, { tree, bytes: contents.reduce((sum, { bytes }) => sum + bytes.length, 0) })
    return tree
  }

  return {
    async poll(repoURL, asked, signal) {
      const { name, version, passes = false } = asked
      const need: Need = { name, version, repository: addressOf(repoURL) }
      const session: Session = { reach: { ...reach(), passes }, what: chartText(need), maxBytes: mostArchiveBytes, signal }
      const found = need.repository.startsWith('oci://') ? inRegistry(need, session) : inRepository(need, session)
      return { tip: chartRevision(await found) }
    },
    async treeAt(repoURL, revision, path) {
      const found = chartOfRevision(revision)
      if (found === null) throw new Error(`${revision} is no version of a chart`)
      const what = `version ${found.version} of a chart of ${shownUrl(repoURL)}`
      if (path !== '.')
        throw new ChartSourceError('PathNotFound', `${path} is not in ${what}: a chart of a repository has no path`)
      return unpacked(found.sha256, what)
    },
  }
}

function notThere(error: unknown): null {
  if (error instanceof ChartSourceError && error.reason === 'ChartNotFound') return null
  throw error
}
