// Charts for a controller: the store, who may be asked, and trees with their charts, wired together.
import { readFileSync } from 'node:fs'
import type { Aliases, ChartAnswer, ChartQuestion } from '../../renderer/index.js'
import type { RepositoryAccess } from '../config.js'
import { type Access, dockerAuths, type Reach } from './access.js'
import { chartGetter } from './charts.js'
import { createFetching } from './fetching.js'
import { openChartStore } from './store.js'
import { type ChartTrees, chartTrees } from './tree.js'

export interface OpenChartsOptions {
  readonly directory: string
  readonly accesses: readonly Access[]
  readonly aliases: Aliases
  /** config.json files; the first that has a login for a host counts. */
  readonly logins: readonly string[]
  readonly read: (question: ChartQuestion, signal: AbortSignal) => Promise<ChartAnswer>
  readonly now: () => number
  readonly random: () => number
  readonly wake: (owner: string) => void
}

export function openCharts(options: OpenChartsOptions): ChartTrees & { stop(): void } {
  const { directory, now, random, wake, read } = options
  const store = openChartStore({ directory, now })
  const reach = () => reachOf(options.accesses, options.logins, 'public')
  const fetching = createFetching({ get: chartGetter({ store, reach, read }), now, random, wake })
  const trees = chartTrees({
    aliases: options.aliases,
    bringing: owner => ({ store, read, get: (need, pin) => fetching.get(need, pin, owner) }),
  })
  return { ...trees, stop: () => fetching.stop() }
}

/** Reads the files that it names: once, at the start. */
export function accessesOf(repositories: readonly RepositoryAccess[]): readonly Access[] {
  const textIn = (file: string): string => (file === '' ? '' : readFileSync(file, 'utf8'))
  return repositories.map(({ url, username, passwordFile, caFile, passCredentials, plainHTTP }) => ({
    url,
    username,
    password: textIn(passwordFile).trim(),
    ca: textIn(caFile),
    passCredentials,
    plainHTTP,
  }))
}

export function aliasesOf(repositories: readonly RepositoryAccess[]): Aliases {
  return Object.fromEntries(repositories.flatMap(({ name, url }) => (name === '' ? [] : [[name, url] as const])))
}

export function reachOf(accesses: readonly Access[], logins: readonly string[], network: Reach['network']): Reach {
  const docker = Object.assign({}, ...[...logins].reverse().map(file => dockerAuths(textOf(file)))) as Reach['docker']
  return { accesses, docker, network }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
