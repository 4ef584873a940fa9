// slipway render --dependency-update: charts that a chart here depends on, got as the controller gets them, with Helm's own list of repositories
// and logins. Nothing is written beside the chart.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { answerTo, type ChartFile, HelmFailure, mayNeedCharts, readYaml, walked } from '../../renderer/index.js'
import type { Access } from '../charts/access.js'
import { chartGetter, type GetChart } from '../charts/charts.js'
import { completed, contentOf } from '../charts/complete.js'
import { ChartSourceError } from '../charts/errors.js'
import { reachOf } from '../charts/open.js'
import { openChartStore } from '../charts/store.js'
import { registryLogins } from '../config.js'
import type { Surroundings } from './cli.js'

const tries = 3

export interface ConfigOptions {
  /** '' for Helm's own. */
  readonly repositoryConfig: string
  readonly registryConfig: string
}

/** The charts of elsewhere as they are got here. `more`: what flags say of an address. */
export function chartsHere({ env }: Pick<Surroundings, 'env'>, options: ConfigOptions, more: readonly Access[] = []) {
  const repositories = repositoriesIn(options.repositoryConfig || repositoryFile(env))
  const store = openChartStore({ directory: cacheOf(env), now: Date.now })
  const logins = options.registryConfig === '' ? registryLogins(env) : [options.registryConfig]
  const said = more.filter(one => one.username !== '' || one.ca !== '' || one.plainHTTP)
  const reach = () => reachOf([...said, ...repositories], logins, 'any')
  const read = async (question: Parameters<typeof answerTo>[0]) => answerTo(question)
  return { repositories, store, reach, read, get: patient(chartGetter({ store, reach, read })) }
}

/** `files` and what is missing in `charts/`. `filesOf`: of another folder here. Throws `HelmFailure` or `RenderFault`. */
export async function withDependencies(
  around: Surroundings,
  folder: string,
  files: readonly ChartFile[],
  filesOf: (folder: string) => readonly ChartFile[],
  options: ConfigOptions,
): Promise<readonly ChartFile[]> {
  const { signal, complain } = around
  if (!mayNeedCharts(files)) return files
  const { repositories, store, read, get } = chartsHere(around, options)
  const aliases = Object.fromEntries(repositories.map(({ name, url }) => [name, url]))
  const inside = async (path: string) =>
    existsSync(`/${path}`) && statSync(`/${path}`).isDirectory() ? { id: path, files: filesOf(`/${path}`) } : null
  try {
    // Paths of this machine stand where the controller has those of a repository.
    const chart = { files, path: resolve(folder).slice(1), folder: inside, pins: {}, aliases }
    const { added, moving } = await completed(chart, { store, read, get }, signal)
    for (const range of moving) complain(`WARNING: no lock pins ${range}\n`)
    const brought = await Promise.all(added.map(async one => ({ name: one.name, bytes: await contentOf(one, store) })))
    return inOrder([...files, ...brought])
  } catch (cause) {
    throw cause instanceof ChartSourceError ? new HelmFailure(`${cause.message}${proxyNote(cause, around)}`) : cause
  }
}

/** Where a proxy is meant to be on the way, that may be all that is wrong. */
export function proxyNote({ reason }: ChartSourceError, { env }: Pick<Surroundings, 'env'>): string {
  const named = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'].find(name => (env[name] ?? '') !== '')
  return reason === 'ChartUnreachable' && named !== undefined ? ` (${named} is set, and no proxy is used for charts)` : ''
}

function inOrder(files: readonly ChartFile[]): ChartFile[] {
  const byName = new Map(files.map(file => [file.name, file] as const))
  return walked([...byName.keys()]).flatMap(name => byName.get(name) ?? [])
}

/** One loop that tries again, for what may pass by itself. */
function patient(get: GetChart): GetChart {
  return async (need, pin, signal) => {
    for (let failures = 1; ; failures++)
      try {
        return await get(need, pin, signal)
      } catch (cause) {
        const mayPass = cause instanceof ChartSourceError && cause.reason === 'ChartUnreachable'
        if (!mayPass || failures >= tries) throw cause
        await delay(Math.min(Math.max(cause.waitMs, 500 * failures), 10_000), undefined, { signal })
      }
  }
}

type Env = Surroundings['env']

function cacheOf(env: Env): string {
  return join(env.XDG_CACHE_HOME ?? join(env.HOME ?? homedir(), '.cache'), 'slipway', 'charts')
}

function repositoryFile(env: Env): string {
  const home = env.HELM_CONFIG_HOME ?? join(env.XDG_CONFIG_HOME ?? join(env.HOME ?? homedir(), '.config'), 'helm')
  return env.HELM_REPOSITORY_CONFIG ?? join(home, 'repositories.yaml')
}

/** What `helm repo add` wrote. */
function repositoriesIn(file: string): readonly (Access & { readonly name: string })[] {
  if (!existsSync(file)) return []
  const [read] = readYaml(readFileSync(file, 'utf8'), file) as readonly {
    readonly repositories?: readonly Record<string, unknown>[]
  }[]
  const text = (value: unknown): string => (typeof value === 'string' ? value : '')
  return (read?.repositories ?? []).map(entry => ({
    name: text(entry.name),
    url: text(entry.url),
    username: text(entry.username),
    password: text(entry.password),
    ca: text(entry.caFile) === '' ? '' : readFileSync(text(entry.caFile), 'utf8'),
    passCredentials: entry.pass_credentials_all === true,
    plainHTTP: false,
  }))
}
