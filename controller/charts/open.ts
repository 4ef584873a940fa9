// Charts for a controller: the store, who may be asked, and trees with their charts, wired together.
import { readFileSync } from 'node:fs'
import type { Aliases, ChartAnswer, ChartQuestion } from '../../renderer/index.js'
import type { RepositoryAccess } from '../config.js'
import type { GitTree } from '../release.js'
import type { Sticky } from '../sticky.js'
import { type Access, dockerAuths, type Reach } from './access.js'
import { chartGetter } from './charts.js'
import { createFetching, type Fetching } from './fetching.js'
import { entriesOf, pinsIn } from './pins.js'
import { type PublishedCharts, publishedCharts } from './published.js'
import { openChartStore } from './store.js'
import { type AskedTree, chartTrees } from './tree.js'

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
  readonly warn: (message: string) => void
}

export interface OpenCharts {
  /** Throws `ChartSourceError` or `RenderFault`. `kept`: entries of the ledger, and those that are new. */
  treeOf(asked: AskedCharts, signal: AbortSignal): Promise<{ readonly tree: GitTree; readonly kept: Sticky }>
  /** Those that are sources themselves. */
  readonly published: PublishedCharts
  stop(): void
}

interface AskedCharts extends Omit<AskedTree, 'pins'> {
  readonly sticky: Sticky
}

export function openCharts(options: OpenChartsOptions): OpenCharts {
  const { directory, now, random, wake, read, warn } = options
  const store = openChartStore({ directory, now })
  const reach = () => reachOf(options.accesses, options.logins, 'public')
  // Each with failures of its own: what is refused without credentials may be given with them.
  const [fetching, passing] = [false, true].map(passes =>
    createFetching({ get: chartGetter({ store, reach: () => ({ ...reach(), passes }), read }), now, random, wake }),
  ) as [Fetching, Fetching]
  const trees = chartTrees({
    aliases: options.aliases,
    bringing: (owner, passes) => ({ store, read, get: (need, pin) => (passes ? passing : fetching).get(need, pin, owner) }),
  })
  return {
    async treeOf(asked, signal) {
      const { tree, pins, moving } = await trees.treeOf({ ...asked, pins: pinsIn(asked.sticky) }, signal)
      const kept = entriesOf(pins, asked.sticky, now())
      const isNew = Object.entries(kept).some(([key, entry]) => asked.sticky[key] !== entry)
      if (isNew && moving.length > 0)
        warn(
          `${asked.owner}: no lock pins ${moving.join(', ')}; it stays so for this application until its range is written otherwise. Commit the Chart.lock of \`helm dependency update\``,
        )
      return { tree, kept }
    },
    published: publishedCharts({ store, reach, read }),
    stop() {
      fetching.stop()
      passing.stop()
    },
  }
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
