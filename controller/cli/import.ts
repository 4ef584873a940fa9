// slipway import: what of an Argo CD can be taken over, and why not; --observe looks at all of it without a write; --take-over takes one over.
import { readFileSync } from 'node:fs'
import { loadAll } from 'js-yaml'
import { confirm } from './asking.js'
import { applicationPath, Cli, type Define, type SharedOptions } from './cli.js'
import { Failure } from './failure.js'
import type { Colour } from './words.js'

interface Options extends SharedOptions {
  readonly cluster?: string
  readonly namespace: string
  readonly filename: string[]
  readonly observe?: boolean
  readonly takeOver?: boolean
  readonly yes?: boolean
}

interface Item {
  readonly kind: string
  readonly name: string
  readonly verdict: 'take' | 'taken' | 'refused' | 'yours'
  readonly notes: readonly string[]
}

export const define: Define = (command, around) => {
  command
    .argument('[apps...]', 'with --take-over: those that are taken over')
    .option('--cluster <name>', "a cluster of the controller's configuration, in which Argo CD runs")
    .option('--namespace <name>', 'in which its Applications lie', 'argocd')
    .option(
      '-f, --filename <path>',
      'a file with Applications and AppProjects instead; repeat for several',
      (one: string, all: string[]) => [...all, one],
      [],
    )
    .option('--observe', 'declare them: rendered, compared and judged, without a single write')
    .option('--take-over', 'release the named ones from here from now on; Argo CD is told to leave them alone')
    .option('-y, --yes', 'do not ask')
    .action(async (apps: string[], options: Options) => {
      const cli = new Cli(around, options)
      if (options.takeOver === true) return takeOver(cli, apps, options)
      if (apps.length > 0)
        throw new Failure(2, 'Applications are named to take them over.', `slipway import --take-over ${apps[0]}`)
      await look(cli, options)
    })
}

async function takeOver(cli: Cli, apps: readonly string[], { yes }: Options): Promise<void> {
  if (apps.length === 0) throw new Failure(2, 'Name the applications to take over.', 'slipway import --take-over shop')
  await confirm(cli.around, `Release ${apps.join(', ')} from here from now on?`, yes === true)
  for (const app of apps) {
    const answer = await cli.api.send<{ message: string }>(applicationPath(app, 'take-over'))
    await cli.showNext(answer, () => answer.message)
  }
}

async function look(cli: Cli, { cluster = '', namespace, filename, observe = false }: Options): Promise<void> {
  const objects = filename.flatMap(objectsIn)
  if (cluster === '' && objects.length === 0)
    throw new Failure(
      2,
      'Say where Argo CD is: a cluster, or files.',
      'slipway import --cluster prod   slipway import -f applications.yaml',
    )
  const json = { cluster, namespace, objects, observe }
  const { items } = await cli.api.send<{ items: readonly Item[] }>('/api/v1/import', { json })
  await cli.show({ version: 'v1', items }, () => shown(cli, items, observe))
  if (items.some(({ verdict }) => verdict === 'refused')) cli.around.exit(1)
}

function objectsIn(path: string): readonly unknown[] {
  try {
    return loadAll(readFileSync(path, 'utf8'))
      .filter(value => value !== null && value !== undefined)
      .flatMap(value => {
        const { kind, items } = value as { kind?: unknown; items?: unknown }
        return String(kind).endsWith('List') && Array.isArray(items) ? items : [value]
      })
  } catch (error) {
    throw new Failure(2, `${path}: ${(error as Error).message}`, '', { cause: error })
  }
}

const words: Readonly<Record<Item['verdict'], readonly [shape: string, word: string, colour: Colour]>> = {
  take: ['○', 'will be taken', 'blue'],
  taken: ['●', 'is here', 'green'],
  refused: ['■', 'not as it is', 'red'],
  yours: ['◇', 'yours to do', 'violet'],
}

function shown(cli: Cli, items: readonly Item[], observe: boolean): string {
  const counts = (['take', 'taken', 'refused', 'yours'] as const).flatMap(verdict => {
    const count = items.filter(item => item.verdict === verdict).length
    return count === 0 ? [] : [`${count} ${words[verdict][1]}`]
  })
  const lines = items.flatMap(({ kind, name, verdict, notes }) => {
    const [shape, word, colour] = words[verdict]
    return [`${cli.paint(colour, shape)}  ${kind} ${name}   ${word}`, ...notes.map(note => `     ${note}`)]
  })
  const next = observe
    ? 'Compare:  slipway apps     Then:  slipway import --take-over APP'
    : 'Nothing was written. Observe all of it without a write:  slipway import ... --observe'
  return [`${counts.join(', ') || 'There is nothing of Argo CD there.'}`, '', ...lines, '', next].join('\n')
}
