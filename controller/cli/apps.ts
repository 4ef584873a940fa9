// slipway apps: every application in a line, those that need a person first.
import type { ApplicationView } from '../view.js'
import { Cli, type Define, listAll, queryOf, type SharedOptions } from './cli.js'
import { age, type Cell, shortCommit, states, table } from './words.js'

interface Options extends SharedOptions {
  readonly state: string[]
  readonly search: string
}

export const define: Define = (command, around) => {
  command
    .option(
      '--state <state>',
      'only these (Healthy, RolledBack, ...); repeat for several',
      (one: string, all: string[]) => [...all, one],
      [],
    )
    .option('--search <words>', 'only where name, place, commit or sentence holds them', '')
    .action(async (options: Options) => {
      const cli = new Cli(around, options)
      const path = `/api/v1/applications${queryOf({ sort: 'attention', limit: 1000, search: options.search })}`
      const wanted = options.state.map(state => `&state=${encodeURIComponent(state)}`).join('')
      const list = await listAll<ApplicationView>(cli.api, path + wanted)
      await cli.show(list, () => (list.total === 0 ? none(options) : appsTable(list.items, cli)))
    })
}

export const noApplications = 'No applications yet. Declare the first one:  slipway apply -f application.yaml'

export function appsTable(views: readonly ApplicationView[], cli: Cli): string {
  const rows = views.map((view): readonly (string | Cell)[] => {
    const { shape, word, colour } = states[view.state]
    const shown = view.state === 'Releasing' ? (view.attempt?.release ?? view.release) : view.release
    return [
      { text: shape, colour },
      view.name,
      { text: word, colour },
      shown?.number ?? '-',
      shortCommit(shown?.commit) || '-',
      view.place,
      age(view.since, cli.api.now()),
      view.short,
    ]
  })
  return table(['', 'APP', 'STATE', 'RELEASE', 'COMMIT', 'WHERE', 'AGE', ''], rows, cli.paint, cli.columns)
}

function none(options: Options): string {
  if (options.search !== '' || options.state.length > 0) return 'No application fits.'
  return noApplications
}
