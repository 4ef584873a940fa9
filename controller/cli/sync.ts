// slipway sync APP: looks at Git now, and releases what is there.
import { Cli, type Define, type SharedOptions } from './cli.js'
import { request } from './requesting.js'
import { type WaitOptions, waitOptions } from './waiting.js'

interface Options extends SharedOptions, WaitOptions {
  readonly revision: string
  readonly prune?: boolean
  readonly resource: readonly string[]
  readonly test?: boolean
}

export const define: Define = (command, around) => {
  waitOptions(
    command
      .argument('<app>')
      .option('--revision <commit>', 'only if this is what the newest is', '')
      .option('--prune', 'remove what is no longer in Git, whatever its policy')
      .option('--no-prune', 'remove nothing, whatever its policy')
      .option(
        '--resource <group:kind:name>',
        'these objects only, again for each; group:kind:namespace/name, * for any; no hooks run',
        (one: string, all: readonly string[]) => [...all, one],
        [],
      )
      .option('--test', "run its chart's test hooks after health; they count"),
  ).action(async (app: string, options: Options) => {
    const cli = new Cli(around, options)
    const prune = command.getOptionValueSource('prune') === 'cli' ? { prune: options.prune } : {}
    const { revision, resource } = options
    const part = resource.length === 0 ? {} : { resources: resource }
    const body = { revision, ...prune, ...part, ...(options.test === true ? { tests: true } : {}) }
    const said = resource.length === 0 ? `${app} is being synced.` : `${resource.join(', ')} of ${app} is being synced.`
    await request(cli, app, 'sync', body, said, { ...options, part: resource.length > 0 })
  })
}
