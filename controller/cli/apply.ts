// slipway apply -f FILE|DIRECTORY|-: creates or changes applications and projects; all files are read before the first is sent.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { loadAll } from 'js-yaml'
import type { ApplicationView } from '../view.js'
import { applicationPath, Cli, type Define, queryOf, type SharedOptions } from './cli.js'
import { Failure } from './failure.js'

interface Options extends SharedOptions {
  readonly filename: string[]
  readonly recursive?: boolean
  readonly dryRun?: boolean
}

interface Document {
  /** `apps.yaml`, with its number where the file holds several. */
  readonly origin: string
  readonly manifest: Readonly<Record<string, unknown>>
}

interface Answer {
  readonly application: ApplicationView | null
  readonly created: boolean
  readonly changed: boolean
}

export const define: Define = (command, around) => {
  command
    .option(
      '-f, --filename <path>',
      'a file, a directory, or - for stdin; repeat for several',
      (one: string, all: string[]) => [...all, one],
      [],
    )
    .option('-R, --recursive', 'also the directories in a directory')
    .option('--dry-run', 'only say what would happen')
    .action(async (options: Options) => {
      const cli = new Cli(around, options)
      if (options.filename.length === 0)
        throw new Failure(2, 'apply needs a file, a directory or - for stdin.', 'slipway apply -f application.yaml')
      const documents = (await Promise.all(options.filename.map(path => documentsAt(path, options, around.stdin)))).flat()
      if (documents.length === 0) throw new Failure(2, `${options.filename.join(', ')}: there is no application in it.`)
      // Projects first: applications name them.
      const isProject = ({ manifest }: Document) => manifest.kind === 'AppProject'
      const inOrder = [...documents.filter(isProject), ...documents.filter(one => !isProject(one))]
      await applyAll(cli, inOrder, options.dryRun === true)
    })
}

/** One that is refused does not keep the others back; all that was refused is said, and is the exit code. */
async function applyAll(cli: Cli, documents: readonly Document[], dryRun: boolean): Promise<void> {
  const refused: Failure[] = []
  for (const document of documents) {
    try {
      await applyOne(cli, document, dryRun)
    } catch (error) {
      if (!(error instanceof Failure) || error.code === 5) throw error
      refused.push(error)
    }
  }
  const [first] = refused
  if (first === undefined) return
  const all = refused.map(failure => failure.message).join('\n')
  throw new Failure(
    first.code,
    all,
    documents.length === 1 ? first.hint : `${refused.length} of ${documents.length} were refused`,
  )
}

async function applyOne(cli: Cli, { origin, manifest }: Document, dryRun: boolean): Promise<void> {
  const { name } = (manifest.metadata ?? {}) as { name?: unknown }
  if (typeof name !== 'string' || name === '') throw new Failure(2, `${origin}: metadata.name is missing.`)
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name))
    throw new Failure(2, `${origin}: metadata.name: want lower-case letters, digits and dashes, such as shop-2; got "${name}".`)
  const what = manifest.kind === 'AppProject' ? `project ${name}` : name
  const did = await (manifest.kind === 'AppProject' ? sentProject : sent)(cli, name, manifest, dryRun).catch((error: unknown) => {
    if (error instanceof Failure && error.code === 2)
      throw new Failure(2, `${origin}: ${error.message}`, error.hint, { cause: error })
    throw error
  })
  await cli.showNext(
    { version: 'v1', name, did, dryRun },
    () => `${what} ${dryRun && did !== 'unchanged' ? `would be ${did}` : did}`,
  )
}

async function sent(cli: Cli, name: string, json: unknown, dryRun: boolean): Promise<string> {
  const answer = await cli.api.send<Answer>(applicationPath(name, '', { dryRun }), { method: 'PUT', json })
  return answer.created ? 'created' : answer.changed ? 'changed' : 'unchanged'
}

async function sentProject(cli: Cli, name: string, json: unknown, dryRun: boolean): Promise<string> {
  const path = `/api/v1/projects/${encodeURIComponent(name)}${queryOf({ dryRun })}`
  const { result, warnings } = await cli.api.send<{ result: string; warnings: readonly string[] }>(path, { method: 'PUT', json })
  for (const warning of warnings) cli.around.complain(`project ${name}: ${warning}\n`)
  return result
}

async function documentsAt(path: string, options: Options, stdin: AsyncIterable<Uint8Array>): Promise<readonly Document[]> {
  if (path === '-') return documentsIn('stdin', await textOf(stdin))
  return filesAt(path, options.recursive === true).flatMap(file => documentsIn(file, readFileSync(file, 'utf8')))
}

function filesAt(path: string, recursive: boolean): readonly string[] {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) throw new Failure(2, `${path}: there is no such file.`)
  if (!stat.isDirectory()) return [path]
  const entries = readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  return entries.flatMap(entry => {
    const inside = join(path, entry.name)
    if (entry.isDirectory()) return recursive ? filesAt(inside, true) : []
    return /\.(ya?ml|json)$/.test(entry.name) ? [inside] : []
  })
}

function documentsIn(origin: string, text: string): readonly Document[] {
  let values: readonly unknown[]
  try {
    values = loadAll(text)
  } catch (error) {
    throw new Failure(2, `${origin}: ${(error as Error).message}`, '', { cause: error })
  }
  const given = values
    .map((value, at) => ({ value, origin: values.length === 1 ? origin : `${origin} (document ${at + 1})` }))
    .filter(({ value }) => value !== null && value !== undefined)
  return given.map(({ value, origin }) => {
    if (typeof value !== 'object' || Array.isArray(value)) throw new Failure(2, `${origin}: is no object.`)
    return { origin, manifest: value as Readonly<Record<string, unknown>> }
  })
}

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts).toString('utf8')
}
