// slipway sync APP: looks at Git now, and releases what is there.
import { Cli, type Define, type SharedOptions } from './cli.js'
import { request } from './requesting.js'
import { type WaitOptions, waitOptions } from './waiting.js'

interface Options extends SharedOptions, WaitOptions {
  readonly revision: string
  readonly prune?: boolean
}

export const define: Define = (command, around) => {
  waitOptions(
    command
      .argument('<app>')
      .option('--revision <commit>', 'only if this is what the newest is', '')
      .option('--prune', 'remove what is no longer in Git, whatever its policy')
      .option('--no-prune', 'remove nothing, whatever its policy'),
  ).action(async (app: string, options: Options) => {
    const cli = new Cli(around, options)
    const prune = command.getOptionValueSource('prune') === 'cli' ? { prune: options.prune } : {}
    await request(cli, app, 'sync', { revision: options.revision, ...prune }, `${app} is being synced.`, options)
  })
}
