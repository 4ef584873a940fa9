// slipway delete APP: deletes the declaration; with --cascade also what it runs.

import { confirm } from './asking.js'
import { applicationPath, Cli, type Define, type SharedOptions } from './cli.js'

interface Options extends SharedOptions {
  readonly cascade?: boolean
  readonly skipHooks?: boolean
  readonly yes?: boolean
}

export const define: Define = (command, around) => {
  command
    .argument('<app>')
    .option('--cascade', 'also what it runs (data that is to be kept stays)')
    .option('--no-cascade', 'leave what it runs; lets go of what was to be ended too, as long as its node has not heard of that')
    .option('--skip-hooks', 'without its PreDelete and PostDelete hooks')
    .option('-y, --yes', 'do not ask')
    .action(async (app: string, options: Options) => {
      const cli = new Cli(around, options)
      const cascade = options.cascade === true
      await confirm(
        around,
        cascade ? `Delete ${app} and everything it runs?` : `Delete ${app}, and leave what it runs?`,
        options.yes === true,
      )
      const answer = await cli.api.send<{ message: string }>(
        applicationPath(app, '', {
          cascade,
          ...(options.skipHooks === true ? { skipHooks: true } : {}),
        }),
        { method: 'DELETE' },
      )
      await cli.show(answer, () => answer.message)
    })
}
