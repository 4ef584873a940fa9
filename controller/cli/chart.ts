// slipway render CHART: what `helm template` would print, from the files here; no server is asked.
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  HelmFailure,
  helmTemplate,
  isChart,
  pure,
  RenderFault,
  render,
  type Sets,
  type TemplateRequest,
  walked,
} from '../../renderer/index.js'
import { type Surroundings, yamlOf } from './cli.js'
import { withDependencies } from './dependencies.js'

export interface ChartOptions {
  readonly values: readonly string[]
  readonly set: readonly string[]
  readonly setString: readonly string[]
  readonly setJson: readonly string[]
  readonly setFile: readonly string[]
  readonly setLiteral: readonly string[]
  readonly namespace: string
  readonly kubeVersion: string
  readonly apiVersions: readonly string[]
  readonly includeCrds: boolean
  readonly skipTests: boolean
  readonly hooks: boolean
  readonly showOnly: readonly string[]
  readonly isUpgrade: boolean
  readonly skipSchemaValidation: boolean
  readonly helmProfile: string
  readonly dependencyUpdate: boolean
  readonly debug: boolean
}

interface HereFile {
  readonly name: string
  readonly bytes: Uint8Array
}

/** Is this argument a chart, a packed chart or a folder of manifests here, rather than an application's name? */
export function isHere(argument: string): boolean {
  return (
    argument.includes('/') ||
    argument === '.' ||
    argument.endsWith('.tgz') ||
    (existsSync(argument) && statSync(argument).isDirectory())
  )
}

export async function renderHere(around: Surroundings, path: string, name: string, options: ChartOptions): Promise<void> {
  try {
    around.write(await textOf(around, path, name, options))
  } catch (cause) {
    if (cause instanceof HelmFailure) {
      if (options.debug) around.write(cause.rendered)
      around.complain(`Error: ${cause.message}\n${cause.place === '' ? '' : `${cause.place}\n`}`)
      around.exit(1)
    } else if (cause instanceof RenderFault) {
      around.complain(`Error: ${cause.message}\n${cause.excerpt === '' ? '' : `${cause.excerpt}\n`}`)
      around.exit(1)
    } else throw cause
  }
}

async function textOf(around: Surroundings, path: string, name: string, options: ChartOptions): Promise<string> {
  if (!existsSync(path)) throw new HelmFailure(`path ${JSON.stringify(path)} not found`)
  const read = await readerOf(around, options)
  const print = (chart: TemplateRequest['chart']): string => templated(around, chart, name, options, read)
  if (statSync(path).isFile()) return print({ archive: readFileSync(path) })
  const here = filesOf(path)
  const files = options.dependencyUpdate ? await withDependencies(around, path, here, filesOf) : here
  return isChart(files.map(file => file.name)) ? print({ files }) : objectsText(files, name, options, read)
}

function templated(
  around: Surroundings,
  chart: TemplateRequest['chart'],
  name: string,
  options: ChartOptions,
  read: ReadHere,
): string {
  const { text, warnings } = helmTemplate({
    chart,
    name,
    namespace: options.namespace,
    valueFiles: options.values.map(file => ({ name: file, bytes: read(file) })),
    sets: setsOf(options),
    readFile: read,
    kubeVersion: options.kubeVersion,
    apiVersions: options.apiVersions,
    includeCrds: options.includeCrds,
    skipTests: options.skipTests,
    noHooks: !options.hooks,
    showOnly: options.showOnly,
    isUpgrade: options.isUpgrade,
    skipSchema: options.skipSchemaValidation,
    profile: options.helmProfile === '4' ? '4' : '3',
    chance: { random: count => randomBytes(count), now: Date.now() },
    limits: { steps: 100_000_000, output: 500_000_000, parses: 1_000_000, secrets: 100_000 },
  })
  for (const warning of warnings) around.complain(`${warning}\n`)
  return text
}

function setsOf(options: ChartOptions): Sets {
  return {
    json: options.setJson,
    typed: options.set,
    string: options.setString,
    file: options.setFile,
    literal: options.setLiteral,
  }
}

type ReadHere = (file: string) => Uint8Array

/** Reads files here, and what is piped in as `-`. */
async function readerOf({ stdin }: Surroundings, { values, setFile }: ChartOptions): Promise<ReadHere> {
  if (!values.includes('-') && !setFile.some(line => /=-(,|$)/.test(line))) return readHere
  const chunks: Uint8Array[] = []
  for await (const chunk of stdin) chunks.push(chunk)
  const piped = Buffer.concat(chunks)
  return file => (file === '-' ? piped : readHere(file))
}

function readHere(file: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch {
    throw new HelmFailure(`open ${file}: no such file or directory`)
  }
}

/** Folders of manifests: the objects, as the controller would get them. */
async function objectsText(files: readonly HereFile[], name: string, options: ChartOptions, read: ReadHere): Promise<string> {
  const bytes = new Map(files.map(file => [file.name, file.bytes] as const))
  const result = render(
    { paths: [...bytes.keys()], read: path => bytes.get(path) ?? null },
    {
      directory: { recurse: true, include: '', exclude: '' },
      release: { name, namespace: options.namespace },
      capabilities: {
        kubeVersion: options.kubeVersion === '' ? 'v1.31.0' : options.kubeVersion,
        apiVersions: options.apiVersions,
      },
      valueFiles: options.values.map(file => ({ name: file, bytes: read(file) })),
      ignoreMissingValueFiles: false,
      values: {},
      parameters: [
        ...options.set.map(line => parameterOf(line, false)),
        ...options.setString.map(line => parameterOf(line, true)),
      ],
    },
    pure({ random: count => randomBytes(count), now: Date.now() }),
  )
  if (result.error !== undefined) throw new RenderFault(result.error.reason, result.error.message, result.error.excerpt)
  const texts = await Promise.all(
    result.objects.map(async ({ manifest, file }) => `---\n# Source: ${file}\n${await yamlOf(manifest)}`),
  )
  return texts.join('')
}

function parameterOf(
  line: string,
  forceString: boolean,
): { readonly name: string; readonly value: string; readonly forceString: boolean } {
  const at = line.indexOf('=')
  if (at < 0) throw new HelmFailure(`failed parsing --set data: key ${JSON.stringify(line)} has no value`)
  return { name: line.slice(0, at), value: line.slice(at + 1), forceString }
}

function filesOf(folder: string): HereFile[] {
  const paths: string[] = []
  const walk = (below: string): void => {
    for (const name of readdirSync(join(folder, below))) {
      const path = below === '' ? name : `${below}/${name}`
      if (path === '.git') continue
      if (statSync(join(folder, path)).isDirectory()) walk(path)
      else paths.push(path)
    }
  }
  walk('')
  return walked(paths).map(name => ({ name, bytes: readFileSync(join(folder, name)) }))
}
