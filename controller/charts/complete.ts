// A chart's folder with the charts that it depends on beside it in `charts/`: from registries and repositories, and from folders of the same
// commit, whose own dependencies are brought too.
import {
  type Aliases,
  type ChartAnswer,
  type ChartFacts,
  type ChartFile,
  type ChartQuestion,
  mayNeedCharts,
  meantVersion,
  type Need,
  pack,
  pathInRepository,
  RenderFault,
  tellsNeeds,
} from '../../renderer/index.js'
import type { PackedChart } from './charts.js'
import { ChartSourceError } from './errors.js'
import type { ChartStore, Found } from './store.js'

/** What each need of an application meant when it was first asked, by `needKey`. */
export type Pins = Readonly<Record<string, Found>>

export interface Folder {
  /** Of its content: the same id, the same files. */
  readonly id: string
  readonly files: readonly ChartFile[]
}

export interface Incomplete {
  /** All files of the chart's folder, or at least those by which it is told what it needs. */
  readonly files: readonly ChartFile[]
  /** From the repository's root; '.' is the root. */
  readonly path: string
  /** Another folder of the same commit; null where there is none. */
  readonly folder: (path: string) => Promise<Folder | null>
  readonly pins: Pins
  readonly aliases: Aliases
}

/** `charts/redis-17.0.0.tgz`: to be put beside the files. Its bytes are in the store. */
export interface AddedChart {
  readonly name: string
  readonly sha256: string
}

export interface Completed {
  readonly added: readonly AddedChart[]
  /** Folders that were taken, by path from the repository's root, with their ids. */
  readonly folders: readonly { readonly path: string; readonly id: string }[]
  /** What each need means now. */
  readonly pins: Pins
  /** For people: ranges that no lock pins. */
  readonly moving: readonly string[]
}

export interface Bringing {
  readonly store: Pick<ChartStore, 'content' | 'keep'>
  readonly read: (question: ChartQuestion, signal: AbortSignal) => Promise<ChartAnswer>
  readonly get: (need: Need, pin: Found | null, signal: AbortSignal) => Promise<PackedChart>
}

const deepest = 10
const nothing: Completed = { added: [], folders: [], pins: {}, moving: [] }

export function needKey({ repository, name, version }: Need): string {
  return `${repository.replace(/^([a-z]+:\/\/)[^@/?#]*@/i, '$1')} ${name} ${version}`
}

/** Throws `ChartSourceError`; `RenderFault` where a path leads out of the repository. */
export function completed(chart: Incomplete, bringing: Bringing, signal: AbortSignal): Promise<Completed> {
  return below(chart, bringing, signal, [chart.path])
}

async function below(chart: Incomplete, bringing: Bringing, signal: AbortSignal, above: readonly string[]): Promise<Completed> {
  if (!mayNeedCharts(chart.files)) return nothing
  const where = above.length === 1 ? '' : `${chart.path}: `
  const { needs } = await factsOf(chart, bringing, signal, where)
  const brought = await Promise.all(
    needs.map(need =>
      need.repository.startsWith('file://')
        ? fromFolder(need, chart, bringing, signal, above)
        : fromElsewhere(need, chart.pins, bringing, signal),
    ),
  )
  return {
    added: brought.flatMap(({ added }) => added),
    folders: brought.flatMap(({ folders }) => folders),
    pins: Object.assign({}, ...brought.map(({ pins }) => pins)) as Pins,
    moving: brought.flatMap(({ moving }) => moving),
  }
}

async function factsOf(
  { files, aliases }: Incomplete,
  { read }: Bringing,
  signal: AbortSignal,
  where: string,
): Promise<ChartFacts> {
  const telling = files.filter(({ name }) => tellsNeeds(name))
  const { facts, fault } = await read({ question: 'facts', files: telling, aliases }, signal)
  if (facts === undefined) throw new RenderFault('InvalidChart', where + (fault ?? 'the chart cannot be read'))
  return facts
}

async function fromElsewhere(need: Need, pins: Pins, { get }: Bringing, signal: AbortSignal): Promise<Completed> {
  const key = needKey(need)
  const { version, sha256 } = await get(need, pins[key] ?? null, signal)
  const moving = version === need.version ? [] : [`${need.name} ${need.version} is ${version}`]
  return { ...nothing, added: [archive(need, version, sha256)], pins: { [key]: { version, sha256 } }, moving }
}

function archive(need: Need, version: string, sha256: string): AddedChart {
  return { name: `charts/${need.name}-${version.replace(/[^A-Za-z0-9.+-]/g, '_')}.tgz`, sha256 }
}

/** Throws `ChartSourceError` where it was removed meanwhile: the next pass brings it again. */
export async function contentOf({ name, sha256 }: AddedChart, store: Pick<ChartStore, 'content'>): Promise<Buffer> {
  const bytes = await store.content(sha256)
  if (bytes !== null) return bytes
  throw new ChartSourceError('ChartPending', `${name}: is no longer kept, and is fetched again`, true)
}

async function fromFolder(
  need: Need,
  chart: Incomplete,
  bringing: Bringing,
  signal: AbortSignal,
  above: readonly string[],
): Promise<Completed> {
  const what = `dependency ${need.name} (${need.repository})`
  const written = need.repository.slice('file://'.length)
  if (written.startsWith('/'))
    throw refused(
      `${what}: an absolute path is no folder of this repository; write it from the chart's own folder, file://../...`,
    )
  const path = pathInRepository(chart.path, written, what)
  if (above.includes(path)) throw refused(`${what}: ${[...above, path].join(' needs ')}: a chart cannot hold itself`)
  if (above.length > deepest) throw refused(`${what}: more than ${deepest} charts inside one another`)
  const folder = await chart.folder(path)
  if (folder === null)
    throw refused(`${what}: there is no folder ${path} in this commit; mind that the path starts at the chart's own folder`)
  const inner: Incomplete = { ...chart, files: folder.files, path }
  const facts = await factsOf(inner, bringing, signal, `${path}: `)
  checkFolder(need, facts, what)
  const own = await below(inner, bringing, signal, [...above, path])
  const brought = await Promise.all(
    own.added.map(async added => ({ name: added.name, bytes: await contentOf(added, bringing.store) })),
  )
  const sha256 = await bringing.store.keep(pack(need.name, [...folder.files, ...brought]))
  return { ...own, added: [archive(need, facts.version, sha256)], folders: [{ path, id: folder.id }, ...own.folders] }
}

function checkFolder(need: Need, { name, version }: ChartFacts, what: string): void {
  if (name !== need.name) throw refused(`${what}: the chart there is named ${JSON.stringify(name)}`)
  if (meantVersion([{ version, urls: [], sha256: '' }], need.version) !== null) return
  throw refused(
    `${what}: can't get a valid version: ${need.version} is wanted, the chart there is ${version}. Run \`helm dependency update\` and commit what it wrote`,
  )
}

function refused(message: string): ChartSourceError {
  return new ChartSourceError('InvalidChart', message)
}
