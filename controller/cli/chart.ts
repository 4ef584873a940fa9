// slipway render CHART: what `helm template` would print, from the files here; no server is asked.
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import {
  HelmFailure,
  helmTemplate,
  isChart,
  pure,
  RenderFault,
  render,
  type Sets,
  type TemplateRequest,
  templatedName,
} from '../../renderer/index.js'
import { filesOf, type HereFile } from './chart-files.js'
import { writeSections } from './chart-output.js'
import { type PlaceOptions, placeOf } from './chart-place.js'
import { type ReadHere, readerOf } from './chart-values.js'
import { type Surroundings, yamlOf } from './cli.js'
import { withDependencies } from './dependencies.js'
import { checkFlags, type RefusableOptions } from './helm-flags.js'

export interface ChartOptions extends PlaceOptions, RefusableOptions {
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
  readonly generateName: boolean
  readonly nameTemplate: string
  readonly outputDir: string
  readonly releaseName: boolean
}

/** Is this argument a chart, a packed chart or a folder of manifests, rather than an application's name? */
export function isHere(argument: string, { repo }: Pick<ChartOptions, 'repo'>): boolean {
  return (
    repo !== '' ||
    argument.includes('/') ||
    argument === '.' ||
    argument.endsWith('.tgz') ||
    (existsSync(argument) && statSync(argument).isDirectory())
  )
}

/** `name`: null where there was none. */
export async function renderHere(around: Surroundings, chart: string, name: string | null, options: ChartOptions): Promise<void> {
  try {
    checkFlags(options)
    around.write(await textOf(around, chart, nameOf(name, options), options))
  } catch (cause) {
    if (cause instanceof HelmFailure) {
      for (const warning of cause.warnings) around.complain(`${warning}\n`)
      if (options.debug) around.write(cause.rendered)
      around.complain(`Error: ${cause.message}\n${cause.place === '' ? '' : `${cause.place}\n`}`)
      around.exit(1)
    } else if (cause instanceof RenderFault) {
      around.complain(`Error: ${cause.message}\n${cause.excerpt === '' ? '' : `${cause.excerpt}\n`}`)
      around.exit(1)
    } else throw cause
  }
}

/** With `--generate-name` alone Helm's template prints the name that it has without. */
function nameOf(name: string | null, { generateName, nameTemplate }: ChartOptions): string {
  if (name !== null && generateName) throw new HelmFailure('cannot set --generate-name and also specify a name')
  if (name !== null && nameTemplate !== '') throw new HelmFailure('cannot set --name-template and also specify a name')
  if (name !== null) return name
  return nameTemplate === '' ? 'release-name' : templatedName(nameTemplate, chance())
}

function chance() {
  return { random: (count: number) => randomBytes(count), now: Date.now() }
}

async function textOf(around: Surroundings, chart: string, name: string, options: ChartOptions): Promise<string> {
  const place = await placeOf(around, chart, options)
  const read = await readerOf(around, options)
  const print = (found: TemplateRequest['chart']): string => templated(around, found, name, options, read)
  if ('archive' in place) return print(place)
  const { path } = place
  if (statSync(path).isFile()) return print({ archive: archiveIn(path) })
  const here = filesOf(path, words => around.complain(`${words}\n`))
  const files = options.dependencyUpdate ? await withDependencies(around, path, here, filesOf, options) : here
  return isChart(files.map(file => file.name)) ? print({ files }) : objectsText(files, name, options, read)
}

/** `loader.LoadFile`: what is no packed chart is told by what it seems to be. */
function archiveIn(path: string): Uint8Array {
  const bytes = readFileSync(path)
  const file = `file '${resolve(path)}'`
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return bytes
  if (/\.ya?ml$/.test(path)) throw new HelmFailure(`${file} seems to be a YAML file, but expected a gzipped archive`)
  throw new HelmFailure(
    `${file} does not appear to be a gzipped archive; got '${isText(bytes) ? 'text/plain; charset=utf-8' : 'application/octet-stream'}'`,
  )
}

/** As Go looks at the first 512 bytes, which a shorter file does not fill. */
function isText(bytes: Uint8Array): boolean {
  return (
    bytes.length >= 512 &&
    !bytes.subarray(0, 512).some(byte => byte < 9 || (byte > 13 && byte < 32 && byte !== 27) || byte === 11)
  )
}

/** Whoever renders here waits for it, and can end it: about a minute of keys, some minutes of everything else. */
const wide = { steps: 100_000_000, output: 500_000_000, parses: 1_000_000, secrets: 1_200, work: 3_000_000_000 }

function templated(
  around: Surroundings,
  chart: TemplateRequest['chart'],
  name: string,
  options: ChartOptions,
  read: ReadHere,
): string {
  const { text, warnings, sections } = helmTemplate({
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
    chance: chance(),
    limits: wide,
  })
  for (const warning of warnings) around.complain(`${warning}\n`)
  if (options.outputDir === '') return text
  // The empty line is what Helm prints of the rest.
  return `${writeSections(sections, options.outputDir, options.releaseName ? name : '')}\n`
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
    pure(chance()),
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
