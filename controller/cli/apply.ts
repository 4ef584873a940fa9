// slipway apply -f FILE|DIRECTORY|-: creates or changes applications; all files are read before the first is sent.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { loadAll } from 'js-yaml'
import type { ApplicationView } from '../view.js'
import { applicationPath, Cli, type Define, type SharedOptions } from './cli.js'
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
    .requiredOption(
      '-f, --filename <path>',
      'a file, a directory, or - for stdin; repeat for several',
      (one: string, all: string[]) => [...all, one],
      [],
    )
    .option('-R, --recursive', 'also the directories in a directory')
    .option('--dry-run', 'only say what would happen')
    .action(async (options: Options) => {
      const cli = new Cli(around, options)
      const documents = (await Promise.all(options.filename.map(path => documentsAt(path, options, around.stdin)))).flat()
      if (documents.length === 0) throw new Failure(2, `${options.filename.join(', ')}: there is no application in it.`)
      for (const document of documents) await applyOne(cli, document, options.dryRun === true)
    })
}

async function applyOne(cli: Cli, { origin, manifest }: Document, dryRun: boolean): Promise<void> {
  const { name } = (manifest.metadata ?? {}) as { name?: unknown }
  if (typeof name !== 'string' || name === '') throw new Failure(2, `${origin}: metadata.name is missing.`)
  const answer = await cli.api
    .send<Answer>(applicationPath(name, '', { dryRun }), { method: 'PUT', json: manifest })
    .catch((error: unknown) => {
      if (error instanceof Failure && error.code === 2)
        throw new Failure(2, `${origin}: ${error.message}`, error.hint, { cause: error })
      throw error
    })
  const did = answer.created ? 'created' : answer.changed ? 'changed' : 'unchanged'
  await cli.showNext(
    { version: 'v1', name, did, dryRun },
    () => `${name} ${dryRun && did !== 'unchanged' ? `would be ${did}` : did}`,
  )
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
