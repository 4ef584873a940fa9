// slipway history APP: every attempt in a line, newest first.
import type { AttemptView } from '../view.js'
import { applicationPath, Cli, type Define, type Listed, type SharedOptions } from './cli.js'
import { age, type Cell, cut, duration, outcomeOf, shortCommit, table } from './words.js'

interface Options extends SharedOptions {
  readonly limit: string
}

export const define: Define = (command, around) => {
  command
    .argument('<app>')
    .option('-n, --limit <count>', 'at most so many', '20')
    .action(async (app: string, options: Options) => {
      const cli = new Cli(around, options)
      const list = await cli.api.get<Listed<AttemptView>>(applicationPath(app, 'history', { limit: options.limit }))
      await cli.show(list, () => (list.items.length === 0 ? 'Nothing was tried yet.' : historyTable(list.items, cli)))
    })
}

function historyTable(attempts: readonly AttemptView[], cli: Cli): string {
  const rows = attempts.map((attempt): readonly (string | Cell)[] => {
    const { shape, word, colour } = outcomeOf(attempt.outcome)
    const { seen, ended } = attempt.times
    const begun = attempt.moves[0]?.at ?? seen
    return [
      { text: shape, colour },
      String(attempt.number),
      { text: attempt.outcome === null ? attempt.step : word, colour },
      attempt.release?.number ?? '-',
      shortCommit(attempt.release?.commit) || '-',
      attempt.cause,
      cut(attempt.by, 16),
      age(ended || begun, cli.api.now()),
      duration(Date.parse(ended) - Date.parse(begun)),
      attempt.message,
    ]
  })
  return table(['', '#', 'OUTCOME', 'RELEASE', 'COMMIT', 'CAUSE', 'BY', 'AGE', 'TOOK', ''], rows, cli.paint, cli.columns)
}
